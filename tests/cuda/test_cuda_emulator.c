// SPDX-License-Identifier: Apache-2.0
// The emulator that runs CUDA kernels on the CPU: where threads are, what they do together, that it finds what a device
// would hang at, and the runtime's memory and graphs.
#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probes.h"

static cudaStream_t stream_make(void) {
  cudaStream_t stream = NULL;
  assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
  return stream;
}

static void test_places(void **state) {
  (void)state;
  for (int reversed = 0; reversed < 2; reversed++) {
    int out[288] = {0};
    ssti_emulator_reverse(reversed);
    assert_int_equal(probe_places(NULL, out), cudaSuccess);
    for (int i = 0; i < 288; i++) { assert_int_equal(out[i], i); }
  }
  ssti_emulator_reverse(0);
}

static void test_exchanges(void **state) {
  (void)state;
  int out[66] = {0};
  assert_int_equal(probe_exchanges(NULL, out), cudaSuccess);
  for (int i = 0; i < 64; i++) { assert_int_equal(out[i], i < 32 ? 31 * 16 : 31 * 16 + 32 * 32); }
  assert_int_equal(out[64], 0x55555555);
  assert_int_equal(out[65], 0x55555555);
}

// A kernel that lacks a barrier is right in one order of the threads at most.
static void test_barriers(void **state) {
  (void)state;
  int wrong = 0;
  for (int reversed = 0; reversed < 2; reversed++) {
    int with[200] = {0}, without[200] = {0};
    ssti_emulator_reverse(reversed);
    assert_int_equal(probe_reverse(NULL, with, 1), cudaSuccess);
    assert_int_equal(probe_reverse(NULL, without, 0), cudaSuccess);
    for (int i = 0; i < 200; i++) {
      assert_int_equal(with[i], 99 - i % 100 + i / 100 * 1000);
      wrong += without[i] != with[i];
    }
  }
  ssti_emulator_reverse(0);
  assert_true(wrong > 0);
}

// A child runs it and must be ended by the emulator, with a sentence.
static void assert_refused(probe_fault fault, const char *part) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    (void)dup2(ends[1], STDERR_FILENO);
    (void)signal(SIGABRT, SIG_DFL); // cmocka catches it
    (void)probe_wrong(NULL, fault);
    _exit(0);
  }
  close(ends[1]);
  char text[1000] = "";
  size_t length = 0;
  for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) { length += (size_t)got; }
  close(ends[0]);
  int how = 0;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
  if (strstr(text, part) == NULL) { fail_msg("the emulator said \"%s\", expected \"%s\"", text, part); }
  assert_non_null(strstr(text, "probes.cpp:"));
}

static void test_faults(void **state) {
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip_because("the thread sanitizer does not survive a fork that ends on a fiber");
#endif
  assert_refused(PROBE_BARRIER_OF_SOME, "some threads wait for others that have ended");
  assert_refused(PROBE_BARRIERS_APART, "threads wait for each other in different places");
  assert_refused(PROBE_EXCHANGE_OF_SOME, "some threads wait for others that have ended");
  assert_refused(PROBE_BARRIER_AND_EXCHANGE, "threads wait for each other in different places");
}

static void test_configuration(void **state) {
  (void)state;
  int out[1] = {7};
  (void)cudaGetLastError();
  assert_int_equal(probe_too_large(NULL, out), cudaErrorInvalidConfiguration);
  assert_int_equal(out[0], 7);
  assert_int_equal(cudaPeekAtLastError(), cudaErrorInvalidConfiguration);
  assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration);
  assert_int_equal(cudaGetLastError(), cudaSuccess);
}

// What is captured is not done until the graph is launched, and then in order, as often as it is.
static void test_capture(void **state) {
  (void)state;
  cudaStream_t stream = stream_make();
  int value = 5, start = 3, factor = 2;
  cudaGraph_t graph = NULL;
  cudaGraphExec_t ready = NULL;
  void *memory = NULL;
  assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  assert_int_equal(cudaMemcpyAsync(&value, &start, sizeof value, cudaMemcpyDefault, stream), cudaSuccess);
  assert_int_equal(probe_multiply(stream, &value, factor), cudaSuccess);
  factor = 100; // the launch has its own
  assert_int_equal(probe_multiply(stream, &value, 7), cudaSuccess);
  assert_int_equal(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
  assert_int_equal(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
  assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  assert_int_equal(value, 5);
  assert_int_equal(cudaGraphInstantiate(&ready, graph, 0), cudaSuccess);
  assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
  for (int i = 0; i < 2; i++) {
    start = 3 + i;
    assert_int_equal(cudaGraphLaunch(ready, stream), cudaSuccess);
    assert_int_equal(value, (3 + i) * 2 * 7);
  }
  assert_int_equal(cudaGraphExecDestroy(ready), cudaSuccess);
  assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
}

// A late device does work in order, as far as somebody waits for it.
static void test_late(void **state) {
  (void)state;
  setenv("SPIKESTILL_EMULATED_LATE", "1", 1);
  cudaStream_t stream = stream_make();
  cudaEvent_t event = NULL;
  int value = 5, start = 3;
  assert_int_equal(cudaEventCreate(&event), cudaSuccess);
  assert_int_equal(cudaMemcpyAsync(&value, &start, sizeof value, cudaMemcpyDefault, stream), cudaSuccess);
  assert_int_equal(cudaEventRecord(event, stream), cudaSuccess);
  assert_int_equal(probe_multiply(stream, &value, 7), cudaSuccess);
  assert_int_equal(value, 5);
  assert_int_equal(cudaEventQuery(event), cudaErrorNotReady);
  start = 4; // it is copied when the device comes to it
  assert_int_equal(cudaEventSynchronize(event), cudaSuccess);
  assert_int_equal(value, 4);
  assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
  assert_int_equal(value, 28);
  assert_int_equal(cudaEventDestroy(event), cudaSuccess);
  assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
  unsetenv("SPIKESTILL_EMULATED_LATE");
}

static void test_memory(void **state) {
  (void)state;
  setenv("SPIKESTILL_EMULATED_MEMORY", "4096", 1);
  void *first = NULL, *second = NULL, *host = NULL;
  size_t available = 0, total = 0;
  assert_int_equal(cudaMalloc(&first, 3000), cudaSuccess);
  assert_int_equal(*(unsigned char *)first, 0xff);
  assert_int_equal(cudaMallocManaged(&second, 2000, cudaMemAttachGlobal), cudaErrorMemoryAllocation);
  assert_null(second);
  assert_int_equal(cudaMallocHost(&host, 100000), cudaSuccess);
  assert_int_equal(cudaMemGetInfo(&available, &total), cudaSuccess);
  assert_int_equal(total, 4096);
  assert_int_equal(available, 4096 - 3072);
  cudaPointerAttributes about;
  assert_int_equal(cudaPointerGetAttributes(&about, (char *)first + 2999), cudaSuccess);
  assert_int_equal(about.type, cudaMemoryTypeDevice);
  assert_int_equal(cudaPointerGetAttributes(&about, &about), cudaSuccess);
  assert_int_equal(about.type, cudaMemoryTypeUnregistered);
  assert_int_equal(cudaFree(host), cudaErrorInvalidValue); // it is the host's
  assert_int_equal(cudaFreeHost(host), cudaSuccess);
  assert_int_equal(cudaFree(first), cudaSuccess);
  assert_int_equal(cudaFree(NULL), cudaSuccess);
  unsetenv("SPIKESTILL_EMULATED_MEMORY");
}

static void test_devices(void **state) {
  (void)state;
  int count = 0;
  assert_int_equal(cudaGetDeviceCount(&count), cudaSuccess);
  assert_int_equal(count, 1);
  assert_int_equal(cudaSetDevice(1), cudaErrorInvalidDevice);
  setenv("SPIKESTILL_EMULATED_DEVICES", "0", 1);
  assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  assert_int_equal(count, 0);
  unsetenv("SPIKESTILL_EMULATED_DEVICES");
  assert_string_equal(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_places),  TEST(test_exchanges), TEST(test_barriers), TEST(test_faults), TEST(test_configuration),
      TEST(test_capture), TEST(test_memory),    TEST(test_devices),  TEST(test_late),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
