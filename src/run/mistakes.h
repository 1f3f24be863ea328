// SPDX-License-Identifier: Apache-2.0
// The record of what a network gets wrong: mistakes.json in its run directory, for reports.
#ifndef SPIKESTILL_RUN_MISTAKES_H
#define SPIKESTILL_RUN_MISTAKES_H

#include "base/json.h"
#include "spikestill/run.h"

// Classifies the first pictures of the test part (at most 10,000) and makes
//     {"samples", "classes", "confusion": [[pictures of class i taken for class j]],
//      "pictures": [{"index", "class", "taken_for", "confidence", "height", "width", "channels", "pixels"}]}
// with the pictures that it is most sure of and wrong about. `pixels` are two hexadecimal digits a value, rows from the
// top, channels last, each picture spread over 0..255 and thinned to at most 48 pixels a side; steps are summed up.
// Sets of more than 200 classes have no "confusion". Owned by the caller (json_decref).
sst_status ssti_measure_mistakes(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters,
                                 json_t **out);

#endif
