// SPDX-License-Identifier: Apache-2.0
// From an opened network to an integer network, and the samples that integer networks take.
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "run/assemble.h"
#include "run/integer_samples.h"

bool ssti_recipe_gives_bytes(const sst_recipe *recipe) {
  return recipe->data.encoding == SST_ENCODING_DIRECT || recipe->data.encoding == SST_ENCODING_FRAMES;
}

void ssti_recipe_byte_values(const sst_recipe *recipe, float *out) {
  sst_loader_options options = {.encoding = recipe->data.encoding};
  memcpy(options.mean, recipe->data.mean, sizeof options.mean);
  memcpy(options.deviation, recipe->data.deviation, sizeof options.deviation);
  ssti_byte_values(&options, recipe->data.channels, out);
}

// Exactly, or with `options` as far as it goes.
static sst_status lower(sst_network *network, const sst_approximation_options *options, sst_approximations *made,
                        sst_integer_network **out) {
  sst_context *context = network->context;
  const sst_recipe *recipe = network->recipe;
  float bytes[SST_MAX_CHANNELS * 256];
  sst_integer_input samples = {.low = 0, .high = 1};
  if (ssti_recipe_gives_bytes(recipe)) {
    ssti_recipe_byte_values(recipe, bytes);
    samples.bytes_as = bytes;
  }
  sst_graph *graph = NULL;
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  SST_TRY(sst_network_graph(network, 1, &input, &logits, &graph));
  sst_status status = options == NULL ? sst_integer_from_graph(graph, input, logits, &samples, out)
                                      : sst_integer_approximate(graph, input, logits, &samples, options, made, out);
  sst_graph_destroy(graph);
  if (status != SST_OK) { return ssti_fail_within(context, status, "%s", network->path); }
  char *text = NULL;
  status = sst_recipe_text(context, recipe, &text);
  if (status == SST_OK) { status = sst_integer_network_set_recipe(*out, text); }
  sst_recipe_text_free(context, text);
  if (status != SST_OK) {
    sst_integer_network_free(*out);
    *out = NULL;
  }
  return status;
}

sst_status sst_network_lower(sst_network *network, sst_integer_network **out) {
  *out = NULL;
  return lower(network, NULL, NULL, out);
}

sst_status sst_network_approximate(sst_network *network, const sst_approximation_options *options,
                                   sst_approximations *made, sst_integer_network **out) {
  *out = NULL;
  *made = (sst_approximations){0};
  SST_TRY(ssti_network_check_data(network));
  return lower(network, options, made, out);
}

sst_status ssti_integer_recipe(sst_context *context, const sst_integer_network *network, const char *path,
                               const char *const *overrides, int override_count, sst_recipe **out) {
  *out = NULL;
  if (network->recipe == NULL) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: does not say whose data it is for", path);
  }
  SST_TRY(sst_recipe_from_text(context, path, network->recipe, overrides, override_count, out));
  const sst_recipe_data *data = &(*out)->data;
  const sst_integer_value *input = &network->values[0];
  const bool fits = data->classes == network->classes && data->height == input->height && data->width == input->width &&
                    data->channels == input->channels &&
                    (sst_recipe_input_shape(*out, 1).dim[SST_AXIS_T] > 1) == network->input_each_step;
  if (fits) { return SST_OK; }
  ssti_fail(context, SST_SHAPE,
            "%s: takes %lldx%lldx%lld and tells %lld classes apart, but its recipe's data have %lldx%lldx%lld and %d",
            path, (long long)input->height, (long long)input->width, (long long)input->channels,
            (long long)network->classes, (long long)data->height, (long long)data->width, (long long)data->channels,
            data->classes);
  sst_recipe_close(context, *out);
  *out = NULL;
  return SST_SHAPE;
}

void ssti_integer_samples_begin(const sst_integer_network *network, const sst_recipe *recipe,
                                ssti_integer_samples *out) {
  const sst_integer_value *input = &network->values[0];
  *out = (ssti_integer_samples){.network = network, .bytes = ssti_recipe_gives_bytes(recipe)};
  out->picture = input->height * input->width * input->channels;
  out->steps = network->input_each_step ? network->timesteps : 1;
  if (out->bytes) { ssti_recipe_byte_values(recipe, out->values); }
}

// The byte that became x: values of bytes rise.
static int byte_of(const float *values, float x) {
  int low = 0, high = 255;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (values[middle] < x) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void ssti_integer_samples_fill(const ssti_integer_samples *s, const float *input, int64_t batch, int64_t count,
                               int16_t *out) {
  const int64_t channels = s->network->values[0].channels;
  const int16_t *codes = s->network->pixel_codes;
  for (int64_t n = 0; n < count; n++) {
    for (int64_t t = 0; t < s->steps; t++) {
      const float *x = input + (t * batch + n) * s->picture;
      for (int64_t i = 0; i < s->picture; i++) {
        const int64_t channel = i % channels;
        const int byte = s->bytes ? byte_of(s->values + channel * 256, x[i]) : (int)x[i];
        *out++ = codes != NULL ? codes[channel * 256 + byte] : (int16_t)byte;
      }
    }
  }
}
