// SPDX-License-Identifier: Apache-2.0
#include "random_integer_network.h"

#include "support.h"

#include "base/sizes.h"
#include "deploy/integer_build.h"
#include "deploy/integer_rules.h"

// Sizes beyond which sums might leave 32 bits further on.
enum { MOST_CURRENT = 1 << 21, MOST_BEFORE_NEURONS = 1 << 16 };

typedef struct maker {
  sst_context *context;
  sst_integer_network *network;
  random_integer_options options;
  ssti_random draw;
  int named; // for names
} maker;

static int64_t below(maker *m, int64_t bound) { return (int64_t)ssti_draw_below(&m->draw, (uint64_t)bound); }
static int64_t between(maker *m, int64_t low, int64_t high) { return low + below(m, high - low + 1); }
static bool chance(maker *m, float share) { return ssti_draw_uniform(&m->draw) < share; }

static const sst_integer_value *value_of(const maker *m, int value) { return &m->network->values[value]; }
static int64_t size_of(const maker *m, int value) {
  const sst_integer_value *v = value_of(m, value);
  return -v->low > v->high ? -v->low : v->high;
}

static sst_integer_node node_of(maker *m, sst_integer_node_kind kind, int input) {
  sst_integer_node node = {.kind = kind, .input = {input, -1}};
  snprintf(node.name, sizeof node.name, "%d.%s", m->named++, sst_integer_node_word(kind));
  return node;
}

static int add(maker *m, const sst_integer_node *node, int64_t channels, int exponent) {
  int value = -1;
  assert_ok(m->context, ssti_integer_add(m->network, node, channels, exponent, &value));
  return value;
}

static void *array(maker *m, int64_t count, size_t size) {
  void *made = NULL;
  assert_ok(m->context, ssti_integer_array(m->network, NULL, (size_t)count, size, &made));
  return made;
}

// Codes, a third of them 0; factors up to 15, or as far as 32 bits hold inputs of `size`, a fourth below 0; offsets of
// about their size.
static void fill_synapses(maker *m, sst_integer_synapses *w, int64_t size, int64_t fan_in, int64_t outputs) {
  const int most = ssti_integer_largest_code(w->weight_bits);
  const int64_t room = INT32_MAX / 2 / (size * fan_in * most + 1), largest = room > 15 ? 15 : room < 1 ? 1 : room;
  int8_t *codes = array(m, outputs * fan_in, sizeof *codes);
  int32_t *factor = array(m, outputs, sizeof *factor), *offset = array(m, outputs, sizeof *offset);
  for (int64_t i = 0; i < outputs * fan_in; i++) { codes[i] = (int8_t)(chance(m, 0.3f) ? 0 : between(m, -most, most)); }
  const bool plain = chance(m, 0.2f);
  for (int64_t o = 0; o < outputs; o++) {
    factor[o] = plain ? 1 : (int32_t)(between(m, 1, largest) * (chance(m, 0.25f) ? -1 : 1));
    offset[o] = plain ? 0 : (int32_t)between(m, -60, 60);
  }
  w->codes = codes;
  w->factor = factor;
  w->offset = offset;
}

static int64_t divisor_of(maker *m, int64_t a, int64_t b) {
  const int64_t wanted = between(m, 1, ssti_smaller(a, b));
  for (int64_t g = wanted; g > 1; g--) {
    if (a % g == 0 && b % g == 0) { return g; }
  }
  return 1;
}

// One axis of a window that fits `size`.
static void window(maker *m, int64_t size, int64_t most_dilation, int64_t *kernel, int64_t *stride, int64_t *pad,
                   int64_t *dilation) {
  *kernel = between(m, 1, 4);
  *pad = below(m, *kernel / 2 + 1);
  *stride = chance(m, 0.6f) ? 1 : between(m, 2, 3);
  *dilation = chance(m, 0.7f) ? 1 : between(m, 1, most_dilation);
  if (*dilation * (*kernel - 1) + 1 > size + 2 * *pad) {
    *kernel = *dilation = 1;
    *pad = 0;
  }
}

typedef enum form { ANY_WINDOW, SAME_SIZE, ONE_POSITION } form;

// A convolution or, with one position, a linear layer.
static int add_synapses(maker *m, int input, int64_t outputs, form shape) {
  sst_integer_node node = node_of(m, SST_INTEGER_NODE_SYNAPSES, input);
  const sst_integer_value in = *value_of(m, input);
  sst_integer_synapses *w = &node.synapses;
  w->weight_bits = m->options.weight_bits > 0 ? m->options.weight_bits : (int)between(m, 2, 8);
  w->groups = chance(m, 0.7f) ? 1 : divisor_of(m, in.channels, outputs);
  if (shape != ANY_WINDOW) {
    w->kernel_h = w->kernel_w = shape == SAME_SIZE ? 3 : 1;
    w->pad_h = w->pad_w = w->kernel_h / 2;
    w->stride_h = w->stride_w = w->dilation_h = w->dilation_w = 1;
  } else {
    window(m, in.height, 2, &w->kernel_h, &w->stride_h, &w->pad_h, &w->dilation_h);
    window(m, in.width, 2, &w->kernel_w, &w->stride_w, &w->pad_w, &w->dilation_w);
  }
  fill_synapses(m, w, size_of(m, input), w->kernel_h * w->kernel_w * (in.channels / w->groups), outputs);
  return add(m, &node, outputs, (int)between(m, 0, 12));
}

static int add_neurons(maker *m, int input) {
  sst_integer_node node = node_of(m, SST_INTEGER_NODE_NEURONS, input);
  sst_integer_neurons *n = &node.neurons;
  const int64_t size = size_of(m, input) + 1;
  n->gain = chance(m, 0.7f) || size * 256 > MOST_CURRENT ? 1 : (int)between(m, 1, 256);
  while (n->input_shift < 6 && ((size * n->gain) << (n->input_shift + 1)) <= MOST_CURRENT && chance(m, 0.4f)) {
    n->input_shift++;
  }
  const int64_t current = (size * n->gain) << n->input_shift;
  n->threshold = (int32_t)between(m, 1, current / 4 + 1);
  n->hard_reset = chance(m, 0.5f);
  n->threshold_step = n->hard_reset ? 0 : n->threshold;
  n->decay = 1;
  n->state_bits = 32;
  // A state without a limit must stay within 32 bits for all steps.
  const int64_t reach = m->network->timesteps * (current + n->threshold);
  if (chance(m, 0.75f) || reach > INT32_MAX / 2) {
    // The state reaches about as far as the threshold, as a trained network's does.
    n->state_bits = (int)between(m, 2, 12);
    n->limit = ssti_integer_largest_code(n->state_bits);
    while (n->state_shift < 20 && ((int64_t)n->limit << n->state_shift) < n->threshold) { n->state_shift++; }
    const int leak = (int)below(m, 9);
    n->decay = chance(m, 0.6f) ? 1 : (int)between(m, 0, 1 << leak);
    n->decay_shift = n->state_shift + (n->decay == 1 ? (int)below(m, 2) : leak);
    // 32 bits must hold the decay times the membrane.
    const int64_t most = ((int64_t)n->limit << n->state_shift) + current + n->threshold + 1;
    while (n->decay > 1 && n->decay * most > INT32_MAX / 2) { n->decay /= 2; }
    n->start = (int32_t)(chance(m, 0.7f) ? 0 : between(m, -n->limit, n->limit));
  } else if (chance(m, 0.3f)) {
    n->start = (int32_t)below(m, n->threshold);
  }
  return add(m, &node, 0, 0);
}

static int add_pool(maker *m, int input) {
  const bool largest = chance(m, 0.4f);
  sst_integer_node node = node_of(m, largest ? SST_INTEGER_NODE_MAX_POOL : SST_INTEGER_NODE_SUM_POOL, input);
  sst_integer_pool *p = &node.pool;
  const sst_integer_value in = *value_of(m, input);
  p->kernel_h = largest ? between(m, 1, ssti_smaller(3, in.height)) : in.height >= 2 ? 1 << below(m, 2) : 1;
  p->kernel_w = largest ? between(m, 1, ssti_smaller(3, in.width)) : in.width >= 2 ? 1 << below(m, 2) : 1;
  p->stride_h = between(m, 1, 3);
  p->stride_w = between(m, 1, 3);
  p->pad_h = below(m, p->kernel_h / 2 + 1);
  p->pad_w = below(m, p->kernel_w / 2 + 1);
  // The usual one has kernels of its own.
  if (in.height >= 2 && in.width >= 2 && chance(m, 0.5f)) {
    *p = (sst_integer_pool){.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  }
  return add(m, &node, 0, 0);
}

static int add_sum(maker *m, int a, int b) {
  sst_integer_node node = node_of(m, SST_INTEGER_NODE_ADD, a);
  node.input[1] = b;
  const int difference = value_of(m, a)->exponent - value_of(m, b)->exponent;
  node.shift[difference < 0 ? 0 : 1] = difference < 0 ? -difference : difference;
  return add(m, &node, 0, 0);
}

// Whether the sum of both at a common scale stays small.
static bool can_add(const maker *m, int a, int b) {
  const int difference = value_of(m, a)->exponent - value_of(m, b)->exponent;
  const int fine = difference < 0 ? a : b;
  return abs(difference) <= 12 && size_of(m, fine) << abs(difference) <= MOST_BEFORE_NEURONS;
}

// Two layers of the same shape beside the identity.
static int add_block(maker *m, int input) {
  const int64_t channels = value_of(m, input)->channels;
  const bool before = chance(m, 0.3f), after = chance(m, 0.3f);
  int y = before || size_of(m, input) > MOST_BEFORE_NEURONS / 16 ? add_neurons(m, input) : input;
  y = add_synapses(m, y, between(m, 1, m->options.most_channels), SAME_SIZE);
  y = add_synapses(m, add_neurons(m, y), channels, SAME_SIZE);
  if (after) { y = add_neurons(m, y); }
  if (can_add(m, y, input)) { y = add_sum(m, y, input); }
  return after || chance(m, 0.3f) ? y : add_neurons(m, y);
}

static int add_flatten(maker *m, int input) {
  const sst_integer_node node = node_of(m, SST_INTEGER_NODE_FLATTEN, input);
  return add(m, &node, 0, 0);
}

static int add_layer(maker *m, int x) {
  if (size_of(m, x) > MOST_BEFORE_NEURONS) { return add_neurons(m, x); }
  const float kind = ssti_draw_uniform(&m->draw);
  if (kind < m->options.pools) { return add_pool(m, x); }
  if (kind < 0.35f) { return add_block(m, x); }
  if (kind < 0.4f) { return add_flatten(m, x); }
  x = add_synapses(m, x, between(m, 1, m->options.most_channels), ANY_WINDOW);
  return chance(m, 0.85f) || size_of(m, x) > MOST_BEFORE_NEURONS ? add_neurons(m, x) : x;
}

static void add_readout(maker *m, int x) {
  if (size_of(m, x) > MOST_BEFORE_NEURONS) { x = add_neurons(m, x); }
  x = add_synapses(m, add_flatten(m, x), m->network->classes, ONE_POSITION);
  if (chance(m, 0.3f)) { x = add_neurons(m, x); }
  sst_integer_node node = node_of(m, SST_INTEGER_NODE_READOUT, x);
  sst_integer_readout *r = &node.readout;
  r->kind = (sst_integer_readout_kind)below(m, SST_INTEGER_READOUT_COUNT);
  r->scale = ldexp(1.0, -value_of(m, x)->exponent) / (double)m->network->timesteps;
  if (r->kind == SST_INTEGER_READOUT_INTEGRATOR) {
    r->shift = (int)below(m, 5);
    r->decay = (int)between(m, 0, 1 << r->shift);
  }
  assert_ok(m->context, ssti_integer_add(m->network, &node, 0, 0, NULL));
}

static void add_pixel_codes(maker *m) {
  const sst_integer_value *input = value_of(m, 0);
  int16_t *codes = array(m, input->channels * 256, sizeof *codes);
  for (int64_t i = 0; i < input->channels * 256; i++) {
    codes[i] = (int16_t)(input->low + (input->high - input->low) * (i % 256) / 255);
  }
  m->network->pixel_codes = codes;
}

sst_integer_network *random_integer_network(sst_context *context, uint64_t seed,
                                            const random_integer_options *options) {
  const random_integer_options given = options != NULL ? *options : (random_integer_options){0};
  maker m = {.context = context, .draw = ssti_random_begin(seed, ssti_random_stream("integer network"))};
  m.options = (random_integer_options){.weight_bits = given.weight_bits,
                                       .most_size = given.most_size > 0 ? given.most_size : 9,
                                       .most_channels = given.most_channels > 0 ? given.most_channels : 9,
                                       .most_layers = given.most_layers > 0 ? given.most_layers : 6,
                                       .most_steps = given.most_steps > 0 ? given.most_steps : 5,
                                       .pools = given.pools > 0.0f ? given.pools : 0.15f};
  ssti_integer_header header = {.timesteps = between(&m, 1, m.options.most_steps), .classes = between(&m, 2, 6)};
  header.input_each_step = chance(&m, 0.3f);
  const bool spikes = chance(&m, 0.3f), negative = chance(&m, 0.5f);
  header.input = (sst_integer_value){.height = between(&m, 1, m.options.most_size),
                                     .width = between(&m, 1, m.options.most_size),
                                     .channels = between(&m, 1, ssti_smaller(4, m.options.most_channels)),
                                     .exponent = spikes ? 0 : (int)between(&m, 0, 8),
                                     .low = spikes || !negative ? 0 : -between(&m, 0, 127),
                                     .high = spikes ? 1 : between(&m, 1, 255)};
  assert_ok(context, ssti_integer_begin(context, &header, &m.network));
  if (!spikes && chance(&m, 0.6f)) { add_pixel_codes(&m); }
  int x = 0;
  const int64_t layers = between(&m, 1, m.options.most_layers);
  for (int64_t i = 0; i < layers; i++) { x = add_layer(&m, x); }
  add_readout(&m, x);
  assert_ok(context, sst_integer_network_check(m.network));
  return m.network;
}

int64_t random_integer_input_count(const sst_integer_network *network, int64_t pictures) {
  const sst_integer_value *input = &network->values[0];
  const int64_t steps = network->input_each_step ? network->timesteps : 1;
  return pictures * steps * input->height * input->width * input->channels;
}

void random_integer_input(const sst_integer_network *network, int64_t pictures, uint64_t seed, int16_t *input) {
  const sst_integer_value *value = &network->values[0];
  const int64_t count = random_integer_input_count(network, pictures);
  ssti_random draw = ssti_random_begin(seed, ssti_random_stream("integer input"));
  for (int64_t i = 0; i < count; i++) {
    input[i] = network->pixel_codes != NULL
                   ? network->pixel_codes[i % value->channels * 256 + (int64_t)ssti_draw_below(&draw, 256)]
                   : (int16_t)(value->low + (int64_t)ssti_draw_below(&draw, (uint64_t)(value->high - value->low + 1)));
  }
}
