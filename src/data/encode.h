// SPDX-License-Identifier: Apache-2.0
// From brightness to what a spiking network takes in.
#ifndef SPIKESTILL_DATA_ENCODE_H
#define SPIKESTILL_DATA_ENCODE_H

#include <stdint.h>

// Both write spikes (0 or 1) of one picture with `count` values in 0..1 for T steps: out[t * stride + i].

// Poisson: value i spikes at step t with probability values[i]. The draws come from (seed, stream) and the place alone.
void ssti_encode_poisson(const float *values, int64_t count, int64_t timesteps, int64_t stride, uint64_t seed,
                         uint64_t stream, float *out);

// Latency: one spike at step floor((1 - value) * T); none for 0.
void ssti_encode_latency(const float *values, int64_t count, int64_t timesteps, int64_t stride, float *out);

#endif
