// SPDX-License-Identifier: Apache-2.0
// A layer of spiking neurons over all its time steps (formulas in spikestill/neuron.h).
//   inputs:  x [T,N,H,W,C], or [1,N,H,W,C] used at every step; PLIF: w [1,1,1,1,1]
//   outputs: spikes [T,N,H,W,C] (LI: the membrane); membrane before firing [T,N,H,W,C]
// Nothing is saved for backward: it recomputes from x, which costs less than keeping T membranes a layer.
#include "neuron/dynamics.h"
#include "op/op.h"

static const ssti_neuron_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static ssti_neuron_shape kernel_shape(const ssti_call *call) {
  const ssti_neuron_attributes *attributes = attributes_of(call);
  sst_shape x = call->x[0]->shape;
  const int64_t input_steps = x.dim[SST_AXIS_T];
  x.dim[SST_AXIS_T] = 1;
  return (ssti_neuron_shape){.neuron = attributes->neuron,
                             .steps = attributes->steps,
                             .input_steps = input_steps,
                             .count = sst_shape_count(x),
                             .in_type = call->x[0]->type,
                             .out_type = call->y[0]->type,
                             .smooth = call->run != NULL && call->run->smooth,
                             .state = call->state,
                             .resumes = call->run != NULL && call->run->resumes};
}

static sst_status check_inputs(sst_context *context, const ssti_call *call) {
  const bool learns = attributes_of(call)->neuron.kind == SST_NEURON_PLIF;
  if (call->input_count != (learns ? 2 : 1)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a %s layer got %d inputs, expected %s",
             sst_neuron_word(attributes_of(call)->neuron.kind), call->input_count,
             learns ? "2: x and the decay parameter" : "1");
  }
  if (learns && sst_shape_count(call->x[1]->shape) != 1) {
    char text[SST_SHAPE_TEXT_SIZE];
    SST_FAIL(context, SST_SHAPE, "the decay parameter has the shape %s, expected [1,1,1,1,1]",
             sst_shape_text(call->x[1]->shape, text, sizeof text));
  }
  return SST_OK;
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_neuron_attributes *attributes = attributes_of(call);
  SST_TRY(ssti_neuron_check(context, &attributes->neuron));
  SST_TRY(check_inputs(context, call));
  if (attributes->steps < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the neurons run %lld steps, expected at least 1",
             (long long)attributes->steps);
  }
  sst_shape shape = call->x[0]->shape;
  if (shape.dim[SST_AXIS_T] != 1 && shape.dim[SST_AXIS_T] != attributes->steps) {
    SST_FAIL(context, SST_SHAPE, "the input has %lld time steps, expected %lld or 1", (long long)shape.dim[SST_AXIS_T],
             (long long)attributes->steps);
  }
  shape.dim[SST_AXIS_T] = attributes->steps;
  for (int i = 0; i < call->output_count; i++) { call->y[i]->shape = shape; }
  return SST_OK;
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  const ssti_neuron_shape shape = kernel_shape(call);
  if (call->streams) {
    needs->state = (size_t)ssti_neuron_state_rows(shape.neuron.kind) * (size_t)shape.count * sizeof(float);
  }
  const ssti_kernels *kernels = &call->backend->kernels;
  needs->forward_workspace = kernels->neuron_workspace(call->backend, &shape, false);
  if (call->training) { needs->backward_workspace = kernels->neuron_workspace(call->backend, &shape, true); }
  return SST_OK;
}

static const float *decay_parameter_of(const ssti_call *call) {
  return call->input_count > 1 ? call->x[1]->data : NULL;
}

static void forward(ssti_call *call) {
  const ssti_neuron_shape shape = kernel_shape(call);
  float *membrane = call->output_count > 1 ? call->y[1]->data : NULL;
  call->backend->kernels.neuron_forward(call->backend, &shape, call->x[0]->data, decay_parameter_of(call),
                                        call->y[0]->data, membrane, call->workspace);
}

static void backward(ssti_call *call) {
  const ssti_neuron_shape shape = kernel_shape(call);
  const float *dspikes = call->dy[0] != NULL ? call->dy[0]->data : NULL;
  const float *dmembrane = call->output_count > 1 && call->dy[1] != NULL ? call->dy[1]->data : NULL;
  float *dx = call->dx[0] != NULL ? call->dx[0]->data : NULL;
  float *ddecay = call->input_count > 1 && call->dx[1] != NULL ? call->dx[1]->data : NULL;
  if (dx == NULL && ddecay == NULL) { return; }
  call->backend->kernels.neuron_backward(call->backend, &shape, call->x[0]->data, decay_parameter_of(call), dspikes,
                                         dmembrane, dx, call->accumulate[0], ddecay,
                                         ddecay != NULL && call->accumulate[1], call->workspace);
}

static void cost(const ssti_call *call, sst_cost *cost) { cost->neuron_updates = sst_shape_count(call->y[0]->shape); }

static bool takes_bf16(const ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  return kernels->neuron_takes_bf16 != NULL && kernels->neuron_takes_bf16(attributes_of(call)->neuron.kind);
}

static int bits(const ssti_call *call) { return attributes_of(call)->neuron.membrane_bits; }

const ssti_op ssti_op_neuron = {
    .name = "neuron",
    .attributes_size = sizeof(ssti_neuron_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bits = bits,
    .backward_reads_inputs = SSTI_ALL_INPUTS,
    .is_cheap = true,
    .backward_in_place = true,
    .bf16_inputs = 1u << 0,
    .bf16_outputs = 1u << 0,
    .takes_bf16 = takes_bf16,
};
