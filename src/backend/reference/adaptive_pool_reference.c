// SPDX-License-Identifier: Apache-2.0
// Average pooling to a given size. A picture belongs to one thread, so that windows that share lines do no harm.
#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"
#include "base/parallel.h"

typedef struct adaptive_work {
  const ssti_adaptive_pool *s;
  const float *from;
  float *to;
} adaptive_work;

typedef struct span {
  int64_t begin, end;
} span;

static span window_of(int64_t i, int64_t in, int64_t out) {
  return (span){i * in / out, ((i + 1) * in + out - 1) / out};
}

static void average_window(const ssti_adaptive_pool *s, const float *image, span h, span w, float *y) {
  const float factor = 1.0f / (float)((h.end - h.begin) * (w.end - w.begin));
  for (int64_t c = 0; c < s->channels; c++) { y[c] = 0.0f; }
  for (int64_t iy = h.begin; iy < h.end; iy++) {
    for (int64_t ix = w.begin; ix < w.end; ix++) {
      const float *x = image + (iy * s->in_w + ix) * s->channels;
      for (int64_t c = 0; c < s->channels; c++) { y[c] += x[c]; }
    }
  }
  for (int64_t c = 0; c < s->channels; c++) { y[c] *= factor; }
}

static void spread_window(const ssti_adaptive_pool *s, const float *dy, span h, span w, float *image) {
  const float factor = 1.0f / (float)((h.end - h.begin) * (w.end - w.begin));
  for (int64_t iy = h.begin; iy < h.end; iy++) {
    for (int64_t ix = w.begin; ix < w.end; ix++) {
      float *dx = image + (iy * s->in_w + ix) * s->channels;
      for (int64_t c = 0; c < s->channels; c++) { dx[c] += factor * dy[c]; }
    }
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const adaptive_work *w = arg;
  const ssti_adaptive_pool *s = w->s;
  for (int64_t at = begin * s->out_h * s->out_w; at < end * s->out_h * s->out_w; at++) {
    const float *image = w->from + at / (s->out_h * s->out_w) * s->in_h * s->in_w * s->channels;
    average_window(s, image, window_of(at / s->out_w % s->out_h, s->in_h, s->out_h),
                   window_of(at % s->out_w, s->in_w, s->out_w), w->to + at * s->channels);
  }
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const adaptive_work *w = arg;
  const ssti_adaptive_pool *s = w->s;
  for (int64_t at = begin * s->out_h * s->out_w; at < end * s->out_h * s->out_w; at++) {
    float *image = w->to + at / (s->out_h * s->out_w) * s->in_h * s->in_w * s->channels;
    spread_window(s, w->from + at * s->channels, window_of(at / s->out_w % s->out_h, s->in_h, s->out_h),
                  window_of(at % s->out_w, s->in_w, s->out_w), image);
  }
}

static int64_t picture_size(const ssti_adaptive_pool *s) { return s->in_h * s->in_w * s->channels; }

void ssti_reference_adaptive_pool_forward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *x,
                                          float *y) {
  adaptive_work work = {shape, x, y};
  ssti_parallel_for(backend->context, shape->images, ssti_reference_grain(picture_size(shape)), forward_range, &work);
}

void ssti_reference_adaptive_pool_backward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *dy,
                                           float *dx, bool accumulate) {
  if (!accumulate) { backend->kernels.fill(backend, shape->images * picture_size(shape), 0.0f, dx); }
  adaptive_work work = {shape, dy, dx};
  ssti_parallel_for(backend->context, shape->images, ssti_reference_grain(picture_size(shape)), backward_range, &work);
}
