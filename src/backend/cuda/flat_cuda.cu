// SPDX-License-Identifier: Apache-2.0
// Slots over flat blocks: optimiser steps, the gradient's norm, dropout and noise. What changes from step to step comes
// from the cells, where begin_run and begin_update put it in stream order.
#include "backend/cuda/cuda_reduce.h"
#include "base/random.h"

namespace {

__global__ void set_run_kernel(ssti_cuda_cells *cells, uint64_t seed, uint64_t step) {
  cells->seed = seed;
  cells->step = step;
}

void begin_run(ssti_backend *backend, uint64_t seed, uint64_t step) {
  ssti_launch(backend, set_run_kernel, dim3(1), dim3(1), ssti_cuda_cells_of(backend), seed, step);
}

__global__ void set_update_kernel(ssti_cuda_cells *cells, ssti_update update) {
  cells->learning_rate = update.learning_rate;
  cells->gradient_scale = update.gradient_scale;
  cells->correction1 = update.correction1;
  cells->correction2 = update.correction2;
  cells->norm = update.norm;
}

void begin_update(ssti_backend *backend, const ssti_update *update) {
  ssti_launch(backend, set_update_kernel, dim3(1), dim3(1), ssti_cuda_cells_of(backend), *update);
}

// ---- sums of squares: 4 bytes an element

constexpr int square_blocks = 1024;

// Sums of each block, in double.
__global__ void __launch_bounds__(256) squares_kernel(int64_t count, const float *x, double *sums) {
  double sum = 0.0;
  for (int64_t i = ssti_thread_index(); i < count; i += ssti_thread_count()) { sum += (double)x[i] * (double)x[i]; }
  sum = ssti_block_sum(sum);
  if (threadIdx.x == 0) { sums[blockIdx.x] = sum; }
}

__device__ double sum_of_blocks(const double *sums) {
  double sum = 0.0;
  for (int i = (int)threadIdx.x; i < square_blocks; i += ssti_block_threads) { sum += sums[i]; }
  return ssti_block_sum(sum);
}

__global__ void __launch_bounds__(256) squares_total_kernel(double *sums) {
  const double sum = sum_of_blocks(sums);
  if (threadIdx.x == 0) { sums[0] = sum; }
}

__global__ void __launch_bounds__(256) clip_kernel(const double *sums, double clip_norm, ssti_cuda_cells *cells) {
  const double norm = sqrt(sum_of_blocks(sums)), factor = clip_norm / (norm + 1e-6);
  if (threadIdx.x == 0) {
    cells->norm = norm;
    cells->gradient_scale = factor < 1.0 ? (float)factor : 1.0f;
  }
}

// The number of blocks is fixed, so the order of additions is that of `count` alone.
double *block_sums_of_squares(ssti_backend *backend, int64_t count, const float *x) {
  double *sums = static_cast<double *>(ssti_cuda_scratch(backend, square_blocks * sizeof(double)));
  ssti_launch(backend, squares_kernel, dim3(square_blocks), dim3(ssti_block_threads), count, x, sums);
  return sums;
}

// Waits for the device: not for what is done every step.
double sum_of_squares(ssti_backend *backend, int64_t count, const float *x) {
  double *sums = block_sums_of_squares(backend, count, x), sum = 0.0;
  ssti_launch(backend, squares_total_kernel, dim3(1), dim3(ssti_block_threads), sums);
  const cudaStream_t stream = ssti_cuda_stream(backend);
  ssti_cuda_check(backend, cudaMemcpyAsync(&sum, sums, sizeof sum, cudaMemcpyDeviceToHost, stream), "copying a sum");
  ssti_cuda_check(backend, cudaStreamSynchronize(stream), "waiting for a sum");
  return sum;
}

void clip_gradient(ssti_backend *backend, int64_t count, const float *gradient, float clip_norm, ssti_update *) {
  const double *sums = block_sums_of_squares(backend, count, gradient);
  ssti_launch(backend, clip_kernel, dim3(1), dim3(ssti_block_threads), sums, (double)clip_norm,
              ssti_cuda_cells_of(backend));
}

// ---- optimisers

// 20 bytes a parameter with momentum: value and velocity both ways, and the gradient.
void sgd_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *velocity,
              const ssti_update *, float momentum, bool nesterov, float weight_decay) {
  assert(momentum == 0.0f || velocity != nullptr);
  const ssti_cuda_cells *cells = ssti_cuda_cells_of(backend);
  ssti_for_each(backend, count, [=] __device__(int64_t i) {
    float step = cells->gradient_scale * gradient[i] + weight_decay * value[i];
    if (momentum != 0.0f) {
      const float v = momentum * velocity[i] + step;
      velocity[i] = v;
      step = nesterov ? step + momentum * v : v;
    }
    value[i] -= cells->learning_rate * step;
  });
}

// 28 bytes a parameter.
void adamw_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *first, float *second,
                const ssti_update *, float beta1, float beta2, float epsilon, float weight_decay) {
  const ssti_cuda_cells *cells = ssti_cuda_cells_of(backend);
  ssti_for_each(backend, count, [=] __device__(int64_t i) {
    const double rate = (double)cells->learning_rate;
    const float keep = (float)(1.0 - rate * (double)weight_decay), step_size = (float)(rate / cells->correction1);
    const float second_scale = (float)(1.0 / sqrt(cells->correction2));
    const float g = cells->gradient_scale * gradient[i];
    const float m = beta1 * first[i] + (1.0f - beta1) * g, v = beta2 * second[i] + (1.0f - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    value[i] = keep * value[i] - step_size * m / (sqrtf(v) * second_scale + epsilon);
  });
}

// ---- random numbers

void dropout(ssti_backend *backend, int64_t count, float rate, uint64_t, uint64_t stream, uint64_t, const float *x,
             float *y, bool accumulate) {
  assert(rate >= 0.0f && rate < 1.0f);
  const float factor = 1.0f / (1.0f - rate);
  const ssti_cuda_cells *cells = ssti_cuda_cells_of(backend);
  ssti_map(
      backend, count, y, accumulate,
      [=] __device__(int64_t i, float in) {
        const uint64_t of_step = ssti_random_stream_with(stream, cells->step);
        return ssti_random_uniform(cells->seed, of_step, (uint64_t)i) >= rate ? in * factor : 0.0f;
      },
      x);
}

void noise(ssti_backend *backend, int64_t count, float deviation, uint64_t, uint64_t stream, uint64_t, const float *x,
           float *y) {
  const ssti_cuda_cells *cells = ssti_cuda_cells_of(backend);
  ssti_map(
      backend, count, y, false,
      [=] __device__(int64_t i, float in) {
        const uint64_t of_step = ssti_random_stream_with(stream, cells->step);
        return in + deviation * ssti_random_normal(cells->seed, of_step, (uint64_t)i);
      },
      x);
}

} // namespace

void ssti_cuda_fill_flat(ssti_kernels *kernels) {
  kernels->begin_run = begin_run;
  kernels->begin_update = begin_update;
  kernels->clip_gradient = clip_gradient;
  kernels->sgd_step = sgd_step;
  kernels->adamw_step = adamw_step;
  kernels->sum_of_squares = sum_of_squares;
  kernels->dropout = dropout;
  kernels->noise = noise;
}
