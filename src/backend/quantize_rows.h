// SPDX-License-Identifier: Apache-2.0
// What quantisers of weights do with one row, for the CPU backends (quantize_row_loops.h).
#ifndef SPIKESTILL_BACKEND_QUANTIZE_ROWS_H
#define SPIKESTILL_BACKEND_QUANTIZE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

// How a row becomes codes: ternary by its threshold, else by its step.
typedef struct ssti_row_codes {
  bool ternary;
  float threshold, step, largest; // largest: the code
} ssti_row_codes;

// Gradients of a row, straight through.
typedef struct ssti_row_gradient {
  bool accumulate;
  float scale, limit; // weights that are more than `limit` scales away from 0 receive none
  float largest;      // code
} ssti_row_gradient;

typedef struct ssti_quantize_rows {
  // Sum of |w| of the weights whose |w| is above `least`, and how many they are; -1: of all.
  void (*sizes)(int64_t count, const float *weight, float least, double *sum, double *counted);
  void (*codes)(int64_t count, const float *weight, const ssti_row_codes *how, float *codes);
  void (*gradient)(int64_t count, const float *weight, const float *dcodes, const ssti_row_gradient *how,
                   float *dweight);
  // Sum of dV * d(code)/d(step), of learned steps.
  double (*step_gradient)(int64_t count, const float *weight, const float *dcodes, const ssti_row_gradient *how);
} ssti_quantize_rows;

#endif
