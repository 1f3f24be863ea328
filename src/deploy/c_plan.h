// SPDX-License-Identifier: Apache-2.0
// How an integer network becomes C: what is computed together, where every value lies, how many bytes that takes.
//
// A picture that is shown in every step is computed layer by layer, all steps of one position at once: a membrane is a
// local variable then, and only spikes are kept, a bit each. Input with steps of its own ("streaming") is computed step
// by step, with all membranes kept.
//
// Sums of synapses and additions that one reader takes are computed where they are read ("inlined"). Pools of spikes
// have no code of their own: a neuron that fires counts itself in every window that it lies in. What is left, the
// "layers", are functions: neurons, other pools, kept sums, the readout.
#ifndef SPIKESTILL_DEPLOY_C_PLAN_H
#define SPIKESTILL_DEPLOY_C_PLAN_H

#include "base/memory.h"
#include "spikestill/integer.h"

typedef enum ssti_c_store {
  SSTI_C_NOWHERE, // inlined, or nobody reads it
  SSTI_C_INPUT,   // in the caller's array
  SSTI_C_PLANES,  // numbers of 1 to SSTI_C_MOST_PLANES bits, bit by bit: plane b holds bit b of all of them
  SSTI_C_INT8,
  SSTI_C_INT16,
  SSTI_C_INT32,
  SSTI_C_STORES
} ssti_c_store;

enum { SSTI_C_MOST_PLANES = 6 };

typedef struct ssti_c_value {
  ssti_c_store store;
  int home;       // the value in whose memory it lies: itself, but for what a flatten gives
  int planes;     // bits of a number in planes, else 1
  int64_t count;  // numbers in a step
  int64_t length; // elements of a plane: words of 32 bits, or `count`
  int64_t steps;  // that are kept
  int64_t at;     // its first element in the array of its store
} ssti_c_value;

typedef struct ssti_c_node {
  bool layer; // has a function
  int owner;  // the layer that computes it; itself, or the one that it is inlined in; -1: nobody
  // synapses
  bool dense;           // reads numbers one by one, not planes
  bool whole;           // one window that is all of the input: no copy of it is needed
  int64_t window;       // numbers that one output reads
  int64_t window_words; // of one plane of it
  int64_t window_at;    // its place among the words
  // neurons
  int spikes;         // number among the spiking layers
  int same;           // first node with the same neurons: they share a function
  ssti_c_store state; // streaming: type of the membranes
} ssti_c_node;

typedef struct ssti_c_plan {
  const sst_integer_network *network;
  sst_context *context;
  ssti_c_value *values;
  ssti_c_node *nodes;
  bool streaming;
  int64_t steps; // in a pass: 1 while streaming
  int spiking_layers;
  int64_t arena[SSTI_C_STORES];   // elements of the arrays, of planes: words
  int64_t states[SSTI_C_STORES];  // elements of all membranes
  bool wide_logits;               // 64 bits
  int64_t ram_bytes, table_bytes; // static memory; constants
} ssti_c_plan;

// Plans a sound network. Errors: OUT_OF_MEMORY; UNSUPPORTED if it needs more memory than 32-bit sizes can say.
sst_status ssti_c_plan_make(const sst_integer_network *network, ssti_c_plan **out);
void ssti_c_plan_free(ssti_c_plan *plan);

// "int8_t" and so on; NULL for what is no array of numbers.
const char *ssti_c_type(ssti_c_store store);

// The narrowest of INT8, INT16, INT32 that holds the numbers.
ssti_c_store ssti_c_narrowest(int64_t low, int64_t high);
int64_t ssti_c_size(ssti_c_store store); // bytes of an element

// The value itself, or what lies where it does.
static inline const ssti_c_value *ssti_c_home(const ssti_c_plan *plan, int value) {
  return &plan->values[plan->values[value].home];
}

// Whether the node is a pool of what the neurons before it fire, counted by them.
bool ssti_c_counted_by_neurons(const ssti_c_plan *plan, int node);

// Width of a stored code of synapses that read numbers one by one: 2, 4 or 8 bits.
static inline int ssti_c_code_width(int weight_bits) { return weight_bits <= 2 ? 2 : weight_bits <= 4 ? 4 : 8; }

#endif
