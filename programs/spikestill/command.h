// SPDX-License-Identifier: Apache-2.0
// The command line: one list of commands, one list of options; dispatch, --help and the shell completion derive from them.
// Exit codes: 0 done, 1 failure, 2 usage, 3 below a requested threshold.
#ifndef SPIKESTILL_PROGRAM_COMMAND_H
#define SPIKESTILL_PROGRAM_COMMAND_H

#include "spikestill/context.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_BELOW = 3 };

// X(name, "arguments", fewest, most, "options by their letters", "one line")
#define COMMAND_LIST(X)                                                                                                \
  X(train, "RECIPE", 0, 1, "osrwSdtjq", "train a recipe into a run directory")                                         \
  X(eval, "MODEL", 1, 1, "sSdtjDpa", "accuracy and spikes of a run directory or checkpoint")                           \
  X(inspect, "MODEL|RECIPE", 1, 1, "sdtjb", "layers, shapes, parameters, costs, taps, memory")                         \
  X(data, "info|get NAME", 2, 2, "RtjU", "look at a data set, or download it")                                         \
  X(quickstart, "", 0, 0, "osSdtjq", "teacher, plain and distilled spiking network on drawn digits")                   \
  X(bench, "", 0, 0, "dtjn", "training and inference speed beside the machine's ceiling")                              \
  X(recipe, "RECIPE", 0, 1, "s", "print a recipe with every key resolved; without one, the table of keys")             \
  X(version, "", 0, 0, "j", "version and devices")                                                                     \
  X(completion, "bash|zsh", 1, 1, "", "print a shell completion script")                                               \
  X(help, "[COMMAND]", 0, 1, "", "this help, or a command's")

// X(letter, "long name", "argument or NULL", "one line"); letters are internal, only long names are spoken.
#define OPTION_LIST(X)                                                                                                 \
  X('o', "out", "DIR", "run directory (default: runs/ and the recipe's name)")                                         \
  X('s', "set", "KEY=VALUE", "override a recipe key, dotted, list items by index; may be repeated")                    \
  X('r', "resume", NULL, "go on from the run directory's checkpoint (--out; no recipe needed)")                        \
  X('w', "overwrite", NULL, "begin anew where a run is")                                                               \
  X('S', "seed", "N", "the same as --set seed=N")                                                                      \
  X('d', "device", "cpu|cpu-ref", "the same as --set device=...")                                                      \
  X('t', "threads", "N", "threads of a computation (default: all this process may use)")                               \
  X('j', "json", NULL, "results as JSON on standard output")                                                           \
  X('q', "quiet", NULL, "no progress on standard error")                                                               \
  X('D', "data", "NAME", "the same as --set data.name=NAME")                                                           \
  X('p', "part", "train|validation|test", "part of the data (default: test)")                                          \
  X('a', "at-least", "ACCURACY", "exit with 3 if the accuracy (0..1) is below")                                        \
  X('b', "batch", "N", "pictures in the batch that is planned for (default: 1)")                                       \
  X('R', "root", "DIR", "folder of the data (default: $SPIKESTILL_DATA, else ./data)")                                 \
  X('U', "url", "URL", "download from here instead of the built-in mirrors")                                           \
  X('n', "repetitions", "N", "steps that are timed, the median counts (default: 5)")

enum { MOST_OVERRIDES = 256 };

typedef struct arguments {
  const char *command;
  const char *words[4]; // what is not an option
  int word_count;
  const char *overrides[MOST_OVERRIDES];
  int override_count;
  char seed[64], device[64], data[128]; // overrides made of short forms
  const char *out, *part, *root, *url;
  bool resume, overwrite, json, quiet;
  int threads, batch, repetitions;
  double at_least; // negative: not asked
} arguments;

#define COMMAND_DECLARE(name, words, fewest, most, options, text) int command_##name(sst_context *, const arguments *);
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

// Parses argv; returns -1 to go on, else an exit code (usage error, or help was asked for).
int arguments_parse(int argc, char **argv, arguments *out);
void print_help(const char *command);

// Prints "spikestill: <the context's sentence>" on standard error and returns the exit code of the status.
int report_failure(const sst_context *context, sst_status status);

#endif
