// SPDX-License-Identifier: Apache-2.0
// Integer networks (integer.h) as plain C source: one .c and one .h in C99 that need nothing but <stdint.h>: no
// allocation, no input or output, no floating point, constant tables, all memory static and of a size known when it is
// compiled. The same spikes, bit for bit, as sst_integer_simulate. What is in the folder: docs/c_source.md.
#ifndef SPIKESTILL_C_SOURCE_H
#define SPIKESTILL_C_SOURCE_H

#include "spikestill/integer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SST_C_SOURCE_NAME_SIZE = 48, SST_C_SOURCE_MOST_SAMPLES = 65536 };

// What the example runs and compares ("golden" samples). 0 and NULL stand for the defaults.
typedef struct sst_c_source_options {
  const char *name;       // prefix of all that is public: a C identifier of at most 40 characters
  bool overwrite;         // replace files that are not from an earlier export
  int64_t samples;        // 1 to SST_C_SOURCE_MOST_SAMPLES; default 4
  const int16_t *inputs;  // [samples][1, or T] [H,W,C], as sst_integer_simulate takes them, but bytes (0..255) where
                          // the network has pixel codes; NULL: random ones
  const int32_t *classes; // [samples] right classes, or NULL where they are not known
  uint64_t seed;          // of random inputs
} sst_c_source_options;

// How large it is. What an unknown compiler makes of the code cannot be said here; see docs/c_source.md for what it is.
typedef struct sst_c_source_sizes {
  int64_t table_bytes; // constants: weights and what belongs to them
  int64_t ram_bytes;   // static variables; inputs and logits are the caller's
  int layers;          // functions, one after the other
  int spiking_layers;
} sst_c_source_sizes;

// A name made of a path's last part without its ending: "runs/mnist-cnn.safetensors" gives "mnist_cnn".
SST_API void sst_c_source_name(const char *path, char name[SST_C_SOURCE_NAME_SIZE]);

// Writes the folder, which is made if it is not there: all files, or none. `options` and `sizes` may be NULL; a missing
// name is "network". Errors: INVALID_ARGUMENT for a name that C or the folder's own files have taken, for files that
// are somebody's, and for inputs out of bounds; UNSUPPORTED for networks beyond 256 MiB; IO; OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_c_source_write(const sst_integer_network *network, const char *folder,
                                                     const sst_c_source_options *options, sst_c_source_sizes *sizes);

#ifdef __cplusplus
}
#endif
#endif
