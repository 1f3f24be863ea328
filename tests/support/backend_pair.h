// SPDX-License-Identifier: Apache-2.0
// The fast backend beside the reference, for tests that hold one against the other. Outputs are NaN and workspaces garbage
// before a kernel runs, and the bytes after a workspace are watched.
#ifndef SPIKESTILL_TESTS_BACKEND_PAIR_H
#define SPIKESTILL_TESTS_BACKEND_PAIR_H

#include "backend/fast/fast.h"
#include "support.h"

typedef struct pair {
  sst_context *context;
  ssti_backend *fast, *reference;
} pair;

static inline pair pair_make(sst_context *context) {
  pair p = {.context = context};
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU, &p.fast));
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &p.reference));
  return p;
}

static inline void pair_end(pair *p) {
  ssti_backend_destroy(p->fast);
  ssti_backend_destroy(p->reference);
}

enum { CANARY = 256 };

static inline void *memory_of(size_t bytes) {
  char *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + CANARY);
  assert_non_null(memory);
  memset(memory, 0xff, (bytes + 63) / 64 * 64 + CANARY); // as f32: NaN
  return memory;
}

static inline float *floats(int64_t count) { return memory_of((size_t)count * sizeof(float)); }

static inline void check_canary(const void *memory, size_t bytes) {
  const unsigned char *after = (const unsigned char *)memory + (bytes + 63) / 64 * 64;
  for (int i = 0; i < CANARY; i++) { assert_int_equal(after[i], 0xff); }
}

// Whole numbers, or normal ones.
static inline float *filled(int64_t count, bool whole, uint64_t stream) {
  float *data = floats(count);
  if (whole) {
    fill_integers(data, count, 3, stream);
  } else {
    fill_normal(data, count, 1.0f, stream);
  }
  return data;
}

// What a gradient is added to, or NaN, which must disappear.
static inline float *target(int64_t count, bool accumulate, bool whole) {
  return accumulate ? filled(count, whole, 99) : floats(count);
}

static inline void compare(const float *found, const float *expected, int64_t count, double tolerance, const char *what) {
  support_assert_all_near(found, expected, count, tolerance, tolerance, what, __FILE__, __LINE__);
}

// Runs a statement for each level.
#define EACH_LEVEL(p, level)                                                                                           \
  for (int level = 0; level < SSTI_SIMD_LEVELS; level++)                                                               \
    if (ssti_fast_force_level((p)->fast, (ssti_simd_level)level))

static inline int64_t output_length(int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

static inline ssti_conv2d conv(int64_t images, int64_t h, int64_t w, int64_t in, int64_t out, int64_t kh, int64_t kw,
                        int64_t stride, int64_t pad, int64_t dilation, int64_t groups) {
  ssti_conv2d s = {.images = images, .in_h = h, .in_w = w, .in_c = in, .out_c = out, .kernel_h = kh, .kernel_w = kw,
                   .stride_h = stride, .stride_w = stride, .pad_h = pad, .pad_w = pad, .dilation_h = dilation,
                   .dilation_w = dilation, .groups = groups};
  s.out_h = output_length(h, kh, stride, pad, dilation);
  s.out_w = output_length(w, kw, stride, pad, dilation);
  return s;
}

// Rounding of a sum of `terms` products of normal numbers: far below epsilon (6e-8) times the sum of their sizes.
static inline double sum_tolerance(bool whole, int64_t terms) { return whole ? 0.0 : 2e-7 * sqrt((double)terms) * 8 + 1e-6; }

#endif
