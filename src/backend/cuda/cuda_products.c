// SPDX-License-Identifier: Apache-2.0
// The libraries for products, opened once a card.
#include "backend/cuda/cuda_products.h"

#include "base/log.h"

sst_status ssti_cuda_products_open(ssti_cuda_card *card) {
  SST_TRY(ssti_allocate(card->context, 1, sizeof *card->products, &card->products));
  ssti_cuda_products *products = card->products;
  cudnnStatus_t dnn = cudnnCreate(&products->dnn);
  if (dnn == CUDNN_STATUS_SUCCESS) { dnn = cudnnSetStream(products->dnn, card->stream); }
  if (dnn != CUDNN_STATUS_SUCCESS) {
    SST_FAIL(card->context, SST_UNSUPPORTED, "device cuda: cuDNN %zu does not start: %s", cudnnGetVersion(),
             cudnnGetErrorString(dnn));
  }
  const cublasStatus_t blas = cublasLtCreate(&products->blas);
  if (blas != CUBLAS_STATUS_SUCCESS) {
    SST_FAIL(card->context, SST_UNSUPPORTED, "device cuda: cuBLASLt %zu does not start: %s", cublasLtGetVersion(),
             cublasLtGetStatusString(blas));
  }
  ssti_log(card->context, SST_LOG_DEBUG, "backend cuda: cuDNN %zu, cuBLASLt %zu", cudnnGetVersion(),
           cublasLtGetVersion());
  return SST_OK;
}

void ssti_cuda_products_close(ssti_cuda_card *card) {
  if (card->products == NULL) { return; }
  if (card->products->dnn != NULL) { (void)cudnnDestroy(card->products->dnn); }
  if (card->products->blas != NULL) { (void)cublasLtDestroy(card->products->blas); }
  ssti_free(card->context, card->products);
  card->products = NULL;
}

static void plan_destroy(ssti_backend *backend, ssti_plan *plan) {
  if (plan != NULL) { ((ssti_cuda_plan *)(void *)plan)->destroy(backend, plan); }
}

void ssti_cuda_products_fill(ssti_kernels *kernels) {
  kernels->plan_destroy = plan_destroy;
  ssti_cuda_fill_conv2d(kernels);
  ssti_cuda_fill_linear(kernels);
}
