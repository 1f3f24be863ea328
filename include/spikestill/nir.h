// SPDX-License-Identifier: Apache-2.0
// NIR, the Neuromorphic Intermediate Representation: networks of spiking neurons as other tools read and write them
// (HDF5 files). Here: the graph of such a file in memory, reading, writing, and the way from a network
// of ours to it. docs/exchange.md says what each tool makes of it.
//
// A NIR graph has named nodes and edges between them. Several edges into a node mean their sum, a cycle means a delay
// of one step. Shapes have no time and no batch; pictures are (C,H,W).
#ifndef SPIKESTILL_NIR_H
#define SPIKESTILL_NIR_H

#include "spikestill/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "type in the file", "fields it must have", "fields it may have")
#define SST_NIR_TYPE_LIST(X)                                                                                           \
  X(INPUT, "Input", "shape", "")                                                                                       \
  X(OUTPUT, "Output", "shape", "")                                                                                     \
  X(AFFINE, "Affine", "weight bias", "")                                                                               \
  X(LINEAR, "Linear", "weight", "")                                                                                    \
  X(SCALE, "Scale", "scale", "")                                                                                       \
  X(CONV1D, "Conv1d", "weight stride padding dilation groups bias", "input_shape")                                     \
  X(CONV2D, "Conv2d", "weight stride padding dilation groups bias", "input_shape")                                     \
  X(SUM_POOL2D, "SumPool2d", "kernel_size stride padding", "")                                                         \
  X(AVG_POOL2D, "AvgPool2d", "kernel_size stride padding", "")                                                         \
  X(FLATTEN, "Flatten", "start_dim end_dim", "input_type")                                                             \
  X(DELAY, "Delay", "delay", "")                                                                                       \
  X(THRESHOLD, "Threshold", "threshold", "")                                                                           \
  X(I, "I", "r", "")                                                                                                   \
  X(IF, "IF", "r v_threshold", "v_reset")                                                                              \
  X(LI, "LI", "tau r v_leak", "")                                                                                      \
  X(LIF, "LIF", "tau r v_leak v_threshold", "v_reset")                                                                 \
  X(CUBALI, "CubaLI", "tau_syn tau_mem r v_leak", "w_in")                                                              \
  X(CUBALIF, "CubaLIF", "tau_syn tau_mem r v_leak v_threshold", "v_reset w_in")                                        \
  X(GRAPH, "NIRGraph", "", "")
typedef enum sst_nir_type {
#define SST_NIR_TYPE_ENUM(name, word, required, optional) SST_NIR_TYPE_##name,
  SST_NIR_TYPE_LIST(SST_NIR_TYPE_ENUM)
#undef SST_NIR_TYPE_ENUM
      SST_NIR_TYPE_COUNT
} sst_nir_type;
// The type as the file spells it. Static storage.
SST_API const char *sst_nir_type_word(sst_nir_type type);

typedef enum sst_nir_kind { SST_NIR_NUMBERS, SST_NIR_INTEGERS, SST_NIR_TEXT } sst_nir_kind;

enum { SST_NIR_MAX_RANK = 8 };

// One value of a node: a field, or an entry of its metadata.
typedef struct sst_nir_value {
  char *name;
  sst_nir_kind kind;
  int rank; // 0: a scalar; TEXT is one
  int64_t shape[SST_NIR_MAX_RANK];
  int64_t count;     // elements
  double *numbers;   // NUMBERS: [count], row-major; written as 32-bit floats
  int64_t *integers; // INTEGERS: [count]
  char *text;        // TEXT
} sst_nir_value;

typedef struct sst_nir_values {
  sst_nir_value *at; // [count]
  int count;
  size_t capacity;
} sst_nir_values;

typedef struct sst_nir_graph sst_nir_graph;

typedef struct sst_nir_node {
  char *name;
  sst_nir_type type;
  sst_nir_values fields, metadata;
  sst_nir_graph *graph; // of a NIRGraph: what it holds; else NULL
} sst_nir_node;

typedef struct sst_nir_edge {
  int source, target; // indices of nodes
} sst_nir_edge;

struct sst_nir_graph {
  sst_context *context;
  char version[32];    // of the outermost graph, as the file says; "" if it does not
  sst_nir_node *nodes; // [node_count]
  int node_count;
  size_t node_capacity;
  sst_nir_edge *edges; // [edge_count]
  int edge_count;
  size_t edge_capacity;
  sst_nir_values metadata;
};

// Reads a file. Every size is checked before memory is taken for it; every node has the fields of its type, every edge
// both its ends. *out is owned by the caller; NULL on failure. Errors: NOT_FOUND, IO, FORMAT (file, node, field, found,
// expected; damaged data, filters and layouts that are not read too), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_nir_read(sst_context *context, const char *path, sst_nir_graph **out);
// The same from memory; `name` stands for the file in messages.
SST_MUST_CHECK SST_API sst_status sst_nir_read_bytes(sst_context *context, const char *name, const void *data,
                                                     size_t size, sst_nir_graph **out);

// Writes a file aside and renames it; the same graph gives the same bytes. Nodes keep their order. Errors:
// INVALID_ARGUMENT (a name that is empty or has a '/', a field that is missing or does not belong there), IO,
// OUT_OF_MEMORY, UNSUPPORTED (built without libhdf5).
SST_MUST_CHECK SST_API sst_status sst_nir_write(const sst_nir_graph *graph, const char *path);

// Building by hand. Text and arrays are copied. `values` is a node's fields or metadata, or the graph's metadata; a
// name that is there already is an error (INVALID_ARGUMENT), as are a node's name and an edge's end outside the graph.
SST_MUST_CHECK SST_API sst_status sst_nir_create(sst_context *context, sst_nir_graph **out);
SST_API void sst_nir_destroy(sst_nir_graph *graph); // NULL is allowed
SST_MUST_CHECK SST_API sst_status sst_nir_add_node(sst_nir_graph *graph, const char *name, sst_nir_type type,
                                                   int *index);
SST_MUST_CHECK SST_API sst_status sst_nir_add_edge(sst_nir_graph *graph, int source, int target);
SST_MUST_CHECK SST_API sst_status sst_nir_put_numbers(sst_nir_graph *graph, sst_nir_values *values, const char *name,
                                                      int rank, const int64_t *shape, const double *numbers);
SST_MUST_CHECK SST_API sst_status sst_nir_put_floats(sst_nir_graph *graph, sst_nir_values *values, const char *name,
                                                     int rank, const int64_t *shape, const float *numbers);
SST_MUST_CHECK SST_API sst_status sst_nir_put_integers(sst_nir_graph *graph, sst_nir_values *values, const char *name,
                                                       int rank, const int64_t *shape, const int64_t *integers);
SST_MUST_CHECK SST_API sst_status sst_nir_put_text(sst_nir_graph *graph, sst_nir_values *values, const char *name,
                                                   const char *text);

// The value of that name, or NULL; the index of the node of that name, or -1.
SST_API const sst_nir_value *sst_nir_find_value(const sst_nir_values *values, const char *name);
SST_API int sst_nir_find_node(const sst_nir_graph *graph, const char *name);

// What a tool makes of a NIR file: its time step and its reading of neurons. dt is in the unit of that tool's tau.
// X(NAME, "word", dt, "one line")
#define SST_NIR_TARGET_LIST(X)                                                                                         \
  X(GENERIC, "generic", 1e-4, "as NIR defines it: forward Euler, fires above the threshold, dt 1e-4 s")                \
  X(SNNTORCH, "snntorch", 1e-4, "snnTorch: dt 1e-4 s, resets to zero, average pooling")                                \
  X(SPIKINGJELLY, "spikingjelly", 1e-4, "SpikingJelly: dt 1e-4 s, fires at the threshold, average pooling")            \
  X(NORSE, "norse", 1e-3, "Norse: dt 1e-3 s, resets to zero, r of 1, sum pooling")                                     \
  X(SINABS, "sinabs", 1.0, "Sinabs: tau in steps, exponential decay, fires at the threshold, sum pooling")             \
  X(SPYX, "spyx", 1.0, "Spyx: tau in steps, a chain of nodes, sum pooling")                                            \
  X(ROCKPOOL, "rockpool", 1e-3, "Rockpool: dt 1e-3 s, exponential decay, linear layers only")
typedef enum sst_nir_target {
#define SST_NIR_TARGET_ENUM(name, word, dt, text) SST_NIR_TARGET_##name,
  SST_NIR_TARGET_LIST(SST_NIR_TARGET_ENUM)
#undef SST_NIR_TARGET_ENUM
      SST_NIR_TARGET_COUNT
} sst_nir_target;
// The word and back, false for an unknown one; and the target's time step.
SST_API const char *sst_nir_target_word(sst_nir_target target);
SST_API bool sst_nir_target_parse(const char *word, sst_nir_target *out);
SST_API double sst_nir_target_dt(sst_nir_target target);

// Receives one sentence about what the other side must know. `line` is borrowed until the function returns.
typedef void sst_nir_note_function(void *user, const char *line);

typedef struct sst_nir_export_options {
  sst_nir_target target;
  double dt;                   // > 0; 0: the target's
  sst_nir_note_function *note; // may be NULL
  void *user;
} sst_nir_export_options;

// A network of ours as a NIR graph. `graph` is compiled for inference, `input` its input and `steps` each step's output
// before the mean over T; what lies between is exported. Batch norm is folded into the convolution or linear layer
// before it; thresholds are written so that the target fires on the same steps. What the target cannot express is an
// error that names the layer, what differs without being expressible is a note. *out is owned by the caller. Errors:
// UNSUPPORTED, INVALID_ARGUMENT (dt), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_nir_from_graph(sst_graph *graph, sst_value input, sst_value steps,
                                                     const sst_nir_export_options *options, sst_nir_graph **out);

// A NIR graph on its way into ours: nested graphs are one list of layers ("stage.lif"), shapes are known, weights and
// the parameters of neurons are in our layout.
typedef struct sst_nir_network sst_nir_network;

// How neurons reset. FILE: as the graph's metadata say (`reset`, written by sst_nir_from_graph), else as the target
// does.
typedef enum sst_nir_reset { SST_NIR_RESET_FILE, SST_NIR_RESET_HARD, SST_NIR_RESET_SOFT } sst_nir_reset;

typedef struct sst_nir_import_options {
  const sst_nir_target *target; // the tool whose reading of neurons counts; NULL: the metadata's `target`, else generic
  double dt;                    // > 0; 0: the metadata's `dt`, else the target's
  sst_nir_reset reset;
  sst_nir_note_function *note; // may be NULL
  void *user;
} sst_nir_import_options;

typedef struct sst_nir_info {
  int64_t height, width, channels; // of a picture; rows of F numbers are 1 x 1 x F, (C,L) is 1 x L x C
  int64_t classes;                 // numbers of the output
  bool rows;                       // the input is (F)
  bool cyclic;                     // has recurrent connections
  int64_t timesteps;               // of the metadata; 0: not there
  sst_nir_target target;
  double dt;
  bool soft_reset;
} sst_nir_info;

// Prepares a NIR graph with one input and one output; the graph is not needed afterwards. `options` may be NULL. *out
// is owned by the caller; NULL on failure. Neurons become ours with
//     decay = 1 - dt/tau,   gain = r*dt/tau,   threshold: the next 32-bit float above, since ours fire at the threshold
// or what the target makes of the same fields. They start at v_reset with hard reset, else at 0. Errors: UNSUPPORTED
// (all that cannot be imported, by node and type), FORMAT (no input, fields of wrong sizes), INVALID_ARGUMENT
// (options), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_nir_import(const sst_nir_graph *graph, const sst_nir_import_options *options,
                                                 sst_nir_network **out);
SST_API void sst_nir_network_destroy(sst_nir_network *network); // NULL is allowed
SST_API sst_nir_info sst_nir_describe(const sst_nir_network *network);

// Builds the network in the graph's current scope on x [T,N,H,W,C] or [1,N,H,W,C], which is then seen at every step;
// for rows also pictures of one channel with F pixels. Returns the output of each step [timesteps,N,1,1,classes];
// *logits is its mean over the steps, or the last one with `last_step`. SST_NO_VALUE in both places, with the failure
// kept in the graph, if something does not fit. Taps: each node's output by its name, "step_logits", "logits". Layers
// on a cycle are built once for each step; what closes a cycle is seen one step later, and before the first step all is
// silent.
SST_API sst_value sst_nir_build(const sst_nir_network *network, sst_graph *graph, sst_value x, int64_t timesteps,
                                bool last_step, sst_value *logits);

// Copies weights and neurons' parameters into a sealed store over which the network was built. Errors: MISMATCH (a
// parameter is missing or has another size).
SST_MUST_CHECK SST_API sst_status sst_nir_load(const sst_nir_network *network, sst_parameters *parameters);

#ifdef __cplusplus
}
#endif
#endif
