// SPDX-License-Identifier: Apache-2.0
// The graph: a network, a teacher and a loss are all graphs of the same ops. Build it once by calling the functions of
// ops.h, compile it (memory plan, kernels), run it as often as you like: after sst_graph_compile nothing is allocated.
//
// Building never needs a check in between: the first failure is kept, later calls do nothing and return SST_NO_VALUE,
// and sst_graph_compile reports it. So composing a loss reads like its formula.
#ifndef SPIKESTILL_GRAPH_H
#define SPIKESTILL_GRAPH_H

#include "spikestill/device.h"
#include "spikestill/parameters.h"
#include "spikestill/precision.h"
#include "spikestill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_graph sst_graph;

// A value in a graph: the output of an op, an input or a parameter.
typedef int sst_value;
enum {
  SST_NO_VALUE = -1, // building failed earlier
  SST_NONE = -2      // an optional input that is left out
};

// Makes an empty graph over a parameter store, which it borrows. *out is NULL on failure.
SST_MUST_CHECK SST_API sst_status sst_graph_create(sst_parameters *parameters, sst_device device, sst_graph **out);
// Before the stores that it was built over are destroyed. NULL is allowed.
SST_API void sst_graph_destroy(sst_graph *graph);

// Several stores may take part (a student's and a teacher's): parameters are looked up in the current one. Returns the
// store that was current before. Borrowed by the graph.
SST_API sst_parameters *sst_graph_use_parameters(sst_graph *graph, sst_parameters *parameters);

// Names made until the matching pop get "name." in front ("student.stage1.conv"). An empty name adds nothing.
// In a frozen scope ops run as in inference (running statistics, no dropout) and parameters receive no gradient.
SST_API void sst_graph_push(sst_graph *graph, const char *name, bool frozen);
SST_API void sst_graph_pop(sst_graph *graph);

// Nodes that are added from now on compute in that precision; a graph begins with F32. Returns what was in use before.
// A precision that the graph's device or this CPU has no instructions for is a failure of building (UNSUPPORTED).
SST_API sst_precision sst_graph_use_precision(sst_graph *graph, sst_precision precision);

// An input of the graph: memory of its own to be filled before each run, see sst_graph_data and sst_graph_bind.
SST_API sst_value sst_graph_input(sst_graph *graph, const char *name, sst_shape shape);

// The parameter of that name in the current scope and store, made if it is not there.
SST_API sst_value sst_graph_parameter(sst_graph *graph, const char *name, sst_shape shape, sst_parameter_kind kind,
                                      sst_initializer initializer);

// Gives a value a name by which it can be found: a tap. Returns the value. The full name has the scope in front.
// A second value of the same name is an error.
SST_API sst_value sst_graph_tap(sst_graph *graph, const char *name, sst_value value);

// The value of that full name. An unknown name is an error that names the nearest one: kept like every failure of
// building, and SST_NO_VALUE returned. sst_graph_has_tap asks without consequence.
SST_API sst_value sst_graph_find(sst_graph *graph, const char *name);
SST_API bool sst_graph_has_tap(const sst_graph *graph, const char *name);

// Number of taps, and the i-th one in the order they were made (name borrowed from the graph).
SST_API int sst_graph_tap_count(const sst_graph *graph);
SST_API const char *sst_graph_tap_at(const sst_graph *graph, int index, sst_value *value);

// Shape of a value. All zeros for SST_NO_VALUE.
SST_API sst_shape sst_graph_shape(const sst_graph *graph, sst_value value);

// Whether the value is the spikes of a firing neuron layer (output of sst_neuron_layer other than LI).
SST_API bool sst_graph_is_spikes(const sst_graph *graph, sst_value value);

// Keeps a failure found by the caller (the rules of building apply to it), or asks for the first one kept.
SST_API void sst_graph_fail(sst_graph *graph, sst_status status, const char *format, ...) SST_PRINTF(3, 4);
SST_API sst_status sst_graph_status(const sst_graph *graph);

// Keeps the value's memory to itself, so that it can be read after a run. Before compiling.
SST_API void sst_graph_keep(sst_graph *graph, sst_value value);

// Makes the graph stream: neurons go on from where the last forward pass left them, so that a long simulation runs as
// many short ones, in memory that does not grow with its length. Before compiling, without a loss. sst_graph_restart
// has the next forward pass start afresh, as the first one does.
SST_API void sst_graph_stream(sst_graph *graph);
SST_API void sst_graph_restart(sst_graph *graph);

// X(NAME, word, meaning): what becomes of values that the backward pass reads.
#define SST_MEMORY_LIST(X)                                                                                             \
  X(STORE, "store", "kept, but for large spikes, which are made again from what the neurons read")                     \
  X(RECOMPUTE, "recompute", "computed again segment by segment: the same bits in less memory and more time")
typedef enum sst_memory {
#define SST_MEMORY_ENUM(name, word, meaning) SST_MEMORY_##name,
  SST_MEMORY_LIST(SST_MEMORY_ENUM)
#undef SST_MEMORY_ENUM
} sst_memory;
// The word used in recipes.
SST_API const char *sst_memory_word(sst_memory use);
// Before compiling; a new graph stores. Recomputing runs most of the forward pass twice; how long segments are is
// chosen by the memory that the whole then takes, and is never more than that of storing.
SST_API void sst_graph_set_memory(sst_graph *graph, sst_memory use);

// What follows from settled inputs and parameters alone, sample by sample, is the same each time that a sample comes:
// so is a frozen teacher's part of a loss, if samples are not augmented. Such an input holds a sample at each place of
// axis N, or never changes; such a store's parameters stay as they are (those that the graph has by now, but for
// trainable ones), so norms in frozen scopes are folded into the weights before them, at the first forward pass. Before
// compiling. Whatever is settled is computed without regard to the other samples of the batch: no choice by its
// density.
SST_API void sst_graph_settle_input(sst_graph *graph, sst_value input, bool by_sample);
SST_API void sst_graph_settle_parameters(sst_graph *graph, const sst_parameters *parameters);
// After compiling: how many bytes a sample's settled values take that others read; 0: nothing is settled.
SST_API size_t sst_graph_settled_bytes(const sst_graph *graph);

// Keeps settled values of samples, so that they are computed once: the same bits in less time and more memory.
typedef struct sst_recall sst_recall;
// For samples numbered 0 to numbers - 1, at most `most` of which will come, with sst_graph_settled_bytes each; their
// memory is taken as they come. *out is NULL on failure.
SST_MUST_CHECK SST_API sst_status sst_recall_create(sst_context *context, int64_t numbers, int64_t most, size_t bytes,
                                                    sst_recall **out);
SST_API void sst_recall_destroy(sst_recall *recall); // NULL is allowed
// The samples kept by now, and their bytes.
SST_API int64_t sst_recall_count(const sst_recall *recall);
// Says which samples [N] are in the next forward pass: of those all kept, what is settled is taken from there and not
// computed; otherwise it is computed and kept. A graph with other settled values than the one before begins anew.
// Nothing happens where nothing is settled, and on a device beside the host.
SST_API void sst_graph_recall(sst_graph *graph, sst_recall *recall, const int32_t *samples);

// Ends building: seals the parameter stores, chooses kernels, plans memory, allocates it. `loss` is a scalar to
// differentiate, or SST_NO_VALUE for a graph that only runs forward. Errors: whatever building met first;
// SHAPE (loss not scalar), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_graph_compile(sst_graph *graph, sst_value loss);

typedef struct sst_run_options {
  bool training; // batch statistics and dropout outside frozen scopes
  bool smooth;   // neurons give the surrogate's primitive instead of 0 or 1 (gradient tests)
  uint64_t seed; // of dropout
  uint64_t step; // of dropout: another step, another mask
} sst_run_options;

// A device beside the host (cuda) works on while the calls below have returned, in the order of the calls.
// sst_graph_data and sst_graph_gradient wait for it; parameters and states of optimisers may be read by the host after
// sst_graph_wait.

// Computes all values. Inputs must be filled.
SST_API void sst_graph_forward(sst_graph *graph, const sst_run_options *options);

// After a forward pass: gradients of `loss` with respect to the trainable parameters, overwriting what was in the
// stores' gradient blocks.
SST_API void sst_graph_backward(sst_graph *graph);

// A value's memory: of an input, a parameter, a kept value or the loss. NULL for others. Borrowed from the graph.
SST_API float *sst_graph_data(sst_graph *graph, sst_value value);

// Waits until a device beside the host has done all that it was given; returns what went wrong there since the graph
// was made (and what sst_graph_status returns). On CPUs nothing is ever left to do.
SST_MUST_CHECK SST_API sst_status sst_graph_wait(sst_graph *graph);

// Makes an input read the caller's memory (64-byte aligned, of the input's size), which must stay until the next bind;
// a device with memory of its own copies it here and now.
SST_API void sst_graph_bind(sst_graph *graph, sst_value input, const float *data);

// After a kept value's backward pass: its gradient; NULL where none was computed. Before compiling, call keep for it.
SST_API const float *sst_graph_gradient(const sst_graph *graph, sst_value value);

// Runs forward once more, looking at each value as it is made: the name of the first that is not finite, or NULL if all
// are. For explaining a loss that is not finite. Parameters are looked at first. Borrowed from the graph.
SST_API const char *sst_graph_first_not_finite(sst_graph *graph, const sst_run_options *options);

// Bytes of the planned block, and what the same values would take without reuse.
SST_API size_t sst_graph_planned_bytes(const sst_graph *graph);
SST_API size_t sst_graph_unplanned_bytes(const sst_graph *graph);
// Bytes of every node's first output in f32 and of its gradient where there is one, none of them in another's place:
// what it would take to keep them all.
SST_API size_t sst_graph_kept_bytes(const sst_graph *graph);

// One node for `inspect`: what it is called, its op, output shape and dense cost for the whole batch.
typedef struct sst_node_info {
  const char *name; // of its output 0, or of the scope it was built in
  const char *op;
  sst_shape shape;
  int64_t parameters;     // trainable elements it reads
  int64_t macs;           // multiply-accumulates of convolutions and linear layers
  int64_t backward_macs;  // theirs again for the gradients that a compiled graph computes of input and weights
  int64_t elementwise;    // other arithmetic
  int64_t neuron_updates; // membrane updates
  bool frozen;            // built in a frozen scope: as in inference, nothing of it learns
  int bits;               // of the codes, factors or stored membranes it makes; 0: full precision
  // Of convolutions and linear layers, in the last run: the share of spikes in the input (negative: it is not spikes,
  // or nobody looked), and what was computed from spikes alone, or in 8-bit integers (crossover.h).
  double density;
  bool forward_by_events, weights_by_events, forward_by_codes;
  // Of all runs since sst_graph_measure, else 0. What a node was fused with counts for the last of them; a forward call
  // that the backward pass makes again counts for backward.
  double forward_seconds, backward_seconds;
} sst_node_info;
// From now on each run of the compiled graph notes how long its nodes take.
SST_API void sst_graph_measure(sst_graph *graph);
// Number of nodes, and the i-th in the order they were built.
SST_API int sst_graph_node_count(const sst_graph *graph);
SST_API sst_node_info sst_graph_node_info(const sst_graph *graph, int index);

#ifdef __cplusplus
}
#endif
#endif
