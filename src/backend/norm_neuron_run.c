// SPDX-License-Identifier: Apache-2.0
#include "backend/norm_neuron_run.h"

#include "base/sizes.h"

enum { GAMMA, BETA, MEAN, VARIANCE, SAVED, DGAMMA = SAVED + SSTI_NORM_NEURON_SAVED, DBETA, VECTORS };

ssti_norm_neuron ssti_norm_neuron_run_shape(int64_t steps, int64_t pixels, int64_t channels, ssti_type type) {
  return (ssti_norm_neuron){.norm = {.rows = steps * pixels,
                                     .channels = channels,
                                     .steps = steps,
                                     .epsilon = 1e-5f,
                                     .momentum = 0.1f,
                                     .scale = 1.0f,
                                     .in_type = type},
                            .neuron = {.neuron = sst_neuron_default(),
                                       .steps = steps,
                                       .input_steps = steps,
                                       .count = pixels * channels,
                                       .in_type = type,
                                       .out_type = type}};
}

int64_t ssti_norm_neuron_run_vectors(const ssti_norm_neuron *shape) { return VECTORS * shape->norm.channels; }

size_t ssti_norm_neuron_run_workspace(ssti_backend *backend, const ssti_norm_neuron *shape) {
  return ssti_larger_size(backend->kernels.norm_neuron_workspace(backend, shape, false),
                          backend->kernels.norm_neuron_workspace(backend, shape, true));
}

static float *vector_of(const ssti_norm_neuron_run *run, int which) {
  return run->vectors + which * run->shape.norm.channels;
}

void ssti_norm_neuron_run_begin(ssti_backend *backend, const ssti_norm_neuron_run *run) {
  for (int i = GAMMA; i < SAVED; i++) {
    const float value = i == GAMMA || i == VARIANCE ? 1.0f : 0.0f;
    backend->kernels.fill(backend, run->shape.norm.channels, value, vector_of(run, i));
  }
}

void ssti_norm_neuron_run_pass(ssti_backend *backend, const ssti_norm_neuron_run *run) {
  const ssti_kernels *k = &backend->kernels;
  const float *gamma = vector_of(run, GAMMA), *beta = vector_of(run, BETA);
  float *saved = vector_of(run, SAVED);
  k->norm_neuron_statistics(backend, &run->shape.norm, run->x, gamma, vector_of(run, MEAN), vector_of(run, VARIANCE),
                            saved);
  k->norm_neuron_forward(backend, &run->shape, run->x, beta, saved, NULL, run->spikes, NULL, run->workspace);
  const ssti_norm_neuron_gradients out = {
      .dx = run->dx, .dgamma = vector_of(run, DGAMMA), .dbeta = vector_of(run, DBETA)};
  k->norm_neuron_backward(backend, &run->shape, run->x, gamma, beta, saved, true, NULL, run->dspikes, NULL, &out,
                          run->workspace);
}
