// SPDX-License-Identifier: Apache-2.0
// Opening and closing ONNX files. What stays open is the list of steps; the file's messages are gone by then.
#include "base/file.h"
#include "exchange/onnx_parts.h"

enum { BYTES_FOR_BYTE = 16, SPARE_BYTES = 4 << 20 };

static const uint64_t LARGEST_FILE = (uint64_t)2 << 30; // the limit of protobuf itself

sst_status sst_onnx_read(sst_context *context, const char *name, const void *data, size_t size,
                         const sst_onnx_options *options, sst_onnx **out) {
  static const sst_onnx_options defaults = {false};
  *out = NULL;
  if (size > LARGEST_FILE) { SST_FAIL(context, SST_FORMAT, "%s: byte 0: is larger than 2 GiB", name); }
  ssti_onnx_wire wire;
  ssti_onnx_reader reader = {.context = context, .file = name, .options = options ? options : &defaults};
  const ssti_onnx_arena arena = {
      .context = context, .file = name, .budget = (uint64_t)size * BYTES_FOR_BYTE + SPARE_BYTES};
  reader.scratch = arena;
  reader.names.context = reader.layers.context = context;
  sst_status status = ssti_onnx_wire_read(context, name, data, size, &wire);
  if (status == SST_OK) { status = ssti_allocate(context, 1, sizeof *reader.onnx, &reader.onnx); }
  if (status == SST_OK) {
    reader.onnx->context = context;
    reader.onnx->arena = arena;
    reader.onnx->features = -1;
    status = ssti_onnx_lower(&reader, wire.model);
    reader.onnx->arena.file = NULL; // borrowed from the caller
  }
  ssti_onnx_arena_end(&reader.scratch);
  ssti_onnx_names_end(&reader.names);
  ssti_onnx_names_end(&reader.layers);
  ssti_free(context, reader.values);
  ssti_free(context, reader.inputs);
  ssti_onnx_wire_end(&wire);
  if (status != SST_OK) {
    sst_onnx_close(reader.onnx);
    return status;
  }
  *out = reader.onnx;
  return SST_OK;
}

sst_status sst_onnx_open(sst_context *context, const char *path, const sst_onnx_options *options, sst_onnx **out) {
  char *data = NULL;
  size_t size = 0;
  *out = NULL;
  SST_TRY(ssti_file_read(context, path, (size_t)LARGEST_FILE, &data, &size));
  const sst_status status = sst_onnx_read(context, path, data, size, options, out);
  ssti_free(context, data);
  return status;
}

void sst_onnx_close(sst_onnx *onnx) {
  if (!onnx) { return; }
  sst_context *context = onnx->context;
  ssti_onnx_arena_end(&onnx->arena);
  ssti_free(context, onnx->steps);
  ssti_free(context, onnx);
}

sst_onnx_info sst_onnx_describe(const sst_onnx *onnx) { return onnx->info; }
