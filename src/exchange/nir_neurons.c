// SPDX-License-Identifier: Apache-2.0
// Ours is H = d*u + (1-d)*rest + gain*x, fires when H >= theta (spikestill/neuron.h). The continuous neuron of NIR,
// tau*v' = v_leak - v + r*x, becomes after a step dt of forward Euler H = (1-dt/tau)*u + dt/tau*v_leak + dt/tau*r*x, so
//     tau = dt/(1-d)    r = gain*tau/dt    v_leak = rest
// A tool with exponential decay takes exp(-dt/tau) for d and its own gain. Where the gain cannot be chosen, the same
// neuron is written in another unit of potential: theta, v_leak and v_reset times k = (its gain)/(ours).
#include "exchange/nir_neurons.h"

#include <math.h>

// [target] From reading these tools' importers (versions in docs/exchange.md).
static const ssti_nir_profile profiles[SST_NIR_TARGET_COUNT] = {
    [SST_NIR_TARGET_GENERIC] = {.hard = true,
                                .soft = true,
                                .any_reset_to = true,
                                .has_if = true,
                                .has_li = true,
                                .has_cuba = true,
                                .free_r = true,
                                .has_pictures = true,
                                .has_groups = true,
                                .adds = true},
    [SST_NIR_TARGET_SNNTORCH] =
        {.hard = true, .has_cuba = true, .free_r = true, .has_pictures = true, .negative_dims = true},
    [SST_NIR_TARGET_SPIKINGJELLY] = {.fires_at = true,
                                     .hard = true,
                                     .any_reset_to = true,
                                     .has_if = true,
                                     .has_cuba = true,
                                     .free_r = true,
                                     .has_pictures = true,
                                     .negative_dims = true},
    [SST_NIR_TARGET_NORSE] = {.hard = true,
                              .has_if = true,
                              .has_cuba = true,
                              .has_pictures = true,
                              .sums = true,
                              .adds = true,
                              .negative_dims = true},
    [SST_NIR_TARGET_SINABS] = {.exponential = true,
                               .fires_at = true,
                               .hard = true,
                               .soft = true,
                               .has_if = true,
                               .has_li = true,
                               .has_pictures = true,
                               .sums = true,
                               .adds = true,
                               .negative_dims = true},
    [SST_NIR_TARGET_SPYX] =
        {.soft = true, .has_if = true, .has_cuba = true, .free_r = true, .has_pictures = true, .sums = true},
    [SST_NIR_TARGET_ROCKPOOL] = {.exponential = true, .soft = true, .has_li = true, .free_r = true},
};

const ssti_nir_profile *ssti_nir_profile_of(sst_nir_target target) { return &profiles[target]; }

// The decay that the reader computes from tau, in its 32-bit arithmetic.
static float decay_of(const ssti_nir_profile *profile, float dt, float tau) {
  return profile->exponential ? expf(-dt / tau) : 1.0f - dt / tau;
}

// tau for a decay: among the numbers around the right one, that from which the reader computes the decay itself, if
// there is one, so that both sides calculate with the same bits.
static float tau_for(const ssti_nir_profile *profile, double dt, float decay) {
  enum { AROUND = 16 };
  if (decay >= 1.0f) { return (float)(dt * 1073741824.0); } // 2^30 steps: 1 - dt/tau is 1 in 32 bits
  if (decay <= 0.0f) { return profile->exponential ? (float)(dt / 1024) : (float)dt; }
  float tau = (float)(profile->exponential ? -dt / log((double)decay) : dt / (1.0 - (double)decay));
  float best = tau, candidate = tau;
  for (int i = 0; i < AROUND; i++) { candidate = nextafterf(candidate, 0.0f); }
  for (int i = 0; i < 2 * AROUND; i++) {
    candidate = nextafterf(candidate, INFINITY);
    if (fabsf(decay_of(profile, (float)dt, candidate) - decay) < fabsf(decay_of(profile, (float)dt, best) - decay)) {
      best = candidate;
    }
  }
  return best;
}

// What our neuron has that this target has not; NULL if nothing.
static const char *missing(const ssti_nir_profile *profile, const sst_neuron *neuron, const ssti_dynamics *d) {
  if (d->adapts) { return "NIR has no neuron with an adaptive threshold (alif)"; }
  if (neuron->initial_membrane != 0.0f && d->fires) {
    return "NIR's neurons start at rest (initial_membrane is not 0)";
  }
  if (d->current && !profile->has_cuba) { return "it reads no neuron with a synaptic current (cubalif)"; }
  if (!d->fires) { return profile->has_li ? NULL : "it reads no leaky integrator (li)"; }
  if (d->hard_reset && !profile->hard) { return "its neurons reset by subtraction only (reset: hard)"; }
  if (!d->hard_reset && !profile->soft) { return "its neurons reset to a potential, not by subtraction (reset: soft)"; }
  if (d->hard_reset && d->reset_to != 0.0f && !profile->any_reset_to) {
    return "its neurons reset to 0 (v_reset is not 0)";
  }
  return NULL;
}

const char *ssti_nir_neuron_for(sst_nir_target target, double dt, const sst_neuron *neuron, const ssti_dynamics *d,
                                double input_scale, ssti_nir_neuron *out) {
  const ssti_nir_profile *profile = ssti_nir_profile_of(target);
  const char *lacks = missing(profile, neuron, d);
  if (lacks) { return lacks; }
  double gain = (double)d->gain, k = 1.0;
  const float tau = tau_for(profile, dt, d->decay);
  const double steps = (double)tau / dt;
  *out = (ssti_nir_neuron){.tau = tau};
  if (d->current) {
    out->type = SST_NIR_TYPE_CUBALIF;
    out->tau_syn = tau_for(profile, dt, d->current_decay);
    out->r = (float)steps;
    gain = (double)d->current_gain;
    // SpikingJelly takes the input as it is; the others multiply it by w_in.
    if (target == SST_NIR_TARGET_SPIKINGJELLY) { k = 1.0 / gain; }
    out->w_in = (float)(gain * k * (double)out->tau_syn / dt / input_scale);
  } else if (d->fires && d->leak == 0.0f && profile->has_if) {
    out->type = SST_NIR_TYPE_IF;
    out->r = target == SST_NIR_TARGET_GENERIC || target == SST_NIR_TARGET_SPIKINGJELLY ? (float)(1.0 / dt) : 1.0f;
  } else {
    out->type = d->fires ? SST_NIR_TYPE_LIF : SST_NIR_TYPE_LI;
    if (target == SST_NIR_TARGET_NORSE) {
      k = (double)d->leak / gain; // the input is always multiplied by dt/tau
    } else if (target == SST_NIR_TARGET_SINABS) {
      k = 1.0 / gain; // the input is never multiplied
    }
    if (profile->exponential) { // Rockpool; Sinabs ignores r
      out->r = profile->free_r ? (float)(gain * steps * (double)d->decay) : 1.0f;
    } else {
      out->r = profile->free_r && !d->gain_is_leak ? (float)(gain * steps) : 1.0f; // 1 exactly: dt/tau is 1 - d
    }
  }
  if (input_scale != 1.0) {
    if (!d->current && (!profile->free_r || out->type == SST_NIR_TYPE_IF || target == SST_NIR_TARGET_SPIKINGJELLY)) {
      k *= input_scale;
    } else if (!d->current) {
      out->r = (float)((double)out->r / input_scale);
    }
  }
  out->v_leak = (float)(k * (double)d->rest);
  out->v_reset = d->hard_reset ? (float)(k * (double)d->reset_to) : 0.0f;
  out->v_threshold = (float)(k * (double)d->threshold);
  if (!profile->fires_at) { out->v_threshold = nextafterf(out->v_threshold, -INFINITY); }
  return NULL;
}

// The number that was meant, where tau and r, rounded to 32 bits, give it not quite.
static float meant(double found, float expected) {
  return fabs(found - (double)expected) <= 5e-7 * fabs((double)expected) ? expected : (float)found;
}

float ssti_nir_lowest_firing(sst_nir_target target, double threshold) {
  const float nearest = (float)threshold;
  const bool fires = profiles[target].fires_at ? (double)nearest >= threshold : (double)nearest > threshold;
  return fires ? nearest : nextafterf(nearest, INFINITY);
}

bool ssti_nir_subtracts(sst_nir_target target) { return target == SST_NIR_TARGET_SINABS || !profiles[target].hard; }

// What the input of a leaky neuron is multiplied by.
static float leaky_gain(sst_nir_target target, double dt, const ssti_nir_neuron *n, float decay) {
  if (target == SST_NIR_TARGET_SINABS) { return 1.0f; }
  if (target == SST_NIR_TARGET_ROCKPOOL) { return meant((double)n->r * dt / ((double)n->tau * (double)decay), 1.0f); }
  return n->r == 1.0f ? 1.0f - decay : meant((double)n->r * dt / (double)n->tau, 1.0f);
}

ssti_nir_cell ssti_nir_cell_of(sst_nir_target target, double dt, const ssti_nir_neuron *n, double threshold) {
  const ssti_nir_profile *profile = ssti_nir_profile_of(target);
  ssti_nir_cell cell = {.decay = 1.0f,
                        .gain = 1.0f,
                        .leak_to = n->v_leak,
                        .threshold = ssti_nir_lowest_firing(target, threshold),
                        .reset_to = n->v_reset};
  if (n->type == SST_NIR_TYPE_I || n->type == SST_NIR_TYPE_IF) {
    // Norse, Sinabs and Spyx do not look at r here.
    const bool takes_r =
        target != SST_NIR_TARGET_NORSE && target != SST_NIR_TARGET_SINABS && target != SST_NIR_TARGET_SPYX;
    if (takes_r) { cell.gain = meant((double)n->r * dt, 1.0f); }
    return cell;
  }
  cell.decay = decay_of(profile, (float)dt, n->tau);
  cell.gain = leaky_gain(target, dt, n, cell.decay);
  if (n->type != SST_NIR_TYPE_CUBALI && n->type != SST_NIR_TYPE_CUBALIF) { return cell; }
  cell.current_decay = decay_of(profile, (float)dt, n->tau_syn);
  const double membrane_gain = (double)n->r * dt / (double)n->tau;
  const double gain =
      target == SST_NIR_TARGET_SPIKINGJELLY ? membrane_gain : membrane_gain * (double)n->w_in * dt / (double)n->tau_syn;
  cell.current_gain = meant(gain, 1.0f);
  if (cell.current_gain != 1.0f) { cell.current_gain = meant(gain, 1.0f - cell.current_decay); }
  cell.gain = 1.0f;
  return cell;
}
