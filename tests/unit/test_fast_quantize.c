// SPDX-License-Identifier: Apache-2.0
// Slots of the fast CPU backend for quantised networks and for sums over axes, against the reference at every SIMD
// level: codes, scales and gradients of weights to the bit.
#include "backend_pair.h"

#include "slots_axes.h"
#include "slots_quantize.h"

// Both backends and all levels add in the same lanes: scales and the gradients of steps are the same bits too.
static void test_scales_to_the_bit(void **state) {
  pair p = pair_make(*state);
  const ssti_kernels *r = &p.reference->kernels, *t = &p.tested->kernels;
  const int64_t columns[] = {1, 15, 16, 17, 63, 576, 1000};
  for (int i = 0; i < 28; i++) {
    ssti_weight_shape s = {.quantizer = sst_weight_quantizer_default(), .rows = 6, .columns = columns[i % 7]};
    s.quantizer.kind = i < 14 ? SST_WEIGHT_QUANTIZER_TERNARY : SST_WEIGHT_QUANTIZER_LEARNED_STEP;
    s.quantizer.per_channel = i & 1;
    const int64_t n = s.rows * s.columns, groups = s.quantizer.per_channel ? s.rows : 1;
    float *w = filled(n, false, 1), *dcodes = filled(n, false, 2), *step = floats(groups),
          *expected = floats(2 * groups);
    float *codes = floats(n), *found = floats(2 * groups);
    void *workspace = memory_of(r->quantize_workspace(&s));
    for (int64_t g = 0; g < groups; g++) { step[g] = 0.0f; }
    const bool learned = s.quantizer.kind == SST_WEIGHT_QUANTIZER_LEARNED_STEP;
    for (int64_t g = 0; g < groups; g++) { expected[groups + g] = found[groups + g] = 0.0f; }
    r->quantize_weights_forward(p.reference, &s, w, learned ? step : NULL, codes, expected, workspace);
    r->quantize_weights_backward(p.reference, &s, w, expected, dcodes, NULL, false, learned ? expected + groups : NULL,
                                 false, workspace);
    EACH_LEVEL(&p, level) {
      t->quantize_weights_forward(p.tested, &s, w, learned ? step : NULL, codes, found, workspace);
      t->quantize_weights_backward(p.tested, &s, w, found, dcodes, NULL, false, learned ? found + groups : NULL, false,
                                   workspace);
      assert_same_bits(found, expected, 2 * groups);
    }
    release(w), release(dcodes), release(step), release(expected), release(codes), release(found), release(workspace);
  }
  pair_end(&p);
}

// A training pass that wants statistics alone leaves the same ones.
static void test_statistics_alone(void **state) {
  pair p = pair_make(*state);
  const ssti_batch_norm s = {
      .rows = 300, .channels = 37, .steps = 1, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 1.0f};
  float *x = filled(s.rows * s.channels, false, 1), *gamma = filled(s.channels, false, 2);
  float *y = floats(s.rows * s.channels), *expected = floats(4 * s.channels), *found = floats(4 * s.channels);
  ssti_backend *backends[] = {p.tested, p.reference};
  for (int b = 0; b < 2; b++) {
    for (int without = 0; without < 2; without++) {
      float *to = without ? found : expected;
      for (int64_t c = 0; c < 2 * s.channels; c++) { to[c] = 0.5f; }
      backends[b]->kernels.batch_norm_forward_training(backends[b], &s, x, gamma, gamma, to, to + s.channels,
                                                       without ? NULL : y, to + 2 * s.channels);
    }
    assert_same_bits(found, expected, 4 * s.channels);
  }
  release(x), release(gamma), release(y), release(expected), release(found);
  pair_end(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_quantize_weights), TEST(test_scales_to_the_bit), TEST(test_fixed_point), TEST(test_norm_constants),
      TEST(test_channel_affine),   TEST(test_statistics_alone),  TEST(test_binary),      TEST(test_reduce),
      TEST(test_reduce_nan),       TEST(test_l2_normalize),      TEST(test_copies),      TEST(test_copy_box)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
