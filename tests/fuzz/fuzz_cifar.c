// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the kind (odd: CIFAR-100); the rest is the file.
#include <stdlib.h>

#include "data/cifar.h"
#include "spikestill/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  uint8_t *pixels = NULL, *labels = NULL;
  int64_t count = 0;
  if (size < 1 || sst_context_create(NULL, &context) != SST_OK) { return 0; }
  ssti_cifar_kind kind = data[0] % 2 == 1 ? SSTI_CIFAR_100 : SSTI_CIFAR_10;
  sst_status status = ssti_cifar_count(context, "input", size - 1, kind, &count);
  if (status == SST_OK) { status = ssti_allocate_raw(context, (size_t)count, SSTI_CIFAR_BYTES, &pixels); }
  if (status == SST_OK) { status = ssti_allocate_raw(context, (size_t)count, 1, &labels); }
  if (status == SST_OK) { status = ssti_cifar_read(context, "input", data + 1, count, kind, pixels, labels); }
  for (int64_t i = 0; status == SST_OK && i < count; i++) {
    if (labels[i] >= (kind == SSTI_CIFAR_100 ? 100 : 10)) { abort(); }
  }
  ssti_free(context, pixels);
  ssti_free(context, labels);
  sst_context_destroy(context);
  return 0;
}
