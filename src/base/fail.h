// SPDX-License-Identifier: Apache-2.0
// How a failure travels: SST_FAIL writes the sentence into the context and returns the code, which it says by itself so
// that whoever reads the code (clang-tidy too) sees that it is none of success; SST_TRY passes it on.
#ifndef SPIKESTILL_BASE_FAIL_H
#define SPIKESTILL_BASE_FAIL_H

#include <assert.h>

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// Keeps the sentence in the context (thread-safe; the last one wins) and returns `status`.
sst_status ssti_fail(sst_context *context, sst_status status, const char *format, ...) SST_PRINTF(3, 4);

// Puts "prefix: " before the sentence that is there: for callers who know where the trouble is (a layer, a file).
// Returns `status` unchanged.
sst_status ssti_fail_within(sst_context *context, sst_status status, const char *format, ...) SST_PRINTF(3, 4);

// Copies the sentence of the last failure, cut to `size` bytes with its end. For threads that hand a failure on.
void ssti_fail_copy(sst_context *context, char *out, size_t size);

// `status` is evaluated twice, the second time after the sentence was made: no calls and no errno in it.
#define SST_FAIL(context, status, ...) return (void)ssti_fail((context), (status), __VA_ARGS__), (status)

#define SST_TRY(expression)                                                                                            \
  do {                                                                                                                 \
    sst_status sst_try_status = (expression);                                                                          \
    if (sst_try_status != SST_OK) { return sst_try_status; }                                                           \
  } while (0)

// The same inside a function that must clean up: `status` and the label `done` are the function's own.
#define SST_TRY_GOTO(expression)                                                                                       \
  do {                                                                                                                 \
    status = (expression);                                                                                             \
    if (status != SST_OK) { goto done; }                                                                               \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
