// SPDX-License-Identifier: Apache-2.0
// The smaller and the larger of two counts or sizes in bytes.
#ifndef SPIKESTILL_BASE_SIZES_H
#define SPIKESTILL_BASE_SIZES_H

#include <stddef.h>
#include <stdint.h>

static inline int64_t ssti_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t ssti_larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline size_t ssti_larger_size(size_t a, size_t b) { return a > b ? a : b; }

#endif
