// SPDX-License-Identifier: Apache-2.0
// Random integer networks as C source: compiled with all warnings as errors, run, and compared with the simulation in
// every logit and every spike (the example of each export does the comparison, and tells by its exit code).
// SPIKESTILL_C_SOURCE_CASES sets how many.
#include "support.h"

#include <inttypes.h>

#include "random_integer_network.h"
#include "spikestill/c_source.h"

// The folder "net<seed>" of a random network. Inputs are random too.
static void export_random(sst_context *context, const char *folder, uint64_t seed,
                          const random_integer_options *shape) {
  char name[32], path[TEST_PATH_SIZE];
  snprintf(name, sizeof name, "net%" PRIu64, seed);
  sst_integer_network *network = random_integer_network(context, seed, shape);
  const sst_c_source_options options = {.name = "net", .samples = 3, .seed = seed};
  assert_ok(context, sst_c_source_write(network, test_path(path, folder, name), &options, NULL));
  sst_integer_network_free(network);
}

static int64_t case_count(int64_t standard) {
  const char *asked = getenv("SPIKESTILL_C_SOURCE_CASES");
  return asked != NULL && atoll(asked) > 0 ? atoll(asked) : standard;
}

// Runs a shell line for each folder net*, two at a time; `{}` is the folder. All must succeed.
static void run_in_each(const char *folder, const char *line) {
  char command[4096];
  const int length =
      snprintf(command, sizeof command,
               "cd '%s' && ls -d net* | xargs -P 2 -I{} sh -c 'cd {} && (%s) >log 2>&1 || (echo {}; cat log; exit 1)'",
               folder, line);
  assert_in_range(length, 1, sizeof command - 1);
  assert_int_equal(system(command), 0);
}

static bool has_tool(const char *name) {
  char command[256];
  snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
  return system(command) == 0;
}

// More than the folder's own files ask for: some projects do.
#define STRICT "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror "
#define SOURCES "-DNET_TRACE main.c golden.c net.c"

// Exports random networks and runs the line for each. `first` keeps the cases of different tests apart.
static void check_shaped(sst_context *context, uint64_t first, int64_t cases, const random_integer_options *shape,
                         const char *line) {
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  for (int64_t i = 0; i < cases; i++) { export_random(context, folder, first + (uint64_t)i, shape); }
  run_in_each(folder, line);
  temp_folder_remove(folder);
}

static void check_random(sst_context *context, uint64_t first, int64_t cases, const char *line) {
  check_shaped(context, first, cases, NULL, line);
}

static void test_random_networks_give_the_same_spikes(void **state) {
  check_random(*state, 1, case_count(30), "cc " STRICT "-O1 " SOURCES " -o example && ./example");
}

// Windows that overlap or leave something out, right behind neurons: each spike looks for the windows that hold it.
static void test_pools_of_spikes(void **state) {
  const random_integer_options shape = {.pools = 0.5f, .most_size = 16, .most_channels = 4};
  check_shaped(*state, 5001, case_count(30) / 5, &shape, "cc " STRICT "-O1 " SOURCES " -o example && ./example");
}

// What the first test's compiler leaves undefined is found here.
static void test_sanitizers_find_nothing(void **state) {
  check_random(*state, 1001, case_count(30) / 5,
               "cc " STRICT "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all " SOURCES
               " -o example && ./example");
}

// The folder's own build files. Which tool cmake uses is in the environment: CMAKE_GENERATOR.
static void test_cmake(void **state) {
  check_random(*state, 4001, 1, "cmake -B build && cmake --build build && ctest --test-dir build");
}

static void test_cortex_m(void **state) {
  if (!has_tool("arm-none-eabi-gcc") || !has_tool("qemu-system-arm") || !has_tool("make")) {
    skip_because("arm-none-eabi-gcc, qemu-system-arm or make is not installed");
  }
  check_random(*state, 2001, case_count(30) / 5, "timeout 60 make -s check-cortex-m");
}

static void test_risc_v(void **state) {
  if (!has_tool("riscv64-linux-gnu-gcc") || !has_tool("qemu-riscv64") || !has_tool("make")) {
    skip_because("riscv64-linux-gnu-gcc, qemu-riscv64 or make is not installed");
  }
  check_random(*state, 3001, case_count(30) / 5,
               "make -s CC=riscv64-linux-gnu-gcc LDFLAGS=-static && timeout 60 qemu-riscv64 ./example");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_random_networks_give_the_same_spikes),
                                     TEST(test_pools_of_spikes),
                                     TEST(test_sanitizers_find_nothing),
                                     TEST(test_cmake),
                                     TEST(test_cortex_m),
                                     TEST(test_risc_v)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
