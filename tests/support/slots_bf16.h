// SPDX-License-Identifier: Apache-2.0
// Slots in precision BF16 against the reference on the same rounded numbers: see slot_pair.h. Products of whole
// numbers, and sums of weights by spikes, must be exact to f32's rounding of sums; what is put into a bf16 tensor is
// that, rounded once. Who includes this says how many spikes are added up rather than multiplied (set_crossover), and
// whether it rounds more: the gradients of a convolution's weights, and sums that are stored as bf16 before a bias is
// added to them.
#ifndef SPIKESTILL_TESTS_SLOTS_BF16_H
#define SPIKESTILL_TESTS_SLOTS_BF16_H

#include "slot_pair.h"

static void set_crossover(pair *p, double number);
static const bool rounds_convolution_weights, rounds_before_bias;

static void skip_without(pair *p) {
  if (p->tested->without[SST_PRECISION_BF16] == NULL) { return; }
  print_message("skipped: %s\n", p->tested->without[SST_PRECISION_BF16]);
  pair_end(p);
  skip();
}

// ---- a tensor of either type, with the same numbers as f32

typedef struct either {
  int64_t count;
  ssti_type type;
  float *wide;     // what the numbers are
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
  support_assert_all_near(found->wide, expected, found->count, tolerance + rounding, tolerance, what, __FILE__,
                          __LINE__);
}

// ---- convolutions

enum { SPIKES = 2 }; // of `filling`: 0 normal, 1 whole numbers

static float *input_of(int64_t count, int filling, uint64_t stream) {
  float *x = filled(count, filling == 1, stream);
  for (int64_t i = 0; filling == SPIKES && i < count; i++) { x[i] = x[i] > 1.2f ? 1.0f : 0.0f; }
  return x;
}

// Of numbers that are rounded before others of their size are added.
static double rounding_of(bool rounds, const float *numbers, int64_t count) {
  double largest = 1.0;
  for (int64_t i = 0; rounds && i < count; i++) { largest = fmax(largest, fabs((double)numbers[i])); }
  return rounds ? largest / 256 : 0.0;
}

static void check_bf16_conv(pair *p, const ssti_conv2d *s, int filling, bool second) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t per_output = s->kernel_h * s->kernel_w * (s->in_c / s->groups), nw = s->out_c * per_output;
  const bool whole = filling == 1;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  either x = either_of(input_of(nx, filling, 1), nx, s->in_type),
         dy = either_of(input_of(ny, whole, 2), ny, s->out_type);
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
  r->conv2d_backward_weights(p->reference, &plain, NULL, x.wide, dy.wide, dw_expected, second, db_expected, second,
                             NULL, NULL);
  const uint64_t allocations = sst_context_allocation_count(p->context);
  f->conv2d_forward(p->tested, s, plan, data_of(&x), w_rounded, b, data_of(&y), saved, forward_space);
  f->conv2d_forward(p->tested, s, plan, data_of(&x), w_rounded, b, data_of(&again), saved, forward_space);
  f->conv2d_backward_data(p->tested, s, plan, data_of(&dy), w, data_of(&dx), second, backward_space);
  f->conv2d_backward_weights(p->tested, s, plan, data_of(&x), data_of(&dy), dw, second, db, second, saved,
                             backward_space);
  pair_wait(p);
  assert_int_equal(sst_context_allocation_count(p->context), allocations);
  const bool twice = rounds_before_bias && b != NULL && s->out_type == SSTI_BF16;
  compare_either(&y, y_expected, sum_tolerance(whole, per_output) + rounding_of(twice, y_expected, ny), "y");
  read_back(&again);
  assert_same_bits(again.wide, y.wide, ny);
  // Adding to bf16 rounds the sum, which may be smaller than what is added.
  const double adding = second && s->in_type == SSTI_BF16 && !whole ? 0.05 : 0.0;
  compare_either(&dx, dx_expected, adding + sum_tolerance(whole, s->kernel_h * s->kernel_w * (s->out_c / s->groups)),
                 "dx");
  compare(dw, dw_expected, nw,
          sum_tolerance(whole, s->images * s->out_h * s->out_w) +
              rounding_of(rounds_convolution_weights, dw_expected, nw),
          "dweight");
  compare(db, db_expected, s->out_c, sum_tolerance(whole, s->images * s->out_h * s->out_w), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  check_canary(saved, plan->saved);
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&again), either_end(&dx);
  release(w), release(b), release(dw), release(db), release(y_expected), release(dx_expected), release(dw_expected),
      release(db_expected);
  release(w_rounded), release(forward_space), release(backward_space), release(saved);
}

static void test_bf16_conv2d(void **state) {
  pair p = pair_make(*state);
  skip_without(&p);
  const ssti_conv2d shapes[] = {
      conv(3, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1),    conv(2, 9, 7, 1, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 9, 2, 8, 5, 5, 2, 2, 1, 1),     conv(2, 8, 6, 64, 32, 3, 3, 1, 1, 1, 1),
      conv(1, 5, 7, 5, 7, 3, 3, 1, 0, 1, 1),     conv(2, 7, 7, 17, 33, 3, 3, 2, 1, 1, 1),
      conv(2, 8, 8, 16, 32, 1, 1, 1, 0, 1, 1),   conv(2, 8, 8, 16, 32, 1, 1, 2, 0, 1, 1),
      conv(2, 8, 8, 12, 10, 3, 3, 1, 2, 2, 1),   conv(2, 9, 9, 8, 8, 3, 3, 2, 2, 3, 1),
      conv(2, 6, 6, 16, 32, 3, 3, 1, 1, 1, 4),   conv(2, 7, 5, 6, 9, 3, 3, 1, 1, 1, 3),
      conv(2, 8, 8, 32, 32, 3, 3, 1, 1, 1, 32),  conv(2, 7, 7, 20, 20, 3, 3, 2, 1, 1, 20),
      conv(2, 6, 6, 4, 4, 2, 2, 1, 2, 1, 1),     conv(1, 1, 1, 24, 40, 1, 1, 1, 0, 1, 1),
      conv(5, 9, 7, 32, 64, 3, 3, 1, 1, 1, 1),   conv(3, 4, 5, 16, 128, 5, 5, 1, 2, 1, 1), // own weight gradients
      conv(3, 6, 6, 48, 64, 4, 2, 1, 1, 1, 1),   conv(2, 17, 20, 16, 64, 1, 1, 1, 0, 1, 1),
      conv(2, 4, 4, 10, 12, 4, 4, 1, 0, 1, 1),   conv(1, 16, 16, 8, 8, 7, 7, 1, 3, 1, 1),
      conv(3, 18, 17, 16, 16, 3, 3, 1, 1, 1, 1), conv(5, 13, 31, 32, 32, 3, 3, 1, 1, 1, 1), // few channels
      conv(2, 12, 9, 16, 32, 3, 3, 2, 1, 1, 1),  conv(2, 7, 11, 48, 16, 5, 3, 1, 2, 1, 1),
      conv(3, 9, 10, 32, 16, 1, 1, 2, 0, 1, 1),  conv(2, 6, 5, 64, 16, 3, 3, 1, 0, 1, 1),
      conv(4, 40, 24, 16, 16, 3, 3, 1, 1, 1, 1), conv(3, 9, 8, 32, 64, 3, 3, 2, 1, 1, 1),
      conv(2, 8, 8, 16, 64, 1, 1, 2, 0, 1, 1),   conv(2, 11, 10, 16, 16, 5, 3, 2, 2, 1, 1),
      conv(3, 42, 42, 16, 64, 1, 1, 1, 0, 1, 1), // more than a group of pictures
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_conv2d s = shapes[i];
    s.precision = SST_PRECISION_BF16;
    for (int k = 0; k < 12; k++) {
      s.in_type = (ssti_type)(k & 1);
      s.out_type = (ssti_type)(k >> 1 & 1);
      set_crossover(&p, k % 3 == SPIKES && k > 2 ? 1.0 : -1.0); // spikes also by additions
      check_bf16_conv(&p, &s, k % 3, k & 4);
    }
  }
  pair_end(&p);
}

// ---- linear layers

static void check_bf16_linear(pair *p, const ssti_linear *s, int filling, bool second) {
  const int64_t nx = s->rows * s->in, ny = s->rows * s->out, nw = s->in * s->out;
  const bool whole = filling == 1;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.linear_plan(p->tested, s, true, &plan));
  either x = either_of(input_of(nx, filling, 1), nx, s->in_type),
         dy = either_of(input_of(ny, whole, 2), ny, s->out_type);
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
  r->linear_backward_weights(p->reference, &plain, NULL, x.wide, dy.wide, dw_expected, second, db_expected, second,
                             NULL, NULL);
  f->linear_forward(p->tested, s, plan, data_of(&x), w, b, data_of(&y), saved, forward_space);
  f->linear_backward_data(p->tested, s, plan, data_of(&dy), w, data_of(&dx), second, backward_space);
  f->linear_backward_weights(p->tested, s, plan, data_of(&x), data_of(&dy), dw, second, db, second, saved,
                             backward_space);
  pair_wait(p);
  const bool twice = rounds_before_bias && b != NULL && s->out_type == SSTI_BF16;
  compare_either(&y, y_expected, sum_tolerance(whole, s->in) + rounding_of(twice, y_expected, ny), "y");
  const double adding = second && s->in_type == SSTI_BF16 && !whole ? 0.05 : 0.0;
  compare_either(&dx, dx_expected, adding + sum_tolerance(whole, s->out), "dx");
  compare(dw, dw_expected, nw, sum_tolerance(whole, s->rows), "dweight");
  compare(db, db_expected, s->out, sum_tolerance(whole, s->rows), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&dx);
  release(w), release(b), release(dw), release(db), release(y_expected), release(dx_expected), release(dw_expected),
      release(db_expected);
  release(forward_space), release(backward_space), release(saved);
}

static void test_bf16_linear(void **state) {
  pair p = pair_make(*state);
  skip_without(&p);
  const ssti_linear shapes[] = {linear(1, 1, 1),      linear(1, 7, 5),      linear(5, 1, 3),
                                linear(3, 5, 1),      linear(17, 33, 9),    linear(64, 64, 64),
                                linear(32, 784, 100), linear(128, 256, 10), linear(13, 1000, 257)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_linear s = shapes[i];
    s.precision = SST_PRECISION_BF16;
    for (int k = 0; k < 12; k++) {
      s.in_type = (ssti_type)(k & 1);
      s.out_type = (ssti_type)(k >> 1 & 1);
      set_crossover(&p, k % 3 == SPIKES && k > 2 ? 1.0 : -1.0);
      check_bf16_linear(&p, &s, k % 3, k & 4);
    }
  }
  pair_end(&p);
}

// ---- pooling: the f32 kernel on the same numbers, rounded once

static void check_bf16_pool(pair *p, const ssti_pool *s, bool accumulate) {
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
  pair_wait(p);
  if (s->out_type == SSTI_BF16) { round_all(y_expected, ny); }
  if (s->in_type == SSTI_BF16) { round_all(dx_expected, nx); }
  read_back(&y), read_back(&dx);
  assert_same_bits(y.wide, y_expected, ny);
  assert_same_bits(dx.wide, dx_expected, nx);
  if (kept) { assert_memory_equal(saved, saved_expected, (size_t)ny); }
  if (plan) { check_canary(space, plan->forward_workspace), check_canary(back_space, plan->backward_workspace); }
  f->plan_destroy(p->tested, plan);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&dx);
  release(y_expected), release(dx_expected), release(saved), release(saved_expected), release(space),
      release(back_space);
}

static void test_bf16_pool(void **state) {
  pair p = pair_make(*state);
  const struct {
    int64_t h, w, channels, kernel, stride, pad;
  } shapes[] = {{8, 8, 64, 2, 2, 0}, {7, 9, 67, 2, 2, 0}, {9, 9, 19, 3, 2, 1}, {6, 6, 5, 3, 1, 1}, {4, 4, 33, 4, 1, 0}};
  for (int k = 0; k < 16; k++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      ssti_pool s = {.kind = k & 8 ? SSTI_POOL_MAX : SSTI_POOL_AVERAGE,
                     .images = 3,
                     .in_h = shapes[i].h,
                     .in_w = shapes[i].w,
                     .channels = shapes[i].channels,
                     .kernel_h = shapes[i].kernel,
                     .kernel_w = shapes[i].kernel,
                     .stride_h = shapes[i].stride,
                     .stride_w = shapes[i].stride,
                     .pad_h = shapes[i].pad,
                     .pad_w = shapes[i].pad,
                     .in_type = (ssti_type)(k & 1),
                     .out_type = (ssti_type)(k >> 1 & 1)};
      s.out_h = output_length(s.in_h, s.kernel_h, s.stride_h, s.pad_h, 1);
      s.out_w = output_length(s.in_w, s.kernel_w, s.stride_w, s.pad_w, 1);
      EACH_LEVEL(&p, level) { check_bf16_pool(&p, &s, k & 4); }
    }
  }
  pair_end(&p);
}

// ---- batch norm alone: the f32 kernel on the same numbers, with what is written in bf16 rounded once

static void check_bf16_norm(pair *p, const ssti_batch_norm *s, bool batch_statistics, bool accumulate) {
  const int64_t c = s->channels, count = s->rows * c;
  ssti_batch_norm plain = *s;
  plain.in_type = plain.out_type = SSTI_F32;
  either x = either_of(filled(count, false, 1), count, s->in_type);
  either dy = either_of(filled(count, false, 2), count, s->out_type), y = either_of(floats(count), count, s->out_type);
  either constant = either_of(floats(count), count, s->out_type);
  either dx = either_of(target(count, accumulate, false), count, s->in_type);
  float *y_expected = floats(count), *constant_expected = floats(count), *dx_expected = floats(count);
  memcpy(dx_expected, dx.wide, (size_t)count * sizeof(float));
  // gamma, beta, running mean and variance, saved [2], gradients [2]
  float *found = filled(8 * c, false, 3), *expected = filled(8 * c, false, 3);
  for (int64_t i = 3 * c; i < 4 * c; i++) { found[i] = expected[i] = fabsf(found[i]) + 0.5f; }
  const ssti_kernels *k = &p->tested->kernels;
  const size_t bytes = k->batch_norm_workspace(p->tested, s);
  void *space = memory_of(bytes), *plain_space = memory_of(k->batch_norm_workspace(p->tested, &plain));
  const struct {
    const ssti_batch_norm *shape;
    const float *x, *dy;
    float *y, *constant, *dx, *v;
    void *space;
  } runs[] = {{&plain, x.wide, dy.wide, y_expected, constant_expected, dx_expected, expected, plain_space},
              {s, data_of(&x), data_of(&dy), data_of(&y), data_of(&constant), data_of(&dx), found, space}};
  for (int i = 0; i < 2; i++) {
    float *v = runs[i].v;
    k->batch_norm_forward_inference(p->tested, runs[i].shape, runs[i].x, v, v + c, v + 2 * c, v + 3 * c,
                                    runs[i].constant);
    k->batch_norm_forward_training(p->tested, runs[i].shape, runs[i].x, v, v + c, v + 2 * c, v + 3 * c, runs[i].y,
                                   v + 4 * c);
    k->batch_norm_backward(p->tested, runs[i].shape, runs[i].x, runs[i].dy, v, v + 4 * c, batch_statistics, runs[i].dx,
                           accumulate, v + 6 * c, accumulate, v + 7 * c, accumulate, runs[i].space);
  }
  pair_wait(p);
  read_back(&y), read_back(&constant), read_back(&dx);
  if (s->out_type == SSTI_BF16) { round_all(y_expected, count), round_all(constant_expected, count); }
  if (s->in_type == SSTI_BF16) { round_all(dx_expected, count); }
  assert_same_bits(y.wide, y_expected, count);
  assert_same_bits(constant.wide, constant_expected, count);
  assert_same_bits(dx.wide, dx_expected, count);
  assert_same_bits(found, expected, 8 * c);
  check_canary(space, bytes);
  either_end(&x), either_end(&dy), either_end(&y), either_end(&constant), either_end(&dx);
  release(y_expected), release(constant_expected), release(dx_expected), release(found), release(expected);
  release(space), release(plain_space);
}

static void test_bf16_batch_norm(void **state) {
  pair p = pair_make(*state);
  const struct {
    int64_t rows, channels, steps;
  } shapes[] = {{2, 1, 1},     {1000, 1, 4}, {777, 3, 3},  {300, 17, 2},  {129, 64, 1},
                {4100, 16, 4}, {70, 100, 2}, {30, 513, 3}, {20, 2048, 2}, {9, 2300, 1}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int k = 0; k < 12; k++) {
      const ssti_batch_norm s = {.rows = shapes[i].rows,
                                 .channels = shapes[i].channels,
                                 .steps = shapes[i].steps,
                                 .epsilon = 1e-5f,
                                 .momentum = 0.1f,
                                 .scale = i % 2 ? 1.0f : 0.5f,
                                 .in_type = (ssti_type)(k % 3 != 1),
                                 .out_type = (ssti_type)(k % 3 != 2)};
      EACH_LEVEL(&p, level) { check_bf16_norm(&p, &s, k & 4, k & 1); }
    }
  }
  pair_end(&p);
}

// ---- sums of two tensors: added up in f32, rounded once

static void check_bf16_sum(pair *p, const ssti_binary *s, bool accumulate_a, bool accumulate_b) {
  const int64_t count = sst_shape_count(s->a);
  either a = either_of(filled(count, false, 1), count, s->a_type),
         b = either_of(filled(count, false, 2), count, s->b_type);
  either y = either_of(floats(count), count, s->out_type), dy = either_of(filled(count, false, 3), count, s->out_type);
  either da = either_of(target(count, accumulate_a, false), count, s->a_type);
  either db = either_of(target(count, accumulate_b, false), count, s->b_type);
  float *expected[3] = {floats(count), floats(count), floats(count)};
  for (int64_t i = 0; i < count; i++) {
    expected[0][i] = a.wide[i] + b.wide[i];
    expected[1][i] = accumulate_a ? da.wide[i] + dy.wide[i] : dy.wide[i];
    expected[2][i] = accumulate_b ? db.wide[i] + dy.wide[i] : dy.wide[i];
  }
  const ssti_kernels *k = &p->tested->kernels;
  k->binary_forward(p->tested, s, data_of(&a), data_of(&b), data_of(&y));
  k->binary_backward(p->tested, s, data_of(&a), data_of(&b), data_of(&dy), data_of(&da), accumulate_a, NULL, false);
  k->binary_backward(p->tested, s, data_of(&a), data_of(&b), data_of(&dy), NULL, false, data_of(&db), accumulate_b);
  pair_wait(p);
  either *const found[3] = {&y, &da, &db};
  for (int i = 0; i < 3; i++) {
    read_back(found[i]);
    if (found[i]->type == SSTI_BF16) { round_all(expected[i], count); }
    assert_same_bits(found[i]->wide, expected[i], count);
    release(expected[i]);
  }
  either_end(&a), either_end(&b), either_end(&y), either_end(&dy), either_end(&da), either_end(&db);
}

static void test_bf16_sum(void **state) {
  pair p = pair_make(*state);
  const sst_shape shapes[] = {sst_shape_make(1, 1, 1, 1, 1), sst_shape_make(2, 3, 5, 7, 11),
                              sst_shape_make(4, 8, 16, 16, 16)};
  for (int k = 1; k < 8; k++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      const ssti_binary s = {.kind = SSTI_BINARY_ADD,
                             .a = shapes[i],
                             .b = shapes[i],
                             .a_type = (ssti_type)(k & 1),
                             .b_type = (ssti_type)(k >> 1 & 1),
                             .out_type = (ssti_type)(k >> 2 & 1)};
      EACH_LEVEL(&p, level) {
        check_bf16_sum(&p, &s, false, false);
        check_bf16_sum(&p, &s, true, k % 2);
        check_bf16_sum(&p, &s, k % 2, true);
      }
    }
  }
  pair_end(&p);
}

// ---- neurons

// Neurons alone: the f32 kernel on the same numbers, with what is written rounded once.
static void check_neuron_types(pair *p, const ssti_neuron_shape *s, bool accumulate) {
  const int64_t nx = s->input_steps * s->count, ny = s->steps * s->count;
  either x = either_of(filled(nx, false, 1), nx, s->in_type),
         dspikes = either_of(filled(ny, false, 2), ny, s->out_type);
  either spikes = either_of(floats(ny), ny, s->out_type), dx = either_of(target(nx, accumulate, false), nx, s->in_type);
  float *dmembrane = filled(ny, false, 3), *membrane = floats(ny), *membrane_expected = floats(ny);
  float *spikes_expected = floats(ny), *dx_expected = floats(nx), *w = floats(1), *ddecay = floats(2);
  *w = 0.3f;
  memcpy(dx_expected, dx.wide, (size_t)nx * sizeof *w);
  const float *decay = s->neuron.kind == SST_NEURON_PLIF ? w : NULL;
  ssti_neuron_shape plain = *s;
  plain.in_type = plain.out_type = SSTI_F32;
  const ssti_kernels *k = &p->tested->kernels;
  const size_t forward_bytes = k->neuron_workspace(p->tested, s, false);
  const size_t backward_bytes = k->neuron_workspace(p->tested, s, true);
  void *forward_space = memory_of(forward_bytes), *workspace = memory_of(backward_bytes);
  k->neuron_forward(p->tested, &plain, x.wide, decay, spikes_expected, membrane_expected, NULL);
  k->neuron_backward(p->tested, &plain, x.wide, decay, dspikes.wide, dmembrane, dx_expected, accumulate,
                     decay ? ddecay : NULL, false, workspace);
  k->neuron_forward(p->tested, s, data_of(&x), decay, data_of(&spikes), membrane, forward_space);
  k->neuron_backward(p->tested, s, data_of(&x), decay, data_of(&dspikes), dmembrane, data_of(&dx), accumulate,
                     decay ? ddecay + 1 : NULL, false, workspace);
  pair_wait(p);
  read_back(&spikes), read_back(&dx);
  if (s->out_type == SSTI_BF16) { round_all(spikes_expected, ny); }
  if (s->in_type == SSTI_BF16) { round_all(dx_expected, nx); }
  assert_same_bits(spikes.wide, spikes_expected, ny);
  assert_same_bits(membrane, membrane_expected, ny);
  assert_same_bits(dx.wide, dx_expected, nx);
  if (decay) { assert_near(ddecay[1], ddecay[0], 1e-4, 1e-4); }
  check_canary(forward_space, forward_bytes), check_canary(workspace, backward_bytes);
  either_end(&x), either_end(&dspikes), either_end(&spikes), either_end(&dx);
  release(dmembrane), release(membrane), release(membrane_expected), release(spikes_expected), release(dx_expected);
  release(w), release(ddecay), release(forward_space), release(workspace);
}

static void test_bf16_neuron(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {37, 512, 1028};
  int taken = 0;
  for (int number = 0; number < 8 * SST_NEURON_COUNT; number++) {
    const sst_neuron_kind kind = (sst_neuron_kind)(number / 8);
    if (!p.tested->kernels.neuron_takes_bf16(kind)) { continue; }
    taken++;
    sst_neuron neuron = numbered_neuron(kind, number % 8, number % SST_SURROGATE_COUNT, number);
    if (kind >= SST_NEURON_LI) { neuron.membrane_bits = 0; }
    const int64_t steps = number % 5 == 0 ? 17 : 1 + number % 4;
    const ssti_neuron_shape shape = {.neuron = neuron,
                                     .steps = steps,
                                     .input_steps = number % 7 == 3 ? 1 : steps,
                                     .count = counts[number % 3],
                                     .in_type = (ssti_type)(number % 4 != 1),
                                     .out_type = (ssti_type)(number % 4 != 2)};
    EACH_LEVEL(&p, level) { check_neuron_types(&p, &shape, number % 2); }
  }
  assert_true(taken >= 3 * 8); // IF, LIF, PLIF
  pair_end(&p);
}

#endif
