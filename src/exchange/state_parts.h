// SPDX-License-Identifier: Apache-2.0
// What the files of state dictionaries share: state_layout.c (our parameters as others see them), state_names.c (the
// file's tensors, name maps, who is who), state_dict.c (reading and writing).
#ifndef SPIKESTILL_EXCHANGE_STATE_PARTS_H
#define SPIKESTILL_EXCHANGE_STATE_PARTS_H

#include "base/yaml_tree.h"
#include "spikestill/safetensors.h"
#include "spikestill/state_dict.h"

enum { SSTI_STATE_NAME_SIZE = 256, SSTI_STATE_SHAPE_SIZE = 192 };

// What a module is, as far as its tensors tell.
typedef enum ssti_state_kind {
  SSTI_STATE_WEIGHTS, // convolution or linear layer
  SSTI_STATE_NORM,    // batch norm
  SSTI_STATE_SINGLE   // a tensor that stands for itself
} ssti_state_kind;

// A parameter of ours and its counterpart. Ours is [rows][places][channels], theirs [rows][channels][places].
typedef struct ssti_state_tensor {
  const sst_parameter *parameter;
  char name[SSTI_STATE_NAME_SIZE]; // there
  int rank;
  int64_t shape[4]; // there
  int64_t rows, places, channels;
  bool optional;         // a file need not have it
  size_t own_stem, stem; // lengths of the modules' names in parameter->name and name
  int module;            // index of ours
  int entry;             // of the file, in the order of names; -1: none yet
} ssti_state_tensor;

// Tensors first .. first+count-1 of ours, or of the file in the order of names.
typedef struct ssti_state_module {
  ssti_state_kind kind;
  int first, count;
  int main;     // the tensor whose shape counts: weight, or the only one
  int order;    // theirs: place among the file's modules
  int partner;  // index of the other side's module; -1: none
  bool guessed; // by its place alone: the order of names that differ in letters means nothing
} ssti_state_module;

typedef struct ssti_state_side {
  ssti_state_module *modules;
  int count;
} ssti_state_side;

// Our side. Ended by ssti_state_end.
typedef struct ssti_state_list {
  sst_context *context;
  sst_state_layout layout;
  ssti_state_tensor *tensors;
  int count;
  ssti_state_side ours;
} ssti_state_list;

sst_status ssti_state_begin(sst_graph *graph, sst_state_layout layout, ssti_state_list *out);
void ssti_state_end(ssti_state_list *list);

// Copies between the two orders of a tensor.
void ssti_state_from_theirs(const ssti_state_tensor *tensor, const float *theirs, float *ours);
void ssti_state_to_theirs(const ssti_state_tensor *tensor, const float *ours, float *theirs);

// One tensor of a file, as its name tells.
typedef struct ssti_state_entry {
  sst_safetensors_entry entry;
  size_t stem; // length of the module's name
  int place;   // in the file
  int module;
  bool skipped; // not a parameter of ours, whatever the network
  int used_by;  // our tensor; -1: none
} ssti_state_entry;

typedef struct ssti_state_file {
  sst_context *context;
  const char *path;
  sst_safetensors *file;
  ssti_state_entry *entries; // in the order of their modules' names
  int count;
  ssti_state_side theirs;
  bool sorted; // by name: the writer lost the order of modules
} ssti_state_file;

sst_status ssti_state_open(sst_context *context, const char *path, ssti_state_file *out);
void ssti_state_close(ssti_state_file *file);

// The length of what stands before a tensor's own word ("weight", ...): the whole name if it has none.
size_t ssti_state_stem(const char *name);

// Applies a name map: to names that are written, or to a file's tensors.
sst_status ssti_state_map_names(ssti_state_list *list, const char *map);
sst_status ssti_state_map_entries(ssti_state_list *list, ssti_state_file *file, const char *map);

// Finds a partner for what has none yet.
void ssti_state_match(ssti_state_list *list, ssti_state_file *file);

bool ssti_state_same_shape(const ssti_state_tensor *tensor, const sst_safetensors_entry *entry);
// "[8,1,3,3]"
const char *ssti_state_shape_text(int rank, const int64_t *shape, char text[SSTI_STATE_SHAPE_SIZE]);

#endif
