// SPDX-License-Identifier: Apache-2.0
// Words of kernels and levels, and which levels this processor has.

#include "base/text.h"
#include "deploy/engine_parts.h"

static const char *const kernel_words[] = {
#define KERNEL_WORD(name, word, text) word,
    SST_ENGINE_KERNEL_LIST(KERNEL_WORD)
#undef KERNEL_WORD
};
static const char *const level_words[] = {
#define LEVEL_WORD(name, word, text) word,
    SST_ENGINE_LEVEL_LIST(LEVEL_WORD)
#undef LEVEL_WORD
};

const char *sst_engine_kernel_word(sst_engine_kernel kernel) {
  return (unsigned)kernel < SST_ENGINE_KERNEL_COUNT ? kernel_words[kernel] : "unknown";
}

bool sst_engine_kernel_parse(const char *word, sst_engine_kernel *out) {
  const int found = ssti_find_word(word, kernel_words, SST_ENGINE_KERNEL_COUNT);
  if (found >= 0) { *out = (sst_engine_kernel)found; }
  return found >= 0;
}

const char *sst_engine_level_word(sst_engine_level level) {
  return (unsigned)level < SST_ENGINE_LEVEL_COUNT ? level_words[level] : "unknown";
}

bool sst_engine_level_parse(const char *word, sst_engine_level *out) {
  const int found = ssti_find_word(word, level_words, SST_ENGINE_LEVEL_COUNT);
  if (found >= 0) { *out = (sst_engine_level)found; }
  return found >= 0;
}

static bool is_supported(sst_engine_level level) {
  if (level == SST_ENGINE_LEVEL_PLAIN) { return true; }
#ifdef __x86_64__ // as in cmake/Simd.cmake
  if (level == SST_ENGINE_LEVEL_NEON) { return false; }
  // The features that tell the levels apart; the others come with them on every processor.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  if (level == SST_ENGINE_LEVEL_AVX2) { return avx2; }
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vbmi2");
#else
#ifdef __aarch64__
  return level == SST_ENGINE_LEVEL_NEON;
#else
  return false;
#endif
#endif
}

bool ssti_engine_level_fill(sst_engine_level level, ssti_kernels_of_level *table) {
  if (!is_supported(level)) { return false; }
  switch (level) {
#ifdef __x86_64__
  case SST_ENGINE_LEVEL_AVX512: ssti_kernel_fill_avx512(table); return true;
  case SST_ENGINE_LEVEL_AVX2: ssti_kernel_fill_avx2(table); return true;
#else
  case SST_ENGINE_LEVEL_AVX512:
  case SST_ENGINE_LEVEL_AVX2: return false;
#endif
#ifdef __aarch64__
  case SST_ENGINE_LEVEL_NEON: ssti_kernel_fill_neon(table); return true;
#else
  case SST_ENGINE_LEVEL_NEON: return false;
#endif
  case SST_ENGINE_LEVEL_PLAIN: ssti_kernel_fill_plain(table); return true;
  case SST_ENGINE_LEVEL_COUNT: break;
  }
  return false;
}

sst_engine_level sst_engine_best_level(void) {
  sst_engine_level best = SST_ENGINE_LEVEL_PLAIN;
  for (int i = 0; i < SST_ENGINE_LEVEL_COUNT; i++) {
    if (is_supported((sst_engine_level)i)) { best = (sst_engine_level)i; }
  }
  return best;
}
