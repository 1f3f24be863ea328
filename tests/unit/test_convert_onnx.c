// SPDX-License-Identifier: Apache-2.0
// Conversion of ONNX networks: the small residual network of tests/golden/onnx_goldens/spiking_resnet.onnx (a shortcut
// without weights, a capped activation, a branch that no spike reaches, softmax at the end) on drawn digits.
#include "support/support.h"

#include "run/assemble.h"

#define NETWORK "tests/golden/onnx_goldens/spiking_resnet.onnx"

enum { BATCH = 32, CLASSES = 10 };

static const char *const overrides[] = {"data.name=digits", "data.digits_train=40", "data.digits_test=20",
                                        "data.validation=0"};
enum { OVERRIDES = sizeof overrides / sizeof *overrides };

static sst_conversion_options options_of(sst_conversion_method method) {
  sst_conversion_options options = sst_conversion_default();
  options.method = method;
  options.percentile = 100;
  options.calibration_steps = 20;
  options.point_count = 2;
  options.timesteps[0] = 1, options.timesteps[1] = 8;
  return options;
}

static sst_network *network_at(sst_context *context, const char *path, int64_t steps) {
  sst_network *network = NULL;
  char text[64];
  const char *all[OVERRIDES + 1];
  memcpy(all, overrides, sizeof overrides);
  snprintf(text, sizeof text, "student.timesteps=%d", (int)steps);
  all[OVERRIDES] = text;
  assert_ok(context, sst_network_open(context, path, all, steps > 0 ? OVERRIDES + 1 : OVERRIDES, &network));
  return network;
}

static void logits_of(sst_context *context, const char *path, int64_t steps, float out[BATCH * CLASSES]) {
  sst_network *network = network_at(context, path, steps);
  sst_dataset *data = NULL;
  sst_loader *loader = NULL;
  sst_graph *graph = NULL;
  sst_value input, logits;
  sst_batch batch;
  assert_ok(context, ssti_open_data(context, network->recipe, true, &data));
  const sst_loader_options loading = {.batch = BATCH, .deviation = {1, 1, 1, 1}};
  assert_ok(context, sst_loader_open(context, data, NULL, BATCH, &loading, &loader));
  assert_ok(context, sst_network_graph(network, BATCH, &input, &logits, &graph));
  assert_int_equal(sst_shape_count(sst_graph_shape(graph, logits)), BATCH * CLASSES);
  sst_loader_start(loader, 0, 0);
  assert_true(sst_loader_next(loader, &batch));
  sst_graph_bind(graph, input, batch.input);
  sst_graph_forward(graph, NULL);
  memcpy(out, sst_graph_data(graph, logits), BATCH * CLASSES * sizeof *out);
  sst_graph_destroy(graph);
  sst_loader_close(loader);
  sst_dataset_close(data);
  sst_network_close(network);
}

// No threshold is below what the ANN's activations reach on these pictures, so that the mean over many steps is the
// ANN.
static void test_rates_come_close_to_logits(void **state) {
#ifndef SPIKESTILL_HAS_ONNX
  skip_because("%s", "ONNX is not built in");
#endif
  char folder[TEST_PATH_SIZE], out[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(out, folder, "snn");
  test_source_path(path, NETWORK);
  static float expected[BATCH * CLASSES], found[BATCH * CLASSES];
  logits_of(*state, path, 0, expected);
  for (int method = SST_CONVERSION_THRESHOLD_BALANCING; method <= SST_CONVERSION_DATA_NORMALIZATION; method++) {
    const sst_conversion_options options = options_of((sst_conversion_method)method);
    sst_network *ann = network_at(*state, path, 0);
    sst_conversion_result result;
    assert_ok(*state, sst_run_convert(ann, &options, out, true, NULL, NULL, &result));
    assert_int_equal(result.pictures, 20);
    assert_true(result.points[1].spikes_per_inference > 100);
    sst_network_close(ann);
    double before = (double)INFINITY, size = 0;
    for (int i = 0; i < BATCH * CLASSES; i++) { size += (double)(expected[i] * expected[i]); }
    for (int64_t steps = 16; steps <= 1024; steps *= 8) {
      logits_of(*state, out, steps, found);
      double error = 0;
      for (int i = 0; i < BATCH * CLASSES; i++) { error += pow((double)(found[i] - expected[i]), 2); }
      error = sqrt(error / size);
      assert_true(error < 0.5 * before);
      before = error;
    }
    assert_true(before < 0.02);
  }
  temp_folder_remove(folder);
}

static float threshold_of(sst_network *network, const char *name) {
  const sst_parameter *found = sst_parameters_find(sst_network_parameters(network), name);
  assert_non_null(found);
  return *found->value;
}

// The activation whose ceiling is 1 gets it as threshold, since its currents go beyond; the others get what they need.
// The folder's checkpoint alone is the whole network.
static void test_ceilings_and_the_checkpoint(void **state) {
#ifndef SPIKESTILL_HAS_ONNX
  skip_because("%s", "ONNX is not built in");
#endif
  char folder[TEST_PATH_SIZE], out[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(out, folder, "snn");
  sst_network *ann = network_at(*state, test_source_path(path, NETWORK), 0);
  const sst_conversion_options options = options_of(SST_CONVERSION_DATA_NORMALIZATION);
  sst_conversion_result result;
  assert_ok(*state, sst_run_convert(ann, &options, out, false, NULL, NULL, &result));
  sst_network *snn = network_at(*state, test_path(path, out, "checkpoint.safetensors"), 0);
  assert_true(sst_network_recipe(snn)->student.spiking);
  assert_int_equal(sst_network_recipe(snn)->student.options.timesteps, 8);
  assert_int_equal(sst_parameters_count(sst_network_parameters(snn)),
                   sst_parameters_count(sst_network_parameters(ann)) + 4);
  assert_true(threshold_of(snn, "capped.threshold") == 1.0f);
  assert_true(threshold_of(snn, "Relu_2.threshold") > 1.0f);
  sst_report report;
  assert_ok(*state, sst_network_evaluate(snn, SST_PART_TEST, &report));
  assert_near(report.evaluation.accuracy, result.points[1].accuracy, 0, 1e-9);
  assert_near(report.evaluation.spikes_per_inference, result.points[1].spikes_per_inference, 1e-9, 0);
  sst_report_free(*state, &report);
  assert_fails(*state, SST_UNSUPPORTED, sst_run_convert(snn, &options, folder, false, NULL, NULL, &result),
               "it is a spiking network already");
  sst_network_close(snn);
  sst_network_close(ann);
  temp_folder_remove(folder);
}

// All of them at once; the pooling of the picture itself and the softmax behind the logits do not matter.
static void test_what_cannot_be_converted(void **state) {
#ifndef SPIKESTILL_HAS_ONNX
  skip_because("%s", "ONNX is not built in");
#endif
  char path[TEST_PATH_SIZE];
  sst_conversion_result result;
  sst_conversion_options options = options_of(SST_CONVERSION_DATA_NORMALIZATION);
  sst_network *ann = network_at(*state, test_source_path(path, "tests/golden/onnx_goldens/not_spiking.onnx"), 0);
  assert_fails(
      *state, SST_UNSUPPORTED, sst_run_convert(ann, &options, "nowhere", false, NULL, NULL, &result),
      "not_spiking.onnx: node 'pool1' (MaxPool), node 'gate' (Sigmoid), node 'square' (Mul): what they make of");
  sst_network_close(ann);
  ann = network_at(*state, test_source_path(path, NETWORK), 0);
  options.method = SST_CONVERSION_QCFS;
  assert_fails(*state, SST_UNSUPPORTED, sst_run_convert(ann, &options, "nowhere", false, NULL, NULL, &result),
               "qcfs needs an ann with the activation qcfs or clip, but this one has relu");
  sst_network_close(ann);
  static const char *const spiking[] = {"student.kind=snn"};
  assert_fails(*state, SST_UNSUPPORTED, sst_network_open(*state, path, spiking, 1, &ann), "is an ann");
  assert_null(ann);
  ann = network_at(*state, test_source_path(path, "tests/golden/onnx_goldens/conv.onnx"), 0);
  options.method = SST_CONVERSION_DATA_NORMALIZATION;
  assert_fails(*state, SST_UNSUPPORTED, sst_run_convert(ann, &options, "nowhere", false, NULL, NULL, &result),
               "conv.onnx: it has no activation layer");
  sst_network_close(ann);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_rates_come_close_to_logits), TEST(test_ceilings_and_the_checkpoint),
                                     TEST(test_what_cannot_be_converted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
