// SPDX-License-Identifier: Apache-2.0
// Copies or adds a box of four axes between arrays of different strides, and fills arrays with one value.
#include <string.h>

#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

typedef struct box_work {
  const ssti_box *box;
  const float *from;
  float *to;
  bool accumulate;
} box_work;

// A unit is one row: all of axes 2 and 3.
static void copy_range(void *arg, int64_t begin, int64_t end) {
  const box_work *w = arg;
  const ssti_box *b = w->box;
  const int64_t channels = b->count[3];
  const bool dense = b->from_stride[3] == 1 && b->to_stride[3] == 1;
  for (int64_t row = begin; row < end; row++) {
    const int64_t outer = row / b->count[1], inner = row % b->count[1];
    for (int64_t i = 0; i < b->count[2]; i++) {
      const float *from = w->from + outer * b->from_stride[0] + inner * b->from_stride[1] + i * b->from_stride[2];
      float *to = w->to + outer * b->to_stride[0] + inner * b->to_stride[1] + i * b->to_stride[2];
      if (dense && !w->accumulate) {
        memcpy(to, from, (size_t)channels * sizeof *to);
        continue;
      }
      for (int64_t c = 0; c < channels; c++) {
        float *place = to + c * b->to_stride[3];
        const float value = from[c * b->from_stride[3]];
        *place = w->accumulate ? *place + value : value;
      }
    }
  }
}

void ssti_reference_copy_box(ssti_backend *backend, const ssti_box *box, const float *from, float *to,
                             bool accumulate) {
  box_work work = {.box = box, .from = from, .to = to, .accumulate = accumulate};
  ssti_parallel_for(backend->context, box->count[0] * box->count[1],
                    ssti_reference_grain(box->count[2] * box->count[3]), copy_range, &work);
}

typedef struct fill_work {
  float value;
  float *y;
} fill_work;

static void fill_range(void *arg, int64_t begin, int64_t end) {
  const fill_work *w = arg;
  for (int64_t i = begin; i < end; i++) { w->y[i] = w->value; }
}

void ssti_reference_fill_value(ssti_backend *backend, int64_t count, float value, float *y) {
  fill_work work = {value, y};
  ssti_parallel_for(backend->context, count, ssti_reference_grain(1), fill_range, &work);
}
