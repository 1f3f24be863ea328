// SPDX-License-Identifier: Apache-2.0
// lasnn: value and gradient by hand for both maps, pooling to one size, pairing, its optimum, and what it refuses.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, SIDE = 2, STUDENT_C = 3, TEACHER_C = 2, PIXELS = SIDE * SIDE };

// Squared distance of maps [BATCH, PIXELS, C] after averaging the student's [STEPS, ...] over time.
typedef struct maps {
  const float *teacher; // [BATCH, PIXELS, teacher_c]
  int teacher_c;
  double power; // 0: features
} maps;

static void attention(const double *map, int channels, double power, double *out) {
  double norm = 0;
  for (int i = 0; i < PIXELS; i++) {
    out[i] = 0;
    for (int c = 0; c < channels; c++) { out[i] += pow(fabs(map[i * channels + c]), power); }
    norm += out[i] * out[i];
  }
  for (int i = 0; i < PIXELS; i++) { out[i] /= sqrt(norm); }
}

static double by_hand(const double *student, const void *rest) {
  const maps *m = rest;
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    double s[PIXELS * STUDENT_C] = {0}, t[PIXELS * STUDENT_C];
    for (int step = 0; step < STEPS; step++) {
      for (int i = 0; i < PIXELS * STUDENT_C; i++) {
        s[i] += student[(step * BATCH + n) * PIXELS * STUDENT_C + i] / STEPS;
      }
    }
    for (int i = 0; i < PIXELS * m->teacher_c; i++) { t[i] = (double)m->teacher[n * PIXELS * m->teacher_c + i]; }
    if (m->power == 0) {
      for (int i = 0; i < PIXELS * STUDENT_C; i++) { total += (s[i] - t[i]) * (s[i] - t[i]) / BATCH; }
      continue;
    }
    double qs[PIXELS], qt[PIXELS];
    attention(s, STUDENT_C, m->power, qs);
    attention(t, m->teacher_c, m->power, qt);
    for (int i = 0; i < PIXELS; i++) { total += (qs[i] - qt[i]) * (qs[i] - qt[i]) / BATCH; }
  }
  return total;
}

static sst_shape student_shape(void) { return sst_shape_make(STEPS, BATCH, SIDE, SIDE, STUDENT_C); }

static void begin_one(method_case *c, sst_context *context, const char *const *options, int64_t side,
                      int64_t channels) {
  method_begin(c, context, "lasnn", options);
  method_student(c, "stage1", student_shape());
  method_teacher(c, "stage1", sst_shape_make(1, BATCH, side, side, channels));
  method_compile(c);
  fill_uniform(method_student_data(c, "stage1"), sst_shape_count(student_shape()), 0.1f, 1, 3);
  fill_uniform(method_teacher_data(c, "stage1"), BATCH * side * side * channels, 0.1f, 2, 4);
}

static void test_attention_by_hand(void **state) {
  const char *const powers[] = {"2", "1", "3"};
  for (int i = 0; i < 3; i++) {
    method_case c;
    begin_one(&c, *state, (const char *const[]){"power", powers[i], NULL}, SIDE, TEACHER_C);
    const maps rest = {method_teacher_data(&c, "stage1"), TEACHER_C, atof(powers[i])};
    method_check(&c, "stage1", by_hand, &rest);
    method_end(&c);
  }
}

static void test_feature_by_hand(void **state) {
  method_case c;
  begin_one(&c, *state, (const char *const[]){"map", "feature", NULL}, SIDE, STUDENT_C);
  const maps rest = {method_teacher_data(&c, "stage1"), STUDENT_C, 0};
  method_check(&c, "stage1", by_hand, &rest);
  assert_int_equal(sst_parameters_count(c.own), 0); // nothing to align, nothing to learn
  method_end(&c);
}

// A 1x1 convolution of three channels to the teacher's two: weights [2, 3] and bias, then the distance of features.
enum { WEIGHTS = TEACHER_C * STUDENT_C };
typedef struct aligned {
  const float *student, *weight, *bias, *teacher;
  enum { OF_STUDENT, OF_WEIGHT, OF_BIAS } of; // what varies
} aligned;

static double aligned_by_hand(const double *x, const void *rest) {
  const aligned *a = rest;
  double total = 0;
  for (int i = 0; i < BATCH * PIXELS * TEACHER_C; i++) {
    const int pixel = i / TEACHER_C, out = i % TEACHER_C;
    double y = a->of == OF_BIAS ? x[out] : (double)a->bias[out];
    for (int t = 0; t < STEPS; t++) {
      for (int k = 0; k < STUDENT_C; k++) {
        const int s = (t * BATCH * PIXELS + pixel) * STUDENT_C + k, w = out * STUDENT_C + k;
        y += (a->of == OF_STUDENT ? x[s] : (double)a->student[s]) / STEPS *
             (a->of == OF_WEIGHT ? x[w] : (double)a->weight[w]);
      }
    }
    total += pow(y - (double)a->teacher[i], 2) / BATCH;
  }
  return total;
}

static void test_other_widths_are_aligned(void **state) {
  method_case c;
  begin_one(&c, *state, (const char *const[]){"map", "feature", "align", "conv1x1", NULL}, SIDE, TEACHER_C);
  assert_int_equal(sst_parameters_elements(c.own), WEIGHTS + TEACHER_C);
  const sst_parameter *weight = method_own(&c, "align1.weight"), *bias = method_own(&c, "align1.bias");
  fill_uniform(bias->value, TEACHER_C, -1, 1, 5);
  aligned a = {method_student_data(&c, "stage1"), weight->value, bias->value, method_teacher_data(&c, "stage1"),
               OF_STUDENT};
  method_check(&c, "stage1", aligned_by_hand, &a);
  a.of = OF_WEIGHT;
  method_check_own(&c, "align1.weight", aligned_by_hand, &a);
  a.of = OF_BIAS;
  method_check_own(&c, "align1.bias", aligned_by_hand, &a);
  method_end(&c);
}

// Without a store a term's parameters must not end up among the student's.
static void test_own_parameters_need_a_store(void **state) {
  method_case c;
  method_begin(&c, *state, "lasnn", (const char *const[]){"map", "feature", NULL});
  method_student(&c, "stage1", student_shape());
  method_teacher(&c, "stage1", sst_shape_make(1, BATCH, SIDE, SIDE, TEACHER_C));
  sst_distill_scene scene = {.student = "student", .teacher = "teacher", .target = SST_NONE, .index = 3};
  assert_int_equal(sst_distill_term_build(c.term, c.graph, &scene), SST_NO_VALUE);
  assert_fails(c.context, SST_INVALID_ARGUMENT, sst_graph_status(c.graph),
               "term 3 learns a convolution 'align1', but the scene has no store");
  assert_int_equal(sst_parameters_count(c.store), 1);
  method_end(&c);
}

// A teacher of twice the size is averaged over 2x2 windows first.
static void test_larger_teacher_is_pooled(void **state) {
  enum { LARGE = 2 * SIDE };
  method_case c;
  begin_one(&c, *state, NULL, LARGE, TEACHER_C);
  const float *large = method_teacher_data(&c, "stage1");
  float pooled[BATCH * PIXELS * TEACHER_C] = {0};
  for (int n = 0; n < BATCH; n++) {
    for (int h = 0; h < LARGE; h++) {
      for (int w = 0; w < LARGE; w++) {
        for (int k = 0; k < TEACHER_C; k++) {
          pooled[((n * SIDE + h / 2) * SIDE + w / 2) * TEACHER_C + k] +=
              large[((n * LARGE + h) * LARGE + w) * TEACHER_C + k] / 4;
        }
      }
    }
  }
  const maps rest = {pooled, TEACHER_C, 2};
  method_check(&c, "stage1", by_hand, &rest);
  method_end(&c);
}

// A student whose mean activity is the teacher's has nothing to learn; for attention also if it is a multiple of it.
static void test_same_maps_give_zero(void **state) {
  for (int feature = 0; feature < 2; feature++) {
    method_case c;
    begin_one(&c, *state, (const char *const[]){"map", feature ? "feature" : "attention", NULL}, SIDE, STUDENT_C);
    const float *teacher = method_teacher_data(&c, "stage1");
    float *student = method_student_data(&c, "stage1");
    const int step_size = BATCH * PIXELS * STUDENT_C;
    for (int i = 0; i < STEPS * step_size; i++) {
      // Steps differ, their mean does not.
      student[i] = teacher[i % step_size] * (feature ? 1 : 0.5f) + 0.01f * (float)(i / step_size - 1);
    }
    method_check_zero(&c, "stage1");
    method_end(&c);
  }
}

// auto sums over the stages that both have; a list may name a tap of each network.
static void test_pairs(void **state) {
  sst_context *context = *state;
  const char *const taps[] = {"auto", "stage1, stage2", "stage1:stage1,stage2:stage2", "stage2", "stage1:stage2"};
  double value[5];
  for (int i = 0; i < 5; i++) {
    method_case c;
    method_begin(&c, context, "lasnn", (const char *const[]){"taps", taps[i], NULL});
    for (int k = 0; k < 2; k++) {
      method_student(&c, k ? "stage2" : "stage1", student_shape());
      method_teacher(&c, k ? "stage2" : "stage1", sst_shape_make(1, BATCH, SIDE, SIDE, TEACHER_C));
    }
    method_compile(&c);
    for (int k = 0; k < 2; k++) {
      fill_uniform(method_student_data(&c, k ? "stage2" : "stage1"), sst_shape_count(student_shape()), 0, 1,
                   7 + (uint64_t)k);
      fill_uniform(method_teacher_data(&c, k ? "stage2" : "stage1"), BATCH * PIXELS * TEACHER_C, 0, 1, 9 + (uint64_t)k);
    }
    value[i] = method_value(&c);
    method_end(&c);
  }
  assert_near(value[1], value[0], 0, 0);
  assert_near(value[2], value[0], 0, 0);
  assert_true(value[3] > 0 && value[3] < value[0]);
  assert_true(fabs(value[4] - value[3]) > 1e-3);
}

static void check_refused(sst_context *context, const char *const *options, sst_shape student, sst_shape teacher,
                          sst_status status, const char *part) {
  method_case c;
  method_begin(&c, context, "lasnn", options);
  method_student(&c, "stage1", student);
  method_teacher(&c, "stage1", teacher);
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, status, sst_graph_status(c.graph), part);
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  sst_context *context = *state;
  const sst_shape four = sst_shape_make(STEPS, BATCH, 4, 4, 3);
  const sst_shape wide = sst_shape_make(1, BATCH, 4, 4, 5), pixel = sst_shape_make(1, BATCH, 1, 1, 3);
  check_refused(
      context, (const char *const[]){"map", "feature", "align", "pool", NULL}, four, wide, SST_SHAPE,
      "the student's stage1 is [1,2,4,4,3] and the teacher's stage1 is [1,2,4,4,5]: their channels must agree;"
      " use align: conv1x1");
  check_refused(context, (const char *const[]){"align", "none", NULL}, four, pixel, SST_SHAPE,
                "[1,2,4,4,3] and the teacher's stage1 is [1,2,1,1,3]: their heights and widths must agree");
  check_refused(context, NULL, pixel, pixel, SST_SHAPE, "single pixel");
  check_refused(context, (const char *const[]){"taps", "stage1,stage9", NULL}, four, four, SST_NOT_FOUND, "stage9");
  check_refused(context, (const char *const[]){"taps", "stage1,,stage1", NULL}, four, four, SST_INVALID_ARGUMENT,
                "stage1,,stage1");
  check_refused(context, (const char *const[]){"taps", "", NULL}, four, four, SST_INVALID_ARGUMENT, "expected auto");
  check_refused(context, (const char *const[]){"taps", "stage1:", NULL}, four, four, SST_INVALID_ARGUMENT, "stage1:");

  method_case c;
  method_begin(&c, context, "lasnn", NULL);
  method_student(&c, "stage1", four);
  method_student(&c, "stage2", four);
  method_teacher(&c, "stage1", four);
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_SHAPE, sst_graph_status(c.graph), "the student has 2 stages and the teacher 1");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "map", "atention"), "attention");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "power", "0.5"), "0.5");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "tapps", "stage1"), "nearest is 'taps'");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_attention_by_hand),
                                     TEST(test_feature_by_hand),
                                     TEST(test_other_widths_are_aligned),
                                     TEST(test_own_parameters_need_a_store),
                                     TEST(test_larger_teacher_is_pooled),
                                     TEST(test_same_maps_give_zero),
                                     TEST(test_pairs),
                                     TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
