// SPDX-License-Identifier: Apache-2.0
// A state dictionary read, listed and written while memory runs out or a file operation is refused: nothing leaks, the
// network is unchanged or complete, and no half of a file is left.
#include "faults.h"

#include <unistd.h>

#include "base/fail.h"
#include "spikestill/run.h"
#include "spikestill/safetensors.h"

typedef struct scene {
  char folder[TEST_PATH_SIZE], file[TEST_PATH_SIZE];
} scene;

static sst_status open_golden(sst_context *context, sst_network **out) {
  char path[TEST_PATH_SIZE];
  return sst_network_open(context, test_source_path(path, "tests/golden/state/named.yaml"), NULL, 0, out);
}

static float first_weight(sst_network *network) {
  return *sst_parameters_at(sst_network_parameters(network), 0)->value;
}

static sst_status read_and_list(sst_context *context, void *user) {
  (void)user;
  char path[TEST_PATH_SIZE], map[TEST_PATH_SIZE], *text = (char *)&context; // a failure has to overwrite it
  test_source_path(path, "tests/golden/state/named.safetensors");
  test_source_path(map, "tests/golden/state/named.map");
  const sst_state_options options = {.map = map};
  sst_network *network = NULL;
  SST_TRY(open_golden(context, &network));
  const float before = first_weight(network);
  sst_status status = sst_network_import_state(network, path, &options);
  assert_true((first_weight(network) == before) == (status != SST_OK));
  if (status == SST_OK) {
    status = sst_network_print_map(network, path, &options, &text);
    if (status != SST_OK) { assert_null(text); }
    if (status == SST_OK) { sst_state_text_free(context, text); }
  }
  sst_network_close(network);
  return status;
}

static sst_status write_out(sst_context *context, void *user) {
  const scene *s = user;
  sst_network *network = NULL;
  SST_TRY(open_golden(context, &network));
  sst_status status = sst_network_export_state(network, s->file, &(sst_state_options){0});
  sst_network_close(network);
  return status;
}

// The file is whole or not there, and nothing is left beside it.
static void look(void *user, sst_status status) {
  const scene *s = user;
  const int left = temp_folder_entries(s->folder);
  assert_in_range(left, status == SST_OK, 1);
  if (left == 0) { return; }
  sst_context *context = test_context();
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, s->file, &file)); // renamed before what failed
  sst_safetensors_close(file);
  test_context_end(context);
  unlink(s->file);
}

static void try_all(fault_action *action, fault_kind kind, uint64_t least) {
  scene s;
  temp_folder_make(s.folder);
  test_path(s.file, s.folder, "net.safetensors");
  const fault_trial trial = {.action = action, .look = action == write_out ? look : NULL, .scene = &s, .kind = kind};
  assert_in_range(try_every_fault(&trial), least, 5000);
  temp_folder_remove(s.folder);
}

static void test_reading(void **state) {
  (void)state;
  try_all(read_and_list, FAULT_MEMORY, 50);
  try_all(read_and_list, FAULT_OPERATION, 3);
}

static void test_writing(void **state) {
  (void)state;
  try_all(write_out, FAULT_MEMORY, 50);
  try_all(write_out, FAULT_OPERATION, 3);
}

int main(void) {
  // Hundreds of flushes to a disk take their time.
  if (access("/dev/shm", W_OK) == 0) { setenv("TMPDIR", "/dev/shm", 1); }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_writing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
