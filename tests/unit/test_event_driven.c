// SPDX-License-Identifier: Apache-2.0
// Event-driven convolutions and linear layers against the reference: odd shapes, channels that fill no word, densities
// from nothing to everything, at every SIMD level; whole weights exactly. And the choice: what is taken by events, what
// is not.
#include "backend_pair.h"

#include "backend/fast/fast_event.h"

// Before a plan is made: whatever the density.
static void force_events(pair *p, double crossover) {
  ssti_fast_state_of(p->tested)->crossover = (sst_crossover){
#define SAME_NUMBER(name, value, meaning) .name = crossover,
      SST_CROSSOVER_LIST(SAME_NUMBER)
#undef SAME_NUMBER
  };
}

// 0 or `value`.
static float *spikes(int64_t count, double density, float value, uint64_t stream) {
  float *x = floats(count);
  fill_uniform(x, count, 0.0f, 1.0f, stream);
  for (int64_t i = 0; i < count; i++) { x[i] = (double)x[i] < density ? value : 0.0f; }
  return x;
}

typedef struct spike_case {
  double density;
  float value;
  bool whole, second; // whole weights; with bias and adding to gradients
} spike_case;

static void check_conv(pair *p, const ssti_conv2d *s, const spike_case *c) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t terms = s->kernel_h * s->kernel_w * s->in_c, nw = s->out_c * terms;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  float *x = spikes(nx, c->density, c->value, 1), *w = filled(nw, c->whole, 2), *dy = filled(ny, c->whole, 3);
  float *b = c->second ? filled(s->out_c, c->whole, 4) : NULL;
  float *y_expected = floats(ny), *dw_expected = target(nw, c->second, c->whole);
  const ssti_kernels *r = &p->reference->kernels, *f = &p->tested->kernels;
  r->conv2d_forward(p->reference, s, NULL, x, w, b, y_expected, NULL, NULL);
  r->conv2d_backward_weights(p->reference, s, NULL, x, dy, dw_expected, c->second, NULL, false, NULL, NULL);
  float *y_first = NULL, *dw_first = NULL;
  EACH_LEVEL(p, level) {
    float *y = floats(ny), *dw = target(nw, c->second, c->whole);
    void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
    void *saved = memory_of(plan->saved);
    uint64_t count = sst_context_allocation_count(p->context);
    f->conv2d_forward(p->tested, s, plan, x, w, b, y, saved, forward_space);
    assert_true(plan->forward_by_events);
    f->conv2d_backward_weights(p->tested, s, plan, x, dy, dw, c->second, NULL, false, saved, backward_space);
    assert_true(plan->weights_by_events);
    assert_int_equal(sst_context_allocation_count(p->context), count);
    compare(y, y_expected, ny, sum_tolerance(c->whole, terms), "y");
    compare(dw, dw_expected, nw, sum_tolerance(c->whole, s->images * s->out_h * s->out_w), "dweight");
    check_canary(forward_space, plan->forward_workspace);
    check_canary(backward_space, plan->backward_workspace);
    check_canary(saved, plan->saved);
    if (y_first != NULL) { // another level: the same bits
      assert_same_bits(y, y_first, ny);
      assert_same_bits(dw, dw_first, nw);
      release(y), release(dw);
    } else {
      y_first = y, dw_first = dw;
    }
    release(forward_space), release(backward_space), release(saved);
  }
  f->plan_destroy(p->tested, plan);
  release(x), release(w), release(dy), release(b), release(y_expected), release(dw_expected), release(y_first),
      release(dw_first);
}

static const spike_case cases[] = {{0.1, 1.0f, true, false},  {0.1, 1.0f, false, true},  {0.0, 1.0f, true, true},
                                   {1.0, 1.0f, true, false},  {0.5, 1.0f, false, false}, {0.3, 2.0f, true, true},
                                   {0.2, 0.37f, false, false}};
enum { CASES = sizeof cases / sizeof *cases };

static void test_conv2d(void **state) {
  pair p = pair_make(*state);
  force_events(&p, 1.0);
  const ssti_conv2d shapes[] = {
      conv(3, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1),
      conv(5, 7, 9, 64, 128, 3, 3, 1, 1, 1, 1),
      conv(2, 6, 5, 100, 80, 3, 3, 1, 1, 1, 1), // neither in words nor in blocks
      conv(2, 5, 7, 130, 33, 3, 3, 1, 1, 1, 1),
      conv(3, 9, 7, 1, 1, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 9, 2, 8, 5, 5, 2, 2, 1, 1),
      conv(2, 9, 8, 20, 48, 3, 3, 2, 1, 1, 1), // strides
      conv(1, 11, 10, 65, 17, 3, 3, 3, 1, 1, 1),
      conv(2, 8, 8, 70, 16, 1, 1, 2, 0, 1, 1),
      conv(2, 9, 9, 12, 10, 3, 3, 1, 2, 2, 1), // dilation
      conv(2, 10, 9, 8, 8, 3, 3, 2, 2, 3, 1),
      conv(2, 6, 6, 4, 4, 2, 2, 1, 2, 1, 1),   // padding wider than the kernel reaches
      conv(1, 3, 2, 7, 5, 1, 1, 1, 3, 1, 1),   // positions that see no input at all
      conv(2, 4, 4, 64, 64, 4, 4, 1, 0, 1, 1), // a single window
      conv(1, 1, 1, 24, 40, 3, 3, 1, 1, 1, 1), // a single pixel
      conv(2, 6, 9, 8, 16, 1, 3, 1, 1, 1, 1),
      conv(2, 20, 20, 16, 80, 3, 3, 1, 1, 1, 1), // several tiles a picture
      conv(8, 8, 8, 256, 64, 3, 3, 1, 1, 1, 1),  // long tiles, and weights that are not summed up in one go
      conv(1, 3, 3, 520, 64, 3, 3, 1, 1, 1, 1),
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int c = 0; c < CASES; c++) { check_conv(&p, &shapes[i], &cases[c]); }
  }
  pair_end(&p);
}

static void check_linear(pair *p, const ssti_linear *s, const spike_case *c) {
  const int64_t nx = s->rows * s->in, ny = s->rows * s->out, nw = s->in * s->out;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.linear_plan(p->tested, s, true, &plan));
  float *x = spikes(nx, c->density, c->value, 1), *w = filled(nw, c->whole, 2), *dy = filled(ny, c->whole, 3);
  float *b = c->second ? filled(s->out, c->whole, 4) : NULL;
  float *y_expected = floats(ny), *dw_expected = target(nw, c->second, c->whole);
  const ssti_kernels *r = &p->reference->kernels, *f = &p->tested->kernels;
  r->linear_forward(p->reference, s, NULL, x, w, b, y_expected, NULL, NULL);
  r->linear_backward_weights(p->reference, s, NULL, x, dy, dw_expected, c->second, NULL, false, NULL, NULL);
  EACH_LEVEL(p, level) {
    float *y = floats(ny), *dw = target(nw, c->second, c->whole);
    void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
    void *saved = memory_of(plan->saved);
    f->linear_forward(p->tested, s, plan, x, w, b, y, saved, forward_space);
    f->linear_backward_weights(p->tested, s, plan, x, dy, dw, c->second, NULL, false, saved, backward_space);
    assert_true(plan->forward_by_events && plan->weights_by_events);
    compare(y, y_expected, ny, sum_tolerance(c->whole, s->in), "y");
    compare(dw, dw_expected, nw, sum_tolerance(c->whole, s->rows), "dweight");
    check_canary(forward_space, plan->forward_workspace);
    check_canary(backward_space, plan->backward_workspace);
    check_canary(saved, plan->saved);
    release(y), release(dw), release(forward_space), release(backward_space), release(saved);
  }
  f->plan_destroy(p->tested, plan);
  release(x), release(w), release(dy), release(b), release(y_expected), release(dw_expected);
}

static void test_linear(void **state) {
  pair p = pair_make(*state);
  force_events(&p, 1.0);
  const ssti_linear shapes[] = {linear(1, 1, 1),     linear(5, 70, 3),      linear(17, 33, 90),
                                linear(64, 128, 64), linear(130, 200, 100), linear(1500, 96, 16)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int c = 0; c < CASES; c++) { check_linear(&p, &shapes[i], &cases[c]); }
  }
  pair_end(&p);
}

// ---- the choice

typedef struct choice {
  double density;
  bool forward, weights;
} choice;

// One pass over x with a fresh plan.
static choice choice_of(pair *p, const ssti_conv2d *s, const float *x) {
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  const int64_t ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t nw = s->out_c * s->kernel_h * s->kernel_w * s->in_c / s->groups;
  float *w = filled(nw, true, 2), *y = floats(ny), *dw = floats(nw);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  void *saved = memory_of(plan->saved);
  p->tested->kernels.conv2d_forward(p->tested, s, plan, x, w, NULL, y, saved, forward_space);
  p->tested->kernels.conv2d_backward_weights(p->tested, s, plan, x, y, dw, false, NULL, false, saved, backward_space);
  const choice found = {plan->density, plan->forward_by_events, plan->weights_by_events};
  p->tested->kernels.plan_destroy(p->tested, plan);
  release(w), release(y), release(dw), release(forward_space), release(backward_space), release(saved);
  return found;
}

static void test_choice_follows_density(void **state) {
  pair p = pair_make(*state);
  ssti_fast_state_of(p.tested)->crossover = (sst_crossover){.convolution_forward = 0.3, .convolution_weights = 0.15};
  const ssti_conv2d s = conv(4, 16, 16, 64, 16, 3, 3, 1, 1, 1, 1);
  const int64_t nx = 4 * 16 * 16 * 64;
  const struct {
    double density;
    bool forward, weights;
  } wanted[] = {{0.0, true, true}, {0.1, true, true}, {0.2, true, false}, {0.5, false, false}, {1.0, false, false}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    float *x = spikes(nx, wanted[i].density, 1.0f, 7);
    int64_t fired = 0;
    for (int64_t k = 0; k < nx; k++) { fired += x[k] != 0.0f; }
    const choice found = choice_of(&p, &s, x);
    assert_near(found.density, (double)fired / (double)nx, 0, 1e-12);
    assert_int_equal(found.forward, wanted[i].forward);
    assert_int_equal(found.weights, wanted[i].weights);
    release(x);
  }
  // Half a word of channels is worth half the density.
  const ssti_conv2d narrow = conv(4, 16, 16, 32, 16, 3, 3, 1, 1, 1, 1);
  float *x = spikes(nx / 2, 0.2, 1.0f, 7);
  assert_false(choice_of(&p, &narrow, x).forward);
  release(x);
  pair_end(&p);
}

// A single value that is neither 0 nor the other one makes an input no spikes, wherever it is.
static void test_other_inputs_are_dense(void **state) {
  pair p = pair_make(*state);
  force_events(&p, 1.0);
  const ssti_conv2d s = conv(4, 16, 16, 40, 16, 3, 3, 1, 1, 1, 1);
  const int64_t nx = 4 * 16 * 16 * 40;
  const int64_t places[] = {0, 39, nx / 2 + 1, nx - 1};
  const float values[] = {0.5f, -1.0f, -0.0f, NAN, INFINITY};
  float *x = spikes(nx, 0.1, 1.0f, 8);
  assert_true(choice_of(&p, &s, x).forward);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
      const float before = x[places[i]];
      x[places[i]] = values[k];
      const choice found = choice_of(&p, &s, x);
      assert_false(found.forward || found.weights);
      assert_true(found.density < 0);
      x[places[i]] = before;
    }
  }
  release(x);
  pair_end(&p);
}

// Where spikes can never be the faster way a plan asks for no room.
static void test_no_room_where_impossible(void **state) {
  pair p = pair_make(*state);
  const struct {
    double crossover;
    ssti_conv2d shape;
    bool room;
  } wanted[] = {{0.2, conv(2, 8, 8, 64, 16, 3, 3, 1, 1, 1, 1), true},
                {-1.0, conv(2, 8, 8, 64, 16, 3, 3, 1, 1, 1, 1), false},
                {0.2, conv(2, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1), false},
                {1.0, conv(2, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1), true},
                {1.0, conv(2, 8, 8, 64, 16, 3, 3, 1, 1, 1, 2), false}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    force_events(&p, wanted[i].crossover);
    ssti_plan *plan = NULL;
    assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &wanted[i].shape, true, &plan));
    assert_int_equal(plan->saved > 0, wanted[i].room);
    p.tested->kernels.plan_destroy(p.tested, plan);
  }
  pair_end(&p);
}

// The context's numbers reach a backend that is made afterwards.
static void test_context_tells_crossover(void **state) {
  sst_context *context = *state;
  const sst_crossover before = sst_context_crossover(context);
  assert_near(before.convolution_forward, sst_crossover_default().convolution_forward, 0, 0);
  sst_context_set_crossover(context, (sst_crossover){.convolution_forward = 0.5, .linear_weights = -1.0});
  pair p = pair_make(context);
  assert_near(ssti_fast_state_of(p.tested)->crossover.convolution_forward, 0.5, 0, 0);
  assert_near(ssti_fast_state_of(p.tested)->crossover.linear_weights, -1.0, 0, 0);
  pair_end(&p);
  sst_context_set_crossover(context, before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_conv2d),
      TEST(test_linear),
      TEST(test_choice_follows_density),
      TEST(test_other_inputs_are_dense),
      TEST(test_no_room_where_impossible),
      TEST(test_context_tells_crossover),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
