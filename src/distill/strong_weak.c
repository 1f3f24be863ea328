// SPDX-License-Identifier: Apache-2.0
// strong_weak: the most and the least confident step of the same network teach each other. No teacher.
//
// Source: Ding et al. 2025 (NeurIPS, arXiv 2510.07924), "Strong2Weak" and "Weak2Strong". Its abstract says: each time
// step is a submodel, its output confidence tells the strong from the weak, and one distils into the other. The formula
// is second-hand; temperature 2 and weight 1 too:
//
//     confidence[t] = max over C of softmax(z[t]), or the label's probability    z: step logits [T,N,1,1,C]
//     z_strong, z_weak = the logits of the sample's most and least confident step, [1,N,1,1,C]
//     KL_tau(a, b) = scale * KL(softmax(a / tau) || softmax(b / tau)), a constant to the backward pass in a
//     term = mean over N of KL_tau(z_strong, z_weak)      (strong_to_weak)
//                        or KL_tau(z_weak, z_strong)      (weak_to_strong), or their sum (both)
//
// Our choices: the confidence (option), scale tau^2 as in kd (option), and the mean where steps tie. The paper also has
// ensembles, all pairs at once and cascades of steps; this is the single pair.
#include <stddef.h>

#include "distill/step_choice.h"

typedef enum strong_direction { STRONG_TO_WEAK, WEAK_TO_STRONG, STRONG_AND_WEAK } strong_direction;
typedef enum strong_confidence { CONFIDENCE_LARGEST, CONFIDENCE_LABEL } strong_confidence;
typedef enum strong_scale { STRONG_SCALE_NONE, STRONG_SCALE_SQUARED } strong_scale;
static const char *const direction_words[] = {"strong_to_weak", "weak_to_strong", "both"};
static const char *const confidence_words[] = {"largest", "label"};
static const char *const scale_words[] = {"none", "squared"};

typedef struct strong_options {
  strong_direction direction;
  strong_confidence confidence;
  float temperature;
  strong_scale scale;
} strong_options;

static const ssti_option options[] = {
    {"direction", SSTI_OPTION_WORD, offsetof(strong_options, direction), 0, 0, "strong_to_weak", direction_words, 3,
     "who teaches whom"},
    {"confidence", SSTI_OPTION_WORD, offsetof(strong_options, confidence), 0, 0, "largest", confidence_words, 2,
     "a step's largest probability, or that of the label"},
    {"temperature", SSTI_OPTION_FLOAT, offsetof(strong_options, temperature), 1e-3, 1e3, "2", NULL, 0,
     "divides the logits of both"},
    {"scale", SSTI_OPTION_WORD, offsetof(strong_options, scale), 0, 0, "squared", scale_words, 2, "factor: 1 or tau^2"},
};

static sst_value divergence(sst_graph *g, sst_value teacher, sst_value student, const strong_options *o) {
  return sst_mean(g, ssti_soft_divergence(g, teacher, student, o->temperature), SST_AXES_ALL);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const strong_options *o = method_options;
  sst_value steps = ssti_student_tap(g, scene, "step_logits");
  if (sst_graph_shape(g, steps).dim[SST_AXIS_T] == 1) {
    sst_graph_fail(g, SST_SHAPE, "strong_weak compares time steps, but the student has 1; expected at least 2");
    return SST_NO_VALUE;
  }
  sst_value p = sst_stop_gradient(g, sst_softmax(g, steps, 1.0f));
  sst_value confidence = o->confidence == CONFIDENCE_LABEL ? sst_sum(g, sst_multiply(g, p, scene->target), SST_AXES_C)
                                                           : sst_max(g, p, SST_AXES_C);
  sst_value strong = ssti_mean_of_steps(g, steps, ssti_is_largest(g, confidence, SST_AXES_T));
  sst_value weak = ssti_mean_of_steps(g, steps, ssti_is_largest(g, sst_affine(g, confidence, -1.0f, 0.0f), SST_AXES_T));
  sst_value term = SST_NO_VALUE;
  switch (o->direction) {
  case STRONG_TO_WEAK: term = divergence(g, strong, weak, o); break;
  case WEAK_TO_STRONG: term = divergence(g, weak, strong, o); break;
  case STRONG_AND_WEAK: term = sst_add(g, divergence(g, strong, weak, o), divergence(g, weak, strong, o)); break;
  }
  return sst_affine(g, term, o->scale == STRONG_SCALE_SQUARED ? o->temperature * o->temperature : 1.0f, 0.0f);
}

const ssti_distill_method ssti_distill_strong_weak = {
    .name = "strong_weak",
    .options_size = sizeof(strong_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
