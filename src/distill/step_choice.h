// SPDX-License-Identifier: Apache-2.0
// Choosing time steps by what they say: masks of 0 and 1, constants to the backward pass, from ops that exist.
#ifndef SPIKESTILL_DISTILL_STEP_CHOICE_H
#define SPIKESTILL_DISTILL_STEP_CHOICE_H

#include "distill/method.h"

// 1 where x equals its maximum over the axes, else 0; several places where they tie. Same shape as x.
sst_value ssti_is_largest(sst_graph *graph, sst_value x, int axes);

// 1 at the steps whose largest logit is that of the label, [T,N,1,1,1]. A mixed target's label is its largest share.
sst_value ssti_is_correct(sst_graph *graph, sst_value step_logits, sst_value target);

// Mean of x [T,N,1,1,C] over the steps where mask [T,N,1,1,1] is 1; 0 where there are none. [1,N,1,1,C].
sst_value ssti_mean_of_steps(sst_graph *graph, sst_value x, sst_value mask);

// x [1,...] at each of `steps` steps.
sst_value ssti_at_each_step(sst_graph *graph, sst_value x, int64_t steps);

// KL(softmax(teacher / temperature) || softmax(student / temperature)) at each step of the student: [T,N,1,1,1].
// The teacher [1 or T,N,1,1,C] gets no gradient.
sst_value ssti_soft_divergence(sst_graph *graph, sst_value teacher, sst_value student, float temperature);

#endif
