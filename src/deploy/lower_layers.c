// SPDX-License-Identifier: Apache-2.0
// Layers with weights, and the norm or scale behind their sums.
//
// The graph computes sums z of codes and inputs, and behind them y = factor * z + offset once (batch norm with bits, or
// rescale) or twice (rescale for a bias, then batch norm). All factors and offsets are dyadic, so is their composition,
// and one exponent makes integers of all of them.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "backend/reference/reference.h"
#include "deploy/dyadic.h"
#include "deploy/integer_rules.h"
#include "deploy/lower.h"
#include "graph/quantized_layer.h"

typedef ssti_lower_layer layer;

static void free_layer(const ssti_lowering *l, layer *w) {
  ssti_free(l->context, w->codes);
  ssti_free(l->context, w->scale);
  ssti_free(l->context, w->factor);
  ssti_free(l->context, w->offset);
  ssti_free(l->context, w->a);
  ssti_free(l->context, w->b);
  ssti_free(l->context, w->sums);
}

static sst_status make_layer(const ssti_lowering *l, layer *w) {
  const size_t outputs = (size_t)w->outputs;
  SST_TRY(ssti_allocate(l->context, outputs * (size_t)w->fan_in, sizeof *w->codes, &w->codes));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->scale, &w->scale));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->factor, &w->factor));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->offset, &w->offset));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->a, &w->a));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->b, &w->b));
  SST_TRY(ssti_allocate(l->context, outputs, sizeof *w->sums, &w->sums));
  for (int64_t o = 0; o < w->outputs; o++) { w->factor[o] = 1.0; }
  return SST_OK;
}

static int64_t size_of(const sst_integer_value *value) { return -value->low > value->high ? -value->low : value->high; }

// ---- what stands behind the sums

// Factor and offset of a batch norm as its op computes them in inference (op/batch_norm.c).
static sst_status norm_stage(const ssti_lowering *l, const ssti_node *norm, layer *w) {
  const ssti_batch_norm_attributes *n = norm->attributes;
  const float *gamma = NULL, *beta = NULL, *mean = NULL, *variance = NULL;
  if (n->bits == 0) {
    SST_TRY(ssti_lower_may_round(l, norm->outputs[0],
                                 "its norm is in full precision; train with student.quantize.norm_bits"
                                 " and, of the first and last layer, first_last: same"));
  }
  SST_TRY(ssti_lower_parameter(l, w->first, norm->inputs[1], &gamma));
  SST_TRY(ssti_lower_parameter(l, w->first, norm->inputs[2], &beta));
  SST_TRY(ssti_lower_parameter(l, w->first, norm->inputs[3], &mean));
  SST_TRY(ssti_lower_parameter(l, w->first, norm->inputs[4], &variance));
  for (int64_t o = 0; o < w->outputs; o++) {
    const float inverse = (float)(1.0 / sqrt((double)variance[o] + (double)n->epsilon));
    w->a[o] = (float)((double)n->scale * (double)gamma[o] * (double)inverse);
    w->b[o] = beta[o];
  }
  ssti_reference_fold_norm(w->outputs, n->bits, w->a, mean, w->b);
  return SST_OK;
}

static sst_status rescale_stage(const ssti_lowering *l, const ssti_node *rescale, layer *w) {
  const ssti_rescale_attributes *r = rescale->attributes;
  const float *bias = NULL;
  if (r->bits == 0) {
    SST_TRY(ssti_lower_may_round(l, rescale->outputs[0],
                                 "its scale and bias are in full precision; train with student.quantize.norm_bits"));
  }
  if (rescale->call.input_count > 2) { SST_TRY(ssti_lower_parameter(l, w->first, rescale->inputs[2], &bias)); }
  for (int64_t o = 0; o < w->outputs; o++) {
    w->a[o] = w->scale[o];
    w->b[o] = bias != NULL ? bias[o] : 0.0f;
  }
  ssti_reference_fold_norm(w->outputs, r->bits, w->a, NULL, w->b);
  return SST_OK;
}

// Whether f32 computes x * a and x * a + b without rounding, for integers x up to `size` times 2^-exponent. Products
// have the fraction bits of both, sums those of the finer side.
static bool is_exact(double size, int exponent, double a, double b) {
  const double most = ldexp(1.0, SSTI_EXACT_BITS);
  const int of_product = exponent + ssti_fraction_bits(a, -exponent), of_offset = ssti_fraction_bits(b, of_product);
  const int fine = of_product > of_offset ? of_product : of_offset;
  const double product = size * fabs(a) * ldexp(1.0, -exponent);
  return ldexp(product, of_product) <= most && ldexp(product + fabs(b), fine) <= most;
}

// y of the stage in place of what it reads.
static sst_status compose(const ssti_lowering *l, int exponent, sst_value value, layer *w) {
  for (int64_t o = 0; o < w->outputs; o++) {
    const double a = (double)w->a[o], b = (double)w->b[o];
    // The size of what the stage reads, in units of its own: sums, or the outputs of the stage before.
    const int units = ssti_fraction_bits(w->factor[o], 0) + exponent,
              offset_bits = ssti_fraction_bits(w->offset[o], units);
    const int fine = units > offset_bits ? units : offset_bits;
    const double size =
        ldexp((double)w->sums[o] * fabs(w->factor[o]) * ldexp(1.0, -exponent) + fabs(w->offset[o]), fine);
    if (l->approximate == NULL && !is_exact(size, fine, a, b)) {
      return ssti_lower_may_round(l, value,
                                  "factor * sum + offset of channel %" PRId64
                                  " needs more than the 24 bits that f32 holds;"
                                  " take fewer norm_bits, weight_bits or input_bits",
                                  o);
    }
    w->factor[o] *= a;
    w->offset[o] = a * w->offset[o] + b;
  }
  w->result = value;
  return SST_OK;
}

// All that stands behind the sums, as far as nothing else reads what is between.
static sst_status take_stages(ssti_lowering *l, int exponent, layer *w) {
  for (int stages = 0; stages < 2; stages++) {
    const int reader = ssti_lower_sole_reader(l, w->result);
    const ssti_node *next = reader >= 0 ? &l->graph->nodes[reader] : NULL;
    const bool rescale = next != NULL && next->op == &ssti_op_rescale && stages == 0;
    if (next == NULL || (!rescale && next->op != &ssti_op_batch_norm)) { return SST_OK; }
    SST_TRY(rescale ? rescale_stage(l, next, w) : norm_stage(l, next, w));
    SST_TRY(compose(l, exponent, next->outputs[0], w));
    l->fused[reader] = true;
    if (!rescale) { return SST_OK; }
  }
  return SST_OK;
}

// ---- the node

int ssti_lower_common_exponent(const layer *w, int exponent) {
  int common = 0;
  for (int64_t o = 0; o < w->outputs; o++) {
    const int f = exponent + ssti_fraction_bits(w->factor[o], -exponent), b = ssti_fraction_bits(w->offset[o], 0);
    common = f > common ? f : common;
    common = b > common ? b : common;
  }
  return common;
}

static sst_status fill_constants(ssti_lowering *l, const layer *w, int exponent, int common, sst_integer_node *node) {
  int32_t *factor = NULL, *offset = NULL;
  int8_t *codes = NULL;
  const size_t outputs = (size_t)w->outputs, count = outputs * (size_t)w->fan_in;
  SST_TRY(ssti_integer_array(l->network, NULL, outputs, sizeof *factor, &factor));
  SST_TRY(ssti_integer_array(l->network, NULL, outputs, sizeof *offset, &offset));
  SST_TRY(ssti_integer_array(l->network, NULL, count, sizeof *codes, &codes));
  for (int64_t o = 0; o < w->outputs; o++) {
    const int64_t f = ssti_scaled(w->factor[o], common - exponent), b = ssti_scaled(w->offset[o], common);
    if (f < -INT32_MAX || f > INT32_MAX || b < -INT32_MAX || b > INT32_MAX) {
      return ssti_lower_refuse(l, w->result, "factor or offset of channel %" PRId64 " needs more than 32 bits", o);
    }
    factor[o] = (int32_t)f;
    offset[o] = (int32_t)b;
  }
  for (size_t i = 0; i < count; i++) { codes[i] = (int8_t)w->codes[i]; }
  node->synapses.codes = codes;
  node->synapses.factor = factor;
  node->synapses.offset = offset;
  return SST_OK;
}

// The largest sums of each channel; f32 holds them where nothing is rounded.
static sst_status bound_sums(const ssti_lowering *l, const sst_integer_value *in, layer *w) {
  const int64_t most = INT64_C(1) << SSTI_EXACT_BITS;
  for (int64_t o = 0; o < w->outputs; o++) {
    int64_t sum = 0;
    for (int64_t i = 0; i < w->fan_in; i++) { sum += (int64_t)fabsf(w->codes[o * w->fan_in + i]); }
    w->sums[o] = sum * size_of(in);
    if (l->approximate == NULL && w->sums[o] > most) {
      return ssti_lower_may_round(l, w->first,
                                  "sums of channel %" PRId64 " may reach %" PRId64
                                  ", but f32 holds only 2^24 of them; take fewer weight_bits or input_bits",
                                  o, w->sums[o]);
    }
  }
  return SST_OK;
}

// The node of a layer whose stages are all there; it reads the value at `place`, in `unit` of what it makes.
static sst_status finish(ssti_lowering *l, layer *w, int place, double unit, const ssti_lower_room *room,
                         sst_value made, sst_integer_node *node) {
  const int exponent = l->network->values[place].exponent;
  if (l->approximate != NULL) { SST_TRY(ssti_lower_round_layer(l, w, exponent, unit, room)); }
  const int common = ssti_lower_common_exponent(w, exponent);
  if (common > 62) { return ssti_lower_refuse(l, w->result, "its numbers need %d bits behind the point", common); }
  SST_TRY(fill_constants(l, w, exponent, common, node));
  node->kind = SST_INTEGER_NODE_SYNAPSES;
  node->input[0] = place;
  return ssti_lower_add(l, node, w->first, made, w->outputs, common);
}

// A layer that reads the first input of `of`, in the unit that its own readers want.
static sst_status finish_layer(ssti_lowering *l, const ssti_node *of, layer *w, sst_integer_node *node) {
  const double wanted = l->approximate != NULL && l->needs[w->result] > 0.0 ? l->needs[w->result] : 1.0;
  for (int64_t o = 0; o < w->outputs; o++) { w->offset[o] /= wanted; }
  l->units[w->result] = wanted;
  const ssti_lower_room *room = l->approximate != NULL ? &l->rooms[w->result] : NULL;
  const double ratio = ssti_lower_ratio(l->units[of->inputs[0]], wanted);
  return finish(l, w, l->places[of->inputs[0]], ratio, room, w->result, node);
}

static void window_of(const ssti_lowering *l, const ssti_node *node, sst_integer_synapses *s) {
  const sst_shape weight = l->graph->values[node->inputs[1]].tensor.shape;
  *s = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 2, NULL, NULL, NULL};
  if (node->op != &ssti_op_conv2d) { return; }
  const ssti_conv2d_attributes *a = node->attributes;
  s->kernel_h = weight.dim[SST_AXIS_H];
  s->kernel_w = weight.dim[SST_AXIS_W];
  s->stride_h = a->stride_h;
  s->stride_w = a->stride_w;
  s->pad_h = a->pad_h;
  s->pad_w = a->pad_w;
  s->dilation_h = a->dilation_h;
  s->dilation_w = a->dilation_w;
  s->groups = a->groups;
}

// Codes and scale, and what of them comes before any stage.
static sst_status take_weights(ssti_lowering *l, const ssti_node *node, layer *w, sst_integer_synapses *s) {
  const ssti_node *quantizer = ssti_quantizer_of(l->graph, node->inputs[1]);
  const bool biased = node->call.input_count > 2;
  const float *weights = NULL, *bias = NULL;
  if (quantizer != NULL) {
    s->weight_bits = ssti_code_bits(quantizer);
    return ssti_quantized_codes(l->graph, quantizer, w->codes, w->scale);
  }
  SST_TRY(ssti_lower_may_round(l, w->first,
                               "its weights are in full precision; train with student.quantize.weights and, of "
                               "the first and last layer, first_last: same"));
  SST_TRY(ssti_lower_parameter(l, w->first, node->inputs[1], &weights));
  if (biased) { SST_TRY(ssti_lower_parameter(l, w->first, node->inputs[2], &bias)); }
  SST_TRY(ssti_lower_round_weights(l, weights, w, &s->weight_bits));
  for (int64_t o = 0; o < w->outputs; o++) {
    w->factor[o] = (double)w->scale[o];
    w->offset[o] = biased ? (double)bias[o] : 0.0;
  }
  return SST_OK;
}

sst_status ssti_lower_weighted(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  const sst_integer_value in = *ssti_lower_input(l, node);
  const sst_shape shape = l->graph->values[node->inputs[1]].tensor.shape;
  layer w = {.outputs = shape.dim[SST_AXIS_N], .first = value, .result = value};
  w.fan_in = sst_shape_count(shape) / w.outputs;
  sst_integer_node made = {.kind = SST_INTEGER_NODE_SYNAPSES};
  window_of(l, node, &made.synapses);
  sst_status status = make_layer(l, &w);
  if (status == SST_OK) { status = take_weights(l, node, &w, &made.synapses); }
  if (status == SST_OK) { status = bound_sums(l, &in, &w); }
  if (status == SST_OK) { status = take_stages(l, in.exponent, &w); }
  if (status == SST_OK) { status = finish_layer(l, node, &w, &made); }
  free_layer(l, &w);
  return status;
}

// One synapse of code 1 a channel, over a window.
static sst_status make_ones(ssti_lowering *l, sst_value value, const sst_integer_value *in,
                            const ssti_pool_attributes *p, layer *w, sst_integer_node *made) {
  *w = (layer){.outputs = in->channels, .fan_in = p->kernel_h * p->kernel_w, .first = value, .result = value};
  *made = (sst_integer_node){.kind = SST_INTEGER_NODE_SYNAPSES,
                             .synapses = {p->kernel_h, p->kernel_w, p->stride_h, p->stride_w, p->pad_h, p->pad_w, 1, 1,
                                          in->channels, 2, NULL, NULL, NULL}};
  SST_TRY(make_layer(l, w));
  for (int64_t i = 0; i < w->outputs * w->fan_in; i++) { w->codes[i] = 1.0f; }
  return bound_sums(l, in, w);
}

static const ssti_pool_attributes point = {SSTI_POOL_AVERAGE, 1, 1, 1, 1, 0, 0};

// A norm by itself.
sst_status ssti_lower_norm(ssti_lowering *l, const ssti_node *node) {
  const sst_integer_value in = *ssti_lower_input(l, node);
  layer w;
  sst_integer_node made;
  sst_status status = make_ones(l, node->outputs[0], &in, &point, &w, &made);
  if (status == SST_OK) { status = norm_stage(l, node, &w); }
  if (status == SST_OK) { status = compose(l, in.exponent, node->outputs[0], &w); }
  if (status == SST_OK) { status = finish_layer(l, node, &w, &made); }
  free_layer(l, &w);
  return status;
}

sst_status ssti_lower_ones(ssti_lowering *l, sst_value value, int place, const ssti_pool_attributes *window,
                           double factor, sst_value made, const ssti_lower_room *room, int *result) {
  const sst_integer_value in = l->network->values[place];
  layer w;
  sst_integer_node node;
  sst_status status = make_ones(l, value, &in, window, &w, &node);
  strcpy(node.name, made < 0 ? ".scale" : "");
  if (status == SST_OK) { status = finish(l, &w, place, factor, room, made, &node); }
  if (status == SST_OK) { *result = l->network->value_count - 1; }
  free_layer(l, &w);
  return status;
}

// ---- slices and pads

// Which input channel each output channel is, and steps and border of the positions.
typedef struct selection {
  int64_t outputs, first, step; // channel o is channel first + o * step, if there is one
  int64_t stride_h, stride_w, pad_h, pad_w;
} selection;

static bool select_slice(const sst_integer_value *in, const ssti_slice_attributes *a, selection *out) {
  const int64_t sizes[2] = {in->height, in->width};
  for (int i = 0; i < 2; i++) {
    if (a->first[i] != 0 || a->step[i] < 1 || a->count[i] != (sizes[i] - 1) / a->step[i] + 1) { return false; }
  }
  *out = (selection){a->count[2], a->first[2], a->step[2], a->step[0], a->step[1], 0, 0};
  return true;
}

static bool select_pad(const sst_integer_value *in, const ssti_pad_attributes *a, selection *out) {
  *out = (selection){a->before[2] + in->channels + a->after[2], -a->before[2], 1, 1, 1, a->before[0], a->before[1]};
  return a->value == 0.0f && a->before[0] == a->after[0] && a->before[1] == a->after[1];
}

// A convolution of one position whose codes are 1 for the channel that is taken, of the value at `place`.
static sst_status add_selection(ssti_lowering *l, sst_value value, const selection *s, int place, double unit,
                                const ssti_lower_room *room, sst_value made) {
  const sst_integer_value in = l->network->values[place];
  layer w = {.outputs = s->outputs, .fan_in = in.channels, .first = value, .result = value};
  sst_integer_node node = {
      .kind = SST_INTEGER_NODE_SYNAPSES,
      .synapses = {1, 1, s->stride_h, s->stride_w, s->pad_h, s->pad_w, 1, 1, 1, 2, NULL, NULL, NULL}};
  sst_status status = make_layer(l, &w);
  for (int64_t o = 0; status == SST_OK && o < s->outputs; o++) {
    const int64_t from = s->first + o * s->step;
    if (from >= 0 && from < in.channels) { w.codes[o * in.channels + from] = 1.0f; }
  }
  if (status == SST_OK) { status = bound_sums(l, &in, &w); }
  if (status == SST_OK) { status = finish(l, &w, place, unit, room, made, &node); }
  free_layer(l, &w);
  return status;
}

// What the readers of a value want, or what it has.
static double wanted_unit(const ssti_lowering *l, sst_value value, double has) {
  return l->approximate != NULL && l->needs[value] > 0.0 ? l->needs[value] : has;
}

sst_status ssti_lower_selection(ssti_lowering *l, const ssti_node *node) {
  const sst_integer_value in = *ssti_lower_input(l, node);
  const sst_value value = node->outputs[0];
  selection s;
  const bool can =
      node->op == &ssti_op_slice ? select_slice(&in, node->attributes, &s) : select_pad(&in, node->attributes, &s);
  if (!can) {
    return ssti_lower_refuse(l, value, "integers have %s only",
                             node->op == &ssti_op_slice ? "slices of every n-th position from the first one"
                                                        : "the same border of zeros on opposite sides");
  }
  const double has = l->units[node->inputs[0]], unit = wanted_unit(l, value, has);
  l->units[value] = unit;
  return add_selection(l, value, &s, l->places[node->inputs[0]], ssti_lower_ratio(has, unit),
                       l->approximate != NULL ? &l->rooms[value] : NULL, value);
}

static bool is_silent(const ssti_lowering *l, sst_value value) {
  const ssti_value *v = &l->graph->values[value];
  const int64_t count = sst_shape_count(v->tensor.shape);
  if (v->kind != SSTI_VALUE_PARAMETER) { return false; }
  const float *x = sst_graph_data(l->graph, value);
  for (int64_t i = 0; i < count; i++) {
    if (x[i] != 0.0f) { return false; }
  }
  return true;
}

// The place of what is summed so far, and of the next part of a concatenation, at one exponent.
static sst_status join(ssti_lowering *l, sst_value value, int place) {
  sst_integer_node add = {.kind = SST_INTEGER_NODE_ADD, .input = {place, l->network->value_count - 1}, .name = ".sum"};
  int exponents[2];
  for (int i = 0; i < 2; i++) { exponents[i] = l->network->values[add.input[i]].exponent; }
  const int fine = exponents[0] > exponents[1] ? exponents[0] : exponents[1];
  for (int i = 0; i < 2; i++) { add.shift[i] = fine - exponents[i]; }
  return ssti_lower_add(l, &add, value, SST_NO_VALUE, 0, 0);
}

// Channels behind each other: each part with silence in the place of the others, and the sum of them.
sst_status ssti_lower_concat(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  const int64_t outputs = l->graph->values[value].tensor.shape.dim[SST_AXIS_C];
  int64_t at = 0;
  int sum = -1;
  if (((const ssti_concat_attributes *)node->attributes)->axis != SST_AXIS_C) {
    return ssti_lower_refuse(l, value, "integers have concatenations of channels only");
  }
  double unit = 0.0;
  for (int i = 0; i < node->call.input_count; i++) {
    const sst_value part = node->inputs[i];
    const selection s = {outputs, -at, 1, 1, 1, 0, 0};
    at += l->graph->values[part].tensor.shape.dim[SST_AXIS_C];
    if (l->places[part] < 0 && is_silent(l, part)) { continue; }
    if (l->places[part] < 0) { return ssti_lower_refuse(l, value, "a part of it does not depend on the input"); }
    if (unit == 0.0) { unit = wanted_unit(l, value, l->units[part]); }
    SST_TRY(add_selection(l, value, &s, l->places[part], ssti_lower_ratio(l->units[part], unit),
                          l->approximate != NULL ? &l->rooms[value] : NULL, SST_NO_VALUE));
    if (sum >= 0) { SST_TRY(join(l, value, sum)); }
    sum = l->network->value_count - 1;
  }
  if (sum < 0) { return ssti_lower_refuse(l, value, "it does not depend on the input"); }
  l->places[value] = sum;
  l->units[value] = unit;
  return SST_OK;
}
