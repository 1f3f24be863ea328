// SPDX-License-Identifier: Apache-2.0
// Named parameters, shared by the graphs that are built over them: the training graph and the evaluation graph of a
// network bind to the same store. Values lie in one block, trainable ones first, gradients in another.
#ifndef SPIKESTILL_PARAMETERS_H
#define SPIKESTILL_PARAMETERS_H

#include "spikestill/context.h"
#include "spikestill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_parameters sst_parameters;

// What a parameter is for: decides weight decay and what a checkpoint calls it.
typedef enum sst_parameter_kind {
  SST_PARAMETER_WEIGHT, // decays
  SST_PARAMETER_BIAS,
  SST_PARAMETER_NORM,   // batch norm's gamma and beta
  SST_PARAMETER_NEURON, // learned decay
  SST_PARAMETER_STEP,   // learned step of a quantiser; one that is not above 0 starts from its weights
  SST_PARAMETER_BUFFER  // running statistics: saved, never trained
} sst_parameter_kind;

typedef enum sst_initializer_kind {
  SST_INIT_CONSTANT,        // value
  SST_INIT_KAIMING_UNIFORM, // U(-b, b), b = value * sqrt(3 / fan_in); value: gain, sqrt(2) for relu
  SST_INIT_KAIMING_NORMAL,  // N(0, value / sqrt(fan_in))
  SST_INIT_UNIFORM          // U(-value, value)
} sst_initializer_kind;

typedef struct sst_initializer {
  sst_initializer_kind kind;
  float value;
} sst_initializer;

typedef struct sst_parameter {
  const char *name; // "stage1.0.conv.weight"; borrowed from the store
  sst_shape shape;
  sst_parameter_kind kind;
  bool trainable;
  int64_t count;
  float *value;    // [count]; NULL before the store is sealed; borrowed from the store
  float *gradient; // [count]; NULL for what is not trainable
} sst_parameter;

// An empty store. `seed` is that of the initial values: a parameter's depend on the seed and its name alone.
SST_MUST_CHECK SST_API sst_status sst_parameters_create(sst_context *context, uint64_t seed, sst_parameters **out);
SST_API void sst_parameters_destroy(sst_parameters *parameters);

// Finds the parameter of that name, or adds it. One that exists must have the same shape and kind (MISMATCH otherwise).
// fan_in for the initialiser is the product of a weight's axes after O. A sealed store refuses new names (NOT_FOUND).
SST_MUST_CHECK SST_API sst_status sst_parameters_require(sst_parameters *parameters, const char *name, sst_shape shape,
                                                         sst_parameter_kind kind, bool trainable,
                                                         sst_initializer initializer, int *index);

// Allocates values and gradients in one block each and fills in the initial values. Graphs seal the store when they
// are compiled; calling it again does nothing.
SST_MUST_CHECK SST_API sst_status sst_parameters_seal(sst_parameters *parameters);

// Number of parameters, the i-th (in the order they were added), and the one of that name (NULL if there is none).
SST_API int sst_parameters_count(const sst_parameters *parameters);
SST_API const sst_parameter *sst_parameters_at(const sst_parameters *parameters, int index);
SST_API const sst_parameter *sst_parameters_find(const sst_parameters *parameters, const char *name);

// Numbers of trainable elements, as people count a network's parameters (buffers excluded).
SST_API int64_t sst_parameters_elements(const sst_parameters *parameters);

#ifdef __cplusplus
}
#endif
#endif
