// SPDX-License-Identifier: Apache-2.0
// What writers of HDF5 files need of libhdf5. It keeps its state in globals and prints its errors, so all
// use of it lies between ssti_hdf5_enter and ssti_hdf5_leave: one thread of the process at a time, silently. Only built
// where libhdf5 is there.
#ifndef SPIKESTILL_HDF5_IMAGE_H
#define SPIKESTILL_HDF5_IMAGE_H

#include <hdf5.h>

#include "base/memory.h"

typedef struct ssti_hdf5_guard {
  H5E_auto2_t printer; // what would have been done with errors
  void *printer_data;
} ssti_hdf5_guard;

ssti_hdf5_guard ssti_hdf5_enter(void);
void ssti_hdf5_leave(ssti_hdf5_guard guard);

// A new file in memory: H5Fclose discards it, ssti_hdf5_image gives its bytes. A negative number on failure.
hid_t ssti_hdf5_create_image(void);

// The file's bytes as they would lie on the disk; owned by the caller.
sst_status ssti_hdf5_image(sst_context *context, hid_t file, void **data, size_t *size);

// What the library says about the last failure ("filter is not registered"); "" if it says nothing.
enum { SSTI_HDF5_REASON_SIZE = 160 };
const char *ssti_hdf5_reason(char text[SSTI_HDF5_REASON_SIZE]);

#endif
