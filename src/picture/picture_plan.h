// SPDX-License-Identifier: Apache-2.0
// Pictures of bytes and what is done to one before it becomes numbers, drawn and written down: a batch is then made
// from the plans of its pictures, by the loader's threads or on a device, to the same bits (picture_formulas.h).
#ifndef SPIKESTILL_PICTURE_PICTURE_PLAN_H
#define SPIKESTILL_PICTURE_PICTURE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A picture [height,width,channels], and room of the same size.
typedef struct ssti_byte_picture {
  uint8_t *bytes, *room;
  int height, width, channels;
} ssti_byte_picture;

typedef enum ssti_picture_change {
  SSTI_PICTURE_TRANSFORM,    // the pixel at (x, y) comes from elsewhere, nearest neighbour; grey 128 from outside
  SSTI_PICTURE_COLOR,        // blended with: its grey values
  SSTI_PICTURE_BRIGHTNESS,   //   black
  SSTI_PICTURE_CONTRAST,     //   the mean of its grey values
  SSTI_PICTURE_SHARPNESS,    //   itself, smoothed
  SSTI_PICTURE_POSTERIZE,    // the bits of `number` stay
  SSTI_PICTURE_SOLARIZE,     // values from `number` on are inverted
  SSTI_PICTURE_AUTOCONTRAST, // each channel spread over 0..255
  SSTI_PICTURE_EQUALIZE,     // each channel's values made about equally frequent
} ssti_picture_change;

// One change with its numbers.
typedef struct ssti_picture_operation {
  int32_t change; // an ssti_picture_change
  float factor;   // of blends: 0 gives the plainer picture, 1 changes nothing
  int32_t number;
  int64_t x, y;                           // in 1/65536: where the first pixel comes from, its middle,
  int64_t x_by_x, x_by_y, y_by_x, y_by_y; // and how that moves with x and y
} ssti_picture_operation;

// A square to be blanked: rows top..bottom-1, columns left..right-1; empty if nothing is.
typedef struct ssti_cutout {
  int32_t top, bottom, left, right;
} ssti_cutout;

enum { SSTI_PICTURE_OPERATIONS = 2 };

// Order: crop, flip, operations on bytes; then on numbers the blanked square, the mixture, the spikes.
typedef struct ssti_picture_plan {
  int32_t picture; // its number in the set; below 0: there is none, and its place becomes zeros
  int32_t dx, dy;  // the pixel at (x, y) comes from (x + dx, y + dy), zero outside
  int32_t flip;    // left and right are swapped then
  int32_t operation_count;
  ssti_picture_operation operations[SSTI_PICTURE_OPERATIONS];
  ssti_cutout cutout;
  int32_t partner; // mixed with this place of the batch; below 0: with none
  float share;     // its own in the mixture
  uint64_t stream; // of random numbers for Poisson's spikes
} ssti_picture_plan;

// A picture that is taken as it is.
ssti_picture_plan ssti_picture_plan_plain(int32_t picture);

typedef enum ssti_picture_spikes {
  SSTI_PICTURE_NUMBERS,
  SSTI_PICTURE_POISSON,
  SSTI_PICTURE_LATENCY
} ssti_picture_spikes;

// What the pictures of a batch have in common.
typedef struct ssti_picture_form {
  int32_t height, width, channels;
  int32_t spikes;           // an ssti_picture_spikes
  int64_t batch, timesteps; // of the input; one step of numbers
  uint64_t seed;            // of Poisson's random numbers
} ssti_picture_form;

// The largest pictures that devices make batches of: a block of threads holds three in its shared memory.
enum { SSTI_PICTURE_MOST_BYTES = 64 * 64 * 3 };

// Moves the picture by (dx, dy); swaps left and right; does one operation. All in place.
void ssti_picture_shift(ssti_byte_picture *picture, int dx, int dy);
void ssti_picture_flip(ssti_byte_picture *picture);
void ssti_picture_operate(ssti_byte_picture *picture, const ssti_picture_operation *operation);

// The plan's crop, flip and operations.
void ssti_picture_follow(ssti_byte_picture *picture, const ssti_picture_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
