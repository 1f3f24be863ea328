// SPDX-License-Identifier: Apache-2.0
// Batch norm and neurons in one kernel against the two, of the same backend and of the reference: odd sizes, one step,
// one input step, every reset, grid and surrogate, adding and overwriting. See slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_NORM_NEURON_H
#define SPIKESTILL_TESTS_SLOTS_NORM_NEURON_H

#include "slot_pair.h"

typedef struct fused_result {
  float *spikes, *membrane, *dx;
  float *vectors; // [6, channels]: running mean and variance, saved mean and 1/deviation, dgamma, dbeta
  float *ddecay;
} fused_result;

typedef struct fused_case {
  ssti_norm_neuron shape;
  bool batch_statistics, membrane, accumulate;
  float *x, *gamma, *beta, *running, *dspikes, *dmembrane;
  float *w; // where a device can read it
} fused_case;

static fused_result fused_result_make(const fused_case *c) {
  const ssti_neuron_shape *n = &c->shape.neuron;
  const int64_t channels = c->shape.norm.channels;
  fused_result r = {
      .spikes = floats(n->steps * n->count), .membrane = floats(n->steps * n->count), .ddecay = floats(1)};
  *r.ddecay = 0.5f;
  r.dx = target(n->input_steps * n->count, c->accumulate, false);
  r.vectors = target(6 * channels, c->accumulate, false);
  memcpy(r.vectors, c->running, (size_t)(2 * channels) * sizeof(float));
  return r;
}

static void fused_result_end(fused_result *r) {
  release(r->spikes), release(r->membrane), release(r->dx), release(r->vectors), release(r->ddecay);
}

static const float *decay_of(const fused_case *c) {
  return c->shape.neuron.neuron.kind == SST_NEURON_PLIF ? c->w : NULL;
}

// The slots one by one, of the backend `b`; the norm's output is between them.
static void run_apart(pair *p, ssti_backend *b, const fused_case *c, fused_result *r) {
  const ssti_kernels *k = &b->kernels;
  const ssti_norm_neuron *s = &c->shape;
  const int64_t channels = s->norm.channels, count = s->norm.rows * channels;
  float *y = floats(count), *dy = floats(count), *saved = floats(2 * channels);
  void *workspace = memory_of(k->neuron_workspace(b, &s->neuron, true));
  void *norm_workspace = memory_of(k->batch_norm_workspace(b, &s->norm));
  float *mean = r->vectors, *variance = mean + channels;
  if (c->batch_statistics) {
    k->batch_norm_forward_training(b, &s->norm, c->x, c->gamma, c->beta, mean, variance, y, saved);
  } else {
    for (int64_t i = 0; i < channels; i++) {
      saved[i] = mean[i];
      saved[channels + i] = (float)(1.0 / sqrt((double)variance[i] + (double)s->norm.epsilon));
    }
    k->batch_norm_forward_inference(b, &s->norm, c->x, c->gamma, c->beta, mean, variance, y);
  }
  pair_wait(p);
  memcpy(r->vectors + 2 * channels, saved, (size_t)(2 * channels) * sizeof(float));
  k->neuron_forward(b, &s->neuron, y, decay_of(c), r->spikes, c->membrane ? r->membrane : NULL, NULL);
  k->neuron_backward(b, &s->neuron, y, decay_of(c), c->dspikes, c->membrane ? c->dmembrane : NULL, dy, false,
                     decay_of(c) != NULL ? r->ddecay : NULL, c->accumulate, workspace);
  k->batch_norm_backward(b, &s->norm, c->x, dy, c->gamma, saved, c->batch_statistics, r->dx, c->accumulate,
                         r->vectors + 4 * channels, c->accumulate, r->vectors + 5 * channels, c->accumulate,
                         norm_workspace);
  pair_wait(p);
  release(norm_workspace), release(y), release(dy), release(saved), release(workspace);
}

static void run_fused(pair *p, ssti_backend *b, const fused_case *c, fused_result *r) {
  const ssti_kernels *k = &b->kernels;
  const ssti_norm_neuron *s = &c->shape;
  const int64_t channels = s->norm.channels;
  const size_t forward_bytes = k->norm_neuron_workspace(b, s, false);
  const size_t backward_bytes = k->norm_neuron_workspace(b, s, true);
  float *saved = floats(SSTI_NORM_NEURON_SAVED * channels);
  void *forward_space = memory_of(forward_bytes), *backward_space = memory_of(backward_bytes);
  float *mean = r->vectors, *variance = mean + channels;
  const uint64_t allocations = sst_context_allocation_count(b->context);
  if (c->batch_statistics) {
    k->norm_neuron_statistics(b, &s->norm, c->x, c->gamma, mean, variance, saved);
  } else {
    for (int64_t i = 0; i < channels; i++) {
      const double inverse = 1.0 / sqrt((double)variance[i] + (double)s->norm.epsilon);
      saved[i] = mean[i];
      saved[channels + i] = (float)inverse;
      saved[2 * channels + i] = (float)((double)s->norm.scale * (double)c->gamma[i] * inverse);
    }
  }
  pair_wait(p);
  memcpy(r->vectors + 2 * channels, saved, (size_t)(2 * channels) * sizeof(float));
  k->norm_neuron_forward(b, s, c->x, c->beta, saved, decay_of(c), r->spikes, c->membrane ? r->membrane : NULL,
                         forward_space);
  const ssti_norm_neuron_gradients out = {.dx = r->dx,
                                          .dgamma = r->vectors + 4 * channels,
                                          .dbeta = r->vectors + 5 * channels,
                                          .ddecay = decay_of(c) != NULL ? r->ddecay : NULL,
                                          .accumulate_dx = c->accumulate,
                                          .accumulate_dgamma = c->accumulate,
                                          .accumulate_dbeta = c->accumulate,
                                          .accumulate_ddecay = c->accumulate};
  k->norm_neuron_backward(b, s, c->x, c->gamma, c->beta, saved, c->batch_statistics, decay_of(c), c->dspikes,
                          c->membrane ? c->dmembrane : NULL, &out, backward_space);
  assert_int_equal(sst_context_allocation_count(b->context), allocations);
  pair_wait(p);
  check_canary(forward_space, forward_bytes);
  check_canary(backward_space, backward_bytes);
  release(saved), release(forward_space), release(backward_space);
}

// Against the fast backend's own two kernels: the same bits, but for the order of sums of a learned decay. Against the
// reference: with constant statistics bit for bit too; otherwise its statistics differ in the last bit, which may move
// a membrane over the threshold, so what is compared is what the two kernels were compared by.
static void check_fused(pair *p, const fused_case *c) {
  const ssti_neuron_shape *n = &c->shape.neuron;
  const int64_t channels = c->shape.norm.channels, ny = n->steps * n->count, nx = n->input_steps * n->count;
  fused_result first = {0}, apart = fused_result_make(c), judge = fused_result_make(c);
  run_apart(p, p->tested, c, &apart);
  run_apart(p, p->reference, c, &judge);
  EACH_LEVEL(p, level) {
    fused_result found = fused_result_make(c);
    run_fused(p, p->tested, c, &found);
    assert_same_bits(found.spikes, apart.spikes, ny);
    if (c->membrane) { assert_same_bits(found.membrane, apart.membrane, ny); }
    compare(found.vectors, judge.vectors, 4 * channels, 4e-6, "statistics");
    if (!c->batch_statistics) {
      assert_same_bits(found.spikes, judge.spikes, ny);
      compare(found.dx, judge.dx, nx, 1e-6, "dx of the reference");
    }
    assert_same_bits(found.dx, apart.dx, nx);
    assert_same_bits(found.vectors, apart.vectors, 6 * channels);
    if (decay_of(c) != NULL) { assert_near(*found.ddecay, *apart.ddecay, 1e-4, 1e-4); }
    if (first.spikes == NULL) {
      first = found;
      continue;
    }
    assert_same_bits(found.dx, first.dx, nx);
    assert_same_bits(found.vectors, first.vectors, 6 * channels);
    assert_same_bits(found.ddecay, first.ddecay, 1);
    fused_result_end(&found);
  }
  fused_result_end(&first);
  fused_result_end(&apart);
  fused_result_end(&judge);
}

static fused_case fused_case_make(sst_neuron neuron, int64_t pixels, int64_t channels, int64_t steps,
                                  int64_t input_steps, float scale) {
  const int64_t count = pixels * channels;
  fused_case c = {.shape = {.norm = {.rows = input_steps * pixels,
                                     .channels = channels,
                                     .steps = input_steps,
                                     .epsilon = 1e-5f,
                                     .momentum = 0.1f,
                                     .scale = scale},
                            .neuron = {.neuron = neuron, .steps = steps, .input_steps = input_steps, .count = count}},
                  .w = floats(1)};
  *c.w = 0.3f;
  c.x = filled(input_steps * count, false, 1);
  for (int64_t i = 0; i < input_steps * count; i++) { c.x[i] += 0.5f; }
  c.gamma = filled(channels, false, 2);
  c.beta = filled(channels, false, 3);
  c.running = floats(2 * channels);
  fill_normal(c.running, channels, 1.0f, 4);
  fill_uniform(c.running + channels, channels, 0.5f, 2.0f, 5);
  c.dspikes = filled(steps * count, false, 6);
  c.dmembrane = filled(steps * count, false, 7);
  return c;
}

static void fused_case_end(fused_case *c) {
  release(c->x), release(c->gamma), release(c->beta), release(c->running), release(c->dspikes), release(c->dmembrane),
      release(c->w);
}

static const struct {
  int64_t pixels, channels;
} fused_shapes[] = {{2, 1},    {1500, 1}, {333, 3},  {129, 64}, {50, 100},
                    {40, 300}, {4, 513},  {9, 1200}, {3, 2048}, {2, 2300}};

// Every kind, reset, detachment, gain of the input, surrogate and grid that the fast neurons have.
static void test_norm_neuron(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  int number = 0;
  for (int kind = 0; kind < 3; kind++) {
    for (int flags = 0; flags < 8; flags++) {
      for (int surrogate = 0; surrogate < SST_SURROGATE_COUNT; surrogate++, number++) {
        const sst_neuron neuron = numbered_neuron(kinds[kind], flags, surrogate, number);
        const size_t shape = (size_t)number % (sizeof fused_shapes / sizeof *fused_shapes);
        const int64_t steps = 1 + number % 5;
        fused_case c = fused_case_make(neuron, fused_shapes[shape].pixels, fused_shapes[shape].channels, steps,
                                       number % 4 == 0 ? 1 : steps, number % 2 ? 1.0f : 0.5f);
        c.membrane = number % 3 == 1;
        c.accumulate = number % 5 == 1;
        c.batch_statistics = number % 7 != 3;
        c.shape.neuron.smooth = number % 11 == 5;
        check_fused(&p, &c);
        fused_case_end(&c);
      }
    }
  }
  pair_end(&p);
}

// What is left out is not computed, and not touched.
static void test_norm_neuron_without_some(void **state) {
  pair p = pair_make(*state);
  fused_case c = fused_case_make(sst_neuron_default(), 100, 24, 3, 3, 1.0f);
  const ssti_kernels *k = &p.tested->kernels;
  const int64_t count = 300 * 24;
  void *workspace = memory_of(k->norm_neuron_workspace(p.tested, &c.shape, true));
  float *saved = floats(3 * 24), *dx[2] = {floats(count), floats(count)}, *dgamma = floats(24);
  k->norm_neuron_statistics(p.tested, &c.shape.norm, c.x, c.gamma, c.running, c.running + 24, saved);
  for (int constant = 0; constant < 2; constant++) {
    for (int with = 0; with < 2; with++) {
      const ssti_norm_neuron_gradients out = {.dx = dx[with], .dgamma = with ? dgamma : NULL};
      k->norm_neuron_backward(p.tested, &c.shape, c.x, c.gamma, c.beta, saved, !constant, NULL, c.dspikes, NULL, &out,
                              workspace);
    }
    pair_wait(&p);
    assert_same_bits(dx[0], dx[1], count);
  }
  const ssti_norm_neuron_gradients only = {.dgamma = saved};
  k->norm_neuron_backward(p.tested, &c.shape, c.x, c.gamma, c.beta, saved, true, NULL, c.dspikes, NULL, &only,
                          workspace);
  // No gradient arrives: none goes on.
  const ssti_norm_neuron_gradients all = {.dx = dx[0]};
  k->norm_neuron_backward(p.tested, &c.shape, c.x, c.gamma, c.beta, saved, false, NULL, NULL, NULL, &all, workspace);
  pair_wait(&p);
  for (int64_t i = 0; i < count; i++) { assert_true(dx[0][i] == 0.0f); }
  fused_case_end(&c);
  release(workspace), release(saved), release(dx[0]), release(dx[1]), release(dgamma);
  pair_end(&p);
}

static void test_norm_neuron_many_steps(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  for (int i = 0; i < 12; i++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = kinds[i % 3];
    neuron.hard_reset = i & 1;
    neuron.detach_reset = i & 2;
    const int64_t steps = 8 + 7 * (i % 3);
    fused_case c = fused_case_make(neuron, 20, i % 2 ? 24 : 5, steps, steps, 1.0f);
    c.batch_statistics = i % 4 != 3;
    check_fused(&p, &c);
    fused_case_end(&c);
  }
  pair_end(&p);
}

// ---- x and spikes as bf16, one or both: the f32 kernel on the same numbers, with what it writes rounded once. Where
// the batch's statistics are used dx may be made of a gradient behind the norm that was rounded too.

static float *narrowed(float *numbers, int64_t count, ssti_type type) {
  if (type == SSTI_F32) { return numbers; }
  ssti_bf16 *to = memory_of((size_t)count * sizeof *to);
  for (int64_t i = 0; i < count; i++) {
    to[i] = ssti_bf16_of(numbers[i]);
    numbers[i] = ssti_bf16_value(to[i]);
  }
  return (float *)(void *)to;
}

static void assert_narrowed(const float *found, const float *expected, int64_t count, ssti_type type) {
  if (type == SSTI_F32) {
    assert_same_bits(found, expected, count);
    return;
  }
  const ssti_bf16 *half = (const ssti_bf16 *)(const void *)found;
  for (int64_t i = 0; i < count; i++) { assert_int_equal(half[i], ssti_bf16_of(expected[i])); }
}

static double largest_of(const float *numbers, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++) { largest = fmax(largest, fabs((double)numbers[i])); }
  return largest;
}

// Two roundings of half a unit in the last of 8 bits: of dx, and of what came to it, which is no larger than the
// spikes' gradients of all steps, slopes being 1 at most, times the norm's factor.
static void assert_rounded_twice(const fused_case *c, const float *found, const fused_result *expected) {
  const int64_t channels = c->shape.norm.channels, steps = c->shape.neuron.steps, count = c->shape.neuron.count;
  double came = largest_of(c->dspikes, steps * count) + (c->membrane ? largest_of(c->dmembrane, steps * count) : 0.0);
  came *= (double)steps * largest_of(c->gamma, channels) * largest_of(expected->vectors + 3 * channels, channels);
  const ssti_bf16 *half = (const ssti_bf16 *)(const void *)found;
  for (int64_t i = 0; i < c->shape.neuron.input_steps * count; i++) {
    const double there = (double)expected->dx[i], here = (double)ssti_bf16_value(half[i]);
    if (fabs(here - there) > (fabs(there) + came) / 256) {
      fail_msg("dx[%lld] is %g, expected %g to %g", (long long)i, here, there, (fabs(there) + came) / 256);
    }
  }
}

static void check_types(pair *p, const fused_case *c, ssti_type in, ssti_type out) {
  const ssti_neuron_shape *n = &c->shape.neuron;
  const int64_t channels = c->shape.norm.channels, ny = n->steps * n->count, nx = n->input_steps * n->count;
  fused_case wide = *c, half = *c;
  half.shape.norm.in_type = in;
  half.shape.neuron.out_type = out;
  half.x = narrowed(wide.x, nx, in);
  half.dspikes = narrowed(wide.dspikes, ny, out);
  EACH_LEVEL(p, level) {
    fused_result expected = fused_result_make(&wide), found = fused_result_make(&half);
    float *dx = found.dx, *dx_half = narrowed(expected.dx, nx, in);
    if (dx_half != expected.dx) {
      found.dx = dx_half;
    } else {
      memcpy(dx, expected.dx, (size_t)nx * sizeof *dx);
    }
    run_fused(p, p->tested, &wide, &expected);
    run_fused(p, p->tested, &half, &found);
    assert_narrowed(found.spikes, expected.spikes, ny, out);
    if (in == SSTI_BF16 && c->batch_statistics && !c->accumulate) {
      assert_rounded_twice(&wide, found.dx, &expected);
    } else {
      assert_narrowed(found.dx, expected.dx, nx, in);
    }
    if (c->membrane) { assert_same_bits(found.membrane, expected.membrane, ny); }
    assert_same_bits(found.vectors, expected.vectors, 6 * channels);
    assert_same_bits(found.ddecay, expected.ddecay, 1);
    found.dx = dx;
    if (dx_half != expected.dx) { release(dx_half); }
    fused_result_end(&expected), fused_result_end(&found);
  }
  if (half.x != wide.x) { release(half.x); }
  if (half.dspikes != wide.dspikes) { release(half.dspikes); }
}

static void test_norm_neuron_bf16(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  for (int number = 0; number < 60; number++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = kinds[number % 3];
    neuron.hard_reset = number % 2;
    neuron.detach_reset = number % 4 < 2;
    const size_t shape = (size_t)number % (sizeof fused_shapes / sizeof *fused_shapes);
    const int64_t steps = 1 + number % 5;
    fused_case c = fused_case_make(neuron, fused_shapes[shape].pixels, fused_shapes[shape].channels, steps,
                                   number % 4 == 0 ? 1 : steps, number % 2 ? 1.0f : 0.5f);
    c.membrane = number % 7 == 1;
    c.accumulate = number % 5 == 1;
    c.batch_statistics = number % 7 != 3;
    check_types(&p, &c, number % 4 != 1 ? SSTI_BF16 : SSTI_F32, number % 4 != 2 ? SSTI_BF16 : SSTI_F32);
    fused_case_end(&c);
  }
  pair_end(&p);
}

#endif
