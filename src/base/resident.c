// SPDX-License-Identifier: Apache-2.0
#include "base/resident.h"

#include <stdio.h>
#include <unistd.h>

size_t ssti_resident_bytes(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) { return 0; }
  unsigned long all = 0, resident = 0;
  const int found = fscanf(file, "%lu %lu", &all, &resident);
  (void)fclose(file);
  const long page = sysconf(_SC_PAGESIZE);
  return found == 2 && page > 0 ? (size_t)resident * (size_t)page : 0;
}
