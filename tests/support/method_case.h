// SPDX-License-Identifier: Apache-2.0
// A distillation term over taps of given shapes: the student's are parameters, so that they receive gradients, the
// teacher's are inputs, and what the term learns for itself lies in a store apart. A suite fills them, runs the term
// and holds value and gradient against its own arithmetic in double.
//
//   method_case c;
//   method_begin(&c, context, "lasnn", (const char *const[]){"map", "feature", NULL});
//   method_student(&c, "stage1", shape);
//   method_teacher(&c, "stage1", shape);
//   method_compile(&c);
//   assert_near(method_value(&c), by_hand, 1e-5, 0);
//   method_end(&c);
#ifndef SPIKESTILL_TESTS_METHOD_CASE_H
#define SPIKESTILL_TESTS_METHOD_CASE_H

#include "graphs.h"
#include "spikestill/distill.h"

enum { METHOD_TAPS = 8 };

typedef struct method_tap {
  char name[64];
  sst_value value;
  int64_t count;
} method_tap;

typedef struct method_case {
  sst_context *context;
  sst_distill_term *term;
  sst_parameters *store, *own; // of the student's taps; of the term
  sst_graph *graph;
  sst_value target, loss;
  bool has_teacher, has_twin;
  float threshold;     // of the student's neurons, for the scene
  sst_run_options run; // of every pass: inference unless the suite says otherwise
  method_tap student[METHOD_TAPS], teacher[METHOD_TAPS];
  int student_count, teacher_count;
  sst_value longer;     // logits of the student's longer run
  int64_t longer_steps; // that the term asked for
} method_case;

// `options`: keys and values in turn, ended by NULL; NULL for the defaults.
static inline void method_begin(method_case *c, sst_context *context, const char *method, const char *const *options) {
  *c = (method_case){.context = context, .target = SST_NONE, .loss = SST_NO_VALUE, .longer = SST_NO_VALUE};
  assert_ok(context, sst_distill_term_create(context, method, &c->term));
  for (int i = 0; options && options[i]; i += 2) {
    assert_ok(context, sst_distill_term_set(c->term, options[i], options[i + 1]));
  }
  c->graph = graph_begin(context, &c->store);
  assert_ok(context, sst_parameters_create(context, 5, &c->own));
}

static inline void method_end(method_case *c) {
  sst_distill_term_destroy(c->term);
  graph_end(c->graph, c->store);
  sst_parameters_destroy(c->own);
}

static inline void method_student(method_case *c, const char *name, sst_shape shape) {
  assert_true(c->student_count < METHOD_TAPS);
  method_tap *tap = &c->student[c->student_count++];
  char parameter[80], full[80];
  snprintf(tap->name, sizeof tap->name, "%s", name);
  snprintf(parameter, sizeof parameter, "parameter.%s", name);
  snprintf(full, sizeof full, "student.%s", name);
  tap->value = sst_graph_tap(c->graph, full, graph_weight(c->graph, parameter, shape));
  tap->count = sst_shape_count(shape);
}

// A tap of the twin: it receives gradients, and goes by the name "twin.<name>" where a student's goes by its own.
static inline void method_twin(method_case *c, const char *name, sst_shape shape) {
  assert_true(c->student_count < METHOD_TAPS);
  method_tap *tap = &c->student[c->student_count++];
  char parameter[96];
  snprintf(tap->name, sizeof tap->name, "twin.%s", name);
  snprintf(parameter, sizeof parameter, "parameter.%s", tap->name);
  tap->value = sst_graph_tap(c->graph, tap->name, graph_weight(c->graph, parameter, shape));
  tap->count = sst_shape_count(shape);
  c->has_twin = true;
}

static inline void method_teacher(method_case *c, const char *name, sst_shape shape) {
  assert_true(c->teacher_count < METHOD_TAPS);
  method_tap *tap = &c->teacher[c->teacher_count++];
  char full[80];
  snprintf(tap->name, sizeof tap->name, "%s", name);
  snprintf(full, sizeof full, "teacher.%s", name);
  tap->value = sst_graph_input(c->graph, full, shape);
  tap->count = sst_shape_count(shape);
  c->has_teacher = true;
}

static inline void method_target(method_case *c, sst_shape shape) {
  c->target = sst_graph_input(c->graph, "target", shape);
}

// What a longer run of the student gives: a weight, so that a gradient that should not pass would show.
static inline void method_longer(method_case *c, sst_shape shape) {
  c->longer = graph_weight(c->graph, "parameter.longer", shape);
}

static inline sst_value method_run_longer(sst_graph *graph, const void *user, int64_t timesteps) {
  method_case *c = *(method_case *const *)user;
  (void)graph;
  c->longer_steps = timesteps;
  return c->longer;
}

// The term, as it is built; what went wrong is the graph's status.
static inline sst_value method_build(method_case *c) {
  sst_distill_scene scene = {.student = "student",
                             .teacher = c->has_teacher ? "teacher" : NULL,
                             .twin = c->has_twin ? "twin" : NULL,
                             .target = c->target,
                             .threshold = c->threshold,
                             .parameters = c->own,
                             .run_longer = c->longer >= 0 ? method_run_longer : NULL,
                             .run_longer_user = &c};
  return c->loss = sst_distill_term_build(c->term, c->graph, &scene);
}

static inline void method_compile(method_case *c) {
  assert_ok(c->context, sst_graph_compile(c->graph, method_build(c)));
}

static inline float *method_find(method_case *c, const method_tap *taps, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    if (strcmp(taps[i].name, name) == 0) { return sst_graph_data(c->graph, taps[i].value); }
  }
  fail_msg("the case has no tap %s", name);
  return NULL;
}

// Memory of a tap, after compiling.
static inline float *method_student_data(method_case *c, const char *name) {
  return method_find(c, c->student, c->student_count, name);
}
static inline float *method_teacher_data(method_case *c, const char *name) {
  return method_find(c, c->teacher, c->teacher_count, name);
}
static inline float *method_target_data(method_case *c) { return sst_graph_data(c->graph, c->target); }

static inline double method_value(method_case *c) {
  sst_graph_forward(c->graph, &c->run);
  return (double)*sst_graph_data(c->graph, c->loss);
}

// Gradient at a student's tap; runs forward and backward.
static inline const float *method_gradient(method_case *c, const char *name) {
  char parameter[80];
  snprintf(parameter, sizeof parameter, "parameter.%s", name);
  sst_graph_forward(c->graph, &c->run);
  sst_graph_backward(c->graph);
  return sst_parameters_find(c->store, parameter)->gradient;
}

// The parameter that the term has for itself, by the name that its source gives it.
static inline const sst_parameter *method_own(method_case *c, const char *name) {
  char full[80];
  snprintf(full, sizeof full, "0.%s", name);
  const sst_parameter *parameter = sst_parameters_find(c->own, full);
  if (!parameter) { fail_msg("the term has no parameter %s", full); }
  return parameter;
}

// The term as a function of one student's tap, or of one parameter of its own, written in double by the suite.
typedef double (*method_function)(const double *x, const void *rest);

// Value at `data`, and every element of the gradient there, against `function` and its central differences.
static inline void method_check_at(method_case *c, const float *data, const float *gradient, int64_t count,
                                   method_function function, const void *rest) {
  enum { MOST = 512 };
  assert_in_range(count, 1, MOST);
  double x[MOST] = {0};
  float expected[MOST];
  for (int64_t i = 0; i < count; i++) { x[i] = (double)data[i]; }
  assert_near(method_value(c), function(x, rest), 1e-5, 1e-7);
  for (int64_t i = 0; i < count; i++) {
    const double step = 1e-5, at = x[i];
    x[i] = at + step;
    const double above = function(x, rest);
    x[i] = at - step;
    expected[i] = (float)((above - function(x, rest)) / (2 * step));
    x[i] = at;
  }
  sst_graph_backward(c->graph);
  assert_all_near(gradient, expected, count, 1e-4, 1e-6);
}

// The check at a student's tap, and at a parameter of the term's own.
static inline void method_check(method_case *c, const char *name, method_function function, const void *rest) {
  char parameter[80];
  snprintf(parameter, sizeof parameter, "parameter.%s", name);
  const sst_parameter *tap = sst_parameters_find(c->store, parameter);
  method_check_at(c, method_student_data(c, name), tap->gradient, tap->count, function, rest);
}
static inline void method_check_own(method_case *c, const char *name, method_function function, const void *rest) {
  const sst_parameter *own = method_own(c, name);
  method_check_at(c, own->value, own->gradient, own->count, function, rest);
}

// The term and its gradient at the tap are 0.
static inline void method_check_zero(method_case *c, const char *name) {
  assert_near(method_value(c), 0, 0, 1e-6);
  const float *gradient = method_gradient(c, name);
  for (int i = 0; i < c->student_count; i++) {
    if (strcmp(c->student[i].name, name) != 0) { continue; }
    for (int64_t k = 0; k < c->student[i].count; k++) { assert_near(gradient[k], 0, 0, 1e-6); }
  }
}

#endif
