// SPDX-License-Identifier: Apache-2.0
// Integer networks by their definition, one picture, one step and one node after the other, in plain loops.
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "deploy/integer_rules.h"

typedef struct simulation {
  const sst_integer_network *network;
  int32_t **values;   // [value_count]: of the picture and step at hand
  int32_t **states;   // [node_count]: v of neurons, else NULL
  int32_t *membranes; // h of the neurons at hand
  int64_t *sums;      // [classes] the logits, and behind them [classes] the integrator's m
  sst_integer_observer *observer;
  void *user;
} simulation;

static int64_t count_of(const sst_integer_value *value) { return value->height * value->width * value->channels; }

// z of one output: the window at (row, column) of the group's inputs, times the codes of output channel o.
static int64_t window_sum(const sst_integer_synapses *w, const sst_integer_value *in, const int32_t *x, int64_t row,
                          int64_t column, int64_t o, int64_t outputs) {
  const int64_t width = in->channels / w->groups, group = o / (outputs / w->groups);
  const int8_t *codes = w->codes + o * w->kernel_h * w->kernel_w * width;
  int64_t z = 0;
  for (int64_t kh = 0; kh < w->kernel_h; kh++) {
    const int64_t h = row * w->stride_h - w->pad_h + kh * w->dilation_h;
    for (int64_t kw = 0; h >= 0 && h < in->height && kw < w->kernel_w; kw++) {
      const int64_t c = column * w->stride_w - w->pad_w + kw * w->dilation_w;
      if (c < 0 || c >= in->width) { continue; }
      const int32_t *pixel = x + (h * in->width + c) * in->channels + group * width;
      const int8_t *code = codes + (kh * w->kernel_w + kw) * width;
      for (int64_t i = 0; i < width; i++) { z += (int64_t)code[i] * pixel[i]; }
    }
  }
  return z;
}

static void run_synapses(const sst_integer_node *node, const sst_integer_value *in, const sst_integer_value *out,
                         const int32_t *x, int32_t *y) {
  const sst_integer_synapses *w = &node->synapses;
  for (int64_t row = 0; row < out->height; row++) {
    for (int64_t column = 0; column < out->width; column++) {
      for (int64_t o = 0; o < out->channels; o++) {
        const int64_t z = window_sum(w, in, x, row, column, o, out->channels);
        *y++ = (int32_t)(w->factor[o] * z + w->offset[o]);
      }
    }
  }
}

static void run_neurons(const sst_integer_node *node, int64_t count, const int32_t *x, int32_t *state,
                        int32_t *membrane, int32_t *y) {
  const sst_integer_neurons *n = &node->neurons;
  const int64_t half = n->decay_shift > 0 ? INT64_C(1) << (n->decay_shift - 1) : 0;
  for (int64_t i = 0; i < count; i++) {
    // Products instead of shifts: a negative number cannot be shifted to the left.
    const int64_t h =
        state[i] * (INT64_C(1) << n->state_shift) + (int64_t)n->gain * x[i] * (INT64_C(1) << n->input_shift);
    const bool fires = h >= n->threshold;
    const int64_t u = !fires ? h : n->hard_reset ? 0 : h - n->threshold_step;
    int64_t v = (n->decay * u + half) >> n->decay_shift;
    if (n->limit > 0) { v = v < -n->limit ? -n->limit : v > n->limit ? n->limit : v; }
    state[i] = (int32_t)v;
    membrane[i] = (int32_t)h;
    y[i] = fires;
  }
}

// The sum or the largest of a window.
static int32_t pool_window(const sst_integer_pool *p, bool largest, const sst_integer_value *in, const int32_t *x,
                           int64_t row, int64_t column) {
  int64_t sum = 0;
  int32_t most = INT32_MIN;
  for (int64_t kh = 0; kh < p->kernel_h; kh++) {
    for (int64_t kw = 0; kw < p->kernel_w; kw++) {
      const int64_t h = row * p->stride_h - p->pad_h + kh, w = column * p->stride_w - p->pad_w + kw;
      if (h < 0 || h >= in->height || w < 0 || w >= in->width) { continue; }
      const int32_t value = x[(h * in->width + w) * in->channels];
      sum += value;
      most = value > most ? value : most;
    }
  }
  return largest ? most : (int32_t)sum;
}

static void run_pool(const sst_integer_node *node, const sst_integer_value *in, const sst_integer_value *out,
                     const int32_t *x, int32_t *y) {
  const bool largest = node->kind == SST_INTEGER_NODE_MAX_POOL;
  for (int64_t row = 0; row < out->height; row++) {
    for (int64_t column = 0; column < out->width; column++) {
      for (int64_t c = 0; c < out->channels; c++) { *y++ = pool_window(&node->pool, largest, in, x + c, row, column); }
    }
  }
}

static void run_add(const sst_integer_node *node, int64_t count, const int32_t *a, const int32_t *b, int32_t *y) {
  const int64_t first = INT64_C(1) << node->shift[0], second = INT64_C(1) << node->shift[1];
  for (int64_t i = 0; i < count; i++) { y[i] = (int32_t)(a[i] * first + b[i] * second); }
}

static void run_readout(const simulation *s, const sst_integer_readout *r, int64_t step, const int32_t *x) {
  const int64_t classes = s->network->classes;
  int64_t *sums = s->sums, *m = s->sums + classes;
  for (int64_t c = 0; c < classes; c++) {
    switch (r->kind) {
    case SST_INTEGER_READOUT_SUM: sums[c] += x[c]; break;
    case SST_INTEGER_READOUT_LAST: sums[c] = x[c]; break;
    case SST_INTEGER_READOUT_INTEGRATOR: {
      // A class whose input is always 0 may have a shift that no unit would fit.
      const int64_t current = x[c] == 0 ? 0 : x[c] * (INT64_C(1) << (r->shift * step));
      m[c] = r->decay * m[c] + current;
      sums[c] = sums[c] * (INT64_C(1) << r->shift) + m[c];
      break;
    }
    case SST_INTEGER_READOUT_COUNT: break;
    }
  }
}

static void run_node(const simulation *s, int index, int64_t step) {
  const sst_integer_network *network = s->network;
  const sst_integer_node *node = &network->nodes[index];
  const sst_integer_value *in = &network->values[node->input[0]];
  const int32_t *x = s->values[node->input[0]];
  if (node->kind == SST_INTEGER_NODE_READOUT) { // has no value of its own
    run_readout(s, &node->readout, step, x);
    return;
  }
  const sst_integer_value *out = &network->values[node->output];
  int32_t *y = s->values[node->output];
  switch (node->kind) {
  case SST_INTEGER_NODE_SYNAPSES: run_synapses(node, in, out, x, y); break;
  case SST_INTEGER_NODE_NEURONS: run_neurons(node, count_of(out), x, s->states[index], s->membranes, y); break;
  case SST_INTEGER_NODE_SUM_POOL:
  case SST_INTEGER_NODE_MAX_POOL: run_pool(node, in, out, x, y); break;
  case SST_INTEGER_NODE_ADD: run_add(node, count_of(out), x, s->values[node->input[1]], y); break;
  case SST_INTEGER_NODE_FLATTEN: memcpy(y, x, (size_t)count_of(out) * sizeof *y); break;
  case SST_INTEGER_NODE_READOUT:
  case SST_INTEGER_NODE_COUNT: break;
  }
}

// The step's input into value 0.
static sst_status take_input(const simulation *s, int64_t picture, int64_t step, const int16_t *input) {
  const sst_integer_value *value = &s->network->values[0];
  const int64_t count = count_of(value);
  for (int64_t i = 0; i < count; i++) {
    if (input[i] < value->low || input[i] > value->high) {
      SST_FAIL(s->network->context, SST_INVALID_ARGUMENT,
               "picture %" PRId64 ", step %" PRId64 ": the input at row %" PRId64 ", column %" PRId64
               ", channel %" PRId64 " is %d, expected %" PRId64 " to %" PRId64,
               picture, step, i / value->channels / value->width, i / value->channels % value->width,
               i % value->channels, input[i], value->low, value->high);
    }
    s->values[0][i] = input[i];
  }
  return SST_OK;
}

static void run_step(const simulation *s, int64_t picture, int64_t step) {
  const sst_integer_network *network = s->network;
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    const bool last = node->output < 0;
    if (!last && network->values[node->output].once && step > 0) { continue; }
    run_node(s, i, step);
    if (s->observer != NULL && !last) {
      s->observer(s->user, picture, step, i, s->values[node->output],
                  node->kind == SST_INTEGER_NODE_NEURONS ? s->membranes : NULL);
    }
  }
}

static void begin_picture(const simulation *s) {
  const sst_integer_network *network = s->network;
  memset(s->sums, 0, (size_t)(2 * network->classes) * sizeof *s->sums);
  for (int i = 0; i < network->node_count; i++) {
    if (s->states[i] == NULL) { continue; }
    const int64_t count = count_of(&network->values[network->nodes[i].output]);
    for (int64_t k = 0; k < count; k++) { s->states[i][k] = network->nodes[i].neurons.start; }
  }
}

static sst_status allocate(simulation *s) {
  const sst_integer_network *network = s->network;
  sst_context *context = network->context;
  int64_t most = 1;
  SST_TRY(ssti_allocate(context, (size_t)network->value_count, sizeof *s->values, &s->values));
  SST_TRY(ssti_allocate(context, (size_t)network->node_count, sizeof *s->states, &s->states));
  SST_TRY(ssti_allocate(context, (size_t)(2 * network->classes), sizeof *s->sums, &s->sums));
  for (int i = 0; i < network->value_count; i++) {
    SST_TRY(ssti_allocate(context, (size_t)count_of(&network->values[i]), sizeof **s->values, &s->values[i]));
  }
  for (int i = 0; i < network->node_count; i++) {
    if (network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const int64_t count = count_of(&network->values[network->nodes[i].output]);
    SST_TRY(ssti_allocate(context, (size_t)count, sizeof **s->states, &s->states[i]));
    most = count > most ? count : most;
  }
  return ssti_allocate(context, (size_t)most, sizeof *s->membranes, &s->membranes);
}

static void release(simulation *s) {
  sst_context *context = s->network->context;
  for (int i = 0; s->values != NULL && i < s->network->value_count; i++) { ssti_free(context, s->values[i]); }
  for (int i = 0; s->states != NULL && i < s->network->node_count; i++) { ssti_free(context, s->states[i]); }
  ssti_free(context, s->values);
  ssti_free(context, s->states);
  ssti_free(context, s->membranes);
  ssti_free(context, s->sums);
}

static sst_status simulate(simulation *s, int64_t pictures, const int16_t *input, int64_t *logits) {
  const sst_integer_network *network = s->network;
  const int64_t count = count_of(&network->values[0]);
  for (int64_t p = 0; p < pictures; p++) {
    begin_picture(s);
    for (int64_t t = 0; t < network->timesteps; t++) {
      if (network->input_each_step || t == 0) {
        SST_TRY(take_input(s, p, t, input));
        input += count;
      }
      run_step(s, p, t);
    }
    memcpy(logits + p * network->classes, s->sums, (size_t)network->classes * sizeof *logits);
  }
  return SST_OK;
}

sst_status sst_integer_simulate(const sst_integer_network *network, int64_t pictures, const int16_t *input,
                                int64_t *logits, sst_integer_observer *observer, void *state) {
  simulation s = {.network = network, .observer = observer, .user = state};
  sst_status status = allocate(&s);
  if (status == SST_OK) { status = simulate(&s, pictures, input, logits); }
  release(&s);
  return status;
}
