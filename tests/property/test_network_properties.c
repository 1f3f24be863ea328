// SPDX-License-Identifier: Apache-2.0
// What holds for any network: causality, independence of the batch's order, of the number of threads and of the memory
// plan; neurons that are one another's special cases; gradients that add up; parameters shared by ANN and SNN.
#include "networks.h"

enum { TIME = 4, BATCH = 8, CLASSES = 5, SIZE = 10 };
static const sst_device both[] = {SST_DEVICE_CPU_REFERENCE, SST_DEVICE_CPU};

// Convolutions, both pools, a residual block with a real shortcut, dropout, a hidden layer: 8 pictures of 10x10 are
// enough work for several threads to get a share of the larger layers.
enum { LAYERS = 11 };
static void fill_layers(sst_layer layers[LAYERS]) {
  const sst_layer list[LAYERS] = {
      layer_of(SST_LAYER_CONV, 16),        layer_of(SST_LAYER_NORM, 0),     layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_DROPOUT, 0),      layer_of(SST_LAYER_MAX_POOL, 0), layer_of(SST_LAYER_BLOCK, 12),
      layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_LINEAR, 24),  layer_of(SST_LAYER_NORM, 0),
      layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_LINEAR, 0)};
  memcpy(layers, list, sizeof list);
  layers[3].rate = 0.25f;
}

static bool is_there(sst_context *context, sst_device device) {
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  const sst_status status = sst_graph_create(store, device, &graph);
  if (status != SST_UNSUPPORTED || device == SST_DEVICE_CPU_REFERENCE) { assert_ok(context, status); }
  graph_end(graph, store);
  return status == SST_OK;
}

// ---- threads and repetition ----

typedef struct training_case {
  sst_device device;
  sst_neuron_kind neuron;
  sst_optimizer_kind optimizer;
  sst_readout readout;
} training_case;

// Three steps in a context of their own, whose threads they use; the caller ends both.
static void train(const training_case *c, int threads, trained *t) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  options.neuron.kind = c->neuron;
  options.neuron.detach_reset = false;
  options.readout = c->readout;
  sst_optimizer_options optimizer = sst_optimizer_default();
  optimizer.kind = c->optimizer;
  optimizer.learning_rate = 0.01f;
  optimizer.clip_norm = 0.5f;
  trained_build(t, test_context_with_threads(threads), c->device, &options, 1, BATCH);
  trained_compile(t, c->device, &optimizer);
  for (int i = 0; i < 3; i++) { trained_step(t); }
}

static void train_end(trained *t) {
  trained_end(t);
  test_context_end(t->context);
}

static void assert_same_training(const trained *a, const trained *b) {
  // Equality of silence would prove nothing: the first layer's gradient has come through all neurons.
  const sst_parameter *first = sst_parameters_at(a->store, 0);
  int64_t alive = 0;
  for (int64_t i = 0; i < first->count; i++) { alive += first->gradient[i] != 0.0f; }
  assert_true(alive > first->count / 2);
  assert_same_bits(sst_graph_data(a->graph, a->loss), sst_graph_data(b->graph, b->loss), 1);
  assert_same_bits(sst_graph_data(a->graph, a->steps), sst_graph_data(b->graph, b->steps), trained_count(a, a->steps));
  assert_same_parameters(a->store, b->store);
}

static void test_threads_change_no_bit_of_the_reference(void **state) {
  (void)state;
  const training_case cases[] = {
      {SST_DEVICE_CPU_REFERENCE, SST_NEURON_LIF, SST_OPTIMIZER_SGD, SST_READOUT_CURRENT},
      {SST_DEVICE_CPU_REFERENCE, SST_NEURON_PLIF, SST_OPTIMIZER_ADAMW, SST_READOUT_MEMBRANE},
      {SST_DEVICE_CPU_REFERENCE, SST_NEURON_ALIF, SST_OPTIMIZER_SGD, SST_READOUT_SPIKE_COUNT}};
  const int threads[] = {2, 3, 5};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trained one;
    train(&cases[i], 1, &one);
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
      trained several;
      train(&cases[i], threads[k], &several);
      assert_same_training(&several, &one);
      train_end(&several);
    }
    train_end(&one);
  }
}

static void test_repetition_changes_no_bit(void **state) {
  const sst_neuron_kind neurons[] = {SST_NEURON_LIF, SST_NEURON_PLIF};
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    for (int i = 0; i < 2; i++) {
      const training_case c = {both[d], neurons[i], SST_OPTIMIZER_SGD, SST_READOUT_CURRENT};
      trained first, second;
      train(&c, 2, &first);
      train(&c, 2, &second);
      assert_same_training(&first, &second);
      train_end(&first);
      train_end(&second);
    }
  }
}

// The second run of a compiled graph on the same input gives what the first gave: no state is left over.
static void test_a_run_leaves_no_state(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    trained first, second;
    trained_build(&first, *state, both[d], &options, 1, BATCH);
    trained_compile(&first, both[d], NULL);
    trained_build(&second, *state, both[d], &options, 1, BATCH);
    trained_compile(&second, both[d], NULL);
    trained_gradients(&first);
    trained_gradients(&second);
    // Running statistics move with each run, so the twin's are put back.
    for (int i = 0; i < sst_parameters_count(first.store); i++) {
      const sst_parameter *p = sst_parameters_at(first.store, i);
      if (!p->trainable) { memset(p->value, 0, (size_t)p->count * sizeof(float)); }
    }
    fill_normal(sst_graph_data(second.graph, second.input), trained_count(&second, second.input), 3.0f, 7);
    trained_gradients(&second);
    trained_fill(&second);
    for (int i = 0; i < sst_parameters_count(second.store); i++) {
      const sst_parameter *p = sst_parameters_at(second.store, i);
      if (!p->trainable) { memset(p->value, 0, (size_t)p->count * sizeof(float)); }
    }
    trained_gradients(&first);
    trained_gradients(&second);
    assert_same_training(&second, &first);
    trained_end(&first);
    trained_end(&second);
  }
}

// ---- memory ----

// Keeping every tap spoils the plan's reuse of memory, and nothing else.
static void test_the_memory_plan_changes_no_bit(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    trained tight, roomy;
    trained_build(&tight, *state, both[d], &options, 1, BATCH);
    trained_compile(&tight, both[d], NULL);
    trained_build(&roomy, *state, both[d], &options, 1, BATCH);
    for (int i = 0; i < sst_graph_tap_count(roomy.graph); i++) {
      sst_value value = SST_NO_VALUE;
      sst_graph_tap_at(roomy.graph, i, &value);
      sst_graph_keep(roomy.graph, value);
    }
    trained_compile(&roomy, both[d], NULL);
    assert_true(sst_graph_planned_bytes(roomy.graph) > sst_graph_planned_bytes(tight.graph));
    for (int i = 0; i < 2; i++) {
      trained_step(&tight);
      trained_step(&roomy);
    }
    assert_same_training(&tight, &roomy);
    trained_end(&tight);
    trained_end(&roomy);
  }
}

// A graph without a backward pass plans its memory quite differently.
static void test_inference_graph_equals_training_graph(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    trained t;
    trained_build(&t, *state, both[d], &options, 1, BATCH);
    trained_compile(&t, both[d], NULL);
    trained_step(&t);
    sst_graph *graph = NULL;
    assert_ok(*state, sst_graph_create(t.store, both[d], &graph));
    sst_value input = sst_graph_input(graph, "input", sst_graph_shape(t.graph, t.input)), logits = SST_NO_VALUE;
    sst_value steps = sst_model_build(graph, &options, input, &logits);
    sst_graph_keep(graph, steps);
    assert_ok(*state, sst_graph_compile(graph, SST_NO_VALUE));
    sst_graph_bind(graph, input, sst_graph_data(t.graph, t.input));
    sst_graph_forward(graph, NULL);
    sst_graph_forward(t.graph, NULL);
    const float *found = sst_graph_data(graph, steps), *expected = sst_graph_data(t.graph, t.steps);
    if (both[d] == SST_DEVICE_CPU_REFERENCE) {
      assert_same_bits(found, expected, trained_count(&t, t.steps));
    } else { // oneDNN may choose another kernel where no backward pass follows
      assert_near_norm(found, expected, trained_count(&t, t.steps), 1e-4);
    }
    sst_graph_destroy(graph);
    trained_end(&t);
  }
}

// ---- time and batch ----

// The first steps know nothing of those that follow.
static void test_later_steps_do_not_reach_back(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF, SST_NEURON_CUBALIF, SST_NEURON_ALIF};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    for (int64_t short_time = 1; short_time < TIME; short_time++) {
      sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
      options.neuron.kind = kinds[k];
      options.readout = SST_READOUT_MEMBRANE;
      trained whole, part;
      trained_build(&whole, *state, SST_DEVICE_CPU_REFERENCE, &options, TIME, BATCH);
      trained_compile(&whole, SST_DEVICE_CPU_REFERENCE, NULL);
      options.timesteps = short_time;
      trained_build(&part, *state, SST_DEVICE_CPU_REFERENCE, &options, short_time, BATCH);
      trained_compile(&part, SST_DEVICE_CPU_REFERENCE, NULL);
      sst_graph_bind(part.graph, part.input, sst_graph_data(whole.graph, whole.input)); // T is outermost
      sst_graph_forward(whole.graph, NULL);
      sst_graph_forward(part.graph, NULL);
      assert_same_bits(sst_graph_data(part.graph, part.steps), sst_graph_data(whole.graph, whole.steps),
                       trained_count(&part, part.steps));
      trained_end(&whole);
      trained_end(&part);
    }
  }
}

// A picture given once is the same as given at each step.
static void test_repeated_input_equals_direct_input(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  trained once, repeated;
  trained_build(&once, *state, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  trained_compile(&once, SST_DEVICE_CPU_REFERENCE, NULL);
  trained_build(&repeated, *state, SST_DEVICE_CPU_REFERENCE, &options, TIME, BATCH);
  trained_compile(&repeated, SST_DEVICE_CPU_REFERENCE, NULL);
  const int64_t count = trained_count(&once, once.input);
  for (int64_t t = 0; t < TIME; t++) {
    memcpy(sst_graph_data(repeated.graph, repeated.input) + t * count, sst_graph_data(once.graph, once.input),
           (size_t)count * sizeof(float));
  }
  sst_graph_forward(once.graph, NULL);
  sst_graph_forward(repeated.graph, NULL);
  assert_same_bits(sst_graph_data(once.graph, once.steps), sst_graph_data(repeated.graph, repeated.steps),
                   trained_count(&once, once.steps));
  trained_end(&once);
  trained_end(&repeated);
}

// Pictures in another order give their logits in that order: nothing leaks from one to another outside training.
static void test_batch_order_is_kept(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  trained straight, shuffled;
  trained_build(&straight, *state, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  trained_compile(&straight, SST_DEVICE_CPU_REFERENCE, NULL);
  trained_build(&shuffled, *state, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  trained_compile(&shuffled, SST_DEVICE_CPU_REFERENCE, NULL);
  const int64_t picture = trained_count(&straight, straight.input) / BATCH;
  const float *from = sst_graph_data(straight.graph, straight.input);
  float *to = sst_graph_data(shuffled.graph, shuffled.input);
  for (int64_t n = 0; n < BATCH; n++) {
    memcpy(to + n * picture, from + n * 5 % BATCH * picture, (size_t)picture * sizeof(float));
  }
  sst_graph_forward(straight.graph, NULL);
  sst_graph_forward(shuffled.graph, NULL);
  const float *a = sst_graph_data(straight.graph, straight.steps), *b = sst_graph_data(shuffled.graph, shuffled.steps);
  for (int64_t t = 0; t < TIME; t++) {
    for (int64_t n = 0; n < BATCH; n++) {
      assert_same_bits(b + (t * BATCH + n) * CLASSES, a + (t * BATCH + n * 5 % BATCH) * CLASSES, CLASSES);
    }
  }
  trained_end(&straight);
  trained_end(&shuffled);
}

// ---- neurons ----

static void assert_same_networks(sst_context *context, sst_device device, const sst_model_options *a,
                                 const sst_model_options *b) {
  trained left, right;
  trained_build(&left, context, device, a, 1, BATCH);
  trained_compile(&left, device, NULL);
  trained_build(&right, context, device, b, 1, BATCH);
  trained_compile(&right, device, NULL);
  trained_step(&left);
  trained_step(&right);
  assert_same_training(&left, &right);
  trained_end(&left);
  trained_end(&right);
}

// Without a leak LIF is IF; without synaptic memory CubaLIF is LIF; without adaptation ALIF is LIF.
static void test_special_cases_of_neurons(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    for (int hard = 0; hard < 2; hard++) {
      sst_model_options plain = network_options(layers, LAYERS, TIME, SIZE, CLASSES), special = plain;
      plain.neuron.hard_reset = special.neuron.hard_reset = hard;
      plain.neuron.v_reset = special.neuron.v_reset = -0.25f;
      special.neuron.kind = SST_NEURON_CUBALIF;
      special.neuron.current_decay = 0;
      assert_same_networks(*state, both[d], &plain, &special);
      special.neuron.kind = SST_NEURON_ALIF;
      special.neuron.adaptation = 0;
      assert_same_networks(*state, both[d], &plain, &special);
      plain.neuron.kind = SST_NEURON_IF;
      special.neuron.kind = SST_NEURON_LIF;
      special.neuron.decay = 1;
      assert_same_networks(*state, both[d], &plain, &special);
    }
  }
}

// Soft reset of IF loses nothing: what came in is what is left in the membrane plus a threshold a spike, also where a
// membrane is just at the threshold. The numbers are multiples of 1/64, so the sums are exact.
static void test_soft_reset_conserves_charge(void **state) {
  enum { STEPS = 9, COUNT = 700 };
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    sst_parameters *store = NULL;
    sst_graph *graph = NULL;
    assert_ok(*state, sst_parameters_create(*state, 1, &store));
    assert_ok(*state, sst_graph_create(store, both[d], &graph));
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = SST_NEURON_IF;
    neuron.hard_reset = false;
    neuron.threshold = 0.75f;
    sst_value x = sst_graph_input(graph, "x", sst_shape_make(STEPS, 1, 1, 1, COUNT)), membrane = SST_NO_VALUE;
    sst_value spikes = sst_neuron_layer(graph, x, STEPS, &neuron, SST_NONE, &membrane);
    sst_graph_keep(graph, spikes);
    sst_graph_keep(graph, membrane);
    assert_ok(*state, sst_graph_compile(graph, SST_NO_VALUE));
    float *in = sst_graph_data(graph, x);
    fill_integers(in, STEPS * COUNT, 64, 3);
    for (int i = 0; i < STEPS * COUNT; i++) { in[i] /= 64.0f; }
    sst_graph_forward(graph, NULL);
    const float *s = sst_graph_data(graph, spikes), *h = sst_graph_data(graph, membrane);
    int64_t fired = 0, at_threshold = 0;
    for (int i = 0; i < COUNT; i++) {
      float charge = 0, count = 0;
      for (int t = 0; t < STEPS; t++) {
        const int at = t * COUNT + i;
        charge += in[at];
        count += s[at];
        assert_true(s[at] == (h[at] >= neuron.threshold ? 1.0f : 0.0f));
        at_threshold += h[at] == neuron.threshold;
      }
      const int last = (STEPS - 1) * COUNT + i;
      const float left = h[last] - neuron.threshold * s[last];
      assert_true(charge == left + neuron.threshold * count);
      fired += (int64_t)count;
    }
    assert_true(fired > COUNT && at_threshold > 0); // a test without them proves nothing
    graph_end(graph, store);
  }
}

// ---- gradients ----

// The loss taken twice has twice the gradient, exactly: factors of two round nothing.
static void test_twice_the_loss(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    trained once, twice;
    trained_build(&once, *state, both[d], &options, 1, BATCH);
    trained_compile(&once, both[d], NULL);
    trained_build(&twice, *state, both[d], &options, 1, BATCH);
    twice.loss = sst_add(twice.graph, twice.loss, twice.loss);
    trained_compile(&twice, both[d], NULL);
    trained_gradients(&once);
    trained_gradients(&twice);
    for (int i = 0; i < sst_parameters_count(once.store); i++) {
      const sst_parameter *p = sst_parameters_at(once.store, i), *q = sst_parameters_at(twice.store, i);
      for (int64_t k = 0; p->trainable && k < p->count; k++) { assert_true(2.0f * p->gradient[k] == q->gradient[k]); }
    }
    trained_end(&once);
    trained_end(&twice);
  }
}

// The network built twice over the same parameters, each on half of the batch: the gradients of the halves add up to
// that of the whole. Without norm and dropout, which see the batch.
static void test_halves_of_a_batch_add_up(void **state) {
  sst_layer layers[] = {layer_of(SST_LAYER_CONV, 6),    layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_BLOCK, 8),   layer_of(SST_LAYER_AVERAGE_POOL, 0),
                        layer_of(SST_LAYER_LINEAR, 10), layer_of(SST_LAYER_ACTIVATION, 0),
                        layer_of(SST_LAYER_LINEAR, 0)};
  sst_model_options options = network_options(layers, sizeof layers / sizeof *layers, TIME, 6, CLASSES);
  options.norm = SST_NORM_NONE;
  options.neuron.kind = SST_NEURON_PLIF;
  for (int d = 0; d < 2; d++) {
    if (!is_there(*state, both[d])) { continue; }
    trained whole, halves;
    trained_build(&whole, *state, both[d], &options, 1, BATCH);
    trained_compile(&whole, both[d], NULL);
    trained_build(&halves, *state, both[d], &options, 1, BATCH / 2);
    sst_graph *graph = halves.graph;
    sst_graph_push(graph, "second", false);
    sst_graph_use_parameters(graph, halves.store);
    sst_value input = sst_graph_input(graph, "input", sst_graph_shape(graph, halves.input));
    sst_value target = sst_graph_input(graph, "target", sst_graph_shape(graph, halves.target)), logits = SST_NO_VALUE;
    sst_model_build(graph, &options, input, &logits);
    sst_graph_pop(graph);
    sst_value loss = sst_mean(graph, sst_cross_entropy(graph, logits, target, 0.1f), SST_AXES_ALL);
    halves.loss = sst_affine(graph, sst_add(graph, halves.loss, loss), 0.5f, 0.0f);
    trained_compile(&halves, both[d], NULL);
    assert_int_equal(sst_parameters_count(whole.store), sst_parameters_count(halves.store));
    const float *pictures = sst_graph_data(whole.graph, whole.input);
    const float *classes = sst_graph_data(whole.graph, whole.target);
    const size_t picture_bytes = (size_t)trained_count(&halves, input) * sizeof(float);
    const size_t class_bytes = (size_t)trained_count(&halves, target) * sizeof(float);
    memcpy(sst_graph_data(graph, halves.input), pictures, picture_bytes);
    memcpy(sst_graph_data(graph, input), pictures + trained_count(&halves, input), picture_bytes);
    memcpy(sst_graph_data(graph, halves.target), classes, class_bytes);
    memcpy(sst_graph_data(graph, target), classes + trained_count(&halves, target), class_bytes);
    trained_gradients(&whole);
    trained_gradients(&halves);
    assert_near(*sst_graph_data(graph, halves.loss), *sst_graph_data(whole.graph, whole.loss), 1e-6, 0);
    for (int i = 0; i < sst_parameters_count(whole.store); i++) {
      const sst_parameter *p = sst_parameters_at(whole.store, i), *q = sst_parameters_at(halves.store, i);
      assert_near_norm(q->gradient, p->gradient, p->count, 1e-5);
    }
    trained_end(&whole);
    trained_end(&halves);
  }
}

// ---- parameters ----

static void build_into(sst_context *context, const sst_model_options *options, sst_parameters **store) {
  sst_graph *graph = graph_begin(context, store);
  sst_value logits = SST_NO_VALUE;
  sst_value x = sst_graph_input(graph, "x", sst_shape_make(1, 2, options->height, options->width, options->channels));
  sst_model_build(graph, options, x, &logits);
  assert_ok(context, sst_graph_status(graph));
  sst_graph_destroy(graph);
}

// Every builder: an SNN starts from an ANN's parameters, so names, shapes and kinds are the same; PLIF adds its decays.
static void test_ann_and_snn_share_parameters(void **state) {
  sst_context *context = *state;
  for (int builder = 0; builder < SST_BUILDER_COUNT; builder++) {
    for (int form = 0; form < SST_BLOCK_FORM_COUNT; form++) {
      sst_builder_options shape = sst_builder_default();
      shape.width = 0.0625;
      shape.form = (sst_block_form)form;
      sst_layer *layers = NULL;
      int count = 0;
      assert_ok(context, sst_builder_layers(context, (sst_builder_kind)builder, &shape, &layers, &count));
      sst_model_options snn = network_options(layers, count, TIME, 32, CLASSES), ann = snn, plif = snn;
      ann.spiking = false;
      ann.timesteps = 1;
      plif.neuron.kind = SST_NEURON_PLIF;
      sst_parameters *of_ann = NULL, *of_snn = NULL, *of_plif = NULL;
      build_into(context, &ann, &of_ann);
      build_into(context, &snn, &of_snn);
      build_into(context, &plif, &of_plif);
      assert_int_equal(sst_parameters_count(of_ann), sst_parameters_count(of_snn));
      for (int i = 0; i < sst_parameters_count(of_ann); i++) {
        const sst_parameter *p = sst_parameters_at(of_ann, i), *q = sst_parameters_at(of_snn, i);
        const sst_parameter *r = sst_parameters_find(of_plif, p->name);
        assert_string_equal(p->name, q->name);
        assert_non_null(r);
        assert_true(sst_shape_equal(p->shape, q->shape) && sst_shape_equal(p->shape, r->shape));
        assert_true(p->kind == q->kind && p->kind == r->kind && p->trainable == q->trainable);
      }
      int decays = 0;
      for (int i = 0; i < sst_parameters_count(of_plif); i++) {
        decays += sst_parameters_at(of_plif, i)->kind == SST_PARAMETER_NEURON;
      }
      assert_true(decays > 0);
      assert_int_equal(sst_parameters_count(of_plif), sst_parameters_count(of_ann) + decays);
      sst_parameters_destroy(of_ann);
      sst_parameters_destroy(of_snn);
      sst_parameters_destroy(of_plif);
      sst_layers_free(context, layers);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_threads_change_no_bit_of_the_reference),
                                     TEST(test_repetition_changes_no_bit),
                                     TEST(test_a_run_leaves_no_state),
                                     TEST(test_the_memory_plan_changes_no_bit),
                                     TEST(test_inference_graph_equals_training_graph),
                                     TEST(test_later_steps_do_not_reach_back),
                                     TEST(test_repeated_input_equals_direct_input),
                                     TEST(test_batch_order_is_kept),
                                     TEST(test_special_cases_of_neurons),
                                     TEST(test_soft_reset_conserves_charge),
                                     TEST(test_twice_the_loss),
                                     TEST(test_halves_of_a_batch_add_up),
                                     TEST(test_ann_and_snn_share_parameters)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
