// SPDX-License-Identifier: Apache-2.0
// A sweep's runs are processes of this program, so that several can go on at once and none can take others down.
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "child_process.h"
#include "command.h"
#include "json_output.h"
#include "spikestill/sweep.h"

typedef struct sweeping {
  sst_context *context;
  const arguments *a;
  sst_sweep *sweep;
  bool *failed;             // [run_count]
  child_process *processes; // [jobs]
  int *process_run;         // [jobs] the run that it trains, -1: free
  int jobs, done, failures;
  bool stopped;
} sweeping;

// ---- what is said ----

static void print_word(const char *word) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%";
  if (*word && strspn(word, plain) == strlen(word)) {
    fprintf(stderr, " %s", word);
    return;
  }
  fprintf(stderr, " '");
  for (; *word; word++) {
    if (*word == '\'') { fprintf(stderr, "'\\'"); }
    fputc(*word, stderr);
  }
  fprintf(stderr, "'");
}

static void print_option(const char *option, const char *value) {
  fprintf(stderr, " --%s", option);
  print_word(value);
}

// The command line once more, for a shell.
static void print_go_on(const arguments *a) {
  char number[16];
  fprintf(stderr, "go on with: spikestill sweep");
  print_word(a->words[0]);
  for (int i = 0; i < a->vary_count; i++) { print_option("vary", a->vary[i]); }
  if (a->list) { print_option("list", a->list); }
  snprintf(number, sizeof number, "%d", a->seeds);
  print_option("seeds", number);
  for (int i = 0; i < a->override_count; i++) { print_option("set", a->overrides[i]); }
  snprintf(number, sizeof number, "%d", a->jobs);
  if (a->jobs > 1) { print_option("jobs", number); }
  snprintf(number, sizeof number, "%d", a->threads);
  if (a->threads > 0) { print_option("threads", number); }
  print_option("out", a->out);
  fprintf(stderr, "\n");
}

static void print_run(const sweeping *s, const sst_sweep_run *run) {
  if (s->a->quiet) { return; }
  fprintf(stderr, "run %d/%d  %s  accuracy %.2f %%", s->done, s->sweep->run_count, run->name + strlen("runs/"),
          100 * run->result.test_accuracy);
  if (isfinite(run->result.spikes_per_inference)) {
    fprintf(stderr, "  spikes %.1f", run->result.spikes_per_inference);
  }
  fprintf(stderr, "  %.1f s\n", run->result.seconds);
}

// What a run's process said: its warnings always, its failure if it is one.
static void pass_on(const sst_sweep_run *run, FILE *said, bool with_failure) {
  char line[4096];
  rewind(said);
  while (fgets(line, sizeof line, said)) {
    static const char ours[] = "spikestill: ";
    bool warning = strncmp(line, "spikestill: warning: ", 21) == 0;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, ours, strlen(ours)) == 0 && (warning || with_failure)) {
      fprintf(stderr, "spikestill: %s: %s\n", run->name, line + strlen(ours));
    }
  }
}

// ---- processes ----

static bool start_run(sweeping *s, int slot, int index) {
  const sst_sweep_run *run = &s->sweep->runs[index];
  const char *words[2 * (MOST_OVERRIDES + MOST_VARIED) + 16];
  int count = 0, threads = sst_context_threads(s->context) / s->jobs;
  char threads_word[16];
  snprintf(threads_word, sizeof threads_word, "%d", threads > 1 ? threads : 1);
  const char *first[] = {"spikestill", "train", "--resume", "--quiet", "--out", run->folder, "--threads", threads_word};
  for (size_t i = 0; i < sizeof first / sizeof *first; i++) { words[count++] = first[i]; }
  for (int i = 0; i < run->override_count; i++) {
    words[count++] = "--set";
    words[count++] = run->overrides[i];
  }
  const char *last[] = {"--", s->a->words[0], NULL};
  for (size_t i = 0; i < sizeof last / sizeof *last; i++) { words[count++] = last[i]; }
  if (!child_start_self(words, &s->processes[slot])) {
    fprintf(stderr, "spikestill: %s: its process cannot be started: %s\n", run->name, strerror(errno));
    return false;
  }
  s->process_run[slot] = index;
  return true;
}

static void fail_run(sweeping *s, int index) {
  s->failed[index] = true;
  s->failures++;
}

// Takes what a process that has ended leaves behind.
static void end_run(sweeping *s, int slot, int code) {
  int index = s->process_run[slot];
  sst_sweep_run *run = &s->sweep->runs[index];
  s->process_run[slot] = -1;
  bool stopped = s->stopped && code != 0;
  pass_on(run, s->processes[slot].said, code > 0 && !stopped);
  child_close(&s->processes[slot]);
  if (stopped) { return; }
  s->done++;
  if (code < 0) { fprintf(stderr, "spikestill: %s: its process was ended by signal %d\n", run->name, -code); }
  if (code != 0) {
    fail_run(s, index);
  } else if (sst_sweep_read(s->sweep, index) != SST_OK || !run->complete) {
    const char *sentence = run->complete ? "" : sst_context_message(s->context);
    fprintf(stderr, "spikestill: %s: has no result to be read: %s\n", run->name, sentence);
    fail_run(s, index);
  } else {
    print_run(s, run);
  }
}

static void stop_all(sweeping *s) {
  s->stopped = true;
  for (int i = 0; i < s->jobs; i++) {
    if (s->process_run[i] >= 0) { kill(s->processes[i].id, SIGINT); }
  }
}

// The next run that is not complete, or -1.
static int next_run(const sweeping *s, int from) {
  while (from < s->sweep->run_count && s->sweep->runs[from].complete) { from++; }
  return from < s->sweep->run_count ? from : -1;
}

// Trains what is not complete, `jobs` runs at a time. Looks around rather than waits: a signal is seen at once.
static void train_runs(sweeping *s) {
  int next = next_run(s, 0), running = 0;
  while (running > 0 || (next >= 0 && !s->stopped)) {
    if (!s->stopped && sst_context_stop_requested(s->context)) { stop_all(s); }
    for (int i = 0; i < s->jobs; i++) {
      int code = 0;
      if (s->process_run[i] >= 0 && child_ended(&s->processes[i], &code)) {
        running--;
        end_run(s, i, code);
      }
      if (s->process_run[i] >= 0 || next < 0 || s->stopped) { continue; }
      if (start_run(s, i, next)) {
        running++;
      } else {
        s->done++;
        fail_run(s, next);
      }
      next = next_run(s, next + 1);
    }
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
}

// ---- results ----

static const char *number_text(char text[32], const char *format, double value) {
  snprintf(text, 32, "-");
  // The formats are this file's. NOLINTNEXTLINE(clang-diagnostic-format-nonliteral)
  if (isfinite(value)) { snprintf(text, 32, format, value); }
  return text;
}

static void print_table(const sweeping *s, const sst_sweep_summary *summaries) {
  int width = (int)strlen("combination");
  for (int i = 0; i < s->sweep->combination_count; i++) {
    int length = (int)strlen(s->sweep->combinations[i].label);
    if (length > width && length <= 60) { width = length; }
  }
  printf("%-*s %4s %10s %10s %12s %10s  %s\n", width, "combination", "n", "accuracy", "deviation", "spikes",
         "deviation", "front");
  for (int i = 0; i < s->sweep->combination_count; i++) {
    const sst_sweep_summary *r = &summaries[i];
    char text[4][32];
    printf("%-*s %4d %10s %10s %12s %10s%s\n", width, s->sweep->combinations[i].label, r->count,
           number_text(text[0], "%.2f %%", 100 * r->accuracy),
           number_text(text[1], "%.2f %%", 100 * r->accuracy_deviation), number_text(text[2], "%.1f", r->spikes),
           number_text(text[3], "%.1f", r->spikes_deviation), r->on_front ? "  *" : "");
  }
}

static json_t *json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *json_values(const sst_sweep *sweep, int combination) {
  json_t *values = json_object();
  for (int k = 0; values && k < sweep->key_count; k++) {
    const char *value = sweep->combinations[combination].values[k];
    json_object_set_new(values, sweep->keys[k], value ? json_string(value) : json_null());
  }
  return values;
}

static int print_sweep_json(const sweeping *s, const sst_sweep_summary *summaries) {
  json_t *runs = json_array(), *combinations = json_array(), *failed = json_array();
  for (int i = 0; i < s->sweep->run_count; i++) {
    const sst_sweep_run *run = &s->sweep->runs[i];
    const sst_run_result *r = &run->result;
    if (s->failed[i]) { json_array_append_new(failed, json_string(run->name)); }
    if (!run->complete) { continue; }
    json_array_append_new(runs, json_pack("{s:o, s:I, s:f, s:o, s:o, s:o, s:I, s:f, s:s}", "values",
                                          json_values(s->sweep, run->combination), "seed", (json_int_t)run->seed,
                                          "test_accuracy", r->test_accuracy, "test_accuracy_best_by_validation",
                                          json_number(r->test_accuracy_best), "validation_accuracy",
                                          json_number(r->validation_accuracy), "spikes_per_inference",
                                          json_number(r->spikes_per_inference), "parameters", (json_int_t)r->parameters,
                                          "seconds", r->seconds, "run", run->name));
  }
  for (int i = 0; i < s->sweep->combination_count; i++) {
    const sst_sweep_summary *r = &summaries[i];
    json_array_append_new(combinations,
                          json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:b}", "values", json_values(s->sweep, i), "n",
                                    r->count, "test_accuracy_mean", json_number(r->accuracy), "test_accuracy_deviation",
                                    json_number(r->accuracy_deviation), "spikes_per_inference_mean",
                                    json_number(r->spikes), "spikes_per_inference_deviation",
                                    json_number(r->spikes_deviation), "front", r->on_front));
  }
  return print_json(json_pack("{s:o, s:o, s:o}", "runs", runs, "combinations", combinations, "failed", failed));
}

// The picture is a courtesy: without gnuplot the sweep is as good.
static void draw(const sweeping *s) {
  const char *words[] = {"gnuplot", "front.gnuplot", NULL};
  int code = child_run_in(s->sweep->out, words);
  if (code == 0 || s->a->quiet) { return; }
  if (code == CHILD_NOT_THERE) {
    fprintf(stderr, "gnuplot is not installed, so there is no %s/front.svg and .png; front.gnuplot beside draws them\n",
            s->sweep->out);
  } else {
    fprintf(stderr, "gnuplot failed on %s/front.gnuplot, so front.svg and front.png are missing or old\n",
            s->sweep->out);
  }
}

static int conclude(const sweeping *s, sst_sweep_summary *summaries) {
  bool drawable = false;
  sst_status status = sst_sweep_summarize(s->sweep, summaries);
  if (status == SST_OK) { status = sst_sweep_write(s->sweep, summaries, &drawable); }
  if (status != SST_OK) { return report_failure(s->context, status); }
  if (s->stopped) {
    int complete = 0;
    for (int i = 0; i < s->sweep->run_count; i++) { complete += s->sweep->runs[i].complete; }
    fprintf(stderr, "spikestill: stopped with %d of %d runs complete; what was done is saved in %s\n", complete,
            s->sweep->run_count, s->sweep->out);
    print_go_on(s->a);
    return EXIT_FAILED;
  }
  if (drawable) { draw(s); }
  int code = EXIT_DONE;
  if (s->a->json) {
    code = print_sweep_json(s, summaries);
  } else {
    print_table(s, summaries);
  }
  if (s->failures == 0) { return code; }
  fprintf(stderr, "spikestill: %d of %d runs failed\n", s->failures, s->sweep->run_count);
  return EXIT_FAILED;
}

static int sweep_all(sweeping *s) {
  for (int i = 0; i < s->sweep->run_count; i++) {
    sst_status status = sst_sweep_read(s->sweep, i);
    if (status != SST_OK) { return report_failure(s->context, status); }
    s->done += s->sweep->runs[i].complete;
  }
  if (s->done > 0 && !s->a->quiet) {
    fprintf(stderr, "%d of %d runs are complete already\n", s->done, s->sweep->run_count);
  }
  s->failed = calloc((size_t)s->sweep->run_count, sizeof *s->failed);
  s->processes = calloc((size_t)s->jobs, sizeof *s->processes);
  s->process_run = malloc((size_t)s->jobs * sizeof *s->process_run);
  sst_sweep_summary *summaries = calloc((size_t)s->sweep->combination_count, sizeof *summaries);
  int code = EXIT_FAILED;
  if (s->failed && s->processes && s->process_run && summaries) {
    for (int i = 0; i < s->jobs; i++) { s->process_run[i] = -1; }
    train_runs(s);
    code = conclude(s, summaries);
  } else {
    fprintf(stderr, "spikestill: no memory for a sweep of %d runs\n", s->sweep->run_count);
  }
  free(s->failed);
  free(s->processes);
  free(s->process_run);
  free(summaries);
  return code;
}

int command_sweep(sst_context *context, const arguments *a) {
  if (!a->out) { return usage_error("sweep needs --out DIR; see 'spikestill help sweep'"); }
  if (a->list && a->vary_count > 0) { return usage_error("--vary and --list exclude each other"); }
  sst_sweep_options options = {.recipe = a->words[0],
                               .out = a->out,
                               .overrides = a->overrides,
                               .override_count = a->override_count,
                               .vary = a->vary,
                               .vary_count = a->vary_count,
                               .list = a->list,
                               .seeds = a->seeds};
  sweeping s = {.context = context, .a = a, .jobs = a->jobs};
  stop_on_signals(context);
  sst_status status = sst_sweep_plan(context, &options, &s.sweep);
  if (status != SST_OK) { return report_failure(context, status); }
  int code = EXIT_USAGE;
  if (s.sweep->key_count + a->override_count + 1 > MOST_OVERRIDES) { // all of them are --set of the runs
    code = usage_error("%d varied keys and %d --set are too many, expected at most %d together", s.sweep->key_count,
                       a->override_count, MOST_OVERRIDES - 1);
  } else {
    code = sweep_all(&s);
  }
  sst_sweep_close(s.sweep);
  return code;
}
