// SPDX-License-Identifier: Apache-2.0
#include "deploy/integer_pack.h"

#include <string.h>

enum { TRITS = 5, TRITS_END = 243 };
static const int powers[TRITS] = {1, 3, 9, 27, 81};

size_t ssti_packed_bytes(int64_t count, int bits) {
  return bits == 2 ? (size_t)((count + TRITS - 1) / TRITS) : (size_t)((count * bits + 7) / 8);
}

static void pack_ternary(const int8_t *codes, int64_t count, uint8_t *packed) {
  for (int64_t i = 0; i < count; i += TRITS) {
    int byte = 0;
    for (int k = 0; k < TRITS; k++) { byte += (i + k < count ? codes[i + k] + 1 : 1) * powers[k]; }
    packed[i / TRITS] = (uint8_t)byte;
  }
}

static bool unpack_ternary(const uint8_t *packed, int64_t count, int8_t *codes, size_t *bad) {
  for (int64_t i = 0; i < count; i += TRITS) {
    *bad = (size_t)(i / TRITS);
    int byte = packed[*bad];
    if (byte >= TRITS_END) { return false; }
    for (int k = 0; k < TRITS; k++, byte /= 3) {
      const int code = byte % 3 - 1;
      if (i + k < count) {
        codes[i + k] = (int8_t)code;
      } else if (code != 0) {
        return false;
      }
    }
  }
  return true;
}

void ssti_pack_codes(const int8_t *codes, int64_t count, int bits, uint8_t *packed) {
  if (bits == 2) {
    pack_ternary(codes, count, packed);
    return;
  }
  memset(packed, 0, ssti_packed_bytes(count, bits));
  const unsigned mask = (1u << bits) - 1;
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i * bits;
    const unsigned code = ((unsigned)codes[i] & mask) << (at % 8);
    packed[at / 8] |= (uint8_t)code;
    if (code > 0xff) { packed[at / 8 + 1] |= (uint8_t)(code >> 8); }
  }
}

bool ssti_unpack_codes(const uint8_t *packed, int64_t count, int bits, int8_t *codes, size_t *bad) {
  if (bits == 2) { return unpack_ternary(packed, count, codes, bad); }
  const size_t bytes = ssti_packed_bytes(count, bits);
  const int largest = (1 << (bits - 1)) - 1;
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i * bits;
    *bad = (size_t)(at / 8);
    const unsigned word = packed[*bad] | (unsigned)(*bad + 1 < bytes ? packed[*bad + 1] : 0) << 8;
    int code = (int)(word >> (at % 8) & ((1u << bits) - 1));
    if (code > largest) { code -= 1 << bits; }
    if (code < -largest) { return false; } // the grids are symmetric
    codes[i] = (int8_t)code;
  }
  const int left = (int)(count * bits % 8);
  if (left == 0) { return true; }
  *bad = bytes - 1;
  return packed[*bad] >> left == 0;
}
