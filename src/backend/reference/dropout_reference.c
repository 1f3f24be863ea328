// SPDX-License-Identifier: Apache-2.0
// Dropout: an element stays if its random number is at least the rate, and is scaled so that the mean stays.
#include "backend/reference/reference.h"
#include "base/parallel.h"
#include "base/random.h"

typedef struct dropout_work {
  float rate, factor;
  uint64_t seed, stream;
  const float *x;
  float *y;
  bool accumulate;
} dropout_work;

static void dropout_range(void *arg, int64_t begin, int64_t end) {
  const dropout_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    bool stays = ssti_random_uniform(w->seed, w->stream, (uint64_t)i) >= w->rate;
    float value = stays ? w->x[i] * w->factor : 0.0f;
    w->y[i] = w->accumulate ? w->y[i] + value : value;
  }
}

void ssti_reference_dropout(ssti_backend *backend, int64_t count, float rate, uint64_t seed, uint64_t stream,
                            uint64_t step, const float *x, float *y, bool accumulate) {
  assert(rate >= 0.0f && rate < 1.0f);
  dropout_work work = {.rate = rate,
                       .factor = 1.0f / (1.0f - rate),
                       .seed = seed,
                       .stream = ssti_random_stream_with(stream, step),
                       .x = x,
                       .y = y,
                       .accumulate = accumulate};
  ssti_parallel_for(backend->context, count, 2048, dropout_range, &work);
}
