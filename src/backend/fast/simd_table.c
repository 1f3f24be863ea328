// SPDX-License-Identifier: Apache-2.0
#include "backend/fast/simd.h"

void SSTI_SIMD(ssti_simd_fill)(ssti_simd *table) {
#define SSTI_SIMD_FILL_CALL(name) SSTI_SIMD(ssti_simd_fill_##name)(table);
  SSTI_SIMD_FILL_LIST(SSTI_SIMD_FILL_CALL)
#undef SSTI_SIMD_FILL_CALL
}
