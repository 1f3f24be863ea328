// SPDX-License-Identifier: Apache-2.0
// Whether records that the report draws are what they should be: after that their sections take them at their word.
#ifndef SPIKESTILL_REPORT_RUN_RECORDS_CHECK_H
#define SPIKESTILL_REPORT_RUN_RECORDS_CHECK_H

#include "base/json.h"

// activity.json as src/run/activity.h describes it, version 1. Errors: FORMAT with the path and the field's place, what
// was found and what was expected.
sst_status ssti_activity_check(sst_context *context, const char *path, const json_t *record);
// mistakes.json as src/run/mistakes.h describes it.
sst_status ssti_mistakes_check(sst_context *context, const char *path, const json_t *record);

#endif
