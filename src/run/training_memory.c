// SPDX-License-Identifier: Apache-2.0
#include "run/training_memory.h"

#include "graph/parameters_internal.h"

// Code of the libraries that training is the first to run, and oneDNN's kernels made for the shapes: 2.5 and 1 MiB as
// measured on x86-64 with oneDNN 2.6, for a network of two layers as for one of nine.
enum { CODE_BYTES = 7 << 19 };

static void add_parameters(sst_training_memory *memory, const sst_parameters *parameters, int states) {
  const size_t trainable = (size_t)ssti_parameters_trainable_count(parameters) * sizeof(float);
  memory->parameters += (size_t)ssti_parameters_total_count(parameters) * sizeof(float);
  memory->gradients += trainable;
  memory->optimizer += trainable * (size_t)states;
}

static void add_up(sst_training_memory *memory) {
  memory->total =
      memory->planned + memory->parameters + memory->gradients + memory->optimizer + memory->data + memory->code;
}

double ssti_graph_flops(const sst_graph *graph) {
  double macs = 0;
  for (int i = 0; i < sst_graph_node_count(graph); i++) {
    const sst_node_info info = sst_graph_node_info(graph, i);
    macs += (double)info.macs + (double)info.backward_macs;
  }
  return 2 * macs;
}

sst_training_memory ssti_training_memory(const ssti_loss_graph *loss, const sst_parameters *parameters,
                                         const sst_network *teacher, const ssti_companions *companions,
                                         const sst_optimizer *optimizer) {
  sst_training_memory memory = {.planned = sst_graph_planned_bytes(loss->graph),
                                .teacher_sample = sst_graph_settled_bytes(loss->graph),
                                .all_kept = sst_graph_kept_bytes(loss->graph),
                                .code = CODE_BYTES,
                                .flops = ssti_graph_flops(loss->graph)};
  const int states = sst_optimizer_state_count(optimizer);
  add_parameters(&memory, parameters, states);
  if (teacher != NULL) { add_parameters(&memory, teacher->parameters, 0); }
  for (int i = 0; i < companions->count; i++) { add_parameters(&memory, companions->items[i].parameters, states); }
  add_up(&memory);
  return memory;
}

// The batches that the loader of training makes ahead.
static size_t batches_ahead(const sst_recipe *recipe) {
  const int64_t input = sst_shape_count(sst_recipe_input_shape(recipe, recipe->train.batch));
  const int64_t ahead = recipe->data.workers > 0 ? recipe->data.workers + 2 : 1;
  return (size_t)(ahead * (input + recipe->train.batch * recipe->data.classes)) * sizeof(float);
}

sst_status sst_network_training_memory(sst_network *network, sst_training_memory *out) {
  *out = (sst_training_memory){0};
  sst_context *context = network->context;
  const sst_recipe *recipe = network->recipe;
  if (network->foreign != NULL) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: is not described by a recipe, which says how it is trained", network->path);
  }
  sst_network *teacher = NULL;
  sst_parameters *parameters = NULL;
  sst_optimizer *optimizer = NULL;
  ssti_companions companions = {.count = 0};
  ssti_loss_graph loss = {0};
  sst_status status = SST_OK;
  if (recipe->teacher[0]) { SST_TRY_GOTO(ssti_open_teacher(context, recipe, &teacher)); }
  SST_TRY_GOTO(sst_parameters_create(context, recipe->seed, &parameters));
  SST_TRY_GOTO(ssti_companions_open(context, recipe, &companions));
  SST_TRY_GOTO(ssti_build_loss(recipe, parameters, teacher, &companions, recipe->train.epochs - 1, &loss));
  SST_TRY_GOTO(sst_optimizer_create(parameters, recipe->device, &recipe->optimizer, &optimizer));
  *out = ssti_training_memory(&loss, parameters, teacher, &companions, optimizer);
  out->data = batches_ahead(recipe);
  add_up(out);
done:
  sst_optimizer_destroy(optimizer);
  sst_graph_destroy(loss.graph);
  ssti_companions_close(&companions);
  sst_parameters_destroy(parameters);
  sst_network_close(teacher);
  return status;
}
