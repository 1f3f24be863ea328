// SPDX-License-Identifier: Apache-2.0
// sastc: every stage of the student learns, at each time step, from every stage of the teacher, most from those that
// see the batch as it does.
//
// Source: SASTC (AAAI 2025), of which we know from public code
//
//     CE + KL_4 + beta * mean over t, i, j of w_tij * MSE(Proj_ij(f_S^i[t]), f_T^j),
//     w = softmax over teacher layers of the similarity of batch similarity matrices
//
// This method is the last part, with `weight` beta; KL_4 is the method kd with both temperatures 4. In full, where what
// the line leaves open is our choice:
//
//     K(f) = F F^T, F: the picture's values [N, H*W*C] with norm 1 each; rows K_n(f) [N] with norm 1: how picture n
//            resembles the others
//     w[t,n,i,j] = softmax over j of K_n(f_S^i[t]) . K_n(f_T^j) / temperature       a constant to the backward pass
//     e[t,n,i,j] = mean over H, W, C of (Proj_ij(f_S^i[t]) - f_T^j)^2
//     term = mean over t, n, i, j of w * e
//     Proj_ij: a 1x1 convolution to the teacher's channels, learned with the student and discarded; where heights and
//            widths differ the larger map is averaged down first
//
// So the weights are a picture's own, as in semantic calibration (Chen et al. 2021, arXiv 2012.03236), but without its
// learned keys. Default temperature 1, our choice: softmax of the similarity itself; less makes the choice sharper.
#include <stddef.h>
#include <stdio.h>

#include "distill/own_layers.h"
#include "distill/tap_pairs.h"

typedef struct sastc_options {
  char student_taps[SSTI_OPTION_TEXT_SIZE], teacher_taps[SSTI_OPTION_TEXT_SIZE];
  float temperature;
} sastc_options;

static const ssti_option options[] = {
    {"student_taps", SSTI_OPTION_TEXT, offsetof(sastc_options, student_taps), 0, 0, "auto", NULL, 0,
     "layers that learn: auto (every stage), or names with commas between them"},
    {"teacher_taps", SSTI_OPTION_TEXT, offsetof(sastc_options, teacher_taps), 0, 0, "auto", NULL, 0,
     "layers that teach: auto (every stage), or names with commas between them"},
    {"temperature", SSTI_OPTION_FLOAT, offsetof(sastc_options, temperature), 1e-3, 1e3, "1", NULL, 0,
     "divides the similarities; small: the most similar layer alone teaches"},
};

// A picture without activity resembles nobody.
static const float smallest_norm = 1e-6f;

// How each picture of [1,N,H,W,C] resembles the others: [1,N,1,1,N], rows of norm 1.
static sst_value resemblance(sst_graph *g, sst_value x) {
  sst_value rows = sst_l2_normalize(g, sst_flatten(g, x), SST_AXES_C, smallest_norm);
  return sst_l2_normalize(g, sst_linear(g, rows, rows, SST_NONE), SST_AXES_C, smallest_norm); // weight rows: F F^T
}

typedef struct teaching {
  const sst_distill_scene *scene;
  const sastc_options *options;
  ssti_tap_list student, teacher;
  sst_value teacher_resemblance[SSTI_TAP_PAIRS_MOST];
} teaching;

// Errors of one student layer against every teacher layer, [T,N,1,1,J].
static sst_value errors(sst_graph *g, const teaching *s, int i) {
  sst_value each[SSTI_TAP_PAIRS_MOST];
  for (int j = 0; j < s->teacher.count; j++) {
    ssti_tap_pair pair = {.student = s->student.value[i], .teacher = s->teacher.value[j]};
    snprintf(pair.student_name, sizeof pair.student_name, "%s", s->student.name[i]);
    snprintf(pair.teacher_name, sizeof pair.teacher_name, "%s", s->teacher.name[j]);
    if (!ssti_tap_pair_same_size(g, &pair, SSTI_ALIGN_POOL)) { return SST_NO_VALUE; }
    char name[48];
    snprintf(name, sizeof name, "project%d_%d", i + 1, j + 1);
    const int64_t channels = sst_graph_shape(g, pair.teacher).dim[SST_AXIS_C];
    sst_value projected = ssti_own_conv(g, s->scene, name, pair.student, channels, 1);
    each[j] =
        sst_mean(g, sst_square(g, sst_subtract(g, projected, pair.teacher)), SST_AXES_H | SST_AXES_W | SST_AXES_C);
  }
  return sst_concat(g, each, s->teacher.count, SST_AXIS_C);
}

// Weights of one student layer at one step, [1,N,1,1,J].
static sst_value weights(sst_graph *g, const teaching *s, sst_value layer, int64_t step) {
  sst_value each[SSTI_TAP_PAIRS_MOST];
  sst_value mine = resemblance(g, sst_select_steps(g, sst_stop_gradient(g, layer), step, 1));
  for (int j = 0; j < s->teacher.count; j++) {
    each[j] = sst_sum(g, sst_multiply(g, mine, s->teacher_resemblance[j]), SST_AXES_C);
  }
  return sst_softmax(g, sst_concat(g, each, s->teacher.count, SST_AXIS_C), s->options->temperature);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const sastc_options *o = method_options;
  teaching s = {.scene = scene, .options = o};
  ssti_tap_list_find(g, scene->student, "student_taps", o->student_taps, &s.student);
  ssti_tap_list_find(g, scene->teacher, "teacher_taps", o->teacher_taps, &s.teacher);
  if (s.student.count == 0 || s.teacher.count == 0) { return SST_NO_VALUE; }
  for (int j = 0; j < s.teacher.count; j++) {
    s.teacher.value[j] = ssti_mean_over_steps(g, sst_stop_gradient(g, s.teacher.value[j]));
    s.teacher_resemblance[j] = resemblance(g, s.teacher.value[j]);
  }
  sst_value sum = SST_NONE;
  int64_t count = 0;
  for (int i = 0; i < s.student.count; i++) {
    sst_value error = errors(g, &s, i);
    const int64_t steps = sst_graph_shape(g, error).dim[SST_AXIS_T];
    for (int64_t t = 0; t < steps; t++, count++) {
      sst_value weight = weights(g, &s, s.student.value[i], t);
      sst_value part = sst_mean(g, sst_multiply(g, weight, sst_select_steps(g, error, t, 1)), SST_AXES_ALL);
      sum = count == 0 ? part : sst_add(g, sum, part);
    }
  }
  return count == 0 ? SST_NO_VALUE : sst_affine(g, sum, 1.0f / (float)count, 0.0f);
}

const ssti_distill_method ssti_distill_sastc = {
    .name = "sastc",
    .options_size = sizeof(sastc_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
