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

// The five codes of every byte: a look-up and a copy take a tenth of the time of five divisions.
static void list_trits(int8_t trits[TRITS_END][TRITS]) {
  for (int byte = 0; byte < TRITS_END; byte++) {
    for (int k = 0, rest = byte; k < TRITS; k++, rest /= 3) { trits[byte][k] = (int8_t)(rest % 3 - 1); }
  }
}

static bool unpack_ternary(const uint8_t *packed, int64_t count, int8_t *codes, size_t *bad) {
  int8_t trits[TRITS_END][TRITS];
  list_trits(trits);
  const int64_t whole = count / TRITS;
  for (int64_t i = 0; i < whole; i++) {
    *bad = (size_t)i;
    if (packed[i] >= TRITS_END) { return false; }
    memcpy(codes + i * TRITS, trits[packed[i]], TRITS);
  }
  if (whole * TRITS == count) { return true; }
  *bad = (size_t)whole;
  if (packed[whole] >= TRITS_END) { return false; }
  for (int k = 0; k < TRITS; k++) {
    const int8_t code = trits[packed[whole]][k];
    if (whole * TRITS + k < count) {
      codes[whole * TRITS + k] = code;
    } else if (code != 0) {
      return false;
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
