// SPDX-License-Identifier: Apache-2.0
// Ops that move data: flatten, stop-gradient, concat, select and repeat over T, dropout; and the copy kernel.
#include "support/support.h"

#include "backend/reference/reference.h"
#include "support/op_naive.h"

static void fill_counting(ssti_tensor *t, float first) {
  for (int64_t i = 0; i < sst_shape_count(t->shape); i++) { t->data[i] = first + (float)i; }
}

static void test_flatten(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_flatten, NULL);
    op_call_input(&c, sst_shape_make(2, 3, 4, 5, 6), NULL);
    assert_ok(*state, op_call_infer(&c, *state));
    assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(2, 3, 1, 1, 120)));
    assert_true(ssti_op_flatten.is_view);
    op_call_prepare(&c);
    fill_counting(&c.dy[0], 1);
    c.accumulate[0] = accumulate == 1;
    if (accumulate) { fill_counting(&c.dx[0], 100); }
    op_call_forward(&c);
    op_call_backward(&c);
    for (int i = 0; i < 720; i++) { assert_near(c.dx[0].data[i], accumulate ? 101 + 2 * i : 1 + i, 0, 0); }
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_stop_gradient(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_stop_gradient, NULL);
  op_call_input(&c, sst_shape_make(2, 3, 4, 5, 6), NULL);
  assert_ok(*state, op_call_infer(&c, *state));
  assert_true(sst_shape_equal(c.y[0].shape, c.x[0].shape));
  assert_true(ssti_op_stop_gradient.is_view);
  assert_null(ssti_op_stop_gradient.backward);
  op_call_forward(&c);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Where element `index` of the joined value comes from: input and position, from the definition.
static void concat_source(const op_call *c, sst_axis axis, int64_t index, int *input, int64_t *position) {
  int64_t at[SST_AXIS_COUNT];
  for (int a = SST_AXIS_COUNT - 1; a >= 0; a--) {
    at[a] = index % c->y[0].shape.dim[a];
    index /= c->y[0].shape.dim[a];
  }
  for (*input = 0; at[axis] >= c->x[*input].shape.dim[axis]; (*input)++) { at[axis] -= c->x[*input].shape.dim[axis]; }
  *position = 0;
  for (int a = 0; a < SST_AXIS_COUNT; a++) { *position = *position * c->x[*input].shape.dim[a] + at[a]; }
}

static void check_concat(ssti_backend *backend, sst_axis axis, bool accumulate) {
  ssti_concat_attributes a = {axis};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_concat, &a);
  int64_t joined = 0;
  for (int i = 0; i < 3; i++) {
    sst_shape shape = sst_shape_make(2, 3, 2, 5, 4);
    shape.dim[axis] = i + 1;
    joined += i + 1;
    op_call_input(&c, shape, NULL);
    fill_counting(&c.x[i], 1000.0f * (float)i);
  }
  assert_ok(backend->context, op_call_infer(&c, backend->context));
  assert_int_equal(c.y[0].shape.dim[axis], joined);
  op_call_prepare(&c);
  c.unwanted[1] = true;
  c.dx_list[1] = NULL;
  fill_counting(&c.dy[0], 1);
  for (int i = 0; i < 3 && accumulate; i++) {
    c.accumulate[i] = true;
    for (int64_t j = 0; j < sst_shape_count(c.dx[i].shape); j++) { c.dx[i].data[j] = 0.5f; }
  }
  op_call_forward(&c);
  op_call_backward(&c);
  for (int64_t i = 0; i < sst_shape_count(c.y[0].shape); i++) {
    int input;
    int64_t position;
    concat_source(&c, axis, i, &input, &position);
    assert_near(c.y[0].data[i], c.x[input].data[position], 0, 0);
    if (input != 1) { assert_near(c.dx[input].data[position], (float)(1 + i) + (accumulate ? 0.5f : 0.0f), 0, 0); }
  }
  op_call_end(&c);
}

static void test_concat(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int axis = 0; axis < SST_AXIS_COUNT; axis++) {
    check_concat(backend, (sst_axis)axis, false);
    check_concat(backend, (sst_axis)axis, true);
  }
  op_call c;
  ssti_concat_attributes a = {SST_AXIS_C};
  op_call_begin(&c, backend, &ssti_op_concat, &a);
  op_call_input(&c, sst_shape_make(1, 2, 3, 3, 4), NULL);
  op_call_input(&c, sst_shape_make(1, 2, 3, 2, 4), NULL);
  assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state),
               "input 1 is [1,2,3,2,4], input 0 is [1,2,3,3,4]: expected them to agree outside axis C");
  op_call_end(&c);
  op_call_begin(&c, backend, &ssti_op_concat, &a);
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "expected at least 1");
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_select_steps(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int64_t first = 0; first < 5; first++) {
    for (int64_t count = 1; first + count <= 5; count++) {
      ssti_select_steps_attributes a = {first, count};
      op_call c;
      op_call_begin(&c, backend, &ssti_op_select_steps, &a);
      op_call_input(&c, sst_shape_make(5, 2, 1, 3, 2), NULL);
      assert_ok(*state, op_call_infer(&c, *state));
      assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(count, 2, 1, 3, 2)));
      op_call_prepare(&c);
      fill_counting(&c.x[0], 0);
      fill_counting(&c.dy[0], 1);
      bool accumulate = (first + count) % 2 == 0;
      c.accumulate[0] = accumulate;
      for (int i = 0; i < 60 && accumulate; i++) { c.dx[0].data[i] = 0.5f; }
      op_call_forward(&c);
      op_call_backward(&c);
      for (int64_t i = 0; i < 60; i++) {
        int64_t t = i / 12, at = i - first * 12;
        bool selected = t >= first && t < first + count;
        if (selected) { assert_near(c.y[0].data[at], i, 0, 0); }
        assert_near(c.dx[0].data[i], (selected ? 1.0 + (double)at : 0.0) + (accumulate ? 0.5 : 0.0), 0, 0);
      }
      op_call_end(&c);
    }
  }
  ssti_backend_destroy(backend);
}

static void test_select_steps_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_select_steps_attributes wrong[] = {{3, 3}, {-1, 2}, {5, 1}, {2, INT64_MAX}};
  for (int i = 0; i < 4; i++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_select_steps, &wrong[i]);
    op_call_input(&c, sst_shape_make(5, 2, 1, 3, 2), NULL);
    assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state), "the input has 5");
    op_call_end(&c);
  }
  op_call c;
  op_call_begin(&c, backend, &ssti_op_select_steps, &(ssti_select_steps_attributes){0, 0});
  op_call_input(&c, sst_shape_make(5, 2, 1, 3, 2), NULL);
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "0 time steps are selected");
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_repeat_steps(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  ssti_repeat_steps_attributes a = {4};
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_repeat_steps, &a);
    op_call_input(&c, sst_shape_make(1, 2, 3, 1, 5), NULL);
    assert_ok(*state, op_call_infer(&c, *state));
    assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(4, 2, 3, 1, 5)));
    op_call_prepare(&c);
    fill_counting(&c.x[0], 7);
    fill_counting(&c.dy[0], 0);
    c.accumulate[0] = accumulate == 1;
    if (accumulate) { fill_counting(&c.dx[0], 0.5f); }
    op_call_forward(&c);
    op_call_backward(&c);
    for (int i = 0; i < 120; i++) { assert_near(c.y[0].data[i], 7 + i % 30, 0, 0); }
    for (int i = 0; i < 30; i++) {
      assert_near(c.dx[0].data[i], 4.0 * i + 30 * (0 + 1 + 2 + 3) + (accumulate ? 0.5 + i : 0), 0, 0);
    }
    op_call_end(&c);
  }
  op_call c;
  op_call_begin(&c, backend, &ssti_op_repeat_steps, &a);
  op_call_input(&c, sst_shape_make(2, 2, 3, 1, 5), NULL);
  assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state), "has 2 time steps, expected 1");
  op_call_end(&c);
  op_call_begin(&c, backend, &ssti_op_repeat_steps, &(ssti_repeat_steps_attributes){0});
  op_call_input(&c, sst_shape_make(1, 2, 3, 1, 5), NULL);
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "over 0 time steps");
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void begin_dropout(op_call *c, ssti_backend *backend, const ssti_dropout_attributes *a) {
  op_call_begin(c, backend, &ssti_op_dropout, a);
  op_call_input(c, sst_shape_make(1, 10, 10, 10, 10), NULL);
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
  for (int i = 0; i < 10000; i++) {
    c->x[0].data[i] = 1.0f;
    c->dy[0].data[i] = 3.0f;
  }
}

static void test_dropout_in_training(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_dropout_attributes a = {0.25f};
  op_call c;
  begin_dropout(&c, backend, &a);
  float first[10000];
  for (int step = 0; step < 2; step++) {
    c.run.step = (uint64_t)step;
    c.accumulate[0] = step == 1;
    for (int i = 0; i < 10000; i++) { c.dx[0].data[i] = 1.0f; }
    op_call_forward(&c);
    op_call_backward(&c);
    int kept = 0, same = 0;
    for (int i = 0; i < 10000; i++) {
      bool stays = c.y[0].data[i] != 0.0f;
      kept += stays;
      if (stays) { assert_near(c.y[0].data[i], 4.0 / 3.0, 1e-6, 0); }
      // Backward has the mask of forward.
      assert_near(c.dx[0].data[i], (stays ? 4.0 : 0.0) + (step == 1 ? 1.0 : 0.0), 1e-6, 0);
      if (step == 1) { same += first[i] == c.y[0].data[i]; }
      first[i] = c.y[0].data[i];
    }
    // 7500 expected; the deviation of the count is 43, so that five of them are never met by chance.
    assert_in_range(kept, 7500 - 217, 7500 + 217);
    // Another step, another mask: equal with probability 0.75^2 + 0.25^2.
    if (step == 1) { assert_in_range(same, 6250 - 250, 6250 + 250); }
  }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// The mask follows from (seed, stream, step), not from the run before.
static void test_dropout_repeats(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_dropout_attributes a = {0.5f};
  op_call c, again;
  begin_dropout(&c, backend, &a);
  begin_dropout(&again, backend, &a);
  c.run.step = again.run.step = 12;
  op_call_forward(&c);
  again.run.seed = 99;
  op_call_forward(&again);
  assert_true(memcmp(c.y[0].data, again.y[0].data, 10000 * sizeof(float)) != 0);
  again.run.seed = c.run.seed;
  again.call.stream++;
  op_call_forward(&again);
  assert_true(memcmp(c.y[0].data, again.y[0].data, 10000 * sizeof(float)) != 0);
  again.call.stream--;
  op_call_forward(&again);
  assert_same_bits(again.y[0].data, c.y[0].data, 10000);
  op_call_end(&c);
  op_call_end(&again);
  ssti_backend_destroy(backend);
}

static void test_dropout_copies_elsewhere(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int variant = 0; variant < 3; variant++) {
    const ssti_dropout_attributes a = {variant == 2 ? 0.0f : 0.5f};
    op_call c;
    begin_dropout(&c, backend, &a);
    c.run.training = variant != 0; // inference, frozen scope, rate 0
    c.call.frozen = variant == 1;
    op_call_forward(&c);
    op_call_backward(&c);
    assert_same_bits(c.y[0].data, c.x[0].data, 10000);
    assert_same_bits(c.dx[0].data, c.dy[0].data, 10000);
    op_call_end(&c);
  }
  const float wrong[] = {-0.1f, 1.0f, NAN};
  for (int i = 0; i < 3; i++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_dropout, &(ssti_dropout_attributes){wrong[i]});
    op_call_input(&c, sst_shape_make(1, 1, 1, 1, 1), NULL);
    assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "expected 0 <= rate < 1");
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

// Elements outside the rows stay as they were, for widths around the kernel's pieces.
static void test_copy_rows(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const int64_t widths[] = {1, 3, 4095, 4096, 4097, 9000};
  for (size_t k = 0; k < sizeof widths / sizeof widths[0]; k++) {
    int64_t width = widths[k], from_stride = width + 2, to_stride = width + 5, rows = 3;
    float *from = op_call_floats(rows * from_stride), *to = op_call_floats(rows * to_stride);
    for (int64_t i = 0; i < rows * from_stride; i++) { from[i] = (float)(i % 1000) + 1.0f; }
    for (int pass = 1; pass <= 2; pass++) { // copy, then add
      ssti_reference_copy_rows(backend, rows, width, from, from_stride, to, to_stride, pass == 2);
      for (int64_t i = 0; i < rows * to_stride; i++) {
        int64_t row = i / to_stride, column = i % to_stride;
        assert_near(to[i], column < width ? (float)pass * from[row * from_stride + column] : 0.0f, 0, 0);
      }
    }
    free(from);
    free(to);
  }
  ssti_backend_destroy(backend);
}

// Values by index arithmetic, gradients added where asked for, any number of threads.
static void test_pad_and_slice(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_pad_attributes pad = {{1, 0, 2}, {2, 1, 0}, -7};
  const sst_shape small = sst_shape_make(2, 3, 3, 4, 5);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_pad, &pad);
  op_call_input(&c, small, NULL);
  fill_counting(&c.x[0], 1);
  assert_ok(*state, op_call_infer(&c, *state));
  assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(2, 3, 6, 5, 7)));
  op_call_prepare(&c);
  op_call_forward(&c);
  int64_t next = 0;
  for (int64_t i = 0; i < sst_shape_count(c.y[0].shape); i++) {
    const int64_t channel = i % 7, column = i / 7 % 5, row = i / 35 % 6;
    const bool inside = channel >= 2 && column < 4 && row >= 1 && row < 4;
    assert_near(c.y[0].data[i], inside ? c.x[0].data[next++] : -7.0f, 0, 0);
  }
  assert_int_equal(next, sst_shape_count(small));
  op_call_end(&c);
  const ssti_slice_attributes slice = {{1, 0, 4}, {1, 2, 1}, {1, 3, 9}};
  op_call_begin(&c, backend, &ssti_op_slice, &slice);
  op_call_input(&c, small, NULL);
  fill_counting(&c.x[0], 0);
  assert_ok(*state, op_call_infer(&c, *state));
  assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(2, 3, 1, 2, 1)));
  op_call_prepare(&c);
  op_call_forward(&c);
  for (int64_t i = 0; i < 12; i++) { assert_near(c.y[0].data[i], (double)(i / 2 * 60 + 20 + i % 2 * 15 + 4), 0, 0); }
  op_call_end(&c);
  const naive_case padded = {&ssti_op_pad, &pad, 1, {small}, -1, 1},
                   sliced = {&ssti_op_slice, &slice, 1, {small}, -1, 1};
  naive_check_threads(&padded);
  naive_check_threads(&sliced);
  naive_check_accumulate(*state, &padded);
  naive_check_accumulate(*state, &sliced);
  ssti_backend_destroy(backend);
}

static void check_refused(sst_context *context, ssti_backend *backend, const ssti_op *op, const void *attributes,
                          const char *words) {
  op_call c;
  op_call_begin(&c, backend, op, attributes);
  op_call_input(&c, sst_shape_make(1, 1, 4, 4, 4), NULL);
  assert_fails(context, SST_INVALID_ARGUMENT, op_call_infer(&c, context), words);
  op_call_end(&c);
}

static void test_pad_and_slice_explain(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  check_refused(*state, backend, &ssti_op_pad, &(ssti_pad_attributes){.before = {0, -1, 0}},
                "padding in W is -1 before");
  check_refused(*state, backend, &ssti_op_pad, &(ssti_pad_attributes){.after = {0, 0, INT64_MAX}}, "padding in C");
  const ssti_slice_attributes wrong[] = {{{0, 0, 4}, {1, 1, 1}, {1, 1, 1}},  {{0, 0, 0}, {4, 4, 3}, {1, 1, 2}},
                                         {{0, 0, 0}, {4, 4, 0}, {1, 1, 1}},  {{0, 0, 0}, {4, 4, 1}, {1, 1, 0}},
                                         {{0, 0, -1}, {4, 4, 1}, {1, 1, 1}}, {{0, 0, 1}, {4, 4, INT64_MAX}, {1, 1, 1}}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    check_refused(*state, backend, &ssti_op_slice, &wrong[i], "inside the input's 4");
  }
  ssti_backend_destroy(backend);
}

static void test_moving_costs_nothing(void **state) {
  (void)state;
  const ssti_op *ops[] = {&ssti_op_flatten,      &ssti_op_stop_gradient, &ssti_op_dropout, &ssti_op_concat,
                          &ssti_op_select_steps, &ssti_op_repeat_steps,  &ssti_op_pad,     &ssti_op_slice};
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    sst_cost cost = {1, 1, 1};
    ssti_call call = {0};
    ops[i]->cost(&call, &cost);
    assert_int_equal(cost.macs + cost.elementwise + cost.neuron_updates, 0);
  }
}

static void test_device_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_DEVICE_COUNT; i++) {
    sst_device found;
    assert_true(sst_device_parse(sst_device_word((sst_device)i), &found));
    assert_int_equal(found, i);
  }
  sst_device device;
  assert_false(sst_device_parse("gpu", &device));
  assert_false(sst_device_parse("", &device));
}

static void test_unknown_device_is_refused(void **state) {
  ssti_backend *backend = NULL;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_backend_create(*state, SST_DEVICE_COUNT, &backend),
               "there is no device number");
  assert_null(backend);
  ssti_backend_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_flatten),
      TEST(test_stop_gradient),
      TEST(test_concat),
      TEST(test_select_steps),
      TEST(test_select_steps_explains),
      TEST(test_repeat_steps),
      TEST(test_dropout_in_training),
      TEST(test_dropout_repeats),
      TEST(test_dropout_copies_elsewhere),
      TEST(test_copy_rows),
      TEST(test_pad_and_slice),
      TEST(test_pad_and_slice_explain),
      TEST(test_moving_costs_nothing),
      TEST(test_device_words),
      TEST(test_unknown_device_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
