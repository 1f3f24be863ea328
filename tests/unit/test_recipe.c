// SPDX-License-Identifier: Apache-2.0
// Recipes: every key arrives where it belongs, defaults are those of the modules, the resolved recipe reads back as
// itself, and every kind of mistake is answered with its place.
#include <dirent.h>

#include "../support/support.h"

#include "base/text.h"
#include "spikestill/stages.h"

static sst_recipe *read_with(sst_context *context, const char *text, const char *override) {
  sst_recipe *recipe = NULL;
  assert_ok(context, sst_recipe_from_text(context, "x.yaml", text, &override, override != NULL, &recipe));
  return recipe;
}
static sst_recipe *read_text(sst_context *context, const char *text) { return read_with(context, text, NULL); }

#define SMALLEST "data: {name: mnist}\nstudent: {model: cnn}\n"

// The example of the public header, with every list and sub-section.
static const char example[] =
    "name: mnist_cnn_kd\n"
    "seed: 7\n"
    "device: cpu-ref\n"
    "data: {name: cifar10, root: 'my data', validation: 0.0833, train_limit: 100, test_limit: 50, encoding: poisson,\n"
    "       mean: [0.4914, 0.4822, 0.4465], deviation: 0.25, workers: 3,\n"
    "       digits_train: 11, digits_test: 12, digits_seed: 18446744073709551615,\n"
    "       augment: {crop_padding: 2, flip: true, cutout: 8, autoaugment: cifar, mixup: 0.2}}\n"
    "student: {kind: snn, model: resnet20, form: sew, width: 0.5, pool: max, dropout: 0.25, timesteps: 6,\n"
    "          norm: threshold, norm_momentum: 0.2, norm_epsilon: 1e-4, readout: membrane, readout_decay: 0.75,\n"
    "          start: runs/before,\n"
    "          neuron: {model: alif, decay: 0.25, threshold: 2, reset: soft, v_reset: -1, decay_input: true,\n"
    "                   detach_reset: false, current_decay: 0.1, adaptation: 0.3, adaptation_decay: 0.8,\n"
    "                   surrogate: sigmoid, alpha: 5}}\n"
    "teacher: runs/mnist_cnn_teacher\n"
    "loss: {weight: 0.5, label_smoothing: 0.1, per_step: true}\n"
    "distill:\n"
    "  - {method: kd, weight: 0.25, teacher_temperature: 4, student_temperature: 2}\n"
    "  - method: kd\n"
    "optimizer: {kind: adamw, learning_rate: 0.01, momentum: 0.8, nesterov: true, weight_decay: 5e-3,\n"
    "            decay_all: true, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, clip_norm: 2}\n"
    "schedule: {kind: step, warmup_epochs: 1.5, final: 0.01, factor: 0.2, milestones: [3, 5.5]}\n"
    "train: {epochs: 20, batch: 32, evaluation_batch: 50, evaluate_every: 2, checkpoint_every: 5}\n";

// The example as it should arrive, all but its layers.
static void check_example(const sst_recipe *r) {
  assert_string_equal(r->name, "mnist_cnn_kd");
  assert_int_equal(r->seed, 7);
  assert_int_equal(r->device, SST_DEVICE_CPU_REFERENCE);
  assert_string_equal(r->teacher, "runs/mnist_cnn_teacher");
  assert_int_equal(r->data.kind, SST_DATASET_CIFAR10);
  assert_string_equal(r->data.root, "my data");
  assert_near(r->data.validation, 0.0833, 0, 0);
  assert_int_equal(r->data.train_limit, 100);
  assert_int_equal(r->data.test_limit, 50);
  assert_int_equal(r->data.digits_train, 11);
  assert_int_equal(r->data.digits_test, 12);
  assert_true(r->data.digits_seed == UINT64_MAX);
  assert_int_equal(r->data.encoding, SST_ENCODING_POISSON);
  assert_int_equal(r->data.workers, 3);
  assert_int_equal(r->data.mean_count, 3);
  const float mean[] = {0.4914f, 0.4822f, 0.4465f}, deviation[] = {0.25f, 0.25f, 0.25f};
  assert_all_equal(r->data.mean, mean, 3);
  assert_int_equal(r->data.deviation_count, 3); // one number for all
  assert_all_equal(r->data.deviation, deviation, 3);
  assert_int_equal(r->data.augmentation.crop_padding, 2);
  assert_true(r->data.augmentation.flip);
  assert_int_equal(r->data.augmentation.cutout, 8);
  assert_int_equal(r->data.augmentation.autoaugment, SST_AUTOAUGMENT_CIFAR);
  assert_near(r->data.augmentation.mixup, 0.2f, 0, 0);
  assert_near(r->loss_weight, 0.5, 0, 0);
  assert_near(r->label_smoothing, 0.1f, 0, 0);
  assert_true(r->loss_per_step);
  assert_int_equal(r->term_count, 2);
  assert_string_equal(sst_distill_term_method(r->terms[0]), "kd");
  assert_near(sst_distill_term_weight(r->terms[0]), 0.25, 0, 0);
  assert_near(sst_distill_term_weight(r->terms[1]), 1, 0, 0);
  assert_int_equal(r->optimizer.kind, SST_OPTIMIZER_ADAMW);
  assert_near(r->optimizer.learning_rate, 0.01f, 0, 0);
  assert_near(r->optimizer.momentum, 0.8f, 0, 0);
  assert_true(r->optimizer.nesterov && r->optimizer.decay_all);
  assert_near(r->optimizer.weight_decay, 5e-3f, 0, 0);
  assert_near(r->optimizer.beta1, 0.8f, 0, 0);
  assert_near(r->optimizer.beta2, 0.99f, 0, 0);
  assert_near(r->optimizer.epsilon, 1e-6f, 0, 0);
  assert_near(r->optimizer.clip_norm, 2, 0, 0);
  assert_int_equal(r->schedule.kind, SST_SCHEDULE_STEP);
  assert_near(r->schedule.warmup_epochs, 1.5, 0, 0);
  assert_near(r->schedule.final_factor, 0.01, 0, 0);
  assert_near(r->schedule.step_factor, 0.2, 0, 0);
  assert_int_equal(r->schedule.milestone_count, 2);
  assert_near(r->schedule.milestones[1], 5.5, 0, 0);
  assert_int_equal(r->train.epochs, 20);
  assert_int_equal(r->train.batch, 32);
  assert_int_equal(r->train.evaluation_batch, 50);
  assert_int_equal(r->train.evaluate_every, 2);
  assert_int_equal(r->train.checkpoint_every, 5);
}

// Field by field: a struct's padding is nobody's.
static void check_same_layer(sst_layer a, sst_layer b) {
  assert_true(a.kind == b.kind && a.out == b.out && a.kernel == b.kernel && a.stride == b.stride);
  assert_true(a.padding == b.padding && a.dilation == b.dilation && a.groups == b.groups && a.bias == b.bias);
  assert_near(a.rate, b.rate, 0, 0);
  assert_int_equal(a.form, b.form);
}

static void check_example_student(const sst_recipe_network *s) {
  assert_true(s->spiking && s->options.spiking);
  assert_string_equal(s->start, "runs/before");
  assert_int_equal(s->options.timesteps, 6);
  assert_int_equal(s->options.classes, 10);
  assert_int_equal(s->options.height, 32);
  assert_int_equal(s->options.width, 32);
  assert_int_equal(s->options.channels, 3);
  assert_int_equal(s->options.norm, SST_NORM_THRESHOLD);
  assert_near(s->options.norm_momentum, 0.2f, 0, 0);
  assert_near(s->options.norm_epsilon, 1e-4f, 0, 0);
  assert_int_equal(s->options.readout, SST_READOUT_MEMBRANE);
  assert_near(s->options.readout_decay, 0.75, 0, 0);
  const sst_neuron *n = &s->options.neuron;
  assert_int_equal(n->kind, SST_NEURON_ALIF);
  assert_near(n->decay, 0.25, 0, 0);
  assert_near(n->threshold, 2, 0, 0);
  assert_false(n->hard_reset);
  assert_near(n->v_reset, -1, 0, 0);
  assert_true(n->decay_input);
  assert_false(n->detach_reset);
  assert_near(n->current_decay, 0.1f, 0, 0);
  assert_near(n->adaptation, 0.3f, 0, 0);
  assert_near(n->adaptation_decay, 0.8f, 0, 0);
  assert_int_equal(n->surrogate, SST_SURROGATE_SIGMOID);
  assert_near(n->alpha, 5, 0, 0);
}

static void test_all_keys(void **state) {
  sst_context *context = *state;
  sst_recipe *r = read_text(context, example);
  check_example(r);
  check_example_student(&r->student);
  // And once more by way of the resolved recipe, which must not lose anything.
  char *text = NULL;
  sst_recipe *again = NULL;
  assert_ok(context, sst_recipe_text(context, r, &text));
  assert_ok(context, sst_recipe_from_text(context, "resolved", text, NULL, 0, &again));
  check_example(again);
  check_example_student(&again->student);
  assert_false(again->student.has_builder);
  sst_recipe_text_free(context, text);
  sst_recipe_close(context, again);
  sst_recipe_close(context, r);
}

static void test_builder(void **state) {
  sst_context *context = *state;
  sst_recipe *r = read_text(context, example);
  const sst_recipe_network *s = &r->student;
  assert_true(s->has_builder);
  assert_int_equal(s->builder, SST_BUILDER_RESNET20);
  assert_int_equal(s->builder_options.form, SST_BLOCK_FORM_SEW);
  assert_near(s->builder_options.width, 0.5, 0, 0);
  assert_true(s->builder_options.max_pool);
  assert_near(s->builder_options.dropout, 0.25, 0, 0);
  // The builder's own list, with its options.
  sst_layer *layers = NULL;
  int count = 0;
  assert_ok(context, sst_builder_layers(context, s->builder, &s->builder_options, &layers, &count));
  assert_int_equal(s->options.layer_count, count);
  assert_ptr_equal(s->options.layers, s->layers);
  for (int i = 0; i < count; i++) { check_same_layer(s->layers[i], layers[i]); }
  sst_layers_free(context, layers);
  sst_recipe_close(context, r);
}

// The tables of the recipe and the modules' own defaults say the same.
static void test_defaults(void **state) {
  sst_context *context = *state;
  sst_recipe *r = read_text(context, SMALLEST);
  assert_string_equal(r->name, "x");
  assert_int_equal(r->seed, 1);
  assert_int_equal(r->device, SST_DEVICE_CPU);
  assert_string_equal(r->teacher, "");
  assert_int_equal(r->term_count, 0);
  assert_near(r->loss_weight, 1, 0, 0);
  assert_false(r->loss_per_step);
  assert_near(r->data.validation, 0.1, 0, 0);
  assert_int_equal(r->data.mean_count, 1);
  assert_near(r->data.mean[0], 0, 0, 0);
  assert_near(r->data.deviation[0], 1, 0, 0);
  assert_int_equal(r->data.workers, 1);
  assert_int_equal(r->data.digits_train, 10000);
  assert_int_equal(r->train.epochs, 10);
  assert_int_equal(r->train.batch, 64);
  const sst_optimizer_options optimizer = sst_optimizer_default();
  assert_int_equal(r->optimizer.kind, optimizer.kind);
  assert_near(r->optimizer.learning_rate, optimizer.learning_rate, 0, 0);
  assert_near(r->optimizer.momentum, optimizer.momentum, 0, 0);
  assert_near(r->optimizer.weight_decay, optimizer.weight_decay, 0, 0);
  assert_near(r->optimizer.beta1, optimizer.beta1, 0, 0);
  assert_near(r->optimizer.beta2, optimizer.beta2, 0, 0);
  assert_near(r->optimizer.epsilon, optimizer.epsilon, 0, 0);
  assert_near(r->optimizer.clip_norm, optimizer.clip_norm, 0, 0);
  assert_true(r->optimizer.nesterov == optimizer.nesterov && r->optimizer.decay_all == optimizer.decay_all);
  const sst_schedule schedule = sst_schedule_default();
  assert_int_equal(r->schedule.kind, schedule.kind);
  assert_near(r->schedule.warmup_epochs, schedule.warmup_epochs, 0, 0);
  assert_near(r->schedule.final_factor, schedule.final_factor, 0, 0);
  assert_near(r->schedule.step_factor, schedule.step_factor, 0, 0);
  assert_int_equal(r->schedule.milestone_count, schedule.milestone_count);
  const sst_model_options model = sst_model_default();
  const sst_model_options *found = &r->student.options;
  assert_true(found->spiking == model.spiking && found->timesteps == model.timesteps && found->norm == model.norm);
  assert_true(found->readout == model.readout);
  assert_near(found->norm_momentum, model.norm_momentum, 0, 0);
  assert_near(found->norm_epsilon, model.norm_epsilon, 0, 0);
  assert_near(found->readout_decay, model.readout_decay, 0, 0);
  const sst_neuron neuron = sst_neuron_default(), *n = &found->neuron;
  assert_true(n->kind == neuron.kind && n->surrogate == neuron.surrogate && n->hard_reset == neuron.hard_reset);
  assert_true(n->decay_input == neuron.decay_input && n->detach_reset == neuron.detach_reset);
  const float numbers[] = {n->decay,      n->threshold,        n->v_reset, n->current_decay,
                           n->adaptation, n->adaptation_decay, n->alpha};
  const float expected[] = {neuron.decay,      neuron.threshold,        neuron.v_reset, neuron.current_decay,
                            neuron.adaptation, neuron.adaptation_decay, neuron.alpha};
  assert_all_equal(numbers, expected, 7);
  const sst_builder_options builder = sst_builder_default();
  assert_near(r->student.builder_options.width, builder.width, 0, 0);
  assert_int_equal(r->student.builder_options.hidden, builder.hidden);
  assert_true(r->student.builder_options.max_pool == builder.max_pool &&
              r->student.builder_options.form == builder.form);
  assert_near(r->student.builder_options.dropout, builder.dropout, 0, 0);
  sst_recipe_close(context, r);
}

// Defaults that depend on other keys.
static void test_dependent_defaults(void **state) {
  sst_context *context = *state;
  sst_recipe *r = read_with(context, SMALLEST, "optimizer.kind=adamw");
  assert_near(r->optimizer.learning_rate, 0.001f, 0, 0);
  sst_recipe_close(context, r);
  r = read_with(context, SMALLEST, "student.kind=ann");
  assert_false(r->student.spiking || r->student.options.spiking);
  assert_int_equal(r->student.options.timesteps, 1);
  sst_recipe_close(context, r);
  r = read_with(context, SMALLEST, "student.neuron.surrogate=triangle");
  assert_near(r->student.options.neuron.alpha, sst_surrogate_default_alpha(SST_SURROGATE_TRIANGLE), 0, 0);
  sst_recipe_close(context, r);
  r = read_with(context, SMALLEST, "data.name=cifar100");
  assert_int_equal(r->student.options.classes, 100);
  assert_int_equal(r->data.mean_count, 3);
  sst_recipe_close(context, r);
}

static void test_name(void **state) {
  sst_context *context = *state;
  static const char *const names[][2] = {{"recipes/mnist_cnn.yaml", "mnist_cnn"},
                                         {"a.b.yaml", "a.b"},
                                         {"/x/y", "y"},
                                         {".hidden", ".hidden"},
                                         {"a b\xff.yaml", "a_b_"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    sst_recipe *r = NULL;
    assert_ok(context, sst_recipe_from_text(context, names[i][0], SMALLEST, NULL, 0, &r));
    assert_string_equal(r->name, names[i][1]);
    sst_recipe_close(context, r);
  }
}

static void write_recipe(const char *folder, const char *name, const char *text) {
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_path(path, folder, name), "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static sst_status open_recipe(sst_context *context, const char *folder, const char *name, const char *override,
                              sst_recipe **out) {
  char path[TEST_PATH_SIZE];
  return sst_recipe_open(context, test_path(path, folder, name), &override, override != NULL, out);
}

// Keys of the extended recipe under the own ones, overrides over both; the name is the file's; what is resolved stands
// alone.
static void test_extends(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], *text = NULL;
  temp_folder_make(folder);
  write_recipe(folder, "base.yaml",
               "name: base\nteacher: runs/t\ndata: {name: digits, digits_train: 77, mean: [0.25]}\n"
               "student: {model: mlp, hidden: 9}\ndistill: [{method: kd, weight: 0.25}, {method: kd, weight: 2}]\n"
               "train: {epochs: 3, batch: 20}\n");
  write_recipe(folder, "middle.yaml", "extends: base.yaml\ntrain: {batch: 21}\ndistill: [{method: kd, weight: 0.5}]\n");
  write_recipe(folder, "top.yaml", "train: {epochs: 4}\nextends: ./middle.yaml\ndata:\n  digits_train: 78\n");
  sst_recipe *r = NULL, *again = NULL;
  assert_ok(context, open_recipe(context, folder, "top.yaml", "train.epochs=5", &r));
  assert_string_equal(r->name, "top");
  assert_string_equal(r->teacher, "runs/t");
  assert_int_equal(r->data.digits_train, 78);
  assert_near(r->data.mean[0], 0.25, 0, 0);
  assert_int_equal(r->train.epochs, 5);
  assert_int_equal(r->train.batch, 21);
  assert_int_equal(r->term_count, 1);
  assert_ok(context, sst_recipe_text(context, r, &text));
  assert_null(strstr(text, "extends"));
  assert_ok(context, sst_recipe_from_text(context, "elsewhere.yaml", text, NULL, 0, &again));
  assert_int_equal(again->train.batch, 21);
  sst_recipe_text_free(context, text);
  sst_recipe_close(context, r);
  sst_recipe_close(context, again);
  temp_folder_remove(folder);
}

static void test_extends_is_refused(void **state) {
  sst_context *context = *state;
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {"seed: 1\nextends: [a.yaml]\n", "x.yaml:2: extends is a list, expected the file of another recipe"},
      {"extends:\n", "x.yaml:1: extends is empty"},
      {"extends: none.yaml\n", "/none.yaml: "},
      {"extends: x.yaml\n", "more than 8 recipes extend each other, perhaps in a circle"},
      {"extends: wrong.yaml\n", "/wrong.yaml:2: unknown key 'batchh' in train; nearest is 'batch'"},
      {"extends: broken.yaml\n", "/broken.yaml:2"},
      {"extends: stages.yaml\n", "has stages"},
  };
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  write_recipe(folder, "wrong.yaml", "data: {name: digits}\ntrain: {batchh: 3}\nstudent: {model: mlp}\n");
  write_recipe(folder, "broken.yaml", "a: [\n");
  write_recipe(folder, "stages.yaml", "stages: []\n");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sst_recipe *r = NULL;
    write_recipe(folder, "x.yaml", cases[i].text);
    assert_fails(context, SST_RECIPE, open_recipe(context, folder, "x.yaml", NULL, &r), cases[i].sentence);
    assert_null(r);
  }
  sst_recipe *r = NULL;
  assert_fails(context, SST_NOT_FOUND, open_recipe(context, folder, "y.yaml", NULL, &r), "y.yaml");
  temp_folder_remove(folder);
}

static void test_layers(void **state) {
  sst_context *context = *state;
  sst_recipe *r =
      read_text(context, "data: {name: digits}\n"
                         "student:\n"
                         "  layers:\n"
                         "    - conv: {out: 32, kernel: 5, stride: 2, padding: 2, dilation: 3, groups: 0, bias: true}\n"
                         "    - norm\n"
                         "    - act:\n"
                         "    - maxpool: {padding: 1}\n"
                         "    - block: {out: 8, stride: 2, form: ms}\n"
                         "    - dropout: {rate: 0.125}\n"
                         "    - globalpool\n"
                         "    - flatten: {}\n"
                         "    - linear: {out: 7, bias: false}\n"
                         "    - linear\n");
  const sst_recipe_network *s = &r->student;
  assert_false(s->has_builder);
  assert_int_equal(s->options.layer_count, 10);
  const sst_layer *l = s->layers;
  static const sst_layer_kind kinds[] = {SST_LAYER_CONV,   SST_LAYER_NORM,    SST_LAYER_ACTIVATION,  SST_LAYER_MAX_POOL,
                                         SST_LAYER_BLOCK,  SST_LAYER_DROPOUT, SST_LAYER_GLOBAL_POOL, SST_LAYER_FLATTEN,
                                         SST_LAYER_LINEAR, SST_LAYER_LINEAR};
  for (int i = 0; i < 10; i++) { assert_int_equal(l[i].kind, kinds[i]); }
  assert_true(l[0].out == 32 && l[0].kernel == 5 && l[0].stride == 2 && l[0].padding == 2 && l[0].dilation == 3);
  assert_true(l[0].groups == 0 && l[0].bias == 1);
  assert_true(l[3].kernel == 2 && l[3].stride == 2 && l[3].padding == 1);
  assert_true(l[4].out == 8 && l[4].stride == 2 && l[4].form == SST_BLOCK_FORM_MS);
  assert_near(l[5].rate, 0.125, 0, 0);
  assert_true(l[8].out == 7 && l[8].bias == 0 && l[9].out == 0 && l[9].bias == -1);
  sst_recipe_close(context, r);
  // What is not given is the layer's own default.
  r = read_text(context,
                "data: {name: digits}\nstudent: {layers: [{conv: {out: 3}}, avgpool, {block: {out: 2}}, linear]}");
  for (int i = 0; i < 4; i++) {
    sst_layer expected = sst_layer_default(r->student.layers[i].kind);
    expected.out = r->student.layers[i].out;
    check_same_layer(r->student.layers[i], expected);
  }
  sst_recipe_close(context, r);
}

// The resolved recipe reads back and resolves to the same text, and says the same.
static void check_resolved(sst_context *context, const sst_recipe *recipe) {
  char *first = NULL, *second = NULL;
  assert_ok(context, sst_recipe_text(context, recipe, &first));
  sst_recipe *again = NULL;
  assert_ok(context, sst_recipe_from_text(context, "resolved", first, NULL, 0, &again));
  assert_ok(context, sst_recipe_text(context, again, &second));
  assert_string_equal(first, second);
  assert_int_equal(again->student.options.layer_count, recipe->student.options.layer_count);
  for (int i = 0; i < recipe->student.options.layer_count; i++) {
    check_same_layer(again->student.layers[i], recipe->student.layers[i]);
  }
  assert_string_equal(again->name, recipe->name);
  sst_recipe_close(context, again);
  sst_recipe_text_free(context, first);
  sst_recipe_text_free(context, second);
}

static void test_resolved(void **state) {
  sst_context *context = *state;
  sst_recipe *r = read_text(context, example);
  check_resolved(context, r);
  sst_recipe_close(context, r);
  r = read_text(context, SMALLEST);
  check_resolved(context, r);
  sst_recipe_close(context, r);
  static const char *const overrides[] = {
      "name=\"a: b # c\\n\\\"\\u2028\"",
      "seed=18446744073709551615",
      "data.mean=0.13066047",
      "student.kind=ann",
      "student={layers: [norm, {dropout: {rate: 0.1}}, {conv: {out: 5, bias: true}}]}",
      "teacher='null'",
      "optimizer.weight_decay=3.4e-7",
      "schedule={kind: step, milestones: [0.1, 2, 30]}",
      "data.validation=0.08333333333333333",
  };
  for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
    r = read_with(context, SMALLEST, overrides[i]);
    check_resolved(context, r);
    sst_recipe_close(context, r);
  }
}

static void test_overrides(void **state) {
  sst_context *context = *state;
  static const char *const overrides[] = {"train.epochs=3",     "distill.1.weight=0.125", "distill.2.method=kd",
                                          "teacher=runs/other", "train.epochs=4",         "data.mean=[1, 2, 3]"};
  sst_recipe *r = NULL;
  assert_ok(context, sst_recipe_from_text(context, "x.yaml", example, overrides, 6, &r));
  assert_int_equal(r->train.epochs, 4); // the later one counts
  assert_int_equal(r->train.batch, 32);
  assert_int_equal(r->term_count, 3);
  assert_near(sst_distill_term_weight(r->terms[1]), 0.125, 0, 0);
  assert_string_equal(r->teacher, "runs/other");
  assert_near(r->data.mean[2], 3, 0, 0);
  sst_recipe_close(context, r);
  // Taking things away.
  static const char *const none[] = {"distill=", "teacher="};
  assert_ok(context, sst_recipe_from_text(context, "x.yaml", example, none, 2, &r));
  assert_int_equal(r->term_count, 0);
  assert_string_equal(r->teacher, "");
  sst_recipe_close(context, r);
}

// Whole recipes that must be refused, and the sentence (its beginning, or all of it).
static const struct {
  const char *text, *part;
} bad_recipes[] = {
    {"", "x.yaml: data.name is missing"},
    {"data:\n  root: x\nstudent: {model: cnn}\n", "x.yaml:1: data.name is missing"},
    {"data: {name: }\nstudent: {model: cnn}\n", "data.name is missing"},
    {"data: {name: mnist}\n", "x.yaml: student.model is missing"},
    {"data: {name: mnist}\nstudent:\n  kind: snn\n", "x.yaml:2: student.model is missing"},
    {"- a\n- b\n", "x.yaml:1: the recipe is a list, expected a map of keys"},
    {"word\n", "the recipe is a single value, expected a map of keys"},
    {"data: mnist\n", "x.yaml:1: data is a single value, expected a map of keys"},
    {"data: [mnist]\n", "data is a list, expected a map of keys"},
    {"data: {augment: [1]}\n", "data.augment is a list, expected a map of keys"},
    {SMALLEST "train:\n  epocs: 3\n", "x.yaml:4: unknown key 'epocs' in train; nearest is 'epochs'"},
    {SMALLEST "epochs: 3\n", "x.yaml:3: unknown key 'epochs' in the recipe; there is train.epochs"},
    {SMALLEST "train: {teacher: x}\n", "unknown key 'teacher' in train; it is a key of the recipe itself"},
    {SMALLEST "trian: {epochs: 3}\n", "x.yaml:3: unknown key 'trian' in the recipe; nearest is 'train'"},
    {SMALLEST "loss: {zzzzzz: 3}\n", "unknown key 'zzzzzz' in loss; its keys are weight, label_smoothing, per_step"},
    {SMALLEST "data.root: x\n", "unknown key 'data.root' in the recipe"},
    {"data: {name: mnist, aument: {}}\nstudent: {model: cnn}\n", "unknown key 'aument' in data; nearest is 'augment'"},
    {"data: {name: mnist, augment: {flips: true}}\n", "unknown key 'flips' in data.augment; nearest is 'flip'"},
    {"student: {neuron: {tau: 2}}\n", "unknown key 'tau' in student.neuron; its keys are model, decay"},
    {SMALLEST "train: {batch: 0}\n", "x.yaml:3: train.batch: found \"0\", expected a whole number from 1 to 65536"},
    {SMALLEST "train: {batch: 65537}\n", "train.batch: found \"65537\""},
    {SMALLEST "train: {batch: 1.5}\n", "train.batch: found \"1.5\", expected a whole number"},
    {SMALLEST "train: {batch: many}\n", "train.batch: found \"many\""},
    {SMALLEST "train: {batch: }\n", "train.batch has no value: pictures a step"},
    {SMALLEST "train: {batch: [1]}\n", "train.batch is a list, expected a single value: pictures a step"},
    {SMALLEST "train: {batch: {a: 1}}\n", "train.batch is a map of keys, expected a single value"},
    {SMALLEST "seed: -1\n", "x.yaml:3: seed: found \"-1\", expected a whole number"},
    {SMALLEST "device: gpu\n", "x.yaml:3: device: found \"gpu\", expected one of cpu, cpu-ref"},
    {SMALLEST "loss: {per_step: perhaps}\n", "loss.per_step: found \"perhaps\", expected true or false"},
    {SMALLEST "optimizer: {learning_rate: 0}\n", "optimizer.learning_rate: found \"0\""},
    {SMALLEST "optimizer: {learning_rate: nan}\n", "optimizer.learning_rate: found \"nan\""},
    {SMALLEST "optimizer: {learning_rate: inf}\n", "optimizer.learning_rate: found \"inf\""},
    {SMALLEST "optimizer:\n  momentum: 0\n  nesterov: true\n",
     "x.yaml:5: optimizer.nesterov needs optimizer.momentum above 0"},
    {"data: {name: minst}\n", "data.name: found \"minst\", expected one of digits, mnist, fashion-mnist, cifar10, "
                              "cifar100, folder, tiny-imagenet"},
    {"data: {name: mnist, mean: [1, 2]}\nstudent: {model: cnn}\n",
     "data.mean has 2 numbers, but mnist has 1 channel: expected one number for all"},
    {"data: {name: cifar10,\n deviation: [1, 2]}\nstudent: {model: cnn}\n",
     "x.yaml:2: data.deviation has 2 numbers, but cifar10 has 3 channels: expected one number for all or one for each"},
    {"data: {mean: [1, 2, 3, 4, 5]}\n", "data.mean has 5 numbers, expected at most 4"},
    {"data: {mean: [1, x]}\n", "data.mean: found \"x\", expected a number"},
    {"data: {mean: {a: 1}}\n", "data.mean is a map of keys, expected a list of numbers"},
    {"data: {mean: }\n", "data.mean is nothing, expected a list of numbers"},
    {"data: {deviation: [0]}\n", "data.deviation: found \"0\""},
    {SMALLEST "schedule: {kind: step}\n", "x.yaml:3: schedule.milestones is missing"},
    {SMALLEST "schedule: {milestones: [3, 2]}\n", "schedule.milestones has 2 after 3, expected ascending epochs"},
    {SMALLEST "schedule: {milestones: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}\n",
     "17 numbers, expected at most 16"},
    {"data: {name: mnist}\nstudent: {model: cnm}\n", "student.model: found \"cnm\""},
    {"data: {name: mnist}\nstudent: {model: cnn, kind: ann,\n  timesteps: 4}\n",
     "x.yaml:3: student.timesteps is 4, expected 1 (or left out) for an ann"},
    {"data: {name: mnist, encoding: poisson}\nstudent: {model: cnn, kind: ann}\n", "expected direct for an ann"},
    {"data: {name: mnist}\nstudent: {model: cnn, neuron: {model: li}}\n",
     "student.neuron.model is li, which never fires"},
    {"data: {name: mnist}\nstudent: {model: cnn,\n neuron: {\n v_reset: 1}}\n",
     "x.yaml:4: student.neuron.v_reset is 1, expected below the threshold 1"},
    {"data: {name: mnist}\nstudent: {model: cnn, neuron: {model: plif, decay: 1}}\n", "student.neuron.decay is 1"},
};

static void test_bad_recipes(void **state) {
  sst_context *context = *state;
  for (size_t i = 0; i < sizeof bad_recipes / sizeof bad_recipes[0]; i++) {
    sst_recipe *r = (sst_recipe *)state;
    assert_fails(context, SST_RECIPE, sst_recipe_from_text(context, "x.yaml", bad_recipes[i].text, NULL, 0, &r),
                 bad_recipes[i].part);
    assert_null(r);
  }
}

// Mistakes in layers and terms, each as the value of `student.layers` or of the whole `distill`.
static void test_bad_lists(void **state) {
  sst_context *context = *state;
  static const char *const cases[][2] = {
      {"student.layers=norm", "student.layers is a single value, expected a list of layers"},
      {"student.layers=[]", "student.layers is empty, expected a list of layers"},
      {"student.layers=[nrom]", "student.layers.0: there is no kind of layer 'nrom'; nearest is 'norm'"},
      {"student.layers=[norm, [act]]", "student.layers.1 is a list, expected one kind of layer"},
      {"student.layers=[~]", "student.layers.0 is nothing, expected one kind of layer"},
      {"student.layers=[{conv: {out: 3}, act: }]", "a map of several keys"},
      {"student.layers=[{}]", "a map of several keys"},
      {"student.layers=[{conv: 3}]", "student.layers.0.conv is a single value, expected a map of its options"},
      {"student.layers=[conv]", "student.layers.0.conv has no 'out', which it needs: output channels"},
      {"student.layers=[{conv: {kernel: 3}}]", "student.layers.0.conv has no 'out'"},
      {"student.layers=[{block: {out: }}]", "student.layers.0.block has no 'out'"},
      {"student.layers=[{conv: {out: 3, kernal: 5}}]",
       "unknown key 'kernal' in student.layers.0.conv; nearest is 'kernel'"},
      {"student.layers=[{norm: {out: 3}}]", "unknown key 'out' in student.layers.0.norm; it has no keys"},
      {"student.layers=[{conv: {out: 0}}]", "student.layers.0.conv.out: found \"0\", expected a whole number from 1"},
      {"student.layers=[{linear: {out: 3, bias: maybe}}]", "expected one of false, true, auto"},
      {"student.layers=[linear, act, linear]", "student.layers.0.linear has no 'out'; only the last linear layer"},
      {"distill=kd", "distill is a single value, expected a list"},
      {"distill={method: kd}", "distill is a map of keys, expected a list: each term begins with '- method: NAME'"},
      {"distill=[kd]", "distill.0 is a single value, expected a map such as {method: kd"},
      {"distill=[{weight: 1}]", "distill.0 has no 'method'"},
      {"distill=[{method: }]", "distill.0 has no 'method'"},
      {"distill=[{method: [kd]}]", "distill.0 has no 'method'"},
      {"distill=[{method: kdd}]", "distill.0.method: there is no distillation method 'kdd'; the nearest is 'kd'"},
      {"distill=[{method: kd, wieght: 1}]", "unknown key 'wieght' in distill.0 (kd); nearest is 'weight'"},
      {"distill=[{method: kd, teacher_temprature: 1}]", "nearest is 'teacher_temperature'"},
      {"distill=[{method: kd, weight: -1}]", "distill.0 (kd).weight: found \"-1\""},
      {"distill=[{method: kd, start_epoch: -1}]", "distill.0 (kd).start_epoch: found \"-1\""},
      {"distill=[{method: tser, start_epoch: 3, end_epoch: 3}]",
       "distill.0 (tser): end_epoch is 3, expected 0 or above the start_epoch 3"},
      {"distill=[{method: kd, weight: [1]}]", "distill.0 (kd).weight is a list, expected a single value"},
      {"distill=[{method: kd}]", "distill.0 (kd) needs a teacher, and the recipe names none"},
      {"distill=[{method: twin}]", "distill.0 (twin) needs a twin network, and the recipe has none"},
      {"distill=[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]", "distill has 17 terms, expected at most 16"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sst_recipe *r = (sst_recipe *)state;
    assert_fails(
        context, SST_RECIPE,
        sst_recipe_from_text(context, "x.yaml", "data: {name: mnist}\nstudent: {kind: snn}\n", cases[i], 1, &r),
        cases[i][0][0] == 's' ? cases[i][1] : "student.model is missing");
    assert_null(r);
    const char *const both[] = {"student.layers=[linear]", cases[i][0]};
    assert_fails(context, SST_RECIPE, sst_recipe_from_text(context, "x.yaml", "data: {name: mnist}\n", both, 2, &r),
                 cases[i][1]);
  }
  // Keys of a builder beside a list of layers.
  static const char *const keys[] = {"model=cnn", "width=2", "hidden=3", "form=ms", "pool=max", "dropout=0.5"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    char override[64];
    snprintf(override, sizeof override, "student.%s", keys[i]);
    const char *const both[] = {"student.layers=[linear]", override};
    sst_recipe *r = NULL;
    assert_fails(context, SST_RECIPE, sst_recipe_from_text(context, "x.yaml", "data: {name: mnist}\n", both, 2, &r),
                 "has no effect beside student.layers");
  }
}

static void test_bad_overrides(void **state) {
  sst_context *context = *state;
  static const char *const cases[][2] = {
      {"train.batch=0", "--set train.batch: found \"0\", expected a whole number from 1 to 65536"},
      {"train.epocs=3", "--set train.epocs: unknown key 'epocs' in train; nearest is 'epochs'"},
      {"train=3", "--set train: train is a single value, expected a map of keys"},
      {"distill.0.weight=-1", "--set distill.0.weight: distill.0 (kd).weight: found \"-1\""},
      {"distill.5.weight=1", "--set distill.5.weight: place 5 is beyond the end of the list, expected 0..2"},
      {"student.neuron.v_reset=3", "expected below the threshold"},
      {"noequals", "no '='"},
      {"teacher=", "x.yaml:17: distill.0 (kd) needs a teacher"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const two[] = {"student.neuron.reset=hard", cases[i][0]};
    sst_recipe *r = (sst_recipe *)state;
    assert_fails(context, SST_RECIPE, sst_recipe_from_text(context, "x.yaml", example, two, 2, &r), cases[i][1]);
    assert_null(r);
  }
  sst_recipe *r = (sst_recipe *)state;
  assert_fails(context, SST_NOT_FOUND, sst_recipe_open(context, "/no/such/recipe.yaml", NULL, 0, &r),
               "/no/such/recipe.yaml");
  assert_null(r);
  char long_name[700] = "name=";
  memset(long_name + 5, 'x', 600);
  const char *const one[] = {long_name};
  assert_fails(context, SST_RECIPE, sst_recipe_from_text(context, "x.yaml", SMALLEST, one, 1, &r), "600 bytes");
}

// All recipes of the checkout are valid and resolve to themselves.
static void test_own_recipes(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  test_source_path(folder, "recipes");
  DIR *list = opendir(folder);
  assert_non_null(list);
  int count = 0;
  for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
    const char *dot = strrchr(entry->d_name, '.');
    if (dot == NULL || strcmp(dot, ".yaml") != 0) { continue; }
    sst_recipe *r = NULL;
    sst_plan *plan = NULL, *again = NULL;
    bool stages = false;
    assert_ok(context, sst_plan_has_stages(context, test_path(path, folder, entry->d_name), &stages));
    if (stages) {
      assert_ok(context, sst_plan_open(context, path, NULL, 0, &plan));
      assert_ok(context, sst_plan_from_text(context, "resolved", plan->text, NULL, 0, &again));
      assert_string_equal(again->text, plan->text);
    } else {
      assert_ok(context, sst_recipe_open(context, path, NULL, 0, &r));
      check_resolved(context, r);
    }
    const char *name = stages ? plan->name : r->name; // a recipe is called like its file
    assert_int_equal(strlen(name), dot - entry->d_name);
    assert_memory_equal(name, entry->d_name, strlen(name));
    sst_recipe_close(context, r);
    sst_plan_close(context, plan);
    sst_plan_close(context, again);
    count++;
  }
  closedir(list);
  assert_in_range(count, 1, 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_all_keys),      TEST(test_builder),     TEST(test_defaults),           TEST(test_dependent_defaults),
      TEST(test_name),          TEST(test_extends),     TEST(test_extends_is_refused), TEST(test_layers),
      TEST(test_resolved),      TEST(test_overrides),   TEST(test_bad_recipes),        TEST(test_bad_lists),
      TEST(test_bad_overrides), TEST(test_own_recipes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
