// SPDX-License-Identifier: Apache-2.0
// Pooling, vectorised over channels. Windows of 2 by 2 with stride 2 and nothing at the edges have loops of their own;
// every other shape goes position by position.
#include <string.h>

#include "backend/fast/simd.h"

static bool is_two_by_two(const ssti_pool *s) {
  return s->kernel_h == 2 && s->kernel_w == 2 && s->stride_h == 2 && s->stride_w == 2 && s->pad_h == 0 &&
         s->pad_w == 0 && s->out_h * 2 <= s->in_h && s->out_w * 2 <= s->in_w;
}

static void average_two(int64_t channels, const float *restrict top, const float *restrict bottom, float *restrict y) {
  const float *top1 = top + channels, *bottom1 = bottom + channels;
  for (int64_t c = 0; c < channels; c++) { y[c] = ((top[c] + top1[c]) + (bottom[c] + bottom1[c])) * 0.25f; }
}

// The first of equal values wins; a value that is not a number always does, as in the reference.
static inline int beats(float value, float best) { return (value > best) | (value != value); }

// `ahead`: whether there is a window AHEAD places to the right, which is asked for now. The chain of comparisons is too
// long for the processor to reach the next loads by itself: without this, large tensors take nearly twice as long.
enum { PIECE = 64, AHEAD = 4 };
static void max_two(int64_t channels, const float *restrict top, const float *restrict bottom, float *restrict y,
                    uint8_t *saved, bool ahead) {
  const float *top1 = top + channels, *bottom1 = bottom + channels;
  for (int64_t begin = 0; begin < channels; begin += PIECE) {
    const int64_t length = channels - begin < PIECE ? channels - begin : PIECE;
    for (int64_t i = begin; ahead && i < begin + length; i += 16) {
      __builtin_prefetch(top + 2 * AHEAD * channels + i);
      __builtin_prefetch(top1 + 2 * AHEAD * channels + i);
      __builtin_prefetch(bottom + 2 * AHEAD * channels + i);
      __builtin_prefetch(bottom1 + 2 * AHEAD * channels + i);
    }
    int32_t at[PIECE]; // as wide as the values while they are compared, narrowed once at the end
    for (int64_t i = 0; i < length; i++) {
      const int64_t c = begin + i;
      float best = top[c];
      int32_t where = 0;
      int wins = beats(top1[c], best);
      best = wins ? top1[c] : best;
      where = wins ? 1 : where;
      wins = beats(bottom[c], best);
      best = wins ? bottom[c] : best;
      where = wins ? 2 : where;
      wins = beats(bottom1[c], best);
      best = wins ? bottom1[c] : best;
      where = wins ? 3 : where;
      y[c] = best;
      at[i] = where;
    }
    if (saved == NULL) { continue; }
    for (int64_t i = 0; i < length; i++) { saved[begin + i] = (uint8_t)at[i]; }
  }
}

static void forward_two_by_two(const ssti_pool *s, const float *x, float *y, uint8_t *saved) {
  const int64_t row = s->in_w * s->channels;
  for (int64_t oh = 0; oh < s->out_h; oh++) {
    for (int64_t ow = 0; ow < s->out_w; ow++) {
      const float *top = x + 2 * oh * row + 2 * ow * s->channels;
      const int64_t to = (oh * s->out_w + ow) * s->channels;
      if (s->kind == SSTI_POOL_MAX) {
        max_two(s->channels, top, top + row, y + to, saved == NULL ? NULL : saved + to, ow + AHEAD < s->out_w);
      } else {
        average_two(s->channels, top, top + row, y + to);
      }
    }
  }
}

// The part of a window that lies inside the image.
typedef struct window {
  int64_t h0, h1, w0, w1; // positions in the image
  int64_t top, left;      // where the window begins, possibly outside
} window;

static window window_at(const ssti_pool *s, int64_t oh, int64_t ow) {
  window w = {.top = oh * s->stride_h - s->pad_h, .left = ow * s->stride_w - s->pad_w};
  w.h0 = w.top < 0 ? 0 : w.top;
  w.w0 = w.left < 0 ? 0 : w.left;
  w.h1 = w.top + s->kernel_h < s->in_h ? w.top + s->kernel_h : s->in_h;
  w.w1 = w.left + s->kernel_w < s->in_w ? w.left + s->kernel_w : s->in_w;
  return w;
}

static void average_window(const ssti_pool *s, const window *w, const float *x, float *restrict y) {
  const float share = 1.0f / (float)(s->kernel_h * s->kernel_w);
  memset(y, 0, (size_t)s->channels * sizeof *y);
  for (int64_t h = w->h0; h < w->h1; h++) {
    for (int64_t v = w->w0; v < w->w1; v++) {
      const float *at = x + (h * s->in_w + v) * s->channels;
      for (int64_t c = 0; c < s->channels; c++) { y[c] += at[c]; }
    }
  }
  for (int64_t c = 0; c < s->channels; c++) { y[c] *= share; }
}

static void max_window(const ssti_pool *s, const window *w, const float *x, float *restrict y,
                       uint8_t *restrict saved) {
  bool first = true;
  for (int64_t h = w->h0; h < w->h1; h++) {
    for (int64_t v = w->w0; v < w->w1; v++) {
      const float *at = x + (h * s->in_w + v) * s->channels;
      const uint8_t position = (uint8_t)((h - w->top) * s->kernel_w + (v - w->left));
      if (first) {
        memcpy(y, at, (size_t)s->channels * sizeof *y);
        if (saved != NULL) { memset(saved, position, (size_t)s->channels); }
        first = false;
        continue;
      }
      if (saved != NULL) {
        for (int64_t c = 0; c < s->channels; c++) { saved[c] = beats(at[c], y[c]) ? position : saved[c]; }
      }
      for (int64_t c = 0; c < s->channels; c++) { y[c] = beats(at[c], y[c]) ? at[c] : y[c]; }
    }
  }
}

static void pool_forward(const ssti_pool *s, int64_t begin, int64_t end, const float *x, float *y, uint8_t *saved) {
  const int64_t in = s->in_h * s->in_w * s->channels, out = s->out_h * s->out_w * s->channels;
  const bool two_by_two = is_two_by_two(s);
  for (int64_t n = begin; n < end; n++) {
    const float *image = x + n * in;
    uint8_t *kept = saved == NULL ? NULL : saved + n * out;
    if (two_by_two) {
      forward_two_by_two(s, image, y + n * out, kept);
      continue;
    }
    for (int64_t oh = 0; oh < s->out_h; oh++) {
      for (int64_t ow = 0; ow < s->out_w; ow++) {
        const window w = window_at(s, oh, ow);
        const int64_t to = (oh * s->out_w + ow) * s->channels;
        if (s->kind == SSTI_POOL_MAX) {
          max_window(s, &w, image, y + n * out + to, kept == NULL ? NULL : kept + to);
        } else {
          average_window(s, &w, image, y + n * out + to);
        }
      }
    }
  }
}

static void spread_average(int64_t channels, float share, const float *restrict dy, float *restrict dx, bool add) {
  if (add) {
    for (int64_t c = 0; c < channels; c++) { dx[c] += dy[c] * share; }
  } else {
    for (int64_t c = 0; c < channels; c++) { dx[c] = dy[c] * share; }
  }
}

static void spread_max(int64_t channels, uint8_t position, const float *restrict dy, const uint8_t *restrict saved,
                       float *restrict dx, bool add) {
  if (add) {
    for (int64_t c = 0; c < channels; c++) { dx[c] += saved[c] == position ? dy[c] : 0.0f; }
  } else {
    for (int64_t c = 0; c < channels; c++) { dx[c] = saved[c] == position ? dy[c] : 0.0f; }
  }
}

// Whether windows neither overlap nor leave anything out, so that each element of dx is written exactly once.
static bool is_tiling(const ssti_pool *s) {
  return s->kernel_h == s->stride_h && s->kernel_w == s->stride_w && s->pad_h == 0 && s->pad_w == 0 &&
         s->out_h * s->stride_h == s->in_h && s->out_w * s->stride_w == s->in_w;
}

static void pool_backward(const ssti_pool *s, int64_t begin, int64_t end, const float *dy, const uint8_t *saved,
                          float *dx, bool accumulate) {
  const int64_t in = s->in_h * s->in_w * s->channels, out = s->out_h * s->out_w * s->channels;
  const float share = 1.0f / (float)(s->kernel_h * s->kernel_w);
  const bool add = accumulate || !is_tiling(s);
  for (int64_t n = begin; n < end; n++) {
    float *image = dx + n * in;
    if (add && !accumulate) { memset(image, 0, (size_t)in * sizeof *image); }
    for (int64_t o = 0; o < s->out_h * s->out_w; o++) {
      const window w = window_at(s, o / s->out_w, o % s->out_w);
      const int64_t from = n * out + o * s->channels;
      for (int64_t h = w.h0; h < w.h1; h++) {
        for (int64_t v = w.w0; v < w.w1; v++) {
          float *to = image + (h * s->in_w + v) * s->channels;
          if (s->kind == SSTI_POOL_MAX) {
            const uint8_t position = (uint8_t)((h - w.top) * s->kernel_w + (v - w.left));
            spread_max(s->channels, position, dy + from, saved + from, to, add);
          } else {
            spread_average(s->channels, share, dy + from, to, add);
          }
        }
      }
    }
  }
}

// ---- averages of windows of 2 by 2 that tile a bf16 picture, without a copy of it in f32; y is of either type

#define INLINE static inline __attribute__((always_inline))

INLINE float value_at(const void *tensor, bool is_bf16, int64_t i) {
  return is_bf16 ? ssti_bf16_value(((const ssti_bf16 *)tensor)[i]) : ((const float *)tensor)[i];
}

INLINE void put_average(int64_t channels, const ssti_bf16 *restrict top, const ssti_bf16 *restrict bottom,
                        void *restrict y, bool is_bf16) {
  const ssti_bf16 *top1 = top + channels, *bottom1 = bottom + channels;
  for (int64_t c = 0; c < channels; c++) {
    const float sum = (ssti_bf16_value(top[c]) + ssti_bf16_value(top1[c])) +
                      (ssti_bf16_value(bottom[c]) + ssti_bf16_value(bottom1[c]));
    if (is_bf16) {
      ((ssti_bf16 *)y)[c] = ssti_bf16_of(sum * 0.25f);
    } else {
      ((float *)y)[c] = sum * 0.25f;
    }
  }
}

INLINE void spread_quarter(int64_t channels, const void *restrict dy, bool is_bf16, ssti_bf16 *restrict top,
                           ssti_bf16 *restrict bottom) {
  ssti_bf16 *restrict top1 = top + channels, *restrict bottom1 = bottom + channels;
  for (int64_t c = 0; c < channels; c++) {
    const ssti_bf16 share = ssti_bf16_of(value_at(dy, is_bf16, c) * 0.25f);
    top[c] = share;
    top1[c] = share;
    bottom[c] = share;
    bottom1[c] = share;
  }
}

static bool pool_quarters(const ssti_pool *s) {
  return s->kind == SSTI_POOL_AVERAGE && s->in_type == SSTI_BF16 && is_two_by_two(s) && is_tiling(s);
}

INLINE void each_quarter(const ssti_pool *s, int64_t begin, int64_t end, const ssti_bf16 *x, void *y, bool is_bf16) {
  const int64_t line = s->in_w * s->channels, lines = s->out_h, width = s->out_w * s->channels;
  const size_t bytes = is_bf16 ? sizeof(ssti_bf16) : sizeof(float);
  for (int64_t i = begin * lines; i < end * lines; i++) {
    for (int64_t at = 0; at < width; at += s->channels) {
      const ssti_bf16 *top = x + 2 * i * line + 2 * at;
      put_average(s->channels, top, top + line, (char *)y + (size_t)(i * width + at) * bytes, is_bf16);
    }
  }
}

INLINE void back_each_quarter(const ssti_pool *s, int64_t begin, int64_t end, const void *dy, bool is_bf16,
                              ssti_bf16 *dx) {
  const int64_t line = s->in_w * s->channels, lines = s->out_h, width = s->out_w * s->channels;
  const size_t bytes = is_bf16 ? sizeof(ssti_bf16) : sizeof(float);
  for (int64_t i = begin * lines; i < end * lines; i++) {
    for (int64_t at = 0; at < width; at += s->channels) {
      ssti_bf16 *top = dx + 2 * i * line + 2 * at;
      spread_quarter(s->channels, (const char *)dy + (size_t)(i * width + at) * bytes, is_bf16, top, top + line);
    }
  }
}

static void pool_quarters_forward(const ssti_pool *s, int64_t begin, int64_t end, const ssti_bf16 *x, void *y) {
  if (s->out_type == SSTI_BF16) {
    each_quarter(s, begin, end, x, y, true);
  } else {
    each_quarter(s, begin, end, x, y, false);
  }
}

static void pool_quarters_backward(const ssti_pool *s, int64_t begin, int64_t end, const void *dy, ssti_bf16 *dx) {
  if (s->out_type == SSTI_BF16) {
    back_each_quarter(s, begin, end, dy, true, dx);
  } else {
    back_each_quarter(s, begin, end, dy, false, dx);
  }
}

void SSTI_SIMD(ssti_simd_fill_pool)(ssti_simd *table) {
  table->pool_forward = pool_forward;
  table->pool_backward = pool_backward;
  table->pool_quarters = pool_quarters;
  table->pool_quarters_forward = pool_quarters_forward;
  table->pool_quarters_backward = pool_quarters_backward;
}
