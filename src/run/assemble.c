// SPDX-License-Identifier: Apache-2.0
#include "run/assemble.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "graph/parameters_internal.h"
#include "spikestill/ops.h"

// The target of one batch.
static sst_value target_input(sst_graph *graph, const sst_recipe *recipe, int64_t batch) {
  return sst_graph_input(graph, "target", sst_shape_make(1, batch, 1, 1, recipe->data.classes));
}

sst_value ssti_build_model(sst_graph *graph, const sst_recipe *recipe, const sst_model_options *model, sst_value input,
                           sst_value *logits) {
  sst_model_options options = *model;
  options.classes = recipe->data.classes;
  options.height = recipe->data.height;
  options.width = recipe->data.width;
  options.channels = recipe->data.channels;
  return sst_model_build(graph, &options, input, logits);
}

sst_value ssti_build_network(sst_graph *graph, const sst_recipe *recipe, sst_value input, sst_value *logits) {
  return ssti_build_model(graph, recipe, &recipe->student.options, input, logits);
}

static sst_value build_activation(void *user, sst_graph *graph, const char *name, float ceiling, sst_value x) {
  (void)name; // the graph is in its scope
  sst_model_options options = *(const sst_model_options *)user;
  options.neuron.threshold = ceiling;
  return sst_activation_build(graph, &options, "", "", x, NULL);
}

void ssti_build_opened_as(sst_graph *graph, const sst_recipe *recipe, const ssti_foreign *foreign,
                          const sst_model_options *model, sst_value input, sst_value *logits) {
  sst_model_options options = *model;
  if (foreign) {
    ssti_foreign_build(foreign, graph, model, options.layer_thresholds ? build_activation : NULL, &options, input,
                       logits);
  } else {
    ssti_build_model(graph, recipe, model, input, logits);
  }
}

sst_status ssti_create_graph(const sst_recipe *recipe, sst_parameters *parameters, sst_graph **out) {
  sst_context *context = ssti_parameters_context(parameters);
  sst_context_set_crossover(context, recipe->speed.crossover);
  sst_context_set_convolution(context, recipe->speed.convolution);
  sst_context_set_codes(context, recipe->speed.codes);
  SST_TRY(sst_graph_create(parameters, recipe->device, out));
  (void)sst_graph_use_precision(*out, recipe->precision);
  const sst_status status = sst_graph_status(*out);
  if (status != SST_OK) {
    sst_graph_destroy(*out);
    *out = NULL;
  }
  return status;
}

void ssti_build_opened(sst_graph *graph, const sst_recipe *recipe, const ssti_foreign *foreign, sst_value input,
                       sst_value *logits) {
  ssti_build_opened_as(graph, recipe, foreign, &recipe->student.options, input, logits);
}

sst_status ssti_build_evaluation(const sst_recipe *recipe, sst_parameters *parameters, const ssti_foreign *foreign,
                                 ssti_evaluation_graph *out) {
  *out = (ssti_evaluation_graph){0};
  SST_TRY(ssti_create_graph(recipe, parameters, &out->graph));
  int64_t batch = recipe->train.evaluation_batch;
  out->input = sst_graph_input(out->graph, "input", sst_recipe_input_shape(recipe, batch));
  out->target = target_input(out->graph, recipe, batch);
  ssti_build_opened(out->graph, recipe, foreign, out->input, &out->logits);
  return SST_OK;
}

sst_status ssti_build_evaluator(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters,
                                const ssti_foreign *foreign, sst_evaluator **out) {
  *out = NULL;
  ssti_evaluation_graph built;
  SST_TRY(ssti_build_evaluation(recipe, parameters, foreign, &built));
  return sst_evaluator_create(context, built.graph, built.input, built.target, built.logits, out);
}

static void add_part(ssti_loss_graph *loss, const char *name, sst_value value) {
  assert(loss->part_count < SST_MAX_LOSS_PARTS);
  int same = 0;
  size_t length = strlen(name);
  for (int i = 0; i < loss->part_count; i++) { same += strncmp(loss->part_names[i], name, length) == 0; }
  char *to = loss->part_names[loss->part_count];
  if (same) {
    snprintf(to, sizeof loss->part_names[0], "%s_%d", name, same + 1);
  } else {
    snprintf(to, sizeof loss->part_names[0], "%s", name);
  }
  sst_graph_keep(loss->graph, value);
  loss->parts[loss->part_count++] = value;
}

// Whether the teacher saw its pictures normalised in another way than the student does.
static bool same_normalisation(const sst_recipe_data *a, const sst_recipe_data *b) {
  for (int c = 0; c < SST_MAX_CHANNELS; c++) {
    if (a->mean[c] != b->mean[c] || a->deviation[c] != b->deviation[c]) { return false; }
  }
  return true;
}

// What one input of the teacher sums up: 1 step of the student, or all T where an ANN teacher sees a recording as one
// frame.
static int64_t steps_together(const sst_recipe *recipe, const sst_recipe *teacher) {
  return sst_recipe_input_shape(recipe, 1).dim[SST_AXIS_T] / sst_recipe_input_shape(teacher, 1).dim[SST_AXIS_T];
}

// The student's input as the teacher wants it: x_t = (x_s * dev_s + mean_s - mean_t) / dev_t, per channel; over several
// steps the sum of x_s * dev_s + mean_s in its place.
static sst_value teacher_input(const sst_recipe *recipe, const sst_recipe *teacher, ssti_loss_graph *loss) {
  loss->to_teacher[0] = loss->to_teacher[1] = SST_NONE;
  sst_graph *graph = loss->graph;
  const int64_t steps = steps_together(recipe, teacher);
  if (steps == 1 && same_normalisation(&recipe->data, &teacher->data)) { return loss->input; }
  const sst_value input = steps == 1 ? loss->input : sst_sum(graph, loss->input, SST_AXES_T);
  sst_shape per_channel = sst_shape_make(1, 1, 1, 1, recipe->data.channels);
  loss->to_teacher[0] = sst_graph_input(graph, "to_teacher_factor", per_channel);
  loss->to_teacher[1] = sst_graph_input(graph, "to_teacher_offset", per_channel);
  return sst_add(graph, sst_multiply(graph, input, loss->to_teacher[0]), loss->to_teacher[1]);
}

static void fill_teacher_input(const sst_recipe *recipe, const sst_recipe *teacher, ssti_loss_graph *loss) {
  if (loss->to_teacher[0] < 0) { return; }
  float *factor = sst_graph_data(loss->graph, loss->to_teacher[0]);
  float *offset = sst_graph_data(loss->graph, loss->to_teacher[1]);
  const float steps = (float)steps_together(recipe, teacher);
  for (int64_t c = 0; c < recipe->data.channels; c++) {
    factor[c] = recipe->data.deviation[c] / teacher->data.deviation[c];
    offset[c] = (steps * recipe->data.mean[c] - teacher->data.mean[c]) / teacher->data.deviation[c];
  }
}

// Whether the teacher can look at what the student sees.
static bool check_teacher(const sst_recipe *recipe, const sst_network *teacher, sst_graph *graph) {
  const sst_recipe_data *ours = &recipe->data, *theirs = &teacher->recipe->data;
  if (ours->classes != theirs->classes || ours->height != theirs->height || ours->width != theirs->width ||
      ours->channels != theirs->channels) {
    sst_graph_fail(graph, SST_SHAPE,
                   "teacher '%s' was trained on %s, whose classes or pictures differ from those of the student's %s",
                   teacher->path, sst_dataset_word(theirs->kind), sst_dataset_word(ours->kind));
    return false;
  }
  if (ours->encoding == SST_ENCODING_FRAMES && theirs->encoding == SST_ENCODING_FRAMES) {
    const int64_t steps = recipe->student.options.timesteps, teacher_steps = teacher->recipe->student.options.timesteps;
    if (teacher_steps == steps || teacher_steps == 1) { return true; }
    sst_graph_fail(graph, SST_SHAPE,
                   "teacher '%s' sees %lld frames of a recording and the student %lld; expected as many, or one",
                   teacher->path, (long long)teacher_steps, (long long)steps);
    return false;
  }
  if (ours->encoding != SST_ENCODING_DIRECT || theirs->encoding != SST_ENCODING_DIRECT) {
    sst_graph_fail(graph, SST_UNSUPPORTED,
                   "a teacher needs data.encoding: direct (or frames) for itself and for the student, found %s and %s",
                   sst_encoding_word(theirs->encoding), sst_encoding_word(ours->encoding));
    return false;
  }
  return true;
}

static sst_precision teacher_precision(const sst_recipe *recipe) {
  switch (recipe->teacher_precision) {
  case SST_TEACHER_PRECISION_F32: return SST_PRECISION_F32;
  case SST_TEACHER_PRECISION_BF16: return SST_PRECISION_BF16;
  case SST_TEACHER_PRECISION_TF32: return SST_PRECISION_TF32;
  case SST_TEACHER_PRECISION_SAME: break;
  }
  return recipe->precision;
}

// The teacher does not learn and, where nothing is augmented, sees the same of a sample each time that it comes.
static void settle_teacher(const sst_recipe *recipe, const sst_network *teacher, const ssti_loss_graph *loss) {
  sst_graph_settle_parameters(loss->graph, teacher->parameters);
  if (recipe->device == SST_DEVICE_CUDA || !sst_augmentation_is_none(&recipe->data.augmentation)) { return; }
  sst_graph_settle_input(loss->graph, loss->input, true);
  for (int i = 0; i < 2 && loss->to_teacher[i] >= 0; i++) {
    sst_graph_settle_input(loss->graph, loss->to_teacher[i], false);
  }
}

static void build_teacher(const sst_recipe *recipe, sst_network *teacher, ssti_loss_graph *loss) {
  sst_graph *graph = loss->graph;
  if (!check_teacher(recipe, teacher, graph)) { return; }
  sst_value input = teacher_input(recipe, teacher->recipe, loss);
  sst_graph_push(graph, "teacher", true);
  const sst_precision precision = sst_graph_use_precision(graph, teacher_precision(recipe));
  sst_parameters *before = sst_graph_use_parameters(graph, teacher->parameters);
  sst_value logits = SST_NO_VALUE;
  ssti_build_opened(graph, teacher->recipe, teacher->foreign, input, &logits);
  sst_graph_pop(graph);
  sst_graph_use_parameters(graph, before);
  (void)sst_graph_use_precision(graph, precision);
  settle_teacher(recipe, teacher, loss);
}

static sst_value weighted(sst_graph *graph, sst_value value, float weight) {
  return weight == 1.0f ? value : sst_affine(graph, value, weight, 0.0f);
}

// Adds weight * the mean cross-entropy of a network's logits, of each step or after the readout.
static void add_cross_entropy(const sst_recipe *recipe, const char *name, float weight, sst_value step_logits,
                              sst_value logits, ssti_loss_graph *loss) {
  sst_graph *g = loss->graph;
  sst_value classified = recipe->loss_per_step ? step_logits : logits;
  sst_value cross_entropy =
      sst_mean(g, sst_cross_entropy(g, classified, loss->target, recipe->label_smoothing), SST_AXES_ALL);
  add_part(loss, name, cross_entropy);
  cross_entropy = weighted(g, cross_entropy, weight);
  loss->loss = loss->loss == SST_NO_VALUE ? cross_entropy : sst_add(g, loss->loss, cross_entropy);
}

// Behind student and teacher, whose draws of dropout depend on their places in the graph: so a companion changes none.
static void build_companions(const sst_recipe *recipe, const ssti_companions *companions, ssti_loss_graph *loss) {
  sst_graph *g = loss->graph;
  for (int i = 0; i < companions->network_count; i++) {
    const ssti_companion *companion = &companions->items[i];
    char part[64];
    snprintf(part, sizeof part, "cross_entropy_%s", companion->name);
    sst_graph_push(g, companion->name, false);
    sst_parameters *before = sst_graph_use_parameters(g, companion->parameters);
    sst_value logits = SST_NO_VALUE;
    sst_value step_logits = ssti_build_model(g, recipe, &companion->model, loss->input, &logits);
    sst_graph_pop(g);
    sst_graph_use_parameters(g, before);
    if (companion->cross_entropy_weight == 0.0f) { continue; }
    add_cross_entropy(recipe, part, companion->cross_entropy_weight, step_logits, logits, loss);
  }
}

_Static_assert(SST_RECIPE_MAX_TERMS <= 32, "a bit for each term");

uint32_t ssti_terms_counting(const sst_recipe *recipe, int64_t epoch) {
  uint32_t bits = 0;
  for (int i = 0; i < recipe->term_count; i++) {
    if (sst_distill_term_counts(recipe->terms[i], epoch)) { bits |= UINT32_C(1) << i; }
  }
  return bits;
}

// What it takes to build the student's network again.
typedef struct rerun {
  const sst_recipe *recipe;
  sst_parameters *parameters;
  sst_value input;
} rerun;

// Frozen, so that the student's running statistics are not moved a second time and no dropout is drawn.
static sst_value run_longer(sst_graph *graph, const void *user, int64_t timesteps) {
  const rerun *student = user;
  if (!student->recipe->student.spiking || sst_graph_shape(graph, student->input).dim[SST_AXIS_T] != 1) {
    sst_graph_fail(graph, SST_UNSUPPORTED,
                   "a run of the student for more time steps needs student.kind: snn and data.encoding: direct, found"
                   " %s and %s",
                   student->recipe->student.spiking ? "snn" : "ann",
                   student->recipe->data.encoding == SST_ENCODING_DIRECT ? "direct" : "a spike encoding");
    return SST_NO_VALUE;
  }
  sst_model_options model = student->recipe->student.options;
  model.timesteps = timesteps;
  sst_value logits = SST_NO_VALUE;
  sst_graph_push(graph, "longer", true);
  sst_parameters *before = sst_graph_use_parameters(graph, student->parameters);
  ssti_build_model(graph, student->recipe, &model, student->input, &logits);
  sst_graph_pop(graph);
  sst_graph_use_parameters(graph, before);
  return logits;
}

// Adds the sum of weight * term over the terms that count.
static void build_terms(const sst_recipe *recipe, sst_parameters *parameters, bool has_teacher,
                        const ssti_companions *companions, ssti_loss_graph *loss) {
  sst_graph *g = loss->graph;
  const sst_model_options *student = &recipe->student.options;
  const rerun again = {recipe, parameters, loss->input};
  sst_distill_scene scene = {.student = "student",
                             .teacher = has_teacher ? "teacher" : NULL,
                             .twin = ssti_companions_twin(companions),
                             .target = loss->target,
                             .threshold = student->spiking ? student->neuron.threshold : 0.0f,
                             .parameters = companions->terms,
                             .run_longer = run_longer,
                             .run_longer_user = &again};
  for (int i = 0; i < recipe->term_count; i++) {
    const sst_distill_term *term = recipe->terms[i];
    float weight = sst_distill_term_weight(term);
    if (weight == 0.0f) { continue; } // so that weight 0 is plain training, bit for bit
    scene.index = i;
    sst_value value = sst_distill_term_build(term, g, &scene);
    add_part(loss, sst_distill_term_method(term), value);
    if (loss->counting >> i & 1) { loss->loss = sst_add(g, loss->loss, weighted(g, value, weight)); }
  }
}

sst_status ssti_build_loss(const sst_recipe *recipe, sst_parameters *parameters, sst_network *teacher,
                           const ssti_companions *companions, int64_t epoch, ssti_loss_graph *out) {
  *out = (ssti_loss_graph){
      .loss = SST_NO_VALUE, .counting = ssti_terms_counting(recipe, epoch), .to_teacher = {SST_NONE, SST_NONE}};
  SST_TRY(ssti_create_graph(recipe, parameters, &out->graph));
  sst_graph *graph = out->graph;
  sst_graph_set_memory(graph, recipe->train.memory);
  int64_t batch = recipe->train.batch;
  out->input = sst_graph_input(graph, "input", sst_recipe_input_shape(recipe, batch));
  out->target = target_input(graph, recipe, batch);
  sst_graph_push(graph, "student", false);
  sst_graph_use_parameters(graph, parameters);
  sst_value step_logits = ssti_build_network(graph, recipe, out->input, &out->logits);
  sst_graph_pop(graph);
  if (teacher) { build_teacher(recipe, teacher, out); }
  add_cross_entropy(recipe, "cross_entropy", recipe->loss_weight, step_logits, out->logits, out);
  build_companions(recipe, companions, out);
  build_terms(recipe, parameters, teacher != NULL, companions, out);
  sst_graph_keep(graph, out->logits);
  sst_status status = sst_graph_compile(graph, out->loss);
  if (status != SST_OK) {
    sst_graph_destroy(graph);
    *out = (ssti_loss_graph){0};
    return status;
  }
  if (teacher) { fill_teacher_input(recipe, teacher->recipe, out); }
  return SST_OK;
}

sst_status ssti_open_data(sst_context *context, const sst_recipe *recipe, bool train, sst_dataset **out) {
  const sst_dataset_options options = sst_recipe_dataset(recipe, train);
  return sst_dataset_open(context, &options, out);
}

sst_status ssti_loader_for(sst_context *context, const sst_recipe *recipe, const sst_dataset *dataset,
                           const int32_t *indices, int64_t count, bool training, sst_loader **out) {
  sst_loader_options options = {
      .batch = training ? recipe->train.batch : recipe->train.evaluation_batch,
      .shuffle = training,
      .drop_last = training,
      .seed = recipe->seed,
      .augment = training,
      .augmentation = recipe->data.augmentation,
      .encoding = recipe->data.encoding,
      .timesteps = recipe->student.options.timesteps,
      .workers = recipe->data.workers,
      .host_only = !recipe->speed.resident,
  };
  memcpy(options.mean, recipe->data.mean, sizeof options.mean);
  memcpy(options.deviation, recipe->data.deviation, sizeof options.deviation);
  return sst_loader_open(context, dataset, indices, count, &options, out);
}
