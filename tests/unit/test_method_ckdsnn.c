// SPDX-License-Identifier: Apache-2.0
// ckdsnn: value and gradient by hand for both choices of the class, its optimum, networks without such a map.
#include "method_case.h"

enum { STEPS = 2, BATCH = 2, SIDE = 2, PIXELS = SIDE * SIDE, STUDENT_C = 3, TEACHER_C = 4, CLASSES = 3 };

typedef struct maps {
  const float *teacher, *weight; // [BATCH, PIXELS, TEACHER_C], [CLASSES, TEACHER_C]
  int class[BATCH];
  double teacher_temperature, student_temperature;
} maps;

static void softmax(double z[PIXELS], double temperature) {
  double sum = 0;
  for (int i = 0; i < PIXELS; i++) { sum += z[i] = exp(z[i] / temperature); }
  for (int i = 0; i < PIXELS; i++) { z[i] /= sum; }
}

static double by_hand(const double *student, const void *rest) {
  const maps *m = rest;
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    double p[PIXELS] = {0}, q[PIXELS] = {0};
    for (int i = 0; i < PIXELS * TEACHER_C; i++) {
      p[i / TEACHER_C] +=
          (double)m->teacher[n * PIXELS * TEACHER_C + i] * (double)m->weight[m->class[n] * TEACHER_C + i % TEACHER_C];
    }
    for (int i = 0; i < STEPS * PIXELS * STUDENT_C; i++) {
      const int t = i / (PIXELS * STUDENT_C), inside = i % (PIXELS * STUDENT_C);
      q[inside / STUDENT_C] += student[(t * BATCH + n) * PIXELS * STUDENT_C + inside];
    }
    softmax(p, m->teacher_temperature);
    softmax(q, m->student_temperature);
    for (int i = 0; i < PIXELS; i++) { total += p[i] * log(p[i] / q[i]) / BATCH; }
  }
  return total;
}

static void begin(method_case *c, sst_context *context, const char *const *options, int64_t teacher_side,
                  int64_t head_inputs) {
  method_begin(c, context, "ckdsnn", options);
  method_student(c, "features", sst_shape_make(STEPS, BATCH, SIDE, SIDE, STUDENT_C));
  method_teacher(c, "features", sst_shape_make(1, BATCH, teacher_side, teacher_side, TEACHER_C));
  method_teacher(c, "head.weight", sst_shape_make(1, CLASSES, 1, 1, head_inputs));
  method_teacher(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_target(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
}

static void fill(method_case *c, maps *m) {
  static const float logits[BATCH * CLASSES] = {0, 2, 1, 3, 2, 1}; // predicts 1 and 0
  fill_uniform(method_student_data(c, "features"), STEPS * BATCH * PIXELS * STUDENT_C, 0, 1, 1);
  fill_uniform(method_teacher_data(c, "features"), BATCH * PIXELS * TEACHER_C, 0, 2, 2);
  fill_normal(method_teacher_data(c, "head.weight"), CLASSES * TEACHER_C, 1, 3);
  memcpy(method_teacher_data(c, "logits"), logits, sizeof logits);
  method_target_data(c)[2] = method_target_data(c)[CLASSES] = 1; // labels 2 and 0
  *m = (maps){method_teacher_data(c, "features"), method_teacher_data(c, "head.weight"), {2, 0}, 1, 1};
}

static void test_by_hand(void **state) {
  method_case c;
  maps m;
  begin(&c, *state, NULL, SIDE, TEACHER_C);
  method_compile(&c);
  fill(&c, &m);
  method_check(&c, "features", by_hand, &m);
  method_end(&c);
  begin(&c, *state,
        (const char *const[]){"class", "predicted", "teacher_temperature", "3", "student_temperature", "0.5", NULL},
        SIDE, TEACHER_C);
  method_compile(&c);
  fill(&c, &m);
  m.class[0] = 1;
  m.teacher_temperature = 3;
  m.student_temperature = 0.5;
  method_check(&c, "features", by_hand, &m);
  method_end(&c);
}

// Whose firing is the map, up to a constant, has nothing to learn.
static void test_optimum(void **state) {
  method_case c;
  maps m;
  begin(&c, *state, NULL, SIDE, TEACHER_C);
  method_compile(&c);
  fill(&c, &m);
  float *student = method_student_data(&c, "features");
  for (int i = 0; i < STEPS * BATCH * PIXELS * STUDENT_C; i++) {
    const int pixel = i / STUDENT_C % (BATCH * PIXELS), n = pixel / PIXELS;
    double map = 1;
    for (int k = 0; k < TEACHER_C; k++) {
      map += (double)m.teacher[pixel * TEACHER_C + k] * (double)m.weight[m.class[n] * TEACHER_C + k];
    }
    student[i] = (float)(map / (STEPS * STUDENT_C));
  }
  method_check_zero(&c, "features");
  method_end(&c);
}

static void check_refused(sst_context *context, const char *const *options, int64_t side, int64_t head_inputs,
                          sst_status status, const char *part) {
  method_case c;
  begin(&c, context, options, side, head_inputs);
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, status, sst_graph_status(c.graph), part);
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  check_refused(*state, NULL, SIDE, PIXELS * TEACHER_C, SST_SHAPE,
                "the teacher's features is [1,2,2,2,4] and the weight of its last linear layer [1,3,1,1,16]");
  check_refused(*state, NULL, 1, TEACHER_C, SST_SHAPE, "a map of a single pixel says nothing");
  check_refused(*state, (const char *const[]){"taps", "features,features", NULL}, SIDE, TEACHER_C, SST_INVALID_ARGUMENT,
                "are 2 pairs");
  check_refused(*state, (const char *const[]){"taps", "stage1", NULL}, SIDE, TEACHER_C, SST_NOT_FOUND,
                "student.stage1");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
