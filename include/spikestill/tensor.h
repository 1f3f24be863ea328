// SPDX-License-Identifier: Apache-2.0
// Shapes. Every tensor has the same five axes [T,N,H,W,C], row-major, time outermost and channels last; an axis that
// is not used has length 1. So features of a linear layer are [T,N,1,1,C], logits averaged over time [1,N,1,1,C],
// a scalar [1,1,1,1,1]; weights of a convolution are [1,O,Kh,Kw,I/groups], of a linear layer [1,O,1,1,I], and a
// per-channel vector is [1,1,1,1,C].
#ifndef SPIKESTILL_TENSOR_H
#define SPIKESTILL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spikestill/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sst_axis { SST_AXIS_T, SST_AXIS_N, SST_AXIS_H, SST_AXIS_W, SST_AXIS_C, SST_AXIS_COUNT } sst_axis;

// Sets of axes, for reductions: SST_AXES_T | SST_AXES_C ...
enum {
  SST_AXES_T = 1 << SST_AXIS_T,
  SST_AXES_N = 1 << SST_AXIS_N,
  SST_AXES_H = 1 << SST_AXIS_H,
  SST_AXES_W = 1 << SST_AXIS_W,
  SST_AXES_C = 1 << SST_AXIS_C,
  SST_AXES_ALL = (1 << SST_AXIS_COUNT) - 1
};

typedef struct sst_shape {
  int64_t dim[SST_AXIS_COUNT];
} sst_shape;

// The shape [t,n,h,w,c].
static inline sst_shape sst_shape_make(int64_t t, int64_t n, int64_t h, int64_t w, int64_t c) {
  sst_shape shape = {{t, n, h, w, c}};
  return shape;
}

// Number of elements; 0 if any axis is 0.
static inline int64_t sst_shape_count(sst_shape shape) {
  return shape.dim[0] * shape.dim[1] * shape.dim[2] * shape.dim[3] * shape.dim[4];
}

static inline bool sst_shape_equal(sst_shape a, sst_shape b) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (a.dim[i] != b.dim[i]) { return false; }
  }
  return true;
}

enum { SST_SHAPE_TEXT_SIZE = 112 };
// Writes "[4,64,32,32,3]" into `text` (at most `size` bytes, always terminated) and returns `text`.
SST_API const char *sst_shape_text(sst_shape shape, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
