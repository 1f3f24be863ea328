// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the reader (odd: labels), the second a limit; the rest is the file: 4x4 pictures, plain or
// gzip.
#include <stdlib.h>

#include "data/idx.h"
#include "spikestill/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  uint8_t *out = NULL;
  int64_t count = 0;
  if (size < 2 || sst_context_create(NULL, &context) != SST_OK) { return 0; }
  sst_status status = data[0] % 2 == 1
                          ? ssti_idx_read_labels(context, "input", data + 2, size - 2, 10, data[1], &out, &count)
                          : ssti_idx_read_pictures(context, "input", data + 2, size - 2, 4, 4, data[1], &out, &count);
  // A failure leaves nothing, a success what it says: reading the last byte lets the sanitizer judge.
  if (status == SST_OK ? count < 1 || out == NULL : out != NULL) { abort(); }
  volatile uint8_t last = status == SST_OK ? out[(data[0] % 2 == 1 ? 1 : 16) * count - 1] : 0;
  (void)last;
  ssti_free(context, out);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
