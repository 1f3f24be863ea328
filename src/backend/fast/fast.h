// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend: oneDNN for convolutions and matrix products, own SIMD kernels for the rest. Slots that gain
// nothing keep the reference. Kernels allocate nothing from the context: plans hold primitives and memory objects, and
// the state holds room for partial sums.
#ifndef SPIKESTILL_BACKEND_FAST_FAST_H
#define SPIKESTILL_BACKEND_FAST_FAST_H

#include <dnnl.h>

#include "backend/backend.h"
#include "backend/fast/simd.h"
#include "spikestill/crossover.h"

enum {
  SSTI_FAST_CHUNKS = 64,           // a reduction over rows has at most this many partial sums, whatever the threads
  SSTI_FAST_PARTIAL_COLUMNS = 2048 // columns that are reduced in one sweep
};

typedef struct ssti_fast_state {
  ssti_simd simd;
  ssti_simd_level level;
  sst_crossover crossover; // the context's, when the backend was made
  sst_convolution convolution;
  sst_codes codes;
  ssti_kernels reference; // the table as it was, for shapes and kinds that it keeps
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  double *partial; // [2, SSTI_FAST_CHUNKS, SSTI_FAST_PARTIAL_COLUMNS]
  float *columns;  // [3, SSTI_FAST_PARTIAL_COLUMNS]: numbers per column of a sweep
} ssti_fast_state;

static inline ssti_fast_state *ssti_fast_state_of(const ssti_backend *backend) { return backend->state; }

// The best level of this CPU, and taking another one (tests); false if the CPU or the build lacks it.
ssti_simd_level ssti_simd_best(void);
const char *ssti_simd_word(ssti_simd_level level);
bool ssti_simd_fill(ssti_simd_level level, ssti_simd *table);
bool ssti_fast_force_level(ssti_backend *backend, ssti_simd_level level);

// ---- oneDNN

// A primitive with its memory objects; which memory each one looks at is set before every run.
enum { SSTI_DNNL_ARGUMENTS = 5 };
typedef struct ssti_dnnl {
  dnnl_primitive_t primitive; // NULL: not made
  int count;
  dnnl_exec_arg_t argument[SSTI_DNNL_ARGUMENTS]; // 0 is the one written
  void *bound[SSTI_DNNL_ARGUMENTS];
  size_t scratchpad; // bytes; where more than 0 it is the last argument
} ssti_dnnl;

// What a primitive is made from.
typedef struct ssti_dnnl_recipe {
  const_dnnl_op_desc_t operation;
  bool add;                   // adds to the output instead of overwriting it
  float scale;                // multiplies sums of integers; 0: none
  dnnl_primitive_desc_t hint; // backward: the forward descriptor; else NULL
} ssti_dnnl_recipe;

// Makes the primitive. *made is false where oneDNN has no implementation. `description`, if not NULL, receives the
// descriptor, owned by the caller. Errors: OUT_OF_MEMORY.
sst_status ssti_dnnl_make(ssti_backend *backend, const ssti_dnnl_recipe *recipe, ssti_dnnl *out, bool *made,
                          dnnl_primitive_desc_t *description);
// A reorder from one layout to another.
sst_status ssti_dnnl_make_reorder(ssti_backend *backend, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                  ssti_dnnl *out, bool *made);
// Appends an argument with that layout: the output first, and after all others the scratchpad, if there is one.
sst_status ssti_dnnl_add_argument(ssti_backend *backend, ssti_dnnl *dnnl, int kind, const dnnl_memory_desc_t *layout);
sst_status ssti_dnnl_add_scratchpad(ssti_backend *backend, ssti_dnnl *dnnl);
void ssti_dnnl_bind(ssti_dnnl *dnnl, int index, const void *data);
void ssti_dnnl_run(ssti_backend *backend, ssti_dnnl *dnnl, void *scratchpad);
void ssti_dnnl_end(ssti_dnnl *dnnl);

// oneDNN takes the calling thread's OpenMP setting: it is the context's between enter and leave.
int ssti_fast_threads_enter(const ssti_backend *backend);
void ssti_fast_threads_leave(int before);

// ---- plans of convolutions and linear layers

typedef enum ssti_fast_part {
  SSTI_FAST_FORWARD,
  SSTI_FAST_DATA,
  SSTI_FAST_DATA_ADD, // dx +=; not made for every shape
  SSTI_FAST_WEIGHTS,
  SSTI_FAST_WEIGHTS_ADD,     // dW +=; linear layers only
  SSTI_FAST_FORWARD_REORDER, // weights into the layout that the primitive chose; not made where it chose ours
  SSTI_FAST_DATA_REORDER,
  SSTI_FAST_WEIGHTS_REORDER, // and the weights' gradient back
  SSTI_FAST_PARTS
} ssti_fast_part;

typedef struct ssti_fast_plan {
  ssti_plan base;
  ssti_dnnl part[SSTI_FAST_PARTS];
  // Refused by oneDNN: the reference kernel does it.
  bool forward_refused, data_refused, weights_refused;
  bool has_events;                            // the input may be spikes: see fast_event.h
  bool own_weights;                           // the gradient of the weights by fast_dense_weights.c
  bool slim_forward, slim_data, slim_weights; // by fast_bf16_slim.h
  bool winograd;                              // all three passes, by fast_winograd.h
  bool data_as_forward;                       // the gradient of the input is a convolution with turned weights
  size_t forward_layout_bytes, data_layout_bytes, weights_layout_bytes; // of weights in oneDNN's layout; 0: ours
  struct ssti_codes *codes;                                             // forward in 8-bit integers; or NULL
  float *zero_bias;                                                     // [O]: primitives always add a bias
} ssti_fast_plan;

sst_status ssti_fast_plan_create(ssti_backend *backend, int64_t out_channels, ssti_fast_plan **out);
void ssti_fast_plan_destroy(ssti_backend *backend, ssti_plan *plan);

static inline size_t ssti_fast_round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Of 3x3, stride 1, without dilation.
static inline bool ssti_fast_is_3x3(const ssti_conv2d *s) {
  return s->kernel_h == 3 && s->kernel_w == 3 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 &&
         s->dilation_w == 1;
}

// ---- shared

// The convolution of dy, with turned weights, that is the gradient of the input: where strides are 1 and no padding is
// more than the kernel reaches.
ssti_conv2d ssti_fast_turned_shape(const ssti_conv2d *shape);

// See norm_neuron_statistics in backend.h.
void ssti_fast_norm_statistics(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                               float *running_mean, float *running_variance, float *saved);

// Whether the own kernels do this kind; the others stay with the reference.
bool ssti_fast_is_own_neuron(sst_neuron_kind kind);

// sums[c] (+)= sum over rows of values[row, c], which are of `type`.
void ssti_fast_column_sums(ssti_backend *backend, int64_t rows, int64_t channels, const float *values, ssti_type type,
                           float *sums, bool accumulate);
// The forward pass of linear layers at a small batch, with a workspace of its own; whether it is the faster way.
bool ssti_few_rows_possible(ssti_backend *backend, const ssti_linear *shape);
size_t ssti_few_rows_workspace(const ssti_linear *shape);
void ssti_few_rows_forward(ssti_backend *backend, const ssti_linear *shape, const float *x, const float *weight,
                           const float *bias, float *y, void *workspace);

// y += x
void ssti_fast_add(ssti_backend *backend, int64_t count, const float *x, float *y);
void ssti_fast_add_bf16(ssti_backend *backend, int64_t count, const ssti_bf16 *x, ssti_bf16 *y);

// From one type to the other, on all threads.
void ssti_fast_narrow(ssti_backend *backend, int64_t count, const float *x, ssti_bf16 *y);
void ssti_fast_widen(ssti_backend *backend, int64_t count, const ssti_bf16 *x, float *y);
// Whether this CPU multiplies bf16; what it can do at most: operations of a round, and `rounds` of them.
bool ssti_bf16_is_supported(void);
enum { SSTI_BF16_CHAIN_OPERATIONS = 12 * 64 };
float ssti_bf16_chains(int64_t rounds);

// Each puts its slots into the table (fast_*.c).
void ssti_fast_fill_conv2d(ssti_kernels *kernels);
void ssti_fast_fill_linear(ssti_kernels *kernels);
void ssti_fast_fill_pool(ssti_kernels *kernels);
void ssti_fast_fill_batch_norm(ssti_kernels *kernels);
void ssti_fast_fill_neuron(ssti_kernels *kernels);
void ssti_fast_fill_norm_neuron(ssti_kernels *kernels);
void ssti_fast_fill_binary(ssti_kernels *kernels);
void ssti_fast_fill_flat(ssti_kernels *kernels);
void ssti_fast_fill_quantize(ssti_kernels *kernels);
void ssti_fast_fill_reduce(ssti_kernels *kernels);

#endif
