// SPDX-License-Identifier: Apache-2.0
// Networks for benchmarks: the shapes of named models with random ternary weights, and thresholds that make their
// neurons fire about as often as a trained network's. What an engine computes with them means nothing; how fast it does
// is what a trained one's would be.
#ifndef SPIKESTILL_DEPLOY_BENCH_NETWORK_H
#define SPIKESTILL_DEPLOY_BENCH_NETWORK_H

#include "base/fail.h"
#include "spikestill/bench.h"
#include "spikestill/integer.h"

// T = 4; LIF neurons with a leak of 1/2, hard reset and 8-bit membranes; 8-bit norms and pixels; average pooling unless
// `max_pool`. 42 % of the weights are 0, as where Gaussian ones are cut at 0.7 of their mean size.
sst_status ssti_bench_network(sst_context *context, sst_deploy_model model, bool max_pool, sst_integer_network **out);

// Moves the thresholds, layer by layer, until a share of 0.10 to 0.15 of the neurons fires in a step.
sst_status ssti_bench_settle(sst_context *context, sst_integer_network *network, int64_t pictures,
                             const int16_t *input);

#endif
