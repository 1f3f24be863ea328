// SPDX-License-Identifier: Apache-2.0
// The record of what goes on inside a network: activity.json in its run directory, for reports.
#ifndef SPIKESTILL_RUN_ACTIVITY_H
#define SPIKESTILL_RUN_ACTIVITY_H

#include "base/json.h"
#include "spikestill/run.h"

typedef struct ssti_activity_watch ssti_activity_watch;

// For a graph that is built and not compiled (ssti_build_evaluation), whose logits are kept.
sst_status ssti_activity_open(sst_graph *graph, sst_value logits, ssti_activity_watch **out);
// An observer's look (train.h).
sst_status ssti_activity_look(void *watch, sst_graph *graph, const sst_batch *batch);

// What was seen; NULL if memory runs out. Owned by the caller (json_decref).
//     {"version": 1,
//      "samples": [{"index", "class", "taken_for", "layers": [
//          {"name", "neurons", "shown": [place in the layer], "spikes": ["0110", one text a shown neuron],
//           "traced": [place among the shown], "membranes": [[before firing, in thresholds; one list a traced
//           neuron]]}]}],
//      "membranes": {"pictures", "low", "high", "layers": [
//          {"name", "bits", "before_firing": [counts], "before_storing": [counts], "stored": [counts]}]},
//      "weights": {"low", "high", "layers": [{"name", "bits", "deviation", "full": [counts], "quantised": [counts]}]}}
// The samples are the first picture of the data that was classified correctly and the first that was not. Of a layer
// SSTI_SHOWN_NEURONS evenly spaced ones are shown, of which the SSTI_TRACED_NEURONS that fire most are traced, for
// SSTI_SHOWN_STEPS steps at most. Membranes are in thresholds, of all neurons at all steps of the first
// SSTI_MEMBRANE_PICTURES pictures; "before_storing" and "stored" are there for states on a grid (bits not 0): what the
// neuron would carry to the next step, and what it does carry. Weights are in standard deviations of the layer's
// full-precision ones; "quantised" (codes times scale) is there if bits is not 0. Bins lie side by side from low to
// high; what is beyond counts in the last ones. Of more than SSTI_SHOWN_LAYERS layers evenly spaced ones are there.
json_t *ssti_activity_json(const ssti_activity_watch *watch, sst_graph *graph);
void ssti_activity_close(ssti_activity_watch *watch); // NULL is allowed

enum {
  SSTI_ACTIVITY_VERSION = 1,
  SSTI_SHOWN_NEURONS = 16,
  SSTI_TRACED_NEURONS = 3,
  SSTI_SHOWN_STEPS = 64,
  SSTI_SHOWN_LAYERS = 32,
  SSTI_MEMBRANE_PICTURES = 64
};

#endif
