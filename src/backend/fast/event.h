// SPDX-License-Identifier: Apache-2.0
// Event-driven convolutions and linear layers: where inputs are spikes, products are sums of the weight rows whose
// input fired. Spikes are bits: a pixel has `words` 64-bit words, channel c is bit c & 63 of word c >> 6, unused bits
// are zero.
//
// Weights and their gradients are worked on as blocks of output channels, each a matrix [taps * in channels, width]
// with width 64, at the end 32 or 16 (channels that are not there are zero). Block after block they take `padded`
// channels, the output channels rounded up to a multiple of 16; the block from channel o begins at element o * taps *
// in channels.
#ifndef SPIKESTILL_BACKEND_FAST_EVENT_H
#define SPIKESTILL_BACKEND_FAST_EVENT_H

#include "backend/backend.h"

enum {
  SSTI_EVENT_WORD = 64,  // channels in a word of bits
  SSTI_EVENT_WIDTH = 64, // output channels of a block
  SSTI_EVENT_LANES = 16  // of which a block has a multiple
};

static inline int64_t ssti_event_words(int64_t channels) { return (channels + SSTI_EVENT_WORD - 1) / SSTI_EVENT_WORD; }

static inline int64_t ssti_event_padded(int64_t channels) {
  return (channels + SSTI_EVENT_LANES - 1) / SSTI_EVENT_LANES * SSTI_EVENT_LANES;
}

// The width of the block that begins where `left` of the padded channels are left.
static inline int64_t ssti_event_width(int64_t left) { return left >= 64 ? 64 : left >= 32 ? 32 : 16; }

// What packing found in some pixels: whether every value is 0 or one other value, that value, and how often it is
// there.
typedef struct ssti_event_census {
  bool binary;
  float value; // 0: all are 0
  int64_t count;
} ssti_event_census;

// Weights or their gradients, [out_c, stride], of which `rows` columns are the rows of blocks.
typedef struct ssti_event_matrix {
  int64_t out_c, rows, stride;
  float scale; // they are multiplied by it on their way
} ssti_event_matrix;

// Which sources are added to which targets: target i gets those numbered list[start[i]] .. list[start[i + 1] - 1].
typedef struct ssti_event_lists {
  int64_t targets;
  const uint32_t *start;
  const uint16_t *list;
} ssti_event_lists;

// One kernel position over some output rows of a picture.
typedef struct ssti_event_tap {
  const ssti_conv2d *shape; // one group
  int64_t row, rows;        // of the output
  int64_t ky, kx;
  int64_t first_in;              // input row that the lists begin with
  int64_t first_word, last_word; // input channels, in words: [first, last)
  const uint32_t *start;         // a list for each word of each pixel, one behind the other
  const uint16_t *list;          // channels
} ssti_event_tap;

// A row of input pixels against a 3x3 kernel of stride 1 and SSTI_EVENT_LANES outputs, for one word of channels.
typedef struct ssti_event_row {
  int64_t pixels, words;
  const uint32_t *start; // of this word's list of the first pixel; lists as of ssti_event_tap
  const uint16_t *list;
  const float *weights; // [in channels, 9 taps, lanes]
  float *sums[3];       // by ky, of three rows of outputs, [pixels + 2, lanes]: pixel p adds to p + 2 - kx
  const float *bias;    // what sums[0] begins with; NULL: with what it holds
} ssti_event_row;

// What functions that make lists may overwrite beyond their end, in entries.
enum { SSTI_EVENT_SLACK = 16 };

#endif
