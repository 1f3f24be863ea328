// SPDX-License-Identifier: Apache-2.0
// Layers with weights, and the norm or scale behind their sums.
//
// The graph computes sums z of codes and inputs, and behind them y = factor * z + offset once (batch norm with bits, or
// rescale) or twice (rescale for a bias, then batch norm). All factors and offsets are dyadic, so is their composition,
// and one exponent makes integers of all of them.
#include <inttypes.h>
#include <math.h>

#include "backend/reference/reference.h"
#include "deploy/dyadic.h"
#include "deploy/integer_rules.h"
#include "deploy/lower.h"
#include "graph/quantized_layer.h"

typedef struct layer {
  int64_t outputs, fan_in;
  float *codes, *scale;    // as the quantiser makes them
  double *factor, *offset; // y = factor * z + offset, of real numbers
  float *a, *b;            // of one stage
  int64_t *sums;           // largest |z| in units of the input's exponent
  sst_value first, result; // the layer's own value, and that of the last stage
} layer;

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
    return ssti_lower_refuse(l, norm->outputs[0],
                             "its norm is in full precision; train with student.quantize.norm_bits"
                             " and, of the first and last layer, first_last: same");
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
    return ssti_lower_refuse(l, rescale->outputs[0],
                             "its scale and bias are in full precision; train with student.quantize.norm_bits");
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
    if (!is_exact(size, fine, a, b)) {
      return ssti_lower_refuse(l, value,
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

// The smallest exponent on which all factors and offsets are integers.
static int common_exponent(const layer *w, int exponent) {
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

static sst_status add_layer(ssti_lowering *l, const ssti_node *of, layer *w, sst_integer_node *node) {
  const sst_integer_value in = *ssti_lower_input(l, of);
  const int64_t most = INT64_C(1) << SSTI_EXACT_BITS;
  for (int64_t o = 0; o < w->outputs; o++) {
    int64_t sum = 0;
    for (int64_t i = 0; i < w->fan_in; i++) { sum += (int64_t)fabsf(w->codes[o * w->fan_in + i]); }
    w->sums[o] = sum * size_of(&in);
    if (w->sums[o] > most) {
      return ssti_lower_refuse(l, w->first,
                               "sums of channel %" PRId64 " may reach %" PRId64
                               ", but f32 holds only 2^24 of them; take fewer weight_bits or input_bits",
                               o, w->sums[o]);
    }
  }
  SST_TRY(take_stages(l, in.exponent, w));
  const int common = common_exponent(w, in.exponent);
  if (common > 62) { return ssti_lower_refuse(l, w->result, "its numbers need %d bits behind the point", common); }
  SST_TRY(fill_constants(l, w, in.exponent, common, node));
  node->kind = SST_INTEGER_NODE_SYNAPSES;
  node->input[0] = l->places[of->inputs[0]];
  return ssti_lower_add(l, node, w->first, w->result, w->outputs, common);
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

sst_status ssti_lower_weighted(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  const ssti_node *quantizer = ssti_quantizer_of(l->graph, node->inputs[1]);
  if (quantizer == NULL) {
    return ssti_lower_refuse(l, value,
                             "its weights are in full precision; train with student.quantize.weights and, of "
                             "the first and last layer, first_last: same");
  }
  const sst_shape shape = l->graph->values[node->inputs[1]].tensor.shape;
  layer w = {.outputs = shape.dim[SST_AXIS_N], .first = value, .result = value};
  w.fan_in = sst_shape_count(shape) / w.outputs;
  sst_integer_node made = {.kind = SST_INTEGER_NODE_SYNAPSES};
  window_of(l, node, &made.synapses);
  made.synapses.weight_bits = ssti_code_bits(quantizer);
  sst_status status = make_layer(l, &w);
  if (status == SST_OK) { status = ssti_quantized_codes(l->graph, quantizer, w.codes, w.scale); }
  if (status == SST_OK) { status = add_layer(l, node, &w, &made); }
  free_layer(l, &w);
  return status;
}

// A norm by itself: one synapse of code 1 a channel.
sst_status ssti_lower_norm(ssti_lowering *l, const ssti_node *node) {
  const sst_integer_value in = *ssti_lower_input(l, node);
  const sst_value value = node->outputs[0];
  layer w = {.outputs = in.channels, .fan_in = 1, .first = value, .result = value};
  sst_integer_node made = {.kind = SST_INTEGER_NODE_SYNAPSES,
                           .synapses = {1, 1, 1, 1, 0, 0, 1, 1, in.channels, 2, NULL, NULL, NULL}};
  sst_status status = make_layer(l, &w);
  for (int64_t o = 0; status == SST_OK && o < w.outputs; o++) {
    w.codes[o] = 1.0f;
    w.sums[o] = size_of(&in);
  }
  if (status == SST_OK) { status = norm_stage(l, node, &w); }
  if (status == SST_OK) { status = compose(l, in.exponent, value, &w); }
  if (status == SST_OK) {
    const int common = common_exponent(&w, in.exponent);
    status = fill_constants(l, &w, in.exponent, common, &made);
    made.input[0] = l->places[node->inputs[0]];
    if (status == SST_OK) { status = ssti_lower_add(l, &made, value, value, w.outputs, common); }
  }
  free_layer(l, &w);
  return status;
}
