// SPDX-License-Identifier: Apache-2.0
// The backend of an NVIDIA card. Every slot is the card's own: one of the reference would run, because the host reads
// the same memory, but before the card is done with what comes first.
#include "backend/cuda/cuda_state.h"

enum { FIRST_WITH_BF16 = 80 }; // compute capability, of TF32 too

cudaStream_t ssti_cuda_stream(const ssti_backend *backend) { return ssti_cuda_card_of(backend)->stream; }

ssti_cuda_cells *ssti_cuda_cells_of(const ssti_backend *backend) { return ssti_cuda_state_of(backend)->cells; }

void *ssti_cuda_scratch(const ssti_backend *backend, size_t bytes) {
  assert(bytes <= SSTI_CUDA_SCRATCH);
  (void)bytes;
  return ssti_cuda_card_of(backend)->scratch;
}

void ssti_cuda_check(const ssti_backend *backend, cudaError_t error, const char *what) {
  ssti_cuda_keep(ssti_cuda_card_of(backend), error, what);
}

int ssti_cuda_processors(const ssti_backend *backend) { return ssti_cuda_card_of(backend)->processors; }

sst_status ssti_cuda_begin(ssti_backend *backend) {
  ssti_cuda_state *state = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *state, &state));
  backend->state = state;
  sst_status status = ssti_cuda_card_open(backend->context, &state->card);
  if (status == SST_OK) {
    status = ssti_allocate_in(backend->context, &state->card->space, sizeof *state->cells, &state->cells);
  }
  if (status != SST_OK) {
    ssti_cuda_end(backend);
    return status;
  }
  backend->space = &state->card->space;
  backend->beside = &ssti_cuda_beside;
  backend->kernels.name = "cuda";
  const bool has = state->card->capability >= FIRST_WITH_BF16;
  backend->without[SST_PRECISION_BF16] = has ? NULL : "this card has no matrix units for bf16";
  backend->without[SST_PRECISION_TF32] = has ? NULL : "this card has no matrix units for TF32";
  ssti_cuda_kernels_fill(&backend->kernels);
  ssti_cuda_products_fill(&backend->kernels);
  return SST_OK;
}

void ssti_cuda_end(ssti_backend *backend) {
  ssti_cuda_state *state = ssti_cuda_state_of(backend);
  if (state == NULL) { return; }
  if (state->card != NULL) {
    (void)cudaStreamSynchronize(state->card->stream);
    ssti_free(backend->context, state->cells);
    ssti_cuda_card_close(state->card);
  }
  ssti_free(backend->context, state);
  backend->state = NULL;
}
