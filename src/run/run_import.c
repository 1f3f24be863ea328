// SPDX-License-Identifier: Apache-2.0
// The run directory of a network whose parameters come from another tool's file.
#include <string.h>

#include "base/file.h"
#include "run/assemble.h"
#include "run/checkpoint.h"
#include "run/run_folder.h"

// The result last: a folder that has one is complete.
static sst_status write_files(const sst_network *network, const ssti_run_folder *folder, const char *recipe_text,
                              const char *from, const char *format) {
  sst_context *context = network->context;
  const sst_recipe *recipe = network->recipe;
  SST_TRY(ssti_file_write(context, folder->recipe, recipe_text, strlen(recipe_text)));
  SST_TRY(ssti_run_write_environment(folder, recipe));
  SST_TRY(ssti_checkpoint_save(context, folder->checkpoint, recipe_text, network->parameters, NULL, NULL, NULL, NULL));
  json_t *value =
      json_pack("{s:s, s:{s:s, s:s}, s:I, s:I, s:s, s:s}", "name", recipe->name, "import", "from", from, "format",
                format, "parameters", (json_int_t)sst_parameters_elements(network->parameters), "seed",
                (json_int_t)recipe->seed, "device", sst_device_word(recipe->device), "recipe", recipe_text);
  return ssti_run_write_json(context, folder->result, value);
}

sst_status sst_run_import(sst_network *network, const char *from, const char *format, const char *out, bool overwrite) {
  sst_context *context = network->context;
  ssti_run_folder folder;
  char *recipe_text = NULL;
  SST_TRY(ssti_run_folder_open(context, out, &folder));
  sst_status status = sst_recipe_text(context, network->recipe, &recipe_text);
  if (status == SST_OK) { status = ssti_run_folder_begin(&folder, overwrite); }
  if (status == SST_OK) { status = write_files(network, &folder, recipe_text, from, format); }
  sst_recipe_text_free(context, recipe_text);
  ssti_run_folder_close(&folder);
  return status;
}
