// SPDX-License-Identifier: Apache-2.0
#include "export_c_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_info.h"
#include "json_output.h"
#include "spikestill/c_source.h"

// Golden samples from a data set: the first ones of its test part.
typedef struct samples {
  int64_t count;
  int16_t *inputs;
  int32_t *classes;
} samples;

static void free_samples(samples *s) {
  free(s->inputs);
  free(s->classes);
  *s = (samples){0};
}

// What of the data set does not fit the network; NULL if it does.
static const char *misfit(const sst_integer_network *network, const sst_dataset_info *info) {
  const sst_integer_value *in = &network->values[0];
  if (network->pixel_codes == NULL) { return "the network does not take a data set's bytes"; }
  if (info->height != in->height || info->width != in->width || info->channels != in->channels) {
    return "its samples have another size than the network's input";
  }
  if ((info->frames > 0) != network->input_each_step || (info->frames > 0 && info->frames != network->timesteps)) {
    return "its samples have another number of frames than the network's input";
  }
  return NULL;
}

static sst_status read_samples(const sst_dataset *dataset, int64_t bytes, samples *s) {
  uint8_t *sample = malloc((size_t)bytes);
  s->inputs = calloc((size_t)(s->count * bytes), sizeof *s->inputs);
  s->classes = calloc((size_t)s->count, sizeof *s->classes);
  sst_status status = sample && s->inputs && s->classes ? SST_OK : SST_OUT_OF_MEMORY;
  for (int64_t i = 0; i < s->count && status == SST_OK; i++) {
    status = sst_dataset_read(dataset, i, sample);
    for (int64_t j = 0; j < bytes && status == SST_OK; j++) { s->inputs[i * bytes + j] = sample[j]; }
    if (status == SST_OK) { s->classes[i] = sst_dataset_label(dataset, i); }
  }
  free(sample);
  return status;
}

// The recipe that says whose data: --data, else the one inside the network. NULL if there is none, or with *code where
// it is wrong.
static sst_recipe *find_recipe(sst_context *context, const arguments *a, const sst_integer_network *network,
                               int *code) {
  *code = EXIT_DONE;
  if (a->data[0]) { return open_data_recipe(context, a, a->data + strlen("data.name="), "{model: mlp}", code); }
  if (network->recipe == NULL) { return NULL; }
  const char *overrides[MOST_OVERRIDES + 1];
  char root[SST_RECIPE_TEXT_SIZE + 16];
  int count = 0;
  snprintf(root, sizeof root, "data.root=%s", a->root ? a->root : "");
  if (a->root) { overrides[count++] = root; }
  for (int i = 0; i < a->override_count; i++) { overrides[count++] = a->overrides[i]; }
  sst_recipe *recipe = NULL;
  const sst_status status = sst_recipe_from_text(context, a->words[0], network->recipe, overrides, count, &recipe);
  if (status != SST_OK) { *code = report_failure(context, status); }
  return recipe;
}

// Data that were asked for must be there. Where nobody asked, random samples do.
static int take_samples(sst_context *context, const arguments *a, const sst_integer_network *network, samples *s) {
  int code;
  sst_recipe *recipe = find_recipe(context, a, network, &code);
  if (!recipe) { return code; }
  const sst_dataset_options options = sst_recipe_dataset(recipe, false);
  const char *name = sst_dataset_word(options.kind), *why = NULL;
  sst_dataset *dataset = NULL;
  sst_status status = sst_dataset_open(context, &options, &dataset);
  if (status == SST_OK) {
    const sst_dataset_info info = sst_dataset_describe(dataset);
    why = misfit(network, &info);
    if (!why) {
      s->count = a->count > 0 ? a->count : 4;
      if (s->count > info.count) { s->count = info.count; }
      status = read_samples(dataset, sst_dataset_sample_bytes(&info), s);
    }
  }
  if (!a->data[0] && !s->inputs && status != SST_INTERRUPTED) {
    fprintf(stderr, "note: random samples, since there are none of %s: %s\n", name,
            why ? why : sst_context_message(context));
  } else if (why) {
    code = usage_error("--data %s: %s", name, why);
  } else if (status != SST_OK) {
    code = report_failure(context, status);
  }
  sst_dataset_close(dataset);
  sst_recipe_close(context, recipe);
  return code;
}

static int print_result(const arguments *a, const char *name, const sst_c_source_sizes *sizes) {
  if (a->json) {
    return print_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:i}", "model", a->words[0], "folder", a->out,
                                "format", "c", "name", name, "table_bytes", (json_int_t)sizes->table_bytes, "ram_bytes",
                                (json_int_t)sizes->ram_bytes, "layers", sizes->layers, "spiking_layers",
                                sizes->spiking_layers));
  }
  printf("wrote %s.c, %s.h and an example to %s\n", name, name, a->out);
  printf("flash %" PRId64 " bytes of constants, and the code (1 to 3 KiB on a Cortex-M with -Os); RAM %" PRId64
         " bytes, and the stack\n",
         sizes->table_bytes, sizes->ram_bytes);
  return EXIT_DONE;
}

int export_c_source(sst_context *context, const arguments *a) {
  if (!sst_integer_network_recognize(a->words[0])) {
    return usage_error("%s: is no integer network, which --to c needs; 'spikestill quantize' makes one", a->words[0]);
  }
  char name[SST_C_SOURCE_NAME_SIZE];
  sst_c_source_name(a->words[0], name);
  sst_integer_network *network = NULL;
  const sst_status loaded = sst_integer_network_load(context, a->words[0], &network);
  if (loaded != SST_OK) { return report_failure(context, loaded); }
  samples s = {.count = a->count};
  int code = take_samples(context, a, network, &s);
  if (code == EXIT_DONE) {
    const char *chosen = a->name ? a->name : name;
    const sst_c_source_options options = {
        .name = chosen, .overwrite = a->overwrite, .samples = s.count, .inputs = s.inputs, .classes = s.classes};
    sst_c_source_sizes sizes;
    const sst_status status = sst_c_source_write(network, a->out, &options, &sizes);
    code = status == SST_OK ? print_result(a, chosen, &sizes) : report_failure(context, status);
  }
  free_samples(&s);
  sst_integer_network_free(network);
  return code;
}
