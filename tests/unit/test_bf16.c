// SPDX-License-Identifier: Apache-2.0
// Precision bf16: conversions, every slot against the reference on the same rounded numbers, and graphs. Products of
// whole numbers, and sums of weights by spikes, must be exact to f32's rounding of sums; what is put into a bf16 tensor is
// that, rounded once.
#include "backend_pair.h"

#include <float.h>

#include "graph/graph_internal.h"
#include "graphs.h"

static void skip_without(pair *p) {
  if (p->tested->without_bf16 == NULL) { return; }
  print_message("skipped: %s\n", p->tested->without_bf16);
  pair_end(p);
  skip();
}

// ---- a tensor of either type, with the same numbers as f32

typedef struct either {
  int64_t count;
  ssti_type type;
  float *wide;   // what the numbers are
  ssti_bf16 *half; // NULL for f32
} either;

static void round_all(float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) { x[i] = ssti_bf16_value(ssti_bf16_of(x[i])); }
}

// The numbers are rounded whatever the type: products take them in so.
static either either_of(float *numbers, int64_t count, ssti_type type) {
  either e = {.count = count, .type = type, .wide = numbers};
  round_all(numbers, count);
  if (type == SSTI_BF16) {
    e.half = memory_of((size_t)count * sizeof *e.half);
    for (int64_t i = 0; i < count; i++) { e.half[i] = ssti_bf16_of(numbers[i]); }
  }
  return e;
}

static float *data_of(const either *e) { return e->half != NULL ? (float *)(void *)e->half : e->wide; }

// From what a kernel has written.
static void read_back(either *e) {
  for (int64_t i = 0; e->half != NULL && i < e->count; i++) { e->wide[i] = ssti_bf16_value(e->half[i]); }
  if (e->half != NULL) { check_canary(e->half, (size_t)e->count * sizeof *e->half); }
}

static void either_end(either *e) { release(e->wide), release(e->half); }

// What was found is what is expected, rounded once if it was put into bf16: half a unit in the last of 8 bits.
static void compare_either(either *found, const float *expected, double tolerance, const char *what) {
  read_back(found);
  const double rounding = found->type == SSTI_BF16 ? 1.0 / 256 : 0.0;
  support_assert_all_near(found->wide, expected, found->count, tolerance + rounding, tolerance, what, __FILE__, __LINE__);
}

// ---- conversions

static void test_conversions(void **state) {
  pair p = pair_make(*state);
  const struct {
    float from;
    ssti_bf16 to;
  } cases[] = {{0.0f, 0}, {-0.0f, 0x8000}, {1.0f, 0x3f80}, {0x1.01p0f, 0x3f80}, {0x1.03p0f, 0x3f82}, {0x1.010002p0f, 0x3f81},
               {-0x1.03p0f, 0xbf82}, {3.0e38f, 0x7f62}, {FLT_MAX, 0x7f80}, {INFINITY, 0x7f80}, {-INFINITY, 0xff80},
               {0x1p-133f, 0x0001}, {0x1p-149f, 0}, {256.0f, 0x4380}, {-255.0f, 0xc37f}};
  enum { COUNT = sizeof cases / sizeof *cases };
  for (int i = 0; i < COUNT; i++) { assert_int_equal(ssti_bf16_of(cases[i].from), cases[i].to); }
  const uint32_t none[] = {0x7f800001, 0xffffffff, 0x7fffffff, 0xff80ffff};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    float value;
    memcpy(&value, &none[i], sizeof value);
    assert_true(isnan(ssti_bf16_value(ssti_bf16_of(value))));
  }
  for (uint32_t bits = 0; bits <= 0xffff; bits++) { // there and back, but for the quiet bit of no numbers
    const float value = ssti_bf16_value((ssti_bf16)bits);
    if (!isnan(value)) { assert_int_equal(ssti_bf16_of(value), bits); }
  }
  float from[COUNT], back[COUNT];
  ssti_bf16 to[COUNT];
  for (int i = 0; i < COUNT; i++) { from[i] = cases[i].from; }
  EACH_LEVEL(&p, level) {
    ssti_fast_narrow(p.tested, COUNT, from, to);
    for (int i = 0; i < COUNT; i++) { assert_int_equal(to[i], cases[i].to); }
    ssti_fast_widen(p.tested, COUNT, to, back);
    for (int i = 0; i < COUNT; i++) { assert_int_equal(ssti_bf16_of(back[i]), to[i]); }
  }
  pair_end(&p);
}

// ---- convolutions

enum { SPIKES = 2 }; // of `filling`: 0 normal, 1 whole numbers

static float *input_of(int64_t count, int filling, uint64_t stream) {
  float *x = filled(count, filling == 1, stream);
  for (int64_t i = 0; filling == SPIKES && i < count; i++) { x[i] = x[i] > 1.2f ? 1.0f : 0.0f; }
  return x;
}

static void check_conv(pair *p, const ssti_conv2d *s, int filling, bool second) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t per_output = s->kernel_h * s->kernel_w * (s->in_c / s->groups), nw = s->out_c * per_output;
  const bool whole = filling == 1;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  either x = either_of(input_of(nx, filling, 1), nx, s->in_type), dy = either_of(input_of(ny, whole, 2), ny, s->out_type);
  either y = either_of(floats(ny), ny, s->out_type), again = either_of(floats(ny), ny, s->out_type);
  either dx = either_of(target(nx, second, whole), nx, s->in_type);
  float *w = input_of(nw, whole, 3), *b = second ? filled(s->out_c, whole, 4) : NULL;
  float *dw = target(nw, second, whole), *db = target(s->out_c, second, whole);
  float *y_expected = floats(ny), *dx_expected = floats(nx), *dw_expected = target(nw, second, whole);
  float *db_expected = target(s->out_c, second, whole), *w_rounded = floats(nw);
  memcpy(w_rounded, w, (size_t)nw * sizeof *w);
  round_all(w_rounded, nw);
  memcpy(dx_expected, dx.wide, (size_t)nx * sizeof *w);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  void *saved = memory_of(plan->saved);
  const ssti_kernels *f = &p->tested->kernels, *r = &p->reference->kernels;
  const ssti_conv2d plain = conv(s->images, s->in_h, s->in_w, s->in_c, s->out_c, s->kernel_h, s->kernel_w, s->stride_h,
                                 s->pad_h, s->dilation_h, s->groups);
  r->conv2d_forward(p->reference, &plain, NULL, x.wide, w_rounded, b, y_expected, NULL, NULL);
  r->conv2d_backward_data(p->reference, &plain, NULL, dy.wide, w_rounded, dx_expected, second, NULL);
  r->conv2d_backward_weights(p->reference, &plain, NULL, x.wide, dy.wide, dw_expected, second, db_expected, second, NULL,
                             NULL);
  const uint64_t allocations = sst_context_allocation_count(p->context);
  f->conv2d_forward(p->tested, s, plan, data_of(&x), w_rounded, b, data_of(&y), saved, forward_space);
  f->conv2d_forward(p->tested, s, plan, data_of(&x), w_rounded, b, data_of(&again), saved, forward_space);
  f->conv2d_backward_data(p->tested, s, plan, data_of(&dy), w, data_of(&dx), second, backward_space);
  f->conv2d_backward_weights(p->tested, s, plan, data_of(&x), data_of(&dy), dw, second, db, second, saved, backward_space);
  assert_int_equal(sst_context_allocation_count(p->context), allocations);
  compare_either(&y, y_expected, sum_tolerance(whole, per_output), "y");
  read_back(&again);
  assert_same_bits(again.wide, y.wide, ny);
  // Adding to bf16 rounds the sum, which may be smaller than what is added.
  const double adding = second && s->in_type == SSTI_BF16 && !whole ? 0.05 : 0.0;
  compare_either(&dx, dx_expected,
                 adding + sum_tolerance(whole, s->kernel_h * s->kernel_w * (s->out_c / s->groups)), "dx");
  compare(dw, dw_expected, nw, sum_tolerance(whole, s->images * s->out_h * s->out_w), "dweight");
  compare(db, db_expected, s->out_c, sum_tolerance(whole, s->images * s->out_h * s->out_w), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  check_canary(saved, plan->saved);
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&again), either_end(&dx);
  release(w), release(b), release(dw), release(db), release(y_expected), release(dx_expected), release(dw_expected), release(db_expected);
  release(w_rounded), release(forward_space), release(backward_space), release(saved);
}

static void set_crossover(pair *p, double number) {
  sst_crossover *c = &ssti_fast_state_of(p->tested)->crossover;
  c->bf16_convolution_forward = c->bf16_convolution_weights = c->bf16_linear_forward = c->bf16_linear_weights = number;
}

static void test_conv2d(void **state) {
  pair p = pair_make(*state);
  skip_without(&p);
  const ssti_conv2d shapes[] = {
      conv(3, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1),   conv(2, 9, 7, 1, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 9, 2, 8, 5, 5, 2, 2, 1, 1),    conv(2, 8, 6, 64, 32, 3, 3, 1, 1, 1, 1),
      conv(1, 5, 7, 5, 7, 3, 3, 1, 0, 1, 1),    conv(2, 7, 7, 17, 33, 3, 3, 2, 1, 1, 1),
      conv(2, 8, 8, 16, 32, 1, 1, 1, 0, 1, 1),  conv(2, 8, 8, 16, 32, 1, 1, 2, 0, 1, 1),
      conv(2, 8, 8, 12, 10, 3, 3, 1, 2, 2, 1),  conv(2, 9, 9, 8, 8, 3, 3, 2, 2, 3, 1),
      conv(2, 6, 6, 16, 32, 3, 3, 1, 1, 1, 4),  conv(2, 7, 5, 6, 9, 3, 3, 1, 1, 1, 3),
      conv(2, 8, 8, 32, 32, 3, 3, 1, 1, 1, 32), conv(2, 7, 7, 20, 20, 3, 3, 2, 1, 1, 20),
      conv(2, 6, 6, 4, 4, 2, 2, 1, 2, 1, 1),    conv(1, 1, 1, 24, 40, 1, 1, 1, 0, 1, 1),
      conv(5, 9, 7, 32, 64, 3, 3, 1, 1, 1, 1),  conv(3, 4, 5, 16, 128, 5, 5, 1, 2, 1, 1), // own weight gradients
      conv(3, 6, 6, 48, 64, 4, 2, 1, 1, 1, 1),  conv(2, 17, 20, 16, 64, 1, 1, 1, 0, 1, 1),
      conv(2, 4, 4, 10, 12, 4, 4, 1, 0, 1, 1),  conv(1, 16, 16, 8, 8, 7, 7, 1, 3, 1, 1),
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_conv2d s = shapes[i];
    s.precision = SST_PRECISION_BF16;
    for (int k = 0; k < 12; k++) {
      s.in_type = (ssti_type)(k & 1);
      s.out_type = (ssti_type)(k >> 1 & 1);
      set_crossover(&p, k % 3 == SPIKES && k > 2 ? 1.0 : -1.0); // spikes also by additions
      check_conv(&p, &s, k % 3, k & 4);
    }
  }
  pair_end(&p);
}

// ---- linear layers

static void check_linear(pair *p, const ssti_linear *s, int filling, bool second) {
  const int64_t nx = s->rows * s->in, ny = s->rows * s->out, nw = s->in * s->out;
  const bool whole = filling == 1;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.linear_plan(p->tested, s, true, &plan));
  either x = either_of(input_of(nx, filling, 1), nx, s->in_type), dy = either_of(input_of(ny, whole, 2), ny, s->out_type);
  either y = either_of(floats(ny), ny, s->out_type), dx = either_of(target(nx, second, whole), nx, s->in_type);
  float *w = input_of(nw, whole, 3), *b = second ? filled(s->out, whole, 4) : NULL;
  float *dw = target(nw, second, whole), *db = target(s->out, second, whole);
  float *y_expected = floats(ny), *dx_expected = floats(nx), *dw_expected = target(nw, second, whole);
  float *db_expected = target(s->out, second, whole);
  round_all(w, nw);
  memcpy(dx_expected, dx.wide, (size_t)nx * sizeof *w);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  void *saved = memory_of(plan->saved);
  const ssti_kernels *f = &p->tested->kernels, *r = &p->reference->kernels;
  const ssti_linear plain = linear(s->rows, s->in, s->out);
  r->linear_forward(p->reference, &plain, NULL, x.wide, w, b, y_expected, NULL, NULL);
  r->linear_backward_data(p->reference, &plain, NULL, dy.wide, w, dx_expected, second, NULL);
  r->linear_backward_weights(p->reference, &plain, NULL, x.wide, dy.wide, dw_expected, second, db_expected, second, NULL,
                             NULL);
  f->linear_forward(p->tested, s, plan, data_of(&x), w, b, data_of(&y), saved, forward_space);
  f->linear_backward_data(p->tested, s, plan, data_of(&dy), w, data_of(&dx), second, backward_space);
  f->linear_backward_weights(p->tested, s, plan, data_of(&x), data_of(&dy), dw, second, db, second, saved, backward_space);
  compare_either(&y, y_expected, sum_tolerance(whole, s->in), "y");
  const double adding = second && s->in_type == SSTI_BF16 && !whole ? 0.05 : 0.0;
  compare_either(&dx, dx_expected, adding + sum_tolerance(whole, s->out), "dx");
  compare(dw, dw_expected, nw, sum_tolerance(whole, s->rows), "dweight");
  compare(db, db_expected, s->out, sum_tolerance(whole, s->rows), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&dx);
  release(w), release(b), release(dw), release(db), release(y_expected), release(dx_expected), release(dw_expected), release(db_expected);
  release(forward_space), release(backward_space), release(saved);
}

static void test_linear(void **state) {
  pair p = pair_make(*state);
  skip_without(&p);
  const ssti_linear shapes[] = {linear(1, 1, 1),    linear(1, 7, 5),      linear(5, 1, 3),     linear(3, 5, 1),
                                linear(17, 33, 9),  linear(64, 64, 64),   linear(32, 784, 100), linear(128, 256, 10),
                                linear(13, 1000, 257)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_linear s = shapes[i];
    s.precision = SST_PRECISION_BF16;
    for (int k = 0; k < 12; k++) {
      s.in_type = (ssti_type)(k & 1);
      s.out_type = (ssti_type)(k >> 1 & 1);
      set_crossover(&p, k % 3 == SPIKES && k > 2 ? 1.0 : -1.0);
      check_linear(&p, &s, k % 3, k & 4);
    }
  }
  pair_end(&p);
}

// ---- pooling: the f32 kernel on the same numbers, rounded once

static void check_pool(pair *p, const ssti_pool *s, bool accumulate) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->channels, ny = s->images * s->out_h * s->out_w * s->channels;
  either x = either_of(filled(nx, false, 1), nx, s->in_type), dy = either_of(filled(ny, false, 2), ny, s->out_type);
  either y = either_of(floats(ny), ny, s->out_type), dx = either_of(target(nx, accumulate, false), nx, s->in_type);
  float *y_expected = floats(ny), *dx_expected = floats(nx);
  memcpy(dx_expected, dx.wide, (size_t)nx * sizeof(float));
  uint8_t *saved = memory_of((size_t)ny), *saved_expected = memory_of((size_t)ny);
  uint8_t *kept = s->kind == SSTI_POOL_MAX ? saved : NULL, *kept_expected = kept ? saved_expected : NULL;
  ssti_pool plain = *s;
  plain.in_type = plain.out_type = SSTI_F32;
  ssti_plan *plan = NULL;
  const ssti_kernels *f = &p->tested->kernels;
  assert_ok(p->context, f->pool_plan(p->tested, s, true, &plan));
  void *space = plan ? memory_of(plan->forward_workspace) : NULL;
  void *back_space = plan ? memory_of(plan->backward_workspace) : NULL;
  f->pool_forward(p->tested, &plain, NULL, x.wide, y_expected, kept_expected, NULL);
  f->pool_forward(p->tested, s, plan, data_of(&x), data_of(&y), kept, space);
  f->pool_backward(p->tested, &plain, NULL, dy.wide, kept_expected, dx_expected, accumulate, NULL);
  f->pool_backward(p->tested, s, plan, data_of(&dy), kept, data_of(&dx), accumulate, back_space);
  if (s->out_type == SSTI_BF16) { round_all(y_expected, ny); }
  if (s->in_type == SSTI_BF16) { round_all(dx_expected, nx); }
  read_back(&y), read_back(&dx);
  assert_same_bits(y.wide, y_expected, ny);
  assert_same_bits(dx.wide, dx_expected, nx);
  if (kept) { assert_memory_equal(saved, saved_expected, (size_t)ny); }
  if (plan) { check_canary(space, plan->forward_workspace), check_canary(back_space, plan->backward_workspace); }
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&dx);
  release(y_expected), release(dx_expected), release(saved), release(saved_expected), release(space), release(back_space);
}

static void test_pool(void **state) {
  pair p = pair_make(*state);
  const struct {
    int64_t h, w, channels, kernel, stride, pad;
  } shapes[] = {{8, 8, 64, 2, 2, 0}, {7, 9, 67, 2, 2, 0}, {9, 9, 19, 3, 2, 1}, {6, 6, 5, 3, 1, 1}, {4, 4, 33, 4, 1, 0}};
  for (int k = 0; k < 16; k++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      ssti_pool s = {.kind = k & 8 ? SSTI_POOL_MAX : SSTI_POOL_AVERAGE, .images = 3, .in_h = shapes[i].h,
                     .in_w = shapes[i].w, .channels = shapes[i].channels, .kernel_h = shapes[i].kernel,
                     .kernel_w = shapes[i].kernel, .stride_h = shapes[i].stride, .stride_w = shapes[i].stride,
                     .pad_h = shapes[i].pad, .pad_w = shapes[i].pad, .in_type = (ssti_type)(k & 1),
                     .out_type = (ssti_type)(k >> 1 & 1)};
      s.out_h = output_length(s.in_h, s.kernel_h, s.stride_h, s.pad_h, 1);
      s.out_w = output_length(s.in_w, s.kernel_w, s.stride_w, s.pad_w, 1);
      EACH_LEVEL(&p, level) { check_pool(&p, &s, k & 4); }
    }
  }
  pair_end(&p);
}

// ---- graphs

enum { BATCH = 8, SIZE = 12, TIME = 3, WIDTH = 24, CLASSES = 5 };

typedef struct network {
  sst_parameters *store;
  sst_graph *graph;
  sst_value input, kept, loss, inner[4]; // inner: convolution, spikes, pooled, convolution
} network;

static sst_value constant(sst_graph *g, const char *name, sst_parameter_kind kind, float value) {
  return sst_graph_parameter(g, name, vector_shape(WIDTH), kind, (sst_initializer){SST_INIT_CONSTANT, value});
}

static sst_value layer(sst_graph *g, sst_value x, const char *name, sst_value *conv_out) {
  sst_graph_push(g, name, false);
  sst_conv2d_options conv = sst_conv2d_default();
  conv.pad_h = conv.pad_w = 1;
  const int64_t in = sst_graph_shape(g, x).dim[SST_AXIS_C];
  const sst_value y = *conv_out = sst_conv2d(g, x, graph_weight(g, "weight", sst_shape_make(1, WIDTH, 3, 3, in)), SST_NONE, &conv);
  const sst_batch_norm_options options = sst_batch_norm_default();
  sst_neuron neuron = sst_neuron_default();
  neuron.threshold = 0.5f;
  x = sst_batch_norm(g, y, constant(g, "gamma", SST_PARAMETER_NORM, 0.9f), constant(g, "beta", SST_PARAMETER_NORM, 0.2f),
                     constant(g, "mean", SST_PARAMETER_BUFFER, 0), constant(g, "variance", SST_PARAMETER_BUFFER, 1),
                     &options);
  x = sst_neuron_layer(g, x, TIME, &neuron, SST_NONE, NULL);
  sst_graph_pop(g);
  return x;
}

static network build(sst_context *context, sst_precision precision, bool keep) {
  network n = {0};
  assert_ok(context, sst_parameters_create(context, 5, &n.store));
  assert_ok(context, sst_graph_create(n.store, SST_DEVICE_CPU, &n.graph));
  sst_graph *g = n.graph;
  assert_int_equal(sst_graph_use_precision(g, precision), SST_PRECISION_F32);
  n.input = sst_graph_input(g, "x", sst_shape_make(1, BATCH, SIZE, SIZE, 3));
  const sst_pool_options pool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  n.inner[1] = layer(g, n.input, "first", &n.inner[0]);
  n.inner[2] = sst_average_pool(g, n.inner[1], &pool);
  n.kept = layer(g, n.inner[2], "second", &n.inner[3]);
  if (keep) { sst_graph_keep(g, n.inner[1]); }
  const sst_value flat = sst_flatten(g, n.kept);
  const sst_value weight =
      graph_weight(g, "weight", sst_shape_make(1, CLASSES, 1, 1, sst_graph_shape(g, flat).dim[SST_AXIS_C]));
  n.loss = sst_mean(g, sst_square(g, sst_linear(g, flat, weight, SST_NONE)), SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(g, n.loss));
  fill_normal(sst_graph_data(g, n.input), sst_shape_count(sst_graph_shape(g, n.input)), 1.0f, 11);
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

// Gradients on the smoothed network beside those of f32. Roundings of 8 bits, of random sign: 2^-9 each on average, and
// layers and passes add some up; a mistake would give another direction or length. The same seed gives the same bits.
static void test_gradients(void **state) {
  skip_without_bf16(*state);
  network wide = build(*state, SST_PRECISION_F32, false), half = build(*state, SST_PRECISION_BF16, false);
  network again = build(*state, SST_PRECISION_BF16, false);
  run(&wide, true), run(&half, true), run(&again, true);
  const double loss = (double)*sst_graph_data(wide.graph, wide.loss);
  assert_near(*sst_graph_data(half.graph, half.loss), loss, 0.01, 0);
  for (int i = 0; i < sst_parameters_count(wide.store); i++) {
    const sst_parameter *w = sst_parameters_at(wide.store, i), *h = sst_parameters_at(half.store, i);
    if (w->gradient == NULL) { continue; }
    double difference = 0, length = 0;
    for (int64_t k = 0; k < w->count; k++) {
      difference += pow((double)h->gradient[k] - (double)w->gradient[k], 2);
      length += pow((double)w->gradient[k], 2);
    }
    assert_true(length > 0);
    if (difference > 0.02 * 0.02 * length) {
      fail_msg("%s: the gradient is %.3g of its length away from that of f32", w->name, sqrt(difference / length));
    }
    assert_true(difference > 0); // it did compute in another precision
    assert_same_bits(sst_parameters_at(again.store, i)->gradient, h->gradient, h->count);
  }
  end(&wide), end(&half), end(&again);
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

// Who lacks the instructions says so; nothing else is taken in its place.
static void test_refusal(void **state) {
  sst_context *context = *state;
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  assert_int_equal(sst_graph_use_precision(graph, SST_PRECISION_BF16), SST_PRECISION_F32);
  assert_fails(context, SST_UNSUPPORTED, sst_graph_status(graph),
               "precision bf16 is not to be had on device cpu-ref: it computes in f32 only");
  sst_graph_destroy(graph);
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU, &graph));
  assert_true(ssti_fast_force_level(graph->backend, SSTI_SIMD_BASELINE));
  assert_int_equal(sst_graph_use_precision(graph, SST_PRECISION_F32), SST_PRECISION_F32);
  assert_ok(context, sst_graph_status(graph));
  (void)sst_graph_use_precision(graph, SST_PRECISION_BF16);
  assert_fails(context, SST_UNSUPPORTED, sst_graph_status(graph), "this CPU has no AVX512_BF16 instructions");
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
}

static void test_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_PRECISION_COUNT; i++) {
    sst_precision found;
    assert_true(sst_precision_parse(sst_precision_word((sst_precision)i), &found));
    assert_int_equal(found, i);
  }
  sst_precision found;
  assert_false(sst_precision_parse("f16", &found));
  assert_false(sst_precision_parse(NULL, &found));
  assert_string_equal(sst_precision_word(SST_PRECISION_COUNT), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_conversions), TEST(test_conv2d), TEST(test_linear), TEST(test_pool),
                                      TEST(test_storage),     TEST(test_gradients), TEST(test_spikes), TEST(test_refusal),
                                      TEST(test_words)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
