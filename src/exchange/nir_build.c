// SPDX-License-Identifier: Apache-2.0
// From steps to ops. What lies on no cycle sees all time steps in one call. A unit of steps on a cycle, and neurons
// that the neuron op cannot express, are built once for each time step:
//     I[t] = dc * I[t-1] + gc * x[t]     H[t] = (d * u[t-1] + (1 - d) * leak_to) + I[t]     s[t] = H[t] >= threshold
// with numbers that may differ from neuron to neuron. The comparison is floor(clip(H - threshold, -1, 0)) + 1, which is
// exact: a difference of two floats has the sign of the comparison.
#include <stdio.h>

#include "exchange/nir_parts.h"

typedef struct builder {
  const sst_nir_network *network;
  sst_graph *graph;
  int64_t timesteps;
  sst_value silence; // [1,N,1,1,1] zeros
  sst_value *made;   // [step]: the value over all time steps
  sst_value *at;     // [step][timesteps]: of stepped ones, each time step's
  sst_value *before; // [step]: of stepped ones, the value before the first step
} builder;

// ---- parameters and small sums

static sst_value constant(const builder *b, const ssti_nir_step *step, const char *suffix) {
  const sst_initializer zero = {SST_INIT_CONSTANT, 0.0f};
  for (int i = 0; i < step->constant_count; i++) {
    const ssti_nir_constant *c = &step->constants[i];
    if (strcmp(c->suffix, suffix) == 0) { return sst_graph_parameter(b->graph, c->suffix, c->shape, c->kind, zero); }
  }
  return SST_NONE;
}

// Zeros of a form.
static sst_value silent(const builder *b, const ssti_nir_form *form, const char *suffix) {
  const sst_initializer zero = {SST_INIT_CONSTANT, 0.0f};
  const sst_value zeros = sst_graph_parameter(b->graph, suffix, ssti_nir_shape_of(form), SST_PARAMETER_BUFFER, zero);
  return sst_add(b->graph, zeros, b->silence);
}

static int64_t steps_of(const builder *b, sst_value x) { return sst_graph_shape(b->graph, x).dim[SST_AXIS_T]; }

// One time step of a value that may be the same at all.
static sst_value step_of(const builder *b, sst_value x, int64_t t) {
  return steps_of(b, x) == 1 ? x : sst_select_steps(b->graph, x, t, 1);
}

static sst_value plus(const builder *b, sst_value sum, sst_value x) {
  return sum == SST_NONE ? x : sst_add(b->graph, sum, x);
}

static sst_value fire(const builder *b, sst_value h, sst_value threshold) {
  sst_graph *g = b->graph;
  return sst_affine(g, sst_floor(g, sst_clip(g, sst_subtract(g, h, threshold), -1.0f, 0.0f)), 1.0f, 1.0f);
}

// Spikes that were made of other ops, as those of a neuron layer: an identity on 0 and 1, so that they are counted.
static sst_value as_spikes(const builder *b, sst_value spikes) {
  sst_neuron neuron = sst_neuron_default();
  neuron.decay = 0.0f;
  neuron.threshold = 0.5f;
  return sst_neuron_layer(b->graph, spikes, steps_of(b, spikes), &neuron, SST_NONE, NULL);
}

// ---- steps without memory

static sst_value build_sum_pool(const builder *b, const ssti_nir_step *step, sst_value x) {
  const sst_value ones = constant(b, step, "ones");
  if (ones != SST_NONE) { return sst_conv2d(b->graph, x, ones, SST_NONE, &step->conv); }
  const float window = (float)(step->pool.kernel_h * step->pool.kernel_w);
  return sst_affine(b->graph, sst_average_pool(b->graph, x, &step->pool), window, 0.0f);
}

static sst_value build_memoryless(const builder *b, const ssti_nir_step *step, sst_value x) {
  sst_graph *g = b->graph;
  switch (step->type) {
  case SST_NIR_TYPE_AFFINE:
  case SST_NIR_TYPE_LINEAR:
    return sst_linear(g, step->in.rank > 1 ? sst_flatten(g, x) : x, constant(b, step, "weight"),
                      constant(b, step, "bias"));
  case SST_NIR_TYPE_CONV1D:
  case SST_NIR_TYPE_CONV2D:
    return sst_conv2d(g, step->pads ? sst_pad(g, x, &step->pad) : x, constant(b, step, "weight"),
                      constant(b, step, "bias"), &step->conv);
  case SST_NIR_TYPE_AVG_POOL2D: return sst_average_pool(g, x, &step->pool);
  case SST_NIR_TYPE_SUM_POOL2D: return build_sum_pool(b, step, x);
  case SST_NIR_TYPE_FLATTEN: return step->out.rank < step->in.rank ? sst_flatten(g, x) : x;
  case SST_NIR_TYPE_SCALE: return sst_multiply(g, x, constant(b, step, "scale"));
  case SST_NIR_TYPE_THRESHOLD: return fire(b, x, constant(b, step, "threshold"));
  default: return x; // inputs and outputs of nested graphs
  }
}

// ---- over all time steps at once

static sst_value build_delay(const builder *b, const ssti_nir_step *step, sst_value x) {
  sst_graph *g = b->graph;
  const int64_t most = b->timesteps, delay = step->delay < most ? step->delay : most;
  if (delay == 0) { return x; }
  sst_value parts[2] = {sst_repeat_steps(g, silent(b, &step->out, "silence"), delay), SST_NONE};
  if (delay == most) { return parts[0]; }
  parts[1] = steps_of(b, x) == 1 ? sst_repeat_steps(g, x, most - delay) : sst_select_steps(g, x, 0, most - delay);
  return sst_concat(g, parts, 2, SST_AXIS_T);
}

// A layer of equal neurons: `gain` and `leak_to` go into the input where the op has no field for them.
static sst_value neurons(const builder *b, sst_value x, sst_neuron *neuron, float gain, float leak_to) {
  const float rest = neuron->hard_reset ? neuron->v_reset : 0.0f, leak = 1.0f - neuron->decay;
  neuron->decay_input = gain == leak && gain != 1.0f && gain != 0.0f;
  const float inner = neuron->decay_input ? leak : 1.0f;
  const float offset = neuron->kind == SST_NEURON_IF ? 0.0f : leak * (leak_to - rest) / inner;
  if (gain != inner || offset != 0.0f) { x = sst_affine(b->graph, x, gain / inner, offset); }
  return sst_neuron_layer(b->graph, x, b->timesteps, neuron, SST_NONE, NULL);
}

static sst_value build_neurons(const builder *b, const ssti_nir_step *step, sst_value x) {
  const ssti_nir_cell *cell = &step->cell;
  const bool cuba = step->type == SST_NIR_TYPE_CUBALI || step->type == SST_NIR_TYPE_CUBALIF;
  sst_neuron neuron = sst_neuron_default();
  neuron.decay = cell->decay;
  neuron.hard_reset = ssti_nir_fires(step->type) && !b->network->info.soft_reset;
  neuron.v_reset = neuron.hard_reset ? cell->reset_to : 0.0f;
  neuron.kind = !ssti_nir_fires(step->type)     ? SST_NEURON_LI
                : step->type == SST_NIR_TYPE_IF ? SST_NEURON_IF
                                                : SST_NEURON_LIF;
  if (ssti_nir_fires(step->type)) { neuron.threshold = cell->threshold; }
  if (!cuba) { return neurons(b, x, &neuron, cell->gain, cell->leak_to); }
  const bool one_op = neuron.kind == SST_NEURON_LIF && cell->leak_to == neuron.v_reset;
  if (!one_op) {
    sst_neuron current = sst_neuron_default();
    current.kind = SST_NEURON_LI;
    current.hard_reset = false;
    current.decay = cell->current_decay;
    return neurons(b, neurons(b, x, &current, cell->current_gain, 0.0f), &neuron, 1.0f, cell->leak_to);
  }
  neuron.kind = SST_NEURON_CUBALIF;
  neuron.current_decay = cell->current_decay;
  neuron.decay_input = cell->current_gain == 1.0f - cell->current_decay && cell->current_gain != 1.0f;
  if (!neuron.decay_input && cell->current_gain != 1.0f) { x = sst_affine(b->graph, x, cell->current_gain, 0.0f); }
  return sst_neuron_layer(b->graph, x, b->timesteps, &neuron, SST_NONE, NULL);
}

static void build_whole(builder *b, int index) {
  const ssti_nir_step *step = &b->network->steps[index];
  sst_value x = SST_NONE;
  for (int i = 0; i < step->source_count; i++) { x = plus(b, x, b->made[step->sources[i].step]); }
  sst_graph_push(b->graph, step->name, false);
  b->made[index] = ssti_nir_is_neuron(step->type)         ? build_neurons(b, step, x)
                   : step->type == SST_NIR_TYPE_DELAY     ? build_delay(b, step, x)
                   : step->type == SST_NIR_TYPE_THRESHOLD ? as_spikes(b, build_memoryless(b, step, x))
                                                          : build_memoryless(b, step, x);
  sst_graph_pop(b->graph);
}

// ---- one time step after another

typedef struct state {
  sst_value current, membrane; // of step t - 1
} state;

// One time step of neurons; for those that do not fire the membrane is the output.
static sst_value step_neurons(const builder *b, const ssti_nir_step *step, state *s, sst_value x) {
  sst_graph *g = b->graph;
  const bool fires = ssti_nir_fires(step->type), soft = b->network->info.soft_reset;
  const sst_value decay = constant(b, step, "decay"), reset_to = constant(b, step, "reset_to");
  sst_value current;
  if (step->type == SST_NIR_TYPE_CUBALI || step->type == SST_NIR_TYPE_CUBALIF) {
    current = sst_multiply(g, x, constant(b, step, "current_gain"));
    if (s->current != SST_NONE) {
      current = sst_add(g, sst_multiply(g, s->current, constant(b, step, "current_decay")), current);
    }
    s->current = current;
  } else {
    current = sst_multiply(g, x, constant(b, step, "gain"));
  }
  const sst_value leak = sst_affine(g, decay, -1.0f, 1.0f);
  sst_value h = sst_multiply(g, leak, constant(b, step, "leak_to"));
  if (s->membrane == SST_NONE && fires && !soft) { s->membrane = reset_to; }
  if (s->membrane != SST_NONE) { h = sst_add(g, sst_multiply(g, s->membrane, decay), h); }
  h = sst_add(g, h, current);
  s->membrane = h;
  if (!fires) { return h; }
  const sst_value threshold = constant(b, step, "threshold"), spikes = fire(b, h, threshold);
  s->membrane =
      soft ? sst_subtract(g, h, sst_multiply(g, spikes, threshold))
           : sst_add(g, sst_multiply(g, h, sst_affine(g, spikes, -1.0f, 1.0f)), sst_multiply(g, spikes, reset_to));
  return spikes;
}

static sst_value *at(const builder *b, int step, int64_t t) { return &b->at[(int64_t)step * b->timesteps + t]; }

// What arrives at a step of a unit at time t; t = -1: before the first step, when only the unit itself can say
// anything.
static sst_value arriving(const builder *b, const ssti_nir_step *step, int64_t t) {
  sst_value x = SST_NONE;
  for (int i = 0; i < step->source_count; i++) {
    const int from = step->sources[i].step;
    if (b->network->steps[from].unit != step->unit) {
      if (t >= 0) { x = plus(b, x, step_of(b, b->made[from], t)); }
      continue;
    }
    const int64_t when = step->sources[i].late ? t - 1 : t;
    if (when >= 0) {
      x = plus(b, x, *at(b, from, when));
    } else if (when == -1 && b->before[from] != SST_NONE) {
      x = plus(b, x, b->before[from]);
    }
  }
  return x == SST_NONE ? silent(b, &step->in, "silence") : x;
}

// Before the first step inputs and neurons are silent; what is between them gives what it makes of that.
static void build_before(builder *b, int first, int end) {
  for (int i = first; i < end; i++) {
    const ssti_nir_step *step = &b->network->steps[i];
    sst_graph_push(b->graph, step->name, false);
    const bool quiet =
        ssti_nir_is_neuron(step->type) || step->type == SST_NIR_TYPE_DELAY || step->type == SST_NIR_TYPE_THRESHOLD;
    b->before[i] = quiet ? silent(b, &step->out, "rest") : build_memoryless(b, step, arriving(b, step, -1));
    sst_graph_pop(b->graph);
  }
}

static sst_value build_at(builder *b, int index, int64_t t, state *s) {
  const ssti_nir_step *step = &b->network->steps[index];
  if (step->type == SST_NIR_TYPE_DELAY && step->delay > 0) {
    return t < step->delay ? silent(b, &step->out, "rest") : arriving(b, step, t - step->delay);
  }
  const sst_value x = arriving(b, step, t);
  return ssti_nir_is_neuron(step->type) ? step_neurons(b, step, s, x) : build_memoryless(b, step, x);
}

static void build_unit(builder *b, int first, int end, state *states) {
  build_before(b, first, end); // what nobody reads is dropped when the graph is compiled
  for (int i = first; i < end; i++) { states[i] = (state){SST_NONE, SST_NONE}; }
  for (int64_t t = 0; t < b->timesteps; t++) {
    for (int i = first; i < end; i++) {
      sst_graph_push(b->graph, b->network->steps[i].name, false);
      *at(b, i, t) = build_at(b, i, t, &states[i]);
      sst_graph_pop(b->graph);
    }
  }
  for (int i = first; i < end; i++) {
    const ssti_nir_step *step = &b->network->steps[i];
    sst_graph_push(b->graph, step->name, false);
    b->made[i] = sst_concat(b->graph, at(b, i, 0), (int)b->timesteps, SST_AXIS_T);
    if (ssti_nir_fires(step->type) || step->type == SST_NIR_TYPE_THRESHOLD) { b->made[i] = as_spikes(b, b->made[i]); }
    sst_graph_pop(b->graph);
  }
}

// ---- the whole

// The input as the file has it: rows may come as pictures of one channel.
static sst_value take_input(const builder *b, sst_value x) {
  const sst_nir_info *info = &b->network->info;
  const sst_shape shape = sst_graph_shape(b->graph, x);
  const int64_t h = shape.dim[SST_AXIS_H], w = shape.dim[SST_AXIS_W], c = shape.dim[SST_AXIS_C];
  const int64_t t = shape.dim[SST_AXIS_T];
  char text[SST_SHAPE_TEXT_SIZE];
  if (t == 1 || t == b->timesteps) {
    if (h == info->height && w == info->width && c == info->channels) { return x; }
    if (info->rows && c == 1 && h * w == info->channels) { return sst_flatten(b->graph, x); }
  }
  sst_graph_fail(b->graph, SST_SHAPE,
                 "the NIR network's input is %s, but expected is [T,N,%lld,%lld,%lld] with T 1 or %lld",
                 sst_shape_text(shape, text, sizeof text), (long long)info->height, (long long)info->width,
                 (long long)info->channels, (long long)b->timesteps);
  return SST_NO_VALUE;
}

static void build_steps(builder *b, sst_value x, state *states) {
  const sst_nir_network *network = b->network;
  bool waits = false;
  for (int i = 0; i < network->step_count; i++) {
    waits = waits || network->steps[i].stepped || network->steps[i].delay > 0;
  }
  if (waits) {
    const sst_value one = sst_max(b->graph, step_of(b, x, 0), SST_AXES_H | SST_AXES_W | SST_AXES_C);
    b->silence = sst_clip(b->graph, one, 0.0f, 0.0f);
  }
  for (int i = 0, end; i < network->step_count; i = end) {
    for (end = i + 1; end < network->step_count && network->steps[end].unit == network->steps[i].unit;) { end++; }
    if (i == network->input) {
      b->made[i] = x;
    } else if (network->steps[i].stepped) {
      build_unit(b, i, end, states);
    } else {
      build_whole(b, i);
    }
  }
  for (int i = 0; i < network->step_count; i++) {
    // Its ends have taps already: the caller's input, "step_logits".
    const char *name = network->steps[i].name;
    if (i != network->input && i != network->output && strcmp(name, "input") != 0) {
      sst_graph_tap(b->graph, name, b->made[i]);
    }
  }
}

static sst_value finish(const builder *b, bool last_step, sst_value *logits) {
  sst_graph *g = b->graph;
  sst_value y = b->made[b->network->output];
  if (b->network->steps[b->network->output].out.rank > 1) { y = sst_flatten(g, y); }
  if (b->timesteps > 1 && steps_of(b, y) == 1) { y = sst_repeat_steps(g, y, b->timesteps); }
  sst_graph_tap(g, "step_logits", y);
  sst_value readout = y;
  if (b->timesteps > 1) {
    readout = last_step ? sst_select_steps(g, y, b->timesteps - 1, 1) : sst_mean(g, y, SST_AXES_T);
  }
  readout = sst_graph_tap(g, "logits", readout);
  if (sst_graph_status(g) != SST_OK) { return SST_NO_VALUE; }
  *logits = readout;
  return y;
}

sst_value sst_nir_build(const sst_nir_network *network, sst_graph *graph, sst_value x, int64_t timesteps,
                        bool last_step, sst_value *logits) {
  *logits = SST_NO_VALUE;
  if (sst_graph_status(graph) != SST_OK) { return SST_NO_VALUE; }
  const size_t count = (size_t)network->step_count;
  sst_value *values = NULL, output = SST_NO_VALUE;
  state *states = NULL;
  sst_status status = ssti_allocate(network->context, count * ((size_t)timesteps + 2), sizeof *values, &values);
  if (status == SST_OK) { status = ssti_allocate(network->context, count, sizeof *states, &states); }
  if (status != SST_OK) {
    sst_graph_fail(graph, status, "%s", sst_context_message(network->context));
  } else {
    builder b = {.network = network,
                 .graph = graph,
                 .timesteps = timesteps,
                 .made = values,
                 .before = values + count,
                 .at = values + 2 * count};
    for (size_t i = 0; i < count * ((size_t)timesteps + 2); i++) { values[i] = SST_NONE; }
    const sst_value input = take_input(&b, x);
    if (input >= 0) {
      build_steps(&b, input, states);
      output = finish(&b, last_step, logits);
    }
  }
  ssti_free(network->context, values);
  ssti_free(network->context, states);
  return output;
}

sst_status sst_nir_load(const sst_nir_network *network, sst_parameters *parameters) {
  for (int i = 0; i < network->step_count; i++) {
    const ssti_nir_step *step = &network->steps[i];
    for (int k = 0; k < step->constant_count; k++) {
      const ssti_nir_constant *from = &step->constants[k];
      ssti_text name = ssti_text_begin(network->context);
      ssti_text_append(&name, "%s.%s", step->name, from->suffix);
      const sst_parameter *to = name.status == SST_OK ? sst_parameters_find(parameters, name.data) : NULL;
      sst_status status = name.status;
      if (status == SST_OK && (!to || !to->value || !sst_shape_equal(to->shape, from->shape))) {
        status = ssti_fail(network->context, SST_MISMATCH, "the store has no parameter '%s' of the NIR network's size",
                           name.data);
      }
      ssti_text_free(&name);
      SST_TRY(status);
      if (to == NULL) { return SST_MISMATCH; } // said above
      memcpy(to->value, from->data, (size_t)to->count * sizeof(float));
    }
  }
  return SST_OK;
}
