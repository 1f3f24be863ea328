// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with a large matrix of weights, as in a linear layer at a small batch: the weights are read
// once, where they are, instead of being copied into another order first. A panel of rows lies transposed, so that
// vectors go over rows; sums of OUTPUTS outputs stay in registers over all inputs. Each sum is one chain in the order
// of the inputs.
//
// This file is compiled with -ffp-contract=fast: a multiply-add is one instruction where the level has it. As with
// oneDNN's products the last bits differ between levels.
#include "backend/fast/simd.h"
#include "backend/fast/simd_turn.h"
#include "backend/fast/simd_vector.h"

// Levels with 32 registers hold six outputs of four vectors, the others six of two (with four lanes each, they spill).
#if defined(__AVX512F__)
enum { VECTORS = 4 };
#define EACH_VECTOR(X, o) X(o, 0) X(o, 1) X(o, 2) X(o, 3)
#else
enum { VECTORS = 2 };
#define EACH_VECTOR(X, o) X(o, 0) X(o, 1)
#endif
#define EACH_OUTPUT(X) X(0) X(1) X(2) X(3) X(4) X(5)
enum { OUTPUTS = 6, PANEL = VECTORS * LANES };

static void few_rows_turn(const ssti_linear *s, int64_t begin, int64_t end, const float *x, float *panels) {
  for (int64_t row = 0; row < s->rows; row += PANEL) {
    const float *from = x + row * s->in;
    float *to = panels + row * s->in;
    int64_t i = begin;
    for (; i + 4 <= end; i += 4) {
      for (int64_t r = 0; r < PANEL; r += 4) { turn_quads(from + r * s->in + i, s->in, to + i * PANEL + r, PANEL); }
    }
    for (; i < end; i++) {
      for (int64_t r = 0; r < PANEL; r++) { to[i * PANEL + r] = from[r * s->in + i]; }
    }
  }
}

// Outputs o .. o + OUTPUTS - 1 of one panel; those beyond the last are the last one's again and are not written.
static void multiply(const ssti_linear *s, int64_t o, const float *panel, const float *weight, const float *bias,
                     float *y) {
  const int64_t last = s->out - 1;
#define ROW(k) (o + (k) < last ? o + (k) : last)
#define BEGIN_VECTOR(k, v) vector sum##k##v = zero + start##k;
#define BEGIN_OUTPUT(k)                                                                                                \
  const float *restrict weight##k = weight + ROW(k) * s->in;                                                           \
  const float start##k = bias != NULL ? bias[ROW(k)] : 0.0f;                                                           \
  EACH_VECTOR(BEGIN_VECTOR, k)
#define LOAD_VECTOR(k, v) const vector x##v = *(const vector *)(const void *)(panel + i * PANEL + (v)*LANES);
#define STEP_VECTOR(k, v) sum##k##v += x##v * factor##k;
#define STEP_OUTPUT(k)                                                                                                 \
  const vector factor##k = weight##k[i] - zero;                                                                        \
  EACH_VECTOR(STEP_VECTOR, k)
#define END_VECTOR(k, v) *(vector *)(void *)(tile[k] + (v)*LANES) = sum##k##v;
#define END_OUTPUT(k) EACH_VECTOR(END_VECTOR, k)
  const vector zero = {0};
  EACH_OUTPUT(BEGIN_OUTPUT)
  for (int64_t i = 0; i < s->in; i++) {
    EACH_VECTOR(LOAD_VECTOR, )
    EACH_OUTPUT(STEP_OUTPUT)
  }
  float tile[OUTPUTS][PANEL];
  EACH_OUTPUT(END_OUTPUT)
  const int64_t count = last - o + 1 < OUTPUTS ? last - o + 1 : OUTPUTS;
  for (int64_t r = 0; r < PANEL; r++) {
    for (int64_t k = 0; k < count; k++) { y[r * s->out + o + k] = tile[k][r]; }
  }
}

static void few_rows_multiply(const ssti_linear *s, int64_t begin, int64_t end, const float *panels,
                              const float *weight, const float *bias, float *y) {
  for (int64_t i = begin; i < end; i++) {
    for (int64_t row = 0; row < s->rows; row += PANEL) {
      multiply(s, i * OUTPUTS, panels + row * s->in, weight, bias, y + row * s->out);
    }
  }
}

void SSTI_SIMD(ssti_simd_fill_few_rows)(ssti_simd *table) {
  table->few_rows_panel = PANEL;
  table->few_rows_outputs = OUTPUTS;
  table->few_rows_turn = few_rows_turn;
  table->few_rows_multiply = few_rows_multiply;
}
