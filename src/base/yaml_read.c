// SPDX-License-Identifier: Apache-2.0
// From the events of libyaml to the tree. A stack of open maps and lists takes the place of recursion, so that a
// hostile depth ends in a message. libyaml takes its own memory from the C library; it is given back before this
// returns.
#include <stdio.h>
#include <yaml.h>

#include "base/yaml_tree.h"

typedef struct reading {
  ssti_yaml_tree *tree;
  const char *origin; // NULL: the file
  yaml_parser_t *parser;
  ssti_yaml_node *open[SSTI_YAML_MAX_DEPTH]; // maps and lists that are not closed yet
  int depth;
  const char *key; // the key that was read last in the innermost map; NULL: a key comes next
  int key_line, key_column;
  ssti_yaml_node *root;
  bool ended; // the first document
} reading;

// "name:12:5" or the override.
static const char *where(const reading *r, yaml_mark_t mark, char place[SSTI_YAML_PLACE_SIZE]) {
  if (r->origin != NULL) {
    snprintf(place, SSTI_YAML_PLACE_SIZE, "%s", r->origin);
  } else {
    snprintf(place, SSTI_YAML_PLACE_SIZE, "%s:%zu:%zu", r->tree->name, mark.line + 1, mark.column + 1);
  }
  return place;
}

#define READ_FAIL(r, mark, ...)                                                                                        \
  do {                                                                                                                 \
    char read_place[SSTI_YAML_PLACE_SIZE];                                                                             \
    ssti_fail((r)->tree->context, SST_RECIPE, __VA_ARGS__);                                                            \
    return ssti_fail_within((r)->tree->context, SST_RECIPE, "%s", where((r), (mark), read_place));                     \
  } while (0)

static sst_status syntax_error(const reading *r) {
  const yaml_parser_t *p = r->parser;
  const char *problem = p->problem ? p->problem : "unknown trouble";
  switch (p->error) {
  case YAML_MEMORY_ERROR:
    return ssti_fail(r->tree->context, SST_OUT_OF_MEMORY, "%s: no memory to read YAML", r->tree->name);
  case YAML_READER_ERROR:
    if (p->problem_value >= 0) {
      SST_FAIL(r->tree->context, SST_RECIPE, "%s: byte %zu: not text: %s (0x%x)", r->origin ? r->origin : r->tree->name,
               p->problem_offset, problem, (unsigned)p->problem_value);
    }
    SST_FAIL(r->tree->context, SST_RECIPE, "%s: byte %zu: not text: %s", r->origin ? r->origin : r->tree->name,
             p->problem_offset, problem);
  default: break;
  }
  if (p->context != NULL && r->origin == NULL) {
    READ_FAIL(r, p->problem_mark, "not valid YAML: %s, %s which begins in line %zu", problem, p->context,
              p->context_mark.line + 1);
  }
  READ_FAIL(r, p->problem_mark, "not valid YAML: %s%s%s", problem, p->context ? ", " : "",
            p->context ? p->context : "");
}

// What anchors, aliases and tags would mean is refused by name.
static sst_status refuse_extras(const reading *r, yaml_mark_t mark, const yaml_char_t *anchor, const yaml_char_t *tag) {
  if (anchor != NULL) { READ_FAIL(r, mark, "anchor '&%s': recipes do not use anchors", (const char *)anchor); }
  if (tag != NULL) { READ_FAIL(r, mark, "tag '%s': recipes do not use tags", (const char *)tag); }
  return SST_OK;
}

// A scalar where a map expects its next key.
static sst_status read_key(reading *r, const yaml_event_t *event) {
  const yaml_mark_t mark = event->start_mark;
  if (event->type != YAML_SCALAR_EVENT) { READ_FAIL(r, mark, "a key is %s, expected a word", "a map or a list"); }
  const char *text = (const char *)event->data.scalar.value;
  const size_t length = event->data.scalar.length;
  if (length == 0 || strlen(text) != length) {
    READ_FAIL(r, mark, "a key is %s", length ? "cut by a zero byte" : "empty");
  }
  const ssti_yaml_node *map = r->open[r->depth - 1];
  const ssti_yaml_node *twin = ssti_yaml_get(map, text);
  if (twin != NULL) { READ_FAIL(r, mark, "key '%s' stands twice in the same map, first in line %d", text, twin->line); }
  r->key_line = (int)mark.line + 1;
  r->key_column = (int)mark.column + 1;
  return ssti_yaml_hold_text(r->tree, text, length, &r->key);
}

// Puts the node where it belongs: into the innermost open node, or as the root.
static void place_node(reading *r, ssti_yaml_node *node, yaml_mark_t mark) {
  node->line = (int)mark.line + 1;
  node->column = (int)mark.column + 1;
  node->origin = r->origin;
  if (r->depth == 0) {
    r->root = node;
    return;
  }
  if (r->key != NULL) {
    node->key = r->key;
    node->line = r->key_line;
    node->column = r->key_column;
    r->key = NULL;
  }
  ssti_yaml_append(r->open[r->depth - 1], node);
}

static sst_status read_scalar(reading *r, const yaml_event_t *event) {
  ssti_yaml_node *node = NULL;
  SST_TRY(refuse_extras(r, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag));
  const char *text = (const char *)event->data.scalar.value;
  const size_t length = event->data.scalar.length;
  if (strlen(text) != length) { READ_FAIL(r, event->start_mark, "a text holds a zero byte after '%s'", text); }
  SST_TRY(ssti_yaml_node_create(r->tree, SSTI_YAML_SCALAR, &node));
  SST_TRY(ssti_yaml_hold_text(r->tree, text, length, &node->text));
  node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  place_node(r, node, event->start_mark);
  return SST_OK;
}

static sst_status read_opening(reading *r, const yaml_event_t *event, ssti_yaml_kind kind, const yaml_char_t *anchor,
                               const yaml_char_t *tag) {
  ssti_yaml_node *node = NULL;
  SST_TRY(refuse_extras(r, event->start_mark, anchor, tag));
  if (r->depth == SSTI_YAML_MAX_DEPTH) {
    READ_FAIL(r, event->start_mark, "maps and lists stand more than %d deep in each other", SSTI_YAML_MAX_DEPTH);
  }
  SST_TRY(ssti_yaml_node_create(r->tree, kind, &node));
  place_node(r, node, event->start_mark);
  r->open[r->depth++] = node;
  return SST_OK;
}

static sst_status read_event(reading *r, const yaml_event_t *event) {
  const bool key_comes = r->depth > 0 && r->open[r->depth - 1]->kind == SSTI_YAML_MAP && r->key == NULL;
  switch (event->type) {
  case YAML_DOCUMENT_START_EVENT:
    if (r->ended) { READ_FAIL(r, event->start_mark, "a second document begins, expected %s", "one in a file"); }
    return SST_OK;
  case YAML_DOCUMENT_END_EVENT: r->ended = true; return SST_OK;
  case YAML_ALIAS_EVENT:
    READ_FAIL(r, event->start_mark, "alias '*%s': recipes do not use aliases", (const char *)event->data.alias.anchor);
  case YAML_SCALAR_EVENT:
    if (key_comes) {
      SST_TRY(refuse_extras(r, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag));
      return read_key(r, event);
    }
    return read_scalar(r, event);
  case YAML_SEQUENCE_START_EVENT:
    if (key_comes) { return read_key(r, event); }
    return read_opening(r, event, SSTI_YAML_LIST, event->data.sequence_start.anchor, event->data.sequence_start.tag);
  case YAML_MAPPING_START_EVENT:
    if (key_comes) { return read_key(r, event); }
    return read_opening(r, event, SSTI_YAML_MAP, event->data.mapping_start.anchor, event->data.mapping_start.tag);
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: r->depth--; return SST_OK;
  case YAML_NO_EVENT:
  case YAML_STREAM_START_EVENT:
  case YAML_STREAM_END_EVENT: return SST_OK;
  }
  return SST_OK;
}

static sst_status read_events(reading *r) {
  for (bool more = true; more;) {
    yaml_event_t event;
    if (!yaml_parser_parse(r->parser, &event)) { return syntax_error(r); }
    more = event.type != YAML_STREAM_END_EVENT;
    const sst_status status = read_event(r, &event);
    yaml_event_delete(&event);
    SST_TRY(status);
  }
  return SST_OK;
}

sst_status ssti_yaml_read(ssti_yaml_tree *tree, const char *origin, const char *text, size_t size,
                          ssti_yaml_node **out) {
  *out = NULL;
  yaml_parser_t parser;
  reading r = {.tree = tree, .origin = origin, .parser = &parser};
  if (!yaml_parser_initialize(&parser)) {
    SST_FAIL(tree->context, SST_OUT_OF_MEMORY, "%s: no memory to read YAML", tree->name);
  }
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  sst_status status = read_events(&r);
  yaml_parser_delete(&parser);
  if (status == SST_OK && r.root == NULL) {
    // Nothing but comments: an empty value in an override, an empty map in a file.
    status = ssti_yaml_node_create(tree, origin ? SSTI_YAML_SCALAR : SSTI_YAML_MAP, &r.root);
    if (status == SST_OK) {
      r.root->line = r.root->column = 1;
      r.root->origin = origin;
    }
  }
  if (status == SST_OK) { *out = r.root; }
  return status;
}
