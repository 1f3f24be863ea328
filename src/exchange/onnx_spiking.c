// SPDX-License-Identifier: Apache-2.0
// Which layers spikes may reach. Behind an activation values change from step to step; what comes after must be linear
// in them, so that its mean over the steps is what it makes of their means. Layers that lead to no logit do not matter.
#include "exchange/onnx_parts.h"

typedef struct reach {
  bool needed, spikes; // leads to the logits; changes from step to step
} reach;

static bool input_spikes(const ssti_onnx_step *step, const reach *reaches, int input) {
  const int from = step->inputs[input];
  return from >= 0 && reaches[from].spikes;
}

// Whether the step is linear in those of its inputs that spike.
static bool is_linear(const ssti_onnx_step *step, const reach *reaches) {
  switch (step->kind) {
  case SSTI_ONNX_CONV:
  case SSTI_ONNX_LINEAR:
  case SSTI_ONNX_NORM:
  case SSTI_ONNX_ACTIVATION: // becomes neurons
  case SSTI_ONNX_AVERAGE_POOL:
  case SSTI_ONNX_MEAN:
  case SSTI_ONNX_ADD:
  case SSTI_ONNX_SUBTRACT:
  case SSTI_ONNX_AFFINE:
  case SSTI_ONNX_PAD:
  case SSTI_ONNX_SLICE:
  case SSTI_ONNX_CONCAT: return true;
  case SSTI_ONNX_MULTIPLY: return !(input_spikes(step, reaches, 0) && input_spikes(step, reaches, 1));
  case SSTI_ONNX_DIVIDE: return !input_spikes(step, reaches, 1);
  case SSTI_ONNX_CLIP:
  case SSTI_ONNX_MAX_POOL:
  case SSTI_ONNX_MAX:
  case SSTI_ONNX_FUNCTION:
  case SSTI_ONNX_SOFTMAX:
  case SSTI_ONNX_LOG_SOFTMAX: break;
  }
  return false;
}

static void find_needed(const sst_onnx *onnx, reach *reaches) {
  reaches[onnx->logits].needed = true;
  for (int i = onnx->logits; i >= 0; i--) {
    const ssti_onnx_step *step = &onnx->steps[i];
    for (int k = 0; reaches[i].needed && k < step->input_count; k++) {
      if (step->inputs[k] >= 0) { reaches[step->inputs[k]].needed = true; }
    }
  }
}

// Appends the layers that stand in the way and returns how many; *activations receives the number of activations.
static int find_obstacles(const sst_onnx *onnx, reach *reaches, ssti_text *obstacles, int *activations) {
  int count = 0;
  *activations = 0;
  for (int i = 0; i <= onnx->logits; i++) {
    const ssti_onnx_step *step = &onnx->steps[i];
    if (!reaches[i].needed) { continue; }
    for (int k = 0; k < step->input_count; k++) {
      reaches[i].spikes = reaches[i].spikes || input_spikes(step, reaches, k);
    }
    if (reaches[i].spikes && !is_linear(step, reaches)) {
      ssti_text_append(obstacles, "%snode '%s' (%s)", count++ ? ", " : "", step->name, step->type);
    }
    if (step->kind == SSTI_ONNX_ACTIVATION) {
      reaches[i].spikes = true;
      (*activations)++;
    }
  }
  return count;
}

sst_status sst_onnx_check_spiking(const sst_onnx *onnx) {
  sst_context *context = onnx->context;
  reach *reaches = NULL;
  SST_TRY(ssti_allocate(context, (size_t)onnx->step_count, sizeof *reaches, &reaches));
  ssti_text obstacles = ssti_text_begin(context);
  find_needed(onnx, reaches);
  int activations = 0;
  const int count = find_obstacles(onnx, reaches, &obstacles, &activations);
  sst_status status = obstacles.status;
  if (status == SST_OK && count > 0) {
    status = ssti_fail(context, SST_UNSUPPORTED,
                       "%s: what %s of the spikes at each step does not follow from their rates; behind an activation "
                       "only layers that sum and scale can be converted (average pooling in place of max pooling)",
                       obstacles.data, count == 1 ? "it makes" : "they make");
  } else if (status == SST_OK && activations == 0) {
    status = ssti_fail(context, SST_UNSUPPORTED, "it has no activation layer that neurons could take the place of");
  }
  ssti_text_free(&obstacles);
  ssti_free(context, reaches);
  return status;
}
