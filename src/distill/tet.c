// SPDX-License-Identifier: Apache-2.0
// tet: temporal efficient training: the labels at every step, and a pull of all step logits to a constant.
//
// Source: Deng et al. 2022 (ICLR, arXiv 2202.11946), in the form of its public code:
//
//     z[t]: the student's logits at step t, [T,N,1,1,C];  y: the labels
//     term = (1 - lambda) * mean over t, N of CE(z[t], y) + lambda * mean over t, N, C of (z[t] - constant)^2
//
// Defaults lambda 0.001, constant 1 are those of public implementations; the constant is the neuron's threshold, so
// give it when the threshold is not 1. No teacher. The cross-entropy is in the term, so `loss.weight: 0` gives the
// method alone. Label smoothing of the section `loss` does not reach it.
#include <stddef.h>

#include "distill/method.h"

typedef struct tet_options {
  float lambda, constant;
} tet_options;

static const ssti_option options[] = {
    {"lambda", SSTI_OPTION_FLOAT, offsetof(tet_options, lambda), 0, 1, "0.001", NULL, 0,
     "share of the pull to the constant; the cross-entropy has the rest"},
    {"constant", SSTI_OPTION_FLOAT, offsetof(tet_options, constant), -1e6, 1e6, "1", NULL, 0,
     "what step logits are pulled to: the neurons' threshold"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const tet_options *o = method_options;
  sst_value steps = ssti_student_tap(g, scene, "step_logits");
  sst_value labels = sst_mean(g, sst_cross_entropy(g, steps, scene->target, 0.0f), SST_AXES_ALL);
  sst_value pull = sst_mean(g, sst_square(g, sst_affine(g, steps, 1.0f, -o->constant)), SST_AXES_ALL);
  return sst_add(g, sst_affine(g, labels, 1.0f - o->lambda, 0.0f), sst_affine(g, pull, o->lambda, 0.0f));
}

const ssti_distill_method ssti_distill_tet = {
    .name = "tet",
    .options_size = sizeof(tet_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
