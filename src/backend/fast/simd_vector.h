// SPDX-License-Identifier: Apache-2.0
// The level's widest vector of f32, by the extension that gcc and clang share, at any place of memory. For simd_*.c
// only.
#ifndef SPIKESTILL_BACKEND_FAST_SIMD_VECTOR_H
#define SPIKESTILL_BACKEND_FAST_SIMD_VECTOR_H

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { LANES = VECTOR_BYTES / sizeof(float) };
typedef float vector __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

#endif
