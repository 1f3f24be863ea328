// SPDX-License-Identifier: Apache-2.0
// Copies or adds a block of rows between two arrays of different row strides.
#include <string.h>

#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

enum { PIECE = 4096 };

typedef struct copy_work {
  int64_t width, pieces; // pieces of PIECE elements in a row: long rows are shared between threads too
  const float *from;
  int64_t from_stride;
  float *to;
  int64_t to_stride;
  bool accumulate;
} copy_work;

static void copy_range(void *arg, int64_t begin, int64_t end) {
  const copy_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    int64_t row = i / w->pieces, first = i % w->pieces * PIECE, count = ssti_smaller(PIECE, w->width - first);
    const float *from = w->from + row * w->from_stride + first;
    float *to = w->to + row * w->to_stride + first;
    if (!w->accumulate) {
      memcpy(to, from, (size_t)count * sizeof *to);
      continue;
    }
    for (int64_t j = 0; j < count; j++) { to[j] += from[j]; }
  }
}

void ssti_reference_copy_rows(ssti_backend *backend, int64_t outer, int64_t width, const float *from,
                              int64_t from_stride, float *to, int64_t to_stride, bool accumulate) {
  assert(outer <= 1 || to_stride >= width); // rows of the target must not overlap: threads write them
  copy_work work = {.width = width,
                    .pieces = ssti_tiles(width, PIECE),
                    .from = from,
                    .from_stride = from_stride,
                    .to = to,
                    .to_stride = to_stride,
                    .accumulate = accumulate};
  ssti_parallel_for(backend->context, outer * work.pieces, ssti_reference_grain(ssti_smaller(width, PIECE)), copy_range,
                    &work);
}
