// SPDX-License-Identifier: Apache-2.0
// Running an integer network (integer.h) fast: the same spikes and logits as sst_integer_simulate, bit for bit, for any
// kernel, instruction set, batch size and number of threads.
//
//   sst_engine_options options = sst_engine_default();
//   options.batch = 64;
//   sst_engine *engine = NULL;
//   if (sst_engine_open(context, network, &options, &engine) != SST_OK) { ... sst_context_message(context) ... }
//   ... sst_engine_run(engine, pictures, input, logits) as often as you like ...
//   sst_engine_close(engine);
//
// All memory is taken when the engine is opened; nothing after that allocates.
//
// Two ways through a network. *Rows*: one picture after the other, channels last, neurons in 32-bit lanes; for single
// pictures and streams. *Slices*: one bit of 8 to 32 pictures and many positions in a register; sums of spikes,
// membranes, leak, threshold and reset are bit-sliced arithmetic; for batches. Each layer takes its own way.
#ifndef SPIKESTILL_ENGINE_H
#define SPIKESTILL_ENGINE_H

#include "spikestill/integer.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_ENGINE_KERNEL_LIST(X)                                                                                      \
  X(AUTO, "auto", "for each layer what should be fastest")                                                             \
  X(REFERENCE, "reference", "plain loops over codes; any layer")                                                       \
  X(POPCOUNT, "popcount", "one bit a channel: AND and population count with the weights' bit planes")                  \
  X(BITSLICED, "bitsliced", "one bit a picture: carry-save counters over the inputs with a weight")                    \
  X(INT8, "int8", "8-bit dot products")                                                                                \
  X(EVENT, "event", "adds the weights of those inputs that are not 0")
typedef enum sst_engine_kernel {
#define SST_ENGINE_KERNEL_ENUM(name, word, text) SST_ENGINE_KERNEL_##name,
  SST_ENGINE_KERNEL_LIST(SST_ENGINE_KERNEL_ENUM)
#undef SST_ENGINE_KERNEL_ENUM
      SST_ENGINE_KERNEL_COUNT
} sst_engine_kernel;

// X(NAME, "word", "what it is compiled for")
#define SST_ENGINE_LEVEL_LIST(X)                                                                                       \
  X(PLAIN, "plain", "what compilers make of C for every processor of the architecture")                                \
  X(NEON, "neon", "64-bit ARM: byte-wise population counts, bitwise selection")                                        \
  X(AVX2, "avx2", "x86-64-v3")                                                                                         \
  X(AVX512, "avx512", "x86-64-v4 with VPOPCNTDQ, BITALG, VNNI, VBMI2")
typedef enum sst_engine_level {
#define SST_ENGINE_LEVEL_ENUM(name, word, text) SST_ENGINE_LEVEL_##name,
  SST_ENGINE_LEVEL_LIST(SST_ENGINE_LEVEL_ENUM)
#undef SST_ENGINE_LEVEL_ENUM
      SST_ENGINE_LEVEL_COUNT
} sst_engine_level;

// The words used by commands, and back; false for an unknown word.
SST_API const char *sst_engine_kernel_word(sst_engine_kernel kernel);
SST_API bool sst_engine_kernel_parse(const char *word, sst_engine_kernel *out);
SST_API const char *sst_engine_level_word(sst_engine_level level);
SST_API bool sst_engine_level_parse(const char *word, sst_engine_level *out);

// The best level of this processor and build.
SST_API sst_engine_level sst_engine_best_level(void);

// Told of each neurons node's spikes [H,W,C] (0 or 1) and membranes h before firing, for every picture and step. A
// picture's steps of one node come in order; nodes and pictures may come in any. By one thread at a time.
typedef void sst_engine_observer(void *state, int64_t picture, int64_t step, int node, const int32_t *spikes,
                                 const int32_t *membrane);

typedef struct sst_engine_options {
  int threads;                   // 0: the context's; at most those
  int64_t batch;                 // most pictures that are worked on at once, 1..4096; more in one run are cut up
  sst_engine_kernel kernel;      // for every layer that it can compute; the others get the next best
  sst_engine_level level;        // at most this one: for tests
  bool stream;                   // for sst_engine_step; batch is 1 then
  bool timed;                    // for sst_engine_seconds
  sst_engine_observer *observer; // NULL: none. Slow
  void *observer_state;
} sst_engine_options;

// One picture at a time, all threads, auto, the best level.
SST_API sst_engine_options sst_engine_default(void);

typedef struct sst_engine sst_engine;

// Prepares the network, which must outlive the engine and is one that sst_integer_network_check accepts. On failure
// *out is NULL. Errors: INVALID_ARGUMENT (an option out of range), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_engine_open(sst_context *context, const sst_integer_network *network,
                                                  const sst_engine_options *options, sst_engine **out);

// NULL is allowed.
SST_API void sst_engine_close(sst_engine *engine);

// As sst_integer_simulate: `input` [pictures][1, or T][H,W,C], `logits` [pictures][classes]. Errors: INVALID_ARGUMENT
// if an input is outside the bounds of value 0, with picture and position, or if the engine is a stream's.
SST_MUST_CHECK SST_API sst_status sst_engine_run(sst_engine *engine, int64_t pictures, const int16_t *input,
                                                 int64_t *logits);

// One time step of a stream: input [H,W,C] of this step (of a network that is shown one picture: that picture again).
// States are kept for the next step. `logits` [classes], may be NULL: what they are after this step.
// After network->timesteps steps all is as after a run. More steps than that are allowed where nothing can grow: every
// neuron's state has a limit and the readout is no integrator.
// Errors: INVALID_ARGUMENT as above, or where a further step is not allowed.
SST_MUST_CHECK SST_API sst_status sst_engine_step(sst_engine *engine, const int16_t *input, int64_t *logits);

// The stream's states are those before the first step again.
SST_API void sst_engine_reset(sst_engine *engine);

// Spikes of a neurons node in all runs and steps since opening or sst_engine_clear_counts; 0 for other nodes.
SST_API uint64_t sst_engine_spikes(const sst_engine *engine, int node);
SST_API void sst_engine_clear_counts(sst_engine *engine);

// Seconds that all workers together spent on a node, with what changes its output's form, since opening or
// sst_engine_clear_counts; 0 where the engine is not timed. Neurons that run along with their synapses count as those.
SST_API double sst_engine_seconds(const sst_engine *engine, int node);

// What computes a node: for synapses a kernel; `sliced`: as slices.
typedef struct sst_engine_layer {
  sst_engine_kernel kernel;
  bool sliced;
  size_t weight_bytes;
} sst_engine_layer;
// What was chosen for a node, and the level that the engine uses. The node is one of the network's.
SST_API sst_engine_layer sst_engine_layer_of(const sst_engine *engine, int node);
SST_API sst_engine_level sst_engine_level_of(const sst_engine *engine);

// Bytes that an open engine holds; running needs no more.
typedef struct sst_engine_memory {
  size_t weights; // packed as the kernels read them
  size_t planes;  // values between layers, states, and the planes of a tile's inputs, sums and states
  size_t scratch; // all else: windows and sums in rows, factors and offsets, tables
  size_t total;
} sst_engine_memory;
SST_API sst_engine_memory sst_engine_memory_of(const sst_engine *engine); // of an open engine

#ifdef __cplusplus
}
#endif
#endif
