// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "command.h"

static void print_note(void *user, const char *line) {
  (void)user;
  fprintf(stderr, "note: %s\n", line);
}

sst_status open_model(sst_context *context, const arguments *a, sst_network **out) {
  sst_nir_target target = SST_NIR_TARGET_GENERIC;
  sst_nir_import_options nir = {.dt = a->dt, .note = print_note};
  if (a->target && sst_nir_target_parse(a->target, &target)) { nir.target = &target; }
  if (a->reset) { nir.reset = strcmp(a->reset, "soft") == 0 ? SST_NIR_RESET_SOFT : SST_NIR_RESET_HARD; }
  return sst_network_open_nir(context, a->words[0], &nir, a->overrides, a->override_count, out);
}

sst_part chosen_part(const arguments *a) {
  if (a->part && strcmp(a->part, "train") == 0) { return SST_PART_TRAIN; }
  return a->part && strcmp(a->part, "validation") == 0 ? SST_PART_VALIDATION : SST_PART_TEST;
}
