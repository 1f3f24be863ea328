// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_BASE_RESIDENT_H
#define SPIKESTILL_BASE_RESIDENT_H

#include <stddef.h>

// Bytes of this process that lie in memory now; 0 where the system does not tell (it is asked through /proc).
size_t ssti_resident_bytes(void);

// The most since the process began or since this was asked to begin anew; 0 where the system does not tell.
size_t ssti_resident_peak_bytes(void);
void ssti_resident_begin_peak(void);

#endif
