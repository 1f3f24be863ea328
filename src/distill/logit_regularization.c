// SPDX-License-Identifier: Apache-2.0
// logit_regularization: keeps the student's logits small, and with them its spikes few.
//
// Source: "On Reducing Activity with Distillation and Regularization" (Louis et al. 2024, arXiv 2406.18350): logits
// regularisation lowers activity. The squared form is second-hand: we have not read the paper's formula.
//
//     over: readout     term = mean over N, C of z^2          z: the logits after the readout, [1,N,1,1,C]
//     over: steps       term = mean over t, N, C of z[t]^2    z[t]: the logits of step t, [T,N,1,1,C]
//
// Default readout. Its `weight` is the formula's lambda.
#include <stddef.h>

#include "distill/method.h"

typedef enum logit_choice { LOGITS_OF_READOUT, LOGITS_OF_STEPS } logit_choice;
static const char *const choice_words[] = {"readout", "steps"};

typedef struct logit_options {
  logit_choice over;
} logit_options;

static const ssti_option options[] = {
    {"over", SSTI_OPTION_WORD, offsetof(logit_options, over), 0, 0, "readout", choice_words, 2,
     "logits after the readout, or those of every step"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const logit_options *o = method_options;
  sst_value logits = ssti_student_tap(g, scene, o->over == LOGITS_OF_STEPS ? "step_logits" : "logits");
  return sst_mean(g, sst_square(g, logits), SST_AXES_ALL);
}

const ssti_distill_method ssti_distill_logit_regularization = {
    .name = "logit_regularization",
    .options_size = sizeof(logit_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
