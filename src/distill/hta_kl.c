// SPDX-License-Identifier: Apache-2.0
// hta_kl: head-tail aware divergence: forward over the classes that the teacher finds probable, reverse over the rest.
//
// Source: HTA-KL (arXiv 2504.20445), whose idea we have second-hand: of the teacher's classes, sorted by probability,
// the head is distilled by a forward divergence and the tail by a reverse one. The formula is our choice:
//
//     p = softmax(z_T / tau)      q = softmax(z / tau)       z: the student's logits, after its readout or of each step
//     head = the fewest classes, from the most probable down, whose p adds up to at least `head`
//     F = sum over head of (p log(p / q) - p + q)            forward:  asks q to cover what p has
//     R = sum over tail of (q log(q / p) - q + p)            reverse:  asks q to stay away from what p has not
//     term = scale * mean over N (and t) of (F + tail_weight * R)
//
// -p + q and its like belong to the divergence of measures that do not add up to 1, as parts of distributions do not:
// with them every class's part is at least 0, and 0 only where q = p, so the optimum is the teacher's distribution;
// over all classes they add up to 0. head: 1 is the divergence of kd at equal temperatures. Defaults, our choices: head
// 0.5, tail_weight 1, after the readout; temperature 4 and scale tau^2 as in kd.
#include <stddef.h>

#include "distill/method.h"

typedef enum hta_scale { HTA_NONE, HTA_SQUARED } hta_scale;
static const char *const scale_words[] = {"none", "squared"};

typedef struct hta_options {
  float temperature, head, tail_weight;
  hta_scale scale;
  bool per_step;
} hta_options;

static const ssti_option options[] = {
    {"temperature", SSTI_OPTION_FLOAT, offsetof(hta_options, temperature), 1e-3, 1e3, "4", NULL, 0,
     "divides the logits of both"},
    {"head", SSTI_OPTION_FLOAT, offsetof(hta_options, head), 1e-6, 1, "0.5", NULL, 0,
     "share of the teacher's probability that its head holds"},
    {"tail_weight", SSTI_OPTION_FLOAT, offsetof(hta_options, tail_weight), 0, 1e6, "1", NULL, 0, "factor of the tail"},
    {"scale", SSTI_OPTION_WORD, offsetof(hta_options, scale), 0, 0, "squared", scale_words, 2, "factor: 1 or tau^2"},
    {"per_step", SSTI_OPTION_BOOL, offsetof(hta_options, per_step), 0, 1, "false", NULL, 0,
     "each step's logits instead of those after the readout"},
};

// a * (log_a - log_b) - a + b, of each class.
static sst_value divergence(sst_graph *g, sst_value a, sst_value log_a, sst_value b, sst_value log_b) {
  return sst_add(g, sst_multiply(g, a, sst_subtract(g, log_a, log_b)), sst_subtract(g, b, a));
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const hta_options *o = method_options;
  sst_value teacher = sst_stop_gradient(g, ssti_teacher_tap(g, scene, "logits"));
  sst_value student = ssti_student_tap(g, scene, o->per_step ? "step_logits" : "logits");
  sst_value p = sst_softmax(g, teacher, o->temperature), log_p = sst_log_softmax(g, teacher, o->temperature);
  sst_value q = sst_softmax(g, student, o->temperature), log_q = sst_log_softmax(g, student, o->temperature);
  sst_value head = sst_head_mask(g, p, o->head), tail = sst_affine(g, head, -o->tail_weight, o->tail_weight);
  sst_value forward = sst_multiply(g, head, divergence(g, p, log_p, q, log_q));
  sst_value reverse = sst_multiply(g, tail, divergence(g, q, log_q, p, log_p));
  sst_value classes = sst_sum(g, sst_add(g, forward, reverse), SST_AXES_C);
  const float factor = o->scale == HTA_SQUARED ? o->temperature * o->temperature : 1.0f;
  return sst_affine(g, sst_mean(g, classes, SST_AXES_ALL), factor, 0.0f);
}

const ssti_distill_method ssti_distill_hta_kl = {
    .name = "hta_kl",
    .options_size = sizeof(hta_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
