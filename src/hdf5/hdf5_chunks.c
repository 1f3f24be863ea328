// SPDX-License-Identifier: Apache-2.0
// Arrays in chunks: a B-tree, an array or the arithmetic of the layout says where each one is; all must be there.
#include "hdf5/hdf5_parts.h"

enum { OVERHEAD = 32 }; // bytes that could be read in the time that a chunk takes besides

typedef struct reading {
  ssti_hdf5 *file;
  const ssti_hdf5_set *set;
  uint8_t *out;
  ssti_hdf5_unpacker unpacker;
  size_t chunk_bytes;
  int64_t grid[SSTI_HDF5_MOST_RANK]; // chunks along each dimension
  int64_t count, next;               // chunks; how many were met
} reading;

int64_t ssti_hdf5_chunk_bytes(const ssti_hdf5_set *set) {
  int64_t bytes = (int64_t)set->type.size;
  for (int i = 0; i < set->rank; i++) { bytes *= set->chunk[i]; }
  return bytes;
}

// Copies what of the chunk lies inside the array.
static void place_chunk(const reading *r, const int64_t *origin, const uint8_t *chunk) {
  const ssti_hdf5_set *set = r->set;
  const int last = set->rank - 1;
  const size_t element = set->type.size;
  int64_t length[SSTI_HDF5_MOST_RANK] = {0}, at[SSTI_HDF5_MOST_RANK] = {0};
  for (int i = 0; i <= last; i++) {
    const int64_t left = set->shape[i] - origin[i];
    length[i] = left < set->chunk[i] ? left : set->chunk[i];
  }
  for (;;) {
    int64_t from = 0, to = 0;
    for (int i = 0; i <= last; i++) {
      from = from * set->chunk[i] + at[i];
      to = to * set->shape[i] + origin[i] + at[i];
    }
    memcpy(r->out + (size_t)to * element, chunk + (size_t)from * element, (size_t)length[last] * element);
    int i = last - 1;
    for (; i >= 0; i--) {
      if (++at[i] < length[i]) { break; }
      at[i] = 0;
    }
    if (i < 0) { return; }
  }
}

// The chunk of that number, `stored` bytes at `at`.
static sst_status read_chunk(reading *r, int64_t index, uint64_t at, uint64_t stored, uint32_t skipped) {
  int64_t origin[SSTI_HDF5_MOST_RANK] = {0};
  if (at == SSTI_HDF5_NOWHERE) {
    return ssti_hdf5_fail(r->file, r->set->place, "chunk %" PRId64 " was never stored", index);
  }
  for (int i = r->set->rank - 1; i >= 0; i--) {
    origin[i] = index % r->grid[i] * r->set->chunk[i];
    index /= r->grid[i];
  }
  SST_TRY(ssti_hdf5_spend(r->file, r->set->place, (uint64_t)(1 + r->set->filter_count) * (r->chunk_bytes + OVERHEAD)));
  ssti_hdf5_block packed;
  const uint8_t *data = NULL;
  sst_status status = ssti_hdf5_load(r->file, r->set->place, at, stored, "a chunk", &packed);
  if (status == SST_OK) {
    status = ssti_hdf5_unpack(r->file, r->set, skipped, &packed, r->chunk_bytes, &r->unpacker, &data);
  }
  if (status == SST_OK) { place_chunk(r, origin, data); }
  ssti_hdf5_release(r->file, &packed);
  r->next++;
  return status;
}

// ---- B-tree: keys are the chunk's size, its skipped filters and its origin

static sst_status see_leaf(void *user, ssti_hdf5_cursor key, uint64_t child) {
  reading *r = user;
  const ssti_hdf5_set *set = r->set;
  const uint64_t stored = ssti_hdf5_take(&key, 4);
  const uint32_t skipped = (uint32_t)ssti_hdf5_take(&key, 4);
  int64_t index = 0;
  for (int i = 0; i < set->rank; i++) {
    const uint64_t origin = ssti_hdf5_take(&key, 8);
    // A chunk that has become unneeded when the array shrank.
    if (origin >= (uint64_t)set->shape[i]) { return SST_OK; }
    if (origin % (uint64_t)set->chunk[i] != 0) {
      return ssti_hdf5_fail(r->file, set->place, "a chunk begins at %" PRIu64 ", which is no multiple of %" PRId64,
                            origin, set->chunk[i]);
    }
    index = index * r->grid[i] + (int64_t)origin / set->chunk[i];
  }
  // In order, so that none comes twice.
  if (index != r->next) { return ssti_hdf5_fail(r->file, set->place, "chunk %" PRId64 " was never stored", r->next); }
  return read_chunk(r, index, child, stored, skipped);
}

static sst_status read_tree(reading *r) {
  return ssti_hdf5_each_leaf(r->file, r->set->place, r->set->at, 1, 8 + 8 * ((size_t)r->set->rank + 1), see_leaf, r);
}

// ---- fixed array: an entry for each chunk, beyond some number of them in pages

typedef struct fixed_array {
  bool packed; // entries have size and skipped filters too
  int entry_size;
  int64_t page; // entries of a page
  uint64_t data;
} fixed_array;

static sst_status parse_array(reading *r, ssti_hdf5_cursor c, fixed_array *out) {
  const bool good = ssti_hdf5_take_mark(&c, "FAHD") && ssti_hdf5_take(&c, 1) == 0;
  out->packed = ssti_hdf5_take(&c, 1) == 1;
  out->entry_size = (int)ssti_hdf5_take(&c, 1);
  const int page_bits = (int)ssti_hdf5_take(&c, 1);
  const uint64_t entries = ssti_hdf5_take(&c, 8);
  out->data = ssti_hdf5_take(&c, 8);
  const bool fits = out->packed ? out->entry_size > 12 && out->entry_size <= 20 : out->entry_size == 8;
  if (!good || c.ended || !fits || page_bits > 30 || entries != (uint64_t)r->count ||
      out->packed != (r->set->filter_count > 0)) {
    return ssti_hdf5_fail(r->file, r->set->place, "byte %" PRIu64 ": the array of its chunks is damaged", r->set->at);
  }
  out->page = (int64_t)1 << page_bits;
  return SST_OK;
}

static sst_status read_entries(reading *r, const fixed_array *array, uint64_t at, int64_t first, int64_t count) {
  const uint64_t size = (uint64_t)count * (uint64_t)array->entry_size;
  SST_TRY(ssti_hdf5_spend(r->file, r->set->place, size));
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(r->file, r->set->place, at, size, "the array of its chunks", &block);
  ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
  for (int64_t i = 0; i < count && status == SST_OK; i++) {
    const uint64_t chunk = ssti_hdf5_take(&c, 8);
    const uint64_t stored = array->packed ? ssti_hdf5_take(&c, array->entry_size - 12) : r->chunk_bytes;
    const uint32_t skipped = array->packed ? (uint32_t)ssti_hdf5_take(&c, 4) : 0;
    status = read_chunk(r, first + i, chunk, stored, skipped);
  }
  ssti_hdf5_release(r->file, &block);
  return status;
}

static sst_status read_array(reading *r) {
  enum { HEAD = 24, BLOCK_HEAD = 14, CHECKSUM = 4 };
  fixed_array array = {.page = 1};
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(r->file, r->set->place, r->set->at, HEAD, "the array of its chunks", &block);
  if (status == SST_OK) { status = parse_array(r, ssti_hdf5_cursor_begin(block.bytes, block.size), &array); }
  ssti_hdf5_release(r->file, &block);
  SST_TRY(status);
  SST_TRY(ssti_hdf5_load(r->file, r->set->place, array.data, BLOCK_HEAD, "the array of its chunks", &block));
  const bool good = memcmp(block.bytes, "FADB", 4) == 0;
  ssti_hdf5_release(r->file, &block);
  if (!good) {
    return ssti_hdf5_fail(r->file, r->set->place, "byte %" PRIu64 ": expected the array of its chunks", array.data);
  }
  uint64_t at = array.data + BLOCK_HEAD;
  if (r->count <= array.page) { return read_entries(r, &array, at, 0, r->count); }
  // A bit for each page says whether it is there; a chunk of a page that is not has no address, and that is noticed.
  const int64_t pages = (r->count + array.page - 1) / array.page;
  at += (uint64_t)(pages + 7) / 8 + CHECKSUM;
  for (int64_t first = 0; first < r->count; first += array.page) {
    const int64_t left = r->count - first, entries = left < array.page ? left : array.page;
    SST_TRY(read_entries(r, &array, at, first, entries));
    at += (uint64_t)entries * (uint64_t)array.entry_size + CHECKSUM;
  }
  return SST_OK;
}

// ---- all

static sst_status read_all(reading *r) {
  const ssti_hdf5_set *set = r->set;
  switch (set->layout) {
  case SSTI_HDF5_TREE_CHUNKS: return read_tree(r);
  case SSTI_HDF5_ARRAY_CHUNKS: return read_array(r);
  case SSTI_HDF5_SINGLE_CHUNK:
    if (r->count != 1) { return ssti_hdf5_fail(r->file, set->place, "is larger than its only chunk"); }
    return read_chunk(r, 0, set->at, set->stored != SSTI_HDF5_NOWHERE ? set->stored : r->chunk_bytes, set->skipped);
  default:
    for (int64_t i = 0; i < r->count; i++) {
      SST_TRY(read_chunk(r, i, set->at + (uint64_t)i * r->chunk_bytes, r->chunk_bytes, UINT32_MAX));
    }
    return SST_OK;
  }
}

sst_status ssti_hdf5_read_chunks(ssti_hdf5 *file, const ssti_hdf5_set *set, uint8_t *out) {
  reading r = {.file = file, .set = set, .out = out, .count = 1, .chunk_bytes = (size_t)ssti_hdf5_chunk_bytes(set)};
  if (set->count == 0) { return SST_OK; }
  if (set->rank < 1 || set->rank > SSTI_HDF5_MOST_RANK) {
    return ssti_hdf5_fail(file, set->place, "has no dimensions");
  }
  for (int i = 0; i < set->rank; i++) {
    r.grid[i] = (set->shape[i] + set->chunk[i] - 1) / set->chunk[i];
    r.count *= r.grid[i];
  }
  sst_status status = ssti_hdf5_unpacker_begin(file, r.chunk_bytes, &r.unpacker);
  if (status == SST_OK) { status = read_all(&r); }
  ssti_hdf5_unpacker_end(file, &r.unpacker);
  SST_TRY(status);
  if (r.next < r.count) { return ssti_hdf5_fail(file, set->place, "chunk %" PRId64 " was never stored", r.next); }
  return SST_OK;
}
