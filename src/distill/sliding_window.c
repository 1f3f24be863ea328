// SPDX-License-Identifier: Apache-2.0
// sliding_window: a spiking teacher's output activity over windows of time steps.
//
// Source: Distilling Spikes, Kushawaha et al. 2020 (arXiv 2005.00288): a larger SNN teaches a smaller one, by comparing
// the output layers' spike activation over sliding time windows. We have not read the paper's formula: what is compared
// over a window, and how, are our choices:
//
//     a_k = mean of the output at steps k*stride .. k*stride + window - 1      output: step logits [T,N,1,1,C]
//     compare: mse     term = mean over windows, N, C of (a_k of the student - a_k of the teacher)^2
//     compare: kl      term = tau^2 * mean over windows, N of KL(softmax(a_k^T / tau) || softmax(a_k^S / tau))
//
// The output is spikes, as in the paper, with readout: spike_count in both networks; with others it is the current or
// the membrane of each step. Teacher and student need the same T. window = T compares the means over all steps,
// window = 1 each step with its own. Defaults window 2, stride 1, mse, temperature 4: ours.
#include <stddef.h>

#include "distill/step_choice.h"

typedef enum window_compare { WINDOW_MSE, WINDOW_KL } window_compare;
static const char *const compare_words[] = {"mse", "kl"};

typedef struct window_options {
  int64_t window, stride;
  window_compare compare;
  float temperature;
} window_options;

static const ssti_option options[] = {
    {"window", SSTI_OPTION_INT64, offsetof(window_options, window), 1, 4096, "2", NULL, 0, "steps in a window"},
    {"stride", SSTI_OPTION_INT64, offsetof(window_options, stride), 1, 4096, "1", NULL, 0,
     "steps from one window to the next"},
    {"compare", SSTI_OPTION_WORD, offsetof(window_options, compare), 0, 0, "mse", compare_words, 2,
     "squared error of the outputs, or divergence of their softmax"},
    {"temperature", SSTI_OPTION_FLOAT, offsetof(window_options, temperature), 1e-3, 1e3, "4", NULL, 0,
     "kl: divides the outputs of both"},
};

static sst_value compare(sst_graph *g, sst_value teacher, sst_value student, const window_options *o) {
  if (o->compare == WINDOW_MSE) { return sst_mse(g, student, teacher); }
  sst_value divergence = sst_mean(g, ssti_soft_divergence(g, teacher, student, o->temperature), SST_AXES_ALL);
  return sst_affine(g, divergence, o->temperature * o->temperature, 0.0f);
}

static sst_value window_mean(sst_graph *g, sst_value steps, int64_t first, int64_t window) {
  return sst_mean(g, sst_select_steps(g, steps, first, window), SST_AXES_T);
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const window_options *o = method_options;
  sst_value student = ssti_student_tap(g, scene, "step_logits");
  sst_value teacher = sst_stop_gradient(g, ssti_teacher_tap(g, scene, "step_logits"));
  const int64_t steps = sst_graph_shape(g, student).dim[SST_AXIS_T];
  const int64_t teacher_steps = sst_graph_shape(g, teacher).dim[SST_AXIS_T];
  if (steps != teacher_steps) {
    sst_graph_fail(g, SST_SHAPE,
                   "sliding_window compares steps one to one, but the student has %lld and the teacher %lld; expected"
                   " a spiking teacher with the student's timesteps",
                   (long long)steps, (long long)teacher_steps);
    return SST_NO_VALUE;
  }
  if (o->window > steps && steps > 0) {
    sst_graph_fail(g, SST_SHAPE, "sliding_window: the window has %lld steps, but the networks have %lld",
                   (long long)o->window, (long long)steps);
    return SST_NO_VALUE;
  }
  sst_value sum = SST_NONE;
  int64_t count = 0;
  for (int64_t first = 0; first + o->window <= steps; first += o->stride, count++) {
    sst_value difference =
        compare(g, window_mean(g, teacher, first, o->window), window_mean(g, student, first, o->window), o);
    sum = count == 0 ? difference : sst_add(g, sum, difference);
  }
  return count == 0 ? SST_NO_VALUE : sst_affine(g, sum, 1.0f / (float)count, 0.0f);
}

const ssti_distill_method ssti_distill_sliding_window = {
    .name = "sliding_window",
    .options_size = sizeof(window_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
