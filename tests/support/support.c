// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <dirent.h>
#include <ftw.h>
#include <unistd.h>

int temp_folder_entries(const char *path) {
  DIR *folder = opendir(path);
  assert_non_null(folder);
  int count = 0;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) { count++; }
  }
  closedir(folder);
  return count;
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where) {
  (void)about;
  (void)kind;
  (void)where;
  return remove(path);
}

void temp_folder_remove(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

static bool is_fault(uint64_t number, uint64_t at, bool stays) {
  return at != 0 && (number == at || (stays && number > at));
}

static void *fault_allocate(void *user, size_t bytes) {
  fault_plan *plan = user;
  // Worker threads allocate too.
  if (plan->armed) {
    uint64_t number = __atomic_add_fetch(&plan->allocations, 1, __ATOMIC_SEQ_CST);
    if (is_fault(number, plan->allocation, plan->stays)) { return NULL; }
  }
  return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static void fault_release(void *user, void *memory) {
  (void)user;
  free(memory);
}

static bool fault_gate(void *user, const char *operation, const char *path) {
  (void)operation;
  (void)path;
  fault_plan *plan = user;
  uint64_t number = __atomic_add_fetch(&plan->operations, 1, __ATOMIC_SEQ_CST);
  return !is_fault(number, plan->operation, plan->stays);
}

sst_context *fault_context(fault_plan *plan) {
  sst_context *context = NULL;
  const sst_context_options options = {
      .allocator = {fault_allocate, fault_release, plan},
      .io_gate = fault_gate,
      .io_gate_user = plan,
      .threads = 1, // one order of allocations
  };
  plan->armed = false;
  assert_int_equal(sst_context_create(&options, &context), SST_OK);
  plan->armed = true;
  plan->allocations = 0;
  plan->operations = 0;
  return context;
}

bool fault_met(const fault_plan *plan) {
  return (plan->allocation != 0 && plan->allocations >= plan->allocation) ||
         (plan->operation != 0 && plan->operations >= plan->operation);
}
