// SPDX-License-Identifier: Apache-2.0
// Sums of synapses by lists of events. What counts in a row of the input becomes a list of places once, and is read by
// all windows that it is part of: a window's list is put together from stretches of those, shifted to where the taps'
// codes stand, and a kernel adds the rows of codes that it names. Rows of the input are held for as many rows as a
// window has, and made as the windows move down.
#include <string.h>

#include "base/sizes.h"
#include "deploy/engine_parts.h"

enum {
  TILE_INPUTS = 576,                          // rows of 64 bytes: three quarters of a first-level cache of 48 KiB
  LARGEST_COUNT = 7,                          // what an input may count
  LARGEST_MAGNITUDES = 4,                     // bits of a code without its sign
  LARGEST_LISTS = 1 << 18,                    // bytes
  SLACK = 64,                                 // places behind a list that kernels write
  MOST_TAPS = TILE_INPUTS / SSTI_EVENT_WIDTH, // of a tile
  MOST_ROWS = MOST_TAPS,
};

static int64_t parts_of(int64_t all, int64_t part) { return (all + part - 1) / part; }

// ---- how they are cut

// Lists of a row of the input in one step and channel part: where each position's begins, then places.
static int64_t starts_bytes(const ssti_engine_value *in) { return (in->width + 1) * (int64_t)sizeof(uint32_t); }
static int64_t list_bytes(const ssti_engine_node *n, const ssti_engine_value *in) {
  return (starts_bytes(in) + (n->tiling.places + SLACK) * (int64_t)sizeof(uint16_t) + 7) / 8 * 8;
}
static int64_t list_count(const ssti_engine_node *n, const ssti_engine_value *in) {
  return n->tiling.held * in->steps * n->tiling.channel_parts;
}
// Where list `i` begins: before them stands which row each of the held is, behind them a window's own list.
static int64_t list_at(const ssti_engine_node *n, const ssti_engine_value *in, int64_t i) {
  return n->tiling.held * (int64_t)sizeof(int64_t) + i * list_bytes(n, in);
}

void ssti_engine_plan_events(const sst_engine *e, int index) {
  ssti_engine_node *n = &e->nodes[index];
  const sst_integer_synapses *w = &n->node->synapses;
  const ssti_engine_value *in = ssti_engine_input(e, index, 0), *out = ssti_engine_output(e, index);
  const int64_t most = e->network->values[n->node->input[0]].high;
  n->listed = false;
  if (!in->narrow || in->bias != 0 || most < 1 || most > LARGEST_COUNT || n->magnitudes > LARGEST_MAGNITUDES ||
      w->kernel_w * SSTI_EVENT_WIDTH > TILE_INPUTS) {
    return;
  }
  ssti_engine_tiling *t = &n->tiling;
  t->kernel_rows = ssti_smaller(w->kernel_h, TILE_INPUTS / (w->kernel_w * SSTI_EVENT_WIDTH));
  t->row_parts = parts_of(w->kernel_h, t->kernel_rows);
  const int64_t taps = t->kernel_rows * w->kernel_w;
  t->channels = ssti_smaller(in->channels, TILE_INPUTS / taps / 64 * 64);
  t->channel_parts = parts_of(in->channels, t->channels);
  t->inputs = taps * t->channels;
  t->blocks = parts_of(out->channels, SSTI_EVENT_WIDTH);
  t->together = INT8_MAX / ((1 << n->magnitudes) - 1) / 8 * 8;
  t->held = ssti_smaller(in->height, (w->kernel_h - 1) * w->dilation_h + 1);
  t->places = in->width * t->channels * most;
  const int64_t lists = list_at(n, in, list_count(n, in)), window = t->inputs * most + 2 * SLACK;
  if (lists > LARGEST_LISTS) { return; }
  t->lists_bytes = (size_t)lists + (size_t)window * sizeof(uint16_t);
  n->listed = true;
}

int64_t ssti_engine_event_place(const ssti_engine_node *n, int64_t tap, int64_t channel, int64_t output) {
  const ssti_engine_tiling *t = &n->tiling;
  const int64_t kernel_w = n->node->synapses.kernel_w, kh = tap / kernel_w;
  const int64_t part = channel / t->channels * t->row_parts + kh / t->kernel_rows;
  const int64_t tile = part * t->blocks + output / SSTI_EVENT_WIDTH;
  const int64_t row = ((kh % t->kernel_rows) * kernel_w + tap % kernel_w) * t->channels + channel % t->channels;
  return (tile * (t->inputs + 1) + row) * SSTI_EVENT_WIDTH + output % SSTI_EVENT_WIDTH;
}

// ---- lists of the input's rows

typedef struct row_list {
  uint32_t *start; // [width + 1]
  uint16_t *place;
} row_list;

static int64_t *held_of(const ssti_engine_events *v) { return (int64_t *)(void *)v->lists; }

static row_list list_of(const ssti_engine_events *v, int64_t row, int64_t step, int64_t part) {
  const ssti_engine_tiling *t = &v->node->tiling;
  const int64_t which = (row % t->held * v->in->steps + step) * t->channel_parts + part;
  uint8_t *at = v->lists + list_at(v->node, v->in, which);
  return (row_list){(uint32_t *)(void *)at, (uint16_t *)(void *)(at + starts_bytes(v->in))};
}

static uint16_t *window_of(const ssti_engine_events *v) {
  return (uint16_t *)(void *)(v->lists + list_at(v->node, v->in, list_count(v->node, v->in)));
}

void ssti_engine_begin_events(const ssti_engine_events *v) {
  for (int64_t i = 0; i < v->node->tiling.held; i++) { held_of(v)[i] = -1; }
}

static void list_row(const ssti_engine_events *v, int64_t row) {
  const ssti_engine_tiling *t = &v->node->tiling;
  const ssti_engine_value *in = v->in;
  for (int64_t step = 0; step < in->steps; step++) {
    const uint8_t *x = v->x + step * in->count + row * in->width * in->channels;
    for (int64_t part = 0; part < t->channel_parts; part++) {
      const row_list list = list_of(v, row, step, part);
      const int64_t first = part * t->channels, count = ssti_smaller(t->channels, in->channels - first);
      int64_t found = 0;
      for (int64_t i = 0; i < in->width; i++) {
        list.start[i] = (uint32_t)found;
        found += v->engine->kernels.event_list(count, x + i * in->channels + first, in->planes,
                                               (uint16_t)(i * t->channels * SSTI_EVENT_WIDTH), list.place + found);
      }
      list.start[in->width] = (uint32_t)found;
      *v->counted += (uint64_t)found;
    }
  }
  held_of(v)[row % t->held] = row;
}

// ---- windows

// Columns [first, end) of a row of the input, which stand at `tap` of the kernel's part.
static ssti_event_stretch columns_of(const ssti_engine_tiling *t, row_list list, int64_t first, int64_t end,
                                     int64_t tap) {
  const int64_t shift = (tap - first) * t->channels * SSTI_EVENT_WIDTH;
  return (ssti_event_stretch){list.place + list.start[first], (int64_t)list.start[end] - (int64_t)list.start[first],
                              (uint16_t)shift};
}

// What a window of one tile is put together from; `lists` are of the rows of the kernel's part, NULL beyond the border.
static int make_stretches(const ssti_engine_events *v, const row_list *lists, int64_t column,
                          ssti_event_stretch *stretches) {
  const ssti_engine_tiling *t = &v->node->tiling;
  const sst_integer_synapses *w = &v->node->node->synapses;
  const int64_t corner = column * w->stride_w - w->pad_w;
  int count = 0;
  for (int64_t kh = 0; kh < t->kernel_rows; kh++) {
    const int64_t tap = kh * w->kernel_w;
    if (lists[kh].place == NULL) { continue; }
    if (w->dilation_w == 1) {
      const int64_t first = corner < 0 ? 0 : corner, end = ssti_smaller(corner + w->kernel_w, v->in->width);
      if (first < end) { stretches[count++] = columns_of(t, lists[kh], first, end, tap + first - corner); }
      continue;
    }
    for (int64_t kw = 0; kw < w->kernel_w; kw++) {
      const int64_t x = corner + kw * w->dilation_w;
      if (x >= 0 && x < v->in->width) { stretches[count++] = columns_of(t, lists[kh], x, x + 1, tap + kw); }
    }
  }
  return count;
}

static void hold_rows(const ssti_engine_events *v, int64_t row) {
  const sst_integer_synapses *w = &v->node->node->synapses;
  for (int64_t kh = 0; kh < w->kernel_h; kh++) {
    const int64_t h = row * w->stride_h - w->pad_h + kh * w->dilation_h;
    if (h >= 0 && h < v->in->height && held_of(v)[h % v->node->tiling.held] != h) { list_row(v, h); }
  }
}

// The lists of a part of a window's rows in one step.
static void find_lists(const ssti_engine_events *v, int64_t row, int64_t step, int64_t part, row_list *lists) {
  const ssti_engine_tiling *t = &v->node->tiling;
  const sst_integer_synapses *w = &v->node->node->synapses;
  const int64_t first = part % t->row_parts * t->kernel_rows;
  for (int64_t i = 0; i < t->kernel_rows; i++) {
    const int64_t h = row * w->stride_h - w->pad_h + (first + i) * w->dilation_h;
    const bool inside = h >= 0 && h < v->in->height && first + i < w->kernel_h;
    lists[i] = inside ? list_of(v, h, v->in->steps == 1 ? 0 : step, part / t->row_parts) : (row_list){NULL, NULL};
  }
}

void ssti_engine_event_sums(const ssti_engine_events *v, int64_t position, int64_t positions, int64_t step,
                            int64_t steps, int64_t first, int64_t count, int32_t *z, int64_t z_stride) {
  const ssti_engine_tiling *t = &v->node->tiling;
  const int64_t row = position / v->out_width, column = position - row * v->out_width;
  const int64_t tile_bytes = (t->inputs + 1) * SSTI_EVENT_WIDTH;
  ssti_event_tile tile = {
      .together = t->together, .zeros = (uint16_t)(t->inputs * SSTI_EVENT_WIDTH), .room = window_of(v)};
  row_list lists[MOST_ROWS];
  ssti_event_stretch stretches[MOST_TAPS];
  hold_rows(v, row);
  for (int64_t part = 0; part < t->channel_parts * t->row_parts; part++) {
    for (int64_t o = 0; o < count; o += SSTI_EVENT_WIDTH) {
      const int64_t outputs = ssti_smaller(SSTI_EVENT_WIDTH, count - o);
      tile.rows =
          (const int8_t *)v->node->event_weights + (part * t->blocks + (first + o) / SSTI_EVENT_WIDTH) * tile_bytes;
      for (int64_t k = 0; k < steps; k++) {
        find_lists(v, row, step + k, part, lists);
        for (int64_t i = 0; i < positions; i++) {
          const int found = make_stretches(v, lists, column + i, stretches);
          v->engine->kernels.event_sum(stretches, found, &tile, outputs, part == 0, z + (i * steps + k) * z_stride + o);
        }
      }
    }
  }
}
