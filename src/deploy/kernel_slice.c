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

static const uint8_t zero_row[PAIR_BYTES] __attribute__((aligned(64)));

// Where the number is at least a constant, of which the planes seen so far decide: below a bit that is equal the lower
// ones do, so it is the majority of the number's bit, that answer, and the constant's other bit.
INLINE vector compare_bit(vector plane, vector answer, vector other) { return full_add(&plane, answer, other); }

// The last word has the sign.
INLINE vector compare_sign(vector sign, vector answer, int64_t constant) {
  return constant < 0 ? ~sign | answer : ~sign & answer;
}

// h = offset + the sum of addends, and where that is at least the threshold. Plane by plane: each addend has a carry of
// its own, so a plane of h is made in registers and stored once. An addend's plane is the next of x, a row of zeros
// below it, and above it that or its top plane; a negative one is complemented everywhere, and 1 carried into the
// first. `addends` and `compares` are constants where this is inlined.
INLINE pair sum_addends(number *h, int width, const addend *all, int addends, int64_t offset, bool compares,
                        int64_t threshold) {
  vector carry[MOST_ADDENDS][PAIR], flip[MOST_ADDENDS];
  const uint8_t *above[MOST_ADDENDS];
  pair answer = {{ones(), ones()}};
  for (int k = 0; k < addends; k++) {
    flip[k] = all[k].negative ? ones() : zeros();
    above[k] = all[k].extends ? all[k].x + (all[k].planes - 1) * all[k].stride : zero_row;
    for (int v = 0; v < PAIR; v++) { carry[k][v] = flip[k]; }
  }
  for (int i = 0; i < width; i++) {
    vector plane[PAIR];
    for (int v = 0; v < PAIR; v++) { plane[v] = spread_bit(offset, i); }
    for (int k = 0; k < addends; k++) {
      const int at = i - all[k].place;
      const uint8_t *outside = at < 0 ? zero_row : above[k];
      const uint8_t *x = (unsigned)at < (unsigned)all[k].planes ? all[k].x + at * all[k].stride : outside;
      for (int v = 0; v < PAIR; v++) {
        carry[k][v] = full_add(&plane[v], load(x + v * VECTOR_BYTES) ^ flip[k], carry[k][v]);
      }
    }
    const vector other = compares ? spread_bit(~threshold, i) : zeros();
    for (int v = 0; v < PAIR; v++) {
      h->plane[i].v[v] = plane[v];
      if (!compares) { continue; }
      answer.v[v] =
          i < width - 1 ? compare_bit(plane[v], answer.v[v], other) : compare_sign(plane[v], answer.v[v], threshold);
    }
  }
  return answer;
}

// Where the number is at least the constant, both in two's complement of `width` planes.
INLINE pair at_least(const number *h, int width, int64_t constant) {
  pair answer = {{ones(), ones()}};
  for (int i = 0; i < width - 1; i++) {
    const vector other = spread_bit(~constant, i);
    for (int v = 0; v < PAIR; v++) { answer.v[v] = compare_bit(h->plane[i].v[v], answer.v[v], other); }
  }
  for (int v = 0; v < PAIR; v++) { answer.v[v] = compare_sign(h->plane[width - 1].v[v], answer.v[v], constant); }
  return answer;
}

INLINE void add_more(number *h, int width, const addend *a) {
  vector carry[PAIR];
  const vector flip = a->negative ? ones() : zeros();
  const uint8_t *above = a->extends ? a->x + (a->planes - 1) * a->stride : zero_row;
  for (int v = 0; v < PAIR; v++) { carry[v] = flip; }
  for (int i = 0; i < width; i++) {
    const int at = i - a->place;
    const uint8_t *x = at < 0 ? zero_row : at < a->planes ? a->x + at * a->stride : above;
    for (int v = 0; v < PAIR; v++) {
      carry[v] = full_add(&h->plane[i].v[v], load(x + v * VECTOR_BYTES) ^ flip, carry[v]);
    }
  }
}

INLINE pair sum_all(number *h, int width, const addend *all, int addends, int64_t offset, bool compares,
                    int64_t threshold) {
  switch (addends) {
  case 0: return sum_addends(h, width, all, 0, offset, compares, threshold);
  case 1: return sum_addends(h, width, all, 1, offset, compares, threshold);
  case 2: return sum_addends(h, width, all, 2, offset, compares, threshold);
  case 3: return sum_addends(h, width, all, 3, offset, compares, threshold);
  case 4: return sum_addends(h, width, all, 4, offset, compares, threshold);
  case 5: return sum_addends(h, width, all, 5, offset, compares, threshold);
  case MOST_ADDENDS: return sum_addends(h, width, all, MOST_ADDENDS, offset, compares, threshold);
  default: break;
  }
  (void)sum_addends(h, width, all, MOST_ADDENDS, offset, false, 0);
  for (int k = MOST_ADDENDS; k < addends; k++) { add_more(h, width, &all[k]); }
  return at_least(h, width, threshold);
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

// A plane within the limits.
INLINE vector clip_plane(vector plane, int64_t limit, int i, vector above, vector inside) {
  return choose(above, spread_bit(limit, i), choose(inside, plane, spread_bit(-limit, i)));
}

INLINE void clip(const ssti_slice_neurons *n, number *u) {
  const int width = n->width - n->decay_shift;
  pair above = {{zeros(), zeros()}}, inside = {{ones(), ones()}}; // not below
  if (n->clips_above) { above = at_least(u, width, n->limit + 1); }
  if (n->clips_below) { inside = at_least(u, width, -n->limit); }
  for (int i = 0; i < n->state_planes; i++) {
    for (int v = 0; v < PAIR; v++) {
      u->plane[i].v[v] = clip_plane(u->plane[i].v[v], n->limit, i, above.v[v], inside.v[v]);
    }
  }
}

// Reset to 0, leak by a shift and the question what is beyond the limits in one go: the usual neurons.
INLINE void reset_and_leak(const ssti_slice_neurons *n, number *h, const pair *s, bool clips_above, bool clips_below) {
  const int shift = n->decay_shift;
  pair above = {{ones(), ones()}}, inside = above;
  vector carry[PAIR];
  for (int v = 0; v < PAIR; v++) { carry[v] = h->plane[shift - 1].v[v] & ~s->v[v]; }
  for (int i = shift; i < n->width; i++) {
    const int place = i - shift;
    const vector most = spread_bit(~(n->limit + 1), place), least = spread_bit(~-n->limit, place);
    for (int v = 0; v < PAIR; v++) {
      vector plane = h->plane[i].v[v] & ~s->v[v];
      carry[v] = half_add(&plane, carry[v]);
      h->plane[place].v[v] = plane;
      if (i == n->width - 1) {
        above.v[v] = clips_above ? compare_sign(plane, above.v[v], n->limit + 1) : zeros();
        inside.v[v] = clips_below ? compare_sign(plane, inside.v[v], -n->limit) : ones();
      } else {
        if (clips_above) { above.v[v] = compare_bit(plane, above.v[v], most); }
        if (clips_below) { inside.v[v] = compare_bit(plane, inside.v[v], least); }
      }
    }
  }
  for (int i = 0; (clips_above || clips_below) && i < n->state_planes; i++) {
    for (int v = 0; v < PAIR; v++) {
      h->plane[i].v[v] = clip_plane(h->plane[i].v[v], n->limit, i, above.v[v], inside.v[v]);
    }
  }
}

// h becomes the state.
INLINE void settle(const ssti_slice_neurons *n, number *h, const pair *s) {
  if (n->hard_reset && n->decay == 1 && n->decay_shift > 0) {
    if (!n->clips_above && n->clips_below) {
      reset_and_leak(n, h, s, false, true);
    } else {
      reset_and_leak(n, h, s, n->clips_above, n->clips_below);
    }
    return;
  }
  reset(n, h, s);
  leak(n, h);
  if (n->clips_above || n->clips_below) { clip(n, h); }
}

static void slice_neurons(const ssti_slice_neurons *n, const ssti_slice_term *term, int64_t offset, int64_t bytes,
                          bool first, uint8_t *state, uint8_t *spikes, uint8_t *membrane) {
  for (int64_t at = 0; at < bytes; at += PAIR_BYTES) {
    number h;
    addend all[1 + sizeof term->digits->place];
    const int digits = push_term(all, 0, term, at);
    all[digits] = (addend){.x = state + at,
                           .stride = SSTI_TILE_BYTES,
                           .place = n->state_shift,
                           .planes = n->state_planes,
                           .extends = true};
    pair s = sum_all(&h, n->width, all, first ? digits : digits + 1, offset, true, n->threshold);
    for (int i = 0; membrane != NULL && i < n->width; i++) {
      memcpy(membrane + i * SSTI_TILE_BYTES + at, &h.plane[i], PAIR_BYTES);
    }
    for (int v = 0; v < PAIR; v++) {
      if (n->always || n->never) { s.v[v] = n->always ? ones() : zeros(); }
      const int64_t left = bytes - at - v * VECTOR_BYTES;
      if (left > 0) { store_part(spikes + at + v * VECTOR_BYTES, s.v[v], left); }
    }
    settle(n, &h, &s);
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
    (void)sum_all(&h, width, all, addends, offset, false, 0);
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
