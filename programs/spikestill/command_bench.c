// SPDX-License-Identifier: Apache-2.0
// Training and inference speed of three tasks, or of a recipe, beside the ceiling of f32 multiply-adds, or of bf16 dot
// products, measured in the same run.
#include <stdio.h>
#include <string.h>

#include "card_bench.h"
#include "command.h"
#include "data_info.h"
#include "deploy_bench.h"
#include "json_output.h"
#include "spikestill/bench.h"
#include "spikestill/run.h"

// Each task is a recipe; only the network and the batch matter.
#define MLP                                                                                                            \
  "data: {name: mnist}\nstudent: {kind: snn, model: mlp, norm: none, timesteps: 4, readout: spike_count}\n"            \
  "optimizer: {kind: adamw, learning_rate: 0.001}\ntrain: {batch: 64}\n"
#define CNN                                                                                                            \
  "data: {name: mnist}\nstudent: {kind: snn, model: cnn, timesteps: 4, readout: spike_count}\n"                        \
  "optimizer: {kind: adamw, learning_rate: 0.001}\ntrain: {batch: 64}\n"
#define VGG9                                                                                                           \
  "data: {name: cifar10}\nstudent: {kind: snn, model: vgg9, timesteps: 4, readout: spike_count}\ntrain: {batch: 64}\n"
#define VGG9_4_BITS                                                                                                    \
  "data: {name: cifar10}\ntrain: {batch: 64}\nstudent: {kind: snn, model: vgg9, timesteps: 4, readout: spike_count, "  \
  "quantize: {weights: learned_step, weight_bits: 4, membrane_bits: 4, norm_bits: 8}}\n"
static const struct {
  const char *name, *recipe;
} tasks[] = {
    {"mlp 784-800-10", MLP},
    {"mnist cnn", CNN},
    {"mnist cnn, bf16", CNN "precision: bf16\n"},
    {"vgg9", VGG9},
    {"vgg9, winograd", VGG9 "speed: {convolution: winograd}\n"},
    {"vgg9, bf16", VGG9 "precision: bf16\n"},
    {"vgg9, winograd, bf16", VGG9 "precision: bf16\nspeed: {convolution: winograd}\n"},
    {"vgg9, 4 bits", VGG9_4_BITS},
    {"vgg9, 4 bits, bf16", VGG9_4_BITS "precision: bf16\n"},
};
enum { TASK_COUNT = sizeof tasks / sizeof *tasks };

typedef struct task_result {
  sst_step_bench bench;
  double train_rate, inference_rate;   // samples/s
  double train_share, inference_share; // of the ceiling of the precision
} task_result;

static sst_status run_task(sst_context *context, const arguments *a, const sst_recipe *recipe,
                           const sst_ceiling *ceiling, task_result *out) {
  const double most = 1e9 * (recipe->precision == SST_PRECISION_BF16 ? ceiling->bf16_gflops : ceiling->f32_gflops);
  const sst_status status = sst_run_bench(context, recipe, a->repetitions, &out->bench);
  if (status != SST_OK) { return status; }
  const sst_step_bench *b = &out->bench;
  out->train_rate = (double)b->batch / b->train_seconds;
  out->inference_rate = (double)b->batch / b->inference_seconds;
  out->train_share = b->train_flops / b->train_seconds / most;
  out->inference_share = b->inference_flops / b->inference_seconds / most;
  return SST_OK;
}

// How much of the work was done from spikes, at the network's own firing rates.
static void print_layers(const sst_step_bench *b) {
  for (int i = 0; i < b->layer_count; i++) {
    const sst_layer_bench *l = &b->layers[i];
    const char *dense = l->forward_by_codes ? "in 8-bit integers" : "dense";
    if (l->density < 0) {
      printf("    %-28s no spikes: forward %s, weights dense\n", l->name, dense);
    } else {
      printf("    %-28s %5.1f %% spikes: forward %s, weights %s\n", l->name, 100 * l->density,
             l->forward_by_events ? "from spikes" : dense, l->weights_by_events ? "from spikes" : "dense");
    }
  }
}

// Where a training step's time goes.
static void print_ops(const sst_step_bench *b) {
  printf("    %-28s %-16s %12s %12s\n", "operation", "", "forward, us", "backward, us");
  for (int i = 0; i < b->op_count; i++) {
    const sst_op_bench *o = &b->ops[i];
    printf("    %-28s %-16s %12.1f %12.1f\n", o->name, o->op, 1e6 * o->forward_seconds, 1e6 * o->backward_seconds);
  }
  printf("    %-28s %-16s %12s %12.1f\n", "optimizer", "", "", 1e6 * b->optimizer_seconds);
}

static json_t *ops_json(const sst_step_bench *b) {
  json_t *ops = json_array();
  for (int i = 0; i < b->op_count; i++) {
    const sst_op_bench *o = &b->ops[i];
    json_array_append_new(ops, json_pack("{s:s, s:s, s:f, s:f}", "name", o->name, "op", o->op, "forward_seconds",
                                         o->forward_seconds, "backward_seconds", o->backward_seconds));
  }
  return ops;
}

static json_t *layers_json(const sst_step_bench *b) {
  json_t *layers = json_array();
  for (int i = 0; i < b->layer_count; i++) {
    const sst_layer_bench *l = &b->layers[i];
    json_array_append_new(layers, json_pack("{s:s, s:o, s:b, s:b, s:b}", "layer", l->name, "density",
                                            l->density < 0 ? json_null() : json_real(l->density), "forward_by_events",
                                            l->forward_by_events, "weights_by_events", l->weights_by_events,
                                            "forward_by_codes", l->forward_by_codes));
  }
  return layers;
}

static int calibrate(sst_context *context, const arguments *a) {
  sst_crossover c;
  const sst_status status = sst_measure_crossover(context, &c);
  if (status != SST_OK) { return report_failure(context, status); }
  if (a->json) {
    json_t *all = json_object();
#define FIELD(name, value, meaning) json_object_set_new(all, #name, json_real(c.name));
    SST_CROSSOVER_LIST(FIELD)
#undef FIELD
    return print_json(all);
  }
  printf("speed:\n");
#define LINE(name, value, meaning) printf("  %s: %.3f # %s\n", #name, c.name, meaning);
  SST_CROSSOVER_LIST(LINE)
#undef LINE
  return EXIT_DONE;
}

static void print_row(const char *name, const task_result *r, bool with_ops) {
  printf("%-16s %12.0f %8.1f %% %12.0f %8.1f %% %10.1f\n", name, r->train_rate, 100 * r->train_share, r->inference_rate,
         100 * r->inference_share, (double)r->bench.train_bytes / 1048576);
  print_layers(&r->bench);
  if (with_ops) { print_ops(&r->bench); }
}

static json_t *row_json(const char *name, const task_result *r) {
  const sst_step_bench *b = &r->bench;
  return json_pack(
      "{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o}", "task", name,
      "batch", (json_int_t)b->batch, "train_samples_per_second", r->train_rate, "train_seconds", b->train_seconds,
      "train_gflop", b->train_flops / 1e9, "train_share", r->train_share, "inference_samples_per_second",
      r->inference_rate, "inference_seconds", b->inference_seconds, "inference_gflop", b->inference_flops / 1e9,
      "inference_share", r->inference_share, "train_bytes", (json_int_t)b->train_bytes, "inference_bytes",
      (json_int_t)b->inference_bytes, "train_predicted_bytes", (json_int_t)b->memory.total, "train_measured_bytes",
      (json_int_t)b->train_measured_bytes, "train_all_kept_bytes", (json_int_t)b->memory.all_kept, "start_seconds",
      b->start_seconds, "optimizer_seconds", b->optimizer_seconds, "ops", ops_json(b), "layers", layers_json(b));
}

// Predicted and measured memory of training, for people.
static void print_memory(const sst_step_bench *b) {
  const sst_training_memory *m = &b->memory;
  printf("%-16s %.1f MiB to train, ", "", (double)m->total / 1048576);
  if (b->train_measured_bytes > 0) { printf("%.1f measured at the most, ", (double)b->train_measured_bytes / 1048576); }
  printf("%.1f of them planned: %.2f of all activations and gradients in f32, which are %.1f MiB\n",
         (double)m->planned / 1048576, (double)m->planned / (double)m->all_kept, (double)m->all_kept / 1048576);
  printf("%-16s %.0f ms from the recipe to the end of the first training step\n", "", 1e3 * b->start_seconds);
}

static const char fused_name[] = "batch norm and lif", codes_name[] = "8-bit convolution";

static bool is_wanted(const arguments *a, const char *name) { return a->only == NULL || strstr(name, a->only) != NULL; }

static bool is_any_task(const arguments *a) {
  if (is_wanted(a, fused_name) || is_wanted(a, codes_name)) { return true; }
  for (int task = 0; task < TASK_COUNT; task++) {
    if (is_wanted(a, tasks[task].name)) { return true; }
  }
  return false;
}

// Batch norm and neurons, and a triad of the same arrays between their runs.
static int bench_fused(sst_context *context, const arguments *a, json_t *all) {
  sst_kernel_speed fused;
  const sst_status status = sst_measure_norm_neuron(context, a->repetitions, &fused);
  if (status != SST_OK) { return report_failure(context, status); }
  if (a->json) {
    json_object_set_new(all, "norm_neuron_seconds", json_real(fused.seconds));
    json_object_set_new(all, "norm_neuron_bytes", json_real(fused.bytes));
    json_object_set_new(all, "norm_neuron_triad_gb_per_s", json_real(fused.triad_gb_per_s));
    return EXIT_DONE;
  }
  const double rate = fused.bytes / fused.seconds * 1e-9;
  printf(
      "batch norm and lif in one, forward and backward, [4,64,32,32,64]: %.1f MB to move at %.1f GB/s, %.1f %% of the "
      "triad's %.1f GB/s meanwhile\n",
      fused.bytes * 1e-6, rate, 100 * rate / fused.triad_gb_per_s, fused.triad_gb_per_s);
  return EXIT_DONE;
}

// A convolution of codes and spikes in integers, and beside it the same in f32.
static int bench_codes(sst_context *context, const arguments *a, json_t *all) {
  sst_code_speed speed;
  const sst_status status = sst_measure_code_product(context, a->repetitions, &speed);
  if (status != SST_OK) { return report_failure(context, status); }
  const double most = sst_measure_kernel_ceiling(context).products;
  if (a->json) {
    json_object_set_new(all, "code_product_seconds", json_real(speed.seconds));
    json_object_set_new(all, "code_product_float_seconds", json_real(speed.float_seconds));
    json_object_set_new(all, "code_products", json_real(speed.products));
    json_object_set_new(all, "ceiling_products_per_s", json_real(most));
    return EXIT_DONE;
  }
  if (!speed.in_integers) {
    printf("8-bit convolution: this CPU has none\n");
    return EXIT_DONE;
  }
  printf(
      "8-bit convolution of spikes [4,64,32,32,64] and codes: %.0f G products/s, %.1f %% of the %.0f G in registers, "
      "%.2f times as fast as f32\n",
      speed.products / speed.seconds * 1e-9, 100 * speed.products / speed.seconds / most, most * 1e-9,
      speed.float_seconds / speed.seconds);
  return EXIT_DONE;
}

// One line of the table, and a member of `rows`.
static int bench_recipe(sst_context *context, const arguments *a, const char *name, const sst_recipe *recipe,
                        const sst_ceiling *ceiling, json_t *rows) {
  if (recipe->precision == SST_PRECISION_BF16 && ceiling->bf16_gflops == 0) {
    if (!a->json) { printf("%-16s left out: this CPU has no AVX512_BF16 instructions\n", name); }
    return EXIT_DONE;
  }
  task_result result;
  const sst_status status = run_task(context, a, recipe, ceiling, &result);
  if (status != SST_OK) { return report_failure(context, status); }
  json_array_append_new(rows, row_json(name, &result));
  if (!a->json) {
    print_row(name, &result, a->ops);
    print_memory(&result.bench);
  }
  return EXIT_DONE;
}

static void print_heading(const arguments *a) {
  if (a->json) { return; }
  printf("samples/s, median of %d steps; share of the ceiling, direct convolutions, stem once\n\n", a->repetitions);
  printf("%-16s %12s %10s %12s %10s %10s\n", "task", "training/s", "share", "inference/s", "share", "MiB");
}

static int bench_tasks(sst_context *context, const arguments *a, const sst_ceiling *ceiling, json_t *rows) {
  bool any = false;
  int code = EXIT_DONE;
  for (int task = 0; task < TASK_COUNT && code == EXIT_DONE; task++) {
    if (!is_wanted(a, tasks[task].name)) { continue; }
    if (!any) { print_heading(a); }
    any = true;
    sst_recipe *recipe;
    const sst_status status =
        sst_recipe_from_text(context, tasks[task].name, tasks[task].recipe, a->overrides, a->override_count, &recipe);
    if (status != SST_OK) { return report_failure(context, status); }
    code = bench_recipe(context, a, tasks[task].name, recipe, ceiling, rows);
    sst_recipe_close(context, recipe);
  }
  return code;
}

// The machine's ceilings are printed, and are in the object that is returned, with an empty array for its tasks.
static sst_status measure_ceiling(sst_context *context, const arguments *a, sst_ceiling *out, json_t **all) {
  const sst_status status = sst_measure_ceiling(context, out);
  if (status != SST_OK) { return status; }
  const int threads = sst_context_threads(context);
  if (!a->json) {
    printf(
        "ceiling: %.0f GFLOP/s f32 multiply-add, %.0f GFLOP/s bf16 dot product, %.1f GB/s memory triad, %d threads\n",
        out->f32_gflops, out->bf16_gflops, out->triad_gb_per_s, threads);
  }
  *all = json_pack("{s:f, s:f, s:f, s:i, s:[]}", "ceiling_f32_gflops", out->f32_gflops, "ceiling_bf16_gflops",
                   out->bf16_gflops, "ceiling_triad_gb_per_s", out->triad_gb_per_s, "threads", threads, "tasks");
  return SST_OK;
}

// On the CPU: a recipe, or the benchmark's own tasks.
static int bench_here(sst_context *context, const arguments *a, const sst_recipe *recipe) {
  sst_ceiling ceiling;
  json_t *all;
  const sst_status status = measure_ceiling(context, a, &ceiling, &all);
  if (status != SST_OK) { return report_failure(context, status); }
  json_t *rows = json_object_get(all, "tasks");
  int code = EXIT_DONE;
  if (recipe) {
    print_heading(a);
    code = bench_recipe(context, a, recipe->name, recipe, &ceiling, rows);
  } else {
    if (is_wanted(a, fused_name)) { code = bench_fused(context, a, all); }
    if (code == EXIT_DONE && is_wanted(a, codes_name)) { code = bench_codes(context, a, all); }
    if (code == EXIT_DONE) { code = bench_tasks(context, a, &ceiling, rows); }
  }
  if (a->json && code == EXIT_DONE) { return print_json(all); }
  json_decref(all);
  return code;
}

// Training and inference of a recipe's network, with its teacher and all its terms.
static int bench_train(sst_context *context, const arguments *a) {
  int code;
  sst_recipe *recipe = open_data_recipe(context, a, a->words[1], "{kind: snn, model: vgg9, timesteps: 4}", &code);
  if (!recipe) { return code; }
  code = recipe->device == SST_DEVICE_CUDA ? bench_card(context, a, recipe) : bench_here(context, a, recipe);
  sst_recipe_close(context, recipe);
  return code;
}

int command_bench(sst_context *context, const arguments *a) {
  if (a->word_count > 0) {
    const char *what = a->words[0];
    if (strcmp(what, "deploy") == 0) { return bench_deploy(context, a); }
    if (a->word_count < 2) { return usage_error("bench %s needs NAME or RECIPE; see 'spikestill help bench'", what); }
    return strcmp(what, "data") == 0 ? bench_data(context, a) : bench_train(context, a);
  }
  if (a->calibrate) { return calibrate(context, a); }
  if (is_card_bench(a)) { return bench_card(context, a, NULL); }
  if (!is_any_task(a)) { return usage_error("no task of bench has '%s' in its name", a->only); }
  return bench_here(context, a, NULL);
}
