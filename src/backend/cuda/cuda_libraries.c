// SPDX-License-Identifier: Apache-2.0
// The libraries for products, opened once a card.
#include "backend/cuda/cuda_libraries.h"

#include "base/log.h"

sst_status ssti_cuda_libraries_open(ssti_cuda_card *card) {
  SST_TRY(ssti_allocate(card->context, 1, sizeof *card->libraries, &card->libraries));
  ssti_cuda_libraries *libraries = card->libraries;
  cudnnStatus_t dnn = cudnnCreate(&libraries->dnn);
  if (dnn == CUDNN_STATUS_SUCCESS) { dnn = cudnnSetStream(libraries->dnn, card->stream); }
  if (dnn != CUDNN_STATUS_SUCCESS) {
    SST_FAIL(card->context, SST_UNSUPPORTED, "device cuda: cuDNN %zu does not start: %s", cudnnGetVersion(),
             cudnnGetErrorString(dnn));
  }
  const cublasStatus_t blas = cublasLtCreate(&libraries->blas);
  if (blas != CUBLAS_STATUS_SUCCESS) {
    SST_FAIL(card->context, SST_UNSUPPORTED, "device cuda: cuBLASLt %zu does not start: %s", cublasLtGetVersion(),
             cublasLtGetStatusString(blas));
  }
  ssti_log(card->context, SST_LOG_DEBUG, "backend cuda: cuDNN %zu, cuBLASLt %zu", cudnnGetVersion(),
           cublasLtGetVersion());
  return SST_OK;
}

void ssti_cuda_libraries_close(ssti_cuda_card *card) {
  if (card->libraries == NULL) { return; }
  if (card->libraries->dnn != NULL) { (void)cudnnDestroy(card->libraries->dnn); }
  if (card->libraries->blas != NULL) { (void)cublasLtDestroy(card->libraries->blas); }
  ssti_free(card->context, card->libraries);
  card->libraries = NULL;
}
