// SPDX-License-Identifier: Apache-2.0
// Variants of the event-driven 3x3 convolution of 64 to 64 channels at 32x32, one thread: what docs/SPEED.md compares.
// Each is checked against the first. Prints nanoseconds an output pixel, the least of all rounds, in time on the
// processor, so that a machine which others use too still tells them apart; the last line is the clock's yardstick, a
// dense tap.
//
//   forward 1 walk           the bits of each tap walked for each output, 64 sums in registers
//   forward 2 taps           a list for each pixel; tap after tap over 128 pixels, whose weights stay in the L1 cache
//   forward 3 sorted taps    the same, pixels with equally many spikes together: loops end where expected
//   forward 4 output lists   a list for each output over all its taps
//   forward 5 slide          a list a pixel; a row of three taps at a time, whose sums move on in registers
//   forward 6 slide, halves  the same, 32 outputs at a time: the weights of three taps stay in the L1 cache
//   forward 7 nine taps      a list a pixel, walked once for all nine taps and 16 outputs
//   weights 1 scatter        the row of dy in registers, added to the row of each input that fired
//   weights 2 channel lists  a list for each input channel over 256 pixels, sums in registers
//
// Kept are forward 7 (with AVX-512; else 2, as for other kernels than 3x3 of stride 1) and weights 2.
//
//   event_convolution [DENSITY]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/fast/fast.h"

enum {
  SIZE = 32,
  GRID = SIZE + 2,
  IMAGES = 12,
  C = 64,
  TAPS = 9,
  ROUNDS = 40,
  PIXELS = GRID * GRID * IMAGES,
  REACH = 2 * GRID + 2,
  TILE = 128,
  LONG_TILE = 256,
  PADDED = PIXELS + 4 * LONG_TILE
};
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));

// Pictures lie on a grid with a border of one pixel, one after the other.
static uint64_t *bits;
static float *weights;      // [TAPS, C, C], the last axis the output
static float *y, *expected; // [PADDED, C] on the grid, an output at its first tap
static float *dw, *dw_expected;
static ssti_simd simd;

static int64_t distance_of(int tap) { return tap / 3 * GRID + tap % 3; }

static void add_row(lanes *a, const float *row) {
  for (int i = 0; i < 4; i++) { a[i] += *(const lanes *)(const void *)(row + 16 * i); }
}

static void load_row(lanes *a, const float *row) {
  for (int i = 0; i < 4; i++) { a[i] = *(const lanes *)(const void *)(row + 16 * i); }
}

static void store_row(const lanes *a, float *row) {
  for (int i = 0; i < 4; i++) { *(lanes *)(void *)(row + 16 * i) = a[i]; }
}

static void forward_walk(void) {
  for (int64_t q = 0; q < PIXELS; q++) {
    lanes a[4] = {{0}};
    for (int tap = 0; tap < TAPS; tap++) {
      const float *block = weights + (size_t)tap * C * C;
      for (uint64_t left = bits[q + distance_of(tap)]; left != 0; left &= left - 1) {
        add_row(a, block + __builtin_ctzll(left) * C);
      }
    }
    store_row(a, y + q * C);
  }
}

// A list a pixel; tap after tap. With `sorted`, pixels in order of their number of spikes, those without left out.
static void forward_taps(bool sorted) {
  static uint32_t start[TILE + 1];
  static uint16_t list[TILE * C + SSTI_EVENT_SLACK], order[TILE];
  memset(y, 0, (size_t)PADDED * C * sizeof *y);
  for (int64_t at = 0; at < PIXELS; at += TILE) {
    simd.event_pixel_lists(TILE, 1, bits + at, start, list);
    int64_t count = 0;
    int place[C + 2] = {0};
    for (int p = 0; p < TILE; p++) { place[start[p + 1] - start[p] + 1]++; }
    for (int n = 1; n <= C + 1; n++) { place[n] += place[n - 1]; }
    for (int p = 0; p < TILE; p++) {
      if (sorted) {
        order[place[start[p + 1] - start[p]]++] = (uint16_t)p;
      } else {
        order[count++] = (uint16_t)p;
      }
    }
    for (int tap = 0; tap < TAPS; tap++) {
      for (int64_t i = 0; i < TILE; i++) {
        const int64_t p = order[i];
        if (start[p] == start[p + 1]) { continue; }
        float *target = y + (at + p - distance_of(tap)) * C;
        lanes a[4];
        load_row(a, target);
        for (uint32_t k = start[p]; k < start[p + 1]; k++) { add_row(a, weights + ((size_t)tap * C + list[k]) * C); }
        store_row(a, target);
      }
    }
  }
}

static void forward_taps_plain(void) { forward_taps(false); }
static void forward_taps_sorted(void) { forward_taps(true); }

static void forward_output_lists(void) {
  enum { BAND = 8 };
  static uint32_t in_start[(BAND + 3) * GRID + 1];
  static uint16_t in_list[(BAND + 3) * GRID * C + SSTI_EVENT_SLACK], list[TAPS * C + SSTI_EVENT_SLACK];
  for (int64_t at = 0; at < PIXELS; at += BAND * GRID) {
    simd.event_pixel_lists((BAND + 3) * GRID, 1, bits + at, in_start, in_list);
    for (int64_t q = 0; q < BAND * GRID && at + q < PIXELS; q++) {
      int64_t count = 0;
      for (int tap = 0; tap < TAPS; tap++) {
        const uint32_t *p = in_start + q + distance_of(tap);
        for (uint32_t k = 0; k < p[1] - p[0]; k += 16) { // whole vectors; what is too much is overwritten
          const uint16_t *from = in_list + p[0] + k;
          uint16_t *to = list + count + k;
          for (int i = 0; i < 16; i++) { to[i] = (uint16_t)(from[i] + tap * C); }
        }
        count += p[1] - p[0];
      }
      lanes a[4] = {{0}};
      for (int64_t k = 0; k < count; k++) { add_row(a, weights + list[k] * C); }
      store_row(a, y + (at + q) * C);
    }
  }
}

// The rows of `vectors` vectors of a list's channels for three neighbouring taps, added to three sums.
#define ADD_ROWS(VECTORS, FROM, STRIDE)                                                                                \
  for (uint32_t k = start[p]; k < start[p + 1]; k++) {                                                                 \
    const float *row = (FROM) + list[k] * (STRIDE);                                                                    \
    for (int i = 0; i < (VECTORS); i++) { a0[i] += *(const lanes *)(const void *)(row + 16 * i); }                     \
    for (int i = 0; i < (VECTORS); i++) { a1[i] += *(const lanes *)(const void *)(row + C * (STRIDE) + 16 * i); }      \
    for (int i = 0; i < (VECTORS); i++) { a2[i] += *(const lanes *)(const void *)(row + 2 * C * (STRIDE) + 16 * i); }  \
  }

// A list a pixel; a row of three taps at a time: a pixel's spikes add to three outputs, whose sums move on in
// registers. `vectors` of 16 outputs at a time, so that the three taps' weights stay in the first-level cache, or not.
static inline __attribute__((always_inline)) void forward_slide(int vectors, const float *from_weights) {
  static uint32_t start[TILE + 1];
  static uint16_t list[TILE * C + SSTI_EVENT_SLACK];
  memset(y, 0, (size_t)PADDED * C * sizeof *y);
  const int stride = 16 * vectors;
  for (int64_t at = 0; at < PIXELS; at += TILE) {
    simd.event_pixel_lists(TILE, 1, bits + at, start, list);
    for (int ky = 0; ky < 3; ky++) {
      for (int half = 0; half < 4 / vectors; half++) {
        const float *from = from_weights + ((size_t)half * TAPS + (size_t)ky * 3) * C * (size_t)stride;
        float *target = y + (at - ky * GRID) * C + half * stride;
        lanes a0[4], a1[4], a2[4];
        for (int i = 0; i < vectors; i++) {
          a1[i] = *(lanes *)(void *)(target - C + 16 * i), a2[i] = *(lanes *)(void *)(target - 2 * C + 16 * i);
        }
        for (int p = 0; p < TILE; p++, target += C) {
          for (int i = 0; i < vectors; i++) { a0[i] = *(lanes *)(void *)(target + 16 * i); }
          ADD_ROWS(vectors, from, stride)
          for (int i = 0; i < vectors; i++) {
            *(lanes *)(void *)(target - 2 * C + 16 * i) = a2[i];
            a2[i] = a1[i], a1[i] = a0[i];
          }
        }
        for (int i = 0; i < vectors; i++) {
          *(lanes *)(void *)(target - C + 16 * i) = a1[i], *(lanes *)(void *)(target - 2 * C + 16 * i) = a2[i];
        }
      }
    }
  }
}

static float *halves; // [2, TAPS, C, 32]
static void forward_slide_wide(void) { forward_slide(4, weights); }
static void forward_slide_half(void) { forward_slide(2, halves); }

// A list a pixel; all nine taps at a time, 16 outputs at a time: a pixel's spikes add to nine outputs, whose sums move
// on in registers along a row. Sums of a row of outputs begin in the first of its three input rows and are written in
// the last one; between, they are in memory.
static float *sixteens; // [C / 16, C, TAPS, 16]
static void forward_nine(void) {
  static uint32_t start[GRID * GRID + 1];
  static uint16_t list[GRID * GRID * C + SSTI_EVENT_SLACK];
  // Sums of the two rows above that of the inputs.
  static lanes memory[2][GRID + 2], *const rows[] = {memory[0] + 2, memory[1] + 2};
  for (int64_t image = 0; image < IMAGES; image++) {
    const int64_t first = image * GRID * GRID;
    simd.event_pixel_lists(GRID * GRID, 1, bits + first, start, list);
    for (int block = 0; block < C / 16; block++) {
      const float *from = sixteens + (size_t)block * C * TAPS * 16;
      for (int64_t row = 0; row < GRID; row++) {
        lanes a[3][3] = {{{0}}};
        lanes *above = rows[1], *next = rows[0];
        float *target = y + (first + (row - 2) * GRID - 2) * C + block * 16;
        for (int64_t p = row * GRID; p < (row + 1) * GRID; p++, above++, next++, target += C) {
          a[0][0] = (lanes){0};
          a[1][0] = *next;
          a[2][0] = *above;
          for (uint32_t k = start[p]; k < start[p + 1]; k++) {
            const float *w = from + list[k] * (TAPS * 16);
            for (int ky = 0; ky < 3; ky++) {
              for (int kx = 0; kx < 3; kx++) { a[ky][kx] += *(const lanes *)(const void *)(w + (3 * ky + kx) * 16); }
            }
          }
          *(next - 2) = a[0][2];
          *(above - 2) = a[1][2];
          *(lanes *)(void *)target = a[2][2];
          for (int ky = 0; ky < 3; ky++) { a[ky][2] = a[ky][1], a[ky][1] = a[ky][0]; }
        }
      }
    }
  }
}

static void weights_scatter(void) {
  memset(dw, 0, (size_t)TAPS * C * C * sizeof *dw);
  for (int64_t q = 0; q < PIXELS; q++) {
    lanes row[4];
    load_row(row, expected + q * C);
    for (int tap = 0; tap < TAPS; tap++) {
      for (uint64_t left = bits[q + distance_of(tap)]; left != 0; left &= left - 1) {
        float *target = dw + ((size_t)tap * C + (size_t)__builtin_ctzll(left)) * C;
        lanes a[4];
        load_row(a, target);
        for (int i = 0; i < 4; i++) { a[i] += row[i]; }
        store_row(a, target);
      }
    }
  }
}

static void weights_channel_lists(void) {
  static uint32_t start[C + 1];
  static uint16_t list[LONG_TILE * C + SSTI_EVENT_SLACK];
  uint64_t words[LONG_TILE];
  memset(dw, 0, (size_t)TAPS * C * C * sizeof *dw);
  for (int64_t at = 0; at < PIXELS; at += LONG_TILE) {
    memcpy(words, bits + at, sizeof words);
    (void)simd.event_channel_lists(C, LONG_TILE / 64, words, start, list, 0);
    const ssti_event_lists lists = {C, start, list};
    for (int tap = 0; tap < TAPS; tap++) {
      simd.event_sum(&lists, C, expected + (at - distance_of(tap)) * C, dw + (size_t)tap * C * C);
    }
  }
}

// What a dense convolution does for one tap: every weight times a number.
static void dense_tap(void) {
  for (int64_t q = 0; q < PIXELS; q++) {
    lanes a[4] = {{0}};
    const float x = (float)(bits[q] & 1);
    for (int c = 0; c < C; c++) {
      for (int i = 0; i < 4; i++) { a[i] += x * *(const lanes *)(const void *)(weights + c * C + 16 * i); }
    }
    store_row(a, y + q * C);
  }
}

static double processor_seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Weights are whole numbers, so that every order of additions gives the same.
static void fill(double density) {
  const size_t offset = (size_t)(REACH + 2) * C; // what the border before the first picture adds to
  bits = calloc(PADDED, sizeof *bits);
  weights = aligned_alloc(64, (size_t)TAPS * C * C * sizeof *weights);
  y = (float *)aligned_alloc(64, ((size_t)PADDED * C + offset) * sizeof *y) + offset;
  expected = (float *)aligned_alloc(64, ((size_t)PADDED * C + offset) * sizeof *y) + offset;
  memset(expected - offset, 0, ((size_t)PADDED * C + offset) * sizeof *y);
  dw = aligned_alloc(64, (size_t)TAPS * C * C * sizeof *dw), dw_expected = malloc((size_t)TAPS * C * C * sizeof *dw);
  for (int i = 0; i < TAPS * C * C; i++) { weights[i] = (float)(i * 7 % 13 - 6); }
  halves = aligned_alloc(64, (size_t)TAPS * C * C * sizeof *halves);
  for (int i = 0; i < TAPS * C * C; i++) { halves[(i % C / 32 * TAPS * C + i / C) * 32 + i % 32] = weights[i]; }
  sixteens = aligned_alloc(64, (size_t)TAPS * C * C * sizeof *sixteens);
  for (int i = 0; i < TAPS * C * C; i++) {
    sixteens[((i % C / 16 * C + i / C % C) * TAPS + i / C / C) * 16 + i % 16] = weights[i];
  }
  uint32_t state = 1;
  for (int image = 0; image < IMAGES; image++) {
    for (int p = 0; p < SIZE * SIZE; p++) {
      uint64_t word = 0;
      for (int c = 0; c < C; c++) {
        state = state * 1664525u + 1013904223u;
        word |= (uint64_t)((double)(state >> 8) * 0x1p-24 < density) << c;
      }
      bits[(image * GRID + p / SIZE + 1) * GRID + p % SIZE + 1] = word;
    }
  }
}

static bool is_inside(int64_t q) { return q % GRID < SIZE && q / GRID % GRID < SIZE; }

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
    bool forward;
  } variants[] = {{"forward 1 walk", forward_walk, true},
                  {"forward 2 taps", forward_taps_plain, true},
                  {"forward 3 sorted taps", forward_taps_sorted, true},
                  {"forward 4 output lists", forward_output_lists, true},
                  {"forward 5 slide", forward_slide_wide, true},
                  {"forward 6 slide, halves", forward_slide_half, true},
                  {"forward 7 nine taps", forward_nine, true},
                  {"weights 1 scatter", weights_scatter, false},
                  {"weights 2 channel lists", weights_channel_lists, false},
                  {"dense tap", dense_tap, false}};
  enum { VARIANTS = sizeof variants / sizeof *variants };
  const double density = argc > 1 ? atof(argv[1]) : 0.1;
  double best[VARIANTS];
  (void)ssti_simd_fill(ssti_simd_best(), &simd);
  fill(density);
  forward_walk();
  for (int64_t q = 0; q < PIXELS; q++) {
    if (is_inside(q)) { memcpy(expected + q * C, y + q * C, C * sizeof *y); }
  }
  weights_scatter();
  memcpy(dw_expected, dw, (size_t)TAPS * C * C * sizeof *dw);
  for (int v = 0; v < VARIANTS; v++) { best[v] = 1e9; }
  for (int round = 0; round < ROUNDS; round++) { // in turn, so that all see the same machine
    for (int v = 0; v < VARIANTS; v++) {
      const double start = processor_seconds();
      variants[v].run();
      const double seconds = processor_seconds() - start;
      if (seconds < best[v]) { best[v] = seconds; }
      if (v + 1 == VARIANTS || round > 0) { continue; }
      bool same = variants[v].forward || memcmp(dw, dw_expected, (size_t)TAPS * C * C * sizeof *dw) == 0;
      for (int64_t q = 0; variants[v].forward && q < PIXELS; q++) {
        same = same && (!is_inside(q) || memcmp(y + q * C, expected + q * C, C * sizeof *y) == 0);
      }
      if (!same) {
        fprintf(stderr, "event_convolution: %s computes something else\n", variants[v].name);
        return 1;
      }
    }
  }
  for (int v = 0; v < VARIANTS; v++) {
    printf("%-24s density %.2f: %6.1f ns an output pixel\n", variants[v].name, density,
           best[v] / (IMAGES * SIZE * SIZE) * 1e9);
  }
  return 0;
}
