// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "integer_table.h"
#include "results.h"
#include "spikestill/run.h"

enum { PATH_SIZE = 4096 };

typedef enum way { EXACTLY, AFTER_TRAINING, APPROXIMATELY } way;

// What happened, for people and for the record.
typedef struct outcome {
  way way;
  sst_post_training_options options;
  sst_network *quantized; // and what it was chosen by, where it was quantised after training
  sst_calibration calibration;
  sst_approximations approximations; // and what they make, where it was approximated
  sst_integer_comparison comparison;
  sst_report before, after; // of the test part, but of what was lowered exactly
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

// Every spike of training pictures beside the network's own, and both on the test part.
static sst_status approximately(sst_network *network, const arguments *a, outcome *o, sst_integer_network **out) {
  const sst_approximation_options bits = {a->weight_bits, a->norm_bits, a->membrane_bits, a->input_bits};
  const sst_integer_evaluation_options training = {.part = SST_PART_TRAIN, .samples = o->options.samples};
  const sst_integer_evaluation_options test = {.part = SST_PART_TEST};
  sst_status status = sst_network_approximate(network, &bits, &o->approximations, out);
  if (status == SST_OK) { status = sst_integer_compare(*out, a->words[0], network, &training, &o->comparison); }
  if (status == SST_OK) { status = sst_network_evaluate(network, SST_PART_TEST, &o->before); }
  if (status == SST_OK) { status = sst_integer_evaluate(*out, a->words[0], &test, &o->after); }
  return status;
}

static sst_status make(sst_network *network, const arguments *a, outcome *o, sst_integer_network **out) {
  switch (o->way) {
  case EXACTLY: return sst_network_lower(network, out);
  case AFTER_TRAINING: return after_training(network, a, o, out);
  case APPROXIMATELY:
  default: return approximately(network, a, o, out);
  }
}

static sst_status write_files(const arguments *a, const outcome *o, const sst_network *network,
                              const sst_integer_network *integers, const char *record) {
  const bool approximated = o->way == APPROXIMATELY;
  const sst_integer_origin origin = {.model = a->words[0],
                                     .file = a->out,
                                     .simulation = o->way == AFTER_TRAINING ? o->quantized : network,
                                     .calibration = o->way == AFTER_TRAINING ? &o->calibration : NULL,
                                     .before = &o->before,
                                     .after = &o->after,
                                     .approximations = approximated ? &o->approximations : NULL,
                                     .comparison = approximated ? &o->comparison : NULL};
  const sst_status status = sst_integer_network_save(integers, a->out);
  return status == SST_OK ? sst_integer_write_record(integers, &origin, record) : status;
}

// "0.04 %", with digits enough for small ones.
static void print_share(double share) { printf("%10.*g %%", share < 1e-3 ? 2 : 3, 100 * share); }

static void print_approximations(const outcome *o) {
  const sst_integer_comparison *c = &o->comparison;
  printf("%-24s %-12s %12s\n", "approximated layer", "what", "by");
  for (int i = 0; i < o->approximations.count; i++) {
    const sst_approximation *one = &o->approximations.items[i];
    printf("%-24s %-12s ", one->layer, sst_approximation_word(one->kind));
    print_share(one->size);
    printf("\n");
  }
  if (o->approximations.count == 0) { printf("nothing\n"); }
  printf("\n%-24s %12s %12s\n", "neurons", "spikes", "differing");
  for (int i = 0; i < c->layer_count; i++) {
    const sst_integer_layer_comparison *one = &c->layers[i];
    printf("%-24s %12" PRId64 " ", one->name, one->spikes);
    print_share((double)one->different_spikes / (double)one->neuron_steps);
    printf(" of %" PRId64 "\n", one->neuron_steps);
  }
  printf("on %s, %" PRId64 " samples: accuracy %.2f %%, was %.2f %%; %" PRId64 " of another class\n\n", c->data,
         c->count, 100 * (double)c->integer_correct / (double)c->count,
         100 * (double)c->simulation_correct / (double)c->count, c->different_classes);
}

static void print_measured(const outcome *o) {
  const sst_evaluation *before = &o->before.evaluation, *after = &o->after.evaluation;
  printf("data                   %s, %" PRId64 " samples\n", o->before.data, before->count);
  printf("accuracy               %.2f %%, was %.2f %% (%+.2f)\n", 100 * after->accuracy, 100 * before->accuracy,
         100 * (after->accuracy - before->accuracy));
  printf("spikes per inference   %.1f, were %.1f\n", after->spikes_per_inference, before->spikes_per_inference);
}

static void print_outcome(const arguments *a, const outcome *o, const sst_integer_network *network,
                          const char *record) {
  const sst_integer_sizes sizes = total_sizes(network);
  const int64_t bytes = sizes.weight_bytes + sizes.constant_bytes;
  if (o->way == APPROXIMATELY) { print_approximations(o); }
  if (o->way == EXACTLY) {
    printf("lowered exactly, as it was trained\n");
  } else {
    print_measured(o);
  }
  if (o->way == AFTER_TRAINING) { printf("membrane range         %g thresholds\n", o->calibration.membrane_range); }
  printf("weights                %" PRId64 "\n", sizes.weights);
  printf("bytes                  %" PRId64 ", 1/%.1f of %" PRId64 " as floats\n", bytes,
         (double)sizes.float_bytes / (double)bytes, sizes.float_bytes);
  printf("wrote                  %s and %s\n", a->out, record);
}

int command_quantize(sst_context *context, const arguments *a) {
  if (!a->out) { return usage_error("quantize needs --out FILE; see 'spikestill help quantize'"); }
  if (a->approximate && a->simulation) {
    return usage_error("quantize --approximate makes no simulation to be kept: leave out one of it and --simulation");
  }
  sst_network *network = NULL;
  sst_integer_network *integers = NULL;
  sst_status status = sst_network_open(context, a->words[0], a->overrides, a->override_count, &network);
  if (status != SST_OK) { return report_failure(context, status); }
  stop_on_signals(context);
  outcome o = {.options = options_of(a)};
  o.way = a->approximate                                                 ? APPROXIMATELY
          : asks_for_bits(a) || !sst_network_is_integer_trained(network) ? AFTER_TRAINING
                                                                         : EXACTLY;
  status = make(network, a, &o, &integers);
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
  sst_integer_comparison_free(context, &o.comparison);
  sst_approximations_free(context, &o.approximations);
  sst_integer_network_free(integers);
  sst_network_close(o.quantized);
  sst_report_free(context, &o.before);
  sst_report_free(context, &o.after);
  sst_network_close(network);
  return code;
}
