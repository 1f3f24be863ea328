// SPDX-License-Identifier: Apache-2.0
// Forward passes in 8-bit integers against the reference's f32: the same bits for every number of bits, odd shapes,
// spikes, their averages, both types of inputs and every SIMD level; and when they are taken, and when not.
#include "backend_pair.h"

#include "quantize/grid.h"

// Symmetric codes of so many bits, both ends among them.
static float *codes_of(int64_t count, int bits, uint64_t stream) {
  float *w = floats(count);
  const float largest = ssti_largest_code(bits);
  fill_uniform(w, count, -largest - 0.5f, largest + 0.5f, stream);
  for (int64_t i = 0; i < count; i++) { w[i] = ssti_code(w[i], largest); }
  w[0] = largest;
  w[count - 1] = -largest;
  return w;
}

// Multiples of 1/steps up to `largest`, of which about half are 0.
static float *on_grid(int64_t count, int steps, float largest, uint64_t stream) {
  float *x = floats(count);
  fill_uniform(x, count, -largest, largest, stream);
  for (int64_t i = 0; i < count; i++) { x[i] = x[i] > 0.0f ? ceilf(x[i] * (float)steps) / (float)steps : 0.0f; }
  return x;
}

static void never_events(pair *p) {
  ssti_fast_state_of(p->tested)->crossover = (sst_crossover){
#define NEVER(name, value, meaning) .name = -1.0,
      SST_CROSSOVER_LIST(NEVER)
#undef NEVER
  };
}

// The first half of a copy becomes bf16, in which these numbers are exact.
static void *typed(const float *x, int64_t count, ssti_type type) {
  float *copy = floats(count);
  for (int64_t i = 0; i < count; i++) {
    if (type == SSTI_BF16) {
      ((ssti_bf16 *)(void *)copy)[i] = ssti_bf16_of(x[i]);
    } else {
      copy[i] = x[i];
    }
  }
  return copy;
}

static void check_conv(pair *p, ssti_conv2d s, int steps, float largest) {
  const int64_t nx = s.images * s.in_h * s.in_w * s.in_c, ny = s.images * s.out_h * s.out_w * s.out_c;
  float *x = on_grid(nx, steps, largest, 1), *w = codes_of(s.out_c * s.kernel_h * s.kernel_w * s.in_c, s.code_bits, 2);
  float *expected = floats(ny);
  p->reference->kernels.conv2d_forward(p->reference, &s, NULL, x, w, NULL, expected, NULL, NULL);
  for (int half = 0; half <= (p->tested->without[SST_PRECISION_BF16] == NULL); half++) {
    s.precision = half ? SST_PRECISION_BF16 : SST_PRECISION_F32;
    s.in_type = half ? SSTI_BF16 : SSTI_F32;
    ssti_plan *plan = NULL;
    assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, &s, false, &plan));
    void *input = typed(x, nx, s.in_type);
    EACH_LEVEL(p, level) {
      float *y = floats(ny);
      void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
      const uint64_t count = sst_context_allocation_count(p->context);
      p->tested->kernels.conv2d_forward(p->tested, &s, plan, input, w, NULL, y, saved, workspace);
      assert_int_equal(sst_context_allocation_count(p->context), count);
      assert_true(plan->forward_by_codes);
      assert_same_bits(y, expected, ny);
      check_canary(workspace, plan->forward_workspace);
      release(y), release(workspace), release(saved);
    }
    p->tested->kernels.plan_destroy(p->tested, plan);
    release(input);
  }
  release(x), release(w), release(expected);
}

static bool has_kernels(pair *p) {
  ssti_conv2d s = conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1);
  s.code_bits = 4;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, &s, false, &plan));
  const bool has = ((const ssti_fast_plan *)(const void *)plan)->codes != NULL;
  p->tested->kernels.plan_destroy(p->tested, plan);
  return has;
}

static void test_convolutions_exactly(void **state) {
  pair p = pair_make(*state);
  never_events(&p);
  if (!has_kernels(&p)) {
    print_message("skipped: oneDNN has no 8-bit convolution for this CPU\n");
    pair_end(&p);
    skip();
  }
  const ssti_conv2d shapes[] = {
      conv(2, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1),  conv(3, 7, 5, 16, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 7, 17, 33, 3, 3, 2, 1, 1, 1), // odd channels and strides
      conv(1, 5, 7, 5, 7, 3, 3, 1, 0, 1, 1),    conv(2, 8, 8, 16, 10, 1, 1, 1, 0, 1, 1),
      conv(2, 8, 8, 12, 10, 3, 3, 1, 2, 2, 1),  conv(2, 9, 9, 3, 8, 5, 5, 2, 2, 1, 1),
      conv(1, 1, 1, 24, 40, 3, 3, 1, 1, 1, 1),  conv(2, 6, 9, 8, 16, 1, 3, 1, 1, 1, 1),
      conv(1, 4, 4, 512, 48, 3, 3, 1, 1, 1, 1),
  };
  int number = 0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int bits = SST_MIN_BITS; bits <= SST_MAX_WEIGHT_BITS; bits++, number++) {
      ssti_conv2d s = shapes[i];
      s.code_bits = bits;
      const int steps = 1 << (number % 5); // spikes, averages of 2, 4, 8, 16
      check_conv(&p, s, steps, number % 3 == 2 ? 7.0f : 1.0f);
    }
  }
  pair_end(&p);
}

static void test_linear_layers_exactly(void **state) {
  pair p = pair_make(*state);
  never_events(&p);
  const struct { int64_t rows, in, out; } shapes[] = {{64, 128, 32}, {5, 17, 10}, {1, 1000, 3}, {33, 4096, 65}};
  for (int i = 0; i < 28; i++) {
    ssti_linear s = linear(shapes[i % 4].rows, shapes[i % 4].in, shapes[i % 4].out);
    s.code_bits = SST_MIN_BITS + i / 4;
    float *x = on_grid(s.rows * s.in, 1 << (i % 3), 1.0f, 1), *w = codes_of(s.in * s.out, s.code_bits, 2);
    float *expected = floats(s.rows * s.out), *y = floats(s.rows * s.out);
    p.reference->kernels.linear_forward(p.reference, &s, NULL, x, w, NULL, expected, NULL, NULL);
    ssti_plan *plan = NULL;
    assert_ok(p.context, p.tested->kernels.linear_plan(p.tested, &s, false, &plan));
    void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
    p.tested->kernels.linear_forward(p.tested, &s, plan, x, w, NULL, y, saved, workspace);
    assert_int_equal(plan->forward_by_codes, ((const ssti_fast_plan *)(const void *)plan)->codes != NULL);
    assert_same_bits(y, expected, s.rows * s.out);
    check_canary(workspace, plan->forward_workspace);
    p.tested->kernels.plan_destroy(p.tested, plan);
    release(x), release(w), release(expected), release(y), release(workspace), release(saved);
  }
  pair_end(&p);
}

// One forward pass: what was chosen, and whether y is right.
static bool takes_codes(pair *p, const ssti_conv2d *s, const float *x, const float *bias, bool *events) {
  const int64_t ny = s->images * s->out_h * s->out_w * s->out_c;
  float *w = codes_of(s->out_c * s->kernel_h * s->kernel_w * s->in_c, 4, 2), *y = floats(ny), *expected = floats(ny);
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
  p->tested->kernels.conv2d_forward(p->tested, s, plan, x, w, bias, y, saved, workspace);
  p->reference->kernels.conv2d_forward(p->reference, s, NULL, x, w, bias, expected, NULL, NULL);
  compare(y, expected, ny, 1e-4, "y");
  const bool codes = plan->forward_by_codes;
  *events = plan->forward_by_events;
  p->tested->kernels.plan_destroy(p->tested, plan);
  release(w), release(y), release(expected), release(workspace), release(saved);
  return codes;
}

static void test_choice(void **state) {
  pair p = pair_make(*state);
  const bool has = has_kernels(&p);
  bool events;
  ssti_conv2d s = conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1), floats_only = s;
  s.code_bits = 4;
  const int64_t n = s.images * s.in_h * s.in_w * s.in_c;
  float *dense = on_grid(n, 1, 1.0f, 3), *thin = floats(n), *bias = filled(64, false, 5);
  for (int64_t i = 0; i < n; i++) { thin[i] = i % 97 == 0 ? 1.0f : 0.0f; }
  assert_int_equal(takes_codes(&p, &s, dense, NULL, &events), has);
  assert_false(takes_codes(&p, &floats_only, dense, NULL, &events)); // weights that are no codes
  assert_false(takes_codes(&p, &s, dense, bias, &events));           // added to an exact sum, but not here
  assert_false(takes_codes(&p, &s, thin, NULL, &events));            // few spikes are faster yet
  assert_true(events);
  ssti_conv2d few = conv(4, 16, 16, 16, 64, 3, 3, 1, 1, 1, 1);
  few.code_bits = 4;
  assert_false(takes_codes(&p, &few, dense, NULL, &events)); // so few channels gain nothing
  few = s;
  few.settled = true;
  assert_false(takes_codes(&p, &few, dense, NULL, &events)); // decided for all images together
  // Off the grid: between its steps, below 0, above its end, no number.
  const float odd[] = {0.3f, -1.0f, 8.0f, 1e30f, 1.0f / 32};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    float *x = on_grid(n, 1, 1.0f, 3);
    x[n - 1 - (int64_t)i] = odd[i];
    assert_false(takes_codes(&p, &s, x, NULL, &events));
    release(x);
  }
  // A learned threshold: spikes of 0.37, of which so many are still faster added up than multiplied in f32.
  float *scaled = floats(n);
  for (int64_t i = 0; i < n; i++) { scaled[i] = i % 5 == 0 ? 0.37f : 0.0f; }
  assert_false(takes_codes(&p, &s, scaled, NULL, &events));
  assert_true(events);
  ssti_fast_state_of(p.tested)->codes = SST_CODES_FLOAT;
  assert_false(takes_codes(&p, &s, dense, NULL, &events));
  release(dense), release(thin), release(bias), release(scaled);
  pair_end(&p);
}

static void test_nan_is_no_code(void **state) {
  pair p = pair_make(*state);
  EACH_LEVEL(&p, level) {
    const ssti_simd *simd = &ssti_fast_state_of(p.tested)->simd;
    uint8_t bytes[1500];
    float x[1500];
    for (int i = 0; i < 1500; i++) { x[i] = (float)(i % 128) / 16; }
    assert_true(simd->to_bytes(1500, x, 16, bytes));
    for (int i = 0; i < 1500; i++) { assert_int_equal(bytes[i], i % 128); }
    const float odd[] = {NAN, INFINITY, -INFINITY, 8.0f, -1.0f / 16, 1.0f / 17};
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
      for (int at = 0; at < 1500; at += 1499) {
        const float before = x[at];
        x[at] = odd[k];
        assert_false(simd->to_bytes(1500, x, 16, bytes));
        x[at] = before;
      }
    }
  }
  pair_end(&p);
}

static void test_context_tells(void **state) {
  sst_context *context = *state;
  assert_int_equal(sst_context_codes(context), SST_CODES_INTEGER);
  sst_context_set_codes(context, SST_CODES_FLOAT);
  pair p = pair_make(context);
  assert_int_equal(ssti_fast_state_of(p.tested)->codes, SST_CODES_FLOAT);
  pair_end(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_convolutions_exactly), TEST(test_linear_layers_exactly),
                                     TEST(test_choice), TEST(test_nan_is_no_code), TEST(test_context_tells)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
