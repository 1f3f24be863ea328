// SPDX-License-Identifier: Apache-2.0
// The arithmetic of picture_plan.h, one value at a time, for the CPU's loops and for kernels. Every step is exact or
// rounded as IEEE says, and nothing is contracted, so that all devices give the same bits.
#ifndef SPIKESTILL_PICTURE_PICTURE_FORMULAS_H
#define SPIKESTILL_PICTURE_PICTURE_FORMULAS_H

#include <math.h>

#include "base/everywhere.h"
#include "picture/picture_plan.h"

enum { SSTI_PICTURE_FILL = 128, SSTI_PICTURE_FIXED_ONE = 65536 };

// Grey value of a pixel: the luma weights of ITU-R 601, rounded, in 16-bit fixed point.
SSTI_EVERYWHERE uint8_t ssti_picture_grey(const uint8_t *pixel, int channels) {
  if (channels < 3) { return pixel[0]; }
  return (uint8_t)((pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16);
}

// The mean of grey values, rounded.
SSTI_EVERYWHERE uint8_t ssti_picture_mean(int64_t sum, int64_t pixels) {
  return (uint8_t)((2 * sum + pixels) / (2 * pixels));
}

// base + factor * (value - base), cut to a byte; in single precision, as Pillow does it.
SSTI_EVERYWHERE uint8_t ssti_picture_blend(uint8_t base, uint8_t value, float factor) {
  const float mixed = (float)base + factor * (float)(value - base);
  return (uint8_t)(mixed <= 0.0f ? 0.0f : mixed >= 255.0f ? 255.0f : mixed);
}

// The smoothed value at `middle`, not on the border: 1 1 1 / 1 5 1 / 1 1 1 over 13. `row` bytes a row.
SSTI_EVERYWHERE uint8_t ssti_picture_smooth(const uint8_t *middle, int row, int channels) {
  int sum = 4 * middle[0];
  for (int d = -row; d <= row; d += row) { sum += middle[d - channels] + middle[d] + middle[d + channels]; }
  return (uint8_t)((2 * sum + 13) / 26);
}

// What a value becomes where low and high are its channel's extremes, low < high.
SSTI_EVERYWHERE uint8_t ssti_picture_spread(int low, int high, int value) {
  const double scale = 255.0 / (high - low), offset = -low * scale, spread = value * scale + offset;
  return (uint8_t)(spread <= 0.0 ? 0.0 : spread >= 255.0 ? 255.0 : spread);
}

// What a value becomes of which the channel has `below` smaller ones, with `step` > 0 values a level.
SSTI_EVERYWHERE uint8_t ssti_picture_level(int below, int step) {
  const int level = (step / 2 + below) / step;
  return (uint8_t)(level > 255 ? 255 : level);
}
// How many values a level gets, 0 in small or flat channels, which stay as they are.
SSTI_EVERYWHERE int ssti_picture_level_step(int pixels, int count_of_largest) {
  return (pixels - count_of_largest) / 255;
}

SSTI_EVERYWHERE bool ssti_cutout_has(const ssti_cutout *square, int y, int x) {
  return y >= square->top && y < square->bottom && x >= square->left && x < square->right;
}

SSTI_EVERYWHERE float ssti_picture_mix(float share, float own, float partner) {
  return share * own + (1.0f - share) * partner;
}

// Poisson: a value 0..1 is the probability of a spike, `word` a random one.
SSTI_EVERYWHERE float ssti_picture_poisson(uint32_t word, float value) {
  return (float)(word >> 8) * (1.0f / 16777216.0f) < value ? 1.0f : 0.0f;
}

// Latency: the step on which a value in 0..1 spikes; -1 for 0.
SSTI_EVERYWHERE int64_t ssti_picture_latency(float value, int64_t timesteps) {
  if (value <= 0.0f) { return -1; }
  // The allowance puts values such as 204/255 = 0.8, which are not exact in binary, on the step they belong to.
  const double latency = (1.0 - (double)value + 1e-6) * (double)timesteps;
  const int64_t t = (int64_t)floor(latency);
  // A value that is nearly 0 comes to lie on the step after the last.
  return t < timesteps ? t : timesteps - 1;
}

#endif
