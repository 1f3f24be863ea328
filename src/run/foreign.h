// SPDX-License-Identifier: Apache-2.0
// Networks that a file of another tool describes in place of a recipe: ONNX (ANNs) and NIR (spiking networks). What a
// caller knows of one is what it takes and tells apart, how to build it and how to fill its parameters.
#ifndef SPIKESTILL_RUN_FOREIGN_H
#define SPIKESTILL_RUN_FOREIGN_H

#include "base/text.h"
#include "spikestill/nir.h"
#include "spikestill/onnx.h"
#include "spikestill/recipe.h"

typedef struct ssti_foreign {
  sst_context *context;
  sst_onnx *onnx; // one of the two
  sst_nir_network *nir;
  sst_dataset_kind data;
  bool names_data;
  ssti_text data_keys, student_keys;
} ssti_foreign;

typedef struct ssti_foreign_info {
  const char *format;              // "ONNX"
  int64_t height, width, channels; // of a picture; rows of F numbers are 1 x 1 x F
  int64_t classes;
  bool rows; // the input has no height and width
  bool spiking;
  // What else the file says, as words of a recipe; borrowed.
  const char *data;         // name of a data set, or NULL
  const char *data_keys;    // "" or ", mean: [0.1], deviation: [0.3]"
  const char *student_keys; // "" or ", timesteps: 4, readout: current"
} ssti_foreign_info;

// Whether a file of that name is read here.
bool ssti_foreign_knows(const char *path);

// Opens a file by its ending. `nir` may be NULL. *out is owned by the caller; NULL on failure.
sst_status ssti_foreign_open(sst_context *context, const char *path, const sst_nir_import_options *nir,
                             ssti_foreign **out);
// From the bytes of an ONNX file, as a checkpoint holds them.
sst_status ssti_foreign_from_onnx(sst_context *context, const char *name, const void *data, size_t size,
                                  ssti_foreign **out);
void ssti_foreign_close(ssti_foreign *foreign); // NULL is allowed

ssti_foreign_info ssti_foreign_describe(const ssti_foreign *foreign);

// As sst_onnx_build, with its `activation` and `user`, and sst_nir_build; T and readout are the model's.
sst_value ssti_foreign_build(const ssti_foreign *foreign, sst_graph *graph, const sst_model_options *model,
                             sst_onnx_activation *activation, void *user, sst_value x, sst_value *logits);

// Copies the file's numbers into a sealed store.
sst_status ssti_foreign_load(const ssti_foreign *foreign, sst_parameters *parameters);

#endif
