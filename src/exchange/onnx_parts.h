// SPDX-License-Identifier: Apache-2.0
// What the files of the ONNX import share. The way of a file:
//   onnx_wire.c     bytes -> messages of the schema; depth and memory bounded before anything is unpacked
//   onnx_tensor.c   constants: types, sizes, reading from the file
//   onnx_node.c     a node's attributes and inputs, with sentences that name it
//   onnx_fold.c     nodes of constants -> constants
//   onnx_layout.c   where the axes of the file's tensors lie in ours
//   onnx_lower*.c   nodes of pictures -> steps: layers in our layout, with their numbers
//   onnx_build.c    steps -> graph
//   onnx_spiking.c  whether spikes may take the place of activations
#ifndef SPIKESTILL_EXCHANGE_ONNX_PARTS_H
#define SPIKESTILL_EXCHANGE_ONNX_PARTS_H

#include <inttypes.h>
#include <onnx.pb-c.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "spikestill/onnx.h"
#include "spikestill/ops.h"

enum {
  SSTI_ONNX_MAX_RANK = 8,
  SSTI_ONNX_MAX_LENGTH = 1 << 20,   // of an axis of pictures
  SSTI_ONNX_MAX_ELEMENTS = 1 << 28, // of one picture's tensor
  SSTI_ONNX_MAX_NODES = 1 << 14,
  SSTI_ONNX_NAME_SIZE = 200,
  SSTI_ONNX_ANY_BATCH = 1000003 // stands for a batch size that the file leaves open: a prime that no layer has
};

// ---- memory: blocks that are given back together, within a budget that the file's size sets ----

typedef struct ssti_onnx_arena {
  sst_context *context;
  const char *file; // for messages
  void **blocks;
  size_t capacity;
  int count;
  uint64_t used, budget; // bytes
} ssti_onnx_arena;
sst_status ssti_onnx_take(ssti_onnx_arena *arena, size_t count, size_t size, void *out);
void ssti_onnx_arena_end(ssti_onnx_arena *arena);

// ---- wire ----

// Unpacks `data`. The allocator must live as long as the model; both are given back by ssti_onnx_wire_end.
typedef struct ssti_onnx_wire {
  sst_context *context;
  uint64_t used, budget; // bytes of unpacked messages
  bool no_memory;        // the context had none
  ProtobufCAllocator allocator;
  Onnx__ModelProto *model;
} ssti_onnx_wire;
sst_status ssti_onnx_wire_read(sst_context *context, const char *file, const void *data, size_t size,
                               ssti_onnx_wire *out);
void ssti_onnx_wire_end(ssti_onnx_wire *wire);

// ---- constants ----

typedef struct ssti_onnx_tensor {
  int rank;
  int64_t dim[SSTI_ONNX_MAX_RANK];
  int64_t count;
  float *reals;      // of float, double and float16 tensors
  int64_t *integers; // of integer and bool tensors; one of the two is set
} ssti_onnx_tensor;

// A tensor of that shape; its numbers are zero. Errors: too many elements.
sst_status ssti_onnx_tensor_make(ssti_onnx_arena *arena, bool reals, int rank, const int64_t *dim,
                                 ssti_onnx_tensor **out);
// The numbers of a message. `what` begins sentences ("initializer 'w'").
sst_status ssti_onnx_tensor_read(ssti_onnx_arena *arena, const Onnx__TensorProto *from, const char *what,
                                 ssti_onnx_tensor **out);
double ssti_onnx_number(const ssti_onnx_tensor *t, int64_t index);
void ssti_onnx_set_number(ssti_onnx_tensor *t, int64_t index, double value);
// Elements from one position of an axis to the next.
int64_t ssti_onnx_stride(const ssti_onnx_tensor *t, int axis);

// ---- layouts ----

// The axes of ours that can carry something; their order in memory is this one.
typedef enum ssti_onnx_atom { SSTI_ONNX_N, SSTI_ONNX_H, SSTI_ONNX_W, SSTI_ONNX_C, SSTI_ONNX_ATOMS } ssti_onnx_atom;

// One axis of the file's tensor: our axes that it runs over, the slowest first. [N,C*H*W] after Flatten is {N},
// {C,H,W}.
typedef struct ssti_onnx_axis {
  int count;
  ssti_onnx_atom atom[SSTI_ONNX_ATOMS];
} ssti_onnx_axis;

// Pictures on their way: which step makes them, how large they are, and how the file sees them.
typedef struct ssti_onnx_picture {
  int step;                        // -1: the input
  int64_t length[SSTI_ONNX_ATOMS]; // of our axes; N: the file's batch size or SSTI_ONNX_ANY_BATCH
  int rank;
  ssti_onnx_axis axis[SSTI_ONNX_MAX_RANK];
  int activation; // the last activation's step on the way here, -1: none
} ssti_onnx_picture;

int64_t ssti_onnx_axis_length(const ssti_onnx_picture *p, int axis);
// Whether the axis runs over that one of ours and nothing else of length above 1 (of length 1: over nothing else).
bool ssti_onnx_axis_is(const ssti_onnx_picture *p, int axis, ssti_onnx_atom atom);
// The one of our axes that the file's axis is, for ops that change its length; false if it is not one.
bool ssti_onnx_axis_single(const ssti_onnx_picture *p, int axis, ssti_onnx_atom *out);
// Whether the axes are [N,C,H,W].
bool ssti_onnx_is_nchw(const ssti_onnx_picture *p);
void ssti_onnx_set_nchw(ssti_onnx_picture *p);
void ssti_onnx_set_rows(ssti_onnx_picture *p, int rank, int64_t features);
// Groups the same elements into other axes. False if an axis of ours would be cut or N joined with another.
bool ssti_onnx_regroup(ssti_onnx_picture *p, int rank, const int64_t *dim);
// Sets `shape` to that of a constant in our layout which broadcasts to `p`, and writes its numbers into `out` (if not
// NULL) at their places there. False if it does not broadcast so.
bool ssti_onnx_place_constant(const ssti_onnx_picture *p, const ssti_onnx_tensor *t, sst_shape *shape, float *out);
// Position inside the file's axis (the order of `axis`) of the element that lies at (h, w, c).
int64_t ssti_onnx_position(const ssti_onnx_picture *p, int axis, int64_t h, int64_t w, int64_t c);
const char *ssti_onnx_picture_text(const ssti_onnx_picture *p, char text[128]);

// ---- steps ----

typedef enum ssti_onnx_step_kind {
  SSTI_ONNX_CONV,
  SSTI_ONNX_LINEAR, // flattens first
  SSTI_ONNX_NORM,
  SSTI_ONNX_ACTIVATION,
  SSTI_ONNX_CLIP,
  SSTI_ONNX_MAX_POOL,
  SSTI_ONNX_AVERAGE_POOL,
  SSTI_ONNX_MEAN,
  SSTI_ONNX_MAX,
  SSTI_ONNX_ADD,
  SSTI_ONNX_SUBTRACT,
  SSTI_ONNX_MULTIPLY,
  SSTI_ONNX_DIVIDE,
  SSTI_ONNX_AFFINE,
  SSTI_ONNX_FUNCTION,
  SSTI_ONNX_SOFTMAX,
  SSTI_ONNX_LOG_SOFTMAX,
  SSTI_ONNX_PAD,
  SSTI_ONNX_SLICE,
  SSTI_ONNX_CONCAT
} ssti_onnx_step_kind;

// An input of a step: the network's input, another step's output, or a parameter of its own.
enum { SSTI_ONNX_INPUT = -1, SSTI_ONNX_PARAMETER = -2 };

typedef struct ssti_onnx_parameter {
  const char *suffix; // "weight"
  sst_shape shape;
  sst_parameter_kind kind;
  float *data;
} ssti_onnx_parameter;

enum { SSTI_ONNX_MAX_PARAMETERS = 4 };

typedef struct ssti_onnx_step {
  ssti_onnx_step_kind kind;
  const char *type; // the operator that it is of, static
  char *name;       // of the layer: unique
  bool named;       // the name is of the file: it becomes a tap
  int *inputs;      // [input_count] SSTI_ONNX_INPUT, SSTI_ONNX_PARAMETER or a step before this one
  int input_count;
  ssti_onnx_parameter parameter[SSTI_ONNX_MAX_PARAMETERS];
  int parameter_count;
  int stage; // its output is the tap "stage<k>"; 0: none
  union {
    sst_conv2d_options conv;
    sst_batch_norm_options norm;
    sst_pool_options pool;
    sst_pad_options pad;
    sst_slice_options slice;
    struct {
      float low, high; // activation and clip; affine: factor, offset
    } number;
    int axes;      // mean, max
    sst_axis axis; // concat
    sst_value (*function)(sst_graph *graph, sst_value x);
  } as;
} ssti_onnx_step;

struct sst_onnx {
  sst_context *context;
  ssti_onnx_arena arena; // of what stays: steps, names, numbers
  sst_onnx_info info;
  ssti_onnx_step *steps;
  size_t step_capacity;
  int step_count;
  int output, logits; // steps
  int features;       // step or -1
};

// ---- lowering ----

// A set of names, each with its place (0, 1, ...): open addressing. Names are borrowed.
typedef struct ssti_onnx_names {
  sst_context *context;
  const char **name;
  size_t capacity;
  int count;
  int *slots; // place + 1
  size_t slot_count;
} ssti_onnx_names;
int ssti_onnx_find(const ssti_onnx_names *names, const char *name); // -1: it is not there
sst_status ssti_onnx_add_name(ssti_onnx_names *names, const char *name);
void ssti_onnx_names_end(ssti_onnx_names *names);

// A value of the file while it is read.
typedef struct ssti_onnx_value {
  enum {
    SSTI_ONNX_UNMADE, // by a node that has not come yet
    SSTI_ONNX_CONSTANT,
    SSTI_ONNX_PICTURE,
    SSTI_ONNX_BLOCKED // by what is not supported
  } kind;
  ssti_onnx_tensor *constant;
  ssti_onnx_picture picture;
  int uses; // by nodes and as output
} ssti_onnx_value;

typedef struct ssti_onnx_reader {
  sst_context *context;
  const char *file;
  sst_onnx *onnx;
  ssti_onnx_arena scratch; // of what ends with the reading
  const sst_onnx_options *options;
  int64_t opset;
  ssti_onnx_names names;   // of all values
  ssti_onnx_value *values; // [names.count]
  ssti_onnx_names layers;  // names that steps have
  int *inputs;             // of the node at hand
  size_t input_capacity;
  int64_t last_area; // height times width before the last reduction that ended a stage
  int stage_count;
} ssti_onnx_reader;

// The node at hand, with its inputs looked up.
typedef struct ssti_onnx_node {
  ssti_onnx_reader *reader;
  const Onnx__NodeProto *proto;
  const char *type;
  char label[SSTI_ONNX_NAME_SIZE]; // printable: "node 'conv1' (Conv)"
  int input_count;
  const int *inputs; // places in reader->values; -1: left out
} ssti_onnx_node;

#define SSTI_ONNX_FAIL(node, status, format, ...)                                                                      \
  SST_FAIL((node)->reader->context, status, "%s: %s: " format, (node)->reader->file, (node)->label, __VA_ARGS__)

// Copies the text with what is not printable ASCII (and quotes, backslashes) replaced by '_'.
void ssti_onnx_printable(const char *from, char *to, size_t size);

// Attributes; the default where it is missing. Errors: FORMAT for one of another type or out of range.
sst_status ssti_onnx_int(const ssti_onnx_node *node, const char *name, int64_t value, int64_t low, int64_t high,
                         int64_t *out);
sst_status ssti_onnx_float(const ssti_onnx_node *node, const char *name, float value, float *out);
// At most `most` integers; *count 0 where it is missing.
sst_status ssti_onnx_ints(const ssti_onnx_node *node, const char *name, int most, int64_t *out, int *count);
sst_status ssti_onnx_word(const ssti_onnx_node *node, const char *name, const char *value, char out[32]);
const Onnx__AttributeProto *ssti_onnx_attribute(const ssti_onnx_node *node, const char *name);
// The axes: an attribute up to some opset, an input (its place) from it on. *count -1 where they are missing.
sst_status ssti_onnx_axes(const ssti_onnx_node *node, int64_t input_from, int input, int rank, int *axes, int *count);
// -rank..rank-1 to 0..rank-1.
sst_status ssti_onnx_normal_axis(const ssti_onnx_node *node, int64_t axis, int rank, int *out);

// An input that must be there.
sst_status ssti_onnx_need(const ssti_onnx_node *node, int index, ssti_onnx_value **out);
// An input that must be pictures, or a constant.
sst_status ssti_onnx_need_picture(const ssti_onnx_node *node, int index, ssti_onnx_picture **out);
sst_status ssti_onnx_need_constant(const ssti_onnx_node *node, int index, bool reals, ssti_onnx_tensor **out);
bool ssti_onnx_has_input(const ssti_onnx_node *node, int index);
bool ssti_onnx_uses_output(const ssti_onnx_node *node, int index);
// Integers of a constant input, at most `most`.
sst_status ssti_onnx_integers(const ssti_onnx_node *node, int index, int most, int64_t *out, int *count);

// Where Reshape, Flatten, Squeeze and Unsqueeze lead from dimensions [rank]; 0 and -1 resolved.
sst_status ssti_onnx_new_dims(const ssti_onnx_node *node, int rank, const int64_t *dim, int *new_rank,
                              int64_t new_dim[SSTI_ONNX_MAX_RANK]);
// One axis of Slice: first >= 0, count, step.
typedef struct ssti_onnx_range {
  int64_t first, count, step;
} ssti_onnx_range;
// Ranges for all axes of a value with those dimensions.
sst_status ssti_onnx_slice_ranges(const ssti_onnx_node *node, int rank, const int64_t *dim,
                                  ssti_onnx_range ranges[SSTI_ONNX_MAX_RANK]);
sst_status ssti_onnx_permutation(const ssti_onnx_node *node, int rank, int perm[SSTI_ONNX_MAX_RANK]);

// Folds a node whose inputs are all constants (Shape: pictures too). Errors: UNSUPPORTED for an operator it does not
// know.
sst_status ssti_onnx_fold(const ssti_onnx_node *node, ssti_onnx_tensor **out);

// Makes pictures of a node; one function a group of operators. The table is in onnx_lower.c.
typedef sst_status ssti_onnx_lowering(const ssti_onnx_node *node, ssti_onnx_picture *out);
ssti_onnx_lowering ssti_onnx_lower_conv, ssti_onnx_lower_gemm, ssti_onnx_lower_matmul, ssti_onnx_lower_batch_norm,
    ssti_onnx_lower_pool, ssti_onnx_lower_global_pool, ssti_onnx_lower_mean, ssti_onnx_lower_activation,
    ssti_onnx_lower_clip, ssti_onnx_lower_function, ssti_onnx_lower_binary, ssti_onnx_lower_softmax,
    ssti_onnx_lower_pad, ssti_onnx_lower_slice, ssti_onnx_lower_concat, ssti_onnx_lower_reshape,
    ssti_onnx_lower_transpose, ssti_onnx_lower_identity;

// Adds a step on `x`, to be filled in; its output gets x's activation.
sst_status ssti_onnx_add_step(const ssti_onnx_node *node, ssti_onnx_step_kind kind, const ssti_onnx_picture *x,
                              ssti_onnx_step **out);
// Gives the step a parameter, whose numbers are zero at first.
sst_status ssti_onnx_add_parameter(const ssti_onnx_node *node, ssti_onnx_step *step, const char *suffix,
                                   sst_shape shape, sst_parameter_kind kind, float **data);
// Notes that `x` is reduced in height and width here, for the taps "stage<k>".
void ssti_onnx_note_reduction(const ssti_onnx_node *node, const ssti_onnx_picture *x, const ssti_onnx_picture *y);
// y = scale * x + offset per output channel, put into the weights of the layer that makes x if it is a convolution or
// linear layer that nothing else reads; false if not.
bool ssti_onnx_absorb(const ssti_onnx_node *node, int input, const float *scale, const float *offset, int64_t channels,
                      sst_status *status);
sst_status ssti_onnx_check_picture(const ssti_onnx_node *node, const ssti_onnx_picture *p);

// Reads the whole model into reader->onnx.
sst_status ssti_onnx_lower(ssti_onnx_reader *reader, const Onnx__ModelProto *model);

#endif
