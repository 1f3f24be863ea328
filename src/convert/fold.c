// SPDX-License-Identifier: Apache-2.0
// Batch norm with fixed statistics is a scale and an offset of each output channel o of the layer in front:
//     scale[o] = gamma[o] / sqrt(variance[o] + epsilon)
//     W'[o] = scale[o] * W[o]        b'[o] = beta[o] + scale[o] * (b[o] - mean[o])
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "convert/conversion.h"

enum { NAME_SIZE = 256 };

static bool has_ending(const char *text, const char *ending) {
  size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

// A batch norm's parameters; gamma NULL where there is none.
typedef struct norm {
  const sst_parameter *gamma, *beta, *mean, *variance;
} norm;

// The name of the norm behind "4.conv.weight": "5.norm"; behind a block's "4.shortcut_conv.bias": "4.shortcut_norm".
static bool norm_name(const sst_model_options *ann, const char *parameter, char name[NAME_SIZE]) {
  char *end = NULL;
  long layer = strtol(parameter, &end, 10);
  if (end == parameter || *end != '.' || layer < 0 || layer >= ann->layer_count) { return false; }
  if (ann->layers[layer].kind != SST_LAYER_BLOCK) {
    bool follows = layer + 1 < ann->layer_count && ann->layers[layer + 1].kind == SST_LAYER_NORM;
    snprintf(name, NAME_SIZE, "%ld.norm", layer + 1);
    return follows;
  }
  const char *conv = strstr(parameter, "conv");
  if (!conv) { return false; }
  int rest = (int)strcspn(conv + 4, ".");
  snprintf(name, NAME_SIZE, "%.*snorm%.*s", (int)(conv - parameter), parameter, rest, conv + 4);
  return true;
}

static const sst_parameter *find_part(const sst_parameters *from, const char *name, const char *part) {
  char full[NAME_SIZE + 24];
  snprintf(full, sizeof full, "%s.%s", name, part);
  return sst_parameters_find(from, full);
}

static norm find_norm(const sst_model_options *ann, const sst_parameters *from, const char *parameter) {
  char name[NAME_SIZE];
  if (ann->norm == SST_NORM_NONE || !norm_name(ann, parameter, name)) { return (norm){0}; }
  return (norm){.gamma = find_part(from, name, "gamma"),
                .beta = find_part(from, name, "beta"),
                .mean = find_part(from, name, "running_mean"),
                .variance = find_part(from, name, "running_variance")};
}

static double scale_of(const norm *n, float epsilon, int64_t channel) {
  if (!n->gamma) { return 1.0; }
  return (double)n->gamma->value[channel] / sqrt((double)n->variance->value[channel] + (double)epsilon);
}

static void fold_weight(const norm *n, float epsilon, const sst_parameter *from, const sst_parameter *to) {
  int64_t channels = to->shape.dim[SST_AXIS_N], each = to->count / channels;
  for (int64_t i = 0; i < to->count; i++) {
    to->value[i] = (float)(scale_of(n, epsilon, i / each) * (double)from->value[i]);
  }
}

static void fold_bias(const norm *n, float epsilon, const sst_parameter *from, const sst_parameter *to) {
  for (int64_t c = 0; c < to->count; c++) {
    double bias = from ? (double)from->value[c] : 0.0;
    double beta = n->gamma ? (double)n->beta->value[c] : 0.0, mean = n->gamma ? (double)n->mean->value[c] : 0.0;
    to->value[c] = (float)(beta + scale_of(n, epsilon, c) * (bias - mean));
  }
}

sst_status ssti_conversion_fold(sst_context *context, const sst_model_options *ann, const sst_parameters *from,
                                sst_parameters *to) {
  for (int i = 0; i < sst_parameters_count(to); i++) {
    const sst_parameter *target = sst_parameters_at(to, i), *source = sst_parameters_find(from, target->name);
    bool weight = has_ending(target->name, ".weight"), bias = has_ending(target->name, ".bias");
    norm n = find_norm(ann, from, target->name);
    if (source && !sst_shape_equal(source->shape, target->shape)) {
      SST_FAIL(context, SST_MISMATCH, "parameter '%s' has another shape in the ann than in the converted network",
               target->name);
    }
    if (bias && (source || n.gamma)) {
      fold_bias(&n, ann->norm_epsilon, source, target);
    } else if (weight && source) {
      fold_weight(&n, ann->norm_epsilon, source, target);
    } else if (weight || bias) {
      SST_FAIL(context, SST_MISMATCH, "the ann has no parameter '%s'", target->name);
    } else if (source) {
      memcpy(target->value, source->value, (size_t)target->count * sizeof(float));
    }
  }
  return SST_OK;
}
