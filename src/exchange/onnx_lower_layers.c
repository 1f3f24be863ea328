// SPDX-License-Identifier: Apache-2.0
// Layers with weights, and pooling: weights O,I,H,W become O,H,W,I, and columns of a matrix take the order in which our
// pictures lie in memory.
#include <float.h>
#include <math.h>

#include "exchange/onnx_parts.h"

enum { FAR = 1 << 20 }; // largest kernel, stride, padding and dilation

// What windows that slide over height and width have in common.
typedef struct window {
  int64_t kernel[2], stride[2], dilation[2], before[2], after[2], out[2];
} window;

static sst_status pair(const ssti_onnx_node *node, const char *name, int64_t low, int64_t value, int64_t out[2]) {
  int count = 0;
  SST_TRY(ssti_onnx_ints(node, name, 2, out, &count));
  if (count == 0) {
    out[0] = out[1] = value;
    return SST_OK;
  }
  if (count == 1 || out[0] < low || out[0] > FAR || out[1] < low || out[1] > FAR) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "attribute %s is not two numbers of %" PRId64 "..%d, for height and width",
                   name, low, (int)FAR);
  }
  return SST_OK;
}

// Paddings and the size of the output. `ceil`: a last window may stand out.
static sst_status read_window(const ssti_onnx_node *node, const ssti_onnx_picture *x, bool ceil, window *w) {
  char word[32];
  int64_t pads[4] = {0};
  int count = 0;
  SST_TRY(pair(node, "strides", 1, 1, w->stride));
  SST_TRY(pair(node, "dilations", 1, 1, w->dilation));
  SST_TRY(ssti_onnx_word(node, "auto_pad", "NOTSET", word));
  SST_TRY(ssti_onnx_ints(node, "pads", 4, pads, &count));
  const bool upper = strcmp(word, "SAME_UPPER") == 0, lower = strcmp(word, "SAME_LOWER") == 0;
  if (!upper && !lower && strcmp(word, "VALID") != 0 && strcmp(word, "NOTSET") != 0) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute auto_pad is '%s'", word);
  }
  if ((count != 0 && count != 4) || (strcmp(word, "NOTSET") != 0 && (pads[0] || pads[1] || pads[2] || pads[3]))) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "%d pads beside auto_pad %s, expected 4 or none", count, word);
  }
  for (int i = 0; i < 2; i++) {
    const int64_t in = x->length[SSTI_ONNX_H + i], span = w->dilation[i] * (w->kernel[i] - 1) + 1;
    w->before[i] = pads[i];
    w->after[i] = pads[i + 2];
    if (pads[i] < 0 || pads[i] > FAR || pads[i + 2] < 0 || pads[i + 2] > FAR) {
      SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "pads of %" PRId64 " and %" PRId64 ", expected 0..%d", pads[i], pads[i + 2],
                     (int)FAR);
    }
    if (upper || lower) {
      const int64_t total = ((in + w->stride[i] - 1) / w->stride[i] - 1) * w->stride[i] + span - in;
      w->before[i] = total > 0 ? (total + (lower ? 1 : 0)) / 2 : 0;
      w->after[i] = total > 0 ? total - w->before[i] : 0;
    }
    const int64_t room = in + w->before[i] + w->after[i] - span;
    if (room < 0) {
      SSTI_ONNX_FAIL(node, SST_FORMAT, "a window of %" PRId64 " on %" PRId64 " padded positions", span, room + span);
    }
    w->out[i] = room / w->stride[i] + 1;
    if (ceil && room % w->stride[i] != 0) {
      if (w->out[i] * w->stride[i] >= in + w->before[i]) { // it would begin behind the picture
        SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "ceil_mode makes a window outside the picture%s", "");
      }
      w->after[i] += w->stride[i] - room % w->stride[i];
      w->out[i]++;
    }
  }
  return SST_OK;
}

// Puts what a layer of ours cannot pad itself into a step of its own; *pad is then what is left for the layer.
static sst_status pad_before(const ssti_onnx_node *node, ssti_onnx_picture *x, const window *w, float value,
                             int64_t most[2], int64_t pad[2]) {
  pad[0] = w->before[0];
  pad[1] = w->before[1];
  if (w->before[0] == w->after[0] && w->before[1] == w->after[1] && pad[0] <= most[0] && pad[1] <= most[1]) {
    return SST_OK;
  }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_PAD, x, &step));
  step->as.pad = (sst_pad_options){{w->before[0], w->before[1], 0}, {w->after[0], w->after[1], 0}, value};
  x->step = node->reader->onnx->step_count - 1;
  for (int i = 0; i < 2; i++) { x->length[SSTI_ONNX_H + i] += w->before[i] + w->after[i]; }
  pad[0] = pad[1] = 0;
  return ssti_onnx_check_picture(node, x);
}

static sst_status need_nchw(const ssti_onnx_node *node, const ssti_onnx_picture *x) {
  char text[128];
  if (!ssti_onnx_is_nchw(x)) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "input %s is not [N,C,H,W]", ssti_onnx_picture_text(x, text));
  }
  return SST_OK;
}

// A bias of `outputs` numbers, however it broadcasts to them.
static sst_status add_bias(const ssti_onnx_node *node, int input, ssti_onnx_step *step, int64_t outputs, float factor) {
  ssti_onnx_tensor *t = NULL;
  SST_TRY(ssti_onnx_need_constant(node, input, true, &t));
  const bool fits = t->count == 1 || (t->count == outputs && t->rank > 0 && t->dim[t->rank - 1] == outputs);
  if (!fits) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "a bias of %" PRId64 " numbers for %" PRId64 " outputs", t->count, outputs);
  }
  float *bias = NULL;
  SST_TRY(ssti_onnx_add_parameter(node, step, "bias", sst_shape_make(1, 1, 1, 1, outputs), SST_PARAMETER_BIAS, &bias));
  for (int64_t o = 0; o < outputs; o++) { bias[o] = factor * t->reals[t->count == 1 ? 0 : o]; }
  return SST_OK;
}

sst_status ssti_onnx_lower_conv(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *in = NULL;
  ssti_onnx_tensor *t = NULL;
  int64_t groups = 1, given[2], pad[2], any[2] = {FAR, FAR};
  window w = {0};
  SST_TRY(ssti_onnx_need_picture(node, 0, &in));
  SST_TRY(ssti_onnx_need_constant(node, 1, true, &t));
  SST_TRY(need_nchw(node, in));
  SST_TRY(ssti_onnx_int(node, "group", 1, 1, SSTI_ONNX_MAX_LENGTH, &groups));
  ssti_onnx_picture x = *in;
  const int64_t channels = x.length[SSTI_ONNX_C];
  if (t->rank != 4 || t->count == 0 || channels % groups != 0 || t->dim[0] % groups != 0 ||
      t->dim[1] != channels / groups || t->dim[2] > FAR || t->dim[3] > FAR) {
    SSTI_ONNX_FAIL(node, SST_FORMAT,
                   "weights of %d axes [%" PRId64 ",%" PRId64 ",...] do not fit %" PRId64 " channels in %" PRId64
                   " groups",
                   t->rank, t->dim[0], t->dim[1], channels, groups);
  }
  w.kernel[0] = t->dim[2];
  w.kernel[1] = t->dim[3];
  SST_TRY(pair(node, "kernel_shape", 1, 0, given));
  if (given[0] && (given[0] != w.kernel[0] || given[1] != w.kernel[1])) {
    SSTI_ONNX_FAIL(node, SST_FORMAT,
                   "attribute kernel_shape is %" PRId64 "x%" PRId64 ", the weights' is %" PRId64 "x%" PRId64, given[0],
                   given[1], w.kernel[0], w.kernel[1]);
  }
  SST_TRY(read_window(node, &x, false, &w));
  SST_TRY(pad_before(node, &x, &w, 0.0f, any, pad));
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_CONV, &x, &step));
  step->as.conv = (sst_conv2d_options){w.stride[0], w.stride[1], pad[0], pad[1], w.dilation[0], w.dilation[1], groups};
  const int64_t outputs = t->dim[0], inner = t->dim[1], area = t->dim[2] * t->dim[3];
  float *weight = NULL;
  SST_TRY(ssti_onnx_add_parameter(node, step, "weight", sst_shape_make(1, outputs, t->dim[2], t->dim[3], inner),
                                  SST_PARAMETER_WEIGHT, &weight));
  for (int64_t o = 0; o < outputs; o++) {
    for (int64_t i = 0; i < inner; i++) {
      for (int64_t k = 0; k < area; k++) { weight[(o * area + k) * inner + i] = t->reals[(o * inner + i) * area + k]; }
    }
  }
  if (ssti_onnx_has_input(node, 2)) { SST_TRY(add_bias(node, 2, step, outputs, 1.0f)); }
  *out = x;
  ssti_onnx_set_nchw(out);
  out->step = node->reader->onnx->step_count - 1;
  out->length[SSTI_ONNX_H] = w.out[0];
  out->length[SSTI_ONNX_W] = w.out[1];
  out->length[SSTI_ONNX_C] = outputs;
  if (w.stride[0] > 1 || w.stride[1] > 1) { ssti_onnx_note_reduction(node, in, out); }
  return SST_OK;
}

// A matrix of [in,out] (or [out,in]) on the last axis of x. Where all of x but N is in that axis: a linear layer whose
// columns take the order of memory; where it is C of whole pictures: a 1x1 convolution.
static sst_status lower_matrix(const ssti_onnx_node *node, const ssti_onnx_picture *x, const ssti_onnx_tensor *t,
                               bool turned, float factor, ssti_onnx_picture *out) {
  const int last = x->rank - 1;
  const int64_t inputs = x->rank > 0 ? ssti_onnx_axis_length(x, last) : 0;
  if (t->rank != 2 || t->count == 0 || x->rank < 2 || t->dim[turned ? 1 : 0] != inputs) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_FORMAT, "a matrix of %" PRId64 " numbers in %d axes does not fit input %s", t->count,
                   t->rank, ssti_onnx_picture_text(x, text));
  }
  const int64_t outputs = t->dim[turned ? 0 : 1];
  const int64_t height = x->length[SSTI_ONNX_H], width = x->length[SSTI_ONNX_W], channels = x->length[SSTI_ONNX_C];
  const bool row = inputs == height * width * channels && ssti_onnx_axis_is(x, 0, SSTI_ONNX_N);
  if (!row && !ssti_onnx_axis_is(x, last, SSTI_ONNX_C)) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "multiplies over height or width alone");
  }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, row ? SSTI_ONNX_LINEAR : SSTI_ONNX_CONV, x, &step));
  if (!row) { step->as.conv = sst_conv2d_default(); }
  float *weight = NULL;
  SST_TRY(ssti_onnx_add_parameter(node, step, "weight", sst_shape_make(1, outputs, 1, 1, inputs), SST_PARAMETER_WEIGHT,
                                  &weight));
  int64_t column = 0;
  for (int64_t h = 0; h < (row ? height : 1); h++) {
    for (int64_t w = 0; w < (row ? width : 1); w++) {
      for (int64_t c = 0; c < channels; c++, column++) {
        const int64_t i = ssti_onnx_position(x, last, h, w, c);
        for (int64_t o = 0; o < outputs; o++) {
          weight[o * inputs + column] = factor * t->reals[turned ? o * inputs + i : i * outputs + o];
        }
      }
    }
  }
  *out = *x;
  if (row) {
    node->reader->onnx->features = x->activation; // the last linear layer's stays
    ssti_onnx_set_rows(out, x->rank, outputs);
  } else {
    out->length[SSTI_ONNX_C] = outputs;
    out->axis[last] = (ssti_onnx_axis){1, {SSTI_ONNX_C}};
  }
  out->step = node->reader->onnx->step_count - 1;
  return SST_OK;
}

sst_status ssti_onnx_lower_gemm(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  ssti_onnx_tensor *t = NULL;
  int64_t turned = 0, turned_input = 0;
  float alpha = 1.0f, beta = 1.0f;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_need_constant(node, 1, true, &t));
  SST_TRY(ssti_onnx_int(node, "transA", 0, 0, 0, &turned_input));
  SST_TRY(ssti_onnx_int(node, "transB", 0, 0, 1, &turned));
  SST_TRY(ssti_onnx_float(node, "alpha", 1.0f, &alpha));
  SST_TRY(ssti_onnx_float(node, "beta", 1.0f, &beta));
  SST_TRY(lower_matrix(node, x, t, turned != 0, alpha, out));
  ssti_onnx_step *step = &node->reader->onnx->steps[out->step];
  return ssti_onnx_has_input(node, 2) ? add_bias(node, 2, step, out->length[SSTI_ONNX_C], beta) : SST_OK;
}

sst_status ssti_onnx_lower_matmul(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  ssti_onnx_tensor *t = NULL;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_need_constant(node, 1, true, &t));
  return lower_matrix(node, x, t, false, 1.0f, out);
}

sst_status ssti_onnx_lower_batch_norm(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  static const char *const suffixes[] = {"gamma", "beta", "running_mean", "running_variance"};
  ssti_onnx_picture *x = NULL;
  ssti_onnx_tensor *t[4] = {NULL};
  float epsilon = 1e-5f;
  int64_t unused = 0;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_float(node, "epsilon", 1e-5f, &epsilon));
  SST_TRY(ssti_onnx_int(node, "training_mode", 0, 0, 0, &unused));
  if (node->reader->opset < 9) { SST_TRY(ssti_onnx_int(node, "spatial", 1, 1, 1, &unused)); }
  const int64_t channels = x->rank > 1 ? ssti_onnx_axis_length(x, 1) : 0;
  if (channels != x->length[SSTI_ONNX_C] || !ssti_onnx_axis_is(x, 1, SSTI_ONNX_C) || !(epsilon > 0.0f)) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "on axis 1 of %s, which are not channels alone",
                   ssti_onnx_picture_text(x, text));
  }
  for (int i = 0; i < 4; i++) {
    SST_TRY(ssti_onnx_need_constant(node, i + 1, true, &t[i]));
    if (t[i]->rank != 1 || t[i]->count != channels) {
      SSTI_ONNX_FAIL(node, SST_FORMAT,
                     "input %d has %" PRId64 " numbers, expected one for each of %" PRId64 " channels", i + 1,
                     t[i]->count, channels);
    }
  }
  *out = *x;
  if (!node->reader->options->keep_batch_norm) {
    float *scale = NULL, *offset = NULL;
    SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)channels, sizeof *scale, &scale));
    SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)channels, sizeof *offset, &offset));
    for (int64_t c = 0; c < channels; c++) {
      scale[c] = (float)((double)t[0]->reals[c] / sqrt((double)t[3]->reals[c] + (double)epsilon));
      offset[c] = t[1]->reals[c] - t[2]->reals[c] * scale[c];
    }
    sst_status status = SST_OK;
    if (ssti_onnx_absorb(node, 0, scale, offset, channels, &status) || status != SST_OK) { return status; }
  }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_NORM, x, &step));
  step->as.norm = sst_batch_norm_default();
  step->as.norm.epsilon = epsilon;
  for (int i = 0; i < 4; i++) {
    float *data = NULL;
    const sst_parameter_kind kind = i < 2 ? SST_PARAMETER_NORM : SST_PARAMETER_BUFFER;
    SST_TRY(ssti_onnx_add_parameter(node, step, suffixes[i], sst_shape_make(1, 1, 1, 1, channels), kind, &data));
    memcpy(data, t[i]->reals, (size_t)channels * sizeof *data);
  }
  out->step = node->reader->onnx->step_count - 1;
  return SST_OK;
}

// Windows at the border hold fewer elements of the picture: the average over those is ours times whole / held.
static sst_status correct_average(const ssti_onnx_node *node, const ssti_onnx_picture *in, const window *w,
                                  bool count_padding, const int64_t declared_after[2], ssti_onnx_picture *out) {
  ssti_onnx_step *step = NULL;
  float *data = NULL;
  bool whole = true;
  float *correction = NULL;
  SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)(w->out[0] * w->out[1]), sizeof *correction, &correction));
  for (int64_t y = 0; y < w->out[0]; y++) {
    for (int64_t x = 0; x < w->out[1]; x++) {
      const int64_t at[2] = {y, x};
      int64_t held = 1;
      for (int i = 0; i < 2; i++) {
        int64_t first = at[i] * w->stride[i] - w->before[i], end = first + w->kernel[i];
        const int64_t low = count_padding ? -w->before[i] : 0;
        const int64_t high = in->length[SSTI_ONNX_H + i] + (count_padding ? declared_after[i] : 0);
        first = first < low ? low : first;
        end = end > high ? high : end;
        held *= end > first ? end - first : 0;
      }
      if (held == 0) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "a window holds padding alone%s", ""); }
      const int64_t all = w->kernel[0] * w->kernel[1];
      whole = whole && held == all;
      correction[y * w->out[1] + x] = (float)((double)all / (double)held);
    }
  }
  if (whole) { return SST_OK; }
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_MULTIPLY, out, &step));
  SST_TRY(ssti_onnx_add_parameter(node, step, "constant", sst_shape_make(1, 1, w->out[0], w->out[1], 1),
                                  SST_PARAMETER_BUFFER, &data));
  memcpy(data, correction, (size_t)(w->out[0] * w->out[1]) * sizeof *data);
  step->inputs[1] = SSTI_ONNX_PARAMETER;
  step->input_count = 2;
  out->step = node->reader->onnx->step_count - 1;
  return SST_OK;
}

sst_status ssti_onnx_lower_pool(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  const bool max = node->type[0] == 'M';
  ssti_onnx_picture *in = NULL;
  int64_t ceil = 0, count_padding = 0, pad[2], declared_after[2];
  window w = {0};
  SST_TRY(ssti_onnx_need_picture(node, 0, &in));
  SST_TRY(need_nchw(node, in));
  if (!ssti_onnx_attribute(node, "kernel_shape")) { SSTI_ONNX_FAIL(node, SST_FORMAT, "%s", "has no kernel_shape"); }
  SST_TRY(pair(node, "kernel_shape", 1, 1, w.kernel));
  SST_TRY(ssti_onnx_int(node, "ceil_mode", 0, 0, 1, &ceil));
  SST_TRY(ssti_onnx_int(node, "count_include_pad", 0, 0, 1, &count_padding));
  SST_TRY(read_window(node, in, false, &w));
  memcpy(declared_after, w.after, sizeof declared_after);
  if (ceil) { SST_TRY(read_window(node, in, true, &w)); }
  if (w.dilation[0] != 1 || w.dilation[1] != 1) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "dilations of %" PRId64 "x%" PRId64 ", expected 1x1", w.dilation[0],
                   w.dilation[1]);
  }
  if (max && w.kernel[0] * w.kernel[1] > 255) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "a window of %" PRId64 " positions, expected at most 255",
                   w.kernel[0] * w.kernel[1]);
  }
  ssti_onnx_picture x = *in;
  int64_t most[2] = {w.kernel[0] / 2, w.kernel[1] / 2};
  SST_TRY(pad_before(node, &x, &w, max ? -FLT_MAX : 0.0f, most, pad));
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, max ? SSTI_ONNX_MAX_POOL : SSTI_ONNX_AVERAGE_POOL, &x, &step));
  step->as.pool = (sst_pool_options){w.kernel[0], w.kernel[1], w.stride[0], w.stride[1], pad[0], pad[1]};
  *out = x;
  ssti_onnx_set_nchw(out);
  out->step = node->reader->onnx->step_count - 1;
  out->length[SSTI_ONNX_H] = w.out[0];
  out->length[SSTI_ONNX_W] = w.out[1];
  ssti_onnx_note_reduction(node, in, out);
  return max ? SST_OK : correct_average(node, in, &w, count_padding != 0, declared_after, out);
}

// Over the axes of ours in `axes`; they stay, with length 1.
static sst_status reduce(const ssti_onnx_node *node, const ssti_onnx_picture *x, ssti_onnx_step_kind kind, int axes,
                         ssti_onnx_picture *out) {
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, kind, x, &step));
  step->as.axes = axes;
  *out = *x;
  out->step = node->reader->onnx->step_count - 1;
  if (axes & SST_AXES_H) { out->length[SSTI_ONNX_H] = 1; }
  if (axes & SST_AXES_W) { out->length[SSTI_ONNX_W] = 1; }
  if (axes & SST_AXES_C) { out->length[SSTI_ONNX_C] = 1; }
  ssti_onnx_note_reduction(node, x, out);
  return SST_OK;
}

sst_status ssti_onnx_lower_global_pool(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(need_nchw(node, x));
  const ssti_onnx_picture copy = *x;
  return reduce(node, &copy, strcmp(node->type, "GlobalMaxPool") == 0 ? SSTI_ONNX_MAX : SSTI_ONNX_MEAN,
                SST_AXES_H | SST_AXES_W, out);
}

sst_status ssti_onnx_lower_mean(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  static const int bits[SSTI_ONNX_ATOMS] = {SST_AXES_N, SST_AXES_H, SST_AXES_W, SST_AXES_C};
  ssti_onnx_picture *x = NULL;
  int axes[SSTI_ONNX_MAX_RANK], count = 0, set = 0;
  int64_t keep = 1;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_axes(node, 18, 1, x->rank, axes, &count));
  SST_TRY(ssti_onnx_int(node, "keepdims", 1, 0, 1, &keep));
  if (count <= 0) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "over all axes, the batch included"); }
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < x->axis[axes[i]].count; k++) { set |= bits[x->axis[axes[i]].atom[k]]; }
  }
  if (set & SST_AXES_N) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "over the batch"); }
  const ssti_onnx_picture copy = *x;
  if (set) {
    SST_TRY(reduce(node, &copy, SSTI_ONNX_MEAN, set, out));
  } else {
    *out = copy; // over axes of length 1
  }
  if (keep) { return SST_OK; }
  int rank = 0;
  for (int axis = 0; axis < copy.rank; axis++) {
    bool gone = false;
    for (int i = 0; i < count; i++) { gone = gone || axes[i] == axis; }
    if (!gone) { out->axis[rank++] = copy.axis[axis]; }
  }
  out->rank = rank;
  return SST_OK;
}
