// SPDX-License-Identifier: Apache-2.0
#include "deploy/integer_fields.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WHOLE(word, object, field)                                                                                     \
  { word, offsetof(object, field), sizeof(((object *)0)->field) == 8 ? SSTI_FIELD_INT64 : SSTI_FIELD_INT32 }
#define TRUTH(word, object, field)                                                                                     \
  { word, offsetof(object, field), SSTI_FIELD_BOOL }

static const ssti_field network_fields[] = {
    WHOLE("timesteps", sst_integer_network, timesteps),
    WHOLE("classes", sst_integer_network, classes),
    TRUTH("input_each_step", sst_integer_network, input_each_step),
};
static const ssti_field value_fields[] = {
    WHOLE("height", sst_integer_value, height),     WHOLE("width", sst_integer_value, width),
    WHOLE("channels", sst_integer_value, channels), WHOLE("exponent", sst_integer_value, exponent),
    WHOLE("low", sst_integer_value, low),           WHOLE("high", sst_integer_value, high),
};

#define NODE(word, field) WHOLE(word, sst_integer_node, field)
static const ssti_field synapse_fields[] = {
    NODE("kernel_h", synapses.kernel_h),     NODE("kernel_w", synapses.kernel_w),
    NODE("stride_h", synapses.stride_h),     NODE("stride_w", synapses.stride_w),
    NODE("pad_h", synapses.pad_h),           NODE("pad_w", synapses.pad_w),
    NODE("dilation_h", synapses.dilation_h), NODE("dilation_w", synapses.dilation_w),
    NODE("groups", synapses.groups),         NODE("weight_bits", synapses.weight_bits),
};
static const ssti_field neuron_fields[] = {
    NODE("threshold", neurons.threshold),
    NODE("threshold_step", neurons.threshold_step),
    TRUTH("hard_reset", sst_integer_node, neurons.hard_reset),
    NODE("gain", neurons.gain),
    NODE("state_shift", neurons.state_shift),
    NODE("input_shift", neurons.input_shift),
    NODE("decay", neurons.decay),
    NODE("decay_shift", neurons.decay_shift),
    NODE("limit", neurons.limit),
    NODE("state_bits", neurons.state_bits),
    NODE("start", neurons.start),
    NODE("exponent", neurons.exponent),
};
static const ssti_field pool_fields[] = {
    NODE("kernel_h", pool.kernel_h), NODE("kernel_w", pool.kernel_w), NODE("stride_h", pool.stride_h),
    NODE("stride_w", pool.stride_w), NODE("pad_h", pool.pad_h),       NODE("pad_w", pool.pad_w),
};
static const ssti_field add_fields[] = {NODE("first_shift", shift[0]), NODE("second_shift", shift[1])};
static const ssti_field readout_fields[] = {NODE("decay", readout.decay), NODE("shift", readout.shift)};

#define FIELDS(array) ((ssti_fields){array, (int)(sizeof(array) / sizeof(array)[0])})

ssti_fields ssti_network_fields(void) { return FIELDS(network_fields); }
ssti_fields ssti_value_fields(void) { return FIELDS(value_fields); }

ssti_fields ssti_node_fields(sst_integer_node_kind kind) {
  switch (kind) {
  case SST_INTEGER_NODE_SYNAPSES: return FIELDS(synapse_fields);
  case SST_INTEGER_NODE_NEURONS: return FIELDS(neuron_fields);
  case SST_INTEGER_NODE_SUM_POOL:
  case SST_INTEGER_NODE_MAX_POOL: return FIELDS(pool_fields);
  case SST_INTEGER_NODE_ADD: return FIELDS(add_fields);
  case SST_INTEGER_NODE_READOUT: return FIELDS(readout_fields);
  case SST_INTEGER_NODE_FLATTEN:
  case SST_INTEGER_NODE_COUNT: break;
  }
  return (ssti_fields){NULL, 0};
}

static sst_status read_field(sst_context *context, const char *what, const ssti_field *field, const json_t *value,
                             char *object) {
  if (field->type == SSTI_FIELD_BOOL) {
    if (!json_is_boolean(value)) {
      SST_FAIL(context, SST_FORMAT, "%s: '%s' is %s, expected true or false", what, field->word,
               value ? "something else" : "missing");
    }
    const bool truth = json_is_true(value);
    memcpy(object + field->offset, &truth, sizeof truth);
    return SST_OK;
  }
  if (!json_is_integer(value)) {
    SST_FAIL(context, SST_FORMAT, "%s: '%s' is %s, expected a whole number", what, field->word,
             value ? "something else" : "missing");
  }
  const int64_t number = (int64_t)json_integer_value(value);
  if (field->type == SSTI_FIELD_INT64) {
    memcpy(object + field->offset, &number, sizeof number);
    return SST_OK;
  }
  if (number < INT32_MIN || number > INT32_MAX) {
    SST_FAIL(context, SST_FORMAT, "%s: '%s' is %" PRId64 ", expected a number of 32 bits", what, field->word, number);
  }
  const int32_t narrow = (int32_t)number;
  memcpy(object + field->offset, &narrow, sizeof narrow);
  return SST_OK;
}

sst_status ssti_fields_read(sst_context *context, const char *what, ssti_fields fields, const json_t *from,
                            void *object) {
  for (int i = 0; i < fields.count; i++) {
    SST_TRY(read_field(context, what, &fields.list[i], json_object_get(from, fields.list[i].word), object));
  }
  return SST_OK;
}

sst_status ssti_json_put(sst_context *context, json_t *object, const char *key, json_t *value) {
  if (value != NULL && json_object_set_new(object, key, value) == 0) { return SST_OK; }
  SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the description of an integer network");
}

sst_status ssti_fields_write(sst_context *context, ssti_fields fields, const void *object, json_t *to) {
  for (int i = 0; i < fields.count; i++) {
    const ssti_field *field = &fields.list[i];
    const char *at = (const char *)object + field->offset;
    json_t *value = NULL;
    if (field->type == SSTI_FIELD_BOOL) {
      bool truth = false;
      memcpy(&truth, at, sizeof truth);
      value = json_boolean(truth);
    } else if (field->type == SSTI_FIELD_INT64) {
      int64_t number = 0;
      memcpy(&number, at, sizeof number);
      value = json_integer(number);
    } else {
      int32_t number = 0;
      memcpy(&number, at, sizeof number);
      value = json_integer(number);
    }
    SST_TRY(ssti_json_put(context, to, field->word, value));
  }
  return SST_OK;
}
