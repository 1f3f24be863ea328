// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "spikestill/sweep.h"

static const char recipe_text[] = "data: {name: digits}\nstudent: {model: mlp, hidden: 16, timesteps: 2}\n";

typedef struct frame {
  char folder[TEST_PATH_SIZE], recipe[TEST_PATH_SIZE], list[TEST_PATH_SIZE], out[TEST_PATH_SIZE];
} frame;

static void frame_make(sst_context *context, frame *f) {
  temp_folder_make(f->folder);
  test_path(f->recipe, f->folder, "tiny.yaml");
  test_path(f->list, f->folder, "list");
  test_path(f->out, f->folder, "out");
  assert_ok(context, ssti_file_write(context, f->recipe, recipe_text, strlen(recipe_text)));
}

static sst_status plan_grid(sst_context *context, const frame *f, int seeds, int count, const char *const *vary,
                            sst_sweep **out) {
  sst_sweep_options options = {.recipe = f->recipe, .out = f->out, .vary = vary, .vary_count = count, .seeds = seeds};
  return sst_sweep_plan(context, &options, out);
}

static sst_status plan_list(sst_context *context, const frame *f, const char *text, sst_sweep **out) {
  assert_ok(context, ssti_file_write(context, f->list, text, strlen(text)));
  sst_sweep_options options = {.recipe = f->recipe, .out = f->out, .list = f->list, .seeds = 1};
  return sst_sweep_plan(context, &options, out);
}

// ---- numbers ----

static void test_statistics(void **state) {
  (void)state;
  double mean = 0, deviation = 0;
  sst_sweep_statistics((const double[]){2, 4, 9}, 3, &mean, &deviation);
  assert_near(mean, 5, 1e-15, 0);
  assert_near(deviation, sqrt(13), 1e-15, 0); // (9 + 1 + 16) / 2
  sst_sweep_statistics((const double[]){7}, 1, &mean, &deviation);
  assert_near(mean, 7, 0, 0);
  assert_true(isnan(deviation));
  sst_sweep_statistics(NULL, 0, &mean, &deviation);
  assert_true(isnan(mean) && isnan(deviation));
}

static void test_front_by_hand(void **state) {
  (void)state;
  const double accuracy[] = {0.9, 0.8, 0.9, 0.7, 0.9, (double)NAN, 0.99, 0.5};
  const double spikes[] = {100, 50, 120, 60, 100, 1, (double)NAN, 0};
  const bool expected[] = {true, true, false, false, true, false, false, true};
  bool found[8];
  sst_sweep_front(accuracy, spikes, 8, found);
  for (int i = 0; i < 8; i++) { assert_int_equal(found[i], expected[i]); }
}

// For any points: none on the front is dominated, each other one is, by one on the front.
static void test_front_property(void **state) {
  (void)state;
  enum { MOST = 40 };
  for (uint64_t trial = 0; trial < 500; trial++) {
    double accuracy[MOST], spikes[MOST];
    bool front[MOST];
    int count = 1 + (int)ssti_random_below(1, trial, 0, MOST);
    for (int i = 0; i < count; i++) { // few different values, so that there are ties
      accuracy[i] = (double)ssti_random_below(2, trial, (uint64_t)i, 12);
      spikes[i] = (double)ssti_random_below(3, trial, (uint64_t)i, 12);
    }
    sst_sweep_front(accuracy, spikes, count, front);
    for (int i = 0; i < count; i++) {
      bool by_any = false, by_front = false;
      for (int j = 0; j < count; j++) {
        bool dominates = accuracy[j] >= accuracy[i] && spikes[j] <= spikes[i] &&
                         (accuracy[j] != accuracy[i] || spikes[j] != spikes[i]);
        by_any = by_any || dominates;
        by_front = by_front || (dominates && front[j]);
      }
      assert_int_equal(front[i], !by_any);
      assert_int_equal(front[i], !by_front);
    }
  }
}

// ---- plans ----

static void test_grid(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  const char *vary[] = {"student.timesteps=1, 2", "distill.0={method: tet, weight: 0.5},{method: tet, weight: 1}"};
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_grid(context, &f, 2, 2, vary, &sweep));
  assert_int_equal(sweep->key_count, 2);
  assert_string_equal(sweep->keys[1], "distill.0");
  assert_int_equal(sweep->combination_count, 4);
  const char *expected[4][2] = {{"1", "{method: tet, weight: 0.5}"},
                                {"1", "{method: tet, weight: 1}"},
                                {"2", "{method: tet, weight: 0.5}"},
                                {"2", "{method: tet, weight: 1}"}};
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 2; k++) { assert_string_equal(sweep->combinations[i].values[k], expected[i][k]); }
  }
  assert_string_equal(sweep->combinations[3].label, "student.timesteps=2 distill.0={method: tet, weight: 1}");
  assert_int_equal(sweep->run_count, 8);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(sweep->runs[i].combination, i / 2);
    assert_int_equal(sweep->runs[i].seed, 1 + i % 2);
    assert_non_null(strstr(sweep->runs[i].recipe, i % 2 ? "seed: 2\n" : "seed: 1\n"));
    assert_non_null(strstr(sweep->runs[i].recipe, i < 4 ? "timesteps: 1\n" : "timesteps: 2\n"));
  }
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_names(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_grid(context, &f, 1, 2, (const char *[]){"student.timesteps=2", "loss.weight=5e-1"}, &sweep));
  assert_string_equal(sweep->runs[0].name, "runs/student.timesteps=2_loss.weight=5e-1_seed=1");
  sst_sweep_close(sweep);
  assert_ok(context, plan_grid(context, &f, 1, 0, NULL, &sweep));
  assert_string_equal(sweep->runs[0].name, "runs/seed=1");
  assert_string_equal(sweep->combinations[0].label, "tiny");
  sst_sweep_close(sweep);
  // What a folder's name cannot hold is told apart by a checksum, also of another sweep's values.
  char first[TEST_PATH_SIZE];
  assert_ok(context, plan_grid(context, &f, 1, 1, (const char *[]){"data.mean=[0.1],[ 0.1]"}, &sweep));
  snprintf(first, sizeof first, "%s", sweep->runs[0].name);
  assert_string_not_equal(first, sweep->runs[1].name);
  assert_int_equal(strspn(first, "abcdefghijklmnopqrstuvwxyz0123456789./_=-"), strlen(first));
  sst_sweep_close(sweep);
  assert_ok(context, plan_grid(context, &f, 1, 1, (const char *[]){"data.mean=[0.2],[0.1]"}, &sweep));
  assert_string_equal(sweep->runs[1].name, first);
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_the_seed_stands_in_values(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  sst_sweep_options options = {.recipe = f.recipe,
                               .out = f.out,
                               .overrides = (const char *[]){"student.start=first/seed={seed}/{seed}"},
                               .override_count = 1,
                               .vary = (const char *[]){"name=a{seed}b,plain"},
                               .vary_count = 1,
                               .seeds = 2};
  assert_ok(context, sst_sweep_plan(context, &options, &sweep));
  assert_int_equal(sweep->run_count, 4);
  for (int i = 0; i < 4; i++) {
    const char *recipe = sweep->runs[i].recipe;
    assert_non_null(strstr(recipe, i % 2 ? "start: first/seed=2/2\n" : "start: first/seed=1/1\n"));
    assert_non_null(strstr(recipe, i > 1 ? "name: plain\n" : i ? "name: a2b\n" : "name: a1b\n"));
  }
  assert_string_equal(sweep->combinations[0].label, "name=a{seed}b");
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_long_names_are_cut(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  char vary[1024] = "data.root=", *at = vary + strlen(vary);
  for (int i = 0; i < 2; i++) {
    memset(at, 'x', 400);
    at[400] = (char)('a' + i);
    at[401] = i == 0 ? ',' : '\0';
    at += 402;
  }
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_grid(context, &f, 1, 1, (const char *[]){vary}, &sweep));
  assert_in_range(strlen(sweep->runs[0].name), 100, 160);
  assert_string_not_equal(sweep->runs[0].name, sweep->runs[1].name);
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_list(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_list(context, &f,
                               "# a comment\n\n student.timesteps=4\tdistill.0={method: tet, weight: 1}\r\n"
                               "loss.weight=0.5 student.timesteps=1",
                               &sweep));
  assert_int_equal(sweep->combination_count, 2);
  assert_int_equal(sweep->key_count, 3);
  assert_string_equal(sweep->keys[2], "loss.weight");
  assert_string_equal(sweep->combinations[0].values[1], "{method: tet, weight: 1}");
  assert_null(sweep->combinations[0].values[2]);
  assert_string_equal(sweep->combinations[1].values[0], "1");
  assert_null(sweep->combinations[1].values[1]);
  assert_string_equal(sweep->combinations[1].label, "loss.weight=0.5 student.timesteps=1");
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_wrong_plans(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  const struct {
    sst_status status;
    const char *vary[2], *part;
  } grids[] = {
      {SST_INVALID_ARGUMENT, {"student.timesteps"}, "expected key=value,value"},
      {SST_INVALID_ARGUMENT, {"=1"}, "expected key=value,value"},
      {SST_INVALID_ARGUMENT, {"student.timesteps="}, "value 1 is empty"},
      {SST_INVALID_ARGUMENT, {"student.timesteps=1,,2"}, "value 2 is empty"},
      {SST_INVALID_ARGUMENT, {"student.timesteps=1,"}, "value 2 is empty"},
      {SST_INVALID_ARGUMENT, {"data.mean=[1,2"}, "not closed"},
      {SST_INVALID_ARGUMENT, {"data.mean=1]"}, "closed twice"},
      {SST_INVALID_ARGUMENT, {"data.root=\"a"}, "not closed"},
      {SST_INVALID_ARGUMENT, {"student.timesteps=1,1"}, "the combination student.timesteps=1 is there twice"},
      {SST_INVALID_ARGUMENT, {"student.timesteps=1", "student.timesteps=2"}, "'student.timesteps' is varied twice"},
      {SST_INVALID_ARGUMENT, {"seed=1,2"}, "--seeds"},
      {SST_RECIPE, {"train.epochs=1", "student.timestep=1"}, "the combination train.epochs=1 student.timestep=1: "},
  };
  sst_sweep *sweep = NULL;
  for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
    int count = grids[i].vary[1] ? 2 : 1;
    assert_fails(context, grids[i].status, plan_grid(context, &f, 1, count, grids[i].vary, &sweep), grids[i].part);
    assert_null(sweep);
  }
  assert_fails(context, SST_INVALID_ARGUMENT, plan_grid(context, &f, 0, 0, NULL, &sweep), "expected 1 to 1000");
  const char *lists[][2] = {{"", "holds no line"},
                            {"#\n", "holds no line"},
                            {"a=1\nepochs\n", ":2: found 'epochs', expected key=value"},
                            {"a=", "expected key=value"},
                            {"a=1 a=2", ":1: 'a' is given twice"},
                            {"a=[1 b=2", ":1: a bracket"},
                            {"student.timesteps=1\nstudent.timesteps=1\n", "there twice"}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    assert_fails(context, SST_INVALID_ARGUMENT, plan_list(context, &f, lists[i][0], &sweep), lists[i][1]);
  }
  temp_folder_remove(f.folder);
}

static void test_too_many_runs(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  ssti_text vary = ssti_text_begin(context);
  ssti_text_append(&vary, "train.epochs=1");
  for (int i = 2; i <= 101; i++) { ssti_text_append(&vary, ",%d", i); }
  sst_sweep *sweep = NULL;
  assert_fails(context, SST_INVALID_ARGUMENT, plan_grid(context, &f, 100, 1, (const char *[]){vary.data}, &sweep),
               "more runs than");
  ssti_text_free(&vary);
  temp_folder_remove(f.folder);
}

// ---- results ----

static void write_result(sst_sweep *sweep, int run, double accuracy, double spikes) {
  sst_context *context = sweep->context;
  char path[2 * TEST_PATH_SIZE], *text = NULL;
  json_t *value = json_pack("{s:s, s:f, s:n, s:n, s:f, s:i, s:f}", "recipe", sweep->runs[run].recipe, "test_accuracy",
                            accuracy, "test_accuracy_best_by_validation", "validation_accuracy", "spikes_per_inference",
                            spikes, "parameters", 12, "seconds", 0.5);
  assert_ok(context, ssti_json_text(context, value, true, &text));
  json_decref(value);
  assert_ok(context, ssti_folder_make(context, sweep->runs[run].folder));
  snprintf(path, sizeof path, "%s/result.json", sweep->runs[run].folder);
  assert_ok(context, ssti_file_write(context, path, text, strlen(text)));
  ssti_free(context, text);
}

static void assert_file(sst_context *context, const frame *f, const char *name, const char *expected) {
  char path[TEST_PATH_SIZE], *text = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, test_path(path, f->out, name), 0, &text, &size));
  assert_string_equal(text, expected);
  ssti_free(context, text);
}

static void test_results(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  const char *vary[] = {"data.mean=[0.1],\"[0]\",0"};
  assert_fails(context, SST_RECIPE, plan_grid(context, &f, 2, 1, vary, &sweep), "the combination data.mean=");
  vary[0] = "data={name: digits},{name: digits, validation: 0}";
  assert_ok(context, plan_grid(context, &f, 2, 1, vary, &sweep));
  write_result(sweep, 0, 0.5, 10);
  write_result(sweep, 1, 0.75, 30);
  write_result(sweep, 2, 0.5, 20);
  for (int i = 0; i < 4; i++) {
    assert_ok(context, sst_sweep_read(sweep, i));
    assert_int_equal(sweep->runs[i].complete, i < 3);
  }
  sst_sweep_summary summaries[2];
  bool drawable = false;
  assert_ok(context, sst_sweep_summarize(sweep, summaries));
  assert_int_equal(summaries[0].count, 2);
  assert_near(summaries[0].accuracy, 0.625, 0, 0);
  assert_true(summaries[0].on_front && !summaries[1].on_front);
  assert_ok(context, sst_sweep_write(sweep, summaries, &drawable));
  assert_true(drawable);
  assert_file(context, &f, "summary.csv",
              "data,n,test_accuracy_mean,test_accuracy_deviation,spikes_per_inference_mean,"
              "spikes_per_inference_deviation,front\n"
              "{name: digits},2,0.625,0.1767766952966369,20,14.142135623730951,1\n"
              "\"{name: digits, validation: 0}\",1,0.5,,20,,0\n");
  char expected[4096];
  snprintf(expected, sizeof expected,
           "data,seed,test_accuracy,test_accuracy_best_by_validation,validation_accuracy,spikes_per_inference,"
           "parameters,seconds,run\n{name: digits},1,0.5,,,10,12,0.5,%s\n{name: digits},2,0.75,,,30,12,0.5,%s\n"
           "\"{name: digits, validation: 0}\",1,0.5,,,20,12,0.5,%s\n",
           sweep->runs[0].name, sweep->runs[1].name, sweep->runs[2].name);
  assert_file(context, &f, "sweep.csv", expected);
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_an_ann_has_no_spikes(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_list(context, &f, "student.kind=ann student.timesteps=1\n", &sweep));
  write_result(sweep, 0, 0.9, 0);
  assert_ok(context, sst_sweep_read(sweep, 0));
  sst_sweep_summary summary;
  bool drawable = true;
  assert_ok(context, sst_sweep_summarize(sweep, &summary));
  assert_true(isnan(summary.spikes) && !summary.on_front);
  assert_ok(context, sst_sweep_write(sweep, &summary, &drawable));
  assert_false(drawable);
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

static void test_another_recipes_result_is_refused(void **state) {
  sst_context *context = *state;
  frame f;
  frame_make(context, &f);
  sst_sweep *sweep = NULL;
  assert_ok(context, plan_grid(context, &f, 2, 0, NULL, &sweep));
  sweep->runs[0].recipe[0] = 'N';
  write_result(sweep, 0, 0.5, 1);
  sweep->runs[0].recipe[0] = 'n';
  assert_fails(context, SST_MISMATCH, sst_sweep_read(sweep, 0), "holds a run of another recipe");
  char path[2 * TEST_PATH_SIZE];
  snprintf(path, sizeof path, "%s/result.json", sweep->runs[1].folder);
  assert_ok(context, ssti_folder_make(context, sweep->runs[1].folder));
  assert_ok(context, ssti_file_write(context, path, "{}", 2));
  assert_fails(context, SST_FORMAT, sst_sweep_read(sweep, 1), "has no 'recipe', so it is no run's result");
  sst_sweep_close(sweep);
  temp_folder_remove(f.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_statistics),
      TEST(test_front_by_hand),
      TEST(test_front_property),
      TEST(test_grid),
      TEST(test_names),
      TEST(test_the_seed_stands_in_values),
      TEST(test_long_names_are_cut),
      TEST(test_list),
      TEST(test_wrong_plans),
      TEST(test_too_many_runs),
      TEST(test_results),
      TEST(test_an_ann_has_no_spikes),
      TEST(test_another_recipes_result_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
