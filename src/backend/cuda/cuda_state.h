// SPDX-License-Identifier: Apache-2.0
// What the host side of the CUDA backend keeps: the card, which all backends of a context share, and what each has of
// its own.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_STATE_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_STATE_H

#include "backend/cuda/cuda.h"

// For convolutions and matrix products: see cuda_libraries.h.
typedef struct ssti_cuda_libraries ssti_cuda_libraries;

typedef struct ssti_cuda_card {
  sst_context *context;
  int users;                          // backends and blocks of memory; the last one closes the card
  int device, processors, capability; // 10 * major + minor
  size_t total_bytes;                 // of the card's memory
  size_t used_bytes, most_bytes;      // what blocks of ours take of it, and took at most
  cudaStream_t stream;
  void *scratch; // of SSTI_CUDA_SCRATCH bytes
  ssti_memory_space space;
  ssti_cuda_libraries *libraries;
  cudaError_t error; // the first failure
  char failure[256]; // what was being done then; "" while nothing has failed
  bool is_capturing;
} ssti_cuda_card;

typedef struct ssti_cuda_state {
  ssti_cuda_card *card;
  ssti_cuda_cells *cells;
} ssti_cuda_state;

static inline ssti_cuda_state *ssti_cuda_state_of(const ssti_backend *backend) {
  return (ssti_cuda_state *)backend->state; // a cast for C++, which the emulator is written in
}
static inline ssti_cuda_card *ssti_cuda_card_of(const ssti_backend *backend) {
  return ssti_cuda_state_of(backend)->card;
}

// The context's card, opened if nobody has; one more user. Errors: UNSUPPORTED, OUT_OF_MEMORY.
sst_status ssti_cuda_card_open(sst_context *context, ssti_cuda_card **out);
// One user more of a card that has some, and one less.
void ssti_cuda_card_share(ssti_cuda_card *card);
void ssti_cuda_card_close(ssti_cuda_card *card);

// Keeps the first failure; `what` says what was being done ("copying a batch").
void ssti_cuda_keep(ssti_cuda_card *card, cudaError_t error, const char *what);
// The same for libraries with error codes of their own: the sentence says what they said.
void ssti_cuda_keep_text(ssti_cuda_card *card, const char *what, const char *said);

// Fills card->space.
void ssti_cuda_memory_space(ssti_cuda_card *card);

// Passages and recordings.
extern const ssti_beside ssti_cuda_beside;
sst_status ssti_cuda_failure(ssti_backend *backend);

// Libraries, once a card. The emulated build has none.
sst_status ssti_cuda_libraries_open(ssti_cuda_card *card);
void ssti_cuda_libraries_close(ssti_cuda_card *card);

// Slots for convolutions and linear layers.
void ssti_cuda_products_fill(ssti_kernels *kernels);

#endif
