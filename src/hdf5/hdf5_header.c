// SPDX-License-Identifier: Apache-2.0
// Object headers, versions 1 and 2: lists of messages in a first block and in others that continuation messages name.
// And version 1 B-trees.
#include "hdf5/hdf5_parts.h"

enum { MOST_BLOCKS = 256, MOST_LEVELS = 32 };

// The blocks of a header, met and still to come.
typedef struct walk {
  ssti_hdf5 *file;
  const char *place;
  ssti_hdf5_visit *visit;
  void *user;
  int version, flags;
  int count;
  struct {
    uint64_t at, size;
  } blocks[MOST_BLOCKS];
} walk;

static sst_status add_block(walk *w, uint64_t at, uint64_t size) {
  if (w->count == MOST_BLOCKS) {
    return ssti_hdf5_fail(w->file, w->place, "its header is in more than %d pieces", (int)MOST_BLOCKS);
  }
  w->blocks[w->count].at = at;
  w->blocks[w->count].size = size;
  w->count++;
  return SST_OK;
}

static sst_status visit_message(walk *w, ssti_hdf5_message *message) {
  if (message->type != SSTI_HDF5_M_CONTINUED) { return w->visit(w->user, message); }
  const uint64_t at = ssti_hdf5_take(&message->body, 8), size = ssti_hdf5_take(&message->body, 8);
  if (message->body.ended) {
    return ssti_hdf5_fail(w->file, w->place, "byte %" PRIu64 ": its header is damaged", message->at);
  }
  return add_block(w, at, size);
}

static sst_status visit_block(walk *w, const ssti_hdf5_block *block, uint64_t at) {
  ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block->bytes, block->size);
  const size_t head = w->version == 1 ? 8 : w->flags & 4 ? 6 : 4;
  while (c.left >= head) {
    ssti_hdf5_message message = {.type = (int)ssti_hdf5_take(&c, w->version == 1 ? 2 : 1)};
    const uint64_t size = ssti_hdf5_take(&c, 2);
    message.shared = (ssti_hdf5_take(&c, 1) & 2) != 0;
    ssti_hdf5_skip(&c, w->version == 1 ? 3 : head - 4);
    message.at = at + (block->size - c.left);
    if (size > c.left) {
      return ssti_hdf5_fail(w->file, w->place,
                            "byte %" PRIu64 ": its header has a message of %" PRIu64 " bytes where %zu are left",
                            message.at, size, c.left);
    }
    message.body = ssti_hdf5_cursor_begin(c.at, (size_t)size);
    ssti_hdf5_skip(&c, size);
    SST_TRY(visit_message(w, &message));
  }
  return SST_OK;
}

// Continued blocks of version 2 have a mark before and a checksum behind them.
static sst_status visit_block_at(walk *w, int index) {
  uint64_t at = w->blocks[index].at, size = w->blocks[index].size;
  if (w->version == 2 && index > 0) {
    if (size < 8) { return ssti_hdf5_fail(w->file, w->place, "byte %" PRIu64 ": its header is damaged", at); }
    ssti_hdf5_block mark;
    sst_status status = ssti_hdf5_load(w->file, w->place, at, 4, "a piece of its header", &mark);
    if (status == SST_OK && memcmp(mark.bytes, "OCHK", 4) != 0) {
      status = ssti_hdf5_fail(w->file, w->place, "byte %" PRIu64 ": expected a piece of its header", at);
    }
    ssti_hdf5_release(w->file, &mark);
    SST_TRY(status);
    at += 4;
    size -= 8;
  }
  SST_TRY(ssti_hdf5_spend(w->file, w->place, size + 8));
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(w->file, w->place, at, size, "its header", &block);
  if (status == SST_OK) { status = visit_block(w, &block, at); }
  ssti_hdf5_release(w->file, &block);
  return status;
}

// Where the first block of messages is.
static sst_status read_prefix(walk *w, uint64_t address) {
  enum { LONGEST = 34, SHORTEST = 16 };
  ssti_hdf5_block block;
  const uint64_t left = address < w->file->size ? w->file->size - address : 0;
  sst_status status = ssti_hdf5_load(w->file, w->place, address, left < LONGEST && left > SHORTEST ? left : SHORTEST,
                                     "its header", &block);
  if (status == SST_OK && left >= LONGEST) {
    ssti_hdf5_release(w->file, &block);
    status = ssti_hdf5_load(w->file, w->place, address, LONGEST, "its header", &block);
  }
  uint64_t at = address, size = 0;
  if (status == SST_OK) {
    ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
    if (memcmp(block.bytes, "OHDR", 4) == 0) {
      ssti_hdf5_skip(&c, 4);
      w->version = (int)ssti_hdf5_take(&c, 1);
      w->flags = (int)ssti_hdf5_take(&c, 1);
      ssti_hdf5_skip(&c, (w->flags & 0x20 ? 16 : 0) + (w->flags & 0x10 ? 4 : 0));
      size = ssti_hdf5_take(&c, 1 << (w->flags & 3));
    } else {
      w->version = (int)ssti_hdf5_take(&c, 1) == 1 ? 1 : 0;
      ssti_hdf5_skip(&c, 7);
      size = ssti_hdf5_take(&c, 4);
      ssti_hdf5_skip(&c, 4);
    }
    at += block.size - c.left;
    if (c.ended || w->version < 1 || w->version > 2) {
      status = ssti_hdf5_fail(w->file, w->place, "byte %" PRIu64 ": expected the header of an object", address);
    }
  }
  ssti_hdf5_release(w->file, &block);
  SST_TRY(status);
  return add_block(w, at, size);
}

sst_status ssti_hdf5_each_message(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_visit *visit,
                                  void *user) {
  walk w = {.file = file, .place = place, .visit = visit, .user = user};
  SST_TRY(read_prefix(&w, address));
  for (int i = 0; i < w.count; i++) { SST_TRY(visit_block_at(&w, i)); }
  return SST_OK;
}

// ---- version 1 B-trees

typedef struct tree {
  ssti_hdf5 *file;
  const char *place;
  int type;
  size_t key_size;
  ssti_hdf5_leaf *visit;
  void *user;
} tree;

static sst_status walk_node(const tree *t, uint64_t address, int level);

static sst_status walk_entries(const tree *t, uint64_t address, int level, int count) {
  enum { HEAD = 24 };
  const size_t entry = t->key_size + 8, size = (size_t)count * entry;
  SST_TRY(ssti_hdf5_spend(t->file, t->place, HEAD + size));
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(t->file, t->place, address + HEAD, size, "a node of a tree", &block);
  for (int i = 0; i < count && status == SST_OK; i++) {
    const uint8_t *at = block.bytes + (size_t)i * entry;
    ssti_hdf5_cursor child = ssti_hdf5_cursor_begin(at + t->key_size, 8);
    const uint64_t next = ssti_hdf5_take(&child, 8);
    status =
        level == 0 ? t->visit(t->user, ssti_hdf5_cursor_begin(at, t->key_size), next) : walk_node(t, next, level - 1);
  }
  ssti_hdf5_release(t->file, &block);
  return status;
}

// `level` is what the node above says; -1 for the root.
static sst_status walk_node(const tree *t, uint64_t address, int level) {
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(t->file, t->place, address, 8, "a node of a tree", &block);
  int found = 0, count = 0;
  if (status == SST_OK) {
    ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
    const bool good = ssti_hdf5_take_mark(&c, "TREE") && (int)ssti_hdf5_take(&c, 1) == t->type;
    found = (int)ssti_hdf5_take(&c, 1);
    count = (int)ssti_hdf5_take(&c, 2);
    if (!good || found >= MOST_LEVELS || (level >= 0 && found != level)) {
      status = ssti_hdf5_fail(t->file, t->place, "byte %" PRIu64 ": expected a node of a tree", address);
    }
  }
  ssti_hdf5_release(t->file, &block);
  SST_TRY(status);
  return walk_entries(t, address, found, count);
}

sst_status ssti_hdf5_each_leaf(ssti_hdf5 *file, const char *place, uint64_t address, int type, size_t key_size,
                               ssti_hdf5_leaf *visit, void *user) {
  const tree t = {file, place, type, key_size, visit, user};
  return walk_node(&t, address, -1);
}
