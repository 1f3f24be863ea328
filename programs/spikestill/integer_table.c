// SPDX-License-Identifier: Apache-2.0
#include "integer_table.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "json_output.h"
#include "spikestill/run.h"

sst_integer_sizes total_sizes(const sst_integer_network *network) {
  sst_integer_sizes total = {0};
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_sizes s = sst_integer_node_sizes(network, i);
    total.weights += s.weights;
    total.weight_bytes += s.weight_bytes;
    total.constant_bytes += s.constant_bytes;
    total.float_bytes += s.float_bytes;
    total.neurons += s.neurons;
    total.state_bytes += s.state_bytes;
  }
  return total;
}

static double ratio_of(const sst_integer_sizes *s) {
  return (double)s->float_bytes / (double)(s->weight_bytes + s->constant_bytes);
}

// Bits of a code or of a stored state; 0 for others.
static int bits_of(const sst_integer_node *node) {
  if (node->kind == SST_INTEGER_NODE_SYNAPSES) { return node->synapses.weight_bits; }
  return node->kind == SST_INTEGER_NODE_NEURONS ? node->neurons.state_bits : 0;
}

static void print_nodes(const sst_integer_network *network) {
  printf("%-20s %-10s %-14s %5s %12s %12s %12s %8s\n", "node", "kind", "output H,W,C", "bits", "weights or", "bytes",
         "constants", "float /");
  printf("%-20s %-10s %-14s %5s %12s %12s %12s %8s\n", "", "", "", "", "neurons", "", "", "bytes");
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    const sst_integer_sizes s = sst_integer_node_sizes(network, i);
    char shape[64] = "", bits[16] = "", ratio[16] = "";
    if (node->output >= 0) {
      const sst_integer_value *v = &network->values[node->output];
      snprintf(shape, sizeof shape, "%" PRId64 ",%" PRId64 ",%" PRId64, v->height, v->width, v->channels);
    }
    if (bits_of(node) > 0) { snprintf(bits, sizeof bits, "%d", bits_of(node)); }
    if (s.weights > 0) { snprintf(ratio, sizeof ratio, "%.1f", ratio_of(&s)); }
    printf("%-20s %-10s %-14s %5s %12" PRId64 " %12" PRId64 " %12" PRId64 " %8s\n", node->name,
           sst_integer_node_word(node->kind), shape, bits, s.weights + s.neurons, s.weight_bytes + s.state_bytes,
           s.constant_bytes, ratio);
  }
}

static int print_network(const char *path, const sst_integer_network *network) {
  const sst_integer_value *input = &network->values[0];
  const sst_integer_sizes total = total_sizes(network);
  printf("%-22s %s, integers, T = %" PRId64 "\n", "network", path, network->timesteps);
  printf("%-22s %" PRId64 "x%" PRId64 "x%" PRId64 " of %" PRId64 "..%" PRId64 "%s%s\n\n", "input", input->height,
         input->width, input->channels, input->low, input->high,
         network->pixel_codes ? ", made of bytes by a table" : "",
         network->input_each_step ? ", another one at each step" : "");
  print_nodes(network);
  printf("\n%-22s %" PRId64 " in %" PRId64 " bytes, with %" PRId64 " bytes of factors and offsets\n", "weights",
         total.weights, total.weight_bytes, total.constant_bytes);
  printf("%-22s %" PRId64 " bytes, %.1f times as many\n", "as floats", total.float_bytes, ratio_of(&total));
  printf("%-22s %" PRId64 " with states of %" PRId64 " bytes\n", "neurons", total.neurons, total.state_bytes);
  return EXIT_DONE;
}

static int print_network_json(const char *path, const sst_integer_network *network) {
  const sst_integer_sizes total = total_sizes(network);
  json_t *nodes = json_array();
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    const sst_integer_sizes s = sst_integer_node_sizes(network, i);
    json_t *one = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "name", node->name, "kind",
                            sst_integer_node_word(node->kind), "bits", bits_of(node), "weights", (json_int_t)s.weights,
                            "weight_bytes", (json_int_t)s.weight_bytes, "constant_bytes", (json_int_t)s.constant_bytes,
                            "float_bytes", (json_int_t)s.float_bytes, "neurons", (json_int_t)s.neurons, "state_bytes",
                            (json_int_t)s.state_bytes);
    if (node->output >= 0) {
      const sst_integer_value *v = &network->values[node->output];
      json_object_set_new(one, "shape",
                          json_pack("[I, I, I]", (json_int_t)v->height, (json_int_t)v->width, (json_int_t)v->channels));
    }
    json_array_append_new(nodes, one);
  }
  return print_json(json_pack("{s:s, s:b, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:f, s:I, s:I}", "name", path, "integer",
                              1, "timesteps", (json_int_t)network->timesteps, "classes", (json_int_t)network->classes,
                              "nodes", nodes, "weights", (json_int_t)total.weights, "weight_bytes",
                              (json_int_t)total.weight_bytes, "constant_bytes", (json_int_t)total.constant_bytes,
                              "float_bytes", (json_int_t)total.float_bytes, "float_ratio", ratio_of(&total), "neurons",
                              (json_int_t)total.neurons, "state_bytes", (json_int_t)total.state_bytes));
}

int inspect_integers(sst_context *context, const arguments *a) {
  sst_integer_network *network = NULL;
  const sst_status status = sst_integer_network_load(context, a->words[0], &network);
  if (status != SST_OK) { return report_failure(context, status); }
  const int code = a->json ? print_network_json(a->words[0], network) : print_network(a->words[0], network);
  sst_integer_network_free(network);
  return code;
}

// ---- comparison

const sst_engine_level *chosen_level(const arguments *a, sst_engine_level *room) {
  return a->level != NULL && sst_engine_level_parse(a->level, room) ? room : NULL;
}

static void print_first(const sst_integer_network *network, const sst_integer_comparison *c) {
  const sst_integer_difference *d = &c->first;
  const sst_integer_value *v = &network->values[d->node + 1];
  const int64_t row = d->neuron / v->channels / v->width, column = d->neuron / v->channels % v->width;
  printf("first                  layer %s, picture %" PRId64 ", step %" PRId64 ", neuron row %" PRId64
         " column %" PRId64 " channel %" PRId64 ": membrane %.9g in the simulation, %.9g in the integer network\n",
         network->nodes[d->node].name, d->picture, d->step, row, column, d->neuron % v->channels, d->simulation,
         d->integer);
}

static json_t *first_json(const sst_integer_network *network, const sst_integer_comparison *c) {
  const sst_integer_difference *d = &c->first;
  if (c->different_spikes == 0) { return json_null(); }
  const sst_integer_value *v = &network->values[d->node + 1];
  return json_pack("{s:s, s:I, s:I, s:[I, I, I], s:f, s:f}", "layer", network->nodes[d->node].name, "picture",
                   (json_int_t)d->picture, "step", (json_int_t)d->step, "neuron",
                   (json_int_t)(d->neuron / v->channels / v->width), (json_int_t)(d->neuron / v->channels % v->width),
                   (json_int_t)(d->neuron % v->channels), "membrane_simulation", d->simulation, "membrane_integer",
                   d->integer);
}

static int print_comparison(const arguments *a, const char *file, const char *run, const sst_integer_network *network,
                            const sst_integer_comparison *c) {
  const double count = (double)c->count;
  if (a->json) {
    return print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o}", "model", file, "simulation", run, "level",
        sst_engine_level_word(c->level), "data", c->data, "count", (json_int_t)c->count, "neuron_steps",
        (json_int_t)c->neuron_steps, "spikes", (json_int_t)c->spikes, "different_spikes",
        (json_int_t)c->different_spikes, "different_membranes", (json_int_t)c->different_membranes, "different_classes",
        (json_int_t)c->different_classes, "accuracy_simulation", (double)c->simulation_correct / count,
        "accuracy_integer", (double)c->integer_correct / count, "first", first_json(network, c)));
  }
  printf("integer network        %s, %.2f %%, instruction set %s\n", file, 100 * (double)c->integer_correct / count,
         sst_engine_level_word(c->level));
  printf("simulation             %s, %.2f %%\n", run, 100 * (double)c->simulation_correct / count);
  printf("data                   %s, %" PRId64 " samples\n", c->data, c->count);
  printf("spikes                 %" PRId64 " in %" PRId64 " neuron steps\n", c->spikes, c->neuron_steps);
  printf("differing spikes       %" PRId64 "\n", c->different_spikes);
  printf("differing membranes    %" PRId64 "\n", c->different_membranes);
  printf("differing classes      %" PRId64 "\n", c->different_classes);
  if (c->different_spikes > 0) { print_first(network, c); }
  return EXIT_DONE;
}

int compare_integers(sst_context *context, const arguments *a, sst_part part) {
  const bool first = sst_integer_network_recognize(a->words[0]);
  const char *file = first ? a->words[0] : a->compare, *run = first ? a->compare : a->words[0];
  if (!sst_integer_network_recognize(file)) {
    return usage_error("eval --compare takes an integer network and the run that it was made of; neither %s nor %s is "
                       "an integer network",
                       a->words[0], a->compare);
  }
  sst_integer_network *network = NULL;
  sst_network *simulation = NULL;
  sst_integer_comparison c = {0};
  sst_status status = sst_integer_network_load(context, file, &network);
  if (status == SST_OK) { status = sst_network_open(context, run, a->overrides, a->override_count, &simulation); }
  if (status == SST_OK) {
    sst_engine_level level;
    const sst_integer_evaluation_options options = {part, a->samples, a->overrides, a->override_count,
                                                    chosen_level(a, &level)};
    status = sst_integer_compare(network, file, simulation, &options, &c);
  }
  int code = status != SST_OK ? report_failure(context, status) : print_comparison(a, file, run, network, &c);
  if (code == EXIT_DONE && c.different_spikes > 0) { code = EXIT_BELOW; }
  sst_integer_comparison_free(context, &c);
  sst_network_close(simulation);
  sst_integer_network_free(network);
  return code;
}
