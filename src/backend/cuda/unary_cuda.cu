// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one value, by the formulas of the reference; and filling with a value.
#include "backend/cuda/cuda_kernel.h"
#include "backend/unary_formulas.h"

namespace {

void unary_forward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count, const float *from,
                   float *to) {
  switch (kind) {
#define UNARY_CASE(name, value, derivative)                                                                            \
  case SSTI_UNARY_##name:                                                                                              \
    ssti_map(                                                                                                          \
        backend, count, to, false,                                                                                     \
        [a, b] __device__(int64_t, float x) {                                                                          \
          (void)a, (void)b;                                                                                            \
          return value;                                                                                                \
        },                                                                                                             \
        from);                                                                                                         \
    break;
    SSTI_UNARY_FORMULAS(UNARY_CASE)
#undef UNARY_CASE
  }
}

void unary_backward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count, const float *from,
                    const float *to, const float *dto, float *dfrom, bool accumulate) {
  switch (kind) {
#define UNARY_CASE(name, value, derivative)                                                                            \
  case SSTI_UNARY_##name:                                                                                              \
    ssti_map(                                                                                                          \
        backend, count, dfrom, accumulate,                                                                             \
        [a, b] __device__(int64_t, float x, float y, float g) {                                                        \
          (void)a, (void)b, (void)x, (void)y;                                                                          \
          return g * (derivative);                                                                                     \
        },                                                                                                             \
        from, to, dto);                                                                                                \
    break;
    SSTI_UNARY_FORMULAS(UNARY_CASE)
#undef UNARY_CASE
  }
}

void fill(ssti_backend *backend, int64_t count, float value, float *y) {
  ssti_map(backend, count, y, false, [value] __device__(int64_t) { return value; });
}

} // namespace

void ssti_cuda_fill_unary(ssti_kernels *kernels) {
  kernels->unary_forward = unary_forward;
  kernels->unary_backward = unary_backward;
  kernels->fill = fill;
}
