// SPDX-License-Identifier: Apache-2.0
// A NIR network on its way into our graph: nir_flat.c makes one list of all nested graphs and puts it into order,
// nir_import.c finds shapes and turns fields into our layout, nir_build.c adds the ops.
#ifndef SPIKESTILL_NIR_PARTS_H
#define SPIKESTILL_NIR_PARTS_H

#include "base/text.h"
#include "exchange/nir_internal.h"
#include "exchange/nir_neurons.h"
#include "spikestill/ops.h"

// Numbers without time and batch, as NIR counts them: (F), (C,L) or (C,H,W); rank 0: not known. What a Flatten made of
// a picture is in another order with us: then `picture` is that picture's (C,H,W).
typedef struct ssti_nir_form {
  int rank;
  int64_t size[3];
  bool flattened;
  int64_t picture[3];
} ssti_nir_form;

// Numbers of a step: a parameter of our graph.
typedef struct ssti_nir_constant {
  const char *suffix;
  sst_parameter_kind kind;
  sst_shape shape;
  float *data;
} ssti_nir_constant;

enum { SSTI_NIR_MOST_CONSTANTS = 8, SSTI_NIR_MOST_NODES = 10000 };

// What an edge is to the node it enters.
typedef struct ssti_nir_source {
  int step;
  bool late; // closes a cycle: its value of the step before counts
} ssti_nir_source;

typedef struct ssti_nir_step {
  char *name; // "stage.lif"
  sst_nir_type type;
  const sst_nir_node *node; // borrowed while importing
  ssti_nir_source *sources; // [source_count]
  int source_count;
  size_t source_capacity;
  int unit;     // steps on a common cycle have the same
  bool stepped; // built one time step after another: it lies on a cycle or its neurons differ from each other
  bool broken;  // already in the list of what cannot be imported
  ssti_nir_form in, out;
  ssti_nir_constant constants[SSTI_NIR_MOST_CONSTANTS];
  int constant_count;
  sst_conv2d_options conv;
  sst_pad_options pad; // before a convolution, where both sides differ
  bool pads;
  sst_pool_options pool;
  int64_t delay;      // in time steps
  ssti_nir_cell cell; // of neurons that are all alike
} ssti_nir_step;

struct sst_nir_network {
  sst_context *context;
  sst_nir_info info;
  ssti_nir_step *steps; // [step_count], sources before readers but for late ones; those of a unit side by side
  int step_count;
  size_t step_capacity;
  int input, output;
};

// Lists all nodes that lead to the output, in order. Errors: FORMAT (no input or output, an edge that cannot be).
sst_status ssti_nir_flatten(sst_nir_network *network, const sst_nir_graph *graph);

// Finds units and order, leaving out what does not lead to the output. After the delays are known.
sst_status ssti_nir_order(sst_nir_network *network);

bool ssti_nir_is_neuron(sst_nir_type type);
bool ssti_nir_fires(sst_nir_type type);

// (C,H,W) of what our channels-last layout makes of a form, and its shape with us.
void ssti_nir_picture_of(const ssti_nir_form *form, int64_t chw[3]);
sst_shape ssti_nir_shape_of(const ssti_nir_form *form);
int64_t ssti_nir_count(const ssti_nir_form *form);

// Fields of neurons to `cell` or constants (nir_cells.c). `wrong` receives the end of a sentence.
sst_status ssti_nir_take_cells(sst_nir_network *network, ssti_nir_step *step, ssti_text *wrong);

// An element-wise field of a node in our order: *count is 1, one number for all, or there is one each. *count is 0 and
// *out NULL if its size does not fit.
sst_status ssti_nir_take_elements(sst_context *context, const sst_nir_value *field, const ssti_nir_form *form,
                                  int64_t *count, double **out);

#endif
