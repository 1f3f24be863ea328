// SPDX-License-Identifier: Apache-2.0
// Weights in a file: codes of b bits as a row of bits, the first in the lowest ones of the first byte, each in two's
// complement; ternary codes (2 bits) five in a byte instead, as the number sum of (code + 1) * 3^i, i = 0..4, below
// 243. Places after the last code hold 0 bits, in the ternary case code 0.
#ifndef SPIKESTILL_DEPLOY_INTEGER_PACK_H
#define SPIKESTILL_DEPLOY_INTEGER_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes that so many codes take.
size_t ssti_packed_bytes(int64_t count, int bits);

// `codes` lie within their bits; `packed` has room.
void ssti_pack_codes(const int8_t *codes, int64_t count, int bits, uint8_t *packed);

// False if the bytes are not what ssti_pack_codes makes of any codes; *bad is then the byte.
bool ssti_unpack_codes(const uint8_t *packed, int64_t count, int bits, int8_t *codes, size_t *bad);

#endif
