// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

// Waiting threads spin for some ten microseconds and then sleep. The runtime's own choice spins for milliseconds: with
// anything else running on the same cores that made training four times slower (two runs at once on two cores), and on
// idle cores it gains nothing (docs/SPEED.md). The OpenMP runtime reads its settings while it is loaded, so the program
// starts itself again with the setting made; where that cannot be done it goes on as it is. It does so by its own path,
// so that tools that list processes show its name.
static void wait_gently(char **argv) {
  if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) { return; }
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length < 0 || setenv("GOMP_SPINCOUNT", "1000", 1) != 0) { return; }
  path[length] = '\0';
  (void)execv(path, argv);
  (void)execv("/proc/self/exe", argv); // the file is gone or elsewhere by now
}

// A signal handler reaches its context through the one variable that C allows it: the program's, not the library's.
static sst_context *volatile interrupted_context;

static void on_signal(int number) {
  (void)number;
  // The call is made for signal handlers. NOLINTNEXTLINE(bugprone-signal-handler)
  if (interrupted_context) { sst_context_request_stop(interrupted_context); }
  signal(SIGINT, SIG_DFL); // a second one ends the program at once
  signal(SIGTERM, SIG_DFL);
}

void stop_on_signals(sst_context *context) {
  interrupted_context = context;
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
}

static void print_log(void *user, sst_log_level level, const char *line) {
  (void)user;
  if (level >= SST_LOG_WARNING) { fprintf(stderr, "spikestill: warning: %s\n", line); }
}

int report_failure(const sst_context *context, sst_status status) {
  const char *sentence = sst_context_message(context);
  fprintf(stderr, "spikestill: %s\n", sentence[0] ? sentence : sst_status_text(status));
  return EXIT_FAILED;
}

int check_accuracy(const arguments *a, double accuracy) {
  if (accuracy >= a->at_least) { return EXIT_DONE; }
  fprintf(stderr, "spikestill: the accuracy is %.4f, below the %.4f asked for\n", accuracy, a->at_least);
  return EXIT_BELOW;
}

static int run_command(sst_context *context, const arguments *a) {
#define COMMAND_RUN(name, words, fewest, most, options, text, example)                                                 \
  if (strcmp(a->command, #name) == 0) { return command_##name(context, a); }
  COMMAND_LIST(COMMAND_RUN)
#undef COMMAND_RUN
  return EXIT_USAGE;
}

// What was printed must have arrived (a full disk shows here).
static int end_output(int code) {
  if (fflush(stdout) == 0 && !ferror(stdout)) { return code; }
  fprintf(stderr, "spikestill: standard output could not be written\n");
  return EXIT_FAILED;
}

int main(int argc, char **argv) {
  wait_gently(argv);
  arguments a;
  signal(SIGXFSZ, SIG_IGN); // a file that may not grow is a failed write with a message, as a full disk is
  int code = arguments_parse(argc, argv, &a);
  if (code >= 0) { return end_output(code); }
  sst_context *context;
  sst_context_options options = {.log = print_log, .threads = a.threads};
  sst_status status = sst_context_create(&options, &context);
  if (status != SST_OK) {
    fprintf(stderr, "spikestill: %s\n", sst_status_text(status));
    return EXIT_FAILED;
  }
  code = run_command(context, &a);
  interrupted_context = NULL;
  sst_context_destroy(context);
  return end_output(code);
}
