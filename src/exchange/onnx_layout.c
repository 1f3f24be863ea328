// SPDX-License-Identifier: Apache-2.0
// Where the axes of the file's tensors lie in ours. Pictures always lie as [N,H,W,C] in memory; Transpose, Flatten and
// Reshape only change how the file numbers the elements, which is written down here as a list of our axes for each of
// the file's. The next layer with weights reorders those accordingly.
#include <stdio.h>

#include "exchange/onnx_parts.h"

int64_t ssti_onnx_axis_length(const ssti_onnx_picture *p, int axis) {
  int64_t length = 1;
  for (int i = 0; i < p->axis[axis].count; i++) { length *= p->length[p->axis[axis].atom[i]]; }
  return length;
}

bool ssti_onnx_axis_is(const ssti_onnx_picture *p, int axis, ssti_onnx_atom atom) {
  bool found = false;
  for (int i = 0; i < p->axis[axis].count; i++) {
    const ssti_onnx_atom other = p->axis[axis].atom[i];
    found = found || other == atom;
    if (other != atom && (p->length[other] != 1 || other == SSTI_ONNX_N)) { return false; }
  }
  return found || (p->length[atom] == 1 && atom != SSTI_ONNX_N);
}

bool ssti_onnx_axis_single(const ssti_onnx_picture *p, int axis, ssti_onnx_atom *out) {
  static const ssti_onnx_atom usual[] = {SSTI_ONNX_N, SSTI_ONNX_C, SSTI_ONNX_H, SSTI_ONNX_W};
  int found = 0;
  for (int i = 0; i < p->axis[axis].count; i++) {
    const ssti_onnx_atom atom = p->axis[axis].atom[i];
    if (p->length[atom] != 1 || atom == SSTI_ONNX_N) {
      *out = atom;
      found++;
    }
  }
  if (found > 0) { return found == 1; }
  // An axis of length 1 can be any of ours that has length 1 too; the usual one first.
  if (axis < 4 && p->length[usual[axis]] == 1 && usual[axis] != SSTI_ONNX_N) {
    *out = usual[axis];
    return true;
  }
  return false;
}

bool ssti_onnx_is_nchw(const ssti_onnx_picture *p) {
  return p->rank == 4 && ssti_onnx_axis_is(p, 0, SSTI_ONNX_N) && ssti_onnx_axis_is(p, 1, SSTI_ONNX_C) &&
         ssti_onnx_axis_is(p, 2, SSTI_ONNX_H) && ssti_onnx_axis_is(p, 3, SSTI_ONNX_W);
}

void ssti_onnx_set_nchw(ssti_onnx_picture *p) {
  static const ssti_onnx_atom order[] = {SSTI_ONNX_N, SSTI_ONNX_C, SSTI_ONNX_H, SSTI_ONNX_W};
  p->rank = 4;
  for (int i = 0; i < 4; i++) { p->axis[i] = (ssti_onnx_axis){1, {order[i]}}; }
}

void ssti_onnx_set_rows(ssti_onnx_picture *p, int rank, int64_t features) {
  p->length[SSTI_ONNX_H] = p->length[SSTI_ONNX_W] = 1;
  p->length[SSTI_ONNX_C] = features;
  p->rank = rank;
  for (int i = 0; i < rank; i++) { p->axis[i] = (ssti_onnx_axis){0}; }
  p->axis[0] = (ssti_onnx_axis){1, {SSTI_ONNX_N}};
  p->axis[rank - 1] = (ssti_onnx_axis){1, {SSTI_ONNX_C}};
}

bool ssti_onnx_regroup(ssti_onnx_picture *p, int rank, const int64_t *dim) {
  ssti_onnx_atom order[SSTI_ONNX_ATOMS];
  int count = 0, next = 0;
  for (int axis = 0; axis < p->rank; axis++) {
    for (int i = 0; i < p->axis[axis].count; i++) {
      const ssti_onnx_atom atom = p->axis[axis].atom[i];
      if (atom == SSTI_ONNX_N || p->length[atom] > 1) { order[count++] = atom; }
    }
  }
  ssti_onnx_picture to = *p;
  to.rank = rank;
  for (int axis = 0; axis < rank; axis++) {
    int64_t length = 1;
    to.axis[axis] = (ssti_onnx_axis){0};
    // The batch may have length 1 in the file, and still is an axis that must go somewhere.
    while (next < count &&
           (length < dim[axis] || (dim[axis] == 1 && order[next] == SSTI_ONNX_N && p->length[SSTI_ONNX_N] == 1))) {
      const ssti_onnx_atom atom = order[next++];
      length *= p->length[atom];
      to.axis[axis].atom[to.axis[axis].count++] = atom;
      if (atom == SSTI_ONNX_N) { break; } // alone
    }
    if (length != dim[axis] ||
        (to.axis[axis].count > 1 && to.axis[axis].atom[to.axis[axis].count - 1] == SSTI_ONNX_N)) {
      return false;
    }
  }
  if (next < count) { return false; }
  *p = to;
  return true;
}

int64_t ssti_onnx_position(const ssti_onnx_picture *p, int axis, int64_t h, int64_t w, int64_t c) {
  const int64_t at[SSTI_ONNX_ATOMS] = {0, h, w, c};
  int64_t position = 0;
  for (int i = 0; i < p->axis[axis].count; i++) {
    const ssti_onnx_atom atom = p->axis[axis].atom[i];
    position = position * p->length[atom] + at[atom];
  }
  return position;
}

bool ssti_onnx_place_constant(const ssti_onnx_picture *p, const ssti_onnx_tensor *t, sst_shape *shape, float *out) {
  if (t->rank > p->rank) { return false; }
  int64_t length[SSTI_ONNX_ATOMS] = {1, 1, 1, 1};
  const int shift = p->rank - t->rank; // axes are aligned at the end
  for (int axis = 0; axis < t->rank; axis++) {
    if (t->dim[axis] == 1) { continue; }
    if (t->dim[axis] != ssti_onnx_axis_length(p, axis + shift)) { return false; }
    for (int i = 0; i < p->axis[axis + shift].count; i++) {
      const ssti_onnx_atom atom = p->axis[axis + shift].atom[i];
      if (atom == SSTI_ONNX_N) { return false; }
      length[atom] = p->length[atom];
    }
  }
  *shape = sst_shape_make(1, 1, length[SSTI_ONNX_H], length[SSTI_ONNX_W], length[SSTI_ONNX_C]);
  if (!out) { return true; }
  for (int64_t h = 0; h < length[SSTI_ONNX_H]; h++) {
    for (int64_t w = 0; w < length[SSTI_ONNX_W]; w++) {
      for (int64_t c = 0; c < length[SSTI_ONNX_C]; c++) {
        int64_t index = 0;
        for (int axis = 0; axis < t->rank; axis++) {
          const int64_t position = t->dim[axis] == 1 ? 0 : ssti_onnx_position(p, axis + shift, h, w, c);
          index = index * t->dim[axis] + position;
        }
        *out++ = (float)ssti_onnx_number(t, index);
      }
    }
  }
  return true;
}

const char *ssti_onnx_picture_text(const ssti_onnx_picture *p, char text[128]) {
  int at = snprintf(text, 128, "[");
  for (int axis = 0; axis < p->rank; axis++) {
    const int64_t length = ssti_onnx_axis_length(p, axis);
    if (length == SSTI_ONNX_ANY_BATCH) {
      at += snprintf(text + at, (size_t)(128 - at), "%sN", axis ? "," : "");
    } else {
      at += snprintf(text + at, (size_t)(128 - at), "%s%" PRId64, axis ? "," : "", length);
    }
  }
  snprintf(text + at, (size_t)(128 - at), "]");
  return text;
}
