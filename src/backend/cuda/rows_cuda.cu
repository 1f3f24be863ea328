// SPDX-License-Identifier: Apache-2.0
// Slots that work on rows of classes: softmax, losses, the mask of the head. A warp has a row, its lanes every 32nd
// class; eight rows a block. Sums are in double: lane by lane, then over the lanes.
#include "backend/cuda/cuda_reduce.h"

namespace {

constexpr int rows_a_block = 8;

// A lane's view of its row.
struct lane_of_row {
  int64_t row;
  int lane;
};
__device__ lane_of_row my_lane() {
  return {(int64_t)blockIdx.x * rows_a_block + threadIdx.x / 32, (int)(threadIdx.x % 32)};
}

// f(row, lane): every lane of a warp has the same row.
template <typename F> __global__ void __launch_bounds__(256) rows_kernel(int64_t rows, F f) {
  lane_of_row at = my_lane();
  for (; at.row < rows; at.row += (int64_t)gridDim.x * rows_a_block) { f(at.row, at.lane); }
}

template <typename F> void for_each_row(ssti_backend *backend, int64_t rows, const F &f) {
  if (rows <= 0) { return; }
  ssti_launch(backend, rows_kernel<F>, dim3((unsigned)ssti_blocks_for(rows, rows_a_block)), dim3(rows_a_block * 32),
              rows, f);
}

__device__ float warp_largest(float value) {
  for (int distance = 16; distance > 0; distance /= 2) {
    value = ssti_larger(value, __shfl_xor_sync(ssti_all_lanes, value, distance));
  }
  return value;
}

// As the reference finds it: NaN only where it comes first.
__device__ float row_largest(const float *x, int64_t channels, int lane) {
  float largest = -INFINITY;
  for (int64_t i = lane; i < channels; i += 32) { largest = x[i] > largest ? x[i] : largest; }
  largest = warp_largest(largest);
  return x[0] != x[0] ? x[0] : largest;
}

// ---- softmax: 12 bytes an element and class forward, once more from the cache

void softmax_forward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log_wanted,
                     const float *x_rows, float *y_rows) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *x = x_rows + row * channels;
    float *y = y_rows + row * channels;
    const float largest = row_largest(x, channels, lane);
    double sum = 0.0;
    for (int64_t i = lane; i < channels; i += 32) { sum += (double)expf((x[i] - largest) / temperature); }
    sum = ssti_warp_sum(sum);
    const float shift = (float)log(sum);
    for (int64_t i = lane; i < channels; i += 32) {
      const float z = (x[i] - largest) / temperature;
      y[i] = log_wanted ? z - shift : (float)((double)expf(z) / sum);
    }
  });
}

void softmax_backward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log_given,
                      const float *y_rows, const float *dy_rows, float *dx_rows, bool accumulate) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *y = y_rows + row * channels, *dy = dy_rows + row * channels;
    double sum = 0.0;
    for (int64_t i = lane; i < channels; i += 32) { sum += log_given ? (double)dy[i] : (double)dy[i] * (double)y[i]; }
    sum = ssti_warp_sum(sum);
    for (int64_t i = lane; i < channels; i += 32) {
      const double slope = log_given ? (double)dy[i] - (double)expf(y[i]) * sum : (double)y[i] * ((double)dy[i] - sum);
      ssti_put(dx_rows + row * channels + i, (float)(slope / (double)temperature), accumulate);
    }
  });
}

// ---- the head: the largest class, and of equal ones the first, is taken until the sum reaches the mass

void head_mask(ssti_backend *backend, int64_t rows, int64_t channels, float mass, const float *p_rows,
               float *mask_rows) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *p = p_rows + row * channels;
    float *mask = mask_rows + row * channels;
    for (int64_t i = lane; i < channels; i += 32) { mask[i] = 0.0f; }
    double sum = 0.0;
    for (int64_t taken = 0; taken < channels && sum < (double)mass; taken++) {
      int64_t best = channels; // a lane looks at its own classes only, whose marks it wrote itself
      for (int64_t i = lane; i < channels; i += 32) {
        if (mask[i] == 0.0f && (best == channels || p[i] > p[best])) { best = i; }
      }
      for (int distance = 16; distance > 0; distance /= 2) {
        const int64_t other = __shfl_xor_sync(ssti_all_lanes, best, distance);
        if (other == channels) { continue; }
        if (best == channels || p[other] > p[best] || (p[other] == p[best] && other < best)) { best = other; }
      }
      if (best % 32 == lane) { mask[best] = 1.0f; }
      sum += (double)p[best];
    }
  });
}

// ---- losses

__device__ double log_sum_exp(const float *x, int64_t channels, int lane) {
  const float largest = row_largest(x, channels, lane);
  if (isinf(largest)) { return (double)largest; } // inf - inf would be NaN
  double sum = 0.0;
  for (int64_t i = lane; i < channels; i += 32) { sum += (double)expf(x[i] - largest); }
  return (double)largest + log(ssti_warp_sum(sum));
}

__device__ double smooth_target(double smoothing, int64_t channels, float target) {
  return (1.0 - smoothing) * (double)target + smoothing / (double)channels;
}

void cross_entropy_forward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels, float smoothing,
                           const float *logits, const float *targets, float *losses) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *x = logits + row * channels, *target = targets + row % target_rows * channels;
    const double normaliser = log_sum_exp(x, channels, lane);
    double loss = 0.0;
    for (int64_t i = lane; i < channels; i += 32) {
      const double t = smooth_target((double)smoothing, channels, target[i]);
      // A class that is impossible and not wanted costs nothing (0 * inf would be NaN).
      loss += t == 0.0 && !isnan(x[i]) ? 0.0 : t * (normaliser - (double)x[i]);
    }
    loss = ssti_warp_sum(loss);
    if (lane == 0) { losses[row] = (float)loss; }
  });
}

void cross_entropy_backward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels, float smoothing,
                            const float *logits, const float *targets, const float *dlosses, float *dlogits,
                            bool accumulate) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *x = logits + row * channels, *target = targets + row % target_rows * channels;
    const double normaliser = log_sum_exp(x, channels, lane), dloss = (double)dlosses[row];
    double sum = 0.0;
    for (int64_t i = lane; i < channels; i += 32) { sum += smooth_target((double)smoothing, channels, target[i]); }
    sum = ssti_warp_sum(sum);
    for (int64_t i = lane; i < channels; i += 32) {
      const double share = (double)expf((float)((double)x[i] - normaliser));
      const double t = smooth_target((double)smoothing, channels, target[i]);
      ssti_put(dlogits + row * channels + i, (float)(dloss * (share * sum - t)), accumulate);
    }
  });
}

void kl_forward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p_rows, const float *log_q_rows,
                float *losses) {
  for_each_row(backend, rows, [=] __device__(int64_t row, int lane) {
    const float *p = p_rows + row * channels, *log_q = log_q_rows + row * channels;
    double loss = 0.0;
    for (int64_t i = lane; i < channels; i += 32) {
      // Written so that a p that is NaN is not taken for 0.
      loss += p[i] == 0.0f ? 0.0 : (double)p[i] * (log((double)p[i]) - (double)log_q[i]);
    }
    loss = ssti_warp_sum(loss);
    if (lane == 0) { losses[row] = (float)loss; }
  });
}

void kl_backward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p, const float *log_q,
                 const float *dlosses, float *dp, bool accumulate_p, float *dlog_q, bool accumulate_q) {
  if (dp != nullptr) {
    ssti_map(
        backend, rows * channels, dp, accumulate_p,
        [=] __device__(int64_t i, float in, float log_in) {
          return dlosses[i / channels] * (logf(in == 0.0f ? FLT_MIN : in) + 1.0f - log_in);
        },
        p, log_q);
  }
  if (dlog_q != nullptr) {
    ssti_map(
        backend, rows * channels, dlog_q, accumulate_q,
        [=] __device__(int64_t i, float in) { return -dlosses[i / channels] * in; }, p);
  }
}

} // namespace

void ssti_cuda_fill_rows(ssti_kernels *kernels) {
  kernels->softmax_forward = softmax_forward;
  kernels->softmax_backward = softmax_backward;
  kernels->head_mask = head_mask;
  kernels->cross_entropy_forward = cross_entropy_forward;
  kernels->cross_entropy_backward = cross_entropy_backward;
  kernels->kl_forward = kl_forward;
  kernels->kl_backward = kl_backward;
}
