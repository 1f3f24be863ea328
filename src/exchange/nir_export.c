// SPDX-License-Identifier: Apache-2.0
// From a graph of ours to NIR: a walk over the nodes between input and output. Each value of ours becomes a *flow*: the
// NIR nodes whose outputs add up to it, its shape there, and how its numbers differ (a factor, the order of features).
// Additions join flows, so that residual blocks become several edges into one node; weights take the differences out
// again.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend/reference/reference.h"
#include "base/fold_norm.h"
#include "exchange/nir_internal.h"
#include "exchange/nir_neurons.h"
#include "graph/graph_internal.h"
#include "graph/quantized_layer.h"
#include "spikestill/version.h"

enum { NAME_SIZE = 160 };

typedef struct flow {
  int *sources; // NIR nodes that add up to it
  int count;
  int rank; // in NIR: 3 (C,H,W) or 1
  int64_t shape[3];
  double scale; // NIR's numbers are this many times ours
  int64_t height, width,
      channels; // of the picture that our features are the flat (H,W,C) of; NIR's are (C,H,W). 0: same
} flow;

typedef struct exporter {
  sst_context *context;
  sst_graph *graph;
  const sst_nir_export_options *options;
  const ssti_nir_profile *profile;
  double dt;
  sst_value input, steps;
  sst_nir_graph *nir;
  flow *flows;  // [value]
  bool *needed; // [node]: lies between input and output
  bool *folded; // [node]: a batch norm that is in the weights of the layer before it
  bool fired, soft;
  const char *left_out; // a readout that the target cannot express
} exporter;

static void note(const exporter *e, const char *format, ...) SST_PRINTF(2, 3);
static void note(const exporter *e, const char *format, ...) {
  if (e->options->note == NULL) { return; }
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  e->options->note(e->options->user, line);
}

static sst_value output_of(const ssti_node *node) { return node->outputs[0]; }

static sst_status refuse(const exporter *e, sst_value value, const char *format, ...) SST_PRINTF(3, 4);
static sst_status refuse(const exporter *e, sst_value value, const char *format, ...) {
  char name[NAME_SIZE], text[320];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  SST_FAIL(e->context, SST_UNSUPPORTED, "layer %s cannot be exported for %s: %s",
           ssti_value_name(e->graph, value, name, sizeof name), sst_nir_target_word(e->options->target), text);
}

// ---- the part of the graph that matters

static bool is_op(const ssti_node *node, const ssti_op *op) { return node->op == op; }

static void mark_needed(exporter *e) {
  const sst_graph *g = e->graph;
  if (e->steps != e->input && g->values[e->steps].kind == SSTI_VALUE_OUTPUT) {
    e->needed[g->values[e->steps].node] = true;
  }
  for (int i = g->node_count - 1; i >= 0; i--) {
    const ssti_node *node = &g->nodes[i];
    for (int k = 0; e->needed[i] && k < node->call.input_count; k++) {
      const ssti_value *value = &g->values[node->inputs[k]];
      // Codes of weights are taken from their quantiser with the layer.
      if (value->kind != SSTI_VALUE_OUTPUT || is_op(&g->nodes[value->node], &ssti_op_quantize_weights)) { continue; }
      e->needed[value->node] = true;
    }
  }
}

// The only needed node that reads the value, or -1.
static int sole_reader(const exporter *e, sst_value value) {
  int found = -1;
  if (value == e->steps) { return -1; }
  for (int i = 0; i < e->graph->node_count; i++) {
    const ssti_node *node = &e->graph->nodes[i];
    for (int k = 0; e->needed[i] && k < node->call.input_count; k++) {
      if (node->inputs[k] != value) { continue; }
      if (found >= 0) { return -1; }
      found = i;
    }
  }
  return found;
}

// A parameter's numbers. Weights that are computed (by a quantiser) are not parameters.
static sst_status constant(const exporter *e, sst_value layer, sst_value value, const float **out) {
  if (e->graph->values[value].kind != SSTI_VALUE_PARAMETER) {
    (void)refuse(e, layer, "a weight of it is computed in the network rather than stored");
    return SST_UNSUPPORTED;
  }
  *out = sst_graph_data(e->graph, value);
  return SST_OK;
}

// ---- nodes of NIR

// "0.conv" becomes "layer0_conv": dots and leading digits mean something to some readers.
static sst_status add_node(exporter *e, sst_value value, const char *ending, sst_nir_type type, int *index) {
  char name[NAME_SIZE], clean[NAME_SIZE + 16];
  ssti_value_name(e->graph, value, name, sizeof name);
  const bool digit = name[0] >= '0' && name[0] <= '9';
  snprintf(clean, sizeof clean, "%s%s%s", digit ? "layer" : "", name, ending);
  for (char *c = clean; *c != '\0'; c++) {
    if (*c == '.' || *c == '/') { *c = '_'; }
  }
  const size_t length = strlen(clean);
  for (int again = 2; sst_nir_find_node(e->nir, clean) >= 0; again++) {
    snprintf(clean + length, sizeof clean - length, "_%d", again);
  }
  return sst_nir_add_node(e->nir, clean, type, index);
}

static sst_status connect(exporter *e, const flow *from, int node) {
  for (int i = 0; i < from->count; i++) {
    for (int k = 0; k < i; k++) {
      if (from->sources[k] == from->sources[i]) {
        SST_FAIL(e->context, SST_UNSUPPORTED, "node '%s' is added to itself, which an edge cannot say",
                 e->nir->nodes[from->sources[i]].name);
      }
    }
    SST_TRY(sst_nir_add_edge(e->nir, from->sources[i], node));
  }
  return SST_OK;
}

// Starts a value's flow as the output of one NIR node.
static sst_status set_flow(exporter *e, sst_value value, int node, int rank, int64_t a, int64_t b, int64_t c) {
  flow *f = &e->flows[value];
  *f = (flow){.count = 1, .rank = rank, .shape = {a, b, c}, .scale = 1.0};
  SST_TRY(ssti_allocate(e->context, 1, sizeof *f->sources, &f->sources));
  f->sources[0] = node;
  return SST_OK;
}

// The same flow under another value: what does nothing in inference.
static sst_status pass_flow(exporter *e, const flow *from, sst_value value) {
  flow *f = &e->flows[value];
  *f = *from;
  SST_TRY(ssti_allocate(e->context, (size_t)from->count, sizeof *f->sources, &f->sources));
  memcpy(f->sources, from->sources, (size_t)from->count * sizeof *f->sources);
  return SST_OK;
}

static sst_nir_values *fields_of(exporter *e, int node) { return &e->nir->nodes[node].fields; }

static sst_status put_pair(exporter *e, int node, const char *name, int64_t a, int64_t b) {
  const int64_t two = 2, pair[2] = {a, b};
  return sst_nir_put_integers(e->nir, fields_of(e, node), name, 1, &two, pair);
}

static sst_status put_one(exporter *e, int node, const char *name, int64_t a) {
  return sst_nir_put_integers(e->nir, fields_of(e, node), name, 0, NULL, &a);
}

static sst_status put_shape(exporter *e, int node, const flow *f) {
  const int64_t rank = f->rank;
  return sst_nir_put_integers(e->nir, fields_of(e, node), "shape", 1, &rank, f->shape);
}

// ---- layers with weights

// Weight and bias of a layer as they are used: batch norm folded in, the flow's factor taken out.
typedef struct weights {
  float *weight, *bias;
  float *codes, *scale; // of quantised weights: [outputs,fan_in], [outputs]; else NULL
  int bits;             // of a code
  int64_t outputs, fan_in;
  sst_value result; // of the layer, or of the norm behind it
} weights;

// What stands behind the sums of a layer, y = factor * x + offset with both in fixed point, into weight and bias.
static void fold_fixed(int bits, float *factor, float *offset, const float *mean, weights *w) {
  ssti_reference_fold_norm(w->outputs, bits, factor, mean, offset);
  for (int64_t o = 0; o < w->outputs; o++) {
    for (int64_t i = 0; i < w->fan_in; i++) { w->weight[o * w->fan_in + i] *= factor[o]; }
    w->bias[o] = w->bias[o] * factor[o] + offset[o];
  }
}

static sst_status fold_fixed_norm(exporter *e, const ssti_batch_norm_attributes *a, const ssti_norm_values *values,
                                  weights *w) {
  float *factor = NULL;
  SST_TRY(ssti_allocate(e->context, (size_t)(2 * w->outputs), sizeof *factor, &factor));
  for (int64_t o = 0; o < w->outputs; o++) {
    const float inverse = (float)(1.0 / sqrt((double)values->variance[o] + (double)a->epsilon));
    factor[o] = (float)((double)a->scale * (double)values->gamma[o] * (double)inverse);
    factor[w->outputs + o] = values->beta[o];
  }
  fold_fixed(a->bits, factor, factor + w->outputs, values->mean, w);
  ssti_free(e->context, factor);
  return SST_OK;
}

static sst_status fold_norm(exporter *e, const ssti_node *norm, weights *w) {
  const ssti_batch_norm_attributes *a = norm->attributes;
  ssti_norm_values values = {.epsilon = a->epsilon, .scale = a->scale};
  SST_TRY(constant(e, output_of(norm), norm->inputs[1], &values.gamma));
  SST_TRY(constant(e, output_of(norm), norm->inputs[2], &values.beta));
  SST_TRY(constant(e, output_of(norm), norm->inputs[3], &values.mean));
  SST_TRY(constant(e, output_of(norm), norm->inputs[4], &values.variance));
  if (a->bits > 0) { return fold_fixed_norm(e, a, &values, w); }
  ssti_fold_norm(&values, w->outputs, w->fan_in, w->weight, w->bias);
  return SST_OK;
}

// Sums of codes become numbers: the scale of the codes, and the bias.
static sst_status fold_rescale(exporter *e, const ssti_node *rescale, weights *w) {
  const ssti_rescale_attributes *a = rescale->attributes;
  const float *bias = NULL;
  float *factor = NULL;
  if (w->codes == NULL) { return refuse(e, w->result, "it is rescaled by something other than its own weights"); }
  if (rescale->call.input_count > 2) { SST_TRY(constant(e, w->result, rescale->inputs[2], &bias)); }
  SST_TRY(ssti_allocate(e->context, (size_t)(2 * w->outputs), sizeof *factor, &factor));
  memcpy(factor, w->scale, (size_t)w->outputs * sizeof *factor);
  if (bias != NULL) { memcpy(factor + w->outputs, bias, (size_t)w->outputs * sizeof *factor); }
  fold_fixed(a->bits, factor, factor + w->outputs, NULL, w);
  ssti_free(e->context, factor);
  return SST_OK;
}

static sst_status fill_codes(exporter *e, const ssti_node *quantizer, weights *w) {
  const size_t count = (size_t)(w->outputs * w->fan_in);
  SST_TRY(ssti_allocate(e->context, count, sizeof *w->codes, &w->codes));
  SST_TRY(ssti_allocate(e->context, (size_t)w->outputs, sizeof *w->scale, &w->scale));
  SST_TRY(ssti_quantized_codes(e->graph, quantizer, w->codes, w->scale));
  w->bits = ssti_code_bits(quantizer);
  memcpy(w->weight, w->codes, count * sizeof *w->weight);
  return SST_OK;
}

static sst_status fill_weights(exporter *e, const ssti_node *node, weights *w) {
  const float *weight = NULL, *bias = NULL;
  const ssti_node *quantizer = ssti_quantizer_of(e->graph, node->inputs[1]);
  if (quantizer != NULL) {
    SST_TRY(fill_codes(e, quantizer, w));
  } else {
    SST_TRY(constant(e, w->result, node->inputs[1], &weight));
    memcpy(w->weight, weight, (size_t)(w->outputs * w->fan_in) * sizeof *weight);
  }
  if (node->call.input_count > 2) {
    SST_TRY(constant(e, w->result, node->inputs[2], &bias));
    memcpy(w->bias, bias, (size_t)w->outputs * sizeof *bias);
  }
  const int reader = sole_reader(e, w->result);
  const ssti_node *next = reader >= 0 ? &e->graph->nodes[reader] : NULL;
  const bool norm = next != NULL && is_op(next, &ssti_op_batch_norm);
  const bool rescale = next != NULL && is_op(next, &ssti_op_rescale);
  if (norm || rescale) {
    SST_TRY(norm ? fold_norm(e, next, w) : fold_rescale(e, next, w));
    e->folded[reader] = true;
    w->result = output_of(next);
  }
  const double scale = e->flows[node->inputs[0]].scale;
  for (int64_t i = 0; scale != 1.0 && i < w->outputs * w->fan_in; i++) {
    w->weight[i] = (float)((double)w->weight[i] / scale);
  }
  return SST_OK;
}

static void free_weights(exporter *e, weights *w) {
  ssti_free(e->context, w->weight);
  ssti_free(e->context, w->bias);
  ssti_free(e->context, w->codes);
  ssti_free(e->context, w->scale);
  *w = (weights){0};
}

static sst_status take_weights(exporter *e, const ssti_node *node, weights *w) {
  const sst_shape shape = e->graph->values[node->inputs[1]].tensor.shape;
  *w = (weights){.outputs = shape.dim[SST_AXIS_N], .result = output_of(node)};
  w->fan_in = sst_shape_count(shape) / w->outputs;
  sst_status status = ssti_allocate(e->context, (size_t)(w->outputs * w->fan_in), sizeof(float), &w->weight);
  if (status == SST_OK) { status = ssti_allocate(e->context, (size_t)w->outputs, sizeof(float), &w->bias); }
  if (status == SST_OK) { status = fill_weights(e, node, w); }
  if (status != SST_OK) { free_weights(e, w); }
  return status;
}

// (O,A,B) to (O,B,A), if there is anything: the channels of a kernel or of a flat picture, last with us, first in NIR.
static sst_status channels_first(exporter *e, float *weight, int64_t outputs, int64_t places, int64_t channels) {
  float *row = NULL;
  if (weight == NULL || places <= 1 || channels <= 1) { return SST_OK; }
  SST_TRY(ssti_allocate_raw(e->context, (size_t)(places * channels), sizeof *row, &row));
  for (int64_t o = 0; o < outputs; o++) {
    float *at = weight + o * places * channels;
    for (int64_t p = 0; p < places; p++) {
      for (int64_t c = 0; c < channels; c++) { row[c * places + p] = at[p * channels + c]; }
    }
    memcpy(at, row, (size_t)(places * channels) * sizeof *row);
  }
  ssti_free(e->context, row);
  return SST_OK;
}

// The integers that quantised weights are, in the order of `weight`, and the scale of each output: NIR has no field for
// them, but readers leave metadata alone.
static sst_status put_codes(exporter *e, int index, const weights *w, int rank, const int64_t *shape) {
  if (w->codes == NULL) { return SST_OK; }
  sst_nir_values *metadata = &e->nir->nodes[index].metadata;
  const size_t count = (size_t)(w->outputs * w->fan_in);
  const int64_t bits = w->bits;
  int64_t *codes = NULL;
  SST_TRY(ssti_allocate(e->context, count, sizeof *codes, &codes));
  for (size_t i = 0; i < count; i++) { codes[i] = (int64_t)w->codes[i]; }
  sst_status status = sst_nir_put_integers(e->nir, metadata, "codes", rank, shape, codes);
  if (status == SST_OK) { status = sst_nir_put_integers(e->nir, metadata, "bits", 0, NULL, &bits); }
  if (status == SST_OK) { status = sst_nir_put_floats(e->nir, metadata, "scale", 1, &w->outputs, w->scale); }
  ssti_free(e->context, codes);
  return status;
}

static sst_status put_conv(exporter *e, int index, const flow *from, const ssti_conv2d_attributes *a,
                           const int64_t shape[4], const float *weight, const float *bias) {
  SST_TRY(put_pair(e, index, "input_shape", from->shape[1], from->shape[2]));
  SST_TRY(sst_nir_put_floats(e->nir, fields_of(e, index), "weight", 4, shape, weight));
  SST_TRY(put_pair(e, index, "stride", a->stride_h, a->stride_w));
  SST_TRY(put_pair(e, index, "padding", a->pad_h, a->pad_w));
  SST_TRY(put_pair(e, index, "dilation", a->dilation_h, a->dilation_w));
  SST_TRY(put_one(e, index, "groups", a->groups));
  SST_TRY(sst_nir_put_floats(e->nir, fields_of(e, index), "bias", 1, shape, bias));
  return connect(e, from, index);
}

static sst_status export_conv(exporter *e, const ssti_node *node) {
  const ssti_conv2d_attributes *a = node->attributes;
  const flow *from = &e->flows[node->inputs[0]];
  const sst_value value = output_of(node);
  if (!e->profile->has_pictures) { return refuse(e, value, "it reads no convolutions"); }
  if (a->groups > 1 && !e->profile->has_groups) {
    return refuse(e, value, "it reads no convolutions in groups (%lld here)", (long long)a->groups);
  }
  weights w;
  int index = 0;
  const sst_shape kernel = e->graph->values[node->inputs[1]].tensor.shape;
  const sst_shape out = e->graph->values[value].tensor.shape;
  const int64_t channels = kernel.dim[SST_AXIS_C];
  const int64_t shape[4] = {kernel.dim[SST_AXIS_N], channels, kernel.dim[SST_AXIS_H], kernel.dim[SST_AXIS_W]};
  SST_TRY(take_weights(e, node, &w));
  sst_status status = SST_OK;
  SST_TRY_GOTO(channels_first(e, w.weight, w.outputs, w.fan_in / channels, channels));
  SST_TRY_GOTO(channels_first(e, w.codes, w.outputs, w.fan_in / channels, channels));
  SST_TRY_GOTO(add_node(e, value, "", SST_NIR_TYPE_CONV2D, &index));
  SST_TRY_GOTO(put_conv(e, index, from, a, shape, w.weight, w.bias));
  SST_TRY_GOTO(put_codes(e, index, &w, 4, shape));
  status = set_flow(e, w.result, index, 3, out.dim[SST_AXIS_C], out.dim[SST_AXIS_H], out.dim[SST_AXIS_W]);
done:
  free_weights(e, &w);
  return status;
}

// A Flatten node after `from`, with the flow that leaves it in `value`.
static sst_status add_flatten(exporter *e, const flow *from, sst_value value, const char *ending) {
  int index = 0;
  const int64_t rank = from->rank;
  SST_TRY(add_node(e, value, ending, SST_NIR_TYPE_FLATTEN, &index));
  SST_TRY(put_one(e, index, "start_dim", e->profile->negative_dims ? -rank : 0));
  SST_TRY(put_one(e, index, "end_dim", -1));
  SST_TRY(sst_nir_put_integers(e->nir, fields_of(e, index), "input_type", 1, &rank, from->shape));
  SST_TRY(connect(e, from, index));
  const double scale = from->scale;
  const int64_t c = from->shape[0], h = from->shape[1], w = from->shape[2];
  SST_TRY(set_flow(e, value, index, 1, c * h * w, 0, 0));
  e->flows[value].scale = scale;
  if (c > 1 && h * w > 1) {
    e->flows[value].height = h;
    e->flows[value].width = w;
    e->flows[value].channels = c;
  }
  return SST_OK;
}

static void drop_flow(exporter *e, sst_value value) {
  ssti_free(e->context, e->flows[value].sources);
  e->flows[value] = (flow){0};
}

static sst_status export_linear(exporter *e, const ssti_node *node) {
  const sst_value value = output_of(node);
  const flow *from = &e->flows[node->inputs[0]];
  const bool flatten = from->rank == 3; // one pixel: ours has no Flatten there
  if (flatten) {
    SST_TRY(add_flatten(e, from, value, "_flat"));
    from = &e->flows[value];
  }
  weights w;
  int index = 0;
  SST_TRY(take_weights(e, node, &w));
  const int64_t shape[2] = {w.outputs, w.fan_in};
  sst_status status = SST_OK;
  if (from->channels) {
    SST_TRY_GOTO(channels_first(e, w.weight, w.outputs, from->height * from->width, from->channels));
    SST_TRY_GOTO(channels_first(e, w.codes, w.outputs, from->height * from->width, from->channels));
  }
  SST_TRY_GOTO(add_node(e, value, "", SST_NIR_TYPE_AFFINE, &index));
  SST_TRY_GOTO(sst_nir_put_floats(e->nir, fields_of(e, index), "weight", 2, shape, w.weight));
  SST_TRY_GOTO(put_codes(e, index, &w, 2, shape));
  SST_TRY_GOTO(sst_nir_put_floats(e->nir, fields_of(e, index), "bias", 1, shape, w.bias));
  SST_TRY_GOTO(connect(e, from, index));
  if (flatten) { drop_flow(e, value); }
  status = set_flow(e, w.result, index, 1, w.outputs, 0, 0);
done:
  free_weights(e, &w);
  return status;
}

// ---- pooling

// Whether a factor on the value can be taken out again by all that reads it: weights divide, neurons scale thresholds.
static bool takes_factor(const exporter *e, sst_value value) {
  if (value == e->steps) { return false; }
  for (int i = 0; i < e->graph->node_count; i++) {
    const ssti_node *node = &e->graph->nodes[i];
    for (int k = 0; e->needed[i] && k < node->call.input_count; k++) {
      if (node->inputs[k] != value) { continue; }
      if (is_op(node, &ssti_op_binary)) { return false; } // both sides of a sum must have it
      const bool ends = is_op(node, &ssti_op_conv2d) || is_op(node, &ssti_op_linear) || is_op(node, &ssti_op_neuron);
      if (!ends && !takes_factor(e, output_of(node))) { return false; }
    }
  }
  return true;
}

// An average as a convolution that gives each channel its own mean: for readers that sum, where a factor could not be
// taken out. Readers without groups get the other channels' zeros as well.
static sst_status pool_by_conv(exporter *e, const flow *from, const ssti_pool_attributes *a, int index) {
  const int64_t window = a->kernel_h * a->kernel_w, channels = from->shape[0];
  const int64_t groups = e->profile->has_groups ? channels : 1, inputs = channels / groups;
  const int64_t shape[4] = {channels, inputs, a->kernel_h, a->kernel_w};
  float *weight = NULL, *bias = NULL;
  sst_status status = ssti_allocate(e->context, (size_t)channels, sizeof *bias, &bias);
  if (status == SST_OK) {
    status = ssti_allocate(e->context, (size_t)(channels * inputs * window), sizeof *weight, &weight);
  }
  if (status == SST_OK) {
    for (int64_t c = 0; c < channels; c++) {
      float *own = weight + (c * inputs + c % inputs) * window;
      for (int64_t i = 0; i < window; i++) { own[i] = (float)(1.0 / (double)window); }
    }
    const ssti_conv2d_attributes conv = {a->stride_h, a->stride_w, a->pad_h, a->pad_w, 1, 1, groups};
    status = put_conv(e, index, from, &conv, shape, weight, bias);
  }
  ssti_free(e->context, weight);
  ssti_free(e->context, bias);
  return status;
}

static sst_status put_pool(exporter *e, const flow *from, const ssti_pool_attributes *a, int index) {
  SST_TRY(put_pair(e, index, "kernel_size", a->kernel_h, a->kernel_w));
  SST_TRY(put_pair(e, index, "stride", a->stride_h, a->stride_w));
  SST_TRY(put_pair(e, index, "padding", a->pad_h, a->pad_w));
  return connect(e, from, index);
}

static sst_status export_pool(exporter *e, const ssti_node *node, const ssti_pool_attributes *a) {
  const sst_value value = output_of(node);
  const flow *from = &e->flows[node->inputs[0]];
  const sst_shape out = e->graph->values[value].tensor.shape;
  if (!e->profile->has_pictures) { return refuse(e, value, "it reads no pooling"); }
  if (a->kind == SSTI_POOL_MAX) { return refuse(e, value, "NIR has no max pooling; train with average pooling"); }
  // Readers that sum ignore the padding.
  const bool conv = e->profile->sums && (a->pad_h > 0 || a->pad_w > 0 || !takes_factor(e, value));
  const sst_nir_type type = conv               ? SST_NIR_TYPE_CONV2D
                            : e->profile->sums ? SST_NIR_TYPE_SUM_POOL2D
                                               : SST_NIR_TYPE_AVG_POOL2D;
  int index = 0;
  SST_TRY(add_node(e, value, "", type, &index));
  SST_TRY(conv ? pool_by_conv(e, from, a, index) : put_pool(e, from, a, index));
  const double window = type == SST_NIR_TYPE_SUM_POOL2D ? (double)(a->kernel_h * a->kernel_w) : 1.0;
  SST_TRY(set_flow(e, value, index, 3, out.dim[SST_AXIS_C], out.dim[SST_AXIS_H], out.dim[SST_AXIS_W]));
  e->flows[value].scale = e->flows[node->inputs[0]].scale * window;
  return SST_OK;
}

static sst_status export_reduce(exporter *e, const ssti_node *node) {
  const ssti_reduce_attributes *a = node->attributes;
  const flow *from = &e->flows[node->inputs[0]];
  if (a->kind != SSTI_REDUCE_MEAN || a->axes != (SST_AXES_H | SST_AXES_W) || from->rank != 3) {
    return refuse(e, output_of(node), "NIR has no such reduction");
  }
  const int64_t h = from->shape[1], w = from->shape[2];
  return export_pool(e, node, &(ssti_pool_attributes){SSTI_POOL_AVERAGE, h, w, h, w, 0, 0});
}

// ---- neurons and sums

static sst_status put_filled(exporter *e, int node, const char *name, const flow *shape, float value) {
  sst_nir_value *field = NULL;
  SST_TRY(ssti_nir_add_value(e->context, fields_of(e, node), name, SST_NIR_NUMBERS, shape->rank, shape->shape, &field));
  for (int64_t i = 0; i < field->count; i++) { field->numbers[i] = (double)value; }
  return SST_OK;
}

static sst_status put_neuron(exporter *e, int node, const flow *shape, const ssti_nir_neuron *n) {
  if (n->type == SST_NIR_TYPE_CUBALIF) {
    SST_TRY(put_filled(e, node, "tau_syn", shape, n->tau_syn));
    SST_TRY(put_filled(e, node, "tau_mem", shape, n->tau));
    SST_TRY(put_filled(e, node, "w_in", shape, n->w_in));
  } else if (n->type != SST_NIR_TYPE_IF) {
    SST_TRY(put_filled(e, node, "tau", shape, n->tau));
  }
  SST_TRY(put_filled(e, node, "r", shape, n->r));
  if (n->type != SST_NIR_TYPE_IF) { SST_TRY(put_filled(e, node, "v_leak", shape, n->v_leak)); }
  if (n->type == SST_NIR_TYPE_LI) { return SST_OK; }
  SST_TRY(put_filled(e, node, "v_threshold", shape, n->v_threshold));
  // Left out where it is 0: the Python package before 1.0.5 stumbles over it.
  return n->v_reset != 0.0f ? put_filled(e, node, "v_reset", shape, n->v_reset) : SST_OK;
}

static sst_status export_neuron(exporter *e, const ssti_node *node) {
  const ssti_neuron_attributes *a = node->attributes;
  const flow *from = &e->flows[node->inputs[0]];
  const sst_value value = output_of(node);
  const float *decay = NULL;
  if (a->neuron.kind == SST_NEURON_PLIF) { SST_TRY(constant(e, value, node->inputs[1], &decay)); }
  if (a->neuron.membrane_bits > 0) {
    char name[NAME_SIZE];
    note(e, "layer %s stores its membrane in %d bits, which NIR cannot say: spikes may differ",
         ssti_value_name(e->graph, value, name, sizeof name), a->neuron.membrane_bits);
  }
  const ssti_dynamics dynamics = ssti_dynamics_make(&a->neuron, decay);
  if (!dynamics.fires && !e->profile->has_li && value == e->steps) {
    e->left_out = "the membrane readout (a leaky integrator)";
    return pass_flow(e, from, value);
  }
  ssti_nir_neuron neuron;
  const char *lacks = ssti_nir_neuron_for(e->options->target, e->dt, &a->neuron, &dynamics, from->scale, &neuron);
  if (lacks) { return refuse(e, value, "%s", lacks); }
  int index = 0;
  SST_TRY(add_node(e, value, "", neuron.type, &index));
  SST_TRY(put_neuron(e, index, from, &neuron));
  SST_TRY(connect(e, from, index));
  SST_TRY(set_flow(e, value, index, from->rank, from->shape[0], from->shape[1], from->shape[2]));
  flow *f = &e->flows[value];
  f->height = from->height;
  f->width = from->width;
  f->channels = from->channels;
  e->fired = e->fired || dynamics.fires;
  e->soft = e->soft || (dynamics.fires && !dynamics.hard_reset);
  return SST_OK;
}

static sst_status export_add(exporter *e, const ssti_node *node) {
  const flow *a = &e->flows[node->inputs[0]], *b = &e->flows[node->inputs[1]];
  const sst_value value = output_of(node);
  if (((const ssti_binary_attributes *)node->attributes)->kind != SSTI_BINARY_ADD || !a->sources || !b->sources) {
    return refuse(e, value, "NIR has no arithmetic but sums of layers");
  }
  if (a->rank != b->rank || memcmp(a->shape, b->shape, sizeof a->shape) != 0 || a->channels != b->channels ||
      a->height != b->height) {
    return refuse(e, value, "its two sides have different shapes");
  }
  if (a->scale != b->scale) { return refuse(e, value, "one side of the sum is a sum of pixels, the other is not"); }
  flow *f = &e->flows[value];
  *f = *a;
  f->sources = NULL;
  SST_TRY(ssti_allocate(e->context, (size_t)(a->count + b->count), sizeof *f->sources, &f->sources));
  memcpy(f->sources, a->sources, (size_t)a->count * sizeof *f->sources);
  memcpy(f->sources + a->count, b->sources, (size_t)b->count * sizeof *f->sources);
  f->count = a->count + b->count;
  return SST_OK;
}

// ---- the walk

static sst_status export_unary(exporter *e, const ssti_node *node) {
  const ssti_unary_attributes *a = node->attributes;
  if (a->kind == SSTI_UNARY_RELU) {
    return refuse(e, output_of(node),
                  "NIR has no relu; only spiking networks can be exported (spikestill convert makes one)");
  }
  if (a->kind != SSTI_UNARY_AFFINE || a->b != 0.0f || a->a == 0.0f) {
    return refuse(e, output_of(node), "NIR has no such function");
  }
  SST_TRY(pass_flow(e, &e->flows[node->inputs[0]], output_of(node)));
  e->flows[output_of(node)].scale /= (double)a->a; // nothing is computed: the numbers are read as others
  return SST_OK;
}

static sst_status export_node(exporter *e, int index) {
  const ssti_node *node = &e->graph->nodes[index];
  const sst_value value = output_of(node);
  const flow *from = &e->flows[node->inputs[0]];
  if (from->sources == NULL) { return refuse(e, value, "it does not depend on the input"); }
  if (is_op(node, &ssti_op_conv2d)) { return export_conv(e, node); }
  if (is_op(node, &ssti_op_linear)) { return export_linear(e, node); }
  if (is_op(node, &ssti_op_pool)) { return export_pool(e, node, node->attributes); }
  if (is_op(node, &ssti_op_reduce)) { return export_reduce(e, node); }
  if (is_op(node, &ssti_op_neuron)) { return export_neuron(e, node); }
  if (is_op(node, &ssti_op_binary)) { return export_add(e, node); }
  if (is_op(node, &ssti_op_unary)) { return export_unary(e, node); }
  if (is_op(node, &ssti_op_flatten)) {
    return from->rank == 3 ? add_flatten(e, from, value, "") : pass_flow(e, from, value);
  }
  if (is_op(node, &ssti_op_batch_norm)) {
    return refuse(e, value, "batch norm can only be folded into a convolution or linear layer right before it");
  }
  // In inference these do nothing; a repetition over time is what feeding the same picture again is.
  if (is_op(node, &ssti_op_dropout) || is_op(node, &ssti_op_stop_gradient) || is_op(node, &ssti_op_repeat_steps)) {
    return pass_flow(e, from, value);
  }
  return refuse(e, value, "NIR has nothing like the op '%s'", node->op->name);
}

static sst_status export_ends(exporter *e, bool input) {
  int index = 0;
  SST_TRY(
      sst_nir_add_node(e->nir, input ? "input" : "output", input ? SST_NIR_TYPE_INPUT : SST_NIR_TYPE_OUTPUT, &index));
  if (input) {
    const sst_shape shape = e->graph->values[e->input].tensor.shape;
    SST_TRY(set_flow(e, e->input, index, 3, shape.dim[SST_AXIS_C], shape.dim[SST_AXIS_H], shape.dim[SST_AXIS_W]));
    return put_shape(e, index, &e->flows[e->input]);
  }
  const flow *last = &e->flows[e->steps];
  if (last->sources == NULL) { return refuse(e, e->steps, "it does not depend on the input"); }
  if (last->channels || last->scale != 1.0) {
    return refuse(e, e->steps, "the network ends before a layer of weights");
  }
  SST_TRY(put_shape(e, index, last));
  return connect(e, last, index);
}

// A tool that passes a node's inputs one by one, or knows only chains, cannot add.
static sst_status check_sums(const exporter *e) {
  if (e->profile->adds) { return SST_OK; }
  for (int i = 0; i < e->nir->node_count; i++) {
    int into = 0;
    for (int k = 0; k < e->nir->edge_count; k++) { into += e->nir->edges[k].target == i; }
    if (into > 1) {
      SST_FAIL(e->context, SST_UNSUPPORTED,
               "node %s cannot be exported for %s: it does not add several edges into a node", e->nir->nodes[i].name,
               sst_nir_target_word(e->options->target));
    }
  }
  return SST_OK;
}

static sst_status put_metadata(exporter *e) {
  sst_nir_values *metadata = &e->nir->metadata;
  const double steps = (double)e->graph->values[e->steps].tensor.shape.dim[SST_AXIS_T];
  char writer[64];
  snprintf(writer, sizeof writer, "spikestill %s", sst_version());
  SST_TRY(sst_nir_put_text(e->nir, metadata, "writer", writer));
  SST_TRY(sst_nir_put_text(e->nir, metadata, "target", sst_nir_target_word(e->options->target)));
  SST_TRY(sst_nir_put_text(e->nir, metadata, "reset", e->soft ? "soft" : "hard"));
  SST_TRY(sst_nir_put_numbers(e->nir, metadata, "dt", 0, NULL, &e->dt));
  return sst_nir_put_numbers(e->nir, metadata, "timesteps", 0, NULL, &steps);
}

static void give_notes(const exporter *e) {
  const char *target = sst_nir_target_word(e->options->target);
  note(e,
       "the output is the last layer's at each of the %lld steps (feed the picture at each); the readout over the "
       "steps is yours",
       (long long)e->graph->values[e->steps].tensor.shape.dim[SST_AXIS_T]);
  if (e->left_out) {
    note(e, "%s is left out: %s cannot express it, so compute it from the output", e->left_out, target);
  }
  if (!e->fired) { return; }
  if (!e->profile->fires_at) {
    note(e, "thresholds are the next lower 32-bit float: %s fires above the threshold, the network fires at it",
         target);
  }
  switch (e->options->target) {
  case SST_NIR_TARGET_GENERIC:
    note(e, "neurons reset %s; NIR itself does not say how",
         e->soft ? "by subtracting the threshold" : "to v_reset (0 if absent)");
    break;
  case SST_NIR_TARGET_SINABS:
    note(e,
         "after from_nir set spike_fn=SingleSpike, min_v_mem=None%s on every neuron layer: sinabs' own default "
         "subtracts, fires several times a step and bounds the membrane from below",
         e->soft ? "" : " and reset_fn=MembraneReset()");
    note(e, "before from_nir set node.v_leak = node.v_leak.reshape(-1) on every LIF node: sinabs cannot check others");
    break;
  case SST_NIR_TARGET_SPYX:
  case SST_NIR_TARGET_ROCKPOOL: note(e, "what %s makes of the file is not tested", target); break;
  case SST_NIR_TARGET_SNNTORCH:
  case SST_NIR_TARGET_SPIKINGJELLY:
  case SST_NIR_TARGET_NORSE:
  case SST_NIR_TARGET_COUNT: break;
  }
}

static sst_status export_all(exporter *e) {
  sst_context *context = e->context;
  const size_t nodes = (size_t)e->graph->node_count;
  SST_TRY(ssti_allocate(context, (size_t)e->graph->value_count, sizeof *e->flows, &e->flows));
  SST_TRY(ssti_allocate(context, nodes, sizeof *e->needed, &e->needed));
  SST_TRY(ssti_allocate(context, nodes, sizeof *e->folded, &e->folded));
  SST_TRY(sst_nir_create(context, &e->nir));
  mark_needed(e);
  SST_TRY(export_ends(e, true));
  for (int i = 0; i < e->graph->node_count; i++) {
    if (e->needed[i] && !e->folded[i]) { SST_TRY(export_node(e, i)); }
  }
  SST_TRY(export_ends(e, false));
  SST_TRY(check_sums(e));
  SST_TRY(put_metadata(e));
  give_notes(e);
  return SST_OK;
}

sst_status sst_nir_from_graph(sst_graph *graph, sst_value input, sst_value steps, const sst_nir_export_options *options,
                              sst_nir_graph **out) {
  *out = NULL;
  sst_context *context = graph->context;
  if ((unsigned)options->target >= SST_NIR_TARGET_COUNT || !(options->dt >= 0.0 && isfinite(options->dt))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "target %d with dt %g, expected a known target and a dt of at least 0",
             (int)options->target, options->dt);
  }
  exporter e = {.context = context, .graph = graph, .options = options, .input = input, .steps = steps};
  e.profile = ssti_nir_profile_of(options->target);
  e.dt = options->dt > 0.0 ? options->dt : sst_nir_target_dt(options->target);
  const sst_status status = export_all(&e);
  for (int i = 0; e.flows && i < graph->value_count; i++) { ssti_free(context, e.flows[i].sources); }
  ssti_free(context, e.flows);
  ssti_free(context, e.needed);
  ssti_free(context, e.folded);
  if (status != SST_OK) {
    sst_nir_destroy(e.nir);
    return status;
  }
  *out = e.nir;
  return SST_OK;
}
