// SPDX-License-Identifier: Apache-2.0
// Named layer lists. All of them take 28x28x1 and 32x32x3 pictures; residual networks have the 3x3 stem of the CIFAR
// variants. Where nothing else is said a norm and an activation follow each convolution.
//
//     vgg11     64-P-128-P-256-256-P-512-512-P-512-512-G-FC
//     vgg16     64-64-P-128-128-P-256-256-256-P-512-512-512-P-512-512-512-G-FC
//
// G, a mean over what is left of height and width, stands where the published networks have their fifth 2x2 pooling: on
// 32x32 pictures it is the same thing, on 28x28 ones, of which four poolings leave a single pixel, it still works.
#include <math.h>

#include "base/memory.h"
#include "spikestill/model.h"

typedef struct layer_list {
  sst_context *context;
  const sst_builder_options *options;
  sst_layer *layers;
  size_t capacity;
  int count;
  sst_status status; // the first failure; later additions do nothing
} layer_list;

static void add_layer(layer_list *list, sst_layer layer) {
  if (list->status != SST_OK) { return; }
  list->status = ssti_grow(list->context, &list->layers, &list->capacity, (size_t)list->count + 1, sizeof layer);
  if (list->status == SST_OK) { list->layers[list->count++] = layer; }
}

static void add(layer_list *list, sst_layer_kind kind) { add_layer(list, sst_layer_default(kind)); }

// A hidden width times the option `width`, rounded.
static int64_t scaled(const layer_list *list, int64_t width) {
  double product = floor((double)width * list->options->width + 0.5);
  return product < 1.0 ? 1 : (int64_t)product;
}

static void add_conv(layer_list *list, int64_t out) {
  sst_layer layer = sst_layer_default(SST_LAYER_CONV);
  layer.out = scaled(list, out);
  add_layer(list, layer);
}

static void add_conv_norm_act(layer_list *list, int64_t out) {
  add_conv(list, out);
  add(list, SST_LAYER_NORM);
  add(list, SST_LAYER_ACTIVATION);
}

static void add_linear(layer_list *list, int64_t out) {
  sst_layer layer = sst_layer_default(SST_LAYER_LINEAR);
  layer.out = scaled(list, out);
  add_layer(list, layer);
}

static void add_pool(layer_list *list) {
  add(list, list->options->max_pool ? SST_LAYER_MAX_POOL : SST_LAYER_AVERAGE_POOL);
}

// The last linear layer, with as many outputs as there are classes, behind the dropout.
static void add_head(layer_list *list) {
  if (list->options->dropout > 0.0f) {
    sst_layer layer = sst_layer_default(SST_LAYER_DROPOUT);
    layer.rate = list->options->dropout;
    add_layer(list, layer);
  }
  add(list, SST_LAYER_LINEAR);
}

static void build_mlp(layer_list *list) {
  add_linear(list, list->options->hidden > 0 ? list->options->hidden : 800);
  add(list, SST_LAYER_NORM);
  add(list, SST_LAYER_ACTIVATION);
  add_head(list);
}

static void build_cnn(layer_list *list) {
  add_conv_norm_act(list, 32);
  add_pool(list);
  add_conv_norm_act(list, 64);
  add_pool(list);
  add_linear(list, 256);
  add(list, SST_LAYER_ACTIVATION);
  add_head(list);
}

// Convolutions and poolings of a VGG network: 0 is a pooling, -1 the mean over height and width.
static void add_vgg(layer_list *list, const int *plan, int count) {
  for (int i = 0; i < count; i++) {
    if (plan[i] > 0) {
      add_conv_norm_act(list, plan[i]);
    } else if (plan[i] == 0) {
      add_pool(list);
    } else {
      add(list, SST_LAYER_GLOBAL_POOL);
    }
  }
}

static void build_vgg9(layer_list *list) {
  static const int plan[] = {64, 64, 0, 128, 128, 0, 256, 256, 0};
  add_vgg(list, plan, sizeof plan / sizeof *plan);
  add_linear(list, 1024);
  add(list, SST_LAYER_NORM);
  add(list, SST_LAYER_ACTIVATION);
  add_head(list);
}

static void build_vgg11(layer_list *list) {
  static const int plan[] = {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, -1};
  add_vgg(list, plan, sizeof plan / sizeof *plan);
  add_head(list);
}

static void build_vgg16(layer_list *list) {
  static const int plan[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, -1};
  add_vgg(list, plan, sizeof plan / sizeof *plan);
  add_head(list);
}

// One stage a pair (width, blocks); each but the first begins with stride 2. `features`: width of a linear layer with
// activation in front of the head; 0: none.
static void build_resnet(layer_list *list, const int (*stages)[2], int count, int features) {
  bool ms = list->options->form == SST_BLOCK_FORM_MS;
  add_conv(list, stages[0][0]);
  add(list, SST_LAYER_NORM);
  // An MS block begins with its own activation and hands on currents, so the stem has none and the head needs one.
  if (!ms) { add(list, SST_LAYER_ACTIVATION); }
  for (int stage = 0; stage < count; stage++) {
    for (int i = 0; i < stages[stage][1]; i++) {
      sst_layer layer = sst_layer_default(SST_LAYER_BLOCK);
      layer.out = scaled(list, stages[stage][0]);
      layer.stride = stage > 0 && i == 0 ? 2 : 1;
      layer.form = list->options->form;
      add_layer(list, layer);
    }
  }
  if (ms) { add(list, SST_LAYER_ACTIVATION); }
  add(list, SST_LAYER_GLOBAL_POOL);
  if (features > 0) {
    add_linear(list, features);
    add(list, SST_LAYER_ACTIVATION);
  }
  add_head(list);
}

static void build_resnet8(layer_list *list) {
  static const int stages[][2] = {{16, 1}, {32, 1}, {64, 1}};
  build_resnet(list, stages, 3, 0);
}

static void build_resnet18(layer_list *list) {
  static const int stages[][2] = {{64, 2}, {128, 2}, {256, 2}, {512, 2}};
  build_resnet(list, stages, 4, 0);
}

static void build_resnet19(layer_list *list) { // Zheng et al. 2021, table 1
  static const int stages[][2] = {{128, 3}, {256, 3}, {512, 2}};
  build_resnet(list, stages, 3, 256);
}

static void build_resnet20(layer_list *list) {
  static const int stages[][2] = {{16, 3}, {32, 3}, {64, 3}};
  build_resnet(list, stages, 3, 0);
}

static void build_resnet34(layer_list *list) {
  static const int stages[][2] = {{64, 3}, {128, 4}, {256, 6}, {512, 3}};
  build_resnet(list, stages, 4, 0);
}

sst_builder_options sst_builder_default(void) {
  return (sst_builder_options){.width = 1.0, .hidden = 0, .form = SST_BLOCK_FORM_BASIC};
}

static sst_status check_options(sst_context *context, sst_builder_kind kind, const sst_builder_options *options) {
  if ((unsigned)kind >= SST_BUILDER_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "there is no builder %d; builders are 0..%d", (int)kind,
             SST_BUILDER_COUNT - 1);
  }
  const char *word = sst_builder_word(kind);
  if (!(options->width > 0.0 && options->width <= 64.0)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: width is %g, but must lie above 0 and be at most 64", word,
             options->width);
  }
  if (options->hidden < 0 || options->hidden > 1 << 20) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: hidden is %lld, but must lie in 0..%d", word,
             (long long)options->hidden, 1 << 20);
  }
  if (!(options->dropout >= 0.0f && options->dropout < 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: dropout is %g, but must lie in 0..1, 1 excluded", word,
             (double)options->dropout);
  }
  if ((unsigned)options->form >= SST_BLOCK_FORM_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s: there is no block form %d; forms are 0..%d", word, (int)options->form,
             SST_BLOCK_FORM_COUNT - 1);
  }
  return SST_OK;
}

sst_status sst_builder_layers(sst_context *context, sst_builder_kind kind, const sst_builder_options *options,
                              sst_layer **layers, int *count) {
  static void (*const build[])(layer_list *) = {
      [SST_BUILDER_MLP] = build_mlp,           [SST_BUILDER_CNN] = build_cnn,
      [SST_BUILDER_VGG9] = build_vgg9,         [SST_BUILDER_VGG11] = build_vgg11,
      [SST_BUILDER_VGG16] = build_vgg16,       [SST_BUILDER_RESNET8] = build_resnet8,
      [SST_BUILDER_RESNET18] = build_resnet18, [SST_BUILDER_RESNET19] = build_resnet19,
      [SST_BUILDER_RESNET20] = build_resnet20, [SST_BUILDER_RESNET34] = build_resnet34,
  };
  *layers = NULL;
  *count = 0;
  SST_TRY(check_options(context, kind, options));
  layer_list list = {.context = context, .options = options};
  build[kind](&list);
  if (list.status != SST_OK) {
    ssti_free(context, list.layers);
    return list.status;
  }
  *layers = list.layers;
  *count = list.count;
  return SST_OK;
}

void sst_layers_free(sst_context *context, sst_layer *layers) { ssti_free(context, layers); }
