// SPDX-License-Identifier: Apache-2.0
// Linear layers by cuBLASLt. Its matrices are column-major, so each of ours is seen transposed:
//   y  [rows,out]^T = weight [out,in] * x [rows,in]^T
//   dx [rows,in]^T  = weight^T * dy^T            dweight [out,in]^T = x^T * dy
// Factors are f32 or bf16, sums and results f32, or bf16 results of bf16 factors. Algorithms come from the heuristics
// when the plan is made; those that combine partial sums do so in a fixed order.
#include "backend/cuda/cuda_libraries.h"

static const size_t most_workspace = (size_t)32 << 20;
enum { LEAST_ALIGNMENT = 16 };

// c [m,n] = a * b, with cuBLASLt's eyes.
typedef struct product {
  cublasLtMatmulDesc_t call;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algorithm;
} product;

static cublasLtHandle_t handle_of(const ssti_backend *backend) { return ssti_cuda_card_of(backend)->libraries->blas; }

static void close_pass(ssti_backend *backend, void *handle) {
  product *q = handle;
  if (q->a != NULL) { (void)cublasLtMatrixLayoutDestroy(q->a); }
  if (q->b != NULL) { (void)cublasLtMatrixLayoutDestroy(q->b); }
  if (q->c != NULL) { (void)cublasLtMatrixLayoutDestroy(q->c); }
  if (q->call != NULL) { (void)cublasLtMatmulDescDestroy(q->call); }
  ssti_free(backend->context, q);
}

// A matrix as it lies in memory: columns of `length`, `count` of them.
typedef struct matrix {
  int64_t length, count;
  bool transposed;
} matrix;

// Which operands the factors are, and their matrices.
typedef struct factors {
  int a, b;
  matrix a_matrix, b_matrix;
} factors;

static factors factors_of(const ssti_linear *s, int pass) {
  const matrix x = {.length = s->in, .count = s->rows}, dy = {.length = s->out, .count = s->rows};
  const matrix w = {.length = s->in, .count = s->out},
               turned_w = {.length = s->in, .count = s->out, .transposed = true};
  const matrix turned_dy = {.length = s->out, .count = s->rows, .transposed = true};
  switch (pass) {
  case SSTI_CUDA_FORWARD: return (factors){SSTI_CUDA_W, SSTI_CUDA_X, turned_w, x};
  case SSTI_CUDA_DATA: return (factors){SSTI_CUDA_W, SSTI_CUDA_Y, w, dy};
  default: return (factors){SSTI_CUDA_X, SSTI_CUDA_Y, x, turned_dy};
  }
}

static cudaDataType_t data_type(ssti_type type) { return type == SSTI_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

static cublasStatus_t describe(product *q, const ssti_cuda_pass *p, matrix a, matrix b) {
  const int64_t m = a.transposed ? a.count : a.length, n = b.transposed ? b.length : b.count;
  const cublasOperation_t turn_a = a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t turn_b = b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cudaDataType_t factor = data_type(p->factors);
  const cublasComputeType_t how = p->is_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  cublasStatus_t status = cublasLtMatmulDescCreate(&q->call, how, CUDA_R_32F);
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulDescSetAttribute(q->call, CUBLASLT_MATMUL_DESC_TRANSA, &turn_a, sizeof turn_a);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulDescSetAttribute(q->call, CUBLASLT_MATMUL_DESC_TRANSB, &turn_b, sizeof turn_b);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->a, factor, (uint64_t)a.length, (uint64_t)a.count, a.length);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->b, factor, (uint64_t)b.length, (uint64_t)b.count, b.length);
  }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatrixLayoutCreate(&q->c, data_type(p->result), (uint64_t)m, (uint64_t)n, m);
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

static cublasStatus_t choose(const ssti_backend *backend, product *q, size_t *workspace) {
  cublasLtMatmulPreference_t preference = NULL;
  cublasLtMatmulHeuristicResult_t found;
  int count = 0;
  cublasStatus_t status = cublasLtMatmulPreferenceCreate(&preference);
  if (status == CUBLAS_STATUS_SUCCESS) { status = set_preferences(preference); }
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulAlgoGetHeuristic(handle_of(backend), q->call, q->a, q->b, q->c, q->c, preference, 1, &found,
                                            &count);
  }
  if (preference != NULL) { (void)cublasLtMatmulPreferenceDestroy(preference); }
  if (status != CUBLAS_STATUS_SUCCESS) { return status; }
  if (count == 0) { return CUBLAS_STATUS_NOT_SUPPORTED; }
  q->algorithm = found.algo;
  *workspace = found.workspaceSize;
  return found.state;
}

static sst_status open_pass(ssti_backend *backend, const ssti_cuda_layer *layer, int pass, ssti_cuda_pass *p) {
  const factors f = factors_of(&layer->shape.linear, pass);
  product *q = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *q, &q));
  cublasStatus_t status = describe(q, p, f.a_matrix, f.b_matrix);
  if (status == CUBLAS_STATUS_SUCCESS) { status = choose(backend, q, &p->library_bytes); }
  if (status == CUBLAS_STATUS_SUCCESS) {
    p->handle = q;
    return SST_OK;
  }
  close_pass(backend, q);
  SST_FAIL(backend->context, status == CUBLAS_STATUS_ALLOC_FAILED ? SST_OUT_OF_MEMORY : SST_UNSUPPORTED,
           "cuBLASLt has no algorithm in %s for %s, a product of %lldx%lld and %lldx%lld: %s",
           sst_precision_word(layer->precision), layer->library->what[pass], (long long)f.a_matrix.length,
           (long long)f.a_matrix.count, (long long)f.b_matrix.length, (long long)f.b_matrix.count,
           cublasLtGetStatusString(status));
}

static void multiply(ssti_backend *backend, const ssti_cuda_layer *layer, int pass,
                     void *const operands[SSTI_CUDA_OPERANDS], bool accumulate, void *workspace) {
  const ssti_cuda_pass *p = &layer->passes[pass];
  const product *q = p->handle;
  const factors f = factors_of(&layer->shape.linear, pass);
  void *c = operands[ssti_cuda_result_of(pass)];
  const float one = 1.0f, before = accumulate ? 1.0f : 0.0f;
  const cublasStatus_t status =
      cublasLtMatmul(handle_of(backend), q->call, &one, operands[f.a], q->a, operands[f.b], q->b, &before, c, q->c, c,
                     q->c, &q->algorithm, workspace, p->library_bytes, ssti_cuda_stream(backend));
  if (status != CUBLAS_STATUS_SUCCESS) {
    ssti_cuda_keep_text(ssti_cuda_card_of(backend), layer->library->what[pass], cublasLtGetStatusString(status));
  }
}

const ssti_cuda_library ssti_cuda_matrices = {
    .what = {"a linear layer", "a linear layer's gradient of its input", "a linear layer's gradient of its weights"},
    .widens = true,
    .open = open_pass,
    .close = close_pass,
    .multiply = multiply};
