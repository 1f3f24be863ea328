// SPDX-License-Identifier: Apache-2.0
// The version: the build reads these three lines, so that the shared library, the package files and the program agree.
#ifndef SPIKESTILL_VERSION_H
#define SPIKESTILL_VERSION_H

#include "spikestill/status.h"

#define SST_VERSION_MAJOR 0
#define SST_VERSION_MINOR 1
#define SST_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

// The version of the library that is running, "0.1.0"; may differ from the header's macros when it is a shared one.
// Static storage.
SST_API const char *sst_version(void);

#ifdef __cplusplus
}
#endif
#endif
