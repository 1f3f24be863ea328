// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context_state.h"
#include "base/text.h"

// No single read or write is larger: Linux cuts them at 2 GiB anyway, and a stop or a failure shows sooner.
enum { MAX_TRANSFER = 1 << 30, FIRST_BLOCK = 1 << 16 };

struct ssti_writer {
  sst_context *context;
  char *path;
  char *temporary; // beside the target, so that the rename stays inside one file system
  int fd;
  sst_status status; // the first failure: after it the writer can only be ended
};

bool ssti_io_allowed(sst_context *context, const char *operation, const char *path) {
  if (context->io_gate == NULL || context->io_gate(context->io_gate_user, operation, path)) { return true; }
  errno = EACCES;
  return false;
}

// The sentence of a failed system call, from errno.
static sst_status fail_io(sst_context *context, const char *what, const char *path) {
  int error = errno;
  char room[128];
  const char *reason = strerror_r(error, room, sizeof room); // GNU's form: the text is the result
  sst_status status = error == ENOENT ? SST_NOT_FOUND : SST_IO;
  SST_FAIL(context, status, "%s: cannot %s: %s", path, what, reason);
}

// A file descriptor, or -1 with errno set.
static int open_file(sst_context *context, const char *path, int flags) {
  if (!ssti_io_allowed(context, "open", path)) { return -1; }
  int fd = -1;
  do { fd = open(path, flags | O_CLOEXEC, 0666); } while (fd < 0 && errno == EINTR);
  return fd;
}

// Number of bytes read, 0 at the end, -1 with errno set.
static ssize_t read_some(sst_context *context, const char *path, int fd, char *data, size_t size) {
  if (!ssti_io_allowed(context, "read", path)) { return -1; }
  ssize_t got = -1;
  do { got = read(fd, data, size > MAX_TRANSFER ? MAX_TRANSFER : size); } while (got < 0 && errno == EINTR);
  return got;
}

// All of it, or false with errno set.
static bool write_all(sst_context *context, const char *path, int fd, const char *data, size_t size) {
  while (size > 0) {
    if (!ssti_io_allowed(context, "write", path)) { return false; }
    ssize_t put = write(fd, data, size > MAX_TRANSFER ? MAX_TRANSFER : size);
    if (put < 0 && errno == EINTR) { continue; }
    if (put < 0) { return false; }
    data += put;
    size -= (size_t)put;
  }
  return true;
}

static bool flush_file(sst_context *context, const char *path, int fd) {
  return ssti_io_allowed(context, "flush", path) && fsync(fd) == 0;
}

// Reads to the end. The size that the system told is a first guess: some files have none, some grow meanwhile.
static sst_status read_rest(sst_context *context, const char *path, int fd, size_t guess, size_t limit, char **data,
                            size_t *size) {
  size_t capacity = guess + 1, length = 0;
  char *block = NULL;
  sst_status status = ssti_allocate_raw(context, capacity, 1, &block);
  while (status == SST_OK) {
    if (length + 1 >= capacity) { // one byte is kept for the zero, one read must be left to see the end
      status = ssti_grow(context, &block, &capacity, length + FIRST_BLOCK, 1);
      if (status != SST_OK) { break; }
    }
    ssize_t got = read_some(context, path, fd, block + length, capacity - 1 - length);
    if (got < 0) { status = fail_io(context, "read", path); }
    if (got <= 0) { break; }
    length += (size_t)got;
    if (limit != 0 && length > limit) {
      status = ssti_fail(context, SST_FORMAT, "%s: is larger than the %zu bytes that a file of its kind may have", path,
                         limit);
    }
  }
  if (status != SST_OK) {
    ssti_free(context, block);
    return status;
  }
  block[length] = '\0';
  *data = block;
  *size = length;
  return SST_OK;
}

sst_status ssti_file_read(sst_context *context, const char *path, size_t limit, char **data, size_t *size) {
  *data = NULL;
  *size = 0;
  int fd = open_file(context, path, O_RDONLY);
  if (fd < 0) { return fail_io(context, "open", path); }
  sst_status status = SST_OK;
  struct stat about;
  if (fstat(fd, &about) != 0) {
    status = fail_io(context, "read", path);
  } else if (S_ISDIR(about.st_mode)) {
    errno = EISDIR;
    status = fail_io(context, "read", path);
  } else if (limit != 0 && about.st_size > 0 && (uint64_t)about.st_size > limit) {
    status = ssti_fail(context, SST_FORMAT, "%s: has %jd bytes; a file of its kind has at most %zu", path,
                       (intmax_t)about.st_size, limit);
  } else {
    // One byte more than the size: the read that finds the end then needs no larger block.
    size_t guess = about.st_size > 0 ? (size_t)about.st_size + 1 : FIRST_BLOCK;
    status = read_rest(context, path, fd, guess, limit, data, size);
  }
  close(fd);
  return status;
}

// Leaves *out empty where there is nothing to map: an empty file, a pipe, or more than there are addresses.
static sst_status map_file(sst_context *context, const char *path, ssti_file_bytes *out) {
  const int fd = open_file(context, path, O_RDONLY);
  if (fd < 0) { return fail_io(context, "open", path); }
  struct stat about;
  sst_status status = SST_OK;
  if (!ssti_io_allowed(context, "read", path) || fstat(fd, &about) != 0) {
    status = fail_io(context, "read", path);
  } else if (S_ISREG(about.st_mode) && about.st_size > 0 && (uint64_t)about.st_size <= SIZE_MAX) {
    void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED) { *out = (ssti_file_bytes){data, (size_t)about.st_size, true}; }
  }
  close(fd);
  return status;
}

sst_status ssti_file_map(sst_context *context, const char *path, ssti_file_bytes *out) {
  *out = (ssti_file_bytes){0};
  SST_TRY(map_file(context, path, out));
  if (out->mapped) { return SST_OK; }
  char *data = NULL;
  const sst_status status = ssti_file_read(context, path, 0, &data, &out->size);
  out->data = data;
  return status;
}

void ssti_file_unmap(sst_context *context, ssti_file_bytes *bytes) {
  void *data = (void *)(uintptr_t)bytes->data;
  if (bytes->mapped) {
    (void)munmap(data, bytes->size);
  } else {
    ssti_free(context, data);
  }
  *bytes = (ssti_file_bytes){0};
}

static void destroy_writer(ssti_writer *writer) {
  sst_context *context = writer->context;
  if (writer->fd >= 0) { close(writer->fd); }
  ssti_free(context, writer->path);
  ssti_free(context, writer->temporary);
  ssti_free(context, writer);
}

// Removing one's own scrap is not asked of the gate: it must work after everything else was refused.
void ssti_writer_abandon(ssti_writer *writer) {
  if (writer == NULL) { return; }
  if (writer->fd >= 0) { unlink(writer->temporary); }
  destroy_writer(writer);
}

sst_status ssti_writer_open(sst_context *context, const char *path, ssti_writer **out) {
  *out = NULL;
  ssti_writer *writer = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *writer, &writer));
  writer->context = context;
  writer->fd = -1;
  sst_status status = ssti_copy_text(context, path, &writer->path);
  if (status == SST_OK) {
    ssti_text name = ssti_text_begin(context);
    ssti_text_append(&name, "%s.tmp-%jd", path, (intmax_t)getpid());
    status = name.status;
    writer->temporary = name.data;
  }
  if (status == SST_OK) {
    // A file of that name can only be the scrap of a dead process that had our number.
    unlink(writer->temporary);
    writer->fd = open_file(context, writer->temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (writer->fd < 0) { status = fail_io(context, "create", writer->temporary); }
  }
  if (status != SST_OK) {
    ssti_writer_abandon(writer);
    return status;
  }
  *out = writer;
  return SST_OK;
}

sst_status ssti_writer_write(ssti_writer *writer, const void *data, size_t size) {
  if (writer->status != SST_OK) { return writer->status; }
  if (!write_all(writer->context, writer->path, writer->fd, data, size)) {
    writer->status = fail_io(writer->context, "write", writer->path);
  }
  return writer->status;
}

// A new name is on the disk only when its folder is.
static sst_status flush_folder_of(sst_context *context, const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = NULL;
  SST_TRY(ssti_copy_text(context, slash == NULL ? "." : path, &folder));
  if (slash != NULL) { folder[slash == path ? 1 : slash - path] = '\0'; }
  sst_status status = SST_OK;
  int fd = open_file(context, folder, O_RDONLY | O_DIRECTORY);
  // Some file systems cannot flush a folder and say EINVAL; there is nothing more to do for safety there.
  if (fd < 0 || (!flush_file(context, folder, fd) && errno != EINVAL)) {
    status = fail_io(context, "flush the folder", folder);
  }
  if (fd >= 0) { close(fd); }
  ssti_free(context, folder);
  return status;
}

sst_status ssti_writer_commit(ssti_writer *writer) {
  sst_context *context = writer->context;
  sst_status status = writer->status;
  if (status == SST_OK && !flush_file(context, writer->path, writer->fd)) {
    status = fail_io(context, "flush", writer->path);
  }
  if (status == SST_OK &&
      (!ssti_io_allowed(context, "rename", writer->path) || rename(writer->temporary, writer->path) != 0)) {
    status = fail_io(context, "put the finished file in place", writer->path);
  }
  if (status != SST_OK) {
    ssti_writer_abandon(writer);
    return status;
  }
  status = flush_folder_of(context, writer->path);
  destroy_writer(writer);
  return status;
}

sst_status ssti_file_write(sst_context *context, const char *path, const void *data, size_t size) {
  ssti_writer *writer = NULL;
  SST_TRY(ssti_writer_open(context, path, &writer));
  sst_status status = ssti_writer_write(writer, data, size);
  if (status != SST_OK) {
    ssti_writer_abandon(writer);
    return status;
  }
  return ssti_writer_commit(writer);
}

sst_status ssti_file_append(sst_context *context, const char *path, const void *data, size_t size) {
  int fd = open_file(context, path, O_WRONLY | O_CREAT | O_APPEND);
  if (fd < 0) { return fail_io(context, "open", path); }
  sst_status status = SST_OK;
  struct stat before;
  bool known = fstat(fd, &before) == 0 && S_ISREG(before.st_mode);
  if (!write_all(context, path, fd, data, size)) {
    status = fail_io(context, "write", path);
    // Half a record at the end of a full disk helps nobody. If this fails too, the reader copes.
    int shortened = known ? ftruncate(fd, before.st_size) : -1;
    (void)shortened;
  } else if (!flush_file(context, path, fd)) {
    status = fail_io(context, "flush", path);
  }
  close(fd);
  return status;
}

static sst_status make_one_folder(sst_context *context, const char *path) {
  if (ssti_folder_exists(path)) { return SST_OK; }
  if (!ssti_io_allowed(context, "mkdir", path)) { return fail_io(context, "make the folder", path); }
  if (mkdir(path, 0777) == 0) { return SST_OK; }
  int error = errno;
  // Somebody else may have made it meanwhile; a file in its place is a failure.
  if (error == EEXIST && ssti_folder_exists(path)) { return SST_OK; }
  errno = error;
  return fail_io(context, "make the folder", path);
}

sst_status ssti_folder_make(sst_context *context, const char *path) {
  char *part = NULL;
  SST_TRY(ssti_copy_text(context, path, &part));
  sst_status status = SST_OK;
  for (char *c = part; *c != '\0' && status == SST_OK; c++) {
    if (*c != '/' || c == part) { continue; }
    *c = '\0';
    status = make_one_folder(context, part);
    *c = '/';
  }
  if (status == SST_OK) { status = make_one_folder(context, path); }
  ssti_free(context, part);
  return status;
}

bool ssti_file_exists(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

bool ssti_folder_exists(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

sst_status ssti_path_join(sst_context *context, const char *folder, const char *name, char **out) {
  *out = NULL;
  size_t length = strlen(folder);
  ssti_text path = ssti_text_begin(context);
  const char *between = length == 0 || folder[length - 1] == '/' ? "" : "/";
  ssti_text_append(&path, "%s%s%s", folder, between, name);
  if (path.status == SST_OK) { *out = path.data; }
  if (path.status != SST_OK) { ssti_text_free(&path); }
  return *out == NULL ? SST_OUT_OF_MEMORY : SST_OK;
}
