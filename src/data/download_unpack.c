// SPDX-License-Identifier: Apache-2.0
// Taking archives apart, by libarchive. Only members that are expected come out, under their own names in one folder,
// so that an archive cannot put anything anywhere else.
#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "data/download.h"

enum { BLOCK = 1 << 16, MAX_TEXT_BYTES = 1 << 20 };

// What `unpack` works on.
typedef struct unpacking {
  sst_context *context;
  struct archive *archive;
  const char *path, *folder;
  uint8_t *block;
} unpacking;

static sst_status fail_archive(const unpacking *u) {
  const char *reason = archive_error_string(u->archive);
  SST_FAIL(u->context, SST_FORMAT, "%s: cannot be unpacked: %s", u->path, reason != NULL ? reason : "damaged");
}

static sst_status copy_data(const unpacking *u, ssti_writer *writer) {
  for (;;) {
    if (sst_context_stop_requested(u->context)) {
      SST_FAIL(u->context, SST_INTERRUPTED, "%s: stopped while it was unpacked; the same command goes on", u->path);
    }
    la_ssize_t got = archive_read_data(u->archive, u->block, BLOCK);
    if (got < 0) { return fail_archive(u); }
    if (got == 0) { return SST_OK; }
    SST_TRY(ssti_writer_write(writer, u->block, (size_t)got));
  }
}

static sst_status write_member(const unpacking *u, const ssti_archive_member *member, struct archive_entry *entry) {
  int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : -1;
  bool fits = member->bytes > 0 ? size == (int64_t)member->bytes : size >= 0 && size <= MAX_TEXT_BYTES;
  if (archive_entry_filetype(entry) != AE_IFREG || !fits) {
    SST_FAIL(u->context, SST_FORMAT, "%s: found %s of %" PRId64 " bytes, expected a file of %" PRIu64, u->path,
             member->name, size, member->bytes > 0 ? member->bytes : (uint64_t)MAX_TEXT_BYTES);
  }
  char *path = NULL;
  ssti_writer *writer = NULL;
  SST_TRY(ssti_path_join(u->context, u->folder, member->name, &path));
  sst_status status = ssti_writer_open(u->context, path, &writer);
  if (status == SST_OK) {
    status = copy_data(u, writer);
    if (status == SST_OK) {
      status = ssti_writer_commit(writer);
    } else {
      ssti_writer_abandon(writer);
    }
  }
  ssti_free(u->context, path);
  return status;
}

static sst_status unpack(const unpacking *u, const ssti_archive_member *members, int count) {
  unsigned found = 0;
  struct archive_entry *entry = NULL;
  int result = ARCHIVE_OK;
  while ((result = archive_read_next_header(u->archive, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN) {
    const char *full = archive_entry_pathname(entry), *slash = full != NULL ? strrchr(full, '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : full;
    for (int i = 0; name != NULL && i < count; i++) {
      if (strcmp(name, members[i].name) == 0) {
        SST_TRY(write_member(u, &members[i], entry));
        found |= 1u << i;
      }
    }
  }
  if (result != ARCHIVE_EOF) { return fail_archive(u); }
  for (int i = 0; i < count; i++) {
    if (members[i].bytes > 0 && (found & 1u << i) == 0) {
      SST_FAIL(u->context, SST_FORMAT, "%s: has no %s", u->path, members[i].name);
    }
  }
  return SST_OK;
}

sst_status ssti_download_unpack(sst_context *context, const char *archive, const char *folder,
                                const ssti_archive_member *members, int count) {
  unpacking u = {context, archive_read_new(), archive, folder, NULL};
  if (u.archive == NULL) { SST_FAIL(context, SST_OUT_OF_MEMORY, "%s: no memory to unpack it", archive); }
  sst_status status = ssti_allocate_raw(context, BLOCK, 1, &u.block);
  if (status == SST_OK) {
    archive_read_support_filter_gzip(u.archive);
    archive_read_support_format_tar(u.archive);
    status = archive_read_open_filename(u.archive, archive, BLOCK) == ARCHIVE_OK ? unpack(&u, members, count)
                                                                                 : fail_archive(&u);
  }
  archive_read_free(u.archive);
  ssti_free(context, u.block);
  return status;
}
