// SPDX-License-Identifier: Apache-2.0
// The gradient of the weights. Points of x and dy are made for a group of tiles, by all threads; then each thread adds
// its share of the points' products. Sums are chains of some tiles, added in order, whatever groups and threads there
// are.
#include <string.h>

#include "backend/fast/fast_winograd.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  GROUP_BYTES = 1200 << 10, // of points of x and dy, for each thread
  GROUP_STEP = SSTI_WINOGRAD_CHAIN,
};

// Tiles of a group.
static int64_t group_of(const ssti_backend *backend, const ssti_conv2d *s) {
  const int64_t tile = SSTI_WINOGRAD_POINTS * (s->in_c + s->out_c) * (int64_t)sizeof(float);
  const int64_t steps = ssti_larger(sst_context_threads(backend->context) * GROUP_BYTES / tile / GROUP_STEP, 1);
  return ssti_smaller(steps * GROUP_STEP, ssti_winograd_tiles(s));
}

// How points of a group and their sums lie.
typedef struct layouts {
  ssti_winograd_layout x, dy, sums;
} layouts;

static layouts layouts_of(const ssti_backend *backend, const ssti_conv2d *s, int64_t tiles) {
  const int64_t panel = ssti_fast_state_of(backend)->simd.winograd_panel;
  return (layouts){.x = {.rows = tiles, .channels = s->in_c, .block = panel},
                   .dy = {.rows = tiles, .channels = s->out_c, .block = panel},
                   .sums = {.rows = s->in_c, .channels = s->out_c, .block = panel}};
}

typedef struct sizes {
  int64_t zeros, x, dy, sums, filters, all; // elements, in this order
} sizes;

static sizes sizes_of(const ssti_backend *backend, const ssti_conv2d *s) {
  const layouts l = layouts_of(backend, s, group_of(backend, s));
  sizes z = {.zeros = ssti_larger(s->in_c, s->out_c),
             .x = ssti_winograd_size(&l.x),
             .dy = ssti_winograd_size(&l.dy),
             .sums = ssti_winograd_size(&l.sums),
             .filters = SSTI_WINOGRAD_FILTER * s->in_c * s->out_c};
  z.all = z.zeros + z.x + z.dy + z.sums + 2 * z.filters; // once more where they are added to what is there
  return z;
}

size_t ssti_winograd_weights_workspace(ssti_backend *backend, const ssti_conv2d *s) {
  return ssti_fast_round_up((size_t)sizes_of(backend, s).all * sizeof(float));
}

typedef struct weights_work {
  const ssti_simd *simd;
  const ssti_conv2d *s;
  layouts of;
  int64_t first; // tile of the group
  const void *x, *dy;
  const float *zeros;
  float *x_points, *dy_points, *sums, *filters;
} weights_work;

// Of the group's tiles [begin, end).
static void points_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const ssti_winograd_pictures in = ssti_winograd_pictures_in(w->s), out = ssti_winograd_pictures_out(w->s);
  w->simd->winograd_inputs(&in, w->first, begin, end, w->x, w->zeros, &w->of.x, w->x_points);
  w->simd->winograd_gradients(&out, w->first, begin, end, w->dy, w->zeros, &w->of.dy, w->dy_points);
}

// One block of input channels, at x, of point and block of outputs number `item`.
static void add_block(const weights_work *w, int64_t item, int64_t in, ssti_winograd_fetch fetch) {
  const int64_t point = item / ssti_winograd_blocks(&w->of.dy),
                out = item % ssti_winograd_blocks(&w->of.dy) * w->of.dy.block;
  const int64_t width = ssti_smaller(w->of.x.block, w->of.x.channels - in);
  const int64_t columns = ssti_smaller(w->of.dy.block, w->of.dy.channels - out);
  for (int64_t tile = 0; tile < w->of.x.rows; tile += SSTI_WINOGRAD_CHAIN) {
    const ssti_winograd_product product = {
        .rows = width,
        .depth = ssti_smaller(SSTI_WINOGRAD_CHAIN, w->of.x.rows - tile),
        .columns = columns,
        .a = w->x_points + ssti_winograd_offset(&w->of.x, point, in) + tile * width,
        .a_row = 1,
        .a_step = width,
        .b = w->dy_points + ssti_winograd_offset(&w->of.dy, point, out) + tile * columns,
        .sums = w->sums + ssti_winograd_offset(&w->of.sums, point, out) + in * columns,
        .add = w->first + tile > 0,
        .fetch = fetch};
    w->simd->winograd_multiply(&product);
    fetch = (ssti_winograd_fetch){0};
  }
}

static void products_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const ssti_winograd_pictures of_x = ssti_winograd_pictures_in(w->s), of_dy = ssti_winograd_pictures_out(w->s);
  const int64_t next = w->first + w->of.x.rows, last = ssti_smaller(next + w->of.x.rows, ssti_winograd_tiles(w->s));
  const int64_t items = SSTI_WINOGRAD_POINTS * ssti_winograd_blocks(&w->of.dy);
  for (int64_t item = begin; item < end; item++) {
    for (int64_t in = 0; in < w->of.x.channels; in += w->of.x.block) {
      const int64_t part = item * ssti_winograd_blocks(&w->of.x) + in / w->of.x.block,
                    parts = items * ssti_winograd_blocks(&w->of.x);
      add_block(w, item, in,
                part % 2 == 0 ? ssti_winograd_fetch_tiles(&of_x, w->x, next, last, part / 2, parts / 2)
                              : ssti_winograd_fetch_tiles(&of_dy, w->dy, next, last, part / 2, parts / 2));
    }
  }
}

static void filters_range(void *arg, int64_t begin, int64_t end) {
  const weights_work *w = arg;
  const int64_t in = w->s->in_c, out = w->s->out_c;
  w->simd->winograd_filters_back(&w->of.sums, begin, end, w->sums, out, in * out, w->filters);
}

void ssti_winograd_weights(ssti_backend *backend, const ssti_conv2d *s, const void *x, const void *dy, float *dweight,
                           bool accumulate, void *workspace) {
  const sizes z = sizes_of(backend, s);
  const int64_t tiles = ssti_winograd_tiles(s), group = group_of(backend, s);
  float *room = workspace;
  weights_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                       .s = s,
                       .x = x,
                       .dy = dy,
                       .zeros = room,
                       .x_points = room + z.zeros,
                       .dy_points = room + z.zeros + z.x,
                       .sums = room + z.zeros + z.x + z.dy,
                       .filters = room + z.zeros + z.x + z.dy + z.sums};
  memset(room, 0, (size_t)z.zeros * sizeof *room);
  for (work.first = 0; work.first < tiles; work.first += group) {
    work.of = layouts_of(backend, s, ssti_smaller(group, tiles - work.first));
    ssti_parallel_for(backend->context, work.of.x.rows, 4, points_range, &work);
    ssti_parallel_for(backend->context, SSTI_WINOGRAD_POINTS * ssti_winograd_blocks(&work.of.dy), 1, products_range,
                      &work);
  }
  ssti_parallel_for(backend->context, s->in_c, 1 + 4096 / s->out_c, filters_range, &work);
  float *turned = accumulate ? work.filters + z.filters : dweight; // [out, 9, in]
  ssti_winograd_turn(backend, SSTI_WINOGRAD_FILTER * s->in_c, s->out_c, work.filters, turned);
  if (accumulate) { ssti_fast_add(backend, z.filters, turned, dweight); }
}
