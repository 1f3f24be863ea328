// SPDX-License-Identifier: Apache-2.0
// The neurons of spikestill/neuron.h once more, in double, one neuron at a time and with tangents (forward-mode
// differentiation) instead of a backward pass: independent of the library's kernels in precision, in loop order and in
// the way derivatives are found. Also a holder for one kernel call. Include after <cmocka.h>.
#ifndef SPIKESTILL_TESTS_NEURON_MODEL_H
#define SPIKESTILL_TESTS_NEURON_MODEL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/reference/reference.h"

// A number and its derivative along one direction.
typedef struct dual {
  double value, tangent;
} dual;

static inline dual dual_constant(double value) { return (dual){value, 0}; }
static inline dual dual_add(dual a, dual b) { return (dual){a.value + b.value, a.tangent + b.tangent}; }
static inline dual dual_subtract(dual a, dual b) { return (dual){a.value - b.value, a.tangent - b.tangent}; }
static inline dual dual_multiply(dual a, dual b) {
  return (dual){a.value * b.value, a.tangent * b.value + a.value * b.tangent};
}

static inline double model_normal(double v, double mean, double deviation) {
  const double z = (v - mean) / deviation;
  return exp(-z * z / 2) / (deviation * sqrt(2 * acos(-1.0)));
}
static inline double model_normal_below(double v, double mean, double deviation) {
  return 0.5 * (1 + erf((v - mean) / (deviation * sqrt(2.0))));
}

static inline double model_derivative(sst_surrogate_kind kind, double a, double v) {
  const double pi = acos(-1.0), s = 1 / a;
  switch (kind) {
  case SST_SURROGATE_ARCTAN: return a / 2 / (1 + pow(pi / 2 * a * v, 2));
  case SST_SURROGATE_SIGMOID: return a / (2 + exp(a * v) + exp(-a * v));
  case SST_SURROGATE_FAST_SIGMOID: return a / 2 / pow(1 + fabs(a * v), 2);
  case SST_SURROGATE_TRIANGLE: return a * fmax(0, 1 - a * fabs(v));
  case SST_SURROGATE_RECTANGLE: return fabs(v) < 1 / (2 * a) ? a : 0;
  case SST_SURROGATE_GAUSSIAN: return model_normal(v, 0, s);
  case SST_SURROGATE_MULTI_GAUSSIAN:
    return 1.15 * model_normal(v, 0, s) - 0.15 * (model_normal(v, s, 6 * s) + model_normal(v, -s, 6 * s));
  case SST_SURROGATE_ERF: return a / sqrt(pi) * exp(-pow(a * v, 2));
  case SST_SURROGATE_STRAIGHT_THROUGH: return a;
  case SST_SURROGATE_COUNT: break;
  }
  return (double)NAN;
}

static inline double model_primitive(sst_surrogate_kind kind, double a, double v) {
  const double pi = acos(-1.0), s = 1 / a;
  switch (kind) {
  case SST_SURROGATE_ARCTAN: return atan(pi / 2 * a * v) / pi + 0.5;
  case SST_SURROGATE_SIGMOID: return 1 / (1 + exp(-a * v));
  case SST_SURROGATE_FAST_SIGMOID: return (a * v / (1 + fabs(a * v)) + 1) / 2;
  case SST_SURROGATE_TRIANGLE:
    if (fabs(v) >= s) { return v > 0; }
    return v < 0 ? pow(1 + a * v, 2) / 2 : 1 - pow(1 - a * v, 2) / 2;
  case SST_SURROGATE_RECTANGLE: return fmin(1, fmax(0, a * v + 0.5));
  case SST_SURROGATE_GAUSSIAN: return model_normal_below(v, 0, s);
  case SST_SURROGATE_MULTI_GAUSSIAN:
    return 1.15 * model_normal_below(v, 0, s) -
           0.15 * (model_normal_below(v, s, 6 * s) + model_normal_below(v, -s, 6 * s));
  case SST_SURROGATE_ERF: return 0.5 * (1 + erf(a * v));
  case SST_SURROGATE_STRAIGHT_THROUGH: return a * v + 0.5;
  case SST_SURROGATE_COUNT: break;
  }
  return (double)NAN;
}

// What is stored of u, in full precision or on the grid; straight through the rounding, nothing through the clip.
static inline dual model_stored(const ssti_neuron_shape *shape, dual decay, dual u) {
  const sst_neuron *p = &shape->neuron;
  const double codes = pow(2, p->membrane_bits - 1);
  const double step = pow(2, ceil(log2((double)p->membrane_range * (double)p->threshold))) / codes;
  const dual leaked = dual_multiply(decay, u);
  const double steps = leaked.value / step;
  if (fabs(steps) > codes - 1) { return dual_constant(steps > 0 ? (codes - 1) * step : (1 - codes) * step); }
  return (dual){shape->smooth ? leaked.value : floor(steps + 0.5) * step, leaked.tangent};
}

// The decay as a multiple of 1/256, straight through.
static inline dual model_rounded_decay(dual decay) {
  return (dual){floor(decay.value * 256 + 0.5) / 256, decay.tangent};
}

// Runs neuron `i` of the layer. x(t) comes from x[t * stride + i]; `spikes` and `membrane` get `steps` duals.
static inline void model_neuron(const ssti_neuron_shape *shape, const dual *x, dual w, int64_t i, dual *spikes,
                                dual *membrane) {
  const sst_neuron *p = &shape->neuron;
  const int64_t stride = shape->input_steps == 1 ? 0 : shape->count;
  const dual one = dual_constant(1), rest = dual_constant(p->hard_reset ? (double)p->v_reset : 0);
  dual decay = dual_constant(p->kind == SST_NEURON_IF ? 1 : (double)p->decay);
  if (p->kind == SST_NEURON_PLIF) {
    const double sigmoid = 1 / (1 + exp(-w.value));
    decay = (dual){1 - sigmoid, -sigmoid * (1 - sigmoid) * w.tangent};
  }
  const bool on_grid = p->membrane_bits > 0;
  if (on_grid) { decay = model_rounded_decay(decay); }
  const bool decay_input = p->decay_input && p->kind != SST_NEURON_IF;
  const double share = p->kind == SST_NEURON_LI ? 0 : (double)p->initial_membrane;
  dual u = dual_constant(rest.value + share * ((double)p->threshold - rest.value)), current = dual_constant(0),
       a = dual_constant(0), s_before = dual_constant(0);
  for (int64_t t = 0; t < shape->steps; t++) {
    dual drive = x[t * stride + i];
    if (p->kind == SST_NEURON_CUBALIF) {
      const dual keep = dual_constant((double)p->current_decay);
      if (decay_input) { drive = dual_multiply(dual_subtract(one, keep), drive); }
      drive = current = dual_add(dual_multiply(keep, current), drive);
    } else if (decay_input) {
      drive = dual_multiply(dual_subtract(one, decay), drive);
    }
    const dual kept = on_grid ? model_stored(shape, decay, u) : dual_multiply(decay, dual_subtract(u, rest));
    const dual h = dual_add(dual_add(rest, kept), drive);
    membrane[t] = h;
    if (p->kind == SST_NEURON_LI) {
      spikes[t] = u = h;
      continue;
    }
    dual threshold = dual_constant((double)p->threshold);
    if (p->kind == SST_NEURON_ALIF) {
      a = dual_add(dual_multiply(dual_constant((double)p->adaptation_decay), a), s_before);
      threshold = dual_add(threshold, dual_multiply(dual_constant((double)p->adaptation), a));
    }
    const dual v = dual_subtract(h, threshold);
    const double slope = model_derivative(p->surrogate, (double)p->alpha, v.value);
    const double fired = shape->smooth ? model_primitive(p->surrogate, (double)p->alpha, v.value) : v.value >= 0;
    const dual s = {fired, slope * v.tangent};
    const dual s_reset = p->detach_reset ? dual_constant(s.value) : s;
    spikes[t] = s;
    s_before = s_reset;
    u = p->hard_reset ? dual_add(dual_multiply(h, dual_subtract(one, s_reset)), dual_multiply(rest, s_reset))
                      : dual_subtract(h, dual_multiply(threshold, s_reset));
  }
}

// The value and derivative of <spikes, dspikes> + <membrane, dmembrane> over the layer along the tangents in x and w.
static inline dual model_projection(const ssti_neuron_shape *shape, const dual *x, dual w, const float *dspikes,
                                    const float *dmembrane) {
  dual sum = dual_constant(0);
  dual *spikes = calloc((size_t)shape->steps * 2, sizeof *spikes), *membrane = spikes + shape->steps;
  assert_non_null(spikes);
  for (int64_t i = 0; i < shape->count; i++) {
    model_neuron(shape, x, w, i, spikes, membrane);
    for (int64_t t = 0; t < shape->steps; t++) {
      const int64_t at = t * shape->count + i;
      sum = dual_add(sum, dual_multiply(spikes[t], dual_constant((double)dspikes[at])));
      sum = dual_add(sum, dual_multiply(membrane[t], dual_constant((double)dmembrane[at])));
    }
  }
  free(spikes);
  return sum;
}

// One kernel call's arrays. Outputs start as NaN, so that what a kernel misses shows.
typedef struct neuron_arrays {
  ssti_neuron_shape shape;
  int64_t in_count, out_count;
  float *x, *spikes, *membrane, *dspikes, *dmembrane, *dx;
  float w, dw;
  void *workspace;
} neuron_arrays;

static inline float *neuron_floats(int64_t count) {
  const size_t bytes = ((size_t)count * sizeof(float) + 64) / 64 * 64;
  float *block = aligned_alloc(64, bytes);
  assert_non_null(block);
  for (size_t i = 0; i < bytes / sizeof(float); i++) { block[i] = NAN; }
  return block;
}

// A backend with the reference's neurons and nothing else.
static inline ssti_backend neuron_backend(sst_context *context) {
  ssti_backend backend = {.context = context};
  backend.kernels.neuron_forward = ssti_reference_neuron_forward;
  backend.kernels.neuron_backward = ssti_reference_neuron_backward;
  backend.kernels.neuron_workspace = ssti_reference_neuron_workspace;
  return backend;
}

// Numbers in [low, high) from a small generator, the same on every machine.
static inline void neuron_fill(float *data, int64_t count, float low, float high, uint32_t salt) {
  uint32_t state = salt * 2654435761u + 99u;
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = low + (high - low) * ((float)(state >> 8) / 16777216.0f);
  }
}

static inline void neuron_arrays_begin(neuron_arrays *c, const ssti_neuron_shape *shape, uint32_t salt) {
  *c = (neuron_arrays){.shape = *shape, .w = 0.3f, .dw = NAN};
  c->in_count = shape->input_steps * shape->count;
  c->out_count = shape->steps * shape->count;
  c->x = neuron_floats(c->in_count);
  c->spikes = neuron_floats(c->out_count);
  c->membrane = neuron_floats(c->out_count);
  c->dspikes = neuron_floats(c->out_count);
  c->dmembrane = neuron_floats(c->out_count);
  c->dx = neuron_floats(c->in_count);
  neuron_fill(c->x, c->in_count, -0.6f, 1.6f, salt);
  neuron_fill(c->dspikes, c->out_count, -1.0f, 1.0f, salt + 1);
  neuron_fill(c->dmembrane, c->out_count, -1.0f, 1.0f, salt + 2);
}

static inline void neuron_arrays_end(neuron_arrays *c) {
  free(c->x);
  free(c->spikes);
  free(c->membrane);
  free(c->dspikes);
  free(c->dmembrane);
  free(c->dx);
  free(c->workspace);
}

static inline const float *neuron_w(const neuron_arrays *c) {
  return c->shape.neuron.kind == SST_NEURON_PLIF ? &c->w : NULL;
}

static inline void neuron_forward(ssti_backend *backend, neuron_arrays *c) {
  backend->kernels.neuron_forward(backend, &c->shape, c->x, neuron_w(c), c->spikes, c->membrane, NULL);
}

// The workspace ends where its size says: a kernel that writes past it is caught by the address sanitizer.
static inline void neuron_backward(ssti_backend *backend, neuron_arrays *c, bool accumulate) {
  const size_t size = backend->kernels.neuron_workspace(backend, &c->shape, true);
  free(c->workspace);
  void *block = NULL;
  assert_int_equal(posix_memalign(&block, 64, size > 0 ? size : 1), 0);
  c->workspace = block;
  memset(c->workspace, 0xff, size);
  backend->kernels.neuron_backward(backend, &c->shape, c->x, neuron_w(c), c->dspikes, c->dmembrane, c->dx, accumulate,
                                   neuron_w(c) != NULL ? &c->dw : NULL, accumulate, c->workspace);
}

#endif
