// SPDX-License-Identifier: Apache-2.0
// Precisions BF16 and TF32 on a card, or on the emulator: slots against the reference on the same rounded numbers, and
// graphs.
#include "cuda_pair.h"

#include "slots_bf16.h"

// cuDNN gives gradients of weights as bf16, and what is stored as bf16 is rounded before a bias is added.
static const bool rounds_convolution_weights = true, rounds_before_bias = true;
#define BF16_DEVICE SST_DEVICE_CUDA
#include "graphs_bf16.h"

static void set_crossover(pair *p, double number) { (void)p, (void)number; }

// From either type to either, of counts and addresses that whole accesses do not fit.
static void test_convert(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {0, 1, 7, 8, 1003, 4096};
  for (int k = 0; k < 48; k++) {
    const int64_t count = counts[k / 8], skipped = k & 4 ? 1 : 0;
    const ssti_type from_type = (ssti_type)(k & 1), to_type = (ssti_type)(k >> 1 & 1);
    either from = either_of(filled(count + 1, false, 1), count + 1, from_type);
    either to = either_of(filled(count + 1, false, 2), count + 1, to_type);
    float *exact = filled(count + 1, false, 1), *expected = floats(count + 1);
    const bool through = from_type == SSTI_F32 && to_type == SSTI_F32;
    memcpy(expected, to.wide, (size_t)(count + 1) * sizeof *expected);
    if (from_type == SSTI_F32) { memcpy(from.wide, exact, (size_t)(count + 1) * sizeof *exact); }
    for (int64_t i = skipped; i < skipped + count; i++) {
      float value = from.wide[i];
      if (through) { value = ssti_bf16_value(ssti_bf16_of(value)); }
      value = to.wide[i] + value;
      expected[i] = to_type == SSTI_BF16 ? ssti_bf16_value(ssti_bf16_of(value)) : value;
    }
    ssti_cuda_convert(p.tested, count, (char *)data_of(&from) + (size_t)skipped * ssti_type_bytes(from_type), from_type,
                      (char *)data_of(&to) + (size_t)skipped * ssti_type_bytes(to_type), to_type, through, true);
    pair_wait(&p);
    read_back(&to);
    assert_same_bits(to.wide, expected, count + 1);
    either_end(&from), either_end(&to), release(exact), release(expected);
  }
  pair_end(&p);
}

// With TF32 products are near and not the same, from full f32 factors; everything else stays f32. Numbers of 11 bits
// are exact.
static void check_tf32(pair *p, bool whole) {
  ssti_conv2d s = conv(2, 6, 7, 8, 12, 3, 3, 1, 1, 1, 1);
  s.precision = SST_PRECISION_TF32;
  const int64_t nx = 2 * 6 * 7 * 8, ny = 2 * 6 * 7 * 12, nw = 12 * 9 * 8;
  float *x = filled(nx, whole, 1), *w = filled(nw, whole, 2), *dy = filled(ny, whole, 3);
  float *found = floats(ny + nx + nw), *expected = floats(ny + nx + nw);
  ssti_plan *plan = NULL;
  const ssti_kernels *f = &p->tested->kernels, *r = &p->reference->kernels;
  assert_ok(p->context, f->conv2d_plan(p->tested, &s, true, &plan));
  void *space = memory_of(plan->forward_workspace), *back_space = memory_of(plan->backward_workspace);
  f->conv2d_forward(p->tested, &s, plan, x, w, NULL, found, NULL, space);
  f->conv2d_backward_data(p->tested, &s, plan, dy, w, found + ny, false, back_space);
  f->conv2d_backward_weights(p->tested, &s, plan, x, dy, found + ny + nx, false, NULL, false, NULL, back_space);
  r->conv2d_forward(p->reference, &s, NULL, x, w, NULL, expected, NULL, NULL);
  r->conv2d_backward_data(p->reference, &s, NULL, dy, w, expected + ny, false, NULL);
  r->conv2d_backward_weights(p->reference, &s, NULL, x, dy, expected + ny + nx, false, NULL, false, NULL, NULL);
  pair_wait(p);
  // Each factor is off by 2^-12 of itself at most, sums of up to 108 of them by about 10 times that.
  compare(found, expected, ny + nx + nw, whole ? 0.0 : 0.02, "convolution");
#ifdef SSTI_CUDA_IS_EMULATED
  // A card may have taken full f32 where that is faster.
  if (!whole) { assert_memory_not_equal(found, expected, (size_t)ny * sizeof *found); }
#endif
  f->plan_destroy(p->tested, plan);
  release(x), release(w), release(dy), release(found), release(expected), release(space), release(back_space);
}

static void test_tf32(void **state) {
  pair p = pair_make(*state);
  EACH_LEVEL(&p, level) { check_tf32(&p, false), check_tf32(&p, true); }
  pair_end(&p);
}

// Who lacks the units says so; and TF32 is a card's.
static void test_refusal(void **state) {
  sst_context *context = *state;
  assert_fails(context, SST_UNSUPPORTED, sst_precision_check(context, SST_DEVICE_CPU_REFERENCE, SST_PRECISION_TF32),
               "precision tf32 is not to be had on device cpu-ref: only cards multiply in it; expected precision f32");
  assert_fails(context, SST_INVALID_ARGUMENT,
               sst_precision_check(context, SST_DEVICE_CPU_REFERENCE, SST_PRECISION_COUNT),
               "there is no precision number 3");
#ifdef SSTI_CUDA_IS_EMULATED
  assert_ok(context, sst_precision_check(context, SST_DEVICE_CUDA, SST_PRECISION_BF16));
  setenv("SPIKESTILL_EMULATED_CAPABILITY", "75", 1);
  assert_ok(context, sst_precision_check(context, SST_DEVICE_CUDA, SST_PRECISION_F32));
  assert_fails(context, SST_UNSUPPORTED, sst_precision_check(context, SST_DEVICE_CUDA, SST_PRECISION_BF16),
               "precision bf16 is not to be had on device cuda: this card has no matrix units for bf16");
  assert_fails(context, SST_UNSUPPORTED, sst_precision_check(context, SST_DEVICE_CUDA, SST_PRECISION_TF32), "for TF32");
  unsetenv("SPIKESTILL_EMULATED_CAPABILITY");
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_convert),          TEST(test_bf16_conv2d),     TEST(test_bf16_linear), TEST(test_bf16_pool),
      TEST(test_bf16_neuron),      TEST(test_bf16_batch_norm), TEST(test_bf16_sum),    TEST(test_residual_gradients),
      TEST(test_residual_storage), TEST(test_repeated_sum),    TEST(test_tf32),        TEST(test_storage),
      TEST(test_gradients),        TEST(test_spikes),          TEST(test_refusal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
