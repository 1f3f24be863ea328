// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "integer_table.h"
#include "json_output.h"
#include "spikestill/run.h"

static void print_layers(const sst_graph *graph, int batch) {
  printf("%-22s %-16s %-22s %5s %12s %14s %12s\n", "layer", "op", "output [T,N,H,W,C]", "bits", "parameters", "MACs",
         "updates");
  int64_t macs = 0, updates = 0;
  for (int i = 0; i < sst_graph_node_count(graph); i++) {
    sst_node_info n = sst_graph_node_info(graph, i);
    char shape[SST_SHAPE_TEXT_SIZE];
    char bits[16] = "";
    if (n.bits > 0) { snprintf(bits, sizeof bits, "%d", n.bits); }
    printf("%-22s %-16s %-22s %5s %12" PRId64 " %14" PRId64 " %12" PRId64 "\n", n.name, n.op,
           sst_shape_text(n.shape, shape, sizeof shape), bits, n.parameters, n.macs / batch, n.neuron_updates / batch);
    macs += n.macs / batch;
    updates += n.neuron_updates / batch;
  }
  printf("\nMACs and membrane updates are per inference, all time steps, counted densely.\n");
  printf("%-22s %" PRId64 "\n%-22s %" PRId64 "\n", "MACs", macs, "membrane updates", updates);
}

static void print_part(const char *name, size_t bytes) {
  printf("  %-20s %10.2f MiB\n", name, (double)bytes / 1048576);
}

// What training takes; nothing where no recipe says how, or its teacher is not there.
static void print_training_memory(sst_network *network) {
  sst_training_memory m;
  if (sst_network_training_memory(network, &m) != SST_OK) { return; }
  printf("memory of training, batch %" PRId64 ", train.memory: %s\n", sst_network_recipe(network)->train.batch,
         sst_memory_word(sst_network_recipe(network)->train.memory));
  print_part("planned", m.planned);
  print_part("parameters", m.parameters);
  print_part("gradients", m.gradients);
  print_part("optimiser", m.optimizer);
  print_part("batches made ahead", m.data);
  print_part("code", m.code);
  print_part("together", m.total);
  printf("  and %.3f GFLOP a sample, in convolutions and linear layers\n",
         m.flops / (double)sst_network_recipe(network)->train.batch / 1e9);
  if (m.teacher_sample > 0) {
    printf("  the teacher makes %.1f KiB of a picture, the same each time: kept if all take at most %" PRId64
           " MiB (teacher_memory)\n",
           (double)m.teacher_sample / 1024, sst_network_recipe(network)->teacher_memory);
  }
  printf("  every activation in f32 and its gradient would take %.2f MiB; the data set is not counted\n",
         (double)m.all_kept / 1048576);
}

// The same as an object; null where it is not known.
static json_t *training_memory_json(sst_network *network) {
  sst_training_memory m;
  if (sst_network_training_memory(network, &m) != SST_OK) { return json_null(); }
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "planned", (json_int_t)m.planned, "parameters",
                   (json_int_t)m.parameters, "gradients", (json_int_t)m.gradients, "optimizer", (json_int_t)m.optimizer,
                   "data", (json_int_t)m.data, "code", (json_int_t)m.code, "total", (json_int_t)m.total,
                   "teacher_sample", (json_int_t)m.teacher_sample, "all_kept", (json_int_t)m.all_kept, "flops",
                   m.flops);
}

static int print_network(sst_network *network, const sst_graph *graph, int batch) {
  const sst_recipe *recipe = sst_network_recipe(network);
  printf("%-22s %s, %s, T = %" PRId64 "\n", "network", recipe->name, recipe->student.spiking ? "spiking" : "ANN",
         recipe->student.options.timesteps);
  print_layers(graph, batch);
  printf("%-22s %" PRId64 "\n", "parameters", sst_parameters_elements(sst_network_parameters(network)));
  printf("%-22s %.2f MiB planned for batch %d (%.2f MiB without reuse)\n", "memory",
         (double)sst_graph_planned_bytes(graph) / 1048576, batch, (double)sst_graph_unplanned_bytes(graph) / 1048576);
  print_training_memory(network);
  printf("\ntaps:");
  for (int i = 0; i < sst_graph_tap_count(graph); i++) { printf(" %s", sst_graph_tap_at(graph, i, NULL)); }
  printf("\n");
  return EXIT_DONE;
}

static json_t *shape_json(sst_shape shape) {
  return json_pack("[I, I, I, I, I]", (json_int_t)shape.dim[0], (json_int_t)shape.dim[1], (json_int_t)shape.dim[2],
                   (json_int_t)shape.dim[3], (json_int_t)shape.dim[4]);
}

static int print_network_json(sst_network *network, const sst_graph *graph, int batch) {
  const sst_recipe *recipe = sst_network_recipe(network);
  json_t *layers = json_array(), *taps = json_array();
  for (int i = 0; i < sst_graph_node_count(graph); i++) {
    sst_node_info n = sst_graph_node_info(graph, i);
    json_array_append_new(layers, json_pack("{s:s, s:s, s:o, s:i, s:I, s:I, s:I}", "name", n.name, "op", n.op, "shape",
                                            shape_json(n.shape), "bits", n.bits, "parameters", (json_int_t)n.parameters,
                                            "macs", (json_int_t)(n.macs / batch), "neuron_updates",
                                            (json_int_t)(n.neuron_updates / batch)));
  }
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    json_array_append_new(taps, json_string(sst_graph_tap_at(graph, i, NULL)));
  }
  return print_json(
      json_pack("{s:s, s:b, s:I, s:I, s:o, s:o, s:i, s:I, s:I, s:o}", "name", recipe->name, "spiking",
                recipe->student.spiking, "timesteps", (json_int_t)recipe->student.options.timesteps, "parameters",
                (json_int_t)sst_parameters_elements(sst_network_parameters(network)), "layers", layers, "taps", taps,
                "batch", batch, "planned_bytes", (json_int_t)sst_graph_planned_bytes(graph), "unplanned_bytes",
                (json_int_t)sst_graph_unplanned_bytes(graph), "training_bytes", training_memory_json(network)));
}

int command_inspect(sst_context *context, const arguments *a) {
  if (sst_integer_network_recognize(a->words[0])) { return inspect_integers(context, a); }
  sst_network *network;
  sst_status status = open_model(context, a, &network);
  if (status != SST_OK) { return report_failure(context, status); }
  sst_graph *graph = NULL;
  sst_value input, logits;
  status = sst_network_graph(network, a->batch, &input, &logits, &graph);
  int code;
  if (status != SST_OK) {
    code = report_failure(context, status);
  } else {
    code = a->json ? print_network_json(network, graph, a->batch) : print_network(network, graph, a->batch);
  }
  sst_graph_destroy(graph);
  sst_network_close(network);
  return code;
}
