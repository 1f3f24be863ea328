// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "spikestill/tensor.h"

const char *sst_shape_text(sst_shape shape, char *text, size_t size) {
  if (size == 0) { return text; }
  snprintf(text, size, "[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]", shape.dim[SST_AXIS_T],
           shape.dim[SST_AXIS_N], shape.dim[SST_AXIS_H], shape.dim[SST_AXIS_W], shape.dim[SST_AXIS_C]);
  return text;
}
