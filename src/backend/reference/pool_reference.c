// SPDX-License-Identifier: Apache-2.0
// Average and max pooling. Backward gathers: each input pixel looks at the windows it lies in, so that threads never
// write to the same place and sums have a fixed order.
#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

typedef struct pool_work {
  const ssti_pool *s;
  const float *x, *dy;
  float *out;
  uint8_t *positions;
  const uint8_t *saved;
  bool accumulate;
} pool_work;

// The part of a window that lies inside the image, as kernel positions.
typedef struct window {
  int64_t first_y, first_x; // of the input, may lie outside
  int64_t ky_begin, ky_end, kx_begin, kx_end;
} window;

static window window_at(const ssti_pool *s, int64_t oy, int64_t ox) {
  window w = {.first_y = oy * s->stride_h - s->pad_h, .first_x = ox * s->stride_w - s->pad_w};
  w.ky_begin = w.first_y < 0 ? -w.first_y : 0;
  w.kx_begin = w.first_x < 0 ? -w.first_x : 0;
  w.ky_end = ssti_smaller(s->kernel_h, s->in_h - w.first_y);
  w.kx_end = ssti_smaller(s->kernel_w, s->in_w - w.first_x);
  return w;
}

static void average_pixel(const ssti_pool *s, const float *image, window v, float *y) {
  float factor = 1.0f / (float)(s->kernel_h * s->kernel_w);
  for (int64_t c = 0; c < s->channels; c++) { y[c] = 0.0f; }
  for (int64_t ky = v.ky_begin; ky < v.ky_end; ky++) {
    for (int64_t kx = v.kx_begin; kx < v.kx_end; kx++) {
      const float *x = image + ((v.first_y + ky) * s->in_w + v.first_x + kx) * s->channels;
      for (int64_t c = 0; c < s->channels; c++) { y[c] += x[c]; }
    }
  }
  for (int64_t c = 0; c < s->channels; c++) { y[c] *= factor; }
}

// A value that is not a number counts as the largest, so that trouble is seen further on and not pooled away.
static void max_pixel(const ssti_pool *s, const float *image, window v, float *y, uint8_t *position) {
  bool first = true;
  for (int64_t ky = v.ky_begin; ky < v.ky_end; ky++) {
    for (int64_t kx = v.kx_begin; kx < v.kx_end; kx++) {
      const float *x = image + ((v.first_y + ky) * s->in_w + v.first_x + kx) * s->channels;
      for (int64_t c = 0; c < s->channels; c++) {
        if (first || x[c] > y[c] || x[c] != x[c]) {
          y[c] = x[c];
          if (position != NULL) { position[c] = (uint8_t)(ky * s->kernel_w + kx); }
        }
      }
      first = false;
    }
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  const ssti_pool *s = w->s;
  for (int64_t line = begin; line < end; line++) {
    const float *image = w->x + line / s->out_h * s->in_h * s->in_w * s->channels;
    for (int64_t ox = 0; ox < s->out_w; ox++) {
      window v = window_at(s, line % s->out_h, ox);
      int64_t at = (line * s->out_w + ox) * s->channels;
      if (s->kind == SSTI_POOL_AVERAGE) {
        average_pixel(s, image, v, w->out + at);
      } else {
        max_pixel(s, image, v, w->out + at, w->positions != NULL ? w->positions + at : NULL);
      }
    }
  }
}

void ssti_reference_pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *x,
                                 float *y, uint8_t *saved, void *workspace) {
  (void)plan, (void)workspace;
  assert(shape->kind == SSTI_POOL_AVERAGE || shape->kernel_h * shape->kernel_w <= UINT8_MAX);
  assert(2 * shape->pad_h <= shape->kernel_h && 2 * shape->pad_w <= shape->kernel_w);
  pool_work work = {.s = shape, .x = x, .out = y, .positions = saved};
  int64_t cost = shape->out_w * shape->channels * shape->kernel_h * shape->kernel_w;
  ssti_parallel_for(backend->context, shape->images * shape->out_h, ssti_reference_grain(cost), forward_range, &work);
}

// First and last output position whose window holds input position i; empty if first > last.
static void outputs_of(int64_t i, int64_t kernel, int64_t stride, int64_t pad, int64_t out, int64_t *first,
                       int64_t *last) {
  int64_t lowest = i + pad - kernel + 1;
  *first = lowest <= 0 ? 0 : (lowest + stride - 1) / stride;
  *last = ssti_smaller((i + pad) / stride, out - 1);
}

static void gather_pixel(const pool_work *w, int64_t image, int64_t iy, int64_t ix, float *dx) {
  const ssti_pool *s = w->s;
  float factor = 1.0f / (float)(s->kernel_h * s->kernel_w);
  int64_t oy_first, oy_last, ox_first, ox_last;
  outputs_of(iy, s->kernel_h, s->stride_h, s->pad_h, s->out_h, &oy_first, &oy_last);
  outputs_of(ix, s->kernel_w, s->stride_w, s->pad_w, s->out_w, &ox_first, &ox_last);
  for (int64_t oy = oy_first; oy <= oy_last; oy++) {
    for (int64_t ox = ox_first; ox <= ox_last; ox++) {
      int64_t at = ((image * s->out_h + oy) * s->out_w + ox) * s->channels;
      const float *dy = w->dy + at;
      if (s->kind == SSTI_POOL_AVERAGE) {
        for (int64_t c = 0; c < s->channels; c++) { dx[c] += factor * dy[c]; }
        continue;
      }
      int64_t ky = iy + s->pad_h - oy * s->stride_h, kx = ix + s->pad_w - ox * s->stride_w;
      int64_t position = ky * s->kernel_w + kx;
      const uint8_t *saved = w->saved + at;
      for (int64_t c = 0; c < s->channels; c++) {
        if (saved[c] == position) { dx[c] += dy[c]; }
      }
    }
  }
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  const ssti_pool *s = w->s;
  for (int64_t line = begin; line < end; line++) {
    for (int64_t ix = 0; ix < s->in_w; ix++) {
      float *dx = w->out + (line * s->in_w + ix) * s->channels;
      for (int64_t c = 0; c < s->channels && !w->accumulate; c++) { dx[c] = 0.0f; }
      gather_pixel(w, line / s->in_h, line % s->in_h, ix, dx);
    }
  }
}

void ssti_reference_pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *dy,
                                  const uint8_t *saved, float *dx, bool accumulate, void *workspace) {
  (void)plan, (void)workspace;
  assert(shape->kind == SSTI_POOL_AVERAGE || saved != NULL);
  pool_work work = {.s = shape, .dy = dy, .saved = saved, .out = dx, .accumulate = accumulate};
  ssti_parallel_for(backend->context, shape->images * shape->in_h,
                    ssti_reference_grain(shape->in_w * shape->channels * 4), backward_range, &work);
}
