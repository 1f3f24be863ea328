// SPDX-License-Identifier: Apache-2.0
// bf16: whether the CPU multiplies it, how fast at most, and whole tensors from and to f32.
#include "backend/fast/fast.h"
#include "base/parallel.h"

enum { GRAIN = 65536 }; // elements that are worth a thread

typedef struct convert_work {
  const ssti_simd *simd;
  const void *from;
  void *to;
} convert_work;

static void narrow_range(void *arg, int64_t begin, int64_t end) {
  const convert_work *w = arg;
  w->simd->narrow(end - begin, (const float *)w->from + begin, (ssti_bf16 *)w->to + begin);
}

static void widen_range(void *arg, int64_t begin, int64_t end) {
  const convert_work *w = arg;
  w->simd->widen(end - begin, (const ssti_bf16 *)w->from + begin, (float *)w->to + begin);
}

static void add_range(void *arg, int64_t begin, int64_t end) {
  const convert_work *w = arg;
  w->simd->add_bf16(end - begin, (const ssti_bf16 *)w->from + begin, (ssti_bf16 *)w->to + begin);
}

static void convert(ssti_backend *backend, int64_t count, const void *from, void *to, ssti_range_function *range) {
  convert_work work = {.simd = &ssti_fast_state_of(backend)->simd, .from = from, .to = to};
  ssti_parallel_for(backend->context, count, GRAIN, range, &work);
}

void ssti_fast_narrow(ssti_backend *backend, int64_t count, const float *x, ssti_bf16 *y) {
  convert(backend, count, x, y, narrow_range);
}

void ssti_fast_widen(ssti_backend *backend, int64_t count, const ssti_bf16 *x, float *y) {
  convert(backend, count, x, y, widen_range);
}

void ssti_fast_add_bf16(ssti_backend *backend, int64_t count, const ssti_bf16 *x, ssti_bf16 *y) {
  convert(backend, count, x, y, add_range);
}

#ifdef __x86_64__
#include <immintrin.h>

bool ssti_bf16_is_supported(void) { return ssti_simd_best() == SSTI_SIMD_V4 && __builtin_cpu_supports("avx512bf16"); }

// As the chains of simd_ceiling.c: twelve hide the latency. A product of two vectors is 32 multiply-adds.
#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
__attribute__((target("avx512f,avx512bf16"))) float ssti_bf16_chains(int64_t rounds) {
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f7f), b = (__m512bh)_mm512_set1_epi16(0x3a83);
#define CHAIN_BEGIN(i) __m512 v##i = _mm512_set1_ps((float)(i));
#define CHAIN_STEP(i) v##i = _mm512_dpbf16_ps(v##i, a, b);
#define CHAIN_ADD(i) sum = _mm512_add_ps(sum, v##i);
  EACH_CHAIN(CHAIN_BEGIN)
  for (int64_t r = 0; r < rounds; r++) { EACH_CHAIN(CHAIN_STEP) }
  __m512 sum = _mm512_setzero_ps();
  EACH_CHAIN(CHAIN_ADD)
  return _mm512_reduce_add_ps(sum);
}
#else
bool ssti_bf16_is_supported(void) { return false; }
float ssti_bf16_chains(int64_t rounds) { return 0.0f * (float)rounds; }
#endif
