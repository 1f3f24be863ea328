// SPDX-License-Identifier: Apache-2.0
// The named networks: their sizes against published numbers, and a training step of each in every form, as ANN and as
// SNN, on both sizes of picture.
#include "../support/support.h"

#include "spikestill/model.h"
#include "spikestill/ops.h"

typedef struct picture {
  int64_t side, channels;
} picture;
static const picture cifar = {32, 3}, mnist = {28, 1};

// Trainable parameters of a builder's network, without running it.
static int64_t count_parameters(sst_context *context, sst_builder_kind kind, const sst_builder_options *builder,
                                picture size, bool spiking) {
  sst_layer *layers;
  sst_model_options options = sst_model_default();
  assert_ok(context, sst_builder_layers(context, kind, builder, &layers, &options.layer_count));
  options.layers = layers;
  options.spiking = spiking;
  options.height = options.width = size.side;
  options.channels = size.channels;
  sst_parameters *store;
  sst_graph *graph;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_value logits;
  sst_value x = sst_graph_input(graph, "x", sst_shape_make(1, 1, size.side, size.side, size.channels));
  sst_model_build(graph, &options, x, &logits);
  assert_ok(context, sst_graph_status(graph));
  int64_t elements = sst_parameters_elements(store);
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
  sst_layers_free(context, layers);
  return elements;
}

static void test_parameter_counts(void **state) {
  // Published counts are those of convolutions without bias where a norm follows. The VGG ones are usually given with
  // those biases, which the norm makes useless: 14,728,266 - 4,224 and 9,231,114 - 2,752.
  const struct {
    sst_builder_kind kind;
    picture size;
    int64_t expected;
  } cases[] = {
      {SST_BUILDER_MLP, mnist, 636810},   // 784*800 + 2*800 + 800*10 + 10
      {SST_BUILDER_CNN, mnist, 824554},   // 288+64 + 18432+128 + 3136*256+256 + 2570
      {SST_BUILDER_VGG9, cifar, 5352906}, // 1144512+1792 + 4096*1024+2048 + 10250
      {SST_BUILDER_VGG11, cifar, 9228362},     {SST_BUILDER_VGG16, cifar, 14724042},
      {SST_BUILDER_RESNET8, cifar, 78042},                                            // with 1x1 shortcuts (option B)
      {SST_BUILDER_RESNET18, cifar, 11173962},                                        // as everywhere
      {SST_BUILDER_RESNET19, cifar, 12697994}, {SST_BUILDER_RESNET20, cifar, 272474}, // with 1x1 shortcuts (option B)
      {SST_BUILDER_RESNET34, cifar, 21282122},                                        // as everywhere
  };
  assert_int_equal(sizeof cases / sizeof *cases, SST_BUILDER_COUNT);
  sst_builder_options builder = sst_builder_default();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int spiking = 0; spiking < 2; spiking++) {
      int64_t found = count_parameters(*state, cases[i].kind, &builder, cases[i].size, spiking == 1);
      if (found != cases[i].expected) {
        fail_msg("%s has %lld parameters, expected %lld", sst_builder_word(cases[i].kind), (long long)found,
                 (long long)cases[i].expected);
      }
    }
  }
}

// The forms differ in where activations stand, not in what is learned.
static void test_forms_have_the_same_parameters(void **state) {
  for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
    sst_builder_options builder = sst_builder_default();
    builder.form = (sst_block_form)form;
    assert_int_equal(count_parameters(*state, SST_BUILDER_RESNET20, &builder, cifar, true), 272474);
  }
}

// One training step: a finite loss, and a gradient that is finite everywhere and reaches the first layer's weight.
static void train_once(sst_context *context, sst_builder_kind kind, const sst_builder_options *builder, picture size,
                       bool spiking) {
  sst_layer *layers;
  sst_model_options options = sst_model_default();
  assert_ok(context, sst_builder_layers(context, kind, builder, &layers, &options.layer_count));
  options.layers = layers;
  options.spiking = spiking;
  options.timesteps = 2;
  options.height = options.width = size.side;
  options.channels = size.channels;
  sst_parameters *store;
  sst_graph *graph;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_shape shape = sst_shape_make(1, 2, size.side, size.side, size.channels);
  sst_value x = sst_graph_input(graph, "x", shape), logits;
  sst_value target = sst_graph_input(graph, "target", sst_shape_make(1, 2, 1, 1, 10));
  sst_value steps = sst_model_build(graph, &options, x, &logits);
  assert_int_equal(sst_graph_shape(graph, steps).dim[SST_AXIS_T], spiking ? 2 : 1);
  assert_true(sst_shape_equal(sst_graph_shape(graph, logits), sst_shape_make(1, 2, 1, 1, 10)));
  assert_true(sst_graph_has_tap(graph, "features"));
  assert_true(kind == SST_BUILDER_MLP || sst_graph_has_tap(graph, "stage2"));
  sst_value loss = sst_mean(graph, sst_cross_entropy(graph, logits, target, 0.0f), SST_AXES_ALL);
  assert_ok(context, sst_graph_compile(graph, loss));
  fill_normal(sst_graph_data(graph, x), sst_shape_count(shape), 1.0f, 9);
  sst_graph_data(graph, target)[3] = 1.0f;
  sst_graph_data(graph, target)[17] = 1.0f;
  sst_graph_forward(graph, &(sst_run_options){.training = true});
  sst_graph_backward(graph);
  assert_true(isfinite(*sst_graph_data(graph, loss)));
  for (int i = 0; i < sst_parameters_count(store); i++) {
    const sst_parameter *parameter = sst_parameters_at(store, i);
    double sum = 0.0;
    for (int64_t j = 0; parameter->gradient && j < parameter->count; j++) {
      sum += fabs((double)parameter->gradient[j]);
    }
    if (!isfinite(sum) || (i == 0 && sum == 0.0)) {
      fail_msg("%s, form %s, spiking %d, side %d: the gradient of %s sums to %g", sst_builder_word(kind),
               sst_block_form_word(builder->form), spiking, (int)size.side, parameter->name, sum);
    }
  }
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
  sst_layers_free(context, layers);
}

static void test_every_network_trains(void **state) {
  for (int kind = 0; kind < SST_BUILDER_COUNT; kind++) {
    bool residual = kind >= SST_BUILDER_RESNET8;
    for (int form = 0; form < (residual ? SST_BLOCK_FORM_COUNT : 1); form++) {
      for (int variant = 0; variant < 4; variant++) {
        sst_builder_options builder = sst_builder_default();
        builder.width = kind == SST_BUILDER_RESNET8 || kind == SST_BUILDER_RESNET20 ? 0.2 : 0.04;
        builder.form = (sst_block_form)form;
        builder.max_pool = variant / 2 == 1;
        builder.dropout = variant / 2 == 1 ? 0.25f : 0.0f;
        train_once(*state, (sst_builder_kind)kind, &builder, variant / 2 == 1 ? cifar : mnist, variant % 2 == 1);
      }
    }
  }
}

// ---- options ----

static void test_width_and_hidden(void **state) {
  sst_builder_options builder = sst_builder_default();
  builder.width = 0.3;
  builder.dropout = 0.5f;
  sst_layer *layers;
  int count;
  assert_ok(*state, sst_builder_layers(*state, SST_BUILDER_MLP, &builder, &layers, &count));
  assert_int_equal(count, 5);
  assert_int_equal(layers[0].out, 240);
  assert_int_equal(layers[3].kind, SST_LAYER_DROPOUT);
  assert_near(layers[3].rate, 0.5, 0, 0);
  assert_int_equal(layers[4].out, 0); // the number of classes
  sst_layers_free(*state, layers);

  builder.hidden = 5;
  builder.width = 0.01; // rounds to 0, but there is always one unit
  assert_ok(*state, sst_builder_layers(*state, SST_BUILDER_MLP, &builder, &layers, &count));
  assert_int_equal(layers[0].out, 1);
  sst_layers_free(*state, layers);
}

static void test_kind_of_pooling(void **state) {
  for (int max = 0; max < 2; max++) {
    sst_builder_options builder = sst_builder_default();
    builder.max_pool = max == 1;
    sst_layer *layers;
    int count, pools = 0;
    assert_ok(*state, sst_builder_layers(*state, SST_BUILDER_VGG9, &builder, &layers, &count));
    for (int i = 0; i < count; i++) { pools += layers[i].kind == (max ? SST_LAYER_MAX_POOL : SST_LAYER_AVERAGE_POOL); }
    assert_int_equal(pools, 3);
    sst_layers_free(*state, layers);
  }
}

static void refuse(sst_context *context, sst_builder_kind kind, const sst_builder_options *builder, const char *part) {
  sst_layer *layers = (sst_layer *)context; // anything but NULL
  int count = 7;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_builder_layers(context, kind, builder, &layers, &count), part);
  assert_null(layers);
  assert_int_equal(count, 0);
}

static void test_options_out_of_range(void **state) {
  sst_builder_options good = sst_builder_default(), bad = good;
  bad.width = 0.0;
  refuse(*state, SST_BUILDER_CNN, &bad, "cnn: width is 0");
  bad.width = (double)NAN;
  refuse(*state, SST_BUILDER_CNN, &bad, "cnn: width is nan");
  bad = good;
  bad.hidden = -1;
  refuse(*state, SST_BUILDER_MLP, &bad, "mlp: hidden is -1");
  bad = good;
  bad.dropout = 1.0f;
  refuse(*state, SST_BUILDER_VGG9, &bad, "vgg9: dropout is 1");
  bad = good;
  bad.form = SST_BLOCK_FORM_COUNT;
  refuse(*state, SST_BUILDER_RESNET18, &bad, "resnet18: there is no block form 3");
  refuse(*state, SST_BUILDER_COUNT, &good, "there is no builder");
}

static void test_every_allocation_may_fail(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    sst_builder_options builder = sst_builder_default();
    sst_layer *layers;
    int count;
    sst_status status = sst_builder_layers(context, SST_BUILDER_RESNET34, &builder, &layers, &count);
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    assert_true(met == (layers == NULL));
    sst_layers_free(context, layers);
    test_context_end(context);
    if (!met) { break; }
  }
}

static void test_words_read_back(void **state) {
  (void)state;
  for (int i = 0; i < SST_BUILDER_COUNT; i++) {
    sst_builder_kind kind = SST_BUILDER_COUNT;
    assert_true(sst_builder_parse(sst_builder_word((sst_builder_kind)i), &kind));
    assert_int_equal(kind, i);
  }
  sst_builder_kind kind = SST_BUILDER_MLP;
  assert_false(sst_builder_parse("vgg10", &kind));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_parameter_counts),          TEST(test_forms_have_the_same_parameters),
      TEST(test_every_network_trains),      TEST(test_width_and_hidden),
      TEST(test_kind_of_pooling),           TEST(test_options_out_of_range),
      TEST(test_every_allocation_may_fail), TEST(test_words_read_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
