// SPDX-License-Identifier: Apache-2.0
// A sweep: one recipe, trained with every combination of some keys' values and with several seeds, and what came out:
// means, deviations, and which combinations are on the front of accuracy against spikes. The functions plan, read and
// write; who trains the runs, and how many at a time, is the caller's business (`spikestill sweep`).
//
//     out/runs/<name>/   a run directory each (spikestill/run.h)
//     out/sweep.csv      a line a complete run
//     out/summary.csv    a line a combination
//     out/front.gnuplot  draws front.svg and front.png
#ifndef SPIKESTILL_SWEEP_H
#define SPIKESTILL_SWEEP_H

#include "spikestill/run.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SST_SWEEP_MOST_RUNS = 10000, SST_SWEEP_MOST_SEEDS = 1000 };

// Of `vary` and `list` at most one; with none the recipe itself is the only combination. {seed} in a value, of
// `overrides` too, stands for the seed of each run.
typedef struct sst_sweep_options {
  const char *recipe; // a recipe file, of stages too
  const char *out;    // the sweep's folder
  const char *const *overrides;
  int override_count; // of every run
  const char *const *vary;
  int vary_count;   // "key=value,value": the grid of all combinations, the last key's value changing fastest. A comma
                    // inside brackets or quotes belongs to the value.
  const char *list; // a file with one combination a line: "key=value key=value"; '#' begins a comment line
  int seeds;        // of each combination: the recipe's seed and those after it
} sst_sweep_options;

typedef struct sst_sweep_combination {
  char **overrides; // [override_count] "key=value", in the order in which they apply after those of every run
  int override_count;
  const char **values; // [key_count] of each varied key; NULL where a list's line does not give it
  char *label;         // "key=value key=value"; the recipe's name if nothing is varied
  bool spiking;        // an ANN has no spikes to count and is never on the front
} sst_sweep_combination;

typedef struct sst_sweep_run {
  int combination;
  uint64_t seed;
  char *name;       // "runs/key=value_seed=1": below `out`, made of letters that need no quoting
  char *folder;     // out/name
  char **overrides; // [override_count] "key=value": what of its recipe is not as in the file, its seed the last
  int override_count;
  char *recipe;          // the resolved recipe, or plan of stages
  bool complete;         // result was read
  sst_run_result result; // spikes_per_inference is NAN for an ANN
} sst_sweep_run;

// All is owned by the sweep and read-only to others.
typedef struct sst_sweep {
  sst_context *context;
  char *out;
  char **keys; // [key_count] that are varied
  int key_count;
  sst_sweep_combination *combinations;
  int combination_count, seeds;
  sst_sweep_run *runs; // [combination_count * seeds], a combination's together
  int run_count;
} sst_sweep;

// Expands the combinations and reads the recipe of every run with its overrides, so that what is wrong is found before
// anything is trained. Makes nothing on the disk. On failure *out is NULL. Errors: INVALID_ARGUMENT (a combination
// twice, too many runs, a bracket that is not closed), RECIPE (names the combination), NOT_FOUND, IO.
SST_MUST_CHECK SST_API sst_status sst_sweep_plan(sst_context *context, const sst_sweep_options *options,
                                                 sst_sweep **out);
SST_API void sst_sweep_close(sst_sweep *sweep);

// Reads the run's result.json if it is there. Errors: FORMAT, IO, MISMATCH (the folder holds a run of another recipe).
SST_MUST_CHECK SST_API sst_status sst_sweep_read(sst_sweep *sweep, int run);

// Mean and sample standard deviation (n - 1); NAN where there are too few values.
SST_API void sst_sweep_statistics(const double *values, int count, double *mean, double *deviation);

// Whether no other point has both at least the accuracy and at most the spikes, and one of them better. Points that are
// not finite are never on the front. Equal points are on it together.
SST_API void sst_sweep_front(const double *accuracy, const double *spikes, int count, bool *on_front);

// A combination over its complete runs; NAN where there are too few.
typedef struct sst_sweep_summary {
  int count;
  double accuracy, accuracy_deviation; // on the test part, last epoch
  double spikes, spikes_deviation;     // per inference
  bool on_front;
} sst_sweep_summary;

// Fills out[combination_count]. Errors: OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_sweep_summarize(const sst_sweep *sweep, sst_sweep_summary *out);

// Writes sweep.csv, summary.csv and, if there is a point to draw (*drawable), front.gnuplot.
SST_MUST_CHECK SST_API sst_status sst_sweep_write(const sst_sweep *sweep, const sst_sweep_summary *summaries,
                                                  bool *drawable);

#ifdef __cplusplus
}
#endif
#endif
