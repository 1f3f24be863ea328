// SPDX-License-Identifier: Apache-2.0
// bkdsnn: both parts by hand, with gradients at the student's taps and at everything the term learns; the mask; its
// errors.
#include "method_case.h"

enum { STEPS = 2, BATCH = 2, SIDE = 2, PIXELS = SIDE * SIDE, STUDENT_C = 2, TEACHER_C = 3, CLASSES = 4 };
enum { MASK = BATCH * TEACHER_C, MAPS = BATCH * PIXELS * TEACHER_C };

typedef struct values {
  const float *student, *teacher;                        // [STEPS, BATCH, PIXELS, STUDENT_C], [BATCH, ..., TEACHER_C]
  const float *align, *align_bias, *weight[2], *bias[2]; // of the term
  const float *logits, *teacher_logits, *target;         // [BATCH, CLASSES]
  const float *varied;                                   // the array that x stands for
  unsigned mask;                                         // bit n * TEACHER_C + c: the channel is kept
  double feature_weight, label_weight;
} values;

static double at(const values *v, const double *x, const float *array, int i) {
  return array == v->varied ? x[i] : (double)array[i];
}

// y = conv3x3(map) of [BATCH, SIDE, SIDE, TEACHER_C] with zeros around.
static void convolve(const values *v, const double *x, int layer, const double map[MAPS], double y[MAPS]) {
  for (int i = 0; i < MAPS; i++) {
    const int out = i % TEACHER_C, w = i / TEACHER_C % SIDE, h = i / TEACHER_C / SIDE % SIDE,
              n = i / TEACHER_C / PIXELS;
    y[i] = at(v, x, v->bias[layer], out);
    for (int k = 0; k < 9 * TEACHER_C; k++) {
      const int c = k % TEACHER_C, kw = k / TEACHER_C % 3, kh = k / TEACHER_C / 3;
      const int from_h = h + kh - 1, from_w = w + kw - 1;
      if (from_h < 0 || from_h >= SIDE || from_w < 0 || from_w >= SIDE) { continue; }
      y[i] += at(v, x, v->weight[layer], out * 9 * TEACHER_C + k) *
              map[((n * SIDE + from_h) * SIDE + from_w) * TEACHER_C + c];
    }
  }
}

static double features_by_hand(const values *v, const double *x) {
  double map[MAPS], hidden[MAPS], y[MAPS], total = 0;
  for (int i = 0; i < MAPS; i++) {
    const int c = i % TEACHER_C, pixel = i / TEACHER_C, n = pixel / PIXELS;
    map[i] = at(v, x, v->align_bias, c);
    for (int k = 0; k < STEPS * STUDENT_C; k++) {
      const int from = (k / STUDENT_C * BATCH * PIXELS + pixel) * STUDENT_C + k % STUDENT_C;
      map[i] += at(v, x, v->student, from) / STEPS * at(v, x, v->align, c * STUDENT_C + k % STUDENT_C);
    }
    if (!(v->mask >> (n * TEACHER_C + c) & 1)) { map[i] = 0; }
  }
  convolve(v, x, 0, map, hidden);
  for (int i = 0; i < MAPS; i++) { hidden[i] = fmax(hidden[i], 0); }
  convolve(v, x, 1, hidden, y);
  for (int i = 0; i < MAPS; i++) { total += pow(y[i] - (double)v->teacher[i], 2) / BATCH; }
  return total;
}

static double log_sum(const double *z, double tau) {
  double sum = 0;
  for (int c = 0; c < CLASSES; c++) { sum += exp(z[c] / tau); }
  return log(sum);
}

// The weights are constants: they come from the logits as they are, not from x.
static double labels_by_hand(const values *v, const double *x) {
  const double tau = 2;
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    double s[CLASSES], t[CLASSES], z[CLASSES], mine = 0, theirs = 0, soft = 0;
    for (int c = 0; c < CLASSES; c++) {
      s[c] = (double)v->logits[n * CLASSES + c];
      t[c] = (double)v->teacher_logits[n * CLASSES + c];
      z[c] = at(v, x, v->logits, n * CLASSES + c);
    }
    for (int c = 0; c < CLASSES; c++) {
      const double y = (double)v->target[n * CLASSES + c];
      mine -= y * (s[c] - log_sum(s, 1));
      theirs -= y * (t[c] - log_sum(t, 1));
      soft -= exp(t[c] / tau - log_sum(t, tau)) * (z[c] / tau - log_sum(z, tau));
    }
    total += (1 - exp(-mine / (theirs + 1e-7))) * soft / BATCH;
  }
  return tau * tau * total;
}

static double by_hand(const double *x, const void *rest) {
  const values *v = rest;
  return v->feature_weight * features_by_hand(v, x) + v->label_weight * labels_by_hand(v, x);
}

static void begin(method_case *c, sst_context *context, const char *const *options, values *v) {
  method_begin(c, context, "bkdsnn", options);
  method_student(c, "features", sst_shape_make(STEPS, BATCH, SIDE, SIDE, STUDENT_C));
  method_teacher(c, "features", sst_shape_make(1, BATCH, SIDE, SIDE, TEACHER_C));
  method_student(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_teacher(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_target(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  *v = (values){.student = method_student_data(c, "features"),
                .teacher = method_teacher_data(c, "features"),
                .logits = method_student_data(c, "logits"),
                .teacher_logits = method_teacher_data(c, "logits"),
                .target = method_target_data(c),
                .mask = (1u << MASK) - 1,
                .feature_weight = 2e-3,
                .label_weight = 1};
  fill_uniform(method_student_data(c, "features"), STEPS * BATCH * PIXELS * STUDENT_C, 0, 1, 3);
  fill_uniform(method_teacher_data(c, "features"), MAPS, 0, 2, 4);
  fill_normal(method_student_data(c, "logits"), BATCH * CLASSES, 2, 5);
  fill_normal(method_teacher_data(c, "logits"), BATCH * CLASSES, 2, 6);
  for (int n = 0; n < BATCH; n++) { method_target_data(c)[n * CLASSES + (n * 2 + 1) % CLASSES] = 1; }
}

// Values of the term's own parameters that are not those of the start: biases are 0 there.
static void find_own(method_case *c, values *v) {
  for (int i = 0; i < sst_parameters_count(c->own); i++) {
    const sst_parameter *own = sst_parameters_at(c->own, i);
    fill_uniform(own->value, own->count, -0.5f, 0.5f, 20 + (uint64_t)i);
  }
  v->align = method_own(c, "align1.weight")->value;
  v->align_bias = method_own(c, "align1.bias")->value;
  v->weight[0] = method_own(c, "generate1_1.weight")->value;
  v->weight[1] = method_own(c, "generate1_2.weight")->value;
  v->bias[0] = method_own(c, "generate1_1.bias")->value;
  v->bias[1] = method_own(c, "generate1_2.bias")->value;
}

static void test_both_parts_by_hand(void **state) {
  method_case c;
  values v;
  begin(&c, *state, (const char *const[]){"feature_weight", "0.5", NULL}, &v);
  find_own(&c, &v);
  v.feature_weight = 0.5;
  const char *const taps[] = {"features", "logits"};
  for (int i = 0; i < 2; i++) {
    v.varied = method_student_data(&c, taps[i]);
    method_check(&c, taps[i], by_hand, &v);
  }
  const char *const own[] = {"align1.weight",    "align1.bias",        "generate1_1.weight",
                             "generate1_1.bias", "generate1_2.weight", "generate1_2.bias"};
  assert_int_equal(sst_parameters_count(c.own), 6);
  for (int i = 0; i < 6; i++) {
    v.varied = method_own(&c, own[i])->value;
    method_check_own(&c, own[i], by_hand, &v);
  }
  method_end(&c);
}

static void test_each_part_alone(void **state) {
  const char *const zero[] = {"feature_weight", "label_weight"};
  for (int i = 0; i < 2; i++) {
    method_case c;
    values v;
    begin(&c, *state, (const char *const[]){zero[i], "0", NULL}, &v);
    if (i == 0) {
      v.feature_weight = 0;
      assert_int_equal(sst_parameters_count(c.own), 0);
      assert_near(method_value(&c), labels_by_hand(&v, NULL), 1e-5, 0);
    } else {
      find_own(&c, &v);
      assert_near(method_value(&c), 2e-3 * features_by_hand(&v, NULL), 1e-5, 0);
    }
    method_end(&c);
  }
}

// The one mask, among all there are, that explains the value of a pass in training.
static unsigned find_mask(method_case *c, values *v) {
  const double found = method_value(c);
  double nearest = (double)INFINITY;
  unsigned best = 0;
  for (unsigned mask = 0; mask < 1u << MASK; mask++) {
    v->mask = mask;
    const double distance = fabs(features_by_hand(v, NULL) - found);
    if (distance < nearest) {
      nearest = distance;
      best = mask;
    }
  }
  assert_true(nearest < 1e-5 * found);
  v->mask = best;
  return best;
}

// In training channels of a picture go out, whole and without scaling of the rest, others at each step, the same ones
// when a step is done again; gradients see the same mask.
static void test_the_mask(void **state) {
  enum { DRAWS = 100 };
  method_case c;
  values v;
  begin(&c, *state, (const char *const[]){"label_weight", "0", "feature_weight", "1", "mask_rate", "0.3", NULL}, &v);
  find_own(&c, &v);
  v.feature_weight = 1;
  v.label_weight = 0;
  c.run = (sst_run_options){.training = true, .seed = 9};
  unsigned masks[DRAWS];
  int blotted = 0, changes = 0;
  for (int i = 0; i < DRAWS; i++) {
    c.run.step = (uint64_t)i;
    masks[i] = find_mask(&c, &v);
    for (int bit = 0; bit < MASK; bit++) { blotted += !(masks[i] >> bit & 1); }
    changes += i > 0 && masks[i] != masks[i - 1];
  }
  // 600 draws at 0.3: mean 180, deviation 11.2.
  assert_in_range(blotted, 135, 225);
  assert_true(changes > DRAWS / 2);
  c.run.step = 7;
  assert_int_equal(find_mask(&c, &v), masks[7]);
  v.varied = v.student;
  method_check(&c, "features", by_hand, &v);
  v.varied = v.align;
  method_check_own(&c, "align1.weight", by_hand, &v);
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  method_case c;
  method_begin(&c, *state, "bkdsnn", (const char *const[]){"feature_weight", "0", "label_weight", "0", NULL});
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 3, 3, STUDENT_C));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 2, 2, TEACHER_C));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(c.context, SST_INVALID_ARGUMENT, sst_graph_status(c.graph), "both 0");
  assert_fails(c.context, SST_RECIPE, sst_distill_term_set(c.term, "mask_rate", "1"), "0.99");
  method_end(&c);
  method_begin(&c, *state, "bkdsnn", (const char *const[]){"label_weight", "0", "align", "none", NULL});
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 3, 3, STUDENT_C));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 2, 2, TEACHER_C));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(c.context, SST_SHAPE, sst_graph_status(c.graph),
               "the student's features is [1,2,3,3,2] and the teacher's features is [1,2,2,2,3]");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_both_parts_by_hand), TEST(test_each_part_alone), TEST(test_the_mask),
                                     TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
