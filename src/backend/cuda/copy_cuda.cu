// SPDX-License-Identifier: Apache-2.0
// Copies of rows and boxes between arrays of different strides. 8 bytes an element, 12 where it is added.
#include "backend/cuda/cuda_kernel.h"

namespace {

void copy_rows(ssti_backend *backend, int64_t outer, int64_t width, const float *from, int64_t from_stride, float *to,
               int64_t to_stride, bool accumulate) {
  assert(outer <= 1 || to_stride >= width);
  if (outer == 1 || (from_stride == width && to_stride == width)) {
    ssti_map(
        backend, outer * width, to, accumulate, [] __device__(int64_t, float x) { return x; }, from);
    return;
  }
  ssti_for_each(backend, outer * width, [=] __device__(int64_t i) {
    const int64_t row = i / width, column = i % width;
    ssti_put(to + row * to_stride + column, from[row * from_stride + column], accumulate);
  });
}

void copy_box(ssti_backend *backend, const ssti_box *box, const float *from, float *to, bool accumulate) {
  const ssti_box b = *box;
  const int64_t count = b.count[0] * b.count[1] * b.count[2] * b.count[3];
  ssti_for_each(backend, count, [=] __device__(int64_t i) {
    int64_t source = 0, place = 0;
    for (int axis = 3; axis >= 0; axis--) {
      const int64_t at = i % b.count[axis];
      i /= b.count[axis];
      source += at * b.from_stride[axis];
      place += at * b.to_stride[axis];
    }
    ssti_put(to + place, from[source], accumulate);
  });
}

} // namespace

void ssti_cuda_fill_copy(ssti_kernels *kernels) {
  kernels->copy_rows = copy_rows;
  kernels->copy_box = copy_box;
}
