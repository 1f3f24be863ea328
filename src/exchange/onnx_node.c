// SPDX-License-Identifier: Apache-2.0
// A node's attributes and inputs, checked: every sentence names the node.
#include <stdio.h>

#include "exchange/onnx_parts.h"

void ssti_onnx_printable(const char *from, char *to, size_t size) {
  size_t i = 0;
  for (; from[i] && i + 1 < size; i++) {
    const char c = from[i];
    to[i] = c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' ? c : '_';
  }
  to[i] = '\0';
}

// ---- names ----

static size_t name_hash(const char *name) {
  uint64_t hash = 14695981039346656037u; // FNV-1a
  for (; *name; name++) { hash = (hash ^ (uint8_t)*name) * 1099511628211u; }
  return (size_t)(hash ^ hash >> 32);
}

// The slot of the name, or the free one where it belongs.
static size_t name_slot(const ssti_onnx_names *names, const char *name) {
  size_t slot = name_hash(name) & (names->slot_count - 1);
  while (names->slots[slot] && strcmp(names->name[names->slots[slot] - 1], name) != 0) {
    slot = (slot + 1) & (names->slot_count - 1);
  }
  return slot;
}

int ssti_onnx_find(const ssti_onnx_names *names, const char *name) {
  return names->slot_count ? names->slots[name_slot(names, name)] - 1 : -1;
}

static sst_status grow_slots(ssti_onnx_names *names) {
  const size_t count = names->slot_count ? 2 * names->slot_count : 256;
  int *slots = NULL;
  SST_TRY(ssti_allocate(names->context, count, sizeof *slots, &slots));
  ssti_free(names->context, names->slots);
  names->slots = slots;
  names->slot_count = count;
  for (int i = 0; i < names->count; i++) { slots[name_slot(names, names->name[i])] = i + 1; }
  return SST_OK;
}

sst_status ssti_onnx_add_name(ssti_onnx_names *names, const char *name) {
  assert(ssti_onnx_find(names, name) < 0);
  if ((size_t)names->count * 2 >= names->slot_count) { SST_TRY(grow_slots(names)); }
  SST_TRY(ssti_grow(names->context, &names->name, &names->capacity, (size_t)names->count + 1, sizeof *names->name));
  const size_t slot = name_slot(names, name);
  names->name[names->count++] = name;
  names->slots[slot] = names->count;
  return SST_OK;
}

void ssti_onnx_names_end(ssti_onnx_names *names) {
  ssti_free(names->context, names->name);
  ssti_free(names->context, names->slots);
}

// ---- attributes ----

const Onnx__AttributeProto *ssti_onnx_attribute(const ssti_onnx_node *node, const char *name) {
  for (size_t i = 0; i < node->proto->n_attribute; i++) {
    const Onnx__AttributeProto *a = node->proto->attribute[i];
    if (a->name && strcmp(a->name, name) == 0) { return a; }
  }
  return NULL;
}

// Files of the first version have no type; theirs is what they hold.
static bool has_type(const Onnx__AttributeProto *a, Onnx__AttributeProto__AttributeType type, bool held) {
  return a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED ? a->type == type : held;
}
#define IS_TYPE(a, name, held) has_type((a), ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name, (held))

sst_status ssti_onnx_int(const ssti_onnx_node *node, const char *name, int64_t value, int64_t low, int64_t high,
                         int64_t *out) {
  const Onnx__AttributeProto *a = ssti_onnx_attribute(node, name);
  *out = value;
  if (!a) { return SST_OK; }
  if (!IS_TYPE(a, INT, a->has_i)) { SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute %s is not an integer", name); }
  *out = a->i;
  if (*out < low || *out > high) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "attribute %s is %" PRId64 ", expected %" PRId64 "..%" PRId64, name, *out,
                   low, high);
  }
  return SST_OK;
}

sst_status ssti_onnx_float(const ssti_onnx_node *node, const char *name, float value, float *out) {
  const Onnx__AttributeProto *a = ssti_onnx_attribute(node, name);
  *out = value;
  if (!a) { return SST_OK; }
  if (!IS_TYPE(a, FLOAT, a->has_f)) { SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute %s is not a real number", name); }
  *out = a->f;
  return SST_OK;
}

sst_status ssti_onnx_ints(const ssti_onnx_node *node, const char *name, int most, int64_t *out, int *count) {
  const Onnx__AttributeProto *a = ssti_onnx_attribute(node, name);
  *count = 0;
  if (!a) { return SST_OK; }
  if (!IS_TYPE(a, INTS, a->n_ints > 0)) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute %s is no list of integers", name);
  }
  if (a->n_ints > (size_t)most) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "attribute %s has %zu numbers, expected at most %d", name, a->n_ints, most);
  }
  *count = (int)a->n_ints;
  if (*count > 0) { memcpy(out, a->ints, a->n_ints * sizeof *out); }
  return SST_OK;
}

sst_status ssti_onnx_word(const ssti_onnx_node *node, const char *name, const char *value, char out[32]) {
  const Onnx__AttributeProto *a = ssti_onnx_attribute(node, name);
  snprintf(out, 32, "%s", value);
  if (!a) { return SST_OK; }
  if (!IS_TYPE(a, STRING, a->has_s) || a->s.len >= 32) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute %s is not a word", name);
  }
  char word[32] = "";
  if (a->s.len > 0) { memcpy(word, a->s.data, a->s.len); }
  ssti_onnx_printable(word, out, 32);
  return SST_OK;
}

sst_status ssti_onnx_normal_axis(const ssti_onnx_node *node, int64_t axis, int rank, int *out) {
  if (axis < -rank || axis >= rank) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "axis %" PRId64 " of a tensor of %d axes does not exist", axis, rank);
  }
  *out = (int)(axis < 0 ? axis + rank : axis);
  return SST_OK;
}

sst_status ssti_onnx_axes(const ssti_onnx_node *node, int64_t input_from, int input, int rank, int *axes, int *count) {
  int64_t found[SSTI_ONNX_MAX_RANK];
  *count = -1;
  if (node->reader->opset < input_from) {
    if (!ssti_onnx_attribute(node, "axes")) { return SST_OK; }
    SST_TRY(ssti_onnx_ints(node, "axes", SSTI_ONNX_MAX_RANK, found, count));
  } else {
    if (!ssti_onnx_has_input(node, input)) { return SST_OK; }
    SST_TRY(ssti_onnx_integers(node, input, SSTI_ONNX_MAX_RANK, found, count));
  }
  for (int i = 0; i < *count; i++) {
    SST_TRY(ssti_onnx_normal_axis(node, found[i], rank, &axes[i]));
    for (int j = 0; j < i; j++) {
      if (axes[j] == axes[i]) { SSTI_ONNX_FAIL(node, SST_FORMAT, "axis %d is given twice", axes[i]); }
    }
  }
  return SST_OK;
}

// ---- inputs and outputs ----

bool ssti_onnx_has_input(const ssti_onnx_node *node, int index) {
  return index < node->input_count && node->inputs[index] >= 0;
}

bool ssti_onnx_uses_output(const ssti_onnx_node *node, int index) {
  if ((size_t)index >= node->proto->n_output || !node->proto->output[index][0]) { return false; }
  const int value = ssti_onnx_find(&node->reader->names, node->proto->output[index]);
  return value >= 0 && node->reader->values[value].uses > 0;
}

sst_status ssti_onnx_need(const ssti_onnx_node *node, int index, ssti_onnx_value **out) {
  if (!ssti_onnx_has_input(node, index)) { SSTI_ONNX_FAIL(node, SST_FORMAT, "input %d is missing", index); }
  *out = &node->reader->values[node->inputs[index]];
  return SST_OK;
}

sst_status ssti_onnx_need_picture(const ssti_onnx_node *node, int index, ssti_onnx_picture **out) {
  ssti_onnx_value *value = NULL;
  SST_TRY(ssti_onnx_need(node, index, &value));
  if (value->kind != SSTI_ONNX_PICTURE) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "input %d is a constant, expected what the network computes", index);
  }
  *out = &value->picture;
  return SST_OK;
}

sst_status ssti_onnx_need_constant(const ssti_onnx_node *node, int index, bool reals, ssti_onnx_tensor **out) {
  ssti_onnx_value *value = NULL;
  SST_TRY(ssti_onnx_need(node, index, &value));
  if (value->kind != SSTI_ONNX_CONSTANT) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "input %d is computed by the network, expected a constant", index);
  }
  if ((value->constant->reals != NULL) != reals) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "input %d has %s numbers, expected %s", index, reals ? "integer" : "real",
                   reals ? "real" : "integer");
  }
  *out = value->constant;
  return SST_OK;
}

sst_status ssti_onnx_integers(const ssti_onnx_node *node, int index, int most, int64_t *out, int *count) {
  ssti_onnx_tensor *t = NULL;
  SST_TRY(ssti_onnx_need_constant(node, index, false, &t));
  if (t->rank > 1 || t->count > most) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "input %d has %" PRId64 " numbers in %d axes, expected a list of at most %d",
                   index, t->count, t->rank, most);
  }
  *count = (int)t->count;
  if (*count > 0) { memcpy(out, t->integers, (size_t)*count * sizeof *out); }
  return SST_OK;
}

// ---- what folding and lowering share ----

static sst_status reshape_dims(const ssti_onnx_node *node, int rank, const int64_t *dim, int *new_rank,
                               int64_t new_dim[SSTI_ONNX_MAX_RANK]) {
  int64_t allow_zero = 0, known = 1, count = 1;
  int open = -1;
  SST_TRY(ssti_onnx_int(node, "allowzero", 0, 0, 1, &allow_zero));
  SST_TRY(ssti_onnx_integers(node, 1, SSTI_ONNX_MAX_RANK, new_dim, new_rank));
  for (int i = 0; i < rank; i++) { count *= dim[i]; }
  for (int i = 0; i < *new_rank; i++) {
    if (new_dim[i] == 0 && !allow_zero) {
      if (i >= rank) { SSTI_ONNX_FAIL(node, SST_FORMAT, "copies the length of axis %d, which its input has not", i); }
      new_dim[i] = dim[i];
    }
    if (new_dim[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    if (new_dim[i] < 0 || __builtin_mul_overflow(known, new_dim[i], &known)) {
      SSTI_ONNX_FAIL(node, SST_FORMAT, "length %" PRId64 " in axis %d cannot be", new_dim[i], i);
    }
  }
  if (open >= 0) {
    if (known == 0 || count % known != 0) {
      SSTI_ONNX_FAIL(node, SST_FORMAT, "axis %d cannot be found out: %" PRId64 " elements in rows of %" PRId64, open,
                     count, known);
    }
    new_dim[open] = count / known;
    known = count;
  }
  if (known != count) { SSTI_ONNX_FAIL(node, SST_FORMAT, "makes %" PRId64 " elements of %" PRId64, known, count); }
  return SST_OK;
}

// The dimensions after Flatten, Squeeze or Unsqueeze.
static sst_status other_dims(const ssti_onnx_node *node, int rank, const int64_t *dim, int *new_rank,
                             int64_t new_dim[SSTI_ONNX_MAX_RANK]) {
  int64_t axis = 1, found[SSTI_ONNX_MAX_RANK];
  int axes[SSTI_ONNX_MAX_RANK], count = 0, from = 0;
  *new_rank = 0;
  if (node->type[0] == 'F') {
    SST_TRY(ssti_onnx_int(node, "axis", 1, -rank, rank, &axis));
    axis += axis < 0 ? rank : 0;
    *new_rank = 2;
    new_dim[0] = new_dim[1] = 1;
    for (int i = 0; i < rank; i++) { new_dim[i >= axis] *= dim[i]; }
    return SST_OK;
  }
  if (node->type[0] == 'S') {
    SST_TRY(ssti_onnx_axes(node, 13, 1, rank, axes, &count));
    for (int i = 0; i < rank; i++) {
      bool drop = count < 0 && dim[i] == 1;
      for (int k = 0; k < count; k++) { drop = drop || axes[k] == i; }
      if (drop && dim[i] != 1) {
        SSTI_ONNX_FAIL(node, SST_FORMAT, "drops axis %d, which is %" PRId64 " long", i, dim[i]);
      }
      if (!drop) { new_dim[(*new_rank)++] = dim[i]; }
    }
    return SST_OK;
  }
  if (node->reader->opset < 13) {
    SST_TRY(ssti_onnx_ints(node, "axes", SSTI_ONNX_MAX_RANK, found, &count));
  } else {
    SST_TRY(ssti_onnx_integers(node, 1, SSTI_ONNX_MAX_RANK, found, &count));
  }
  if (rank + count > SSTI_ONNX_MAX_RANK) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "makes %d axes, expected at most %d", rank + count, (int)SSTI_ONNX_MAX_RANK);
  }
  unsigned fresh = 0;
  for (int i = 0; i < count; i++) {
    SST_TRY(ssti_onnx_normal_axis(node, found[i], rank + count, &axes[i]));
    if (fresh & 1u << axes[i]) { SSTI_ONNX_FAIL(node, SST_FORMAT, "axis %d is given twice", axes[i]); }
    fresh |= 1u << axes[i];
  }
  *new_rank = rank + count;
  for (int i = 0; i < *new_rank; i++) { new_dim[i] = fresh & 1u << i ? 1 : dim[from++]; }
  return SST_OK;
}

sst_status ssti_onnx_new_dims(const ssti_onnx_node *node, int rank, const int64_t *dim, int *new_rank,
                              int64_t new_dim[SSTI_ONNX_MAX_RANK]) {
  return strcmp(node->type, "Reshape") == 0 ? reshape_dims(node, rank, dim, new_rank, new_dim)
                                            : other_dims(node, rank, dim, new_rank, new_dim);
}

sst_status ssti_onnx_permutation(const ssti_onnx_node *node, int rank, int perm[SSTI_ONNX_MAX_RANK]) {
  int64_t found[SSTI_ONNX_MAX_RANK];
  int count = 0;
  unsigned seen = 0;
  SST_TRY(ssti_onnx_ints(node, "perm", SSTI_ONNX_MAX_RANK, found, &count));
  const bool given = ssti_onnx_attribute(node, "perm") != NULL;
  for (int i = 0; i < rank; i++) { perm[i] = rank - 1 - i; }
  for (int i = 0; i < count; i++) {
    if (count == rank && found[i] >= 0 && found[i] < rank) {
      perm[i] = (int)found[i];
      seen |= 1u << perm[i];
    }
  }
  if (given && (count != rank || seen != (1u << rank) - 1)) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "attribute perm is not an order of the %d axes", rank);
  }
  return SST_OK;
}

// Start and end as ONNX has them: negative ones count from the end, all are cut to the axis.
static sst_status one_range(const ssti_onnx_node *node, int64_t length, int64_t start, int64_t end, int64_t step,
                            ssti_onnx_range *out) {
  if (step == 0 || step == INT64_MIN) { SSTI_ONNX_FAIL(node, SST_FORMAT, "a step of %" PRId64, step); }
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
  start += start < 0 ? length : 0;
  end += end < 0 ? length : 0;
  start = start < 0 ? 0 : start > high ? high : start;
  end = end < low ? low : end > length ? length : end;
  const int64_t distance = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
  *out = (ssti_onnx_range){start, distance > 0 ? (distance - 1) / stride + 1 : 0, step};
  return SST_OK;
}

sst_status ssti_onnx_slice_ranges(const ssti_onnx_node *node, int rank, const int64_t *dim,
                                  ssti_onnx_range ranges[SSTI_ONNX_MAX_RANK]) {
  enum { MOST = SSTI_ONNX_MAX_RANK };
  int64_t starts[MOST], ends[MOST], steps[MOST];
  int start_count = 0, end_count = 0, step_count = 0, axis_count = -1, axes[MOST];
  for (int i = 0; i < rank; i++) { ranges[i] = (ssti_onnx_range){0, dim[i], 1}; }
  const bool by_inputs = node->reader->opset >= 10;
  if (by_inputs) {
    SST_TRY(ssti_onnx_integers(node, 1, MOST, starts, &start_count));
    SST_TRY(ssti_onnx_integers(node, 2, MOST, ends, &end_count));
    if (ssti_onnx_has_input(node, 4)) { SST_TRY(ssti_onnx_integers(node, 4, MOST, steps, &step_count)); }
  } else {
    SST_TRY(ssti_onnx_ints(node, "starts", MOST, starts, &start_count));
    SST_TRY(ssti_onnx_ints(node, "ends", MOST, ends, &end_count));
  }
  SST_TRY(ssti_onnx_axes(node, 10, 3, rank, axes, &axis_count));
  if (start_count != end_count || start_count > rank || (axis_count >= 0 && axis_count != start_count) ||
      (step_count > 0 && step_count != start_count)) {
    SSTI_ONNX_FAIL(node, SST_FORMAT, "%d starts, %d ends for %d axes: expected as many of each", start_count, end_count,
                   axis_count < 0 ? rank : axis_count);
  }
  for (int i = 0; i < start_count; i++) {
    const int axis = axis_count >= 0 ? axes[i] : i;
    SST_TRY(one_range(node, dim[axis], starts[i], ends[i], step_count > 0 ? steps[i] : 1, &ranges[axis]));
  }
  return SST_OK;
}
