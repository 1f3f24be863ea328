// SPDX-License-Identifier: Apache-2.0
// A report: one HTML file about one or several runs, made from their records alone (recipe.yaml, history.jsonl,
// timing.jsonl, result.json, costs.json, mistakes.json, activity.json, environment.json), so that it can be made at any
// time and on any machine. The file needs nothing beside it and no network.
//
// Drawings are gnuplot's. Who runs gnuplot is the caller's business (`spikestill report`): its input is the report's
// script, and what it writes to standard output is what sst_report_write takes. Without drawings a report has tables.
#ifndef SPIKESTILL_REPORT_H
#define SPIKESTILL_REPORT_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_report sst_report;

// Reads the records of run directories, of recipes of stages with all stages, and of sweeps' folders with all
// complete runs. At least one path. A run that is
// still going on is in the report with what it has. *out is owned by the caller (sst_report_close).
// Errors: INVALID_ARGUMENT (a run given twice), NOT_FOUND (no folder, or no run in it), FORMAT and RECIPE (a record
// that is damaged, with file and line), IO, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_report_open(sst_context *context, const char *const *paths, int count,
                                                  sst_report **out);
SST_API void sst_report_close(sst_report *report); // NULL is allowed

// Number of runs in it, those of sweeps and stages counted.
SST_API int sst_report_run_count(const sst_report *report);

// Commands that make gnuplot write all figures, as SVG, to its standard output. Lives as long as the report.
SST_API const char *sst_report_script(const sst_report *report);

// Writes the HTML file. `drawings` is what gnuplot wrote, `size` bytes followed by a zero byte; NULL: tables instead,
// and a sentence that says so. Errors: FORMAT (not the drawings of this report), IO, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_report_write(const sst_report *report, const char *drawings, size_t size,
                                                   const char *path);

// Writes the histories as TensorBoard event files (scalars), a folder a run: folder/<run>/events.out.tfevents.*. What
// was written before of the same runs is replaced. Errors: IO, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_report_write_events(const sst_report *report, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
