// SPDX-License-Identifier: Apache-2.0
// Weight quantisers: codes, scales and straight-through gradients by hand, ties, layers of nothing but zeros, where
// steps start, and the claim on which the op rests: a layer on codes behind a norm is the layer on scale * code behind
// it.
#include "support.h"

#include "graphs.h"
#include "op_call.h"

enum { ROWS = 2, COLUMNS = 4, WEIGHTS = ROWS * COLUMNS };
static const float two_rows[WEIGHTS] = {1.0f, -1.0f, 0.5f, 0.1f, 2.0f, -0.2f, 0.0f, -2.0f};

static ssti_quantize_weights_attributes attributes_of(sst_weight_quantizer_kind kind, int bits, bool per_channel) {
  return (ssti_quantize_weights_attributes){{.kind = kind, .bits = bits, .per_channel = per_channel}};
}

// `step` NULL: ternary.
static void begin(op_call *c, sst_context *context, ssti_backend *backend, const ssti_quantize_weights_attributes *a,
                  const float *weight, const float *step) {
  op_call_begin(c, backend, &ssti_op_quantize_weights, a);
  c->call.output_count = 2;
  op_call_input(c, sst_shape_make(1, ROWS, 1, 1, COLUMNS), weight);
  if (step != NULL) { op_call_input(c, vector_shape(a->quantizer.per_channel ? ROWS : 1), step); }
  assert_ok(context, op_call_infer(c, context));
  op_call_forward(c);
}

static void backward(op_call *c, const float *dcodes) {
  memcpy(c->dy[0].data, dcodes, WEIGHTS * sizeof *dcodes);
  op_call_backward(c);
}

static const float dcodes[WEIGHTS] = {3, -6, 9, 12, 1.5f, 2, -4, 8};

static void test_ternary_of_a_layer(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  ssti_quantize_weights_attributes a = attributes_of(SST_WEIGHT_QUANTIZER_TERNARY, 4, false);
  op_call c;
  begin(&c, *state, backend, &a, two_rows, NULL); // mean 0.85, Delta 0.595
  assert_all_equal(c.y[0].data, ((const float[]){1, -1, 0, 0, 1, 0, 0, -1}), WEIGHTS);
  assert_near(c.y[1].data[0], 1.5f, 1e-6, 0);
  backward(&c, dcodes);
  for (int i = 0; i < WEIGHTS; i++) { assert_near(c.dx[0].data[i], dcodes[i] / 1.5f, 1e-6, 0); }
  op_call_end(&c);
  a.quantizer.gradient_limit = 1.0f; // still at 1, no longer at 2
  begin(&c, *state, backend, &a, two_rows, NULL);
  backward(&c, dcodes);
  assert_near(c.dx[0].data[0], 2.0f, 1e-6, 0);
  assert_true(c.dx[0].data[4] == 0.0f && c.dx[0].data[7] == 0.0f);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_ternary_of_channels(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_quantize_weights_attributes a = attributes_of(SST_WEIGHT_QUANTIZER_TERNARY, 4, true);
  op_call c;
  begin(&c, *state, backend, &a, two_rows, NULL); // means 0.65 and 1.05, Delta 0.455 and 0.735
  assert_all_equal(c.y[0].data, ((const float[]){1, -1, 1, 0, 1, 0, 0, -1}), WEIGHTS);
  assert_near(c.y[1].data[0], 2.5f / 3, 1e-6, 0);
  assert_near(c.y[1].data[1], 2.0f, 1e-6, 0);
  c.accumulate[0] = true;
  memset(c.dx[0].data, 0, WEIGHTS * sizeof(float));
  backward(&c, dcodes);
  backward(&c, dcodes);
  assert_near(c.dx[0].data[0], 2 * 3 / (2.5f / 3), 1e-6, 0);
  assert_near(c.dx[0].data[7], 2 * 8 / 2.0f, 1e-6, 0);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Nothing to measure a scale by: codes 0, scale 1, and the gradient still comes through.
static void test_zeros(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const float zeros[WEIGHTS] = {0}, no_step[ROWS] = {0};
  for (int learned = 0; learned < 2; learned++) {
    for (int channels = 0; channels < 2; channels++) {
      const ssti_quantize_weights_attributes a =
          attributes_of(learned ? SST_WEIGHT_QUANTIZER_LEARNED_STEP : SST_WEIGHT_QUANTIZER_TERNARY, 4, channels);
      op_call c;
      begin(&c, *state, backend, &a, zeros, learned ? no_step : NULL);
      assert_all_equal(c.y[0].data, zeros, WEIGHTS);
      assert_true(c.y[1].data[0] == 1.0f);
      backward(&c, dcodes);
      assert_all_equal(c.dx[0].data, dcodes, WEIGHTS);
      op_call_end(&c);
    }
  }
  ssti_backend_destroy(backend);
}

// 3 bits, Q = 3, step 1/2: halves go up, the ends are clipped and pass no gradient to the weight.
static void test_learned_step(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_quantize_weights_attributes a = attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 3, false);
  const float weight[WEIGHTS] = {0.25f, -0.25f, 0.75f, -0.75f, 1.5f, 1.75f, -9.0f, 0.5f}, step = 0.5f;
  op_call c;
  begin(&c, *state, backend, &a, weight, &step);
  const float codes[WEIGHTS] = {1, 0, 2, -1, 3, 3, -3, 1};
  assert_all_equal(c.y[0].data, codes, WEIGHTS);
  backward(&c, dcodes);
  double dstep = 0;
  for (int i = 0; i < WEIGHTS; i++) {
    const bool inside = i != 5 && i != 6;
    assert_near(c.dx[0].data[i], inside ? dcodes[i] / step : 0.0f, 1e-6, 0);
    dstep += (double)(dcodes[i] / step) * (double)(inside ? codes[i] - weight[i] / step : codes[i]);
  }
  assert_near(c.dx[1].data[0], dstep / sqrt(WEIGHTS * 3.0), 1e-6, 0);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// A step that is not above 0 is 2 mean|W| / sqrt(Q); only training outside frozen scopes writes that down.
static void test_where_steps_start(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_quantize_weights_attributes a = attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 4, true);
  const float given[ROWS] = {0.0f, 0.125f}, start = (float)(2 * 0.65 / sqrt(7.0));
  for (int variant = 0; variant < 3; variant++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_quantize_weights, &a);
    c.call.output_count = 2;
    c.run.training = variant != 1;
    c.call.frozen = variant == 2;
    op_call_input(&c, sst_shape_make(1, ROWS, 1, 1, COLUMNS), two_rows);
    op_call_input(&c, vector_shape(ROWS), given);
    assert_ok(*state, op_call_infer(&c, *state));
    op_call_forward(&c);
    assert_near(c.y[1].data[0], start, 1e-6, 0);
    assert_true(c.y[1].data[1] == 0.125f && c.x[1].data[1] == 0.125f);
    assert_true(c.x[1].data[0] == (variant == 0 ? c.y[1].data[0] : 0.0f));
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void expect_failure(sst_context *context, ssti_quantize_weights_attributes a, sst_shape weight, int64_t step,
                           sst_status status, const char *part) {
  ssti_backend *backend = op_call_reference(context);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_quantize_weights, &a);
  c.call.output_count = 2;
  op_call_input(&c, weight, NULL);
  if (step > 0) { op_call_input(&c, vector_shape(step), NULL); }
  assert_fails(context, status, op_call_infer(&c, context), part);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_bad_shapes_and_ranges(void **state) {
  const sst_shape weight = sst_shape_make(1, 3, 1, 1, 5);
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_NONE, 4, false), weight, 0, SST_INVALID_ARGUMENT, "none");
  expect_failure(*state, attributes_of((sst_weight_quantizer_kind)9, 4, false), weight, 0, SST_INVALID_ARGUMENT,
                 "no weight quantiser 9");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 1, false), weight, 1, SST_INVALID_ARGUMENT,
                 "the weights have 1 bits, expected 2 to 8");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 9, false), weight, 1, SST_INVALID_ARGUMENT,
                 "9 bits");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 4, false), weight, 0, SST_INVALID_ARGUMENT,
                 "got 1 inputs, expected 2");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_TERNARY, 4, false), weight, 1, SST_INVALID_ARGUMENT,
                 "got 2 inputs, expected 1");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_LEARNED_STEP, 4, true), weight, 2, SST_SHAPE,
                 "the step is [1,1,1,1,2], expected [1,1,1,1,3]");
  expect_failure(*state, attributes_of(SST_WEIGHT_QUANTIZER_TERNARY, 4, false), sst_shape_make(2, 3, 1, 1, 5), 0,
                 SST_SHAPE, "expected [1,O,Kh,Kw,I]");
  ssti_quantize_weights_attributes limited = attributes_of(SST_WEIGHT_QUANTIZER_TERNARY, 4, false);
  limited.quantizer.gradient_limit = -1.0f;
  expect_failure(*state, limited, weight, 0, SST_INVALID_ARGUMENT, "gradient_limit is -1");
}

// ---- behind a norm ----

enum { IN = 5, OUT = 6 };

static sst_value norm_of(sst_graph *g, sst_value x) {
  const sst_initializer one = {SST_INIT_CONSTANT, 1.0f}, zero = {SST_INIT_CONSTANT, 0.0f};
  sst_batch_norm_options options = sst_batch_norm_default();
  options.epsilon = 1e-12f; // on codes it stands for epsilon * scale^2
  return sst_batch_norm(g, x, sst_graph_parameter(g, "gamma", vector_shape(OUT), SST_PARAMETER_NORM, one),
                        sst_graph_parameter(g, "beta", vector_shape(OUT), SST_PARAMETER_NORM, zero),
                        sst_graph_parameter(g, "mean", vector_shape(OUT), SST_PARAMETER_BUFFER, zero),
                        sst_graph_parameter(g, "variance", vector_shape(OUT), SST_PARAMETER_BUFFER, one), &options);
}

// Weights scale * code, straight through, written with plain ops: the weight, or for learned steps clip(W / step) *
// step, plus what rounding changes as a constant.
static sst_value straight_through(sst_graph *g, sst_value weight, sst_value step, sst_value codes, sst_value scale,
                                  float largest) {
  if (step == SST_NONE) {
    return sst_add(g, weight, sst_stop_gradient(g, sst_subtract(g, sst_multiply(g, codes, scale), weight)));
  }
  const sst_value steps = sst_clip(g, sst_divide(g, weight, step), -largest, largest);
  const sst_value rounded = sst_add(g, steps, sst_stop_gradient(g, sst_subtract(g, codes, steps)));
  return sst_multiply(g, rounded, step);
}

typedef enum layer_form { ON_CODES, RESCALED, ON_WEIGHTS } layer_form;

static void run_form(sst_context *context, layer_form form, bool normalised, int bits, sst_parameters **store,
                     float *y) {
  sst_graph *g = graph_begin(context, store);
  const sst_shape spikes = sst_shape_make(2, 3, 5, 4, IN);
  sst_value x = sst_graph_input(g, "x", spikes), scale = SST_NO_VALUE, step = SST_NONE;
  sst_value weight = graph_weight(g, "weight", sst_shape_make(1, OUT, 3, 3, IN));
  if (bits > 0) {
    step = sst_graph_parameter(g, "step", vector_shape(1), SST_PARAMETER_STEP,
                               (sst_initializer){SST_INIT_CONSTANT, 0.27f});
  }
  const sst_weight_quantizer quantizer = {bits > 0 ? SST_WEIGHT_QUANTIZER_LEARNED_STEP : SST_WEIGHT_QUANTIZER_TERNARY,
                                          bits, false, 0.0f};
  sst_value codes = sst_quantize_weights(g, weight, step, &quantizer, &scale);
  const sst_conv2d_options options = sst_conv2d_default();
  sst_value z;
  if (form == ON_WEIGHTS) {
    const float largest = (float)((1 << (bits > 0 ? bits - 1 : 1)) - 1);
    z = sst_conv2d(g, x,
                   straight_through(g, weight, step, sst_stop_gradient(g, codes), sst_stop_gradient(g, scale), largest),
                   SST_NONE, &options);
  } else {
    z = sst_conv2d(g, x, codes, SST_NONE, &options);
    if (form == RESCALED) { z = sst_rescale(g, z, scale, SST_NONE, 0); }
  }
  if (normalised) { z = norm_of(g, z); }
  // A loss that is not symmetric in any way.
  sst_value factor_of_z = sst_graph_input(g, "factor", sst_graph_shape(g, z));
  sst_value loss = sst_mean(g, sst_exp(g, sst_multiply(g, z, sst_affine(g, factor_of_z, 0.3f, 0.0f))), SST_AXES_ALL);
  sst_graph_keep(g, z);
  assert_ok(context, sst_graph_compile(g, loss));
  float *in = sst_graph_data(g, sst_graph_find(g, "x")), *factor = sst_graph_data(g, sst_graph_find(g, "factor"));
  for (int64_t i = 0; i < sst_shape_count(spikes); i++) { in[i] = (float)(i * 7 % 11 < 3); }
  op_call_fill_reals(factor, sst_shape_count(sst_graph_shape(g, z)), 4);
  sst_graph_forward(g, &(sst_run_options){.training = true});
  sst_graph_backward(g);
  memcpy(y, sst_graph_data(g, z), (size_t)sst_shape_count(sst_graph_shape(g, z)) * sizeof *y);
  sst_graph_destroy(g);
}

static void check_forms(sst_context *context, layer_form form, bool normalised, int bits) {
  enum { COUNT = 2 * 3 * 3 * 2 * OUT };
  sst_parameters *found = NULL, *expected = NULL;
  float y[COUNT], y_expected[COUNT];
  run_form(context, form, normalised, bits, &found, y);
  run_form(context, ON_WEIGHTS, normalised, bits, &expected, y_expected);
  assert_all_near(y, y_expected, COUNT, 1e-5, 1e-5);
  double size = 0;
  for (int i = 0; i < sst_parameters_count(found); i++) {
    const sst_parameter *p = sst_parameters_at(found, i), *q = sst_parameters_find(expected, p->name);
    if (p->gradient == NULL) { continue; }
    // LSQ's factor on the step's gradient.
    const double share = p->kind == SST_PARAMETER_STEP ? 1 / sqrt(9.0 * IN * OUT * ((1 << (bits - 1)) - 1)) : 1;
    for (int64_t k = 0; k < p->count; k++) {
      assert_near(p->gradient[k], share * (double)q->gradient[k], 1e-4, 1e-7);
      size += fabs((double)p->gradient[k]);
    }
  }
  assert_true(size > 0.01);
  sst_parameters_destroy(found);
  sst_parameters_destroy(expected);
}

static void test_a_norm_absorbs_the_scale(void **state) {
  check_forms(*state, ON_CODES, true, 0);
  check_forms(*state, ON_CODES, true, 2);
  check_forms(*state, ON_CODES, true, 4);
}

static void test_without_a_norm_the_scale_is_multiplied_in(void **state) {
  check_forms(*state, RESCALED, false, 0);
  check_forms(*state, RESCALED, false, 4);
  check_forms(*state, RESCALED, true, 3);
}

// Only somebody who reads the scale alone: no gradient, and no memory left as it was.
static void test_the_scale_takes_no_gradient(void **state) {
  sst_parameters *store = NULL;
  sst_graph *g = graph_begin(*state, &store);
  const sst_weight_quantizer quantizer = {SST_WEIGHT_QUANTIZER_TERNARY, 4, true, 0.0f};
  sst_value scale = SST_NO_VALUE;
  sst_quantize_weights(g, graph_weight(g, "weight", sst_shape_make(1, 3, 1, 1, 4)), SST_NONE, &quantizer, &scale);
  assert_ok(*state, sst_graph_compile(g, sst_mean(g, scale, SST_AXES_ALL)));
  sst_graph_forward(g, &(sst_run_options){.training = true});
  sst_graph_backward(g);
  const sst_parameter *weight = sst_parameters_find(store, "weight");
  for (int64_t i = 0; i < weight->count; i++) { assert_true(weight->gradient[i] == 0.0f); }
  graph_end(g, store);
}

static void test_words(void **state) {
  (void)state;
  sst_weight_quantizer quantizer = sst_weight_quantizer_default();
  assert_int_equal(sst_weight_quantizer_bits(&quantizer), 32);
  assert_true(sst_weight_quantizer_parse("ternary", &quantizer.kind));
  assert_int_equal(sst_weight_quantizer_bits(&quantizer), 2);
  assert_true(
      sst_weight_quantizer_parse(sst_weight_quantizer_word(SST_WEIGHT_QUANTIZER_LEARNED_STEP), &quantizer.kind));
  assert_int_equal(sst_weight_quantizer_bits(&quantizer), 4);
  assert_false(sst_weight_quantizer_parse("binary", &quantizer.kind));
  assert_string_equal(sst_weight_quantizer_word((sst_weight_quantizer_kind)7), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_ternary_of_a_layer),
                                     TEST(test_ternary_of_channels),
                                     TEST(test_zeros),
                                     TEST(test_learned_step),
                                     TEST(test_where_steps_start),
                                     TEST(test_bad_shapes_and_ranges),
                                     TEST(test_a_norm_absorbs_the_scale),
                                     TEST(test_without_a_norm_the_scale_is_multiplied_in),
                                     TEST(test_the_scale_takes_no_gradient),
                                     TEST(test_words)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
