// SPDX-License-Identifier: Apache-2.0
// The record of an integer network: where it comes from, its layers, and what was measured when it was made.
#include "run/assemble.h"
#include "run/run_folder.h"
#include "spikestill/version.h"

// The list with the item, which it takes; NULL if memory has run out for either.
static json_t *appended(json_t *list, json_t *item) {
  if (json_array_append_new(list, item) == 0) { return list; }
  json_decref(list);
  return NULL;
}

// The object with the members of another, which it takes; NULL if memory has run out for either.
static json_t *merged(json_t *object, json_t *more) {
  const bool done = json_object_update(object, more) == 0;
  json_decref(more);
  if (done) { return object; }
  json_decref(object);
  return NULL;
}

// Bits as the lowered simulation has them; 0: none.
static json_t *bits_json(const sst_recipe *recipe) {
  const sst_model_options *options = &recipe->student.options;
  const sst_quantization *q = &options->quantization;
  return json_pack("{s:s, s:i, s:i, s:i, s:i, s:f}", "quantizer", sst_weight_quantizer_word(q->weights.kind), "weights",
                   sst_weight_quantizer_bits(&q->weights), "membranes", options->neuron.membrane_bits, "norms",
                   q->norm_bits, "input", q->input_bits, "membrane_range", (double)options->neuron.membrane_range);
}

static json_t *synapses_json(const sst_integer_node *node, const sst_integer_sizes *s) {
  return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:f}", "name", node->name, "weight_bits", node->synapses.weight_bits,
                   "weights", (json_int_t)s->weights, "weight_bytes", (json_int_t)s->weight_bytes, "constant_bytes",
                   (json_int_t)s->constant_bytes, "float_bytes", (json_int_t)s->float_bytes, "float_ratio",
                   (double)s->float_bytes / (double)(s->weight_bytes + s->constant_bytes));
}

static json_t *neurons_json(const sst_integer_node *node, const sst_integer_sizes *s) {
  return json_pack("{s:s, s:i, s:I, s:I}", "name", node->name, "state_bits", node->neurons.state_bits, "neurons",
                   (json_int_t)s->neurons, "state_bytes", (json_int_t)s->state_bytes);
}

// Layers with weights or states, and the sums over them. NULL if memory runs out, as json_pack's.
static json_t *layers_json(const sst_integer_network *network, sst_integer_sizes *total) {
  json_t *layers = json_array();
  for (int i = 0; layers && i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    const bool synapses = node->kind == SST_INTEGER_NODE_SYNAPSES;
    if (!synapses && node->kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const sst_integer_sizes s = sst_integer_node_sizes(network, i);
    total->weights += s.weights;
    total->weight_bytes += s.weight_bytes + s.constant_bytes;
    total->float_bytes += s.float_bytes;
    total->state_bytes += s.state_bytes;
    layers = appended(layers, synapses ? synapses_json(node, &s) : neurons_json(node, &s));
  }
  return layers;
}

static json_t *calibration_json(const sst_calibration *c) {
  if (c->samples == 0) { return json_null(); }
  return json_pack("{s:s, s:I, s:f}", "data", c->data, "samples", (json_int_t)c->samples, "accuracy", c->accuracy);
}

// Each layer that was rounded, and by how much.
static json_t *approximations_json(const sst_approximations *made) {
  json_t *list = json_array();
  for (int i = 0; list && i < made->count; i++) {
    const sst_approximation *one = &made->items[i];
    list = appended(list, json_pack("{s:s, s:s, s:f}", "layer", one->layer, "what", sst_approximation_word(one->kind),
                                    "size", one->size));
  }
  return list;
}

// The integer network beside the one that it was made of.
static json_t *comparison_json(const sst_integer_comparison *c) {
  json_t *layers = json_array();
  for (int i = 0; layers && i < c->layer_count; i++) {
    const sst_integer_layer_comparison *one = &c->layers[i];
    layers = appended(layers, json_pack("{s:s, s:I, s:I, s:I, s:f}", "name", one->name, "neuron_steps",
                                        (json_int_t)one->neuron_steps, "spikes", (json_int_t)one->spikes,
                                        "different_spikes", (json_int_t)one->different_spikes, "share",
                                        (double)one->different_spikes / (double)one->neuron_steps));
  }
  const double count = (double)c->count;
  return json_pack("{s:s, s:I, s:f, s:f, s:I, s:o}", "data", c->data, "samples", (json_int_t)c->count,
                   "accuracy_before", (double)c->simulation_correct / count, "accuracy",
                   (double)c->integer_correct / count, "different_classes", (json_int_t)c->different_classes, "layers",
                   layers);
}

// How it was chosen by training pictures, or what became of them.
static json_t *origin_json(const sst_integer_origin *origin) {
  return origin->approximations == NULL
             ? json_pack("{s:o}", "calibration", calibration_json(origin->calibration))
             : json_pack("{s:o, s:o}", "approximations", approximations_json(origin->approximations), "comparison",
                         comparison_json(origin->comparison));
}

static json_t *measured_json(const sst_integer_origin *origin) {
  const sst_evaluation *before = &origin->before->evaluation, *after = &origin->after->evaluation;
  return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "data", origin->before->data, "count",
                   (json_int_t)before->count, "test_accuracy_before", before->accuracy, "test_accuracy",
                   after->accuracy, "test_accuracy_difference", after->accuracy - before->accuracy,
                   "spikes_per_inference_before", before->spikes_per_inference, "spikes_per_inference",
                   after->spikes_per_inference, "spikes_per_inference_difference",
                   after->spikes_per_inference - before->spikes_per_inference);
}

sst_status sst_integer_write_record(const sst_integer_network *network, const sst_integer_origin *origin,
                                    const char *path) {
  const sst_recipe *recipe = origin->simulation->recipe;
  const bool exact = origin->calibration == NULL && origin->approximations == NULL;
  sst_integer_sizes total = {0};
  json_t *layers = layers_json(network, &total);
  json_t *root =
      json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:I, s:I, s:I, s:I, s:f, s:I, s:o}", "name", recipe->name,
                "version", sst_version(), "model", origin->model, "file", origin->file, "exact", (int)exact, "method",
                exact                            ? "as_trained"
                : origin->approximations == NULL ? "post_training"
                                                 : "approximate",
                "bits", bits_json(recipe), "timesteps", (json_int_t)network->timesteps, "weights",
                (json_int_t)total.weights, "bytes", (json_int_t)total.weight_bytes, "float_bytes",
                (json_int_t)total.float_bytes, "float_ratio", (double)total.float_bytes / (double)total.weight_bytes,
                "state_bytes", (json_int_t)total.state_bytes, "layers", layers);
  if (!exact) { root = merged(merged(root, measured_json(origin)), origin_json(origin)); }
  return ssti_run_write_json(network->context, path, root);
}
