// SPDX-License-Identifier: Apache-2.0
// Picture files: JPEG by libjpeg-turbo, PNG by libpng; codec_absent.c answers for builds without them.
#ifndef SPIKESTILL_DATA_PICTURE_CODEC_H
#define SPIKESTILL_DATA_PICTURE_CODEC_H

#include "base/memory.h"

// Larger pictures are refused before anything is allocated for them.
enum { SSTI_PICTURE_MAX_SIDE = 16384, SSTI_PICTURE_MAX_PIXELS = 1 << 26 };

// One thread's room; it grows to the largest picture met and stays.
typedef struct ssti_picture_room {
  uint8_t *pixels; // a decoded picture, RGB
  size_t pixels_capacity;
  float *lines; // rows of the resampled picture before its columns are
  size_t lines_capacity;
  int width, height; // of what is in `pixels`
} ssti_picture_room;
void ssti_picture_room_free(sst_context *context, ssti_picture_room *room);

// Decodes a whole file to RGB bytes [H,W,3] in the room. Grey is expanded, CMYK converted (R = (255 - C) * (255 - K) /
// 255 and so on), of 16-bit samples the high byte is taken, a palette is looked up, transparency is dropped. A JPEG
// that is at least twice as large as `least_width` x `least_height` both ways may come out at 1/2, 1/4 or 1/8 of its
// size, but no smaller than those. `name` is for messages. The libraries allocate what they need by themselves, for
// each picture. Errors: FORMAT (neither JPEG nor PNG, damaged, cut off, too large; with the library's own words),
// UNSUPPORTED (built without the libraries), OUT_OF_MEMORY.
sst_status ssti_picture_decode(sst_context *context, const char *name, const uint8_t *data, size_t size,
                               int least_width, int least_height, ssti_picture_room *room);

// From ssti_picture_decode: the two formats. png: 8 bytes of signature were seen; jpeg: 3.
sst_status ssti_jpeg_decode(sst_context *context, const char *name, const uint8_t *data, size_t size, int least_width,
                            int least_height, ssti_picture_room *room);
sst_status ssti_png_decode(sst_context *context, const char *name, const uint8_t *data, size_t size,
                           ssti_picture_room *room);
// Takes room for a picture of that size, which the format's header told. Errors: FORMAT (too large).
sst_status ssti_picture_room_take(sst_context *context, const char *name, int64_t width, int64_t height,
                                  ssti_picture_room *room);

// Resamples what is in the room to out [height,width,3]: the largest centred window of the target's proportions, scaled
// by a triangle filter as wide as the reduction (so that every pixel counts when it shrinks, and bilinear when it
// grows).
sst_status ssti_picture_fit(sst_context *context, ssti_picture_room *room, int width, int height, uint8_t *out);

#endif
