// SPDX-License-Identifier: Apache-2.0
// The twin of nir_read.c and nir_write.c for builds without libhdf5.
#include "exchange/nir_internal.h"

static sst_status fail_absent(sst_context *context, const char *name) {
  SST_FAIL(context, SST_UNSUPPORTED,
           "%s: NIR files are not built in: they need libhdf5 when Spikestill is compiled (libhdf5-dev)", name);
}

sst_status sst_nir_read_bytes(sst_context *context, const char *name, const void *data, size_t size,
                              sst_nir_graph **out) {
  (void)data, (void)size;
  *out = NULL;
  return fail_absent(context, name);
}

sst_status sst_nir_read(sst_context *context, const char *path, sst_nir_graph **out) {
  *out = NULL;
  return fail_absent(context, path);
}

sst_status sst_nir_write(const sst_nir_graph *graph, const char *path) { return fail_absent(graph->context, path); }
