// SPDX-License-Identifier: Apache-2.0
// A norm with its neurons, forward and back, as measurements of any backend run it: what one pass needs and does.
#ifndef SPIKESTILL_BACKEND_NORM_NEURON_RUN_H
#define SPIKESTILL_BACKEND_NORM_NEURON_RUN_H

#include "backend/backend.h"

// All memory is the caller's, in the backend's space. dx may be dspikes, and dspikes the spikes, as in a graph.
typedef struct ssti_norm_neuron_run {
  ssti_norm_neuron shape;
  float *x, *spikes, *dspikes, *dx;
  float *vectors; // see ssti_norm_neuron_run_vectors
  void *workspace;
} ssti_norm_neuron_run;

// Neurons as they are by default, of `pixels` pixels a step, behind a norm that learns.
ssti_norm_neuron ssti_norm_neuron_run_shape(int64_t steps, int64_t pixels, int64_t channels, ssti_type type);

// Elements of `vectors`: gamma, beta, mean, variance, what is saved, and the gradients of gamma and beta.
int64_t ssti_norm_neuron_run_vectors(const ssti_norm_neuron *shape);
size_t ssti_norm_neuron_run_workspace(ssti_backend *backend, const ssti_norm_neuron *shape);

// Gives the norm's parameters and statistics their first values; once before all passes.
void ssti_norm_neuron_run_begin(ssti_backend *backend, const ssti_norm_neuron_run *run);
void ssti_norm_neuron_run_pass(ssti_backend *backend, const ssti_norm_neuron_run *run);

#endif
