// SPDX-License-Identifier: Apache-2.0
// ckdsnn: where the student's last stage fires, all channels and steps together, follows where the teacher sees its
// class: the class activation map.
//
// Source: CKDSNN (AAAI 2026), of which we know from public code: the teacher's class activation map against the spikes
// summed over T and channels at the last stage, by KL. The map is that of Zhou et al. 2016 (arXiv 1512.04150), which
// wants a mean over height and width in front of the last linear layer:
//
//     M_T = sum over C of W[k, c] * f_T[h, w, c]       W: weights of the teacher's last linear layer, k: the class
//     M_S = sum over T and C of s[t, h, w, c]
//     p = softmax over H*W of M_T / teacher_temperature,  q = softmax over H*W of M_S / student_temperature
//     term = mean over N of KL(p || q)
//
// Our choices: k is the label (`class: predicted`, the teacher's own answer, which may be several where they tie),
// temperatures 1, pooling of the larger map where sizes differ. That code's second part, soft labels with noise of 0.1
// on the teacher's logits, is the method kd with `noise: 0.1`.
#include <stddef.h>
#include <stdio.h>

#include "distill/step_choice.h"
#include "distill/tap_pairs.h"

typedef enum ckd_class { CKD_LABEL, CKD_PREDICTED } ckd_class;
static const char *const class_words[] = {"label", "predicted"};

typedef struct ckd_options {
  char taps[SSTI_OPTION_TEXT_SIZE];
  ckd_class class;
  float teacher_temperature, student_temperature;
} ckd_options;

static const ssti_option options[] = {
    {"taps", SSTI_OPTION_TEXT, offsetof(ckd_options, taps), 0, 0, "features", NULL, 0,
     "the last stages: a tap that both have, or STUDENT:TEACHER; the teacher's in front of its mean over height and"
     " width"},
    {"class", SSTI_OPTION_WORD, offsetof(ckd_options, class), 0, 0, "label", class_words, 2,
     "whose map: the label's, or the one that the teacher predicts"},
    {"teacher_temperature", SSTI_OPTION_FLOAT, offsetof(ckd_options, teacher_temperature), 1e-3, 1e6, "1", NULL, 0,
     "divides the teacher's map"},
    {"student_temperature", SSTI_OPTION_FLOAT, offsetof(ckd_options, student_temperature), 1e-3, 1e6, "1", NULL, 0,
     "divides the student's map"},
};

// Maps of all classes by one 1x1 convolution; then the class' own. [1,N,H,W,1].
static sst_value class_activation(sst_graph *g, const sst_distill_scene *scene, sst_value features, ckd_class class) {
  sst_value weight = sst_stop_gradient(g, ssti_teacher_tap(g, scene, "head.weight"));
  const sst_conv2d_options one = sst_conv2d_default();
  sst_value maps = sst_conv2d(g, features, weight, SST_NONE, &one);
  sst_value chosen =
      class == CKD_LABEL ? scene->target : ssti_is_largest(g, ssti_teacher_tap(g, scene, "logits"), SST_AXES_C);
  return sst_sum(g, sst_multiply(g, maps, chosen), SST_AXES_C);
}

// Whether the teacher's features go to its classes channel by channel, and there is a map to compare.
static bool has_map(sst_graph *g, const sst_distill_scene *scene, const ssti_tap_pair *pair) {
  const sst_shape features = sst_graph_shape(g, pair->teacher), student = sst_graph_shape(g, pair->student);
  const sst_shape weight = sst_graph_shape(g, ssti_teacher_tap(g, scene, "head.weight"));
  if (sst_graph_status(g) != SST_OK) { return false; }
  if (weight.dim[SST_AXIS_C] != features.dim[SST_AXIS_C]) {
    char map[SST_SHAPE_TEXT_SIZE], head[SST_SHAPE_TEXT_SIZE];
    sst_graph_fail(g, SST_SHAPE,
                   "ckdsnn: the teacher's %s is %s and the weight of its last linear layer %s: a class activation map"
                   " needs as many inputs there as channels, by a mean over height and width (globalpool) in between",
                   pair->teacher_name, sst_shape_text(features, map, sizeof map),
                   sst_shape_text(weight, head, sizeof head));
    return false;
  }
  if (features.dim[SST_AXIS_H] * features.dim[SST_AXIS_W] > 1 &&
      student.dim[SST_AXIS_H] * student.dim[SST_AXIS_W] > 1) {
    return true;
  }
  ssti_tap_pair_fail(g, pair, "a map of a single pixel says nothing", "name another pair in taps");
  return false;
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const ckd_options *o = method_options;
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find_raw(g, scene, o->taps, "", &pairs);
  if (pairs.count == 0) { return SST_NO_VALUE; }
  if (pairs.count > 1) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT, "ckdsnn: taps \"%s\" are %d pairs, expected the last stages alone", o->taps,
                   pairs.count);
    return SST_NO_VALUE;
  }
  ssti_tap_pair *pair = &pairs.pair[0];
  if (!has_map(g, scene, pair)) { return SST_NO_VALUE; }
  pair->teacher = class_activation(g, scene, ssti_mean_over_steps(g, pair->teacher), o->class);
  pair->student = sst_sum(g, pair->student, SST_AXES_T | SST_AXES_C);
  if (!ssti_tap_pair_same_size(g, pair, SSTI_ALIGN_POOL)) { return SST_NO_VALUE; }
  sst_value p = sst_softmax(g, sst_stop_gradient(g, sst_flatten(g, pair->teacher)), o->teacher_temperature);
  sst_value log_q = sst_log_softmax(g, sst_flatten(g, pair->student), o->student_temperature);
  return sst_mean(g, sst_kl_divergence(g, p, log_q), SST_AXES_ALL);
}

const ssti_distill_method ssti_distill_ckdsnn = {
    .name = "ckdsnn",
    .options_size = sizeof(ckd_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
