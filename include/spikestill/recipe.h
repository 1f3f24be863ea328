// SPDX-License-Identifier: Apache-2.0
// Recipes: a YAML file that says everything about a run. docs/recipes.md lists every key (made from the same tables
// that parse it). Unknown keys, wrong types and values out of range are errors with file, line and the nearest key.
// `extends: FILE` takes over another recipe's keys but its name; a resolved recipe holds them all.
//
//     name: mnist_cnn_kd
//     seed: 1
//     device: cpu                      # cpu | cpu-ref
//     precision: f32                   # f32 | bf16 | tf32
//     data: {name: mnist, validation: 0.0833, encoding: direct, mean: [0.1307], deviation: [0.3081],
//            augment: {crop_padding: 2, flip: false, cutout: 0, autoaugment: none, mixup: 0}}
//     student: {kind: snn, model: cnn, timesteps: 4, norm: batch, readout: current,
//               neuron: {model: lif, decay: 0.5, threshold: 1, reset: hard, surrogate: arctan}}
//     teacher: runs/mnist_cnn_teacher  # a run directory, a checkpoint or an ONNX file
//     loss: {weight: 0.5, label_smoothing: 0}
//     distill:
//       - {method: kd, weight: 0.5, teacher_temperature: 4, student_temperature: 4}
//     optimizer: {kind: sgd, learning_rate: 0.1, momentum: 0.9, weight_decay: 5e-4}
//     schedule: {kind: cosine, warmup_epochs: 1}
//     train: {epochs: 10, batch: 64}
#ifndef SPIKESTILL_RECIPE_H
#define SPIKESTILL_RECIPE_H

#include "spikestill/crossover.h"
#include "spikestill/data.h"
#include "spikestill/device.h"
#include "spikestill/distill.h"
#include "spikestill/model.h"
#include "spikestill/optim.h"
#include "spikestill/precision.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SST_RECIPE_TEXT_SIZE = 512, SST_RECIPE_MAX_TERMS = 16 };

// X(NAME, "word", channels, mean (3 numbers), deviation (3 numbers), "one line"): statistics of training pictures;
// channels 1: one number for however many there are.
#define SST_NORMALIZATION_LIST(X)                                                                                      \
  X(NONE, "none", 1, 0, 0, 0, 1, 1, 1, "pixels in 0..1 as they are")                                                   \
  X(MNIST, "mnist", 1, 0.1307f, 0, 0, 0.3081f, 1, 1, "statistics of MNIST")                                            \
  X(CIFAR10, "cifar10", 3, 0.4914f, 0.4822f, 0.4465f, 0.2470f, 0.2435f, 0.2616f, "statistics of CIFAR-10")             \
  X(CIFAR100, "cifar100", 3, 0.5071f, 0.4865f, 0.4409f, 0.2673f, 0.2564f, 0.2762f, "statistics of CIFAR-100")          \
  X(IMAGENET, "imagenet", 3, 0.485f, 0.456f, 0.406f, 0.229f, 0.224f, 0.225f, "statistics of ImageNet")
typedef enum sst_normalization {
#define SST_NORMALIZATION_ENUM(name, word, ...) SST_NORMALIZATION_##name,
  SST_NORMALIZATION_LIST(SST_NORMALIZATION_ENUM)
#undef SST_NORMALIZATION_ENUM
      SST_NORMALIZATION_COUNT
} sst_normalization;

typedef struct sst_recipe_data {     // section data
  sst_dataset_kind kind;             // name: digits | mnist | ...
  char root[SST_RECIPE_TEXT_SIZE];   // folder of the data; empty: $SPIKESTILL_DATA, else ./data
  double validation;                 // share of the training part held out, 0..0.9; default 0.1
  int64_t train_limit, test_limit;   // first so many only; 0: all
  int64_t digits_train, digits_test; // digits: how many to draw; defaults 10000, 2000
  uint64_t digits_seed;              // digits: seed of the drawing, default 1
  int classes;                       // as given or found; a resolved recipe holds it, so that its network needs no data
  int64_t height, width;             // of a sample, the same
  int64_t channels;                  // of the data set; no key
  int64_t memory;                    // MiB of decoded picture files that may be kept
  bool skip_broken;                  // broken: fail | skip
  sst_framing framing;               // sub-section frames: mode, window_us, count; its frames are student.timesteps
  sst_event_split split;
  bool cache;                      // of frames
  sst_encoding encoding;           // event sets: always frames, T = student.timesteps of them
  int mean_count, deviation_count; // mean, deviation: lists of one number a channel; default 0 and 1 for each
  float mean[SST_MAX_CHANNELS], deviation[SST_MAX_CHANNELS];
  sst_augmentation augmentation; // sub-section augment
  int workers;                   // threads that make batches ahead, default 1
} sst_recipe_data;

typedef struct sst_recipe_network { // section student
  bool spiking;                     // kind: snn | ann
  bool has_builder; // model: a builder's word; or layers: a list, each a map of one layer kind to its options
  sst_builder_kind builder;
  sst_builder_options builder_options; // width, hidden, form, pool: average|max, dropout
  sst_model_options options; // timesteps, norm, norm_momentum, norm_epsilon, readout, readout_decay, neuron: {...},
                             // quantize: {...}
  sst_layer *layers;         // the expanded list, owned by the recipe; options.layers points here
  char start[SST_RECIPE_TEXT_SIZE]; // checkpoint or run directory whose parameters it starts from; empty: none
} sst_recipe_network;

// What the twin is: another network of the student's kind, or the ANN of the same layers.
typedef enum sst_twin_kind { SST_TWIN_SAME, SST_TWIN_ANN } sst_twin_kind;

// Whether the twin is quantised as the student is.
typedef enum sst_twin_precision { SST_TWIN_SAME_PRECISION, SST_TWIN_FULL_PRECISION } sst_twin_precision;

typedef struct sst_recipe_twin { // section twin: a network of the student's layers, trained beside it and discarded
  bool enabled;                  // default false
  sst_twin_kind kind;            // same | ann
  sst_twin_precision precision;  // same | full
  uint64_t seed_offset;          // its initial values are those of the recipe's seed plus this, default 1
  float cross_entropy_weight;    // of its own cross-entropy in the loss, default 1; loss.weight is the student's alone
} sst_recipe_twin;

// X(NAME, word, meaning): in which precision the teacher computes.
#define SST_TEACHER_PRECISION_LIST(X)                                                                                  \
  X(SAME, "same", "as the student")                                                                                    \
  X(F32, "f32", "in f32")                                                                                              \
  X(BF16, "bf16", "in bf16")                                                                                           \
  X(TF32, "tf32", "in tf32")
typedef enum sst_teacher_precision {
#define SST_TEACHER_PRECISION_ENUM(name, word, meaning) SST_TEACHER_PRECISION_##name,
  SST_TEACHER_PRECISION_LIST(SST_TEACHER_PRECISION_ENUM)
#undef SST_TEACHER_PRECISION_ENUM
} sst_teacher_precision;

typedef struct sst_recipe_input {  // section teacher_input: how an ONNX teacher's pictures are normalised
  int mean_count, deviation_count; // as in data; default: as the student's
  float mean[SST_MAX_CHANNELS], deviation[SST_MAX_CHANNELS];
} sst_recipe_input;

typedef struct sst_recipe_train { // section train
  int64_t epochs;                 // 1..100000, default 10
  int64_t batch;                  // 1..65536, default 64
  int64_t evaluation_batch;       // default 100
  int64_t evaluate_every;         // epochs between validations, default 1
  int64_t checkpoint_every;       // epochs between checkpoints, default 1
  sst_memory memory;              // default store
} sst_recipe_train;

typedef struct sst_recipe_speed { // section speed: how layers are computed (crossover.h)
  bool record;                    // default true: see sst_training.step_by_step
  bool resident;                  // default true: see sst_loader_options.host_only
  sst_convolution convolution;    // default direct
  sst_codes codes;                // default integer
  sst_crossover crossover;        // keys by its fields' names
} sst_recipe_speed;

typedef struct sst_recipe {
  char name[SST_RECIPE_TEXT_SIZE]; // default: the file's name without ending
  uint64_t seed;                   // default 1
  sst_device device;
  sst_precision precision;                 // default f32
  sst_teacher_precision teacher_precision; // default same
  sst_recipe_data data;
  sst_recipe_network student;
  char teacher[SST_RECIPE_TEXT_SIZE]; // run directory, checkpoint or ONNX file; empty: none
  int64_t teacher_memory; // MiB that what it makes of pictures may take to be kept; 0: computed in every step
  sst_recipe_input teacher_input;
  float loss_weight;     // loss: {weight}, of the cross-entropy, default 1
  float label_smoothing; // loss: {label_smoothing}, 0..1
  sst_recipe_twin twin;
  bool loss_per_step; // loss: {per_step}: mean over T of the cross-entropy of each step's logits
  sst_distill_term *terms[SST_RECIPE_MAX_TERMS]; // distill: a list, owned by the recipe
  int term_count;
  sst_optimizer_options optimizer;
  sst_schedule schedule; // milestones: a list of numbers
  sst_recipe_train train;
  sst_recipe_speed speed;
} sst_recipe;

// Reads a recipe file and applies `overrides` [override_count], each "dotted.key=value" ("train.epochs=3",
// "distill.0.weight=0.5"), in order. On failure *out is NULL. Errors: RECIPE, NOT_FOUND, IO.
SST_MUST_CHECK SST_API sst_status sst_recipe_open(sst_context *context, const char *path, const char *const *overrides,
                                                  int override_count, sst_recipe **out);
// The same from memory; `name` stands for the file in messages.
SST_MUST_CHECK SST_API sst_status sst_recipe_from_text(sst_context *context, const char *name, const char *text,
                                                       const char *const *overrides, int override_count,
                                                       sst_recipe **out);
SST_API void sst_recipe_close(sst_context *context, sst_recipe *recipe);

// What the recipe's data is to a network: the shape [T,N,H,W,C] of a batch's input, with T = 1 for direct encoding. Its
// classes are data.classes. Needs no data.
SST_API sst_shape sst_recipe_input_shape(const sst_recipe *recipe, int64_t batch);
// How to open the training or the test part of the recipe's data. Borrows texts of the recipe.
SST_API sst_dataset_options sst_recipe_dataset(const sst_recipe *recipe, bool train);

// The resolved recipe: every key with the value in effect, as YAML; reading it back gives the same recipe.
// The text is owned by the caller: sst_recipe_text_free.
SST_MUST_CHECK SST_API sst_status sst_recipe_text(sst_context *context, const sst_recipe *recipe, char **out);
SST_API void sst_recipe_text_free(sst_context *context, char *text);

// A table of all keys with type, default, range and meaning, as Markdown (docs/recipes.md). Freed as above.
SST_MUST_CHECK SST_API sst_status sst_recipe_reference(sst_context *context, char **out);

#ifdef __cplusplus
}
#endif
#endif
