// SPDX-License-Identifier: Apache-2.0
// The neuron op: its shape rule and what it says to bad input, which kernel arguments it passes on, its cost.
#include "../support/support.h"

#include "../support/neuron_model.h"
#include "../support/op_call.h"

static ssti_neuron_attributes attributes_of(sst_neuron_kind kind, int64_t steps) {
  ssti_neuron_attributes attributes = {.neuron = sst_neuron_default(), .steps = steps};
  attributes.neuron.kind = kind;
  return attributes;
}

static void begin(op_call *c, ssti_backend *backend, const ssti_neuron_attributes *attributes, sst_shape x) {
  op_call_begin(c, backend, &ssti_op_neuron, attributes);
  c->call.output_count = 2;
  op_call_input(c, x, NULL);
  op_call_fill_reals(c->x[0].data, sst_shape_count(x), 3);
  if (attributes->neuron.kind == SST_NEURON_PLIF) { op_call_input(c, sst_shape_make(1, 1, 1, 1, 1), NULL); }
}

static void test_shapes_and_cost(void **state) {
  ssti_backend backend = neuron_backend(*state);
  for (int64_t input_steps = 1; input_steps <= 4; input_steps += 3) {
    const ssti_neuron_attributes attributes = attributes_of(SST_NEURON_LIF, 4);
    op_call c;
    begin(&c, &backend, &attributes, sst_shape_make(input_steps, 2, 3, 3, 5));
    assert_ok(*state, op_call_infer(&c, *state));
    assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(4, 2, 3, 3, 5)));
    assert_true(sst_shape_equal(c.y[1].shape, c.y[0].shape));
    sst_cost cost = {0};
    ssti_op_neuron.cost(&c.call, &cost);
    assert_int_equal(cost.neuron_updates, 4 * 2 * 3 * 3 * 5);
    assert_int_equal(cost.macs, 0);
    op_call_end(&c);
  }
}

static void expect_failure(sst_context *context, const ssti_neuron_attributes *attributes, sst_shape x,
                           sst_status status, const char *part) {
  ssti_backend backend = neuron_backend(context);
  op_call c;
  begin(&c, &backend, attributes, x);
  assert_fails(context, status, op_call_infer(&c, context), part);
  op_call_end(&c);
}

static void test_bad_input(void **state) {
  ssti_neuron_attributes attributes = attributes_of(SST_NEURON_LIF, 4);
  expect_failure(*state, &attributes, sst_shape_make(3, 1, 1, 1, 2), SST_SHAPE, "3 time steps, expected 4 or 1");
  attributes.neuron.threshold = -1.0f;
  expect_failure(*state, &attributes, sst_shape_make(4, 1, 1, 1, 2), SST_INVALID_ARGUMENT, "threshold is -1");
  attributes = attributes_of(SST_NEURON_LIF, 0);
  expect_failure(*state, &attributes, sst_shape_make(1, 1, 1, 1, 2), SST_INVALID_ARGUMENT, "0 steps");

  ssti_backend backend = neuron_backend(*state);
  attributes = attributes_of(SST_NEURON_PLIF, 4);
  op_call c;
  op_call_begin(&c, &backend, &ssti_op_neuron, &attributes);
  op_call_input(&c, sst_shape_make(1, 1, 1, 1, 2), NULL);
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "plif layer got 1 inputs, expected 2");
  op_call_input(&c, sst_shape_make(1, 1, 1, 1, 2), NULL);
  assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state), "decay parameter has the shape [1,1,1,1,2]");
  op_call_end(&c);
}

// The op against the model, with and without the membrane's gradient, smooth and not.
static void test_gradients_pass_through(void **state) {
  ssti_backend backend = neuron_backend(*state);
  for (int variant = 0; variant < 8; variant++) {
    ssti_neuron_attributes attributes = attributes_of(SST_NEURON_PLIF, 3);
    attributes.neuron.detach_reset = false;
    op_call c;
    begin(&c, &backend, &attributes, sst_shape_make(variant & 1 ? 1 : 3, 2, 1, 1, 3));
    c.run.smooth = variant & 2;
    if (variant & 4) { c.dy_list[1] = NULL; }
    c.x[1].data[0] = 0.4f;
    assert_ok(*state, op_call_infer(&c, *state));
    op_call_prepare(&c);
    op_call_fill_reals(c.dy[0].data, 18, 5);
    if (!(variant & 4)) { op_call_fill_reals(c.dy[1].data, 18, 6); }
    op_call_forward(&c);
    op_call_backward(&c);

    const ssti_neuron_shape shape = {.neuron = attributes.neuron,
                                     .steps = 3,
                                     .input_steps = variant & 1 ? 1 : 3,
                                     .count = 6,
                                     .smooth = c.run.smooth};
    dual x[18], w = {(double)c.x[1].data[0], 1};
    const int64_t inputs = sst_shape_count(c.x[0].shape);
    for (int64_t i = 0; i < inputs; i++) { x[i] = dual_constant((double)c.x[0].data[i]); }
    const dual along_w = model_projection(&shape, x, w, c.dy[0].data, c.dy[1].data);
    assert_near(c.dx[1].data[0], along_w.tangent, 1e-5, 1e-5);
    w.tangent = 0;
    for (int64_t i = 0; i < inputs; i++) {
      x[i].tangent = 1;
      assert_near(c.dx[0].data[i], model_projection(&shape, x, w, c.dy[0].data, c.dy[1].data).tangent, 1e-5, 1e-5);
      x[i].tangent = 0;
    }
    op_call_end(&c);
  }
}

// Nobody reads the membrane; nobody wants a gradient of x.
static void test_absent_tensors(void **state) {
  ssti_backend backend = neuron_backend(*state);
  const ssti_neuron_attributes attributes = attributes_of(SST_NEURON_PLIF, 3);
  op_call c;
  begin(&c, &backend, &attributes, sst_shape_make(3, 2, 1, 1, 3));
  c.unwanted[0] = true;
  assert_ok(*state, op_call_infer(&c, *state));
  op_call_forward(&c);
  float *membrane = c.y[1].data;
  c.y[1].data = NULL;
  ssti_op_neuron.forward(&c.call);
  c.y[1].data = membrane;
  op_call_fill_reals(c.dy[0].data, 18, 5);
  op_call_backward(&c);
  assert_true(isfinite(c.dx[1].data[0]));
  for (int i = 0; i < 18; i++) { assert_true(isnan(c.dx[0].data[i])); }
  op_call_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_shapes_and_cost),
      TEST(test_bad_input),
      TEST(test_gradients_pass_through),
      TEST(test_absent_tensors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
