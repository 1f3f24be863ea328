// SPDX-License-Identifier: Apache-2.0
#include "data/event_augment.h"

#include <math.h>
#include <string.h>

#include "data/augment.h"

enum { MAX_PIXELS = 1024, MAX_SHEAR = 60 };

static sst_status check_pixels(sst_context *context, const char *what, int value) {
  if (value < 0 || value > MAX_PIXELS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "event augmentation: found %s of %d pixels, expected 0 to %d", what, value,
             MAX_PIXELS);
  }
  return SST_OK;
}

static sst_status check_amount(sst_context *context, const char *what, float value, float most) {
  if (!(value >= 0.f && value <= most)) { // also catches NaN
    SST_FAIL(context, SST_INVALID_ARGUMENT, "event augmentation: found %s of %g, expected 0 (off) to %g", what,
             (double)value, (double)most);
  }
  return SST_OK;
}

sst_status ssti_event_augmentation_check(sst_context *context, const sst_event_augmentation *options) {
  SST_TRY(check_pixels(context, "a roll", options->roll));
  SST_TRY(check_pixels(context, "a cutout", options->cutout));
  SST_TRY(check_amount(context, "a shear", options->shear, (float)MAX_SHEAR));
  SST_TRY(check_amount(context, "a drop by time", options->drop_time, 1.f));
  SST_TRY(check_amount(context, "a drop by area", options->drop_area, 1.f));
  return check_amount(context, "a drop by point", options->drop_point, 1.f);
}

static size_t frame_size(const ssti_frames *f) { return (size_t)f->height * (size_t)f->width * (size_t)f->channels; }

static uint8_t *frame_at(const ssti_frames *f, int64_t t) { return f->counts + (size_t)t * frame_size(f); }

// ---- moving ----

static void flip(const ssti_frames *f) {
  for (int64_t t = 0; t < f->timesteps; t++) {
    ssti_byte_picture picture = {
        .bytes = frame_at(f, t), .room = f->room, .height = f->height, .width = f->width, .channels = f->channels};
    ssti_picture_flip(&picture);
  }
}

// The pixel at (x, y) goes to (x + dx, y + dy), around the borders.
static void roll(const ssti_frames *f, int dx, int dy) {
  size_t pixel = (size_t)f->channels, row = (size_t)f->width * pixel;
  int right = ((dx % f->width) + f->width) % f->width, down = ((dy % f->height) + f->height) % f->height;
  size_t head = (size_t)(f->width - right) * pixel;
  for (int64_t t = 0; t < f->timesteps; t++) {
    uint8_t *frame = frame_at(f, t);
    memcpy(f->room, frame, frame_size(f));
    for (int y = 0; y < f->height; y++) {
      const uint8_t *from = f->room + (size_t)y * row;
      uint8_t *to = frame + (size_t)((y + down) % f->height) * row;
      memcpy(to + row - head, from, head);
      memcpy(to, from + head, row - head);
    }
  }
}

// Row y goes sideways by slope * (y - middle), rounded to whole pixels; zeros come in.
static void shear(const ssti_frames *f, float slope) {
  size_t pixel = (size_t)f->channels, row = (size_t)f->width * pixel;
  for (int y = 0; y < f->height; y++) {
    long shift = lrintf(slope * ((float)y - (float)(f->height - 1) * 0.5f));
    size_t far = (size_t)(shift < 0 ? -shift : shift), moved = far < (size_t)f->width ? far * pixel : row;
    for (int64_t t = 0; t < f->timesteps; t++) {
      uint8_t *bytes = frame_at(f, t) + (size_t)y * row;
      memmove(shift > 0 ? bytes + moved : bytes, shift > 0 ? bytes : bytes + moved, row - moved);
      memset(shift > 0 ? bytes : bytes + row - moved, 0, moved);
    }
  }
}

// ---- losing ----

static void empty_box(const ssti_frames *f, ssti_cutout box) {
  size_t pixel = (size_t)f->channels;
  if (box.right <= box.left) { return; }
  for (int64_t t = 0; t < f->timesteps; t++) {
    for (int y = box.top; y < box.bottom; y++) {
      uint8_t *start = frame_at(f, t) + ((size_t)y * (size_t)f->width + (size_t)box.left) * pixel;
      memset(start, 0, (size_t)(box.right - box.left) * pixel);
    }
  }
}

// Loses each event of the counts with that probability.
static void thin(uint8_t *counts, size_t size, float probability, ssti_random *random) {
  for (size_t i = 0; i < size; i++) {
    for (int events = counts[i]; events > 0; events--) {
      if (ssti_draw_uniform(random) < probability) { counts[i]--; }
    }
  }
}

static void drop_time(const ssti_frames *f, float most, ssti_random *random) {
  float share = most * ssti_draw_uniform(random), start = (1.f - share) * ssti_draw_uniform(random);
  float begin = start * (float)f->timesteps, end = (start + share) * (float)f->timesteps;
  for (int64_t t = 0; t < f->timesteps; t++) {
    float covered = fminf(end, (float)(t + 1)) - fmaxf(begin, (float)t);
    if (covered >= 1.f) {
      memset(frame_at(f, t), 0, frame_size(f));
    } else if (covered > 0.f) {
      thin(frame_at(f, t), frame_size(f), covered, random);
    }
  }
}

static void drop_area(const ssti_frames *f, float most, ssti_random *random) {
  float share = most * ssti_draw_uniform(random);
  int height = (int)lrintf(share * (float)f->height), width = (int)lrintf(share * (float)f->width);
  int top = (int)ssti_draw_below(random, (uint64_t)(f->height - height) + 1);
  int left = (int)ssti_draw_below(random, (uint64_t)(f->width - width) + 1);
  empty_box(f, (ssti_cutout){top, top + height, left, left + width});
}

void ssti_event_augment(ssti_frames *frames, const sst_event_augmentation *options, ssti_random *random) {
  if (options->flip && ssti_draw_below(random, 2) == 1) { flip(frames); }
  if (options->roll > 0) {
    uint64_t places = 2 * (uint64_t)options->roll + 1;
    int dx = (int)ssti_draw_below(random, places) - options->roll;
    int dy = (int)ssti_draw_below(random, places) - options->roll;
    roll(frames, dx, dy);
  }
  if (options->shear > 0.f) {
    float angle = ssti_draw_between(random, -options->shear, options->shear);
    shear(frames, tanf(angle * 0.017453293f)); // degrees to radians
  }
  if (options->cutout > 0) {
    empty_box(frames, ssti_cutout_draw(frames->height, frames->width, options->cutout, random));
  }
  if (options->drop_time > 0.f) { drop_time(frames, options->drop_time, random); }
  if (options->drop_area > 0.f) { drop_area(frames, options->drop_area, random); }
  if (options->drop_point > 0.f) {
    float share = options->drop_point * ssti_draw_uniform(random);
    thin(frames->counts, (size_t)frames->timesteps * frame_size(frames), share, random);
  }
}
