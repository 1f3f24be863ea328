// SPDX-License-Identifier: Apache-2.0
// C source written while memory runs out or a file operation is refused: the whole folder is there, or nothing of it.
#include "faults.h"

#include "base/file.h"
#include "random_integer_network.h"
#include "spikestill/c_source.h"

enum { FILE_COUNT = 10 };

typedef struct scene {
  char folder[TEST_PATH_SIZE], out[TEST_PATH_SIZE];
  sst_integer_network *network;
} scene;

// The network speaks to the context of the trial.
static sst_status write_source(sst_context *context, void *user) {
  const scene *s = user;
  sst_integer_network network = *s->network;
  network.context = context;
  return sst_c_source_write(&network, s->out, &(sst_c_source_options){.name = "net", .samples = 1}, NULL);
}

static void look(void *user, sst_status status) {
  const scene *s = user;
  if (status != SST_OK) {
    assert_int_equal(temp_folder_entries(s->folder), 0);
    return;
  }
  assert_int_equal(temp_folder_entries(s->out), FILE_COUNT);
  temp_folder_remove(s->out);
}

static void test_faults(void **state) {
  scene s = {.network = random_integer_network(*state, 5, NULL)};
  temp_folder_make(s.folder);
  test_path(s.out, s.folder, "net");
  fault_trial trial = {.action = write_source, .look = look, .scene = &s, .kind = FAULT_MEMORY};
  assert_in_range(try_every_fault(&trial), 30, 10000);
  trial.kind = FAULT_OPERATION;
  assert_in_range(try_every_fault(&trial), 3 * FILE_COUNT, 10000);
  trial.kind = FAULT_FULL_DISK;
  assert_in_range(try_every_fault(&trial), 3 * FILE_COUNT, 10000);
  sst_integer_network_free(s.network);
  temp_folder_remove(s.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_faults)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
