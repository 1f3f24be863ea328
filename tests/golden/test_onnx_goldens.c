// SPDX-License-Identifier: Apache-2.0
// Small ONNX networks, at least one an operator and attribute, against onnxruntime: tests/golden/onnx_goldens, made by
// make_onnx_goldens.py. Tolerance: sums of at most 250 products in f32, in another order.
#include <dirent.h>

#include "support.h"

#include "spikestill/onnx.h"

static const double tolerance = 2e-6;

static void read_floats(FILE *file, float *to, int64_t count) {
  assert_int_equal(fread(to, sizeof(float), (size_t)count, file), count);
}

static void check_network(sst_context *context, const char *folder, const char *stem, bool keep, sst_device device) {
  char path[TEST_PATH_SIZE];
  sst_onnx *onnx = NULL;
  snprintf(path, sizeof path, "%s/%s.onnx", folder, stem);
  const sst_onnx_options options = {.keep_batch_norm = keep};
  assert_ok(context, sst_onnx_open(context, path, &options, &onnx));
  snprintf(path, sizeof path, "%s/%s.bin", folder, stem);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  int32_t head[5];
  assert_int_equal(fread(head, sizeof *head, 5, file), 5);
  const sst_onnx_info info = sst_onnx_describe(onnx);
  assert_int_equal(info.classes, head[4]);
  sst_parameters *parameters = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, &parameters));
  assert_ok(context, sst_graph_create(parameters, device, &graph));
  const sst_shape shape = sst_shape_make(1, head[0], head[1], head[2], head[3]);
  const sst_value input = sst_graph_input(graph, "input", shape);
  sst_value logits = SST_NO_VALUE;
  const sst_value output = sst_onnx_build(onnx, graph, input, NULL, NULL, &logits);
  if (sst_graph_status(graph) != SST_OK) { fail_msg("%s: %s", stem, sst_context_message(context)); }
  sst_graph_keep(graph, output);
  assert_ok(context, sst_graph_compile(graph, SST_NO_VALUE));
  assert_ok(context, sst_onnx_load(onnx, parameters));
  read_floats(file, sst_graph_data(graph, input), sst_shape_count(shape));
  sst_graph_forward(graph, NULL);
  float expected[1024];
  const int64_t count = (int64_t)head[0] * head[4];
  assert_true(count <= 1024);
  read_floats(file, expected, count);
  fclose(file);
  double largest = 1;
  for (int64_t i = 0; i < count; i++) { largest = fmax(largest, fabs((double)expected[i])); }
  for (int64_t i = 0; i < count; i++) {
    const double found = (double)sst_graph_data(graph, output)[i];
    if (!(fabs(found - (double)expected[i]) <= tolerance * largest)) {
      fail_msg("%s: output %d is %.9g, expected %.9g", stem, (int)i, found, (double)expected[i]);
    }
  }
  sst_graph_destroy(graph);
  sst_parameters_destroy(parameters);
  sst_onnx_close(onnx);
}

static void test_networks(void **state) {
#ifndef SPIKESTILL_HAS_ONNX
  skip_because("%s", "ONNX is not built in");
#endif
  char folder[TEST_PATH_SIZE];
  test_source_path(folder, "tests/golden/onnx_goldens");
  DIR *list = opendir(folder);
  assert_non_null(list);
  int networks = 0;
  for (struct dirent *entry = NULL; (entry = readdir(list)) != NULL;) {
    char *ending = strstr(entry->d_name, ".onnx");
    if (!ending) { continue; }
    *ending = '\0';
    check_network(*state, folder, entry->d_name, false, SST_DEVICE_CPU_REFERENCE);
    check_network(*state, folder, entry->d_name, true, SST_DEVICE_CPU);
    networks++;
  }
  closedir(list);
  assert_true(networks > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_networks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
