// SPDX-License-Identifier: Apache-2.0
#include "distill/tap_pairs.h"

#include <stdio.h>
#include <string.h>

#include "distill/own_layers.h"

const char *const ssti_align_words[3] = {"none", "pool", "conv1x1"};

static bool has_stage(const sst_graph *graph, const char *scope, int stage, const char *ending) {
  char name[SSTI_OPTION_TEXT_SIZE];
  snprintf(name, sizeof name, "%s%sstage%d%s", scope, scope[0] ? "." : "", stage, ending);
  return sst_graph_has_tap(graph, name);
}

static int count_stages(const sst_graph *graph, const char *scope, const char *ending) {
  int count = 0;
  while (count < SSTI_TAP_PAIRS_MOST && has_stage(graph, scope, count + 1, ending)) { count++; }
  return count;
}

static void name_stages(sst_graph *graph, const sst_distill_scene *scene, const char *ending, ssti_tap_pairs *out) {
  const int student = count_stages(graph, scene->student, ending);
  const int teacher = count_stages(graph, scene->teacher, ending);
  if (student != teacher || student == 0) {
    sst_graph_fail(graph, SST_SHAPE,
                   "taps: auto pairs the networks stage by stage (taps stage<k>%s), but the student has %d stages and"
                   " the teacher %d; name the pairs, as in taps: \"stage1%s,stage2%s:stage3%s\"",
                   ending, student, teacher, ending, ending, ending);
    return;
  }
  for (int i = 0; i < student; i++) {
    snprintf(out->pair[i].student_name, SSTI_TAP_NAME_SIZE, "stage%d%s", i + 1, ending);
    snprintf(out->pair[i].teacher_name, SSTI_TAP_NAME_SIZE, "stage%d%s", i + 1, ending);
  }
  out->count = student;
}

// Copies a name without the spaces around it; false if nothing or too much is left.
static bool copy_name(const char *from, size_t length, char to[SSTI_TAP_NAME_SIZE]) {
  while (length > 0 && from[0] == ' ') {
    from++;
    length--;
  }
  while (length > 0 && from[length - 1] == ' ') { length--; }
  if (length == 0 || length >= SSTI_TAP_NAME_SIZE) { return false; }
  memcpy(to, from, length);
  to[length] = '\0';
  return true;
}

static bool read_pair(const char *item, size_t length, ssti_tap_pair *pair) {
  const char *colon = memchr(item, ':', length);
  if (!colon) { return copy_name(item, length, pair->student_name) && copy_name(item, length, pair->teacher_name); }
  const size_t left = (size_t)(colon - item);
  return copy_name(item, left, pair->student_name) && copy_name(colon + 1, length - left - 1, pair->teacher_name);
}

static void name_listed(sst_graph *graph, const char *taps, ssti_tap_pairs *out) {
  for (const char *item = taps;; item++) {
    const size_t length = strcspn(item, ",");
    if (out->count == SSTI_TAP_PAIRS_MOST || !read_pair(item, length, &out->pair[out->count])) {
      sst_graph_fail(graph, SST_INVALID_ARGUMENT,
                     "taps is \"%s\", expected auto or 1 to %d names with commas between them, each of a tap that both"
                     " networks have or STUDENT:TEACHER",
                     taps, (int)SSTI_TAP_PAIRS_MOST);
      out->count = 0;
      return;
    }
    out->count++;
    item += length;
    if (*item == '\0') { return; }
  }
}

sst_value ssti_mean_over_steps(sst_graph *g, sst_value x) {
  return sst_graph_shape(g, x).dim[SST_AXIS_T] > 1 ? sst_mean(g, x, SST_AXES_T) : x;
}

// Averages a map down to height x width, neither larger than its own.
static sst_value pool_to(sst_graph *g, sst_value x, int64_t height, int64_t width) {
  const sst_shape shape = sst_graph_shape(g, x);
  if (shape.dim[SST_AXIS_H] == height && shape.dim[SST_AXIS_W] == width) { return x; }
  const int64_t h = shape.dim[SST_AXIS_H] / height, w = shape.dim[SST_AXIS_W] / width;
  if (h * height != shape.dim[SST_AXIS_H] || w * width != shape.dim[SST_AXIS_W]) {
    return sst_adaptive_average_pool(g, x, height, width);
  }
  const sst_pool_options options = {.kernel_h = h, .kernel_w = w, .stride_h = h, .stride_w = w};
  return sst_average_pool(g, x, &options); // has a fast kernel
}

void ssti_tap_pair_fail(sst_graph *g, const ssti_tap_pair *pair, const char *what, const char *remedy) {
  char student[SST_SHAPE_TEXT_SIZE], teacher[SST_SHAPE_TEXT_SIZE];
  sst_graph_fail(g, SST_SHAPE, "the student's %s is %s and the teacher's %s is %s: %s; %s", pair->student_name,
                 sst_shape_text(sst_graph_shape(g, pair->student), student, sizeof student), pair->teacher_name,
                 sst_shape_text(sst_graph_shape(g, pair->teacher), teacher, sizeof teacher), what, remedy);
}

bool ssti_tap_pair_same_size(sst_graph *g, ssti_tap_pair *pair, ssti_align align) {
  const sst_shape s = sst_graph_shape(g, pair->student), t = sst_graph_shape(g, pair->teacher);
  int64_t size[2];
  const sst_axis axes[2] = {SST_AXIS_H, SST_AXIS_W};
  for (int i = 0; i < 2; i++) {
    const int64_t a = s.dim[axes[i]], b = t.dim[axes[i]];
    size[i] = a < b ? a : b;
    if (a != b && align == SSTI_ALIGN_NONE) {
      ssti_tap_pair_fail(g, pair, "their heights and widths must agree", "use align: pool or conv1x1");
      return false;
    }
    if (size[i] < 1) { return false; } // a tap is missing; the graph says which
  }
  pair->student = pool_to(g, pair->student, size[0], size[1]);
  pair->teacher = pool_to(g, pair->teacher, size[0], size[1]);
  return true;
}

void ssti_tap_pairs_find_raw(sst_graph *graph, const sst_distill_scene *scene, const char *taps, const char *ending,
                             ssti_tap_pairs *out) {
  *out = (ssti_tap_pairs){0};
  if (strcmp(taps, "auto") == 0) {
    name_stages(graph, scene, ending, out);
  } else {
    name_listed(graph, taps, out);
  }
  for (int i = 0; i < out->count; i++) {
    ssti_tap_pair *pair = &out->pair[i];
    pair->student = ssti_student_tap(graph, scene, pair->student_name);
    pair->teacher = sst_stop_gradient(graph, ssti_teacher_tap(graph, scene, pair->teacher_name));
    if (pair->student < 0 || pair->teacher < 0) {
      out->count = 0;
      return;
    }
  }
}

void ssti_tap_pairs_find(sst_graph *graph, const sst_distill_scene *scene, const char *taps, ssti_align align,
                         ssti_tap_pairs *out) {
  ssti_tap_pairs_find_raw(graph, scene, taps, "", out);
  for (int i = 0; i < out->count; i++) {
    ssti_tap_pair *pair = &out->pair[i];
    pair->student = ssti_mean_over_steps(graph, pair->student);
    pair->teacher = ssti_mean_over_steps(graph, pair->teacher);
    if (!ssti_tap_pair_same_size(graph, pair, align)) {
      out->count = 0;
      return;
    }
  }
}

void ssti_tap_pairs_align_channels(sst_graph *graph, const sst_distill_scene *scene, ssti_align align,
                                   ssti_tap_pairs *pairs) {
  for (int i = 0; i < pairs->count; i++) {
    ssti_tap_pair *pair = &pairs->pair[i];
    const int64_t student = sst_graph_shape(graph, pair->student).dim[SST_AXIS_C];
    const int64_t teacher = sst_graph_shape(graph, pair->teacher).dim[SST_AXIS_C];
    if (student == teacher) { continue; }
    if (align != SSTI_ALIGN_CONV1X1) {
      ssti_tap_pair_fail(graph, pair, "their channels must agree", "use align: conv1x1");
      pairs->count = 0;
      return;
    }
    char name[24];
    snprintf(name, sizeof name, "align%d", i + 1);
    pair->student = ssti_own_conv(graph, scene, name, pair->student, teacher, 1);
  }
}

static void list_stages(sst_graph *graph, const char *scope, const char *key, ssti_tap_list *out) {
  out->count = count_stages(graph, scope, "");
  if (out->count == 0) {
    sst_graph_fail(graph, SST_SHAPE, "%s: auto takes every stage, but the %s has none; name its taps", key, scope);
  }
  for (int i = 0; i < out->count; i++) { snprintf(out->name[i], sizeof out->name[i], "stage%d", i + 1); }
}

static void list_names(sst_graph *graph, const char *key, const char *taps, ssti_tap_list *out) {
  for (const char *item = taps;; item++) {
    const size_t length = strcspn(item, ",");
    if (out->count == SSTI_TAP_PAIRS_MOST || !copy_name(item, length, out->name[out->count])) {
      sst_graph_fail(graph, SST_INVALID_ARGUMENT,
                     "%s is \"%s\", expected auto or 1 to %d names of taps with commas between them", key, taps,
                     (int)SSTI_TAP_PAIRS_MOST);
      out->count = 0;
      return;
    }
    out->count++;
    item += length;
    if (*item == '\0') { return; }
  }
}

void ssti_tap_list_find(sst_graph *graph, const char *scope, const char *key, const char *taps, ssti_tap_list *out) {
  *out = (ssti_tap_list){0};
  if (strcmp(taps, "auto") == 0) {
    list_stages(graph, scope, key, out);
  } else {
    list_names(graph, key, taps, out);
  }
  for (int i = 0; i < out->count; i++) {
    out->value[i] = ssti_scoped_tap(graph, scope, out->name[i]);
    if (out->value[i] < 0) {
      out->count = 0;
      return;
    }
  }
}
