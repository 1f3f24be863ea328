// SPDX-License-Identifier: Apache-2.0
// See given_steps.h.
#include "train/given_steps.h"

#include "backend/backend.h"
#include "base/fail.h"
#include "graph/graph_internal.h"
#include "optim/optimizer_parts.h"

static void give_kernels(const ssti_given_steps *steps) {
  ssti_graph_run(steps->graph);
  sst_graph_backward(steps->graph);
  for (int i = 0; i < steps->optimizer_count; i++) { (void)ssti_optimizer_run(steps->optimizers[i]); }
}

sst_status ssti_give_step(ssti_given_steps *steps, const sst_run_options *options, double rate_factor) {
  ssti_backend *backend = steps->graph->backend;
  ssti_graph_begin(steps->graph, options);
  for (int i = 0; i < steps->optimizer_count; i++) { ssti_optimizer_begin(steps->optimizers[i], rate_factor); }
  const bool is_time = steps->records && steps->given == SSTI_RECORD_AFTER;
  if (is_time && backend->beside->record_begin(backend)) {
    give_kernels(steps);
    SST_TRY(backend->beside->record_end(backend, &steps->recording));
  }
  steps->given++;
  if (steps->recording != NULL) {
    backend->beside->record_play(backend, steps->recording);
  } else {
    give_kernels(steps);
  }
  return SST_OK;
}

void ssti_given_steps_end(ssti_given_steps *steps) {
  if (steps->recording == NULL) { return; }
  ssti_backend *backend = steps->graph->backend;
  backend->beside->record_drop(backend, steps->recording);
  steps->recording = NULL;
}
