// SPDX-License-Identifier: Apache-2.0
#include "distill/own_layers.h"

#include <math.h>
#include <stdio.h>

sst_value ssti_own_conv(sst_graph *g, const sst_distill_scene *scene, const char *name, sst_value x, int64_t out,
                        int64_t kernel) {
  enum { NAME_SIZE = 64 };
  if (x < 0) { return SST_NO_VALUE; }
  if (!scene->parameters) { // without this check they would join the student's
    sst_graph_fail(g, SST_INVALID_ARGUMENT,
                   "distillation term %d learns a convolution '%s', but the scene has no store for its parameters",
                   scene->index, name);
    return SST_NO_VALUE;
  }
  char weight_name[NAME_SIZE], bias_name[NAME_SIZE];
  snprintf(weight_name, sizeof weight_name, "%s.weight", name);
  snprintf(bias_name, sizeof bias_name, "%s.bias", name);
  const sst_shape shape = sst_shape_make(1, out, kernel, kernel, sst_graph_shape(g, x).dim[SST_AXIS_C]);
  sst_value weight = sst_graph_parameter(g, weight_name, shape, SST_PARAMETER_WEIGHT,
                                         (sst_initializer){SST_INIT_KAIMING_UNIFORM, sqrtf(1.0f / 3.0f)});
  sst_value bias = sst_graph_parameter(g, bias_name, sst_shape_make(1, 1, 1, 1, out), SST_PARAMETER_BIAS,
                                       (sst_initializer){SST_INIT_CONSTANT, 0.0f});
  sst_conv2d_options options = sst_conv2d_default();
  options.pad_h = options.pad_w = kernel / 2;
  return sst_conv2d(g, x, weight, bias, &options);
}
