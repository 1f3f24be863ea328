// SPDX-License-Identifier: Apache-2.0
#include "data/picture_folder.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "data/dataset.h"

#define MAX_PICTURE_BYTES ((size_t)1 << 28)
#define MAX_TEXT_BYTES ((size_t)1 << 28)

static const char *const ENDINGS[] = {".jpg", ".jpeg", ".png", NULL};

enum { NOT_YET, BUSY, KEPT, BROKEN }; // of a picture

struct ssti_picture_folder {
  sst_context *context;
  ssti_class_names classes;
  ssti_file_list files;
  int width, height;
  uint8_t *kept;        // [count,H,W,3], or NULL: decoded at each access
  atomic_uchar *states; // [count]
};

const char *ssti_picture_folder_class(const ssti_picture_folder *folder, int label) {
  return label >= 0 && (size_t)label < folder->classes.count ? folder->classes.names[label] : NULL;
}

// ---- listing ----

// The folder of Tiny ImageNet: the root itself, or one of the usual names in it.
static sst_status find_tiny_imagenet(sst_context *context, const char *root, char **out) {
  static const char *const FOLDERS[] = {"tiny-imagenet", "tiny-imagenet-200", "tiny-imagenet-mini", "."};
  for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
    char *wnids = NULL;
    SST_TRY(ssti_path_join(context, root, FOLDERS[i], out));
    const sst_status status = ssti_path_join(context, *out, "wnids.txt", &wnids);
    const bool found = status == SST_OK && ssti_file_exists(wnids);
    ssti_free(context, wnids);
    if (found) { return SST_OK; }
    ssti_free(context, *out);
    *out = NULL;
    SST_TRY(status);
  }
  SST_FAIL(
      context, SST_NOT_FOUND,
      "%s: holds no wnids.txt, neither itself nor in tiny-imagenet/ or tiny-imagenet-200/; unpack the data set there",
      root);
}

static sst_status read_text(sst_context *context, const char *folder, const char *name, char **path, char **text,
                            size_t *size) {
  SST_TRY(ssti_path_join(context, folder, name, path));
  return ssti_file_read(context, *path, MAX_TEXT_BYTES, text, size);
}

// The classes, and in *base the folder of the data set; owned by the caller.
static sst_status find_classes(sst_context *context, const sst_dataset_options *options, ssti_class_names *classes,
                               char **base) {
  const char *root = ssti_data_root(options->root);
  char *path = NULL, *text = NULL;
  size_t size = 0;
  sst_status status;
  if (options->kind == SST_DATASET_TINY_IMAGENET) {
    SST_TRY_GOTO(find_tiny_imagenet(context, root, base));
    SST_TRY_GOTO(read_text(context, *base, "wnids.txt", &path, &text, &size));
    SST_TRY_GOTO(ssti_class_names_of_lines(context, path, text, size, classes));
  } else {
    SST_TRY_GOTO(ssti_copy_text(context, root, base));
    SST_TRY_GOTO(ssti_path_join(context, root, "train", &path));
    SST_TRY_GOTO(ssti_class_names_of_folder(context, path, classes));
  }
done:
  ssti_free(context, text);
  ssti_free(context, path);
  return status;
}

sst_status ssti_picture_folder_classes(sst_context *context, const sst_dataset_options *options, int *out) {
  ssti_class_names classes = {0};
  char *base = NULL;
  const sst_status status = find_classes(context, options, &classes, &base);
  *out = (int)classes.count;
  ssti_class_names_free(context, &classes);
  ssti_free(context, base);
  return status;
}

// Adds <part>/<class>/ for each class. A test part may lack a class, but may have none of its own.
static sst_status add_classes(ssti_picture_folder *folder, const char *part, bool train) {
  sst_context *context = folder->context;
  sst_status status = SST_OK;
  if (!train) {
    ssti_class_names there;
    SST_TRY(ssti_class_names_of_folder(context, part, &there));
    for (size_t i = 0; i < there.count && status == SST_OK; i++) {
      if (ssti_class_names_find(&folder->classes, there.names[i]) < 0) {
        status = ssti_fail(context, SST_FORMAT, "%s/%s: is a class that the training part does not have", part,
                           there.names[i]);
      }
    }
    ssti_class_names_free(context, &there);
    SST_TRY(status);
  }
  for (size_t i = 0; i < folder->classes.count && status == SST_OK; i++) {
    char *path = NULL;
    status = ssti_path_join(context, part, folder->classes.names[i], &path);
    if (status == SST_OK && (train || ssti_folder_exists(path))) {
      status = ssti_file_list_add_folder(&folder->files, path, ENDINGS, (int)i);
    }
    ssti_free(context, path);
  }
  return status;
}

sst_status ssti_val_annotations_read(sst_context *context, const char *name, const char *text, size_t size,
                                     const char *folder, const ssti_class_names *classes, ssti_file_list *list) {
  size_t at = 0;
  for (int64_t number = 1; at < size; number++) {
    const char *line = text + at, *end = memchr(line, '\n', size - at);
    const size_t length = end != NULL ? (size_t)(end - line) : size - at;
    at += length + 1;
    if (length == 0 || (length == 1 && line[0] == '\r')) { continue; }
    char file[256], class_name[SSTI_CLASS_NAME_SIZE];
    const char *tab = memchr(line, '\t', length);
    const size_t file_length = tab != NULL ? (size_t)(tab - line) : length;
    if (tab == NULL || file_length == 0 || file_length >= sizeof file || memchr(line, '/', file_length) != NULL ||
        memchr(line, '\0', length) != NULL) {
      SST_FAIL(context, SST_FORMAT, "%s: line %" PRId64 ": expected a file's name, a tabulator and its class", name,
               number);
    }
    memcpy(file, line, file_length);
    file[file_length] = '\0';
    size_t class_length = 0; // up to the next tabulator or the line's end
    while (class_length < length - file_length - 1 && tab[1 + class_length] != '\t' && tab[1 + class_length] != '\r') {
      class_length++;
    }
    if (class_length < sizeof class_name) {
      memcpy(class_name, tab + 1, class_length);
      class_name[class_length] = '\0';
    }
    const int label = class_length < sizeof class_name ? ssti_class_names_find(classes, class_name) : -1;
    if (label < 0) {
      SST_FAIL(context, SST_FORMAT, "%s: line %" PRId64 ": found class '%.*s', which wnids.txt does not have", name,
               number, (int)(class_length < sizeof class_name ? class_length : sizeof class_name), tab + 1);
    }
    char *path = NULL;
    SST_TRY(ssti_path_join(context, folder, file, &path));
    const sst_status status = ssti_file_list_add(list, path, label);
    ssti_free(context, path);
    SST_TRY(status);
  }
  return SST_OK;
}

// The validation part, which has labels, is the test part.
static sst_status add_annotated(ssti_picture_folder *folder, const char *base) {
  sst_context *context = folder->context;
  char *path = NULL, *text = NULL, *pictures = NULL;
  size_t size = 0;
  sst_status status;
  SST_TRY_GOTO(read_text(context, base, "val/val_annotations.txt", &path, &text, &size));
  SST_TRY_GOTO(ssti_path_join(context, base, "val/images", &pictures));
  SST_TRY_GOTO(ssti_val_annotations_read(context, path, text, size, pictures, &folder->classes, &folder->files));
done:
  ssti_free(context, pictures);
  ssti_free(context, text);
  ssti_free(context, path);
  return status;
}

static sst_status list_files(ssti_picture_folder *folder, const sst_dataset_options *options) {
  sst_context *context = folder->context;
  char *base = NULL, *part = NULL;
  sst_status status;
  SST_TRY_GOTO(find_classes(context, options, &folder->classes, &base));
  if (options->kind == SST_DATASET_TINY_IMAGENET && !options->train) {
    SST_TRY_GOTO(add_annotated(folder, base));
  } else {
    SST_TRY_GOTO(ssti_path_join(context, base, options->train ? "train" : "test", &part));
    if (!options->train && !ssti_folder_exists(part)) {
      ssti_free(context, part);
      SST_TRY_GOTO(ssti_path_join(context, base, "val", &part));
    }
    if (!options->train && !ssti_folder_exists(part)) {
      status = ssti_fail(context, SST_NOT_FOUND, "%s: holds neither test/ nor val/", base);
      goto done;
    }
    SST_TRY_GOTO(add_classes(folder, part, options->train));
  }
  if (folder->files.count == 0) {
    status =
        ssti_fail(context, SST_NOT_FOUND, "%s: holds no pictures (.jpg, .jpeg or .png)", part != NULL ? part : base);
    goto done;
  }
  status = ssti_file_list_take_turns(&folder->files, folder->classes.count, (size_t)options->limit);
done:
  ssti_free(context, base);
  ssti_free(context, part);
  return status;
}

// ---- pictures ----

static size_t picture_bytes(const ssti_picture_folder *folder) {
  return (size_t)folder->width * (size_t)folder->height * 3;
}

static sst_status decode(ssti_picture_folder *folder, int64_t index, ssti_picture_room *room, uint8_t *pixels) {
  sst_context *context = folder->context;
  const char *path = ssti_file_list_path(&folder->files, (size_t)index);
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, MAX_PICTURE_BYTES, &data, &size));
  sst_status status =
      ssti_picture_decode(context, path, (const uint8_t *)data, size, folder->width, folder->height, room);
  if (status == SST_OK) { status = ssti_picture_fit(context, room, folder->width, folder->height, pixels); }
  ssti_free(context, data);
  return status;
}

sst_status ssti_picture_folder_read(ssti_picture_folder *folder, int64_t index, ssti_picture_room *room,
                                    uint8_t *pixels, const uint8_t **out) {
  uint8_t *place = folder->kept != NULL ? folder->kept + (size_t)index * picture_bytes(folder) : NULL;
  if (place != NULL && atomic_load_explicit(&folder->states[index], memory_order_acquire) == KEPT) {
    *out = place;
    return SST_OK;
  }
  SST_TRY(decode(folder, index, room, pixels));
  *out = pixels;
  unsigned char expected = NOT_YET; // whoever comes first keeps it
  if (place != NULL && atomic_compare_exchange_strong(&folder->states[index], &expected, BUSY)) {
    memcpy(place, pixels, picture_bytes(folder));
    atomic_store_explicit(&folder->states[index], KEPT, memory_order_release);
  }
  return SST_OK;
}

// Decodes each picture once, and marks those that cannot be.
static void try_range(void *arg, int64_t begin, int64_t end) {
  ssti_picture_folder *folder = arg;
  ssti_picture_room room = {0};
  uint8_t *pixels = NULL;
  const bool able = ssti_allocate_raw(folder->context, 1, picture_bytes(folder), &pixels) == SST_OK;
  for (int64_t i = begin; i < end; i++) {
    const uint8_t *picture = NULL;
    if (!able || ssti_picture_folder_read(folder, i, &room, pixels, &picture) != SST_OK) {
      atomic_store(&folder->states[i], BROKEN);
      char sentence[1024];
      ssti_fail_copy(folder->context, sentence, sizeof sentence);
      ssti_log(folder->context, SST_LOG_WARNING, "skipped: %s", sentence);
    }
  }
  ssti_free(folder->context, pixels);
  ssti_picture_room_free(folder->context, &room);
}

// Leaves out broken pictures, closing the gaps.
static int64_t skip_broken(ssti_picture_folder *folder) {
  ssti_file_list *files = &folder->files;
  const size_t bytes = picture_bytes(folder), before = files->count;
  ssti_parallel_for(folder->context, (int64_t)files->count, 1, try_range, folder);
  size_t good = 0;
  for (size_t i = 0; i < before; i++) {
    const unsigned char state = atomic_load(&folder->states[i]);
    if (state == BROKEN) { continue; }
    files->starts[good] = files->starts[i];
    files->labels[good] = files->labels[i];
    atomic_store(&folder->states[good], state);
    if (folder->kept != NULL && good < i) { memmove(folder->kept + good * bytes, folder->kept + i * bytes, bytes); }
    good++;
  }
  files->count = good;
  return (int64_t)(before - good);
}

static sst_status open_pictures(ssti_picture_folder *folder, const sst_dataset_options *options, sst_dataset_info *info,
                                int32_t **labels) {
  sst_context *context = folder->context;
  SST_TRY(list_files(folder, options));
  const size_t bytes = picture_bytes(folder), count = folder->files.count;
  SST_TRY(ssti_allocate(context, count, sizeof *folder->states, &folder->states));
  if (options->memory > 0 && count <= (size_t)options->memory / bytes) {
    SST_TRY(ssti_allocate_raw(context, count, bytes, &folder->kept));
  }
  if (options->skip_broken) { info->skipped = skip_broken(folder); }
  if (folder->files.count == 0) { SST_FAIL(context, SST_FORMAT, "none of %zu pictures can be decoded", count); }
  SST_TRY(ssti_allocate_raw(context, folder->files.count, sizeof(int32_t), labels));
  memcpy(*labels, folder->files.labels, folder->files.count * sizeof(int32_t));
  info->count = (int64_t)folder->files.count;
  info->classes = (int)folder->classes.count;
  return SST_OK;
}

sst_status ssti_picture_folder_open(sst_context *context, const sst_dataset_options *options, sst_dataset_info *info,
                                    int32_t **labels, ssti_picture_folder **out) {
  *out = NULL;
  ssti_picture_folder *folder = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *folder, &folder));
  folder->context = context;
  folder->files = ssti_file_list_begin(context);
  folder->width = (int)info->width;
  folder->height = (int)info->height;
  const sst_status status = open_pictures(folder, options, info, labels);
  if (status != SST_OK) {
    ssti_picture_folder_close(folder);
    return status;
  }
  *out = folder;
  return SST_OK;
}

void ssti_picture_folder_close(ssti_picture_folder *folder) {
  if (folder == NULL) { return; }
  sst_context *context = folder->context;
  ssti_class_names_free(context, &folder->classes);
  ssti_file_list_free(&folder->files);
  ssti_free(context, folder->kept);
  ssti_free(context, folder->states);
  ssti_free(context, folder);
}
