// SPDX-License-Identifier: Apache-2.0
// Drawing: a skeleton's points are shaken, joined by a smooth curve (Catmull-Rom), bent by a smooth random field
// (elastic distortion), turned, sheared, scaled and moved, and inked with a pen whose width varies along the way;
// strokes that belong to no digit, an uneven background and noise come on top. The amounts are chosen so that a linear
// classifier fails on what a convolutional network reads: tests/unit/test_digits.c holds the first to below 90 %.
#include "data/digits.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"

enum {
  SIDE = SSTI_DIGIT_SIDE,
  STEPS = 5, // straight pieces per stretch of curve
  FIELD = 4, // the elastic field's corners a side
  GRAIN = 64,
};

// The amounts of variation. Lengths in pixels, angles in radians.
static const float SHAKE = 0.03f;  // of skeleton points, in the unit box
static const float ELASTIC = 1.2f; // largest shift of a corner of the field
static const float TURN = 0.3f;    // about 17 degrees
static const float SHEAR = 0.25f;  // as a slope
static const float HEIGHT_LOW = 15.f, HEIGHT_HIGH = 21.f;
static const float NARROW = 0.5f, WIDE = 0.95f; // width as a share of the height
static const float MOVE = 2.5f;
static const float PEN_LOW = 0.65f, PEN_HIGH = 1.75f; // half the stroke's width
static const float INK_LOW = 0.55f, INK_HIGH = 1.f;
static const float PAPER = 0.12f; // brightest background
static const float NOISE_LOW = 0.02f, NOISE_HIGH = 0.1f;
static const int CLUTTER = 2;           // most strokes that belong to no digit
static const float CLUTTER_INK = 0.45f; // their brightness as a share of the digit's

typedef struct point {
  float x, y;
} point;

// A canvas of brightness 0..1. Ink does not add up where strokes cross: the brighter wins.
typedef struct canvas {
  float ink[SSTI_DIGIT_PIXELS];
} canvas;

static float clamp(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

// A straight piece with round ends; the half width goes from `r0` to `r1`. Coverage falls over one pixel at the edge.
static void ink_piece(canvas *c, point a, point b, float r0, float r1, float brightness) {
  float reach = (r0 > r1 ? r0 : r1) + 0.5f;
  int left = (int)clamp(floorf((a.x < b.x ? a.x : b.x) - reach), 0.f, SIDE);
  int right = (int)clamp(ceilf((a.x > b.x ? a.x : b.x) + reach), -1.f, SIDE - 1);
  int top = (int)clamp(floorf((a.y < b.y ? a.y : b.y) - reach), 0.f, SIDE);
  int bottom = (int)clamp(ceilf((a.y > b.y ? a.y : b.y) + reach), -1.f, SIDE - 1);
  float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  float inverse = length2 > 1e-6f ? 1.f / length2 : 0.f;
  for (int y = top; y <= bottom; y++) {
    for (int x = left; x <= right; x++) {
      float px = (float)x - a.x, py = (float)y - a.y;
      float along = clamp((px * dx + py * dy) * inverse, 0.f, 1.f);
      float ex = px - along * dx, ey = py - along * dy;
      float reach_here = r0 + along * (r1 - r0) + 0.5f, distance2 = ex * ex + ey * ey;
      if (distance2 >= reach_here * reach_here) { continue; }
      float coverage = clamp(reach_here - sqrtf(distance2), 0.f, 1.f) * brightness;
      float *ink = &c->ink[y * SIDE + x];
      if (coverage > *ink) { *ink = coverage; }
    }
  }
}

// ---- the digit ----

// From the unit box to the canvas.
typedef struct pose {
  float xx, xy, yx, yy; // turn, shear and scale
  float x, y;           // where the box' centre goes
  point field[FIELD][FIELD];
} pose;

static pose draw_pose(ssti_random *random) {
  pose p;
  float angle = ssti_draw_between(random, -TURN, TURN), slope = ssti_draw_between(random, -SHEAR, SHEAR);
  float height = ssti_draw_between(random, HEIGHT_LOW, HEIGHT_HIGH);
  float width = height * ssti_draw_between(random, NARROW, WIDE);
  float c = cosf(angle), s = sinf(angle);
  p.xx = c * width;
  p.xy = (c * slope - s) * height;
  p.yx = s * width;
  p.yy = (s * slope + c) * height;
  p.x = (SIDE - 1) * 0.5f + ssti_draw_between(random, -MOVE, MOVE);
  p.y = (SIDE - 1) * 0.5f + ssti_draw_between(random, -MOVE, MOVE);
  for (int i = 0; i < FIELD * FIELD; i++) {
    point *corner = &p.field[i / FIELD][i % FIELD];
    corner->x = ssti_draw_between(random, -ELASTIC, ELASTIC);
    corner->y = ssti_draw_between(random, -ELASTIC, ELASTIC);
  }
  return p;
}

// The field between its corners. Smooth steps, so that strokes get no kinks at the cells' borders.
static point bend(const pose *p, float u, float v) {
  float fu = clamp(u, 0.f, 1.f) * (FIELD - 1), fv = clamp(v, 0.f, 1.f) * (FIELD - 1);
  int i = (int)fu < FIELD - 2 ? (int)fu : FIELD - 2, j = (int)fv < FIELD - 2 ? (int)fv : FIELD - 2;
  float a = fu - (float)i, b = fv - (float)j;
  a = a * a * (3.f - 2.f * a);
  b = b * b * (3.f - 2.f * b);
  const point *n = &p->field[j][i], *s = &p->field[j + 1][i];
  point out;
  out.x = (1.f - b) * (n[0].x + a * (n[1].x - n[0].x)) + b * (s[0].x + a * (s[1].x - s[0].x));
  out.y = (1.f - b) * (n[0].y + a * (n[1].y - n[0].y)) + b * (s[0].y + a * (s[1].y - s[0].y));
  return out;
}

static point place(const pose *p, float u, float v) {
  point shift = bend(p, u, v);
  float cu = u - 0.5f, cv = v - 0.5f;
  return (point){p->x + p->xx * cu + p->xy * cv + shift.x, p->y + p->yx * cu + p->yy * cv + shift.y};
}

// The curve's point between `b` and `c`, with its neighbours `a` and `d`, at t in 0..1.
static float spline(float a, float b, float c, float d, float t) {
  float m0 = 0.5f * (c - a), m1 = 0.5f * (d - b), t2 = t * t, t3 = t2 * t;
  return (2.f * t3 - 3.f * t2 + 1.f) * b + (t3 - 2.f * t2 + t) * m0 + (3.f * t2 - 2.f * t3) * c + (t3 - t2) * m1;
}

// The stretch from point i to i + 1. Past a corner or an end the curve has no neighbour; the end point stands in.
static void ink_stretch(canvas *c, const pose *p, const ssti_pen_point *points, int count, int i, float r0, float r1,
                        float brightness) {
  const ssti_pen_point *b = &points[i], *d = &points[i + 1];
  const ssti_pen_point *before = b->pen == SSTI_PEN_THROUGH ? b - 1 : b;
  const ssti_pen_point *after = d->pen == SSTI_PEN_THROUGH && i + 2 < count && d[1].pen != SSTI_PEN_START ? d + 1 : d;
  point last = place(p, b->x, b->y);
  for (int k = 1; k <= STEPS; k++) {
    float t = (float)k / STEPS, t_before = (float)(k - 1) / STEPS;
    point next = place(p, spline(before->x, b->x, d->x, after->x, t), spline(before->y, b->y, d->y, after->y, t));
    ink_piece(c, last, next, r0 + t_before * (r1 - r0), r0 + t * (r1 - r0), brightness);
    last = next;
  }
}

static void ink_digit(canvas *c, ssti_random *random, int digit, float brightness) {
  int variants = 0;
  const ssti_skeleton *skeletons = ssti_digit_skeletons(digit, &variants);
  const ssti_skeleton *skeleton = &skeletons[ssti_draw_below(random, (uint64_t)variants)];
  pose p = draw_pose(random);
  ssti_pen_point points[SSTI_MAX_PEN_POINTS];
  float pen[SSTI_MAX_PEN_POINTS];
  float width = ssti_draw_between(random, PEN_LOW, PEN_HIGH);
  for (int i = 0; i < skeleton->count; i++) {
    points[i] = skeleton->points[i];
    points[i].x += ssti_draw_between(random, -SHAKE, SHAKE);
    points[i].y += ssti_draw_between(random, -SHAKE, SHAKE);
    pen[i] = width * ssti_draw_between(random, 0.75f, 1.25f);
  }
  for (int i = 0; i + 1 < skeleton->count; i++) {
    if (points[i + 1].pen == SSTI_PEN_START) { continue; }
    ink_stretch(c, &p, points, skeleton->count, i, pen[i], pen[i + 1], brightness);
  }
}

// ---- what is not the digit ----

static void ink_clutter(canvas *c, ssti_random *random, float brightness) {
  int count = (int)ssti_draw_below(random, (uint64_t)CLUTTER + 1);
  for (int i = 0; i < count; i++) {
    // One draw a statement: the order of evaluation inside braces is the compiler's choice.
    float x = ssti_draw_between(random, -2.f, SIDE + 1.f), y = ssti_draw_between(random, -2.f, SIDE + 1.f);
    float angle = ssti_draw_between(random, 0.f, 6.2831853f), length = ssti_draw_between(random, 3.f, 9.f);
    point a = {x, y}, b = {x + length * cosf(angle), y + length * sinf(angle)};
    float width = ssti_draw_between(random, 0.4f, 1.1f);
    ink_piece(c, a, b, width, width, brightness * ssti_draw_between(random, 0.3f, 1.f));
  }
}

// Background that grows in one direction, ink over it, noise over both, and bytes.
static void develop(const canvas *c, ssti_random *random, uint8_t *pixels) {
  float base = ssti_draw_between(random, 0.f, PAPER);
  float gx = ssti_draw_between(random, -PAPER, PAPER) / SIDE, gy = ssti_draw_between(random, -PAPER, PAPER) / SIDE;
  // The sum of a word's four bytes is nearly normal, with deviation sqrt(4 * (256^2 - 1) / 12) = 147.8 around 510.
  float noise = ssti_draw_between(random, NOISE_LOW, NOISE_HIGH) / 147.8f;
  uint32_t words[4] = {0};
  for (int i = 0; i < SSTI_DIGIT_PIXELS; i++) {
    if (i % 4 == 0) { ssti_random_words(random->seed, random->stream, random->next++, words); }
    uint32_t word = words[i % 4];
    float grain = (float)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)) - 510.f;
    int row = i / SIDE, column = i % SIDE;
    float paper = base + gx * (float)column + gy * (float)row;
    paper = paper < 0.f ? 0.f : paper;
    float value = paper + (1.f - paper) * c->ink[i] + noise * grain;
    pixels[i] = (uint8_t)(clamp(value, 0.f, 1.f) * 255.f + 0.5f);
  }
}

// ---- the set ----

// Every ten pictures in a row hold each class once, in an order that changes from ten to ten.
static int digit_of(uint64_t seed, uint64_t stream, int64_t index) {
  uint64_t start = ssti_random_below(seed, stream, (uint64_t)(index / 10), 40);
  static const int STRIDES[4] = {1, 3, 7, 9}; // those without a common divisor with 10
  return (int)((start / 4 + (uint64_t)(index % 10) * (uint64_t)STRIDES[start % 4]) % 10);
}

typedef struct drawing {
  uint64_t seed, classes, stream;
  uint8_t *pixels, *labels;
} drawing;

static int draw(const drawing *d, int64_t index, uint8_t *pixels) {
  canvas c;
  memset(&c, 0, sizeof c);
  ssti_random random = ssti_random_begin(d->seed, ssti_random_stream_with(d->stream, (uint64_t)index));
  int digit = digit_of(d->seed, d->classes, index);
  float brightness = ssti_draw_between(&random, INK_LOW, INK_HIGH);
  ink_digit(&c, &random, digit, brightness);
  ink_clutter(&c, &random, brightness * CLUTTER_INK);
  develop(&c, &random, pixels);
  return digit;
}

static void draw_range(void *arg, int64_t begin, int64_t end) {
  const drawing *d = arg;
  for (int64_t i = begin; i < end; i++) { d->labels[i] = (uint8_t)draw(d, i, d->pixels + i * SSTI_DIGIT_PIXELS); }
}

static drawing begin_drawing(uint64_t seed, bool train, uint8_t *pixels, uint8_t *labels) {
  uint64_t stream = ssti_random_stream(train ? "digits train" : "digits test");
  return (drawing){seed, ssti_random_stream_with(stream, UINT64_MAX), stream, pixels, labels};
}

void ssti_digits_draw(sst_context *context, uint64_t seed, bool train, int64_t count, uint8_t *pixels,
                      uint8_t *labels) {
  drawing d = begin_drawing(seed, train, pixels, labels);
  ssti_parallel_for(context, count, GRAIN, draw_range, &d);
}

int ssti_digits_draw_one(uint64_t seed, bool train, int64_t index, uint8_t *pixels) {
  const drawing d = begin_drawing(seed, train, pixels, NULL);
  return draw(&d, index, pixels);
}
