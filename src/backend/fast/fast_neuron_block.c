// SPDX-License-Identifier: Apache-2.0
#include "backend/fast/fast_neuron_block.h"

#include <string.h>

enum { ROW = SSTI_SIMD_NEURON_BLOCK + 32 }; // rows a power of two apart would get into each other's way in the cache

// x, its gradient, spikes or their gradient, membrane or its gradient.
int64_t ssti_block_scratch(ssti_block_types types, int64_t input_steps, int64_t steps) {
  return types.in == SSTI_BF16 || types.out == SSTI_BF16 ? (2 * input_steps + 2 * steps) * ROW : 0;
}

// Rows of a block from or to a tensor; those of the next block are asked for.
static void gather(const ssti_simd *simd, const ssti_neuron_block *b, const float *tensor, ssti_type type,
                   int64_t steps, float *rows) {
  const bool more = b->begin + 2 * b->length <= b->count;
  for (int64_t t = 0; t < steps; t++) {
    const int64_t at = t * b->count + b->begin;
    if (type == SSTI_BF16) {
      const ssti_bf16 *from = (const ssti_bf16 *)(const void *)tensor + at;
      for (int64_t i = 0; more && i < b->length; i += 32) { __builtin_prefetch(from + b->length + i, 0, 3); }
      simd->widen(b->length, from, rows + t * ROW);
    } else {
      for (int64_t i = 0; more && i < b->length; i += 16) { __builtin_prefetch(tensor + at + b->length + i, 0, 3); }
      memcpy(rows + t * ROW, tensor + at, (size_t)b->length * sizeof *rows);
    }
  }
}

static void scatter(const ssti_simd *simd, const ssti_neuron_block *b, const float *rows, ssti_type type, int64_t steps,
                    float *tensor) {
  for (int64_t t = 0; t < steps; t++) {
    const int64_t at = t * b->count + b->begin;
    if (type == SSTI_BF16) {
      simd->narrow(b->length, rows + t * ROW, (ssti_bf16 *)(void *)tensor + at);
    } else {
      memcpy(tensor + at, rows + t * ROW, (size_t)b->length * sizeof *rows);
    }
  }
}

// The kernels know no difference: all that is left is another rounding on the way back.
void ssti_run_block(const ssti_simd *simd, void (*kernel)(const ssti_neuron_block *), const ssti_neuron_block *b,
                    ssti_block_types types, float *scratch) {
  if (scratch == NULL) {
    kernel(b);
    return;
  }
  float *x = scratch, *dx = x + b->input_steps * ROW, *spikes = dx + b->input_steps * ROW;
  float *membrane = spikes + b->steps * ROW;
  ssti_neuron_block local = *b;
  local.begin = 0;
  local.count = ROW;
  gather(simd, b, b->x, types.in, b->input_steps, x);
  local.x = x;
  if (b->spikes != NULL) { local.spikes = spikes; }
  if (b->membrane != NULL) { local.membrane = membrane; }
  if (b->state != NULL) { local.state = b->state + b->begin; }
  if (b->dspikes != NULL) {
    gather(simd, b, b->dspikes, types.out, b->steps, spikes);
    local.dspikes = spikes;
  }
  if (b->dmembrane != NULL) {
    gather(simd, b, b->dmembrane, SSTI_F32, b->steps, membrane);
    local.dmembrane = membrane;
  }
  if (b->dx != NULL) {
    if (b->accumulate_dx) { gather(simd, b, b->dx, types.in, b->input_steps, dx); }
    local.dx = dx;
  }
  kernel(&local);
  if (b->spikes != NULL) { scatter(simd, b, spikes, types.out, b->steps, b->spikes); }
  if (b->membrane != NULL) { scatter(simd, b, membrane, SSTI_F32, b->steps, b->membrane); }
  if (b->dx != NULL) { scatter(simd, b, dx, types.in, b->input_steps, b->dx); }
}
