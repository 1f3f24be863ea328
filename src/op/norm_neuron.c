// SPDX-License-Identifier: Apache-2.0
// Batch norm followed by a layer of spiking neurons, without the tensor between them (formulas in batch_norm.c and
// spikestill/neuron.h). Compiling makes it of two nodes where the backend has the kernels and nobody else reads the
// norm.
//   inputs:  x [T or 1,N,H,W,C]; gamma, beta, running mean, running variance [1,1,1,1,C]; PLIF: w [1,1,1,1,1]
//   outputs: spikes [T,N,H,W,C]; membrane before firing [T,N,H,W,C]
//   saved:   [3*C], see SSTI_NORM_NEURON_SAVED
#include "neuron/dynamics.h"
#include "op/op.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, DECAY };

static const ssti_norm_neuron_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static ssti_norm_neuron kernel_shape(const ssti_call *call) {
  const ssti_norm_neuron_attributes *a = attributes_of(call);
  sst_shape x = call->x[X]->shape;
  const int64_t channels = x.dim[SST_AXIS_C], elements = sst_shape_count(x);
  return (ssti_norm_neuron){.norm = {.rows = elements / channels,
                                     .channels = channels,
                                     .steps = x.dim[SST_AXIS_T],
                                     .epsilon = a->norm.epsilon,
                                     .momentum = a->norm.momentum,
                                     .scale = a->norm.scale,
                                     .in_type = call->x[X]->type},
                            .neuron = {.neuron = a->neuron.neuron,
                                       .steps = a->neuron.steps,
                                       .input_steps = x.dim[SST_AXIS_T],
                                       .count = elements / x.dim[SST_AXIS_T],
                                       .out_type = call->y[0]->type,
                                       .smooth = call->run != NULL && call->run->smooth,
                                       .state = call->state,
                                       .resumes = call->run != NULL && call->run->resumes}};
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  const ssti_norm_neuron shape = kernel_shape(call);
  const ssti_kernels *kernels = &call->backend->kernels;
  needs->saved = (size_t)(SSTI_NORM_NEURON_SAVED * shape.norm.channels) * sizeof(float);
  needs->forward_workspace = kernels->norm_neuron_workspace(call->backend, &shape, false);
  if (call->streams) {
    const int state_rows = ssti_neuron_state_rows(shape.neuron.neuron.kind);
    needs->state = (size_t)state_rows * (size_t)shape.neuron.count * sizeof(float);
  }
  if (call->training) { needs->backward_workspace = kernels->norm_neuron_workspace(call->backend, &shape, true); }
  return SST_OK;
}

static bool uses_batch_statistics(const ssti_call *call) { return call->run->training && !call->frozen; }

static const float *decay_parameter_of(const ssti_call *call) {
  return call->input_count > DECAY ? call->x[DECAY]->data : NULL;
}

static void fire(const ssti_call *call, const ssti_norm_neuron *shape) {
  float *membrane = call->output_count > 1 ? call->y[1]->data : NULL;
  call->backend->kernels.norm_neuron_forward(call->backend, shape, call->x[X]->data, call->x[BETA]->data, call->saved,
                                             decay_parameter_of(call), call->y[0]->data, membrane, call->workspace);
}

static void forward(ssti_call *call) {
  const ssti_norm_neuron shape = kernel_shape(call);
  if (call->run->again) {
    // The statistics are in `saved`.
  } else if (uses_batch_statistics(call)) {
    call->backend->kernels.norm_neuron_statistics(call->backend, &shape.norm, call->x[X]->data, call->x[GAMMA]->data,
                                                  call->x[RUNNING_MEAN]->data, call->x[RUNNING_VARIANCE]->data,
                                                  call->saved);
  } else {
    call->backend->kernels.norm_constants(call->backend, &shape.norm, call->x[GAMMA]->data, call->x[RUNNING_MEAN]->data,
                                          call->x[RUNNING_VARIANCE]->data, call->saved);
  }
  fire(call, &shape);
}

static float *gradient_of(const ssti_call *call, int input) {
  return input < call->input_count && call->dx[input] != NULL ? call->dx[input]->data : NULL;
}

static void backward(ssti_call *call) {
  const ssti_norm_neuron shape = kernel_shape(call);
  const ssti_norm_neuron_gradients out = {.dx = gradient_of(call, X),
                                          .dgamma = gradient_of(call, GAMMA),
                                          .dbeta = gradient_of(call, BETA),
                                          .ddecay = gradient_of(call, DECAY),
                                          .accumulate_dx = call->accumulate[X],
                                          .accumulate_dgamma = call->accumulate[GAMMA],
                                          .accumulate_dbeta = call->accumulate[BETA],
                                          .accumulate_ddecay = call->input_count > DECAY && call->accumulate[DECAY]};
  const float *dspikes = call->dy[0] != NULL ? call->dy[0]->data : NULL;
  const float *dmembrane = call->output_count > 1 && call->dy[1] != NULL ? call->dy[1]->data : NULL;
  call->backend->kernels.norm_neuron_backward(call->backend, &shape, call->x[X]->data, call->x[GAMMA]->data,
                                              call->x[BETA]->data, call->saved, uses_batch_statistics(call),
                                              decay_parameter_of(call), dspikes, dmembrane, &out, call->workspace);
  // Running statistics are constants, even if somebody made them of something that learns.
  for (int i = RUNNING_MEAN; i <= RUNNING_VARIANCE; i++) {
    float *gradient = gradient_of(call, i);
    if (gradient != NULL && !call->accumulate[i]) {
      call->backend->kernels.fill(call->backend, shape.norm.channels, 0.0f, gradient);
    }
  }
}

const ssti_op ssti_op_norm_neuron = {
    .name = "norm_neuron",
    .attributes_size = sizeof(ssti_norm_neuron_attributes),
    .is_by_sample = ssti_op_by_sample_if_frozen,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .backward_reads_inputs = SSTI_ALL_INPUTS,
    .is_cheap = true,
    .backward_in_place = true,
    .bf16_inputs = 1u << X,
    .bf16_outputs = 1u << 0,
};
