// SPDX-License-Identifier: Apache-2.0
// The graph's own structs, shared by the files of this folder: building (graph.c, builders_*.c), compiling (compile.c),
// running (execute.c) and looking (inspect.c).
#ifndef SPIKESTILL_GRAPH_INTERNAL_H
#define SPIKESTILL_GRAPH_INTERNAL_H

#include "base/memory.h"
#include "base/text.h"
#include "op/op.h"
#include "spikestill/graph.h"

typedef enum ssti_value_kind { SSTI_VALUE_OUTPUT, SSTI_VALUE_INPUT, SSTI_VALUE_PARAMETER } ssti_value_kind;

typedef struct ssti_value {
  ssti_tensor tensor;
  ssti_tensor gradient; // data NULL where none is computed
  ssti_value_kind kind;
  char *name;            // of an input or parameter, or the first tap's; NULL if nobody named it
  int node, output;      // of an output: who makes it
  sst_value root;        // whose memory it lies in: itself, or a view's source
  sst_parameters *store; // of a parameter
  int parameter;
  bool wants_gradient; // a trainable parameter outside frozen scopes, or computed from one
  bool has_gradient;   // the loss depends on it through differentiable ops
  bool kept;
  bool read;      // a live node reads it, or it is kept
  bool settled;   // never changes, or is the same each time that a sample comes (graph/settle.h)
  bool by_sample; // the latter
} ssti_value;

typedef struct ssti_node {
  const ssti_op *op;
  ssti_call call;
  void *attributes;
  sst_value *inputs, *outputs;
  bool *accumulate;
  char *scope; // full name of the scope it was built in, "" for none
  ssti_needs needs;
  void *forward_workspace, *backward_workspace; // call.workspace is one or the other
  bool live;                                    // the loss or a kept value depends on it
  bool live_backward;                           // takes part in the backward pass
  bool fused;                                   // of a step: its op, attributes, inputs are not those of its node
  int settled_first, settled_count;             // of a step: its values in graph->settled, which others read
  double forward_seconds, backward_seconds;     // of a step, where the graph measures
} ssti_node;

// A step that runs forward again just before the backward call of step `at`: some of its outputs are read there or from
// then on, and took no memory since their last readers' forward calls.
typedef struct ssti_replay {
  int step, at;
  int remade;         // its outputs are graph->remade[remade] and those after it
  int moment, buffer; // of the layout: when it runs, and what it works in
  void *workspace;
} ssti_replay;

// An output of a replay.
typedef struct ssti_remade {
  sst_value value;
  bool dropped;         // was not kept for the backward pass
  int buffer;           // of the layout
  float *first, *again; // where the value lies in the forward pass and from here on; again NULL: at the same place
} ssti_remade;

// A settled value that is read by what is not settled. A sample's share of it are `steps` runs of `run` bytes, `stride`
// apart.
typedef struct ssti_settled {
  sst_value value;
  int64_t steps;
  size_t run, stride;
  size_t offset; // in a sample's row of a recall
} ssti_settled;

typedef struct ssti_scope {
  size_t name_length; // of the scope's full name, to cut back to
  bool frozen;
} ssti_scope;

typedef struct ssti_tap {
  char *name;
  sst_value value;
} ssti_tap;

enum { SSTI_INPUT_PLACES = 2 };

struct sst_graph {
  sst_context *context;
  ssti_backend *backend;
  sst_parameters *store;   // the current one
  size_t store_scope;      // length of the scope's name where the store became current
  sst_parameters **stores; // all that took part
  size_t store_capacity;
  int store_count;
  bool holds_stores; // compiled: the stores stay where they are

  ssti_value *values;
  size_t value_capacity;
  int value_count;
  ssti_node *nodes;
  size_t node_capacity;
  int node_count;
  ssti_node *steps; // what runs: after compiling a copy of each node at its place, fused ones changed; has the plans
  ssti_tap *taps;
  size_t tap_capacity;
  int tap_count;
  ssti_scope *scopes;
  size_t scope_capacity;
  int scope_count;
  ssti_text scope_name; // "student.stage1."
  bool frozen;
  sst_precision precision; // of nodes that are added

  sst_status status; // the first failure of building
  char *message;

  bool streams;   // neurons keep their state from one forward pass to the next
  bool under_way; // a forward pass has been since the last restart
  bool compiled;
  bool measures; // the time of each step
  sst_value loss;
  ssti_run run;
  char *memory;
  size_t planned_bytes, unplanned_bytes;
  float **stale_gradients; // gradients of parameters that this graph's backward does not reach, with their lengths
  int64_t *stale_counts;
  int stale_count;
  sst_memory memory_use;
  ssti_passage **inputs; // [value_count] of inputs on a device beside the host: where bound batches pass; else NULL
  int *input_slots;      // the place taken last
  ssti_replay *replays;  // in the order they run
  size_t replay_capacity;
  int replay_count;
  ssti_remade *remade;
  size_t remade_capacity;
  int remade_count;
  size_t replay_from;    // bytes of an output that is worth making again
  ssti_settled *settled; // in the order of the steps
  size_t settled_capacity;
  int settled_count;
  int64_t settled_samples; // N of what is settled by sample
  size_t settled_bytes;    // of a sample
  uint64_t settled_layout; // a number for what lies where in a sample's bytes
  // Of the next forward pass: whose values are taken from `recall`, or else put there; NULL: neither.
  sst_recall *recall;
  const int32_t *recall_samples;
  bool recall_takes;
};

// Adds a node and returns its output 0. `attributes` is copied (op->attributes_size bytes). An input of SST_NONE is
// left out; it must be the last. `outputs`, if not NULL, receives all outputs.
sst_value ssti_graph_add(sst_graph *graph, const ssti_op *op, const void *attributes, const sst_value *inputs,
                         int input_count, int output_count, sst_value *outputs);

// Name of a value for messages: its own, or "scope.op". Writes into `text`.
const char *ssti_value_name(const sst_graph *graph, sst_value value, char *text, size_t size);

// The two halves of sst_graph_forward: what differs from run to run, and the kernel calls, which a device may have
// written down.
void ssti_graph_begin(sst_graph *graph, const sst_run_options *options);
void ssti_graph_run(sst_graph *graph);

// Whether the graph still takes nodes and the value is one of its own.
bool ssti_graph_accepts(sst_graph *graph, sst_value value);

#endif
