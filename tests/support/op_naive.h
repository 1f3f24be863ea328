// SPDX-License-Identifier: Apache-2.0
// For the tests of ops that go over axes: plain index arithmetic to compare with, and the checks that hold for every
// op (gradients are added where asked for, any number of threads gives the same bits). Include after support.h.
#ifndef SPIKESTILL_TESTS_OP_NAIVE_H
#define SPIKESTILL_TESTS_OP_NAIVE_H

#include "op_call.h"

static inline ssti_backend *naive_backend(sst_context *context) {
  ssti_backend *backend = NULL;
  assert_int_equal(ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &backend), SST_OK);
  return backend;
}

// Where element `index` of a tensor of shape `shape` lies in one of shape `part`, whose axes of length 1 are repeated.
static inline int64_t naive_offset(sst_shape shape, sst_shape part, int64_t index) {
  int64_t offset = 0, step = 1;
  for (int axis = SST_AXIS_COUNT - 1; axis >= 0; axis--) {
    if (part.dim[axis] != 1) { offset += index % shape.dim[axis] * step; }
    index /= shape.dim[axis];
    step *= part.dim[axis];
  }
  return offset;
}

static inline sst_shape naive_without(sst_shape shape, int axes) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (axes & (1 << i)) { shape.dim[i] = 1; }
  }
  return shape;
}

// One op on given shapes, filled with numbers between `low` and `high`.
typedef struct naive_case {
  const ssti_op *op;
  const void *attributes;
  int inputs;
  sst_shape shape[2];
  float low, high;
} naive_case;

static inline void naive_begin(op_call *c, sst_context *context, ssti_backend *backend, const naive_case *one) {
  op_call_begin(c, backend, one->op, one->attributes);
  for (int i = 0; i < one->inputs; i++) {
    op_call_input(c, one->shape[i], NULL);
    fill_uniform(c->x[i].data, sst_shape_count(one->shape[i]), one->low, one->high, 10 + (uint64_t)i);
  }
  assert_ok(context, op_call_infer(c, context));
  op_call_prepare(c);
  fill_normal(c->dy[0].data, sst_shape_count(c->y[0].shape), 1, 20);
}

// Runs the case with 1, 2 and 3 threads: outputs and gradients have the same bits.
static inline void naive_check_threads(const naive_case *one) {
  static const int threads[] = {1, 2, 3};
  op_call c[3];
  for (int i = 0; i < 3; i++) {
    sst_context *context = test_context_with_threads(threads[i]);
    ssti_backend *backend = naive_backend(context);
    naive_begin(&c[i], context, backend, one);
    op_call_forward(&c[i]);
    op_call_backward(&c[i]);
    ssti_backend_destroy(backend);
    test_context_end(context);
    assert_same_bits(c[i].y[0].data, c[0].y[0].data, sst_shape_count(c[0].y[0].shape));
    for (int k = 0; k < one->inputs; k++) {
      assert_same_bits(c[i].dx[k].data, c[0].dx[k].data, sst_shape_count(one->shape[k]));
    }
  }
  for (int i = 0; i < 3; i++) { op_call_end(&c[i]); }
}

// A gradient that is added to something is the sum of that and the gradient alone; one that is not wanted is not
// written, and the other one is the same.
static inline void naive_check_accumulate(sst_context *context, const naive_case *one) {
  ssti_backend *backend = naive_backend(context);
  for (int which = 0; which < one->inputs; which++) {
    const int64_t count = sst_shape_count(one->shape[which]);
    op_call plain, adding;
    naive_begin(&plain, context, backend, one);
    op_call_forward(&plain);
    op_call_backward(&plain);
    naive_begin(&adding, context, backend, one);
    for (int i = 0; i < one->inputs; i++) {
      if (i != which) { adding.dx_list[i] = NULL; }
    }
    adding.accumulate[which] = true;
    fill_integers(adding.dx[which].data, count, 5, 30);
    op_call_forward(&adding);
    op_call_backward(&adding);
    for (int64_t i = 0; i < count; i++) {
      const float before = (float)((int64_t)ssti_random_below(1, 30, (uint64_t)i, 11) - 5);
      assert_near(adding.dx[which].data[i], before + plain.dx[which].data[i], 1e-6, 1e-6);
    }
    op_call_end(&plain);
    op_call_end(&adding);
  }
  ssti_backend_destroy(backend);
}

// The shape rule's answer for inputs of these shapes.
static inline sst_status naive_infer(sst_context *context, const naive_case *one) {
  op_call c;
  op_call_begin(&c, NULL, one->op, one->attributes);
  for (int i = 0; i < one->inputs; i++) { op_call_input(&c, one->shape[i], NULL); }
  const sst_status status = op_call_infer(&c, context);
  op_call_end(&c);
  return status;
}

#endif
