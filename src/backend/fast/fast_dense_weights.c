// SPDX-License-Identifier: Apache-2.0
// Gradients of a convolution's weights: for each kernel position dW [in, out] = sum over pixels of x^T dy.
//
// In bf16 the instruction adds products of two pixels at once, so pixels lie in pairs, a word each for a channel, in
// blocks of channels: dy as [row][pair][out][2], a row of x with its padding as pairs that begin at even places and,
// for odd kernel columns, pairs that begin at odd ones. In f32 a word is one pixel. Why copy: pixels of many channels
// are a power of two apart and share a few sets of the caches. oneDNN 2.6 reaches 61 to 73 % of the ceiling on a VGG's
// layers, this 80 to 90 %.
//
// A thread takes some pictures at a time. Their words stay in the second-level cache; of those a band of rows and 16
// input channels in the first. Sums of 4 inputs and 64 outputs stay in registers over a band. Threads have sums of
// their own, laid out as the blocks of event.h and added in order at the end.
#include "backend/fast/fast_dense_weights.h"

#include <string.h>

#include "backend/fast/fast_event.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  INPUTS = 4, // of a tile
  OUTPUTS = SSTI_EVENT_WIDTH,
  LINE_INPUTS = 16, // whose pairs share a cache line
  BAND_PAIRS = 96,
  GROUP_BYTES = 512 << 10 // of paired pictures
};

static int64_t filter_of(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w * s->in_c; }

static bool is_half(const ssti_conv2d *s) { return s->precision == SST_PRECISION_BF16; }
static int64_t pixels_of_word(const ssti_conv2d *s) { return is_half(s) ? 2 : 1; }

// Words of a row of dy, and of a row of x that begin at even and at odd places.
static int64_t pairs_of(const ssti_conv2d *s) { return (s->out_w + pixels_of_word(s) - 1) / pixels_of_word(s); }
static int64_t even_of(const ssti_conv2d *s) { return pairs_of(s) + (s->kernel_w - 1) / pixels_of_word(s); }
static int64_t odd_of(const ssti_conv2d *s) {
  return is_half(s) && s->kernel_w > 1 ? pairs_of(s) + s->kernel_w / 2 - 1 : 0;
}

// Where kernel column kx begins in a row of x.
static int64_t column_of(const ssti_conv2d *s, int64_t kx) {
  return is_half(s) ? kx / 2 + (kx % 2 ? even_of(s) : 0) : kx;
}

// Of a block of channels, in 32-bit words, each of one channel.
static int64_t x_row(const ssti_conv2d *s) { return (even_of(s) + odd_of(s)) * LINE_INPUTS; }
static int64_t dy_row(const ssti_conv2d *s) { return pairs_of(s) * OUTPUTS; }

// Pictures that are paired together.
static int64_t group_of(const ssti_conv2d *s) {
  const int64_t x = s->in_h * x_row(s) * (s->in_c / LINE_INPUTS), dy = s->out_h * dy_row(s) * (s->out_c / OUTPUTS);
  return ssti_smaller(ssti_larger(1, GROUP_BYTES / ((x + dy) * (int64_t)sizeof(uint32_t))), s->images);
}

// From one block of channels to the next, in a group's pairs.
static int64_t x_block(const ssti_conv2d *s) { return group_of(s) * s->in_h * x_row(s); }
static int64_t dy_block(const ssti_conv2d *s) { return group_of(s) * s->out_h * dy_row(s); }

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct slot_layout {
  size_t sums, x, dy, all;
} slot_layout;

static slot_layout slot_layout_of(const ssti_conv2d *s) {
  slot_layout l = {.sums = ssti_fast_round_up((size_t)(filter_of(s) * s->out_c) * sizeof(float)),
                   .x = ssti_fast_round_up((size_t)(x_block(s) * (s->in_c / LINE_INPUTS)) * sizeof(uint32_t)),
                   .dy = ssti_fast_round_up((size_t)(dy_block(s) * (s->out_c / OUTPUTS)) * sizeof(uint32_t))};
  l.all = l.sums + l.x + l.dy;
  return l;
}

static int64_t slots_of(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_smaller(sst_context_threads(backend->context), s->images);
}

bool ssti_dense_weights_possible(ssti_backend *backend, const ssti_conv2d *s) {
  const bool can = is_half(s) ? backend->without[SST_PRECISION_BF16] == NULL
                              : s->precision == SST_PRECISION_F32 && ssti_fast_state_of(backend)->level == SSTI_SIMD_V4;
  return can && s->groups == 1 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 && s->dilation_w == 1 &&
         s->in_c % LINE_INPUTS == 0 && s->out_c % OUTPUTS == 0;
}

size_t ssti_dense_weights_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  return (size_t)slots_of(backend, s) * slot_layout_of(s).all;
}

typedef struct weights_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  slot_layout layout;
  int64_t slots;
  const void *x, *dy;
  char *workspace;
} weights_work;

// How a row of pixels becomes words: blocks of channels, each with all rows of a group.
typedef struct pairing {
  const ssti_simd *simd;
  bool half;
  int64_t width, channels, block, distance;
} pairing;

// The channels of a pixel of a row, at element `at`; NULL outside [0, width).
static const void *pixel(const pairing *p, const void *row, int64_t place) {
  if (place < 0 || place >= p->width) { return NULL; }
  return (const char *)row + (size_t)(place * p->channels) * (p->half ? sizeof(ssti_bf16) : sizeof(float));
}

static void copy_pixel(const pairing *p, const void *from, uint32_t *to) {
  const size_t bytes = (size_t)p->block * sizeof *to;
  for (int64_t c = 0; c < p->channels; c += p->block, to += p->distance) {
    if (from == NULL) {
      memset(to, 0, bytes);
    } else {
      memcpy(to, (const float *)from + c, bytes);
    }
  }
}

// Words of the pixels of a row at places from, from + 1, from + 2, ...; there is nothing outside [0, width).
static void pair_row(const pairing *p, const void *row, int64_t from, int64_t words, uint32_t *to) {
  for (int64_t j = 0; j < words; j++, to += p->block) {
    if (p->half) {
      p->simd->pair_bf16(p->channels, pixel(p, row, from + 2 * j), pixel(p, row, from + 2 * j + 1), p->block,
                         p->distance, to);
    } else {
      copy_pixel(p, pixel(p, row, from + j), to);
    }
  }
}

static const void *element(const ssti_conv2d *s, const void *tensor, int64_t at) {
  return (const char *)tensor + (size_t)at * (is_half(s) ? sizeof(ssti_bf16) : sizeof(float));
}

static void pair_pictures(const weights_work *w, int64_t first, int64_t count, uint32_t *x, uint32_t *dy) {
  const ssti_conv2d *s = w->s;
  const pairing of_x = {w->simd, is_half(s), s->in_w, s->in_c, LINE_INPUTS, x_block(s)};
  const pairing of_dy = {w->simd, is_half(s), s->out_w, s->out_c, OUTPUTS, dy_block(s)};
  for (int64_t r = 0; r < count * s->in_h; r++) {
    const void *row = element(s, w->x, (first * s->in_h + r) * s->in_w * s->in_c);
    uint32_t *to = x + r * x_row(s);
    pair_row(&of_x, row, -s->pad_w, even_of(s), to);
    pair_row(&of_x, row, 1 - s->pad_w, odd_of(s), to + even_of(s) * LINE_INPUTS);
  }
  for (int64_t r = 0; r < count * s->out_h; r++) {
    pair_row(&of_dy, element(s, w->dy, (first * s->out_h + r) * s->out_w * s->out_c), 0, pairs_of(s),
             dy + r * dy_row(s));
  }
}

// Rows of some pictures over which a tile's sums go, with distances in words.
typedef struct tile {
  int64_t pictures, rows, pairs;
  int64_t x_picture, x_row, dy_picture, dy_row;
} tile;

#ifdef __x86_64__
#include <immintrin.h>

#define EACH_INPUT(X) X(0) X(1) X(2) X(3)
// clang-format off
#define EACH_SUM(X) X(0, 0) X(0, 1) X(0, 2) X(0, 3) X(1, 0) X(1, 1) X(1, 2) X(1, 3) \
                    X(2, 0) X(2, 1) X(2, 2) X(2, 3) X(3, 0) X(3, 1) X(3, 2) X(3, 3)
// clang-format on

#define BEGIN(i, o) __m512 s##i##o = _mm512_setzero_ps();
#define END(i, o)                                                                                                      \
  _mm512_storeu_ps(sums + (i)*OUTPUTS + 16 * (o),                                                                      \
                   _mm512_add_ps(_mm512_loadu_ps(sums + (i)*OUTPUTS + 16 * (o)), s##i##o));
#define ASK(i, o) __builtin_prefetch(sums + (i)*OUTPUTS + 16 * (o), 1, 3);
// sums [INPUTS, OUTPUTS] += over the tile's words x [word, INPUTS] times dy [word, OUTPUTS], by what is defined for a
// word.
#define DEFINE_TILE(name, features)                                                                                    \
  __attribute__((target(features))) static void name(const tile *t, const uint32_t *x, const uint32_t *dy,             \
                                                     float *sums) {                                                    \
    EACH_SUM(ASK)                                                                                                      \
    EACH_SUM(BEGIN)                                                                                                    \
    for (int64_t p = 0; p < t->pictures; p++) {                                                                        \
      for (int64_t r = 0; r < t->rows; r++) {                                                                          \
        const uint32_t *at = x + p * t->x_picture + r * t->x_row, *from = dy + p * t->dy_picture + r * t->dy_row;      \
        for (int64_t j = 0; j < t->pairs; j++, at += LINE_INPUTS, from += OUTPUTS) {                                   \
          EACH_INPUT(GRADIENT)                                                                                         \
          EACH_INPUT(FETCH)                                                                                            \
          EACH_SUM(STEP)                                                                                               \
        }                                                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
    EACH_SUM(END)                                                                                                      \
  }

#define FETCH(i) const __m512bh x##i = (__m512bh)_mm512_set1_epi32((int)at[i]);
#define GRADIENT(o) const __m512bh g##o = (__m512bh)_mm512_loadu_si512(from + 16 * (o));
#define STEP(i, o) s##i##o = _mm512_dpbf16_ps(s##i##o, x##i, g##o);
DEFINE_TILE(add_half_tile, "avx512f,avx512bw,avx512bf16")
#undef FETCH
#undef GRADIENT
#undef STEP

#define FETCH(i) const __m512 x##i = _mm512_castsi512_ps(_mm512_set1_epi32((int)at[i]));
#define GRADIENT(o) const __m512 g##o = _mm512_castsi512_ps(_mm512_loadu_si512(from + 16 * (o)));
#define STEP(i, o) s##i##o = _mm512_fmadd_ps(x##i, g##o, s##i##o);
DEFINE_TILE(add_single_tile, "avx512f")
#undef FETCH
#undef GRADIENT
#undef STEP

static void add_tile(bool half, const tile *t, const uint32_t *x, const uint32_t *dy, float *sums) {
  if (half) {
    add_half_tile(t, x, dy, sums);
  } else {
    add_single_tile(t, x, dy, sums);
  }
}
#else
static void add_tile(bool half, const tile *t, const uint32_t *x, const uint32_t *dy, float *sums) {
  (void)half, (void)t, (void)x, (void)dy, (void)sums;
  assert(false); // ssti_dense_weights_possible
}
#endif

// Rows [row, row + rows) of `pictures` pictures, a block of inputs and one of outputs, all kernel positions.
static void add_band(const weights_work *w, int64_t pictures, int64_t row, int64_t rows, const uint32_t *x,
                     const uint32_t *dy, float *sums) {
  const ssti_conv2d *s = w->s;
  for (int64_t ky = 0; ky < s->kernel_h; ky++) {
    const int64_t begin = ssti_larger(row, s->pad_h - ky), end = ssti_smaller(row + rows, s->in_h + s->pad_h - ky);
    if (begin >= end) { continue; }
    const tile t = {.pictures = pictures,
                    .rows = end - begin,
                    .pairs = pairs_of(s),
                    .x_picture = s->in_h * x_row(s),
                    .x_row = x_row(s),
                    .dy_picture = s->out_h * dy_row(s),
                    .dy_row = dy_row(s)};
    const uint32_t *gradient = dy + begin * dy_row(s), *in_row = x + (begin + ky - s->pad_h) * x_row(s);
    for (int64_t kx = 0; kx < s->kernel_w; kx++) {
      const uint32_t *from = in_row + column_of(s, kx) * LINE_INPUTS;
      float *to = sums + (ky * s->kernel_w + kx) * s->in_c * OUTPUTS;
      for (int64_t i = 0; i < LINE_INPUTS; i += INPUTS) {
        add_tile(is_half(s), &t, from + i, gradient, to + i * OUTPUTS);
      }
    }
  }
}

static void add_pictures(const weights_work *w, int64_t count, const uint32_t *x, const uint32_t *dy, float *sums) {
  const ssti_conv2d *s = w->s;
  const int64_t together = ssti_smaller(ssti_larger(1, BAND_PAIRS / (s->out_h * pairs_of(s))), count);
  const int64_t rows = ssti_smaller(ssti_larger(1, BAND_PAIRS / pairs_of(s)), s->out_h);
  for (int64_t first = 0; first < count; first += together) {
    const int64_t pictures = ssti_smaller(together, count - first);
    const uint32_t *x_at = x + first * s->in_h * x_row(s), *dy_at = dy + first * s->out_h * dy_row(s);
    for (int64_t row = 0; row < s->out_h; row += rows) {
      for (int64_t out = 0; out < s->out_c; out += OUTPUTS) {
        for (int64_t in = 0; in < s->in_c; in += LINE_INPUTS) {
          add_band(w, pictures, row, ssti_smaller(rows, s->out_h - row), x_at + in / LINE_INPUTS * x_block(s),
                   dy_at + out / OUTPUTS * dy_block(s), sums + out * filter_of(s) + in * OUTPUTS);
        }
      }
    }
  }
}

static void weights_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const int64_t group = group_of(w->s);
  for (int64_t slot = begin; slot < end; slot++) {
    float *sums = (float *)(void *)(w->workspace + (size_t)slot * w->layout.all);
    uint32_t *x = (uint32_t *)(void *)((char *)sums + w->layout.sums);
    uint32_t *dy = (uint32_t *)(void *)((char *)x + w->layout.x);
    memset(sums, 0, w->layout.sums);
    const int64_t last = (slot + 1) * w->s->images / w->slots;
    for (int64_t first = slot * w->s->images / w->slots; first < last; first += group) {
      const int64_t count = ssti_smaller(group, last - first);
      pair_pictures(w, first, count, x, dy);
      add_pictures(w, count, x, dy, sums);
    }
  }
}

void ssti_dense_weights(ssti_backend *backend, const ssti_conv2d *s, const void *x, const void *dy, float *dweight,
                        bool accumulate, void *workspace) {
  weights_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                       .s = s,
                       .layout = slot_layout_of(s),
                       .slots = slots_of(backend, s),
                       .x = x,
                       .dy = dy,
                       .workspace = workspace};
  ssti_parallel_for(backend->context, work.slots, 1, weights_range, &work);
  ssti_event_join_sums(backend, s, 1.0f, workspace, work.slots, work.layout.all, dweight, accumulate);
}
