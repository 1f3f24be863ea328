// SPDX-License-Identifier: Apache-2.0
// Small networks for tests, by the library's own builder, and a network in training: built, filled with noise, stepped.
#ifndef SPIKESTILL_TESTS_NETWORKS_H
#define SPIKESTILL_TESTS_NETWORKS_H

#include "graphs.h"
#include "spikestill/model.h"
#include "spikestill/optim.h"

static inline sst_layer layer_of(sst_layer_kind kind, int64_t out) {
  sst_layer layer = sst_layer_default(kind);
  layer.out = out;
  return layer;
}

// An SNN over pictures of size x size and 2 channels. The layers are borrowed.
static inline sst_model_options network_options(const sst_layer *layers, int count, int64_t timesteps, int64_t size,
                                                int64_t classes) {
  sst_model_options options = sst_model_default();
  options.timesteps = timesteps;
  options.classes = classes;
  options.height = options.width = size;
  options.channels = 2;
  options.layers = layers;
  options.layer_count = count;
  return options;
}

typedef struct trained {
  sst_context *context;
  sst_parameters *store;
  sst_graph *graph;
  sst_optimizer *optimizer;
  sst_value input, target, steps, logits, loss;
  int64_t step;
} trained;

// Everything up to compiling, so that a suite can keep values or change the loss.
static inline void trained_build(trained *t, sst_context *context, sst_device device, const sst_model_options *options,
                                 int64_t input_steps, int64_t batch) {
  *t = (trained){.context = context};
  assert_ok(context, sst_parameters_create(context, 5, &t->store));
  assert_ok(context, sst_graph_create(t->store, device, &t->graph));
  t->input = sst_graph_input(t->graph, "input",
                             sst_shape_make(input_steps, batch, options->height, options->width, options->channels));
  t->target = sst_graph_input(t->graph, "target", sst_shape_make(1, batch, 1, 1, options->classes));
  t->steps = sst_model_build(t->graph, options, t->input, &t->logits);
  t->loss = sst_mean(t->graph, sst_cross_entropy(t->graph, t->logits, t->target, 0.1f), SST_AXES_ALL);
  sst_graph_keep(t->graph, t->steps);
  sst_graph_keep(t->graph, t->logits);
}

static inline int64_t trained_count(const trained *t, sst_value value) {
  return sst_shape_count(sst_graph_shape(t->graph, value));
}

// Noise as pictures, classes in turn; another step, other noise.
static inline void trained_fill(trained *t) {
  fill_normal(sst_graph_data(t->graph, t->input), trained_count(t, t->input), 1.0f, 100 + (uint64_t)t->step);
  float *target = sst_graph_data(t->graph, t->target);
  const sst_shape shape = sst_graph_shape(t->graph, t->target);
  const int64_t rows = shape.dim[SST_AXIS_N], classes = shape.dim[SST_AXIS_C];
  memset(target, 0, (size_t)(rows * classes) * sizeof *target);
  for (int64_t n = 0; n < rows; n++) { target[n * classes + (n * 7 + t->step) % classes] = 1.0f; }
}

static inline void trained_compile(trained *t, sst_device device, const sst_optimizer_options *options) {
  const sst_optimizer_options defaults = sst_optimizer_default();
  assert_ok(t->context, sst_graph_compile(t->graph, t->loss));
  assert_ok(t->context, sst_optimizer_create(t->store, device, options != NULL ? options : &defaults, &t->optimizer));
  trained_fill(t);
}

static inline void trained_gradients(trained *t) {
  sst_graph_forward(t->graph, &(sst_run_options){.training = true, .seed = 9, .step = (uint64_t)t->step});
  sst_graph_backward(t->graph);
}

static inline void trained_step(trained *t) {
  trained_fill(t);
  trained_gradients(t);
  sst_optimizer_step(t->optimizer, 1.0);
  t->step++;
}

static inline void trained_end(trained *t) {
  sst_optimizer_destroy(t->optimizer);
  sst_graph_destroy(t->graph);
  sst_parameters_destroy(t->store);
}

// All parameters and gradients, bit for bit.
static inline void assert_same_parameters(const sst_parameters *a, const sst_parameters *b) {
  assert_int_equal(sst_parameters_count(a), sst_parameters_count(b));
  for (int i = 0; i < sst_parameters_count(a); i++) {
    const sst_parameter *p = sst_parameters_at(a, i), *q = sst_parameters_find(b, p->name);
    assert_non_null(q);
    assert_true(sst_shape_equal(p->shape, q->shape));
    assert_int_equal(p->kind, q->kind);
    assert_same_bits(p->value, q->value, p->count);
    assert_int_equal(p->trainable, q->trainable);
    if (p->trainable) { assert_same_bits(p->gradient, q->gradient, p->count); }
  }
}

// |a - b| <= tolerance * |b|, Euclidean norms.
static inline void support_assert_near_norm(const float *a, const float *b, int64_t count, double tolerance,
                                            const char *what, const char *file, int line) {
  double difference = 0, size = 0;
  for (int64_t i = 0; i < count; i++) {
    const double d = (double)a[i] - (double)b[i];
    difference += d * d;
    size += (double)b[i] * (double)b[i];
  }
  if (difference <= tolerance * tolerance * size) { return; }
  print_error("%s is wrong by %.3g of its norm %.3g, allowed %.3g\n", what, sqrt(difference / size), sqrt(size),
              tolerance);
  _fail(file, line);
}
#define assert_near_norm(a, b, count, tolerance)                                                                       \
  support_assert_near_norm((a), (b), (count), (tolerance), #a, __FILE__, __LINE__)

#endif
