// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hdf5/hdf5_parts.h"

enum { MESSAGE_SIZE = 512 };

// Far above what a good file takes: deflate makes at most 1032 bytes of one, and each is unpacked about once.
static const uint64_t work_of_a_byte = 2048, least_work = 1 << 24;

sst_status ssti_hdf5_fail(const ssti_hdf5 *file, const char *place, const char *format, ...) {
  char text[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  SST_FAIL(file->context, SST_FORMAT, "%s: %s%s%s", file->name, place, place[0] != '\0' ? ": " : "", text);
}

// ---- bytes

static sst_status read_whole(const ssti_hdf5 *file, uint64_t at, uint8_t *out, size_t size) {
  for (size_t got = 0; got < size;) {
    const bool allowed = ssti_io_allowed(file->context, "read", file->name);
    const ssize_t count = !allowed ? -1 : pread(file->fd, out + got, size - got, (off_t)(file->base + at + got));
    if (count < 0 && errno == EINTR) { continue; }
    if (count <= 0) {
      SST_FAIL(file->context, SST_IO, "%s: cannot read at byte %" PRIu64 ": %s", file->name, file->base + at + got,
               count < 0 ? strerror(errno) : "it has become shorter");
    }
    got += (size_t)count;
  }
  return SST_OK;
}

sst_status ssti_hdf5_load(const ssti_hdf5 *file, const char *place, uint64_t at, uint64_t size, const char *what,
                          ssti_hdf5_block *out) {
  *out = (ssti_hdf5_block){0};
  if (at == SSTI_HDF5_NOWHERE) { return ssti_hdf5_fail(file, place, "%s was never stored", what); }
  if (at > file->size || size > file->size - at) {
    return ssti_hdf5_fail(file, place,
                          "%s of %" PRIu64 " bytes should be at byte %" PRIu64 ", but the file has %" PRIu64 " bytes",
                          what, size, at, file->size);
  }
  out->size = (size_t)size;
  if (file->bytes != NULL) {
    out->bytes = file->bytes + file->base + at;
    return SST_OK;
  }
  uint8_t *copy = NULL;
  SST_TRY(ssti_allocate_raw(file->context, out->size, 1, &copy));
  out->own = copy;
  out->bytes = copy;
  return read_whole(file, at, copy, out->size);
}

void ssti_hdf5_release(const ssti_hdf5 *file, ssti_hdf5_block *block) {
  ssti_free(file->context, block->own);
  *block = (ssti_hdf5_block){0};
}

sst_status ssti_hdf5_spend(ssti_hdf5 *file, const char *place, uint64_t work) {
  if (work > file->work) {
    return ssti_hdf5_fail(file, place, "the file is damaged: it leads to the same places again and again");
  }
  file->work -= work;
  return SST_OK;
}

int ssti_hdf5_bytes_for(uint64_t most) {
  int bytes = 1;
  while (bytes < 8 && most >> (8 * bytes) != 0) { bytes++; }
  return bytes;
}

// ---- superblock

static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};

// Where the file says that it begins: what comes before is somebody else's.
static sst_status find_signature(ssti_hdf5 *file) {
  for (uint64_t at = 0; at < file->size && file->size - at >= sizeof signature; at = at > 0 ? 2 * at : 512) {
    ssti_hdf5_block block;
    sst_status status = ssti_hdf5_load(file, "", at, sizeof signature, "a signature", &block);
    const bool found = status == SST_OK && memcmp(block.bytes, signature, sizeof signature) == 0;
    ssti_hdf5_release(file, &block);
    SST_TRY(status);
    if (found) {
      file->base = at;
      file->size -= at;
      return SST_OK;
    }
  }
  return ssti_hdf5_fail(file, "", "is not an HDF5 file");
}

static sst_status parse_superblock(ssti_hdf5 *file, ssti_hdf5_cursor c) {
  ssti_hdf5_skip(&c, sizeof signature);
  const int version = (int)ssti_hdf5_take(&c, 1);
  if (version > 3) { return ssti_hdf5_fail(file, "", "has a superblock of version %d, expected 0 to 3", version); }
  if (version < 2) { ssti_hdf5_skip(&c, 4); }
  const int addresses = (int)ssti_hdf5_take(&c, 1), lengths = (int)ssti_hdf5_take(&c, 1);
  if (addresses != 8 || lengths != 8) {
    return ssti_hdf5_fail(file, "", "has addresses of %d and lengths of %d bytes, expected 8", addresses, lengths);
  }
  const int before_addresses[] = {9, 13, 1, 1};
  ssti_hdf5_skip(&c, (uint64_t)before_addresses[version]);
  ssti_hdf5_skip(&c, 16);
  const uint64_t end = ssti_hdf5_take(&c, 8);
  if (version < 2) { ssti_hdf5_skip(&c, 16); }
  file->root = ssti_hdf5_take(&c, 8);
  if (c.ended) { return ssti_hdf5_fail(file, "", "ends inside its superblock"); }
  if (end > file->base + file->size) {
    return ssti_hdf5_fail(file, "", "is cut off: it says that it has %" PRIu64 " bytes, found %" PRIu64, end,
                          file->base + file->size);
  }
  return SST_OK;
}

static sst_status read_superblock(ssti_hdf5 *file) {
  enum { LARGEST = 76 }; // up to the root's address, of version 1
  SST_TRY(find_signature(file));
  ssti_hdf5_block block;
  sst_status status =
      ssti_hdf5_load(file, "", 0, file->size < LARGEST ? file->size : LARGEST, "the superblock", &block);
  if (status == SST_OK) { status = parse_superblock(file, ssti_hdf5_cursor_begin(block.bytes, block.size)); }
  ssti_hdf5_release(file, &block);
  return status;
}

// ---- opening

static sst_status open_any(sst_context *context, const char *name, const void *data, size_t size, ssti_hdf5 **out) {
  *out = NULL;
  ssti_hdf5 *file = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *file, &file));
  *file = (ssti_hdf5){.context = context, .fd = -1, .bytes = data, .size = size};
  sst_status status = ssti_copy_text(context, name, &file->name);
  if (status == SST_OK && data == NULL) {
    struct stat about = {0};
    if (ssti_io_allowed(context, "open", name)) { file->fd = open(name, O_RDONLY | O_CLOEXEC); }
    const int why = errno;
    if (file->fd < 0 || fstat(file->fd, &about) != 0) {
      status = why == ENOENT ? SST_NOT_FOUND : SST_IO;
      ssti_fail(context, status, "%s: cannot open: %s", name, strerror(why));
    }
    file->size = (uint64_t)about.st_size;
  }
  if (status == SST_OK) {
    file->work = least_work + (file->size < UINT64_MAX >> 12 ? file->size * work_of_a_byte : UINT64_MAX >> 1);
    status = read_superblock(file);
  }
  if (status != SST_OK) {
    ssti_hdf5_close(file);
    return status;
  }
  *out = file;
  return SST_OK;
}

sst_status ssti_hdf5_open(sst_context *context, const char *path, ssti_hdf5 **out) {
  return open_any(context, path, NULL, 0, out);
}

sst_status ssti_hdf5_open_bytes(sst_context *context, const char *name, const void *data, size_t size,
                                ssti_hdf5 **out) {
  return open_any(context, name, data != NULL ? data : "", size, out);
}

void ssti_hdf5_close(ssti_hdf5 *file) {
  if (file == NULL) { return; }
  if (file->fd >= 0) { close(file->fd); }
  ssti_free(file->context, file->name);
  ssti_free(file->context, file);
}

uint64_t ssti_hdf5_root(const ssti_hdf5 *file) { return file->root; }
