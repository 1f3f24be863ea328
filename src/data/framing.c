// SPDX-License-Identifier: Apache-2.0
#include "data/framing.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

enum { MAX_FRAMES = 4096 };

static const char *const WORDS[] = {
#define FRAMING_WORD(name, word, text) word,
    SST_FRAMING_LIST(FRAMING_WORD)
#undef FRAMING_WORD
};

const char *sst_framing_word(sst_framing_mode mode) {
  return (int)mode >= 0 && mode < SST_FRAMING_COUNT ? WORDS[mode] : "unknown";
}

bool sst_framing_parse(const char *word, sst_framing_mode *out) {
  const int found = ssti_find_word(word, WORDS, SST_FRAMING_COUNT);
  if (found >= 0) { *out = (sst_framing_mode)found; }
  return found >= 0;
}

sst_status ssti_framing_check(sst_context *context, const sst_framing *framing) {
  if ((int)framing->mode < 0 || framing->mode >= SST_FRAMING_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "framing: found mode %d, expected 0 to %d", (int)framing->mode,
             SST_FRAMING_COUNT - 1);
  }
  if (framing->frames < 1 || framing->frames > MAX_FRAMES) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "framing: found %" PRId64 " frames, expected 1 to %d", framing->frames,
             MAX_FRAMES);
  }
  bool by_window = framing->mode == SST_FRAMING_SJ_DURATION || framing->mode == SST_FRAMING_TONIC_TIME;
  if (by_window && framing->window_us < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "framing: %s: found a window of %" PRId64 " us, expected at least 1",
             WORDS[framing->mode], framing->window_us);
  }
  if (framing->mode == SST_FRAMING_TONIC_COUNT && framing->count < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "framing: %s: found %" PRId64 " events a frame, expected at least 1",
             WORDS[framing->mode], framing->count);
  }
  return SST_OK;
}

// How a recording is cut: the n-th event, or the event n us after the first, belongs to frame n / step. What lies
// beyond the last of the `natural` frames joins that one or is left out. A step of 0 means that no event comes before
// the end.
typedef struct cut {
  bool by_number; // n counts events, not microseconds
  int64_t step, natural;
  bool keeps_rest;
} cut;

static cut plan_cut(const ssti_events *events, const sst_framing *framing) {
  int64_t number = (int64_t)events->count, duration = 0, frames = framing->frames, window = framing->window_us;
  if (number > 0) { duration = events->items[number - 1].t - events->items[0].t; }
  switch (framing->mode) {
  case SST_FRAMING_SJ_NUMBER: return (cut){true, number / frames, frames, true};
  case SST_FRAMING_SJ_TIME: return (cut){false, duration / frames, frames, true};
  case SST_FRAMING_TONIC_NBINS: return (cut){false, duration / frames, frames, false};
  // Rounded up: an event just on the last border belongs to the frame before it.
  case SST_FRAMING_SJ_DURATION: return (cut){false, window, duration / window + (duration % window > 0), true};
  case SST_FRAMING_TONIC_TIME: return (cut){false, window, duration / window, false};
  default: return (cut){true, framing->count, number / framing->count, false};
  }
}

// The plan, with one frame at least for a recording that has events.
static cut plan(const ssti_events *events, const sst_framing *framing) {
  cut c = plan_cut(events, framing);
  if (c.natural == 0 && events->count > 0) { c.natural = 1; }
  return c;
}

int64_t ssti_framing_natural(const ssti_events *events, const sst_framing *framing) {
  return plan(events, framing).natural;
}

void ssti_framing_count(const ssti_events *events, const sst_framing *framing, uint8_t *out) {
  int64_t width = events->width, channels = events->channels, size = events->height * width * channels;
  memset(out, 0, (size_t)(framing->frames * size));
  if (events->count == 0) { return; }
  cut c = plan(events, framing);
  int64_t start = events->items[0].t;
  for (size_t i = 0; i < events->count; i++) {
    const ssti_event *event = &events->items[i];
    int64_t frame = c.step > 0 ? (c.by_number ? (int64_t)i : event->t - start) / c.step : c.natural;
    if (frame >= c.natural) {
      if (!c.keeps_rest) { break; }
      frame = c.natural - 1;
    }
    if (frame >= framing->frames) { break; }
    uint8_t *count = &out[frame * size + (event->y * width + event->x) * channels + event->p];
    if (*count < UINT8_MAX) { ++*count; }
  }
}

void ssti_frames_picture(const uint8_t *counts, int64_t timesteps, int height, int width, int channels, uint8_t *rgb) {
  int64_t pixels = (int64_t)height * width, size = pixels * channels;
  int64_t most = 1; // the first pass finds it, the second paints
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t i = 0; i < pixels; i++) {
      int64_t sums[2] = {0, 0};
      for (int64_t t = 0; t < timesteps; t++) {
        for (int c = 0; c < channels; c++) { sums[c > 0] += counts[t * size + i * channels + c]; }
      }
      int64_t all = sums[0] + sums[1];
      if (pass == 0) {
        most = all > most ? all : most;
        continue;
      }
      // White less what the events absorb: brighter ones leave blue, darker ones red, one channel leaves nothing.
      int64_t not_red = channels == 1 ? sums[0] : sums[1];
      rgb[3 * i] = (uint8_t)(255 - 255 * not_red / most);
      rgb[3 * i + 1] = (uint8_t)(255 - 255 * all / most);
      rgb[3 * i + 2] = (uint8_t)(255 - 255 * sums[0] / most);
    }
  }
}
