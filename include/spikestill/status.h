// SPDX-License-Identifier: Apache-2.0
// The result of every function that can fail. The sentence with the numbers is in the context: sst_context_message().
#ifndef SPIKESTILL_STATUS_H
#define SPIKESTILL_STATUS_H

#if defined(__GNUC__)
#define SST_API __attribute__((visibility("default")))
#define SST_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#define SST_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SST_API
#define SST_PRINTF(format_index, first_argument)
#define SST_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

// X(name, text): the one list of results; enum, names and texts derive from it. Values are stable: append only.
#define SST_STATUS_LIST(X)                                                                                             \
  X(OK, "done")                                                                                                        \
  X(INVALID_ARGUMENT, "an argument is outside its range")                                                              \
  X(OUT_OF_MEMORY, "memory could not be allocated")                                                                    \
  X(NOT_FOUND, "a named thing does not exist")                                                                         \
  X(IO, "a file could not be read or written")                                                                         \
  X(FORMAT, "a file's content is not what its format demands")                                                         \
  X(RECIPE, "the recipe is not valid")                                                                                 \
  X(SHAPE, "shapes do not fit together")                                                                               \
  X(MISMATCH, "two things that must agree do not")                                                                     \
  X(UNSUPPORTED, "this build or machine cannot do it")                                                                 \
  X(NOT_FINITE, "a value is not finite")                                                                               \
  X(INTERRUPTED, "stopped on request; what was done is saved")

typedef enum sst_status {
#define SST_STATUS_ENUM(name, text) SST_##name,
  SST_STATUS_LIST(SST_STATUS_ENUM)
#undef SST_STATUS_ENUM
} sst_status;

// The status' name without its prefix ("OUT_OF_MEMORY"); "UNKNOWN" for a value outside the list. Static storage.
SST_API const char *sst_status_name(sst_status status);

// One general sentence for the status. Static storage. The particular sentence is sst_context_message()'s.
SST_API const char *sst_status_text(sst_status status);

#ifdef __cplusplus
}
#endif
#endif
