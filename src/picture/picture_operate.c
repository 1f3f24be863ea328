// SPDX-License-Identifier: Apache-2.0
// Changes of a picture's bytes on the CPU.
#include <assert.h>
#include <string.h>

#include "picture/picture_formulas.h"

static int bytes_of(const ssti_byte_picture *p) { return p->height * p->width * p->channels; }

void ssti_picture_shift(ssti_byte_picture *picture, int dx, int dy) {
  int height = picture->height, width = picture->width, channels = picture->channels;
  size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
  if (dx == 0 && dy == 0) { return; }
  memcpy(picture->room, picture->bytes, bytes);
  memset(picture->bytes, 0, bytes);
  int left = dx < 0 ? -dx : 0, right = dx > 0 ? width - dx : width;
  if (right <= left) { return; }
  for (int y = 0; y < height; y++) {
    if (y + dy < 0 || y + dy >= height) { continue; }
    memcpy(picture->bytes + (y * width + left) * channels, picture->room + ((y + dy) * width + left + dx) * channels,
           (size_t)(right - left) * (size_t)channels);
  }
}

void ssti_picture_flip(ssti_byte_picture *picture) {
  int width = picture->width, channels = picture->channels;
  for (int y = 0; y < picture->height; y++) {
    uint8_t *row = picture->bytes + y * width * channels;
    for (int x = 0; x < width / 2; x++) {
      for (int c = 0; c < channels; c++) {
        uint8_t *a = &row[x * channels + c], *b = &row[(width - 1 - x) * channels + c], kept = *a;
        *a = *b;
        *b = kept;
      }
    }
  }
}

static void transform(ssti_byte_picture *p, const ssti_picture_operation *o) {
  const int64_t limit_x = (int64_t)p->width * SSTI_PICTURE_FIXED_ONE,
                limit_y = (int64_t)p->height * SSTI_PICTURE_FIXED_ONE;
  int64_t row_x = o->x, row_y = o->y;
  size_t pixel = (size_t)p->channels;
  memcpy(p->room, p->bytes, (size_t)bytes_of(p));
  uint8_t *out = p->bytes;
  for (int y = 0; y < p->height; y++, row_x += o->x_by_y, row_y += o->y_by_y) {
    int64_t sx = row_x, sy = row_y;
    for (int x = 0; x < p->width; x++, sx += o->x_by_x, sy += o->y_by_x, out += pixel) {
      if (sx < 0 || sx >= limit_x || sy < 0 || sy >= limit_y) {
        memset(out, SSTI_PICTURE_FILL, pixel);
      } else {
        const int64_t place = sy / SSTI_PICTURE_FIXED_ONE * p->width + sx / SSTI_PICTURE_FIXED_ONE;
        memcpy(out, p->room + place * p->channels, pixel);
      }
    }
  }
}

// ---- one value at a time

static void map(ssti_byte_picture *p, int channel, const uint8_t table[256]) {
  for (int i = channel, n = bytes_of(p); i < n; i += p->channels) { p->bytes[i] = table[p->bytes[i]]; }
}

static void histogram(const ssti_byte_picture *p, int channel, int counts[256]) {
  memset(counts, 0, 256 * sizeof counts[0]);
  for (int i = channel, n = bytes_of(p); i < n; i += p->channels) { counts[p->bytes[i]]++; }
}

static void autocontrast(ssti_byte_picture *p) {
  for (int c = 0; c < p->channels; c++) {
    int counts[256], low = 0, high = 255;
    uint8_t table[256];
    histogram(p, c, counts);
    while (low < 255 && counts[low] == 0) { low++; }
    while (high > 0 && counts[high] == 0) { high--; }
    if (high <= low) { continue; }
    for (int i = 0; i < 256; i++) { table[i] = ssti_picture_spread(low, high, i); }
    map(p, c, table);
  }
}

// A channel of one value has no step: what is not of its largest value is none.
static void equalize(ssti_byte_picture *p) {
  for (int c = 0; c < p->channels; c++) {
    int counts[256], last = 255, below = 0;
    uint8_t table[256];
    histogram(p, c, counts);
    while (last > 0 && counts[last] == 0) { last--; }
    const int step = ssti_picture_level_step(p->height * p->width, counts[last]);
    if (step == 0) { continue; }
    for (int i = 0; i < 256; i++) {
      table[i] = ssti_picture_level(below, step);
      below += counts[i];
    }
    map(p, c, table);
  }
}

static void posterize(ssti_byte_picture *p, int mask) {
  for (int i = 0, n = bytes_of(p); i < n; i++) { p->bytes[i] = (uint8_t)(p->bytes[i] & mask); }
}

static void solarize(ssti_byte_picture *p, int from) {
  for (int i = 0, n = bytes_of(p); i < n; i++) {
    p->bytes[i] = (uint8_t)(p->bytes[i] < from ? p->bytes[i] : 255 - p->bytes[i]);
  }
}

// ---- blending with a plainer picture, which is made in the room

static void make_grey(ssti_byte_picture *p) {
  for (int i = 0, n = bytes_of(p); i < n; i += p->channels) {
    memset(p->room + i, ssti_picture_grey(p->bytes + i, p->channels), (size_t)p->channels);
  }
}

static void make_mean(ssti_byte_picture *p) {
  int64_t sum = 0;
  for (int i = 0, n = bytes_of(p); i < n; i += p->channels) { sum += ssti_picture_grey(p->bytes + i, p->channels); }
  memset(p->room, ssti_picture_mean(sum, (int64_t)p->height * p->width), (size_t)bytes_of(p));
}

// The border stays.
static void make_smooth(ssti_byte_picture *p) {
  const int row = p->width * p->channels;
  memcpy(p->room, p->bytes, (size_t)bytes_of(p));
  for (int y = 1; y < p->height - 1; y++) {
    for (int i = y * row + p->channels; i < (y + 1) * row - p->channels; i++) {
      p->room[i] = ssti_picture_smooth(p->bytes + i, row, p->channels);
    }
  }
}

void ssti_picture_operate(ssti_byte_picture *p, const ssti_picture_operation *operation) {
  switch ((ssti_picture_change)operation->change) {
  case SSTI_PICTURE_TRANSFORM: transform(p, operation); return;
  case SSTI_PICTURE_POSTERIZE: posterize(p, operation->number); return;
  case SSTI_PICTURE_SOLARIZE: solarize(p, operation->number); return;
  case SSTI_PICTURE_AUTOCONTRAST: autocontrast(p); return;
  case SSTI_PICTURE_EQUALIZE: equalize(p); return;
  case SSTI_PICTURE_COLOR: make_grey(p); break;
  case SSTI_PICTURE_BRIGHTNESS: memset(p->room, 0, (size_t)bytes_of(p)); break;
  case SSTI_PICTURE_CONTRAST: make_mean(p); break;
  case SSTI_PICTURE_SHARPNESS: make_smooth(p); break;
  }
  for (int i = 0, n = bytes_of(p); i < n; i++) {
    p->bytes[i] = ssti_picture_blend(p->room[i], p->bytes[i], operation->factor);
  }
}

ssti_picture_plan ssti_picture_plan_plain(int32_t picture) {
  return (ssti_picture_plan){.picture = picture, .partner = -1};
}

void ssti_picture_follow(ssti_byte_picture *picture, const ssti_picture_plan *plan) {
  assert(plan->operation_count <= SSTI_PICTURE_OPERATIONS);
  ssti_picture_shift(picture, plan->dx, plan->dy);
  if (plan->flip) { ssti_picture_flip(picture); }
  for (int i = 0; i < plan->operation_count; i++) { ssti_picture_operate(picture, &plan->operations[i]); }
}
