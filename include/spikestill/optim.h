// SPDX-License-Identifier: Apache-2.0
// Optimisers over a parameter store, and learning-rate schedules.
#ifndef SPIKESTILL_OPTIM_H
#define SPIKESTILL_OPTIM_H

#include "spikestill/device.h"
#include "spikestill/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_OPTIMIZER_LIST(X)                                                                                          \
  X(SGD, "sgd", "stochastic gradient descent with momentum")                                                           \
  X(ADAMW, "adamw", "Adam with decoupled weight decay (Loshchilov & Hutter 2019)")
typedef enum sst_optimizer_kind {
#define SST_OPTIMIZER_ENUM(name, word, text) SST_OPTIMIZER_##name,
  SST_OPTIMIZER_LIST(SST_OPTIMIZER_ENUM)
#undef SST_OPTIMIZER_ENUM
      SST_OPTIMIZER_COUNT
} sst_optimizer_kind;
// The word used in recipes, and back; false for an unknown word.
SST_API const char *sst_optimizer_word(sst_optimizer_kind kind);
SST_API bool sst_optimizer_parse(const char *word, sst_optimizer_kind *out);

typedef struct sst_optimizer_options {
  sst_optimizer_kind kind;
  float learning_rate;         // > 0, at the schedule's top
  float momentum;              // SGD, 0..1
  bool nesterov;               // SGD
  float weight_decay;          // >= 0; SGD adds it to the gradient, AdamW decouples it
  bool decay_all;              // also norm, bias and neuron parameters; otherwise only weights
  float beta1, beta2, epsilon; // AdamW
  float clip_norm;             // largest allowed norm of the whole gradient; 0: no clipping
} sst_optimizer_options;
SST_API sst_optimizer_options sst_optimizer_default(void); // SGD 0.1, momentum 0.9, wd 5e-4; AdamW 0.9 0.999 1e-8

typedef struct sst_optimizer sst_optimizer;
// Borrows the store, which must be sealed.
SST_MUST_CHECK SST_API sst_status sst_optimizer_create(sst_parameters *parameters, sst_device device,
                                                       const sst_optimizer_options *options, sst_optimizer **out);
SST_API void sst_optimizer_destroy(sst_optimizer *optimizer);
// One step with the gradients in the store. `rate_factor` is the schedule's, 0..1. Returns the gradient's norm
// before clipping (computed only if clipping is on and the device is a CPU, else 0).
SST_API double sst_optimizer_step(sst_optimizer *optimizer, double rate_factor);
// State for checkpoints: up to two blocks as long as the trainable part of the store, and the number of steps done.
SST_API int sst_optimizer_state_count(const sst_optimizer *optimizer); // SGD 1 (0 without momentum), AdamW 2
SST_API float *sst_optimizer_state(sst_optimizer *optimizer, int index, int64_t *count);
// "velocity", "first" or "second".
SST_API const char *sst_optimizer_state_name(const sst_optimizer *optimizer, int index);
SST_API int64_t sst_optimizer_steps(const sst_optimizer *optimizer);
SST_API void sst_optimizer_set_steps(sst_optimizer *optimizer, int64_t steps);

// X(NAME, "word", "one line")
#define SST_SCHEDULE_LIST(X)                                                                                           \
  X(CONSTANT, "constant", "the same rate throughout")                                                                  \
  X(COSINE, "cosine", "half a cosine from 1 to `final`")                                                               \
  X(STEP, "step", "times `factor` at each of `milestones` (epochs)")
typedef enum sst_schedule_kind {
#define SST_SCHEDULE_ENUM(name, word, text) SST_SCHEDULE_##name,
  SST_SCHEDULE_LIST(SST_SCHEDULE_ENUM)
#undef SST_SCHEDULE_ENUM
      SST_SCHEDULE_COUNT
} sst_schedule_kind;
// The word used in recipes, and back; false for an unknown word.
SST_API const char *sst_schedule_word(sst_schedule_kind kind);
SST_API bool sst_schedule_parse(const char *word, sst_schedule_kind *out);

enum { SST_MAX_MILESTONES = 16 };
typedef struct sst_schedule {
  sst_schedule_kind kind;
  double warmup_epochs; // linear from 0, before everything else
  double final_factor;  // cosine: the factor at the end
  double step_factor;   // step
  int milestone_count;
  double milestones[SST_MAX_MILESTONES]; // step: epochs, ascending
} sst_schedule;
SST_API sst_schedule sst_schedule_default(void); // cosine to 0, no warm-up, factor 0.1
// The factor at a moment: `progress` in epochs (fractional, 0 at the start), of `epochs` in all.
SST_API double sst_schedule_factor(const sst_schedule *schedule, double progress, double epochs);

#ifdef __cplusplus
}
#endif
#endif
