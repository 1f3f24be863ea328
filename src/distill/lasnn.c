// SPDX-License-Identifier: Apache-2.0
// lasnn: layer-wise distillation of the student's activity towards the teacher's, as attention maps or as features.
//
// Source: LaSNN, Hong et al. 2023 (arXiv 2304.09101). Its abstract says: a well-trained ANN distils knowledge other
// than converted parameters into a small SNN, an attention scheme bridges the two feature spaces, and the distillation
// is layer-wise. The formulas below are not from its body, which we have not read:
//
//     A_S = mean over T of the student's tap [1,N,H,W,C_S]      A_T = the teacher's (its mean over T, if it spikes)
//
//     map: attention, the attention transfer of Zagoruyko & Komodakis 2017 (arXiv 1612.03928) on A [our choice]:
//         Q(A) = sum over C of |A|^power, [1,N,H,W,1]           Qn = Q / ||Q||_2, the norm over H and W
//         term = sum over pairs of mean over N of ||Qn(A_S) - Qn(A_T)||_2^2
//
//     map: feature, the form of a public re-implementation in later work by the same first author:
//         term = sum over pairs of mean over N of ||Align(A_S) - A_T||_2^2
//         Align: a 1x1 convolution that the term learns where C_S and C_T differ, else nothing
//
// The norm makes a mean and a sum over T the same thing and leaves the widths free; only H and W must agree, and where
// they do not the larger map is pooled down. Defaults: power 2 (Zagoruyko & Komodakis), taps auto (ours), align conv1x1
// (that code). The factor of the feature form in that code is 7e-5 (option `weight`). Our choices: the convolution's
// bias, and that it comes after pooling. The conversion that LaSNN's second stage is said to start from is not part of
// the term: see `student.start`.
#include <stddef.h>

#include "distill/tap_pairs.h"

typedef enum lasnn_map { LASNN_ATTENTION, LASNN_FEATURE } lasnn_map;
static const char *const map_words[] = {"attention", "feature"};

typedef struct lasnn_options {
  lasnn_map map;
  float power;
  char taps[SSTI_OPTION_TEXT_SIZE];
  ssti_align align;
} lasnn_options;

static const ssti_option options[] = {
    {"map", SSTI_OPTION_WORD, offsetof(lasnn_options, map), 0, 0, "attention", map_words, 2,
     "what is compared: normalised attention over height and width, or the features themselves"},
    {"power", SSTI_OPTION_FLOAT, offsetof(lasnn_options, power), 1, 8, "2", NULL, 0,
     "attention: power of the activity before the sum over channels"},
    {"taps", SSTI_OPTION_TEXT, offsetof(lasnn_options, taps), 0, 0, "auto", NULL, 0,
     "pairs of taps: auto (stage by stage), or names with commas between them, each for both or STUDENT:TEACHER"},
    SSTI_ALIGN_OPTION(lasnn_options),
};

// Far below the norm that a single spike gives, so that only silent maps meet it; their gradient is 0 for power > 1.
static const float smallest_norm = 1e-6f;

static sst_value attention(sst_graph *g, sst_value activity, float power) {
  sst_value powers = power == 2.0f ? sst_square(g, activity) : sst_power(g, activity, power);
  return sst_l2_normalize(g, sst_sum(g, powers, SST_AXES_C), SST_AXES_H | SST_AXES_W, smallest_norm);
}

// A map of one pixel is 1 after the norm, whatever the network does: a term that never teaches anything.
static bool has_pixels(sst_graph *g, const ssti_tap_pair *pair) {
  const sst_shape shape = sst_graph_shape(g, pair->student);
  if (shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W] > 1) { return true; }
  sst_graph_fail(g, SST_SHAPE,
                 "the maps of %s and %s have a single pixel, on which attention is always 1; compare them with"
                 " map: feature, or name other taps",
                 pair->student_name, pair->teacher_name);
  return false;
}

static sst_value compare(sst_graph *g, const ssti_tap_pair *pair, const lasnn_options *o) {
  sst_value student = pair->student, teacher = pair->teacher;
  if (o->map == LASNN_ATTENTION) {
    if (!has_pixels(g, pair)) { return SST_NO_VALUE; }
    student = attention(g, student, o->power);
    teacher = attention(g, teacher, o->power);
  }
  const float batch = (float)sst_graph_shape(g, student).dim[SST_AXIS_N];
  sst_value distance = sst_sum(g, sst_square(g, sst_subtract(g, student, teacher)), SST_AXES_ALL);
  return sst_affine(g, distance, 1.0f / batch, 0.0f);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const lasnn_options *o = method_options;
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find(g, scene, o->taps, o->align, &pairs);
  if (o->map == LASNN_FEATURE) { ssti_tap_pairs_align_channels(g, scene, o->align, &pairs); }
  sst_value sum = SST_NO_VALUE;
  for (int i = 0; i < pairs.count; i++) {
    sst_value distance = compare(g, &pairs.pair[i], o);
    sum = i == 0 ? distance : sst_add(g, sum, distance);
  }
  return sum;
}

const ssti_distill_method ssti_distill_lasnn = {
    .name = "lasnn",
    .options_size = sizeof(lasnn_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
