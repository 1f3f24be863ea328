// SPDX-License-Identifier: Apache-2.0
// The files of a data set that lies in folders, one folder a class: names of the classes, paths, labels. Everything is
// in the order of names, so that the same folders give the same list on every machine.
#ifndef SPIKESTILL_DATA_FILE_LIST_H
#define SPIKESTILL_DATA_FILE_LIST_H

#include "base/text.h"

enum { SSTI_MOST_CLASSES = 100000, SSTI_CLASS_NAME_SIZE = 128 };

typedef struct ssti_class_names {
  char (*names)[SSTI_CLASS_NAME_SIZE]; // [count], ascending, owned
  size_t count, capacity;
} ssti_class_names;

// The names of the folders inside `folder`. Errors: NOT_FOUND (no such folder, or none inside), FORMAT (a name too
// long), IO.
sst_status ssti_class_names_of_folder(sst_context *context, const char *folder, ssti_class_names *out);
// The lines of a text, such as wnids.txt. Errors: FORMAT with the line.
sst_status ssti_class_names_of_lines(sst_context *context, const char *name, const char *text, size_t size,
                                     ssti_class_names *out);
// The place of a name, or -1.
int ssti_class_names_find(const ssti_class_names *classes, const char *name);
void ssti_class_names_free(sst_context *context, ssti_class_names *classes);

typedef struct ssti_file_list {
  sst_context *context;
  ssti_text paths; // each with its terminating zero
  size_t *starts;  // [count] of the paths
  int32_t *labels; // [count]
  size_t count, starts_capacity, labels_capacity;
} ssti_file_list;

ssti_file_list ssti_file_list_begin(sst_context *context);
void ssti_file_list_free(ssti_file_list *list);
static inline const char *ssti_file_list_path(const ssti_file_list *list, size_t index) {
  return list->paths.data + list->starts[index];
}

sst_status ssti_file_list_add(ssti_file_list *list, const char *path, int label);

// Adds the files below the folder (at most eight folders deep) that end in one of `endings` (NULL-terminated, lower
// case; the file's may be upper case), in the order of names. What begins with '.' is left out. Errors: NOT_FOUND, IO.
sst_status ssti_file_list_add_folder(ssti_file_list *list, const char *folder, const char *const *endings, int label);

// Puts classes by turn: the first file of each class, then the second of each; keeps `limit` files (0: all). So a limit
// takes about as many of each class.
sst_status ssti_file_list_take_turns(ssti_file_list *list, size_t classes, size_t limit);

#endif
