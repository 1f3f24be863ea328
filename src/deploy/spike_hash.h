// SPDX-License-Identifier: Apache-2.0
// One spike's part of a step's hash, a sum, in which their order does not matter. The example beside the C source has
// it too (c_extras.c).
#ifndef SPIKESTILL_DEPLOY_SPIKE_HASH_H
#define SPIKESTILL_DEPLOY_SPIKE_HASH_H

#include <stdint.h>

static inline uint32_t ssti_spike_hash(uint32_t neuron) {
  uint32_t hash = (neuron + 1) * 2654435761U;
  hash ^= hash >> 15;
  hash *= 2246822519U;
  return hash ^ hash >> 13;
}

#endif
