// SPDX-License-Identifier: Apache-2.0
// The backend of device cuda, on the emulator or on a card; without a card the suite is skipped, or has failed if
// SPIKESTILL_REQUIRE_CUDA is set.
#ifndef SPIKESTILL_TESTS_CUDA_BARE_BACKEND_H
#define SPIKESTILL_TESTS_CUDA_BARE_BACKEND_H

#include <stdlib.h>

#include "backend/cuda/cuda.h"
#include "support.h"

static inline sst_status cuda_bare_backend_create(sst_context *context, ssti_backend **out) {
  const sst_status status = ssti_backend_create(context, SST_DEVICE_CUDA, out);
  if (status == SST_UNSUPPORTED && getenv("SPIKESTILL_REQUIRE_CUDA") == NULL) {
    skip_because("%s", sst_context_message(context));
  }
  return status;
}

#endif
