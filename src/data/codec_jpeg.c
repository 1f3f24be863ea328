// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdio.h>
// libjpeg's header wants the above.
#include <jerror.h>
#include <jpeglib.h>

#include "data/picture_codec.h"

// libjpeg leaves through `leave` with its sentence in `message`.
typedef struct jpeg_errors {
  struct jpeg_error_mgr base;
  jmp_buf leave;
  char message[JMSG_LENGTH_MAX];
} jpeg_errors;

static void leave(j_common_ptr codec) {
  jpeg_errors *errors = (jpeg_errors *)(void *)codec->err;
  codec->err->format_message(codec, errors->message);
  longjmp(errors->leave, 1);
}

// Warnings about pixels mean a damaged picture; libjpeg would fill in grey and go on.
static void hear(j_common_ptr codec, int level) {
  if (level >= 0) { return; }
  switch (codec->err->msg_code) {
  case JWRN_EXTRANEOUS_DATA: // padding between segments
  case JWRN_ADOBE_XFORM:
  case JWRN_JFIF_MAJOR: return;
  default: leave(codec);
  }
}

// The largest of 1, 2, 4, 8 by which the picture may shrink and still be as large as wanted.
static unsigned int shrink_by(const struct jpeg_decompress_struct *codec, int least_width, int least_height) {
  unsigned int by = 8;
  while (by > 1 && (codec->image_width / by < (unsigned int)least_width ||
                    codec->image_height / by < (unsigned int)least_height)) {
    by /= 2;
  }
  return by;
}

// In place, from the end of the room's row of four bytes a pixel. Adobe's files hold ink as 255 - amount.
static void cmyk_row(const uint8_t *row, int width, bool inverted, uint8_t *out) {
  for (int x = 0; x < width; x++) {
    const int key = inverted ? row[4 * x + 3] : 255 - row[4 * x + 3];
    for (int c = 0; c < 3; c++) {
      const int ink = inverted ? row[4 * x + c] : 255 - row[4 * x + c];
      out[3 * x + c] = (uint8_t)((ink * key + 127) / 255);
    }
  }
}

typedef struct jpeg_job {
  struct jpeg_decompress_struct codec;
  jpeg_errors errors;
  uint8_t *row; // of a CMYK picture
} jpeg_job;

static sst_status decode(sst_context *context, const char *name, const uint8_t *data, size_t size, int least_width,
                         int least_height, ssti_picture_room *room, jpeg_job *job) {
  struct jpeg_decompress_struct *codec = &job->codec;
  jpeg_mem_src(codec, data, (unsigned long)size);
  jpeg_read_header(codec, TRUE);
  codec->scale_num = 1;
  codec->scale_denom = shrink_by(codec, least_width, least_height);
  const bool cmyk = codec->jpeg_color_space == JCS_CMYK || codec->jpeg_color_space == JCS_YCCK;
  codec->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_calc_output_dimensions(codec);
  // The whole picture counts, since a progressive one is held at full size inside.
  SST_TRY(ssti_picture_room_take(context, name, codec->image_width, codec->image_height, room));
  room->width = (int)codec->output_width;
  room->height = (int)codec->output_height;
  if (cmyk) { SST_TRY(ssti_allocate_raw(context, (size_t)room->width, 4, &job->row)); }
  jpeg_start_decompress(codec);
  while (codec->output_scanline < codec->output_height) {
    uint8_t *to = room->pixels + (size_t)codec->output_scanline * (size_t)room->width * 3;
    JSAMPROW rows[1] = {cmyk ? job->row : to};
    jpeg_read_scanlines(codec, rows, 1);
    if (cmyk) { cmyk_row(job->row, room->width, codec->saw_Adobe_marker, to); }
  }
  jpeg_finish_decompress(codec);
  return SST_OK;
}

sst_status ssti_jpeg_decode(sst_context *context, const char *name, const uint8_t *data, size_t size, int least_width,
                            int least_height, ssti_picture_room *room) {
  jpeg_job *job = NULL; // on the heap: what changes after setjmp stays as it is after longjmp
  SST_TRY(ssti_allocate(context, 1, sizeof *job, &job));
  job->codec.err = jpeg_std_error(&job->errors.base);
  job->errors.base.error_exit = leave;
  job->errors.base.emit_message = hear;
  sst_status status;
  if (setjmp(job->errors.leave) == 0) {
    jpeg_create_decompress(&job->codec);
    status = decode(context, name, data, size, least_width, least_height, room, job);
  } else {
    status = ssti_fail(context, SST_FORMAT, "%s: is not a whole JPEG picture: %s", name, job->errors.message);
  }
  jpeg_destroy_decompress(&job->codec);
  ssti_free(context, job->row);
  ssti_free(context, job);
  return status;
}
