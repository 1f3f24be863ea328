// SPDX-License-Identifier: Apache-2.0
// The parts of Winograd's algorithm, see winograd.h: windows and filters to points, products, points to tiles. Vectors
// go over channels.
//
// This file is compiled with -ffp-contract=fast, as simd_few_rows.c is: the last bits differ between levels.
#include "backend/fast/simd.h"
#include "backend/fast/simd_turn.h"
#include "backend/fast/simd_vector.h"
#include "base/sizes.h"

enum { SIDE = 6, TILE = SSTI_WINOGRAD_TILE, FILTER = 3 };
typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef ssti_bf16 halves __attribute__((vector_size(VECTOR_BYTES / 2), aligned(2), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *from) { return *(const vector *)(const void *)from; }
INLINE void store(float *to, vector value) { *(vector *)(void *)to = value; }

// Channel c and those after it, of a pixel.
INLINE vector load_pixel(const char *pixel, int64_t c, const bool half) {
  if (!half) { return load((const float *)(const void *)pixel + c); }
  const halves values = *(const halves *)(const void *)(pixel + c * (int64_t)sizeof(ssti_bf16));
  return (vector)(__builtin_convertvector(values, words) << 16);
}

// Rounds as ssti_bf16_of() does numbers; what is not one stays so.
INLINE halves narrowed(vector value) {
  const words bits = (words)value;
  const words rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const words unordered = (words)(value != value);
  return __builtin_convertvector((rounded & ~unordered) | ((bits >> 16 | 0x40) & unordered), halves);
}

INLINE void store_pixel(char *pixel, int64_t c, vector value, const bool half, const bool add) {
  if (add) { value += load_pixel(pixel, c, half); }
  if (half) {
    *(halves *)(void *)(pixel + c * (int64_t)sizeof(ssti_bf16)) = narrowed(value);
  } else {
    store((float *)(void *)pixel + c, value);
  }
}

// ---- the maps of one axis

INLINE void input_points(const vector d[SIDE], vector t[SIDE]) {
  const vector a = d[4] - 4.0f * d[2], b = d[3] - 4.0f * d[1], c = d[4] - d[2], e = d[3] - d[1];
  t[0] = (d[4] - 5.0f * d[2]) + 4.0f * d[0];
  t[1] = a + b;
  t[2] = a - b;
  t[3] = c + 2.0f * e;
  t[4] = c - 2.0f * e;
  t[5] = (d[5] - 5.0f * d[3]) + 4.0f * d[1];
}

INLINE void output_tile(const vector m[SIDE], vector y[TILE]) {
  const vector sum = m[1] + m[2], difference = m[1] - m[2], far_sum = m[3] + m[4], far_difference = m[3] - m[4];
  y[0] = m[0] + sum + far_sum;
  y[1] = difference + 2.0f * far_difference;
  y[2] = sum + 4.0f * far_sum;
  y[3] = (m[5] + difference) + 8.0f * far_difference;
}

// The transposed map of output_tile().
INLINE void gradient_points(const vector y[TILE], vector z[SIDE]) {
  const vector even = y[0] + y[2], odd = y[1] + y[3];
  const vector far_even = y[0] + 4.0f * y[2], far_odd = y[1] + 4.0f * y[3];
  z[0] = y[0];
  z[1] = even + odd;
  z[2] = even - odd;
  z[3] = far_even + 2.0f * far_odd;
  z[4] = far_even - 2.0f * far_odd;
  z[5] = y[3];
}

INLINE void filter_points(const vector g[FILTER], vector t[SIDE]) {
  const vector ends = (g[0] + g[2]) * (-1.0f / 6), middle = g[1] * (-1.0f / 6);
  const vector far_ends = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), far_middle = g[1] * (1.0f / 12);
  t[0] = g[0] * 0.25f;
  t[1] = ends + middle;
  t[2] = ends - middle;
  t[3] = far_ends + far_middle;
  t[4] = far_ends - far_middle;
  t[5] = g[2];
}

// The transposed map of filter_points().
INLINE void points_filter(const vector t[SIDE], vector g[FILTER]) {
  const vector sum = t[1] + t[2], difference = t[1] - t[2], far_sum = t[3] + t[4], far_difference = t[3] - t[4];
  g[0] = t[0] * 0.25f - sum * (1.0f / 6) + far_sum * (1.0f / 24);
  g[1] = far_difference * (1.0f / 12) - difference * (1.0f / 6);
  g[2] = t[5] + (far_sum - sum) * (1.0f / 6);
}

// `map` on both axes, from FROM by FROM numbers GET(i) to TO by TO that go to PUT(i, number). No more than a line of
// them is in registers at a time.
#define MAP_SQUARE(map, FROM, TO, GET, PUT)                                                                            \
  do {                                                                                                                 \
    vector half[SIDE * SIDE], line[SIDE], mapped[SIDE]; /* half: [TO, FROM] */                                         \
    _Pragma("GCC unroll 6") for (int x_ = 0; x_ < (FROM); x_++) {                                                      \
      _Pragma("GCC unroll 6") for (int y_ = 0; y_ < (FROM); y_++) { line[y_] = GET(y_ * (FROM) + x_); }                \
      map(line, mapped);                                                                                               \
      _Pragma("GCC unroll 6") for (int y_ = 0; y_ < (TO); y_++) { half[y_ * (FROM) + x_] = mapped[y_]; }               \
    }                                                                                                                  \
    _Pragma("GCC unroll 6") for (int y_ = 0; y_ < (TO); y_++) {                                                        \
      map(half + y_ * (FROM), mapped);                                                                                 \
      _Pragma("GCC unroll 6") for (int x_ = 0; x_ < (TO); x_++) { PUT(y_ *(TO) + x_, mapped[x_]); }                    \
    }                                                                                                                  \
  } while (0)

// The same for rows `first` and `second` of the result alone: what is loaded or computed for others falls away. Numbers
// that wait in memory would be loaded again while stores to all points are on their way, and processors that tell
// stores apart by the lower bits of their addresses then hold these loads up.
#define MAP_TWO_ROWS(map, SIDE_LENGTH, first_row, second_row, GET, PUT)                                                \
  do {                                                                                                                 \
    vector upper[SIDE_LENGTH], lower[SIDE_LENGTH], line[SIDE_LENGTH], mapped[SIDE_LENGTH];                             \
    _Pragma("GCC unroll 6") for (int x_ = 0; x_ < (SIDE_LENGTH); x_++) {                                               \
      _Pragma("GCC unroll 6") for (int y_ = 0; y_ < (SIDE_LENGTH); y_++) { line[y_] = GET(y_ * (SIDE_LENGTH) + x_); }  \
      map(line, mapped);                                                                                               \
      upper[x_] = mapped[first_row], lower[x_] = mapped[second_row];                                                   \
    }                                                                                                                  \
    map(upper, mapped);                                                                                                \
    _Pragma("GCC unroll 6") for (int x_ = 0; x_ < (SIDE_LENGTH); x_++) {                                               \
      PUT((first_row) * (SIDE_LENGTH) + x_, mapped[x_]);                                                               \
    }                                                                                                                  \
    map(lower, mapped);                                                                                                \
    _Pragma("GCC unroll 6") for (int x_ = 0; x_ < (SIDE_LENGTH); x_++) {                                               \
      PUT((second_row) * (SIDE_LENGTH) + x_, mapped[x_]);                                                              \
    }                                                                                                                  \
  } while (0)

// ---- windows of pictures

// The pixels of a tile's window, `side` long, that begins at the place of the tile; outside there are zeros.
INLINE void find_pixels(const ssti_winograd_pictures *p, int64_t tile, const int side, const char *x, const char *zeros,
                        const char *pixel[]) {
  const int64_t of_picture = p->down * p->across, picture = tile / of_picture, place = tile % of_picture;
  const int64_t top = place / p->across * TILE + p->top, left = place % p->across * TILE + p->left;
  const int64_t bytes = p->channels * (int64_t)ssti_type_bytes(p->type);
  x += picture * p->height * p->width * bytes;
  for (int64_t r = 0; r < side; r++) {
    const bool is_row = top + r >= 0 && top + r < p->height;
    for (int64_t c = 0; c < side; c++) {
      const bool is_pixel = is_row && left + c >= 0 && left + c < p->width;
      pixel[r * side + c] = is_pixel ? x + ((top + r) * p->width + left + c) * bytes : zeros;
    }
  }
}

// The points of one window, side by side in the blocks of its row.
INLINE void window_points(const int side, const char *const pixel[], const bool is_half, const ssti_winograd_layout *l,
                          int64_t row, float *points) {
  const int64_t size = ssti_winograd_point_size(l);
  for (int64_t first = 0; first < l->channels; first += l->block) {
    const int64_t width = ssti_smaller(l->block, l->channels - first);
    float *to = points + first * l->rows + row * width;
    for (int64_t c = 0; c < width; c += LANES) {
#define GET_PIXEL(i) load_pixel(pixel[i], first + c, is_half)
#define PUT_POINT(i, value) store(to + (i)*size + c, value)
      if (side == TILE) {
        MAP_SQUARE(gradient_points, TILE, SIDE, GET_PIXEL, PUT_POINT);
      } else {
        MAP_TWO_ROWS(input_points, SIDE, 1, 2, GET_PIXEL, PUT_POINT);
        MAP_TWO_ROWS(input_points, SIDE, 3, 4, GET_PIXEL, PUT_POINT);
        MAP_TWO_ROWS(input_points, SIDE, 0, 5, GET_PIXEL, PUT_POINT);
      }
    }
  }
}

INLINE void windows_points(const int side, const bool half, const ssti_winograd_pictures *p, int64_t first,
                           int64_t begin, int64_t end, const void *x, const void *zeros, const ssti_winograd_layout *l,
                           float *points) {
  for (int64_t row = begin; row < end; row++) {
    const char *pixel[SIDE * SIDE];
    find_pixels(p, first + row, side, x, zeros, pixel);
    window_points(side, pixel, half, l, row, points);
  }
}

static void winograd_inputs(const ssti_winograd_pictures *p, int64_t first, int64_t begin, int64_t end, const void *x,
                            const void *zeros, const ssti_winograd_layout *l, float *points) {
  if (p->type == SSTI_BF16) {
    windows_points(SIDE, true, p, first, begin, end, x, zeros, l, points);
  } else {
    windows_points(SIDE, false, p, first, begin, end, x, zeros, l, points);
  }
}

static void winograd_gradients(const ssti_winograd_pictures *p, int64_t first, int64_t begin, int64_t end,
                               const void *dy, const void *zeros, const ssti_winograd_layout *l, float *points) {
  if (p->type == SSTI_BF16) {
    windows_points(TILE, true, p, first, begin, end, dy, zeros, l, points);
  } else {
    windows_points(TILE, false, p, first, begin, end, dy, zeros, l, points);
  }
}

INLINE void put_tiles(const ssti_winograd_pictures *p, int64_t begin, int64_t end, const ssti_winograd_layout *l,
                      const float *points, int64_t first, const float *bias, char *y, const bool is_half,
                      const bool add) {
  const int64_t of_picture = p->down * p->across, size = ssti_winograd_point_size(l);
  const int64_t bytes = p->channels * (int64_t)ssti_type_bytes(p->type);
  const vector zero = {0};
  for (int64_t tile = begin; tile < end; tile++) {
    const int64_t place = tile % of_picture, top = place / p->across * TILE, left = place % p->across * TILE;
    const int64_t rows = ssti_smaller(TILE, p->height - top), columns = ssti_smaller(TILE, p->width - left);
    char *corner = y + ((tile / of_picture * p->height + top) * p->width + left) * bytes;
    const float *from = points + (tile - begin) * l->channels;
    for (int64_t c = 0; c < l->channels; c += LANES) {
      const vector start = bias != NULL ? load(bias + first + c) : zero;
#define GET_PRODUCT(i) load(from + (i)*size + c)
#define PUT_OUTPUT(i, value)                                                                                           \
  store_pixel(corner + ((i) / TILE * p->width + (i) % TILE) * bytes, first + c, (value) + start, is_half, add)
      if (rows == TILE && columns == TILE) {
        MAP_SQUARE(output_tile, SIDE, TILE, GET_PRODUCT, PUT_OUTPUT);
        continue;
      }
      vector outputs[TILE * TILE];
#define KEEP_OUTPUT(i, value) outputs[i] = (value)
      MAP_SQUARE(output_tile, SIDE, TILE, GET_PRODUCT, KEEP_OUTPUT);
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < columns; k++) { PUT_OUTPUT(r * TILE + k, outputs[r * TILE + k]); }
      }
    }
  }
}

static void winograd_outputs(const ssti_winograd_pictures *p, int64_t begin, int64_t end, const ssti_winograd_layout *l,
                             const float *points, int64_t first, const float *bias, void *y, bool add) {
  if (p->type == SSTI_BF16) {
    put_tiles(p, begin, end, l, points, first, bias, y, true, add);
  } else {
    put_tiles(p, begin, end, l, points, first, bias, y, false, add);
  }
}

// ---- filters

// Of a row's channel in the blocks of a matrix.
INLINE int64_t place_of(const ssti_winograd_layout *l, int64_t row, int64_t channel) {
  const int64_t first = channel / l->block * l->block, width = ssti_smaller(l->block, l->channels - first);
  return first * l->rows + row * width + channel - first;
}

static void winograd_filters(const ssti_winograd_layout *l, int64_t begin, int64_t end, const float *filter,
                             int64_t row, int64_t step, float *points) {
  const int64_t size = ssti_winograd_point_size(l);
  for (int64_t i = begin; i < end; i++) {
    for (int64_t o = 0; o < l->channels; o += LANES) {
      float *to = points + place_of(l, i, o);
#define GET_FILTER(j) load(filter + i * row + (j)*step + o)
#define PUT_FILTER_POINT(j, value) store(to + (j)*size, value)
      MAP_SQUARE(filter_points, FILTER, SIDE, GET_FILTER, PUT_FILTER_POINT);
    }
  }
}

static void winograd_filters_back(const ssti_winograd_layout *l, int64_t begin, int64_t end, const float *points,
                                  int64_t row, int64_t step, float *filter) {
  const int64_t size = ssti_winograd_point_size(l);
  for (int64_t i = begin; i < end; i++) {
    for (int64_t o = 0; o < l->channels; o += LANES) {
      const float *from = points + place_of(l, i, o);
#define GET_SUM(j) load(from + (j)*size)
#define PUT_FILTER(j, value) store(filter + i * row + (j)*step + o, value)
      MAP_SQUARE(points_filter, SIDE, FILTER, GET_SUM, PUT_FILTER);
    }
  }
}

static void turn(int64_t rows, int64_t columns, int64_t begin, int64_t end, const float *from, float *to) {
  for (int64_t r = 0; r < rows; r += 4) {
    for (int64_t c = begin; c < end; c += 4) { turn_quads(from + r * columns + c, columns, to + c * rows + r, rows); }
  }
}

// ---- products

// Levels with 32 registers hold six rows of four vectors, the others six of two.
#if defined(__AVX512F__)
enum { VECTORS = 4 };
#else
enum { VECTORS = 2 };
#endif
enum { ROWS = 6, PANEL = VECTORS * LANES };
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define EACH_4(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#define EACH_3(X, r) X(r, 0) X(r, 1) X(r, 2)
#define EACH_2(X, r) X(r, 0) X(r, 1)
#define EACH_1(X, r) X(r, 0)

// Rows beyond the last are the last one again: they compute and write the same. What they are added to is read before
// any of them is written.
#define ROW_AT(r) (row + (r) < m->rows ? row + (r) : m->rows - 1)
#define BEGIN_VECTOR(r, v) vector sum##r##v = zero;
#define LOAD_VECTOR(r, v) const vector b##v = load(b + (v)*LANES);
#define STEP_VECTOR(r, v) sum##r##v += b##v * factor##r;
#define ADD_VECTOR(r, v) sum##r##v += load(to##r + (v)*LANES);
#define END_VECTOR(r, v) store(to##r + (v)*LANES, sum##r##v);
#define DEFINE_ROWS(count)                                                                                             \
  static void multiply_rows_##count(const ssti_winograd_product *m, int64_t row) {                                     \
    const vector zero = {0};                                                                                           \
    const float *b = m->b;                                                                                             \
    EACH_ROW(BEGIN_ROW_##count)                                                                                        \
    const int64_t depth = m->depth, step = m->a_step;                                                                  \
    for (int64_t i = 0, at = 0; i < depth; i++, at += step, b += (count)*LANES) {                                      \
      EACH_##count(LOAD_VECTOR, ) EACH_ROW(STEP_ROW_##count)                                                           \
    }                                                                                                                  \
    if (m->add) { EACH_ROW(ADD_ROW_##count) }                                                                          \
    EACH_ROW(END_ROW_##count)                                                                                          \
  }
#define BEGIN_ROW(r, count)                                                                                            \
  const float *a##r = m->a + ROW_AT(r) * m->a_row;                                                                     \
  float *to##r = m->sums + ROW_AT(r) * m->columns;                                                                     \
  EACH_##count(BEGIN_VECTOR, r)
#define STEP_ROW(r, count)                                                                                             \
  const vector factor##r = a##r[at] - zero;                                                                            \
  EACH_##count(STEP_VECTOR, r)
#define BEGIN_ROW_1(r) BEGIN_ROW(r, 1)
#define BEGIN_ROW_2(r) BEGIN_ROW(r, 2)
#define STEP_ROW_1(r) STEP_ROW(r, 1)
#define STEP_ROW_2(r) STEP_ROW(r, 2)
#define ADD_ROW_1(r) EACH_1(ADD_VECTOR, r)
#define END_ROW_1(r) EACH_1(END_VECTOR, r)
#define ADD_ROW_2(r) EACH_2(ADD_VECTOR, r)
#define END_ROW_2(r) EACH_2(END_VECTOR, r)
DEFINE_ROWS(1)
DEFINE_ROWS(2)
#if defined(__AVX512F__)
#define BEGIN_ROW_3(r) BEGIN_ROW(r, 3)
#define BEGIN_ROW_4(r) BEGIN_ROW(r, 4)
#define STEP_ROW_3(r) STEP_ROW(r, 3)
#define STEP_ROW_4(r) STEP_ROW(r, 4)
#define ADD_ROW_3(r) EACH_3(ADD_VECTOR, r)
#define END_ROW_3(r) EACH_3(END_VECTOR, r)
#define ADD_ROW_4(r) EACH_4(ADD_VECTOR, r)
#define END_ROW_4(r) EACH_4(END_VECTOR, r)
DEFINE_ROWS(3)
DEFINE_ROWS(4)
#endif

// Into the second-level cache, a share for each row of sums: as much as can be on its way at a time.
INLINE void fetch_share(const ssti_winograd_product *m, int64_t row) {
  enum { LINE_BYTES = 64 };
  const int64_t last = m->fetch.lines * ssti_smaller(row + ROWS, m->rows) / m->rows;
  for (int64_t line = m->fetch.lines * row / m->rows; line < last; line++) {
    __builtin_prefetch(m->fetch.from + line * LINE_BYTES, 0, 2);
  }
}

static void winograd_multiply(const ssti_winograd_product *m) {
  for (int64_t row = 0; row < m->rows; row += ROWS) {
    fetch_share(m, row);
    switch (m->columns / LANES) {
    case 1: multiply_rows_1(m, row); break;
    case 2: multiply_rows_2(m, row); break;
#if defined(__AVX512F__)
    case 3: multiply_rows_3(m, row); break;
    default: multiply_rows_4(m, row); break;
#endif
    }
  }
}

void SSTI_SIMD(ssti_simd_fill_winograd)(ssti_simd *table) {
  table->winograd_panel = PANEL;
  table->winograd_inputs = winograd_inputs;
  table->winograd_gradients = winograd_gradients;
  table->winograd_outputs = winograd_outputs;
  table->winograd_multiply = winograd_multiply;
  table->winograd_filters = winograd_filters;
  table->winograd_filters_back = winograd_filters_back;
  table->turn = turn;
}
