// SPDX-License-Identifier: Apache-2.0
// What is decided before anything runs: each node's kernel and way, which values exist in which form, how long they
// live and where they lie.
//
// The cost rule: estimated cycles of a layer a picture and step, from the multiply-adds that a kernel does in a cycle
// of one core (measured, docs/SPEED.md). A slice's rate counts rows of the slab with a weight, is divided by the planes
// of input and codes, and is worth only the share of a tile that holds pictures and positions.
#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "deploy/engine_parts.h"
#include "deploy/integer_rules.h"

enum { LARGEST_INPUTS = 1 << 16, LARGEST_PACKED = 4 };

// Multiply-adds in a cycle: bit products for popcount and bitsliced.
typedef struct kernel_rates {
  double popcount, bitsliced, int8, event, lists;
} kernel_rates;
static const kernel_rates rates[SST_ENGINE_LEVEL_COUNT] = {
    [SST_ENGINE_LEVEL_PLAIN] = {6, 50, 1, 4, 24},
    [SST_ENGINE_LEVEL_NEON] = {45, 60, 4, 8, 24}, // from counts of instructions
    [SST_ENGINE_LEVEL_AVX2] = {40, 120, 2, 12, 44},
    [SST_ENGINE_LEVEL_AVX512] = {450, 430, 85, 24, 77},
};
static const double usual_density = 0.15;                                         // of spikes, where nothing is known
static const double a_window = 110, an_input = 0.2, tile_rate = 32;               // lists: cycles, bytes a cycle
static const double usual_weights = 0.6;                                          // share of codes that are not 0
static const double looking = 0.03;                                               // for them, in rows that are counted
static const double rows_neuron = 1.1, sliced_neuron = 0.5, rows_to_slices = 0.8; // cycles a neuron and step

// ---- values

static void plan_value(const sst_engine *e, const sst_integer_value *from, ssti_engine_value *v) {
  const int64_t high = from->high > 0 ? from->high : 0;
  *v = (ssti_engine_value){.height = from->height,
                           .width = from->width,
                           .positions = from->height * from->width,
                           .channels = from->channels,
                           .count = from->height * from->width * from->channels,
                           .steps = from->once || e->options.stream ? 1 : e->network->timesteps,
                           .bias = from->low < 0 ? -from->low : 0};
  v->planes = ssti_engine_bits((uint64_t)(high + v->bias));
  v->narrow = v->planes <= 8;
}

// ---- kernels

static bool can_compute(const sst_engine *e, int index, sst_engine_kernel kernel) {
  const ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *in = ssti_engine_input(e, index, 0);
  if (kernel == SST_ENGINE_KERNEL_REFERENCE) { return true; }
  if (n->inputs > LARGEST_INPUTS) { return false; }
  switch (kernel) {
  case SST_ENGINE_KERNEL_POPCOUNT:
  case SST_ENGINE_KERNEL_INT8: return in->narrow;
  case SST_ENGINE_KERNEL_EVENT: return true;
  case SST_ENGINE_KERNEL_BITSLICED: return e->group >= SSTI_ENGINE_LEAST_GROUP;
  case SST_ENGINE_KERNEL_REFERENCE:
  case SST_ENGINE_KERNEL_AUTO:
  case SST_ENGINE_KERNEL_COUNT: break;
  }
  return false;
}

// Share of a tile's bits that hold something.
static double tile_use(const sst_engine *e, const ssti_engine_value *out) {
  const int64_t bytes = out->positions * e->word;
  if (bytes < SSTI_TILE_BYTES) {
    const int64_t steps = ssti_smaller(out->steps, SSTI_TILE_BYTES / bytes);
    return (double)(steps * bytes) / SSTI_TILE_BYTES;
  }
  const int64_t tiles = (bytes + SSTI_TILE_BYTES - 1) / SSTI_TILE_BYTES;
  return (double)bytes / (double)(tiles * SSTI_TILE_BYTES);
}

// What the neurons behind synapses cost for each multiply-add of a step, with what turns their spikes into slices.
static double neurons_cost(const sst_engine *e, int index, bool sliced) {
  const ssti_engine_node *n = &e->nodes[index];
  if (index + 1 >= e->network->node_count || e->network->nodes[index + 1].kind != SST_INTEGER_NODE_NEURONS) {
    return 0;
  }
  const ssti_engine_value *in = ssti_engine_input(e, index, 0);
  const ssti_engine_value *spikes = &e->values[e->network->nodes[index + 1].output];
  const double steps = (double)spikes->steps / (double)in->steps, turned = e->group > 1 ? rows_to_slices : 0;
  return steps * (sliced ? sliced_neuron / tile_use(e, spikes) : rows_neuron + turned) / (double)n->inputs;
}

// Where each input counts `count` on average: additions, a window's list for each tile, tiles that are fetched again,
// and the input's own lists.
static double lists_cost(const sst_engine *e, int index, double count) {
  const ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *in = ssti_engine_input(e, index, 0), *out = ssti_engine_output(e, index);
  const ssti_engine_tiling *t = &n->tiling;
  const double tiles = (double)(t->channel_parts * t->row_parts * t->blocks), all = (double)(n->inputs * out->channels);
  const double items = (double)ssti_smaller(in->steps * out->width, SSTI_ENGINE_EVENT_BLOCK);
  const double fetched = tiles > 1 ? (double)(t->inputs * SSTI_EVENT_WIDTH) / (tile_rate * items) : 0;
  const double rows = count * (double)(n->inputs * t->blocks * SSTI_EVENT_WIDTH) / rates[e->level].lists;
  return (rows + tiles * (a_window + fetched)) / all + an_input / (double)out->channels;
}

// Share of inputs that are not 0, or what they count on average: `density`.
static double event_cost(const sst_engine *e, int index, double density) {
  const ssti_engine_node *n = &e->nodes[index];
  if (n->listed) { return lists_cost(e, index, density); }
  const double short_rows = ((double)n->outputs + 64) / (double)n->outputs; // what an input costs besides its row
  return density * short_rows / rates[e->level].event;
}

static double cost_of(const sst_engine *e, int index, sst_engine_kernel kernel) {
  const kernel_rates *r = &rates[e->level];
  const ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *in = ssti_engine_input(e, index, 0), *out = ssti_engine_output(e, index);
  const double bits = (double)in->planes * n->magnitudes, bytes_a_cycle = 16;
  const double a_byte = 1 / (bytes_a_cycle * (double)ssti_smaller(in->steps * out->positions, 64));
  const double padding = (double)n->words * 64 / (double)n->inputs;
  // Bits of a window are put together word by word, for all outputs.
  const double window = (double)n->words * (2.0 * in->planes + 10.0 / (double)n->channel_words) / (double)n->inputs;
  const double neurons = neurons_cost(e, index, kernel == SST_ENGINE_KERNEL_BITSLICED);
  switch (kernel) {
  case SST_ENGINE_KERNEL_POPCOUNT:
    return neurons + padding * (bits / r->popcount + (1 + n->magnitudes) / 8.0 * a_byte) +
           window / (double)out->channels;
  case SST_ENGINE_KERNEL_INT8: return neurons + 1 / r->int8 + a_byte;
  case SST_ENGINE_KERNEL_EVENT: {
    // Sums of spikes count as many as they are sums of.
    const double counts = usual_density * (double)e->network->values[n->node->input[0]].high;
    return neurons +
           (n->listed ? event_cost(e, index, counts) : event_cost(e, index, in->planes == 1 ? counts : 1) + a_byte);
  }
  case SST_ENGINE_KERNEL_BITSLICED:
    return neurons + bits * ((n->magnitudes == 1 ? usual_weights : 0.5) / (double)n->node->synapses.groups + looking) /
                         (r->bitsliced * tile_use(e, out));
  case SST_ENGINE_KERNEL_REFERENCE:
  case SST_ENGINE_KERNEL_AUTO:
  case SST_ENGINE_KERNEL_COUNT: break;
  }
  return HUGE_VAL;
}

static sst_engine_kernel choose_kernel(const sst_engine *e, int index) {
  const sst_engine_kernel asked = e->options.kernel;
  if (asked != SST_ENGINE_KERNEL_AUTO && can_compute(e, index, asked)) { return asked; }
  sst_engine_kernel best = SST_ENGINE_KERNEL_REFERENCE;
  double least = HUGE_VAL;
  for (int k = SST_ENGINE_KERNEL_AUTO + 1; k < SST_ENGINE_KERNEL_COUNT; k++) {
    if (!can_compute(e, index, (sst_engine_kernel)k)) { continue; }
    const double cost = cost_of(e, index, (sst_engine_kernel)k);
    if (cost < least) { best = (sst_engine_kernel)k, least = cost; }
  }
  return best;
}

// Streams of events are mostly nothing, and how much so is known only as they come: such layers have codes for events
// beside those of their kernel. Outputs of a biased input have another offset there.
static double event_density(const sst_engine *e, int index) {
  const ssti_engine_node *n = &e->nodes[index];
  const bool dense = n->kernel == SST_ENGINE_KERNEL_POPCOUNT || n->kernel == SST_ENGINE_KERNEL_INT8;
  if (!e->options.stream || e->options.kernel != SST_ENGINE_KERNEL_AUTO || !dense ||
      ssti_engine_input(e, index, 0)->bias != 0) {
    return 0;
  }
  const double least = neurons_cost(e, index, false) + event_cost(e, index, 0);
  const double below = (cost_of(e, index, n->kernel) - least) / (event_cost(e, index, 1) - event_cost(e, index, 0));
  return below > 0 ? below : 0;
}

static void plan_synapses(const sst_engine *e, int index) {
  ssti_engine_node *n = &e->nodes[index];
  const sst_integer_synapses *w = &n->node->synapses;
  const ssti_engine_value *in = ssti_engine_input(e, index, 0), *out = ssti_engine_output(e, index);
  const int64_t taps = w->kernel_h * w->kernel_w;
  n->inputs = taps * in->channels;
  n->outputs = (out->channels + SSTI_LANES - 1) / SSTI_LANES * SSTI_LANES;
  n->magnitudes = w->weight_bits - 1;
  n->channel_words = (in->channels + 63) / 64;
  n->words = taps * n->channel_words;
  n->quads = (n->inputs + 3) / 4;
  n->slabs = (n->inputs + SSTI_SLAB_ROWS - 1) / SSTI_SLAB_ROWS;
  n->slab_words = ((n->inputs + n->slabs - 1) / n->slabs + 31) / 32;
  ssti_engine_plan_events(e, index);
  n->kernel = choose_kernel(e, index);
  n->sliced = n->kernel == SST_ENGINE_KERNEL_BITSLICED;
  n->event_below = event_density(e, index);
  const bool dense = n->kernel == SST_ENGINE_KERNEL_INT8 || n->kernel == SST_ENGINE_KERNEL_POPCOUNT;
  n->plain = dense && taps == 1 && in->positions == 1 && out->positions == 1;
}

// ---- neurons

static sst_status plan_neurons(const sst_engine *e, int index) {
  ssti_engine_node *node = &e->nodes[index];
  const sst_integer_neurons *n = &node->node->neurons;
  ssti_integer_neuron_ranges r;
  SST_TRY(ssti_integer_neurons_infer(e->network, index, &r));
  const int64_t half = n->decay_shift > 0 ? INT64_C(1) << (n->decay_shift - 1) : 0;
  node->lanes = (ssti_lane_neurons){.gain = (uint32_t)n->gain << n->input_shift,
                                    .state_shift = n->state_shift,
                                    .threshold = n->threshold,
                                    .threshold_step = n->threshold_step,
                                    .hard_reset = n->hard_reset,
                                    .product_fits =
                                        r.product.low >= INT32_MIN && r.product.high <= INT32_MAX && half <= INT32_MAX,
                                    .decay = n->decay,
                                    .half = (int32_t)half,
                                    .decay_shift = n->decay_shift,
                                    .limit = n->limit > 0 ? n->limit : INT32_MAX};
  ssti_slice_neurons *s = &node->slices;
  *s = (ssti_slice_neurons){.state_shift = n->state_shift,
                            .threshold = n->threshold,
                            .threshold_step = n->threshold_step,
                            .hard_reset = n->hard_reset,
                            .always = n->threshold <= r.h.low,
                            .never = n->threshold > r.h.high,
                            .decay = n->decay,
                            .decay_shift = n->decay_shift,
                            .limit = n->limit};
  // (2^k * d * u + 2^(m-1)) >> m is (d * u + 2^(m-k-1)) >> (m-k), and d * u where m = k.
  while (s->decay_shift > 0 && s->decay % 2 == 0 && s->decay > 0) { s->decay /= 2, s->decay_shift--; }
  s->half = s->decay_shift > 0 ? INT64_C(1) << (s->decay_shift - 1) : 0;
  s->state_planes = ssti_engine_signed_bits(r.v.low, r.v.high);
  const int64_t low = ssti_smaller(r.u.low, 0) * s->decay, high = ssti_larger(r.u.high, 0) * s->decay + s->half;
  int width = ssti_engine_signed_bits(ssti_smaller(ssti_smaller(r.h.low, r.u.low), low),
                                      ssti_larger(ssti_larger(r.h.high, r.u.high), high));
  width = (int)ssti_larger(width, s->state_planes + s->decay_shift);
  s->clips_above = n->limit > 0 && high >> s->decay_shift > n->limit;
  s->clips_below = n->limit > 0 && low >> s->decay_shift < -n->limit;
  // The limit and the number above it must be numbers of that many planes.
  if (s->clips_above || s->clips_below) {
    width = (int)ssti_larger(width, ssti_engine_signed_bits(-n->limit, n->limit + 1) + s->decay_shift);
  }
  s->width = width;
  return SST_OK;
}

// ---- ways

// Nodes that are no synapses go the way that their input comes.
static void plan_way(const sst_engine *e, int index) {
  ssti_engine_node *n = &e->nodes[index];
  n->fused = -1;
  if (n->node->kind == SST_INTEGER_NODE_SYNAPSES) {
    plan_synapses(e, index);
    return;
  }
  if (n->node->kind == SST_INTEGER_NODE_READOUT || e->group < SSTI_ENGINE_LEAST_GROUP ||
      e->network->values[n->node->output].once) {
    return;
  }
  for (int i = 0; i < 2; i++) {
    const int value = n->node->input[i];
    if (value > 0 && e->nodes[value - 1].sliced) { n->sliced = true; }
  }
}

static int uses_of(const sst_engine *e, int value) {
  int uses = 0;
  for (int i = 0; i < e->network->node_count; i++) {
    const int *input = e->network->nodes[i].input;
    uses += (input[0] == value) + (input[1] == value);
  }
  return uses;
}

// Synapses whose only reader are the neurons behind them run those as well: their sums are never stored.
static void fuse(const sst_engine *e, int index) {
  ssti_engine_node *n = &e->nodes[index], *next = &e->nodes[index + 1];
  if (n->node->kind != SST_INTEGER_NODE_SYNAPSES || next->node->kind != SST_INTEGER_NODE_NEURONS ||
      next->node->input[0] != n->node->output || n->sliced != next->sliced || uses_of(e, n->node->output) != 1) {
    return;
  }
  n->fused = index + 1;
  next->absorbed = true;
}

static int segment_of(const sst_engine *e, int node) {
  int s = 0;
  while (e->segments[s].end <= node) { s++; }
  return s;
}

static void plan_segments(sst_engine *e) {
  for (int i = 0; i < e->network->node_count; i++) {
    ssti_engine_segment *last = &e->segments[e->segment_count > 0 ? e->segment_count - 1 : 0];
    if (e->segment_count == 0 || last->sliced != e->nodes[i].sliced) {
      e->segments[e->segment_count++] = (ssti_engine_segment){i, i + 1, e->nodes[i].sliced};
    } else {
      last->end = i + 1;
    }
  }
}

// ---- forms, lives, places

// The last node of the segment in which a value is made: there rows become slices.
static int handed_on(const sst_engine *e, int value) {
  return value > 0 || !e->segments[0].sliced ? e->segments[segment_of(e, value > 0 ? value - 1 : 0)].end - 1 : 0;
}

static void plan_forms(const sst_engine *e) {
  const sst_integer_network *network = e->network;
  for (int value = 0; value < network->value_count; value++) {
    ssti_engine_value *v = &e->values[value];
    const int maker = value - 1;
    if (maker >= 0 && e->nodes[maker].fused >= 0) { continue; }
    const bool made_sliced = maker >= 0 && e->nodes[maker].sliced;
    // The input is there before anything runs; in rows it is taken picture by picture if the first segment is.
    const int made_in = maker >= 0 ? segment_of(e, maker) : e->segments[0].sliced ? -1 : 0;
    v->in_slices = made_sliced;
    v->in_rows = !made_sliced;
    v->first = v->last = maker > 0 ? maker : 0;
    for (int i = 0; i < network->node_count; i++) {
      if (network->nodes[i].input[0] != value && network->nodes[i].input[1] != value) { continue; }
      // Synapses run neurons along with themselves, so what they read lives until those are done.
      v->last = (int)ssti_larger(v->last, e->nodes[i].fused >= 0 ? e->nodes[i].fused : i);
      v->in_slices |= e->nodes[i].sliced;
      v->in_rows |= !e->nodes[i].sliced;
      v->crossing |= e->group > 1 && !e->nodes[i].sliced && segment_of(e, i) != made_in;
    }
    // Neurons that were run along with their synapses write while those still read.
    if (maker >= 0 && e->nodes[maker].absorbed) { v->first = maker - 1; }
    v->by_bytes = !made_sliced && v->in_slices && v->narrow && v->planes > LARGEST_PACKED;
    v->packed = !made_sliced && v->in_slices && !v->by_bytes;
    if (v->crossing || v->packed || v->by_bytes) {
      // In rows a whole segment is run for one picture before the next.
      v->first = made_in >= 0 ? e->segments[made_in].first : 0;
      v->last = e->segments[segment_of(e, v->last)].end - 1;
    }
    v->turned = v->packed || v->by_bytes ? handed_on(e, value) : v->first;
    v->rows_last = (v->packed || v->by_bytes) && !v->crossing ? v->turned : v->last;
    v->crossing |= v->by_bytes;
  }
}

// Slices are written in whole vectors only into scratch, so that a value's end is exact.
static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static sst_status size_value(const sst_engine *e, ssti_engine_value *v) {
  const double most = 0x1p46;
  v->channel_bytes = v->positions * e->word;
  const double rows = (double)v->steps * (double)v->count * (v->narrow ? 1 : 4) * (v->crossing ? e->group : 1);
  const double slices = (double)v->steps * v->planes * (double)v->channels * (double)v->channel_bytes;
  if (rows > most || slices > most) {
    SST_FAIL(e->context, SST_OUT_OF_MEMORY, "a value of %g bytes is more than this machine can address", rows + slices);
  }
  v->rows_bytes = v->in_rows ? rounded((size_t)(v->steps * v->count) * (v->narrow ? 1 : 4)) : 0;
  const int64_t packed = v->steps * v->planes * v->positions * ((v->channels + 63) / 64) * (int64_t)sizeof(uint64_t);
  v->packed_bytes = v->packed ? (size_t)packed : 0;
  v->slices_bytes = v->in_slices ? rounded((size_t)(v->steps * v->planes * v->channels * v->channel_bytes)) : 0;
  return SST_OK;
}

// A piece of a block, over a span of nodes.
typedef struct piece {
  size_t bytes, at;
  size_t *place; // what is told where it is
  int first, last;
} piece;

// The lowest place where nothing that lives at the same time lies.
static size_t place_piece(const piece *placed, int count, const piece *p) {
  size_t at = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (int i = 0; i < count; i++) {
      const piece *q = &placed[i];
      const bool together = q->first <= p->last && p->first <= q->last;
      if (together && at < q->at + q->bytes && q->at < at + p->bytes) { at = q->at + q->bytes, moved = true; }
    }
  }
  return at;
}

static sst_status place_values(sst_engine *e) {
  piece *pieces = NULL;
  int count = 0;
  SST_TRY(ssti_allocate(e->context, (size_t)(3 * e->network->value_count), sizeof *pieces, &pieces));
  for (int i = 0; i < e->network->value_count; i++) {
    ssti_engine_value *v = &e->values[i];
    const size_t rows = v->rows_bytes * (size_t)(v->crossing ? e->group : 1);
    const size_t packed = v->packed_bytes * (size_t)e->group;
    if (rows > 0) { pieces[count++] = (piece){rows, 0, &v->rows_at, v->first, v->rows_last}; }
    if (packed > 0) { pieces[count++] = (piece){rounded(packed), 0, &v->packed_at, v->first, v->turned}; }
    if (v->slices_bytes > 0) { pieces[count++] = (piece){v->slices_bytes, 0, &v->slices_at, v->turned, v->last}; }
  }
  // The largest first: the small ones find room between them.
  for (int i = 0; i < count; i++) {
    int most = i;
    for (int k = i + 1; k < count; k++) { most = pieces[k].bytes > pieces[most].bytes ? k : most; }
    const piece swap = pieces[i];
    pieces[i] = pieces[most];
    pieces[most] = swap;
    pieces[i].at = place_piece(pieces, i, &pieces[i]);
    *pieces[i].place = pieces[i].at;
    const size_t end = pieces[i].at + pieces[i].bytes;
    e->values_bytes = end > e->values_bytes ? end : e->values_bytes;
  }
  ssti_free(e->context, pieces);
  return SST_OK;
}

// ---- scratch

static void at_least(size_t *bytes, int64_t needed) {
  if ((size_t)needed > *bytes) { *bytes = (size_t)needed; }
}

// Bytes of each part of a worker's scratch, the largest of all nodes.
static void measure_rows(const sst_engine *e, int index, ssti_engine_scratch *s) {
  const ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *in = ssti_engine_input(e, index, 0), *out = ssti_engine_output(e, index);
  // As the block of a worker: all steps of some positions, or some steps of one.
  const bool lists = n->listed && (n->kernel == SST_ENGINE_KERNEL_EVENT || n->event_below > 0);
  const int64_t most = lists ? SSTI_ENGINE_EVENT_BLOCK : SSTI_ENGINE_BLOCK;
  const int64_t positions = ssti_smaller(out->positions, ssti_larger(most / in->steps, 1));
  const int64_t items = positions * ssti_smaller(in->steps, most / positions),
                windows = ssti_smaller(items, SSTI_ENGINE_BLOCK);
  const int64_t window = n->plain                                  ? 0
                         : n->kernel == SST_ENGINE_KERNEL_POPCOUNT ? in->planes * n->words * 8
                         : in->narrow                              ? n->inputs + 8
                                                                   : n->inputs * 4;
  if (lists) { at_least(&s->events, (int64_t)n->tiling.lists_bytes); }
  if (!lists || n->kernel != SST_ENGINE_KERNEL_EVENT) {
    at_least(&s->windows, windows * ssti_larger(window, n->event_below > 0 ? n->inputs + 8 : 0));
  }
  at_least(&s->sums, items * n->outputs * 4);
  at_least(&s->states, positions * n->outputs * 4);
  if (n->kernel == SST_ENGINE_KERNEL_POPCOUNT) {
    at_least(&s->bits, in->steps * in->positions * in->planes * n->channel_words * 8);
  }
}

static void measure_slices(const sst_engine *e, int index, ssti_engine_scratch *s) {
  const ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *out = ssti_engine_output(e, index);
  const int neurons = n->fused >= 0 ? n->fused : index;
  at_least(&s->counters, out->channels * n->acc_planes * SSTI_TILE_BYTES);
  at_least(&s->skipped, out->channels * (int64_t)sizeof(int64_t));
  if (n->node->kind == SST_INTEGER_NODE_SUM_POOL || n->node->kind == SST_INTEGER_NODE_MAX_POOL) {
    const ssti_engine_value *in = ssti_engine_input(e, index, 0);
    at_least(&s->counters, out->channels * ssti_larger(out->planes, in->planes) * SSTI_TILE_BYTES);
  }
  at_least(&s->slice_states, (n->fused >= 0 ? out->channels : 1) *
                                 ssti_larger(e->nodes[neurons].slices.state_planes, 1) * SSTI_TILE_BYTES);
}

static size_t take(size_t *end, size_t bytes) {
  const size_t at = *end;
  if (bytes > 0) { *end = at + rounded(bytes) + SSTI_ENGINE_GAP; }
  return at;
}

static void place_scratch(sst_engine *e) {
  ssti_engine_scratch size = {.counters = SSTI_MOST_PLANES * SSTI_TILE_BYTES,
                              .slab = sizeof(ssti_slab),
                              .copies = 4 * SSTI_TILE_BYTES * sizeof(ssti_copy),
                              .planes = SSTI_MOST_PLANES * SSTI_TILE_BYTES,
                              .currents = SSTI_MOST_PLANES * SSTI_TILE_BYTES};
  bool slices = false;
  for (int i = 0; i < e->network->node_count; i++) {
    const ssti_engine_node *n = &e->nodes[i];
    slices |= n->sliced;
    if (n->sliced) {
      measure_slices(e, i, &size);
    } else if (n->node->kind == SST_INTEGER_NODE_SYNAPSES) {
      measure_rows(e, i, &size);
    } else if (!n->absorbed) {
      at_least(&size.integers, 2 * SSTI_ENGINE_CHUNK * (int64_t)sizeof(int32_t));
    }
    if (n->node->kind == SST_INTEGER_NODE_NEURONS && e->options.observer != NULL) {
      const ssti_engine_value *out = ssti_engine_output(e, i);
      at_least(&size.membranes, (e->group * out->steps + 1) * out->count * 4);
    }
  }
  if (!slices) {
    size.counters = size.skipped = size.currents = size.slab = size.copies = size.planes = size.slice_states = 0;
  }
  size_t end = rounded(e->values_bytes) + SSTI_ENGINE_GAP;
  ssti_engine_scratch *at = &e->at;
  at->windows = take(&end, size.windows);
  at->sums = take(&end, size.sums);
  at->states = take(&end, size.states);
  at->bits = take(&end, size.bits);
  at->events = take(&end, size.events);
  at->integers = take(&end, size.integers);
  at->membranes = take(&end, size.membranes);
  at->slab = take(&end, size.slab);
  at->counters = take(&end, size.counters);
  at->skipped = take(&end, size.skipped);
  at->currents = take(&end, size.currents);
  at->slice_states = take(&end, size.slice_states);
  at->copies = take(&end, size.copies);
  at->planes = take(&end, size.planes);
  at->readout = take(&end, (size_t)(2 * e->network->classes) * sizeof(int64_t));
  e->block_bytes = end + SSTI_ENGINE_SLACK;
  e->planes_bytes = size.bits + size.slab + size.counters + size.slice_states + size.planes;
}

// ---- streams

static void plan_stream(sst_engine *e) {
  e->endless = true;
  for (int i = 0; i < e->network->node_count; i++) {
    const sst_integer_node *node = &e->network->nodes[i];
    if (node->kind == SST_INTEGER_NODE_NEURONS) {
      e->nodes[i].state_at = e->state_count;
      e->state_count += ssti_engine_output(e, i)->count;
      e->endless &= node->neurons.limit > 0;
    }
    e->endless &= node->kind != SST_INTEGER_NODE_READOUT || node->readout.kind != SST_INTEGER_READOUT_INTEGRATOR;
  }
}

sst_status ssti_engine_plan(sst_engine *e) {
  const sst_integer_network *network = e->network;
  for (int i = 0; i < network->value_count; i++) { plan_value(e, &network->values[i], &e->values[i]); }
  for (int i = 0; i < network->node_count; i++) {
    e->nodes[i].node = &network->nodes[i];
    plan_way(e, i);
    if (network->nodes[i].kind == SST_INTEGER_NODE_NEURONS) { SST_TRY(plan_neurons(e, i)); }
  }
  for (int i = 0; i + 1 < network->node_count; i++) { fuse(e, i); }
  plan_segments(e);
  plan_forms(e);
  for (int i = 0; i < network->value_count; i++) { SST_TRY(size_value(e, &e->values[i])); }
  SST_TRY(place_values(e));
  for (int i = 0; i < network->node_count; i++) {
    if (network->nodes[i].kind == SST_INTEGER_NODE_SYNAPSES) { SST_TRY(ssti_engine_pack(e, i)); }
  }
  place_scratch(e);
  if (e->options.stream) { plan_stream(e); }
  return SST_OK;
}
