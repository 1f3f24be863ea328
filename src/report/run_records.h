// SPDX-License-Identifier: Apache-2.0
// What run directories hold, read for a report: records alone, no data and no network.
#ifndef SPIKESTILL_REPORT_RUN_RECORDS_H
#define SPIKESTILL_REPORT_RUN_RECORDS_H

#include "base/json.h"
#include "base/yaml_tree.h"
#include "spikestill/energy.h"

enum { SSTI_LABEL_SIZE = 96 };

// A run. What the directory does not have is NULL: a run that is still going on has no result yet, one that was
// converted has no history.
typedef struct ssti_run_records {
  char *folder;
  char label[SSTI_LABEL_SIZE]; // the folder's last name, or all of it where two runs share that
  char *recipe_text;
  ssti_yaml_tree *recipe;
  bool spiking;
  json_t *result, *environment, *mistakes, *activity; // the last two are checked (run_records_check.h)
  json_t *history, *timing;                           // lists of objects, maybe empty
  double seconds;                                     // of all sittings, from timing.jsonl; NAN without it
  sst_cost_record *costs;
  sst_energy *energy[SST_ENERGY_MODEL_COUNT]; // NULL where the model cannot judge the network
} ssti_run_records;

// All runs of a report, and the table of the sweep if one was given.
typedef struct ssti_run_list {
  sst_context *context;
  ssti_run_records *runs;
  int count;
  size_t capacity;
  char **summaries; // [summary_count] summary.csv of each sweep
  int summary_count;
  size_t summary_capacity;
} ssti_run_list;

// Reads what `path` holds and adds it: a run directory, that of a recipe of stages with
// all of them, or a sweep's folder with all its complete runs. Errors: NOT_FOUND
// (neither), FORMAT (a record that is cut short or is none), IO.
sst_status ssti_run_list_add(ssti_run_list *list, const char *path);
// Gives labels, once all are there.
sst_status ssti_run_list_label(ssti_run_list *list);
void ssti_run_list_free(ssti_run_list *list);

// A text cut to a label's size, at the border of a character and with an ellipsis.
void ssti_label_copy(char out[SSTI_LABEL_SIZE], const char *text);

// A line record: a list of the objects of its complete lines. A last line without its end is what a kill leaves, and
// left out. Owned by the caller (json_decref). Errors: FORMAT with the line.
sst_status ssti_lines_parse(sst_context *context, const char *name, const char *text, size_t size, json_t **out);

// A number of an object; NAN if there is none.
double ssti_number_of(const json_t *object, const char *key);

#endif
