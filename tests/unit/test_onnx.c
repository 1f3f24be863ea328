// SPDX-License-Identifier: Apache-2.0
// ONNX files: what is refused and how it is said (files of the fuzz corpus, made by make_onnx_corpus.py), taps, the
// hook for activations, and a network of the ONNX zoo against the outputs that come with it. Numbers of single
// operators are held against onnxruntime in tests/golden/test_onnx_goldens.c.
#include "support.h"

#include "spikestill/onnx.h"
#include "spikestill/ops.h"

#ifdef SPIKESTILL_HAS_ONNX
#include "exchange/onnx_parts.h"

static sst_status open_source(sst_context *context, const char *name, sst_onnx **out) {
  char path[TEST_PATH_SIZE];
  return sst_onnx_open(context, test_source_path(path, name), NULL, out);
}

static void test_refusals(void **state) {
  static const struct {
    const char *file;
    sst_status status;
    const char *words;
  } cases[] = {
      {"empty", SST_FORMAT, "holds no graph"},
      {"huge_dims", SST_FORMAT,
       "initializer 'w' has length 1099511627776 in axis 1: more elements than can be counted"},
      {"short_data", SST_FORMAT, "initializer 'w' holds 7 numbers and a part of one, expected 8 from its shape"},
      {"external", SST_UNSUPPORTED, "initializer 'w' lies in another file"},
      {"circle", SST_FORMAT, "node 'n_a' (Add): reads 'b' before it is made"},
      {"unsorted", SST_FORMAT, "node 'n_y' (Relu): reads 'a' before it is made"},
      {"missing_input", SST_FORMAT, "node 'n_y' (MatMul): reads 'nothing', which nothing makes"},
      {"duplicate_output", SST_FORMAT, "node 'n_y' (Relu) makes 'y', which exists already"},
      {"opset_18", SST_UNSUPPORTED, "is of opset 18, expected 8..17"},
      {"no_output", SST_UNSUPPORTED, "has 0 outputs"},
      {"huge_constant", SST_FORMAT, "would become much larger than it is"},
      {"huge_pad", SST_UNSUPPORTED, "at most 268435456 elements"},
      {"doubling", SST_FORMAT, "would become much larger than it is"},
      {"deep", SST_FORMAT, "messages are nested more than 48 deep"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char name[128];
    sst_onnx *onnx = NULL;
    snprintf(name, sizeof name, "tests/fuzz/corpus_onnx/%s", cases[i].file);
    assert_fails(*state, cases[i].status, open_source(*state, name, &onnx), cases[i].words);
    assert_null(onnx);
  }
}

// Both at once, though the second reads the first.
static void test_all_that_is_unsupported(void **state) {
  sst_onnx *onnx = NULL;
  assert_fails(
      *state, SST_UNSUPPORTED, open_source(*state, "tests/fuzz/corpus_onnx/two_unknown", &onnx),
      "2 nodes cannot be imported: node 'n_a' (LSTM): is not supported; node 'n_b' (Einsum): is not supported");
}

static void test_damage_has_a_byte(void **state) {
  static const uint8_t cut[] = {8, 7, 58, 100, 10}, wrong[] = {8, 7, 59};
  sst_onnx *onnx = NULL;
  assert_fails(*state, SST_FORMAT, sst_onnx_read(*state, "m.onnx", cut, sizeof cut, NULL, &onnx),
               "m.onnx: byte 2: a field of 100 bytes, but only 1 are left");
  assert_fails(*state, SST_FORMAT, sst_onnx_read(*state, "m.onnx", wrong, sizeof wrong, NULL, &onnx),
               "m.onnx: byte 2: a field is of wire type 3");
}

typedef struct calls {
  int count;
  float ceiling;
} calls;

static sst_value count_call(void *user, sst_graph *graph, const char *name, float ceiling, sst_value x) {
  calls *c = user;
  c->count++;
  c->ceiling = ceiling;
  assert_non_null(strstr(name, "Clip"));
  return sst_affine(graph, x, 0.0f, 7.0f);
}

static void test_hook_and_taps(void **state) {
  sst_onnx *onnx = NULL;
  sst_parameters *parameters = NULL;
  sst_graph *graph = NULL;
  calls c = {0};
  assert_ok(*state, open_source(*state, "tests/golden/onnx_goldens/relu6.onnx", &onnx));
  assert_ok(*state, sst_parameters_create(*state, 1, &parameters));
  assert_ok(*state, sst_graph_create(parameters, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_graph_push(graph, "teacher", true);
  const sst_value input = sst_graph_input(graph, "input", sst_shape_make(1, 2, 6, 5, 2));
  sst_value logits = SST_NO_VALUE;
  assert_true(sst_onnx_build(onnx, graph, input, count_call, &c, &logits) >= 0);
  sst_graph_pop(graph);
  assert_int_equal(c.count, 1);
  assert_near(c.ceiling, 6, 0, 0);
  const sst_value clip = sst_graph_find(graph, "teacher.Clip_2");
  assert_true(clip >= 0);
  assert_int_equal(sst_graph_find(graph, "teacher.features"), clip);
  assert_int_equal(sst_graph_find(graph, "teacher.logits"), logits);
  sst_graph_keep(graph, clip);
  assert_ok(*state, sst_graph_compile(graph, SST_NO_VALUE));
  sst_graph_forward(graph, NULL);
  assert_near(sst_graph_data(graph, clip)[0], 7, 0, 0); // what the hook put there
  sst_graph_destroy(graph);
  assert_ok(*state, sst_graph_create(parameters, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_onnx_build(onnx, graph, sst_graph_input(graph, "input", sst_shape_make(1, 2, 5, 5, 2)), NULL, NULL, &logits);
  assert_fails(*state, SST_SHAPE, sst_graph_status(graph), "input is [1,2,5,5,2], but expected is [T,N,6,5,2]");
  sst_graph_destroy(graph);
  sst_parameters_destroy(parameters);
  sst_onnx_close(onnx);
}

// A file of one tensor message; the caller frees the numbers.
static float *read_tensor(sst_context *context, const char *path, int64_t count) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  static uint8_t bytes[1 << 16];
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  Onnx__TensorProto *message = onnx__tensor_proto__unpack(NULL, size, bytes);
  assert_non_null(message);
  ssti_onnx_arena arena = {.context = context, .file = path, .budget = 1 << 20};
  ssti_onnx_tensor *tensor = NULL;
  assert_ok(context, ssti_onnx_tensor_read(&arena, message, "the tensor", &tensor));
  assert_int_equal(tensor->count, count);
  float *copy = malloc((size_t)count * sizeof *copy);
  assert_non_null(copy);
  memcpy(copy, tensor->reals, (size_t)count * sizeof *copy);
  ssti_onnx_arena_end(&arena);
  onnx__tensor_proto__free_unpacked(message, NULL);
  return copy;
}

// Outputs reach 6500 and are sums of 256 terms: relative to the largest one, f32 rounds at some 1e-7.
static void test_mnist_of_the_zoo(void **state) {
  const char *root = getenv("SPIKESTILL_DATA");
  char path[TEST_PATH_SIZE];
  snprintf(path, sizeof path, "%s/teachers/mnist/mnist-8.onnx", root ? root : "");
  FILE *there = root ? fopen(path, "rb") : NULL;
  if (!there) { skip_because("%s", "SPIKESTILL_DATA has no teachers/mnist/mnist-8.onnx"); }
  fclose(there);
  sst_onnx *onnx = NULL;
  sst_parameters *parameters = NULL;
  sst_graph *graph = NULL;
  assert_ok(*state, sst_onnx_open(*state, path, NULL, &onnx));
  assert_ok(*state, sst_parameters_create(*state, 1, &parameters));
  assert_ok(*state, sst_graph_create(parameters, SST_DEVICE_CPU, &graph));
  const sst_value input = sst_graph_input(graph, "input", sst_shape_make(1, 1, 28, 28, 1));
  sst_value logits = SST_NO_VALUE;
  sst_onnx_build(onnx, graph, input, NULL, NULL, &logits);
  sst_graph_keep(graph, logits);
  assert_ok(*state, sst_graph_compile(graph, SST_NO_VALUE));
  assert_ok(*state, sst_onnx_load(onnx, parameters));
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/teachers/mnist/test_data_set_%d/input_0.pb", root, i);
    float *x = read_tensor(*state, path, 784);
    snprintf(path, sizeof path, "%s/teachers/mnist/test_data_set_%d/output_0.pb", root, i);
    float *y = read_tensor(*state, path, 10);
    memcpy(sst_graph_data(graph, input), x, 784 * sizeof *x);
    sst_graph_forward(graph, NULL);
    double largest = 0;
    for (int k = 0; k < 10; k++) { largest = fmax(largest, fabs((double)y[k])); }
    for (int k = 0; k < 10; k++) { assert_near(sst_graph_data(graph, logits)[k], y[k], 0, 1e-6 * largest); }
    free(x);
    free(y);
  }
  sst_graph_destroy(graph);
  sst_parameters_destroy(parameters);
  sst_onnx_close(onnx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_refusals),      TEST(test_all_that_is_unsupported), TEST(test_damage_has_a_byte),
      TEST(test_hook_and_taps), TEST(test_mnist_of_the_zoo),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_it_is_not_built_in(void **state) {
  sst_onnx *onnx = NULL;
  assert_fails(*state, SST_UNSUPPORTED, sst_onnx_open(*state, "m.onnx", NULL, &onnx), "m.onnx: ONNX is not built in");
  assert_null(onnx);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_it_is_not_built_in)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
