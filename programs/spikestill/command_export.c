// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "export_c_source.h"
#include "json_output.h"
#include "results.h"
#include "spikestill/run.h"

// Notes go to standard error as they come, or into the JSON answer.
static void take_note(void *user, const char *line) {
  if (user) {
    json_array_append_new(user, json_string(line));
  } else {
    print_note(NULL, line);
  }
}

static bool is_safetensors(const arguments *a) {
  if (a->to) { return strcmp(a->to, "safetensors") == 0; }
  static const char ending[] = ".safetensors";
  const size_t length = strlen(a->out), tail = sizeof ending - 1;
  return length > tail && strcmp(a->out + length - tail, ending) == 0;
}

// An option that is not for the format asked for; NULL if there is none.
static const char *stray_option(const arguments *a, const char *format) {
  const struct {
    const char *option, *format;
    bool given;
  } options[] = {{"target", "nir", a->target != NULL},
                 {"dt", "nir", a->dt != 0.0},
                 {"layout", "safetensors", a->layout != NULL},
                 {"map", "safetensors", a->map != NULL},
                 {"name", "c", a->name != NULL},
                 {"data", "c", a->data[0] != '\0'},
                 {"root", "c", a->root != NULL},
                 {"count", "c", a->count != 0},
                 {"overwrite", "c", a->overwrite}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (options[i].given && strcmp(options[i].format, format) != 0) { return options[i].option; }
  }
  return NULL;
}

int command_export(sst_context *context, const arguments *a) {
  const bool c_source = a->to && strcmp(a->to, "c") == 0;
  if (!a->out) { return usage_error("export needs --out %s; see 'spikestill help export'", c_source ? "DIR" : "FILE"); }
  const bool safetensors = !c_source && is_safetensors(a);
  const char *format = c_source ? "c" : safetensors ? "safetensors" : "nir", *stray = stray_option(a, format);
  if (stray) { return usage_error("--%s is not for %s; see 'spikestill help export'", stray, format); }
  if (c_source) { return export_c_source(context, a); }
  json_t *notes = a->json ? json_array() : NULL;
  sst_nir_export_options nir = {.dt = a->dt, .note = take_note, .user = notes};
  sst_state_options state = {.map = a->map};
  if (a->target) { sst_nir_target_parse(a->target, &nir.target); } // they have been found to be one of the words
  if (a->layout) { sst_state_layout_parse(a->layout, &state.layout); }
  const char *whose = safetensors ? sst_state_layout_word(state.layout) : sst_nir_target_word(nir.target);
  sst_network *network = NULL;
  sst_status status = sst_network_open(context, a->words[0], a->overrides, a->override_count, &network);
  if (status == SST_OK) {
    status =
        safetensors ? sst_network_export_state(network, a->out, &state) : sst_network_export_nir(network, a->out, &nir);
  }
  sst_network_close(network);
  int code = EXIT_DONE;
  if (status != SST_OK) {
    code = report_failure(context, status);
    json_decref(notes);
  } else if (a->json) {
    code = print_json(json_pack("{s:s, s:s, s:s, s:s, s:o}", "model", a->words[0], "file", a->out, "format", format,
                                safetensors ? "layout" : "target", whose, "notes", notes));
  } else if (safetensors) {
    printf("wrote %s in the layout of %s\n", a->out, whose);
  } else {
    printf("wrote %s for %s\n", a->out, whose);
  }
  return code;
}
