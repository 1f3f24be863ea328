// SPDX-License-Identifier: Apache-2.0
// Slots of one value in, one value out, against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_UNARY_H
#define SPIKESTILL_TESTS_SLOTS_UNARY_H

#include "slot_pair.h"

// On a device the math library is another one: its results differ in the last bits.
static void check_unary(pair *p, ssti_unary_kind kind, int64_t count, int64_t skip_first, bool accumulate) {
  const float a = 0.75f, b = 1.25f;
  const bool positive = kind == SSTI_UNARY_SQRT || kind == SSTI_UNARY_LOG;
  float *x = filled(count, false, 1), *dy = filled(count, false, 2);
  for (int64_t i = 0; positive && i < count; i++) { x[i] = fabsf(x[i]) + 0.01f; }
  if (!positive && count > 2) { x[count / 2] = 0.0f; }
  float *y_expected = floats(count), *dx_expected = target(count, accumulate, false);
  const int64_t n = count - skip_first;
  p->reference->kernels.unary_forward(p->reference, kind, a, b, n, x + skip_first, y_expected + skip_first);
  p->reference->kernels.unary_backward(p->reference, kind, a, b, n, x + skip_first, y_expected + skip_first,
                                       dy + skip_first, dx_expected + skip_first, accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(count), *dx = target(count, accumulate, false);
    p->tested->kernels.unary_forward(p->tested, kind, a, b, n, x + skip_first, y + skip_first);
    p->tested->kernels.unary_backward(p->tested, kind, a, b, n, x + skip_first, y_expected + skip_first,
                                      dy + skip_first, dx + skip_first, accumulate);
    pair_wait(p);
    compare(y + skip_first, y_expected + skip_first, n, 4e-7, "y");
    compare(dx + skip_first, dx_expected + skip_first, n, 1e-6, "dx");
    check_canary(y, (size_t)count * sizeof *y);
    check_canary(dx, (size_t)count * sizeof *dx);
    release(y), release(dx);
  }
  release(x), release(dy), release(y_expected), release(dx_expected);
}

static void test_unary(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 3, 64, 1027, 20001};
#define CHECK_KIND(name, word)                                                                                         \
  for (int i = 0; i < 5; i++) {                                                                                        \
    check_unary(&p, SSTI_UNARY_##name, counts[i], 0, i % 2);                                                           \
    check_unary(&p, SSTI_UNARY_##name, counts[i] + 1, 1, i % 2 == 0); /* not aligned to 16 bytes */                    \
  }
  SSTI_UNARY_LIST(CHECK_KIND)
#undef CHECK_KIND
  pair_end(&p);
}

static void test_fill(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {0, 1, 3, 1027};
  for (int i = 0; i < 4; i++) {
    EACH_LEVEL(&p, level) {
      float *y = floats(counts[i] + 1);
      p.tested->kernels.fill(p.tested, counts[i], -2.5f, y);
      pair_wait(&p);
      for (int64_t j = 0; j < counts[i]; j++) { assert_true(y[j] == -2.5f); }
      assert_true(isnan(y[counts[i]]));
      release(y);
    }
  }
  pair_end(&p);
}

#endif
