// SPDX-License-Identifier: Apache-2.0
// Gradients of weights for few output channels, or with strides: for each kernel position dW [in, out] = sum over
// pixels of x^T dy. The instruction adds products of two pixels at once, so pixels lie in pairs: dy as
// [row][pair][out][2], x once for each kernel column, as the pixels that it makes meet those of dy:
// [column][row][pair][in][2]. Then strides make no difference. Of a band of rows the sums of all kernel columns and
// some inputs stay in registers; threads have sums of their own, laid out as the blocks of event.h and added in order
// at the end.
#include "backend/fast/fast_bf16_slim.h"

#include <string.h>

#include "backend/fast/fast_event.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  LANES = 16,
  MOST_COLUMNS = 3,      // of the kernel
  BAND_BYTES = 24 << 10, // of pairs
  PAIRED_BYTES = 1 << 20 // of a picture
};

static int64_t filter_of(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w * s->in_c; }

// Pairs of a row, and words of a row of x for one kernel column, and of dy.
static int64_t pairs_of(const ssti_conv2d *s) { return (s->out_w + 1) / 2; }
static int64_t x_row(const ssti_conv2d *s) { return pairs_of(s) * s->in_c; }
static int64_t dy_row(const ssti_conv2d *s) { return pairs_of(s) * s->out_c; }

// Pixels of a row with its padding, as far as pairs see it or it goes.
static int64_t line_of(const ssti_conv2d *s) {
  return ssti_larger(s->in_w + 2 * s->pad_w, (2 * pairs_of(s) - 1) * s->stride_w + s->kernel_w);
}

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct slot_layout {
  size_t sums, x, dy, line, all;
} slot_layout;

static slot_layout slot_layout_of(const ssti_conv2d *s) {
  const int64_t line = ssti_larger(line_of(s) * s->in_c, 2 * pairs_of(s) * s->out_c);
  slot_layout l = {.sums = ssti_fast_round_up((size_t)(filter_of(s) * s->out_c) * sizeof(float)),
                   .x = ssti_fast_round_up((size_t)(s->kernel_w * s->in_h * x_row(s)) * sizeof(uint32_t)),
                   .dy = ssti_fast_round_up((size_t)(s->out_h * dy_row(s)) * sizeof(uint32_t)),
                   .line = ssti_fast_round_up((size_t)line * sizeof(ssti_bf16))};
  l.all = l.sums + l.x + l.dy + l.line;
  return l;
}

static int64_t slots_of(const ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_smaller(sst_context_threads(backend->context), s->images);
}

bool ssti_bf16_slim_weights_possible(const ssti_backend *backend, const ssti_conv2d *s) {
  const bool fits = backend->without[SST_PRECISION_BF16] == NULL && s->precision == SST_PRECISION_BF16 &&
                    s->groups == 1 && s->dilation_h == 1 && s->dilation_w == 1 && s->in_c % LANES == 0 &&
                    (s->kernel_w == 1 || s->kernel_w == MOST_COLUMNS);
  const bool strides = s->stride_h > 1 || s->stride_w > 1; // without, fast_dense_weights.c is for 64 outputs
  if (!fits || !(s->out_c == 16 || s->out_c == 32 || (s->out_c == 64 && strides))) { return false; }
  const slot_layout l = slot_layout_of(s);
  return l.x + l.dy <= PAIRED_BYTES;
}

size_t ssti_bf16_slim_weights_workspace(const ssti_backend *backend, const ssti_conv2d *s) {
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

// Some output rows, for one kernel row: distances in words.
typedef struct band {
  int64_t rows, pairs;
  int64_t x_column, x_row, x_pair; // from one kernel column to the next; between output rows; between pairs
  int64_t dy_row;
  int64_t sum_column; // in floats, from one kernel column to the next
} band;

// Elements of a row as bf16.
static void take_row(const weights_work *w, const void *tensor, ssti_type type, int64_t at, int64_t count,
                     ssti_bf16 *to) {
  if (type == SSTI_BF16) {
    memcpy(to, (const ssti_bf16 *)tensor + at, (size_t)count * sizeof *to);
  } else {
    w->simd->narrow(count, (const float *)tensor + at, to);
  }
}

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define INLINE TARGET static inline __attribute__((always_inline))
// Sums stay in registers only where loops over them are gone.
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 24")
#endif

// Pixels `distance` elements apart, side by side; from one pair to the next it is twice that.
TARGET static void pair_pixels(const ssti_bf16 *row, int64_t pairs, int64_t distance, int64_t channels, uint32_t *to) {
  for (int64_t j = 0; j < pairs; j++, row += 2 * distance) {
    for (int64_t c = 0; c < channels; c += LANES, to += LANES) {
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(row + c)));
      const __m512i high =
          _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(row + c + distance)));
      _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

// sums [columns][inputs, vectors * LANES] += over the band's pairs x [columns][pair, inputs] times dy [pair, outputs].
INLINE void add_tile(const band *b, int columns, int inputs, int vectors, const uint32_t *x, const uint32_t *dy,
                     float *sums) {
  __m512 sum[24];
  UNROLLED for (int i = 0; i < columns * inputs * vectors; i++) { sum[i] = _mm512_setzero_ps(); }
  for (int64_t r = 0; r < b->rows; r++) {
    const uint32_t *at = x + r * b->x_row, *from = dy + r * b->dy_row;
    const uint32_t *at1 = at + b->x_column, *at2 = at1 + b->x_column;
    for (int64_t j = 0; j < b->pairs;
         j++, at += b->x_pair, at1 += b->x_pair, at2 += b->x_pair, from += vectors * LANES) {
      __m512bh gradient[4];
      UNROLLED for (int v = 0; v < vectors; v++) { gradient[v] = (__m512bh)_mm512_loadu_si512(from + v * LANES); }
      UNROLLED for (int i = 0; i < columns * inputs; i++) {
        const uint32_t *column = i < inputs ? at : i < 2 * inputs ? at1 : at2;
        const __m512bh both = (__m512bh)_mm512_set1_epi32((int)column[i % inputs]);
        UNROLLED for (int v = 0; v < vectors; v++) {
          sum[i * vectors + v] = _mm512_dpbf16_ps(sum[i * vectors + v], gradient[v], both);
        }
      }
    }
  }
  UNROLLED for (int i = 0; i < columns * inputs * vectors; i++) {
    float *to = sums + (i / (inputs * vectors)) * b->sum_column + (i % (inputs * vectors)) * LANES;
    _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum[i]));
  }
}

INLINE void add_inputs(const band *b, int columns, int inputs, int vectors, int64_t in_c, const uint32_t *x,
                       const uint32_t *dy, float *sums) {
  for (int64_t i = 0; i < in_c; i += inputs) {
    add_tile(b, columns, inputs, vectors, x + i, dy, sums + i * vectors * LANES);
  }
}

TARGET static void add_band(const ssti_conv2d *s, const band *b, const uint32_t *x, const uint32_t *dy, float *sums) {
  const bool one = s->kernel_w == 1;
  switch (s->out_c) {
  case 16: one ? add_inputs(b, 1, 16, 1, s->in_c, x, dy, sums) : add_inputs(b, 3, 8, 1, s->in_c, x, dy, sums); break;
  case 32: one ? add_inputs(b, 1, 8, 2, s->in_c, x, dy, sums) : add_inputs(b, 3, 4, 2, s->in_c, x, dy, sums); break;
  case 64: one ? add_inputs(b, 1, 4, 4, s->in_c, x, dy, sums) : add_inputs(b, 3, 2, 4, s->in_c, x, dy, sums); break;
  default: assert(false);
  }
}
#else
static void pair_pixels(const ssti_bf16 *row, int64_t pairs, int64_t distance, int64_t channels, uint32_t *to) {
  (void)row, (void)pairs, (void)distance, (void)channels, (void)to;
  assert(false); // ssti_bf16_slim_weights_possible
}
static void add_band(const ssti_conv2d *s, const band *b, const uint32_t *x, const uint32_t *dy, float *sums) {
  (void)s, (void)b, (void)x, (void)dy, (void)sums;
  assert(false);
}
#endif

// `line` is zero where padding is.
static void pair_x(const weights_work *w, int64_t image, ssti_bf16 *line, uint32_t *x) {
  const ssti_conv2d *s = w->s;
  const int64_t width = s->in_w * s->in_c;
  memset(line, 0, w->layout.line);
  for (int64_t r = 0; r < s->in_h; r++) {
    take_row(w, w->x, s->in_type, (image * s->in_h + r) * width, width, line + s->pad_w * s->in_c);
    for (int64_t kx = 0; kx < s->kernel_w; kx++) {
      pair_pixels(line + kx * s->in_c, pairs_of(s), s->stride_w * s->in_c, s->in_c, x + (kx * s->in_h + r) * x_row(s));
    }
  }
}

static void pair_dy(const weights_work *w, int64_t image, ssti_bf16 *line, uint32_t *dy) {
  const ssti_conv2d *s = w->s;
  const int64_t width = s->out_w * s->out_c;
  memset(line, 0, w->layout.line);
  for (int64_t r = 0; r < s->out_h; r++) {
    take_row(w, w->dy, s->out_type, (image * s->out_h + r) * width, width, line);
    pair_pixels(line, pairs_of(s), s->out_c, s->out_c, dy + r * dy_row(s));
  }
}

// Output rows [row, row + rows), as far as kernel row ky sees the picture there.
static void add_rows(const ssti_conv2d *s, int64_t ky, int64_t row, int64_t rows, const uint32_t *x, const uint32_t *dy,
                     float *sums) {
  int64_t begin = row, end = row + rows;
  while (begin < end && begin * s->stride_h + ky < s->pad_h) { begin++; }
  while (end > begin && (end - 1) * s->stride_h + ky - s->pad_h >= s->in_h) { end--; }
  if (begin == end) { return; }
  const band b = {.rows = end - begin,
                  .pairs = pairs_of(s),
                  .x_column = s->in_h * x_row(s),
                  .x_row = s->stride_h * x_row(s),
                  .x_pair = s->in_c,
                  .dy_row = dy_row(s),
                  .sum_column = s->in_c * s->out_c};
  add_band(s, &b, x + (begin * s->stride_h + ky - s->pad_h) * x_row(s), dy + begin * dy_row(s),
           sums + ky * s->kernel_w * s->in_c * s->out_c);
}

static void weights_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const ssti_conv2d *s = w->s;
  const int64_t row_words = s->kernel_w * s->stride_h * x_row(s) + dy_row(s);
  const int64_t rows = ssti_larger(1, BAND_BYTES / (row_words * (int64_t)sizeof(uint32_t)));
  for (int64_t slot = begin; slot < end; slot++) {
    float *sums = (float *)(void *)(w->workspace + (size_t)slot * w->layout.all);
    uint32_t *x = (uint32_t *)(void *)((char *)sums + w->layout.sums);
    uint32_t *dy = (uint32_t *)(void *)((char *)x + w->layout.x);
    ssti_bf16 *line = (ssti_bf16 *)(void *)((char *)dy + w->layout.dy);
    memset(sums, 0, w->layout.sums);
    const int64_t last = (slot + 1) * s->images / w->slots;
    for (int64_t image = slot * s->images / w->slots; image < last; image++) {
      pair_x(w, image, line, x);
      pair_dy(w, image, line, dy);
      for (int64_t row = 0; row < s->out_h; row += rows) {
        for (int64_t ky = 0; ky < s->kernel_h; ky++) {
          add_rows(s, ky, row, ssti_smaller(rows, s->out_h - row), x, dy, sums);
        }
      }
    }
  }
}

void ssti_bf16_slim_weights(ssti_backend *backend, const ssti_conv2d *s, const void *x, const void *dy, float *dweight,
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
