// SPDX-License-Identifier: Apache-2.0
// Normal noise added to every element.
#include "backend/reference/reference.h"
#include "base/parallel.h"
#include "base/random.h"

typedef struct noise_work {
  float deviation;
  uint64_t seed, stream;
  const float *x;
  float *y;
} noise_work;

static void noise_range(void *arg, int64_t begin, int64_t end) {
  const noise_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    w->y[i] = w->x[i] + w->deviation * ssti_random_normal(w->seed, w->stream, (uint64_t)i);
  }
}

void ssti_reference_noise(ssti_backend *backend, int64_t count, float deviation, uint64_t seed, uint64_t stream,
                          uint64_t step, const float *x, float *y) {
  noise_work work = {deviation, seed, ssti_random_stream_with(stream, step), x, y};
  ssti_parallel_for(backend->context, count, 1024, noise_range, &work);
}
