// SPDX-License-Identifier: Apache-2.0
// Steps of grids for numbers that are there already: quantisation after training.
#ifndef SPIKESTILL_QUANTIZE_BEST_STEP_H
#define SPIKESTILL_QUANTIZE_BEST_STEP_H

#include <stdint.h>

// The step of a grid of so many bits by which the numbers lose least: of a tenth to all of the step at which none is
// clipped, in hundredths, that of the smallest squared error; the larger of equal ones. 1 where all are 0.
float ssti_best_step(const float *x, int64_t count, int bits);

#endif
