// SPDX-License-Identifier: Apache-2.0
// Neurons in 32-bit lanes: plain loops that compilers vectorise.
#include "deploy/kernels.h"

#define INLINE static inline __attribute__((always_inline))

INLINE int64_t step(const ssti_lane_neurons *parameters, bool hard, bool fits, bool scaled, int64_t count,
                    const int32_t *restrict z, const int32_t *restrict factor, const int32_t *restrict offset,
                    int32_t *restrict state, uint8_t *restrict spikes, int32_t *restrict membrane) {
  const ssti_lane_neurons n = *parameters;
  const uint32_t gain = n.gain, first = (uint32_t)offset[0];
  int32_t total = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t y = scaled ? (uint32_t)factor[i] * (uint32_t)z[i] + (uint32_t)offset[i] : (uint32_t)z[i] + first;
    const int32_t h = (int32_t)(((uint32_t)state[i] << n.state_shift) + gain * y);
    const int32_t s = h >= n.threshold;
    const int32_t u = hard ? h & (s - 1) : h - (n.threshold_step & -s);
    int32_t v;
    if (fits) {
      v = (n.decay * u + n.half) >> n.decay_shift;
      v = v > n.limit ? n.limit : v;
      v = v < -n.limit ? -n.limit : v;
    } else {
      int64_t product = ((int64_t)n.decay * u + n.half) >> n.decay_shift;
      product = product > n.limit ? n.limit : product;
      v = (int32_t)(product < -n.limit ? -n.limit : product);
    }
    state[i] = v;
    spikes[i] = (uint8_t)s;
    total += s;
    if (membrane != NULL) { membrane[i] = h; }
  }
  return total;
}

INLINE int64_t all_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r, bool hard, bool fits, bool scaled) {
  int64_t total = 0;
  for (int64_t i = 0; i < r->rows; i++) {
    total += step(n, hard, fits, scaled, r->count, r->z + i * r->z_stride, r->factor, r->offset,
                  r->state + i * r->state_stride, r->spikes + i * r->stride, NULL);
  }
  return total;
}

static int64_t observed_rows(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  int64_t total = 0;
  for (int64_t i = 0; i < r->rows; i++) {
    total += step(n, n->hard_reset, n->product_fits, r->factor != NULL, r->count, r->z + i * r->z_stride, r->factor,
                  r->offset, r->state + i * r->state_stride, r->spikes + i * r->stride, r->membrane + i * r->stride);
  }
  return total;
}

// Every combination that matters in the loop gets a loop of its own.
static int64_t neurons(const ssti_lane_neurons *n, const ssti_lane_rows *r) {
  if (r->membrane != NULL) { return observed_rows(n, r); }
  if (!n->product_fits) { return all_rows(n, r, n->hard_reset, false, r->factor != NULL); }
  if (n->hard_reset) {
    return r->factor != NULL ? all_rows(n, r, true, true, true) : all_rows(n, r, true, true, false);
  }
  return r->factor != NULL ? all_rows(n, r, false, true, true) : all_rows(n, r, false, true, false);
}

static void pool_bytes(int64_t count, const uint8_t *restrict x, uint8_t *restrict sum, bool first, bool largest) {
  if (first) {
    for (int64_t i = 0; i < count; i++) { sum[i] = x[i]; }
  } else if (largest) {
    for (int64_t i = 0; i < count; i++) { sum[i] = x[i] > sum[i] ? x[i] : sum[i]; }
  } else {
    for (int64_t i = 0; i < count; i++) { sum[i] = (uint8_t)(sum[i] + x[i]); }
  }
}

// y may be z.
static void affine(int64_t count, const int32_t *z, const int32_t *restrict factor, const int32_t *restrict offset,
                   int32_t *y) {
  for (int64_t i = 0; i < count; i++) { y[i] = (int32_t)((uint32_t)factor[i] * (uint32_t)z[i] + (uint32_t)offset[i]); }
}

void SSTI_KERNEL(ssti_kernel_fill_neurons)(ssti_kernels_of_level *table) {
  table->neurons = neurons;
  table->affine = affine;
  table->pool_bytes = pool_bytes;
}
