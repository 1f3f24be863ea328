// SPDX-License-Identifier: Apache-2.0
// Elementwise arithmetic: every way in which two tensors can broadcast, against plain index arithmetic.
#include "support.h"

#include "op_naive.h"

static double value(ssti_binary_kind kind, double a, double b) {
  switch (kind) {
  case SSTI_BINARY_ADD: return a + b;
  case SSTI_BINARY_SUBTRACT: return a - b;
  case SSTI_BINARY_MULTIPLY: return a * b;
  case SSTI_BINARY_DIVIDE: return a / b;
  }
  return 0;
}

// d/da and d/db.
static void slopes(ssti_binary_kind kind, double a, double b, double slope[2]) {
  switch (kind) {
  case SSTI_BINARY_ADD: slope[0] = 1, slope[1] = 1; break;
  case SSTI_BINARY_SUBTRACT: slope[0] = 1, slope[1] = -1; break;
  case SSTI_BINARY_MULTIPLY: slope[0] = b, slope[1] = a; break;
  case SSTI_BINARY_DIVIDE: slope[0] = 1 / b, slope[1] = -a / (b * b); break;
  }
}

static void fill(op_call *c, ssti_binary_kind kind) {
  fill_integers(c->x[0].data, sst_shape_count(c->x[0].shape), 8, 1);
  fill_integers(c->x[1].data, sst_shape_count(c->x[1].shape), 8, 2);
  for (int64_t i = 0; kind == SSTI_BINARY_DIVIDE && i < sst_shape_count(c->x[1].shape); i++) {
    // Powers of two, so that quotients are exact as well.
    const float b = c->x[1].data[i];
    c->x[1].data[i] = b > 3 ? 2.0f : b > 0 ? 0.5f : b > -4 ? -1.0f : -4.0f;
  }
}

static void check(sst_context *context, ssti_backend *backend, ssti_binary_kind kind, sst_shape a, sst_shape b) {
  const ssti_binary_attributes attributes = {kind};
  sst_shape y = a;
  for (int i = 0; i < SST_AXIS_COUNT; i++) { y.dim[i] = a.dim[i] == 1 ? b.dim[i] : a.dim[i]; }
  const int64_t count = sst_shape_count(y), count_a = sst_shape_count(a), count_b = sst_shape_count(b);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_binary, &attributes);
  op_call_input(&c, a, NULL);
  op_call_input(&c, b, NULL);
  fill(&c, kind);
  assert_ok(context, op_call_infer(&c, context));
  assert_true(sst_shape_equal(c.y[0].shape, y));
  op_call_forward(&c);
  fill_integers(c.dy[0].data, count, 4, 3);
  op_call_backward(&c);
  float *expected = op_call_floats(count), *da = op_call_floats(count_a), *db = op_call_floats(count_b);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at_a = naive_offset(y, a, i), at_b = naive_offset(y, b, i);
    double slope[2] = {0};
    expected[i] = (float)value(kind, (double)c.x[0].data[at_a], (double)c.x[1].data[at_b]);
    slopes(kind, (double)c.x[0].data[at_a], (double)c.x[1].data[at_b], slope);
    da[at_a] += (float)(slope[0] * (double)c.dy[0].data[i]);
    db[at_b] += (float)(slope[1] * (double)c.dy[0].data[i]);
  }
  assert_all_equal(c.y[0].data, expected, count);
  assert_all_equal(c.dx[0].data, da, count_a);
  assert_all_equal(c.dx[1].data, db, count_b);
  free(expected);
  free(da);
  free(db);
  op_call_end(&c);
}

// Each axis: both full, only a, only b, or both of length 1.
static void test_every_broadcast(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const sst_shape full = sst_shape_make(3, 2, 3, 2, 5);
  for (int pattern = 0; pattern < 1024; pattern++) {
    sst_shape a = full, b = full;
    for (int axis = 0, rest = pattern; axis < SST_AXIS_COUNT; axis++, rest /= 4) {
      if (rest & 1) { a.dim[axis] = 1; }
      if (rest & 2) { b.dim[axis] = 1; }
    }
    for (int kind = 0; kind < 4; kind++) { check(context, backend, (ssti_binary_kind)kind, a, b); }
  }
  ssti_backend_destroy(backend);
}

// Sizes above the pieces in which kernels work, and not multiples of them.
static void test_long_axes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const sst_shape big = sst_shape_make(1, 3, 2, 1, 4099);
  const sst_shape tall = sst_shape_make(2, 67, 17, 1, 3);
  for (int kind = 0; kind < 4; kind++) {
    check(context, backend, (ssti_binary_kind)kind, big, big);
    check(context, backend, (ssti_binary_kind)kind, big, sst_shape_make(1, 1, 1, 1, 4099));
    check(context, backend, (ssti_binary_kind)kind, sst_shape_make(1, 1, 1, 1, 1), big);
    check(context, backend, (ssti_binary_kind)kind, big, sst_shape_make(1, 3, 2, 1, 1));
    check(context, backend, (ssti_binary_kind)kind, tall, sst_shape_make(1, 1, 1, 1, 3));
    check(context, backend, (ssti_binary_kind)kind, sst_shape_make(2, 1, 17, 1, 1), tall);
  }
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  for (int kind = 0; kind < 4; kind++) {
    const ssti_binary_attributes attributes = {(ssti_binary_kind)kind};
    naive_case one = {&ssti_op_binary, &attributes, 2, {sst_shape_make(2, 3, 1, 2, 5)}, 0.5f, 2};
    const sst_shape parts[] = {one.shape[0], sst_shape_make(1, 1, 1, 1, 5), sst_shape_make(2, 3, 4, 1, 1)};
    for (int i = 0; i < 3; i++) {
      one.shape[1] = parts[i];
      naive_check_accumulate(*state, &one);
    }
    const sst_shape big = sst_shape_make(2, 33, 9, 11, 17);
    const sst_shape big_parts[] = {big, sst_shape_make(1, 1, 1, 1, 17), sst_shape_make(1, 1, 1, 1, 1),
                                   sst_shape_make(2, 33, 1, 1, 1)};
    for (int i = 0; i < 4; i++) {
      one.shape[0] = big;
      one.shape[1] = big_parts[i];
      naive_check_threads(&one);
    }
  }
}

static void test_shape_rule(void **state) {
  const ssti_binary_attributes attributes = {SSTI_BINARY_MULTIPLY}, wrong = {(ssti_binary_kind)4};
  naive_case one = {
      &ssti_op_binary, &attributes, 2, {sst_shape_make(2, 3, 1, 1, 5), sst_shape_make(1, 4, 1, 1, 5)}, 0, 1};
  assert_fails(*state, SST_SHAPE, naive_infer(*state, &one), "axis N");
  assert_fails(*state, SST_SHAPE, naive_infer(*state, &one), "[1,4,1,1,5]");
  one.attributes = &wrong;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "number 4");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_every_broadcast), TEST(test_long_axes),
                                     TEST(test_accumulate_and_threads), TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
