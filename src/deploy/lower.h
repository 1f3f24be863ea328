// SPDX-License-Identifier: Apache-2.0
// Lowering, shared by its files: the walk over the graph (lower.c), layers with weights (lower_layers.c) and neurons
// (lower_neurons.c).
//
// Every value of the graph between input and logits becomes a value of the integer network, or is skipped because a
// layer and what stands behind it are one node there. A real number of the graph is integer * 2^-exponent, exactly:
// what f32 computes must be what the integers say, so every number on the way must fit the 24 bits of its mantissa.
// Bounds of what any input can bring about prove it.
//
// Where approximation is asked for (lower_approximate.c), a real number of the graph is unit * integer * 2^-exponent
// with a unit of the value's own, and what does not fit is rounded.
#ifndef SPIKESTILL_DEPLOY_LOWER_H
#define SPIKESTILL_DEPLOY_LOWER_H

#include "deploy/integer_build.h"
#include "graph/graph_internal.h"
#include "neuron/dynamics.h"

enum { SSTI_EXACT_BITS = 24 };

// What the readers of a value can take of it.
typedef struct ssti_lower_room {
  double most; // size of its integers
  int finest;  // exponent
} ssti_lower_room;

typedef struct ssti_lowering {
  sst_context *context;
  sst_graph *graph;
  sst_value input, logits;
  const sst_integer_input *samples;
  int64_t timesteps;
  sst_integer_network *network;
  int *places;                 // [graph's value]: value of the integer network, or -1
  bool *needed;                // [node]: lies between input and logits
  bool *fused;                 // [node]: is part of the node before it
  const ssti_node *integrator; // a leaky integrator in front of the readout, or NULL
  double *units;               // [graph's value]; 1 where nothing is approximated
  // Approximation; NULL without it:
  const sst_approximation_options *approximate;
  sst_approximations *made;
  double *needs;          // [graph's value]: the unit that its readers want, 0 where they take any
  ssti_lower_room *rooms; // [graph's value]
} ssti_lowering;

// A layer with weights on its way to a node: y = factor * z + offset, of real numbers.
typedef struct ssti_lower_layer {
  int64_t outputs, fan_in;
  float *codes, *scale;    // as the quantiser makes them
  double *factor, *offset; // [outputs]
  float *a, *b;            // of one stage
  int64_t *sums;           // largest |z| in units of the input's exponent
  sst_value first, result; // the layer's own value, and that of the last stage
} ssti_lower_layer;

// Keeps "layer <name> cannot be lowered exactly: ..." and returns UNSUPPORTED.
sst_status ssti_lower_refuse(const ssti_lowering *l, sst_value value, const char *format, ...) SST_PRINTF(3, 4);

// Whether what is not on a grid, or more than f32 holds, may be rounded; else as ssti_lower_refuse, and the sentence
// names the way to ask for it.
sst_status ssti_lower_may_round(const ssti_lowering *l, sst_value value, const char *format, ...) SST_PRINTF(3, 4);

// What a node made of a value's name is called, at most 40 characters: "0.conv.sums" becomes "0.conv", and what names
// may not hold '_'.
void ssti_lower_plain_name(const char *name, char out[48]);

// The only needed node that reads the value, or -1.
int ssti_lower_sole_reader(const ssti_lowering *l, sst_value value);

// Adds the node, named after the graph's value and by what stands in its name already, which from then on lies at the
// value that the node makes.
sst_status ssti_lower_add(ssti_lowering *l, sst_integer_node *node, sst_value named, sst_value made, int64_t channels,
                          int exponent);

// A parameter's numbers; refused where the value is computed.
sst_status ssti_lower_parameter(const ssti_lowering *l, sst_value layer, sst_value value, const float **out);

// The nodes of the graph.
sst_status ssti_lower_weighted(ssti_lowering *l, const ssti_node *node); // conv2d, linear, with what is fused
sst_status ssti_lower_norm(ssti_lowering *l, const ssti_node *node);     // batch norm that no weights come before
sst_status ssti_lower_neurons(ssti_lowering *l, const ssti_node *node);
sst_status ssti_lower_selection(ssti_lowering *l, const ssti_node *node); // slice, pad
sst_status ssti_lower_concat(ssti_lowering *l, const ssti_node *node);

// The dynamics that a node's neurons are lowered with, and the bits of their stored states, 0 where there are none.
sst_status ssti_lower_dynamics(const ssti_lowering *l, const ssti_node *node, ssti_dynamics *out, int *bits);

// One synapse of code 1 a channel over a window: factor times the sum of the window of the value at `place`. `made` as
// in ssti_lower_add; *result receives the new place.
sst_status ssti_lower_ones(ssti_lowering *l, sst_value value, int place, const ssti_pool_attributes *window,
                           double factor, sst_value made, const ssti_lower_room *room, int *result);

// The smallest exponent on which all factors and offsets are integers.
int ssti_lower_common_exponent(const ssti_lower_layer *w, int exponent);

// ---- approximation (lower_approximate.c)

// The unit in which neurons want their input: it has their gain, so that they need none.
static inline double ssti_lower_neuron_unit(const ssti_dynamics *d) {
  return d->gain > 0.0f ? 1.0 / (double)d->gain : 1.0;
}
// What neurons leave of 31 bits for their input: membranes and their products with the leak, whatever comes.
void ssti_lower_room_of(const ssti_lowering *l, const ssti_dynamics *d, ssti_lower_room *out);
// From the logits back: needs and rooms.
sst_status ssti_lower_find_needs(ssti_lowering *l);
// Bits behind the point of an integrator's decay: 8, or fewer where 62 bits could not hold its sums over all steps; and
// what these leave its input.
int ssti_lower_readout_bits(const ssti_lowering *l, double decay);
double ssti_lower_readout_room(const ssti_lowering *l, int decay_bits);
// The positive number that the node multiplies its first input with, in all its places; 0 where it does something else.
double ssti_lower_common_factor(const ssti_lowering *l, const ssti_node *node);
// unit / wanted; the power of two, of which 1 is the usual, from which only rounding keeps it.
double ssti_lower_ratio(double unit, double wanted);
// The index-th input of the node in the unit that is wanted; 0: any.
sst_status ssti_lower_in_unit(ssti_lowering *l, const ssti_node *node, int index, double unit, int *place);
// Codes and scale of weights in full precision; *bits receives how many a code has.
sst_status ssti_lower_round_weights(ssti_lowering *l, const float *weights, ssti_lower_layer *w, int *bits);
// Multiplies the factors by `unit`, and rounds them and the offsets to what fits the room.
sst_status ssti_lower_round_layer(ssti_lowering *l, ssti_lower_layer *w, int exponent, double unit,
                                  const ssti_lower_room *room);
// Keeps that a layer was rounded: `error` and `whole` are sums of squares. Nothing is kept of an error of 0.
sst_status ssti_lower_note(ssti_lowering *l, sst_approximation_kind kind, sst_value value, double error, double whole);

// Where the integer network's value of the node's first input is.
static inline const sst_integer_value *ssti_lower_input(const ssti_lowering *l, const ssti_node *node) {
  return &l->network->values[l->places[node->inputs[0]]];
}

#endif
