// SPDX-License-Identifier: Apache-2.0
// Elementwise operators, and those that move or rename elements.
#include <float.h>
#include <math.h>

#include "exchange/onnx_parts.h"

static int last_step(const ssti_onnx_node *node) { return node->reader->onnx->step_count - 1; }

// ---- elementwise, of one value ----

static sst_status lower_number(const ssti_onnx_node *node, ssti_onnx_step_kind kind, const ssti_onnx_picture *x,
                               float low, float high, ssti_onnx_picture *out) {
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, kind, x, &step));
  step->as.number.low = low;
  step->as.number.high = high;
  *out = *x;
  out->step = last_step(node);
  if (kind == SSTI_ONNX_ACTIVATION) { out->activation = out->step; }
  return SST_OK;
}

sst_status ssti_onnx_lower_activation(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  return lower_number(node, SSTI_ONNX_ACTIVATION, x, 0.0f, INFINITY, out);
}

static sst_status read_limit(const ssti_onnx_node *node, const char *name, int input, float value, float *out) {
  if (node->reader->opset < 11) { return ssti_onnx_float(node, name, value, out); }
  *out = value;
  if (!ssti_onnx_has_input(node, input)) { return SST_OK; }
  ssti_onnx_tensor *t = NULL;
  SST_TRY(ssti_onnx_need_constant(node, input, true, &t));
  if (t->count != 1) { SSTI_ONNX_FAIL(node, SST_FORMAT, "%s is %" PRId64 " numbers, expected one", name, t->count); }
  *out = t->reals[0];
  return SST_OK;
}

sst_status ssti_onnx_lower_clip(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  float low = -FLT_MAX, high = FLT_MAX;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(read_limit(node, "min", 1, -FLT_MAX, &low));
  SST_TRY(read_limit(node, "max", 2, FLT_MAX, &high));
  if (!(low <= high)) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "min is %g and max is %g", (double)low, (double)high); }
  if (low == 0.0f && high > 0.0f) {
    return lower_number(node, SSTI_ONNX_ACTIVATION, x, 0.0f, high >= FLT_MAX ? INFINITY : high, out);
  }
  return lower_number(node, SSTI_ONNX_CLIP, x, low, high, out);
}

sst_status ssti_onnx_lower_function(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  static const struct {
    const char *type;
    sst_value (*function)(sst_graph *graph, sst_value x);
  } functions[] = {{"Sigmoid", sst_sigmoid}, {"Tanh", sst_tanh}, {"Exp", sst_exp},
                   {"Log", sst_log},         {"Sqrt", sst_sqrt}, {"Abs", sst_abs}};
  ssti_onnx_picture *x = NULL;
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_FUNCTION, x, &step));
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    if (strcmp(functions[i].type, node->type) == 0) { step->as.function = functions[i].function; }
  }
  *out = *x;
  out->step = last_step(node);
  return SST_OK;
}

// Over C alone. Up to opset 12 the axis begins a row of all axes from it on, and 1 is the default.
sst_status ssti_onnx_lower_softmax(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  int64_t found = 0;
  int axis = 0;
  const bool rows = node->reader->opset < 13;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_int(node, "axis", rows ? 1 : -1, INT32_MIN, INT32_MAX, &found));
  SST_TRY(ssti_onnx_normal_axis(node, found, x->rank, &axis));
  bool fits = false;
  for (int i = axis; i < (rows ? x->rank : axis + 1); i++) {
    for (int k = 0; k < x->axis[i].count; k++) { fits = fits || x->axis[i].atom[k] == SSTI_ONNX_C; }
    if (!ssti_onnx_axis_is(x, i, SSTI_ONNX_C) && (x->axis[i].count > 0 && ssti_onnx_axis_length(x, i) != 1)) {
      fits = false;
      break;
    }
    if (x->axis[i].count > 0 && x->axis[i].atom[0] == SSTI_ONNX_N) { fits = false; }
  }
  if (!fits) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "over axis %d of %s, which is not the channels alone", axis,
                   ssti_onnx_picture_text(x, text));
  }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, node->type[0] == 'L' ? SSTI_ONNX_LOG_SOFTMAX : SSTI_ONNX_SOFTMAX, x, &step));
  *out = *x;
  out->step = last_step(node);
  return SST_OK;
}

// ---- elementwise, of two values ----

static ssti_onnx_step_kind binary_kind(const char *type) {
  switch (type[0]) {
  case 'A': return SSTI_ONNX_ADD;
  case 'S': return SSTI_ONNX_SUBTRACT;
  case 'M': return SSTI_ONNX_MULTIPLY;
  default: return SSTI_ONNX_DIVIDE;
  }
}

// Two values of the network: axis by axis the same, or one of them of length 1 in all of ours.
static sst_status lower_two(const ssti_onnx_node *node, ssti_onnx_step_kind kind, const ssti_onnx_picture *a,
                            const ssti_onnx_picture *b, ssti_onnx_picture *out) {
  bool fits = a->rank == b->rank && a->length[SSTI_ONNX_N] == b->length[SSTI_ONNX_N];
  *out = *a;
  for (int atom = SSTI_ONNX_H; atom <= SSTI_ONNX_C; atom++) {
    const int64_t la = a->length[atom], lb = b->length[atom];
    fits = fits && (la == lb || la == 1 || lb == 1);
    out->length[atom] = la == 1 ? lb : la;
  }
  for (int i = 0; fits && i < a->rank; i++) {
    const bool a_is_one = ssti_onnx_axis_length(a, i) == 1, b_is_one = ssti_onnx_axis_length(b, i) == 1;
    if (a_is_one || b_is_one) {
      // The batch of length 1 must be the batch on both sides.
      const ssti_onnx_axis *long_axis = a_is_one ? &b->axis[i] : &a->axis[i];
      fits = ssti_onnx_axis_is(a, i, SSTI_ONNX_N) == ssti_onnx_axis_is(b, i, SSTI_ONNX_N);
      out->axis[i] = *long_axis;
      continue;
    }
    ssti_onnx_atom list[2][SSTI_ONNX_ATOMS];
    int count[2] = {0, 0};
    const ssti_onnx_picture *p[2] = {a, b};
    for (int k = 0; k < 2; k++) {
      for (int m = 0; m < p[k]->axis[i].count; m++) {
        const ssti_onnx_atom atom = p[k]->axis[i].atom[m];
        if (atom == SSTI_ONNX_N || p[k]->length[atom] > 1) { list[k][count[k]++] = atom; }
      }
    }
    fits = count[0] == count[1] && memcmp(list[0], list[1], (size_t)count[0] * sizeof list[0][0]) == 0;
  }
  // An axis of ours may stand in one place only.
  int seen[SSTI_ONNX_ATOMS] = {0};
  for (int i = 0; fits && i < out->rank; i++) {
    for (int k = 0; k < out->axis[i].count; k++) {
      const ssti_onnx_atom atom = out->axis[i].atom[k];
      fits = fits && (++seen[atom] == 1 || out->length[atom] == 1);
    }
  }
  for (int atom = SSTI_ONNX_H; atom <= SSTI_ONNX_C; atom++) { fits = fits && (seen[atom] || out->length[atom] == 1); }
  if (!fits) {
    char text[2][128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s and %s do not broadcast axis by axis", ssti_onnx_picture_text(a, text[0]),
                   ssti_onnx_picture_text(b, text[1]));
  }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, kind, a, &step));
  step->inputs[1] = b->step;
  step->input_count = 2;
  out->step = last_step(node);
  out->activation = a->activation > b->activation ? a->activation : b->activation;
  return SST_OK;
}

// y = factor * x + offset where the constant is one number; false for c / x.
static bool as_affine(ssti_onnx_step_kind kind, bool constant_first, float c, float *factor, float *offset) {
  *factor = kind == SSTI_ONNX_SUBTRACT && constant_first ? -1.0f : 1.0f;
  *offset = 0.0f;
  switch (kind) {
  case SSTI_ONNX_ADD: *offset = c; return true;
  case SSTI_ONNX_SUBTRACT: *offset = constant_first ? c : -c; return true;
  case SSTI_ONNX_MULTIPLY: *factor = c; return true;
  default: *factor = 1.0f / c; return !constant_first && isnormal(c);
  }
}

static sst_status lower_with_constant(const ssti_onnx_node *node, ssti_onnx_step_kind kind, const ssti_onnx_picture *x,
                                      const ssti_onnx_tensor *t, bool constant_first, ssti_onnx_picture *out) {
  sst_shape shape;
  const int input = constant_first ? 1 : 0;
  if (t->count == 0 || !ssti_onnx_place_constant(x, t, &shape, NULL)) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "a constant of %" PRId64 " numbers in %d axes does not broadcast to %s",
                   t->count, t->rank, ssti_onnx_picture_text(x, text));
  }
  const int64_t count = sst_shape_count(shape);
  float *placed = NULL;
  SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)count, sizeof *placed, &placed));
  ssti_onnx_place_constant(x, t, &shape, placed);
  *out = *x;
  if (count == shape.dim[SST_AXIS_C]) { // one number, or one a channel: perhaps part of the layer before
    float *scale = NULL, *offset = NULL;
    bool affine = true;
    SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)count, sizeof *scale, &scale));
    SST_TRY(ssti_onnx_take(&node->reader->scratch, (size_t)count, sizeof *offset, &offset));
    for (int64_t c = 0; c < count; c++) {
      affine = as_affine(kind, constant_first, placed[c], &scale[c], &offset[c]) && affine;
    }
    sst_status status = SST_OK;
    if (affine && (ssti_onnx_absorb(node, input, scale, offset, count, &status) || status != SST_OK)) { return status; }
    if (affine && count == 1) { return lower_number(node, SSTI_ONNX_AFFINE, x, scale[0], offset[0], out); }
  }
  ssti_onnx_step *step = NULL;
  float *data = NULL;
  SST_TRY(ssti_onnx_add_step(node, kind, x, &step));
  SST_TRY(ssti_onnx_add_parameter(node, step, "constant", shape, SST_PARAMETER_BUFFER, &data));
  memcpy(data, placed, (size_t)count * sizeof *data);
  step->inputs[constant_first ? 1 : 0] = x->step;
  step->inputs[constant_first ? 0 : 1] = SSTI_ONNX_PARAMETER;
  step->input_count = 2;
  out->step = last_step(node);
  return SST_OK;
}

sst_status ssti_onnx_lower_binary(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_value *a = NULL, *b = NULL;
  SST_TRY(ssti_onnx_need(node, 0, &a));
  SST_TRY(ssti_onnx_need(node, 1, &b));
  const ssti_onnx_step_kind kind = binary_kind(node->type);
  if (a->kind == SSTI_ONNX_CONSTANT) { return lower_with_constant(node, kind, &b->picture, a->constant, true, out); }
  if (b->kind == SSTI_ONNX_CONSTANT) { return lower_with_constant(node, kind, &a->picture, b->constant, false, out); }
  return lower_two(node, kind, &a->picture, &b->picture, out);
}

// ---- moving ----

// The place of H, W or C in the options of pad and slice.
static int place_of(ssti_onnx_atom atom) { return (int)atom - (int)SSTI_ONNX_H; }

sst_status ssti_onnx_lower_pad(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  char mode[32];
  int64_t pads[2 * SSTI_ONNX_MAX_RANK];
  int count = 0;
  float value = 0.0f;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_word(node, "mode", "constant", mode));
  if (strcmp(mode, "constant") != 0) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "mode is '%s', expected constant", mode); }
  if (node->reader->opset < 11) {
    SST_TRY(ssti_onnx_ints(node, "pads", 2 * SSTI_ONNX_MAX_RANK, pads, &count));
    SST_TRY(ssti_onnx_float(node, "value", 0.0f, &value));
  } else {
    SST_TRY(ssti_onnx_integers(node, 1, 2 * SSTI_ONNX_MAX_RANK, pads, &count));
    if (ssti_onnx_has_input(node, 2)) {
      ssti_onnx_tensor *t = NULL;
      SST_TRY(ssti_onnx_need_constant(node, 2, true, &t));
      if (t->count != 1) { SSTI_ONNX_FAIL(node, SST_FORMAT, "pads with %" PRId64 " numbers, expected one", t->count); }
      value = t->reals[0];
    }
  }
  if (count != 2 * x->rank) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "%d pads for %d axes, expected two for each", count, x->rank);
  }
  sst_pad_options options = {.value = value};
  *out = *x;
  bool any = false;
  for (int axis = 0; axis < x->rank; axis++) {
    const int64_t before = pads[axis], after = pads[axis + x->rank];
    if (before == 0 && after == 0) { continue; }
    ssti_onnx_atom atom = SSTI_ONNX_N;
    if (!ssti_onnx_axis_single(x, axis, &atom) || atom == SSTI_ONNX_N || before < 0 || after < 0 ||
        before > SSTI_ONNX_MAX_LENGTH || after > SSTI_ONNX_MAX_LENGTH) {
      SSTI_ONNX_FAIL(node, SST_UNSUPPORTED,
                     "pads axis %d with %" PRId64 " and %" PRId64 ", expected 0..%d on channels, height or width", axis,
                     before, after, (int)SSTI_ONNX_MAX_LENGTH);
    }
    if (x->length[atom] == 1) { out->axis[axis] = (ssti_onnx_axis){1, {atom}}; }
    options.before[place_of(atom)] = before;
    options.after[place_of(atom)] = after;
    out->length[atom] += before + after;
    any = true;
  }
  if (!any) { return SST_OK; }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_PAD, x, &step));
  step->as.pad = options;
  out->step = last_step(node);
  return SST_OK;
}

sst_status ssti_onnx_lower_slice(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  ssti_onnx_range ranges[SSTI_ONNX_MAX_RANK];
  int64_t dim[SSTI_ONNX_MAX_RANK];
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  for (int i = 0; i < x->rank; i++) { dim[i] = ssti_onnx_axis_length(x, i); }
  SST_TRY(ssti_onnx_slice_ranges(node, x->rank, dim, ranges));
  sst_slice_options options;
  bool any = false;
  for (int i = 0; i < 3; i++) {
    options.first[i] = 0;
    options.step[i] = 1;
    options.count[i] = x->length[SSTI_ONNX_H + i];
  }
  *out = *x;
  for (int axis = 0; axis < x->rank; axis++) {
    const ssti_onnx_range *r = &ranges[axis];
    if (r->first == 0 && r->count == dim[axis] && (r->step == 1 || r->count == 1)) { continue; }
    ssti_onnx_atom atom = SSTI_ONNX_N;
    if (!ssti_onnx_axis_single(x, axis, &atom) || atom == SSTI_ONNX_N || r->step < 1 || r->count < 1) {
      SSTI_ONNX_FAIL(node, SST_UNSUPPORTED,
                     "takes %" PRId64 " of axis %d in steps of %" PRId64
                     ", expected at least 1 of channels, height or width, in steps of at least 1",
                     r->count, axis, r->step);
    }
    options.first[place_of(atom)] = r->first;
    options.count[place_of(atom)] = r->count;
    options.step[place_of(atom)] = r->count > 1 ? r->step : 1;
    out->length[atom] = r->count;
    any = true;
  }
  if (!any) { return SST_OK; }
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_SLICE, x, &step));
  step->as.slice = options;
  out->step = last_step(node);
  // Every second row is a reduction, a border cut off is none.
  if (options.step[0] > 1 || options.step[1] > 1) { ssti_onnx_note_reduction(node, x, out); }
  return SST_OK;
}

sst_status ssti_onnx_lower_concat(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  static const sst_axis axes[SSTI_ONNX_ATOMS] = {SST_AXIS_N, SST_AXIS_H, SST_AXIS_W, SST_AXIS_C};
  ssti_onnx_picture *first = NULL;
  int64_t found = 0;
  int axis = 0;
  ssti_onnx_atom atom = SSTI_ONNX_N;
  SST_TRY(ssti_onnx_need_picture(node, 0, &first));
  SST_TRY(ssti_onnx_int(node, "axis", 1, INT32_MIN, INT32_MAX, &found));
  SST_TRY(ssti_onnx_normal_axis(node, found, first->rank, &axis));
  *out = *first;
  bool fits = false;
  for (int i = 0; i < node->input_count && !(fits && atom != SSTI_ONNX_N); i++) { // one of length above 1 decides
    ssti_onnx_picture *x = NULL;
    SST_TRY(ssti_onnx_need_picture(node, i, &x));
    fits = x->rank == first->rank && ssti_onnx_axis_single(x, axis, &atom) && atom != SSTI_ONNX_N;
  }
  int64_t total = 0;
  for (int i = 0; fits && i < node->input_count; i++) {
    ssti_onnx_picture *x = NULL;
    SST_TRY(ssti_onnx_need_picture(node, i, &x));
    fits = x->rank == first->rank && ssti_onnx_axis_is(x, axis, atom);
    for (int k = 0; fits && k < x->rank; k++) {
      if (k == axis) { continue; }
      fits = ssti_onnx_axis_length(x, k) == ssti_onnx_axis_length(first, k);
      for (int m = 0; fits && m < SSTI_ONNX_ATOMS; m++) {
        fits = (int)atom == m || x->length[m] == first->length[m];
        fits = fits && (ssti_onnx_axis_length(x, k) == 1 ||
                        ssti_onnx_axis_is(x, k, (ssti_onnx_atom)m) == ssti_onnx_axis_is(first, k, (ssti_onnx_atom)m));
      }
    }
    total += x->length[atom];
    out->activation = x->activation > out->activation ? x->activation : out->activation;
  }
  if (!fits || total > SSTI_ONNX_MAX_LENGTH) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED,
                   "joins %s and others along axis %d, which is not one of channels, height and"
                   " width with all else the same",
                   ssti_onnx_picture_text(first, text), axis);
  }
  out->length[atom] = total;
  out->axis[axis] = (ssti_onnx_axis){1, {atom}};
  ssti_onnx_step *step = NULL;
  SST_TRY(ssti_onnx_add_step(node, SSTI_ONNX_CONCAT, first, &step));
  SST_TRY(ssti_onnx_take(&node->reader->onnx->arena, (size_t)node->input_count, sizeof *step->inputs, &step->inputs));
  for (int i = 0; i < node->input_count; i++) { step->inputs[i] = node->reader->values[node->inputs[i]].picture.step; }
  step->input_count = node->input_count;
  step->as.axis = axes[atom];
  out->step = last_step(node);
  return SST_OK;
}

// ---- renaming ----

sst_status ssti_onnx_lower_reshape(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  int64_t dim[SSTI_ONNX_MAX_RANK], new_dim[SSTI_ONNX_MAX_RANK];
  int rank = 0;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  for (int i = 0; i < x->rank; i++) { dim[i] = ssti_onnx_axis_length(x, i); }
  SST_TRY(ssti_onnx_new_dims(node, x->rank, dim, &rank, new_dim));
  *out = *x;
  if (!ssti_onnx_regroup(out, rank, new_dim)) {
    char text[128];
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "cuts an axis of %s or joins the batch with others",
                   ssti_onnx_picture_text(x, text));
  }
  return SST_OK;
}

sst_status ssti_onnx_lower_transpose(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  int perm[SSTI_ONNX_MAX_RANK];
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  SST_TRY(ssti_onnx_permutation(node, x->rank, perm));
  *out = *x;
  for (int i = 0; i < x->rank; i++) { out->axis[i] = x->axis[perm[i]]; }
  return SST_OK;
}

sst_status ssti_onnx_lower_identity(const ssti_onnx_node *node, ssti_onnx_picture *out) {
  ssti_onnx_picture *x = NULL;
  SST_TRY(ssti_onnx_need_picture(node, 0, &x));
  *out = *x;
  return SST_OK;
}
