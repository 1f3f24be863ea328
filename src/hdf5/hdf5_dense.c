// SPDX-License-Identifier: Apache-2.0
// Groups of many entries, as later versions of the format keep them: the links are objects of a fractal heap, and a
// version 2 B-tree lists their places in it.
#include "hdf5/hdf5_parts.h"

enum { MOST_DEPTH = 16, MOST_NODE = 1 << 20, HEAD_SIZE = 142, RECORD_HASH = 4, LIST_BY_NAME = 5 };

typedef struct dense {
  ssti_hdf5 *file;
  const char *place;
  ssti_hdf5_links *links;
  // The heap: blocks in rows of `width`, the first two of `start` bytes a block, then each of twice the one before.
  // Rows whose blocks would be above `largest` hold tables of blocks instead.
  int id_size, offset_bytes, length_bytes, heap_bits;
  uint64_t width, start, largest, root;
  int rows; // of the table at `root`; 0: it is a block
  // The tree.
  uint64_t node_size;
  int record_size, count_bytes;
  int total_bytes[MOST_DEPTH + 1]; // of the number of records below a node of that level
} dense;

static int log2_of(uint64_t power) {
  int bits = 0;
  while (power > 1) {
    power >>= 1;
    bits++;
  }
  return bits;
}

static bool is_power(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

static sst_status fail_heap(const dense *d, uint64_t at) {
  return ssti_hdf5_fail(d->file, d->place, "byte %" PRIu64 ": the heap of its entries is damaged", at);
}

static sst_status fail_tree(const dense *d, uint64_t at) {
  return ssti_hdf5_fail(d->file, d->place, "byte %" PRIu64 ": the tree of its entries is damaged", at);
}

static sst_status parse_heap(dense *d, ssti_hdf5_cursor c, uint64_t at) {
  const bool good = ssti_hdf5_take_mark(&c, "FRHP") && ssti_hdf5_take(&c, 1) == 0;
  d->id_size = (int)ssti_hdf5_take(&c, 2);
  const uint64_t filters = ssti_hdf5_take(&c, 2);
  ssti_hdf5_skip(&c, 1);
  const uint64_t largest_object = ssti_hdf5_take(&c, 4);
  ssti_hdf5_skip(&c, 12 * 8);
  d->width = ssti_hdf5_take(&c, 2);
  d->start = ssti_hdf5_take(&c, 8);
  d->largest = ssti_hdf5_take(&c, 8);
  d->heap_bits = (int)ssti_hdf5_take(&c, 2);
  ssti_hdf5_skip(&c, 2);
  d->root = ssti_hdf5_take(&c, 8);
  d->rows = (int)ssti_hdf5_take(&c, 2);
  if (!good || c.ended || !is_power(d->width) || !is_power(d->start) || !is_power(d->largest) ||
      d->largest < d->start || d->heap_bits < 1 || d->heap_bits > 56 || d->start >> d->heap_bits != 0) {
    return fail_heap(d, at);
  }
  if (filters != 0) { return ssti_hdf5_fail(d->file, d->place, "its entries are packed, which is not read"); }
  d->offset_bytes = (d->heap_bits + 7) / 8;
  const int by_block = ssti_hdf5_bytes_for(d->largest), by_object = ssti_hdf5_bytes_for(largest_object);
  d->length_bytes = by_block < by_object ? by_block : by_object;
  return 1 + d->offset_bytes + d->length_bytes <= d->id_size ? SST_OK : fail_heap(d, at);
}

// The block that holds offset `wanted` of the heap: its place in the file, the offset of its first byte, its bytes.
static sst_status find_block(const dense *d, uint64_t wanted, uint64_t *at, uint64_t *first, uint64_t *size) {
  *at = d->root;
  *first = 0;
  *size = d->start;
  const int direct_rows = log2_of(d->largest) - log2_of(d->start) + 2;
  for (int rows = d->rows; rows > 0;) {
    const uint64_t in = wanted - *first, table = *at;
    int row = 0;
    uint64_t begin = 0, length = d->start;
    while (row < rows && in - begin >= length * d->width) {
      begin += length * d->width;
      if (row > 0) { length *= 2; }
      row++;
      if (length >> d->heap_bits != 0) { return fail_heap(d, table); }
    }
    if (row == rows) { return fail_heap(d, table); }
    const uint64_t column = (in - begin) / length;
    const uint64_t entry = 13 + (uint64_t)d->offset_bytes + ((uint64_t)row * d->width + column) * 8;
    ssti_hdf5_block block;
    sst_status status = ssti_hdf5_load(d->file, d->place, table, entry + 8, "a table of its entries", &block);
    if (status == SST_OK) {
      ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
      if (!ssti_hdf5_take_mark(&c, "FHIB")) { status = fail_heap(d, table); }
      ssti_hdf5_skip(&c, entry - 4);
      *at = ssti_hdf5_take(&c, 8);
    }
    ssti_hdf5_release(d->file, &block);
    SST_TRY(status);
    *first += begin + column * length;
    *size = length;
    // A table within is smaller than the one around it, so that this ends.
    const int inner = log2_of(length) - log2_of(d->start) - log2_of(d->width) + 1;
    if (row >= direct_rows && (inner < 1 || inner >= rows)) { return fail_heap(d, table); }
    rows = row < direct_rows ? 0 : inner;
  }
  return SST_OK;
}

static sst_status add_object(const dense *d, const uint8_t *id) {
  ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(id, (size_t)d->id_size);
  const uint64_t kind = ssti_hdf5_take(&c, 1), offset = ssti_hdf5_take(&c, d->offset_bytes),
                 length = ssti_hdf5_take(&c, d->length_bytes);
  uint64_t at = 0, first = 0, size = 0;
  if (kind != 0) { return ssti_hdf5_fail(d->file, d->place, "has an entry outside its heap, which is not read"); }
  if (offset >> d->heap_bits != 0) { return fail_heap(d, d->root); }
  SST_TRY(find_block(d, offset, &at, &first, &size));
  if (at == SSTI_HDF5_NOWHERE || offset - first > size || length > size - (offset - first)) { return fail_heap(d, at); }
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(d->file, d->place, at, 4, "a block of its entries", &block);
  if (status == SST_OK && memcmp(block.bytes, "FHDB", 4) != 0) { status = fail_heap(d, at); }
  ssti_hdf5_release(d->file, &block);
  SST_TRY(status);
  status = ssti_hdf5_load(d->file, d->place, at + (offset - first), length, "an entry", &block);
  if (status == SST_OK) {
    status = ssti_hdf5_add_link(d->file, d->place, ssti_hdf5_cursor_begin(block.bytes, block.size), d->links);
  }
  ssti_hdf5_release(d->file, &block);
  return status;
}

// ---- the tree

static sst_status walk(const dense *d, uint64_t at, uint64_t records, int level);

// Records come first, then the nodes between them.
static sst_status walk_node(const dense *d, ssti_hdf5_cursor c, uint64_t at, uint64_t records, int level) {
  const bool good = ssti_hdf5_take_mark(&c, level == 0 ? "BTLF" : "BTIN") && ssti_hdf5_take(&c, 1) == 0 &&
                    ssti_hdf5_take(&c, 1) == LIST_BY_NAME;
  if (!good) { return fail_tree(d, at); }
  for (uint64_t i = 0; i < records; i++) {
    const uint8_t *record = ssti_hdf5_take_bytes(&c, (uint64_t)d->record_size);
    if (record == NULL) { return fail_tree(d, at); }
    SST_TRY(add_object(d, record + RECORD_HASH));
  }
  for (uint64_t i = 0; level > 0 && i <= records; i++) {
    const uint64_t child = ssti_hdf5_take(&c, 8), count = ssti_hdf5_take(&c, d->count_bytes);
    if (level > 1) { ssti_hdf5_skip(&c, (uint64_t)d->total_bytes[level - 1]); }
    if (c.ended) { return fail_tree(d, at); }
    SST_TRY(walk(d, child, count, level - 1));
  }
  return SST_OK;
}

static sst_status walk(const dense *d, uint64_t at, uint64_t records, int level) {
  SST_TRY(ssti_hdf5_spend(d->file, d->place, d->node_size));
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(d->file, d->place, at, d->node_size, "a list of its entries", &block);
  if (status == SST_OK) { status = walk_node(d, ssti_hdf5_cursor_begin(block.bytes, block.size), at, records, level); }
  ssti_hdf5_release(d->file, &block);
  return status;
}

// How wide the numbers in nodes are follows from how many records fit below them.
static void measure(dense *d, int depth) {
  enum { FRAME = 10 }; // mark, version, type and checksum of a node
  const uint64_t room = d->node_size - FRAME, record = (uint64_t)d->record_size;
  uint64_t most = room / record, total = most;
  d->count_bytes = ssti_hdf5_bytes_for(most);
  for (int level = 1; level <= depth; level++) {
    const uint64_t pointer = 8 + (uint64_t)d->count_bytes + (uint64_t)(level > 1 ? d->total_bytes[level - 1] : 0);
    most = room > pointer ? (room - pointer) / (record + pointer) : 0;
    // Beyond what any file has, the width stays at its limit.
    total = total > UINT64_MAX >> 24 ? total : (most + 1) * total + most;
    d->total_bytes[level] = ssti_hdf5_bytes_for(total);
  }
}

static sst_status read_tree(dense *d, uint64_t tree, ssti_hdf5_cursor c) {
  bool good = ssti_hdf5_take_mark(&c, "BTHD") && ssti_hdf5_take(&c, 1) == 0 && ssti_hdf5_take(&c, 1) == LIST_BY_NAME;
  d->node_size = ssti_hdf5_take(&c, 4);
  d->record_size = (int)ssti_hdf5_take(&c, 2);
  const int depth = (int)ssti_hdf5_take(&c, 2);
  ssti_hdf5_skip(&c, 2);
  const uint64_t root = ssti_hdf5_take(&c, 8), records = ssti_hdf5_take(&c, 2);
  good = good && !c.ended && d->node_size >= 32 && d->node_size <= MOST_NODE && depth <= MOST_DEPTH &&
         d->record_size == RECORD_HASH + d->id_size;
  if (!good) { return fail_tree(d, tree); }
  if (records == 0) { return SST_OK; }
  measure(d, depth);
  return walk(d, root, records, depth);
}

sst_status ssti_hdf5_add_dense(ssti_hdf5 *file, const char *place, uint64_t heap, uint64_t tree,
                               ssti_hdf5_links *links) {
  enum { TREE_HEAD = 34 };
  dense d = {.file = file, .place = place, .links = links};
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(file, place, heap, HEAD_SIZE, "the heap of its entries", &block);
  if (status == SST_OK) { status = parse_heap(&d, ssti_hdf5_cursor_begin(block.bytes, block.size), heap); }
  ssti_hdf5_release(file, &block);
  SST_TRY(status);
  status = ssti_hdf5_load(file, place, tree, TREE_HEAD, "the tree of its entries", &block);
  if (status == SST_OK) { status = read_tree(&d, tree, ssti_hdf5_cursor_begin(block.bytes, block.size)); }
  ssti_hdf5_release(file, &block);
  return status;
}
