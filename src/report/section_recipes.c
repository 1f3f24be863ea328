// SPDX-License-Identifier: Apache-2.0
// What was trained and where: differences between the runs' recipes, the recipes whole, the machines.
#include <stdio.h>
#include <stdlib.h>

#include "report/page.h"

enum { PATH_SIZE = 192, MOST_DIFFERENCES = 400 };

// One scalar of a recipe under its dotted path.
typedef struct entry {
  char path[PATH_SIZE];
  const char *text;
  int line;
  bool differs;
} entry;

typedef struct flat_recipe {
  entry *entries;  // in the recipe's order
  entry **by_path; // the same, sorted
  size_t count, capacity;
} flat_recipe;

static sst_status flatten(sst_context *context, const ssti_yaml_node *node, const char *path, flat_recipe *out) {
  if (node->count == 0) {
    SST_TRY(ssti_grow(context, &out->entries, &out->capacity, out->count + 1, sizeof *out->entries));
    entry *e = &out->entries[out->count++];
    snprintf(e->path, PATH_SIZE, "%s", path);
    e->text = node->kind == SSTI_YAML_SCALAR ? node->text : "none"; // an empty list or map
    e->line = node->line;
    return SST_OK;
  }
  int index = 0;
  for (const ssti_yaml_node *item = node->first; item != NULL; item = item->next, index++) {
    char below[PATH_SIZE], number[16];
    snprintf(number, sizeof number, "%d", index);
    const char *name = item->key != NULL ? item->key : number;
    snprintf(below, sizeof below, "%.*s%s%.*s", PATH_SIZE / 2, path, *path ? "." : "", PATH_SIZE / 3, name);
    SST_TRY(flatten(context, item, below, out));
  }
  return SST_OK;
}

static int by_path(const void *a, const void *b) {
  const entry *const *x = a, *const *y = b;
  return strcmp((*x)->path, (*y)->path);
}

static sst_status sort(sst_context *context, flat_recipe *recipe) {
  SST_TRY(ssti_allocate(context, recipe->count, sizeof(entry *), &recipe->by_path));
  for (size_t i = 0; i < recipe->count; i++) { recipe->by_path[i] = &recipe->entries[i]; }
  qsort(recipe->by_path, recipe->count, sizeof(entry *), by_path);
  return SST_OK;
}

static entry *find(const flat_recipe *recipe, const char *path) {
  entry key;
  snprintf(key.path, sizeof key.path, "%s", path);
  const entry *wanted = &key;
  entry **found = bsearch(&wanted, recipe->by_path, recipe->count, sizeof(entry *), by_path);
  return found != NULL ? *found : NULL;
}

// A value differs if some run has another one or none.
static void compare(flat_recipe *recipes, int count) {
  for (int i = 0; i < count; i++) {
    for (size_t k = 0; k < recipes[i].count; k++) {
      entry *e = &recipes[i].entries[k];
      for (int j = 0; j < count && !e->differs; j++) {
        const entry *other = find(&recipes[j], e->path);
        e->differs = other == NULL || strcmp(other->text, e->text) != 0;
      }
    }
  }
}

static void put_difference(ssti_page *page, const flat_recipe *recipes, const char *path) {
  ssti_text *html = &page->html;
  ssti_text_append(html, "<tr><th scope=row><code>");
  ssti_put_escaped(html, path);
  ssti_text_append(html, "</code></th>");
  for (int i = 0; i < page->list->count; i++) {
    const entry *e = find(&recipes[i], path);
    ssti_text_append(html, "<td class=word>");
    ssti_put_escaped(html, e == NULL ? "\xe2\x80\x93" : *e->text ? e->text : "\xe2\x80\x93");
    ssti_text_append(html, "</td>");
  }
  ssti_text_append(html, "</tr>\n");
}

static void put_differences(ssti_page *page, const flat_recipe *recipes) {
  int count = page->list->count, shown = 0;
  ssti_text *html = &page->html;
  if (count < 2) { return; }
  ssti_table_begin(html, "Differences between the recipes");
  ssti_put_heading(html, "Key");
  for (int i = 0; i < count; i++) {
    ssti_text_append(html, "<th scope=col class=word>");
    ssti_put_run(page, i);
    ssti_text_append(html, "</th>");
  }
  ssti_text_append(html, "</tr></thead><tbody>\n");
  for (int i = 0; i < count && shown < MOST_DIFFERENCES; i++) {
    for (size_t k = 0; k < recipes[i].count && shown < MOST_DIFFERENCES; k++) {
      const entry *e = &recipes[i].entries[k];
      bool before = !e->differs;
      for (int j = 0; j < i && !before; j++) { before = find(&recipes[j], e->path) != NULL; }
      if (before) { continue; }
      put_difference(page, recipes, e->path);
      shown++;
    }
  }
  ssti_table_end(html);
  if (shown == 0) { ssti_text_append(html, "<p class=note>The recipes are the same.</p>\n"); }
}

// The recipe as it stands, lines with values that other runs have otherwise marked.
static void put_whole(ssti_page *page, const ssti_run_records *run, const flat_recipe *recipe) {
  ssti_text *html = &page->html;
  char *copy = NULL;
  sst_status status = ssti_copy_text(page->context, run->recipe_text, &copy);
  if (status != SST_OK) {
    page->status = status;
    return;
  }
  ssti_text_append(html, "<pre class=scroll tabindex=0>");
  size_t next = 0;
  int number = 1;
  for (char *line = copy; line != NULL && *line; number++) {
    char *end = strchr(line, '\n');
    if (end != NULL) { *end = '\0'; }
    bool differs = false;
    while (next < recipe->count && recipe->entries[next].line <= number) {
      differs = differs || recipe->entries[next].differs;
      next++;
    }
    ssti_text_append(html, differs ? "<mark>" : "");
    ssti_put_escaped(html, line);
    ssti_text_append(html, differs ? "</mark>\n" : "\n");
    line = end != NULL ? end + 1 : NULL;
  }
  ssti_text_append(html, "</pre>");
  ssti_free(page->context, copy);
}

static sst_status put_recipes(ssti_page *page, flat_recipe *recipes) {
  int count = page->list->count;
  for (int i = 0; i < count; i++) {
    SST_TRY(flatten(page->context, ssti_yaml_root(page->list->runs[i].recipe), "", &recipes[i]));
    SST_TRY(sort(page->context, &recipes[i]));
  }
  compare(recipes, count);
  ssti_text_append(&page->html, "<section id=recipes><h2>Recipes</h2>\n");
  put_differences(page, recipes);
  for (int i = 0; i < count; i++) {
    ssti_text_append(&page->html, "<details><summary>recipe.yaml%s", count > 1 ? " of " : "");
    if (count > 1) { ssti_put_run(page, i); }
    ssti_text_append(&page->html, "</summary>");
    put_whole(page, &page->list->runs[i], &recipes[i]);
    ssti_text_append(&page->html, "</details>\n");
  }
  ssti_text_append(&page->html, "</section>\n");
  return SST_OK;
}

void ssti_section_recipes(ssti_page *page) {
  flat_recipe *recipes = NULL;
  sst_status status = ssti_allocate(page->context, (size_t)page->list->count, sizeof *recipes, &recipes);
  if (status == SST_OK) { status = put_recipes(page, recipes); }
  for (int i = 0; recipes != NULL && i < page->list->count; i++) {
    ssti_free(page->context, recipes[i].entries);
    ssti_free(page->context, recipes[i].by_path);
  }
  ssti_free(page->context, recipes);
  if (page->status == SST_OK) { page->status = status; }
}

// ---- environment

static void put_value(ssti_text *html, const json_t *value) {
  if (json_is_string(value)) { ssti_put_escaped(html, json_string_value(value)); }
  if (json_is_number(value)) { ssti_put_number(html, json_number_value(value)); }
  if (value == NULL) { ssti_text_append(html, "\xe2\x80\x93"); }
}

void ssti_section_environment(ssti_page *page) {
  ssti_text *html = &page->html;
  json_t *keys = json_object(), *value = NULL; // each once, in order
  const char *key = NULL;
  for (int i = 0; i < page->list->count; i++) {
    json_object_foreach(page->list->runs[i].environment, key, value) { json_object_set(keys, key, value); }
  }
  if (json_object_size(keys) > 0) {
    ssti_text_append(html, "<section id=environment><h2>Environment</h2>\n");
    ssti_table_begin(html, "Environment");
    ssti_put_heading(html, "Run");
    json_object_foreach(keys, key, value) {
      ssti_text_append(html, "<th scope=col class=word>");
      ssti_put_escaped(html, key);
      ssti_text_append(html, "</th>");
    }
    ssti_text_append(html, "<th scope=col class=word>folder</th></tr></thead><tbody>\n");
    for (int i = 0; i < page->list->count; i++) {
      ssti_text_append(html, "<tr><th scope=row>");
      ssti_put_run(page, i);
      ssti_text_append(html, "</th>");
      json_object_foreach(keys, key, value) {
        ssti_text_append(html, "<td class=word>");
        put_value(html, json_object_get(page->list->runs[i].environment, key));
        ssti_text_append(html, "</td>");
      }
      ssti_text_append(html, "<td class=word>");
      ssti_put_escaped(html, page->list->runs[i].folder);
      ssti_text_append(html, "</td></tr>\n");
    }
    ssti_table_end(html);
    ssti_text_append(html, "</section>\n");
  }
  json_decref(keys);
}
