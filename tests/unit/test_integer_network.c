// SPDX-License-Identifier: Apache-2.0
// Integer networks: the plain simulation against hand arithmetic, the check against everything that is not sound, and
// random ones, whose every integer must lie within the bounds that the rules compute.
#include "support.h"

#include "deploy/integer_build.h"
#include "deploy/integer_rules.h"
#include "random_integer_network.h"

static void test_words(void **state) {
  (void)state;
  sst_integer_node_kind kind = SST_INTEGER_NODE_COUNT;
  sst_integer_readout_kind readout = SST_INTEGER_READOUT_COUNT;
  assert_true(sst_integer_node_parse("max_pool", &kind) && kind == SST_INTEGER_NODE_MAX_POOL);
  assert_true(sst_integer_readout_parse("last", &readout) && readout == SST_INTEGER_READOUT_LAST);
  assert_false(sst_integer_node_parse("maxpool", &kind) || sst_integer_readout_parse("mean", &readout));
  assert_string_equal(sst_integer_node_word(SST_INTEGER_NODE_SUM_POOL), "sum_pool");
  assert_string_equal(sst_integer_readout_word(SST_INTEGER_READOUT_INTEGRATOR), "integrator");
  assert_string_equal(sst_integer_node_word(SST_INTEGER_NODE_COUNT), "unknown");
}

static const int8_t codes[] = {1, -1, 0, 1, 1, -1};
static const int32_t factor[] = {2, -3}, offset[] = {1, 0};

static sst_integer_node node_of(sst_integer_node_kind kind, const char *name, int input) {
  sst_integer_node node = {.kind = kind, .input = {input, -1}};
  snprintf(node.name, sizeof node.name, "%s", name);
  return node;
}

static sst_integer_node linear_node(int input) {
  sst_integer_node node = node_of(SST_INTEGER_NODE_SYNAPSES, "linear", input);
  node.synapses = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 2, codes, factor, offset};
  return node;
}

static sst_integer_node neurons_node(int input) {
  sst_integer_node node = node_of(SST_INTEGER_NODE_NEURONS, "act", input);
  node.neurons = (sst_integer_neurons){.threshold = 9,
                                       .hard_reset = true,
                                       .gain = 1,
                                       .state_shift = 1,
                                       .decay = 1,
                                       .decay_shift = 2,
                                       .limit = 3,
                                       .state_bits = 3};
  return node;
}

static sst_integer_node readout_node(int input, sst_integer_readout_kind kind, int decay, int shift) {
  sst_integer_node node = node_of(SST_INTEGER_NODE_READOUT, "readout", input);
  node.readout = (sst_integer_readout){kind, decay, shift, 0.5};
  return node;
}

static sst_integer_network *begin(sst_context *context, int64_t steps, bool each_step, int64_t h, int64_t w, int64_t c,
                                  int64_t low, int64_t high) {
  const ssti_integer_header header = {
      steps, 2, each_step, {.height = h, .width = w, .channels = c, .low = low, .high = high}};
  sst_integer_network *network = NULL;
  assert_ok(context, ssti_integer_begin(context, &header, &network));
  return network;
}

static int add(sst_integer_network *network, sst_integer_node node, int64_t channels) {
  int value = -1;
  assert_ok(network->context, ssti_integer_add(network, &node, channels, 0, &value));
  return value;
}

// linear - neurons - readout, whose numbers are easily computed by hand.
static sst_integer_network *small_network(sst_context *context, sst_integer_readout_kind kind, int decay, int shift) {
  sst_integer_network *network = begin(context, 3, false, 1, 1, 3, -10, 10);
  int x = add(network, linear_node(0), 2);
  x = add(network, neurons_node(x), 0);
  (void)add(network, readout_node(x, kind, decay, shift), 0);
  assert_ok(context, sst_integer_network_check(network));
  return network;
}

typedef struct seen {
  int32_t membrane[3][2], spikes[3][2];
  int currents; // times that the layer before the neurons was computed
} seen;

static void look(void *state, int64_t picture, int64_t step, int node, const int32_t *output, const int32_t *membrane) {
  seen *s = state;
  assert_int_equal(picture, 0);
  s->currents += node == 0;
  assert_true((membrane != NULL) == (node == 1));
  for (int i = 0; node == 1 && i < 2; i++) {
    s->membrane[step][i] = membrane[i];
    s->spikes[step][i] = output[i];
  }
}

// x = (5, 2, 1): z = (3, 6) and y = 2*3+1, -3*6. First neuron: h 7, v (7+2)>>2 = 2; h 2*2+7 = 11 fires; h 7.
// Second: h -18, v (-18+2)>>2 = -4, clipped to -3; h -24, v -3 again.
static void test_by_hand(void **state) {
  sst_integer_network *network = small_network(*state, SST_INTEGER_READOUT_SUM, 0, 0);
  int64_t logits[2] = {-1, -1};
  seen s = {0};
  assert_ok(*state, sst_integer_simulate(network, 1, (const int16_t[]){5, 2, 1}, logits, look, &s));
  const int32_t membrane[3][2] = {{7, -18}, {11, -24}, {7, -24}}, spikes[3][2] = {{0, 0}, {1, 0}, {0, 0}};
  assert_memory_equal(s.membrane, membrane, sizeof membrane);
  assert_memory_equal(s.spikes, spikes, sizeof spikes);
  assert_int_equal(s.currents, 1); // once for a picture
  assert_true(logits[0] == 1 && logits[1] == 0);
  assert_fails(*state, SST_INVALID_ARGUMENT,
               sst_integer_simulate(network, 2, (const int16_t[]){5, 2, 1, 0, 11, 0}, (int64_t[4]){0}, NULL, NULL),
               "picture 1, step 0: the input at row 0, column 0, channel 1 is 11");
  sst_integer_network_free(network);
}

// A soft reset keeps what is above: the second step's 11 - 9 = 2 is stored as (2+2)>>2 = 1, so h is 9 and fires again.
static void test_soft_reset(void **state) {
  sst_integer_network *network = small_network(*state, SST_INTEGER_READOUT_SUM, 0, 0);
  network->nodes[1].neurons.hard_reset = false;
  network->nodes[1].neurons.threshold_step = 9;
  assert_ok(*state, sst_integer_network_check(network));
  int64_t logits[2] = {0};
  assert_ok(*state, sst_integer_simulate(network, 1, (const int16_t[]){5, 2, 1}, logits, NULL, NULL));
  assert_true(logits[0] == 2 && logits[1] == 0);
  sst_integer_network_free(network);
}

// Spikes of the first neuron are 0, 1, 0. With a decay of 1/2 (1, shift 1) m is 0, 1, 1/2 and the sum 3/2, in quarters.
static void test_readouts(void **state) {
  const struct {
    sst_integer_readout_kind kind;
    int decay, shift;
    int64_t expected;
  } cases[] = {{SST_INTEGER_READOUT_LAST, 0, 0, 0},
               {SST_INTEGER_READOUT_INTEGRATOR, 1, 1, 6},
               {SST_INTEGER_READOUT_INTEGRATOR, 1, 0, 2},
               {SST_INTEGER_READOUT_INTEGRATOR, 0, 0, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sst_integer_network *network = small_network(*state, cases[i].kind, cases[i].decay, cases[i].shift);
    int64_t logits[2] = {0};
    assert_ok(*state, sst_integer_simulate(network, 1, (const int16_t[]){5, 2, 1}, logits, NULL, NULL));
    assert_int_equal(logits[0], cases[i].expected);
    sst_integer_network_free(network);
  }
}

// 3x3 pictures through pools with padding, an addition at a common scale and a strided convolution of two groups.
static void test_pictures(void **state) {
  sst_integer_network *network = begin(*state, 1, false, 3, 3, 2, -9, 9);
  sst_integer_node sum = node_of(SST_INTEGER_NODE_SUM_POOL, "sum", 0),
                   most = node_of(SST_INTEGER_NODE_MAX_POOL, "max", 0);
  sum.pool = most.pool = (sst_integer_pool){2, 2, 2, 2, 1, 1};
  const int a = add(network, sum, 0), b = add(network, most, 0);
  sst_integer_node both = node_of(SST_INTEGER_NODE_ADD, "both", a);
  both.input[1] = b;
  both.shift[1] = 2; // sums of four have the exponent 2
  const int x = add(network, both, 0);
  static const int8_t taps[] = {1, 0, -1, 1, 0, 1, 1, 1}; // [2][2][2][1]
  sst_integer_node conv = node_of(SST_INTEGER_NODE_SYNAPSES, "conv", x);
  conv.synapses = (sst_integer_synapses){2, 2, 1, 1, 0, 0, 1, 1, 2, 2, taps, factor, offset};
  int y = add(network, conv, 2);
  y = add(network, node_of(SST_INTEGER_NODE_FLATTEN, "flat", y), 0);
  (void)add(network, readout_node(y, SST_INTEGER_READOUT_SUM, 0, 0), 0);
  assert_ok(*state, sst_integer_network_check(network));
  const int16_t input[18] = {1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8, 9, -9};
  int64_t logits[2] = {0};
  assert_ok(*state, sst_integer_simulate(network, 1, input, logits, NULL, NULL));
  // First channel: sums 1 5 / 11 28, largest 1 3 / 7 9: both 5 17 / 39 64. Second: largest -1 -2 / -4 -5.
  // conv: 5 - 39 + 64 = 30 -> 61; both -5 -13 / -27 -48: -13 - 27 - 48 = -88 -> 264.
  assert_true(logits[0] == 61 && logits[1] == 264);
  sst_integer_network_free(network);
}

static void refuse(sst_integer_network *network, sst_status status, const char *part) {
  assert_fails(network->context, status, sst_integer_network_check(network), part);
}

// One field after the other is made wrong, and right again.
#define REFUSED(field, wrong, status, part)                                                                            \
  do {                                                                                                                 \
    __typeof__(field) right = field;                                                                                   \
    field = (wrong);                                                                                                   \
    refuse(network, status, part);                                                                                     \
    field = right;                                                                                                     \
    assert_ok(network->context, sst_integer_network_check(network));                                                   \
  } while (0)

static void test_what_is_not_sound(void **state) {
  sst_integer_network *network = small_network(*state, SST_INTEGER_READOUT_SUM, 0, 0);
  sst_integer_value *values = network->values;
  sst_integer_node *nodes = network->nodes;
  sst_integer_synapses *w = &nodes[0].synapses;
  sst_integer_neurons *n = &nodes[1].neurons;
  const sst_status bad = SST_INVALID_ARGUMENT;
  REFUSED(network->timesteps, 0, bad, "number of time steps is 0");
  REFUSED(network->classes, 3, SST_SHAPE, "reads 1x1x2, expected 1x1x3");
  REFUSED(network->value_count, 4, bad, "number of values is 4");
  REFUSED(network->node_count, 0, bad, "number of nodes");
  REFUSED(values[0].once, false, bad, "not the same in every step");
  REFUSED(values[0].high, 40000, bad, "upper bound is 40000");
  REFUSED(values[0].channels, 0, bad, "number of channels is 0");
  REFUSED(values[1].channels, 1 << 21, bad, "linear");
  REFUSED(values[1].height, 2, SST_SHAPE, "makes 1x1x2, but its value is 2x1x2");
  REFUSED(values[2].exponent, 1, bad, "exponent 1 and once 0, expected 0 and 0");
  REFUSED(values[1].once, false, bad, "once 0, expected 0 and 1");
  REFUSED(values[1].high, 12, bad, "may reach");
  REFUSED(nodes[0].name[0], '*', bad, "characters");
  REFUSED(nodes[0].name[0], '\0', bad, "characters");
  REFUSED(nodes[0].input[0], 1, bad, "input 0 is value 1");
  REFUSED(nodes[0].input[1], 0, bad, "input 1 is value 0");
  REFUSED(nodes[0].output, 2, bad, "makes value 2");
  REFUSED(nodes[1].kind, SST_INTEGER_NODE_READOUT, bad, "readout last");
  REFUSED(nodes[1].kind, SST_INTEGER_NODE_COUNT, bad, "no kind of node");
  REFUSED(w->kernel_h, 2, SST_SHAPE, "covers 2 positions in H");
  REFUSED(w->groups, 2, SST_SHAPE, "groups");
  REFUSED(w->weight_bits, 9, bad, "weight_bits is 9");
  REFUSED(w->codes, NULL, bad, "missing");
  REFUSED(w->stride_w, 0, bad, "stride");
  static const int8_t large[] = {1, -1, 0, 2, 1, -1};
  REFUSED(w->codes, large, bad, "code 0 of channel 1 is 2, expected -1 to 1");
  static const int32_t huge[] = {2, INT32_MAX};
  REFUSED(w->factor, huge, bad, "factor * sum");
  REFUSED(w->offset, huge, bad, "an output may reach");
  REFUSED(n->threshold, 0, bad, "threshold is 0");
  REFUSED(n->threshold_step, 9, bad, "threshold_step is 9");
  REFUSED(n->gain, 257, bad, "gain is 257");
  REFUSED(n->input_shift, 27, bad, "gain * input may reach");
  REFUSED(n->state_shift, 31, bad, "the state may reach");
  REFUSED(n->decay, 257, bad, "decay is 257");
  REFUSED(n->state_bits, 4, bad, "the limit is 3, expected 7 to 7");
  REFUSED(n->start, -4, bad, "before the first step is -4");
  REFUSED(nodes[2].readout.scale, 0.0, bad, "scale is 0");
  REFUSED(nodes[2].readout.shift, 32, bad, "shift is 32");
  nodes[2].readout = (sst_integer_readout){SST_INTEGER_READOUT_INTEGRATOR, 256, 31, 1.0};
  refuse(network, bad, "may exceed 2^62");
  nodes[2].readout.kind = SST_INTEGER_READOUT_COUNT;
  refuse(network, bad, "readout's kind");
  memcpy(nodes[1].name, nodes[0].name, sizeof nodes[0].name);
  refuse(network, bad, "nodes 0 and 1 have the same name");
  sst_integer_network_free(network);
}

static void test_pixel_codes_lie_in_bounds(void **state) {
  sst_integer_network *network = small_network(*state, SST_INTEGER_READOUT_SUM, 0, 0);
  int16_t *table = NULL;
  assert_ok(*state, ssti_integer_array(network, NULL, 3 * 256, sizeof *table, &table));
  network->pixel_codes = table;
  assert_ok(*state, sst_integer_network_check(network));
  table[256 + 7] = -11;
  refuse(network, SST_INVALID_ARGUMENT, "code of byte 7 of channel 1 is -11, expected -10 to 10");
  sst_integer_network_free(network);
}

typedef struct watch {
  const sst_integer_network *network;
  ssti_integer_neuron_ranges ranges[64];
  int64_t spikes, neurons, kinds[SST_INTEGER_NODE_COUNT];
} watch;

static void watch_bounds(void *state, int64_t picture, int64_t step, int node, const int32_t *output,
                         const int32_t *membrane) {
  (void)picture, (void)step;
  watch *w = state;
  const sst_integer_value *value = &w->network->values[node + 1];
  const int64_t count = value->height * value->width * value->channels;
  w->kinds[w->network->nodes[node].kind]++;
  for (int64_t i = 0; i < count; i++) {
    assert_true(output[i] >= value->low && output[i] <= value->high);
    if (membrane == NULL) { continue; }
    assert_true(membrane[i] >= w->ranges[node].h.low && membrane[i] <= w->ranges[node].h.high);
    w->spikes += output[i];
    w->neurons++;
  }
}

static void test_random_networks_keep_their_bounds(void **state) {
  sst_context *context = *state;
  watch w = {0};
  bool once = false, each = false, tables = false;
  for (uint64_t seed = 0; seed < 300; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, NULL);
    assert_in_range(network->node_count, 1, 64);
    w.network = network;
    for (int i = 0; i < network->node_count; i++) {
      if (network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
      assert_ok(context, ssti_integer_neurons_infer(network, i, &w.ranges[i]));
    }
    int16_t *input = calloc((size_t)random_integer_input_count(network, 2), sizeof *input);
    int64_t logits[2 * 8];
    random_integer_input(network, 2, seed, input);
    assert_ok(context, sst_integer_simulate(network, 2, input, logits, watch_bounds, &w));
    free(input);
    once = once || !network->input_each_step;
    each = each || network->input_each_step;
    tables = tables || network->pixel_codes != NULL;
    sst_integer_network_free(network);
  }
  for (int kind = 0; kind < SST_INTEGER_NODE_READOUT; kind++) { assert_true(w.kinds[kind] > 50); }
  assert_true(once && each && tables);
  // Neither silent nor always firing, or comparisons of spikes would prove little.
  assert_true(w.spikes * 10 > w.neurons && w.spikes * 10 < 7 * w.neurons);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_words),
      TEST(test_by_hand),
      TEST(test_soft_reset),
      TEST(test_readouts),
      TEST(test_pictures),
      TEST(test_what_is_not_sound),
      TEST(test_pixel_codes_lie_in_bounds),
      TEST(test_random_networks_keep_their_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
