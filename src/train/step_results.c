// SPDX-License-Identifier: Apache-2.0
#include "train/step_results.h"

#include <string.h>

#include "base/memory.h"
#include "graph/graph_internal.h"

sst_status ssti_step_results_open(sst_context *context, const sst_training *training, ssti_step_results *out) {
  const sst_shape logits = sst_graph_shape(training->graph, training->logits);
  *out = (ssti_step_results){.context = context,
                             .training = training,
                             .backend = training->graph->backend,
                             .logit_count = (size_t)sst_shape_count(logits),
                             .label_count = logits.dim[SST_AXIS_N]};
  const size_t numbers = 1 + (size_t)training->part_count + out->logit_count;
  SST_TRY(ssti_allocate(context, (size_t)(SSTI_STEPS_AHEAD * out->label_count), sizeof *out->labels, &out->labels));
  return out->backend->beside->passage_open(out->backend, numbers * sizeof(float), SSTI_STEPS_AHEAD, &out->passage);
}

void ssti_step_results_close(ssti_step_results *results) {
  if (results->backend == NULL) { return; }
  results->backend->beside->passage_close(results->backend, results->passage);
  ssti_free(results->context, results->labels);
}

ssti_step_result ssti_step_result_now(const sst_training *training, const sst_batch *batch) {
  sst_graph *graph = training->graph;
  ssti_step_result result = {.loss = sst_graph_data(graph, training->loss),
                             .logits = sst_graph_data(graph, training->logits),
                             .labels = batch->labels,
                             .count = batch->count};
  for (int i = 0; i < training->part_count; i++) { result.parts[i] = sst_graph_data(graph, training->parts[i]); }
  return result;
}

static void fetch(ssti_step_results *results, int slot, size_t *offset, sst_value value, size_t count) {
  const size_t bytes = count * sizeof(float);
  results->backend->beside->passage_fetch(results->backend, results->passage, slot, *offset, bytes,
                                          results->training->graph->values[value].tensor.data);
  *offset += bytes;
}

void ssti_step_results_ask(ssti_step_results *results, const sst_batch *batch) {
  assert(ssti_step_results_outstanding(results) < SSTI_STEPS_AHEAD && batch->count <= results->label_count);
  const sst_training *training = results->training;
  const int slot = (int)(results->asked++ % SSTI_STEPS_AHEAD);
  size_t offset = 0;
  fetch(results, slot, &offset, training->loss, 1);
  for (int i = 0; i < training->part_count; i++) { fetch(results, slot, &offset, training->parts[i], 1); }
  fetch(results, slot, &offset, training->logits, results->logit_count);
  memcpy(results->labels + slot * results->label_count, batch->labels, (size_t)batch->count * sizeof *batch->labels);
  results->counts[slot] = batch->count;
}

ssti_step_result ssti_step_results_take(ssti_step_results *results) {
  assert(ssti_step_results_outstanding(results) > 0);
  const int slot = (int)(results->taken++ % SSTI_STEPS_AHEAD);
  const float *place = results->backend->beside->passage_place(results->backend, results->passage, slot);
  ssti_step_result result = {
      .loss = place, .labels = results->labels + slot * results->label_count, .count = results->counts[slot]};
  for (int i = 0; i < results->training->part_count; i++) { result.parts[i] = ++place; }
  result.logits = place + 1;
  return result;
}
