// SPDX-License-Identifier: Apache-2.0
#include "run/foreign.h"

#include <string.h>

#include "base/text.h"

static bool has_ending(const char *text, const char *ending) {
  const size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

bool ssti_foreign_knows(const char *path) { return has_ending(path, ".onnx") || has_ending(path, ".nir"); }

static const char *find_word(const sst_nir_graph *graph, const char *name) {
  const sst_nir_value *value = sst_nir_find_value(&graph->metadata, name);
  return value && value->kind == SST_NIR_TEXT ? value->text : NULL;
}

static void take_numbers(const sst_nir_graph *graph, const char *name, ssti_text *keys) {
  const sst_nir_value *value = sst_nir_find_value(&graph->metadata, name);
  if (value == NULL || value->kind != SST_NIR_NUMBERS || value->count < 1 || value->count > SST_MAX_CHANNELS) {
    return;
  }
  ssti_text_append(keys, ", %s: [", name);
  for (int64_t i = 0; i < value->count; i++) {
    char number[SSTI_NUMBER_TEXT_SIZE];
    ssti_text_append(keys, "%s%s", i ? ", " : "", ssti_number_text(value->numbers[i], number));
  }
  ssti_text_append(keys, "]");
}

// What sst_network_export_nir has written beside the network.
static void take_metadata(ssti_foreign *foreign, const sst_nir_graph *graph) {
  const char *data = find_word(graph, "data"), *word = find_word(graph, "readout");
  const int64_t timesteps = sst_nir_describe(foreign->nir).timesteps;
  sst_readout readout;
  foreign->names_data = data && sst_dataset_parse(data, &foreign->data);
  take_numbers(graph, "mean", &foreign->data_keys);
  take_numbers(graph, "deviation", &foreign->data_keys);
  if (timesteps > 0) { ssti_text_append(&foreign->student_keys, ", timesteps: %lld", (long long)timesteps); }
  if (word && sst_readout_parse(word, &readout)) {
    ssti_text_append(&foreign->student_keys, ", readout: %s", sst_readout_word(readout));
  }
}

static sst_status open_nir(ssti_foreign *foreign, const char *path, const sst_nir_import_options *options) {
  sst_context *context = foreign->context;
  sst_nir_graph *graph = NULL;
  SST_TRY(sst_nir_read(context, path, &graph));
  sst_status status = sst_nir_import(graph, options, &foreign->nir);
  if (status == SST_OK) {
    take_metadata(foreign, graph);
    status = foreign->data_keys.status != SST_OK ? foreign->data_keys.status : foreign->student_keys.status;
  }
  sst_nir_destroy(graph);
  return status == SST_OK ? status : ssti_fail_within(context, status, "%s", path);
}

sst_status ssti_foreign_open(sst_context *context, const char *path, const sst_nir_import_options *nir,
                             ssti_foreign **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  (*out)->data_keys = (*out)->student_keys = ssti_text_begin(context);
  const sst_status status =
      has_ending(path, ".nir") ? open_nir(*out, path, nir) : sst_onnx_open(context, path, NULL, &(*out)->onnx);
  if (status != SST_OK) {
    ssti_foreign_close(*out);
    *out = NULL;
  }
  return status;
}

sst_status ssti_foreign_from_onnx(sst_context *context, const char *name, const void *data, size_t size,
                                  ssti_foreign **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  const sst_status status = sst_onnx_read(context, name, data, size, NULL, &(*out)->onnx);
  if (status != SST_OK) {
    ssti_foreign_close(*out);
    *out = NULL;
  }
  return status;
}

void ssti_foreign_close(ssti_foreign *foreign) {
  if (!foreign) { return; }
  sst_onnx_close(foreign->onnx);
  sst_nir_network_destroy(foreign->nir);
  ssti_text_free(&foreign->data_keys);
  ssti_text_free(&foreign->student_keys);
  ssti_free(foreign->context, foreign);
}

ssti_foreign_info ssti_foreign_describe(const ssti_foreign *foreign) {
  ssti_foreign_info info = {.format = foreign->nir ? "NIR" : "ONNX", .spiking = foreign->nir != NULL};
  if (foreign->nir) {
    const sst_nir_info nir = sst_nir_describe(foreign->nir);
    info.height = nir.height, info.width = nir.width, info.channels = nir.channels;
    info.classes = nir.classes, info.rows = nir.rows;
  } else {
    const sst_onnx_info onnx = sst_onnx_describe(foreign->onnx);
    info.height = onnx.height, info.width = onnx.width, info.channels = onnx.channels;
    info.classes = onnx.classes, info.rows = onnx.rows;
  }
  info.data = foreign->names_data ? sst_dataset_word(foreign->data) : NULL;
  info.data_keys = foreign->data_keys.length ? foreign->data_keys.data : "";
  info.student_keys = foreign->student_keys.length ? foreign->student_keys.data : "";
  return info;
}

sst_value ssti_foreign_build(const ssti_foreign *foreign, sst_graph *graph, const sst_model_options *model,
                             sst_onnx_activation *activation, void *user, sst_value x, sst_value *logits) {
  if (!foreign->nir) { return sst_onnx_build(foreign->onnx, graph, x, activation, user, logits); }
  return sst_nir_build(foreign->nir, graph, x, model->timesteps, model->readout == SST_READOUT_LAST_STEP, logits);
}

sst_status ssti_foreign_load(const ssti_foreign *foreign, sst_parameters *parameters) {
  return foreign->nir ? sst_nir_load(foreign->nir, parameters) : sst_onnx_load(foreign->onnx, parameters);
}
