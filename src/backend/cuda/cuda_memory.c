// SPDX-License-Identifier: Apache-2.0
// Memory of tensors: managed, with the card as its preferred place, so that kernels and host code use the same
// addresses (docs/decisions/0036). It is brought to the card when it is made. Never more than the card has free: what
// does not fit would be moved back and forth between kernels, at a hundredth of the speed, and some drivers do not
// survive it.
#include "backend/cuda/cuda_state.h"

// Kernels' own code, libraries' workspaces and the driver take some.
static const size_t kept_back = (size_t)256 << 20;

static struct cudaMemLocation place_of(const ssti_cuda_card *card) {
  return (struct cudaMemLocation){.type = cudaMemLocationTypeDevice, .id = card->device};
}

static size_t available(void *user) {
  const ssti_cuda_card *card = user;
  size_t available = 0, total = 0;
  if (cudaMemGetInfo(&available, &total) != cudaSuccess) { return SIZE_MAX; } // the allocation will tell
  // Pages that the host touched last are not on the card and count as free there, but they will come back.
  const size_t beside_ours = total > card->used_bytes ? total - card->used_bytes : 0;
  const size_t room = available < beside_ours ? available : beside_ours;
  const size_t back = kept_back < total / 16 ? kept_back : total / 16;
  return room > back ? room - back : 0;
}

static sst_status allocate(void *user, size_t bytes, void **out) {
  ssti_cuda_card *card = user;
  *out = NULL;
  const size_t room = available(card);
  if (bytes > room) {
    SST_FAIL(card->context, SST_OUT_OF_MEMORY,
             "%zu bytes of the card's memory are wanted, %zu of its %zu are free; a smaller batch needs less", bytes,
             room, card->total_bytes);
  }
  const cudaError_t error = cudaMallocManaged(out, bytes, cudaMemAttachGlobal);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    *out = NULL;
    SST_FAIL(card->context, SST_OUT_OF_MEMORY, "%zu bytes of the card's memory could not be allocated: %s", bytes,
             cudaGetErrorString(error));
  }
  ssti_cuda_keep(card, cudaMemAdvise(*out, bytes, cudaMemAdviseSetPreferredLocation, place_of(card)),
                 "placing memory on the card");
  ssti_cuda_keep(card, cudaMemPrefetchAsync(*out, bytes, place_of(card), 0, card->stream), "moving memory to the card");
  card->used_bytes += bytes;
  if (card->used_bytes > card->most_bytes) { card->most_bytes = card->used_bytes; }
  ssti_cuda_card_share(card);
  return SST_OK;
}

static void clear(void *user, void *memory, size_t bytes) {
  ssti_cuda_card *card = user;
  ssti_cuda_keep(card, cudaMemsetAsync(memory, 0, bytes, card->stream), "clearing memory");
  ssti_cuda_keep(card, cudaStreamSynchronize(card->stream), "clearing memory");
}

// The caller has waited for whatever used it.
static void release(void *user, void *memory, size_t bytes) {
  ssti_cuda_card *card = user;
  ssti_cuda_keep(card, cudaFree(memory), "giving memory back");
  card->used_bytes -= bytes;
  ssti_cuda_card_close(card);
}

void ssti_cuda_memory_space(ssti_cuda_card *card) {
  card->space = (ssti_memory_space){
      .allocate = allocate, .clear = clear, .release = release, .available = available, .user = card};
}
