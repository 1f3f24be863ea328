// SPDX-License-Identifier: Apache-2.0
#include "run/examine.h"

#include <stdio.h>

#include "run/assemble.h"
#include "run/cost_measure.h"

typedef struct observers {
  ssti_cost_meter *meter;
  ssti_mistakes *mistakes;
  ssti_activity_watch *watch;
} observers;

static sst_status open_observers(observers *o, sst_context *context, const ssti_evaluation_graph *built,
                                 const sst_recipe *recipe, int64_t samples) {
  SST_TRY(ssti_cost_meter_open(built->graph, recipe, samples, 0, &o->meter));
  SST_TRY(ssti_mistakes_open(context, recipe, built->logits, &o->mistakes));
  return ssti_activity_open(built->graph, built->logits, &o->watch);
}

static sst_status take_records(const observers *o, sst_context *context, const sst_recipe *recipe,
                               ssti_examination *out) {
  char data[64];
  snprintf(data, sizeof data, "%s test", sst_dataset_word(recipe->data.kind));
  out->costs = ssti_cost_meter_take(o->meter, &out->evaluation, recipe->name, data);
  out->mistakes = ssti_mistakes_json(o->mistakes);
  out->activity = ssti_activity_json(o->watch, sst_evaluator_graph(out->evaluator));
  if (out->mistakes == NULL || out->activity == NULL) {
    SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the records of the test data");
  }
  return SST_OK;
}

sst_status ssti_examine(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters, sst_loader *loader,
                        int64_t samples, ssti_examination *out) {
  *out = (ssti_examination){0};
  observers o = {0};
  ssti_evaluation_graph built;
  SST_TRY(ssti_build_evaluation(recipe, parameters, NULL, &built));
  sst_status status = open_observers(&o, context, &built, recipe, samples);
  if (status != SST_OK) { sst_graph_destroy(built.graph); }
  if (status == SST_OK) {
    status = sst_evaluator_create(context, built.graph, built.input, built.target, built.logits, &out->evaluator);
  }
  if (status == SST_OK) {
    const sst_evaluation_observer list[] = {
        {ssti_cost_meter_look, o.meter}, {ssti_mistakes_look, o.mistakes}, {ssti_activity_look, o.watch}};
    status = sst_evaluate_observed(out->evaluator, loader, list, sizeof list / sizeof *list, &out->evaluation);
  }
  if (status == SST_OK) { status = take_records(&o, context, recipe, out); }
  ssti_cost_meter_close(o.meter);
  ssti_mistakes_close(o.mistakes);
  ssti_activity_close(o.watch);
  return status;
}

void ssti_examination_close(ssti_examination *e) {
  sst_evaluator_destroy(e->evaluator);
  sst_cost_record_destroy(e->costs);
  json_decref(e->mistakes);
  json_decref(e->activity);
  *e = (ssti_examination){0};
}
