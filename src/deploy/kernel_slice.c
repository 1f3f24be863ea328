// SPDX-License-Identifier: Apache-2.0
// Arithmetic on slices: plane i of a number holds bit i of 1024 neurons. Numbers are in two's complement modulo
// 2^width; stored values are unsigned.
#include "deploy/kernel_vector.h"

typedef struct number {
  vector plane[SSTI_MOST_PLANES];
} number;

INLINE void set_constant(number *h, int width, int64_t value) {
  for (int i = 0; i < width; i++) { h->plane[i] = value >> (i < 63 ? i : 63) & 1 ? ones() : zeros(); }
}

// h += x << shift. x has its top plane again and again above it, or zeros.
INLINE void add_shifted(number *h, int width, const uint8_t *x, int64_t stride, int planes, int shift, bool extends) {
  vector carry = zeros(), top = zeros();
  int i = shift;
  for (; i < width && i - shift < planes; i++) {
    top = load(x + (i - shift) * stride);
    carry = full_add(&h->plane[i], top, carry);
  }
  if (extends) {
    for (; i < width; i++) { carry = full_add(&h->plane[i], top, carry); }
  } else {
    for (; i < width; i++) { carry = half_add(&h->plane[i], carry); }
  }
}

// h -= x << shift, x unsigned: the complement of x is added, and 1.
INLINE void subtract_shifted(number *h, int width, const uint8_t *x, int64_t stride, int planes, int shift) {
  vector carry = ones();
  int i = shift;
  for (; i < width && i - shift < planes; i++) {
    carry = full_add(&h->plane[i], ~load(x + (i - shift) * stride), carry);
  }
  for (; i < width; i++) {
    const vector before = h->plane[i];
    h->plane[i] = ~(before ^ carry);
    carry |= before;
  }
}

INLINE void add_term(number *h, int width, const ssti_slice_term *term, int64_t at) {
  for (int d = 0; d < term->digits->count; d++) {
    if (term->digits->negative[d]) {
      subtract_shifted(h, width, term->x + at, term->stride, term->planes, term->digits->place[d]);
    } else {
      add_shifted(h, width, term->x + at, term->stride, term->planes, term->digits->place[d], false);
    }
  }
}

// Where the number is at least the constant, both in two's complement of `width` planes.
INLINE vector at_least(const number *h, int width, int64_t constant) {
  vector result = ones();
  for (int i = 0; i < width - 1; i++) {
    result = constant >> (i < 63 ? i : 63) & 1 ? h->plane[i] & result : h->plane[i] | result;
  }
  const vector sign = ~h->plane[width - 1];
  return constant < 0 ? sign | result : sign & result;
}

// h -= step where s.
INLINE void subtract_where(number *h, int width, int64_t step, vector s) {
  vector borrow = zeros();
  for (int i = 0; i < width; i++) {
    const vector before = h->plane[i];
    if (step >> (i < 63 ? i : 63) & 1) {
      h->plane[i] = before ^ s ^ borrow;
      borrow = (~before & (s | borrow)) | (s & borrow);
    } else {
      h->plane[i] = before ^ borrow;
      borrow &= ~before;
    }
  }
}

// u = (decay * u + half) >> shift
INLINE void leak(const ssti_slice_neurons *n, number *u) {
  const int width = n->width;
  if (n->decay != 1) {
    number product;
    set_constant(&product, width, 0);
    for (int d = 0; d < 16; d++) {
      if ((n->decay >> d & 1) == 0) { continue; }
      vector carry = zeros();
      for (int i = d; i < width; i++) { carry = full_add(&product.plane[i], u->plane[i - d], carry); }
    }
    *u = product;
  }
  if (n->decay_shift == 0) { return; }
  // half is 2^(shift - 1): whatever stands at that place is carried up.
  vector carry = u->plane[n->decay_shift - 1];
  for (int i = n->decay_shift; i < width; i++) {
    vector plane = u->plane[i];
    carry = half_add(&plane, carry);
    u->plane[i - n->decay_shift] = plane;
  }
}

INLINE void clip(const ssti_slice_neurons *n, int width, number *v) {
  const vector above = at_least(v, width, n->limit + 1), below = ~at_least(v, width, -n->limit);
  const vector inside = ~(above | below);
  for (int i = 0; i < n->state_planes; i++) {
    vector plane = v->plane[i] & inside;
    if ((uint64_t)n->limit >> i & 1) { plane |= above; }
    if ((uint64_t)-n->limit >> i & 1) { plane |= below; }
    v->plane[i] = plane;
  }
}

static void slice_neurons(const ssti_slice_neurons *n, const ssti_slice_term *term, int64_t offset, int64_t bytes,
                          uint8_t *state, uint8_t *spikes, uint8_t *membrane) {
  for (int64_t at = 0; at < bytes; at += VECTOR_BYTES) {
    number h;
    set_constant(&h, n->width, offset);
    add_term(&h, n->width, term, at);
    add_shifted(&h, n->width, state + at, SSTI_TILE_BYTES, n->state_planes, n->state_shift, true);
    for (int i = 0; membrane != NULL && i < n->width; i++) { store(membrane + i * SSTI_TILE_BYTES + at, h.plane[i]); }
    const vector s = n->always ? ones() : n->never ? zeros() : at_least(&h, n->width, n->threshold);
    store_part(spikes + at, s, bytes - at);
    if (n->hard_reset) {
      for (int i = 0; i < n->width; i++) { h.plane[i] &= ~s; }
    } else {
      subtract_where(&h, n->width, n->threshold_step, s);
    }
    leak(n, &h);
    if (n->clips) { clip(n, n->width - n->decay_shift, &h); }
    for (int i = 0; i < n->state_planes; i++) { store(state + i * SSTI_TILE_BYTES + at, h.plane[i]); }
  }
}

static void slice_affine(const ssti_slice_term *terms, int count, int64_t offset, int width, int64_t bytes,
                         uint8_t *out, int64_t out_stride) {
  for (int64_t at = 0; at < bytes; at += VECTOR_BYTES) {
    number h;
    set_constant(&h, width, offset);
    for (int t = 0; t < count; t++) { add_term(&h, width, &terms[t], at); }
    for (int i = 0; i < width; i++) { store_part(out + i * out_stride + at, h.plane[i], bytes - at); }
  }
}

static void slice_max(int planes, int64_t bytes, const uint8_t *x, int64_t x_stride, uint8_t *out, int64_t out_stride) {
  for (int64_t at = 0; at < bytes; at += VECTOR_BYTES) {
    vector larger = zeros(); // where x is
    for (int i = 0; i < planes; i++) {
      const vector a = load(x + i * x_stride + at), b = load(out + i * out_stride + at);
      larger = (a & ~b) | (~(a ^ b) & larger);
    }
    for (int i = 0; i < planes; i++) {
      const vector a = load(x + i * x_stride + at), b = load(out + i * out_stride + at);
      store_part(out + i * out_stride + at, (a & larger) | (b & ~larger), bytes - at);
    }
  }
}

void SSTI_KERNEL(ssti_kernel_fill_slice)(ssti_kernels_of_level *table) {
  table->slice_neurons = slice_neurons;
  table->slice_affine = slice_affine;
  table->slice_max = slice_max;
}
