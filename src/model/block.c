// SPDX-License-Identifier: Apache-2.0
// Residual blocks of two 3x3 convolutions, in three forms. F is the residual branch, S the shortcut: the identity, or a
// 1x1 convolution with norm where the stride is not 1 or the number of channels changes.
//
//     basic  y = act(F(x) + S(x)), F = conv1-norm1-act1-conv2-norm2      S = shortcut_conv-shortcut_norm
//     sew    y = F(x) + S(x),      F = conv1-norm1-act1-conv2-norm2-act2 S = shortcut_conv-shortcut_norm-shortcut_act
//     ms     y = F(x) + S(x),      F = act1-conv1-norm1-act2-conv2-norm2 S = shortcut_conv-shortcut_norm
//
// Sources: He et al. 2016 (option B shortcuts); Fang et al. 2021, section 3.3, with g = add; Hu et al. 2021 (the
// shortcut reads the block's input before act1). Taps carry the names above, and "out" is y. In the basic form the last
// act has the taps "act2" (also "out") and "membrane2".
//
// Time: where one side of the sum still has T = 1 (directly coded input that no neuron has met yet), the sum repeats it
// over the steps of the other side.
//
// Threshold-dependent batch norm: where two branches are added in front of a neuron (basic form) norm2 and
// shortcut_norm scale to threshold/sqrt(2), so that the sum has the threshold's size (Zheng et al. 2021).
#include <math.h>

#include "model/model_internal.h"

static const ssti_part first = {"", "1"}, second = {"", "2"}, shortcut = {"shortcut_", ""};

// conv-norm of the residual branch.
static sst_value conv_norm(ssti_model *model, const sst_layer *layer, ssti_part part, int64_t stride, float share,
                           sst_value x) {
  bool normalised = model->options->norm != SST_NORM_NONE;
  sst_layer conv = sst_layer_default(SST_LAYER_CONV);
  conv.out = layer->out;
  conv.stride = stride;
  sst_value y = ssti_model_conv(model, &conv, part, !normalised, normalised, x);
  return ssti_model_norm(model, part, share, y);
}

static sst_value build_shortcut(ssti_model *model, const sst_layer *layer, float share, sst_value x) {
  int64_t channels = sst_graph_shape(model->graph, x).dim[SST_AXIS_C];
  if (layer->stride == 1 && channels == layer->out) { return x; }
  bool normalised = model->options->norm != SST_NORM_NONE;
  sst_layer conv = sst_layer_default(SST_LAYER_CONV);
  conv.out = layer->out;
  conv.stride = layer->stride;
  conv.kernel = 1;
  conv.padding = 0;
  sst_value y = ssti_model_conv(model, &conv, shortcut, !normalised, normalised, x);
  y = ssti_model_norm(model, shortcut, share, y);
  return layer->form == SST_BLOCK_FORM_SEW ? ssti_model_activation(model, shortcut, y) : y;
}

static sst_value build_basic(ssti_model *model, const sst_layer *layer, sst_value x) {
  const float share = sqrtf(0.5f);
  sst_value y = conv_norm(model, layer, first, layer->stride, 1.0f, x);
  y = ssti_model_activation(model, first, y);
  y = conv_norm(model, layer, second, 1, share, y);
  y = sst_add(model->graph, y, build_shortcut(model, layer, share, x));
  return ssti_model_activation(model, second, y);
}

static sst_value build_sew(ssti_model *model, const sst_layer *layer, sst_value x) {
  sst_value y = conv_norm(model, layer, first, layer->stride, 1.0f, x);
  y = ssti_model_activation(model, first, y);
  y = conv_norm(model, layer, second, 1, 1.0f, y);
  y = ssti_model_activation(model, second, y);
  const ssti_activation branch = model->last;
  y = sst_add(model->graph, y, build_shortcut(model, layer, 1.0f, x));
  // Counts of spikes are what the next layer reads as its input's activation; the branch's neurons stand for the block.
  model->last = (ssti_activation){y, branch.membrane};
  return y;
}

static sst_value build_ms(ssti_model *model, const sst_layer *layer, sst_value x) {
  sst_value y = ssti_model_activation(model, first, x);
  model->before_reduction = model->last;
  y = conv_norm(model, layer, first, layer->stride, 1.0f, y);
  y = ssti_model_activation(model, second, y);
  y = conv_norm(model, layer, second, 1, 1.0f, y);
  return sst_add(model->graph, y, build_shortcut(model, layer, 1.0f, x));
}

sst_value ssti_model_block(ssti_model *model, const sst_layer *layer, sst_value x) {
  sst_value y = SST_NO_VALUE;
  switch (layer->form) {
  case SST_BLOCK_FORM_BASIC: y = build_basic(model, layer, x); break;
  case SST_BLOCK_FORM_SEW: y = build_sew(model, layer, x); break;
  case SST_BLOCK_FORM_MS: y = build_ms(model, layer, x); break;
  case SST_BLOCK_FORM_COUNT: break;
  }
  return ssti_model_tap(model, (ssti_part){"", ""}, "out", y);
}
