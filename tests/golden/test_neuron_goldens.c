// SPDX-License-Identifier: Apache-2.0
// The reference neurons against SpikingJelly's: spikes, membrane before firing, input gradient and PLIF's decay
// gradient in all reset and decay variants. The data and its generator are beside this file.
#include "../support/support.h"

#include "../support/neuron_model.h"

typedef struct golden_file {
  FILE *file;
  int cases, steps, count;
  float threshold;
} golden_file;

static void open_goldens(golden_file *g) {
  char path[TEST_PATH_SIZE], comment[256];
  g->file = fopen(test_source_path(path, "tests/golden/neuron_goldens.txt"), "r");
  assert_non_null(g->file);
  assert_non_null(fgets(comment, sizeof comment, g->file));
  assert_int_equal(fscanf(g->file, "neurons cases=%d steps=%d count=%d threshold=%f", &g->cases, &g->steps, &g->count,
                          &g->threshold),
                   4);
}

static void read_numbers(golden_file *g, const char *name, float *out) {
  char word[32];
  assert_int_equal(fscanf(g->file, "%31s", word), 1);
  assert_string_equal(word, name);
  for (int i = 0; i < g->steps * g->count; i++) { assert_int_equal(fscanf(g->file, "%f", &out[i]), 1); }
}

// Reads a case's first line.
static sst_neuron read_neuron(golden_file *g, float *w, float *dw) {
  char kind[32], surrogate[32];
  int hard, decay_input, detach;
  sst_neuron neuron = sst_neuron_default();
  const int fields =
      fscanf(g->file, " case %31s %31s hard=%d v_reset=%f decay_input=%d detach=%d decay=%f alpha=%f w=%f dw=%f", kind,
             surrogate, &hard, &neuron.v_reset, &decay_input, &detach, &neuron.decay, &neuron.alpha, w, dw);
  assert_int_equal(fields, 10);
  assert_true(sst_neuron_parse(kind, &neuron.kind));
  assert_true(sst_surrogate_parse(surrogate, &neuron.surrogate));
  neuron.threshold = g->threshold;
  neuron.hard_reset = hard != 0;
  neuron.decay_input = decay_input != 0;
  neuron.detach_reset = detach != 0;
  return neuron;
}

// Relative to the largest element: a sum of terms of that size is rounded relative to them.
static void expect_close(const char *what, int number, const float *found, const float *expected, int64_t count) {
  double size = 0, error = 0;
  for (int64_t i = 0; i < count; i++) {
    size = fmax(size, fabs((double)expected[i]));
    const double difference = fabs((double)found[i] - (double)expected[i]);
    if (!(difference <= error)) { error = difference; } // also takes NaN
  }
  if (!(error <= 1e-5 * size)) { fail_msg("case %d: %s differs by %.3g of %.3g", number, what, error, size); }
}

static void check_case(golden_file *g, ssti_backend *backend, int number) {
  float w, dw;
  const ssti_neuron_shape shape = {
      .neuron = read_neuron(g, &w, &dw), .steps = g->steps, .input_steps = g->steps, .count = g->count};
  neuron_arrays c, expected;
  neuron_arrays_begin(&c, &shape, 1);
  neuron_arrays_begin(&expected, &shape, 1);
  c.w = w;
  read_numbers(g, "x", c.x);
  read_numbers(g, "dspikes", c.dspikes);
  read_numbers(g, "dmembrane", c.dmembrane);
  read_numbers(g, "spikes", expected.spikes);
  read_numbers(g, "membrane", expected.membrane);
  read_numbers(g, "dx", expected.dx);
  neuron_forward(backend, &c);
  neuron_backward(backend, &c, false);
  if (shape.neuron.kind != SST_NEURON_LI) { assert_all_equal(c.spikes, expected.spikes, c.out_count); }
  expect_close("spikes", number, c.spikes, expected.spikes, c.out_count);
  expect_close("membrane", number, c.membrane, expected.membrane, c.out_count);
  expect_close("dx", number, c.dx, expected.dx, c.in_count);
  if (shape.neuron.kind == SST_NEURON_PLIF) {
    expect_close("dw", number, &c.dw, &dw, 1);
    // 1 - sigmoid(w) is the decay that belongs to this w.
    assert_near(1.0f - 1.0f / (1.0f + expf(-w)), shape.neuron.decay, 1e-6, 0);
  }
  neuron_arrays_end(&c);
  neuron_arrays_end(&expected);
}

static void test_spikingjelly(void **state) {
  ssti_backend backend = neuron_backend(*state);
  golden_file g;
  open_goldens(&g);
  assert_true(g.cases >= 60);
  for (int number = 0; number < g.cases; number++) { check_case(&g, &backend, number); }
  fclose(g.file);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_spikingjelly)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
