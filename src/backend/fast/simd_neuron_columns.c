// SPDX-License-Identifier: Apache-2.0
// The common case of simd_neuron.c where there are 32 registers: groups of 64 neurons go through all steps, forward and
// back, with what they carry in registers, as four columns of sixteen, because a neuron's steps wait for each other.
// Only x, the spikes and the gradients touch memory. The arithmetic is the same, in the same order. The other cases
// (smoothed firing, a leak that learns, gradients through the reset, very many steps) stay with the loops over rows.
#include "backend/fast/simd_neuron.h"
#include "neuron/surrogate.h"

#ifdef __AVX512F__

enum { LANES = 16, COLUMNS = 4, GROUP = COLUMNS * LANES, MOST_STEPS = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef float lanes_in_memory __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t masks __attribute__((vector_size(LANES * sizeof(int32_t))));

#define INLINE static inline __attribute__((always_inline))
// Columns stay in registers only where loops over them are gone.
#ifdef __clang__
#define EACH_COLUMN(k) _Pragma("unroll") for (int k = 0; k < COLUMNS; k++)
#define EACH_LANE(l) for (int l = 0; l < LANES; l++)
#else
#define EACH_COLUMN(k) _Pragma("GCC unroll 4") for (int k = 0; k < COLUMNS; k++)
// A loop with a short body is taken apart before it could become one of vectors, and then takes sixteen times as long.
#define EACH_LANE(l) _Pragma("GCC unroll 1") for (int l = 0; l < LANES; l++)
#endif

INLINE lanes load(const float *from) { return *(const lanes_in_memory *)(const void *)from; }
INLINE void store(float *to, lanes value) { *(lanes_in_memory *)(void *)to = value; }
INLINE lanes keep_if(masks mask, lanes value) { return (lanes)(mask & (masks)value); }
INLINE lanes choose(masks mask, lanes yes, lanes no) { return (lanes)((mask & (masks)yes) | (~mask & (masks)no)); }
INLINE lanes all(float value) { return (lanes){0} + value; }

int64_t SSTI_SIMD(ssti_neuron_columns)(const ssti_neuron_block *b) {
  const ssti_dynamics *d = b->dynamics;
  const bool is_forward = b->spikes != NULL;
  const bool common = !b->smooth && b->steps <= MOST_STEPS && (is_forward || (b->dleak == NULL && d->detach_reset));
  return common ? b->length / GROUP * GROUP : 0;
}

INLINE lanes charge(const ssti_dynamics *d, lanes u, lanes x) { return (d->decay * u + d->bias) + d->gain * x; }

INLINE lanes reset(const ssti_dynamics *d, bool hard, lanes h, masks fired) {
  return hard ? choose(fired, all(d->reset_to), h) : h - keep_if(fired, all(d->threshold));
}

// The grid's rules are written for single numbers.
INLINE lanes stored(const ssti_dynamics *d, lanes u) {
  float in[LANES], out[LANES];
  store(in, u);
  EACH_LANE(l) { out[l] = ssti_stored(d, in[l]); }
  return load(out);
}

// The gradient of u from that of what is stored of it.
INLINE lanes through_storing(const ssti_dynamics *d, lanes u, lanes du) {
  float at[LANES], in[LANES], out[LANES];
  store(at, u);
  store(in, du);
  EACH_LANE(l) { out[l] = ssti_keep_if(ssti_is_inside(d, at[l]), d->stored_decay * in[l]); }
  return load(out);
}

// What a group of columns has of its block; `i` is its first neuron.
typedef struct group {
  const ssti_neuron_block *b;
  int64_t i, stride;  // of x between steps; 0: the same at each
  bool normed, ahead; // ahead: there is another block behind this one
} group;

INLINE group group_of(const ssti_neuron_block *b, int64_t i) {
  return (group){.b = b,
                 .i = i,
                 .stride = b->input_steps == 1 ? 0 : b->count,
                 .normed = b->norm != NULL,
                 .ahead = b->begin + 2 * b->length <= b->count};
}

INLINE lanes x_at(const group *g, int64_t t, int k) {
  return load(g->b->x + g->b->begin + g->i + t * g->stride + k * LANES);
}

INLINE lanes number(const float *numbers, const group *g, int k) { return load(numbers + g->i + k * LANES); }

INLINE lanes input_at(const group *g, int64_t t, int k) {
  const lanes x = x_at(g, t, k);
  if (!g->normed) { return x; }
  const ssti_block_norm *norm = g->b->norm;
  return (x - number(norm->mean, g, k)) * number(norm->factor, g, k) + number(norm->offset, g, k);
}

// Asks for the same place of the next block: there are more streams than the hardware follows by itself.
INLINE void fetch(const group *g, const float *tensor, int64_t steps) {
  const float *at = tensor + g->b->begin + g->b->length + g->i;
  for (int64_t t = 0; t < steps; t++, at += g->b->count) {
    EACH_COLUMN(k) { __builtin_prefetch(at + k * LANES, 0, 3); }
  }
}

INLINE void forward_group(const ssti_neuron_block *b, const ssti_dynamics *d, int64_t i, bool hard) {
  const group g = group_of(b, i);
  if (g.ahead) {
    fetch(&g, b->x, b->input_steps);
    fetch(&g, b->spikes, b->steps);
  }
  lanes u[COLUMNS];
  EACH_COLUMN(k) { u[k] = b->resumes ? load(b->state + b->begin + i + k * LANES) : all(ssti_start(d)); }
  for (int64_t t = 0; t < b->steps; t++) {
    const int64_t at = t * b->count + b->begin + i;
    EACH_COLUMN(k) {
      const lanes h = charge(d, u[k], input_at(&g, t, k));
      const masks fired = h >= d->threshold;
      if (b->membrane != NULL) { store(b->membrane + at + k * LANES, h); }
      store(b->spikes + at + k * LANES, keep_if(fired, all(1.0f)));
      u[k] = reset(d, hard, h, fired);
      if (d->stores) { u[k] = stored(d, u[k]); }
    }
  }
  if (b->state == NULL) { return; }
  EACH_COLUMN(k) { store(b->state + b->begin + i + k * LANES, u[k]); }
}

INLINE void forward_columns(const ssti_neuron_block *b, int64_t length, bool hard) {
  const ssti_dynamics d = *b->dynamics;
  for (int64_t i = 0; i < length; i += GROUP) { forward_group(b, &d, i, hard); }
}

void SSTI_SIMD(ssti_neuron_columns_forward)(const ssti_neuron_block *b, int64_t length) {
  if (b->dynamics->hard_reset) {
    forward_columns(b, length, true);
  } else {
    forward_columns(b, length, false);
  }
}

// The surrogates are written for single numbers.
INLINE lanes derivative(sst_surrogate_kind kind, float alpha, lanes v) {
  float in[LANES], out[LANES];
  store(in, v);
  EACH_LANE(l) { out[l] = ssti_derivative(kind, alpha, in[l]); }
  return load(out);
}

// dx where sums are not wanted; dy is the gradient of what goes into the neurons.
INLINE void put_gradient(const group *g, int64_t t, int k, lanes dy) {
  const ssti_block_norm *norm = g->b->norm;
  if (g->normed) {
    const lanes centred = x_at(g, t, k) - number(norm->mean, g, k);
    dy = number(norm->gradient_factor, g, k) *
         ((dy - number(norm->mean_dy, g, k)) - centred * number(norm->slope, g, k));
  }
  float *dx = g->b->dx + g->b->begin + g->i + t * g->stride + k * LANES;
  store(dx, g->b->accumulate_dx ? load(dx) + dy : dy);
}

// How the neurons go back, as constants; `sums`: the norm's sums, and dy itself in the place of dx where there is one.
typedef struct way {
  sst_surrogate_kind kind;
  bool hard, sums;
} way;

INLINE void put_sums(const group *g, int64_t t, int k, lanes dy, lanes *sum, lanes *centred) {
  *sum += dy;
  *centred += dy * (x_at(g, t, k) - number(g->b->norm->mean, g, k));
  if (g->b->dx != NULL) { store(g->b->dx + g->b->begin + g->i + t * g->stride + k * LANES, dy); }
}

INLINE void backward_group(const ssti_neuron_block *b, const ssti_dynamics *d, int64_t i, way w) {
  const group g = group_of(b, i);
  const bool once = b->input_steps == 1;
  if (g.ahead) {
    fetch(&g, b->x, b->input_steps);
    if (b->dspikes != NULL) { fetch(&g, b->dspikes, b->steps); }
    if (b->dx != NULL && b->dx != b->dspikes) { fetch(&g, b->dx, b->input_steps); }
  }
  lanes h[MOST_STEPS][COLUMNS], u[COLUMNS], du[COLUMNS], dh_sum[COLUMNS], sum[COLUMNS], centred[COLUMNS];
  EACH_COLUMN(k) {
    u[k] = all(ssti_start(d));
    du[k] = dh_sum[k] = all(0.0f);
    if (w.sums) { sum[k] = number(b->norm->sum_dy, &g, k), centred[k] = number(b->norm->sum_dy_centred, &g, k); }
  }
  for (int64_t t = 0; t < b->steps; t++) {
    EACH_COLUMN(k) {
      h[t][k] = charge(d, u[k], input_at(&g, t, k));
      u[k] = reset(d, w.hard, h[t][k], h[t][k] >= d->threshold);
      if (d->stores) { u[k] = stored(d, u[k]); }
    }
  }
  for (int64_t t = b->steps - 1; t >= 0; t--) {
    const int64_t at = t * b->count + b->begin + i;
    EACH_COLUMN(k) {
      const masks fired = h[t][k] >= d->threshold;
      if (d->stores) { du[k] = through_storing(d, reset(d, w.hard, h[t][k], fired), du[k]); }
      const lanes slope = derivative(w.kind, d->alpha, h[t][k] - d->threshold);
      const lanes ds = b->dspikes != NULL ? load(b->dspikes + at + k * LANES) : all(0.0f);
      lanes dh = ds * slope;
      if (b->dmembrane != NULL) { dh = load(b->dmembrane + at + k * LANES) + dh; }
      dh += w.hard ? keep_if(~fired, du[k]) : du[k];
      du[k] = d->decay * dh;
      const lanes dy = d->gain * dh;
      if (once) {
        dh_sum[k] += dy;
      } else if (w.sums) {
        put_sums(&g, t, k, dy, &sum[k], &centred[k]);
      } else if (b->dx != NULL) {
        put_gradient(&g, t, k, dy);
      }
    }
  }
  EACH_COLUMN(k) {
    if (once && w.sums) {
      put_sums(&g, 0, k, dh_sum[k], &sum[k], &centred[k]);
    } else if (once && b->dx != NULL) {
      put_gradient(&g, 0, k, dh_sum[k]);
    }
    if (!w.sums) { continue; }
    store(b->norm->sum_dy + i + k * LANES, sum[k]);
    store(b->norm->sum_dy_centred + i + k * LANES, centred[k]);
  }
}

INLINE void backward_columns(const ssti_neuron_block *b, int64_t length, way w) {
  const ssti_dynamics d = *b->dynamics;
  for (int64_t i = 0; i < length; i += GROUP) { backward_group(b, &d, i, w); }
}

INLINE void backward_as(const ssti_neuron_block *b, int64_t length, way w) {
  if (b->norm != NULL && b->norm->sum_dy != NULL) {
    w.sums = true;
    backward_columns(b, length, w);
  } else {
    backward_columns(b, length, w);
  }
}

// One function a surrogate, four loops in it.
#define DEFINE_BACKWARD(name, word, default_alpha, derivative, primitive)                                              \
  static void backward_##name(const ssti_neuron_block *b, int64_t length) {                                            \
    if (b->dynamics->hard_reset) {                                                                                     \
      backward_as(b, length, (way){.kind = SST_SURROGATE_##name, .hard = true});                                       \
    } else {                                                                                                           \
      backward_as(b, length, (way){.kind = SST_SURROGATE_##name});                                                     \
    }                                                                                                                  \
  }
SST_SURROGATE_LIST(DEFINE_BACKWARD)
#undef DEFINE_BACKWARD

void SSTI_SIMD(ssti_neuron_columns_backward)(const ssti_neuron_block *b, int64_t length) {
  switch (b->dynamics->surrogate) {
#define CALL_BACKWARD(name, word, default_alpha, derivative, primitive)                                                \
  case SST_SURROGATE_##name: backward_##name(b, length); return;
    SST_SURROGATE_LIST(CALL_BACKWARD)
#undef CALL_BACKWARD
  case SST_SURROGATE_COUNT: break;
  }
  assert(false);
}

#else

int64_t SSTI_SIMD(ssti_neuron_columns)(const ssti_neuron_block *b) { return (void)b, 0; }
void SSTI_SIMD(ssti_neuron_columns_forward)(const ssti_neuron_block *b, int64_t length) { (void)b, (void)length; }
void SSTI_SIMD(ssti_neuron_columns_backward)(const ssti_neuron_block *b, int64_t length) { (void)b, (void)length; }

#endif
