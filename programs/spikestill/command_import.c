// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json_output.h"
#include "results.h"
#include "spikestill/run.h"

static int print_map(sst_context *context, sst_network *network, const arguments *a, const sst_state_options *options) {
  char *text = NULL;
  const sst_status status = sst_network_print_map(network, a->words[0], options, &text);
  if (status != SST_OK) { return report_failure(context, status); }
  fputs(text, stdout);
  sst_state_text_free(context, text);
  return EXIT_DONE;
}

// Files that bring their network along are used as they are.
static bool is_network(const char *path) {
  const char *ending = strrchr(path, '.');
  return ending && (strcmp(ending, ".onnx") == 0 || strcmp(ending, ".nir") == 0);
}

// Weights for a network that a recipe describes.
static int import_state(sst_context *context, const arguments *a) {
  if (is_network(a->words[0])) {
    return usage_error("'%s' is a whole network and needs no import: name it where a run directory is expected "
                       "(eval, inspect, energy, export, convert, a recipe's teacher)",
                       a->words[0]);
  }
  if (!a->recipe) { return usage_error("import of safetensors needs --recipe RECIPE; see 'spikestill help import'"); }
  if (!a->out && !a->print_map) { return usage_error("import needs --out DIR; see 'spikestill help import'"); }
  const sst_state_options options = {.map = a->map, .note = print_note};
  sst_network *network = NULL;
  sst_status status = sst_network_open(context, a->recipe, a->overrides, a->override_count, &network);
  if (status != SST_OK) { return report_failure(context, status); }
  int code = EXIT_DONE;
  if (a->print_map) {
    code = print_map(context, network, a, &options);
  } else {
    status = sst_network_import_state(network, a->words[0], &options);
    if (status == SST_OK) { status = sst_run_import(network, a->words[0], "safetensors", a->out, a->overwrite); }
    if (status != SST_OK) { code = report_failure(context, status); }
  }
  sst_network_close(network);
  return code;
}

int command_import(sst_context *context, const arguments *a) {
  const int code = import_state(context, a);
  if (code != EXIT_DONE || a->print_map) { return code; }
  if (a->json) { return print_result_json(a->out); }
  printf("run directory          %s\n", a->out);
  return EXIT_DONE;
}
