// SPDX-License-Identifier: Apache-2.0
// Kernels of the engine. Every kernel_*.c is compiled once for each level (SSTI_KERNEL_LEVEL: plain, on x86-64 avx2 and
// avx512, on 64-bit ARM neon; cmake/Simd.cmake), with intrinsics where a level has an instruction that C cannot say.
// All levels give the same bits: everything here is an integer.
//
// Stored integers are x + bias >= 0 with bias = -min(low, 0): unsigned numbers, so that no kernel asks for signs.
#ifndef SPIKESTILL_DEPLOY_KERNELS_H
#define SPIKESTILL_DEPLOY_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SSTI_KERNEL_LEVEL
#define SSTI_KERNEL_LEVEL plain
#endif
#define SSTI_KERNEL_JOIN2(name, level) name##_##level
#define SSTI_KERNEL_JOIN(name, level) SSTI_KERNEL_JOIN2(name, level)
// The name of this level's copy of a function.
#define SSTI_KERNEL(name) SSTI_KERNEL_JOIN(name, SSTI_KERNEL_LEVEL)

#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512VNNI__) && defined(__AVX512VBMI2__) && defined(__AVX512BW__)
#define SSTI_HAS_AVX512 1
#else
#define SSTI_HAS_AVX512 0
#endif

// Every 64-bit ARM has NEON and compilers use it; the level "neon" also says what they do not find.
#if defined(SSTI_KERNEL_NEON) && defined(__ARM_NEON)
#define SSTI_HAS_NEON 1
#else
#define SSTI_HAS_NEON 0
#endif

enum {
  SSTI_LANES = 16,       // outputs of rows are padded to a multiple of this
  SSTI_WORD_LANES = 8,   // outputs beside each other in the planes of popcount
  SSTI_EVENT_WIDTH = 64, // outputs beside each other in rows of codes that lists of events name
  SSTI_TILE_BYTES = 128, // a slice kernel's row: 1024 positions and pictures
  SSTI_SLAB_WORDS = 9,   // 32-bit words of weights a slab at most; its rows, and two more, fit the first-level cache
  SSTI_SLAB_ROWS = 32 * SSTI_SLAB_WORDS,
  SSTI_SLAB_ZEROS = SSTI_SLAB_ROWS, // a row of zeros, and one of ones, stand behind the slab's
  SSTI_SLAB_ONES,
  SSTI_SLAB_ALL,
  // What a sum of a slab writes down, beside the slab: places of its rows, and carries, a row for eight.
  SSTI_SLAB_LIST = SSTI_SLAB_ROWS + 64,
  SSTI_SLAB_CARRIES = SSTI_SLAB_ROWS / 8 + 1 + 7, // eights of two lists, and zeros up to a multiple of eight
  SSTI_MOST_PLANES = 80
};

// ---- rows

// Windows of several positions or steps, and their sums z.
typedef struct ssti_rows {
  int64_t items;
  const uint8_t *x; // [items][x_stride] bytes
  int64_t x_stride;
  int32_t *z; // [items][z_stride]
  int64_t z_stride;
} ssti_rows;

// What a neuron does in 32-bit lanes, modulo 2^32 where nothing else is said: h fits by the network's bounds.
typedef struct ssti_lane_neurons {
  uint32_t gain; // gain << input_shift
  int state_shift;
  int32_t threshold, threshold_step;
  bool hard_reset, product_fits; // product: decay * u + half fits 32 bits
  int32_t decay, half;
  int decay_shift;
  int32_t limit; // INT32_MAX: none
} ssti_lane_neurons;

// Neurons of several positions over several steps: [rows][steps][count], each array with strides of its own.
typedef struct ssti_lane_rows {
  int64_t rows, steps, count;
  const int32_t *z;
  int64_t z_stride, z_step;       // z_step 0: the same in each step
  const int32_t *factor, *offset; // [count] the same for all rows; factor NULL: y = z + offset[0]
  int32_t *state;
  int64_t state_stride;
  uint8_t *spikes;
  int32_t *membrane;    // may be NULL
  int64_t stride, step; // of spikes and membranes
} ssti_lane_rows;

// 64-bit words of eight outputs' weights for popcount.
static inline int64_t ssti_popcount_block(int64_t words, int magnitudes) {
  return SSTI_WORD_LANES * (1 + words * (1 + magnitudes));
}

// ---- slices

// Rows of a tile's inputs, and what sums of them need, all in one piece: the first-level cache looks lines up by a
// part of their address, and holds neighbours without quarrel. Rows may be written 31 bytes too far.
typedef struct ssti_slab {
  uint8_t row[SSTI_SLAB_ALL][SSTI_TILE_BYTES];
  uint8_t carries[SSTI_SLAB_CARRIES][SSTI_TILE_BYTES];
  uint16_t plus[SSTI_SLAB_LIST], minus[SSTI_SLAB_LIST];
} ssti_slab;

// Operations that fill one row of a slab, in ascending order of dst: each may write up to 31 bytes too many.
typedef struct ssti_copy {
  int32_t dst;    // byte in the row
  int32_t length; // bytes
  int64_t src;    // byte of the channel's plane; -1: fill
} ssti_copy;

// What a bit-sliced neuron does, or an affine map: h = (state << state_shift) + sum of digits (x << shift) + offset.
typedef struct ssti_slice_neurons {
  int width;        // planes of h, u and decay * u + half in two's complement
  int state_planes; // planes of the state
  int state_shift;
  int64_t threshold; // of h
  int64_t threshold_step;
  bool hard_reset, always, never; // fires whatever h is
  int64_t decay, half;            // with decay_shift reduced to lowest terms
  int decay_shift;
  bool clips_above, clips_below;
  int64_t limit;
} ssti_slice_neurons;

// A number times a constant as few shifted additions: digits +1 or -1 at places.
typedef struct ssti_digits {
  int count;
  int8_t place[24];
  int8_t negative[24];
} ssti_digits;

// The operand of an affine map: planes [planes][stride bytes].
typedef struct ssti_slice_term {
  const uint8_t *x;
  int64_t stride;
  int planes;
  const ssti_digits *digits;
} ssti_slice_term;

// ---- events

// Places of a list, each moved on by `shift` modulo 2^16.
typedef struct ssti_event_stretch {
  const uint16_t *places;
  int64_t count;
  uint16_t shift;
} ssti_event_stretch;

// Rows of 64 codes in bytes, of which `together`, a multiple of eight, have sums that fit a byte; a row of zeros; and
// room for all places of a window and 64 more.
typedef struct ssti_event_tile {
  const int8_t *rows;
  int64_t together;
  uint16_t zeros;
  uint16_t *room;
} ssti_event_tile;

typedef struct ssti_kernels_of_level {
  // z = sum of x * code: x unsigned bytes in fours, weights [blocks][quads][16][4].
  void (*dot8)(const ssti_rows *rows, int64_t quads, int64_t blocks, const int8_t *weights);
  // x [planes][words] of 64 bits, weights [blocks] of [8] sizes of codes below 0 together, then of
  // [words][1 + magnitudes][8]: sign, then magnitude bits.
  void (*popcount)(const ssti_rows *rows, int planes, int magnitudes, int64_t words, int64_t blocks,
                   const uint64_t *weights);
  int counts_a_code; // population counts for a ternary code
  // x [inputs] bytes, weights [inputs][width]: adds (x - bias) * weight for each input that is not `bias`.
  // `small`: no sum on the way leaves 16 bits.
  void (*event)(const ssti_rows *rows, int64_t inputs, int bias, bool small, int64_t width, int64_t weight_stride,
                const int8_t *weights);
  // Appends, for each byte of x, as many places as it counts: `base` + 64 * its number, modulo 2^16. Writes up to 63
  // places behind the last. Returns how many.
  int64_t (*event_list)(int64_t count, const uint8_t *x, int planes, uint16_t base, uint16_t *list);
  // z [outputs] (+)= sum of the tile's rows that begin at the places of all stretches: outputs <= 64. Reads up to 31
  // places behind a stretch.
  void (*event_sum)(const ssti_event_stretch *stretches, int count, const ssti_event_tile *tile, int64_t outputs,
                    bool first, int32_t *z);
  // The same as event with x [inputs] of 32 bits.
  void (*event_wide)(const ssti_rows *rows, int64_t inputs, int64_t width, int64_t weight_stride,
                     const int8_t *weights);
  // Steps of neurons with input y = factor * z + offset. Returns the number of spikes.
  int64_t (*neurons)(const ssti_lane_neurons *n, const ssti_lane_rows *rows);
  // y = factor * z + offset
  void (*affine)(int64_t count, const int32_t *z, const int32_t *factor, const int32_t *offset, int32_t *y);
  // sum [rows][count] (+)= x [rows][count], or the larger of the two, of bytes that stay bytes.
  void (*pool_bytes)(int64_t rows, int64_t count, const uint8_t *x, int64_t x_stride, uint8_t *sum, int64_t sum_stride,
                     bool first, bool largest);
  // Bit `plane` of `count` bytes as 64-bit words, zeros behind the last.
  void (*pack)(int64_t count, const uint8_t *x, int plane, uint64_t *bits);
  void (*pack_wide)(int64_t count, const int32_t *x, uint32_t bias, int plane, uint64_t *bits);
  // x[i] = sum of bit i of bits[64 * plane] << plane, count <= 64, planes <= 8
  void (*unpack)(int64_t count, int planes, const uint64_t *bits, uint8_t *x);
  // a[i] bit j <-> a[j] bit i
  void (*transpose64)(uint64_t a[64]);

  // Rows of a slab, one behind the other: row i from plane base + i * channel_stride. Sets bit first + i of `some`, if
  // that is not NULL, where any bit of row i is set.
  void (*slab_fill)(uint8_t *row, int64_t channels, const uint8_t *base, int64_t channel_stride,
                    const ssti_copy *copies, int count, uint8_t fill, uint32_t *some, int64_t first);
  // acc [width][TILE_BYTES] (+)= 2^level * (sum of rows with a plus weight + of complemented rows with a minus weight),
  // without the rows in which nothing is set: returns how many of them have a minus weight, whose complements would
  // each have added 2^level. weights: sign words, then magnitude words. `first` is at level 0. Reads up to five planes
  // above the last.
  int (*slab_sum)(const uint32_t *sign, const uint32_t *magnitude, const uint32_t *some, int words, ssti_slab *slab,
                  uint8_t *acc, int level, int width, bool first);
  // The same for up to 32 inputs in one word, all planes [planes][rows] at once in the slab, codes of one magnitude
  // bit: acc [width][TILE_BYTES] = sum of 2^plane * (rows with a plus + complemented rows with a minus).
  void (*slab_numbers)(const uint32_t *sign, const uint32_t *magnitude, int rows, int planes, ssti_slab *slab,
                       uint8_t *acc, int width);
  // out [width][out_stride] = sum of one or two terms + offset, for `bytes` bytes.
  void (*slice_affine)(const ssti_slice_term *terms, int count, int64_t offset, int width, int64_t bytes, uint8_t *out,
                       int64_t out_stride);
  // One step: spikes [bytes], state [state_planes][TILE_BYTES], h [width][TILE_BYTES] if not NULL. In the first step
  // the state is only written: what it begins with is part of the offset.
  void (*slice_neurons)(const ssti_slice_neurons *n, const ssti_slice_term *term, int64_t offset, int64_t bytes,
                        bool first, uint8_t *state, uint8_t *spikes, uint8_t *h);
  // out = larger of out and x, both unsigned of `planes` planes.
  void (*slice_max)(int planes, int64_t bytes, const uint8_t *x, int64_t x_stride, uint8_t *out, int64_t out_stride);
  // Windows of two by two words of `word` bytes, stride 2, in rows of row_words: their sums in three planes of
  // `stride` bytes from one to the next, or all bits of the four in one.
  void (*slice_pool)(int word, int64_t height, int64_t width, const uint8_t *x, int64_t row_words, bool largest,
                     uint8_t *out, int64_t stride);
  // Bits that are set under a mask of 64 bits, again and again.
  int64_t (*count_bits)(int64_t bytes, const uint8_t *x, uint64_t mask);

  // Ceilings: operations on 64-bit lanes (full adders; AND, population count and addition; 8-bit multiply-adds; 8-bit
  // additions) that `rounds` rounds do in registers. The result keeps the compiler honest.
  int adder_bits, popcount_bits, dot_operations, sum_operations;
  uint64_t (*adder_chains)(int64_t rounds, uint64_t seed);
  uint64_t (*popcount_chains)(int64_t rounds, uint64_t seed);
  uint64_t (*dot_chains)(int64_t rounds, uint64_t seed);
  uint64_t (*sum_chains)(int64_t rounds, uint64_t seed);
} ssti_kernels_of_level;

// Each kernel_*.c puts its functions into the table; kernel_table.c calls them all.
#define SSTI_KERNEL_FILL_LIST(X) X(dot) X(popcount) X(event) X(neurons) X(pack) X(slab) X(slice) X(ceiling)
#define SSTI_KERNEL_FILL_DECLARE(name) void SSTI_KERNEL(ssti_kernel_fill_##name)(ssti_kernels_of_level * table);
SSTI_KERNEL_FILL_LIST(SSTI_KERNEL_FILL_DECLARE)
#undef SSTI_KERNEL_FILL_DECLARE

void ssti_kernel_fill_plain(ssti_kernels_of_level *table);
void ssti_kernel_fill_neon(ssti_kernels_of_level *table);
void ssti_kernel_fill_avx2(ssti_kernels_of_level *table);
void ssti_kernel_fill_avx512(ssti_kernels_of_level *table);

#endif
