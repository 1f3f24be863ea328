// SPDX-License-Identifier: Apache-2.0
// Opening the card, and its failures. CUDA's calls return before their work is done, so a failure is seen later and by
// somebody else: the first one is kept and told by whoever waits for the card next.
#include <stdio.h>

#include "backend/cuda/cuda_state.h"
#include "base/context_device.h"
#include "base/log.h"

// Volta's successors have the matrix units and the memory model that the kernels are compiled for.
enum { LEAST_CAPABILITY = 75, LEAST_CUDNN = 9 };

void ssti_cuda_keep_text(ssti_cuda_card *card, const char *what, const char *said) {
  // What cannot be recorded is no failure: it is done without, see cuda_beside.c.
  if (card->failure[0] != '\0' || card->is_capturing) { return; }
  card->error = cudaErrorUnknown;
  snprintf(card->failure, sizeof card->failure, "%s: %s", what, said);
}

void ssti_cuda_keep(ssti_cuda_card *card, cudaError_t error, const char *what) {
  if (error == cudaSuccess || card->failure[0] != '\0' || card->is_capturing) { return; }
  ssti_cuda_keep_text(card, what, cudaGetErrorString(error));
  card->error = error;
}

sst_status ssti_cuda_failure(ssti_backend *backend) {
  const ssti_cuda_card *card = ssti_cuda_card_of(backend);
  if (card->failure[0] == '\0') { return SST_OK; }
  if (card->error == cudaErrorMemoryAllocation) {
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "the card failed in %s", card->failure);
  }
  SST_FAIL(backend->context, SST_UNSUPPORTED, "the card failed in %s", card->failure);
}

// What the driver and the card are, or why they cannot be used.
static sst_status look(sst_context *context, int *device, sst_device_info *out) {
  *device = 0;
  *out = (sst_device_info){.name = ""};
  (void)cudaDriverGetVersion(&out->driver);
  (void)cudaRuntimeGetVersion(&out->runtime);
  if (out->driver == 0) {
    SST_FAIL(context, SST_UNSUPPORTED, "device cuda: there is no NVIDIA driver on this machine");
  }
  // Within a major version older drivers run newer runtimes.
  if (out->driver / 1000 < out->runtime / 1000) {
    SST_FAIL(context, SST_UNSUPPORTED, "device cuda: the driver is for CUDA %d.%d, expected one for %d.0 or newer",
             out->driver / 1000, out->driver % 1000 / 10, out->runtime / 1000);
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    (void)cudaGetLastError();
    SST_FAIL(context, SST_UNSUPPORTED, "device cuda: no card was found (%s)",
             error != cudaSuccess ? cudaGetErrorString(error) : "the driver counts 0");
  }
  struct cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, *device) != cudaSuccess) {
    SST_FAIL(context, SST_UNSUPPORTED, "device cuda: the driver does not describe the card");
  }
  snprintf(out->name, sizeof out->name, "%s", properties.name);
  out->memory_bytes = properties.totalGlobalMem;
  out->capability = 10 * properties.major + properties.minor;
  if (out->capability < LEAST_CAPABILITY) {
    SST_FAIL(context, SST_UNSUPPORTED, "device cuda: %s has compute capability %d.%d, expected %d.%d or newer",
             out->name, properties.major, properties.minor, LEAST_CAPABILITY / 10, LEAST_CAPABILITY % 10);
  }
  int concurrent = 0;
  (void)cudaDeviceGetAttribute(&concurrent, cudaDevAttrConcurrentManagedAccess, *device);
  if (!concurrent) {
    SST_FAIL(context, SST_UNSUPPORTED,
             "device cuda: host and card cannot share memory with this driver and system (concurrent managed access)");
  }
  return SST_OK;
}

sst_status ssti_cuda_describe(sst_context *context, sst_device_info *out) {
  int device;
  SST_TRY(look(context, &device, out));
  const ssti_cuda_card *card = *ssti_context_device_enter(context);
  if (card != NULL) { out->used_bytes = card->used_bytes, out->most_bytes = card->most_bytes; }
  ssti_context_device_leave(context);
  return SST_OK;
}

static sst_status start(ssti_cuda_card *card) {
  sst_device_info info;
  SST_TRY(look(card->context, &card->device, &info));
  card->total_bytes = info.memory_bytes;
  card->capability = info.capability;
  cudaError_t error = cudaSetDevice(card->device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&card->processors, cudaDevAttrMultiProcessorCount, card->device);
  }
  if (error == cudaSuccess) { error = cudaStreamCreateWithFlags(&card->stream, cudaStreamNonBlocking); }
  if (error == cudaSuccess) { error = cudaMalloc(&card->scratch, SSTI_CUDA_SCRATCH); }
  if (error == cudaErrorMemoryAllocation) {
    SST_FAIL(card->context, SST_OUT_OF_MEMORY, "device cuda: %s has no memory left to begin with", info.name);
  }
  if (error != cudaSuccess) {
    SST_FAIL(card->context, SST_UNSUPPORTED, "device cuda: %s cannot be used: %s", info.name,
             cudaGetErrorString(error));
  }
  ssti_cuda_memory_space(card);
  SST_TRY(ssti_cuda_libraries_open(card));
  ssti_log(card->context, SST_LOG_DEBUG, "backend cuda: %s, compute capability %d.%d, driver for CUDA %d.%d", info.name,
           info.capability / 10, info.capability % 10, info.driver / 1000, info.driver % 1000 / 10);
  return SST_OK;
}

static void stop(ssti_cuda_card *card) {
  ssti_cuda_libraries_close(card);
  if (card->scratch != NULL) { (void)cudaFree(card->scratch); }
  if (card->stream != NULL) { (void)cudaStreamDestroy(card->stream); }
  ssti_free(card->context, card);
}

static sst_status open_first(sst_context *context, void **place) {
  ssti_cuda_card *card = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *card, &card));
  card->context = context;
  const sst_status status = start(card);
  if (status != SST_OK) {
    stop(card);
    return status;
  }
  *place = card;
  return SST_OK;
}

sst_status ssti_cuda_card_open(sst_context *context, ssti_cuda_card **out) {
  *out = NULL;
  void **place = ssti_context_device_enter(context);
  const sst_status status = *place == NULL ? open_first(context, place) : SST_OK;
  if (status == SST_OK) {
    *out = *place;
    (*out)->users++;
  }
  ssti_context_device_leave(context);
  return status;
}

void ssti_cuda_card_share(ssti_cuda_card *card) {
  (void)ssti_context_device_enter(card->context);
  card->users++;
  ssti_context_device_leave(card->context);
}

void ssti_cuda_card_close(ssti_cuda_card *card) {
  sst_context *context = card->context;
  void **place = ssti_context_device_enter(context);
  if (--card->users == 0) {
    stop(card);
    *place = NULL;
  }
  ssti_context_device_leave(context);
}
