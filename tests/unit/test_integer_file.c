// SPDX-License-Identifier: Apache-2.0
// Files of integer networks: packing, round trips of random networks, and everything that must be refused.
#include "support.h"

#include "base/file.h"
#include "deploy/integer_build.h"
#include "deploy/integer_pack.h"
#include "deploy/integer_rules.h"
#include "random_integer_network.h"
#include "spikestill/safetensors.h"

typedef struct folder {
  char path[TEST_PATH_SIZE], file[TEST_PATH_SIZE];
} folder;

static folder make_folder(void) {
  folder f;
  temp_folder_make(f.path);
  test_path(f.file, f.path, "net.integer");
  return f;
}

// -1, 1, 0 | 1: (0 + 2*3 + 1*9 + 2*27 + 1*81) and then code 0 in all places: 1 + 3 + 9 + 27 + 81.
static void test_known_bytes(void **state) {
  (void)state;
  const int8_t ternary[6] = {-1, 1, 0, 1, 0, 0};
  uint8_t packed[8] = {0};
  assert_int_equal(ssti_packed_bytes(6, 2), 2);
  ssti_pack_codes(ternary, 6, 2, packed);
  assert_true(packed[0] == 150 && packed[1] == 121);
  const int8_t four[3] = {1, -2, 7}; // 0001, 1110, 0111
  ssti_pack_codes(four, 3, 4, packed);
  assert_true(ssti_packed_bytes(3, 4) == 2 && packed[0] == 0xe1 && packed[1] == 0x07);
  const int8_t three[3] = {1, -1, 3}; // 001, 111, 011: across the byte's border
  ssti_pack_codes(three, 3, 3, packed);
  assert_true(ssti_packed_bytes(3, 3) == 2 && packed[0] == 0xf9 && packed[1] == 0x00);
}

static void test_packing_round_trip(void **state) {
  (void)state;
  for (int bits = 2; bits <= 8; bits++) {
    const int most = (1 << (bits - 1)) - 1;
    for (int64_t count = 0; count < 40; count++) {
      int8_t codes[40], found[40];
      uint8_t packed[48];
      size_t bad = 0;
      for (int i = 0; i < count; i++) {
        codes[i] =
            (int8_t)((int)ssti_random_below(9, (uint64_t)(bits * 100 + count), (uint64_t)i, (uint64_t)(2 * most + 1)) -
                     most);
      }
      memset(packed, 0xaa, sizeof packed);
      ssti_pack_codes(codes, count, bits, packed);
      assert_true(packed[ssti_packed_bytes(count, bits)] == 0xaa); // nothing behind its end
      assert_true(ssti_unpack_codes(packed, count, bits, found, &bad));
      assert_memory_equal(found, codes, (size_t)count);
    }
  }
}

static void test_bytes_that_hold_no_codes(void **state) {
  (void)state;
  int8_t codes[8];
  size_t bad = 99;
  assert_false(ssti_unpack_codes((const uint8_t[]){121, 243}, 8, 2, codes, &bad));
  assert_int_equal(bad, 1);
  assert_false(ssti_unpack_codes((const uint8_t[]){118}, 1, 2, codes, &bad));  // -1 in a place behind the last code
  assert_false(ssti_unpack_codes((const uint8_t[]){0x81}, 2, 4, codes, &bad)); // -8
  assert_false(ssti_unpack_codes((const uint8_t[]){0x11}, 1, 4, codes, &bad)); // something behind the last code
}

static void check_same(const sst_integer_network *a, const sst_integer_network *b) {
  assert_true(a->timesteps == b->timesteps && a->classes == b->classes && a->input_each_step == b->input_each_step);
  assert_true(a->value_count == b->value_count && a->node_count == b->node_count);
  assert_true((a->pixel_codes == NULL) == (b->pixel_codes == NULL) && (a->recipe == NULL) == (b->recipe == NULL));
  if (a->recipe != NULL) { assert_string_equal(a->recipe, b->recipe); }
  if (a->pixel_codes != NULL) {
    assert_memory_equal(a->pixel_codes, b->pixel_codes, (size_t)a->values[0].channels * 512);
  }
  for (int i = 0; i < a->value_count; i++) {
    const sst_integer_value *x = &a->values[i], *y = &b->values[i];
    assert_true(x->height == y->height && x->width == y->width && x->channels == y->channels && x->low == y->low &&
                x->high == y->high && x->exponent == y->exponent && x->once == y->once);
  }
  for (int i = 0; i < a->node_count; i++) {
    sst_integer_node x = a->nodes[i], y = b->nodes[i];
    if (x.kind == SST_INTEGER_NODE_SYNAPSES) {
      const size_t channels = (size_t)a->values[x.output].channels * sizeof(int32_t);
      assert_memory_equal(x.synapses.codes, y.synapses.codes, (size_t)ssti_integer_code_count(a, i));
      assert_memory_equal(x.synapses.factor, y.synapses.factor, channels);
      assert_memory_equal(x.synapses.offset, y.synapses.offset, channels);
      x.synapses.codes = y.synapses.codes = NULL;
      x.synapses.factor = x.synapses.offset = y.synapses.factor = y.synapses.offset = NULL;
    }
    assert_memory_equal(&x, &y, sizeof x); // both were zeroed before they were filled
  }
}

static void test_random_networks_round_trip(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  for (uint64_t seed = 0; seed < 30; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, NULL), *again = NULL;
    if (seed % 2) { network->recipe = "data: {name: digits}\n"; }
    assert_ok(context, sst_integer_network_save(network, f.file));
    assert_true(sst_integer_network_recognize(f.file));
    assert_ok(context, sst_integer_network_load(context, f.file, &again));
    check_same(network, again);
    sst_integer_network_free(again);
    sst_integer_network_free(network);
  }
  temp_folder_remove(f.path);
}

static void test_sizes(void **state) {
  sst_integer_network *network = random_integer_network(*state, 4, NULL);
  int64_t weights = 0;
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_sizes sizes = sst_integer_node_sizes(network, i);
    const sst_integer_node *node = &network->nodes[i];
    assert_true((sizes.weights > 0) == (node->kind == SST_INTEGER_NODE_SYNAPSES));
    assert_true((sizes.neurons > 0) == (node->kind == SST_INTEGER_NODE_NEURONS));
    if (sizes.weights > 0) {
      const int64_t channels = network->values[node->output].channels;
      assert_int_equal(sizes.float_bytes, 4 * (sizes.weights + channels));
      assert_int_equal(sizes.constant_bytes, 8 * channels);
      assert_int_equal(sizes.weight_bytes, ssti_packed_bytes(sizes.weights, node->synapses.weight_bits));
    }
    if (sizes.neurons > 0) { assert_int_equal(sizes.state_bytes, (sizes.neurons * node->neurons.state_bits + 7) / 8); }
    weights += sizes.weights;
  }
  assert_true(weights > 0);
  sst_integer_network_free(network);
}

// A file whose description has one text replaced by another of the same length.
static void replace(sst_context *context, const char *path, const char *found, const char *with) {
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
  const size_t length = strlen(found);
  assert_int_equal(length, strlen(with));
  bool done = false;
  for (size_t i = 0; !done && i + length < size; i++) {
    done = memcmp(data + i, found, length) == 0;
    if (done) { memcpy(data + i, with, length); }
  }
  if (!done) { fail_msg("the file has no %s", found); }
  assert_ok(context, ssti_file_write(context, path, data, size));
  ssti_free(context, data);
}

static void refuse(sst_context *context, const char *path, sst_status status, const char *part) {
  sst_integer_network *network = (sst_integer_network *)&context; // a failure has to overwrite it
  assert_fails(context, status, sst_integer_network_load(context, path, &network), part);
  assert_null(network);
  assert_true(strstr(sst_context_message(context), path) != NULL);
}

// linear of 4 codes of 4 bits and a readout of the mean.
static void save_small(sst_context *context, const char *path) {
  const ssti_integer_header header = {2, 2, false, {.height = 1, .width = 1, .channels = 2, .low = -9, .high = 9}};
  static const int8_t codes[] = {1, -7, 0, 3};
  static const int32_t factor[] = {2, 3}, offset[] = {4, 5};
  sst_integer_network *network = NULL;
  assert_ok(context, ssti_integer_begin(context, &header, &network));
  sst_integer_node linear = {.kind = SST_INTEGER_NODE_SYNAPSES, .name = "0.linear"};
  linear.synapses = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 4, codes, factor, offset};
  sst_integer_node readout = {.kind = SST_INTEGER_NODE_READOUT, .name = "readout", .input = {1, -1}};
  readout.readout = (sst_integer_readout){SST_INTEGER_READOUT_SUM, 0, 0, 0.125};
  assert_ok(context, ssti_integer_add(network, &linear, 2, 3, NULL));
  assert_ok(context, ssti_integer_add(network, &readout, 0, 0, NULL));
  assert_ok(context, sst_integer_network_save(network, path));
  sst_integer_network_free(network);
}

static void test_what_is_refused(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  // Quotes within the metadata's text are escaped.
  const struct {
    const char *found, *with;
    sst_status status;
    const char *part;
  } cases[] = {
      {"spikestill integer network", "spikestill integer fishnet", SST_FORMAT, "metadata 'format'"},
      {"\"version\": \"1\"", "\"version\": \"2\"", SST_FORMAT, "its version is '2'"},
      {"\"network\"", "\"netwerk\"", SST_FORMAT, "'network' is missing"},
      {"timesteps\\\": 2", "timesteps\\\": 0", SST_INVALID_ARGUMENT, "time steps is 0"},
      {"timesteps\\\": 2", "timestep\\\": 02", SST_FORMAT, "not valid JSON"},
      {"\\\"classes\\\"", "\\\"klasses\\\"", SST_FORMAT, "'classes' is missing"},
      {"input_each_step\\\": false", "input_each_step\\\": \\\"abc", SST_FORMAT, "not valid JSON"},
      {"low\\\": -9", "low\\\": -0", SST_OK, NULL},
      {"low\\\": -9", "low\\\": 99", SST_INVALID_ARGUMENT, "upper bound is 9"},
      {"kind\\\": \\\"synapses", "kind\\\": \\\"sinapses", SST_FORMAT, "its kind 'sinapses' is unknown"},
      {"input\\\": [0]", "input\\\": [1]", SST_FORMAT, "input 0 is not one of the 1 values"},
      {"input\\\": [0]", "input\\\": [ ]", SST_FORMAT, "'input' has 0 values"},
      {"channels\\\": 2, \\\"exponent\\\": 3", "channels\\\": 3, \\\"exponent\\\": 3", SST_FORMAT, "expected type"},
      {"\\\"exponent\\\": 3", "\\\"exponent\\\":-3", SST_FORMAT, "exponent is -3"},
      {"kernel_h\\\": 1", "kernel_h\\\": 9", SST_FORMAT, "0.linear.codes"},
      {"groups\\\": 1", "groups\\\": 0", SST_FORMAT, "out of range"},
      {"weight_bits\\\": 4", "weight_bits\\\": 9", SST_FORMAT, "out of range"},
      {"0.linear\\\"", "0.linaer\\\"", SST_FORMAT, "tensor '0.linaer.factor' is missing"},
      {"readout\\\": \\\"sum", "readout\\\": \\\"som", SST_FORMAT, "its readout 'som'"},
      {"scale\\\": 0.125", "scale\\\": 0.000", SST_INVALID_ARGUMENT, "scale is 0"},
      {"pixel_codes\\\": false", "pixel_codes\\\": true ", SST_FORMAT, "tensor 'pixel_codes' is missing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    save_small(context, f.file);
    replace(context, f.file, cases[i].found, cases[i].with);
    if (cases[i].status != SST_OK) {
      refuse(context, f.file, cases[i].status, cases[i].part);
      continue;
    }
    sst_integer_network *network = NULL;
    assert_ok(context, sst_integer_network_load(context, f.file, &network));
    sst_integer_network_free(network);
  }
  temp_folder_remove(f.path);
}

static void test_other_files_are_not_recognized(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  assert_false(sst_integer_network_recognize(f.path));
  assert_false(sst_integer_network_recognize(f.file)); // not there
  const sst_safetensors_pair pair = {"recipe", "spikestill integer network"};
  assert_ok(context, sst_safetensors_write(context, f.file, NULL, 0, &pair, 1));
  assert_false(sst_integer_network_recognize(f.file));
  save_small(context, f.file);
  assert_true(sst_integer_network_recognize(f.file));
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, f.file, 0, &data, &size));
  for (size_t cut = 0; cut < size; cut += 41) { // whatever is missing, it is refused
    sst_integer_network *network = NULL;
    assert_ok(context, ssti_file_write(context, f.file, data, cut));
    assert_true(sst_integer_network_load(context, f.file, &network) == SST_FORMAT);
    (void)sst_integer_network_recognize(f.file);
  }
  ssti_free(context, data);
  temp_folder_remove(f.path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_known_bytes),
      TEST(test_packing_round_trip),
      TEST(test_bytes_that_hold_no_codes),
      TEST(test_random_networks_round_trip),
      TEST(test_sizes),
      TEST(test_what_is_refused),
      TEST(test_other_files_are_not_recognized),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
