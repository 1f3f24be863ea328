// SPDX-License-Identifier: Apache-2.0
// Whole runs on device cuda, on the emulator or on a card: the loader's batches, training, checkpoints, evaluation. The
// same seed gives the same bits, whether steps are recorded or given kernel by kernel, and nearly the numbers of the
// reference.
#include "support.h"

#include "backend/backend.h"
#include "backend/cuda/cuda.h"
#include "base/file.h"
#include "base/memory.h"
#include "spikestill/run.h"
#include "spikestill/safetensors.h"

// Dropout, clipping, a companion with an optimiser of its own: what changes from step to step is all there, and eight
// steps an epoch, more than are given ahead.
static const char student_text[] =
    "data: {name: digits, digits_train: 64, digits_test: 10, validation: 0.25, augment: {crop_padding: 1}}\n"
    "student: {timesteps: 3, layers: [avgpool: {kernel: 4, stride: 4}, conv: {out: 4}, norm, act, maxpool, flatten, "
    "linear: {out: 8}, norm, act,"
    " dropout: {rate: 0.2}, linear]}\n"
    "distill: [{method: kd, weight: 0.5}, {method: twin, weight: 0.005}]\n"
    "twin: {enabled: true}\n"
    "train: {epochs: 2, batch: 6, evaluation_batch: 10}\n";
static const char teacher_text[] = "name: teacher\ndevice: cpu-ref\n"
                                   "data: {name: digits, digits_train: 64, digits_test: 10, validation: 0.25}\n"
                                   "student: {kind: ann, model: mlp, hidden: 8}\n"
                                   "train: {epochs: 1, batch: 10, evaluation_batch: 10}\n";

typedef struct scene {
  char folder[TEST_PATH_SIZE], teacher[TEST_PATH_SIZE + 16];
} scene;

static sst_status train_watched(sst_context *context, const scene *s, const char *text, const char *more,
                                const char *out, sst_progress_function *progress, void *user) {
  char whole[2048], path[TEST_PATH_SIZE];
  snprintf(whole, sizeof whole, "%s%s", text, more);
  const char *teacher = s->teacher;
  sst_recipe *recipe = NULL;
  assert_ok(context, sst_recipe_from_text(context, "recipe.yaml", whole, &teacher, text == student_text, &recipe));
  const sst_run_options_train options = {.out = test_path(path, s->folder, out), .progress = progress, .user = user};
  sst_run_result result;
  const sst_status status = sst_run_train(context, recipe, &options, &result);
  sst_recipe_close(context, recipe);
  return status;
}

static sst_status train(sst_context *context, const scene *s, const char *text, const char *more, const char *out) {
  return train_watched(context, s, text, more, out, NULL, NULL);
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  char path[TEST_PATH_SIZE];
  snprintf(s->teacher, sizeof s->teacher, "teacher=%s", test_path(path, s->folder, "teacher"));
  sst_context *context = test_context_with_threads(1);
  assert_ok(context, train(context, s, teacher_text, "", "teacher"));
  test_context_end(context);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  free(s);
  return 0;
}

// A card is there, or the test is skipped; with SPIKESTILL_REQUIRE_CUDA in the environment it fails.
static void require_card(sst_context *context) {
  const sst_status status = sst_device_check(context, SST_DEVICE_CUDA);
  if (status == SST_UNSUPPORTED && getenv("SPIKESTILL_REQUIRE_CUDA") == NULL) {
    skip_because("%s", sst_context_message(context));
  }
  assert_ok(context, status);
}

static bool is_same_file(const scene *s, const char *a, const char *b, const char *name) {
  char *data[2];
  size_t size[2];
  sst_context *context = test_context_with_threads(1);
  const char *runs[] = {a, b};
  for (int i = 0; i < 2; i++) {
    char run[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
    test_path(path, test_path(run, s->folder, runs[i]), name);
    assert_ok(context, ssti_file_read(context, path, 0, &data[i], &size[i]));
  }
  const bool same = size[0] == size[1] && memcmp(data[0], data[1], size[0]) == 0;
  ssti_free(context, data[0]);
  ssti_free(context, data[1]);
  test_context_end(context);
  return same;
}

static void assert_same_file(const scene *s, const char *a, const char *b, const char *name) {
  if (!is_same_file(s, a, b, name)) { fail_msg("%s differs between the runs %s and %s", name, a, b); }
}

// Every number of the checkpoints is near, but of tensors that have `but` in their names. (The files hold recipes too,
// which differ.)
static void assert_near_checkpoint(const scene *s, const char *a, const char *b, const char *but, float tolerance) {
  sst_context *context = test_context_with_threads(1);
  sst_safetensors *file[2];
  const char *runs[] = {a, b};
  for (int i = 0; i < 2; i++) {
    char run[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
    test_path(path, test_path(run, s->folder, runs[i]), "checkpoint.safetensors");
    assert_ok(context, sst_safetensors_open(context, path, &file[i]));
  }
  assert_int_equal(sst_safetensors_count(file[0]), sst_safetensors_count(file[1]));
  for (int i = 0; i < sst_safetensors_count(file[0]); i++) {
    const sst_safetensors_entry x = sst_safetensors_at(file[0], i), y = sst_safetensors_at(file[1], i);
    assert_string_equal(x.name, y.name);
    assert_int_equal(x.bytes, y.bytes);
    if (x.type != SST_SAFETENSORS_F32 || (but != NULL && strstr(x.name, but) != NULL)) { continue; }
    for (size_t k = 0; k < x.bytes / sizeof(float); k++) {
      float p, q;
      memcpy(&p, (const char *)x.data + k * sizeof p, sizeof p);
      memcpy(&q, (const char *)y.data + k * sizeof q, sizeof q);
      if (fabsf(p - q) > tolerance * (1.0f + fabsf(q))) {
        fail_msg("%s[%zu] is %g, expected %g", x.name, k, (double)p, (double)q);
      }
    }
  }
  sst_safetensors_close(file[0]);
  sst_safetensors_close(file[1]);
  test_context_end(context);
}

// Every line of the run's times ends so.
static void assert_timing(const scene *s, const char *run, const char *end) {
  sst_context *context = test_context_with_threads(1);
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], *data;
  size_t size;
  test_path(path, test_path(folder, s->folder, run), "timing.jsonl");
  assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
  int lines = 0;
  for (const char *line = data; *line != '\0'; lines++) {
    const size_t length = strcspn(line, "\n");
    if (length < strlen(end) || strncmp(line + length - strlen(end), end, strlen(end)) != 0) {
      fail_msg("%s: %s", run, line);
    }
    line += length + 1;
  }
  assert_int_equal(lines, 2);
  ssti_free(context, data);
  test_context_end(context);
}

static void check_training(const scene *s, const char *optimizer) {
  sst_context *context = test_context();
  require_card(context);
  char more[256];
  static const char *const names[] = {"one", "two", "steps", "host", "reference"};
  static const char *const ways[] = {"device: cuda\n", "device: cuda\n", "device: cuda\nspeed: {record: false}\n",
                                     "device: cuda\nspeed: {resident: false}\n", "device: cpu-ref\n"};
  for (int i = 0; i < 5; i++) {
    char run[TEST_PATH_SIZE];
    temp_folder_remove(test_path(run, s->folder, names[i]));
    snprintf(more, sizeof more, "%soptimizer: %s\n", ways[i], optimizer);
    assert_ok(context, train(context, s, student_text, more, names[i]));
  }
  assert_same_file(s, "one", "two", "history.jsonl");
  assert_same_file(s, "one", "two", "checkpoint.safetensors");
  assert_same_file(s, "one", "steps", "history.jsonl");
  assert_near_checkpoint(s, "one", "steps", NULL, 0.0f);
  assert_same_file(s, "one", "host", "history.jsonl");
  assert_near_checkpoint(s, "one", "host", NULL, 0.0f);
  assert_timing(s, "one", "\"batches_made_by\": \"card\"}");
  assert_timing(s, "host", "\"batches_made_by\": \"host\", \"because\": \"it was asked for\"}");
  // Apart by rounding alone, which few and small steps do not make much of.
  assert_near_checkpoint(s, "one", "reference", NULL, 2e-3f);
  test_context_end(context);
}

static void test_sgd(void **state) { check_training(*state, "{learning_rate: 0.05, clip_norm: 0.5}"); }

static void test_adamw(void **state) { check_training(*state, "{kind: adamw, learning_rate: 0.001}"); }

// Whole runs in another precision: the same seed gives the same bits, recorded or not; the numbers are not those of
// f32. Some spikes come on other steps, so single gradients differ, but with small steps the network stays near.
static void check_precision(const scene *s, const char *precision, const char *teachers) {
  sst_context *context = test_context();
  require_card(context);
  static const char *const names[] = {"one", "two", "steps", "wide"};
  for (int i = 0; i < 4; i++) {
    char run[TEST_PATH_SIZE], more[256];
    temp_folder_remove(test_path(run, s->folder, names[i]));
    snprintf(more, sizeof more,
             "device: cuda\noptimizer: {learning_rate: 0.005, clip_norm: 0.5}\nspeed: {record: %s}\n",
             i == 2 ? "false" : "true");
    const size_t end = strlen(more);
    if (i < 3) {
      snprintf(more + end, sizeof more - end, "precision: %s\nteacher_precision: %s\n", precision, teachers);
    }
    assert_ok(context, train(context, s, student_text, more, names[i]));
  }
  assert_same_file(s, "one", "two", "history.jsonl");
  assert_same_file(s, "one", "two", "checkpoint.safetensors");
  assert_same_file(s, "one", "steps", "history.jsonl");
  assert_near_checkpoint(s, "one", "steps", NULL, 0.0f);
  assert_near_checkpoint(s, "one", "wide", "optimizer.", 0.05f);
  assert_false(is_same_file(s, "one", "wide", "history.jsonl"));
  test_context_end(context);
}

static void test_bf16(void **state) { check_precision(*state, "bf16", "same"); }

static void test_tf32(void **state) { check_precision(*state, "tf32", "bf16"); }

#ifdef SSTI_CUDA_IS_EMULATED
typedef struct drain_watch {
  int64_t epoch, steps;
  uint64_t drains;
} drain_watch;

static void watch_drains(void *user, const sst_progress *progress) {
  drain_watch *watch = user;
  const uint64_t drains = ssti_emulator_drains();
  if (watch->epoch == progress->epoch) {
    if (drains != watch->drains) {
      fail_msg("the host waited for all its work within epoch %d", (int)progress->epoch + 1);
    }
    watch->steps++;
  }
  watch->epoch = progress->epoch;
  watch->drains = drains;
}
#endif

// From the first finished step that is told of to the last one, a late card always has something left to do. The four
// steps at the end of an epoch are told of after it.
static void test_epoch_never_waits(void **state) {
#ifdef SSTI_CUDA_IS_EMULATED
  static const char *const ways[] = {"device: cuda\n", "device: cuda\nspeed: {resident: false}\n",
                                     "device: cuda\nspeed: {record: false}\n"};
  sst_context *context = test_context();
  const char *before = getenv("SPIKESTILL_EMULATED_LATE");
  const bool was_late = before != NULL && strcmp(before, "1") == 0;
  setenv("SPIKESTILL_EMULATED_LATE", "1", 1);
  for (int i = 0; i < 3; i++) {
    char run[TEST_PATH_SIZE];
    temp_folder_remove(test_path(run, ((scene *)*state)->folder, "watched"));
    drain_watch watch = {.epoch = -1};
    assert_ok(context, train_watched(context, *state, student_text, ways[i], "watched", watch_drains, &watch));
    assert_int_equal(watch.steps,
                     2 * (8 - 4 - 1)); // of eight steps an epoch; the first one told of is what others follow
  }
  if (!was_late) { unsetenv("SPIKESTILL_EMULATED_LATE"); }
  test_context_end(context);
#else
  (void)state;
  skip_because("only the emulator counts");
#endif
}

// 2.4 MB of pictures beside a card of 8 MiB, of which the backend takes 4 to begin with.
static void test_large_sets_stay_with_the_host(void **state) {
#ifdef SSTI_CUDA_IS_EMULATED
  static const char text[] = "device: cuda\n"
                             "data: {name: digits, digits_train: 3000, digits_test: 10, validation: 0.5}\n"
                             "student: {kind: ann, layers: [avgpool: {kernel: 4, stride: 4}, flatten, linear]}\n"
                             "train: {epochs: 2, batch: 100, evaluation_batch: 500}\n";
  sst_context *context = test_context();
  assert_ok(context, train(context, *state, text, "", "small_set"));
  setenv("SPIKESTILL_EMULATED_MEMORY", "8388608", 1);
  const sst_status status = train(context, *state, text, "", "large_set");
  unsetenv("SPIKESTILL_EMULATED_MEMORY");
  assert_ok(context, status);
  assert_timing(*state, "small_set", "\"batches_made_by\": \"card\"}");
  assert_timing(*state, "large_set", "\"because\": \"the data set is larger than half of the card's free memory\"}");
  assert_same_file(*state, "small_set", "large_set", "history.jsonl");
  test_context_end(context);
#else
  (void)state;
  skip_because("only the emulator's card can be that small");
#endif
}

// A slot of the reference would run on the host before the card has done what comes first.
static void test_every_slot_is_the_cards(void **state) {
  (void)state;
  sst_context *context = test_context();
  require_card(context);
  ssti_backend *card = NULL;
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CUDA, &card));
  ssti_kernels reference;
  ssti_reference_fill(&reference);
#define ASSERT_OWN(slot)                                                                                               \
  if (card->kernels.slot == reference.slot) { fail_msg("the slot " #slot " is the reference's"); }
  ASSERT_OWN(conv2d_forward)
  ASSERT_OWN(conv2d_backward_data)
  ASSERT_OWN(conv2d_backward_weights)
  ASSERT_OWN(linear_forward)
  ASSERT_OWN(linear_backward_data)
  ASSERT_OWN(linear_backward_weights)
  ASSERT_OWN(pool_forward)
  ASSERT_OWN(pool_backward)
  ASSERT_OWN(adaptive_pool_forward)
  ASSERT_OWN(adaptive_pool_backward)
  ASSERT_OWN(batch_norm_forward_training)
  ASSERT_OWN(batch_norm_forward_inference)
  ASSERT_OWN(batch_norm_backward)
  ASSERT_OWN(norm_constants)
  ASSERT_OWN(norm_fixed_point)
  ASSERT_OWN(quantize_weights_forward)
  ASSERT_OWN(quantize_weights_backward)
  ASSERT_OWN(fixed_point)
  ASSERT_OWN(channel_affine)
  ASSERT_OWN(unary_forward)
  ASSERT_OWN(unary_backward)
  ASSERT_OWN(binary_forward)
  ASSERT_OWN(binary_backward)
  ASSERT_OWN(reduce_forward)
  ASSERT_OWN(reduce_backward)
  ASSERT_OWN(l2_normalize_forward)
  ASSERT_OWN(l2_normalize_backward)
  ASSERT_OWN(softmax_forward)
  ASSERT_OWN(softmax_backward)
  ASSERT_OWN(head_mask)
  ASSERT_OWN(cross_entropy_forward)
  ASSERT_OWN(cross_entropy_backward)
  ASSERT_OWN(kl_forward)
  ASSERT_OWN(kl_backward)
  ASSERT_OWN(dropout)
  ASSERT_OWN(noise)
  ASSERT_OWN(copy_rows)
  ASSERT_OWN(copy_box)
  ASSERT_OWN(fill)
  ASSERT_OWN(make_batch)
  ASSERT_OWN(neuron_forward)
  ASSERT_OWN(neuron_backward)
  ASSERT_OWN(clip_gradient)
  ASSERT_OWN(sgd_step)
  ASSERT_OWN(adamw_step)
  ASSERT_OWN(sum_of_squares)
  ASSERT_OWN(begin_run)
  ASSERT_OWN(begin_update)
#undef ASSERT_OWN
  ssti_backend_destroy(card);
  test_context_end(context);
}

static void test_memory_is_refused(void **state) {
  (void)state;
  sst_context *context = test_context();
  require_card(context);
  ssti_backend *card = NULL;
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CUDA, &card));
  float *block = NULL;
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_allocate_in(context, card->space, (size_t)1 << 50, &block),
               "of the card's memory are wanted");
  assert_null(block);
  assert_ok(context, ssti_allocate_in(context, card->space, 1000, &block));
  for (int i = 0; i < 250; i++) { assert_true(block[i] == 0.0f); }
  ssti_backend_destroy(card); // the block keeps the card open
  ssti_free(context, block);
  test_context_end(context);
}

// A store that was sealed in the host's memory moves to the card with its values, but not away from a graph.
static void test_parameters_move(void **state) {
  (void)state;
  sst_context *context = test_context();
  require_card(context);
  sst_parameters *store = NULL;
  assert_ok(context, sst_parameters_create(context, 3, &store));
  const sst_initializer uniform = {SST_INIT_UNIFORM, 1.0f};
  const sst_device devices[] = {SST_DEVICE_CUDA, SST_DEVICE_CPU_REFERENCE, SST_DEVICE_CUDA};
  int index;
  const sst_shape shape = sst_shape_make(1, 3, 1, 1, 5);
  assert_ok(context, sst_parameters_require(store, "w", shape, SST_PARAMETER_WEIGHT, true, uniform, &index));
  assert_ok(context, sst_parameters_seal(store));
  float before[15];
  memcpy(before, sst_parameters_at(store, 0)->value, sizeof before);
  sst_graph *graphs[3];
  for (int i = 0; i < 3; i++) {
    assert_ok(context, sst_graph_create(store, devices[i], &graphs[i]));
    const sst_value w = sst_graph_parameter(graphs[i], "w", shape, SST_PARAMETER_WEIGHT, uniform);
    sst_graph_keep(graphs[i], w);
    assert_ok(context, sst_graph_compile(graphs[i], SST_NO_VALUE));
    assert_memory_equal(sst_graph_data(graphs[i], w), before, sizeof before);
    assert_ptr_equal(sst_graph_data(graphs[i], w), sst_parameters_at(store, 0)->value);
  }
  for (int i = 0; i < 3; i++) { sst_graph_destroy(graphs[i]); }
  sst_parameters_destroy(store);
  assert_ok(context, sst_parameters_create(context, 3, &store));
  assert_ok(context, sst_parameters_require(store, "w", shape, SST_PARAMETER_WEIGHT, true, uniform, &index));
  for (int i = 1; i < 3; i++) {
    assert_ok(context, sst_graph_create(store, devices[i], &graphs[i]));
    (void)sst_graph_parameter(graphs[i], "w", shape, SST_PARAMETER_WEIGHT, uniform);
  }
  assert_ok(context, sst_graph_compile(graphs[1], SST_NO_VALUE));
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_compile(graphs[2], SST_NO_VALUE), "in use by 1 graph;");
  sst_graph_destroy(graphs[1]);
  sst_graph_destroy(graphs[2]);
  sst_parameters_destroy(store);
  test_context_end(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sgd),
      cmocka_unit_test(test_adamw),
      cmocka_unit_test(test_bf16),
      cmocka_unit_test(test_tf32),

      cmocka_unit_test(test_epoch_never_waits),
      cmocka_unit_test(test_large_sets_stay_with_the_host),
      cmocka_unit_test(test_every_slot_is_the_cards),
      cmocka_unit_test(test_memory_is_refused),
      cmocka_unit_test(test_parameters_move),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
