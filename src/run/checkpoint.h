// SPDX-License-Identifier: Apache-2.0
// Checkpoints: parameters, optimiser state and position in one safetensors file (docs/spec/checkpoint.md).
#ifndef SPIKESTILL_RUN_CHECKPOINT_H
#define SPIKESTILL_RUN_CHECKPOINT_H

#include "run/companion.h"
#include "spikestill/run.h"
#include "spikestill/safetensors.h"

// What a run remembers of its validations.
typedef struct ssti_run_memory {
  double best_validation_accuracy; // -1 before the first
  int64_t best_epoch;
} ssti_run_memory;

// The tensor of bytes that holds the ONNX file whose layers the network has; missing where the recipe has them.
#define SSTI_CHECKPOINT_ONNX "network.onnx"
typedef struct ssti_checkpoint_onnx {
  const void *data;
  size_t size;
} ssti_checkpoint_onnx;

// Writes a checkpoint of a network's parameters alone; `onnx` may be NULL.
sst_status ssti_checkpoint_save_network(sst_context *context, const char *path, const char *recipe_text,
                                        const sst_parameters *parameters, const ssti_checkpoint_onnx *onnx);

// Writes a checkpoint that training can go on from.
sst_status ssti_checkpoint_save(sst_context *context, const char *path, const char *recipe_text,
                                const sst_parameters *parameters, sst_optimizer *optimizer,
                                const ssti_companions *companions, const sst_training_position *position,
                                const ssti_run_memory *memory);

// Copies a checkpoint's parameters into the sealed store: all of them, by name and shape. Optimisers'
// states and companions in the file are passed over. Errors: MISMATCH.
sst_status ssti_checkpoint_load_parameters(sst_context *context, const sst_safetensors *file, const char *path,
                                           sst_parameters *parameters);

// The same for a network that starts from the file's: it may be quantised in another way, or not at all. Steps of
// quantisers keep their values, which in a new store are 0: they start from the weights.
sst_status ssti_checkpoint_load_start(sst_context *context, const sst_safetensors *file, const char *path,
                                      sst_parameters *parameters);

// Copies what else resuming needs: the optimiser's state, the companions with theirs, the position. Errors: MISMATCH,
// FORMAT (the file has none).
sst_status ssti_checkpoint_load_state(sst_context *context, const sst_safetensors *file, const char *path,
                                      sst_optimizer *optimizer, ssti_companions *companions,
                                      sst_training_position *position, ssti_run_memory *memory);

#endif
