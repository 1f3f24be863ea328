// SPDX-License-Identifier: Apache-2.0
// From steps to the graph: each step in a scope of its name, so that its parameters are "<name>.weight".
#include <math.h>
#include <stdio.h>

#include "exchange/onnx_parts.h"

static sst_value build_activation(sst_graph *g, const ssti_onnx_step *step, sst_value x,
                                  sst_onnx_activation *activation, void *user) {
  const float ceiling = step->as.number.high;
  if (activation) { return activation(user, g, step->name, ceiling, x); }
  return isinf(ceiling) ? sst_relu(g, x) : sst_clip(g, x, 0.0f, ceiling);
}

// An input before the first neurons is of one step: the others have all of them.
static sst_value build_concat(sst_graph *g, const ssti_onnx_step *step, sst_value *x) {
  int64_t steps = 1;
  for (int i = 0; i < step->input_count; i++) {
    const int64_t t = sst_graph_shape(g, x[i]).dim[SST_AXIS_T];
    if (t > steps) { steps = t; }
  }
  for (int i = 0; i < step->input_count; i++) {
    if (sst_graph_shape(g, x[i]).dim[SST_AXIS_T] < steps) { x[i] = sst_repeat_steps(g, x[i], steps); }
  }
  return sst_concat(g, x, step->input_count, step->as.axis);
}

// x: the step's inputs that are no parameters' of its own, p: its parameters, SST_NONE behind them.
static sst_value build_step(sst_graph *g, const ssti_onnx_step *step, sst_value *x,
                            const sst_value p[SSTI_ONNX_MAX_PARAMETERS], sst_onnx_activation *activation, void *user) {
  switch (step->kind) {
  case SSTI_ONNX_CONV: return sst_conv2d(g, x[0], p[0], p[1], &step->as.conv);
  case SSTI_ONNX_LINEAR: return sst_linear(g, sst_flatten(g, x[0]), p[0], p[1]);
  case SSTI_ONNX_NORM: return sst_batch_norm(g, x[0], p[0], p[1], p[2], p[3], &step->as.norm);
  case SSTI_ONNX_ACTIVATION: return build_activation(g, step, x[0], activation, user);
  case SSTI_ONNX_CLIP: return sst_clip(g, x[0], step->as.number.low, step->as.number.high);
  case SSTI_ONNX_MAX_POOL: return sst_max_pool(g, x[0], &step->as.pool);
  case SSTI_ONNX_AVERAGE_POOL: return sst_average_pool(g, x[0], &step->as.pool);
  case SSTI_ONNX_MEAN: return sst_mean(g, x[0], step->as.axes);
  case SSTI_ONNX_MAX: return sst_max(g, x[0], step->as.axes);
  case SSTI_ONNX_ADD: return sst_add(g, x[0], x[1]);
  case SSTI_ONNX_SUBTRACT: return sst_subtract(g, x[0], x[1]);
  case SSTI_ONNX_MULTIPLY: return sst_multiply(g, x[0], x[1]);
  case SSTI_ONNX_DIVIDE: return sst_divide(g, x[0], x[1]);
  case SSTI_ONNX_AFFINE: return sst_affine(g, x[0], step->as.number.low, step->as.number.high);
  case SSTI_ONNX_FUNCTION: return step->as.function(g, x[0]);
  case SSTI_ONNX_SOFTMAX: return sst_softmax(g, x[0], 1.0f);
  case SSTI_ONNX_LOG_SOFTMAX: return sst_log_softmax(g, x[0], 1.0f);
  case SSTI_ONNX_PAD: return sst_pad(g, x[0], &step->as.pad);
  case SSTI_ONNX_SLICE: return sst_slice(g, x[0], &step->as.slice);
  case SSTI_ONNX_CONCAT: return build_concat(g, step, x);
  }
  return SST_NO_VALUE;
}

// The input as the file has it: rows may come as pictures of one channel.
static sst_value check_input(const sst_onnx *onnx, sst_graph *g, sst_value x) {
  const sst_onnx_info *info = &onnx->info;
  const sst_shape shape = sst_graph_shape(g, x);
  const int64_t h = shape.dim[SST_AXIS_H], w = shape.dim[SST_AXIS_W], c = shape.dim[SST_AXIS_C];
  if (h == info->height && w == info->width && c == info->channels) { return x; }
  if (info->rows && c == 1 && h * w == info->channels) { return sst_flatten(g, x); }
  char text[SST_SHAPE_TEXT_SIZE];
  sst_graph_fail(g, SST_SHAPE,
                 "the ONNX network's input is %s, but expected is [T,N,%" PRId64 ",%" PRId64 ",%" PRId64 "]",
                 sst_shape_text(shape, text, sizeof text), info->height, info->width, info->channels);
  return SST_NO_VALUE;
}

// Returns the logits.
static sst_value make_taps(const sst_onnx *onnx, sst_graph *g, const sst_value *made) {
  char name[24];
  for (int i = 0; i < onnx->step_count; i++) {
    if (onnx->steps[i].stage == 0) { continue; }
    snprintf(name, sizeof name, "stage%d", onnx->steps[i].stage);
    sst_graph_tap(g, name, made[i]);
  }
  if (onnx->features >= 0) { sst_graph_tap(g, "features", made[onnx->features]); }
  const sst_value steps = sst_graph_tap(g, "step_logits", made[onnx->logits]);
  const bool several = sst_graph_shape(g, steps).dim[SST_AXIS_T] > 1;
  return sst_graph_tap(g, "logits", several ? sst_mean(g, steps, SST_AXES_T) : steps);
}

// Values of the steps so far -> value of this step.
static sst_value build_in_scope(sst_graph *g, const ssti_onnx_step *step, sst_value input, const sst_value *made,
                                sst_value *x, sst_onnx_activation *activation, void *user) {
  sst_value p[SSTI_ONNX_MAX_PARAMETERS];
  const sst_initializer zero = {SST_INIT_CONSTANT, 0.0f};
  sst_graph_push(g, step->name, false);
  for (int i = 0; i < SSTI_ONNX_MAX_PARAMETERS; i++) {
    const ssti_onnx_parameter *parameter = &step->parameter[i];
    p[i] = i < step->parameter_count
               ? sst_graph_parameter(g, parameter->suffix, parameter->shape, parameter->kind, zero)
               : SST_NONE;
  }
  for (int i = 0; i < step->input_count; i++) {
    const int from = step->inputs[i];
    x[i] = from == SSTI_ONNX_PARAMETER ? p[0] : from == SSTI_ONNX_INPUT ? input : made[from];
  }
  const sst_value y = build_step(g, step, x, p, activation, user);
  sst_graph_pop(g);
  if (step->named && y >= 0) { sst_graph_tap(g, step->name, y); }
  return y;
}

sst_value sst_onnx_build(const sst_onnx *onnx, sst_graph *graph, sst_value x, sst_onnx_activation *activation,
                         void *user, sst_value *logits) {
  *logits = SST_NO_VALUE;
  if (sst_graph_status(graph) != SST_OK) { return SST_NO_VALUE; }
  int most = 1;
  for (int i = 0; i < onnx->step_count; i++) {
    if (onnx->steps[i].input_count > most) { most = onnx->steps[i].input_count; }
  }
  sst_value *made = NULL, output = SST_NO_VALUE;
  const sst_status status = ssti_allocate(onnx->context, (size_t)onnx->step_count + (size_t)most, sizeof *made, &made);
  if (status != SST_OK) {
    sst_graph_fail(graph, status, "%s", sst_context_message(onnx->context));
    return SST_NO_VALUE;
  }
  const sst_value input = check_input(onnx, graph, x);
  for (int i = 0; i < onnx->step_count; i++) {
    made[i] = build_in_scope(graph, &onnx->steps[i], input, made, made + onnx->step_count, activation, user);
  }
  if (sst_graph_status(graph) == SST_OK) {
    *logits = make_taps(onnx, graph, made);
    output = made[onnx->output];
  }
  ssti_free(onnx->context, made);
  return output;
}

sst_status sst_onnx_load(const sst_onnx *onnx, sst_parameters *parameters) {
  char name[SSTI_ONNX_NAME_SIZE + 32];
  for (int i = 0; i < onnx->step_count; i++) {
    const ssti_onnx_step *step = &onnx->steps[i];
    for (int k = 0; k < step->parameter_count; k++) {
      const ssti_onnx_parameter *from = &step->parameter[k];
      snprintf(name, sizeof name, "%s.%s", step->name, from->suffix);
      const sst_parameter *to = sst_parameters_find(parameters, name);
      if (!to || !to->value || !sst_shape_equal(to->shape, from->shape)) {
        SST_FAIL(onnx->context, SST_MISMATCH, "the store has no parameter '%s' of the ONNX network's size", name);
      }
      memcpy(to->value, from->data, (size_t)to->count * sizeof(float));
    }
  }
  return SST_OK;
}
