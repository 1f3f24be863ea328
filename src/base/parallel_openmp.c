// SPDX-License-Identifier: Apache-2.0
// The twin of parallel_pthread.c; the build takes one of them (SPIKESTILL_THREADS).
#include <omp.h>
#include <sched.h>

#include "base/context_state.h"
#include "base/parallel.h"

// A thread that wakes up on the caller's processor waits until the caller has done its own part: two threads then take
// as long as one. Where few processors share a cache, Linux leaves threads there for seconds (docs/SPEED.md). Such a
// thread moves to another processor, once; where it may run afterwards stays as it was.
static void leave_processor(int processor, int team) {
  cpu_set_t allowed, others;
  if (processor < 0 || processor != sched_getcpu() || sched_getaffinity(0, sizeof allowed, &allowed) != 0) { return; }
  if (CPU_COUNT(&allowed) < team) { return; } // some have to share
  others = allowed;
  CPU_CLR((size_t)processor, &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) { (void)sched_setaffinity(0, sizeof allowed, &allowed); }
}

void ssti_parallel_for(sst_context *context, int64_t count, int64_t grain, ssti_range_function *function, void *arg) {
  if (count <= 0) { return; }
  int64_t parts = grain > 1 ? count / grain : count;
  if (parts > context->threads) { parts = context->threads; }
  // A loop inside a loop runs in the thread that came to it: the others are busy already.
  if (parts <= 1 || omp_in_parallel()) {
    function(arg, 0, count);
    return;
  }
  int64_t length = count / parts, longer = count % parts;
  const int caller = sched_getcpu();
#pragma omp parallel num_threads((int)parts)
  {
    // The runtime may give fewer threads than asked for, so each takes every team-th range.
    int64_t team = omp_get_num_threads();
    if (omp_get_thread_num() > 0) { leave_processor(caller, (int)team); }
    for (int64_t i = omp_get_thread_num(); i < parts; i += team) {
      int64_t begin = i * length + (i < longer ? i : longer);
      function(arg, begin, begin + length + (i < longer ? 1 : 0));
    }
  }
}

// The threads belong to the OpenMP runtime.
void ssti_parallel_end(sst_context *context) { (void)context; }
