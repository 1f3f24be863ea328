// SPDX-License-Identifier: Apache-2.0
// The head of each row: its largest classes one after the other, until their sum reaches the mass. Each costs a look at
// the whole row; heads are short. The sum is in double, so the choice is the same on every machine.
#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct head_job {
  int64_t channels;
  double mass;
  const float *p;
  float *mask;
} head_job;

static void mark_rows(void *arg, int64_t begin, int64_t end) {
  const head_job *job = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *p = job->p + row * job->channels;
    float *mask = job->mask + row * job->channels;
    for (int64_t i = 0; i < job->channels; i++) { mask[i] = 0.0f; }
    double sum = 0.0;
    for (int64_t taken = 0; taken < job->channels && sum < job->mass; taken++) {
      int64_t largest = -1;
      for (int64_t i = 0; i < job->channels; i++) {
        if (mask[i] == 0.0f && (largest < 0 || p[i] > p[largest])) { largest = i; }
      }
      mask[largest] = 1.0f;
      sum += (double)p[largest];
    }
  }
}

void ssti_reference_head_mask(ssti_backend *backend, int64_t rows, int64_t channels, float mass, const float *p,
                              float *mask) {
  head_job job = {.channels = channels, .mass = (double)mass, .p = p, .mask = mask};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), mark_rows, &job);
}
