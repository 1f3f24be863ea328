// SPDX-License-Identifier: Apache-2.0
// One neuron's time step as constants and inline arithmetic. Kernels of every backend use these, in this order of
// operations and without contraction into fused multiply-adds, so that all of them fire on the same steps.
#ifndef SPIKESTILL_NEURON_DYNAMICS_H
#define SPIKESTILL_NEURON_DYNAMICS_H

#include <math.h>

#include "base/everywhere.h"
#include "base/fail.h"
#include "quantize/grid.h"
#include "spikestill/neuron.h"

// H = decay * u + bias + gain * x, which is rest + decay * (u - rest) + gain * x with bias = (1 - decay) * rest.
// Without a leak the bias is 0 and no rounding of `rest` enters: LIF with decay 1 is IF bit for bit.
typedef struct ssti_dynamics {
  float decay, bias, gain;
  float rest;
  float start;                        // u before the first step
  float leak;                         // 1 - decay; for PLIF sigmoid(w) itself
  float current_decay, current_gain;  // CubaLIF: I = current_decay * I + current_gain * x; its H takes I with gain 1
  float adaptation, adaptation_decay; // ALIF
  float threshold;
  float reset_to; // hard reset: v_reset
  float alpha;
  sst_surrogate_kind surrogate;
  bool hard_reset, detach_reset;
  bool fires;            // false: LI
  bool adapts;           // ALIF
  bool current;          // CubaLIF
  bool learns;           // PLIF
  float w_leak, w_decay; // leak and decay before any rounding; PLIF: their product is dleak/dw
  // Stored states on a grid: `decay` is 1 and `bias` 0 above, because the leak acts when the state is stored.
  bool stores; // false: u itself is kept
  float stored_decay, grid_step, grid_inverse, grid_largest;
  bool gain_is_leak; // the input is multiplied by 1 - decay, so PLIF's w acts on it as well
} ssti_dynamics;

#ifdef __cplusplus
extern "C" {
#endif

// `decay_parameter` is PLIF's w; NULL for other kinds. The neuron has passed ssti_neuron_check.
ssti_dynamics ssti_dynamics_make(const sst_neuron *neuron, const float *decay_parameter);

// All but what depends on PLIF's w, for those who have w elsewhere and call ssti_dynamics_learned there.
ssti_dynamics ssti_dynamics_without_leak(const sst_neuron *neuron);

// How many numbers a neuron carries from one step to the next: u; CubaLIF: and I; ALIF: and a, s.
int ssti_neuron_state_rows(sst_neuron_kind kind);

// Whether every field is in its range. Errors: INVALID_ARGUMENT with the field, what was found and what is allowed.
sst_status ssti_neuron_check(sst_context *context, const sst_neuron *neuron);

// PLIF's w for a wanted decay: 1 - sigmoid(w) = decay, for decay in (0,1); the ends are moved inside by 1e-6.
float ssti_neuron_decay_parameter(float decay);

#ifdef __cplusplus
}
#endif

// What follows from 1 - decay. Where states are stored the leak moves to where that happens, and is rounded so that the
// product is a multiple of a power of two.
SSTI_EVERYWHERE void ssti_dynamics_set_leak(ssti_dynamics *d, float decay, float leak) {
  d->decay = decay;
  d->leak = leak;
  d->w_leak = leak;
  d->w_decay = decay;
  d->bias = leak * d->rest;
  if (d->stores) {
    const float parts = 256.0f;
    d->stored_decay = ssti_round_half_up(decay * parts) / parts;
    d->leak = 1.0f - d->stored_decay;
    d->decay = 1.0f;
    d->bias = 0.0f;
  }
  d->gain = d->gain_is_leak ? d->leak : 1.0f;
}

// PLIF. In double, so that the math libraries of the CPU and of the GPU give the same f32.
SSTI_EVERYWHERE void ssti_dynamics_learned(ssti_dynamics *d, float w) {
  const float leak = (float)(1.0 / (1.0 + exp(-(double)w)));
  ssti_dynamics_set_leak(d, 1.0f - leak, leak);
}

SSTI_EVERYWHERE float ssti_charge(const ssti_dynamics *d, float u, float x) {
  return (d->decay * u + d->bias) + d->gain * x;
}
SSTI_EVERYWHERE float ssti_charge_current(const ssti_dynamics *d, float u, float current) {
  return (d->decay * u + d->bias) + current;
}
SSTI_EVERYWHERE float ssti_current(const ssti_dynamics *d, float current, float x) {
  return d->current_decay * current + d->current_gain * x;
}
SSTI_EVERYWHERE float ssti_adapt(const ssti_dynamics *d, float a, float s) { return d->adaptation_decay * a + s; }
SSTI_EVERYWHERE float ssti_raised_threshold(const ssti_dynamics *d, float a) {
  return d->threshold + d->adaptation * a;
}
SSTI_EVERYWHERE float ssti_fire(float h, float threshold) { return h >= threshold ? 1.0f : 0.0f; }
SSTI_EVERYWHERE float ssti_reset_hard(const ssti_dynamics *d, float h, float s) {
  return h * (1.0f - s) + d->reset_to * s;
}
SSTI_EVERYWHERE float ssti_reset_soft(float h, float threshold, float s) { return h - threshold * s; }

// For neurons that store on a grid: u in steps of the grid, before clip and rounding; what is stored; and whether the
// gradient passes.
SSTI_EVERYWHERE float ssti_in_steps(const ssti_dynamics *d, float u) { return d->stored_decay * u * d->grid_inverse; }
SSTI_EVERYWHERE float ssti_stored(const ssti_dynamics *d, float u) {
  return ssti_code(ssti_in_steps(d, u), d->grid_largest) * d->grid_step;
}
// What the neurons carry into the first step.
SSTI_EVERYWHERE float ssti_start(const ssti_dynamics *d) { return d->stores ? ssti_stored(d, d->start) : d->start; }
SSTI_EVERYWHERE bool ssti_is_inside(const ssti_dynamics *d, float u) {
  const float steps = ssti_in_steps(d, u);
  return (steps >= -d->grid_largest) & (steps <= d->grid_largest);
}

#endif
