// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's algorithm (winograd.h), where the context asks for it: fewer multiplications, at the price
// of rounding. Computed in f32 in either precision; x, y and their gradients are of their tensors' types.
#ifndef SPIKESTILL_BACKEND_FAST_WINOGRAD_H
#define SPIKESTILL_BACKEND_FAST_WINOGRAD_H

#include "backend/fast/fast.h"

// Whether it is asked for and suits the shape, in all three passes.
bool ssti_winograd_possible(ssti_backend *backend, const ssti_conv2d *shape);

// Bytes of workspace of a pass.
size_t ssti_winograd_forward_workspace(ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_winograd_data_workspace(ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_winograd_weights_workspace(ssti_backend *backend, const ssti_conv2d *shape);

// As the slots of the kernel table; `bias` may be NULL.
void ssti_winograd_forward(ssti_backend *backend, const ssti_conv2d *shape, const void *x, const float *weight,
                           const float *bias, void *y, void *workspace);
void ssti_winograd_data(ssti_backend *backend, const ssti_conv2d *shape, const void *dy, const float *weight, void *dx,
                        bool accumulate, void *workspace);
void ssti_winograd_weights(ssti_backend *backend, const ssti_conv2d *shape, const void *x, const void *dy,
                           float *dweight, bool accumulate, void *workspace);

// ---- shared by the passes

ssti_winograd_pictures ssti_winograd_pictures_in(const ssti_conv2d *shape);  // windows of x
ssti_winograd_pictures ssti_winograd_pictures_out(const ssti_conv2d *shape); // tiles of y
static inline int64_t ssti_winograd_tiles(const ssti_conv2d *shape) {
  const ssti_winograd_pictures p = ssti_winograd_pictures_out(shape);
  return shape->images * p.down * p.across;
}

// Part number `part` of `parts` of the pixels of tiles [begin, end), about.
ssti_winograd_fetch ssti_winograd_fetch_tiles(const ssti_winograd_pictures *pictures, const void *tensor, int64_t begin,
                                              int64_t end, int64_t part, int64_t parts);

// [rows, columns] becomes [columns, rows], on all threads; both are multiples of 4.
void ssti_winograd_turn(ssti_backend *backend, int64_t rows, int64_t columns, const float *from, float *to);

#endif
