// SPDX-License-Identifier: Apache-2.0
// Runs a kernel on the CPU. Blocks are run one after the other. A thread of a block is a function call that lives on a
// stack of its own as soon as it must wait: it runs until it ends or waits at a barrier, then the next one runs, and
// when all have come to the barrier they go on. Kernels without barriers never switch more than once a thread.
//
// A barrier that not all threads reach, or that they reach in different places, and an exchange between lanes that not
// all lanes of the warp take part in, end the program with a sentence: on a device they would hang or be undefined.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <memory>
#include <vector>

#include "cuda_runtime.h"
#include "emulator_stream.h"

// gcc says it by a macro, clang by a feature.
#if defined(__has_feature)
#define EMULATOR_FEATURE(name) __has_feature(name)
#else
#define EMULATOR_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || EMULATOR_FEATURE(address_sanitizer)
#define EMULATOR_ASAN 1
#else
#define EMULATOR_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || EMULATOR_FEATURE(thread_sanitizer)
#define EMULATOR_TSAN 1
#else
#define EMULATOR_TSAN 0
#endif
#if EMULATOR_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if EMULATOR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

thread_local uint3 threadIdx, blockIdx;
thread_local dim3 blockDim, gridDim;

namespace {

constexpr size_t stack_bytes = 128 * 1024;
constexpr int most_threads = 1024;

enum class wait { nothing, block, warp, ended };

// A stack with the context that runs on it. The address and the thread sanitizer want to be told of every switch.
struct fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  jmp_buf left;       // where it was left
  bool begun = false; // or it is at its beginning
#if EMULATOR_ASAN
  void *fake_stack = nullptr;
  const void *bottom = nullptr;
  size_t size = 0;
#endif
#if EMULATOR_TSAN
  void *tsan = nullptr;
#endif
};

// swapcontext asks the kernel for the signal mask each time. Between stacks that have been begun, a jump does the same
// without; the sanitizers know only of the former.
#if EMULATOR_ASAN || EMULATOR_TSAN
void jump(fiber &from, fiber &to) { swapcontext(&from.context, &to.context); }
#else
void jump(fiber &from, fiber &to) {
  if (_setjmp(from.left) != 0) { return; }
  if (to.begun) { _longjmp(to.left, 1); }
  to.begun = true;
  setcontext(&to.context);
}
#endif

void switch_fibers(fiber &from, fiber &to) {
#if EMULATOR_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
#if EMULATOR_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
  jump(from, to);
#if EMULATOR_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

struct emulated_thread {
  wait waits = wait::nothing;
  const char *file = nullptr;
  int line = 0;
  unsigned exchanges = 0; // how many this lane took part in
  fiber *runs_on = nullptr;
};

// The machine of one thread of the host.
struct machine {
  fiber scheduler;
  std::vector<std::unique_ptr<fiber>> fibers;
  std::vector<fiber *> idle;
  emulated_thread threads[most_threads];
  uint64_t exchanged[2][most_threads]; // of even and odd exchanges: one lane may be one exchange ahead
  int count = 0, current = 0;
  const std::function<void()> *kernel = nullptr;
};
thread_local std::unique_ptr<machine> own_machine;

bool reversed = false;

[[noreturn]] void refuse(const char *what, const emulated_thread &thread, int index) {
  fprintf(stderr, "CUDA emulator: %s, at %s:%d by thread %d of %d of block %u,%u,%u\n", what,
          thread.file == nullptr ? "?" : thread.file, thread.line, index, own_machine->count, blockIdx.x, blockIdx.y,
          blockIdx.z);
  abort();
}

// A fiber runs one emulated thread after another.
void run_threads() {
  machine &m = *own_machine;
#if EMULATOR_ASAN
  const void *bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
  m.scheduler.bottom = bottom;
  m.scheduler.size = size;
#endif
  for (;;) {
    emulated_thread &thread = m.threads[m.current];
    (*m.kernel)();
    thread.waits = wait::ended;
    thread.file = nullptr;
    thread.line = 0;
    switch_fibers(*thread.runs_on, m.scheduler);
  }
}

void begin_fiber(fiber &made) {
  made.stack = std::make_unique<char[]>(stack_bytes);
  getcontext(&made.context);
  made.context.uc_stack.ss_sp = made.stack.get();
  made.context.uc_stack.ss_size = stack_bytes;
  made.context.uc_link = nullptr;
  makecontext(&made.context, run_threads, 0);
#if EMULATOR_ASAN
  made.bottom = made.stack.get();
  made.size = stack_bytes;
#endif
#if EMULATOR_TSAN
  made.tsan = __tsan_create_fiber(0);
#endif
}

fiber *free_fiber(machine &m) {
  if (m.idle.empty()) {
    m.fibers.push_back(std::make_unique<fiber>());
    begin_fiber(*m.fibers.back());
    return m.fibers.back().get();
  }
  fiber *const last = m.idle.back();
  m.idle.pop_back();
  return last;
}

void place_thread(machine &m, int index) {
  const dim3 size = blockDim;
  m.current = index;
  const unsigned i = (unsigned)index;
  threadIdx = {i % size.x, i / size.x % size.y, i / size.x / size.y};
}

// Runs a thread until it waits or ends.
void run_thread(machine &m, int index) {
  emulated_thread &thread = m.threads[index];
  if (thread.runs_on == nullptr) { thread.runs_on = free_fiber(m); }
  thread.waits = wait::nothing;
  place_thread(m, index);
  switch_fibers(m.scheduler, *thread.runs_on);
  if (thread.waits == wait::ended) {
    m.idle.push_back(thread.runs_on);
    thread.runs_on = nullptr;
  }
}

void wait_here(wait kind, const char *file, int line) {
  machine &m = *own_machine;
  emulated_thread &thread = m.threads[m.current];
  thread.waits = kind;
  thread.file = file;
  thread.line = line;
  switch_fibers(*thread.runs_on, m.scheduler);
}

// Whether all of begin..end-1 wait for the same thing at the same place; ends the program if they never can.
void check_together(const machine &m, int begin, int end) {
  const emulated_thread &first = m.threads[begin];
  for (int i = begin + 1; i < end; i++) {
    const emulated_thread &other = m.threads[i];
    if (other.waits == first.waits && other.file == first.file && other.line == first.line) { continue; }
    const bool first_ended = first.waits == wait::ended;
    refuse(first_ended || other.waits == wait::ended ? "some threads wait for others that have ended"
                                                     : "threads wait for each other in different places",
           first_ended ? other : first, first_ended ? i : begin);
  }
}

void run_range(machine &m, int begin, int end) {
  for (int i = begin; i < end; i++) { run_thread(m, reversed ? begin + end - 1 - i : i); }
}

void run_block(machine &m) {
  for (int i = 0; i < m.count; i++) { m.threads[i] = emulated_thread(); }
  do {
    for (int w = 0; w < m.count; w += warpSize) {
      const int begin = reversed ? (m.count - 1) / warpSize * warpSize - w : w;
      const int end = begin + warpSize < m.count ? begin + warpSize : m.count;
      do {
        run_range(m, begin, end);
        check_together(m, begin, end);
      } while (m.threads[begin].waits == wait::warp);
    }
    check_together(m, 0, m.count);
  } while (m.threads[0].waits == wait::block);
}

bool is_allowed(const cudaLaunchConfig_t &config) {
  const dim3 &b = config.blockDim, &g = config.gridDim;
  const uint64_t threads = (uint64_t)b.x * b.y * b.z;
  return threads >= 1 && threads <= most_threads && b.z <= 64 && g.x >= 1 && g.y >= 1 && g.z >= 1 &&
         g.x <= 0x7fffffffu && g.y <= 65535 && g.z <= 65535 && config.dynamicSmemBytes == 0;
}

void run_grid(dim3 grid, dim3 block, const std::function<void()> &kernel) {
  if (own_machine == nullptr) {
    own_machine = std::make_unique<machine>();
#if EMULATOR_TSAN
    own_machine->scheduler.tsan = __tsan_get_current_fiber();
#endif
  }
  machine &m = *own_machine;
  m.scheduler.begun = true;
  m.kernel = &kernel;
  m.count = (int)(block.x * block.y * block.z);
  blockDim = block;
  gridDim = grid;
  const uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
  for (uint64_t i = 0; i < blocks; i++) {
    const uint64_t at = reversed ? blocks - 1 - i : i;
    blockIdx = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
    run_block(m);
  }
}

} // namespace

void ssti_emulator_reverse(int to) { reversed = to != 0; }

void ssti_emulated_syncthreads(const char *file, int line) { wait_here(wait::block, file, line); }

int ssti_emulated_lane(void) { return own_machine->current % warpSize; }

uint64_t ssti_emulated_exchange(uint64_t bits, int from, unsigned mask, const char *file, int line) {
  machine &m = *own_machine;
  const int me = m.current, first = me / warpSize * warpSize;
  const int lanes = m.count - first < warpSize ? m.count - first : warpSize;
  emulated_thread &thread = m.threads[me];
  thread.file = file;
  thread.line = line;
  if (mask != 0xffffffffu) { refuse("lanes are left out of an exchange, which this emulator does not do", thread, me); }
  const unsigned parity = thread.exchanges++ % 2;
  m.exchanged[parity][me] = bits;
  wait_here(wait::warp, file, line);
  // A lane that is not there: the device gives back one's own value beyond the warp's end; inside it is undefined.
  if (from < 0 || from >= warpSize) { return bits; }
  if (from >= lanes) { refuse("a lane that does not exist is asked for its value", thread, me); }
  return m.exchanged[parity][first + from];
}

uint64_t ssti_emulated_ballot(bool mine, unsigned mask, const char *file, int line) {
  machine &m = *own_machine;
  const int me = m.current, first = me / warpSize * warpSize;
  const unsigned parity = m.threads[me].exchanges % 2;
  (void)ssti_emulated_exchange(mine, me - first, mask, file, line);
  uint64_t votes = 0;
  for (int i = 0; i < warpSize && first + i < m.count; i++) { votes |= (m.exchanged[parity][first + i] & 1) << i; }
  return votes;
}

cudaError_t ssti_emulated_launch(const cudaLaunchConfig_t &config, std::function<void()> thread) {
  if (!is_allowed(config)) { return ssti_emulated_error(cudaErrorInvalidConfiguration); }
  const dim3 grid = config.gridDim, block = config.blockDim;
  return ssti_emulated_do(config.stream, [grid, block, thread] { run_grid(grid, block, thread); });
}
