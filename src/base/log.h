// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_BASE_LOG_H
#define SPIKESTILL_BASE_LOG_H

#include "spikestill/context.h"

// Formats one line and hands it to the context's log function, if it has one.
void ssti_log(sst_context *context, sst_log_level level, const char *format, ...) SST_PRINTF(3, 4);

#endif
