// SPDX-License-Identifier: Apache-2.0
// Event-driven gradients of a linear layer's weights: row i of dW^T is the sum of the rows of dy at which input i
// fired. Threads work on 64 inputs at a time, so that no sum is split among them.
#include <string.h>

#include "backend/fast/fast_event.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum { TILE = 1024, GRAIN = 64 };

static size_t dy_bytes(const ssti_linear *s) {
  return ssti_fast_round_up((size_t)(s->rows * ssti_event_padded(s->out)) * sizeof(float));
}

// What a thread needs of its own; sizes in bytes, in this order.
typedef struct slot_layout {
  size_t sums, pixels, start, list, all;
} slot_layout;

static slot_layout slot_layout_of(const ssti_linear *s) {
  slot_layout l = {.sums = (size_t)(SSTI_EVENT_WORD * ssti_event_padded(s->out)) * sizeof(float),
                   .pixels = TILE * sizeof(uint64_t),
                   .start = ssti_fast_round_up((SSTI_EVENT_WORD + 1) * sizeof(uint32_t)),
                   .list = ssti_fast_round_up((size_t)(TILE * SSTI_EVENT_WORD + SSTI_EVENT_SLACK) * sizeof(uint16_t))};
  l.all = l.sums + l.pixels + l.start + l.list;
  return l;
}

static int64_t slots_of(ssti_backend *backend, const ssti_linear *s) {
  return ssti_smaller(sst_context_threads(backend->context), ssti_event_words(s->in));
}

size_t ssti_event_linear_weights_workspace(ssti_backend *backend, const ssti_linear *s) {
  return dy_bytes(s) + (size_t)slots_of(backend, s) * slot_layout_of(s).all;
}

typedef struct linear_work {
  const ssti_simd *simd;
  const ssti_linear *s;
  slot_layout layout;
  int64_t slots;
  const uint64_t *bits;
  const float *dy;
  float *blocks; // dy, each block [rows, width]
  char *workspace;
  float scale;
  float *dweight;
  bool accumulate;
} linear_work;

static void copy_range(void *arg, int64_t begin, int64_t end) {
  const linear_work *w = arg;
  const int64_t out = w->s->out, padded = ssti_event_padded(out);
  for (int64_t first = 0; first < padded;) {
    const int64_t width = ssti_event_width(padded - first), real = ssti_smaller(width, out - first);
    for (int64_t r = begin; r < end; r++) {
      float *to = w->blocks + first * w->s->rows + r * width;
      if (w->s->out_type == SSTI_BF16) {
        w->simd->widen(real, (const ssti_bf16 *)(const void *)w->dy + r * out + first, to);
      } else {
        memcpy(to, w->dy + r * out + first, (size_t)real * sizeof *to);
      }
      if (real < width) { memset(to + real, 0, (size_t)(width - real) * sizeof *to); }
    }
    first += width;
  }
}

// Adds what rows [row, row + count) give to the gradients of a word's inputs.
static void add_tile(const linear_work *w, char *slot, int64_t word, int64_t row, int64_t count) {
  float *sums = (float *)(void *)slot;
  uint64_t *pixels = (uint64_t *)(void *)(slot + w->layout.sums);
  uint32_t *start = (uint32_t *)(void *)((char *)pixels + w->layout.pixels);
  uint16_t *list = (uint16_t *)(void *)((char *)start + w->layout.start);
  const int64_t words = ssti_event_words(w->s->in), padded = ssti_event_padded(w->s->out);
  const int64_t groups = (count + SSTI_EVENT_WORD - 1) / SSTI_EVENT_WORD;
  for (int64_t i = 0; i < groups * SSTI_EVENT_WORD; i++) {
    pixels[i] = i < count ? w->bits[(row + i) * words + word] : 0;
  }
  (void)w->simd->event_channel_lists(SSTI_EVENT_WORD, groups, pixels, start, list, 0);
  for (int64_t first = 0; first < padded;) {
    const int64_t width = ssti_event_width(padded - first);
    const ssti_event_lists lists = {.targets = SSTI_EVENT_WORD, .start = start, .list = list};
    w->simd->event_sum(&lists, width, w->blocks + first * w->s->rows + row * width, sums + first * SSTI_EVENT_WORD);
    first += width;
  }
}

static void weights_range(void *arg, int64_t begin, int64_t end) {
  const linear_work *w = arg;
  const int64_t words = ssti_event_words(w->s->in);
  for (int64_t i = begin; i < end; i++) {
    char *slot = w->workspace + (size_t)i * w->layout.all;
    for (int64_t word = i; word < words; word += w->slots) {
      memset(slot, 0, w->layout.sums);
      for (int64_t row = 0; row < w->s->rows; row += TILE) {
        add_tile(w, slot, word, row, ssti_smaller(TILE, w->s->rows - row));
      }
      const ssti_event_matrix m = {.out_c = w->s->out, .rows = SSTI_EVENT_WORD, .stride = w->s->in, .scale = w->scale};
      w->simd->event_from_blocks(&m, 0, ssti_smaller(SSTI_EVENT_WORD, w->s->in - word * SSTI_EVENT_WORD),
                                 (const float *)(void *)slot, 1, 0, w->dweight + word * SSTI_EVENT_WORD, w->accumulate);
    }
  }
}

void ssti_event_linear_weights(ssti_backend *backend, const ssti_linear *s, const void *saved, const float *dy,
                               float *dweight, bool accumulate, void *workspace) {
  const ssti_event_saved found = ssti_event_found(saved);
  linear_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                      .s = s,
                      .layout = slot_layout_of(s),
                      .slots = slots_of(backend, s),
                      .bits = ssti_event_bits(saved),
                      .dy = dy,
                      .blocks = workspace,
                      .workspace = (char *)workspace + dy_bytes(s),
                      .scale = found.value,
                      .dweight = dweight,
                      .accumulate = accumulate};
  ssti_parallel_for(backend->context, s->rows, GRAIN, copy_range, &work);
  ssti_parallel_for(backend->context, work.slots, 1, weights_range, &work);
}
