// SPDX-License-Identifier: Apache-2.0
#include "graph/parameters_internal.h"
#include "support.h"

static const sst_initializer zero = {SST_INIT_CONSTANT, 0};

static void test_blocks_are_ordered(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  int index;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  sst_shape three = sst_shape_make(1, 1, 1, 1, 3);
  assert_ok(context, sst_parameters_require(store, "mean", three, SST_PARAMETER_BUFFER, false, zero, &index));
  assert_ok(context, sst_parameters_require(store, "gamma", three, SST_PARAMETER_NORM, true, zero, &index));
  assert_ok(context, sst_parameters_require(store, "weight", three, SST_PARAMETER_WEIGHT, true, zero, &index));
  assert_ok(context, sst_parameters_seal(store));
  assert_int_equal(ssti_parameters_decay_count(store), 16);
  assert_int_equal(ssti_parameters_trainable_count(store), 32);
  assert_int_equal(ssti_parameters_total_count(store), 48);
  assert_ptr_equal(sst_parameters_find(store, "weight")->value, ssti_parameters_values(store));
  assert_ptr_equal(sst_parameters_find(store, "gamma")->gradient, ssti_parameters_gradients(store) + 16);
  assert_null(sst_parameters_find(store, "mean")->gradient);
  assert_int_equal(sst_parameters_elements(store), 6);
  assert_string_equal(sst_parameters_at(store, 0)->name, "mean"); // the order in which they were added
  sst_parameters_destroy(store);
}

static void test_initial_values(void **state) {
  sst_context *context = *state;
  enum { OUT = 64, IN = 100 };
  sst_shape shape = sst_shape_make(1, OUT, 1, 1, IN);
  sst_parameters *stores[2];
  int index;
  for (int i = 0; i < 2; i++) {
    assert_ok(context, sst_parameters_create(context, 5, &stores[i]));
    if (i == 1) { // another parameter before it changes nothing
      assert_ok(context, sst_parameters_require(stores[i], "extra", shape, SST_PARAMETER_WEIGHT, true, zero, &index));
    }
    assert_ok(context, sst_parameters_require(stores[i], "normal", shape, SST_PARAMETER_WEIGHT, true,
                                              (sst_initializer){SST_INIT_KAIMING_NORMAL, 2.0f}, &index));
    assert_ok(context, sst_parameters_require(stores[i], "uniform", shape, SST_PARAMETER_WEIGHT, true,
                                              (sst_initializer){SST_INIT_KAIMING_UNIFORM, 1.0f}, &index));
    assert_ok(context, sst_parameters_seal(stores[i]));
  }
  const float *normal = sst_parameters_find(stores[0], "normal")->value;
  assert_same_bits(normal, sst_parameters_find(stores[1], "normal")->value, OUT * IN);
  const float *uniform = sst_parameters_find(stores[0], "uniform")->value;
  double squares = 0, largest = 0;
  for (int i = 0; i < OUT * IN; i++) {
    squares += (double)normal[i] * (double)normal[i];
    largest = fmax(largest, fabs((double)uniform[i]));
  }
  assert_near(sqrt(squares / (OUT * IN)), 0.2, 0.03, 0); // gain / sqrt(fan_in)
  assert_true(largest <= sqrt(3.0 / IN) && largest > 0.99 * sqrt(3.0 / IN));
  for (int i = 0; i < 2; i++) { sst_parameters_destroy(stores[i]); }
}

static void test_sealed_store_refuses_new_names(void **state) {
  sst_context *context = *state;
  sst_parameters *store;
  int index;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  assert_ok(context, sst_parameters_seal(store));
  assert_fails(
      context, SST_NOT_FOUND,
      sst_parameters_require(store, "late", sst_shape_make(1, 1, 1, 1, 1), SST_PARAMETER_WEIGHT, true, zero, &index),
      "'late'");
  sst_parameters_destroy(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_blocks_are_ordered), TEST(test_initial_values),
                                     TEST(test_sealed_store_refuses_new_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
