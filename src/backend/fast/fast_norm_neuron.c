// SPDX-License-Identifier: Apache-2.0
// Batch norm and neurons in one. Forward reads x once for the statistics and once to normalise and fire; backward reads
// x and the spikes' gradient once, back through time, for the norm's sums and what comes to the norm, which waits in
// the place of dx for the sums. Where dx is added to something there is no such place: then it goes back twice.
//
// Neurons are taken in blocks whose channels are known: as many whole pixels as fit into a block, or, where there are
// more channels than that, a piece of one pixel. What the norm knows of a channel is laid out once a block's neurons.
// Sums go over chunks of blocks, whose number depends on the shape alone. Batch norm alone goes back in the same
// blocks, so that fusing changes no bit of its gradients.
#include <string.h>

#include "backend/fast/fast.h"
#include "backend/fast/fast_neuron_block.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  BLOCK = SSTI_SIMD_NEURON_BLOCK,
  GRAIN_ELEMENTS = 16384, // that are worth a thread
  CHUNK_BLOCKS = 16,      // a chunk has at least as many blocks of a piece
  BAND_TERMS = 64         // that a sum in f32 takes before it is added to one in double
};

// The numbers of a channel, as laid out over a pixel or a block.
enum { MEAN, FACTOR, OFFSET, GRADIENT_FACTOR, MEAN_DY, SLOPE, NUMBERS };

// How the neurons of a step are cut. Block i is piece i % pieces of pixels [i / pieces * pixels, ...).
typedef struct cut {
  int64_t pixels, pieces; // of a block; of a pixel
  int64_t width;          // of a number's row: channels * pixels
  int64_t rows, blocks;   // rows * pieces
  int64_t chunks;         // of rows
  int64_t slots;          // threads that have scratch
} cut;

static cut cut_make(const ssti_backend *backend, const ssti_norm_neuron *shape) {
  const int64_t channels = shape->norm.channels, total = shape->neuron.count / channels;
  cut c = {.pixels = 1, .pieces = (channels + BLOCK - 1) / BLOCK};
  if (c.pieces == 1) { c.pixels = ssti_smaller(BLOCK / channels, total); }
  c.width = channels * c.pixels;
  c.rows = (total + c.pixels - 1) / c.pixels;
  c.blocks = c.rows * c.pieces;
  c.chunks = ssti_smaller(SSTI_FAST_CHUNKS, (c.rows + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS);
  const int64_t useful = c.blocks * BLOCK * shape->neuron.steps / GRAIN_ELEMENTS;
  c.slots = ssti_smaller(useful < 1 ? 1 : useful, sst_context_threads(backend->context));
  return c;
}

typedef struct fused_work {
  const ssti_simd *simd;
  const ssti_norm_neuron *shape;
  cut cut;
  ssti_neuron_block block; // all but place, norm, scratch
  float *number[NUMBERS];  // [width] each
  float *potential;        // [slots, steps, BLOCK]
  double *sum, *centred;   // [chunks, channels]
  double *dleak;           // [chunks * pieces], or NULL
  void (*go_back)(const ssti_neuron_block *block);
  float *scratch; // [slots, block_scratch], or NULL
} fused_work;

static ssti_block_types types_of(const ssti_norm_neuron *shape) {
  return (ssti_block_types){.in = shape->norm.in_type, .out = shape->neuron.out_type};
}

// Floats of a thread.
static int64_t block_scratch(const ssti_norm_neuron *shape) {
  return ssti_block_scratch(types_of(shape), shape->neuron.input_steps, shape->neuron.steps);
}

static int64_t scratch_count(const fused_work *w) { return w->cut.slots * block_scratch(w->shape); }

static float *scratch_of(const fused_work *w, int64_t slot) {
  return w->scratch == NULL ? NULL : w->scratch + slot * block_scratch(w->shape);
}

static void run_block(const fused_work *w, void (*kernel)(const ssti_neuron_block *), const ssti_neuron_block *block,
                      float *scratch) {
  ssti_run_block(w->simd, kernel, block, types_of(w->shape), scratch);
}

static size_t numbers_bytes(const cut *c, int count) {
  return ssti_fast_round_up((size_t)c->width * sizeof(float)) * (size_t)count;
}

// The first pixel's numbers for the others of the block.
static void repeat(const fused_work *w, int number) {
  const int64_t channels = w->shape->norm.channels;
  float *values = w->number[number];
  for (int64_t p = 1; p < w->cut.pixels; p++) {
    memcpy(values + p * channels, values, (size_t)channels * sizeof *values);
  }
}

static void lay_out(const fused_work *w, int number, const float *values) {
  memcpy(w->number[number], values, (size_t)w->shape->norm.channels * sizeof *values);
  repeat(w, number);
}

static char *take_numbers(fused_work *w, int count, void *workspace) {
  char *at = workspace;
  for (int i = 0; i < count; i++) {
    w->number[i] = (float *)(void *)at;
    at += numbers_bytes(&w->cut, 1);
  }
  return at;
}

// The place of block (row, piece), and its part of the numbers.
static void put_block(const fused_work *w, int64_t row, int64_t piece, ssti_neuron_block *block,
                      ssti_block_norm *norm) {
  const int64_t column = piece * BLOCK;
  block->begin = row * w->cut.width + column;
  block->length = ssti_smaller(ssti_smaller(w->cut.width - column, BLOCK), block->count - block->begin);
  norm->mean = w->number[MEAN] + column;
  norm->factor = w->number[FACTOR] + column;
  norm->offset = w->number[OFFSET] + column;
  if (w->number[SLOPE] != NULL) {
    norm->gradient_factor = w->number[GRADIENT_FACTOR] + column;
    norm->mean_dy = w->number[MEAN_DY] + column;
    norm->slope = w->number[SLOPE] + column;
  }
  block->norm = norm;
}

static fused_work work_make(ssti_backend *backend, const ssti_norm_neuron *shape, const ssti_dynamics *dynamics,
                            const float *x) {
  const ssti_neuron_shape *neuron = &shape->neuron;
  assert(neuron->input_steps == 1 || neuron->input_steps == neuron->steps);
  assert(neuron->count % shape->norm.channels == 0);
  return (fused_work){.simd = &ssti_fast_state_of(backend)->simd,
                      .shape = shape,
                      .cut = cut_make(backend, shape),
                      .block = {.dynamics = dynamics,
                                .smooth = neuron->smooth,
                                .steps = neuron->steps,
                                .input_steps = neuron->input_steps,
                                .count = neuron->count,
                                .x = x}};
}

static bool fuses(const ssti_norm_neuron *shape) { return ssti_fast_is_own_neuron(shape->neuron.neuron.kind); }

// ---- forward

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const fused_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t last = (slot + 1) * w->cut.blocks / w->cut.slots;
    for (int64_t i = slot * w->cut.blocks / w->cut.slots; i < last; i++) {
      ssti_neuron_block block = w->block;
      ssti_block_norm norm = {0};
      put_block(w, i / w->cut.pieces, i % w->cut.pieces, &block, &norm);
      run_block(w, w->simd->neuron_forward, &block, scratch_of(w, slot));
    }
  }
}

static void lay_out_saved(const fused_work *w, const float *saved, const float *beta) {
  const int64_t channels = w->shape->norm.channels;
  lay_out(w, MEAN, saved);
  lay_out(w, FACTOR, saved + 2 * channels);
  lay_out(w, OFFSET, beta);
}

static void forward(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *beta,
                    const float *saved, const float *decay_parameter, float *spikes, float *membrane, void *workspace) {
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron.neuron, decay_parameter);
  fused_work work = work_make(backend, shape, &dynamics, x);
  work.block.spikes = spikes;
  work.block.membrane = membrane;
  work.block.state = shape->neuron.state;
  work.block.resumes = shape->neuron.resumes;
  float *behind = (float *)(void *)take_numbers(&work, GRADIENT_FACTOR, workspace);
  if (block_scratch(shape) > 0) { work.scratch = behind; }
  lay_out_saved(&work, saved, beta);
  ssti_parallel_for(backend->context, work.cut.slots, 1, forward_range, &work);
}

// ---- backward

static void flush_sums(int64_t length, const ssti_block_norm *norm, double *sum, double *centred) {
  for (int64_t i = 0; i < length; i++) {
    sum[i] += (double)norm->sum_dy[i];
    centred[i] += (double)norm->sum_dy_centred[i];
  }
  memset(norm->sum_dy, 0, (size_t)length * sizeof *norm->sum_dy);
  memset(norm->sum_dy_centred, 0, (size_t)length * sizeof *norm->sum_dy_centred);
}

// The sums of one chunk and piece: over its blocks by neuron, then over the pixels of a block by channel.
static void sum_chunk(const fused_work *w, int64_t chunk, int64_t piece, float *potential, float *scratch) {
  const cut *c = &w->cut;
  float sum_dy[BLOCK] = {0}, centred_dy[BLOCK] = {0};
  double sum[BLOCK] = {0}, centred[BLOCK] = {0}, dleak = 0;
  const int64_t last = (chunk + 1) * c->rows / c->chunks, channels = w->shape->norm.channels;
  ssti_neuron_block block = w->block;
  ssti_block_norm norm = {0};
  int64_t terms = 0, length = 0;
  for (int64_t row = chunk * c->rows / c->chunks; row < last; row++) {
    put_block(w, row, piece, &block, &norm);
    if (length == 0) {
      length = block.length;
    } // only the last block of all may be shorter, and adds nothing beyond its end
    norm.sum_dy = sum_dy;
    norm.sum_dy_centred = centred_dy;
    block.potential = potential;
    double part = 0;
    block.dleak = w->dleak != NULL ? &part : NULL;
    run_block(w, w->go_back, &block, scratch);
    dleak += part;
    terms += block.input_steps;
    if (terms >= BAND_TERMS || row + 1 == last) {
      flush_sums(length, &norm, sum, centred);
      terms = 0;
    }
  }
  if (w->dleak != NULL) { w->dleak[chunk * c->pieces + piece] = dleak; }
  const int64_t wide = ssti_smaller(channels - piece * BLOCK, ssti_smaller(channels, BLOCK));
  double *to = w->sum + chunk * channels + piece * BLOCK, *to_centred = w->centred + chunk * channels + piece * BLOCK;
  memcpy(to, sum, (size_t)wide * sizeof *to);
  memcpy(to_centred, centred, (size_t)wide * sizeof *to);
  for (int64_t begin = wide; begin < length; begin += wide) {
    for (int64_t i = 0; i < wide; i++) {
      to[i] += sum[begin + i];
      to_centred[i] += centred[begin + i];
    }
  }
}

static void sums_range(void *arg, int64_t begin, int64_t end) {
  const fused_work *w = arg;
  const int64_t items = w->cut.chunks * w->cut.pieces;
  for (int64_t slot = begin; slot < end; slot++) {
    float *potential = w->potential + slot * w->block.steps * BLOCK;
    const int64_t last = (slot + 1) * items / w->cut.slots;
    for (int64_t i = slot * items / w->cut.slots; i < last; i++) {
      sum_chunk(w, i / w->cut.pieces, i % w->cut.pieces, potential, scratch_of(w, slot));
    }
  }
}

static void gradient_range(void *arg, int64_t begin, int64_t end) {
  const fused_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t last = (slot + 1) * w->cut.blocks / w->cut.slots;
    for (int64_t i = slot * w->cut.blocks / w->cut.slots; i < last; i++) {
      ssti_neuron_block block = w->block;
      ssti_block_norm norm = {0};
      put_block(w, i / w->cut.pieces, i % w->cut.pieces, &block, &norm);
      block.potential = w->potential + slot * block.steps * BLOCK;
      run_block(w, w->go_back, &block, scratch_of(w, slot));
    }
  }
}

static void add_to(float *where, bool accumulate, double value) {
  if (where != NULL) { *where = (float)((accumulate ? (double)*where : 0.0) + value); }
}

// Adds the chunks up in order; gives the parameters their gradients, and the second pass what it needs of each channel.
static void finish_sums(const fused_work *w, const float *saved, bool batch_statistics,
                        const ssti_norm_neuron_gradients *out) {
  const int64_t channels = w->shape->norm.channels;
  const double rows = (double)w->shape->norm.rows;
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0, centred = 0;
    for (int64_t chunk = 0; chunk < w->cut.chunks; chunk++) {
      sum += w->sum[chunk * channels + c];
      centred += w->centred[chunk * channels + c];
    }
    const double inverse = (double)saved[channels + c];
    add_to(out->dgamma != NULL ? out->dgamma + c : NULL, out->accumulate_dgamma,
           (double)w->shape->norm.scale * centred * inverse);
    add_to(out->dbeta != NULL ? out->dbeta + c : NULL, out->accumulate_dbeta, sum);
    w->number[MEAN_DY][c] = batch_statistics ? (float)(sum / rows) : 0.0f;
    w->number[SLOPE][c] = batch_statistics ? (float)(inverse * (centred * inverse / rows)) : 0.0f;
  }
  repeat(w, MEAN_DY);
  repeat(w, SLOPE);
}

// What backward is given besides the work: the norm's side of it.
typedef struct norm_side {
  const float *gamma, *saved;
  bool batch_statistics;
} norm_side;

// Lays the workspace out; returns what is behind the sums.
static double *take_sums(fused_work *w, const norm_side *norm, int64_t potential, void *workspace) {
  const int64_t channels = w->shape->norm.channels, sums = w->cut.chunks * channels;
  w->potential = (float *)(void *)take_numbers(w, NUMBERS, workspace);
  if (block_scratch(w->shape) > 0) { w->scratch = w->potential + potential; }
  potential += scratch_count(w);
  w->sum = (double *)(void *)(w->potential + potential);
  w->centred = w->sum + sums;
  lay_out(w, MEAN, norm->saved);
  float *factor = w->number[GRADIENT_FACTOR];
  for (int64_t c = 0; c < channels; c++) {
    const double inverse = (double)norm->saved[channels + c];
    factor[c] = (float)((double)w->shape->norm.scale * (double)norm->gamma[c] * inverse);
  }
  repeat(w, GRADIENT_FACTOR);
  return w->centred + sums;
}

// Rows of numbers, each behind the other.
static void kept_range(void *arg, int64_t begin, int64_t end) {
  const fused_work *w = arg;
  const int64_t width = w->cut.width, count = w->shape->norm.rows * w->shape->norm.channels;
  const ssti_block_norm norm = {.mean = w->number[MEAN],
                                .gradient_factor = w->number[GRADIENT_FACTOR],
                                .mean_dy = w->number[MEAN_DY],
                                .slope = w->number[SLOPE]};
  for (int64_t at = begin * width; at < end * width && at < count; at += width) {
    const int64_t length = ssti_smaller(width, count - at);
    if (w->shape->norm.in_type == SSTI_BF16) {
      const ssti_bf16 *x = (const ssti_bf16 *)(const void *)w->block.x;
      w->simd->norm_gradient_bf16(length, &norm, x + at, (ssti_bf16 *)(void *)w->block.dx + at);
    } else {
      w->simd->norm_gradient(length, &norm, w->block.x + at, w->block.dx + at);
    }
  }
}

// Whether what comes to the norm stays in the place of dx from the first trip, and the second is plain arithmetic on
// it: one tensor more to move than if both went back through time, which takes longer.
static bool keeps(const fused_work *w, const ssti_norm_neuron_gradients *out) {
  const bool has_neurons = w->block.dynamics != NULL;
  return has_neurons && !out->accumulate_dx;
}

static void go_back(ssti_backend *backend, fused_work *w, const norm_side *norm,
                    const ssti_norm_neuron_gradients *out) {
  const bool use = norm->batch_statistics && out->dx != NULL;
  const bool kept = use && keeps(w, out);
  if (kept) { w->block.dx = out->dx; }
  if (w->dleak != NULL || out->dgamma != NULL || out->dbeta != NULL || use) {
    ssti_parallel_for(backend->context, w->cut.slots, 1, sums_range, w);
    finish_sums(w, norm->saved, norm->batch_statistics, out);
  } else {
    memset(w->number[MEAN_DY], 0, numbers_bytes(&w->cut, SLOPE + 1 - MEAN_DY));
  }
  if (out->dx == NULL) { return; }
  if (kept) {
    const int64_t elements = w->shape->norm.rows * w->shape->norm.channels;
    ssti_parallel_for(backend->context, (elements + w->cut.width - 1) / w->cut.width, 1 + GRAIN_ELEMENTS / w->cut.width,
                      kept_range, w);
    return;
  }
  w->block.dx = out->dx;
  w->block.accumulate_dx = out->accumulate_dx;
  w->block.dleak = NULL;
  ssti_parallel_for(backend->context, w->cut.slots, 1, gradient_range, w);
}

static int64_t potential_count(const fused_work *w) { return w->cut.slots * w->shape->neuron.steps * BLOCK; }

static void backward(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *gamma,
                     const float *beta, const float *saved, bool batch_statistics, const float *decay_parameter,
                     const float *dspikes, const float *dmembrane, const ssti_norm_neuron_gradients *out,
                     void *workspace) {
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron.neuron, decay_parameter);
  const norm_side norm = {.gamma = gamma, .saved = saved, .batch_statistics = batch_statistics};
  fused_work work = work_make(backend, shape, &dynamics, x);
  work.block.dspikes = dspikes;
  work.block.dmembrane = dmembrane;
  work.go_back = work.simd->neuron_backward;
  double *behind = take_sums(&work, &norm, potential_count(&work), workspace);
  lay_out_saved(&work, saved, beta);
  const bool learns = dynamics.learns && out->ddecay != NULL;
  work.dleak = learns ? behind : NULL;
  go_back(backend, &work, &norm, out);
  if (!learns) { return; }
  double sum = 0;
  for (int64_t i = 0; i < work.cut.chunks * work.cut.pieces; i++) { sum += work.dleak[i]; }
  // leak = sigmoid(w)
  const float dw = (float)(sum * (double)dynamics.w_leak * (double)dynamics.w_decay);
  *out->ddecay = out->accumulate_ddecay ? *out->ddecay + dw : dw;
}

static size_t workspace_bytes(ssti_backend *backend, const ssti_norm_neuron *shape, bool is_backward) {
  const fused_work w = work_make(backend, shape, NULL, NULL);
  const size_t scratch = (size_t)scratch_count(&w) * sizeof(float);
  if (!is_backward) { return numbers_bytes(&w.cut, GRADIENT_FACTOR) + scratch; }
  return numbers_bytes(&w.cut, NUMBERS) + (size_t)potential_count(&w) * sizeof(float) + scratch +
         (size_t)(2 * w.cut.chunks * shape->norm.channels + w.cut.chunks * w.cut.pieces) * sizeof(double);
}

// ---- the norm alone, backward

// As if neurons followed that hand on what comes in.
static ssti_norm_neuron alone(const ssti_batch_norm *shape) {
  const int64_t steps = shape->steps > 0 ? shape->steps : 1;
  return (ssti_norm_neuron){.norm = *shape,
                            .neuron = {.steps = steps,
                                       .input_steps = steps,
                                       .count = shape->rows * shape->channels / steps,
                                       .out_type = shape->out_type}};
}

static void norm_backward(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *dy,
                          const float *gamma, const float *saved, bool batch_statistics, float *dx, bool accumulate_dx,
                          float *dgamma, bool accumulate_dgamma, float *dbeta, bool accumulate_dbeta, void *workspace) {
  const ssti_norm_neuron shape_alone = alone(shape);
  const norm_side norm = {.gamma = gamma, .saved = saved, .batch_statistics = batch_statistics};
  const ssti_norm_neuron_gradients out = {.dx = dx,
                                          .dgamma = dgamma,
                                          .dbeta = dbeta,
                                          .accumulate_dx = accumulate_dx,
                                          .accumulate_dgamma = accumulate_dgamma,
                                          .accumulate_dbeta = accumulate_dbeta};
  fused_work work = work_make(backend, &shape_alone, NULL, x);
  work.block.dspikes = dy;
  work.go_back = work.simd->norm_backward;
  (void)take_sums(&work, &norm, 0, workspace);
  go_back(backend, &work, &norm, &out);
}

static size_t norm_workspace_bytes(ssti_backend *backend, const ssti_batch_norm *shape) {
  const ssti_norm_neuron shape_alone = alone(shape);
  return workspace_bytes(backend, &shape_alone, true);
}

void ssti_fast_fill_norm_neuron(ssti_kernels *kernels) {
  kernels->norm_neuron_fuses = fuses;
  kernels->norm_neuron_statistics = ssti_fast_norm_statistics;
  kernels->norm_neuron_forward = forward;
  kernels->norm_neuron_backward = backward;
  kernels->norm_neuron_workspace = workspace_bytes;
  kernels->batch_norm_backward = norm_backward;
  kernels->batch_norm_workspace = norm_workspace_bytes;
}
