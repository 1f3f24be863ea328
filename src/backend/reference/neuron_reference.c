// SPDX-License-Identifier: Apache-2.0
// Neurons over T steps. The layer is cut into fixed chunks of neurons; a chunk goes through all steps with its state on
// the stack. Backward runs a chunk forward again, keeping H (and ALIF's threshold) of every step in the workspace, and
// then walks back through time. What is computed for a neuron never depends on the number of threads.
#include "backend/reference/reference.h"
#include "base/parallel.h"
#include "neuron/dynamics.h"
#include "neuron/surrogate.h"

enum {
  CHUNK = 256,       // neurons: one row of H is 1 KiB, so that slices of the workspace stay aligned
  ROWS_A_THREAD = 64 // below this many chunk steps a thread costs more than it saves
};

static const float zero_row[CHUNK];

// One neuron's state in each lane.
typedef struct lanes {
  float u[CHUNK];         // membrane after the last step
  float current[CHUNK];   // CubaLIF
  float adapted[CHUNK];   // ALIF: a
  float spike[CHUNK];     // s of the last step
  float threshold[CHUNK]; // of this step; constant but for ALIF
} lanes;

static void begin_lanes(const ssti_dynamics *d, lanes *state) {
  for (int i = 0; i < CHUNK; i++) {
    state->u[i] = d->start;
    state->current[i] = 0.0f;
    state->adapted[i] = 0.0f;
    state->spike[i] = 0.0f;
    state->threshold[i] = d->threshold;
  }
}

// What the lanes carry to the next step, in the order of a layer's rows of state.
static int carried_rows(const ssti_dynamics *d, lanes *state, float *rows[3]) {
  int count = 0;
  rows[count++] = state->u;
  if (d->current) { rows[count++] = state->current; }
  if (d->adapts) {
    rows[count++] = state->adapted;
    rows[count++] = state->spike;
  }
  return count;
}

// H of this step from the state, and ALIF's threshold.
static void charge(const ssti_dynamics *d, int n, const float *x, lanes *state, float *restrict h) {
  if (d->current) {
    for (int i = 0; i < n; i++) {
      state->current[i] = ssti_current(d, state->current[i], x[i]);
      h[i] = ssti_charge_current(d, state->u[i], state->current[i]);
    }
  } else {
    for (int i = 0; i < n; i++) { h[i] = ssti_charge(d, state->u[i], x[i]); }
  }
  if (d->adapts) {
    for (int i = 0; i < n; i++) {
      state->adapted[i] = ssti_adapt(d, state->adapted[i], state->spike[i]);
      state->threshold[i] = ssti_raised_threshold(d, state->adapted[i]);
    }
  }
}

static void fire(const ssti_dynamics *d, bool smooth, int n, const float *h, const float *threshold,
                 float *restrict spike) {
  if (smooth) {
    for (int i = 0; i < n; i++) { spike[i] = ssti_primitive(d->surrogate, d->alpha, h[i] - threshold[i]); }
  } else {
    for (int i = 0; i < n; i++) { spike[i] = ssti_fire(h[i], threshold[i]); }
  }
}

static void reset(const ssti_dynamics *d, int n, const float *h, const float *threshold, const float *spike,
                  float *restrict u) {
  if (!d->fires) {
    for (int i = 0; i < n; i++) { u[i] = h[i]; }
  } else if (d->hard_reset) {
    for (int i = 0; i < n; i++) { u[i] = ssti_reset_hard(d, h[i], spike[i]); }
  } else {
    for (int i = 0; i < n; i++) { u[i] = ssti_reset_soft(h[i], threshold[i], spike[i]); }
  }
}

// u becomes what is stored of it. A smoothed forward pass leaves the rounding out: the straight-through gradient is the
// derivative of that.
static void store(const ssti_dynamics *d, bool smooth, int n, float *u) {
  if (!d->stores) { return; }
  if (smooth) {
    for (int i = 0; i < n; i++) { u[i] = ssti_clip_symmetric(ssti_in_steps(d, u[i]), d->grid_largest) * d->grid_step; }
  } else {
    for (int i = 0; i < n; i++) { u[i] = ssti_stored(d, u[i]); }
  }
}

// The surrogate's derivative, one loop a kind.
static void derive(const ssti_dynamics *d, int n, const float *h, const float *threshold, float *restrict g) {
  const float alpha = d->alpha;
  switch (d->surrogate) {
#define DERIVE_CASE(name, word, default_alpha, derivative, primitive)                                                  \
  case SST_SURROGATE_##name:                                                                                           \
    for (int i = 0; i < n; i++) { g[i] = ssti_derivative_##name(alpha, h[i] - threshold[i]); }                         \
    break;
    SST_SURROGATE_LIST(DERIVE_CASE)
#undef DERIVE_CASE
  case SST_SURROGATE_COUNT:
    assert(false);
    for (int i = 0; i < n; i++) { g[i] = 0.0f; }
  }
}

static void copy_row(int n, const float *from, float *restrict to) {
  for (int i = 0; i < n; i++) { to[i] = from[i]; }
}

static void store_row(int n, const float *from, float *restrict to, bool accumulate) {
  if (accumulate) {
    for (int i = 0; i < n; i++) { to[i] += from[i]; }
  } else {
    copy_row(n, from, to);
  }
}

static int64_t chunk_count(const ssti_neuron_shape *shape) { return (shape->count + CHUNK - 1) / CHUNK; }

static int chunk_width(const ssti_neuron_shape *shape, int64_t chunk) {
  const int64_t left = shape->count - chunk * CHUNK;
  return left < CHUNK ? (int)left : CHUNK;
}

// Elements of `x` between one step and the next.
static int64_t input_stride(const ssti_neuron_shape *shape) { return shape->input_steps == 1 ? 0 : shape->count; }

// ---- forward

typedef struct forward_call {
  const ssti_neuron_shape *shape;
  ssti_dynamics dynamics;
  const float *x;
  float *spikes, *membrane;
} forward_call;

static void forward_chunk(const forward_call *call, int64_t chunk) {
  const ssti_neuron_shape *shape = call->shape;
  const ssti_dynamics *d = &call->dynamics;
  const int n = chunk_width(shape, chunk);
  const int64_t stride = input_stride(shape);
  lanes state;
  float h[CHUNK];
  float *carried[3];
  const int rows = carried_rows(d, &state, carried);
  begin_lanes(d, &state);
  store(d, shape->smooth, n, state.u);
  for (int r = 0; r < rows && shape->resumes; r++) {
    copy_row(n, shape->state + r * shape->count + chunk * CHUNK, carried[r]);
  }
  for (int64_t t = 0; t < shape->steps; t++) {
    const int64_t at = t * shape->count + chunk * CHUNK;
    charge(d, n, call->x + t * stride + chunk * CHUNK, &state, h);
    if (call->membrane != NULL) { copy_row(n, h, call->membrane + at); }
    if (d->fires) { fire(d, shape->smooth, n, h, state.threshold, state.spike); }
    copy_row(n, d->fires ? state.spike : h, call->spikes + at);
    reset(d, n, h, state.threshold, state.spike, state.u);
    store(d, shape->smooth, n, state.u);
  }
  for (int r = 0; r < rows && shape->state != NULL; r++) {
    copy_row(n, carried[r], shape->state + r * shape->count + chunk * CHUNK);
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; chunk++) { forward_chunk(arg, chunk); }
}

static void assert_shape(const ssti_neuron_shape *shape) {
  assert(shape->steps >= 1 && shape->count >= 0);
  assert(shape->input_steps == 1 || shape->input_steps == shape->steps);
  assert(shape->state != NULL || !shape->resumes);
  (void)shape;
}

void ssti_reference_neuron_forward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                                   const float *decay_parameter, float *spikes, float *membrane, void *workspace) {
  assert_shape(shape);
  (void)workspace;
  forward_call call = {.shape = shape,
                       .dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter),
                       .x = x,
                       .spikes = spikes,
                       .membrane = membrane};
  const int64_t grain = 1 + (ROWS_A_THREAD - 1) / shape->steps;
  ssti_parallel_for(backend->context, chunk_count(shape), grain, forward_range, &call);
}

// ---- backward

typedef struct backward_call {
  const ssti_neuron_shape *shape;
  ssti_dynamics dynamics;
  const float *x, *dspikes, *dmembrane;
  float *dx;
  bool accumulate_dx;
  float *kept;        // [slots][H rows, then threshold rows for ALIF]
  int64_t slots;      // slices of the workspace; a slot's chunks are done one after another
  double *dleak_sums; // [chunks], for PLIF
} backward_call;

// Gradients that travel from a step to the one before it, and PLIF's sum over steps.
typedef struct backward_lanes {
  float du[CHUNK];       // of u after this step
  float dcurrent[CHUNK]; // CubaLIF: of I in the next step
  float dadapted[CHUNK]; // ALIF: of a in the next step, which is also its gradient to this step's spike
  float dx_sum[CHUNK];   // the input was the same at each step
  double dleak[CHUNK];
} backward_lanes;

// dH of this step; updates dadapted for the step before.
static void through_firing(const ssti_dynamics *d, int n, const float *h, const float *threshold, const float *spike,
                           const float *dspikes, const float *dmembrane, backward_lanes *back, float *restrict dh) {
  float g[CHUNK], ds[CHUNK];
  derive(d, n, h, threshold, g);
  copy_row(n, dspikes, ds);
  if (!d->detach_reset) {
    if (d->hard_reset) {
      for (int i = 0; i < n; i++) { ds[i] += back->du[i] * (d->reset_to - h[i]); }
    } else {
      for (int i = 0; i < n; i++) { ds[i] -= back->du[i] * threshold[i]; }
    }
    if (d->adapts) {
      for (int i = 0; i < n; i++) { ds[i] += back->dadapted[i]; }
    }
  }
  if (d->hard_reset) {
    for (int i = 0; i < n; i++) { dh[i] = dmembrane[i] + ds[i] * g[i] + back->du[i] * (1.0f - spike[i]); }
  } else {
    for (int i = 0; i < n; i++) { dh[i] = dmembrane[i] + ds[i] * g[i] + back->du[i]; }
  }
  if (d->adapts && !d->detach_reset) {
    for (int i = 0; i < n; i++) {
      const float through_reset = d->hard_reset ? 0.0f : back->du[i] * spike[i];
      const float dthreshold = -ds[i] * g[i] - through_reset;
      back->dadapted[i] = d->adaptation * dthreshold + d->adaptation_decay * back->dadapted[i];
    }
  }
}

static void through_leak_integrator(const ssti_dynamics *d, int n, const float *doutput, const float *dmembrane,
                                    const backward_lanes *back, float *restrict dh) {
  (void)d;
  for (int i = 0; i < n; i++) { dh[i] = dmembrane[i] + doutput[i] + back->du[i]; }
}

// Input gradient of this step into dx_step, and du for the step before.
static void through_charge(const ssti_dynamics *d, int n, const float *dh, backward_lanes *back,
                           float *restrict dx_step) {
  if (d->current) {
    for (int i = 0; i < n; i++) {
      back->dcurrent[i] = dh[i] + d->current_decay * back->dcurrent[i];
      dx_step[i] = d->current_gain * back->dcurrent[i];
    }
  } else {
    for (int i = 0; i < n; i++) { dx_step[i] = d->gain * dh[i]; }
  }
  for (int i = 0; i < n; i++) { back->du[i] = d->decay * dh[i]; }
}

// Gradient of what is stored to gradient of u after the reset.
static void through_storing(const ssti_dynamics *d, int n, const float *h, const float *threshold, const float *spike,
                            float *restrict du) {
  float u[CHUNK];
  reset(d, n, h, threshold, spike, u);
  for (int i = 0; i < n; i++) { du[i] = ssti_is_inside(d, u[i]) ? d->stored_decay * du[i] : 0.0f; }
}

// Adds dH * dH/dleak, where H = rest + (1 - leak) * (u - rest) + gain * x; what was clipped when it was stored does not
// depend on the leak.
static void add_dleak(const ssti_dynamics *d, int n, const float *dh, const float *u, const float *x, double *dleak) {
  for (int i = 0; i < n; i++) {
    const float kept = d->stores && !ssti_is_inside(d, u[i]) ? 0.0f : u[i] - d->rest;
    const float slope = (d->gain_is_leak ? x[i] : 0.0f) - kept;
    dleak[i] += (double)dh[i] * (double)slope;
  }
}

static void recompute_chunk(const backward_call *call, int64_t chunk, float *h_rows, float *threshold_rows) {
  const ssti_neuron_shape *shape = call->shape;
  const ssti_dynamics *d = &call->dynamics;
  const int n = chunk_width(shape, chunk);
  const float *x = call->x + chunk * CHUNK;
  const int64_t stride = input_stride(shape);
  lanes state;
  begin_lanes(d, &state);
  store(d, shape->smooth, n, state.u);
  for (int64_t t = 0; t < shape->steps; t++) {
    float *h = h_rows + t * CHUNK;
    charge(d, n, x + t * stride, &state, h);
    if (d->adapts) { copy_row(n, state.threshold, threshold_rows + t * CHUNK); }
    if (d->fires) { fire(d, shape->smooth, n, h, state.threshold, state.spike); }
    reset(d, n, h, state.threshold, state.spike, state.u);
    store(d, shape->smooth, n, state.u);
  }
}

static int64_t rows_a_slot(const ssti_neuron_shape *shape) {
  return shape->steps * (shape->neuron.kind == SST_NEURON_ALIF ? 2 : 1);
}

static void backward_chunk(const backward_call *call, int64_t chunk, float *h_rows) {
  const ssti_neuron_shape *shape = call->shape;
  const ssti_dynamics *d = &call->dynamics;
  const int n = chunk_width(shape, chunk);
  const int64_t stride = input_stride(shape), first = chunk * CHUNK;
  float *threshold_rows = h_rows + shape->steps * CHUNK;
  float constant_threshold[CHUNK], spike[CHUNK], u_before[CHUNK], dh[CHUNK], dx_step[CHUNK];
  backward_lanes back = {0};
  for (int i = 0; i < CHUNK; i++) { constant_threshold[i] = d->threshold; }

  recompute_chunk(call, chunk, h_rows, threshold_rows);
  for (int64_t t = shape->steps - 1; t >= 0; t--) {
    const int64_t at = t * shape->count + first;
    const float *h = h_rows + t * CHUNK;
    const float *threshold = d->adapts ? threshold_rows + t * CHUNK : constant_threshold;
    const float *dspikes = call->dspikes != NULL ? call->dspikes + at : zero_row;
    const float *dmembrane = call->dmembrane != NULL ? call->dmembrane + at : zero_row;
    if (d->fires) {
      fire(d, shape->smooth, n, h, threshold, spike);
      if (d->stores) { through_storing(d, n, h, threshold, spike, back.du); }
      through_firing(d, n, h, threshold, spike, dspikes, dmembrane, &back, dh);
    } else {
      through_leak_integrator(d, n, dspikes, dmembrane, &back, dh);
    }
    through_charge(d, n, dh, &back, dx_step);
    if (d->learns) {
      for (int i = 0; i < n; i++) { u_before[i] = d->start; }
      if (t > 0) {
        fire(d, shape->smooth, n, h - CHUNK, constant_threshold, spike);
        reset(d, n, h - CHUNK, constant_threshold, spike, u_before);
      }
      add_dleak(d, n, dh, u_before, call->x + t * stride + first, back.dleak);
    }
    if (stride == 0) {
      store_row(n, dx_step, back.dx_sum, true);
    } else if (call->dx != NULL) {
      store_row(n, dx_step, call->dx + at, call->accumulate_dx);
    }
  }
  if (stride == 0 && call->dx != NULL) { store_row(n, back.dx_sum, call->dx + first, call->accumulate_dx); }
  if (d->learns) {
    double sum = 0.0;
    for (int i = 0; i < n; i++) { sum += back.dleak[i]; }
    call->dleak_sums[chunk] = sum;
  }
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const backward_call *call = arg;
  const int64_t chunks = chunk_count(call->shape);
  for (int64_t slot = begin; slot < end; slot++) {
    float *rows = call->kept + slot * rows_a_slot(call->shape) * CHUNK;
    const int64_t last = (slot + 1) * chunks / call->slots;
    for (int64_t chunk = slot * chunks / call->slots; chunk < last; chunk++) { backward_chunk(call, chunk, rows); }
  }
}

// As many slices of the workspace as threads have use for.
static int64_t slot_count(const ssti_backend *backend, const ssti_neuron_shape *shape) {
  const int64_t chunks = chunk_count(shape), threads = sst_context_threads(backend->context);
  const int64_t useful = 1 + chunks * shape->steps / ROWS_A_THREAD;
  int64_t slots = threads < useful ? threads : useful;
  if (slots > chunks) { slots = chunks; }
  return slots < 1 ? 1 : slots;
}

size_t ssti_reference_neuron_workspace(ssti_backend *backend, const ssti_neuron_shape *shape, bool is_backward) {
  if (!is_backward) { return 0; }
  const size_t rows = (size_t)(slot_count(backend, shape) * rows_a_slot(shape)) * CHUNK * sizeof(float);
  return rows + (size_t)chunk_count(shape) * sizeof(double);
}

void ssti_reference_neuron_backward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                                    const float *decay_parameter, const float *dspikes, const float *dmembrane,
                                    float *dx, bool accumulate_dx, float *ddecay, bool accumulate_ddecay,
                                    void *workspace) {
  assert_shape(shape);
  backward_call call = {.shape = shape,
                        .dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter),
                        .x = x,
                        .dspikes = dspikes,
                        .dmembrane = dmembrane,
                        .dx = dx,
                        .accumulate_dx = accumulate_dx,
                        .kept = workspace,
                        .slots = slot_count(backend, shape)};
  call.dleak_sums = (double *)(void *)(call.kept + call.slots * rows_a_slot(shape) * CHUNK);
  ssti_parallel_for(backend->context, call.slots, 1, backward_range, &call);
  if (!call.dynamics.learns || ddecay == NULL) { return; }
  double sum = 0.0;
  for (int64_t chunk = 0; chunk < chunk_count(shape); chunk++) { sum += call.dleak_sums[chunk]; }
  // leak = sigmoid(w)
  const float dw = (float)(sum * (double)call.dynamics.w_leak * (double)call.dynamics.w_decay);
  *ddecay = accumulate_ddecay ? *ddecay + dw : dw;
}
