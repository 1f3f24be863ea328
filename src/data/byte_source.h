// SPDX-License-Identifier: Apache-2.0
// Reads the content of a file that is in memory, front to back, unpacking gzip on the way. Every reader of picture
// files goes through it, so that "the file ends too early" is said the same way everywhere: name, byte offset, found,
// expected.
#ifndef SPIKESTILL_DATA_BYTE_SOURCE_H
#define SPIKESTILL_DATA_BYTE_SOURCE_H

#include <zlib.h>

#include "base/memory.h"

typedef struct ssti_byte_source {
  sst_context *context;
  const char *name; // for messages; borrowed
  const uint8_t *data;
  size_t size;
  size_t consumed; // bytes of `data` that are used up
  uint64_t offset; // bytes of content handed out
  bool packed;     // gzip
  bool ended;      // the gzip stream is complete and its checksum right
  z_stream stream;
} ssti_byte_source;

// Begins reading `data` (borrowed until the end); gzip is recognised by its first two bytes.
sst_status ssti_byte_source_begin(sst_context *context, const char *name, const void *data, size_t size,
                                  ssti_byte_source *source);

// Reads exactly `count` bytes. `what` says what they are ("the header", "pictures").
// Errors: FORMAT when the content ends before that or the packed data is damaged.
sst_status ssti_byte_source_read(ssti_byte_source *source, void *out, size_t count, const char *what);

// Fails if there is content left, or the gzip checksum is wrong.
sst_status ssti_byte_source_finish(ssti_byte_source *source);

// The most bytes of content that can still come: exact for plain data, deflate's limit of 1032 to 1 for gzip. A size in
// a header that promises more is a lie, and is found out before memory is allocated for it.
uint64_t ssti_byte_source_most_left(const ssti_byte_source *source);

// Where the reader is, for messages: "byte 16" or "byte 16 of the unpacked content".
enum { SSTI_BYTE_PLACE_SIZE = 64 };
const char *ssti_byte_source_place(const ssti_byte_source *source, uint64_t offset, char text[SSTI_BYTE_PLACE_SIZE]);

void ssti_byte_source_end(ssti_byte_source *source);

#endif
