// SPDX-License-Identifier: Apache-2.0
// Passages, pinned memory with an event for each place, and recordings, which are CUDA graphs. A recording holds
// kernels with their arguments as they were: what differs from step to step is in the cells (cuda.h), in tensors, or
// not recorded.
#include "backend/cuda/cuda_state.h"
#include "base/log.h"

struct ssti_passage {
  size_t bytes; // of a place, a multiple of the alignment
  int slots;
  char *memory;
  cudaEvent_t *done; // [slots]: the last copy of the place
};

struct ssti_recording {
  cudaGraphExec_t steps;
};

static sst_status wait_for_card(ssti_backend *backend) {
  ssti_cuda_card *card = ssti_cuda_card_of(backend);
  ssti_cuda_keep(card, cudaStreamSynchronize(card->stream), "the work given to it");
  return ssti_cuda_failure(backend);
}

static void passage_close(ssti_backend *backend, ssti_passage *passage) {
  if (passage == NULL) { return; }
  for (int i = 0; passage->done != NULL && i < passage->slots; i++) {
    if (passage->done[i] == NULL) { continue; }
    (void)cudaEventSynchronize(passage->done[i]);
    (void)cudaEventDestroy(passage->done[i]);
  }
  if (passage->memory != NULL) { (void)cudaFreeHost(passage->memory); }
  ssti_free(backend->context, passage->done);
  ssti_free(backend->context, passage);
}

static sst_status fill_passage(ssti_backend *backend, ssti_passage *passage) {
  SST_TRY(ssti_allocate(backend->context, (size_t)passage->slots, sizeof(cudaEvent_t), &passage->done));
  const size_t all = passage->bytes * (size_t)passage->slots;
  void *memory = NULL;
  if (cudaMallocHost(&memory, all) != cudaSuccess) {
    (void)cudaGetLastError();
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "%zu bytes of pinned memory could not be allocated", all);
  }
  passage->memory = memory;
  for (int i = 0; i < passage->slots; i++) {
    if (cudaEventCreateWithFlags(&passage->done[i], cudaEventDisableTiming) == cudaSuccess) { continue; }
    (void)cudaGetLastError();
    passage->done[i] = NULL;
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "the driver has no further event");
  }
  return SST_OK;
}

static sst_status passage_open(ssti_backend *backend, size_t bytes, int slots, ssti_passage **out) {
  enum { ALIGNMENT = 256 };
  *out = NULL;
  if (bytes > (SIZE_MAX / 2 - ALIGNMENT) / (size_t)slots) {
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "%d places of %zu bytes are more than any machine has", slots, bytes);
  }
  ssti_passage *passage = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *passage, &passage));
  passage->bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  passage->slots = slots;
  const sst_status status = fill_passage(backend, passage);
  if (status != SST_OK) {
    passage_close(backend, passage);
    return status;
  }
  *out = passage;
  return SST_OK;
}

static void *passage_place(ssti_backend *backend, ssti_passage *passage, int slot) {
  ssti_cuda_check(backend, cudaEventSynchronize(passage->done[slot]), "the work given to it");
  return passage->memory + passage->bytes * (size_t)slot;
}

static void passage_send(ssti_backend *backend, ssti_passage *passage, int slot, size_t offset, size_t bytes,
                         void *to) {
  const cudaStream_t stream = ssti_cuda_stream(backend);
  const char *from = passage->memory + passage->bytes * (size_t)slot + offset;
  ssti_cuda_check(backend, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "copying to it");
  ssti_cuda_check(backend, cudaEventRecord(passage->done[slot], stream), "copying to it");
}

static void passage_fetch(ssti_backend *backend, ssti_passage *passage, int slot, size_t offset, size_t bytes,
                          const void *from) {
  const cudaStream_t stream = ssti_cuda_stream(backend);
  char *to = passage->memory + passage->bytes * (size_t)slot + offset;
  ssti_cuda_check(backend, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "copying from it");
  ssti_cuda_check(backend, cudaEventRecord(passage->done[slot], stream), "copying from it");
}

// Only this thread's calls are watched for what a recording cannot hold: others may allocate meanwhile.
static bool record_begin(ssti_backend *backend) {
  ssti_cuda_card *card = ssti_cuda_card_of(backend);
  card->is_capturing = cudaStreamBeginCapture(card->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
  if (!card->is_capturing) { (void)cudaGetLastError(); }
  return card->is_capturing;
}

static sst_status record_end(ssti_backend *backend, ssti_recording **out) {
  ssti_cuda_card *card = ssti_cuda_card_of(backend);
  *out = NULL;
  card->is_capturing = false;
  ssti_recording *recording = NULL;
  const sst_status status = ssti_allocate(backend->context, 1, sizeof *recording, &recording);
  cudaGraph_t graph = NULL;
  cudaError_t error = cudaStreamEndCapture(card->stream, &graph);
  if (status == SST_OK && error == cudaSuccess) { error = cudaGraphInstantiate(&recording->steps, graph, 0); }
  if (graph != NULL) { (void)cudaGraphDestroy(graph); }
  if (status == SST_OK && error == cudaSuccess) {
    *out = recording;
    return SST_OK;
  }
  ssti_free(backend->context, recording);
  if (status != SST_OK) { return status; }
  // Not the card's fault but that of a call that cannot be recorded: steps are given one kernel at a time, as before.
  (void)cudaGetLastError();
  ssti_log(backend->context, SST_LOG_WARNING, "training steps are not given to the card as one: %s",
           cudaGetErrorString(error));
  return SST_OK;
}

static void record_play(ssti_backend *backend, ssti_recording *recording) {
  ssti_cuda_check(backend, cudaGraphLaunch(recording->steps, ssti_cuda_stream(backend)), "starting a recorded step");
}

static void record_drop(ssti_backend *backend, ssti_recording *recording) {
  if (recording == NULL) { return; }
  (void)cudaGraphExecDestroy(recording->steps);
  ssti_free(backend->context, recording);
}

const ssti_beside ssti_cuda_beside = {.wait = wait_for_card,
                                      .failure = ssti_cuda_failure,
                                      .passage_open = passage_open,
                                      .passage_close = passage_close,
                                      .passage_place = passage_place,
                                      .passage_send = passage_send,
                                      .passage_fetch = passage_fetch,
                                      .record_begin = record_begin,
                                      .record_end = record_end,
                                      .record_play = record_play,
                                      .record_drop = record_drop};
