// SPDX-License-Identifier: Apache-2.0
// Event-driven convolutions of 3x3 and stride 1, forward: the list of a pixel's spikes is walked once for all nine taps
// and sixteen outputs, whose weights for one word of channels stay in the first-level cache (9 * 64 * 64 bytes), with
// the rows of sums that are worked on. Where channels are more than one word, sums of whole pictures wait for the next
// one, and weights are read once for some pictures.
#include <string.h>

#include "backend/fast/fast_event.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  LANES = SSTI_EVENT_LANES,
  TAPS = 9,
  FARTHEST_PAD = 2,   // every sum has an input
  ROWS_TOGETHER = 3,  // that a row of inputs adds to
  GROUP_PIXELS = 512, // that share a reading of weights
  BLOCK_GRAIN = 16
};

bool ssti_event_is_nine(const ssti_conv2d *s) {
  return ssti_fast_is_3x3(s) && s->pad_h <= FARTHEST_PAD && s->pad_w <= FARTHEST_PAD;
}

static int64_t pictures_of_group(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t threads = sst_context_threads(backend->context);
  const int64_t share = (s->images + threads - 1) / threads;
  return ssti_smaller(share, ssti_larger(1, GROUP_PIXELS / (s->in_h * s->in_w)));
}

static int64_t groups_of(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t group = pictures_of_group(backend, s);
  return (s->images + group - 1) / group;
}

static int64_t slots_of(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_smaller(sst_context_threads(backend->context), groups_of(backend, s));
}

// A row of sums: columns that lie outside the picture are summed and left out.
static int64_t row_length(const ssti_conv2d *s) { return (s->in_w + 2) * LANES; }

// Rows of sums of a picture that are kept at a time.
static int64_t rows_kept(const ssti_conv2d *s) { return ssti_event_words(s->in_c) == 1 ? ROWS_TOGETHER : s->out_h; }

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct group_layout {
  size_t sums, outside, start, list, all;
} group_layout;

static group_layout layout_of(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t pictures = pictures_of_group(backend, s), pixels = pictures * s->in_h * s->in_w;
  group_layout l = {
      .sums = (size_t)(pictures * rows_kept(s) * row_length(s)) * sizeof(float),
      .outside = (size_t)row_length(s) * sizeof(float),
      .start = ssti_fast_round_up((size_t)(pixels * ssti_event_words(s->in_c) + 1) * sizeof(uint32_t)),
      .list = ssti_fast_round_up((size_t)(pixels * s->in_c + SSTI_EVENT_SLACK) * sizeof(uint16_t)),
  };
  l.all = l.sums + l.outside + l.start + l.list;
  return l;
}

static size_t bias_bytes(const ssti_conv2d *s) {
  return ssti_fast_round_up((size_t)ssti_event_padded(s->out_c) * sizeof(float));
}

static size_t weight_bytes(const ssti_conv2d *s) {
  return (size_t)(TAPS * s->in_c * ssti_event_padded(s->out_c)) * sizeof(float);
}

size_t ssti_event_nine_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  return bias_bytes(s) + weight_bytes(s) + (size_t)slots_of(backend, s) * layout_of(backend, s).all;
}

typedef struct nine_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  group_layout layout;
  int64_t pictures, groups, slots;
  ssti_event_matrix matrix;
  const float *weight;
  float *blocks;
  const uint64_t *bits;
  const float *bias;
  void *y;
  char *workspace;
} nine_work;

static void to_nines_range(void *arg, int64_t begin, int64_t end) {
  const nine_work *w = arg;
  w->simd->event_to_nines(&w->matrix, begin, end, w->weight, w->blocks);
}

// A picture, a word of its channels and a block of outputs.
typedef struct picture_part {
  int64_t image, word, first; // first: output channel
  const uint32_t *start;      // of the picture
  const uint16_t *list;
  float *sums, *outside; // of the picture; of rows that lie outside
} picture_part;

static float *row_of(const ssti_conv2d *s, const picture_part *p, int64_t row) {
  return p->sums + row % rows_kept(s) * row_length(s);
}

// Of the few rows that no row of inputs reads by its first tap; others begin there.
static void begin_row(const nine_work *w, const picture_part *p, int64_t row) {
  float *to = row_of(w->s, p, row);
  for (int64_t i = 0; i < w->s->in_w + 2; i++) { memcpy(to + i * LANES, w->bias + p->first, LANES * sizeof *to); }
}

static void put_row(const nine_work *w, const picture_part *p, int64_t row) {
  const ssti_conv2d *s = w->s;
  const float *sums = row_of(s, p, row) + (FARTHEST_PAD - s->pad_w) * LANES;
  const int64_t real = ssti_smaller(LANES, s->out_c - p->first);
  const int64_t at = (p->image * s->out_h + row) * s->out_w * s->out_c + p->first;
  if (s->out_type == SSTI_BF16) {
    w->simd->event_put_bf16(s->out_w, real, sums, s->out_c, (ssti_bf16 *)w->y + at);
  } else {
    w->simd->event_put(s->out_w, real, sums, s->out_c, (float *)w->y + at);
  }
}

// Row after row of inputs: rows of sums begin with the bias at their first input and are put behind the last.
static void add_part(const nine_work *w, const picture_part *p) {
  const ssti_conv2d *s = w->s;
  const int64_t words = ssti_event_words(s->in_c);
  const bool begins = p->word == 0, ends = p->word + 1 == words;
  for (int64_t row = 0; begins && row < s->pad_h; row++) { begin_row(w, p, row); }
  int64_t put = ends ? 0 : s->out_h;
  for (int64_t iy = 0; iy < s->in_h; iy++) {
    const int64_t lowest = iy + s->pad_h; // row of outputs that reads this row by its first tap
    ssti_event_row row = {.pixels = s->in_w,
                          .words = words,
                          .start = p->start + iy * s->in_w * words + p->word,
                          .list = p->list,
                          .weights = w->blocks + p->first * TAPS * s->in_c,
                          .bias = begins ? w->bias + p->first : NULL};
    for (int64_t ky = 0; ky < 3; ky++) {
      const int64_t oy = lowest - ky;
      row.sums[ky] = oy >= 0 && oy < s->out_h ? row_of(s, p, oy) : p->outside;
    }
    w->simd->event_nine_taps(&row);
    for (; put <= ssti_smaller(lowest - 2, s->out_h - 1); put++) { put_row(w, p, put); }
  }
  for (; put < s->out_h; put++) { put_row(w, p, put); }
}

static void forward_group(const nine_work *w, char *slot, int64_t group) {
  const ssti_conv2d *s = w->s;
  float *sums = (float *)(void *)slot;
  float *outside = (float *)(void *)(slot + w->layout.sums);
  uint32_t *start = (uint32_t *)(void *)((char *)outside + w->layout.outside);
  uint16_t *list = (uint16_t *)(void *)((char *)start + w->layout.start);
  const int64_t words = ssti_event_words(s->in_c), pixels = s->in_h * s->in_w;
  const int64_t image = group * w->pictures, count = ssti_smaller(w->pictures, s->images - image);
  w->simd->event_pixel_lists(count * pixels, words, w->bits + image * pixels * words, start, list);
  for (int64_t first = 0; first < s->out_c; first += LANES) {
    for (int64_t word = 0; word < words; word++) {
      for (int64_t i = 0; i < count; i++) {
        const picture_part part = {.image = image + i,
                                   .word = word,
                                   .first = first,
                                   .start = start + i * pixels * words,
                                   .list = list,
                                   .sums = sums + i * rows_kept(s) * row_length(s),
                                   .outside = outside};
        add_part(w, &part);
      }
    }
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const nine_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    char *slot = w->workspace + (size_t)i * w->layout.all;
    memset(slot + w->layout.sums, 0, w->layout.outside);
    for (int64_t group = i * w->groups / w->slots; group < (i + 1) * w->groups / w->slots; group++) {
      forward_group(w, slot, group);
    }
  }
}

void ssti_event_nine_forward(ssti_backend *backend, const ssti_conv2d *s, const void *saved, const float *weight,
                             const float *bias, void *y, void *workspace) {
  const int64_t filter = TAPS * s->in_c;
  float *offsets = workspace;
  float *blocks = (float *)(void *)((char *)workspace + bias_bytes(s));
  memset(offsets, 0, bias_bytes(s));
  if (bias != NULL) { memcpy(offsets, bias, (size_t)s->out_c * sizeof *bias); }
  nine_work work = {
      .simd = &ssti_fast_state_of(backend)->simd,
      .s = s,
      .layout = layout_of(backend, s),
      .pictures = pictures_of_group(backend, s),
      .groups = groups_of(backend, s),
      .slots = slots_of(backend, s),
      .matrix = {.out_c = s->out_c, .rows = filter, .stride = filter, .scale = ssti_event_found(saved).value},
      .weight = weight,
      .blocks = blocks,
      .bits = ssti_event_bits(saved),
      .bias = offsets,
      .y = y,
      .workspace = (char *)blocks + weight_bytes(s)};
  ssti_parallel_for(backend->context, s->in_c, BLOCK_GRAIN, to_nines_range, &work);
  ssti_parallel_for(backend->context, work.slots, 1, forward_range, &work);
}
