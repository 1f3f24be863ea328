// SPDX-License-Identifier: Apache-2.0
// Downloading data sets: which files there are (download_list.c), how one comes over (download_fetch.c, libcurl),
// whether it is right (download_check.c, libcrypto), how an archive is taken apart (download_unpack.c, libarchive), and
// how these play together (download.c). A build without one of the libraries has download_absent.c instead of all of
// them.
#ifndef SPIKESTILL_DATA_DOWNLOAD_H
#define SPIKESTILL_DATA_DOWNLOAD_H

#include "base/memory.h"
#include "spikestill/data.h"

enum { SSTI_MAX_REMOTE_FILES = 4, SSTI_MAX_MIRRORS = 4, SSTI_MAX_MEMBERS = 8 };

typedef struct ssti_remote_file {
  const char *name;
  const char *checksum; // in hexadecimal: 32 digits are MD5, 64 are SHA-256
} ssti_remote_file;

// A file inside the set's archive.
typedef struct ssti_archive_member {
  const char *name; // its last part; folders inside the archive do not matter
  uint64_t bytes;   // its exact size; 0: a small text that may be missing
} ssti_archive_member;

typedef struct ssti_remote_set {
  const char *mirrors[SSTI_MAX_MIRRORS]; // addresses of the folders that hold the files, tried in turn; NULL ends
  ssti_remote_file files[SSTI_MAX_REMOTE_FILES];
  int file_count;
  // If there are members, the files are archives (tar, gzip), taken apart and removed after that.
  ssti_archive_member members[SSTI_MAX_MEMBERS];
  int member_count;
} ssti_remote_set;

// The official files of a data set; NULL if there is nothing to download.
const ssti_remote_set *ssti_remote_set_of(sst_dataset_kind kind);

// Brings the set into `folder`, which is made if need be. Files that are there and right are left alone.
sst_status ssti_download_set(sst_context *context, const ssti_remote_set *set, const char *folder, const char *base_url,
                             sst_download_progress *progress, void *user);

// How a transfer ended, where that is the server's business and not this machine's.
typedef enum ssti_fetch_outcome {
  SSTI_FETCH_DONE,
  SSTI_FETCH_CUT,     // bytes came, then the connection broke: worth going on from there
  SSTI_FETCH_REFUSED, // an HTTP error, no such host, no connection
} ssti_fetch_outcome;

typedef struct ssti_fetch {
  const char *url;
  const char *part; // path of the file that grows
  const char *name; // for `progress`
  sst_download_progress *progress;
  void *user;
  bool resumed; // out: the transfer went on from what was there
  ssti_fetch_outcome outcome;
  char reason[256]; // what the server or the library said, if the outcome is not DONE
} ssti_fetch;

// Fetches `url` into `part`, going on after what is there already. Errors: IO (this machine's files), INTERRUPTED.
sst_status ssti_download_fetch(sst_context *context, ssti_fetch *fetch);

// Whether the file has that checksum; what it has instead goes to `found`.
enum { SSTI_CHECKSUM_TEXT_SIZE = 72 };
sst_status ssti_download_check(sst_context *context, const char *path, const char *checksum, bool *right,
                               char found[SSTI_CHECKSUM_TEXT_SIZE]);

// Writes the members of the archive into the folder. Errors: FORMAT (not an archive, a member that is missing or of
// another size), IO, INTERRUPTED.
sst_status ssti_download_unpack(sst_context *context, const char *archive, const char *folder,
                                const ssti_archive_member *members, int count);

#endif
