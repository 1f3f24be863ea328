// SPDX-License-Identifier: Apache-2.0
// One transfer, by libcurl.
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "data/download.h"

#define MAX_BYTES ((uint64_t)1 << 30) // no file of these data sets is near this size
enum { CONNECT_SECONDS = 20, SLOW_BYTES_A_SECOND = 100, SLOW_SECONDS = 30, MAX_REDIRECTS = 8 };

typedef struct transfer {
  sst_context *context;
  ssti_fetch *fetch;
  CURL *curl;
  int fd;
  uint64_t before, length; // bytes of the file before the transfer, and now
  bool begun;              // the first bytes are here
  sst_status status;       // this machine's own failure
} transfer;

static bool refuse(transfer *t, const char *what) {
  t->status = ssti_fail(t->context, SST_IO, "%s: cannot be %s: %s", t->fetch->part, what, strerror(errno));
  return false;
}

// A server may answer a request for the rest with the whole.
static bool begin_content(transfer *t) {
  long code = 0;
  t->begun = true;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
  t->fetch->resumed = t->before > 0 && code == 206;
  if (t->before > 0 && !t->fetch->resumed) {
    if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0) { return refuse(t, "emptied"); }
    t->before = t->length = 0;
  }
  return true;
}

// libcurl's callbacks: a result other than `size * count`, or than 0, ends the transfer.
static size_t take(char *data, size_t size, size_t count, void *user) {
  transfer *t = user;
  size_t bytes = size * count, done = 0;
  if (!t->begun && !begin_content(t)) { return 0; }
  if (t->length + bytes > MAX_BYTES) {
    t->status = ssti_fail(t->context, SST_FORMAT, "%s: is larger than %" PRIu64 " bytes, expected less", t->fetch->url,
                          MAX_BYTES);
    return 0;
  }
  while (done < bytes) {
    ssize_t put = -1;
    if (ssti_io_allowed(t->context, "write", t->fetch->part)) { put = write(t->fd, data + done, bytes - done); }
    if (put < 0 && errno == EINTR) { continue; }
    if (put < 0) { return refuse(t, "written"), 0; }
    done += (size_t)put;
  }
  t->length += bytes;
  return bytes;
}

static int tell(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
  transfer *t = user;
  (void)now, (void)up_total, (void)up_now;
  if (sst_context_stop_requested(t->context)) {
    t->status = ssti_fail(t->context, SST_INTERRUPTED,
                          "%s: stopped after %" PRIu64 " bytes, which are kept; the same command goes on",
                          t->fetch->name, t->length);
    return 1;
  }
  if (t->fetch->progress != NULL && t->begun) {
    t->fetch->progress(t->fetch->user, t->fetch->name, t->length, total > 0 ? t->before + (uint64_t)total : 0);
  }
  return 0;
}

static void set_options(transfer *t, char range[32], char *error) {
  CURL *curl = t->curl;
  curl_easy_setopt(curl, CURLOPT_URL, t->fetch->url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_A_SECOND);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "spikestill");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tell);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (t->before > 0) {
    snprintf(range, 32, "%" PRIu64 "-", t->before);
    curl_easy_setopt(curl, CURLOPT_RANGE, range);
  }
}

static void perform(transfer *t) {
  char error[CURL_ERROR_SIZE] = "", range[32];
  set_options(t, range, error);
  CURLcode code = curl_easy_perform(t->curl);
  ssti_fetch *fetch = t->fetch;
  if (t->status != SST_OK) { return; }
  if (code == CURLE_OK) {
    fetch->outcome = SSTI_FETCH_DONE;
    // An empty file comes without a call of `take`; what was there before is then not its beginning.
    if (!t->begun && t->before > 0 && ftruncate(t->fd, 0) != 0) { refuse(t, "emptied"); }
    return;
  }
  fetch->outcome = t->length > t->before ? SSTI_FETCH_CUT : SSTI_FETCH_REFUSED;
  long response = 0;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &response);
  if (response == 416 && t->before > 0) { // what is there is longer than the file: it is not its beginning
    fetch->outcome = SSTI_FETCH_CUT;
    if (ftruncate(t->fd, 0) != 0) { refuse(t, "emptied"); }
  }
  snprintf(fetch->reason, sizeof fetch->reason, "%s", error[0] != '\0' ? error : curl_easy_strerror(code));
}

// Opened for one process at a time: two that write the same file would spoil it.
static sst_status open_part(transfer *t) {
  const char *part = t->fetch->part;
  if (ssti_io_allowed(t->context, "open", part)) { t->fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); }
  if (t->fd < 0) { return refuse(t, "opened"), t->status; }
  if (flock(t->fd, LOCK_EX | LOCK_NB) != 0) {
    SST_FAIL(t->context, SST_IO, "%s: another process is downloading into it", part);
  }
  off_t end = lseek(t->fd, 0, SEEK_END);
  if (end < 0) { return refuse(t, "read"), t->status; }
  t->before = t->length = (uint64_t)end;
  return SST_OK;
}

sst_status ssti_download_fetch(sst_context *context, ssti_fetch *fetch) {
  transfer t = {.context = context, .fetch = fetch, .fd = -1, .status = SST_OK};
  fetch->resumed = false;
  fetch->reason[0] = '\0';
  fetch->outcome = SSTI_FETCH_REFUSED;
  sst_status status = open_part(&t);
  if (status == SST_OK) {
    t.curl = curl_easy_init();
    if (t.curl == NULL) {
      status = ssti_fail(context, SST_OUT_OF_MEMORY, "%s: no memory for the transfer", fetch->url);
    } else {
      perform(&t);
      status = t.status;
      curl_easy_cleanup(t.curl);
    }
  }
  if (t.fd >= 0) {
    if (status == SST_OK && fetch->outcome == SSTI_FETCH_DONE &&
        !(ssti_io_allowed(context, "flush", fetch->part) && fsync(t.fd) == 0)) {
      refuse(&t, "flushed");
      status = t.status;
    }
    close(t.fd);
  }
  return status;
}
