// SPDX-License-Identifier: Apache-2.0
// Where a graph runs. There is no silent fallback from one device to another.
#ifndef SPIKESTILL_DEVICE_H
#define SPIKESTILL_DEVICE_H

#include <stdbool.h>

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_DEVICE_LIST(X)                                                                                             \
  X(CPU, "cpu", "oneDNN and SIMD kernels, chosen by the CPU's features at run time")                                   \
  X(CPU_REFERENCE, "cpu-ref", "plain C; the same bits for any number of threads")                                      \
  X(CUDA, "cuda", "an NVIDIA card; only where this was built with CUDA, see docs/gpu.md")

typedef enum sst_device {
#define SST_DEVICE_ENUM(name, word, text) SST_DEVICE_##name,
  SST_DEVICE_LIST(SST_DEVICE_ENUM)
#undef SST_DEVICE_ENUM
      SST_DEVICE_COUNT
} sst_device;

// The word used in recipes and on the command line, and back; false for an unknown word.
SST_API const char *sst_device_word(sst_device device);
SST_API bool sst_device_parse(const char *word, sst_device *out);

// Whether graphs can run there: OK, or why not in one sentence. Errors: UNSUPPORTED (not built in, no card, driver or
// card too old), INVALID_ARGUMENT (no such device), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_device_check(sst_context *context, sst_device device);

// Of a card that is there: what it is called, and its memory.
typedef struct sst_device_info {
  char name[256];
  size_t memory_bytes;
  // That tensors of this context take there now, and took at most since the first of those that are there came.
  size_t used_bytes, most_bytes;
  int driver, runtime; // CUDA versions: 1000 * major + 10 * minor
  int capability;      // 10 * major + minor
} sst_device_info;
// Errors: as sst_device_check; UNSUPPORTED for devices that are no card.
SST_MUST_CHECK SST_API sst_status sst_device_describe(sst_context *context, sst_device device, sst_device_info *out);

#ifdef __cplusplus
}
#endif
#endif
