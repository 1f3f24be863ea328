// SPDX-License-Identifier: Apache-2.0
// The twin of codec_jpeg.c and codec_png.c for builds without libjpeg or libpng.
#include "data/picture_codec.h"
#include "spikestill/data.h"

static const char NEEDS[] = "picture files are not built in: they need libjpeg and libpng when Spikestill is compiled";

sst_status ssti_jpeg_decode(sst_context *context, const char *name, const uint8_t *data, size_t size, int least_width,
                            int least_height, ssti_picture_room *room) {
  (void)data, (void)size, (void)least_width, (void)least_height, (void)room;
  SST_FAIL(context, SST_UNSUPPORTED, "%s: %s", name, NEEDS);
}

sst_status ssti_png_decode(sst_context *context, const char *name, const uint8_t *data, size_t size,
                           ssti_picture_room *room) {
  (void)data, (void)size, (void)room;
  SST_FAIL(context, SST_UNSUPPORTED, "%s: %s", name, NEEDS);
}

sst_status sst_picture_write(sst_context *context, const char *path, int64_t width, int64_t height,
                             const uint8_t *rgb) {
  (void)width, (void)height, (void)rgb;
  SST_FAIL(context, SST_UNSUPPORTED, "%s: %s", path, NEEDS);
}
