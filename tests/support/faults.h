// SPDX-License-Identifier: Apache-2.0
// Doing something again and again, each time with another fault, until it meets none.
#ifndef SPIKESTILL_TESTS_FAULTS_H
#define SPIKESTILL_TESTS_FAULTS_H

#include "support.h"

typedef enum fault_kind {
  FAULT_MEMORY,    // the k-th allocation gives nothing
  FAULT_OPERATION, // the k-th file operation is refused
  FAULT_FULL_DISK  // and every later one
} fault_kind;

// Does it and frees what it made; on failure there must be nothing to free.
typedef sst_status fault_action(sst_context *context, void *scene);
// Looks at what is left, with no fault in the way. `status` is what the action gave.
typedef void fault_look(void *scene, sst_status status);

typedef struct fault_trial {
  fault_action *action;
  fault_look *look; // may be NULL
  void *scene;
  fault_kind kind;
  uint64_t dense; // every one of the first so many is tried, then one in seven; 0: every one
  bool shrugs;    // some faults cost nothing that matters, and the action succeeds; else each is a failure
} fault_trial;

// Tries all faults and returns how many there were. The context's end notices what was not given back.
static inline uint64_t try_every_fault(const fault_trial *trial) {
  const bool memory = trial->kind == FAULT_MEMORY;
  const sst_status expected = memory ? SST_OUT_OF_MEMORY : SST_IO;
  uint64_t k = 1, faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.stays = trial->kind == FAULT_FULL_DISK};
    *(memory ? &plan.allocation : &plan.operation) = k;
    sst_context *context = fault_context(&plan);
    sst_status status = trial->action(context, trial->scene);
    met = fault_met(&plan);
    if (status != (met ? expected : SST_OK) && !(status == SST_OK && trial->shrugs)) {
      fail_msg("%s %llu: gave %s (%s), expected %s", memory ? "allocation" : "operation", (unsigned long long)k,
               sst_status_name(status), sst_context_message(context), sst_status_name(met ? expected : SST_OK));
    }
    if (status != SST_OK) { assert_true(strlen(sst_context_message(context)) > 10); }
    test_context_end(context);
    if (trial->look != NULL) { trial->look(trial->scene, status); }
    k += trial->dense == 0 || k < trial->dense ? 1 : 7;
  }
  return faults;
}

#endif
