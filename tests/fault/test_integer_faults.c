// SPDX-License-Identifier: Apache-2.0
// Files of integer networks, their simulation and lowering, while memory runs out or a file operation is refused.
#include "faults.h"

#include "networks.h"
#include "random_integer_network.h"

typedef struct scene {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
} scene;

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  test_path(s->path, s->folder, "net.integer");
  sst_context *context = test_context();
  sst_integer_network *network = random_integer_network(context, 7, NULL);
  assert_ok(context, sst_integer_network_set_recipe(network, "data: {name: digits}\n"));
  assert_ok(context, sst_integer_network_save(network, s->path));
  sst_integer_network_free(network);
  test_context_end(context);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  free(s);
  return 0;
}

static sst_status load(sst_context *context, void *state) {
  const scene *s = state;
  sst_integer_network *network = (sst_integer_network *)&context; // a failure has to overwrite it
  const sst_status status = sst_integer_network_load(context, s->path, &network);
  if (status != SST_OK) { assert_null(network); }
  if (status == SST_OK) { sst_integer_network_free(network); }
  return status;
}

static sst_status load_save_and_run(sst_context *context, void *state) {
  const scene *s = state;
  sst_integer_network *network = NULL;
  sst_status status = sst_integer_network_load(context, s->path, &network);
  if (status == SST_OK) { status = sst_integer_network_save(network, s->path); }
  if (status == SST_OK) {
    int16_t input[16384] = {0};
    int64_t logits[16];
    assert_in_range(random_integer_input_count(network, 1), 1, 16384);
    random_integer_input(network, 1, 3, input);
    status = sst_integer_simulate(network, 1, input, logits, NULL, NULL);
  }
  sst_integer_network_free(network);
  return status;
}

// The file is still one that can be read, and alone.
static void look(void *state, sst_status status) {
  (void)status;
  scene *s = state;
  sst_context *context = test_context();
  assert_ok(context, load(context, s));
  assert_int_equal(temp_folder_entries(s->folder), 1);
  test_context_end(context);
}

static void test_files(void **state) {
  const fault_kind kinds[] = {FAULT_MEMORY, FAULT_OPERATION};
  for (int k = 0; k < 2; k++) {
    const fault_trial one = {.action = load, .look = look, .scene = *state, .kind = kinds[k]};
    assert_true(try_every_fault(&one) > (kinds[k] == FAULT_MEMORY ? 10 : 0));
    const fault_trial all = {.action = load_save_and_run, .look = look, .scene = *state, .kind = kinds[k]};
    assert_true(try_every_fault(&all) > (kinds[k] == FAULT_MEMORY ? 20 : 2));
  }
}

// What the network has in full precision is rounded, which is told in a list of its own.
static sst_status approximate(sst_context *context, sst_graph *graph, sst_value input, sst_value logits,
                              sst_integer_network **out) {
  const sst_approximation_options options = {.norm_bits = 5};
  sst_approximations made;
  const sst_status status =
      sst_integer_approximate(graph, input, logits, &(sst_integer_input){NULL, 0, 1}, &options, &made, out);
  assert_true(status != SST_OK || made.count > 0);
  sst_approximations_free(context, &made);
  return status;
}

static sst_status lower_with(sst_context *context, int norm_bits) {
  static const sst_layer_kind kinds[] = {SST_LAYER_CONV, SST_LAYER_NORM, SST_LAYER_ACTIVATION, SST_LAYER_LINEAR};
  sst_layer layers[4];
  for (int i = 0; i < 4; i++) { layers[i] = layer_of(kinds[i], i == 0 ? 3 : 0); }
  sst_model_options options = network_options(layers, 4, 2, 4, 3);
  options.neuron.membrane_bits = norm_bits > 0 ? 4 : 0;
  options.neuron.decay = 0.7f;
  options.quantization =
      (sst_quantization){.weights = {.kind = SST_WEIGHT_QUANTIZER_TERNARY}, .first_last = true, .norm_bits = norm_bits};
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  sst_integer_network *network = (sst_integer_network *)&context;
  sst_value logits = SST_NO_VALUE;
  sst_status status = sst_parameters_create(context, 5, &store);
  if (status == SST_OK) { status = sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph); }
  if (status == SST_OK) {
    const sst_value input = sst_graph_input(graph, "input", sst_shape_make(1, 1, 4, 4, 2));
    sst_model_build(graph, &options, input, &logits);
    status = sst_graph_compile(graph, SST_NO_VALUE);
    if (status == SST_OK) {
      status = norm_bits > 0 ? sst_integer_from_graph(graph, input, logits, &(sst_integer_input){NULL, 0, 1}, &network)
                             : approximate(context, graph, input, logits, &network);
      if (status != SST_OK) { assert_null(network); }
    }
  }
  if (status == SST_OK) { sst_integer_network_free(network); }
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
  return status;
}

static sst_status lower(sst_context *context, void *state) {
  (void)state;
  const sst_status status = lower_with(context, 8);
  return status == SST_OK ? lower_with(context, 0) : status;
}

static void test_lowering(void **state) {
  const fault_trial trial = {.action = lower, .scene = *state, .kind = FAULT_MEMORY, .dense = 40};
  assert_true(try_every_fault(&trial) > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_files, scene_begin, scene_end),
      cmocka_unit_test_setup_teardown(test_lowering, scene_begin, scene_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
