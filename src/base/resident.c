// SPDX-License-Identifier: Apache-2.0
#include "base/resident.h"

#include <stdio.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static size_t resident_bytes(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) { return 0; }
  unsigned long all = 0, resident = 0;
  const int found = fscanf(file, "%lu %lu", &all, &resident);
  (void)fclose(file);
  const long page = sysconf(_SC_PAGESIZE);
  return found == 2 && page > 0 ? (size_t)resident * (size_t)page : 0;
}

size_t ssti_resident_peak_bytes(void) {
  FILE *file = fopen("/proc/self/status", "r");
  if (file == NULL) { return 0; }
  char line[256];
  unsigned long kilobytes = 0;
  while (fgets(line, sizeof line, file) != NULL && sscanf(line, "VmHWM: %lu", &kilobytes) != 1) {}
  (void)fclose(file);
  return (size_t)kilobytes << 10;
}

size_t ssti_resident_begin_peak(void) {
#ifdef __GLIBC__
  (void)malloc_trim(0); // what was freed would be taken again unseen
#endif
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file != NULL) {
    (void)fputs("5", file);
    (void)fclose(file);
  }
  return resident_bytes();
}
