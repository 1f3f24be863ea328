// SPDX-License-Identifier: Apache-2.0
// What each tool makes of a neuron's parameters in a NIR file (docs/exchange.md has the table), and so what to write
// for it. One neuron: all of a layer are alike.
#ifndef SPIKESTILL_NIR_NEURONS_H
#define SPIKESTILL_NIR_NEURONS_H

#include "neuron/dynamics.h"
#include "spikestill/nir.h"

typedef struct ssti_nir_profile {
  bool exponential;  // a decay is exp(-dt/tau), else 1 - dt/tau
  bool fires_at;     // fires when H >= theta, else when H > theta
  bool hard, soft;   // resets it knows
  bool any_reset_to; // hard resets to other potentials than 0
  bool has_if;       // reads IF as it is meant; else an LIF with a very long tau stands for it
  bool has_li, has_cuba;
  bool free_r;        // r scales a leaky neuron's input; otherwise its threshold must be scaled
  bool has_pictures;  // convolutions and pooling
  bool sums;          // pools by sum, else by average
  bool has_groups;    // of convolutions
  bool adds;          // several edges into a node
  bool negative_dims; // Flatten's dimensions count from the end: some readers would take the batch in otherwise
} ssti_nir_profile;
const ssti_nir_profile *ssti_nir_profile_of(sst_nir_target target);

typedef struct ssti_nir_neuron {
  sst_nir_type type;                          // I, IF, LI, LIF, CUBALI or CUBALIF
  float tau, r, v_leak, v_threshold, v_reset; // tau: CubaLIF's tau_mem
  float tau_syn, w_in;
} ssti_nir_neuron;

// What to write so that the target's neuron does what ours does. `input_scale`: the numbers that arrive there are this
// many times ours. NULL if it can be written, else why not, as the end of a sentence about the layer.
const char *ssti_nir_neuron_for(sst_nir_target target, double dt, const sst_neuron *neuron,
                                const ssti_dynamics *dynamics, double input_scale, ssti_nir_neuron *out);

// One neuron of NIR as discrete arithmetic, in a tool's reading:
//     I = current_decay * I + current_gain * x          (with a synaptic current; else I = gain * x)
//     H = decay * u + (1 - decay) * leak_to + I         fires when H >= threshold
typedef struct ssti_nir_cell {
  float current_decay, current_gain; // the second one holds r and the membrane's gain as well
  float decay, gain;
  float leak_to, threshold, reset_to;
} ssti_nir_cell;

// `threshold`: v_threshold as the file has it. Fields that the type has not are not looked at.
ssti_nir_cell ssti_nir_cell_of(sst_nir_target target, double dt, const ssti_nir_neuron *neuron, double threshold);

// The lowest 32-bit float at which the target's neurons fire.
float ssti_nir_lowest_firing(sst_nir_target target, double threshold);

// Whether its neurons subtract the threshold when nothing else is said.
bool ssti_nir_subtracts(sst_nir_target target);

#endif
