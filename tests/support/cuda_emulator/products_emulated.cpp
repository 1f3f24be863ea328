// SPDX-License-Identifier: Apache-2.0
// In the place of cuDNN and cuBLASLt: the reference's convolutions and linear layers, as work of the stream, so that
// recorded steps do them when they are played. As the libraries, they take f32 or bf16, round f32 factors to TF32 where
// they may, and add up in f32. The one for convolutions gives bf16 results of bf16 factors only, and has no bf16 where
// channels are no multiple of 4, so that what surrounds it does all that it has to with cuDNN.
#include <vector>

extern "C" {
#include "backend/reference/reference.h"

#include "backend/cuda/cuda_products.h"
}
#include "emulator_stream.h"

namespace {

// 11 bits of precision, to nearest, halves to even.
float tf32_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7f800000u) == 0x7f800000u) { return value; }
  bits += 0xfffu + (bits >> 13 & 1);
  bits &= ~0x1fffu;
  memcpy(&value, &bits, sizeof value);
  return value;
}

std::vector<float> wide(const void *from, ssti_type type, bool is_tf32, int64_t count) {
  std::vector<float> to((size_t)count);
  for (size_t i = 0; i < to.size(); i++) {
    to[i] = type == SSTI_BF16 ? ssti_bf16_value(static_cast<const ssti_bf16 *>(from)[i])
                              : static_cast<const float *>(from)[i];
    if (is_tf32) { to[i] = tf32_of(to[i]); }
  }
  return to;
}

// What both kinds of layers have of the reference.
void reference(ssti_backend *backend, const ssti_cuda_layer &layer, int pass, float *const *t, bool accumulate) {
  float *x = t[SSTI_CUDA_X], *w = t[SSTI_CUDA_W], *y = t[SSTI_CUDA_Y];
  const ssti_conv2d *c = &layer.shape.conv2d;
  const ssti_linear *l = &layer.shape.linear;
  if (layer.library == &ssti_cuda_convolutions) {
    switch (pass) {
    case SSTI_CUDA_FORWARD:
      ssti_reference_conv2d_forward(backend, c, nullptr, x, w, nullptr, y, nullptr, nullptr);
      break;
    case SSTI_CUDA_DATA: ssti_reference_conv2d_backward_data(backend, c, nullptr, y, w, x, accumulate, nullptr); break;
    default:
      ssti_reference_conv2d_backward_weights(backend, c, nullptr, x, y, w, accumulate, nullptr, false, nullptr,
                                             nullptr);
    }
    return;
  }
  switch (pass) {
  case SSTI_CUDA_FORWARD: ssti_reference_linear_forward(backend, l, nullptr, x, w, nullptr, y, nullptr, nullptr); break;
  case SSTI_CUDA_DATA: ssti_reference_linear_backward_data(backend, l, nullptr, y, w, x, accumulate, nullptr); break;
  default:
    ssti_reference_linear_backward_weights(backend, l, nullptr, x, y, w, accumulate, nullptr, false, nullptr, nullptr);
  }
}

void multiply_now(ssti_backend *backend, const ssti_cuda_layer &layer, int pass, void *const *operands,
                  bool accumulate) {
  const ssti_cuda_pass &p = layer.passes[pass];
  const int result = ssti_cuda_result_of(pass);
  std::vector<float> copies[SSTI_CUDA_OPERANDS];
  float *tensors[SSTI_CUDA_OPERANDS];
  for (int i = 0; i < SSTI_CUDA_OPERANDS; i++) {
    copies[i] = wide(operands[i], i == result ? p.result : p.factors, i != result && p.is_tf32, layer.count[i]);
    tensors[i] = copies[i].data();
  }
  reference(backend, layer, pass, tensors, accumulate);
  for (size_t i = 0; i < copies[result].size(); i++) {
    const float value = copies[result][i];
    if (p.result == SSTI_BF16) {
      static_cast<ssti_bf16 *>(operands[result])[i] = ssti_bf16_of(value);
    } else {
      static_cast<float *>(operands[result])[i] = value;
    }
  }
}

void multiply(ssti_backend *backend, const ssti_cuda_layer *layer, int pass, void *const operands[SSTI_CUDA_OPERANDS],
              bool accumulate, void *workspace) {
  // A library may leave there what it likes.
  const size_t bytes = layer->passes[pass].library_bytes;
  void *x = operands[0], *w = operands[1], *y = operands[2];
  ssti_emulated_do(ssti_cuda_stream(backend), [=, copy = *layer] {
    if (bytes > 0) { memset(workspace, 0xff, bytes); }
    void *const all[] = {x, w, y};
    multiply_now(backend, copy, pass, all, accumulate);
  });
}

sst_status open_convolution(ssti_backend *backend, const ssti_cuda_layer *layer, int pass, ssti_cuda_pass *p) {
  const ssti_conv2d &s = layer->shape.conv2d;
  if (p->factors == SSTI_BF16 && (s.in_c % 4 != 0 || s.out_c % 4 != 0)) {
    SST_FAIL(backend->context, SST_UNSUPPORTED, "the emulator has no bf16 for %s from %lld to %lld channels",
             layer->library->what[pass], (long long)s.in_c, (long long)s.out_c);
  }
  p->library_bytes = 100;
  return SST_OK;
}

sst_status open_matrices(ssti_backend *, const ssti_cuda_layer *, int, ssti_cuda_pass *) { return SST_OK; }

void close_pass(ssti_backend *, void *) {}

} // namespace

extern "C" {

const ssti_cuda_library ssti_cuda_convolutions = {
    {"a convolution", "a convolution's gradient of its input", "a convolution's gradient of its weights"},
    false,
    open_convolution,
    close_pass,
    multiply};
const ssti_cuda_library ssti_cuda_matrices = {
    {"a linear layer", "a linear layer's gradient of its input", "a linear layer's gradient of its weights"},
    true,
    open_matrices,
    close_pass,
    multiply};

sst_status ssti_cuda_libraries_open(ssti_cuda_card *) { return SST_OK; }

void ssti_cuda_libraries_close(ssti_cuda_card *) {}
}
