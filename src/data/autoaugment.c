// SPDX-License-Identifier: Apache-2.0
#include "data/autoaugment.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FILL = 128, TOP_MAGNITUDE = 9 };

#define STEP(name, probability, magnitude)                                                                             \
  { SSTI_AUTOAUGMENT_##name, probability, magnitude }
const ssti_autoaugment_step ssti_autoaugment_cifar[SSTI_AUTOAUGMENT_POLICIES][2] = {
    {STEP(INVERT, 0.1f, 0), STEP(CONTRAST, 0.2f, 6)},          {STEP(ROTATE, 0.7f, 2), STEP(TRANSLATE_X, 0.3f, 9)},
    {STEP(SHARPNESS, 0.8f, 1), STEP(SHARPNESS, 0.9f, 3)},      {STEP(SHEAR_Y, 0.5f, 8), STEP(TRANSLATE_Y, 0.7f, 9)},
    {STEP(AUTOCONTRAST, 0.5f, 0), STEP(EQUALIZE, 0.9f, 0)},    {STEP(SHEAR_Y, 0.2f, 7), STEP(POSTERIZE, 0.3f, 7)},
    {STEP(COLOR, 0.4f, 3), STEP(BRIGHTNESS, 0.6f, 7)},         {STEP(SHARPNESS, 0.3f, 9), STEP(BRIGHTNESS, 0.7f, 9)},
    {STEP(EQUALIZE, 0.6f, 0), STEP(EQUALIZE, 0.5f, 0)},        {STEP(CONTRAST, 0.6f, 7), STEP(SHARPNESS, 0.6f, 5)},
    {STEP(COLOR, 0.7f, 7), STEP(TRANSLATE_X, 0.5f, 8)},        {STEP(EQUALIZE, 0.3f, 0), STEP(AUTOCONTRAST, 0.4f, 0)},
    {STEP(TRANSLATE_Y, 0.4f, 3), STEP(SHARPNESS, 0.2f, 6)},    {STEP(BRIGHTNESS, 0.9f, 6), STEP(COLOR, 0.2f, 8)},
    {STEP(SOLARIZE, 0.5f, 2), STEP(INVERT, 0.0f, 0)},          {STEP(EQUALIZE, 0.2f, 0), STEP(AUTOCONTRAST, 0.6f, 0)},
    {STEP(EQUALIZE, 0.2f, 0), STEP(EQUALIZE, 0.6f, 0)},        {STEP(COLOR, 0.9f, 9), STEP(EQUALIZE, 0.6f, 0)},
    {STEP(AUTOCONTRAST, 0.8f, 0), STEP(SOLARIZE, 0.2f, 8)},    {STEP(BRIGHTNESS, 0.1f, 3), STEP(COLOR, 0.7f, 0)},
    {STEP(SOLARIZE, 0.4f, 5), STEP(AUTOCONTRAST, 0.9f, 0)},    {STEP(TRANSLATE_Y, 0.9f, 9), STEP(TRANSLATE_Y, 0.7f, 9)},
    {STEP(AUTOCONTRAST, 0.9f, 0), STEP(SOLARIZE, 0.8f, 3)},    {STEP(EQUALIZE, 0.8f, 0), STEP(INVERT, 0.1f, 0)},
    {STEP(TRANSLATE_Y, 0.7f, 9), STEP(AUTOCONTRAST, 0.9f, 0)},
};

static int bytes_of(const ssti_byte_picture *p) { return p->height * p->width * p->channels; }

// Grey value of a pixel: the luma weights of ITU-R 601, rounded, in 16-bit fixed point.
static uint8_t grey(const uint8_t *pixel, int channels) {
  if (channels < 3) { return pixel[0]; }
  return (uint8_t)((pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16);
}

// ---- geometry ----

// The pixel at (x, y) comes from (a*x + b*y + c, d*x + e*y + f), nearest neighbour, in 16.16 fixed point.
static void transform(ssti_byte_picture *p, double a, double b, double c, double d, double e, double f) {
  double one = 65536.0;
  int64_t fa = (int64_t)floor(a * one + 0.5), fb = (int64_t)floor(b * one + 0.5);
  int64_t fd = (int64_t)floor(d * one + 0.5), fe = (int64_t)floor(e * one + 0.5);
  // Half a pixel in, because a pixel's value is that of its middle.
  int64_t row_x = (int64_t)floor((c + 0.5 * (a + b)) * one + 0.5),
          row_y = (int64_t)floor((f + 0.5 * (d + e)) * one + 0.5);
  size_t pixel = (size_t)p->channels;
  memcpy(p->room, p->bytes, (size_t)bytes_of(p));
  uint8_t *out = p->bytes;
  for (int y = 0; y < p->height; y++, row_x += fb, row_y += fe) {
    int64_t sx = row_x, sy = row_y;
    for (int x = 0; x < p->width; x++, sx += fa, sy += fd, out += pixel) {
      int64_t limit_x = (int64_t)p->width * 65536, limit_y = (int64_t)p->height * 65536;
      if (sx < 0 || sx >= limit_x || sy < 0 || sy >= limit_y) {
        memset(out, FILL, pixel);
      } else {
        memcpy(out, p->room + ((sy / 65536) * p->width + sx / 65536) * p->channels, pixel);
      }
    }
  }
}

static void rotate(ssti_byte_picture *p, double degrees) {
  double angle = -degrees * 3.14159265358979323846 / 180.0, c = cos(angle), s = sin(angle);
  double cx = 0.5 * p->width, cy = 0.5 * p->height;
  transform(p, c, s, cx - c * cx - s * cy, -s, c, cy + s * cx - c * cy);
}

// ---- one value at a time ----

static void map(ssti_byte_picture *p, int channel, const uint8_t table[256]) {
  for (int i = channel, n = bytes_of(p); i < n; i += p->channels) { p->bytes[i] = table[p->bytes[i]]; }
}

static void map_all(ssti_byte_picture *p, const uint8_t table[256]) {
  for (int c = 0; c < p->channels; c++) { map(p, c, table); }
}

static void histogram(const ssti_byte_picture *p, int channel, int counts[256]) {
  memset(counts, 0, 256 * sizeof counts[0]);
  for (int i = channel, n = bytes_of(p); i < n; i += p->channels) { counts[p->bytes[i]]++; }
}

static uint8_t to_byte(double value) { return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value; }

static void autocontrast(ssti_byte_picture *p) {
  for (int c = 0; c < p->channels; c++) {
    int counts[256], low = 0, high = 255;
    uint8_t table[256];
    histogram(p, c, counts);
    while (low < 255 && counts[low] == 0) { low++; }
    while (high > 0 && counts[high] == 0) { high--; }
    if (high <= low) { continue; }
    double scale = 255.0 / (high - low), offset = -low * scale;
    for (int i = 0; i < 256; i++) { table[i] = to_byte(i * scale + offset); }
    map(p, c, table);
  }
}

static void equalize(ssti_byte_picture *p) {
  for (int c = 0; c < p->channels; c++) {
    int counts[256], last = 255, used = 0;
    uint8_t table[256];
    histogram(p, c, counts);
    for (int i = 0; i < 256; i++) { used += counts[i] > 0; }
    while (last > 0 && counts[last] == 0) { last--; }
    int step = (p->height * p->width - counts[last]) / 255;
    if (used <= 1 || step == 0) { continue; }
    int sum = step / 2;
    for (int i = 0; i < 256; i++) {
      table[i] = (uint8_t)(sum / step > 255 ? 255 : sum / step);
      sum += counts[i];
    }
    map(p, c, table);
  }
}

static void solarize(ssti_byte_picture *p, double threshold) {
  uint8_t table[256];
  for (int i = 0; i < 256; i++) { table[i] = (uint8_t)(i < threshold ? i : 255 - i); }
  map_all(p, table);
}

static void posterize(ssti_byte_picture *p, int bits) {
  uint8_t table[256];
  for (int i = 0; i < 256; i++) { table[i] = (uint8_t)(i & ~((1 << (8 - bits)) - 1)); }
  map_all(p, table);
}

// ---- blending with a plainer picture ----

// base + factor * (value - base), cut to a byte; in single precision, as Pillow does it.
static uint8_t blend(uint8_t base, uint8_t value, float factor) {
  float mixed = (float)base + factor * (float)(value - base);
  return mixed <= 0.f ? 0 : mixed >= 255.f ? 255 : (uint8_t)mixed;
}

// `room` holds the plainer picture.
static void blend_with_room(ssti_byte_picture *p, float factor) {
  for (int i = 0, n = bytes_of(p); i < n; i++) { p->bytes[i] = blend(p->room[i], p->bytes[i], factor); }
}

static void color(ssti_byte_picture *p, float factor) {
  for (int i = 0, n = bytes_of(p); i < n; i += p->channels) {
    memset(p->room + i, grey(p->bytes + i, p->channels), (size_t)p->channels);
  }
  blend_with_room(p, factor);
}

static void contrast(ssti_byte_picture *p, float factor) {
  int64_t sum = 0;
  for (int i = 0, n = bytes_of(p); i < n; i += p->channels) { sum += grey(p->bytes + i, p->channels); }
  int64_t pixels = (int64_t)p->height * p->width;
  memset(p->room, (int)((2 * sum + pixels) / (2 * pixels)), (size_t)bytes_of(p)); // the mean, rounded
  blend_with_room(p, factor);
}

// The plainer picture is smoothed by 1 1 1 / 1 5 1 / 1 1 1 over 13; the border stays.
static void sharpness(ssti_byte_picture *p, float factor) {
  int row = p->width * p->channels;
  memcpy(p->room, p->bytes, (size_t)bytes_of(p));
  for (int y = 1; y < p->height - 1; y++) {
    for (int i = y * row + p->channels; i < (y + 1) * row - p->channels; i++) {
      int sum = 4 * p->bytes[i];
      for (int d = -row; d <= row; d += row) {
        sum += p->bytes[i + d - p->channels] + p->bytes[i + d] + p->bytes[i + d + p->channels];
      }
      p->room[i] = (uint8_t)((2 * sum + 13) / 26);
    }
  }
  blend_with_room(p, factor);
}

// ---- the policy ----

void ssti_autoaugment_operate(ssti_byte_picture *p, ssti_autoaugment_operation operation, int magnitude, int sign) {
  assert(magnitude >= 0 && magnitude <= TOP_MAGNITUDE);
  double share = (double)magnitude / TOP_MAGNITUDE, signed_share = sign < 0 ? -share : share;
  float factor = (float)(1.0 + 0.9 * signed_share);
  switch (operation) {
  case SSTI_AUTOAUGMENT_SHEAR_X: transform(p, 1, 0.3 * signed_share, 0, 0, 1, 0); break;
  case SSTI_AUTOAUGMENT_SHEAR_Y: transform(p, 1, 0, 0, 0.3 * signed_share, 1, 0); break;
  case SSTI_AUTOAUGMENT_TRANSLATE_X: transform(p, 1, 0, 150.0 / 331.0 * signed_share * p->width, 0, 1, 0); break;
  case SSTI_AUTOAUGMENT_TRANSLATE_Y: transform(p, 1, 0, 0, 0, 1, 150.0 / 331.0 * signed_share * p->height); break;
  case SSTI_AUTOAUGMENT_ROTATE: rotate(p, 30.0 * signed_share); break;
  case SSTI_AUTOAUGMENT_COLOR: color(p, factor); break;
  case SSTI_AUTOAUGMENT_BRIGHTNESS:
    memset(p->room, 0, (size_t)bytes_of(p));
    blend_with_room(p, factor);
    break;
  case SSTI_AUTOAUGMENT_CONTRAST: contrast(p, factor); break;
  case SSTI_AUTOAUGMENT_SHARPNESS: sharpness(p, factor); break;
  case SSTI_AUTOAUGMENT_POSTERIZE: posterize(p, 8 - (int)lround(4.0 * share)); break;
  case SSTI_AUTOAUGMENT_SOLARIZE: solarize(p, 256.0 * (1.0 - share)); break;
  case SSTI_AUTOAUGMENT_AUTOCONTRAST: autocontrast(p); break;
  case SSTI_AUTOAUGMENT_EQUALIZE: equalize(p); break;
  case SSTI_AUTOAUGMENT_INVERT: solarize(p, 0.0); break;
  default: assert(operation < SSTI_AUTOAUGMENT_OPERATION_COUNT); break;
  }
}

static const bool IS_SIGNED[SSTI_AUTOAUGMENT_OPERATION_COUNT] = {
#define OPERATION_SIGNED(name, is_signed) is_signed,
    SSTI_AUTOAUGMENT_OPERATIONS(OPERATION_SIGNED)
#undef OPERATION_SIGNED
};

void ssti_autoaugment_apply(ssti_byte_picture *picture, ssti_random *random) {
  const ssti_autoaugment_step *steps = ssti_autoaugment_cifar[ssti_draw_below(random, SSTI_AUTOAUGMENT_POLICIES)];
  for (int i = 0; i < 2; i++) {
    float chance = ssti_draw_uniform(random);
    bool negative = ssti_draw_below(random, 2) == 1;
    if (chance >= steps[i].probability) { continue; }
    ssti_autoaugment_operate(picture, steps[i].operation, steps[i].magnitude,
                             IS_SIGNED[steps[i].operation] && negative ? -1 : 1);
  }
}
