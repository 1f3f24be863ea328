// SPDX-License-Identifier: Apache-2.0
// Who is who between a network and the tensors of a file: by a name map, by equal names, by kind, shape and order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/state_parts.h"

// ---- the file's side

// Compares two names, numbers in them by value. *letters tells that they differ elsewhere than in a number.
static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length, bool *letters) {
  const char *a_end = a + a_length, *b_end = b + b_length;
  *letters = true;
  while (a < a_end && b < b_end) {
    const size_t a_digits = strspn(a, "0123456789"), b_digits = strspn(b, "0123456789");
    if (a_digits == 0 || b_digits == 0) {
      if (*a != *b) { return (unsigned char)*a < (unsigned char)*b ? -1 : 1; }
      a++, b++;
      continue;
    }
    if (a_digits != b_digits || memcmp(a, b, a_digits) != 0) { // leading zeros: their length decides
      *letters = false;
      if (a_digits != b_digits) { return a_digits < b_digits ? -1 : 1; }
      return memcmp(a, b, a_digits);
    }
    a += a_digits, b += b_digits;
  }
  return a < a_end ? 1 : b < b_end ? -1 : 0;
}

static int by_module(const void *a, const void *b) {
  const ssti_state_entry *x = a, *y = b;
  bool letters = false;
  const int order = compare_names(x->entry.name, x->stem, y->entry.name, y->stem, &letters);
  return order ? order : strcmp(x->entry.name, y->entry.name);
}

static int by_order(const void *a, const void *b) {
  const ssti_state_module *x = a, *y = b;
  return x->order < y->order ? -1 : x->order > y->order;
}

static const char *word_of(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot ? dot + 1 : name;
}

// What other tools keep beside parameters: counters, and constants and states of neurons.
static bool is_skipped(const char *name) {
  static const char *const words[] = {"num_batches_tracked", "beta",  "alpha", "threshold", "graded_spikes_factor",
                                      "reset_mechanism_val", "v_mem", "i_syn", "tau_mem",   "tau_syn",
                                      "spike_threshold",     "mem",   "spk",   "min_v_mem", "reset_mechanism"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(word_of(name), words[i]) == 0) { return true; }
  }
  return false;
}

static bool same_stem(const ssti_state_entry *a, const ssti_state_entry *b) {
  return a->stem == b->stem && strncmp(a->entry.name, b->entry.name, a->stem) == 0;
}

// A module's kind from its tensors' words.
static void describe_module(const ssti_state_file *file, ssti_state_module *module) {
  bool has_statistics = false;
  for (int i = module->first; i < module->first + module->count; i++) {
    const ssti_state_entry *e = &file->entries[i];
    const char *word = word_of(e->entry.name);
    if (strcmp(word, "weight") == 0) { module->main = i; }
    if (strcmp(word, "running_mean") == 0) { has_statistics = true; }
    if (!file->sorted && (i == module->first || e->place < module->order)) { module->order = e->place; }
  }
  const ssti_state_entry *first = &file->entries[module->first];
  if (first->entry.name[first->stem] == '\0') {
    module->kind = SSTI_STATE_SINGLE;
  } else if (has_statistics || file->entries[module->main].entry.rank < 2) {
    module->kind = SSTI_STATE_NORM;
  } else {
    module->kind = SSTI_STATE_WEIGHTS;
  }
}

static void gather_modules(ssti_state_file *file) {
  ssti_state_side *side = &file->theirs;
  for (int i = 0; i < file->count; i++) {
    if (i == 0 || !same_stem(&file->entries[i - 1], &file->entries[i])) {
      side->modules[side->count] = (ssti_state_module){.first = i, .main = i, .order = side->count, .partner = -1};
      side->count++;
    }
    side->modules[side->count - 1].count++;
  }
  for (int m = 0; m < side->count; m++) { describe_module(file, &side->modules[m]); }
  qsort(side->modules, (size_t)side->count, sizeof *side->modules, by_order);
  for (int m = 0; m < side->count; m++) {
    for (int i = 0; i < side->modules[m].count; i++) { file->entries[side->modules[m].first + i].module = m; }
  }
}

sst_status ssti_state_open(sst_context *context, const char *path, ssti_state_file *out) {
  *out = (ssti_state_file){.context = context, .path = path, .sorted = true};
  sst_status status = SST_OK;
  SST_TRY_GOTO(sst_safetensors_open(context, path, &out->file));
  out->count = sst_safetensors_count(out->file);
  SST_TRY_GOTO(ssti_allocate(context, (size_t)out->count, sizeof *out->entries, &out->entries));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)out->count, sizeof *out->theirs.modules, &out->theirs.modules));
  for (int i = 0; i < out->count; i++) {
    ssti_state_entry *e = &out->entries[i];
    *e = (ssti_state_entry){.entry = sst_safetensors_at(out->file, i), .place = i, .used_by = -1};
    e->stem = ssti_state_stem(e->entry.name);
    e->skipped = is_skipped(e->entry.name);
    // The safetensors library writes wider types first, each sorted by name.
    if (i > 0 && e[-1].entry.type == e->entry.type && strcmp(e[-1].entry.name, e->entry.name) > 0) {
      out->sorted = false;
    }
  }
  qsort(out->entries, (size_t)out->count, sizeof *out->entries, by_module);
  gather_modules(out);
done:
  if (status != SST_OK) { ssti_state_close(out); }
  return status;
}

void ssti_state_close(ssti_state_file *file) {
  ssti_free(file->context, file->theirs.modules);
  ssti_free(file->context, file->entries);
  sst_safetensors_close(file->file);
  *file = (ssti_state_file){.context = file->context};
}

// ---- finding by name

static int find_tensor(const ssti_state_list *list, const char *name) {
  for (int i = 0; i < list->count; i++) {
    if (strcmp(list->tensors[i].parameter->name, name) == 0) { return i; }
  }
  return -1;
}

static bool is_stem(const char *name, size_t stem, const char *wanted) {
  return strlen(wanted) == stem && strncmp(name, wanted, stem) == 0;
}

static int find_module(const ssti_state_list *list, const char *name) {
  for (int m = 0; m < list->ours.count; m++) {
    const ssti_state_tensor *t = &list->tensors[list->ours.modules[m].first];
    if (is_stem(t->parameter->name, t->own_stem, name)) { return m; }
  }
  return -1;
}

static int find_entry(const ssti_state_file *file, const char *name) {
  for (int i = 0; i < file->count; i++) {
    if (strcmp(file->entries[i].entry.name, name) == 0) { return i; }
  }
  return -1;
}

static int find_their_module(const ssti_state_file *file, const char *name) {
  for (int m = 0; m < file->theirs.count; m++) {
    const ssti_state_entry *e = &file->entries[file->theirs.modules[m].first];
    if (is_stem(e->entry.name, e->stem, name)) { return m; }
  }
  return -1;
}

static void join_tensors(ssti_state_list *list, ssti_state_file *file, int tensor, int entry) {
  list->tensors[tensor].entry = entry;
  file->entries[entry].used_by = tensor;
}

static void join_modules(ssti_state_list *list, ssti_state_file *file, int ours, int theirs) {
  ssti_state_module *a = &list->ours.modules[ours], *b = &file->theirs.modules[theirs];
  a->partner = theirs;
  b->partner = ours;
  for (int i = a->first; i < a->first + a->count; i++) {
    for (int k = b->first; k < b->first + b->count && list->tensors[i].entry < 0; k++) {
      const bool same = strcmp(word_of(list->tensors[i].name), word_of(file->entries[k].entry.name)) == 0;
      // What stands for itself may have any name.
      if (file->entries[k].used_by < 0 && (same || a->kind == SSTI_STATE_SINGLE)) { join_tensors(list, file, i, k); }
    }
  }
}

// ---- name maps

typedef sst_status map_line(void *user, const ssti_yaml_tree *tree, const ssti_yaml_node *line);

static sst_status read_map(sst_context *context, const char *path, map_line *take, void *user) {
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_yaml_open(context, path, &tree));
  const ssti_yaml_node *root = ssti_yaml_root(tree);
  sst_status status = SST_OK;
  if (root->kind != SSTI_YAML_MAP) {
    status =
        ssti_fail(context, SST_RECIPE, "%s: is %s, expected lines 'ours: theirs'", path, ssti_yaml_kind_text(root));
  }
  for (const ssti_yaml_node *line = root->first; line && status == SST_OK; line = line->next) {
    char place[SSTI_YAML_PLACE_SIZE];
    if (line->kind != SSTI_YAML_SCALAR || ssti_yaml_is_null(line) || line->text[0] == '\0') {
      status = ssti_fail(context, SST_RECIPE, "%s: '%s' has no name beside it", ssti_yaml_place(tree, line, place),
                         line->key);
    } else {
      status = take(user, tree, line);
    }
  }
  ssti_yaml_destroy(tree);
  return status;
}

static sst_status rename_line(void *user, const ssti_yaml_tree *tree, const ssti_yaml_node *line) {
  ssti_state_list *list = user;
  char place[SSTI_YAML_PLACE_SIZE];
  const int tensor = find_tensor(list, line->key), module = find_module(list, line->key);
  if (tensor < 0 && module < 0) {
    SST_FAIL(list->context, SST_MISMATCH, "%s: the network has no parameter or module '%s'",
             ssti_yaml_place(tree, line, place), line->key);
  }
  const int first = tensor >= 0 ? tensor : list->ours.modules[module].first;
  const int count = tensor >= 0 ? 1 : list->ours.modules[module].count;
  for (int i = first; i < first + count; i++) {
    ssti_state_tensor *t = &list->tensors[i];
    char word[SSTI_STATE_NAME_SIZE + 1] = ""; // a module's tensor keeps its own
    if (tensor < 0) { snprintf(word, sizeof word, ".%s", word_of(t->name)); }
    const int length = snprintf(t->name, sizeof t->name, "%s%s", line->text, word);
    if ((size_t)length >= sizeof t->name) {
      SST_FAIL(list->context, SST_RECIPE, "%s: the name for '%s' is longer than %d bytes",
               ssti_yaml_place(tree, line, place), line->key, SSTI_STATE_NAME_SIZE - 1);
    }
  }
  return SST_OK;
}

sst_status ssti_state_map_names(ssti_state_list *list, const char *map) {
  return read_map(list->context, map, rename_line, list);
}

typedef struct both {
  ssti_state_list *list;
  ssti_state_file *file;
} both;

static sst_status join_line(void *user, const ssti_yaml_tree *tree, const ssti_yaml_node *line) {
  const both *b = user;
  char place[SSTI_YAML_PLACE_SIZE];
  sst_context *context = b->list->context;
  int ours = find_tensor(b->list, line->key), theirs = find_entry(b->file, line->text);
  const bool whole = ours < 0 || theirs < 0;
  if (whole) {
    ours = find_module(b->list, line->key);
    theirs = find_their_module(b->file, line->text);
  }
  if (ours < 0) {
    SST_FAIL(context, SST_MISMATCH, "%s: the network has no parameter or module '%s'%s",
             ssti_yaml_place(tree, line, place), line->key,
             find_tensor(b->list, line->key) < 0 ? "" : " that the file could have by that name");
  }
  if (theirs < 0) {
    SST_FAIL(context, SST_MISMATCH, "%s: %s has no tensor or module '%s' for '%s'", ssti_yaml_place(tree, line, place),
             b->file->path, line->text, line->key);
  }
  if (whole ? b->file->theirs.modules[theirs].partner >= 0 : b->file->entries[theirs].used_by >= 0) {
    SST_FAIL(context, SST_MISMATCH, "%s: '%s' is there for something else already", ssti_yaml_place(tree, line, place),
             line->text);
  }
  if (whole) {
    join_modules(b->list, b->file, ours, theirs);
    return SST_OK;
  }
  join_tensors(b->list, b->file, ours, theirs);
  ssti_state_module *a = &b->list->ours.modules[b->list->tensors[ours].module];
  ssti_state_module *c = &b->file->theirs.modules[b->file->entries[theirs].module];
  if (a->main == ours && a->partner < 0 && c->partner < 0) { // the rest of the module goes with its weight
    join_modules(b->list, b->file, b->list->tensors[ours].module, b->file->entries[theirs].module);
  }
  return SST_OK;
}

sst_status ssti_state_map_entries(ssti_state_list *list, ssti_state_file *file, const char *map) {
  both b = {list, file};
  return read_map(list->context, map, join_line, &b);
}

// ---- finding without a map

// Whether all that is still open, on both sides, has one name on both.
static bool names_agree(const ssti_state_list *list, const ssti_state_file *file) {
  int open = 0, found = 0;
  for (int i = 0; i < list->count; i++) {
    const ssti_state_tensor *t = &list->tensors[i];
    if (t->entry >= 0) { continue; }
    const int entry = find_entry(file, t->name);
    if (entry < 0 && t->optional) { continue; }
    if (entry < 0 || file->entries[entry].used_by >= 0) { return false; }
    found++;
  }
  for (int i = 0; i < file->count; i++) { open += file->entries[i].used_by < 0; }
  for (int i = 0; i < file->count; i++) { // a skipped one that is a parameter of ours counts
    const ssti_state_entry *e = &file->entries[i];
    bool named = false;
    for (int k = 0; e->skipped && e->used_by < 0 && k < list->count && !named; k++) {
      named = strcmp(list->tensors[k].name, e->entry.name) == 0;
    }
    open -= e->skipped && e->used_by < 0 && !named;
  }
  return open == found;
}

static void join_by_name(ssti_state_list *list, ssti_state_file *file) {
  for (int i = 0; i < list->count; i++) {
    if (list->tensors[i].entry >= 0) { continue; }
    const int entry = find_entry(file, list->tensors[i].name);
    if (entry >= 0 && file->entries[entry].used_by < 0) { join_tensors(list, file, i, entry); }
  }
}

static bool is_open(const ssti_state_list *list, const ssti_state_module *ours) {
  return ours->partner < 0 && list->tensors[ours->main].entry < 0 && !list->tensors[ours->main].optional;
}

// Whether their module may stand for ours; `exactly`: its shape says so too.
static bool may_be(const ssti_state_list *list, const ssti_state_file *file, const ssti_state_module *ours,
                   const ssti_state_module *theirs, bool exactly) {
  const ssti_state_tensor *t = &list->tensors[ours->main];
  const ssti_state_entry *e = &file->entries[theirs->main];
  if (theirs->partner >= 0 || e->used_by >= 0 || ours->kind != theirs->kind) { return false; }
  if (ours->kind == SSTI_STATE_SINGLE && strcmp(word_of(t->name), word_of(e->entry.name)) != 0) { return false; }
  return !exactly || ssti_state_same_shape(t, &e->entry);
}

// Whether two modules of ours could be taken for each other.
static bool alike(const ssti_state_list *list, const ssti_state_module *a, const ssti_state_module *b, bool exactly) {
  const ssti_state_tensor *x = &list->tensors[a->main], *y = &list->tensors[b->main];
  if (a->kind != b->kind || (exactly && x->rank != y->rank)) { return false; }
  if (a->kind == SSTI_STATE_SINGLE && strcmp(word_of(x->name), word_of(y->name)) != 0) { return false; }
  return !exactly || memcmp(x->shape, y->shape, (size_t)x->rank * sizeof *x->shape) == 0;
}

// Pairs all open modules that are like `first` with those of the file, in order, if there are as many.
static void pair_alike(ssti_state_list *list, ssti_state_file *file, const ssti_state_module *first, bool exactly) {
  const ssti_state_side *ours = &list->ours, *theirs = &file->theirs;
  const ssti_state_entry *before = NULL;
  int count = 0, there = 0;
  bool guessed = false;
  for (int m = 0; m < ours->count; m++) {
    count += is_open(list, &ours->modules[m]) && alike(list, first, &ours->modules[m], exactly);
  }
  for (int m = 0; m < theirs->count; m++) {
    if (!may_be(list, file, first, &theirs->modules[m], exactly)) { continue; }
    const ssti_state_entry *now = &file->entries[theirs->modules[m].first];
    bool letters = false;
    if (before) { compare_names(before->entry.name, before->stem, now->entry.name, now->stem, &letters); }
    guessed = guessed || (file->sorted && letters);
    before = now;
    there++;
  }
  if (count != there) { return; }
  for (int m = first->order, n = 0; m < ours->count; m++) {
    ssti_state_module *module = &ours->modules[m];
    if (!is_open(list, module) || !alike(list, first, module, exactly)) { continue; }
    while (!may_be(list, file, first, &theirs->modules[n], exactly)) { n++; }
    module->guessed = guessed && exactly; // of another shape is worse, and said first
    join_modules(list, file, m, n);
  }
}

void ssti_state_match(ssti_state_list *list, ssti_state_file *file) {
  if (list->layout == SST_STATE_LAYOUT_SPIKESTILL || names_agree(list, file)) {
    join_by_name(list, file);
    return;
  }
  for (int pass = 0; pass < 2; pass++) { // then what has no counterpart of its shape, for the message
    for (int m = 0; m < list->ours.count; m++) {
      const ssti_state_module *module = &list->ours.modules[m];
      if (is_open(list, module)) { pair_alike(list, file, module, pass == 0); }
    }
  }
}
