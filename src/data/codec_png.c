// SPDX-License-Identifier: Apache-2.0
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/picture_codec.h"
#include "spikestill/data.h"

// What goes in or out, and libpng's sentence if it leaves.
typedef struct png_job {
  png_structp codec;
  png_infop info;
  const uint8_t *data; // being read
  size_t size, at;
  ssti_writer *writer; // being written
  sst_status status;
  char message[256];
} png_job;

static void leave(png_structp codec, png_const_charp message) {
  png_job *job = png_get_error_ptr(codec);
  snprintf(job->message, sizeof job->message, "%s", message);
  png_longjmp(codec, 1);
}

static void hear(png_structp codec, png_const_charp message) { (void)codec, (void)message; }

static void read_bytes(png_structp codec, png_bytep out, size_t count) {
  png_job *job = png_get_io_ptr(codec);
  if (count > job->size - job->at) { png_error(codec, "it ends early"); }
  memcpy(out, job->data + job->at, count);
  job->at += count;
}

static sst_status decode(sst_context *context, const char *name, ssti_picture_room *room, png_job *job) {
  png_set_read_fn(job->codec, job, read_bytes);
  png_set_user_limits(job->codec, SSTI_PICTURE_MAX_SIDE, SSTI_PICTURE_MAX_SIDE);
  png_set_chunk_malloc_max(job->codec, 1 << 24);
  png_set_chunk_cache_max(job->codec, 128);
  png_read_info(job->codec, job->info);
  const png_uint_32 width = png_get_image_width(job->codec, job->info),
                    height = png_get_image_height(job->codec, job->info);
  SST_TRY(ssti_picture_room_take(context, name, width, height, room));
  png_set_expand(job->codec);
  png_set_strip_16(job->codec);
  png_set_gray_to_rgb(job->codec);
  png_set_strip_alpha(job->codec);
  const int passes = png_set_interlace_handling(job->codec);
  png_read_update_info(job->codec, job->info);
  if (png_get_rowbytes(job->codec, job->info) != (size_t)width * 3) { png_error(job->codec, "its rows are no RGB"); }
  for (int pass = 0; pass < passes; pass++) {
    for (png_uint_32 y = 0; y < height; y++) { png_read_row(job->codec, room->pixels + (size_t)y * width * 3, NULL); }
  }
  png_read_end(job->codec, NULL);
  return SST_OK;
}

sst_status ssti_png_decode(sst_context *context, const char *name, const uint8_t *data, size_t size,
                           ssti_picture_room *room) {
  png_job *job = NULL; // on the heap: what changes after setjmp stays as it is after longjmp
  SST_TRY(ssti_allocate(context, 1, sizeof *job, &job));
  job->data = data;
  job->size = size;
  job->codec = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, leave, hear);
  if (job->codec != NULL) { job->info = png_create_info_struct(job->codec); }
  sst_status status;
  if (job->info == NULL) {
    status = ssti_fail(context, SST_OUT_OF_MEMORY, "%s: libpng could not begin", name);
  } else if (setjmp(png_jmpbuf(job->codec)) == 0) {
    status = decode(context, name, room, job);
  } else {
    status = ssti_fail(context, SST_FORMAT, "%s: is not a whole PNG picture: %s (near byte %zu)", name, job->message,
                       job->at);
  }
  png_destroy_read_struct(&job->codec, &job->info, NULL);
  ssti_free(context, job);
  return status;
}

static void write_bytes(png_structp codec, png_bytep bytes, size_t count) {
  png_job *job = png_get_io_ptr(codec);
  job->status = ssti_writer_write(job->writer, bytes, count);
  if (job->status != SST_OK) { png_error(codec, "writing failed"); }
}

static void flush_bytes(png_structp codec) { (void)codec; }

sst_status sst_picture_write(sst_context *context, const char *path, int64_t width, int64_t height,
                             const uint8_t *rgb) {
  if (width < 1 || height < 1 || width > SSTI_PICTURE_MAX_SIDE || height > SSTI_PICTURE_MAX_SIDE) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: a picture of %lld x %lld is asked for, expected sides of 1 to %d",
             path, (long long)width, (long long)height, SSTI_PICTURE_MAX_SIDE);
  }
  png_job *job = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *job, &job));
  sst_status status = ssti_writer_open(context, path, &job->writer);
  if (status != SST_OK) {
    ssti_free(context, job);
    return status;
  }
  job->codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, job, leave, hear);
  if (job->codec != NULL) { job->info = png_create_info_struct(job->codec); }
  if (job->info == NULL) {
    status = ssti_fail(context, SST_OUT_OF_MEMORY, "%s: libpng could not begin", path);
  } else if (setjmp(png_jmpbuf(job->codec)) == 0) {
    png_set_write_fn(job->codec, job, write_bytes, flush_bytes);
    png_set_IHDR(job->codec, job->info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->codec, job->info);
    for (int64_t y = 0; y < height; y++) { png_write_row(job->codec, rgb + y * width * 3); }
    png_write_end(job->codec, NULL);
    status = SST_OK;
  } else {
    status = job->status != SST_OK ? job->status : ssti_fail(context, SST_IO, "%s: %s", path, job->message);
  }
  png_destroy_write_struct(&job->codec, &job->info);
  if (status == SST_OK) {
    status = ssti_writer_commit(job->writer);
  } else {
    ssti_writer_abandon(job->writer);
  }
  ssti_free(context, job);
  return status;
}
