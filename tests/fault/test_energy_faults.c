// SPDX-License-Identifier: Apache-2.0
// Cost records, shapes files, constants and estimates while memory runs out, ours and the JSON library's, or files
// cannot be read: nothing leaks, and a record is whole or not there.
#include <jansson.h>

#include "faults.h"

#include "spikestill/energy.h"

typedef struct scene {
  char shapes[TEST_PATH_SIZE], constants[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  char *text; // a record's
} scene;

static void put_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  put_file(test_path(s->shapes, s->folder, "shapes.yaml"),
           "timesteps: 3\nrate: 0.25\nlayers:\n"
           "  - {in_channels: 3, out_channels: 8, in_size: 8, out_size: 8}\n"
           "  - {in_channels: 8, out_channels: 16, in_size: 8, out_size: 4, name: second}\n");
  put_file(test_path(s->constants, s->folder, "constants.yaml"), "clock_mhz: 100\nadc_pj: 3\n");
  sst_context *context = test_context();
  sst_cost_record *record = NULL;
  assert_ok(context, sst_cost_record_from_shapes(context, s->shapes, &record));
  snprintf(record->network, sizeof record->network, "two layers");
  char *text = NULL;
  assert_ok(context, sst_cost_record_text(record, &text));
  s->text = strdup(text);
  sst_energy_text_free(context, text);
  sst_cost_record_destroy(record);
  test_context_end(context);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  free(s->text);
  free(s);
  return 0;
}

static sst_status parse(sst_context *context, const scene *s, sst_cost_record **out) {
  *out = (sst_cost_record *)&context; // a failure has to overwrite it
  sst_status status = sst_cost_record_parse(context, "costs.json", s->text, strlen(s->text), out);
  if (status != SST_OK) { assert_null(*out); }
  return status;
}

static sst_status write_again(const sst_cost_record *record, const scene *s) {
  char *text = (char *)&text;
  sst_status status = sst_cost_record_text(record, &text);
  if (status == SST_OK) {
    assert_string_equal(text, s->text);
    sst_energy_text_free(record->context, text);
  } else {
    assert_null(text);
  }
  return status;
}

static sst_status estimate_all(const sst_cost_record *record, const sst_technology *technology) {
  for (int i = 0; i < SST_ENERGY_MODEL_COUNT; i++) {
    sst_energy *energy = (sst_energy *)&i;
    sst_status status = sst_energy_estimate((sst_energy_model)i, record, technology, &energy);
    if (status != SST_OK) {
      assert_null(energy);
      return status;
    }
    assert_true(energy->energy_pj > 0);
    sst_energy_destroy(energy);
  }
  return SST_OK;
}

static sst_status judge(sst_context *context, void *user) {
  const scene *s = user;
  sst_cost_record *record = NULL, *ann = NULL, *shapes = NULL;
  sst_technology *technology = NULL;
  char *text = NULL;
  sst_status status = parse(context, s, &record);
  if (status == SST_OK) { status = write_again(record, s); }
  if (status == SST_OK) { status = sst_cost_record_as_ann(record, 8, &ann); }
  if (status == SST_OK) { status = sst_cost_record_from_shapes(context, s->shapes, &shapes); }
  if (status == SST_OK) { status = sst_technology_create(context, &technology); }
  if (status == SST_OK) { status = sst_technology_read(technology, s->constants); }
  if (status == SST_OK) { status = sst_technology_text(technology, &text); }
  if (status == SST_OK) { status = estimate_all(shapes, technology); }
  if (status == SST_OK) { status = estimate_all(ann, technology); }
  sst_energy_text_free(context, text);
  sst_technology_destroy(technology);
  sst_cost_record_destroy(shapes);
  sst_cost_record_destroy(ann);
  sst_cost_record_destroy(record);
  return status;
}

static void test_memory(void **state) {
  const fault_trial trial = {.action = judge, .scene = *state, .kind = FAULT_MEMORY};
  assert_in_range(try_every_fault(&trial), 30, 5000);
}

static void test_operations(void **state) {
  const fault_trial trial = {.action = judge, .scene = *state, .kind = FAULT_OPERATION};
  assert_in_range(try_every_fault(&trial), 2, 100);
}

// ---- the JSON library's memory

static uint64_t json_calls, json_fault;
static int64_t json_blocks;
static void *json_allocate(size_t size) {
  if (++json_calls == json_fault) { return NULL; }
  json_blocks++;
  return malloc(size);
}
static void json_release(void *block) {
  if (block != NULL) { json_blocks--; }
  free(block);
}

// Every allocation of writing a record, or of reading one, fails once.
static uint64_t try_json_faults(const scene *s, const sst_cost_record *record) {
  uint64_t k = 1;
  for (bool met = true; met; k++) {
    sst_context *context = test_context();
    sst_cost_record *found = NULL;
    json_calls = 0;
    json_fault = k;
    sst_status status = record != NULL ? write_again(record, s) : parse(context, s, &found);
    met = json_calls >= k;
    json_fault = 0;
    if (status != SST_OK) {
      assert_true(met);
      // The JSON library's parser tells some of its failures as an invalid token.
      assert_true(status == SST_OUT_OF_MEMORY || (status == SST_FORMAT && record == NULL));
    } else if (found != NULL) {
      assert_ok(context, write_again(found, s));
    }
    assert_int_equal(json_blocks, 0);
    sst_cost_record_destroy(found);
    test_context_end(context);
  }
  return k;
}

static void test_json_memory(void **state) {
  const scene *s = *state;
  sst_context *context = test_context();
  sst_cost_record *record = NULL;
  json_set_alloc_funcs(json_allocate, json_release);
  assert_ok(context, parse(context, s, &record));
  assert_in_range(try_json_faults(s, record), 50, 5000);
  assert_in_range(try_json_faults(s, NULL), 50, 5000);
  sst_cost_record_destroy(record);
  test_context_end(context);
  json_set_alloc_funcs(malloc, free);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_operations),
      cmocka_unit_test(test_json_memory),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
