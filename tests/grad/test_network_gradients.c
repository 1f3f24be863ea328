// SPDX-License-Identifier: Apache-2.0
// Gradients of whole networks: backward against differences of the smoothed forward pass, in which neurons give the
// surrogate's primitive, so that what backward computes is a derivative. Reset spikes are followed, not detached. Batch
// norm uses the batch, dropout keeps its mask, and a membrane takes part in the loss.
//
// Each parameter is moved by itself, along its gradient plus a random direction of the same length: the first makes a
// wrong size show, the second a wrong direction. Differences at two widths are extrapolated (Richardson), which leaves
// an error of width^4; the tolerance is made of f32 rounding of the loss over the width.
#include "networks.h"
#include "spikestill/distill.h"

enum { BATCH = 6, CLASSES = 3, TIME = 3 };
// Of the gradient's norm. Maxima and relu have corners, where differences and derivatives disagree by what a
// corner is worth: networks with them are held to less.
static const double tolerance = 3e-3, tolerance_at_corners = 5e-2;
static const double rounding = 1e-4; // of a quotient of differences, whatever the gradient
// A parameter is moved as far as changes the loss by about this much.
static const double change = 1e-3, narrowest = 5e-4, widest = 1e-2, widest_at_corners = 2e-3;

typedef struct network {
  sst_context *context;
  sst_parameters *store;
  sst_graph *graph;
  sst_value input, target, loss;
  double tolerance, widest;
} network;

static const sst_run_options smoothed = {.training = true, .smooth = true, .seed = 3, .step = 1};

static double loss_of(network *n) {
  sst_graph_forward(n->graph, &smoothed);
  return (double)*sst_graph_data(n->graph, n->loss);
}

// ---- the check ----

static double norm_of(const double *x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) { sum += x[i] * x[i]; }
  return sqrt(sum);
}

// A parameter under test. It is moved in f32, so `moved` says how far it really went.
typedef struct probe {
  network *network;
  float *value;
  int64_t count;
  float *kept;
  double *gradient, *direction;
} probe;

// The difference quotient over +-step, and what the gradient predicts for the same movement.
static double difference(probe *p, double step, double *predicted) {
  double moved = 0;
  for (int64_t i = 0; i < p->count; i++) { p->value[i] = (float)((double)p->kept[i] + step * p->direction[i]); }
  for (int64_t i = 0; i < p->count; i++) { moved += (double)p->value[i] * p->gradient[i]; }
  const double above = loss_of(p->network);
  for (int64_t i = 0; i < p->count; i++) { p->value[i] = (float)((double)p->kept[i] - step * p->direction[i]); }
  for (int64_t i = 0; i < p->count; i++) { moved -= (double)p->value[i] * p->gradient[i]; }
  const double below = loss_of(p->network);
  for (int64_t i = 0; i < p->count; i++) { p->value[i] = p->kept[i]; }
  *predicted = moved / (2 * step);
  return (above - below) / (2 * step);
}

static double *doubles(int64_t count) {
  double *data = calloc((size_t)count, sizeof *data);
  assert_non_null(data);
  return data;
}

static void check_parameter(network *n, const sst_parameter *parameter, const char *what) {
  const int64_t count = parameter->count;
  probe p = {.network = n,
             .value = parameter->value,
             .count = count,
             .gradient = doubles(count),
             .direction = doubles(count),
             .kept = malloc((size_t)count * sizeof(float))};
  assert_non_null(p.kept);
  memcpy(p.kept, parameter->value, (size_t)count * sizeof(float));
  for (int64_t i = 0; i < count; i++) { p.gradient[i] = (double)parameter->gradient[i]; }
  const double size = norm_of(p.gradient, count);
  if (!(size > 1e-4)) { fail_msg("%s: the gradient of %s is %g, which proves nothing", what, parameter->name, size); }
  // A learned decay has no direction but one.
  double *noise = doubles(count);
  for (int64_t i = 0; count > 1 && i < count; i++) { noise[i] = (double)ssti_random_normal(1, 77, (uint64_t)i); }
  const double scale = count > 1 ? 1 / norm_of(noise, count) : 0;
  for (int64_t i = 0; i < count; i++) { p.direction[i] = p.gradient[i] / size + noise[i] * scale; }
  const double width = fmin(fmax(change / size, narrowest), n->widest);
  double wide_predicted = 0, narrow_predicted = 0;
  const double wide = difference(&p, width, &wide_predicted), narrow = difference(&p, width / 2, &narrow_predicted);
  const double found = (4 * narrow - wide) / 3, predicted = (4 * narrow_predicted - wide_predicted) / 3;
  if (!(fabs(found - predicted) <= n->tolerance * size + rounding)) {
    fail_msg("%s: along %s the loss changes by %.6g, backward says %.6g (gradient's norm %.3g)", what, parameter->name,
             found, predicted, size);
  }
  free(noise);
  free(p.gradient);
  free(p.direction);
  free(p.kept);
}

// Differences run forward only, so the gradients of one backward pass serve all parameters.
static void check_network(network *n, const char *what) {
  sst_graph_forward(n->graph, &smoothed);
  sst_graph_backward(n->graph);
  int checked = 0;
  for (int i = 0; i < sst_parameters_count(n->store); i++) {
    const sst_parameter *parameter = sst_parameters_at(n->store, i);
    if (!parameter->trainable) { continue; }
    check_parameter(n, parameter, what);
    checked++;
  }
  assert_true(checked > 0);
}

// ---- networks ----

static sst_model_options options_of(const sst_layer *layers, int count, int64_t size) {
  sst_model_options options = network_options(layers, count, TIME, size, CLASSES);
  options.neuron.detach_reset = false;
  return options;
}

// Cross-entropy with smoothing, plus mean squares of the taps in `taps` (ended by NULL).
static void begin(network *n, sst_context *context, const sst_model_options *options, int64_t input_steps,
                  const char *const *taps) {
  *n = (network){.context = context,
                 .tolerance = options->spiking ? tolerance : tolerance_at_corners,
                 .widest = options->spiking ? widest : widest_at_corners};
  n->graph = graph_begin(context, &n->store);
  sst_shape shape = sst_shape_make(input_steps, BATCH, options->height, options->width, options->channels);
  n->input = sst_graph_input(n->graph, "input", shape);
  n->target = sst_graph_input(n->graph, "target", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  sst_value logits = SST_NO_VALUE;
  sst_model_build(n->graph, options, n->input, &logits);
  n->loss = sst_mean(n->graph, sst_cross_entropy(n->graph, logits, n->target, 0.1f), SST_AXES_ALL);
  for (int i = 0; taps != NULL && taps[i] != NULL; i++) {
    sst_value squares = sst_square(n->graph, sst_graph_find(n->graph, taps[i]));
    n->loss = sst_add(n->graph, n->loss, sst_affine(n->graph, sst_mean(n->graph, squares, SST_AXES_ALL), 0.3f, 0.0f));
  }
}

static void compile_and_fill(network *n) {
  assert_ok(n->context, sst_graph_compile(n->graph, n->loss));
  float *input = sst_graph_data(n->graph, n->input), *target = sst_graph_data(n->graph, n->target);
  fill_normal(input, sst_shape_count(sst_graph_shape(n->graph, n->input)), 1.0f, 5);
  memset(target, 0, BATCH * CLASSES * sizeof(float));
  for (int i = 0; i < BATCH; i++) { target[i * CLASSES + i % CLASSES] = 1.0f; }
}

static void check(sst_context *context, const sst_model_options *options, int64_t input_steps, const char *const *taps,
                  const char *what) {
  network n;
  begin(&n, context, options, input_steps, taps);
  compile_and_fill(&n);
  check_network(&n, what);
  graph_end(n.graph, n.store);
}

static const sst_neuron_kind firing_kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF, SST_NEURON_CUBALIF,
                                               SST_NEURON_ALIF};
enum { FIRING_KINDS = sizeof firing_kinds / sizeof *firing_kinds };

// Every kind with both resets and both ways to weigh the input; dropout in between; membranes in the loss.
static void test_mlp_of_each_neuron(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_LINEAR, 7),     layer_of(SST_LAYER_NORM, 0),
                        layer_of(SST_LAYER_ACTIVATION, 0), layer_of(SST_LAYER_DROPOUT, 0),
                        layer_of(SST_LAYER_LINEAR, 5),     layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  layers[3].rate = 0.2f;
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 3);
  for (int kind = 0; kind < FIRING_KINDS; kind++) {
    for (int way = 0; way < 4; way++) {
      options.neuron.kind = firing_kinds[kind];
      options.neuron.hard_reset = way & 1;
      options.neuron.v_reset = -0.2f;
      options.neuron.decay_input = way & 2;
      options.neuron.current_decay = 0.4f;
      options.neuron.adaptation = 0.5f;
      options.neuron.adaptation_decay = 0.6f;
      char what[64];
      snprintf(what, sizeof what, "mlp of %s, way %d", sst_neuron_word(options.neuron.kind), way);
      check(*state, &options, way < 2 ? 1 : TIME, (const char *const[]){"2.membrane", "5.membrane", "5.act", NULL},
            what);
    }
  }
}

static void test_cnn_of_each_norm(void **state) {
  sst_layer layers[] = {
      layer_of(SST_LAYER_CONV, 3),         layer_of(SST_LAYER_NORM, 0),         layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_CONV, 4),         layer_of(SST_LAYER_NORM, 0),
      layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_LINEAR, 6),
      layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 6);
  for (int norm = 0; norm < SST_NORM_COUNT; norm++) {
    for (int64_t input_steps = 1; input_steps <= TIME; input_steps += TIME - 1) {
      options.norm = (sst_norm_kind)norm;
      options.neuron.threshold = 0.8f;
      char what[64];
      snprintf(what, sizeof what, "cnn with norm %s and %d steps of input", sst_norm_word(options.norm),
               (int)input_steps);
      check(*state, &options, input_steps, (const char *const[]){"2.membrane", NULL}, what);
    }
  }
}

// The second block keeps shape and channels: its shortcut is the identity, where gradients of two branches meet.
static void test_block_of_each_form(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 3),  layer_of(SST_LAYER_NORM, 0),  layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_BLOCK, 4), layer_of(SST_LAYER_BLOCK, 4), layer_of(SST_LAYER_GLOBAL_POOL, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  layers[3].stride = 2;
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 6);
  options.neuron.kind = SST_NEURON_PLIF;
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    for (int norm = SST_NORM_BATCH; norm <= SST_NORM_THRESHOLD; norm++) {
      layers[3].form = layers[4].form = (sst_block_form)form;
      options.norm = (sst_norm_kind)norm;
      char what[64];
      snprintf(what, sizeof what, "blocks of form %s, norm %s", sst_block_form_word(layers[3].form),
               sst_norm_word(options.norm));
      check(*state, &options, 1, (const char *const[]){"3.membrane2", "4.membrane1", "4.out", NULL}, what);
    }
  }
}

static void test_each_readout(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 3), layer_of(SST_LAYER_NORM, 0), layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 4);
  options.neuron.decay_input = true;
  for (int readout = 0; readout < SST_READOUT_COUNT; readout++) {
    options.readout = (sst_readout)readout;
    char what[64];
    snprintf(what, sizeof what, "readout %s", sst_readout_word(options.readout));
    check(*state, &options, 1, NULL, what);
  }
}

static void test_ann(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 3),       layer_of(SST_LAYER_NORM, 0),
                        layer_of(SST_LAYER_ACTIVATION, 0), layer_of(SST_LAYER_MAX_POOL, 0),
                        layer_of(SST_LAYER_BLOCK, 4),      layer_of(SST_LAYER_GLOBAL_POOL, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 6);
  options.spiking = false;
  options.timesteps = 1;
  check(*state, &options, 1, (const char *const[]){"4.norm1", NULL}, "ann");
}

// A frozen teacher in the same graph over parameters of its own: soft labels, and the student's features against its.
static void test_distillation(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 3), layer_of(SST_LAYER_NORM, 0), layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = options_of(layers, sizeof layers / sizeof *layers, 4), ann = options;
  ann.spiking = false;
  ann.timesteps = 1;
  network n;
  sst_context *context = *state;
  begin(&n, context, &options, 1, NULL);
  sst_parameters *teacher = NULL;
  assert_ok(context, sst_parameters_create(context, 2, &teacher));
  sst_graph_push(n.graph, "teacher", true);
  sst_graph_use_parameters(n.graph, teacher);
  sst_value logits = SST_NO_VALUE;
  sst_model_build(n.graph, &ann, n.input, &logits);
  sst_graph_pop(n.graph);
  sst_distill_term *term = NULL;
  assert_ok(context, sst_distill_term_create(context, "kd", &term));
  assert_ok(context, sst_distill_term_set(term, "student_temperature", "2"));
  sst_graph_push(n.graph, "student", false);
  sst_graph_tap(n.graph, "logits", sst_graph_find(n.graph, "logits"));
  sst_graph_pop(n.graph);
  sst_distill_scene scene = {.student = "student", .teacher = "teacher", .target = n.target};
  sst_value kd = sst_distill_term_build(term, n.graph, &scene);
  sst_distill_term_destroy(term);
  sst_value mine = sst_mean(n.graph, sst_graph_find(n.graph, "2.act"), SST_AXES_T);
  sst_value theirs = sst_graph_find(n.graph, "teacher.2.act");
  n.loss = sst_add(n.graph, n.loss, sst_add(n.graph, kd, sst_mse(n.graph, mine, theirs)));
  compile_and_fill(&n);
  check_network(&n, "distillation");
  // The teacher has learnt nothing.
  for (int i = 0; i < sst_parameters_count(teacher); i++) {
    const sst_parameter *parameter = sst_parameters_at(teacher, i);
    for (int64_t k = 0; parameter->gradient != NULL && k < parameter->count; k++) {
      assert_true(parameter->gradient[k] == 0.0f);
    }
  }
  graph_end(n.graph, n.store);
  sst_parameters_destroy(teacher);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_mlp_of_each_neuron),
                                     TEST(test_cnn_of_each_norm),
                                     TEST(test_block_of_each_form),
                                     TEST(test_each_readout),
                                     TEST(test_ann),
                                     TEST(test_distillation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
