// SPDX-License-Identifier: Apache-2.0
#include "spikestill/version.h"

#define SSTI_TEXT_OF(x) #x
#define SSTI_VERSION_TEXT(major, minor, patch) SSTI_TEXT_OF(major) "." SSTI_TEXT_OF(minor) "." SSTI_TEXT_OF(patch)

const char *sst_version(void) { return SSTI_VERSION_TEXT(SST_VERSION_MAJOR, SST_VERSION_MINOR, SST_VERSION_PATCH); }
