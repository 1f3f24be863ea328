// SPDX-License-Identifier: Apache-2.0
// Opening data sets: which file lies where, and which reader it gets.
#include "data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "data/cifar.h"
#include "data/digits.h"
#include "data/framing.h"
#include "data/idx.h"

// No picture file of these kinds is near this size; what is larger is something else.
#define MAX_FILE_BYTES ((size_t)1 << 30)
enum { MAX_FILES = 5, MAX_DIGITS = 10000000, MAX_SIDE = 4096 };

static const sst_dataset_info DATASETS[SST_DATASET_COUNT] = {
#define DATASET_INFO(name, word, form, classes, height, width, channels, text)                                         \
  {SST_DATASET_##name, 0, 0, 0, classes, height, width, channels, 0},
    SST_DATASET_LIST(DATASET_INFO)
#undef DATASET_INFO
};

static const char *const WORDS[SST_DATASET_COUNT] = {
#define DATASET_WORD(name, word, form, classes, height, width, channels, text) word,
    SST_DATASET_LIST(DATASET_WORD)
#undef DATASET_WORD
};

enum { PICTURES, EVENTS };
static const int FORMS[SST_DATASET_COUNT] = {
#define DATASET_FORM(name, word, form, classes, height, width, channels, text) form,
    SST_DATASET_LIST(DATASET_FORM)
#undef DATASET_FORM
};

// Folders under the root, tried in turn: ours, then those that the official archives and other tools make.
static const char *const FOLDERS[SST_DATASET_COUNT][4] = {
    [SST_DATASET_MNIST] = {"mnist", "MNIST/raw"},
    [SST_DATASET_FASHION_MNIST] = {"fashion-mnist", "FashionMNIST/raw"},
    [SST_DATASET_CIFAR10] = {"cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"},
    [SST_DATASET_CIFAR100] = {"cifar100", "cifar100/cifar-100-binary", "cifar-100-binary"},
};

typedef struct cifar_files {
  int count;
  const char *names[MAX_FILES];
  int64_t pictures; // officially, in all of them
} cifar_files;

static const cifar_files CIFAR10_FILES[2] = {
    {1, {"test_batch.bin"}, 10000},
    {5, {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}, 50000},
};
static const cifar_files CIFAR100_FILES[2] = {{1, {"test.bin"}, 10000}, {1, {"train.bin"}, 50000}};

const char *sst_dataset_word(sst_dataset_kind kind) {
  return (int)kind >= 0 && kind < SST_DATASET_COUNT ? WORDS[kind] : "unknown";
}

bool sst_dataset_parse(const char *word, sst_dataset_kind *out) {
  const int found = ssti_find_word(word, WORDS, SST_DATASET_COUNT);
  if (found >= 0) { *out = (sst_dataset_kind)found; }
  return found >= 0;
}

static const char *const SPLITS[SST_EVENT_SPLIT_COUNT] = {
#define SPLIT_WORD(name, word, text) word,
    SST_EVENT_SPLIT_LIST(SPLIT_WORD)
#undef SPLIT_WORD
};

const char *sst_event_split_word(sst_event_split split) {
  return (int)split >= 0 && split < SST_EVENT_SPLIT_COUNT ? SPLITS[split] : "unknown";
}

bool sst_dataset_is_events(sst_dataset_kind kind) {
  return (int)kind >= 0 && kind < SST_DATASET_COUNT && FORMS[kind] == EVENTS;
}

const char *ssti_data_root(const char *root) {
  if (root != NULL && root[0] != '\0') { return root; }
  const char *environment = getenv("SPIKESTILL_DATA");
  return environment != NULL && environment[0] != '\0' ? environment : "./data";
}

// The path of a file in the folder, plain or with ".gz"; *out is NULL if there is neither.
static sst_status find_file(sst_context *context, const char *folder, const char *name, char **out) {
  static const char *const ENDINGS[] = {"", ".gz"};
  for (int i = 0; i < 2; i++) {
    ssti_text text = ssti_text_begin(context);
    ssti_text_append(&text, "%s/%s%s", folder, name, ENDINGS[i]);
    if (text.status == SST_OK && ssti_file_exists(text.data)) {
      *out = text.data;
      return SST_OK;
    }
    sst_status status = text.status;
    ssti_text_free(&text);
    SST_TRY(status);
  }
  *out = NULL;
  return SST_OK;
}

// The folder of the data set that has a file of that name, and the file's path in it.
static sst_status find_first_file(sst_context *context, const char *root, sst_dataset_kind kind, const char *name,
                                  char **folder, char **path) {
  for (int i = 0; i < 4 && FOLDERS[kind][i] != NULL; i++) {
    SST_TRY(ssti_path_join(context, root, FOLDERS[kind][i], folder));
    sst_status status = find_file(context, *folder, name, path);
    if (status == SST_OK && *path != NULL) { return SST_OK; }
    ssti_free(context, *folder);
    *folder = NULL;
    SST_TRY(status);
  }
  SST_FAIL(context, SST_NOT_FOUND,
           "%s/%s: there is no file %s (plain or .gz); get the data set with: spikestill data get %s --root %s", root,
           FOLDERS[kind][0], name, WORDS[kind], root);
}

static sst_status read_file_in(sst_context *context, sst_dataset_kind kind, const char *folder, const char *name,
                               char **path, char **data, size_t *size) {
  SST_TRY(find_file(context, folder, name, path));
  if (*path == NULL) {
    SST_FAIL(context, SST_NOT_FOUND,
             "%s/%s: missing, while other files of the data set are there; get it with: spikestill data get %s", folder,
             name, WORDS[kind]);
  }
  return ssti_file_read(context, *path, MAX_FILE_BYTES, data, size);
}

// Labels as the file readers give them, widened.
static sst_status keep_labels(sst_dataset *dataset, const uint8_t *labels) {
  SST_TRY(ssti_allocate_raw(dataset->context, (size_t)dataset->info.count, sizeof(int32_t), &dataset->labels));
  for (int64_t i = 0; i < dataset->info.count; i++) { dataset->labels[i] = labels[i]; }
  return SST_OK;
}

// ---- IDX ----

static sst_status read_idx(sst_dataset *dataset, const char *folder, const char *pictures_path, const char *labels_name,
                           int64_t limit) {
  sst_context *context = dataset->context;
  sst_status status = SST_OK;
  char *labels_path = NULL, *data = NULL;
  uint8_t *labels = NULL;
  size_t size = 0;
  int64_t label_count = 0;
  sst_dataset_info *info = &dataset->info;
  SST_TRY_GOTO(ssti_file_read(context, pictures_path, MAX_FILE_BYTES, &data, &size));
  SST_TRY_GOTO(ssti_idx_read_pictures(context, pictures_path, data, size, info->height, info->width, limit,
                                      &dataset->pixels, &info->count));
  ssti_free(context, data);
  data = NULL;
  SST_TRY_GOTO(read_file_in(context, info->kind, folder, labels_name, &labels_path, &data, &size));
  SST_TRY_GOTO(ssti_idx_read_labels(context, labels_path, data, size, info->classes, limit, &labels, &label_count));
  if (label_count != info->count) {
    status = ssti_fail(context, SST_FORMAT, "%s: at byte 4: found %" PRId64 " labels, expected %" PRId64 " as in %s",
                       labels_path, label_count, info->count, pictures_path);
    goto done;
  }
  status = keep_labels(dataset, labels);
done:
  ssti_free(context, labels);
  ssti_free(context, data);
  ssti_free(context, labels_path);
  return status;
}

// From fewer bytes packed files are read at once.
enum { WORTH_KEEPING = 4 << 20 };

static sst_status take_kept(sst_dataset *dataset) {
  dataset->info.count = dataset->framed.count;
  dataset->pixels = dataset->framed.counts;
  SST_TRY(ssti_allocate_raw(dataset->context, (size_t)dataset->info.count, sizeof(int32_t), &dataset->labels));
  memcpy(dataset->labels, dataset->framed.labels, (size_t)dataset->info.count * sizeof(int32_t));
  return SST_OK;
}

static sst_status keep_pictures(const sst_dataset *dataset, const char *cache, const ssti_text *key) {
  const sst_dataset_info *info = &dataset->info;
  const size_t bytes = (size_t)(info->count * sst_dataset_sample_bytes(info));
  if (bytes < WORTH_KEEPING) { return SST_OK; }
  ssti_framed kept = {
      .count = info->count, .timesteps = 1, .height = info->height, .width = info->width, .channels = info->channels};
  SST_TRY(ssti_framed_allocate(dataset->context, &kept));
  memcpy(kept.labels, dataset->labels, (size_t)info->count * sizeof(int32_t));
  memcpy(kept.counts, dataset->pixels, bytes);
  const sst_status status = ssti_frame_cache_store(dataset->context, cache, key, &kept);
  ssti_framed_free(dataset->context, &kept);
  return status;
}

// Packed files, which take longer to unpack than a network to start, are kept unpacked where frames of recordings are.
static sst_status open_packed_idx(sst_dataset *dataset, const sst_dataset_options *options, const char *folder,
                                  const char *pictures_path, const char *labels_name) {
  sst_context *context = dataset->context;
  char *cache = NULL, *labels_path = NULL, what[96];
  bool found = false;
  if (ssti_frame_cache_folder(context, &cache) != SST_OK) {
    return read_idx(dataset, folder, pictures_path, labels_name, options->limit);
  }
  snprintf(what, sizeof what, "%s %s, first %" PRId64 " pictures", WORDS[options->kind],
           options->train ? "train" : "test", options->limit);
  ssti_text key = ssti_frame_cache_key(context, what, &options->framing);
  ssti_frame_cache_key_add_file(&key, pictures_path);
  sst_status status = find_file(context, folder, labels_name, &labels_path);
  if (status == SST_OK && labels_path != NULL) { ssti_frame_cache_key_add_file(&key, labels_path); }
  if (status == SST_OK) { status = key.status; }
  if (status == SST_OK) { status = ssti_frame_cache_load(context, cache, &key, &dataset->framed, &found); }
  if (status == SST_OK && found) {
    status = take_kept(dataset);
  } else if (status == SST_OK) {
    status = read_idx(dataset, folder, pictures_path, labels_name, options->limit);
    // A cache that cannot be written costs time only.
    if (status == SST_OK && keep_pictures(dataset, cache, &key) != SST_OK) {
      ssti_log(context, SST_LOG_WARNING, "pictures are not kept: %s", sst_context_message(context));
    }
  }
  ssti_text_free(&key);
  ssti_free(context, labels_path);
  ssti_free(context, cache);
  return status;
}

static sst_status open_idx(sst_dataset *dataset, const char *root, const sst_dataset_options *options) {
  sst_context *context = dataset->context;
  char *folder = NULL, *path = NULL;
  const char *labels = options->train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte";
  SST_TRY(find_first_file(context, root, options->kind,
                          options->train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte", &folder, &path));
  const size_t length = strlen(path);
  const bool packed = length > 3 && strcmp(path + length - 3, ".gz") == 0;
  const sst_status status = packed && options->cache ? open_packed_idx(dataset, options, folder, path, labels)
                                                     : read_idx(dataset, folder, path, labels, options->limit);
  ssti_free(context, path);
  ssti_free(context, folder);
  return status;
}

// ---- CIFAR ----

// Appends the pictures of one file.
static sst_status append_cifar(sst_dataset *dataset, ssti_cifar_kind kind, const char *folder, const char *name,
                               int64_t limit, size_t *pixels_capacity, uint8_t **labels, size_t *labels_capacity) {
  sst_context *context = dataset->context;
  sst_status status = SST_OK;
  int64_t before = dataset->info.count, found = 0;
  char *path = NULL, *data = NULL;
  size_t size = 0;
  SST_TRY_GOTO(read_file_in(context, dataset->info.kind, folder, name, &path, &data, &size));
  SST_TRY_GOTO(ssti_cifar_count(context, path, size, kind, &found));
  if (limit > 0 && found > limit - before) { found = limit - before; }
  size_t total = (size_t)(before + found);
  SST_TRY_GOTO(ssti_grow(context, &dataset->pixels, pixels_capacity, total * SSTI_CIFAR_BYTES, 1));
  SST_TRY_GOTO(ssti_grow(context, labels, labels_capacity, total, 1));
  SST_TRY_GOTO(
      ssti_cifar_read(context, path, data, found, kind, dataset->pixels + before * SSTI_CIFAR_BYTES, *labels + before));
  dataset->info.count = (int64_t)total;
done:
  ssti_free(context, data);
  ssti_free(context, path);
  return status;
}

static sst_status open_cifar(sst_dataset *dataset, const char *root, bool train, int64_t limit) {
  sst_context *context = dataset->context;
  sst_status status = SST_OK;
  char *folder = NULL, *path = NULL;
  uint8_t *labels = NULL;
  size_t pixels_capacity = 0, labels_capacity = 0;
  bool hundred = dataset->info.kind == SST_DATASET_CIFAR100;
  const cifar_files *files = hundred ? &CIFAR100_FILES[train] : &CIFAR10_FILES[train];
  SST_TRY(find_first_file(context, root, dataset->info.kind, files->names[0], &folder, &path));
  // The whole size at once, so that five files do not move the pictures five times.
  size_t expected = (size_t)(limit > 0 && limit < files->pictures ? limit : files->pictures);
  SST_TRY_GOTO(ssti_grow(context, &dataset->pixels, &pixels_capacity, expected * SSTI_CIFAR_BYTES, 1));
  SST_TRY_GOTO(ssti_grow(context, &labels, &labels_capacity, expected, 1));
  for (int i = 0; i < files->count && (limit == 0 || dataset->info.count < limit); i++) {
    SST_TRY_GOTO(append_cifar(dataset, hundred ? SSTI_CIFAR_100 : SSTI_CIFAR_10, folder, files->names[i], limit,
                              &pixels_capacity, &labels, &labels_capacity));
  }
  if (limit == 0 && dataset->info.count != files->pictures) {
    ssti_log(context, SST_LOG_WARNING, "%s: found %" PRId64 " pictures; the official %s has %" PRId64, folder,
             dataset->info.count, train ? "training part" : "test part", files->pictures);
  }
  status = keep_labels(dataset, labels);
done:
  ssti_free(context, labels);
  ssti_free(context, path);
  ssti_free(context, folder);
  return status;
}

// ---- drawn digits ----

static sst_status open_digits(sst_dataset *dataset, const sst_dataset_options *options) {
  sst_context *context = dataset->context;
  int64_t count = options->digits_count;
  if (count < 1 || count > MAX_DIGITS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "digits: cannot draw %" PRId64 " pictures, expected 1 to %d", count,
             MAX_DIGITS);
  }
  if (options->limit > 0 && options->limit < count) { count = options->limit; }
  uint8_t *labels = NULL;
  SST_TRY(ssti_allocate_raw(context, (size_t)count, SSTI_DIGIT_PIXELS, &dataset->pixels));
  SST_TRY(ssti_allocate_raw(context, (size_t)count, 1, &labels));
  dataset->info.count = count;
  ssti_digits_draw(context, options->digits_seed, options->train, count, dataset->pixels, labels);
  const sst_status status = keep_labels(dataset, labels);
  ssti_free(context, labels);
  return status;
}

// ---- picture files ----

static sst_status open_pictures(sst_dataset *dataset, const sst_dataset_options *options) {
  const int wanted = dataset->info.classes;
  SST_TRY(ssti_picture_folder_open(dataset->context, options, &dataset->info, &dataset->labels, &dataset->pictures));
  if (dataset->info.skipped > 0) {
    ssti_log(dataset->context, SST_LOG_WARNING, "%s: left out %" PRId64 " broken pictures of %" PRId64,
             WORDS[options->kind], dataset->info.skipped, dataset->info.skipped + dataset->info.count);
  }
  if (dataset->info.classes != wanted) {
    SST_FAIL(dataset->context, SST_MISMATCH, "%s: %d classes are asked for, but it has %d", WORDS[options->kind],
             wanted, dataset->info.classes);
  }
  return SST_OK;
}

// ---- event sets ----

static sst_status open_events(sst_dataset *dataset, const sst_dataset_options *options) {
  sst_context *context = dataset->context;
  SST_TRY(ssti_event_set_open(context, options, &dataset->info, &dataset->recordings));
  SST_TRY(ssti_event_set_frames(dataset->recordings, options, &dataset->framed));
  dataset->pixels = dataset->framed.counts;
  SST_TRY(ssti_allocate_raw(context, (size_t)dataset->info.count, sizeof(int32_t), &dataset->labels));
  memcpy(dataset->labels, dataset->framed.labels, (size_t)dataset->info.count * sizeof(int32_t));
  return SST_OK;
}

sst_status sst_dataset_recording(const sst_dataset *dataset, int64_t index, sst_recording_info *out) {
  *out = (sst_recording_info){0};
  if (dataset->recordings == NULL) {
    SST_FAIL(dataset->context, SST_INVALID_ARGUMENT, "%s has no recordings of events", WORDS[dataset->info.kind]);
  }
  ssti_events events;
  const sst_status status = ssti_event_set_record(dataset->recordings, index, &events);
  if (status == SST_OK && events.count > 0) {
    out->events = (int64_t)events.count;
    out->duration_us = events.items[events.count - 1].t - events.items[0].t;
    for (size_t i = 0; i < events.count; i++) { out->brighter += events.items[i].p; }
  }
  ssti_events_free(&events);
  return status;
}

// ---- the public functions ----

static sst_status check_size(sst_context *context, const sst_dataset_options *options, const char *side, int64_t wanted,
                             int64_t own) {
  if (wanted < 0 || wanted > MAX_SIDE) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: found a %s of %" PRId64 ", expected 1 to %d, or 0 for the set's own",
             WORDS[options->kind], side, wanted, MAX_SIDE);
  }
  const bool less = sst_dataset_is_events(options->kind) && wanted < own;
  const bool free_size = less || options->kind == SST_DATASET_FOLDER || options->kind == SST_DATASET_TINY_IMAGENET;
  if (wanted > 0 && wanted != own && !free_size) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: a %s of %" PRId64 " is asked for, but its samples have %" PRId64,
             WORDS[options->kind], side, wanted, own);
  }
  return SST_OK;
}

sst_status sst_dataset_sizes(sst_context *context, const sst_dataset_options *options, sst_dataset_info *out) {
  if ((int)options->kind < 0 || options->kind >= SST_DATASET_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "data set %d does not exist, expected 0 to %d", (int)options->kind,
             SST_DATASET_COUNT - 1);
  }
  sst_dataset_info info = DATASETS[options->kind];
  SST_TRY(check_size(context, options, "height", options->height, info.height));
  SST_TRY(check_size(context, options, "width", options->width, info.width));
  // One side alone means a square.
  if (options->height > 0 || options->width > 0) {
    info.height = options->height > 0 ? options->height : options->width;
    info.width = options->width > 0 ? options->width : options->height;
  }
  if (info.height == 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: the pictures' size must be told: height and width",
             WORDS[options->kind]);
  }
  if (info.classes == 0 && options->classes == 0) {
    SST_TRY(sst_dataset_is_events(options->kind) ? ssti_event_set_classes(context, options, &info.classes)
                                                 : ssti_picture_folder_classes(context, options, &info.classes));
  } else if (info.classes == 0) {
    info.classes = options->classes;
  }
  if (options->classes > 0 && options->classes != info.classes) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: %d classes are asked for, but it has %d", WORDS[options->kind],
             options->classes, info.classes);
  }
  if (sst_dataset_is_events(options->kind)) {
    SST_TRY(ssti_framing_check(context, &options->framing));
    info.frames = options->framing.frames;
  }
  *out = info;
  return SST_OK;
}

sst_status sst_dataset_open(sst_context *context, const sst_dataset_options *options, sst_dataset **out) {
  *out = NULL;
  sst_dataset_info info;
  SST_TRY(sst_dataset_sizes(context, options, &info));
  if (options->limit < 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: found a limit of %" PRId64 " pictures, expected 0 (all) or more",
             WORDS[options->kind], options->limit);
  }
  sst_dataset *dataset = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *dataset, &dataset));
  dataset->context = context;
  dataset->info = info;
  const char *root = ssti_data_root(options->root);
  sst_status status = ssti_allocate(context, 1, sizeof *dataset->resident, &dataset->resident);
  if (status != SST_OK) {
    ssti_free(context, dataset);
    return status;
  }
  pthread_mutex_init(&dataset->resident->mutex, NULL);
  switch (options->kind) {
  case SST_DATASET_DIGITS: status = open_digits(dataset, options); break;
  case SST_DATASET_MNIST:
  case SST_DATASET_FASHION_MNIST: status = open_idx(dataset, root, options); break;
  case SST_DATASET_FOLDER:
  case SST_DATASET_TINY_IMAGENET: status = open_pictures(dataset, options); break;
  case SST_DATASET_MOVING_DIGITS:
  case SST_DATASET_NMNIST:
  case SST_DATASET_NCALTECH101:
  case SST_DATASET_CIFAR10_DVS:
  case SST_DATASET_DVS128_GESTURE:
  case SST_DATASET_SHD:
  case SST_DATASET_SSC: status = open_events(dataset, options); break;
  default: status = open_cifar(dataset, root, options->train, options->limit); break;
  }
  if (status != SST_OK) {
    sst_dataset_close(dataset);
    return status;
  }
  *out = dataset;
  return SST_OK;
}

void sst_dataset_close(sst_dataset *dataset) {
  if (dataset == NULL) { return; }
  ssti_picture_folder_close(dataset->pictures);
  if (dataset->framed.counts == NULL) { ssti_free(dataset->context, dataset->pixels); }
  ssti_framed_free(dataset->context, &dataset->framed);
  ssti_event_set_close(dataset->recordings);
  ssti_free(dataset->context, dataset->labels);
  if (dataset->resident != NULL) {
    ssti_free(dataset->context, dataset->resident->bytes);
    pthread_mutex_destroy(&dataset->resident->mutex);
    ssti_free(dataset->context, dataset->resident);
  }
  ssti_free(dataset->context, dataset);
}

sst_dataset_info sst_dataset_describe(const sst_dataset *dataset) { return dataset->info; }

int64_t sst_dataset_sample_bytes(const sst_dataset_info *info) {
  return (info->frames > 0 ? info->frames : 1) * info->height * info->width * info->channels;
}

const uint8_t *sst_dataset_picture(const sst_dataset *dataset, int64_t index) {
  assert(index >= 0 && index < dataset->info.count);
  return dataset->pixels != NULL ? dataset->pixels + index * sst_dataset_sample_bytes(&dataset->info) : NULL;
}

sst_status ssti_dataset_sample(const sst_dataset *dataset, int64_t index, ssti_sample_room *room, const uint8_t **out) {
  if (dataset->pictures != NULL) {
    return ssti_picture_folder_read(dataset->pictures, index, &room->decoding, room->bytes, out);
  }
  *out = sst_dataset_picture(dataset, index);
  return SST_OK;
}

sst_status sst_dataset_read(const sst_dataset *dataset, int64_t index, uint8_t *out) {
  const uint8_t *sample = NULL;
  ssti_sample_room room = {.bytes = out};
  const sst_status status = ssti_dataset_sample(dataset, index, &room, &sample);
  ssti_picture_room_free(dataset->context, &room.decoding);
  if (status == SST_OK && sample != out) { memcpy(out, sample, (size_t)sst_dataset_sample_bytes(&dataset->info)); }
  return status;
}

const char *sst_dataset_class_name(const sst_dataset *dataset, int label) {
  if (dataset->recordings != NULL) { return ssti_event_set_class(dataset->recordings, label); }
  return dataset->pictures != NULL ? ssti_picture_folder_class(dataset->pictures, label) : NULL;
}

int sst_dataset_label(const sst_dataset *dataset, int64_t index) {
  assert(index >= 0 && index < dataset->info.count);
  return dataset->labels[index];
}
