// SPDX-License-Identifier: Apache-2.0
// The graph: building with kept failures, taps, scopes, gradients that accumulate, and what is not computed.
#include "graphs.h"

static void test_arithmetic_and_gradient(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value x = sst_graph_input(g, "x", vector_shape(3));
  sst_value w = graph_weight(g, "w", vector_shape(3));
  sst_value loss = sst_sum(g, sst_multiply(g, sst_affine(g, x, 2.0f, 1.0f), w), SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, loss));
  memcpy(sst_graph_data(g, x), (float[]){1, 2, 3}, 3 * sizeof(float));
  memcpy(sst_graph_data(g, w), (float[]){1, -1, 2}, 3 * sizeof(float));
  sst_graph_forward(g, NULL);
  assert_near(*sst_graph_data(g, loss), 3 - 5 + 14, 0, 0);
  sst_graph_backward(g);
  assert_all_equal(sst_parameters_find(store, "w")->gradient, ((float[]){3, 5, 7}), 3);
  graph_end(g, store);
}

// A value that is used several times gets the sum of the gradients, also from one op that takes it twice.
static void test_gradients_accumulate(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_value h = sst_affine(g, w, 3.0f, 0.0f);
  sst_value square = sst_multiply(g, h, h);
  sst_value total = sst_add(g, sst_add(g, square, h), sst_add(g, h, w));
  sst_value loss = sst_sum(g, total, SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, loss));
  memcpy(sst_graph_data(g, w), (float[]){1, -2}, 2 * sizeof(float));
  sst_graph_forward(g, NULL);
  for (int run = 0; run < 2; run++) { // the second run overwrites the first one's gradients
    sst_graph_backward(g);
    // (9 w^2 + 7 w)' = 18 w + 7
    assert_all_equal(sst_parameters_find(store, "w")->gradient, ((float[]){25, -29}), 2);
  }
  graph_end(g, store);
}

static void test_frozen_scope_and_stop_gradient(void **state) {
  sst_context *context = *state;
  sst_parameters *store, *teacher;
  sst_graph *g = graph_begin(context, &store);
  assert_ok(context, sst_parameters_create(context, 2, &teacher));
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_graph_push(g, "teacher", true);
  assert_ptr_equal(sst_graph_use_parameters(g, teacher), store);
  sst_value t = graph_weight(g, "w", vector_shape(2));
  sst_graph_pop(g);
  sst_graph_use_parameters(g, store);
  sst_value stopped = sst_stop_gradient(g, sst_square(g, w));
  sst_value loss = sst_sum(g, sst_multiply(g, sst_multiply(g, w, t), stopped), SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, loss));
  // Names inside a store start where the store became current, so a teacher's checkpoint fits under any scope.
  assert_non_null(sst_parameters_find(teacher, "w"));
  memcpy(sst_graph_data(g, w), (float[]){2, 3}, 2 * sizeof(float));
  memcpy(sst_graph_data(g, t), (float[]){5, 7}, 2 * sizeof(float));
  sst_parameters_find(teacher, "w")->gradient[0] = 99; // as another graph might have left it
  sst_graph_forward(g, NULL);
  sst_graph_backward(g);
  assert_all_equal(sst_parameters_find(store, "w")->gradient, ((float[]){20, 63}), 2); // t * w^2
  assert_all_equal(sst_parameters_find(teacher, "w")->gradient, ((float[]){0, 0}), 2);
  sst_graph_destroy(g);
  sst_parameters_destroy(store);
  sst_parameters_destroy(teacher);
}

static void test_failures_are_kept(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_graph_push(g, "student", false);
  sst_graph_push(g, "fc1", false);
  sst_value x = sst_graph_input(g, "x", sst_shape_make(1, 4, 1, 1, 5));
  sst_value w = graph_weight(g, "weight", sst_shape_make(1, 3, 1, 1, 6));
  sst_value y = sst_linear(g, x, w, SST_NONE);
  assert_int_equal(y, SST_NO_VALUE);
  assert_int_equal(sst_relu(g, y), SST_NO_VALUE); // later calls do nothing
  assert_int_equal(sst_graph_find(g, "nothing"), SST_NO_VALUE);
  sst_graph_pop(g);
  sst_graph_pop(g);
  assert_fails(context, SST_SHAPE, sst_graph_compile(g, SST_NO_VALUE), "student.fc1: linear: ");
  assert_non_null(strstr(sst_context_message(context), "5"));
  assert_non_null(strstr(sst_context_message(context), "6"));
  graph_end(g, store);
}

static void test_taps(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_graph_push(g, "net", false);
  sst_value y = sst_graph_tap(g, "features", sst_relu(g, w));
  sst_graph_pop(g);
  assert_true(sst_graph_has_tap(g, "net.features"));
  assert_int_equal(sst_graph_find(g, "net.features"), y);
  assert_int_equal(sst_graph_tap_count(g), 1);
  sst_value found;
  assert_string_equal(sst_graph_tap_at(g, 0, &found), "net.features");
  assert_int_equal(found, y);
  sst_graph_find(g, "net.featrues");
  assert_fails(context, SST_NOT_FOUND, sst_graph_status(g), "the nearest is 'net.features'");
  graph_end(g, store);
}

static void test_tap_twice_fails(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_graph_tap(g, "a", w);
  sst_graph_tap(g, "a", w);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_status(g), "already a tap named 'a'");
  graph_end(g, store);
}

static void test_parameter_of_another_shape_fails(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value first = graph_weight(g, "w", vector_shape(2));
  assert_int_equal(graph_weight(g, "w", vector_shape(2)), first); // the same parameter is the same value
  graph_weight(g, "w", vector_shape(3));
  assert_fails(context, SST_MISMATCH, sst_graph_status(g), "has shape [1,1,1,1,2], but is used as [1,1,1,1,3]");
  graph_end(g, store);
}

static void test_loss_must_be_scalar(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  assert_fails(context, SST_SHAPE, sst_graph_compile(g, w), "must be one number");
  graph_end(g, store);
}

// Two convolutional layers with norm, neurons and a loss: enough for memory to be reused.
static sst_value small_network(sst_graph *g, sst_value x, bool keep_all) {
  sst_neuron neuron = sst_neuron_default();
  sst_conv2d_options options = sst_conv2d_default();
  options.pad_h = options.pad_w = 1;
  sst_value h = x;
  for (int layer = 0; layer < 3; layer++) {
    char name[32];
    snprintf(name, sizeof name, "w%d", layer);
    int64_t inputs = sst_graph_shape(g, h).dim[SST_AXIS_C];
    sst_value w = graph_weight(g, name, sst_shape_make(1, 8, 3, 3, inputs));
    sst_value c = sst_conv2d(g, h, w, SST_NONE, &options);
    h = sst_neuron_layer(g, c, 3, &neuron, SST_NONE, NULL);
    if (keep_all) {
      sst_graph_keep(g, c);
      sst_graph_keep(g, h);
    }
  }
  return sst_mean(g, sst_square(g, sst_mean(g, h, SST_AXES_T)), SST_AXES_ALL);
}

// Reusing memory changes nothing: the same gradients, bit for bit, as with every value kept to itself.
static void test_memory_plan_changes_nothing(void **state) {
  sst_context *context = *state;
  sst_parameters *stores[2];
  sst_graph *graphs[2];
  for (int i = 0; i < 2; i++) {
    graphs[i] = graph_begin(context, &stores[i]);
    sst_value x = sst_graph_input(graphs[i], "x", sst_shape_make(1, 2, 6, 6, 2));
    sst_value loss = small_network(graphs[i], x, i == 1);
    assert_ok(context, sst_graph_compile(graphs[i], loss));
    fill_normal(sst_graph_data(graphs[i], x), 2 * 6 * 6 * 2, 3.0f, 7);
    sst_graph_forward(graphs[i], &(sst_run_options){.training = true});
    sst_graph_backward(graphs[i]);
  }
  assert_true(sst_graph_planned_bytes(graphs[0]) < sst_graph_planned_bytes(graphs[1]));
  assert_true(sst_graph_planned_bytes(graphs[0]) < sst_graph_unplanned_bytes(graphs[0]));
  double sum = 0;
  for (int p = 0; p < sst_parameters_count(stores[0]); p++) {
    const sst_parameter *a = sst_parameters_at(stores[0], p), *b = sst_parameters_at(stores[1], p);
    assert_same_bits(a->gradient, b->gradient, a->count);
    for (int64_t i = 0; i < a->count; i++) { sum += fabs((double)a->gradient[i]); }
  }
  assert_true(sum > 0); // the comparison is about something
  for (int i = 0; i < 2; i++) { graph_end(graphs[i], stores[i]); }
}

static void test_steps_allocate_nothing(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value x = sst_graph_input(g, "x", sst_shape_make(1, 2, 6, 6, 2));
  sst_value loss = small_network(g, x, false);
  assert_ok(context, sst_graph_compile(g, loss));
  uint64_t before = sst_context_allocation_count(context);
  for (int i = 0; i < 3; i++) {
    sst_graph_forward(g, &(sst_run_options){.training = true});
    sst_graph_backward(g);
  }
  assert_int_equal(sst_context_allocation_count(context), before);
  graph_end(g, store);
}

static void test_inputs_can_be_bound(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value x = sst_graph_input(g, "x", sst_shape_make(1, 1, 2, 2, 1));
  sst_value y = sst_sum(g, sst_flatten(g, x), SST_AXES_ALL); // the view follows its source
  sst_graph_keep(g, y);
  assert_ok(context, sst_graph_compile(g, SST_NO_VALUE));
  _Alignas(64) float memory[4] = {1, 2, 3, 4};
  sst_graph_bind(g, x, memory);
  sst_graph_forward(g, NULL);
  assert_near(*sst_graph_data(g, y), 10, 0, 0);
  graph_end(g, store);
}

static void test_first_not_finite_names_the_layer(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_graph_push(g, "fc3", false);
  sst_value root = sst_graph_tap(g, "root", sst_sqrt(g, sst_affine(g, w, 1.0f, -2.0f)));
  sst_graph_pop(g);
  sst_value loss = sst_sum(g, root, SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, loss));
  assert_string_equal(sst_graph_first_not_finite(g, NULL), "fc3.root"); // |w| < 1: the root of a negative number
  sst_graph_data(g, w)[0] = sst_graph_data(g, w)[1] = 3.0f;
  assert_null(sst_graph_first_not_finite(g, NULL));
  sst_graph_data(g, w)[1] = INFINITY;
  assert_string_equal(sst_graph_first_not_finite(g, NULL), "w");
  graph_end(g, store);
}

static void test_what_nobody_needs_is_not_computed(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_value w = graph_weight(g, "w", vector_shape(2));
  sst_log(g, sst_affine(g, w, 0.0f, -1.0f)); // not finite, but nobody reads it
  sst_value loss = sst_sum(g, w, SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, loss));
  assert_null(sst_graph_first_not_finite(g, NULL));
  graph_end(g, store);
}

static void test_spikes_are_known(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_neuron neuron = sst_neuron_default();
  sst_value w = graph_weight(g, "w", vector_shape(2)), membrane;
  sst_value spikes = sst_neuron_layer(g, w, 4, &neuron, SST_NONE, &membrane);
  neuron.kind = SST_NEURON_LI;
  sst_value readout = sst_neuron_layer(g, spikes, 4, &neuron, SST_NONE, NULL);
  assert_true(sst_graph_is_spikes(g, spikes));
  assert_false(sst_graph_is_spikes(g, membrane));
  assert_false(sst_graph_is_spikes(g, readout));
  assert_false(sst_graph_is_spikes(g, w));
  graph_end(g, store);
}

static void test_wrong_values_are_refused(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_relu(g, 17);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_compile(g, SST_NO_VALUE), "value 17");
  graph_end(g, store);
}

// Six steps in three passes are six steps in one; after a restart the first two come again.
static void test_streaming(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  sst_neuron neuron = sst_neuron_default();
  neuron.initial_membrane = 0.5f;
  float x[6 * 3], expected[6 * 3];
  fill_uniform(x, 18, 0.0f, 1.2f, 4);
  for (int streams = 0; streams < 2; streams++) {
    const int steps = streams ? 2 : 6;
    sst_graph *g = graph_begin(context, &store);
    sst_value input = sst_graph_input(g, "x", sst_shape_make(steps, 1, 1, 1, 3));
    sst_value spikes = sst_neuron_layer(g, input, steps, &neuron, SST_NONE, NULL);
    spikes = sst_neuron_layer(g, spikes, steps, &neuron, SST_NONE, NULL);
    sst_graph_keep(g, spikes);
    if (streams) { sst_graph_stream(g); }
    assert_ok(context, sst_graph_compile(g, SST_NO_VALUE));
    for (int pass = 0; pass < 4; pass++) {
      const int at = streams ? pass % 3 * 6 : 0;
      memcpy(sst_graph_data(g, input), x + at, (size_t)steps * 3 * sizeof *x);
      if (pass == 3) { sst_graph_restart(g); }
      sst_graph_forward(g, NULL);
      if (!streams) { memcpy(expected, sst_graph_data(g, spikes), sizeof expected); }
      assert_same_bits(sst_graph_data(g, spikes), expected + at, steps * 3);
    }
    graph_end(g, store);
  }
}

static void test_streams_run_forward_only(void **state) {
  sst_parameters *store;
  sst_graph *g = graph_begin(*state, &store);
  sst_graph_stream(g);
  sst_value loss = sst_sum(g, graph_weight(g, "w", vector_shape(2)), SST_AXES_ALL);
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_graph_compile(g, loss), "a streaming graph runs forward only");
  graph_end(g, store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_streaming),
      TEST(test_streams_run_forward_only),
      TEST(test_arithmetic_and_gradient),
      TEST(test_gradients_accumulate),
      TEST(test_frozen_scope_and_stop_gradient),
      TEST(test_failures_are_kept),
      TEST(test_taps),
      TEST(test_tap_twice_fails),
      TEST(test_parameter_of_another_shape_fails),
      TEST(test_loss_must_be_scalar),
      TEST(test_memory_plan_changes_nothing),
      TEST(test_steps_allocate_nothing),
      TEST(test_inputs_can_be_bound),
      TEST(test_first_not_finite_names_the_layer),
      TEST(test_what_nobody_needs_is_not_computed),
      TEST(test_spikes_are_known),
      TEST(test_wrong_values_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
