// SPDX-License-Identifier: Apache-2.0
// NIR files read, written and made of a network while memory runs out or a file operation is refused: a graph is whole
// or not there, nothing leaks, and the file that was there stays or is replaced by a whole one.
#include "faults.h"

#include <unistd.h>

#include "base/file.h"
#include "spikestill/nir.h"
#include "spikestill/run.h"

typedef struct scene {
  char folder[TEST_PATH_SIZE], file[TEST_PATH_SIZE], recipe[TEST_PATH_SIZE];
  char *old, *whole; // bytes of the file before and after
  size_t old_size, whole_size;
} scene;

static const char *const names[] = {"chain", "nested"};

static sst_status read_golden(sst_context *context, const char *name, sst_nir_graph **out) {
  char path[TEST_PATH_SIZE], file[64];
  snprintf(file, sizeof file, "tests/golden/nir/%s.nir", name);
  *out = (sst_nir_graph *)&context; // a failure has to overwrite it
  sst_status status = sst_nir_read(context, test_source_path(path, file), out);
  if (status != SST_OK) { assert_null(*out); }
  return status;
}

static sst_status read_all(sst_context *context, void *user) {
  (void)user;
  for (int i = 0; i < 2; i++) {
    sst_nir_graph *graph = NULL;
    SST_TRY(read_golden(context, names[i], &graph));
    assert_true(graph->node_count > 1 && graph->edge_count > 1);
    sst_nir_destroy(graph);
  }
  return SST_OK;
}

static sst_status write_other(sst_context *context, void *user) {
  const scene *s = user;
  sst_nir_graph *graph = NULL;
  SST_TRY(read_golden(context, "nested", &graph));
  sst_status status = sst_nir_write(graph, s->file);
  sst_nir_destroy(graph);
  return status;
}

static sst_status export_network(sst_context *context, void *user) {
  const scene *s = user;
  sst_network *network = NULL;
  SST_TRY(sst_network_open(context, s->recipe, NULL, 0, &network));
  sst_nir_export_options options = {.target = SST_NIR_TARGET_SPIKINGJELLY};
  sst_status status = sst_network_export_nir(network, s->file, &options);
  sst_network_close(network);
  return status;
}

static void read_bytes(const scene *s, char **data, size_t *size) {
  sst_context *context = test_context();
  char *block = NULL;
  assert_ok(context, ssti_file_read(context, s->file, 0, &block, size));
  *data = malloc(*size + 1);
  memcpy(*data, block, *size);
  ssti_free(context, block);
  test_context_end(context);
}

// The old file, as it was; or the new one: the last step, a flush of the folder, comes after the rename.
static void look_at_file(void *user, sst_status status) {
  scene *s = user;
  char *found = NULL;
  size_t size = 0;
  assert_int_equal(temp_folder_entries(s->folder), 2);
  read_bytes(s, &found, &size);
  const bool replaced = size == s->whole_size && memcmp(found, s->whole, size) == 0;
  if (!replaced) {
    assert_true(status != SST_OK);
    assert_int_equal(size, s->old_size);
    assert_memory_equal(found, s->old, size);
  }
  free(found);
  sst_context *context = test_context();
  assert_ok(context, ssti_file_write(context, s->file, s->old, s->old_size));
  test_context_end(context);
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  test_path(s->file, s->folder, "network.nir");
  FILE *file = fopen(test_path(s->recipe, s->folder, "recipe.yaml"), "w");
  assert_non_null(file);
  fputs("name: small\ndevice: cpu-ref\ndata: {name: digits}\n"
        "student: {timesteps: 2, layers: [conv: {out: 2, stride: 4}, norm, act, flatten, linear: {out: 5}, act, "
        "linear]}\n",
        file);
  fclose(file);
  sst_context *context = test_context();
  sst_nir_graph *graph = NULL;
  assert_ok(context, read_golden(context, "chain", &graph));
  assert_ok(context, sst_nir_write(graph, s->file));
  sst_nir_destroy(graph);
  read_bytes(s, &s->old, &s->old_size);
  test_context_end(context);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  free(s->old);
  free(s->whole);
  free(s);
  return 0;
}

// Faults of an action that replaces the file.
static void try_writing(scene *s, fault_action *action, fault_kind kind, uint64_t dense, uint64_t fewest) {
  sst_context *context = test_context();
  assert_ok(context, action(context, s));
  test_context_end(context);
  free(s->whole);
  read_bytes(s, &s->whole, &s->whole_size);
  assert_true(s->whole_size != s->old_size || memcmp(s->whole, s->old, s->old_size) != 0);
  look_at_file(s, SST_OK); // puts the old one back
  const fault_trial trial = {.action = action, .look = look_at_file, .scene = s, .kind = kind, .dense = dense};
  assert_in_range(try_every_fault(&trial), fewest, 10000);
}

static void test_reading(void **state) {
  fault_trial trial = {.action = read_all, .scene = *state, .kind = FAULT_MEMORY};
  assert_in_range(try_every_fault(&trial), 50, 10000);
  trial.kind = FAULT_OPERATION;
  assert_in_range(try_every_fault(&trial), 2, 100);
}

static void test_writing(void **state) {
  try_writing(*state, write_other, FAULT_MEMORY, 0, 50);
  try_writing(*state, write_other, FAULT_OPERATION, 0, 5);
  try_writing(*state, write_other, FAULT_FULL_DISK, 0, 5);
}

static void test_exporting(void **state) {
  try_writing(*state, export_network, FAULT_MEMORY, 100, 100);
  try_writing(*state, export_network, FAULT_OPERATION, 0, 5);
}

int main(void) {
#ifndef SPIKESTILL_HAS_HDF5
  printf("skipped: built without libhdf5\n");
  return 77;
#else
  // Hundreds of flushes to a disk take their time.
  if (access("/dev/shm", W_OK) == 0) { setenv("TMPDIR", "/dev/shm", 1); }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reading),
      cmocka_unit_test(test_writing),
      cmocka_unit_test(test_exporting),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
#endif
}
