// SPDX-License-Identifier: Apache-2.0
// Counting spikes, operations and crossbar reads, against counts by hand and by brute force.
#include "support/support.h"

#include "run/cost_count.h"

static sst_cost_layer layer_of(int64_t in, int64_t out, int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
  int64_t side = (size + 2 * pad - kernel) / stride + 1;
  return (sst_cost_layer){
      .kind = SST_COST_CONV,
      .in_channels = in,
      .in_height = size,
      .in_width = size,
      .out_channels = out,
      .out_height = side,
      .out_width = side,
      .kernel_height = kernel,
      .kernel_width = kernel,
      .stride_height = stride,
      .stride_width = stride,
      .groups = 1,
      .timesteps = 1,
      .weights = in * out * kernel * kernel,
  };
}

// NeuroBench's own example: W x with zeros in both.
static void test_neurobench_example(void **state) {
  (void)state;
  sst_cost_layer layer = layer_of(3, 3, 1, 1, 1, 0);
  const float weights[] = {1.3f, 0, -3.2f, 0, 1.2f, -5.1f, -1.1f, 2.7f, 0}, x[] = {0, 1.3f, -1};
  ssti_cost_geometry geometry = {0, 0, 1, 1};
  float fan[3];
  int64_t zeros = 0;
  double dense = 0;
  ssti_cost_fan(&layer, &geometry, weights, fan, &zeros, &dense);
  assert_int_equal(zeros, 3);
  assert_true(dense == 9);
  ssti_cost_counts counts = ssti_cost_count(&layer, &geometry, x, fan, 0, 0, NULL);
  assert_true(counts.operations == 4);
  assert_true(counts.inputs == 2);
}

// 2 -> 2 channels, 2x2 on a 3x3 picture, crossbars of 2 rows: two spikes in opposite corners.
static void test_crossbars_by_hand(void **state) {
  (void)state;
  sst_cost_layer layer = layer_of(2, 2, 3, 2, 1, 0);
  ssti_cost_geometry geometry = {0, 0, 1, 1};
  float x[18] = {0}, fan[18] = {0}, scratch[9];
  x[0] = x[16] = 1;
  ssti_cost_counts counts = ssti_cost_count(&layer, &geometry, x, fan, 1, 2, scratch);
  assert_true(counts.patches == 2 && counts.rows == 2 && counts.sites == 2);
  for (int i = 0; i < 18; i++) { x[i] = 1; }
  counts = ssti_cost_count(&layer, &geometry, x, fan, 1, 2, scratch);
  assert_true(counts.patches == 4 && counts.rows == 32 && counts.sites == 4);
  assert_true(counts.inputs == 18);
}

// Effective operations of odd convolutions against the sum over all pairs.
static void test_operations_by_brute_force(void **state) {
  (void)state;
  static const struct {
    int64_t in, out, size, kernel, stride, pad, dilation, groups;
  } cases[] = {{5, 7, 6, 3, 1, 1, 1, 1}, {4, 6, 7, 3, 2, 1, 1, 2}, {3, 3, 9, 2, 1, 0, 2, 3}, {17, 2, 5, 5, 3, 2, 1, 1}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    sst_cost_layer l =
        layer_of(cases[k].in, cases[k].out, cases[k].size, cases[k].kernel, cases[k].stride, cases[k].pad);
    int64_t reach = (cases[k].kernel - 1) * cases[k].dilation + 1, inside = cases[k].in / cases[k].groups;
    l.out_height = l.out_width = (cases[k].size + 2 * cases[k].pad - reach) / cases[k].stride + 1;
    l.groups = cases[k].groups;
    l.weights /= l.groups;
    ssti_cost_geometry g = {cases[k].pad, cases[k].pad, cases[k].dilation, cases[k].dilation};
    float x[17 * 81], w[7 * 25 * 17], fan[17 * 81];
    for (int64_t i = 0; i < l.in_channels * l.in_height * l.in_width; i++) {
      x[i] = ssti_random_uniform(1, 1, (uint64_t)i) < 0.3f ? 0.25f : 0.0f;
    }
    for (int64_t i = 0; i < l.weights; i++) { w[i] = ssti_random_uniform(1, 2, (uint64_t)i) < 0.5f ? 1.0f : 0.0f; }
    double pairs = 0, all = 0, spikes = 0;
    for (int64_t oh = 0; oh < l.out_height; oh++) {
      for (int64_t ow = 0; ow < l.out_width; ow++) {
        for (int64_t o = 0; o < l.out_channels; o++) {
          for (int64_t i = 0; i < inside; i++) {
            for (int64_t kh = 0; kh < l.kernel_height; kh++) {
              for (int64_t kw = 0; kw < l.kernel_width; kw++) {
                int64_t h = oh * l.stride_height - g.pad_h + kh * g.dilation_h;
                int64_t v = ow * l.stride_width - g.pad_w + kw * g.dilation_w;
                if (h < 0 || h >= l.in_height || v < 0 || v >= l.in_width) { continue; }
                int64_t c = o / (l.out_channels / l.groups) * inside + i;
                all++;
                pairs += x[(h * l.in_width + v) * l.in_channels + c] != 0.0f &&
                         w[((o * l.kernel_height + kh) * l.kernel_width + kw) * inside + i] != 0.0f;
              }
            }
          }
        }
      }
    }
    for (int64_t i = 0; i < l.in_channels * l.in_height * l.in_width; i++) { spikes += x[i] != 0.0f; }
    int64_t zeros = 0;
    double dense = 0;
    ssti_cost_fan(&l, &g, w, fan, &zeros, &dense);
    ssti_cost_counts counts = ssti_cost_count(&l, &g, x, fan, 0.25, 0, NULL);
    assert_near(dense, all, 0, 0);
    assert_near(counts.operations, pairs, 0, 0);
    assert_near(counts.inputs, spikes, 0, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_neurobench_example),
      TEST(test_crossbars_by_hand),
      TEST(test_operations_by_brute_force),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
