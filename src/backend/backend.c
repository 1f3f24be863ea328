// SPDX-License-Identifier: Apache-2.0
// Makes the backend of a device.
#include "backend/backend.h"

#include "base/memory.h"

sst_status ssti_backend_create(sst_context *context, sst_device device, ssti_backend **out) {
  *out = NULL;
  if ((int)device < 0 || device >= SST_DEVICE_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "there is no device number %d, expected 0..%d", (int)device,
             SST_DEVICE_COUNT - 1);
  }
  ssti_backend *backend = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *backend, &backend));
  backend->context = context;
  backend->device = device;
  backend->without[SST_PRECISION_BF16] = "it computes in f32 only";
  backend->without[SST_PRECISION_TF32] = "only cards multiply in it";
  // Every backend starts from the complete reference table, so no slot is empty but those of fused ops.
  ssti_reference_fill(&backend->kernels);
  sst_status status = SST_OK;
  if (device == SST_DEVICE_CPU) { status = ssti_fast_begin(backend); }
  if (device == SST_DEVICE_CUDA) { status = ssti_cuda_begin(backend); }
  if (status != SST_OK) {
    ssti_free(context, backend);
    return status;
  }
  *out = backend;
  return SST_OK;
}

void ssti_backend_destroy(ssti_backend *backend) {
  if (backend == NULL) { return; }
  if (backend->device == SST_DEVICE_CPU) { ssti_fast_end(backend); }
  if (backend->device == SST_DEVICE_CUDA) { ssti_cuda_end(backend); }
  ssti_free(backend->context, backend);
}

sst_status sst_device_check(sst_context *context, sst_device device) {
  ssti_backend *backend = NULL;
  SST_TRY(ssti_backend_create(context, device, &backend));
  ssti_backend_destroy(backend);
  return SST_OK;
}

sst_status ssti_backend_check_precision(const ssti_backend *backend, sst_precision precision) {
  if ((int)precision < 0 || precision >= SST_PRECISION_COUNT) {
    SST_FAIL(backend->context, SST_INVALID_ARGUMENT, "there is no precision number %d, expected 0..%d", (int)precision,
             SST_PRECISION_COUNT - 1);
  }
  if (backend->without[precision] == NULL) { return SST_OK; }
  SST_FAIL(backend->context, SST_UNSUPPORTED, "precision %s is not to be had on device %s: %s; expected precision f32",
           sst_precision_word(precision), sst_device_word(backend->device), backend->without[precision]);
}

sst_status sst_precision_check(sst_context *context, sst_device device, sst_precision precision) {
  ssti_backend *backend = NULL;
  SST_TRY(ssti_backend_create(context, device, &backend));
  const sst_status status = ssti_backend_check_precision(backend, precision);
  ssti_backend_destroy(backend);
  return status;
}

sst_status sst_device_describe(sst_context *context, sst_device device, sst_device_info *out) {
  *out = (sst_device_info){0};
  if (device == SST_DEVICE_CUDA) { return ssti_cuda_describe(context, out); }
  SST_FAIL(context, SST_UNSUPPORTED, "the device is %s, which is no card", sst_device_word(device));
}

ssti_conv2d ssti_conv2d_3x3(int64_t images, int64_t size, int64_t in_c, int64_t out_c) {
  return (ssti_conv2d){.images = images,
                       .in_h = size,
                       .in_w = size,
                       .in_c = in_c,
                       .out_h = size,
                       .out_w = size,
                       .out_c = out_c,
                       .kernel_h = 3,
                       .kernel_w = 3,
                       .stride_h = 1,
                       .stride_w = 1,
                       .pad_h = 1,
                       .pad_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1,
                       .groups = 1};
}
