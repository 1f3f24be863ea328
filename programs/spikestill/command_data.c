// SPDX-License-Identifier: Apache-2.0
#include "spikestill/data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "data_info.h"
#include "json_output.h"

static void show_download(void *user, const char *file, uint64_t done, uint64_t total) {
  (void)user;
  if (!isatty(STDERR_FILENO)) { return; }
  if (total > 0) {
    fprintf(stderr, "\r\033[K%s  %.1f of %.1f MB", file, (double)done / 1e6, (double)total / 1e6);
  } else {
    fprintf(stderr, "\r\033[K%s  %.1f MB", file, (double)done / 1e6);
  }
}

static int download(sst_context *context, const arguments *a, sst_dataset_kind kind) {
  const char *root = a->root ? a->root : getenv("SPIKESTILL_DATA");
  if (!root || !root[0]) { root = "./data"; }
  stop_on_signals(context);
  sst_status status = sst_dataset_download(context, kind, root, a->url, show_download, NULL);
  if (isatty(STDERR_FILENO)) { fprintf(stderr, "\r\033[K"); }
  if (status != SST_OK) { return report_failure(context, status); }
  if (a->json) { return print_json(json_pack("{s:s, s:s}", "name", sst_dataset_word(kind), "root", root)); }
  printf("%s is in %s\n", sst_dataset_word(kind), root);
  return EXIT_DONE;
}

static int unknown_dataset(const char *name) {
  const char *names[SST_DATASET_COUNT];
  char list[256] = "";
  for (int i = 0; i < SST_DATASET_COUNT; i++) {
    names[i] = sst_dataset_word((sst_dataset_kind)i);
    size_t length = strlen(list);
    snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", names[i]);
  }
  int nearest = nearest_name(name, names, SST_DATASET_COUNT);
  if (nearest >= 0) { return usage_error("there is no data set '%s'; did you mean '%s'?", name, names[nearest]); }
  return usage_error("there is no data set '%s'; there are %s", name, list);
}

sst_recipe *open_data_recipe(sst_context *context, const arguments *a, const char *word, const char *student,
                             int *code) {
  const char *overrides[MOST_OVERRIDES + 2], *dot = strrchr(word, '.');
  char name[128], root[SST_RECIPE_TEXT_SIZE + 16], text[256];
  int count = 0;
  sst_dataset_kind kind;
  sst_recipe *recipe = NULL;
  const bool is_name = sst_dataset_parse(word, &kind);
  const bool is_file = strchr(word, '/') || (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0));
  if (!is_name && !is_file) {
    *code = unknown_dataset(word);
    return NULL;
  }
  snprintf(name, sizeof name, "data.name=%s", word);
  snprintf(root, sizeof root, "data.root=%s", a->root ? a->root : "");
  snprintf(text, sizeof text, "data: {}\nstudent: %s\n", student);
  if (is_name) { overrides[count++] = name; }
  if (a->root) { overrides[count++] = root; }
  for (int i = 0; i < a->override_count; i++) { overrides[count++] = a->overrides[i]; }
  const sst_status status = is_name ? sst_recipe_from_text(context, word, text, overrides, count, &recipe)
                                    : sst_recipe_open(context, word, overrides, count, &recipe);
  *code = status == SST_OK ? EXIT_DONE : report_failure(context, status);
  return recipe;
}

enum { MOST_DRAWN = 4096 };

// The samples to draw: those named, or the first ones. Owned by the caller; NULL if there is no memory.
static int64_t *choose(const arguments *a, sst_dataset_info info, int64_t *count) {
  int64_t *indices = malloc(MOST_DRAWN * sizeof *indices);
  *count = 0;
  if (!indices) { return NULL; }
  if (!a->index) {
    const int64_t wanted = a->count > 0 ? a->count : info.frames > 0 ? 8 : 64;
    for (; *count < wanted && *count < info.count && *count < MOST_DRAWN; ++*count) { indices[*count] = *count; }
    return indices;
  }
  for (const char *at = a->index; *at && *count < MOST_DRAWN;) {
    char *end = NULL;
    indices[(*count)++] = strtoll(at, &end, 10);
    at = *end == ',' ? end + 1 : end + strlen(end);
  }
  return indices;
}

static int draw(sst_context *context, const arguments *a, const sst_recipe *recipe) {
  if (!a->out) { return usage_error("data show needs --out FILE.png"); }
  const sst_dataset_options options = sst_recipe_dataset(recipe, a->part && strcmp(a->part, "test") != 0);
  sst_dataset *dataset;
  sst_status status = sst_dataset_open(context, &options, &dataset);
  if (status != SST_OK) { return report_failure(context, status); }
  int64_t count = 0, *indices = choose(a, sst_dataset_describe(dataset), &count);
  status = indices ? sst_dataset_draw(context, dataset, indices, count, a->out) : SST_OUT_OF_MEMORY;
  if (status == SST_OK && a->json) {
    json_t *labels = json_array();
    for (int64_t i = 0; i < count; i++) {
      json_array_append_new(labels, json_integer(sst_dataset_label(dataset, indices[i])));
    }
    print_json(json_pack("{s:s, s:I, s:o}", "file", a->out, "count", (json_int_t)count, "labels", labels));
  } else if (status == SST_OK) {
    printf("%s shows %" PRId64 " samples; labels:", a->out, count);
    for (int64_t i = 0; i < count; i++) { printf(" %d", sst_dataset_label(dataset, indices[i])); }
    printf("\n");
  }
  free(indices);
  sst_dataset_close(dataset);
  return status == SST_OK ? EXIT_DONE : report_failure(context, status);
}

int command_data(sst_context *context, const arguments *a) {
  const char *what = a->words[0], *name = a->words[1];
  if (strcmp(what, "get") == 0) {
    sst_dataset_kind kind;
    return sst_dataset_parse(name, &kind) ? download(context, a, kind) : unknown_dataset(name);
  }
  int code;
  sst_recipe *recipe = open_data_recipe(context, a, name, "{model: mlp}", &code); // the network does not matter
  if (!recipe) { return code; }
  code = strcmp(what, "show") == 0 ? draw(context, a, recipe) : show_data_info(context, a, recipe);
  sst_recipe_close(context, recipe);
  return code;
}
