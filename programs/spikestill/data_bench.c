// SPDX-License-Identifier: Apache-2.0
// Whether the loader feeds the network: samples a second out of it, first read from files and then as they are kept,
// beside those that a training step takes.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data_info.h"
#include "json_output.h"
#include "spikestill/bench.h"
#include "spikestill/run.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// As training has them, with as many workers as the recipe says.
static sst_status open_loader(sst_context *context, const sst_recipe *recipe, const sst_dataset *dataset,
                              sst_loader **out) {
  sst_loader_options options = {.batch = recipe->train.batch,
                                .shuffle = true,
                                .seed = recipe->seed,
                                .augment = true,
                                .augmentation = recipe->data.augmentation,
                                .encoding = recipe->data.encoding,
                                .timesteps = recipe->student.options.timesteps,
                                .workers = recipe->data.workers};
  memcpy(options.mean, recipe->data.mean, sizeof options.mean);
  memcpy(options.deviation, recipe->data.deviation, sizeof options.deviation);
  return sst_loader_open(context, dataset, NULL, 0, &options, out);
}

// Samples a second over whole epochs of at least half a second together; one epoch if `once`.
static sst_status time_loader(sst_loader *loader, bool once, double *rate) {
  const double start = now();
  int64_t samples = 0;
  double seconds = 0;
  for (int64_t epoch = 0; epoch == 0 || (!once && seconds < 0.5); epoch++) {
    sst_batch batch;
    sst_loader_start(loader, epoch, 0);
    while (sst_loader_next(loader, &batch)) { samples += batch.count; }
    seconds = now() - start;
  }
  *rate = seconds > 0 ? (double)samples / seconds : 0;
  return sst_loader_status(loader);
}

typedef struct data_rates {
  int64_t count;
  double open_seconds; // listing, or reading all where samples are in memory
  double first, later; // samples/s of the first epoch, and of those after it
  double training;     // samples/s that a training step takes
} data_rates;

static sst_status measure(sst_context *context, const arguments *a, const sst_recipe *recipe, data_rates *out) {
  const sst_dataset_options options = sst_recipe_dataset(recipe, true);
  sst_dataset *dataset = NULL;
  sst_loader *loader = NULL;
  sst_step_bench step;
  const double start = now();
  sst_status status = sst_dataset_open(context, &options, &dataset);
  if (status != SST_OK) { return status; }
  out->open_seconds = now() - start;
  out->count = sst_dataset_describe(dataset).count;
  status = open_loader(context, recipe, dataset, &loader);
  if (status == SST_OK) { status = time_loader(loader, true, &out->first); }
  if (status == SST_OK) { status = time_loader(loader, false, &out->later); }
  sst_loader_close(loader);
  sst_dataset_close(dataset);
  if (status == SST_OK) { status = sst_run_bench(context, recipe, a->repetitions, &step); }
  if (status == SST_OK) { out->training = (double)step.batch / step.train_seconds; }
  return status;
}

static void print(const arguments *a, const sst_recipe *recipe, const data_rates *r) {
  const double slower = r->first < r->later ? r->first : r->later;
  printf("%s: %lld samples of %lldx%lldx%lld, opened in %.2f s\n", a->words[1], (long long)r->count,
         (long long)recipe->data.height, (long long)recipe->data.width, (long long)recipe->data.channels,
         r->open_seconds);
  printf("loader, %2d workers   %10.0f samples/s in the first epoch, %.0f in later ones\n", recipe->data.workers,
         r->first, r->later);
  printf("training step        %10.0f samples/s of the recipe's network\n", r->training);
  printf("the loader is %.1f times as fast: the network is %s\n", slower / r->training,
         slower >= r->training ? "fed" : "NOT fed");
}

int bench_data(sst_context *context, const arguments *a) {
  int code;
  sst_recipe *recipe = open_data_recipe(context, a, a->words[1], "{kind: snn, model: vgg9, timesteps: 4}", &code);
  if (!recipe) { return code; }
  data_rates rates = {0};
  const sst_status status = measure(context, a, recipe, &rates);
  if (status != SST_OK) {
    code = report_failure(context, status);
  } else if (a->json) {
    code = print_json(json_pack("{s:s, s:I, s:i, s:f, s:f, s:f, s:f}", "data", a->words[1], "count",
                                (json_int_t)rates.count, "workers", recipe->data.workers, "open_seconds",
                                rates.open_seconds, "first_samples_per_second", rates.first, "later_samples_per_second",
                                rates.later, "train_samples_per_second", rates.training));
  } else {
    print(a, recipe, &rates);
  }
  sst_recipe_close(context, recipe);
  return code;
}
