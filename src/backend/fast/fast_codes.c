// SPDX-License-Identifier: Apache-2.0
// Convolutions of codes in 8-bit integers by oneDNN, linear layers as convolutions of single pixels. Inputs are bytes,
// so many 16ths each: spikes of 0 and 1, and averages of up to sixteen. Sums of 32 bits are exact, and so is their way
// to f32 up to 2^24 sixteenths: then every order of additions in f32 gives the same number.
//
// Bytes are at most 127: two products fit into 16 bits, in which CPUs without VNNI add them up, saturating.
#include "backend/fast/fast_codes.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum { CHUNKS = 64, GRAIN_ELEMENTS = 65536, STEPS_OF_ONE = 16, LEAST_CHANNELS = 32, LEAST_POSITIONS = 256 };

struct ssti_codes {
  ssti_dnnl conv, weights; // the latter brings codes into the layout and type of the former
  size_t input_bytes, weight_bytes, scratch;
  int64_t inputs; // elements
  ssti_type type; // of the inputs
};

// Whether a pass is in integers is decided for all its images together, so not where the shape is settled.
static bool is_suited(const ssti_conv2d *s) {
  if (s->settled) { return false; }
  if (s->code_bits < SST_MIN_BITS || s->code_bits > SST_MAX_WEIGHT_BITS || s->out_type != SSTI_F32) { return false; }
  const int64_t largest_product = (int64_t)SSTI_LARGEST_BYTE * ((1 << (s->code_bits - 1)) - 1);
  return s->groups == 1 && s->kernel_h * s->kernel_w * s->in_c <= INT32_MAX / largest_product;
}

// Measured: below that, bringing input and weights into bytes takes what the products gain.
static bool is_worth(const ssti_conv2d *s) {
  return s->in_c >= LEAST_CHANNELS && s->images * s->out_h * s->out_w >= LEAST_POSITIONS;
}

static sst_status make(ssti_backend *backend, const ssti_conv2d *s, ssti_codes *codes, bool *made) {
  const dnnl_dims_t from = {s->images, s->in_c, s->in_h, s->in_w}, to = {s->images, s->out_c, s->out_h, s->out_w};
  const dnnl_dims_t filter = {s->out_c, s->in_c, s->kernel_h, s->kernel_w};
  const dnnl_dims_t strides = {s->kernel_h * s->kernel_w * s->in_c, 1, s->kernel_w * s->in_c, s->in_c};
  const dnnl_dims_t stride = {s->stride_h, s->stride_w}, dilation = {s->dilation_h - 1, s->dilation_w - 1};
  const dnnl_dims_t pad = {s->pad_h, s->pad_w};
  dnnl_memory_desc_t source, target, ours, any;
  (void)dnnl_memory_desc_init_by_tag(&source, 4, from, dnnl_u8, dnnl_nhwc);
  (void)dnnl_memory_desc_init_by_tag(&target, 4, to, dnnl_f32, dnnl_nhwc);
  (void)dnnl_memory_desc_init_by_strides(&ours, 4, filter, dnnl_f32, strides);
  (void)dnnl_memory_desc_init_by_tag(&any, 4, filter, dnnl_s8, dnnl_format_tag_any);
  dnnl_convolution_desc_t operation;
  *made =
      dnnl_dilated_convolution_forward_desc_init(&operation, dnnl_forward_inference, dnnl_convolution_direct, &source,
                                                 &any, NULL, &target, stride, dilation, pad, pad) == dnnl_success;
  if (!*made) { return SST_OK; }
  const ssti_dnnl_recipe recipe = {.operation = &operation, .scale = 1.0f / STEPS_OF_ONE};
  dnnl_primitive_desc_t description = NULL;
  SST_TRY(ssti_dnnl_make(backend, &recipe, &codes->conv, made, &description));
  if (!*made) { return SST_OK; }
  const dnnl_memory_desc_t *theirs = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
  codes->weight_bytes = ssti_fast_round_up(dnnl_memory_desc_get_size(theirs));
  sst_status status = ssti_dnnl_add_argument(backend, &codes->conv, DNNL_ARG_DST, &target);
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, &codes->conv, DNNL_ARG_SRC, &source); }
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, &codes->conv, DNNL_ARG_WEIGHTS, theirs); }
  if (status == SST_OK) { status = ssti_dnnl_add_scratchpad(backend, &codes->conv); }
  if (status == SST_OK) { status = ssti_dnnl_make_reorder(backend, &ours, theirs, &codes->weights, made); }
  (void)dnnl_primitive_desc_destroy(description);
  return status;
}

sst_status ssti_codes_create(ssti_backend *backend, const ssti_conv2d *s, double crossover, ssti_codes **out) {
  *out = NULL;
  if (!is_suited(s) || (crossover >= 0.0 && !is_worth(s))) { return SST_OK; }
  ssti_codes *codes = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *codes, &codes));
  codes->inputs = s->images * s->in_h * s->in_w * s->in_c;
  codes->input_bytes = ssti_fast_round_up((size_t)codes->inputs);
  codes->type = s->in_type;
  bool made = false;
  const sst_status status = make(backend, s, codes, &made);
  if (status != SST_OK || !made) {
    ssti_codes_destroy(backend, codes);
    return status;
  }
  codes->scratch = ssti_fast_round_up(ssti_larger_size(codes->conv.scratchpad, codes->weights.scratchpad));
  *out = codes;
  return SST_OK;
}

void ssti_codes_destroy(ssti_backend *backend, ssti_codes *codes) {
  if (codes == NULL) { return; }
  ssti_dnnl_end(&codes->conv);
  ssti_dnnl_end(&codes->weights);
  ssti_free(backend->context, codes);
}

size_t ssti_codes_workspace(const ssti_codes *codes) {
  return codes->input_bytes + codes->weight_bytes + codes->scratch;
}

typedef struct bytes_work {
  const ssti_simd *simd;
  const ssti_codes *codes;
  const void *x;
  uint8_t *bytes;
  bool odd[CHUNKS]; // not on the grid
} bytes_work;

static void bytes_range(void *arg, int64_t begin, int64_t end) {
  bytes_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * w->codes->inputs / CHUNKS, count = (i + 1) * w->codes->inputs / CHUNKS - first;
    w->odd[i] = w->codes->type == SSTI_BF16
                    ? !w->simd->to_bytes_bf16(count, (const ssti_bf16 *)w->x + first, STEPS_OF_ONE, w->bytes + first)
                    : !w->simd->to_bytes(count, (const float *)w->x + first, STEPS_OF_ONE, w->bytes + first);
  }
}

bool ssti_codes_run(ssti_backend *backend, ssti_codes *codes, const void *x, const float *weight, float *y,
                    void *workspace) {
  char *bytes = workspace, *weights = bytes + codes->input_bytes, *scratch = weights + codes->weight_bytes;
  bytes_work work = {
      .simd = &ssti_fast_state_of(backend)->simd, .codes = codes, .x = x, .bytes = (uint8_t *)(void *)bytes};
  const int64_t chunk = 1 + codes->inputs / CHUNKS;
  ssti_parallel_for(backend->context, CHUNKS, 1 + GRAIN_ELEMENTS / chunk, bytes_range, &work);
  for (int i = 0; i < CHUNKS; i++) {
    if (work.odd[i]) { return false; }
  }
  ssti_dnnl_bind(&codes->weights, 0, weights);
  ssti_dnnl_bind(&codes->weights, 1, weight);
  ssti_dnnl_run(backend, &codes->weights, scratch);
  ssti_dnnl_bind(&codes->conv, 0, y);
  ssti_dnnl_bind(&codes->conv, 1, bytes);
  ssti_dnnl_bind(&codes->conv, 2, weights);
  ssti_dnnl_run(backend, &codes->conv, scratch);
  return true;
}
