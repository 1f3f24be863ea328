// SPDX-License-Identifier: Apache-2.0
// Event-driven convolutions and linear layers of the fast backend: what fast_conv2d.c and fast_linear.c choose from.
#ifndef SPIKESTILL_BACKEND_FAST_EVENT_DRIVER_H
#define SPIKESTILL_BACKEND_FAST_EVENT_DRIVER_H

#include "backend/fast/fast.h"

// The head of what a forward pass saves; the bits follow, 64-byte aligned.
typedef struct ssti_event_saved {
  bool binary; // every value is 0 or `value`, which is finite: the bits tell everything
  float value; // 0: all are 0
  int64_t count;
  double density; // of values that are not 0; only where binary
} ssti_event_saved;

ssti_event_saved ssti_event_found(const void *saved);
const uint64_t *ssti_event_bits(const void *saved);
size_t ssti_event_saved_bytes(int64_t pixels, int64_t channels);

// Where saved->binary; one group. The workspace holds as many bytes as the function before says.
size_t ssti_event_forward_workspace(ssti_backend *backend, const ssti_conv2d *shape);
void ssti_event_conv2d_forward(ssti_backend *backend, const ssti_conv2d *shape, const void *saved, const float *weight,
                               const float *bias, float *y, void *workspace);
// The same for kernels of 3x3 and stride 1 by the loops that the table has for them (simd.h).
bool ssti_event_is_nine(const ssti_conv2d *shape);
size_t ssti_event_nine_workspace(ssti_backend *backend, const ssti_conv2d *shape);
void ssti_event_nine_forward(ssti_backend *backend, const ssti_conv2d *shape, const void *saved, const float *weight,
                             const float *bias, void *y, void *workspace);
size_t ssti_event_conv2d_weights_workspace(ssti_backend *backend, const ssti_conv2d *shape);
void ssti_event_conv2d_weights(ssti_backend *backend, const ssti_conv2d *shape, const void *saved, const float *dy,
                               float *dweight, bool accumulate, void *workspace);
// dweight (+)= scale times the sums of all slots, added in their order. A slot's stand at its beginning, as the blocks
// of event.h; from one slot to the next it is `slot_bytes`.
void ssti_event_join_sums(ssti_backend *backend, const ssti_conv2d *shape, float scale, const void *sums, int64_t slots,
                          size_t slot_bytes, float *dweight, bool accumulate);
size_t ssti_event_linear_weights_workspace(ssti_backend *backend, const ssti_linear *shape);
void ssti_event_linear_weights(ssti_backend *backend, const ssti_linear *shape, const void *saved, const float *dy,
                               float *dweight, bool accumulate, void *workspace);

// ---- the choice

// Whether spikes may ever be the faster way, known from the shape: only then does a plan ask for room.
bool ssti_event_possible(double forward, double weights, int64_t channels);
// Forward: packs x [pixels, channels] of `type` and says whether spikes are the faster way to `positions` output
// pixels; and again by another number, from what was packed. Weights: the same. Both note in the plan what they found.
bool ssti_event_look(ssti_backend *backend, ssti_plan *plan, int64_t pixels, int64_t channels, const void *x,
                     ssti_type type, void *saved, double crossover, int64_t positions);
bool ssti_event_look_again(ssti_plan *plan, int64_t channels, const void *saved, double crossover, int64_t positions);
bool ssti_event_recall(ssti_plan *plan, int64_t channels, const void *saved, double crossover, int64_t positions);

#endif
