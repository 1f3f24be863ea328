// SPDX-License-Identifier: Apache-2.0
// Digits drawn by the program: 28x28 grey, ten classes, so that everything can be tried without a download.
#ifndef SPIKESTILL_DATA_DIGITS_H
#define SPIKESTILL_DATA_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

#include "spikestill/context.h"

enum { SSTI_DIGIT_SIDE = 28, SSTI_DIGIT_PIXELS = 28 * 28, SSTI_DIGIT_CLASSES = 10 };

// Draws pictures 0..count-1 into pixels [count,28,28] and labels [count]. Picture i depends on (seed, part, i) alone;
// every ten in a row hold each class once. The training part and the test part share no picture.
void ssti_digits_draw(sst_context *context, uint64_t seed, bool train, int64_t count, uint8_t *pixels, uint8_t *labels);

// Picture `index` of these alone, [28,28]; returns its label.
int ssti_digits_draw_one(uint64_t seed, bool train, int64_t index, uint8_t *pixels);

// The skeletons: how a hand may write a digit, as points in a unit box (x right, y down) that a smooth curve runs
// through.
typedef enum ssti_pen {
  SSTI_PEN_START,   // the pen is put down here
  SSTI_PEN_THROUGH, // the curve runs smoothly through
  SSTI_PEN_CORNER   // the curve runs here and leaves in a new direction
} ssti_pen;

typedef struct ssti_pen_point {
  float x, y;
  ssti_pen pen;
} ssti_pen_point;

enum { SSTI_MAX_PEN_POINTS = 20 };

typedef struct ssti_skeleton {
  int count;
  ssti_pen_point points[SSTI_MAX_PEN_POINTS];
} ssti_skeleton;

// The ways to write a digit 0..9; *count of them.
const ssti_skeleton *ssti_digit_skeletons(int digit, int *count);

#endif
