// SPDX-License-Identifier: Apache-2.0
// tser: entropy regularisation of every step's prediction.
//
// Source: temporal separation with entropy regularisation (CVPR 2025). Its loss, as third-party code has it (we have
// not read the authors'), is (1-a) * mean_t CE + a * tau^2 * mean_t KL - g * mean_t Entropy. This method is the last
// part; the first two are `loss.per_step` and the teacher's part of step_kd, so that the entropy can be had without
// them.
//
//     q[t] = softmax(z[t] / temperature)       z: the student's logits at step t, [T,N,1,1,C]
//     term = mean over t, N of (log C - Entropy(q[t]))         Entropy(q) = - sum over C of q log q
//
// log C is a constant, without influence on training: with it the term is 0 at its optimum, a step that prefers no
// class, and never negative. Its `weight` is g.
// Default temperature 1, our choice: the sources at hand do not say which distribution's entropy is meant.
#include <math.h>
#include <stddef.h>

#include "distill/method.h"

typedef struct tser_options {
  float temperature;
} tser_options;

static const ssti_option options[] = {
    {"temperature", SSTI_OPTION_FLOAT, offsetof(tser_options, temperature), 1e-3, 1e3, "1", NULL, 0,
     "divides the step logits"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const tser_options *o = method_options;
  sst_value steps = ssti_student_tap(g, scene, "step_logits");
  const int64_t classes = sst_graph_shape(g, steps).dim[SST_AXIS_C];
  sst_value q = sst_softmax(g, steps, o->temperature), log_q = sst_log_softmax(g, steps, o->temperature);
  sst_value negative_entropy = sst_mean(g, sst_sum(g, sst_multiply(g, q, log_q), SST_AXES_C), SST_AXES_ALL);
  return sst_affine(g, negative_entropy, 1.0f, classes > 0 ? logf((float)classes) : 0.0f);
}

const ssti_distill_method ssti_distill_tser = {
    .name = "tser",
    .options_size = sizeof(tser_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
