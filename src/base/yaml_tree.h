// SPDX-License-Identifier: Apache-2.0
// A YAML document as a tree that remembers where everything stood, so that messages can say so. The part of YAML that
// recipes need: maps, lists and scalars in block or flow style. Keys are scalars and stand once in a map; anchors,
// aliases, tags and several documents in a file are refused by name rather than half understood.
#ifndef SPIKESTILL_BASE_YAML_TREE_H
#define SPIKESTILL_BASE_YAML_TREE_H

#include "base/text.h"

enum { SSTI_YAML_MAX_BYTES = 1 << 20, SSTI_YAML_MAX_DEPTH = 32, SSTI_YAML_MAX_NODES = 100000 };

typedef enum ssti_yaml_kind { SSTI_YAML_SCALAR, SSTI_YAML_LIST, SSTI_YAML_MAP } ssti_yaml_kind;

typedef struct ssti_yaml_node ssti_yaml_node;
struct ssti_yaml_node {
  ssti_yaml_kind kind;
  const char *key;                     // the node's own key if it stands in a map, else NULL
  const char *text;                    // of a scalar, without quotes and escapes; "" for others
  bool quoted;                         // a scalar in quotes or in block style: never taken for "no value"
  int line, column;                    // from 1, where it begins (in a map: where its key begins)
  const char *origin;                  // NULL: the file; otherwise where else it comes from ("--set train.batch")
  int count;                           // of a map's or a list's items
  ssti_yaml_node *first, *last, *next; // items in the order they stand
};

typedef struct ssti_yaml_tree ssti_yaml_tree;

// Reads `size` bytes; `name` stands for the file in messages. An empty document is an empty map. Owned by the caller.
// Errors: RECIPE with name, line, column; OUT_OF_MEMORY.
sst_status ssti_yaml_parse(sst_context *context, const char *name, const char *text, size_t size, ssti_yaml_tree **out);
// The same from a file. Errors: also NOT_FOUND, IO.
sst_status ssti_yaml_open(sst_context *context, const char *path, ssti_yaml_tree **out);
void ssti_yaml_destroy(ssti_yaml_tree *tree);

ssti_yaml_node *ssti_yaml_root(const ssti_yaml_tree *tree);
const char *ssti_yaml_name(const ssti_yaml_tree *tree);

// The item of that key, or NULL (also if the node is NULL or no map).
ssti_yaml_node *ssti_yaml_get(const ssti_yaml_node *map, const char *key);
ssti_yaml_node *ssti_yaml_item(const ssti_yaml_node *list, int index);
// A scalar that says "no value": nothing, ~ or null, without quotes.
bool ssti_yaml_is_null(const ssti_yaml_node *node);
// "a map", "a list", "a value", for messages.
const char *ssti_yaml_kind_text(const ssti_yaml_node *node);

// "name:12" or "--set train.batch": where a node comes from. Written into `place`, cut to its size.
enum { SSTI_YAML_PLACE_SIZE = 512 };
const char *ssti_yaml_place(const ssti_yaml_tree *tree, const ssti_yaml_node *node, char place[SSTI_YAML_PLACE_SIZE]);

// Applies "dotted.key=value": the value, YAML in one line, replaces what is there. Missing maps are made on the way;
// items of lists are meant by index, and the index one past the end appends. On failure the tree is as before or half
// changed, and of no more use. Errors: RECIPE, OUT_OF_MEMORY.
sst_status ssti_yaml_override(ssti_yaml_tree *tree, const char *assignment);

// A copy in another tree, which remembers where the node stood.
sst_status ssti_yaml_copy(ssti_yaml_tree *to, const ssti_yaml_tree *from, const ssti_yaml_node *node,
                          ssti_yaml_node **out);
// Puts copies of the items of `map`, a node of `from`, over those of the map `to`, a node of `tree`: maps item by item,
// everything else as a whole.
sst_status ssti_yaml_merge(ssti_yaml_tree *tree, ssti_yaml_node *to, const ssti_yaml_tree *from,
                           const ssti_yaml_node *map);

// Appends the scalar so that reading it gives the same text: plain where that is safe, else in double quotes.
void ssti_yaml_print_scalar(ssti_text *out, const char *text, bool quoted);
// Appends the whole tree in block style.
void ssti_yaml_print(const ssti_yaml_tree *tree, ssti_text *out);

// ---- for the files of the tree itself

struct ssti_yaml_tree {
  sst_context *context;
  char *name;
  ssti_yaml_node *root;
  int node_count;
  void *blocks; // everything that nodes point to, freed together
};

// A block of memory that lives as long as the tree; a copy of a text in one.
sst_status ssti_yaml_hold(ssti_yaml_tree *tree, size_t size, void *out);
sst_status ssti_yaml_hold_text(ssti_yaml_tree *tree, const char *text, size_t length, const char **out);
sst_status ssti_yaml_node_create(ssti_yaml_tree *tree, ssti_yaml_kind kind, ssti_yaml_node **out);
void ssti_yaml_append(ssti_yaml_node *parent, ssti_yaml_node *item);
// Reads one document into nodes that the tree owns. With `origin`, messages name that instead of the file and its
// lines.
sst_status ssti_yaml_read(ssti_yaml_tree *tree, const char *origin, const char *text, size_t size,
                          ssti_yaml_node **out);

#endif
