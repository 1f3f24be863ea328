// SPDX-License-Identifier: Apache-2.0
// The safetensors container: 8 bytes header length, a JSON header, raw little-endian data (docs/spec/checkpoint.md).
#ifndef SPIKESTILL_SAFETENSORS_H
#define SPIKESTILL_SAFETENSORS_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word in the header", bytes an element)
#define SST_SAFETENSORS_TYPE_LIST(X)                                                                                   \
  X(F64, "F64", 8)                                                                                                     \
  X(F32, "F32", 4)                                                                                                     \
  X(F16, "F16", 2)                                                                                                     \
  X(BF16, "BF16", 2)                                                                                                   \
  X(I64, "I64", 8)                                                                                                     \
  X(I32, "I32", 4)                                                                                                     \
  X(I16, "I16", 2)                                                                                                     \
  X(I8, "I8", 1)                                                                                                       \
  X(U8, "U8", 1)                                                                                                       \
  X(BOOL, "BOOL", 1)
typedef enum sst_safetensors_type {
#define SST_SAFETENSORS_TYPE_ENUM(name, word, bytes) SST_SAFETENSORS_##name,
  SST_SAFETENSORS_TYPE_LIST(SST_SAFETENSORS_TYPE_ENUM)
#undef SST_SAFETENSORS_TYPE_ENUM
      SST_SAFETENSORS_TYPE_COUNT
} sst_safetensors_type;

enum { SST_SAFETENSORS_MAX_RANK = 8 };
typedef struct sst_safetensors_entry {
  const char *name;
  sst_safetensors_type type;
  int rank;
  int64_t shape[SST_SAFETENSORS_MAX_RANK];
  const void *data; // reading: borrowed from the file object, any alignment; writing: borrowed until the call returns
  size_t bytes;
} sst_safetensors_entry;

typedef struct sst_safetensors_pair {
  const char *key, *value;
} sst_safetensors_pair;

typedef struct sst_safetensors sst_safetensors;

// Reads and checks a file: header at most 100 MB, ranges contiguous, inside the file, without holes or overlap, sizes
// that agree with type and shape. Errors: NOT_FOUND, IO, FORMAT (path, byte offset, found, expected), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_safetensors_open(sst_context *context, const char *path, sst_safetensors **out);

// The same without reading what nobody looks at: the file is mapped, where the system can, and its data are the file's
// own pages until it is closed. Meanwhile it may be replaced by another file, but not written to or shortened: that
// would change what was checked, or end the program.
SST_MUST_CHECK SST_API sst_status sst_safetensors_map(sst_context *context, const char *path, sst_safetensors **out);
SST_API void sst_safetensors_close(sst_safetensors *file);
SST_API int sst_safetensors_count(const sst_safetensors *file);
SST_API sst_safetensors_entry sst_safetensors_at(const sst_safetensors *file, int index);
SST_API bool sst_safetensors_find(const sst_safetensors *file, const char *name, sst_safetensors_entry *out);
// Metadata value, or NULL. Borrowed from the file object.
SST_API const char *sst_safetensors_metadata(const sst_safetensors *file, const char *key);

// Writes a file aside, flushes it and renames it. The same content gives the same bytes (names in the order given).
SST_MUST_CHECK SST_API sst_status sst_safetensors_write(sst_context *context, const char *path,
                                                        const sst_safetensors_entry *entries, int count,
                                                        const sst_safetensors_pair *metadata, int metadata_count);

#ifdef __cplusplus
}
#endif
#endif
