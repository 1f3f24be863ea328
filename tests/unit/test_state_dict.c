// SPDX-License-Identifier: Apache-2.0
// Who is who in a state dictionary: order by the numbers in names, by the file where its writer kept one, by nothing
// where names differ in letters; name maps; nothing is changed on failure. Layouts and values are held against PyTorch
// in tests/golden/test_state_goldens.c.
#include "networks.h"

#include "base/file.h"
#include "spikestill/safetensors.h"
#include "spikestill/state_dict.h"

enum { LAYERS = 3, ROWS = 2, WEIGHTS = ROWS * ROWS };

// Three linear layers of one shape and an empty file's place.
typedef struct scene {
  sst_context *context;
  sst_parameters *store;
  sst_graph *graph;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], map[TEST_PATH_SIZE];
} scene;

static void begin(scene *s, sst_context *context) {
  *s = (scene){.context = context};
  temp_folder_make(s->folder);
  test_path(s->path, s->folder, "net.safetensors");
  test_path(s->map, s->folder, "names.yaml");
  sst_layer layers[LAYERS + 1] = {layer_of(SST_LAYER_FLATTEN, 0)};
  for (int i = 1; i <= LAYERS; i++) {
    layers[i] = layer_of(SST_LAYER_LINEAR, ROWS);
    layers[i].bias = 0;
  }
  sst_model_options options = network_options(layers, LAYERS + 1, 1, 1, ROWS);
  assert_ok(context, sst_parameters_create(context, 5, &s->store));
  assert_ok(context, sst_graph_create(s->store, SST_DEVICE_CPU, &s->graph));
  sst_value logits = SST_NO_VALUE;
  sst_value input = sst_graph_input(s->graph, "input", sst_shape_make(1, 1, 1, 1, 2));
  sst_model_build(s->graph, &options, input, &logits);
  sst_graph_keep(s->graph, logits);
  assert_ok(context, sst_graph_compile(s->graph, SST_NO_VALUE));
}

static void end(scene *s) {
  sst_graph_destroy(s->graph);
  sst_parameters_destroy(s->store);
  temp_folder_remove(s->folder);
}

// A file of weights with these names; the i-th holds i + 1 throughout.
static void put_file(scene *s, const char *const names[LAYERS]) {
  float values[LAYERS][WEIGHTS];
  sst_safetensors_entry entries[LAYERS];
  for (int i = 0; i < LAYERS; i++) {
    for (int k = 0; k < WEIGHTS; k++) { values[i][k] = (float)(i + 1); }
    entries[i] = (sst_safetensors_entry){names[i], SST_SAFETENSORS_F32, 2, {ROWS, ROWS}, values[i], sizeof values[i]};
  }
  assert_ok(s->context, sst_safetensors_write(s->context, s->path, entries, LAYERS, NULL, 0));
}

// What the three layers got: which of the file's tensors.
static void check(scene *s, int first, int second, int third) {
  const int wanted[LAYERS] = {first, second, third};
  for (int i = 0; i < LAYERS; i++) {
    const sst_parameter *p = sst_parameters_at(s->store, i);
    for (int k = 0; k < WEIGHTS; k++) { assert_true(p->value[k] == (float)(wanted[i] + 1)); }
  }
}

static void test_numbers_in_names_order(void **state) {
  scene s;
  begin(&s, *state);
  put_file(&s, (const char *const[]){"m.10.weight", "m.2.weight", "m.9.weight"}); // as the library sorts
  assert_ok(*state, sst_state_read(s.graph, s.path, &(sst_state_options){0}));
  check(&s, 1, 2, 0);
  end(&s);
}

static void test_a_writer_that_keeps_the_order(void **state) {
  scene s;
  begin(&s, *state);
  put_file(&s, (const char *const[]){"stem.weight", "body.weight", "head.weight"});
  assert_ok(*state, sst_state_read(s.graph, s.path, &(sst_state_options){0}));
  check(&s, 0, 1, 2);
  end(&s);
}

static void test_equal_names_come_first(void **state) {
  scene s;
  begin(&s, *state);
  put_file(&s, (const char *const[]){"3.weight", "1.weight", "2.weight"}); // in an order that means nothing then
  assert_ok(*state, sst_state_read(s.graph, s.path, &(sst_state_options){0}));
  check(&s, 1, 2, 0);
  end(&s);
}

static void test_letters_need_a_map(void **state) {
  scene s;
  begin(&s, *state);
  put_file(&s, (const char *const[]){"body.weight", "head.weight", "stem.weight"});
  const float before = *sst_parameters_at(s.store, 0)->value;
  sst_state_options options = {0};
  assert_fails(*state, SST_MISMATCH, sst_state_read(s.graph, s.path, &options), "needs a name map: '1.linear' may be");
  assert_true(*sst_parameters_at(s.store, 0)->value == before);
  static const char map[] = "1.linear: stem\n2.linear.weight: body.weight\n"; // what is left is clear
  assert_ok(*state, ssti_file_write(*state, s.map, map, sizeof map - 1));
  options.map = s.map;
  assert_ok(*state, sst_state_read(s.graph, s.path, &options));
  check(&s, 2, 0, 1);
  char *text = NULL;
  assert_ok(*state, sst_state_print_map(s.graph, s.path, &options, &text));
  assert_string_equal(text, "1.linear: stem  # [2,2]\n2.linear: body  # [2,2]\n3.linear: head  # [2,2]\n");
  sst_state_text_free(*state, text);
  end(&s);
}

static void test_nothing_that_fits(void **state) {
  scene s;
  begin(&s, *state);
  const float value = 0;
  const sst_safetensors_entry entry = {"x.weight", SST_SAFETENSORS_F32, 2, {1, 1}, &value, sizeof value};
  assert_ok(*state, sst_safetensors_write(*state, s.path, &entry, 1, NULL, 0));
  const sst_state_options options = {0};
  assert_fails(*state, SST_MISMATCH, sst_state_read(s.graph, s.path, &options),
               "'3.linear.weight' [2,2] ('3.weight' in PyTorch) is missing; 'x.weight' [1,1] is left over");
  assert_ok(*state, sst_safetensors_write(*state, s.path, NULL, 0, NULL, 0));
  assert_fails(*state, SST_MISMATCH, sst_state_read(s.graph, s.path, &options), "is missing");
  end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_numbers_in_names_order), TEST(test_a_writer_that_keeps_the_order),
                                     TEST(test_equal_names_come_first), TEST(test_letters_need_a_map),
                                     TEST(test_nothing_that_fits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
