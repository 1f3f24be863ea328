// SPDX-License-Identifier: Apache-2.0
// Walks over five-axis tensors for the reference kernels that broadcast or reduce. Neighbouring axes that behave alike
// are merged first, so that the common cases (same shape, a vector over C, a scalar, whole samples) become one or two
// plain loops.
//
// Reductions run over units: up to SSTI_REFERENCE_PIECE neighbouring results at a time when C is kept, one result when
// it is reduced. Where there are too few units for several threads, the reduced elements are cut into a number of
// chunks that depends on the shape alone, and the chunks are combined in order: the bits do not depend on the threads.
#ifndef SPIKESTILL_BACKEND_REFERENCE_AXES_REFERENCE_H
#define SPIKESTILL_BACKEND_REFERENCE_AXES_REFERENCE_H

#include "base/parallel.h"
#include "spikestill/tensor.h"

enum {
  SSTI_REFERENCE_OPERANDS = 3,
  SSTI_REFERENCE_PIECE = 256,  // elements handled at once inside a reduction
  SSTI_REFERENCE_SPAN = 4096,  // elements handled at once by an elementwise walk
  SSTI_REFERENCE_GRAIN = 16384 // elements that are worth a thread
};

// The merged axes, outermost first, with the step of each operand along each (0: repeated).
typedef struct ssti_reference_walk {
  int64_t count; // elements
  int groups;    // at least 1
  int64_t length[SST_AXIS_COUNT];
  int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT];
} ssti_reference_walk;

// Steps of an operand along the axes of `shape`; its axes of length 1 are repeated.
void ssti_reference_strides(sst_shape operand, int64_t stride[SST_AXIS_COUNT]);

// A walk over `shape` with the steps given for each operand.
void ssti_reference_walk_make(sst_shape shape, int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT],
                              ssti_reference_walk *walk);

// Adds the offsets of element `index` of the walk to `offset`.
static inline void ssti_reference_walk_add(const ssti_reference_walk *walk, int64_t index,
                                           int64_t offset[SSTI_REFERENCE_OPERANDS]) {
  for (int g = walk->groups - 1; g >= 0; g--) {
    const int64_t at = g > 0 ? index % walk->length[g] : index;
    for (int i = 0; i < SSTI_REFERENCE_OPERANDS; i++) { offset[i] += at * walk->stride[i][g]; }
    if (g > 0) { index /= walk->length[g]; }
  }
}

// Elementwise: calls `function` for pieces of the innermost group that together are the whole walk. `stride` is each
// operand's step inside the piece, 0 or 1.
typedef void ssti_reference_span_function(void *arg, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                                          const int64_t stride[SSTI_REFERENCE_OPERANDS], int64_t count);
void ssti_reference_elementwise(sst_context *context, const ssti_reference_walk *walk,
                                ssti_reference_span_function *function, void *arg);

typedef struct ssti_reference_reduction ssti_reference_reduction;

// Writes what is to be reduced for `count` neighbouring elements, one array for each total.
typedef void ssti_reference_term(const ssti_reference_reduction *reduction,
                                 const int64_t offset[SSTI_REFERENCE_OPERANDS], int64_t count,
                                 double term[][SSTI_REFERENCE_PIECE]);
// Gets the totals of `width` neighbouring results; may change them for `write`.
typedef void ssti_reference_finish(const ssti_reference_reduction *reduction,
                                   const int64_t offset[SSTI_REFERENCE_OPERANDS], int64_t width,
                                   double total[][SSTI_REFERENCE_PIECE]);
// Goes over the reduced elements again, knowing the totals: that of element i is total[.][i * total_stride].
typedef void ssti_reference_write(const ssti_reference_reduction *reduction,
                                  const int64_t offset[SSTI_REFERENCE_OPERANDS], int64_t count,
                                  double total[][SSTI_REFERENCE_PIECE]);

// Operand 0 is the full tensor, operand 1 the result (its reduced axes have length 1), operand 2 any other.
struct ssti_reference_reduction {
  ssti_reference_walk kept, reduced;
  bool inner_kept;                         // whether the innermost axis is one of the kept ones
  int64_t stride[SSTI_REFERENCE_OPERANDS]; // along a piece, 0 or 1
  int64_t total_stride;                    // 1 if inner_kept, else 0
  int64_t units, rows;                     // pieces of results; pieces of what is reduced into each
  int64_t pieces;                          // of the innermost axis
  bool maximum;                            // combine by maximum instead of sum
  int terms;                               // totals an element, 1 or 2
  ssti_reference_term *term;
  ssti_reference_finish *finish; // may be NULL
  ssti_reference_write *write;   // may be NULL
  const void *arg;               // the kernel's own
};

// Sets everything but the functions and `arg`.
void ssti_reference_reduction_make(sst_shape shape, sst_shape result, sst_shape other,
                                   ssti_reference_reduction *reduction);
void ssti_reference_reduce(sst_context *context, const ssti_reference_reduction *reduction);

// Offsets and length of the pieces of a unit, for kernels that go over them in their own way.
int64_t ssti_reference_unit(const ssti_reference_reduction *reduction, int64_t unit,
                            int64_t offset[SSTI_REFERENCE_OPERANDS]);
int64_t ssti_reference_row(const ssti_reference_reduction *reduction, const int64_t base[SSTI_REFERENCE_OPERANDS],
                           int64_t width, int64_t row, int64_t offset[SSTI_REFERENCE_OPERANDS]);

// How many rows of `channels` exponentials are worth a thread; one of them costs several elements of plain arithmetic.
static inline int64_t ssti_reference_row_grain(int64_t channels) {
  const int64_t elements = SSTI_REFERENCE_GRAIN / 8;
  return channels < 1 ? elements : channels < elements ? elements / channels : 1;
}

// Shape with length 1 on the axes of the set.
static inline sst_shape ssti_reference_without(sst_shape shape, int axes) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (axes & (1 << i)) { shape.dim[i] = 1; }
  }
  return shape;
}

#endif
