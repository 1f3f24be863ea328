// SPDX-License-Identifier: Apache-2.0
// The input is an HDF5 file in memory: every group of it is listed, every array read as what it is.
#include <stdlib.h>
#include <string.h>

#include "hdf5/hdf5_read.h"

enum { MOST_DEPTH = 8, MOST_OBJECTS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(sst_status status) {
  if (status != SST_OK && status != SST_FORMAT) { abort(); }
}

static void read_set(sst_context *context, ssti_hdf5 *file, const ssti_hdf5_set *set) {
  uint8_t *elements = NULL;
  sst_status status = ssti_hdf5_read(file, set, &elements);
  check(status);
  if (status != SST_OK) {
    if (elements != NULL) { abort(); }
    return;
  }
  for (int64_t i = 0; i < set->count && i < 1000; i++) {
    const uint8_t *element = elements + (size_t)i * set->type.size;
    char *text = NULL;
    double number = 0;
    int64_t integer = 0;
    ssti_hdf5_sequence sequence;
    switch (set->type.class) {
    case SSTI_HDF5_INTEGERS: ssti_hdf5_to_integers(&set->type.number, element, 1, &integer); break;
    case SSTI_HDF5_FLOATS: ssti_hdf5_to_doubles(&set->type.number, element, 1, &number); break;
    case SSTI_HDF5_SEQUENCES:
      status = ssti_hdf5_sequence_read(file, set, element, &sequence);
      check(status);
      if (status != SST_OK) { break; }
      for (uint32_t k = 0; k < sequence.count; k++) {
        ssti_hdf5_to_doubles(&set->type.number, sequence.elements + (size_t)k * (size_t)set->type.number.size, 1,
                             &number);
      }
      ssti_hdf5_sequence_free(file, &sequence);
      break;
    case SSTI_HDF5_STRANGE: break;
    default:
      check(ssti_hdf5_text(file, set, elements, i, &text));
      if (text != NULL && strlen(text) > SSTI_HDF5_MOST_TEXT) { abort(); }
      ssti_free(context, text);
    }
  }
  ssti_free(context, elements);
}

static void walk(sst_context *context, ssti_hdf5 *file, uint64_t address, int depth, int *objects) {
  ssti_hdf5_kind kind = SSTI_HDF5_OTHER;
  ssti_hdf5_links links;
  ssti_hdf5_set set;
  if (depth > MOST_DEPTH || ++*objects > MOST_OBJECTS) { return; }
  sst_status status = ssti_hdf5_kind_of(file, "", address, &kind);
  check(status);
  if (status == SST_OK && kind == SSTI_HDF5_SET) {
    status = ssti_hdf5_describe(file, "", address, &set);
    check(status);
    if (status == SST_OK) { read_set(context, file, &set); }
  }
  if (status != SST_OK || kind != SSTI_HDF5_GROUP) { return; }
  status = ssti_hdf5_list(file, "", address, &links);
  check(status);
  for (size_t i = 0; i < links.count; i++) {
    if (links.at[i].hard) { walk(context, file, links.at[i].address, depth + 1, objects); }
  }
  ssti_hdf5_links_free(file, &links);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  ssti_hdf5 *file = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  const sst_status status = ssti_hdf5_open_bytes(context, "input", data, size, &file);
  check(status);
  int objects = 0;
  if (status == SST_OK) { walk(context, file, ssti_hdf5_root(file), 0, &objects); }
  ssti_hdf5_close(file);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
