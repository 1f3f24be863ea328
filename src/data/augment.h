// SPDX-License-Identifier: Apache-2.0
// What is drawn for a picture before it becomes numbers: its plan. Everything drawn for one comes from one generator,
// which the loader keys by (seed, epoch, position).
#ifndef SPIKESTILL_DATA_AUGMENT_H
#define SPIKESTILL_DATA_AUGMENT_H

#include "data/autoaugment.h"
#include "spikestill/data.h"

// Draws crop, flip, AutoAugment and cutout, as the options say, in that order, for a picture of that size.
void ssti_picture_plan_draw(const sst_augmentation *options, int height, int width, ssti_random *random,
                            ssti_picture_plan *plan);

// Draws the square: its centre is anywhere in the picture, so that it may stick out (DeVries and Taylor 2017,
// "Improved Regularization of Convolutional Neural Networks with Cutout", section 3.1).
ssti_cutout ssti_cutout_draw(int height, int width, int side, ssti_random *random);

// A share 0..1 from Beta(alpha, alpha), alpha > 0. Mixup (Zhang et al. 2018, "mixup: Beyond Empirical Risk
// Minimization", section 2) draws one for each batch.
double ssti_beta_draw(double alpha, ssti_random *random);

#endif
