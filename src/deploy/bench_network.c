// SPDX-License-Identifier: Apache-2.0
#include "deploy/bench_network.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "deploy/integer_build.h"
#include "spikestill/engine.h"

enum { STEPS = 4, CLASSES = 10, NORM_EXPONENT = 12, STATE_LIMIT = 127, SEARCH_STEPS = 12, ZEROS = 424 };
static const double least_rate = 0.10, most_rate = 0.15; // of what trained networks show: 3 to 20 %

typedef struct maker {
  sst_context *context;
  sst_integer_network *network;
  ssti_random draw;
  int value;    // the last one made
  double power; // mean square of what it holds, about
  bool max_pool;
} maker;

static sst_integer_node node_of(const maker *m, sst_integer_node_kind kind) {
  sst_integer_node node = {.kind = kind, .input = {m->value, -1}};
  (void)snprintf(node.name, sizeof node.name, "%d.%s", m->network->node_count, sst_integer_node_word(kind));
  return node;
}

static sst_status array(maker *m, int64_t count, size_t size, void *out) {
  return ssti_integer_array(m->network, NULL, (size_t)count, size, out);
}

// A convolution (3x3, padded) or a linear layer, its norm, and neurons behind it. Norms bring currents to about the
// threshold, 2^12.
static sst_status add_layer(maker *m, int64_t outputs, int64_t kernel, bool neurons) {
  sst_integer_node node = node_of(m, SST_INTEGER_NODE_SYNAPSES);
  sst_integer_synapses *w = &node.synapses;
  const int64_t inputs = kernel * kernel * m->network->values[m->value].channels;
  int8_t *codes = NULL;
  int32_t *factor = NULL, *offset = NULL;
  SST_TRY(array(m, outputs * inputs, sizeof *codes, &codes));
  SST_TRY(array(m, outputs, sizeof *factor, &factor));
  SST_TRY(array(m, outputs, sizeof *offset, &offset));
  for (int64_t i = 0; i < outputs * inputs; i++) {
    const uint64_t drawn = ssti_draw_below(&m->draw, 1000);
    codes[i] = drawn < ZEROS ? 0 : drawn % 2 ? 1 : -1;
  }
  const double deviation = sqrt((double)inputs * (1 - ZEROS / 1000.0) * m->power);
  const double scale = (1 << NORM_EXPONENT) * 0.6 / deviation;
  for (int64_t o = 0; o < outputs; o++) {
    // Codes of 8 bits times a power of two: rounded down to seven bits behind the first.
    const double exact = scale * (0.75 + 0.5 * (double)ssti_draw_uniform(&m->draw));
    const int shift = exact >= 128 ? ilogb(exact) - 6 : 0;
    factor[o] = (int32_t)(exact / (1 << shift) + 0.5) * (1 << shift);
    factor[o] = factor[o] < 1 ? 1 : factor[o];
    offset[o] = (int32_t)((ssti_draw_uniform(&m->draw) - 0.5f) * (0.5f * (1 << NORM_EXPONENT)));
  }
  *w = (sst_integer_synapses){.kernel_h = kernel,
                              .kernel_w = kernel,
                              .stride_h = 1,
                              .stride_w = 1,
                              .pad_h = kernel / 2,
                              .pad_w = kernel / 2,
                              .dilation_h = 1,
                              .dilation_w = 1,
                              .groups = 1,
                              .weight_bits = 2,
                              .codes = codes,
                              .factor = factor,
                              .offset = offset};
  SST_TRY(ssti_integer_add(m->network, &node, outputs, NORM_EXPONENT, &m->value));
  if (!neurons) { return SST_OK; }
  node = node_of(m, SST_INTEGER_NODE_NEURONS);
  // The state's step is the threshold over 128; it is stored with half of it leaked.
  const int state_shift = NORM_EXPONENT - 7;
  node.neurons = (sst_integer_neurons){.threshold = 1 << NORM_EXPONENT,
                                       .hard_reset = true,
                                       .gain = 1,
                                       .state_shift = state_shift,
                                       .decay = 1,
                                       .decay_shift = 1 + state_shift,
                                       .limit = STATE_LIMIT,
                                       .state_bits = 8};
  m->power = (least_rate + most_rate) / 2;
  return ssti_integer_add(m->network, &node, 0, 0, &m->value);
}

static sst_status add_pool(maker *m) {
  sst_integer_node node = node_of(m, m->max_pool ? SST_INTEGER_NODE_MAX_POOL : SST_INTEGER_NODE_SUM_POOL);
  node.pool = (sst_integer_pool){.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  const double rate = m->power;
  m->power = m->max_pool ? 1 - pow(1 - rate, 4) : 4 * rate + 12 * rate * rate;
  return ssti_integer_add(m->network, &node, 0, 0, &m->value);
}

static sst_status add_rest(maker *m, int64_t features) {
  const sst_integer_node flatten = node_of(m, SST_INTEGER_NODE_FLATTEN);
  SST_TRY(ssti_integer_add(m->network, &flatten, 0, 0, &m->value));
  SST_TRY(add_layer(m, features, 1, true));
  SST_TRY(add_layer(m, CLASSES, 1, false));
  sst_integer_node readout = node_of(m, SST_INTEGER_NODE_READOUT);
  readout.readout = (sst_integer_readout){.kind = SST_INTEGER_READOUT_SUM, .scale = 1.0 / (1 << NORM_EXPONENT)};
  return ssti_integer_add(m->network, &readout, 0, 0, NULL);
}

static sst_status add_all(maker *m, sst_deploy_model model) {
  static const int cnn[] = {32, 0, 64, 0, -1}, vgg9[] = {64, 64, 0, 128, 128, 0, 256, 256, 0, -1};
  const int *plan = model == SST_DEPLOY_CNN ? cnn : vgg9;
  for (; *plan >= 0; plan++) { SST_TRY(*plan > 0 ? add_layer(m, *plan, 3, true) : add_pool(m)); }
  SST_TRY(add_rest(m, model == SST_DEPLOY_CNN ? 256 : 1024));
  return sst_integer_network_check(m->network);
}

sst_status ssti_bench_network(sst_context *context, sst_deploy_model model, bool max_pool, sst_integer_network **out) {
  *out = NULL;
  const bool cnn = model == SST_DEPLOY_CNN;
  const ssti_integer_header header = {.timesteps = STEPS,
                                      .classes = CLASSES,
                                      .input = {.height = cnn ? 28 : 32,
                                                .width = cnn ? 28 : 32,
                                                .channels = cnn ? 1 : 3,
                                                .exponent = 6,
                                                .low = -128,
                                                .high = 127}};
  maker m = {
      .context = context, .draw = ssti_random_begin(1, ssti_random_stream("deploy bench")), .max_pool = max_pool};
  m.power = 128.0 * 128.0 / 3; // of pixels that are noise
  SST_TRY(ssti_integer_begin(context, &header, &m.network));
  const sst_status status = add_all(&m, model);
  if (status != SST_OK) {
    sst_integer_network_free(m.network);
    return status;
  }
  *out = m.network;
  return SST_OK;
}

// Share of the neurons of a node that fires in a step.
static sst_status measure_rate(sst_context *context, const sst_integer_network *network, int node, int64_t pictures,
                               const int16_t *input, int64_t *logits, double *rate) {
  sst_engine_options options = sst_engine_default();
  options.batch = pictures;
  sst_engine *engine = NULL;
  SST_TRY(sst_engine_open(context, network, &options, &engine));
  const sst_status status = sst_engine_run(engine, pictures, input, logits);
  const sst_integer_value *v = &network->values[network->nodes[node].output];
  *rate = (double)sst_engine_spikes(engine, node) /
          (double)(pictures * network->timesteps * v->height * v->width * v->channels);
  sst_engine_close(engine);
  return status;
}

static sst_status settle_node(sst_context *context, sst_integer_network *network, int node, int64_t pictures,
                              const int16_t *input, int64_t *logits) {
  int32_t *threshold = &network->nodes[node].neurons.threshold;
  double low = *threshold / 16.0, high = *threshold * 4.0;
  for (int i = 0; i < SEARCH_STEPS; i++) {
    double rate;
    SST_TRY(measure_rate(context, network, node, pictures, input, logits, &rate));
    if (rate >= least_rate && rate <= most_rate) { return SST_OK; }
    if (rate > most_rate) {
      low = *threshold;
    } else {
      high = *threshold;
    }
    *threshold = (int32_t)sqrt(low * high);
  }
  return SST_OK; // what it came to is in the result
}

sst_status ssti_bench_settle(sst_context *context, sst_integer_network *network, int64_t pictures,
                             const int16_t *input) {
  int64_t *logits = NULL;
  SST_TRY(ssti_allocate(context, (size_t)(pictures * network->classes), sizeof *logits, &logits));
  sst_status status = SST_OK;
  for (int i = 0; status == SST_OK && i < network->node_count; i++) {
    if (network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    status = settle_node(context, network, i, pictures, input, logits);
  }
  ssti_free(context, logits);
  return status;
}
