// SPDX-License-Identifier: Apache-2.0
// Files. Reading is whole or nothing; writing goes to a temporary name beside the target, is flushed to the disk and
// renamed, so that a reader sees the old file or the new one. Messages name the path and the system's reason.
#ifndef SPIKESTILL_BASE_FILE_H
#define SPIKESTILL_BASE_FILE_H

#include "base/memory.h"

// Reads the file whole. *data is owned by the caller and has one zero byte after its end. `limit` bytes at most (0:
// any).
sst_status ssti_file_read(sst_context *context, const char *path, size_t limit, char **data, size_t *size);

// A file's bytes without a copy of them, for as long as the caller wants them. They must stay what they are meanwhile:
// whoever replaces the file by another (as the writer below does) leaves them alone, whoever shortens it ends the
// program. What the system does not map is read. `out` is given back by ssti_file_unmap, also after a failure.
typedef struct ssti_file_bytes {
  const char *data;
  size_t size;
  bool mapped;
} ssti_file_bytes;
sst_status ssti_file_map(sst_context *context, const char *path, ssti_file_bytes *out);
void ssti_file_unmap(sst_context *context, ssti_file_bytes *bytes);

// A file being written aside. On any failure the temporary file is removed and the target untouched.
typedef struct ssti_writer ssti_writer;
sst_status ssti_writer_open(sst_context *context, const char *path, ssti_writer **out);
sst_status ssti_writer_write(ssti_writer *writer, const void *data, size_t size);
sst_status ssti_writer_commit(ssti_writer *writer); // flush, rename, flush the folder; ends the writer in every case
void ssti_writer_abandon(ssti_writer *writer);      // removes the temporary file; NULL is allowed

// The above in one call.
sst_status ssti_file_write(sst_context *context, const char *path, const void *data, size_t size);

// Appends and flushes. For line records; a torn last line is the reader's business.
sst_status ssti_file_append(sst_context *context, const char *path, const void *data, size_t size);

// Makes the folder and its parents; existing ones are fine.
sst_status ssti_folder_make(sst_context *context, const char *path);

bool ssti_file_exists(const char *path);
bool ssti_folder_exists(const char *path);

// "folder/name"; owned by the caller.
sst_status ssti_path_join(sst_context *context, const char *folder, const char *name, char **out);

// Whether the context's gate lets this operation through.
bool ssti_io_allowed(sst_context *context, const char *operation, const char *path);

#endif
