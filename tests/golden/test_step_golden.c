// SPDX-License-Identifier: Apache-2.0
// Whole training steps against PyTorch, on every backend that this machine has: loss, logits, every gradient, updated
// parameters and running statistics of two small spiking networks over three steps. The numbers and their format come
// from make_step_golden.py, beside this file.
//
// The error is |difference| / |expected|, Euclidean norms of a whole tensor. The golden values were computed in double;
// no membrane there is nearer to its threshold than 2e-4, so that rounding in f32 flips no spike.
#include "networks.h"

#include "backend/backend.h"
#include "spikestill/distill.h"

static const double tolerance = 1e-5;

enum { WORD_SIZE = 64, BATCH = 5, TIME = 3, CLASSES = 4, TRAINING_STEPS = 3 };

typedef struct golden {
  sst_context *context;
  sst_device device;
  FILE *index, *numbers;
  char name[WORD_SIZE];
  int step;
  sst_parameters *store;
  sst_graph *graph;
  sst_optimizer *optimizer;
  sst_value input, target, teacher, loss, logits;
  double factor;
  int initialised, compared; // parameters and gradients that the file has had
  double worst;
  char worst_where[3 * WORD_SIZE];
} golden;

// ---- the two networks, as make_step_golden.py has them ----

static sst_value build_student(golden *g, const sst_model_options *options, int64_t input_steps) {
  sst_shape shape = sst_shape_make(input_steps, BATCH, options->height, options->width, options->channels);
  g->input = sst_graph_input(g->graph, "input", shape);
  g->target = sst_graph_input(g->graph, "target", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  sst_graph_push(g->graph, "student", false);
  sst_graph_use_parameters(g->graph, g->store);
  sst_value steps = sst_model_build(g->graph, options, g->input, &g->logits);
  sst_graph_pop(g->graph);
  return steps;
}

static void build_cnn(golden *g, sst_optimizer_options *optimizer) {
  const sst_layer layers[] = {
      layer_of(SST_LAYER_CONV, 4),         layer_of(SST_LAYER_NORM, 0),    layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_CONV, 6),    layer_of(SST_LAYER_NORM, 0),
      layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_FLATTEN, 0), layer_of(SST_LAYER_LINEAR, 10),
      layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = network_options(layers, sizeof layers / sizeof *layers, TIME, 8, CLASSES);
  options.neuron.v_reset = -0.1f;
  build_student(g, &options, 1);
  sst_graph_push(g->graph, "teacher", true);
  g->teacher =
      sst_graph_tap(g->graph, "logits", sst_graph_input(g->graph, "input", sst_shape_make(1, BATCH, 1, 1, CLASSES)));
  sst_graph_pop(g->graph);
  sst_distill_term *term = NULL;
  assert_ok(g->context, sst_distill_term_create(g->context, "kd", &term));
  assert_ok(g->context, sst_distill_term_set(term, "teacher_temperature", "3"));
  assert_ok(g->context, sst_distill_term_set(term, "student_temperature", "2"));
  sst_distill_scene scene = {.student = "student", .teacher = "teacher", .target = g->target};
  sst_value kd = sst_distill_term_build(term, g->graph, &scene);
  sst_distill_term_destroy(term);
  sst_value cross_entropy = sst_mean(g->graph, sst_cross_entropy(g->graph, g->logits, g->target, 0.1f), SST_AXES_ALL);
  g->loss = sst_add(g->graph, cross_entropy, sst_affine(g->graph, kd, 0.7f, 0.0f));
  optimizer->learning_rate = 0.05f;
  optimizer->nesterov = true;
  optimizer->weight_decay = 0.02f;
}

static void build_block(golden *g, sst_optimizer_options *optimizer) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 4),        layer_of(SST_LAYER_NORM, 0),
                        layer_of(SST_LAYER_ACTIVATION, 0),  layer_of(SST_LAYER_BLOCK, 6),
                        layer_of(SST_LAYER_GLOBAL_POOL, 0), layer_of(SST_LAYER_LINEAR, 0)};
  layers[3].stride = 2;
  sst_model_options options = network_options(layers, sizeof layers / sizeof *layers, TIME, 6, CLASSES);
  options.neuron.kind = SST_NEURON_PLIF;
  options.neuron.threshold = 0.8f;
  options.neuron.hard_reset = false;
  options.neuron.detach_reset = false;
  options.neuron.decay_input = true;
  options.neuron.surrogate = SST_SURROGATE_SIGMOID;
  options.neuron.alpha = 4.0f;
  options.norm = SST_NORM_THRESHOLD;
  options.readout = SST_READOUT_MEMBRANE;
  options.readout_decay = 0.6f;
  sst_value steps = build_student(g, &options, TIME);
  g->loss = sst_mean(g->graph, sst_cross_entropy(g->graph, steps, g->target, 0.0f), SST_AXES_ALL);
  *optimizer = (sst_optimizer_options){.kind = SST_OPTIMIZER_ADAMW,
                                       .learning_rate = 0.002f,
                                       .weight_decay = 0.05f,
                                       .beta1 = 0.9f,
                                       .beta2 = 0.999f,
                                       .epsilon = 1e-8f,
                                       .clip_norm = 0.05f};
}

static void begin_case(golden *g) {
  assert_int_equal(fscanf(g->index, "%63s", g->name), 1);
  g->teacher = SST_NO_VALUE;
  g->initialised = 0;
  g->step = -1;
  assert_ok(g->context, sst_parameters_create(g->context, 1, &g->store));
  assert_ok(g->context, sst_graph_create(g->store, g->device, &g->graph));
  sst_optimizer_options options = sst_optimizer_default();
  if (strcmp(g->name, "cnn") == 0) {
    build_cnn(g, &options);
  } else {
    assert_string_equal(g->name, "block");
    build_block(g, &options);
  }
  sst_graph_keep(g->graph, g->logits);
  assert_ok(g->context, sst_graph_compile(g->graph, g->loss));
  assert_ok(g->context, sst_optimizer_create(g->store, g->device, &options, &g->optimizer));
}

static void end_case(golden *g) {
  sst_optimizer_destroy(g->optimizer);
  sst_graph_destroy(g->graph);
  sst_parameters_destroy(g->store);
}

// ---- the file ----

static sst_shape read_shape(golden *g) {
  sst_shape shape;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    long long length = 0;
    if (fscanf(g->index, "%lld", &length) != 1) { fail_msg("%s: a shape of the index is cut off", g->name); }
    shape.dim[i] = length;
  }
  return shape;
}

// The next tensor into the place given, which must have its shape.
static void read_into(golden *g, const char *what, sst_shape place, float *to) {
  char expected[SST_SHAPE_TEXT_SIZE], found[SST_SHAPE_TEXT_SIZE];
  sst_shape shape = read_shape(g);
  if (!sst_shape_equal(shape, place)) {
    fail_msg("%s: %s has the shape %s, in the file %s", g->name, what, sst_shape_text(place, found, sizeof found),
             sst_shape_text(shape, expected, sizeof expected));
  }
  const size_t count = (size_t)sst_shape_count(shape);
  if (fread(to, sizeof(float), count, g->numbers) != count) { fail_msg("%s: the numbers are cut off", g->name); }
}

static void compare(golden *g, const char *kind, const char *what, sst_shape shape, const float *found) {
  const int64_t count = sst_shape_count(shape);
  float *expected = malloc((size_t)count * sizeof *expected);
  assert_non_null(expected);
  read_into(g, what, shape, expected);
  double difference = 0, size = 0;
  for (int64_t i = 0; i < count; i++) {
    const double d = (double)found[i] - (double)expected[i];
    difference += d * d;
    size += (double)expected[i] * (double)expected[i];
  }
  free(expected);
  const double error = sqrt(difference / size);
  if (!(error <= tolerance)) {
    fail_msg("%s, step %d: %s %s is wrong by %.3g of its norm %.3g, allowed %.3g", g->name, g->step, kind, what, error,
             sqrt(size), tolerance);
  }
  if (error > g->worst) {
    g->worst = error;
    snprintf(g->worst_where, sizeof g->worst_where, "%s, step %d: %s %s", g->name, g->step, kind, what);
  }
}

static const sst_parameter *read_parameter(golden *g) {
  char name[WORD_SIZE];
  assert_int_equal(fscanf(g->index, "%63s", name), 1);
  const sst_parameter *parameter = sst_parameters_find(g->store, name);
  if (parameter == NULL) { fail_msg("%s: there is no parameter %s", g->name, name); }
  return parameter;
}

static void give(golden *g, const char *what, sst_value value) {
  read_into(g, what, sst_graph_shape(g->graph, value), sst_graph_data(g->graph, value));
}

static void begin_step(golden *g) {
  // Each parameter has a value, and all have been compared after the step before.
  assert_int_equal(g->initialised, sst_parameters_count(g->store));
  if (g->step >= 0) { assert_int_equal(g->compared, sst_parameters_count(g->store)); }
  assert_int_equal(fscanf(g->index, "%lf", &g->factor), 1);
  g->compared = 0;
  g->step++;
}

static void run_step(golden *g) {
  sst_graph_forward(g->graph, &(sst_run_options){.training = true, .step = (uint64_t)g->step});
  sst_graph_backward(g->graph);
}

static void follow(golden *g, const char *word) {
#define IS(text) (strcmp(word, text) == 0)
  if (IS("initial")) {
    const sst_parameter *parameter = read_parameter(g);
    read_into(g, parameter->name, parameter->shape, parameter->value);
    g->initialised++;
  } else if (IS("step")) {
    begin_step(g);
  } else if (IS("input")) {
    give(g, word, g->input);
  } else if (IS("target")) {
    give(g, word, g->target);
  } else if (IS("teacher")) {
    give(g, word, g->teacher);
  } else if (IS("run")) {
    run_step(g);
  } else if (IS("loss")) {
    compare(g, "value", word, sst_graph_shape(g->graph, g->loss), sst_graph_data(g->graph, g->loss));
  } else if (IS("logits")) {
    compare(g, "value", word, sst_graph_shape(g->graph, g->logits), sst_graph_data(g->graph, g->logits));
  } else if (IS("gradient")) {
    const sst_parameter *parameter = read_parameter(g);
    assert_true(parameter->trainable);
    compare(g, word, parameter->name, parameter->shape, parameter->gradient);
  } else if (IS("update")) {
    sst_optimizer_step(g->optimizer, g->factor);
  } else if (IS("after")) {
    const sst_parameter *parameter = read_parameter(g);
    compare(g, word, parameter->name, parameter->shape, parameter->value);
    g->compared++;
  } else {
    fail_msg("%s: the index has the word \"%s\"", g->name, word);
  }
#undef IS
}

static void check_backend(sst_context *context, sst_device device) {
  char path[TEST_PATH_SIZE], line[256];
  golden g = {.context = context, .device = device};
  ssti_backend *backend = NULL;
  const sst_status status = ssti_backend_create(context, device, &backend);
  if (status == SST_UNSUPPORTED && device != SST_DEVICE_CPU_REFERENCE) {
    skip_because("%s: %s", sst_device_word(device), sst_context_message(context));
  }
  assert_ok(context, status);
  ssti_backend_destroy(backend);
  g.index = fopen(test_source_path(path, "tests/golden/step_golden.txt"), "r");
  g.numbers = fopen(test_source_path(path, "tests/golden/step_golden.bin"), "rb");
  assert_non_null(g.index);
  assert_non_null(g.numbers);
  assert_non_null(fgets(line, sizeof line, g.index)); // how the file was made
  int cases = 0;
  for (char word[WORD_SIZE]; fscanf(g.index, "%63s", word) == 1; cases++) {
    assert_string_equal(word, "case");
    begin_case(&g);
    while (fscanf(g.index, "%63s", word) == 1 && strcmp(word, "end") != 0) { follow(&g, word); }
    assert_int_equal(g.step, TRAINING_STEPS - 1);
    end_case(&g);
  }
  assert_int_equal(cases, 2);
  assert_int_equal(fgetc(g.numbers), EOF); // index and numbers belong together
  print_message("%s: largest error %.2g (%s); %s", sst_device_word(device), g.worst, g.worst_where, line);
  fclose(g.index);
  fclose(g.numbers);
}

static void test_reference_backend(void **state) { check_backend(*state, SST_DEVICE_CPU_REFERENCE); }

static void test_fast_backend(void **state) { check_backend(*state, SST_DEVICE_CPU); }

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_reference_backend), TEST(test_fast_backend)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
