// SPDX-License-Identifier: Apache-2.0
// The words of devices and precisions.
#include "spikestill/device.h"

#include <stddef.h>

#include "base/text.h"
#include "spikestill/precision.h"

static const char *const words[] = {
#define DEVICE_WORD(name, word, text) word,
    SST_DEVICE_LIST(DEVICE_WORD)
#undef DEVICE_WORD
};

const char *sst_device_word(sst_device device) {
  return (int)device >= 0 && device < SST_DEVICE_COUNT ? words[device] : "unknown";
}

bool sst_device_parse(const char *word, sst_device *out) {
  const int found = ssti_find_word(word, words, SST_DEVICE_COUNT);
  if (found >= 0) { *out = (sst_device)found; }
  return found >= 0;
}

static const char *const precision_words[] = {
#define PRECISION_WORD(name, word, text) word,
    SST_PRECISION_LIST(PRECISION_WORD)
#undef PRECISION_WORD
};

const char *sst_precision_word(sst_precision precision) {
  return (int)precision >= 0 && precision < SST_PRECISION_COUNT ? precision_words[precision] : "unknown";
}

bool sst_precision_parse(const char *word, sst_precision *out) {
  const int found = ssti_find_word(word, precision_words, SST_PRECISION_COUNT);
  if (found >= 0) { *out = (sst_precision)found; }
  return found >= 0;
}
