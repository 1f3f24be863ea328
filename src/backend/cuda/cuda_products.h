// SPDX-License-Identifier: Apache-2.0
// What convolutions and linear layers share: three products each, in the layer's precision, with whatever has to be
// rounded before and widened after. A library, cuDNN or cuBLASLt, does a product alone; the emulated build has others
// in their place.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_PRODUCTS_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_PRODUCTS_H

#include "backend/cuda/cuda_state.h"

#ifdef __cplusplus
extern "C" {
#endif

// y = x w; dx = dy w; dw = x dy: the operand that is no factor is the result. X and Y stand for their gradients too.
enum { SSTI_CUDA_FORWARD, SSTI_CUDA_DATA, SSTI_CUDA_WEIGHTS, SSTI_CUDA_PASSES };
enum { SSTI_CUDA_X, SSTI_CUDA_W, SSTI_CUDA_Y, SSTI_CUDA_OPERANDS };

typedef struct ssti_cuda_pass {
  ssti_type factors, result;     // as the library has them
  bool rounds;                   // the factors are rounded to bf16 but handed over as f32, which holds them
  bool is_tf32;                  // the library may round f32 factors to TF32, which has the 8 bits of bf16 too
  void *handle;                  // the library's
  size_t library_bytes;          // of workspace that the library wants, first in the pass's
  size_t at[SSTI_CUDA_OPERANDS]; // where in the workspace an operand lies that is not handed over as it is
  size_t bytes;                  // of workspace in all
} ssti_cuda_pass;

typedef struct ssti_cuda_library ssti_cuda_library;

// A layer's plan.
typedef struct ssti_cuda_layer {
  ssti_plan plan;
  const ssti_cuda_library *library;
  union {
    ssti_conv2d conv2d;
    ssti_linear linear;
  } shape;
  sst_precision precision;
  int64_t count[SSTI_CUDA_OPERANDS];
  ssti_type type[SSTI_CUDA_OPERANDS]; // as they lie in the graph; weights are f32
  int64_t channels;                   // of y
  ssti_cuda_pass passes[SSTI_CUDA_PASSES];
} ssti_cuda_layer;

struct ssti_cuda_library {
  const char *what[SSTI_CUDA_PASSES]; // is computed, for failures
  bool widens;                        // takes bf16 factors for an f32 result
  // Sets the pass's handle and library_bytes for its types; on failure nothing stays. Errors: UNSUPPORTED,
  // OUT_OF_MEMORY.
  sst_status (*open)(ssti_backend *backend, const ssti_cuda_layer *layer, int pass, ssti_cuda_pass *out);
  void (*close)(ssti_backend *backend, void *handle);
  // operands[result] = product (+ what is there), summed in f32.
  void (*multiply)(ssti_backend *backend, const ssti_cuda_layer *layer, int pass,
                   void *const operands[SSTI_CUDA_OPERANDS], bool accumulate, void *workspace);
};

extern const ssti_cuda_library ssti_cuda_convolutions, ssti_cuda_matrices;

static inline int ssti_cuda_result_of(int pass) {
  return pass == SSTI_CUDA_FORWARD ? SSTI_CUDA_Y : pass == SSTI_CUDA_DATA ? SSTI_CUDA_X : SSTI_CUDA_W;
}

#ifdef __cplusplus
}
#endif
#endif
