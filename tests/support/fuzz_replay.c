// SPDX-License-Identifier: Apache-2.0
// Gives a fuzz target every file of its corpus, and of each file some damaged versions: cut off at every place near the
// beginning, and with bytes changed at drawn places. Usage: fuzz_<name> CORPUS_FOLDER_OR_FILE...
// To search for new inputs, link the target to a fuzzer instead: clang -fsanitize=fuzzer,address
// tests/fuzz/fuzz_<name>.c
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST_INPUT = 1 << 20, CUTS = 64, CHANGES = 256 };

// The input in a block of exactly its size, so that a sanitizer sees the first byte beyond it.
static void give(const uint8_t *data, size_t size) {
  uint8_t *exact = malloc(size > 0 ? size : 1);
  if (exact == NULL) { abort(); }
  memcpy(exact, data, size);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
}

static int replay_file(const char *path) {
  static uint8_t data[LARGEST_INPUT];
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    fprintf(stderr, "%s: cannot be opened\n", path);
    return 1;
  }
  size_t size = fread(data, 1, sizeof data, file);
  fclose(file);
  give(data, size);
  for (size_t cut = 0; cut < size && cut < CUTS; cut++) { give(data, cut); }
  if (size > 0) { give(data, size - 1); }
  ssti_random random = ssti_random_begin(1, ssti_random_stream("fuzz replay"));
  for (int i = 0; i < CHANGES && size > 0; i++) {
    // Half of the changes hit the header, where they do the most harm.
    size_t reach = i % 2 == 0 && size > CUTS ? CUTS : size, place = (size_t)ssti_draw_below(&random, reach);
    uint8_t kept = data[place];
    data[place] = (uint8_t)ssti_draw_below(&random, 256);
    give(data, size);
    data[place] = kept;
  }
  return 0;
}

static int replay(const char *path, int *files) {
  struct stat about;
  if (stat(path, &about) != 0) {
    fprintf(stderr, "%s: does not exist\n", path);
    return 1;
  }
  if (!S_ISDIR(about.st_mode)) {
    ++*files;
    return replay_file(path);
  }
  DIR *folder = opendir(path);
  int failures = folder == NULL;
  for (struct dirent *entry = NULL; folder != NULL && (entry = readdir(folder)) != NULL;) {
    char name[4096];
    if (entry->d_name[0] == '.') { continue; }
    int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    failures += length < 0 || length >= (int)sizeof name ? 1 : replay(name, files);
  }
  if (folder != NULL) { closedir(folder); }
  return failures;
}

int main(int argc, char **argv) {
  int files = 0, failures = 0;
  for (int i = 1; i < argc; i++) { failures += replay(argv[i], &files); }
  printf("%d files replayed\n", files);
  return failures != 0 || files == 0;
}
