// SPDX-License-Identifier: Apache-2.0
// kd: its value by hand, its optimum, and that a student equal to its teacher has nothing to learn.
#include "graphs.h"
#include "spikestill/distill.h"

enum { CLASSES = 3, BATCH = 2 };

typedef struct kd_case {
  sst_parameters *store;
  sst_graph *graph;
  sst_value student, teacher, loss;
} kd_case;

static void begin(sst_context *context, const sst_distill_term *term, kd_case *c) {
  c->graph = graph_begin(context, &c->store);
  sst_shape shape = sst_shape_make(1, BATCH, 1, 1, CLASSES);
  c->student = sst_graph_tap(c->graph, "student.logits", graph_weight(c->graph, "student", shape));
  c->teacher = sst_graph_input(c->graph, "teacher.logits", shape);
  sst_distill_scene scene = {.student = "student", .teacher = "teacher", .target = SST_NONE};
  c->loss = sst_distill_term_build(term, c->graph, &scene);
  assert_ok(context, sst_graph_compile(c->graph, c->loss));
}

static sst_distill_term *make_term(sst_context *context, const char *teacher_temperature,
                                   const char *student_temperature, const char *scale) {
  sst_distill_term *term;
  assert_ok(context, sst_distill_term_create(context, "kd", &term));
  assert_ok(context, sst_distill_term_set(term, "teacher_temperature", teacher_temperature));
  assert_ok(context, sst_distill_term_set(term, "student_temperature", student_temperature));
  assert_ok(context, sst_distill_term_set(term, "scale", scale));
  return term;
}

static double kl_by_hand(const float *teacher, const float *student, double tau_t, double tau_s) {
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    double p[CLASSES], q[CLASSES], sum_p = 0, sum_q = 0;
    for (int c = 0; c < CLASSES; c++) {
      sum_p += p[c] = exp((double)teacher[n * CLASSES + c] / tau_t);
      sum_q += q[c] = exp((double)student[n * CLASSES + c] / tau_s);
    }
    for (int c = 0; c < CLASSES; c++) { total += p[c] / sum_p * log(p[c] / sum_p / (q[c] / sum_q)); }
  }
  return total / BATCH;
}

static const float teacher_logits[] = {2, -1, 0.5f, 0, 3, 1}, student_logits[] = {0.5f, 0, -1, 2, 1, 0};

static void test_value_by_hand(void **state) {
  const struct {
    const char *tau_t, *tau_s, *scale;
    double t, s, factor;
  } cases[] = {{"4", "4", "product", 4, 4, 16},
               {"4", "2", "none", 4, 2, 1},
               {"3", "2", "product", 3, 2, 6},
               {"3", "2", "student_squared", 3, 2, 4},
               {"3", "2", "teacher_squared", 3, 2, 9}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sst_distill_term *term = make_term(*state, cases[i].tau_t, cases[i].tau_s, cases[i].scale);
    kd_case c;
    begin(*state, term, &c);
    memcpy(sst_graph_data(c.graph, c.teacher), teacher_logits, sizeof teacher_logits);
    memcpy(sst_graph_data(c.graph, c.student), student_logits, sizeof student_logits);
    sst_graph_forward(c.graph, NULL);
    double expected = cases[i].factor * kl_by_hand(teacher_logits, student_logits, cases[i].t, cases[i].s);
    assert_near(*sst_graph_data(c.graph, c.loss), expected, 1e-5, 0);
    sst_distill_term_destroy(term);
    graph_end(c.graph, c.store);
  }
}

// Noise moves the teacher's logits in training, another way in each step, and not at inference.
static void test_noise(void **state) {
  sst_distill_term *term = make_term(*state, "4", "4", "none");
  assert_ok(*state, sst_distill_term_set(term, "noise", "0.5"));
  kd_case c;
  begin(*state, term, &c);
  memcpy(sst_graph_data(c.graph, c.teacher), teacher_logits, sizeof teacher_logits);
  memcpy(sst_graph_data(c.graph, c.student), student_logits, sizeof student_logits);
  sst_graph_forward(c.graph, NULL);
  const double expected = kl_by_hand(teacher_logits, student_logits, 4, 4);
  assert_near(*sst_graph_data(c.graph, c.loss), expected, 1e-5, 0);
  float seen[2];
  for (uint64_t step = 0; step < 2; step++) {
    sst_graph_forward(c.graph, &(sst_run_options){.training = true, .seed = 1, .step = step});
    seen[step] = *sst_graph_data(c.graph, c.loss);
    assert_true(fabs((double)seen[step] - expected) > 1e-4);
  }
  assert_true(seen[0] != seen[1]);
  sst_distill_term_destroy(term);
  graph_end(c.graph, c.store);
}

// At z_student = (tau_s / tau_t) * z_teacher + const the term and its gradient vanish; with equal temperatures that is
// the teacher itself.
static void test_optimum(void **state) {
  sst_distill_term *term = make_term(*state, "4", "2", "product");
  kd_case c;
  begin(*state, term, &c);
  memcpy(sst_graph_data(c.graph, c.teacher), teacher_logits, sizeof teacher_logits);
  for (int i = 0; i < BATCH * CLASSES; i++) { sst_graph_data(c.graph, c.student)[i] = 0.5f * teacher_logits[i] + 1.0f; }
  sst_graph_forward(c.graph, NULL);
  assert_near(*sst_graph_data(c.graph, c.loss), 0, 0, 1e-6);
  sst_graph_backward(c.graph);
  assert_all_near(sst_parameters_find(c.store, "student")->gradient, ((float[BATCH *CLASSES]){0}), BATCH * CLASSES, 0,
                  1e-6);
  sst_distill_term_destroy(term);
  graph_end(c.graph, c.store);
}

static void test_missing_teacher_is_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term = make_term(context, "4", "4", "product");
  sst_parameters *store;
  sst_graph *g = graph_begin(context, &store);
  sst_distill_scene scene = {.student = "student", .target = SST_NONE};
  assert_int_equal(sst_distill_term_build(term, g, &scene), SST_NO_VALUE);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_status(g), "'kd' needs a teacher");
  sst_distill_term_destroy(term);
  graph_end(g, store);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term;
  assert_fails(context, SST_NOT_FOUND, sst_distill_term_create(context, "kdd", &term), "nearest is 'kd'");
  assert_null(term);
  assert_ok(context, sst_distill_term_create(context, "kd", &term));
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "teacher_temprature", "4"), "teacher_temperature");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "student_temperature", "0"), "0");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "scale", "prodct"), "product");
  assert_near(sst_distill_term_weight(term), 1, 0, 0);
  assert_ok(context, sst_distill_term_set(term, "weight", "0.25"));
  assert_near(sst_distill_term_weight(term), 0.25, 0, 0);
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_value_by_hand), TEST(test_optimum), TEST(test_noise),
                                     TEST(test_missing_teacher_is_said), TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
