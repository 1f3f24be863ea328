// SPDX-License-Identifier: Apache-2.0
// `spikestill export --to c`.
#ifndef SPIKESTILL_PROGRAM_EXPORT_C_SOURCE_H
#define SPIKESTILL_PROGRAM_EXPORT_C_SOURCE_H

#include "command.h"

int export_c_source(sst_context *context, const arguments *a);

#endif
