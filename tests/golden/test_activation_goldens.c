// SPDX-License-Identifier: Apache-2.0
// The learned activations clip and qcfs against PyTorch's autograd: values, gradients of input and threshold. The data
// and its generator are beside this file.
#include "../support/graphs.h"

#include "spikestill/model.h"

enum { COUNT = 24, CASES = 8 };

static void read_numbers(FILE *file, const char *name, float *out) {
  char word[32];
  assert_int_equal(fscanf(file, "%31s", word), 1);
  assert_string_equal(word, name);
  for (int i = 0; i < COUNT; i++) { assert_int_equal(fscanf(file, "%f", &out[i]), 1); }
}

static void check_case(sst_context *context, FILE *file) {
  int levels;
  float threshold, dthreshold, x[COUNT], dy[COUNT], y[COUNT], dx[COUNT];
  assert_int_equal(fscanf(file, " case levels=%d threshold=%f dthreshold=%f", &levels, &threshold, &dthreshold), 3);
  read_numbers(file, "x", x);
  read_numbers(file, "dy", dy);
  read_numbers(file, "y", y);
  read_numbers(file, "dx", dx);
  sst_model_options options = sst_model_default();
  options.spiking = false;
  options.activation = levels > 0 ? SST_ACTIVATION_QCFS : SST_ACTIVATION_CLIP;
  options.qcfs_levels = levels > 0 ? levels : 8;
  options.neuron.threshold = threshold;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value input = graph_weight(g, "x", vector_shape(COUNT)), weight = sst_graph_input(g, "dy", vector_shape(COUNT));
  sst_value output = sst_activation_build(g, &options, "", "", input, NULL);
  sst_graph_keep(g, output);
  assert_ok(context, sst_graph_compile(g, sst_sum(g, sst_multiply(g, output, weight), SST_AXES_ALL)));
  memcpy(sst_graph_data(g, input), x, sizeof x);
  memcpy(sst_graph_data(g, weight), dy, sizeof dy);
  sst_graph_forward(g, NULL);
  sst_graph_backward(g);
  assert_all_near(sst_graph_data(g, output), y, COUNT, 1e-6, 1e-7);
  assert_all_near(sst_parameters_find(store, "x")->gradient, dx, COUNT, 1e-6, 1e-7);
  assert_near(*sst_parameters_find(store, "threshold")->gradient, dthreshold, 1e-5, 1e-6);
  graph_end(g, store);
}

static void test_activations(void **state) {
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_source_path(path, "tests/golden/activation_goldens.txt"), "r");
  assert_non_null(file);
  for (int i = 0; i < CASES; i++) { check_case(*state, file); }
  fclose(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_activations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
