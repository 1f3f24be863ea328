// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

// A signal handler reaches its context through the one variable that C allows it: the program's, not the library's.
static sst_context *volatile interrupted_context;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  if (interrupted_context) { sst_context_request_stop(interrupted_context); }
  signal(SIGINT, SIG_DFL); // a second Ctrl-C ends the program at once
}

static void print_log(void *user, sst_log_level level, const char *line) {
  (void)user;
  if (level >= SST_LOG_WARNING) { fprintf(stderr, "spikestill: %s\n", line); }
}

int report_failure(const sst_context *context, sst_status status) {
  const char *sentence = sst_context_message(context);
  fprintf(stderr, "spikestill: %s\n", sentence[0] ? sentence : sst_status_text(status));
  return EXIT_FAILED;
}

static int run_command(sst_context *context, const arguments *a) {
#define COMMAND_RUN(name, words, fewest, most, options, text)                                                          \
  if (strcmp(a->command, #name) == 0) { return command_##name(context, a); }
  COMMAND_LIST(COMMAND_RUN)
#undef COMMAND_RUN
  return EXIT_USAGE;
}

int main(int argc, char **argv) {
  arguments a;
  int code = arguments_parse(argc, argv, &a);
  if (code >= 0) { return code; }
  sst_context *context;
  sst_context_options options = {.log = print_log, .threads = a.threads};
  sst_status status = sst_context_create(&options, &context);
  if (status != SST_OK) {
    fprintf(stderr, "spikestill: %s\n", sst_status_text(status));
    return EXIT_FAILED;
  }
  interrupted_context = context;
  signal(SIGINT, on_interrupt);
  signal(SIGTERM, on_interrupt);
  code = run_command(context, &a);
  interrupted_context = NULL;
  sst_context_destroy(context);
  // What was printed must have arrived (a full disk shows here).
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fprintf(stderr, "spikestill: standard output could not be written\n");
    return EXIT_FAILED;
  }
  return code;
}
