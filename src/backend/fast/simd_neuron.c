// SPDX-License-Identifier: Apache-2.0
// IF, LIF and PLIF over T steps. A block of neurons goes through all steps with its state in the first-level cache, so
// each element of the tensors is touched once. Backward runs the block forward again, keeping H, and walks back.
// Order of operations is that of neuron_reference.c: both backends fire on the same steps and give the same gradients.
// The common case is in simd_neuron_columns.c; here are the others, and the neurons that it leaves at the end of a
// block.
#include "backend/fast/simd_neuron.h"

#include <string.h>

#include "neuron/surrogate.h"

enum { BLOCK = SSTI_SIMD_NEURON_BLOCK };

#define INLINE static inline __attribute__((always_inline))

INLINE float reset(const ssti_dynamics *d, bool hard, float h, float s) {
  return hard ? ssti_reset_hard(d, h, s) : ssti_reset_soft(h, d->threshold, s);
}

// Asks for the next block's part of a row while this block's is worked on: there are as many streams as rows, more than
// the hardware follows by itself. Measured: backward takes half the time on tensors larger than the caches.
INLINE void fetch_for_reading(const ssti_neuron_block *b, const float *row) {
  if (b->begin + 2 * b->length > b->count) { return; }
  for (int64_t i = 0; i < b->length; i += 16) { __builtin_prefetch(row + b->length + i, 0, 3); }
}
INLINE void fetch_for_writing(const ssti_neuron_block *b, const float *row) {
  if (b->begin + 2 * b->length > b->count) { return; }
  for (int64_t i = 0; i < b->length; i += 16) { __builtin_prefetch(row + b->length + i, 1, 3); }
}

// Stored states on a grid take a pass of their own over the block, which is in the first-level cache, so that the loops
// of the other neurons stay as they are.
INLINE void store(const ssti_dynamics *d, bool smooth, int64_t n, float *restrict u) {
  if (smooth) { // without the rounding: the straight-through gradient is the derivative of that
    for (int64_t i = 0; i < n; i++) {
      u[i] = ssti_clip_symmetric(ssti_in_steps(d, u[i]), d->grid_largest) * d->grid_step;
    }
  } else {
    for (int64_t i = 0; i < n; i++) { u[i] = ssti_stored(d, u[i]); }
  }
}

INLINE float fire(const ssti_dynamics *d, bool smooth, float h) {
  return smooth ? ssti_primitive(d->surrogate, d->alpha, h - d->threshold) : ssti_fire(h, d->threshold);
}

// Gradient of what is stored to gradient of u after the reset.
INLINE void through_storing(const ssti_dynamics *d, bool smooth, bool hard, int64_t n, const float *restrict h,
                            float *restrict du) {
  for (int64_t i = 0; i < n; i++) {
    const float u = reset(d, hard, h[i], fire(d, smooth, h[i]));
    du[i] = ssti_keep_if(ssti_is_inside(d, u), d->stored_decay * du[i]);
  }
}

// Elements of x between one step and the next.
INLINE int64_t input_stride(const ssti_neuron_block *b) { return b->input_steps == 1 ? 0 : b->count; }

// What goes into the neurons at step t: the block's part of x, or that through the norm, which is put into `row`. These
// are the three operations of batch norm alone.
static const float *input_row(const ssti_neuron_block *b, int64_t t, float *restrict row) {
  const int64_t n = b->length;
  const float *x = b->x + t * input_stride(b) + b->begin;
  if (t == 0 || b->input_steps > 1) { fetch_for_reading(b, x); }
  if (b->norm == NULL) { return x; }
  if (t > 0 && b->input_steps == 1) { return row; } // it is there already
  const float *restrict mean = b->norm->mean, *restrict factor = b->norm->factor, *restrict offset = b->norm->offset;
  for (int64_t i = 0; i < n; i++) { row[i] = (x[i] - mean[i]) * factor[i] + offset[i]; }
  return row;
}

// The dynamics are copied: the compiler then knows that no store to a tensor changes them.
INLINE void forward_block(const ssti_neuron_block *b, bool hard, bool smooth) {
  const ssti_dynamics d = *b->dynamics;
  const int64_t n = b->length;
  float state[BLOCK], normed[BLOCK];
  for (int64_t i = 0; i < n; i++) { state[i] = d.start; }
  if (d.stores) { store(&d, smooth, n, state); }
  if (b->resumes) { memcpy(state, b->state + b->begin, (size_t)n * sizeof *state); }
  for (int64_t t = 0; t < b->steps; t++) {
    const float *restrict x = input_row(b, t, normed);
    float *restrict spikes = b->spikes + t * b->count + b->begin;
    float *restrict u = state;
    fetch_for_writing(b, spikes);
    if (b->membrane == NULL) {
      for (int64_t i = 0; i < n; i++) {
        const float h = ssti_charge(&d, u[i], x[i]), s = fire(&d, smooth, h);
        spikes[i] = s;
        u[i] = reset(&d, hard, h, s);
      }
    } else {
      float *restrict membrane = b->membrane + t * b->count + b->begin;
      for (int64_t i = 0; i < n; i++) {
        const float h = ssti_charge(&d, u[i], x[i]), s = fire(&d, smooth, h);
        membrane[i] = h;
        spikes[i] = s;
        u[i] = reset(&d, hard, h, s);
      }
    }
    if (d.stores) { store(&d, smooth, n, state); }
  }
  if (b->state != NULL) { memcpy(b->state + b->begin, state, (size_t)n * sizeof *state); }
}

// The block without its first `columns` neurons.
static ssti_neuron_block rest_of(const ssti_neuron_block *b, int64_t columns, ssti_block_norm *norm) {
  ssti_neuron_block rest = *b;
  rest.begin += columns;
  rest.length -= columns;
  if (b->norm == NULL) { return rest; }
  *norm = *b->norm;
  const float **numbers[] = {&norm->mean,    &norm->factor, &norm->offset, &norm->gradient_factor,
                             &norm->mean_dy, &norm->slope};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (*numbers[i] != NULL) { *numbers[i] += columns; }
  }
  if (norm->sum_dy != NULL) { norm->sum_dy += columns, norm->sum_dy_centred += columns; }
  rest.norm = norm;
  return rest;
}

static void forward_rows(const ssti_neuron_block *b) {
  if (b->smooth) {
    forward_block(b, b->dynamics->hard_reset, true);
  } else if (b->dynamics->hard_reset) {
    forward_block(b, true, false);
  } else {
    forward_block(b, false, false);
  }
}

static void neuron_forward(const ssti_neuron_block *b) {
  const int64_t columns = SSTI_SIMD(ssti_neuron_columns)(b);
  if (columns > 0) { SSTI_SIMD(ssti_neuron_columns_forward)(b, columns); }
  if (columns == b->length) { return; }
  ssti_block_norm norm;
  const ssti_neuron_block rest = rest_of(b, columns, &norm);
  forward_rows(&rest);
}

// H of every step into b->potential.
INLINE void recompute_as(const ssti_neuron_block *b, bool hard, bool smooth) {
  const ssti_dynamics d = *b->dynamics;
  const int64_t n = b->length;
  float state[BLOCK], normed[BLOCK];
  for (int64_t i = 0; i < n; i++) { state[i] = d.start; }
  if (d.stores) { store(&d, smooth, n, state); }
  for (int64_t t = 0; t < b->steps; t++) {
    const float *restrict x = input_row(b, t, normed);
    float *restrict h = b->potential + t * BLOCK;
    float *restrict u = state;
    for (int64_t i = 0; i < n; i++) {
      h[i] = ssti_charge(&d, u[i], x[i]);
      u[i] = reset(&d, hard, h[i], fire(&d, smooth, h[i]));
    }
    if (d.stores) { store(&d, smooth, n, state); }
  }
}

static void recompute(const ssti_neuron_block *b) {
  if (b->smooth) {
    recompute_as(b, b->dynamics->hard_reset, true);
  } else if (b->dynamics->hard_reset) {
    recompute_as(b, true, false);
  } else {
    recompute_as(b, false, false);
  }
}

// PLIF: dleak += dH * dH/dleak at one step; `before` is H of the step before, NULL at the first; x is what went in.
static void add_dleak(const ssti_dynamics *dynamics, bool smooth, int64_t n, const float *restrict dh,
                      const float *restrict before, const float *restrict x, double *restrict dleak) {
  const ssti_dynamics d = *dynamics;
  float slope[BLOCK], spikes[BLOCK];
  for (int64_t i = 0; i < n; i++) { slope[i] = ssti_keep_if(d.gain_is_leak, x[i]); }
  if (before == NULL) {
    for (int64_t i = 0; i < n; i++) {
      slope[i] -= ssti_keep_if(!d.stores | ssti_is_inside(&d, d.start), d.start - d.rest);
    }
  } else {
    if (smooth) {
      for (int64_t i = 0; i < n; i++) { spikes[i] = fire(&d, true, before[i]); }
    } else {
      for (int64_t i = 0; i < n; i++) { spikes[i] = ssti_fire(before[i], d.threshold); }
    }
    for (int64_t i = 0; i < n; i++) {
      const float s = spikes[i];
      const float hard = ssti_reset_hard(&d, before[i], s), soft = ssti_reset_soft(before[i], d.threshold, s);
      const float u = d.hard_reset ? hard : soft;
      slope[i] -= ssti_keep_if(!d.stores | ssti_is_inside(&d, u), u - d.rest);
    }
  }
  for (int64_t i = 0; i < n; i++) { dleak[i] += (double)dh[i] * (double)slope[i]; }
}

// The gradient of what went in at step t is gain * g; from here it goes on through the norm, or into its sums.
static void put_gradient(const ssti_neuron_block *b, int64_t t, float gain, const float *restrict g) {
  const int64_t n = b->length, at = t * input_stride(b) + b->begin;
  const ssti_block_norm *norm = b->norm;
  if (norm != NULL && norm->sum_dy != NULL) {
    const float *restrict x = b->x + at, *restrict mean = norm->mean;
    float *restrict sum = norm->sum_dy, *restrict centred = norm->sum_dy_centred;
    for (int64_t i = 0; i < n; i++) {
      const float dy = gain * g[i];
      sum[i] += dy;
      centred[i] += dy * (x[i] - mean[i]);
    }
    for (int64_t i = 0; b->dx != NULL && i < n; i++) { b->dx[at + i] = gain * g[i]; }
    return;
  }
  if (b->dx == NULL) { return; }
  float *restrict dx = b->dx + at;
  fetch_for_writing(b, dx);
  if (norm == NULL) {
    if (b->accumulate_dx) {
      for (int64_t i = 0; i < n; i++) { dx[i] += gain * g[i]; }
    } else {
      for (int64_t i = 0; i < n; i++) { dx[i] = gain * g[i]; }
    }
    return;
  }
  const float *restrict x = b->x + at, *restrict mean = norm->mean, *restrict factor = norm->gradient_factor;
  const float *restrict mean_dy = norm->mean_dy, *restrict slope = norm->slope;
  if (b->accumulate_dx) {
    for (int64_t i = 0; i < n; i++) { dx[i] += factor[i] * ((gain * g[i] - mean_dy[i]) - (x[i] - mean[i]) * slope[i]); }
  } else {
    for (int64_t i = 0; i < n; i++) { dx[i] = factor[i] * ((gain * g[i] - mean_dy[i]) - (x[i] - mean[i]) * slope[i]); }
  }
}

INLINE void backward_block(const ssti_neuron_block *b, sst_surrogate_kind kind, bool hard, bool detach, bool smooth) {
  const ssti_dynamics d = *b->dynamics;
  const int64_t n = b->length;
  float du_row[BLOCK], dh_row[BLOCK], zeros[BLOCK], dh_sum[BLOCK], normed[BLOCK];
  double dleak[BLOCK];
  memset(du_row, 0, sizeof du_row);
  if (b->dspikes == NULL || b->dmembrane == NULL) { memset(zeros, 0, sizeof zeros); }
  if (b->input_steps == 1) { memset(dh_sum, 0, sizeof dh_sum); }
  if (b->dleak != NULL) { memset(dleak, 0, sizeof dleak); }
  recompute(b);
  for (int64_t t = b->steps - 1; t >= 0; t--) {
    const int64_t at = t * b->count + b->begin;
    const float *restrict h = b->potential + t * BLOCK;
    const float *dspikes = b->dspikes != NULL ? b->dspikes + at : zeros;
    const float *dmembrane = b->dmembrane != NULL ? b->dmembrane + at : zeros;
    float *restrict du = du_row, *restrict dh = dh_row;
    if (d.stores) { through_storing(&d, smooth, hard, n, h, du_row); }
    if (b->dspikes != NULL) { fetch_for_reading(b, dspikes); }
    for (int64_t i = 0; i < n; i++) {
      const float g = ssti_derivative(kind, d.alpha, h[i] - d.threshold), s = fire(&d, smooth, h[i]);
      float ds = dspikes[i];
      if (!detach) { ds = hard ? ds + du[i] * (d.reset_to - h[i]) : ds - du[i] * d.threshold; }
      dh[i] = dmembrane[i] + ds * g + (hard ? du[i] * (1.0f - s) : du[i]);
      du[i] = d.decay * dh[i];
    }
    if (b->dleak != NULL) {
      add_dleak(&d, smooth, n, dh, t > 0 ? h - BLOCK : NULL, input_row(b, b->input_steps == 1 ? 0 : t, normed), dleak);
    }
    if (b->input_steps == 1) {
      for (int64_t i = 0; i < n; i++) { dh_sum[i] += d.gain * dh[i]; }
    } else {
      put_gradient(b, t, d.gain, dh);
    }
  }
  if (b->input_steps == 1) { put_gradient(b, 0, 1.0f, dh_sum); }
  if (b->dleak != NULL) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) { sum += dleak[i]; }
    *b->dleak = sum;
  }
}

static void norm_backward(const ssti_neuron_block *b) {
  for (int64_t t = b->steps - 1; t >= 0; t--) {
    const int64_t at = t * b->count + b->begin;
    fetch_for_reading(b, b->x + at);
    fetch_for_reading(b, b->dspikes + at);
    put_gradient(b, t, 1.0f, b->dspikes + at);
  }
}

// One function a surrogate, four loops in it.
#define DEFINE_BACKWARD(name, word, default_alpha, derivative, primitive)                                              \
  static void backward_##name(const ssti_neuron_block *b) {                                                            \
    if (b->dynamics->hard_reset) {                                                                                     \
      if (b->dynamics->detach_reset) {                                                                                 \
        backward_block(b, SST_SURROGATE_##name, true, true, false);                                                    \
      } else {                                                                                                         \
        backward_block(b, SST_SURROGATE_##name, true, false, false);                                                   \
      }                                                                                                                \
    } else if (b->dynamics->detach_reset) {                                                                            \
      backward_block(b, SST_SURROGATE_##name, false, true, false);                                                     \
    } else {                                                                                                           \
      backward_block(b, SST_SURROGATE_##name, false, false, false);                                                    \
    }                                                                                                                  \
  }
SST_SURROGATE_LIST(DEFINE_BACKWARD)
#undef DEFINE_BACKWARD

static void backward_rows(const ssti_neuron_block *b) {
  const ssti_dynamics *d = b->dynamics;
  if (b->smooth) {
    backward_block(b, d->surrogate, d->hard_reset, d->detach_reset, true);
    return;
  }
  switch (d->surrogate) {
#define CALL_BACKWARD(name, word, default_alpha, derivative, primitive)                                                \
  case SST_SURROGATE_##name: backward_##name(b); return;
    SST_SURROGATE_LIST(CALL_BACKWARD)
#undef CALL_BACKWARD
  case SST_SURROGATE_COUNT: break;
  }
  assert(false);
}

static void neuron_backward(const ssti_neuron_block *b) {
  const int64_t columns = SSTI_SIMD(ssti_neuron_columns)(b);
  if (columns > 0) { SSTI_SIMD(ssti_neuron_columns_backward)(b, columns); }
  if (columns == b->length) { return; }
  ssti_block_norm norm;
  const ssti_neuron_block rest = rest_of(b, columns, &norm);
  backward_rows(&rest);
}

void SSTI_SIMD(ssti_simd_fill_neuron)(ssti_simd *table) {
  table->neuron_forward = neuron_forward;
  table->neuron_backward = neuron_backward;
  table->norm_backward = norm_backward;
}
