// SPDX-License-Identifier: Apache-2.0
// The first byte chooses how small the picture is wanted; the rest is the file. What decodes is fitted too.
#include <stdlib.h>

#include "data/picture_codec.h"
#include "spikestill/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { LEAST = 1, MOST = 64, FUZZED_PIXELS = 1 << 22 };
  sst_context *context = NULL;
  ssti_picture_room room = {0};
  uint8_t out[MOST * MOST * 3];
  if (size < 1 || sst_context_create(NULL, &context) != SST_OK) { return 0; }
  const int side = LEAST + data[0] % MOST;
  const sst_status status = ssti_picture_decode(context, "input", data + 1, size - 1, side, side, &room);
  if (status == SST_OK) {
    if (room.width < 1 || room.height < 1 || (size_t)room.width * (size_t)room.height * 3 > room.pixels_capacity) {
      abort();
    }
    // Large flat pictures are rightly decoded, but nothing more is learned from shrinking them.
    if (room.width * room.height <= FUZZED_PIXELS && ssti_picture_fit(context, &room, side, side, out) != SST_OK) {
      abort();
    }
  }
  ssti_picture_room_free(context, &room);
  sst_context_destroy(context);
  return 0;
}
