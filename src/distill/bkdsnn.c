// SPDX-License-Identifier: Apache-2.0
// bkdsnn: the student's features, with channels blotted out, must still let a small network generate the teacher's; and
// soft labels that weigh most where the student is worse than the teacher.
//
// Source: BKDSNN, Xu et al. 2024 (arXiv 2407.09083), after the authors' public code:
//
//     A = Align(mean over T of the student's tap)     [1,N,H,W,C_T]; Align: a 1x1 convolution where the widths differ
//     M = 0 with probability mask_rate, else 1        for each picture and channel, drawn anew at each step of training
//     G = conv3x3(relu(conv3x3(.))), C_T channels     learned with the student and discarded, as Align is
//     features = sum over pairs of mean over N of ||G(M * A) - f_T||_2^2
//
//     p = softmax(z_T / tau), q = softmax(z_S / tau)  logits [1,N,1,1,C] after the readout
//     w = 1 - exp(-CE(z_S, y) / (CE(z_T, y) + 1e-7))  a constant to the backward pass
//     labels = tau^2 * mean over N of w * (- sum over C of p log q)
//
//     term = feature_weight * features + label_weight * labels
//
// Defaults mask_rate 0.15, tau 2 and feature_weight 2e-3 (CIFAR; 7e-5 on ImageNet) are that code's. Our choices:
// label_weight 1, and biases that start at 0. Its variant for transformers, which scales the teacher's features to the
// student's largest and averages over H and W after G, is not here.
#include <stddef.h>
#include <stdio.h>

#include "distill/own_layers.h"
#include "distill/tap_pairs.h"

typedef struct bkd_options {
  char taps[SSTI_OPTION_TEXT_SIZE];
  ssti_align align;
  float mask_rate, feature_weight, label_weight, temperature;
} bkd_options;

static const ssti_option options[] = {
    {"taps", SSTI_OPTION_TEXT, offsetof(bkd_options, taps), 0, 0, "features", NULL, 0,
     "pairs of taps: auto (stage by stage), or names with commas between them, each for both or STUDENT:TEACHER"},
    SSTI_ALIGN_OPTION(bkd_options),
    {"mask_rate", SSTI_OPTION_FLOAT, offsetof(bkd_options, mask_rate), 0, 0.99, "0.15", NULL, 0,
     "probability that a channel of a picture is blotted out"},
    {"feature_weight", SSTI_OPTION_FLOAT, offsetof(bkd_options, feature_weight), 0, 1e6, "2e-3", NULL, 0,
     "factor of the features' part; 0: without it"},
    {"label_weight", SSTI_OPTION_FLOAT, offsetof(bkd_options, label_weight), 0, 1e6, "1", NULL, 0,
     "factor of the soft labels' part; 0: without it"},
    {"temperature", SSTI_OPTION_FLOAT, offsetof(bkd_options, temperature), 1e-3, 1e3, "2", NULL, 0,
     "divides the logits of both"},
};

// Dropout of ones [1,N,1,1,C], whose survivors are cut back to 1.
static sst_value channel_mask(sst_graph *g, sst_value x, float rate) {
  sst_value channels = sst_mean(g, sst_stop_gradient(g, x), SST_AXES_H | SST_AXES_W);
  return sst_clip(g, sst_dropout(g, sst_affine(g, channels, 0.0f, 1.0f), rate), 0.0f, 1.0f);
}

static sst_value generate(sst_graph *g, const sst_distill_scene *scene, int pair, sst_value x, int64_t channels) {
  char first[32], second[32];
  snprintf(first, sizeof first, "generate%d_1", pair);
  snprintf(second, sizeof second, "generate%d_2", pair);
  x = sst_relu(g, ssti_own_conv(g, scene, first, x, channels, 3));
  return ssti_own_conv(g, scene, second, x, channels, 3);
}

static sst_value feature_part(sst_graph *g, const sst_distill_scene *scene, const bkd_options *o) {
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find(g, scene, o->taps, o->align, &pairs);
  ssti_tap_pairs_align_channels(g, scene, o->align, &pairs);
  sst_value sum = SST_NO_VALUE;
  for (int i = 0; i < pairs.count; i++) {
    sst_value student = pairs.pair[i].student, teacher = pairs.pair[i].teacher;
    const sst_shape shape = sst_graph_shape(g, teacher);
    if (o->mask_rate > 0.0f) { student = sst_multiply(g, student, channel_mask(g, student, o->mask_rate)); }
    sst_value generated = generate(g, scene, i + 1, student, shape.dim[SST_AXIS_C]);
    sst_value squares = sst_sum(g, sst_square(g, sst_subtract(g, generated, teacher)), SST_AXES_ALL);
    sst_value distance = sst_affine(g, squares, 1.0f / (float)shape.dim[SST_AXIS_N], 0.0f);
    sum = i == 0 ? distance : sst_add(g, sum, distance);
  }
  return sum;
}

static sst_value label_part(sst_graph *g, const sst_distill_scene *scene, const bkd_options *o) {
  const float tau = o->temperature;
  sst_value student = ssti_student_tap(g, scene, "logits");
  sst_value teacher = sst_stop_gradient(g, ssti_teacher_tap(g, scene, "logits"));
  sst_value mine = sst_cross_entropy(g, sst_stop_gradient(g, student), scene->target, 0.0f);
  sst_value theirs = sst_affine(g, sst_cross_entropy(g, teacher, scene->target, 0.0f), 1.0f, 1e-7f);
  sst_value weight = sst_affine(g, sst_exp(g, sst_affine(g, sst_divide(g, mine, theirs), -1.0f, 0.0f)), -1.0f, 1.0f);
  sst_value agreement =
      sst_sum(g, sst_multiply(g, sst_softmax(g, teacher, tau), sst_log_softmax(g, student, tau)), SST_AXES_C);
  return sst_affine(g, sst_mean(g, sst_multiply(g, weight, agreement), SST_AXES_ALL), -tau * tau, 0.0f);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const bkd_options *o = method_options;
  if (o->feature_weight == 0.0f && o->label_weight == 0.0f) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "bkdsnn: feature_weight and label_weight are both 0, expected at least one above 0");
    return SST_NO_VALUE;
  }
  sst_value features = SST_NONE, labels = SST_NONE;
  if (o->feature_weight > 0.0f) { features = sst_affine(g, feature_part(g, scene, o), o->feature_weight, 0.0f); }
  if (o->label_weight > 0.0f) { labels = sst_affine(g, label_part(g, scene, o), o->label_weight, 0.0f); }
  if (features == SST_NONE) { return labels; }
  return labels == SST_NONE ? features : sst_add(g, features, labels);
}

const ssti_distill_method ssti_distill_bkdsnn = {
    .name = "bkdsnn",
    .options_size = sizeof(bkd_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
