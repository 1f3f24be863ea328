// SPDX-License-Identifier: Apache-2.0
// What a context holds. For the files of base only; every other module sees an opaque sst_context.
#ifndef SPIKESTILL_BASE_CONTEXT_STATE_H
#define SPIKESTILL_BASE_CONTEXT_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "spikestill/context.h"
#include "spikestill/crossover.h"

// A sentence is kept whole up to this length. The room is part of the context, so that reporting that memory ran out
// needs no memory.
enum { SSTI_MESSAGE_SIZE = 4096 };

typedef struct ssti_pool ssti_pool; // the threads of parallel_pthread.c

struct sst_context {
  sst_allocator allocator; // functions never NULL
  bool default_allocator;  // the C library's: blocks may be aligned and advised as we like
  sst_log_function *log;
  void *log_user;
  sst_io_gate *io_gate;
  void *io_gate_user;
  int threads;
  sst_crossover crossover;
  sst_convolution convolution;
  sst_codes codes;

  pthread_mutex_t log_mutex;     // one line at a time
  pthread_mutex_t message_mutex; // workers may fail at the same time
  pthread_mutex_t pool_mutex;    // held while the pool works for somebody
  char message[SSTI_MESSAGE_SIZE];

  atomic_bool stop; // lock-free, so that a signal handler may set it
  atomic_uint_least64_t allocation_count;
  atomic_uint_least64_t bytes_in_use;

  pthread_mutex_t device_mutex;
  void *device; // see context_device.h

  ssti_pool *pool; // NULL until the first parallel loop, and always under OpenMP
};

// Ends the threads that parallel loops have started in this context.
void ssti_parallel_end(sst_context *context);

#endif
