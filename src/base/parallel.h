// SPDX-License-Identifier: Apache-2.0
// One way to use several threads inside a computation. OpenMP by default, so that oneDNN's threads are the same ones;
// plain POSIX threads in the thread-sanitizer build, which cannot see into an OpenMP runtime.
#ifndef SPIKESTILL_BASE_PARALLEL_H
#define SPIKESTILL_BASE_PARALLEL_H

#include "spikestill/context.h"

typedef void ssti_range_function(void *arg, int64_t begin, int64_t end);

// Calls `function` on disjoint ranges that together are [0, count), at most one range a thread, each at least `grain`
// long (so a small count runs in the caller). Returns when all are done. What a range computes must not depend on
// where ranges begin and end: reductions go over chunks of fixed size, combined in order afterwards.
void ssti_parallel_for(sst_context *context, int64_t count, int64_t grain, ssti_range_function *function, void *arg);

#endif
