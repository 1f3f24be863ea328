// SPDX-License-Identifier: Apache-2.0
// Imported NIR networks against their simulation by make_nir_goldens.py: recurrent layers, neurons that differ from
// each other, delays, every layer type.
#include "../support/support.h"

#include <stdio.h>

#include "spikestill/nir.h"

enum { STEPS = 12, MOST_INPUTS = 2 * 18 * 18, MOST_OUTPUTS = 10 };

static void read_floats(FILE *file, float *to, size_t count) {
  assert_int_equal(fread(to, sizeof *to, count, file), count);
}

// `spikes`: a layer that must be known to spike. `dt`: 0 for the usual one.
static void check_at(sst_context *context, const char *name, const char *spikes, double dt) {
  char path[TEST_PATH_SIZE], file_name[64];
  sst_nir_graph *nir = NULL;
  sst_nir_network *network = NULL;
  snprintf(file_name, sizeof file_name, "tests/golden/nir/%s.nir", name);
  assert_ok(context, sst_nir_read(context, test_source_path(path, file_name), &nir));
  assert_ok(context, sst_nir_import(nir, &(sst_nir_import_options){.dt = dt}, &network));
  sst_nir_destroy(nir);
  const sst_nir_info info = sst_nir_describe(network);
  sst_parameters *parameters = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, &parameters));
  assert_ok(context, sst_graph_create(parameters, SST_DEVICE_CPU_REFERENCE, &graph));
  const sst_value x = sst_graph_input(graph, "input", sst_shape_make(STEPS, 1, info.height, info.width, info.channels));
  sst_value logits;
  const sst_value steps = sst_nir_build(network, graph, x, STEPS, false, &logits);
  if (spikes) { assert_true(sst_graph_is_spikes(graph, sst_graph_find(graph, spikes))); }
  sst_graph_keep(graph, steps);
  assert_ok(context, sst_graph_compile(graph, SST_NO_VALUE));
  assert_ok(context, sst_nir_load(network, parameters));

  const int64_t channels = info.channels, places = info.height * info.width;
  float in[STEPS * MOST_INPUTS], out[STEPS * MOST_OUTPUTS];
  assert_true(channels * places <= MOST_INPUTS && info.classes <= MOST_OUTPUTS);
  snprintf(file_name, sizeof file_name, "tests/golden/nir/%s.bin", name);
  FILE *file = fopen(test_source_path(path, file_name), "rb");
  assert_non_null(file);
  read_floats(file, in, (size_t)(STEPS * channels * places));
  read_floats(file, out, (size_t)(STEPS * info.classes));
  fclose(file);
  float *data = sst_graph_data(graph, x);
  for (int64_t t = 0; t < STEPS; t++) {
    for (int64_t p = 0; p < places; p++) {
      for (int64_t c = 0; c < channels; c++) {
        data[(t * places + p) * channels + c] = in[(t * channels + c) * places + p];
      }
    }
  }
  sst_graph_forward(graph, &(sst_run_options){0});
  const float *found = sst_graph_data(graph, steps);
  for (int64_t i = 0; i < STEPS * info.classes; i++) { assert_near(found[i], out[i], 1e-5, 1e-5); }
  sst_graph_destroy(graph);
  sst_parameters_destroy(parameters);
  sst_nir_network_destroy(network);
}

static void check(sst_context *context, const char *name, const char *spikes) { check_at(context, name, spikes, 0); }

static void test_recurrent(void **state) { check(*state, "recurrent", "cuba"); }
static void test_picture(void **state) { check(*state, "picture", "fire"); }
static void test_signal(void **state) { check(*state, "signal", "above"); }

// The structures of NIR's published samples (make_nir_samples.py).
static void test_two_lif(void **state) { check(*state, "sample_two_lif", "lif2"); }
static void test_rockpool(void **state) { check(*state, "sample_rockpool", "1_LIFNeuronTorch"); }
static void test_braille(void **state) { check(*state, "sample_braille", "lif2"); }
static void test_braille_flattened(void **state) { check(*state, "sample_flattened", "lif2"); }
static void test_braille_subgraph(void **state) { check(*state, "sample_subgraph", "lif1.lif"); }
static void test_scnn(void **state) { check_at(*state, "sample_scnn", "12", 1); }

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_recurrent),         TEST(test_picture),          TEST(test_signal),
      TEST(test_two_lif),           TEST(test_rockpool),         TEST(test_braille),
      TEST(test_braille_flattened), TEST(test_braille_subgraph), TEST(test_scnn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
