// SPDX-License-Identifier: Apache-2.0
// The twin of the other onnx*.c for builds without protobuf-c or the ONNX schema.
#include "base/fail.h"
#include "spikestill/onnx.h"

sst_status sst_onnx_open(sst_context *context, const char *path, const sst_onnx_options *options, sst_onnx **out) {
  return sst_onnx_read(context, path, NULL, 0, options, out);
}

sst_status sst_onnx_read(sst_context *context, const char *name, const void *data, size_t size,
                         const sst_onnx_options *options, sst_onnx **out) {
  (void)data, (void)size, (void)options;
  *out = NULL;
  SST_FAIL(context, SST_UNSUPPORTED,
           "%s: ONNX is not built in: it needs protobuf-c and the ONNX schema when Spikestill is compiled", name);
}

// No file is ever open here.
void sst_onnx_close(sst_onnx *onnx) { (void)onnx; }
sst_onnx_info sst_onnx_describe(const sst_onnx *onnx) {
  (void)onnx;
  return (sst_onnx_info){.producer = ""};
}
sst_value sst_onnx_build(const sst_onnx *onnx, sst_graph *graph, sst_value x, sst_onnx_activation *activation,
                         void *user, sst_value *logits) {
  (void)onnx, (void)graph, (void)x, (void)activation, (void)user;
  return *logits = SST_NO_VALUE;
}
sst_status sst_onnx_check_spiking(const sst_onnx *onnx) {
  (void)onnx;
  return SST_UNSUPPORTED;
}
sst_status sst_onnx_load(const sst_onnx *onnx, sst_parameters *parameters) {
  (void)onnx, (void)parameters;
  return SST_UNSUPPORTED;
}
