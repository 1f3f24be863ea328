// SPDX-License-Identifier: Apache-2.0
// Slots of quantisation against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_QUANTIZE_H
#define SPIKESTILL_TESTS_SLOTS_QUANTIZE_H

#include "slot_pair.h"

static void check_quantizer(pair *p, const ssti_weight_shape *s, float first_step, bool accumulate) {
  const int64_t n = s->rows * s->columns, groups = s->quantizer.per_channel ? s->rows : 1;
  const bool learned = s->quantizer.kind == SST_WEIGHT_QUANTIZER_LEARNED_STEP;
  float *w = filled(n, false, 1), *dcodes = filled(n, false, 2), *step = floats(groups);
  fill_uniform(step, groups, 0.2f, 0.5f, 3);
  step[0] = first_step;                                                    // not above 0: starts from the weights
  for (int64_t i = 0; i < s->columns && s->rows > 1; i++) { w[i] = 0.0f; } // a row of zeros has no mean to divide by
  float *codes_expected = floats(n), *scale_expected = floats(groups);
  float *dw_expected = target(n, accumulate, false), *dstep_expected = target(groups, accumulate, false);
  const ssti_kernels *r = &p->reference->kernels, *t = &p->tested->kernels;
  void *space = memory_of(r->quantize_workspace(s));
  r->quantize_weights_forward(p->reference, s, w, learned ? step : NULL, codes_expected, scale_expected, space);
  r->quantize_weights_backward(p->reference, s, w, scale_expected, dcodes, dw_expected, accumulate,
                               learned ? dstep_expected : NULL, accumulate, space);
  EACH_LEVEL(p, level) {
    float *codes = floats(n), *scale = floats(groups), *dw = target(n, accumulate, false);
    float *dstep = target(groups, accumulate, false);
    const size_t bytes = t->quantize_workspace(s);
    void *workspace = memory_of(bytes);
    t->quantize_weights_forward(p->tested, s, w, learned ? step : NULL, codes, scale, workspace);
    t->quantize_weights_backward(p->tested, s, w, scale_expected, dcodes, dw, accumulate, learned ? dstep : NULL,
                                 accumulate, workspace);
    pair_wait(p);
    assert_same_bits(codes, codes_expected, n);
    compare(scale, scale_expected, groups, 2e-7, "scale");
    assert_same_bits(dw, dw_expected, n);
    if (learned) { compare(dstep, dstep_expected, groups, 1e-6, "dstep"); }
    check_canary(workspace, bytes);
    release(codes), release(scale), release(dw), release(dstep), release(workspace);
  }
  release(w), release(dcodes), release(step), release(codes_expected), release(scale_expected), release(dw_expected);
  release(dstep_expected), release(space);
}

static void test_quantize_weights(void **state) {
  pair p = pair_make(*state);
  const struct { int64_t rows, columns; } shapes[] = {{1, 1}, {1, 27}, {5, 9}, {64, 576}, {10, 1000}};
  for (int i = 0; i < 40; i++) {
    ssti_weight_shape s = {
        .quantizer = sst_weight_quantizer_default(), .rows = shapes[i / 8].rows, .columns = shapes[i / 8].columns};
    s.quantizer.kind = i & 1 ? SST_WEIGHT_QUANTIZER_TERNARY : SST_WEIGHT_QUANTIZER_LEARNED_STEP;
    s.quantizer.per_channel = i & 2;
    s.quantizer.bits = 2 + i % 7;
    s.quantizer.gradient_limit = i & 4 ? 1.0f : 0.0f;
    check_quantizer(&p, &s, i & 4 ? 0.0f : 0.3f, i % 3 == 0);
  }
  pair_end(&p);
}

static void test_fixed_point(void **state) {
  pair p = pair_make(*state);
  const int64_t channels[] = {1, 3, 64, 700};
  for (int i = 0; i < 4; i++) {
    const int64_t c = channels[i];
    const ssti_batch_norm norm = {.rows = 10, .channels = c, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 0.5f};
    const int bits = 3 + 3 * i;
    float *gamma = filled(c, false, 3), *beta = filled(c, false, 4), *variance = floats(c);
    fill_uniform(variance, c, 0.5f, 2.0f, 5);
    float *factor_expected = filled(c, false, 1), *offset_expected = filled(c, false, 2), *expected = floats(5 * c);
    const ssti_kernels *r = &p.reference->kernels, *t = &p.tested->kernels;
    r->fixed_point(p.reference, c, bits, factor_expected, offset_expected);
    r->norm_constants(p.reference, &norm, gamma, beta, variance, expected);
    r->norm_fixed_point(p.reference, &norm, bits, gamma, beta, expected);
    EACH_LEVEL(&p, level) {
      float *factor = filled(c, false, 1), *offset = filled(c, false, 2), *saved = floats(5 * c);
      t->fixed_point(p.tested, c, bits, factor, offset);
      t->norm_constants(p.tested, &norm, gamma, beta, variance, saved);
      t->norm_fixed_point(p.tested, &norm, bits, gamma, beta, saved);
      pair_wait(&p);
      assert_same_bits(factor, factor_expected, c);
      assert_same_bits(offset, offset_expected, c);
      assert_same_bits(saved, expected, 5 * c);
      release(factor), release(offset), release(saved);
    }
    release(gamma), release(beta), release(variance), release(factor_expected), release(offset_expected);
    release(expected);
  }
  pair_end(&p);
}

// Two rows, or three with gamma, and nothing behind them.
static void test_norm_constants(void **state) {
  pair p = pair_make(*state);
  const ssti_batch_norm norm = {.rows = 10, .channels = 77, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 0.5f};
  float *gamma = filled(77, false, 1), *mean = filled(77, false, 2), *variance = floats(77);
  fill_uniform(variance, 77, 0.5f, 2.0f, 5);
  for (int with = 0; with < 2; with++) {
    float *expected = floats(4 * 77);
    p.reference->kernels.norm_constants(p.reference, &norm, with ? gamma : NULL, mean, variance, expected);
    EACH_LEVEL(&p, level) {
      float *saved = floats(4 * 77);
      p.tested->kernels.norm_constants(p.tested, &norm, with ? gamma : NULL, mean, variance, saved);
      pair_wait(&p);
      assert_memory_equal(saved, expected, 4 * 77 * sizeof *saved);
      release(saved);
    }
    release(expected);
  }
  release(gamma), release(mean), release(variance);
  pair_end(&p);
}

static void test_channel_affine(void **state) {
  pair p = pair_make(*state);
  const struct { int64_t rows, channels; } shapes[] = {{1, 1}, {7, 3}, {33, 64}, {1000, 17}};
  for (int i = 0; i < 16; i++) {
    const int64_t c = shapes[i / 4].channels, rows = shapes[i / 4].rows, n = rows * c;
    const bool accumulate = i & 1, with_offset = i & 2;
    float *x = filled(n, false, 1), *factor = filled(c, false, 2), *offset = filled(c, false, 3);
    float *expected = target(n, accumulate, false);
    p.reference->kernels.channel_affine(p.reference, rows, c, x, factor, with_offset ? offset : NULL, expected,
                                        accumulate);
    EACH_LEVEL(&p, level) {
      float *y = target(n, accumulate, false);
      p.tested->kernels.channel_affine(p.tested, rows, c, x, factor, with_offset ? offset : NULL, y, accumulate);
      pair_wait(&p);
      assert_same_bits(y, expected, n);
      release(y);
    }
    release(x), release(factor), release(offset), release(expected);
  }
  pair_end(&p);
}

#endif
