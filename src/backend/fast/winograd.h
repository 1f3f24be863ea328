// SPDX-License-Identifier: Apache-2.0
// Winograd's algorithm F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308) for 3x3 convolutions of stride 1: 36
// multiplications for a tile of 4 by 4 outputs instead of 144.
//
// A tile's window of 6 by 6 inputs and a filter become 36 numbers each, *points*; their products, summed over input
// channels, become the 4 by 4 outputs. So a convolution is 36 products of matrices, one a point:
// [tiles, in channels] times [in channels, out channels]. The weights' gradient is the transposed map: windows of
// inputs and of gradients become points, 36 products sum over tiles, and each point's sum goes back to a filter.
//
// Tiles are numbered along a row, row after row, picture after picture. Matrices of channels lie as blocks of some
// channels, each [rows, width], the last block narrower where channels run out.
#ifndef SPIKESTILL_BACKEND_FAST_WINOGRAD_POINTS_H
#define SPIKESTILL_BACKEND_FAST_WINOGRAD_POINTS_H

#include "backend/backend.h"

enum {
  SSTI_WINOGRAD_POINTS = 36,
  SSTI_WINOGRAD_FILTER = 9, // numbers of a filter
  SSTI_WINOGRAD_TILE = 4,   // outputs of a tile, along an axis
  SSTI_WINOGRAD_CHAIN = 64, // products that are added before their sum is added to others: rounding grows slower
  SSTI_WINOGRAD_LANES = 16  // of which channels must be a multiple
};

// Pictures, channels last, as tiles see them.
typedef struct ssti_winograd_pictures {
  int64_t height, width, channels;
  ssti_type type;
  int64_t down, across; // tiles of a picture
  int64_t top, left;    // where the first tile's window begins: not above 0
} ssti_winograd_pictures;

// 36 matrices [rows, channels].
typedef struct ssti_winograd_layout {
  int64_t rows, channels;
  int64_t block; // channels of a block
} ssti_winograd_layout;

static inline int64_t ssti_winograd_blocks(const ssti_winograd_layout *l) {
  return (l->channels + l->block - 1) / l->block;
}

// Elements from one matrix to the next: an odd number of cache lines, because what is a power of two apart shares a few
// sets of the caches, and windows write to all points at once.
static inline int64_t ssti_winograd_point_size(const ssti_winograd_layout *l) {
  enum { LINE = 16 };
  return ((l->rows * l->channels + LINE - 1) / LINE | 1) * LINE;
}

// Where the block of channels begins whose first one is `channel`.
static inline int64_t ssti_winograd_offset(const ssti_winograd_layout *l, int64_t point, int64_t channel) {
  return point * ssti_winograd_point_size(l) + channel * l->rows;
}

static inline int64_t ssti_winograd_size(const ssti_winograd_layout *l) {
  return SSTI_WINOGRAD_POINTS * ssti_winograd_point_size(l);
}

// Memory that is needed soon, in cache lines: asked for during a product, which waits for little else.
typedef struct ssti_winograd_fetch {
  const char *from;
  int64_t lines;
} ssti_winograd_fetch;

// sums [rows, columns] = or += a [rows, depth] times b [depth, columns]; b and sums have no gaps. Each sum over the
// depth is one chain, which begins with 0.
typedef struct ssti_winograd_product {
  int64_t rows, depth, columns; // columns: a multiple of SSTI_WINOGRAD_LANES up to winograd_panel
  const float *a;
  int64_t a_row, a_step; // elements from row to row, and along a row
  const float *b;
  float *sums;
  bool add;
  ssti_winograd_fetch fetch;
} ssti_winograd_product;

#endif
