// SPDX-License-Identifier: Apache-2.0
// The twin of parallel_openmp.c; the build takes one of them (SPIKESTILL_THREADS). A pool of threads that sleep between
// loops, owned by the context and started by its first loop.
#include <string.h>

#include "base/context_state.h"
#include "base/parallel.h"

// One loop. Range i goes to thread i; the caller is thread 0.
typedef struct loop {
  ssti_range_function *function;
  void *arg;
  int64_t count;
  int64_t parts;
} loop;

typedef struct worker {
  ssti_pool *pool;
  pthread_t thread;
  int64_t number; // 1 ..
} worker;

struct ssti_pool {
  pthread_mutex_t mutex; // guards what follows
  pthread_cond_t begin, end;
  uint64_t round; // counts loops, so that a worker takes each once
  int64_t pending;
  bool leave;
  loop loop;
  int workers;
  worker worker[];
};

static void run_range(const loop *l, int64_t i) {
  int64_t length = l->count / l->parts, longer = l->count % l->parts;
  int64_t begin = i * length + (i < longer ? i : longer);
  l->function(l->arg, begin, begin + length + (i < longer ? 1 : 0));
}

static void *work(void *arg) {
  worker *self = arg;
  ssti_pool *pool = self->pool;
  uint64_t done = 0;
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    while (!pool->leave && pool->round == done) { pthread_cond_wait(&pool->begin, &pool->mutex); }
    if (pool->leave) { break; }
    done = pool->round;
    if (self->number >= pool->loop.parts) { continue; } // a short loop that has no range for this thread
    loop mine = pool->loop;
    pthread_mutex_unlock(&pool->mutex);
    run_range(&mine, self->number);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->pending == 0) { pthread_cond_signal(&pool->end); }
  }
  pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

// Starts the pool. Without memory or threads there is a smaller pool or none: loops are then slower, not wrong.
static void start_pool(sst_context *context) {
  int wanted = context->threads - 1;
  // Straight from the allocator: the pool belongs to the context, and is not counted among what was made with it.
  size_t bytes = sizeof(ssti_pool) + (size_t)wanted * sizeof(worker);
  ssti_pool *pool = context->allocator.allocate(context->allocator.user, bytes);
  if (pool == NULL) { return; }
  memset(pool, 0, bytes);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->begin, NULL);
  pthread_cond_init(&pool->end, NULL);
  for (int i = 0; i < wanted; i++) {
    worker *w = &pool->worker[i];
    w->pool = pool;
    w->number = i + 1;
    if (pthread_create(&w->thread, NULL, work, w) != 0) { break; }
    pool->workers++;
  }
  context->pool = pool;
}

static void run_in_pool(ssti_pool *pool, const loop *l) {
  pthread_mutex_lock(&pool->mutex);
  pool->loop = *l;
  pool->pending = l->parts - 1;
  pool->round++;
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
  run_range(l, 0);
  pthread_mutex_lock(&pool->mutex);
  while (pool->pending > 0) { pthread_cond_wait(&pool->end, &pool->mutex); }
  pthread_mutex_unlock(&pool->mutex);
}

void ssti_parallel_for(sst_context *context, int64_t count, int64_t grain, ssti_range_function *function, void *arg) {
  if (count <= 0) { return; }
  int64_t parts = grain > 1 ? count / grain : count;
  if (parts > context->threads) { parts = context->threads; }
  // Whoever comes while the pool works for somebody else (a loop inside a loop, a loader's thread) runs alone.
  if (parts <= 1 || pthread_mutex_trylock(&context->pool_mutex) != 0) {
    function(arg, 0, count);
    return;
  }
  if (context->pool == NULL) { start_pool(context); }
  if (context->pool != NULL && parts > context->pool->workers + 1) { parts = context->pool->workers + 1; }
  if (context->pool == NULL || parts <= 1) {
    function(arg, 0, count);
  } else {
    run_in_pool(context->pool, &(loop){function, arg, count, parts});
  }
  pthread_mutex_unlock(&context->pool_mutex);
}

void ssti_parallel_end(sst_context *context) {
  ssti_pool *pool = context->pool;
  if (pool == NULL) { return; }
  pthread_mutex_lock(&pool->mutex);
  pool->leave = true;
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; i < pool->workers; i++) { pthread_join(pool->worker[i].thread, NULL); }
  pthread_cond_destroy(&pool->end);
  pthread_cond_destroy(&pool->begin);
  pthread_mutex_destroy(&pool->mutex);
  context->allocator.release(context->allocator.user, pool);
  context->pool = NULL;
}
