// SPDX-License-Identifier: Apache-2.0
// Convolutions by cuDNN, channels last. Only algorithms that it calls deterministic, chosen by its heuristics when the
// plan is made, so that the same card and library give the same bits. It adds up in f32; x, w and y are all f32 or all
// bf16.
#include "backend/cuda/cuda_libraries.h"

static const size_t most_workspace = (size_t)1 << 30;

typedef struct convolution {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t how;
  union {
    cudnnConvolutionFwdAlgo_t forward;
    cudnnConvolutionBwdDataAlgo_t data;
    cudnnConvolutionBwdFilterAlgo_t weights;
  } algorithm;
} convolution;

static cudnnHandle_t handle_of(const ssti_backend *backend) { return ssti_cuda_card_of(backend)->libraries->dnn; }

static void close_pass(ssti_backend *backend, void *handle) {
  convolution *c = handle;
  if (c->x != NULL) { (void)cudnnDestroyTensorDescriptor(c->x); }
  if (c->y != NULL) { (void)cudnnDestroyTensorDescriptor(c->y); }
  if (c->w != NULL) { (void)cudnnDestroyFilterDescriptor(c->w); }
  if (c->how != NULL) { (void)cudnnDestroyConvolutionDescriptor(c->how); }
  ssti_free(backend->context, c);
}

static bool fits_int(int64_t value) { return value >= 0 && value <= INT32_MAX; }

static cudnnStatus_t describe_tensors(const ssti_conv2d *s, cudnnDataType_t type, convolution *c) {
  cudnnStatus_t status = cudnnCreateTensorDescriptor(&c->x);
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnCreateTensorDescriptor(&c->y); }
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnCreateFilterDescriptor(&c->w); }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetTensor4dDescriptor(c->x, CUDNN_TENSOR_NHWC, type, (int)s->images, (int)s->in_c, (int)s->in_h,
                                        (int)s->in_w);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetTensor4dDescriptor(c->y, CUDNN_TENSOR_NHWC, type, (int)s->images, (int)s->out_c, (int)s->out_h,
                                        (int)s->out_w);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetFilter4dDescriptor(c->w, type, CUDNN_TENSOR_NHWC, (int)s->out_c, (int)(s->in_c / s->groups),
                                        (int)s->kernel_h, (int)s->kernel_w);
  }
  return status;
}

// FMA is full f32; what cuDNN does by default with f32 tensors is TF32 where that is faster. bf16 tensors need matrix
// units.
static cudnnMathType_t math_of(const ssti_cuda_pass *p) {
  if (p->factors == SSTI_BF16) { return CUDNN_TENSOR_OP_MATH; }
  return p->is_tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

static cudnnStatus_t describe(const ssti_conv2d *s, const ssti_cuda_pass *p, convolution *c) {
  cudnnStatus_t status = describe_tensors(s, p->factors == SSTI_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT, c);
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnCreateConvolutionDescriptor(&c->how); }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetConvolution2dDescriptor(c->how, (int)s->pad_h, (int)s->pad_w, (int)s->stride_h, (int)s->stride_w,
                                             (int)s->dilation_h, (int)s->dilation_w, CUDNN_CROSS_CORRELATION,
                                             CUDNN_DATA_FLOAT);
  }
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnSetConvolutionGroupCount(c->how, (int)s->groups); }
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnSetConvolutionMathType(c->how, math_of(p)); }
  return status;
}

static bool may_be_used(cudnnStatus_t status, cudnnDeterminism_t determinism, size_t memory) {
  return status == CUDNN_STATUS_SUCCESS && determinism == CUDNN_DETERMINISTIC && memory <= most_workspace;
}

// An algorithm of the heuristics is for a way to multiply, which may be another one than was allowed at most; never a
// less precise one: full f32 stays that.
static bool take_math(convolution *c, const ssti_cuda_pass *p, cudnnMathType_t found) {
  const bool full = p->factors == SSTI_F32 && !p->is_tf32;
  return cudnnSetConvolutionMathType(c->how, full ? CUDNN_FMA_MATH : found) == CUDNN_STATUS_SUCCESS;
}

// The heuristics' first choice that may be used and whose workspace, asked for once more with the final descriptor, is
// known; false: there is none.
static bool choose_forward(cudnnHandle_t handle, ssti_cuda_pass *p, convolution *c) {
  cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionForwardAlgorithm_v7(handle, c->x, c->w, c->how, c->y, CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count,
                                             found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    c->algorithm.forward = found[i].algo;
    if (take_math(c, p, found[i].mathType) &&
        cudnnGetConvolutionForwardWorkspaceSize(handle, c->x, c->w, c->how, c->y, found[i].algo, &p->library_bytes) ==
            CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

static bool choose_data(cudnnHandle_t handle, ssti_cuda_pass *p, convolution *c) {
  cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, c->w, c->y, c->how, c->x,
                                                  CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, &count,
                                                  found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    c->algorithm.data = found[i].algo;
    if (take_math(c, p, found[i].mathType) &&
        cudnnGetConvolutionBackwardDataWorkspaceSize(handle, c->w, c->y, c->how, c->x, found[i].algo,
                                                     &p->library_bytes) == CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

static bool choose_weights(cudnnHandle_t handle, ssti_cuda_pass *p, convolution *c) {
  cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, c->x, c->y, c->how, c->w,
                                                    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count,
                                                    found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    c->algorithm.weights = found[i].algo;
    if (take_math(c, p, found[i].mathType) &&
        cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, c->x, c->y, c->how, c->w, found[i].algo,
                                                       &p->library_bytes) == CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

typedef bool choose_function(cudnnHandle_t handle, ssti_cuda_pass *p, convolution *c);
static choose_function *const choose[SSTI_CUDA_PASSES] = {choose_forward, choose_data, choose_weights};

static sst_status check_sizes(sst_context *context, const ssti_conv2d *s) {
  const int64_t sizes[] = {s->images, s->in_c, s->in_h, s->in_w, s->out_c, s->out_h, s->out_w};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (!fits_int(sizes[i])) {
      SST_FAIL(context, SST_UNSUPPORTED, "a convolution's axis has length %lld, cuDNN takes at most %d",
               (long long)sizes[i], INT32_MAX);
    }
  }
  return SST_OK;
}

static sst_status open_convolution(ssti_backend *backend, const ssti_conv2d *s, int pass, ssti_cuda_pass *p,
                                   convolution *c) {
  const cudnnStatus_t status = describe(s, p, c);
  if (status != CUDNN_STATUS_SUCCESS) {
    SST_FAIL(backend->context, SST_UNSUPPORTED, "cuDNN does not take this convolution: %s",
             cudnnGetErrorString(status));
  }
  if (choose[pass](handle_of(backend), p, c)) { return SST_OK; }
  SST_FAIL(
      backend->context, SST_UNSUPPORTED,
      "cuDNN %zu has no deterministic algorithm in %s for %s from %lld to %lld channels, kernel %lldx%lld, %lld groups",
      cudnnGetVersion(), sst_precision_word(s->precision), ssti_cuda_convolutions.what[pass], (long long)s->in_c,
      (long long)s->out_c, (long long)s->kernel_h, (long long)s->kernel_w, (long long)s->groups);
}

static sst_status open_pass(ssti_backend *backend, const ssti_cuda_layer *layer, int pass, ssti_cuda_pass *p) {
  SST_TRY(check_sizes(backend->context, &layer->shape.conv2d));
  convolution *c = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *c, &c));
  const sst_status status = open_convolution(backend, &layer->shape.conv2d, pass, p, c);
  if (status != SST_OK) {
    close_pass(backend, c);
    return status;
  }
  p->handle = c;
  return SST_OK;
}

static void multiply(ssti_backend *backend, const ssti_cuda_layer *layer, int pass,
                     void *const operands[SSTI_CUDA_OPERANDS], bool accumulate, void *workspace) {
  const ssti_cuda_pass *p = &layer->passes[pass];
  const convolution *c = p->handle;
  const cudnnHandle_t handle = handle_of(backend);
  const float one = 1.0f, before = accumulate ? 1.0f : 0.0f;
  void *x = operands[SSTI_CUDA_X], *w = operands[SSTI_CUDA_W], *y = operands[SSTI_CUDA_Y];
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  if (pass == SSTI_CUDA_FORWARD) {
    status = cudnnConvolutionForward(handle, &one, c->x, x, c->w, w, c->how, c->algorithm.forward, workspace,
                                     p->library_bytes, &before, c->y, y);
  } else if (pass == SSTI_CUDA_DATA) {
    status = cudnnConvolutionBackwardData(handle, &one, c->w, w, c->y, y, c->how, c->algorithm.data, workspace,
                                          p->library_bytes, &before, c->x, x);
  } else {
    status = cudnnConvolutionBackwardFilter(handle, &one, c->x, x, c->y, y, c->how, c->algorithm.weights, workspace,
                                            p->library_bytes, &before, c->w, w);
  }
  if (status != CUDNN_STATUS_SUCCESS) {
    ssti_cuda_keep_text(ssti_cuda_card_of(backend), layer->library->what[pass], cudnnGetErrorString(status));
  }
}

const ssti_cuda_library ssti_cuda_convolutions = {
    .what = {"a convolution", "a convolution's gradient of its input", "a convolution's gradient of its weights"},
    .open = open_pass,
    .close = close_pass,
    .multiply = multiply};
