// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "command.h"

static void print_command_help(const command_entry *command) {
  const char *before = command->words[0] ? " " : "", *open = "", *close = "";
  if (command->words[0] && command->fewest == 0) {
    open = "[";
    close = "]";
  }
  printf("usage: spikestill %s%s%s%s%s%s\n\n%s\n", command->name, before, open, command->words, close,
         command->options[0] ? " [OPTION...]" : "", command->text);
  if (command->options[0]) { printf("\noptions:\n"); }
  for (int i = 0; i < option_count; i++) {
    const option_entry *option = &option_table[i];
    if (!takes_option(command, option)) { continue; }
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    printf("  %-30s %s\n", left, option->text);
  }
  printf("\nexample:\n  spikestill %s\n", command->example);
}

void print_help(const command_entry *command) {
  if (command) {
    print_command_help(command);
    return;
  }
  printf("Spikestill turns trained networks into small, accurate, low-power spiking ones.\n\n"
         "usage: spikestill COMMAND [WORD...] [OPTION...]\n\ncommands:\n");
  for (int i = 0; i < command_count; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s %s", command_table[i].name, command_table[i].words);
    printf("  %-26s %s\n", left, command_table[i].text);
  }
  printf(
      "\nA RECIPE is a YAML file that says everything about a run; 'spikestill recipe' prints its keys. A MODEL is a\n"
      "run directory, a checkpoint (.safetensors), or a RECIPE with its initial values.\n\n"
      "exit codes: 0 done; 1 failed or stopped; 2 wrong command line; 3 below --at-least\n\n"
      "'spikestill help COMMAND' tells a command's options. Begin with 'spikestill quickstart'.\n");
}

int command_help(sst_context *context, const arguments *a) {
  (void)context;
  const command_entry *command = a->word_count ? find_command(a->words[0]) : NULL;
  if (a->word_count && !command) { return unknown_command(a->words[0]); }
  print_help(command);
  return EXIT_DONE;
}
