// SPDX-License-Identifier: Apache-2.0
// Times the kernels of a VGG-9 training step (T = 4, batch 64), one by one, beside the machine's ceilings measured in
// the same run. Prints one JSON object a line: the machine first, then a line a kernel with the median and the minimum
// of the seconds, the work done, and its share of the ceiling that bounds it ("f32" multiply-adds or "triad"
// bandwidth).
//
//   bench_kernels [--device cpu|cpu-ref] [--threads N] [--repetitions N] [--only PART-OF-NAME]
//   [--clock wall|processor] [--convolution direct|winograd]
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "spikestill/bench.h"
#include "spikestill/crossover.h"

enum { STEPS = 4, BATCH = 64, IMAGES = STEPS * BATCH, REPETITIONS_MAX = 1000 };

typedef struct bench {
  sst_context *context;
  ssti_backend *backend;
  sst_ceiling ceiling;
  sst_precision precision; // of the kernels being measured
  int repetitions;
  const char *only;
  bool processor_time;
  double seconds[REPETITIONS_MAX];
} bench;

static void *memory_of(size_t bytes) {
  const size_t page = 2 << 20;
  void *memory = NULL;
  if (posix_memalign(&memory, page, bytes + page) != 0) {
    fprintf(stderr, "bench_kernels: %zu bytes could not be allocated\n", bytes);
    exit(1);
  }
  (void)madvise(memory, (bytes + page) / page * page, MADV_HUGEPAGE); // as the library's own tensors
  return memory;
}

// Numbers around zero that differ from element to element.
static float *filled(int64_t count) {
  float *data = memory_of((size_t)count * sizeof *data);
  uint32_t state = 12345;
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
  return data;
}

static int compare(const void *a, const void *b) {
  double x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

typedef void kernel_call(bench *b, void *arg);

// On a machine that others use too, the time on the processor, of one thread, still tells kernels apart.
static double seconds_now(const bench *b) {
  if (!b->processor_time) { return ssti_clock_seconds(); }
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// `work` is in floating-point operations (bound by those of the precision) or bytes (bound "triad").
static void measure(bench *b, const char *name, const char *shape, bool arithmetic, double work, kernel_call *call,
                    void *arg) {
  char whole[256]; // kernel and shape
  (void)snprintf(whole, sizeof whole, "%s %s", name, shape);
  if (b->only != NULL && strstr(whole, b->only) == NULL) { return; }
  call(b, arg);
  for (int i = 0; i < b->repetitions; i++) {
    double start = seconds_now(b);
    call(b, arg);
    b->seconds[i] = seconds_now(b) - start;
  }
  qsort(b->seconds, (size_t)b->repetitions, sizeof *b->seconds, compare);
  double median = b->seconds[b->repetitions / 2], least = b->seconds[0];
  const bool half = b->precision == SST_PRECISION_BF16;
  double ceiling = !arithmetic ? b->ceiling.triad_gb_per_s : half ? b->ceiling.bf16_gflops : b->ceiling.f32_gflops;
  printf("{\"kernel\": \"%s\", \"shape\": \"%s\", \"median_seconds\": %.6g, \"min_seconds\": %.6g, \"%s\": %.4g, "
         "\"bound\": \"%s\", \"share\": %.3f, \"share_of_best\": %.3f}\n",
         name, shape, median, least, arithmetic ? "gflops" : "gb_per_second", work / median * 1e-9,
         arithmetic ? sst_precision_word(b->precision) : "triad", work / median * 1e-9 / ceiling,
         work / least * 1e-9 / ceiling);
  fflush(stdout);
}

static void require(bench *b, sst_status status) {
  if (status == SST_OK) { return; }
  fprintf(stderr, "bench_kernels: %s\n", sst_context_message(b->context));
  exit(1);
}

// ---- convolutions

typedef struct conv_case {
  ssti_conv2d shape;
  ssti_plan *plan;
  float *x, *w, *y, *dx, *dw;
  void *workspace, *saved;
} conv_case;

static void conv_forward(bench *b, void *arg) {
  conv_case *c = arg;
  b->backend->kernels.conv2d_forward(b->backend, &c->shape, c->plan, c->x, c->w, NULL, c->y, c->saved, c->workspace);
}

static void conv_data(bench *b, void *arg) {
  conv_case *c = arg;
  b->backend->kernels.conv2d_backward_data(b->backend, &c->shape, c->plan, c->y, c->w, c->dx, false, c->workspace);
}

static void conv_weights(bench *b, void *arg) {
  conv_case *c = arg;
  b->backend->kernels.conv2d_backward_weights(b->backend, &c->shape, c->plan, c->x, c->y, c->dw, false, NULL, false,
                                              c->saved, c->workspace);
}

static size_t workspace_of(const ssti_plan *plan) {
  if (plan == NULL) { return 64; }
  return plan->forward_workspace > plan->backward_workspace ? plan->forward_workspace : plan->backward_workspace;
}

// 1 for a share of `density`, else 0.
static float *spikes(int64_t count, double density) {
  float *x = filled(count);
  for (int64_t i = 0; i < count; i++) { x[i] = 0.5 * ((double)x[i] + 1.0) < density ? 1.0f : 0.0f; }
  return x;
}

// In place: the first half of the memory becomes bf16.
static void narrow(float *x, int64_t count) {
  ssti_bf16 *half = (ssti_bf16 *)(void *)x;
  for (int64_t i = 0; i < count; i++) {
    const ssti_bf16 rounded = ssti_bf16_of(x[i]);
    memcpy(half + i, &rounded, sizeof rounded);
  }
}

// `density` of spikes in the input; negative: numbers around zero.
static void bench_conv(bench *b, int64_t images, int64_t size, int64_t in, int64_t out, double density) {
  const bool half = b->precision == SST_PRECISION_BF16;
  const ssti_type type = half ? SSTI_BF16 : SSTI_F32; // as between layers of that precision
  const bool stem = in < 16;
  conv_case c = {.shape = ssti_conv2d_3x3(images, size, in, out)};
  c.shape.precision = b->precision;
  c.shape.in_type = c.shape.out_type = type;
  require(b, b->backend->kernels.conv2d_plan(b->backend, &c.shape, true, &c.plan));
  const int64_t pixels = images * size * size;
  c.x = density < 0 ? filled(pixels * in) : spikes(pixels * in, density);
  c.w = filled(out * 9 * in), c.y = filled(pixels * out);
  if (half) { narrow(c.x, pixels * in), narrow(c.y, pixels * out); }
  c.dx = filled(pixels * in), c.dw = filled(out * 9 * in), c.workspace = memory_of(workspace_of(c.plan));
  c.saved = memory_of(c.plan != NULL ? c.plan->saved : 0);
  char shape[96];
  int length = snprintf(shape, sizeof shape, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 " to %" PRId64 ", 3x3%s",
                        images, size, size, in, out, half ? ", bf16" : "");
  if (density >= 0) { snprintf(shape + length, sizeof shape - (size_t)length, ", %g %% spikes", 100 * density); }
  const double flops = 2.0 * 9.0 * (double)pixels * (double)in * (double)out;
  conv_forward(b, &c); // what it saves is read by gradients of weights, measured or not
  measure(b, "conv2d_forward", shape, true, flops, conv_forward, &c);
  if (!stem && density < 0) { measure(b, "conv2d_backward_data", shape, true, flops, conv_data, &c); }
  measure(b, "conv2d_backward_weights", shape, true, flops, conv_weights, &c);
  b->backend->kernels.plan_destroy(b->backend, c.plan);
  free(c.x), free(c.w), free(c.y), free(c.dx), free(c.dw), free(c.workspace), free(c.saved);
}

// The layers of a VGG-9.
static void bench_convs(bench *b) {
  for (int p = 0; p < SST_PRECISION_COUNT; p++) {
    if (b->backend->without[p] != NULL) { continue; }
    b->precision = (sst_precision)p;
    bench_conv(b, BATCH, 32, 3, 64, -1); // the stem is computed once for all steps
    bench_conv(b, IMAGES, 32, 64, 64, -1);
    bench_conv(b, IMAGES, 16, 64, 128, -1);
    bench_conv(b, IMAGES, 16, 128, 128, -1);
    bench_conv(b, IMAGES, 8, 128, 256, -1);
    bench_conv(b, IMAGES, 8, 256, 256, -1);
  }
  b->precision = SST_PRECISION_F32;
}

// From spikes whatever their density, to see where they are the faster way.
static void bench_events(bench *b, sst_device device) {
  static const double densities[] = {0.02, 0.05, 0.1, 0.15, 0.2, 0.3};
  ssti_backend *before = b->backend;
  sst_crossover always;
#define ALWAYS(name, value, meaning) always.name = 1;
  SST_CROSSOVER_LIST(ALWAYS)
#undef ALWAYS
  sst_context_set_crossover(b->context, always);
  require(b, ssti_backend_create(b->context, device, &b->backend));
  for (size_t i = 0; i < sizeof densities / sizeof *densities; i++) {
    for (int p = 0; p < SST_PRECISION_COUNT; p++) {
      if (b->backend->without[p] != NULL) { continue; }
      b->precision = (sst_precision)p;
      bench_conv(b, IMAGES, 32, 64, 64, densities[i]);
      bench_conv(b, IMAGES, 16, 128, 128, densities[i]);
      bench_conv(b, IMAGES, 8, 256, 256, densities[i]);
    }
    b->precision = SST_PRECISION_F32;
  }
  ssti_backend_destroy(b->backend);
  sst_context_set_crossover(b->context, sst_crossover_default());
  b->backend = before;
}

// ---- linear layers

typedef struct linear_case {
  ssti_linear shape;
  ssti_plan *plan;
  float *x, *w, *bias, *y, *dx, *dw;
  void *workspace, *saved;
} linear_case;

static void linear_forward(bench *b, void *arg) {
  linear_case *c = arg;
  b->backend->kernels.linear_forward(b->backend, &c->shape, c->plan, c->x, c->w, c->bias, c->y, c->saved, c->workspace);
}

static void linear_data(bench *b, void *arg) {
  linear_case *c = arg;
  b->backend->kernels.linear_backward_data(b->backend, &c->shape, c->plan, c->y, c->w, c->dx, false, c->workspace);
}

static void linear_weights(bench *b, void *arg) {
  linear_case *c = arg;
  b->backend->kernels.linear_backward_weights(b->backend, &c->shape, c->plan, c->x, c->y, c->dw, false, NULL, false,
                                              c->saved, c->workspace);
}

static void bench_linear(bench *b, int64_t rows, int64_t in, int64_t out) {
  linear_case c = {.shape = {.rows = rows, .in = in, .out = out}};
  require(b, b->backend->kernels.linear_plan(b->backend, &c.shape, true, &c.plan));
  c.x = filled(rows * in), c.w = filled(in * out), c.bias = filled(out), c.y = filled(rows * out);
  c.dx = filled(rows * in), c.dw = filled(in * out), c.workspace = memory_of(workspace_of(c.plan));
  c.saved = memory_of(c.plan != NULL ? c.plan->saved : 0);
  char shape[96];
  snprintf(shape, sizeof shape, "%" PRId64 "x%" PRId64 " to %" PRId64, rows, in, out);
  const double flops = 2.0 * (double)rows * (double)in * (double)out;
  measure(b, "linear_forward", shape, true, flops, linear_forward, &c);
  measure(b, "linear_backward_data", shape, true, flops, linear_data, &c);
  measure(b, "linear_backward_weights", shape, true, flops, linear_weights, &c);
  b->backend->kernels.plan_destroy(b->backend, c.plan);
  free(c.x), free(c.w), free(c.bias), free(c.y), free(c.dx), free(c.dw), free(c.workspace), free(c.saved);
}

// ---- what is bound by memory: bytes that must move at least once

typedef struct field_case {
  ssti_batch_norm norm;
  ssti_neuron_shape neuron;
  ssti_pool pool;
  float *x, *y, *dx, *vectors; // vectors: [6, channels]
  uint8_t *saved;
  void *workspace;
} field_case;

static void norm_forward(bench *b, void *arg) {
  field_case *c = arg;
  float *v = c->vectors;
  const int64_t n = c->norm.channels;
  b->backend->kernels.batch_norm_forward_training(b->backend, &c->norm, c->x, v, v + n, v + 2 * n, v + 3 * n, c->y,
                                                  v + 4 * n);
}

static void norm_backward(bench *b, void *arg) {
  field_case *c = arg;
  float *v = c->vectors;
  const int64_t n = c->norm.channels;
  b->backend->kernels.batch_norm_backward(b->backend, &c->norm, c->x, c->y, v, v + 4 * n, true, c->dx, false, v + n,
                                          false, v + 2 * n, false, c->workspace);
}

static void neuron_forward(bench *b, void *arg) {
  field_case *c = arg;
  b->backend->kernels.neuron_forward(b->backend, &c->neuron, c->x, NULL, c->y, NULL, c->workspace);
}

static void neuron_backward(bench *b, void *arg) {
  field_case *c = arg;
  b->backend->kernels.neuron_backward(b->backend, &c->neuron, c->x, NULL, c->y, NULL, c->dx, false, NULL, false,
                                      c->workspace);
}

// As the graph's fused step: batch norm and neurons, forward and then backward. `fused` counts what has to move when
// the tensor between them and its gradient are never written: x twice and the spikes; x and dspikes twice and dx.
static void fused_forward(bench *b, void *arg) {
  field_case *c = arg;
  const ssti_norm_neuron shape = {.norm = c->norm, .neuron = c->neuron};
  float *v = c->vectors;
  const int64_t n = c->norm.channels;
  b->backend->kernels.norm_neuron_statistics(b->backend, &shape.norm, c->x, v, v + n, v + 2 * n, v + 3 * n);
  b->backend->kernels.norm_neuron_forward(b->backend, &shape, c->x, v, v + 3 * n, NULL, c->y, NULL, c->workspace);
}

static void fused_backward(bench *b, void *arg) {
  field_case *c = arg;
  const ssti_norm_neuron shape = {.norm = c->norm, .neuron = c->neuron};
  float *v = c->vectors;
  const int64_t n = c->norm.channels;
  const ssti_norm_neuron_gradients out = {.dx = c->dx, .dgamma = v + n, .dbeta = v + 2 * n};
  b->backend->kernels.norm_neuron_backward(b->backend, &shape, c->x, v, v, v + 3 * n, true, NULL, c->y, NULL, &out,
                                           c->workspace);
}

static void fused_both(bench *b, void *arg) {
  fused_forward(b, arg);
  fused_backward(b, arg);
}

static void bench_fused(bench *b, int64_t size, int64_t channels, int input_steps, bool half) {
  const int64_t pixels = BATCH * size * size, count = pixels * channels;
  field_case c = {.norm = {.rows = input_steps * pixels,
                           .channels = channels,
                           .steps = input_steps,
                           .epsilon = 1e-5f,
                           .momentum = 0.1f,
                           .scale = 1.0f,
                           .in_type = half ? SSTI_BF16 : SSTI_F32},
                  .neuron = {.neuron = sst_neuron_default(),
                             .steps = STEPS,
                             .input_steps = input_steps,
                             .count = count,
                             .out_type = half ? SSTI_BF16 : SSTI_F32}};
  const ssti_norm_neuron fused = {.norm = c.norm, .neuron = c.neuron};
  c.x = filled(input_steps * count), c.y = filled(STEPS * count), c.dx = filled(input_steps * count);
  if (half) { narrow(c.x, input_steps * count), narrow(c.y, STEPS * count); }
  c.vectors = filled(6 * channels);
  c.workspace = memory_of(b->backend->kernels.norm_neuron_workspace(b->backend, &fused, true));
  char shape[96];
  snprintf(shape, sizeof shape, "%dx%dx%" PRId64 "x%" PRId64 "x%" PRId64 " to T = %d%s", input_steps, BATCH, size, size,
           channels, STEPS, half ? ", bf16" : "");
  const double element = (double)ssti_type_bytes(c.norm.in_type);
  const double x = element * (double)(input_steps * count), spikes = element * (double)(STEPS * count);
  measure(b, "norm_neuron_forward", shape, false, 2 * x + spikes, fused_forward, &c);
  measure(b, "norm_neuron_backward", shape, false, 3 * x + 2 * spikes, fused_backward, &c);
  measure(b, "norm_neuron_both", shape, false, 5 * x + 3 * spikes, fused_both, &c);
  free(c.x), free(c.y), free(c.dx), free(c.vectors), free(c.workspace);
}

static void pool_forward(bench *b, void *arg) {
  field_case *c = arg;
  b->backend->kernels.pool_forward(b->backend, &c->pool, NULL, c->x, c->y,
                                   c->pool.kind == SSTI_POOL_MAX ? c->saved : NULL, NULL);
}

static void pool_backward(bench *b, void *arg) {
  field_case *c = arg;
  b->backend->kernels.pool_backward(b->backend, &c->pool, NULL, c->y, c->pool.kind == SSTI_POOL_MAX ? c->saved : NULL,
                                    c->dx, false, NULL);
}

static void bench_field(bench *b, int64_t size, int64_t channels, bool with_pool) {
  const int64_t rows = IMAGES * size * size, count = rows * channels;
  field_case c = {
      .norm = {.rows = rows, .channels = channels, .steps = STEPS, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 1.0f},
      .neuron = {.neuron = sst_neuron_default(), .steps = STEPS, .input_steps = STEPS, .count = count / STEPS},
      .pool = {.images = IMAGES,
               .in_h = size,
               .in_w = size,
               .channels = channels,
               .out_h = size / 2,
               .out_w = size / 2,
               .kernel_h = 2,
               .kernel_w = 2,
               .stride_h = 2,
               .stride_w = 2}};
  c.x = filled(count), c.y = filled(count), c.dx = filled(count), c.vectors = filled(6 * channels);
  c.saved = memory_of((size_t)count),
  c.workspace = memory_of(b->backend->kernels.neuron_workspace(b->backend, &c.neuron, true) +
                          b->backend->kernels.batch_norm_workspace(b->backend, &c.norm));
  char shape[96];
  snprintf(shape, sizeof shape, "%dx%" PRId64 "x%" PRId64 "x%" PRId64, IMAGES, size, size, channels);
  const double bytes = 4.0 * (double)count;
  measure(b, "batch_norm_forward_training", shape, false, 3 * bytes, norm_forward, &c);
  measure(b, "batch_norm_backward", shape, false, 5 * bytes, norm_backward, &c);
  measure(b, "neuron_forward", shape, false, 2 * bytes, neuron_forward, &c);
  measure(b, "neuron_backward", shape, false, 3 * bytes, neuron_backward, &c);
  for (int kind = SSTI_POOL_AVERAGE; kind <= SSTI_POOL_MAX && with_pool; kind++) {
    c.pool.kind = (ssti_pool_kind)kind;
    const double moved = bytes * (kind == SSTI_POOL_MAX ? 1.3125 : 1.25);
    measure(b, kind == SSTI_POOL_MAX ? "max_pool_forward" : "average_pool_forward", shape, false, moved, pool_forward,
            &c);
    measure(b, kind == SSTI_POOL_MAX ? "max_pool_backward" : "average_pool_backward", shape, false, moved,
            pool_backward, &c);
  }
  free(c.x), free(c.y), free(c.dx), free(c.vectors), free(c.saved), free(c.workspace);
}

// ---- optimisers

typedef struct step_case {
  int64_t count;
  float *value, *gradient, *first, *second;
} step_case;

static const ssti_update update = {
    .learning_rate = 1e-3f, .gradient_scale = 1.0f, .correction1 = 0.65, .correction2 = 0.01};

static void sgd_step(bench *b, void *arg) {
  step_case *c = arg;
  b->backend->kernels.sgd_step(b->backend, c->count, c->value, c->gradient, c->first, &update, 0.9f, false, 5e-4f);
}

static void adamw_step(bench *b, void *arg) {
  step_case *c = arg;
  b->backend->kernels.adamw_step(b->backend, c->count, c->value, c->gradient, c->first, c->second, &update, 0.9f,
                                 0.999f, 1e-8f, 1e-2f);
}

static void sum_of_squares(bench *b, void *arg) {
  step_case *c = arg;
  (void)b->backend->kernels.sum_of_squares(b->backend, c->count, c->gradient);
}

static void bench_steps(bench *b) {
  step_case c = {.count = 5500000};
  c.value = filled(c.count), c.gradient = filled(c.count), c.first = filled(c.count), c.second = filled(c.count);
  for (int64_t i = 0; i < c.count; i++) { c.second[i] = c.second[i] * c.second[i]; }
  const double bytes = 4.0 * (double)c.count;
  measure(b, "sgd_step", "5500000", false, 5 * bytes, sgd_step, &c);
  measure(b, "adamw_step", "5500000", false, 7 * bytes, adamw_step, &c);
  measure(b, "sum_of_squares", "5500000", false, bytes, sum_of_squares, &c);
  free(c.value), free(c.gradient), free(c.first), free(c.second);
}

static int usage(void) {
  fprintf(stderr, "usage: bench_kernels [--device cpu|cpu-ref] [--threads N] [--repetitions N] [--only PART-OF-NAME] "
                  "[--clock wall|processor] [--convolution direct|winograd]\n");
  return 2;
}

int main(int argc, char **argv) {
  static bench b = {.repetitions = 15};
  sst_device device = SST_DEVICE_CPU;
  sst_context_options options = {0};
  sst_convolution convolution = SST_CONVOLUTION_DIRECT;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) { return usage(); }
    if (strcmp(argv[i], "--device") == 0 && sst_device_parse(argv[i + 1], &device)) { continue; }
    if (strcmp(argv[i], "--threads") == 0 && (options.threads = atoi(argv[i + 1])) > 0) { continue; }
    if (strcmp(argv[i], "--repetitions") == 0 && (b.repetitions = atoi(argv[i + 1])) > 0 &&
        b.repetitions <= REPETITIONS_MAX) {
      continue;
    }
    if (strcmp(argv[i], "--clock") == 0) {
      b.processor_time = strcmp(argv[i + 1], "processor") == 0;
      continue;
    }
    if (strcmp(argv[i], "--convolution") == 0) {
      convolution = strcmp(argv[i + 1], "winograd") == 0 ? SST_CONVOLUTION_WINOGRAD : SST_CONVOLUTION_DIRECT;
      continue;
    }
    if (strcmp(argv[i], "--only") != 0) { return usage(); }
    b.only = argv[i + 1];
  }
  if (sst_context_create(&options, &b.context) != SST_OK) { return usage(); }
  sst_context_set_convolution(b.context, convolution);
  require(&b, ssti_backend_create(b.context, device, &b.backend));
  require(&b, sst_measure_ceiling(b.context, &b.ceiling));
  printf("{\"device\": \"%s\", \"threads\": %d, \"simd_level\": \"%s\", \"ceiling_f32_gflops\": %.4g, "
         "\"ceiling_bf16_gflops\": %.4g, "
         "\"ceiling_triad_gb_per_second\": %.4g, \"ceiling_copy_gb_per_second\": %.4g}\n",
         sst_device_word(device), b.ceiling.threads, b.ceiling.simd_level, b.ceiling.f32_gflops, b.ceiling.bf16_gflops,
         b.ceiling.triad_gb_per_s, b.ceiling.copy_gb_per_s);
  bench_convs(&b);
  bench_events(&b, device);
  bench_linear(&b, BATCH, 784, 800);
  bench_linear(&b, 2 * BATCH, 784, 800);
  bench_linear(&b, IMAGES, 512, 512);
  bench_linear(&b, IMAGES, 4096, 1024);
  bench_linear(&b, IMAGES, 1024, 10);
  bench_field(&b, 32, 64, true);
  bench_field(&b, 16, 128, true);
  bench_field(&b, 8, 256, true);
  for (int half = 0; half <= (b.backend->without[SST_PRECISION_BF16] == NULL); half++) {
    bench_fused(&b, 32, 64, 1, half);
    bench_fused(&b, 32, 64, STEPS, half);
    bench_fused(&b, 16, 128, STEPS, half);
    bench_fused(&b, 8, 256, STEPS, half);
  }
  bench_steps(&b);
  ssti_backend_destroy(b.backend);
  sst_context_destroy(b.context);
  return 0;
}
