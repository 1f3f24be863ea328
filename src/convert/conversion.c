// SPDX-License-Identifier: Apache-2.0
// Words, defaults, ranges, and what cannot be converted.
#include "convert/conversion.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"

static const char *const words[] = {
#define CONVERSION_WORD(name, word, text) word,
    SST_CONVERSION_LIST(CONVERSION_WORD)
#undef CONVERSION_WORD
};

const char *sst_conversion_word(sst_conversion_method method) {
  return (unsigned)method < SST_CONVERSION_COUNT ? words[method] : "unknown";
}

bool sst_conversion_parse(const char *word, sst_conversion_method *out) {
  const int found = ssti_find_word(word, words, SST_CONVERSION_COUNT);
  if (found >= 0) { *out = (sst_conversion_method)found; }
  return found >= 0;
}

sst_conversion_options sst_conversion_default(void) {
  sst_conversion_options options = {.method = SST_CONVERSION_THRESHOLD_BALANCING,
                                    .percentile = 99.9,
                                    .samples = 1000,
                                    .calibration_steps = 64,
                                    .initial_membrane = -1.0f};
  for (int64_t t = 1; t <= 1024; t *= 2) { options.timesteps[options.point_count++] = t; }
  return options;
}

static sst_status check_timesteps(sst_context *context, const sst_conversion_options *options) {
  if (options->point_count < 1 || options->point_count > SST_MAX_CONVERSION_POINTS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "timesteps holds %d numbers, expected 1 to %d", options->point_count,
             (int)SST_MAX_CONVERSION_POINTS);
  }
  for (int i = 0; i < options->point_count; i++) {
    int64_t t = options->timesteps[i], before = i > 0 ? options->timesteps[i - 1] : 0;
    if (t > before && t <= SST_MAX_CONVERSION_TIMESTEPS) { continue; }
    SST_FAIL(context, SST_INVALID_ARGUMENT, "timesteps has %lld at place %d, expected ascending numbers from 1 to %d",
             (long long)t, i, (int)SST_MAX_CONVERSION_TIMESTEPS);
  }
  return SST_OK;
}

sst_status ssti_conversion_check(sst_context *context, const sst_conversion_options *options) {
  if ((unsigned)options->method >= SST_CONVERSION_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "there is no conversion method %d; methods are 0..%d", (int)options->method,
             SST_CONVERSION_COUNT - 1);
  }
  if (!(options->percentile > 0 && options->percentile <= 100)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "percentile is %g, expected above 0 to 100", options->percentile);
  }
  if (options->samples < 1 || options->samples > 1000000000) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "samples is %lld, expected 1 to 1000000000", (long long)options->samples);
  }
  if (options->calibration_steps < 1 || options->calibration_steps > SST_MAX_CONVERSION_TIMESTEPS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "calibration_steps is %lld, expected 1 to %d",
             (long long)options->calibration_steps, (int)SST_MAX_CONVERSION_TIMESTEPS);
  }
  if (!(options->initial_membrane <= 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "initial_membrane is %g, expected 0 to 1",
             (double)options->initial_membrane);
  }
  return check_timesteps(context, options);
}

sst_status ssti_conversion_check_method(sst_context *context, const sst_model_options *ann,
                                        sst_conversion_method method) {
  if (ann->spiking) { SST_FAIL(context, SST_UNSUPPORTED, "it is a spiking network already, expected an ann"); }
  bool learned = ann->activation != SST_ACTIVATION_RELU;
  if (learned == (method == SST_CONVERSION_QCFS)) { return SST_OK; }
  SST_FAIL(context, SST_UNSUPPORTED, "the method %s needs an ann with the activation %s, but this one has %s",
           sst_conversion_word(method), learned ? "relu" : "qcfs or clip", sst_activation_word(ann->activation));
}

sst_status ssti_conversion_check_model(sst_context *context, const sst_model_options *ann,
                                       sst_conversion_method method) {
  SST_TRY(ssti_conversion_check_method(context, ann, method));
  bool spikes = false;
  for (int i = 0; i < ann->layer_count; i++) {
    sst_layer_kind kind = ann->layers[i].kind;
    sst_layer_kind before = i > 0 ? ann->layers[i - 1].kind : SST_LAYER_COUNT;
    if (kind == SST_LAYER_MAX_POOL && spikes) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "layer %d.maxpool: the largest of several spikes at each step is not the largest of their rates; train "
               "the ann with average pooling (student.pool: average)",
               i);
    }
    if (kind == SST_LAYER_NORM && ann->norm != SST_NORM_NONE && before != SST_LAYER_CONV &&
        before != SST_LAYER_LINEAR) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "layer %d.norm: follows %s, but only a norm right behind a convolution or linear layer can be folded", i,
               i > 0 ? sst_layer_word(before) : "the input");
    }
    spikes = spikes || kind == SST_LAYER_ACTIVATION || kind == SST_LAYER_BLOCK;
  }
  if (!spikes) {
    SST_FAIL(context, SST_UNSUPPORTED, "it has no activation layer that neurons could take the place of");
  }
  return SST_OK;
}

bool ssti_threshold_of_tap(const char *tap, char name[SSTI_THRESHOLD_NAME_SIZE]) {
  static const char current[] = "current";
  const char *dot = strrchr(tap, '.'), *last = dot ? dot + 1 : tap, *found = strstr(last, current);
  if (!found) { return false; }
  int length =
      snprintf(name, SSTI_THRESHOLD_NAME_SIZE, "%.*sthreshold%s", (int)(found - tap), tap, found + sizeof current - 1);
  return length > 0 && length < SSTI_THRESHOLD_NAME_SIZE;
}

bool ssti_is_threshold(const char *parameter) {
  const char *dot = strrchr(parameter, '.');
  return strstr(dot ? dot : parameter, "threshold") != NULL;
}

sst_status ssti_conversion_check_thresholds(const ssti_converted *network) {
  for (int i = 0; i < sst_parameters_count(network->parameters); i++) {
    const sst_parameter *p = sst_parameters_at(network->parameters, i);
    if (!ssti_is_threshold(p->name) || (*p->value > 0.0f && isfinite(*p->value))) { continue; }
    SST_FAIL(network->context, SST_NOT_FINITE, "the threshold '%s' is %g, expected a finite number above 0", p->name,
             (double)*p->value);
  }
  return SST_OK;
}

sst_status ssti_conversion_report(const ssti_converted *network, const char *what, int64_t done, int64_t total) {
  if (network->progress) { network->progress(network->progress_user, what, done, total); }
  if (!sst_context_stop_requested(network->context)) { return SST_OK; }
  SST_FAIL(network->context, SST_INTERRUPTED, "the conversion was stopped");
}
