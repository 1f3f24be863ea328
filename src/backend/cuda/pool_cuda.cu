// SPDX-License-Identifier: Apache-2.0
// Pooling. A thread has one element; neighbouring threads have neighbouring channels. Backward gathers: each input
// element looks at the windows it lies in, so that sums have a fixed order.
#include "backend/cuda/cuda_kernel.h"

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

// The value of one output element; `position` is where a maximum was found.
__device__ float pool_element(const ssti_pool &s, const float *x, place p, int *position) {
  const int64_t first_y = p.y * s.stride_h - s.pad_h, first_x = p.x * s.stride_w - s.pad_w;
  const int64_t ky_end = smaller(s.kernel_h, s.in_h - first_y), kx_end = smaller(s.kernel_w, s.in_w - first_x);
  float value = 0.0f;
  bool first = true;
  for (int64_t ky = larger(0, -first_y); ky < ky_end; ky++) {
    for (int64_t kx = larger(0, -first_x); kx < kx_end; kx++) {
      const float in = x[((p.image * s.in_h + first_y + ky) * s.in_w + first_x + kx) * s.channels + p.c];
      if (s.kind == SSTI_POOL_AVERAGE) {
        value += in;
      } else if (first || in > value || in != in) {
        value = in;
        *position = (int)(ky * s.kernel_w + kx);
      }
      first = false;
    }
  }
  return s.kind == SSTI_POOL_AVERAGE ? value * (1.0f / (float)(s.kernel_h * s.kernel_w)) : value;
}

// Reads every input element as often as windows hold it, most times from the cache.
void pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *, const float *x, float *y, uint8_t *saved,
                  void *) {
  assert(shape->kind == SSTI_POOL_AVERAGE || shape->kernel_h * shape->kernel_w <= UINT8_MAX);
  const ssti_pool s = *shape;
  ssti_for_each(backend, s.images * s.out_h * s.out_w * s.channels, [=] __device__(int64_t i) {
    int position = 0;
    y[i] = pool_element(s, x, place_of(i, s.out_h, s.out_w, s.channels), &position);
    if (saved != nullptr && s.kind == SSTI_POOL_MAX) { saved[i] = (uint8_t)position; }
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

__device__ float gather(const ssti_pool &s, const float *dy, const uint8_t *saved, place p, float sum) {
  const int64_t y_last = last_output(p.y, s.stride_h, s.pad_h, s.out_h);
  const int64_t x_last = last_output(p.x, s.stride_w, s.pad_w, s.out_w);
  const float factor = 1.0f / (float)(s.kernel_h * s.kernel_w);
  for (int64_t oy = first_output(p.y, s.kernel_h, s.stride_h, s.pad_h); oy <= y_last; oy++) {
    for (int64_t ox = first_output(p.x, s.kernel_w, s.stride_w, s.pad_w); ox <= x_last; ox++) {
      const int64_t at = ((p.image * s.out_h + oy) * s.out_w + ox) * s.channels + p.c;
      if (s.kind == SSTI_POOL_AVERAGE) {
        sum += factor * dy[at];
      } else {
        const int64_t ky = p.y + s.pad_h - oy * s.stride_h, kx = p.x + s.pad_w - ox * s.stride_w;
        if (saved[at] == ky * s.kernel_w + kx) { sum += dy[at]; }
      }
    }
  }
  return sum;
}

void pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *, const float *dy, const uint8_t *saved,
                   float *dx, bool accumulate, void *) {
  assert(shape->kind == SSTI_POOL_AVERAGE || saved != nullptr);
  const ssti_pool s = *shape;
  ssti_for_each(backend, s.images * s.in_h * s.in_w * s.channels, [=] __device__(int64_t i) {
    dx[i] = gather(s, dy, saved, place_of(i, s.in_h, s.in_w, s.channels), accumulate ? dx[i] : 0.0f);
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
