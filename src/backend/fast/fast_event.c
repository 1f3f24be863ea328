// SPDX-License-Identifier: Apache-2.0
// Event-driven convolutions and linear layers (event.h): packing, the choice by density, forward, gradients of weights.
//
// Gradients of a convolution's weights are sums of rows of dy, chosen by where an input channel fired. Pictures are
// laid on a grid with room for the kernel beside and below them, one after the other, so that a kernel position is a
// constant distance between an input and the output it contributes to. With strides each residue of the position
// ("phase") has a grid of its own. A tile of pixels of the grid becomes lists of pixels for each channel, which serve
// all kernel positions and output channels. Threads work on ranges of pictures with sums of their own, added in order
// at the end.
#include "backend/fast/fast_event.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"

enum {
  LEAST_CHANNELS = 16, // that a word of bits is worth
  SETUP = 48,          // dense positions that cost as much as bringing weights into blocks
  CHUNKS = 64,         // of packing
  PACK_GRAIN = 32768,  // elements that are worth a thread
  TILE = 256,
  LONG_TILE = 1024, // pixels; long where the gradients do not stay in the second-level cache
  CACHED_BYTES = 512 << 10,
  PARTIAL_BYTES = 64 << 20, // of all threads' sums at most, where there is more than one
  BAND_PIXELS = 128,        // of a band of outputs
  TOGETHER = 2,             // words of input channels
  BLOCK_GRAIN = 64          // rows of blocks that are worth a thread
};

static size_t round_up(size_t bytes) { return ssti_fast_round_up(bytes); }

static int64_t filter_of(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w * s->in_c; }

// ---- the choice

bool ssti_event_possible(double forward, double weights, int64_t channels) {
  const double most = forward > weights ? forward : weights;
  if (channels > UINT16_MAX + 1) { return false; } // lists hold 16 bits
  return most >= 1.0 || (most > 0.0 && channels >= LEAST_CHANNELS);
}

static bool wins(double crossover, int64_t channels, int64_t positions, const ssti_event_saved *found) {
  if (!found->binary) { return false; }
  if (crossover >= 1.0) { return true; }
  const double filling = channels < SSTI_EVENT_WORD ? (double)channels / SSTI_EVENT_WORD : 1.0;
  return found->density <= crossover * filling * (1.0 - (double)SETUP / (double)positions);
}

// ---- packing

ssti_event_saved ssti_event_found(const void *saved) {
  ssti_event_saved found;
  memcpy(&found, saved, sizeof found);
  return found;
}

const uint64_t *ssti_event_bits(const void *saved) {
  return (const uint64_t *)(const void *)((const char *)saved + round_up(sizeof(ssti_event_saved)));
}

size_t ssti_event_saved_bytes(int64_t pixels, int64_t channels) {
  return round_up(sizeof(ssti_event_saved)) +
         round_up((size_t)(pixels * ssti_event_words(channels)) * sizeof(uint64_t));
}

typedef struct pack_work {
  const ssti_simd *simd;
  int64_t pixels, channels;
  const void *x; // of `type`
  ssti_type type;
  uint64_t *bits;
  ssti_event_census census[CHUNKS];
} pack_work;

static void pack_range(void *arg, int64_t begin, int64_t end) {
  pack_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * w->pixels / CHUNKS, last = (i + 1) * w->pixels / CHUNKS;
    uint64_t *bits = w->bits + first * ssti_event_words(w->channels);
    if (w->type == SSTI_BF16) {
      const ssti_bf16 *x = (const ssti_bf16 *)w->x + first * w->channels;
      w->simd->event_pack_bf16(last - first, w->channels, x, bits, &w->census[i]);
    } else {
      const float *x = (const float *)w->x + first * w->channels;
      w->simd->event_pack(last - first, w->channels, x, bits, &w->census[i]);
    }
  }
}

static void pack(ssti_backend *backend, int64_t pixels, int64_t channels, const void *x, ssti_type type, void *saved) {
  pack_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .pixels = pixels,
                    .channels = channels,
                    .x = x,
                    .type = type,
                    .bits = (uint64_t *)(void *)((char *)saved + round_up(sizeof(ssti_event_saved)))};
  const int64_t per_chunk = 1 + pixels * channels / CHUNKS;
  ssti_parallel_for(backend->context, CHUNKS, 1 + PACK_GRAIN / per_chunk, pack_range, &work);
  ssti_event_saved all = {.binary = true};
  for (int i = 0; i < CHUNKS; i++) {
    const ssti_event_census *c = &work.census[i];
    all.binary = all.binary && c->binary && isfinite(c->value) &&
                 (c->value == 0.0f || all.value == 0.0f || c->value == all.value);
    if (c->value != 0.0f) { all.value = c->value; }
    all.count += c->count;
  }
  all.density = (double)all.count / (double)(pixels * channels);
  memcpy(saved, &all, sizeof all);
}

bool ssti_event_look(ssti_backend *backend, ssti_plan *plan, int64_t pixels, int64_t channels, const void *x,
                     ssti_type type, void *saved, double crossover, int64_t positions) {
  pack(backend, pixels, channels, x, type, saved);
  const ssti_event_saved found = ssti_event_found(saved);
  plan->density = found.binary ? found.density : -1.0;
  return ssti_event_look_again(plan, channels, saved, crossover, positions);
}

bool ssti_event_look_again(ssti_plan *plan, int64_t channels, const void *saved, double crossover, int64_t positions) {
  const ssti_event_saved found = ssti_event_found(saved);
  plan->forward_by_events = wins(crossover, channels, positions, &found);
  return plan->forward_by_events;
}

bool ssti_event_recall(ssti_plan *plan, int64_t channels, const void *saved, double crossover, int64_t positions) {
  const ssti_event_saved found = ssti_event_found(saved);
  plan->weights_by_events = wins(crossover, channels, positions, &found);
  return plan->weights_by_events;
}

// ---- weights and their gradients as blocks

typedef struct block_work {
  const ssti_simd *simd;
  ssti_event_matrix matrix;
  const float *weight;
  float *blocks;
} block_work;

static void to_blocks_range(void *arg, int64_t begin, int64_t end) {
  const block_work *w = arg;
  w->simd->event_to_blocks(&w->matrix, begin, end, w->weight, w->blocks);
}

static ssti_event_matrix matrix_of(const ssti_conv2d *s, float scale) {
  return (ssti_event_matrix){.out_c = s->out_c, .rows = filter_of(s), .stride = filter_of(s), .scale = scale};
}

typedef struct join_work {
  const ssti_simd *simd;
  ssti_event_matrix matrix;
  const float *sums;
  int64_t slots, distance;
  float *dweight;
  bool accumulate;
} join_work;

static void join_range(void *arg, int64_t begin, int64_t end) {
  const join_work *w = arg;
  w->simd->event_from_blocks(&w->matrix, begin, end, w->sums, w->slots, w->distance, w->dweight, w->accumulate);
}

void ssti_event_join_sums(ssti_backend *backend, const ssti_conv2d *s, float scale, const void *sums, int64_t slots,
                          size_t slot_bytes, float *dweight, bool accumulate) {
  join_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .matrix = matrix_of(s, scale),
                    .sums = sums,
                    .slots = slots,
                    .distance = (int64_t)(slot_bytes / sizeof(float)),
                    .dweight = dweight,
                    .accumulate = accumulate};
  ssti_parallel_for(backend->context, filter_of(s), BLOCK_GRAIN, join_range, &work);
}

// ---- forward

// Output rows are worked on in bands of a picture, whose sums stay in the first-level cache, one kernel position and
// two words of channels after the other, so that their weights do too.
static int64_t band_of(const ssti_conv2d *s) { return ssti_smaller(ssti_larger(1, BAND_PIXELS / s->out_w), s->out_h); }

// Input rows that a band sees.
static int64_t band_inputs(const ssti_conv2d *s) {
  return ssti_smaller(s->in_h, (band_of(s) - 1) * s->stride_h + (s->kernel_h - 1) * s->dilation_h + 1);
}

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct band_layout {
  size_t sums, start, list, all;
} band_layout;

static band_layout band_layout_of(const ssti_conv2d *s) {
  const int64_t in = band_inputs(s) * s->in_w;
  band_layout l = {.sums = (size_t)(band_of(s) * s->out_w * SSTI_EVENT_WIDTH) * sizeof(float),
                   .start = round_up((size_t)(in * ssti_event_words(s->in_c) + 1) * sizeof(uint32_t)),
                   .list = round_up((size_t)(in * s->in_c + SSTI_EVENT_SLACK) * sizeof(uint16_t))};
  l.all = l.sums + l.start + l.list;
  return l;
}

static int64_t bands_of(const ssti_conv2d *s) { return (s->out_h + band_of(s) - 1) / band_of(s); }

static bool takes_nine(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_event_is_nine(s) && ssti_fast_state_of(backend)->simd.event_nine_taps != NULL;
}

static int64_t forward_slots(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_smaller(sst_context_threads(backend->context), s->images * bands_of(s));
}

// Enough for the loops of any instruction set.
size_t ssti_event_forward_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  const size_t padded = (size_t)ssti_event_padded(s->out_c);
  const size_t banded = round_up(padded * sizeof(float)) + round_up((size_t)filter_of(s) * padded * sizeof(float)) +
                        (size_t)forward_slots(backend, s) * band_layout_of(s).all;
  return ssti_event_is_nine(s) ? ssti_larger_size(banded, ssti_event_nine_workspace(backend, s)) : banded;
}

typedef struct forward_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  band_layout layout;
  int64_t slots;
  const uint64_t *bits;
  const float *blocks, *bias;
  float *y;
  char *workspace;
} forward_work;

static void add_all_taps(const forward_work *w, const ssti_event_tap *band, int64_t width, const float *weights,
                         float *sums) {
  const ssti_conv2d *s = w->s;
  const int64_t words = ssti_event_words(s->in_c);
  // The order of additions of ssti_event_nine_forward, so that sums are the same bits with any instruction set.
  const int64_t together = ssti_event_is_nine(s) ? 1 : words;
  ssti_event_tap tap = *band;
  for (int64_t from = 0; from < words; from += together) {
    const int64_t to = ssti_smaller(from + together, words);
    for (tap.ky = 0; tap.ky < s->kernel_h; tap.ky++) {
      for (tap.kx = 0; tap.kx < s->kernel_w; tap.kx++) {
        const float *source = weights + (tap.ky * s->kernel_w + tap.kx) * s->in_c * width;
        for (tap.first_word = from; tap.first_word < to; tap.first_word = tap.last_word) {
          tap.last_word = ssti_smaller(tap.first_word + TOGETHER, to);
          w->simd->event_tap(&tap, width, source, sums);
        }
      }
    }
  }
}

// Sums [pixels, width] of `real` channels to the output, from element `at` on.
static void put_sums(const forward_work *w, int64_t real, int64_t pixels, const float *sums, int64_t width,
                     int64_t at) {
  const int64_t step = w->s->out_c;
  if (w->s->out_type == SSTI_BF16) {
    ssti_bf16 *y = (ssti_bf16 *)(void *)w->y + at;
    for (int64_t p = 0; p < pixels; p++) { w->simd->narrow(real, sums + p * width, y + p * step); }
  } else {
    float *y = w->y + at;
    for (int64_t p = 0; p < pixels; p++) { memcpy(y + p * step, sums + p * width, (size_t)real * sizeof *y); }
  }
}

static void forward_band(const forward_work *w, char *slot, int64_t image, int64_t row, int64_t rows) {
  const ssti_conv2d *s = w->s;
  float *sums = (float *)(void *)slot;
  uint32_t *start = (uint32_t *)(void *)(slot + w->layout.sums);
  uint16_t *list = (uint16_t *)(void *)((char *)start + w->layout.start);
  const int64_t words = ssti_event_words(s->in_c), padded = ssti_event_padded(s->out_c), pixels = rows * s->out_w;
  const int64_t first_in = ssti_larger(0, row * s->stride_h - s->pad_h);
  const int64_t last_in =
      ssti_smaller(s->in_h, (row + rows - 1) * s->stride_h - s->pad_h + (s->kernel_h - 1) * s->dilation_h + 1);
  w->simd->event_pixel_lists(ssti_larger(0, last_in - first_in) * s->in_w, words,
                             w->bits + (image * s->in_h + first_in) * s->in_w * words, start, list);
  const ssti_event_tap band = {
      .shape = s, .row = row, .rows = rows, .first_in = first_in, .start = start, .list = list};
  const int64_t at = (image * s->out_h + row) * s->out_w * s->out_c;
  for (int64_t first = 0; first < padded;) {
    const int64_t width = ssti_event_width(padded - first);
    for (int64_t p = 0; p < pixels; p++) { memcpy(sums + p * width, w->bias + first, (size_t)width * sizeof *sums); }
    add_all_taps(w, &band, width, w->blocks + first * filter_of(s), sums);
    put_sums(w, ssti_smaller(width, s->out_c - first), pixels, sums, width, at + first);
    first += width;
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const forward_work *w = arg;
  const int64_t bands = bands_of(w->s), band = band_of(w->s), items = w->s->images * bands;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t item = i * items / w->slots; item < (i + 1) * items / w->slots; item++) {
      const int64_t row = item % bands * band;
      forward_band(w, w->workspace + (size_t)i * w->layout.all, item / bands, row,
                   ssti_smaller(band, w->s->out_h - row));
    }
  }
}

void ssti_event_conv2d_forward(ssti_backend *backend, const ssti_conv2d *s, const void *saved, const float *weight,
                               const float *bias, float *y, void *workspace) {
  if (takes_nine(backend, s)) {
    ssti_event_nine_forward(backend, s, saved, weight, bias, y, workspace);
    return;
  }
  const ssti_event_saved found = ssti_event_found(saved);
  const ssti_simd *simd = &ssti_fast_state_of(backend)->simd;
  const size_t padded = (size_t)ssti_event_padded(s->out_c);
  float *offsets = workspace;
  float *blocks = (float *)(void *)((char *)workspace + round_up(padded * sizeof(float)));
  memset(offsets, 0, padded * sizeof *offsets);
  if (bias != NULL) { memcpy(offsets, bias, (size_t)s->out_c * sizeof *bias); }
  block_work to = {.simd = simd, .matrix = matrix_of(s, found.value), .weight = weight, .blocks = blocks};
  ssti_parallel_for(backend->context, filter_of(s), BLOCK_GRAIN, to_blocks_range, &to);
  forward_work work = {.simd = simd,
                       .s = s,
                       .layout = band_layout_of(s),
                       .slots = forward_slots(backend, s),
                       .bits = ssti_event_bits(saved),
                       .blocks = blocks,
                       .bias = offsets,
                       .y = y,
                       .workspace = (char *)blocks + round_up((size_t)filter_of(s) * padded * sizeof(float))};
  ssti_parallel_for(backend->context, work.slots, 1, forward_range, &work);
}

// ---- gradients of a convolution's weights

// The grid that pictures lie on (see above): distances between pixels of an output and of the inputs it sees.
typedef struct grid {
  int64_t reach_h, reach_w; // largest distance, in rows and in columns
  int64_t h, w, reach;      // rows and columns of a picture; largest distance in pixels
  int64_t tile;
} grid;

static grid grid_of(const ssti_conv2d *s) {
  grid g = {.reach_h = (s->kernel_h - 1) * s->dilation_h / s->stride_h,
            .reach_w = (s->kernel_w - 1) * s->dilation_w / s->stride_w};
  g.h = s->out_h + g.reach_h;
  g.w = s->out_w + g.reach_w;
  g.reach = g.reach_h * g.w + g.reach_w;
  const int64_t gradient = filter_of(s) * ssti_event_padded(s->out_c) * (int64_t)sizeof(float);
  g.tile = gradient > CACHED_BYTES ? LONG_TILE : TILE;
  return g;
}

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct slot_layout {
  size_t gradient, rows, pixels, start, list, all;
} slot_layout;

static slot_layout slot_layout_of(const ssti_conv2d *s) {
  const grid g = grid_of(s);
  const int64_t words = ssti_event_words(s->in_c);
  slot_layout l = {.gradient = round_up((size_t)(filter_of(s) * ssti_event_padded(s->out_c)) * sizeof(float)),
                   .rows = round_up((size_t)((g.tile + g.reach) * SSTI_EVENT_WIDTH) * sizeof(float)),
                   .pixels = round_up((size_t)g.tile * sizeof(uint64_t)),
                   .start = round_up((size_t)(words * (SSTI_EVENT_WORD + 1)) * sizeof(uint32_t)),
                   .list = round_up((size_t)(g.tile * s->in_c + SSTI_EVENT_SLACK) * sizeof(uint16_t))};
  l.all = l.gradient + l.rows + l.pixels + l.start + l.list;
  return l;
}

static int64_t slots_of(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t most = ssti_larger(1, PARTIAL_BYTES / (int64_t)slot_layout_of(s).all);
  return ssti_smaller(ssti_smaller(sst_context_threads(backend->context), s->images), most);
}

size_t ssti_event_conv2d_weights_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  return (size_t)slots_of(backend, s) * slot_layout_of(s).all;
}

typedef struct weights_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  grid g;
  slot_layout layout;
  int64_t slots;
  const uint64_t *bits;
  const float *dy;
  char *workspace;
} weights_work;

// A place on the grid, and how to go on from it.
typedef struct place {
  int64_t image, row, column;
} place;

static place place_of(const grid *g, int64_t at) {
  return (place){.image = at / (g->h * g->w), .row = at / g->w % g->h, .column = at % g->w};
}

static void next_row(const grid *g, place *p) {
  p->column = 0;
  if (++p->row == g->h) { p->row = 0, p->image++; }
}

// Copies dy of [at, at + count) of the grid, `width` channels from `first` on; zeros where there is no output.
static void copy_rows(const weights_work *w, int64_t at, int64_t count, int64_t first, int64_t width, float *to) {
  const ssti_conv2d *s = w->s;
  const int64_t real = ssti_smaller(width, s->out_c - first);
  if (at < 0) { // before the first picture
    const int64_t before = ssti_smaller(-at, count);
    memset(to, 0, (size_t)(before * width) * sizeof *to);
    to += before * width, at = 0, count -= before;
  }
  for (place p = place_of(&w->g, at); count > 0; next_row(&w->g, &p)) {
    const int64_t length = ssti_smaller(w->g.w - p.column, count);
    int64_t inside =
        p.row < s->out_h && p.image < s->images ? ssti_smaller(ssti_larger(s->out_w - p.column, 0), length) : 0;
    int64_t from = ((p.image * s->out_h + p.row) * s->out_w + p.column) * s->out_c + first;
    for (int64_t i = 0; i < inside; i++, to += width, from += s->out_c) {
      if (s->out_type == SSTI_BF16) {
        w->simd->widen(real, (const ssti_bf16 *)(const void *)w->dy + from, to);
      } else {
        memcpy(to, w->dy + from, (size_t)real * sizeof *to);
      }
      if (real < width) { memset(to + real, 0, (size_t)(width - real) * sizeof *to); }
    }
    memset(to, 0, (size_t)((length - inside) * width) * sizeof *to);
    to += (length - inside) * width;
    count -= length;
  }
}

// Word `word` of the input pixels on [at, at + count) of a phase's grid, zeros up to a multiple of 64.
static void copy_pixels(const weights_work *w, int64_t phase_h, int64_t phase_w, int64_t at, int64_t count,
                        int64_t word, uint64_t *to) {
  const ssti_conv2d *s = w->s;
  const int64_t words = ssti_event_words(s->in_c);
  memset(to, 0, (size_t)((count + SSTI_EVENT_WORD - 1) / SSTI_EVENT_WORD * SSTI_EVENT_WORD) * sizeof *to);
  for (place p = place_of(&w->g, at); count > 0; next_row(&w->g, &p)) {
    const int64_t length = ssti_smaller(w->g.w - p.column, count);
    const int64_t iy = p.row * s->stride_h + phase_h - s->pad_h;
    if (iy >= 0 && iy < s->in_h && p.image < s->images) {
      const uint64_t *from = w->bits + ((p.image * s->in_h + iy) * s->in_w) * words + word;
      for (int64_t i = 0; i < length; i++) {
        const int64_t ix = (p.column + i) * s->stride_w + phase_w - s->pad_w;
        if (ix >= 0 && ix < s->in_w) { to[i] = from[ix * words]; }
      }
    }
    to += length;
    count -= length;
  }
}

// Lists of one phase of a tile, all channels: word after word, each with an end of its own.
static void make_lists(const weights_work *w, int64_t phase_h, int64_t phase_w, int64_t at, int64_t count,
                       uint64_t *pixels, uint32_t *start, uint16_t *list) {
  const int64_t groups = (count + SSTI_EVENT_WORD - 1) / SSTI_EVENT_WORD;
  int64_t filled = 0;
  for (int64_t word = 0; word < ssti_event_words(w->s->in_c); word++) {
    copy_pixels(w, phase_h, phase_w, at, count, word, pixels);
    const int64_t channels = ssti_smaller(SSTI_EVENT_WORD, w->s->in_c - word * SSTI_EVENT_WORD);
    filled = w->simd->event_channel_lists(channels, groups, pixels, start + word * (SSTI_EVENT_WORD + 1), list, filled);
  }
}

// One block of output channels: all kernel positions of a phase.
static void add_taps(const weights_work *w, int64_t phase_h, int64_t phase_w, int64_t width, const uint32_t *start,
                     const uint16_t *list, const float *rows, float *block) {
  const ssti_conv2d *s = w->s;
  for (int64_t ky = 0; ky < s->kernel_h; ky++) {
    for (int64_t kx = 0; kx < s->kernel_w; kx++) {
      const int64_t y = ky * s->dilation_h, x = kx * s->dilation_w;
      if (y % s->stride_h != phase_h || x % s->stride_w != phase_w) { continue; }
      const int64_t distance = y / s->stride_h * w->g.w + x / s->stride_w;
      for (int64_t word = 0; word < ssti_event_words(s->in_c); word++) {
        const int64_t c = word * SSTI_EVENT_WORD;
        const ssti_event_lists lists = {.targets = ssti_smaller(SSTI_EVENT_WORD, s->in_c - c),
                                        .start = start + word * (SSTI_EVENT_WORD + 1),
                                        .list = list};
        w->simd->event_sum(&lists, width, rows + (w->g.reach - distance) * width,
                           block + ((ky * s->kernel_w + kx) * s->in_c + c) * width);
      }
    }
  }
}

static bool has_phase(int64_t phase, int64_t kernel, int64_t stride, int64_t dilation) {
  for (int64_t k = 0; k < kernel; k++) {
    if (k * dilation % stride == phase) { return true; }
  }
  return false;
}

static void add_tile(const weights_work *w, char *slot, int64_t at, int64_t count) {
  const ssti_conv2d *s = w->s;
  float *gradient = (float *)(void *)slot, *rows = (float *)(void *)(slot + w->layout.gradient);
  uint64_t *pixels = (uint64_t *)(void *)((char *)rows + w->layout.rows);
  uint32_t *start = (uint32_t *)(void *)((char *)pixels + w->layout.pixels);
  uint16_t *list = (uint16_t *)(void *)((char *)start + w->layout.start);
  const int64_t padded = ssti_event_padded(s->out_c);
  for (int64_t phase_h = 0; phase_h < s->stride_h; phase_h++) {
    if (!has_phase(phase_h, s->kernel_h, s->stride_h, s->dilation_h)) { continue; }
    for (int64_t phase_w = 0; phase_w < s->stride_w; phase_w++) {
      if (!has_phase(phase_w, s->kernel_w, s->stride_w, s->dilation_w)) { continue; }
      make_lists(w, phase_h, phase_w, at, count, pixels, start, list);
      for (int64_t first = 0; first < padded;) {
        const int64_t width = ssti_event_width(padded - first);
        copy_rows(w, at - w->g.reach, count + w->g.reach, first, width, rows);
        add_taps(w, phase_h, phase_w, width, start, list, rows, gradient + first * filter_of(s));
        first += width;
      }
    }
  }
}

static void weights_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const int64_t picture = w->g.h * w->g.w;
  for (int64_t i = begin; i < end; i++) {
    char *slot = w->workspace + (size_t)i * w->layout.all;
    memset(slot, 0, w->layout.gradient);
    const int64_t last = (i + 1) * w->s->images / w->slots * picture;
    for (int64_t at = i * w->s->images / w->slots * picture; at < last; at += w->g.tile) {
      add_tile(w, slot, at, ssti_smaller(w->g.tile, last - at));
    }
  }
}

void ssti_event_conv2d_weights(ssti_backend *backend, const ssti_conv2d *s, const void *saved, const float *dy,
                               float *dweight, bool accumulate, void *workspace) {
  const ssti_event_saved found = ssti_event_found(saved);
  weights_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                       .s = s,
                       .g = grid_of(s),
                       .layout = slot_layout_of(s),
                       .slots = slots_of(backend, s),
                       .bits = ssti_event_bits(saved),
                       .dy = dy,
                       .workspace = workspace};
  ssti_parallel_for(backend->context, work.slots, 1, weights_range, &work);
  ssti_event_join_sums(backend, s, found.value, workspace, work.slots, work.layout.all, dweight, accumulate);
}
