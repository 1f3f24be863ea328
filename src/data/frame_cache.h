// SPDX-License-Identifier: Apache-2.0
// Framed recordings kept in a file, so that the recordings are read and counted once. What a file is good for is
// written in it as text: data set, format, settings, and name, size and time of change of each recording. A file whose
// text differs, or that is damaged, is as good as none.
#ifndef SPIKESTILL_DATA_FRAME_CACHE_H
#define SPIKESTILL_DATA_FRAME_CACHE_H

#include "base/text.h"
#include "spikestill/events.h"

// The text. Begin with the data set's word and part, add whatever the frames depend on, then the files.
ssti_text ssti_frame_cache_key(sst_context *context, const char *dataset, const sst_framing *framing);
void ssti_frame_cache_key_add_file(ssti_text *key, const char *path);

// The folder of caches: $XDG_CACHE_HOME/spikestill, else $HOME/.cache/spikestill; owned by the caller.
// Errors: NOT_FOUND: neither variable is set.
sst_status ssti_frame_cache_folder(sst_context *context, char **out);

typedef struct ssti_framed {
  int64_t count, timesteps, height, width, channels;
  uint8_t *counts; // [count,T,H,W,C], owned
  int32_t *labels; // [count], owned
} ssti_framed;
void ssti_framed_free(sst_context *context, ssti_framed *framed);

// Reads what is kept for the key. *found is false, and *framed empty, if there is nothing or it cannot be used; the log
// says why. Errors: OUT_OF_MEMORY.
sst_status ssti_frame_cache_load(sst_context *context, const char *folder, const ssti_text *key, ssti_framed *framed,
                                 bool *found);

// Keeps it, in place of what was there; the file is complete or not there. Errors: IO.
sst_status ssti_frame_cache_store(sst_context *context, const char *folder, const ssti_text *key,
                                  const ssti_framed *framed);

#endif
