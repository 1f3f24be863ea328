// SPDX-License-Identifier: Apache-2.0
// Settings of event data: how a recording becomes frames, and what is done to frames while training.
#ifndef SPIKESTILL_EVENTS_H
#define SPIKESTILL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "spikestill/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a recording of N events at times t[0] <= ... <= t[N-1] is cut into frames of counts. The words name the two usual
// tools, SpikingJelly and Tonic, whose results they give exactly where those give one; M is `frames`, D is `window_us`.
// X(NAME, "word", "one line")
#define SST_FRAMING_LIST(X)                                                                                            \
  X(SJ_NUMBER, "sj-number", "M frames of N / M events each, rounded down; the last takes the remainder too")           \
  X(SJ_TIME, "sj-time", "M frames of (t[N-1] - t[0]) / M us, rounded down; the last takes all that is left")           \
  X(SJ_DURATION, "sj-duration", "frames of D us from t[0] on; an event exactly at the end joins the last")             \
  X(TONIC_TIME, "tonic-time", "whole windows of D us from t[0] on; what follows the last whole one is left out")       \
  X(TONIC_COUNT, "tonic-count", "frames of `count` events each; what does not fill a frame is left out")               \
  X(TONIC_NBINS, "tonic-nbins", "M frames of (t[N-1] - t[0]) / M us, rounded down; the remainder is left out")
typedef enum sst_framing_mode {
#define SST_FRAMING_ENUM(name, word, text) SST_FRAMING_##name,
  SST_FRAMING_LIST(SST_FRAMING_ENUM)
#undef SST_FRAMING_ENUM
      SST_FRAMING_COUNT
} sst_framing_mode;

typedef struct sst_framing {
  sst_framing_mode mode;
  // Frames handed out, the network's T. Where the mode itself makes fewer, frames of zeros follow; where it makes more,
  // the first ones are taken. 1 to 4096.
  int64_t frames;
  int64_t window_us; // sj-duration and tonic-time: length of a frame in microseconds, at least 1
  int64_t count;     // tonic-count: events a frame, at least 1
} sst_framing;

// The word used in recipes and on the command line, and back; false for an unknown word.
SST_API const char *sst_framing_word(sst_framing_mode mode);
SST_API bool sst_framing_parse(const char *word, sst_framing_mode *out);

// Changes of framed recordings, the same for all frames of one. Each is drawn anew for each recording and epoch; they
// are made in this order.
typedef struct sst_event_augmentation {
  bool flip;        // left-right with probability 1/2
  int roll;         // moved by -roll..roll pixels each way; what leaves on one side enters on the other; 0: off
  float shear;      // rows pushed sideways, by an angle of -shear..shear degrees; 0 (off) to 60
  int cutout;       // side of a square that is emptied, with its centre anywhere; 0: off
  float drop_time;  // a stretch of time up to this share of the recording loses its events; 0 (off) to 1
  float drop_area;  // a box of up to this share of height and width loses its events; 0 (off) to 1
  float drop_point; // each event is lost with a probability drawn from 0 to this share; 0 (off) to 1
} sst_event_augmentation;

#ifdef __cplusplus
}
#endif
#endif
