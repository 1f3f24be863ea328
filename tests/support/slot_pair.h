// SPDX-License-Identifier: Apache-2.0
// A backend beside the reference, for tests that hold one against the other: the functions that do not care which
// backend it is. Outputs are NaN and workspaces garbage before a kernel runs, and the bytes after a workspace are
// watched.
//
// backend_pair.h (the fast CPU backend) and cuda_pair.h (CUDA) include this and define pair_make and EACH_LEVEL; the
// suites in slots_*.h are written against those, so that each backend's test takes the suites of the slots it has.
#ifndef SPIKESTILL_TESTS_SLOT_PAIR_H
#define SPIKESTILL_TESTS_SLOT_PAIR_H

#include "backend/backend.h"
#include "support.h"

typedef struct pair {
  sst_context *context;
  ssti_backend *tested, *reference;
} pair;

static inline void pair_end(pair *p) {
  ssti_backend_destroy(p->tested);
  ssti_backend_destroy(p->reference);
}

// Until the tested backend has done what it was asked for.
static inline void pair_wait(pair *p);

// Memory that both backends can use, from outside (memory_of) and back (release).
static inline void *memory_of(size_t bytes);
static inline void release(void *memory);

enum { CANARY = 256 };

// Fills it and what is behind it with 0xff, as f32 NaN.
static inline void *memory_marked(void *memory, size_t bytes) {
  if (memory == NULL) { fail_msg("there is no memory for %zu bytes", bytes); }
  memset(memory, 0xff, (bytes + 63) / 64 * 64 + CANARY);
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

static inline void compare(const float *found, const float *expected, int64_t count, double tolerance,
                           const char *what) {
  support_assert_all_near(found, expected, count, tolerance, tolerance, what, __FILE__, __LINE__);
}

static inline int64_t output_length(int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

static inline ssti_conv2d conv(int64_t images, int64_t h, int64_t w, int64_t in, int64_t out, int64_t kh, int64_t kw,
                               int64_t stride, int64_t pad, int64_t dilation, int64_t groups) {
  ssti_conv2d s = {.images = images,
                   .in_h = h,
                   .in_w = w,
                   .in_c = in,
                   .out_c = out,
                   .kernel_h = kh,
                   .kernel_w = kw,
                   .stride_h = stride,
                   .stride_w = stride,
                   .pad_h = pad,
                   .pad_w = pad,
                   .dilation_h = dilation,
                   .dilation_w = dilation,
                   .groups = groups};
  s.out_h = output_length(h, kh, stride, pad, dilation);
  s.out_w = output_length(w, kw, stride, pad, dilation);
  return s;
}

static inline ssti_linear linear(int64_t rows, int64_t in, int64_t out) {
  return (ssti_linear){.rows = rows, .in = in, .out = out};
}

// One of the neurons that suites sweep: bits of `flags` are hard reset, detached reset and decayed input; `number`
// counts the cases and decides what needs no combination of its own, where it resets to and the grid of its membrane.
static inline sst_neuron numbered_neuron(sst_neuron_kind kind, int flags, int surrogate, int64_t number) {
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = kind;
  neuron.decay = 0.7f;
  neuron.initial_membrane = surrogate % 2 ? 0.5f : 0.0f;
  neuron.hard_reset = flags & 1;
  neuron.v_reset = neuron.hard_reset && number % 3 == 0 ? -0.25f : 0.0f;
  neuron.detach_reset = flags & 2;
  neuron.decay_input = flags & 4;
  neuron.surrogate = (sst_surrogate_kind)surrogate;
  neuron.alpha = sst_surrogate_default_alpha(neuron.surrogate);
  neuron.membrane_bits = number % 4 == 2 && neuron.v_reset == 0.0f ? 2 + (int)(number % 5) : 0;
  return neuron;
}

// Rounding of a sum of `terms` products of normal numbers: far below epsilon (6e-8) times the sum of their sizes.
static inline double sum_tolerance(bool whole, int64_t terms) {
  return whole ? 0.0 : 2e-7 * sqrt((double)terms) * 8 + 1e-6;
}

#endif
