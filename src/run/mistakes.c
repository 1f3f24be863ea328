// SPDX-License-Identifier: Apache-2.0
#include "run/mistakes.h"

#include <math.h>

#include "base/text.h"
#include "train/accuracy.h"

enum { MOST_CLASSES = 200, PICTURES = 12, MOST_SIDE = 48 };

typedef struct mistake {
  int64_t index;
  int32_t label, taken_for;
  double confidence; // share of the class that it was taken for, after softmax
  char *pixels;
} mistake;

struct ssti_mistakes {
  sst_context *context;
  sst_value logits;
  sst_shape shape; // of the input
  int64_t classes, samples;
  int64_t *confusion; // [classes][classes]
  float *sum;         // [H][W][C] a picture, its steps summed up
  mistake worst[PICTURES];
  int worst_count;
};

static double softmax_share(const float *logits, int64_t classes, int64_t which) {
  double total = 0;
  for (int64_t c = 0; c < classes; c++) { total += exp((double)logits[c] - (double)logits[which]); }
  return 1 / total;
}

static int64_t thinning(const ssti_mistakes *j) {
  int64_t height = j->shape.dim[SST_AXIS_H], width = j->shape.dim[SST_AXIS_W];
  return ((height > width ? height : width) + MOST_SIDE - 1) / MOST_SIDE;
}

static sst_status picture_text(ssti_mistakes *j, const float *input, int64_t place, char **out) {
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
static sst_status keep(ssti_mistakes *j, const float *input, int64_t place, mistake found) {
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

sst_status ssti_mistakes_look(void *mistakes, sst_graph *graph, const sst_batch *batch) {
  ssti_mistakes *j = mistakes;
  const float *logits = sst_graph_data(graph, j->logits);
  for (int64_t n = 0; n < batch->count; n++, j->samples++) {
    const float *row = logits + n * j->classes;
    int64_t most = ssti_predicted_class(row, j->classes);
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

static json_t *confusion_json(const ssti_mistakes *j) {
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

json_t *ssti_mistakes_json(const ssti_mistakes *j) {
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

sst_status ssti_mistakes_open(sst_context *context, const sst_recipe *recipe, sst_value logits, ssti_mistakes **out) {
  *out = NULL;
  ssti_mistakes *j = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *j, &j));
  *j = (ssti_mistakes){.context = context,
                       .logits = logits,
                       .classes = recipe->data.classes,
                       .shape = sst_recipe_input_shape(recipe, recipe->train.evaluation_batch)};
  size_t size = (size_t)(j->shape.dim[SST_AXIS_H] * j->shape.dim[SST_AXIS_W] * j->shape.dim[SST_AXIS_C]);
  sst_status status = ssti_allocate(context, size, sizeof *j->sum, &j->sum);
  if (status == SST_OK && j->classes <= MOST_CLASSES) {
    status = ssti_allocate(context, (size_t)(j->classes * j->classes), sizeof *j->confusion, &j->confusion);
  }
  if (status != SST_OK) {
    ssti_mistakes_close(j);
    return status;
  }
  *out = j;
  return SST_OK;
}

void ssti_mistakes_close(ssti_mistakes *j) {
  if (j == NULL) { return; }
  for (int i = 0; i < j->worst_count; i++) { ssti_free(j->context, j->worst[i].pixels); }
  ssti_free(j->context, j->confusion);
  ssti_free(j->context, j->sum);
  ssti_free(j->context, j);
}
