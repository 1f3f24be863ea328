// SPDX-License-Identifier: Apache-2.0
// A data set's pictures in a device's memory, brought there once and kept as long as the set is open.
#ifndef SPIKESTILL_TRAIN_RESIDENT_PICTURES_H
#define SPIKESTILL_TRAIN_RESIDENT_PICTURES_H

#include "backend/backend.h"
#include "spikestill/data.h"

// The bytes of the set, whose pictures lie in the host's memory, on the device; borrowed. *out is NULL, with the reason
// as the end of a sentence, where they would take more than half of what the device has free: graphs that are made
// later, the evaluation's say, need room too. Errors: OUT_OF_MEMORY.
sst_status ssti_pictures_on_device(ssti_backend *backend, const sst_dataset *dataset, const uint8_t **out,
                                   const char **why);

#endif
