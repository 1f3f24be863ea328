// SPDX-License-Identifier: Apache-2.0
// State dictionaries written, read and listed. Reading decides everything before it changes the first value.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "exchange/state_parts.h"
#include "graph/graph_internal.h"
#include "spikestill/version.h"

enum { LONGEST_LIST = 3200 }; // of what does not fit; the rest is counted

// ---- writing

static sst_status write_entries(const ssti_state_list *list, const char *path, sst_safetensors_entry *entries,
                                float *values) {
  for (int i = 0; i < list->count; i++) {
    const ssti_state_tensor *t = &list->tensors[i];
    ssti_state_to_theirs(t, t->parameter->value, values);
    entries[i] = (sst_safetensors_entry){.name = t->name,
                                         .type = SST_SAFETENSORS_F32,
                                         .rank = t->rank,
                                         .data = values,
                                         .bytes = (size_t)t->parameter->count * sizeof *values};
    memcpy(entries[i].shape, t->shape, (size_t)t->rank * sizeof *t->shape);
    values += t->parameter->count;
  }
  const sst_safetensors_pair metadata[] = {{"format", "pt"}, // what readers for PyTorch ask for
                                           {"layout", sst_state_layout_word(list->layout)},
                                           {"writer", "spikestill"},
                                           {"version", sst_version()}};
  return sst_safetensors_write(list->context, path, entries, list->count, metadata,
                               (int)(sizeof metadata / sizeof *metadata));
}

sst_status sst_state_write(sst_graph *graph, const char *path, const sst_state_options *options) {
  ssti_state_list list;
  sst_safetensors_entry *entries = NULL;
  float *values = NULL;
  size_t total = 0;
  sst_status status = SST_OK;
  SST_TRY(ssti_state_begin(graph, options->layout, &list));
  for (int i = 0; i < list.count; i++) { total += (size_t)list.tensors[i].parameter->count; }
  if (options->map) { SST_TRY_GOTO(ssti_state_map_names(&list, options->map)); }
  SST_TRY_GOTO(ssti_allocate(list.context, (size_t)list.count, sizeof *entries, &entries));
  SST_TRY_GOTO(ssti_allocate_raw(list.context, total, sizeof *values, &values));
  SST_TRY_GOTO(write_entries(&list, path, entries, values));
done:
  ssti_free(list.context, values);
  ssti_free(list.context, entries);
  ssti_state_end(&list);
  return status;
}

// ---- what does not fit

typedef struct complaint {
  ssti_text text;
  int count, left; // left: not in the text
} complaint;

static void complain(complaint *c, const char *format, ...) SST_PRINTF(2, 3);
static void complain(complaint *c, const char *format, ...) {
  char line[2 * SSTI_STATE_NAME_SIZE + 3 * SSTI_STATE_SHAPE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  c->count++;
  if (c->text.length + strlen(line) > LONGEST_LIST) {
    c->left++;
  } else {
    ssti_text_append(&c->text, "; %s", line);
  }
}

static bool is_real(sst_safetensors_type type) {
  return type == SST_SAFETENSORS_F32 || type == SST_SAFETENSORS_F16 || type == SST_SAFETENSORS_BF16 ||
         type == SST_SAFETENSORS_F64;
}

static void check_tensor(const ssti_state_list *list, const ssti_state_file *file, const ssti_state_tensor *t,
                         complaint *c) {
  char want[SSTI_STATE_SHAPE_SIZE], have[SSTI_STATE_SHAPE_SIZE];
  const ssti_state_module *module = &list->ours.modules[t->module];
  ssti_state_shape_text(t->rank, t->shape, want);
  if (module->guessed) { return; } // said of the module
  if (t->entry < 0) {
    if (t->optional) { return; }
    if (module->partner < 0) {
      complain(c, "'%s' %s ('%s' in PyTorch) is missing", t->parameter->name, want, t->name);
    } else {
      const ssti_state_entry *e = &file->entries[file->theirs.modules[module->partner].first];
      complain(c, "'%s' %s is missing in module '%.*s'", t->parameter->name, want, (int)e->stem, e->entry.name);
    }
    return;
  }
  const sst_safetensors_entry *e = &file->entries[t->entry].entry;
  if (!ssti_state_same_shape(t, e)) {
    complain(c, "'%s' has another shape: '%s' is %s, expected %s", t->parameter->name, e->name,
             ssti_state_shape_text(e->rank, e->shape, have), want);
  } else if (!is_real(e->type)) {
    complain(c, "'%s' holds no floats, which '%s' needs", e->name, t->parameter->name);
  }
}

// A bias where a layer of ours has none is the common case of something left over.
static void check_entry(const ssti_state_list *list, const ssti_state_file *file, const ssti_state_entry *e,
                        complaint *c) {
  char have[SSTI_STATE_SHAPE_SIZE];
  const ssti_state_module *theirs = &file->theirs.modules[e->module];
  const ssti_state_module *ours = theirs->partner >= 0 ? &list->ours.modules[theirs->partner] : NULL;
  if (e->used_by >= 0 || e->skipped || (ours && ours->guessed)) { return; }
  ssti_state_shape_text(e->entry.rank, e->entry.shape, have);
  const char *word = strrchr(e->entry.name, '.');
  if (ours && ours->kind == SSTI_STATE_WEIGHTS && word && strcmp(word, ".bias") == 0) {
    const ssti_state_tensor *t = &list->tensors[ours->first];
    complain(c, "'%s' %s is left over: layer %.*s has no bias in the recipe (bias: true gives it one)", e->entry.name,
             have, (int)t->own_stem, t->parameter->name);
  } else {
    complain(c, "'%s' %s is left over", e->entry.name, have);
  }
}

static void check_guesses(const ssti_state_list *list, const ssti_state_file *file, complaint *c) {
  for (int m = 0; m < list->ours.count; m++) {
    const ssti_state_module *module = &list->ours.modules[m];
    if (!module->guessed) { continue; }
    const ssti_state_tensor *t = &list->tensors[module->first];
    const ssti_state_entry *e = &file->entries[file->theirs.modules[module->partner].first];
    complain(c, "'%.*s' may be '%.*s', but others have that shape too", (int)t->own_stem, t->parameter->name,
             (int)e->stem, e->entry.name);
  }
}

static sst_status check_all(const ssti_state_list *list, const ssti_state_file *file) {
  complaint c = {.text = ssti_text_begin(list->context)};
  for (int i = 0; i < list->count; i++) { check_tensor(list, file, &list->tensors[i], &c); }
  for (int i = 0; i < file->count; i++) { check_entry(list, file, &file->entries[i], &c); }
  const int wrong = c.count;
  check_guesses(list, file, &c);
  sst_status status = c.text.status;
  if (status == SST_OK && c.count > 0) {
    char more[32] = "";
    if (c.left > 0) { snprintf(more, sizeof more, "; and %d more", c.left); }
    status = ssti_fail(list->context, SST_MISMATCH, "%s: %s:%s%s", file->path,
                       wrong ? "does not fit the network" : "needs a name map", c.text.data + 1, more);
  }
  ssti_text_free(&c.text);
  return status;
}

// ---- neurons of other tools

static void note(const sst_state_options *options, const char *format, ...) SST_PRINTF(2, 3);
static void note(const sst_state_options *options, const char *format, ...) {
  char line[2 * SSTI_STATE_NAME_SIZE + 256];
  if (options->note == NULL) { return; }
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  options->note(options->user, line);
}

static float read_number(const sst_safetensors_entry *e, int64_t i) {
  const char *at = e->data;
  float value = 0.0f;
  double wide = 0.0;
  uint16_t bits = 0;
  switch (e->type) {
  case SST_SAFETENSORS_F32: memcpy(&value, at + i * 4, sizeof value); return value;
  case SST_SAFETENSORS_F64: memcpy(&wide, at + i * 8, sizeof wide); return (float)wide;
  case SST_SAFETENSORS_F16: memcpy(&bits, at + i * 2, sizeof bits); return ssti_from_half(bits);
  case SST_SAFETENSORS_BF16: memcpy(&bits, at + i * 2, sizeof bits); return ssti_from_bfloat(bits);
  default: return NAN; // refused before
  }
}

// The first neuron layer's numbers stand for all: a recipe has one neuron.
static const sst_neuron *find_neuron(const sst_graph *graph) {
  for (int i = 0; i < graph->node_count; i++) {
    const ssti_neuron_attributes *a = graph->nodes[i].attributes;
    if (graph->nodes[i].op == &ssti_op_neuron && a->neuron.kind != SST_NEURON_LI) { return &a->neuron; }
  }
  return NULL;
}

static void note_neurons(const sst_graph *graph, const ssti_state_file *file, const sst_state_options *options) {
  const sst_neuron *neuron = find_neuron(graph);
  const struct {
    const char *word, *key;
    float ours;
  } known[] = {{"beta", "decay", neuron ? neuron->decay : 0.0f},
               {"threshold", "threshold", neuron ? neuron->threshold : 0.0f},
               {"spike_threshold", "threshold", neuron ? neuron->threshold : 0.0f}};
  int skipped = 0;
  for (int i = 0; i < file->count; i++) {
    const sst_safetensors_entry *e = &file->entries[i].entry;
    const char *word = strrchr(e->name, '.') ? strrchr(e->name, '.') + 1 : e->name;
    if (file->entries[i].used_by >= 0 || strcmp(word, "num_batches_tracked") == 0) { continue; }
    skipped++;
    for (size_t k = 0; neuron && is_real(e->type) && e->bytes > 0 && k < sizeof known / sizeof *known; k++) {
      const double theirs = (double)read_number(e, 0), ours = (double)known[k].ours;
      if (strcmp(word, known[k].word) == 0 && !(fabs(theirs - ours) <= 1e-6 * fabs(ours))) {
        note(options, "'%s' is %.6g there, but the recipe's student.neuron.%s is %.6g", e->name, theirs, known[k].key,
             ours);
      }
    }
  }
  if (skipped > 0) {
    note(options, "%d tensors with constants or states of neurons are not read: neurons are the recipe's", skipped);
  }
}

// ---- reading

static sst_status load(const ssti_state_list *list, const ssti_state_file *file, float *values) {
  float *at = values; // all of them are read before the first is changed
  for (int i = 0; i < list->count; i++) {
    const ssti_state_tensor *t = &list->tensors[i];
    for (int64_t k = 0; t->entry >= 0 && k < t->parameter->count; k++) {
      const sst_safetensors_entry *e = &file->entries[t->entry].entry;
      at[k] = read_number(e, k);
      if (!isfinite(at[k])) {
        SST_FAIL(list->context, SST_FORMAT, "%s: element %lld of '%s' is not a finite 32-bit float", file->path,
                 (long long)k, e->name);
      }
    }
    at += t->entry >= 0 ? t->parameter->count : 0;
  }
  at = values;
  for (int i = 0; i < list->count; i++) {
    const ssti_state_tensor *t = &list->tensors[i];
    if (t->entry < 0) { continue; }
    ssti_state_from_theirs(t, at, t->parameter->value);
    at += t->parameter->count;
  }
  return SST_OK;
}

// Opens the file and finds who is who.
static sst_status open_and_match(sst_graph *graph, const char *path, const sst_state_options *options,
                                 ssti_state_list *list, ssti_state_file *file) {
  *list = (ssti_state_list){.context = graph->context};
  SST_TRY(ssti_state_open(graph->context, path, file));
  const char *layout = sst_safetensors_metadata(file->file, "layout");
  const bool own = layout && strcmp(layout, sst_state_layout_word(SST_STATE_LAYOUT_SPIKESTILL)) == 0;
  if (sst_safetensors_metadata(file->file, "recipe")) {
    SST_FAIL(graph->context, SST_MISMATCH,
             "%s: is a checkpoint of this program, expected a state dictionary; a checkpoint is opened as it is", path);
  }
  SST_TRY(ssti_state_begin(graph, own ? SST_STATE_LAYOUT_SPIKESTILL : SST_STATE_LAYOUT_TORCH, list));
  if (options->map) { SST_TRY(ssti_state_map_entries(list, file, options->map)); }
  ssti_state_match(list, file);
  return SST_OK;
}

sst_status sst_state_read(sst_graph *graph, const char *path, const sst_state_options *options) {
  ssti_state_list list;
  ssti_state_file file = {.context = graph->context};
  float *values = NULL;
  size_t total = 0;
  sst_status status = SST_OK;
  SST_TRY_GOTO(open_and_match(graph, path, options, &list, &file));
  SST_TRY_GOTO(check_all(&list, &file));
  for (int i = 0; i < list.count; i++) { total += (size_t)list.tensors[i].parameter->count; }
  SST_TRY_GOTO(ssti_allocate_raw(list.context, total, sizeof *values, &values));
  SST_TRY_GOTO(load(&list, &file, values));
  note_neurons(graph, &file, options);
done:
  ssti_free(graph->context, values);
  ssti_state_end(&list);
  ssti_state_close(&file);
  return status;
}

// ---- a map to be completed

// A module's name as YAML has it.
static void print_stem(ssti_text *out, const char *name, size_t stem) {
  ssti_text text = ssti_text_begin(out->context);
  ssti_text_append_bytes(&text, name, stem);
  if (text.status == SST_OK) { ssti_yaml_print_scalar(out, text.data, false); }
  if (out->status == SST_OK) { out->status = text.status; }
  ssti_text_free(&text);
}

// "4.norm: bn1  # [8]"
static void print_line(ssti_text *out, const ssti_state_list *list, const ssti_state_file *file, int module) {
  const ssti_state_module *m = &list->ours.modules[module];
  const ssti_state_tensor *t = &list->tensors[m->first], *chief = &list->tensors[m->main];
  char shape[SSTI_STATE_SHAPE_SIZE];
  print_stem(out, t->parameter->name, t->own_stem);
  ssti_text_append(out, ": ");
  if (chief->entry >= 0) {
    const ssti_state_entry *e = &file->entries[chief->entry];
    print_stem(out, e->entry.name, e->stem);
  }
  const char *doubt = chief->entry < 0 ? ", not found" : "";
  ssti_text_append(out, "  # %s%s\n", ssti_state_shape_text(chief->rank, chief->shape, shape),
                   m->guessed ? ", a guess: others have that shape too" : doubt);
}

sst_status sst_state_print_map(sst_graph *graph, const char *path, const sst_state_options *options, char **out) {
  ssti_state_list list;
  ssti_state_file file = {.context = graph->context};
  ssti_text text = ssti_text_begin(graph->context);
  sst_status status = SST_OK;
  *out = NULL;
  SST_TRY_GOTO(open_and_match(graph, path, options, &list, &file));
  for (int m = 0; m < list.ours.count; m++) { print_line(&text, &list, &file, m); }
  for (int i = 0; i < file.count; i++) {
    char shape[SSTI_STATE_SHAPE_SIZE];
    const ssti_state_entry *e = &file.entries[i];
    if (e->used_by >= 0 || e->skipped) { continue; }
    ssti_text_append(&text, "# left over: %s %s\n", e->entry.name,
                     ssti_state_shape_text(e->entry.rank, e->entry.shape, shape));
  }
  status = text.status;
  if (status == SST_OK) {
    *out = text.data;
    text.data = NULL;
  }
done:
  ssti_text_free(&text);
  ssti_state_end(&list);
  ssti_state_close(&file);
  return status;
}

void sst_state_text_free(sst_context *context, char *text) { ssti_free(context, text); }
