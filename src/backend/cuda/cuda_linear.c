// SPDX-License-Identifier: Apache-2.0
// Linear layers by cuBLASLt. Its matrices are column-major, so each of ours is seen transposed:
//   y  [rows,out]^T = weight [out,in] * x [rows,in]^T
//   dx [rows,in]^T  = weight^T * dy^T            dweight [out,in]^T = x^T * dy
// Products are full f32, never TF32. Algorithms come from the heuristics when the plan is made; those that combine partial
// sums do so in a fixed order.
#include "backend/cuda/cuda_products.h"
#include "backend/cuda/cuda_state.h"

enum { FORWARD, DATA, WEIGHTS, PASSES };
static const size_t most_workspace = (size_t)32 << 20;
enum { LEAST_ALIGNMENT = 16 };

// c [m,n] = a * b, with cuBLASLt's eyes.
typedef struct product {
  cublasLtMatmulDesc_t call;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algorithm;
  size_t workspace;
} product;

typedef struct linear_plan {
  ssti_cuda_plan base;
  product products[PASSES];
} linear_plan;

static linear_plan *plan_of(ssti_plan *plan) { return (linear_plan *)(void *)plan; }

static void destroy(ssti_backend *backend, ssti_plan *plan) {
  linear_plan *p = plan_of(plan);
  for (int i = 0; i < PASSES; i++) {
    product *q = &p->products[i];
    if (q->a != NULL) { (void)cublasLtMatrixLayoutDestroy(q->a); }
    if (q->b != NULL) { (void)cublasLtMatrixLayoutDestroy(q->b); }
    if (q->c != NULL) { (void)cublasLtMatrixLayoutDestroy(q->c); }
    if (q->call != NULL) { (void)cublasLtMatmulDescDestroy(q->call); }
  }
  ssti_free(backend->context, p);
}

// A matrix as it lies in memory: columns of `length`, `count` of them.
typedef struct matrix {
  int64_t length, count;
  bool transposed;
} matrix;

static cublasStatus_t describe(product *q, matrix a, matrix b) {
  const int64_t m = a.transposed ? a.count : a.length, n = b.transposed ? b.length : b.count;
  const cublasOperation_t turn_a = a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t turn_b = b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasStatus_t status = cublasLtMatmulDescCreate(&q->call, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulDescSetAttribute(q->call, CUBLASLT_MATMUL_DESC_TRANSA, &turn_a, sizeof turn_a);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulDescSetAttribute(q->call, CUBLASLT_MATMUL_DESC_TRANSB, &turn_b, sizeof turn_b);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->a, CUDA_R_32F, (uint64_t)a.length, (uint64_t)a.count, a.length);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->b, CUDA_R_32F, (uint64_t)b.length, (uint64_t)b.count, b.length);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->c, CUDA_R_32F, (uint64_t)m, (uint64_t)n, m);
  }
  return status;
}

static cublasStatus_t set_preferences(cublasLtMatmulPreference_t preference) {
  static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
      CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
      CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
  const uint32_t alignment = LEAST_ALIGNMENT;
  // Partial sums of split products go through the workspace and are added by one kernel, in order.
  const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  cublasStatus_t status = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                               &most_workspace, sizeof most_workspace);
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
                                                  sizeof reductions);
  }
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments && status == CUBLAS_STATUS_SUCCESS; i++) {
    status = cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &alignment, sizeof alignment);
  }
  return status;
}

static cublasStatus_t choose(const ssti_backend *backend, product *q) {
  cublasLtMatmulPreference_t preference = NULL;
  cublasLtMatmulHeuristicResult_t found;
  int count = 0;
  cublasStatus_t status = cublasLtMatmulPreferenceCreate(&preference);
  if (status == CUBLAS_STATUS_SUCCESS) { status = set_preferences(preference); }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulAlgoGetHeuristic(ssti_cuda_card_of(backend)->products->blas, q->call, q->a, q->b, q->c, q->c,
                                            preference, 1, &found, &count);
  }
  if (preference != NULL) { (void)cublasLtMatmulPreferenceDestroy(preference); }
  if (status != CUBLAS_STATUS_SUCCESS) { return status; }
  if (count == 0) { return CUBLAS_STATUS_NOT_SUPPORTED; }
  q->algorithm = found.algo;
  q->workspace = found.workspaceSize;
  return found.state;
}

static sst_status make_product(ssti_backend *backend, product *q, matrix a, matrix b) {
  cublasStatus_t status = describe(q, a, b);
  if (status == CUBLAS_STATUS_SUCCESS) { status = choose(backend, q); }
  if (status == CUBLAS_STATUS_SUCCESS) { return SST_OK; }
  SST_FAIL(backend->context, status == CUBLAS_STATUS_ALLOC_FAILED ? SST_OUT_OF_MEMORY : SST_UNSUPPORTED,
           "cuBLASLt has no algorithm for a linear layer's product of %lldx%lld and %lldx%lld: %s", (long long)a.length,
           (long long)a.count, (long long)b.length, (long long)b.count, cublasLtGetStatusString(status));
}

static sst_status fill_plan(ssti_backend *backend, const ssti_linear *s, bool training, linear_plan *p) {
  product *q = p->products;
  const matrix x = {.length = s->in, .count = s->rows}, dy = {.length = s->out, .count = s->rows};
  const matrix w = {.length = s->in, .count = s->out}, turned_w = {.length = s->in, .count = s->out, .transposed = true};
  const matrix turned_dy = {.length = s->out, .count = s->rows, .transposed = true};
  SST_TRY(make_product(backend, &q[FORWARD], turned_w, x));
  ssti_plan *plan = &p->base.plan;
  plan->density = -1.0;
  plan->forward_workspace = q[FORWARD].workspace;
  if (!training) { return SST_OK; }
  SST_TRY(make_product(backend, &q[DATA], w, dy));
  SST_TRY(make_product(backend, &q[WEIGHTS], x, turned_dy));
  plan->backward_workspace = q[DATA].workspace > q[WEIGHTS].workspace ? q[DATA].workspace : q[WEIGHTS].workspace;
  return SST_OK;
}

static sst_status linear_plan_make(ssti_backend *backend, const ssti_linear *s, bool training, ssti_plan **out) {
  *out = NULL;
  linear_plan *p = NULL;
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

static void multiply(const ssti_backend *backend, const product *q, const void *a, const void *b, void *c,
                     bool accumulate, void *workspace, const char *what) {
  const float one = 1.0f, before = accumulate ? 1.0f : 0.0f;
  const cublasStatus_t status =
      cublasLtMatmul(ssti_cuda_card_of(backend)->products->blas, q->call, &one, a, q->a, b, q->b, &before, c, q->c, c,
                     q->c, &q->algorithm, workspace, q->workspace, ssti_cuda_stream(backend));
  if (status != CUBLAS_STATUS_SUCCESS) {
    ssti_cuda_keep_text(ssti_cuda_card_of(backend), what, cublasLtGetStatusString(status));
  }
}

static void linear_forward(ssti_backend *backend, const ssti_linear *s, ssti_plan *plan, const float *x,
                           const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  (void)saved;
  multiply(backend, &plan_of(plan)->products[FORWARD], weight, x, y, false, workspace, "a linear layer");
  if (bias != NULL) { ssti_cuda_add_bias(backend, s->rows, s->out, y, bias); }
}

static void linear_backward_data(ssti_backend *backend, const ssti_linear *s, ssti_plan *plan, const float *dy,
                                 const float *weight, float *dx, bool accumulate, void *workspace) {
  (void)s;
  multiply(backend, &plan_of(plan)->products[DATA], weight, dy, dx, accumulate, workspace,
           "a linear layer's gradient of its input");
}

static void linear_backward_weights(ssti_backend *backend, const ssti_linear *s, ssti_plan *plan, const float *x,
                                    const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                    bool accumulate_bias, const void *saved, void *workspace) {
  (void)saved;
  if (dbias != NULL) { ssti_cuda_bias_gradient(backend, s->rows, s->out, dy, dbias, accumulate_bias); }
  if (dweight == NULL) { return; }
  multiply(backend, &plan_of(plan)->products[WEIGHTS], x, dy, dweight, accumulate_weight, workspace,
           "a linear layer's gradient of its weights");
}

void ssti_cuda_fill_linear(ssti_kernels *kernels) {
  kernels->linear_plan = linear_plan_make;
  kernels->linear_forward = linear_forward;
  kernels->linear_backward_data = linear_backward_data;
  kernels->linear_backward_weights = linear_backward_weights;
}
