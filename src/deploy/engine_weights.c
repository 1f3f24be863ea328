// SPDX-License-Identifier: Apache-2.0
// Codes of synapses as each kernel reads them, and what the bias of stored inputs adds to offsets:
//
//   int8       [outputs / 16][quads][16][4] codes
//   popcount   [outputs / 8] of [8] sizes of codes below 0, and [words][sign, magnitude bits][8] words; a position's
//              channels begin a new word
//   bitsliced  [slabs][outputs][sign, magnitude bits][slab_words] of 32 bits: of the slab's inputs
//   event      [inputs][outputs] codes; for lists, tiles of [inputs][64] (engine_events.c)
//   reference  the network's own
//
// All but the last read every channel: codes of other groups are 0 there.
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "deploy/engine_parts.h"

// Codes of one output [inputs] at a time; `room` holds them where the network leaves out other groups'.
typedef struct code_rows {
  const ssti_engine_node *n;
  int64_t channels, outputs; // of the input and of the output
  int8_t *room;
} code_rows;

static const int8_t *row_of(const code_rows *rows, int64_t output) {
  const ssti_engine_node *n = rows->n;
  const int64_t groups = n->node->synapses.groups, width = rows->channels / groups;
  const int64_t first = output / (rows->outputs / groups) * width;
  const int8_t *codes = n->node->synapses.codes + output * (n->inputs / groups);
  if (groups == 1) { return codes; }
  memset(rows->room, 0, (size_t)n->inputs);
  for (int64_t tap = 0; tap < n->inputs; tap += rows->channels, codes += width) {
    memcpy(rows->room + tap + first, codes, (size_t)width);
  }
  return rows->room;
}

static sst_status pack_int8(sst_engine *e, ssti_engine_node *n, const code_rows *rows) {
  int8_t *w = NULL;
  n->weight_bytes = (size_t)(n->outputs * n->quads * 4);
  SST_TRY(ssti_allocate(e->context, n->weight_bytes, 1, &n->weights));
  w = n->weights;
  for (int64_t o = 0; o < rows->outputs; o++) {
    const int8_t *codes = row_of(rows, o);
    for (int64_t k = 0; k < n->inputs; k++) { w[((o / 16 * n->quads + k / 4) * 16 + o % 16) * 4 + k % 4] = codes[k]; }
  }
  return SST_OK;
}

static sst_status pack_event(sst_engine *e, ssti_engine_node *n, const code_rows *rows, void **out) {
  const ssti_engine_tiling *t = &n->tiling;
  const int64_t tiles = t->channel_parts * t->row_parts * t->blocks;
  const int64_t count = n->listed ? tiles * (t->inputs + 1) * SSTI_EVENT_WIDTH : n->inputs * n->outputs;
  const size_t bytes = (size_t)count;
  SST_TRY(ssti_allocate(e->context, bytes, 1, out));
  int8_t *w = *out;
  for (int64_t o = 0; o < rows->outputs; o++) {
    const int8_t *codes = row_of(rows, o);
    for (int64_t k = 0; k < n->inputs; k++) {
      w[n->listed ? ssti_engine_event_place(n, k / rows->channels, k % rows->channels, o) : k * n->outputs + o] =
          codes[k];
    }
  }
  n->weight_bytes += bytes;
  return SST_OK;
}

// Bits of up to 64 codes: their signs (`magnitude` -1), or one bit of their magnitudes.
static uint64_t bits_of(const int8_t *codes, int64_t count, int magnitude) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < count; i++) {
    const unsigned bit = magnitude < 0 ? codes[i] < 0 : (unsigned)abs(codes[i]) >> magnitude & 1;
    bits |= (uint64_t)bit << i;
  }
  return bits;
}

static sst_status pack_popcount(sst_engine *e, ssti_engine_node *n, const code_rows *rows) {
  const int64_t row = (1 + n->magnitudes) * SSTI_WORD_LANES, block = ssti_popcount_block(n->words, n->magnitudes);
  n->weight_bytes = (size_t)(n->outputs / SSTI_WORD_LANES * block) * sizeof(uint64_t);
  SST_TRY(ssti_allocate(e->context, n->weight_bytes, 1, &n->weights));
  uint64_t *w = n->weights;
  for (int64_t o = 0; o < rows->outputs; o++) {
    const int8_t *codes = row_of(rows, o);
    uint64_t *at = w + o / SSTI_WORD_LANES * block + o % SSTI_WORD_LANES;
    for (int64_t k = 0; k < n->inputs; k++) { *at += codes[k] < 0 ? (uint64_t)-codes[k] : 0; }
    at += SSTI_WORD_LANES;
    for (int64_t tap = 0; tap < n->inputs; tap += rows->channels, codes += rows->channels) {
      for (int64_t c = 0; c < rows->channels; c += 64, at += row) {
        for (int m = -1; m < n->magnitudes; m++) {
          at[(1 + m) * SSTI_WORD_LANES] = bits_of(codes + c, ssti_smaller(64, rows->channels - c), m);
        }
      }
    }
  }
  return SST_OK;
}

static sst_status pack_slabs(sst_engine *e, ssti_engine_node *n, const code_rows *rows) {
  const int64_t row = (1 + n->magnitudes) * n->slab_words, all = n->slab_words * 32;
  n->weight_bytes = (size_t)(n->slabs * rows->outputs * row) * sizeof(uint32_t);
  SST_TRY(ssti_allocate(e->context, n->weight_bytes, 1, &n->weights));
  for (int64_t o = 0; o < rows->outputs; o++) {
    const int8_t *codes = row_of(rows, o);
    for (int64_t k = 0; k < n->inputs; k += 32) {
      uint32_t *at = (uint32_t *)n->weights + (k / all * rows->outputs + o) * row + k % all / 32;
      for (int m = -1; m < n->magnitudes; m++) {
        at[(1 + m) * n->slab_words] = (uint32_t)bits_of(codes + k, ssti_smaller(32, n->inputs - k), m);
      }
    }
  }
  return SST_OK;
}

ssti_digits ssti_engine_digits(int64_t factor) {
  // The next digit of an odd number is whatever makes the rest divisible by four: never two digits beside each other.
  ssti_digits d = {0};
  const bool below = factor < 0;
  uint64_t rest = below ? (uint64_t)-factor : (uint64_t)factor;
  for (int place = 0; rest != 0; place++, rest >>= 1) {
    if ((rest & 1) == 0) { continue; }
    const bool minus = (rest & 3) == 3;
    d.place[d.count] = (int8_t)place;
    d.negative[d.count++] = minus != below;
    rest = minus ? rest + 1 : rest - 1;
  }
  return d;
}

// Counters hold the sum of plus rows and complemented minus rows over all planes of input and codes. What they hold too
// many goes into the offset, scaled as the sum is; the factor becomes digits.
static sst_status plan_counters(sst_engine *e, ssti_engine_node *n, const ssti_engine_value *in, int64_t outputs) {
  const int64_t own = n->inputs / n->node->synapses.groups;
  const sst_integer_synapses *w = &n->node->synapses;
  const ssti_engine_value *out = &e->values[n->node->output];
  SST_TRY(ssti_allocate(e->context, (size_t)outputs, sizeof *n->slice_offset, &n->slice_offset));
  SST_TRY(ssti_allocate(e->context, (size_t)outputs, sizeof *n->slice_factor, &n->slice_factor));
  SST_TRY(ssti_allocate(e->context, (size_t)outputs, sizeof *n->digits, &n->digits));
  e->table_bytes += (size_t)outputs * (sizeof *n->slice_offset + sizeof *n->slice_factor + sizeof *n->digits);
  const int64_t all = (INT64_C(1) << in->planes) - 1;
  int64_t most = 1;
  for (int64_t o = 0; o < outputs; o++) {
    int64_t sizes = 0, minus = 0, sum = 0;
    for (int64_t k = 0; k < own; k++) {
      const int code = w->codes[o * own + k];
      sizes += abs(code);
      minus += code < 0 ? -code : 0;
      sum += code;
    }
    most = sizes * all > most ? sizes * all : most;
    const int64_t surplus = minus * all + sum * in->bias;
    int64_t factor = w->factor[o], offset = w->offset[o] - factor * surplus;
    if (n->fused >= 0) {
      const sst_integer_neurons *neurons = &e->network->nodes[n->fused].neurons;
      const int64_t gain = (int64_t)neurons->gain << neurons->input_shift;
      factor *= gain;
      offset *= gain;
    } else {
      offset += out->bias;
    }
    n->slice_offset[o] = offset;
    n->slice_factor[o] = factor;
    n->digits[o] = ssti_engine_digits(factor);
  }
  n->acc_planes = ssti_engine_bits((uint64_t)most);
  return SST_OK;
}

// Offsets of z over stored inputs; modulo 2^32, as all of it.
static sst_status pack_offsets(sst_engine *e, ssti_engine_node *n, const ssti_engine_value *in, int64_t outputs) {
  SST_TRY(ssti_allocate(e->context, (size_t)n->outputs, sizeof *n->factor, &n->factor));
  SST_TRY(ssti_allocate(e->context, (size_t)n->outputs, sizeof *n->offset, &n->offset));
  e->table_bytes += (size_t)n->outputs * 2 * sizeof *n->factor;
  const bool biased = n->kernel == SST_ENGINE_KERNEL_INT8 || n->kernel == SST_ENGINE_KERNEL_POPCOUNT;
  const int64_t own = n->inputs / n->node->synapses.groups;
  for (int64_t o = 0; o < outputs; o++) {
    int64_t sum = 0;
    for (int64_t k = 0; biased && k < own; k++) { sum += n->node->synapses.codes[o * own + k]; }
    const int64_t factor = n->node->synapses.factor[o];
    n->factor[o] = (int32_t)factor;
    n->offset[o] = (int32_t)(uint32_t)(uint64_t)(n->node->synapses.offset[o] - factor * sum * in->bias);
  }
  return SST_OK;
}

static bool sums_are_small(const ssti_engine_node *n, const ssti_engine_value *in, int64_t outputs) {
  const int64_t own = n->inputs / n->node->synapses.groups;
  const int64_t above = (INT64_C(1) << in->planes) - 1 - in->bias, most = above > in->bias ? above : in->bias;
  for (int64_t o = 0; o < outputs; o++) {
    int64_t sizes = 0;
    for (int64_t k = 0; k < own; k++) { sizes += abs(n->node->synapses.codes[o * own + k]); }
    if (sizes * most > INT16_MAX) { return false; }
  }
  return true;
}

static sst_status pack_codes(sst_engine *e, ssti_engine_node *n, const code_rows *rows) {
  switch (n->kernel) {
  case SST_ENGINE_KERNEL_INT8: SST_TRY(pack_int8(e, n, rows)); break;
  case SST_ENGINE_KERNEL_POPCOUNT: SST_TRY(pack_popcount(e, n, rows)); break;
  case SST_ENGINE_KERNEL_EVENT: SST_TRY(pack_event(e, n, rows, &n->event_weights)); break;
  case SST_ENGINE_KERNEL_BITSLICED: SST_TRY(pack_slabs(e, n, rows)); break;
  case SST_ENGINE_KERNEL_REFERENCE:
  case SST_ENGINE_KERNEL_AUTO:
  case SST_ENGINE_KERNEL_COUNT: break;
  }
  return n->event_below > 0 ? pack_event(e, n, rows, &n->event_weights) : SST_OK;
}

sst_status ssti_engine_pack(sst_engine *e, int index) {
  ssti_engine_node *n = &e->nodes[index];
  const ssti_engine_value *in = ssti_engine_input(e, index, 0);
  code_rows rows = {n, in->channels, ssti_engine_output(e, index)->channels, NULL};
  if (n->kernel == SST_ENGINE_KERNEL_BITSLICED) {
    SST_TRY(plan_counters(e, n, in, rows.outputs));
  } else {
    SST_TRY(pack_offsets(e, n, in, rows.outputs));
  }
  SST_TRY(ssti_allocate(e->context, (size_t)n->inputs, 1, &rows.room));
  const sst_status status = pack_codes(e, n, &rows);
  ssti_free(e->context, rows.room);
  SST_TRY(status);
  n->small_sums = n->event_weights != NULL && in->narrow && sums_are_small(n, in, rows.outputs);
  e->weight_bytes += n->weight_bytes;
  return SST_OK;
}
