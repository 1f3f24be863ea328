// SPDX-License-Identifier: Apache-2.0
// Backward against central differences of forward, along random directions: elementwise ops, reductions, normalisation,
// softmax and losses. Inputs keep away from corners (0 of abs, ties of max), where differences prove nothing.
// Tolerances: f32 rounding of the values (6e-8) over the step (1e-2 or 2e-3), plus curvature times step^2.
#include "support.h"

#include "op_naive.h"

static void check(sst_context *context, const naive_case *one, float step, double tolerance) {
  ssti_backend *backend = naive_backend(context);
  for (int input = 0; input < one->inputs; input++) {
    op_call c;
    naive_begin(&c, context, backend, one);
    op_call_check_gradient(&c, input, step, tolerance);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_unary(void **state) {
  for (int kind = 0; kind <= SSTI_UNARY_CLIP; kind++) {
    const ssti_unary_attributes attributes = {(ssti_unary_kind)kind, -0.5f, 3};
    ssti_unary_attributes power = attributes;
    power.a = 1.5f;
    const bool is_power = kind == SSTI_UNARY_POWER;
    const naive_case one = {
        &ssti_op_unary, is_power ? &power : &attributes, 1, {sst_shape_make(2, 3, 3, 1, 5)}, 0.5f, 2};
    check(*state, &one, 1e-2f, 1e-3);
  }
}

static void test_binary(void **state) {
  const sst_shape full = sst_shape_make(2, 3, 2, 2, 5);
  const sst_shape parts[] = {full, sst_shape_make(1, 1, 1, 1, 5), sst_shape_make(1, 1, 1, 1, 1),
                             sst_shape_make(2, 3, 1, 1, 1), sst_shape_make(1, 3, 2, 1, 5)};
  for (int kind = 0; kind < 4; kind++) {
    const ssti_binary_attributes attributes = {(ssti_binary_kind)kind};
    for (int i = 0; i < 5; i++) {
      naive_case one = {&ssti_op_binary, &attributes, 2, {full, parts[i]}, 0.5f, 2};
      check(*state, &one, 1e-2f, 1e-3);
      one.shape[0] = parts[i];
      one.shape[1] = full;
      check(*state, &one, 1e-2f, 1e-3);
    }
  }
}

static void test_adaptive_pool(void **state) {
  for (int64_t height = 1; height <= 5; height++) {
    const ssti_adaptive_pool_attributes attributes = {height, 7 - height};
    const naive_case one = {&ssti_op_adaptive_pool, &attributes, 1, {sst_shape_make(2, 2, 5, 6, 3)}, -2, 2};
    check(*state, &one, 1e-1f, 1e-3);
  }
}

// The largest elements stay the largest under the step, which is smaller than the distances between the values.
static void test_reduce(void **state) {
  for (int kind = 0; kind < 3; kind++) {
    for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
      const ssti_reduce_attributes attributes = {(ssti_reduce_kind)kind, axes};
      const naive_case one = {&ssti_op_reduce, &attributes, 1, {sst_shape_make(2, 3, 2, 2, 3)}, -20, 20};
      check(*state, &one, kind == SSTI_REDUCE_MAX ? 1e-2f : 1e-1f, 2e-3);
    }
  }
}

static void test_l2_normalize(void **state) {
  for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
    const ssti_l2_normalize_attributes attributes = {axes, 1e-6f}, wide = {axes, 100};
    naive_case one = {&ssti_op_l2_normalize, &attributes, 1, {sst_shape_make(2, 3, 2, 2, 5)}, 0.5f, 2};
    check(*state, &one, 1e-2f, 2e-3);
    one.attributes = &wide;
    check(*state, &one, 1e-1f, 2e-3);
  }
}

static void test_softmax(void **state) {
  for (int i = 0; i < 4; i++) {
    const ssti_softmax_attributes attributes = {i < 2 ? 1.0f : 4.0f, i % 2 == 1};
    const naive_case one = {&ssti_op_softmax, &attributes, 1, {sst_shape_make(2, 3, 1, 2, 7)}, -3, 3};
    check(*state, &one, 1e-2f, 2e-3);
  }
}

static void test_pad_and_slice(void **state) {
  const ssti_pad_attributes pad = {{1, 0, 2}, {0, 2, 1}, 3};
  const naive_case padded = {&ssti_op_pad, &pad, 1, {sst_shape_make(2, 3, 3, 2, 5)}, -1, 1};
  check(*state, &padded, 1e-1f, 1e-3);
  const ssti_slice_attributes slice = {{0, 1, 2}, {2, 2, 2}, {2, 1, 2}};
  const naive_case sliced = {&ssti_op_slice, &slice, 1, {sst_shape_make(2, 3, 4, 3, 5)}, -1, 1};
  check(*state, &sliced, 1e-1f, 1e-3);
}

static void test_losses(void **state) {
  const ssti_cross_entropy_attributes attributes = {0.1f};
  const sst_shape shape = sst_shape_make(3, 4, 1, 1, 7);
  naive_case loss = {&ssti_op_cross_entropy, &attributes, 2, {shape, sst_shape_make(1, 4, 1, 1, 7)}, 0.1f, 2};
  ssti_backend *backend = naive_backend(*state);
  op_call c;
  naive_begin(&c, *state, backend, &loss);
  op_call_check_gradient(&c, 0, 1e-2f, 2e-3); // the target has no gradient
  op_call_end(&c);
  ssti_backend_destroy(backend);
  const naive_case kl = {&ssti_op_kl_divergence, NULL, 2, {shape, shape}, 0.2f, 1};
  check(*state, &kl, 1e-2f, 2e-3);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_unary),  TEST(test_binary),       TEST(test_adaptive_pool),
                                     TEST(test_reduce), TEST(test_l2_normalize), TEST(test_softmax),
                                     TEST(test_losses), TEST(test_pad_and_slice)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
