// SPDX-License-Identifier: Apache-2.0
// Neuron slots against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_NEURON_H
#define SPIKESTILL_TESTS_SLOTS_NEURON_H

#include "neuron/dynamics.h"
#include "slot_pair.h"

// A number where the tested backend can read and write it.
static float *decay_of_test(float value) {
  float *decay = floats(1);
  *decay = value;
  return decay;
}

static void check_neuron(pair *p, const ssti_neuron_shape *s, bool with_membrane, bool accumulate) {
  const int64_t n = s->count, nx = s->input_steps * n, ny = s->steps * n;
  const bool learns = s->neuron.kind == SST_NEURON_PLIF;
  float *w = decay_of_test(0.3f); // where a device can read it
  float *x = filled(nx, false, 1), *dspikes = filled(ny, false, 2),
        *dmembrane = with_membrane ? filled(ny, false, 3) : NULL;
  float *spikes_expected = floats(ny), *h_expected = floats(ny), *dx_expected = target(nx, accumulate, false);
  float ddecay_expected = 0.5f;
  const ssti_kernels *r = &p->reference->kernels, *f = &p->tested->kernels;
  void *reference_space = memory_of(r->neuron_workspace(p->reference, s, true));
  r->neuron_forward(p->reference, s, x, learns ? w : NULL, spikes_expected, h_expected, NULL);
  r->neuron_backward(p->reference, s, x, learns ? w : NULL, dspikes, dmembrane, dx_expected, accumulate,
                     learns ? &ddecay_expected : NULL, accumulate, reference_space);
  EACH_LEVEL(p, level) {
    float *spikes = floats(ny), *h = floats(ny), *dx = target(nx, accumulate, false);
    float *ddecay = decay_of_test(0.5f);
    const size_t bytes = f->neuron_workspace(p->tested, s, true);
    void *workspace = memory_of(bytes);
    uint64_t count = sst_context_allocation_count(p->context);
    f->neuron_forward(p->tested, s, x, learns ? w : NULL, spikes, with_membrane ? h : NULL, NULL);
    f->neuron_backward(p->tested, s, x, learns ? w : NULL, dspikes, dmembrane, dx, accumulate, learns ? ddecay : NULL,
                       accumulate, workspace);
    assert_int_equal(sst_context_allocation_count(p->context), count);
    pair_wait(p);
    // The same operations in the same order: the two backends fire on the same steps.
    assert_same_bits(spikes, spikes_expected, ny);
    if (with_membrane) { assert_same_bits(h, h_expected, ny); }
    assert_same_bits(dx, dx_expected, nx);
    // A sum over neurons and steps, in double on both sides but in another order.
    if (learns) { assert_near(*ddecay, ddecay_expected, 1e-5, 1e-5); }
    check_canary(workspace, bytes);
    release(spikes), release(h), release(dx), release(workspace), release(ddecay);
  }
  // In two calls, the state carried between them; rows of one step stay aligned only where n is.
  const int64_t first = s->steps / 2;
  if (s->input_steps == s->steps && first > 0) {
    EACH_LEVEL(p, level) {
      float *spikes = floats(ny), *carried = floats(ssti_neuron_state_rows(s->neuron.kind) * n);
      ssti_neuron_shape part = *s;
      part.state = carried;
      part.steps = part.input_steps = first;
      f->neuron_forward(p->tested, &part, x, learns ? w : NULL, spikes, NULL, NULL);
      part.resumes = true;
      part.steps = part.input_steps = s->steps - first;
      f->neuron_forward(p->tested, &part, x + first * n, learns ? w : NULL, spikes + first * n, NULL, NULL);
      pair_wait(p);
      assert_same_bits(spikes, spikes_expected, ny);
      release(spikes), release(carried);
    }
  }
  release(x), release(dspikes), release(dmembrane), release(spikes_expected), release(h_expected), release(dx_expected);
  release(reference_space), release(w);
}

static void test_neuron(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 37, 512, 1025, 20000};
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  int64_t number = 0;
  for (int kind = 0; kind < 3; kind++) {
    for (int flags = 0; flags < 8; flags++) {
      for (int surrogate = 0; surrogate < SST_SURROGATE_COUNT; surrogate++, number++) {
        const sst_neuron neuron = numbered_neuron(kinds[kind], flags, surrogate, number);
        const int64_t steps = 1 + number % 5, count = counts[number % 5];
        const ssti_neuron_shape shape = {
            .neuron = neuron, .steps = steps, .count = count, .input_steps = number % 4 == 0 ? 1 : steps};
        check_neuron(&p, &shape, number % 2, number % 3 == 1);
      }
    }
  }
  pair_end(&p);
}

// The other kinds; LIF fires smoothly.
static void test_neuron_of_other_kinds(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_LI, SST_NEURON_CUBALIF, SST_NEURON_ALIF, SST_NEURON_LIF};
  for (int kind = 0; kind < 4; kind++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = kinds[kind];
    neuron.current_decay = 0.5f;
    neuron.adaptation = 0.2f;
    neuron.adaptation_decay = 0.9f;
    const ssti_neuron_shape shape = {.neuron = neuron, .steps = 3, .input_steps = 3, .count = 777, .smooth = kind == 3};
    check_neuron(&p, &shape, true, false);
  }
  pair_end(&p);
}

// dx and dspikes may be left out.
static void test_neuron_without_some(void **state) {
  pair p = pair_make(*state);
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = SST_NEURON_PLIF;
  const ssti_neuron_shape shape = {.neuron = neuron, .steps = 3, .input_steps = 3, .count = 100};
  float *x = filled(300, false, 1), *dmembrane = filled(300, false, 2), expected = 0;
  float *found = decay_of_test(0.0f), *w = decay_of_test(0.1f);
  void *reference_space = memory_of(p.reference->kernels.neuron_workspace(p.reference, &shape, true));
  void *space = memory_of(p.tested->kernels.neuron_workspace(p.tested, &shape, true));
  p.reference->kernels.neuron_backward(p.reference, &shape, x, w, NULL, dmembrane, NULL, false, &expected, false,
                                       reference_space);
  p.tested->kernels.neuron_backward(p.tested, &shape, x, w, NULL, dmembrane, NULL, false, found, false, space);
  pair_wait(&p);
  assert_near(*found, expected, 1e-5, 1e-6);
  release(x), release(dmembrane), release(space), release(reference_space), release(found), release(w);
  pair_end(&p);
}

// More steps than a backend may keep at once, for every kind.
static void test_neuron_many_steps(void **state) {
  pair p = pair_make(*state);
  const int64_t steps[] = {8, 9, 17, 24};
  for (int i = 0; i < 8 * SST_NEURON_COUNT; i++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = (sst_neuron_kind)(i / 8);
    neuron.decay = 0.8f;
    neuron.hard_reset = i & 1;
    neuron.detach_reset = i & 2;
    neuron.decay_input = i & 4;
    if (i % 8 == 5 && neuron.kind <= SST_NEURON_PLIF) { neuron.membrane_bits = 4; }
    const int64_t t = steps[i % 4];
    const ssti_neuron_shape shape = {
        .neuron = neuron, .steps = t, .input_steps = i % 5 == 4 ? 1 : t, .count = i % 3 == 1 ? 37 : 132};
    check_neuron(&p, &shape, i % 2, i % 3 == 0);
  }
  pair_end(&p);
}

#endif
