// SPDX-License-Identifier: Apache-2.0
// NIR files (HDF5) into graphs in memory. The reader of src/hdf5 holds every size against the file's; here the meaning
// is checked. Only hard links are followed. Messages name the place by its path inside the file.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "exchange/nir_internal.h"
#include "hdf5/hdf5_read.h"

enum { MOST_DEPTH = 16, MOST_NODES = 1 << 14, MOST_EDGES = 1 << 20, PLACE_SIZE = 1024 };

static const int64_t most_elements = 1LL << 28; // of all arrays together

typedef struct reader {
  sst_context *context;
  const char *name; // of the file
  ssti_hdf5 *file;
  int nodes;        // so far, in all graphs
  int64_t elements; // so far, of all arrays
} reader;

// What the graph refuses (a name that is there twice, a shape beyond all bounds) is a fault of the file.
static sst_status placed(const reader *r, const char *place, sst_status status) {
  if (status != SST_INVALID_ARGUMENT) { return status; }
  return ssti_fail_within(r->context, SST_FORMAT, "%s: %s", r->name, place);
}

static const char *join_place(char out[PLACE_SIZE], const char *place, const char *name) {
  const int length = snprintf(out, PLACE_SIZE, "%s/%s", place, name);
  if (length >= PLACE_SIZE) { memcpy(out + PLACE_SIZE - 4, "...", 4); }
  return out;
}

// ---- what a group holds

// The entry of that name; a soft or external link could lead anywhere and is not followed. Sets *out to NULL if there
// is none.
static sst_status find(const reader *r, const ssti_hdf5_links *group, const char *place, const char *name,
                       const ssti_hdf5_link **out) {
  *out = ssti_hdf5_find(group, name);
  if (*out != NULL && !(*out)->hard) {
    return ssti_hdf5_fail(r->file, place, "'%s' is a link to somewhere else, which is not followed", name);
  }
  return SST_OK;
}

static sst_status need(const reader *r, const ssti_hdf5_links *group, const char *place, const char *name,
                       const ssti_hdf5_link **out) {
  SST_TRY(find(r, group, place, name, out));
  if (*out == NULL) { return ssti_hdf5_fail(r->file, place, "there is no '%s'", name); }
  return SST_OK;
}

// The entries of the group within a group. `here` becomes its place.
static sst_status open_group(const reader *r, const ssti_hdf5_links *parent, const char *place, const char *name,
                             char here[PLACE_SIZE], ssti_hdf5_links *out) {
  const ssti_hdf5_link *link = NULL;
  *out = (ssti_hdf5_links){0};
  SST_TRY(need(r, parent, place, name, &link));
  return ssti_hdf5_list(r->file, join_place(here, place, name), link->address, out);
}

// ---- values

static sst_status open_array(reader *r, const char *place, uint64_t address, ssti_hdf5_set *out) {
  SST_TRY(ssti_hdf5_describe(r->file, place, address, out));
  if (out->count > most_elements - r->elements) {
    return ssti_hdf5_fail(r->file, place, "the file has more than %" PRId64 " numbers", most_elements);
  }
  r->elements += out->count;
  return SST_OK;
}

static bool is_text(const ssti_hdf5_set *set) {
  return set->type.class == SSTI_HDF5_TEXTS || set->type.class == SSTI_HDF5_LONG_TEXTS;
}

// An array of one text. Owned by the caller.
static sst_status read_text(const reader *r, const ssti_hdf5_set *set, char **out) {
  uint8_t *elements = NULL;
  *out = NULL;
  SST_TRY(ssti_hdf5_read(r->file, set, &elements));
  const sst_status status = ssti_hdf5_text(r->file, set, elements, 0, out);
  ssti_free(r->context, elements);
  return status;
}

// The text under that name of a group.
static sst_status read_word(reader *r, const ssti_hdf5_links *group, const char *place, const char *name, char **out) {
  char here[PLACE_SIZE];
  const ssti_hdf5_link *link = NULL;
  ssti_hdf5_set set;
  *out = NULL;
  SST_TRY(need(r, group, place, name, &link));
  SST_TRY(open_array(r, join_place(here, place, name), link->address, &set));
  if (!is_text(&set) || set.count != 1) { return ssti_hdf5_fail(r->file, here, "is not a text"); }
  return read_text(r, &set, out);
}

static sst_status add_text(const reader *r, const char *name, const ssti_hdf5_set *set, sst_nir_values *values) {
  char *text = NULL;
  sst_nir_value *value = NULL;
  SST_TRY(read_text(r, set, &text));
  const sst_status status =
      placed(r, set->place, ssti_nir_add_value(r->context, values, name, SST_NIR_TEXT, 0, NULL, &value));
  if (status == SST_OK) {
    value->text = text;
  } else {
    ssti_free(r->context, text);
  }
  return status;
}

static sst_status add_numbers(const reader *r, const char *name, const ssti_hdf5_set *set, sst_nir_values *values) {
  const bool whole = set->type.class == SSTI_HDF5_INTEGERS;
  sst_nir_value *value = NULL;
  uint8_t *elements = NULL;
  SST_TRY(ssti_hdf5_read(r->file, set, &elements));
  const sst_nir_kind kind = whole ? SST_NIR_INTEGERS : SST_NIR_NUMBERS;
  const sst_status status =
      placed(r, set->place, ssti_nir_add_value(r->context, values, name, kind, set->rank, set->shape, &value));
  if (status == SST_OK && whole) {
    ssti_hdf5_to_integers(&set->type.number, elements, set->count, value->integers);
  } else if (status == SST_OK) {
    ssti_hdf5_to_doubles(&set->type.number, elements, set->count, value->numbers);
  }
  ssti_free(r->context, elements);
  return status;
}

// A field of a node, or an entry of its metadata. Metadata is everybody's own: what cannot be kept of it is passed
// over.
static sst_status read_value(reader *r, const ssti_hdf5_link *link, const char *place, bool metadata,
                             sst_nir_values *values) {
  ssti_hdf5_set set;
  if (metadata) {
    ssti_hdf5_kind kind = SSTI_HDF5_OTHER;
    SST_TRY(ssti_hdf5_kind_of(r->file, place, link->address, &kind));
    if (kind != SSTI_HDF5_SET) { return SST_OK; }
  }
  SST_TRY(open_array(r, place, link->address, &set));
  const bool text = is_text(&set);
  const bool known = text || set.type.class == SSTI_HDF5_INTEGERS || set.type.class == SSTI_HDF5_FLOATS;
  if (metadata && (!known || (text && set.count != 1))) { return SST_OK; }
  if (!known) { return ssti_hdf5_fail(r->file, place, "is neither numbers nor a text"); }
  if (text && set.count != 1) { return ssti_hdf5_fail(r->file, place, "holds several texts, expected one"); }
  return text ? add_text(r, link->name, &set, values) : add_numbers(r, link->name, &set, values);
}

// Fields of a node (all but `type`, `metadata` and a graph's parts), or all of its metadata.
static sst_status read_values(reader *r, const ssti_hdf5_links *group, const char *place, bool metadata,
                              sst_nir_values *values) {
  for (size_t i = 0; i < group->count; i++) {
    const char *name = group->at[i].name;
    const ssti_hdf5_link *link = NULL;
    char here[PLACE_SIZE];
    if (!metadata && (strcmp(name, "type") == 0 || strcmp(name, "metadata") == 0 || strcmp(name, "nodes") == 0 ||
                      strcmp(name, "edges") == 0)) {
      continue;
    }
    SST_TRY(find(r, group, place, name, &link));
    SST_TRY(read_value(r, &group->at[i], join_place(here, place, name), metadata, values));
  }
  return SST_OK;
}

static sst_status read_metadata(reader *r, const ssti_hdf5_links *group, const char *place, sst_nir_values *values) {
  char here[PLACE_SIZE];
  const ssti_hdf5_link *link = NULL;
  ssti_hdf5_kind kind = SSTI_HDF5_OTHER;
  ssti_hdf5_links metadata;
  SST_TRY(find(r, group, place, "metadata", &link));
  if (link == NULL) { return SST_OK; }
  SST_TRY(ssti_hdf5_kind_of(r->file, join_place(here, place, "metadata"), link->address, &kind));
  if (kind != SSTI_HDF5_GROUP) { return SST_OK; }
  SST_TRY(ssti_hdf5_list(r->file, here, link->address, &metadata));
  const sst_status status = read_values(r, &metadata, here, true, values);
  ssti_hdf5_links_free(r->file, &metadata);
  return status;
}

// ---- graphs

static sst_status read_end(const reader *r, const ssti_hdf5_set *set, const uint8_t *elements, int64_t edge, int end,
                           const sst_nir_graph *graph, int *out) {
  char *name = NULL;
  SST_TRY(ssti_hdf5_text(r->file, set, elements, 2 * edge + end, &name));
  *out = sst_nir_find_node(graph, name);
  sst_status status = SST_OK;
  if (*out < 0) {
    status = ssti_hdf5_fail(r->file, set->place, "edge %" PRId64 " %s '%.80s', which is no node of this graph", edge,
                            end == 0 ? "comes from" : "goes to", name);
  }
  ssti_free(r->context, name);
  return status;
}

static sst_status read_edge_rows(const reader *r, const ssti_hdf5_set *set, sst_nir_graph *graph) {
  uint8_t *elements = NULL;
  if (set->count == 0) { return SST_OK; }
  if (!is_text(set) || set->rank != 2 || set->shape[1] != 2 || set->shape[0] > MOST_EDGES) {
    return ssti_hdf5_fail(r->file, set->place, "is not an array [edges,2] of at most %d pairs of names",
                          (int)MOST_EDGES);
  }
  SST_TRY(ssti_hdf5_read(r->file, set, &elements));
  sst_status status = SST_OK;
  for (int64_t edge = 0; edge < set->shape[0]; edge++) {
    int source = 0, target = 0;
    SST_TRY_GOTO(read_end(r, set, elements, edge, 0, graph, &source));
    SST_TRY_GOTO(read_end(r, set, elements, edge, 1, graph, &target));
    SST_TRY_GOTO(placed(r, set->place, sst_nir_add_edge(graph, source, target)));
  }
done:
  ssti_free(r->context, elements);
  return status;
}

static sst_status read_edges(reader *r, const ssti_hdf5_links *group, const char *place, sst_nir_graph *graph) {
  char here[PLACE_SIZE];
  const ssti_hdf5_link *link = NULL;
  ssti_hdf5_set set;
  SST_TRY(need(r, group, place, "edges", &link));
  SST_TRY(open_array(r, join_place(here, place, "edges"), link->address, &set));
  return read_edge_rows(r, &set, graph);
}

static sst_status read_graph(reader *r, const ssti_hdf5_links *group, const char *place, int depth,
                             sst_nir_graph *graph);

static sst_status read_node(reader *r, const ssti_hdf5_links *nodes, const char *place, const char *name, int depth,
                            sst_nir_graph *graph) {
  char *word = NULL;
  int index = 0;
  char here[PLACE_SIZE];
  ssti_hdf5_links group;
  if (++r->nodes > MOST_NODES) {
    return ssti_hdf5_fail(r->file, place, "the file has more than %d nodes", (int)MOST_NODES);
  }
  SST_TRY(open_group(r, nodes, place, name, here, &group));
  sst_status status = SST_OK;
  sst_nir_type type = SST_NIR_TYPE_COUNT;
  SST_TRY_GOTO(read_word(r, &group, here, "type", &word));
  if (!ssti_nir_type_parse(word, &type)) {
    status = ssti_hdf5_fail(r->file, here, "is of type '%.80s', which is no type of NIR known here", word);
    goto done;
  }
  SST_TRY_GOTO(placed(r, place, sst_nir_add_node(graph, name, type, &index)));
  if (type == SST_NIR_TYPE_GRAPH) {
    SST_TRY_GOTO(read_graph(r, &group, here, depth + 1, graph->nodes[index].graph));
  } else {
    SST_TRY_GOTO(read_values(r, &group, here, false, &graph->nodes[index].fields));
    SST_TRY_GOTO(read_metadata(r, &group, here, &graph->nodes[index].metadata));
  }
  status = ssti_nir_check_node(r->context, &graph->nodes[index], SST_FORMAT);
  if (status != SST_OK) { ssti_fail_within(r->context, status, "%s: %s", r->name, place); }
done:
  ssti_free(r->context, word);
  ssti_hdf5_links_free(r->file, &group);
  return status;
}

static sst_status read_graph(reader *r, const ssti_hdf5_links *group, const char *place, int depth,
                             sst_nir_graph *graph) {
  char here[PLACE_SIZE];
  ssti_hdf5_links nodes;
  if (depth > MOST_DEPTH) {
    return ssti_hdf5_fail(r->file, place, "graphs lie more than %d deep in each other", (int)MOST_DEPTH);
  }
  SST_TRY(open_group(r, group, place, "nodes", here, &nodes));
  sst_status status = SST_OK;
  for (size_t i = 0; i < nodes.count && status == SST_OK; i++) {
    status = read_node(r, &nodes, here, nodes.at[i].name, depth, graph);
  }
  ssti_hdf5_links_free(r->file, &nodes);
  SST_TRY(status);
  SST_TRY(read_edges(r, group, place, graph));
  return read_metadata(r, group, place, &graph->metadata);
}

// ---- files

static sst_status read_version(reader *r, const ssti_hdf5_links *root, sst_nir_graph *graph) {
  const ssti_hdf5_link *link = NULL;
  char *word = NULL;
  SST_TRY(find(r, root, "/", "version", &link));
  if (link == NULL) { return SST_OK; }
  SST_TRY(read_word(r, root, "", "version", &word));
  snprintf(graph->version, sizeof graph->version, "%s", word);
  ssti_free(r->context, word);
  return SST_OK;
}

static sst_status read_root(reader *r, const ssti_hdf5_links *root, sst_nir_graph *graph) {
  const ssti_hdf5_link *link = NULL;
  ssti_hdf5_kind kind = SSTI_HDF5_OTHER;
  ssti_hdf5_links node;
  char *word = NULL;
  SST_TRY(read_version(r, root, graph));
  SST_TRY(find(r, root, "/", "node", &link));
  if (link != NULL) { SST_TRY(ssti_hdf5_kind_of(r->file, "/node", link->address, &kind)); }
  if (kind != SSTI_HDF5_GROUP) {
    SST_FAIL(r->context, SST_FORMAT, "%s: there is no group /node: an HDF5 file, but not of NIR", r->name);
  }
  SST_TRY(ssti_hdf5_list(r->file, "/node", link->address, &node));
  sst_status status = SST_OK;
  SST_TRY_GOTO(read_word(r, &node, "/node", "type", &word));
  if (word == NULL || strcmp(word, "NIRGraph") != 0) { // never NULL, which an analyser cannot see
    status =
        ssti_hdf5_fail(r->file, "/node", "is a single node of type '%.80s', expected a NIRGraph", word ? word : "");
    goto done;
  }
  status = read_graph(r, &node, "/node", 0, graph);
done:
  ssti_free(r->context, word);
  ssti_hdf5_links_free(r->file, &node);
  return status;
}

// Takes over `file`.
static sst_status read_file(sst_context *context, const char *name, ssti_hdf5 *file, sst_nir_graph **out) {
  sst_nir_graph *graph = NULL;
  ssti_hdf5_links root = {0};
  reader r = {.context = context, .name = name, .file = file};
  sst_status status = SST_OK;
  SST_TRY_GOTO(sst_nir_create(context, &graph));
  SST_TRY_GOTO(ssti_hdf5_list(file, "/", ssti_hdf5_root(file), &root));
  SST_TRY_GOTO(read_root(&r, &root, graph));
  *out = graph;
done:
  ssti_hdf5_links_free(file, &root);
  ssti_hdf5_close(file);
  if (status != SST_OK) { sst_nir_destroy(graph); }
  return status;
}

sst_status sst_nir_read_bytes(sst_context *context, const char *name, const void *data, size_t size,
                              sst_nir_graph **out) {
  ssti_hdf5 *file = NULL;
  *out = NULL;
  SST_TRY(ssti_hdf5_open_bytes(context, name, data, size, &file));
  return read_file(context, name, file, out);
}

sst_status sst_nir_read(sst_context *context, const char *path, sst_nir_graph **out) {
  char *data = NULL;
  size_t size = 0;
  *out = NULL;
  SST_TRY(ssti_file_read(context, path, 0, &data, &size));
  const sst_status status = sst_nir_read_bytes(context, path, data, size, out);
  ssti_free(context, data);
  return status;
}
