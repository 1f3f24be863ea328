// SPDX-License-Identifier: Apache-2.0
// The optimisers against PyTorch (tests/golden/make_optimizer_goldens.py), what decays and what does not, their state
// for checkpoints, and what they refuse.
#include "../support/support.h"

#include <jansson.h>

#include "graph/parameters_internal.h"
#include "spikestill/optim.h"

// ---- a small store: two weights, a bias, a buffer ----

static int add_parameter(sst_context *context, sst_parameters *store, const char *name, int64_t out, int64_t in,
                         sst_parameter_kind kind) {
  int index;
  sst_initializer start = {SST_INIT_UNIFORM, 1.0f};
  assert_ok(context, sst_parameters_require(store, name, sst_shape_make(1, out, 1, 1, in), kind,
                                            kind != SST_PARAMETER_BUFFER, start, &index));
  return index;
}

static sst_parameters *make_store(sst_context *context, bool sealed) {
  sst_parameters *store;
  assert_ok(context, sst_parameters_create(context, 3, &store));
  add_parameter(context, store, "first", 3, 4, SST_PARAMETER_WEIGHT);
  add_parameter(context, store, "bias", 1, 3, SST_PARAMETER_BIAS);
  add_parameter(context, store, "running", 1, 3, SST_PARAMETER_BUFFER);
  add_parameter(context, store, "second", 1, 5, SST_PARAMETER_WEIGHT);
  if (sealed) { assert_ok(context, sst_parameters_seal(store)); }
  return store;
}

static const sst_parameter *get(const sst_parameters *store, const char *name) {
  const sst_parameter *parameter = sst_parameters_find(store, name);
  assert_non_null(parameter);
  return parameter;
}

static void fill_gradients(const sst_parameters *store, float value) {
  for (int i = 0; i < sst_parameters_count(store); i++) {
    const sst_parameter *parameter = sst_parameters_at(store, i);
    for (int64_t j = 0; parameter->gradient && j < parameter->count; j++) { parameter->gradient[j] = value; }
  }
}

static sst_optimizer *make_optimizer(sst_context *context, sst_parameters *store,
                                     const sst_optimizer_options *options) {
  sst_optimizer *optimizer;
  assert_ok(context, sst_optimizer_create(store, SST_DEVICE_CPU_REFERENCE, options, &optimizer));
  return optimizer;
}

// ---- goldens ----

static const char *const golden_names[] = {"first", "bias", "second"};

static double number(const json_t *object, const char *key, double otherwise) {
  const json_t *value = json_object_get(object, key);
  return value ? json_number_value(value) : otherwise;
}

static void copy_numbers(const json_t *list, float *out, int64_t count) {
  assert_int_equal(json_array_size(list), count);
  for (int64_t i = 0; i < count; i++) { out[i] = (float)json_number_value(json_array_get(list, (size_t)i)); }
}

static sst_optimizer_options golden_options(const json_t *item) {
  sst_optimizer_options options = sst_optimizer_default();
  assert_true(sst_optimizer_parse(json_string_value(json_object_get(item, "kind")), &options.kind));
  options.learning_rate = (float)number(item, "learning_rate", 0);
  options.momentum = (float)number(item, "momentum", 0.0);
  options.nesterov = json_is_true(json_object_get(item, "nesterov"));
  options.weight_decay = (float)number(item, "weight_decay", 0.0);
  options.decay_all = json_is_true(json_object_get(item, "decay_all"));
  options.beta1 = (float)number(item, "beta1", 0.9);
  options.beta2 = (float)number(item, "beta2", 0.999);
  options.epsilon = (float)number(item, "epsilon", 1e-8);
  options.clip_norm = (float)number(item, "clip_norm", 0.0);
  return options;
}

static void run_golden(sst_context *context, const json_t *golden, const json_t *item) {
  const char *name = json_string_value(json_object_get(item, "name"));
  sst_parameters *store = make_store(context, true);
  for (int p = 0; p < 3; p++) {
    const sst_parameter *parameter = get(store, golden_names[p]);
    copy_numbers(json_object_get(json_object_get(golden, "start"), parameter->name), parameter->value,
                 parameter->count);
  }
  sst_optimizer_options options = golden_options(item);
  sst_optimizer *optimizer = make_optimizer(context, store, &options);
  const json_t *steps = json_object_get(item, "values"), *factors = json_object_get(item, "factors");
  for (size_t step = 0; step < json_array_size(steps); step++) {
    const json_t *gradients = json_array_get(json_object_get(golden, "gradients"), step);
    for (int p = 0; p < 3; p++) {
      const sst_parameter *parameter = get(store, golden_names[p]);
      copy_numbers(json_object_get(gradients, parameter->name), parameter->gradient, parameter->count);
    }
    double norm = sst_optimizer_step(optimizer, factors ? json_number_value(json_array_get(factors, step)) : 1.0);
    double expected_norm = json_number_value(json_array_get(json_object_get(item, "norms"), step));
    assert_near(norm, options.clip_norm > 0.0f ? expected_norm : 0.0, 1e-12, 0);
    for (int p = 0; p < 3; p++) {
      const sst_parameter *parameter = get(store, golden_names[p]);
      float expected[12];
      copy_numbers(json_object_get(json_array_get(steps, step), parameter->name), expected, parameter->count);
      for (int64_t i = 0; i < parameter->count; i++) {
        // Values near 0 are differences of larger ones, rounded at the size of those: hence the absolute part.
        if (support_is_near((double)parameter->value[i], (double)expected[i], 1e-6, 2e-7)) { continue; }
        fail_msg("%s, step %zu: %s[%d] is %.9g, PyTorch has %.9g", name, step, parameter->name, (int)i,
                 (double)parameter->value[i], (double)expected[i]);
      }
    }
  }
  sst_optimizer_destroy(optimizer);
  sst_parameters_destroy(store);
}

static void test_goldens(void **state) {
  char path[TEST_PATH_SIZE];
  json_error_t error;
  json_t *golden = json_load_file(test_source_path(path, "tests/golden/optimizer.json"), 0, &error);
  if (!golden) { fail_msg("%s: %s", path, error.text); }
  const json_t *cases = json_object_get(golden, "cases");
  assert_true(json_array_size(cases) >= 10);
  for (size_t i = 0; i < json_array_size(cases); i++) { run_golden(*state, golden, json_array_get(cases, i)); }
  json_decref(golden);
}

// ---- behaviour ----

static void test_only_weights_decay(void **state) {
  sst_parameters *store = make_store(*state, true);
  sst_optimizer_options options = sst_optimizer_default();
  options.learning_rate = 0.5f;
  options.momentum = 0.0f;
  options.weight_decay = 0.5f;
  sst_optimizer *optimizer = make_optimizer(*state, store, &options);
  fill_gradients(store, 0.0f);
  float weight = get(store, "second")->value[4], bias = get(store, "bias")->value[2];
  float buffer = get(store, "running")->value[1];
  sst_optimizer_step(optimizer, 1.0);
  assert_near(get(store, "second")->value[4], 0.75f * weight, 1e-6, 0);
  assert_true(weight != 0.0f && bias != 0.0f);
  assert_same_bits(&get(store, "bias")->value[2], &bias, 1);
  assert_same_bits(&get(store, "running")->value[1], &buffer, 1);
  sst_optimizer_destroy(optimizer);

  options.decay_all = true;
  optimizer = make_optimizer(*state, store, &options);
  sst_optimizer_step(optimizer, 1.0);
  assert_near(get(store, "bias")->value[2], 0.75f * bias, 1e-6, 0);
  assert_same_bits(&get(store, "running")->value[1], &buffer, 1);
  sst_optimizer_destroy(optimizer);
  sst_parameters_destroy(store);
}

static void test_padding_stays_zero(void **state) {
  sst_parameters *store = make_store(*state, true);
  sst_optimizer_options options = sst_optimizer_default();
  options.kind = SST_OPTIMIZER_ADAMW;
  sst_optimizer *optimizer = make_optimizer(*state, store, &options);
  fill_gradients(store, 1.0f);
  for (int i = 0; i < 3; i++) { sst_optimizer_step(optimizer, 1.0); }
  const float zeros[16] = {0};
  for (int i = 0; i < sst_parameters_count(store); i++) {
    const sst_parameter *parameter = sst_parameters_at(store, i);
    assert_same_bits(parameter->value + parameter->count, zeros, 16 - parameter->count);
  }
  sst_optimizer_destroy(optimizer);
  sst_parameters_destroy(store);
}

// Three steps at once, or one, a checkpoint into a new optimiser, and two: the same bits.
static void check_resume(sst_context *context, const sst_optimizer_options *options) {
  float whole[3 * 16], resumed[3 * 16];
  for (int round = 0; round < 2; round++) {
    sst_parameters *store = make_store(context, true);
    int64_t length = ssti_parameters_trainable_count(store);
    assert_int_equal(length, 3 * 16);
    sst_optimizer *optimizer = make_optimizer(context, store, options);
    for (int step = 0; step < 3; step++) {
      fill_gradients(store, 0.25f * (float)(step + 1));
      sst_optimizer_step(optimizer, 0.5);
      if (round == 0 || step > 0) { continue; }
      sst_optimizer *next = make_optimizer(context, store, options);
      for (int i = 0; i < sst_optimizer_state_count(optimizer); i++) {
        int64_t count, next_count;
        const float *from = sst_optimizer_state(optimizer, i, &count);
        float *to = sst_optimizer_state(next, i, &next_count);
        assert_int_equal(count, length);
        assert_int_equal(next_count, length);
        memcpy(to, from, (size_t)count * sizeof(float));
      }
      sst_optimizer_set_steps(next, sst_optimizer_steps(optimizer));
      sst_optimizer_destroy(optimizer);
      optimizer = next;
    }
    assert_int_equal(sst_optimizer_steps(optimizer), 3);
    memcpy(round == 0 ? whole : resumed, ssti_parameters_values(store), sizeof whole);
    sst_optimizer_destroy(optimizer);
    sst_parameters_destroy(store);
  }
  assert_same_bits(resumed, whole, 3 * 16);
}

static void test_state_resumes(void **state) {
  sst_optimizer_options options = sst_optimizer_default();
  check_resume(*state, &options);
  options.nesterov = true;
  options.clip_norm = 0.5f;
  check_resume(*state, &options);
  options = sst_optimizer_default();
  options.kind = SST_OPTIMIZER_ADAMW;
  check_resume(*state, &options);
}

static void test_state_names(void **state) {
  sst_parameters *store = make_store(*state, true);
  sst_optimizer_options options = sst_optimizer_default();
  sst_optimizer *optimizer = make_optimizer(*state, store, &options);
  assert_int_equal(sst_optimizer_state_count(optimizer), 1);
  assert_string_equal(sst_optimizer_state_name(optimizer, 0), "velocity");
  sst_optimizer_destroy(optimizer);
  options.momentum = 0.0f;
  optimizer = make_optimizer(*state, store, &options);
  assert_int_equal(sst_optimizer_state_count(optimizer), 0);
  sst_optimizer_destroy(optimizer);
  options.kind = SST_OPTIMIZER_ADAMW;
  optimizer = make_optimizer(*state, store, &options);
  assert_int_equal(sst_optimizer_state_count(optimizer), 2);
  assert_string_equal(sst_optimizer_state_name(optimizer, 0), "first");
  assert_string_equal(sst_optimizer_state_name(optimizer, 1), "second");
  sst_optimizer_destroy(optimizer);
  sst_parameters_destroy(store);
}

static void test_step_allocates_nothing(void **state) {
  sst_parameters *store = make_store(*state, true);
  sst_optimizer_options options = sst_optimizer_default();
  options.clip_norm = 1.0f;
  sst_optimizer *optimizer = make_optimizer(*state, store, &options);
  fill_gradients(store, 1.0f);
  sst_optimizer_step(optimizer, 1.0);
  uint64_t before = sst_context_allocation_count(*state);
  sst_optimizer_step(optimizer, 1.0);
  assert_int_equal(sst_context_allocation_count(*state), before);
  sst_optimizer_destroy(optimizer);
  sst_parameters_destroy(store);
}

static void test_words_read_back(void **state) {
  (void)state;
  for (int i = 0; i < SST_OPTIMIZER_COUNT; i++) {
    sst_optimizer_kind kind = SST_OPTIMIZER_COUNT;
    assert_true(sst_optimizer_parse(sst_optimizer_word((sst_optimizer_kind)i), &kind));
    assert_int_equal(kind, i);
  }
  sst_optimizer_kind kind = SST_OPTIMIZER_ADAMW;
  assert_false(sst_optimizer_parse("adam", &kind));
  assert_int_equal(kind, SST_OPTIMIZER_ADAMW);
}

// ---- refusals ----

static void refuse(sst_context *context, sst_parameters *store, const sst_optimizer_options *options,
                   const char *part) {
  sst_optimizer *optimizer = (sst_optimizer *)store; // anything but NULL
  assert_fails(context, SST_INVALID_ARGUMENT,
               sst_optimizer_create(store, SST_DEVICE_CPU_REFERENCE, options, &optimizer), part);
  assert_null(optimizer);
}

static void test_options_out_of_range(void **state) {
  sst_parameters *store = make_store(*state, true);
  sst_optimizer_options good = sst_optimizer_default(), bad = good;
  bad.learning_rate = 0.0f;
  refuse(*state, store, &bad, "learning_rate is 0");
  bad.learning_rate = NAN;
  refuse(*state, store, &bad, "learning_rate is nan");
  bad.learning_rate = INFINITY;
  refuse(*state, store, &bad, "learning_rate is inf");
  bad = good;
  bad.momentum = 1.0f;
  refuse(*state, store, &bad, "momentum is 1");
  bad = good;
  bad.weight_decay = -1.0f;
  refuse(*state, store, &bad, "weight_decay is -1");
  bad = good;
  bad.clip_norm = -0.5f;
  refuse(*state, store, &bad, "clip_norm is -0.5");
  bad = good;
  bad.momentum = 0.0f;
  bad.nesterov = true;
  refuse(*state, store, &bad, "nesterov");
  bad = good;
  bad.kind = SST_OPTIMIZER_ADAMW;
  bad.beta2 = 1.0f;
  refuse(*state, store, &bad, "beta2 is 1");
  bad.beta2 = 0.9f;
  bad.epsilon = 0.0f;
  refuse(*state, store, &bad, "epsilon is 0");
  bad = good;
  bad.kind = SST_OPTIMIZER_COUNT;
  refuse(*state, store, &bad, "no kind");
  sst_parameters_destroy(store);
}

static void test_store_must_be_sealed(void **state) {
  sst_parameters *store = make_store(*state, false);
  sst_optimizer_options options = sst_optimizer_default();
  refuse(*state, store, &options, "no memory yet");
  sst_parameters_destroy(store);
}

static void test_every_allocation_may_fail(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    sst_parameters *store = NULL;
    sst_optimizer *optimizer = NULL;
    sst_optimizer_options options = sst_optimizer_default();
    options.kind = SST_OPTIMIZER_ADAMW;
    int index;
    sst_status status = sst_parameters_create(context, 1, &store);
    if (status == SST_OK) {
      status = sst_parameters_require(store, "weight", sst_shape_make(1, 2, 1, 1, 2), SST_PARAMETER_WEIGHT, true,
                                      (sst_initializer){SST_INIT_CONSTANT, 1.0f}, &index);
    }
    if (status == SST_OK) { status = sst_parameters_seal(store); }
    if (status == SST_OK) { status = sst_optimizer_create(store, SST_DEVICE_CPU_REFERENCE, &options, &optimizer); }
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    assert_true(met == (optimizer == NULL));
    sst_optimizer_destroy(optimizer);
    sst_parameters_destroy(store);
    test_context_end(context);
    if (!met) { break; }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_goldens),
      TEST(test_only_weights_decay),
      TEST(test_padding_stays_zero),
      TEST(test_state_resumes),
      TEST(test_state_names),
      TEST(test_step_allocates_nothing),
      TEST(test_words_read_back),
      TEST(test_options_out_of_range),
      TEST(test_store_must_be_sealed),
      TEST(test_every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
