// SPDX-License-Identifier: Apache-2.0
// Nodes in rows: one picture, channels last. Synapses take a block of positions and steps at a time: windows are copied
// together, a kernel makes their sums, and neurons behind them follow while the sums are in the first-level cache.
#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "deploy/engine_parts.h"

enum { CHUNK = SSTI_ENGINE_CHUNK, PARALLEL_OPERATIONS = 1 << 21 };

// A part of a node that one worker computes: positions and sixteens of outputs.
typedef struct rows_part {
  const ssti_engine_picture *picture;
  int index;
  const ssti_engine_node *n;
  const ssti_engine_value *in, *out;
  ssti_engine_worker *worker; // whose scratch
  sst_engine_kernel kernel;   // the node's, or events where there are few
  const uint64_t *bits;       // popcount: the packed input
  int64_t first, end;         // positions
  int64_t block, blocks;      // outputs
} rows_part;

// ---- windows

// The corner of a position's window in the input, which may lie beyond the border.
typedef struct corner {
  int64_t row, column;
} corner;

static corner corner_of(const rows_part *p, int64_t position) {
  const sst_integer_synapses *w = &p->n->node->synapses;
  const int64_t row = position / p->out->width, column = position - row * p->out->width;
  return (corner){row * w->stride_h - w->pad_h, column * w->stride_w - w->pad_w};
}

// The place in the input of a window's row and column, or -1 beyond the border.
static inline int64_t place_of(const rows_part *p, corner at, int64_t kh, int64_t kw) {
  const sst_integer_synapses *w = &p->n->node->synapses;
  const int64_t row = at.row + kh * w->dilation_h, column = at.column + kw * w->dilation_w;
  const bool inside = row >= 0 && row < p->in->height && column >= 0 && column < p->in->width;
  return inside ? row * p->in->width + column : -1;
}

// Whether a row of the window is one stretch of the input.
static inline bool is_stretch(const rows_part *p, corner at, int64_t kh) {
  const sst_integer_synapses *w = &p->n->node->synapses;
  return w->dilation_w == 1 && at.column >= 0 && at.column + w->kernel_w <= p->in->width && place_of(p, at, kh, 0) >= 0;
}

// Whole sixteens, as blocks and windows have room behind them: most copies are a few bytes long.
static inline void copy_bytes(uint8_t *to, const uint8_t *from, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) { memcpy(to + i, from + i, 16); }
}

// A window of elements of `size` bytes each position; `fill` beyond the border.
static void copy_window(const rows_part *p, const uint8_t *x, corner at, int64_t size, int fill, uint8_t *window) {
  const sst_integer_synapses *w = &p->n->node->synapses;
  for (int64_t kh = 0; kh < w->kernel_h; kh++) {
    if (is_stretch(p, at, kh)) {
      copy_bytes(window, x + place_of(p, at, kh, 0) * size, w->kernel_w * size);
      window += w->kernel_w * size;
      continue;
    }
    for (int64_t kw = 0; kw < w->kernel_w; kw++, window += size) {
      const int64_t place = place_of(p, at, kh, kw);
      if (place >= 0) {
        copy_bytes(window, x + place * size, size);
      } else {
        memset(window, fill, (size_t)size);
      }
    }
  }
}

// [planes][words]; bits is [positions][planes][channel_words] of one step.
static void window_bits(const rows_part *p, const uint64_t *bits, corner at, uint64_t *window) {
  const sst_integer_synapses *w = &p->n->node->synapses;
  const int64_t words = p->n->channel_words, all = p->n->words;
  for (int64_t kh = 0; kh < w->kernel_h; kh++) {
    for (int64_t kw = 0; kw < w->kernel_w; kw++, window += words) {
      const int64_t place = place_of(p, at, kh, kw);
      const uint64_t *from = bits + (place >= 0 ? place : 0) * p->in->planes * words;
      for (int plane = 0; plane < p->in->planes; plane++, from += words) {
        const uint64_t fill = p->in->bias >> plane & 1 ? ~UINT64_C(0) : 0;
        for (int64_t i = 0; i < words; i++) { window[plane * all + i] = place >= 0 ? from[i] : fill; }
      }
    }
  }
}

static void *scratch(const rows_part *p, size_t at) { return p->worker->block + at; }
static const uint8_t *input_of(const rows_part *p, int which, int64_t step) {
  const ssti_engine_picture *picture = p->picture;
  const ssti_engine_value *v = ssti_engine_input(picture->engine, p->index, which);
  const int64_t size = v->narrow ? 1 : 4;
  return ssti_engine_rows(picture->owner, v, picture->in_group) + (v->steps == 1 ? 0 : step) * v->count * size;
}
static uint8_t *output_of(const rows_part *p, const ssti_engine_value *out, int64_t step) {
  const int64_t size = out->narrow ? 1 : 4;
  return ssti_engine_rows(p->picture->owner, out, p->picture->in_group) + step * out->count * size;
}

// Bytes from one window to the next.
static int64_t window_stride(const rows_part *p) {
  const ssti_engine_node *n = p->n;
  if (p->kernel == SST_ENGINE_KERNEL_POPCOUNT) { return p->in->planes * n->words * 8; }
  if (p->kernel == SST_ENGINE_KERNEL_INT8) { return n->quads * 4; }
  return p->in->narrow ? (n->inputs + 7) / 8 * 8 : n->inputs * 4;
}

static void make_window(const rows_part *p, corner at, int64_t step, uint8_t *window) {
  if (p->kernel == SST_ENGINE_KERNEL_POPCOUNT) {
    const uint64_t *bits = p->bits + step * p->in->positions * p->in->planes * p->n->channel_words;
    if (p->in->planes > 1) {
      window_bits(p, bits, at, (uint64_t *)(void *)window);
    } else {
      copy_window(p, (const uint8_t *)bits, at, p->n->channel_words * 8, p->in->bias != 0 ? 255 : 0, window);
    }
  } else if (p->in->narrow) {
    copy_window(p, input_of(p, 0, step), at, p->in->channels, (int)p->in->bias, window);
    for (int64_t k = p->n->inputs; k < p->n->quads * 4; k++) { window[k] = 0; }
  } else {
    copy_window(p, input_of(p, 0, step), at, p->in->channels * 4, 0, window);
  }
}

// ---- sums

// By the formula, straight from the value: what all else is held against.
static void reference_sums(const rows_part *p, corner first, int64_t step, int32_t *z) {
  const ssti_engine_node *n = p->n;
  const sst_integer_synapses *w = &n->node->synapses;
  const uint8_t *x = input_of(p, 0, step);
  const int64_t taps = w->kernel_h * w->kernel_w, width = p->in->channels / w->groups, outputs = p->out->channels;
  for (int64_t o = p->block * SSTI_LANES; o < ssti_smaller((p->block + p->blocks) * SSTI_LANES, outputs); o++) {
    const int8_t *codes = w->codes + o * taps * width;
    const int64_t group = o / (outputs / w->groups);
    int64_t sum = 0;
    for (int64_t tap = 0; tap < taps; tap++, codes += width) {
      const int64_t at = place_of(p, first, tap / w->kernel_w, tap % w->kernel_w);
      if (at < 0) { continue; }
      const int64_t base = at * p->in->channels + group * width;
      for (int64_t c = 0; c < width; c++) {
        const int64_t value = p->in->narrow ? x[base + c] - p->in->bias : ((const int32_t *)(const void *)x)[base + c];
        sum += codes[c] * value;
      }
    }
    *z++ = (int32_t)sum;
  }
}

// Steps of an input that is one window each.
static const uint8_t *plain_windows(const rows_part *p, int64_t step) {
  if (p->kernel == SST_ENGINE_KERNEL_INT8) { return input_of(p, 0, step); }
  return (const uint8_t *)(p->bits + step * p->in->planes * p->n->words);
}

static bool by_lists(const rows_part *p) { return p->kernel == SST_ENGINE_KERNEL_EVENT && p->n->listed; }

static ssti_engine_events events_of(const rows_part *p) {
  const sst_engine *e = p->picture->engine;
  return (ssti_engine_events){.engine = e,
                              .node = p->n,
                              .in = p->in,
                              .out_width = p->out->width,
                              .x = input_of(p, 0, 0),
                              .counted = &p->worker->events[p->index],
                              .lists = scratch(p, e->at.events)};
}

// z [items][blocks * 16] of positions [position, position + positions) times steps [step, step + steps).
static void make_sums(const rows_part *p, int64_t position, int64_t positions, int64_t step, int64_t steps,
                      int32_t *z) {
  const ssti_engine_node *n = p->n;
  const ssti_kernels_of_level *k = &p->picture->engine->kernels;
  const bool plain = n->plain && p->kernel != SST_ENGINE_KERNEL_EVENT;
  const int64_t width = p->blocks * SSTI_LANES;
  const int64_t stride = plain && p->kernel == SST_ENGINE_KERNEL_INT8 ? p->in->count : window_stride(p);
  uint8_t *window = scratch(p, p->picture->engine->at.windows);
  const uint8_t *windows = plain ? plain_windows(p, step) : window;
  if (by_lists(p)) {
    const ssti_engine_events events = events_of(p);
    ssti_engine_event_sums(&events, position, positions, step, steps, p->block * SSTI_LANES, width, z, width);
    return;
  }
  const bool reference = p->kernel == SST_ENGINE_KERNEL_REFERENCE;
  for (int64_t i = 0; !plain && i < positions; i++) {
    const corner at = corner_of(p, position + i);
    for (int64_t t = step; t < step + steps; t++, window += stride) {
      if (reference) {
        reference_sums(p, at, t, z + (i * steps + t - step) * width);
      } else {
        make_window(p, at, t, window);
      }
    }
  }
  const ssti_rows rows = {.items = positions * steps, .x = windows, .x_stride = stride, .z = z, .z_stride = width};
  if (p->kernel == SST_ENGINE_KERNEL_INT8) {
    k->dot8(&rows, n->quads, p->blocks, (const int8_t *)n->weights + p->block * n->quads * 64);
  } else if (p->kernel == SST_ENGINE_KERNEL_POPCOUNT) {
    k->popcount(&rows, p->in->planes, n->magnitudes, n->words, p->blocks * 2,
                (const uint64_t *)n->weights + p->block * 2 * ssti_popcount_block(n->words, n->magnitudes));
  } else if (p->kernel == SST_ENGINE_KERNEL_EVENT) {
    const int8_t *w = (const int8_t *)n->event_weights + p->block * SSTI_LANES;
    if (p->in->narrow) {
      k->event(&rows, n->inputs, (int)p->in->bias, n->small_sums, width, n->outputs, w);
    } else {
      k->event_wide(&rows, n->inputs, width, n->outputs, w);
    }
  }
}

// ---- neurons

typedef struct neuron_site {
  int index; // the neurons node
  const ssti_engine_value *out;
} neuron_site;

// The observer's membranes: [steps][count].
static int32_t *membrane_of(const rows_part *p, const neuron_site *s, int64_t step, int64_t at) {
  if (p->picture->engine->options.observer == NULL) { return NULL; }
  return (int32_t *)(void *)(p->picture->owner->block + p->picture->engine->at.membranes) + step * s->out->count + at;
}

static void begin_states(const rows_part *p, const neuron_site *s, int64_t at, int64_t count, int32_t *state) {
  const sst_engine *e = p->picture->engine;
  if (e->options.stream) {
    memcpy(state, e->states + e->nodes[s->index].state_at + at, (size_t)count * sizeof *state);
  } else {
    for (int64_t i = 0; i < count; i++) { state[i] = e->nodes[s->index].node->neurons.start; }
  }
}

static void end_states(const rows_part *p, const neuron_site *s, int64_t at, int64_t count, const int32_t *state) {
  const sst_engine *e = p->picture->engine;
  if (e->options.stream) { memcpy(e->states + e->nodes[s->index].state_at + at, state, (size_t)count * sizeof *state); }
}

// Neurons from `at` and `step` on: z, factors, states and counts are told, the rest follows from the place.
static void step_neurons(const rows_part *p, const neuron_site *s, int64_t step, int64_t at, ssti_lane_rows *rows) {
  const sst_engine *e = p->picture->engine;
  rows->spikes = output_of(p, s->out, step) + at;
  rows->membrane = membrane_of(p, s, step, at);
  rows->stride = s->out->channels;
  rows->step = s->out->count;
  p->worker->spikes[s->index] += (uint64_t)e->kernels.neurons(&e->nodes[s->index].lanes, rows);
}

// ---- synapses

// Stores y of positions and steps where no neurons are run along.
static void store_currents(const rows_part *p, int64_t position, int64_t positions, int64_t step, int64_t steps,
                           int32_t *z) {
  const int64_t first = p->block * SSTI_LANES, width = p->blocks * SSTI_LANES;
  const int64_t count = ssti_smaller(first + width, p->out->channels) - first;
  for (int64_t i = 0; i < positions; i++) {
    for (int64_t t = step; t < step + steps; t++, z += width) {
      uint8_t *out = output_of(p, p->out, t);
      const int64_t at = (position + i) * p->out->channels + first;
      p->picture->engine->kernels.affine(count, z, p->n->factor + first, p->n->offset + first, z);
      if (p->out->narrow) {
        for (int64_t o = 0; o < count; o++) { out[at + o] = (uint8_t)(z[o] + p->out->bias); }
      } else {
        memcpy(out + at * 4, z, (size_t)count * sizeof *z);
      }
    }
  }
}

static int64_t block_items(const rows_part *p) { return by_lists(p) ? SSTI_ENGINE_EVENT_BLOCK : SSTI_ENGINE_BLOCK; }

// All steps of a block of positions.
static void run_block(const rows_part *p, int64_t position, int64_t positions) {
  const ssti_engine_node *n = p->n;
  const sst_engine *e = p->picture->engine;
  int32_t *z = scratch(p, e->at.sums), *states = scratch(p, e->at.states);
  const int64_t first = p->block * SSTI_LANES, width = p->blocks * SSTI_LANES;
  const int64_t count = ssti_smaller(first + width, p->out->channels) - first, chunk = block_items(p) / positions;
  const neuron_site s = {n->fused, n->fused >= 0 ? ssti_engine_output(e, n->fused) : NULL};
  for (int64_t i = 0; s.out != NULL && i < positions; i++) {
    begin_states(p, &s, (position + i) * p->out->channels + first, count, states + i * width);
  }
  for (int64_t t = 0; t < p->in->steps; t += chunk) {
    const int64_t steps = ssti_smaller(chunk, p->in->steps - t);
    make_sums(p, position, positions, t, steps, z);
    if (s.out == NULL) {
      store_currents(p, position, positions, t, steps, z);
      continue;
    }
    // Currents of a picture that is shown in every step are the same in every step.
    const bool once = p->in->steps == 1;
    const int32_t nothing = 0;
    for (int64_t i = 0; once && i < positions; i++) {
      e->kernels.affine(count, z + i * width, n->factor + first, n->offset + first, z + i * width);
    }
    ssti_lane_rows rows = {.rows = positions,
                           .steps = once ? s.out->steps : steps,
                           .count = count,
                           .z = z,
                           .z_stride = (once ? 1 : steps) * width,
                           .z_step = once ? 0 : width,
                           .factor = once ? NULL : n->factor + first,
                           .offset = once ? &nothing : n->offset + first,
                           .state = states,
                           .state_stride = width};
    step_neurons(p, &s, t, position * p->out->channels + first, &rows);
  }
  for (int64_t i = 0; s.out != NULL && i < positions; i++) {
    end_states(p, &s, (position + i) * p->out->channels + first, count, states + i * width);
  }
}

static void run_synapses(const rows_part *p) {
  const int64_t items = block_items(p), most = p->in->steps >= items ? 1 : items / p->in->steps;
  if (by_lists(p)) {
    const ssti_engine_events events = events_of(p);
    ssti_engine_begin_events(&events);
  }
  for (int64_t i = p->first, count; i < p->end; i += count) {
    count = ssti_smaller(most, p->end - i);
    // Lists are of the rows that a row's windows lie in.
    if (by_lists(p)) { count = ssti_smaller(count, p->out->width - i % p->out->width); }
    run_block(p, i, count);
  }
}

// Bits of the whole input, once for all windows that it is part of.
static void pack_input(const rows_part *p, uint64_t *bits) {
  const ssti_kernels_of_level *k = &p->picture->engine->kernels;
  const ssti_engine_value *in = p->in;
  for (int64_t t = 0; t < in->steps; t++) {
    const uint8_t *x = input_of(p, 0, t);
    for (int64_t i = 0; i < in->positions; i++, x += in->channels) {
      for (int plane = 0; plane < in->planes; plane++, bits += p->n->channel_words) {
        k->pack(in->channels, x, plane, bits);
      }
    }
  }
}

typedef struct shared_part {
  rows_part part;
  bool by_outputs;
  int64_t parts;
} shared_part;

static void run_share(void *arg, int64_t begin, int64_t end) {
  const shared_part *shared = arg;
  for (int64_t i = begin; i < end; i++) {
    rows_part p = shared->part;
    p.worker = &p.picture->engine->worker[i];
    if (shared->by_outputs) {
      // Codes for lists are cut into 64 outputs.
      const int64_t unit = by_lists(&p) ? SSTI_EVENT_WIDTH / SSTI_LANES : 1, blocks = p.blocks;
      const int64_t units = (blocks + unit - 1) / unit;
      p.block = ssti_smaller(i * units / shared->parts * unit, blocks);
      p.blocks = ssti_smaller((i + 1) * units / shared->parts * unit, blocks) - p.block;
    } else {
      const int64_t positions = p.end;
      p.first = i * positions / shared->parts;
      p.end = (i + 1) * positions / shared->parts;
    }
    if (p.blocks > 0) { run_synapses(&p); }
  }
}

// Share of the step's inputs that are not 0, or for lists what they count on average; of bytes without a bias.
static double density_of(const rows_part *p) {
  int64_t some = 0;
  const int64_t count = p->in->steps * p->in->count;
  const uint8_t *x = input_of(p, 0, 0);
  for (int64_t i = 0; i < count; i++) { some += p->n->listed ? x[i] : x[i] != 0; }
  return (double)some / (double)count;
}

static void start_synapses(rows_part *p) {
  const sst_engine *e = p->picture->engine;
  p->kernel = p->n->kernel;
  if (p->n->event_below > 0 && density_of(p) < p->n->event_below) { p->kernel = SST_ENGINE_KERNEL_EVENT; }
  if (p->kernel == SST_ENGINE_KERNEL_POPCOUNT) {
    uint64_t *bits = scratch(p, e->at.bits);
    pack_input(p, bits);
    p->bits = bits;
  }
  p->end = p->out->positions;
  p->blocks = p->n->outputs / SSTI_LANES;
  // A neuron's step is worth some fifty multiply-adds.
  const double neurons = p->n->fused >= 0 ? 50.0 * (double)ssti_engine_output(e, p->n->fused)->steps : 0;
  const double sums = (double)p->in->steps * (double)p->n->inputs;
  const double work = (sums + neurons) * (double)p->end * (double)p->n->outputs;
  if (!p->picture->alone || e->workers == 1 || work < PARALLEL_OPERATIONS) {
    run_synapses(p);
    return;
  }
  shared_part shared = {.part = *p, .by_outputs = p->end < 4 * e->workers, .parts = e->workers};
  ssti_parallel_for(e->context, e->workers, 1, run_share, &shared);
}

// ---- other nodes: chunks of 32-bit integers

// x of elements [at, at + count).
static void read_integers(const ssti_engine_value *v, const uint8_t *data, int64_t at, int64_t count, int32_t *x) {
  if (v->narrow) {
    const int32_t bias = (int32_t)v->bias;
    for (int64_t i = 0; i < count; i++) { x[i] = data[at + i] - bias; }
  } else {
    memcpy(x, data + at * 4, (size_t)count * sizeof *x);
  }
}

static void write_integers(const ssti_engine_value *v, uint8_t *data, int64_t at, int64_t count, const int32_t *x) {
  if (v->narrow) {
    const int32_t bias = (int32_t)v->bias;
    for (int64_t i = 0; i < count; i++) { data[at + i] = (uint8_t)(x[i] + bias); }
  } else {
    memcpy(data + at * 4, x, (size_t)count * sizeof *x);
  }
}

static void run_neurons(const rows_part *p) {
  const sst_engine *e = p->picture->engine;
  const neuron_site s = {p->index, p->out};
  int32_t *x = scratch(p, e->at.integers), *state = x + CHUNK;
  const int32_t nothing = 0;
  for (int64_t at = 0; at < p->out->count; at += CHUNK) {
    const int64_t count = ssti_smaller(CHUNK, p->out->count - at);
    begin_states(p, &s, at, count, state);
    for (int64_t t = 0; t < p->out->steps; t++) {
      if (t == 0 || p->in->steps > 1) { read_integers(p->in, input_of(p, 0, t), at, count, x); }
      ssti_lane_rows rows = {.rows = 1, .steps = 1, .count = count, .z = x, .offset = &nothing, .state = state};
      step_neurons(p, &s, t, at, &rows);
    }
    end_states(p, &s, at, count, state);
  }
}

// One position of a pool: channels [c, c + count).
static void pool_position(const rows_part *p, int64_t step, int64_t position, int64_t c, int64_t count, int32_t *x,
                          int32_t *sum) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const bool largest = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL;
  const int64_t row = position / p->out->width * pool->stride_h - pool->pad_h;
  const int64_t column = position % p->out->width * pool->stride_w - pool->pad_w;
  for (int64_t i = 0; i < count; i++) { sum[i] = largest ? INT32_MIN : 0; }
  for (int64_t tap = 0; tap < pool->kernel_h * pool->kernel_w; tap++) {
    const int64_t h = row + tap / pool->kernel_w, w = column + tap % pool->kernel_w;
    if (h < 0 || h >= p->in->height || w < 0 || w >= p->in->width) { continue; }
    read_integers(p->in, input_of(p, 0, step), (h * p->in->width + w) * p->in->channels + c, count, x);
    if (largest) {
      for (int64_t i = 0; i < count; i++) { sum[i] = x[i] > sum[i] ? x[i] : sum[i]; }
    } else {
      for (int64_t i = 0; i < count; i++) { sum[i] += x[i]; }
    }
  }
}

// Positions of the output [first, end) whose windows have column `kw` inside the input.
static void inner_columns(const rows_part *p, int64_t kw, int64_t *first, int64_t *end) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const int64_t before = pool->pad_w - kw, last = p->in->width - 1 + before;
  *first = before > 0 ? (before + pool->stride_w - 1) / pool->stride_w : 0;
  *end = last < 0 ? 0 : ssti_smaller(last / pool->stride_w + 1, p->out->width);
}

// Small numbers: bytes all the way, tap by tap. Only where what lies beyond the border adds nothing.
static void pool_bytes(const rows_part *p, const uint8_t *x, int64_t row, uint8_t *sum) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const bool largest = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL, padded = pool->pad_h + pool->pad_w > 0;
  const int64_t channels = p->in->channels;
  if (padded) { memset(sum, 0, (size_t)(p->out->width * channels)); }
  for (int64_t tap = 0; tap < pool->kernel_h * pool->kernel_w; tap++) {
    const int64_t kw = tap % pool->kernel_w, h = row * pool->stride_h - pool->pad_h + tap / pool->kernel_w;
    int64_t first, end;
    inner_columns(p, kw, &first, &end);
    if (h < 0 || h >= p->in->height || first >= end) { continue; }
    const int64_t from = h * p->in->width + first * pool->stride_w - pool->pad_w + kw;
    p->picture->engine->kernels.pool_bytes(end - first, channels, x + from * channels, pool->stride_w * channels,
                                           sum + first * channels, channels, tap == 0 && !padded, largest);
  }
}

static void run_pool(const rows_part *p) {
  const bool bytes = p->in->narrow && p->out->narrow && p->in->bias == 0 && p->out->bias == 0;
  for (int64_t t = 0; bytes && t < p->out->steps; t++) {
    const uint8_t *from = input_of(p, 0, t);
    uint8_t *to = output_of(p, p->out, t);
    for (int64_t r = 0; r < p->out->height; r++) { pool_bytes(p, from, r, to + r * p->out->width * p->out->channels); }
  }
  if (bytes) { return; }
  int32_t *x = scratch(p, p->picture->engine->at.integers), *sum = x + CHUNK;
  for (int64_t t = 0; t < p->out->steps; t++) {
    for (int64_t position = 0; position < p->out->positions; position++) {
      for (int64_t c = 0; c < p->out->channels; c += CHUNK) {
        const int64_t count = ssti_smaller(CHUNK, p->out->channels - c);
        pool_position(p, t, position, c, count, x, sum);
        write_integers(p->out, output_of(p, p->out, t), position * p->out->channels + c, count, sum);
      }
    }
  }
}

static void run_add(const rows_part *p) {
  int32_t *a = scratch(p, p->picture->engine->at.integers), *b = a + CHUNK;
  const ssti_engine_value *second = ssti_engine_input(p->picture->engine, p->index, 1);
  const int *shift = p->n->node->shift;
  for (int64_t t = 0; t < p->out->steps; t++) {
    for (int64_t at = 0; at < p->out->count; at += CHUNK) {
      const int64_t count = ssti_smaller(CHUNK, p->out->count - at);
      read_integers(p->in, input_of(p, 0, t), at, count, a);
      read_integers(second, input_of(p, 1, t), at, count, b);
      for (int64_t i = 0; i < count; i++) {
        a[i] = (int32_t)(((uint32_t)a[i] << shift[0]) + ((uint32_t)b[i] << shift[1]));
      }
      write_integers(p->out, output_of(p, p->out, t), at, count, a);
    }
  }
}

// The same numbers in the same order, though bounds, and with them the form, may be stated wider.
static void run_flatten(const rows_part *p) {
  int32_t *x = scratch(p, p->picture->engine->at.integers);
  for (int64_t t = 0; t < p->out->steps; t++) {
    if (p->in->narrow == p->out->narrow && p->in->bias == p->out->bias) {
      memcpy(output_of(p, p->out, t), input_of(p, 0, t), (size_t)p->out->count * (p->out->narrow ? 1 : 4));
      continue;
    }
    for (int64_t at = 0; at < p->out->count; at += CHUNK) {
      const int64_t count = ssti_smaller(CHUNK, p->out->count - at);
      read_integers(p->in, input_of(p, 0, t), at, count, x);
      write_integers(p->out, output_of(p, p->out, t), at, count, x);
    }
  }
}

static void tell_observer(const rows_part *p, int index) {
  const sst_engine *e = p->picture->engine;
  const ssti_engine_value *out = ssti_engine_output(e, index);
  int32_t *membranes = scratch(p, e->at.membranes), *spikes = membranes + out->steps * out->count;
  for (int64_t t = 0; t < out->steps; t++) {
    read_integers(out, output_of(p, out, t), 0, out->count, spikes);
    e->options.observer(e->options.observer_state, p->picture->number, e->options.stream ? e->step : t, index, spikes,
                        membranes + t * out->count);
  }
}

void ssti_engine_run_rows(const ssti_engine_picture *picture, int node) {
  const sst_engine *e = picture->engine;
  const ssti_engine_node *n = &e->nodes[node];
  if (n->absorbed || n->node->kind == SST_INTEGER_NODE_READOUT) { return; }
  rows_part p = {.picture = picture,
                 .index = node,
                 .n = n,
                 .in = ssti_engine_input(e, node, 0),
                 .out = ssti_engine_output(e, node),
                 .worker = picture->owner};
  switch (n->node->kind) {
  case SST_INTEGER_NODE_SYNAPSES: start_synapses(&p); break;
  case SST_INTEGER_NODE_NEURONS: run_neurons(&p); break;
  case SST_INTEGER_NODE_SUM_POOL:
  case SST_INTEGER_NODE_MAX_POOL: run_pool(&p); break;
  case SST_INTEGER_NODE_ADD: run_add(&p); break;
  case SST_INTEGER_NODE_FLATTEN: run_flatten(&p); break;
  case SST_INTEGER_NODE_READOUT:
  case SST_INTEGER_NODE_COUNT: break;
  }
  const int neurons = n->node->kind == SST_INTEGER_NODE_NEURONS ? node : n->fused;
  if (e->options.observer != NULL && neurons >= 0) { tell_observer(&p, neurons); }
}
