// SPDX-License-Identifier: Apache-2.0
// Arithmetic on slices: plane i of a number holds bit i of 1024 neurons. Numbers are in two's complement modulo
// 2^width; stored values are unsigned.
#include "deploy/kernel_vector.h"

enum { MOST_ADDENDS = 6 };

typedef struct number {
  vector plane[SSTI_MOST_PLANES];
} number;

INLINE void set_constant(number *h, int width, int64_t value) {
  for (int i = 0; i < width; i++) { h->plane[i] = value >> (i < 63 ? i : 63) & 1 ? ones() : zeros(); }
}

// What is added: planes [planes] of x times 2^place, or their complement and 1; above them zeros, or the top plane
// again.
typedef struct addend {
  const uint8_t *x;
  int64_t stride;
  int place, planes;
  bool negative, extends;
} addend;

// An addend as a plane for each of h, and the carry into its first: no loop over planes asks where a number ends.
INLINE vector spread(const addend *a, int width, vector *planes) {
  const vector flip = a->negative ? ones() : zeros();
  int i = 0;
  for (; i < a->place && i < width; i++) { planes[i] = flip; }
  const int end = a->place + a->planes < width ? a->place + a->planes : width;
  for (const uint8_t *x = a->x; i < end; i++, x += a->stride) { planes[i] = load(x) ^ flip; }
  const vector above = a->extends && end > a->place ? planes[end - 1] : flip;
  for (; i < width; i++) { planes[i] = above; }
  return flip; // the complement of the zeros below, and 1, is 0 again and a carry
}

// h = offset + the sum of spread addends, plane by plane: each has a carry of its own, so a plane of h is made in a
// register and stored once. `addends` is a constant where this is inlined.
INLINE void sum_spread(number *h, int width, vector planes[][SSTI_MOST_PLANES], const vector *carries, int addends,
                       int64_t offset) {
  vector carry[MOST_ADDENDS];
  for (int k = 0; k < addends; k++) { carry[k] = carries[k]; }
  for (int i = 0; i < width; i++) {
    vector plane = zeros() - (uint64_t)(offset >> (i < 63 ? i : 63) & 1);
    for (int k = 0; k < addends; k++) { carry[k] = full_add(&plane, planes[k][i], carry[k]); }
    h->plane[i] = plane;
  }
}

INLINE void sum_all(number *h, int width, const addend *all, int addends, int64_t offset) {
  vector planes[MOST_ADDENDS][SSTI_MOST_PLANES], carry[MOST_ADDENDS];
  const int together = addends < MOST_ADDENDS ? addends : MOST_ADDENDS;
  for (int k = 0; k < together; k++) { carry[k] = spread(&all[k], width, planes[k]); }
  switch (together) {
  case 0: set_constant(h, width, offset); break;
  case 1: sum_spread(h, width, planes, carry, 1, offset); break;
  case 2: sum_spread(h, width, planes, carry, 2, offset); break;
  case 3: sum_spread(h, width, planes, carry, 3, offset); break;
  case 4: sum_spread(h, width, planes, carry, 4, offset); break;
  case 5: sum_spread(h, width, planes, carry, 5, offset); break;
  default: sum_spread(h, width, planes, carry, MOST_ADDENDS, offset); break;
  }
  for (int k = MOST_ADDENDS; k < addends; k++) {
    vector c = spread(&all[k], width, planes[0]);
    for (int i = 0; i < width; i++) { c = full_add(&h->plane[i], planes[0][i], c); }
  }
}

INLINE int push_term(addend *all, int addends, const ssti_slice_term *term, int64_t at) {
  for (int d = 0; d < term->digits->count; d++) {
    all[addends++] = (addend){.x = term->x + at,
                              .stride = term->stride,
                              .place = term->digits->place[d],
                              .planes = term->planes,
                              .negative = term->digits->negative[d] != 0};
  }
  return addends;
}

// Where the number is at least the constant, both in two's complement of `width` planes.
INLINE vector at_least(const number *h, int width, int64_t constant) {
  // Below a bit that is equal the lower ones decide: the majority of h's bit, that answer, and the constant's other
  // bit.
  vector result = ones();
  for (int i = 0; i < width - 1; i++) {
    vector plane = h->plane[i];
    const vector other = zeros() - (uint64_t)(~constant >> (i < 63 ? i : 63) & 1);
    result = full_add(&plane, result, other);
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
  const vector above = n->clips_above ? at_least(v, width, n->limit + 1) : zeros();
  const vector below = n->clips_below ? ~at_least(v, width, -n->limit) : zeros();
  const vector inside = ~(above | below);
  for (int i = 0; i < n->state_planes; i++) {
    const vector most = zeros() - (uint64_t)(n->limit >> i & 1), least = zeros() - (uint64_t)(-n->limit >> i & 1);
    v->plane[i] = (v->plane[i] & inside) | (above & most) | (below & least);
  }
}

static void slice_neurons(const ssti_slice_neurons *n, const ssti_slice_term *term, int64_t offset, int64_t bytes,
                          uint8_t *state, uint8_t *spikes, uint8_t *membrane) {
  for (int64_t at = 0; at < bytes; at += VECTOR_BYTES) {
    number h;
    addend all[1 + sizeof term->digits->place];
    const int addends = push_term(all, 0, term, at);
    all[addends] = (addend){.x = state + at,
                            .stride = SSTI_TILE_BYTES,
                            .place = n->state_shift,
                            .planes = n->state_planes,
                            .extends = true};
    sum_all(&h, n->width, all, addends + 1, offset);
    for (int i = 0; membrane != NULL && i < n->width; i++) { store(membrane + i * SSTI_TILE_BYTES + at, h.plane[i]); }
    const vector s = n->always ? ones() : n->never ? zeros() : at_least(&h, n->width, n->threshold);
    store_part(spikes + at, s, bytes - at);
    if (n->hard_reset) {
      for (int i = 0; i < n->width; i++) { h.plane[i] &= ~s; }
    } else {
      subtract_where(&h, n->width, n->threshold_step, s);
    }
    leak(n, &h);
    if (n->clips_above || n->clips_below) { clip(n, n->width - n->decay_shift, &h); }
    for (int i = 0; i < n->state_planes; i++) { store(state + i * SSTI_TILE_BYTES + at, h.plane[i]); }
  }
}

static void slice_affine(const ssti_slice_term *terms, int count, int64_t offset, int width, int64_t bytes,
                         uint8_t *out, int64_t out_stride) {
  for (int64_t at = 0; at < bytes; at += VECTOR_BYTES) {
    number h;
    addend all[2 * sizeof terms->digits->place];
    int addends = 0;
    for (int t = 0; t < count; t++) { addends = push_term(all, addends, &terms[t], at); }
    sum_all(&h, width, all, addends, offset);
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

static int64_t count_bits(int64_t bytes, const uint8_t *x, uint64_t mask) {
  int64_t count = 0, i = 0;
  for (; i + 8 <= bytes; i += 8) {
    uint64_t bits;
    memcpy(&bits, x + i, sizeof bits);
    count += __builtin_popcountll(bits & mask);
  }
  uint64_t rest = 0;
  memcpy(&rest, x + i, (size_t)(bytes - i));
  return count + __builtin_popcountll(rest & mask);
}

void SSTI_KERNEL(ssti_kernel_fill_slice)(ssti_kernels_of_level *table) {
  table->slice_neurons = slice_neurons;
  table->slice_affine = slice_affine;
  table->slice_max = slice_max;
  table->count_bits = count_bits;
}
