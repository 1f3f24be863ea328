// SPDX-License-Identifier: Apache-2.0
// The list of methods and the terms made from them.
#include "spikestill/distill.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "distill/method.h"

#define DECLARE_METHOD(name, text) extern const ssti_distill_method ssti_distill_##name;
SST_DISTILL_LIST(DECLARE_METHOD)
#undef DECLARE_METHOD

static const ssti_distill_method *const methods[] = {
#define METHOD_ENTRY(name, text) &ssti_distill_##name,
    SST_DISTILL_LIST(METHOD_ENTRY)
#undef METHOD_ENTRY
};

static const char *const method_texts[] = {
#define METHOD_TEXT(name, text) text,
    SST_DISTILL_LIST(METHOD_TEXT)
#undef METHOD_TEXT
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

static const ssti_option common_options[] = {
    {"weight", SSTI_OPTION_FLOAT, offsetof(ssti_distill_common, weight), 0, 1e6, "1", NULL, 0,
     "factor of the term in the loss"},
    {"start_epoch", SSTI_OPTION_INT64, offsetof(ssti_distill_common, start_epoch), 0, 100000, "0", NULL, 0,
     "epochs that pass before the term counts"},
    {"end_epoch", SSTI_OPTION_INT64, offsetof(ssti_distill_common, end_epoch), 0, 100000, "0", NULL, 0,
     "epochs after which the term counts no longer; 0: it counts to the end"},
};
enum { COMMON_COUNT = sizeof common_options / sizeof *common_options };

struct sst_distill_term {
  sst_context *context;
  const ssti_distill_method *method;
  ssti_distill_common common;
  void *options;
};

int sst_distill_method_count(void) { return METHOD_COUNT; }
const char *sst_distill_method_name(int index) { return methods[index]->name; }
const char *sst_distill_method_text(int index) { return method_texts[index]; }

static sst_status find_method(sst_context *context, const char *name, const ssti_distill_method **out) {
  const char *names[METHOD_COUNT];
  for (int i = 0; i < METHOD_COUNT; i++) {
    names[i] = methods[i]->name;
    if (strcmp(names[i], name) == 0) {
      *out = methods[i];
      return SST_OK;
    }
  }
  int nearest = ssti_nearest_name(name, names, METHOD_COUNT);
  if (nearest >= 0) {
    SST_FAIL(context, SST_NOT_FOUND, "there is no distillation method '%s'; the nearest is '%s'", name, names[nearest]);
  }
  SST_FAIL(context, SST_NOT_FOUND, "there is no distillation method '%s' among the %d known", name, (int)METHOD_COUNT);
}

sst_status sst_distill_term_create(sst_context *context, const char *method, sst_distill_term **out) {
  *out = NULL;
  const ssti_distill_method *found = NULL;
  SST_TRY(find_method(context, method, &found));
  sst_distill_term *term = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *term, &term));
  term->context = context;
  term->method = found;
  sst_status status = ssti_allocate(context, 1, found->options_size, &term->options);
  if (status != SST_OK) {
    ssti_free(context, term);
    return status;
  }
  ssti_options_set_defaults(common_options, COMMON_COUNT, &term->common);
  ssti_options_set_defaults(found->options, found->option_count, term->options);
  *out = term;
  return SST_OK;
}

void sst_distill_term_destroy(sst_distill_term *term) {
  if (!term) { return; }
  ssti_free(term->context, term->options);
  ssti_free(term->context, term);
}

// The keys of a method and the common ones, for the nearest name.
static sst_status fail_unknown_key(const sst_distill_term *term, const char *key) {
  enum { MOST_KEYS = 64 };
  const char *names[MOST_KEYS] = {"method"};
  int count = 1;
  for (int i = 0; i < COMMON_COUNT; i++) { names[count++] = common_options[i].key; }
  for (int i = 0; i < term->method->option_count && count < MOST_KEYS; i++) {
    names[count++] = term->method->options[i].key;
  }
  int nearest = ssti_nearest_name(key, names, count);
  SST_FAIL(term->context, SST_RECIPE, "method '%s' has no option '%s'%s%s%s", term->method->name, key,
           nearest >= 0 ? "; the nearest is '" : "", nearest >= 0 ? names[nearest] : "", nearest >= 0 ? "'" : "");
}

sst_status sst_distill_term_set(sst_distill_term *term, const char *key, const char *value) {
  const ssti_option *option = ssti_options_find(common_options, COMMON_COUNT, key);
  if (option) { return ssti_option_set(term->context, option, &term->common, value); }
  option = ssti_options_find(term->method->options, term->method->option_count, key);
  if (option) { return ssti_option_set(term->context, option, term->options, value); }
  return fail_unknown_key(term, key);
}

const char *sst_distill_term_method(const sst_distill_term *term) { return term->method->name; }
float sst_distill_term_weight(const sst_distill_term *term) { return term->common.weight; }

bool sst_distill_term_counts(const sst_distill_term *term, int64_t epoch) {
  const ssti_distill_common *common = &term->common;
  return common->weight > 0.0f && epoch >= common->start_epoch && (common->end_epoch == 0 || epoch < common->end_epoch);
}

sst_value sst_distill_term_build(const sst_distill_term *term, sst_graph *graph, const sst_distill_scene *scene) {
  if (term->method->needs_teacher && !scene->teacher) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "distillation method '%s' needs a teacher, and there is none",
                   term->method->name);
    return SST_NO_VALUE;
  }
  if (term->method->needs_twin && !scene->twin) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "distillation method '%s' needs a twin network, and there is none",
                   term->method->name);
    return SST_NO_VALUE;
  }
  char index[16];
  snprintf(index, sizeof index, "%d", scene->index);
  sst_graph_push(graph, "distill", false);
  sst_parameters *before = scene->parameters ? sst_graph_use_parameters(graph, scene->parameters) : NULL;
  sst_graph_push(graph, index, false);
  sst_value value = term->method->build(graph, scene, term->options);
  sst_graph_pop(graph);
  sst_graph_pop(graph);
  if (before) { sst_graph_use_parameters(graph, before); }
  return value;
}

sst_value ssti_scoped_tap(sst_graph *graph, const char *scope, const char *name) {
  char full[512];
  snprintf(full, sizeof full, "%s%s%s", scope, scope[0] ? "." : "", name);
  return sst_graph_find(graph, full);
}

sst_value ssti_student_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name) {
  return ssti_scoped_tap(graph, scene->student, name);
}

sst_value ssti_teacher_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name) {
  return ssti_scoped_tap(graph, scene->teacher, name);
}

sst_value ssti_twin_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name) {
  return ssti_scoped_tap(graph, scene->twin, name);
}

const ssti_distill_method *ssti_distill_term_definition(const sst_distill_term *term) { return term->method; }
void *ssti_distill_term_options(sst_distill_term *term) { return term->options; }
ssti_distill_common *ssti_distill_term_common(sst_distill_term *term) { return &term->common; }

const ssti_option *ssti_distill_common_options(int *count) {
  *count = COMMON_COUNT;
  return common_options;
}
