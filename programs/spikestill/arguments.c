// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

const command_entry command_table[] = {
#define COMMAND_ENTRY(name, words, fewest, most, options, text, example)                                               \
  {#name, words, fewest, most, options, text, example},
    COMMAND_LIST(COMMAND_ENTRY)
#undef COMMAND_ENTRY
};
enum { COMMAND_COUNT = sizeof command_table / sizeof *command_table };
const int command_count = COMMAND_COUNT;

const option_entry option_table[] = {
#define OPTION_ENTRY(letter, name, argument, expected, text) {letter, name, argument, expected, text},
    OPTION_LIST(OPTION_ENTRY)
#undef OPTION_ENTRY
};
enum { OPTION_COUNT = sizeof option_table / sizeof *option_table };
const int option_count = OPTION_COUNT;

const command_entry *find_command(const char *name) {
  for (int i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(command_table[i].name, name) == 0) { return &command_table[i]; }
  }
  return NULL;
}

bool takes_option(const command_entry *command, const option_entry *option) {
  return strchr(command->options, option->letter) != NULL;
}

int usage_error(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fprintf(stderr, "spikestill: ");
  vfprintf(stderr, format, list);
  fprintf(stderr, "\n");
  va_end(list);
  return EXIT_USAGE;
}

int unknown_command(const char *name) {
  const char *names[COMMAND_COUNT];
  for (int i = 0; i < COMMAND_COUNT; i++) { names[i] = command_table[i].name; }
  int nearest = nearest_name(name, names, COMMAND_COUNT);
  if (nearest >= 0) { return usage_error("there is no command '%s'; did you mean '%s'?", name, names[nearest]); }
  return usage_error("there is no command '%s'; 'spikestill help' lists them", name);
}

// The option is none of the command's: a shortened name of several, another command's, or mistyped.
static int unknown_option(const command_entry *command, const char *word) {
  if (word[0] != '-' || word[1] != '-') {
    return usage_error("option '%s': options have long names only; 'spikestill help %s' lists them", word,
                       command->name);
  }
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
  const char *names[OPTION_COUNT];
  int count = 0, begun = 0;
  for (int i = 0; i < OPTION_COUNT; i++) {
    const option_entry *option = &option_table[i];
    if (strcmp(option->name, name) == 0 && takes_option(command, option)) {
      return usage_error("option '--%s' takes no value, found '%s'", name, word);
    }
    if (takes_option(command, option)) {
      begun += strncmp(option->name, name, strlen(name)) == 0;
      names[count++] = option->name;
    }
  }
  if (begun > 1) {
    return usage_error("option '%s' may be several; 'spikestill help %s' lists them", word, command->name);
  }
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (strcmp(option_table[i].name, name) == 0) {
      return usage_error("%s has no option '--%s'; 'spikestill help %s' lists those it has", command->name, name,
                         command->name);
    }
  }
  int nearest = nearest_name(name, names, count);
  if (nearest >= 0) {
    return usage_error("%s has no option '--%s'; did you mean '--%s'?", command->name, name, names[nearest]);
  }
  return usage_error("%s has no option '--%s'; 'spikestill help %s' lists those it has", command->name, name,
                     command->name);
}

static bool parse_int(const char *word, int low, int high, int *out) {
  char *end = NULL;
  long value = strtol(word, &end, 10);
  if (end == word || *end || value < low || value > high) { return false; }
  *out = (int)value;
  return true;
}

static bool parse_share_of(const char *word, double whole, double *out) {
  char *end = NULL;
  *out = strtod(word, &end);
  return end != word && !*end && *out >= 0 && *out <= whole;
}

static bool parse_positive(const char *word, double *out) {
  char *end = NULL;
  *out = strtod(word, &end);
  return end != word && !*end && *out > 0 && isfinite(*out);
}

// Whether the word is one of "a|b|c".
static bool is_one_of(const char *word, const char *list) {
  size_t length = strlen(word);
  while (*list) {
    size_t item = strcspn(list, "| ");
    if (item == length && strncmp(word, list, item) == 0) { return true; }
    list += item;
    if (*list != '|') { return false; }
    list++;
  }
  return false;
}

static bool is_list_of_words(const char *argument) {
  return argument[0] >= 'a' && argument[0] <= 'z' && strchr(argument, '|') != NULL;
}

static bool add_override(arguments *out, const char *override) {
  if (out->override_count == MOST_OVERRIDES) { return false; }
  out->overrides[out->override_count++] = override;
  return true;
}

static bool add_varied(arguments *out, const char *vary) {
  if (out->vary_count == MOST_VARIED) { return false; }
  out->vary[out->vary_count++] = vary;
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
  case 'o': out->out = value; return value[0] != '\0';
  case 's': return strchr(value, '=') && value[0] != '=' && add_override(out, value);
  case 'V': return strchr(value, '=') && value[0] != '=' && add_varied(out, value);
  case 'L': out->list = value; return value[0] != '\0';
  case 'N': return parse_int(value, 1, 1000, &out->seeds);
  case 'J': return parse_int(value, 1, 256, &out->jobs);
  case 'O': out->open = true; return true;
  case 'r': out->resume = true; return true;
  case 'w': out->overwrite = true; return true;
  case 'S': return add_short_form(out, out->seed, sizeof out->seed, "seed", value);
  case 'd': return add_short_form(out, out->device, sizeof out->device, "device", value);
  case '7': return add_short_form(out, out->precision, sizeof out->precision, "precision", value);
  case 'D': return add_short_form(out, out->data, sizeof out->data, "data.name", value);
  case 'z': return add_short_form(out, out->normalize, sizeof out->normalize, "data.normalize", value);
  case 't': return parse_int(value, 1, 1024, &out->threads);
  case 'j': out->json = true; return true;
  case 'q': out->quiet = true; return true;
  case 'p': out->part = value; return true;
  case 'b': return parse_int(value, 1, 65536, &out->batch);
  case 'R': out->root = value; return true;
  case 'E': return parse_int(value, 1, 65536, &out->count);
  case 'X': out->index = value; return value[0] != '\0' && value[strspn(value, "0123456789,")] == '\0';
  case 'U': out->url = value; return true;
  case 'n': return parse_int(value, 1, 10000, &out->repetitions);
  case '9': out->level = value; return true;
  case '8': out->approximate = true; return true;
  case 'v': out->calibrate = true; return true;
  case '5': out->only = value; return true;
  case '6': out->ops = true; return true;
  case 'M': out->method = value; return true;
  case 'T':
    out->timesteps = value;
    return strcmp(out->command, "convert") == 0 ||
           add_short_form(out, out->steps, sizeof out->steps, "student.timesteps", value);
  case 'P': return parse_share_of(value, 100, &out->percentile) && out->percentile > 0;
  case 'C': return parse_int(value, 1, 1000000000, &out->samples);
  case 'x': out->compare = value; return value[0] != '\0';
  case 'g': out->simulation = value; return value[0] != '\0';
  case '1': return parse_int(value, 2, 8, &out->weight_bits);
  case '2': return parse_int(value, 2, 16, &out->membrane_bits);
  case '3': return parse_int(value, 2, 16, &out->norm_bits);
  case '4': return parse_int(value, 2, 12, &out->input_bits);
  case 'I': return parse_share_of(value, 1, &out->initial_membrane);
  case 'K': return parse_int(value, 1, 4096, &out->calibration_steps);
  case 'a': return parse_share_of(value, 1, &out->at_least);
  case 'G': out->model = value; return true;
  case 'H': out->shapes = value; return value[0] != '\0';
  case 'Y': out->technology = value; return value[0] != '\0';
  case 'f': out->tensorboard = value; return value[0] != '\0';
  case 'Q': out->print_technology = true; return true;
  case 'c': out->csv = true; return true;
  case 'A':
    if (out->against_count == MOST_AGAINST) { return false; }
    out->against[out->against_count++] = value;
    return value[0] != '\0';
  case 'F': out->to = value; return true;
  case 'u': out->name = value; return true;
  case 'i': out->recipe = value; return value[0] != '\0';
  case 'm': out->map = value; return value[0] != '\0';
  case 'B': out->print_map = true; return true;
  case 'l': out->layout = value; return true;
  case 'k': out->target = value; return true;
  case 'e': out->reset = value; return true;
  case 'y': return parse_positive(value, &out->dt);
  default: return false;
  }
}

// An option's value that is not allowed: what was found, what may stand there.
static int wrong_value(const option_entry *option, const char *value) {
  return usage_error("--%s is '%s', expected %s%s", option->name, value,
                     option->argument && is_list_of_words(option->argument) ? "one of " : "",
                     option->expected ? option->expected : option->argument);
}

static int take_options(int argc, char **argv, const command_entry *command, arguments *out) {
  struct option table[OPTION_COUNT + 2];
  const option_entry *entries[OPTION_COUNT + 2];
  int count = 0;
  for (int i = 0; i < OPTION_COUNT; i++) {
    const option_entry *o = &option_table[i];
    if (!takes_option(command, o)) { continue; }
    entries[count] = o;
    table[count++] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, o->letter};
  }
  table[count] = (struct option){"help", no_argument, NULL, 'h'};
  table[count + 1] = (struct option){NULL, 0, NULL, 0};
  opterr = 0;
  optind = 1;
  int letter = 0, index = 0;
  while ((letter = getopt_long(argc, argv, ":h", table, &index)) != -1) {
    const char *word = argv[optind - 1];
    if (letter == 'h') {
      print_help(command);
      return EXIT_DONE;
    }
    if (letter == ':') {
      return usage_error("option '%s' needs a value; see 'spikestill help %s'", word, command->name);
    }
    if (letter == '?') {
      // getopt tells a letter it does not know, but nothing of a long name.
      char short_form[3] = {'-', (char)optopt, '\0'};
      bool is_long = strncmp(word, "--", 2) == 0 && (optopt == 0 || strchr(word, '='));
      return unknown_option(command, is_long ? word : short_form);
    }
    bool listed = entries[index]->argument && is_list_of_words(entries[index]->argument);
    if ((listed && !is_one_of(optarg, entries[index]->argument)) || !take_option(letter, optarg, out)) {
      return wrong_value(entries[index], optarg);
    }
  }
  return -1;
}

static int take_words(int argc, char **argv, const command_entry *command, arguments *out) {
  for (int i = optind; i < argc; i++) {
    if (out->word_count == command->most) {
      return usage_error("'%s' is one word too many; see 'spikestill help %s'", argv[i], command->name);
    }
    out->words[out->word_count++] = argv[i];
  }
  if (out->word_count > 0 && is_list_of_words(command->words) && !is_one_of(out->words[0], command->words)) {
    return usage_error("%s is told '%s', expected one of %.*s", command->name, out->words[0],
                       (int)strcspn(command->words, " "), command->words);
  }
  if (out->word_count < command->fewest) {
    return usage_error("%s needs %s; see 'spikestill help %s'", command->name, command->words, command->name);
  }
  return -1;
}

int arguments_parse(int argc, char **argv, arguments *out) {
  *out = (arguments){.batch = 1,
                     .repetitions = 5,
                     .seeds = 1,
                     .jobs = 1,
                     .at_least = -1,
                     .percentile = (double)NAN,
                     .initial_membrane = (double)NAN};
  if (argc < 2) {
    print_help(NULL);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) { name = "help"; }
  if (strcmp(name, "--version") == 0) { name = "version"; }
  const command_entry *command = find_command(name);
  if (!command) { return unknown_command(argv[1]); }
  out->command = command->name;
  int code = take_options(argc - 1, argv + 1, command, out);
  return code >= 0 ? code : take_words(argc - 1, argv + 1, command, out);
}
