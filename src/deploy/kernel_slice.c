// SPDX-License-Identifier: Apache-2.0
// Arithmetic on slices: plane i of a number holds bit i of 1024 neurons. Numbers are in two's complement modulo
// 2^width; stored values are unsigned.
#include "deploy/kernel_vector.h"

// Two vectors beside each other, so that what is the same for both (constants, places, loops) is done once.
enum { MOST_ADDENDS = 6, PAIR = 2, PAIR_BYTES = PAIR * VECTOR_BYTES };

typedef struct pair {
  vector v[PAIR];
} pair;

typedef struct number {
  pair plane[SSTI_MOST_PLANES];
} number;

// A bit of a constant, for all neurons.
INLINE vector spread_bit(int64_t value, int place) {
  return zeros() - (uint64_t)(value >> (place < 63 ? place : 63) & 1);
}

// What is added: planes [planes] of x times 2^place, or their complement and 1; above them zeros, or the top plane
// again.
typedef struct addend {
  const uint8_t *x;
  int64_t stride;
  int place, planes;
  bool negative, extends;
} addend;

// An addend's plane for each plane of a sum, so that no loop over those asks where a number begins and ends. Where it
// has none that is a row of zeros; all of them are complemented where it is negative, and 1 carried into the first.
typedef struct addend_planes {
  const uint8_t *plane[SSTI_MOST_PLANES];
  vector flip;
} addend_planes;

static const uint8_t zero_row[PAIR_BYTES] __attribute__((aligned(64)));

INLINE void find_planes(const addend *a, int width, addend_planes *out) {
  out->flip = a->negative ? ones() : zeros();
  const int end = a->place + a->planes < width ? a->place + a->planes : width;
  int i = 0;
  for (; i < a->place && i < width; i++) { out->plane[i] = zero_row; }
  for (const uint8_t *x = a->x; i < end; i++, x += a->stride) { out->plane[i] = x; }
  const uint8_t *above = a->extends && end > a->place ? out->plane[end - 1] : zero_row;
  for (; i < width; i++) { out->plane[i] = above; }
}

// h = offset + the sum of addends, plane by plane: each has a carry of its own, so a plane of h is made in registers
// and stored once. `addends` is a constant where this is inlined.
INLINE void sum_addends(number *h, int width, const addend_planes *all, int addends, int64_t offset) {
  vector carry[MOST_ADDENDS][PAIR];
  for (int k = 0; k < addends; k++) {
    for (int v = 0; v < PAIR; v++) { carry[k][v] = all[k].flip; }
  }
  for (int i = 0; i < width; i++) {
    vector plane[PAIR];
    for (int v = 0; v < PAIR; v++) { plane[v] = spread_bit(offset, i); }
    for (int k = 0; k < addends; k++) {
      const uint8_t *x = all[k].plane[i];
      for (int v = 0; v < PAIR; v++) {
        carry[k][v] = full_add(&plane[v], load(x + v * VECTOR_BYTES) ^ all[k].flip, carry[k][v]);
      }
    }
    for (int v = 0; v < PAIR; v++) { h->plane[i].v[v] = plane[v]; }
  }
}

INLINE void add_more(number *h, int width, const addend_planes *a) {
  vector carry[PAIR];
  for (int v = 0; v < PAIR; v++) { carry[v] = a->flip; }
  for (int i = 0; i < width; i++) {
    for (int v = 0; v < PAIR; v++) {
      carry[v] = full_add(&h->plane[i].v[v], load(a->plane[i] + v * VECTOR_BYTES) ^ a->flip, carry[v]);
    }
  }
}

INLINE void sum_all(number *h, int width, const addend *all, int addends, int64_t offset) {
  addend_planes found[MOST_ADDENDS];
  const int together = addends < MOST_ADDENDS ? addends : MOST_ADDENDS;
  for (int k = 0; k < together; k++) { find_planes(&all[k], width, &found[k]); }
  switch (together) {
  case 0: sum_addends(h, width, found, 0, offset); break;
  case 1: sum_addends(h, width, found, 1, offset); break;
  case 2: sum_addends(h, width, found, 2, offset); break;
  case 3: sum_addends(h, width, found, 3, offset); break;
  case 4: sum_addends(h, width, found, 4, offset); break;
  case 5: sum_addends(h, width, found, 5, offset); break;
  default: sum_addends(h, width, found, MOST_ADDENDS, offset); break;
  }
  for (int k = MOST_ADDENDS; k < addends; k++) {
    find_planes(&all[k], width, &found[0]);
    add_more(h, width, &found[0]);
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
INLINE pair at_least(const number *h, int width, int64_t constant) {
  // Below a bit that is equal the lower ones decide: the majority of h's bit, that answer, and the constant's other
  // bit.
  vector result[PAIR];
  for (int v = 0; v < PAIR; v++) { result[v] = ones(); }
  for (int i = 0; i < width - 1; i++) {
    const vector other = spread_bit(~constant, i);
    for (int v = 0; v < PAIR; v++) {
      vector plane = h->plane[i].v[v];
      result[v] = full_add(&plane, result[v], other);
    }
  }
  pair all;
  for (int v = 0; v < PAIR; v++) {
    const vector sign = ~h->plane[width - 1].v[v];
    all.v[v] = constant < 0 ? sign | result[v] : sign & result[v];
  }
  return all;
}

// h -= step where s.
INLINE void subtract_where(number *h, int width, int64_t step, const pair *s) {
  vector borrow[PAIR];
  for (int v = 0; v < PAIR; v++) { borrow[v] = zeros(); }
  for (int i = 0; i < width; i++) {
    const vector bit = spread_bit(step, i);
    for (int v = 0; v < PAIR; v++) {
      const vector before = h->plane[i].v[v], a = s->v[v] & bit;
      h->plane[i].v[v] = before ^ a ^ borrow[v];
      borrow[v] = (~before & (a | borrow[v])) | (a & borrow[v]);
    }
  }
}

INLINE void reset(const ssti_slice_neurons *n, number *h, const pair *s) {
  if (!n->hard_reset) {
    subtract_where(h, n->width, n->threshold_step, s);
    return;
  }
  for (int i = 0; i < n->width; i++) {
    for (int v = 0; v < PAIR; v++) { h->plane[i].v[v] &= ~s->v[v]; }
  }
}

static void multiply(number *u, int width, int64_t factor) {
  number product;
  for (int i = 0; i < width; i++) {
    for (int v = 0; v < PAIR; v++) { product.plane[i].v[v] = zeros(); }
  }
  for (int d = 0; d < 16; d++) {
    if ((factor >> d & 1) == 0) { continue; }
    for (int v = 0; v < PAIR; v++) {
      vector carry = zeros();
      for (int i = d; i < width; i++) { carry = full_add(&product.plane[i].v[v], u->plane[i - d].v[v], carry); }
    }
  }
  memcpy(u, &product, (size_t)width * sizeof product.plane[0]);
}

// u = (decay * u + half) >> shift
INLINE void leak(const ssti_slice_neurons *n, number *u) {
  if (n->decay != 1) { multiply(u, n->width, n->decay); }
  if (n->decay_shift == 0) { return; }
  // half is 2^(shift - 1): whatever stands at that place is carried up.
  vector carry[PAIR];
  for (int v = 0; v < PAIR; v++) { carry[v] = u->plane[n->decay_shift - 1].v[v]; }
  for (int i = n->decay_shift; i < n->width; i++) {
    for (int v = 0; v < PAIR; v++) {
      vector plane = u->plane[i].v[v];
      carry[v] = half_add(&plane, carry[v]);
      u->plane[i - n->decay_shift].v[v] = plane;
    }
  }
}

INLINE void clip(const ssti_slice_neurons *n, number *u) {
  const int width = n->width - n->decay_shift;
  pair above, inside; // not below
  for (int v = 0; v < PAIR; v++) { above.v[v] = zeros(), inside.v[v] = ones(); }
  if (n->clips_above) { above = at_least(u, width, n->limit + 1); }
  if (n->clips_below) { inside = at_least(u, width, -n->limit); }
  for (int i = 0; i < n->state_planes; i++) {
    const vector most = spread_bit(n->limit, i), least = spread_bit(-n->limit, i);
    for (int v = 0; v < PAIR; v++) {
      const vector low = (u->plane[i].v[v] & inside.v[v]) | (least & ~inside.v[v]);
      u->plane[i].v[v] = (low & ~above.v[v]) | (most & above.v[v]);
    }
  }
}

static void slice_neurons(const ssti_slice_neurons *n, const ssti_slice_term *term, int64_t offset, int64_t bytes,
                          uint8_t *state, uint8_t *spikes, uint8_t *membrane) {
  for (int64_t at = 0; at < bytes; at += PAIR_BYTES) {
    number h;
    addend all[1 + sizeof term->digits->place];
    const int addends = push_term(all, 0, term, at);
    all[addends] = (addend){.x = state + at,
                            .stride = SSTI_TILE_BYTES,
                            .place = n->state_shift,
                            .planes = n->state_planes,
                            .extends = true};
    sum_all(&h, n->width, all, addends + 1, offset);
    for (int i = 0; membrane != NULL && i < n->width; i++) {
      memcpy(membrane + i * SSTI_TILE_BYTES + at, &h.plane[i], PAIR_BYTES);
    }
    pair s = at_least(&h, n->width, n->threshold);
    for (int v = 0; v < PAIR; v++) {
      if (n->always || n->never) { s.v[v] = n->always ? ones() : zeros(); }
      const int64_t left = bytes - at - v * VECTOR_BYTES;
      if (left > 0) { store_part(spikes + at + v * VECTOR_BYTES, s.v[v], left); }
    }
    reset(n, &h, &s);
    leak(n, &h);
    if (n->clips_above || n->clips_below) { clip(n, &h); }
    for (int i = 0; i < n->state_planes; i++) {
      for (int v = 0; v < PAIR; v++) { store(state + i * SSTI_TILE_BYTES + at + v * VECTOR_BYTES, h.plane[i].v[v]); }
    }
  }
}

static void slice_affine(const ssti_slice_term *terms, int count, int64_t offset, int width, int64_t bytes,
                         uint8_t *out, int64_t out_stride) {
  for (int64_t at = 0; at < bytes; at += PAIR_BYTES) {
    number h;
    addend all[2 * sizeof terms->digits->place];
    int addends = 0;
    for (int t = 0; t < count; t++) { addends = push_term(all, addends, &terms[t], at); }
    sum_all(&h, width, all, addends, offset);
    for (int i = 0; i < width; i++) {
      for (int v = 0; v < PAIR; v++) {
        const int64_t left = bytes - at - v * VECTOR_BYTES;
        if (left > 0) { store_part(out + i * out_stride + at + v * VECTOR_BYTES, h.plane[i].v[v], left); }
      }
    }
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

#define POOL_WORDS(type)                                                                                               \
  static void pool_##type(int64_t height, int64_t width, const type *restrict x, int64_t row_words, bool largest,      \
                          type *restrict low, type *restrict middle, type *restrict high) {                            \
    for (int64_t r = 0; r < height; r++, x += 2 * row_words, low += width, middle += width, high += width) {           \
      const type *below = x + row_words;                                                                               \
      for (int64_t i = 0; largest && i < width; i++) {                                                                 \
        low[i] = (type)(x[2 * i] | x[2 * i + 1] | below[2 * i] | below[2 * i + 1]);                                    \
      }                                                                                                                \
      for (int64_t i = 0; !largest && i < width; i++) {                                                                \
        const type a = x[2 * i], b = x[2 * i + 1], c = below[2 * i], d = below[2 * i + 1];                             \
        const type above_two = (type)(a & b), below_two = (type)(c & d), across = (type)((a ^ b) & (c ^ d));           \
        low[i] = (type)(a ^ b ^ c ^ d);                                                                                \
        middle[i] = (type)(above_two ^ below_two ^ across);                                                            \
        high[i] = (type)(above_two & below_two);                                                                       \
      }                                                                                                                \
    }                                                                                                                  \
  }
POOL_WORDS(uint8_t)
POOL_WORDS(uint16_t)
POOL_WORDS(uint32_t)
#undef POOL_WORDS

static void slice_pool(int word, int64_t height, int64_t width, const uint8_t *x, int64_t row_words, bool largest,
                       uint8_t *out, int64_t stride) {
  // Where only the largest is made the other planes are not touched.
  void *middle = largest ? out : out + stride, *high = largest ? out : out + 2 * stride;
  const void *from = x;
  void *to = out;
  switch (word) {
  case 1: pool_uint8_t(height, width, from, row_words, largest, to, middle, high); break;
  case 2: pool_uint16_t(height, width, from, row_words, largest, to, middle, high); break;
  default: pool_uint32_t(height, width, from, row_words, largest, to, middle, high); break;
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
  table->slice_pool = slice_pool;
  table->count_bits = count_bits;
}
