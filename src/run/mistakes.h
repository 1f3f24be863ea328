// SPDX-License-Identifier: Apache-2.0
// The record of what a network gets wrong: mistakes.json in its run directory, for reports.
#ifndef SPIKESTILL_RUN_MISTAKES_H
#define SPIKESTILL_RUN_MISTAKES_H

#include "base/json.h"
#include "spikestill/run.h"

typedef struct ssti_mistakes ssti_mistakes;

// Looks on an evaluation of the recipe's network, whose logits are kept.
sst_status ssti_mistakes_open(sst_context *context, const sst_recipe *recipe, sst_value logits, ssti_mistakes **out);
// An observer's look (train.h).
sst_status ssti_mistakes_look(void *mistakes, sst_graph *graph, const sst_batch *batch);
// What was seen:
//     {"samples", "classes", "confusion": [[pictures of class i taken for class j]],
//      "pictures": [{"index", "class", "taken_for", "confidence", "height", "width", "channels", "pixels"}]}
// with the pictures that it is most sure of and wrong about. `pixels` are two hexadecimal digits a value, rows from the
// top, channels last, each picture spread over 0..255 and thinned to at most 48 pixels a side; steps are summed up.
// Sets of more than 200 classes have no "confusion". NULL if memory runs out. Owned by the caller (json_decref).
json_t *ssti_mistakes_json(const ssti_mistakes *mistakes);
void ssti_mistakes_close(ssti_mistakes *mistakes); // NULL is allowed

#endif
