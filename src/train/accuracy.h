// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_TRAIN_ACCURACY_H
#define SPIKESTILL_TRAIN_ACCURACY_H

#include <stdint.h>

// The class whose logit is the largest; of equal ones the first.
int64_t ssti_predicted_class(const float *logits, int64_t classes);

// How many of the first `count` rows of logits [.,classes] are largest at their label; of equal ones the first counts.
int64_t ssti_count_correct(const float *logits, const int32_t *labels, int64_t count, int64_t classes);

#endif
