// SPDX-License-Identifier: Apache-2.0
// spike_rate: value and gradient by hand over two real neuron layers, in all modes; each layer counts once and only the
// student's; its optimum; a network without neurons.
#include "method_case.h"

enum { BATCH = 2, SIDE = 2, CHANNELS = 3, FIRST = BATCH * SIDE * SIDE * CHANNELS, SECOND = BATCH * 5 };

typedef struct rate_case {
  method_case m;
  sst_value x[2], y[2];
} rate_case;

// Two layers of the student, the first with two names, and some of others that must not count.
static void begin(rate_case *c, sst_context *context, const char *const *options) {
  method_begin(&c->m, context, "spike_rate", options);
  sst_graph *g = c->m.graph;
  const sst_neuron neuron = sst_neuron_default();
  sst_graph_push(g, "student", false);
  c->x[0] = graph_weight(g, "x0", sst_shape_make(1, BATCH, SIDE, SIDE, CHANNELS));
  c->x[1] = graph_weight(g, "x1", sst_shape_make(1, BATCH, 1, 1, 5));
  sst_value membrane = SST_NO_VALUE;
  c->y[0] = sst_neuron_layer(g, c->x[0], 1, &neuron, SST_NONE, &membrane);
  sst_graph_tap(g, "0.act", c->y[0]);
  sst_graph_tap(g, "0.membrane", membrane);
  sst_graph_tap(g, "stage1", c->y[0]);
  c->y[1] = sst_graph_tap(g, "3.act", sst_neuron_layer(g, c->x[1], 1, &neuron, SST_NONE, NULL));
  sst_graph_pop(g);
  sst_value other = sst_graph_input(g, "other", sst_shape_make(1, BATCH, 1, 1, 7));
  sst_graph_tap(g, "teacher.act", sst_neuron_layer(g, other, 1, &neuron, SST_NONE, NULL));
  sst_graph_tap(g, "students.act", sst_neuron_layer(g, other, 1, &neuron, SST_NONE, NULL));
  for (int i = 0; i < 2; i++) { sst_graph_keep(g, c->y[i]); }
  method_compile(&c->m);
  for (int i = 0; i < 7 * BATCH; i++) { sst_graph_data(g, other)[i] = 5; } // all of them fire
  fill_uniform(sst_graph_data(g, c->x[0]), FIRST, 0, 2, 11);
  fill_uniform(sst_graph_data(g, c->x[1]), SECOND, 0.5f, 2, 12);
}

static double rate(const rate_case *c, int layer, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) { sum += (double)sst_graph_data(c->m.graph, c->y[layer])[i] / count; }
  return sum;
}

// Gradient at each layer's input: dterm/drate of the layer, times the surrogate's derivative, over the layer's size.
static void check(rate_case *c, double expected, double first, double second) {
  assert_near(method_value(&c->m), expected, 1e-6, 0);
  sst_graph_backward(c->m.graph);
  const sst_neuron neuron = sst_neuron_default();
  for (int layer = 0; layer < 2; layer++) {
    const float *x = sst_graph_data(c->m.graph, c->x[layer]);
    const float *found = sst_parameters_find(c->m.store, layer ? "student.x1" : "student.x0")->gradient;
    for (int i = 0; i < (layer ? SECOND : FIRST); i++) {
      const float slope = sst_surrogate_derivative(neuron.surrogate, neuron.alpha, x[i] - neuron.threshold);
      assert_near(found[i], (layer ? second / SECOND : first / FIRST) * (double)slope, 1e-5, 1e-9);
    }
  }
}

static void test_by_hand(void **state) {
  const struct {
    const char *mode, *over;
  } cases[] = {{"penalty", "neurons"}, {"penalty", "layers"}, {"target", "neurons"}, {"target", "layers"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rate_case c;
    begin(&c, *state, (const char *const[]){"mode", cases[i].mode, "over", cases[i].over, "target", "0.25", NULL});
    method_value(&c.m);
    const double a = rate(&c, 0, FIRST), b = rate(&c, 1, SECOND);
    assert_true(a > 0.1 && a < 0.9 && b > 0.1 && b < 0.9 && a != b);
    const double share = (double)FIRST / (FIRST + SECOND), all = share * a + (1 - share) * b;
    switch (i) {
    case 0: check(&c, all, share, 1 - share); break;
    case 1: check(&c, (a + b) / 2, 0.5, 0.5); break;
    case 2: check(&c, (all - 0.25) * (all - 0.25), 2 * (all - 0.25) * share, 2 * (all - 0.25) * (1 - share)); break;
    default: check(&c, ((a - 0.25) * (a - 0.25) + (b - 0.25) * (b - 0.25)) / 2, a - 0.25, b - 0.25); break;
    }
    method_end(&c.m);
  }
}

// At the target there is nothing to change: half of each layer fires.
static void test_optimum(void **state) {
  rate_case c;
  begin(&c, *state, (const char *const[]){"mode", "target", "target", "0.5", "over", "layers", NULL});
  for (int i = 0; i < FIRST; i++) { sst_graph_data(c.m.graph, c.x[0])[i] = (float)(i % 2) * 1.5f; }
  for (int i = 0; i < SECOND; i++) { sst_graph_data(c.m.graph, c.x[1])[i] = (float)(i % 2) * 1.5f; }
  check(&c, 0, 0, 0);
  method_end(&c.m);
}

static void test_what_does_not_fit_is_said(void **state) {
  sst_context *context = *state;
  method_case c;
  method_begin(&c, context, "spike_rate", NULL);
  method_student(&c, "0.act", vector_shape(3));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_status(c.graph), "no layer of spiking neurons");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "mode", "penalti"), "penalty");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "target", "1.5"), "from 0 to 1");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "over", "layer"), "layers");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
