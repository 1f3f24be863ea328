// SPDX-License-Identifier: Apache-2.0
// Constants of an ONNX file: every number of a real type becomes a float, every other an int64. And the memory that
// reading takes, which is bounded by the file's size: a few bytes cannot ask for much.
#include <math.h>

#include "base/half.h"
#include "exchange/onnx_parts.h"

sst_status ssti_onnx_take(ssti_onnx_arena *arena, size_t count, size_t size, void *out) {
  memset(out, 0, sizeof(void *));
  if (count > (arena->budget - arena->used) / size) {
    SST_FAIL(arena->context, SST_FORMAT,
             "%s: would become much larger than it is: %zu elements more than there is room for", arena->file, count);
  }
  SST_TRY(ssti_grow(arena->context, &arena->blocks, &arena->capacity, (size_t)arena->count + 1, sizeof(void *)));
  void *block = NULL;
  SST_TRY(ssti_allocate(arena->context, count, size, &block));
  arena->used += (uint64_t)count * size;
  arena->blocks[arena->count++] = block;
  memcpy(out, &block, sizeof block);
  return SST_OK;
}

void ssti_onnx_arena_end(ssti_onnx_arena *arena) {
  for (int i = 0; i < arena->count; i++) { ssti_free(arena->context, arena->blocks[i]); }
  ssti_free(arena->context, arena->blocks);
  arena->blocks = NULL;
  arena->count = 0;
  arena->capacity = 0;
}

sst_status ssti_onnx_tensor_make(ssti_onnx_arena *arena, bool reals, int rank, const int64_t *dim,
                                 ssti_onnx_tensor **out) {
  ssti_onnx_tensor *t = NULL;
  int64_t count = 1;
  assert(rank <= SSTI_ONNX_MAX_RANK);
  for (int i = 0; i < rank; i++) {
    if (dim[i] < 0 || __builtin_mul_overflow(count, dim[i], &count)) {
      SST_FAIL(arena->context, SST_FORMAT, "%s: a tensor has more elements than can be counted", arena->file);
    }
  }
  SST_TRY(ssti_onnx_take(arena, 1, sizeof *t, &t));
  t->rank = rank;
  t->count = count;
  if (rank > 0) { memcpy(t->dim, dim, (size_t)rank * sizeof *dim); }
  if (reals) {
    SST_TRY(ssti_onnx_take(arena, (size_t)count, sizeof *t->reals, &t->reals));
  } else {
    SST_TRY(ssti_onnx_take(arena, (size_t)count, sizeof *t->integers, &t->integers));
  }
  *out = t;
  return SST_OK;
}

double ssti_onnx_number(const ssti_onnx_tensor *t, int64_t index) {
  assert(index >= 0 && index < t->count);
  return t->reals ? (double)t->reals[index] : (double)t->integers[index];
}

void ssti_onnx_set_number(ssti_onnx_tensor *t, int64_t index, double value) {
  assert(index >= 0 && index < t->count);
  if (t->reals) {
    t->reals[index] = (float)value;
  } else if (!(fabs(value) < 9.2e18)) { // NaN too
    t->integers[index] = value < 0 ? INT64_MIN : INT64_MAX;
  } else {
    t->integers[index] = (int64_t)value;
  }
}

int64_t ssti_onnx_stride(const ssti_onnx_tensor *t, int axis) {
  int64_t stride = 1;
  for (int i = axis + 1; i < t->rank; i++) { stride *= t->dim[i]; }
  return stride;
}

// X(TYPE of the schema, C type, field of typed data, the number from `v`); halves lie in int32_data as their bits.
#define REAL_TYPES(X)                                                                                                  \
  X(FLOAT, float, float_data, v)                                                                                       \
  X(DOUBLE, double, double_data, (float)v)                                                                             \
  X(FLOAT16, uint16_t, int32_data, ssti_from_half((uint16_t)v))                                                        \
  X(BFLOAT16, uint16_t, int32_data, ssti_from_bfloat((uint16_t)v))
#define INTEGER_TYPES(X)                                                                                               \
  X(INT64, int64_t, int64_data, v)                                                                                     \
  X(INT32, int32_t, int32_data, (int64_t)v)                                                                            \
  X(INT16, int16_t, int32_data, (int64_t)v)                                                                            \
  X(INT8, int8_t, int32_data, (int64_t)v)                                                                              \
  X(UINT8, uint8_t, int32_data, (int64_t)v)                                                                            \
  X(UINT16, uint16_t, int32_data, (int64_t)v)                                                                          \
  X(BOOL, uint8_t, int32_data, (int64_t)(v != 0))                                                                      \
  X(UINT32, uint32_t, uint64_data, (int64_t)v)                                                                         \
  X(UINT64, uint64_t, uint64_data, (int64_t)v)

typedef struct type_row {
  int type;
  bool real;
  size_t size;
  size_t count_at; // where the message has the length of the field that holds numbers of that type
} type_row;
static const type_row types[] = {
#define TYPE_ROW(name, real, c_type, field)                                                                            \
  {ONNX__TENSOR_PROTO__DATA_TYPE__##name, real, sizeof(c_type), offsetof(Onnx__TensorProto, n_##field)},
#define REAL_ROW(name, c_type, field, number) TYPE_ROW(name, true, c_type, field)
#define INTEGER_ROW(name, c_type, field, number) TYPE_ROW(name, false, c_type, field)
    REAL_TYPES(REAL_ROW) INTEGER_TYPES(INTEGER_ROW)};

static const type_row *find_type(int type) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (types[i].type == type) { return &types[i]; }
  }
  return NULL;
}

// How many numbers the field of that type has.
static size_t typed_count(const Onnx__TensorProto *from, const type_row *type) {
  size_t count = 0;
  memcpy(&count, (const char *)from + type->count_at, sizeof count);
  return count;
}

static void copy_numbers(const Onnx__TensorProto *from, const uint8_t *raw, ssti_onnx_tensor *t) {
  switch (from->data_type) {
#define COPY_CASE(name, c_type, field, number, to)                                                                     \
  case ONNX__TENSOR_PROTO__DATA_TYPE__##name:                                                                          \
    for (int64_t i = 0; i < t->count; i++) {                                                                           \
      if (raw) {                                                                                                       \
        c_type v;                                                                                                      \
        memcpy(&v, raw + (size_t)i * sizeof v, sizeof v);                                                              \
        to[i] = number;                                                                                                \
      } else {                                                                                                         \
        const c_type v = (c_type)from->field[i];                                                                       \
        to[i] = number;                                                                                                \
      }                                                                                                                \
    }                                                                                                                  \
    break;
#define REAL_CASE(name, c_type, field, number) COPY_CASE(name, c_type, field, number, t->reals)
#define INTEGER_CASE(name, c_type, field, number) COPY_CASE(name, c_type, field, number, t->integers)
    REAL_TYPES(REAL_CASE)
    INTEGER_TYPES(INTEGER_CASE)
  default: break;
  }
}

#define TENSOR_FAIL(format, ...) SST_FAIL(arena->context, SST_FORMAT, "%s: %s " format, arena->file, what, __VA_ARGS__)

sst_status ssti_onnx_tensor_read(ssti_onnx_arena *arena, const Onnx__TensorProto *from, const char *what,
                                 ssti_onnx_tensor **out) {
  const type_row *type = find_type(from->data_type);
  if (!type) {
    SST_FAIL(arena->context, SST_UNSUPPORTED, "%s: %s has data type %d, expected a real, integer or bool type",
             arena->file, what, (int)from->data_type);
  }
  if (from->n_external_data > 0 || from->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
    SST_FAIL(arena->context, SST_UNSUPPORTED, "%s: %s lies in another file (external data); save the model in one file",
             arena->file, what);
  }
  if (from->segment) { TENSOR_FAIL("is a %s of a tensor, expected it whole", "segment"); }
  if (from->n_dims > SSTI_ONNX_MAX_RANK) {
    TENSOR_FAIL("has %zu axes, expected at most %d", from->n_dims, (int)SSTI_ONNX_MAX_RANK);
  }
  int64_t count = 1;
  for (size_t i = 0; i < from->n_dims; i++) {
    if (from->dims[i] < 0 || __builtin_mul_overflow(count, from->dims[i], &count)) {
      TENSOR_FAIL("has length %" PRId64 " in axis %zu: more elements than can be counted", from->dims[i], i);
    }
  }
  const size_t found = from->has_raw_data ? from->raw_data.len / type->size : typed_count(from, type);
  const bool whole = !from->has_raw_data || from->raw_data.len % type->size == 0;
  if (!whole || (uint64_t)count != found) {
    TENSOR_FAIL("holds %zu numbers%s, expected %" PRId64 " from its shape", found, whole ? "" : " and a part of one",
                count);
  }
  SST_TRY(ssti_onnx_tensor_make(arena, type->real, (int)from->n_dims, from->dims, out));
  copy_numbers(from, from->has_raw_data ? from->raw_data.data : NULL, *out);
  return SST_OK;
}
