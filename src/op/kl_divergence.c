// SPDX-License-Identifier: Apache-2.0
// Kullback-Leibler divergence over C, KL(p || q) = sum_c p_c * (log p_c - log q_c), from p and log q. A class with
// p = 0 adds 0; its gradient takes log p as that of the smallest normal number, so that it is finite.
//   inputs: p, log_q [T,N,H,W,C]; output: [T,N,H,W,1]
#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  const sst_shape p = call->x[0]->shape, log_q = call->x[1]->shape;
  if (!sst_shape_equal(p, log_q)) {
    char text_p[SST_SHAPE_TEXT_SIZE], text_q[SST_SHAPE_TEXT_SIZE];
    SST_FAIL(context, SST_SHAPE, "log q has the shape %s, expected that of p, %s",
             sst_shape_text(log_q, text_q, sizeof text_q), sst_shape_text(p, text_p, sizeof text_p));
  }
  call->y[0]->shape = p;
  call->y[0]->shape.dim[SST_AXIS_C] = 1;
  return SST_OK;
}

static void forward(ssti_call *call) {
  call->backend->kernels.kl_forward(call->backend, sst_shape_count(call->y[0]->shape),
                                    call->x[0]->shape.dim[SST_AXIS_C], call->x[0]->data, call->x[1]->data,
                                    call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_tensor *dp = call->dx[0], *dlog_q = call->dx[1];
  if (dp == NULL && dlog_q == NULL) { return; }
  call->backend->kernels.kl_backward(call->backend, sst_shape_count(call->y[0]->shape),
                                     call->x[0]->shape.dim[SST_AXIS_C], call->x[0]->data, call->x[1]->data,
                                     call->dy[0]->data, dp ? dp->data : NULL, call->accumulate[0],
                                     dlog_q ? dlog_q->data : NULL, call->accumulate[1]);
}

// Logarithm, difference, product, sum.
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = 4 * sst_shape_count(call->x[0]->shape)};
}

const ssti_op ssti_op_kl_divergence = {
    .name = "kl_divergence",
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0 | 1u << 1,
};
