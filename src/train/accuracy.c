// SPDX-License-Identifier: Apache-2.0
#include "train/accuracy.h"

int64_t ssti_predicted_class(const float *logits, int64_t classes) {
  int64_t best = 0;
  for (int64_t c = 1; c < classes; c++) {
    if (logits[c] > logits[best]) { best = c; }
  }
  return best;
}

int64_t ssti_count_correct(const float *logits, const int32_t *labels, int64_t count, int64_t classes) {
  int64_t correct = 0;
  for (int64_t i = 0; i < count; i++) { correct += ssti_predicted_class(logits + i * classes, classes) == labels[i]; }
  return correct;
}
