// SPDX-License-Identifier: Apache-2.0
// Every slot of the CUDA backend that its own kernels fill, against the reference.
#include "cuda_pair.h"

#include "slots_axes.h"
#include "slots_batch_norm.h"
#include "slots_flat.h"
#include "slots_neuron.h"
#include "slots_norm_neuron.h"
#include "slots_pictures.h"
#include "slots_pool.h"
#include "slots_quantize.h"
#include "slots_rows.h"
#include "slots_unary.h"

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_unary),
      TEST(test_fill),
      TEST(test_binary),
      TEST(test_reduce),
      TEST(test_reduce_nan),
      TEST(test_l2_normalize),
      TEST(test_copies),
      TEST(test_copy_box),
      TEST(test_softmax),
      TEST(test_head_mask),
      TEST(test_cross_entropy),
      TEST(test_kl),
      TEST(test_pool),
      TEST(test_adaptive_pool),
      TEST(test_batch_norm),
      TEST(test_batch_norm_far_mean),
      TEST(test_batch_norm_inference),
      TEST(test_neuron),
      TEST(test_neuron_of_other_kinds),
      TEST(test_neuron_many_steps),
      TEST(test_neuron_without_some),
      TEST(test_norm_neuron),
      TEST(test_norm_neuron_without_some),
      TEST(test_norm_neuron_many_steps),
      TEST(test_norm_neuron_bf16),
      TEST(test_quantize_weights),
      TEST(test_fixed_point),
      TEST(test_norm_constants),
      TEST(test_channel_affine),
      TEST(test_optimizer_steps),
      TEST(test_dropout),
      TEST(test_noise),
      TEST(test_sum_of_squares),
      TEST(test_clip_gradient),
      TEST(test_make_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
