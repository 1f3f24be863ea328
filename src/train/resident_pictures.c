// SPDX-License-Identifier: Apache-2.0
// See resident_pictures.h.
#include "train/resident_pictures.h"

#include <pthread.h>

#include "base/log.h"
#include "data/dataset.h"

enum { PIECE = 8 << 20, PLACES = 2 };

static sst_status copy(ssti_backend *backend, const uint8_t *from, size_t bytes, uint8_t *to) {
  const ssti_beside *beside = backend->beside;
  ssti_passage *passage = NULL;
  SST_TRY(beside->passage_open(backend, bytes < PIECE ? bytes : PIECE, PLACES, &passage));
  for (size_t at = 0, i = 0; at < bytes; at += PIECE, i++) {
    const size_t piece = bytes - at < PIECE ? bytes - at : PIECE;
    const int place = (int)(i % PLACES);
    memcpy(beside->passage_place(backend, passage, place), from + at, piece);
    beside->passage_send(backend, passage, place, 0, piece, to + at);
  }
  beside->passage_close(backend, passage); // waits for the last pieces
  return beside->failure(backend);
}

static sst_status bring(ssti_backend *backend, const sst_dataset *dataset, const char **why) {
  ssti_resident *resident = dataset->resident;
  const ssti_memory_space *space = backend->space;
  const size_t bytes = (size_t)(dataset->info.count * sst_dataset_sample_bytes(&dataset->info));
  const size_t available = space->available(space->user);
  if (bytes > available / 2) {
    *why = "the data set is larger than half of the card's free memory";
    ssti_log(backend->context, SST_LOG_INFO,
             "the %zu bytes of the data set stay with the host: %zu are free on the card", bytes, available);
    return SST_OK;
  }
  uint8_t *memory = NULL;
  SST_TRY(ssti_allocate_in(backend->context, space, bytes, &memory));
  const sst_status status = copy(backend, dataset->pixels, bytes, memory);
  if (status != SST_OK) {
    ssti_free(backend->context, memory);
    return status;
  }
  resident->space = space;
  resident->bytes = memory;
  return SST_OK;
}

sst_status ssti_pictures_on_device(ssti_backend *backend, const sst_dataset *dataset, const uint8_t **out,
                                   const char **why) {
  *out = NULL;
  *why = NULL;
  // The memory goes with the set, so the device must not go before it.
  if (backend->context != dataset->context) {
    *why = "the data set is of another context";
    return SST_OK;
  }
  ssti_resident *resident = dataset->resident;
  pthread_mutex_lock(&resident->mutex);
  const sst_status status = resident->bytes == NULL ? bring(backend, dataset, why) : SST_OK;
  if (status == SST_OK && resident->bytes != NULL && resident->space == backend->space) { *out = resident->bytes; }
  pthread_mutex_unlock(&resident->mutex);
  return status;
}
