// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_BASE_RESIDENT_H
#define SPIKESTILL_BASE_RESIDENT_H

#include <stddef.h>

// The most bytes of this process that lay in memory, since it began or since ssti_resident_begin_peak; 0 where the
// system does not tell (it is asked through /proc).
size_t ssti_resident_peak_bytes(void);

// Begins to look for the peak anew. Returns the bytes that lie in memory now, after memory that was freed has been
// given back, so that what is allocated from here on shows in the difference; 0 where the system does not tell.
size_t ssti_resident_begin_peak(void);

#endif
