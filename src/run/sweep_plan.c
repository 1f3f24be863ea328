// SPDX-License-Identifier: Apache-2.0
// From "--vary key=1,2" or a list to the runs of a sweep, each with its checked recipe.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "spikestill/stages.h"
#include "spikestill/sweep.h"

enum { MOST_NAME = 120, LIST_LIMIT = 16 << 20 };

// A sweep while it is being made.
typedef struct plan {
  sst_sweep *sweep;
  const sst_sweep_options *options;
  bool has_stages; // the recipe is one of stages
  size_t key_capacity, combination_capacity;
} plan;

// ---- texts ----

// How long the item at the beginning of the text is: up to one of `ends` outside brackets and quotes, or to the end.
// -1 if a bracket or quote is not closed.
static int64_t item_length(const char *text, const char *ends) {
  int depth = 0;
  char quote = '\0', before = '=';
  int64_t i = 0;
  for (; text[i] != '\0'; before = text[i++]) {
    char c = text[i];
    if (quote) {
      if (quote == '"' && c == '\\' && text[i + 1] != '\0') { i++; }
      if (c == quote) { quote = '\0'; }
    } else if ((c == '"' || c == '\'') && strchr("=[{,: \t", before)) { // elsewhere it is an apostrophe
      quote = c;
    } else if (c == '[' || c == '{') {
      depth++;
    } else if (c == ']' || c == '}') {
      if (--depth < 0) { return -1; }
    } else if (depth == 0 && strchr(ends, c)) {
      break;
    }
  }
  return quote || depth ? -1 : i;
}

static sst_status copy_part(sst_context *context, const char *text, size_t length, char **out) {
  SST_TRY(ssti_allocate(context, length + 1, 1, out));
  memcpy(*out, text, length);
  return SST_OK;
}

// The part without the blanks around it.
static void trim(const char **text, size_t *length) {
  while (*length > 0 && isspace((unsigned char)**text)) {
    ++*text;
    --*length;
  }
  while (*length > 0 && isspace((unsigned char)(*text)[*length - 1])) { --*length; }
}

// ---- combinations ----

// Finds the key among the varied ones, or adds it.
static sst_status key_index(plan *p, const char *key, size_t length, bool *added, int *out) {
  sst_sweep *sweep = p->sweep;
  *added = false;
  for (*out = 0; *out < sweep->key_count; ++*out) {
    const char *other = sweep->keys[*out];
    if (strlen(other) == length && strncmp(other, key, length) == 0) { return SST_OK; }
  }
  if (length == 4 && strncmp(key, "seed", 4) == 0) {
    SST_FAIL(
        sweep->context, SST_INVALID_ARGUMENT,
        "seed cannot be varied like a key: a sweep trains each combination with several seeds by itself (--seeds)");
  }
  SST_TRY(ssti_grow(sweep->context, &sweep->keys, &p->key_capacity, (size_t)sweep->key_count + 1, sizeof *sweep->keys));
  SST_TRY(copy_part(sweep->context, key, length, &sweep->keys[sweep->key_count]));
  sweep->key_count++;
  *added = true;
  return SST_OK;
}

static sst_status check_run_count(const sst_sweep *sweep, uint64_t combinations) {
  if (combinations * (uint64_t)sweep->seeds <= SST_SWEEP_MOST_RUNS) { return SST_OK; }
  SST_FAIL(sweep->context, SST_INVALID_ARGUMENT,
           "%" PRIu64 " combinations with %d seeds are more runs than a sweep may have, %d", combinations, sweep->seeds,
           SST_SWEEP_MOST_RUNS);
}

static sst_status new_combination(plan *p, sst_sweep_combination **out) {
  sst_sweep *sweep = p->sweep;
  SST_TRY(check_run_count(sweep, (uint64_t)sweep->combination_count + 1));
  SST_TRY(ssti_grow(sweep->context, &sweep->combinations, &p->combination_capacity,
                    (size_t)sweep->combination_count + 1, sizeof *sweep->combinations));
  *out = &sweep->combinations[sweep->combination_count++];
  // One more than there are, so that there is a block even without keys.
  SST_TRY(ssti_allocate(sweep->context, (size_t)sweep->key_count + 1, sizeof *(*out)->overrides, &(*out)->overrides));
  return ssti_allocate(sweep->context, (size_t)sweep->key_count + 1, sizeof *(*out)->values, &(*out)->values);
}

static sst_status add_override(const sst_sweep *sweep, sst_sweep_combination *combination, int key, const char *value,
                               size_t length) {
  ssti_text text = ssti_text_begin(sweep->context);
  ssti_text_append(&text, "%s=%.*s", sweep->keys[key], (int)length, value);
  sst_status status = text.status;
  char *override = NULL;
  if (status == SST_OK) { status = ssti_copy_text(sweep->context, text.data, &override); }
  ssti_text_free(&text);
  SST_TRY(status);
  combination->overrides[combination->override_count++] = override;
  combination->values[key] = override + strlen(sweep->keys[key]) + 1;
  return SST_OK;
}

// ---- the grid ----

// The value number `index` of "key=value,value", or how many there are.
static sst_status grid_value(const sst_sweep *sweep, const char *vary, int index, const char **value, size_t *length,
                             int *count) {
  const char *at = strchr(vary, '=') + 1;
  for (*count = 0;; ++*count) {
    int64_t item = item_length(at, ",");
    if (item < 0) {
      SST_FAIL(sweep->context, SST_INVALID_ARGUMENT, "--vary %s: a bracket or quote is not closed, or closed twice",
               vary);
    }
    *value = at;
    *length = (size_t)item;
    trim(value, length);
    if (*length == 0) {
      SST_FAIL(sweep->context, SST_INVALID_ARGUMENT,
               "--vary %s: value %d is empty, expected key=value,value such as student.timesteps=2,4", vary,
               *count + 1);
    }
    if (*count == index) { return SST_OK; }
    at += item;
    if (*at == '\0') { break; }
    at++;
  }
  ++*count;
  return SST_OK;
}

static sst_status add_grid_point(plan *p, const int *counts, uint64_t point) {
  sst_sweep_combination *combination = NULL;
  SST_TRY(new_combination(p, &combination));
  uint64_t below = 1; // combinations of the keys after this one
  for (int k = 1; k < p->options->vary_count; k++) { below *= (uint64_t)counts[k]; }
  for (int k = 0; k < p->options->vary_count; k++) {
    const char *value = NULL;
    size_t length = 0;
    int seen = 0, index = (int)(point / below % (uint64_t)counts[k]);
    SST_TRY(grid_value(p->sweep, p->options->vary[k], index, &value, &length, &seen));
    SST_TRY(add_override(p->sweep, combination, k, value, length));
    if (k + 1 < p->options->vary_count) { below /= (uint64_t)counts[k + 1]; }
  }
  return SST_OK;
}

static sst_status count_grid(plan *p, int *counts, uint64_t *total) {
  sst_context *context = p->sweep->context;
  *total = 1;
  for (int k = 0; k < p->options->vary_count; k++) {
    const char *vary = p->options->vary[k], *equals = strchr(vary, '='), *value = NULL;
    if (!equals || equals == vary) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "--vary %s: expected key=value,value such as student.timesteps=2,4",
               vary);
    }
    bool added = false;
    int key = 0;
    size_t length = 0;
    SST_TRY(key_index(p, vary, (size_t)(equals - vary), &added, &key));
    if (!added) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "--vary %s: '%s' is varied twice", vary, p->sweep->keys[key]);
    }
    SST_TRY(grid_value(p->sweep, vary, -1, &value, &length, &counts[k]));
    *total *= (uint64_t)counts[k];
    SST_TRY(check_run_count(p->sweep, *total)); // each time, so that the product cannot overflow
  }
  return SST_OK;
}

static sst_status expand_grid(plan *p) {
  sst_context *context = p->sweep->context;
  int *counts = NULL;
  uint64_t total = 0;
  SST_TRY(ssti_allocate(context, (size_t)p->options->vary_count, sizeof *counts, &counts));
  sst_status status = count_grid(p, counts, &total);
  for (uint64_t i = 0; status == SST_OK && i < total; i++) { status = add_grid_point(p, counts, i); }
  ssti_free(context, counts);
  return status;
}

// ---- the list ----

// One line: first (add = NULL) its keys, later its combination.
static sst_status read_line(plan *p, const char *line, int number, sst_sweep_combination *add) {
  sst_context *context = p->sweep->context;
  for (const char *at = line + strspn(line, " \t\r"); *at; at += strspn(at, " \t\r")) {
    int64_t length = item_length(at, " \t\r");
    if (length < 0) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "%s:%d: a bracket or quote is not closed, or closed twice",
               p->options->list, number);
    }
    const char *equals = memchr(at, '=', (size_t)length);
    if (!equals || equals == at || equals + 1 == at + length) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "%s:%d: found '%.*s', expected key=value such as student.timesteps=2",
               p->options->list, number, (int)length, at);
    }
    bool added = false;
    int key = 0;
    SST_TRY(key_index(p, at, (size_t)(equals - at), &added, &key));
    if (add && add->values[key]) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "%s:%d: '%s' is given twice", p->options->list, number,
               p->sweep->keys[key]);
    }
    if (add) { SST_TRY(add_override(p->sweep, add, key, equals + 1, (size_t)(at + length - equals - 1))); }
    at += length;
  }
  return SST_OK;
}

// All lines of the list. Each is cut off while it is read and put back afterwards.
static sst_status read_lines(plan *p, char *text, bool add) {
  char *next = text;
  for (int number = 1; next; number++) {
    char *line = next, *end = strchr(line, '\n');
    next = end ? end + 1 : NULL;
    if (end) { *end = '\0'; }
    const char *first = line + strspn(line, " \t\r");
    sst_status status = SST_OK;
    if (*first != '\0' && *first != '#') {
      sst_sweep_combination *combination = NULL;
      if (add) { status = new_combination(p, &combination); }
      if (status == SST_OK) { status = read_line(p, line, number, combination); }
    }
    if (end) { *end = '\n'; }
    SST_TRY(status);
  }
  return SST_OK;
}

static sst_status expand_list(plan *p) {
  sst_context *context = p->sweep->context;
  char *text = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, p->options->list, LIST_LIMIT, &text, &size));
  sst_status status = SST_OK;
  if (strlen(text) != size) {
    status = ssti_fail(context, SST_INVALID_ARGUMENT, "%s: is no text: it holds a zero byte", p->options->list);
  }
  if (status == SST_OK) { status = read_lines(p, text, false); }
  if (status == SST_OK) { status = read_lines(p, text, true); }
  if (status == SST_OK && p->sweep->combination_count == 0) {
    status = ssti_fail(context, SST_INVALID_ARGUMENT, "%s: holds no line with key=value", p->options->list);
  }
  ssti_free(context, text);
  return status;
}

// ---- runs ----

// A name of letters that need no quoting. Where that loses something, a checksum of the whole keeps names apart.
static void put_name(ssti_text *out, const sst_sweep_combination *combination) {
  ssti_text name = ssti_text_begin(out->context);
  uint64_t checksum = 14695981039346656037u; // FNV-1a
  bool lossy = false;
  for (int k = 0; k < combination->override_count; k++) {
    bool in_value = false;
    for (const char *c = combination->overrides[k]; *c; c++) {
      bool kept = isalnum((unsigned char)*c) || strchr("._+-", *c) || (*c == '=' && !in_value);
      in_value = in_value || *c == '=';
      lossy = lossy || !kept;
      if (kept || (name.length > 0 && name.data[name.length - 1] != '-')) {
        ssti_text_append_bytes(&name, kept ? c : "-", 1);
      }
      checksum = (checksum ^ (unsigned char)*c) * 1099511628211u;
    }
    ssti_text_append_bytes(&name, "_", 1);
    checksum = (checksum ^ '\n') * 1099511628211u;
  }
  if (out->status == SST_OK) { out->status = name.status; }
  if (out->status == SST_OK && name.data) {
    lossy = lossy || name.length > MOST_NAME;
    ssti_text_append(out, "%.*s", MOST_NAME, name.data);
    if (lossy) {
      ssti_text_append(out, "%s%08" PRIx32 "_", name.length > MOST_NAME ? "_" : "",
                       (uint32_t)(checksum ^ checksum >> 32));
    }
  }
  ssti_text_free(&name);
}

static sst_status name_run(const sst_sweep *sweep, sst_sweep_run *run) {
  ssti_text name = ssti_text_begin(sweep->context);
  ssti_text_append(&name, "runs/");
  put_name(&name, &sweep->combinations[run->combination]);
  ssti_text_append(&name, "seed=%" PRIu64, run->seed);
  sst_status status = name.status;
  if (status == SST_OK) { status = ssti_copy_text(sweep->context, name.data, &run->name); }
  if (status == SST_OK) { status = ssti_path_join(sweep->context, sweep->out, name.data, &run->folder); }
  ssti_text_free(&name);
  return status;
}

static sst_status label_combination(const sst_sweep *sweep, sst_sweep_combination *combination, const char *name) {
  ssti_text label = ssti_text_begin(sweep->context);
  for (int k = 0; k < combination->override_count; k++) {
    ssti_text_append(&label, "%s%s", k > 0 ? " " : "", combination->overrides[k]);
  }
  if (combination->override_count == 0) { ssti_text_append(&label, "%s", name); }
  sst_status status = label.status;
  if (status == SST_OK) { status = ssti_copy_text(sweep->context, label.data, &combination->label); }
  ssti_text_free(&label);
  return status;
}

// What the sweep needs to know of a recipe, one of stages too.
typedef struct resolved {
  char *text; // with every default
  char *name;
  uint64_t seed; // of stages: the first one's that trains
  bool spiking;  // of stages: the last one's
} resolved;

static void free_resolved(sst_context *context, resolved *r) {
  ssti_free(context, r->text);
  ssti_free(context, r->name);
}

static sst_status resolve_recipe(sst_context *context, const char *path, const char *const *overrides, int count,
                                 resolved *out) {
  sst_recipe *recipe = NULL;
  char *text = NULL;
  SST_TRY(sst_recipe_open(context, path, overrides, count, &recipe));
  sst_status status = sst_recipe_text(context, recipe, &text);
  if (status == SST_OK) { status = ssti_copy_text(context, text, &out->text); }
  if (status == SST_OK) { status = ssti_copy_text(context, recipe->name, &out->name); }
  out->seed = recipe->seed;
  out->spiking = recipe->student.spiking;
  sst_recipe_text_free(context, text);
  sst_recipe_close(context, recipe);
  return status;
}

static sst_status resolve_stages(sst_context *context, const char *path, const char *const *overrides, int count,
                                 resolved *out) {
  sst_plan *stages = NULL;
  SST_TRY(sst_plan_open(context, path, overrides, count, &stages));
  for (int i = stages->stage_count - 1; i >= 0; i--) {
    if (stages->stages[i].recipe) { out->seed = stages->stages[i].recipe->seed; }
  }
  const sst_recipe *last = stages->stages[stages->stage_count - 1].recipe;
  out->spiking = !last || last->student.spiking; // a conversion makes a spiking network
  sst_status status = ssti_copy_text(context, stages->text, &out->text);
  if (status == SST_OK) { status = ssti_copy_text(context, stages->name, &out->name); }
  sst_plan_close(context, stages);
  return status;
}

// A copy of the override in which the run's seed stands for each {seed}: so a run begins with, or learns from, the run
// of another sweep that has the same seed.
static sst_status put_seed(sst_context *context, const char *override, uint64_t seed, char **out) {
  static const char mark[] = "{seed}";
  ssti_text text = ssti_text_begin(context);
  for (const char *at; (at = strstr(override, mark)) != NULL; override = at + strlen(mark)) {
    ssti_text_append(&text, "%.*s%" PRIu64, (int)(at - override), override, seed);
  }
  ssti_text_append(&text, "%s", override);
  sst_status status = text.status;
  if (status == SST_OK) { status = ssti_copy_text(context, text.data, out); }
  ssti_text_free(&text);
  return status;
}

static void free_overrides(sst_context *context, char **overrides, int count) {
  for (int i = 0; overrides && i < count; i++) { ssti_free(context, overrides[i]); }
  ssti_free(context, overrides);
}

// The overrides of every run and of the combination; with the run's seed in their place of {seed}, and as the last one,
// if `seed` is not NULL. The caller frees them, also on failure.
static sst_status collect_overrides(const plan *p, const sst_sweep_combination *combination, const uint64_t *seed,
                                    char ***out, int *count) {
  sst_context *context = p->sweep->context;
  const sst_sweep_options *o = p->options;
  *count = o->override_count + combination->override_count + (seed ? 1 : 0);
  SST_TRY(ssti_allocate(context, (size_t)*count, sizeof **out, out));
  for (int i = 0; i < *count; i++) {
    const int own = i - o->override_count; // place among the combination's
    const char *override = own < 0                             ? o->overrides[i]
                           : own < combination->override_count ? combination->overrides[own]
                                                               : "seed={seed}";
    SST_TRY(seed ? put_seed(context, override, *seed, &(*out)[i]) : ssti_copy_text(context, override, &(*out)[i]));
  }
  return SST_OK;
}

// A sentence about what the combination gave names it. The caller frees `out`, also on failure.
static sst_status open_recipe(const plan *p, const sst_sweep_combination *combination, char *const *overrides,
                              int count, resolved *out) {
  sst_context *context = p->sweep->context;
  sst_status status = (p->has_stages ? resolve_stages : resolve_recipe)(context, p->options->recipe,
                                                                        (const char *const *)overrides, count, out);
  if (status == SST_RECIPE && combination->label && combination->override_count > 0) {
    return ssti_fail_within(context, status, "the combination %s", combination->label);
  }
  return status;
}

static sst_status open_combination(const plan *p, const sst_sweep_combination *combination, resolved *out) {
  char **overrides = NULL;
  int count = 0;
  sst_status status = collect_overrides(p, combination, NULL, &overrides, &count);
  if (status == SST_OK) { status = open_recipe(p, combination, overrides, count, out); }
  free_overrides(p->sweep->context, overrides, count);
  return status;
}

static sst_status make_run(plan *p, int combination, uint64_t seed) {
  sst_sweep *sweep = p->sweep;
  const sst_sweep_combination *of = &sweep->combinations[combination];
  sst_sweep_run *run = &sweep->runs[sweep->run_count++];
  run->combination = combination;
  run->seed = seed;
  SST_TRY(name_run(sweep, run));
  SST_TRY(collect_overrides(p, of, &seed, &run->overrides, &run->override_count));
  resolved recipe = {0};
  sst_status status = open_recipe(p, of, run->overrides, run->override_count, &recipe);
  if (status == SST_OK) {
    run->recipe = recipe.text;
    recipe.text = NULL;
  }
  free_resolved(sweep->context, &recipe);
  return status;
}

static sst_status make_runs(plan *p) {
  sst_sweep *sweep = p->sweep;
  SST_TRY(check_run_count(sweep, (uint64_t)sweep->combination_count));
  SST_TRY(ssti_allocate(sweep->context, (size_t)sweep->combination_count * (size_t)sweep->seeds, sizeof *sweep->runs,
                        &sweep->runs));
  for (int i = 0; i < sweep->combination_count; i++) {
    sst_sweep_combination *combination = &sweep->combinations[i];
    resolved recipe = {0};
    if (combination->override_count > 0) { SST_TRY(label_combination(sweep, combination, "")); }
    sst_status status = open_combination(p, combination, &recipe);
    combination->spiking = recipe.spiking;
    if (status == SST_OK && !combination->label) { status = label_combination(sweep, combination, recipe.name); }
    free_resolved(sweep->context, &recipe);
    SST_TRY(status);
    for (int s = 0; s < sweep->seeds; s++) { SST_TRY(make_run(p, i, recipe.seed + (uint64_t)s)); }
  }
  return SST_OK;
}

static sst_status check_names(const sst_sweep *sweep) {
  for (int i = 0; i < sweep->combination_count; i++) {
    for (int j = 0; j < i; j++) {
      if (strcmp(sweep->runs[i * sweep->seeds].name, sweep->runs[j * sweep->seeds].name) != 0) { continue; }
      SST_FAIL(sweep->context, SST_INVALID_ARGUMENT, "the combination %s is there twice", sweep->combinations[i].label);
    }
  }
  return SST_OK;
}

static sst_status make_plan(plan *p) {
  sst_sweep *sweep = p->sweep;
  const sst_sweep_options *o = p->options;
  if (o->seeds < 1 || o->seeds > SST_SWEEP_MOST_SEEDS) {
    SST_FAIL(sweep->context, SST_INVALID_ARGUMENT, "a sweep with %d seeds, expected 1 to %d", o->seeds,
             SST_SWEEP_MOST_SEEDS);
  }
  if (o->list && o->vary_count > 0) {
    SST_FAIL(sweep->context, SST_INVALID_ARGUMENT, "a grid (--vary) and a list (--list) exclude each other");
  }
  sweep->seeds = o->seeds;
  SST_TRY(ssti_copy_text(sweep->context, o->out, &sweep->out));
  SST_TRY(sst_plan_has_stages(sweep->context, o->recipe, &p->has_stages));
  SST_TRY(o->list ? expand_list(p) : expand_grid(p));
  SST_TRY(make_runs(p));
  return check_names(sweep);
}

sst_status sst_sweep_plan(sst_context *context, const sst_sweep_options *options, sst_sweep **out) {
  plan p = {.options = options};
  *out = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *p.sweep, &p.sweep));
  p.sweep->context = context;
  sst_status status = make_plan(&p);
  if (status == SST_OK) {
    *out = p.sweep;
  } else {
    sst_sweep_close(p.sweep);
  }
  return status;
}

void sst_sweep_close(sst_sweep *sweep) {
  if (!sweep) { return; }
  sst_context *context = sweep->context;
  for (int i = 0; i < sweep->key_count; i++) { ssti_free(context, sweep->keys[i]); }
  for (int i = 0; i < sweep->combination_count; i++) {
    sst_sweep_combination *combination = &sweep->combinations[i];
    for (int k = 0; k < combination->override_count; k++) { ssti_free(context, combination->overrides[k]); }
    ssti_free(context, combination->overrides);
    ssti_free(context, combination->values);
    ssti_free(context, combination->label);
  }
  for (int i = 0; i < sweep->run_count; i++) {
    free_overrides(context, sweep->runs[i].overrides, sweep->runs[i].override_count);
    ssti_free(context, sweep->runs[i].name);
    ssti_free(context, sweep->runs[i].folder);
    ssti_free(context, sweep->runs[i].recipe);
  }
  ssti_free(context, sweep->keys);
  ssti_free(context, sweep->combinations);
  ssti_free(context, sweep->runs);
  ssti_free(context, sweep->out);
  ssti_free(context, sweep);
}
