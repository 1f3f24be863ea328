// SPDX-License-Identifier: Apache-2.0
#include "data/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"

enum { MAX_DEPTH = 8, MAX_FILES = 100000000 };

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

// ---- classes ----

static sst_status add_name(sst_context *context, ssti_class_names *classes, const char *where, const char *name,
                           size_t length) {
  if (length == 0 || length >= SSTI_CLASS_NAME_SIZE) {
    SST_FAIL(context, SST_FORMAT, "%s: found a name of %zu characters, expected 1 to %d", where, length,
             SSTI_CLASS_NAME_SIZE - 1);
  }
  if (classes->count == SSTI_MOST_CLASSES) {
    SST_FAIL(context, SST_FORMAT, "%s: has more than %d classes", where, SSTI_MOST_CLASSES);
  }
  SST_TRY(ssti_grow(context, &classes->names, &classes->capacity, classes->count + 1, SSTI_CLASS_NAME_SIZE));
  memcpy(classes->names[classes->count], name, length);
  classes->names[classes->count++][length] = '\0';
  return SST_OK;
}

static void sort_names(ssti_class_names *classes) {
  if (classes->count > 0) { qsort(classes->names, classes->count, SSTI_CLASS_NAME_SIZE, compare_names); }
}

// The entries of a folder that do not begin with '.', each with a '/' at its end if it is a folder, in order. Each is
// terminated by a zero; *starts is owned by the caller, as is the text.
typedef struct folder_entries {
  ssti_text text;
  size_t *starts, count, capacity;
} folder_entries;

static void free_entries(sst_context *context, folder_entries *entries) {
  ssti_text_free(&entries->text);
  ssti_free(context, entries->starts);
}

static int compare_starts(const void *a, const void *b, void *text) {
  const char *base = text;
  return strcmp(base + *(const size_t *)a, base + *(const size_t *)b);
}

static bool is_folder(sst_context *context, const char *folder, const char *name) {
  char *path = NULL;
  if (ssti_path_join(context, folder, name, &path) != SST_OK) { return false; }
  const bool answer = ssti_folder_exists(path);
  ssti_free(context, path);
  return answer;
}

static sst_status read_entries(sst_context *context, const char *folder, folder_entries *out) {
  *out = (folder_entries){.text = ssti_text_begin(context)};
  if (!ssti_io_allowed(context, "list", folder)) { SST_FAIL(context, SST_IO, "%s: cannot be listed", folder); }
  DIR *directory = opendir(folder);
  if (directory == NULL) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    SST_FAIL(context, missing ? SST_NOT_FOUND : SST_IO, "%s: %s", folder,
             missing ? "there is no such folder" : strerror(errno));
  }
  sst_status status = SST_OK;
  struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    if (entry->d_name[0] == '.') { continue; }
    SST_TRY_GOTO(ssti_grow(context, &out->starts, &out->capacity, out->count + 1, sizeof *out->starts));
    out->starts[out->count++] = out->text.length;
    const bool inner = entry->d_type == DT_DIR || ((entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) &&
                                                   is_folder(context, folder, entry->d_name));
    ssti_text_append(&out->text, "%s%s", entry->d_name, inner ? "/" : "");
    ssti_text_append_bytes(&out->text, "", 1);
    SST_TRY_GOTO(out->text.status);
  }
  if (out->count > 0) { qsort_r(out->starts, out->count, sizeof *out->starts, compare_starts, out->text.data); }
done:
  closedir(directory);
  return status;
}

sst_status ssti_class_names_of_folder(sst_context *context, const char *folder, ssti_class_names *out) {
  *out = (ssti_class_names){0};
  folder_entries entries;
  sst_status status = read_entries(context, folder, &entries);
  for (size_t i = 0; i < entries.count && status == SST_OK; i++) {
    const char *name = entries.text.data + entries.starts[i];
    const size_t length = strlen(name);
    if (name[length - 1] == '/') { status = add_name(context, out, folder, name, length - 1); }
  }
  free_entries(context, &entries);
  if (status == SST_OK && out->count == 0) {
    status = ssti_fail(context, SST_NOT_FOUND, "%s: holds no folders, expected one for each class", folder);
  }
  sort_names(out);
  if (status != SST_OK) { ssti_class_names_free(context, out); }
  return status;
}

sst_status ssti_class_names_of_lines(sst_context *context, const char *name, const char *text, size_t size,
                                     ssti_class_names *out) {
  *out = (ssti_class_names){0};
  sst_status status = SST_OK;
  size_t at = 0;
  while (at < size && status == SST_OK) {
    const char *line = text + at, *end = memchr(line, '\n', size - at);
    size_t length = end != NULL ? (size_t)(end - line) : size - at;
    at += length + 1;
    if (length > 0 && line[length - 1] == '\r') { length--; }
    if (length == 0) { continue; }
    if (memchr(line, '\0', length) != NULL || memchr(line, '/', length) != NULL) {
      status = ssti_fail(context, SST_FORMAT, "%s: at byte %zu: found '/' or a zero byte in a name", name,
                         (size_t)(line - text));
    } else {
      status = add_name(context, out, name, line, length);
    }
  }
  if (status == SST_OK && out->count == 0) {
    status = ssti_fail(context, SST_FORMAT, "%s: is empty, expected a name on each line", name);
  }
  sort_names(out);
  for (size_t i = 1; i < out->count && status == SST_OK; i++) {
    if (strcmp(out->names[i - 1], out->names[i]) == 0) {
      status = ssti_fail(context, SST_FORMAT, "%s: '%s' is in it twice", name, out->names[i]);
    }
  }
  if (status != SST_OK) { ssti_class_names_free(context, out); }
  return status;
}

int ssti_class_names_find(const ssti_class_names *classes, const char *name) {
  const char *found =
      classes->count > 0 ? bsearch(name, classes->names, classes->count, SSTI_CLASS_NAME_SIZE, compare_names) : NULL;
  return found != NULL ? (int)((size_t)(found - classes->names[0]) / SSTI_CLASS_NAME_SIZE) : -1;
}

void ssti_class_names_free(sst_context *context, ssti_class_names *classes) {
  ssti_free(context, classes->names);
  *classes = (ssti_class_names){0};
}

// ---- files ----

ssti_file_list ssti_file_list_begin(sst_context *context) {
  return (ssti_file_list){.context = context, .paths = ssti_text_begin(context)};
}

void ssti_file_list_free(ssti_file_list *list) {
  if (list->context == NULL) { return; }
  ssti_text_free(&list->paths);
  ssti_free(list->context, list->starts);
  ssti_free(list->context, list->labels);
  *list = (ssti_file_list){0};
}

sst_status ssti_file_list_add(ssti_file_list *list, const char *path, int label) {
  if (list->count == MAX_FILES) {
    SST_FAIL(list->context, SST_FORMAT, "%s: is one file too many, expected at most %d", path, MAX_FILES);
  }
  SST_TRY(ssti_grow(list->context, &list->starts, &list->starts_capacity, list->count + 1, sizeof *list->starts));
  SST_TRY(ssti_grow(list->context, &list->labels, &list->labels_capacity, list->count + 1, sizeof *list->labels));
  list->starts[list->count] = list->paths.length;
  list->labels[list->count] = label;
  ssti_text_append_bytes(&list->paths, path, strlen(path) + 1);
  SST_TRY(list->paths.status);
  list->count++;
  return SST_OK;
}

static bool ends_in(const char *name, const char *const *endings) {
  const size_t length = strlen(name);
  for (; *endings != NULL; endings++) {
    const size_t tail = strlen(*endings);
    if (length > tail && strcasecmp(name + length - tail, *endings) == 0) { return true; }
  }
  return false;
}

static sst_status add_below(ssti_file_list *list, const char *folder, const char *const *endings, int label,
                            int depth) {
  sst_context *context = list->context;
  if (depth == MAX_DEPTH) {
    SST_FAIL(context, SST_FORMAT, "%s: lies deeper than %d folders below its class", folder, MAX_DEPTH);
  }
  folder_entries entries;
  sst_status status = read_entries(context, folder, &entries);
  for (size_t i = 0; i < entries.count && status == SST_OK; i++) {
    char *name = entries.text.data + entries.starts[i], *path = NULL;
    const size_t length = strlen(name);
    const bool inner = name[length - 1] == '/';
    if (!inner && !ends_in(name, endings)) { continue; }
    if (inner) { name[length - 1] = '\0'; }
    status = ssti_path_join(context, folder, name, &path);
    if (status == SST_OK) {
      status = inner ? add_below(list, path, endings, label, depth + 1) : ssti_file_list_add(list, path, label);
    }
    ssti_free(context, path);
  }
  free_entries(context, &entries);
  return status;
}

sst_status ssti_file_list_add_folder(ssti_file_list *list, const char *folder, const char *const *endings, int label) {
  return add_below(list, folder, endings, label, 0);
}

sst_status ssti_file_list_take_turns(ssti_file_list *list, size_t classes, size_t limit) {
  sst_context *context = list->context;
  sst_status status = SST_OK;
  size_t *turns = NULL, *starts = NULL, *places = NULL, count = list->count;
  int32_t *labels = NULL;
  size_t most = 0, filled = 0;
  if (count == 0) { return SST_OK; }
  SST_TRY_GOTO(ssti_allocate(context, classes, sizeof *turns, &turns));
  for (size_t i = 0; i < count; i++) { // files of each class so far, so that in the end it is how many it has
    size_t *turn = &turns[list->labels[i]];
    if (++*turn > most) { most = *turn; }
  }
  // A counting sort by the file's place in its class; within a turn in the order of the list, which is that of classes.
  SST_TRY_GOTO(ssti_allocate(context, most + 1, sizeof *places, &places));
  SST_TRY_GOTO(ssti_allocate_raw(context, count, sizeof *starts, &starts));
  SST_TRY_GOTO(ssti_allocate_raw(context, count, sizeof *labels, &labels));
  memset(turns, 0, classes * sizeof *turns);
  for (size_t i = 0; i < count; i++) { places[++turns[list->labels[i]]]++; }
  for (size_t turn = 1, before = 0; turn <= most; turn++) {
    const size_t here = places[turn];
    places[turn] = before;
    before += here;
  }
  memset(turns, 0, classes * sizeof *turns);
  for (size_t i = 0; i < count; i++) {
    filled = places[++turns[list->labels[i]]]++;
    starts[filled] = list->starts[i];
    labels[filled] = list->labels[i];
  }
  memcpy(list->starts, starts, count * sizeof *starts);
  memcpy(list->labels, labels, count * sizeof *labels);
  if (limit > 0 && limit < count) { list->count = limit; }
done:
  ssti_free(context, turns);
  ssti_free(context, places);
  ssti_free(context, starts);
  ssti_free(context, labels);
  return status;
}
