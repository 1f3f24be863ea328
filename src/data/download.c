// SPDX-License-Identifier: Apache-2.0
// Downloads: mirrors in turn, going on after a cut, checksums, and names that appear only when what they name is right.
// download_absent.c is the twin for builds without the libraries.
#include "data/download.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "data/dataset.h"

enum { MAX_ATTEMPTS = 5 }; // on one mirror, each of which must have brought something

// One file on its way.
typedef struct errand {
  sst_context *context;
  const ssti_remote_file *file;
  char *path, *part;
  ssti_text complaints; // which address said what
  bool spoilt;          // some address gave a file with a wrong checksum
  sst_download_progress *progress;
  void *user;
} errand;

static void complain(errand *e, const char *url, const char *what) {
  ssti_text_append(&e->complaints, "%s%s: %s", e->complaints.length > 0 ? "; " : "", url, what);
}

static sst_status put_in_place(errand *e) {
  if (!ssti_io_allowed(e->context, "rename", e->path) || rename(e->part, e->path) != 0) {
    SST_FAIL(e->context, SST_IO, "%s: cannot be renamed to %s: %s", e->part, e->path, strerror(errno));
  }
  return SST_OK;
}

// Tries one address until it has brought the file or nothing more comes. *done says which.
static sst_status try_mirror(errand *e, const char *url, bool *done) {
  *done = false;
  for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    ssti_fetch fetch = {.url = url, .part = e->part, .name = e->file->name, .progress = e->progress, .user = e->user};
    SST_TRY(ssti_download_fetch(e->context, &fetch));
    if (fetch.outcome == SSTI_FETCH_CUT && attempt + 1 < MAX_ATTEMPTS) {
      ssti_log(e->context, SST_LOG_INFO, "%s: %s; going on", url, fetch.reason);
      continue;
    }
    if (fetch.outcome != SSTI_FETCH_DONE) {
      complain(e, url, fetch.reason);
      return e->complaints.status;
    }
    char found[SSTI_CHECKSUM_TEXT_SIZE], what[256];
    SST_TRY(ssti_download_check(e->context, e->part, e->file->checksum, done, found));
    if (*done) { return put_in_place(e); }
    unlink(e->part);                 // of no use, and in the way of the next attempt
    if (fetch.resumed) { continue; } // what was there before may be to blame: once more from the start
    e->spoilt = true;
    snprintf(what, sizeof what, "gave a file with checksum %s, expected %s", found, e->file->checksum);
    complain(e, url, what);
    return e->complaints.status;
  }
  return SST_OK;
}

// What is there from before may be complete already: the file itself, or its part.
static sst_status already_there(errand *e, bool *done) {
  char found[SSTI_CHECKSUM_TEXT_SIZE];
  *done = false;
  if (ssti_file_exists(e->path)) {
    SST_TRY(ssti_download_check(e->context, e->path, e->file->checksum, done, found));
    if (*done) { return SST_OK; }
    ssti_log(e->context, SST_LOG_WARNING, "%s: its checksum is %s, expected %s; it will be replaced", e->path, found,
             e->file->checksum);
  }
  if (ssti_file_exists(e->part)) {
    SST_TRY(ssti_download_check(e->context, e->part, e->file->checksum, done, found));
    if (*done) { return put_in_place(e); }
  }
  return SST_OK;
}

static sst_status bring(errand *e, const ssti_remote_set *set, const char *base_url) {
  bool done = false;
  SST_TRY(already_there(e, &done));
  for (int i = 0; !done && i < (base_url != NULL ? 1 : SSTI_MAX_MIRRORS); i++) {
    const char *mirror = base_url != NULL ? base_url : set->mirrors[i];
    if (mirror == NULL) { break; }
    size_t length = strlen(mirror);
    ssti_text url = ssti_text_begin(e->context);
    ssti_text_append(&url, "%s%s%s", mirror, length > 0 && mirror[length - 1] == '/' ? "" : "/", e->file->name);
    sst_status status = url.status == SST_OK ? try_mirror(e, url.data, &done) : url.status;
    ssti_text_free(&url);
    SST_TRY(status);
  }
  if (done) { return SST_OK; }
  SST_FAIL(e->context, e->spoilt ? SST_FORMAT : SST_IO, "%s: could not be downloaded: %s", e->file->name,
           e->complaints.length > 0 ? e->complaints.data : "the connection broke again and again");
}

static sst_status get_file(sst_context *context, const ssti_remote_set *set, const ssti_remote_file *file,
                           const char *folder, const char *base_url, sst_download_progress *progress, void *user,
                           char **path) {
  errand e = {.context = context, .file = file, .progress = progress, .user = user};
  e.complaints = ssti_text_begin(context);
  ssti_text part = ssti_text_begin(context);
  sst_status status = ssti_path_join(context, folder, file->name, &e.path);
  if (status == SST_OK) {
    ssti_text_append(&part, "%s.part", e.path);
    status = part.status;
    e.part = part.data;
  }
  if (status == SST_OK) { status = bring(&e, set, base_url); }
  ssti_text_free(&part);
  ssti_text_free(&e.complaints);
  if (status == SST_OK) {
    *path = e.path;
  } else {
    ssti_free(context, e.path);
  }
  return status;
}

// Whether everything that would come out of the archive is there, in its full size.
static sst_status members_there(sst_context *context, const ssti_remote_set *set, const char *folder, bool *there) {
  *there = set->member_count > 0;
  for (int i = 0; *there && i < set->member_count; i++) {
    if (set->members[i].bytes == 0) { continue; }
    char *path = NULL;
    struct stat about;
    SST_TRY(ssti_path_join(context, folder, set->members[i].name, &path));
    *there = stat(path, &about) == 0 && S_ISREG(about.st_mode) && (uint64_t)about.st_size == set->members[i].bytes;
    ssti_free(context, path);
  }
  return SST_OK;
}

sst_status ssti_download_set(sst_context *context, const ssti_remote_set *set, const char *folder, const char *base_url,
                             sst_download_progress *progress, void *user) {
  bool there = false;
  SST_TRY(ssti_folder_make(context, folder));
  SST_TRY(members_there(context, set, folder, &there));
  for (int i = 0; !there && i < set->file_count; i++) {
    char *path = NULL;
    SST_TRY(get_file(context, set, &set->files[i], folder, base_url, progress, user, &path));
    sst_status status = SST_OK;
    if (set->member_count > 0) {
      status = ssti_download_unpack(context, path, folder, set->members, set->member_count);
      if (status == SST_OK) { unlink(path); }
    }
    ssti_free(context, path);
    SST_TRY(status);
  }
  return SST_OK;
}

sst_status sst_dataset_download(sst_context *context, sst_dataset_kind kind, const char *root, const char *base_url,
                                sst_download_progress *progress, void *user) {
  const ssti_remote_set *set = ssti_remote_set_of(kind);
  if (set == NULL) { SST_FAIL(context, SST_UNSUPPORTED, "%s: there is nothing to download", sst_dataset_word(kind)); }
  char *folder = NULL;
  SST_TRY(ssti_path_join(context, ssti_data_root(root), sst_dataset_word(kind), &folder));
  sst_status status = ssti_download_set(context, set, folder, base_url, progress, user);
  ssti_free(context, folder);
  return status;
}
