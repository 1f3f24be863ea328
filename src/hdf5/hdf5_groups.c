// SPDX-License-Identifier: Apache-2.0
// The links of groups: in a symbol table (B-tree and local heap), in link messages, or dense (hdf5_dense.c).
#include <stdlib.h>

#include "hdf5/hdf5_parts.h"

// ---- what an object is

static sst_status see_kind(void *user, ssti_hdf5_message *message) {
  ssti_hdf5_kind *kind = user;
  switch (message->type) {
  case SSTI_HDF5_M_LINK_INFO:
  case SSTI_HDF5_M_LINK:
  case SSTI_HDF5_M_LINK_TABLE: *kind = SSTI_HDF5_GROUP; break;
  case SSTI_HDF5_M_LAYOUT: *kind = SSTI_HDF5_SET; break;
  default: break;
  }
  return SST_OK;
}

sst_status ssti_hdf5_kind_of(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_kind *out) {
  *out = SSTI_HDF5_OTHER;
  return ssti_hdf5_each_message(file, place, address, see_kind, out);
}

// ---- the list

static sst_status add(ssti_hdf5 *file, const char *place, const uint8_t *name, uint64_t length, ssti_hdf5_link link,
                      ssti_hdf5_links *links) {
  if (length == 0 || length > SSTI_HDF5_MOST_NAME || memchr(name, '\0', (size_t)length) != NULL) {
    return ssti_hdf5_fail(file, place, "an entry's name has %" PRIu64 " bytes, expected 1 to %d, none of them 0",
                          length, (int)SSTI_HDF5_MOST_NAME);
  }
  if (links->count == SSTI_HDF5_MOST_LINKS) {
    return ssti_hdf5_fail(file, place, "has more than %d entries", (int)SSTI_HDF5_MOST_LINKS);
  }
  SST_TRY(ssti_grow(file->context, &links->at, &links->capacity, links->count + 1, sizeof *links->at));
  SST_TRY(ssti_allocate(file->context, (size_t)length + 1, 1, &link.name));
  memcpy(link.name, name, (size_t)length);
  links->at[links->count++] = link;
  return SST_OK;
}

sst_status ssti_hdf5_add_link(ssti_hdf5 *file, const char *place, ssti_hdf5_cursor c, ssti_hdf5_links *links) {
  const int version = (int)ssti_hdf5_take(&c, 1), flags = (int)ssti_hdf5_take(&c, 1);
  ssti_hdf5_link link = {.hard = (flags & 8) == 0 || ssti_hdf5_take(&c, 1) == 0};
  if (flags & 4) {
    link.order = ssti_hdf5_take(&c, 8);
    links->ordered = true;
  }
  if (flags & 0x10) { ssti_hdf5_skip(&c, 1); }
  const uint64_t length = ssti_hdf5_take(&c, 1 << (flags & 3));
  const uint8_t *name = ssti_hdf5_take_bytes(&c, length);
  if (link.hard) { link.address = ssti_hdf5_take(&c, 8); }
  if (c.ended || version != 1) { return ssti_hdf5_fail(file, place, "an entry of the group is damaged"); }
  return add(file, place, name, length, link, links);
}

// ---- symbol tables

typedef struct table {
  ssti_hdf5 *file;
  const char *place;
  ssti_hdf5_links *links;
  ssti_hdf5_block names;
} table;

static sst_status add_symbol(const table *t, ssti_hdf5_cursor c) {
  enum { SOFT = 2 };
  const uint64_t name = ssti_hdf5_take(&c, 8);
  ssti_hdf5_link link = {.address = ssti_hdf5_take(&c, 8)};
  link.hard = ssti_hdf5_take(&c, 4) != SOFT;
  const uint64_t left = name < t->names.size ? t->names.size - name : 0;
  const uint8_t *begin = t->names.bytes + (left > 0 ? name : 0);
  const uint8_t *end = left > 0 ? memchr(begin, '\0', (size_t)left) : NULL;
  if (end == NULL) {
    return ssti_hdf5_fail(t->file, t->place, "an entry's name lies outside the group's %zu bytes of names",
                          t->names.size);
  }
  return add(t->file, t->place, begin, (uint64_t)(end - begin), link, t->links);
}

// A leaf of the tree points to a node of up to 65,535 symbols.
static sst_status add_symbols(void *user, ssti_hdf5_cursor key, uint64_t address) {
  enum { HEAD = 8, SYMBOL = 40 };
  const table *t = user;
  (void)key;
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(t->file, t->place, address, HEAD, "a list of entries", &block);
  size_t count = 0;
  if (status == SST_OK) {
    ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
    const bool good = ssti_hdf5_take_mark(&c, "SNOD") && ssti_hdf5_take(&c, 1) == 1;
    ssti_hdf5_skip(&c, 1);
    count = (size_t)ssti_hdf5_take(&c, 2);
    if (!good) {
      status = ssti_hdf5_fail(t->file, t->place, "byte %" PRIu64 ": expected a list of the group's entries", address);
    }
  }
  ssti_hdf5_release(t->file, &block);
  SST_TRY(status);
  SST_TRY(ssti_hdf5_spend(t->file, t->place, HEAD + count * SYMBOL));
  status = ssti_hdf5_load(t->file, t->place, address + HEAD, count * SYMBOL, "a list of entries", &block);
  for (size_t i = 0; i < count && status == SST_OK; i++) {
    status = add_symbol(t, ssti_hdf5_cursor_begin(block.bytes + i * SYMBOL, SYMBOL));
  }
  ssti_hdf5_release(t->file, &block);
  return status;
}

static sst_status load_names(table *t, uint64_t heap) {
  enum { HEAD = 32 };
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(t->file, t->place, heap, HEAD, "the names of its entries", &block);
  uint64_t size = 0, at = 0;
  if (status == SST_OK) {
    ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
    const bool good = ssti_hdf5_take_mark(&c, "HEAP") && ssti_hdf5_take(&c, 1) == 0;
    ssti_hdf5_skip(&c, 3);
    size = ssti_hdf5_take(&c, 8);
    ssti_hdf5_skip(&c, 8);
    at = ssti_hdf5_take(&c, 8);
    if (!good) {
      status = ssti_hdf5_fail(t->file, t->place, "byte %" PRIu64 ": expected the names of its entries", heap);
    }
  }
  ssti_hdf5_release(t->file, &block);
  SST_TRY(status);
  SST_TRY(ssti_hdf5_spend(t->file, t->place, size));
  return ssti_hdf5_load(t->file, t->place, at, size, "the names of its entries", &t->names);
}

static sst_status add_table(ssti_hdf5 *file, const char *place, uint64_t tree, uint64_t heap, ssti_hdf5_links *links) {
  table t = {.file = file, .place = place, .links = links};
  sst_status status = load_names(&t, heap);
  if (status == SST_OK) { status = ssti_hdf5_each_leaf(file, place, tree, 0, 8, add_symbols, &t); }
  ssti_hdf5_release(file, &t.names);
  return status;
}

// ---- any group

typedef struct listing {
  ssti_hdf5 *file;
  const char *place;
  ssti_hdf5_links *links;
  bool group;
} listing;

static sst_status see_links(void *user, ssti_hdf5_message *message) {
  listing *l = user;
  ssti_hdf5_cursor *c = &message->body;
  if (message->type == SSTI_HDF5_M_LINK) {
    l->group = true;
    return ssti_hdf5_add_link(l->file, l->place, *c, l->links);
  }
  if (message->type == SSTI_HDF5_M_LINK_TABLE) {
    l->group = true;
    const uint64_t tree = ssti_hdf5_take(c, 8), heap = ssti_hdf5_take(c, 8);
    if (c->ended) { return ssti_hdf5_fail(l->file, l->place, "byte %" PRIu64 ": is damaged", message->at); }
    return add_table(l->file, l->place, tree, heap, l->links);
  }
  if (message->type == SSTI_HDF5_M_LINK_INFO) {
    l->group = true;
    ssti_hdf5_skip(c, 1);
    const int flags = (int)ssti_hdf5_take(c, 1);
    if (flags & 1) { ssti_hdf5_skip(c, 8); }
    const uint64_t heap = ssti_hdf5_take(c, 8), tree = ssti_hdf5_take(c, 8);
    if (c->ended) { return ssti_hdf5_fail(l->file, l->place, "byte %" PRIu64 ": is damaged", message->at); }
    if (heap != SSTI_HDF5_NOWHERE) { return ssti_hdf5_add_dense(l->file, l->place, heap, tree, l->links); }
  }
  return SST_OK;
}

static int by_order(const void *a, const void *b) {
  const ssti_hdf5_link *x = a, *y = b;
  if (x->order != y->order) { return x->order < y->order ? -1 : 1; }
  return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const ssti_hdf5_link *)a)->name, ((const ssti_hdf5_link *)b)->name);
}

sst_status ssti_hdf5_list(ssti_hdf5 *file, const char *place, uint64_t group, ssti_hdf5_links *out) {
  *out = (ssti_hdf5_links){0};
  listing l = {.file = file, .place = place, .links = out};
  sst_status status = ssti_hdf5_each_message(file, place, group, see_links, &l);
  if (status == SST_OK && !l.group) { status = ssti_hdf5_fail(file, place, "is not a group"); }
  if (status != SST_OK) {
    ssti_hdf5_links_free(file, out);
    return status;
  }
  if (out->count > 1) { qsort(out->at, out->count, sizeof *out->at, out->ordered ? by_order : by_name); }
  return SST_OK;
}

const ssti_hdf5_link *ssti_hdf5_find(const ssti_hdf5_links *links, const char *name) {
  for (size_t i = 0; i < links->count; i++) {
    if (strcmp(links->at[i].name, name) == 0) { return &links->at[i]; }
  }
  return NULL;
}

void ssti_hdf5_links_free(const ssti_hdf5 *file, ssti_hdf5_links *links) {
  for (size_t i = 0; i < links->count; i++) { ssti_free(file->context, links->at[i].name); }
  ssti_free(file->context, links->at);
  *links = (ssti_hdf5_links){0};
}
