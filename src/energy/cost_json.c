// SPDX-License-Identifier: Apache-2.0
// Cost records as JSON: written beside results, read by reports. One table of fields for both directions.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "energy/energy_model.h"

typedef enum field_type { FIELD_WHOLE, FIELD_INT, FIELD_REAL, FIELD_TRUTH } field_type;
typedef struct field {
  const char *key;
  field_type type;
  size_t offset;
} field;

#define WHOLE(name)                                                                                                    \
  { #name, FIELD_WHOLE, offsetof(sst_cost_layer, name) }
#define INT(name)                                                                                                      \
  { #name, FIELD_INT, offsetof(sst_cost_layer, name) }
#define REAL(name)                                                                                                     \
  { #name, FIELD_REAL, offsetof(sst_cost_layer, name) }
#define TRUTH(name)                                                                                                    \
  { #name, FIELD_TRUTH, offsetof(sst_cost_layer, name) }
static const field layer_fields[] = {
    WHOLE(in_channels),
    WHOLE(in_height),
    WHOLE(in_width),
    WHOLE(out_channels),
    WHOLE(out_height),
    WHOLE(out_width),
    WHOLE(pooled_height),
    WHOLE(pooled_width),
    WHOLE(kernel_height),
    WHOLE(kernel_width),
    WHOLE(stride_height),
    WHOLE(stride_width),
    WHOLE(groups),
    WHOLE(timesteps),
    TRUTH(spiking_input),
    TRUTH(binary_input),
    TRUTH(neurons),
    TRUTH(leak),
    TRUTH(bias),
    INT(input_bits),
    INT(weight_bits),
    INT(membrane_bits),
    WHOLE(weights),
    WHOLE(zero_weights),
    REAL(dense_operations),
    REAL(nonzero_inputs),
    REAL(nonzero_inputs_deviation),
    REAL(spikes_out),
    REAL(effective_operations),
    REAL(membrane_updates),
    REAL(crossbar_patches),
    REAL(crossbar_rows),
    REAL(crossbar_sites),
};
#undef WHOLE
#undef REAL
#undef TRUTH
#define WHOLE(name)                                                                                                    \
  { #name, FIELD_WHOLE, offsetof(sst_cost_record, name) }
#define TRUTH(name)                                                                                                    \
  { #name, FIELD_TRUTH, offsetof(sst_cost_record, name) }
static const field record_fields[] = {TRUTH(spiking), WHOLE(timesteps), WHOLE(samples), WHOLE(crossbar)};
enum { QUANTILES = 5 };
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static json_t *field_value(const field *f, const char *object) {
  const char *at = object + f->offset;
  switch (f->type) {
  case FIELD_WHOLE: return json_integer(*(const int64_t *)(const void *)at);
  case FIELD_INT: return json_integer(*(const int *)(const void *)at);
  case FIELD_TRUTH: return json_boolean(*(const bool *)(const void *)at);
  case FIELD_REAL: break;
  }
  double value = *(const double *)(const void *)at;
  return isnan(value) ? json_null() : json_real(value);
}

// Where memory runs out jansson's builders answer NULL, and setting a NULL fails: a record is whole or `good` is false.
typedef struct building {
  bool good;
} building;

static void put(building *b, json_t *object, const char *key, json_t *value) {
  if (json_object_set_new(object, key, value) != 0) { b->good = false; }
}

static json_t *fields_object(building *b, const field *fields, int count, const void *object) {
  json_t *out = json_object();
  for (int i = 0; i < count; i++) { put(b, out, fields[i].key, field_value(&fields[i], object)); }
  return out;
}

static json_t *numbers_array(building *b, const double *numbers, int64_t count) {
  json_t *out = json_array();
  for (int64_t i = 0; i < count; i++) {
    if (json_array_append_new(out, json_real(numbers[i])) != 0) { b->good = false; }
  }
  return out;
}

// JSON wants UTF-8: a name that was cut off in the middle of a character goes without it.
static json_t *name_text(const char name[SST_COST_NAME_SIZE]) {
  size_t length = strlen(name), following = 0;
  while (following < 3 && following + 1 < length && ((unsigned char)name[length - 1 - following] & 0xc0) == 0x80) {
    following++;
  }
  unsigned char lead = length > 0 ? (unsigned char)name[length - 1 - following] : 0;
  size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  return json_stringn(name, following < wanted ? length - 1 - following : length);
}

static sst_status read_numbers(sst_context *context, const char *key, const json_t *from, int64_t count, double *out) {
  const json_t *list = json_object_get(from, key);
  if (!json_is_array(list) || json_array_size(list) != (size_t)count) {
    SST_FAIL(context, SST_FORMAT, "'%s' is no list of %lld numbers", key, (long long)count);
  }
  for (int64_t i = 0; i < count; i++) {
    const json_t *number = json_array_get(list, (size_t)i);
    if (!json_is_number(number)) { SST_FAIL(context, SST_FORMAT, "'%s' has no number at %lld", key, (long long)i); }
    out[i] = json_number_value(number);
  }
  return SST_OK;
}

sst_status sst_cost_record_text(const sst_cost_record *record, char **out) {
  *out = NULL;
  building b = {.good = true};
  json_t *root = fields_object(&b, record_fields, COUNT(record_fields), record);
  json_t *layers = json_array();
  put(&b, root, "network", name_text(record->network));
  put(&b, root, "data", name_text(record->data));
  put(&b, root, "operation_quantiles", numbers_array(&b, record->operation_quantiles, QUANTILES));
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *layer = &record->layers[i];
    json_t *object = fields_object(&b, layer_fields, COUNT(layer_fields), layer);
    put(&b, object, "name", name_text(layer->name));
    put(&b, object, "kind", json_string(layer->kind == SST_COST_CONV ? "conv" : "linear"));
    put(&b, object, "step_inputs", numbers_array(&b, record->step_inputs + i * record->timesteps, layer->timesteps));
    if (json_array_append_new(layers, object) != 0) { b.good = false; }
  }
  put(&b, root, "layers", layers);
  sst_status status = b.good ? ssti_json_text(record->context, root, true, out)
                             : ssti_fail(record->context, SST_OUT_OF_MEMORY, "no memory for a cost record's text");
  json_decref(root);
  return status;
}

static bool set_field(const field *f, const json_t *value, char *object) {
  char *at = object + f->offset;
  switch (f->type) {
  case FIELD_WHOLE:
    if (!json_is_integer(value) || json_integer_value(value) < 0) { return false; }
    *(int64_t *)(void *)at = json_integer_value(value);
    return true;
  case FIELD_INT:
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 64) { return false; }
    *(int *)(void *)at = (int)json_integer_value(value);
    return true;
  case FIELD_TRUTH:
    if (!json_is_boolean(value)) { return false; }
    *(bool *)(void *)at = json_is_true(value);
    return true;
  case FIELD_REAL: break;
  }
  if (!json_is_number(value) && !json_is_null(value)) { return false; }
  *(double *)(void *)at = json_is_null(value) ? (double)NAN : json_number_value(value);
  return true;
}

static sst_status read_fields(sst_context *context, const field *fields, int count, const json_t *from, void *object) {
  for (int i = 0; i < count; i++) {
    if (!set_field(&fields[i], json_object_get(from, fields[i].key), object)) {
      SST_FAIL(context, SST_FORMAT, "'%s' is missing, of another type or out of range", fields[i].key);
    }
  }
  return SST_OK;
}

static sst_status read_text(sst_context *context, const char *key, const json_t *from, char out[SST_COST_NAME_SIZE]) {
  const char *text = json_string_value(json_object_get(from, key));
  if (text == NULL) { SST_FAIL(context, SST_FORMAT, "'%s' is missing or no text", key); }
  snprintf(out, SST_COST_NAME_SIZE, "%s", text);
  return SST_OK;
}

static sst_status read_layer(sst_context *context, const json_t *from, int64_t steps, sst_cost_layer *out,
                             double *step_inputs) {
  SST_TRY(read_fields(context, layer_fields, COUNT(layer_fields), from, out));
  SST_TRY(read_text(context, "name", from, out->name));
  const char *kind = json_string_value(json_object_get(from, "kind"));
  if (kind == NULL || (strcmp(kind, "conv") != 0 && strcmp(kind, "linear") != 0)) {
    SST_FAIL(context, SST_FORMAT, "'kind' is %s, expected conv or linear", kind ? kind : "missing");
  }
  out->kind = strcmp(kind, "conv") == 0 ? SST_COST_CONV : SST_COST_LINEAR;
  // Models divide by sizes and multiply two of them.
  const int64_t sizes[] = {out->in_channels,   out->in_height,   out->in_width,      out->out_channels,
                           out->out_height,    out->out_width,   out->pooled_height, out->pooled_width,
                           out->groups,        out->timesteps,   out->kernel_height, out->kernel_width,
                           out->stride_height, out->stride_width};
  for (int i = 0; i < COUNT(sizes); i++) {
    if (sizes[i] < 1 || sizes[i] > INT32_MAX) {
      SST_FAIL(context, SST_FORMAT, "layer %s has a size of %lld, expected 1 to %d", out->name, (long long)sizes[i],
               INT32_MAX);
    }
  }
  if (out->timesteps > steps) {
    SST_FAIL(context, SST_FORMAT, "layer %s runs at %lld of %lld steps", out->name, (long long)out->timesteps,
             (long long)steps);
  }
  return read_numbers(context, "step_inputs", from, out->timesteps, step_inputs);
}

static sst_status read_record(sst_context *context, const json_t *root, sst_cost_record **out) {
  const json_t *layers = json_object_get(root, "layers");
  if (!json_is_array(layers) || json_array_size(layers) < 1 || json_array_size(layers) > SST_MAX_COST_LAYERS) {
    SST_FAIL(context, SST_FORMAT, "'layers' is no list of 1 to %d layers", (int)SST_MAX_COST_LAYERS);
  }
  json_int_t timesteps = json_integer_value(json_object_get(root, "timesteps"));
  if (timesteps < 1 || timesteps > SST_MAX_COST_STEPS) {
    SST_FAIL(context, SST_FORMAT, "'timesteps' is no number from 1 to %d", (int)SST_MAX_COST_STEPS);
  }
  SST_TRY(sst_cost_record_create(context, (int)json_array_size(layers), (int64_t)timesteps, out));
  SST_TRY(read_fields(context, record_fields, COUNT(record_fields), root, *out));
  SST_TRY(read_text(context, "network", root, (*out)->network));
  SST_TRY(read_text(context, "data", root, (*out)->data));
  SST_TRY(read_numbers(context, "operation_quantiles", root, QUANTILES, (*out)->operation_quantiles));
  for (int i = 0; i < (*out)->layer_count; i++) {
    sst_status status = read_layer(context, json_array_get(layers, (size_t)i), timesteps, &(*out)->layers[i],
                                   (*out)->step_inputs + i * timesteps);
    if (status != SST_OK) { return ssti_fail_within(context, status, "layer %d", i); }
  }
  return SST_OK;
}

sst_status sst_cost_record_parse(sst_context *context, const char *name, const char *text, size_t size,
                                 sst_cost_record **out) {
  *out = NULL;
  json_t *root = NULL;
  SST_TRY(ssti_json_parse(context, name, text, size, &root));
  sst_status status = read_record(context, root, out);
  if (status != SST_OK) {
    ssti_fail_within(context, status, "%s", name);
    sst_cost_record_destroy(*out);
    *out = NULL;
  }
  json_decref(root);
  return status;
}
