// SPDX-License-Identifier: Apache-2.0
#include "backend/reference/axes_reference.h"

#include <assert.h>
#include <math.h>

#include "base/sizes.h"

enum { CHUNKS = 16, LANES = 8 };

static int64_t pieces_of(int64_t length, int64_t piece) { return (length + piece - 1) / piece; }

// How many ranges' worth of `elements` a thread should get at least.
static int64_t grain_of(int64_t elements) {
  return elements >= SSTI_REFERENCE_GRAIN ? 1 : pieces_of(SSTI_REFERENCE_GRAIN, elements > 0 ? elements : 1);
}

void ssti_reference_strides(sst_shape operand, int64_t stride[SST_AXIS_COUNT]) {
  int64_t step = 1;
  for (int i = SST_AXIS_COUNT - 1; i >= 0; i--) {
    stride[i] = operand.dim[i] == 1 ? 0 : step;
    step *= operand.dim[i];
  }
}

void ssti_reference_walk_make(sst_shape shape, int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT],
                              ssti_reference_walk *walk) {
  *walk = (ssti_reference_walk){.count = sst_shape_count(shape)};
  int last = -1; // the group made last
  for (int axis = 0; axis < SST_AXIS_COUNT; axis++) {
    const int64_t length = shape.dim[axis];
    if (length == 1) { continue; }
    bool merges = last >= 0;
    for (int i = 0; merges && i < SSTI_REFERENCE_OPERANDS; i++) {
      merges = walk->stride[i][last] == stride[i][axis] * length;
    }
    if (merges) {
      walk->length[last] *= length;
    } else {
      walk->length[++last] = length;
    }
    for (int i = 0; i < SSTI_REFERENCE_OPERANDS; i++) { walk->stride[i][last] = stride[i][axis]; }
  }
  walk->groups = last + 1;
  if (walk->groups == 0) {
    walk->groups = 1;
    walk->length[0] = 1;
  }
}

typedef struct elementwise_job {
  const ssti_reference_walk *walk;
  ssti_reference_span_function *function;
  void *arg;
  int64_t inner, pieces;
  int64_t stride[SSTI_REFERENCE_OPERANDS];
} elementwise_job;

static void elementwise_range(void *arg, int64_t begin, int64_t end) {
  const elementwise_job *job = arg;
  for (int64_t i = begin; i < end; i++) {
    const int64_t at = i % job->pieces * SSTI_REFERENCE_SPAN;
    int64_t offset[SSTI_REFERENCE_OPERANDS] = {0};
    ssti_reference_walk_add(job->walk, i / job->pieces * job->inner + at, offset);
    job->function(job->arg, offset, job->stride, ssti_smaller(SSTI_REFERENCE_SPAN, job->inner - at));
  }
}

void ssti_reference_elementwise(sst_context *context, const ssti_reference_walk *walk,
                                ssti_reference_span_function *function, void *arg) {
  if (walk->count == 0) { return; }
  elementwise_job job = {.walk = walk, .function = function, .arg = arg};
  job.inner = walk->length[walk->groups - 1];
  job.pieces = pieces_of(job.inner, SSTI_REFERENCE_SPAN);
  for (int i = 0; i < SSTI_REFERENCE_OPERANDS; i++) { job.stride[i] = walk->stride[i][walk->groups - 1]; }
  ssti_parallel_for(context, walk->count / job.inner * job.pieces,
                    grain_of(ssti_smaller(job.inner, SSTI_REFERENCE_SPAN)), elementwise_range, &job);
}

void ssti_reference_reduction_make(sst_shape shape, sst_shape result, sst_shape other,
                                   ssti_reference_reduction *reduction) {
  *reduction = (ssti_reference_reduction){.terms = 1};
  int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT];
  ssti_reference_strides(shape, stride[0]);
  ssti_reference_strides(result, stride[1]);
  ssti_reference_strides(other, stride[2]);
  sst_shape kept = shape, reduced = shape;
  reduction->inner_kept = true; // also where every axis has length 1
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    assert(result.dim[i] == shape.dim[i] || result.dim[i] == 1);
    if (shape.dim[i] == 1) { continue; }
    reduction->inner_kept = result.dim[i] == shape.dim[i];
    for (int k = 0; k < SSTI_REFERENCE_OPERANDS; k++) { reduction->stride[k] = stride[k][i] != 0; }
    sst_shape *without = reduction->inner_kept ? &reduced : &kept;
    without->dim[i] = 1;
  }
  ssti_reference_walk_make(kept, stride, &reduction->kept);
  ssti_reference_walk_make(reduced, stride, &reduction->reduced);
  const ssti_reference_walk *inner = reduction->inner_kept ? &reduction->kept : &reduction->reduced;
  const int64_t length = inner->length[inner->groups - 1];
  reduction->total_stride = reduction->inner_kept;
  reduction->pieces = pieces_of(length, SSTI_REFERENCE_PIECE);
  reduction->units = reduction->kept.count;
  reduction->rows = reduction->reduced.count;
  int64_t *cut = reduction->inner_kept ? &reduction->units : &reduction->rows;
  if (length > 0) { *cut = *cut / length * reduction->pieces; }
}

// The element at which piece `index` of the walk's innermost group begins, and its length.
static int64_t piece_at(const ssti_reference_walk *walk, int64_t pieces, int64_t index, int64_t *first) {
  const int64_t inner = walk->length[walk->groups - 1];
  const int64_t at = index % pieces * SSTI_REFERENCE_PIECE;
  *first = index / pieces * inner + at;
  return ssti_smaller(SSTI_REFERENCE_PIECE, inner - at);
}

int64_t ssti_reference_unit(const ssti_reference_reduction *reduction, int64_t unit,
                            int64_t offset[SSTI_REFERENCE_OPERANDS]) {
  for (int i = 0; i < SSTI_REFERENCE_OPERANDS; i++) { offset[i] = 0; }
  int64_t first = unit, width = 1;
  if (reduction->inner_kept) { width = piece_at(&reduction->kept, reduction->pieces, unit, &first); }
  ssti_reference_walk_add(&reduction->kept, first, offset);
  return width;
}

int64_t ssti_reference_row(const ssti_reference_reduction *reduction, const int64_t base[SSTI_REFERENCE_OPERANDS],
                           int64_t width, int64_t row, int64_t offset[SSTI_REFERENCE_OPERANDS]) {
  for (int i = 0; i < SSTI_REFERENCE_OPERANDS; i++) { offset[i] = base[i]; }
  int64_t first = row;
  if (!reduction->inner_kept) { width = piece_at(&reduction->reduced, reduction->pieces, row, &first); }
  ssti_reference_walk_add(&reduction->reduced, first, offset);
  return width;
}

// A maximum that keeps NaN once it has met one.
static double maximum(double a, double b) { return b > a || isnan(b) ? b : a; }

// One number from a piece; several lanes, so that additions need not wait for each other.
static double combine_piece(bool use_maximum, const double *value, int64_t count) {
  if (use_maximum) {
    double result = value[0];
    for (int64_t i = 1; i < count; i++) { result = maximum(result, value[i]); }
    return result;
  }
  double lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int k = 0; k < LANES; k++) { lane[k] += value[i + k]; }
  }
  for (int k = 0; i < count; i++, k++) { lane[k] += value[i]; }
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

static void combine(bool use_maximum, int64_t count, const double *value, double *total) {
  if (use_maximum) {
    for (int64_t i = 0; i < count; i++) { total[i] = maximum(total[i], value[i]); }
  } else {
    for (int64_t i = 0; i < count; i++) { total[i] += value[i]; }
  }
}

// Totals of rows [begin, end) of a unit.
static void total_rows(const ssti_reference_reduction *r, const int64_t base[SSTI_REFERENCE_OPERANDS], int64_t width,
                       int64_t begin, int64_t end, double total[][SSTI_REFERENCE_PIECE]) {
  const double neutral = r->maximum ? -(double)INFINITY : 0.0;
  for (int t = 0; t < r->terms; t++) {
    for (int64_t i = 0; i < width; i++) { total[t][i] = neutral; }
  }
  double term[2][SSTI_REFERENCE_PIECE];
  for (int64_t row = begin; row < end; row++) {
    int64_t offset[SSTI_REFERENCE_OPERANDS];
    const int64_t count = ssti_reference_row(r, base, width, row, offset);
    r->term(r, offset, count, term);
    for (int t = 0; t < r->terms; t++) {
      if (r->inner_kept) {
        combine(r->maximum, width, term[t], total[t]);
      } else {
        const double value = combine_piece(r->maximum, term[t], count);
        combine(r->maximum, 1, &value, total[t]);
      }
    }
  }
}

static void write_rows(const ssti_reference_reduction *r, const int64_t base[SSTI_REFERENCE_OPERANDS], int64_t width,
                       int64_t begin, int64_t end, double total[][SSTI_REFERENCE_PIECE]) {
  for (int64_t row = begin; row < end; row++) {
    int64_t offset[SSTI_REFERENCE_OPERANDS];
    const int64_t count = ssti_reference_row(r, base, width, row, offset);
    r->write(r, offset, count, total);
  }
}

// Whole units, when there are enough of them.
static void reduce_units(void *arg, int64_t begin, int64_t end) {
  const ssti_reference_reduction *r = arg;
  double total[2][SSTI_REFERENCE_PIECE];
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t base[SSTI_REFERENCE_OPERANDS];
    const int64_t width = ssti_reference_unit(r, unit, base);
    total_rows(r, base, width, 0, r->rows, total);
    if (r->finish) { r->finish(r, base, width, total); }
    if (r->write) { write_rows(r, base, width, 0, r->rows, total); }
  }
}

// One unit in chunks of its rows.
typedef struct chunk_job {
  const ssti_reference_reduction *reduction;
  int64_t base[SSTI_REFERENCE_OPERANDS];
  int64_t width, rows_a_chunk;
  bool writing;
  double total[CHUNKS][2][SSTI_REFERENCE_PIECE]; // each chunk's; when writing, the whole's in the first
} chunk_job;

static void reduce_chunks(void *arg, int64_t begin, int64_t end) {
  chunk_job *job = arg;
  for (int64_t chunk = begin; chunk < end; chunk++) {
    const int64_t first = ssti_smaller(chunk * job->rows_a_chunk, job->reduction->rows);
    const int64_t last = ssti_smaller(first + job->rows_a_chunk, job->reduction->rows);
    if (job->writing) {
      write_rows(job->reduction, job->base, job->width, first, last, job->total[0]);
    } else {
      total_rows(job->reduction, job->base, job->width, first, last, job->total[chunk]);
    }
  }
}

static void reduce_unit_in_chunks(sst_context *context, const ssti_reference_reduction *r, int64_t unit) {
  chunk_job job = {.reduction = r, .rows_a_chunk = pieces_of(r->rows, CHUNKS)};
  job.width = ssti_reference_unit(r, unit, job.base);
  const int64_t grain = grain_of(job.rows_a_chunk * (r->inner_kept ? job.width : SSTI_REFERENCE_PIECE));
  ssti_parallel_for(context, CHUNKS, grain, reduce_chunks, &job);
  for (int chunk = 1; chunk < CHUNKS; chunk++) {
    for (int t = 0; t < r->terms; t++) { combine(r->maximum, job.width, job.total[chunk][t], job.total[0][t]); }
  }
  if (r->finish) { r->finish(r, job.base, job.width, job.total[0]); }
  job.writing = true;
  if (r->write) { ssti_parallel_for(context, CHUNKS, grain, reduce_chunks, &job); }
}

void ssti_reference_reduce(sst_context *context, const ssti_reference_reduction *r) {
  assert(r->terms == 1 || r->terms == 2);
  if (r->units < CHUNKS && r->rows >= 4 * CHUNKS) {
    for (int64_t unit = 0; unit < r->units; unit++) { reduce_unit_in_chunks(context, r, unit); }
    return;
  }
  const int64_t elements = r->kept.count * r->reduced.count;
  ssti_reference_reduction copy = *r; // the range function takes a pointer to what it may change
  ssti_parallel_for(context, r->units, grain_of(r->units > 0 ? elements / r->units : 1), reduce_units, &copy);
}
