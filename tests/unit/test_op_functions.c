// SPDX-License-Identifier: Apache-2.0
// Every function of ops.h adds the op that its name says, with the attributes it was given: values on small inputs, by
// hand or by libm. The ops' own suites call them without a graph; here it is the wiring that is tested.
// Tolerance 1e-6 where libm's f32 and f64 differ by rounding; everything else is exact.
#include <math.h>

#include "graphs.h"

typedef struct bench {
  sst_context *context;
  sst_parameters *store;
  sst_graph *graph;
  const float *fill[4];
  sst_value inputs[4];
  int input_count;
} bench;

static void bench_begin(bench *b, void **state) {
  *b = (bench){.context = *state};
  b->graph = graph_begin(b->context, &b->store);
}

static sst_value bench_input(bench *b, sst_shape shape, const float *values) {
  char name[8] = {'x', (char)('0' + b->input_count), '\0'};
  b->fill[b->input_count] = values;
  return b->inputs[b->input_count++] = sst_graph_input(b->graph, name, shape);
}

// Runs the graph up to `y` and compares; ends the graph.
static void bench_expect(bench *b, sst_value y, sst_shape shape, const double *expected, double tolerance) {
  sst_graph_keep(b->graph, y);
  assert_ok(b->context, sst_graph_compile(b->graph, SST_NO_VALUE));
  for (int i = 0; i < b->input_count; i++) {
    float *to = sst_graph_data(b->graph, b->inputs[i]);
    int64_t count = sst_shape_count(sst_graph_shape(b->graph, b->inputs[i]));
    for (int64_t j = 0; j < count; j++) { to[j] = b->fill[i][j]; }
  }
  assert_true(sst_shape_equal(sst_graph_shape(b->graph, y), shape));
  sst_graph_forward(b->graph, NULL);
  const float *found = sst_graph_data(b->graph, y);
  for (int64_t i = 0; i < sst_shape_count(shape); i++) {
    assert_near((double)found[i], expected[i], tolerance, tolerance);
  }
  graph_end(b->graph, b->store);
}

static double clip(double x) { return x < -0.5 ? -0.5 : (x > 1.25 ? 1.25 : x); }
static double relu(double x) { return x > 0 ? x : 0; }
static double square(double x) { return x * x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double affine(double x) { return 3 * x - 2; }
static double power(double x) { return pow(fabs(x), 1.5); }

static sst_value add_affine(sst_graph *g, sst_value x) { return sst_affine(g, x, 3, -2); }
static sst_value add_power(sst_graph *g, sst_value x) { return sst_power(g, x, 1.5f); }
static sst_value add_round(sst_graph *g, sst_value x) { return sst_round(g, x, 0.5f); }
static sst_value add_clip(sst_graph *g, sst_value x) { return sst_clip(g, x, -0.5f, 1.25f); }

static double halves(double x) { return floor(2 * x + 0.5) / 2; } // 0.75 up to 1

static void test_functions_of_one_value(void **state) {
  static const float mixed[4] = {-1.5f, 0, 0.75f, 2}, positive[4] = {0.25f, 1, 2.5f, 9};
  const struct {
    sst_value (*build)(sst_graph *, sst_value);
    double (*expected)(double);
    const float *x;
  } cases[] = {{add_affine, affine, mixed}, {sst_relu, relu, mixed},       {sst_square, square, mixed},
               {sst_abs, fabs, mixed},      {sst_sqrt, sqrt, positive},    {sst_exp, exp, mixed},
               {sst_log, log, positive},    {sst_sigmoid, sigmoid, mixed}, {sst_tanh, tanh, mixed},
               {add_power, power, mixed},   {add_clip, clip, mixed},       {sst_floor, floor, mixed},
               {add_round, halves, mixed}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bench b;
    double expected[4];
    for (int j = 0; j < 4; j++) { expected[j] = cases[i].expected((double)cases[i].x[j]); }
    bench_begin(&b, state);
    sst_value x = bench_input(&b, vector_shape(4), cases[i].x);
    bench_expect(&b, cases[i].build(b.graph, x), vector_shape(4), expected, 1e-6);
  }
}

static void test_functions_of_two_values(void **state) {
  static const float left[4] = {-3, 0, 5, 8}, right[4] = {2, 4, -1, 16};
  const struct {
    sst_value (*build)(sst_graph *, sst_value, sst_value);
    double expected[4];
  } cases[] = {{sst_add, {-1, 4, 4, 24}},
               {sst_subtract, {-5, -4, 6, -8}},
               {sst_multiply, {-6, 0, -5, 128}},
               {sst_divide, {-1.5, 0, -5, 0.5}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bench b;
    bench_begin(&b, state);
    sst_value x = bench_input(&b, vector_shape(4), left), y = bench_input(&b, vector_shape(4), right);
    bench_expect(&b, cases[i].build(b.graph, x, y), vector_shape(4), cases[i].expected, 0);
  }
}

static void test_reductions(void **state) {
  static const float x[6] = {1, 2, 6, -4, -5, -3}; // [1,2,1,1,3]
  const struct {
    sst_value (*build)(sst_graph *, sst_value, int);
    double expected[2];
  } cases[] = {{sst_sum, {9, -12}}, {sst_mean, {3, -4}}, {sst_max, {6, -3}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bench b;
    bench_begin(&b, state);
    sst_value value = bench_input(&b, sst_shape_make(1, 2, 1, 1, 3), x);
    bench_expect(&b, cases[i].build(b.graph, value, SST_AXES_C), sst_shape_make(1, 2, 1, 1, 1), cases[i].expected, 0);
  }
}

static void test_mse_and_kl(void **state) {
  static const float p[3] = {0.5f, 0.25f, 0.25f}, q[3] = {0.25f, 0.25f, 0.5f};
  float log_q[3];
  double kl = 0;
  for (int i = 0; i < 3; i++) {
    log_q[i] = logf(q[i]);
    kl += (double)p[i] * log((double)p[i] / (double)q[i]);
  }
  bench b;
  bench_begin(&b, state);
  sst_value x = bench_input(&b, vector_shape(3), p), y = bench_input(&b, vector_shape(3), log_q);
  bench_expect(&b, sst_kl_divergence(b.graph, x, y), vector_shape(1), &kl, 1e-6);

  const double mse = (0.0625 + 0 + 0.0625) / 3;
  bench_begin(&b, state);
  x = bench_input(&b, vector_shape(3), p);
  y = bench_input(&b, vector_shape(3), q);
  bench_expect(&b, sst_mse(b.graph, x, y), vector_shape(1), &mse, 1e-6);
}

static void test_softmax_cross_entropy_and_normalisation(void **state) {
  static const float x[3] = {1, 2, 4}, target[3] = {0, 0.25f, 0.75f};
  double softened[3], sum = 0, sharp = 0, logs[3], entropy = 0, unit[3];
  for (int i = 0; i < 3; i++) { sum += softened[i] = exp((double)x[i] / 2); }
  for (int i = 0; i < 3; i++) { softened[i] /= sum; }
  for (int i = 0; i < 3; i++) { sharp += exp((double)x[i]); }
  for (int i = 0; i < 3; i++) {
    logs[i] = (double)x[i] - log(sharp);
    entropy -= (0.9 * (double)target[i] + 0.1 / 3) * logs[i];
    unit[i] = (double)x[i] / sqrt(21);
  }
  bench b;
  bench_begin(&b, state);
  bench_expect(&b, sst_softmax(b.graph, bench_input(&b, vector_shape(3), x), 2), vector_shape(3), softened, 1e-6);
  bench_begin(&b, state);
  bench_expect(&b, sst_log_softmax(b.graph, bench_input(&b, vector_shape(3), x), 1), vector_shape(3), logs, 1e-6);
  bench_begin(&b, state);
  sst_value head = sst_head_mask(b.graph, bench_input(&b, vector_shape(3), target), 0.7f);
  bench_expect(&b, head, vector_shape(3), (const double[]){0, 0, 1}, 0);
  bench_begin(&b, state);
  sst_value logits = bench_input(&b, vector_shape(3), x), labels = bench_input(&b, vector_shape(3), target);
  bench_expect(&b, sst_cross_entropy(b.graph, logits, labels, 0.1f), vector_shape(1), &entropy, 1e-6);
  bench_begin(&b, state);
  sst_value normal = sst_l2_normalize(b.graph, bench_input(&b, vector_shape(3), x), SST_AXES_C, 1e-6f);
  bench_expect(&b, normal, vector_shape(3), unit, 1e-6);
}

// 4x4 pixels 0..15; windows of 2x3, the stride 2 down and 1 across.
static void test_pools(void **state) {
  float x[16];
  for (int i = 0; i < 16; i++) { x[i] = (float)i; }
  const sst_pool_options options = {.kernel_h = 2, .kernel_w = 3, .stride_h = 2, .stride_w = 1};
  const sst_shape in = sst_shape_make(1, 1, 4, 4, 1), out = sst_shape_make(1, 1, 2, 2, 1);
  bench b;
  bench_begin(&b, state);
  bench_expect(&b, sst_average_pool(b.graph, bench_input(&b, in, x), &options), out, (double[]){3, 4, 11, 12}, 1e-6);
  bench_begin(&b, state);
  bench_expect(&b, sst_max_pool(b.graph, bench_input(&b, in, x), &options), out, (double[]){6, 7, 14, 15}, 0);
  bench_begin(&b, state);
  sst_value mean = sst_global_average_pool(b.graph, bench_input(&b, in, x));
  bench_expect(&b, mean, vector_shape(1), (double[]){7.5}, 1e-6);
  bench_begin(&b, state);
  sst_value columns = sst_adaptive_average_pool(b.graph, bench_input(&b, in, x), 1, 3); // 0-1, 1-2, 2-3
  bench_expect(&b, columns, sst_shape_make(1, 1, 1, 3, 1), (double[]){6.5, 7.5, 8.5}, 1e-6);
}

// Two channels, as in inference: gamma and beta 2 and -1, 1 and 3; running mean 1, variance 4, scale 0.5.
static void test_batch_norm(void **state) {
  static const float x[4] = {3, 4, -1, 10}, gamma[2] = {2, 1}, beta[2] = {-1, 3}, mean[2] = {1, 1};
  bench b;
  bench_begin(&b, state);
  sst_value input = bench_input(&b, sst_shape_make(1, 2, 1, 1, 2), x);
  sst_value g = bench_input(&b, vector_shape(2), gamma), offset = bench_input(&b, vector_shape(2), beta);
  sst_value m = bench_input(&b, vector_shape(2), mean);
  sst_value variance = sst_graph_parameter(b.graph, "variance", vector_shape(2), SST_PARAMETER_BUFFER,
                                           (sst_initializer){SST_INIT_CONSTANT, 4});
  const sst_batch_norm_options options = {.epsilon = 12, .momentum = 0.1f, .scale = 0.5f}; // 4 + 12 = 4^2
  sst_value y = sst_batch_norm(b.graph, input, g, offset, m, variance, &options);
  const double expected[4] = {0.5 * 2 * 0.5 - 1, 0.5 * 0.75 + 3, 0.5 * 2 * -0.5 - 1, 0.5 * 2.25 + 3};
  bench_expect(&b, y, sst_shape_make(1, 2, 1, 1, 2), expected, 1e-6);
}

static void test_convolution_and_linear_with_bias(void **state) {
  static const float x[4] = {1, 2, 3, 4}, weight[4] = {1, 10, 100, 1000}, bias[1] = {0.5f};
  bench b;
  bench_begin(&b, state);
  sst_conv2d_options options = sst_conv2d_default();
  options.pad_w = 1;
  options.stride_w = 2;
  sst_value picture = bench_input(&b, sst_shape_make(1, 1, 2, 2, 1), x);
  sst_value kernel = bench_input(&b, sst_shape_make(1, 1, 2, 2, 1), weight);
  sst_value offset = bench_input(&b, vector_shape(1), bias);
  bench_expect(&b, sst_conv2d(b.graph, picture, kernel, offset, &options), sst_shape_make(1, 1, 1, 2, 1),
               (double[]){3010.5, 402.5}, 0);
  bench_begin(&b, state);
  sst_value row = bench_input(&b, vector_shape(4), x);
  kernel = bench_input(&b, vector_shape(4), weight);
  offset = bench_input(&b, vector_shape(1), bias);
  bench_expect(&b, sst_linear(b.graph, row, kernel, offset), vector_shape(1), (double[]){4321.5}, 0);
}

static void test_what_moves_data(void **state) {
  static const float x[6] = {1, 2, 3, 4, 5, 6};
  bench b;
  bench_begin(&b, state);
  sst_value steps = bench_input(&b, sst_shape_make(3, 1, 1, 1, 2), x);
  bench_expect(&b, sst_select_steps(b.graph, steps, 1, 2), sst_shape_make(2, 1, 1, 1, 2), (double[]){3, 4, 5, 6}, 0);
  bench_begin(&b, state);
  sst_value once = bench_input(&b, vector_shape(2), x);
  bench_expect(&b, sst_repeat_steps(b.graph, once, 2), sst_shape_make(2, 1, 1, 1, 2), (double[]){1, 2, 1, 2}, 0);
  bench_begin(&b, state);
  sst_value map = bench_input(&b, sst_shape_make(1, 1, 3, 2, 1), x);
  bench_expect(&b, sst_flatten(b.graph, map), vector_shape(6), (double[]){1, 2, 3, 4, 5, 6}, 0);
  bench_begin(&b, state);
  const sst_value both[2] = {bench_input(&b, vector_shape(2), x), bench_input(&b, vector_shape(3), x + 3)};
  bench_expect(&b, sst_concat(b.graph, both, 2, SST_AXIS_C), vector_shape(5), (double[]){1, 2, 4, 5, 6}, 0);
  bench_begin(&b, state);
  map = bench_input(&b, sst_shape_make(1, 1, 1, 3, 2), x);
  bench_expect(&b, sst_pad(b.graph, map, &(sst_pad_options){{0, 1, 0}, {0, 0, 1}, 9}), sst_shape_make(1, 1, 1, 4, 3),
               (double[]){9, 9, 9, 1, 2, 9, 3, 4, 9, 5, 6, 9}, 0);
  bench_begin(&b, state);
  map = bench_input(&b, sst_shape_make(1, 1, 1, 3, 2), x);
  bench_expect(&b, sst_slice(b.graph, map, &(sst_slice_options){{0, 0, 1}, {1, 2, 1}, {1, 2, 1}}),
               sst_shape_make(1, 1, 1, 2, 1), (double[]){2, 6}, 0);
  bench_begin(&b, state);
  sst_value same = sst_stop_gradient(b.graph, bench_input(&b, vector_shape(2), x));
  bench_expect(&b, same, vector_shape(2), (double[]){1, 2}, 0);
  bench_begin(&b, state);
  same = sst_dropout(b.graph, bench_input(&b, vector_shape(2), x), 0.5f); // not in training
  bench_expect(&b, same, vector_shape(2), (double[]){1, 2}, 0);
  bench_begin(&b, state);
  same = sst_noise(b.graph, bench_input(&b, vector_shape(2), x), 0.5f); // not in training
  bench_expect(&b, same, vector_shape(2), (double[]){1, 2}, 0);
}

// IF with soft reset, threshold 1, input 0.75 at each of 4 steps: H = 0.75, 1.5, 1.25, 1.
static void test_neurons(void **state) {
  static const float x[1] = {0.75f};
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = SST_NEURON_IF;
  neuron.hard_reset = false;
  bench b;
  sst_value membrane = SST_NO_VALUE;
  bench_begin(&b, state);
  sst_value spikes = sst_neuron_layer(b.graph, bench_input(&b, vector_shape(1), x), 4, &neuron, SST_NONE, NULL);
  assert_true(sst_graph_is_spikes(b.graph, spikes));
  bench_expect(&b, spikes, sst_shape_make(4, 1, 1, 1, 1), (double[]){0, 1, 1, 1}, 0);
  bench_begin(&b, state);
  sst_neuron_layer(b.graph, bench_input(&b, vector_shape(1), x), 4, &neuron, SST_NONE, &membrane);
  assert_false(sst_graph_is_spikes(b.graph, membrane));
  bench_expect(&b, membrane, sst_shape_make(4, 1, 1, 1, 1), (double[]){0.75, 1.5, 1.25, 1}, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_functions_of_one_value),
      TEST(test_functions_of_two_values),
      TEST(test_reductions),
      TEST(test_mse_and_kl),
      TEST(test_pools),
      TEST(test_softmax_cross_entropy_and_normalisation),
      TEST(test_batch_norm),
      TEST(test_convolution_and_linear_with_bias),
      TEST(test_what_moves_data),
      TEST(test_neurons),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
