// SPDX-License-Identifier: Apache-2.0
// Pairs of taps whose maps are compared: which they are, their average over time, and one shape for both.
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

// What is done where the maps of a pair differ: nothing, which is an error; the larger height and width averaged down;
// that, and a 1x1 convolution of the student's map to the teacher's channels, which the term learns.
typedef enum ssti_align { SSTI_ALIGN_NONE, SSTI_ALIGN_POOL, SSTI_ALIGN_CONV1X1 } ssti_align;
extern const char *const ssti_align_words[3];

// The option's line in the table of a method whose struct of options has a field `align`.
#define SSTI_ALIGN_OPTION(options_struct)                                                                              \
  {                                                                                                                    \
    "align", SSTI_OPTION_WORD, offsetof(options_struct, align), 0, 0, "conv1x1", ssti_align_words, 3,                  \
        "where maps differ: none: an error; pool: the larger is averaged down; conv1x1: that, and a learned 1x1"       \
        " convolution where the channels differ"                                                                       \
  }

// What the option `taps` says. "auto" pairs stage1 with stage1 and so on, and wants as many in both networks; a list
// "stage1,stage2" names taps that both have, "3.act:5.act" a tap of the student and one of the teacher.
// Where H and W differ, and `align` allows it, the larger map is averaged down by adaptive pooling.
// Failures: a tap that is not there, an empty or overlong list, sizes that differ where `align` is none.
void ssti_tap_pairs_find(sst_graph *graph, const sst_distill_scene *scene, const char *taps, ssti_align align,
                         ssti_tap_pairs *out);

// The same pairs with every step and at their own sizes: [T,N,H,W,C]. "auto" pairs "stage1<ending>" with its like:
// ending ".membrane" the stages' membranes.
void ssti_tap_pairs_find_raw(sst_graph *graph, const sst_distill_scene *scene, const char *taps, const char *ending,
                             ssti_tap_pairs *out);

// Averages the larger map of a pair down to the smaller's height and width; false, with the failure kept, where `align`
// or the sizes do not allow it.
bool ssti_tap_pair_same_size(sst_graph *graph, ssti_tap_pair *pair, ssti_align align);

// The mean over T, or x itself where T is 1.
sst_value ssti_mean_over_steps(sst_graph *graph, sst_value x);

// Fails with both names and shapes, what is wrong with them and what to do.
void ssti_tap_pair_fail(sst_graph *graph, const ssti_tap_pair *pair, const char *what, const char *remedy);

// Gives the student's maps the channels of the teacher's: the convolution of pair i (from 1) is the term's "align<i>".
// Where `align` has none for them, other channels are a failure.
void ssti_tap_pairs_align_channels(sst_graph *graph, const sst_distill_scene *scene, ssti_align align,
                                   ssti_tap_pairs *pairs);

// Taps of one network.
typedef struct ssti_tap_list {
  int count;                                          // 0 after a failure, which the graph keeps
  char name[SSTI_TAP_PAIRS_MOST][SSTI_TAP_NAME_SIZE]; // without the scope
  sst_value value[SSTI_TAP_PAIRS_MOST];               // [T,N,H,W,C], with gradient
} ssti_tap_list;

// What the option `key` says: "auto", every stage of the network in `scope`, or names with commas between them.
void ssti_tap_list_find(sst_graph *graph, const char *scope, const char *key, const char *taps, ssti_tap_list *out);

#endif
