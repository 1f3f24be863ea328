// SPDX-License-Identifier: Apache-2.0
// The run directory's files: names, line records, JSON records.
#ifndef SPIKESTILL_RUN_FOLDER_H
#define SPIKESTILL_RUN_FOLDER_H

#include "base/json.h"
#include "spikestill/run.h"

typedef struct ssti_run_folder {
  sst_context *context;
  char *folder, *recipe, *environment, *history, *timing, *checkpoint, *best, *costs, *mistakes, *activity, *conversion,
      *result;
  int lock; // file descriptor of the locked folder; 0: not locked
} ssti_run_folder;

// Fills in the paths (makes nothing on the disk) and frees them.
sst_status ssti_run_folder_open(sst_context *context, const char *folder, ssti_run_folder *out);
void ssti_run_folder_close(ssti_run_folder *run);

// Errors: INVALID_ARGUMENT if the folder holds a run already. Changes nothing.
sst_status ssti_run_folder_vacant(const ssti_run_folder *run);

// Makes the folder for a new run and takes it (ssti_run_folder_take). A folder that holds a run already is an error
// unless `overwrite`, which removes the old run's files.
sst_status ssti_run_folder_begin(ssti_run_folder *run, bool overwrite);

// Keeps other processes from training in the folder until it is closed or this process ends, and removes the
// temporary files of a process that was killed. Errors: INVALID_ARGUMENT if another process trains there.
sst_status ssti_run_folder_take(ssti_run_folder *run);

// A complete run's result.json, read back; numbers that it does not have are NAN.
sst_status ssti_run_read_result(const ssti_run_folder *run, sst_run_result *out);

// The first line in which two texts differ: its number, from 1, and where it starts in each.
int ssti_first_difference(const char **a, const char **b);

// Writes a JSON value whole; takes the value (json_decref), also on failure.
sst_status ssti_run_write_json(sst_context *context, const char *path, json_t *value);
// Appends a JSON value as one line; takes the value.
sst_status ssti_run_append_json(sst_context *context, const char *path, json_t *value);

// Cuts a line record back to its first `lines` complete lines (a killed run may have left more, or half a line), or
// with SSTI_ALL_LINES to those that are complete. Errors: FORMAT if there are fewer.
enum { SSTI_ALL_LINES = -1 };
sst_status ssti_run_cut_lines(sst_context *context, const char *path, int64_t lines);

// Sum over a line record of a number field.
sst_status ssti_run_sum_field(sst_context *context, const char *path, const char *field, double *out);

// environment.json: version, compiler, processor, threads, device, the moment.
sst_status ssti_run_write_environment(const ssti_run_folder *run, const sst_recipe *recipe);

#endif
