// SPDX-License-Identifier: Apache-2.0
// The context: everything the library would otherwise keep in globals. Allocator, log, thread count, the last error's
// sentence and the stop request. Objects made with a context borrow it until they are destroyed.
// One thread calls into a context at a time; the library's own workers are an exception it takes care of itself.
#ifndef SPIKESTILL_CONTEXT_H
#define SPIKESTILL_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spikestill/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_context sst_context;

typedef enum sst_log_level { SST_LOG_DEBUG, SST_LOG_INFO, SST_LOG_WARNING, SST_LOG_ERROR } sst_log_level;

// Receives one line without its line end. `line` is borrowed until the function returns. Called by one thread at a
// time.
typedef void sst_log_function(void *user, sst_log_level level, const char *line);

// Both functions or none. `allocate` returns memory aligned to 64 bytes, or NULL; `release` gets what it returned.
// Both may be called by several threads at once.
typedef struct sst_allocator {
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  void *user;
} sst_allocator;

// Asked before a file operation ("open", "read", "write", "flush", "rename", "mkdir"); false makes it fail as if the
// operating system had refused it. For tests and for sandboxing; NULL allows everything.
typedef bool sst_io_gate(void *user, const char *operation, const char *path);

typedef struct sst_context_options {
  sst_allocator allocator; // all NULL: the C library's
  sst_log_function *log;   // NULL: no log
  void *log_user;
  sst_io_gate *io_gate;
  void *io_gate_user;
  int threads; // worker threads of one computation, 1..1024; 0: as many as this process may run at once
} sst_context_options;

// Makes a context. `options` may be NULL for all defaults; it is copied. On failure *out is NULL.
// Errors: INVALID_ARGUMENT (half an allocator, threads out of range), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_context_create(const sst_context_options *options, sst_context **out);

// Ends the context. Everything made with it must be gone. NULL is allowed.
SST_API void sst_context_destroy(sst_context *context);

// The sentence that explains the last failed call: what, where, found, expected. Empty if none failed.
// Borrowed until the next call that fails in this context.
SST_API const char *sst_context_message(const sst_context *context);

// Threads that one computation uses. At least 1.
SST_API int sst_context_threads(const sst_context *context);

// Asks long operations (training, downloads) to save and return INTERRUPTED at the next safe point.
// Async-signal-safe: may be called from a signal handler.
SST_API void sst_context_request_stop(sst_context *context);

// Whether a stop was requested.
SST_API bool sst_context_stop_requested(const sst_context *context);

// Number of calls of the allocator since the context was made, and bytes currently held. For tests and reports.
SST_API uint64_t sst_context_allocation_count(const sst_context *context);
SST_API uint64_t sst_context_bytes_in_use(const sst_context *context);

#ifdef __cplusplus
}
#endif
#endif
