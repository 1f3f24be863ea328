// SPDX-License-Identifier: Apache-2.0
// The resolved recipe: all keys with their values, in the order of the tables.
#include "recipe/recipe_parts.h"

void ssti_recipe_print_option(const ssti_option *option, const void *object, ssti_text *out) {
  if (option->type == SSTI_OPTION_TEXT) {
    ssti_yaml_print_scalar(out, (const char *)object + option->offset, false);
  } else {
    ssti_option_print(option, object, out);
  }
}

static void print_list(const ssti_recipe_list *list, const ssti_recipe_draft *draft, int indent, ssti_text *out) {
  const char *object = (const char *)draft;
  int count = 0;
  memcpy(&count, object + list->count_offset, sizeof count);
  ssti_text_append(out, "%*s%s: [", indent, "", list->key);
  for (int i = 0; i < count; i++) {
    ssti_text_append(out, i > 0 ? ", " : "");
    ssti_recipe_print_option(&list->element, object + (size_t)i * list->element_size, out);
  }
  ssti_text_append(out, "]\n");
}

static void print_section(const ssti_recipe_section *section, const ssti_recipe_draft *draft, ssti_text *out) {
  const char *key = ssti_recipe_section_key(section);
  const int depth = section->path[0] == '\0' ? 0 : (key == section->path ? 1 : 2);
  const int indent = 2 * depth;
  if (depth > 0) { ssti_text_append(out, "%*s%s:\n", indent - 2, "", key); }
  for (int i = 0; i < section->option_count; i++) {
    ssti_text_append(out, "%*s%s: ", indent, "", section->options[i].key);
    ssti_recipe_print_option(&section->options[i], draft, out);
    ssti_text_append(out, "\n");
  }
  for (int i = 0; i < section->list_count; i++) { print_list(&section->lists[i], draft, indent, out); }
  for (int i = 0; i < section->other_count; i++) {
    if (strcmp(section->others[i], "layers") == 0) { ssti_recipe_print_layers(&draft->recipe, out); }
    if (strcmp(section->others[i], "distill") == 0) { ssti_recipe_print_terms(&draft->recipe, out); }
  }
}

sst_status sst_recipe_text(sst_context *context, const sst_recipe *recipe, char **out) {
  *out = NULL;
  ssti_recipe_draft *draft = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *draft, &draft));
  draft->recipe = *recipe; // borrows the layers and the terms
  draft->network_kind = recipe->student.spiking ? 0 : 1;
  draft->broken = recipe->data.skip_broken ? 1 : 0;
  draft->reset = recipe->student.options.neuron.hard_reset ? 0 : 1;
  draft->first_last = recipe->student.options.quantization.first_last ? 1 : 0;
  ssti_text text = ssti_text_begin(context);
  for (int i = 0; i < ssti_recipe_section_count; i++) { print_section(&ssti_recipe_sections[i], draft, &text); }
  ssti_free(context, draft);
  if (text.status != SST_OK) {
    const sst_status status = text.status;
    ssti_text_free(&text);
    return status;
  }
  *out = text.data;
  return SST_OK;
}

void sst_recipe_text_free(sst_context *context, char *text) { ssti_free(context, text); }
