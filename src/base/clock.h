// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_BASE_CLOCK_H
#define SPIKESTILL_BASE_CLOCK_H

// Seconds of a monotonic clock; only differences mean something.
double ssti_clock_seconds(void);

// The least first.
void ssti_sort_seconds(int count, double *seconds);

#endif
