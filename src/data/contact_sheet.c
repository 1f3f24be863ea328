// SPDX-License-Identifier: Apache-2.0
// Samples of a data set as one picture, to be looked at.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "data/framing.h"

enum { MOST_SAMPLES = 4096, GAP = 2, BACKGROUND = 0x60, LEAST_CELL = 64 };

typedef struct sheet {
  sst_dataset_info info;
  int64_t frames;            // cells of a sample
  int64_t columns, rows;     // of cells
  int64_t zoom;              // pixels a pixel
  int64_t width, height;     // of the sheet
  uint8_t *pixels;           // [height,width,3]
  uint8_t *sample, *colours; // a sample, and one cell of it as RGB
} sheet;

static sheet plan(sst_dataset_info info, int64_t count) {
  sheet s = {.info = info, .frames = info.frames > 0 ? info.frames : 1};
  s.columns = info.frames > 0 ? info.frames : (int64_t)ceil(sqrt((double)count));
  s.rows = info.frames > 0 ? count : (count + s.columns - 1) / s.columns;
  const int64_t side = info.height > info.width ? info.height : info.width;
  s.zoom = side < LEAST_CELL ? LEAST_CELL / side : 1;
  s.width = s.columns * (info.width * s.zoom + GAP) + GAP;
  s.height = s.rows * (info.height * s.zoom + GAP) + GAP;
  return s;
}

// One cell's colours: frames as blue and red on white, grey as it is, further channels as red, green and blue.
static void colour(const sheet *s, const uint8_t *cell) {
  const int64_t pixels = s->info.height * s->info.width, channels = s->info.channels;
  if (s->info.frames > 0) {
    ssti_frames_picture(cell, 1, (int)s->info.height, (int)s->info.width, (int)channels, s->colours);
    return;
  }
  for (int64_t i = 0; i < pixels; i++) {
    for (int64_t c = 0; c < 3; c++) { s->colours[i * 3 + c] = cell[i * channels + (channels >= 3 ? c : 0)]; }
  }
}

static void place(const sheet *s, int64_t column, int64_t row) {
  const int64_t width = s->info.width * s->zoom, height = s->info.height * s->zoom;
  uint8_t *to = s->pixels + ((GAP + row * (height + GAP)) * s->width + GAP + column * (width + GAP)) * 3;
  for (int64_t y = 0; y < height; y++) {
    for (int64_t x = 0; x < width; x++) {
      memcpy(to + (y * s->width + x) * 3, s->colours + (y / s->zoom * s->info.width + x / s->zoom) * 3, 3);
    }
  }
}

static sst_status draw(sst_context *context, const sst_dataset *dataset, const int64_t *indices, int64_t count,
                       const char *path, sheet *s) {
  const int64_t cell = s->info.height * s->info.width * s->info.channels;
  SST_TRY(ssti_allocate_raw(context, (size_t)(s->width * s->height), 3, &s->pixels));
  SST_TRY(ssti_allocate_raw(context, (size_t)s->frames, (size_t)cell, &s->sample));
  SST_TRY(ssti_allocate_raw(context, (size_t)(s->info.height * s->info.width), 3, &s->colours));
  memset(s->pixels, BACKGROUND, (size_t)(s->width * s->height * 3));
  for (int64_t i = 0; i < count; i++) {
    SST_TRY(sst_dataset_read(dataset, indices[i], s->sample));
    for (int64_t f = 0; f < s->frames; f++) {
      const int64_t position = i * s->frames + f;
      colour(s, s->sample + f * cell);
      place(s, position % s->columns, position / s->columns);
    }
  }
  return sst_picture_write(context, path, s->width, s->height, s->pixels);
}

sst_status sst_dataset_draw(sst_context *context, const sst_dataset *dataset, const int64_t *indices, int64_t count,
                            const char *path) {
  if (count < 1 || count > MOST_SAMPLES) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a sheet of %" PRId64 " samples is asked for, expected 1 to %d", count,
             MOST_SAMPLES);
  }
  for (int64_t i = 0; i < count; i++) {
    if (indices[i] < 0 || indices[i] >= dataset->info.count) {
      SST_FAIL(context, SST_INVALID_ARGUMENT,
               "sample %" PRId64 " is asked for, but the data set has %" PRId64 ", from 0", indices[i],
               dataset->info.count);
    }
  }
  sheet s = plan(dataset->info, count);
  if (s.width > SSTI_PICTURE_MAX_SIDE || s.height > SSTI_PICTURE_MAX_SIDE) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "a sheet of %" PRId64 " x %" PRId64 " pixels is too large; show fewer samples", s.width, s.height);
  }
  const sst_status status = draw(context, dataset, indices, count, path, &s);
  ssti_free(context, s.pixels);
  ssti_free(context, s.sample);
  ssti_free(context, s.colours);
  return status;
}
