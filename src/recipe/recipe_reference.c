// SPDX-License-Identifier: Apache-2.0
// The reference of all keys, as Markdown, from the tables that parse them.
#include "distill/method.h"
#include "recipe/recipe_parts.h"
#include "spikestill/stages.h"

// "1..65536", "at least 0" or nothing for a range that no value leaves.
static void print_range(const ssti_option *option, ssti_text *out) {
  char low[SSTI_NUMBER_TEXT_SIZE], high[SSTI_NUMBER_TEXT_SIZE];
  if (option->high >= 1e18) {
    ssti_text_append(out, ", at least %s", ssti_number_text(option->low, low));
  } else {
    ssti_text_append(out, ", %s..%s", ssti_number_text(option->low, low), ssti_number_text(option->high, high));
  }
}

static void print_type(const ssti_option *option, ssti_text *out) {
  switch (option->type) {
  case SSTI_OPTION_FLOAT:
  case SSTI_OPTION_DOUBLE:
    ssti_text_append(out, "number");
    print_range(option, out);
    break;
  case SSTI_OPTION_INT:
  case SSTI_OPTION_INT64:
  case SSTI_OPTION_UINT64:
    ssti_text_append(out, "whole number");
    print_range(option, out);
    break;
  case SSTI_OPTION_BOOL: ssti_text_append(out, "true, false"); break;
  case SSTI_OPTION_TEXT: ssti_text_append(out, "text"); break;
  case SSTI_OPTION_WORD:
    for (int i = 0; i < option->word_count; i++) { ssti_text_append(out, "%s`%s`", i ? " " : "", option->words[i]); }
    break;
  }
}

static void print_head(ssti_text *out) {
  ssti_text_append(out, "| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
}

static void print_options(const ssti_option *options, int count, ssti_text *out) {
  for (int i = 0; i < count; i++) {
    const char *value = options[i].default_value;
    ssti_text_append(out, "| `%s` | ", options[i].key);
    print_type(&options[i], out);
    ssti_text_append(out, " | %s | %s |\n", value == NULL ? "none" : (value[0] ? value : "empty"), options[i].text);
  }
}

static void print_lists(const ssti_recipe_section *section, ssti_text *out) {
  for (int i = 0; i < section->list_count; i++) {
    const ssti_recipe_list *list = &section->lists[i];
    ssti_text_append(out, "| `%s` | list of at most %d: ", list->key, list->limit);
    print_type(&list->element, out);
    ssti_text_append(out, " | %s | %s |\n", list->default_value, list->text);
  }
}

static void print_layers(ssti_text *out) {
  ssti_text_append(out,
                   "\n## student.layers: the layers, where no `model` makes them\n\nA list. An item is a kind of layer"
                   " (`- norm`) or a kind with its options (`- conv: {out: 32, kernel: 5}`).\n");
#define LAYER_TEXT(name, word, text) text,
  static const char *const texts[] = {SST_LAYER_LIST(LAYER_TEXT)};
#undef LAYER_TEXT
  for (int i = 0; i < SST_LAYER_COUNT; i++) {
    int count = 0;
    const ssti_option *options = ssti_layer_options((sst_layer_kind)i, &count);
    ssti_text_append(out, "\n### %s\n\n%s\n", ssti_layer_words[i], texts[i]);
    if (count == 0) { continue; }
    ssti_text_append(out, "\n");
    print_head(out);
    print_options(options, count, out);
  }
}

static sst_status print_methods(sst_context *context, ssti_text *out) {
  ssti_text_append(out,
                   "\n## distill: the terms of distillation\n\nA list of at most %d maps, each with `method` and the"
                   " keys of that method. The loss is the cross-entropy times `loss.weight`, plus each term times"
                   " its `weight`.\n\n### every method\n\n",
                   SST_RECIPE_MAX_TERMS);
  int common_count = 0;
  const ssti_option *common = ssti_distill_common_options(&common_count);
  print_head(out);
  print_options(common, common_count, out);
  for (int i = 0; i < sst_distill_method_count(); i++) {
    sst_distill_term *term = NULL;
    SST_TRY(sst_distill_term_create(context, sst_distill_method_name(i), &term));
    const ssti_distill_method *method = ssti_distill_term_definition(term);
    ssti_text_append(out, "\n### method: %s\n\n%s%s%s\n\n", method->name, sst_distill_method_text(i),
                     method->needs_teacher ? "; needs a teacher" : "",
                     method->needs_twin ? "; needs `twin.enabled`" : "");
    print_head(out);
    print_options(method->options, method->option_count, out);
    sst_distill_term_destroy(term);
  }
  return SST_OK;
}

static void print_stages(ssti_text *out) {
  int count = 0;
  const ssti_option *options = ssti_convert_stage_options(&count);
  ssti_text_append(out,
                   "\n## stages: several runs by one command\n\nA list of at most %d maps. Each has a `name` and either"
                   " `recipe` (a file beside this one, or a map of the keys above, which go over those outside the"
                   " list) or `convert`, a map of the keys below. Where a run directory is expected, `stage:<name>`"
                   " stands for that of an earlier stage.\n\n",
                   (int)SST_MAX_STAGES);
  print_head(out);
  print_options(options, count, out);
  ssti_text_append(out,
                   "| `timesteps` | list of at most %d: whole number, 1..%d | [1, 2, 4, ..., 1024] | steps at which"
                   " accuracy is measured, ascending |\n"
                   "| `data`, `device` | as above | those outside the list | of an ONNX file, which says neither |\n",
                   (int)SST_MAX_CONVERSION_POINTS, (int)SST_MAX_CONVERSION_TIMESTEPS);
}

sst_status sst_recipe_reference(sst_context *context, char **out) {
  *out = NULL;
  ssti_text text = ssti_text_begin(context);
  ssti_text_append(&text, "# Keys of a recipe\n\nMade from the tables that parse recipes; `data.name` and one of"
                          " `student.model` and `student.layers` must be given, everything else has a default.\n\n"
                          "`extends: FILE`, a recipe beside this one, stands for all of that one's keys but its name;"
                          " what is given here goes over them, maps key by key, values and lists as a whole.\n");
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    ssti_text_append(&text, "\n## %s%s%s\n\n", section->path, section->path[0] ? ": " : "", section->text);
    print_head(&text);
    print_options(section->options, section->option_count, &text);
    print_options(section->sources, section->source_count, &text);
    print_lists(section, &text);
  }
  print_layers(&text);
  print_stages(&text);
  sst_status status = print_methods(context, &text);
  if (status == SST_OK) { status = text.status; }
  if (status != SST_OK) {
    ssti_text_free(&text);
    return status;
  }
  *out = text.data;
  return SST_OK;
}
