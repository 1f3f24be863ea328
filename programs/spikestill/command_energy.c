// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_output.h"
#include "spikestill/run.h"

enum { MOST_SUBJECTS = 8 };

// What is judged: a measured network, shapes, or an opponent made from the first.
typedef struct subject {
  char name[SST_COST_NAME_SIZE + 16];
  sst_cost_record *record;
  double accuracy; // NAN: not measured
} subject;

typedef struct judging {
  sst_context *context;
  const arguments *a;
  sst_technology *technology;
  subject subjects[MOST_SUBJECTS];
  int count;
  sst_energy_model models[SST_ENERGY_MODEL_COUNT];
  int model_count;
} judging;

// ---- what is judged, by which models and constants

static bool choose_models(judging *j) {
  const char *word = j->a->model ? j->a->model : sst_energy_model_word(SST_ENERGY_OPERATIONS);
  if (strcmp(word, "all") == 0) {
    for (int i = 0; i < SST_ENERGY_MODEL_COUNT; i++) { j->models[j->model_count++] = (sst_energy_model)i; }
    return true;
  }
  j->model_count = 1;
  return sst_energy_model_parse(word, &j->models[0]);
}

// --set belongs to the network if its key has a dot or is a recipe's top key; timesteps of a shapes file are in the
// file.
static bool is_constant(const char *override) {
  size_t key = strcspn(override, "=");
  return memchr(override, '.', key) == NULL && strncmp(override, "device=cpu", 10) != 0 &&
         strncmp(override, "seed=", 5) != 0;
}

static sst_status read_technology(judging *j) {
  sst_status status = sst_technology_create(j->context, &j->technology);
  if (status == SST_OK && j->a->technology) { status = sst_technology_read(j->technology, j->a->technology); }
  for (int i = 0; i < j->a->override_count && status == SST_OK; i++) {
    if (is_constant(j->a->overrides[i])) { status = sst_technology_set(j->technology, j->a->overrides[i]); }
  }
  return status;
}

static sst_status measure(judging *j, const char *path, subject *out) {
  const char *overrides[MOST_OVERRIDES];
  int override_count = 0;
  for (int i = 0; i < j->a->override_count; i++) {
    if (!is_constant(j->a->overrides[i])) { overrides[override_count++] = j->a->overrides[i]; }
  }
  sst_network *network = NULL;
  sst_status status = sst_network_open(j->context, path, overrides, override_count, &network);
  if (status != SST_OK) { return status; }
  const sst_cost_options options = {
      .part = chosen_part(j->a), .samples = j->a->samples, .crossbar = sst_technology_counted_crossbar(j->technology)};
  status = sst_network_measure_costs(network, &options, &out->accuracy, &out->record);
  snprintf(out->name, sizeof out->name, "%.120s", path);
  sst_network_close(network);
  return status;
}

static sst_status add_opponent(judging *j, const char *name, int bits) {
  subject *opponent = &j->subjects[j->count];
  sst_status status = sst_cost_record_as_ann(j->subjects[0].record, bits, &opponent->record);
  if (status != SST_OK) { return status; }
  snprintf(opponent->name, sizeof opponent->name, "%s", name);
  opponent->accuracy = (double)NAN;
  j->count++;
  return SST_OK;
}

static sst_status gather(judging *j) {
  subject *first = &j->subjects[j->count++];
  first->accuracy = (double)NAN;
  sst_status status;
  if (j->a->shapes) {
    status = sst_cost_record_from_shapes(j->context, j->a->shapes, &first->record);
    snprintf(first->name, sizeof first->name, "%.120s", j->a->shapes);
  } else {
    status = measure(j, j->a->words[0], first);
  }
  for (int i = 0; i < j->a->against_count && status == SST_OK; i++) {
    subject *other = &j->subjects[j->count++];
    status = measure(j, j->a->against[i], other);
  }
  if (status != SST_OK) { return status; }
  int bits = sst_matched_bits(first->record->timesteps);
  char matched[64];
  snprintf(matched, sizeof matched, "ANN of the same shape, %d bits", bits);
  status = add_opponent(j, "ANN of the same shape, float", 32);
  if (status == SST_OK) { status = add_opponent(j, "ANN of the same shape, int8", 8); }
  if (status == SST_OK && bits != 8 && first->record->spiking) { status = add_opponent(j, matched, bits); }
  return status;
}

// ---- as text

static void print_number(double value, const char *format) {
  if (!isfinite(value)) {
    printf(" %13s", "-");
  } else {
    printf(" ");
    printf(format, value);
  }
}

static void print_layers(const subject *s, const sst_energy *e) {
  printf("  %-22s %9s %13s %13s", "layer", "rate", "spikes in", "pJ");
  for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) { printf(" %12s", sst_energy_part_word((sst_energy_part)p)); }
  printf("\n");
  for (int i = 0; i < e->layer_count; i++) {
    const sst_cost_layer *l = &s->record->layers[i];
    double inputs = (double)l->in_channels * (double)l->in_height * (double)l->in_width * (double)l->timesteps;
    printf("  %-22s %8.2f%% %13.1f %13.1f", l->name, 100 * l->nonzero_inputs / inputs, l->nonzero_inputs,
           e->layers[i].energy_pj);
    for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) { printf(" %12.1f", e->layers[i].part_pj[p]); }
    printf("\n");
  }
}

static void print_row(const subject *s, const sst_energy *e, double reference_pj) {
  printf("%-34.34s", s->name);
  print_number(e->energy_pj / 1000, "%13.3f");
  print_number(e->energy_pj / reference_pj, "%13.3f");
  print_number(e->latency_ns / 1000, "%13.3f");
  print_number(e->area_um2 * 1e-6, "%13.4f");
  print_number(e->edap_j_s_mm2, "%13.4g");
  print_number(e->tops_per_watt, "%13.4g");
  print_number(e->tops_per_mm2, "%13.4g");
  print_number(s->accuracy * 100, "%12.2f%%");
  printf("\n");
}

static void print_rates(const subject *s) {
  sst_spike_density density = sst_spike_density_measure(s->record);
  if (isnan(density.rate)) { return; }
  printf("\n%.3f spikes per synapse and inference, %.2f %% of neurons at a step. Break-even with an ANN, from the "
         "literature:\n",
         density.spikes_per_synapse, 100 * density.rate);
  for (int i = 0; i < sst_break_even_count(); i++) {
    const sst_break_even *b = sst_break_even_get(i);
    double scale = b->per_step ? 100 : 1;
    printf("  %g", b->low * scale);
    if (b->high != b->low) { printf(" to %g", b->high * scale); }
    printf("%s: %s\n", b->per_step ? " % of neurons at a step" : " spikes per synapse and inference", b->source);
  }
}

static void print_neurobench(const subject *s) {
  sst_neurobench m = sst_neurobench_measure(s->record);
  printf("\nNeuroBench: %.0f effective ACs, %.0f effective MACs, %.0f dense; activation sparsity %.4f, connection "
         "sparsity %.4f;\n%.0f membrane updates; footprint %.0f bytes\n",
         m.effective_acs, m.effective_macs, m.dense_operations, m.activation_sparsity, m.connection_sparsity,
         m.membrane_updates, m.footprint_bytes);
}

static void print_quantiles(const sst_cost_record *r) {
  if (r->samples == 0) { return; }
  const double *q = r->operation_quantiles;
  printf("\noperations with spikes and numbers over %" PRId64
         " samples: 5 %% %.0f, 25 %% %.0f, median %.0f, 75 %% %.0f, "
         "95 %% %.0f\n",
         r->samples, q[0], q[1], q[2], q[3], q[4]);
}

static void print_head(const subject *s) {
  const sst_cost_record *r = s->record;
  printf("%s: %s, T = %" PRId64 ", per inference", s->name, r->spiking ? "spiking" : "ANN", r->timesteps);
  if (r->samples > 0) {
    printf(", mean of %" PRId64 " of %s\n", r->samples, r->data);
  } else {
    printf(", shapes alone: rates are assumed\n");
  }
}

// ---- as CSV and JSON

static void print_csv_text(const char *text) {
  printf("\"");
  for (; *text; text++) {
    if (*text == '"') { putchar('"'); }
    putchar(*text);
  }
  printf("\"");
}

static void print_csv_head(void) {
  printf("network,model,layer,energy_pj");
  for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) { printf(",%s_pj", sst_energy_part_word((sst_energy_part)p)); }
  printf(",latency_ns,area_um2,nonzero_inputs,effective_operations\n");
}

static void print_csv(const subject *s, sst_energy_model model, const sst_energy *e) {
  for (int i = 0; i <= e->layer_count; i++) { // the last line is the whole network
    bool whole = i == e->layer_count;
    print_csv_text(s->name);
    printf(",%s,", sst_energy_model_word(model));
    print_csv_text(whole ? "total" : s->record->layers[i].name);
    printf(",%.10g", whole ? e->energy_pj : e->layers[i].energy_pj);
    for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) {
      printf(",%.10g", whole ? e->part_pj[p] : e->layers[i].part_pj[p]);
    }
    double latency = whole ? e->latency_ns : (isnan(e->latency_ns) ? (double)NAN : e->layers[i].latency_ns);
    if (isnan(latency)) {
      printf(",");
    } else {
      printf(",%.10g", latency);
    }
    if (whole && !isnan(e->area_um2)) {
      printf(",%.10g,,\n", e->area_um2);
    } else if (whole) {
      printf(",,,\n");
    } else {
      printf(",,%.10g,%.10g\n", s->record->layers[i].nonzero_inputs, s->record->layers[i].effective_operations);
    }
  }
}

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static void set_estimate(json_t *to, const sst_energy *e) {
  json_object_set_new(to, "tiles", isnan(e->tiles) ? json_null() : json_integer((json_int_t)e->tiles));
  json_object_set_new(to, "energy_pj", number(e->energy_pj));
  json_object_set_new(to, "area_um2", number(e->area_um2));
  json_object_set_new(to, "latency_ns", number(e->latency_ns));
  json_object_set_new(to, "edap_j_s_mm2", number(e->edap_j_s_mm2));
  json_object_set_new(to, "tops_per_watt", number(e->tops_per_watt));
  json_object_set_new(to, "tops_per_mm2", number(e->tops_per_mm2));
}

static json_t *parts_json(const double *parts) {
  json_t *out = json_object();
  for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) {
    json_object_set_new(out, sst_energy_part_word((sst_energy_part)p), json_real(parts[p]));
  }
  return out;
}

static json_t *estimate_json(const subject *s, sst_energy_model model, const sst_energy *e) {
  json_t *out = json_pack("{s:s, s:s, s:o}", "network", s->name, "model", sst_energy_model_word(model), "parts_pj",
                          parts_json(e->part_pj));
  json_t *layers = json_array();
  for (int i = 0; i < e->layer_count; i++) {
    json_array_append_new(layers, json_pack("{s:s, s:f, s:o, s:f}", "name", s->record->layers[i].name, "energy_pj",
                                            e->layers[i].energy_pj, "parts_pj", parts_json(e->layers[i].part_pj),
                                            "nonzero_inputs", s->record->layers[i].nonzero_inputs));
  }
  set_estimate(out, e);
  json_object_set_new(out, "accuracy", number(s->accuracy));
  json_object_set_new(out, "layers", layers);
  return out;
}

static json_t *neurobench_json(const sst_cost_record *record) {
  sst_neurobench m = sst_neurobench_measure(record);
  return json_pack("{s:f, s:f, s:f, s:o, s:o, s:f, s:f}", "effective_macs", m.effective_macs, "effective_acs",
                   m.effective_acs, "dense_operations", m.dense_operations, "activation_sparsity",
                   number(m.activation_sparsity), "connection_sparsity", number(m.connection_sparsity),
                   "membrane_updates", m.membrane_updates, "footprint_bytes", m.footprint_bytes);
}

// ---- putting it together

typedef struct output {
  json_t *estimates, *root;
  bool headed; // the first line is printed once something has been judged: a failure prints nothing
} output;

// All subjects under one model. An opponent that the model cannot judge is left out with a sentence; the first is a
// failure.
static sst_status judge(judging *j, sst_energy_model model, output *out) {
  double reference_pj = 0;
  for (int i = 0; i < j->count; i++) {
    const subject *s = &j->subjects[i];
    sst_energy *e = NULL;
    sst_status status = sst_energy_estimate(model, s->record, j->technology, &e);
    if (status != SST_OK && (status != SST_UNSUPPORTED || (i == 0 && j->model_count == 1))) { return status; }
    if (status != SST_OK) {
      fprintf(stderr, "spikestill: left out: %s: %s\n", s->name, sst_context_message(j->context));
      if (i == 0) { return SST_OK; }
      continue;
    }
    if (i == 0) { reference_pj = e->energy_pj; }
    if (!out->headed && j->a->csv) { print_csv_head(); }
    if (!out->headed && !j->a->csv && !j->a->json) { print_head(&j->subjects[0]); }
    out->headed = true;
    if (j->a->json) {
      json_array_append_new(out->estimates, estimate_json(s, model, e));
      if (i == 0 && j->model_count == 1) { set_estimate(out->root, e); }
    } else if (j->a->csv) {
      print_csv(s, model, e);
    } else {
      if (i == 0) {
        printf("\n%s: %s\n%s\n\n", sst_energy_model_word(model), sst_energy_model_text(model),
               sst_energy_model_formula(model));
        print_layers(s, e);
        printf("\n%-34s %13s %13s %13s %13s %13s %13s %13s %13s\n", "network", "nJ", "ratio", "us", "mm2",
               "EDAP J s mm2", "TOPS/W", "TOPS/mm2", "accuracy");
      }
      print_row(s, e, reference_pj);
    }
    sst_energy_destroy(e);
  }
  return SST_OK;
}

static int judge_all(judging *j) {
  output out = {.estimates = json_array(), .root = json_object()};
  sst_status status = SST_OK;
  for (int i = 0; i < j->model_count && status == SST_OK; i++) { status = judge(j, j->models[i], &out); }
  if (status != SST_OK) {
    json_decref(out.estimates);
    json_decref(out.root);
    return report_failure(j->context, status);
  }
  if (j->a->json) {
    json_object_set_new(out.root, "network", json_string(j->subjects[0].name));
    json_object_set_new(out.root, "timesteps", json_integer((json_int_t)j->subjects[0].record->timesteps));
    json_object_set_new(out.root, "samples", json_integer((json_int_t)j->subjects[0].record->samples));
    json_object_set_new(out.root, "accuracy", number(j->subjects[0].accuracy));
    json_object_set_new(out.root, "neurobench", neurobench_json(j->subjects[0].record));
    json_object_set_new(out.root, "estimates", out.estimates);
    return print_json(out.root);
  }
  json_decref(out.estimates);
  json_decref(out.root);
  if (!j->a->csv) {
    print_rates(&j->subjects[0]);
    print_neurobench(&j->subjects[0]);
    print_quantiles(j->subjects[0].record);
  }
  return EXIT_DONE;
}

static int print_technology(judging *j) {
  char *text = NULL;
  sst_status status = sst_technology_text(j->technology, &text);
  if (status != SST_OK) { return report_failure(j->context, status); }
  printf("%s", text);
  sst_energy_text_free(j->context, text);
  return EXIT_DONE;
}

int command_energy(sst_context *context, const arguments *a) {
  judging j = {.context = context, .a = a};
  if (!a->print_technology && (a->word_count == 1) == (a->shapes != NULL)) {
    return usage_error("energy needs a MODEL or --shapes FILE; see 'spikestill help energy'");
  }
  if (!choose_models(&j)) { return usage_error("--model is '%s', expected all or a model's word", a->model); }
  sst_status status = read_technology(&j);
  int code = EXIT_DONE;
  if (status == SST_OK && a->print_technology) {
    code = print_technology(&j);
  } else {
    if (status == SST_OK) { status = gather(&j); }
    code = status == SST_OK ? judge_all(&j) : report_failure(context, status);
  }
  for (int i = 0; i < j.count; i++) { sst_cost_record_destroy(j.subjects[i].record); }
  sst_technology_destroy(j.technology);
  return code;
}
