// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "data/event_readers.h"
#include "hdf5/hdf5_read.h"

enum { MAX_RECORDINGS = 1 << 22 }; // SSC, the larger of the two, has about 105,000
static const double MAX_SECONDS = 1e6;

// One of the two lists of sequences.
typedef struct list {
  ssti_hdf5_set set;
  uint8_t *elements; // where each sequence is
} list;

struct ssti_shd {
  sst_context *context;
  char *name;
  ssti_hdf5 *file;
  list times, units;
  int64_t count;
  int32_t *labels;
};

// ---- opening ----

// The array of that path: groups lead to it, at most two.
static sst_status open_set(ssti_shd *f, const char *group, const char *name, const char *path, ssti_hdf5_set *out) {
  uint64_t address = ssti_hdf5_root(f->file);
  const char *const steps[] = {group, name};
  for (int i = 0; i < 2; i++) {
    if (steps[i] == NULL) { continue; }
    ssti_hdf5_links links;
    SST_TRY(ssti_hdf5_list(f->file, path, address, &links));
    const ssti_hdf5_link *link = ssti_hdf5_find(&links, steps[i]);
    const bool found = link != NULL && link->hard; // another link could lead to another file
    if (found) { address = link->address; }
    ssti_hdf5_links_free(f->file, &links);
    if (!found) { SST_FAIL(f->context, SST_FORMAT, "%s: there is no %s in it", f->name, path); }
  }
  return ssti_hdf5_describe(f->file, path, address, out);
}

static sst_status open_list(ssti_shd *f, const char *name, const char *path, bool floats, list *out) {
  SST_TRY(open_set(f, "spikes", name, path, &out->set));
  const ssti_hdf5_set *set = &out->set;
  if (set->type.class != SSTI_HDF5_SEQUENCES || set->type.number.is_float != floats || set->rank != 1 ||
      set->count != f->count) {
    SST_FAIL(f->context, SST_FORMAT, "%s: %s is not what it should be: %" PRId64 " sequences of %s, as many as labels",
             f->name, path, f->count, floats ? "floats" : "integers");
  }
  return ssti_hdf5_read(f->file, set, &out->elements);
}

static sst_status read_labels(ssti_shd *f, int classes) {
  ssti_hdf5_set set;
  uint8_t *elements = NULL;
  SST_TRY(open_set(f, NULL, "labels", "labels", &set));
  f->count = set.count;
  if (set.type.class != SSTI_HDF5_INTEGERS || set.rank != 1 || f->count < 1 || f->count > MAX_RECORDINGS) {
    SST_FAIL(f->context, SST_FORMAT, "%s: labels is not what it should be: 1 to %d integers", f->name, MAX_RECORDINGS);
  }
  SST_TRY(ssti_allocate(f->context, (size_t)f->count, sizeof *f->labels, &f->labels));
  sst_status status = ssti_hdf5_read(f->file, &set, &elements);
  for (int64_t i = 0; i < f->count && status == SST_OK; i++) {
    int64_t label = -1;
    ssti_hdf5_to_integers(&set.type.number, elements + i * set.type.number.size, 1, &label);
    if (label < 0 || label >= classes) {
      status = ssti_fail(f->context, SST_FORMAT, "%s: recording %" PRId64 ": found label %" PRId64 ", expected 0 to %d",
                         f->name, i, label, classes - 1);
    }
    f->labels[i] = (int32_t)label;
  }
  ssti_free(f->context, elements);
  return status;
}

// Takes over `file`, NULL after a failure.
static sst_status open_any(sst_context *context, const char *name, ssti_hdf5 *file, int classes, ssti_shd **out) {
  ssti_shd *f = NULL;
  sst_status status = ssti_allocate(context, 1, sizeof *f, &f);
  if (status != SST_OK) {
    ssti_hdf5_close(file);
    return status;
  }
  *f = (ssti_shd){.context = context, .file = file};
  SST_TRY_GOTO(ssti_copy_text(context, name, &f->name));
  SST_TRY_GOTO(read_labels(f, classes));
  SST_TRY_GOTO(open_list(f, "times", "spikes/times", true, &f->times));
  SST_TRY_GOTO(open_list(f, "units", "spikes/units", false, &f->units));
  *out = f;
  return SST_OK;
done:
  ssti_shd_close(f);
  return status;
}

sst_status ssti_shd_open(sst_context *context, const char *path, int classes, ssti_shd **out) {
  ssti_hdf5 *file = NULL;
  *out = NULL;
  SST_TRY(ssti_hdf5_open(context, path, &file));
  return open_any(context, path, file, classes, out);
}

sst_status ssti_shd_open_bytes(sst_context *context, const char *name, const void *data, size_t size, int classes,
                               ssti_shd **out) {
  ssti_hdf5 *file = NULL;
  *out = NULL;
  SST_TRY(ssti_hdf5_open_bytes(context, name, data, size, &file));
  return open_any(context, name, file, classes, out);
}

void ssti_shd_close(ssti_shd *file) {
  if (file == NULL) { return; }
  ssti_hdf5_close(file->file);
  ssti_free(file->context, file->times.elements);
  ssti_free(file->context, file->units.elements);
  ssti_free(file->context, file->labels);
  ssti_free(file->context, file->name);
  ssti_free(file->context, file);
}

int64_t ssti_shd_count(const ssti_shd *file) { return file->count; }

int ssti_shd_label(const ssti_shd *file, int64_t index) {
  assert(index >= 0 && index < file->count);
  return file->labels[index];
}

// ---- reading ----

static sst_status read_sequence(const ssti_shd *f, const list *l, int64_t index, ssti_hdf5_sequence *out) {
  return ssti_hdf5_sequence_read(f->file, &l->set, l->elements + (size_t)index * l->set.type.size, out);
}

static sst_status append_spikes(const ssti_shd *f, int64_t index, const ssti_hdf5_sequence *times,
                                const ssti_hdf5_sequence *units, ssti_events *events) {
  const ssti_hdf5_number *time_number = &f->times.set.type.number, *unit_number = &f->units.set.type.number;
  if (times->count != units->count) {
    SST_FAIL(f->context, SST_FORMAT, "%s: recording %" PRId64 ": found %" PRIu32 " times, but %" PRIu32 " units",
             f->name, index, times->count, units->count);
  }
  SST_TRY(ssti_events_reserve(events, times->count));
  for (uint32_t i = 0; i < times->count; i++) {
    double time = 0;
    int64_t unit = 0;
    ssti_hdf5_to_doubles(time_number, times->elements + (size_t)i * (size_t)time_number->size, 1, &time);
    ssti_hdf5_to_integers(unit_number, units->elements + (size_t)i * (size_t)unit_number->size, 1, &unit);
    if (!(time >= 0.0 && time <= MAX_SECONDS) || unit < 0 || unit >= SSTI_SHD_UNITS) {
      SST_FAIL(f->context, SST_FORMAT,
               "%s: recording %" PRId64 ": spike %" PRIu32 " is of unit %" PRId64
               " at %g s, expected units 0 to %d and times from 0 on",
               f->name, index, i, unit, time, SSTI_SHD_UNITS - 1);
    }
    SST_TRY(ssti_events_append(events, (ssti_event){(int64_t)(time * 1e6), (int16_t)unit, 0, 0}));
  }
  return ssti_events_sort(events);
}

sst_status ssti_shd_read(ssti_shd *file, int64_t index, ssti_events *events) {
  assert(index >= 0 && index < file->count);
  assert(events->width == SSTI_SHD_UNITS && events->height == 1 && events->channels == 1);
  ssti_hdf5_sequence times = {0}, units = {0};
  ssti_events_clear(events);
  sst_status status = read_sequence(file, &file->times, index, &times);
  if (status == SST_OK) { status = read_sequence(file, &file->units, index, &units); }
  if (status == SST_OK) { status = append_spikes(file, index, &times, &units, events); }
  ssti_hdf5_sequence_free(file->file, &times);
  ssti_hdf5_sequence_free(file->file, &units);
  if (status != SST_OK) { ssti_events_clear(events); }
  return status;
}
