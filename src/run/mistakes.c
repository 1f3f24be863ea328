// SPDX-License-Identifier: Apache-2.0
#include "run/mistakes.h"

#include <math.h>

#include "base/text.h"
#include "run/assemble.h"
#include "run/part_data.h"

enum { MOST_SAMPLES = 10000, MOST_CLASSES = 200, PICTURES = 12, MOST_SIDE = 48 };

typedef struct mistake {
  int64_t index;
  int32_t label, taken_for;
  double confidence; // share of the class that it was taken for, after softmax
  char *pixels;
} mistake;

typedef struct judging {
  sst_context *context;
  sst_graph *graph;
  sst_value input, logits;
  sst_shape shape; // of the input
  int64_t classes, samples;
  int64_t *confusion; // [classes][classes]
  float *sum;         // [H][W][C] a picture, its steps summed up
  mistake worst[PICTURES];
  int worst_count;
} judging;

static double softmax_share(const float *logits, int64_t classes, int64_t which) {
  double total = 0;
  for (int64_t c = 0; c < classes; c++) { total += exp((double)logits[c] - (double)logits[which]); }
  return 1 / total;
}

static int64_t thinning(const judging *j) {
  int64_t height = j->shape.dim[SST_AXIS_H], width = j->shape.dim[SST_AXIS_W];
  return ((height > width ? height : width) + MOST_SIDE - 1) / MOST_SIDE;
}

static sst_status picture_text(judging *j, const float *input, int64_t place, char **out) {
  int64_t height = j->shape.dim[SST_AXIS_H], width = j->shape.dim[SST_AXIS_W], channels = j->shape.dim[SST_AXIS_C];
  int64_t size = height * width * channels, step = thinning(j);
  for (int64_t i = 0; i < size; i++) { j->sum[i] = 0; }
  for (int64_t t = 0; t < j->shape.dim[SST_AXIS_T]; t++) {
    const float *at = input + (t * j->shape.dim[SST_AXIS_N] + place) * size;
    for (int64_t i = 0; i < size; i++) { j->sum[i] += at[i]; }
  }
  float low = j->sum[0], high = j->sum[0];
  for (int64_t i = 0; i < size; i++) {
    low = fminf(low, j->sum[i]);
    high = fmaxf(high, j->sum[i]);
  }
  float scale = high > low ? 255 / (high - low) : 0;
  ssti_text text = ssti_text_begin(j->context);
  for (int64_t h = 0; h < height; h += step) {
    for (int64_t w = 0; w < width; w += step) {
      const float *pixel = j->sum + (h * width + w) * channels;
      for (int64_t c = 0; c < channels; c++) { ssti_text_append(&text, "%02x", (unsigned)((pixel[c] - low) * scale)); }
    }
  }
  *out = text.data;
  return text.status;
}

// Keeps the picture if it is among those most surely wrong, in order.
static sst_status keep(judging *j, const float *input, int64_t place, mistake found) {
  int at = j->worst_count;
  while (at > 0 && j->worst[at - 1].confidence < found.confidence) { at--; }
  if (at == PICTURES) { return SST_OK; }
  sst_status status = picture_text(j, input, place, &found.pixels);
  if (status != SST_OK) {
    ssti_free(j->context, found.pixels);
    return status;
  }
  if (j->worst_count == PICTURES) { ssti_free(j->context, j->worst[--j->worst_count].pixels); }
  for (int i = j->worst_count++; i > at; i--) { j->worst[i] = j->worst[i - 1]; }
  j->worst[at] = found;
  return SST_OK;
}

static sst_status judge(judging *j, const sst_batch *batch) {
  const float *logits = sst_graph_data(j->graph, j->logits);
  for (int64_t n = 0; n < batch->count; n++, j->samples++) {
    const float *row = logits + n * j->classes;
    int64_t most = 0;
    for (int64_t c = 1; c < j->classes; c++) { most = row[c] > row[most] ? c : most; }
    if (j->confusion != NULL) { j->confusion[batch->labels[n] * j->classes + most]++; }
    if (most == batch->labels[n]) { continue; }
    mistake found = {.index = j->samples,
                     .label = batch->labels[n],
                     .taken_for = (int32_t)most,
                     .confidence = softmax_share(row, j->classes, most)};
    SST_TRY(keep(j, batch->input, n, found));
  }
  return SST_OK;
}

static sst_status run_over(judging *j, const sst_recipe *recipe, sst_parameters *parameters, sst_loader *loader) {
  sst_batch batch;
  SST_TRY(sst_graph_create(parameters, recipe->device, &j->graph));
  j->shape = sst_recipe_input_shape(recipe, recipe->train.evaluation_batch);
  j->input = sst_graph_input(j->graph, "input", j->shape);
  ssti_build_network(j->graph, recipe, j->input, &j->logits);
  sst_graph_keep(j->graph, j->logits);
  SST_TRY(sst_graph_compile(j->graph, SST_NO_VALUE));
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    if (sst_context_stop_requested(j->context)) {
      SST_FAIL(j->context, SST_INTERRUPTED, "looking for mistakes was stopped after %lld pictures",
               (long long)j->samples);
    }
    sst_graph_bind(j->graph, j->input, batch.input);
    sst_graph_forward(j->graph, NULL);
    SST_TRY(judge(j, &batch));
  }
  return sst_loader_status(loader);
}

static json_t *confusion_json(const judging *j) {
  json_t *rows = json_array();
  for (int64_t r = 0; r < j->classes; r++) {
    json_t *row = json_array();
    for (int64_t c = 0; c < j->classes; c++) {
      json_array_append_new(row, json_integer((json_int_t)j->confusion[r * j->classes + c]));
    }
    json_array_append_new(rows, row);
  }
  return rows;
}

static json_t *record_json(const judging *j) {
  int64_t step = thinning(j);
  json_t *pictures = json_array();
  for (int i = 0; i < j->worst_count; i++) {
    const mistake *m = &j->worst[i];
    json_array_append_new(pictures,
                          json_pack("{s:I, s:i, s:i, s:f, s:I, s:I, s:I, s:s}", "index", (json_int_t)m->index, "class",
                                    (int)m->label, "taken_for", (int)m->taken_for, "confidence", m->confidence,
                                    "height", (json_int_t)((j->shape.dim[SST_AXIS_H] + step - 1) / step), "width",
                                    (json_int_t)((j->shape.dim[SST_AXIS_W] + step - 1) / step), "channels",
                                    (json_int_t)j->shape.dim[SST_AXIS_C], "pixels", m->pixels));
  }
  json_t *out = json_pack("{s:I, s:I}", "samples", (json_int_t)j->samples, "classes", (json_int_t)j->classes);
  if (j->confusion != NULL) { json_object_set_new(out, "confusion", confusion_json(j)); }
  json_object_set_new(out, "pictures", pictures);
  return out;
}

sst_status ssti_measure_mistakes(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters,
                                 json_t **out) {
  judging j = {.context = context};
  ssti_part_data data = {0};
  sst_status status = SST_OK;
  *out = NULL;
  SST_TRY_GOTO(ssti_part_open(context, recipe, SST_PART_TEST, MOST_SAMPLES, &data));
  j.classes = sst_dataset_describe(data.dataset).classes;
  if (j.classes <= MOST_CLASSES) {
    SST_TRY_GOTO(ssti_allocate(context, (size_t)(j.classes * j.classes), sizeof *j.confusion, &j.confusion));
  }
  sst_shape shape = sst_recipe_input_shape(recipe, 1);
  size_t size = (size_t)(shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W] * shape.dim[SST_AXIS_C]);
  SST_TRY_GOTO(ssti_allocate(context, size, sizeof *j.sum, &j.sum));
  SST_TRY_GOTO(run_over(&j, recipe, parameters, data.loader));
  *out = record_json(&j);
  if (*out == NULL) { status = ssti_fail(context, SST_OUT_OF_MEMORY, "no memory for the record of mistakes"); }
done:
  for (int i = 0; i < j.worst_count; i++) { ssti_free(context, j.worst[i].pixels); }
  ssti_free(context, j.confusion);
  ssti_free(context, j.sum);
  sst_graph_destroy(j.graph);
  ssti_part_close(&data);
  return status;
}
