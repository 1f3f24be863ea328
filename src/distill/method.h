// SPDX-License-Identifier: Apache-2.0
// What a distillation method is: an option table and a function that composes ops on taps.
#ifndef SPIKESTILL_DISTILL_METHOD_H
#define SPIKESTILL_DISTILL_METHOD_H

#include "base/options.h"
#include "spikestill/distill.h"
#include "spikestill/ops.h"

typedef struct ssti_distill_method {
  const char *name;
  size_t options_size;
  const ssti_option *options; // the method's own keys; the common ones are in distill.c
  int option_count;
  bool needs_teacher, needs_twin;
  sst_value (*build)(sst_graph *graph, const sst_distill_scene *scene, const void *options); // returns a scalar
} ssti_distill_method;

// Keys that every method has.
typedef struct ssti_distill_common {
  float weight;
  int64_t start_epoch, end_epoch; // end 0: none
} ssti_distill_common;

// A tap of the student, the teacher, the twin or the network in any scope: "<scope>.<name>".
sst_value ssti_student_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name);
sst_value ssti_teacher_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name);
sst_value ssti_twin_tap(sst_graph *graph, const sst_distill_scene *scene, const char *name);
sst_value ssti_scoped_tap(sst_graph *graph, const char *scope, const char *name);

// The method of a term and its option struct, for the recipe's parser and printer.
const ssti_distill_method *ssti_distill_term_definition(const sst_distill_term *term);
void *ssti_distill_term_options(sst_distill_term *term);
// Table of the keys common to all methods ("weight", ...), with offsets into the object of ssti_distill_term_common.
const ssti_option *ssti_distill_common_options(int *count);
ssti_distill_common *ssti_distill_term_common(sst_distill_term *term);

#endif
