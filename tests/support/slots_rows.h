// SPDX-License-Identifier: Apache-2.0
// Slots that work on rows of classes against the reference: see slot_pair.h. Sums are in double on both sides, in
// another order.
#ifndef SPIKESTILL_TESTS_SLOTS_ROWS_H
#define SPIKESTILL_TESTS_SLOTS_ROWS_H

#include "slot_pair.h"

static const struct { int64_t rows, channels; } row_shapes[] = {{1, 1}, {1, 2}, {7, 10}, {9, 33}, {300, 10}, {5, 1000}};
enum { ROW_SHAPES = sizeof row_shapes / sizeof *row_shapes };

static void check_softmax(pair *p, int64_t rows, int64_t channels, bool log, bool accumulate) {
  const int64_t n = rows * channels;
  const float temperature = 2.5f;
  float *x = filled(n, false, 1), *dy = filled(n, false, 2);
  for (int64_t i = 0; i < n; i++) { x[i] *= 20.0f; }
  float *y_expected = floats(n), *dx_expected = target(n, accumulate, false);
  p->reference->kernels.softmax_forward(p->reference, rows, channels, temperature, log, x, y_expected);
  p->reference->kernels.softmax_backward(p->reference, rows, channels, temperature, log, y_expected, dy, dx_expected,
                                         accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(n), *dx = target(n, accumulate, false);
    p->tested->kernels.softmax_forward(p->tested, rows, channels, temperature, log, x, y);
    p->tested->kernels.softmax_backward(p->tested, rows, channels, temperature, log, y_expected, dy, dx, accumulate);
    pair_wait(p);
    compare(y, y_expected, n, 1e-6, "y");
    compare(dx, dx_expected, n, 2e-6, "dx");
    release(y), release(dx);
  }
  release(x), release(dy), release(y_expected), release(dx_expected);
}

static void test_softmax(void **state) {
  pair p = pair_make(*state);
  for (int i = 0; i < 4 * ROW_SHAPES; i++) {
    check_softmax(&p, row_shapes[i / 4].rows, row_shapes[i / 4].channels, i & 1, i & 2);
  }
  pair_end(&p);
}

static void test_head_mask(void **state) {
  pair p = pair_make(*state);
  const float masses[] = {0.0f, 0.5f, 0.9f, 2.0f};
  for (int i = 0; i < 4 * ROW_SHAPES; i++) {
    const int64_t rows = row_shapes[i / 4].rows, channels = row_shapes[i / 4].channels, n = rows * channels;
    float *x = filled(n, true, 1), *probability = floats(n), *expected = floats(n); // whole numbers: many are equal
    p.reference->kernels.softmax_forward(p.reference, rows, channels, 1.0f, false, x, probability);
    p.reference->kernels.head_mask(p.reference, rows, channels, masses[i % 4], probability, expected);
    EACH_LEVEL(&p, level) {
      float *mask = floats(n);
      p.tested->kernels.head_mask(p.tested, rows, channels, masses[i % 4], probability, mask);
      pair_wait(&p);
      assert_same_bits(mask, expected, n);
      release(mask);
    }
    release(x), release(probability), release(expected);
  }
  pair_end(&p);
}

static void check_cross_entropy(pair *p, int64_t rows, int64_t channels, int64_t repeats, float smoothing,
                                bool accumulate) {
  const int64_t all = rows * repeats, n = all * channels;
  float *x = filled(n, false, 1), *target_x = filled(rows * channels, false, 2), *t = floats(rows * channels);
  float *dloss = filled(all, false, 3), *expected = floats(all), *dx_expected = target(n, accumulate, false);
  p->reference->kernels.softmax_forward(p->reference, rows, channels, 1.0f, false, target_x, t);
  t[0] = 0.0f;
  if (channels > 1) { x[0] = -INFINITY; } // not wanted, not possible: costs nothing
  p->reference->kernels.cross_entropy_forward(p->reference, all, rows, channels, smoothing, x, t, expected);
  p->reference->kernels.cross_entropy_backward(p->reference, all, rows, channels, smoothing, x, t, dloss, dx_expected,
                                               accumulate);
  EACH_LEVEL(p, level) {
    float *loss = floats(all), *dx = target(n, accumulate, false);
    p->tested->kernels.cross_entropy_forward(p->tested, all, rows, channels, smoothing, x, t, loss);
    p->tested->kernels.cross_entropy_backward(p->tested, all, rows, channels, smoothing, x, t, dloss, dx, accumulate);
    pair_wait(p);
    for (int64_t i = 0; i < all; i++) {
      if (isinf(expected[i])) { // smoothing wants what is impossible
        assert_true(loss[i] == expected[i]);
      } else {
        assert_near(loss[i], expected[i], 1e-6, 1e-6);
      }
    }
    compare(dx, dx_expected, n, 1e-6, "dx");
    release(loss), release(dx);
  }
  release(x), release(target_x), release(t), release(dloss), release(expected), release(dx_expected);
}

static void test_cross_entropy(void **state) {
  pair p = pair_make(*state);
  for (int i = 0; i < 2 * ROW_SHAPES; i++) {
    check_cross_entropy(&p, row_shapes[i / 2].rows, row_shapes[i / 2].channels, 1 + i % 3, i % 2 ? 0.1f : 0.0f, i % 2);
  }
  pair_end(&p);
}

static void check_kl(pair *p, int64_t rows, int64_t channels, bool accumulate) {
  const int64_t n = rows * channels;
  float *x = filled(n, false, 1), *z = filled(n, false, 2), *q = floats(n), *log_q = floats(n);
  float *dloss = filled(rows, false, 3), *expected = floats(rows);
  float *dp_expected = target(n, accumulate, false), *dq_expected = target(n, accumulate, false);
  p->reference->kernels.softmax_forward(p->reference, rows, channels, 1.0f, false, x, q);
  p->reference->kernels.softmax_forward(p->reference, rows, channels, 1.0f, true, z, log_q);
  q[n / 2] = 0.0f;
  p->reference->kernels.kl_forward(p->reference, rows, channels, q, log_q, expected);
  p->reference->kernels.kl_backward(p->reference, rows, channels, q, log_q, dloss, dp_expected, accumulate, dq_expected,
                                    accumulate);
  EACH_LEVEL(p, level) {
    float *loss = floats(rows), *dp = target(n, accumulate, false), *dq = target(n, accumulate, false);
    p->tested->kernels.kl_forward(p->tested, rows, channels, q, log_q, loss);
    p->tested->kernels.kl_backward(p->tested, rows, channels, q, log_q, dloss, dp, accumulate, NULL, false);
    p->tested->kernels.kl_backward(p->tested, rows, channels, q, log_q, dloss, NULL, false, dq, accumulate);
    pair_wait(p);
    compare(loss, expected, rows, 1e-6, "loss");
    compare(dp, dp_expected, n, 1e-6, "dp");
    compare(dq, dq_expected, n, 1e-6, "dlog_q");
    release(loss), release(dp), release(dq);
  }
  release(x), release(z), release(q), release(log_q), release(dloss), release(expected);
  release(dp_expected), release(dq_expected);
}

static void test_kl(void **state) {
  pair p = pair_make(*state);
  for (int i = 0; i < 2 * ROW_SHAPES; i++) { check_kl(&p, row_shapes[i / 2].rows, row_shapes[i / 2].channels, i % 2); }
  pair_end(&p);
}

#endif
