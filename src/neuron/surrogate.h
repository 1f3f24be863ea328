// SPDX-License-Identifier: Apache-2.0
// Surrogates in f32: for each kind the derivative g(a, v) and its primitive G(a, v), v = H - theta, a = alpha > 0.
// The formulas are beside SST_SURROGATE_LIST in spikestill/neuron.h.
//
// The functions are named by kind (ssti_derivative_ARCTAN, ssti_primitive_ARCTAN), so a kernel makes one loop a kind by
// expanding SST_SURROGATE_LIST around them. The derivatives have no branches and call no library function: such a loop
// vectorises. The primitives serve tests and plots (smoothed forward passes) and take what libm has.
#ifndef SPIKESTILL_NEURON_SURROGATE_H
#define SPIKESTILL_NEURON_SURROGATE_H

#include <math.h>
#include <stdint.h>

#include "base/everywhere.h"
#include "spikestill/neuron.h"

typedef union ssti_float_bits {
  float value;
  uint32_t bits;
} ssti_float_bits;

// x where `keep`, else 0. On the bits, because gcc moves floating-point operations into the arms of a conditional and
// then does not vectorise the loop (-ftrapping-math).
SSTI_EVERYWHERE float ssti_keep_if(int keep, float x) {
  ssti_float_bits y;
  y.value = x;
  y.bits &= 0u - (uint32_t)keep;
  return y.value;
}

// exp(x) by x = n ln2 + r, |r| <= ln2/2, and a polynomial of degree 7 in r (Cephes' coefficients). For x in
// [-87.33, 88.37], where the result is a normal number, the relative error against exp in double is below 1.2e-7.
// Smaller x gives 0, NaN stays NaN; larger x is the caller's fault.
SSTI_EVERYWHERE float ssti_expf_fast(float x) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves that integer in the low bits.
  const float shift = 12582912.0f, low = -87.33f;
  ssti_float_bits rounded, scale;
  rounded.value = x * 1.44269504088896341f + shift;
  const float n = rounded.value - shift;
  scale.bits = ((rounded.bits + 127u) << 23) & (0u - (uint32_t) !(x < low));
  // ln2 in two parts; the product with the first is exact.
  const float r = ssti_keep_if(!(x < low), (x - n * 0.693359375f) + n * 2.12194440e-4f);
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * (r * r) + r + 1.0f) * scale.value;
}

// 1 / sqrt(2 pi), 1 / sqrt(pi), 1 / sqrt(2)
#define SSTI_INV_SQRT_2PI 0.39894228040143267794f
#define SSTI_INV_SQRT_PI 0.56418958354775628695f
#define SSTI_INV_SQRT_2 0.70710678118654752440f

// Distribution function of the standard normal; erfc keeps the small values of the lower tail.
SSTI_EVERYWHERE float ssti_normal_distribution(float z) { return 0.5f * erfcf(-z * SSTI_INV_SQRT_2); }

SSTI_EVERYWHERE float ssti_derivative_ARCTAN(float a, float v) {
  const float z = 1.57079632679489661923f * a * v;
  return 0.5f * a / (1.0f + z * z);
}
SSTI_EVERYWHERE float ssti_primitive_ARCTAN(float a, float v) {
  return atanf(1.57079632679489661923f * a * v) * 0.31830988618379067154f + 0.5f;
}

// s (1 - s) = e / (1 + e)^2 with e = exp(-|a v|): no cancellation and no overflow on either side.
SSTI_EVERYWHERE float ssti_derivative_SIGMOID(float a, float v) {
  const float e = ssti_expf_fast(-fabsf(a * v));
  const float one_plus = 1.0f + e;
  return a * e / (one_plus * one_plus);
}
SSTI_EVERYWHERE float ssti_primitive_SIGMOID(float a, float v) { return 1.0f / (1.0f + expf(-a * v)); }

SSTI_EVERYWHERE float ssti_derivative_FAST_SIGMOID(float a, float v) {
  const float z = 1.0f + fabsf(a * v);
  return 0.5f * a / (z * z);
}
SSTI_EVERYWHERE float ssti_primitive_FAST_SIGMOID(float a, float v) {
  const float z = a * v;
  return 0.5f * (z / (1.0f + fabsf(z)) + 1.0f);
}

SSTI_EVERYWHERE float ssti_derivative_TRIANGLE(float a, float v) {
  const float z = 1.0f - fabsf(a * v);
  return a * ssti_keep_if(z > 0.0f, z);
}
SSTI_EVERYWHERE float ssti_primitive_TRIANGLE(float a, float v) {
  const float z = 1.0f - fabsf(a * v);
  const float inside = ssti_keep_if(z > 0.0f, z);
  const float tail = 0.5f * inside * inside;
  return v < 0.0f ? tail : 1.0f - tail;
}

SSTI_EVERYWHERE float ssti_derivative_RECTANGLE(float a, float v) { return ssti_keep_if(fabsf(a * v) < 0.5f, a); }
SSTI_EVERYWHERE float ssti_primitive_RECTANGLE(float a, float v) {
  const float z = a * v + 0.5f;
  return z < 0.0f ? 0.0f : (z > 1.0f ? 1.0f : z);
}

SSTI_EVERYWHERE float ssti_derivative_GAUSSIAN(float a, float v) {
  const float z = a * v;
  return a * SSTI_INV_SQRT_2PI * ssti_expf_fast(-0.5f * z * z);
}
SSTI_EVERYWHERE float ssti_primitive_GAUSSIAN(float a, float v) { return ssti_normal_distribution(a * v); }

// In units of s = 1/a: centres at 0 and +-1, deviations 1 and 6.
SSTI_EVERYWHERE float ssti_derivative_MULTI_GAUSSIAN(float a, float v) {
  const float z = a * v;
  const float right = (z - 1.0f) * (1.0f / 6.0f), left = (z + 1.0f) * (1.0f / 6.0f);
  const float middle = 1.15f * ssti_expf_fast(-0.5f * z * z);
  const float sides = ssti_expf_fast(-0.5f * right * right) + ssti_expf_fast(-0.5f * left * left);
  return a * SSTI_INV_SQRT_2PI * (middle - (0.15f / 6.0f) * sides);
}
SSTI_EVERYWHERE float ssti_primitive_MULTI_GAUSSIAN(float a, float v) {
  const float z = a * v;
  const float sides =
      ssti_normal_distribution((z - 1.0f) * (1.0f / 6.0f)) + ssti_normal_distribution((z + 1.0f) * (1.0f / 6.0f));
  return 1.15f * ssti_normal_distribution(z) - 0.15f * sides;
}

SSTI_EVERYWHERE float ssti_derivative_ERF(float a, float v) {
  const float z = a * v;
  return a * SSTI_INV_SQRT_PI * ssti_expf_fast(-z * z);
}
SSTI_EVERYWHERE float ssti_primitive_ERF(float a, float v) { return 0.5f * erfcf(-a * v); }

SSTI_EVERYWHERE float ssti_derivative_STRAIGHT_THROUGH(float a, float v) {
  (void)v;
  return a;
}
SSTI_EVERYWHERE float ssti_primitive_STRAIGHT_THROUGH(float a, float v) { return a * v + 0.5f; }

// By kind; with a constant `kind` the compiler keeps one case.
SSTI_EVERYWHERE float ssti_derivative(sst_surrogate_kind kind, float a, float v) {
  switch (kind) {
#define SSTI_SURROGATE_CASE(name, word, alpha, derivative, primitive)                                                  \
  case SST_SURROGATE_##name: return ssti_derivative_##name(a, v);
    SST_SURROGATE_LIST(SSTI_SURROGATE_CASE)
#undef SSTI_SURROGATE_CASE
  case SST_SURROGATE_COUNT: break;
  }
  return 0.0f;
}
SSTI_EVERYWHERE float ssti_primitive(sst_surrogate_kind kind, float a, float v) {
  switch (kind) {
#define SSTI_SURROGATE_CASE(name, word, alpha, derivative, primitive)                                                  \
  case SST_SURROGATE_##name: return ssti_primitive_##name(a, v);
    SST_SURROGATE_LIST(SSTI_SURROGATE_CASE)
#undef SSTI_SURROGATE_CASE
  case SST_SURROGATE_COUNT: break;
  }
  return 0.0f;
}

#endif
