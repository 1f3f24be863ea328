// SPDX-License-Identifier: Apache-2.0
// Constant folding: what exporters write to compute sizes and to prepare weights is computed here, once.
#include <math.h>

#include "exchange/onnx_parts.h"

typedef sst_status folding(const ssti_onnx_node *node, ssti_onnx_tensor **out);

static sst_status make(const ssti_onnx_node *node, bool reals, int rank, const int64_t *dim, ssti_onnx_tensor **out) {
  return ssti_onnx_tensor_make(&node->reader->scratch, reals, rank, dim, out);
}

// The constant at that input, of either kind of numbers.
static sst_status input(const ssti_onnx_node *node, int index, ssti_onnx_tensor **out) {
  ssti_onnx_value *value = NULL;
  SST_TRY(ssti_onnx_need(node, index, &value));
  return ssti_onnx_need_constant(node, index, value->kind != SSTI_ONNX_CONSTANT || value->constant->reals != NULL, out);
}

static void copy_element(ssti_onnx_tensor *to, int64_t at, const ssti_onnx_tensor *from, int64_t index) {
  if (to->reals && from->reals) {
    to->reals[at] = from->reals[index];
  } else if (to->integers && from->integers) {
    to->integers[at] = from->integers[index];
  }
}

static sst_status fold_constant(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  const Onnx__AttributeProto *a = NULL;
  if ((a = ssti_onnx_attribute(node, "value")) && a->t) {
    return ssti_onnx_tensor_read(&node->reader->scratch, a->t, node->label, out);
  }
  if ((a = ssti_onnx_attribute(node, "value_float"))) {
    SST_TRY(make(node, true, 0, NULL, out));
    (*out)->reals[0] = a->f;
    return SST_OK;
  }
  if ((a = ssti_onnx_attribute(node, "value_int"))) {
    SST_TRY(make(node, false, 0, NULL, out));
    (*out)->integers[0] = a->i;
    return SST_OK;
  }
  if ((a = ssti_onnx_attribute(node, "value_floats"))) {
    SST_TRY(make(node, true, 1, &(int64_t){(int64_t)a->n_floats}, out));
    for (size_t i = 0; i < a->n_floats; i++) { (*out)->reals[i] = a->floats[i]; }
    return SST_OK;
  }
  if ((a = ssti_onnx_attribute(node, "value_ints"))) {
    SST_TRY(make(node, false, 1, &(int64_t){(int64_t)a->n_ints}, out));
    for (size_t i = 0; i < a->n_ints; i++) { (*out)->integers[i] = a->ints[i]; }
    return SST_OK;
  }
  SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "has no value, value_float, value_floats, value_int or value_ints");
}

static sst_status fold_constant_of_shape(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  int64_t dim[SSTI_ONNX_MAX_RANK];
  int rank = 0;
  SST_TRY(ssti_onnx_integers(node, 0, SSTI_ONNX_MAX_RANK, dim, &rank));
  const Onnx__AttributeProto *a = ssti_onnx_attribute(node, "value");
  ssti_onnx_tensor *value = NULL;
  if (a && a->t) { SST_TRY(ssti_onnx_tensor_read(&node->reader->scratch, a->t, node->label, &value)); }
  if (value && value->count != 1) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute value has %" PRId64 " numbers, expected 1", value->count);
  }
  SST_TRY(make(node, !value || value->reals, rank, dim, out));
  for (int64_t i = 0; value && i < (*out)->count; i++) { copy_element(*out, i, value, 0); }
  return SST_OK;
}

static sst_status fold_shape(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_value *value = NULL;
  SST_TRY(ssti_onnx_need(node, 0, &value));
  const bool picture = value->kind == SSTI_ONNX_PICTURE;
  const int rank = picture ? value->picture.rank : value->constant->rank;
  int64_t start = 0, end = rank;
  SST_TRY(ssti_onnx_int(node, "start", 0, INT32_MIN, INT32_MAX, &start));
  SST_TRY(ssti_onnx_int(node, "end", rank, INT32_MIN, INT32_MAX, &end));
  start += start < 0 ? rank : 0;
  end += end < 0 ? rank : 0;
  start = start < 0 ? 0 : start > rank ? rank : start;
  end = end < start ? start : end > rank ? rank : end;
  SST_TRY(make(node, false, 1, &(int64_t){end - start}, out));
  for (int64_t i = start; i < end; i++) {
    (*out)->integers[i - start] = picture ? ssti_onnx_axis_length(&value->picture, (int)i) : value->constant->dim[i];
  }
  return SST_OK;
}

// The same elements under another shape.
static sst_status reshaped(const ssti_onnx_node *node, const ssti_onnx_tensor *x, int rank, const int64_t *dim,
                           ssti_onnx_tensor **out) {
  SST_TRY(make(node, x->reals != NULL, rank, dim, out));
  assert((*out)->count == x->count);
  for (int64_t i = 0; i < x->count; i++) { copy_element(*out, i, x, i); }
  return SST_OK;
}

static sst_status fold_identity(const ssti_onnx_node *node, ssti_onnx_tensor **out) { return input(node, 0, out); }

static sst_status fold_reshape(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x = NULL;
  int64_t dim[SSTI_ONNX_MAX_RANK];
  int rank = 0;
  SST_TRY(input(node, 0, &x));
  SST_TRY(ssti_onnx_new_dims(node, x->rank, x->dim, &rank, dim));
  return reshaped(node, x, rank, dim, out);
}

static sst_status fold_cast(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x = NULL;
  int64_t to = 0;
  SST_TRY(input(node, 0, &x));
  SST_TRY(ssti_onnx_int(node, "to", 0, 1, 16, &to));
  const bool reals = to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || to == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
                     to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 || to == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
  SST_TRY(make(node, reals, x->rank, x->dim, out));
  for (int64_t i = 0; i < x->count; i++) {
    if (reals == (x->reals != NULL)) {
      copy_element(*out, i, x, i);
    } else {
      ssti_onnx_set_number(*out, i, ssti_onnx_number(x, i));
    }
  }
  return SST_OK;
}

// Copies out->count elements; the source of the one at `at` [out->rank] lies at `base` + sum of at * stride.
static void copy_strided(ssti_onnx_tensor *out, const ssti_onnx_tensor *x, int64_t base,
                         const int64_t stride[SSTI_ONNX_MAX_RANK]) {
  int64_t at[SSTI_ONNX_MAX_RANK] = {0}, from = base;
  for (int64_t i = 0; i < out->count; i++) {
    copy_element(out, i, x, from);
    for (int axis = out->rank - 1; axis >= 0; axis--) { // the next position
      from += stride[axis];
      if (++at[axis] < out->dim[axis]) { break; }
      from -= stride[axis] * out->dim[axis];
      at[axis] = 0;
    }
  }
}

static sst_status fold_transpose(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x = NULL;
  int perm[SSTI_ONNX_MAX_RANK];
  int64_t dim[SSTI_ONNX_MAX_RANK], stride[SSTI_ONNX_MAX_RANK];
  SST_TRY(input(node, 0, &x));
  SST_TRY(ssti_onnx_permutation(node, x->rank, perm));
  for (int i = 0; i < x->rank; i++) {
    dim[i] = x->dim[perm[i]];
    stride[i] = ssti_onnx_stride(x, perm[i]);
  }
  SST_TRY(make(node, x->reals != NULL, x->rank, dim, out));
  copy_strided(*out, x, 0, stride);
  return SST_OK;
}

static sst_status fold_slice(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x = NULL;
  ssti_onnx_range ranges[SSTI_ONNX_MAX_RANK];
  int64_t dim[SSTI_ONNX_MAX_RANK], stride[SSTI_ONNX_MAX_RANK], base = 0;
  SST_TRY(input(node, 0, &x));
  SST_TRY(ssti_onnx_slice_ranges(node, x->rank, x->dim, ranges));
  for (int i = 0; i < x->rank; i++) {
    dim[i] = ranges[i].count;
    // A step beyond the axis is taken by nobody, and could overflow.
    stride[i] = ranges[i].count > 1 ? ranges[i].step * ssti_onnx_stride(x, i) : 0;
    base += ranges[i].first * ssti_onnx_stride(x, i);
  }
  SST_TRY(make(node, x->reals != NULL, x->rank, dim, out));
  copy_strided(*out, x, base, stride);
  return SST_OK;
}

static sst_status fold_concat(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *first = NULL;
  int64_t found = 0, dim[SSTI_ONNX_MAX_RANK], offset = 0;
  int axis = 0;
  SST_TRY(input(node, 0, &first));
  SST_TRY(ssti_onnx_int(node, "axis", 1, INT32_MIN, INT32_MAX, &found));
  SST_TRY(ssti_onnx_normal_axis(node, found, first->rank, &axis));
  memcpy(dim, first->dim, sizeof dim);
  for (int i = 1; i < node->input_count; i++) {
    ssti_onnx_tensor *x = NULL;
    SST_TRY(input(node, i, &x));
    bool fits = x->rank == first->rank && (x->reals != NULL) == (first->reals != NULL);
    for (int k = 0; fits && k < x->rank; k++) { fits = k == axis || x->dim[k] == first->dim[k]; }
    if (!fits || __builtin_add_overflow(dim[axis], x->dim[axis], &dim[axis])) {
      SSTI_ONNX_FAIL(node, SST_FORMAT, "input %d does not agree with input 0 outside axis %d", i, axis);
    }
  }
  SST_TRY(make(node, first->reals != NULL, first->rank, dim, out));
  const int64_t row = ssti_onnx_stride(*out, axis) * dim[axis];
  for (int i = 0; i < node->input_count; i++) {
    ssti_onnx_tensor *x = NULL;
    SST_TRY(input(node, i, &x));
    const int64_t width = ssti_onnx_stride(x, axis) * x->dim[axis];
    for (int64_t k = 0; k < x->count; k++) { copy_element(*out, k / width * row + offset + k % width, x, k); }
    offset += width;
  }
  return SST_OK;
}

static sst_status fold_gather(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x = NULL, *places = NULL;
  int64_t found = 0, dim[SSTI_ONNX_MAX_RANK];
  int axis = 0, rank = 0;
  SST_TRY(input(node, 0, &x));
  SST_TRY(ssti_onnx_need_constant(node, 1, false, &places));
  SST_TRY(ssti_onnx_int(node, "axis", 0, INT32_MIN, INT32_MAX, &found));
  SST_TRY(ssti_onnx_normal_axis(node, found, x->rank, &axis));
  if (x->rank - 1 + places->rank > SSTI_ONNX_MAX_RANK) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "makes more than %d axes", (int)SSTI_ONNX_MAX_RANK);
  }
  for (int i = 0; i < axis; i++) { dim[rank++] = x->dim[i]; }
  for (int i = 0; i < places->rank; i++) { dim[rank++] = places->dim[i]; }
  for (int i = axis + 1; i < x->rank; i++) { dim[rank++] = x->dim[i]; }
  SST_TRY(make(node, x->reals != NULL, rank, dim, out));
  const int64_t inner = ssti_onnx_stride(x, axis), length = x->dim[axis];
  for (int64_t i = 0; i < (*out)->count; i++) {
    const int64_t outer = i / inner / places->count;
    int64_t place = places->integers[i / inner % places->count];
    place += place < 0 ? length : 0;
    if (place < 0 || place >= length) {
      SSTI_ONNX_FAIL(node, SST_FORMAT, "takes position %" PRId64 " of an axis of %" PRId64, place, length);
    }
    copy_element(*out, i, x, (outer * length + place) * inner + i % inner);
  }
  return SST_OK;
}

static double apply(const char *type, double a, double b) {
  switch (type[0]) {
  case 'A': return a + b;
  case 'S': return a - b;
  case 'M': return a * b;
  default: return a / b;
  }
}

// Integers exactly, wrapping around as the format's do; division cuts off.
static sst_status apply_integers(const ssti_onnx_node *node, int64_t a, int64_t b, int64_t *out) {
  switch (node->type[0]) {
  case 'A': *out = (int64_t)((uint64_t)a + (uint64_t)b); return SST_OK;
  case 'S': *out = (int64_t)((uint64_t)a - (uint64_t)b); return SST_OK;
  case 'M': *out = (int64_t)((uint64_t)a * (uint64_t)b); return SST_OK;
  default: break;
  }
  if (b == 0 || (b == -1 && a == INT64_MIN)) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "divides %" PRId64 " by %" PRId64, a, b);
  }
  *out = a / b;
  return SST_OK;
}

static sst_status fold_binary(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  ssti_onnx_tensor *x[2] = {NULL, NULL};
  SST_TRY(input(node, 0, &x[0]));
  SST_TRY(input(node, 1, &x[1]));
  if ((x[0]->reals != NULL) != (x[1]->reals != NULL)) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "%s", "one input has real numbers, the other integers");
  }
  const int rank = x[0]->rank > x[1]->rank ? x[0]->rank : x[1]->rank;
  int64_t dim[SSTI_ONNX_MAX_RANK], stride[2][SSTI_ONNX_MAX_RANK] = {{0}};
  for (int i = 0; i < rank; i++) {
    dim[i] = 1;
    for (int k = 0; k < 2; k++) {
      const int axis = i - (rank - x[k]->rank);
      const int64_t length = axis < 0 ? 1 : x[k]->dim[axis];
      if (length != 1 && dim[i] != 1 && length != dim[i]) {
        SSTI_ONNX_FAIL(node, SST_FORMAT, "lengths %" PRId64 " and %" PRId64 " do not broadcast", dim[i], length);
      }
      stride[k][i] = length == 1 ? 0 : ssti_onnx_stride(x[k], axis);
      dim[i] = length == 1 ? dim[i] : length;
    }
  }
  ssti_onnx_tensor *spread[2] = {NULL, NULL};
  for (int k = 0; k < 2; k++) {
    SST_TRY(make(node, x[0]->reals != NULL, rank, dim, &spread[k]));
    if (spread[k]->count > 0) { copy_strided(spread[k], x[k], 0, stride[k]); }
  }
  *out = spread[0];
  for (int64_t i = 0; i < spread[0]->count; i++) {
    if (spread[0]->reals) {
      spread[0]->reals[i] = (float)apply(node->type, (double)spread[0]->reals[i], (double)spread[1]->reals[i]);
    } else {
      SST_TRY(apply_integers(node, spread[0]->integers[i], spread[1]->integers[i], &spread[0]->integers[i]));
    }
  }
  return SST_OK;
}

static const struct {
  const char *type;
  folding *fold;
} foldings[] = {
    {"Constant", fold_constant}, {"ConstantOfShape", fold_constant_of_shape},
    {"Shape", fold_shape},       {"Identity", fold_identity},
    {"Reshape", fold_reshape},   {"Flatten", fold_reshape},
    {"Squeeze", fold_reshape},   {"Unsqueeze", fold_reshape},
    {"Cast", fold_cast},         {"Transpose", fold_transpose},
    {"Slice", fold_slice},       {"Concat", fold_concat},
    {"Gather", fold_gather},     {"Add", fold_binary},
    {"Sub", fold_binary},        {"Mul", fold_binary},
    {"Div", fold_binary},
};

sst_status ssti_onnx_fold(const ssti_onnx_node *node, ssti_onnx_tensor **out) {
  for (size_t i = 0; i < sizeof foldings / sizeof foldings[0]; i++) {
    if (strcmp(foldings[i].type, node->type) == 0) { return foldings[i].fold(node, out); }
  }
  SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "is not supported on constants");
}
