// SPDX-License-Identifier: Apache-2.0
// distill: a list of terms, each a map with its method and that method's options.
#include <stdio.h>

#include "distill/method.h"
#include "recipe/recipe_parts.h"

enum { MAX_NAMES = 64, INSIDE_SIZE = 128 };

static const char METHOD_KEY[] = "method";

// Sets one option of the term; what the tables of the method do not know is an unknown key.
static sst_status read_term_item(const ssti_recipe_reader *reader, const ssti_yaml_node *item, const char *inside,
                                 sst_distill_term *term) {
  const ssti_distill_method *method = ssti_distill_term_definition(term);
  int common_count = 0;
  const ssti_option *common = ssti_distill_common_options(&common_count);
  const ssti_option *option = ssti_options_find(common, common_count, item->key);
  if (option != NULL) { return ssti_recipe_read_option(reader, option, ssti_distill_term_common(term), item, inside); }
  option = ssti_options_find(method->options, method->option_count, item->key);
  if (option != NULL) { return ssti_recipe_read_option(reader, option, ssti_distill_term_options(term), item, inside); }
  const char *names[MAX_NAMES] = {METHOD_KEY};
  int count = 1;
  for (int i = 0; i < common_count && count < MAX_NAMES; i++) { names[count++] = common[i].key; }
  for (int i = 0; i < method->option_count && count < MAX_NAMES; i++) { names[count++] = method->options[i].key; }
  return ssti_recipe_unknown_key(reader, item, inside, names, count);
}

static sst_status read_term(const ssti_recipe_reader *reader, const ssti_yaml_node *node, int index,
                            sst_distill_term **out) {
  char inside[INSIDE_SIZE];
  snprintf(inside, sizeof inside, "distill.%d", index);
  if (node->kind != SSTI_YAML_MAP) {
    SSTI_RECIPE_FAIL(reader, node, "%s is %s, expected a map such as {method: kd, weight: 0.5}", inside,
                     ssti_yaml_kind_text(node));
  }
  const ssti_yaml_node *method = ssti_yaml_get(node, METHOD_KEY);
  if (method == NULL || method->kind != SSTI_YAML_SCALAR || ssti_yaml_is_null(method)) {
    SSTI_RECIPE_FAIL(reader, method ? method : node,
                     "%s has no 'method', expected the name of one such as 'method: kd'", inside);
  }
  const sst_status status = sst_distill_term_create(reader->context, method->text, out);
  if (status != SST_OK) {
    ssti_fail_within(reader->context, status, "%s.method", inside);
    return ssti_recipe_place_failure(reader, method, status);
  }
  snprintf(inside, sizeof inside, "distill.%d (%s)", index, sst_distill_term_method(*out));
  for (const ssti_yaml_node *item = node->first; item != NULL; item = item->next) {
    if (item != method) { SST_TRY(read_term_item(reader, item, inside, *out)); }
  }
  const ssti_distill_common *common = ssti_distill_term_common(*out);
  if (common->end_epoch != 0 && common->end_epoch <= common->start_epoch) {
    SSTI_RECIPE_FAIL(reader, node, "%s: end_epoch is %lld, expected 0 or above the start_epoch %lld", inside,
                     (long long)common->end_epoch, (long long)common->start_epoch);
  }
  if (ssti_distill_term_definition(*out)->needs_teacher && reader->draft->recipe.teacher[0] == '\0') {
    SSTI_RECIPE_FAIL(reader, node,
                     "%s needs a teacher, and the recipe names none: give the run directory or checkpoint"
                     " of one as 'teacher: DIR' or --set teacher=DIR",
                     inside);
  }
  if (ssti_distill_term_definition(*out)->needs_twin && !reader->draft->recipe.twin.enabled) {
    SSTI_RECIPE_FAIL(reader, node, "%s needs a twin network, and the recipe has none: give 'twin: {enabled: true}'",
                     inside);
  }
  return SST_OK;
}

sst_status ssti_recipe_read_terms(const ssti_recipe_reader *reader) {
  sst_recipe *recipe = &reader->draft->recipe;
  const ssti_yaml_node *list = ssti_yaml_get(ssti_yaml_root(reader->tree), "distill");
  if (list == NULL || ssti_yaml_is_null(list)) { return SST_OK; }
  if (list->kind != SSTI_YAML_LIST) {
    SSTI_RECIPE_FAIL(reader, list, "distill is %s, expected a list: each term begins with '- method: NAME'",
                     ssti_yaml_kind_text(list));
  }
  if (list->count > SST_RECIPE_MAX_TERMS) {
    SSTI_RECIPE_FAIL(reader, list, "distill has %d terms, expected at most %d", list->count, SST_RECIPE_MAX_TERMS);
  }
  int index = 0;
  for (const ssti_yaml_node *item = list->first; item != NULL; item = item->next, index++) {
    const sst_status status = read_term(reader, item, index, &recipe->terms[index]);
    recipe->term_count = index + (recipe->terms[index] != NULL); // also a half-read one is freed with the recipe
    SST_TRY(status);
  }
  return SST_OK;
}

static void print_options(const ssti_option *options, int count, const void *object, ssti_text *out) {
  for (int i = 0; i < count; i++) {
    ssti_text_append(out, "    %s: ", options[i].key);
    ssti_recipe_print_option(&options[i], object, out);
    ssti_text_append(out, "\n");
  }
}

void ssti_recipe_print_terms(const sst_recipe *recipe, ssti_text *out) {
  ssti_text_append(out, recipe->term_count > 0 ? "distill:\n" : "distill: []\n");
  for (int i = 0; i < recipe->term_count; i++) {
    sst_distill_term *term = recipe->terms[i];
    const ssti_distill_method *method = ssti_distill_term_definition(term);
    int common_count = 0;
    const ssti_option *common = ssti_distill_common_options(&common_count);
    ssti_text_append(out, "  - method: %s\n", method->name);
    print_options(common, common_count, ssti_distill_term_common(term), out);
    print_options(method->options, method->option_count, ssti_distill_term_options(term), out);
  }
}
