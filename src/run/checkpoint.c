// SPDX-License-Identifier: Apache-2.0
#include "run/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spikestill/version.h"

#define FORMAT_VERSION "spikestill-checkpoint-1"

enum { MOST_PAIRS = 48, PAIR_TEXT = 64, MOST_STATES = 4 };

// Metadata under construction: texts of numbers live here until the file is written.
typedef struct metadata {
  sst_safetensors_pair pairs[MOST_PAIRS];
  char texts[MOST_PAIRS][PAIR_TEXT];
  char keys[MOST_PAIRS][PAIR_TEXT];
  int count;
} metadata;

static void put_text(metadata *m, const char *key, const char *value) {
  assert(m->count < MOST_PAIRS);
  m->pairs[m->count++] = (sst_safetensors_pair){key, value};
}

static void put_int(metadata *m, const char *key, int64_t value) {
  snprintf(m->texts[m->count], PAIR_TEXT, "%" PRId64, value);
  put_text(m, key, m->texts[m->count]);
}

// Hexadecimal floating point: exact, and the same text for the same bits.
static void put_double(metadata *m, const char *key, double value) {
  snprintf(m->texts[m->count], PAIR_TEXT, "%a", value);
  put_text(m, key, m->texts[m->count]);
}

static void put_position(metadata *m, const sst_training_position *p, const ssti_run_memory *memory) {
  put_int(m, "epoch", p->epoch);
  put_int(m, "batch", p->batch);
  put_int(m, "step", p->step);
  put_int(m, "seen", p->seen);
  put_int(m, "correct", p->correct);
  put_double(m, "loss_sum", p->loss_sum);
  for (int i = 0; i < SST_MAX_LOSS_PARTS; i++) {
    if (p->part_sum[i] == 0.0) { continue; }
    char *key = m->keys[m->count];
    snprintf(key, PAIR_TEXT, "part_sum.%d", i);
    put_double(m, key, p->part_sum[i]);
  }
  put_double(m, "best_validation_accuracy", memory->best_validation_accuracy);
  put_int(m, "best_epoch", memory->best_epoch);
}

// Axes as people write them: a leading run of ones of the five-axis shape is left out.
static sst_safetensors_entry parameter_entry(const sst_parameter *parameter) {
  sst_safetensors_entry entry = {.name = parameter->name,
                                 .type = SST_SAFETENSORS_F32,
                                 .data = parameter->value,
                                 .bytes = (size_t)parameter->count * sizeof(float)};
  int first = 0;
  while (first < SST_AXIS_COUNT - 1 && parameter->shape.dim[first] == 1) { first++; }
  for (int i = first; i < SST_AXIS_COUNT; i++) { entry.shape[entry.rank++] = parameter->shape.dim[i]; }
  return entry;
}

sst_status ssti_checkpoint_save(sst_context *context, const char *path, const char *recipe_text,
                                const sst_parameters *parameters, sst_optimizer *optimizer,
                                const sst_training_position *position, const ssti_run_memory *memory) {
  int count = sst_parameters_count(parameters), states = optimizer ? sst_optimizer_state_count(optimizer) : 0;
  char state_names[MOST_STATES][PAIR_TEXT];
  sst_safetensors_entry *entries = NULL;
  metadata *m = NULL;
  sst_status status = SST_OK;
  assert(states <= MOST_STATES);
  SST_TRY_GOTO(ssti_allocate(context, (size_t)(count + states), sizeof *entries, &entries));
  SST_TRY_GOTO(ssti_allocate(context, 1, sizeof *m, &m));
  for (int i = 0; i < count; i++) { entries[i] = parameter_entry(sst_parameters_at(parameters, i)); }
  for (int i = 0; i < states; i++) {
    int64_t length;
    const float *state = sst_optimizer_state(optimizer, i, &length);
    snprintf(state_names[i], PAIR_TEXT, "optimizer.%s", sst_optimizer_state_name(optimizer, i));
    entries[count + i] = (sst_safetensors_entry){.name = state_names[i],
                                                 .type = SST_SAFETENSORS_F32,
                                                 .rank = 1,
                                                 .shape = {length},
                                                 .data = state,
                                                 .bytes = (size_t)length * sizeof(float)};
  }
  put_text(m, "format", FORMAT_VERSION);
  put_text(m, "version", sst_version());
  put_text(m, "recipe", recipe_text);
  if (optimizer) { put_int(m, "optimizer_steps", sst_optimizer_steps(optimizer)); }
  if (position) { put_position(m, position, memory); }
  SST_TRY_GOTO(sst_safetensors_write(context, path, entries, count + states, m->pairs, m->count));
done:
  ssti_free(context, m);
  ssti_free(context, entries);
  return status;
}

static bool same_shape(const sst_safetensors_entry *a, const sst_safetensors_entry *b) {
  if (a->rank != b->rank) { return false; }
  for (int i = 0; i < a->rank; i++) {
    if (a->shape[i] != b->shape[i]) { return false; }
  }
  return true;
}

static const char *entry_shape_text(const sst_safetensors_entry *entry, char *text, size_t size) {
  size_t at = 0;
  text[0] = 0;
  for (int i = 0; i < entry->rank && at + 24 < size; i++) {
    at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? "," : "[", entry->shape[i]);
  }
  snprintf(text + at, size - at, "%s", entry->rank ? "]" : "[]");
  return text;
}

// Every parameter of the network must be in the file, with its shape, before the first value is copied.
static sst_status check_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                   const sst_parameters *parameters) {
  for (int i = 0; i < sst_parameters_count(parameters); i++) {
    sst_safetensors_entry want = parameter_entry(sst_parameters_at(parameters, i)), found;
    if (!sst_safetensors_find(file, want.name, &found)) {
      SST_FAIL(context, SST_MISMATCH, "%s: is the checkpoint of another network: parameter '%s' is not in it", path,
               want.name);
    }
    if (found.type != SST_SAFETENSORS_F32 || !same_shape(&found, &want)) {
      char have_text[128], want_text[128];
      SST_FAIL(context, SST_MISMATCH,
               "%s: is the checkpoint of another network: parameter '%s' is %s%s there, expected f32 %s", path,
               want.name, found.type == SST_SAFETENSORS_F32 ? "f32 " : "not f32 ",
               entry_shape_text(&found, have_text, sizeof have_text),
               entry_shape_text(&want, want_text, sizeof want_text));
    }
  }
  for (int i = 0; i < sst_safetensors_count(file); i++) {
    sst_safetensors_entry entry = sst_safetensors_at(file, i);
    if (strncmp(entry.name, "optimizer.", 10) != 0 && !sst_parameters_find(parameters, entry.name)) {
      SST_FAIL(context, SST_MISMATCH,
               "%s: is the checkpoint of another network: the network has no parameter '%s'", path, entry.name);
    }
  }
  return SST_OK;
}

sst_status ssti_checkpoint_load_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                           sst_parameters *parameters) {
  SST_TRY(check_parameters(context, file, path, parameters));
  for (int i = 0; i < sst_parameters_count(parameters); i++) {
    const sst_parameter *parameter = sst_parameters_at(parameters, i);
    sst_safetensors_entry entry;
    if (sst_safetensors_find(file, parameter->name, &entry)) { memcpy(parameter->value, entry.data, entry.bytes); }
  }
  return SST_OK;
}

static sst_status get_int(sst_context *context, const sst_safetensors *file, const char *path, const char *key,
                          int64_t *out) {
  const char *text = sst_safetensors_metadata(file, key);
  char *end = NULL;
  if (text) { *out = strtoll(text, &end, 10); }
  if (!text || end == text || *end || *out < 0) {
    SST_FAIL(context, SST_FORMAT, "%s: metadata '%s' is %s%s%s, expected a whole number of at least 0", path, key,
             text ? "'" : "missing", text ? text : "", text ? "'" : "");
  }
  return SST_OK;
}

static sst_status get_double(sst_context *context, const sst_safetensors *file, const char *path, const char *key,
                             double *out) {
  const char *text = sst_safetensors_metadata(file, key);
  char *end = NULL;
  if (text) { *out = strtod(text, &end); }
  if (!text || end == text || *end) {
    SST_FAIL(context, SST_FORMAT, "%s: metadata '%s' is %s%s%s, expected a number", path, key, text ? "'" : "missing",
             text ? text : "", text ? "'" : "");
  }
  return SST_OK;
}

static sst_status load_position(sst_context *context, const sst_safetensors *file, const char *path,
                                sst_training_position *p, ssti_run_memory *memory) {
  *p = (sst_training_position){0};
  SST_TRY(get_int(context, file, path, "epoch", &p->epoch));
  SST_TRY(get_int(context, file, path, "batch", &p->batch));
  SST_TRY(get_int(context, file, path, "step", &p->step));
  SST_TRY(get_int(context, file, path, "seen", &p->seen));
  SST_TRY(get_int(context, file, path, "correct", &p->correct));
  SST_TRY(get_double(context, file, path, "loss_sum", &p->loss_sum));
  for (int i = 0; i < SST_MAX_LOSS_PARTS; i++) {
    char key[PAIR_TEXT];
    snprintf(key, sizeof key, "part_sum.%d", i);
    if (sst_safetensors_metadata(file, key)) { SST_TRY(get_double(context, file, path, key, &p->part_sum[i])); }
  }
  SST_TRY(get_double(context, file, path, "best_validation_accuracy", &memory->best_validation_accuracy));
  return get_int(context, file, path, "best_epoch", &memory->best_epoch);
}

sst_status ssti_checkpoint_load_state(sst_context *context, const sst_safetensors *file, const char *path,
                                      sst_optimizer *optimizer, sst_training_position *position,
                                      ssti_run_memory *memory) {
  int64_t steps = 0;
  SST_TRY(get_int(context, file, path, "optimizer_steps", &steps));
  SST_TRY(load_position(context, file, path, position, memory));
  for (int pass = 0; pass < 2; pass++) { // look first, then copy
    for (int i = 0; i < sst_optimizer_state_count(optimizer); i++) {
      int64_t length;
      float *state = sst_optimizer_state(optimizer, i, &length);
      char name[PAIR_TEXT];
      snprintf(name, sizeof name, "optimizer.%s", sst_optimizer_state_name(optimizer, i));
      sst_safetensors_entry entry;
      if (!sst_safetensors_find(file, name, &entry) || entry.type != SST_SAFETENSORS_F32 ||
          entry.bytes != (size_t)length * sizeof(float)) {
        SST_FAIL(context, SST_MISMATCH, "%s: optimiser state '%s' is missing or not of %" PRId64 " numbers", path, name,
                 length);
      }
      if (pass == 1) { memcpy(state, entry.data, entry.bytes); }
    }
  }
  sst_optimizer_set_steps(optimizer, steps);
  return SST_OK;
}
