// SPDX-License-Identifier: Apache-2.0
#include "run/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spikestill/version.h"

#define FORMAT_VERSION "spikestill-checkpoint-1"

#define OPTIMIZER_PREFIX "optimizer."
#define COMPANION_PREFIX "companion."

enum { MOST_PAIRS = 48, PAIR_TEXT = 64, NAME_TEXT = 512 };

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

// One of the networks in a file: what stands before its tensors' names, and what is saved of it.
typedef struct file_part {
  char prefix[PAIR_TEXT]; // "" for the network itself, "companion.twin."
  const sst_parameters *parameters;
  sst_optimizer *optimizer; // NULL: parameters alone
  bool fresh_steps;         // quantisers' steps are not read: the network may be quantised in another way
} file_part;

enum { MOST_PARTS = 1 + SSTI_MOST_COMPANIONS };

static file_part companion_part(const ssti_companion *companion) {
  file_part part = {.parameters = companion->parameters, .optimizer = companion->optimizer};
  snprintf(part.prefix, sizeof part.prefix, COMPANION_PREFIX "%s.", companion->name);
  return part;
}

static int list_parts(const sst_parameters *parameters, sst_optimizer *optimizer, const ssti_companions *companions,
                      file_part parts[MOST_PARTS]) {
  int count = 0;
  parts[count++] = (file_part){.parameters = parameters, .optimizer = optimizer};
  for (int i = 0; companions && i < companions->count; i++) { parts[count++] = companion_part(&companions->items[i]); }
  return count;
}

static int part_states(const file_part *part) {
  return part->optimizer ? sst_optimizer_state_count(part->optimizer) : 0;
}

// Full names of a part's tensors.
static const char *parameter_name(const file_part *part, const char *name, char text[NAME_TEXT]) {
  int length = snprintf(text, NAME_TEXT, "%s%s", part->prefix, name);
  assert(length < NAME_TEXT);
  (void)length;
  return text;
}
static const char *state_name(const file_part *part, int index, char text[NAME_TEXT]) {
  snprintf(text, NAME_TEXT, "%s" OPTIMIZER_PREFIX "%s", part->prefix, sst_optimizer_state_name(part->optimizer, index));
  return text;
}

// Tensors to be written, with their names.
typedef struct entry_list {
  sst_safetensors_entry *entries;
  char (*names)[NAME_TEXT];
  int count;
} entry_list;

static void put_entry(entry_list *list, sst_safetensors_entry entry) {
  entry.name = list->names[list->count];
  list->entries[list->count++] = entry;
}

static void put_part(entry_list *list, const file_part *part) {
  for (int i = 0; i < sst_parameters_count(part->parameters); i++) {
    const sst_parameter *parameter = sst_parameters_at(part->parameters, i);
    parameter_name(part, parameter->name, list->names[list->count]);
    put_entry(list, parameter_entry(parameter));
  }
  for (int i = 0; i < part_states(part); i++) {
    int64_t length;
    const float *state = sst_optimizer_state(part->optimizer, i, &length);
    state_name(part, i, list->names[list->count]);
    put_entry(list, (sst_safetensors_entry){.type = SST_SAFETENSORS_F32,
                                            .rank = 1,
                                            .shape = {length},
                                            .data = state,
                                            .bytes = (size_t)length * sizeof(float)});
  }
}

static void put_onnx(entry_list *list, const ssti_checkpoint_onnx *onnx) {
  strcpy(list->names[list->count], SSTI_CHECKPOINT_ONNX);
  put_entry(list, (sst_safetensors_entry){.type = SST_SAFETENSORS_U8,
                                          .rank = 1,
                                          .shape = {(int64_t)onnx->size},
                                          .data = onnx->data,
                                          .bytes = onnx->size});
}

// What is NULL is not written.
static sst_status save(sst_context *context, const char *path, const char *recipe_text,
                       const sst_parameters *parameters, sst_optimizer *optimizer, const ssti_companions *companions,
                       const sst_training_position *position, const ssti_run_memory *memory,
                       const ssti_checkpoint_onnx *onnx) {
  file_part parts[MOST_PARTS];
  int part_count = list_parts(parameters, optimizer, companions, parts);
  size_t most = 1; // the ONNX file
  for (int i = 0; i < part_count; i++) {
    most += (size_t)(sst_parameters_count(parts[i].parameters) + part_states(&parts[i]));
  }
  entry_list list = {.count = 0};
  metadata *m = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(context, most, sizeof *list.entries, &list.entries));
  SST_TRY_GOTO(ssti_allocate(context, most, sizeof *list.names, &list.names));
  SST_TRY_GOTO(ssti_allocate(context, 1, sizeof *m, &m));
  for (int i = 0; i < part_count; i++) { put_part(&list, &parts[i]); }
  if (onnx) { put_onnx(&list, onnx); }
  put_text(m, "format", FORMAT_VERSION);
  put_text(m, "version", sst_version());
  put_text(m, "recipe", recipe_text);
  if (optimizer) { put_int(m, "optimizer_steps", sst_optimizer_steps(optimizer)); }
  if (position) { put_position(m, position, memory); }
  SST_TRY_GOTO(sst_safetensors_write(context, path, list.entries, list.count, m->pairs, m->count));
done:
  ssti_free(context, m);
  ssti_free(context, list.names);
  ssti_free(context, list.entries);
  return status;
}

sst_status ssti_checkpoint_save_network(sst_context *context, const char *path, const char *recipe_text,
                                        const sst_parameters *parameters, const ssti_checkpoint_onnx *onnx) {
  return save(context, path, recipe_text, parameters, NULL, NULL, NULL, NULL, onnx);
}

sst_status ssti_checkpoint_save(sst_context *context, const char *path, const char *recipe_text,
                                const sst_parameters *parameters, sst_optimizer *optimizer,
                                const ssti_companions *companions, const sst_training_position *position,
                                const ssti_run_memory *memory) {
  return save(context, path, recipe_text, parameters, optimizer, companions, position, memory, NULL);
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

// Whether a tensor of the file is a parameter of that part, as far as its name tells; `name` is then the part's own.
static bool is_parameter_of(const file_part *part, const char *full, const char **name) {
  size_t length = strlen(part->prefix);
  if (strncmp(full, part->prefix, length) != 0) { return false; }
  *name = full + length;
  return strncmp(*name, OPTIMIZER_PREFIX, strlen(OPTIMIZER_PREFIX)) != 0 &&
         strncmp(*name, COMPANION_PREFIX, strlen(COMPANION_PREFIX)) != 0 && strcmp(full, SSTI_CHECKPOINT_ONNX) != 0;
}

// Whether a tensor is a quantiser's step, as far as its name tells.
static bool is_step(const char *name) {
  static const char ending[] = ".step";
  size_t length = strlen(name);
  return length >= sizeof ending && strcmp(name + length - (sizeof ending - 1), ending) == 0;
}

static bool is_read(const file_part *part, const sst_parameter *parameter) {
  return !(part->fresh_steps && parameter->kind == SST_PARAMETER_STEP);
}

// Every parameter of the network must be in the file, with its shape, before the first value is copied.
static sst_status check_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                   const file_part *part) {
  for (int i = 0; i < sst_parameters_count(part->parameters); i++) {
    char name[NAME_TEXT];
    if (!is_read(part, sst_parameters_at(part->parameters, i))) { continue; }
    sst_safetensors_entry want = parameter_entry(sst_parameters_at(part->parameters, i)), found;
    want.name = parameter_name(part, want.name, name);
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
    const char *name;
    if (is_parameter_of(part, entry.name, &name) && !(part->fresh_steps && is_step(name)) &&
        !sst_parameters_find(part->parameters, name)) {
      SST_FAIL(context, SST_MISMATCH, "%s: is the checkpoint of another network: the network has no parameter '%s'",
               path, entry.name);
    }
  }
  return SST_OK;
}

static sst_status load_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                  const file_part *part) {
  SST_TRY(check_parameters(context, file, path, part));
  for (int i = 0; i < sst_parameters_count(part->parameters); i++) {
    const sst_parameter *parameter = sst_parameters_at(part->parameters, i);
    char name[NAME_TEXT];
    sst_safetensors_entry entry;
    if (!is_read(part, parameter)) { continue; }
    if (!sst_safetensors_find(file, parameter_name(part, parameter->name, name), &entry)) { continue; }
    memcpy(parameter->value, entry.data, entry.bytes);
  }
  return SST_OK;
}

sst_status ssti_checkpoint_load_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                           sst_parameters *parameters) {
  return load_parameters(context, file, path, &(file_part){.parameters = parameters});
}

sst_status ssti_checkpoint_load_start(sst_context *context, const sst_safetensors *file, const char *path,
                                      sst_parameters *parameters) {
  return load_parameters(context, file, path, &(file_part){.parameters = parameters, .fresh_steps = true});
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

static sst_status load_optimizer(sst_context *context, const sst_safetensors *file, const char *path,
                                 const file_part *part, int64_t steps) {
  for (int pass = 0; pass < 2; pass++) { // look first, then copy
    for (int i = 0; i < part_states(part); i++) {
      int64_t length;
      float *state = sst_optimizer_state(part->optimizer, i, &length);
      char name[NAME_TEXT];
      sst_safetensors_entry entry;
      if (!sst_safetensors_find(file, state_name(part, i, name), &entry) || entry.type != SST_SAFETENSORS_F32 ||
          entry.bytes != (size_t)length * sizeof(float)) {
        SST_FAIL(context, SST_MISMATCH, "%s: optimiser state '%s' is missing or not of %" PRId64 " numbers", path, name,
                 length);
      }
      if (pass == 1) { memcpy(state, entry.data, entry.bytes); }
    }
  }
  sst_optimizer_set_steps(part->optimizer, steps);
  return SST_OK;
}

sst_status ssti_checkpoint_load_state(sst_context *context, const sst_safetensors *file, const char *path,
                                      sst_optimizer *optimizer, ssti_companions *companions,
                                      sst_training_position *position, ssti_run_memory *memory) {
  int64_t steps = 0; // one count for all: they step together
  SST_TRY(get_int(context, file, path, "optimizer_steps", &steps));
  SST_TRY(load_position(context, file, path, position, memory));
  SST_TRY(load_optimizer(context, file, path, &(file_part){.optimizer = optimizer}, steps));
  for (int i = 0; i < companions->count; i++) {
    const file_part part = companion_part(&companions->items[i]);
    SST_TRY(load_parameters(context, file, path, &part));
    SST_TRY(load_optimizer(context, file, path, &part, steps));
  }
  return SST_OK;
}
