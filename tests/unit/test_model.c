// SPDX-License-Identifier: Apache-2.0
// Networks from layer lists: shapes, taps, parameters, residual blocks, readouts, and what is refused.
#include "../support/support.h"

#include "base/text.h"
#include "spikestill/model.h"
#include "spikestill/ops.h"

// ---- a network on trial ----

typedef struct trial {
  sst_context *context;
  sst_parameters *store;
  sst_graph *graph;
  sst_value x, steps, logits;
} trial;

static void trial_create(trial *t, sst_context *context) {
  *t = (trial){.context = context};
  assert_ok(context, sst_parameters_create(context, 11, &t->store));
  assert_ok(context, sst_graph_create(t->store, SST_DEVICE_CPU_REFERENCE, &t->graph));
}

// Builds the network on a batch of `batch` pictures with `steps` time steps of input.
static void trial_build_on(trial *t, const sst_model_options *options, int64_t steps, int64_t batch) {
  t->x =
      sst_graph_input(t->graph, "x", sst_shape_make(steps, batch, options->height, options->width, options->channels));
  t->steps = sst_model_build(t->graph, options, t->x, &t->logits);
}

static void trial_begin(trial *t, sst_context *context, const sst_model_options *options) {
  trial_create(t, context);
  trial_build_on(t, options, 1, 2);
  assert_ok(context, sst_graph_status(t->graph));
}

static void trial_end(trial *t) {
  sst_graph_destroy(t->graph);
  sst_parameters_destroy(t->store);
}

// A second graph over the same parameters.
static trial trial_again(const trial *t, const sst_model_options *options) {
  trial again = {.context = t->context, .store = t->store};
  assert_ok(t->context, sst_graph_create(t->store, SST_DEVICE_CPU_REFERENCE, &again.graph));
  trial_build_on(&again, options, 1, 2);
  assert_ok(t->context, sst_graph_status(again.graph));
  return again;
}

static sst_value tap(trial *t, const char *name) {
  sst_value value = sst_graph_find(t->graph, name);
  assert_ok(t->context, sst_graph_status(t->graph));
  return value;
}

static void keep(trial *t, const char *name) { sst_graph_keep(t->graph, tap(t, name)); }

static int64_t count_of(trial *t, const char *name) { return sst_shape_count(sst_graph_shape(t->graph, tap(t, name))); }

static const float *data(trial *t, const char *name) {
  const float *memory = sst_graph_data(t->graph, tap(t, name));
  assert_non_null(memory);
  return memory;
}

static void trial_run(trial *t, bool training) {
  assert_ok(t->context, sst_graph_compile(t->graph, SST_NO_VALUE));
  fill_normal(sst_graph_data(t->graph, t->x), sst_shape_count(sst_graph_shape(t->graph, t->x)), 1.0f, 5);
  sst_graph_forward(t->graph, &(sst_run_options){.training = training});
}

static void assert_tap_shape(trial *t, const char *name, sst_shape expected) {
  char found_text[SST_SHAPE_TEXT_SIZE], expected_text[SST_SHAPE_TEXT_SIZE];
  sst_shape_text(sst_graph_shape(t->graph, tap(t, name)), found_text, sizeof found_text);
  sst_shape_text(expected, expected_text, sizeof expected_text);
  if (strcmp(found_text, expected_text) != 0) { fail_msg("%s is %s, expected %s", name, found_text, expected_text); }
}

// All tap names in the order they were made, with spaces between; the input's own tap is left out.
static void assert_taps(trial *t, const char *expected) {
  ssti_text text = ssti_text_begin(t->context);
  for (int i = 0; i < sst_graph_tap_count(t->graph); i++) {
    sst_value value;
    const char *name = sst_graph_tap_at(t->graph, i, &value);
    if (value != t->x) { ssti_text_append(&text, "%s%s", text.length ? " " : "", name); }
  }
  assert_int_equal(text.status, SST_OK);
  assert_string_equal(text.data, expected);
  ssti_text_free(&text);
}

static void assert_parameters(trial *t, const char *expected) {
  ssti_text text = ssti_text_begin(t->context);
  for (int i = 0; i < sst_parameters_count(t->store); i++) {
    ssti_text_append(&text, "%s%s", i ? " " : "", sst_parameters_at(t->store, i)->name);
  }
  assert_int_equal(text.status, SST_OK);
  assert_string_equal(text.data, expected);
  ssti_text_free(&text);
}

// ---- layer lists ----

static sst_layer plain(sst_layer_kind kind) { return sst_layer_default(kind); }

static sst_layer wide(sst_layer_kind kind, int64_t out) {
  sst_layer layer = sst_layer_default(kind);
  layer.out = out;
  return layer;
}

static sst_layer block(sst_block_form form, int64_t out, int64_t stride) {
  sst_layer layer = wide(SST_LAYER_BLOCK, out);
  layer.form = form;
  layer.stride = stride;
  return layer;
}

// 8x8x3 pictures, 5 classes, T = 3.
static sst_model_options small(bool spiking, const sst_layer *layers, int count) {
  sst_model_options options = sst_model_default();
  options.spiking = spiking;
  options.timesteps = 3;
  options.classes = 5;
  options.height = options.width = 8;
  options.channels = 3;
  options.layers = layers;
  options.layer_count = count;
  return options;
}

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

enum { CHAIN_LAYERS = 11 };
static void chain(sst_layer layers[CHAIN_LAYERS]) {
  const sst_layer list[CHAIN_LAYERS] = {
      wide(SST_LAYER_CONV, 4),  plain(SST_LAYER_NORM),    plain(SST_LAYER_ACTIVATION), plain(SST_LAYER_MAX_POOL),
      wide(SST_LAYER_CONV, 6),  plain(SST_LAYER_NORM),    plain(SST_LAYER_ACTIVATION), plain(SST_LAYER_AVERAGE_POOL),
      plain(SST_LAYER_FLATTEN), plain(SST_LAYER_DROPOUT), plain(SST_LAYER_LINEAR)};
  memcpy(layers, list, sizeof list);
}

// ---- shapes, taps, parameters ----

static void test_ann_taps_and_shapes(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(false, layers, CHAIN_LAYERS);
  trial t;
  trial_begin(&t, *state, &options);
  assert_taps(&t, "0.conv 1.norm 2.act 3.maxpool stage1 4.conv 5.norm 6.act 7.avgpool stage2 8.flatten 9.dropout "
                  "features 10.linear head.weight step_logits logits");
  assert_tap_shape(&t, "0.conv", sst_shape_make(1, 2, 8, 8, 4));
  assert_tap_shape(&t, "5.norm", sst_shape_make(1, 2, 4, 4, 6));
  assert_tap_shape(&t, "8.flatten", sst_shape_make(1, 2, 1, 1, 24));
  assert_tap_shape(&t, "logits", sst_shape_make(1, 2, 1, 1, 5));
  assert_int_equal(tap(&t, "stage1"), tap(&t, "2.act"));
  assert_int_equal(tap(&t, "stage2"), tap(&t, "6.act"));
  assert_int_equal(tap(&t, "features"), tap(&t, "6.act"));
  assert_int_equal(t.steps, tap(&t, "step_logits"));
  assert_int_equal(t.logits, tap(&t, "logits"));
  assert_false(sst_graph_is_spikes(t.graph, tap(&t, "2.act")));
  trial_end(&t);
}

static void test_snn_taps_and_shapes(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  trial t;
  trial_begin(&t, *state, &options);
  assert_taps(&t, "0.conv 1.norm 2.membrane 2.act 3.maxpool stage1 stage1.membrane 4.conv 5.norm 6.membrane 6.act "
                  "7.avgpool stage2 stage2.membrane 8.flatten 9.dropout features features.membrane 10.linear "
                  "head.weight step_logits logits");
  assert_int_equal(tap(&t, "stage1.membrane"), tap(&t, "2.membrane"));
  assert_int_equal(tap(&t, "stage2.membrane"), tap(&t, "6.membrane"));
  assert_int_equal(tap(&t, "features.membrane"), tap(&t, "6.membrane"));
  assert_tap_shape(&t, "1.norm", sst_shape_make(1, 2, 8, 8, 4)); // the stem is computed once, not once a step
  assert_tap_shape(&t, "2.act", sst_shape_make(3, 2, 8, 8, 4));
  assert_tap_shape(&t, "2.membrane", sst_shape_make(3, 2, 8, 8, 4));
  assert_tap_shape(&t, "step_logits", sst_shape_make(3, 2, 1, 1, 5));
  assert_tap_shape(&t, "logits", sst_shape_make(1, 2, 1, 1, 5));
  assert_true(sst_graph_is_spikes(t.graph, tap(&t, "2.act")));
  trial_end(&t);
}

static void test_encoded_input_keeps_its_steps(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  trial t;
  trial_create(&t, *state);
  trial_build_on(&t, &options, 3, 2);
  assert_tap_shape(&t, "1.norm", sst_shape_make(3, 2, 8, 8, 4));
  assert_tap_shape(&t, "step_logits", sst_shape_make(3, 2, 1, 1, 5));
  trial_end(&t);
}

// A network without neurons has nothing that repeats; its callers get T steps all the same.
static void test_network_without_activation(void **state) {
  const sst_layer layers[] = {plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, 1);
  trial t;
  trial_begin(&t, *state, &options);
  assert_taps(&t, "0.linear head.weight step_logits logits"); // no activation: no features
  assert_tap_shape(&t, "0.linear", sst_shape_make(1, 2, 1, 1, 5));
  assert_tap_shape(&t, "step_logits", sst_shape_make(3, 2, 1, 1, 5));
  trial_end(&t);
}

static void test_same_names_for_ann_and_snn(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  const char *names = "0.conv.weight 1.norm.gamma 1.norm.beta 1.norm.running_mean 1.norm.running_variance "
                      "4.conv.weight 5.norm.gamma 5.norm.beta 5.norm.running_mean 5.norm.running_variance "
                      "10.linear.weight 10.linear.bias";
  trial t[2];
  for (int spiking = 0; spiking < 2; spiking++) {
    sst_model_options options = small(spiking == 1, layers, CHAIN_LAYERS);
    trial_begin(&t[spiking], *state, &options);
    assert_parameters(&t[spiking], names);
    assert_ok(*state, sst_parameters_seal(t[spiking].store));
  }
  // Where a norm takes the scale out, the initial values are the same too.
  for (int i = 0; i < sst_parameters_count(t[0].store); i++) {
    const sst_parameter *ann = sst_parameters_at(t[0].store, i), *snn = sst_parameters_at(t[1].store, i);
    assert_same_bits(ann->value, snn->value, ann->count);
    assert_int_equal(ann->kind, snn->kind);
  }
  trial_end(&t[0]);
  trial_end(&t[1]);
}

static void test_scopes_go_in_front(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  trial t;
  trial_create(&t, *state);
  sst_graph_push(t.graph, "student", false);
  trial_build_on(&t, &options, 1, 2);
  sst_graph_pop(t.graph);
  assert_ok(*state, sst_graph_status(t.graph));
  tap(&t, "student.2.membrane");
  tap(&t, "student.stage2");
  tap(&t, "student.features");
  tap(&t, "student.logits");
  trial_end(&t);
}

static void test_initial_values(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 64),   plain(SST_LAYER_NORM),       plain(SST_LAYER_ACTIVATION),
                              wide(SST_LAYER_LINEAR, 50), plain(SST_LAYER_ACTIVATION), plain(SST_LAYER_LINEAR)};
  for (int spiking = 0; spiking < 2; spiking++) {
    sst_model_options options = small(spiking == 1, layers, COUNT(layers));
    options.neuron.threshold = 0.5f;
    trial t;
    trial_begin(&t, *state, &options);
    assert_ok(*state, sst_parameters_seal(t.store));
    const struct {
      const char *name;
      double deviation, bound;
    } expected[] = {
        {"0.conv.weight", 1.0 / sqrt(3.0 * 27.0), 1.0 / sqrt(27.0)},   // a norm follows: U(-1/sqrt(fan_in), ...)
        {"3.linear.weight", (spiking ? 1.5 : sqrt(2.0)) / 64.0, 1.0},  // none does: N(0, gain^2/fan_in)
        {"5.linear.weight", 1.0 / sqrt(3.0 * 50.0), 1.0 / sqrt(50.0)}, // the logits'
    };
    for (int i = 0; i < COUNT(expected); i++) {
      const sst_parameter *parameter = sst_parameters_find(t.store, expected[i].name);
      double sum = 0.0, squares = 0.0, largest = 0.0;
      for (int64_t j = 0; j < parameter->count; j++) {
        double value = (double)parameter->value[j];
        sum += value;
        squares += value * value;
        largest = fmax(largest, fabs(value));
      }
      double count = (double)parameter->count;
      // 250 draws at least; 3.linear has 204800, which tells the two gains apart.
      assert_near(sqrt(squares / count), expected[i].deviation, i == 1 ? 0.01 : 0.08, 0);
      assert_near(sum / count, 0.0, 0, 5.0 * expected[i].deviation / sqrt(count));
      assert_true(largest <= expected[i].bound * 1.000001);
    }
    assert_near(sst_parameters_find(t.store, "1.norm.gamma")->value[7], 1, 0, 0);
    assert_near(sst_parameters_find(t.store, "1.norm.running_variance")->value[7], 1, 0, 0);
    assert_near(sst_parameters_find(t.store, "1.norm.beta")->value[7], 0, 0, 0);
    assert_near(sst_parameters_find(t.store, "5.linear.bias")->value[4], 0, 0, 0);
    assert_int_equal(sst_parameters_find(t.store, "5.linear.bias")->kind, SST_PARAMETER_BIAS);
    assert_int_equal(sst_parameters_find(t.store, "1.norm.gamma")->kind, SST_PARAMETER_NORM);
    trial_end(&t);
  }
}

// Without norms a deep network must not start silent, or it never learns.
static void test_neurons_fire_from_the_start(void **state) {
  sst_layer layers[14];
  for (int i = 0; i < 12; i++) { layers[i] = i % 2 == 0 ? wide(SST_LAYER_CONV, 16) : plain(SST_LAYER_ACTIVATION); }
  layers[12] = plain(SST_LAYER_GLOBAL_POOL);
  layers[13] = plain(SST_LAYER_LINEAR);
  sst_model_options options = small(true, layers, COUNT(layers));
  options.norm = SST_NORM_NONE;
  trial t;
  trial_begin(&t, *state, &options);
  keep(&t, "11.act");
  trial_run(&t, false);
  const float *spikes = data(&t, "11.act");
  double sum = 0.0;
  for (int64_t i = 0; i < count_of(&t, "11.act"); i++) { sum += (double)spikes[i]; }
  double rate = sum / (double)count_of(&t, "11.act");
  if (rate < 0.02 || rate > 0.6) { fail_msg("the sixth neuron layer fires at rate %g", rate); }
  trial_end(&t);
}

static void test_two_graphs_share_parameters(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  trial t;
  trial_begin(&t, *state, &options);
  keep(&t, "logits");
  trial_run(&t, false);
  int count = sst_parameters_count(t.store);
  trial again = trial_again(&t, &options); // over the sealed store
  keep(&again, "logits");
  trial_run(&again, false);
  assert_int_equal(sst_parameters_count(t.store), count);
  assert_same_bits(data(&again, "logits"), data(&t, "logits"), 10);
  sst_graph_destroy(again.graph);
  trial_end(&t);
}

static void test_store_of_another_network_is_refused(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_LINEAR, 6), plain(SST_LAYER_ACTIVATION), plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  trial t;
  trial_begin(&t, *state, &options);
  assert_ok(*state, sst_parameters_seal(t.store));
  options.classes = 7;
  trial other = {.context = *state, .store = t.store};
  assert_ok(*state, sst_graph_create(t.store, SST_DEVICE_CPU_REFERENCE, &other.graph));
  trial_build_on(&other, &options, 1, 2);
  assert_fails(*state, SST_MISMATCH, sst_graph_status(other.graph), "2.linear.weight");
  sst_graph_destroy(other.graph);
  trial_end(&t);
}

// ---- options of layers ----

static void test_norm_none_gives_biases(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  options.norm = SST_NORM_NONE;
  trial t;
  trial_begin(&t, *state, &options);
  assert_parameters(&t, "0.conv.weight 0.conv.bias 4.conv.weight 4.conv.bias 10.linear.weight 10.linear.bias");
  assert_false(sst_graph_has_tap(t.graph, "1.norm"));
  trial_end(&t);
}

static void test_bias_by_choice(void **state) {
  sst_layer layers[CHAIN_LAYERS];
  chain(layers);
  layers[0].bias = 1;
  layers[10].bias = 0;
  sst_model_options options = small(true, layers, CHAIN_LAYERS);
  trial t;
  trial_begin(&t, *state, &options);
  assert_non_null(sst_parameters_find(t.store, "0.conv.bias"));
  assert_null(sst_parameters_find(t.store, "4.conv.bias"));
  assert_null(sst_parameters_find(t.store, "10.linear.bias"));
  trial_end(&t);
}

static void test_groups_and_depthwise(void **state) {
  sst_layer layers[] = {wide(SST_LAYER_CONV, 6), wide(SST_LAYER_CONV, 12), wide(SST_LAYER_CONV, 12),
                        plain(SST_LAYER_GLOBAL_POOL), plain(SST_LAYER_LINEAR)};
  layers[1].groups = 2;
  layers[2].groups = 0;
  layers[2].dilation = 2;
  layers[2].padding = 2;
  sst_model_options options = small(false, layers, COUNT(layers));
  trial t;
  trial_begin(&t, *state, &options);
  assert_true(sst_shape_equal(sst_parameters_find(t.store, "1.conv.weight")->shape, sst_shape_make(1, 12, 3, 3, 3)));
  assert_true(sst_shape_equal(sst_parameters_find(t.store, "2.conv.weight")->shape, sst_shape_make(1, 12, 3, 3, 1)));
  assert_tap_shape(&t, "2.conv", sst_shape_make(1, 2, 8, 8, 12));
  assert_tap_shape(&t, "3.globalpool", sst_shape_make(1, 2, 1, 1, 12));
  trial_end(&t);
}

static void test_reductions_without_activation_end_one_stage(void **state) {
  sst_layer layers[] = {wide(SST_LAYER_CONV, 4),       plain(SST_LAYER_AVERAGE_POOL), plain(SST_LAYER_ACTIVATION),
                        plain(SST_LAYER_AVERAGE_POOL), wide(SST_LAYER_CONV, 4),       plain(SST_LAYER_ACTIVATION),
                        wide(SST_LAYER_CONV, 4),       plain(SST_LAYER_GLOBAL_POOL),  plain(SST_LAYER_LINEAR)};
  layers[6].stride = 2;
  sst_model_options options = small(false, layers, COUNT(layers));
  options.height = options.width = 16; // 8, 4 and 2 are left after the reductions before the last
  trial t;
  trial_begin(&t, *state, &options);
  assert_int_equal(tap(&t, "stage1"), tap(&t, "2.act")); // the first pooling has no activation before it
  assert_int_equal(tap(&t, "stage2"), tap(&t, "5.act")); // before the strided convolution
  assert_false(sst_graph_has_tap(t.graph, "stage3"));    // the global pooling follows no new activation
  trial_end(&t);
}

// Mean square of a normalised layer: 1, or the threshold's square, or half of that where two branches meet.
static double mean_square(trial *t, const char *name) {
  const float *x = data(t, name);
  int64_t count = count_of(t, name);
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) { sum += (double)x[i] * (double)x[i]; }
  return sum / (double)count;
}

static void test_threshold_norm(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 4), plain(SST_LAYER_NORM), plain(SST_LAYER_ACTIVATION),
                              block(SST_BLOCK_FORM_BASIC, 6, 2), plain(SST_LAYER_LINEAR)};
  for (int spiking = 0; spiking < 2; spiking++) {
    sst_model_options options = small(spiking == 1, layers, COUNT(layers));
    options.norm = SST_NORM_THRESHOLD;
    options.neuron.threshold = 0.5f;
    trial t;
    trial_begin(&t, *state, &options);
    const char *names[] = {"1.norm", "3.norm1", "3.norm2", "3.shortcut_norm"};
    for (int i = 0; i < COUNT(names); i++) { keep(&t, names[i]); }
    trial_run(&t, true);
    for (int i = 0; i < COUNT(names); i++) {
      double expected = spiking ? (i < 2 ? 0.25 : 0.125) : 1.0;
      assert_near(mean_square(&t, names[i]), expected, 1e-3, 0); // epsilon takes a little
    }
    trial_end(&t);
  }
}

static void test_plif_learns_its_decay(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 4), plain(SST_LAYER_ACTIVATION), block(SST_BLOCK_FORM_SEW, 6, 2),
                              plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  options.neuron.kind = SST_NEURON_PLIF;
  options.neuron.decay = 0.75f;
  options.readout = SST_READOUT_SPIKE_COUNT;
  trial t;
  trial_begin(&t, *state, &options);
  assert_ok(*state, sst_parameters_seal(t.store));
  const char *names[] = {"1.decay", "2.decay1", "2.decay2", "2.shortcut_decay", "readout.decay"};
  for (int i = 0; i < COUNT(names); i++) {
    const sst_parameter *decay = sst_parameters_find(t.store, names[i]);
    assert_non_null(decay);
    assert_int_equal(decay->kind, SST_PARAMETER_NEURON);
    assert_true(decay->trainable);
    assert_near(1.0 - 1.0 / (1.0 + exp(-(double)decay->value[0])), 0.75, 1e-6, 0);
  }
  trial_end(&t);
}

// ---- blocks ----

static void test_block_taps(void **state) {
  const char *expected[] = {
      "0.conv1 0.norm1 0.membrane1 0.act1 0.conv2 0.norm2 0.shortcut_conv 0.shortcut_norm 0.membrane2 0.act2 0.out",
      ("0.conv1 0.norm1 0.membrane1 0.act1 0.conv2 0.norm2 0.membrane2 0.act2 0.shortcut_conv 0.shortcut_norm "
       "0.shortcut_membrane 0.shortcut_act 0.out"),
      "0.membrane1 0.act1 0.conv1 0.norm1 0.membrane2 0.act2 0.conv2 0.norm2 0.shortcut_conv 0.shortcut_norm 0.out"};
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    const sst_layer layers[] = {block((sst_block_form)form, 6, 2), plain(SST_LAYER_GLOBAL_POOL),
                                plain(SST_LAYER_LINEAR)};
    sst_model_options options = small(true, layers, COUNT(layers));
    trial t;
    trial_begin(&t, *state, &options);
    ssti_text text = ssti_text_begin(*state);
    const char *stages[] = {" 1.globalpool stage1 stage1.membrane", " 1.globalpool stage1 stage1.membrane",
                            " stage1 stage1.membrane 1.globalpool stage2 stage2.membrane"};
    ssti_text_append(&text, "%s%s features features.membrane 2.linear head.weight step_logits logits", expected[form],
                     stages[form]);
    assert_taps(&t, text.data);
    ssti_text_free(&text);
    assert_tap_shape(&t, "0.out", sst_shape_make(3, 2, 4, 4, 6));
    const char *last[] = {"0.act2", "0.out", "0.act2"}; // sew: the sum of spikes is what the next layer reads
    assert_int_equal(tap(&t, "features"), tap(&t, last[form]));
    assert_int_equal(tap(&t, "features.membrane"), tap(&t, "0.membrane2")); // not the shortcut's
    trial_end(&t);
  }
}

static void test_shortcuts(void **state) {
  const struct {
    int64_t out, stride;
    bool convolution;
  } cases[] = {{3, 1, false}, {3, 2, true}, {4, 1, true}};
  for (int i = 0; i < COUNT(cases); i++) {
    const sst_layer layers[] = {block(SST_BLOCK_FORM_BASIC, cases[i].out, cases[i].stride), plain(SST_LAYER_LINEAR)};
    sst_model_options options = small(false, layers, COUNT(layers));
    trial t;
    trial_begin(&t, *state, &options);
    assert_int_equal(sst_graph_has_tap(t.graph, "0.shortcut_norm"), cases[i].convolution);
    int64_t side = 8 / cases[i].stride;
    assert_tap_shape(&t, "0.out", sst_shape_make(1, 2, side, side, cases[i].out));
    trial_end(&t);
  }
}

// In the MS form the strided convolution reads the block's own first activation: that one ends the stage.
static void test_ms_stage_is_inside_the_block(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 4),        plain(SST_LAYER_NORM),
                              block(SST_BLOCK_FORM_MS, 4, 1), block(SST_BLOCK_FORM_MS, 6, 2),
                              plain(SST_LAYER_ACTIVATION),    plain(SST_LAYER_GLOBAL_POOL),
                              plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  trial t;
  trial_begin(&t, *state, &options);
  assert_int_equal(tap(&t, "stage1"), tap(&t, "3.act1"));
  assert_int_equal(tap(&t, "stage1.membrane"), tap(&t, "3.membrane1"));
  assert_int_equal(tap(&t, "stage2"), tap(&t, "4.act"));
  assert_int_equal(tap(&t, "stage2.membrane"), tap(&t, "4.membrane"));
  assert_int_equal(tap(&t, "features"), tap(&t, "4.act"));
  assert_tap_shape(&t, "2.out", sst_shape_make(3, 2, 8, 8, 4)); // its shortcut has T = 1 and is repeated
  assert_false(sst_graph_has_tap(t.graph, "2.shortcut_conv"));
  trial_end(&t);
}

// With gamma2 = 0 the residual branch is silent, so the block shows what its shortcut and its sum do.
static void test_block_with_silent_branch(void **state) {
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    const sst_layer layers[] = {wide(SST_LAYER_CONV, 4), block((sst_block_form)form, 4, 1), plain(SST_LAYER_LINEAR)};
    sst_model_options options = small(false, layers, COUNT(layers));
    trial t;
    trial_begin(&t, *state, &options);
    keep(&t, "0.conv");
    keep(&t, "1.out");
    assert_ok(*state, sst_graph_compile(t.graph, SST_NO_VALUE));
    const sst_parameter *gamma = sst_parameters_find(t.store, "1.norm2.gamma");
    memset(gamma->value, 0, (size_t)gamma->count * sizeof(float));
    fill_normal(sst_graph_data(t.graph, t.x), 2 * 8 * 8 * 3, 1.0f, 5);
    sst_graph_forward(t.graph, &(sst_run_options){.training = true});
    const float *in = data(&t, "0.conv"), *out = data(&t, "1.out");
    for (int64_t i = 0; i < count_of(&t, "1.out"); i++) {
      float expected = form == SST_BLOCK_FORM_BASIC && in[i] < 0.0f ? 0.0f : in[i];
      assert_near(out[i], expected, 0, 0);
    }
    trial_end(&t);
  }
}

static void test_sew_sums_spikes(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 4),         plain(SST_LAYER_NORM),
                              plain(SST_LAYER_ACTIVATION),     block(SST_BLOCK_FORM_SEW, 4, 1),
                              block(SST_BLOCK_FORM_SEW, 6, 2), plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  trial t;
  trial_begin(&t, *state, &options);
  const char *names[] = {"2.act", "3.act2", "3.out", "4.act2", "4.shortcut_act", "4.out"};
  for (int i = 0; i < COUNT(names); i++) { keep(&t, names[i]); }
  trial_run(&t, true);
  for (int b = 0; b < 2; b++) {
    const float *shortcut = data(&t, names[3 * b + (b == 0 ? 0 : 1)]);
    const float *branch = data(&t, names[3 * b + (b == 0 ? 1 : 0)]), *out = data(&t, names[3 * b + 2]);
    double spikes = 0.0;
    for (int64_t i = 0; i < count_of(&t, names[3 * b + 2]); i++) {
      assert_near(out[i], branch[i] + shortcut[i], 0, 0);
      assert_true(branch[i] == 0.0f || branch[i] == 1.0f);
      spikes += (double)branch[i];
    }
    assert_true(spikes > 0.0);
  }
  trial_end(&t);
}

// ---- readouts ----

static void test_readouts(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 4), plain(SST_LAYER_NORM), plain(SST_LAYER_ACTIVATION),
                              plain(SST_LAYER_LINEAR)};
  for (int readout = 0; readout < SST_READOUT_COUNT; readout++) {
    sst_model_options options = small(true, layers, COUNT(layers));
    options.readout = (sst_readout)readout;
    options.readout_decay = 0.25f;
    options.neuron.threshold = 0.2f;
    trial t;
    trial_begin(&t, *state, &options);
    keep(&t, "3.linear");
    keep(&t, "step_logits");
    keep(&t, "logits");
    trial_run(&t, true);
    assert_tap_shape(&t, "step_logits", sst_shape_make(3, 2, 1, 1, 5));
    assert_int_equal(sst_graph_has_tap(t.graph, "readout.membrane"),
                     readout == SST_READOUT_MEMBRANE || readout == SST_READOUT_SPIKE_COUNT);
    const float *current = data(&t, "3.linear"), *steps = data(&t, "step_logits"), *logits = data(&t, "logits");
    for (int i = 0; i < 10; i++) {
      float membrane = 0.0f, sum = 0.0f;
      for (int step = 0; step < 3; step++) {
        float x = current[10 * step + i], expected = x;
        if (readout == SST_READOUT_MEMBRANE) { expected = membrane = 0.25f * membrane + x; }
        if (readout == SST_READOUT_SPIKE_COUNT) { // the network's own neuron: decay 0.5, hard reset to 0
          membrane = 0.5f * membrane + x;
          expected = membrane >= 0.2f ? 1.0f : 0.0f;
          membrane *= 1.0f - expected;
        }
        assert_near(steps[10 * step + i], expected, 1e-6, 1e-7);
        sum += expected;
      }
      assert_near(logits[i], readout == SST_READOUT_LAST_STEP ? current[20 + i] : sum / 3.0f, 1e-6, 1e-7);
    }
    if (readout == SST_READOUT_SPIKE_COUNT) { assert_true(sst_graph_is_spikes(t.graph, tap(&t, "readout.act"))); }
    trial_end(&t);
  }
}

// ---- refusals ----

static void refuse(sst_context *context, const sst_model_options *options, sst_status status, const char *part) {
  trial t;
  trial_create(&t, context);
  trial_build_on(&t, options, 1, 2);
  assert_fails(context, status, sst_graph_compile(t.graph, SST_NO_VALUE), part);
  assert_int_equal(t.steps, SST_NO_VALUE);
  assert_int_equal(t.logits, SST_NO_VALUE);
  trial_end(&t);
}

static void refuse_layer(sst_context *context, sst_layer layer, sst_status status, const char *part) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 6), layer, plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  refuse(context, &options, status, part);
}

static void test_layers_that_do_not_fit(void **state) {
  sst_layer layer = wide(SST_LAYER_CONV, 4);
  layer.kernel = 9;
  layer.padding = 0;
  refuse_layer(*state, layer, SST_SHAPE, "layer 1.conv: a kernel of 9 (dilation 1) is larger than its 8x8 input");
  layer = wide(SST_LAYER_CONV, 4);
  layer.groups = 4;
  refuse_layer(*state, layer, SST_SHAPE, "layer 1.conv: 4 groups must divide its 6 input and 4 output channels");
  layer = plain(SST_LAYER_AVERAGE_POOL);
  layer.kernel = 10;
  refuse_layer(*state, layer, SST_SHAPE, "layer 1.avgpool: a window of 10 is larger than its 8x8 input");
  layer = wide(SST_LAYER_CONV, 1 << 20);
  layer.kernel = 1024;
  layer.padding = 1024;
  refuse_layer(*state, layer, SST_SHAPE, "layer 1.conv: its weight would have 6.6e+12 elements");
}

static void test_numbers_out_of_range(void **state) {
  sst_layer layer = wide(SST_LAYER_CONV, 0);
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.conv: out is 0");
  layer.out = 4;
  layer.stride = 0;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.conv: stride is 0");
  layer.stride = 1;
  layer.padding = -1;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.conv: padding is -1");
  layer.padding = 1;
  layer.dilation = 0;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.conv: dilation is 0");
  layer.dilation = 1;
  layer.groups = -2;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.conv: groups is -2");
  layer = plain(SST_LAYER_MAX_POOL);
  layer.kernel = 0;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.maxpool: kernel is 0");
  layer = plain(SST_LAYER_DROPOUT);
  layer.rate = 1.0f;
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1.dropout: rate is 1");
  // Only the last linear layer may leave its width to the number of classes.
  refuse_layer(*state, plain(SST_LAYER_LINEAR), SST_INVALID_ARGUMENT, "layer 1.linear: out is 0");
  refuse_layer(*state, block((sst_block_form)7, 4, 1), SST_INVALID_ARGUMENT, "layer 1.block: form is 7");
  layer = plain((sst_layer_kind)77);
  refuse_layer(*state, layer, SST_INVALID_ARGUMENT, "layer 1: there is no layer kind 77");
}

static void test_networks_that_cannot_be(void **state) {
  const sst_layer layers[] = {wide(SST_LAYER_CONV, 6), plain(SST_LAYER_ACTIVATION), wide(SST_LAYER_LINEAR, 4)};
  sst_model_options good = small(true, layers, COUNT(layers));
  refuse(*state, &good, SST_SHAPE, "layer 2.linear: the network's output is [3,2,1,1,4], but expected is [T,N,1,1,5]");
  sst_model_options bad = good;
  bad.layer_count = 2;
  refuse(*state, &bad, SST_SHAPE, "layer 1.act: the network's output is [3,2,8,8,6]");
  bad = good;
  bad.layer_count = 0;
  refuse(*state, &bad, SST_INVALID_ARGUMENT, "the network has no layers");
  bad = good;
  bad.timesteps = 0;
  refuse(*state, &bad, SST_INVALID_ARGUMENT, "timesteps is 0");
  bad = good;
  bad.classes = 0;
  refuse(*state, &bad, SST_INVALID_ARGUMENT, "classes is 0");
  bad = good;
  bad.neuron.kind = SST_NEURON_LI;
  refuse(*state, &bad, SST_INVALID_ARGUMENT, "membrane readout");
  bad = good;
  bad.neuron.threshold = 0.0f;
  refuse(*state, &bad, SST_INVALID_ARGUMENT, "threshold is 0");
}

static void test_input_that_does_not_fit(void **state) {
  const sst_layer layers[] = {plain(SST_LAYER_LINEAR)};
  sst_context *context = *state;
  for (int spiking = 0; spiking < 2; spiking++) {
    sst_model_options options = small(spiking == 1, layers, 1);
    trial t;
    trial_create(&t, context);
    trial_build_on(&t, &options, 2, 2); // neither 1 nor T = 3 steps
    assert_fails(context, SST_SHAPE, sst_graph_status(t.graph),
                 spiking ? "is [2,2,8,8,3], but expected is [1 or 3,N,8,8,3]" : "but expected is [1,N,8,8,3]");
    trial_end(&t);
  }
  sst_model_options options = small(true, layers, 1);
  trial t;
  trial_create(&t, context);
  sst_value x = sst_graph_input(t.graph, "x", sst_shape_make(1, 2, 8, 8, 1));
  assert_int_equal(sst_model_build(t.graph, &options, x, &t.logits), SST_NO_VALUE);
  assert_fails(context, SST_SHAPE, sst_graph_status(t.graph), "[1,2,8,8,1], but expected is [1 or 3,N,8,8,3]");
  trial_end(&t);
}

static void test_every_allocation_may_fail(void **state) {
  (void)state;
  sst_layer layers[] = {wide(SST_LAYER_CONV, 2), plain(SST_LAYER_NORM), plain(SST_LAYER_ACTIVATION),
                        block(SST_BLOCK_FORM_SEW, 3, 2), plain(SST_LAYER_LINEAR)};
  sst_model_options options = small(true, layers, COUNT(layers));
  options.readout = SST_READOUT_SPIKE_COUNT;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    trial t = {.context = fault_context(&plan)};
    sst_status status = sst_parameters_create(t.context, 1, &t.store);
    if (status == SST_OK) { status = sst_graph_create(t.store, SST_DEVICE_CPU_REFERENCE, &t.graph); }
    if (status == SST_OK) {
      trial_build_on(&t, &options, 1, 2);
      status = sst_graph_status(t.graph);
      assert_true((status == SST_OK) == (t.steps >= 0));
      assert_true((status == SST_OK) == (t.logits >= 0));
    }
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    trial_end(&t);
    test_context_end(t.context);
    if (!met) { break; }
  }
}

// ---- words ----

#define CHECK_WORDS(kind_type, word_function, parse_function, count)                                                   \
  do {                                                                                                                 \
    kind_type kind;                                                                                                    \
    for (int i = 0; i < (int)(count); i++) {                                                                           \
      assert_true(parse_function(word_function((kind_type)i), &kind));                                                 \
      assert_int_equal(kind, i);                                                                                       \
    }                                                                                                                  \
    kind = (kind_type)0;                                                                                               \
    assert_false(parse_function("nonsense", &kind));                                                                   \
    assert_int_equal(kind, 0);                                                                                         \
  } while (0)

static void test_words_read_back(void **state) {
  (void)state;
  CHECK_WORDS(sst_layer_kind, sst_layer_word, sst_layer_parse, SST_LAYER_COUNT);
  CHECK_WORDS(sst_block_form, sst_block_form_word, sst_block_form_parse, SST_BLOCK_FORM_COUNT);
  CHECK_WORDS(sst_readout, sst_readout_word, sst_readout_parse, SST_READOUT_COUNT);
  CHECK_WORDS(sst_norm_kind, sst_norm_word, sst_norm_parse, SST_NORM_COUNT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_ann_taps_and_shapes),
      TEST(test_snn_taps_and_shapes),
      TEST(test_encoded_input_keeps_its_steps),
      TEST(test_network_without_activation),
      TEST(test_same_names_for_ann_and_snn),
      TEST(test_scopes_go_in_front),
      TEST(test_initial_values),
      TEST(test_neurons_fire_from_the_start),
      TEST(test_two_graphs_share_parameters),
      TEST(test_store_of_another_network_is_refused),
      TEST(test_norm_none_gives_biases),
      TEST(test_bias_by_choice),
      TEST(test_groups_and_depthwise),
      TEST(test_reductions_without_activation_end_one_stage),
      TEST(test_threshold_norm),
      TEST(test_plif_learns_its_decay),
      TEST(test_block_taps),
      TEST(test_shortcuts),
      TEST(test_ms_stage_is_inside_the_block),
      TEST(test_block_with_silent_branch),
      TEST(test_sew_sums_spikes),
      TEST(test_readouts),
      TEST(test_layers_that_do_not_fit),
      TEST(test_numbers_out_of_range),
      TEST(test_networks_that_cannot_be),
      TEST(test_input_that_does_not_fit),
      TEST(test_every_allocation_may_fail),
      TEST(test_words_read_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
