// SPDX-License-Identifier: Apache-2.0
// Between bytes and bits: planes of bytes, and 64 x 64 bits turned around.
#include "deploy/kernels.h"

#include <string.h>

#if SSTI_HAS_AVX512
#include <immintrin.h>

static void pack(int64_t count, const uint8_t *x, int plane, uint64_t *bits) {
  const __m512i bit = _mm512_set1_epi8((char)(1 << plane));
  for (int64_t i = 0; i < count; i += 64) {
    const __mmask64 valid = count - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (count - i)) - 1;
    *bits++ = _mm512_test_epi8_mask(_mm512_maskz_loadu_epi8(valid, x + i), bit);
  }
}

static void unpack(int64_t count, int planes, const uint64_t *bits, uint8_t *x) {
  const __mmask64 valid = count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
  __m512i bytes = _mm512_setzero_si512();
  for (int plane = 0; plane < planes; plane++) {
    bytes = _mm512_or_si512(bytes, _mm512_maskz_set1_epi8(bits[64 * plane], (char)(1 << plane)));
  }
  _mm512_mask_storeu_epi8(x, valid, bytes);
}
#else
// Eight bytes, bit 0 of each, to one byte: the multiplication puts byte i's bit at place 56 + i.
static uint64_t gather8(const uint8_t *x, int plane) {
  uint64_t eight;
  memcpy(&eight, x, sizeof eight);
  return ((eight >> plane & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

static void pack(int64_t count, const uint8_t *x, int plane, uint64_t *bits) {
  for (int64_t i = 0; i < count; i += 64) {
    uint64_t word = 0;
    for (int64_t k = i; k < i + 64 && k < count; k += 8) {
      if (count - k >= 8) {
        word |= gather8(x + k, plane) << (k - i);
      } else {
        uint8_t rest[8] = {0};
        memcpy(rest, x + k, (size_t)(count - k));
        word |= gather8(rest, plane) << (k - i);
      }
    }
    *bits++ = word;
  }
}

static void unpack(int64_t count, int planes, const uint64_t *bits, uint8_t *x) {
  for (int64_t i = 0; i < count; i++) {
    unsigned sum = 0;
    for (int plane = 0; plane < planes; plane++) { sum |= (unsigned)(bits[64 * plane] >> i & 1) << plane; }
    x[i] = (uint8_t)sum;
  }
}
#endif

static void pack_wide(int64_t count, const int32_t *x, uint32_t bias, int plane, uint64_t *bits) {
  for (int64_t i = 0; i < count; i += 64) {
    uint64_t word = 0;
    for (int64_t k = i; k < i + 64 && k < count; k++) {
      word |= (uint64_t)(((uint32_t)x[k] + bias) >> plane & 1) << (k - i);
    }
    *bits++ = word;
  }
}

// Halves, quarters, ... change places across the diagonal.
static void transpose64(uint64_t a[64]) {
  uint64_t mask = UINT64_C(0x00000000ffffffff);
  for (int width = 32; width > 0; width /= 2, mask ^= mask << width) {
    for (int i = 0; i < 64; i += 2 * width) {
      for (int k = i; k < i + width; k++) {
        const uint64_t swap = (a[k] >> width ^ a[k + width]) & mask;
        a[k] ^= swap << width;
        a[k + width] ^= swap;
      }
    }
  }
}

void SSTI_KERNEL(ssti_kernel_fill_pack)(ssti_kernels_of_level *table) {
  table->pack = pack;
  table->pack_wide = pack_wide;
  table->unpack = unpack;
  table->transpose64 = transpose64;
}
