// SPDX-License-Identifier: Apache-2.0
// The input is a file. A network that can be read runs on its smallest input, and is written and read again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spikestill/integer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORK = 1 << 20 };

// Files go into memory where there is such a folder.
static const char *fuzz_path(char path[64], const char *name) {
  snprintf(path, 64, "%s/spikestill-fuzz-%ld-%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid(),
           name);
  return path;
}

static void put_file(const char *path, const uint8_t *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0) { abort(); }
}

// Multiplications of a run, about, up to MOST_WORK.
static int64_t work_of(const sst_integer_network *network) {
  int64_t work = 0;
  for (int i = 0; i < network->value_count && work < MOST_WORK; i++) {
    const sst_integer_value *v = &network->values[i];
    work += v->height * v->width * v->channels;
  }
  for (int i = 0; i < network->node_count && work < MOST_WORK; i++) {
    const sst_integer_sizes sizes = sst_integer_node_sizes(network, i);
    if (sizes.weights == 0) { continue; }
    const sst_integer_value *v = &network->values[network->nodes[i].output];
    work += sizes.weights / v->channels * v->height * v->width;
  }
  return work < MOST_WORK ? work * network->timesteps : MOST_WORK;
}

static void run(const sst_integer_network *network) {
  const sst_integer_value *v = &network->values[0];
  const int64_t steps = network->input_each_step ? network->timesteps : 1;
  const size_t count = (size_t)(steps * v->height * v->width * v->channels);
  int16_t *input = malloc(count * sizeof *input + 1);
  int64_t *logits = malloc((size_t)network->classes * sizeof *logits);
  if (input == NULL || logits == NULL) { abort(); }
  for (size_t i = 0; i < count; i++) { input[i] = (int16_t)(i % 2 ? v->low : v->high); }
  if (sst_integer_simulate(network, 1, input, logits, NULL, NULL) != SST_OK) { abort(); }
  free(logits);
  free(input);
}

static void write_again(sst_context *context, const sst_integer_network *network) {
  char path[64];
  sst_integer_network *again = NULL;
  fuzz_path(path, "again");
  if (sst_integer_network_save(network, path) != SST_OK || !sst_integer_network_recognize(path)) { abort(); }
  if (sst_integer_network_load(context, path, &again) != SST_OK) { abort(); }
  if (again->node_count != network->node_count || again->timesteps != network->timesteps) { abort(); }
  sst_integer_network_free(again);
  remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  sst_context *context = NULL;
  sst_integer_network *network = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  put_file(fuzz_path(path, "input"), data, size);
  (void)sst_integer_network_recognize(path);
  const sst_status status = sst_integer_network_load(context, path, &network);
  if (status == SST_OK) {
    if (work_of(network) < MOST_WORK) { run(network); }
    write_again(context, network);
  } else if (network != NULL || strstr(sst_context_message(context), path) == NULL ||
             (status != SST_FORMAT && status != SST_INVALID_ARGUMENT && status != SST_SHAPE)) {
    abort();
  }
  sst_integer_network_free(network);
  remove(path);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
