// SPDX-License-Identifier: Apache-2.0
#include "train/accuracy.h"

int64_t ssti_count_correct(const float *logits, const int32_t *labels, int64_t count, int64_t classes) {
  int64_t correct = 0;
  for (int64_t i = 0; i < count; i++) {
    const float *row = logits + i * classes;
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++) {
      if (row[c] > row[best]) { best = c; }
    }
    correct += best == labels[i];
  }
  return correct;
}
