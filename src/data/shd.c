// SPDX-License-Identifier: Apache-2.0
// libhdf5 finds the data sets and converts numbers; the sequences themselves are read from the file's heaps here, since
// the library trusts the lengths that it finds in them.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hdf5.h"
#include "base/hdf5_heap.h"
#include "data/event_readers.h"

enum {
  MAX_RECORDINGS = 1 << 22,  // SSC, the larger of the two, has about 105,000
  MAX_HEAP_BYTES = 64 << 20, // a recording has some tens of thousands
  MAX_CHUNK_BYTES = 64 << 20,
};
static const double MAX_SECONDS = 1e6;

// One of the two lists of sequences.
typedef struct list {
  const char *name;
  hid_t set, entry; // the data set, and the type of a sequence's elements
  size_t entry_size;
  int64_t chunk; // references stored in one piece; 0: all of them
} list;

struct ssti_shd {
  sst_context *context;
  char *name;
  const uint8_t *bytes; // the file's, where it is in memory; borrowed
  int fd;               // the file, where it is not
  uint64_t size;
  hid_t file;
  list times, units;
  int64_t count;
  int32_t *labels;
};

// ---- opening ----

static sst_status fail_hdf5(const ssti_shd *f, const char *what) {
  char reason[SSTI_HDF5_REASON_SIZE];
  ssti_hdf5_reason(reason);
  SST_FAIL(f->context, SST_FORMAT, "%s: cannot read %s: %s", f->name, what, reason[0] != '\0' ? reason : "damaged");
}

// A link could lead to another file.
static bool is_here(const ssti_shd *f, const char *name) {
  H5L_info_t link;
  return H5Lexists(f->file, name, H5P_DEFAULT) > 0 && H5Lget_info(f->file, name, &link, H5P_DEFAULT) >= 0 &&
         link.type == H5L_TYPE_HARD;
}

// How the data set is stored: in this file; `packed` if through filters; *chunk elements in one piece, 0 for all.
static bool check_storage(hid_t set, int64_t *chunk, bool *packed, size_t element) {
  hid_t properties = H5Dget_create_plist(set);
  H5D_layout_t layout = H5Pget_layout(properties);
  hsize_t length = 0;
  bool fits = H5Pget_external_count(properties) == 0;
  *chunk = 0;
  *packed = H5Pget_nfilters(properties) != 0;
  if (layout == H5D_CHUNKED) {
    fits = fits && H5Pget_chunk(properties, 1, &length) == 1 && length >= 1 && length <= MAX_CHUNK_BYTES / element;
    *chunk = (int64_t)length;
  } else {
    fits = fits && layout == H5D_CONTIGUOUS;
  }
  H5Pclose(properties);
  return fits;
}

// The length of a data set with one axis; 0 for any other.
static int64_t length_of(hid_t set) {
  hid_t space = H5Dget_space(set);
  hsize_t length = 0;
  bool fits = H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &length, NULL) == 1;
  H5Sclose(space);
  return fits && length <= MAX_RECORDINGS ? (int64_t)length : 0;
}

static sst_status open_set(const ssti_shd *f, const char *name, hid_t *out) {
  if (!is_here(f, name)) { SST_FAIL(f->context, SST_FORMAT, "%s: there is no %s in it", f->name, name); }
  *out = H5Dopen2(f->file, name, H5P_DEFAULT);
  return *out >= 0 ? SST_OK : fail_hdf5(f, name);
}

static sst_status open_list(const ssti_shd *f, const char *name, H5T_class_t entries, list *out) {
  bool packed = false;
  out->name = name;
  SST_TRY(open_set(f, name, &out->set));
  hid_t type = H5Dget_type(out->set);
  if (H5Tget_class(type) == H5T_VLEN) { out->entry = H5Tget_super(type); }
  H5Tclose(type);
  bool fits = out->entry >= 0 && H5Tget_class(out->entry) == entries;
  out->entry_size = fits ? H5Tget_size(out->entry) : 0;
  fits = fits && out->entry_size >= 1 && out->entry_size <= sizeof(double) &&
         check_storage(out->set, &out->chunk, &packed, SSTI_HDF5_REFERENCE) && !packed;
  if (!fits || length_of(out->set) != f->count) {
    SST_FAIL(f->context, SST_FORMAT,
             "%s: %s is not what it should be: %" PRId64 " sequences of %s, as many as labels, unpacked in this file",
             f->name, name, f->count, entries == H5T_FLOAT ? "floats" : "integers");
  }
  return SST_OK;
}

static sst_status read_labels(ssti_shd *f, hid_t set, int classes) {
  int64_t chunk = 0;
  bool packed = false;
  hid_t type = H5Dget_type(set);
  bool fits = H5Tget_class(type) == H5T_INTEGER && check_storage(set, &chunk, &packed, sizeof(int64_t));
  H5Tclose(type);
  f->count = length_of(set);
  if (!fits || f->count == 0) {
    SST_FAIL(f->context, SST_FORMAT, "%s: labels is not what it should be: 1 to %d integers, in this file", f->name,
             MAX_RECORDINGS);
  }
  SST_TRY(ssti_allocate(f->context, (size_t)f->count, sizeof *f->labels, &f->labels));
  if (H5Dread(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, f->labels) < 0) { return fail_hdf5(f, "labels"); }
  for (int64_t i = 0; i < f->count; i++) {
    if (f->labels[i] < 0 || f->labels[i] >= classes) {
      SST_FAIL(f->context, SST_FORMAT, "%s: recording %" PRId64 ": found label %d, expected 0 to %d", f->name, i,
               (int)f->labels[i], classes - 1);
    }
  }
  return SST_OK;
}

// The lengths of addresses and the place of the first are taken as they always are in such files.
static sst_status check_addresses(const ssti_shd *f) {
  hid_t properties = H5Fget_create_plist(f->file);
  size_t addresses = 0, lengths = 0;
  hsize_t before = 1;
  bool fits = H5Pget_sizes(properties, &addresses, &lengths) >= 0 && H5Pget_userblock(properties, &before) >= 0;
  H5Pclose(properties);
  if (!fits || addresses != 8 || lengths != 8 || before != 0) {
    SST_FAIL(f->context, SST_FORMAT, "%s: has addresses of %zu bytes from byte %" PRIu64 ", expected 8 from byte 0",
             f->name, addresses, (uint64_t)before);
  }
  return SST_OK;
}

static sst_status open_lists(ssti_shd *f, int classes) {
  hid_t labels = H5I_INVALID_HID;
  SST_TRY(check_addresses(f));
  SST_TRY(open_set(f, "labels", &labels));
  sst_status status = read_labels(f, labels, classes);
  H5Dclose(labels);
  SST_TRY(status);
  if (!is_here(f, "spikes")) { SST_FAIL(f->context, SST_FORMAT, "%s: there is no spikes in it", f->name); }
  SST_TRY(open_list(f, "spikes/times", H5T_FLOAT, &f->times));
  return open_list(f, "spikes/units", H5T_INTEGER, &f->units);
}

static void close_list(list *l) {
  if (l->entry >= 0) { H5Tclose(l->entry); }
  if (l->set >= 0) { H5Dclose(l->set); }
}

static sst_status open_file(ssti_shd *f, const void *data, size_t size) {
  struct stat about;
  f->bytes = data;
  f->size = size;
  if (data != NULL) {
    f->file = ssti_hdf5_open_image(data, size);
  } else {
    f->fd = open(f->name, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &about) != 0) {
      const bool missing = errno == ENOENT;
      SST_FAIL(f->context, missing ? SST_NOT_FOUND : SST_IO, "%s: cannot open: %s", f->name, strerror(errno));
    }
    f->size = (uint64_t)about.st_size;
    f->file = H5Fopen(f->name, H5F_ACC_RDONLY, H5P_DEFAULT);
  }
  return f->file >= 0 ? SST_OK : fail_hdf5(f, "it as HDF5");
}

static sst_status open_any(sst_context *context, const char *name, const void *data, size_t size, int classes,
                           ssti_shd **out) {
  *out = NULL;
  ssti_shd *f = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *f, &f));
  const list none = {.set = H5I_INVALID_HID, .entry = H5I_INVALID_HID};
  *f = (ssti_shd){.context = context, .fd = -1, .file = H5I_INVALID_HID, .times = none, .units = none};
  sst_status status = ssti_copy_text(context, name, &f->name);
  if (status == SST_OK) {
    ssti_hdf5_guard guard = ssti_hdf5_enter();
    status = open_file(f, data, size);
    if (status == SST_OK) { status = open_lists(f, classes); }
    ssti_hdf5_leave(guard);
  }
  if (status != SST_OK) {
    ssti_shd_close(f);
    return status;
  }
  *out = f;
  return SST_OK;
}

sst_status ssti_shd_open(sst_context *context, const char *path, int classes, ssti_shd **out) {
  return open_any(context, path, NULL, 0, classes, out);
}

sst_status ssti_shd_open_bytes(sst_context *context, const char *name, const void *data, size_t size, int classes,
                               ssti_shd **out) {
  return open_any(context, name, data, size, classes, out);
}

void ssti_shd_close(ssti_shd *file) {
  if (file == NULL) { return; }
  ssti_hdf5_guard guard = ssti_hdf5_enter();
  close_list(&file->times);
  close_list(&file->units);
  if (file->file >= 0) { H5Fclose(file->file); }
  ssti_hdf5_leave(guard);
  if (file->fd >= 0) { close(file->fd); }
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

static sst_status read_bytes(const ssti_shd *f, uint64_t at, void *out, size_t size, const char *what) {
  if (at > f->size || f->size - at < size) {
    SST_FAIL(f->context, SST_FORMAT, "%s: %s should be at byte %" PRIu64 ", but the file has %" PRIu64, f->name, what,
             at, f->size);
  }
  if (f->bytes != NULL) {
    memcpy(out, f->bytes + at, size);
    return SST_OK;
  }
  for (size_t got = 0; got < size;) {
    ssize_t count = pread(f->fd, (char *)out + got, size - got, (off_t)(at + got));
    if (count < 0 && errno == EINTR) { continue; }
    if (count <= 0) {
      SST_FAIL(f->context, SST_IO, "%s: cannot read at byte %" PRIu64 ": %s", f->name, at + got,
               count < 0 ? strerror(errno) : "it has become shorter");
    }
    got += (size_t)count;
  }
  return SST_OK;
}

// Where in the file the list has its reference to sequence `index`.
static sst_status find_reference(const ssti_shd *f, const list *l, int64_t index, uint64_t *at) {
  haddr_t start = HADDR_UNDEF;
  if (l->chunk == 0) {
    start = H5Dget_offset(l->set);
  } else {
    hsize_t chunk = (hsize_t)l->chunk, place = (hsize_t)index / chunk * chunk, stored = 0;
    unsigned filters = 0;
    if (H5Dget_chunk_info_by_coord(l->set, &place, &filters, &start, &stored) < 0 ||
        stored < (hsize_t)l->chunk * SSTI_HDF5_REFERENCE) {
      start = HADDR_UNDEF;
    }
    index %= l->chunk;
  }
  if (start == HADDR_UNDEF || start > f->size) {
    SST_FAIL(f->context, SST_FORMAT, "%s: nothing is stored for recording %" PRId64 " of %s", f->name, index, l->name);
  }
  *at = start + (uint64_t)index * SSTI_HDF5_REFERENCE;
  return SST_OK;
}

// The elements of a sequence, which `heap` [size] should hold, converted to `type` of 8 bytes.
static sst_status convert(const ssti_shd *f, const list *l, ssti_hdf5_reference reference, const uint8_t *heap,
                          uint64_t size, hid_t type, void **out) {
  uint64_t held = 0;
  const uint8_t *object = ssti_hdf5_heap_find(heap, size, reference.index, &held);
  if (object == NULL || held / l->entry_size < reference.length) {
    SST_FAIL(f->context, SST_FORMAT,
             "%s: %s: the heap at byte %" PRIu64 " should hold %" PRIu32 " elements of %zu bytes, found %" PRIu64
             " bytes",
             f->name, l->name, reference.address, reference.length, l->entry_size, held);
  }
  SST_TRY(ssti_allocate(f->context, reference.length, sizeof(double), out));
  memcpy(*out, object, reference.length * l->entry_size);
  if (H5Tconvert(l->entry, type, reference.length, *out, NULL, H5P_DEFAULT) < 0) { return fail_hdf5(f, l->name); }
  return SST_OK;
}

// Sequence `index` in a block of its own; *out is NULL for an empty one.
static sst_status read_sequence(const ssti_shd *f, const list *l, int64_t index, hid_t type, void **out,
                                uint32_t *length) {
  uint8_t bytes[SSTI_HDF5_REFERENCE], head[SSTI_HDF5_HEAP_HEAD], *heap = NULL;
  uint64_t at = 0;
  SST_TRY(find_reference(f, l, index, &at));
  SST_TRY(read_bytes(f, at, bytes, sizeof bytes, l->name));
  ssti_hdf5_reference reference = ssti_hdf5_reference_decode(bytes);
  *length = reference.length;
  if (reference.length == 0) { return SST_OK; }
  SST_TRY(read_bytes(f, reference.address, head, sizeof head, "a heap"));
  uint64_t size = ssti_hdf5_heap_size(head);
  if (size < SSTI_HDF5_HEAP_HEAD || size > MAX_HEAP_BYTES || size > f->size) {
    SST_FAIL(f->context, SST_FORMAT, "%s: %s: at byte %" PRIu64 ": expected a heap of up to %d bytes", f->name, l->name,
             reference.address, MAX_HEAP_BYTES);
  }
  SST_TRY(ssti_allocate_raw(f->context, (size_t)size, 1, &heap));
  sst_status status = read_bytes(f, reference.address, heap, (size_t)size, "a heap");
  if (status == SST_OK) { status = convert(f, l, reference, heap, size, type, out); }
  ssti_free(f->context, heap);
  return status;
}

static sst_status append_spikes(const ssti_shd *f, int64_t index, const double *times, const int64_t *units,
                                size_t count, ssti_events *events) {
  SST_TRY(ssti_events_reserve(events, count));
  for (size_t i = 0; i < count; i++) {
    if (!(times[i] >= 0.0 && times[i] <= MAX_SECONDS) || units[i] < 0 || units[i] >= SSTI_SHD_UNITS) {
      SST_FAIL(f->context, SST_FORMAT,
               "%s: recording %" PRId64 ": spike %zu is of unit %" PRId64
               " at %g s, expected units 0 to %d and times from 0 on",
               f->name, index, i, units[i], times[i], SSTI_SHD_UNITS - 1);
    }
    SST_TRY(ssti_events_append(events, (ssti_event){(int64_t)(times[i] * 1e6), (int16_t)units[i], 0, 0}));
  }
  return ssti_events_sort(events);
}

sst_status ssti_shd_read(ssti_shd *file, int64_t index, ssti_events *events) {
  assert(index >= 0 && index < file->count);
  assert(events->width == SSTI_SHD_UNITS && events->height == 1 && events->channels == 1);
  void *times = NULL, *units = NULL;
  uint32_t time_count = 0, unit_count = 0;
  ssti_events_clear(events);
  ssti_hdf5_guard guard = ssti_hdf5_enter();
  sst_status status = read_sequence(file, &file->times, index, H5T_NATIVE_DOUBLE, &times, &time_count);
  if (status == SST_OK) { status = read_sequence(file, &file->units, index, H5T_NATIVE_INT64, &units, &unit_count); }
  ssti_hdf5_leave(guard);
  if (status == SST_OK && time_count != unit_count) {
    status = ssti_fail(file->context, SST_FORMAT,
                       "%s: recording %" PRId64 ": found %" PRIu32 " times, but %" PRIu32 " units", file->name, index,
                       time_count, unit_count);
  }
  // Without spikes there are no lists.
  if (status == SST_OK && times != NULL && units != NULL) {
    status = append_spikes(file, index, times, units, time_count, events);
  }
  ssti_free(file->context, times);
  ssti_free(file->context, units);
  if (status != SST_OK) { ssti_events_clear(events); }
  return status;
}
