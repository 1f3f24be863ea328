// SPDX-License-Identifier: Apache-2.0
// sakd: a learned 1x1 convolution of the student's time-averaged activity matches the teacher's, stage by stage.
//
// Source: SAKD (Neural Networks 2024), as in its public code. The student starts from the parameters of an ANN and
// learns with
//
//     CE + b * sum over l of MSE(Transform_l(mean over T of s^l), f_T^l) + c * KL_tau        b = 100, tau = 4
//
// This method is the sum, with `weight` b:
//
//     term = sum over pairs of mean over N, H, W, C of (Transform(A_S) - A_T)^2
//     Transform: a 1x1 convolution of C_S to C_T channels, learned with the student and discarded, for each pair
//
// The start is `student.start`, the last part the method kd with both temperatures 4, so that a recipe can have any of
// the three. Unlike feature_kd with align: conv1x1, the convolution is there where the widths agree too. Defaults: taps
// auto; our choices: that, the convolution's bias and initial values, and pooling where H and W differ.
#include <stddef.h>
#include <stdio.h>

#include "distill/own_layers.h"
#include "distill/tap_pairs.h"

typedef struct sakd_options {
  char taps[SSTI_OPTION_TEXT_SIZE];
} sakd_options;

static const ssti_option options[] = {
    {"taps", SSTI_OPTION_TEXT, offsetof(sakd_options, taps), 0, 0, "auto", NULL, 0,
     "pairs of taps: auto (stage by stage), or names with commas between them, each for both or STUDENT:TEACHER"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const sakd_options *o = method_options;
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find(g, scene, o->taps, SSTI_ALIGN_POOL, &pairs);
  sst_value sum = SST_NO_VALUE;
  for (int i = 0; i < pairs.count; i++) {
    const ssti_tap_pair *pair = &pairs.pair[i];
    char name[32];
    snprintf(name, sizeof name, "transform%d", i + 1);
    const int64_t channels = sst_graph_shape(g, pair->teacher).dim[SST_AXIS_C];
    sst_value error = sst_mse(g, ssti_own_conv(g, scene, name, pair->student, channels, 1), pair->teacher);
    sum = i == 0 ? error : sst_add(g, sum, error);
  }
  return sum;
}

const ssti_distill_method ssti_distill_sakd = {
    .name = "sakd",
    .options_size = sizeof(sakd_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
