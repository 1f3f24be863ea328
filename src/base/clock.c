// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

double ssti_clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_seconds(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

void ssti_sort_seconds(int count, double *seconds) { qsort(seconds, (size_t)count, sizeof *seconds, compare_seconds); }
