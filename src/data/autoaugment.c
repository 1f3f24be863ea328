// SPDX-License-Identifier: Apache-2.0
#include "data/autoaugment.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "picture/picture_formulas.h"

enum { TOP_MAGNITUDE = 9 };

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

// The pixel at (x, y) comes from (a*x + b*y + c, d*x + e*y + f).
static ssti_picture_operation transform(double a, double b, double c, double d, double e, double f) {
  const double one = SSTI_PICTURE_FIXED_ONE;
  // Half a pixel in, because a pixel's value is that of its middle.
  return (ssti_picture_operation){.change = SSTI_PICTURE_TRANSFORM,
                                  .x = (int64_t)floor((c + 0.5 * (a + b)) * one + 0.5),
                                  .y = (int64_t)floor((f + 0.5 * (d + e)) * one + 0.5),
                                  .x_by_x = (int64_t)floor(a * one + 0.5),
                                  .x_by_y = (int64_t)floor(b * one + 0.5),
                                  .y_by_x = (int64_t)floor(d * one + 0.5),
                                  .y_by_y = (int64_t)floor(e * one + 0.5)};
}

static ssti_picture_operation rotate(double degrees, int height, int width) {
  double angle = -degrees * 3.14159265358979323846 / 180.0, c = cos(angle), s = sin(angle);
  double cx = 0.5 * width, cy = 0.5 * height;
  return transform(c, s, cx - c * cx - s * cy, -s, c, cy + s * cx - c * cy);
}

static ssti_picture_operation blend(ssti_picture_change change, double signed_share) {
  return (ssti_picture_operation){.change = (int32_t)change, .factor = (float)(1.0 + 0.9 * signed_share)};
}

static ssti_picture_operation with_number(ssti_picture_change change, int number) {
  return (ssti_picture_operation){.change = (int32_t)change, .number = number};
}

// ---- the policy ----

ssti_picture_operation ssti_autoaugment_operation_of(ssti_autoaugment_operation operation, int magnitude, int sign,
                                                     int height, int width) {
  assert(magnitude >= 0 && magnitude <= TOP_MAGNITUDE);
  const double share = (double)magnitude / TOP_MAGNITUDE, signed_share = sign < 0 ? -share : share;
  switch (operation) {
  case SSTI_AUTOAUGMENT_SHEAR_X: return transform(1, 0.3 * signed_share, 0, 0, 1, 0);
  case SSTI_AUTOAUGMENT_SHEAR_Y: return transform(1, 0, 0, 0.3 * signed_share, 1, 0);
  case SSTI_AUTOAUGMENT_TRANSLATE_X: return transform(1, 0, 150.0 / 331.0 * signed_share * width, 0, 1, 0);
  case SSTI_AUTOAUGMENT_TRANSLATE_Y: return transform(1, 0, 0, 0, 1, 150.0 / 331.0 * signed_share * height);
  case SSTI_AUTOAUGMENT_ROTATE: return rotate(30.0 * signed_share, height, width);
  case SSTI_AUTOAUGMENT_COLOR: return blend(SSTI_PICTURE_COLOR, signed_share);
  case SSTI_AUTOAUGMENT_BRIGHTNESS: return blend(SSTI_PICTURE_BRIGHTNESS, signed_share);
  case SSTI_AUTOAUGMENT_CONTRAST: return blend(SSTI_PICTURE_CONTRAST, signed_share);
  case SSTI_AUTOAUGMENT_SHARPNESS: return blend(SSTI_PICTURE_SHARPNESS, signed_share);
  case SSTI_AUTOAUGMENT_POSTERIZE: return with_number(SSTI_PICTURE_POSTERIZE, 0xff & (0xff << lround(4.0 * share)));
  // Whole numbers below a threshold are those below the next whole number.
  case SSTI_AUTOAUGMENT_SOLARIZE: return with_number(SSTI_PICTURE_SOLARIZE, (int)ceil(256.0 * (1.0 - share)));
  case SSTI_AUTOAUGMENT_AUTOCONTRAST: return with_number(SSTI_PICTURE_AUTOCONTRAST, 0);
  case SSTI_AUTOAUGMENT_EQUALIZE: return with_number(SSTI_PICTURE_EQUALIZE, 0);
  default: assert(operation == SSTI_AUTOAUGMENT_INVERT); return with_number(SSTI_PICTURE_SOLARIZE, 0);
  }
}

static const bool IS_SIGNED[SSTI_AUTOAUGMENT_OPERATION_COUNT] = {
#define OPERATION_SIGNED(name, is_signed) is_signed,
    SSTI_AUTOAUGMENT_OPERATIONS(OPERATION_SIGNED)
#undef OPERATION_SIGNED
};

void ssti_autoaugment_draw(int height, int width, ssti_random *random, ssti_picture_plan *plan) {
  const ssti_autoaugment_step *steps = ssti_autoaugment_cifar[ssti_draw_below(random, SSTI_AUTOAUGMENT_POLICIES)];
  plan->operation_count = 0;
  for (int i = 0; i < 2; i++) {
    float chance = ssti_draw_uniform(random);
    bool negative = ssti_draw_below(random, 2) == 1;
    if (chance >= steps[i].probability) { continue; }
    const int sign = IS_SIGNED[steps[i].operation] && negative ? -1 : 1;
    plan->operations[plan->operation_count++] =
        ssti_autoaugment_operation_of(steps[i].operation, steps[i].magnitude, sign, height, width);
  }
}
