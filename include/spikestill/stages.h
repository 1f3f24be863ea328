// SPDX-License-Identifier: Apache-2.0
// Recipes of stages: several runs that build on each other, started by one command. A stage trains a recipe or converts
// a network; it has a run directory of its own, RUN/<stage>, and may name earlier stages where a run directory is
// expected: "stage:teacher".
//
//     name: digits_lasnn_stages
//     data: {name: digits}                                  # keys that all recipes share
//     stages:
//       - {name: ann, recipe: {student: {kind: ann, model: cnn}, train: {epochs: 6}}}
//       - {name: converted, convert: {from: stage:ann, timesteps: [1, 4, 16]}}
//       - {name: snn, recipe: student.yaml}                 # or a file, relative to this one
//
// A stage may also convert an ONNX file. That one says nothing about its data: `data` and `device` of the stage's own
// map and, under them, the shared ones do.
#ifndef SPIKESTILL_STAGES_H
#define SPIKESTILL_STAGES_H

#include "spikestill/convert.h"
#include "spikestill/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SST_STAGE_NAME_SIZE = 64, SST_MAX_STAGES = 64 };

typedef struct sst_stage {
  char name[SST_STAGE_NAME_SIZE];
  sst_recipe *recipe;              // owned by the plan; NULL: the stage converts
  char from[SST_RECIPE_TEXT_SIZE]; // what it converts: "stage:<name>", a run directory, a checkpoint or an ONNX file
  char *data;                      // of an ONNX file: the keys of `data` as YAML, owned by the plan; NULL: it is none
  sst_device device;               // of an ONNX file
  bool has_method;                 // of the conversion; otherwise qcfs where the ANN was trained for it
  sst_conversion_options conversion;
} sst_stage;

typedef struct sst_plan {
  char name[SST_RECIPE_TEXT_SIZE];
  char *text; // the plan with every stage's recipe filled in; reading it back gives the same plan
  sst_stage *stages;
  int stage_count;
} sst_plan;

// Whether the file has the key `stages`. Errors: RECIPE, NOT_FOUND, IO.
SST_MUST_CHECK SST_API sst_status sst_plan_has_stages(sst_context *context, const char *path, bool *out);

// Reads a recipe of stages and checks them all. An override whose key begins with a stage's name or with
// "stages.<place>" is for that stage ("snn.train.epochs=2", "stages.1.percentile=99"), every other one for all stages
// that train, and those of `data` and `device` for the conversion of an ONNX file; so no stage may be called as a
// section of a recipe is. Errors: RECIPE (also a stage that is named before it is there, with both names), NOT_FOUND,
// IO.
SST_MUST_CHECK SST_API sst_status sst_plan_open(sst_context *context, const char *path, const char *const *overrides,
                                                int override_count, sst_plan **out);
// The same from memory; `name` stands for the file in messages, and files that stages name are looked for beside it.
SST_MUST_CHECK SST_API sst_status sst_plan_from_text(sst_context *context, const char *name, const char *text,
                                                     const char *const *overrides, int override_count, sst_plan **out);
SST_API void sst_plan_close(sst_context *context, sst_plan *plan);

// The name in "stage:<name>", or NULL for every other text.
SST_API const char *sst_stage_reference(const char *text);

#ifdef __cplusplus
}
#endif
#endif
