// SPDX-License-Identifier: Apache-2.0
// Attributes of the op that compiling makes of a product and the batch norm behind it (graph/fuse.c).
#ifndef SPIKESTILL_OP_FOLDED_NORM_H
#define SPIKESTILL_OP_FOLDED_NORM_H

#include "op/op.h"

typedef struct ssti_folded_norm_attributes {
  bool linear;                     // the product is a linear layer, else a convolution
  ssti_conv2d_attributes conv;     // of a convolution
  ssti_batch_norm_attributes norm; // bits 0
} ssti_folded_norm_attributes;     // inputs: those of the product, then gamma, beta, running mean, running variance

extern const ssti_op ssti_op_folded_norm;

#endif
