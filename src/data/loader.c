// SPDX-License-Identifier: Apache-2.0
// The loader: a ring of batches, filled ahead by worker threads and handed out in order. Everything is allocated when
// it is opened; making and taking batches allocates nothing.
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "data/batch_maker.h"
#include "data/event_augment.h"
#include "data/loader_plans.h"

enum { MAX_WORKERS = 64, MAX_AHEAD = MAX_WORKERS + 2, MAX_BATCH = 1 << 20, MAX_TIMESTEPS = 4096, MAX_PIXELS = 1024 };

typedef struct worker {
  sst_loader *loader;
  pthread_t thread;
  ssti_batch_room room;
} worker;

struct sst_loader {
  sst_context *context;
  ssti_batch_maker maker;
  int64_t count, batches;
  int32_t *chosen; // [count] picture numbers
  int32_t *order;  // [count] the same in the epoch's order; written only while no worker is busy
  int slot_count;
  ssti_batch_slot slots[MAX_AHEAD];
  ssti_batch_room room; // of the calling thread, without workers
  worker *workers;
  int worker_count; // threads that run

  pthread_mutex_t mutex; // guards what follows
  pthread_cond_t work;   // there may be a batch to make
  pthread_cond_t done;   // a batch is ready, or a worker is idle
  bool leave;
  int busy;                   // workers that are making a batch
  bool wants_plans;           // of the epochs to come,
  const char *wants_no_plans; // or why not, where there is a device
  bool plans_only;            // of this one
  const char *why_not;
  int64_t epoch;
  int64_t next_made;        // the batch that the next free worker makes
  int64_t next_taken;       // the batch that comes out next
  int64_t released;         // batches below are done with: their slots are free
  sst_status status;        // of the batch that came out last
  int64_t ready[MAX_AHEAD]; // which batch a slot holds; -1: none
};

static int64_t batch_size(const sst_loader *loader, int64_t index) {
  int64_t batch = loader->maker.options.batch, left = loader->count - index * batch;
  return left < batch ? left : batch;
}

// Makes a batch in its slot of the ring. Reads the data set, and what changes only while no worker is busy, so that it
// needs no lock.
static void make_batch(sst_loader *loader, int64_t epoch, int64_t index, ssti_batch_room *room) {
  ssti_batch_make(&loader->maker, loader->order + index * loader->maker.options.batch, batch_size(loader, index), epoch,
                  index, loader->plans_only, room, &loader->slots[index % loader->slot_count]);
}

static void *work(void *arg) {
  worker *self = arg;
  sst_loader *loader = self->loader;
  pthread_mutex_lock(&loader->mutex);
  for (;;) {
    while (!loader->leave &&
           (loader->next_made >= loader->batches || loader->next_made >= loader->released + loader->slot_count)) {
      pthread_cond_wait(&loader->work, &loader->mutex);
    }
    if (loader->leave) { break; }
    int64_t index = loader->next_made++, epoch = loader->epoch;
    loader->busy++;
    pthread_mutex_unlock(&loader->mutex);
    make_batch(loader, epoch, index, &self->room);
    pthread_mutex_lock(&loader->mutex);
    loader->busy--;
    loader->ready[index % loader->slot_count] = index;
    pthread_cond_signal(&loader->done);
  }
  pthread_mutex_unlock(&loader->mutex);
  return NULL;
}

// ---- opening ----

static sst_status check_augmentation(sst_context *context, const sst_augmentation *a) {
  if (a->crop_padding < 0 || a->crop_padding > MAX_PIXELS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "augmentation: found a crop padding of %d, expected 0 to %d",
             a->crop_padding, MAX_PIXELS);
  }
  if (a->cutout < 0 || a->cutout > MAX_PIXELS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "augmentation: found a cutout of %d, expected 0 to %d", a->cutout,
             MAX_PIXELS);
  }
  if ((int)a->autoaugment < 0 || a->autoaugment >= SST_AUTOAUGMENT_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "augmentation: found AutoAugment policy %d, expected 0 to %d",
             (int)a->autoaugment, SST_AUTOAUGMENT_COUNT - 1);
  }
  if (!(a->mixup >= 0.f && a->mixup <= 1000.f)) { // also catches NaN
    SST_FAIL(context, SST_INVALID_ARGUMENT, "augmentation: found a mixup of %g, expected 0 (off) to 1000",
             (double)a->mixup);
  }
  return SST_OK;
}

static sst_status check_options(sst_context *context, const sst_dataset *dataset, const sst_loader_options *options,
                                int64_t count) {
  if (options->batch < 1 || options->batch > MAX_BATCH) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: found a batch of %" PRId64 ", expected 1 to %d", options->batch,
             MAX_BATCH);
  }
  if (count < 1 || count > INT32_MAX) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: found %" PRId64 " pictures, expected 1 to %d", count, INT32_MAX);
  }
  if (options->drop_last && count < options->batch) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "loader: %" PRId64 " pictures do not fill one batch of %" PRId64
             ", and batches that are not full are left out",
             count, options->batch);
  }
  if (options->workers < 0 || options->workers > MAX_WORKERS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: found %d workers, expected 0 to %d", options->workers,
             MAX_WORKERS);
  }
  if ((int)options->encoding < 0 || options->encoding >= SST_ENCODING_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: found encoding %d, expected 0 to %d", (int)options->encoding,
             SST_ENCODING_COUNT - 1);
  }
  bool direct = options->encoding == SST_ENCODING_DIRECT, frames = options->encoding == SST_ENCODING_FRAMES;
  if (frames != (dataset->info.frames > 0)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: %s has %s, so its encoding cannot be %s",
             sst_dataset_word(dataset->info.kind), frames ? "pictures" : "frames of events",
             frames ? "frames" : "one of pictures: it is frames");
  }
  if (!direct && !frames && (options->timesteps < 1 || options->timesteps > MAX_TIMESTEPS)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "loader: found %" PRId64 " time steps, expected 1 to %d",
             options->timesteps, MAX_TIMESTEPS);
  }
  for (int c = 0; (direct || frames) && c < (int)dataset->info.channels; c++) {
    float mean = options->mean[c], deviation = options->deviation[c];
    if (!isfinite(mean) || !isfinite(deviation) || deviation <= 0.f) {
      SST_FAIL(context, SST_INVALID_ARGUMENT,
               "loader: found mean %g and deviation %g for channel %d, expected finite ones and a deviation above 0",
               (double)mean, (double)deviation, c);
    }
  }
  if (frames && options->augment && options->augmentation.autoaugment != SST_AUTOAUGMENT_NONE) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "augmentation: AutoAugment is for pictures, found frames of events");
  }
  if (frames && options->augment) { SST_TRY(ssti_event_augmentation_check(context, &options->augmentation.events)); }
  return options->augment ? check_augmentation(context, &options->augmentation) : SST_OK;
}

static sst_status choose_pictures(sst_loader *loader, const int32_t *indices, int64_t count) {
  int64_t available = loader->maker.info.count;
  SST_TRY(ssti_allocate_raw(loader->context, (size_t)count, sizeof(int32_t), &loader->chosen));
  SST_TRY(ssti_allocate_raw(loader->context, (size_t)count, sizeof(int32_t), &loader->order));
  for (int64_t i = 0; i < count; i++) {
    int64_t index = indices != NULL ? indices[i] : i;
    if (index < 0 || index >= available) {
      SST_FAIL(loader->context, SST_INVALID_ARGUMENT,
               "loader: index %" PRId64 " is picture %" PRId64 ", but the data set has %" PRId64, i, index, available);
    }
    loader->chosen[i] = (int32_t)index;
    loader->order[i] = (int32_t)index;
  }
  return SST_OK;
}

static sst_status allocate_slots(sst_loader *loader) {
  const ssti_batch_maker *maker = &loader->maker;
  size_t batch = (size_t)maker->options.batch, classes = (size_t)maker->info.classes;
  size_t floats = (size_t)maker->timesteps * batch * (size_t)maker->picture_size;
  // One for the caller, one for each worker, and one that is ready, so that no worker waits for the caller at once.
  loader->slot_count = maker->options.workers > 0 ? maker->options.workers + 2 : 1;
  for (int i = 0; i < loader->slot_count; i++) {
    ssti_batch_slot *slot = &loader->slots[i];
    SST_TRY(ssti_allocate_raw(loader->context, batch, sizeof *slot->plans, &slot->plans));
    SST_TRY(ssti_allocate_tensors(loader->context, floats * sizeof(float), &slot->input));
    SST_TRY(ssti_allocate_raw(loader->context, batch * classes, sizeof(float), &slot->target));
    SST_TRY(ssti_allocate_raw(loader->context, batch, sizeof(int32_t), &slot->labels));
  }
  return SST_OK;
}

static sst_status start_workers(sst_loader *loader) {
  sst_status status = SST_OK;
  int wanted = loader->maker.options.workers;
  if (wanted == 0) { return ssti_batch_room_allocate(loader->context, &loader->maker, &loader->room); }
  SST_TRY(ssti_allocate(loader->context, (size_t)wanted, sizeof *loader->workers, &loader->workers));
  for (int i = 0; i < wanted; i++) {
    loader->workers[i].loader = loader;
    SST_TRY(ssti_batch_room_allocate(loader->context, &loader->maker, &loader->workers[i].room));
  }
  // Signals are the calling program's: none is to land in a worker.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int i = 0; i < wanted && status == SST_OK; i++) {
    int error = pthread_create(&loader->workers[i].thread, NULL, work, &loader->workers[i]);
    if (error == 0) {
      loader->worker_count++;
    } else {
      status = ssti_fail(loader->context, SST_OUT_OF_MEMORY, "loader: cannot start worker %d of %d: system error %d",
                         i + 1, wanted, error);
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return status;
}

sst_status sst_loader_open(sst_context *context, const sst_dataset *dataset, const int32_t *indices, int64_t count,
                           const sst_loader_options *options, sst_loader **out) {
  *out = NULL;
  if (indices == NULL) { count = dataset->info.count; }
  SST_TRY(check_options(context, dataset, options, count));
  sst_loader *loader = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *loader, &loader));
  loader->context = context;
  loader->count = count;
  ssti_batch_maker_begin(dataset, options, &loader->maker);
  int64_t batch = options->batch, batches = options->drop_last ? count / batch : (count + batch - 1) / batch;
  loader->batches = batches;
  // Nothing to make and nothing to take until an epoch is started.
  loader->next_made = loader->next_taken = loader->released = batches;
  for (int i = 0; i < MAX_AHEAD; i++) { loader->ready[i] = -1; }
  pthread_mutex_init(&loader->mutex, NULL);
  pthread_cond_init(&loader->work, NULL);
  pthread_cond_init(&loader->done, NULL);
  sst_status status = choose_pictures(loader, indices, count);
  if (status == SST_OK) { status = allocate_slots(loader); }
  if (status == SST_OK) { status = start_workers(loader); }
  if (status != SST_OK) {
    sst_loader_close(loader);
    return status;
  }
  *out = loader;
  return SST_OK;
}

void sst_loader_close(sst_loader *loader) {
  if (loader == NULL) { return; }
  sst_context *context = loader->context;
  pthread_mutex_lock(&loader->mutex);
  loader->leave = true;
  pthread_cond_broadcast(&loader->work);
  pthread_mutex_unlock(&loader->mutex);
  for (int i = 0; i < loader->worker_count; i++) { pthread_join(loader->workers[i].thread, NULL); }
  for (int i = 0; loader->workers != NULL && i < loader->maker.options.workers; i++) {
    ssti_batch_room_free(context, &loader->workers[i].room);
  }
  ssti_free(context, loader->workers);
  ssti_batch_room_free(context, &loader->room);
  for (int i = 0; i < MAX_AHEAD; i++) {
    ssti_free(context, loader->slots[i].plans);
    ssti_free(context, loader->slots[i].input);
    ssti_free(context, loader->slots[i].target);
    ssti_free(context, loader->slots[i].labels);
  }
  ssti_free(context, loader->chosen);
  ssti_free(context, loader->order);
  pthread_cond_destroy(&loader->done);
  pthread_cond_destroy(&loader->work);
  pthread_mutex_destroy(&loader->mutex);
  ssti_free(context, loader);
}

// ---- running ----

sst_shape sst_loader_shape(const sst_loader *loader) {
  const ssti_batch_maker *maker = &loader->maker;
  return sst_shape_make(maker->timesteps, maker->options.batch, maker->info.height, maker->info.width,
                        maker->info.channels);
}

int64_t sst_loader_batches(const sst_loader *loader) { return loader->batches; }
int64_t sst_loader_samples(const sst_loader *loader) { return loader->count; }

static void put_in_order(sst_loader *loader, int64_t epoch) {
  if (!loader->maker.options.shuffle) { return; }
  uint64_t stream = ssti_random_stream_with(ssti_random_stream("data shuffle"), (uint64_t)epoch);
  ssti_random_permutation(loader->maker.options.seed, stream, loader->count, loader->order);
  for (int64_t i = 0; i < loader->count; i++) { loader->order[i] = loader->chosen[loader->order[i]]; }
}

void sst_loader_start(sst_loader *loader, int64_t epoch, int64_t first_batch) {
  if (first_batch < 0) { first_batch = 0; }
  if (first_batch > loader->batches) { first_batch = loader->batches; }
  pthread_mutex_lock(&loader->mutex);
  // No new batch is begun, and those in the making are waited for: they read the order.
  loader->next_made = loader->batches;
  while (loader->busy > 0) { pthread_cond_wait(&loader->done, &loader->mutex); }
  put_in_order(loader, epoch);
  for (int i = 0; i < MAX_AHEAD; i++) { loader->ready[i] = -1; }
  loader->epoch = epoch;
  loader->plans_only = loader->wants_plans;
  loader->why_not = loader->wants_no_plans;
  loader->status = SST_OK;
  loader->next_made = loader->next_taken = loader->released = first_batch;
  pthread_cond_broadcast(&loader->work);
  pthread_mutex_unlock(&loader->mutex);
}

bool sst_loader_next(sst_loader *loader, sst_batch *out) {
  *out = (sst_batch){0};
  pthread_mutex_lock(&loader->mutex);
  int64_t index = loader->next_taken;
  if (loader->released < index) { // the batch handed out before is done with
    loader->released = index;
    pthread_cond_signal(&loader->work);
  }
  if (index >= loader->batches) {
    pthread_mutex_unlock(&loader->mutex);
    return false;
  }
  int place = (int)(index % loader->slot_count);
  loader->next_taken = index + 1;
  if (loader->worker_count == 0) {
    make_batch(loader, loader->epoch, index, &loader->room);
  } else {
    while (loader->ready[place] != index) { pthread_cond_wait(&loader->done, &loader->mutex); }
  }
  pthread_mutex_unlock(&loader->mutex);
  const ssti_batch_slot *slot = &loader->slots[place];
  if (slot->status != SST_OK) {
    loader->status = ssti_fail(loader->context, slot->status, "%s", slot->failure);
    return false;
  }
  const int32_t *samples = loader->order + index * loader->maker.options.batch;
  *out = (sst_batch){loader->plans_only ? NULL : slot->input, slot->target, slot->labels, samples, slot->count, index};
  return true;
}

sst_status sst_loader_status(const sst_loader *loader) { return loader->status; }

// ---- plans ----

bool ssti_loader_form(const sst_loader *loader, ssti_picture_form *out, const char **why) {
  const bool can = ssti_batch_form(&loader->maker, out, why);
  if (loader->maker.options.host_only) { *why = "it was asked for"; }
  return can && !loader->maker.options.host_only;
}

const sst_dataset *ssti_loader_dataset(const sst_loader *loader) { return loader->maker.dataset; }
const float *ssti_loader_values(const sst_loader *loader) { return &loader->maker.table[0][0]; }

void ssti_loader_plan_only(sst_loader *loader, bool plans_only, const char *why_not) {
  loader->wants_plans = plans_only;
  loader->wants_no_plans = why_not;
}

bool ssti_loader_planned(const sst_loader *loader, const char **why_not) {
  *why_not = loader->why_not;
  return loader->plans_only;
}

const ssti_picture_plan *ssti_loader_plans(const sst_loader *loader) {
  return loader->slots[(loader->next_taken - 1) % loader->slot_count].plans;
}
