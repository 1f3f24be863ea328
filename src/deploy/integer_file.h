// SPDX-License-Identifier: Apache-2.0
// What writing and reading of integer networks' files share.
#ifndef SPIKESTILL_DEPLOY_INTEGER_FILE_H
#define SPIKESTILL_DEPLOY_INTEGER_FILE_H

#include "deploy/integer_fields.h"

#define SSTI_INTEGER_FORMAT "spikestill integer network"
#define SSTI_INTEGER_VERSION "1"

#endif
