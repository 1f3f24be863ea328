// SPDX-License-Identifier: Apache-2.0
// The twin of parallel_pthread.c; the build takes one of them (SPIKESTILL_THREADS).
#include <omp.h>

#include "base/context_state.h"
#include "base/parallel.h"

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
#pragma omp parallel num_threads((int)parts)
  {
    // The runtime may give fewer threads than asked for, so each takes every team-th range.
    int64_t team = omp_get_num_threads();
    for (int64_t i = omp_get_thread_num(); i < parts; i += team) {
      int64_t begin = i * length + (i < longer ? i : longer);
      function(arg, begin, begin + length + (i < longer ? 1 : 0));
    }
  }
}

// The threads belong to the OpenMP runtime.
void ssti_parallel_end(sst_context *context) { (void)context; }
