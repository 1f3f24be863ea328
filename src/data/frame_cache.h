// SPDX-License-Identifier: Apache-2.0
// Framed recordings kept in a file, so that recordings are read and counted once. What a file is good for stands in it
// as text: the data set, the settings, and name, size and time of change of each recording. A file whose text differs,
// or that is damaged, is as good as none.
#ifndef SPIKESTILL_DATA_FRAME_CACHE_H
#define SPIKESTILL_DATA_FRAME_CACHE_H

#include "base/file.h"
#include "base/text.h"
#include "spikestill/events.h"

// The text. It begins with what the frames are of ("nmnist train 34x34x2") and how they are counted; the files follow.
// Failures are kept in it, as in every ssti_text. The caller frees it.
ssti_text ssti_frame_cache_key(sst_context *context, const char *what, const sst_framing *framing);
void ssti_frame_cache_key_add_file(ssti_text *key, const char *path);

// The folder of caches: $XDG_CACHE_HOME/spikestill, else $HOME/.cache/spikestill; owned by the caller.
// Errors: NOT_FOUND: neither variable is set.
sst_status ssti_frame_cache_folder(sst_context *context, char **out);

// The recordings of a data set as frames.
typedef struct ssti_framed {
  int64_t count, timesteps, height, width, channels;
  int32_t *labels;      // [count]
  uint8_t *counts;      // [count,T,H,W,C]
  void *block;          // owned; both lie in it,
  ssti_file_bytes file; // or in a file's bytes, which are only read
} ssti_framed;

// Room for the sizes in *framed; all 0. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY.
sst_status ssti_framed_allocate(sst_context *context, ssti_framed *framed);
void ssti_framed_free(sst_context *context, ssti_framed *framed);

// Reads what the folder has for the key. *found is false, and *framed empty, if there is nothing or it cannot be used;
// the log says why. Errors: OUT_OF_MEMORY.
sst_status ssti_frame_cache_load(sst_context *context, const char *folder, const ssti_text *key, ssti_framed *framed,
                                 bool *found);

// Keeps it, in place of what was there; the file is complete or not there. The folder is made. Errors: IO.
sst_status ssti_frame_cache_store(sst_context *context, const char *folder, const ssti_text *key,
                                  const ssti_framed *framed);

#endif
