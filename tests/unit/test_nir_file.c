// SPDX-License-Identifier: Apache-2.0
// NIR files: what other writers made is read (tests/golden/nir, made by Python), what is written is read back and
// always the same bytes, and every way in which a file can be wrong is refused with its place.
#include "../support/support.h"

#include "base/file.h"
#include "spikestill/nir.h"

#define skip_without_hdf5()                                                                                            \
  do {                                                                                                                 \
    if (!with_hdf5) { skip_because("built without libhdf5"); }                                                         \
  } while (0)
#ifdef SPIKESTILL_HAS_HDF5
static const bool with_hdf5 = true;
#else
static const bool with_hdf5 = false;
#endif

static sst_nir_graph *read_golden(sst_context *context, const char *name) {
  char path[TEST_PATH_SIZE], file[64];
  snprintf(file, sizeof file, "tests/golden/nir/%s.nir", name);
  sst_nir_graph *graph = NULL;
  assert_ok(context, sst_nir_read(context, test_source_path(path, file), &graph));
  return graph;
}

static const sst_nir_node *node_of(const sst_nir_graph *graph, const char *name) {
  int index = sst_nir_find_node(graph, name);
  assert_true(index >= 0);
  return &graph->nodes[index];
}

static const sst_nir_value *field_of(const sst_nir_graph *graph, const char *node, const char *field) {
  const sst_nir_value *value = sst_nir_find_value(&node_of(graph, node)->fields, field);
  assert_non_null(value);
  return value;
}

// The same formula as in make_nir_goldens.py.
static double ramp(int64_t i) { return (double)(i * 7 % 11 - 5) / 8; }

static void check_chain(const sst_nir_graph *graph) {
  assert_int_equal(graph->node_count, 8);
  assert_int_equal(graph->edge_count, 7);
  assert_int_equal(node_of(graph, "fire")->type, SST_NIR_TYPE_IF);
  const sst_nir_value *weight = field_of(graph, "conv", "weight");
  assert_int_equal(weight->kind, SST_NIR_NUMBERS);
  assert_int_equal(weight->rank, 4);
  assert_int_equal(weight->shape[0], 2);
  assert_int_equal(weight->shape[3], 3);
  for (int64_t i = 0; i < weight->count; i++) { assert_true(weight->numbers[i] == ramp(i)); }
  const sst_nir_value *padding = field_of(graph, "conv", "padding");
  assert_int_equal(padding->kind, SST_NIR_INTEGERS);
  assert_int_equal(padding->count, 2);
  assert_int_equal(padding->integers[1], 1);
  assert_int_equal(field_of(graph, "flat", "end_dim")->integers[0], -1);
  assert_true(field_of(graph, "leaky", "v_threshold")->numbers[3] == 1.0);
  assert_string_equal(sst_nir_find_value(&graph->metadata, "maker")->text, "make_nir_goldens");
  assert_int_equal(sst_nir_find_value(&node_of(graph, "dense")->metadata, "bits")->integers[0], 4);
}

static void test_reads_what_python_writes(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = read_golden(context, "chain");
  check_chain(graph);
  sst_nir_destroy(graph);
}

static void test_reads_packed_doubles_and_fixed_text(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = read_golden(context, "packed");
  check_chain(graph);
  sst_nir_destroy(graph);
}

static void test_reads_the_newest_version_of_the_format(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = read_golden(context, "modern");
  check_chain(graph);
  sst_nir_destroy(graph);
}

static void test_reads_a_graph_in_a_graph(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = read_golden(context, "nested");
  const sst_nir_graph *inner = node_of(graph, "rnn")->graph;
  assert_non_null(inner);
  assert_int_equal(inner->edge_count, 4);
  assert_true(field_of(inner, "lif", "w_in")->numbers[2] == 2.0);
  sst_nir_destroy(graph);
}

static void test_refuses(void **state) {
  sst_context *context = *state;
  const struct {
    const char *file, *part;
  } cases[] = {
      {"lzf", "/node/nodes/a/weight: is packed by filter 32000 (lzf), expected gzip"},
      {"dangling", "/node/edges: edge 0 goes to 'nowhere', which is no node"},
      {"unknown_type", "/node/nodes/b: is of type 'Izhikevich'"},
      {"missing_field", "node 'a' of type Affine has no field 'weight'"},
      {"virtual", "/node/nodes/a/weight: lies outside this file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[TEST_PATH_SIZE], file[64];
    sst_nir_graph *graph = (sst_nir_graph *)&context;
    snprintf(file, sizeof file, "tests/golden/nir/%s.nir", cases[i].file);
    assert_fails(context, SST_FORMAT, sst_nir_read(context, test_source_path(path, file), &graph), cases[i].part);
    assert_null(graph);
  }
  sst_nir_graph *graph = NULL;
  assert_fails(context, SST_FORMAT, sst_nir_read_bytes(context, "x.nir", "not HDF5", 8, &graph),
               "x.nir: is not an HDF5");
  assert_fails(context, SST_NOT_FOUND, sst_nir_read(context, "/nowhere/x.nir", &graph), "/nowhere/x.nir");
}

static void same_values(const sst_nir_values *a, const sst_nir_values *b) {
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    const sst_nir_value *x = &a->at[i], *y = sst_nir_find_value(b, x->name);
    assert_non_null(y);
    assert_int_equal(x->kind, y->kind);
    assert_int_equal(x->rank, y->rank);
    assert_int_equal(x->count, y->count);
    if (x->kind == SST_NIR_TEXT) { assert_string_equal(x->text, y->text); }
    if (x->kind == SST_NIR_INTEGERS) { assert_memory_equal(x->integers, y->integers, (size_t)x->count * 8); }
    if (x->kind == SST_NIR_NUMBERS) { assert_memory_equal(x->numbers, y->numbers, (size_t)x->count * 8); }
  }
}

static void same_graphs(const sst_nir_graph *a, const sst_nir_graph *b) {
  assert_int_equal(a->node_count, b->node_count);
  assert_int_equal(a->edge_count, b->edge_count);
  same_values(&a->metadata, &b->metadata);
  for (int i = 0; i < a->node_count; i++) {
    assert_string_equal(a->nodes[i].name, b->nodes[i].name); // order is kept
    assert_int_equal(a->nodes[i].type, b->nodes[i].type);
    same_values(&a->nodes[i].fields, &b->nodes[i].fields);
    same_values(&a->nodes[i].metadata, &b->nodes[i].metadata);
    if (a->nodes[i].graph) { same_graphs(a->nodes[i].graph, b->nodes[i].graph); }
  }
  for (int i = 0; i < a->edge_count; i++) {
    assert_int_equal(a->edges[i].source, b->edges[i].source);
    assert_int_equal(a->edges[i].target, b->edges[i].target);
  }
}

static void test_round_trip(void **state) {
  sst_context *context = *state;
  skip_without_hdf5();
  const char *const names[] = {"chain", "nested", "residual"};
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], again[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "a.nir");
  test_path(again, folder, "b.nir");
  for (int i = 0; i < 3; i++) {
    sst_nir_graph *graph = read_golden(context, names[i]), *back = NULL;
    assert_ok(context, sst_nir_write(graph, path));
    assert_ok(context, sst_nir_read(context, path, &back));
    same_graphs(graph, back);
    assert_ok(context, sst_nir_write(back, again));
    char *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    assert_ok(context, ssti_file_read(context, path, 0, &a, &a_size));
    assert_ok(context, ssti_file_read(context, again, 0, &b, &b_size));
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    ssti_free(context, a);
    ssti_free(context, b);
    sst_nir_destroy(graph);
    sst_nir_destroy(back);
  }
  temp_folder_remove(folder);
}

static void test_building_refuses(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = NULL;
  int a = -1, again = -1;
  assert_ok(context, sst_nir_create(context, &graph));
  assert_ok(context, sst_nir_add_node(graph, "a", SST_NIR_TYPE_SCALE, &a));
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_add_node(graph, "a", SST_NIR_TYPE_SCALE, &again),
               "'a' is there twice");
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_add_node(graph, "a/b", SST_NIR_TYPE_SCALE, &again), "'a/b'");
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_add_edge(graph, 0, 1), "from node 0 to node 1");
  sst_nir_values *fields = &graph->nodes[a].fields;
  const int64_t shape[] = {2}, huge[] = {INT64_MAX, 3};
  assert_ok(context, sst_nir_put_floats(graph, fields, "scale", 1, shape, (const float[]){1, 2}));
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_put_numbers(graph, fields, "scale", 0, NULL, (const double[]){1}),
               "'scale' is there twice");
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_put_numbers(graph, fields, "huge", 2, huge, NULL), "'huge'");
  sst_nir_destroy(graph);
}

static void test_writing_refuses(void **state) {
  sst_context *context = *state;
  skip_without_hdf5();
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "a.nir");
  sst_nir_graph *graph = NULL;
  int a = -1;
  assert_ok(context, sst_nir_create(context, &graph));
  assert_ok(context, sst_nir_add_node(graph, "a", SST_NIR_TYPE_SCALE, &a));
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_write(graph, path),
               "node 'a' of type Scale has no field 'scale'");
  assert_ok(context, sst_nir_put_numbers(graph, &graph->nodes[a].fields, "scale", 0, NULL, (const double[]){1}));
  assert_ok(context, sst_nir_put_numbers(graph, &graph->nodes[a].fields, "gain", 0, NULL, (const double[]){1}));
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_write(graph, path), "a field 'gain'");
  assert_int_equal(temp_folder_entries(folder), 0);
  sst_nir_destroy(graph);
  temp_folder_remove(folder);
}

static void test_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_NIR_TARGET_COUNT; i++) {
    sst_nir_target found = SST_NIR_TARGET_COUNT;
    assert_true(sst_nir_target_parse(sst_nir_target_word((sst_nir_target)i), &found));
    assert_int_equal(found, i);
    assert_true(sst_nir_target_dt((sst_nir_target)i) > 0);
  }
  sst_nir_target found;
  assert_false(sst_nir_target_parse("nest", &found));
  assert_string_equal(sst_nir_type_word(SST_NIR_TYPE_CUBALIF), "CubaLIF");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_reads_what_python_writes),
      TEST(test_reads_packed_doubles_and_fixed_text),
      TEST(test_reads_the_newest_version_of_the_format),
      TEST(test_reads_a_graph_in_a_graph),
      TEST(test_refuses),
      TEST(test_round_trip),
      TEST(test_building_refuses),
      TEST(test_writing_refuses),
      TEST(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
