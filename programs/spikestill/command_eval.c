// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "integer_table.h"
#include "json_output.h"
#include "spikestill/run.h"

static void print_report(const char *model, const sst_report *r) {
  const sst_evaluation *e = &r->evaluation;
  printf("model                  %s\n", model);
  printf("data                   %s, %" PRId64 " pictures\n", r->data, e->count);
  printf("accuracy               %.2f %%\n", 100 * e->accuracy);
  printf("loss                   %.4f\n", e->loss);
  printf("parameters             %" PRId64 "\n", r->parameters);
  printf("speed                  %.0f samples/s\n", r->samples_per_second);
  if (e->layer_count == 0) { return; }
  printf("spikes per inference   %.1f\n\n", e->spikes_per_inference);
  printf("%-20s %10s %12s %10s\n", "neuron layer", "neurons", "spikes", "rate");
  for (int i = 0; i < e->layer_count; i++) {
    const sst_layer_activity *l = &e->layers[i];
    printf("%-20s %10" PRId64 " %12.1f %8.2f %%\n", l->name, l->neurons, l->spikes_per_inference, 100 * l->firing_rate);
  }
}

static int print_report_json(const char *model, sst_part part, const sst_report *r) {
  static const char *const accuracy_keys[] = {"train_accuracy", "validation_accuracy", "test_accuracy"};
  const sst_evaluation *e = &r->evaluation;
  json_t *rates = json_object(), *spikes = json_object();
  for (int i = 0; i < e->layer_count; i++) {
    json_object_set_new(rates, e->layers[i].name, json_real(e->layers[i].firing_rate));
    json_object_set_new(spikes, e->layers[i].name, json_real(e->layers[i].spikes_per_inference));
  }
  return print_json(json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:o, s:o, s:I, s:f, s:f}", "model", model, "data",
                              r->data, "count", (json_int_t)e->count, accuracy_keys[part], e->accuracy, "loss", e->loss,
                              "spikes_per_inference", e->spikes_per_inference, "firing_rate", rates, "layer_spikes",
                              spikes, "parameters", (json_int_t)r->parameters, "seconds", r->seconds,
                              "samples_per_second", r->samples_per_second));
}

// An integer network by the engine, another one by its graph.
static sst_status evaluate(sst_context *context, const arguments *a, sst_part part, sst_report *out) {
  sst_status status = SST_OK;
  if (sst_integer_network_recognize(a->words[0])) {
    sst_engine_level level;
    const sst_integer_evaluation_options options = {part, a->samples, a->overrides, a->override_count,
                                                    chosen_level(a, &level)};
    sst_integer_network *network = NULL;
    status = sst_integer_network_load(context, a->words[0], &network);
    if (status == SST_OK) { status = sst_integer_evaluate(network, a->words[0], &options, out); }
    sst_integer_network_free(network);
    return status;
  }
  sst_network *network = NULL;
  status = open_model(context, a, &network);
  if (status == SST_OK) { status = sst_network_evaluate(network, part, out); }
  sst_network_close(network);
  return status;
}

int command_eval(sst_context *context, const arguments *a) {
  const sst_part part = chosen_part(a);
  if (a->compare) { return compare_integers(context, a, part); }
  if (a->samples && !sst_integer_network_recognize(a->words[0])) {
    return usage_error("eval --samples is for integer networks, and %s is none; see 'spikestill help eval'",
                       a->words[0]);
  }
  sst_report report;
  const sst_status status = evaluate(context, a, part, &report);
  if (status != SST_OK) { return report_failure(context, status); }
  int code = EXIT_DONE;
  if (a->json) {
    code = print_report_json(a->words[0], part, &report);
  } else {
    print_report(a->words[0], &report);
  }
  if (code == EXIT_DONE) { code = check_accuracy(a, report.evaluation.accuracy); }
  sst_report_free(context, &report);
  return code;
}
