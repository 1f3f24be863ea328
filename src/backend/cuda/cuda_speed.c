// SPDX-License-Identifier: Apache-2.0
// What the card can do at most, and its neuron kernels beside that, for `spikestill bench --device cuda`
// (spikestill/bench.h). Times are the card's own, between two events of its stream. Numbers are normal: some cards
// multiply zeros faster.

#include "backend/cuda/cuda_products.h"
#include "backend/norm_neuron_run.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "spikestill/bench.h"

static const char measuring[] = "a measurement";

// Gives the card the work once.
typedef void given_work(ssti_backend *backend, const void *what);

static sst_status time_between(ssti_backend *backend, given_work *work, const void *what, cudaEvent_t begin,
                               cudaEvent_t end, int repetitions, double *seconds) {
  const cudaStream_t stream = ssti_cuda_stream(backend);
  for (int i = -1; i < repetitions; i++) { // one to warm up
    ssti_cuda_check(backend, cudaEventRecord(begin, stream), measuring);
    work(backend, what);
    ssti_cuda_check(backend, cudaEventRecord(end, stream), measuring);
    SST_TRY(ssti_backend_wait(backend));
    float milliseconds = 0;
    ssti_cuda_check(backend, cudaEventElapsedTime(&milliseconds, begin, end), measuring);
    if (i >= 0) { seconds[i] = (double)milliseconds * 1e-3; }
  }
  ssti_sort_seconds(repetitions, seconds);
  return ssti_cuda_failure(backend);
}

// Seconds of the fastest and of the middle run.
static sst_status time_work(ssti_backend *backend, given_work *work, const void *what, int repetitions, double *least,
                            double *middle) {
  cudaEvent_t events[2] = {NULL, NULL};
  double *seconds = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(backend->context, (size_t)repetitions, sizeof *seconds, &seconds));
  for (int i = 0; i < 2; i++) {
    ssti_cuda_check(backend, cudaEventCreateWithFlags(&events[i], cudaEventDefault), measuring);
  }
  SST_TRY_GOTO(ssti_cuda_failure(backend));
  SST_TRY_GOTO(time_between(backend, work, what, events[0], events[1], repetitions, seconds));
  *least = seconds[0];
  *middle = seconds[repetitions / 2];
done:
  for (int i = 0; i < 2; i++) {
    if (events[i] != NULL) { (void)cudaEventDestroy(events[i]); }
  }
  ssti_free(backend->context, seconds);
  return status;
}

// Normal random numbers, made by the card.
static void fill_normal(ssti_backend *backend, int64_t count, const char *name, float *x) {
  backend->kernels.fill(backend, count, 0.0f, x);
  backend->kernels.noise(backend, count, 1.0f, 1, ssti_random_stream(name), 0, x, x);
}

// ---- the ceilings

typedef struct square_work {
  int64_t side;
  float *a, *b, *c;
  // The product under way: bf16 matrices lie in the halves of c, and a is the result.
  const ssti_cuda_layer *layer;
  void *operands[SSTI_CUDA_OPERANDS];
  void *workspace;
} square_work;

static void copy_square(ssti_backend *backend, const void *what) {
  const square_work *w = what;
  const size_t bytes = (size_t)(w->side * w->side) * sizeof(float);
  ssti_cuda_check(backend, cudaMemcpyAsync(w->c, w->a, bytes, cudaMemcpyDeviceToDevice, ssti_cuda_stream(backend)),
                  measuring);
}

static void multiply_squares(ssti_backend *backend, const void *what) {
  const square_work *w = what;
  w->layer->library->multiply(backend, w->layer, SSTI_CUDA_FORWARD, w->operands, false, w->workspace);
}

// The library's product alone: weights of layers would be rounded each time.
static sst_status time_product(ssti_backend *backend, square_work *w, int repetitions, double *gflops) {
  const size_t workspace = w->layer->passes[SSTI_CUDA_FORWARD].library_bytes;
  w->workspace = NULL;
  if (workspace > 0) { SST_TRY(ssti_allocate_in(backend->context, backend->space, workspace, &w->workspace)); }
  double least = 0, middle = 0;
  const sst_status status = time_work(backend, multiply_squares, w, repetitions, &least, &middle);
  (void)ssti_backend_wait(backend);
  ssti_free(backend->context, w->workspace);
  const double side = (double)w->side;
  *gflops = status == SST_OK ? 2.0 * side * side * side / least * 1e-9 : 0;
  return status;
}

static sst_status measure_products(ssti_backend *backend, square_work *w, sst_precision precision, int repetitions,
                                   double *gflops) {
  const bool is_bf16 = precision == SST_PRECISION_BF16;
  const ssti_type type = is_bf16 ? SSTI_BF16 : SSTI_F32;
  const ssti_linear shape = {
      .rows = w->side, .in = w->side, .out = w->side, .precision = precision, .in_type = type, .out_type = type};
  void *x = w->a, *weight = w->b, *y = w->c;
  if (is_bf16) {
    const int64_t count = w->side * w->side;
    x = w->c, weight = (ssti_bf16 *)(void *)w->c + count, y = w->a;
    ssti_cuda_convert(backend, count, w->a, SSTI_F32, x, SSTI_BF16, false, false);
    ssti_cuda_convert(backend, count, w->b, SSTI_F32, weight, SSTI_BF16, false, false);
  }
  ssti_plan *plan = NULL;
  SST_TRY(backend->kernels.linear_plan(backend, &shape, false, &plan));
  w->layer = (const ssti_cuda_layer *)(void *)plan;
  w->operands[SSTI_CUDA_X] = x, w->operands[SSTI_CUDA_W] = weight, w->operands[SSTI_CUDA_Y] = y;
  const sst_status status = time_product(backend, w, repetitions, gflops);
  backend->kernels.plan_destroy(backend, plan);
  return status;
}

static sst_status measure_squares(ssti_backend *backend, square_work *w, int repetitions, sst_card_ceiling *out) {
  const int64_t count = w->side * w->side;
  const size_t bytes = (size_t)count * sizeof(float);
  float **const squares[] = {&w->a, &w->b, &w->c};
  for (int i = 0; i < 3; i++) { SST_TRY(ssti_allocate_in(backend->context, backend->space, bytes, squares[i])); }
  backend->kernels.begin_run(backend, 1, 0);
  double least = 0, middle = 0;
  fill_normal(backend, count, "bench a", w->a);
  SST_TRY(time_work(backend, copy_square, w, repetitions, &least, &middle));
  out->copy_gb_per_s = 2.0 * (double)bytes / least * 1e-9;
  for (int i = 0; i < SST_PRECISION_COUNT; i++) {
    if (backend->without[i] != NULL) { continue; }
    fill_normal(backend, count, "bench a", w->a);
    fill_normal(backend, count, "bench b", w->b);
    SST_TRY(measure_products(backend, w, (sst_precision)i, repetitions, &out->gflops[i]));
  }
  return SST_OK;
}

sst_status sst_measure_card(sst_context *context, int64_t side, int repetitions, sst_card_ceiling *out) {
  enum { MOST_SIDE = 1 << 15 };
  *out = (sst_card_ceiling){0};
  if (side < 1 || side > MOST_SIDE || repetitions < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "side is %lld and repetitions are %d, expected 1 to %d and at least 1",
             (long long)side, repetitions, MOST_SIDE);
  }
  ssti_backend *backend = NULL;
  SST_TRY(ssti_backend_create(context, SST_DEVICE_CUDA, &backend));
  square_work w = {.side = side};
  const sst_status status = measure_squares(backend, &w, repetitions, out);
  (void)ssti_backend_wait(backend);
  ssti_free(context, w.a);
  ssti_free(context, w.b);
  ssti_free(context, w.c);
  ssti_backend_destroy(backend);
  return status;
}

// ---- neurons

static void run_neurons(ssti_backend *backend, const void *what) {
  const ssti_norm_neuron_run *r = what;
  const ssti_neuron_shape *shape = &r->shape.neuron;
  backend->kernels.neuron_forward(backend, shape, r->x, NULL, r->spikes, NULL, r->workspace);
  backend->kernels.neuron_backward(backend, shape, r->x, NULL, r->dspikes, NULL, r->dx, false, NULL, false,
                                   r->workspace);
}

static void run_fused(ssti_backend *backend, const void *what) { ssti_norm_neuron_run_pass(backend, what); }

// Normal numbers of either type; `wide` is room for as many of f32.
static void fill_typed(ssti_backend *backend, int64_t count, const char *name, ssti_type type, float *wide, float *x) {
  fill_normal(backend, count, name, wide);
  ssti_cuda_convert(backend, count, wide, SSTI_F32, x, type, false, false);
}

// `wide`: what numbers are made in.
static sst_status measure_neurons(ssti_backend *backend, ssti_norm_neuron_run *r, float **wide, bool norm,
                                  int repetitions, sst_card_speed *out) {
  enum { ALONE_MOVED = 5, FUSED_MOVED = 8 };
  const ssti_type type = r->shape.norm.in_type;
  const int64_t count = r->shape.norm.rows * r->shape.norm.channels;
  const size_t bytes = (size_t)count * ssti_type_bytes(type);
  const size_t vectors = (size_t)ssti_norm_neuron_run_vectors(&r->shape) * sizeof(float);
  const size_t workspace = norm ? ssti_norm_neuron_run_workspace(backend, &r->shape)
                                : backend->kernels.neuron_workspace(backend, &r->shape.neuron, true);
  float **const tensors[] = {&r->x, &r->spikes, &r->dspikes, &r->dx};
  for (int i = 0; i < 4; i++) { SST_TRY(ssti_allocate_in(backend->context, backend->space, bytes, tensors[i])); }
  SST_TRY(ssti_allocate_in(backend->context, backend->space, (size_t)count * sizeof(float), wide));
  SST_TRY(ssti_allocate_in(backend->context, backend->space, vectors, &r->vectors));
  if (workspace > 0) { SST_TRY(ssti_allocate_in(backend->context, backend->space, workspace, &r->workspace)); }
  backend->kernels.begin_run(backend, 1, 0);
  fill_typed(backend, count, "bench x", type, *wide, r->x);
  fill_typed(backend, count, "bench gradient", type, *wide, r->dspikes);
  ssti_norm_neuron_run_begin(backend, r);
  double least = 0;
  SST_TRY(time_work(backend, norm ? run_fused : run_neurons, r, repetitions, &least, &out->seconds));
  out->bytes = (norm ? FUSED_MOVED : ALONE_MOVED) * (double)bytes;
  return SST_OK;
}

// The number of elements, or 0 where there are none or more than kernels count.
static int64_t count_of(const sst_neuron_work *work) {
  const int64_t factors[] = {work->steps, work->batch, work->size, work->size, work->channels};
  int64_t count = 1;
  for (int i = 0; i < 5; i++) {
    if (factors[i] < 1 || factors[i] > INT32_MAX / count) { return 0; }
    count *= factors[i];
  }
  return count;
}

sst_status sst_measure_card_neuron(sst_context *context, const sst_neuron_work *work, int repetitions,
                                   sst_card_speed *out) {
  *out = (sst_card_speed){0};
  const int64_t count = count_of(work);
  if (count == 0 || repetitions < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "neurons of [%lld,%lld,%lld,%lld,%lld], %d times: expected numbers above 0, and fewer than 2^31 elements",
             (long long)work->steps, (long long)work->batch, (long long)work->size, (long long)work->size,
             (long long)work->channels, repetitions);
  }
  ssti_backend *backend = NULL;
  SST_TRY(ssti_backend_create(context, SST_DEVICE_CUDA, &backend));
  const ssti_type type = work->bf16 ? SSTI_BF16 : SSTI_F32;
  ssti_norm_neuron_run r = {
      .shape = ssti_norm_neuron_run_shape(work->steps, count / work->steps / work->channels, work->channels, type)};
  float *wide = NULL;
  sst_status status = ssti_backend_check_precision(backend, work->bf16 ? SST_PRECISION_BF16 : SST_PRECISION_F32);
  if (status == SST_OK) { status = measure_neurons(backend, &r, &wide, work->norm, repetitions, out); }
  (void)ssti_backend_wait(backend);
  ssti_free(context, r.workspace);
  ssti_free(context, r.vectors);
  ssti_free(context, wide);
  ssti_free(context, r.x);
  ssti_free(context, r.spikes);
  ssti_free(context, r.dspikes);
  ssti_free(context, r.dx);
  ssti_backend_destroy(backend);
  return status;
}
