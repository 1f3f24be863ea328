// SPDX-License-Identifier: Apache-2.0
// Cross-entropy and KL divergence, one number a row; sums over C in double. Threads share out whole rows.
#include <float.h>
#include <math.h>

#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct cross_entropy_job {
  int64_t target_rows, channels;
  double smoothing;
  const float *logits, *target, *dloss;
  float *out;
  bool accumulate;
} cross_entropy_job;

static double log_sum_exp(const float *x, int64_t count) {
  float largest = x[0];
  for (int64_t i = 1; i < count; i++) { largest = x[i] > largest ? x[i] : largest; }
  if (isinf(largest)) { return (double)largest; } // inf - inf would be NaN
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) { sum += (double)expf(x[i] - largest); }
  return (double)largest + log(sum);
}

// The target after smoothing.
static inline double smooth_target(const cross_entropy_job *job, float target) {
  return (1.0 - job->smoothing) * (double)target + job->smoothing / (double)job->channels;
}

static void cross_entropy_forward_rows(void *arg, int64_t begin, int64_t end) {
  const cross_entropy_job *job = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = job->logits + row * job->channels;
    const float *target = job->target + row % job->target_rows * job->channels;
    const double normaliser = log_sum_exp(x, job->channels);
    double loss = 0.0;
    for (int64_t i = 0; i < job->channels; i++) {
      const double t = smooth_target(job, target[i]);
      // A class that is impossible and not wanted costs nothing (0 * inf would be NaN).
      loss += t == 0.0 && !isnan(x[i]) ? 0.0 : t * (normaliser - (double)x[i]);
    }
    job->out[row] = (float)loss;
  }
}

void ssti_reference_cross_entropy_forward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                          float smoothing, const float *logits, const float *target, float *loss) {
  cross_entropy_job job = {.target_rows = target_rows,
                           .channels = channels,
                           .smoothing = (double)smoothing,
                           .logits = logits,
                           .target = target,
                           .out = loss};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), cross_entropy_forward_rows, &job);
}

// dlogits_c = dloss * (softmax_c * sum(t) - t_c); the sum is 1 for a distribution, but is not taken for granted.
static void cross_entropy_backward_rows(void *arg, int64_t begin, int64_t end) {
  const cross_entropy_job *job = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = job->logits + row * job->channels;
    const float *target = job->target + row % job->target_rows * job->channels;
    float *dx = job->out + row * job->channels;
    const double normaliser = log_sum_exp(x, job->channels), dloss = (double)job->dloss[row];
    double sum = 0.0;
    for (int64_t i = 0; i < job->channels; i++) { sum += smooth_target(job, target[i]); }
    for (int64_t i = 0; i < job->channels; i++) {
      const double share = (double)expf((float)((double)x[i] - normaliser));
      const float value = (float)(dloss * (share * sum - smooth_target(job, target[i])));
      dx[i] = job->accumulate ? dx[i] + value : value;
    }
  }
}

void ssti_reference_cross_entropy_backward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                           float smoothing, const float *logits, const float *target,
                                           const float *dloss, float *dlogits, bool accumulate) {
  cross_entropy_job job = {.target_rows = target_rows,
                           .channels = channels,
                           .smoothing = (double)smoothing,
                           .logits = logits,
                           .target = target,
                           .dloss = dloss,
                           .out = dlogits,
                           .accumulate = accumulate};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), cross_entropy_backward_rows, &job);
}

typedef struct kl_job {
  int64_t channels;
  const float *p, *log_q, *dloss;
  float *loss, *dp, *dlog_q;
  bool accumulate_p, accumulate_q;
} kl_job;

static void kl_forward_rows(void *arg, int64_t begin, int64_t end) {
  const kl_job *job = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *p = job->p + row * job->channels, *log_q = job->log_q + row * job->channels;
    double loss = 0.0;
    for (int64_t i = 0; i < job->channels; i++) {
      // Written so that a p that is NaN is not taken for 0.
      loss += p[i] == 0.0f ? 0.0 : (double)p[i] * (log((double)p[i]) - (double)log_q[i]);
    }
    job->loss[row] = (float)loss;
  }
}

void ssti_reference_kl_forward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p,
                               const float *log_q, float *loss) {
  kl_job job = {.channels = channels, .p = p, .log_q = log_q, .loss = loss};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), kl_forward_rows, &job);
}

// dp = dloss * (log p + 1 - log_q), finite also at p = 0; dlog_q = -dloss * p.
static void kl_backward_rows(void *arg, int64_t begin, int64_t end) {
  const kl_job *job = arg;
  for (int64_t row = begin; row < end; row++) {
    const int64_t first = row * job->channels;
    const float dloss = job->dloss[row];
    for (int64_t i = first; job->dp && i < first + job->channels; i++) {
      const float p = job->p[i] == 0.0f ? FLT_MIN : job->p[i];
      const float value = dloss * (logf(p) + 1.0f - job->log_q[i]);
      job->dp[i] = job->accumulate_p ? job->dp[i] + value : value;
    }
    for (int64_t i = first; job->dlog_q && i < first + job->channels; i++) {
      const float value = -dloss * job->p[i];
      job->dlog_q[i] = job->accumulate_q ? job->dlog_q[i] + value : value;
    }
  }
}

void ssti_reference_kl_backward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p,
                                const float *log_q, const float *dloss, float *dp, bool accumulate_p, float *dlog_q,
                                bool accumulate_q) {
  kl_job job = {.channels = channels,
                .p = p,
                .log_q = log_q,
                .dloss = dloss,
                .dp = dp,
                .dlog_q = dlog_q,
                .accumulate_p = accumulate_p,
                .accumulate_q = accumulate_q};
  ssti_parallel_for(backend->context, rows, ssti_reference_row_grain(channels), kl_backward_rows, &job);
}
