// SPDX-License-Identifier: Apache-2.0
// `bench --device cuda`: neuron kernels and steps of published sizes on a card, beside its copies and products measured
// in the same run, in every precision that it has; nothing of the CPU's is shown, because no share of it would say
// anything.
#include "card_bench.h"

#include <stdio.h>
#include <string.h>

#include "json_output.h"
#include "spikestill/bench.h"
#include "spikestill/run.h"

#define CIFAR(model)                                                                                                   \
  "data: {name: cifar10}\nstudent: {kind: snn, model: " model ", timesteps: 4}\ntrain: {batch: 128}\n"

// Only the network and the batch matter. The size of the frames is that of the published comparisons.
static const struct {
  const char *name, *recipe;
} tasks[] = {
    {"resnet18", CIFAR("resnet18")},
    {"resnet19", CIFAR("resnet19")},
    {"vgg16", CIFAR("vgg16")},
    {"dvs vgg9", "data: {name: cifar10-dvs, height: 48, width: 48}\n"
                 "student: {kind: snn, model: vgg9, timesteps: 10}\ntrain: {batch: 16}\n"},
};
enum { TASK_COUNT = sizeof tasks / sizeof *tasks };

// [T, 64, 32, 32, 64], T from 4 on doubled.
enum { BATCH = 64, SIZE = 32, CHANNELS = 64, LENGTHS = 4, FIRST_LENGTH = 4 };
static const char *const kernel_names[] = {"lif", "batch norm and lif"};
enum { KERNEL_COUNT = sizeof kernel_names / sizeof *kernel_names };

bool is_card_bench(const arguments *a) {
  sst_device device = SST_DEVICE_CPU;
  static const char key[] = "device=";
  for (int i = 0; i < a->override_count; i++) { // the last one counts
    if (strncmp(a->overrides[i], key, sizeof key - 1) == 0) {
      (void)sst_device_parse(a->overrides[i] + sizeof key - 1, &device);
    }
  }
  return device == SST_DEVICE_CUDA;
}

static bool is_wanted(const arguments *a, const char *name) { return a->only == NULL || strstr(name, a->only) != NULL; }

static bool is_any_wanted(const arguments *a) {
  bool any = false;
  for (int i = 0; i < KERNEL_COUNT; i++) { any |= is_wanted(a, kernel_names[i]); }
  for (int i = 0; i < TASK_COUNT; i++) { any |= is_wanted(a, tasks[i].name); }
  return any;
}

// What the last --precision or --set precision=... names, or NULL.
static const char *precision_asked_for(const arguments *a) {
  static const char key[] = "precision=";
  const char *found = NULL;
  for (int i = 0; i < a->override_count; i++) {
    if (strncmp(a->overrides[i], key, sizeof key - 1) == 0) { found = a->overrides[i] + sizeof key - 1; }
  }
  return found;
}

// A precision that the card lacks has no ceiling.
static bool is_measured(const arguments *a, const sst_card_ceiling *card, sst_precision precision) {
  const char *asked_for = precision_asked_for(a);
  if (asked_for != NULL) { return strcmp(asked_for, sst_precision_word(precision)) == 0; }
  return card->gflops[precision] > 0;
}

// Forward and backward; the share is that of the copies. TF32 is no other way to store anything.
static sst_status bench_kernel(sst_context *context, const arguments *a, int kernel, sst_precision precision,
                               const sst_card_ceiling *card, json_t *rows) {
  for (int i = 0; i < LENGTHS; i++) {
    const sst_neuron_work work = {.steps = FIRST_LENGTH << i,
                                  .batch = BATCH,
                                  .size = SIZE,
                                  .channels = CHANNELS,
                                  .norm = kernel == 1,
                                  .bf16 = precision == SST_PRECISION_BF16};
    sst_card_speed speed;
    const sst_status status = sst_measure_card_neuron(context, &work, a->repetitions, &speed);
    if (status != SST_OK) { return status; }
    const double rate = speed.bytes / speed.seconds * 1e-9, share = rate / card->copy_gb_per_s;
    json_array_append_new(rows,
                          json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "kernel", kernel_names[kernel], "precision",
                                    sst_precision_word(precision), "timesteps", (json_int_t)work.steps, "seconds",
                                    speed.seconds, "bytes", speed.bytes, "gb_per_s", rate, "share_of_copy", share));
    if (a->json) { continue; }
    printf("%-20s %-5s %4lld %12.1f %12.1f %10.1f %8.1f %%\n", kernel_names[kernel], sst_precision_word(precision),
           (long long)work.steps, 1e6 * speed.seconds, 1e-6 * speed.bytes, rate, 100 * share);
  }
  return SST_OK;
}

static sst_status bench_kernels(sst_context *context, const arguments *a, const sst_card_ceiling *card, json_t *rows) {
  bool any = false;
  for (int kernel = 0; kernel < KERNEL_COUNT; kernel++) {
    if (!is_wanted(a, kernel_names[kernel])) { continue; }
    if (!a->json && !any) {
      printf("\nforward and backward on [T,%d,%d,%d,%d]; share of the copies\n\n%-20s %-5s %4s %12s %12s %10s %10s\n",
             BATCH, SIZE, SIZE, CHANNELS, "kernel", "", "T", "us", "MB to move", "GB/s", "share");
    }
    any = true;
    for (int i = 0; i < SST_PRECISION_COUNT; i++) {
      const sst_precision precision = (sst_precision)i;
      if (precision == SST_PRECISION_TF32 || !is_measured(a, card, precision)) { continue; }
      const sst_status status = bench_kernel(context, a, kernel, precision, card, rows);
      if (status != SST_OK) { return status; }
    }
  }
  return SST_OK;
}

// One line of the table, and a member of `rows`.
static sst_status bench_recipe(sst_context *context, const arguments *a, const char *name, const sst_recipe *recipe,
                               const sst_card_ceiling *card, json_t *rows) {
  const sst_precision precision = recipe->precision;
  const int64_t steps = recipe->student.options.timesteps;
  sst_step_bench b;
  const sst_status status = sst_run_bench(context, recipe, a->repetitions, &b);
  if (status != SST_OK) { return status; }
  const double most = 1e9 * card->gflops[precision], batch = (double)b.batch;
  const double train_share = b.train_flops / b.train_seconds / most;
  const double inference_share = b.inference_flops / b.inference_seconds / most;
  json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f}", "task",
                                        name, "precision", sst_precision_word(precision), "timesteps",
                                        (json_int_t)steps, "batch", (json_int_t)b.batch, "train_samples_per_second",
                                        batch / b.train_seconds, "train_seconds", b.train_seconds, "train_share",
                                        train_share, "inference_samples_per_second", batch / b.inference_seconds,
                                        "inference_seconds", b.inference_seconds, "inference_share", inference_share,
                                        "train_device_bytes", (json_int_t)b.train_device_bytes, "train_predicted_bytes",
                                        (json_int_t)b.memory.total, "start_seconds", b.start_seconds));
  if (a->json) { return SST_OK; }
  printf("%-12s %-5s %4lld %6lld %12.0f %8.1f %% %12.0f %8.1f %% %10.1f\n", name, sst_precision_word(precision),
         (long long)steps, (long long)b.batch, batch / b.train_seconds, 100 * train_share, batch / b.inference_seconds,
         100 * inference_share, (double)b.train_device_bytes / 1048576);
  return SST_OK;
}

static void print_heading(const arguments *a) {
  if (a->json) { return; }
  printf(
      "\nwhole steps, median of %d; share of the products in the same precision, direct convolutions, stem once; most "
      "of the card's memory that training took\n\n%-12s %-5s %4s %6s %12s %10s %12s %10s %10s\n",
      a->repetitions, "task", "", "T", "batch", "training/s", "share", "inference/s", "share", "MiB");
}

static sst_status bench_task(sst_context *context, const arguments *a, int task, const sst_card_ceiling *card,
                             json_t *rows) {
  sst_recipe *recipe;
  sst_status status =
      sst_recipe_from_text(context, tasks[task].name, tasks[task].recipe, a->overrides, a->override_count, &recipe);
  if (status != SST_OK) { return status; }
  for (int i = 0; i < SST_PRECISION_COUNT && status == SST_OK; i++) {
    if (!is_measured(a, card, (sst_precision)i)) { continue; }
    recipe->precision = (sst_precision)i;
    status = bench_recipe(context, a, tasks[task].name, recipe, card, rows);
  }
  sst_recipe_close(context, recipe);
  return status;
}

static sst_status bench_tasks(sst_context *context, const arguments *a, const sst_card_ceiling *card, json_t *rows) {
  bool any = false;
  for (int task = 0; task < TASK_COUNT; task++) {
    if (!is_wanted(a, tasks[task].name)) { continue; }
    if (!any) { print_heading(a); }
    any = true;
    const sst_status status = bench_task(context, a, task, card, rows);
    if (status != SST_OK) { return status; }
  }
  return SST_OK;
}

// What the card can do at most, printed, and in an object with empty arrays for what is measured.
static sst_status measure_ceiling(sst_context *context, const arguments *a, sst_card_ceiling *card, json_t **all) {
  sst_device_info info;
  sst_status status = sst_device_describe(context, SST_DEVICE_CUDA, &info);
  if (status == SST_OK) { status = sst_measure_card(context, SST_CARD_SIDE, a->repetitions, card); }
  if (status != SST_OK) { return status; }
  if (!a->json) {
    printf("%s: %.0f GB/s copying; products of matrices with side %d:", info.name, card->copy_gb_per_s,
           (int)SST_CARD_SIDE);
    for (int i = 0; i < SST_PRECISION_COUNT; i++) {
      if (card->gflops[i] == 0) { continue; }
      printf("%s %.1f TFLOP/s in %s", i > 0 ? "," : "", 1e-3 * card->gflops[i], sst_precision_word((sst_precision)i));
    }
    printf("\n");
  }
  *all = json_pack("{s:s, s:f, s:f, s:f, s:f, s:[], s:[]}", "card", info.name, "ceiling_copy_gb_per_s",
                   card->copy_gb_per_s, "ceiling_f32_gflops", card->gflops[SST_PRECISION_F32], "ceiling_bf16_gflops",
                   card->gflops[SST_PRECISION_BF16], "ceiling_tf32_gflops", card->gflops[SST_PRECISION_TF32], "kernels",
                   "tasks");
  return SST_OK;
}

int bench_card(sst_context *context, const arguments *a, const sst_recipe *recipe) {
  if (!recipe && !is_any_wanted(a)) { return usage_error("no task of bench on a card has '%s' in its name", a->only); }
  sst_card_ceiling card;
  json_t *all = NULL;
  sst_status status = measure_ceiling(context, a, &card, &all);
  if (status != SST_OK) { return report_failure(context, status); }
  json_t *rows = json_object_get(all, "tasks");
  if (recipe) {
    print_heading(a);
    status = bench_recipe(context, a, recipe->name, recipe, &card, rows);
  } else {
    status = bench_kernels(context, a, &card, json_object_get(all, "kernels"));
    if (status == SST_OK) { status = bench_tasks(context, a, &card, rows); }
  }
  if (status == SST_OK && a->json) { return print_json(all); }
  json_decref(all);
  return status == SST_OK ? EXIT_DONE : report_failure(context, status);
}
