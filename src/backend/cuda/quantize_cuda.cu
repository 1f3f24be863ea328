// SPDX-License-Identifier: Apache-2.0
// Weight quantisers, fixed point of norms, and y = factor * x + offset. The reference has the formulas. A block has a
// row of weights, then a group of rows; sums are in double.
#include "backend/cuda/cuda_reduce.h"
#include "quantize/grid.h"

namespace {

struct weights {
  int64_t rows, columns, groups;
  bool ternary;
  float largest, gradient_limit; // largest: the code
  double *sums, *counts;         // [rows], in the workspace
  float *delta;                  // [groups]
};

weights weights_of(const ssti_weight_shape *shape, void *workspace) {
  const sst_weight_quantizer &q = shape->quantizer;
  weights w = {};
  w.rows = shape->rows, w.columns = shape->columns, w.groups = q.per_channel ? shape->rows : 1;
  w.ternary = q.kind == SST_WEIGHT_QUANTIZER_TERNARY;
  w.largest = w.ternary ? 1.0f : ssti_largest_code(q.bits); // ternary codes end at 1, and then `bits` says nothing
  w.gradient_limit = q.gradient_limit;
  w.sums = static_cast<double *>(workspace);
  w.counts = w.sums + w.rows;
  w.delta = reinterpret_cast<float *>(w.counts + w.rows);
  return w;
}

size_t workspace_bytes(const ssti_weight_shape *shape) {
  return (size_t)shape->rows * (2 * sizeof(double) + sizeof(float));
}

__device__ int64_t group_of(const weights &w, int64_t row) { return w.groups > 1 ? row : 0; }

dim3 a_block_each(int64_t count) { return dim3((unsigned)(count < 65535 ? count : 65535)); }

// Sums of a row of term(row, weight, &count).
template <typename Term> __global__ void __launch_bounds__(256) row_kernel(weights w, const float *weight, Term term) {
  for (int64_t row = blockIdx.x; row < w.rows; row += gridDim.x) {
    double sum = 0.0, count = 0.0;
    for (int64_t i = threadIdx.x; i < w.columns; i += ssti_block_threads) {
      sum += term(row, row * w.columns + i, weight[row * w.columns + i], count);
    }
    sum = ssti_block_sum(sum);
    count = ssti_block_sum(count);
    if (threadIdx.x == 0) {
      w.sums[row] = sum;
      w.counts[row] = count;
    }
  }
}

// finish(group, sum, count) with the sums of the group's rows.
template <typename Finish> __global__ void __launch_bounds__(256) group_kernel(weights w, Finish finish) {
  const int64_t rows = w.rows / w.groups;
  for (int64_t group = blockIdx.x; group < w.groups; group += gridDim.x) {
    double sum = 0.0, count = 0.0;
    for (int64_t i = threadIdx.x; i < rows; i += ssti_block_threads) {
      sum += w.sums[group * rows + i];
      count += w.counts[group * rows + i];
    }
    sum = ssti_block_sum(sum);
    count = ssti_block_sum(count);
    if (threadIdx.x == 0) { finish(group, sum, count); }
  }
}

template <typename Term, typename Finish>
void sum_groups(ssti_backend *backend, const weights &w, const float *weight, const Term &term, const Finish &finish) {
  const dim3 threads(ssti_block_threads);
  ssti_launch(backend, row_kernel<Term>, a_block_each(w.rows), threads, w, weight, term);
  ssti_launch(backend, group_kernel<Finish>, a_block_each(w.groups), threads, w, finish);
}

__device__ float mean_of(double sum, double count) { return count > 0.0 ? (float)(sum / count) : 0.0f; }
__device__ float usable(float scale) { return scale > 0.0f ? scale : 1.0f; }

void quantize_forward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight, const float *step,
                      float *codes, float *scale, void *workspace) {
  const weights w = weights_of(shape, workspace);
  const auto size = [=] __device__(int64_t, int64_t, float x, double &count) {
    count += 1.0;
    return fabs((double)x);
  };
  if (w.ternary) {
    const double ternary_share = 0.7; // Delta = 0.7 * mean|W| (arXiv 1605.04711, equation 6)
    sum_groups(backend, w, weight, size, [=] __device__(int64_t group, double sum, double count) {
      w.delta[group] = (float)(ternary_share * (double)mean_of(sum, count));
    });
    const auto large = [=] __device__(int64_t row, int64_t, float x, double &count) {
      const bool is_large = fabsf(x) > w.delta[group_of(w, row)];
      count += is_large ? 1.0 : 0.0;
      return is_large ? fabs((double)x) : 0.0;
    };
    sum_groups(backend, w, weight, large,
               [=] __device__(int64_t group, double sum, double count) { scale[group] = usable(mean_of(sum, count)); });
  } else {
    const double root = sqrt((double)w.largest);
    sum_groups(backend, w, weight, size, [=] __device__(int64_t group, double sum, double count) {
      const float given = step[group];
      scale[group] = usable(given > 0.0f ? given : (float)(2.0 * (double)mean_of(sum, count) / root));
    });
  }
  ssti_for_each(backend, w.rows * w.columns, [=] __device__(int64_t i) {
    const int64_t group = group_of(w, i / w.columns);
    if (w.ternary) {
      const float delta = w.delta[group];
      codes[i] = (float)(weight[i] > delta) - (float)(weight[i] < -delta);
    } else {
      codes[i] = ssti_code(weight[i] / scale[group], w.largest);
    }
  });
}

void quantize_backward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight, const float *scale,
                       const float *dcodes, float *dweight, bool accumulate_weight, float *dstep, bool accumulate_step,
                       void *workspace) {
  const weights w = weights_of(shape, workspace);
  const auto term = [=] __device__(int64_t row, int64_t i, float x, double &) {
    const float s = scale[group_of(w, row)];
    const float limit = !w.ternary ? w.largest : w.gradient_limit > 0.0f ? w.gradient_limit / s : INFINITY;
    const float steps = x / s, dquantized = dcodes[i] / s;
    const bool inside = fabsf(steps) <= limit;
    if (dweight != nullptr) { ssti_put(dweight + i, inside ? dquantized : 0.0f, accumulate_weight); }
    const float code = w.ternary ? 0.0f : ssti_code(steps, w.largest);
    return (double)dquantized * (double)(inside ? code - steps : code);
  };
  ssti_launch(backend, row_kernel<decltype(term)>, a_block_each(w.rows), dim3(ssti_block_threads), w, weight, term);
  if (dstep == nullptr) { return; }
  const double elements = (double)(w.rows / w.groups * w.columns),
               largest = (double)ssti_largest_code(shape->quantizer.bits);
  const double share = 1.0 / sqrt(elements * largest);
  const auto finish = [=] __device__(int64_t group, double sum, double) {
    dstep[group] = (float)((accumulate_step ? (double)dstep[group] : 0.0) + share * sum);
  };
  ssti_launch(backend, group_kernel<decltype(finish)>, a_block_each(w.groups), dim3(ssti_block_threads), w, finish);
}

// ---- fixed point: one block, because all channels share a step

__device__ float block_largest(float value) {
  __shared__ float shared[ssti_block_threads];
  shared[threadIdx.x] = value;
  for (int half = ssti_block_threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half) { shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]); }
  }
  __syncthreads();
  const float largest = shared[0];
  __syncthreads(); // before the next call writes
  return largest;
}

__device__ float largest_size(int64_t count, const float *x) {
  float largest = 0.0f;
  for (int64_t i = threadIdx.x; i < count; i += ssti_block_threads) { largest = fmaxf(largest, fabsf(x[i])); }
  return block_largest(largest);
}

// `mean` may be NULL. The offset follows the rounded factor.
__device__ void fold_norm(int64_t channels, int bits, float *factor, const float *mean, float *offset) {
  const float step = ssti_step_for(largest_size(channels, factor), bits);
  for (int64_t c = threadIdx.x; c < channels; c += ssti_block_threads) {
    factor[c] = ssti_round_half_up(factor[c] / step) * step;
    if (mean != nullptr) { offset[c] = (float)((double)offset[c] - (double)mean[c] * (double)factor[c]); }
  }
  const float offset_step = fmaxf(ssti_step_for(largest_size(channels, offset), bits), step);
  for (int64_t c = threadIdx.x; c < channels; c += ssti_block_threads) {
    offset[c] = ssti_round_half_up(offset[c] / offset_step) * offset_step;
  }
}

__global__ void __launch_bounds__(256) fixed_point_kernel(int64_t channels, int bits, float *factor, float *offset) {
  fold_norm(channels, bits, factor, nullptr, offset);
}

void fixed_point(ssti_backend *backend, int64_t channels, int bits, float *factor, float *offset) {
  ssti_launch(backend, fixed_point_kernel, dim3(1), dim3(ssti_block_threads), channels, bits, factor, offset);
}

__global__ void __launch_bounds__(256)
    norm_fixed_point_kernel(ssti_batch_norm s, int bits, const float *gamma, const float *beta, float *saved) {
  const float *mean = saved, *inverse = mean + s.channels;
  float *factor = saved + 2 * s.channels, *offset = factor + s.channels, *change = offset + s.channels;
  for (int64_t c = threadIdx.x; c < s.channels; c += ssti_block_threads) {
    factor[c] = (float)((double)s.scale * (double)gamma[c] * (double)inverse[c]);
    change[c] = factor[c];
    offset[c] = beta[c];
  }
  fold_norm(s.channels, bits, factor, mean, offset); // a thread has the same channels throughout
  for (int64_t c = threadIdx.x; c < s.channels; c += ssti_block_threads) { change[c] = factor[c] - change[c]; }
}

void norm_fixed_point(ssti_backend *backend, const ssti_batch_norm *shape, int bits, const float *gamma,
                      const float *beta, float *saved) {
  ssti_launch(backend, norm_fixed_point_kernel, dim3(1), dim3(ssti_block_threads), *shape, bits, gamma, beta, saved);
}

// 8 bytes an element, 12 where it is added.
void channel_affine(ssti_backend *backend, int64_t rows, int64_t channels, const float *x, const float *factor,
                    const float *offset, float *y, bool accumulate) {
  ssti_map(
      backend, rows * channels, y, accumulate,
      [=] __device__(int64_t i, float in) {
        const int64_t c = i % channels;
        return in * factor[c] + (offset != nullptr ? offset[c] : 0.0f);
      },
      x);
}

} // namespace

void ssti_cuda_fill_quantize(ssti_kernels *kernels) {
  kernels->quantize_weights_forward = quantize_forward;
  kernels->quantize_weights_backward = quantize_backward;
  kernels->quantize_workspace = workspace_bytes;
  kernels->fixed_point = fixed_point;
  kernels->norm_fixed_point = norm_fixed_point;
  kernels->channel_affine = channel_affine;
}
