// SPDX-License-Identifier: Apache-2.0
// Slots over flat blocks, optimisers and random masks, against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_FLAT_H
#define SPIKESTILL_TESTS_SLOTS_FLAT_H

#include "slot_pair.h"

static void test_optimizer_steps(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 15, 1000, 50001};
  const ssti_update update = {.learning_rate = 0.1f, .gradient_scale = 0.7f, .correction1 = 0.3, .correction2 = 0.003};
  for (int i = 0; i < 4; i++) {
    const int64_t n = counts[i];
    for (int kind = 0; kind < 4; kind++) {
      float *gradient = filled(n, false, 1), *value = filled(n, false, 2), *first = filled(n, false, 3);
      float *second = floats(n);
      fill_uniform(second, n, 0.1f, 1.0f, 4);
      float *second_kept = floats(n);
      memcpy(second_kept, second, (size_t)n * sizeof *second);
      if (kind < 3) {
        p.reference->kernels.sgd_step(p.reference, n, value, gradient, first, &update, kind == 0 ? 0.0f : 0.9f,
                                      kind == 2, 1e-2f);
      } else {
        p.reference->kernels.adamw_step(p.reference, n, value, gradient, first, second, &update, 0.9f, 0.999f, 1e-8f,
                                        1e-2f);
      }
      EACH_LEVEL(&p, level) {
        float *v = filled(n, false, 2), *m = filled(n, false, 3), *q = floats(n);
        memcpy(q, second_kept, (size_t)n * sizeof *q);
        if (p.tested->kernels.begin_update != NULL) { p.tested->kernels.begin_update(p.tested, &update); }
        if (kind < 3) {
          p.tested->kernels.sgd_step(p.tested, n, v, gradient, m, &update, kind == 0 ? 0.0f : 0.9f, kind == 2, 1e-2f);
        } else {
          p.tested->kernels.adamw_step(p.tested, n, v, gradient, m, q, &update, 0.9f, 0.999f, 1e-8f, 1e-2f);
        }
        pair_wait(&p);
        assert_same_bits(v, value, n);
        assert_same_bits(m, first, n);
        assert_same_bits(q, second, n);
        release(v), release(m), release(q);
      }
      release(gradient), release(value), release(first), release(second), release(second_kept);
    }
  }
  pair_end(&p);
}

// The same random numbers, so the same elements: bit for bit, wherever a thread or a piece begins.
static void test_dropout(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 255, 257, 30011};
  const uint64_t seed = UINT64_C(0x123456789abcdef0), stream = UINT64_C(0xfedcba9876543210);
  for (int i = 0; i < 8; i++) {
    const int64_t n = counts[i / 2];
    const bool accumulate = i % 2;
    float *x = filled(n, false, 1), *expected = target(n, accumulate, false);
    p.reference->kernels.dropout(p.reference, n, 0.3f, seed, stream, 5, x, expected, accumulate);
    EACH_LEVEL(&p, level) {
      float *found = target(n, accumulate, false);
      if (p.tested->kernels.begin_run != NULL) { p.tested->kernels.begin_run(p.tested, seed, 5); }
      p.tested->kernels.dropout(p.tested, n, 0.3f, seed, stream, 5, x, found, accumulate);
      pair_wait(&p);
      assert_same_bits(found, expected, n);
      release(found);
    }
    release(x), release(expected);
  }
  pair_end(&p);
}

static void test_sum_of_squares(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {0, 1, 17, 4096, 100003};
  for (int i = 0; i < 5; i++) {
    float *x = filled(counts[i], false, 1);
    const double expected = p.reference->kernels.sum_of_squares(p.reference, counts[i], x);
    double first = 0;
    EACH_LEVEL(&p, level) {
      const double found = p.tested->kernels.sum_of_squares(p.tested, counts[i], x);
      assert_near(found, expected, 1e-12, 0);
      if (level == 0) { first = found; }
      assert_true(memcmp(&found, &first, sizeof found) == 0);
    }
    release(x);
  }
  pair_end(&p);
}

// On a device the logarithm and the cosine are another library's.
static void test_noise(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 255, 30011};
  for (int i = 0; i < 3; i++) {
    const int64_t n = counts[i];
    float *x = filled(n, false, 1), *expected = floats(n);
    p.reference->kernels.noise(p.reference, n, 0.3f, 17, 4, 5, x, expected);
    EACH_LEVEL(&p, level) {
      float *found = floats(n);
      if (p.tested->kernels.begin_run != NULL) { p.tested->kernels.begin_run(p.tested, 17, 5); }
      p.tested->kernels.noise(p.tested, n, 0.3f, 17, 4, 5, x, found);
      pair_wait(&p);
      compare(found, expected, n, 2e-7, "noise");
      release(found);
    }
    release(x), release(expected);
  }
  pair_end(&p);
}

// The scale that clipping finds is the one that the step takes, wherever the backend keeps it.
static void test_clip_gradient(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 1000, 50001};
  for (int i = 0; i < 6; i++) {
    const int64_t n = counts[i / 2];
    const float clip = i % 2 ? 0.5f : 1e6f; // clips, and leaves alone
    float *gradient = filled(n, false, 1), *expected = filled(n, false, 2);
    ssti_update update = {.learning_rate = 0.1f, .gradient_scale = 1.0f};
    p.reference->kernels.clip_gradient(p.reference, n, gradient, clip, &update);
    p.reference->kernels.sgd_step(p.reference, n, expected, gradient, NULL, &update, 0.0f, false, 0.0f);
    assert_true(i % 2 == 0 || n == 1 || update.gradient_scale < 0.1f);
    EACH_LEVEL(&p, level) {
      float *value = filled(n, false, 2);
      ssti_update found = {.learning_rate = 0.1f, .gradient_scale = 1.0f};
      if (p.tested->kernels.begin_update != NULL) { p.tested->kernels.begin_update(p.tested, &found); }
      p.tested->kernels.clip_gradient(p.tested, n, gradient, clip, &found);
      p.tested->kernels.sgd_step(p.tested, n, value, gradient, NULL, &found, 0.0f, false, 0.0f);
      pair_wait(&p);
      compare(value, expected, n, 1e-6, "value");
      release(value);
    }
    release(gradient), release(expected);
  }
  pair_end(&p);
}

#endif
