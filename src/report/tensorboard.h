// SPDX-License-Identifier: Apache-2.0
// A run's history as a TensorBoard event file.
#ifndef SPIKESTILL_REPORT_TENSORBOARD_H
#define SPIKESTILL_REPORT_TENSORBOARD_H

#include "report/run_records.h"

// Writes folder/<label>/events.out.tfevents.<seconds>.spikestill: every number of the history at its epoch, the result
// at the last. Errors: IO, OUT_OF_MEMORY.
sst_status ssti_tensorboard_write(const ssti_run_list *list, int run, const char *folder);

#endif
