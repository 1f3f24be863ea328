// SPDX-License-Identifier: Apache-2.0
// Every op against PyTorch: forward, every gradient, running statistics, on every backend that this machine has. The
// numbers and their format come from make_op_goldens.py, beside this file.
//
// The error is max|difference| / max|expected| of a whole tensor. The golden values were computed in double; 1e-5 is
// what f32 arithmetic over the few hundred terms of these sums needs, with room for another order of summation.
#include "support.h"

#include "op_call.h"

static const double tolerance = 1e-5;

enum { WORD_SIZE = 64, ATTRIBUTES_MAX = 9 };

typedef struct golden {
  FILE *index, *numbers;
  char name[WORD_SIZE], op_name[WORD_SIZE];
  int training, attribute_count;
  double attribute[ATTRIBUTES_MAX];
  double worst; // the largest error so far
} golden;

static const ssti_op *const ops[] = {
#define OP_ENTRY(name) &ssti_op_##name,
    SSTI_OP_LIST(OP_ENTRY)
#undef OP_ENTRY
};
enum { OP_COUNT = sizeof ops / sizeof ops[0] };

static int op_index(const char *name) {
  for (int i = 0; i < OP_COUNT; i++) {
    if (strcmp(ops[i]->name, name) == 0) { return i; }
  }
  fail_msg("the index names the op \"%s\", which does not exist", name);
  return -1;
}

// The attributes of any op, from the numbers of the index.
typedef union any_attributes {
  ssti_conv2d_attributes conv2d;
  ssti_batch_norm_attributes batch_norm;
  ssti_quantize_weights_attributes quantize_weights;
  ssti_rescale_attributes rescale;
  ssti_pool_attributes pool;
  ssti_adaptive_pool_attributes adaptive_pool;
  ssti_unary_attributes unary;
  ssti_binary_attributes binary;
  ssti_reduce_attributes reduce;
  ssti_l2_normalize_attributes l2_normalize;
  ssti_softmax_attributes softmax;
  ssti_cross_entropy_attributes cross_entropy;
  ssti_head_mask_attributes head_mask;
  ssti_dropout_attributes dropout;
  ssti_noise_attributes noise;
  ssti_concat_attributes concat;
  ssti_select_steps_attributes select_steps;
  ssti_repeat_steps_attributes repeat_steps;
  ssti_pad_attributes pad;
  ssti_slice_attributes slice;
} any_attributes;

static void read_attributes(const golden *g, any_attributes *out) {
  const double *v = g->attribute;
  int64_t n[ATTRIBUTES_MAX];
  for (int i = 0; i < ATTRIBUTES_MAX; i++) { n[i] = (int64_t)v[i]; }
  memset(out, 0, sizeof *out);
#define IS(word) (strcmp(g->op_name, word) == 0)
  if (IS("conv2d")) { out->conv2d = (ssti_conv2d_attributes){n[0], n[1], n[2], n[3], n[4], n[5], n[6]}; }
  if (IS("batch_norm")) {
    out->batch_norm = (ssti_batch_norm_attributes){(float)v[0], (float)v[1], (float)v[2], (int)n[3]};
  }
  if (IS("quantize_weights")) {
    out->quantize_weights.quantizer =
        (sst_weight_quantizer){(sst_weight_quantizer_kind)n[0], (int)n[1], n[2] != 0, (float)v[3]};
  }
  if (IS("rescale")) { out->rescale = (ssti_rescale_attributes){(int)n[0]}; }
  if (IS("pool")) { out->pool = (ssti_pool_attributes){(ssti_pool_kind)n[0], n[1], n[2], n[3], n[4], n[5], n[6]}; }
  if (IS("adaptive_pool")) { out->adaptive_pool = (ssti_adaptive_pool_attributes){n[0], n[1]}; }
  if (IS("unary")) { out->unary = (ssti_unary_attributes){(ssti_unary_kind)n[0], (float)v[1], (float)v[2]}; }
  if (IS("binary")) { out->binary = (ssti_binary_attributes){(ssti_binary_kind)n[0]}; }
  if (IS("reduce")) { out->reduce = (ssti_reduce_attributes){(ssti_reduce_kind)n[0], (int)n[1]}; }
  if (IS("l2_normalize")) { out->l2_normalize = (ssti_l2_normalize_attributes){(int)n[0], (float)v[1]}; }
  if (IS("softmax")) { out->softmax = (ssti_softmax_attributes){(float)v[0], n[1] != 0}; }
  if (IS("cross_entropy")) { out->cross_entropy = (ssti_cross_entropy_attributes){(float)v[0]}; }
  if (IS("head_mask")) { out->head_mask = (ssti_head_mask_attributes){(float)v[0]}; }
  if (IS("dropout")) { out->dropout = (ssti_dropout_attributes){(float)v[0]}; }
  if (IS("noise")) { out->noise = (ssti_noise_attributes){(float)v[0]}; }
  if (IS("concat")) { out->concat = (ssti_concat_attributes){(sst_axis)n[0]}; }
  if (IS("select_steps")) { out->select_steps = (ssti_select_steps_attributes){n[0], n[1]}; }
  if (IS("repeat_steps")) { out->repeat_steps = (ssti_repeat_steps_attributes){n[0]}; }
  if (IS("pad")) { out->pad = (ssti_pad_attributes){{n[0], n[2], n[4]}, {n[1], n[3], n[5]}, (float)v[6]}; }
  if (IS("slice")) { out->slice = (ssti_slice_attributes){{n[0], n[3], n[6]}, {n[1], n[4], n[7]}, {n[2], n[5], n[8]}}; }
#undef IS
}

static sst_shape read_shape(const golden *g) {
  sst_shape shape;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    long long length = 0;
    if (fscanf(g->index, "%lld", &length) != 1) { fail_msg("%s: a shape of the index is cut off", g->name); }
    shape.dim[i] = length;
  }
  return shape;
}

// The next tensor; the caller frees it.
static float *read_numbers(const golden *g, int64_t count) {
  float *data = op_call_floats(count);
  if (fread(data, sizeof(float), (size_t)count, g->numbers) != (size_t)count) {
    fail_msg("%s: the file of numbers is cut off", g->name);
  }
  return data;
}

static void compare(golden *g, const char *what, int input, sst_shape shape, const ssti_tensor *found) {
  if (!sst_shape_equal(shape, found->shape)) {
    char text[SST_SHAPE_TEXT_SIZE], expected_text[SST_SHAPE_TEXT_SIZE];
    fail_msg("%s: %s %d has the shape %s, expected %s", g->name, what, input,
             sst_shape_text(found->shape, text, sizeof text),
             sst_shape_text(shape, expected_text, sizeof expected_text));
  }
  const int64_t count = sst_shape_count(shape);
  float *expected = read_numbers(g, count);
  double size = 0, difference = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < count; i++) {
    const double d = fabs((double)found->data[i] - (double)expected[i]);
    size = fmax(size, fabs((double)expected[i]));
    if (!(d <= difference)) { // also for NaN
      difference = d;
      where = i;
    }
  }
  // Where all is 0 (a gradient of a single class), rounding of numbers around 1 is what is left.
  const double error = size > 0 ? difference / size : difference;
  if (!(error <= tolerance)) {
    fail_msg("%s: %s %d is wrong by %.3g of its largest value, allowed %.3g; at %lld found %.9g, expected %.9g",
             g->name, what, input, error, tolerance, (long long)where, (double)found->data[where],
             (double)expected[where]);
  }
  g->worst = fmax(g->worst, error);
  free(expected);
}

// Runs the op once its inputs are complete.
static void run_forward(sst_context *context, golden *g, op_call *c) {
  const sst_status status = op_call_infer(c, context);
  if (status != SST_OK) { fail_msg("%s: %s", g->name, sst_context_message(context)); }
  op_call_forward(c);
}

// One case, from the word after "case" to "end".
static void run_case(sst_context *context, ssti_backend *backend, golden *g, bool seen[OP_COUNT]) {
  assert_int_equal(fscanf(g->index, "%63s %63s %d %d", g->name, g->op_name, &g->training, &g->attribute_count), 4);
  assert_in_range(g->attribute_count, 0, ATTRIBUTES_MAX);
  memset(g->attribute, 0, sizeof g->attribute); // what a case leaves out
  for (int i = 0; i < g->attribute_count; i++) { assert_int_equal(fscanf(g->index, "%lf", &g->attribute[i]), 1); }
  const int op = op_index(g->op_name);
  seen[op] = true;
  any_attributes attributes;
  read_attributes(g, &attributes);
  op_call c;
  op_call_begin(&c, backend, ops[op], &attributes);
  c.run.training = g->training != 0;
  for (char word[WORD_SIZE]; fscanf(g->index, "%63s", word) == 1 && strcmp(word, "end") != 0;) {
    int input = 0;
    const bool numbered = strcmp(word, "gradient") == 0 || strcmp(word, "after") == 0;
    if (numbered) { assert_int_equal(fscanf(g->index, "%d", &input), 1); }
    const sst_shape shape = read_shape(g);
    if (strcmp(word, "input") == 0) {
      float *values = read_numbers(g, sst_shape_count(shape));
      op_call_input(&c, shape, values);
      free(values);
    } else if (strcmp(word, "output") == 0) {
      run_forward(context, g, &c);
      compare(g, word, 0, shape, &c.y[0]);
    } else if (strcmp(word, "dy") == 0) {
      assert_true(sst_shape_equal(shape, c.dy[0].shape));
      float *values = read_numbers(g, sst_shape_count(shape));
      memcpy(c.dy[0].data, values, (size_t)sst_shape_count(shape) * sizeof(float));
      free(values);
      op_call_backward(&c);
    } else {
      assert_true(numbered);
      assert_in_range(input, 0, c.call.input_count - 1);
      compare(g, word, input, shape, strcmp(word, "after") == 0 ? &c.x[input] : &c.dx[input]);
    }
  }
  op_call_end(&c);
}

static void check_backend(sst_context *context, sst_device device) {
  ssti_backend *backend = NULL;
  const sst_status status = ssti_backend_create(context, device, &backend);
  if (status == SST_UNSUPPORTED && device != SST_DEVICE_CPU_REFERENCE) {
    skip_because("%s: %s", sst_device_word(device), sst_context_message(context));
  }
  assert_ok(context, status);
  char path[TEST_PATH_SIZE];
  golden g = {.index = fopen(test_source_path(path, "tests/golden/op_goldens.txt"), "r")};
  g.numbers = fopen(test_source_path(path, "tests/golden/op_goldens.bin"), "rb");
  assert_non_null(g.index);
  assert_non_null(g.numbers);
  char line[256];
  assert_non_null(fgets(line, sizeof line, g.index)); // how the file was made
  bool seen[OP_COUNT] = {false};
  int cases = 0;
  for (char word[WORD_SIZE]; fscanf(g.index, "%63s", word) == 1; cases++) {
    assert_string_equal(word, "case");
    run_case(context, backend, &g, seen);
  }
  assert_int_equal(fgetc(g.numbers), EOF); // index and numbers belong together
  for (int i = 0; i < OP_COUNT; i++) {
    // Neurons have golden files of their own, from SpikingJelly.
    if (!seen[i] && ops[i] != &ssti_op_neuron) { fail_msg("no golden case for the op \"%s\"", ops[i]->name); }
  }
  print_message("%s: %d cases, largest error %.2g; %s", sst_device_word(device), cases, g.worst, line);
  fclose(g.index);
  fclose(g.numbers);
  ssti_backend_destroy(backend);
}

static void test_reference_backend(void **state) { check_backend(*state, SST_DEVICE_CPU_REFERENCE); }

static void test_fast_backend(void **state) { check_backend(*state, SST_DEVICE_CPU); }

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_reference_backend), TEST(test_fast_backend)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
