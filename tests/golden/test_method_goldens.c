// SPDX-License-Identifier: Apache-2.0
// Every distillation term against PyTorch: its value, and its gradient at each tap that learns and each parameter of
// its own. The numbers and their format come from make_method_goldens.py, beside this file.
//
// The error is max|difference| / max|expected| of a whole tensor; the golden values were computed in double.
#include "method_case.h"

static const double tolerance = 1e-5;

enum { WORD = 64, VALUE = 512, OPTIONS = 16, TENSORS = 32 };

typedef struct tensor {
  char scope[WORD], name[WORD];
  sst_shape shape;
  float *data;      // as the index has it
  sst_value spikes; // of the scope "spikes": the neurons' output
} tensor;

typedef struct golden {
  FILE *index, *numbers;
  char name[WORD], method[WORD], line[1024];
  char option[2 * OPTIONS][VALUE];
  const char *options[2 * OPTIONS + 1];
  int option_count, input_count, gradient_count;
  tensor inputs[TENSORS], gradients[TENSORS];
  double threshold, value, worst;
} golden;

static tensor *add(tensor *list, int *count) {
  assert_in_range(*count, 0, TENSORS - 1);
  list[*count] = (tensor){.spikes = SST_NO_VALUE};
  return &list[(*count)++];
}

// The shape that ends the line, and the numbers.
static void read_tensor(golden *g, const char *words, tensor *t) {
  long long n[SST_AXIS_COUNT];
  assert_int_equal(sscanf(words, "%lld %lld %lld %lld %lld", &n[0], &n[1], &n[2], &n[3], &n[4]), 5);
  for (int i = 0; i < SST_AXIS_COUNT; i++) { t->shape.dim[i] = n[i]; }
  const size_t count = (size_t)sst_shape_count(t->shape);
  t->data = malloc(count * sizeof(float));
  assert_non_null(t->data);
  assert_int_equal(fread(t->data, sizeof(float), count, g->numbers), count);
}

static void read_option(golden *g) {
  assert_in_range(g->option_count, 0, OPTIONS - 1);
  char(*to)[VALUE] = &g->option[2 * g->option_count++];
  assert_int_equal(sscanf(g->line, "option %511s %511s", to[0], to[1]), 2);
}

// Reads the case whose first line is in g->line, to its "end".
static void read_case(golden *g) {
  g->option_count = g->input_count = g->gradient_count = 0;
  assert_int_equal(sscanf(g->line, "case %63s %63s", g->name, g->method), 2);
  while (fgets(g->line, sizeof g->line, g->index) && strcmp(g->line, "end\n") != 0) {
    char kind[WORD];
    tensor t = {.scope = "", .name = ""};
    int at = 0;
    assert_int_equal(sscanf(g->line, "%63s", kind), 1);
    if (strcmp(kind, "option") == 0) {
      read_option(g);
    } else if (sscanf(g->line, "threshold %lf", &g->threshold) == 1 || sscanf(g->line, "value %lf", &g->value) == 1) {
      continue;
    } else if (sscanf(g->line, "tap %63s %63s %n", t.scope, t.name, &at) == 2 ||
               sscanf(g->line, "gradient %63s %63s %n", t.scope, t.name, &at) == 2) {
      tensor *to = kind[0] == 't' ? add(g->inputs, &g->input_count) : add(g->gradients, &g->gradient_count);
      *to = t;
      read_tensor(g, g->line + at, to);
    } else if (sscanf(g->line, "own %63s %n", t.name, &at) == 1 || strcmp(kind, "target") == 0) {
      strcpy(t.scope, kind);
      tensor *to = add(g->inputs, &g->input_count);
      *to = t;
      read_tensor(g, g->line + (at ? at : (int)strlen("target ")), to);
    } else {
      fail_msg("%s: the index has the line %s", g->name, g->line);
    }
  }
  for (int i = 0; i < 2 * g->option_count; i++) { g->options[i] = g->option[i]; }
  g->options[2 * g->option_count] = NULL;
}

static bool is(const tensor *t, const char *scope) { return strcmp(t->scope, scope) == 0; }

// Neurons without memory, which fire where their input is at least the threshold: their spikes can be chosen.
static void add_spikes(method_case *c, tensor *t) {
  sst_neuron neuron = sst_neuron_default();
  neuron.decay = 0.0f;
  char name[2 * WORD];
  snprintf(name, sizeof name, "parameter.%s", t->name);
  sst_value x = graph_weight(c->graph, name, t->shape);
  snprintf(name, sizeof name, "student.%s", t->name);
  sst_value y = sst_neuron_layer(c->graph, x, t->shape.dim[SST_AXIS_T], &neuron, SST_NONE, NULL);
  t->spikes = sst_graph_tap(c->graph, name, y);
  sst_graph_keep(c->graph, t->spikes);
}

static void add_tap(method_case *c, tensor *t) {
  if (is(t, "student")) { method_student(c, t->name, t->shape); }
  if (is(t, "spikes")) { add_spikes(c, t); }
  if (is(t, "twin")) { method_twin(c, t->name, t->shape); }
  if (is(t, "teacher")) { method_teacher(c, t->name, t->shape); }
  if (is(t, "longer")) { method_longer(c, t->shape); }
  if (is(t, "target")) { method_target(c, t->shape); }
}

static float *parameter_value(const method_case *c, const char *name) {
  char full[2 * WORD];
  snprintf(full, sizeof full, "parameter.%s", name);
  return sst_parameters_find(c->store, full)->value;
}

static void fill(method_case *c, const tensor *t) {
  char full[2 * WORD];
  snprintf(full, sizeof full, "twin.%s", t->name);
  float *to = is(t, "student")   ? method_student_data(c, t->name)
              : is(t, "twin")    ? method_student_data(c, full)
              : is(t, "teacher") ? method_teacher_data(c, t->name)
              : is(t, "target")  ? method_target_data(c)
              : is(t, "own")     ? method_own(c, t->name)->value
              : is(t, "spikes")  ? parameter_value(c, t->name)
              : is(t, "longer")  ? parameter_value(c, "longer")
                                 : NULL;
  assert_non_null(to);
  const int64_t count = sst_shape_count(t->shape);
  for (int64_t i = 0; i < count; i++) { to[i] = is(t, "spikes") ? 2.0f * t->data[i] : t->data[i]; }
}

static const float *gradient(method_case *c, golden *g, const tensor *t) {
  char full[2 * WORD];
  snprintf(full, sizeof full, "parameter.%s%s", is(t, "twin") ? "twin." : "", t->name);
  if (is(t, "own")) { return method_own(c, t->name)->gradient; }
  if (!is(t, "spikes")) { return sst_parameters_find(c->store, full)->gradient; }
  for (int i = 0; i < g->input_count; i++) {
    if (g->inputs[i].spikes >= 0 && strcmp(g->inputs[i].name, t->name) == 0) {
      return sst_graph_gradient(c->graph, g->inputs[i].spikes);
    }
  }
  fail_msg("%s: no spikes %s", g->name, t->name);
  return NULL;
}

static void compare(golden *g, const char *what, const float *found, const float *expected, int64_t count) {
  double size = 0, difference = 0;
  assert_non_null(found);
  for (int64_t i = 0; i < count; i++) {
    const double d = fabs((double)found[i] - (double)expected[i]);
    size = fmax(size, fabs((double)expected[i]));
    if (!(d <= difference)) { difference = d; } // also for NaN
  }
  assert_true(size > 0);
  if (!(difference <= tolerance * size)) {
    fail_msg("%s: %s is wrong by %.3g of its largest value, allowed %.3g", g->name, what, difference / size, tolerance);
  }
  g->worst = fmax(g->worst, difference / size);
}

static void run_case(sst_context *context, golden *g) {
  method_case c;
  method_begin(&c, context, g->method, g->options);
  c.threshold = (float)g->threshold;
  for (int i = 0; i < g->input_count; i++) { add_tap(&c, &g->inputs[i]); }
  method_compile(&c);
  for (int i = 0; i < g->input_count; i++) { fill(&c, &g->inputs[i]); }
  const float found = (float)method_value(&c), expected = (float)g->value;
  compare(g, "the value", &found, &expected, 1);
  sst_graph_backward(c.graph);
  for (int i = 0; i < g->gradient_count; i++) {
    const tensor *t = &g->gradients[i];
    char what[3 * WORD];
    snprintf(what, sizeof what, "the gradient of %s %s", t->scope, t->name);
    compare(g, what, gradient(&c, g, t), t->data, sst_shape_count(t->shape));
  }
  method_end(&c);
  for (int i = 0; i < g->input_count; i++) { free(g->inputs[i].data); }
  for (int i = 0; i < g->gradient_count; i++) { free(g->gradients[i].data); }
}

static void test_goldens(void **state) {
  char path[TEST_PATH_SIZE];
  golden *g = calloc(1, sizeof *g);
  assert_non_null(g);
  g->index = fopen(test_source_path(path, "tests/golden/method_goldens.txt"), "r");
  g->numbers = fopen(test_source_path(path, "tests/golden/method_goldens.bin"), "rb");
  assert_non_null(g->index);
  assert_non_null(g->numbers);
  int cases[64] = {0}, total = 0;
  const int methods = sst_distill_method_count();
  assert_in_range(methods, 1, 64);
  while (fgets(g->line, sizeof g->line, g->index)) {
    if (strncmp(g->line, "case ", 5) != 0) { continue; }
    read_case(g);
    run_case(*state, g);
    total++;
    for (int i = 0; i < methods; i++) { cases[i] += strcmp(sst_distill_method_name(i), g->method) == 0; }
  }
  assert_int_equal(fgetc(g->numbers), EOF);
  for (int i = 0; i < methods; i++) {
    if (cases[i] == 0) { fail_msg("no golden values of method %s", sst_distill_method_name(i)); }
  }
  print_message("%d cases, the largest error is %.2g\n", total, g->worst);
  fclose(g->index);
  fclose(g->numbers);
  free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_goldens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
