// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "integer_table.h"
#include "results.h"
#include "spikestill/run.h"

enum { PATH_SIZE = 4096 };

// What happened, for people and for the record.
typedef struct outcome {
  bool after_training;
  sst_post_training_options options;
  sst_network *quantized; // and what it was chosen by, where it was quantised after training
  sst_calibration calibration;
  sst_report before, after; // of the test part, there too
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
  sst_status status = sst_network_quantize(network, &o->options, &o->calibration, &o->quantized);
  if (status == SST_OK) { status = sst_network_evaluate(network, SST_PART_TEST, &o->before); }
  if (status == SST_OK) { status = sst_network_evaluate(o->quantized, SST_PART_TEST, &o->after); }
  if (status == SST_OK) { status = sst_network_lower(o->quantized, out); }
  if (status == SST_OK && a->simulation) {
    status = sst_run_import(o->quantized, a->words[0], "quantised after training", a->simulation, a->overwrite);
  }
  return status;
}

static sst_status write_files(const arguments *a, const outcome *o, const sst_network *network,
                              const sst_integer_network *integers, const char *record) {
  const sst_integer_origin origin = {.model = a->words[0],
                                     .file = a->out,
                                     .simulation = o->after_training ? o->quantized : network,
                                     .calibration = o->after_training ? &o->calibration : NULL,
                                     .before = &o->before,
                                     .after = &o->after};
  const sst_status status = sst_integer_network_save(integers, a->out);
  return status == SST_OK ? sst_integer_write_record(integers, &origin, record) : status;
}

static void print_outcome(const arguments *a, const outcome *o, const sst_integer_network *network,
                          const char *record) {
  const sst_integer_sizes sizes = total_sizes(network);
  const int64_t bytes = sizes.weight_bytes + sizes.constant_bytes;
  if (o->after_training) {
    const sst_evaluation *before = &o->before.evaluation, *after = &o->after.evaluation;
    printf("data                   %s, %" PRId64 " samples\n", o->before.data, before->count);
    printf("accuracy               %.2f %%, was %.2f %% (%+.2f)\n", 100 * after->accuracy, 100 * before->accuracy,
           100 * (after->accuracy - before->accuracy));
    printf("spikes per inference   %.1f, were %.1f\n", after->spikes_per_inference, before->spikes_per_inference);
    printf("membrane range         %g thresholds\n", o->calibration.membrane_range);
  } else {
    printf("lowered exactly, as it was trained\n");
  }
  printf("weights                %" PRId64 "\n", sizes.weights);
  printf("bytes                  %" PRId64 ", 1/%.1f of %" PRId64 " as floats\n", bytes,
         (double)sizes.float_bytes / (double)bytes, sizes.float_bytes);
  printf("wrote                  %s and %s\n", a->out, record);
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
  char record[PATH_SIZE];
  snprintf(record, sizeof record, "%s.json", a->out);
  if (status == SST_OK) { status = write_files(a, &o, network, integers, record); }
  int code = EXIT_DONE;
  if (status != SST_OK) {
    code = report_failure(context, status);
  } else if (a->json) {
    code = print_record(record);
  } else {
    print_outcome(a, &o, integers, record);
  }
  sst_integer_network_free(integers);
  sst_network_close(o.quantized);
  sst_report_free(context, &o.before);
  sst_report_free(context, &o.after);
  sst_network_close(network);
  return code;
}
