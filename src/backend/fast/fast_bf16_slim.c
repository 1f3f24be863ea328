// SPDX-License-Identifier: Apache-2.0
// Forward. The instruction adds products of two numbers beside each other: two channels of a pixel, which lie so
// already. Each picture is laid out once with its padding, in the first- or second-level cache; a tile of outputs of
// one row stays in registers over all kernel positions, whose channels are one run of memory for each kernel row.
#include "backend/fast/fast_bf16_slim.h"

#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"

enum {
  LANES = 16,
  MOST_OUTPUTS = 32,
  MOST_INPUTS = 64,
  PICTURE_BYTES = 256 << 10 // laid out
};

static int64_t row_of(const ssti_conv2d *s) { return (s->in_w + 2 * s->pad_w) * s->in_c; }
static int64_t picture_of(const ssti_conv2d *s) { return (s->in_h + 2 * s->pad_h) * row_of(s); }
static size_t picture_bytes(const ssti_conv2d *s) {
  return ssti_fast_round_up((size_t)picture_of(s) * sizeof(ssti_bf16));
}
static int64_t filter_of(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w * s->in_c; }
static size_t weight_bytes(const ssti_conv2d *s) {
  return ssti_fast_round_up((size_t)(filter_of(s) * s->out_c) * sizeof(ssti_bf16));
}

static int64_t slots_of(const ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_smaller(sst_context_threads(backend->context), s->images);
}

bool ssti_bf16_slim_possible(const ssti_backend *backend, const ssti_conv2d *s) {
  return backend->without[SST_PRECISION_BF16] == NULL && s->precision == SST_PRECISION_BF16 && s->groups == 1 &&
         s->dilation_h == 1 && s->dilation_w == 1 && s->stride_w <= 2 && s->in_c % LANES == 0 &&
         s->in_c <= MOST_INPUTS && (s->out_c == LANES || s->out_c == MOST_OUTPUTS) && picture_bytes(s) <= PICTURE_BYTES;
}

size_t ssti_bf16_slim_workspace(const ssti_backend *backend, const ssti_conv2d *s) {
  return weight_bytes(s) + (size_t)slots_of(backend, s) * picture_bytes(s);
}

typedef struct slim_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  int64_t slots;
  const void *x;
  const uint32_t *weights; // [kernel_h, kernel_w, in_c / 2, out_c] pairs
  const float *bias;       // or NULL
  void *y;
  bool add;
  char *pictures;
} slim_work;

// ---- weights

static uint32_t pair_of(float low, float high) { return ssti_bf16_of(low) | (uint32_t)ssti_bf16_of(high) << 16; }

static void lay_out_weights(const ssti_conv2d *s, bool turned, const float *weight, uint32_t *to) {
  const int64_t places = s->kernel_h * s->kernel_w, filter = filter_of(s);
  for (int64_t p = 0; p < places; p++) {
    for (int64_t c = 0; c < s->in_c; c += 2) {
      for (int64_t o = 0; o < s->out_c; o++) {
        // Turned, the rows of weights are what goes in, and their columns what comes out.
        const float *from =
            turned ? weight + (c * places + places - 1 - p) * s->out_c + o : weight + o * filter + p * s->in_c + c;
        *to++ = pair_of(from[0], from[turned ? places * s->out_c : 1]);
      }
    }
  }
}

// ---- pictures

static bool is_seen(const ssti_conv2d *s, int64_t padded_row) { return padded_row % s->stride_h < s->kernel_h; }

// The padding is zero already.
static void lay_out_picture(const slim_work *w, int64_t image, ssti_bf16 *to) {
  const ssti_conv2d *s = w->s;
  const int64_t line = s->in_w * s->in_c;
  for (int64_t r = 0; r < s->in_h; r++) {
    if (!is_seen(s, r + s->pad_h)) { continue; }
    ssti_bf16 *at = to + (r + s->pad_h) * row_of(s) + s->pad_w * s->in_c;
    const int64_t from = (image * s->in_h + r) * line;
    if (s->in_type == SSTI_BF16) {
      memcpy(at, (const ssti_bf16 *)w->x + from, (size_t)line * sizeof *at);
    } else {
      w->simd->narrow(line, (const float *)w->x + from, at);
    }
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
#define UNROLLED _Pragma("GCC unroll 16")
#endif

INLINE void put(const slim_work *w, int64_t at, int64_t channel, __m512 sum) {
  if (w->bias != NULL) { sum = _mm512_add_ps(sum, _mm512_loadu_ps(w->bias + channel)); }
  if (w->s->out_type == SSTI_F32) {
    float *y = (float *)w->y + at + channel;
    _mm512_storeu_ps(y, w->add ? _mm512_add_ps(_mm512_loadu_ps(y), sum) : sum);
    return;
  }
  ssti_bf16 *y = (ssti_bf16 *)w->y + at + channel;
  if (w->add) {
    const __m512i there = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)y));
    sum = _mm512_add_ps(_mm512_castsi512_ps(_mm512_slli_epi32(there, 16)), sum);
  }
  _mm256_storeu_si256((__m256i *)(void *)y, (__m256i)_mm512_cvtneps_pbh(sum));
}

// `pixels` outputs of a row, of `vectors` times LANES channels each; `step`: from the input of one to that of the next.
INLINE void tile(const slim_work *w, int pixels, int vectors, int64_t step, const ssti_bf16 *x, int64_t at) {
  const ssti_conv2d *s = w->s;
  const int64_t run = s->kernel_w * s->in_c, row = row_of(s);
  const uint32_t *weights = w->weights;
  __m512 sum[16];
  UNROLLED for (int i = 0; i < pixels * vectors; i++) { sum[i] = _mm512_setzero_ps(); }
  for (int64_t ky = 0; ky < s->kernel_h; ky++, x += row) {
    for (int64_t c = 0; c < run; c += 2, weights += vectors * LANES) {
      __m512bh weight[2];
      UNROLLED for (int v = 0; v < vectors; v++) { weight[v] = (__m512bh)_mm512_loadu_si512(weights + v * LANES); }
      UNROLLED for (int p = 0; p < pixels; p++) {
        int32_t pair;
        memcpy(&pair, x + c + p * step, sizeof pair);
        const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
        UNROLLED for (int v = 0; v < vectors; v++) {
          sum[p * vectors + v] = _mm512_dpbf16_ps(sum[p * vectors + v], weight[v], both);
        }
      }
    }
  }
  UNROLLED for (int i = 0; i < pixels * vectors; i++) {
    put(w, at + (int64_t)(i / vectors) * s->out_c, (int64_t)(i % vectors) * LANES, sum[i]);
  }
}

// A row of outputs in tiles of 16, 8, 4, 2, 1 pixels, which are half as wide with twice the channels.
INLINE void output_row(const slim_work *w, int vectors, int64_t step, const ssti_bf16 *x, int64_t at) {
  const ssti_conv2d *s = w->s;
  int64_t ox = 0;
#define TILES(count)                                                                                                   \
  for (; ox + (count) <= s->out_w; ox += (count)) { tile(w, count, vectors, step, x + ox * step, at + ox * s->out_c); }
  if (vectors == 1) { TILES(16) }
  TILES(8)
  TILES(4)
  TILES(2)
  TILES(1)
#undef TILES
}

INLINE void picture(const slim_work *w, int vectors, int64_t step, const ssti_bf16 *x, int64_t image) {
  const ssti_conv2d *s = w->s;
  for (int64_t oy = 0; oy < s->out_h; oy++) {
    output_row(w, vectors, step, x + oy * s->stride_h * row_of(s), (image * s->out_h + oy) * s->out_w * s->out_c);
  }
}

// The step as a constant, so that a tile's addresses need no registers.
#define EACH_STEP(X) X(16) X(32) X(48) X(64) X(96) X(128)
TARGET static void any_picture(const slim_work *w, const ssti_bf16 *x, int64_t image) {
  const bool one = w->s->out_c == LANES;
  switch (w->s->stride_w * w->s->in_c) {
#define STEP_CASE(n)                                                                                                   \
  case n:                                                                                                              \
    if (one) {                                                                                                         \
      picture(w, 1, n, x, image);                                                                                      \
    } else {                                                                                                           \
      picture(w, 2, n, x, image);                                                                                      \
    }                                                                                                                  \
    return;
    EACH_STEP(STEP_CASE)
  default: assert(false);
  }
}
#else
static void any_picture(const slim_work *w, const ssti_bf16 *x, int64_t image) {
  (void)w, (void)x, (void)image;
  assert(false); // ssti_bf16_slim_possible
}
#endif

static void pictures_range(void *arg, int64_t begin, int64_t end) {
  const slim_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) {
    ssti_bf16 *x = (ssti_bf16 *)(void *)(w->pictures + (size_t)slot * picture_bytes(w->s));
    memset(x, 0, picture_bytes(w->s));
    const int64_t last = (slot + 1) * w->s->images / w->slots;
    for (int64_t image = slot * w->s->images / w->slots; image < last; image++) {
      lay_out_picture(w, image, x);
      any_picture(w, x, image);
    }
  }
}

void ssti_bf16_slim_forward(ssti_backend *backend, const ssti_conv2d *s, bool turned, const void *x,
                            const float *weight, const float *bias, void *y, bool add, void *workspace) {
  uint32_t *weights = workspace;
  lay_out_weights(s, turned, weight, weights);
  slim_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .s = s,
                    .slots = slots_of(backend, s),
                    .x = x,
                    .weights = weights,
                    .bias = bias,
                    .y = y,
                    .add = add,
                    .pictures = (char *)workspace + weight_bytes(s)};
  ssti_parallel_for(backend->context, work.slots, 1, pictures_range, &work);
}
