// SPDX-License-Identifier: Apache-2.0
// The words of the devices.
#include "spikestill/device.h"

#include <stddef.h>
#include <string.h>

static const char *const words[] = {
#define DEVICE_WORD(name, word, text) word,
    SST_DEVICE_LIST(DEVICE_WORD)
#undef DEVICE_WORD
};

const char *sst_device_word(sst_device device) {
  return (int)device >= 0 && device < SST_DEVICE_COUNT ? words[device] : "unknown";
}

bool sst_device_parse(const char *word, sst_device *out) {
  if (word == NULL) { return false; }
  for (int i = 0; i < SST_DEVICE_COUNT; i++) {
    if (strcmp(word, words[i]) == 0) {
      *out = (sst_device)i;
      return true;
    }
  }
  return false;
}
