// SPDX-License-Identifier: Apache-2.0
// The parameter store. Values are made when the store is sealed, each from the seed and the parameter's name alone, so
// that adding a layer does not change the initial values of the others.
#include "spikestill/parameters.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/text.h"
#include "graph/parameters_internal.h"

enum { PARAMETER_ALIGNMENT = 16 }; // floats: one cache line

typedef struct parameter_entry {
  sst_parameter public;
  char *name;
  sst_initializer initializer;
} parameter_entry;

struct sst_parameters {
  sst_context *context;
  uint64_t seed;
  parameter_entry *entries;
  size_t capacity;
  int count;
  bool sealed;
  int holders; // compiled graphs that point into the blocks
  const ssti_memory_space *space;
  float *values, *gradients;
  int64_t decay_count, trainable_count, total_count;
};

sst_status sst_parameters_create(sst_context *context, uint64_t seed, sst_parameters **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  (*out)->seed = seed;
  return SST_OK;
}

void sst_parameters_destroy(sst_parameters *parameters) {
  if (!parameters) { return; }
  for (int i = 0; i < parameters->count; i++) { ssti_free(parameters->context, parameters->entries[i].name); }
  ssti_free(parameters->context, parameters->entries);
  ssti_free(parameters->context, parameters->values);
  ssti_free(parameters->context, parameters->gradients);
  ssti_free(parameters->context, parameters);
}

static int find_index(const sst_parameters *parameters, const char *name) {
  for (int i = 0; i < parameters->count; i++) {
    if (strcmp(parameters->entries[i].name, name) == 0) { return i; }
  }
  return -1;
}

static sst_status check_same(const sst_parameters *parameters, int index, sst_shape shape, sst_parameter_kind kind) {
  const sst_parameter *found = &parameters->entries[index].public;
  if (!sst_shape_equal(found->shape, shape)) {
    char have[SST_SHAPE_TEXT_SIZE], want[SST_SHAPE_TEXT_SIZE];
    SST_FAIL(parameters->context, SST_MISMATCH, "parameter '%s' has shape %s, but is used as %s", found->name,
             sst_shape_text(found->shape, have, sizeof have), sst_shape_text(shape, want, sizeof want));
  }
  if (found->kind != kind) {
    SST_FAIL(parameters->context, SST_MISMATCH, "parameter '%s' is of kind %d, but is used as kind %d", found->name,
             (int)found->kind, (int)kind);
  }
  return SST_OK;
}

sst_status sst_parameters_require(sst_parameters *parameters, const char *name, sst_shape shape,
                                  sst_parameter_kind kind, bool trainable, sst_initializer initializer, int *index) {
  *index = find_index(parameters, name);
  if (*index >= 0) { return check_same(parameters, *index, shape, kind); }
  if (parameters->sealed) {
    SST_FAIL(parameters->context, SST_NOT_FOUND, "parameter '%s' is not in the network, which is already complete",
             name);
  }
  if (sst_shape_count(shape) < 1) {
    char text[SST_SHAPE_TEXT_SIZE];
    SST_FAIL(parameters->context, SST_SHAPE, "parameter '%s' would be empty: shape %s", name,
             sst_shape_text(shape, text, sizeof text));
  }
  SST_TRY(ssti_grow(parameters->context, &parameters->entries, &parameters->capacity, (size_t)parameters->count + 1,
                    sizeof *parameters->entries));
  parameter_entry *entry = &parameters->entries[parameters->count];
  SST_TRY(ssti_copy_text(parameters->context, name, &entry->name));
  entry->public = (sst_parameter){.name = entry->name,
                                  .shape = shape,
                                  .kind = kind,
                                  .trainable = trainable && kind != SST_PARAMETER_BUFFER,
                                  .count = sst_shape_count(shape)};
  entry->initializer = initializer;
  *index = parameters->count++;
  return SST_OK;
}

static int64_t fan_in(sst_shape shape) { return shape.dim[2] * shape.dim[3] * shape.dim[4]; }

typedef struct fill_work {
  const parameter_entry *entry;
  uint64_t seed;
  float *value;
} fill_work;

static void fill_range(void *arg, int64_t begin, int64_t end) {
  const fill_work *w = arg;
  const parameter_entry *entry = w->entry;
  const uint64_t seed = w->seed;
  float *value = w->value;
  uint64_t stream = ssti_random_stream_with(ssti_random_stream("parameter"), ssti_random_stream(entry->name));
  float gain = entry->initializer.value;
  float inputs = (float)fan_in(entry->public.shape);
  float bound = entry->initializer.kind == SST_INIT_UNIFORM ? gain : gain * sqrtf(3.0f / inputs);
  float deviation = gain / sqrtf(inputs);
  for (int64_t i = begin; i < end; i++) {
    switch (entry->initializer.kind) {
    case SST_INIT_CONSTANT: value[i] = gain; break;
    case SST_INIT_KAIMING_NORMAL: value[i] = deviation * ssti_random_normal(seed, stream, (uint64_t)i); break;
    case SST_INIT_KAIMING_UNIFORM:
    case SST_INIT_UNIFORM: value[i] = bound * (2.0f * ssti_random_uniform(seed, stream, (uint64_t)i) - 1.0f); break;
    }
  }
}

// Each number depends on its place alone.
static void fill_initial(sst_context *context, const parameter_entry *entry, uint64_t seed, float *value) {
  enum { GRAIN = 4096 };
  fill_work work = {.entry = entry, .seed = seed, .value = value};
  ssti_parallel_for(context, entry->public.count, GRAIN, fill_range, &work);
}

// Where a parameter lies in the block: 0 decaying weights, 1 other trainable ones, 2 the rest.
static int section_of(const sst_parameter *parameter) {
  if (!parameter->trainable) { return 2; }
  return parameter->kind == SST_PARAMETER_WEIGHT ? 0 : 1;
}

static int64_t padded(int64_t count) {
  return (count + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT;
}

// Blocks of the store's lengths in the space.
static sst_status allocate_blocks(const sst_parameters *parameters, const ssti_memory_space *space, float **values,
                                  float **gradients) {
  sst_context *context = parameters->context;
  SST_TRY(ssti_allocate_in(context, space, (size_t)parameters->total_count * sizeof(float), values));
  const sst_status status =
      ssti_allocate_in(context, space, (size_t)parameters->trainable_count * sizeof(float), gradients);
  if (status != SST_OK) {
    ssti_free(context, *values);
    *values = NULL;
  }
  return status;
}

// Takes the values to another memory. Whoever points to where they were must be gone.
static sst_status move_blocks(sst_parameters *parameters, const ssti_memory_space *space) {
  if (parameters->holders > 0) {
    SST_FAIL(
        parameters->context, SST_INVALID_ARGUMENT,
        "the parameters are in the memory of another device, in use by %d graph%s; compile those of the card first",
        parameters->holders, parameters->holders == 1 ? "" : "s");
  }
  float *values = NULL, *gradients = NULL;
  SST_TRY(allocate_blocks(parameters, space, &values, &gradients));
  memcpy(values, parameters->values, (size_t)parameters->total_count * sizeof(float));
  for (int i = 0; i < parameters->count; i++) {
    sst_parameter *parameter = &parameters->entries[i].public;
    parameter->value = values + (parameter->value - parameters->values);
    if (parameter->gradient) { parameter->gradient = gradients + (parameter->gradient - parameters->gradients); }
  }
  ssti_free(parameters->context, parameters->values);
  ssti_free(parameters->context, parameters->gradients);
  parameters->values = values;
  parameters->gradients = gradients;
  parameters->space = space;
  return SST_OK;
}

sst_status sst_parameters_seal(sst_parameters *parameters) {
  return parameters->sealed ? SST_OK : ssti_parameters_seal_in(parameters, NULL);
}

void ssti_parameters_hold(sst_parameters *parameters) { parameters->holders++; }
void ssti_parameters_let_go(sst_parameters *parameters) { parameters->holders--; }

sst_status ssti_parameters_seal_in(sst_parameters *parameters, const ssti_memory_space *space) {
  // A card's memory is good for the host too.
  if (parameters->sealed && (space == NULL || parameters->space == space)) { return SST_OK; }
  if (parameters->sealed) { return move_blocks(parameters, space); }
  int64_t section_end[3] = {0, 0, 0};
  int64_t offset = 0;
  for (int section = 0; section < 3; section++) {
    for (int i = 0; i < parameters->count; i++) {
      const sst_parameter *parameter = &parameters->entries[i].public;
      if (section_of(parameter) == section) { offset += padded(parameter->count); }
    }
    section_end[section] = offset;
  }
  parameters->decay_count = section_end[0];
  parameters->trainable_count = section_end[1];
  parameters->total_count = section_end[2];
  float *values = NULL, *gradients = NULL;
  SST_TRY(allocate_blocks(parameters, space, &values, &gradients));
  offset = 0;
  for (int section = 0; section < 3; section++) {
    for (int i = 0; i < parameters->count; i++) {
      parameter_entry *entry = &parameters->entries[i];
      if (section_of(&entry->public) != section) { continue; }
      entry->public.value = values + offset;
      entry->public.gradient = entry->public.trainable ? gradients + offset : NULL;
      fill_initial(parameters->context, entry, parameters->seed, entry->public.value);
      offset += padded(entry->public.count);
    }
  }
  parameters->values = values;
  parameters->gradients = gradients;
  parameters->space = space;
  parameters->sealed = true;
  return SST_OK;
}

int sst_parameters_count(const sst_parameters *parameters) { return parameters->count; }

const sst_parameter *sst_parameters_at(const sst_parameters *parameters, int index) {
  assert(index >= 0 && index < parameters->count);
  return &parameters->entries[index].public;
}

const sst_parameter *sst_parameters_find(const sst_parameters *parameters, const char *name) {
  int index = find_index(parameters, name);
  return index < 0 ? NULL : &parameters->entries[index].public;
}

int64_t sst_parameters_elements(const sst_parameters *parameters) {
  int64_t elements = 0;
  for (int i = 0; i < parameters->count; i++) {
    if (parameters->entries[i].public.trainable) { elements += parameters->entries[i].public.count; }
  }
  return elements;
}

sst_context *ssti_parameters_context(const sst_parameters *parameters) { return parameters->context; }
float *ssti_parameters_values(sst_parameters *parameters) { return parameters->values; }
float *ssti_parameters_gradients(sst_parameters *parameters) { return parameters->gradients; }
int64_t ssti_parameters_decay_count(const sst_parameters *parameters) { return parameters->decay_count; }
int64_t ssti_parameters_trainable_count(const sst_parameters *parameters) { return parameters->trainable_count; }
int64_t ssti_parameters_total_count(const sst_parameters *parameters) { return parameters->total_count; }
