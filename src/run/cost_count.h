// SPDX-License-Identifier: Apache-2.0
// Counting what enters a layer: spikes, non-zero inputs, the non-zero weights that they meet, and what crossbars see.
#ifndef SPIKESTILL_RUN_COST_COUNT_H
#define SPIKESTILL_RUN_COST_COUNT_H

#include "base/memory.h"
#include "spikestill/energy.h"
#include "spikestill/tensor.h"

// How many non-zero weights each input of one picture meets: fan [H,W,C]; and their sum if no weight were zero.
// weights [1,O,Kh,Kw,I/groups]; pad and dilation of the convolution.
typedef struct ssti_cost_geometry {
  int64_t pad_h, pad_w, dilation_h, dilation_w;
} ssti_cost_geometry;
void ssti_cost_fan(const sst_cost_layer *layer, const ssti_cost_geometry *geometry, const float *weights, float *fan,
                   int64_t *zero_weights, double *dense_operations);

// Of one picture at one step: x [H,W,C].
typedef struct ssti_cost_counts {
  double inputs;               // spikes (the sum of x over spike_value), or inputs that are not 0
  double operations;           // pairs of a non-zero input and a non-zero weight
  double patches, rows, sites; // crossbars
} ssti_cost_counts;
// `crossbar` 0: crossbars are not counted, and `scratch` may be NULL; else it holds H*W*ceil(C/crossbar) floats.
ssti_cost_counts ssti_cost_count(const sst_cost_layer *layer, const ssti_cost_geometry *geometry, const float *x,
                                 const float *fan, double spike_value, int64_t crossbar, float *scratch);

#endif
