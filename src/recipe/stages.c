// SPDX-License-Identifier: Apache-2.0
// A recipe of stages: the shared keys, under each stage's own ones, make that stage's recipe.
#include "spikestill/stages.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "recipe/recipe_parts.h"

static const char stage_prefix[] = "stage:";

static const char *const method_words[] = {
#define METHOD_WORD(name, word, text) word,
    SST_CONVERSION_LIST(METHOD_WORD)
#undef METHOD_WORD
};

#define CONVERT_NUMBER(key, type, field, low, high, value, text)                                                       \
  { key, SSTI_OPTION_##type, offsetof(sst_stage, field), low, high, value, NULL, 0, text }
static const ssti_option convert_options[] = {
    {"from", SSTI_OPTION_TEXT, offsetof(sst_stage, from), 0, 0, "", NULL, 0,
     "the ann: stage:<name>, a run directory, a checkpoint or an ONNX file"},
    {"method", SSTI_OPTION_WORD, offsetof(sst_stage, conversion.method), 0, 0, NULL, method_words, SST_CONVERSION_COUNT,
     "where thresholds come from"},
    CONVERT_NUMBER("percentile", DOUBLE, conversion.percentile, 1e-6, 100, "99.9", "of the currents above 0"),
    CONVERT_NUMBER("samples", INT64, conversion.samples, 1, 1e9, "1000", "pictures that thresholds are taken from"),
    CONVERT_NUMBER("calibration_steps", INT64, conversion.calibration_steps, 1, SST_MAX_CONVERSION_TIMESTEPS, "64",
                   "threshold_balancing: steps while thresholds are taken"),
    CONVERT_NUMBER("initial_membrane", FLOAT, conversion.initial_membrane, -1, 1, "-1",
                   "share of the threshold at first; below 0: 0.5 for qcfs, else 0"),
};
enum { CONVERT_COUNT = sizeof convert_options / sizeof *convert_options };

typedef struct plan_reader {
  sst_context *context;
  ssti_yaml_tree *tree; // of the plan
  const char *const *overrides;
  int override_count;
  sst_plan *plan;
} plan_reader;

const ssti_option *ssti_convert_stage_options(int *count) {
  *count = CONVERT_COUNT;
  return convert_options;
}

const char *sst_stage_reference(const char *text) {
  size_t length = sizeof stage_prefix - 1;
  return strncmp(text, stage_prefix, length) == 0 ? text + length : NULL;
}

static ssti_recipe_reader reader_of(const plan_reader *r) {
  return (ssti_recipe_reader){.context = r->context, .tree = r->tree};
}

static bool is_plan_key(const char *key) { return strcmp(key, "name") == 0 || strcmp(key, "stages") == 0; }

// ---- overrides

// What the override says to the stage: itself if it is for all, what follows the stage's name, or NULL.
static const char *override_for(const plan_reader *r, const char *override, int stage, bool *own) {
  const sst_plan *plan = r->plan;
  *own = true;
  char place[32];
  int length = snprintf(place, sizeof place, "stages.%d.", stage);
  if (strncmp(override, "stages.", 7) == 0) {
    return strncmp(override, place, (size_t)length) == 0 ? override + length : NULL;
  }
  for (int i = 0; i < plan->stage_count; i++) {
    size_t name = strlen(plan->stages[i].name);
    if (strncmp(override, plan->stages[i].name, name) != 0 || override[name] != '.') { continue; }
    return i == stage ? override + name + 1 : NULL;
  }
  *own = false;
  return override;
}

// An override for a stage's place that does not exist would be lost silently.
static sst_status check_overrides(const plan_reader *r) {
  for (int i = 0; i < r->override_count; i++) {
    const char *override = r->overrides[i];
    if (strncmp(override, "stages.", 7) != 0) { continue; }
    char *end = NULL;
    long place = strtol(override + 7, &end, 10);
    if (end != override + 7 && *end == '.' && place >= 0 && place < r->plan->stage_count) { continue; }
    SST_FAIL(r->context, SST_RECIPE, "--set %s: expected stages.<place>.<key>=value with a place from 0 to %d",
             override, r->plan->stage_count - 1);
  }
  return SST_OK;
}

// ---- stages

static bool is_section(const char *name) {
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    if (strcmp(ssti_recipe_sections[i].path, name) == 0) { return true; }
  }
  return strcmp(name, "stages") == 0 || strcmp(name, "distill") == 0;
}

static sst_status read_name(const plan_reader *r, const ssti_yaml_node *node, int place) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  ssti_recipe_reader reader = reader_of(r);
  const ssti_yaml_node *name = ssti_yaml_get(node, "name");
  if (!name || name->kind != SSTI_YAML_SCALAR || name->text[0] == '\0' ||
      strspn(name->text, allowed) != strlen(name->text) || strlen(name->text) >= SST_STAGE_NAME_SIZE) {
    SSTI_RECIPE_FAIL(&reader, name ? name : node,
                     "stage %d has %s, expected a name of letters, digits, '_' and '-', at most %d", place,
                     name ? "another name" : "no name", SST_STAGE_NAME_SIZE - 1);
  }
  if (is_section(name->text)) {
    SSTI_RECIPE_FAIL(&reader, name, "stage %d is called '%s', but so is a section of recipes; choose another name",
                     place, name->text);
  }
  for (int i = 0; i < place; i++) {
    if (strcmp(r->plan->stages[i].name, name->text) != 0) { continue; }
    SSTI_RECIPE_FAIL(&reader, name, "stages %d and %d are both called '%s'", i, place, name->text);
  }
  strcpy(r->plan->stages[place].name, name->text);
  return SST_OK;
}

static sst_status check_keys(const plan_reader *r, const ssti_yaml_node *node) {
  static const char *const names[] = {"name", "recipe", "convert"};
  ssti_recipe_reader reader = reader_of(r);
  for (const ssti_yaml_node *item = node->first; item; item = item->next) {
    bool known = false;
    for (int i = 0; i < 3; i++) { known = known || strcmp(item->key, names[i]) == 0; }
    if (!known) { return ssti_recipe_unknown_key(&reader, item, "a stage", names, 3); }
  }
  if (!ssti_yaml_get(node, "recipe") == !ssti_yaml_get(node, "convert")) {
    SSTI_RECIPE_FAIL(&reader, node, "stage '%s' has %s, expected one of `recipe` and `convert`",
                     ssti_yaml_get(node, "name")->text,
                     ssti_yaml_get(node, "recipe") ? "both `recipe` and `convert`" : "neither `recipe` nor `convert`");
  }
  return SST_OK;
}

// Where a stage is meant, it must be one before this.
static sst_status check_reference(const plan_reader *r, const ssti_yaml_node *node, int place, const char *key,
                                  const char *text) {
  const char *name = sst_stage_reference(text);
  if (!name) { return SST_OK; }
  for (int i = 0; i < place; i++) {
    if (strcmp(r->plan->stages[i].name, name) == 0) { return SST_OK; }
  }
  ssti_text earlier = ssti_text_begin(r->context);
  for (int i = 0; i < place; i++) { ssti_text_append(&earlier, "%s%s", i ? ", " : "", r->plan->stages[i].name); }
  const sst_status status = earlier.status;
  if (status != SST_OK) {
    ssti_text_free(&earlier);
    return status;
  }
  ssti_recipe_reader reader = reader_of(r);
  ssti_fail(r->context, SST_RECIPE, "stage '%s' takes its %s from stage '%s', but no stage before it has that name%s%s",
            r->plan->stages[place].name, key, name, place ? "; there are " : "", place ? earlier.data : "");
  ssti_text_free(&earlier);
  return ssti_recipe_place_failure(&reader, node, SST_RECIPE);
}

static sst_status read_timesteps(const plan_reader *r, const ssti_yaml_node *node, sst_conversion_options *out) {
  ssti_recipe_reader reader = reader_of(r);
  out->point_count = 0;
  for (const ssti_yaml_node *item = node->kind == SSTI_YAML_LIST ? node->first : node; item;
       item = node->kind == SSTI_YAML_LIST ? item->next : NULL) {
    int64_t value = 0, before = out->point_count > 0 ? out->timesteps[out->point_count - 1] : 0;
    if (item->kind != SSTI_YAML_SCALAR || !ssti_parse_int64(item->text, &value) || value <= before ||
        value > SST_MAX_CONVERSION_TIMESTEPS || out->point_count == SST_MAX_CONVERSION_POINTS) {
      SSTI_RECIPE_FAIL(&reader, item,
                       "convert.timesteps has '%s' at place %d, expected at most %d ascending whole "
                       "numbers from 1 to %d",
                       item->text, out->point_count, (int)SST_MAX_CONVERSION_POINTS, (int)SST_MAX_CONVERSION_TIMESTEPS);
    }
    out->timesteps[out->point_count++] = value;
  }
  if (out->point_count == 0) { SSTI_RECIPE_FAIL(&reader, node, "convert.timesteps is empty"); }
  return SST_OK;
}

// What an ONNX file does not say: of the stage's own keys, over the shared ones.
static bool is_input_key(const char *key) { return strcmp(key, "data") == 0 || strcmp(key, "device") == 0; }

static bool is_onnx(const char *path) {
  static const char ending[] = ".onnx";
  const size_t length = strlen(path), tail = sizeof ending - 1;
  return length >= tail && strcmp(path + length - tail, ending) == 0;
}

// Keys for the data of an ONNX file. They are tried in a recipe, so that what is wrong is found before anything runs.
static sst_status read_input(const plan_reader *r, const ssti_yaml_node *map, sst_stage *stage) {
  static const char stand_in[] = "student: {kind: ann, layers: [flatten, linear]}\n";
  ssti_yaml_tree *tree = NULL, *data = NULL;
  sst_recipe *recipe = NULL;
  ssti_text text = ssti_text_begin(r->context);
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_yaml_parse(r->context, ssti_yaml_name(r->tree), stand_in, sizeof stand_in - 1, &tree));
  SST_TRY_GOTO(ssti_yaml_parse(r->context, ssti_yaml_name(r->tree), "", 0, &data));
  for (const ssti_yaml_node *item = map->first; item; item = item->next) {
    ssti_yaml_node *copy = NULL;
    if (!is_input_key(item->key)) { continue; }
    SST_TRY_GOTO(ssti_yaml_copy(tree, r->tree, item, &copy));
    ssti_yaml_append(ssti_yaml_root(tree), copy);
  }
  SST_TRY_GOTO(ssti_recipe_from_tree(r->context, tree, &recipe));
  stage->device = recipe->device;
  SST_TRY_GOTO(ssti_yaml_merge(data, ssti_yaml_root(data), r->tree, ssti_yaml_get(map, "data")));
  ssti_yaml_print(data, &text);
  status = text.status;
done:
  sst_recipe_close(r->context, recipe);
  ssti_yaml_destroy(tree);
  ssti_yaml_destroy(data);
  if (status == SST_OK) {
    stage->data = text.data;
  } else {
    ssti_text_free(&text);
  }
  return status;
}

static sst_status read_convert_map(const plan_reader *r, const ssti_yaml_node *map, sst_stage *stage) {
  ssti_recipe_reader reader = reader_of(r);
  if (map->kind != SSTI_YAML_MAP) {
    SSTI_RECIPE_FAIL(&reader, map, "convert is %s, expected a map of keys such as {from: stage:ann}",
                     ssti_yaml_kind_text(map));
  }
  const char *names[CONVERT_COUNT + 3] = {"timesteps", "data", "device"};
  for (int i = 0; i < CONVERT_COUNT; i++) { names[i + 3] = convert_options[i].key; }
  for (const ssti_yaml_node *item = map->first; item; item = item->next) {
    const ssti_option *option = ssti_options_find(convert_options, CONVERT_COUNT, item->key);
    if (option) {
      SST_TRY(ssti_recipe_read_option(&reader, option, stage, item, "convert"));
      stage->has_method = stage->has_method || strcmp(option->key, "method") == 0;
    } else if (strcmp(item->key, "timesteps") == 0) {
      SST_TRY(read_timesteps(r, item, &stage->conversion));
    } else if (!is_input_key(item->key)) {
      return ssti_recipe_unknown_key(&reader, item, "convert", names, CONVERT_COUNT + 3);
    }
  }
  return SST_OK;
}

// The overrides of this stage, in its tree. Those for all stages are about recipes, and about the data of an ONNX file.
static sst_status apply_overrides(const plan_reader *r, ssti_yaml_tree *tree, int place, bool recipe) {
  for (int i = 0; i < r->override_count; i++) {
    bool own = false;
    const char *override = override_for(r, r->overrides[i], place, &own);
    if (!override || (!own && recipe && strncmp(override, "name=", 5) == 0)) { continue; }
    const size_t key = strcspn(override, ".=");
    const bool input =
        (key == 4 && strncmp(override, "data", key) == 0) || (key == 6 && strncmp(override, "device", key) == 0);
    if (!own && !recipe && !input) { continue; }
    SST_TRY(ssti_yaml_override(tree, override));
  }
  return SST_OK;
}

// A file that a stage names, beside the plan's.
static sst_status open_beside(const plan_reader *r, const char *file, ssti_yaml_tree **out) {
  ssti_text path = ssti_text_begin(r->context);
  ssti_recipe_path_beside(ssti_yaml_name(r->tree), file, &path);
  sst_status status = path.status;
  if (status == SST_OK) { status = ssti_recipe_tree_open(r->context, path.data, out); }
  ssti_text_free(&path);
  return status;
}

// The shared keys, the stage's over them, overrides over those.
static sst_status build_recipe_tree(const plan_reader *r, const ssti_yaml_node *recipe, int place,
                                    ssti_yaml_tree *tree) {
  ssti_recipe_reader reader = reader_of(r);
  ssti_yaml_node *root = ssti_yaml_root(tree);
  for (const ssti_yaml_node *item = ssti_yaml_root(r->tree)->first; item; item = item->next) {
    if (is_plan_key(item->key)) { continue; }
    ssti_yaml_node *copy = NULL;
    SST_TRY(ssti_yaml_copy(tree, r->tree, item, &copy));
    ssti_yaml_append(root, copy);
  }
  if (recipe->kind == SSTI_YAML_MAP) {
    SST_TRY(ssti_yaml_merge(tree, root, r->tree, recipe));
  } else if (recipe->kind == SSTI_YAML_SCALAR && !ssti_yaml_is_null(recipe)) {
    ssti_yaml_tree *file = NULL;
    sst_status status = open_beside(r, recipe->text, &file);
    if (status == SST_OK) { status = ssti_yaml_merge(tree, root, file, ssti_yaml_root(file)); }
    ssti_yaml_destroy(file);
    if (status != SST_OK) { return ssti_fail_within(r->context, status, "stage '%s'", r->plan->stages[place].name); }
  } else {
    SSTI_RECIPE_FAIL(&reader, recipe, "the recipe of stage '%s' is %s, expected a file or a map of keys",
                     r->plan->stages[place].name, ssti_yaml_kind_text(recipe));
  }
  return apply_overrides(r, tree, place, true);
}

static sst_status read_recipe(const plan_reader *r, const ssti_yaml_node *node, int place) {
  sst_stage *stage = &r->plan->stages[place];
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_yaml_parse(r->context, ssti_yaml_name(r->tree), "", 0, &tree));
  sst_status status = build_recipe_tree(r, ssti_yaml_get(node, "recipe"), place, tree);
  if (status == SST_OK) { status = ssti_recipe_from_tree(r->context, tree, &stage->recipe); }
  bool named = status == SST_OK && ssti_yaml_get(ssti_yaml_root(tree), "name");
  ssti_yaml_destroy(tree);
  SST_TRY(status);
  if (!named) { snprintf(stage->recipe->name, sizeof stage->recipe->name, "%.400s_%s", r->plan->name, stage->name); }
  SST_TRY(check_reference(r, node, place, "teacher", stage->recipe->teacher));
  return check_reference(r, node, place, "student.start", stage->recipe->student.start);
}

static sst_status read_convert(const plan_reader *r, const ssti_yaml_node *node, int place) {
  sst_stage *stage = &r->plan->stages[place];
  const ssti_yaml_node *map = ssti_yaml_get(node, "convert");
  ssti_recipe_reader reader = reader_of(r);
  stage->conversion = sst_conversion_default();
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_yaml_parse(r->context, ssti_yaml_name(r->tree), "", 0, &tree));
  sst_status status = SST_OK;
  for (const ssti_yaml_node *item = ssti_yaml_root(r->tree)->first; item && status == SST_OK; item = item->next) {
    ssti_yaml_node *copy = NULL;
    if (!is_input_key(item->key)) { continue; }
    status = ssti_yaml_copy(tree, r->tree, item, &copy);
    if (status == SST_OK) { ssti_yaml_append(ssti_yaml_root(tree), copy); }
  }
  if (status == SST_OK && map->kind == SSTI_YAML_MAP) {
    status = ssti_yaml_merge(tree, ssti_yaml_root(tree), r->tree, map);
  }
  if (status == SST_OK) { status = apply_overrides(r, tree, place, false); }
  plan_reader inner = *r;
  inner.tree = tree;
  if (status == SST_OK) { status = read_convert_map(&inner, ssti_yaml_root(tree), stage); }
  const bool onnx = is_onnx(stage->from), told = ssti_yaml_get(ssti_yaml_root(tree), "data") != NULL;
  if (status == SST_OK && onnx && told) { status = read_input(&inner, ssti_yaml_root(tree), stage); }
  ssti_yaml_destroy(tree);
  SST_TRY(status);
  if (stage->from[0] == '\0') {
    SSTI_RECIPE_FAIL(&reader, map, "stage '%s' has no convert.from: the ann, such as 'stage:ann'", stage->name);
  }
  if (onnx && !told) {
    SSTI_RECIPE_FAIL(&reader, map,
                     "stage '%s' converts an ONNX file, which does not say what its data are: expected `data` in "
                     "`convert` or outside the list",
                     stage->name);
  }
  for (int i = 0; i < 2 && !onnx; i++) {
    const char *key = i == 0 ? "data" : "device";
    if (!ssti_yaml_get(map, key)) { continue; }
    SSTI_RECIPE_FAIL(&reader, ssti_yaml_get(map, key),
                     "stage '%s' has convert.%s, which is for ONNX files: '%s' has its own", stage->name, key,
                     stage->from);
  }
  return check_reference(r, node, place, "convert.from", stage->from);
}

// ---- the plan

// The resolved recipe, moved to the right.
static void print_indented(ssti_text *out, const char *text, const char *indent) {
  while (*text) {
    size_t length = strcspn(text, "\n");
    ssti_text_append(out, "%s%.*s\n", indent, (int)length, text);
    text += length + (text[length] == '\n');
  }
}

static void print_convert(ssti_text *out, const sst_stage *stage) {
  ssti_text_append(out, "    convert:\n");
  for (int i = 0; i < CONVERT_COUNT; i++) {
    if (strcmp(convert_options[i].key, "method") == 0 && !stage->has_method) { continue; }
    ssti_text_append(out, "      %s: ", convert_options[i].key);
    ssti_recipe_print_option(&convert_options[i], stage, out);
    ssti_text_append(out, "\n");
  }
  ssti_text_append(out, "      timesteps: [");
  for (int i = 0; i < stage->conversion.point_count; i++) {
    ssti_text_append(out, "%s%lld", i ? ", " : "", (long long)stage->conversion.timesteps[i]);
  }
  ssti_text_append(out, "]\n");
  if (stage->data) {
    ssti_text_append(out, "      device: %s\n      data:\n", sst_device_word(stage->device));
    print_indented(out, stage->data, "        ");
  }
}

static sst_status print_plan(sst_context *context, sst_plan *plan) {
  ssti_text out = ssti_text_begin(context);
  ssti_text_append(&out, "name: ");
  ssti_yaml_print_scalar(&out, plan->name, false);
  ssti_text_append(&out, "\nstages:\n");
  sst_status status = SST_OK;
  for (int i = 0; i < plan->stage_count && status == SST_OK; i++) {
    const sst_stage *stage = &plan->stages[i];
    ssti_text_append(&out, "  - name: ");
    ssti_yaml_print_scalar(&out, stage->name, false);
    ssti_text_append(&out, "\n");
    if (!stage->recipe) {
      print_convert(&out, stage);
      continue;
    }
    char *text = NULL;
    status = sst_recipe_text(context, stage->recipe, &text);
    ssti_text_append(&out, "    recipe:\n");
    if (status == SST_OK) { print_indented(&out, text, "      "); }
    sst_recipe_text_free(context, text);
  }
  if (status == SST_OK) { status = out.status; }
  if (status != SST_OK) {
    ssti_text_free(&out);
    return status;
  }
  plan->text = out.data;
  return SST_OK;
}

static sst_status read_plan_name(const plan_reader *r) {
  static const ssti_option option = {"name", SSTI_OPTION_TEXT, offsetof(sst_plan, name), 0, 0, "", NULL,
                                     0,      "of the run"};
  ssti_recipe_reader reader = reader_of(r);
  for (int i = 0; i < r->override_count; i++) {
    if (strncmp(r->overrides[i], "name=", 5) == 0) { SST_TRY(ssti_yaml_override(r->tree, r->overrides[i])); }
  }
  const ssti_yaml_node *name = ssti_yaml_get(ssti_yaml_root(r->tree), "name");
  if (name) { SST_TRY(ssti_recipe_read_option(&reader, &option, r->plan, name, "")); }
  if (r->plan->name[0] == '\0') { ssti_recipe_name_of_file(ssti_yaml_name(r->tree), r->plan->name); }
  return SST_OK;
}

static sst_status read_plan(const plan_reader *r) {
  ssti_recipe_reader reader = reader_of(r);
  const ssti_yaml_node *list = ssti_yaml_get(ssti_yaml_root(r->tree), "stages");
  if (!list || list->kind != SSTI_YAML_LIST || list->count < 1 || list->count > SST_MAX_STAGES) {
    SSTI_RECIPE_FAIL(&reader, list, "stages is %s, expected a list of 1 to %d stages",
                     list ? ssti_yaml_kind_text(list) : "missing", (int)SST_MAX_STAGES);
  }
  SST_TRY(read_plan_name(r));
  SST_TRY(ssti_allocate(r->context, (size_t)list->count, sizeof *r->plan->stages, &r->plan->stages));
  int place = 0;
  for (const ssti_yaml_node *node = list->first; node; node = node->next, place++) { // names first: overrides have them
    if (node->kind != SSTI_YAML_MAP) {
      SSTI_RECIPE_FAIL(&reader, node, "stage %d is %s, expected a map of keys", place, ssti_yaml_kind_text(node));
    }
    SST_TRY(read_name(r, node, place));
    SST_TRY(check_keys(r, node));
    r->plan->stage_count++;
  }
  SST_TRY(check_overrides(r));
  place = 0;
  for (const ssti_yaml_node *node = list->first; node; node = node->next, place++) {
    SST_TRY(ssti_yaml_get(node, "recipe") ? read_recipe(r, node, place) : read_convert(r, node, place));
  }
  return print_plan(r->context, r->plan);
}

// Takes the tree.
static sst_status plan_from_tree(sst_context *context, ssti_yaml_tree *tree, const char *const *overrides,
                                 int override_count, sst_plan **out) {
  plan_reader r = {.context = context, .tree = tree, .overrides = overrides, .override_count = override_count};
  sst_status status = ssti_allocate(context, 1, sizeof **out, out);
  if (status == SST_OK) {
    r.plan = *out;
    status = read_plan(&r);
  }
  ssti_yaml_destroy(tree);
  if (status != SST_OK) {
    sst_plan_close(context, *out);
    *out = NULL;
  }
  return status;
}

sst_status sst_plan_open(sst_context *context, const char *path, const char *const *overrides, int override_count,
                         sst_plan **out) {
  *out = NULL;
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_recipe_tree_open(context, path, &tree));
  return plan_from_tree(context, tree, overrides, override_count, out);
}

sst_status sst_plan_from_text(sst_context *context, const char *name, const char *text, const char *const *overrides,
                              int override_count, sst_plan **out) {
  *out = NULL;
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_recipe_tree_parse(context, name, text, strlen(text), &tree));
  return plan_from_tree(context, tree, overrides, override_count, out);
}

sst_status sst_plan_has_stages(sst_context *context, const char *path, bool *out) {
  ssti_yaml_tree *tree = NULL;
  *out = false;
  SST_TRY(ssti_recipe_tree_open(context, path, &tree));
  *out = ssti_yaml_get(ssti_yaml_root(tree), "stages") != NULL;
  ssti_yaml_destroy(tree);
  return SST_OK;
}

void sst_plan_close(sst_context *context, sst_plan *plan) {
  if (!plan) { return; }
  for (int i = 0; plan->stages && i < plan->stage_count; i++) {
    sst_recipe_close(context, plan->stages[i].recipe);
    ssti_free(context, plan->stages[i].data);
  }
  ssti_free(context, plan->stages);
  ssti_free(context, plan->text);
  ssti_free(context, plan);
}
