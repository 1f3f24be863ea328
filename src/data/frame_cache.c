// SPDX-License-Identifier: Apache-2.0
// A file: the head, the key's text up to a multiple of 8 bytes, labels [count], counts [count,T,H,W,C]. Its name is a
// hash of the text, so that settings that are tried in turn keep a file each; the text decides.
#include "data/frame_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/random.h"
#include "spikestill/version.h"

enum { MAX_SIDE = 1 << 16, ALIGNMENT = 8 };

// Read as a number, so that a machine of the other byte order finds no file of its own.
static const uint64_t MAGIC = UINT64_C(0x0132534d52465353);

typedef struct head {
  uint64_t magic, key_bytes;
  int64_t count, timesteps, height, width, channels;
  uint64_t checksum; // of the head with 0 here, and of labels and counts
} head;

ssti_text ssti_frame_cache_key(sst_context *context, const char *what, const sst_framing *framing) {
  ssti_text key = ssti_text_begin(context);
  ssti_text_append(&key, "spikestill %s\n%s\n%s %" PRId64 " frames, %" PRId64 " us, %" PRId64 " events\n",
                   sst_version(), what, sst_framing_word(framing->mode), framing->frames, framing->window_us,
                   framing->count);
  return key;
}

void ssti_frame_cache_key_add_file(ssti_text *key, const char *path) {
  struct stat about;
  if (stat(path, &about) != 0) {
    ssti_text_append(key, "%s: missing\n", path);
    return;
  }
  ssti_text_append(key, "%s: %" PRId64 " bytes, %" PRId64 ".%09ld\n", path, (int64_t)about.st_size,
                   (int64_t)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

sst_status ssti_frame_cache_folder(sst_context *context, char **out) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  *out = NULL;
  // The rule of the XDG directories: a path that is not absolute is as good as none.
  if (cache != NULL && cache[0] == '/') { return ssti_path_join(context, cache, "spikestill", out); }
  if (home != NULL && home[0] != '\0') { return ssti_path_join(context, home, ".cache/spikestill", out); }
  SST_FAIL(context, SST_NOT_FOUND, "there is no folder for framed recordings: neither XDG_CACHE_HOME nor HOME is set");
}

// ---- the frames in memory ----

// Bytes of the labels, up to where the counts may begin, and of the counts; false for sizes that cannot be.
static bool measure(const ssti_framed *framed, size_t *labels, size_t *counts) {
  const int64_t sizes[] = {framed->timesteps, framed->height, framed->width, framed->channels};
  if (framed->count < 1 || framed->count > INT32_MAX) { return false; }
  *labels = ((size_t)framed->count * sizeof(int32_t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  *counts = (size_t)framed->count;
  for (int i = 0; i < 4; i++) {
    if (sizes[i] < 1 || sizes[i] > MAX_SIDE || *counts > SIZE_MAX / 2 / (size_t)sizes[i]) { return false; }
    *counts *= (size_t)sizes[i];
  }
  return *counts <= SIZE_MAX / 2 - *labels;
}

sst_status ssti_framed_allocate(sst_context *context, ssti_framed *framed) {
  size_t labels = 0, counts = 0;
  framed->block = NULL;
  if (!measure(framed, &labels, &counts)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "frames: cannot hold %" PRId64 " recordings of [%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
             framed->count, framed->timesteps, framed->height, framed->width, framed->channels);
  }
  SST_TRY(ssti_allocate(context, labels + counts, 1, &framed->block));
  framed->labels = framed->block;
  framed->counts = (uint8_t *)framed->block + labels;
  return SST_OK;
}

void ssti_framed_free(sst_context *context, ssti_framed *framed) {
  ssti_free(context, framed->block);
  ssti_file_unmap(context, &framed->file);
  *framed = (ssti_framed){0};
}

// ---- the file ----

static sst_status cache_path(sst_context *context, const char *folder, const ssti_text *key, char **out) {
  char name[32];
  SST_TRY(key->status);
  snprintf(name, sizeof name, "%016" PRIx64 ".frames", ssti_random_stream(key->data));
  return ssti_path_join(context, folder, name, out);
}

static size_t padded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

// Four sums that do not wait for each other. Each word goes into one of them by steps that can be undone, so whatever
// is changed within one sum's words is seen for certain. 47 MB take 3 ms; CRC-32 takes ten times as long.
enum { SUMS = 4 };

static uint64_t mix_in(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return sum << 29 | sum >> 35;
}

static void mix_words(uint64_t sums[SUMS], const char *bytes) {
  uint64_t words[SUMS];
  memcpy(words, bytes, sizeof words);
  for (int i = 0; i < SUMS; i++) { sums[i] = mix_in(sums[i], words[i]); }
}

static uint64_t checksum_of(head h, const void *data, size_t size) {
  const char *bytes = data;
  const size_t step = SUMS * sizeof(uint64_t);
  uint64_t sums[SUMS] = {0}, total = 0;
  char start[sizeof h], rest[SUMS * sizeof(uint64_t)] = {0};
  h.checksum = 0;
  memcpy(start, &h, sizeof h);
  for (size_t at = 0; at < sizeof h; at += step) { mix_words(sums, start + at); }
  for (size_t at = 0; at < size / step * step; at += step) { mix_words(sums, bytes + at); }
  memcpy(rest, bytes + size / step * step, size % step); // how long it is stands in the head
  mix_words(sums, rest);
  for (int i = 0; i < SUMS; i++) { total = mix_in(total, sums[i]); }
  return total;
}

_Static_assert(sizeof(head) % (SUMS * sizeof(uint64_t)) == 0, "the head is mixed in by whole steps");

// Takes the file's bytes over if they are a cache for that key; says what is wrong with them otherwise.
static const char *take_over(const ssti_file_bytes *file, const ssti_text *key, ssti_framed *framed) {
  const char *data = file->data;
  const size_t size = file->size;
  head h;
  size_t labels = 0, counts = 0, start = sizeof h + padded(key->length);
  if (size < sizeof h) { return "it is too short"; }
  memcpy(&h, data, sizeof h);
  if (h.magic != MAGIC) { return "it is of another kind"; }
  if (h.key_bytes != key->length || size < start || memcmp(data + sizeof h, key->data, key->length) != 0) {
    return "it was made from other files or settings";
  }
  ssti_framed found = {.count = h.count,
                       .timesteps = h.timesteps,
                       .height = h.height,
                       .width = h.width,
                       .channels = h.channels,
                       .file = *file};
  if (!measure(&found, &labels, &counts) || size - start != labels + counts) { return "its size is wrong"; }
  if (h.checksum != checksum_of(h, data + start, labels + counts)) { return "its checksum is wrong"; }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): frames are not written to once they are there
  char *frames = (char *)(uintptr_t)(data + start);
  found.labels = (void *)frames; // aligned: the head and the padded key are multiples of 8 bytes
  found.counts = (uint8_t *)frames + labels;
  *framed = found;
  return NULL;
}

sst_status ssti_frame_cache_load(sst_context *context, const char *folder, const ssti_text *key, ssti_framed *framed,
                                 bool *found) {
  char *path = NULL;
  *framed = (ssti_framed){0};
  *found = false;
  SST_TRY(cache_path(context, folder, key, &path));
  sst_status status = SST_OK;
  if (ssti_file_exists(path)) {
    ssti_file_bytes file = {0};
    status = ssti_file_map(context, path, &file);
    const char *wrong = status == SST_OK ? take_over(&file, key, framed) : sst_context_message(context);
    *found = wrong == NULL;
    if (wrong != NULL) {
      ssti_log(context, SST_LOG_WARNING, "%s: not used: %s", path, wrong);
      ssti_file_unmap(context, &file);
    }
  }
  ssti_free(context, path);
  return status == SST_OUT_OF_MEMORY ? status : SST_OK;
}

static sst_status write_cache(ssti_writer *writer, const ssti_text *key, const ssti_framed *framed) {
  static const char zeros[ALIGNMENT] = {0};
  size_t labels = 0, counts = 0;
  bool fits = measure(framed, &labels, &counts);
  assert(fits);
  (void)fits;
  head h = {MAGIC, key->length, framed->count, framed->timesteps, framed->height, framed->width, framed->channels, 0};
  h.checksum = checksum_of(h, framed->block, labels + counts);
  SST_TRY(ssti_writer_write(writer, &h, sizeof h));
  SST_TRY(ssti_writer_write(writer, key->data, key->length));
  SST_TRY(ssti_writer_write(writer, zeros, padded(key->length) - key->length));
  return ssti_writer_write(writer, framed->block, labels + counts);
}

sst_status ssti_frame_cache_store(sst_context *context, const char *folder, const ssti_text *key,
                                  const ssti_framed *framed) {
  char *path = NULL;
  ssti_writer *writer = NULL;
  SST_TRY(cache_path(context, folder, key, &path));
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_folder_make(context, folder));
  SST_TRY_GOTO(ssti_writer_open(context, path, &writer));
  status = write_cache(writer, key, framed);
  if (status == SST_OK) {
    status = ssti_writer_commit(writer);
  } else {
    ssti_writer_abandon(writer);
  }
done:
  ssti_free(context, path);
  return status;
}
