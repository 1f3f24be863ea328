// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

typedef struct command_entry {
  const char *name, *words;
  int fewest, most;
  const char *options, *text;
} command_entry;

static const command_entry commands[] = {
#define COMMAND_ENTRY(name, words, fewest, most, options, text) {#name, words, fewest, most, options, text},
    COMMAND_LIST(COMMAND_ENTRY)
#undef COMMAND_ENTRY
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

typedef struct option_entry {
  char letter;
  const char *name, *argument, *text;
} option_entry;

static const option_entry options[] = {
#define OPTION_ENTRY(letter, name, argument, text) {letter, name, argument, text},
    OPTION_LIST(OPTION_ENTRY)
#undef OPTION_ENTRY
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

static const command_entry *find_command(const char *name) {
  for (int i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(commands[i].name, name) == 0) { return &commands[i]; }
  }
  return NULL;
}

static void print_command_help(const command_entry *command) {
  printf("usage: spikestill %s%s%s%s\n\n%s\n", command->name, command->words[0] ? " " : "", command->words,
         command->options[0] ? " [OPTIONS]" : "", command->text);
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (!strchr(command->options, options[i].letter)) { continue; }
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].argument ? " " : "",
             options[i].argument ? options[i].argument : "");
    printf("%s  %-30s %s\n", i == 0 ? "\n" : "", left, options[i].text);
  }
}

void print_help(const char *name) {
  const command_entry *command = name ? find_command(name) : NULL;
  if (command) {
    print_command_help(command);
    return;
  }
  printf("spikestill turns trained networks into small, accurate, low-power spiking ones.\n\n"
         "usage: spikestill COMMAND [WORDS] [OPTIONS]\n\n");
  for (int i = 0; i < COMMAND_COUNT; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].words);
    printf("  %-24s %s\n", left, commands[i].text);
  }
  printf("\n'spikestill help COMMAND' tells a command's options. Begin with 'spikestill quickstart'.\n");
}

static int usage_error(const char *command, const char *before, const char *word, const char *after) {
  fprintf(stderr, "spikestill: %s%s%s; 'spikestill help%s%s' tells more\n", before, word, after, command ? " " : "",
          command ? command : "");
  return EXIT_USAGE;
}

static bool parse_int(const char *word, int low, int high, int *out) {
  char *end;
  long value = strtol(word, &end, 10);
  if (end == word || *end || value < low || value > high) { return false; }
  *out = (int)value;
  return true;
}

static bool add_override(arguments *out, const char *override) {
  if (out->override_count == MOST_OVERRIDES) { return false; }
  out->overrides[out->override_count++] = override;
  return true;
}

// An option that stands for a --set of its own key.
static bool add_short_form(arguments *out, char *text, size_t size, const char *key, const char *value) {
  int length = snprintf(text, size, "%s=%s", key, value);
  return length > 0 && (size_t)length < size && add_override(out, text);
}

// Takes one option; false if its value cannot be.
static bool take_option(int letter, const char *value, arguments *out) {
  switch (letter) {
  case 'o': out->out = value; return true;
  case 's': return strchr(value, '=') && add_override(out, value);
  case 'r': out->resume = true; return true;
  case 'w': out->overwrite = true; return true;
  case 'S': return add_short_form(out, out->seed, sizeof out->seed, "seed", value);
  case 'd': return add_short_form(out, out->device, sizeof out->device, "device", value);
  case 'D': return add_short_form(out, out->data, sizeof out->data, "data.name", value);
  case 't': return parse_int(value, 1, 1024, &out->threads);
  case 'j': out->json = true; return true;
  case 'q': out->quiet = true; return true;
  case 'p': out->part = value; return true;
  case 'b': return parse_int(value, 1, 65536, &out->batch);
  case 'R': out->root = value; return true;
  case 'U': out->url = value; return true;
  case 'n': return parse_int(value, 1, 10000, &out->repetitions);
  case 'a': {
    char *end;
    out->at_least = strtod(value, &end);
    return end != value && !*end && out->at_least >= 0 && out->at_least <= 1;
  }
  default: return false;
  }
}

static int parse_options(int argc, char **argv, const command_entry *command, arguments *out) {
  struct option table[OPTION_COUNT + 2];
  int count = 0;
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (!strchr(command->options, options[i].letter)) { continue; }
    table[count++] = (struct option){options[i].name, options[i].argument ? required_argument : no_argument, NULL,
                                     options[i].letter};
  }
  table[count++] = (struct option){"help", no_argument, NULL, 'h'};
  table[count] = (struct option){NULL, 0, NULL, 0};
  opterr = 0;
  optind = 1;
  int letter;
  while ((letter = getopt_long(argc, argv, ":", table, NULL)) != -1) {
    const char *word = argv[optind - 1];
    if (letter == 'h') {
      print_command_help(command);
      return EXIT_DONE;
    }
    if (letter == ':') { return usage_error(command->name, "option '", word, "' needs a value"); }
    if (letter == '?') { return usage_error(command->name, "option '", word, "' is not one of this command's"); }
    if (!take_option(letter, optarg, out)) {
      for (int i = 0; i < OPTION_COUNT; i++) {
        if (options[i].letter != letter) { continue; }
        fprintf(stderr, "spikestill: --%s is '%s', expected %s\n", options[i].name, optarg, options[i].argument);
      }
      return EXIT_USAGE;
    }
  }
  for (int i = optind; i < argc; i++) {
    if (out->word_count == command->most) { return usage_error(command->name, "'", argv[i], "' is one word too many"); }
    out->words[out->word_count++] = argv[i];
  }
  if (out->word_count < command->fewest) { return usage_error(command->name, "missing: ", command->words, ""); }
  return -1;
}

int arguments_parse(int argc, char **argv, arguments *out) {
  *out = (arguments){.batch = 1, .repetitions = 5, .at_least = -1};
  if (argc < 2) {
    print_help(NULL);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) { name = "help"; }
  if (strcmp(name, "--version") == 0) { name = "version"; }
  const command_entry *command = find_command(name);
  if (!command) { return usage_error(NULL, "there is no command '", argv[1], "'"); }
  out->command = command->name;
  return parse_options(argc - 1, argv + 1, command, out);
}

int command_help(sst_context *context, const arguments *a) {
  (void)context;
  if (a->word_count && !find_command(a->words[0])) { return usage_error(NULL, "there is no command '", a->words[0], "'"); }
  print_help(a->word_count ? a->words[0] : NULL);
  return EXIT_DONE;
}

static void print_bash_completion(void) {
  printf("# bash completion for spikestill; source it, or put it where bash-completion looks.\n"
         "_spikestill() {\n  local word=${COMP_WORDS[COMP_CWORD]}\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W \"");
  for (int i = 0; i < COMMAND_COUNT; i++) { printf("%s%s", i ? " " : "", commands[i].name); }
  printf("\" -- \"$word\"))\n    return\n  fi\n  local options=\n  case ${COMP_WORDS[1]} in\n");
  for (int i = 0; i < COMMAND_COUNT; i++) {
    printf("    %s) options=\"--help", commands[i].name);
    for (int j = 0; j < OPTION_COUNT; j++) {
      if (strchr(commands[i].options, options[j].letter)) { printf(" --%s", options[j].name); }
    }
    printf("\" ;;\n");
  }
  printf("  esac\n  case $word in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}\ncomplete -F _spikestill spikestill\n");
}

int command_completion(sst_context *context, const arguments *a) {
  (void)context;
  bool zsh = strcmp(a->words[0], "zsh") == 0;
  if (!zsh && strcmp(a->words[0], "bash") != 0) { return usage_error("completion", "'", a->words[0], "' is not bash or zsh"); }
  if (zsh) { printf("#compdef spikestill\nautoload -U +X bashcompinit && bashcompinit\n"); }
  print_bash_completion();
  return EXIT_DONE;
}
