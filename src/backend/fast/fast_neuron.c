// SPDX-License-Identifier: Apache-2.0
// IF, LIF and PLIF by own kernels; the other kinds stay with the reference.
#include "backend/fast/fast.h"
#include "base/parallel.h"

enum { BLOCK = SSTI_SIMD_NEURON_BLOCK, GRAIN_ELEMENTS = 16384 };

bool ssti_fast_is_own_neuron(sst_neuron_kind kind) {
  return kind == SST_NEURON_IF || kind == SST_NEURON_LIF || kind == SST_NEURON_PLIF;
}

static int64_t block_count(const ssti_neuron_shape *shape) { return (shape->count + BLOCK - 1) / BLOCK; }

// Blocks that are worth a thread.
static int64_t block_grain(const ssti_neuron_shape *shape) { return 1 + GRAIN_ELEMENTS / (BLOCK * shape->steps); }

typedef struct neuron_work {
  const ssti_simd *simd;
  ssti_neuron_block block; // all but begin, length, potential, dleak
  int64_t blocks, slots;
  float *potential; // [slots, steps, BLOCK]
  double *dleak;    // [blocks], or NULL
} neuron_work;

static ssti_neuron_block block_at(const neuron_work *w, int64_t index) {
  ssti_neuron_block block = w->block;
  block.begin = index * BLOCK;
  block.length = block.count - block.begin < BLOCK ? block.count - block.begin : BLOCK;
  return block;
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const neuron_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    const ssti_neuron_block block = block_at(w, i);
    w->simd->neuron_forward(&block);
  }
}

static void neuron_forward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                           const float *decay_parameter, float *spikes, float *membrane) {
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    state->reference.neuron_forward(backend, shape, x, decay_parameter, spikes, membrane);
    return;
  }
  assert(shape->input_steps == 1 || shape->input_steps == shape->steps);
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter);
  neuron_work work = {.simd = &state->simd,
                      .block = {.dynamics = &dynamics,
                                .smooth = shape->smooth,
                                .steps = shape->steps,
                                .input_steps = shape->input_steps,
                                .count = shape->count,
                                .x = x,
                                .spikes = spikes,
                                .membrane = membrane,
                                .state = shape->state,
                                .resumes = shape->resumes}};
  ssti_parallel_for(backend->context, block_count(shape), block_grain(shape), forward_range, &work);
}

// Each slot has room for one block's H and takes a fixed share of the blocks.
static void backward_range(void *arg, int64_t begin, int64_t end) {
  const neuron_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t last = (slot + 1) * w->blocks / w->slots;
    for (int64_t i = slot * w->blocks / w->slots; i < last; i++) {
      ssti_neuron_block block = block_at(w, i);
      block.potential = w->potential + slot * block.steps * BLOCK;
      block.dleak = w->dleak != NULL ? w->dleak + i : NULL;
      w->simd->neuron_backward(&block);
    }
  }
}

static int64_t slot_count(const ssti_backend *backend, const ssti_neuron_shape *shape) {
  const int64_t useful = block_count(shape) / block_grain(shape), threads = sst_context_threads(backend->context);
  return useful < 1 ? 1 : useful < threads ? useful : threads;
}

static size_t neuron_workspace(ssti_backend *backend, const ssti_neuron_shape *shape) {
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    return ssti_fast_state_of(backend)->reference.neuron_workspace(backend, shape);
  }
  const size_t potential = (size_t)(slot_count(backend, shape) * shape->steps) * BLOCK * sizeof(float);
  return potential + (size_t)block_count(shape) * sizeof(double);
}

static void neuron_backward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                            const float *decay_parameter, const float *dspikes, const float *dmembrane, float *dx,
                            bool accumulate_dx, float *ddecay, bool accumulate_ddecay, void *workspace) {
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    state->reference.neuron_backward(backend, shape, x, decay_parameter, dspikes, dmembrane, dx, accumulate_dx, ddecay,
                                     accumulate_ddecay, workspace);
    return;
  }
  assert(shape->input_steps == 1 || shape->input_steps == shape->steps);
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter);
  neuron_work work = {.simd = &state->simd,
                      .block = {.dynamics = &dynamics,
                                .smooth = shape->smooth,
                                .steps = shape->steps,
                                .input_steps = shape->input_steps,
                                .count = shape->count,
                                .x = x,
                                .dspikes = dspikes,
                                .dmembrane = dmembrane,
                                .dx = dx,
                                .accumulate_dx = accumulate_dx},
                      .blocks = block_count(shape),
                      .slots = slot_count(backend, shape),
                      .potential = workspace};
  const bool learns = dynamics.learns && ddecay != NULL;
  if (learns) { work.dleak = (double *)(void *)(work.potential + work.slots * shape->steps * BLOCK); }
  ssti_parallel_for(backend->context, work.slots, 1, backward_range, &work);
  if (!learns) { return; }
  double sum = 0;
  for (int64_t i = 0; i < work.blocks; i++) { sum += work.dleak[i]; }
  // leak = sigmoid(w)
  const float dw = (float)(sum * (double)dynamics.w_leak * (double)dynamics.w_decay);
  *ddecay = accumulate_ddecay ? *ddecay + dw : dw;
}

void ssti_fast_fill_neuron(ssti_kernels *kernels) {
  kernels->neuron_forward = neuron_forward;
  kernels->neuron_backward = neuron_backward;
  kernels->neuron_workspace = neuron_workspace;
}
