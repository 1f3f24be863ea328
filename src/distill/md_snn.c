// SPDX-License-Identifier: Apache-2.0
// md_snn: the student's membrane potentials match those of a spiking teacher, stage by stage and step by step.
//
// Source: MD-SNN, Lee et al. 2025 (arXiv 2512.04443). Its abstract says: quantising a spiking network mismatches its
// membrane potential, on which firing depends, so the full-precision spiking network teaches the quantised one through
// the membrane potentials; second-hand: and through the logits (method kd beside this one), and one teacher of T = 4
// serves students of T = 1..4. The formula is our choice, with its layers, steps and norm:
//
//     H[t]: the membrane before firing and reset, [T,N,H,W,C], of a pair of taps in student and teacher
//     term = sum over pairs of layer_weight * mean over t, N, H, W, C of ((H_S[t] - H_T[t]) / norm)^2
//
//     norm: threshold             the student's firing threshold
//     norm: teacher_deviation     sqrt(mean of (H_T[t] - mean H_T)^2), both means over t, N, H, W, C of the pair; a
//                                 constant to the backward pass
//     step_match: equal           step by step; another number of steps is an error
//     step_match: first           the student's T steps with the teacher's first T
//     step_match: mean            means over each network's own steps: one difference instead of T
//
// Defaults, our choices: the last membrane of each stage, weights 1, norm threshold, step_match equal.
#include <float.h>
#include <stddef.h>
#include <string.h>

#include "distill/tap_pairs.h"

typedef enum md_norm { MD_THRESHOLD, MD_TEACHER_DEVIATION } md_norm;
typedef enum md_step_match { MD_EQUAL, MD_FIRST, MD_MEAN } md_step_match;
static const char *const norm_words[] = {"threshold", "teacher_deviation"};
static const char *const step_words[] = {"equal", "first", "mean"};

typedef struct md_options {
  char taps[SSTI_OPTION_TEXT_SIZE], layer_weights[SSTI_OPTION_TEXT_SIZE];
  md_norm norm;
  md_step_match step_match;
} md_options;

static const ssti_option options[] = {
    {"taps", SSTI_OPTION_TEXT, offsetof(md_options, taps), 0, 0, "auto", NULL, 0,
     "pairs of membrane taps: auto (stage by stage), or names with commas between them, each for both or"
     " STUDENT:TEACHER"},
    {"layer_weights", SSTI_OPTION_TEXT, offsetof(md_options, layer_weights), 0, 0, "", NULL, 0,
     "factor of each pair, with commas between them; empty: 1"},
    {"norm", SSTI_OPTION_WORD, offsetof(md_options, norm), 0, 0, "threshold", norm_words, 2,
     "what a difference is measured in: the student's threshold, or the deviation of the teacher's membrane"},
    {"step_match", SSTI_OPTION_WORD, offsetof(md_options, step_match), 0, 0, "equal", step_words, 3,
     "equal: step by step; first: with the teacher's first steps; mean: averages over each one's steps"},
};

// A membrane that never moves has no scale of its own; the floor keeps its term finite.
static const float smallest_variance = 1e-12f;

// Brings the steps together; false with the failure kept.
static bool match_steps(sst_graph *g, ssti_tap_pair *pair, md_step_match match) {
  if (match == MD_MEAN) {
    pair->student = sst_mean(g, pair->student, SST_AXES_T);
    pair->teacher = sst_mean(g, pair->teacher, SST_AXES_T);
    return true;
  }
  const int64_t student = sst_graph_shape(g, pair->student).dim[SST_AXIS_T];
  const int64_t teacher = sst_graph_shape(g, pair->teacher).dim[SST_AXIS_T];
  if (student == teacher) { return true; }
  if (match == MD_EQUAL) {
    ssti_tap_pair_fail(g, pair, "their steps must agree", "say how they meet with step_match: first or mean");
    return false;
  }
  if (student > teacher) {
    ssti_tap_pair_fail(g, pair, "the teacher has too few steps for step_match: first", "use step_match: mean");
    return false;
  }
  pair->teacher = sst_select_steps(g, pair->teacher, 0, student);
  return true;
}

static bool check_shapes(sst_graph *g, const ssti_tap_pair *pair) {
  if (sst_shape_equal(sst_graph_shape(g, pair->student), sst_graph_shape(g, pair->teacher))) { return true; }
  ssti_tap_pair_fail(g, pair, "membranes are compared one to one", "name another pair in taps");
  return false;
}

static sst_value variance(sst_graph *g, sst_value x) {
  sst_value centred = sst_subtract(g, x, sst_mean(g, x, SST_AXES_ALL));
  return sst_stop_gradient(g,
                           sst_clip(g, sst_mean(g, sst_square(g, centred), SST_AXES_ALL), smallest_variance, FLT_MAX));
}

static sst_value compare(sst_graph *g, ssti_tap_pair *pair, const md_options *o, float threshold) {
  if (!match_steps(g, pair, o->step_match) || !check_shapes(g, pair)) { return SST_NO_VALUE; }
  sst_value error = sst_mse(g, pair->student, pair->teacher);
  return o->norm == MD_THRESHOLD ? sst_affine(g, error, 1.0f / (threshold * threshold), 0.0f)
                                 : sst_divide(g, error, variance(g, pair->teacher));
}

// Reads `count` factors from "1,0.5,2"; false if it says anything else.
static bool read_weights(const char *text, int count, float *weights) {
  for (int i = 0; i < count; i++) {
    char word[SSTI_NUMBER_TEXT_SIZE];
    const size_t length = strcspn(text, ",");
    double value = 0;
    if (length >= sizeof word || (text[length] == ',') != (i + 1 < count)) { return false; }
    memcpy(word, text, length);
    word[length] = '\0';
    if (!ssti_parse_double(word + strspn(word, " "), &value) || value < 0 || value > 1e6) { return false; }
    weights[i] = (float)value;
    text += length + 1;
  }
  return true;
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const md_options *o = method_options;
  if (o->norm == MD_THRESHOLD && !(scene->threshold > 0.0f)) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "md_snn: norm: threshold, but the student has no spiking neurons whose threshold it could be");
    return SST_NO_VALUE;
  }
  ssti_tap_pairs pairs;
  ssti_tap_pairs_find_raw(g, scene, o->taps, ".membrane", &pairs);
  float weights[SSTI_TAP_PAIRS_MOST];
  for (int i = 0; i < pairs.count; i++) { weights[i] = 1.0f; }
  if (o->layer_weights[0] != '\0' && pairs.count > 0 && !read_weights(o->layer_weights, pairs.count, weights)) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "md_snn: layer_weights is \"%s\", expected %d numbers from 0 to 1e6 with commas between them, one"
                   " for each pair of taps",
                   o->layer_weights, pairs.count);
    return SST_NO_VALUE;
  }
  sst_value sum = SST_NO_VALUE;
  for (int i = 0; i < pairs.count; i++) {
    sst_value error = sst_affine(g, compare(g, &pairs.pair[i], o, scene->threshold), weights[i], 0.0f);
    sum = i == 0 ? error : sst_add(g, sum, error);
  }
  return sum;
}

const ssti_distill_method ssti_distill_md_snn = {
    .name = "md_snn",
    .options_size = sizeof(md_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
