// SPDX-License-Identifier: Apache-2.0
// The reference neurons: traces computed by hand, the firing rule at its edge, conservation of charge, the identities
// between models and between ways of calling, and the same bits for any number of threads.
#include "../support/support.h"

#include "../support/neuron_model.h"
#include "neuron/dynamics.h"

// The numbers of the traces are sums of powers of two, so that f32 is exact and the comparison is for equality.
static void expect_trace(sst_context *context, const sst_neuron *neuron, const float *x, const float *membrane,
                         const float *spikes, int steps) {
  ssti_backend backend = neuron_backend(context);
  const ssti_neuron_shape shape = {.neuron = *neuron, .steps = steps, .input_steps = steps, .count = 1};
  neuron_arrays c;
  neuron_arrays_begin(&c, &shape, 1);
  memcpy(c.x, x, (size_t)steps * sizeof *x);
  c.w = ssti_neuron_decay_parameter(neuron->decay);
  neuron_forward(&backend, &c);
  assert_all_equal(c.membrane, membrane, steps);
  assert_all_equal(c.spikes, spikes, steps);
  neuron_arrays_end(&c);
}

static sst_neuron neuron_of(sst_neuron_kind kind, bool hard, bool decay_input) {
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = kind;
  neuron.hard_reset = hard;
  neuron.decay_input = decay_input;
  return neuron;
}

static void test_trace_if(void **state) {
  const float x[] = {0.5f, 0.75f, 0.25f, 2.0f, 0.0f};
  const sst_neuron hard = neuron_of(SST_NEURON_IF, true, false);
  expect_trace(*state, &hard, x, (float[]){0.5f, 1.25f, 0.25f, 2.25f, 0.0f}, (float[]){0, 1, 0, 1, 0}, 5);
  const sst_neuron soft = neuron_of(SST_NEURON_IF, false, false);
  expect_trace(*state, &soft, x, (float[]){0.5f, 1.25f, 0.5f, 2.5f, 1.5f}, (float[]){0, 1, 0, 1, 1}, 5);
  // IF knows no decay, whatever the fields say.
  const sst_neuron odd = neuron_of(SST_NEURON_IF, true, true);
  expect_trace(*state, &odd, x, (float[]){0.5f, 1.25f, 0.25f, 2.25f, 0.0f}, (float[]){0, 1, 0, 1, 0}, 5);
}

static void test_trace_lif(void **state) {
  const float x[] = {0.5f, 1.0f, 0.5f, 0.5f};
  const sst_neuron hard = neuron_of(SST_NEURON_LIF, true, false);
  expect_trace(*state, &hard, x, (float[]){0.5f, 1.25f, 0.5f, 0.75f}, (float[]){0, 1, 0, 0}, 4);
  const sst_neuron soft = neuron_of(SST_NEURON_LIF, false, false);
  expect_trace(*state, &soft, x, (float[]){0.5f, 1.25f, 0.625f, 0.8125f}, (float[]){0, 1, 0, 0}, 4);
  const sst_neuron decayed = neuron_of(SST_NEURON_LIF, false, true);
  expect_trace(*state, &decayed, (float[]){1, 2, 1}, (float[]){0.5f, 1.25f, 0.625f}, (float[]){0, 1, 0}, 3);
  // v_reset -0.5, also the rest and the start: H = -0.5 + (u + 0.5) / 2 + x.
  sst_neuron below = hard;
  below.v_reset = -0.5f;
  expect_trace(*state, &below, (float[]){1, 1, 0}, (float[]){0.5f, 1.0f, -0.5f}, (float[]){0, 1, 0}, 3);
}

static void test_trace_plif(void **state) {
  const sst_neuron plif = neuron_of(SST_NEURON_PLIF, true, false); // w = 0: decay 0.5
  expect_trace(*state, &plif, (float[]){0.5f, 1.0f, 0.5f, 0.5f}, (float[]){0.5f, 1.25f, 0.5f, 0.75f},
               (float[]){0, 1, 0, 0}, 4);
}

static void test_trace_li(void **state) {
  const sst_neuron li = neuron_of(SST_NEURON_LI, false, false);
  const float h[] = {4.0f, 4.0f, 2.0f, 1.5f};
  expect_trace(*state, &li, (float[]){4.0f, 2.0f, 0.0f, 0.5f}, h, h, 4);
}

static void test_trace_cubalif(void **state) {
  sst_neuron cuba = neuron_of(SST_NEURON_CUBALIF, false, false);
  cuba.current_decay = 0.25f;
  // I: 1, 0.25, 0.0625; u: 0, 0.25, ...
  expect_trace(*state, &cuba, (float[]){1, 0, 0}, (float[]){1.0f, 0.25f, 0.1875f}, (float[]){1, 0, 0}, 3);
  cuba.decay_input = true; // I: 0.75, 0.1875
  expect_trace(*state, &cuba, (float[]){1, 0}, (float[]){0.75f, 0.5625f}, (float[]){0, 0}, 2);
}

static void test_trace_alif(void **state) {
  sst_neuron alif = neuron_of(SST_NEURON_ALIF, false, false);
  alif.adaptation = 0.5f;
  alif.adaptation_decay = 0.5f;
  // theta: 1, 1.5, 1.25, 1.625; the soft reset subtracts it. u: 0.5, 1.25, 0.375, ...
  expect_trace(*state, &alif, (float[]){1.5f, 1.0f, 1.0f, 1.4375f}, (float[]){1.5f, 1.25f, 1.625f, 1.625f},
               (float[]){1, 0, 1, 1}, 4);
}

static void run_both(ssti_backend *backend, neuron_arrays *c, const ssti_neuron_shape *shape);

// The share of the way from rest to the threshold; LI has no threshold to be on the way to.
static void test_initial_membrane(void **state) {
  sst_neuron soft = neuron_of(SST_NEURON_IF, false, false);
  soft.initial_membrane = 0.5f;
  expect_trace(*state, &soft, (float[]){0.25f, 0.25f, 0.25f}, (float[]){0.75f, 1.0f, 0.25f}, (float[]){0, 1, 0}, 3);
  sst_neuron hard = neuron_of(SST_NEURON_LIF, true, false); // rest -1: starts at 0, H = -1 + (u + 1) / 2 + x
  hard.initial_membrane = 0.5f;
  hard.v_reset = -1.0f;
  expect_trace(*state, &hard, (float[]){0.0f, 0.0f}, (float[]){-0.5f, -0.75f}, (float[]){0, 0}, 2);
  sst_neuron li = neuron_of(SST_NEURON_LI, false, false);
  li.initial_membrane = 0.5f;
  expect_trace(*state, &li, (float[]){1.0f}, (float[]){1.0f}, (float[]){1.0f}, 1);
  soft.initial_membrane = 1.5f;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &soft), "initial_membrane is 1.5");
}

// Steps in two calls, with the state carried over, are the steps in one.
static void test_state_is_carried(void **state) {
  enum { STEPS = 9, FIRST = 4, COUNT = 300 };
  ssti_backend backend = neuron_backend(*state);
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    ssti_neuron_shape shape = {
        .neuron = neuron_of((sst_neuron_kind)kind, false, true), .steps = STEPS, .input_steps = STEPS, .count = COUNT};
    shape.neuron.initial_membrane = 0.25f;
    neuron_arrays whole;
    run_both(&backend, &whole, &shape);
    float *carried = neuron_floats(ssti_neuron_state_rows(shape.neuron.kind) * COUNT);
    float *spikes = neuron_floats(STEPS * COUNT);
    shape.state = carried;
    shape.steps = shape.input_steps = FIRST;
    const float *w = neuron_w(&whole);
    backend.kernels.neuron_forward(&backend, &shape, whole.x, w, spikes, NULL, NULL);
    shape.resumes = true;
    shape.steps = shape.input_steps = STEPS - FIRST;
    backend.kernels.neuron_forward(&backend, &shape, whole.x + FIRST * COUNT, w, spikes + FIRST * COUNT, NULL, NULL);
    assert_same_bits(spikes, whole.spikes, STEPS * COUNT);
    neuron_arrays_end(&whole);
    free(carried);
    free(spikes);
  }
}

// Fires exactly at the threshold and not one f32 below it.
static void test_fires_at_the_threshold(void **state) {
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    if (kind == SST_NEURON_LI) { continue; }
    sst_neuron neuron = neuron_of((sst_neuron_kind)kind, false, false);
    neuron.threshold = 0.7f;
    const float below = nextafterf(0.7f, 0.0f);
    expect_trace(*state, &neuron, (float[]){0.7f}, (float[]){0.7f}, (float[]){1}, 1);
    expect_trace(*state, &neuron, &below, &below, (float[]){0}, 1);
  }
}

// 3 bits, range 1: D = 1/4, Q = 3, so that states end at 3/4. A half is rounded up, also below 0.
static void test_trace_on_a_grid(void **state) {
  sst_neuron lif = neuron_of(SST_NEURON_LIF, true, false);
  lif.membrane_bits = 3;
  // u / 2 = 0.3125 -> 0.25; H = 0.875, 0.4375 -> 0.5; fires; then -0.375 -> -0.25 (a half up), -4 -> -0.75 (clipped).
  expect_trace(*state, &lif, (float[]){0.625f, 0.625f, 1.0f, -0.75f, -7.75f, 0.0f},
               (float[]){0.625f, 0.875f, 1.5f, -0.75f, -8.0f, -0.75f}, (float[]){0, 0, 1, 0, 0, 0}, 6);
  lif.decay = 0.752f; // 192.5 / 256 is 0.75195, so 193 / 256 = 0.75390625: 0.5 * that = 1.508 D -> 2 D, not 1.504 D
  expect_trace(*state, &lif, (float[]){0.49805f, 0.0f}, (float[]){0.49805f, 0.5f}, (float[]){0, 0}, 2);
  sst_neuron soft = neuron_of(SST_NEURON_IF, false, false);
  soft.membrane_bits = 4; // D = 1/8, up to 7/8
  expect_trace(*state, &soft, (float[]){2.5f, 0.0625f, 0.125f, 0.1875f}, (float[]){2.5f, 0.9375f, 1.0f, 0.1875f},
               (float[]){1, 0, 1, 0}, 4);
  soft.initial_membrane = 0.34f; // 2.72 D -> 3 D
  expect_trace(*state, &soft, (float[]){0.25f}, (float[]){0.625f}, (float[]){0}, 1);
  sst_neuron plif = neuron_of(SST_NEURON_PLIF, true, true); // w = 0: decay 0.5
  plif.membrane_bits = 2;                                   // D = 1/2, up to 1/2
  expect_trace(*state, &plif, (float[]){1, 1, 1}, (float[]){0.5f, 1.0f, 0.5f}, (float[]){0, 1, 0}, 3);
}

// The rule is floor(x + 1/2) of the real number, also where the sum would be rounded in f32.
static void test_rounding_rule(void **state) {
  (void)state;
  const float cases[][2] = {{0.5f, 1},   {-0.5f, 0},  {1.5f, 2},        {2.5f, 3},
                            {-1.5f, -1}, {-2.5f, -2}, {0.49999997f, 0}, {-0.50000006f, -1},
                            {3.0f, 3},   {-3.0f, -3}, {0.0f, 0},        {1048575.5f, 1048576}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_true(ssti_round_half_up(cases[i][0]) == cases[i][1]);
  }
  for (int i = -4096; i <= 4096; i++) {
    const float x = (float)i / 64;
    assert_true(ssti_round_half_up(x) == floorf(x + 0.5f));
  }
}

static void test_grid_ranges(void **state) {
  sst_neuron neuron = neuron_of(SST_NEURON_LIF, true, false);
  neuron.membrane_bits = 1;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron),
               "the neuron's membrane has 1 bits, expected 0 (full precision) or 2 to 16");
  neuron.membrane_bits = 17;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron), "17 bits");
  neuron.membrane_bits = 4;
  assert_ok(*state, ssti_neuron_check(*state, &neuron));
  neuron.v_reset = -0.25f;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron), "v_reset is -0.25, expected 0");
  neuron = neuron_of(SST_NEURON_ALIF, true, false);
  neuron.membrane_bits = 4;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron),
               "kind is alif, expected if, lif or plif");
  neuron = neuron_of(SST_NEURON_IF, false, false);
  neuron.membrane_bits = 4;
  neuron.threshold = 0.7f;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron), "expected a multiple of 0.125");
  neuron.membrane_range = 0.0f;
  assert_fails(*state, SST_INVALID_ARGUMENT, ssti_neuron_check(*state, &neuron), "membrane_range is 0");
}

// The last step is not forgotten: an input there makes a spike there.
static void test_last_step_counts(void **state) {
  const sst_neuron neuron = neuron_of(SST_NEURON_LIF, true, false);
  for (int steps = 1; steps <= 9; steps++) {
    float x[9] = {0}, spikes[9] = {0};
    x[steps - 1] = spikes[steps - 1] = 1.0f;
    expect_trace(*state, &neuron, x, x, spikes, steps);
  }
}

// IF with soft reset: sum of inputs = threshold * spikes + what is left in the membrane. Exact on multiples of 1/8.
static void test_charge_is_conserved(void **state) {
  enum { STEPS = 40, COUNT = 33 };
  ssti_backend backend = neuron_backend(*state);
  const ssti_neuron_shape shape = {
      .neuron = neuron_of(SST_NEURON_IF, false, false), .steps = STEPS, .input_steps = STEPS, .count = COUNT};
  neuron_arrays c;
  neuron_arrays_begin(&c, &shape, 5);
  fill_integers(c.x, c.in_count, 10, 3);
  for (int64_t i = 0; i < c.in_count; i++) { c.x[i] /= 8; }
  neuron_forward(&backend, &c);
  double total_spikes = 0;
  for (int i = 0; i < COUNT; i++) {
    double in = 0, fired = 0;
    for (int t = 0; t < STEPS; t++) {
      in += (double)c.x[t * COUNT + i];
      fired += (double)c.spikes[t * COUNT + i];
    }
    const int64_t last = (STEPS - 1) * COUNT + i;
    const double left = (double)c.membrane[last] - (double)c.spikes[last];
    assert_true(in == fired + left);
    total_spikes += fired;
  }
  assert_true(total_spikes > COUNT);
  neuron_arrays_end(&c);
}

static void run_both(ssti_backend *backend, neuron_arrays *c, const ssti_neuron_shape *shape) {
  neuron_arrays_begin(c, shape, 11);
  neuron_forward(backend, c);
  neuron_backward(backend, c, false);
}

static void expect_same(const neuron_arrays *a, const neuron_arrays *b) {
  assert_int_equal(a->out_count, b->out_count);
  assert_same_bits(a->spikes, b->spikes, a->out_count);
  assert_same_bits(a->membrane, b->membrane, a->out_count);
  assert_same_bits(a->dx, b->dx, a->in_count);
  if (a->shape.neuron.kind == SST_NEURON_PLIF && b->shape.neuron.kind == SST_NEURON_PLIF) {
    assert_same_bits(&a->dw, &b->dw, 1);
  }
}

static void test_lif_without_leak_is_if(void **state) {
  ssti_backend backend = neuron_backend(*state);
  for (int hard = 0; hard < 2; hard++) {
    ssti_neuron_shape shape = {
        .neuron = neuron_of(SST_NEURON_IF, hard, false), .steps = 12, .input_steps = 12, .count = 301};
    shape.neuron.v_reset = -0.3f;
    neuron_arrays a, b;
    run_both(&backend, &a, &shape);
    shape.neuron.kind = SST_NEURON_LIF;
    shape.neuron.decay = 1.0f;
    run_both(&backend, &b, &shape);
    expect_same(&a, &b);
    neuron_arrays_end(&a);
    neuron_arrays_end(&b);
  }
}

static void test_alif_without_adaptation_is_lif(void **state) {
  ssti_backend backend = neuron_backend(*state);
  ssti_neuron_shape shape = {
      .neuron = neuron_of(SST_NEURON_LIF, false, true), .steps = 7, .input_steps = 7, .count = 50};
  shape.neuron.detach_reset = false;
  neuron_arrays a, b;
  run_both(&backend, &a, &shape);
  shape.neuron.kind = SST_NEURON_ALIF;
  shape.neuron.adaptation = 0.0f;
  run_both(&backend, &b, &shape);
  assert_same_bits(a.spikes, b.spikes, a.out_count);
  assert_all_equal(a.dx, b.dx, a.in_count); // +0 and -0 may differ
  neuron_arrays_end(&a);
  neuron_arrays_end(&b);
}

// x given once is x given at every step, and its gradient the sum over steps.
static void test_repeated_input(void **state) {
  enum { STEPS = 5, COUNT = 300 };
  ssti_backend backend = neuron_backend(*state);
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    ssti_neuron_shape shape = {
        .neuron = neuron_of((sst_neuron_kind)kind, true, true), .steps = STEPS, .input_steps = 1, .count = COUNT};
    neuron_arrays once, each;
    run_both(&backend, &once, &shape);
    shape.input_steps = STEPS;
    neuron_arrays_begin(&each, &shape, 11);
    for (int t = 0; t < STEPS; t++) { memcpy(each.x + t * COUNT, once.x, COUNT * sizeof(float)); }
    neuron_forward(&backend, &each);
    neuron_backward(&backend, &each, false);
    assert_same_bits(once.spikes, each.spikes, once.out_count);
    assert_same_bits(once.membrane, each.membrane, once.out_count);
    for (int i = 0; i < COUNT; i++) {
      double sum = 0;
      for (int t = 0; t < STEPS; t++) { sum += (double)each.dx[t * COUNT + i]; }
      assert_near(once.dx[i], sum, 1e-6, 1e-6);
    }
    if (kind == SST_NEURON_PLIF) { assert_near(once.dw, each.dw, 1e-6, 0); }
    neuron_arrays_end(&once);
    neuron_arrays_end(&each);
  }
}

// Awkward counts around the chunk, many steps (so that several threads are used) and few.
static void test_threads_give_the_same_bits(void **state) {
  (void)state;
  static const int64_t counts[] = {1, 255, 256, 257, 1000, 2311};
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
      const ssti_neuron_shape shape = {.neuron = neuron_of((sst_neuron_kind)kind, false, true),
                                       .steps = 90,
                                       .input_steps = i % 2 ? 1 : 90,
                                       .count = counts[i]};
      neuron_arrays results[3];
      for (int threads = 1; threads <= 3; threads++) {
        sst_context *context = test_context_with_threads(threads);
        ssti_backend backend = neuron_backend(context);
        run_both(&backend, &results[threads - 1], &shape);
        test_context_end(context);
      }
      expect_same(&results[0], &results[1]);
      expect_same(&results[0], &results[2]);
      for (int r = 0; r < 3; r++) { neuron_arrays_end(&results[r]); }
    }
  }
}

// A neuron does not see its neighbours: each alone gives what all together give.
static void test_neurons_are_independent(void **state) {
  enum { STEPS = 4, COUNT = 259 };
  ssti_backend backend = neuron_backend(*state);
  ssti_neuron_shape shape = {
      .neuron = neuron_of(SST_NEURON_PLIF, true, true), .steps = STEPS, .input_steps = STEPS, .count = COUNT};
  neuron_arrays all;
  run_both(&backend, &all, &shape);
  shape.count = 1;
  double dw = 0;
  for (int i = 0; i < COUNT; i++) {
    neuron_arrays one;
    neuron_arrays_begin(&one, &shape, 1);
    for (int t = 0; t < STEPS; t++) {
      one.x[t] = all.x[t * COUNT + i];
      one.dspikes[t] = all.dspikes[t * COUNT + i];
      one.dmembrane[t] = all.dmembrane[t * COUNT + i];
    }
    neuron_forward(&backend, &one);
    neuron_backward(&backend, &one, false);
    for (int t = 0; t < STEPS; t++) {
      assert_true(one.spikes[t] == all.spikes[t * COUNT + i] && one.dx[t] == all.dx[t * COUNT + i]);
    }
    dw += (double)one.dw;
    neuron_arrays_end(&one);
  }
  assert_near(all.dw, dw, 1e-5, 0);
  neuron_arrays_end(&all);
}

// accumulate adds; a missing gradient is zero; an unwanted result is not written.
static void test_gradient_arguments(void **state) {
  ssti_backend backend = neuron_backend(*state);
  for (int repeated = 0; repeated < 2; repeated++) {
    const ssti_neuron_shape shape = {
        .neuron = neuron_of(SST_NEURON_PLIF, false, true), .steps = 3, .input_steps = repeated ? 1 : 3, .count = 600};
    neuron_arrays a, b;
    run_both(&backend, &a, &shape);
    neuron_arrays_begin(&b, &shape, 11);
    for (int64_t i = 0; i < b.in_count; i++) { b.dx[i] = 2.0f; }
    b.dw = 3.0f;
    neuron_backward(&backend, &b, true);
    for (int64_t i = 0; i < b.in_count; i++) { assert_true(b.dx[i] == 2.0f + a.dx[i]); }
    assert_true(b.dw == 3.0f + a.dw);

    memset(b.dmembrane, 0, (size_t)b.out_count * sizeof(float));
    neuron_backward(&backend, &b, false);
    const float dw = b.dw;
    b.dw = NAN;
    backend.kernels.neuron_backward(&backend, &shape, b.x, &b.w, b.dspikes, NULL, a.dx, false, &b.dw, false,
                                    b.workspace);
    assert_same_bits(a.dx, b.dx, b.in_count);
    assert_true(b.dw == dw);
    backend.kernels.neuron_backward(&backend, &shape, b.x, &b.w, b.dspikes, NULL, NULL, false, &b.dw, false,
                                    b.workspace);
    assert_true(b.dw == dw);
    backend.kernels.neuron_backward(&backend, &shape, b.x, &b.w, NULL, NULL, a.dx, false, NULL, false, b.workspace);
    for (int64_t i = 0; i < b.in_count; i++) { assert_true(a.dx[i] == 0.0f); }
    neuron_arrays_end(&a);
    neuron_arrays_end(&b);
  }
}

static void test_no_neurons(void **state) {
  ssti_backend backend = neuron_backend(*state);
  const ssti_neuron_shape shape = {
      .neuron = neuron_of(SST_NEURON_PLIF, true, false), .steps = 4, .input_steps = 4, .count = 0};
  neuron_arrays c;
  run_both(&backend, &c, &shape);
  assert_true(c.dw == 0.0f);
  neuron_arrays_end(&c);
}

static void test_decay_parameter(void **state) {
  (void)state;
  for (float decay = 0.05f; decay < 1.0f; decay += 0.05f) {
    sst_neuron neuron = neuron_of(SST_NEURON_PLIF, true, true);
    const float w = ssti_neuron_decay_parameter(decay);
    const ssti_dynamics d = ssti_dynamics_make(&neuron, &w);
    assert_near(d.decay, decay, 1e-6, 0);
    assert_near(d.gain, 1.0f - decay, 1e-6, 0);
  }
  assert_true(isfinite(ssti_neuron_decay_parameter(0.0f)) && isfinite(ssti_neuron_decay_parameter(1.0f)));
}

static void test_words(void **state) {
  (void)state;
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    sst_neuron_kind parsed = SST_NEURON_COUNT;
    assert_true(sst_neuron_parse(sst_neuron_word((sst_neuron_kind)kind), &parsed));
    assert_int_equal(parsed, kind);
  }
  sst_neuron_kind untouched = SST_NEURON_LI;
  assert_false(sst_neuron_parse("LIF", &untouched));
  assert_int_equal(untouched, SST_NEURON_LI);
  assert_string_equal(sst_neuron_word(SST_NEURON_COUNT), "unknown");
}

static void test_ranges(void **state) {
  sst_context *context = *state;
  sst_neuron good = sst_neuron_default();
  for (int kind = 0; kind < SST_NEURON_COUNT; kind++) {
    good.kind = (sst_neuron_kind)kind;
    assert_ok(context, ssti_neuron_check(context, &good));
  }
#define EXPECT_BAD(neuron_kind, field, value, part)                                                                    \
  do {                                                                                                                 \
    sst_neuron bad = sst_neuron_default();                                                                             \
    bad.kind = (neuron_kind);                                                                                          \
    bad.field = (value);                                                                                               \
    assert_fails(context, SST_INVALID_ARGUMENT, ssti_neuron_check(context, &bad), part);                               \
  } while (0)
  EXPECT_BAD(SST_NEURON_LIF, decay, 1.5f, "decay is 1.5, expected 0 to 1");
  EXPECT_BAD(SST_NEURON_LIF, decay, NAN, "decay is nan");
  EXPECT_BAD(SST_NEURON_LIF, threshold, 0.0f, "threshold is 0");
  EXPECT_BAD(SST_NEURON_LIF, alpha, -1.0f, "alpha is -1");
  EXPECT_BAD(SST_NEURON_LIF, v_reset, 1.0f, "v_reset is 1");
  EXPECT_BAD(SST_NEURON_LIF, surrogate, SST_SURROGATE_COUNT, "surrogate is 9");
  EXPECT_BAD(SST_NEURON_COUNT, decay, 0.5f, "kind is 6");
  EXPECT_BAD(SST_NEURON_CUBALIF, current_decay, -0.1f, "current_decay is -0.1");
  EXPECT_BAD(SST_NEURON_ALIF, adaptation, -1.0f, "adaptation is -1");
  EXPECT_BAD(SST_NEURON_ALIF, adaptation_decay, 2.0f, "adaptation_decay is 2");
#undef EXPECT_BAD
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_trace_if),
      TEST(test_trace_lif),
      TEST(test_trace_plif),
      TEST(test_trace_li),
      TEST(test_trace_cubalif),
      TEST(test_trace_alif),
      TEST(test_trace_on_a_grid),
      TEST(test_rounding_rule),
      TEST(test_grid_ranges),
      TEST(test_initial_membrane),
      TEST(test_state_is_carried),
      TEST(test_fires_at_the_threshold),
      TEST(test_last_step_counts),
      TEST(test_charge_is_conserved),
      TEST(test_lif_without_leak_is_if),
      TEST(test_alif_without_adaptation_is_lif),
      TEST(test_repeated_input),
      TEST(test_threads_give_the_same_bits),
      TEST(test_neurons_are_independent),
      TEST(test_gradient_arguments),
      TEST(test_no_neurons),
      TEST(test_decay_parameter),
      TEST(test_words),
      TEST(test_ranges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
