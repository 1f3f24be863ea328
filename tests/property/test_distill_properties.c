// SPDX-License-Identifier: Apache-2.0
// What holds for every distillation method in the loss that a recipe makes: weight 0 is plain training, the term enters
// with its weight and nothing else, the teacher learns nothing; and a student that equals its teacher has nothing to
// learn from its labels.
#include "networks.h"

#include "run/assemble.h"

static const sst_device both[] = {SST_DEVICE_CPU_REFERENCE, SST_DEVICE_CPU};
enum { BATCH = 6, RECIPE_SIZE = 2048 };

// With dropout and norm, whose draws and statistics a term must not disturb; with stages and features to compare.
#define NETWORK(kind, norm)                                                                                            \
  "student: {kind: " kind ", norm: " norm                                                                              \
  ", timesteps: 3, layers: [{conv: {out: 5, stride: 2}}, {norm: {}}, {act: {}},"                                       \
  " {avgpool: {}}, {conv: {out: 6}}, {norm: {}}, {act: {}}, {maxpool: {kernel: 3, stride: 1, padding: 1}},"            \
  " {dropout: {rate: 0.2}}, {conv: {out: 9}}, {act: {}}, {globalpool: {}}, {linear: {}}]}\n"
#define DATA "name: x\ndata: {name: digits, mean: 0.5, deviation: 0.5}\ntrain: {batch: 6}\n"
#define OPTIMIZER "optimizer: {kind: sgd, learning_rate: 0.05, nesterov: true}\n"

static sst_recipe *read_recipe(sst_context *context, const char *text) {
  sst_recipe *recipe = NULL;
  assert_ok(context, sst_recipe_from_text(context, "x.yaml", text, NULL, 0, &recipe));
  return recipe;
}

// A network of the recipe with its start values, which serve as well as trained ones here.
static sst_network *make_teacher(sst_context *context, const char *text) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  FILE *file = fopen(test_path(path, folder, "teacher.yaml"), "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  sst_network *teacher = NULL;
  assert_ok(context, sst_network_open(context, path, NULL, 0, &teacher));
  temp_folder_remove(folder);
  return teacher;
}

typedef struct training {
  sst_context *context;
  sst_recipe *recipe;
  sst_network *teacher;
  sst_parameters *store;
  sst_optimizer *optimizer;
  ssti_companions companions;
  ssti_loss_graph loss;
  uint64_t step;
} training;

// `distill`: the recipe's section, "" for none; `teacher`: its recipe, NULL for none; the loss is that of the epoch.
static void begin_in_epoch(training *t, sst_context *context, sst_device device, const char *student,
                           const char *distill, const char *teacher, int64_t epoch) {
  char text[RECIPE_SIZE];
  *t = (training){.context = context};
  const int length = snprintf(text, sizeof text, DATA OPTIMIZER "seed: 3\ndevice: %s\n%s%s%s", sst_device_word(device),
                              student, teacher != NULL ? "teacher: y\n" : "", distill);
  assert_in_range(length, 1, RECIPE_SIZE - 1);
  t->recipe = read_recipe(context, text);
  if (teacher != NULL) { t->teacher = make_teacher(context, teacher); }
  assert_ok(context, sst_parameters_create(context, t->recipe->seed, &t->store));
  assert_ok(context, ssti_companions_open(context, t->recipe, &t->companions));
  assert_ok(context, ssti_build_loss(t->recipe, t->store, t->teacher, &t->companions, epoch, &t->loss));
  assert_ok(context, ssti_companions_make_optimizers(t->recipe, &t->companions));
  assert_ok(context, sst_optimizer_create(t->store, device, &t->recipe->optimizer, &t->optimizer));
}

static void begin(training *t, sst_context *context, sst_device device, const char *student, const char *distill,
                  const char *teacher) {
  begin_in_epoch(t, context, device, student, distill, teacher, 0);
}

static void end(training *t) {
  sst_optimizer_destroy(t->optimizer);
  sst_graph_destroy(t->loss.graph);
  ssti_companions_close(&t->companions);
  sst_parameters_destroy(t->store);
  sst_network_close(t->teacher);
  sst_recipe_close(t->context, t->recipe);
}

static void run(training *t) {
  sst_graph *graph = t->loss.graph;
  float *target = sst_graph_data(graph, t->loss.target);
  const int64_t classes = sst_graph_shape(graph, t->loss.target).dim[SST_AXIS_C];
  fill_normal(sst_graph_data(graph, t->loss.input), sst_shape_count(sst_graph_shape(graph, t->loss.input)), 1.0f,
              40 + t->step);
  memset(target, 0, (size_t)(BATCH * classes) * sizeof *target);
  for (int64_t n = 0; n < BATCH; n++) { target[n * classes + (n * 3 + (int64_t)t->step) % classes] = 1.0f; }
  sst_graph_forward(graph, &(sst_run_options){.training = true, .seed = 2, .step = t->step});
  sst_graph_backward(graph);
}

static void step(training *t) {
  run(t);
  sst_optimizer_step(t->optimizer, 1.0);
  for (int i = 0; i < t->companions.count; i++) { sst_optimizer_step(t->companions.items[i].optimizer, 1.0); }
  t->step++;
}

static double loss_of(const training *t) { return (double)*sst_graph_data(t->loss.graph, t->loss.loss); }

// Every method at its defaults, taught by a spiking network with other weights: all methods can use one.
static const char student_text[] = NETWORK("snn", "batch");
static const char teacher_text[] = DATA "seed: 8\n" NETWORK("snn", "batch");

// A method that needs a twin gets one that learns from its term alone.
static const char *section(char text[RECIPE_SIZE], const char *method, const char *weight) {
  snprintf(text, RECIPE_SIZE, "distill: [{method: %s, weight: %s}]\n%s", method, weight,
           strcmp(method, "twin") == 0 ? "twin: {enabled: true, cross_entropy_weight: 0}\n" : "");
  return text;
}

static void test_weight_zero_is_plain_training(void **state) {
  char text[RECIPE_SIZE];
  for (int d = 0; d < 2; d++) {
    training plain;
    begin(&plain, *state, both[d], student_text, "", NULL);
    for (int i = 0; i < 3; i++) { step(&plain); }
    for (int m = 0; m < sst_distill_method_count(); m++) {
      training t;
      begin(&t, *state, both[d], student_text, section(text, sst_distill_method_name(m), "0"), teacher_text);
      for (int i = 0; i < 3; i++) { step(&t); }
      assert_true(loss_of(&t) == loss_of(&plain));
      assert_same_parameters(t.store, plain.store);
      end(&t);
    }
    end(&plain);
  }
}

// Before its first epoch and from its last on a term is recorded, but nothing learns from it; between them it is the
// same as without such bounds.
static void test_a_term_counts_between_its_epochs(void **state) {
  enum { BEFORE, FIRST, LAST, AFTER, EPOCHS };
  static const int64_t epochs[EPOCHS] = {1, 2, 4, 5};
  for (int m = 0; m < sst_distill_method_count(); m++) {
    const sst_device device = both[m % 2];
    char text[RECIPE_SIZE];
    training plain, always;
    begin(&plain, *state, device, student_text, "", NULL);
    begin(&always, *state, device, student_text, section(text, sst_distill_method_name(m), "0.5"), teacher_text);
    for (int i = 0; i < 2; i++) {
      step(&plain);
      step(&always);
    }
    section(text, sst_distill_method_name(m), "0.5, start_epoch: 2, end_epoch: 5");
    for (int e = 0; e < EPOCHS; e++) {
      training t;
      begin_in_epoch(&t, *state, device, student_text, text, teacher_text, epochs[e]);
      for (int i = 0; i < 2; i++) { step(&t); }
      assert_int_equal(t.loss.part_count, 2);
      assert_true(*sst_graph_data(t.loss.graph, t.loss.parts[1]) != 0.0f);
      const training *expected = e == BEFORE || e == AFTER ? &plain : &always;
      assert_true(loss_of(&t) == loss_of(expected));
      assert_same_parameters(t.store, expected->store);
      end(&t);
    }
    end(&plain);
    end(&always);
  }
}

// loss(w) = cross-entropy + w * term, so values and gradients lie on a line in w; and the term says something.
static void test_terms_enter_with_their_weight(void **state) {
  char text[RECIPE_SIZE];
  const char *weights[] = {"1", "2.5"};
  training plain;
  begin(&plain, *state, SST_DEVICE_CPU_REFERENCE, student_text, "", NULL);
  run(&plain);
  for (int m = 0; m < sst_distill_method_count(); m++) {
    const char *name = sst_distill_method_name(m);
    training t[2];
    double term[2];
    for (int i = 0; i < 2; i++) {
      begin(&t[i], *state, SST_DEVICE_CPU_REFERENCE, student_text, section(text, name, weights[i]), teacher_text);
      assert_int_equal(t[i].loss.part_count, 2);
      assert_string_equal(t[i].loss.part_names[0], "cross_entropy");
      assert_string_equal(t[i].loss.part_names[1], name);
      run(&t[i]);
      term[i] = (double)*sst_graph_data(t[i].loss.graph, t[i].loss.parts[1]);
      assert_near(*sst_graph_data(t[i].loss.graph, t[i].loss.parts[0]), loss_of(&plain), 1e-6, 0);
      assert_near(loss_of(&t[i]), loss_of(&plain) + (i == 0 ? 1 : 2.5) * term[i], 1e-5, 0);
    }
    assert_near(term[0], term[1], 1e-6, 0);
    assert_true(fabs(term[0]) > 1e-6);
    // Over all parameters: |g(2.5) - g(0) - 2.5 (g(1) - g(0))| against the size of the gradients.
    double difference = 0, size = 0, effect = 0;
    for (int i = 0; i < sst_parameters_count(plain.store); i++) {
      const sst_parameter *p = sst_parameters_at(plain.store, i), *a = sst_parameters_find(t[0].store, p->name);
      const sst_parameter *b = sst_parameters_find(t[1].store, p->name);
      for (int64_t k = 0; p->trainable && k < p->count; k++) {
        const double g = (double)p->gradient[k], one = (double)a->gradient[k] - g, more = (double)b->gradient[k] - g;
        difference += pow(more - 2.5 * one, 2);
        effect += one * one;
        size += g * g + one * one;
      }
    }
    if (!(difference <= 1e-10 * size)) {
      fail_msg("%s: the gradient is off the line in the weight by %.3g of its size", name, sqrt(difference / size));
    }
    if (!(effect > 1e-10 * size)) { fail_msg("%s: the term has no gradient", name); }
    end(&t[0]);
    end(&t[1]);
  }
  end(&plain);
}

static void test_the_teacher_stays_as_it_is(void **state) {
  char text[RECIPE_SIZE];
  for (int d = 0; d < 2; d++) {
    sst_network *fresh = make_teacher(*state, teacher_text);
    const sst_parameters *expected = sst_network_parameters(fresh);
    for (int m = 0; m < sst_distill_method_count(); m++) {
      training t;
      begin(&t, *state, both[d], student_text, section(text, sst_distill_method_name(m), "1"), teacher_text);
      for (int i = 0; i < 2; i++) { step(&t); }
      const sst_parameters *found = sst_network_parameters(t.teacher);
      for (int i = 0; i < sst_parameters_count(expected); i++) {
        const sst_parameter *p = sst_parameters_at(found, i);
        assert_same_bits(p->value, sst_parameters_at(expected, i)->value, p->count);
        for (int64_t k = 0; p->trainable && k < p->count; k++) { assert_true(p->gradient[k] == 0.0f); }
      }
      end(&t);
    }
    sst_network_close(fresh);
  }
}

// Teacher and student of one recipe and seed, without what differs between training and inference. Both temperatures
// alike: with others the teacher asks for another range of logits.
#define EQUAL_KD "{method: kd, teacher_temperature: 3, student_temperature: 3}"
static void check_equal_teacher(sst_context *context, sst_device device, const char *network, const char *term,
                                const char *seeds, bool equal) {
  char teacher[RECIPE_SIZE], distill[RECIPE_SIZE];
  snprintf(teacher, sizeof teacher, DATA "%s\n%s", seeds, network);
  snprintf(distill, sizeof distill, "loss: {weight: 0}\ndistill: [%s]\n", term);
  training t;
  begin(&t, context, device, network, distill, teacher);
  run(&t);
  double largest = 0;
  for (int i = 0; i < sst_parameters_count(t.store); i++) {
    const sst_parameter *p = sst_parameters_at(t.store, i);
    for (int64_t k = 0; k < p->count; k++) { largest = fmax(largest, fabs((double)p->gradient[k])); }
  }
  // By rounding of probabilities in f32, times tau^2 = 9.
  assert_true(equal ? fabs(loss_of(&t)) < 2e-6 : loss_of(&t) > 1e-4);
  assert_true(equal ? largest < 5e-6 : largest > 1e-3);
  end(&t);
}

#define PLAIN_NETWORK(kind)                                                                                            \
  "student: {kind: " kind                                                                                              \
  ", norm: none, layers: [{conv: {out: 5, stride: 2}}, {act: {}}, {avgpool: {}}, {linear: {}}]}\n"

static void test_a_student_equal_to_its_teacher_learns_nothing(void **state) {
  static const char *const alignments[] = {EQUAL_KD,
                                           "{method: hta_kl}",
                                           "{method: lasnn}",
                                           "{method: lasnn, map: feature}",
                                           "{method: feature_kd}",
                                           "{method: sliding_window}",
                                           "{method: md_snn}",
                                           "{method: md_snn, norm: teacher_deviation, step_match: mean}"};
  for (int d = 0; d < 2; d++) {
    check_equal_teacher(*state, both[d], PLAIN_NETWORK("ann"), EQUAL_KD, "seed: 3", true);
    check_equal_teacher(*state, both[d], PLAIN_NETWORK("ann"), EQUAL_KD, "seed: 4", false);
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
      check_equal_teacher(*state, both[d], PLAIN_NETWORK("snn"), alignments[i], "seed: 3", true);
      check_equal_teacher(*state, both[d], PLAIN_NETWORK("snn"), alignments[i], "seed: 4", false);
    }
  }
}

// kd compares after the readout, so a spiking teacher may have any number of steps; md_snn with a rule for them.
static void test_a_spiking_teacher_of_other_steps(void **state) {
  training t;
  char teacher[RECIPE_SIZE];
  snprintf(teacher, sizeof teacher, DATA "seed: 8\n%s", PLAIN_NETWORK("snn"));
  begin(&t, *state, SST_DEVICE_CPU_REFERENCE,
        "student: {kind: snn, timesteps: 2, norm: none, layers: [{conv: {out: 5, stride: 2}}, {act: {}}, {avgpool: {}},"
        " {linear: {}}]}\n",
        "distill: [{method: kd}, {method: md_snn, step_match: first}, {method: md_snn, step_match: mean}]\n", teacher);
  run(&t);
  assert_int_equal(t.loss.part_count, 4);
  for (int i = 1; i < 4; i++) { assert_true((double)*sst_graph_data(t.loss.graph, t.loss.parts[i]) > 1e-4); }
  end(&t);
}

#define LONGER_NETWORK(steps)                                                                                          \
  "student: {kind: snn, timesteps: " steps                                                                             \
  ", norm: none, layers: [{conv: {out: 5, stride: 2}}, {act: {}}, {avgpool: {}}, {linear: {}}]}\n"

// The run that teaches in self_distillation is that of a teacher with the student's own parameters and more steps, and
// follows them as they learn.
static void test_the_longer_run_is_the_students_own(void **state) {
  for (int d = 0; d < 2; d++) {
    training self, taught;
    begin(&self, *state, both[d], LONGER_NETWORK("2"), "distill: [{method: self_distillation, timesteps: 5}]\n", NULL);
    begin(&taught, *state, both[d], LONGER_NETWORK("2"), "distill: [{method: kd}]\n",
          DATA "seed: 3\n" LONGER_NETWORK("5"));
    run(&self);
    run(&taught);
    assert_true(loss_of(&self) == loss_of(&taught));
    for (int i = 0; i < 2; i++) {
      step(&self);
      step(&taught);
    }
    assert_true(loss_of(&self) != loss_of(&taught)); // the teacher stayed behind
    end(&self);
    end(&taught);
  }
}

static void test_what_has_no_longer_run_is_said(void **state) {
  static const char *const texts[] = {"student: {kind: ann, model: mlp}\n",
                                      "student: {kind: snn, model: mlp}\ndata: {name: digits, encoding: poisson}\n"};
  static const char *const found[] = {"found ann and direct", "found snn and a spike encoding"};
  for (int i = 0; i < 2; i++) {
    char text[RECIPE_SIZE];
    snprintf(text, sizeof text, "name: x\n%s%sdistill: [{method: self_distillation}]\n",
             i == 0 ? "data: {name: digits}\n" : "", texts[i]);
    sst_recipe *recipe = read_recipe(*state, text);
    sst_parameters *store = NULL;
    ssti_companions companions;
    ssti_loss_graph loss;
    assert_ok(*state, sst_parameters_create(*state, 1, &store));
    assert_ok(*state, ssti_companions_open(*state, recipe, &companions));
    assert_fails(*state, SST_UNSUPPORTED, ssti_build_loss(recipe, store, NULL, &companions, 0, &loss), found[i]);
    ssti_companions_close(&companions);
    sst_parameters_destroy(store);
    sst_recipe_close(*state, recipe);
  }
}

// The largest difference of two networks' parameters, which have the same names.
static double distance(const sst_parameters *a, const sst_parameters *b) {
  double largest = 0;
  assert_int_equal(sst_parameters_count(a), sst_parameters_count(b));
  for (int i = 0; i < sst_parameters_count(a); i++) {
    const sst_parameter *p = sst_parameters_at(a, i), *q = sst_parameters_find(b, p->name);
    assert_non_null(q);
    for (int64_t k = 0; k < p->count; k++) { largest = fmax(largest, fabs((double)p->value[k] - (double)q->value[k])); }
  }
  return largest;
}

// A twin that learns from the labels changes nothing in the student as long as no term joins the two, whatever its
// kind; and it learns.
static void test_an_unmatched_twin_leaves_the_student_alone(void **state) {
  static const char *const kinds[] = {"same", "ann"};
  for (int d = 0; d < 2; d++) {
    training plain;
    begin(&plain, *state, both[d], student_text, "", NULL);
    for (int i = 0; i < 3; i++) { step(&plain); }
    for (int k = 0; k < 2; k++) {
      char text[RECIPE_SIZE];
      snprintf(text, sizeof text, "twin: {enabled: true, kind: %s}\ndistill: [{method: twin, weight: 0}]\n", kinds[k]);
      training t;
      begin(&t, *state, both[d], student_text, text, NULL);
      const sst_parameters *twin = t.companions.items[0].parameters;
      assert_int_equal(t.loss.part_count, 2);
      assert_string_equal(t.loss.part_names[1], "cross_entropy_twin");
      assert_true(distance(twin, t.store) > 0.01); // other initial values
      step(&t);
      const double first = (double)*sst_graph_data(t.loss.graph, t.loss.parts[1]);
      assert_near(loss_of(&t), (double)*sst_graph_data(t.loss.graph, t.loss.parts[0]) + first, 1e-6, 0);
      for (int i = 0; i < 2; i++) { step(&t); }
      assert_same_parameters(t.store, plain.store);
      sst_network *fresh = make_teacher(*state, DATA "seed: 4\n" NETWORK("snn", "batch"));
      assert_true(distance(twin, sst_network_parameters(fresh)) > 1e-3); // and it has learned from there
      sst_network_close(fresh);
      end(&t);
    }
    end(&plain);
  }
}

// The term moves both: compared with a run in which each learns alone.
static void test_a_matched_twin_changes_both(void **state) {
  training t[2];
  static const char *const weights[] = {"0", "0.5"};
  for (int i = 0; i < 2; i++) {
    char text[RECIPE_SIZE];
    snprintf(text, sizeof text, "twin: {enabled: true}\ndistill: [{method: twin, weight: %s}]\n", weights[i]);
    begin(&t[i], *state, SST_DEVICE_CPU_REFERENCE, student_text, text, NULL);
    step(&t[i]);
  }
  assert_true(distance(t[0].store, t[1].store) > 1e-5);
  assert_true(distance(t[0].companions.items[0].parameters, t[1].companions.items[0].parameters) > 1e-5);
  for (int i = 0; i < 2; i++) { end(&t[i]); }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_weight_zero_is_plain_training),
                                     TEST(test_a_term_counts_between_its_epochs),
                                     TEST(test_terms_enter_with_their_weight),
                                     TEST(test_the_teacher_stays_as_it_is),
                                     TEST(test_a_student_equal_to_its_teacher_learns_nothing),
                                     TEST(test_the_longer_run_is_the_students_own),
                                     TEST(test_what_has_no_longer_run_is_said),
                                     TEST(test_a_spiking_teacher_of_other_steps),
                                     TEST(test_an_unmatched_twin_leaves_the_student_alone),
                                     TEST(test_a_matched_twin_changes_both)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
