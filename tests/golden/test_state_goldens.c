// SPDX-License-Identifier: Apache-2.0
// State dictionaries of PyTorch, SpikingJelly and snnTorch, as the safetensors library writes them: the networks that
// get their weights give the same logits (tests/golden/state, made by make_state_goldens.py), and written and read
// again in either layout the parameters are the same bits.
#include "support.h"

#include "spikestill/run.h"

static const double tolerance = 1e-5;

static void golden_path(char path[TEST_PATH_SIZE], const char *stem, const char *ending) {
  char name[128];
  snprintf(name, sizeof name, "tests/golden/state/%s.%s", stem, ending);
  test_source_path(path, name);
}

static sst_network *open_network(sst_context *context, const char *stem, const char *device) {
  char path[TEST_PATH_SIZE];
  sst_network *network = NULL;
  golden_path(path, stem, "yaml");
  assert_ok(context, sst_network_open(context, path, &device, 1, &network));
  return network;
}

static sst_network *import(sst_context *context, const char *stem, const char *map, const char *device) {
  char path[TEST_PATH_SIZE], map_path[TEST_PATH_SIZE];
  sst_network *network = open_network(context, stem, device);
  golden_path(path, stem, "safetensors");
  if (map) { golden_path(map_path, map, "map"); }
  assert_ok(context, sst_network_import_state(network, path, &(sst_state_options){.map = map ? map_path : NULL}));
  return network;
}

static void read_floats(FILE *file, float *to, int64_t count) {
  assert_int_equal(fread(to, sizeof(float), (size_t)count, file), count);
}

static void check_logits(sst_context *context, const char *stem, const char *map, const char *device) {
  char path[TEST_PATH_SIZE];
  golden_path(path, stem, "bin");
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  int32_t head[5];
  assert_int_equal(fread(head, sizeof *head, 5, file), 5);
  sst_network *network = import(context, stem, map, device);
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  sst_graph *graph = NULL;
  assert_ok(context, sst_network_graph(network, head[0], &input, &logits, &graph));
  read_floats(file, sst_graph_data(graph, input), sst_shape_count(sst_graph_shape(graph, input)));
  sst_graph_forward(graph, NULL);
  float expected[256];
  const int64_t count = (int64_t)head[0] * head[4];
  assert_true(count <= 256);
  assert_int_equal(count, sst_shape_count(sst_graph_shape(graph, logits)));
  read_floats(file, expected, count);
  assert_int_equal(fgetc(file), EOF);
  fclose(file);
  for (int64_t i = 0; i < count; i++) {
    const double found = (double)sst_graph_data(graph, logits)[i];
    if (!(fabs(found - (double)expected[i]) <= tolerance)) {
      fail_msg("%s on %s: logit %d is %.9g, expected %.9g", stem, device, (int)i, found, (double)expected[i]);
    }
  }
  sst_graph_destroy(graph);
  sst_network_close(network);
}

static void assert_same_parameters(sst_network *a, sst_network *b) {
  const sst_parameters *x = sst_network_parameters(a), *y = sst_network_parameters(b);
  assert_int_equal(sst_parameters_count(x), sst_parameters_count(y));
  for (int i = 0; i < sst_parameters_count(x); i++) {
    const sst_parameter *p = sst_parameters_at(x, i), *q = sst_parameters_at(y, i);
    if (memcmp(p->value, q->value, (size_t)p->count * sizeof *p->value) != 0) { fail_msg("%s differs", p->name); }
  }
}

static void check_there_and_back(sst_context *context, const char *stem, const char *map) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE + 8];
  temp_folder_make(folder);
  snprintf(path, sizeof path, "%s/state", folder);
  sst_network *network = import(context, stem, map, "device=cpu-ref");
  for (int layout = 0; layout < SST_STATE_LAYOUT_COUNT; layout++) {
    sst_network *again = open_network(context, stem, "seed=99");
    const sst_state_options options = {.layout = (sst_state_layout)layout};
    assert_ok(context, sst_network_export_state(network, path, &options));
    assert_ok(context, sst_network_import_state(again, path, &options));
    assert_same_parameters(network, again);
    sst_network_close(again);
  }
  sst_network_close(network);
  temp_folder_remove(folder);
}

static void check(sst_context *context, const char *stem, const char *map) {
  check_logits(context, stem, map, "device=cpu-ref");
  check_logits(context, stem, map, "device=cpu");
  check_there_and_back(context, stem, map);
}

static void test_sequential(void **state) { check(*state, "sequential", NULL); }
static void test_mixed_types_and_biases(void **state) { check(*state, "mixed", NULL); }
static void test_names_with_a_map(void **state) { check(*state, "named", "named"); }
static void test_spikingjelly(void **state) { check(*state, "spikingjelly", NULL); }
static void test_snntorch(void **state) { check(*state, "snntorch", NULL); }

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_sequential), TEST(test_mixed_types_and_biases),
                                     TEST(test_names_with_a_map), TEST(test_spikingjelly), TEST(test_snntorch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
