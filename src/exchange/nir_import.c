// SPDX-License-Identifier: Apache-2.0
// From a NIR graph to a list of steps that can be built: forms (shapes without time and batch) go from the input along
// the edges, fields are checked against them and brought into our layout. What cannot be imported is collected.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "exchange/nir_parts.h"

// More than any picture has; products of three stay inside 64 bits.
static const int64_t LARGEST_LENGTH = 1 << 20, MOST_NUMBERS = 1 << 24;

typedef struct importer {
  sst_context *context;
  sst_nir_network *network;
  const sst_nir_import_options *options;
  ssti_text faults; // "a (Type): why; b (Type): why"
  bool guessed;     // nobody says how neurons are meant
} importer;

static void append_fault(importer *m, ssti_nir_step *step, const char *why) {
  step->broken = true;
  ssti_text_append(&m->faults, "%s%s (%s): %s", m->faults.length ? "; " : "", step->name, sst_nir_type_word(step->type),
                   why);
}

static void fault(importer *m, ssti_nir_step *step, const char *format, ...) SST_PRINTF(3, 4);
static void fault(importer *m, ssti_nir_step *step, const char *format, ...) {
  char why[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  append_fault(m, step, why);
}

// ---- forms

int64_t ssti_nir_count(const ssti_nir_form *form) {
  int64_t count = form->rank > 0 ? 1 : 0;
  for (int i = 0; i < form->rank; i++) { count *= form->size[i]; }
  return count;
}

void ssti_nir_picture_of(const ssti_nir_form *form, int64_t chw[3]) {
  const int64_t *s = form->flattened ? form->picture : form->size;
  chw[0] = s[0];
  chw[1] = form->flattened || form->rank == 3 ? s[1] : 1;
  chw[2] = form->flattened || form->rank == 3 ? s[2] : form->rank == 2 ? s[1] : 1;
}

sst_shape ssti_nir_shape_of(const ssti_nir_form *form) {
  if (form->rank == 1) { return sst_shape_make(1, 1, 1, 1, form->size[0]); }
  int64_t chw[3];
  ssti_nir_picture_of(form, chw);
  return sst_shape_make(1, 1, chw[1], chw[2], chw[0]);
}

static bool same_form(const ssti_nir_form *a, const ssti_nir_form *b) {
  if (a->rank != b->rank || a->flattened != b->flattened) { return false; }
  for (int i = 0; i < a->rank; i++) {
    if (a->size[i] != b->size[i]) { return false; }
  }
  return !a->flattened || memcmp(a->picture, b->picture, sizeof a->picture) == 0;
}

static const char *form_text(const ssti_nir_form *form, char text[80]) {
  const int64_t *s = form->size;
  if (form->rank == 1) {
    snprintf(text, 80, "(%lld)", (long long)s[0]);
  } else if (form->rank == 2) {
    snprintf(text, 80, "(%lld,%lld)", (long long)s[0], (long long)s[1]);
  } else {
    snprintf(text, 80, "(%lld,%lld,%lld)", (long long)s[0], (long long)s[1], (long long)s[2]);
  }
  return text;
}

// ---- fields

// A size or setting; also where a writer made a list or a float of it. `index`: of a list; one number stands for all.
static bool setting(const ssti_nir_step *step, const char *name, int64_t index, int64_t *out) {
  const sst_nir_value *field = sst_nir_find_value(&step->node->fields, name);
  if (field == NULL || field->kind == SST_NIR_TEXT || field->count < 1) { return false; }
  const int64_t at = field->count == 1 ? 0 : index;
  if (at >= field->count) { return false; }
  if (field->kind == SST_NIR_NUMBERS) {
    if (!(fabs(field->numbers[at]) < 1e9) || field->numbers[at] != floor(field->numbers[at])) { return false; }
    *out = (int64_t)field->numbers[at];
  } else {
    *out = field->integers[at];
  }
  return *out >= -LARGEST_LENGTH && *out <= LARGEST_LENGTH;
}

static bool setting_in(importer *m, ssti_nir_step *step, const char *name, int64_t index, int64_t lowest,
                       int64_t *out) {
  if (setting(step, name, index, out) && *out >= lowest) { return true; }
  fault(m, step, "its '%s' is not made of whole numbers of at least %lld", name, (long long)lowest);
  return false;
}

static double element(const sst_nir_value *field, int64_t i) {
  return field->kind == SST_NIR_INTEGERS ? (double)field->integers[i] : field->numbers[i];
}

// The numbers of a field as a constant of the step; `at` tells where in the field each of ours is from.
static sst_status add_constant(importer *m, ssti_nir_step *step, const char *suffix, sst_parameter_kind kind,
                               sst_shape shape, float **data) {
  SST_TRY(ssti_allocate_raw(m->context, (size_t)sst_shape_count(shape), sizeof **data, data));
  step->constants[step->constant_count++] = (ssti_nir_constant){suffix, kind, shape, *data};
  return SST_OK;
}

static sst_status add_bias(importer *m, ssti_nir_step *step, int64_t outputs) {
  const sst_nir_value *bias = sst_nir_find_value(&step->node->fields, "bias");
  float *data = NULL;
  if (bias == NULL) { return SST_OK; }
  if (bias->count != outputs && bias->count != 1) {
    fault(m, step, "its bias has %lld numbers, expected %lld", (long long)bias->count, (long long)outputs);
    return SST_OK;
  }
  SST_TRY(add_constant(m, step, "bias", SST_PARAMETER_BIAS, sst_shape_make(1, 1, 1, 1, outputs), &data));
  for (int64_t i = 0; i < outputs; i++) { data[i] = (float)element(bias, bias->count == 1 ? 0 : i); }
  return SST_OK;
}

// ---- layers

static sst_status take_linear(importer *m, ssti_nir_step *step) {
  const sst_nir_value *weight = sst_nir_find_value(&step->node->fields, "weight");
  const int64_t features = ssti_nir_count(&step->in);
  char text[80];
  if (weight->rank != 2 || weight->shape[1] != features || weight->shape[0] < 1) {
    fault(m, step, "its weight is not (out,%lld), as its input of %s asks", (long long)features,
          form_text(&step->in, text));
    return SST_OK;
  }
  const int64_t outputs = weight->shape[0];
  int64_t chw[3];
  float *data = NULL;
  ssti_nir_picture_of(&step->in, chw);
  const int64_t channels = chw[0], places = chw[1] * chw[2];
  SST_TRY(add_constant(m, step, "weight", SST_PARAMETER_WEIGHT, sst_shape_make(1, outputs, 1, 1, features), &data));
  for (int64_t o = 0; o < outputs; o++) {
    for (int64_t p = 0; p < places; p++) {
      for (int64_t c = 0; c < channels; c++) {
        data[(o * places + p) * channels + c] = (float)element(weight, (o * channels + c) * places + p);
      }
    }
  }
  step->out = (ssti_nir_form){.rank = 1, .size = {outputs}};
  return add_bias(m, step, outputs);
}

// "same" padding: what a stride of 1 needs to keep the size, more of it behind where it is odd.
static bool take_padding(importer *m, ssti_nir_step *step, int axis, int64_t kernel, int64_t dilation, int64_t stride,
                         int64_t *pad) {
  const sst_nir_value *field = sst_nir_find_value(&step->node->fields, "padding");
  *pad = 0;
  if (field->kind != SST_NIR_TEXT) { return setting_in(m, step, "padding", axis, 0, pad); }
  if (strcmp(field->text, "valid") == 0) { return true; }
  if (strcmp(field->text, "same") != 0 || stride != 1) {
    fault(m, step, "its padding is '%s' with stride %lld, expected numbers, 'valid', or 'same' with stride 1",
          field->text, (long long)stride);
    return false;
  }
  const int64_t total = dilation * (kernel - 1);
  const int place = step->type == SST_NIR_TYPE_CONV1D ? 1 : axis;
  step->pad.before[place] = total / 2;
  step->pad.after[place] = total - total / 2;
  step->pads = step->pads || total > 0;
  return true;
}

// Output length of one axis, 0 if the kernel does not fit.
static int64_t output_length(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  const int64_t span = dilation * (kernel - 1) + 1, room = in + padding - span;
  return room < 0 ? 0 : room / stride + 1;
}

static sst_status take_conv_weight(importer *m, ssti_nir_step *step, const int64_t kernel[2]) {
  const sst_nir_value *weight = sst_nir_find_value(&step->node->fields, "weight");
  const int64_t outputs = weight->shape[0], inputs = weight->shape[1], places = kernel[0] * kernel[1];
  float *data = NULL;
  SST_TRY(add_constant(m, step, "weight", SST_PARAMETER_WEIGHT,
                       sst_shape_make(1, outputs, kernel[0], kernel[1], inputs), &data));
  for (int64_t o = 0; o < outputs; o++) {
    for (int64_t p = 0; p < places; p++) {
      for (int64_t i = 0; i < inputs; i++) {
        data[(o * places + p) * inputs + i] = (float)element(weight, (o * inputs + i) * places + p);
      }
    }
  }
  return add_bias(m, step, outputs);
}

static sst_status take_conv(importer *m, ssti_nir_step *step) {
  const bool flat = step->type == SST_NIR_TYPE_CONV1D;
  const int rank = flat ? 2 : 3, axes = rank - 1;
  const sst_nir_value *weight = sst_nir_find_value(&step->node->fields, "weight");
  int64_t groups, kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, pad[2] = {0, 0};
  char text[80];
  if (step->in.rank != rank || weight->rank != rank + 1 || weight->count < 1) {
    fault(m, step, "its input is %s and its weight has %d axes, expected %d and %d axes", form_text(&step->in, text),
          weight->rank, rank, rank + 1);
    return SST_OK;
  }
  if (!setting_in(m, step, "groups", 0, 1, &groups)) { return SST_OK; }
  for (int i = 0; i < axes; i++) {
    const int to = flat ? 1 : i;
    kernel[to] = weight->shape[2 + i];
    if (!setting_in(m, step, "stride", i, 1, &stride[to]) || !setting_in(m, step, "dilation", i, 1, &dilation[to]) ||
        !take_padding(m, step, i, kernel[to], dilation[to], stride[to], &pad[to])) {
      return SST_OK;
    }
  }
  if (weight->shape[1] * groups != step->in.size[0] || weight->shape[0] % groups != 0) {
    fault(m, step, "its weight takes %lld channels in %lld groups and gives %lld, but its input has %lld",
          (long long)weight->shape[1], (long long)groups, (long long)weight->shape[0], (long long)step->in.size[0]);
    return SST_OK;
  }
  step->conv = (sst_conv2d_options){stride[0], stride[1], pad[0], pad[1], dilation[0], dilation[1], groups};
  step->out = (ssti_nir_form){.rank = rank, .size = {weight->shape[0]}};
  for (int i = 0; i < axes; i++) {
    const int to = flat ? 1 : i;
    const int64_t padding = 2 * pad[to] + step->pad.before[to] + step->pad.after[to];
    step->out.size[1 + i] = output_length(step->in.size[1 + i], kernel[to], stride[to], padding, dilation[to]);
    if (step->out.size[1 + i] < 1) {
      fault(m, step, "its kernel does not fit into its input of %s", form_text(&step->in, text));
      return SST_OK;
    }
  }
  return take_conv_weight(m, step, kernel);
}

static bool is_power_of_two(int64_t n) { return (n & (n - 1)) == 0; }

// A sum is an average times the window where that is exact, else a convolution with ones.
static sst_status take_sum(importer *m, ssti_nir_step *step) {
  const sst_pool_options *p = &step->pool;
  const int64_t window = p->kernel_h * p->kernel_w, channels = step->in.size[0];
  float *data = NULL;
  if (is_power_of_two(window)) { return SST_OK; }
  step->conv = (sst_conv2d_options){p->stride_h, p->stride_w, p->pad_h, p->pad_w, 1, 1, channels};
  SST_TRY(add_constant(m, step, "ones", SST_PARAMETER_BUFFER, sst_shape_make(1, channels, p->kernel_h, p->kernel_w, 1),
                       &data));
  for (int64_t i = 0; i < channels * window; i++) { data[i] = 1.0f; }
  return SST_OK;
}

static sst_status take_pool(importer *m, ssti_nir_step *step) {
  int64_t kernel[2], stride[2], pad[2];
  char text[80];
  if (step->in.rank != 3) {
    fault(m, step, "its input is %s, expected (C,H,W)", form_text(&step->in, text));
    return SST_OK;
  }
  step->out = step->in;
  for (int i = 0; i < 2; i++) {
    if (!setting_in(m, step, "kernel_size", i, 1, &kernel[i]) || !setting_in(m, step, "stride", i, 1, &stride[i]) ||
        !setting_in(m, step, "padding", i, 0, &pad[i])) {
      return SST_OK;
    }
    step->out.size[1 + i] = output_length(step->in.size[1 + i], kernel[i], stride[i], 2 * pad[i], 1);
    if (step->out.size[1 + i] < 1 || 2 * pad[i] > kernel[i]) {
      fault(m, step, "its window does not fit into its input of %s, or its padding is above half the window",
            form_text(&step->in, text));
      return SST_OK;
    }
  }
  step->pool = (sst_pool_options){kernel[0], kernel[1], stride[0], stride[1], pad[0], pad[1]};
  return step->type == SST_NIR_TYPE_SUM_POOL2D ? take_sum(m, step) : SST_OK;
}

// Whether all that reads the step are linear layers with that many inputs: some writers count the batch as dimension 0.
static bool readers_want(const importer *m, const ssti_nir_step *step, int64_t features) {
  int readers = 0;
  for (int i = 0; i < m->network->step_count; i++) {
    const ssti_nir_step *reader = &m->network->steps[i];
    for (int k = 0; k < reader->source_count; k++) {
      if (&m->network->steps[reader->sources[k].step] != step) { continue; }
      const bool linear = reader->type == SST_NIR_TYPE_AFFINE || reader->type == SST_NIR_TYPE_LINEAR;
      const sst_nir_value *weight = linear ? sst_nir_find_value(&reader->node->fields, "weight") : NULL;
      if (weight == NULL || weight->rank != 2 || weight->shape[1] != features) { return false; }
      readers++;
    }
  }
  return readers > 0;
}

static sst_status take_flatten(importer *m, ssti_nir_step *step) {
  const ssti_nir_form *in = &step->in;
  int64_t first = 0, last = 0;
  if (!setting(step, "start_dim", 0, &first) || !setting(step, "end_dim", 0, &last)) {
    fault(m, step, "its 'start_dim' and 'end_dim' are not whole numbers");
    return SST_OK;
  }
  const int64_t count = ssti_nir_count(in), rank = in->rank;
  const int64_t from = first < 0 ? first + rank : first, to = last < 0 ? last + rank : last;
  step->out = *in;
  if (rank == 1 || from == to) { return SST_OK; }
  const bool all = from <= 0 && to == rank - 1;
  if (!all && !(from == 1 && (to == rank - 1 || to == rank) && readers_want(m, step, count))) {
    fault(m, step, "dimensions %lld to %lld of %lld are flattened, expected all", (long long)first, (long long)last,
          (long long)rank);
    return SST_OK;
  }
  int64_t chw[3];
  ssti_nir_picture_of(in, chw);
  step->out = (ssti_nir_form){.rank = 1, .size = {count}};
  step->out.flattened = chw[0] > 1 && chw[1] * chw[2] > 1;
  if (step->out.flattened) { memcpy(step->out.picture, chw, sizeof chw); }
  return SST_OK;
}

// Scale and Threshold: one number for all or one for each.
static sst_status take_elementwise(importer *m, ssti_nir_step *step) {
  const bool threshold = step->type == SST_NIR_TYPE_THRESHOLD;
  const char *name = threshold ? "threshold" : "scale";
  const sst_nir_value *field = sst_nir_find_value(&step->node->fields, name);
  double *numbers = NULL;
  float *data = NULL;
  int64_t count = 0;
  step->out = step->in;
  SST_TRY(ssti_nir_take_elements(m->context, field, &step->in, &count, &numbers));
  if (count == 0) {
    fault(m, step, "its '%s' has %lld numbers, expected 1 or %lld", name, (long long)field->count,
          (long long)ssti_nir_count(&step->in));
    return SST_OK;
  }
  const sst_shape shape = count == 1 ? sst_shape_make(1, 1, 1, 1, 1) : ssti_nir_shape_of(&step->in);
  const sst_status status = add_constant(m, step, name, SST_PARAMETER_BUFFER, shape, &data);
  for (int64_t i = 0; status == SST_OK && i < count; i++) {
    data[i] = threshold ? ssti_nir_lowest_firing(m->network->info.target, numbers[i]) : (float)numbers[i];
  }
  ssti_free(m->context, numbers);
  return status;
}

static sst_status take_neurons(importer *m, ssti_nir_step *step) {
  step->out = step->in;
  ssti_text wrong = ssti_text_begin(m->context);
  sst_status status = ssti_nir_take_cells(m->network, step, &wrong);
  if (status == SST_OK) { status = wrong.status; }
  if (status == SST_OK && wrong.length > 0) { fault(m, step, "%s", wrong.data); }
  ssti_text_free(&wrong);
  return status;
}

static sst_status take_input(importer *m, ssti_nir_step *step) {
  const sst_nir_value *shape = sst_nir_find_value(&step->node->fields, "shape");
  int64_t count = 1;
  // Some writers count the batch, or time, as dimension 0: (1,C,H,W), or (N,F) before layers that take F numbers.
  int64_t features = 0;
  const bool batch =
      shape->rank == 1 &&
      ((shape->count == 4 && setting(step, "shape", 0, &count) && count == 1) ||
       (shape->count == 2 && setting(step, "shape", 1, &features) && features > 0 && readers_want(m, step, features)));
  const int64_t first = batch ? 1 : 0, rank = shape->count - first;
  bool good = shape->rank <= 1 && rank >= 1 && rank <= 3;
  count = 1;
  step->out.rank = good ? (int)rank : 0;
  for (int i = 0; i < step->out.rank && good; i++) {
    good = setting(step, "shape", first + i, &step->out.size[i]) && step->out.size[i] >= 1;
    if (good) { count *= step->out.size[i]; }
  }
  good = good && count <= MOST_NUMBERS;
  if (good) { return SST_OK; }
  step->out.rank = 0;
  fault(m, step, "its shape is not that of (F), (C,L) or (C,H,W)");
  return SST_OK;
}

static sst_status take_step(importer *m, ssti_nir_step *step) {
  switch (step->type) {
  case SST_NIR_TYPE_AFFINE:
  case SST_NIR_TYPE_LINEAR: return take_linear(m, step);
  case SST_NIR_TYPE_CONV1D:
  case SST_NIR_TYPE_CONV2D: return take_conv(m, step);
  case SST_NIR_TYPE_SUM_POOL2D:
  case SST_NIR_TYPE_AVG_POOL2D: return take_pool(m, step);
  case SST_NIR_TYPE_FLATTEN: return take_flatten(m, step);
  case SST_NIR_TYPE_SCALE:
  case SST_NIR_TYPE_THRESHOLD: return take_elementwise(m, step);
  case SST_NIR_TYPE_INPUT: // of a nested graph
  case SST_NIR_TYPE_OUTPUT:
  case SST_NIR_TYPE_DELAY: step->out = step->in; return SST_OK;
  case SST_NIR_TYPE_I:
  case SST_NIR_TYPE_IF:
  case SST_NIR_TYPE_LI:
  case SST_NIR_TYPE_LIF:
  case SST_NIR_TYPE_CUBALI:
  case SST_NIR_TYPE_CUBALIF: return take_neurons(m, step);
  case SST_NIR_TYPE_GRAPH:
  case SST_NIR_TYPE_COUNT: break;
  }
  return SST_OK;
}

// ---- the whole

// A delay must be whole steps, the same for all.
static void take_delay(importer *m, ssti_nir_step *step) {
  const sst_nir_value *field = sst_nir_find_value(&step->node->fields, "delay");
  const double delay = field->count > 0 ? element(field, 0) : -1.0, steps = delay / m->network->info.dt;
  for (int64_t i = 1; i < field->count; i++) {
    if (element(field, i) != delay) {
      fault(m, step, "its delays differ from each other");
      return;
    }
  }
  const double whole = floor(steps + 0.5);
  if (!(steps >= 0.0 && steps <= 4096.0) || fabs(steps - whole) > 1e-4) {
    fault(m, step, "its delay is %g, expected 0 to 4096 whole steps of %g", delay, m->network->info.dt);
    return;
  }
  step->delay = (int64_t)whole;
}

// The form that arrives: the first source that has one. False while there is none.
static bool find_in(const sst_nir_network *network, ssti_nir_step *step) {
  for (int i = 0; i < step->source_count; i++) {
    const ssti_nir_form *form = &network->steps[step->sources[i].step].out;
    if (form->rank > 0) {
      step->in = *form;
      return true;
    }
  }
  return false;
}

// Steps on cycles may have to wait for each other.
static sst_status take_steps(importer *m) {
  sst_nir_network *network = m->network;
  for (bool progress = true; progress;) {
    progress = false;
    for (int i = 0; i < network->step_count; i++) {
      ssti_nir_step *step = &network->steps[i];
      if (step->out.rank > 0 || (step->broken && step->type != SST_NIR_TYPE_DELAY)) { continue; }
      if (i == network->input) {
        SST_TRY(take_input(m, step));
        progress = step->out.rank > 0;
      } else if (find_in(network, step)) {
        SST_TRY(take_step(m, step));
        progress = true;
        if (ssti_nir_count(&step->out) > MOST_NUMBERS) {
          fault(m, step, "it gives more than %lld numbers", (long long)MOST_NUMBERS);
          step->out.rank = 0;
        }
      }
    }
  }
  return m->faults.status;
}

// Several edges into a step must agree.
static void check_sums(importer *m) {
  sst_nir_network *network = m->network;
  for (int i = 0; i < network->step_count; i++) {
    ssti_nir_step *step = &network->steps[i];
    if (i != network->input && step->source_count == 0) { fault(m, step, "nothing leads to it"); }
    for (int k = 0; k < step->source_count && !step->broken; k++) {
      const ssti_nir_form *form = &network->steps[step->sources[k].step].out;
      char here[80], there[80];
      if (form->rank > 0 && !same_form(form, &step->in)) {
        fault(m, step, "%s and %s are to be added", form_text(&step->in, here), form_text(form, there));
      }
    }
  }
}

static sst_status describe(importer *m) {
  sst_nir_network *network = m->network;
  sst_nir_info *info = &network->info;
  const ssti_nir_form *in = &network->steps[network->input].out;
  ssti_nir_step *output = &network->steps[network->output];
  int64_t chw[3];
  ssti_nir_picture_of(in, chw);
  info->channels = chw[0];
  info->height = chw[1];
  info->width = chw[2];
  info->rows = in->rank == 1;
  info->classes = ssti_nir_count(&output->out);
  ssti_nir_picture_of(&output->out, chw);
  if (!output->broken && chw[0] > 1 && chw[1] * chw[2] > 1) {
    fault(m, output, "the network ends with a picture, expected one number for each class");
  }
  return SST_OK;
}

static const sst_nir_value *find_number(const sst_nir_graph *graph, const char *name) {
  const sst_nir_value *value = sst_nir_find_value(&graph->metadata, name);
  return value && value->kind != SST_NIR_TEXT && value->count == 1 ? value : NULL;
}

static const char *find_word(const sst_nir_graph *graph, const char *name) {
  const sst_nir_value *value = sst_nir_find_value(&graph->metadata, name);
  return value && value->kind == SST_NIR_TEXT ? value->text : "";
}

static void note_guess(const importer *m) {
  const sst_nir_info *info = &m->network->info;
  char line[192];
  snprintf(
      line, sizeof line,
      "the file does not say for which tool it is written: read as for %s, dt %g, %s reset (--target, --dt, --reset)",
      sst_nir_target_word(info->target), info->dt, info->soft_reset ? "soft" : "hard");
  if (m->options->note) { m->options->note(m->options->user, line); }
}

// What the caller asks for, else what the file says, else the generic reading.
static sst_status choose_reading(importer *m, const sst_nir_graph *graph) {
  sst_nir_info *info = &m->network->info;
  const sst_nir_import_options *o = m->options;
  if ((o->target && (unsigned)*o->target >= SST_NIR_TARGET_COUNT) || !(o->dt >= 0.0 && isfinite(o->dt))) {
    SST_FAIL(m->context, SST_INVALID_ARGUMENT,
             "dt is %g, or the target unknown; expected a known target and a dt of at least 0", o->dt);
  }
  const bool named = sst_nir_target_parse(find_word(graph, "target"), &info->target);
  if (o->target) { info->target = *o->target; }
  const sst_nir_value *dt = find_number(graph, "dt"), *steps = find_number(graph, "timesteps");
  info->dt = dt && !o->target ? element(dt, 0) : 0.0;
  if (o->dt > 0.0) { info->dt = o->dt; }
  if (!(info->dt > 0.0 && isfinite(info->dt))) { info->dt = sst_nir_target_dt(info->target); }
  if (steps && element(steps, 0) >= 1.0 && element(steps, 0) <= 4096.0) {
    info->timesteps = (int64_t)element(steps, 0);
  }
  const char *reset = find_word(graph, "reset");
  info->soft_reset = o->reset == SST_NIR_RESET_SOFT ||
                     (o->reset == SST_NIR_RESET_FILE &&
                      (strcmp(reset, "soft") == 0 || (*reset == '\0' && ssti_nir_subtracts(info->target))));
  m->guessed = !named && !o->target;
  return SST_OK;
}

static sst_status import_all(importer *m, const sst_nir_graph *graph) {
  sst_nir_network *network = m->network;
  SST_TRY(choose_reading(m, graph));
  SST_TRY(ssti_nir_flatten(network, graph));
  if (network->steps[network->input].source_count > 0) {
    SST_FAIL(m->context, SST_FORMAT, "an edge leads into the input '%s'", network->steps[network->input].name);
  }
  for (int i = 0; i < network->step_count; i++) {
    if (network->steps[i].type == SST_NIR_TYPE_DELAY) { take_delay(m, &network->steps[i]); }
  }
  SST_TRY(ssti_nir_order(network));
  if (network->input < 0) {
    SST_FAIL(m->context, SST_FORMAT, "the output '%s' does not depend on the input",
             network->steps[network->output].name);
  }
  SST_TRY(take_steps(m));
  check_sums(m);
  SST_TRY(describe(m));
  SST_TRY(m->faults.status);
  if (m->faults.length > 0) { SST_FAIL(m->context, SST_UNSUPPORTED, "cannot be imported: %s", m->faults.data); }
  const ssti_nir_step *output = &network->steps[network->output];
  if (output->out.rank == 0) {
    SST_FAIL(m->context, SST_FORMAT, "the shape of the output '%s' cannot be told", output->name);
  }
  for (int i = 0; i < network->step_count; i++) { network->steps[i].node = NULL; }
  if (m->guessed) { note_guess(m); }
  return SST_OK;
}

sst_status sst_nir_import(const sst_nir_graph *graph, const sst_nir_import_options *options, sst_nir_network **out) {
  static const sst_nir_import_options defaults = {0};
  sst_context *context = graph->context;
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  importer m = {.context = context,
                .network = *out,
                .options = options ? options : &defaults,
                .faults = ssti_text_begin(context)};
  const sst_status status = import_all(&m, graph);
  ssti_text_free(&m.faults);
  if (status != SST_OK) {
    sst_nir_network_destroy(*out);
    *out = NULL;
  }
  return status;
}

void sst_nir_network_destroy(sst_nir_network *network) {
  if (network == NULL) { return; }
  sst_context *context = network->context;
  for (int i = 0; i < network->step_count; i++) {
    ssti_nir_step *step = &network->steps[i];
    ssti_free(context, step->name);
    ssti_free(context, step->sources);
    for (int k = 0; k < step->constant_count; k++) { ssti_free(context, step->constants[k].data); }
  }
  ssti_free(context, network->steps);
  ssti_free(context, network);
}

sst_nir_info sst_nir_describe(const sst_nir_network *network) { return network->info; }
