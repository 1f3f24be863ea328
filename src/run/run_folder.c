// SPDX-License-Identifier: Apache-2.0
#include "run/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "spikestill/version.h"

// The files of a run, in the order in which they are removed: what is left after a kill in between is never taken for a
// complete run, and can be told from an empty folder to the end.
static const struct {
  const char *name;
  size_t offset; // of its path
} FILES[] = {
    {"result.json", offsetof(ssti_run_folder, result)},
    {"costs.json", offsetof(ssti_run_folder, costs)},
    {"mistakes.json", offsetof(ssti_run_folder, mistakes)},
    {"activity.json", offsetof(ssti_run_folder, activity)},
    {"conversion.csv", offsetof(ssti_run_folder, conversion)},
    {"checkpoint.safetensors", offsetof(ssti_run_folder, checkpoint)},
    {"best.safetensors", offsetof(ssti_run_folder, best)},
    {"history.jsonl", offsetof(ssti_run_folder, history)},
    {"timing.jsonl", offsetof(ssti_run_folder, timing)},
    {"environment.json", offsetof(ssti_run_folder, environment)},
    {"recipe.yaml", offsetof(ssti_run_folder, recipe)},
};
enum { FILE_COUNT = sizeof FILES / sizeof *FILES };

static char **path_at(ssti_run_folder *run, int file) { return (char **)(void *)((char *)run + FILES[file].offset); }

static const char *file_at(const ssti_run_folder *run, int file) {
  const char *path = NULL;
  memcpy(&path, (const char *)run + FILES[file].offset, sizeof path);
  return path;
}

sst_status ssti_run_folder_open(sst_context *context, const char *folder, ssti_run_folder *out) {
  *out = (ssti_run_folder){.context = context};
  sst_status status = ssti_copy_text(context, folder, &out->folder);
  for (int i = 0; status == SST_OK && i < FILE_COUNT; i++) {
    status = ssti_path_join(context, folder, FILES[i].name, path_at(out, i));
  }
  if (status != SST_OK) { ssti_run_folder_close(out); }
  return status;
}

void ssti_run_folder_close(ssti_run_folder *run) {
  if (run->lock > 0) { close(run->lock); }
  ssti_free(run->context, run->folder);
  for (int i = 0; i < FILE_COUNT; i++) { ssti_free(run->context, *path_at(run, i)); }
  *run = (ssti_run_folder){0};
}

sst_status ssti_run_folder_vacant(const ssti_run_folder *run) {
  for (int i = 0; i < FILE_COUNT; i++) {
    if (!ssti_file_exists(file_at(run, i))) { continue; }
    SST_FAIL(run->context, SST_INVALID_ARGUMENT,
             "%s: holds a run already; resume it (--resume), replace it (--overwrite) or choose another folder (--out)",
             run->folder);
  }
  return SST_OK;
}

// Whether the name is that of a temporary file of one of ours: "history.jsonl.tmp-123".
static bool is_scrap(const char *name) {
  for (int i = 0; i < FILE_COUNT; i++) {
    size_t length = strlen(FILES[i].name);
    if (strncmp(name, FILES[i].name, length) == 0 && strncmp(name + length, ".tmp-", 5) == 0) { return true; }
  }
  return false;
}

sst_status ssti_run_folder_take(ssti_run_folder *run) {
  if (run->lock > 0) { return SST_OK; }
  int fd = open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) { SST_FAIL(run->context, SST_IO, "%s: cannot open the folder: %s", run->folder, strerror(errno)); }
  // Some file systems have no locks; there everybody has to look after himself.
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    SST_FAIL(run->context, SST_INVALID_ARGUMENT, "%s: another process is training there; choose another folder (--out)",
             run->folder);
  }
  run->lock = fd;
  DIR *folder = opendir(run->folder);
  if (!folder) { return SST_OK; } // scrap does no harm
  for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    if (is_scrap(entry->d_name)) { unlinkat(fd, entry->d_name, 0); }
  }
  closedir(folder);
  return SST_OK;
}

sst_status ssti_run_folder_begin(ssti_run_folder *run, bool overwrite) {
  SST_TRY(ssti_folder_make(run->context, run->folder));
  SST_TRY(ssti_run_folder_take(run));
  if (!overwrite) { return ssti_run_folder_vacant(run); }
  for (int i = 0; i < FILE_COUNT; i++) {
    const char *file = file_at(run, i);
    if (ssti_file_exists(file) && (!ssti_io_allowed(run->context, "remove", file) || unlink(file) != 0)) {
      SST_FAIL(run->context, SST_IO, "%s: cannot be removed to make room for a new run", file);
    }
  }
  return SST_OK;
}

static sst_status json_line(sst_context *context, json_t *value, bool pretty, char **out) {
  if (!value) { SST_FAIL(context, SST_OUT_OF_MEMORY, "a JSON record could not be built for lack of memory"); }
  sst_status status = ssti_json_text(context, value, pretty, out);
  json_decref(value);
  return status;
}

static sst_status put_json(sst_context *context, const char *path, json_t *value, bool pretty,
                           sst_status (*put)(sst_context *, const char *, const void *, size_t)) {
  char *text = NULL;
  SST_TRY(json_line(context, value, pretty, &text));
  ssti_text line = ssti_text_begin(context);
  ssti_text_append(&line, "%s\n", text);
  ssti_free(context, text);
  sst_status status = line.status;
  if (status == SST_OK) { status = put(context, path, line.data, line.length); }
  ssti_text_free(&line);
  return status;
}

sst_status ssti_run_write_json(sst_context *context, const char *path, json_t *value) {
  return put_json(context, path, value, true, ssti_file_write);
}

sst_status ssti_run_append_json(sst_context *context, const char *path, json_t *value) {
  return put_json(context, path, value, false, ssti_file_append);
}

sst_status ssti_run_cut_lines(sst_context *context, const char *path, int64_t lines) {
  if (lines <= 0 && !ssti_file_exists(path)) { return SST_OK; }
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, 0, &data, &size));
  size_t end = 0;
  int64_t found = 0;
  for (size_t i = 0; i < size && found != lines; i++) {
    if (data[i] == '\n') {
      found++;
      end = i + 1;
    }
  }
  sst_status status = SST_OK;
  if (found < lines) {
    status = ssti_fail(context, SST_FORMAT, "%s: has %lld complete lines, but the checkpoint stands after epoch %lld",
                       path, (long long)found, (long long)lines);
  } else if (end < size) {
    status = ssti_file_write(context, path, data, end);
  }
  ssti_free(context, data);
  return status;
}

sst_status ssti_run_sum_field(sst_context *context, const char *path, const char *field, double *out) {
  *out = 0;
  if (!ssti_file_exists(path)) { return SST_OK; }
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, 0, &data, &size));
  sst_status status = SST_OK;
  for (char *line = data; status == SST_OK && line < data + size;) {
    char *end = memchr(line, '\n', (size_t)(data + size - line));
    if (!end) { break; }
    json_t *value = NULL;
    status = ssti_json_parse(context, path, line, (size_t)(end - line), &value);
    if (status == SST_OK) { *out += json_number_value(json_object_get(value, field)); }
    json_decref(value);
    line = end + 1;
  }
  ssti_free(context, data);
  return status;
}

// The processor's name as the system tells it; empty where it does not.
static void processor_name(char *name, size_t size) {
  name[0] = 0;
  FILE *file = fopen("/proc/cpuinfo", "r");
  if (!file) { return; }
  char line[256];
  while (fgets(line, sizeof line, file)) {
    char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) == 0 && value) {
      snprintf(name, size, "%s", value + 2);
      name[strcspn(name, "\n")] = 0;
      break;
    }
  }
  fclose(file);
}

sst_status ssti_run_write_environment(const ssti_run_folder *run, const sst_recipe *recipe) {
  char processor[128], moment[32] = "";
  processor_name(processor, sizeof processor);
  struct utsname system = {0};
  uname(&system);
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) { strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc); }
#if defined(__clang__)
  const char *compiler = "clang " __clang_version__;
#else
  const char *compiler = "gcc " __VERSION__;
#endif
  json_t *value =
      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "version", sst_version(), "compiler", compiler, "processor",
                processor, "system", system.sysname, "release", system.release, "threads",
                sst_context_threads(run->context), "device", sst_device_word(recipe->device), "started", moment);
  return ssti_run_write_json(run->context, run->environment, value);
}

sst_status ssti_run_read_result(const ssti_run_folder *run, sst_run_result *out) {
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(run->context, run->result, 0, &data, &size));
  json_t *value = NULL;
  sst_status status = ssti_json_parse(run->context, run->result, data, size, &value);
  ssti_free(run->context, data);
  SST_TRY(status);
  const struct {
    const char *key;
    double *to;
  } fields[] = {{"test_accuracy", &out->test_accuracy},
                {"test_accuracy_best_by_validation", &out->test_accuracy_best},
                {"validation_accuracy", &out->validation_accuracy},
                {"best_validation_accuracy", &out->best_validation_accuracy},
                {"spikes_per_inference", &out->spikes_per_inference},
                {"energy_pj", &out->energy_pj},
                {"seconds", &out->seconds},
                {"samples_per_second", &out->samples_per_second}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const json_t *field = json_object_get(value, fields[i].key);
    *fields[i].to = json_is_number(field) ? json_number_value(field) : (double)NAN;
  }
  out->best_epoch = json_integer_value(json_object_get(value, "best_epoch"));
  out->parameters = json_integer_value(json_object_get(value, "parameters"));
  out->teacher_kept_bytes = json_integer_value(json_object_get(value, "teacher_kept_bytes"));
  out->seed = (uint64_t)json_integer_value(json_object_get(value, "seed"));
  json_decref(value);
  return SST_OK;
}

int ssti_first_difference(const char **a, const char **b) {
  int line = 1;
  const char *left = *a, *right = *b;
  for (; *left && *left == *right; left++, right++) {
    if (*left != '\n') { continue; }
    line++;
    *a = left + 1;
    *b = right + 1;
  }
  return line;
}
