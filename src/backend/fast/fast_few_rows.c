// SPDX-License-Identifier: Apache-2.0
// Linear layers at a small batch: see simd_few_rows.c. oneDNN copies the weights into another order in every call,
// which costs a third of the time where each of them meets only some dozens of rows.
#include "backend/fast/fast.h"
#include "base/parallel.h"

enum {
  LEAST_OUTPUTS = 64,
  PANEL_BYTES = 512 << 10, // of all rows: they stay in the second-level cache
  TURN_GRAIN = 64,
  TILE_OPERATIONS = 1 << 18 // multiply-adds that are worth a thread
};

bool ssti_few_rows_possible(ssti_backend *backend, const ssti_linear *s) {
  const int64_t panel = ssti_fast_state_of(backend)->simd.few_rows_panel;
  return s->precision == SST_PRECISION_F32 && s->rows > 0 && s->rows % panel == 0 && s->out >= LEAST_OUTPUTS &&
         s->rows * s->in <= (int64_t)(PANEL_BYTES / sizeof(float));
}

size_t ssti_few_rows_workspace(const ssti_linear *s) { return (size_t)(s->rows * s->in) * sizeof(float); }

typedef struct few_work {
  const ssti_simd *simd;
  const ssti_linear *s;
  const float *x, *weight, *bias;
  float *panels, *y;
} few_work;

static void turn_range(void *arg, int64_t begin, int64_t end) {
  const few_work *w = arg;
  w->simd->few_rows_turn(w->s, begin, end, w->x, w->panels);
}

static void multiply_range(void *arg, int64_t begin, int64_t end) {
  const few_work *w = arg;
  w->simd->few_rows_multiply(w->s, begin, end, w->panels, w->weight, w->bias, w->y);
}

void ssti_few_rows_forward(ssti_backend *backend, const ssti_linear *s, const float *x, const float *weight,
                           const float *bias, float *y, void *workspace) {
  few_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                   .s = s,
                   .x = x,
                   .weight = weight,
                   .bias = bias,
                   .panels = workspace,
                   .y = y};
  ssti_parallel_for(backend->context, s->in, TURN_GRAIN, turn_range, &work);
  const int64_t outputs = work.simd->few_rows_outputs;
  ssti_parallel_for(backend->context, (s->out + outputs - 1) / outputs,
                    1 + TILE_OPERATIONS / (s->rows * s->in * outputs), multiply_range, &work);
}
