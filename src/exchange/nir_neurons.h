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
  sst_nir_type type;                          // IF, LI, LIF or CUBALIF
  float tau, r, v_leak, v_threshold, v_reset; // tau: CubaLIF's tau_mem
  float tau_syn, w_in;
} ssti_nir_neuron;

// What to write so that the target's neuron does what ours does. `input_scale`: the numbers that arrive there are this
// many times ours. NULL if it can be written, else why not, as the end of a sentence about the layer.
const char *ssti_nir_neuron_for(sst_nir_target target, double dt, const sst_neuron *neuron,
                                const ssti_dynamics *dynamics, double input_scale, ssti_nir_neuron *out);

#endif
