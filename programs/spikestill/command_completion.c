// SPDX-License-Identifier: Apache-2.0
// Completion scripts for shells, made from the lists of commands and options. The files in completions/ are their
// output.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "spikestill/data.h"

// What may stand at a place.
typedef enum place { PLACE_ANYTHING, PLACE_FOLDER, PLACE_FILE, PLACE_WORDS } place;

static place place_of(const char *argument) {
  if (islower((unsigned char)argument[0]) && strchr(argument, '|')) { return PLACE_WORDS; }
  if (strcmp(argument, "DIR") == 0) { return PLACE_FOLDER; }
  if (strcmp(argument, "FILE") == 0) { return PLACE_FILE; }
  if (strncmp(argument, "RECIPE", 6) == 0 || strncmp(argument, "MODEL", 5) == 0) { return PLACE_FILE; }
  return PLACE_ANYTHING;
}

// "a|b NAME" as "a b".
static void print_words(const char *list) {
  for (; *list && *list != ' '; list++) { putchar(*list == '|' ? ' ' : *list); }
}

static void print_commands(void) {
  for (int i = 0; i < command_count; i++) { printf("%s%s", i ? " " : "", command_table[i].name); }
}

static void print_datasets(void) {
  for (int i = 0; i < SST_DATASET_COUNT; i++) { printf("%s%s", i ? " " : "", sst_dataset_word((sst_dataset_kind)i)); }
}

// ---- bash ----

static void print_bash_values(void) {
  printf("  case $before in\n");
  for (int i = 0; i < option_count; i++) {
    const option_entry *option = &option_table[i];
    if (!option->argument) { continue; }
    printf("    --%s) ", option->name);
    switch (place_of(option->argument)) {
    case PLACE_WORDS:
      printf("COMPREPLY=($(compgen -W \"");
      print_words(option->argument);
      printf("\" -- \"$word\"));");
      break;
    case PLACE_FOLDER: printf("COMPREPLY=($(compgen -d -- \"$word\"));"); break;
    case PLACE_FILE: printf("COMPREPLY=($(compgen -f -- \"$word\"));"); break;
    case PLACE_ANYTHING: printf("COMPREPLY=();"); break;
    }
    printf(" return ;;\n");
  }
  printf("  esac\n");
}

static void print_bash(void) {
  printf("# SPDX-License-Identifier: Apache-2.0\n"
         "# bash completion for spikestill, made by 'spikestill completion bash'.\n"
         "_spikestill() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options= words=\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"");
  print_commands();
  printf("\" -- \"$word\"))\n    return\n  fi\n");
  print_bash_values();
  printf("  case ${COMP_WORDS[1]} in\n");
  for (int i = 0; i < command_count; i++) {
    const command_entry *command = &command_table[i];
    printf("    %s) options=\"--help", command->name);
    for (int j = 0; j < option_count; j++) {
      if (takes_option(command, &option_table[j])) { printf(" --%s", option_table[j].name); }
    }
    printf("\"");
    if (place_of(command->words) == PLACE_WORDS) {
      printf(" words=\"");
      print_words(command->words);
      printf("\"");
    }
    printf(" ;;\n");
  }
  printf("  esac\n  if [ \"${COMP_WORDS[1]}\" = data ] && [ \"$COMP_CWORD\" -gt 2 ]; then words=\"");
  print_datasets();
  printf("\"; fi\n  if [ \"${COMP_WORDS[1]}\" = help ]; then words=\"");
  print_commands();
  printf("\"; fi\n  case $word in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "       else COMPREPLY=($(compgen -f -- \"$word\")); fi ;;\n"
         "  esac\n}\ncomplete -o filenames -F _spikestill spikestill\n");
}

// ---- zsh ----

// A text inside single quotes and, for _arguments, inside brackets: ':' and ']' are its own, and quotes end the text.
static void print_zsh_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'') {
      printf("'\\''");
    } else {
      if (strchr(":[]", *text)) { putchar('\\'); }
      putchar(*text);
    }
  }
}

static void print_zsh_action(const char *argument) {
  switch (place_of(argument)) {
  case PLACE_WORDS:
    printf("(");
    print_words(argument);
    printf(")");
    break;
  case PLACE_FOLDER: printf("_files -/"); break;
  case PLACE_FILE: printf("_files"); break;
  case PLACE_ANYTHING: break;
  }
}

static void print_zsh_words(const command_entry *command) {
  if (!command->words[0]) { return; }
  if (strcmp(command->name, "data") == 0) {
    printf(" '1:what to do:(info get)' '2:data set:(");
    print_datasets();
    printf(")'");
  } else if (strcmp(command->name, "help") == 0) {
    printf(" '1:command:(");
    print_commands();
    printf(")'");
  } else {
    printf(" '1:%s:", place_of(command->words) == PLACE_WORDS ? "word" : "file");
    print_zsh_action(command->words);
    printf("'");
  }
}

static void print_zsh(void) {
  printf("#compdef spikestill\n# SPDX-License-Identifier: Apache-2.0\n"
         "# zsh completion for spikestill, made by 'spikestill completion zsh'.\n_spikestill() {\n  local -a commands\n"
         "  commands=(\n");
  for (int i = 0; i < command_count; i++) {
    printf("    '%s:", command_table[i].name);
    print_zsh_text(command_table[i].text);
    printf("'\n");
  }
  printf("  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
         "  shift words\n  (( CURRENT-- ))\n  case $words[1] in\n");
  for (int i = 0; i < command_count; i++) {
    const command_entry *command = &command_table[i];
    printf("    %s)\n      _arguments '--help[help of this command]'", command->name);
    for (int j = 0; j < option_count; j++) {
      const option_entry *option = &option_table[j];
      if (!takes_option(command, option)) { continue; }
      printf(" \\\n        '%s--%s[", strchr("sV", option->letter) ? "*" : "", option->name);
      print_zsh_text(option->text);
      printf("]");
      if (option->argument) {
        printf(":%s:", place_of(option->argument) == PLACE_WORDS ? "word" : option->argument);
        print_zsh_action(option->argument);
      }
      printf("'");
    }
    if (command->words[0]) { printf(" \\\n       "); }
    print_zsh_words(command);
    printf(" ;;\n");
  }
  printf("  esac\n}\n"
         "if [ \"$funcstack[1]\" = _spikestill ]; then _spikestill \"$@\"; else compdef _spikestill spikestill; fi\n");
}

// ---- fish ----

static void print_fish_text(const char *text) {
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') { putchar('\\'); }
    putchar(*text);
  }
}

static void print_fish_option(const command_entry *command, const option_entry *option) {
  printf("complete -c spikestill -n '__fish_seen_subcommand_from %s' -l %s", command->name, option->name);
  if (option->argument) {
    place where = place_of(option->argument);
    printf(where == PLACE_FOLDER || where == PLACE_FILE ? " -r" : " -x");
    if (where == PLACE_WORDS || where == PLACE_FOLDER) {
      printf(" -a '");
      if (where == PLACE_WORDS) { print_words(option->argument); }
      if (where == PLACE_FOLDER) { printf("(__fish_complete_directories)"); }
      printf("'");
    }
  }
  printf(" -d '");
  print_fish_text(option->text);
  printf("'\n");
}

static void print_fish(void) {
  printf("# SPDX-License-Identifier: Apache-2.0\n"
         "# fish completion for spikestill, made by 'spikestill completion fish'.\n");
  for (int i = 0; i < command_count; i++) {
    const command_entry *command = &command_table[i];
    printf("complete -c spikestill -n __fish_use_subcommand -f -a %s -d '", command->name);
    print_fish_text(command->text);
    printf("'\n");
  }
  for (int i = 0; i < command_count; i++) {
    const command_entry *command = &command_table[i];
    if (place_of(command->words) == PLACE_WORDS) {
      printf("complete -c spikestill -n '__fish_seen_subcommand_from %s' -f -a '", command->name);
      print_words(command->words);
      if (strcmp(command->name, "data") == 0) {
        printf(" ");
        print_datasets();
      }
      printf("'\n");
    }
    for (int j = 0; j < option_count; j++) {
      if (takes_option(command, &option_table[j])) { print_fish_option(command, &option_table[j]); }
    }
  }
}

int command_completion(sst_context *context, const arguments *a) {
  (void)context;
  if (strcmp(a->words[0], "bash") == 0) { print_bash(); }
  if (strcmp(a->words[0], "zsh") == 0) { print_zsh(); }
  if (strcmp(a->words[0], "fish") == 0) { print_fish(); }
  return EXIT_DONE;
}
