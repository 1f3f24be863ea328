// SPDX-License-Identifier: Apache-2.0
// A distillation term of one's own: the loss graph is built by hand from the ops, and the library's trainer drives it.
// No gradient is written: every op brings its own.
//
// The term asks at each time step that the student's features point in the direction of the teacher's:
//
//     term = mean over T and N of 1 - cos(F_S[t], F_T)        F: the last activation before the last linear layer
//
//     custom_loss TEACHER_RUN [PICTURES [EPOCHS]]        custom_loss runs/quickstart/teacher 2000 3
#include <spikestill/ops.h>
#include <spikestill/run.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    status = (call);                                                                                                   \
    if (status != SST_OK) { goto done; }                                                                               \
  } while (0)

enum { BATCH = 50 };
static const float term_weight = 1.0f;

// The whole method. Student [T,N,1,1,C] and teacher [1,N,1,1,C] meet by broadcasting.
static sst_value cosine_term(sst_graph *g) {
  sst_value student = sst_l2_normalize(g, sst_graph_find(g, "student.features"), SST_AXES_C, 1e-6f);
  sst_value teacher = sst_graph_find(g, "teacher.features");
  teacher = sst_stop_gradient(g, sst_l2_normalize(g, teacher, SST_AXES_C, 1e-6f));
  sst_value cosine = sst_sum(g, sst_multiply(g, student, teacher), SST_AXES_C); // [T,N,1,1,1]
  return sst_affine(g, sst_mean(g, cosine, SST_AXES_ALL), -1.0f, 1.0f);
}

// Builds a network in a scope of its own, over its own parameters. Teachers are frozen.
static sst_value build_network(sst_graph *g, const char *scope, bool frozen, sst_parameters *parameters,
                               const sst_model_options *options, sst_value input) {
  sst_value logits = SST_NO_VALUE;
  sst_graph_push(g, scope, frozen);
  sst_parameters *before = sst_graph_use_parameters(g, parameters);
  sst_model_build(g, options, input, &logits);
  sst_graph_use_parameters(g, before);
  sst_graph_pop(g);
  return logits;
}

// The teacher's layers, with spiking neurons in the place of relu.
static sst_model_options student_options(const sst_recipe *recipe) {
  sst_model_options options = recipe->student.options;
  options.spiking = true;
  options.timesteps = 4;
  options.neuron = sst_neuron_default();
  options.neuron.surrogate = SST_SURROGATE_TRIANGLE;
  options.neuron.alpha = sst_surrogate_default_alpha(SST_SURROGATE_TRIANGLE);
  return options;
}

// Input, both networks, loss. No step is checked: the graph keeps the first failure, and compiling reports it.
static sst_status build_loss(sst_network *teacher, sst_dataset_info info, sst_parameters *parameters,
                             sst_training *out) {
  sst_status status = sst_graph_create(parameters, SST_DEVICE_CPU, &out->graph);
  if (status != SST_OK) { return status; }
  sst_graph *g = out->graph;
  out->input = sst_graph_input(g, "input", sst_shape_make(1, BATCH, info.height, info.width, info.channels));
  out->target = sst_graph_input(g, "target", sst_shape_make(1, BATCH, 1, 1, info.classes));
  const sst_model_options *teacher_options = &sst_network_recipe(teacher)->student.options;
  sst_model_options options = student_options(sst_network_recipe(teacher));
  out->logits = build_network(g, "student", false, parameters, &options, out->input);
  build_network(g, "teacher", true, sst_network_parameters(teacher), teacher_options, out->input);

  sst_value cross_entropy = sst_mean(g, sst_cross_entropy(g, out->logits, out->target, 0.0f), SST_AXES_ALL);
  sst_value term = cosine_term(g);
  out->loss = sst_add(g, cross_entropy, sst_affine(g, term, term_weight, 0.0f));
  out->parts[out->part_count++] = cross_entropy;
  out->parts[out->part_count++] = term;
  sst_graph_keep(g, out->logits); // what is read after a run needs memory of its own
  sst_graph_keep(g, cross_entropy);
  sst_graph_keep(g, term);
  return sst_graph_compile(g, out->loss);
}

// As in the teacher's recipe: the same data set, normalised in the same way.
static sst_status open_data(sst_context *context, const sst_recipe *recipe, int64_t pictures, sst_dataset **dataset,
                            sst_loader **loader) {
  sst_dataset_options data = sst_recipe_dataset(recipe, true);
  data.limit = data.digits_count = pictures;
  sst_status status = sst_dataset_open(context, &data, dataset);
  if (status != SST_OK) { return status; }
  sst_loader_options options = {.batch = BATCH, .shuffle = true, .drop_last = true, .seed = 1, .workers = 1};
  for (int c = 0; c < SST_MAX_CHANNELS; c++) {
    options.mean[c] = recipe->data.mean[c];
    options.deviation[c] = recipe->data.deviation[c];
  }
  return sst_loader_open(context, *dataset, NULL, 0, &options, loader);
}

static sst_status train(sst_context *context, const char *teacher_run, int64_t pictures, int64_t epochs) {
  sst_network *teacher = NULL;
  sst_dataset *dataset = NULL;
  sst_loader *loader = NULL;
  sst_parameters *parameters = NULL;
  sst_optimizer *optimizer = NULL;
  sst_training training = {.schedule = sst_schedule_default(), .epochs = epochs, .seed = 1};
  sst_training_position position = {0};
  sst_status status;
  TRY(sst_network_open(context, teacher_run, NULL, 0, &teacher));
  TRY(open_data(context, sst_network_recipe(teacher), pictures, &dataset, &loader));
  TRY(sst_parameters_create(context, 1, &parameters));
  TRY(build_loss(teacher, sst_dataset_describe(dataset), parameters, &training));
  sst_optimizer_options adamw = sst_optimizer_default();
  adamw.kind = SST_OPTIMIZER_ADAMW;
  adamw.learning_rate = 2e-3f;
  TRY(sst_optimizer_create(parameters, SST_DEVICE_CPU, &adamw, &optimizer));
  training.optimizers[training.optimizer_count++] = optimizer;
  training.loader = loader;

  while (position.epoch < epochs) {
    TRY(sst_train_epoch(context, &training, &position, NULL, NULL));
    double batches = (double)position.batch;
    printf("epoch %lld: cross-entropy %.4f, cosine term %.4f, accuracy %.3f\n", (long long)position.epoch + 1,
           position.part_sum[0] / batches, position.part_sum[1] / batches,
           (double)position.correct / (double)position.seen);
    sst_training_next_epoch(&position);
  }
done:
  sst_optimizer_destroy(optimizer);
  sst_graph_destroy(training.graph);
  sst_parameters_destroy(parameters);
  sst_loader_close(loader);
  sst_dataset_close(dataset);
  sst_network_close(teacher);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: custom_loss TEACHER_RUN [PICTURES [EPOCHS]]\n");
    return 2;
  }
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return EXIT_FAILURE; }
  int64_t pictures = argc > 2 ? strtoll(argv[2], NULL, 10) : 2000, epochs = argc > 3 ? strtoll(argv[3], NULL, 10) : 3;
  sst_status status = train(context, argv[1], pictures, epochs);
  if (status != SST_OK) { fprintf(stderr, "custom_loss: %s\n", sst_context_message(context)); }
  sst_context_destroy(context);
  return status == SST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
