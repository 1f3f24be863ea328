// SPDX-License-Identifier: Apache-2.0
// kd: soft labels with separate temperatures for teacher and student.
//
// Source: Hinton, Vinyals & Dean 2015 (arXiv 1503.02531) for the equal-temperature form; separate temperatures after
// Lee et al. 2021 (arXiv 2106.07172), whose body is not public: what follows is our own algebra from its abstract.
//
//     p = softmax((z_teacher + e) / tau_t)  z: logits [1,N,1,1,C], the student's after its readout over T
//     q = softmax(z_student / tau_s)
//     term = scale(tau_t, tau_s) * mean over N of KL(p || q)
//     e: normal noise of deviation `noise` on the teacher's logits, drawn anew in each step, in training only; 0 by
//     default
//
// Its optimum is z_student = (tau_s / tau_t) * z_teacher + const: tau_s < tau_t asks for a smaller range of logits,
// hence fewer spikes. `scale` is an option because it changes the effective weight of the term: hold it fixed (none)
// when temperatures are compared, or "heterogeneous" is confounded with "weaker". Defaults: both temperatures 4 (the
// value of LaSNN's author's public code), scale product, which for equal temperatures is Hinton's tau^2.
#include <stddef.h>

#include "distill/method.h"

typedef enum kd_scale { KD_SCALE_NONE, KD_SCALE_PRODUCT, KD_SCALE_STUDENT, KD_SCALE_TEACHER } kd_scale;
static const char *const scale_words[] = {"none", "product", "student_squared", "teacher_squared"};

typedef struct kd_options {
  float teacher_temperature, student_temperature;
  kd_scale scale;
  float noise;
} kd_options;

static const ssti_option options[] = {
    {"teacher_temperature", SSTI_OPTION_FLOAT, offsetof(kd_options, teacher_temperature), 1e-3, 1e3, "4", NULL, 0,
     "divides the teacher's logits"},
    {"student_temperature", SSTI_OPTION_FLOAT, offsetof(kd_options, student_temperature), 1e-3, 1e3, "4", NULL, 0,
     "divides the student's logits"},
    {"scale", SSTI_OPTION_WORD, offsetof(kd_options, scale), 0, 0, "product", scale_words, 4,
     "factor: 1, tau_t*tau_s, tau_s^2 or tau_t^2"},
    {"noise", SSTI_OPTION_FLOAT, offsetof(kd_options, noise), 0, 1e3, "0", NULL, 0,
     "deviation of normal noise on the teacher's logits in training"},
};

static float scale_factor(const kd_options *o) {
  switch (o->scale) {
  case KD_SCALE_PRODUCT: return o->teacher_temperature * o->student_temperature;
  case KD_SCALE_STUDENT: return o->student_temperature * o->student_temperature;
  case KD_SCALE_TEACHER: return o->teacher_temperature * o->teacher_temperature;
  case KD_SCALE_NONE: break;
  }
  return 1.0f;
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const kd_options *o = method_options;
  sst_value teacher = sst_stop_gradient(g, ssti_teacher_tap(g, scene, "logits"));
  if (o->noise > 0.0f) { teacher = sst_noise(g, teacher, o->noise); }
  sst_value student = ssti_student_tap(g, scene, "logits");
  sst_value p = sst_softmax(g, teacher, o->teacher_temperature);
  sst_value log_q = sst_log_softmax(g, student, o->student_temperature);
  return sst_affine(g, sst_mean(g, sst_kl_divergence(g, p, log_q), SST_AXES_ALL), scale_factor(o), 0.0f);
}

const ssti_distill_method ssti_distill_kd = {
    .name = "kd",
    .options_size = sizeof(kd_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_teacher = true,
    .build = build,
};
