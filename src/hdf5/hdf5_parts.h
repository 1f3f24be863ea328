// SPDX-License-Identifier: Apache-2.0
// What the files of the reader share: hdf5_file.c (bytes and the bound on work), hdf5_header.c (object headers),
// hdf5_groups.c and hdf5_dense.c (links), hdf5_describe.c (types, shapes, layouts), hdf5_chunks.c (where chunks are),
// hdf5_filters.c (unpacking), hdf5_values.c (numbers and texts).
#ifndef SPIKESTILL_HDF5_PARTS_H
#define SPIKESTILL_HDF5_PARTS_H

#include <inttypes.h>
#include <string.h>

#include "hdf5/hdf5_read.h"

// "There is nothing", as an address.
#define SSTI_HDF5_NOWHERE UINT64_MAX

struct ssti_hdf5 {
  sst_context *context;
  char *name;
  const uint8_t *bytes; // the file's, where it is in memory
  int fd;               // the file, where it is not
  uint64_t base, size;  // addresses count from `base`, and end below `size`
  uint64_t work;        // bytes that may still be looked at or unpacked
  uint64_t root;
};

// ---- bytes

// A stretch of the file: in place if the file is in memory, else a copy.
typedef struct ssti_hdf5_block {
  const uint8_t *bytes;
  size_t size;
  void *own;
} ssti_hdf5_block;

// `what` says what it is ("a heap"). Fails if the file ends before. Release it also after a failure, or if it is
// zeroed.
sst_status ssti_hdf5_load(const ssti_hdf5 *file, const char *place, uint64_t at, uint64_t size, const char *what,
                          ssti_hdf5_block *out);
void ssti_hdf5_release(const ssti_hdf5 *file, ssti_hdf5_block *block);

// A good file is read about once: what costs far more goes in circles.
sst_status ssti_hdf5_spend(ssti_hdf5 *file, const char *place, uint64_t work);

// Takes bytes from the front of a block. What lies beyond its end is 0 and sets `ended`: one check afterwards is
// enough.
typedef struct ssti_hdf5_cursor {
  const uint8_t *at;
  size_t left;
  bool ended;
} ssti_hdf5_cursor;

static inline ssti_hdf5_cursor ssti_hdf5_cursor_begin(const uint8_t *bytes, size_t size) {
  return (ssti_hdf5_cursor){bytes, size, false};
}

// The next bytes, or NULL.
static inline const uint8_t *ssti_hdf5_take_bytes(ssti_hdf5_cursor *cursor, uint64_t count) {
  if (cursor->ended || count > cursor->left) {
    cursor->ended = true;
    return NULL;
  }
  const uint8_t *bytes = cursor->at;
  cursor->at += count;
  cursor->left -= (size_t)count;
  return bytes;
}

static inline void ssti_hdf5_skip(ssti_hdf5_cursor *cursor, uint64_t count) { ssti_hdf5_take_bytes(cursor, count); }

// A little-endian number of 0 to 8 bytes.
static inline uint64_t ssti_hdf5_take(ssti_hdf5_cursor *cursor, int count) {
  const uint8_t *bytes = ssti_hdf5_take_bytes(cursor, (uint64_t)count);
  uint64_t value = 0;
  for (int i = count - 1; bytes != NULL && i >= 0; i--) { value = value << 8 | bytes[i]; }
  return value;
}

static inline bool ssti_hdf5_take_mark(ssti_hdf5_cursor *cursor, const char *mark) {
  const uint8_t *bytes = ssti_hdf5_take_bytes(cursor, 4);
  return bytes != NULL && memcmp(bytes, mark, 4) == 0;
}

// How many bytes a number up to `most` takes in the file.
int ssti_hdf5_bytes_for(uint64_t most);

// ---- object headers

enum ssti_hdf5_message_type {
  SSTI_HDF5_M_SPACE = 0x01,
  SSTI_HDF5_M_LINK_INFO = 0x02,
  SSTI_HDF5_M_TYPE = 0x03,
  SSTI_HDF5_M_LINK = 0x06,
  SSTI_HDF5_M_EXTERNAL = 0x07,
  SSTI_HDF5_M_LAYOUT = 0x08,
  SSTI_HDF5_M_FILTERS = 0x0b,
  SSTI_HDF5_M_CONTINUED = 0x10,
  SSTI_HDF5_M_LINK_TABLE = 0x11
};

typedef struct ssti_hdf5_message {
  int type;
  bool shared; // it is only a pointer to one somewhere else
  uint64_t at; // in the file
  ssti_hdf5_cursor body;
} ssti_hdf5_message;

typedef sst_status ssti_hdf5_visit(void *user, ssti_hdf5_message *message);

// Calls `visit` with each message of the object's header; the bytes are there for the call only.
sst_status ssti_hdf5_each_message(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_visit *visit,
                                  void *user);

// ---- trees

typedef sst_status ssti_hdf5_leaf(void *user, ssti_hdf5_cursor key, uint64_t child);

// Calls `visit` with each entry of the lowest level of a version 1 B-tree, in order.
sst_status ssti_hdf5_each_leaf(ssti_hdf5 *file, const char *place, uint64_t address, int type, size_t key_size,
                               ssti_hdf5_leaf *visit, void *user);

// ---- links

// Adds the link that a link message describes.
sst_status ssti_hdf5_add_link(ssti_hdf5 *file, const char *place, ssti_hdf5_cursor message, ssti_hdf5_links *links);
// Adds the links that a fractal heap holds and a version 2 B-tree lists.
sst_status ssti_hdf5_add_dense(ssti_hdf5 *file, const char *place, uint64_t heap, uint64_t tree,
                               ssti_hdf5_links *links);

// ---- chunks

// Room for one chunk while it is unpacked.
typedef struct ssti_hdf5_unpacker {
  uint8_t *buffers[2];
  size_t capacity; // of each
} ssti_hdf5_unpacker;

sst_status ssti_hdf5_unpacker_begin(const ssti_hdf5 *file, size_t chunk_bytes, ssti_hdf5_unpacker *out);
void ssti_hdf5_unpacker_end(const ssti_hdf5 *file, ssti_hdf5_unpacker *unpacker);

// Undoes the set's filters but the skipped ones. *out points into `packed` or the unpacker and has exactly `expected`
// bytes.
sst_status ssti_hdf5_unpack(const ssti_hdf5 *file, const ssti_hdf5_set *set, uint32_t skipped,
                            const ssti_hdf5_block *packed, size_t expected, ssti_hdf5_unpacker *unpacker,
                            const uint8_t **out);

enum { SSTI_HDF5_DEFLATE = 1, SSTI_HDF5_SHUFFLE = 2, SSTI_HDF5_FLETCHER32 = 3 };

// Bytes of a chunk.
int64_t ssti_hdf5_chunk_bytes(const ssti_hdf5_set *set);
// Fills out[count][type.size] from the chunks.
sst_status ssti_hdf5_read_chunks(ssti_hdf5 *file, const ssti_hdf5_set *set, uint8_t *out);

#endif
