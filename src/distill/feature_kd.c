// SPDX-License-Identifier: Apache-2.0
// feature_kd: the student's time-averaged spikes match the teacher's features, element by element.
//
// Source: KDSNN (CVPR 2023): an ANN's features teach a spiking network beside its soft labels, by a squared error.
// Which layers, which average and which alignment we have not read; those below are our choices:
//
//     A_S = mean over T of the student's tap [1,N,H,W,C]      A_T = the teacher's (its mean over T, if it spikes)
//     term = sum over pairs of mean over N, H, W, C of (A_S - A_T)^2
//
// Default taps "features": the last activation before the last linear layer. Where the channels differ A_S goes through
// a 1x1 convolution that the term learns, as in lasnn; H and W are pooled to the smaller size. Differs from lasnn's
// feature map in its mean over H, W and C, so that weights do not depend on the layer's size.
#include <stddef.h>

#include "distill/tap_pairs.h"

typedef struct feature_options {
  char taps[SSTI_OPTION_TEXT_SIZE];
  ssti_align align;
} feature_options;

static const ssti_option options[] = {
    {"taps", SSTI_OPTION_TEXT, offsetof(feature_options, taps), 0, 0, "features", NULL, 0,
     "pairs of taps: auto (stage by stage), or names with commas between them, each for both or STUDENT:TEACHER"},
    SSTI_ALIGN_OPTION(feature_options),
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const feature_options *o = method_options;
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find(g, scene, o->taps, o->align, &pairs);
  ssti_tap_pairs_align_channels(g, scene, o->align, &pairs);
  sst_value sum = SST_NO_VALUE;
  for (int i = 0; i < pairs.count; i++) {
    sst_value error = sst_mse(g, pairs.pair[i].student, pairs.pair[i].teacher);
    sum = i == 0 ? error : sst_add(g, sum, error);
  }
  return sum;
}

const ssti_distill_method ssti_distill_feature_kd = {
    .name = "feature_kd",
    .options_size = sizeof(feature_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
