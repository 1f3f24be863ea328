// SPDX-License-Identifier: Apache-2.0
// The command line: one list of commands, one list of options; parsing, help and the shell completions derive from
// them. Exit codes: 0 done; 1 failed, or stopped by a signal; 2 the command line is wrong; 3 below a requested
// accuracy.
#ifndef SPIKESTILL_PROGRAM_COMMAND_H
#define SPIKESTILL_PROGRAM_COMMAND_H

#include "spikestill/run.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_BELOW = 3 };

// X(name, "words", fewest, most, "letters of its options", "one line", "example"). Lower-case words in "words" are
// literal.
#define COMMAND_LIST(X)                                                                                                \
  X(train, "RECIPE", 0, 1, "osrwSd7tajq", "train what a recipe describes, into a run directory",                       \
    "train recipe.yaml --out runs/first --seed 2 --set train.epochs=3")                                                \
  X(sweep, "RECIPE", 1, 1, "oVLNJsSd7tjq",                                                                             \
    "train a recipe with combinations of values and several seeds, and compare",                                       \
    "sweep recipe.yaml --vary student.timesteps=2,4 --seeds 3 --out sweeps/first")                                     \
  X(eval, "MODEL", 1, 1, "xC9sSd7DzTkyepatj", "accuracy and spikes of a run directory, checkpoint, ONNX or NIR file",  \
    "eval runs/first --part validation --at-least 0.95")                                                               \
  X(convert, "MODEL", 1, 1, "oMTPCIKwsdDztjq", "convert a trained ann or ONNX file into a spiking network",            \
    "convert runs/teacher --timesteps 1,4,16,64 --out runs/converted")                                                 \
  X(quantize, "MODEL", 1, 1, "o12348CgwsDSdtjq",                                                                       \
    "make an integer network of a spiking one: exactly, by quantising it, or rounding it",                             \
    "quantize runs/first --weight-bits 4 --out first.integer")                                                         \
  X(inspect, "MODEL|RECIPE", 1, 1, "bsTkyed7tj", "layers, shapes, parameters, costs, taps and memory of a network",    \
    "inspect runs/first --batch 64")                                                                                   \
  X(energy, "MODEL", 0, 1, "HGAYQCpsdDtjc", "energy, latency and area of a network, beside ANNs of its shape",         \
    "energy runs/first --model all --samples 1000")                                                                    \
  X(report, "RUN...", 1, MOST_WORDS, "ofOq", "one HTML file about runs, made from their records",                      \
    "report runs/first runs/second --out report.html")                                                                 \
  X(import, "FILE", 1, 1, "oimBwsSdtj", "make a run directory of a recipe's network and the weights of another tool",  \
    "import net.safetensors --recipe recipe.yaml --out runs/imported")                                                 \
  X(export, "MODEL", 1, 1, "osFkylmuDREwdtj", "write a network for other tools (NIR, safetensors), or as C source",    \
    "export runs/first --to nir --target norse --out first.nir")                                                       \
  X(data, "info|show|get NAME|RECIPE", 2, 2, "osRUpEXtj",                                                              \
    "count and measure a data set, draw samples of it, or download it", "data show mnist --out mnist.png --count 100") \
  X(quickstart, "", 0, 0, "osrSd7tjq", "teacher, plain and distilled spiking network on drawn digits",                 \
    "quickstart --out runs/quickstart")                                                                                \
  X(bench, "train|data|deploy NAME|RECIPE", 0, 2, "nsRd7tjv56",                                                        \
    "speed of training and inference, of a recipe or of usual networks, beside what the machine can do; of reading "   \
    "data; of integer networks",                                                                                       \
    "bench train recipes/kd_cifar10_vgg.yaml --ops")                                                                   \
  X(recipe, "RECIPE", 0, 1, "s", "print a recipe with every key filled in; without a RECIPE, the table of keys",       \
    "recipe recipe.yaml --set student.timesteps=2")                                                                    \
  X(version, "", 0, 0, "j", "version, devices and threads", "version --json")                                          \
  X(completion, "bash|zsh|fish", 1, 1, "", "print the completion script of a shell", "completion bash")                \
  X(help, "COMMAND", 0, 1, "", "this help, or that of a command", "help train")

// X(letter, "long name", "argument" or NULL, "what a value may be" or NULL, "one line"); letters are internal, only
// long names are spoken. An argument in lower case with '|' is a list of the words that may stand there.
#define OPTION_LIST(X)                                                                                                 \
  X('o', "out", "DIR", NULL,                                                                                           \
    "run directory (default: runs/ and the recipe's name; quickstart: runs/quickstart; sweep: none); data show: the "  \
    "PNG file; export: the file, --to c: the folder; report: the HTML file (default: report.html)")                    \
  X('s', "set", "KEY=VALUE", "KEY=VALUE, such as train.epochs=3",                                                      \
    "give a recipe's key another value: a.b=1, a list's item by its place: a.0.b=1; may be repeated")                  \
  X('V', "vary", "KEY=V1,V2", "KEY=V1,V2, such as student.timesteps=2,4",                                              \
    "values that a key takes in turn; repeated: the grid of all combinations")                                         \
  X('L', "list", "FILE", NULL, "combinations from a file instead, KEY=VALUE KEY=VALUE on each line")                   \
  X('N', "seeds", "N", "a whole number from 1 to 1000",                                                                \
    "runs of each combination: with the recipe's seed and those after it (default: 1)")                                \
  X('J', "jobs", "N", "a whole number from 1 to 256", "runs at a time, which share the threads (default: 1)")          \
  X('M', "method", "threshold_balancing|data_normalization|qcfs", NULL,                                                \
    "where thresholds come from (default: qcfs for an ann trained for it, else threshold_balancing)")                  \
  X('T', "timesteps", "T1,T2", NULL,                                                                                   \
    "numbers of steps at which accuracy is measured (default: 1,2,4,...,1024); eval, inspect: one number, the same "   \
    "as --set student.timesteps=T")                                                                                    \
  X('P', "percentile", "P", "a number above 0, at most 100",                                                           \
    "share of a layer's currents that lie at or below its threshold (default: 99.9)")                                  \
  X('C', "samples", "N", "a whole number from 1 to 1000000000",                                                        \
    "convert, quantize: training pictures that thresholds or the range of membranes are taken from, or that spikes "   \
    "are compared on (default: 1000); "                                                                                \
    "energy, eval of an integer network: first so many (default: all)")                                                \
  X('I', "initial-membrane", "SHARE", "a number from 0 to 1",                                                          \
    "of the threshold, in every neuron at first (default: 0.5 for qcfs, else 0)")                                      \
  X('K', "calibration-steps", "N", "a whole number from 1 to 4096",                                                    \
    "threshold_balancing: steps while thresholds are taken (default: 64)")                                             \
  X('x', "compare", "MODEL", NULL,                                                                                     \
    "beside this one, of which one is an integer network: every spike; exit with 3 if one differs")                    \
  X('9', "level", "plain|neon|avx2|avx512", NULL,                                                                      \
    "an integer network's kernels, at most of this instruction set (default: the best of the processor)")              \
  X('1', "weight-bits", "N", "a whole number from 2 to 8", "of weights in full precision (default: 8)")                \
  X('2', "membrane-bits", "N", "a whole number from 2 to 16",                                                          \
    "of stored membranes in full precision (default: 8; --approximate: 16 where they leak)")                           \
  X('3', "norm-bits", "N", "a whole number from 2 to 16",                                                              \
    "of factors and offsets in full precision (default: 8; --approximate: 16)")                                        \
  X('4', "input-bits", "N", "a whole number from 2 to 12", "of the input in full precision (default: 8)")              \
  X('8', "approximate", NULL, NULL,                                                                                    \
    "round what lies on no grid, tell it layer by layer, and compare every spike of --samples training pictures")      \
  X('g', "simulation", "DIR", NULL, "keep the quantised simulation as a run directory")                                \
  X('r', "resume", NULL, NULL, "go on from where a run was stopped or killed; with --out, without a RECIPE")           \
  X('w', "overwrite", NULL, NULL, "begin anew where a run is already; c: replace files of others")                     \
  X('S', "seed", "N", NULL, "the same as --set seed=N")                                                                \
  X('d', "device", "cpu|cpu-ref|cuda", NULL,                                                                           \
    "the same as --set device=...: the fast backend, the plain one, or a card")                                        \
  X('7', "precision", "f32|bf16|tf32", NULL, "the same as --set precision=...: of products, see recipes")              \
  X('D', "data", "NAME", NULL, "the same as --set data.name=NAME")                                                     \
  X('z', "normalize", "NAME", NULL, "the same as --set data.normalize=NAME, for an ONNX file")                         \
  X('p', "part", "train|validation|test", NULL, "part of the data (default: test)")                                    \
  X('a', "at-least", "ACCURACY", "a number from 0 to 1", "exit with 3 if the accuracy on the data is below")           \
  X('b', "batch", "N", "a whole number from 1 to 65536",                                                               \
    "pictures in the batch that memory is planned for (default: 1)")                                                   \
  X('i', "recipe", "RECIPE", NULL, "recipe of the network that the weights are for")                                   \
  X('m', "map", "FILE", NULL, "name map (YAML): lines 'ours: theirs' for tensors or modules")                          \
  X('B', "print-map", NULL, NULL, "print the name map that would be used, to be completed, and do nothing else")       \
  X('F', "to", "nir|safetensors|c", NULL,                                                                              \
    "format (default: safetensors if --out ends so, else nir); c: source of an integer network")                       \
  X('u', "name", "NAME", NULL, "c: what the source is called (default: as the model's file)")                          \
  X('l', "layout", "torch|spikestill", NULL, "safetensors: whose names and shapes (default: torch)")                   \
  X('k', "target", "generic|snntorch|spikingjelly|norse|sinabs|spyx|rockpool", NULL,                                   \
    "tool that is to read the file (default: generic); of a NIR file that is read: tool that it was written for")      \
  X('y', "dt", "SECONDS", "a number above 0", "time step, in the unit of the target's time constants")                 \
  X('e', "reset", "hard|soft", NULL, "how the neurons of a NIR file reset (default: what it says)")                    \
  X('R', "root", "DIR", NULL, "folder that holds the data sets (default: $SPIKESTILL_DATA, else ./data)")              \
  X('E', "count", "N", "a whole number from 1 to 65536",                                                               \
    "samples that are drawn: the first ones (default: 64 pictures, 8 recordings; at most 4096); c: that are compared " \
    "(default: 4)")                                                                                                    \
  X('X', "index", "N,N", "whole numbers from 0, such as 0,5,9", "draw these samples instead")                          \
  X('U', "url", "URL", NULL, "download from here instead of the built-in mirrors")                                     \
  X('n', "repetitions", "N", "a whole number from 1 to 10000",                                                         \
    "steps that are timed; their median counts (default: 5)")                                                          \
  X('5', "only", "TEXT", "a part of a task's name, such as mlp", "tasks whose name holds the text (default: all)")     \
  X('6', "ops", NULL, NULL, "the time of each operation of a training step too")                                       \
  X('v', "calibrate", NULL, NULL,                                                                                      \
    "measure from which density of spikes on dense products are faster, and print the recipe section that says so")    \
  X('G', "model", "NAME|all", NULL, "energy model, or all of them (default: operations)")                              \
  X('H', "shapes", "FILE", NULL, "shapes of layers (YAML) in place of a MODEL")                                        \
  X('A', "against", "MODEL", NULL, "another network to compare with; may be repeated")                                 \
  X('Y', "technology", "FILE", NULL, "constants that replace the built-in ones (YAML)")                                \
  X('Q', "print-technology", NULL, NULL, "print all constants and settings with their sources")                        \
  X('c', "csv", NULL, NULL, "the result as CSV on standard output")                                                    \
  X('O', "open", NULL, NULL, "show the file in a browser")                                                             \
  X('f', "tensorboard", "DIR", NULL, "write the histories as TensorBoard event files too, a folder for each run")      \
  X('t', "threads", "N", "a whole number from 1 to 1024", "threads of a computation (default: one for each core)")     \
  X('j', "json", NULL, NULL, "the result as JSON on standard output")                                                  \
  X('q', "quiet", NULL, NULL, "no progress on standard error")

enum { MOST_OVERRIDES = 256, MOST_VARIED = 32, MOST_AGAINST = 4, MOST_WORDS = 64 };

typedef struct arguments {
  const char *command;
  const char *words[MOST_WORDS]; // what is not an option
  int word_count;
  const char *overrides[MOST_OVERRIDES];
  int override_count;
  const char *vary[MOST_VARIED];
  int vary_count;
  char seed[64], device[64], precision[64], data[128], normalize[64], steps[64]; // overrides made of short forms
  const char *out, *part, *root, *url, *list, *index, *method, *timesteps, *model, *shapes, *technology, *tensorboard,
      *to, *target, *level, *recipe, *map, *layout, *reset, *compare, *simulation, *name, *only;
  const char *against[MOST_AGAINST];
  int against_count;
  bool approximate, calibrate, ops, open, resume, overwrite, json, csv, quiet, print_technology, print_map;
  int threads, batch, repetitions, seeds, jobs, count, samples, calibration_steps;
  int weight_bits, membrane_bits, norm_bits, input_bits; // 0: not given
  double at_least;                                       // negative: not asked
  double percentile, initial_membrane;                   // NAN: not given
  double dt;                                             // 0: the target's
} arguments;

#define COMMAND_DECLARE(name, words, fewest, most, options, text, example)                                             \
  int command_##name(sst_context *, const arguments *);
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

// The lists as tables (arguments.c).
typedef struct command_entry {
  const char *name, *words;
  int fewest, most;
  const char *options, *text, *example;
} command_entry;
typedef struct option_entry {
  char letter;
  const char *name, *argument, *expected, *text;
} option_entry;
extern const command_entry command_table[];
extern const int command_count;
extern const option_entry option_table[];
extern const int option_count;
const command_entry *find_command(const char *name); // NULL if there is none
bool takes_option(const command_entry *command, const option_entry *option);

// Parses argv; returns -1 to go on, else an exit code (the command line is wrong, or help was asked for).
int arguments_parse(int argc, char **argv, arguments *out);

// One sentence on standard error, and EXIT_USAGE.
int usage_error(const char *format, ...) SST_PRINTF(1, 2);
int unknown_command(const char *name);

// The program's help; with a command, that command's.
void print_help(const command_entry *command);

// Index of the name that `word` is probably meant to be, or -1.
int nearest_name(const char *word, const char *const *names, int count);

// From now on SIGINT and SIGTERM ask the context to stop; a second one ends the program at once.
void stop_on_signals(sst_context *context);

// Prints "spikestill: <the context's sentence>" on standard error and returns EXIT_FAILED.
int report_failure(const sst_context *context, sst_status status);

// Opens what the first word names: for a NIR file as --target, --dt and --reset say, --timesteps as an override.
// Notes about it go to standard error.
sst_status open_model(sst_context *context, const arguments *a, sst_network **out);

// --part, which the parser has found to be one of its words; the test part without it.
sst_part chosen_part(const arguments *a);

// EXIT_BELOW, with a sentence, if the accuracy is below what --at-least asks for; else EXIT_DONE.
int check_accuracy(const arguments *a, double accuracy);

#endif
