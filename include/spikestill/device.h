// SPDX-License-Identifier: Apache-2.0
// Where a graph runs. There is no silent fallback from one device to another.
#ifndef SPIKESTILL_DEVICE_H
#define SPIKESTILL_DEVICE_H

#include <stdbool.h>

#include "spikestill/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_DEVICE_LIST(X)                                                                                             \
  X(CPU, "cpu", "oneDNN and SIMD kernels, chosen by the CPU's features at run time")                                   \
  X(CPU_REFERENCE, "cpu-ref", "plain C; the same bits for any number of threads")

typedef enum sst_device {
#define SST_DEVICE_ENUM(name, word, text) SST_DEVICE_##name,
  SST_DEVICE_LIST(SST_DEVICE_ENUM)
#undef SST_DEVICE_ENUM
  SST_DEVICE_COUNT
} sst_device;

// The word used in recipes and on the command line, and back; false for an unknown word.
SST_API const char *sst_device_word(sst_device device);
SST_API bool sst_device_parse(const char *word, sst_device *out);

#ifdef __cplusplus
}
#endif
#endif
