// SPDX-License-Identifier: Apache-2.0
// A cost record measured on drawn digits agrees with the evaluation of the same network.
#include "support/support.h"

#include "spikestill/run.h"

static const char recipe_text[] = "name: costs\n"
                                  "data: {name: digits, digits_train: 40, digits_test: 70, validation: 0.5}\n"
                                  "student: {kind: %s, model: %s, width: %s, form: %s, pool: %s, timesteps: %d}\n"
                                  "train: {evaluation_batch: 32}\n";

static sst_network *network_of(sst_context *context, const char *kind, const char *model, const char *width,
                               const char *form, const char *pool, const char *folder) {
  char text[1024], path[TEST_PATH_SIZE];
  snprintf(text, sizeof text, recipe_text, kind, model, width, form, pool, strcmp(kind, "ann") == 0 ? 1 : 3);
  test_path(path, folder, "costs.yaml");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  sst_network *network = NULL;
  assert_ok(context, sst_network_open(context, path, NULL, 0, &network));
  return network;
}

static const sst_cost_layer *layer_named(const sst_cost_record *record, const char *name) {
  for (int i = 0; i < record->layer_count; i++) {
    if (strcmp(record->layers[i].name, name) == 0) { return &record->layers[i]; }
  }
  fail_msg("no layer %s", name);
  return NULL;
}

static void test_spikes_are_those_of_the_evaluation(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_network *network = network_of(context, "snn", "cnn", "0.25", "basic", "average", folder);
  sst_report report;
  assert_ok(context, sst_network_evaluate(network, SST_PART_TEST, &report));
  sst_cost_record *record = NULL;
  double accuracy = 0;
  sst_cost_options options = {.part = SST_PART_TEST, .crossbar = 8};
  assert_ok(context, sst_network_measure_costs(network, &options, &accuracy, &record));
  assert_true(accuracy == report.evaluation.accuracy);
  assert_int_equal(record->samples, 70);
  assert_int_equal(record->layer_count, 4);
  double spikes = 0;
  for (int i = 0; i < record->layer_count; i++) { spikes += record->layers[i].spikes_out; }
  assert_near(spikes, report.evaluation.spikes_per_inference, 1e-12, 0);
  const sst_cost_layer *stem = &record->layers[0], *second = &record->layers[1], *hidden = &record->layers[2];
  assert_string_equal(second->name, "4.conv");
  assert_true(!stem->spiking_input && stem->timesteps == 1 && stem->neurons && stem->leak && stem->bias);
  assert_true(second->spiking_input && !second->binary_input && second->timesteps == 3); // averages of spikes
  // Pooling with windows side by side: every spike enters the next layer once.
  assert_near(second->nonzero_inputs, stem->spikes_out, 1e-6, 0);
  assert_near(hidden->nonzero_inputs, second->spikes_out, 1e-6, 0);
  assert_int_equal(stem->pooled_height, 14);
  assert_int_equal(second->pooled_height, 7);
  assert_int_equal(hidden->in_channels, 16 * 49);
  assert_true(second->crossbar_rows > 0 && isnan(stem->crossbar_rows));
  double steps = 0;
  for (int t = 0; t < 3; t++) { steps += record->step_inputs[3 + t]; }
  assert_near(steps, second->nonzero_inputs, 1e-12, 0);
  assert_true(record->operation_quantiles[0] <= record->operation_quantiles[2] &&
              record->operation_quantiles[2] <= record->operation_quantiles[4]);
  sst_cost_record_destroy(record);
  options.samples = 10;
  assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
  assert_int_equal(record->samples, 10);
  sst_cost_record_destroy(record);
  sst_report_free(context, &report);
  sst_network_close(network);
  temp_folder_remove(folder);
}

static void test_max_pooling_keeps_inputs_spikes(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_network *network = network_of(context, "snn", "cnn", "0.25", "basic", "max", folder);
  sst_cost_record *record = NULL;
  sst_cost_options options = {.part = SST_PART_TEST, .samples = 5};
  assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
  // Not the output of a neuron layer itself, but spikes all the same.
  assert_true(record->layers[1].spiking_input && record->layers[1].binary_input);
  assert_true(record->layers[1].nonzero_inputs < record->layers[0].spikes_out);
  sst_cost_record_destroy(record);
  sst_network_close(network);
  temp_folder_remove(folder);
}

static void test_residual_forms(void **state) {
  sst_context *context = *state;
  static const char *const forms[] = {"basic", "sew", "ms"};
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  for (int i = 0; i < 3; i++) {
    sst_network *network = network_of(context, "snn", "resnet20", "0.25", forms[i], "average", folder);
    sst_report report;
    assert_ok(context, sst_network_evaluate(network, SST_PART_TEST, &report));
    sst_cost_record *record = NULL;
    sst_cost_options options = {.part = SST_PART_TEST};
    assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
    double spikes = 0;
    int by_numbers = 0;
    for (int l = 0; l < record->layer_count; l++) {
      spikes += record->layers[l].spikes_out;
      by_numbers += !record->layers[l].spiking_input;
    }
    // Each neuron layer is counted with one layer, whatever the form; only the stem, and in the MS form the shortcuts
    // that carry currents, are fed by numbers.
    assert_near(spikes, report.evaluation.spikes_per_inference, 1e-12, 0);
    if (i < 2) { assert_int_equal(by_numbers, 1); }
    assert_non_null(layer_named(record, "0.conv"));
    sst_cost_record_destroy(record);
    sst_report_free(context, &report);
    sst_network_close(network);
  }
  temp_folder_remove(folder);
}

static void test_an_ann_multiplies(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_network *network = network_of(context, "ann", "mlp", "0.1", "basic", "average", folder);
  sst_cost_record *record = NULL;
  sst_cost_options options = {.part = SST_PART_VALIDATION};
  assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
  assert_false(record->spiking);
  for (int i = 0; i < record->layer_count; i++) {
    assert_false(record->layers[i].spiking_input);
    assert_true(record->layers[i].spikes_out == 0);
  }
  // ReLU's zeros are seen.
  assert_true(record->layers[1].nonzero_inputs < (double)record->layers[1].in_channels);
  sst_cost_record_destroy(record);
  sst_network_close(network);
  temp_folder_remove(folder);
}

static void test_bits_of_quantised_networks(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "costs.yaml");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file, recipe_text, "snn", "cnn", "0.25", "basic", "average", 3);
  fclose(file);
  const char *overrides[] = {"student.quantize.weights=ternary", "student.quantize.membrane_bits=6"};
  sst_network *network = NULL;
  assert_ok(context, sst_network_open(context, path, overrides, 2, &network));
  sst_cost_record *record = NULL;
  sst_cost_options options = {.part = SST_PART_TEST, .samples = 5};
  assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
  const sst_cost_layer *first = &record->layers[0], *second = layer_named(record, "4.conv");
  assert_int_equal(first->weight_bits, 32);
  assert_int_equal(second->weight_bits, 2);
  assert_int_equal(second->membrane_bits, 6);
  assert_int_equal(first->zero_weights, 0);
  // About a half of ternary weights are 0, and none of their operations are counted.
  assert_true(second->zero_weights > second->weights / 4);
  assert_true(second->effective_operations < second->nonzero_inputs * 16 * 9 * 0.9);
  assert_true(second->bias);
  sst_cost_record_destroy(record);
  sst_network_close(network);
  temp_folder_remove(folder);
}

// Thresholds of the layers, as conversion makes them: what a layer puts out are spikes times one number.
static void test_spikes_times_a_threshold_are_spikes(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "costs.yaml");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file, recipe_text, "snn", "cnn", "0.25", "basic", "average", 3);
  fclose(file);
  const char *overrides[] = {"student.layer_thresholds=true", "student.neuron.threshold=0.3"};
  sst_network *network = NULL;
  assert_ok(context, sst_network_open(context, path, overrides, 2, &network));
  sst_cost_record *record = NULL;
  sst_cost_options options = {.part = SST_PART_TEST, .samples = 40};
  assert_ok(context, sst_network_measure_costs(network, &options, NULL, &record));
  assert_int_equal(record->layer_count, 4);
  for (int i = 1; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    assert_true(l->spiking_input && !l->binary_input && l->input_bits == 1 && l->timesteps == 3);
    assert_near(l->nonzero_inputs, record->layers[i - 1].spikes_out, 1e-5, 0);
  }
  assert_true(record->layers[1].nonzero_inputs > 0);
  sst_cost_record_destroy(record);
  sst_network_close(network);
  temp_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_spikes_are_those_of_the_evaluation),
      TEST(test_max_pooling_keeps_inputs_spikes),
      TEST(test_residual_forms),
      TEST(test_an_ann_multiplies),
      TEST(test_bits_of_quantised_networks),
      TEST(test_spikes_times_a_threshold_are_spikes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
