// SPDX-License-Identifier: Apache-2.0
// Recipes of stages: shared keys under own ones, overrides for one stage or all, the resolved plan, and what is
// refused.
#include "../support/support.h"

#include "spikestill/stages.h"

static const char plan_text[] = "data: {name: digits, digits_train: 50}\n"
                                "train: {epochs: 3, batch: 20}\n"
                                "stages:\n"
                                "  - {name: ann, recipe: {student: {kind: ann, model: mlp}, train: {epochs: 5}}}\n"
                                "  - {name: converted, convert: {from: stage:ann, timesteps: [1, 8], samples: 7}}\n"
                                "  - {name: snn, recipe: {name: mine, student: {model: mlp, start: stage:converted},\n"
                                "     teacher: stage:ann}}\n";

static sst_plan *plan_of(sst_context *context, const char *text, const char *const *overrides, int count) {
  sst_plan *plan = NULL;
  assert_ok(context, sst_plan_from_text(context, "folder/three.yaml", text, overrides, count, &plan));
  return plan;
}

static void test_stages_share_keys(void **state) {
  sst_plan *plan = plan_of(*state, plan_text, NULL, 0);
  assert_string_equal(plan->name, "three");
  assert_int_equal(plan->stage_count, 3);
  const sst_stage *ann = &plan->stages[0], *converted = &plan->stages[1], *snn = &plan->stages[2];
  assert_string_equal(ann->recipe->name, "three_ann");
  assert_false(ann->recipe->student.spiking);
  assert_int_equal(ann->recipe->train.epochs, 5);
  assert_int_equal(ann->recipe->train.batch, 20);
  assert_null(converted->recipe);
  assert_string_equal(converted->from, "stage:ann");
  assert_int_equal(converted->conversion.point_count, 2);
  assert_int_equal(converted->conversion.timesteps[1], 8);
  assert_int_equal(converted->conversion.samples, 7);
  assert_false(converted->has_method);
  assert_string_equal(snn->recipe->name, "mine");
  assert_int_equal(snn->recipe->train.epochs, 3);
  assert_int_equal(snn->recipe->data.digits_train, 50);
  assert_string_equal(snn->recipe->student.start, "stage:converted");
  assert_string_equal(sst_stage_reference(snn->recipe->teacher), "ann");
  assert_null(sst_stage_reference("runs/ann"));
  sst_plan *again = plan_of(*state, plan->text, NULL, 0);
  assert_string_equal(again->text, plan->text);
  sst_plan_close(*state, again);
  sst_plan_close(*state, plan);
}

static void test_overrides(void **state) {
  const char *const overrides[] = {"train.batch=10",          "snn.train.epochs=1",   "stages.0.train.epochs=2",
                                   "converted.percentile=50", "stages.1.method=qcfs", "name=other"};
  sst_plan *plan = plan_of(*state, plan_text, overrides, 6);
  assert_string_equal(plan->name, "other");
  assert_string_equal(plan->stages[0].recipe->name, "other_ann");
  assert_int_equal(plan->stages[0].recipe->train.batch, 10);
  assert_int_equal(plan->stages[0].recipe->train.epochs, 2);
  assert_int_equal(plan->stages[2].recipe->train.batch, 10);
  assert_int_equal(plan->stages[2].recipe->train.epochs, 1);
  assert_near(plan->stages[1].conversion.percentile, 50, 0, 0);
  assert_true(plan->stages[1].has_method && plan->stages[1].conversion.method == SST_CONVERSION_QCFS);
  sst_plan_close(*state, plan);
  const char *const beyond = "stages.3.train.epochs=2";
  assert_fails(*state, SST_RECIPE, sst_plan_from_text(*state, "x.yaml", plan_text, &beyond, 1, &plan),
               "a place from 0 to 2");
  assert_null(plan);
}

// A stage's recipe in a file of its own, beside the plan's; a sentence about it names that file.
static void test_files(void **state) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], plan_path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  FILE *file = fopen(test_path(path, folder, "one.yaml"), "w");
  fputs("student: {model: mlp, hidden: 9}\ntrain:\n  epochs: 4\n", file);
  fclose(file);
  file = fopen(test_path(plan_path, folder, "plan.yaml"), "w");
  fputs("data: {name: digits}\ntrain: {epochs: 3, batch: 20}\nstages: [{name: a, recipe: one.yaml}]\n", file);
  fclose(file);
  sst_plan *plan = NULL;
  bool stages = false;
  assert_ok(*state, sst_plan_has_stages(*state, plan_path, &stages));
  assert_true(stages);
  assert_ok(*state, sst_plan_has_stages(*state, path, &stages));
  assert_false(stages);
  assert_ok(*state, sst_plan_open(*state, plan_path, NULL, 0, &plan));
  assert_int_equal(plan->stages[0].recipe->train.epochs, 4);
  assert_int_equal(plan->stages[0].recipe->train.batch, 20);
  sst_plan_close(*state, plan);
  file = fopen(path, "w");
  fputs("student: {model: mlp}\ntrain:\n  epoch: 4\n", file);
  fclose(file);
  assert_fails(*state, SST_RECIPE, sst_plan_open(*state, plan_path, NULL, 0, &plan), "one.yaml:3: unknown key 'epoch'");
  char base[TEST_PATH_SIZE]; // which may extend another one
  file = fopen(test_path(base, folder, "base.yaml"), "w");
  fputs("student: {model: mlp, hidden: 9}\n", file);
  fclose(file);
  file = fopen(path, "w");
  fputs("extends: base.yaml\ntrain: {epochs: 7}\n", file);
  fclose(file);
  assert_ok(*state, sst_plan_open(*state, plan_path, NULL, 0, &plan));
  assert_int_equal(plan->stages[0].recipe->train.epochs, 7);
  assert_int_equal(plan->stages[0].recipe->student.builder_options.hidden, 9);
  sst_plan_close(*state, plan);
  remove(path);
  assert_fails(*state, SST_NOT_FOUND, sst_plan_open(*state, plan_path, NULL, 0, &plan), "stage 'a': ");
  temp_folder_remove(folder);
}

static void test_what_is_refused(void **state) {
#define STAGE "{name: a, recipe: {student: {kind: ann, model: mlp}}}"
  static const struct {
    const char *stages, *part;
  } cases[] = {
      {"[]", "stages is a list"},
      {"3", "stages is a single value"},
      {"[3]", "stage 0 is a single value"},
      {"[{recipe: {}}]", "stage 0 has no name"},
      {"[{name: a/b, recipe: {}}]", "stage 0 has another name"},
      {"[{name: student, recipe: {}}]", "called 'student', but so is a section"},
      {"[" STAGE ", " STAGE "]", "stages 0 and 1 are both called 'a'"},
      {"[{name: a}]", "neither `recipe` nor `convert`"},
      {"[{name: a, recipe: {}, convert: {}}]", "both `recipe` and `convert`"},
      {"[{name: a, recipes: {}}]", "nearest is 'recipe'"},
      {"[{name: a, recipe: [1]}]", "recipe of stage 'a' is a list"},
      {"[{name: a, convert: {}}]", "stage 'a' has no convert.from"},
      {"[{name: a, convert: {from: x, percentile: 0}}]", "convert.percentile"},
      {"[{name: a, convert: {from: x, percentle: 1}}]", "nearest is 'percentile'"},
      {"[{name: a, convert: {from: x, timesteps: [2, 1]}}]", "convert.timesteps has '1' at place 1"},
      {"[{name: a, convert: {from: x, timesteps: []}}]", "convert.timesteps is empty"},
      {"[" STAGE ", {name: b, convert: {from: stage:c}}]",
       "stage 'b' takes its convert.from from stage 'c', but no stage before it has that name; there are a"},
      {"[{name: b, recipe: {student: {model: mlp}, teacher: stage:b}}]",
       "stage 'b' takes its teacher from stage 'b', but no stage before it has that name"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    sst_plan *plan = NULL;
    snprintf(text, sizeof text, "data: {name: digits}\nstages: %s\n", cases[i].stages);
    assert_fails(*state, SST_RECIPE, sst_plan_from_text(*state, "x.yaml", text, NULL, 0, &plan), cases[i].part);
    assert_null(plan);
    assert_memory_equal(sst_context_message(*state), "x.yaml:", 7); // and where
  }
  sst_recipe *recipe = NULL;
  assert_fails(*state, SST_RECIPE, sst_recipe_from_text(*state, "x.yaml", plan_text, NULL, 0, &recipe),
               "x.yaml:3: has stages");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_stages_share_keys),
      TEST(test_overrides),
      TEST(test_files),
      TEST(test_what_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
