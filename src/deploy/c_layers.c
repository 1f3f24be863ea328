// SPDX-License-Identifier: Apache-2.0
// The functions of layers: for each position of the output, for each channel, for each step.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deploy/c_writer.h"

bool ssti_c_reads_input(const ssti_c_plan *plan, int layer) {
  for (int n = 0; n < plan->network->node_count; n++) {
    const sst_integer_node *node = &plan->network->nodes[n];
    if (plan->nodes[n].owner != layer) { continue; }
    if (ssti_c_home(plan, node->input[0])->store == SSTI_C_INPUT) { return true; }
    if (node->kind == SST_INTEGER_NODE_ADD && ssti_c_home(plan, node->input[1])->store == SSTI_C_INPUT) { return true; }
  }
  return false;
}

// ---- what precedes the numbers

static void write_comment(ssti_c_writer *w, int layer) {
  const sst_integer_network *network = w->plan->network;
  const char *between = "// ";
  ssti_c_put(w, "\n");
  for (int n = 0; n < network->node_count; n++) {
    if (w->plan->nodes[n].owner != layer) { continue; }
    ssti_c_put(w, "%s%s", between, network->nodes[n].name);
    between = ", ";
  }
  const sst_integer_value *in = &network->values[network->nodes[layer].input[0]];
  ssti_c_put(w, ": %" PRId64 "x%" PRId64 "x%" PRId64 ".\n", in->height, in->width, in->channels);
}

// Copies of the windows that the layer's synapses read at this position; those of groups change with the channel.
static void write_windows(ssti_c_writer *w, int layer, bool grouped, int level) {
  const sst_integer_network *network = w->plan->network;
  for (int n = 0; n < network->node_count; n++) {
    const sst_integer_node *node = &network->nodes[n];
    const ssti_c_node *about = &w->plan->nodes[n];
    if (about->owner != layer || node->kind != SST_INTEGER_NODE_SYNAPSES || about->dense || about->whole ||
        (node->synapses.groups > 1) != grouped) {
      continue;
    }
    const ssti_c_value *from = ssti_c_home(w->plan, node->input[0]);
    w->used[SSTI_C_WINDOWS] = w->used[SSTI_C_CLEAR] = true;
    char first[64] = "0";
    if (grouped) {
      const int64_t groups = node->synapses.groups, outputs = network->values[node->output].channels / groups;
      const int64_t inputs = network->values[node->input[0]].channels / groups;
      snprintf(first, sizeof first, "c / %" PRId64 " * %" PRId64, outputs, inputs);
      if (outputs > 1) {
        ssti_c_line(w, level, "if (c %% %" PRId64 " == 0) {", outputs);
        ssti_c_line(w, level + 1, "take_windows(&window_%d, memory + %" PRId64 ", memory + %" PRId64 ", %s, %s, %s);",
                    n, from->at, about->window_at, w->y, w->x, first);
        ssti_c_line(w, level, "}");
        continue;
      }
    }
    ssti_c_line(w, level, "take_windows(&window_%d, memory + %" PRId64 ", memory + %" PRId64 ", %s, %s, %s);", n,
                from->at, about->window_at, w->y, w->x, first);
  }
}

// Inlined values that are the same in every step, computed once a position: the outermost ones below `value`.
static void write_once(ssti_c_writer *w, int value, int level) {
  const sst_integer_network *network = w->plan->network;
  const ssti_c_value *place = &w->plan->values[value];
  if (value == 0 || place->home != value || place->store != SSTI_C_NOWHERE) { return; }
  const sst_integer_node *node = &network->nodes[value - 1];
  if (network->values[value].once) {
    ssti_c_put(w, "%*sconst int32_t once_%d = ", 2 * level, "", value);
    ssti_c_expression(w, value, false);
    ssti_c_put(w, ";\n");
  } else if (node->kind == SST_INTEGER_NODE_ADD) {
    write_once(w, node->input[0], level);
    write_once(w, node->input[1], level);
  }
}

static void write_clear(ssti_c_writer *w, int value) {
  const ssti_c_value *home = &w->plan->values[value];
  const int64_t length = home->length * home->planes * home->steps;
  if (home->store == SSTI_C_PLANES) {
    w->used[SSTI_C_CLEAR] = true;
    ssti_c_line(w, 1, "clear(memory + %" PRId64 ", %" PRId64 ");", home->at, length);
  } else {
    const int bits = (int)ssti_c_size(home->store) * 8;
    ssti_c_line(w, 1, "for (int32_t i = 0; i < %" PRId64 "; i++) { memory_%d[%" PRId64 " + i] = 0; }", length, bits,
                home->at);
  }
}

// Loops over positions and channels; returns the level inside. Afterwards `index` can be spoken of.
static int open_loops(ssti_c_writer *w, int layer, const sst_integer_value *shape) {
  int level = 1;
  const bool spatial = shape->height * shape->width > 1;
  w->y = spatial ? "y" : "0";
  w->x = spatial ? "x" : "0";
  w->index = spatial ? "index" : "c";
  if (spatial) {
    ssti_c_line(w, level++, "for (int32_t y = 0; y < %" PRId64 "; y++) {", shape->height);
    ssti_c_line(w, level++, "for (int32_t x = 0; x < %" PRId64 "; x++) {", shape->width);
  }
  write_windows(w, layer, false, level);
  ssti_c_line(w, level++, "for (int32_t c = 0; c < %" PRId64 "; c++) {", shape->channels);
  write_windows(w, layer, true, level);
  if (spatial) {
    ssti_c_line(w, level, "const int32_t index = (y * %" PRId64 " + x) * %" PRId64 " + c;", shape->width,
                shape->channels);
  }
  return level;
}

static int open_steps(ssti_c_writer *w, int level, int64_t steps) {
  if (steps > 1) { ssti_c_line(w, level++, "for (int32_t t = 0; t < %" PRId64 "; t++) {", steps); }
  return level;
}

static void close_loops(ssti_c_writer *w, int level) {
  while (level > 0) { ssti_c_line(w, --level, "}"); }
}

// The step that is told to whoever traces spikes.
static const char *step_word(const ssti_c_plan *plan) {
  return plan->streaming ? "steps_made" : plan->steps > 1 ? "t" : "0";
}

// ---- neurons

// One spike more in the number at `at` of what a pool makes.
static void write_count(ssti_c_writer *w, int pool, const char *at, int level) {
  const sst_integer_node *node = &w->plan->network->nodes[pool];
  const ssti_c_value *home = &w->plan->values[node->output];
  ssti_c_put(w, "%*s", 2 * level, "");
  if (home->store != SSTI_C_PLANES) {
    ssti_c_stored_number(w, node->output, at);
    ssti_c_put(w, "++;\n");
  } else if (home->planes == 1) {
    w->used[SSTI_C_SET_BIT] = true;
    ssti_c_put(w, "set_bit(");
    ssti_c_base(w, node->output);
    ssti_c_put(w, ", %s);\n", at);
  } else {
    w->used[SSTI_C_ADD_ONE] = true;
    ssti_c_put(w, "add_one(");
    ssti_c_base(w, node->output);
    ssti_c_put(w, ", %" PRId64 ", %s);\n", home->length, at);
  }
}

// In every window of the pool that holds the position.
static void write_pooled_spike(ssti_c_writer *w, int pool, int level) {
  const sst_integer_node *node = &w->plan->network->nodes[pool];
  const sst_integer_pool *p = &node->pool;
  const sst_integer_value *in = &w->plan->network->values[node->input[0]],
                          *out = &w->plan->network->values[node->output];
  char at[160];
  if (in->height * in->width * out->height * out->width == 1) {
    write_count(w, pool, "c", level);
  } else if (p->stride_h == p->kernel_h && p->stride_w == p->kernel_w && p->pad_h == 0 && p->pad_w == 0) {
    snprintf(at, sizeof at, "(y / %" PRId64 " * %" PRId64 " + x / %" PRId64 ") * %" PRId64 " + c", p->kernel_h,
             out->width, p->kernel_w, out->channels);
    const bool tiles = in->height % p->kernel_h == 0 && in->width % p->kernel_w == 0;
    if (!tiles) {
      ssti_c_line(w, level, "if (y < %" PRId64 " && x < %" PRId64 ") {", out->height * p->kernel_h,
                  out->width * p->kernel_w);
    }
    write_count(w, pool, at, tiles ? level : level + 1);
    if (!tiles) { ssti_c_line(w, level, "}"); }
  } else {
    w->used[SSTI_C_FIRST_WINDOW] = true;
    const int64_t pads[2] = {p->pad_h, p->pad_w}, kernels[2] = {p->kernel_h, p->kernel_w},
                  strides[2] = {p->stride_h, p->stride_w}, sizes[2] = {out->height, out->width};
    for (int axis = 0; axis < 2; axis++) {
      const char v = "ij"[axis], *from = axis == 0 ? w->y : w->x;
      ssti_c_line(w, level + axis,
                  "for (int32_t %c = first_window(%s + %" PRId64 ", %" PRId64 ", %" PRId64 "); %c <= (%s + %" PRId64
                  ") / %" PRId64 " && %c < %" PRId64 "; %c++) {",
                  v, from, pads[axis], kernels[axis], strides[axis], v, from, pads[axis], strides[axis], v, sizes[axis],
                  v);
    }
    snprintf(at, sizeof at, "(i * %" PRId64 " + j) * %" PRId64 " + c", out->width, out->channels);
    write_count(w, pool, at, level + 2);
    ssti_c_line(w, level + 1, "}");
    ssti_c_line(w, level, "}");
  }
}

static bool serves(const ssti_c_plan *plan, int layer, int pool) {
  return plan->nodes[pool].owner == layer && ssti_c_counted_by_neurons(plan, pool);
}

static void write_spike(ssti_c_writer *w, int layer, int level) {
  const sst_integer_network *network = w->plan->network;
  const int value = network->nodes[layer].output;
  ssti_c_line(w, level, "SPIKE(%d, %s, %s);", w->plan->nodes[layer].spikes, step_word(w->plan), w->index);
  if (w->plan->values[value].store != SSTI_C_NOWHERE) {
    w->used[SSTI_C_SET_BIT] = true;
    ssti_c_put(w, "%*sset_bit(", 2 * level, "");
    ssti_c_base(w, value);
    ssti_c_put(w, ", %s);\n", w->index);
  }
  for (int n = layer + 1; n < network->node_count; n++) {
    if (serves(w->plan, layer, n)) { write_pooled_spike(w, n, level); }
  }
}

static void write_neuron_layer(ssti_c_writer *w, int layer) {
  const ssti_c_plan *plan = w->plan;
  const sst_integer_network *network = plan->network;
  const sst_integer_node *node = &network->nodes[layer];
  if (plan->values[node->output].store != SSTI_C_NOWHERE) { write_clear(w, node->output); }
  for (int n = layer + 1; n < network->node_count; n++) {
    if (serves(plan, layer, n)) { write_clear(w, network->nodes[n].output); }
  }
  int level = open_loops(w, layer, &network->values[node->output]);
  write_once(w, node->input[0], level);
  if (!plan->streaming) { ssti_c_line(w, level, "int32_t state = %" PRId32 ";", node->neurons.start); }
  level = open_steps(w, level, plan->steps);
  ssti_c_put(w, "%*sif (fire_%d(&", 2 * level, "", plan->nodes[layer].same);
  if (plan->streaming) {
    ssti_c_put(w, "state_%d[%s], ", layer, w->index);
  } else {
    ssti_c_put(w, "state, ");
  }
  ssti_c_expression(w, node->input[0], true);
  ssti_c_put(w, ")) {\n");
  level++;
  write_spike(w, layer, level);
  close_loops(w, level);
}

// ---- pools of other things than spikes, sums that are kept, the input

// "<value> = " ... for a number at `index`, in two parts around its expression.
static void begin_store(ssti_c_writer *w, int value, int level) {
  const ssti_c_value *home = &w->plan->values[value];
  ssti_c_put(w, "%*s", 2 * level, "");
  if (home->store == SSTI_C_PLANES && home->planes == 1) {
    w->used[SSTI_C_SET_BIT] = true;
    ssti_c_put(w, "if (");
  } else if (home->store == SSTI_C_PLANES) {
    w->used[SSTI_C_SET_BIT] = w->used[SSTI_C_PUT_NUMBER] = true;
    ssti_c_put(w, "put_number(");
    ssti_c_base(w, value);
    ssti_c_put(w, ", %" PRId64 ", %s, ", home->length, w->index);
  } else {
    ssti_c_stored_number(w, value, w->index);
    ssti_c_put(w, " = (%s)(", ssti_c_type(home->store));
  }
}

static void end_store(ssti_c_writer *w, int value) {
  const ssti_c_value *home = &w->plan->values[value];
  if (home->store == SSTI_C_PLANES && home->planes == 1) {
    ssti_c_put(w, ") { set_bit(");
    ssti_c_base(w, value);
    ssti_c_put(w, ", %s); }\n", w->index);
  } else {
    ssti_c_put(w, ");\n");
  }
}

static void write_sum_layer(ssti_c_writer *w, int layer) {
  const sst_integer_network *network = w->plan->network;
  const sst_integer_node *node = &network->nodes[layer];
  const int value = node->output;
  if (w->plan->values[value].store == SSTI_C_PLANES) { write_clear(w, value); }
  int level = open_loops(w, layer, &network->values[value]);
  const bool hoists = node->kind == SST_INTEGER_NODE_ADD && !network->values[value].once;
  for (int i = 0; i < 2 && hoists; i++) { write_once(w, node->input[i], level); }
  level = open_steps(w, level, w->plan->values[value].steps);
  begin_store(w, value, level);
  // As if it were inlined here.
  const ssti_c_value kept = w->plan->values[value];
  w->plan->values[value].store = SSTI_C_NOWHERE;
  ssti_c_expression(w, value, hoists);
  w->plan->values[value] = kept;
  end_store(w, value);
  close_loops(w, level);
}

static void write_pool_layer(ssti_c_writer *w, int layer) {
  const sst_integer_network *network = w->plan->network;
  const sst_integer_node *node = &network->nodes[layer];
  const sst_integer_pool *p = &node->pool;
  const sst_integer_value *in = &network->values[node->input[0]];
  const bool largest = node->kind == SST_INTEGER_NODE_MAX_POOL;
  if (w->plan->values[node->output].store == SSTI_C_PLANES) { write_clear(w, node->output); }
  int level = open_loops(w, layer, &network->values[node->output]);
  level = open_steps(w, level, w->plan->values[node->output].steps);
  ssti_c_line(w, level, largest ? "int32_t number = -INT32_MAX;" : "int32_t number = 0;");
  ssti_c_line(w, level, "for (int32_t i = 0; i < %" PRId64 "; i++) {", p->kernel_h);
  ssti_c_line(w, level + 1, "for (int32_t j = 0; j < %" PRId64 "; j++) {", p->kernel_w);
  ssti_c_line(w, level + 2,
              "const int32_t row = %s * %" PRId64 " - %" PRId64 " + i, column = %s * %" PRId64 " - %" PRId64 " + j;",
              w->y, p->stride_h, p->pad_h, w->x, p->stride_w, p->pad_w);
  ssti_c_line(w, level + 2, "if (row < 0 || row >= %" PRId64 " || column < 0 || column >= %" PRId64 ") { continue; }",
              in->height, in->width);
  ssti_c_put(w, "%*sconst int32_t one = ", 2 * level + 4, "");
  char at[160];
  snprintf(at, sizeof at, "(row * %" PRId64 " + column) * %" PRId64 " + c", in->width, in->channels);
  ssti_c_stored_number(w, node->input[0], at);
  ssti_c_put(w, ";\n");
  ssti_c_line(w, level + 2, largest ? "number = one > number ? one : number;" : "number += one;");
  ssti_c_line(w, level + 1, "}");
  ssti_c_line(w, level, "}");
  begin_store(w, node->output, level);
  ssti_c_put(w, "number");
  end_store(w, node->output);
  close_loops(w, level);
}

static void write_input_layer(ssti_c_writer *w) {
  const ssti_c_value *home = &w->plan->values[0];
  w->index = "i";
  ssti_c_put(w, "\n// The input, bit by bit.\n");
  ssti_c_line(w, 0, "static void take_input(const %s_input *input) {", w->name);
  write_clear(w, 0);
  ssti_c_line(w, 1, "for (int32_t i = 0; i < %" PRId64 "; i++) {", home->count);
  begin_store(w, 0, 2);
  ssti_c_put(w, "input_at(input, i)");
  end_store(w, 0);
  close_loops(w, 2);
}

// ---- the readout

static void write_readout(ssti_c_writer *w, int layer) {
  const ssti_c_plan *plan = w->plan;
  const sst_integer_node *node = &plan->network->nodes[layer];
  const sst_integer_readout *r = &node->readout;
  const bool integrates = r->kind == SST_INTEGER_READOUT_INTEGRATOR;
  // A unit beyond 64 bits is only allowed where the current is always 0.
  const bool silent = integrates && r->shift * (plan->network->timesteps - 1) > 61;
  ssti_c_line(w, 1, "int32_t best = 0;");
  ssti_c_line(w, 1, "%s_logit most = 0;", w->name);
  int level = open_loops(w, layer, &plan->network->values[node->input[0]]);
  write_once(w, node->input[0], level);
  if (plan->streaming) {
    ssti_c_line(w, level, "%s_logit logit = sums[c];", w->name);
    if (integrates) {
      ssti_c_line(w, level, "int64_t state = integrator[c];");
      ssti_c_line(w, level,
                  silent ? "const int64_t unit = 0;" : "const int64_t unit = (int64_t)1 << (%d * steps_made);",
                  r->shift);
    }
  } else {
    ssti_c_line(w, level, "%s_logit logit = 0;", w->name);
    if (integrates) { ssti_c_line(w, level, "int64_t state = 0, unit = %d;", silent ? 0 : 1); }
  }
  const int inside = open_steps(w, level, plan->steps);
  ssti_c_put(w, "%*sconst int32_t current = ", 2 * inside, "");
  ssti_c_expression(w, node->input[0], true);
  ssti_c_put(w, ";\n");
  switch (r->kind) {
  case SST_INTEGER_READOUT_SUM: ssti_c_line(w, inside, "logit += current;"); break;
  case SST_INTEGER_READOUT_LAST: ssti_c_line(w, inside, "logit = current;"); break;
  case SST_INTEGER_READOUT_INTEGRATOR:
    ssti_c_line(w, inside, "state = state * %d + current * unit;", r->decay);
    ssti_c_line(w, inside, "logit = logit * %" PRId64 " + state;", INT64_C(1) << r->shift);
    if (plan->steps > 1) {
      ssti_c_line(w, inside, "if (t < %" PRId64 ") { unit *= %" PRId64 "; }", plan->steps - 1, INT64_C(1) << r->shift);
    }
    break;
  case SST_INTEGER_READOUT_COUNT:
  default: break;
  }
  if (inside > level) { ssti_c_line(w, level, "}"); }
  if (plan->streaming) {
    ssti_c_line(w, level, "sums[c] = logit;");
    if (integrates) { ssti_c_line(w, level, "integrator[c] = state;"); }
  }
  ssti_c_line(w, level, "if (logits) { logits[c] = logit; }");
  ssti_c_line(w, level, "if (c == 0 || logit > most) {");
  ssti_c_line(w, level + 1, "best = c;");
  ssti_c_line(w, level + 1, "most = logit;");
  ssti_c_line(w, level, "}");
  while (level > 1) { ssti_c_line(w, --level, "}"); }
  ssti_c_line(w, 1, "return best;");
  ssti_c_line(w, 0, "}");
}

// ---- all

void ssti_c_write_layers(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  if (w->plan->values[0].store == SSTI_C_PLANES) { write_input_layer(w); }
  for (int n = 0; n < network->node_count; n++) {
    if (!w->plan->nodes[n].layer) { continue; }
    const bool last = network->nodes[n].kind == SST_INTEGER_NODE_READOUT, input = ssti_c_reads_input(w->plan, n);
    write_comment(w, n);
    ssti_c_put(w, last ? "static int32_t layer_%d(" : "static void layer_%d(", n);
    if (input) { ssti_c_put(w, last ? "const %s_input *input, " : "const %s_input *input", w->name); }
    if (last) { ssti_c_put(w, "%s_logit *logits", w->name); }
    ssti_c_put(w, input || last ? ") {\n" : "void) {\n");
    switch (network->nodes[n].kind) {
    case SST_INTEGER_NODE_NEURONS: write_neuron_layer(w, n); break;
    case SST_INTEGER_NODE_SUM_POOL:
    case SST_INTEGER_NODE_MAX_POOL: write_pool_layer(w, n); break;
    case SST_INTEGER_NODE_READOUT: write_readout(w, n); break;
    case SST_INTEGER_NODE_SYNAPSES:
    case SST_INTEGER_NODE_ADD: write_sum_layer(w, n); break;
    case SST_INTEGER_NODE_FLATTEN:
    case SST_INTEGER_NODE_COUNT:
    default: break;
    }
  }
}
