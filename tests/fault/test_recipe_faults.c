// SPDX-License-Identifier: Apache-2.0
// Every allocation and every file operation of reading and printing a recipe fails once: the status is right, *out is
// NULL, no memory is lost.
#include "../support/support.h"

#include "base/file.h"
#include "spikestill/recipe.h"

static const char text[] = "data: {name: mnist, mean: [0.1307], augment: {flip: true}}\n"
                           "student: {kind: snn, model: cnn, neuron: {model: lif}}\n"
                           "teacher: runs/teacher\n"
                           "distill:\n"
                           "  - {method: kd, weight: 0.5}\n"
                           "  - {method: kd, teacher_temperature: 2}\n";
static const char layers_text[] = "data: {name: mnist}\n"
                                  "student: {layers: [{conv: {out: 3}}, norm, act, {linear: {bias: true}}]}\n";
static const char bad_text[] = "data: {name: mnist}\nstudent: {model: cnn}\nloss: {qqqqqqqqqqq: 3}\n";
static const char *const overrides[] = {"train.epochs=3", "seed=[1"};

// Reads from memory and prints; on failure nothing is left.
static sst_status read_and_print(sst_context *context, const char *yaml, int override_count) {
  sst_recipe *recipe = (sst_recipe *)&context;
  const sst_status status = sst_recipe_from_text(context, "x.yaml", yaml, overrides, override_count, &recipe);
  if (status != SST_OK) {
    assert_null(recipe);
    return status;
  }
  char *printed = (char *)&context;
  const sst_status print_status = sst_recipe_text(context, recipe, &printed);
  if (print_status == SST_OK) {
    sst_recipe_text_free(context, printed);
  } else {
    assert_null(printed);
  }
  sst_recipe_close(context, recipe);
  return print_status;
}

static void try_memory(const char *yaml, int override_count, sst_status without_fault) {
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.allocation = faults + 1};
    sst_context *context = fault_context(&plan);
    const sst_status status = read_and_print(context, yaml, override_count);
    met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : without_fault);
    test_context_end(context);
  }
  assert_in_range(faults, 10, 10000);
}

static void test_memory(void **state) {
  (void)state;
  try_memory(text, 1, SST_OK);
  try_memory(layers_text, 1, SST_OK);
  try_memory(bad_text, 1, SST_RECIPE);
  try_memory(layers_text, 2, SST_RECIPE);
}

static void test_reference_memory(void **state) {
  (void)state;
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.allocation = faults + 1};
    sst_context *context = fault_context(&plan);
    char *reference = NULL;
    const sst_status status = sst_recipe_reference(context, &reference);
    met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    sst_recipe_text_free(context, reference);
    test_context_end(context);
  }
  assert_in_range(faults, 3, 10000);
}

static void test_operations(void **state) {
  (void)state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "x.yaml");
  sst_context *plain = test_context();
  assert_ok(plain, ssti_file_write(plain, path, text, strlen(text)));
  test_context_end(plain);
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.operation = faults + 1};
    sst_context *context = fault_context(&plan);
    sst_recipe *recipe = NULL;
    const sst_status status = sst_recipe_open(context, path, NULL, 0, &recipe);
    met = fault_met(&plan);
    assert_int_equal(status, met ? SST_IO : SST_OK);
    if (met) { assert_non_null(strstr(sst_context_message(context), "x.yaml")); }
    sst_recipe_close(context, recipe);
    test_context_end(context);
  }
  assert_in_range(faults, 2, 100);
  temp_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_reference_memory),
      cmocka_unit_test(test_operations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
