// SPDX-License-Identifier: Apache-2.0
// Whether an integer network is sound: what it says of its values is held against what its nodes make of them.
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "deploy/integer_rules.h"

static sst_status check_number(sst_context *context, const char *what, int64_t found, int64_t low, int64_t high) {
  if (found >= low && found <= high) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT, "the integer network's %s is %" PRId64 ", expected %" PRId64 " to %" PRId64,
           what, found, low, high);
}

static sst_status check_pixel_codes(const sst_integer_network *network) {
  if (network->pixel_codes == NULL) { return SST_OK; }
  const sst_integer_value *input = &network->values[0];
  for (int64_t i = 0; i < input->channels * 256; i++) {
    const int code = network->pixel_codes[i];
    if (code < input->low || code > input->high) {
      SST_FAIL(network->context, SST_INVALID_ARGUMENT,
               "the code of byte %" PRId64 " of channel %" PRId64 " is %d, expected %" PRId64 " to %" PRId64, i % 256,
               i / 256, code, input->low, input->high);
    }
  }
  return SST_OK;
}

sst_status ssti_integer_check_header(const sst_integer_network *network) {
  sst_context *context = network->context;
  const sst_integer_value *input = &network->values[0];
  SST_TRY(check_number(context, "number of time steps", network->timesteps, 1, SSTI_INTEGER_MOST_STEPS));
  SST_TRY(check_number(context, "number of classes", network->classes, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(context, "input's height", input->height, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(context, "input's width", input->width, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(context, "input's number of channels", input->channels, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(context, "number of pixels", input->height * input->width, 1, SSTI_INTEGER_LARGEST_VALUE));
  SST_TRY(check_number(context, "input's size", input->height * input->width * input->channels, 1,
                       SSTI_INTEGER_LARGEST_VALUE));
  SST_TRY(check_number(context, "input's exponent", input->exponent, 0, 62));
  SST_TRY(check_number(context, "input's lower bound", input->low, INT16_MIN, INT16_MAX));
  SST_TRY(check_number(context, "input's upper bound", input->high, input->low, INT16_MAX));
  if (input->once == network->input_each_step) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the integer network's input is %s, but it %s input at each step",
             input->once ? "the same in every step" : "not the same in every step",
             network->input_each_step ? "has" : "has no");
  }
  return check_pixel_codes(network);
}

static bool is_name(const char name[48]) {
  const size_t length = strnlen(name, 48);
  if (length == 0 || length == 48) { return false; }
  for (size_t i = 0; i < length; i++) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') { return false; }
  }
  return true;
}

static sst_status check_name(const sst_integer_network *network, int index) {
  const char *name = network->nodes[index].name;
  if (!is_name(name)) {
    SST_FAIL(network->context, SST_INVALID_ARGUMENT,
             "the name of node %d is not 1 to 47 of the characters A-Z a-z 0-9 . _ -", index);
  }
  for (int i = 0; i < index; i++) {
    if (strcmp(network->nodes[i].name, name) == 0) {
      SST_FAIL(network->context, SST_INVALID_ARGUMENT, "nodes %d and %d have the same name, %s", i, index, name);
    }
  }
  return SST_OK;
}

static sst_status check_node(const sst_integer_network *network, int index) {
  sst_context *context = network->context;
  const sst_integer_node *node = &network->nodes[index];
  const bool last = index == network->node_count - 1;
  SST_TRY(check_name(network, index));
  if ((node->kind == SST_INTEGER_NODE_READOUT) != last || node->output != (last ? -1 : index + 1)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "node %s: node %d of %d is a %s that makes value %d, expected %s",
             node->name, index, network->node_count, sst_integer_node_word(node->kind), node->output,
             last ? "the readout, which makes -1, none" : "value of its own number + 1, and the readout last");
  }
  sst_integer_value found;
  SST_TRY(ssti_integer_infer(network, index, &found));
  if (last) { return SST_OK; }
  const sst_integer_value *stated = &network->values[node->output];
  if (stated->height != found.height || stated->width != found.width || stated->channels != found.channels) {
    SST_FAIL(context, SST_SHAPE,
             "node %s: makes %" PRId64 "x%" PRId64 "x%" PRId64 ", but its value is %" PRId64 "x%" PRId64 "x%" PRId64,
             node->name, found.height, found.width, found.channels, stated->height, stated->width, stated->channels);
  }
  if (stated->exponent != found.exponent || stated->once != found.once) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "node %s: its value has exponent %d and once %d, expected %d and %d",
             node->name, stated->exponent, stated->once, found.exponent, found.once);
  }
  if (stated->low > found.low || stated->high < found.high) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "node %s: its value has the bounds %" PRId64 "..%" PRId64 ", but may reach %" PRId64 "..%" PRId64,
             node->name, stated->low, stated->high, found.low, found.high);
  }
  SST_TRY(check_number(context, "lower bounds", stated->low, -INT32_MAX, INT32_MAX));
  return check_number(context, "upper bounds", stated->high, -INT32_MAX, INT32_MAX);
}

sst_status sst_integer_network_check(const sst_integer_network *network) {
  sst_context *context = network->context;
  SST_TRY(check_number(context, "number of nodes", network->node_count, 1, SSTI_INTEGER_MOST_NODES));
  SST_TRY(check_number(context, "number of values", network->value_count, network->node_count, network->node_count));
  SST_TRY(ssti_integer_check_header(network));
  for (int i = 0; i < network->node_count; i++) { SST_TRY(check_node(network, i)); }
  return SST_OK;
}
