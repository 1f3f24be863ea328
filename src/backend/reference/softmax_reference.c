// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax over C of x / temperature. The row's largest value is subtracted first, so that nothing
// overflows. Threads share out whole rows.
#include <math.h>

#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct softmax_job {
  int64_t channels;
  float temperature;
  bool log, accumulate;
  const float *x, *y, *dy;
  float *out;
} softmax_job;

static void forward_rows(void *arg, int64_t begin, int64_t end) {
  const softmax_job *job = arg;
  const int64_t channels = job->channels;
  for (int64_t row = begin; row < end; row++) {
    const float *restrict x = job->x + row * channels;
    float *restrict y = job->out + row * channels;
    float largest = x[0];
    for (int64_t i = 1; i < channels; i++) { largest = x[i] > largest ? x[i] : largest; }
    double sum = 0.0;
    for (int64_t i = 0; i < channels; i++) {
      const float z = (x[i] - largest) / job->temperature;
      const float e = expf(z);
      sum += (double)e;
      y[i] = job->log ? z : e;
    }
    if (job->log) {
      const float shift = (float)log(sum);
      for (int64_t i = 0; i < channels; i++) { y[i] -= shift; }
    } else {
      for (int64_t i = 0; i < channels; i++) { y[i] = (float)((double)y[i] / sum); }
    }
  }
}

void ssti_reference_softmax_forward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                                    const float *x, float *y) {
  softmax_job job = {.channels = channels, .temperature = temperature, .log = log, .x = x, .out = y};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), forward_rows, &job);
}

// Softmax: dx = y * (dy - sum(dy * y)) / temperature; log-softmax: dx = (dy - exp(y) * sum(dy)) / temperature.
static void backward_rows(void *arg, int64_t begin, int64_t end) {
  const softmax_job *job = arg;
  const int64_t channels = job->channels;
  for (int64_t row = begin; row < end; row++) {
    const float *restrict y = job->y + row * channels, *restrict dy = job->dy + row * channels;
    float *restrict dx = job->out + row * channels;
    double sum = 0.0;
    for (int64_t i = 0; i < channels; i++) { sum += job->log ? (double)dy[i] : (double)dy[i] * (double)y[i]; }
    for (int64_t i = 0; i < channels; i++) {
      const double slope = job->log ? (double)dy[i] - (double)expf(y[i]) * sum : (double)y[i] * ((double)dy[i] - sum);
      const float value = (float)(slope / (double)job->temperature);
      dx[i] = job->accumulate ? dx[i] + value : value;
    }
  }
}

void ssti_reference_softmax_backward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                                     const float *y, const float *dy, float *dx, bool accumulate) {
  softmax_job job = {.channels = channels,
                     .temperature = temperature,
                     .log = log,
                     .accumulate = accumulate,
                     .y = y,
                     .dy = dy,
                     .out = dx};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), backward_rows, &job);
}
