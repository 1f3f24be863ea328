// SPDX-License-Identifier: Apache-2.0
// Pairs of taps whose maps are compared: which they are, their average over time, and one size for both.
#ifndef SPIKESTILL_DISTILL_TAP_PAIRS_H
#define SPIKESTILL_DISTILL_TAP_PAIRS_H

#include "distill/method.h"

enum { SSTI_TAP_PAIRS_MOST = 32, SSTI_TAP_NAME_SIZE = 128 };

typedef struct ssti_tap_pair {
  char student_name[SSTI_TAP_NAME_SIZE], teacher_name[SSTI_TAP_NAME_SIZE]; // without the scope
  sst_value student, teacher; // [1,N,H,W,C]: averaged over T, the teacher without gradient, H and W made equal
} ssti_tap_pair;

typedef struct ssti_tap_pairs {
  int count; // 0 after a failure, which the graph keeps
  ssti_tap_pair pair[SSTI_TAP_PAIRS_MOST];
} ssti_tap_pairs;

// What the option `taps` says. "auto" pairs stage1 with stage1 and so on, and wants as many in both networks; a list
// "stage1,stage2" names taps that both have, "3.act:5.act" a tap of the student and one of the teacher.
// Where H and W differ the larger map is averaged down over equal windows (adaptive pooling with an integer ratio).
// Failures: a tap that is not there, an empty or overlong list, sizes without an integer ratio.
void ssti_tap_pairs_find(sst_graph *graph, const sst_distill_scene *scene, const char *taps, ssti_tap_pairs *out);

// The same pairs with every step and at their own sizes: [T,N,H,W,C]. "auto" pairs "stage1<ending>" with its like:
// ending ".membrane" the stages' membranes.
void ssti_tap_pairs_find_raw(sst_graph *graph, const sst_distill_scene *scene, const char *taps, const char *ending,
                             ssti_tap_pairs *out);

// Fails with both names and shapes, what is wrong with them and what to do.
void ssti_tap_pair_fail(sst_graph *graph, const ssti_tap_pair *pair, const char *what, const char *remedy);

// Whether both maps of a pair have the same number of channels; if not, fails with both shapes and `remedy`.
bool ssti_tap_pair_same_channels(sst_graph *graph, const ssti_tap_pair *pair, const char *remedy);

#endif
