// SPDX-License-Identifier: Apache-2.0
// From bytes to the messages of the schema. The bytes are walked once before protobuf-c unpacks them: the walk finds
// damage with its byte and bounds the depth, which unpacking follows by recursion.
#include "exchange/onnx_parts.h"

enum { MOST_DEPTH = 48, BYTES_FOR_BYTE = 64, SPARE_BYTES = 1 << 20 };

typedef struct walker {
  sst_context *context;
  const char *file;
  const uint8_t *data;
} walker;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static sst_status read_varint(const walker *w, size_t *at, size_t end, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    const uint8_t byte = w->data[(*at)++];
    *out |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) { return SST_OK; }
  }
  SST_FAIL(w->context, SST_FORMAT, "%s: byte %zu: a number ends too late or not at all: not an ONNX file, or truncated",
           w->file, *at);
}

static sst_status walk(const walker *w, const ProtobufCMessageDescriptor *message, size_t at, size_t end, int depth) {
  if (depth > MOST_DEPTH) {
    SST_FAIL(w->context, SST_FORMAT, "%s: byte %zu: messages are nested more than %d deep", w->file, at, MOST_DEPTH);
  }
  while (at < end) {
    const size_t begin = at;
    uint64_t key = 0, length = 0;
    SST_TRY(read_varint(w, &at, end, &key));
    const unsigned type = (unsigned)(key & 7);
    const uint64_t number = key >> 3;
    if (number < 1 || number > 0x1fffffff) {
      SST_FAIL(w->context, SST_FORMAT, "%s: byte %zu: field %" PRIu64 " does not exist: not an ONNX file", w->file,
               begin, number);
    }
    if (type == WIRE_VARINT) {
      SST_TRY(read_varint(w, &at, end, &length));
      continue;
    }
    if (type == WIRE_BYTES) {
      SST_TRY(read_varint(w, &at, end, &length));
    } else if (type == WIRE_64 || type == WIRE_32) {
      length = type == WIRE_64 ? 8 : 4;
    } else {
      SST_FAIL(w->context, SST_FORMAT, "%s: byte %zu: a field is of wire type %u, expected 0, 1, 2 or 5", w->file,
               begin, type);
    }
    if (length > end - at) {
      SST_FAIL(w->context, SST_FORMAT, "%s: byte %zu: a field of %" PRIu64 " bytes, but only %zu are left", w->file,
               begin, length, end - at);
    }
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message, (unsigned)number);
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE && type == WIRE_BYTES) {
      SST_TRY(walk(w, field->descriptor, at, at + (size_t)length, depth + 1));
    }
    at += (size_t)length;
  }
  return SST_OK;
}

// Unpacking cannot take more than the budget; NULL is "no memory" to protobuf-c.
static void *budgeted_take(void *user, size_t size) {
  ssti_onnx_wire *wire = user;
  if (size > wire->budget - wire->used) { return NULL; }
  wire->used += size;
  void *block = NULL;
  wire->no_memory = ssti_allocate_raw(wire->context, size, 1, &block) != SST_OK || wire->no_memory;
  return block;
}

static void budgeted_free(void *user, void *block) { ssti_free(((ssti_onnx_wire *)user)->context, block); }

sst_status ssti_onnx_wire_read(sst_context *context, const char *file, const void *data, size_t size,
                               ssti_onnx_wire *out) {
  const walker w = {context, file, data};
  *out = (ssti_onnx_wire){.context = context, .budget = (uint64_t)size * BYTES_FOR_BYTE + SPARE_BYTES};
  out->allocator = (ProtobufCAllocator){budgeted_take, budgeted_free, out};
  SST_TRY(walk(&w, &onnx__model_proto__descriptor, 0, size, 0));
  out->model = onnx__model_proto__unpack(&out->allocator, size, data);
  if (!out->model && out->no_memory) { return SST_OUT_OF_MEMORY; } // the sentence is there
  if (!out->model) {
    SST_FAIL(context, SST_FORMAT, "%s: byte 0: its %zu bytes are not a model of the ONNX schema", file, size);
  }
  return SST_OK;
}

void ssti_onnx_wire_end(ssti_onnx_wire *wire) {
  if (wire->model) { onnx__model_proto__free_unpacked(wire->model, &wire->allocator); }
  wire->model = NULL;
}
