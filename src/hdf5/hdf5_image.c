// SPDX-License-Identifier: Apache-2.0
#include "hdf5/hdf5_image.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

// A file in memory grows by this much at a time.
enum { IMAGE_STEP = 1 << 16 };

// Not ours to avoid: the library has one state for the process and, as Debian builds it, no lock around it.
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

ssti_hdf5_guard ssti_hdf5_enter(void) {
  pthread_mutex_lock(&library);
  ssti_hdf5_guard guard = {0};
  H5open();
  H5Eget_auto2(H5E_DEFAULT, &guard.printer, &guard.printer_data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return guard;
}

void ssti_hdf5_leave(ssti_hdf5_guard guard) {
  H5Eclear2(H5E_DEFAULT);
  H5Eset_auto2(H5E_DEFAULT, guard.printer, guard.printer_data);
  pthread_mutex_unlock(&library);
}

static hid_t memory_access(void) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access >= 0 && H5Pset_fapl_core(access, IMAGE_STEP, 0) < 0) {
    H5Pclose(access);
    return H5I_INVALID_HID;
  }
  return access;
}

hid_t ssti_hdf5_create_image(void) {
  hid_t access = memory_access();
  if (access < 0) { return access; }
  hid_t file = H5Fcreate("image", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  return file;
}

sst_status ssti_hdf5_image(sst_context *context, hid_t file, void **data, size_t *size) {
  *data = NULL;
  if (H5Fflush(file, H5F_SCOPE_LOCAL) < 0) { SST_FAIL(context, SST_OUT_OF_MEMORY, "libhdf5 could not finish a file"); }
  const ssize_t bytes = H5Fget_file_image(file, NULL, 0);
  if (bytes < 0) { SST_FAIL(context, SST_OUT_OF_MEMORY, "libhdf5 could not finish a file"); }
  SST_TRY(ssti_allocate_raw(context, (size_t)bytes, 1, data));
  if (H5Fget_file_image(file, *data, (size_t)bytes) != bytes) {
    ssti_free(context, *data);
    *data = NULL;
    SST_FAIL(context, SST_OUT_OF_MEMORY, "libhdf5 could not finish a file");
  }
  *size = (size_t)bytes;
  return SST_OK;
}

// The first entry met going up is where the trouble was.
static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *data) {
  (void)n;
  char *text = data;
  if (text[0] == '\0' && error->desc) { snprintf(text, SSTI_HDF5_REASON_SIZE, "%s", error->desc); }
  return 0;
}

const char *ssti_hdf5_reason(char text[SSTI_HDF5_REASON_SIZE]) {
  text[0] = '\0';
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, text);
  return text;
}
