// SPDX-License-Identifier: Apache-2.0
// What one key alone cannot tell: defaults that depend on other keys, and values that do not fit together.
#include <math.h>

#include "neuron/dynamics.h"
#include "recipe/recipe_parts.h"

static const ssti_yaml_node *find(const ssti_recipe_reader *reader, const char *section, const char *key) {
  const ssti_yaml_node *node = ssti_yaml_get(ssti_yaml_get(ssti_yaml_root(reader->tree), section), key);
  return node != NULL && !ssti_yaml_is_null(node) ? node : NULL;
}

// The node that is to blame, or the nearest map around it that exists.
static const ssti_yaml_node *blame(const ssti_recipe_reader *reader, const char *section, const char *key) {
  const ssti_yaml_node *node = find(reader, section, key);
  return node != NULL ? node : ssti_yaml_get(ssti_yaml_root(reader->tree), section);
}

// One number for all channels becomes one each; none becomes the default.
static sst_status fill_channels(const ssti_recipe_reader *reader, const char *section, const char *key,
                                const float *defaults, float *numbers, int *count) {
  const sst_recipe_data *data = &reader->draft->recipe.data;
  const int channels = (int)data->channels;
  if (*count > 1 && *count != channels) {
    SSTI_RECIPE_FAIL(reader, blame(reader, section, key),
                     "%s.%s has %d numbers, but %s has %d channel%s: expected one"
                     " number for all%s",
                     section, key, *count, sst_dataset_word(data->kind), channels, channels == 1 ? "" : "s",
                     channels == 1 ? "" : " or one for each");
  }
  if (*count == channels) { return SST_OK; }
  const float all = numbers[0];
  for (int i = 0; i < channels; i++) { numbers[i] = *count == 1 ? all : defaults[i]; }
  *count = channels;
  return SST_OK;
}

// Mean and deviation of a section, by their lists or by `normalize`; else the defaults.
static sst_status complete_normalization(const ssti_recipe_reader *reader, const char *section, int normalization,
                                         const float *mean, const float *deviation, sst_recipe_input *out) {
  static const struct {
    int channels;
    float mean[3], deviation[3];
  } known[] = {
#define NORMALIZATION_ROW(name, word, channels, a, b, c, d, e, f, text) {channels, {a, b, c}, {d, e, f}},
      SST_NORMALIZATION_LIST(NORMALIZATION_ROW)
#undef NORMALIZATION_ROW
  };
  if (find(reader, section, "normalize") != NULL) {
    if (out->mean_count > 0 || out->deviation_count > 0) {
      SSTI_RECIPE_FAIL(reader, blame(reader, section, "normalize"),
                       "%s.normalize stands beside %s.mean or .deviation, expected one or the other", section, section);
    }
    out->mean_count = out->deviation_count = known[normalization].channels;
    memcpy(out->mean, known[normalization].mean, sizeof known[normalization].mean);
    memcpy(out->deviation, known[normalization].deviation, sizeof known[normalization].deviation);
  }
  SST_TRY(fill_channels(reader, section, "mean", mean, out->mean, &out->mean_count));
  return fill_channels(reader, section, "deviation", deviation, out->deviation, &out->deviation_count);
}

static bool is_onnx(const char *path) {
  const size_t length = strlen(path);
  return length > 5 && strcmp(path + length - 5, ".onnx") == 0;
}

// Only an ONNX teacher has to be told.
static sst_status complete_teacher_input(const ssti_recipe_reader *reader) {
  sst_recipe *recipe = &reader->draft->recipe;
  if (is_onnx(recipe->teacher)) {
    return complete_normalization(reader, "teacher_input", reader->draft->teacher_normalize, recipe->data.mean,
                                  recipe->data.deviation, &recipe->teacher_input);
  }
  const ssti_yaml_node *section = ssti_yaml_get(ssti_yaml_root(reader->tree), "teacher_input");
  if (recipe->teacher_input.mean_count > 0 || recipe->teacher_input.deviation_count > 0 ||
      find(reader, "teacher_input", "normalize") != NULL) {
    SSTI_RECIPE_FAIL(reader, section,
                     "teacher_input is for a teacher that is an .onnx file; a run directory knows its"
                     " own");
  }
  return SST_OK;
}

// Frames of events are what event sets have, and only they.
static sst_status complete_encoding(const ssti_recipe_reader *reader) {
  sst_recipe_data *data = &reader->draft->recipe.data;
  const bool events = sst_dataset_is_events(data->kind);
  if (events && find(reader, "data", "encoding") == NULL) { data->encoding = SST_ENCODING_FRAMES; }
  if (events != (data->encoding == SST_ENCODING_FRAMES)) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "data", "encoding"), "data.encoding %s, but %s has %s",
                     events ? "is one of pictures, expected frames" : "is frames", sst_dataset_word(data->kind),
                     events ? "events" : "pictures");
  }
  return SST_OK;
}

// Classes and sizes: where neither the set nor the recipe says them, the data is looked at.
static sst_status complete_sizes(const ssti_recipe_reader *reader) {
  sst_recipe *recipe = &reader->draft->recipe;
  recipe->data.skip_broken = reader->draft->broken == 1;
  sst_dataset_options options = sst_recipe_dataset(recipe, true);
  sst_dataset_info info;
  const sst_status status = sst_dataset_sizes(reader->context, &options, &info);
  if (status != SST_OK) { return ssti_recipe_place_failure(reader, blame(reader, "data", "name"), status); }
  recipe->data.classes = info.classes;
  recipe->data.height = info.height;
  recipe->data.width = info.width;
  recipe->data.channels = info.channels;
  return SST_OK;
}

static sst_status complete_data(const ssti_recipe_reader *reader) {
  sst_recipe_data *data = &reader->draft->recipe.data;
  if (find(reader, "data", "name") == NULL) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "data", "name"),
                     "data.name is missing: which data set, such as 'data: {name:"
                     " digits}'");
  }
  SST_TRY(complete_encoding(reader));
  SST_TRY(complete_sizes(reader));
  float zeros[SST_MAX_CHANNELS], ones[SST_MAX_CHANNELS];
  for (int i = 0; i < SST_MAX_CHANNELS; i++) {
    zeros[i] = 0.0f;
    ones[i] = 1.0f;
  }
  sst_recipe_input input = {.mean_count = data->mean_count, .deviation_count = data->deviation_count};
  memcpy(input.mean, data->mean, sizeof input.mean);
  memcpy(input.deviation, data->deviation, sizeof input.deviation);
  SST_TRY(complete_normalization(reader, "data", reader->draft->normalize, zeros, ones, &input));
  data->mean_count = input.mean_count;
  data->deviation_count = input.deviation_count;
  memcpy(data->mean, input.mean, sizeof input.mean);
  memcpy(data->deviation, input.deviation, sizeof input.deviation);
  return SST_OK;
}

// The same for a key of student.neuron.
static const ssti_yaml_node *blame_neuron(const ssti_recipe_reader *reader, const char *key) {
  const ssti_yaml_node *neuron = find(reader, "student", "neuron"), *node = ssti_yaml_get(neuron, key);
  return node != NULL ? node : blame(reader, "student", "neuron");
}

static sst_status complete_neuron(const ssti_recipe_reader *reader) {
  sst_neuron *neuron = &reader->draft->recipe.student.options.neuron;
  neuron->hard_reset = reader->draft->reset == 0;
  if (neuron->alpha <= 0.0f) { neuron->alpha = sst_surrogate_default_alpha(neuron->surrogate); }
  if (reader->draft->recipe.student.spiking && neuron->kind == SST_NEURON_LI) {
    SSTI_RECIPE_FAIL(reader, blame_neuron(reader, "model"),
                     "student.neuron.model is li, which never fires; for a leaky readout set"
                     " student.readout to membrane");
  }
  if (neuron->kind == SST_NEURON_PLIF && (neuron->decay <= 0.0f || neuron->decay >= 1.0f)) {
    SSTI_RECIPE_FAIL(reader, blame_neuron(reader, "decay"),
                     "student.neuron.decay is %g, expected between 0 and 1, both"
                     " excluded, for plif, which learns it from there",
                     (double)neuron->decay);
  }
  if (neuron->hard_reset && neuron->v_reset >= neuron->threshold) {
    SSTI_RECIPE_FAIL(reader, blame_neuron(reader, "v_reset"),
                     "student.neuron.v_reset is %g, expected below the threshold"
                     " %g",
                     (double)neuron->v_reset, (double)neuron->threshold);
  }
  return SST_OK;
}

// Keys of the one kind of network that the other could only misunderstand.
static sst_status complete_activation(const ssti_recipe_reader *reader) {
  const sst_recipe_network *student = &reader->draft->recipe.student;
  if (student->spiking && student->options.activation != SST_ACTIVATION_RELU) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "student", "activation"),
                     "student.activation is %s, which an ann has; an snn fires: expected relu, or left out",
                     sst_activation_word(student->options.activation));
  }
  if (!student->spiking && student->options.layer_thresholds) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "student", "layer_thresholds"),
                     "student.layer_thresholds is true, but an ann has no neurons; there student.activation clip or "
                     "qcfs learns thresholds");
  }
  return SST_OK;
}

// The node of a key of student.quantize, or of what is around it.
static const ssti_yaml_node *blame_quantize(const ssti_recipe_reader *reader, const char *key) {
  const ssti_yaml_node *quantize = find(reader, "student", "quantize"), *node = ssti_yaml_get(quantize, key);
  return node != NULL ? node : blame(reader, "student", "quantize");
}

static sst_status check_bits(const ssti_recipe_reader *reader, const char *key, int bits) {
  if (bits == 0 || bits >= SST_MIN_BITS) { return SST_OK; }
  SSTI_RECIPE_FAIL(reader, blame_quantize(reader, key),
                   "student.quantize.%s is %d, expected 0 (full precision) or %d to %d", key, bits, SST_MIN_BITS,
                   SST_MAX_BITS);
}

// What the input may be: pixels and counts are bytes, pixels are scaled to 0..1, and both are normalised.
static sst_status complete_input_bits(const ssti_recipe_reader *reader) {
  const sst_recipe_data *data = &reader->draft->recipe.data;
  sst_quantization *quantization = &reader->draft->recipe.student.options.quantization;
  SST_TRY(check_bits(reader, "input_bits", quantization->input_bits));
  if (data->encoding != SST_ENCODING_DIRECT && data->encoding != SST_ENCODING_FRAMES) {
    if (quantization->input_bits == 0) { return SST_OK; }
    SSTI_RECIPE_FAIL(reader, blame_quantize(reader, "input_bits"),
                     "student.quantize.input_bits is %d, expected 0 with data.encoding %s, whose input is spikes",
                     quantization->input_bits, sst_encoding_word(data->encoding));
  }
  const float most = data->encoding == SST_ENCODING_FRAMES ? 255.0f : 1.0f;
  quantization->input_low = INFINITY;
  quantization->input_high = -INFINITY;
  for (int64_t c = 0; c < data->channels; c++) {
    quantization->input_low = fminf(quantization->input_low, -data->mean[c] / data->deviation[c]);
    quantization->input_high = fmaxf(quantization->input_high, (most - data->mean[c]) / data->deviation[c]);
  }
  return SST_OK;
}

static sst_status complete_quantize(const ssti_recipe_reader *reader) {
  sst_recipe_network *student = &reader->draft->recipe.student;
  sst_model_options *options = &student->options;
  options->quantization.first_last = reader->draft->first_last == 1;
  SST_TRY(check_bits(reader, "norm_bits", options->quantization.norm_bits));
  SST_TRY(check_bits(reader, "membrane_bits", options->neuron.membrane_bits));
  SST_TRY(complete_input_bits(reader));
  if (options->neuron.membrane_bits == 0) { return SST_OK; }
  if (!student->spiking) {
    SSTI_RECIPE_FAIL(reader, blame_quantize(reader, "membrane_bits"),
                     "student.quantize.membrane_bits is %d, expected 0 for an ann, which has no membranes",
                     options->neuron.membrane_bits);
  }
  // Everything else that a grid asks of the neurons.
  const sst_status status = ssti_neuron_check(reader->context, &options->neuron);
  if (status == SST_OK) { return SST_OK; }
  ssti_fail_within(reader->context, status, "student.neuron");
  return ssti_recipe_place_failure(reader, blame_quantize(reader, "membrane_bits"), status);
}

static sst_status complete_student(const ssti_recipe_reader *reader) {
  const sst_recipe_data *data = &reader->draft->recipe.data;
  sst_recipe_network *student = &reader->draft->recipe.student;
  sst_model_options *options = &student->options;
  student->spiking = options->spiking = reader->draft->network_kind == 0;
  options->classes = data->classes;
  options->height = data->height;
  options->width = data->width;
  options->channels = data->channels;
  if (!student->spiking) {
    const ssti_yaml_node *timesteps = find(reader, "student", "timesteps");
    if (timesteps != NULL && options->timesteps != 1) {
      SSTI_RECIPE_FAIL(reader, timesteps, "student.timesteps is %lld, expected 1 (or left out) for an ann",
                       (long long)options->timesteps);
    }
    options->timesteps = 1;
    // An ann sees a recording as one frame.
    if (data->encoding != SST_ENCODING_DIRECT && data->encoding != SST_ENCODING_FRAMES) {
      SSTI_RECIPE_FAIL(reader, blame(reader, "data", "encoding"),
                       "data.encoding makes spikes over time, expected direct"
                       " for an ann");
    }
  }
  SST_TRY(complete_activation(reader));
  SST_TRY(ssti_recipe_read_layers(reader));
  SST_TRY(complete_neuron(reader));
  return complete_quantize(reader);
}

static sst_status complete_optimizer(const ssti_recipe_reader *reader) {
  sst_optimizer_options *optimizer = &reader->draft->recipe.optimizer;
  const bool adamw = optimizer->kind == SST_OPTIMIZER_ADAMW;
  if (adamw && find(reader, "optimizer", "learning_rate") == NULL) { optimizer->learning_rate = 0.001f; }
  if (!adamw && optimizer->nesterov && optimizer->momentum <= 0.0f) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "optimizer", "nesterov"),
                     "optimizer.nesterov needs optimizer.momentum above 0");
  }
  return SST_OK;
}

static sst_status complete_twin(const ssti_recipe_reader *reader) {
  const sst_recipe *recipe = &reader->draft->recipe;
  if (recipe->twin.enabled && recipe->twin.kind == SST_TWIN_ANN && recipe->data.encoding != SST_ENCODING_DIRECT) {
    SSTI_RECIPE_FAIL(reader, blame(reader, "twin", "kind"),
                     "twin.kind is ann, but data.encoding makes spikes over time, expected direct for an ann");
  }
  return SST_OK;
}

static sst_status complete_schedule(const ssti_recipe_reader *reader) {
  const sst_schedule *schedule = &reader->draft->recipe.schedule;
  const ssti_yaml_node *node = blame(reader, "schedule", "milestones");
  if (schedule->kind == SST_SCHEDULE_STEP && schedule->milestone_count == 0) {
    SSTI_RECIPE_FAIL(reader, node,
                     "schedule.milestones is missing: the epochs at which the step schedule lowers the"
                     " learning rate, such as [10, 15]");
  }
  for (int i = 1; i < schedule->milestone_count; i++) {
    if (schedule->milestones[i] <= schedule->milestones[i - 1]) {
      SSTI_RECIPE_FAIL(reader, node, "schedule.milestones has %g after %g, expected ascending epochs",
                       schedule->milestones[i], schedule->milestones[i - 1]);
    }
  }
  return SST_OK;
}

// The file's name without folder and ending. What a message or a path could stumble over becomes '_'.
void ssti_recipe_name_of_file(const char *file, char name[SST_RECIPE_TEXT_SIZE]) {
  const char *slash = strrchr(file, '/');
  if (slash != NULL) { file = slash + 1; }
  const char *dot = strrchr(file, '.');
  size_t length = dot != NULL && dot != file ? (size_t)(dot - file) : strlen(file);
  if (length >= SST_RECIPE_TEXT_SIZE) { length = SST_RECIPE_TEXT_SIZE - 1; }
  for (size_t i = 0; i < length; i++) { name[i] = file[i] > ' ' && file[i] < 0x7f ? file[i] : '_'; }
  name[length] = '\0';
}

sst_status ssti_recipe_complete(const ssti_recipe_reader *reader) {
  char *name = reader->draft->recipe.name;
  if (name[0] == '\0') { ssti_recipe_name_of_file(ssti_yaml_name(reader->tree), name); }
  SST_TRY(complete_data(reader));
  SST_TRY(complete_teacher_input(reader));
  SST_TRY(complete_student(reader));
  SST_TRY(complete_twin(reader));
  SST_TRY(ssti_recipe_read_terms(reader));
  SST_TRY(complete_optimizer(reader));
  return complete_schedule(reader);
}
