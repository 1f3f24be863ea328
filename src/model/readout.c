// SPDX-License-Identifier: Apache-2.0
// From the last layer's output to logits.
//
//     current      step logits: the current x[t]                      logits: mean over T
//     membrane     step logits: H[t] = d * H[t-1] + gain * x[t]       logits: mean over T    (d = readout_decay)
//     spike_count  step logits: spikes of one more neuron layer       logits: mean over T
//     last_step    step logits: the current x[t]                      logits: x[T-1]
//
// The membrane readout's integrator rests at 0 and takes `decay_input` (gain = 1 - d, else 1) from the network's
// neurons. Added layers have the names "readout.act", "readout.membrane" and, for PLIF, "readout.decay". An ANN's
// logits are its output, whatever the readout.
#include "model/model_internal.h"

// The output must be one row of `classes` features a picture.
static sst_value check_output(ssti_model *model, sst_value x) {
  sst_shape shape = sst_graph_shape(model->graph, x);
  if (shape.dim[SST_AXIS_H] == 1 && shape.dim[SST_AXIS_W] == 1 && shape.dim[SST_AXIS_C] == model->options->classes) {
    return x;
  }
  char text[SST_SHAPE_TEXT_SIZE];
  return ssti_model_fail(model, SST_SHAPE, "the network's output is %s, but expected is [T,N,1,1,%lld], one per class",
                         sst_shape_text(shape, text, sizeof text), (long long)model->options->classes);
}

static sst_value spiking_steps(ssti_model *model, sst_value x) {
  const sst_model_options *options = model->options;
  const ssti_part part = {"", ""};
  sst_neuron neuron = options->neuron;
  sst_value y = x;
  switch (options->readout) {
  case SST_READOUT_MEMBRANE:
    neuron.kind = SST_NEURON_LI;
    neuron.decay = options->readout_decay;
    neuron.hard_reset = false; // rest 0: classes start on a par
    neuron.v_reset = 0.0f;
    neuron.membrane_bits = 0; // the integrator of the logits is in full precision
    sst_graph_push(model->graph, "readout", false);
    y = ssti_neurons_build(model->graph, part, &neuron, options->timesteps, x, NULL);
    sst_graph_pop(model->graph);
    break;
  case SST_READOUT_SPIKE_COUNT:
    sst_graph_push(model->graph, "readout", false);
    y = ssti_model_tap(model, part, "act",
                       ssti_neurons_build(model->graph, part, &neuron, options->timesteps, x, NULL));
    sst_graph_pop(model->graph);
    break;
  case SST_READOUT_CURRENT:
  case SST_READOUT_LAST_STEP:
  case SST_READOUT_COUNT: break;
  }
  // A network without neurons still has T = 1 here; callers count on T steps.
  if (y >= 0 && options->timesteps > 1 && sst_graph_shape(model->graph, y).dim[SST_AXIS_T] == 1) {
    y = sst_repeat_steps(model->graph, y, options->timesteps);
  }
  return y;
}

sst_value ssti_model_readout(ssti_model *model, sst_value x, sst_value *logits) {
  *logits = SST_NO_VALUE;
  if (x < 0 || check_output(model, x) < 0) { return SST_NO_VALUE; }
  const sst_model_options *options = model->options;
  sst_value steps = options->spiking ? spiking_steps(model, x) : x;
  sst_graph_tap(model->graph, "step_logits", steps);
  sst_value y = steps;
  if (options->spiking && options->timesteps > 1) {
    y = options->readout == SST_READOUT_LAST_STEP ? sst_select_steps(model->graph, steps, options->timesteps - 1, 1)
                                                  : sst_mean(model->graph, steps, SST_AXES_T);
  }
  *logits = sst_graph_tap(model->graph, "logits", y);
  return sst_graph_status(model->graph) == SST_OK ? steps : SST_NO_VALUE;
}
