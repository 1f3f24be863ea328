// SPDX-License-Identifier: Apache-2.0
// In training adds normal noise, y = x + deviation * n; otherwise copies. The gradient passes unchanged.
//   x [T,N,H,W,C]; y the same
// Element i's n is that of random number (seed, the node's stream with the step, i): other ones in each step of
// training, the same ones after a resume.
#include <math.h>

#include "base/random.h"
#include "op/op.h"

static float deviation_of(const ssti_call *call) {
  return ((const ssti_noise_attributes *)call->attributes)->deviation;
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const float deviation = deviation_of(call);
  if (!(deviation >= 0.0f) || isinf(deviation)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the deviation of the noise is %g, expected a finite number, 0 or above",
             (double)deviation);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const int64_t count = sst_shape_count(call->x[0]->shape);
  const float *x = call->x[0]->data;
  float *y = call->y[0]->data;
  if (call->run->training && !call->frozen) {
    call->backend->kernels.noise(call->backend, count, deviation_of(call), call->run->seed, call->stream,
                                 call->run->step, x, y);
  } else {
    call->backend->kernels.copy_rows(call->backend, 1, count, x, count, y, count, false);
  }
}

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  const int64_t count = sst_shape_count(call->x[0]->shape);
  call->backend->kernels.copy_rows(call->backend, 1, count, call->dy[0]->data, count, call->dx[0]->data, count,
                                   call->accumulate[0]);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // costs are those of inference, where there is no noise
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_noise = {
    .name = "noise",
    .attributes_size = sizeof(ssti_noise_attributes),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
