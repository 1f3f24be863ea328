// SPDX-License-Identifier: Apache-2.0
// What the files of the engine share: what was decided when it was opened (engine_plan.c), the packed weights
// (engine_weights.c), and the two ways through a layer (engine_rows.c, engine_slices.c).
#ifndef SPIKESTILL_DEPLOY_ENGINE_PARTS_H
#define SPIKESTILL_DEPLOY_ENGINE_PARTS_H

#include "base/memory.h"
#include "deploy/kernels.h"
#include "spikestill/engine.h"

enum {
  SSTI_ENGINE_BLOCK = 8,        // positions and steps whose sums are made together in rows
  SSTI_ENGINE_EVENT_BLOCK = 64, // the same by lists of events: a tile of codes is read once for all of them
  SSTI_ENGINE_CHUNK = 256,      // integers at a time where nodes in rows have no kernel of their own
  SSTI_ENGINE_LARGEST_BATCH = 4096,
  SSTI_ENGINE_MOST_GROUP = 32,   // pictures a word of a slice; with 64, a tile's planes leave the caches
  SSTI_ENGINE_LEAST_GROUP = 8,   // fewer are not worth a slice
  SSTI_ENGINE_VALUE_PLANES = 32, // of a value at most: rows hold 32 bits
  SSTI_ENGINE_GAP = 64,          // bytes behind a piece of scratch that copies may write
  SSTI_ENGINE_SLACK = 256        // bytes behind a block that kernels may read
};

// A value in one of its two forms, or in both where the way changes.
// Rows: [steps][positions][channels], narrow: bytes of x + bias; otherwise 32-bit x. One after the other for each
// picture of the group if `crossing`, else for one picture. Slices: [steps][planes][channels][positions] words of one
// bit a picture, of x + bias.
typedef struct ssti_engine_value {
  int64_t height, width, positions, channels, count;
  int64_t steps; // 1 for `once` and streams, else T
  int64_t bias;
  int planes; // of x + bias
  bool narrow;
  bool in_rows, in_slices, crossing;
  bool packed;     // turned into slices by way of bits of channels
  bool by_bytes;   // the same by way of whole bytes: most of their bits are used
  int first, last; // nodes between which it lives
  int turned;      // the node behind which slices are made of its rows; `first` where none are
  int rows_last;   // the last node that wants its rows
  size_t rows_bytes, rows_at;
  size_t packed_bytes, packed_at; // of a picture
  int64_t channel_bytes;          // slices: a channel's plane in a step
  size_t slices_bytes, slices_at;
} ssti_engine_value;

// Events by lists: codes [channel parts][row parts][outputs / 64] tiles, which fit the first-level cache. A tile has a
// row of 64 outputs for each row and column of the kernel and each channel of its parts, and one of zeros.
typedef struct ssti_engine_tiling {
  int64_t channels, channel_parts; // of a part; how many
  int64_t kernel_rows, row_parts;
  int64_t inputs;     // of a tile: the zeros' row
  int64_t blocks;     // of 64 outputs
  int64_t together;   // rows whose sum fits a byte, whatever they are
  int64_t held;       // rows of the input whose lists are held
  int64_t places;     // of a row of the input, in one step and channel part
  size_t lists_bytes; // of all that is held
} ssti_engine_tiling;

typedef struct ssti_engine_node {
  const sst_integer_node *node;
  sst_engine_kernel kernel;
  bool sliced;
  bool absorbed; // neurons that their synapses run along with themselves
  int fused;     // synapses: the neurons node, or -1

  // synapses
  int64_t inputs;               // of one output, with those of other groups: K
  int64_t outputs;              // padded to SSTI_LANES
  int magnitudes;               // bits of a code without its sign
  int64_t channel_words, words; // popcount: 64-bit words of a position's channels, of all
  int64_t quads;                // int8
  bool plain;                   // rows: a window is the whole input of a step, read where it lies
  int64_t slabs, slab_words;    // bitsliced; 32-bit words of a slab's inputs
  double event_below;           // share of inputs that are not 0 below which events are faster; 0: never asked
  bool small_sums;              // event, windows: sums stay within 16 bits
  bool listed;                  // event: by lists of places
  ssti_engine_tiling tiling;    // of those
  void *weights, *event_weights;
  size_t weight_bytes;
  int32_t *factor, *offset; // [outputs], with what the bias of stored inputs adds
  int64_t *slice_offset;    // [outputs] bitsliced: of h, or of the stored output
  int64_t *slice_factor;    // [outputs] bitsliced: what counters are multiplied with
  ssti_digits *digits;      // [outputs] bitsliced: the same as digits
  int acc_planes;           // bitsliced: of the counters

  // neurons
  ssti_lane_neurons lanes;
  ssti_slice_neurons slices;
  int64_t state_at; // stream: first neuron in the states
} ssti_engine_node;

// Nodes [first, end) that go the same way.
typedef struct ssti_engine_segment {
  int first, end;
  bool sliced;
} ssti_engine_segment;

// Where a worker's scratch begins in its block, and how many bytes it is.
typedef struct ssti_engine_scratch {
  size_t windows, sums, states, bits, events, integers, membranes, slab, counters, skipped, currents, slice_states,
      copies, planes, readout;
} ssti_engine_scratch;

typedef struct ssti_engine_worker {
  uint8_t *block;   // values, then scratch
  uint64_t *spikes; // [nodes]
  uint64_t *events; // [nodes] synapses by lists of events: what their inputs counted
  double *seconds;  // [nodes]
} ssti_engine_worker;

struct sst_engine {
  sst_context *context;
  const sst_integer_network *network;
  sst_engine_options options;
  sst_engine_level level;
  ssti_kernels_of_level kernels;
  int workers;
  int group;    // pictures of a group: 1, 8, 16, 32, 64
  int64_t word; // bytes of a slice's word: group / 8
  ssti_engine_value *values;
  ssti_engine_node *nodes;
  ssti_engine_segment *segments;
  int segment_count;
  ssti_engine_scratch at;
  size_t values_bytes, planes_bytes, block_bytes, weight_bytes, table_bytes;
  ssti_engine_worker *worker;
  int32_t *states; // stream: of all neurons
  int64_t state_count;
  int64_t step; // stream: steps done
  bool endless; // stream: may go on after T
};

// One picture of a group on its way through nodes in rows. `owner` holds its values.
typedef struct ssti_engine_picture {
  sst_engine *engine;
  ssti_engine_worker *owner;
  int64_t in_group; // which of the group's
  int64_t number;   // of the run, for observers
  bool alone;       // all workers may help
} ssti_engine_picture;

static inline const ssti_engine_value *ssti_engine_input(const sst_engine *e, int node, int which) {
  return &e->values[e->nodes[node].node->input[which]];
}
static inline const ssti_engine_value *ssti_engine_output(const sst_engine *e, int node) {
  return &e->values[e->nodes[node].node->output];
}

static inline uint8_t *ssti_engine_rows(const ssti_engine_worker *worker, const ssti_engine_value *value,
                                        int64_t in_group) {
  return worker->block + value->rows_at + (value->crossing ? (size_t)in_group * value->rows_bytes : 0);
}
static inline uint8_t *ssti_engine_slices(const ssti_engine_worker *worker, const ssti_engine_value *value) {
  return worker->block + value->slices_at;
}

// Bits of a number from 0 to `largest`; at least 1.
static inline int ssti_engine_bits(uint64_t largest) {
  int bits = 1;
  while (bits < 64 && largest >> bits != 0) { bits++; }
  return bits;
}
// Bits of two's complement that hold all from low to high.
static inline int ssti_engine_signed_bits(int64_t low, int64_t high) {
  int bits = 1;
  while (bits < 63 && (low < -(INT64_C(1) << (bits - 1)) || high >= INT64_C(1) << (bits - 1))) { bits++; }
  return bits;
}

// Which kernel and which way each node takes, what lives where. Fills everything but weights and blocks.
sst_status ssti_engine_plan(sst_engine *engine);

// Packs the weights of a node of synapses, its factors and offsets.
sst_status ssti_engine_pack(sst_engine *engine, int node);

// One node in rows, all its steps.
void ssti_engine_run_rows(const ssti_engine_picture *picture, int node);

// Sums of synapses by lists of events (engine_events.c).
typedef struct ssti_engine_events {
  const sst_engine *engine;
  const ssti_engine_node *node;
  const ssti_engine_value *in;
  int64_t out_width;
  const uint8_t *x;  // the input's rows in the first step
  uint64_t *counted; // adds what inputs count
  uint8_t *lists;    // scratch
} ssti_engine_events;

// How a node's codes and lists are cut; `listed` only where lists can say what its inputs are.
void ssti_engine_plan_events(const sst_engine *engine, int node);

// Where the code of a tap, a channel and an output stands.
int64_t ssti_engine_event_place(const ssti_engine_node *node, int64_t tap, int64_t channel, int64_t output);

// Forgets what it holds of other inputs.
void ssti_engine_begin_events(const ssti_engine_events *events);

// z [positions][steps][z_stride] of outputs [first, first + count), first a multiple of 64; positions of one row.
void ssti_engine_event_sums(const ssti_engine_events *events, int64_t position, int64_t positions, int64_t step,
                            int64_t steps, int64_t first, int64_t count, int32_t *z, int64_t z_stride);

// One node in slices, all its steps, the whole group; `pictures` of it count.
void ssti_engine_run_slices(sst_engine *engine, ssti_engine_worker *worker, int node, int64_t first, int64_t pictures);

// Between the two forms of a value: from rows by way of bytes or of the packed form, one picture after the other.
void ssti_engine_pack_picture(const sst_engine *engine, const ssti_engine_worker *worker,
                              const ssti_engine_value *value, int64_t in_group);
void ssti_engine_to_slices(const sst_engine *engine, const ssti_engine_worker *worker, const ssti_engine_value *value,
                           int64_t pictures);
void ssti_engine_to_rows(const sst_engine *engine, const ssti_engine_worker *worker, const ssti_engine_value *value,
                         int64_t pictures);

// Fills the table of a level; false if the processor or the build lacks it (engine_levels.c).
bool ssti_engine_level_fill(sst_engine_level level, ssti_kernels_of_level *table);

// Shifted additions that make a number times `factor`.
ssti_digits ssti_engine_digits(int64_t factor);

#endif
