// SPDX-License-Identifier: Apache-2.0
// Nodes in slices: a whole group of pictures, one bit of each in a word. A tile is 128 bytes of a channel's plane:
// positions, and pictures within them; where a plane is shorter, several steps stand beside each other.
//
// Synapses go over tiles; for each slab of inputs the rows of the tile's windows are put together once, and then all
// outputs count theirs. Counters and states of a tile stay in the second-level cache.
#include <string.h>

#include "base/sizes.h"
#include "deploy/engine_parts.h"

typedef struct slice_part {
  sst_engine *e;
  ssti_engine_worker *worker;
  int index;
  const ssti_engine_node *n;
  const ssti_engine_value *in, *out; // out: what is stored
  int64_t number, pictures;          // of the run, of the group
} slice_part;

// A stretch of the output: bytes [at, at + bytes) of each channel's plane in steps [step, step + steps).
typedef struct tile {
  int64_t at, bytes, step, steps;
} tile;

static uint8_t *plane_of(const slice_part *p, const ssti_engine_value *v, int64_t step, int plane, int64_t channel) {
  const int64_t t = v->steps == 1 ? 0 : step;
  return ssti_engine_slices(p->worker, v) + ((t * v->planes + plane) * v->channels + channel) * v->channel_bytes;
}
static int64_t plane_stride(const ssti_engine_value *v) { return v->channels * v->channel_bytes; }

// ---- windows

typedef struct window {
  int64_t kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
} window;

typedef struct copy_list {
  ssti_copy *copies;
  int count;
} copy_list;

static void push(copy_list *list, int64_t dst, int64_t src, int64_t length) {
  if (length <= 0) { return; }
  if (list->count > 0) {
    ssti_copy *last = &list->copies[list->count - 1];
    const bool follows = src < 0 ? last->src < 0 : last->src >= 0 && last->src + last->length == src;
    if (last->dst + last->length == dst && follows) {
      last->length += (int32_t)length;
      return;
    }
  }
  list->copies[list->count++] = (ssti_copy){.dst = (int32_t)dst, .length = (int32_t)length, .src = src};
}

// A run of positions of one output row, for one tap: what lies beyond the border on the left, inside, and on the right.
static void push_run(const slice_part *p, const window *w, int64_t tap, int64_t row, int64_t column, int64_t count,
                     int64_t dst, int64_t step_at, copy_list *list) {
  const int64_t word = p->e->word, h = row * w->stride_h - w->pad_h + tap / w->kernel_w * w->dilation_h;
  const int64_t first = column * w->stride_w - w->pad_w + tap % w->kernel_w * w->dilation_w;
  if (h < 0 || h >= p->in->height) {
    push(list, dst, -1, count * word);
    return;
  }
  for (int64_t i = 0; i < count;) {
    const int64_t x = first + i * w->stride_w;
    const bool inside = x >= 0 && x < p->in->width;
    int64_t run = 1;
    if (w->stride_w == 1) {
      run = inside ? ssti_smaller(count - i, p->in->width - x) : x < 0 ? ssti_smaller(count - i, -x) : count - i;
    }
    push(list, dst + i * word, inside ? step_at + (h * p->in->width + x) * word : -1, run * word);
    i += run;
  }
}

// What fills a tile's row for one tap, from a channel's plane in the tile's first step.
static copy_list make_copies(const slice_part *p, const window *w, const tile *t, int64_t tap) {
  copy_list list = {(ssti_copy *)(void *)(p->worker->block + p->e->at.copies), 0};
  const int64_t word = p->e->word, a_step = p->in->steps == 1 ? 0 : p->in->planes * plane_stride(p->in);
  for (int64_t step = 0; step < t->steps; step++) {
    for (int64_t at = t->at; at < t->at + t->bytes;) {
      const int64_t position = at / word, column = position % p->out->width;
      const int64_t count = ssti_smaller(p->out->width - column, (t->at + t->bytes - at) / word);
      push_run(p, w, tap, position / p->out->width, column, count, step * t->bytes + at - t->at, step * a_step, &list);
      at += count * word;
    }
  }
  return list;
}

// Calls `run` for every tile, all steps of a stretch before the next; once for a stretch if the input has one step.
typedef void tile_function(const slice_part *p, const tile *t);
static void for_tiles(const slice_part *p, tile_function *run) {
  const int64_t bytes = p->out->channel_bytes, all = ssti_smaller(p->in->steps, p->out->steps);
  const int64_t steps = bytes < SSTI_TILE_BYTES ? SSTI_TILE_BYTES / bytes : 1;
  for (int64_t at = 0; at < bytes; at += SSTI_TILE_BYTES) {
    for (int64_t step = 0; step < all; step += steps) {
      run(p, &(tile){at, ssti_smaller(SSTI_TILE_BYTES, bytes - at), step, ssti_smaller(steps, all - step)});
    }
  }
}

// ---- synapses

static ssti_slab *slab_of(const slice_part *p) { return (ssti_slab *)(void *)(p->worker->block + p->e->at.slab); }

// Rows [first, first + rows) of all inputs, of one plane, into rows of the slab; `some`: in which of them any bit is
// set.
static void fill_slab(const slice_part *p, const window *w, const tile *t, int plane, int64_t first, int64_t rows,
                      uint8_t (*row)[SSTI_TILE_BYTES], uint32_t some[SSTI_SLAB_WORDS]) {
  const int64_t channels = p->in->channels;
  const uint8_t fill = p->in->bias >> plane & 1 ? 255 : 0;
  memset(some, 0, SSTI_SLAB_WORDS * sizeof *some);
  for (int64_t k = 0; k < rows;) {
    const int64_t tap = (first + k) / channels, channel = (first + k) % channels;
    const int64_t count = ssti_smaller(rows - k, channels - channel);
    const copy_list list = make_copies(p, w, t, tap);
    p->e->kernels.slab_fill(row[k], count, plane_of(p, p->in, t->step, plane, channel), p->in->channel_bytes,
                            list.copies, list.count, fill, some, k);
    k += count;
  }
}

static int64_t *skipped_of(const slice_part *p) { return (int64_t *)(void *)(p->worker->block + p->e->at.skipped); }

static void fill_constants(ssti_slab *slab) {
  memset(slab->row[SSTI_SLAB_ZEROS], 0, SSTI_TILE_BYTES);
  memset(slab->row[SSTI_SLAB_ONES], 255, SSTI_TILE_BYTES);
}

// Slab after slab, plane after plane.
static void count_slabs(const slice_part *p, const window *w, const tile *t, uint8_t *counters, int64_t *skipped) {
  const ssti_engine_node *n = p->n;
  ssti_slab *slab = slab_of(p);
  const int64_t size = n->acc_planes * SSTI_TILE_BYTES, row = (1 + n->magnitudes) * n->slab_words;
  uint32_t some[SSTI_SLAB_WORDS];
  for (int plane = 0; plane < p->in->planes; plane++) {
    for (int64_t k = 0; k < n->slabs; k++) {
      const int64_t first = k * n->slab_words * 32, rows = ssti_smaller(n->slab_words * 32, n->inputs - first);
      fill_slab(p, w, t, plane, first, rows, slab->row, some);
      fill_constants(slab);
      const uint32_t *weights = (const uint32_t *)n->weights + k * p->out->channels * row;
      for (int64_t o = 0; o < p->out->channels; o++, weights += row) {
        for (int m = 0; m < n->magnitudes; m++) {
          const int64_t lacks =
              p->e->kernels.slab_sum(weights, weights + (1 + m) * n->slab_words, some, (int)(rows + 31) / 32, slab,
                                     counters + o * size, plane + m, n->acc_planes, plane + m + k == 0);
          skipped[o] += lacks << (plane + m);
        }
      }
    }
  }
}

// Few inputs of several planes, as pixels are: all of them lie in the slab at once.
static bool fits_slab(const slice_part *p) {
  return p->in->planes > 1 && p->n->magnitudes == 1 && p->n->inputs <= 32 &&
         p->n->inputs * p->in->planes <= SSTI_SLAB_ROWS;
}

static void count_numbers(const slice_part *p, const window *w, const tile *t, uint8_t *counters) {
  const ssti_engine_node *n = p->n;
  ssti_slab *slab = slab_of(p);
  uint32_t some[SSTI_SLAB_WORDS];
  for (int plane = 0; plane < p->in->planes; plane++) {
    fill_slab(p, w, t, plane, 0, n->inputs, slab->row + plane * n->inputs, some);
  }
  fill_constants(slab);
  const uint32_t *weights = n->weights;
  for (int64_t o = 0; o < p->out->channels; o++, weights += 2, counters += n->acc_planes * SSTI_TILE_BYTES) {
    p->e->kernels.slab_numbers(weights, weights + 1, (int)n->inputs, p->in->planes, slab, counters, n->acc_planes);
  }
}

// Counters [outputs][acc_planes] of a tile, and what each lacks of complemented rows that were skipped.
static void count_inputs(const slice_part *p, const tile *t) {
  const sst_integer_synapses *s = &p->n->node->synapses;
  const window w = {s->kernel_w, s->stride_h, s->stride_w, s->pad_h, s->pad_w, s->dilation_h, s->dilation_w};
  uint8_t *counters = p->worker->block + p->e->at.counters;
  int64_t *skipped = skipped_of(p);
  memset(skipped, 0, (size_t)p->out->channels * sizeof *skipped);
  if (fits_slab(p)) {
    count_numbers(p, &w, t, counters);
  } else {
    count_slabs(p, &w, t, counters, skipped);
  }
}

static uint8_t *state_of(const slice_part *p, const ssti_slice_neurons *s, int64_t o) {
  return p->worker->block + p->e->at.slice_states + o * s->state_planes * SSTI_TILE_BYTES;
}

// The observer's membranes [pictures][steps][count], out of planes.
static void keep_membranes(const slice_part *p, const ssti_slice_neurons *s, int64_t step, int64_t at, int64_t bytes,
                           int64_t channel, const uint8_t *h) {
  int32_t *membranes = (int32_t *)(void *)(p->worker->block + p->e->at.membranes);
  const int64_t word = p->e->word;
  for (int64_t lane = 0; lane < bytes * 8; lane++) {
    const int64_t picture = lane % (word * 8), position = at / word + lane / (word * 8);
    uint32_t value = 0;
    for (int i = 0; i < 32; i++) {
      const int plane = i < s->width ? i : s->width - 1;
      value |= (uint32_t)(h[plane * SSTI_TILE_BYTES + lane / 8] >> lane % 8 & 1) << i;
    }
    membranes[(picture * p->out->steps + step) * p->out->count + position * p->out->channels + channel] =
        (int32_t)value;
  }
}

// One step of a tile's neurons of a channel.
static void step_neurons(const slice_part *p, int neurons, const tile *t, int64_t step, int64_t channel,
                         const ssti_slice_term *term, int64_t offset) {
  const ssti_slice_neurons *s = &p->e->nodes[neurons].slices;
  uint8_t *h = p->e->options.observer != NULL ? p->worker->block + p->e->at.planes : NULL;
  const int64_t o = p->n->fused >= 0 ? channel : 0;
  const bool begins = step == 0;
  if (begins) { offset += p->e->nodes[neurons].node->neurons.start * (INT64_C(1) << s->state_shift); }
  p->e->kernels.slice_neurons(s, term, offset, t->bytes, begins, state_of(p, s, o),
                              plane_of(p, p->out, step, 0, channel) + t->at, h);
  if (h != NULL) { keep_membranes(p, s, step, t->at, t->bytes, channel, h); }
}

// The currents of a picture that is shown in every step are the same in every step: multiplied once for all.
static void repeat_currents(const slice_part *p, const tile *t, int64_t o, const ssti_slice_term *sum, int64_t offset) {
  const ssti_digits one = ssti_engine_digits(1);
  const int width = p->e->nodes[p->n->fused].slices.width;
  uint8_t *currents = p->worker->block + p->e->at.currents;
  p->e->kernels.slice_affine(sum, 1, offset, width, t->bytes, currents, SSTI_TILE_BYTES);
  const ssti_slice_term term = {currents, SSTI_TILE_BYTES, width, &one};
  for (int64_t step = 0; step < p->out->steps; step++) { step_neurons(p, p->n->fused, t, step, o, &term, 0); }
}

static void run_synapses(const slice_part *p, const tile *t) {
  const ssti_engine_node *n = p->n;
  const int64_t size = n->acc_planes * SSTI_TILE_BYTES;
  const uint8_t *counters = p->worker->block + p->e->at.counters;
  const ssti_engine_node *fused = n->fused >= 0 ? &p->e->nodes[n->fused] : NULL;
  const bool once = fused != NULL && p->in->steps < p->out->steps;
  count_inputs(p, t);
  for (int64_t o = 0; o < p->out->channels; o++) {
    const int64_t offset = n->slice_offset[o] + n->slice_factor[o] * skipped_of(p)[o];
    const ssti_slice_term sum = {counters + o * size, SSTI_TILE_BYTES, n->acc_planes, &n->digits[o]};
    if (once) {
      repeat_currents(p, t, o, &sum, offset);
      continue;
    }
    for (int64_t i = 0; i < t->steps; i++) {
      ssti_slice_term term = sum;
      term.x += i * t->bytes;
      if (fused != NULL) {
        step_neurons(p, n->fused, t, t->step + i, o, &term, offset);
      } else {
        p->e->kernels.slice_affine(&term, 1, offset, p->out->planes, t->bytes,
                                   plane_of(p, p->out, t->step + i, 0, o) + t->at, plane_stride(p->out));
      }
    }
  }
}

// ---- other nodes

static ssti_slice_term stored(const slice_part *p, const ssti_engine_value *v, const tile *t, int64_t step,
                              int64_t channel, const ssti_digits *digits) {
  return (ssti_slice_term){plane_of(p, v, step, 0, channel) + t->at, plane_stride(v), v->planes, digits};
}

// Calls `run` for every channel of every stretch, with all steps in order.
static void for_channels(const slice_part *p, void (*run)(const slice_part *p, const tile *t, int64_t channel)) {
  for (int64_t at = 0; at < p->out->channel_bytes; at += SSTI_TILE_BYTES) {
    const tile t = {at, ssti_smaller(SSTI_TILE_BYTES, p->out->channel_bytes - at), 0, 1};
    for (int64_t c = 0; c < p->out->channels; c++) { run(p, &t, c); }
  }
}

static void run_neurons(const slice_part *p, const tile *t, int64_t channel) {
  const int64_t gain = (int64_t)p->n->node->neurons.gain << p->n->node->neurons.input_shift;
  const ssti_digits digits = ssti_engine_digits(gain);
  for (int64_t step = 0; step < p->out->steps; step++) {
    const ssti_slice_term term = stored(p, p->in, t, step, channel, &digits);
    step_neurons(p, p->index, t, step, channel, &term, -gain * p->in->bias);
  }
}

static void run_add(const slice_part *p, const tile *t, int64_t channel) {
  const ssti_engine_value *second = ssti_engine_input(p->e, p->index, 1);
  const int64_t a = INT64_C(1) << p->n->node->shift[0], b = INT64_C(1) << p->n->node->shift[1];
  const ssti_digits digits[2] = {ssti_engine_digits(a), ssti_engine_digits(b)};
  const int64_t offset = p->out->bias - a * p->in->bias - b * second->bias;
  for (int64_t step = 0; step < p->out->steps; step++) {
    const ssti_slice_term terms[2] = {stored(p, p->in, t, step, channel, &digits[0]),
                                      stored(p, second, t, step, channel, &digits[1])};
    p->e->kernels.slice_affine(terms, 2, offset, p->out->planes, t->bytes,
                               plane_of(p, p->out, step, 0, channel) + t->at, plane_stride(p->out));
  }
}

// A tap of a pool joins the sums of all channels [channels][planes]. The sum counts stored numbers, the border as
// stored zeros; of the largest, the border is least.
static void join_tap(const slice_part *p, const tile *t, int64_t tap, const copy_list *list) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const bool largest = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL;
  const ssti_kernels_of_level *k = &p->e->kernels;
  const ssti_digits one = ssti_engine_digits(1);
  const int64_t bytes = t->steps * t->bytes;
  const int64_t taps = pool->kernel_h * pool->kernel_w;
  const int planes = p->out->planes > p->in->planes ? p->out->planes : p->in->planes;
  uint8_t *row = p->worker->block + p->e->at.slab, *sum = p->worker->block + p->e->at.counters;
  for (int64_t c = 0; c < p->in->channels; c++, sum += planes * SSTI_TILE_BYTES) {
    for (int plane = 0; plane < p->in->planes; plane++) {
      const uint8_t fill = !largest && p->in->bias >> plane & 1 ? 255 : 0;
      k->slab_fill(row + plane * SSTI_TILE_BYTES, 1, plane_of(p, p->in, t->step, plane, c), 0, list->copies,
                   list->count, fill, NULL, 0);
    }
    const ssti_slice_term terms[2] = {{row, SSTI_TILE_BYTES, p->in->planes, &one},
                                      {sum, SSTI_TILE_BYTES, planes, &one}};
    if (tap == 0) {
      k->slice_affine(terms, 1, largest ? 0 : p->out->bias - taps * p->in->bias, planes, bytes, sum, SSTI_TILE_BYTES);
    } else if (largest) {
      k->slice_max(p->in->planes, bytes, row, SSTI_TILE_BYTES, sum, SSTI_TILE_BYTES);
    } else {
      k->slice_affine(terms, 2, 0, planes, bytes, sum, SSTI_TILE_BYTES);
    }
  }
}

// Spikes two by two, stride 2: nothing but whole words at fixed places.
static bool is_pool_of_four(const slice_part *p) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const int planes = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL ? 1 : 3;
  return pool->kernel_h == 2 && pool->kernel_w == 2 && pool->stride_h == 2 && pool->stride_w == 2 && pool->pad_h == 0 &&
         pool->pad_w == 0 && p->in->planes == 1 && p->in->bias == 0 && p->out->planes == planes && p->out->bias == 0;
}

static void run_pool_of_four(const slice_part *p) {
  const bool largest = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL;
  for (int64_t step = 0; step < p->out->steps; step++) {
    for (int64_t c = 0; c < p->out->channels; c++) {
      p->e->kernels.slice_pool((int)p->e->word, p->out->height, p->out->width, plane_of(p, p->in, step, 0, c),
                               p->in->width, largest, plane_of(p, p->out, step, 0, c), plane_stride(p->out));
    }
  }
}

static void run_pool(const slice_part *p, const tile *t) {
  const sst_integer_pool *pool = &p->n->node->pool;
  const window w = {pool->kernel_w, pool->stride_h, pool->stride_w, pool->pad_h, pool->pad_w, 1, 1};
  const bool largest = p->n->node->kind == SST_INTEGER_NODE_MAX_POOL;
  const ssti_digits one = ssti_engine_digits(1);
  const int planes = p->out->planes > p->in->planes ? p->out->planes : p->in->planes;
  for (int64_t tap = 0; tap < pool->kernel_h * pool->kernel_w; tap++) {
    const copy_list list = make_copies(p, &w, t, tap);
    join_tap(p, t, tap, &list);
  }
  // Bounds may be stated wider than they need be, and then the bias of the largest differs.
  const int64_t offset = largest ? p->out->bias - p->in->bias : 0;
  for (int64_t c = 0; c < p->out->channels; c++) {
    const ssti_slice_term term = {p->worker->block + p->e->at.counters + c * planes * SSTI_TILE_BYTES, SSTI_TILE_BYTES,
                                  planes, &one};
    for (int64_t i = 0; i < t->steps; i++) {
      ssti_slice_term now = term;
      now.x += i * t->bytes;
      p->e->kernels.slice_affine(&now, 1, offset, p->out->planes, t->bytes,
                                 plane_of(p, p->out, t->step + i, 0, c) + t->at, plane_stride(p->out));
    }
  }
}

// Words [channels][positions] turned around: channel c at position i becomes channel i * channels + c.
static void turn_words(int64_t word, int64_t channels, int64_t positions, const uint8_t *from, uint8_t *to) {
  for (int64_t i = 0; i < positions; i++, from += word) {
    const uint8_t *x = from;
    if (word == 4) { // the usual: one move, not a call
      for (int64_t c = 0; c < channels; c++, x += positions * 4, to += 4) { memcpy(to, x, 4); }
      continue;
    }
    for (int64_t c = 0; c < channels; c++, x += positions * word, to += word) { memcpy(to, x, (size_t)word); }
  }
}

// All positions' channels become channels of the only position.
static void run_flatten(const slice_part *p) {
  const int64_t word = p->e->word;
  const ssti_digits one = ssti_engine_digits(1);
  const bool same = p->in->bias == p->out->bias && p->in->planes == p->out->planes;
  for (int64_t step = 0; step < p->out->steps; step++) {
    for (int plane = 0; same && plane < p->in->planes; plane++) {
      turn_words(word, p->in->channels, p->in->positions, plane_of(p, p->in, step, plane, 0),
                 plane_of(p, p->out, step, plane, 0));
    }
    for (int64_t i = 0; !same && i < p->out->channels; i++) {
      const int64_t position = i / p->in->channels, channel = i % p->in->channels;
      const tile t = {position * word, word, step, 1};
      const ssti_slice_term term = stored(p, p->in, &t, step, channel, &one);
      p->e->kernels.slice_affine(&term, 1, p->out->bias - p->in->bias, p->out->planes, word,
                                 plane_of(p, p->out, step, 0, i), plane_stride(p->out));
    }
  }
}

// ---- what is told of them

static void count_spikes(const slice_part *p, int neurons) {
  const int64_t word = p->e->word;
  const uint64_t lanes = p->pictures >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << p->pictures) - 1;
  uint64_t mask = 0;
  for (int64_t bit = 0; bit < 64; bit += word * 8) { mask |= lanes << bit; }
  const int64_t bytes = p->out->steps * plane_stride(p->out);
  p->worker->spikes[neurons] += (uint64_t)p->e->kernels.count_bits(bytes, plane_of(p, p->out, 0, 0, 0), mask);
}

static void tell_observer(const slice_part *p, int neurons) {
  const sst_engine *e = p->e;
  int32_t *membranes = (int32_t *)(void *)(p->worker->block + e->at.membranes);
  int32_t *spikes = membranes + e->group * p->out->steps * p->out->count;
  for (int64_t picture = 0; picture < p->pictures; picture++) {
    for (int64_t step = 0; step < p->out->steps; step++) {
      for (int64_t i = 0; i < p->out->count; i++) {
        const uint8_t *word = plane_of(p, p->out, step, 0, i % p->out->channels) + i / p->out->channels * e->word;
        spikes[i] = word[picture / 8] >> picture % 8 & 1;
      }
      e->options.observer(e->options.observer_state, p->number + picture, step, neurons, spikes,
                          membranes + (picture * p->out->steps + step) * p->out->count);
    }
  }
}

void ssti_engine_run_slices(sst_engine *e, ssti_engine_worker *worker, int node, int64_t first, int64_t pictures) {
  const ssti_engine_node *n = &e->nodes[node];
  if (n->absorbed) { return; }
  const slice_part p = {.e = e,
                        .worker = worker,
                        .index = node,
                        .n = n,
                        .in = ssti_engine_input(e, node, 0),
                        .out = ssti_engine_output(e, n->fused >= 0 ? n->fused : node),
                        .number = first,
                        .pictures = pictures};
  switch (n->node->kind) {
  case SST_INTEGER_NODE_SYNAPSES: for_tiles(&p, run_synapses); break;
  case SST_INTEGER_NODE_NEURONS: for_channels(&p, run_neurons); break;
  case SST_INTEGER_NODE_SUM_POOL:
  case SST_INTEGER_NODE_MAX_POOL:
    if (is_pool_of_four(&p)) {
      run_pool_of_four(&p);
    } else {
      for_tiles(&p, run_pool);
    }
    break;
  case SST_INTEGER_NODE_ADD: for_channels(&p, run_add); break;
  case SST_INTEGER_NODE_FLATTEN: run_flatten(&p); break;
  case SST_INTEGER_NODE_READOUT:
  case SST_INTEGER_NODE_COUNT: break;
  }
  const int neurons = n->node->kind == SST_INTEGER_NODE_NEURONS ? node : n->fused;
  if (neurons >= 0) {
    count_spikes(&p, neurons);
    if (e->options.observer != NULL) { tell_observer(&p, neurons); }
  }
}

// ---- between the forms

static uint64_t *packed_of(const ssti_engine_worker *worker, const ssti_engine_value *v, int64_t picture) {
  return (uint64_t *)(void *)(worker->block + v->packed_at + (size_t)picture * v->packed_bytes);
}

void ssti_engine_pack_picture(const sst_engine *e, const ssti_engine_worker *worker, const ssti_engine_value *v,
                              int64_t in_group) {
  const uint8_t *rows = ssti_engine_rows(worker, v, in_group);
  const int64_t words = (v->channels + 63) / 64, size = v->narrow ? 1 : 4;
  uint64_t *bits = packed_of(worker, v, in_group);
  for (int64_t t = 0; t < v->steps; t++) {
    for (int plane = 0; plane < v->planes; plane++) {
      for (int64_t i = 0; i < v->positions; i++, bits += words) {
        const uint8_t *x = rows + (t * v->count + i * v->channels) * size;
        if (v->narrow) {
          e->kernels.pack(v->channels, x, plane, bits);
        } else {
          e->kernels.pack_wide(v->channels, (const int32_t *)(const void *)x, (uint32_t)v->bias, plane, bits);
        }
      }
    }
  }
}

// Eight bytes of one picture are a row of bits, as many rows as make 64; turned around, a row is one bit of one byte of
// all pictures.
static void bytes_to_slices(const sst_engine *e, const ssti_engine_worker *worker, const ssti_engine_value *v,
                            int64_t pictures) {
  uint8_t *slices = ssti_engine_slices(worker, v);
  const int64_t group = e->word * 8, together = 64 / group;
  uint64_t bits[64];
  for (int64_t t = 0; t < v->steps; t++) {
    for (int64_t first = 0; first < v->count; first += 8 * together) {
      memset(bits, 0, sizeof bits);
      for (int64_t q = 0; q < together && first + 8 * q < v->count; q++) {
        // What lies behind the last byte makes rows that nobody takes.
        for (int64_t p = 0; p < pictures; p++) {
          memcpy(&bits[q * group + p], ssti_engine_rows(worker, v, p) + t * v->count + first + 8 * q, 8);
        }
      }
      e->kernels.transpose64(bits);
      for (int64_t i = first; i < ssti_smaller(first + 8 * together, v->count); i++) {
        const int64_t position = i / v->channels, channel = i - position * v->channels, place = i - first;
        for (int plane = 0; plane < v->planes; plane++) {
          uint8_t *to = slices + ((t * v->planes + plane) * v->channels + channel) * v->channel_bytes;
          memcpy(to + position * e->word, (const uint8_t *)&bits[place % 8 * 8 + plane] + place / 8 * e->word,
                 (size_t)e->word);
        }
      }
    }
  }
}

// Bits of up to 64 channels at as many positions as make 64 bits of all pictures: turned around they are the words of
// those positions, one behind the other.
void ssti_engine_to_slices(const sst_engine *e, const ssti_engine_worker *worker, const ssti_engine_value *v,
                           int64_t pictures) {
  if (v->by_bytes) {
    bytes_to_slices(e, worker, v, pictures);
    return;
  }
  uint8_t *slices = ssti_engine_slices(worker, v);
  const int64_t group = e->word * 8, together = 64 / group, words = (v->channels + 63) / 64;
  uint64_t bits[64];
  for (int64_t place = 0; place < v->steps * v->planes; place++) {
    for (int64_t i = 0; i < v->positions; i += together) {
      const int64_t positions = ssti_smaller(together, v->positions - i), bytes = positions * e->word;
      for (int64_t w = 0; w < words; w++) {
        const int64_t count = ssti_smaller(64, v->channels - w * 64);
        memset(bits, 0, sizeof bits);
        for (int64_t p = 0; p < pictures; p++) {
          const uint64_t *from = packed_of(worker, v, p) + (place * v->positions + i) * words + w;
          for (int64_t q = 0; q < positions; q++) { bits[q * group + p] = from[q * words]; }
        }
        e->kernels.transpose64(bits);
        uint8_t *to = slices + (place * v->channels + w * 64) * v->channel_bytes + i * e->word;
        if (bytes == 8) {
          for (int64_t o = 0; o < count; o++) { memcpy(to + o * v->channel_bytes, &bits[o], 8); }
        } else {
          for (int64_t o = 0; o < count; o++) { memcpy(to + o * v->channel_bytes, &bits[o], (size_t)bytes); }
        }
      }
    }
  }
}

// A word of each of up to 64 channels.
static void take_words(int64_t word, int64_t count, const uint8_t *from, int64_t stride, uint64_t bits[64]) {
  memset(bits, 0, 64 * sizeof *bits);
  for (int64_t o = 0; o < count; o++, from += stride) {
    if (word == 4) { // the usual: one move, not a call
      memcpy(&bits[o], from, 4);
    } else {
      memcpy(&bits[o], from, (size_t)word);
    }
  }
}

// The same as unpack for 32 bits, less the bias.
static void unpack_wide(int64_t count, int planes, const uint64_t *bits, int64_t bias, int32_t *x) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t sum = (uint32_t)-bias;
    for (int plane = 0; plane < planes; plane++) { sum += (uint32_t)(bits[plane * 64] >> i & 1) << plane; }
    x[i] = (int32_t)sum;
  }
}

void ssti_engine_to_rows(const sst_engine *e, const ssti_engine_worker *worker, const ssti_engine_value *v,
                         int64_t pictures) {
  const ssti_kernels_of_level *k = &e->kernels;
  const int64_t size = v->narrow ? 1 : 4;
  uint64_t bits[SSTI_ENGINE_VALUE_PLANES][64];
  for (int64_t i = 0; i < v->steps * v->positions; i++) {
    const int64_t step = i / v->positions, position = i - step * v->positions;
    for (int64_t c = 0; c < v->channels; c += 64) {
      const int64_t count = ssti_smaller(64, v->channels - c);
      for (int plane = 0; plane < v->planes; plane++) {
        const uint8_t *from = ssti_engine_slices(worker, v) + position * e->word +
                              ((step * v->planes + plane) * v->channels + c) * v->channel_bytes;
        take_words(e->word, count, from, v->channel_bytes, bits[plane]);
        k->transpose64(bits[plane]);
      }
      for (int64_t p = 0; p < pictures; p++) {
        uint8_t *x = ssti_engine_rows(worker, v, p) + (i * v->channels + c) * size;
        if (v->narrow) {
          k->unpack(count, v->planes, &bits[0][p], x);
        } else {
          unpack_wide(count, v->planes, &bits[0][p], v->bias, (int32_t *)(void *)x);
        }
      }
    }
  }
}
