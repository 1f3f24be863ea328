// SPDX-License-Identifier: Apache-2.0
// Forward, and the gradient of the input, which is a convolution of dy with turned weights. A thread takes some tiles
// at a time, whose points and some output channels of whose products stay in the second-level cache; the weights'
// points stream by from wherever they are.
#include "backend/fast/fast_winograd.h"

#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"

enum {
  LEAST_CHANNELS = 32,
  BLOCK_BYTES = 512 << 10, // of points and products of some tiles
  TILE_STEP = 6,           // rows that a product takes together
  LEAST_TILES = 24         // of a block: below, weights stream by too often
};

bool ssti_winograd_possible(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_fast_state_of(backend)->convolution == SST_CONVOLUTION_WINOGRAD && ssti_fast_is_3x3(s) &&
         s->groups == 1 && s->pad_h <= 2 && s->pad_w <= 2 && s->in_c >= LEAST_CHANNELS && s->out_c >= LEAST_CHANNELS &&
         s->in_c % SSTI_WINOGRAD_LANES == 0 && s->out_c % SSTI_WINOGRAD_LANES == 0;
}

static int64_t tiles_along(int64_t outputs) { return (outputs + SSTI_WINOGRAD_TILE - 1) / SSTI_WINOGRAD_TILE; }

ssti_winograd_pictures ssti_winograd_pictures_out(const ssti_conv2d *s) {
  return (ssti_winograd_pictures){.height = s->out_h,
                                  .width = s->out_w,
                                  .channels = s->out_c,
                                  .type = s->out_type,
                                  .down = tiles_along(s->out_h),
                                  .across = tiles_along(s->out_w)};
}

// The same tiles.
ssti_winograd_pictures ssti_winograd_pictures_in(const ssti_conv2d *s) {
  ssti_winograd_pictures p = ssti_winograd_pictures_out(s);
  p.height = s->in_h, p.width = s->in_w, p.channels = s->in_c, p.type = s->in_type;
  p.top = -s->pad_h, p.left = -s->pad_w;
  return p;
}

static int64_t panel_of(const ssti_backend *backend) { return ssti_fast_state_of(backend)->simd.winograd_panel; }

// Tiles that a thread takes together.
static int64_t block_of(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t tile = SSTI_WINOGRAD_POINTS * (s->in_c + panel_of(backend)) * (int64_t)sizeof(float);
  const int64_t steps = ssti_larger(BLOCK_BYTES / tile, LEAST_TILES) / TILE_STEP;
  return ssti_smaller(steps * TILE_STEP, ssti_winograd_tiles(s));
}

static int64_t slots_of(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t block = block_of(backend, s);
  return ssti_smaller(sst_context_threads(backend->context), (ssti_winograd_tiles(s) + block - 1) / block);
}

static ssti_winograd_layout weights_layout(const ssti_backend *backend, const ssti_conv2d *s) {
  return (ssti_winograd_layout){.rows = s->in_c, .channels = s->out_c, .block = panel_of(backend)};
}

// Elements of a thread's own: points of tiles, products of theirs for some output channels.
static int64_t slot_size(ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t panel = panel_of(backend), block = block_of(backend, s);
  const ssti_winograd_layout points = {.rows = block, .channels = s->in_c, .block = s->in_c};
  const ssti_winograd_layout products = {.rows = block, .channels = panel, .block = panel};
  return ssti_winograd_size(&points) + ssti_winograd_size(&products);
}

// Workspace: zeros for pixels outside, the weights' points, each thread's own.
static int64_t run_size(ssti_backend *backend, const ssti_conv2d *s) {
  const ssti_winograd_layout weights = weights_layout(backend, s);
  return s->in_c + ssti_winograd_size(&weights) + slots_of(backend, s) * slot_size(backend, s);
}

static size_t bytes_of(int64_t elements) { return ssti_fast_round_up((size_t)elements * sizeof(float)); }

size_t ssti_winograd_forward_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  return bytes_of(run_size(backend, s) + SSTI_WINOGRAD_FILTER * s->in_c * s->out_c);
}

size_t ssti_winograd_data_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  const ssti_conv2d turned = ssti_fast_turned_shape(s);
  return bytes_of(run_size(backend, &turned));
}

typedef struct turn_work {
  const ssti_simd *simd;
  int64_t rows, columns;
  const float *from;
  float *to;
} turn_work;

static void turn_range(void *arg, int64_t begin, int64_t end) {
  const turn_work *w = arg;
  w->simd->turn(w->rows, w->columns, 4 * begin, 4 * end, w->from, w->to);
}

void ssti_winograd_turn(ssti_backend *backend, int64_t rows, int64_t columns, const float *from, float *to) {
  turn_work work = {&ssti_fast_state_of(backend)->simd, rows, columns, from, to};
  ssti_parallel_for(backend->context, columns / 4, 1 + 16384 / (4 * rows), turn_range, &work);
}

// Filters with the output channels beside each other: see winograd_filters in simd.h.
typedef struct filters {
  const float *first;
  int64_t row, step;
} filters;

typedef struct winograd_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  int64_t panel, block, slots, slot_size;
  ssti_winograd_layout of_weights;
  filters filters;
  const void *x;
  const float *bias, *zeros;
  float *weights, *rooms;
  void *y;
  bool add;
} winograd_work;

static void filters_range(void *arg, int64_t begin, int64_t end) {
  const winograd_work *w = arg;
  w->simd->winograd_filters(&w->of_weights, begin, end, w->filters.first, w->filters.row, w->filters.step, w->weights);
}

ssti_winograd_fetch ssti_winograd_fetch_tiles(const ssti_winograd_pictures *p, const void *tensor, int64_t begin,
                                              int64_t end, int64_t part, int64_t parts) {
  enum { LINE_BYTES = 64 };
  if (begin >= end) { return (ssti_winograd_fetch){0}; }
  const int64_t of_picture = p->down * p->across;
  const int64_t first = begin / of_picture * p->height + begin % of_picture / p->across * SSTI_WINOGRAD_TILE;
  const int64_t row = ssti_smaller(((end - 1) % of_picture / p->across + 1) * SSTI_WINOGRAD_TILE, p->height);
  const int64_t last = (end - 1) / of_picture * p->height + row;
  const int64_t bytes = p->width * p->channels * (int64_t)ssti_type_bytes(p->type);
  const int64_t lines = (last - first) * bytes / LINE_BYTES, from = lines * part / parts;
  return (ssti_winograd_fetch){.from = (const char *)tensor + first * bytes + from * LINE_BYTES,
                               .lines = lines * (part + 1) / parts - from};
}

// Tiles [begin, end), at most a block of them, and those that follow up to `next`.
typedef struct tile_block {
  int64_t begin, end, next;
} tile_block;

// What products fetch, in turn: inputs of the tiles that follow, and pixels that the outputs of these will overwrite.
static ssti_winograd_fetch fetch_of(const winograd_work *w, const tile_block *t, int64_t panel, int64_t point) {
  const ssti_winograd_pictures in = ssti_winograd_pictures_in(w->s), out = ssti_winograd_pictures_out(w->s);
  const int64_t panels = ssti_winograd_blocks(&w->of_weights), share = SSTI_WINOGRAD_POINTS / 2;
  if (point % 2 == 0) {
    return ssti_winograd_fetch_tiles(&in, w->x, t->end, t->next, panel * share + point / 2, panels * share);
  }
  return ssti_winograd_fetch_tiles(&out, w->y, t->begin, t->end, point / 2, share);
}

// Output channels from `first` on, up to a panel of them.
static void convolve_panel(const winograd_work *w, const tile_block *t, const ssti_winograd_layout *points,
                           const float *inputs, int64_t first, float *sums) {
  const ssti_conv2d *s = w->s;
  const ssti_winograd_pictures out = ssti_winograd_pictures_out(s);
  const int64_t width = ssti_smaller(w->panel, s->out_c - first);
  const ssti_winograd_layout products = {.rows = points->rows, .channels = width, .block = width};
  for (int64_t p = 0; p < SSTI_WINOGRAD_POINTS; p++) {
    ssti_winograd_fetch fetch = fetch_of(w, t, first / w->panel, p);
    for (int64_t in = 0; in < s->in_c; in += SSTI_WINOGRAD_CHAIN) {
      const ssti_winograd_product product = {.rows = points->rows,
                                             .depth = ssti_smaller(SSTI_WINOGRAD_CHAIN, s->in_c - in),
                                             .columns = width,
                                             .a = inputs + ssti_winograd_offset(points, p, 0) + in,
                                             .a_row = s->in_c,
                                             .a_step = 1,
                                             .b = w->weights + ssti_winograd_offset(&w->of_weights, p, first) +
                                                  in * width,
                                             .sums = sums + ssti_winograd_offset(&products, p, 0),
                                             .add = in > 0,
                                             .fetch = fetch};
      w->simd->winograd_multiply(&product);
      fetch = (ssti_winograd_fetch){0};
    }
  }
  w->simd->winograd_outputs(&out, t->begin, t->end, &products, sums, first, w->bias, w->y, w->add);
}

// In a thread's own room.
static void convolve_block(const winograd_work *w, const tile_block *t, float *room) {
  const ssti_conv2d *s = w->s;
  const ssti_winograd_pictures in = ssti_winograd_pictures_in(s);
  const ssti_winograd_layout points = {.rows = t->end - t->begin, .channels = s->in_c, .block = s->in_c};
  w->simd->winograd_inputs(&in, t->begin, 0, points.rows, w->x, w->zeros, &points, room);
  for (int64_t first = 0; first < s->out_c; first += w->panel) {
    convolve_panel(w, t, &points, room, first, room + ssti_winograd_size(&points));
  }
}

static void convolve_range(void *arg, int64_t begin, int64_t end) {
  const winograd_work *w = arg;
  const int64_t tiles = ssti_winograd_tiles(w->s);
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t last = (slot + 1) * tiles / w->slots;
    for (int64_t first = slot * tiles / w->slots; first < last; first += w->block) {
      const tile_block t = {.begin = first,
                            .end = ssti_smaller(first + w->block, last),
                            .next = ssti_smaller(first + 2 * w->block, last)};
      convolve_block(w, &t, w->rooms + slot * w->slot_size);
    }
  }
}

static void run(ssti_backend *backend, const ssti_conv2d *s, const void *x, const filters *weight, const float *bias,
                void *y, bool add, float *workspace) {
  winograd_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                        .s = s,
                        .panel = panel_of(backend),
                        .block = block_of(backend, s),
                        .slots = slots_of(backend, s),
                        .slot_size = slot_size(backend, s),
                        .of_weights = weights_layout(backend, s),
                        .filters = *weight,
                        .x = x,
                        .bias = bias,
                        .zeros = workspace,
                        .weights = workspace + s->in_c,
                        .y = y,
                        .add = add};
  work.rooms = work.weights + ssti_winograd_size(&work.of_weights);
  memset(workspace, 0, (size_t)s->in_c * sizeof *workspace);
  ssti_parallel_for(backend->context, s->in_c, 1 + 4096 / s->out_c, filters_range, &work);
  ssti_parallel_for(backend->context, work.slots, 1, convolve_range, &work);
}

void ssti_winograd_forward(ssti_backend *backend, const ssti_conv2d *s, const void *x, const float *weight,
                           const float *bias, void *y, void *workspace) {
  float *turned = workspace;
  ssti_winograd_turn(backend, s->out_c, SSTI_WINOGRAD_FILTER * s->in_c, weight, turned); // [9, in, out]
  const filters by_output = {.first = turned, .row = s->out_c, .step = s->in_c * s->out_c};
  run(backend, s, x, &by_output, bias, y, false, turned + SSTI_WINOGRAD_FILTER * s->in_c * s->out_c);
}

void ssti_winograd_data(ssti_backend *backend, const ssti_conv2d *s, const void *dy, const float *weight, void *dx,
                        bool accumulate, void *workspace) {
  const ssti_conv2d turned = ssti_fast_turned_shape(s);
  // The filter's numbers from the last to the first.
  const filters by_input = {
      .first = weight + (SSTI_WINOGRAD_FILTER - 1) * s->in_c, .row = SSTI_WINOGRAD_FILTER * s->in_c, .step = -s->in_c};
  run(backend, &turned, dy, &by_input, NULL, dx, accumulate, workspace);
}
