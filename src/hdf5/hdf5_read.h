// SPDX-License-Identifier: Apache-2.0
// Reads HDF5 files from anywhere without libhdf5, which crashes on damaged ones (docs/decisions/0028). The subset that
// networks and recordings come in: groups of every kind, arrays stored in one piece, inside their header or in chunks
// (B-tree, single, implicit, fixed array), packed by gzip, shuffle and fletcher32; integers, floats, texts and
// sequences of variable length. What is outside of it is refused by name.
//
// Every size is held against the file's before memory is allocated for it, and the work that a file may cause is
// bounded by its size, whatever its trees and links look like. Messages begin with the file's name and `place`, where
// in it
// ("/node/type"; "" for none), borrowed as long as what it was given for. Errors: FORMAT, OUT_OF_MEMORY, IO.
#ifndef SPIKESTILL_HDF5_READ_H
#define SPIKESTILL_HDF5_READ_H

#include "base/memory.h"

typedef struct ssti_hdf5 ssti_hdf5;

// Opens a file on disk. Errors also: NOT_FOUND.
sst_status ssti_hdf5_open(sst_context *context, const char *path, ssti_hdf5 **out);
// A file in memory; the bytes are borrowed until close.
sst_status ssti_hdf5_open_bytes(sst_context *context, const char *name, const void *data, size_t size, ssti_hdf5 **out);
void ssti_hdf5_close(ssti_hdf5 *file);

// Writes "name: place: sentence" and returns FORMAT.
sst_status ssti_hdf5_fail(const ssti_hdf5 *file, const char *place, const char *format, ...) SST_PRINTF(3, 4);

// ---- groups

// What lies at an address of the file. OTHER: a named type, or what later versions bring.
typedef enum ssti_hdf5_kind { SSTI_HDF5_GROUP, SSTI_HDF5_SET, SSTI_HDF5_OTHER } ssti_hdf5_kind;

uint64_t ssti_hdf5_root(const ssti_hdf5 *file);
sst_status ssti_hdf5_kind_of(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_kind *out);

enum { SSTI_HDF5_MOST_LINKS = 1 << 16, SSTI_HDF5_MOST_NAME = 1000 };

typedef struct ssti_hdf5_link {
  char *name;
  uint64_t address, order;
  bool hard; // false: it leads to a path or another file, and the address means nothing
} ssti_hdf5_link;

// A group's entries in the order in which they were made if the file knows it, else by name.
typedef struct ssti_hdf5_links {
  ssti_hdf5_link *at;
  size_t count, capacity;
  bool ordered;
} ssti_hdf5_links;

// Fills *out, which ssti_hdf5_links_free empties; it is empty after a failure.
sst_status ssti_hdf5_list(ssti_hdf5 *file, const char *place, uint64_t group, ssti_hdf5_links *out);
const ssti_hdf5_link *ssti_hdf5_find(const ssti_hdf5_links *links, const char *name); // NULL: not there
void ssti_hdf5_links_free(const ssti_hdf5 *file, ssti_hdf5_links *links);

// ---- arrays

typedef enum ssti_hdf5_class {
  SSTI_HDF5_INTEGERS, // enumerations (booleans of h5py) too
  SSTI_HDF5_FLOATS,
  SSTI_HDF5_TEXTS,      // all of one length
  SSTI_HDF5_LONG_TEXTS, // of variable length
  SSTI_HDF5_SEQUENCES,  // of numbers, of variable length
  SSTI_HDF5_STRANGE     // compounds, references, padded numbers and the like
} ssti_hdf5_class;

// A number of up to 8 bytes.
typedef struct ssti_hdf5_number {
  bool is_float, is_signed, big_endian;
  int size;
  int exponent_at, exponent_bits, mantissa_at, mantissa_bits, sign_at; // of floats, in bits
  uint32_t bias;
} ssti_hdf5_number;

typedef struct ssti_hdf5_type {
  ssti_hdf5_class class;
  size_t size;             // of an element, in bytes
  bool spaces;             // texts are filled up with spaces
  ssti_hdf5_number number; // INTEGERS, FLOATS; SEQUENCES: of what
} ssti_hdf5_type;

enum { SSTI_HDF5_MOST_RANK = 8, SSTI_HDF5_MOST_FILTERS = 8, SSTI_HDF5_MOST_TEXT = 1 << 16 };

typedef enum ssti_hdf5_layout {
  SSTI_HDF5_ONE_PIECE,
  SSTI_HDF5_TREE_CHUNKS,
  SSTI_HDF5_SINGLE_CHUNK,
  SSTI_HDF5_IMPLICIT_CHUNKS,
  SSTI_HDF5_ARRAY_CHUNKS
} ssti_hdf5_layout;

typedef struct ssti_hdf5_filter {
  int id;
  uint32_t value; // its first parameter
} ssti_hdf5_filter;

// An array as the file describes it. Holds no memory.
typedef struct ssti_hdf5_set {
  const char *place;
  ssti_hdf5_type type;
  int rank;
  int64_t shape[SSTI_HDF5_MOST_RANK], count;
  ssti_hdf5_layout layout;
  uint64_t at, stored; // the piece, or what finds the chunks; its bytes (ONE_PIECE, SINGLE_CHUNK)
  int64_t chunk[SSTI_HDF5_MOST_RANK];
  uint32_t skipped; // filters that were left out of a single chunk, as bits
  ssti_hdf5_filter filters[SSTI_HDF5_MOST_FILTERS];
  int filter_count;
} ssti_hdf5_set;

// Describes the array at that address. FORMAT also for what this reader does not know, and for more elements than the
// file can hold; *out may be used only after success.
sst_status ssti_hdf5_describe(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_set *out);

// All elements, unpacked, as the file has them: [count][type.size]; owned by the caller.
sst_status ssti_hdf5_read(ssti_hdf5 *file, const ssti_hdf5_set *set, uint8_t **out);

// Numbers as the file has them into ours. An integer above INT64_MAX becomes that.
void ssti_hdf5_to_doubles(const ssti_hdf5_number *number, const uint8_t *elements, int64_t count, double *out);
void ssti_hdf5_to_integers(const ssti_hdf5_number *number, const uint8_t *elements, int64_t count, int64_t *out);

// Element `index` of TEXTS or LONG_TEXTS that were read; owned by the caller.
sst_status ssti_hdf5_text(ssti_hdf5 *file, const ssti_hdf5_set *set, const uint8_t *elements, int64_t index,
                          char **out);

// A sequence of numbers; `element` is one of a set of SEQUENCES that was read. Changes nothing in the file: threads may
// call it at the same time.
typedef struct ssti_hdf5_sequence {
  const uint8_t *elements; // [count][type.number.size]
  uint32_t count;
  uint64_t steps; // that finding it took
  void *block;
} ssti_hdf5_sequence;
sst_status ssti_hdf5_sequence_read(const ssti_hdf5 *file, const ssti_hdf5_set *set, const uint8_t *element,
                                   ssti_hdf5_sequence *out);
void ssti_hdf5_sequence_free(const ssti_hdf5 *file, ssti_hdf5_sequence *sequence);

#endif
