// SPDX-License-Identifier: Apache-2.0
// What an array is, from the messages of its header: shape, type, layout, filters.
#include "hdf5/hdf5_parts.h"

static const int64_t most_elements = 1LL << 40; // so that no product with an element's size overflows
static const int64_t largest_chunk = 1LL << 26; // bytes that a chunk may have beside the array itself
static const uint64_t largest_ratio = 1032;     // unpacked to packed bytes of deflate

typedef struct description {
  ssti_hdf5 *file;
  ssti_hdf5_set *set;
  bool space, type, layout;
  int sides; // of a chunk; 0: not in chunks
} description;

static sst_status fail_message(const description *d, const ssti_hdf5_message *message, const char *what) {
  return ssti_hdf5_fail(d->file, d->set->place, "byte %" PRIu64 ": %s is damaged", message->at, what);
}

// ---- shape

static sst_status see_space(description *d, ssti_hdf5_message *message) {
  enum { NOTHING = 2 };
  ssti_hdf5_cursor *c = &message->body;
  ssti_hdf5_set *set = d->set;
  const int version = (int)ssti_hdf5_take(c, 1), rank = (int)ssti_hdf5_take(c, 1);
  ssti_hdf5_skip(c, 1);
  const int kind = (int)ssti_hdf5_take(c, 1);
  if (version == 1) { ssti_hdf5_skip(c, 4); }
  if (c->ended || version < 1 || version > 2) { return fail_message(d, message, "its shape"); }
  if (version == 2 && kind == NOTHING) { return ssti_hdf5_fail(d->file, set->place, "has no value"); }
  if (rank > SSTI_HDF5_MOST_RANK) {
    return ssti_hdf5_fail(d->file, set->place, "has %d dimensions, expected at most %d", rank,
                          (int)SSTI_HDF5_MOST_RANK);
  }
  set->rank = rank;
  set->count = 1;
  for (int i = 0; i < rank; i++) {
    const uint64_t length = ssti_hdf5_take(c, 8);
    if (length > (uint64_t)most_elements || __builtin_mul_overflow(set->count, (int64_t)length, &set->count) ||
        set->count > most_elements) {
      return ssti_hdf5_fail(d->file, set->place, "has more than %" PRId64 " elements", most_elements);
    }
    set->shape[i] = (int64_t)length;
  }
  d->space = true;
  return c->ended ? fail_message(d, message, "its shape") : SST_OK;
}

// ---- type

enum { C_INTEGER = 0, C_FLOAT = 1, C_TEXT = 3, C_ENUM = 8, C_SEQUENCE = 9 };

static bool parse_integer(uint64_t bits, uint64_t size, ssti_hdf5_cursor *c, ssti_hdf5_number *out) {
  const uint64_t offset = ssti_hdf5_take(c, 2), precision = ssti_hdf5_take(c, 2);
  *out = (ssti_hdf5_number){.big_endian = bits & 1, .is_signed = (bits & 8) != 0, .size = (int)size};
  return size >= 1 && size <= 8 && offset == 0 && precision == 8 * size;
}

// Any sign, exponent and mantissa with a hidden first bit, as IEEE 754 has them in 16, 32 and 64 bits.
static bool parse_float(uint64_t bits, uint64_t size, ssti_hdf5_cursor *c, ssti_hdf5_number *out) {
  enum { HIDDEN_BIT = 2 };
  *out = (ssti_hdf5_number){.is_float = true, .is_signed = true, .big_endian = bits & 1, .size = (int)size};
  const uint64_t offset = ssti_hdf5_take(c, 2), precision = ssti_hdf5_take(c, 2);
  out->sign_at = (int)(bits >> 8 & 255);
  out->exponent_at = (int)ssti_hdf5_take(c, 1);
  out->exponent_bits = (int)ssti_hdf5_take(c, 1);
  out->mantissa_at = (int)ssti_hdf5_take(c, 1);
  out->mantissa_bits = (int)ssti_hdf5_take(c, 1);
  out->bias = (uint32_t)ssti_hdf5_take(c, 4);
  const int width = (int)(8 * size);
  return size >= 1 && size <= 8 && offset == 0 && precision == 8 * size && (bits & 0x40) == 0 &&
         (bits >> 4 & 3) == HIDDEN_BIT && out->sign_at < width && out->exponent_bits >= 1 && out->exponent_bits <= 15 &&
         out->mantissa_bits >= 1 && out->mantissa_bits <= 52 && out->exponent_at + out->exponent_bits <= width &&
         out->mantissa_at + out->mantissa_bits <= width && out->bias < 1U << 15;
}

// STRANGE for what is not read, damaged or not.
static ssti_hdf5_type parse_type(ssti_hdf5_cursor *c, int depth) {
  const int word = (int)ssti_hdf5_take(c, 1), kind = word & 15;
  const uint64_t bits = ssti_hdf5_take(c, 3), size = ssti_hdf5_take(c, 4);
  ssti_hdf5_type type = {.class = SSTI_HDF5_STRANGE, .size = (size_t)size};
  if (c->ended || size == 0 || depth > 1) { return type; }
  if (kind == C_INTEGER && parse_integer(bits, size, c, &type.number)) { type.class = SSTI_HDF5_INTEGERS; }
  if (kind == C_FLOAT && parse_float(bits, size, c, &type.number)) { type.class = SSTI_HDF5_FLOATS; }
  if (kind == C_TEXT) {
    type.class = SSTI_HDF5_TEXTS;
    type.spaces = (bits & 15) == 2;
  }
  if (kind == C_ENUM) {
    const ssti_hdf5_type base = parse_type(c, depth + 1);
    type.number = base.number;
    if (base.class == SSTI_HDF5_INTEGERS && base.size == type.size) { type.class = SSTI_HDF5_INTEGERS; }
  }
  if (kind == C_SEQUENCE && size == 16) {
    const ssti_hdf5_type base = parse_type(c, depth + 1);
    type.number = base.number;
    if ((bits & 15) == 1) {
      type.class = SSTI_HDF5_LONG_TEXTS;
    } else if (depth == 0 && (base.class == SSTI_HDF5_INTEGERS || base.class == SSTI_HDF5_FLOATS)) {
      type.class = SSTI_HDF5_SEQUENCES;
    }
  }
  if (c->ended) { type.class = SSTI_HDF5_STRANGE; }
  return type;
}

static sst_status see_type(description *d, ssti_hdf5_message *message) {
  ssti_hdf5_type type = {.class = SSTI_HDF5_STRANGE, .size = 1};
  if (!message->shared) { type = parse_type(&message->body, 0); }
  if (type.size == 0 || type.size > SSTI_HDF5_MOST_TEXT) {
    return ssti_hdf5_fail(d->file, d->set->place, "has elements of %zu bytes, expected 1 to %d", type.size,
                          (int)SSTI_HDF5_MOST_TEXT);
  }
  d->set->type = type;
  d->type = true;
  return SST_OK;
}

// ---- layout

static sst_status fail_elsewhere(const description *d) {
  return ssti_hdf5_fail(d->file, d->set->place,
                        "lies outside this file or is put together from others, which is not read");
}

// The sides of a chunk, and behind them the size of an element, which the type says too.
static sst_status see_sides(description *d, ssti_hdf5_message *message, int count, int width) {
  ssti_hdf5_set *set = d->set;
  int64_t elements = 1;
  if (count < 2 || count > SSTI_HDF5_MOST_RANK + 1) { return fail_message(d, message, "its layout"); }
  for (int i = 0; i < count - 1; i++) {
    const uint64_t side = ssti_hdf5_take(&message->body, width);
    if (side == 0 || side > (uint64_t)most_elements || __builtin_mul_overflow(elements, (int64_t)side, &elements) ||
        elements > most_elements) {
      return fail_message(d, message, "its layout");
    }
    set->chunk[i] = (int64_t)side;
  }
  ssti_hdf5_skip(&message->body, (uint64_t)width);
  d->sides = count - 1;
  return SST_OK;
}

static sst_status see_chunks_4(description *d, ssti_hdf5_message *message) {
  enum { WHOLE_EDGES = 1, PACKED_SINGLE = 2, SINGLE = 1, IMPLICIT, FIXED_ARRAY, EXTENSIBLE_ARRAY, TREE_2 };
  ssti_hdf5_cursor *c = &message->body;
  ssti_hdf5_set *set = d->set;
  const int flags = (int)ssti_hdf5_take(c, 1), count = (int)ssti_hdf5_take(c, 1), width = (int)ssti_hdf5_take(c, 1);
  if (width < 1 || width > 8) { return fail_message(d, message, "its layout"); }
  SST_TRY(see_sides(d, message, count, width));
  const int index = (int)ssti_hdf5_take(c, 1);
  if (flags & WHOLE_EDGES) {
    return ssti_hdf5_fail(d->file, set->place, "has chunks at its edge that are not packed, which is not read");
  }
  set->stored = SSTI_HDF5_NOWHERE;
  switch (index) {
  case SINGLE:
    set->layout = SSTI_HDF5_SINGLE_CHUNK;
    if (flags & PACKED_SINGLE) {
      set->stored = ssti_hdf5_take(c, 8);
      set->skipped = (uint32_t)ssti_hdf5_take(c, 4);
    }
    break;
  case IMPLICIT: set->layout = SSTI_HDF5_IMPLICIT_CHUNKS; break;
  case FIXED_ARRAY:
    set->layout = SSTI_HDF5_ARRAY_CHUNKS;
    ssti_hdf5_skip(c, 1);
    break;
  case EXTENSIBLE_ARRAY:
  case TREE_2:
    return ssti_hdf5_fail(d->file, set->place,
                          "finds its chunks by %s, which is not read: write it with an older version of the format "
                          "(libver='earliest') or with a fixed shape",
                          index == TREE_2 ? "a version 2 B-tree" : "an extensible array");
  default: return fail_message(d, message, "its layout");
  }
  set->at = ssti_hdf5_take(c, 8);
  return SST_OK;
}

static sst_status see_layout(description *d, ssti_hdf5_message *message) {
  enum { COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL };
  ssti_hdf5_cursor *c = &message->body;
  ssti_hdf5_set *set = d->set;
  const int version = (int)ssti_hdf5_take(c, 1);
  if (version < 3 || version > 4) {
    return ssti_hdf5_fail(d->file, set->place, "has a layout of version %d, expected 3 or 4", version);
  }
  const int kind = (int)ssti_hdf5_take(c, 1);
  d->layout = true;
  if (kind == COMPACT) {
    set->stored = ssti_hdf5_take(c, 2);
    set->at = message->at + (uint64_t)4;
  } else if (kind == CONTIGUOUS) {
    set->at = ssti_hdf5_take(c, 8);
    set->stored = ssti_hdf5_take(c, 8);
  } else if (kind == CHUNKED && version == 3) {
    set->layout = SSTI_HDF5_TREE_CHUNKS;
    const int count = (int)ssti_hdf5_take(c, 1);
    set->at = ssti_hdf5_take(c, 8);
    SST_TRY(see_sides(d, message, count, 4));
  } else if (kind == CHUNKED) {
    SST_TRY(see_chunks_4(d, message));
  } else if (kind == VIRTUAL) {
    return fail_elsewhere(d);
  } else {
    return fail_message(d, message, "its layout");
  }
  return c->ended ? fail_message(d, message, "its layout") : SST_OK;
}

// ---- filters

static sst_status see_filters(description *d, ssti_hdf5_message *message) {
  enum { FIRST_FOREIGN = 256 };
  ssti_hdf5_cursor *c = &message->body;
  ssti_hdf5_set *set = d->set;
  const int version = (int)ssti_hdf5_take(c, 1), count = (int)ssti_hdf5_take(c, 1);
  if (version == 1) { ssti_hdf5_skip(c, 6); }
  if (c->ended || version < 1 || version > 2) { return fail_message(d, message, "its list of filters"); }
  if (count > SSTI_HDF5_MOST_FILTERS) { return ssti_hdf5_fail(d->file, set->place, "has %d filters", count); }
  for (int i = 0; i < count; i++) {
    const int id = (int)ssti_hdf5_take(c, 2);
    const bool named = version == 1 || id >= FIRST_FOREIGN;
    const uint64_t length = named ? ssti_hdf5_take(c, 2) : 0;
    ssti_hdf5_skip(c, 2);
    const uint64_t values = ssti_hdf5_take(c, 2);
    const uint8_t *name = ssti_hdf5_take_bytes(c, version == 1 ? (length + 7) / 8 * 8 : length);
    const uint32_t value = values > 0 ? (uint32_t)ssti_hdf5_take(c, 4) : 0;
    ssti_hdf5_skip(c, values > 1 ? 4 * (values - 1) : 0);
    if (version == 1 && values % 2 != 0) { ssti_hdf5_skip(c, 4); }
    if (c->ended) { return fail_message(d, message, "its list of filters"); }
    if (id != SSTI_HDF5_DEFLATE && id != SSTI_HDF5_SHUFFLE && id != SSTI_HDF5_FLETCHER32) {
      const size_t shown = name != NULL ? strnlen((const char *)name, (size_t)length) : 0;
      return ssti_hdf5_fail(d->file, set->place,
                            "is packed by filter %d%s%.*s%s, expected gzip, shuffle, fletcher32 or none", id,
                            shown > 0 ? " (" : "", shown > 60 ? 60 : (int)shown, name, shown > 0 ? ")" : "");
    }
    set->filters[i] = (ssti_hdf5_filter){id, value};
  }
  set->filter_count = count;
  return SST_OK;
}

// ---- all together

static sst_status see(void *user, ssti_hdf5_message *message) {
  description *d = user;
  const bool needed =
      message->type == SSTI_HDF5_M_SPACE || message->type == SSTI_HDF5_M_LAYOUT || message->type == SSTI_HDF5_M_FILTERS;
  if (needed && message->shared) {
    return ssti_hdf5_fail(d->file, d->set->place, "shares part of its header with others, which is not read");
  }
  switch (message->type) {
  case SSTI_HDF5_M_SPACE: return see_space(d, message);
  case SSTI_HDF5_M_TYPE: return see_type(d, message);
  case SSTI_HDF5_M_LAYOUT: return see_layout(d, message);
  case SSTI_HDF5_M_FILTERS: return see_filters(d, message);
  case SSTI_HDF5_M_EXTERNAL: return fail_elsewhere(d);
  default: return SST_OK;
  }
}

// Whether the file can hold that many bytes of it, packed or not.
static sst_status check_size(const description *d) {
  const ssti_hdf5_set *set = d->set;
  const uint64_t needed = (uint64_t)set->count * set->type.size;
  bool packed = false;
  for (int i = 0; i < set->filter_count; i++) { packed = packed || set->filters[i].id == SSTI_HDF5_DEFLATE; }
  const bool whole = set->layout == SSTI_HDF5_ONE_PIECE;
  const uint64_t held = whole ? set->stored : d->file->size;
  if (held > d->file->size) {
    return ssti_hdf5_fail(d->file, set->place,
                          "says that %" PRIu64 " bytes are stored for it, but the file has %" PRIu64, held,
                          d->file->size);
  }
  if (needed > held && (whole || !packed || needed / largest_ratio > held)) {
    return ssti_hdf5_fail(d->file, set->place, "should have %" PRIu64 " bytes, but the file holds %" PRIu64 " for it",
                          needed, held);
  }
  const uint64_t chunk = d->sides > 0 ? (uint64_t)ssti_hdf5_chunk_bytes(set) : 0;
  if (chunk > (uint64_t)largest_chunk + needed || (chunk > held && (!packed || chunk / largest_ratio > held))) {
    return ssti_hdf5_fail(d->file, set->place, "is stored in chunks of %" PRIu64 " bytes, which the file cannot hold",
                          chunk);
  }
  return SST_OK;
}

sst_status ssti_hdf5_describe(ssti_hdf5 *file, const char *place, uint64_t address, ssti_hdf5_set *out) {
  *out = (ssti_hdf5_set){.place = place};
  description d = {.file = file, .set = out};
  SST_TRY(ssti_hdf5_each_message(file, place, address, see, &d));
  if (!d.layout) { return ssti_hdf5_fail(file, place, "is a group, expected a value"); }
  if (!d.space || !d.type) { return ssti_hdf5_fail(file, place, "has no shape or no type"); }
  if (d.sides > 0) {
    if (d.sides != out->rank) {
      return ssti_hdf5_fail(file, place, "has %d dimensions, but chunks of %d", out->rank, d.sides);
    }
  } else if (out->filter_count != 0) {
    return ssti_hdf5_fail(file, place, "is packed, but not in chunks");
  }
  return check_size(&d);
}
