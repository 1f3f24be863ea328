// SPDX-License-Identifier: Apache-2.0
#include "run/cost_count.h"

#include <string.h>

// Calls `visit` for every tap of an output site whose input lies inside the picture.
typedef void visit_function(void *user, int64_t tap, int64_t in_h, int64_t in_w);

static void for_each_tap(const sst_cost_layer *l, const ssti_cost_geometry *g, int64_t out_h, int64_t out_w,
                         visit_function *visit, void *user) {
  for (int64_t kh = 0; kh < l->kernel_height; kh++) {
    const int64_t h = out_h * l->stride_height - g->pad_h + kh * g->dilation_h;
    if (h < 0 || h >= l->in_height) { continue; }
    for (int64_t kw = 0; kw < l->kernel_width; kw++) {
      const int64_t w = out_w * l->stride_width - g->pad_w + kw * g->dilation_w;
      if (w >= 0 && w < l->in_width) { visit(user, kh * l->kernel_width + kw, h, w); }
    }
  }
}

typedef struct fan_making {
  const sst_cost_layer *layer;
  const float *weights;
  float *fan;
  double dense;
} fan_making;

// Adds, for one tap, the outputs whose weight there is not zero.
static void add_fan(void *user, int64_t tap, int64_t in_h, int64_t in_w) {
  fan_making *m = user;
  const sst_cost_layer *l = m->layer;
  int64_t inside = l->in_channels / l->groups, outputs = l->out_channels / l->groups;
  int64_t taps = l->kernel_height * l->kernel_width;
  float *to = m->fan + (in_h * l->in_width + in_w) * l->in_channels;
  for (int64_t group = 0; group < l->groups; group++) {
    for (int64_t o = group * outputs; o < (group + 1) * outputs; o++) {
      const float *w = m->weights + (o * taps + tap) * inside;
      for (int64_t c = 0; c < inside; c++) { to[group * inside + c] += w[c] != 0.0f ? 1.0f : 0.0f; }
    }
  }
  m->dense += (double)(inside * l->out_channels);
}

void ssti_cost_fan(const sst_cost_layer *layer, const ssti_cost_geometry *geometry, const float *weights, float *fan,
                   int64_t *zero_weights, double *dense_operations) {
  memset(fan, 0, (size_t)(layer->in_height * layer->in_width * layer->in_channels) * sizeof *fan);
  fan_making making = {.layer = layer, .weights = weights, .fan = fan};
  for (int64_t site = 0; site < layer->out_height * layer->out_width; site++) {
    for_each_tap(layer, geometry, site / layer->out_width, site % layer->out_width, add_fan, &making);
  }
  *dense_operations = making.dense;
  *zero_weights = 0;
  for (int64_t i = 0; i < layer->weights; i++) { *zero_weights += weights[i] == 0.0f; }
}

// Spikes of each place and input tile: [H,W,tiles].
static void count_tiles(const sst_cost_layer *l, const float *x, double spike_value, int64_t crossbar, int64_t tiles,
                        float *out) {
  int64_t places = l->in_height * l->in_width;
  for (int64_t place = 0; place < places; place++) {
    for (int64_t tile = 0; tile < tiles; tile++) {
      int64_t first = tile * crossbar, last = first + crossbar < l->in_channels ? first + crossbar : l->in_channels;
      float sum = 0;
      for (int64_t c = first; c < last; c++) { sum += x[place * l->in_channels + c]; }
      out[place * tiles + tile] = sum / (float)spike_value;
    }
  }
}

// Spikes that one tile of crossbars sees at an output site.
typedef struct tile_sum {
  const float *spikes; // [H,W,tiles]
  int64_t width, tiles, tile;
  double seen;
} tile_sum;

static void add_spikes(void *user, int64_t tap, int64_t in_h, int64_t in_w) {
  (void)tap;
  tile_sum *sum = user;
  sum->seen += (double)sum->spikes[(in_h * sum->width + in_w) * sum->tiles + sum->tile];
}

static void count_crossbars(const sst_cost_layer *l, const ssti_cost_geometry *g, int64_t crossbar, int64_t tiles,
                            const float *spikes, ssti_cost_counts *out) {
  int64_t out_tiles = (l->out_channels + crossbar - 1) / crossbar;
  for (int64_t oh = 0; oh < l->out_height; oh++) {
    for (int64_t ow = 0; ow < l->out_width; ow++) {
      bool any = false;
      for (int64_t tile = 0; tile < tiles; tile++) {
        tile_sum sum = {.spikes = spikes, .width = l->in_width, .tiles = tiles, .tile = tile};
        for_each_tap(l, g, oh, ow, add_spikes, &sum);
        out->rows += sum.seen;
        out->patches += sum.seen > 0;
        any = any || sum.seen > 0;
      }
      out->sites += any ? (double)out_tiles : 0;
    }
  }
}

// Sums in f32 lanes, folded into double after each piece. Spikes and their averages are multiples of a power of
// two, and what a lane sums in a piece stays below 2^24, so that it is exact.
typedef float lanes __attribute__((vector_size(16)));
enum { LANES = 4, STREAMS = 4, STRIDE = LANES * STREAMS, PIECE = 4096 };

static lanes load(const float *x) {
  lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

static double sum_of(const lanes v[STREAMS]) {
  const lanes all = (v[0] + v[1]) + (v[2] + v[3]);
  return ((double)all[0] + (double)all[1]) + ((double)all[2] + (double)all[3]);
}

// Where values are 0 and 1 their sum is the number of those that are not zero.
static void count_binary(const float *x, const float *fan, int64_t length, ssti_cost_counts *sums) {
  lanes sum[STREAMS] = {0}, operations[STREAMS] = {0};
  const int64_t whole = length - length % STRIDE;
  for (int64_t i = 0; i < whole; i += STRIDE) {
    for (int s = 0; s < STREAMS; s++) {
      const lanes value = load(x + i + s * LANES);
      sum[s] += value;
      operations[s] += value * load(fan + i + s * LANES);
    }
  }
  for (int64_t i = whole; i < length; i++) {
    sums->inputs += (double)x[i];
    sums->operations += (double)(x[i] * fan[i]);
  }
  sums->inputs += sum_of(sum);
  sums->operations += sum_of(operations);
}

static void count_values(const float *x, const float *fan, int64_t length, ssti_cost_counts *sums, double *nonzeros) {
  lanes sum[STREAMS] = {0}, nonzero[STREAMS] = {0}, operations[STREAMS] = {0};
  const int64_t whole = length - length % STRIDE;
  for (int64_t i = 0; i < whole; i += STRIDE) {
    for (int s = 0; s < STREAMS; s++) {
      const lanes value = load(x + i + s * LANES);
      const lanes is_nonzero = -__builtin_convertvector(value != 0.0f, lanes); // true is -1
      sum[s] += value;
      nonzero[s] += is_nonzero;
      operations[s] += is_nonzero * load(fan + i + s * LANES);
    }
  }
  for (int64_t i = whole; i < length; i++) {
    const bool is_nonzero = x[i] != 0.0f;
    sums->inputs += (double)x[i];
    *nonzeros += is_nonzero;
    sums->operations += is_nonzero ? (double)fan[i] : 0.0;
  }
  sums->inputs += sum_of(sum);
  sums->operations += sum_of(operations);
  *nonzeros += sum_of(nonzero);
}

ssti_cost_counts ssti_cost_count(const sst_cost_layer *layer, const ssti_cost_geometry *geometry, const float *x,
                                 const float *fan, double spike_value, int64_t crossbar, float *scratch) {
  ssti_cost_counts counts = {0};
  double nonzeros = 0;
  const int64_t size = layer->in_height * layer->in_width * layer->in_channels;
  for (int64_t i = 0; i < size; i += PIECE) {
    const int64_t length = size - i < PIECE ? size - i : PIECE;
    if (layer->binary_input) {
      count_binary(x + i, fan + i, length, &counts);
    } else {
      count_values(x + i, fan + i, length, &counts, &nonzeros);
    }
  }
  counts.inputs = spike_value > 0 ? counts.inputs / spike_value : nonzeros;
  if (crossbar > 0 && spike_value > 0) {
    int64_t tiles = (layer->in_channels + crossbar - 1) / crossbar;
    count_tiles(layer, x, spike_value, crossbar, tiles, scratch);
    count_crossbars(layer, geometry, crossbar, tiles, scratch, &counts);
  }
  return counts;
}
