// SPDX-License-Identifier: Apache-2.0
// The first byte chooses a record of a run directory, the rest is what the record holds; the other records are not
// there. A report is made of it, as a page without drawings and as event files, or a sentence names the record.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spikestill/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"activity.json", "mistakes.json", "history.jsonl",    "timing.jsonl",
                                    "result.json",   "costs.json",    "environment.json", "recipe.yaml"};
enum { NAMES = sizeof names / sizeof *names };

// The folder lies in memory where there is such a place; it is made once.
static const char *folder(void) {
  static char path[64];
  if (!path[0]) {
    snprintf(path, sizeof path, "%s/spikestill-fuzz-%ld-run", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)getpid());
    if (mkdir(path, 0700) != 0) { abort(); }
  }
  return path;
}

static void put_file(const char *name, const void *data, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder(), name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0) { abort(); }
}

static void remove_file(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder(), name);
  remove(path);
}

static void write_all(sst_report *report) {
  char path[128];
  snprintf(path, sizeof path, "%s/report.html", folder());
  if (sst_report_run_count(report) != 1 || sst_report_write(report, NULL, 0, path) != SST_OK) { abort(); }
  if (strstr(sst_report_script(report), "set terminal") == NULL && strlen(sst_report_script(report)) < 100) { abort(); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char recipe[] = "name: fuzz\nstudent: {kind: snn}\n";
  if (size == 0) { return 0; }
  const char *name = names[data[0] % NAMES], *paths[] = {folder()};
  sst_context *context = NULL;
  sst_report *report = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  put_file("recipe.yaml", recipe, sizeof recipe - 1);
  put_file(name, data + 1, size - 1);
  sst_status status = sst_report_open(context, paths, 1, &report);
  if (status == SST_OK) {
    write_all(report);
  } else if (report != NULL || sst_context_message(context)[0] == '\0') {
    abort();
  }
  sst_report_close(report);
  remove_file(name);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
