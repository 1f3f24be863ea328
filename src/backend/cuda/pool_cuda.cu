// SPDX-License-Identifier: Apache-2.0
// Pooling. A thread has V neighbouring channels of one position, as many as a whole access holds; neighbouring threads
// have neighbouring ones. Backward gathers: each input position looks at the windows it lies in, so that sums have a
// fixed order.
#include "backend/cuda/lanes_cuda.h"

namespace {

struct place {
  int64_t image, y, x, c;
};

__device__ place place_of(int64_t i, int64_t height, int64_t width, int64_t channels) {
  place p;
  p.c = i % channels;
  i /= channels;
  p.x = i % width;
  i /= width;
  p.y = i % height;
  p.image = i / height;
  return p;
}

__device__ int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
__device__ int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Channels of one output position; `positions` are where maxima were found.
template <int V, typename X> __device__ ssti_lanes<V> pool_lanes(const ssti_pool &s, X x, place p, int *positions) {
  const int64_t first_y = p.y * s.stride_h - s.pad_h, first_x = p.x * s.stride_w - s.pad_w;
  const int64_t ky_end = smaller(s.kernel_h, s.in_h - first_y), kx_end = smaller(s.kernel_w, s.in_w - first_x);
  const float factor = 1.0f / (float)(s.kernel_h * s.kernel_w);
  ssti_lanes<V> value = ssti_splat<V>(0.0f);
  bool first = true;
  for (int64_t ky = larger(0, -first_y); ky < ky_end; ky++) {
    for (int64_t kx = larger(0, -first_x); kx < kx_end; kx++) {
      const int64_t at = ((p.image * s.in_h + first_y + ky) * s.in_w + first_x + kx) * s.channels + p.c;
      const ssti_lanes<V> in = ssti_load<V>(x + at);
      for (int v = 0; v < V; v++) {
        if (s.kind == SSTI_POOL_AVERAGE) {
          value.at[v] += in.at[v];
        } else if (first || in.at[v] > value.at[v] || in.at[v] != in.at[v]) {
          value.at[v] = in.at[v];
          positions[v] = (int)(ky * s.kernel_w + kx);
        }
      }
      first = false;
    }
  }
  for (int v = 0; s.kind == SSTI_POOL_AVERAGE && v < V; v++) { value.at[v] *= factor; }
  return value;
}

template <int V, typename X, typename Y>
__global__ void __launch_bounds__(256) forward_kernel(ssti_pool s, int64_t count, X x, Y y, uint8_t *saved) {
  for (int64_t i = ssti_thread_index() * V; i < count; i += ssti_thread_count() * V) {
    int positions[V] = {};
    ssti_store<V>(y + i, pool_lanes<V>(s, x, place_of(i, s.out_h, s.out_w, s.channels), positions));
    for (int v = 0; saved != nullptr && v < V; v++) { saved[i + v] = (uint8_t)positions[v]; }
  }
}

bool is_whole(const ssti_pool &s, const float *in, const float *out) {
  return s.channels % ssti_lane_count(s.in_type, s.out_type) == 0 && ssti_is_aligned16(in) && ssti_is_aligned16(out);
}

// Reads every input element as often as windows hold it, most times from the cache.
void pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *, const float *x, float *y, uint8_t *saved,
                  void *) {
  assert(shape->kind == SSTI_POOL_AVERAGE || shape->kernel_h * shape->kernel_w <= UINT8_MAX);
  const ssti_pool s = *shape;
  const int64_t count = s.images * s.out_h * s.out_w * s.channels;
  if (count == 0) { return; }
  ssti_with_access(is_whole(s, x, y), s.in_type, s.out_type, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    ssti_launch(backend, forward_kernel<V, typename types::A, typename types::B>,
                dim3((unsigned)ssti_blocks_for(count / V, ssti_block_threads)), dim3(ssti_block_threads), s, count,
                types::a(x, s.in_type), types::b(y, s.out_type), s.kind == SSTI_POOL_MAX ? saved : nullptr);
  });
}

// First and last output position whose window holds input position i.
__device__ int64_t first_output(int64_t i, int64_t kernel, int64_t stride, int64_t pad) {
  const int64_t lowest = i + pad - kernel + 1;
  return lowest <= 0 ? 0 : (lowest + stride - 1) / stride;
}
__device__ int64_t last_output(int64_t i, int64_t stride, int64_t pad, int64_t out) {
  return smaller((i + pad) / stride, out - 1);
}

// Adds to `sum` what the windows that hold the position give.
template <int V, typename DY>
__device__ void gather(const ssti_pool &s, DY dy, const uint8_t *saved, place p, ssti_lanes<V> &sum) {
  const int64_t y_last = last_output(p.y, s.stride_h, s.pad_h, s.out_h);
  const int64_t x_last = last_output(p.x, s.stride_w, s.pad_w, s.out_w);
  const float factor = 1.0f / (float)(s.kernel_h * s.kernel_w);
  for (int64_t oy = first_output(p.y, s.kernel_h, s.stride_h, s.pad_h); oy <= y_last; oy++) {
    for (int64_t ox = first_output(p.x, s.kernel_w, s.stride_w, s.pad_w); ox <= x_last; ox++) {
      const int64_t at = ((p.image * s.out_h + oy) * s.out_w + ox) * s.channels + p.c;
      const int64_t ky = p.y + s.pad_h - oy * s.stride_h, kx = p.x + s.pad_w - ox * s.stride_w;
      const ssti_lanes<V> in = ssti_load<V>(dy + at);
      for (int v = 0; v < V; v++) {
        if (s.kind == SSTI_POOL_AVERAGE) {
          sum.at[v] += factor * in.at[v];
        } else if (saved[at + v] == ky * s.kernel_w + kx) {
          sum.at[v] += in.at[v];
        }
      }
    }
  }
}

template <int V, typename DX, typename DY>
__global__ void __launch_bounds__(256)
    backward_kernel(ssti_pool s, int64_t count, DY dy, const uint8_t *saved, DX dx, bool accumulate) {
  for (int64_t i = ssti_thread_index() * V; i < count; i += ssti_thread_count() * V) {
    ssti_lanes<V> sum = accumulate ? ssti_load<V>(dx + i) : ssti_splat<V>(0.0f);
    gather<V>(s, dy, saved, place_of(i, s.in_h, s.in_w, s.channels), sum);
    ssti_store<V>(dx + i, sum);
  }
}

void pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *, const float *dy, const uint8_t *saved,
                   float *dx, bool accumulate, void *) {
  assert(shape->kind == SSTI_POOL_AVERAGE || saved != nullptr);
  const ssti_pool s = *shape;
  const int64_t count = s.images * s.in_h * s.in_w * s.channels;
  if (count == 0) { return; }
  ssti_with_access(is_whole(s, dx, dy), s.in_type, s.out_type, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    ssti_launch(backend, backward_kernel<V, typename types::A, typename types::B>,
                dim3((unsigned)ssti_blocks_for(count / V, ssti_block_threads)), dim3(ssti_block_threads), s, count,
                types::b(dy, s.out_type), saved, types::a(dx, s.in_type), accumulate);
  });
}

// ---- to a given size

struct span {
  int64_t begin, end;
};

__device__ span window_of(int64_t i, int64_t in, int64_t out) { return {i * in / out, ((i + 1) * in + out - 1) / out}; }
__device__ float share(span h, span w) { return 1.0f / (float)((h.end - h.begin) * (w.end - w.begin)); }

void adaptive_pool_forward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *x, float *y) {
  const ssti_adaptive_pool s = *shape;
  ssti_for_each(backend, s.images * s.out_h * s.out_w * s.channels, [=] __device__(int64_t i) {
    const place p = place_of(i, s.out_h, s.out_w, s.channels);
    const span h = window_of(p.y, s.in_h, s.out_h), w = window_of(p.x, s.in_w, s.out_w);
    float sum = 0.0f;
    for (int64_t iy = h.begin; iy < h.end; iy++) {
      for (int64_t ix = w.begin; ix < w.end; ix++) {
        sum += x[((p.image * s.in_h + iy) * s.in_w + ix) * s.channels + p.c];
      }
    }
    y[i] = sum * share(h, w);
  });
}

// Windows hold input line i from that of floor(i * out / in) to that of ceil((i + 1) * out / in) - 1.
void adaptive_pool_backward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *dy, float *dx,
                            bool accumulate) {
  const ssti_adaptive_pool s = *shape;
  ssti_for_each(backend, s.images * s.in_h * s.in_w * s.channels, [=] __device__(int64_t i) {
    const place p = place_of(i, s.in_h, s.in_w, s.channels);
    const span rows = window_of(p.y, s.out_h, s.in_h), columns = window_of(p.x, s.out_w, s.in_w);
    float sum = accumulate ? dx[i] : 0.0f;
    for (int64_t oy = rows.begin; oy < rows.end; oy++) {
      for (int64_t ox = columns.begin; ox < columns.end; ox++) {
        const float factor = share(window_of(oy, s.in_h, s.out_h), window_of(ox, s.in_w, s.out_w));
        sum += factor * dy[((p.image * s.out_h + oy) * s.out_w + ox) * s.channels + p.c];
      }
    }
    dx[i] = sum;
  });
}

} // namespace

void ssti_cuda_fill_pool(ssti_kernels *kernels) {
  kernels->pool_forward = pool_forward;
  kernels->pool_backward = pool_backward;
  kernels->adaptive_pool_forward = adaptive_pool_forward;
  kernels->adaptive_pool_backward = adaptive_pool_backward;
}
