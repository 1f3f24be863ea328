// SPDX-License-Identifier: Apache-2.0
// IF, LIF and PLIF by own kernels; the other kinds stay with the reference.
#include "backend/fast/fast.h"
#include "backend/fast/fast_neuron_block.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum { BLOCK = SSTI_SIMD_NEURON_BLOCK, GRAIN_ELEMENTS = 16384 };

bool ssti_fast_is_own_neuron(sst_neuron_kind kind) {
  return kind == SST_NEURON_IF || kind == SST_NEURON_LIF || kind == SST_NEURON_PLIF;
}

static int64_t block_count(const ssti_neuron_shape *shape) { return (shape->count + BLOCK - 1) / BLOCK; }

// Blocks that are worth a thread.
static int64_t block_grain(const ssti_neuron_shape *shape) { return 1 + GRAIN_ELEMENTS / (BLOCK * shape->steps); }

typedef struct neuron_work {
  const ssti_simd *simd;
  ssti_block_types types;
  ssti_neuron_block block; // all but begin, length, potential, dleak
  int64_t blocks, slots;
  float *potential; // backward: [slots, steps, BLOCK]
  float *scratch;   // [slots, ssti_block_scratch], or NULL
  double *dleak;    // [blocks], or NULL
} neuron_work;

static int64_t slot_count(const ssti_backend *backend, const ssti_neuron_shape *shape) {
  const int64_t useful = block_count(shape) / block_grain(shape);
  return ssti_smaller(ssti_larger(1, useful), sst_context_threads(backend->context));
}

static neuron_work work_make(const ssti_backend *backend, const ssti_neuron_shape *shape, const ssti_dynamics *dynamics,
                             const float *x) {
  assert(shape->input_steps == 1 || shape->input_steps == shape->steps);
  return (neuron_work){.simd = &ssti_fast_state_of(backend)->simd,
                       .types = {.in = shape->in_type, .out = shape->out_type},
                       .block = {.dynamics = dynamics,
                                 .smooth = shape->smooth,
                                 .steps = shape->steps,
                                 .input_steps = shape->input_steps,
                                 .count = shape->count,
                                 .x = x},
                       .blocks = block_count(shape),
                       .slots = slot_count(backend, shape)};
}

// Of a thread.
static int64_t scratch_count(const neuron_work *w) {
  return ssti_block_scratch(w->types, w->block.input_steps, w->block.steps);
}

// Returns what is behind it in the workspace.
static float *take_scratch(neuron_work *w, float *at) {
  if (scratch_count(w) > 0) { w->scratch = at; }
  return at + w->slots * scratch_count(w);
}

// Each slot has room of its own and takes a fixed share of the blocks.
static void each_block(const neuron_work *w, int64_t slot, void (*kernel)(const ssti_neuron_block *)) {
  const int64_t last = (slot + 1) * w->blocks / w->slots;
  float *scratch = w->scratch != NULL ? w->scratch + slot * scratch_count(w) : NULL;
  for (int64_t i = slot * w->blocks / w->slots; i < last; i++) {
    ssti_neuron_block block = w->block;
    block.begin = i * BLOCK;
    block.length = ssti_smaller(BLOCK, block.count - block.begin);
    if (w->potential != NULL) { block.potential = w->potential + slot * block.steps * BLOCK; }
    if (w->dleak != NULL) { block.dleak = w->dleak + i; }
    ssti_run_block(w->simd, kernel, &block, w->types, scratch);
  }
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const neuron_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) { each_block(w, slot, w->simd->neuron_forward); }
}

static void neuron_forward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                           const float *decay_parameter, float *spikes, float *membrane, void *workspace) {
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    ssti_fast_state_of(backend)->reference.neuron_forward(backend, shape, x, decay_parameter, spikes, membrane,
                                                          workspace);
    return;
  }
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter);
  neuron_work work = work_make(backend, shape, &dynamics, x);
  work.block.spikes = spikes;
  work.block.membrane = membrane;
  work.block.state = shape->state;
  work.block.resumes = shape->resumes;
  (void)take_scratch(&work, workspace);
  ssti_parallel_for(backend->context, work.slots, 1, forward_range, &work);
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const neuron_work *w = arg;
  for (int64_t slot = begin; slot < end; slot++) { each_block(w, slot, w->simd->neuron_backward); }
}

static int64_t potential_count(const neuron_work *w) { return w->slots * w->block.steps * BLOCK; }

static size_t neuron_workspace(ssti_backend *backend, const ssti_neuron_shape *shape, bool is_backward) {
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    return ssti_fast_state_of(backend)->reference.neuron_workspace(backend, shape, is_backward);
  }
  const neuron_work work = work_make(backend, shape, NULL, NULL);
  const size_t scratch = (size_t)(work.slots * scratch_count(&work)) * sizeof(float);
  if (!is_backward) { return scratch; }
  return scratch + (size_t)potential_count(&work) * sizeof(float) + (size_t)work.blocks * sizeof(double);
}

static void neuron_backward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                            const float *decay_parameter, const float *dspikes, const float *dmembrane, float *dx,
                            bool accumulate_dx, float *ddecay, bool accumulate_ddecay, void *workspace) {
  if (!ssti_fast_is_own_neuron(shape->neuron.kind)) {
    ssti_fast_state_of(backend)->reference.neuron_backward(backend, shape, x, decay_parameter, dspikes, dmembrane, dx,
                                                           accumulate_dx, ddecay, accumulate_ddecay, workspace);
    return;
  }
  const ssti_dynamics dynamics = ssti_dynamics_make(&shape->neuron, decay_parameter);
  neuron_work work = work_make(backend, shape, &dynamics, x);
  work.block.dspikes = dspikes;
  work.block.dmembrane = dmembrane;
  work.block.dx = dx;
  work.block.accumulate_dx = accumulate_dx;
  work.potential = workspace;
  float *behind = take_scratch(&work, work.potential + potential_count(&work));
  const bool learns = dynamics.learns && ddecay != NULL;
  if (learns) { work.dleak = (double *)(void *)behind; }
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
  kernels->neuron_takes_bf16 = ssti_fast_is_own_neuron;
}
