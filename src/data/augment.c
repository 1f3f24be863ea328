// SPDX-License-Identifier: Apache-2.0
#include "data/augment.h"

#include <math.h>

bool sst_augmentation_is_none(const sst_augmentation *a) {
  const sst_event_augmentation *e = &a->events;
  return a->crop_padding == 0 && !a->flip && a->cutout == 0 && a->autoaugment == SST_AUTOAUGMENT_NONE &&
         a->mixup == 0.f && e->roll == 0 && e->shear == 0.f && e->drop_time == 0.f && e->drop_area == 0.f &&
         e->drop_point == 0.f;
}

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

ssti_cutout ssti_cutout_draw(int height, int width, int side, ssti_random *random) {
  int y = (int)ssti_draw_below(random, (uint64_t)height) - side / 2;
  int x = (int)ssti_draw_below(random, (uint64_t)width) - side / 2;
  return (ssti_cutout){clamp(y, 0, height), clamp(y + side, 0, height), clamp(x, 0, width), clamp(x + side, 0, width)};
}

void ssti_picture_plan_draw(const sst_augmentation *options, int height, int width, ssti_random *random,
                            ssti_picture_plan *plan) {
  if (options->crop_padding > 0) {
    const uint64_t places = 2 * (uint64_t)options->crop_padding + 1;
    plan->dx = (int32_t)ssti_draw_below(random, places) - options->crop_padding;
    plan->dy = (int32_t)ssti_draw_below(random, places) - options->crop_padding;
  }
  if (options->flip) { plan->flip = ssti_draw_below(random, 2) == 1; }
  if (options->autoaugment == SST_AUTOAUGMENT_CIFAR) { ssti_autoaugment_draw(height, width, random, plan); }
  if (options->cutout > 0) { plan->cutout = ssti_cutout_draw(height, width, options->cutout, random); }
}

// In (0,1), so that its logarithm is finite.
static double draw_open(ssti_random *random) {
  uint32_t words[4];
  ssti_random_words(random->seed, random->stream, random->next++, words);
  return ((double)words[0] + 0.5) * 0x1p-32;
}

// Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; shape >= 1.
static double draw_gamma(double shape, ssti_random *random) {
  double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
  for (;;) {
    double x = (double)ssti_draw_normal(random), v = 1.0 + c * x;
    double u = draw_open(random);
    if (v <= 0.0) { continue; }
    v = v * v * v;
    if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) { return d * v; }
  }
}

double ssti_beta_draw(double alpha, ssti_random *random) {
  if (alpha >= 1.0) {
    double a = draw_gamma(alpha, random), b = draw_gamma(alpha, random);
    return a / (a + b);
  }
  // Johnk 1964, in logarithms: for a small alpha both powers underflow.
  for (;;) {
    double a = log(draw_open(random)) / alpha, b = log(draw_open(random)) / alpha;
    double most = a > b ? a : b;
    double sum = most + log(exp(a - most) + exp(b - most)); // log(u^(1/alpha) + v^(1/alpha))
    if (sum <= 0.0) { return exp(a - sum); }
  }
}
