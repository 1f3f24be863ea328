// SPDX-License-Identifier: Apache-2.0
// C source of an integer network: names, what the folder holds, how large it says that it is, and what is refused.
// What the source computes is tests/property/test_c_source.c's.
#include "support.h"

#include "base/file.h"
#include "deploy/integer_build.h"
#include "random_integer_network.h"
#include "spikestill/c_source.h"

static const char *const files[] = {"net.c",    "net.h",          "golden.c",   "golden.h",    "main.c",
                                    "Makefile", "CMakeLists.txt", "cortex_m.c", "cortex_m.ld", "README.md"};
enum { FILE_COUNT = sizeof files / sizeof *files };

static char *read_text(sst_context *context, const char *folder, const char *name) {
  char path[TEST_PATH_SIZE], *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, test_path(path, folder, name), 0, &data, &size));
  return data;
}

static void assert_holds(sst_context *context, const char *folder, const char *name, const char *part) {
  char *text = read_text(context, folder, name);
  if (strstr(text, part) == NULL) { fail_msg("%s does not hold \"%s\"", name, part); }
  ssti_free(context, text);
}

static void test_names_from_paths(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"runs/mnist-cnn.safetensors", "mnist_cnn"},
                                         {"Net", "net"},
                                         {"a/b/", "b"},
                                         {"v1.2.safetensors", "v1_2"},
                                         {"9lives.st", "net_9lives"},
                                         {".hidden", "net__hidden"},
                                         {"", "network"},
                                         {"/", "network"},
                                         {"gr\xc3\xb6\xc3\x9f"
                                          "e",
                                          "gr____e"}};
  char name[SST_C_SOURCE_NAME_SIZE], longest[200];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sst_c_source_name(cases[i][0], name);
    assert_string_equal(name, cases[i][1]);
  }
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  sst_c_source_name(longest, name);
  assert_int_equal(strlen(name), 40);
}

// One picture of 1x1x40 numbers from 0 to 1, 40 -> 33 linear of 3 bits, neurons, 33 -> 2 linear of 2 bits; 3 steps.
static sst_integer_network *two_layers(sst_context *context, bool each_step) {
  static int8_t codes[40 * 33];
  static int32_t factor[33], offset[33];
  for (int i = 0; i < 40 * 33; i++) { codes[i] = (int8_t)(i % 3 - 1); }
  for (int i = 0; i < 33; i++) {
    factor[i] = 1 + i % 2 * 200; // one byte is too narrow
    offset[i] = i - 16;
  }
  const ssti_integer_header header = {3, 2, each_step, {.height = 1, .width = 1, .channels = 40, .high = 1}};
  sst_integer_network *network = NULL;
  assert_ok(context, ssti_integer_begin(context, &header, &network));
  sst_integer_node node = {.kind = SST_INTEGER_NODE_SYNAPSES, .name = "0.linear", .input = {0, -1}};
  node.synapses = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 3, codes, factor, offset};
  int value = 0;
  assert_ok(context, ssti_integer_add(network, &node, 33, 0, &value));
  node = (sst_integer_node){.kind = SST_INTEGER_NODE_NEURONS, .name = "1.act", .input = {value, -1}};
  node.neurons = (sst_integer_neurons){
      .threshold = 5, .hard_reset = true, .gain = 1, .decay = 1, .decay_shift = 1, .limit = 127, .state_bits = 8};
  assert_ok(context, ssti_integer_add(network, &node, 0, 0, &value));
  node = (sst_integer_node){.kind = SST_INTEGER_NODE_SYNAPSES, .name = "2.linear", .input = {value, -1}};
  node.synapses = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 2, codes, factor + 1, offset};
  assert_ok(context, ssti_integer_add(network, &node, 2, 0, &value));
  node = (sst_integer_node){.kind = SST_INTEGER_NODE_READOUT, .name = "readout", .input = {value, -1}};
  node.readout = (sst_integer_readout){SST_INTEGER_READOUT_SUM, 0, 0, 0.25};
  assert_ok(context, ssti_integer_add(network, &node, 0, 0, NULL));
  assert_ok(context, sst_integer_network_check(network));
  return network;
}

static void test_sizes(void **state) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_c_source_sizes sizes;
  const sst_c_source_options options = {.name = "net"};
  sst_integer_network *network = two_layers(*state, false);
  assert_ok(*state, sst_c_source_write(network, test_path(path, folder, "picture"), &options, &sizes));
  // Weights in words of 32: 33 outputs * 3 planes * 2 words, 2 * 2 * 2; factors 33 * 2 bytes, 2 * 2; offsets 33, 2.
  assert_int_equal(sizes.table_bytes, 4 * (33 * 3 * 2 + 2 * 2 * 2) + 2 * (33 + 2) + 33 + 2);
  // The input takes 2 words, the spikes 2 in each of 3 steps.
  assert_int_equal(sizes.ram_bytes, 4 * (2 + 3 * 2));
  assert_int_equal(sizes.layers, 2);
  assert_int_equal(sizes.spiking_layers, 1);
  assert_holds(*state, path, "net.h", "#define NET_RAM_BYTES 32\n");
  assert_holds(*state, path, "net.h", "RAM: 32 bytes");
  assert_holds(*state, path, "net.c", "static uint32_t memory[8];");
  sst_integer_network_free(network);

  network = two_layers(*state, true);
  assert_ok(*state, sst_c_source_write(network, test_path(path, folder, "steps"), &options, &sizes));
  // One step of either; 33 membranes of a byte, two sums of 32 bits, the number of steps.
  assert_int_equal(sizes.ram_bytes, 4 * (2 + 2) + 33 + 2 * 4 + 4);
  assert_holds(*state, path, "net.h", "int32_t net_step(");
  sst_integer_network_free(network);
  temp_folder_remove(folder);
}

static void test_folder(void **state) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "a/b");
  sst_integer_network *network = two_layers(*state, false);
  int16_t inputs[2 * 40] = {[3] = 1, [77] = 1};
  const int32_t classes[] = {1, 0};
  const sst_c_source_options options = {.name = "net", .samples = 2, .inputs = inputs, .classes = classes};
  assert_ok(*state, sst_c_source_write(network, path, &options, NULL));
  assert_int_equal(temp_folder_entries(path), FILE_COUNT);
  for (int i = 0; i < FILE_COUNT; i++) { assert_holds(*state, path, files[i], "Made by Spikestill"); }
  assert_holds(*state, path, "golden.c", "golden_classes[GOLDEN_SAMPLES] = {1, 0};");
  assert_holds(*state, path, "golden.c", "{0, 0, 0, 1, 0,");
  assert_holds(*state, path, "README.md", "| 0.linear | synapses | 1x1x33 | 1320 of 3 bits |");

  static const char *const unwanted[] = {"float", "double", "malloc", "#include <", "printf"};
  char *source = read_text(*state, path, "net.c");
  for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++) { assert_null(strstr(source, unwanted[i])); }
  // The same again gives the same.
  assert_ok(*state, sst_c_source_write(network, path, &options, NULL));
  char *again = read_text(*state, path, "net.c");
  assert_string_equal(again, source);
  ssti_free(*state, source);
  ssti_free(*state, again);
  sst_integer_network_free(network);
  temp_folder_remove(folder);
}

static void refuse(sst_integer_network *network, const char *folder, sst_c_source_options options, sst_status status,
                   const char *part) {
  char path[TEST_PATH_SIZE];
  assert_fails(network->context, status, sst_c_source_write(network, test_path(path, folder, "out"), &options, NULL),
               part);
  assert_false(ssti_folder_exists(path));
}

static void test_refusals(void **state) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], file[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_integer_network *network = two_layers(*state, false);
  static const char *const no_names[] = {"",   "9a",  "a-b",
                                         "_a", "a b", "a2345678901234567890123456789012345678901"}; // 41
  for (size_t i = 0; i < sizeof no_names / sizeof *no_names; i++) {
    refuse(network, folder, (sst_c_source_options){.name = no_names[i]}, SST_INVALID_ARGUMENT, "is no identifier of C");
  }
  static const char *const taken[] = {"int", "main", "golden", "class", "stdint"};
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    refuse(network, folder, (sst_c_source_options){.name = taken[i]}, SST_INVALID_ARGUMENT, "is taken by C");
  }
  refuse(network, folder, (sst_c_source_options){.samples = -1}, SST_INVALID_ARGUMENT, "-1 golden samples");
  refuse(network, folder, (sst_c_source_options){.samples = 65537}, SST_INVALID_ARGUMENT, "expected 1 to 65536");
  int16_t inputs[2 * 40] = {[45] = 2};
  refuse(network, folder, (sst_c_source_options){.samples = 2, .inputs = inputs}, SST_INVALID_ARGUMENT,
         "golden sample 1: number 5 of the input is 2, expected 0 to 1");

  // A file of somebody's is left alone, with all others.
  assert_ok(*state, ssti_folder_make(*state, test_path(path, folder, "theirs")));
  assert_ok(*state, ssti_file_write(*state, test_path(file, path, "main.c"), "int x;\n", 7));
  sst_c_source_options options = {.name = "net"};
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_c_source_write(network, path, &options, NULL),
               "main.c: is not from an earlier export");
  assert_int_equal(temp_folder_entries(path), 1);
  assert_holds(*state, path, "main.c", "int x;");
  options.overwrite = true;
  assert_ok(*state, sst_c_source_write(network, path, &options, NULL));
  assert_holds(*state, path, "main.c", "int main(void)");
  // A folder that is a file.
  assert_fails(*state, SST_IO, sst_c_source_write(network, file, &options, NULL), "main.c");
  sst_integer_network_free(network);
  temp_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_names_from_paths), TEST(test_sizes), TEST(test_folder),
                                     TEST(test_refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
