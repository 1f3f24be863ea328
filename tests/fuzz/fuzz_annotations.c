// SPDX-License-Identifier: Apache-2.0
// wnids.txt up to the first zero byte, then val_annotations.txt.
#include <stdlib.h>

#include "data/picture_folder.h"
#include "spikestill/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  const char *text = (const char *)data;
  size_t first = 0;
  while (first < size && data[first] != 0) { first++; }
  ssti_class_names classes;
  ssti_file_list list = ssti_file_list_begin(context);
  sst_status status = ssti_class_names_of_lines(context, "wnids.txt", text, first, &classes);
  if (status == SST_OK && first < size) {
    status = ssti_val_annotations_read(context, "val.txt", text + first + 1, size - first - 1, "f", &classes, &list);
    if (status == SST_OK) { status = ssti_file_list_take_turns(&list, classes.count, 3); }
    for (size_t i = 0; status == SST_OK && i < list.count; i++) {
      if (list.labels[i] < 0 || (size_t)list.labels[i] >= classes.count || ssti_file_list_path(&list, i)[0] != 'f') {
        abort();
      }
    }
  }
  ssti_class_names_free(context, &classes);
  ssti_file_list_free(&list);
  sst_context_destroy(context);
  return 0;
}
