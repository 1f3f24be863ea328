// SPDX-License-Identifier: Apache-2.0
// Slots that broadcast or reduce, and copies, against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_AXES_H
#define SPIKESTILL_TESTS_SLOTS_AXES_H

#include "slot_pair.h"

static const sst_shape axes_shapes[] = {
    {{1, 1, 1, 1, 1}},   {{1, 1, 1, 1, 37}}, {{4, 3, 5, 7, 6}},
    {{2, 90, 1, 1, 10}}, {{1, 5, 33, 2, 1}}, {{2, 2, 3, 3, 70}},
};
enum { AXES_SHAPES = sizeof axes_shapes / sizeof *axes_shapes };

static sst_shape with_ones(sst_shape shape, int axes) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (axes & (1 << i)) { shape.dim[i] = 1; }
  }
  return shape;
}

// A sum over `count` terms of size 1 that came out as about its square root.
static double axes_tolerance(int64_t count) { return 1e-6 + 2e-7 * sqrt((double)count); }

static void check_binary(pair *p, ssti_binary_kind kind, sst_shape shape_a, sst_shape shape_b, bool accumulate) {
  const int64_t na = sst_shape_count(shape_a), nb = sst_shape_count(shape_b);
  int64_t n = 1;
  for (int i = 0; i < SST_AXIS_COUNT; i++) { n *= shape_a.dim[i] > shape_b.dim[i] ? shape_a.dim[i] : shape_b.dim[i]; }
  float *a = filled(na, false, 1), *b = floats(nb), *dy = filled(n, false, 3);
  fill_uniform(b, nb, 0.5f, 2.0f, 2); // divided by
  float *y_expected = floats(n), *da_expected = target(na, accumulate, false),
        *db_expected = target(nb, accumulate, false);
  const ssti_kernels *r = &p->reference->kernels, *t = &p->tested->kernels;
  const ssti_binary shape = {.kind = kind, .a = shape_a, .b = shape_b};
  r->binary_forward(p->reference, &shape, a, b, y_expected);
  r->binary_backward(p->reference, &shape, a, b, dy, da_expected, accumulate, db_expected, accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(n), *da = target(na, accumulate, false), *db = target(nb, accumulate, false);
    t->binary_forward(p->tested, &shape, a, b, y);
    t->binary_backward(p->tested, &shape, a, b, dy, da, accumulate, NULL, false);
    t->binary_backward(p->tested, &shape, a, b, dy, NULL, false, db, accumulate);
    pair_wait(p);
    assert_same_bits(y, y_expected, n);
    compare(da, da_expected, na, axes_tolerance(n / na), "da");
    compare(db, db_expected, nb, axes_tolerance(n / nb), "db");
    release(y), release(da), release(db);
  }
  release(a), release(b), release(dy), release(y_expected), release(da_expected), release(db_expected);
}

static void test_binary(void **state) {
  pair p = pair_make(*state);
  int number = 0;
  for (int shape = 0; shape < AXES_SHAPES; shape++) {
    for (int axes = 0; axes <= SST_AXES_ALL; axes += shape % 2 ? 1 : 3, number++) {
      const sst_shape whole = axes_shapes[shape], part = with_ones(whole, axes);
      const ssti_binary_kind kind = (ssti_binary_kind)(number % 4);
      check_binary(&p, kind, whole, part, number % 3 == 0);
      check_binary(&p, kind, part, whole, number % 3 == 1);
      check_binary(&p, kind, with_ones(whole, axes & 5), with_ones(whole, axes & 26), number % 3 == 2);
    }
  }
  pair_end(&p);
}

static void check_reduce(pair *p, ssti_reduce_kind kind, sst_shape shape, int axes, bool accumulate) {
  const sst_shape result = with_ones(shape, axes);
  const int64_t n = sst_shape_count(shape), m = sst_shape_count(result);
  // Whole numbers have equal maxima, of which the first counts.
  float *x = filled(n, kind == SSTI_REDUCE_MAX, 1), *dy = filled(m, false, 2);
  float *y_expected = floats(m), *dx_expected = target(n, accumulate, false);
  p->reference->kernels.reduce_forward(p->reference, kind, shape, axes, x, y_expected);
  p->reference->kernels.reduce_backward(p->reference, kind, shape, axes, x, y_expected, dy, dx_expected, accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(m), *dx = target(n, accumulate, false);
    p->tested->kernels.reduce_forward(p->tested, kind, shape, axes, x, y);
    p->tested->kernels.reduce_backward(p->tested, kind, shape, axes, x, y_expected, dy, dx, accumulate);
    pair_wait(p);
    compare(y, y_expected, m, kind == SSTI_REDUCE_MAX ? 0.0 : axes_tolerance(n / m), "y");
    compare(dx, dx_expected, n, 1e-7, "dx");
    release(y), release(dx);
  }
  release(x), release(dy), release(y_expected), release(dx_expected);
}

static void test_reduce(void **state) {
  pair p = pair_make(*state);
  for (int shape = 0; shape < AXES_SHAPES; shape++) {
    for (int axes = 0; axes <= SST_AXES_ALL; axes += shape % 2 ? 1 : 3) {
      for (int kind = 0; kind < 3; kind++) {
        check_reduce(&p, (ssti_reduce_kind)kind, axes_shapes[shape], axes, (axes + kind) % 2);
      }
    }
  }
  // Many elements into one and into few: chunks.
  check_reduce(&p, SSTI_REDUCE_SUM, (sst_shape){{2, 20, 30, 10, 17}}, SST_AXES_ALL, false);
  check_reduce(&p, SSTI_REDUCE_SUM, (sst_shape){{2, 20, 30, 10, 17}}, SST_AXES_ALL & ~SST_AXES_N, false);
  check_reduce(&p, SSTI_REDUCE_MEAN, (sst_shape){{3, 2, 4, 5, 16}}, SST_AXES_ALL & ~SST_AXES_N, true);
  check_reduce(&p, SSTI_REDUCE_MEAN, (sst_shape){{1, 7, 1, 9, 65}}, SST_AXES_W | SST_AXES_C, false);
  check_reduce(&p, SSTI_REDUCE_SUM, (sst_shape){{2, 3, 4, 10, 17}}, SST_AXES_N | SST_AXES_W | SST_AXES_C, false);
  check_reduce(&p, SSTI_REDUCE_MAX, (sst_shape){{2, 20, 30, 10, 17}}, SST_AXES_ALL & ~SST_AXES_C, false);
  check_reduce(&p, SSTI_REDUCE_MEAN, (sst_shape){{2, 20, 30, 10, 17}}, SST_AXES_T | SST_AXES_N | SST_AXES_H, true);
  pair_end(&p);
}

// A value that is not a number is the maximum.
static void test_reduce_nan(void **state) {
  pair p = pair_make(*state);
  const sst_shape shape = {{1, 1, 1, 3, 50}};
  EACH_LEVEL(&p, level) {
    float *x = filled(150, false, 1), *y = floats(3);
    x[60] = NAN;
    p.tested->kernels.reduce_forward(p.tested, SSTI_REDUCE_MAX, shape, SST_AXES_C, x, y);
    pair_wait(&p);
    assert_true(!isnan(y[0]) && isnan(y[1]) && !isnan(y[2]));
    release(x), release(y);
  }
  pair_end(&p);
}

static void check_l2(pair *p, sst_shape shape, int axes, float epsilon, bool accumulate) {
  const int64_t n = sst_shape_count(shape);
  float *x = filled(n, false, 1), *dy = filled(n, false, 2);
  float *y_expected = floats(n), *dx_expected = target(n, accumulate, false);
  p->reference->kernels.l2_normalize_forward(p->reference, shape, axes, epsilon, x, y_expected);
  p->reference->kernels.l2_normalize_backward(p->reference, shape, axes, epsilon, x, dy, dx_expected, accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(n), *dx = target(n, accumulate, false);
    p->tested->kernels.l2_normalize_forward(p->tested, shape, axes, epsilon, x, y);
    p->tested->kernels.l2_normalize_backward(p->tested, shape, axes, epsilon, x, dy, dx, accumulate);
    pair_wait(p);
    compare(y, y_expected, n, 1e-6, "y");
    compare(dx, dx_expected, n, 1e-6, "dx");
    release(y), release(dx);
  }
  release(x), release(dy), release(y_expected), release(dx_expected);
}

static void test_l2_normalize(void **state) {
  pair p = pair_make(*state);
  for (int shape = 0; shape < AXES_SHAPES; shape++) {
    for (int axes = 1; axes <= SST_AXES_ALL; axes += 5) {
      check_l2(&p, axes_shapes[shape], axes, axes % 2 ? 1e-3f : 3.0f, axes % 3 == 0);
    }
  }
  // More results than have room for their factors.
  check_l2(&p, (sst_shape){{1, 1, 1, 140000, 2}}, SST_AXES_C, 0.5f, true);
  pair_end(&p);
}

static void test_copies(void **state) {
  pair p = pair_make(*state);
  const struct {
    int64_t outer, width, from_stride, to_stride;
  } rows[] = {{1, 1, 1, 1}, {1, 1000, 7, 7}, {5, 12, 12, 12}, {7, 3, 5, 4}, {40, 64, 64, 100}, {6, 9, 0, 9}};
  for (int i = 0; i < 12; i++) {
    const int64_t outer = rows[i / 2].outer, width = rows[i / 2].width, step = rows[i / 2].from_stride;
    const int64_t to_step = rows[i / 2].to_stride, n = outer * to_step + width;
    const bool accumulate = i % 2;
    float *from = filled(outer * step + width, false, 1), *expected = target(n, accumulate, false);
    p.reference->kernels.copy_rows(p.reference, outer, width, from, step, expected, to_step, accumulate);
    EACH_LEVEL(&p, level) {
      float *to = target(n, accumulate, false);
      p.tested->kernels.copy_rows(p.tested, outer, width, from, step, to, to_step, accumulate);
      pair_wait(&p);
      assert_memory_equal(to, expected, (size_t)n * sizeof *to);
      release(to);
    }
    release(from), release(expected);
  }
  pair_end(&p);
}

static void test_copy_box(void **state) {
  pair p = pair_make(*state);
  const ssti_box boxes[] = {
      ssti_box_of(sst_shape_make(2, 3, 4, 5, 6)),
      {.count = {2, 3, 4, 5}, .from_stride = {60, 20, 5, 1}, .to_stride = {200, 40, 8, 1}},
      {.count = {3, 4, 2, 3}, .from_stride = {24, 6, 3, 1}, .to_stride = {1, 3, 12, 24}},
      {.count = {1, 1, 1, 1}, .from_stride = {1, 1, 1, 1}, .to_stride = {1, 1, 1, 1}},
  };
  for (int i = 0; i < 8; i++) {
    const bool accumulate = i % 2;
    float *from = filled(1000, false, 1), *expected = target(1000, accumulate, false);
    p.reference->kernels.copy_box(p.reference, &boxes[i / 2], from, expected, accumulate);
    EACH_LEVEL(&p, level) {
      float *to = target(1000, accumulate, false);
      p.tested->kernels.copy_box(p.tested, &boxes[i / 2], from, to, accumulate);
      pair_wait(&p);
      assert_memory_equal(to, expected, 1000 * sizeof *to);
      release(to);
    }
    release(from), release(expected);
  }
  pair_end(&p);
}

#endif
