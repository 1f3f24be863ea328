// SPDX-License-Identifier: Apache-2.0
// Convolutions by cuDNN, channels last. Only algorithms that it calls deterministic, chosen by its heuristics when the plan
// is made, so that the same card and library give the same bits. Products are full f32, never TF32.
#include "backend/cuda/cuda_products.h"
#include "backend/cuda/cuda_state.h"

enum { FORWARD, DATA, WEIGHTS, PASSES };
static const size_t most_workspace = (size_t)1 << 30;

typedef struct conv_plan {
  ssti_cuda_plan base;
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t convolution[PASSES];
  cudnnConvolutionFwdAlgo_t forward;
  cudnnConvolutionBwdDataAlgo_t data;
  cudnnConvolutionBwdFilterAlgo_t weights;
  size_t library[PASSES]; // bytes of cuDNN's workspace
} conv_plan;

static conv_plan *plan_of(ssti_plan *plan) { return (conv_plan *)(void *)plan; }
static cudnnHandle_t handle_of(const ssti_backend *backend) { return ssti_cuda_card_of(backend)->products->dnn; }

static void check(const ssti_backend *backend, cudnnStatus_t status, const char *what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    ssti_cuda_keep_text(ssti_cuda_card_of(backend), what, cudnnGetErrorString(status));
  }
}

static void destroy(ssti_backend *backend, ssti_plan *plan) {
  conv_plan *p = plan_of(plan);
  if (p->x != NULL) { (void)cudnnDestroyTensorDescriptor(p->x); }
  if (p->y != NULL) { (void)cudnnDestroyTensorDescriptor(p->y); }
  if (p->w != NULL) { (void)cudnnDestroyFilterDescriptor(p->w); }
  for (int i = 0; i < PASSES; i++) {
    if (p->convolution[i] != NULL) { (void)cudnnDestroyConvolutionDescriptor(p->convolution[i]); }
  }
  ssti_free(backend->context, p);
}

static bool fits_int(int64_t value) { return value >= 0 && value <= INT32_MAX; }

static cudnnStatus_t describe(const ssti_conv2d *s, conv_plan *p) {
  const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  cudnnStatus_t status = cudnnCreateTensorDescriptor(&p->x);
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnCreateTensorDescriptor(&p->y); }
  if (status == CUDNN_STATUS_SUCCESS) { status = cudnnCreateFilterDescriptor(&p->w); }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetTensor4dDescriptor(p->x, CUDNN_TENSOR_NHWC, type, (int)s->images, (int)s->in_c, (int)s->in_h,
                                        (int)s->in_w);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetTensor4dDescriptor(p->y, CUDNN_TENSOR_NHWC, type, (int)s->images, (int)s->out_c, (int)s->out_h,
                                        (int)s->out_w);
  }
  if (status == CUDNN_STATUS_SUCCESS) {
    status = cudnnSetFilter4dDescriptor(p->w, type, CUDNN_TENSOR_NHWC, (int)s->out_c, (int)(s->in_c / s->groups),
                                        (int)s->kernel_h, (int)s->kernel_w);
  }
  for (int i = 0; i < PASSES && status == CUDNN_STATUS_SUCCESS; i++) {
    status = cudnnCreateConvolutionDescriptor(&p->convolution[i]);
    if (status != CUDNN_STATUS_SUCCESS) { break; }
    status = cudnnSetConvolution2dDescriptor(p->convolution[i], (int)s->pad_h, (int)s->pad_w, (int)s->stride_h,
                                             (int)s->stride_w, (int)s->dilation_h, (int)s->dilation_w,
                                             CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
    if (status == CUDNN_STATUS_SUCCESS) {
      status = cudnnSetConvolutionGroupCount(p->convolution[i], (int)s->groups);
    }
    if (status == CUDNN_STATUS_SUCCESS) {
      status = cudnnSetConvolutionMathType(p->convolution[i], CUDNN_FMA_MATH);
    }
  }
  return status;
}

static bool may_be_used(cudnnStatus_t status, cudnnDeterminism_t determinism, size_t memory) {
  return status == CUDNN_STATUS_SUCCESS && determinism == CUDNN_DETERMINISTIC && memory <= most_workspace;
}

// The heuristics' first choice that may be used and whose workspace, asked for once more with the final descriptor, is
// known; false: there is none.
static bool choose_forward(const ssti_backend *backend, conv_plan *p) {
  const cudnnHandle_t handle = handle_of(backend);
  cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionForwardAlgorithm_v7(handle, p->x, p->w, p->convolution[FORWARD], p->y,
                                             CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count, found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    p->forward = found[i].algo;
    if (cudnnGetConvolutionForwardWorkspaceSize(handle, p->x, p->w, p->convolution[FORWARD], p->y, p->forward,
                                                &p->library[FORWARD]) == CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

static bool choose_data(const ssti_backend *backend, conv_plan *p) {
  const cudnnHandle_t handle = handle_of(backend);
  cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, p->w, p->y, p->convolution[DATA], p->x,
                                                  CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, &count,
                                                  found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    p->data = found[i].algo;
    if (cudnnGetConvolutionBackwardDataWorkspaceSize(handle, p->w, p->y, p->convolution[DATA], p->x, p->data,
                                                     &p->library[DATA]) == CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

static bool choose_weights(const ssti_backend *backend, conv_plan *p) {
  const cudnnHandle_t handle = handle_of(backend);
  cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
  int count = 0;
  if (cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, p->x, p->y, p->convolution[WEIGHTS], p->w,
                                                    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count,
                                                    found) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    if (!may_be_used(found[i].status, found[i].determinism, found[i].memory)) { continue; }
    p->weights = found[i].algo;
    if (cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, p->x, p->y, p->convolution[WEIGHTS], p->w, p->weights,
                                                       &p->library[WEIGHTS]) == CUDNN_STATUS_SUCCESS) {
      return true;
    }
  }
  return false;
}

static sst_status fill_plan(ssti_backend *backend, const ssti_conv2d *s, bool training, conv_plan *p) {
  const char *missing = NULL;
  const cudnnStatus_t status = describe(s, p);
  if (status != CUDNN_STATUS_SUCCESS) {
    SST_FAIL(backend->context, SST_UNSUPPORTED, "cuDNN does not take this convolution: %s", cudnnGetErrorString(status));
  }
  if (!choose_forward(backend, p)) { missing = "outputs"; }
  if (missing == NULL && training && !choose_data(backend, p)) { missing = "gradients of inputs"; }
  if (missing == NULL && training && !choose_weights(backend, p)) { missing = "gradients of weights"; }
  if (missing != NULL) {
    SST_FAIL(backend->context, SST_UNSUPPORTED,
             "cuDNN %zu has no deterministic algorithm in f32 for the %s of a convolution from %lld to %lld channels, "
             "kernel %lldx%lld, %lld groups",
             cudnnGetVersion(), missing, (long long)s->in_c, (long long)s->out_c,
             (long long)s->kernel_h, (long long)s->kernel_w, (long long)s->groups);
  }
  ssti_plan *plan = &p->base.plan;
  plan->density = -1.0;
  plan->forward_workspace = p->library[FORWARD];
  plan->backward_workspace = p->library[DATA] > p->library[WEIGHTS] ? p->library[DATA] : p->library[WEIGHTS];
  return SST_OK;
}

static sst_status conv2d_plan(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_plan **out) {
  *out = NULL;
  const int64_t sizes[] = {s->images, s->in_c, s->in_h, s->in_w, s->out_c, s->out_h, s->out_w};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (!fits_int(sizes[i])) {
      SST_FAIL(backend->context, SST_UNSUPPORTED, "a convolution's axis has length %lld, cuDNN takes at most %d",
               (long long)sizes[i], INT32_MAX);
    }
  }
  conv_plan *p = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *p, &p));
  p->base.destroy = destroy;
  const sst_status status = fill_plan(backend, s, training, p);
  if (status != SST_OK) {
    destroy(backend, &p->base.plan);
    return status;
  }
  *out = &p->base.plan;
  return SST_OK;
}

static int64_t out_rows(const ssti_conv2d *s) { return s->images * s->out_h * s->out_w; }

static void conv2d_forward(ssti_backend *backend, const ssti_conv2d *s, ssti_plan *plan, const float *x,
                           const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  (void)saved;
  const conv_plan *p = plan_of(plan);
  const float one = 1.0f, zero = 0.0f;
  check(backend,
        cudnnConvolutionForward(handle_of(backend), &one, p->x, x, p->w, weight, p->convolution[FORWARD], p->forward,
                                workspace, p->library[FORWARD], &zero, p->y, y),
        "a convolution");
  if (bias != NULL) { ssti_cuda_add_bias(backend, out_rows(s), s->out_c, y, bias); }
}

static void conv2d_backward_data(ssti_backend *backend, const ssti_conv2d *s, ssti_plan *plan, const float *dy,
                                 const float *weight, float *dx, bool accumulate, void *workspace) {
  (void)s;
  const conv_plan *p = plan_of(plan);
  const float one = 1.0f, before = accumulate ? 1.0f : 0.0f;
  check(backend,
        cudnnConvolutionBackwardData(handle_of(backend), &one, p->w, weight, p->y, dy, p->convolution[DATA], p->data,
                                     workspace, p->library[DATA], &before, p->x, dx),
        "a convolution's gradient of its input");
}

static void conv2d_backward_weights(ssti_backend *backend, const ssti_conv2d *s, ssti_plan *plan, const float *x,
                                    const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                    bool accumulate_bias, const void *saved, void *workspace) {
  (void)saved;
  const conv_plan *p = plan_of(plan);
  if (dbias != NULL) { ssti_cuda_bias_gradient(backend, out_rows(s), s->out_c, dy, dbias, accumulate_bias); }
  if (dweight == NULL) { return; }
  const float one = 1.0f, before = accumulate_weight ? 1.0f : 0.0f;
  check(backend,
        cudnnConvolutionBackwardFilter(handle_of(backend), &one, p->x, x, p->y, dy, p->convolution[WEIGHTS], p->weights,
                                       workspace, p->library[WEIGHTS], &before, p->w, dweight),
        "a convolution's gradient of its weights");
}

void ssti_cuda_fill_conv2d(ssti_kernels *kernels) {
  kernels->conv2d_plan = conv2d_plan;
  kernels->conv2d_forward = conv2d_forward;
  kernels->conv2d_backward_data = conv2d_backward_data;
  kernels->conv2d_backward_weights = conv2d_backward_weights;
}
