// SPDX-License-Identifier: Apache-2.0
// In the place of the other files of this folder where CUDA was not found when this was built.
#include "backend/backend.h"
#include "spikestill/bench.h"

static sst_status refuse(sst_context *context) {
  SST_FAIL(context, SST_UNSUPPORTED,
           "device cuda is not built in: this needs nvcc, cuDNN and cuBLAS when it is built (docs/gpu.md)");
}

sst_status ssti_cuda_begin(ssti_backend *backend) { return refuse(backend->context); }

void ssti_cuda_end(ssti_backend *backend) { (void)backend; }

sst_status ssti_cuda_describe(sst_context *context, sst_device_info *out) {
  (void)out;
  return refuse(context);
}

sst_status sst_measure_card(sst_context *context, int64_t side, int repetitions, sst_card_ceiling *out) {
  (void)side, (void)repetitions;
  *out = (sst_card_ceiling){0};
  return refuse(context);
}

sst_status sst_measure_card_neuron(sst_context *context, const sst_neuron_work *work, int repetitions,
                                   sst_card_speed *out) {
  (void)work, (void)repetitions;
  *out = (sst_card_speed){0};
  return refuse(context);
}
