// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "integer_table.h"
#include "json_output.h"
#include "spikestill/run.h"

// What happened, for people and for the record.
typedef struct outcome {
  bool after_training;
  sst_post_training_options options;
  double membrane_range;
  sst_report before, after; // of the test part, where it was quantised after training
} outcome;

static bool asks_for_bits(const arguments *a) {
  return a->weight_bits > 0 || a->membrane_bits > 0 || a->norm_bits > 0 || a->input_bits > 0;
}

static sst_post_training_options options_of(const arguments *a) {
  sst_post_training_options options = sst_post_training_default();
  if (a->weight_bits > 0) { options.weight_bits = a->weight_bits; }
  if (a->membrane_bits > 0) { options.membrane_bits = a->membrane_bits; }
  if (a->norm_bits > 0) { options.norm_bits = a->norm_bits; }
  if (a->input_bits > 0) { options.input_bits = a->input_bits; }
  if (a->samples > 0) { options.samples = a->samples; }
  return options;
}

// Both on the test part, and the integers of the second one.
static sst_status after_training(sst_network *network, const arguments *a, outcome *o, sst_integer_network **out) {
  sst_network *quantized = NULL;
  sst_status status = sst_network_quantize(network, &o->options, &quantized);
  if (status == SST_OK) { status = sst_network_evaluate(network, SST_PART_TEST, &o->before); }
  if (status == SST_OK) { status = sst_network_evaluate(quantized, SST_PART_TEST, &o->after); }
  if (status == SST_OK) {
    o->membrane_range = (double)sst_network_recipe(quantized)->student.options.neuron.membrane_range;
    status = sst_network_lower(quantized, out);
  }
  if (status == SST_OK && a->simulation) {
    status = sst_run_import(quantized, a->words[0], "quantised after training", a->simulation, a->overwrite);
  }
  sst_network_close(quantized);
  return status;
}

static json_t *record_of(const arguments *a, const outcome *o, const sst_integer_network *network) {
  const sst_integer_sizes sizes = total_sizes(network);
  json_t *root = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I}", "model", a->words[0], "file", a->out, "exact",
                           !o->after_training, "timesteps", (json_int_t)network->timesteps, "weights",
                           (json_int_t)sizes.weights, "bytes", (json_int_t)sizes.weight_bytes + (json_int_t)sizes.constant_bytes,
                           "float_bytes", (json_int_t)sizes.float_bytes, "state_bytes", (json_int_t)sizes.state_bytes);
  if (root == NULL || !o->after_training) { return root; }
  const sst_evaluation *before = &o->before.evaluation, *after = &o->after.evaluation;
  json_object_set_new(root, "data", json_string(o->before.data));
  json_object_set_new(root, "test_accuracy_before", json_real(before->accuracy));
  json_object_set_new(root, "test_accuracy", json_real(after->accuracy));
  json_object_set_new(root, "spikes_per_inference_before", json_real(before->spikes_per_inference));
  json_object_set_new(root, "spikes_per_inference", json_real(after->spikes_per_inference));
  json_object_set_new(root, "membrane_range", json_real(o->membrane_range));
  return root;
}

static void print_outcome(const arguments *a, const outcome *o, const sst_integer_network *network) {
  const sst_integer_sizes sizes = total_sizes(network);
  const int64_t bytes = sizes.weight_bytes + sizes.constant_bytes;
  if (o->after_training) {
    const sst_evaluation *before = &o->before.evaluation, *after = &o->after.evaluation;
    printf("data                   %s, %" PRId64 " samples\n", o->before.data, before->count);
    printf("accuracy               %.2f %%, was %.2f %% (%+.2f)\n", 100 * after->accuracy, 100 * before->accuracy,
           100 * (after->accuracy - before->accuracy));
    printf("spikes per inference   %.1f, were %.1f\n", after->spikes_per_inference, before->spikes_per_inference);
    printf("membrane range         %g thresholds\n", o->membrane_range);
  } else {
    printf("lowered exactly, as it was trained\n");
  }
  printf("weights                %" PRId64 "\n", sizes.weights);
  printf("bytes                  %" PRId64 ", 1/%.1f of %" PRId64 " as floats\n", bytes,
         (double)sizes.float_bytes / (double)bytes, sizes.float_bytes);
  printf("wrote                  %s\n", a->out);
}

int command_quantize(sst_context *context, const arguments *a) {
  if (!a->out) { return usage_error("quantize needs --out FILE; see 'spikestill help quantize'"); }
  sst_network *network = NULL;
  sst_integer_network *integers = NULL;
  sst_status status = sst_network_open(context, a->words[0], a->overrides, a->override_count, &network);
  if (status != SST_OK) { return report_failure(context, status); }
  stop_on_signals(context);
  outcome o = {.options = options_of(a)};
  o.after_training = asks_for_bits(a) || !sst_network_is_integer_trained(network);
  status = o.after_training ? after_training(network, a, &o, &integers) : sst_network_lower(network, &integers);
  if (status == SST_OK) { status = sst_integer_network_save(integers, a->out); }
  int code = EXIT_DONE;
  if (status != SST_OK) {
    code = report_failure(context, status);
  } else if (a->json) {
    code = print_json(record_of(a, &o, integers));
  } else {
    print_outcome(a, &o, integers);
  }
  sst_integer_network_free(integers);
  sst_report_free(context, &o.before);
  sst_report_free(context, &o.after);
  sst_network_close(network);
  return code;
}
