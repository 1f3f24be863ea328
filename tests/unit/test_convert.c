// SPDX-License-Identifier: Apache-2.0
// Conversion: batch norm folded away, thresholds from data, rates that come close to activations, and what is refused.
#include "networks.h"

#include "convert/conversion.h"

enum { SIZE = 28, CLASSES = 10, PICTURES = 48, BATCH = 20 };

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static sst_layer conv(int64_t out, int64_t stride) {
  sst_layer layer = layer_of(SST_LAYER_CONV, out);
  layer.stride = stride;
  return layer;
}

static sst_layer block(sst_block_form form, int64_t out, int64_t stride) {
  sst_layer layer = conv(out, stride);
  layer.kind = SST_LAYER_BLOCK;
  layer.form = form;
  return layer;
}

static sst_model_options ann_of(const sst_layer *layers, int count) {
  sst_model_options options = network_options(layers, count, 1, SIZE, CLASSES);
  options.channels = 1;
  options.spiking = false;
  return options;
}

// The options of the converted network, or with `spiking` false of the ann that its parameters make.
static sst_model_options converted_of(const sst_model_options *ann, bool spiking, int64_t steps) {
  sst_model_options options = *ann;
  options.norm = SST_NORM_NONE;
  options.spiking = spiking;
  options.timesteps = steps;
  options.layer_thresholds = spiking;
  options.activation = SST_ACTIVATION_CLIP;
  options.neuron.kind = SST_NEURON_IF;
  options.neuron.hard_reset = false;
  return options;
}

// A sealed store with the parameters of these options, every value drawn anew if `noise`.
static sst_parameters *store_of(sst_context *context, const sst_model_options *options, bool noise) {
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 3, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_value x = sst_graph_input(graph, "x", sst_shape_make(1, 1, SIZE, SIZE, 1)), logits;
  sst_model_build(graph, options, x, &logits);
  assert_ok(context, sst_graph_compile(graph, SST_NO_VALUE));
  sst_graph_destroy(graph);
  for (int i = 0; noise && i < sst_parameters_count(store); i++) {
    const sst_parameter *p = sst_parameters_at(store, i);
    if (p->kind == SST_PARAMETER_NORM || p->kind == SST_PARAMETER_BUFFER || p->kind == SST_PARAMETER_BIAS) {
      fill_uniform(p->value, p->count, 0.2f, 1.0f, 50 + (uint64_t)i);
    }
  }
  return store;
}

// Logits of two pictures of noise; owned by the caller.
static float *logits_of(sst_context *context, sst_parameters *store, const sst_model_options *options) {
  sst_graph *graph = NULL;
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_value x = sst_graph_input(graph, "x", sst_shape_make(1, 2, SIZE, SIZE, 1)), logits;
  sst_model_build(graph, options, x, &logits);
  sst_graph_keep(graph, logits);
  assert_ok(context, sst_graph_compile(graph, SST_NO_VALUE));
  fill_uniform(sst_graph_data(graph, x), 2LL * SIZE * SIZE, 0.0f, 1.0f, 8);
  sst_graph_forward(graph, NULL);
  float *copy = malloc(2 * CLASSES * sizeof *copy);
  assert_non_null(copy);
  memcpy(copy, sst_graph_data(graph, logits), 2 * CLASSES * sizeof *copy);
  sst_graph_destroy(graph);
  return copy;
}

static void test_folding_changes_nothing(void **state) {
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    const sst_layer layers[] = {conv(3, 2),
                                sst_layer_default(SST_LAYER_NORM),
                                sst_layer_default(SST_LAYER_ACTIVATION),
                                block((sst_block_form)form, 3, 1),
                                block((sst_block_form)form, 5, 2),
                                sst_layer_default(SST_LAYER_ACTIVATION),
                                layer_of(SST_LAYER_LINEAR, 7),
                                sst_layer_default(SST_LAYER_NORM),
                                sst_layer_default(SST_LAYER_ACTIVATION),
                                layer_of(SST_LAYER_LINEAR, 0)};
    const sst_model_options ann = ann_of(layers, COUNT(layers));
    sst_model_options folded = ann;
    folded.norm = SST_NORM_NONE;
    sst_parameters *from = store_of(*state, &ann, true), *to = store_of(*state, &folded, true);
    assert_ok(*state, ssti_conversion_fold(*state, &ann, from, to));
    float *expected = logits_of(*state, from, &ann), *found = logits_of(*state, to, &folded);
    assert_near_norm(found, expected, 2 * CLASSES, 1e-5);
    free(expected);
    free(found);
    sst_parameters_destroy(from);
    sst_parameters_destroy(to);
  }
}

typedef struct scene {
  sst_model_options ann;
  sst_dataset *data;
  sst_loader *loader;
  sst_parameters *store;
  ssti_converted network;
} scene;

static sst_value build_scene(const void *user, sst_graph *graph, bool spiking, int64_t steps, sst_value input) {
  const sst_model_options options = converted_of(user, spiking, spiking ? steps : 1);
  sst_value logits;
  return sst_model_build(graph, &options, input, &logits);
}

// An ANN with random weights, its batch norm folded, and drawn digits.
static void scene_begin(scene *s, sst_context *context, const sst_layer *layers, int count) {
  *s = (scene){.ann = ann_of(layers, count)};
  const sst_model_options snn = converted_of(&s->ann, true, 4);
  sst_parameters *from = store_of(context, &s->ann, true);
  s->store = store_of(context, &snn, false);
  assert_ok(context, ssti_conversion_fold(context, &s->ann, from, s->store));
  sst_parameters_destroy(from);
  const sst_dataset_options data = {.kind = SST_DATASET_DIGITS, .digits_seed = 1, .digits_count = PICTURES};
  assert_ok(context, sst_dataset_open(context, &data, &s->data));
  const sst_loader_options loading = {.batch = BATCH, .deviation = {1, 1, 1, 1}};
  assert_ok(context, sst_loader_open(context, s->data, NULL, PICTURES, &loading, &s->loader));
  s->network = (ssti_converted){.context = context,
                                .device = SST_DEVICE_CPU_REFERENCE,
                                .parameters = s->store,
                                .input = sst_shape_make(1, BATCH, SIZE, SIZE, 1),
                                .build = build_scene,
                                .user = &s->ann};
}

static void scene_end(scene *s) {
  sst_loader_close(s->loader);
  sst_dataset_close(s->data);
  sst_parameters_destroy(s->store);
}

static sst_conversion_options options_of(sst_conversion_method method, double percentile) {
  sst_conversion_options options = sst_conversion_default();
  options.method = method;
  options.percentile = percentile;
  options.calibration_steps = 20;
  return options;
}

// With percentile 100 the first layer's threshold is the largest current of the real pictures, and no current of a
// later layer is above its own; with less, the share asked for is.
static void test_thresholds_are_percentiles(void **state) {
  const sst_layer layers[] = {conv(4, 2), sst_layer_default(SST_LAYER_NORM), sst_layer_default(SST_LAYER_ACTIVATION),
                              layer_of(SST_LAYER_LINEAR, 0)};
  scene s;
  scene_begin(&s, *state, layers, COUNT(layers));
  sst_graph *graph = NULL;
  assert_ok(*state, sst_graph_create(s.store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_value input = sst_graph_input(graph, "x", s.network.input);
  build_scene(&s.ann, graph, false, 1, input);
  sst_value current = sst_graph_find(graph, "2.current");
  sst_graph_keep(graph, current);
  assert_ok(*state, sst_graph_compile(graph, SST_NO_VALUE));
  const double percentiles[] = {100, 90, 50};
  for (int p = 0; p < 3; p++) {
    for (int method = 0; method < 2; method++) {
      const sst_conversion_options options = options_of((sst_conversion_method)method, percentiles[p]);
      assert_ok(*state, ssti_conversion_calibrate(&s.network, &options, s.loader));
      const float threshold = *sst_parameters_find(s.store, "2.threshold")->value;
      int64_t positive = 0, below = 0;
      float largest = 0;
      sst_batch batch;
      sst_loader_start(s.loader, 0, 0);
      while (sst_loader_next(s.loader, &batch)) {
        sst_graph_bind(graph, input, batch.input);
        sst_graph_forward(graph, NULL);
        const float *x = sst_graph_data(graph, current);
        const int64_t used = sst_shape_count(sst_graph_shape(graph, current)) / BATCH * batch.count;
        for (int64_t i = 0; i < used; i++) {
          positive += x[i] > 0;
          below += x[i] > 0 && x[i] <= threshold;
          largest = x[i] > largest ? x[i] : largest;
        }
      }
      assert_true(positive > 1000);
      if (p == 0) { assert_true(threshold == largest); }
      assert_near((double)below / (double)positive, percentiles[p] / 100, 0, 0.002); // a bin holds several
    }
  }
  sst_graph_destroy(graph);
  scene_end(&s);
}

// Thresholds in all layers of all forms of blocks, and the mean output over T comes close to that of the ann cut off at
// the thresholds, the closer the larger T.
static void test_rates_come_close_to_activations(void **state) {
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    const sst_layer layers[] = {conv(3, 4),
                                sst_layer_default(SST_LAYER_NORM),
                                sst_layer_default(SST_LAYER_ACTIVATION),
                                block((sst_block_form)form, 3, 1),
                                block((sst_block_form)form, 4, 2),
                                sst_layer_default(SST_LAYER_ACTIVATION),
                                sst_layer_default(SST_LAYER_AVERAGE_POOL),
                                layer_of(SST_LAYER_LINEAR, 0)};
    scene s;
    scene_begin(&s, *state, layers, COUNT(layers));
    const sst_conversion_options options = options_of(SST_CONVERSION_DATA_NORMALIZATION, 100);
    for (int i = 0; i < sst_parameters_count(s.store); i++) {
      const sst_parameter *p = sst_parameters_at(s.store, i);
      if (ssti_is_threshold(p->name)) { *p->value = -1.0f; }
    }
    assert_fails(*state, SST_NOT_FINITE, ssti_conversion_check_thresholds(&s.network), "'2.threshold' is -1");
    assert_ok(*state, ssti_conversion_calibrate(&s.network, &options, s.loader));
    assert_ok(*state, ssti_conversion_check_thresholds(&s.network)); // none was left out
    const sst_model_options clipped = converted_of(&s.ann, false, 1);
    float *expected = logits_of(*state, s.store, &clipped);
    double before = (double)INFINITY, size = 0;
    for (int c = 0; c < 2 * CLASSES; c++) { size += (double)(expected[c] * expected[c]); }
    for (int64_t steps = 8; steps <= 512; steps *= 8) {
      const sst_model_options snn = converted_of(&s.ann, true, steps);
      float *found = logits_of(*state, s.store, &snn);
      double error = 0;
      for (int c = 0; c < 2 * CLASSES; c++) { error += pow((double)found[c] - (double)expected[c], 2); }
      error = sqrt(error / size);
      assert_true(error < 0.5 * before);
      before = error;
      free(found);
    }
    assert_true(before < 0.02);
    free(expected);
    scene_end(&s);
  }
}

// One layer with half the threshold in its membranes fires in T = L steps exactly what qcfs of L levels puts out.
static void test_qcfs_is_exact_in_one_layer(void **state) {
  enum { LEVELS = 4, NEURONS = 500 };
  sst_parameters *store;
  sst_model_options options = sst_model_default();
  options.qcfs_levels = options.timesteps = LEVELS;
  options.activation = SST_ACTIVATION_QCFS;
  options.layer_thresholds = true;
  options.neuron.kind = SST_NEURON_IF;
  options.neuron.hard_reset = false;
  options.neuron.initial_membrane = 0.5f;
  options.neuron.threshold = 0.75f;
  sst_graph *g = graph_begin(*state, &store);
  sst_value x = sst_graph_input(g, "x", vector_shape(NEURONS)), outputs[2];
  for (int spiking = 0; spiking < 2; spiking++) {
    options.spiking = spiking;
    sst_graph_push(g, spiking ? "snn" : "ann", false);
    outputs[spiking] = sst_mean(g, sst_activation_build(g, &options, "", "", x, NULL), SST_AXES_T);
    sst_graph_keep(g, outputs[spiking]);
    sst_graph_pop(g);
  }
  assert_ok(*state, sst_graph_compile(g, SST_NO_VALUE));
  fill_uniform(sst_graph_data(g, x), NEURONS, -0.5f, 1.5f, 2);
  sst_graph_forward(g, NULL);
  assert_all_near(sst_graph_data(g, outputs[1]), sst_graph_data(g, outputs[0]), NEURONS, 1e-6, 1e-7);
  graph_end(g, store);
}

// All T of one simulation are those of simulations of that length.
static void test_simulation(void **state) {
  const sst_layer layers[] = {conv(4, 4), sst_layer_default(SST_LAYER_ACTIVATION), layer_of(SST_LAYER_LINEAR, 0)};
  scene s;
  scene_begin(&s, *state, layers, COUNT(layers));
  sst_conversion_options options = options_of(SST_CONVERSION_THRESHOLD_BALANCING, 99);
  assert_ok(*state, ssti_conversion_calibrate(&s.network, &options, s.loader));
  sst_conversion_point points[SST_MAX_CONVERSION_POINTS], single;
  int64_t pictures = 0;
  options.point_count = 3;
  options.timesteps[0] = 1, options.timesteps[1] = 6, options.timesteps[2] = 19;
  assert_ok(*state, ssti_conversion_simulate(&s.network, &options, s.loader, points, &pictures));
  assert_int_equal(pictures, PICTURES);
  for (int i = 0; i < 3; i++) {
    sst_conversion_options one = options;
    one.point_count = 1;
    one.timesteps[0] = options.timesteps[i];
    assert_ok(*state, ssti_conversion_simulate(&s.network, &one, s.loader, &single, &pictures));
    assert_int_equal(points[i].timesteps, options.timesteps[i]);
    assert_near(single.accuracy, points[i].accuracy, 0, 0);
    assert_near(single.spikes_per_inference, points[i].spikes_per_inference, 0, 0);
  }
  assert_true(points[2].spikes_per_inference > 3 * points[1].spikes_per_inference / 2);
  sst_context_request_stop(*state);
  assert_fails(*state, SST_INTERRUPTED, ssti_conversion_simulate(&s.network, &options, s.loader, points, &pictures),
               "stopped");
  scene_end(&s);
}

static void refuse(sst_context *context, const sst_layer *layers, int count, const char *part) {
  const sst_model_options ann = ann_of(layers, count);
  assert_fails(context, SST_UNSUPPORTED, ssti_conversion_check_model(context, &ann, SST_CONVERSION_DATA_NORMALIZATION),
               part);
}

static void test_what_cannot_be_converted(void **state) {
  const sst_layer act = sst_layer_default(SST_LAYER_ACTIVATION), norm = sst_layer_default(SST_LAYER_NORM);
  const sst_layer pool = sst_layer_default(SST_LAYER_MAX_POOL), linear = layer_of(SST_LAYER_LINEAR, 0);
  refuse(*state, (sst_layer[]){conv(2, 1), act, pool, linear}, 4, "layer 2.maxpool: ");
  refuse(*state, (sst_layer[]){conv(2, 1), act, norm, linear}, 4, "layer 2.norm: follows act");
  refuse(*state, (sst_layer[]){norm, conv(2, 1), act, linear}, 4, "layer 0.norm: follows the input");
  refuse(*state, (sst_layer[]){conv(2, 1), linear}, 2, "no activation layer");
  const sst_layer fine[] = {pool, conv(2, 1), norm, act, linear};
  sst_model_options ann = ann_of(fine, COUNT(fine));
  assert_ok(*state, ssti_conversion_check_model(*state, &ann, SST_CONVERSION_DATA_NORMALIZATION));
  assert_fails(*state, SST_UNSUPPORTED, ssti_conversion_check_model(*state, &ann, SST_CONVERSION_QCFS),
               "qcfs needs an ann with the activation qcfs or clip, but this one has relu");
  ann.activation = SST_ACTIVATION_CLIP;
  assert_ok(*state, ssti_conversion_check_model(*state, &ann, SST_CONVERSION_QCFS));
  ann.spiking = true;
  assert_fails(*state, SST_UNSUPPORTED, ssti_conversion_check_model(*state, &ann, SST_CONVERSION_QCFS), "spiking");
}

static void test_options(void **state) {
  sst_conversion_options good = sst_conversion_default();
  assert_ok(*state, ssti_conversion_check(*state, &good));
#define EXPECT_BAD(field, value, part)                                                                                 \
  do {                                                                                                                 \
    sst_conversion_options bad = good;                                                                                 \
    bad.field = value;                                                                                                 \
    assert_fails(*state, SST_INVALID_ARGUMENT, ssti_conversion_check(*state, &bad), part);                             \
  } while (0)
  EXPECT_BAD(method, SST_CONVERSION_COUNT, "no conversion method");
  EXPECT_BAD(percentile, 0, "percentile is 0");
  EXPECT_BAD(percentile, 101, "percentile is 101");
  EXPECT_BAD(samples, 0, "samples is 0");
  EXPECT_BAD(calibration_steps, 0, "calibration_steps is 0");
  EXPECT_BAD(initial_membrane, 2.0f, "initial_membrane is 2");
  EXPECT_BAD(point_count, 0, "timesteps holds 0");
  EXPECT_BAD(timesteps[1], 1, "timesteps has 1 at place 1");
  EXPECT_BAD(timesteps[10], 5000, "timesteps has 5000 at place 10");
#undef EXPECT_BAD
  for (int i = 0; i < SST_CONVERSION_COUNT; i++) {
    sst_conversion_method method;
    assert_true(sst_conversion_parse(sst_conversion_word((sst_conversion_method)i), &method));
    assert_int_equal(method, i);
  }
  sst_conversion_method method;
  assert_false(sst_conversion_parse("magic", &method));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_folding_changes_nothing),
      TEST(test_thresholds_are_percentiles),
      TEST(test_rates_come_close_to_activations),
      TEST(test_qcfs_is_exact_in_one_layer),
      TEST(test_simulation),
      TEST(test_what_cannot_be_converted),
      TEST(test_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
