// SPDX-License-Identifier: Apache-2.0
// The twin of nir_write.c for builds without libhdf5.
#include "exchange/nir_internal.h"

sst_status sst_nir_write(const sst_nir_graph *graph, const char *path) {
  SST_FAIL(graph->context, SST_UNSUPPORTED,
           "%s: writing NIR files is not built in: it needs libhdf5 when Spikestill is compiled (libhdf5-dev)", path);
}
