// SPDX-License-Identifier: Apache-2.0
// Calls one op by hand, without a graph: infer, prepare, forward, backward on given inputs and a given backend.
//
//   op_call c;
//   op_call_begin(&c, backend, &ssti_op_linear, NULL);
//   op_call_input(&c, sst_shape_make(1, 2, 1, 1, 3), values);    // NULL: zeros; c.x[0].data may be filled afterwards
//   assert_int_equal(op_call_infer(&c, context), SST_OK);        // for failures of the shape rule stop here
//   op_call_forward(&c);                                         // prepares at the first call
//   ... c.y[0].data ...
//   op_call_backward(&c);                                        // after c.dy[0].data was filled
//   ... c.dx[0].data ...
//   op_call_end(&c);
//
// What a kernel must write is filled with NaN before, so that a missed element shows. Include after <cmocka.h>.
#ifndef SPIKESTILL_TESTS_OP_CALL_H
#define SPIKESTILL_TESTS_OP_CALL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"

enum { OP_CALL_MAX = 8 };

typedef struct op_call {
  ssti_call call;
  const ssti_op *op;
  ssti_run run; // training by default
  ssti_needs needs;
  ssti_tensor x[OP_CALL_MAX], y[OP_CALL_MAX], dx[OP_CALL_MAX], dy[OP_CALL_MAX];
  ssti_tensor *x_list[OP_CALL_MAX], *y_list[OP_CALL_MAX], *dx_list[OP_CALL_MAX], *dy_list[OP_CALL_MAX];
  bool accumulate[OP_CALL_MAX]; // set an entry, and dx[i] before backward, to test adding
  bool unwanted[OP_CALL_MAX];   // set an entry before the first forward: no gradient of that input
  bool ready;
} op_call;

// `bytes` of memory aligned as the library aligns it.
static inline void *op_call_memory(size_t bytes) {
  size_t rounded = (bytes + 64) / 64 * 64;
  void *memory = aligned_alloc(64, rounded);
  assert_non_null(memory);
  memset(memory, 0, rounded);
  return memory;
}

static inline float *op_call_floats(int64_t count) { return op_call_memory((size_t)count * sizeof(float)); }

static inline void op_call_fill_nan(ssti_tensor *tensor) {
  for (int64_t i = 0; i < sst_shape_count(tensor->shape); i++) { tensor->data[i] = NAN; }
}

// Small integers in [-bound, bound] that differ from element to element; `salt` gives another sequence. Sums of
// products of such numbers are exact in f32, in any order.
static inline void op_call_fill_integers(float *data, int64_t count, int bound, uint32_t salt) {
  uint32_t state = salt * 2654435761u + 12345u;
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)((int)((state >> 10) % (uint32_t)(2 * bound + 1)) - bound);
  }
}

// Numbers in [-1, 1).
static inline void op_call_fill_reals(float *data, int64_t count, uint32_t salt) {
  uint32_t state = salt * 2654435761u + 54321u;
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
}

// The reference backend, to be destroyed by the caller.
static inline ssti_backend *op_call_reference(sst_context *context) {
  ssti_backend *backend = NULL;
  assert_int_equal(ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &backend), SST_OK);
  return backend;
}

static inline void op_call_begin(op_call *c, ssti_backend *backend, const ssti_op *op, const void *attributes) {
  memset(c, 0, sizeof *c);
  c->op = op;
  c->run = (ssti_run){.training = true, .seed = 1};
  c->call = (ssti_call){.backend = backend,
                        .attributes = attributes,
                        .run = &c->run,
                        .output_count = 1,
                        .x = c->x_list,
                        .y = c->y_list,
                        .dx = c->dx_list,
                        .dy = c->dy_list,
                        .accumulate = c->accumulate,
                        .stream = 7,
                        .training = true};
  for (int i = 0; i < OP_CALL_MAX; i++) {
    c->x_list[i] = &c->x[i];
    c->y_list[i] = &c->y[i];
    c->dx_list[i] = &c->dx[i];
    c->dy_list[i] = &c->dy[i];
  }
}

// Adds an input, a copy of `values`; NULL: zeros.
static inline void op_call_input(op_call *c, sst_shape shape, const float *values) {
  assert_true(c->call.input_count < OP_CALL_MAX);
  ssti_tensor *x = &c->x[c->call.input_count++];
  x->shape = shape;
  x->data = op_call_floats(sst_shape_count(shape));
  if (values != NULL) { memcpy(x->data, values, (size_t)sst_shape_count(shape) * sizeof(float)); }
}

// Set c->call.output_count before, for ops of several outputs.
static inline sst_status op_call_infer(op_call *c, sst_context *context) { return c->op->infer(context, &c->call); }

// Makes outputs, gradients and what `prepare` asked for. Called by the first forward.
static inline void op_call_prepare(op_call *c) {
  if (c->ready) { return; }
  c->ready = true;
  if (c->op->prepare != NULL) { assert_int_equal(c->op->prepare(&c->call, &c->needs), SST_OK); }
  c->call.saved = op_call_memory(c->needs.saved);
  size_t workspace = c->needs.forward_workspace > c->needs.backward_workspace ? c->needs.forward_workspace
                                                                              : c->needs.backward_workspace;
  c->call.workspace = op_call_memory(workspace);
  for (int i = 0; i < c->call.output_count; i++) {
    c->y[i].data = i == 0 && c->op->is_view ? c->x[0].data : op_call_floats(sst_shape_count(c->y[i].shape));
    c->dy[i].shape = c->y[i].shape;
    c->dy[i].data = op_call_floats(sst_shape_count(c->y[i].shape));
  }
  for (int i = 0; i < c->call.input_count; i++) {
    c->dx[i].shape = c->x[i].shape;
    c->dx[i].data = op_call_floats(sst_shape_count(c->x[i].shape));
    if (c->unwanted[i]) { c->dx_list[i] = NULL; }
  }
}

static inline void op_call_forward(op_call *c) {
  op_call_prepare(c);
  for (int i = 0; i < c->call.output_count && !c->op->is_view; i++) { op_call_fill_nan(&c->y[i]); }
  c->op->forward(&c->call);
}

static inline void op_call_backward(op_call *c) {
  for (int i = 0; i < c->call.input_count; i++) {
    if (!c->accumulate[i]) { op_call_fill_nan(&c->dx[i]); }
  }
  c->op->backward(&c->call);
}

static inline void op_call_end(op_call *c) {
  if (c->call.plan != NULL) { c->call.backend->kernels.plan_destroy(c->call.backend, c->call.plan); }
  for (int i = 0; i < OP_CALL_MAX; i++) {
    if (!(i == 0 && c->op->is_view)) { free(c->y[i].data); }
    free(c->x[i].data);
    free(c->dx[i].data);
    free(c->dy[i].data);
  }
  free(c->call.saved);
  free(c->call.workspace);
}

// <a, b> in double.
static inline double op_call_dot(const float *a, const float *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) { sum += (double)a[i] * (double)b[i]; }
  return sum;
}

static inline double op_call_projection(op_call *c) {
  op_call_forward(c);
  double sum = 0;
  for (int i = 0; i < c->call.output_count; i++) {
    if (c->dy_list[i] != NULL) { sum += op_call_dot(c->y[i].data, c->dy[i].data, sst_shape_count(c->y[i].shape)); }
  }
  return sum;
}

// Directional derivative of <y, r> for random r with respect to input `input` along a random direction: the op's
// backward against central differences of its forward. `tolerance` is relative to the size of the terms that are
// summed, because f32 rounding is; it has to cover that rounding divided by `step`, and the curvature times step^2.
static inline void op_call_check_gradient(op_call *c, int input, float step, double tolerance) {
  op_call_prepare(c);
  for (int i = 0; i < c->call.output_count; i++) {
    if (c->dy_list[i] != NULL) { op_call_fill_reals(c->dy[i].data, sst_shape_count(c->y[i].shape), 91u + (uint32_t)i); }
  }
  op_call_forward(c);
  op_call_backward(c);
  int64_t count = sst_shape_count(c->x[input].shape);
  float *direction = op_call_floats(count), *kept = op_call_floats(count);
  op_call_fill_reals(direction, count, 17u + (uint32_t)input);
  double analytic = op_call_dot(c->dx[input].data, direction, count), size = 1e-3;
  for (int64_t i = 0; i < count; i++) { size += fabs((double)(c->dx[input].data[i] * direction[i])); }
  float *x = c->x[input].data;
  memcpy(kept, x, (size_t)count * sizeof(float));
  for (int64_t i = 0; i < count; i++) { x[i] = kept[i] + step * direction[i]; }
  double up = op_call_projection(c);
  for (int64_t i = 0; i < count; i++) { x[i] = kept[i] - step * direction[i]; }
  double down = op_call_projection(c);
  memcpy(x, kept, (size_t)count * sizeof(float));
  double numeric = (up - down) / (2 * (double)step);
  free(direction);
  free(kept);
  if (!(fabs(numeric - analytic) <= tolerance * size)) {
    fail_msg("%s, input %d: backward gives %.9g, differences give %.9g (size of terms %.3g)", c->op->name, input,
             analytic, numeric, size);
  }
}

#endif
