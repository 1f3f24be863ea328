// SPDX-License-Identifier: Apache-2.0
// Recipes: text to tree, overrides, tree to struct.
#include "spikestill/recipe.h"

#include "base/file.h"
#include "recipe/recipe_parts.h"

// What a recipe owns, without the struct itself.
static void free_parts(sst_context *context, sst_recipe *recipe) {
  for (int i = 0; i < recipe->term_count; i++) { sst_distill_term_destroy(recipe->terms[i]); }
  sst_layers_free(context, recipe->student.layers);
}

sst_status ssti_recipe_from_tree(sst_context *context, const ssti_yaml_tree *tree, sst_recipe **out) {
  ssti_recipe_reader reader = {.context = context, .tree = tree};
  const ssti_yaml_node *stages = ssti_yaml_get(ssti_yaml_root(tree), "stages");
  *out = NULL;
  if (stages) { SSTI_RECIPE_FAIL(&reader, stages, "has stages, but expected here is the recipe of a single run"); }
  SST_TRY(ssti_allocate(context, 1, sizeof(ssti_recipe_draft), &reader.draft));
  sst_recipe *recipe = NULL;
  sst_status status = ssti_allocate(context, 1, sizeof *recipe, &recipe);
  if (status == SST_OK) {
    ssti_recipe_set_defaults(reader.draft);
    status = ssti_recipe_read_sections(&reader);
  }
  if (status == SST_OK) { status = ssti_recipe_complete(&reader); }
  if (status == SST_OK) {
    *recipe = reader.draft->recipe;
    *out = recipe;
  } else {
    free_parts(context, &reader.draft->recipe);
    ssti_free(context, recipe);
  }
  ssti_free(context, reader.draft);
  return status;
}

static sst_status read_text(sst_context *context, const char *name, const char *text, size_t size,
                            const char *const *overrides, int override_count, sst_recipe **out) {
  ssti_yaml_tree *tree = NULL;
  sst_status status = ssti_recipe_tree_parse(context, name, text, size, &tree);
  for (int i = 0; i < override_count && status == SST_OK; i++) { status = ssti_yaml_override(tree, overrides[i]); }
  if (status == SST_OK) { status = ssti_recipe_from_tree(context, tree, out); }
  ssti_yaml_destroy(tree);
  return status;
}

sst_status sst_recipe_open(sst_context *context, const char *path, const char *const *overrides, int override_count,
                           sst_recipe **out) {
  *out = NULL;
  char *text = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, SSTI_YAML_MAX_BYTES, &text, &size));
  const sst_status status = read_text(context, path, text, size, overrides, override_count, out);
  ssti_free(context, text);
  return status;
}

sst_status sst_recipe_from_text(sst_context *context, const char *name, const char *text, const char *const *overrides,
                                int override_count, sst_recipe **out) {
  *out = NULL;
  return read_text(context, name, text, strlen(text), overrides, override_count, out);
}

void sst_recipe_close(sst_context *context, sst_recipe *recipe) {
  if (recipe == NULL) { return; }
  free_parts(context, recipe);
  ssti_free(context, recipe);
}

sst_shape sst_recipe_input_shape(const sst_recipe *recipe, int64_t batch) {
  const sst_recipe_data *data = &recipe->data;
  const int64_t steps = data->encoding == SST_ENCODING_DIRECT ? 1 : recipe->student.options.timesteps;
  return sst_shape_make(steps, batch, data->height, data->width, data->channels);
}

sst_dataset_options sst_recipe_dataset(const sst_recipe *recipe, bool train) {
  const sst_recipe_data *data = &recipe->data;
  return (sst_dataset_options){
      .kind = data->kind,
      .root = data->root[0] ? data->root : NULL,
      .train = train,
      .limit = train ? data->train_limit : data->test_limit,
      .digits_seed = data->digits_seed,
      .digits_count = train ? data->digits_train : data->digits_test,
      .classes = data->classes,
      .height = data->height,
      .width = data->width,
      .memory = data->memory << 20,
      .skip_broken = data->skip_broken,
      .framing = {data->framing.mode, recipe->student.options.timesteps, data->framing.window_us, data->framing.count},
      .split = data->split,
      .cache = data->cache,
  };
}
