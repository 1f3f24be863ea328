// SPDX-License-Identifier: Apache-2.0
// self_distillation: the same network, run for more time steps, teaches itself.
//
// Source: temporal-spatial self-distillation (TSSD, CVPR 2024), of whose abstract we know that the spiking network with
// extended time steps is the "teacher" that guides the one with the original steps; no formula is claimed. Its other
// half, a weak classifier in the middle of the network, is not here; the enhanced form of ESD (NeurIPS 2025), in which
// only correct predictions teach, is step_kd with teacher_weight: 0. The formula is our choice:
//
//     z_long: the logits after the readout of the same network, same parameters, over `timesteps` steps, a constant to
//             the backward pass, as in inference: running statistics, no dropout
//     z: the student's logits after its readout, or those of each step
//     term = scale * mean over N (and t) of KL(softmax(z_long / tau) || softmax(z / tau))
//
// Defaults, our choices: twice the student's steps, after the readout, temperature 4 and scale tau^2 as in kd.
#include <stddef.h>

#include "distill/step_choice.h"

typedef enum self_scale { SELF_NONE, SELF_SQUARED } self_scale;
static const char *const scale_words[] = {"none", "squared"};

typedef struct self_options {
  int64_t timesteps;
  float temperature;
  self_scale scale;
  bool per_step;
} self_options;

static const ssti_option options[] = {
    {"timesteps", SSTI_OPTION_INT64, offsetof(self_options, timesteps), 0, 4096, "0", NULL, 0,
     "steps of the run that teaches, more than the student's; 0: twice as many"},
    {"temperature", SSTI_OPTION_FLOAT, offsetof(self_options, temperature), 1e-3, 1e3, "4", NULL, 0,
     "divides the logits of both"},
    {"scale", SSTI_OPTION_WORD, offsetof(self_options, scale), 0, 0, "squared", scale_words, 2, "factor: 1 or tau^2"},
    {"per_step", SSTI_OPTION_BOOL, offsetof(self_options, per_step), 0, 1, "false", NULL, 0,
     "each step's logits instead of those after the readout"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const self_options *o = method_options;
  const int64_t steps = sst_graph_shape(g, ssti_student_tap(g, scene, "step_logits")).dim[SST_AXIS_T];
  const int64_t longer = o->timesteps > 0 ? o->timesteps : 2 * steps;
  if (longer <= steps) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "self_distillation: timesteps is %lld, expected more than the %lld of the student",
                   (long long)longer, (long long)steps);
    return SST_NO_VALUE;
  }
  if (!scene->run_longer) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "self_distillation runs the student for more steps, and the scene has no way to do so");
    return SST_NO_VALUE;
  }
  sst_value teacher = scene->run_longer(g, scene->run_longer_user, longer);
  sst_value student = ssti_student_tap(g, scene, o->per_step ? "step_logits" : "logits");
  sst_value divergence = sst_mean(g, ssti_soft_divergence(g, teacher, student, o->temperature), SST_AXES_ALL);
  return sst_affine(g, divergence, o->scale == SELF_SQUARED ? o->temperature * o->temperature : 1.0f, 0.0f);
}

const ssti_distill_method ssti_distill_self_distillation = {
    .name = "self_distillation",
    .options_size = sizeof(self_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
