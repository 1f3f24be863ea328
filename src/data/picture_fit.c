// SPDX-License-Identifier: Apache-2.0
// What picture files have in common: telling formats apart, bounds, and fitting to a size.
#include <math.h>
#include <string.h>

#include "data/picture_codec.h"

void ssti_picture_room_free(sst_context *context, ssti_picture_room *room) {
  ssti_free(context, room->pixels);
  ssti_free(context, room->lines);
  *room = (ssti_picture_room){0};
}

sst_status ssti_picture_room_take(sst_context *context, const char *name, int64_t width, int64_t height,
                                  ssti_picture_room *room) {
  if (width < 1 || height < 1 || width > SSTI_PICTURE_MAX_SIDE || height > SSTI_PICTURE_MAX_SIDE ||
      width * height > SSTI_PICTURE_MAX_PIXELS) {
    SST_FAIL(context, SST_FORMAT,
             "%s: is a picture of %lld x %lld pixels, expected sides of 1 to %d and at most %d pixels", name,
             (long long)width, (long long)height, SSTI_PICTURE_MAX_SIDE, SSTI_PICTURE_MAX_PIXELS);
  }
  SST_TRY(ssti_grow(context, &room->pixels, &room->pixels_capacity, (size_t)(width * height) * 3, 1));
  room->width = (int)width;
  room->height = (int)height;
  return SST_OK;
}

sst_status ssti_picture_decode(sst_context *context, const char *name, const uint8_t *data, size_t size,
                               int least_width, int least_height, ssti_picture_room *room) {
  static const uint8_t JPEG[3] = {0xff, 0xd8, 0xff};
  static const uint8_t PNG[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (size >= sizeof JPEG && memcmp(data, JPEG, sizeof JPEG) == 0) {
    return ssti_jpeg_decode(context, name, data, size, least_width, least_height, room);
  }
  if (size >= sizeof PNG && memcmp(data, PNG, sizeof PNG) == 0) {
    return ssti_png_decode(context, name, data, size, room);
  }
  SST_FAIL(context, SST_FORMAT,
           "%s: at byte 0: found neither the signature of JPEG nor that of PNG (the file has %zu bytes)", name, size);
}

// ---- fitting ----

// Which source pixels make target pixel i, along one axis: weights of first..first+count-1, not yet divided by their
// sum.
typedef struct axis {
  double scale, start, support; // source pixels a target pixel; where the window begins; half the filter's width
  int length;                   // of the source
} axis;

static axis axis_of(int source, double window, int target) {
  const double scale = window / target;
  return (axis){scale, (source - window) / 2.0, scale > 1.0 ? scale : 1.0, source};
}

static int first_of(const axis *a, int i) {
  const int first = (int)floor(a->start + (i + 0.5) * a->scale - a->support + 0.5);
  return first < 0 ? 0 : first;
}

static int end_of(const axis *a, int i) {
  const int end = (int)floor(a->start + (i + 0.5) * a->scale + a->support + 0.5);
  return end > a->length ? a->length : end;
}

static double weight_of(const axis *a, int i, int place) {
  const double distance = fabs(place + 0.5 - (a->start + (i + 0.5) * a->scale)) / a->support;
  return distance < 1.0 ? 1.0 - distance : 0.0;
}

// One target row's columns, from a source row.
static void fit_row(const axis *columns, const uint8_t *row, int width, float *out) {
  for (int x = 0; x < width; x++) {
    double sum[3] = {0, 0, 0}, total = 0;
    for (int p = first_of(columns, x); p < end_of(columns, x); p++) {
      const double weight = weight_of(columns, x, p);
      for (int c = 0; c < 3; c++) { sum[c] += weight * row[p * 3 + c]; }
      total += weight;
    }
    for (int c = 0; c < 3; c++) { out[x * 3 + c] = (float)(sum[c] / total); }
  }
}

sst_status ssti_picture_fit(sst_context *context, ssti_picture_room *room, int width, int height, uint8_t *out) {
  if (room->width == width && room->height == height) {
    memcpy(out, room->pixels, (size_t)width * (size_t)height * 3);
    return SST_OK;
  }
  // The largest window of the target's proportions.
  double window_width = room->width, window_height = room->height;
  if (window_width * height > window_height * width) {
    window_width = window_height * width / height;
  } else {
    window_height = window_width * height / width;
  }
  const axis columns = axis_of(room->width, window_width, width), rows = axis_of(room->height, window_height, height);
  const int first = first_of(&rows, 0), end = end_of(&rows, height - 1), stride = width * 3;
  SST_TRY(
      ssti_grow(context, &room->lines, &room->lines_capacity, (size_t)(end - first) * (size_t)stride, sizeof(float)));
  for (int y = first; y < end; y++) {
    fit_row(&columns, room->pixels + (size_t)y * (size_t)room->width * 3, width, room->lines + (y - first) * stride);
  }
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < stride; x++) {
      double sum = 0, total = 0;
      for (int p = first_of(&rows, y); p < end_of(&rows, y); p++) {
        const double weight = weight_of(&rows, y, p);
        sum += weight * (double)room->lines[(p - first) * stride + x];
        total += weight;
      }
      out[y * stride + x] = (uint8_t)lrint(sum / total);
    }
  }
  return SST_OK;
}
