// SPDX-License-Identifier: Apache-2.0
// step_kd: the teacher, and the student's own correct steps, teach every time step.
//
// Source: temporal-wise distillation (ICML 2025, arXiv 2501.15925), as in its public code:
//
//     z[t]: the student's logits at step t, [T,N,1,1,C];  z_T: the teacher's logits, [1,N,1,1,C]
//     KL_tau(a, b) = scale * KL(softmax(a / tau) || softmax(b / tau))
//     zbar_correct = mean of z[t] over the steps whose largest logit is the label's, a constant to the backward pass
//     term = teacher_weight * mean over t, N of KL_tau(z_T, z[t])
//          + correct_weight * mean over t, N of [some step is correct] * KL_tau(zbar_correct, z[t])
//
// Defaults tau 3, teacher_weight 0.2, correct_weight 0.5 are that code's. It uses them beside the cross-entropy of each
// step: loss.per_step.
// Our choices, where we do not know the source's: scale is tau^2 as in kd (option), zbar_correct gets no gradient, a
// sample without a correct step has no second part, and ties for the largest logit count as correct.
#include <stddef.h>

#include "distill/step_choice.h"

typedef enum step_kd_scale { STEP_KD_NONE, STEP_KD_SQUARED } step_kd_scale;
static const char *const scale_words[] = {"none", "squared"};

typedef struct step_kd_options {
  float temperature, teacher_weight, correct_weight;
  step_kd_scale scale;
} step_kd_options;

static const ssti_option options[] = {
    {"temperature", SSTI_OPTION_FLOAT, offsetof(step_kd_options, temperature), 1e-3, 1e3, "3", NULL, 0,
     "divides the logits of both"},
    {"teacher_weight", SSTI_OPTION_FLOAT, offsetof(step_kd_options, teacher_weight), 0, 1e6, "0.2", NULL, 0,
     "factor of the teacher's part; 0: without it"},
    {"correct_weight", SSTI_OPTION_FLOAT, offsetof(step_kd_options, correct_weight), 0, 1e6, "0.5", NULL, 0,
     "factor of the correct steps' part; 0: without it"},
    {"scale", SSTI_OPTION_WORD, offsetof(step_kd_options, scale), 0, 0, "squared", scale_words, 2,
     "factor of both parts: 1 or tau^2"},
};

static sst_value teacher_part(sst_graph *g, const sst_distill_scene *scene, const step_kd_options *o, sst_value steps) {
  sst_value teacher = ssti_teacher_tap(g, scene, "logits");
  return sst_mean(g, ssti_soft_divergence(g, teacher, steps, o->temperature), SST_AXES_ALL);
}

static sst_value correct_part(sst_graph *g, const sst_distill_scene *scene, const step_kd_options *o, sst_value steps) {
  sst_value correct = ssti_is_correct(g, steps, scene->target);
  sst_value divergence = ssti_soft_divergence(g, ssti_mean_of_steps(g, steps, correct), steps, o->temperature);
  sst_value has_correct = sst_max(g, correct, SST_AXES_T);
  return sst_mean(g, sst_multiply(g, divergence, has_correct), SST_AXES_ALL);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const step_kd_options *o = method_options;
  if (o->teacher_weight == 0.0f && o->correct_weight == 0.0f) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "step_kd: teacher_weight and correct_weight are both 0, expected at least one above 0");
    return SST_NO_VALUE;
  }
  const float factor = o->scale == STEP_KD_SQUARED ? o->temperature * o->temperature : 1.0f;
  sst_value steps = ssti_student_tap(g, scene, "step_logits");
  sst_value teacher = SST_NONE, correct = SST_NONE;
  if (o->teacher_weight > 0.0f) {
    teacher = sst_affine(g, teacher_part(g, scene, o, steps), factor * o->teacher_weight, 0.0f);
  }
  if (o->correct_weight > 0.0f) {
    correct = sst_affine(g, correct_part(g, scene, o, steps), factor * o->correct_weight, 0.0f);
  }
  if (teacher == SST_NONE) { return correct; }
  return correct == SST_NONE ? teacher : sst_add(g, teacher, correct);
}

const ssti_distill_method ssti_distill_step_kd = {
    .name = "step_kd",
    .options_size = sizeof(step_kd_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
