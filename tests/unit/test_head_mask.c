// SPDX-License-Identifier: Apache-2.0
// head_mask: against sorting, ties, masses that no row reaches exactly, and no gradient.
#include "graphs.h"
#include "op_naive.h"

enum { MOST = 300 };

// A class is in the head if those before it, in the order of falling probability, do not reach the mass yet.
static bool in_head(const float *p, int64_t channels, int64_t class, double mass) {
  double before = 0;
  for (int64_t i = 0; i < channels; i++) {
    if (p[i] > p[class] || (p[i] == p[class] && i < class)) { before += (double)p[i]; }
  }
  return before < mass - 1e-12;
}

static void test_against_sorting(void **state) {
  ssti_backend *backend = naive_backend(*state);
  const sst_shape shapes[] = {sst_shape_make(2, 3, 1, 1, 10), sst_shape_make(1, 2, 2, 1, 1),
                              sst_shape_make(1, 4, 1, 1, MOST)};
  const float masses[] = {0.01f, 0.3f, 0.77f, 1};
  for (int s = 0; s < 3; s++) {
    for (int m = 0; m < 4; m++) {
      const ssti_head_mask_attributes attributes = {masses[m]};
      const naive_case one = {&ssti_op_head_mask, &attributes, 1, {shapes[s]}, 0, 1};
      const int64_t channels = shapes[s].dim[SST_AXIS_C], rows = sst_shape_count(shapes[s]) / channels;
      op_call c;
      naive_begin(&c, *state, backend, &one);
      for (int64_t row = 0; row < rows; row++) {
        float *p = c.x[0].data + row * channels;
        double sum = 0;
        for (int64_t i = 0; i < channels; i++) { sum += (double)(p[i] = (float)(int)(p[i] * 50)); } // ties
        for (int64_t i = 0; i < channels; i++) {
          p[i] = (float)(sum > 0 ? (double)p[i] / sum : 1.0 / (double)channels);
        }
      }
      op_call_forward(&c);
      for (int64_t i = 0; i < rows * channels; i++) {
        const float *p = c.x[0].data + i / channels * channels;
        if (masses[m] == 1) { // rounding decides about classes of no weight
          assert_true(p[i % channels] == 0 || c.y[0].data[i] == 1);
          continue;
        }
        assert_true(c.y[0].data[i] == (float)in_head(p, channels, i % channels, (double)masses[m]));
      }
      op_call_end(&c);
    }
  }
  ssti_backend_destroy(backend);
}

static void test_known_values(void **state) {
  ssti_backend *backend = naive_backend(*state);
  const struct {
    float mass, expected[4];
  } cases[] = {{0.25f, {0, 0, 1, 0}}, {0.5f, {0, 0, 1, 0}}, {0.51f, {1, 0, 1, 0}},
               {0.75f, {1, 0, 1, 0}}, {0.8f, {1, 1, 1, 0}}, {1, {1, 1, 1, 1}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const ssti_head_mask_attributes attributes = {cases[i].mass};
    op_call c;
    op_call_begin(&c, backend, &ssti_op_head_mask, &attributes);
    op_call_input(&c, sst_shape_make(1, 1, 1, 1, 4), (float[]){0.25f, 0.125f, 0.5f, 0.125f});
    assert_ok(*state, op_call_infer(&c, *state));
    op_call_forward(&c);
    assert_all_equal(c.y[0].data, cases[i].expected, 4);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_threads(void **state) {
  (void)state;
  const ssti_head_mask_attributes attributes = {0.5f};
  naive_case one = {&ssti_op_head_mask, &attributes, 1, {sst_shape_make(4, 127, 1, 3, 10)}, 0, 0.2f};
  sst_context *context[2];
  op_call c[2];
  ssti_backend *backend[2];
  for (int i = 0; i < 2; i++) {
    context[i] = test_context_with_threads(1 + 2 * i);
    backend[i] = naive_backend(context[i]);
    naive_begin(&c[i], context[i], backend[i], &one);
    op_call_forward(&c[i]);
  }
  assert_same_bits(c[0].y[0].data, c[1].y[0].data, sst_shape_count(one.shape[0]));
  for (int i = 0; i < 2; i++) {
    op_call_end(&c[i]);
    ssti_backend_destroy(backend[i]);
    sst_context_destroy(context[i]);
  }
}

static void test_no_gradient_passes(void **state) {
  sst_parameters *store;
  sst_graph *g = graph_begin(*state, &store);
  sst_value p = sst_softmax(g, graph_weight(g, "z", sst_shape_make(1, 2, 1, 1, 5)), 1);
  assert_ok(*state, sst_graph_compile(g, sst_sum(g, sst_head_mask(g, p, 0.5f), SST_AXES_ALL)));
  sst_graph_forward(g, NULL);
  sst_graph_backward(g);
  for (int i = 0; i < 10; i++) { assert_true(sst_parameters_find(store, "z")->gradient[i] == 0.0f); }
  graph_end(g, store);
}

static void test_shape_rule(void **state) {
  const float masses[] = {0, -0.5f, 1.5f, NAN};
  for (int i = 0; i < 4; i++) {
    const ssti_head_mask_attributes attributes = {masses[i]};
    naive_case one = {&ssti_op_head_mask, &attributes, 1, {sst_shape_make(1, 1, 1, 1, 3)}, 0, 1};
    assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "expected above 0 and at most 1");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_against_sorting), TEST(test_known_values), TEST(test_threads),
                                     TEST(test_no_gradient_passes), TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
