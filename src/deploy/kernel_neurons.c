// SPDX-License-Identifier: Apache-2.0
// Neurons in 32-bit lanes: sixteen at a time through all steps where a level has such vectors, else plain loops that
// compilers vectorise.
#include "deploy/kernels.h"

#include <string.h>

#if SSTI_HAS_AVX512
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE int64_t step_lanes(const ssti_lane_neurons *parameters, bool hard, bool fits, bool scaled, int64_t count,
                          const int32_t *restrict z, const int32_t *restrict factor, const int32_t *restrict offset,
                          int32_t *restrict state, uint8_t *restrict spikes, int32_t *restrict membrane) {
  const ssti_lane_neurons n = *parameters;
  const uint32_t gain = n.gain, first = (uint32_t)offset[0];
  int32_t total = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t y = scaled ? (uint32_t)factor[i] * (uint32_t)z[i] + (uint32_t)offset[i] : (uint32_t)z[i] + first;
    const int32_t h = (int32_t)(((uint32_t)state[i] << n.state_shift) + gain * y);
    const int32_t s = h >= n.threshold;
    const int32_t u = hard ? h & (s - 1) : h - (n.threshold_step & -s);
    int32_t v;
    if (fits) {
      v = (n.decay * u + n.half) >> n.decay_shift;
      v = v > n.limit ? n.limit : v;
      v = v < -n.limit ? -n.limit : v;
    } else {
      int64_t product = ((int64_t)n.decay * u + n.half) >> n.decay_shift;
      product = product > n.limit ? n.limit : product;
      v = (int32_t)(product < -n.limit ? -n.limit : product);
    }
    state[i] = v;
    spikes[i] = (uint8_t)s;
    total += s;
    if (membrane != NULL) { membrane[i] = h; }
  }
  return total;
}

INLINE int64_t step_of_row(const ssti_lane_neurons *n, const ssti_lane_rows *r, int64_t row, int64_t step, bool hard,
                           bool fits, bool scaled, int32_t *membrane) {
  return step_lanes(n, hard, fits, scaled, r->count, r->z + row * r->z_stride + step * r->z_step, r->factor, r->offset,
                    r->state + row * r->state_stride, r->spikes + row * r->stride + step * r->step, membrane);
}

INLINE int64_t all_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r, bool hard, bool fits, bool scaled) {
  int64_t total = 0;
  for (int64_t i = 0; i < r->rows; i++) {
    for (int64_t t = 0; t < r->steps; t++) { total += step_of_row(n, r, i, t, hard, fits, scaled, NULL); }
  }
  return total;
}

static int64_t observed_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  int64_t total = 0;
  for (int64_t i = 0; i < r->rows; i++) {
    for (int64_t t = 0; t < r->steps; t++) {
      total += step_of_row(n, r, i, t, n->hard_reset, n->product_fits, r->factor != NULL,
                           r->membrane + i * r->stride + t * r->step);
    }
  }
  return total;
}

#if SSTI_HAS_AVX512
// Sixteen neurons through all steps, their states in a register; adds their spikes to the lanes of `total`.
INLINE void sixteen(const ssti_lane_neurons *n, const ssti_lane_rows *r, int64_t row, int64_t at, bool hard,
                    bool scaled, bool multiplied, __m512i *total) {
  const int64_t left = r->count - at;
  const __mmask16 lanes = (__mmask16)(left >= 16 ? 0xffff : (1 << left) - 1);
  const __m512i threshold = _mm512_set1_epi32(n->threshold), fall = _mm512_set1_epi32(n->threshold_step);
  const __m512i half = _mm512_set1_epi32(n->half), most = _mm512_set1_epi32(n->limit);
  const __m512i least = _mm512_set1_epi32(-n->limit), gain = _mm512_set1_epi32((int32_t)n->gain);
  const __m512i decay = _mm512_set1_epi32(n->decay), one = _mm512_set1_epi32(1);
  const __m128i up = _mm_cvtsi32_si128(n->state_shift), down = _mm_cvtsi32_si128(n->decay_shift);
  const __m512i factor = scaled ? _mm512_maskz_loadu_epi32(lanes, r->factor + at) : one;
  const __m512i offset = scaled ? _mm512_maskz_loadu_epi32(lanes, r->offset + at) : _mm512_set1_epi32(r->offset[0]);
  const int32_t *z = r->z + row * r->z_stride + at;
  uint8_t *spikes = r->spikes + row * r->stride + at;
  int32_t *state = r->state + row * r->state_stride + at;
  __m512i v = _mm512_maskz_loadu_epi32(lanes, state);
  for (int64_t t = 0; t < r->steps; t++, z += r->z_step, spikes += r->step) {
    __m512i y = _mm512_maskz_loadu_epi32(lanes, z);
    if (scaled) { y = _mm512_mullo_epi32(y, factor); }
    y = _mm512_add_epi32(y, offset);
    if (multiplied) { y = _mm512_mullo_epi32(y, gain); }
    const __m512i h = _mm512_add_epi32(_mm512_sll_epi32(v, up), y);
    // Two comparisons are cheaper than one mask turned around.
    const __mmask16 fired = _mm512_mask_cmpge_epi32_mask(lanes, h, threshold);
    const __m512i u = hard ? _mm512_maskz_mov_epi32(_mm512_cmplt_epi32_mask(h, threshold), h)
                           : _mm512_mask_sub_epi32(h, fired, h, fall);
    const __m512i product = multiplied ? _mm512_mullo_epi32(u, decay) : u;
    v = _mm512_sra_epi32(_mm512_add_epi32(product, half), down);
    v = _mm512_max_epi32(_mm512_min_epi32(v, most), least);
    _mm_mask_storeu_epi8(spikes, lanes, _mm_maskz_set1_epi8(fired, 1));
    *total = _mm512_mask_add_epi32(*total, fired, *total, one);
  }
  _mm512_mask_storeu_epi32(state, lanes, v);
}

INLINE int64_t by_sixteens(const ssti_lane_neurons *n, const ssti_lane_rows *r, bool hard, bool scaled,
                           bool multiplied) {
  __m512i total = _mm512_setzero_si512();
  for (int64_t i = 0; i < r->rows; i++) {
    for (int64_t at = 0; at < r->count; at += 16) { sixteen(n, r, i, at, hard, scaled, multiplied, &total); }
  }
  return _mm512_reduce_add_epi32(total);
}

// Where the product fits 32 bits. Most neurons have a gain and a decay of one, before their shifts.
static int64_t fitting_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  const bool multiplied = n->gain != 1 || n->decay != 1, scaled = r->factor != NULL;
  if (multiplied) { return by_sixteens(n, r, n->hard_reset, scaled, true); }
  if (n->hard_reset) { return scaled ? by_sixteens(n, r, true, true, false) : by_sixteens(n, r, true, false, false); }
  return by_sixteens(n, r, false, scaled, false);
}
#else
// Every combination that matters in the loop gets a loop of its own.
static int64_t fitting_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  if (n->hard_reset) {
    return r->factor != NULL ? all_rows(n, r, true, true, true) : all_rows(n, r, true, true, false);
  }
  return r->factor != NULL ? all_rows(n, r, false, true, true) : all_rows(n, r, false, true, false);
}
#endif

static int64_t neurons(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  if (r->membrane != NULL) { return observed_rows(n, r); }
  return n->product_fits ? fitting_rows(n, r) : all_rows(n, r, n->hard_reset, false, r->factor != NULL);
}

// Thirty-two bytes beside each other, then what is left.
typedef uint8_t bytes32 __attribute__((vector_size(32)));

INLINE void pool_row(int64_t count, const uint8_t *restrict x, uint8_t *restrict sum, bool first, bool largest) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    bytes32 a, b;
    memcpy(&a, x + i, sizeof a);
    memcpy(&b, sum + i, sizeof b);
    if (largest && !first) {
      const bytes32 above = (bytes32)(a > b);
      a = (a & above) | (b & ~above);
    } else if (!first) {
      a += b;
    }
    memcpy(sum + i, &a, sizeof a);
  }
  for (; i < count; i++) {
    const uint8_t joined = largest ? (x[i] > sum[i] ? x[i] : sum[i]) : (uint8_t)(sum[i] + x[i]);
    sum[i] = first ? x[i] : joined;
  }
}

static void pool_bytes(int64_t rows, int64_t count, const uint8_t *x, int64_t x_stride, uint8_t *sum,
                       int64_t sum_stride, bool first, bool largest) {
  for (int64_t r = 0; r < rows; r++, x += x_stride, sum += sum_stride) {
    if (first) {
      pool_row(count, x, sum, true, false);
    } else if (largest) {
      pool_row(count, x, sum, false, true);
    } else {
      pool_row(count, x, sum, false, false);
    }
  }
}

// y may be z.
static void affine(int64_t count, const int32_t *z, const int32_t *restrict factor, const int32_t *restrict offset,
                   int32_t *y) {
  for (int64_t i = 0; i < count; i++) { y[i] = (int32_t)((uint32_t)factor[i] * (uint32_t)z[i] + (uint32_t)offset[i]); }
}

void SSTI_KERNEL(ssti_kernel_fill_neurons)(ssti_kernels_of_level *table) {
  table->neurons = neurons;
  table->affine = affine;
  table->pool_bytes = pool_bytes;
}
