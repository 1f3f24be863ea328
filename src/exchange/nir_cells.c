// SPDX-License-Identifier: Apache-2.0
// The fields of neurons, one number for a layer or one for each neuron, as the arithmetic of nir_neurons.c: one cell
// where all neurons are alike, else an array for each of its numbers.
#include <math.h>
#include <stddef.h>

#include "exchange/nir_parts.h"

bool ssti_nir_is_neuron(sst_nir_type type) {
  return type == SST_NIR_TYPE_I || type == SST_NIR_TYPE_LI || type == SST_NIR_TYPE_CUBALI || ssti_nir_fires(type);
}

bool ssti_nir_fires(sst_nir_type type) {
  return type == SST_NIR_TYPE_IF || type == SST_NIR_TYPE_LIF || type == SST_NIR_TYPE_CUBALIF;
}

sst_status ssti_nir_take_elements(sst_context *context, const sst_nir_value *field, const ssti_nir_form *form,
                                  int64_t *count, double **out) {
  *out = NULL;
  *count = field->count == 1 || field->count == ssti_nir_count(form) ? field->count : 0;
  if (*count == 0) { return SST_OK; }
  SST_TRY(ssti_allocate_raw(context, (size_t)*count, sizeof **out, out));
  int64_t chw[3] = {1, 1, 1};
  if (*count > 1) { ssti_nir_picture_of(form, chw); }
  const int64_t channels = chw[0], places = chw[1] * chw[2];
  for (int64_t p = 0; p < places; p++) {
    for (int64_t c = 0; c < channels; c++) {
      const int64_t from = c * places + p;
      (*out)[p * channels + c] = field->kind == SST_NIR_INTEGERS ? (double)field->integers[from] : field->numbers[from];
    }
  }
  return SST_OK;
}

enum { TAU, R, V_LEAK, V_THRESHOLD, V_RESET, TAU_SYN, W_IN, FIELDS };
// What a field is called, and what it is where a file may leave it out.
static const struct {
  const char *name, *of_cuba;
  double absent;
} fields[FIELDS] = {[TAU] = {"tau", "tau_mem", 1.0},         [R] = {"r", "r", 1.0},
                    [V_LEAK] = {"v_leak", "v_leak", 0.0},    [V_THRESHOLD] = {"v_threshold", "v_threshold", 0.0},
                    [V_RESET] = {"v_reset", "v_reset", 0.0}, [TAU_SYN] = {"tau_syn", "tau_syn", 1.0},
                    [W_IN] = {"w_in", "w_in", 1.0}};

// Which numbers of a cell become parameters of their own where neurons differ.
static const struct {
  const char *suffix;
  size_t place;
} numbers[] = {
    {"current_decay", offsetof(ssti_nir_cell, current_decay)},
    {"current_gain", offsetof(ssti_nir_cell, current_gain)},
    {"decay", offsetof(ssti_nir_cell, decay)},
    {"gain", offsetof(ssti_nir_cell, gain)},
    {"leak_to", offsetof(ssti_nir_cell, leak_to)},
    {"threshold", offsetof(ssti_nir_cell, threshold)},
    {"reset_to", offsetof(ssti_nir_cell, reset_to)},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };
_Static_assert((int)NUMBERS <= (int)SSTI_NIR_MOST_CONSTANTS, "a constant for each");

static float number_of(const ssti_nir_cell *cell, int i) {
  float value;
  memcpy(&value, (const char *)cell + numbers[i].place, sizeof value);
  return value;
}

// NULL if the neuron can be computed, else the end of a sentence about it.
static const char *check_cell(const ssti_nir_cell *cell) {
  for (int i = 0; i < NUMBERS; i++) {
    if (!isfinite(number_of(cell, i))) { return "one of its parameters, or what dt makes of it, is not finite"; }
  }
  const bool stable =
      cell->decay >= 0.0f && cell->decay <= 1.0f && cell->current_decay >= 0.0f && cell->current_decay <= 1.0f;
  return stable ? NULL : "a time constant of it is negative or below dt; is dt in the unit of the file (--dt)?";
}

// Whether neurons of the type have this number at all.
static bool has_number(sst_nir_type type, bool soft, int i) {
  const bool cuba = type == SST_NIR_TYPE_CUBALI || type == SST_NIR_TYPE_CUBALIF;
  const size_t place = numbers[i].place;
  if (place == offsetof(ssti_nir_cell, gain)) { return !cuba; }
  if (place == offsetof(ssti_nir_cell, current_decay) || place == offsetof(ssti_nir_cell, current_gain)) {
    return cuba;
  }
  if (place == offsetof(ssti_nir_cell, threshold)) { return ssti_nir_fires(type); }
  if (place == offsetof(ssti_nir_cell, reset_to)) { return ssti_nir_fires(type) && !soft; }
  return true;
}

static sst_status put_constants(const sst_nir_network *network, ssti_nir_step *step, const ssti_nir_cell *cells,
                                int64_t count) {
  for (int i = 0; i < NUMBERS; i++) {
    if (!has_number(step->type, network->info.soft_reset, i)) { continue; }
    float *data = NULL;
    sst_context *context = network->context;
    SST_TRY(ssti_allocate_raw(context, (size_t)count, sizeof *data, &data));
    for (int64_t k = 0; k < count; k++) { data[k] = number_of(&cells[k], i); }
    step->constants[step->constant_count++] =
        (ssti_nir_constant){numbers[i].suffix, SST_PARAMETER_BUFFER,
                            count == 1 ? sst_shape_make(1, 1, 1, 1, 1) : ssti_nir_shape_of(&step->out), data};
  }
  return SST_OK;
}

// cells: [count], filled from the fields' numbers.
static void fill_cells(const sst_nir_network *network, const ssti_nir_step *step, double *const values[FIELDS],
                       const int64_t counts[FIELDS], ssti_nir_cell *cells, int64_t count, ssti_text *wrong) {
  for (int64_t i = 0; i < count; i++) {
    double v[FIELDS];
    for (int k = 0; k < FIELDS; k++) { v[k] = values[k] ? values[k][counts[k] == 1 ? 0 : i] : fields[k].absent; }
    const ssti_nir_neuron neuron = {.type = step->type,
                                    .tau = (float)v[TAU],
                                    .r = (float)v[R],
                                    .v_leak = (float)v[V_LEAK],
                                    .v_reset = (float)v[V_RESET],
                                    .tau_syn = (float)v[TAU_SYN],
                                    .w_in = (float)v[W_IN]};
    cells[i] = ssti_nir_cell_of(network->info.target, network->info.dt, &neuron, v[V_THRESHOLD]);
    const char *complaint = check_cell(&cells[i]);
    if (complaint) {
      ssti_text_append(wrong, "%s", complaint);
      return;
    }
  }
}

// Whether the neuron op can do it: other thresholds than it allows are built step by step.
static bool op_can(const sst_nir_network *network, const ssti_nir_step *step) {
  const ssti_nir_cell *cell = &step->cell;
  if (!ssti_nir_fires(step->type)) { return true; }
  return cell->threshold > 0.0f && (network->info.soft_reset || cell->reset_to < cell->threshold);
}

static bool is_same_cell(const ssti_nir_cell *a, const ssti_nir_cell *b) {
  return a->current_decay == b->current_decay && a->current_gain == b->current_gain && a->decay == b->decay &&
         a->gain == b->gain && a->leak_to == b->leak_to && a->threshold == b->threshold && a->reset_to == b->reset_to;
}

sst_status ssti_nir_take_cells(sst_nir_network *network, ssti_nir_step *step, ssti_text *wrong) {
  sst_context *context = network->context;
  int64_t counts[FIELDS] = {0}, count = 1; // more only where a field has more
  const bool cuba = step->type == SST_NIR_TYPE_CUBALI || step->type == SST_NIR_TYPE_CUBALIF;
  double *values[FIELDS] = {NULL};
  ssti_nir_cell *cells = NULL;
  sst_status status = SST_OK;
  for (int i = 0; i < FIELDS && wrong->length == 0; i++) {
    const char *name = cuba ? fields[i].of_cuba : fields[i].name;
    const sst_nir_value *field = sst_nir_find_value(&step->node->fields, name);
    if (field == NULL) { continue; }
    SST_TRY_GOTO(ssti_nir_take_elements(context, field, &step->out, &counts[i], &values[i]));
    if (values[i] == NULL) {
      ssti_text_append(wrong, "its '%s' has %lld numbers, expected 1 or one for each of %lld neurons", name,
                       (long long)field->count, (long long)ssti_nir_count(&step->out));
    }
    if (counts[i] > count) { count = counts[i]; }
  }
  SST_TRY_GOTO(ssti_allocate(context, (size_t)count, sizeof *cells, &cells));
  if (wrong->length == 0) { fill_cells(network, step, values, counts, cells, count, wrong); }
  if (wrong->length > 0) { goto done; }
  bool alike = true;
  for (int64_t i = 1; i < count && alike; i++) { alike = is_same_cell(&cells[i], &cells[0]); }
  step->cell = cells[0];
  if (!alike || !op_can(network, step)) { step->stepped = true; }
  if (step->stepped) { status = put_constants(network, step, cells, alike ? 1 : count); }
done:
  for (int i = 0; i < FIELDS; i++) { ssti_free(context, values[i]); }
  ssti_free(context, cells);
  return status;
}
