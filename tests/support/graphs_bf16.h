// SPDX-License-Identifier: Apache-2.0
// Precision BF16 in graphs on BF16_DEVICE: what is stored as bf16, gradients, spikes. After slots_bf16.h.
#ifndef SPIKESTILL_TESTS_GRAPHS_BF16_H
#define SPIKESTILL_TESTS_GRAPHS_BF16_H

#include "graph/graph_internal.h"
#include "graphs.h"

enum { BATCH = 8, SIZE = 12, TIME = 3, WIDTH = 24, CLASSES = 5 };

typedef struct network {
  sst_parameters *store;
  sst_graph *graph;
  sst_value input, kept, loss, inner[8]; // inner: convolution, spikes, pooled, convolution; of a residual one see below
} network;

enum { CONVOLUTION, SPIKES_IN, BRANCH, SUM, SHORTCUT, SECOND_SUM, SPIKES_OUT, COUNTS };

static sst_value constant(sst_graph *g, const char *name, sst_parameter_kind kind, float value) {
  return sst_graph_parameter(g, name, vector_shape(WIDTH), kind, (sst_initializer){SST_INIT_CONSTANT, value});
}

// Convolution and norm, whose factors have `bits`.
static sst_value normed(sst_graph *g, sst_value x, const char *name, int64_t kernel, int64_t stride, int bits,
                        sst_value *conv_out) {
  sst_graph_push(g, name, false);
  sst_conv2d_options conv = sst_conv2d_default();
  conv.pad_h = conv.pad_w = kernel / 2;
  conv.stride_h = conv.stride_w = stride;
  const int64_t in = sst_graph_shape(g, x).dim[SST_AXIS_C];
  const sst_value y = *conv_out =
      sst_conv2d(g, x, graph_weight(g, "weight", sst_shape_make(1, WIDTH, kernel, kernel, in)), SST_NONE, &conv);
  sst_batch_norm_options options = sst_batch_norm_default();
  options.bits = bits;
  x = sst_batch_norm(g, y, constant(g, "gamma", SST_PARAMETER_NORM, 0.9f),
                     constant(g, "beta", SST_PARAMETER_NORM, 0.2f), constant(g, "mean", SST_PARAMETER_BUFFER, 0),
                     constant(g, "variance", SST_PARAMETER_BUFFER, 1), &options);
  sst_graph_pop(g);
  return x;
}

static sst_value fire(sst_graph *g, sst_value x) {
  sst_neuron neuron = sst_neuron_default();
  neuron.threshold = 0.5f;
  return sst_neuron_layer(g, x, TIME, &neuron, SST_NONE, NULL);
}

static sst_value layer(sst_graph *g, sst_value x, const char *name, sst_value *conv_out) {
  return fire(g, normed(g, x, name, 3, 1, 0, conv_out));
}

static network begin(sst_context *context, sst_precision precision) {
  network n = {0};
  assert_ok(context, sst_parameters_create(context, 5, &n.store));
  assert_ok(context, sst_graph_create(n.store, BF16_DEVICE, &n.graph));
  assert_int_equal(sst_graph_use_precision(n.graph, precision), SST_PRECISION_F32);
  n.input = sst_graph_input(n.graph, "x", sst_shape_make(1, BATCH, SIZE, SIZE, 3));
  return n;
}

static void finish(sst_context *context, network *n, sst_value x) {
  sst_graph *g = n->graph;
  const sst_value flat = sst_flatten(g, x);
  const sst_value weight =
      graph_weight(g, "weight", sst_shape_make(1, CLASSES, 1, 1, sst_graph_shape(g, flat).dim[SST_AXIS_C]));
  n->loss = sst_mean(g, sst_square(g, sst_linear(g, flat, weight, SST_NONE)), SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, n->loss));
  fill_normal(sst_graph_data(g, n->input), sst_shape_count(sst_graph_shape(g, n->input)), 1.0f, 11);
}

static network build(sst_context *context, sst_precision precision, bool keep) {
  network n = begin(context, precision);
  sst_graph *g = n.graph;
  const sst_pool_options pool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  n.inner[1] = layer(g, n.input, "first", &n.inner[0]);
  n.inner[2] = sst_average_pool(g, n.inner[1], &pool);
  n.kept = layer(g, n.inner[2], "second", &n.inner[3]);
  if (keep) { sst_graph_keep(g, n.inner[1]); }
  finish(context, &n, n.kept);
  return n;
}

// Three residual blocks: currents added to spikes, to currents of a shortcut, and spikes to spikes.
static network build_residual(sst_context *context, sst_precision precision, int bits) {
  network n = begin(context, precision);
  sst_graph *g = n.graph;
  sst_value *v = n.inner;
  const sst_pool_options pool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  v[SPIKES_IN] = fire(g, normed(g, n.input, "stem", 3, 1, bits, &v[CONVOLUTION]));
  v[BRANCH] = normed(g, fire(g, normed(g, v[SPIKES_IN], "one", 3, 1, bits, &v[CONVOLUTION])), "two", 3, 1, bits,
                     &v[CONVOLUTION]);
  v[SUM] = sst_add(g, v[BRANCH], v[SPIKES_IN]);
  sst_value x = fire(g, v[SUM]);
  const sst_value branch =
      normed(g, fire(g, normed(g, x, "three", 3, 2, bits, &v[CONVOLUTION])), "four", 3, 1, bits, &v[CONVOLUTION]);
  v[SHORTCUT] = normed(g, x, "shortcut", 1, 2, bits, &v[CONVOLUTION]);
  v[SECOND_SUM] = sst_add(g, branch, v[SHORTCUT]);
  v[SPIKES_OUT] = fire(g, v[SECOND_SUM]);
  v[COUNTS] = sst_add(g, layer(g, v[SPIKES_OUT], "five", &v[CONVOLUTION]), v[SPIKES_OUT]);
  finish(context, &n, sst_average_pool(g, v[COUNTS], &pool));
  return n;
}

static void run(network *n, bool smooth) {
  const sst_run_options options = {.training = true, .smooth = smooth};
  sst_graph_forward(n->graph, &options);
  sst_graph_backward(n->graph);
}

static void end(network *n) {
  sst_graph_destroy(n->graph);
  sst_parameters_destroy(n->store);
}

static void skip_without_bf16(sst_context *context) {
  pair p = pair_make(context);
  skip_without(&p);
  pair_end(&p);
}

// What lies between layers is bf16 and takes less memory; what is seen from outside, or read by others, is f32.
static void test_storage(void **state) {
  skip_without_bf16(*state);
  network wide = build(*state, SST_PRECISION_F32, false), half = build(*state, SST_PRECISION_BF16, false);
  network kept = build(*state, SST_PRECISION_BF16, true);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(wide.graph->values[wide.inner[i]].tensor.type, SSTI_F32);
    assert_int_equal(half.graph->values[half.inner[i]].tensor.type, SSTI_BF16);
    assert_int_equal(half.graph->values[half.inner[i]].gradient.type, SSTI_BF16);
    assert_int_equal(kept.graph->values[kept.inner[i]].tensor.type, i == 1 ? SSTI_F32 : SSTI_BF16);
  }
  assert_int_equal(half.graph->values[half.kept].tensor.type, SSTI_F32); // two values look at it
  assert_int_equal(half.graph->values[half.input].tensor.type, SSTI_F32);
  assert_true(sst_graph_planned_bytes(half.graph) < sst_graph_planned_bytes(wide.graph));
  const sst_run_options options = {.training = true};
  assert_null(sst_graph_first_not_finite(half.graph, &options));
  *sst_graph_data(half.graph, half.input) = NAN;
  assert_non_null(sst_graph_first_not_finite(half.graph, &options));
  end(&wide), end(&half), end(&kept);
}

// Gradients beside those of f32. Roundings of 8 bits, of random sign: 2^-9 each on average, and layers and passes add
// some up; a mistake would give another direction or length.
static void compare_gradients(const network *wide, const network *half, double bound) {
  for (int i = 0; i < sst_parameters_count(wide->store); i++) {
    const sst_parameter *w = sst_parameters_at(wide->store, i), *h = sst_parameters_at(half->store, i);
    if (w->gradient == NULL) { continue; }
    double difference = 0, length = 0;
    for (int64_t k = 0; k < w->count; k++) {
      difference += pow((double)h->gradient[k] - (double)w->gradient[k], 2);
      length += pow((double)w->gradient[k], 2);
    }
    assert_true(length > 0);
    if (difference > bound * bound * length) {
      fail_msg("%s: the gradient is %.3g of its length away from that of f32", w->name, sqrt(difference / length));
    }
    assert_true(difference > 0); // it did compute in another precision
  }
}

static void assert_same_gradients(const network *a, const network *b) {
  for (int i = 0; i < sst_parameters_count(a->store); i++) {
    const sst_parameter *p = sst_parameters_at(a->store, i);
    if (p->gradient != NULL) { assert_same_bits(p->gradient, sst_parameters_at(b->store, i)->gradient, p->count); }
  }
}

// On the smoothed network. The same seed gives the same bits.
static void test_gradients(void **state) {
  skip_without_bf16(*state);
  network wide = build(*state, SST_PRECISION_F32, false), half = build(*state, SST_PRECISION_BF16, false);
  network again = build(*state, SST_PRECISION_BF16, false);
  run(&wide, true), run(&half, true), run(&again, true);
  const double loss = (double)*sst_graph_data(wide.graph, wide.loss);
  assert_near(*sst_graph_data(half.graph, half.loss), loss, 0.01, 0);
  compare_gradients(&wide, &half, 0.02);
  assert_same_gradients(&half, &again);
  end(&wide), end(&half), end(&again);
}

static void test_residual_gradients(void **state) {
  skip_without_bf16(*state);
  network wide = build_residual(*state, SST_PRECISION_F32, 0), half = build_residual(*state, SST_PRECISION_BF16, 0);
  network again = build_residual(*state, SST_PRECISION_BF16, 0);
  run(&wide, true), run(&half, true), run(&again, true);
  assert_near(*sst_graph_data(half.graph, half.loss), (double)*sst_graph_data(wide.graph, wide.loss), 0.01, 0);
  compare_gradients(&wide, &half, 0.05);
  assert_same_gradients(&half, &again);
  end(&wide), end(&half), end(&again);
}

// In residual networks too what lies between layers is bf16. In fixed point it is spikes alone.
static void test_residual_storage(void **state) {
  skip_without_bf16(*state);
  network wide = build_residual(*state, SST_PRECISION_F32, 0), half = build_residual(*state, SST_PRECISION_BF16, 0);
  network fixed = build_residual(*state, SST_PRECISION_BF16, 8);
  for (int i = 0; i < 8; i++) {
    const bool spikes = i == SPIKES_IN || i == SPIKES_OUT || i == COUNTS;
    assert_int_equal(wide.graph->values[wide.inner[i]].tensor.type, SSTI_F32);
    assert_int_equal(half.graph->values[half.inner[i]].tensor.type, SSTI_BF16);
    assert_int_equal(half.graph->values[half.inner[i]].gradient.type, SSTI_BF16);
    if (i != CONVOLUTION) {
      assert_int_equal(fixed.graph->values[fixed.inner[i]].tensor.type, spikes ? SSTI_BF16 : SSTI_F32);
    }
  }
  assert_true((double)sst_graph_planned_bytes(half.graph) < 0.6 * (double)sst_graph_planned_bytes(wide.graph));
  const sst_run_options options = {.training = true};
  assert_null(sst_graph_first_not_finite(half.graph, &options));
  assert_null(sst_graph_first_not_finite(fixed.graph, &options));
  end(&wide), end(&half), end(&fixed);
}

// A sum that repeats a side has no kernel for bf16, and what it reads and makes stays f32.
static void test_repeated_sum(void **state) {
  skip_without_bf16(*state);
  network n = begin(*state, SST_PRECISION_BF16);
  sst_value conv;
  const sst_value current = normed(n.graph, n.input, "first", 3, 1, 0, &conv), spikes = fire(n.graph, current);
  const sst_value sum = sst_add(n.graph, spikes, current);
  finish(*state, &n, layer(n.graph, sum, "second", &n.inner[0]));
  assert_int_equal(n.graph->values[conv].tensor.type, SSTI_BF16);
  const sst_value wide[] = {current, spikes, sum};
  for (int i = 0; i < 3; i++) { assert_int_equal(n.graph->values[wide[i]].tensor.type, SSTI_F32); }
  assert_null(sst_graph_first_not_finite(n.graph, NULL));
  end(&n);
}

// Evaluation with spikes: nearly all fire as in f32.
static void test_spikes(void **state) {
  skip_without_bf16(*state);
  network wide = build(*state, SST_PRECISION_F32, true), half = build(*state, SST_PRECISION_BF16, true);
  run(&wide, false), run(&half, false);
  const int64_t count = sst_shape_count(sst_graph_shape(wide.graph, wide.inner[1]));
  const float *a = sst_graph_data(wide.graph, wide.inner[1]), *b = sst_graph_data(half.graph, half.inner[1]);
  int64_t fired = 0, differ = 0;
  for (int64_t i = 0; i < count; i++) { fired += a[i] != 0.0f, differ += a[i] != b[i]; }
  assert_true(fired > count / 20);
  assert_true(differ < count / 200);
  end(&wide), end(&half);
}

#endif
