// SPDX-License-Identifier: Apache-2.0
#include "spikestill/context.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/context_device.h"
#include "base/context_state.h"

enum { MAX_THREADS = 1024, BLOCK_ALIGNMENT = 64 };

static void *default_allocate(void *user, size_t bytes) {
  (void)user;
  if (bytes > SIZE_MAX - BLOCK_ALIGNMENT) { return NULL; }
  // aligned_alloc wants a multiple of the alignment.
  size_t rounded = (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
  return aligned_alloc(BLOCK_ALIGNMENT, rounded == 0 ? BLOCK_ALIGNMENT : rounded);
}

static void default_release(void *user, void *memory) {
  (void)user;
  free(memory);
}

// The processors this process may run on, which is what a container or taskset leaves it, not what the machine has.
static int available_processors(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  long count = 0;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    count = CPU_COUNT(&set);
  } else {
    count = sysconf(_SC_NPROCESSORS_ONLN); // a machine with more processors than cpu_set_t has bits
  }
  if (count < 1) { return 1; }
  return count > MAX_THREADS ? MAX_THREADS : (int)count;
}

sst_status sst_context_create(const sst_context_options *options, sst_context **out) {
  if (out == NULL) { return SST_INVALID_ARGUMENT; }
  *out = NULL;
  const sst_context_options none = {0};
  const sst_context_options *given = options == NULL ? &none : options;
  if (given->threads < 0 || given->threads > MAX_THREADS) { return SST_INVALID_ARGUMENT; }
  if ((given->allocator.allocate == NULL) != (given->allocator.release == NULL)) { return SST_INVALID_ARGUMENT; }

  bool default_allocator = given->allocator.allocate == NULL;
  sst_allocator allocator = given->allocator;
  if (default_allocator) { allocator = (sst_allocator){default_allocate, default_release, NULL}; }

  // Not counted among the context's own allocations: bytes in use are 0 when everything made with it is gone.
  sst_context *context = allocator.allocate(allocator.user, sizeof *context);
  if (context == NULL) { return SST_OUT_OF_MEMORY; }
  memset(context, 0, sizeof *context);
  context->allocator = allocator;
  context->default_allocator = default_allocator;
  context->crossover = sst_crossover_default();
  context->log = given->log;
  context->log_user = given->log_user;
  context->io_gate = given->io_gate;
  context->io_gate_user = given->io_gate_user;
  context->threads = given->threads == 0 ? available_processors() : given->threads;
  atomic_init(&context->stop, false);
  atomic_init(&context->allocation_count, 0);
  atomic_init(&context->bytes_in_use, 0);
  // With default attributes these cannot fail on Linux; the results are not worth three more error paths.
  pthread_mutex_init(&context->log_mutex, NULL);
  pthread_mutex_init(&context->message_mutex, NULL);
  pthread_mutex_init(&context->pool_mutex, NULL);
  pthread_mutex_init(&context->device_mutex, NULL);
  *out = context;
  return SST_OK;
}

void sst_context_destroy(sst_context *context) {
  if (context == NULL) { return; }
  ssti_parallel_end(context);
  pthread_mutex_destroy(&context->device_mutex);
  pthread_mutex_destroy(&context->pool_mutex);
  pthread_mutex_destroy(&context->message_mutex);
  pthread_mutex_destroy(&context->log_mutex);
  sst_allocator allocator = context->allocator;
  allocator.release(allocator.user, context);
}

void **ssti_context_device_enter(sst_context *context) {
  pthread_mutex_lock(&context->device_mutex);
  return &context->device;
}

void ssti_context_device_leave(sst_context *context) { pthread_mutex_unlock(&context->device_mutex); }

const char *sst_context_message(const sst_context *context) { return context == NULL ? "" : context->message; }

int sst_context_threads(const sst_context *context) { return context == NULL ? 1 : context->threads; }

void sst_context_request_stop(sst_context *context) {
  if (context != NULL) { atomic_store(&context->stop, true); }
}

bool sst_context_stop_requested(const sst_context *context) { return context != NULL && atomic_load(&context->stop); }

uint64_t sst_context_allocation_count(const sst_context *context) {
  return context == NULL ? 0 : atomic_load(&context->allocation_count);
}

uint64_t sst_context_bytes_in_use(const sst_context *context) {
  return context == NULL ? 0 : atomic_load(&context->bytes_in_use);
}
