// SPDX-License-Identifier: Apache-2.0
// Measures from which density on the dense product is the faster way (spikestill/bench.h), on one shape of each kind.
#include "backend/fast/fast.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "spikestill/bench.h"

enum { ROUNDS = 7, IMAGES = 32, SIZE = 16, CHANNELS = 64, ROWS = 512, INPUTS = 1024, OUTPUTS = 256 };

typedef struct measurement {
  ssti_backend *backend;
  bool linear;
  ssti_conv2d conv;
  ssti_linear product;
  int64_t inputs, outputs, weights; // elements
  float *x, *w, *y, *dw;
} measurement;

typedef struct pass_times {
  double forward, weights; // seconds
} pass_times;

static ssti_type type_of(const measurement *m) { return m->linear ? m->product.in_type : m->conv.in_type; }

static void fill_spikes(const measurement *m, double density) {
  const uint64_t stream = ssti_random_stream("calibrate");
  ssti_bf16 *half = (ssti_bf16 *)(void *)m->x;
  for (int64_t i = 0; i < m->inputs; i++) {
    const float x = (double)ssti_random_uniform(1, stream, (uint64_t)i) < density ? 1.0f : 0.0f;
    if (type_of(m) == SSTI_BF16) {
      half[i] = ssti_bf16_of(x);
    } else {
      m->x[i] = x;
    }
  }
}

static void run_once(const measurement *m, ssti_plan *plan, void *saved, void *workspace, pass_times *best) {
  const ssti_kernels *k = &m->backend->kernels;
  const double start = ssti_clock_seconds();
  if (m->linear) {
    k->linear_forward(m->backend, &m->product, plan, m->x, m->w, NULL, m->y, saved, workspace);
  } else {
    k->conv2d_forward(m->backend, &m->conv, plan, m->x, m->w, NULL, m->y, saved, workspace);
  }
  const double middle = ssti_clock_seconds();
  if (m->linear) {
    k->linear_backward_weights(m->backend, &m->product, plan, m->x, m->y, m->dw, false, NULL, false, saved, workspace);
  } else {
    k->conv2d_backward_weights(m->backend, &m->conv, plan, m->x, m->y, m->dw, false, NULL, false, saved, workspace);
  }
  const double end = ssti_clock_seconds();
  if (middle - start < best->forward) { best->forward = middle - start; }
  if (end - middle < best->weights) { best->weights = end - middle; }
}

// The fastest of some rounds, at a density, with all passes dense or all from spikes. Dense passes look at their input
// too.
static sst_status measure(sst_context *context, measurement *m, double density, bool events, pass_times *best) {
  const double number = events ? 1.0 : 1e-9;
  sst_context_set_crossover(context, (sst_crossover){
#define SAME_NUMBER(name, value, meaning) .name = number,
                                         SST_CROSSOVER_LIST(SAME_NUMBER)
#undef SAME_NUMBER
                                     });
  ssti_plan *plan = NULL;
  void *workspace = NULL, *saved = NULL;
  *best = (pass_times){1e9, 1e9};
  SST_TRY(ssti_backend_create(context, SST_DEVICE_CPU, &m->backend));
  const ssti_kernels *k = &m->backend->kernels;
  sst_status status = m->linear ? k->linear_plan(m->backend, &m->product, true, &plan)
                                : k->conv2d_plan(m->backend, &m->conv, true, &plan);
  if (status == SST_OK) {
    const size_t a = plan->forward_workspace, b = plan->backward_workspace;
    status = ssti_allocate_tensors(context, a > b ? a : b, &workspace);
  }
  if (status == SST_OK) { status = ssti_allocate_tensors(context, plan->saved, &saved); }
  fill_spikes(m, density);
  for (int i = 0; status == SST_OK && i < ROUNDS; i++) { run_once(m, plan, saved, workspace, best); }
  k->plan_destroy(m->backend, plan);
  ssti_free(context, workspace);
  ssti_free(context, saved);
  ssti_backend_destroy(m->backend);
  return status;
}

// Where a straight line through two measurements reaches the dense time; negative where it begins above.
static double crossing(double dense, double low, double at_low, double high, double at_high) {
  const double slope = (at_high - at_low) / (high - low);
  if (slope <= 0) { return at_low < dense ? 0.95 : -1.0; }
  const double density = low + (dense - at_low) / slope;
  return density > 0.95 ? 0.95 : density > 0 ? density : -1.0;
}

static sst_status find_crossing(sst_context *context, measurement *m, double *forward, double *weights) {
  const double low = 0.05, high = 0.25;
  pass_times dense, few, many;
  const int64_t counts[] = {m->inputs, m->weights, m->outputs, m->weights};
  float **const arrays[] = {&m->x, &m->w, &m->y, &m->dw};
  sst_status status = SST_OK;
  for (int i = 0; i < 4 && status == SST_OK; i++) {
    status = ssti_allocate_tensors(context, (size_t)counts[i] * sizeof(float), arrays[i]);
    for (int64_t k = 0; status == SST_OK && k < counts[i]; k++) { (*arrays[i])[k] = (float)(k % 17 - 8); }
  }
  if (status == SST_OK) { status = measure(context, m, high, false, &dense); }
  if (status == SST_OK) { status = measure(context, m, low, true, &few); }
  if (status == SST_OK) { status = measure(context, m, high, true, &many); }
  if (status == SST_OK) {
    *forward = crossing(dense.forward, low, few.forward, high, many.forward);
    *weights = crossing(dense.weights, low, few.weights, high, many.weights);
  }
  for (int i = 0; i < 4; i++) { ssti_free(context, *arrays[i]); }
  return status;
}

// Whole numbers of -8 to 8, as the weights of a quantised layer.
static void use_codes(measurement *m, int bits) { m->conv.code_bits = m->product.code_bits = bits; }

// As in a graph of that precision, between layers that have it too.
static void use_bf16(measurement *m) {
  m->conv.precision = m->product.precision = SST_PRECISION_BF16;
  m->conv.in_type = m->conv.out_type = m->product.in_type = m->product.out_type = SSTI_BF16;
}

sst_status sst_measure_crossover(sst_context *context, sst_crossover *out) {
  const sst_crossover before = sst_context_crossover(context);
  const sst_codes codes_before = sst_context_codes(context);
  const sst_convolution convolution_before = sst_context_convolution(context);
  *out = before;
  sst_context_set_codes(context, SST_CODES_INTEGER);
  sst_context_set_convolution(context, SST_CONVOLUTION_DIRECT);
  measurement conv = {.conv = ssti_conv2d_3x3(IMAGES, SIZE, CHANNELS, CHANNELS),
                      .inputs = (int64_t)IMAGES * SIZE * SIZE * CHANNELS,
                      .outputs = (int64_t)IMAGES * SIZE * SIZE * CHANNELS,
                      .weights = (int64_t)9 * CHANNELS * CHANNELS};
  measurement linear = {.linear = true,
                        .product = {.rows = ROWS, .in = INPUTS, .out = OUTPUTS},
                        .inputs = (int64_t)ROWS * INPUTS,
                        .outputs = (int64_t)ROWS * OUTPUTS,
                        .weights = (int64_t)INPUTS * OUTPUTS};
  sst_status status = find_crossing(context, &conv, &out->convolution_forward, &out->convolution_weights);
  if (status == SST_OK) { status = find_crossing(context, &linear, &out->linear_forward, &out->linear_weights); }
  sst_context_set_convolution(context, SST_CONVOLUTION_WINOGRAD);
  if (status == SST_OK) {
    status = find_crossing(context, &conv, &out->winograd_convolution_forward, &out->winograd_convolution_weights);
  }
  sst_context_set_convolution(context, SST_CONVOLUTION_DIRECT);
  double unused;
  use_codes(&conv, 5);
  use_codes(&linear, 5);
  if (status == SST_OK) { status = find_crossing(context, &conv, &out->code_convolution_forward, &unused); }
  if (status == SST_OK) { status = find_crossing(context, &linear, &out->code_linear_forward, &unused); }
  use_codes(&conv, 0);
  use_codes(&linear, 0);
  if (status == SST_OK && ssti_bf16_is_supported()) {
    use_bf16(&conv);
    use_bf16(&linear);
    status = find_crossing(context, &conv, &out->bf16_convolution_forward, &out->bf16_convolution_weights);
    if (status == SST_OK) {
      status = find_crossing(context, &linear, &out->bf16_linear_forward, &out->bf16_linear_weights);
    }
  }
  sst_context_set_crossover(context, before);
  sst_context_set_codes(context, codes_before);
  sst_context_set_convolution(context, convolution_before);
  return status;
}
