// SPDX-License-Identifier: Apache-2.0
// Spiking neurons and surrogate derivatives.
//
// In discrete time, with decay d = `decay`, input x[t], stored state u, threshold theta > 0:
//
//     rest = v_reset with hard reset, 0 with soft reset
//     u before the first step is rest + initial_membrane * (theta - rest)
//     gain = 1 - d if `decay_input`, else 1
//     H[t] = rest + d * (u[t-1] - rest) + gain * x[t]            membrane potential before firing
//     s[t] = 1 if H[t] >= theta, else 0
//     u[t] = H[t] * (1 - s[t]) + v_reset * s[t]   (hard)    or    H[t] - theta * s[t]   (soft)
//
// IF is d = 1 without `decay_input`, whatever those fields say. PLIF learns w with d = 1 - sigmoid(w), one scalar for
// the layer (Fang et al. 2021). LI never fires: its output is H[t], and u[t] = H[t]; with hard reset it leaks towards
// v_reset.
// CubaLIF filters the input first: I[t] = current_decay * I[t-1] + gain_i * x[t] with gain_i = 1 - current_decay if
// `decay_input`, else 1, and then H[t] = rest + d * (u[t-1] - rest) + I[t]. ALIF raises its threshold after each spike
// (Bellec et al. 2018): a[t] = adaptation_decay * a[t-1] + s[t-1], theta[t] = theta + adaptation * a[t], soft reset
// subtracts theta[t]. I, a and s are 0 before the first step.
//
// IF, LIF and PLIF can store their state in few bits (quantize.h). The leak then acts when the state is stored:
//
//     v[t] = D * round(clip(d * u[t] / D, -Q, Q)),  Q = 2^(membrane_bits - 1) - 1      H[t] = v[t-1] + gain * x[t]
//
// D is a power of two: membrane_range * theta, raised to one, over 2^(membrane_bits - 1). d is rounded to a multiple of
// 1/256, so that all is integer arithmetic. The state rests at 0: a hard reset must go there, and a soft reset must
// subtract a multiple of D. The gradient passes the roundings unchanged, and not at all where v was clipped.
//
// Backward: ds/dH is the surrogate's derivative at (H - theta). With `detach_reset` the s in the reset line and in
// ALIF's a[t] is a constant (so theta[t] is one too); otherwise its derivative is followed too.
#ifndef SPIKESTILL_NEURON_H
#define SPIKESTILL_NEURON_H

#include "spikestill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word in recipes", "one line")
#define SST_NEURON_LIST(X)                                                                                             \
  X(IF, "if", "integrate and fire, no leak")                                                                           \
  X(LIF, "lif", "leaky integrate and fire with fixed decay")                                                           \
  X(PLIF, "plif", "leaky integrate and fire with a learned decay")                                                     \
  X(LI, "li", "leaky integrator without firing, for readouts")                                                         \
  X(CUBALIF, "cubalif", "leaky integrate and fire behind a synaptic current")                                          \
  X(ALIF, "alif", "leaky integrate and fire with an adaptive threshold")

typedef enum sst_neuron_kind {
#define SST_NEURON_ENUM(name, word, text) SST_NEURON_##name,
  SST_NEURON_LIST(SST_NEURON_ENUM)
#undef SST_NEURON_ENUM
      SST_NEURON_COUNT
} sst_neuron_kind;

// X(NAME, "word", default alpha, "derivative g(v)", "primitive G(v), G' = g"): v = H - theta, a = alpha.
// The texts say the formulas; src/neuron/surrogate.h holds the code.
#define SST_SURROGATE_LIST(X)                                                                                          \
  X(ARCTAN, "arctan", 2.0f, "a/2 / (1 + (pi/2*a*v)^2)", "atan(pi/2*a*v)/pi + 1/2")                                     \
  X(SIGMOID, "sigmoid", 4.0f, "a*s*(1-s), s = 1/(1+exp(-a*v))", "1/(1+exp(-a*v))")                                     \
  X(FAST_SIGMOID, "fast_sigmoid", 2.0f, "a/2 / (1 + |a*v|)^2", "(a*v/(1+|a*v|) + 1)/2")                                \
  X(TRIANGLE, "triangle", 1.0f, "a*max(0, 1 - a*|v|)", "piecewise quadratic from 0 to 1 on |v| <= 1/a")                \
  X(RECTANGLE, "rectangle", 1.0f, "a if |v| < 1/(2a), else 0", "clip(a*v + 1/2, 0, 1)")                                \
  X(GAUSSIAN, "gaussian", 2.0f, "normal density with deviation s = 1/a",                                               \
    "its distribution function, (1 + erf(a*v/sqrt(2)))/2")                                                             \
  X(MULTI_GAUSSIAN, "multi_gaussian", 2.0f,                                                                            \
    "1.15*N(v; 0, s) - 0.15*(N(v; s, 6s) + N(v; -s, 6s)), N the normal density, s = 1/a (Yin et al. 2021)",            \
    "the same sum of distribution functions; 0.85 far above the threshold")                                            \
  X(ERF, "erf", 2.0f, "a/sqrt(pi) * exp(-(a*v)^2)", "erfc(-a*v)/2")                                                    \
  X(STRAIGHT_THROUGH, "straight_through", 1.0f, "a", "a*v + 1/2")

typedef enum sst_surrogate_kind {
#define SST_SURROGATE_ENUM(name, word, alpha, derivative, primitive) SST_SURROGATE_##name,
  SST_SURROGATE_LIST(SST_SURROGATE_ENUM)
#undef SST_SURROGATE_ENUM
      SST_SURROGATE_COUNT
} sst_surrogate_kind;

typedef struct sst_neuron {
  sst_neuron_kind kind;
  float decay;            // 0..1; for PLIF the start value of 1 - sigmoid(w)
  float threshold;        // > 0
  bool hard_reset;        // otherwise soft reset (subtraction)
  float v_reset;          // hard reset only; below the threshold
  float initial_membrane; // 0..1: before the first step, from rest to the threshold; LI starts at rest
  bool decay_input;       // input is multiplied by 1 - decay
  bool detach_reset;      // backward pass takes the reset's spike as a constant
  float current_decay;    // CubaLIF: 0..1
  float adaptation;       // ALIF: >= 0
  float adaptation_decay; // ALIF: 0..1
  sst_surrogate_kind surrogate;
  float alpha;          // surrogate's sharpness, > 0
  int membrane_bits;    // of the stored state, 2..16; 0: full precision
  float membrane_range; // where the stored state's grid ends, in thresholds, > 0
} sst_neuron;

// LIF, decay 0.5, threshold 1, hard reset to 0, starting at rest, no input decay, detached reset, arctan with its
// default alpha, membranes in full precision (range 1).
SST_API sst_neuron sst_neuron_default(void);

// Words and back. *_parse returns false for an unknown word. The texts have static storage.
SST_API const char *sst_neuron_word(sst_neuron_kind kind);
SST_API bool sst_neuron_parse(const char *word, sst_neuron_kind *out);
SST_API const char *sst_surrogate_word(sst_surrogate_kind kind);
SST_API bool sst_surrogate_parse(const char *word, sst_surrogate_kind *out);
SST_API float sst_surrogate_default_alpha(sst_surrogate_kind kind);

// Derivative and primitive at v = H - theta, as plain functions for plots and tests.
SST_API float sst_surrogate_derivative(sst_surrogate_kind kind, float alpha, float v);
SST_API float sst_surrogate_primitive(sst_surrogate_kind kind, float alpha, float v);

#ifdef __cplusplus
}
#endif
#endif
