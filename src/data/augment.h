// SPDX-License-Identifier: Apache-2.0
// What is done to a picture before it becomes numbers. Order: crop, flip, AutoAugment on bytes; then, on numbers,
// cutout and mixup. Everything drawn for a picture comes from one generator, which the loader keys by (seed, epoch,
// position).
#ifndef SPIKESTILL_DATA_AUGMENT_H
#define SPIKESTILL_DATA_AUGMENT_H

#include "data/autoaugment.h"
#include "spikestill/data.h"

// Moves the picture by (dx, dy): the pixel at (x, y) comes from (x + dx, y + dy), zero outside. That is padding by
// zeros and cropping.
void ssti_augment_shift(ssti_byte_picture *picture, int dx, int dy);

// Swaps left and right.
void ssti_augment_flip(ssti_byte_picture *picture);

// Crop, flip and AutoAugment, as the options say.
void ssti_augment_bytes(ssti_byte_picture *picture, const sst_augmentation *options, ssti_random *random);

// A square to be blanked: rows top..bottom-1, columns left..right-1; empty if nothing is.
typedef struct ssti_cutout {
  int top, bottom, left, right;
} ssti_cutout;

// Draws the square: its centre is anywhere in the picture, so that it may stick out (DeVries and Taylor 2017,
// "Improved Regularization of Convolutional Neural Networks with Cutout", section 3.1).
ssti_cutout ssti_cutout_draw(int height, int width, int side, ssti_random *random);

// A share 0..1 from Beta(alpha, alpha), alpha > 0. Mixup (Zhang et al. 2018, "mixup: Beyond Empirical Risk
// Minimization", section 2) draws one for each batch.
double ssti_beta_draw(double alpha, ssti_random *random);

#endif
