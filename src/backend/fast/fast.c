// SPDX-License-Identifier: Apache-2.0
// Begins and ends the fast backend; chooses the level of the own kernels.
#include "backend/fast/fast.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#ifdef __x86_64__ // as in cmake/Simd.cmake
#define HAS_X86_LEVELS 1
#else
#define HAS_X86_LEVELS 0
#endif

static bool is_supported(ssti_simd_level level) {
  if (level == SSTI_SIMD_BASELINE) { return true; }
#if HAS_X86_LEVELS
  // The features that tell the levels of the x86-64 psABI apart; the others come with them on every CPU.
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
            __builtin_cpu_supports("bmi2");
  if (level == SSTI_SIMD_V3) { return v3; }
  if (level == SSTI_SIMD_V4) {
    return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
#endif
  return false;
}

const char *ssti_simd_word(ssti_simd_level level) {
  static const char *const words[SSTI_SIMD_LEVELS] = {"baseline", "x86-64-v3", "x86-64-v4"};
  return words[level];
}

ssti_simd_level ssti_simd_best(void) {
  ssti_simd_level level = SSTI_SIMD_BASELINE;
  for (int i = 0; i < SSTI_SIMD_LEVELS; i++) {
    if (is_supported((ssti_simd_level)i)) { level = (ssti_simd_level)i; }
  }
  return level;
}

bool ssti_simd_fill(ssti_simd_level level, ssti_simd *table) {
  if (!is_supported(level)) { return false; }
  *table = (ssti_simd){0}; // loops that a level lacks are NULL
  switch (level) {
#if HAS_X86_LEVELS
  case SSTI_SIMD_V3: ssti_simd_fill_v3(table); return true;
  case SSTI_SIMD_V4: ssti_simd_fill_v4(table); return true;
#else
  case SSTI_SIMD_V3:
  case SSTI_SIMD_V4: return false;
#endif
  case SSTI_SIMD_BASELINE: ssti_simd_fill_baseline(table); return true;
  case SSTI_SIMD_LEVELS: break;
  }
  return false;
}

static void note_bf16(ssti_backend *backend) {
  const bool has = ssti_bf16_is_supported() && ssti_fast_state_of(backend)->level == SSTI_SIMD_V4;
  backend->without[SST_PRECISION_BF16] = has ? NULL : "this CPU has no AVX512_BF16 instructions";
}

bool ssti_fast_force_level(ssti_backend *backend, ssti_simd_level level) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  if (!ssti_simd_fill(level, &state->simd)) { return false; }
  state->level = level;
  note_bf16(backend);
  return true;
}

static sst_status begin_dnnl(ssti_backend *backend) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  int before = ssti_fast_threads_enter(backend);
  dnnl_status_t status = dnnl_engine_create(&state->engine, dnnl_cpu, 0);
  if (status == dnnl_success) { status = dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags); }
  ssti_fast_threads_leave(before);
  if (status == dnnl_out_of_memory) {
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "oneDNN has no memory for its engine");
  }
  if (status != dnnl_success) {
    SST_FAIL(backend->context, SST_UNSUPPORTED, "oneDNN cannot make an engine for this CPU (its status %d)",
             (int)status);
  }
  return SST_OK;
}

sst_status ssti_fast_begin(ssti_backend *backend) {
  ssti_fast_state *state = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *state, &state));
  backend->state = state;
  state->reference = backend->kernels;
  state->level = ssti_simd_best();
  state->crossover = sst_context_crossover(backend->context);
  state->convolution = sst_context_convolution(backend->context);
  state->codes = sst_context_codes(backend->context);
  (void)ssti_simd_fill(state->level, &state->simd);
  note_bf16(backend);
  sst_status status = ssti_allocate_raw(backend->context, (size_t)2 * SSTI_FAST_CHUNKS * SSTI_FAST_PARTIAL_COLUMNS,
                                        sizeof *state->partial, &state->partial);
  if (status == SST_OK) {
    status =
        ssti_allocate(backend->context, (size_t)3 * SSTI_FAST_PARTIAL_COLUMNS, sizeof *state->columns, &state->columns);
  }
  if (status == SST_OK) { status = begin_dnnl(backend); }
  if (status != SST_OK) {
    ssti_fast_end(backend);
    return status;
  }
  ssti_kernels *kernels = &backend->kernels;
  kernels->name = "cpu";
  kernels->plan_destroy = ssti_fast_plan_destroy;
  ssti_fast_fill_conv2d(kernels);
  ssti_fast_fill_linear(kernels);
  ssti_fast_fill_pool(kernels);
  ssti_fast_fill_batch_norm(kernels);
  ssti_fast_fill_neuron(kernels);
  ssti_fast_fill_norm_neuron(kernels);
  ssti_fast_fill_binary(kernels);
  ssti_fast_fill_flat(kernels);
  ssti_fast_fill_quantize(kernels);
  ssti_fast_fill_reduce(kernels);
  ssti_log(backend->context, SST_LOG_DEBUG, "backend cpu: own kernels for %s, oneDNN %d.%d.%d, %d threads",
           ssti_simd_word(state->level), dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch,
           sst_context_threads(backend->context));
  return SST_OK;
}

void ssti_fast_end(ssti_backend *backend) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  if (state == NULL) { return; }
  if (state->stream != NULL) { (void)dnnl_stream_destroy(state->stream); }
  if (state->engine != NULL) { (void)dnnl_engine_destroy(state->engine); }
  ssti_free(backend->context, state->partial);
  ssti_free(backend->context, state->columns);
  ssti_free(backend->context, state);
  backend->state = NULL;
}
