// SPDX-License-Identifier: Apache-2.0
// IF, LIF and PLIF over T steps. A block of neurons goes through all steps with its state in the first-level cache, so
// each element of the tensors is touched once. Backward runs the block forward again, keeping H, and walks back.
// Order of operations is that of neuron_reference.c: both backends fire on the same steps and give the same gradients.
#include <string.h>

#include "backend/fast/simd.h"
#include "neuron/surrogate.h"

enum { BLOCK = SSTI_SIMD_NEURON_BLOCK };

#define INLINE static inline __attribute__((always_inline))

INLINE float reset(const ssti_dynamics *d, bool hard, float h, float s) {
  return hard ? ssti_reset_hard(d, h, s) : ssti_reset_soft(h, d->threshold, s);
}

// Asks for the next block's part of a row while this block's is worked on: there are as many streams as rows, more than
// the hardware follows by itself. Measured: backward takes half the time on tensors larger than the caches.
INLINE void fetch_for_reading(const ssti_neuron_block *b, const float *row) {
  if (b->begin + 2 * BLOCK > b->count) { return; }
  for (int i = 0; i < BLOCK; i += 16) { __builtin_prefetch(row + BLOCK + i, 0, 3); }
}
INLINE void fetch_for_writing(const ssti_neuron_block *b, const float *row) {
  if (b->begin + 2 * BLOCK > b->count) { return; }
  for (int i = 0; i < BLOCK; i += 16) { __builtin_prefetch(row + BLOCK + i, 1, 3); }
}

// Stored states on a grid take a pass of their own over the block, which is in the first-level cache, so that the loops
// of the other neurons stay as they are.
INLINE void store(const ssti_dynamics *d, int64_t n, float *restrict u) {
  for (int64_t i = 0; i < n; i++) { u[i] = ssti_stored(d, u[i]); }
}

// Gradient of what is stored to gradient of u after the reset.
INLINE void through_storing(const ssti_dynamics *d, bool hard, int64_t n, const float *restrict h, float *restrict du) {
  for (int64_t i = 0; i < n; i++) {
    const float u = reset(d, hard, h[i], ssti_fire(h[i], d->threshold));
    du[i] = ssti_keep_if(ssti_is_inside(d, u), d->stored_decay * du[i]);
  }
}

// The dynamics are copied: the compiler then knows that no store to a tensor changes them.
INLINE void forward_block(const ssti_neuron_block *b, bool hard) {
  const ssti_dynamics d = *b->dynamics;
  const int64_t stride = b->input_steps == 1 ? 0 : b->count, n = b->length;
  float state[BLOCK];
  const float start = ssti_start(&d);
  for (int64_t i = 0; i < n; i++) { state[i] = b->resumes ? b->state[b->begin + i] : start; }
  for (int64_t t = 0; t < b->steps; t++) {
    const float *restrict x = b->x + t * stride + b->begin;
    float *restrict spikes = b->spikes + t * b->count + b->begin;
    float *restrict u = state;
    fetch_for_reading(b, x);
    fetch_for_writing(b, spikes);
    if (b->membrane == NULL) {
      for (int64_t i = 0; i < n; i++) {
        const float h = ssti_charge(&d, u[i], x[i]), s = ssti_fire(h, d.threshold);
        spikes[i] = s;
        u[i] = reset(&d, hard, h, s);
      }
    } else {
      float *restrict membrane = b->membrane + t * b->count + b->begin;
      for (int64_t i = 0; i < n; i++) {
        const float h = ssti_charge(&d, u[i], x[i]), s = ssti_fire(h, d.threshold);
        membrane[i] = h;
        spikes[i] = s;
        u[i] = reset(&d, hard, h, s);
      }
    }
    if (d.stores) { store(&d, n, state); }
  }
  if (b->state != NULL) { memcpy(b->state + b->begin, state, (size_t)n * sizeof *state); }
}

static void neuron_forward(const ssti_neuron_block *b) {
  if (b->dynamics->hard_reset) {
    forward_block(b, true);
  } else {
    forward_block(b, false);
  }
}

// H of every step into b->potential.
INLINE void recompute(const ssti_neuron_block *b, const ssti_dynamics *dynamics, bool hard) {
  const ssti_dynamics d = *dynamics;
  const int64_t stride = b->input_steps == 1 ? 0 : b->count, n = b->length;
  float state[BLOCK];
  const float start = ssti_start(&d);
  for (int64_t i = 0; i < n; i++) { state[i] = start; }
  for (int64_t t = 0; t < b->steps; t++) {
    const float *restrict x = b->x + t * stride + b->begin;
    float *restrict h = b->potential + t * BLOCK;
    float *restrict u = state;
    fetch_for_reading(b, x);
    for (int64_t i = 0; i < n; i++) {
      h[i] = ssti_charge(&d, u[i], x[i]);
      u[i] = reset(&d, hard, h[i], ssti_fire(h[i], d.threshold));
    }
    if (d.stores) { store(&d, n, state); }
  }
}

// PLIF: dleak += dH * dH/dleak at one step; `before` is H of the step before, NULL at the first.
static void add_dleak(const ssti_dynamics *dynamics, int64_t n, const float *restrict dh, const float *restrict before,
                      const float *restrict x, double *restrict dleak) {
  const ssti_dynamics d = *dynamics;
  float slope[BLOCK];
  for (int64_t i = 0; i < n; i++) { slope[i] = ssti_keep_if(d.gain_is_leak, x[i]); }
  if (before != NULL) {
    for (int64_t i = 0; i < n; i++) {
      const float s = ssti_fire(before[i], d.threshold);
      const float hard = ssti_reset_hard(&d, before[i], s), soft = ssti_reset_soft(before[i], d.threshold, s);
      const float u = d.hard_reset ? hard : soft;
      slope[i] -= ssti_keep_if(!d.stores | ssti_is_inside(&d, u), u - d.rest);
    }
  }
  if (before == NULL) {
    for (int64_t i = 0; i < n; i++) { slope[i] -= ssti_keep_if(!d.stores | ssti_is_inside(&d, d.start), d.start - d.rest); }
  }
  for (int64_t i = 0; i < n; i++) { dleak[i] += (double)dh[i] * (double)slope[i]; }
}

INLINE void backward_block(const ssti_neuron_block *b, sst_surrogate_kind kind, bool hard, bool detach) {
  const ssti_dynamics d = *b->dynamics;
  const int64_t stride = b->input_steps == 1 ? 0 : b->count, n = b->length;
  float du_row[BLOCK], dh_row[BLOCK], zeros[BLOCK], dx_sum[BLOCK];
  double dleak[BLOCK];
  memset(du_row, 0, sizeof du_row);
  memset(zeros, 0, sizeof zeros);
  memset(dx_sum, 0, sizeof dx_sum);
  if (b->dleak != NULL) { memset(dleak, 0, sizeof dleak); }
  recompute(b, &d, hard);
  for (int64_t t = b->steps - 1; t >= 0; t--) {
    const int64_t at = t * b->count + b->begin;
    const float *restrict h = b->potential + t * BLOCK;
    const float *dspikes = b->dspikes != NULL ? b->dspikes + at : zeros;
    const float *dmembrane = b->dmembrane != NULL ? b->dmembrane + at : zeros;
    float *restrict du = du_row, *restrict dh = dh_row;
    if (d.stores) { through_storing(&d, hard, n, h, du_row); }
    if (b->dspikes != NULL) { fetch_for_reading(b, dspikes); }
    if (b->dx != NULL && stride != 0) { fetch_for_writing(b, b->dx + at); }
    for (int64_t i = 0; i < n; i++) {
      const float g = ssti_derivative(kind, d.alpha, h[i] - d.threshold), s = ssti_fire(h[i], d.threshold);
      float ds = dspikes[i];
      if (!detach) { ds = hard ? ds + du[i] * (d.reset_to - h[i]) : ds - du[i] * d.threshold; }
      dh[i] = dmembrane[i] + ds * g + (hard ? du[i] * (1.0f - s) : du[i]);
      du[i] = d.decay * dh[i];
    }
    if (b->dleak != NULL) {
      add_dleak(&d, n, dh, t > 0 ? h - BLOCK : NULL, b->x + t * stride + b->begin, dleak);
    }
    if (b->dx == NULL) { continue; }
    float *restrict dx = stride == 0 ? dx_sum : b->dx + at;
    if (stride == 0 || b->accumulate_dx) {
      for (int64_t i = 0; i < n; i++) { dx[i] += d.gain * dh[i]; }
    } else {
      for (int64_t i = 0; i < n; i++) { dx[i] = d.gain * dh[i]; }
    }
  }
  if (stride == 0 && b->dx != NULL) {
    float *restrict dx = b->dx + b->begin;
    for (int64_t i = 0; i < n; i++) { dx[i] = b->accumulate_dx ? dx[i] + dx_sum[i] : dx_sum[i]; }
  }
  if (b->dleak != NULL) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) { sum += dleak[i]; }
    *b->dleak = sum;
  }
}

// One function a surrogate, four loops in it.
#define DEFINE_BACKWARD(name, word, default_alpha, derivative, primitive)                                              \
  static void backward_##name(const ssti_neuron_block *b) {                                                            \
    if (b->dynamics->hard_reset) {                                                                                     \
      if (b->dynamics->detach_reset) {                                                                                 \
        backward_block(b, SST_SURROGATE_##name, true, true);                                                           \
      } else {                                                                                                         \
        backward_block(b, SST_SURROGATE_##name, true, false);                                                          \
      }                                                                                                                \
    } else if (b->dynamics->detach_reset) {                                                                            \
      backward_block(b, SST_SURROGATE_##name, false, true);                                                            \
    } else {                                                                                                           \
      backward_block(b, SST_SURROGATE_##name, false, false);                                                           \
    }                                                                                                                  \
  }
SST_SURROGATE_LIST(DEFINE_BACKWARD)
#undef DEFINE_BACKWARD

static void neuron_backward(const ssti_neuron_block *b) {
  switch (b->dynamics->surrogate) {
#define CALL_BACKWARD(name, word, default_alpha, derivative, primitive)                                                \
  case SST_SURROGATE_##name: backward_##name(b); return;
    SST_SURROGATE_LIST(CALL_BACKWARD)
#undef CALL_BACKWARD
  case SST_SURROGATE_COUNT: break;
  }
  assert(false);
}

void SSTI_SIMD(ssti_simd_fill_neuron)(ssti_simd *table) {
  table->neuron_forward = neuron_forward;
  table->neuron_backward = neuron_backward;
}
