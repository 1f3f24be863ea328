// SPDX-License-Identifier: Apache-2.0
// The runtime's functions: memory is the host's, streams do at once what they are asked for, unless they are captured,
// or the device is late: then work is done in order when somebody waits for it, and not before, as a slow card may do
// it.
#include "emulator_stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> work;
};
struct CUstream_st {
  std::unique_ptr<CUgraph_st> captured; // while it is being captured
};
struct CUevent_st {
  struct timespec time;
  uint64_t place; // of its record among all work given, from 1
};

namespace {

thread_local cudaError_t last_error = cudaSuccess;
thread_local int captures = 0; // streams of this thread that are being captured

bool is_capturing(cudaStream_t stream) { return stream != nullptr && stream->captured != nullptr; }

// What waits, or allocates memory of the device, is not allowed while a stream is captured.
cudaError_t outside_of_captures() {
  return captures == 0 ? cudaSuccess : ssti_emulated_error(cudaErrorStreamCaptureUnsupported);
}

size_t number_of_environment(const char *name, size_t otherwise) {
  const char *text = getenv(name);
  return text == nullptr ? otherwise : (size_t)strtoull(text, nullptr, 10);
}
int device_count() { return number_of_environment("SPIKESTILL_EMULATED_DEVICES", 1) == 0 ? 0 : 1; }
size_t device_bytes() { return number_of_environment("SPIKESTILL_EMULATED_MEMORY", (size_t)1 << 32); }

// What a late device has still to do, of all streams.
bool is_late() { return number_of_environment("SPIKESTILL_EMULATED_LATE", 0) != 0; }
std::deque<std::function<void()>> waiting;
uint64_t given = 0, done = 0, drains = 0;

void catch_up(uint64_t place) {
  const bool had_work = !waiting.empty();
  while (done < place && !waiting.empty()) {
    const std::function<void()> next = std::move(waiting.front());
    waiting.pop_front();
    done++;
    next();
  }
  if (had_work && waiting.empty()) { drains++; }
}

// What was allocated and not freed, by address.
struct allocation {
  size_t bytes;
  cudaMemoryType type;
};
std::mutex allocations_lock;
std::map<void *, allocation> allocations;
size_t device_bytes_in_use = 0;

bool is_of_device(cudaMemoryType type) { return type != cudaMemoryTypeHost; }

// Filled with a pattern that is NaN as f32: nobody may count on zeros.
cudaError_t allocate(void **out, size_t bytes, cudaMemoryType type) {
  *out = nullptr;
  const cudaError_t error = outside_of_captures();
  if (error != cudaSuccess) { return error; }
  const size_t alignment = 256, rounded = (bytes + alignment - 1) / alignment * alignment;
  const std::lock_guard<std::mutex> guard(allocations_lock);
  const size_t limit = device_bytes();
  if (rounded < bytes || (is_of_device(type) && (rounded > limit || device_bytes_in_use > limit - rounded))) {
    return ssti_emulated_error(cudaErrorMemoryAllocation);
  }
  void *memory = aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) { return ssti_emulated_error(cudaErrorMemoryAllocation); }
  memset(memory, 0xff, rounded);
  allocations[memory] = {rounded, type};
  if (is_of_device(type)) { device_bytes_in_use += rounded; }
  *out = memory;
  return cudaSuccess;
}

cudaError_t release(void *memory, bool of_device) {
  const cudaError_t error = outside_of_captures();
  if (error != cudaSuccess || memory == nullptr) { return error; }
  catch_up(given);
  const std::lock_guard<std::mutex> guard(allocations_lock);
  const auto found = allocations.find(memory);
  if (found == allocations.end() || is_of_device(found->second.type) != of_device) {
    return ssti_emulated_error(cudaErrorInvalidValue);
  }
  if (of_device) { device_bytes_in_use -= found->second.bytes; }
  allocations.erase(found);
  free(memory);
  return cudaSuccess;
}

} // namespace

cudaError_t ssti_emulated_error(cudaError_t error) {
  if (error != cudaSuccess) { last_error = error; }
  return error;
}

cudaError_t ssti_emulated_do(cudaStream_t stream, std::function<void()> what) {
  if (is_capturing(stream)) {
    stream->captured->work.push_back(std::move(what));
    return cudaSuccess;
  }
  if (stream == nullptr && captures > 0) { return ssti_emulated_error(cudaErrorStreamCaptureUnsupported); }
  given++;
  if (is_late() && stream != nullptr) {
    waiting.push_back(std::move(what));
    return cudaSuccess;
  }
  catch_up(given - 1);
  done++;
  what();
  return cudaSuccess;
}

extern "C" {

uint64_t ssti_emulator_drains(void) { return drains; }

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define ERROR_NAME(name, number, text)                                                                                 \
  case name: return #name;
    SSTI_EMULATED_ERRORS(ERROR_NAME)
#undef ERROR_NAME
  }
  return "cudaErrorUnknown";
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define ERROR_TEXT(name, number, text)                                                                                 \
  case name: return text;
    SSTI_EMULATED_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
  }
  return "unknown error";
}

cudaError_t cudaPeekAtLastError(void) { return last_error; }
cudaError_t cudaGetLastError(void) {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int *count) {
  *count = device_count();
  return *count > 0 ? cudaSuccess : ssti_emulated_error(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device == 0 && device_count() > 0 ? cudaSuccess : ssti_emulated_error(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
  if (device != 0) { return ssti_emulated_error(cudaErrorInvalidDevice); }
  *properties = {};
  strcpy(properties->name, "CUDA emulator");
  properties->totalGlobalMem = device_bytes();
  properties->sharedMemPerBlock = 48 * 1024;
  const char *capability = getenv("SPIKESTILL_EMULATED_CAPABILITY"); // 10 * major + minor
  properties->major = capability != nullptr ? atoi(capability) / 10 : 9;
  properties->minor = capability != nullptr ? atoi(capability) % 10 : 0;
  properties->multiProcessorCount = 4;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->managedMemory = properties->concurrentManagedAccess = properties->pageableMemoryAccess = 1;
  properties->memoryBusWidth = 64;
  properties->l2CacheSize = 1 << 20;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
  if (device != 0) { return ssti_emulated_error(cudaErrorInvalidDevice); }
  switch (attribute) {
  case cudaDevAttrMultiProcessorCount: *value = 4; return cudaSuccess;
  case cudaDevAttrComputeCapabilityMajor: *value = 9; return cudaSuccess;
  case cudaDevAttrComputeCapabilityMinor: *value = 0; return cudaSuccess;
  case cudaDevAttrManagedMemory:
  case cudaDevAttrPageableMemoryAccess:
  case cudaDevAttrConcurrentManagedAccess: *value = 1; return cudaSuccess;
  }
  return ssti_emulated_error(cudaErrorInvalidValue);
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) {
  catch_up(given);
  return outside_of_captures();
}

// ---- streams and events

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = new CUstream_st();
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (is_capturing(stream)) { captures--; }
  catch_up(given);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (is_capturing(stream)) { return ssti_emulated_error(cudaErrorStreamCaptureUnsupported); }
  catch_up(given);
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) { return cudaStreamSynchronize(stream); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = new CUevent_st();
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  catch_up(event->place);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const cudaError_t error = ssti_emulated_do(stream, [event] { clock_gettime(CLOCK_MONOTONIC, &event->time); });
  if (!is_capturing(stream)) { event->place = given; }
  return error;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  catch_up(event->place);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return event->place > done ? ssti_emulated_error(cudaErrorNotReady) : cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (begin->place > done || end->place > done) { return ssti_emulated_error(cudaErrorNotReady); }
  *milliseconds = (float)((double)(end->time.tv_sec - begin->time.tv_sec) * 1e3 +
                          (double)(end->time.tv_nsec - begin->time.tv_nsec) * 1e-6);
  return cudaSuccess;
}

// ---- memory

cudaError_t cudaMalloc(void **out, size_t bytes) { return allocate(out, bytes, cudaMemoryTypeDevice); }
cudaError_t cudaMallocManaged(void **out, size_t bytes, unsigned) {
  return allocate(out, bytes, cudaMemoryTypeManaged);
}
cudaError_t cudaMallocHost(void **out, size_t bytes) { return allocate(out, bytes, cudaMemoryTypeHost); }
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned) { return allocate(out, bytes, cudaMemoryTypeHost); }
cudaError_t cudaFree(void *memory) { return release(memory, true); }
cudaError_t cudaFreeHost(void *memory) { return release(memory, false); }
cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  const std::lock_guard<std::mutex> guard(allocations_lock);
  *total = device_bytes();
  *available = *total < device_bytes_in_use ? 0 : *total - device_bytes_in_use;
  return cudaSuccess;
}
cudaError_t cudaMemAdvise(const void *, size_t, cudaMemoryAdvise, cudaMemLocation) { return cudaSuccess; }
cudaError_t cudaMemPrefetchAsync(const void *, size_t, cudaMemLocation, unsigned, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *memory) {
  const std::lock_guard<std::mutex> guard(allocations_lock);
  *attributes = {};
  attributes->devicePointer = attributes->hostPointer = const_cast<void *>(memory);
  auto after = allocations.upper_bound(const_cast<void *>(memory));
  if (after == allocations.begin()) { return cudaSuccess; }
  --after;
  const char *begin = static_cast<const char *>(after->first);
  if (static_cast<const char *>(memory) < begin + after->second.bytes) { attributes->type = after->second.type; }
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind, cudaStream_t stream) {
  return ssti_emulated_do(stream, [to, from, bytes] { memmove(to, from, bytes); });
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
  return ssti_emulated_do(stream, [memory, value, bytes] { memset(memory, value, bytes); });
}
cudaError_t cudaMemset(void *memory, int value, size_t bytes) { return cudaMemsetAsync(memory, value, bytes, nullptr); }

// ---- graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream == nullptr || is_capturing(stream)) { return ssti_emulated_error(cudaErrorStreamCaptureUnsupported); }
  stream->captured = std::make_unique<CUgraph_st>();
  captures++;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  *out = nullptr;
  if (!is_capturing(stream)) { return ssti_emulated_error(cudaErrorInvalidValue); }
  *out = stream->captured.release();
  captures--;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status) {
  *status = is_capturing(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
  *out = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  for (const std::function<void()> &one : graph->work) {
    const cudaError_t error = ssti_emulated_do(stream, one);
    if (error != cudaSuccess) { return error; }
  }
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

} // extern "C"
