// SPDX-License-Identifier: Apache-2.0
#include "deploy/kernels.h"

void SSTI_KERNEL(ssti_kernel_fill)(ssti_kernels_of_level *table) {
#define SSTI_KERNEL_FILL_CALL(name) SSTI_KERNEL(ssti_kernel_fill_##name)(table);
  SSTI_KERNEL_FILL_LIST(SSTI_KERNEL_FILL_CALL)
#undef SSTI_KERNEL_FILL_CALL
}
