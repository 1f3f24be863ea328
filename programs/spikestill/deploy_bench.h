// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_PROGRAM_DEPLOY_BENCH_H
#define SPIKESTILL_PROGRAM_DEPLOY_BENCH_H

#include "command.h"

// `spikestill bench deploy`: integer networks in the engine, beside the ceilings of its kernels and the float network.
int bench_deploy(sst_context *context, const arguments *a);

#endif
