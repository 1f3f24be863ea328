// SPDX-License-Identifier: Apache-2.0
// AutoAugment's policy for CIFAR-10. Source: Cubuk, Zoph, Mane, Vasudevan, Le, "AutoAugment: Learning Augmentation
// Strategies from Data", CVPR 2019, table 7: 25 sub-policies of two operations, each with a probability and a
// magnitude 0..9. One sub-policy is drawn for each picture.
// What magnitudes mean is taken from the implementations in common use, so that results compare: shear 0 to 0.3,
// translation 0 to 150/331 of the side, rotation 0 to 30 degrees, colour, brightness, contrast and sharpness 1 -+ (0 to
// 0.9), posterise 8 to 4 bits, solarise from 256 down to 0; signs are drawn; what comes from outside is grey 128.
// The operations give the same bytes as those of the Pillow library, which defines them in practice
// (tests/golden/make_autoaugment_goldens.py).
#ifndef SPIKESTILL_DATA_AUTOAUGMENT_H
#define SPIKESTILL_DATA_AUTOAUGMENT_H

#include "base/random.h"
#include "picture/picture_plan.h"

// X(NAME, signed: whether the magnitude's sign is drawn)
#define SSTI_AUTOAUGMENT_OPERATIONS(X)                                                                                 \
  X(SHEAR_X, true)                                                                                                     \
  X(SHEAR_Y, true)                                                                                                     \
  X(TRANSLATE_X, true)                                                                                                 \
  X(TRANSLATE_Y, true)                                                                                                 \
  X(ROTATE, true)                                                                                                      \
  X(COLOR, true)                                                                                                       \
  X(BRIGHTNESS, true)                                                                                                  \
  X(CONTRAST, true)                                                                                                    \
  X(SHARPNESS, true)                                                                                                   \
  X(POSTERIZE, false)                                                                                                  \
  X(SOLARIZE, false)                                                                                                   \
  X(AUTOCONTRAST, false)                                                                                               \
  X(EQUALIZE, false)                                                                                                   \
  X(INVERT, false)

typedef enum ssti_autoaugment_operation {
#define SSTI_AUTOAUGMENT_ENUM(name, is_signed) SSTI_AUTOAUGMENT_##name,
  SSTI_AUTOAUGMENT_OPERATIONS(SSTI_AUTOAUGMENT_ENUM)
#undef SSTI_AUTOAUGMENT_ENUM
      SSTI_AUTOAUGMENT_OPERATION_COUNT
} ssti_autoaugment_operation;

typedef struct ssti_autoaugment_step {
  ssti_autoaugment_operation operation;
  float probability;
  int magnitude;
} ssti_autoaugment_step;

enum { SSTI_AUTOAUGMENT_POLICIES = 25 };
extern const ssti_autoaugment_step ssti_autoaugment_cifar[SSTI_AUTOAUGMENT_POLICIES][2];

// One operation on pictures of a size, as numbers. `magnitude` 0..9, `sign` +1 or -1.
ssti_picture_operation ssti_autoaugment_operation_of(ssti_autoaugment_operation operation, int magnitude, int sign,
                                                     int height, int width);

// Draws a sub-policy and puts its operations into the plan. Takes the same number of draws whatever comes out.
void ssti_autoaugment_draw(int height, int width, ssti_random *random, ssti_picture_plan *plan);

#endif
