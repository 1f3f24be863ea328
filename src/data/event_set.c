// SPDX-License-Identifier: Apache-2.0
#include "data/event_set.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "data/event_digits.h"
#include "data/event_readers.h"
#include "data/file_list.h"
#include "data/framing.h"

#define MAX_RECORDING_BYTES ((size_t)1 << 31)
#define MAX_LIST_BYTES ((size_t)1 << 24)
enum { MAX_DIGITS = 10000000, FOLDERS = 4 };

// What is known of each set.
typedef struct set_about {
  const char *folders[FOLDERS]; // under the root, tried in turn
  const char *parts[2]; // test and train: folders of classes, or files; NULL: there is one for both, and a split
  const char *held;     // file of the validation part, which may be there; NULL: the set has none
  const char *ending;
  int width, height, channels; // of the sensor
} set_about;

static const set_about *about(sst_dataset_kind kind) {
  enum { SIDE = SSTI_EVENT_DIGIT_SIDE, UNITS = SSTI_SHD_UNITS };
  static const set_about NMNIST = {
      {"nmnist", "N-MNIST", "nmnist-1100", "."}, {"Test", "Train"}, NULL, ".bin", 34, 34, 2};
  static const set_about NCALTECH = {
      {"ncaltech101", "N-Caltech101", "Caltech101", "."}, {NULL}, NULL, ".bin", 240, 180, 2};
  static const set_about CIFAR = {
      {"cifar10-dvs", "CIFAR10DVS", "CIFAR10-DVS", "."}, {NULL}, NULL, ".aedat", 128, 128, 2};
  static const set_about GESTURE = {
      {"dvs128-gesture", "DvsGesture", "DVSGesture", "."}, {NULL}, NULL, ".aedat", 128, 128, 2};
  static const set_about DIGITS = {{NULL}, {NULL}, NULL, NULL, SIDE, SIDE, 2};
  static const set_about SHD = {{"shd", "SHD", ".", "."}, {"shd_test.h5", "shd_train.h5"}, NULL, NULL, UNITS, 1, 1};
  static const set_about SSC = {
      {"ssc", "SSC", ".", "."}, {"ssc_test.h5", "ssc_train.h5"}, "ssc_valid.h5", NULL, UNITS, 1, 1};
  switch (kind) {
  case SST_DATASET_SHD: return &SHD;
  case SST_DATASET_SSC: return &SSC;
  case SST_DATASET_NMNIST: return &NMNIST;
  case SST_DATASET_NCALTECH101: return &NCALTECH;
  case SST_DATASET_CIFAR10_DVS: return &CIFAR;
  case SST_DATASET_DVS128_GESTURE: return &GESTURE;
  default: return &DIGITS;
  }
}

struct ssti_event_set {
  sst_context *context;
  sst_dataset_options options;
  const set_about *about;
  int width, height; // of the frames
  int64_t count;     // of the recordings
  ssti_class_names classes;
  ssti_file_list files;
  // DVS128 Gesture: a file holds several recordings. File f has those numbered first[f]..first[f + 1] - 1.
  ssti_event_label *stretches;
  int64_t *first;
  size_t stretch_capacity;
  ssti_shd *spikes;   // SHD, SSC: one file with all recordings of a part
  ssti_shd *held;     // of the validation part, where it is there: those after the others
  int64_t held_count; // of it
};

// ---- listing ----

// The first folder under the root that is there and has `inside` in it; owned by the caller.
static sst_status find_folder(sst_context *context, const sst_dataset_options *options, const char *inside,
                              char **out) {
  const char *root = ssti_data_root(options->root), *const *folders = about(options->kind)->folders;
  for (int i = 0; i < FOLDERS && folders[i] != NULL; i++) {
    char *path = NULL;
    SST_TRY(ssti_path_join(context, root, folders[i], out));
    const sst_status status = ssti_path_join(context, *out, inside, &path);
    // What lies in the root itself must be named, else any folder would do.
    const bool named = strcmp(folders[i], ".") != 0 || inside[0] != '\0';
    const bool found = status == SST_OK && named && (ssti_folder_exists(path) || ssti_file_exists(path));
    ssti_free(context, path);
    if (found) { return SST_OK; }
    ssti_free(context, *out);
    *out = NULL;
    SST_TRY(status);
  }
  SST_FAIL(context, SST_NOT_FOUND, "%s/%s%s%s: is not there; %s has to be fetched by hand and unpacked there", root,
           folders[0], inside[0] ? "/" : "", inside, sst_dataset_word(options->kind));
}

static sst_status find_part(sst_context *context, const sst_dataset_options *options, char **out) {
  const char *part = about(options->kind)->parts[options->train];
  char *folder = NULL;
  SST_TRY(find_folder(context, options, part != NULL ? part : "", &folder));
  const sst_status status = ssti_path_join(context, folder, part != NULL ? part : ".", out);
  ssti_free(context, folder);
  return status;
}

sst_status ssti_event_set_classes(sst_context *context, const sst_dataset_options *options, int *out) {
  ssti_class_names classes = {0};
  char *folder = NULL;
  sst_status status = find_part(context, options, &folder);
  if (status == SST_OK) { status = ssti_class_names_of_folder(context, folder, &classes); }
  *out = (int)classes.count;
  ssti_class_names_free(context, &classes);
  ssti_free(context, folder);
  return status;
}

// The last number in a file's name; -1 if there is none.
static int64_t number_of(const char *path) {
  const char *name = strrchr(path, '/'), *end = path + strlen(path);
  name = name != NULL ? name + 1 : path;
  while (end > name && !isdigit((unsigned char)end[-1])) { end--; }
  const char *begin = end;
  while (begin > name && end - begin < 15 && isdigit((unsigned char)begin[-1])) { begin--; }
  if (begin == end) { return -1; }
  int64_t number = 0;
  for (; begin < end; begin++) { number = number * 10 + (*begin - '0'); }
  return number;
}

// Whether file number `place` of `of` in its class, in the order of names, is in the training part.
static sst_status split_file(sst_context *context, sst_event_split split, const char *path, size_t place, size_t of,
                             bool *train) {
  const int64_t number = split == SST_SPLIT_PER_CLASS ? 0 : number_of(path);
  if (number < 0) { SST_FAIL(context, SST_FORMAT, "%s: has no number in its name, by which data.split goes", path); }
  switch (split) {
  case SST_SPLIT_FIRST_100: *train = number >= 100; break;
  case SST_SPLIT_LAST_100: *train = number < 900; break;
  default: *train = place < of * 9 / 10; break;
  }
  return SST_OK;
}

// Keeps the files of the part. The list is class by class.
static sst_status split_files(ssti_event_set *set) {
  ssti_file_list *files = &set->files;
  size_t kept = 0;
  for (size_t begin = 0, end = 0; begin < files->count; begin = end) {
    while (end < files->count && files->labels[end] == files->labels[begin]) { end++; }
    for (size_t i = begin; i < end; i++) {
      bool train = false;
      SST_TRY(
          split_file(set->context, set->options.split, ssti_file_list_path(files, i), i - begin, end - begin, &train));
      if (train != set->options.train) { continue; }
      files->starts[kept] = files->starts[i];
      files->labels[kept++] = files->labels[i];
    }
  }
  files->count = kept;
  return SST_OK;
}

static sst_status list_classes(ssti_event_set *set) {
  sst_context *context = set->context;
  const char *const endings[] = {set->about->ending, NULL};
  char *folder = NULL;
  sst_status status;
  SST_TRY_GOTO(find_part(context, &set->options, &folder));
  SST_TRY_GOTO(ssti_class_names_of_folder(context, folder, &set->classes));
  for (size_t i = 0; i < set->classes.count; i++) {
    char *path = NULL;
    SST_TRY_GOTO(ssti_path_join(context, folder, set->classes.names[i], &path));
    status = ssti_file_list_add_folder(&set->files, path, endings, (int)i);
    ssti_free(context, path);
    if (status != SST_OK) { goto done; }
  }
  if (set->about->parts[0] == NULL) { SST_TRY_GOTO(split_files(set)); }
  if (set->files.count == 0) {
    status = ssti_fail(context, SST_NOT_FOUND, "%s: holds no %s files of this part", folder, set->about->ending);
    goto done;
  }
  SST_TRY_GOTO(ssti_file_list_take_turns(&set->files, set->classes.count, (size_t)set->options.limit));
  set->count = (int64_t)set->files.count;
done:
  ssti_free(context, folder);
  return status;
}

// Adds a trial of DVS128 Gesture, "user01_fluorescent.aedat", and the stretches of its labels beside it.
static sst_status add_trial(ssti_event_set *set, const char *folder, const char *name, int classes) {
  sst_context *context = set->context;
  ssti_text path = ssti_text_begin(context);
  ssti_event_label *labels = NULL;
  char *text = NULL, *recording = NULL;
  size_t size = 0;
  int64_t count = 0;
  sst_status status;
  const size_t stem = strlen(name) - strlen(".aedat");
  ssti_text_append(&path, "%s/%.*s_labels.csv", folder, (int)stem, name);
  SST_TRY_GOTO(path.status);
  SST_TRY_GOTO(ssti_file_read(context, path.data, MAX_LIST_BYTES, &text, &size));
  SST_TRY_GOTO(ssti_event_labels_read(context, path.data, text, size, classes, &labels, &count));
  SST_TRY_GOTO(ssti_path_join(context, folder, name, &recording));
  SST_TRY_GOTO(ssti_file_list_add(&set->files, recording, 0));
  SST_TRY_GOTO(ssti_grow(context, &set->stretches, &set->stretch_capacity, (size_t)(set->count + count),
                         sizeof *set->stretches));
  memcpy(set->stretches + set->count, labels, (size_t)count * sizeof *labels);
  set->count += count;
done:
  ssti_free(context, labels);
  ssti_free(context, recording);
  ssti_free(context, text);
  ssti_text_free(&path);
  return status;
}

// The trials named in trials_to_train.txt or trials_to_test.txt.
static sst_status list_trials(ssti_event_set *set, int classes) {
  sst_context *context = set->context;
  const char *list = set->options.train ? "trials_to_train.txt" : "trials_to_test.txt";
  char *folder = NULL, *path = NULL, *text = NULL;
  size_t size = 0;
  ssti_class_names trials = {0};
  sst_status status;
  SST_TRY_GOTO(find_folder(context, &set->options, list, &folder));
  SST_TRY_GOTO(ssti_path_join(context, folder, list, &path));
  SST_TRY_GOTO(ssti_file_read(context, path, MAX_LIST_BYTES, &text, &size));
  SST_TRY_GOTO(ssti_class_names_of_lines(context, path, text, size, &trials)); // lines without '/', sorted
  SST_TRY_GOTO(ssti_allocate(context, trials.count + 1, sizeof *set->first, &set->first));
  for (size_t i = 0; i < trials.count; i++) {
    const char *name = trials.names[i], *dot = strrchr(name, '.');
    if (dot == NULL || strcmp(dot, ".aedat") != 0) {
      status = ssti_fail(context, SST_FORMAT, "%s: found '%s', expected names that end in .aedat", path, name);
      goto done;
    }
    SST_TRY_GOTO(add_trial(set, folder, name, classes));
    set->first[i + 1] = set->count;
  }
  if (set->count == 0) { status = ssti_fail(context, SST_FORMAT, "%s: its trials have no labels", path); }
  if (set->options.limit > 0 && set->options.limit < set->count) { set->count = set->options.limit; }
done:
  ssti_class_names_free(context, &trials);
  ssti_free(context, text);
  ssti_free(context, path);
  ssti_free(context, folder);
  return status;
}

// The file is in the list, so that the cache notices when it changes.
static sst_status open_recordings(ssti_event_set *set, const char *path, int classes, ssti_shd **out, int64_t *count) {
  const int64_t limit = set->options.limit;
  SST_TRY(ssti_file_list_add(&set->files, path, 0));
  SST_TRY(ssti_shd_open(set->context, path, classes, out));
  *count = ssti_shd_count(*out);
  if (limit > 0 && limit < *count) { *count = limit; }
  return SST_OK;
}

// The validation part beside the training part.
static sst_status open_held(ssti_event_set *set, const char *path, int classes) {
  const char *slash = strrchr(path, '/');
  ssti_text beside = ssti_text_begin(set->context);
  ssti_text_append_bytes(&beside, path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
  ssti_text_append(&beside, "%s", set->about->held);
  sst_status status = beside.status;
  if (status == SST_OK && ssti_file_exists(beside.data)) {
    status = open_recordings(set, beside.data, classes, &set->held, &set->held_count);
  }
  ssti_text_free(&beside);
  return status;
}

static sst_status open_spikes(ssti_event_set *set, int classes) {
  char *path = NULL;
  SST_TRY(find_part(set->context, &set->options, &path));
  sst_status status = open_recordings(set, path, classes, &set->spikes, &set->count);
  if (status == SST_OK && set->options.train && set->about->held != NULL) { status = open_held(set, path, classes); }
  set->count += set->held_count;
  ssti_free(set->context, path);
  return status;
}

// The file that recording *index of all is in; *index becomes its number there.
static ssti_shd *file_with(const ssti_event_set *set, int64_t *index) {
  const int64_t first = set->count - set->held_count;
  if (*index < first) { return set->spikes; }
  *index -= first;
  return set->held;
}

sst_status ssti_event_set_open(sst_context *context, const sst_dataset_options *options, sst_dataset_info *info,
                               ssti_event_set **out) {
  *out = NULL;
  ssti_event_set *set = NULL;
  SST_TRY(ssti_framing_check(context, &options->framing));
  SST_TRY(ssti_allocate(context, 1, sizeof *set, &set));
  set->context = context;
  set->options = *options; // its root is read while it is opened only
  set->about = about(options->kind);
  set->files = ssti_file_list_begin(context);
  set->width = (int)info->width;
  set->height = (int)info->height;
  sst_status status = SST_OK;
  if (options->kind == SST_DATASET_MOVING_DIGITS) {
    set->count = options->limit > 0 && options->limit < options->digits_count ? options->limit : options->digits_count;
    if (set->count < 1 || set->count > MAX_DIGITS) {
      status = ssti_fail(context, SST_INVALID_ARGUMENT,
                         "moving-digits: cannot make %" PRId64 " recordings, expected 1 to %d", set->count, MAX_DIGITS);
    }
  } else if (options->kind == SST_DATASET_DVS128_GESTURE) {
    status = list_trials(set, info->classes);
  } else if (options->kind == SST_DATASET_SHD || options->kind == SST_DATASET_SSC) {
    status = open_spikes(set, info->classes);
  } else {
    status = list_classes(set);
    if (status == SST_OK && set->classes.count != (size_t)info->classes) {
      status = ssti_fail(context, SST_MISMATCH, "%s: %d classes are expected, but its folders are %zu",
                         sst_dataset_word(options->kind), info->classes, set->classes.count);
    }
  }
  if (status != SST_OK) {
    ssti_event_set_close(set);
    return status;
  }
  info->count = set->count;
  info->validation = set->held_count;
  *out = set;
  return SST_OK;
}

void ssti_event_set_close(ssti_event_set *set) {
  if (set == NULL) { return; }
  sst_context *context = set->context;
  ssti_class_names_free(context, &set->classes);
  ssti_file_list_free(&set->files);
  ssti_shd_close(set->spikes);
  ssti_shd_close(set->held);
  ssti_free(context, set->stretches);
  ssti_free(context, set->first);
  ssti_free(context, set);
}

const char *ssti_event_set_class(const ssti_event_set *set, int label) {
  return label >= 0 && (size_t)label < set->classes.count ? set->classes.names[label] : NULL;
}

// ---- reading ----

static ssti_events begin_events(const ssti_event_set *set) {
  return ssti_events_begin(set->context, set->about->width, set->about->height, set->about->channels);
}

static sst_status read_file(const ssti_event_set *set, size_t file, ssti_events *events) {
  const char *path = ssti_file_list_path(&set->files, file);
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(set->context, path, MAX_RECORDING_BYTES, &data, &size));
  sst_status status;
  switch (set->options.kind) {
  case SST_DATASET_CIFAR10_DVS: status = ssti_aedat2_read(path, data, size, SSTI_AEDAT2_CIFAR10_DVS, events); break;
  case SST_DATASET_DVS128_GESTURE: status = ssti_aedat3_read(path, data, size, events); break;
  default: status = ssti_atis_read(path, data, size, events); break;
  }
  ssti_free(set->context, data);
  return status;
}

static size_t file_of(const ssti_event_set *set, int64_t index) {
  size_t file = 0;
  while (set->first != NULL && set->first[file + 1] <= index) { file++; }
  return set->first != NULL ? file : (size_t)index;
}

sst_status ssti_event_set_record(ssti_event_set *set, int64_t index, ssti_events *events) {
  int label = 0;
  *events = begin_events(set);
  if (set->options.kind == SST_DATASET_MOVING_DIGITS) {
    return ssti_event_digits_record(set->options.digits_seed, set->options.train, index, events, &label);
  }
  if (set->spikes != NULL) {
    ssti_shd *file = file_with(set, &index);
    return ssti_shd_read(file, index, events);
  }
  if (set->stretches == NULL) { return read_file(set, (size_t)index, events); }
  ssti_events whole = begin_events(set);
  sst_status status = read_file(set, file_of(set, index), &whole);
  if (status == SST_OK) {
    status = ssti_events_cut(&whole, set->stretches[index].begin, set->stretches[index].end, events);
  }
  ssti_events_free(&whole);
  return status;
}

// ---- frames ----

typedef struct frames_job {
  const ssti_event_set *set;
  ssti_framed *framed;
  sst_status *statuses; // [units]
} frames_job;

// Counts a recording into its place; a smaller size than the sensor's puts neighbouring pixels together.
static void count_events(const frames_job *job, ssti_events *events, int64_t index) {
  const ssti_event_set *set = job->set;
  ssti_framed *framed = job->framed;
  if (set->width != events->width || set->height != events->height) {
    for (size_t i = 0; i < events->count; i++) {
      events->items[i].x = (int16_t)(events->items[i].x * set->width / events->width);
      events->items[i].y = (int16_t)(events->items[i].y * set->height / events->height);
    }
  }
  ssti_events view = *events;
  view.width = set->width;
  view.height = set->height;
  const int64_t bytes = framed->timesteps * framed->height * framed->width * framed->channels;
  ssti_framing_count(&view, &set->options.framing, framed->counts + index * bytes);
}

// A unit is what is read at once: a file with its recordings, or one drawn recording.
static sst_status frame_unit(const frames_job *job, int64_t unit, ssti_events *events, ssti_events *part) {
  const ssti_event_set *set = job->set;
  if (set->options.kind == SST_DATASET_MOVING_DIGITS) {
    int label = 0;
    SST_TRY(ssti_event_digits_record(set->options.digits_seed, set->options.train, unit, events, &label));
    job->framed->labels[unit] = label;
    count_events(job, events, unit);
    return SST_OK;
  }
  if (set->spikes != NULL) {
    int64_t index = unit;
    ssti_shd *file = file_with(set, &index);
    SST_TRY(ssti_shd_read(file, index, events));
    job->framed->labels[unit] = ssti_shd_label(file, index);
    count_events(job, events, unit);
    return SST_OK;
  }
  SST_TRY(read_file(set, (size_t)unit, events));
  if (set->first == NULL) {
    job->framed->labels[unit] = set->files.labels[unit];
    count_events(job, events, unit);
    return SST_OK;
  }
  for (int64_t i = set->first[unit]; i < set->first[unit + 1] && i < set->count; i++) {
    ssti_events_clear(part);
    SST_TRY(ssti_events_cut(events, set->stretches[i].begin, set->stretches[i].end, part));
    job->framed->labels[i] = set->stretches[i].label;
    count_events(job, part, i);
  }
  return SST_OK;
}

static void frame_range(void *arg, int64_t begin, int64_t end) {
  frames_job *job = arg;
  ssti_events events = begin_events(job->set), part = begin_events(job->set);
  for (int64_t i = begin; i < end; i++) { job->statuses[i] = frame_unit(job, i, &events, &part); }
  ssti_events_free(&events);
  ssti_events_free(&part);
}

static sst_status make_frames(ssti_event_set *set, ssti_framed *framed) {
  sst_context *context = set->context;
  const bool each = set->options.kind == SST_DATASET_MOVING_DIGITS || set->spikes != NULL;
  const int64_t units = each ? set->count : (int64_t)set->files.count;
  frames_job job = {.set = set, .framed = framed};
  *framed = (ssti_framed){.count = set->count,
                          .timesteps = set->options.framing.frames,
                          .height = set->height,
                          .width = set->width,
                          .channels = set->about->channels};
  SST_TRY(ssti_framed_allocate(context, framed));
  sst_status status = ssti_allocate(context, (size_t)units, sizeof *job.statuses, &job.statuses);
  if (status == SST_OK) { ssti_parallel_for(context, units, 1, frame_range, &job); }
  for (int64_t i = 0; i < units && status == SST_OK; i++) {
    if (job.statuses[i] == SST_OK) { continue; }
    // The first failure once more, for its sentence: another thread's may stand there.
    ssti_events events = begin_events(set), part = begin_events(set);
    status = frame_unit(&job, i, &events, &part);
    ssti_events_free(&events);
    ssti_events_free(&part);
  }
  ssti_free(context, job.statuses);
  if (status != SST_OK) { ssti_framed_free(context, framed); }
  return status;
}

// What the frames depend on.
static ssti_text key_of(const ssti_event_set *set) {
  char what[128];
  snprintf(what, sizeof what, "%s %s %dx%d split %d count %" PRId64, sst_dataset_word(set->options.kind),
           set->options.train ? "train" : "test", set->height, set->width, (int)set->options.split, set->count);
  ssti_text key = ssti_frame_cache_key(set->context, what, &set->options.framing);
  for (size_t i = 0; i < set->files.count; i++) {
    ssti_frame_cache_key_add_file(&key, ssti_file_list_path(&set->files, i));
  }
  return key;
}

sst_status ssti_event_set_frames(ssti_event_set *set, const sst_dataset_options *options, ssti_framed *framed) {
  sst_context *context = set->context;
  char *folder = NULL;
  bool found = false;
  const bool cached = options->cache && options->kind != SST_DATASET_MOVING_DIGITS &&
                      ssti_frame_cache_folder(context, &folder) == SST_OK;
  if (!cached) { return make_frames(set, framed); }
  ssti_text key = key_of(set);
  sst_status status = key.status;
  if (status == SST_OK) { status = ssti_frame_cache_load(context, folder, &key, framed, &found); }
  if (status == SST_OK && !found) {
    status = make_frames(set, framed);
    // A cache that cannot be written costs time only.
    if (status == SST_OK && ssti_frame_cache_store(context, folder, &key, framed) != SST_OK) {
      ssti_log(context, SST_LOG_WARNING, "frames are not kept: %s", sst_context_message(context));
    }
  }
  ssti_text_free(&key);
  ssti_free(context, folder);
  return status;
}
