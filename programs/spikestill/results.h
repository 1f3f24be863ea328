// SPDX-License-Identifier: Apache-2.0
// Printing what a run came to.
#ifndef SPIKESTILL_PROGRAM_RESULTS_H
#define SPIKESTILL_PROGRAM_RESULTS_H

#include "spikestill/run.h"

// Both return the exit code. The JSON form is the run directory's result.json as it stands.
int print_result(const char *folder, const sst_run_result *result);
int print_result_json(const char *folder);

// A record as it stands in its file. Returns the exit code.
int print_record(const char *path);

// "note: ..." on standard error, as import and export call it; `user` is not looked at.
void print_note(void *user, const char *line);

#endif
