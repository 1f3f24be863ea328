// SPDX-License-Identifier: Apache-2.0
// Small graphs for tests: a store with parameters of given values, and a graph over it.
#ifndef SPIKESTILL_TESTS_GRAPHS_H
#define SPIKESTILL_TESTS_GRAPHS_H

#include "spikestill/ops.h"
#include "support.h"

static inline sst_graph *graph_begin(sst_context *context, sst_parameters **store) {
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, store));
  assert_ok(context, sst_graph_create(*store, SST_DEVICE_CPU_REFERENCE, &graph));
  return graph;
}

static inline void graph_end(sst_graph *graph, sst_parameters *store) {
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
}

// A weight of random initial values in (-1, 1).
static inline sst_value graph_weight(sst_graph *graph, const char *name, sst_shape shape) {
  return sst_graph_parameter(graph, name, shape, SST_PARAMETER_WEIGHT, (sst_initializer){SST_INIT_UNIFORM, 1.0f});
}

static inline sst_shape vector_shape(int64_t count) { return sst_shape_make(1, 1, 1, 1, count); }

#endif
