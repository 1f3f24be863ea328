// SPDX-License-Identifier: Apache-2.0
#include "data/byte_source.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

// zlib's memory comes from the context too, so that limits and fault injection reach it.
static void *zlib_allocate(void *user, unsigned items, unsigned size) {
  void *block = NULL;
  return ssti_allocate_raw(user, items, size, &block) == SST_OK ? block : NULL;
}

static void zlib_release(void *user, void *block) { ssti_free(user, block); }

sst_status ssti_byte_source_begin(sst_context *context, const char *name, const void *data, size_t size,
                                  ssti_byte_source *source) {
  *source = (ssti_byte_source){.context = context, .name = name, .data = data, .size = size};
  if (size >= 2 && source->data[0] == 0x1f && source->data[1] == 0x8b) {
    source->stream.zalloc = zlib_allocate;
    source->stream.zfree = zlib_release;
    source->stream.opaque = context;
    if (inflateInit2(&source->stream, 15 + 16) != Z_OK) { // 15: the largest window, + 16: gzip only
      SST_FAIL(context, SST_OUT_OF_MEMORY, "%s: no memory to unpack it", name);
    }
    source->packed = true;
  }
  return SST_OK;
}

void ssti_byte_source_end(ssti_byte_source *source) {
  if (source->packed) { inflateEnd(&source->stream); }
  *source = (ssti_byte_source){.context = source->context};
}

const char *ssti_byte_source_place(const ssti_byte_source *source, uint64_t offset, char text[SSTI_BYTE_PLACE_SIZE]) {
  snprintf(text, SSTI_BYTE_PLACE_SIZE, "byte %" PRIu64 "%s", offset, source->packed ? " of the unpacked content" : "");
  return text;
}

uint64_t ssti_byte_source_most_left(const ssti_byte_source *source) {
  uint64_t left = source->size - source->consumed;
  // What inflate holds back is at most one window; 64 KiB cover it.
  return source->packed ? left * 1032u + 65536u : left;
}

static sst_status fail_packed(ssti_byte_source *source) {
  const char *reason = source->stream.msg != NULL ? source->stream.msg : "damaged";
  SST_FAIL(source->context, SST_FORMAT, "%s: the gzip data is damaged at byte %zu of the file: %s", source->name,
           source->consumed, reason);
}

// Unpacks up to `count` bytes; fewer come only at the end of the data.
static sst_status unpack(ssti_byte_source *source, uint8_t *out, size_t count, size_t *got) {
  z_stream *stream = &source->stream;
  *got = 0;
  while (*got < count && !source->ended) {
    size_t room = count - *got, left = source->size - source->consumed;
    uInt offered = (uInt)(left < UINT_MAX ? left : UINT_MAX), wanted = (uInt)(room < UINT_MAX ? room : UINT_MAX);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): zlib only reads, and its type has no const
    stream->next_in = (z_const Bytef *)(uintptr_t)(source->data + source->consumed);
    stream->avail_in = offered;
    stream->next_out = out + *got;
    stream->avail_out = wanted;
    int result = inflate(stream, Z_NO_FLUSH);
    source->consumed += offered - stream->avail_in;
    *got += wanted - stream->avail_out;
    if (result == Z_MEM_ERROR) {
      SST_FAIL(source->context, SST_OUT_OF_MEMORY, "%s: no memory to unpack it", source->name);
    }
    if (result == Z_STREAM_END) {
      source->ended = true;
    } else if (result == Z_BUF_ERROR || (result == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)) {
      break; // the packed data ends in the middle
    } else if (result != Z_OK) {
      return fail_packed(source);
    }
  }
  return SST_OK;
}

sst_status ssti_byte_source_read(ssti_byte_source *source, void *out, size_t count, const char *what) {
  size_t got = 0;
  if (count == 0) { return SST_OK; }
  if (source->packed) {
    SST_TRY(unpack(source, out, count, &got));
  } else {
    size_t left = source->size - source->consumed;
    got = left < count ? left : count;
    if (got > 0) { memcpy(out, source->data + source->consumed, got); }
    source->consumed += got;
  }
  source->offset += got;
  if (got < count) {
    char place[SSTI_BYTE_PLACE_SIZE];
    SST_FAIL(source->context, SST_FORMAT, "%s: ends at %s, in the middle of %s; expected %zu bytes more", source->name,
             ssti_byte_source_place(source, source->offset, place), what, count - got);
  }
  return SST_OK;
}

sst_status ssti_byte_source_finish(ssti_byte_source *source) {
  uint8_t extra = 0;
  size_t got = 0;
  char place[SSTI_BYTE_PLACE_SIZE];
  if (source->packed) {
    // One more byte asked for makes inflate read the trailer, and so check the checksum and the length.
    SST_TRY(unpack(source, &extra, 1, &got));
    if (got == 0 && !source->ended) {
      SST_FAIL(source->context, SST_FORMAT, "%s: the gzip data ends at byte %zu of the file, before its checksum",
               source->name, source->size);
    }
  } else {
    got = source->consumed < source->size;
  }
  if (got > 0) {
    SST_FAIL(source->context, SST_FORMAT, "%s: there is more after %s, where the header says it ends", source->name,
             ssti_byte_source_place(source, source->offset, place));
  }
  return SST_OK;
}
