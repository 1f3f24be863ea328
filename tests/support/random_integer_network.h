// SPDX-License-Identifier: Apache-2.0
// Random small integer networks for property tests: convolutions with strides, padding, dilation and groups, linear
// layers, every kind of neuron parameter, pools, residual sums, all readouts; pictures and inputs of their own at each
// step. All are sound, and most of their neurons fire sometimes.
#ifndef SPIKESTILL_TESTS_RANDOM_INTEGER_NETWORK_H
#define SPIKESTILL_TESTS_RANDOM_INTEGER_NETWORK_H

#include "spikestill/integer.h"

// 0 stands for the default.
typedef struct random_integer_options {
  int weight_bits;       // 2..8, or any
  int64_t most_size;     // height and width of the input; default 9
  int64_t most_channels; // of any layer; default 9
  int most_layers;       // layers, pools and blocks before the readout; default 6
  int64_t most_steps;    // default 5
  float pools;           // share of pools among layers; default 0.15
} random_integer_options;

// Ends the test if the library refuses what was made. `options` may be NULL. The same seed makes the same network.
sst_integer_network *random_integer_network(sst_context *context, uint64_t seed, const random_integer_options *options);

// Numbers of the input of so many pictures, and random ones within the bounds of value 0 (by the pixel codes, where
// there are some).
int64_t random_integer_input_count(const sst_integer_network *network, int64_t pictures);
void random_integer_input(const sst_integer_network *network, int64_t pictures, uint64_t seed, int16_t *input);

#endif
