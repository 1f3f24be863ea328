// SPDX-License-Identifier: Apache-2.0
// What follows from settled inputs and parameters is computed once a sample. A recalled pass gives the same bits, which
// is seen by the loss and the student's gradients; that it was recalled is seen by parameters that were changed
// meanwhile.
#include "graph/graph_internal.h"
#include "graphs.h"
#include "op/folded_norm.h"
#include "spikestill/crossover.h"

enum { BATCH = 4, SIZE = 5, CHANNELS = 3, WIDTH = 6, CLASSES = 4, SAMPLES = 12, TIME = 2 };

// What the teacher ends in, or what keeps it from being settled.
typedef enum ending { PLAIN, SPIKES, SQUARED, NOISE, LEARNS, NORM_OVER_BATCH, PLACES } ending;

typedef struct scene {
  sst_parameters *student, *teacher;
  sst_graph *graph;
  sst_value input, loss;
  sst_recall *recall;
  float pictures[SAMPLES][SIZE * SIZE * CHANNELS];
} scene;

static sst_value constant(sst_graph *g, const char *name, sst_parameter_kind kind, float value) {
  return sst_graph_parameter(g, name, vector_shape(WIDTH), kind, (sst_initializer){SST_INIT_CONSTANT, value});
}

static sst_value layer(sst_graph *g, sst_value x, int64_t channels) {
  sst_conv2d_options conv = sst_conv2d_default();
  conv.pad_h = conv.pad_w = 1;
  return sst_conv2d(g, x, graph_weight(g, "weight", sst_shape_make(1, WIDTH, 3, 3, channels)), SST_NONE, &conv);
}

// The features [1,N,5,5,6] or, of spikes, [2,N,5,5,6].
static sst_value build_teacher(sst_graph *g, sst_value x, ending end) {
  const sst_batch_norm_options options = sst_batch_norm_default();
  const sst_neuron neuron = sst_neuron_default();
  sst_graph_push(g, "teacher", end != LEARNS);
  x = layer(g, x, CHANNELS);
  x = sst_batch_norm(g, x, constant(g, "gamma", SST_PARAMETER_NORM, 0.8f),
                     constant(g, "beta", SST_PARAMETER_NORM, 0.3f), constant(g, "mean", SST_PARAMETER_BUFFER, 0.1f),
                     constant(g, "variance", SST_PARAMETER_BUFFER, 1.5f), &options);
  x = end == SPIKES ? sst_neuron_layer(g, x, TIME, &neuron, SST_NONE, NULL) : sst_relu(g, x);
  sst_graph_push(g, "second", false);
  x = sst_relu(g, layer(g, sst_dropout(g, x, 0.5f), WIDTH));
  sst_graph_pop(g);
  if (end == SQUARED) { x = sst_square(g, x); }
  if (end == NOISE) { x = sst_noise(g, x, 0.1f); }
  if (end == NORM_OVER_BATCH) { x = sst_l2_normalize(g, x, SST_AXES_ALL, 1e-6f); }
  if (end == PLACES) { x = sst_multiply(g, x, graph_weight(g, "place", sst_shape_make(1, BATCH, 1, 1, 1))); }
  sst_graph_pop(g);
  return x;
}

static sst_status build_graph(scene *s, sst_context *context, sst_device device, ending end, bool settled) {
  SST_TRY(sst_parameters_create(context, 3, &s->student));
  SST_TRY(sst_parameters_create(context, 4, &s->teacher));
  SST_TRY(sst_graph_create(s->student, device, &s->graph));
  sst_graph *g = s->graph;
  s->input = sst_graph_input(g, "x", sst_shape_make(1, BATCH, SIZE, SIZE, CHANNELS));
  const sst_value factor = sst_graph_input(g, "factor", vector_shape(CHANNELS));
  sst_graph_push(g, "student", false);
  const sst_value ours = layer(g, s->input, CHANNELS);
  sst_graph_pop(g);
  (void)sst_graph_use_parameters(g, s->teacher);
  const sst_value theirs = build_teacher(g, sst_multiply(g, s->input, factor), end);
  (void)sst_graph_use_parameters(g, s->student);
  sst_graph_settle_input(g, s->input, true);
  sst_graph_settle_input(g, factor, false);
  if (settled) { sst_graph_settle_parameters(g, s->teacher); }
  const sst_value difference = sst_subtract(g, sst_stop_gradient(g, theirs), ours); // broadcast over time
  s->loss = sst_mean(g, sst_square(g, difference), SST_AXES_ALL);
  SST_TRY(sst_graph_compile(g, s->loss));
  for (int c = 0; c < CHANNELS; c++) { sst_graph_data(g, factor)[c] = 0.5f + (float)c; }
  const size_t bytes = sst_graph_settled_bytes(g);
  return sst_recall_create(context, SAMPLES, SAMPLES, bytes > 0 ? bytes : 1, &s->recall);
}

static void end_scene(scene *s) {
  sst_recall_destroy(s->recall);
  sst_graph_destroy(s->graph);
  sst_parameters_destroy(s->student);
  sst_parameters_destroy(s->teacher);
}

static scene begin(sst_context *context, sst_device device, ending end, bool settled) {
  scene s = {0};
  assert_ok(context, build_graph(&s, context, device, end, settled));
  fill_normal(&s.pictures[0][0], (int64_t)SAMPLES * SIZE * SIZE * CHANNELS, 1.0f, 9);
  return s;
}

// A training pass on those samples; the loss.
static float pass(scene *s, sst_recall *recall, const int32_t samples[BATCH]) {
  const sst_run_options options = {.training = true, .seed = 1, .step = 1};
  float *x = sst_graph_data(s->graph, s->input);
  for (int n = 0; n < BATCH; n++) {
    memcpy(x + n * SIZE * SIZE * CHANNELS, s->pictures[samples[n]], sizeof s->pictures[0]);
  }
  if (recall != NULL) { sst_graph_recall(s->graph, recall, samples); }
  sst_graph_forward(s->graph, &options);
  sst_graph_backward(s->graph);
  return *sst_graph_data(s->graph, s->loss);
}

static const sst_parameter *weight_of(const sst_parameters *store, const char *name) {
  const sst_parameter *weight = sst_parameters_find(store, name);
  assert_non_null(weight);
  return weight;
}

// In other places and beside other samples than the first time.
static void check_recalled(sst_context *context, sst_device device, ending end, int64_t steps) {
  scene s = begin(context, device, end, true);
  const int32_t first[BATCH] = {7, 0, 5, 2}, second[BATCH] = {1, 11, 3, 4}, mixed[BATCH] = {3, 7, 2, 11};
  assert_int_equal(sst_graph_settled_bytes(s.graph), steps * SIZE * SIZE * WIDTH * (int64_t)sizeof(float));
  const float expected = pass(&s, NULL, mixed);
  const sst_parameter *ours = weight_of(s.student, "student.weight");
  float *gradient = malloc((size_t)ours->count * sizeof *gradient);
  assert_non_null(gradient);
  memcpy(gradient, ours->gradient, (size_t)ours->count * sizeof *gradient);
  (void)pass(&s, s.recall, first);
  (void)pass(&s, s.recall, second);
  assert_int_equal(sst_recall_count(s.recall), 2 * BATCH);
  // Another teacher from now on (behind what was folded), so whatever is computed anew is another loss.
  const sst_parameter *theirs = weight_of(s.teacher, "teacher.second.weight");
  for (int64_t i = 0; i < theirs->count; i++) { theirs->value[i] += 1.0f; }
  const float loss = pass(&s, s.recall, mixed);
  assert_same_bits(&loss, &expected, 1);
  assert_same_bits(ours->gradient, gradient, ours->count);
  free(gradient);
  assert_int_equal(sst_recall_count(s.recall), 2 * BATCH);
  // A sample that is not known: all of the batch is computed. A pass that is not told of the recall does not use it.
  const int32_t unknown[BATCH] = {3, 7, 2, 8};
  assert_true(pass(&s, s.recall, unknown) != pass(&s, s.recall, mixed));
  assert_int_equal(sst_recall_count(s.recall), 2 * BATCH + 1);
  assert_true(pass(&s, NULL, first) == pass(&s, NULL, first));
  assert_null(sst_graph_first_not_finite(s.graph, NULL));
  end_scene(&s);
}

static void test_recalled_is_the_same(void **state) {
  const sst_device devices[] = {SST_DEVICE_CPU, SST_DEVICE_CPU_REFERENCE};
  for (int i = 0; i < 2; i++) {
    check_recalled(*state, devices[i], PLAIN, 1);
    check_recalled(*state, devices[i], SPIKES, TIME);
  }
}

// Nothing may be recalled where a sample's values depend on anything else: the loss is that of what is there now.
static void test_what_is_not_settled(void **state) {
  const struct {
    ending end;
    bool settled; // the teacher's parameters
  } cases[] = {{NOISE, true}, {LEARNS, true}, {PLAIN, false}, {NORM_OVER_BATCH, true}, {PLACES, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    scene s = begin(*state, SST_DEVICE_CPU, cases[i].end, cases[i].settled);
    const int64_t features = SIZE * SIZE * WIDTH * (int64_t)sizeof(float);
    const int64_t input = SIZE * SIZE * CHANNELS * (int64_t)sizeof(float);
    // What is still settled: the teacher's input, or its features before what is not.
    const bool none = cases[i].end == LEARNS || !cases[i].settled;
    assert_int_equal(sst_graph_settled_bytes(s.graph), none ? input : features);
    const int32_t first[BATCH] = {0, 1, 2, 3}, second[BATCH] = {4, 5, 6, 7}, mixed[BATCH] = {5, 0, 7, 2};
    (void)pass(&s, s.recall, first);
    (void)pass(&s, s.recall, second);
    const float recalled = pass(&s, s.recall, mixed), expected = pass(&s, NULL, mixed);
    assert_same_bits(&recalled, &expected, 1);
    end_scene(&s);
  }
}

// Products of what is settled do not look for spikes: whether they add or multiply must not hang on the batch.
static void test_no_choice_by_density(void **state) {
  sst_crossover crossover = sst_crossover_default();
  crossover.convolution_forward = 1.0;
  sst_context_set_crossover(*state, crossover);
  for (int settled = 0; settled < 2; settled++) {
    scene s = begin(*state, SST_DEVICE_CPU, SPIKES, settled != 0);
    const int32_t samples[BATCH] = {0, 1, 2, 3};
    (void)pass(&s, NULL, samples);
    int from_spikes = 0;
    for (int i = 0; i < sst_graph_node_count(s.graph); i++) {
      from_spikes += sst_graph_node_info(s.graph, i).forward_by_events;
    }
    assert_int_equal(from_spikes, settled ? 0 : 1);
    end_scene(&s);
  }
  sst_context_set_crossover(*state, sst_crossover_default());
}

static int steps_of(const sst_graph *graph, const ssti_op *op) {
  int count = 0;
  for (int i = 0; i < graph->node_count; i++) { count += graph->steps[i].live && graph->steps[i].op == op; }
  return count;
}

// Frozen, with biases: a convolution and a linear layer with norms behind them, the first norm also scaled.
static sst_graph *build_norms(sst_context *context, sst_device device, bool settled, sst_parameters **store,
                              sst_value *input, sst_value *output) {
  sst_graph *g = NULL;
  assert_ok(context, sst_parameters_create(context, 5, store));
  assert_ok(context, sst_graph_create(*store, device, &g));
  sst_value x = *input = sst_graph_input(g, "x", sst_shape_make(1, BATCH, SIZE, SIZE, CHANNELS));
  sst_batch_norm_options options = sst_batch_norm_default();
  for (int i = 0; i < 2; i++) {
    sst_graph_push(g, i == 0 ? "first" : "second", true);
    const sst_initializer initial = {SST_INIT_UNIFORM, 1.0f};
    const sst_value bias = sst_graph_parameter(g, "bias", vector_shape(WIDTH), SST_PARAMETER_BIAS, initial);
    const int64_t inputs = i == 0 ? CHANNELS : SIZE * SIZE * WIDTH, kernel = i == 0 ? 3 : 1;
    const sst_value weight = graph_weight(g, "weight", sst_shape_make(1, WIDTH, kernel, kernel, inputs));
    sst_conv2d_options conv = sst_conv2d_default();
    conv.pad_h = conv.pad_w = 1;
    x = i == 0 ? sst_conv2d(g, x, weight, bias, &conv) : sst_linear(g, sst_flatten(g, x), weight, bias);
    options.scale = i == 0 ? 1.5f : 1.0f;
    x = sst_batch_norm(g, x, sst_graph_parameter(g, "gamma", vector_shape(WIDTH), SST_PARAMETER_NORM, initial),
                       sst_graph_parameter(g, "beta", vector_shape(WIDTH), SST_PARAMETER_NORM, initial),
                       sst_graph_parameter(g, "mean", vector_shape(WIDTH), SST_PARAMETER_BUFFER, initial),
                       constant(g, "variance", SST_PARAMETER_BUFFER, 0.5f), &options);
    sst_graph_tap(g, "norm", x);
    sst_graph_pop(g);
  }
  if (settled) { sst_graph_settle_parameters(g, *store); }
  *output = x;
  sst_graph_keep(g, x);
  assert_ok(context, sst_graph_compile(g, SST_NO_VALUE));
  fill_normal(sst_graph_data(g, *input), (int64_t)BATCH * SIZE * SIZE * CHANNELS, 1.0f, 7);
  return g;
}

static void test_norms_are_folded(void **state) {
  const sst_device devices[] = {SST_DEVICE_CPU, SST_DEVICE_CPU_REFERENCE};
  for (int d = 0; d < 2; d++) {
    sst_parameters *stores[2] = {NULL};
    sst_graph *graphs[2] = {NULL};
    sst_value input, output;
    for (int settled = 0; settled < 2; settled++) {
      graphs[settled] = build_norms(*state, devices[d], settled != 0, &stores[settled], &input, &output);
      assert_int_equal(steps_of(graphs[settled], &ssti_op_folded_norm), settled ? 2 : 0);
      for (int run = 0; run < 2; run++) { // the second time with what the first has folded
        sst_graph_forward(graphs[settled], &(sst_run_options){.training = true});
      }
    }
    support_assert_all_near(sst_graph_data(graphs[1], output), sst_graph_data(graphs[0], output),
                            (int64_t)BATCH * WIDTH, 1e-5, 1e-5, "folded", __FILE__, __LINE__);
    for (int i = 0; i < 2; i++) { graph_end(graphs[i], stores[i]); }
  }
}

// Norms that learn, or go with neurons, are left as they are.
static void test_norms_that_are_not_folded(void **state) {
  const struct {
    sst_device device;
    ending end;
    int folded;
  } cases[] = {{SST_DEVICE_CPU, PLAIN, 1},
               {SST_DEVICE_CPU, LEARNS, 0},
               {SST_DEVICE_CPU, SPIKES, 0},
               {SST_DEVICE_CPU_REFERENCE, SPIKES, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    scene s = begin(*state, cases[i].device, cases[i].end, true);
    assert_int_equal(steps_of(s.graph, &ssti_op_folded_norm), cases[i].folded);
    const int alone = steps_of(s.graph, &ssti_op_batch_norm), fused = steps_of(s.graph, &ssti_op_norm_neuron);
    assert_int_equal(alone + fused, 1 - cases[i].folded);
    end_scene(&s);
  }
}

static void test_wrong_arguments(void **state) {
  sst_recall *recall = NULL;
  assert_int_equal(sst_recall_create(*state, 0, 1, 4, &recall), SST_INVALID_ARGUMENT);
  assert_int_equal(sst_recall_create(*state, 4, 5, 4, &recall), SST_INVALID_ARGUMENT);
  assert_int_equal(sst_recall_create(*state, 4, 4, 0, &recall), SST_INVALID_ARGUMENT);
  assert_null(recall);
  sst_parameters *store = NULL;
  sst_graph *graph = graph_begin(*state, &store);
  const sst_value a = sst_graph_input(graph, "a", sst_shape_make(1, 2, 1, 1, 3));
  const sst_value b = sst_graph_input(graph, "b", sst_shape_make(1, 3, 1, 1, 3));
  sst_graph_settle_input(graph, a, true);
  sst_graph_settle_input(graph, b, true);
  assert_int_equal(sst_graph_status(graph), SST_SHAPE);
  graph_end(graph, store);
  graph = graph_begin(*state, &store);
  const sst_value x = sst_graph_input(graph, "x", sst_shape_make(1, 2, 1, 1, 3));
  sst_graph_settle_input(graph, sst_relu(graph, x), true);
  assert_int_equal(sst_graph_status(graph), SST_INVALID_ARGUMENT);
  graph_end(graph, store);
}

// A recall of other settled values begins anew; one of another size is left alone.
static void test_another_graph(void **state) {
  const int32_t samples[BATCH] = {0, 1, 2, 3};
  scene plain = begin(*state, SST_DEVICE_CPU, PLAIN, true), noisy = begin(*state, SST_DEVICE_CPU, NOISE, true);
  scene spikes = begin(*state, SST_DEVICE_CPU, SPIKES, true), squared = begin(*state, SST_DEVICE_CPU, SQUARED, true);
  (void)pass(&plain, plain.recall, samples);
  // Of the same size: the features before the noise. They have the same name here, hence are the same.
  const float expected = pass(&noisy, NULL, samples), recalled = pass(&noisy, plain.recall, samples);
  assert_same_bits(&recalled, &expected, 1);
  // Of the same size, but not the same.
  const float squares = pass(&squared, NULL, samples), squares_recalled = pass(&squared, plain.recall, samples);
  assert_true(squares != expected);
  assert_same_bits(&squares_recalled, &squares, 1);
  const float other = pass(&spikes, plain.recall, samples), alone = pass(&spikes, NULL, samples);
  assert_same_bits(&other, &alone, 1);
  assert_int_equal(sst_recall_count(plain.recall), BATCH);
  end_scene(&plain);
  end_scene(&noisy);
  end_scene(&spikes);
  end_scene(&squared);
}

// Whatever allocation fails, nothing is left behind.
static void test_out_of_memory(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    scene s = {0};
    const sst_status status = build_graph(&s, context, SST_DEVICE_CPU_REFERENCE, PLAIN, true);
    assert_true(status == SST_OK || status == SST_OUT_OF_MEMORY);
    end_scene(&s);
    const bool met = fault_met(&plan);
    assert_true(met || status == SST_OK);
    test_context_end(context);
    if (!met) { break; }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_recalled_is_the_same), TEST(test_what_is_not_settled),       TEST(test_no_choice_by_density),
      TEST(test_norms_are_folded),     TEST(test_norms_that_are_not_folded), TEST(test_wrong_arguments),
      TEST(test_another_graph),        cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
