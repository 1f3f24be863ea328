// SPDX-License-Identifier: Apache-2.0
// The walk over the file's nodes, in order: constants are folded, everything else becomes steps. A node that is not
// supported is noted and its outputs are blocked; the walk goes on, so that all of them are reported at once.
#include <stdio.h>

#include "exchange/onnx_parts.h"

static const struct {
  const char *type;
  ssti_onnx_lowering *lower;
} lowerings[] = {
    {"Conv", ssti_onnx_lower_conv},
    {"Gemm", ssti_onnx_lower_gemm},
    {"MatMul", ssti_onnx_lower_matmul},
    {"BatchNormalization", ssti_onnx_lower_batch_norm},
    {"MaxPool", ssti_onnx_lower_pool},
    {"AveragePool", ssti_onnx_lower_pool},
    {"GlobalAveragePool", ssti_onnx_lower_global_pool},
    {"GlobalMaxPool", ssti_onnx_lower_global_pool},
    {"ReduceMean", ssti_onnx_lower_mean},
    {"Relu", ssti_onnx_lower_activation},
    {"Clip", ssti_onnx_lower_clip},
    {"Sigmoid", ssti_onnx_lower_function},
    {"Tanh", ssti_onnx_lower_function},
    {"Exp", ssti_onnx_lower_function},
    {"Log", ssti_onnx_lower_function},
    {"Sqrt", ssti_onnx_lower_function},
    {"Abs", ssti_onnx_lower_function},
    {"Add", ssti_onnx_lower_binary},
    {"Sub", ssti_onnx_lower_binary},
    {"Mul", ssti_onnx_lower_binary},
    {"Div", ssti_onnx_lower_binary},
    {"Softmax", ssti_onnx_lower_softmax},
    {"LogSoftmax", ssti_onnx_lower_softmax},
    {"Pad", ssti_onnx_lower_pad},
    {"Slice", ssti_onnx_lower_slice},
    {"Concat", ssti_onnx_lower_concat},
    {"Reshape", ssti_onnx_lower_reshape},
    {"Flatten", ssti_onnx_lower_reshape},
    {"Squeeze", ssti_onnx_lower_reshape},
    {"Unsqueeze", ssti_onnx_lower_reshape},
    {"Transpose", ssti_onnx_lower_transpose},
    {"Identity", ssti_onnx_lower_identity},
    {"Dropout", ssti_onnx_lower_identity},
};

static int find_lowering(const char *type) {
  for (int i = 0; i < (int)(sizeof lowerings / sizeof lowerings[0]); i++) {
    if (strcmp(lowerings[i].type, type) == 0) { return i; }
  }
  return -1;
}

// ---- steps ----

sst_status ssti_onnx_add_step(const ssti_onnx_node *node, ssti_onnx_step_kind kind, const ssti_onnx_picture *x,
                              ssti_onnx_step **out) {
  sst_onnx *onnx = node->reader->onnx;
  SST_TRY(ssti_grow(node->reader->context, &onnx->steps, &onnx->step_capacity, (size_t)onnx->step_count + 1,
                    sizeof *onnx->steps));
  ssti_onnx_step *step = &onnx->steps[onnx->step_count];
  *step = (ssti_onnx_step){.kind = kind, .type = lowerings[find_lowering(node->type)].type, .input_count = 1};
  SST_TRY(ssti_onnx_take(&onnx->arena, 2, sizeof *step->inputs, &step->inputs));
  step->inputs[0] = x->step;
  onnx->step_count++;
  *out = step;
  return SST_OK;
}

sst_status ssti_onnx_add_parameter(const ssti_onnx_node *node, ssti_onnx_step *step, const char *suffix,
                                   sst_shape shape, sst_parameter_kind kind, float **data) {
  assert(step->parameter_count < SSTI_ONNX_MAX_PARAMETERS);
  ssti_onnx_parameter *p = &step->parameter[step->parameter_count];
  SST_TRY(ssti_onnx_take(&node->reader->onnx->arena, (size_t)sst_shape_count(shape), sizeof(float), data));
  *p = (ssti_onnx_parameter){suffix, shape, kind, *data};
  step->parameter_count++;
  return SST_OK;
}

void ssti_onnx_note_reduction(const ssti_onnx_node *node, const ssti_onnx_picture *x, const ssti_onnx_picture *y) {
  ssti_onnx_reader *r = node->reader;
  const int64_t before = x->length[SSTI_ONNX_H] * x->length[SSTI_ONNX_W];
  const int64_t after = y->length[SSTI_ONNX_H] * y->length[SSTI_ONNX_W];
  // A shortcut is reduced too, at the same size: that ends no second stage.
  if (after >= before || x->activation < 0 || (r->stage_count > 0 && before >= r->last_area)) { return; }
  ssti_onnx_step *step = &r->onnx->steps[x->activation];
  if (step->stage > 0) { return; } // two reductions without an activation between them
  step->stage = ++r->stage_count;
  r->last_area = before;
}

bool ssti_onnx_absorb(const ssti_onnx_node *node, int input, const float *scale, const float *offset, int64_t channels,
                      sst_status *status) {
  const ssti_onnx_value *value = &node->reader->values[node->inputs[input]];
  sst_onnx *onnx = node->reader->onnx;
  *status = SST_OK;
  if (value->uses != 1 || value->picture.step < 0) { return false; }
  ssti_onnx_step *step = &onnx->steps[value->picture.step];
  if ((step->kind != SSTI_ONNX_CONV && step->kind != SSTI_ONNX_LINEAR) || value->picture.step != onnx->step_count - 1) {
    return false;
  }
  const int64_t outputs = step->parameter[0].shape.dim[SST_AXIS_N],
                row = sst_shape_count(step->parameter[0].shape) / outputs;
  if (outputs != channels && channels != 1) { return false; }
  float *bias = NULL;
  if (step->parameter_count > 1) {
    bias = step->parameter[1].data;
  } else {
    *status =
        ssti_onnx_add_parameter(node, step, "bias", sst_shape_make(1, 1, 1, 1, outputs), SST_PARAMETER_BIAS, &bias);
    if (*status != SST_OK) { return false; }
  }
  for (int64_t o = 0; o < outputs; o++) {
    const int64_t c = channels == 1 ? 0 : o;
    for (int64_t i = 0; i < row; i++) { step->parameter[0].data[o * row + i] *= scale ? scale[c] : 1.0f; }
    bias[o] = bias[o] * (scale ? scale[c] : 1.0f) + (offset ? offset[c] : 0.0f);
  }
  return true;
}

sst_status ssti_onnx_check_picture(const ssti_onnx_node *node, const ssti_onnx_picture *p) {
  int64_t count = 1;
  for (int i = SSTI_ONNX_H; i <= SSTI_ONNX_C; i++) {
    if (p->length[i] < 1 || p->length[i] > SSTI_ONNX_MAX_LENGTH || (count *= p->length[i]) > SSTI_ONNX_MAX_ELEMENTS) {
      SSTI_ONNX_FAIL(node, SST_UNSUPPORTED,
                     "makes %" PRId64 "x%" PRId64 " pictures of %" PRId64
                     " channels, expected axes of 1..%d and at most"
                     " %d elements",
                     p->length[SSTI_ONNX_H], p->length[SSTI_ONNX_W], p->length[SSTI_ONNX_C], (int)SSTI_ONNX_MAX_LENGTH,
                     (int)SSTI_ONNX_MAX_ELEMENTS);
    }
  }
  return SST_OK;
}

// ---- names of steps: unique, so that they can be taps and begin names of parameters ----

static bool name_is_free(const ssti_onnx_names *layers, const char *name) {
  static const char *const own[] = {"", "features", "logits", "step_logits", "input", "target"};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
    if (strcmp(own[i], name) == 0) { return false; }
  }
  if (strncmp(name, "stage", 5) == 0 && name[5 + strspn(name + 5, "0123456789")] == '\0') { return false; }
  return ssti_onnx_find(layers, name) < 0;
}

// `proto` NULL: a step that leads to the node's own.
static sst_status name_step(ssti_onnx_reader *r, const Onnx__NodeProto *proto, int place) {
  ssti_onnx_step *step = &r->onnx->steps[place];
  char text[SSTI_ONNX_NAME_SIZE] = "";
  if (proto) { ssti_onnx_printable(proto->name ? proto->name : "", text, sizeof text); }
  if (proto && !name_is_free(&r->layers, text)) { ssti_onnx_printable(proto->output[0], text, sizeof text); }
  step->named = name_is_free(&r->layers, text);
  for (int i = 0; !name_is_free(&r->layers, text); i++) { snprintf(text, sizeof text, "step%d.%d", place, i); }
  SST_TRY(ssti_onnx_take(&r->onnx->arena, strlen(text) + 1, 1, &step->name));
  strcpy(step->name, text);
  return ssti_onnx_add_name(&r->layers, step->name);
}

// ---- nodes ----

static bool is_default_domain(const char *domain) { return !domain || !domain[0] || strcmp(domain, "ai.onnx") == 0; }

static void label_node(const Onnx__NodeProto *proto, int index, char label[SSTI_ONNX_NAME_SIZE]) {
  char name[80], type[48];
  ssti_onnx_printable(proto->name ? proto->name : "", name, sizeof name);
  ssti_onnx_printable(proto->op_type ? proto->op_type : "", type, sizeof type);
  if (name[0]) {
    snprintf(label, SSTI_ONNX_NAME_SIZE, "node '%s' (%s)", name, type);
  } else {
    snprintf(label, SSTI_ONNX_NAME_SIZE, "node %d (%s)", index, type);
  }
}

// Looks the inputs up. `blocked`: one of them is made by something that is not supported.
static sst_status begin_node(ssti_onnx_reader *r, const Onnx__NodeProto *proto, int index, ssti_onnx_node *node,
                             bool *blocked, bool *constant) {
  *node = (ssti_onnx_node){.reader = r, .proto = proto, .type = proto->op_type ? proto->op_type : ""};
  label_node(proto, index, node->label);
  SST_TRY(ssti_grow(r->context, &r->inputs, &r->input_capacity, proto->n_input + 1, sizeof *r->inputs));
  node->inputs = r->inputs;
  node->input_count = (int)proto->n_input;
  *blocked = false;
  *constant = true;
  for (size_t i = 0; i < proto->n_input; i++) {
    r->inputs[i] = proto->input[i][0] ? ssti_onnx_find(&r->names, proto->input[i]) : -1;
    if (r->inputs[i] < 0) { continue; }
    const ssti_onnx_value *value = &r->values[r->inputs[i]];
    if (value->kind == SSTI_ONNX_UNMADE) {
      char name[SSTI_ONNX_NAME_SIZE];
      ssti_onnx_printable(proto->input[i], name, sizeof name);
      SSTI_ONNX_FAIL(node, SST_FORMAT, "reads '%s' before it is made: the nodes are not in order, or in a circle",
                     name);
    }
    *blocked = *blocked || value->kind == SSTI_ONNX_BLOCKED;
    *constant = *constant && value->kind == SSTI_ONNX_CONSTANT;
  }
  return SST_OK;
}

static bool is_known(const char *type) {
  static const char *const constants[] = {"Constant", "ConstantOfShape", "Shape", "Gather", "Cast"};
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
    if (strcmp(constants[i], type) == 0) { return true; }
  }
  return find_lowering(type) >= 0;
}

// What one node makes, or SST_UNSUPPORTED.
static sst_status read_node(const ssti_onnx_node *node, bool blocked, bool constant, ssti_onnx_value *made) {
  ssti_onnx_reader *r = node->reader;
  const Onnx__NodeProto *proto = node->proto;
  if (!is_default_domain(proto->domain) || !is_known(node->type)) {
    SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "is not supported");
  }
  for (int i = 1; i < (int)proto->n_output; i++) {
    if (ssti_onnx_uses_output(node, i)) {
      SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "its output %d is read, expected only output 0 to be", i);
    }
  }
  if (blocked) { return SST_OK; }
  if (constant || strcmp(node->type, "Shape") == 0) {
    SST_TRY(ssti_onnx_fold(node, &made->constant));
    made->kind = SSTI_ONNX_CONSTANT;
    return SST_OK;
  }
  const int lowering = find_lowering(node->type), first = r->onnx->step_count;
  if (lowering < 0) { SSTI_ONNX_FAIL(node, SST_UNSUPPORTED, "%s", "is only supported on constants"); }
  SST_TRY(lowerings[lowering].lower(node, &made->picture));
  SST_TRY(ssti_onnx_check_picture(node, &made->picture));
  made->kind = SSTI_ONNX_PICTURE;
  for (int i = first; i < r->onnx->step_count; i++) {
    SST_TRY(name_step(r, i + 1 == r->onnx->step_count ? proto : NULL, i));
  }
  return SST_OK;
}

static sst_status read_nodes(ssti_onnx_reader *r, const Onnx__GraphProto *graph) {
  ssti_text unsupported = ssti_text_begin(r->context);
  int count = 0;
  sst_status status = SST_OK;
  for (size_t i = 0; i < graph->n_node; i++) {
    ssti_onnx_node node;
    ssti_onnx_value made = {.kind = SSTI_ONNX_BLOCKED};
    bool blocked = false, constant = false;
    const int steps = r->onnx->step_count;
    SST_TRY_GOTO(begin_node(r, graph->node[i], (int)i, &node, &blocked, &constant));
    status = read_node(&node, blocked, constant, &made);
    if (status == SST_UNSUPPORTED) { // noted; others may follow
      const char *sentence = sst_context_message(r->context) + strlen(r->file) + 2;
      ssti_text_append(&unsupported, "%s%s", count++ ? "; " : "", sentence);
      made.kind = SSTI_ONNX_BLOCKED;
      r->onnx->step_count = steps;
      status = unsupported.status;
    }
    if (status != SST_OK) { goto done; }
    for (size_t k = 0; k < graph->node[i]->n_output; k++) {
      const int place = ssti_onnx_find(&r->names, graph->node[i]->output[k]);
      if (place < 0) { continue; }
      made.uses = r->values[place].uses;
      r->values[place] = made;
    }
  }
  if (count > 0) {
    status = ssti_fail(r->context, SST_UNSUPPORTED, "%s: %d node%s cannot be imported: %s", r->file, count,
                       count == 1 ? "" : "s", unsupported.data);
  }
done:
  ssti_text_free(&unsupported);
  return status;
}

// ---- the graph's own ----

static sst_status add_value(ssti_onnx_reader *r, const char *name, const char *what) {
  if (ssti_onnx_find(&r->names, name) >= 0) {
    char printable[SSTI_ONNX_NAME_SIZE];
    ssti_onnx_printable(name, printable, sizeof printable);
    SST_FAIL(r->context, SST_FORMAT, "%s: %s makes '%s', which exists already", r->file, what, printable);
  }
  return ssti_onnx_add_name(&r->names, name);
}

static bool is_initializer(const Onnx__GraphProto *graph, const char *name) {
  for (size_t i = 0; i < graph->n_initializer; i++) {
    if (graph->initializer[i]->name && strcmp(graph->initializer[i]->name, name) == 0) { return true; }
  }
  return false;
}

// All names first: duplicates, and who reads what.
static sst_status collect_names(ssti_onnx_reader *r, const Onnx__GraphProto *graph, const Onnx__ValueInfoProto *input) {
  char label[SSTI_ONNX_NAME_SIZE];
  for (size_t i = 0; i < graph->n_initializer; i++) {
    if (!graph->initializer[i]->name) {
      SST_FAIL(r->context, SST_FORMAT, "%s: initializer %zu has no name", r->file, i);
    }
    SST_TRY(add_value(r, graph->initializer[i]->name, "an initializer"));
  }
  SST_TRY(add_value(r, input->name, "the input"));
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    label_node(node, (int)i, label);
    if (node->n_output == 0 || !node->output[0][0]) {
      SST_FAIL(r->context, SST_FORMAT, "%s: %s: makes nothing", r->file, label);
    }
    for (size_t k = 0; k < node->n_output; k++) {
      if (node->output[k][0]) { SST_TRY(add_value(r, node->output[k], label)); }
    }
  }
  SST_TRY(ssti_allocate(r->context, (size_t)r->names.count, sizeof *r->values, &r->values));
  for (size_t i = 0; i < graph->n_node; i++) {
    for (size_t k = 0; k < graph->node[i]->n_input; k++) {
      const char *name = graph->node[i]->input[k];
      if (!name[0]) { continue; }
      const int place = ssti_onnx_find(&r->names, name);
      if (place < 0) {
        char printable[SSTI_ONNX_NAME_SIZE];
        ssti_onnx_printable(name, printable, sizeof printable);
        label_node(graph->node[i], (int)i, label);
        SST_FAIL(r->context, SST_FORMAT, "%s: %s: reads '%s', which nothing makes", r->file, label, printable);
      }
      r->values[place].uses++;
    }
  }
  return SST_OK;
}

static sst_status read_initializers(ssti_onnx_reader *r, const Onnx__GraphProto *graph) {
  if (graph->n_sparse_initializer > 0) {
    SST_FAIL(r->context, SST_UNSUPPORTED, "%s: has sparse initializers, expected dense ones", r->file);
  }
  for (size_t i = 0; i < graph->n_initializer; i++) {
    char name[SSTI_ONNX_NAME_SIZE], what[SSTI_ONNX_NAME_SIZE + 16];
    ssti_onnx_printable(graph->initializer[i]->name, name, sizeof name);
    snprintf(what, sizeof what, "initializer '%s'", name);
    ssti_onnx_value *value = &r->values[ssti_onnx_find(&r->names, graph->initializer[i]->name)];
    if (value->uses == 0) { continue; } // whatever it is
    SST_TRY(ssti_onnx_tensor_read(&r->scratch, graph->initializer[i], what, &value->constant));
    value->kind = SSTI_ONNX_CONSTANT;
  }
  return SST_OK;
}

// The one input that is no initializer (files of old list those too).
static sst_status find_input(ssti_onnx_reader *r, const Onnx__GraphProto *graph, const Onnx__ValueInfoProto **out) {
  int count = 0;
  for (size_t i = 0; i < graph->n_input; i++) {
    if (!graph->input[i]->name) { SST_FAIL(r->context, SST_FORMAT, "%s: input %zu has no name", r->file, i); }
    if (is_initializer(graph, graph->input[i]->name)) { continue; }
    *out = graph->input[i];
    count++;
  }
  if (count != 1) {
    SST_FAIL(r->context, SST_UNSUPPORTED, "%s: has %d inputs, expected one, of pictures", r->file, count);
  }
  return SST_OK;
}

static sst_status read_input(ssti_onnx_reader *r, const Onnx__ValueInfoProto *input) {
  sst_context *context = r->context;
  char name[SSTI_ONNX_NAME_SIZE];
  ssti_onnx_printable(input->name, name, sizeof name);
  const Onnx__TypeProto *type = input->type;
  const bool tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type->shape;
  const size_t rank = tensor ? type->tensor_type->shape->n_dim : 0;
  if (rank != 2 && rank != 4) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: input '%s' has %zu axes, expected [N,C,H,W], [N,H,W,C] or [N,F]", r->file,
             name, rank);
  }
  int64_t dim[4];
  for (size_t i = 0; i < rank; i++) {
    const Onnx__TensorShapeProto__Dimension *d = type->tensor_type->shape->dim[i];
    const bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;
    dim[i] = fixed ? d->dim_value : SSTI_ONNX_ANY_BATCH;
    if (i > 0 && (!fixed || dim[i] > SSTI_ONNX_MAX_LENGTH)) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "%s: axis %zu of input '%s' has no fixed length of 1..%d; export the model with"
               " fixed height, width and channels",
               r->file, i, name, (int)SSTI_ONNX_MAX_LENGTH);
    }
  }
  if (dim[0] > SSTI_ONNX_ANY_BATCH) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: input '%s' has a batch of %" PRId64, r->file, name, dim[0]);
  }
  ssti_onnx_value *value = &r->values[ssti_onnx_find(&r->names, input->name)];
  ssti_onnx_picture *p = &value->picture;
  value->kind = SSTI_ONNX_PICTURE;
  *p = (ssti_onnx_picture){.step = SSTI_ONNX_INPUT, .activation = -1, .length = {dim[0], 1, 1, 1}};
  if (rank == 2) {
    ssti_onnx_set_rows(p, 2, dim[1]);
  } else {
    ssti_onnx_set_nchw(p);
    const bool channels_last = dim[3] <= 4 && dim[1] > 4;
    if (channels_last) {
      const ssti_onnx_axis channels = p->axis[1];
      p->axis[1] = p->axis[2];
      p->axis[2] = p->axis[3];
      p->axis[3] = channels;
    }
    for (int i = 1; i < 4; i++) { p->length[p->axis[i].atom[0]] = dim[i]; }
  }
  r->onnx->info.rows = rank == 2;
  r->onnx->info.height = p->length[SSTI_ONNX_H];
  r->onnx->info.width = p->length[SSTI_ONNX_W];
  r->onnx->info.channels = p->length[SSTI_ONNX_C];
  const ssti_onnx_node label = {.reader = r, .label = "the input"};
  return ssti_onnx_check_picture(&label, p);
}

static sst_status read_output(ssti_onnx_reader *r, const Onnx__GraphProto *graph) {
  sst_onnx *onnx = r->onnx;
  const ssti_onnx_value *value = &r->values[ssti_onnx_find(&r->names, graph->output[0]->name)];
  const ssti_onnx_picture *p = &value->picture;
  char text[128];
  if (value->kind != SSTI_ONNX_PICTURE || p->step < 0) {
    SST_FAIL(r->context, SST_FORMAT, "%s: the output does not depend on the input, expected a network", r->file);
  }
  if (p->rank < 1 || !ssti_onnx_axis_is(p, 0, SSTI_ONNX_N) || p->length[SSTI_ONNX_H] * p->length[SSTI_ONNX_W] != 1) {
    SST_FAIL(r->context, SST_UNSUPPORTED, "%s: the output is %s, expected [N,classes]", r->file,
             ssti_onnx_picture_text(p, text));
  }
  onnx->info.classes = p->length[SSTI_ONNX_C];
  onnx->output = onnx->logits = p->step;
  const ssti_onnx_step *last = &onnx->steps[p->step];
  if ((last->kind == SSTI_ONNX_SOFTMAX || last->kind == SSTI_ONNX_LOG_SOFTMAX) && last->inputs[0] >= 0) {
    onnx->logits = last->inputs[0];
  }
  if (onnx->features < 0) { onnx->features = p->activation; }
  return SST_OK;
}

static sst_status read_opset(ssti_onnx_reader *r, const Onnx__ModelProto *model) {
  enum { FIRST_OPSET = 8, LAST_OPSET = 17 };
  for (size_t i = 0; i < model->n_opset_import; i++) {
    if (is_default_domain(model->opset_import[i]->domain)) { r->opset = model->opset_import[i]->version; }
  }
  if (r->opset < FIRST_OPSET || r->opset > LAST_OPSET) {
    SST_FAIL(r->context, SST_UNSUPPORTED, "%s: is of opset %" PRId64 ", expected %d..%d", r->file, r->opset,
             FIRST_OPSET, LAST_OPSET);
  }
  r->onnx->info.opset = r->opset;
  char producer[64];
  ssti_onnx_printable(model->producer_name ? model->producer_name : "", producer, sizeof producer);
  char *copy = NULL;
  SST_TRY(ssti_onnx_take(&r->onnx->arena, strlen(producer) + 1, 1, &copy));
  strcpy(copy, producer);
  r->onnx->info.producer = copy;
  return SST_OK;
}

sst_status ssti_onnx_lower(ssti_onnx_reader *reader, const Onnx__ModelProto *model) {
  const Onnx__GraphProto *graph = model->graph;
  const Onnx__ValueInfoProto *input = NULL;
  if (!graph || graph->n_node == 0) { SST_FAIL(reader->context, SST_FORMAT, "%s: holds no graph", reader->file); }
  if (graph->n_node > SSTI_ONNX_MAX_NODES || graph->n_initializer > SSTI_ONNX_MAX_NODES ||
      graph->n_input > SSTI_ONNX_MAX_NODES) {
    SST_FAIL(reader->context, SST_UNSUPPORTED,
             "%s: has %zu nodes, %zu initializers and %zu inputs, expected at most %d", reader->file, graph->n_node,
             graph->n_initializer, graph->n_input, (int)SSTI_ONNX_MAX_NODES);
  }
  SST_TRY(read_opset(reader, model));
  SST_TRY(find_input(reader, graph, &input));
  SST_TRY(collect_names(reader, graph, input));
  if (graph->n_output != 1 || !graph->output[0]->name || ssti_onnx_find(&reader->names, graph->output[0]->name) < 0) {
    SST_FAIL(reader->context, SST_UNSUPPORTED, "%s: has %zu outputs%s, expected one, the classes", reader->file,
             graph->n_output, graph->n_output == 1 ? " that nothing makes" : "");
  }
  reader->values[ssti_onnx_find(&reader->names, graph->output[0]->name)].uses++;
  SST_TRY(read_initializers(reader, graph));
  SST_TRY(read_input(reader, input));
  SST_TRY(read_nodes(reader, graph));
  reader->onnx->info.layers = reader->onnx->step_count;
  return read_output(reader, graph);
}
