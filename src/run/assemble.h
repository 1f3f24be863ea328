// SPDX-License-Identifier: Apache-2.0
// From a recipe to graphs: network, teacher, loss with its terms.
#ifndef SPIKESTILL_RUN_ASSEMBLE_H
#define SPIKESTILL_RUN_ASSEMBLE_H

#include "run/companion.h"
#include "run/foreign.h"
#include "spikestill/run.h"

struct sst_network {
  sst_context *context;
  sst_recipe *recipe;         // owned; of a foreign file: only what data it is for, T and readout
  ssti_foreign *foreign;      // owned; NULL where the recipe describes the network; else its layers only stand in
  sst_parameters *parameters; // owned
  sst_evaluator *evaluator;   // made at the first evaluation
  bool trained;               // opened from a checkpoint rather than from a recipe
  char *path;
};

// A network with initial values. Takes the recipe and `foreign`, which may be NULL, also on failure; `path` stands for
// them in messages.
sst_status ssti_network_from_recipe(sst_context *context, sst_recipe *recipe, ssti_foreign *foreign, const char *path,
                                    sst_network **out);

// Whether the network's data are what it takes: an ONNX network comes with none. Errors: SHAPE.
sst_status ssti_network_check_data(const sst_network *network);

// A graph that is computed as the recipe says.
sst_status ssti_create_graph(const sst_recipe *recipe, sst_parameters *parameters, sst_graph **out);

// Builds a network for the recipe's data (the options without sizes and classes), or the recipe's own, in the current
// scope and store.
sst_value ssti_build_model(sst_graph *graph, const sst_recipe *recipe, const sst_model_options *model, sst_value input,
                           sst_value *logits);
sst_value ssti_build_network(sst_graph *graph, const sst_recipe *recipe, sst_value input, sst_value *logits);

// An opened network as `model` says: the recipe's layers or, where that is not NULL, the foreign network's. Of the
// options an ONNX network takes what concerns activations, if they have `layer_thresholds`; each threshold begins at
// the most that it may be, the ceiling of the activation (INFINITY for a ReLU).
void ssti_build_opened_as(sst_graph *graph, const sst_recipe *recipe, const ssti_foreign *foreign,
                          const sst_model_options *model, sst_value input, sst_value *logits);
// The same with the recipe's own options.
void ssti_build_opened(sst_graph *graph, const sst_recipe *recipe, const ssti_foreign *foreign, sst_value input,
                       sst_value *logits);

// An opened network over its parameters, as an evaluator takes it: built, not compiled, so that values can still be
// kept. The graph is the caller's until sst_evaluator_create takes it.
typedef struct ssti_evaluation_graph {
  sst_graph *graph;
  sst_value input, target, logits;
} ssti_evaluation_graph;
sst_status ssti_build_evaluation(const sst_recipe *recipe, sst_parameters *parameters, const ssti_foreign *foreign,
                                 ssti_evaluation_graph *out);
// Gives the layers of an evaluation names of their own, so that a report outlives what made it (sst_report_free).
sst_status ssti_report_own_layers(sst_context *context, sst_evaluation *evaluation);

// The evaluator itself.
sst_status ssti_build_evaluator(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters,
                                const ssti_foreign *foreign, sst_evaluator **out);

// Opens the recipe's teacher; a foreign file is told what the data are.
sst_status ssti_open_teacher(sst_context *context, const sst_recipe *recipe, sst_network **out);

// The training graph of an epoch: student, teacher if there is one, companions, loss. Compiled; names of the loss'
// parts in `part_names`. A term that does not count in this epoch is still a part, which is computed and recorded, but
// not in the loss: nothing learns from it.
typedef struct ssti_loss_graph {
  sst_graph *graph;
  sst_value input, target, loss, logits;
  int part_count;
  sst_value parts[SST_MAX_LOSS_PARTS];
  char part_names[SST_MAX_LOSS_PARTS][64]; // "cross_entropy", "kd", "kd_2"
  uint32_t counting;                       // bit i: the recipe's term i is in the loss
  sst_value to_teacher[2];                 // factor and offset per channel from the student's input to the teacher's
} ssti_loss_graph;
sst_status ssti_build_loss(const sst_recipe *recipe, sst_parameters *parameters, sst_network *teacher,
                           const ssti_companions *companions, int64_t epoch, ssti_loss_graph *out);

// Which of the recipe's terms are in the loss of an epoch, counted from 0: `counting` of its graph.
uint32_t ssti_terms_counting(const sst_recipe *recipe, int64_t epoch);

// Opens what `path` names without its last state being trained further: see sst_network_open.
sst_status ssti_loader_for(sst_context *context, const sst_recipe *recipe, const sst_dataset *dataset,
                           const int32_t *indices, int64_t count, bool training, sst_loader **out);
sst_status ssti_open_data(sst_context *context, const sst_recipe *recipe, bool train, sst_dataset **out);

#endif
