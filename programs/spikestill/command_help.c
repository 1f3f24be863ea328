// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "command.h"

enum { LEFT_SIZE = 64 };

// The command with its words, in brackets if they may be left out: "train [RECIPE]".
static const char *with_words(const command_entry *command, char text[LEFT_SIZE]) {
  bool optional = command->words[0] && command->fewest == 0;
  snprintf(text, LEFT_SIZE, "%s%s%s%s%s", command->name, command->words[0] ? " " : "", optional ? "[" : "",
           command->words, optional ? "]" : "");
  return text;
}

static void print_command_help(const command_entry *command) {
  char left[LEFT_SIZE];
  printf("usage: spikestill %s%s\n\n%s\n", with_words(command, left), command->options[0] ? " [OPTION...]" : "",
         command->text);
  if (command->options[0]) { printf("\noptions:\n"); }
  for (int i = 0; i < option_count; i++) {
    const option_entry *option = &option_table[i];
    if (!takes_option(command, option)) { continue; }
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
    char left[LEFT_SIZE];
    printf("  %-26s %s\n", with_words(&command_table[i], left), command_table[i].text);
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
