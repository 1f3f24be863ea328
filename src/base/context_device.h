// SPDX-License-Identifier: Apache-2.0
// The card that the backends of a context share: one connection, one queue of work, however many graphs and optimisers
// there are. Who opens it counts its users and closes it with the last one.
#ifndef SPIKESTILL_BASE_CONTEXT_DEVICE_H
#define SPIKESTILL_BASE_CONTEXT_DEVICE_H

#include "spikestill/context.h"

// The place for it, NULL while nobody has opened it. Nobody else gets it until leave.
void **ssti_context_device_enter(sst_context *context);
void ssti_context_device_leave(sst_context *context);

#endif
