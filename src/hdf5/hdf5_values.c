// SPDX-License-Identifier: Apache-2.0
// Elements as the file has them, and as numbers and texts of ours. Sequences of variable length lie in heaps of the
// file: an element says which one, and which object of it.
#include <math.h>

#include "hdf5/hdf5_parts.h"

enum { MOST_HEAP = 64 << 20, HEAP_HEAD = 16 };

sst_status ssti_hdf5_read(ssti_hdf5 *file, const ssti_hdf5_set *set, uint8_t **out) {
  const size_t size = (size_t)set->count * set->type.size;
  *out = NULL;
  SST_TRY(ssti_hdf5_spend(file, set->place, size));
  uint8_t *elements = NULL;
  SST_TRY(ssti_allocate(file->context, (size_t)set->count, set->type.size, &elements));
  sst_status status = SST_OK;
  if (set->layout != SSTI_HDF5_ONE_PIECE) {
    status = ssti_hdf5_read_chunks(file, set, elements);
  } else if (size > 0) {
    ssti_hdf5_block block;
    status = ssti_hdf5_load(file, set->place, set->at, size, "its data", &block);
    if (status == SST_OK) { memcpy(elements, block.bytes, size); }
    ssti_hdf5_release(file, &block);
  }
  if (status != SST_OK) {
    ssti_free(file->context, elements);
    return status;
  }
  *out = elements;
  return SST_OK;
}

// ---- numbers

static uint64_t bits_of(const ssti_hdf5_number *number, const uint8_t *element) {
  uint64_t bits = 0;
  for (int i = 0; i < number->size; i++) { bits = bits << 8 | element[number->big_endian ? i : number->size - 1 - i]; }
  return bits;
}

static uint64_t field(uint64_t bits, int at, int count) { return bits >> at & ((1ULL << count) - 1); }

static double float_of(const ssti_hdf5_number *n, uint64_t bits) {
  const uint64_t exponent = field(bits, n->exponent_at, n->exponent_bits);
  const uint64_t mantissa = field(bits, n->mantissa_at, n->mantissa_bits);
  const double sign = field(bits, n->sign_at, 1) ? -1 : 1;
  if (exponent == (1ULL << n->exponent_bits) - 1) { return mantissa != 0 ? (double)NAN : sign * (double)INFINITY; }
  const int scale = -(int)n->bias - n->mantissa_bits;
  if (exponent == 0) { return sign * ldexp((double)mantissa, scale + 1); }
  return sign * ldexp((double)(mantissa | 1ULL << n->mantissa_bits), scale + (int)exponent);
}

static int64_t integer_of(const ssti_hdf5_number *n, uint64_t bits) {
  if (!n->is_signed) { return bits > INT64_MAX ? INT64_MAX : (int64_t)bits; }
  const int spare = 64 - 8 * n->size;
  return (int64_t)(bits << spare) >> spare;
}

void ssti_hdf5_to_doubles(const ssti_hdf5_number *number, const uint8_t *elements, int64_t count, double *out) {
  for (int64_t i = 0; i < count; i++) {
    const uint64_t bits = bits_of(number, elements + i * number->size);
    if (number->is_float) {
      out[i] = float_of(number, bits);
    } else {
      out[i] = number->is_signed ? (double)integer_of(number, bits) : (double)bits;
    }
  }
}

void ssti_hdf5_to_integers(const ssti_hdf5_number *number, const uint8_t *elements, int64_t count, int64_t *out) {
  assert(!number->is_float);
  for (int64_t i = 0; i < count; i++) { out[i] = integer_of(number, bits_of(number, elements + i * number->size)); }
}

// ---- heaps

typedef struct reference {
  uint64_t length, address, index;
} reference;

static reference reference_of(const uint8_t *element) {
  ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(element, 16);
  reference r = {.length = ssti_hdf5_take(&c, 4)};
  r.address = ssti_hdf5_take(&c, 8);
  r.index = ssti_hdf5_take(&c, 4);
  return r;
}

// The object of that number in a heap; NULL if there is none.
static const uint8_t *find_object(ssti_hdf5_cursor heap, uint64_t index, uint64_t *held, uint64_t *steps) {
  *held = 0;
  ssti_hdf5_skip(&heap, HEAP_HEAD);
  while (heap.left >= HEAP_HEAD) {
    const uint64_t number = ssti_hdf5_take(&heap, 2);
    ssti_hdf5_skip(&heap, 6);
    const uint64_t size = ssti_hdf5_take(&heap, 8);
    if (number == 0 || size > heap.left) { return NULL; } // number 0 is the free space at the end
    ++*steps;
    if (number == index) {
      *held = size;
      return heap.at;
    }
    ssti_hdf5_skip(&heap, (size + 7) / 8 * 8);
  }
  return NULL;
}

// `length` pieces of `size` bytes that a reference leads to.
static sst_status follow(const ssti_hdf5 *file, const char *place, const uint8_t *element, size_t size,
                         ssti_hdf5_sequence *out) {
  const reference r = reference_of(element);
  *out = (ssti_hdf5_sequence){.count = (uint32_t)r.length};
  if (r.length == 0) { return SST_OK; }
  ssti_hdf5_block block;
  sst_status status = ssti_hdf5_load(file, place, r.address, HEAP_HEAD, "a heap", &block);
  uint64_t bytes = 0;
  if (status == SST_OK) {
    ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(block.bytes, block.size);
    const bool good = ssti_hdf5_take_mark(&c, "GCOL") && ssti_hdf5_take(&c, 1) == 1;
    ssti_hdf5_skip(&c, 3);
    bytes = ssti_hdf5_take(&c, 8);
    if (!good || bytes < HEAP_HEAD || bytes > MOST_HEAP) {
      status = ssti_hdf5_fail(file, place, "at byte %" PRIu64 ": expected a heap of up to %d bytes", r.address,
                              (int)MOST_HEAP);
    }
  }
  ssti_hdf5_release(file, &block);
  SST_TRY(status);
  status = ssti_hdf5_load(file, place, r.address, bytes, "a heap", &block);
  uint64_t held = 0;
  if (status == SST_OK) {
    out->elements = find_object(ssti_hdf5_cursor_begin(block.bytes, block.size), r.index, &held, &out->steps);
    if (out->elements == NULL || held / size < r.length) {
      status = ssti_hdf5_fail(file, place,
                              "the heap at byte %" PRIu64 " should hold %" PRIu64
                              " elements of %zu bytes, found %" PRIu64 " bytes",
                              r.address, r.length, size, held);
    }
  }
  out->block = block.own;
  if (status != SST_OK) { ssti_hdf5_sequence_free(file, out); }
  return status;
}

sst_status ssti_hdf5_sequence_read(const ssti_hdf5 *file, const ssti_hdf5_set *set, const uint8_t *element,
                                   ssti_hdf5_sequence *out) {
  assert(set->type.class == SSTI_HDF5_SEQUENCES);
  return follow(file, set->place, element, (size_t)set->type.number.size, out);
}

void ssti_hdf5_sequence_free(const ssti_hdf5 *file, ssti_hdf5_sequence *sequence) {
  ssti_free(file->context, sequence->block);
  *sequence = (ssti_hdf5_sequence){0};
}

// ---- texts

static sst_status copy_text(const ssti_hdf5 *file, const uint8_t *bytes, size_t length, bool spaces, char **out) {
  SST_TRY(ssti_allocate(file->context, length + 1, 1, out));
  if (length > 0) { memcpy(*out, bytes, length); }
  while (spaces && length > 0 && (*out)[length - 1] == ' ') { (*out)[--length] = '\0'; }
  return SST_OK;
}

sst_status ssti_hdf5_text(ssti_hdf5 *file, const ssti_hdf5_set *set, const uint8_t *elements, int64_t index,
                          char **out) {
  enum { SCAN = 16 }; // work of a step
  const uint8_t *element = elements + (size_t)index * set->type.size;
  *out = NULL;
  if (set->type.class == SSTI_HDF5_TEXTS) { return copy_text(file, element, set->type.size, set->type.spaces, out); }
  assert(set->type.class == SSTI_HDF5_LONG_TEXTS);
  ssti_hdf5_sequence text;
  SST_TRY(follow(file, set->place, element, 1, &text));
  sst_status status = ssti_hdf5_spend(file, set->place, SCAN * text.steps);
  if (status == SST_OK && text.count > SSTI_HDF5_MOST_TEXT) {
    status = ssti_hdf5_fail(file, set->place, "has a text of %" PRIu32 " bytes, expected at most %d", text.count,
                            (int)SSTI_HDF5_MOST_TEXT);
  }
  if (status == SST_OK) { status = copy_text(file, text.elements, text.count, false, out); }
  ssti_hdf5_sequence_free(file, &text);
  return status;
}
