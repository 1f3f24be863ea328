// SPDX-License-Identifier: Apache-2.0
// Lowering of what lies on no grid, on request. Every value has a unit, real number = unit * integer * 2^-exponent, so
// that a factor which all of a value has in common (the size of a layer's spikes, the division of an average) is no
// work: who reads the value takes it into factors of its own. Neurons want their gain of the input in it. What they
// want is found from the logits back, with the room that 32 bits leave, so that layers give their readers what these
// want. Where that cannot be, as on the identity side of a residual sum, a value is brought to the unit by a factor of
// its own.
#include <math.h>
#include <string.h>

#include "deploy/dyadic.h"
#include "deploy/lower.h"
#include "graph/quantized_layer.h"
#include "quantize/best_step.h"
#include "quantize/grid.h"

enum { LARGEST_BITS = 30, FINEST = 30, WEIGHT_BITS = 8, NORM_BITS = 16 };
// Of 31, so that sums of two and of halves fit.
enum { FACTOR_BITS = 6 };                                      // that a layer's factors should have at least
enum { DECAY_BITS = 8, SUM_BITS = 61, LEAST_LOGIT_BITS = 16 }; // of the readout: its decay, its sums, what they are of
static const double worst_factors = 0.5;                       // error that is no approximation any more

static int weight_bits(const ssti_lowering *l) {
  return l->approximate->weight_bits > 0 ? l->approximate->weight_bits : WEIGHT_BITS;
}

// ---- what was rounded

static const char *const words[] = {
#define APPROXIMATION_WORD(name, word, text) word,
    SST_APPROXIMATION_LIST(APPROXIMATION_WORD)
#undef APPROXIMATION_WORD
};

const char *sst_approximation_word(sst_approximation_kind kind) {
  return (unsigned)kind < (unsigned)SST_APPROXIMATION_COUNT ? words[kind] : "unknown";
}

void sst_approximations_free(sst_context *context, sst_approximations *approximations) {
  ssti_free(context, approximations->items);
  *approximations = (sst_approximations){0};
}

sst_status ssti_lower_note(ssti_lowering *l, sst_approximation_kind kind, sst_value value, double error, double whole) {
  sst_approximations *made = l->made;
  if (error == 0.0) { return SST_OK; }
  SST_TRY(ssti_grow(l->context, &made->items, &made->capacity, (size_t)made->count + 1, sizeof *made->items));
  sst_approximation *one = &made->items[made->count++];
  char name[160];
  *one = (sst_approximation){.kind = kind, .size = sqrt(error / whole)};
  ssti_lower_plain_name(ssti_value_name(l->graph, value, name, sizeof name), one->layer);
  return SST_OK;
}

// ---- what readers want

static ssti_lower_room smaller_of(ssti_lower_room a, ssti_lower_room b) {
  return (ssti_lower_room){fmin(a.most, b.most), a.finest < b.finest ? a.finest : b.finest};
}

// The exponent of the smallest power of two that is not below x > 0.
static int log2_above(double x) {
  int exponent = 0;
  const double mantissa = frexp(x, &exponent);
  return mantissa == 0.5 ? exponent - 1 : exponent;
}

void ssti_lower_room_of(const ssti_lowering *l, const ssti_dynamics *d, ssti_lower_room *out) {
  const int threshold = log2_above((double)d->threshold);
  if (!d->stores) { // states add up over all steps
    *out = (ssti_lower_room){ldexp(1.0, LARGEST_BITS) / (double)(l->timesteps + 1), LARGEST_BITS - 1 - threshold};
    return;
  }
  const int reach = log2_above((double)d->grid_largest * (double)d->grid_step);
  const int of_leak = ssti_fraction_bits((double)d->stored_decay, 0), leak = of_leak > 0 ? of_leak : 0;
  const int finest = LARGEST_BITS - 1 - leak - (reach > threshold ? reach : threshold);
  *out = (ssti_lower_room){ldexp(1.0, LARGEST_BITS - leak), finest};
}

static sst_status room_of_neurons(const ssti_lowering *l, const ssti_node *node, ssti_lower_room *out, double *unit) {
  ssti_dynamics d;
  int bits = 0;
  SST_TRY(ssti_lower_dynamics(l, node, &d, &bits));
  ssti_lower_room_of(l, &d, out);
  *unit = ssti_lower_neuron_unit(&d);
  return SST_OK;
}

static void want(ssti_lowering *l, sst_value value, double unit, ssti_lower_room room) {
  if (unit > 0.0 && l->needs[value] == 0.0) { l->needs[value] = unit; }
  l->rooms[value] = smaller_of(l->rooms[value], room);
}

// An integrator's sums over T steps are T^2 times its input at most, with its decay's bits for each step.
static int bits_of_sums(const ssti_lowering *l, int decay_bits) {
  return decay_bits * (int)(l->timesteps - 1) + 2 * log2_above((double)l->timesteps);
}

int ssti_lower_readout_bits(const ssti_lowering *l, double decay) {
  const int exact = ssti_fraction_bits(decay, 0);
  int bits = exact < DECAY_BITS ? (exact > 0 ? exact : 0) : DECAY_BITS;
  while (bits > 0 && l->approximate != NULL && bits_of_sums(l, bits) + LEAST_LOGIT_BITS > SUM_BITS) { bits--; }
  return bits;
}

double ssti_lower_readout_room(const ssti_lowering *l, int decay_bits) {
  return ldexp(1.0, SUM_BITS - bits_of_sums(l, decay_bits));
}

// The number that a product with a parameter multiplies all of its first input with; 0 where it is none.
static double common_factor(const ssti_lowering *l, const ssti_node *node) {
  const ssti_unary_attributes *u = node->attributes;
  if (node->op == &ssti_op_unary) { return u->kind == SSTI_UNARY_AFFINE && u->b == 0.0f ? (double)u->a : 0.0; }
  const ssti_binary_kind kind = ((const ssti_binary_attributes *)node->attributes)->kind;
  const ssti_value *by = &l->graph->values[node->inputs[1]];
  const bool single = by->kind == SSTI_VALUE_PARAMETER && sst_shape_count(by->tensor.shape) == 1;
  if (!single || (kind != SSTI_BINARY_MULTIPLY && kind != SSTI_BINARY_DIVIDE)) { return 0.0; }
  const double number = (double)sst_graph_data(l->graph, node->inputs[1])[0];
  return kind == SSTI_BINARY_MULTIPLY ? number : 1.0 / number;
}

double ssti_lower_common_factor(const ssti_lowering *l, const ssti_node *node) {
  const double factor = common_factor(l, node);
  return factor > 0.0 && isfinite(factor) && isfinite(1.0 / factor) ? factor : 0.0;
}

static bool averages(const ssti_node *node) {
  return node->op == &ssti_op_pool && ((const ssti_pool_attributes *)node->attributes)->kind == SSTI_POOL_AVERAGE;
}

static bool is_spatial_mean(const ssti_node *node) {
  const ssti_reduce_attributes *a = node->attributes;
  return node->op == &ssti_op_reduce && a->kind == SSTI_REDUCE_MEAN && a->axes == (SST_AXES_H | SST_AXES_W);
}

// Positions whose mean the node gives.
static int64_t window_of(const ssti_lowering *l, const ssti_node *node) {
  const ssti_pool_attributes *pool = node->attributes;
  const sst_shape shape = l->graph->values[node->inputs[0]].tensor.shape;
  return averages(node) ? pool->kernel_h * pool->kernel_w : shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W];
}

// What a layer's sums and factors leave of 31 bits for its input. Codes are about as large, beside their largest, as
// weights are.
static ssti_lower_room room_of_product(const ssti_lowering *l, const ssti_node *node) {
  const sst_value weight = node->inputs[1];
  const ssti_node *quantizer = ssti_quantizer_of(l->graph, weight);
  const sst_value from = quantizer != NULL ? quantizer->inputs[0] : weight;
  const sst_shape shape = l->graph->values[from].tensor.shape;
  const int64_t outputs = shape.dim[SST_AXIS_N], fan_in = sst_shape_count(shape) / outputs;
  const int bits = quantizer != NULL ? ssti_code_bits(quantizer) : weight_bits(l);
  double most = 1.0;
  if (l->graph->values[from].kind != SSTI_VALUE_PARAMETER) { return (ssti_lower_room){1.0, 0}; } // refused later
  const float *w = sst_graph_data(l->graph, from);
  for (int64_t o = 0; o < outputs; o++) {
    double sum = 0.0, largest = 0.0;
    for (int64_t i = 0; i < fan_in; i++) {
      sum += fabs((double)w[o * fan_in + i]);
      largest = fmax(largest, fabs((double)w[o * fan_in + i]));
    }
    most = fmax(most, largest > 0.0 ? sum / largest * (double)ssti_largest_code(bits) : 1.0);
  }
  const double left = ldexp(1.0, LARGEST_BITS - FACTOR_BITS) / most;
  return (ssti_lower_room){left, log2_above(left)};
}

static sst_status find_needs_of(ssti_lowering *l, const ssti_node *node) {
  const sst_value in = node->inputs[0], out = node->outputs[0];
  ssti_lower_room room = l->rooms[out];
  double unit = l->needs[out];
  if (node->op == &ssti_op_neuron) {
    const sst_neuron *neuron = &((const ssti_neuron_attributes *)node->attributes)->neuron;
    if (neuron->kind == SST_NEURON_LI) {
      room.most = fmin(room.most, ssti_lower_readout_room(l, ssti_lower_readout_bits(l, (double)neuron->decay)));
      want(l, in, 0.0, room);
      return SST_OK;
    }
    SST_TRY(room_of_neurons(l, node, &room, &unit));
  } else if (node->op == &ssti_op_conv2d || node->op == &ssti_op_linear) {
    room = room_of_product(l, node);
    unit = 0.0;
  } else if (node->op == &ssti_op_batch_norm) {
    room = (ssti_lower_room){ldexp(1.0, LARGEST_BITS - FACTOR_BITS), LARGEST_BITS - FACTOR_BITS};
    unit = 0.0;
  } else if (node->op == &ssti_op_rescale) {
    return SST_OK; // always behind a product, as one node with it
  } else if (averages(node) || is_spatial_mean(node)) {
    const double window = (double)window_of(l, node);
    room.most /= window;
    room.finest -= log2_above(window);
    unit *= window;
  } else if (node->op == &ssti_op_binary || node->op == &ssti_op_unary) {
    const double factor = ssti_lower_common_factor(l, node);
    if (factor > 0.0) {
      unit /= factor;
    } else if (node->op == &ssti_op_binary) {
      room.most /= 2.0;
      want(l, node->inputs[1], unit, room);
    }
  }
  want(l, in, unit, room);
  for (int k = 1; node->op == &ssti_op_concat && k < node->call.input_count; k++) {
    want(l, node->inputs[k], unit, room);
  }
  return SST_OK;
}

sst_status ssti_lower_find_needs(ssti_lowering *l) {
  for (int i = 0; i < l->graph->value_count; i++) { l->rooms[i] = (ssti_lower_room){ldexp(1.0, LARGEST_BITS), FINEST}; }
  for (int i = l->graph->node_count - 1; i >= 0; i--) {
    if (l->needed[i]) { SST_TRY(find_needs_of(l, &l->graph->nodes[i])); }
  }
  return SST_OK;
}

// ---- units that differ

double ssti_lower_ratio(double unit, double wanted) {
  // Units are products and quotients of a few f32 numbers, so what differs for a reason differs by far more.
  const double ratio = unit / wanted, nearest = ldexp(1.0, (int)lrint(log2(ratio)));
  return fabs(ratio / nearest - 1.0) < 0x1p-45 ? nearest : ratio;
}

sst_status ssti_lower_in_unit(ssti_lowering *l, const ssti_node *node, int index, double unit, int *place) {
  const sst_value value = node->inputs[index];
  const double has = l->units[value];
  *place = l->places[value];
  if (unit == 0.0 || ssti_lower_ratio(has, unit) == 1.0) { return SST_OK; }
  ssti_lower_room room = l->rooms[node->outputs[0]]; // of a sum, or of neurons
  double neurons = 0.0;
  if (node->op == &ssti_op_neuron) {
    SST_TRY(room_of_neurons(l, node, &room, &neurons));
  } else {
    room.most /= 2.0;
  }
  const ssti_pool_attributes point = {SSTI_POOL_AVERAGE, 1, 1, 1, 1, 0, 0};
  return ssti_lower_ones(l, value, *place, &point, ssti_lower_ratio(has, unit), SST_NO_VALUE, &room, place);
}

// ---- weights, factors and offsets

sst_status ssti_lower_round_weights(ssti_lowering *l, const float *weights, ssti_lower_layer *w, int *bits) {
  *bits = weight_bits(l);
  const float largest = ssti_largest_code(*bits);
  double error = 0.0, whole = 0.0;
  for (int64_t o = 0; o < w->outputs; o++) {
    const float *x = weights + o * w->fan_in, step = ssti_best_step(x, w->fan_in, *bits);
    for (int64_t i = 0; i < w->fan_in; i++) {
      const float code = ssti_code(x[i] / step, largest);
      const double lost = (double)x[i] - (double)code * (double)step;
      w->codes[o * w->fan_in + i] = code;
      error += lost * lost;
      whole += (double)x[i] * (double)x[i];
    }
    w->scale[o] = step;
  }
  return ssti_lower_note(l, SST_APPROXIMATION_WEIGHTS, w->first, error, whole);
}

// The largest output on that exponent.
static double largest_output(const ssti_lower_layer *w, int exponent, int common) {
  double most = 0.0;
  for (int64_t o = 0; o < w->outputs; o++) {
    const double factor = ssti_nearest(ldexp(fabs(w->factor[o]), common - exponent));
    most = fmax(most, factor * (double)w->sums[o] + ldexp(fabs(w->offset[o]), common) + 1.0);
  }
  return most;
}

// The finest exponent that norm_bits and the room allow.
static int choose_exponent(const ssti_lowering *l, const ssti_lower_layer *w, int exponent,
                           const ssti_lower_room *room) {
  const int bits = l->approximate->norm_bits > 0 ? l->approximate->norm_bits : NORM_BITS;
  double most = 0.0;
  for (int64_t o = 0; o < w->outputs; o++) { most = fmax(most, fabs(w->factor[o])); }
  int common = exponent + ssti_fraction_bits((double)ssti_step_for((float)most, bits), 0);
  common = common > room->finest ? room->finest : common;
  while (common > 0 && largest_output(w, exponent, common) > room->most) { common--; }
  return common > 0 ? common : 0;
}

// Half up to multiples of 2^-bits.
static void round_all(int64_t count, int bits, double *x, double *error, double *whole) {
  for (int64_t i = 0; i < count; i++) {
    const double rounded = ldexp(ssti_nearest(ldexp(x[i], bits)), -bits);
    *error += (x[i] - rounded) * (x[i] - rounded);
    *whole += x[i] * x[i];
    x[i] = rounded;
  }
}

sst_status ssti_lower_round_layer(ssti_lowering *l, ssti_lower_layer *w, int exponent, double unit,
                                  const ssti_lower_room *room) {
  for (int64_t o = 0; o < w->outputs; o++) { w->factor[o] *= unit; }
  const int exact = ssti_lower_common_exponent(w, exponent);
  if (exact <= room->finest && largest_output(w, exponent, exact) <= room->most) { return SST_OK; }
  const int common = choose_exponent(l, w, exponent, room);
  double errors[2] = {0.0, 0.0}, wholes[2] = {0.0, 0.0};
  round_all(w->outputs, common - exponent, w->factor, &errors[0], &wholes[0]);
  round_all(w->outputs, common, w->offset, &errors[1], &wholes[1]);
  if (sqrt(errors[0]) > worst_factors * sqrt(wholes[0])) {
    return ssti_lower_refuse(l, w->result,
                             "32 bits hold no factors fine enough for what its readers make of it; take fewer bits of "
                             "weights and input, or neurons between it and the next sums");
  }
  SST_TRY(ssti_lower_note(l, SST_APPROXIMATION_FACTORS, w->result, errors[0], wholes[0]));
  return ssti_lower_note(l, SST_APPROXIMATION_OFFSETS, w->result, errors[1], wholes[1]);
}
