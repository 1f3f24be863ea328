// SPDX-License-Identifier: Apache-2.0
// Own kernels of the fast backend: plain C loops that compilers vectorise. Every simd_*.c is compiled once for each
// instruction-set level (SSTI_SIMD_LEVEL: baseline, and on x86-64 v3 and v4); the level is chosen when a backend is
// made.
//
// Nothing here is contracted into fused multiply-adds and no sum's order depends on the vector width, so all levels
// give the same bits (but the ceiling measurement, which is after speed alone, products of a few rows and Winograd's).
// Kernels work on a range inside one thread; who cuts the ranges is in fast_*.c.
#ifndef SPIKESTILL_BACKEND_FAST_SIMD_H
#define SPIKESTILL_BACKEND_FAST_SIMD_H

#include "backend/backend.h"
#include "backend/fast/event.h"
#include "backend/fast/winograd.h"
#include "backend/quantize_rows.h"
#include "neuron/dynamics.h"

#ifndef SSTI_SIMD_LEVEL
#define SSTI_SIMD_LEVEL baseline
#endif
#define SSTI_SIMD_JOIN2(name, level) name##_##level
#define SSTI_SIMD_JOIN(name, level) SSTI_SIMD_JOIN2(name, level)
// The name of this level's copy of a function.
#define SSTI_SIMD(name) SSTI_SIMD_JOIN(name, SSTI_SIMD_LEVEL)

typedef enum ssti_simd_level { SSTI_SIMD_BASELINE, SSTI_SIMD_V3, SSTI_SIMD_V4, SSTI_SIMD_LEVELS } ssti_simd_level;

enum {
  SSTI_SIMD_CHANNELS = 256,     // columns that a column kernel takes at once
  SSTI_SIMD_NEURON_BLOCK = 512, // neurons whose state stays in the first-level cache
  SSTI_SIMD_LANES = 16,         // running sums of a flat reduction
  SSTI_LARGEST_BYTE = 127       // code of an input, so that two products fit into 16 bits
};

// A matrix [rows, columns <= SSTI_SIMD_CHANNELS] inside rows of `stride` elements.
typedef struct ssti_columns {
  int64_t rows, stride, columns;
} ssti_columns;

// Batch norm in front of a block of neurons: a number a neuron, those of its channel.
typedef struct ssti_block_norm {
  const float *mean, *factor, *offset; // y = (x - mean) * factor + offset goes into the neurons
  // Backward: dx (+)= gradient_factor * (dy - mean_dy - (x - mean) * slope)
  const float *gradient_factor, *mean_dy, *slope;
  // Backward, where not NULL: += dy and += dy * (x - mean), and dx = dy, where there is one.
  float *sum_dy, *sum_dy_centred;
} ssti_block_norm;

// One block of neurons, [begin, begin + length) of `count`, over all steps. Pointers are to the whole tensors.
typedef struct ssti_neuron_block {
  const ssti_dynamics *dynamics;
  const ssti_block_norm *norm;                      // NULL: x itself goes into the neurons
  bool smooth;                                      // fires on the surrogate's primitive; as slow as libm
  int64_t steps, input_steps, count, begin, length; // length <= SSTI_SIMD_NEURON_BLOCK
  const float *x;
  float *spikes, *membrane;         // forward; membrane may be NULL
  float *state;                     // forward: u of all neurons after the last step, or NULL
  bool resumes;                     // forward: u before the first step is in `state`
  const float *dspikes, *dmembrane; // backward; each may be NULL
  float *dx;                        // may be NULL
  bool accumulate_dx;
  double *dleak;    // PLIF: the gradient with respect to the leak, of this block; may be NULL
  float *potential; // [steps, SSTI_SIMD_NEURON_BLOCK]: scratch of backward
} ssti_neuron_block;

// Of one AdamW step, the same for every element.
typedef struct ssti_adamw_factors {
  float beta1, beta2, epsilon, gradient_scale;
  float keep;         // 1 - learning_rate * weight_decay
  float step_size;    // learning_rate / (1 - beta1^step)
  float second_scale; // 1 / sqrt(1 - beta2^step)
} ssti_adamw_factors;

typedef struct ssti_simd {
  // Moments of each column: mean and sum of squared deviations from it.
  void (*column_moments)(const ssti_columns *m, const float *x, double *mean, double *squares);
  void (*column_moments_bf16)(const ssti_columns *m, const ssti_bf16 *x, double *mean, double *squares);
  // sum[c] = sum of x, in f32 over few rows and in double over those.
  void (*column_sums)(const ssti_columns *m, const float *x, double *sum);
  void (*column_sums_bf16)(const ssti_columns *m, const ssti_bf16 *x, double *sum);
  // y = (x - mean) * factor + offset; or that is added to y.
  void (*batch_norm_apply)(const ssti_columns *m, const float *x, const float *mean, const float *factor,
                           const float *offset, float *y, bool accumulate);
  // The same where x or y is bf16, or both, without adding.
  void (*batch_norm_apply_bf16)(const ssti_columns *m, const void *x, ssti_type in, const float *mean,
                                const float *factor, const float *offset, void *y, ssti_type out);
  // In place, from dy to dx: see ssti_block_norm.
  void (*norm_gradient)(int64_t count, const ssti_block_norm *norm, const float *x, float *dx);
  void (*norm_gradient_bf16)(int64_t count, const ssti_block_norm *norm, const ssti_bf16 *x, ssti_bf16 *dx);
  void (*neuron_forward)(const ssti_neuron_block *block);
  void (*neuron_backward)(const ssti_neuron_block *block);
  // Backward of the norm alone: `dspikes` is the gradient of its output. The sums are in the order of neuron_backward.
  void (*norm_backward)(const ssti_neuron_block *block);

  // Images [begin, end) of a pooling.
  void (*pool_forward)(const ssti_pool *shape, int64_t begin, int64_t end, const float *x, float *y, uint8_t *saved);
  void (*pool_backward)(const ssti_pool *shape, int64_t begin, int64_t end, const float *dy, const uint8_t *saved,
                        float *dx, bool accumulate);
  // The same for averages of windows of 2 by 2 that tile a bf16 picture: whether these are, and without adding to dx.
  bool (*pool_quarters)(const ssti_pool *shape);
  void (*pool_quarters_forward)(const ssti_pool *shape, int64_t begin, int64_t end, const ssti_bf16 *x, void *y);
  void (*pool_quarters_backward)(const ssti_pool *shape, int64_t begin, int64_t end, const void *dy, ssti_bf16 *dx);

  // y += x
  void (*add)(int64_t count, const float *x, float *y);
  void (*add_bf16)(int64_t count, const ssti_bf16 *x, ssti_bf16 *y);
  // y = a + b, of any types; y may be b. NULL: y = a.
  void (*sum_bf16)(int64_t count, const void *a, ssti_type a_type, const void *b, ssti_type b_type, void *y,
                   ssti_type out);
  void (*narrow)(int64_t count, const float *x, ssti_bf16 *y);
  void (*widen)(int64_t count, const ssti_bf16 *x, float *y);
  // Element i of a and of b side by side, a in the lower half; NULL: zeros. Blocks of `block` lie `distance` apart in
  // y.
  void (*pair_bf16)(int64_t count, const ssti_bf16 *a, const ssti_bf16 *b, int64_t block, int64_t distance,
                    uint32_t *y);
  // Elements [begin, end) of a tensor: their numbers decide what stays.
  void (*dropout)(int64_t begin, int64_t end, float rate, uint64_t seed, uint64_t stream, const float *x, float *y,
                  bool accumulate);
  double (*sum_of_squares)(int64_t count, const float *x);

  void (*sgd_step)(int64_t count, float *value, const float *gradient, float *velocity, float learning_rate,
                   float momentum, bool nesterov, float weight_decay, float gradient_scale);
  void (*adamw_step)(int64_t count, float *value, const float *gradient, float *first, float *second,
                     const ssti_adamw_factors *factors);

  // Rows of weights and their codes.
  ssti_quantize_rows quantize;
  // y = x * scale as whole numbers of 0 to SSTI_LARGEST_BYTE; false where some are not, and then the rest is left out.
  bool (*to_bytes)(int64_t count, const float *x, float scale, uint8_t *y);
  bool (*to_bytes_bf16)(int64_t count, const ssti_bf16 *x, float scale, uint8_t *y);

  // Event-driven products, see event.h. Bits of `rows` pixels; where they are not binary the rest is left out.
  void (*event_pack)(int64_t rows, int64_t channels, const float *x, uint64_t *bits, ssti_event_census *census);
  void (*event_pack_bf16)(int64_t rows, int64_t channels, const ssti_bf16 *x, uint64_t *bits,
                          ssti_event_census *census);
  // Rows [begin, end) of the blocks from weights; and the way back, of the sum over `count` sets of blocks, `distance`
  // elements apart.
  void (*event_to_blocks)(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *weight, float *blocks);
  void (*event_from_blocks)(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *blocks, int64_t count,
                            int64_t distance, float *gradient, bool accumulate);
  // The channels that fire, a list for each word of each pixel. Here and below `start` has one entry more than there
  // are lists, and SSTI_EVENT_SLACK entries beyond the lists are overwritten.
  void (*event_pixel_lists)(int64_t pixels, int64_t words, const uint64_t *bits, uint32_t *start, uint16_t *list);
  // Adds to the sums of each output, rows of `width` elements, the rows of `source` that its pixel's lists name.
  void (*event_tap)(const ssti_event_tap *tap, int64_t width, const float *source, float *target);
  // 3x3 of stride 1, all nine taps at once; NULL where there are too few registers. Channels [begin, end) of the
  // weights as blocks of SSTI_EVENT_LANES outputs, each [channels, 9, lanes]; a row of pixels; a row of finished sums
  // to `real` channels of pixels that are `step` elements apart.
  void (*event_to_nines)(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *weight, float *blocks);
  void (*event_nine_taps)(const ssti_event_row *row);
  void (*event_put)(int64_t pixels, int64_t real, const float *sums, int64_t step, float *y);
  void (*event_put_bf16)(int64_t pixels, int64_t real, const float *sums, int64_t step, ssti_bf16 *y);
  // For each channel of one word the pixels in which it fires, among `groups` times 64 pixels whose words are in
  // `pixels`, which is overwritten. Lists are written from list[at] on; returns where they end.
  int64_t (*event_channel_lists)(int64_t channels, int64_t groups, uint64_t *pixels, uint32_t *start, uint16_t *list,
                                 int64_t at);
  // target[t] += source[i] for each i in list t; rows of `width` elements.
  void (*event_sum)(const ssti_event_lists *lists, int64_t width, const float *source, float *target);

  // Products of a few rows with many weights: rows % few_rows_panel = 0. Columns [begin, end) of x [rows, in] into
  // panels of few_rows_panel transposed rows, and from those y of tiles [begin, end) of few_rows_outputs outputs.
  int few_rows_panel, few_rows_outputs;
  void (*few_rows_turn)(const ssti_linear *shape, int64_t begin, int64_t end, const float *x, float *panels);
  void (*few_rows_multiply)(const ssti_linear *shape, int64_t begin, int64_t end, const float *panels,
                            const float *weight, const float *bias, float *y);

  // Winograd's algorithm, see winograd.h. The most columns of a product; rows [begin, end) of the points of windows of
  // inputs x, where row 0 is tile `first`; the same of gradients dy, whose windows are the tiles themselves; and from
  // products of tiles [begin, end), which are all rows, the tiles' channels `from` and following of y. `zeros` has as
  // many bytes as a pixel.
  int64_t winograd_panel;
  void (*winograd_inputs)(const ssti_winograd_pictures *pictures, int64_t first, int64_t begin, int64_t end,
                          const void *x, const void *zeros, const ssti_winograd_layout *layout, float *points);
  void (*winograd_gradients)(const ssti_winograd_pictures *pictures, int64_t first, int64_t begin, int64_t end,
                             const void *dy, const void *zeros, const ssti_winograd_layout *layout, float *points);
  void (*winograd_outputs)(const ssti_winograd_pictures *pictures, int64_t begin, int64_t end,
                           const ssti_winograd_layout *layout, const float *points, int64_t from, const float *bias,
                           void *y, bool add);
  void (*winograd_multiply)(const ssti_winograd_product *product);
  // Points of the filters of rows [begin, end), input channels: number j of 9 of row i to output channel o is
  // filter[i * row + j * step + o]. And from points back to that.
  void (*winograd_filters)(const ssti_winograd_layout *layout, int64_t begin, int64_t end, const float *filter,
                           int64_t row, int64_t step, float *points);
  void (*winograd_filters_back)(const ssti_winograd_layout *layout, int64_t begin, int64_t end, const float *points,
                                int64_t row, int64_t step, float *filter);
  // Columns [begin, end) of a matrix [rows, columns], both multiples of 4, become rows of the turned one.
  void (*turn)(int64_t rows, int64_t columns, int64_t begin, int64_t end, const float *from, float *to);

  // `rounds` rounds of `chain_operations` floating-point operations without memory; the result keeps the compiler
  // honest.
  int chain_operations;
  float (*multiply_add_chains)(int64_t rounds, float factor, float offset);
  // a = b + factor * c
  void (*triad)(int64_t count, float factor, const float *b, const float *c, float *a);
} ssti_simd;

// Each simd_*.c puts its functions into the table; simd_table.c calls them all.
#define SSTI_SIMD_FILL_LIST(X)                                                                                         \
  X(batch_norm) X(neuron) X(pool) X(flat) X(bf16) X(event) X(few_rows) X(winograd) X(quantize) X(ceiling)
#define SSTI_SIMD_FILL_DECLARE(name) void SSTI_SIMD(ssti_simd_fill_##name)(ssti_simd * table);
SSTI_SIMD_FILL_LIST(SSTI_SIMD_FILL_DECLARE)
#undef SSTI_SIMD_FILL_DECLARE

void ssti_simd_fill_baseline(ssti_simd *table);
void ssti_simd_fill_v3(ssti_simd *table);
void ssti_simd_fill_v4(ssti_simd *table);

#endif
