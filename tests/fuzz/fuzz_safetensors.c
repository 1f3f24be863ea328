// SPDX-License-Identifier: Apache-2.0
// The input is a file. What can be read is written again, and must then read as the same.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spikestill/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Files go into memory where there is such a folder.
static const char *fuzz_path(char path[64], const char *name) {
  snprintf(path, 64, "%s/spikestill-fuzz-%ld-%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid(),
           name);
  return path;
}

static void put_file(const char *path, const uint8_t *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0) { abort(); }
}

static void check_same(const sst_safetensors *a, const sst_safetensors *b) {
  if (sst_safetensors_count(a) != sst_safetensors_count(b)) { abort(); }
  for (int i = 0; i < sst_safetensors_count(a); i++) {
    const sst_safetensors_entry x = sst_safetensors_at(a, i), y = sst_safetensors_at(b, i);
    if (strcmp(x.name, y.name) != 0 || x.type != y.type || x.rank != y.rank || x.bytes != y.bytes) { abort(); }
    for (int d = 0; d < x.rank; d++) {
      if (x.shape[d] != y.shape[d]) { abort(); }
    }
    if (x.bytes > 0 && memcmp(x.data, y.data, x.bytes) != 0) { abort(); } // reads every byte that was promised
  }
}

static void write_again(sst_context *context, const sst_safetensors *file) {
  char path[64];
  fuzz_path(path, "again");
  const int count = sst_safetensors_count(file);
  sst_safetensors_entry *entries = calloc((size_t)count + 1, sizeof *entries);
  if (entries == NULL) { abort(); }
  for (int i = 0; i < count; i++) { entries[i] = sst_safetensors_at(file, i); }
  const char *value = sst_safetensors_metadata(file, "recipe");
  const sst_safetensors_pair pair = {"recipe", value};
  sst_safetensors *again = NULL;
  if (sst_safetensors_write(context, path, entries, count, &pair, value != NULL) != SST_OK) { abort(); }
  if (sst_safetensors_open(context, path, &again) != SST_OK) { abort(); }
  check_same(file, again);
  const char *value_again = sst_safetensors_metadata(again, "recipe");
  if ((value == NULL) != (value_again == NULL) || (value != NULL && strcmp(value, value_again) != 0)) { abort(); }
  sst_safetensors_close(again);
  free(entries);
  remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  sst_context *context = NULL;
  sst_safetensors *file = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  put_file(fuzz_path(path, "input"), data, size);
  const sst_status status = sst_safetensors_open(context, path, &file);
  if (status == SST_OK) {
    write_again(context, file);
  } else if (status != SST_FORMAT || file != NULL || strstr(sst_context_message(context), "byte ") == NULL) {
    abort();
  }
  sst_safetensors_close(file);
  remove(path);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
