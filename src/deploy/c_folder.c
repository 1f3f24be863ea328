// SPDX-License-Identifier: Apache-2.0
// An exported folder: all files are written aside before the first of them takes its place.
#include <unistd.h>

#include "base/file.h"
#include "deploy/c_parts.h"

typedef struct place {
  char *path;
  bool was_there;
  ssti_writer *writer;
} place;

// Whether an export may replace the file: one that says so in its first line.
static sst_status check_old(sst_context *context, const char *path) {
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, 0, &data, &size));
  char *end = strchr(data, '\n');
  if (end != NULL) { *end = '\0'; }
  const bool ours = strstr(data, SSTI_C_MARK) != NULL;
  ssti_free(context, data);
  if (ours) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT,
           "%s: is not from an earlier export, expected a folder without it, or to be told to overwrite it", path);
}

static sst_status open_places(ssti_c_export *made, const char *folder, place *places) {
  sst_context *context = made->network->context;
  for (int i = 0; i < made->file_count; i++) {
    SST_TRY(ssti_path_join(context, folder, made->files[i].name, &places[i].path));
    places[i].was_there = ssti_file_exists(places[i].path);
    if (places[i].was_there && !made->options.overwrite) { SST_TRY(check_old(context, places[i].path)); }
  }
  for (int i = 0; i < made->file_count; i++) {
    const ssti_text *text = &made->files[i].text;
    SST_TRY(ssti_writer_open(context, places[i].path, &places[i].writer));
    SST_TRY(ssti_writer_write(places[i].writer, text->data, text->length));
  }
  return SST_OK;
}

sst_status ssti_c_write_folder(ssti_c_export *made, const char *folder) {
  sst_context *context = made->network->context;
  const bool is_new = !ssti_folder_exists(folder);
  place places[SSTI_C_MOST_FILES] = {{0}};
  sst_status status = ssti_folder_make(context, folder);
  if (status == SST_OK) { status = open_places(made, folder, places); }
  int done = 0;
  for (; status == SST_OK && done < made->file_count; done++) {
    status = ssti_writer_commit(places[done].writer);
    places[done].writer = NULL;
  }
  for (int i = 0; i < made->file_count; i++) {
    ssti_writer_abandon(places[i].writer);
    // What was new before the failure is taken back.
    if (status != SST_OK && i < done && !places[i].was_there) { unlink(places[i].path); }
    ssti_free(context, places[i].path);
  }
  if (status != SST_OK && is_new) { rmdir(folder); }
  return status;
}
