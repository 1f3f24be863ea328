// SPDX-License-Identifier: Apache-2.0
// Backward through time of every neuron with every surrogate and option, three ways:
//   1. the kernel's forward (f32) is the model's forward (double, tests/support/neuron_model.h);
//   2. on the smoothed forward, the model's tangents are the differences of the model's values, so they are right;
//   3. the kernel's gradient of each single input, of w, is the model's tangent along it.
// With `detach_reset` no difference quotient exists (the forward pass does not change): there 3. holds the kernel
// against tangents in which the reset's spike is a constant.
#include "../support/support.h"

#include "../support/neuron_model.h"

enum { STEPS = 6, COUNT = 3, INPUTS = STEPS * COUNT };

static void describe(const ssti_neuron_shape *shape, char *text, size_t size) {
  const sst_neuron *p = &shape->neuron;
  snprintf(text, size, "%s, %s, %s reset%s%s%s, input steps %d", sst_neuron_word(p->kind),
           sst_surrogate_word(p->surrogate), p->hard_reset ? "hard" : "soft", p->decay_input ? ", decayed input" : "",
           p->detach_reset ? ", detached" : "", shape->smooth ? ", smooth" : "", (int)shape->input_steps);
}

static void expect_near(const ssti_neuron_shape *shape, const char *what, double found, double expected,
                        double tolerance) {
  if (fabs(found - expected) <= tolerance * (1 + fabs(expected))) { return; }
  char text[160];
  describe(shape, text, sizeof text);
  fail_msg("%s: %s is %.9g, expected %.9g", text, what, found, expected);
}

// The f32 forward follows the model in double; spikes of the step are the same ones.
static void check_forward(const neuron_arrays *c, const dual *x, dual w) {
  dual spikes[STEPS], membrane[STEPS];
  for (int64_t i = 0; i < COUNT; i++) {
    model_neuron(&c->shape, x, w, i, spikes, membrane);
    for (int64_t t = 0; t < STEPS; t++) {
      expect_near(&c->shape, "spike", (double)c->spikes[t * COUNT + i], spikes[t].value, 1e-5);
      expect_near(&c->shape, "membrane", (double)c->membrane[t * COUNT + i], membrane[t].value, 1e-5);
    }
  }
}

// Differences in double over +-1e-5: truncation about 1e-9, rounding 1e-11.
static void check_differences(const neuron_arrays *c, dual *x, dual w, double tangent) {
  const double step = 1e-5;
  dual up_x[INPUTS], down_x[INPUTS];
  for (int64_t i = 0; i < c->in_count; i++) {
    up_x[i] = dual_constant(x[i].value + step * x[i].tangent);
    down_x[i] = dual_constant(x[i].value - step * x[i].tangent);
  }
  const double up =
      model_projection(&c->shape, up_x, dual_constant(w.value + step * w.tangent), c->dspikes, c->dmembrane).value;
  const double down =
      model_projection(&c->shape, down_x, dual_constant(w.value - step * w.tangent), c->dspikes, c->dmembrane).value;
  expect_near(&c->shape, "the model's tangent", tangent, (up - down) / (2 * step), 1e-6);
}

static void check_case(ssti_backend *backend, const ssti_neuron_shape *shape, uint32_t salt) {
  neuron_arrays c;
  neuron_arrays_begin(&c, shape, salt);
  neuron_forward(backend, &c);
  neuron_backward(backend, &c, false);

  dual x[INPUTS], w = dual_constant((double)c.w);
  for (int64_t i = 0; i < c.in_count; i++) { x[i] = dual_constant((double)c.x[i]); }
  check_forward(&c, x, w);
  // f32 over a few steps with slopes up to alpha at each: 3e-5 of the gradient.
  const double tolerance = 3e-5;
  for (int64_t i = 0; i < c.in_count; i++) {
    x[i].tangent = 1;
    const double expected = model_projection(shape, x, w, c.dspikes, c.dmembrane).tangent;
    expect_near(shape, "dx", (double)c.dx[i], expected, tolerance);
    x[i].tangent = 0;
  }
  if (shape->neuron.kind == SST_NEURON_PLIF) {
    w.tangent = 1;
    const double expected = model_projection(shape, x, w, c.dspikes, c.dmembrane).tangent;
    expect_near(shape, "dw", (double)c.dw, expected, tolerance);
  }
  if (shape->smooth && !shape->neuron.detach_reset) {
    // A decay in steps of 1/256 has no differences; its straight-through tangent was compared above.
    w.tangent = shape->neuron.kind == SST_NEURON_PLIF && shape->neuron.membrane_bits == 0 ? 0.7 : 0;
    for (int64_t i = 0; i < c.in_count; i++) { x[i].tangent = sin(1.0 + 2.0 * (double)i); }
    check_differences(&c, x, w, model_projection(shape, x, w, c.dspikes, c.dmembrane).tangent);
  }
  neuron_arrays_end(&c);
}

static sst_neuron neuron_of(int kind, int surrogate, int options) {
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = (sst_neuron_kind)kind;
  neuron.decay = 0.7f;
  neuron.threshold = 0.8f;
  neuron.hard_reset = options & 1;
  neuron.v_reset = -0.2f;
  neuron.decay_input = options & 2;
  neuron.detach_reset = options & 4;
  neuron.initial_membrane = options & 2 ? 0.5f : 0.0f;
  neuron.current_decay = 0.4f;
  neuron.adaptation = 0.5f;
  neuron.adaptation_decay = 0.6f;
  neuron.surrogate = (sst_surrogate_kind)surrogate;
  neuron.alpha = 1.3f;
  return neuron;
}

static void check_kind(sst_context *context, int kind) {
  ssti_backend backend = neuron_backend(context);
  uint32_t salt = 1;
  for (int surrogate = 0; surrogate < SST_SURROGATE_COUNT; surrogate++) {
    for (int options = 0; options < 8; options++) {
      for (int smooth = 0; smooth < 2; smooth++) {
        for (int repeated = 0; repeated < 2; repeated++) {
          const ssti_neuron_shape shape = {.neuron = neuron_of(kind, surrogate, options),
                                           .steps = STEPS,
                                           .input_steps = repeated ? 1 : STEPS,
                                           .count = COUNT,
                                           .smooth = smooth};
          check_case(&backend, &shape, salt++);
        }
      }
    }
  }
}

// With stored states on a grid. Smoothed, nothing is rounded, but clipped; the coarse range makes that happen.
static void test_on_a_grid(void **state) {
  ssti_backend backend = neuron_backend(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  uint32_t salt = 1;
  for (int kind = 0; kind < 3; kind++) {
    for (int options = 0; options < 8; options++) {
      for (int bits = 2; bits <= 6; bits += 2) {
        for (int variant = 0; variant < 4; variant++) {
          ssti_neuron_shape shape = {.neuron = neuron_of((int)kinds[kind], SST_SURROGATE_ARCTAN, options),
                                     .steps = STEPS,
                                     .input_steps = variant & 1 ? 1 : STEPS,
                                     .count = COUNT,
                                     .smooth = variant & 2};
          shape.neuron.threshold = 1.0f; // a multiple of the step
          shape.neuron.v_reset = 0.0f;
          shape.neuron.initial_membrane = bits == 4 ? 0.3f : 0.0f;
          shape.neuron.membrane_bits = bits;
          shape.neuron.membrane_range = 0.6f;
          check_case(&backend, &shape, salt++);
        }
      }
    }
  }
}

static void test_if(void **state) { check_kind(*state, SST_NEURON_IF); }
static void test_lif(void **state) { check_kind(*state, SST_NEURON_LIF); }
static void test_plif(void **state) { check_kind(*state, SST_NEURON_PLIF); }
static void test_li(void **state) { check_kind(*state, SST_NEURON_LI); }
static void test_cubalif(void **state) { check_kind(*state, SST_NEURON_CUBALIF); }
static void test_alif(void **state) { check_kind(*state, SST_NEURON_ALIF); }

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_if),      TEST(test_lif),  TEST(test_plif),     TEST(test_li),
                                     TEST(test_cubalif), TEST(test_alif), TEST(test_on_a_grid)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
