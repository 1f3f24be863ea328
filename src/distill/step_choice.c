// SPDX-License-Identifier: Apache-2.0
#include "distill/step_choice.h"

// So steep that every difference a float can show among logits or probabilities ends at 0.
static const float steep = 1e30f;

sst_value ssti_is_largest(sst_graph *g, sst_value x, int axes) {
  sst_value constant = sst_stop_gradient(g, x);
  sst_value distance = sst_subtract(g, sst_max(g, constant, axes), constant); // exactly 0 at the maximum
  return sst_stop_gradient(g, sst_clip(g, sst_affine(g, distance, -steep, 1.0f), 0.0f, 1.0f));
}

sst_value ssti_is_correct(sst_graph *g, sst_value step_logits, sst_value target) {
  sst_value agreement =
      sst_multiply(g, ssti_is_largest(g, step_logits, SST_AXES_C), ssti_is_largest(g, target, SST_AXES_C));
  return sst_max(g, agreement, SST_AXES_C);
}

sst_value ssti_mean_of_steps(sst_graph *g, sst_value x, sst_value mask) {
  const float steps = (float)sst_graph_shape(g, x).dim[SST_AXIS_T];
  sst_value count = sst_clip(g, sst_sum(g, mask, SST_AXES_T), 1.0f, steps < 1.0f ? 1.0f : steps);
  return sst_divide(g, sst_sum(g, sst_multiply(g, x, mask), SST_AXES_T), count);
}

sst_value ssti_at_each_step(sst_graph *g, sst_value x, int64_t steps) {
  return steps > 1 && sst_graph_shape(g, x).dim[SST_AXIS_T] == 1 ? sst_repeat_steps(g, x, steps) : x;
}

sst_value ssti_soft_divergence(sst_graph *g, sst_value teacher, sst_value student, float temperature) {
  sst_value p = sst_softmax(g, sst_stop_gradient(g, teacher), temperature);
  sst_value log_q = sst_log_softmax(g, student, temperature);
  return sst_kl_divergence(g, ssti_at_each_step(g, p, sst_graph_shape(g, student).dim[SST_AXIS_T]), log_q);
}
