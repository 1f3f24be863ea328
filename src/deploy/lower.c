// SPDX-License-Identifier: Apache-2.0
// The walk from input to logits, and the nodes that only carry numbers on: pools, sums, flatten, the readout.
#include "deploy/lower.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "deploy/dyadic.h"
#include "neuron/dynamics.h"

enum { NAME_SIZE = 160, TEXT_SIZE = 384, LARGEST_INPUT_EXPONENT = 14, INPUT_BITS = 8 };

sst_status ssti_lower_refuse(const ssti_lowering *l, sst_value value, const char *format, ...) {
  char name[NAME_SIZE], text[TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  SST_FAIL(l->context, SST_UNSUPPORTED, "layer %s cannot be lowered%s: %s",
           ssti_value_name(l->graph, value, name, sizeof name), l->approximate != NULL ? "" : " exactly", text);
}

sst_status ssti_lower_may_round(const ssti_lowering *l, sst_value value, const char *format, ...) {
  char text[TEXT_SIZE];
  if (l->approximate != NULL) { return SST_OK; }
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return ssti_lower_refuse(l, value, "%s; or let 'spikestill quantize --approximate' round it", text);
}

int ssti_lower_sole_reader(const ssti_lowering *l, sst_value value) {
  int found = -1;
  if (value == l->logits) { return -1; }
  for (int i = 0; i < l->graph->node_count; i++) {
    const ssti_node *node = &l->graph->nodes[i];
    for (int k = 0; l->needed[i] && k < node->call.input_count; k++) {
      if (node->inputs[k] != value) { continue; }
      if (found >= 0) { return -1; }
      found = i;
    }
  }
  return found;
}

sst_status ssti_lower_parameter(const ssti_lowering *l, sst_value layer, sst_value value, const float **out) {
  if (l->graph->values[value].kind != SSTI_VALUE_PARAMETER) {
    return ssti_lower_refuse(l, layer, "a weight of it is computed in the network rather than stored");
  }
  *out = sst_graph_data(l->graph, value);
  return SST_OK;
}

void ssti_lower_plain_name(const char *name, char out[48]) {
  const char *ending = strstr(name, ".sums");
  const size_t length = ending != NULL && ending[5] == '\0' ? (size_t)(ending - name) : strlen(name);
  const int kept = (int)(length < 40 ? length : 40);
  for (int i = 0; i < kept; i++) {
    const char c = name[i];
    const bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out[i] = fine ? c : '_';
  }
  out[kept] = '\0';
}

// The value's plain name with the ending that `out` holds; a second one of the same name gets a number.
static void make_name(const ssti_lowering *l, sst_value value, char out[48]) {
  char name[NAME_SIZE], ending[8];
  snprintf(ending, sizeof ending, "%.7s", out);
  ssti_lower_plain_name(ssti_value_name(l->graph, value, name, sizeof name), out);
  int kept = (int)strlen(out) > 32 ? 32 : (int)strlen(out);
  if (ending[0] != '\0') { kept += snprintf(out + kept, 8, "%s", ending); }
  for (int again = 2, i = 0; i < l->network->node_count; i++) {
    if (strcmp(l->network->nodes[i].name, out) != 0) { continue; }
    snprintf(out + kept, (size_t)(48 - kept), "_%d", again++);
    i = -1; // with the new name from the start
  }
}

sst_status ssti_lower_add(ssti_lowering *l, sst_integer_node *node, sst_value named, sst_value made, int64_t channels,
                          int exponent) {
  make_name(l, named, node->name);
  int place = -1;
  SST_TRY(ssti_integer_add(l->network, node, channels, exponent, &place));
  if (made >= 0) { l->places[made] = place; }
  if (place < 0) { return SST_OK; }
  const sst_integer_value *value = &l->network->values[place];
  const int64_t most = INT64_C(1) << SSTI_EXACT_BITS;
  if (l->approximate == NULL && (value->low < -most || value->high > most)) {
    return ssti_lower_may_round(l, named,
                                "its output may reach %" PRId64 "..%" PRId64 " units, but f32 holds only 2^24 of"
                                " them; take fewer norm_bits, weight_bits or input_bits",
                                value->low, value->high);
  }
  return SST_OK;
}

// ---- the part of the graph that matters

static void mark_needed(ssti_lowering *l) {
  const sst_graph *g = l->graph;
  if (g->values[l->logits].kind == SSTI_VALUE_OUTPUT) { l->needed[g->values[l->logits].node] = true; }
  for (int i = g->node_count - 1; i >= 0; i--) {
    const ssti_node *node = &g->nodes[i];
    for (int k = 0; l->needed[i] && k < node->call.input_count; k++) {
      const ssti_value *value = &g->values[node->inputs[k]];
      // Codes of weights are taken from their quantiser with the layer.
      if (value->kind != SSTI_VALUE_OUTPUT || g->nodes[value->node].op == &ssti_op_quantize_weights) { continue; }
      l->needed[value->node] = true;
    }
  }
}

static const ssti_node *reader_of(const ssti_lowering *l, sst_value value, const ssti_op *op) {
  const int index = ssti_lower_sole_reader(l, value);
  return index >= 0 && l->graph->nodes[index].op == op ? &l->graph->nodes[index] : NULL;
}

static void fuse(ssti_lowering *l, const ssti_node *node) { l->fused[node - l->graph->nodes] = true; }

// ---- the input

// Rounding of the input, and where the rounded one ends.
typedef struct input_grid {
  const ssti_unary_attributes *rounds, *clips; // NULL where there is none
  sst_value value;                             // what comes of the input
} input_grid;

static const ssti_node *unary_reader(const ssti_lowering *l, sst_value value, ssti_unary_kind kind) {
  const ssti_node *node = reader_of(l, value, &ssti_op_unary);
  return node != NULL && ((const ssti_unary_attributes *)node->attributes)->kind == kind ? node : NULL;
}

static input_grid find_grid(ssti_lowering *l) {
  input_grid grid = {.value = l->input};
  const ssti_node *rounds = unary_reader(l, l->input, SSTI_UNARY_ROUND);
  if (rounds == NULL) { return grid; }
  grid.rounds = rounds->attributes;
  grid.value = rounds->outputs[0];
  fuse(l, rounds);
  const ssti_node *clips = unary_reader(l, grid.value, SSTI_UNARY_CLIP);
  if (clips == NULL) { return grid; }
  grid.clips = clips->attributes;
  grid.value = clips->outputs[0];
  fuse(l, clips);
  return grid;
}

// What the network sees of a byte that would be x, in the arithmetic of the ops.
static double on_grid(const input_grid *grid, float x) {
  if (grid->rounds != NULL) { x = ssti_round_half_up(x / grid->rounds->a) * grid->rounds->a; }
  if (grid->clips != NULL) { x = x < grid->clips->a ? grid->clips->a : x > grid->clips->b ? grid->clips->b : x; }
  return (double)x;
}

// Integers for all bytes on one exponent; `exponent` -1 if there are none of 16 bits.
static void byte_codes(const ssti_lowering *l, const input_grid *grid, int64_t count, int16_t *codes, int *exponent) {
  *exponent = 0;
  for (int64_t i = 0; i < count; i++) {
    const int bits = ssti_fraction_bits(on_grid(grid, l->samples->bytes_as[i]), 0);
    *exponent = bits > *exponent ? bits : *exponent;
  }
  if (*exponent > LARGEST_INPUT_EXPONENT) {
    *exponent = -1;
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    const int64_t code = ssti_scaled(on_grid(grid, l->samples->bytes_as[i]), *exponent);
    if (code < INT16_MIN || code > INT16_MAX) {
      *exponent = -1;
      return;
    }
    codes[i] = (int16_t)code;
  }
}

static bool is_identity(const int16_t *codes, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (codes[i] != i % 256) { return false; }
  }
  return true;
}

static sst_status begin_network(ssti_lowering *l, ssti_integer_header *header, const int16_t *codes, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    header->input.low = codes[i] < header->input.low || i == 0 ? codes[i] : header->input.low;
    header->input.high = codes[i] > header->input.high || i == 0 ? codes[i] : header->input.high;
  }
  SST_TRY(ssti_integer_begin(l->context, header, &l->network));
  if (count == 0 || (header->input.exponent == 0 && is_identity(codes, count))) { return SST_OK; }
  return ssti_integer_array(l->network, codes, (size_t)count, sizeof *codes, &l->network->pixel_codes);
}

// A grid for what the network sees of bytes, as student.quantize.input_bits would make it (model.h).
static sst_status choose_grid(ssti_lowering *l, int64_t count, ssti_unary_attributes attributes[2], input_grid *grid) {
  const int bits = l->approximate->input_bits > 0 ? l->approximate->input_bits : INPUT_BITS;
  const float *x = l->samples->bytes_as;
  float low = x[0], high = x[0], ends[2];
  for (int64_t i = 1; i < count; i++) {
    low = fminf(low, x[i]);
    high = fmaxf(high, x[i]);
  }
  const float step = ssti_input_step(bits, low, high, ends);
  attributes[0] = (ssti_unary_attributes){SSTI_UNARY_ROUND, step, 0.0f};
  attributes[1] = (ssti_unary_attributes){SSTI_UNARY_CLIP, ends[0] * step, ends[1] * step};
  grid->rounds = &attributes[0];
  grid->clips = &attributes[1];
  double error = 0.0, whole = 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double lost = (double)x[i] - on_grid(grid, x[i]);
    error += lost * lost;
    whole += (double)x[i] * (double)x[i];
  }
  return ssti_lower_note(l, SST_APPROXIMATION_INPUT, l->input, error, whole);
}

static sst_status lower_input(ssti_lowering *l) {
  const sst_shape shape = l->graph->values[l->input].tensor.shape;
  input_grid grid = find_grid(l);
  ssti_integer_header header = {.timesteps = l->timesteps,
                                .classes = l->graph->values[l->logits].tensor.shape.dim[SST_AXIS_C],
                                .input_each_step = shape.dim[SST_AXIS_T] > 1,
                                .input = {.height = shape.dim[SST_AXIS_H],
                                          .width = shape.dim[SST_AXIS_W],
                                          .channels = shape.dim[SST_AXIS_C],
                                          .low = l->samples->low,
                                          .high = l->samples->high}};
  int16_t *codes = NULL;
  const int64_t count = l->samples->bytes_as != NULL ? shape.dim[SST_AXIS_C] * 256 : 0;
  SST_TRY(ssti_allocate(l->context, (size_t)count, sizeof *codes, &codes));
  byte_codes(l, &grid, count, codes, &header.input.exponent);
  sst_status status = SST_OK;
  if (header.input.exponent < 0) {
    ssti_unary_attributes chosen[2];
    status = ssti_lower_may_round(l, l->input,
                                  "the numbers that it gives the first layer lie on no grid; train with "
                                  "student.quantize.input_bits");
    if (status == SST_OK) { status = choose_grid(l, count, chosen, &grid); }
    if (status == SST_OK) { byte_codes(l, &grid, count, codes, &header.input.exponent); }
  }
  if (status == SST_OK) { status = begin_network(l, &header, codes, count); }
  ssti_free(l->context, codes);
  if (status == SST_OK) { l->places[grid.value] = 0; }
  return status;
}

// ---- nodes that carry numbers on

static sst_status lower_pool(ssti_lowering *l, const ssti_node *node, const ssti_pool_attributes *a) {
  const sst_value value = node->outputs[0];
  const int64_t window = a->kernel_h * a->kernel_w;
  const bool largest = a->kind == SSTI_POOL_MAX;
  if (!largest && (window & (window - 1)) != 0) {
    SST_TRY(ssti_lower_may_round(
        l, value, "it divides by its window of %" PRId64 " positions, which is no power of two", window));
    int place = -1;
    l->units[value] = l->units[node->inputs[0]] / (double)window; // what reads the sum divides it
    return ssti_lower_ones(l, value, l->places[node->inputs[0]], a, 1.0, value, &l->rooms[value], &place);
  }
  sst_integer_node pool = {.kind = largest ? SST_INTEGER_NODE_MAX_POOL : SST_INTEGER_NODE_SUM_POOL,
                           .input = {l->places[node->inputs[0]], -1},
                           .pool = {a->kernel_h, a->kernel_w, a->stride_h, a->stride_w, a->pad_h, a->pad_w}};
  return ssti_lower_add(l, &pool, value, value, 0, 0);
}

// A number that all of the value is multiplied with goes into its unit.
static sst_status lower_factor(ssti_lowering *l, const ssti_node *node, const char *otherwise) {
  const sst_value in = node->inputs[0], out = node->outputs[0];
  const double factor = ssti_lower_common_factor(l, node);
  if (factor == 0.0) { return ssti_lower_refuse(l, out, "%s", otherwise); }
  SST_TRY(ssti_lower_may_round(l, out,
                               "spikes or currents are scaled by a learned number; train without layer_thresholds"));
  l->places[out] = l->places[in];
  l->units[out] = l->units[in] * factor;
  return SST_OK;
}

static sst_status lower_add_sides(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  if (((const ssti_binary_attributes *)node->attributes)->kind != SSTI_BINARY_ADD || l->places[node->inputs[1]] < 0) {
    return lower_factor(l, node, "integers have no arithmetic but sums of layers, and factors of a whole layer");
  }
  sst_integer_node add = {.kind = SST_INTEGER_NODE_ADD};
  int exponents[2];
  // Where readers want none, the first side's unit.
  double unit = l->units[node->inputs[0]];
  if (l->approximate != NULL && l->needs[value] > 0.0) { unit = l->needs[value]; }
  for (int i = 0; i < 2; i++) {
    SST_TRY(ssti_lower_in_unit(l, node, i, unit, &add.input[i]));
    exponents[i] = l->network->values[add.input[i]].exponent;
  }
  const int fine = exponents[0] > exponents[1] ? exponents[0] : exponents[1];
  for (int i = 0; i < 2; i++) { add.shift[i] = fine - exponents[i]; }
  l->units[value] = unit;
  return ssti_lower_add(l, &add, value, value, 0, 0);
}

// A sum over time is the readout; a mean over pictures a pool.
static sst_status lower_reduce(ssti_lowering *l, const ssti_node *node) {
  const ssti_reduce_attributes *a = node->attributes;
  const sst_integer_value *in = ssti_lower_input(l, node);
  if (a->kind == SSTI_REDUCE_MEAN && a->axes == (SST_AXES_H | SST_AXES_W)) {
    const ssti_pool_attributes whole = {SSTI_POOL_AVERAGE, in->height, in->width, in->height, in->width, 0, 0};
    return lower_pool(l, node, &whole);
  }
  return ssti_lower_refuse(l, node->outputs[0], "integers have no such reduction");
}

static sst_status lower_flatten(ssti_lowering *l, const ssti_node *node) {
  const sst_integer_value *in = ssti_lower_input(l, node);
  if (in->height == 1 && in->width == 1) {
    l->places[node->outputs[0]] = l->places[node->inputs[0]];
    return SST_OK;
  }
  sst_integer_node flatten = {.kind = SST_INTEGER_NODE_FLATTEN, .input = {l->places[node->inputs[0]], -1}};
  return ssti_lower_add(l, &flatten, node->outputs[0], node->outputs[0], 0, 0);
}

static sst_status lower_unary(ssti_lowering *l, const ssti_node *node) {
  const ssti_unary_attributes *a = node->attributes;
  if (a->kind == SSTI_UNARY_AFFINE) { return lower_factor(l, node, "integers have no offset of a whole layer"); }
  if (a->kind == SSTI_UNARY_RELU) {
    return ssti_lower_refuse(l, node->outputs[0], "an ann has relu; only spiking networks become integer networks");
  }
  return ssti_lower_refuse(l, node->outputs[0], "integers have no such function");
}

// ---- the readout

static sst_status integrator_of(ssti_lowering *l, sst_integer_readout *r) {
  const ssti_node *node = l->integrator;
  const ssti_dynamics d = ssti_dynamics_make(&((const ssti_neuron_attributes *)node->attributes)->neuron, NULL);
  double decay = (double)d.decay;
  if (d.rest != 0.0f || d.start != 0.0f) {
    return ssti_lower_refuse(l, node->outputs[0], "it rests at %g and begins at %g, expected 0", (double)d.rest,
                             (double)d.start);
  }
  const int kept = ssti_lower_readout_bits(l, decay);
  if (ssti_fraction_bits(decay, 0) > kept) {
    SST_TRY(ssti_lower_may_round(l, node->outputs[0],
                                 "its decay is %g, expected a multiple of 1/256; set student.readout_decay", decay));
    const double rounded = ldexp(ssti_nearest(ldexp(decay, kept)), -kept), lost = rounded - decay;
    SST_TRY(ssti_lower_note(l, SST_APPROXIMATION_READOUT, node->outputs[0], lost * lost, decay * decay));
    decay = rounded;
  }
  const int bits = ssti_fraction_bits(decay, 0);
  r->kind = SST_INTEGER_READOUT_INTEGRATOR;
  r->shift = bits > 0 ? bits : 0;
  r->decay = (int)ssti_scaled(decay, r->shift);
  r->scale = (double)d.gain * ldexp(1.0, -r->shift * (int)(l->timesteps - 1));
  return SST_OK;
}

// The readout of what stands before the mean over time, or the last step, if there is one of them.
static sst_status lower_readout(ssti_lowering *l, sst_value steps, bool last) {
  const int place = l->places[steps];
  if (place < 0) { return ssti_lower_refuse(l, steps, "it does not depend on the input"); }
  sst_integer_node node = {.kind = SST_INTEGER_NODE_READOUT, .input = {place, -1}};
  sst_integer_readout *r = &node.readout;
  r->kind = last ? SST_INTEGER_READOUT_LAST : SST_INTEGER_READOUT_SUM;
  r->scale = 1.0;
  if (l->integrator != NULL) {
    if (last) { return ssti_lower_refuse(l, steps, "it reads the last step of an integrator"); }
    SST_TRY(integrator_of(l, r));
  }
  r->scale *= l->units[steps];
  r->scale = ldexp(r->scale, -l->network->values[place].exponent) / (last ? 1.0 : (double)l->timesteps);
  return ssti_lower_add(l, &node, l->logits, SST_NO_VALUE, 0, 0);
}

static bool is_mean_of_steps(const ssti_node *node) {
  const ssti_reduce_attributes *a = node->attributes;
  return node->op == &ssti_op_reduce && a->kind == SSTI_REDUCE_MEAN && a->axes == SST_AXES_T;
}

static bool is_last_step(const ssti_lowering *l, const ssti_node *node) {
  const ssti_select_steps_attributes *a = node->attributes;
  return node->op == &ssti_op_select_steps && a->count == 1 && a->first == l->timesteps - 1;
}

// ---- the walk

// In inference these do nothing; a repetition over time is what the steps of an integer network are anyway.
static bool does_nothing(const ssti_op *op) {
  return op == &ssti_op_dropout || op == &ssti_op_stop_gradient || op == &ssti_op_repeat_steps;
}

static sst_status lower_node(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  if (l->places[node->inputs[0]] < 0 && node->op != &ssti_op_concat) {
    return ssti_lower_refuse(l, value, "it does not depend on the input");
  }
  l->units[value] = l->units[node->inputs[0]]; // but of what says otherwise below
  if (value == l->logits && (is_mean_of_steps(node) || is_last_step(l, node))) {
    return lower_readout(l, node->inputs[0], is_last_step(l, node));
  }
  if (does_nothing(node->op)) {
    l->places[value] = l->places[node->inputs[0]];
    return SST_OK;
  }
  if (node->op == &ssti_op_conv2d || node->op == &ssti_op_linear) { return ssti_lower_weighted(l, node); }
  if (node->op == &ssti_op_batch_norm) { return ssti_lower_norm(l, node); }
  if (node->op == &ssti_op_neuron) { return ssti_lower_neurons(l, node); }
  if (node->op == &ssti_op_pool) { return lower_pool(l, node, node->attributes); }
  if (node->op == &ssti_op_reduce) { return lower_reduce(l, node); }
  if (node->op == &ssti_op_binary) { return lower_add_sides(l, node); }
  if (node->op == &ssti_op_slice || node->op == &ssti_op_pad) { return ssti_lower_selection(l, node); }
  if (node->op == &ssti_op_concat) { return ssti_lower_concat(l, node); }
  if (node->op == &ssti_op_flatten) { return lower_flatten(l, node); }
  if (node->op == &ssti_op_unary) { return lower_unary(l, node); }
  return ssti_lower_refuse(l, value, "integers have nothing like the op '%s'", node->op->name);
}

// T of the network: that of its neurons.
static int64_t find_steps(const ssti_lowering *l) {
  int64_t steps = l->graph->values[l->input].tensor.shape.dim[SST_AXIS_T];
  for (int i = 0; i < l->graph->node_count; i++) {
    const ssti_node *node = &l->graph->nodes[i];
    const int64_t found = l->graph->values[node->outputs[0]].tensor.shape.dim[SST_AXIS_T];
    if (l->needed[i] && found > steps) { steps = found; }
  }
  return steps;
}

static sst_status lower_all(ssti_lowering *l) {
  const sst_graph *g = l->graph;
  SST_TRY(ssti_allocate(l->context, (size_t)g->value_count, sizeof *l->places, &l->places));
  SST_TRY(ssti_allocate(l->context, (size_t)g->node_count + 1, sizeof *l->needed, &l->needed));
  SST_TRY(ssti_allocate(l->context, (size_t)g->node_count + 1, sizeof *l->fused, &l->fused));
  SST_TRY(ssti_allocate(l->context, (size_t)g->value_count, sizeof *l->units, &l->units));
  for (int i = 0; i < g->value_count; i++) {
    l->places[i] = -1;
    l->units[i] = 1.0;
  }
  mark_needed(l);
  l->timesteps = find_steps(l);
  if (l->approximate != NULL) {
    SST_TRY(ssti_allocate(l->context, (size_t)g->value_count, sizeof *l->needs, &l->needs));
    SST_TRY(ssti_allocate(l->context, (size_t)g->value_count, sizeof *l->rooms, &l->rooms));
    SST_TRY(ssti_lower_find_needs(l));
  }
  SST_TRY(lower_input(l));
  for (int i = 0; i < g->node_count; i++) {
    if (l->needed[i] && !l->fused[i]) { SST_TRY(lower_node(l, &g->nodes[i])); }
  }
  const int count = l->network->node_count;
  if (count == 0 || l->network->nodes[count - 1].kind != SST_INTEGER_NODE_READOUT) {
    SST_TRY(lower_readout(l, l->logits, false));
  }
  return sst_integer_network_check(l->network);
}

static sst_status lower_graph(ssti_lowering *l, sst_integer_network **out) {
  *out = NULL;
  const sst_status status = lower_all(l);
  ssti_free(l->context, l->places);
  ssti_free(l->context, l->needed);
  ssti_free(l->context, l->fused);
  ssti_free(l->context, l->units);
  ssti_free(l->context, l->needs);
  ssti_free(l->context, l->rooms);
  if (status != SST_OK) {
    sst_integer_network_free(l->network);
    return status;
  }
  *out = l->network;
  return SST_OK;
}

sst_status sst_integer_from_graph(sst_graph *graph, sst_value input, sst_value logits, const sst_integer_input *samples,
                                  sst_integer_network **out) {
  ssti_lowering l = {.context = graph->context, .graph = graph, .input = input, .logits = logits, .samples = samples};
  return lower_graph(&l, out);
}

sst_status sst_integer_approximate(sst_graph *graph, sst_value input, sst_value logits,
                                   const sst_integer_input *samples, const sst_approximation_options *options,
                                   sst_approximations *made, sst_integer_network **out) {
  *made = (sst_approximations){0};
  ssti_lowering l = {.context = graph->context,
                     .graph = graph,
                     .input = input,
                     .logits = logits,
                     .samples = samples,
                     .approximate = options,
                     .made = made};
  return lower_graph(&l, out);
}
