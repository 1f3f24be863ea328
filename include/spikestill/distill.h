// SPDX-License-Identifier: Apache-2.0
// Distillation: a list of terms, each a method with its options and a weight, each a composition of ops over the named
// taps of student and teacher. The loss is: loss_weight * cross-entropy + sum over terms of weight * term.
#ifndef SPIKESTILL_DISTILL_H
#define SPIKESTILL_DISTILL_H

#include "spikestill/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(name, "one line"): the methods. Each is complete with src/distill/<name>.c, docs/methods/<name>.md,
// tests/unit/test_method_<name>.c and a recipe that uses it.
#define SST_DISTILL_LIST(X)                                                                                            \
  X(kd, "soft labels with separate temperatures for teacher and student")                                              \
  X(lasnn, "attention or feature maps of time-averaged activity, layer by layer")                                      \
  X(step_kd, "the teacher and the student's own correct steps teach every time step")                                  \
  X(tet, "the labels at every step, and a pull of step logits to a constant")                                          \
  X(tser, "entropy of every step's prediction, to be large")                                                           \
  X(logit_regularization, "mean square of the logits")                                                                 \
  X(spike_rate, "firing rate, to be small or near a target")                                                           \
  X(strong_weak, "the most and the least confident step teach each other")                                             \
  X(feature_kd, "squared error of time-averaged spikes and the teacher's features")                                    \
  X(bkdsnn, "the teacher's features from the student's with channels blotted out, and weighted soft labels")           \
  X(sakd, "a learned transform of time-averaged spikes matches the teacher's features, stage by stage")                \
  X(sastc, "every stage learns from every stage of the teacher, most from those alike")                                \
  X(self_distillation, "the same network, run for more time steps, teaches itself")                                    \
  X(ckdsnn, "where the last stage fires follows the teacher's class activation map")                                   \
  X(sliding_window, "a spiking teacher's output over windows of steps")                                                \
  X(hta_kl, "the teacher's likely classes by forward, the others by reverse divergence")                               \
  X(md_snn, "membrane potentials of a spiking teacher, stage by stage and step by step")                               \
  X(twin, "squared distance to the logits of a twin network trained beside the student")

// Number of methods; name and one-line text of the i-th.
SST_API int sst_distill_method_count(void);
SST_API const char *sst_distill_method_name(int index);
SST_API const char *sst_distill_method_text(int index);

// What a term sees. Networks were built in scopes of the graph; taps are found as "<scope>.<tap>" (model.h).
typedef struct sst_distill_scene {
  const char *student; // scope of the student's network
  const char *teacher; // scope of the teacher's; NULL if there is none
  const char *twin;    // scope of a twin trained beside the student; NULL if there is none
  sst_value target;    // [1,N,1,1,classes]
  float threshold;     // at which the student's neurons fire; 0 if it has none
  // Where terms keep parameters of their own, such as a convolution that aligns two widths: a store apart from the
  // networks', trained beside the student by an optimiser of its own and discarded afterwards. Borrowed, and by the
  // graph too. NULL: a term that wants parameters is the graph's failure.
  sst_parameters *parameters;
  // Builds the student's network once more in the current scope, over the student's parameters and frozen, for other
  // time steps, and returns its logits after the readout; `user` is run_longer_user. NULL: a term that wants it is the
  // graph's failure.
  sst_value (*run_longer)(sst_graph *graph, const void *user, int64_t timesteps);
  const void *run_longer_user;
  int index; // of the term among those that share the store: its parameters are "<index>.<name>"
} sst_distill_scene;

// A method with its options, at their defaults.
typedef struct sst_distill_term sst_distill_term;
// Errors: NOT_FOUND (no such method; names the nearest), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_distill_term_create(sst_context *context, const char *method,
                                                          sst_distill_term **out);
SST_API void sst_distill_term_destroy(sst_distill_term *term);
// Sets an option from its text, as in a recipe. Errors: RECIPE (unknown key or bad value: found, allowed, nearest).
SST_MUST_CHECK SST_API sst_status sst_distill_term_set(sst_distill_term *term, const char *key, const char *value);
SST_API const char *sst_distill_term_method(const sst_distill_term *term);
// Factor in the loss, >= 0; option "weight" of every method, default 1.
SST_API float sst_distill_term_weight(const sst_distill_term *term);
// Whether the term is part of the loss in an epoch, counted from 0: its weight is not 0 and start_epoch <= epoch <
// end_epoch; these options of every method are 0 by default, and an end_epoch of 0 means to the end.
SST_API bool sst_distill_term_counts(const sst_distill_term *term, int64_t epoch);
// Adds the term to the graph, in the scope "distill.<index>" and without its weight; returns a scalar. To be called
// where no scope is pushed. A missing teacher, twin or tap is the graph's failure.
SST_API sst_value sst_distill_term_build(const sst_distill_term *term, sst_graph *graph,
                                         const sst_distill_scene *scene);

#ifdef __cplusplus
}
#endif
#endif
