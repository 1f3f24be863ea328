// SPDX-License-Identifier: Apache-2.0
// twin: student and twin, two networks of other initial values trained at the same time, pull each other's logits
// together. The twin is discarded afterwards.
//
// Source: Deckers et al. 2024 (arXiv 2409.15849), Twin Network Augmentation:
//
//     L = CE(O_base, y) + CE(O_twin, y) + alpha * MSE(O_base, O_twin)
//
// from the paper's abstract and reviews; its values of alpha are unknown to us. The group's code of a follow-up on CNNs
// sums over classes instead, on raw logits:
//
//     reduction: sum     term = mean over N of sum over C of (z_student - z_twin)^2     z: logits after the readout,
//     reduction: mean    term = mean over N, C of (z_student - z_twin)^2                   [1,N,1,1,C]
//
// with factor 0.005 on the sum, which is 0.05 on the mean of 10 classes. The gradient flows into both networks; each
// has an optimiser of its own. The twin's cross-entropy is not part of the term: section `twin` of the recipe adds it.
// Defaults: sum, as in that code. Its optional epoch at which the matching begins is start_epoch, which every method
// has.
#include <stddef.h>

#include "distill/method.h"

typedef enum twin_reduction { TWIN_SUM, TWIN_MEAN } twin_reduction;
static const char *const reduction_words[] = {"sum", "mean"};

typedef struct twin_options {
  twin_reduction reduction;
} twin_options;

static const ssti_option options[] = {
    {"reduction", SSTI_OPTION_WORD, offsetof(twin_options, reduction), 0, 0, "sum", reduction_words, 2,
     "of the squared differences over the classes"},
};

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const twin_options *o = method_options;
  sst_value student = ssti_student_tap(g, scene, "logits");
  sst_value twin = ssti_twin_tap(g, scene, "logits");
  sst_value squares = sst_square(g, sst_subtract(g, student, twin));
  if (o->reduction == TWIN_SUM) { squares = sst_sum(g, squares, SST_AXES_C); }
  return sst_mean(g, squares, SST_AXES_ALL);
}

const ssti_distill_method ssti_distill_twin = {
    .name = "twin",
    .options_size = sizeof(twin_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .needs_twin = true,
    .build = build,
};
