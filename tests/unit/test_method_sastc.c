// SPDX-License-Identifier: Apache-2.0
// sastc: value by hand with its weights, gradients at the student's taps and at every projection, the weights' choice.
#include "method_case.h"

enum { STEPS = 2, BATCH = 3, LAYERS = 2, MOST = 64 };
// Of the student's and the teacher's layers: sides and channels. All pairs meet at the smaller side.
static const int student_side[LAYERS] = {2, 1}, student_c[LAYERS] = {2, 3};
static const int teacher_side[LAYERS] = {2, 1}, teacher_c[LAYERS] = {3, 2};

typedef struct layers {
  const float *student[LAYERS], *teacher[LAYERS]; // [STEPS, BATCH, side, side, C], [BATCH, ...]
  const float *weight[LAYERS][LAYERS], *bias[LAYERS][LAYERS];
  const float *varied; // the array that x stands for
  double share[LAYERS][LAYERS][STEPS][BATCH];
} layers;

static double at(const layers *l, const double *x, const float *array, int i) {
  return array == l->varied ? x[i] : (double)array[i];
}

// Rows of the matrix of cosines between pictures, of norm 1 each.
static void resemblance(const float *f, int size, double k[BATCH][BATCH]) {
  for (int n = 0; n < BATCH; n++) {
    double row = 0;
    for (int m = 0; m < BATCH; m++) {
      double product = 0, a = 0, b = 0;
      for (int i = 0; i < size; i++) {
        const double p = (double)f[n * size + i], q = (double)f[m * size + i];
        product += p * q;
        a += p * p;
        b += q * q;
      }
      k[n][m] = product / sqrt(a * b);
      row += k[n][m] * k[n][m];
    }
    for (int m = 0; m < BATCH; m++) { k[n][m] /= sqrt(row); }
  }
}

static void find_shares(layers *l, double temperature) {
  for (int i = 0; i < LAYERS; i++) {
    const int size = student_side[i] * student_side[i] * student_c[i];
    for (int t = 0; t < STEPS; t++) {
      double mine[BATCH][BATCH], theirs[BATCH][BATCH], sum[BATCH] = {0};
      resemblance(l->student[i] + t * BATCH * size, size, mine);
      for (int j = 0; j < LAYERS; j++) {
        resemblance(l->teacher[j], teacher_side[j] * teacher_side[j] * teacher_c[j], theirs);
        for (int n = 0; n < BATCH; n++) {
          double similarity = 0;
          for (int m = 0; m < BATCH; m++) { similarity += mine[n][m] * theirs[n][m]; }
          sum[n] += l->share[i][j][t][n] = exp(similarity / temperature);
        }
      }
      for (int j = 0; j < LAYERS * BATCH; j++) { l->share[i][j / BATCH][t][j % BATCH] /= sum[j % BATCH]; }
    }
  }
}

// Mean of channel c over the window of a picture that ends in pixel (h, w) of side `to`.
static double pooled(const layers *l, const double *x, const float *f, int picture, int side, int channels, int to,
                     int pixel, int c) {
  const int window = side / to;
  double total = 0;
  for (int k = 0; k < window * window; k++) {
    const int h = pixel / to * window + k / window, w = pixel % to * window + k % window;
    total += at(l, x, f, ((picture * side + h) * side + w) * channels + c) / (window * window);
  }
  return total;
}

static double by_hand(const double *x, const void *rest) {
  const layers *l = rest;
  double total = 0;
  for (int p = 0; p < LAYERS * LAYERS * STEPS * BATCH; p++) {
    const int i = p % LAYERS, j = p / LAYERS % LAYERS, t = p / LAYERS / LAYERS % STEPS, n = p / LAYERS / LAYERS / STEPS;
    const int to = student_side[i] < teacher_side[j] ? student_side[i] : teacher_side[j];
    double error = 0;
    for (int pixel = 0; pixel < to * to; pixel++) {
      for (int out = 0; out < teacher_c[j]; out++) {
        double y = at(l, x, l->bias[i][j], out);
        for (int c = 0; c < student_c[i]; c++) {
          y += at(l, x, l->weight[i][j], out * student_c[i] + c) *
               pooled(l, x, l->student[i], t * BATCH + n, student_side[i], student_c[i], to, pixel, c);
        }
        y -= pooled(l, x, l->teacher[j], n, teacher_side[j], teacher_c[j], to, pixel, out);
        error += y * y / (to * to * teacher_c[j]);
      }
    }
    total += l->share[i][j][t][n] * error / (LAYERS * LAYERS * STEPS * BATCH);
  }
  return total;
}

static void begin(method_case *c, sst_context *context, const char *const *options, layers *l) {
  method_begin(c, context, "sastc", options);
  const char *const names[LAYERS] = {"stage1", "stage2"};
  for (int i = 0; i < LAYERS; i++) {
    method_student(c, names[i], sst_shape_make(STEPS, BATCH, student_side[i], student_side[i], student_c[i]));
    method_teacher(c, names[i], sst_shape_make(1, BATCH, teacher_side[i], teacher_side[i], teacher_c[i]));
  }
  method_compile(c);
  for (int i = 0; i < LAYERS; i++) {
    fill_uniform(method_student_data(c, names[i]), STEPS * BATCH * student_side[i] * student_side[i] * student_c[i], 0,
                 1, 1 + (uint64_t)i);
    fill_uniform(method_teacher_data(c, names[i]), BATCH * teacher_side[i] * teacher_side[i] * teacher_c[i], 0, 2,
                 5 + (uint64_t)i);
    l->student[i] = method_student_data(c, names[i]);
    l->teacher[i] = method_teacher_data(c, names[i]);
    for (int j = 0; j < LAYERS; j++) {
      char name[MOST];
      snprintf(name, sizeof name, "project%d_%d.weight", i + 1, j + 1);
      l->weight[i][j] = method_own(c, name)->value;
      snprintf(name, sizeof name, "project%d_%d.bias", i + 1, j + 1);
      l->bias[i][j] = method_own(c, name)->value;
    }
  }
  l->varied = NULL;
}

static void test_by_hand(void **state) {
  const char *const temperatures[] = {"1", "0.05"};
  for (int k = 0; k < 2; k++) {
    method_case c;
    layers l;
    begin(&c, *state, (const char *const[]){"temperature", temperatures[k], NULL}, &l);
    assert_int_equal(sst_parameters_count(c.own), 2 * LAYERS * LAYERS);
    find_shares(&l, atof(temperatures[k]));
    for (int i = 0; i < LAYERS; i++) {
      l.varied = l.student[i];
      method_check(&c, i == 0 ? "stage1" : "stage2", by_hand, &l);
      for (int j = 0; j < LAYERS; j++) {
        char name[MOST];
        snprintf(name, sizeof name, "project%d_%d.weight", i + 1, j + 1);
        l.varied = l.weight[i][j];
        method_check_own(&c, name, by_hand, &l);
        snprintf(name, sizeof name, "project%d_%d.bias", i + 1, j + 1);
        l.varied = l.bias[i][j];
        method_check_own(&c, name, by_hand, &l);
      }
    }
    method_end(&c);
  }
}

// One layer of each: nothing to choose from, so the term is the mean squared error of the projection.
static void test_one_layer_has_weight_one(void **state) {
  enum { C = 2 };
  method_case c;
  method_begin(&c, *state, "sastc", (const char *const[]){"student_taps", "features", "teacher_taps", "8.act", NULL});
  method_student(&c, "features", sst_shape_make(1, BATCH, 1, 1, C));
  method_teacher(&c, "8.act", sst_shape_make(1, BATCH, 1, 1, C));
  method_compile(&c);
  fill_uniform(method_student_data(&c, "features"), BATCH * C, 0, 1, 1);
  fill_uniform(method_teacher_data(&c, "8.act"), BATCH * C, 0, 1, 2);
  const float *weight = method_own(&c, "project1_1.weight")->value;
  double expected = 0;
  for (int i = 0; i < BATCH * C; i++) {
    const float *row = method_student_data(&c, "features") + i / C * C;
    const double y = (double)row[0] * (double)weight[i % C * C] + (double)row[1] * (double)weight[i % C * C + 1];
    expected += pow(y - (double)method_teacher_data(&c, "8.act")[i], 2) / (BATCH * C);
  }
  assert_near(method_value(&c), expected, 1e-5, 0);
  method_end(&c);
}

static void check_refused(sst_context *context, const char *const *options, const char *student, sst_shape shape,
                          sst_status status, const char *part) {
  method_case c;
  method_begin(&c, context, "sastc", options);
  method_student(&c, student, shape);
  method_teacher(&c, "stage1", sst_shape_make(1, BATCH, 2, 2, 3));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, status, sst_graph_status(c.graph), part);
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  const sst_shape three = sst_shape_make(STEPS, BATCH, 3, 3, 2);
  check_refused(*state, NULL, "features", three, SST_SHAPE,
                "student_taps: auto takes every stage, but the student has");
  check_refused(*state, (const char *const[]){"teacher_taps", "stage1,", NULL}, "stage1", three, SST_INVALID_ARGUMENT,
                "teacher_taps is \"stage1,\"");
  check_refused(*state, (const char *const[]){"teacher_taps", "stage7", NULL}, "stage1", three, SST_NOT_FOUND,
                "no tap 'teacher.stage7'");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_one_layer_has_weight_one),
                                     TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
