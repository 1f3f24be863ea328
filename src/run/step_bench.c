// SPDX-License-Identifier: Apache-2.0
// Times training and inference steps of a recipe's network on fixed pictures of noise: no files, no loader, just the
// work.
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/resident.h"
#include "run/training_memory.h"
#include "train/given_steps.h"

static void fill_inputs(const ssti_loss_graph *loss) {
  float *input = sst_graph_data(loss->graph, loss->input), *target = sst_graph_data(loss->graph, loss->target);
  int64_t count = sst_shape_count(sst_graph_shape(loss->graph, loss->input));
  uint64_t stream = ssti_random_stream("bench");
  for (int64_t i = 0; i < count; i++) { input[i] = ssti_random_normal(1, stream, (uint64_t)i); }
  sst_shape shape = sst_graph_shape(loss->graph, loss->target);
  for (int64_t n = 0; n < shape.dim[SST_AXIS_N]; n++) {
    target[n * shape.dim[SST_AXIS_C] + n % shape.dim[SST_AXIS_C]] = 1.0f;
  }
}

static double median(double *values, int count) {
  ssti_sort_seconds(count, values);
  return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static void note_layers(const sst_graph *graph, sst_step_bench *out) {
  for (int i = 0; i < sst_graph_node_count(graph) && out->layer_count < SST_BENCH_LAYERS; i++) {
    const sst_node_info info = sst_graph_node_info(graph, i);
    if (info.macs == 0) { continue; }
    sst_layer_bench *layer = &out->layers[out->layer_count++];
    snprintf(layer->name, sizeof layer->name, "%s", info.name != NULL ? info.name : info.op);
    layer->density = info.density;
    layer->forward_by_events = info.forward_by_events;
    layer->forward_by_codes = info.forward_by_codes;
    layer->weights_by_events = info.weights_by_events;
  }
}

// One training step, operation by operation; adds what of it the optimisers took.
static sst_status train_once(const sst_recipe *recipe, ssti_loss_graph *loss, sst_optimizer *optimizer,
                             const ssti_companions *companions, int step, double *optimizer_seconds) {
  const sst_run_options options = {.training = true, .seed = recipe->seed, .step = (uint64_t)step};
  sst_graph_forward(loss->graph, &options);
  sst_graph_backward(loss->graph);
  const double start = ssti_clock_seconds();
  sst_optimizer_step(optimizer, 0.01); // small steps: the network stays what it is
  for (int k = 0; k < companions->count; k++) { sst_optimizer_step(companions->items[k].optimizer, 0.01); }
  SST_TRY(sst_graph_wait(loss->graph));
  *optimizer_seconds += ssti_clock_seconds() - start;
  return SST_OK;
}

static void note_ops(const sst_graph *graph, int steps, sst_step_bench *out) {
  for (int i = 0; i < sst_graph_node_count(graph) && out->op_count < SST_BENCH_OPS; i++) {
    const sst_node_info info = sst_graph_node_info(graph, i);
    if (info.forward_seconds == 0 && info.backward_seconds == 0) { continue; } // a view, or fused with another
    sst_op_bench *op = &out->ops[out->op_count++];
    snprintf(op->name, sizeof op->name, "%s", info.name != NULL ? info.name : "");
    op->op = info.op;
    op->forward_seconds = info.forward_seconds / steps;
    op->backward_seconds = info.backward_seconds / steps;
  }
}

static sst_status time_done(const sst_recipe *recipe, ssti_loss_graph *loss, sst_optimizer *optimizer,
                            const ssti_companions *companions, int repetitions, double begin, double *seconds,
                            sst_step_bench *out) {
  for (int i = -2; i < repetitions; i++) { // two to warm up
    const double start = ssti_clock_seconds();
    double within = 0;
    SST_TRY(train_once(recipe, loss, optimizer, companions, i + 2, &within));
    if (i >= 0) { seconds[i] = ssti_clock_seconds() - start; }
    if (i == -2) { out->start_seconds = ssti_clock_seconds() - begin; }
  }
  return SST_OK;
}

// As an epoch gives them to a device beside the host.
static sst_status time_given(const sst_recipe *recipe, ssti_loss_graph *loss, sst_optimizer *optimizer,
                             const ssti_companions *companions, int repetitions, double begin, double *seconds,
                             sst_step_bench *out) {
  enum { WARM_UP = SSTI_RECORD_AFTER + 2 }; // the last of them from the recording
  sst_optimizer *optimizers[SST_MAX_OPTIMIZERS] = {optimizer};
  for (int k = 0; k < companions->count; k++) { optimizers[1 + k] = companions->items[k].optimizer; }
  ssti_given_steps steps = {.graph = loss->graph,
                            .optimizers = optimizers,
                            .optimizer_count = 1 + companions->count,
                            .records = recipe->speed.record};
  sst_status status = SST_OK;
  for (int i = -WARM_UP; i < repetitions && status == SST_OK; i++) {
    const sst_run_options options = {.training = true, .seed = recipe->seed, .step = (uint64_t)(i + WARM_UP)};
    const double start = ssti_clock_seconds();
    status = ssti_give_step(&steps, &options, 0.01);
    if (status == SST_OK) { status = sst_graph_wait(loss->graph); }
    if (i >= 0) { seconds[i] = ssti_clock_seconds() - start; }
    if (i == -WARM_UP) { out->start_seconds = ssti_clock_seconds() - begin; }
  }
  ssti_given_steps_end(&steps);
  return status;
}

static sst_status time_training(const sst_recipe *recipe, ssti_loss_graph *loss, sst_optimizer *optimizer,
                                const ssti_companions *companions, int repetitions, double begin, double *seconds,
                                sst_step_bench *out) {
  fill_inputs(loss);
  SST_TRY(recipe->device == SST_DEVICE_CUDA
              ? time_given(recipe, loss, optimizer, companions, repetitions, begin, seconds, out)
              : time_done(recipe, loss, optimizer, companions, repetitions, begin, seconds, out));
  sst_graph_measure(loss->graph);
  for (int i = 0; i < repetitions; i++) {
    SST_TRY(train_once(recipe, loss, optimizer, companions, repetitions + i, &out->optimizer_seconds));
  }
  out->optimizer_seconds /= repetitions;
  note_ops(loss->graph, repetitions, out);
  out->train_seconds = median(seconds, repetitions);
  out->train_bytes = sst_graph_planned_bytes(loss->graph);
  note_layers(loss->graph, out);
  out->train_flops = ssti_graph_flops(loss->graph);
  return SST_OK;
}

static sst_status time_inference(const sst_recipe *recipe, sst_parameters *parameters, const float *input,
                                 int repetitions, double *seconds, sst_step_bench *out) {
  sst_graph *graph = NULL;
  SST_TRY(ssti_create_graph(recipe, parameters, &graph));
  sst_value x = sst_graph_input(graph, "input", sst_recipe_input_shape(recipe, recipe->train.batch));
  sst_value logits = SST_NO_VALUE;
  ssti_build_network(graph, recipe, x, &logits);
  sst_graph_keep(graph, logits);
  sst_status status = sst_graph_compile(graph, SST_NO_VALUE);
  if (status == SST_OK) {
    sst_graph_bind(graph, x, input);
    for (int i = -2; i < repetitions && status == SST_OK; i++) {
      double start = ssti_clock_seconds();
      sst_graph_forward(graph, NULL);
      status = sst_graph_wait(graph);
      if (i >= 0) { seconds[i] = ssti_clock_seconds() - start; }
    }
    out->inference_seconds = median(seconds, repetitions);
    out->inference_bytes = sst_graph_planned_bytes(graph);
    out->inference_flops = ssti_graph_flops(graph);
  }
  sst_graph_destroy(graph);
  return status;
}

sst_status sst_run_bench(sst_context *context, const sst_recipe *recipe, int repetitions, sst_step_bench *out) {
  *out = (sst_step_bench){.batch = recipe->train.batch};
  if (repetitions < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "repetitions are %d, expected at least 1", repetitions);
  }
  sst_parameters *parameters = NULL;
  sst_network *teacher = NULL;
  sst_optimizer *optimizer = NULL;
  ssti_companions companions = {.count = 0};
  ssti_loss_graph loss = {0};
  double *seconds = NULL;
  sst_status status = SST_OK;
  const double begin = ssti_clock_seconds();
  const size_t before = ssti_resident_begin_peak();
  SST_TRY_GOTO(ssti_allocate(context, (size_t)repetitions, sizeof *seconds, &seconds));
  if (recipe->teacher[0]) { SST_TRY_GOTO(ssti_open_teacher(context, recipe, &teacher)); }
  SST_TRY_GOTO(sst_parameters_create(context, recipe->seed, &parameters));
  SST_TRY_GOTO(ssti_companions_open(context, recipe, &companions));
  SST_TRY_GOTO(ssti_build_loss(recipe, parameters, teacher, &companions, recipe->train.epochs - 1, &loss));
  SST_TRY_GOTO(ssti_companions_make_optimizers(recipe, &companions));
  SST_TRY_GOTO(sst_optimizer_create(parameters, recipe->device, &recipe->optimizer, &optimizer));
  SST_TRY_GOTO(time_training(recipe, &loss, optimizer, &companions, repetitions, begin, seconds, out));
  const size_t most = ssti_resident_peak_bytes();
  out->memory = ssti_training_memory(&loss, parameters, teacher, &companions, optimizer);
  out->train_measured_bytes = most > before ? most - before : 0;
  if (recipe->device == SST_DEVICE_CUDA) {
    sst_device_info card;
    SST_TRY_GOTO(sst_device_describe(context, recipe->device, &card));
    out->train_device_bytes = card.most_bytes;
  }
  SST_TRY_GOTO(time_inference(recipe, parameters, sst_graph_data(loss.graph, loss.input), repetitions, seconds, out));
done:
  sst_optimizer_destroy(optimizer);
  sst_graph_destroy(loss.graph);
  ssti_companions_close(&companions);
  sst_parameters_destroy(parameters);
  sst_network_close(teacher);
  ssti_free(context, seconds);
  return status;
}
