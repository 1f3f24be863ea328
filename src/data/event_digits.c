// SPDX-License-Identifier: Apache-2.0
// A drawn digit is moved in front of the camera along a triangle, three jumps of 100 ms as an eye makes them and as
// N-MNIST was recorded (Orchard, Jayawant, Cohen, Thakor 2015, "Converting static image datasets to spiking
// neuromorphic datasets using saccades"). A pixel remembers the logarithm of the brightness at its last event and sends
// another each time the present one is a threshold away from it; in between, brightness changes evenly, which gives the
// times (Rebecq, Gehrig, Scaramuzza 2018, "ESIM: an Open Event Camera Simulator"). Each pixel's thresholds are a little
// off, always the same way for one seed, and each sends events without cause now and then.
#include "data/event_digits.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "data/digits.h"

enum {
  SIDE = SSTI_EVENT_DIGIT_SIDE,
  PIXELS = SIDE * SIDE,
  JUMPS = 3,
  STEPS = 24, // of the simulation in a jump
  JUMP_US = 100000,
  BORDER = 8, // around the drawing; the picture's own border goes on there
  SCENE = SSTI_DIGIT_SIDE + 2 * BORDER,
  TABLE = 1024,
};

static const float RADIUS_LOW = 1.6f, RADIUS_HIGH = 2.6f; // of the triangle's corners, in pixels
static const float AWAY = 0.4f;                           // how far a corner may lie from its place
static const float DARK = 0.2f;                           // added to the brightness 0..1 before the logarithm
static const float THRESHOLD = 0.3f, MISMATCH = 0.1f;     // mean, and deviation as a share of it
static const float NOISE_HZ = 0.5f;                       // events of a pixel without cause

typedef struct place {
  float x, y;
} place;

typedef struct simulation {
  ssti_random random;
  ssti_events *events;
  float scene[SCENE * SCENE]; // brightness, 0 to TABLE
  float logarithm[TABLE + 1];
  float brighter[PIXELS], darker[PIXELS]; // thresholds
  float last[PIXELS];                     // logarithm at the last event
  float now[PIXELS];                      // and at the present step
} simulation;

static int inside(int value) { return value < 0 ? 0 : value >= SSTI_DIGIT_SIDE ? SSTI_DIGIT_SIDE - 1 : value; }

static void set_scene(simulation *s, const uint8_t *pixels) {
  for (int y = 0; y < SCENE; y++) {
    for (int x = 0; x < SCENE; x++) {
      s->scene[y * SCENE + x] =
          (float)pixels[inside(y - BORDER) * SSTI_DIGIT_SIDE + inside(x - BORDER)] * TABLE / 255.f;
    }
  }
  for (int i = 0; i <= TABLE; i++) { s->logarithm[i] = logf((float)i / TABLE + DARK); }
}

// The camera is one thing: its thresholds depend on the seed alone.
static void set_thresholds(simulation *s, uint64_t seed) {
  ssti_random random = ssti_random_begin(seed, ssti_random_stream("event digits camera"));
  for (int i = 0; i < 2 * PIXELS; i++) {
    float off = MISMATCH * ssti_draw_normal(&random);
    off = off < -0.5f ? -0.5f : off;
    *(i < PIXELS ? &s->brighter[i] : &s->darker[i - PIXELS]) = THRESHOLD * (1.f + off);
  }
}

// What each pixel sees, with the drawing moved by `at` from the middle. The part of a pixel that it is moved by is the
// same for all, so that so are the weights of the four pixels around.
static void look(simulation *s, place at, float *seen) {
  float left = (float)(SCENE - SIDE) * 0.5f - at.x, top = (float)(SCENE - SIDE) * 0.5f - at.y;
  int x0 = (int)floorf(left), y0 = (int)floorf(top);
  float fx = left - (float)x0, fy = top - (float)y0;
  float a = (1.f - fx) * (1.f - fy), b = fx * (1.f - fy), c = (1.f - fx) * fy, d = fx * fy;
  assert(x0 >= 0 && y0 >= 0 && x0 + SIDE < SCENE && y0 + SIDE < SCENE);
  for (int y = 0; y < SIDE; y++) {
    const float *upper = &s->scene[(y + y0) * SCENE + x0], *lower = upper + SCENE;
    for (int x = 0; x < SIDE; x++) {
      float value = a * upper[x] + b * upper[x + 1] + c * lower[x] + d * lower[x + 1];
      seen[y * SIDE + x] = s->logarithm[(int)(value + 0.5f)];
    }
  }
}

// The pixel's events while what it sees goes from s->now to `next`.
static sst_status pixel_events(simulation *s, int pixel, float next, float begin_us, float step_us) {
  float change = next - s->now[pixel];
  bool up = change > 0.f;
  float threshold = up ? s->brighter[pixel] : -s->darker[pixel];
  for (float at = s->last[pixel] + threshold; up ? at <= next : at >= next; at += threshold) {
    float share = (at - s->now[pixel]) / change;
    share = share < 0.f ? 0.f : share > 1.f ? 1.f : share;
    ssti_event event = {(int64_t)(begin_us + share * step_us), (int16_t)(pixel % SIDE), (int16_t)(pixel / SIDE), up};
    SST_TRY(ssti_events_append(s->events, event));
    s->last[pixel] = at;
  }
  s->now[pixel] = next;
  return SST_OK;
}

static sst_status move(simulation *s, place from, place to, float begin_us) {
  const float step_us = (float)JUMP_US / STEPS;
  float seen[PIXELS];
  for (int step = 1; step <= STEPS; step++) {
    float t = (float)step / STEPS, along = t * t * (3.f - 2.f * t); // sets off and arrives gently
    place at = {from.x + along * (to.x - from.x), from.y + along * (to.y - from.y)};
    look(s, at, seen);
    for (int pixel = 0; pixel < PIXELS; pixel++) {
      if (seen[pixel] == s->now[pixel]) { continue; }
      SST_TRY(pixel_events(s, pixel, seen[pixel], begin_us + (float)(step - 1) * step_us, step_us));
    }
  }
  return SST_OK;
}

// Events without cause come at random: the time between two of them is exponential.
static sst_status add_noise(simulation *s) {
  const float mean_us = 1e6f / (NOISE_HZ * PIXELS);
  float t = 0.f;
  for (;;) {
    t -= mean_us * logf(1.f - ssti_draw_uniform(&s->random));
    if (t >= (float)(JUMPS * JUMP_US)) { return SST_OK; }
    uint64_t where = ssti_draw_below(&s->random, (uint64_t)2 * PIXELS);
    int pixel = (int)(where / 2);
    ssti_event event = {(int64_t)t, (int16_t)(pixel % SIDE), (int16_t)(pixel / SIDE), (int8_t)(where % 2)};
    SST_TRY(ssti_events_append(s->events, event));
  }
}

static void draw_corners(simulation *s, place corners[JUMPS]) {
  float radius = ssti_draw_between(&s->random, RADIUS_LOW, RADIUS_HIGH);
  float turn = ssti_draw_between(&s->random, 0.f, 6.2831853f);
  float way = ssti_draw_below(&s->random, 2) == 1 ? 2.0943951f : -2.0943951f; // a third of a circle
  for (int i = 0; i < JUMPS; i++) {
    float dx = ssti_draw_between(&s->random, -AWAY, AWAY), dy = ssti_draw_between(&s->random, -AWAY, AWAY);
    float angle = turn + (float)i * way;
    corners[i] = (place){radius * cosf(angle) + dx, radius * sinf(angle) + dy};
  }
}

sst_status ssti_event_digits_record(uint64_t seed, bool train, int64_t index, ssti_events *events, int *label) {
  assert(events->width == SIDE && events->height == SIDE && events->channels == 2);
  uint8_t pixels[SSTI_DIGIT_PIXELS];
  place corners[JUMPS];
  simulation s;
  uint64_t stream = ssti_random_stream(train ? "event digits train" : "event digits test");
  s.random = ssti_random_begin(seed, ssti_random_stream_with(stream, (uint64_t)index));
  s.events = events;
  ssti_events_clear(events);
  *label = ssti_digits_draw_one(seed, train, index, pixels);
  set_scene(&s, pixels);
  set_thresholds(&s, seed);
  draw_corners(&s, corners);
  look(&s, corners[0], s.now);
  memcpy(s.last, s.now, sizeof s.last);
  for (int jump = 0; jump < JUMPS; jump++) {
    SST_TRY(move(&s, corners[jump], corners[(jump + 1) % JUMPS], (float)(jump * JUMP_US)));
  }
  SST_TRY(add_noise(&s));
  return ssti_events_sort(events);
}
