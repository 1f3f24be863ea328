// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>

#include "command.h"
#include "json_output.h"
#include "spikestill/run.h"

// Notes go to standard error as they come, or into the JSON answer.
static void take_note(void *user, const char *line) {
  if (user) {
    json_array_append_new(user, json_string(line));
  } else {
    fprintf(stderr, "note: %s\n", line);
  }
}

int command_export(sst_context *context, const arguments *a) {
  if (!a->out) { return usage_error("export needs --out FILE; see 'spikestill help export'"); }
  json_t *notes = a->json ? json_array() : NULL;
  sst_nir_export_options options = {.dt = a->dt, .note = take_note, .user = notes};
  if (a->target) { sst_nir_target_parse(a->target, &options.target); } // it has been found to be one of the words
  sst_network *network = NULL;
  sst_status status = sst_network_open(context, a->words[0], a->overrides, a->override_count, &network);
  if (status == SST_OK) { status = sst_network_export_nir(network, a->out, &options); }
  sst_network_close(network);
  int code = EXIT_DONE;
  if (status != SST_OK) {
    code = report_failure(context, status);
    json_decref(notes);
  } else if (a->json) {
    code = print_json(json_pack("{s:s, s:s, s:s, s:s, s:o}", "model", a->words[0], "file", a->out, "format", "nir",
                                "target", sst_nir_target_word(options.target), "notes", notes));
  } else {
    printf("wrote %s for %s\n", a->out, sst_nir_target_word(options.target));
  }
  return code;
}
