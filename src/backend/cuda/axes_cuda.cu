// SPDX-License-Identifier: Apache-2.0
// Slots over five axes of which some are repeated or reduced: arithmetic of two tensors, sums, means and maxima, and
// the l2 norm. Neighbouring axes that behave alike are merged first, so that most walks have one or two axes.
//
// A reduction gives each result to a group of threads of one block: neighbouring threads take neighbouring elements,
// be they of one result (the innermost axis is reduced) or of several (it is kept). Where results are few, what is
// reduced is cut into chunks, a number that depends on the shape alone, whose totals a second kernel adds in order.
#include "backend/cuda/cuda_reduce.h"
#include "backend/cuda/lanes_cuda.h"

namespace {

constexpr int operands = 3;

// Merged axes, outermost first, with each operand's step along them (0: repeated).
struct walk {
  int64_t count;
  int groups;
  int64_t length[SST_AXIS_COUNT];
  int64_t stride[operands][SST_AXIS_COUNT];
};

struct offsets {
  int64_t of[operands];
};

void strides_of(sst_shape shape, int64_t stride[SST_AXIS_COUNT]) {
  int64_t step = 1;
  for (int i = SST_AXIS_COUNT - 1; i >= 0; i--) {
    stride[i] = shape.dim[i] == 1 ? 0 : step;
    step *= shape.dim[i];
  }
}

// The axes of `shape` for which `taken` is true. An axis joins the one before it where every operand steps through both
// as through one.
walk walk_of(sst_shape shape, const sst_shape operand[operands], const bool taken[SST_AXIS_COUNT]) {
  int64_t stride[operands][SST_AXIS_COUNT];
  for (int o = 0; o < operands; o++) { strides_of(operand[o], stride[o]); }
  walk w = {};
  w.count = 1;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    const int64_t length = shape.dim[i];
    if (!taken[i] || length == 1) { continue; }
    w.count *= length;
    bool joins = w.groups > 0;
    for (int o = 0; o < operands && joins; o++) { joins = w.stride[o][w.groups - 1] == stride[o][i] * length; }
    if (!joins) { w.length[w.groups++] = 1; }
    w.length[w.groups - 1] *= length;
    for (int o = 0; o < operands; o++) { w.stride[o][w.groups - 1] = stride[o][i]; }
  }
  return w;
}

__device__ void walk_add(const walk &w, int64_t index, offsets &at) {
  for (int g = w.groups - 1; g >= 0; g--) {
    const int64_t here = g > 0 ? index % w.length[g] : index;
    for (int o = 0; o < operands; o++) { at.of[o] += here * w.stride[o][g]; }
    index /= g > 0 ? w.length[g] : 1;
  }
}

__device__ offsets walk_at(const walk &w, int64_t index) {
  offsets at = {};
  walk_add(w, index, at);
  return at;
}

constexpr bool all_axes[SST_AXIS_COUNT] = {true, true, true, true, true};

walk elementwise(sst_shape shape, sst_shape a, sst_shape b) {
  const sst_shape operand[operands] = {shape, a, b};
  return walk_of(shape, operand, all_axes);
}

// ---- reductions

// Operand 0 is the full tensor, operand 1 the result, operand 2 any other.
struct reduction {
  walk kept, reduced;
  int across; // threads of a block that take neighbouring results; the others share what is reduced
  int64_t chunks;
};

constexpr int64_t wanted_blocks = 512, chunk_elements = 2048;

reduction reduction_of(sst_shape shape, sst_shape result, sst_shape other) {
  const sst_shape operand[operands] = {shape, result, other};
  bool kept[SST_AXIS_COUNT], reduced[SST_AXIS_COUNT];
  bool inner_kept = false;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    reduced[i] = result.dim[i] == 1 && shape.dim[i] != 1;
    kept[i] = !reduced[i];
    if (shape.dim[i] != 1) { inner_kept = kept[i]; }
  }
  reduction r = {walk_of(shape, operand, kept), walk_of(shape, operand, reduced), 1, 1};
  // A power of two, so that the threads of a result are added as a tree.
  while (inner_kept && r.across < 32 && r.across < r.kept.count) { r.across *= 2; }
  if (!inner_kept && r.reduced.count < ssti_block_threads) {
    while (r.across * r.reduced.count < ssti_block_threads && r.across < r.kept.count) { r.across *= 2; }
  }
  const int64_t blocks = (r.kept.count + r.across - 1) / r.across;
  const int64_t useful = (r.reduced.count * r.across + chunk_elements - 1) / chunk_elements;
  r.chunks = blocks >= wanted_blocks ? 1 : wanted_blocks / (blocks < 1 ? 1 : blocks);
  r.chunks = r.chunks < useful ? r.chunks : (useful < 1 ? 1 : useful);
  return r;
}

struct sum_of {
  static __device__ double start() { return 0.0; }
  static __device__ double join(double a, double b) { return a + b; }
};
struct largest_of {
  static __device__ double start() { return -(double)INFINITY; }
  static __device__ double join(double a, double b) { return a > b || a != a ? a : b; }
};

// Totals of TERMS terms at once. Thread y of a result takes every (256 / across)th element of its chunk.
template <int TERMS, typename Join, typename Term>
__global__ void __launch_bounds__(256) reduce_kernel(reduction r, Term term, double *totals) {
  __shared__ double shared[ssti_block_threads];
  const int lane = (int)threadIdx.x % r.across, part = (int)threadIdx.x / r.across;
  const int parts = ssti_block_threads / r.across;
  const int64_t blocks = (r.kept.count + r.across - 1) / r.across;
  const int64_t first = blockIdx.y * r.reduced.count / r.chunks, last = (blockIdx.y + 1) * r.reduced.count / r.chunks;
  for (int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const int64_t result = block * r.across + lane;
    double total[TERMS];
    for (int i = 0; i < TERMS; i++) { total[i] = Join::start(); }
    const offsets base = walk_at(r.kept, result < r.kept.count ? result : 0);
    for (int64_t i = first + part; i < last && result < r.kept.count; i += parts) {
      offsets at = base;
      walk_add(r.reduced, i, at);
      double value[TERMS];
      term(at, value);
      for (int j = 0; j < TERMS; j++) { total[j] = Join::join(total[j], value[j]); }
    }
    for (int j = 0; j < TERMS; j++) {
      shared[threadIdx.x] = total[j];
      for (int half = parts / 2; half > 0; half /= 2) {
        __syncthreads();
        if (part < half) {
          shared[threadIdx.x] = Join::join(shared[threadIdx.x], shared[threadIdx.x + half * r.across]);
        }
      }
      __syncthreads();
      if (part == 0 && result < r.kept.count) {
        totals[(j * r.chunks + blockIdx.y) * r.kept.count + result] = shared[lane];
      }
      __syncthreads();
    }
  }
}

// finish(offsets, totals) for each result.
template <int TERMS, typename Join, typename Finish>
__global__ void __launch_bounds__(256) finish_kernel(reduction r, const double *totals, Finish finish) {
  for (int64_t i = ssti_thread_index(); i < r.kept.count; i += ssti_thread_count()) {
    double total[TERMS];
    for (int j = 0; j < TERMS; j++) {
      total[j] = totals[j * r.chunks * r.kept.count + i];
      for (int64_t chunk = 1; chunk < r.chunks; chunk++) {
        total[j] = Join::join(total[j], totals[(j * r.chunks + chunk) * r.kept.count + i]);
      }
    }
    finish(walk_at(r.kept, i), i, total);
  }
}

// Results that do not fit into the scratch are reduced by single threads, which are many then.
template <int TERMS, typename Join, typename Term, typename Finish>
__global__ void __launch_bounds__(256) reduce_alone_kernel(reduction r, Term term, Finish finish) {
  for (int64_t i = ssti_thread_index(); i < r.kept.count; i += ssti_thread_count()) {
    const offsets base = walk_at(r.kept, i);
    double total[TERMS];
    for (int j = 0; j < TERMS; j++) { total[j] = Join::start(); }
    for (int64_t k = 0; k < r.reduced.count; k++) {
      offsets at = base;
      walk_add(r.reduced, k, at);
      double value[TERMS];
      term(at, value);
      for (int j = 0; j < TERMS; j++) { total[j] = Join::join(total[j], value[j]); }
    }
    finish(base, i, total);
  }
}

template <int TERMS, typename Join, typename Term, typename Finish>
void reduce(ssti_backend *backend, const reduction &r, const Term &term, const Finish &finish) {
  if (r.kept.count == 0) { return; }
  const dim3 threads(ssti_block_threads), all((unsigned)ssti_blocks_for(r.kept.count, ssti_block_threads));
  const int64_t bytes = TERMS * r.chunks * r.kept.count * (int64_t)sizeof(double);
  if (bytes > SSTI_CUDA_SCRATCH / 2) {
    ssti_launch(backend, reduce_alone_kernel<TERMS, Join, Term, Finish>, all, threads, r, term, finish);
    return;
  }
  double *totals = static_cast<double *>(ssti_cuda_scratch(backend, (size_t)bytes));
  const dim3 grid((unsigned)ssti_blocks_for(r.kept.count, r.across), (unsigned)r.chunks);
  ssti_launch(backend, reduce_kernel<TERMS, Join, Term>, grid, threads, r, term, totals);
  ssti_launch(backend, finish_kernel<TERMS, Join, Finish>, all, threads, r, totals, finish);
}

sst_shape without(sst_shape shape, int axes) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (axes & (1 << i)) { shape.dim[i] = 1; }
  }
  return shape;
}

// ---- two tensors

sst_shape broadcast(sst_shape a, sst_shape b) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    assert(a.dim[i] == b.dim[i] || a.dim[i] == 1 || b.dim[i] == 1);
    if (a.dim[i] == 1) { a.dim[i] = b.dim[i]; }
  }
  return a;
}

__device__ float binary_value(ssti_binary_kind kind, float p, float q) {
  switch (kind) {
  case SSTI_BINARY_ADD: return p + q;
  case SSTI_BINARY_SUBTRACT: return p - q;
  case SSTI_BINARY_MULTIPLY: return p * q;
  case SSTI_BINARY_DIVIDE: return p / q;
  }
  return 0.0f;
}

// What arrives at an element of one side, from the gradient g, the side's own value p and the other side's q.
template <typename T> __device__ T side_gradient(ssti_binary_kind kind, bool is_second, T g, T p, T q) {
  switch (kind) {
  case SSTI_BINARY_ADD: return g;
  case SSTI_BINARY_SUBTRACT: return is_second ? -g : g;
  case SSTI_BINARY_MULTIPLY: return g * q;
  case SSTI_BINARY_DIVIDE: return is_second ? -g * (q / p / p) : g / q;
  }
  return (T)0;
}

// y = a + b, of which y may be either; b may be NULL: y = a.
template <int V, typename X> __global__ void __launch_bounds__(256) sum_kernel(int64_t count, X a, X b, X y) {
  for (int64_t i = ssti_thread_index() * V; i < count; i += ssti_thread_count() * V) {
    ssti_lanes<V> lanes = ssti_load<V>(a + i);
    if (ssti_is_there(b)) {
      const ssti_lanes<V> other = ssti_load<V>(b + i);
      for (int v = 0; v < V; v++) { lanes.at[v] += other.at[v]; }
    }
    ssti_store<V>(y + i, lanes);
  }
}

struct typed {
  const float *data;
  ssti_type type;
};

// Where something is bf16; in whole accesses where all is.
void sum(ssti_backend *backend, int64_t count, typed a, typed b, typed y) {
  if (count == 0) { return; }
  const bool all = a.type == SSTI_BF16 && (b.data == nullptr || b.type == SSTI_BF16) && y.type == SSTI_BF16;
  const bool whole = all && count % ssti_lane_count(SSTI_BF16, SSTI_BF16) == 0 && ssti_is_aligned16(a.data) &&
                     ssti_is_aligned16(b.data) && ssti_is_aligned16(y.data);
  const auto start = [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    ssti_launch(backend, sum_kernel<V, typename types::A>,
                dim3((unsigned)ssti_blocks_for(count / V, ssti_block_threads)), dim3(ssti_block_threads), count,
                types::a(a.data, a.type), types::a(b.data, b.type), types::a(y.data, y.type));
  };
  whole ? start(ssti_access<8, ssti_bf16, ssti_bf16>()) : start(ssti_single_access());
}

// 12 bytes an element where nothing is repeated, half of that in bf16.
void binary_forward(ssti_backend *backend, const ssti_binary *s, const float *a, const float *b, float *y) {
  const sst_shape shape = broadcast(s->a, s->b);
  const ssti_binary_kind kind = s->kind;
  if (!ssti_binary_is_f32(s)) {
    assert(kind == SSTI_BINARY_ADD && sst_shape_equal(s->a, s->b));
    sum(backend, sst_shape_count(shape), {a, s->a_type}, {b, s->b_type}, {y, s->out_type});
    return;
  }
  if (sst_shape_equal(s->a, s->b)) {
    ssti_map(
        backend, sst_shape_count(shape), y, false,
        [=] __device__(int64_t, float p, float q) { return binary_value(kind, p, q); }, a, b);
    return;
  }
  const walk w = elementwise(shape, s->a, s->b);
  ssti_for_each(backend, w.count, [=] __device__(int64_t i) {
    const offsets at = walk_at(w, i);
    y[i] = binary_value(kind, a[at.of[1]], b[at.of[2]]);
  });
}

struct side {
  sst_shape shape;
  const float *data;
  float *gradient;
  bool accumulate;
};

void side_backward(ssti_backend *backend, ssti_binary_kind kind, bool is_second, sst_shape shape, const float *dy,
                   const side &own, const side &other) {
  if (own.gradient == nullptr) { return; }
  const float *p = own.data, *q = other.data;
  float *out = own.gradient;
  const bool accumulate = own.accumulate;
  if (sst_shape_equal(shape, own.shape)) {
    const walk w = elementwise(shape, own.shape, other.shape);
    ssti_for_each(backend, w.count, [=] __device__(int64_t i) {
      ssti_put(out + i, side_gradient(kind, is_second, dy[i], p[i], q[walk_at(w, i).of[2]]), accumulate);
    });
    return;
  }
  const auto term = [=] __device__(const offsets &at, double *value) {
    value[0] = side_gradient(kind, is_second, (double)dy[at.of[0]], (double)p[at.of[1]], (double)q[at.of[2]]);
  };
  const auto finish = [=] __device__(const offsets &at, int64_t, const double *total) {
    ssti_put(out + at.of[1], (float)total[0], accumulate);
  };
  reduce<1, sum_of>(backend, reduction_of(shape, own.shape, other.shape), term, finish);
}

// Of a sum: what arrives there arrives at each side.
void hand_on(ssti_backend *backend, int64_t count, typed dy, typed dx, bool accumulate) {
  if (dx.data == nullptr) { return; }
  sum(backend, count, dy, {accumulate ? dx.data : nullptr, dx.type}, dx);
}

void binary_backward(ssti_backend *backend, const ssti_binary *s, const float *a, const float *b, const float *dy,
                     float *da, bool accumulate_a, float *db, bool accumulate_b) {
  const sst_shape shape = broadcast(s->a, s->b);
  if (!ssti_binary_is_f32(s)) {
    hand_on(backend, sst_shape_count(shape), {dy, s->out_type}, {da, s->a_type}, accumulate_a);
    hand_on(backend, sst_shape_count(shape), {dy, s->out_type}, {db, s->b_type}, accumulate_b);
    return;
  }
  const side first = {s->a, a, da, accumulate_a}, second = {s->b, b, db, accumulate_b};
  side_backward(backend, s->kind, false, shape, dy, first, second);
  side_backward(backend, s->kind, true, shape, dy, second, first);
}

// ---- sum, mean, maximum

void reduce_forward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes, const float *x, float *y) {
  const reduction r = reduction_of(shape, without(shape, axes), shape);
  const double divisor = kind == SSTI_REDUCE_MEAN ? (double)r.reduced.count : 1.0;
  const auto term = [=] __device__(const offsets &at, double *value) { value[0] = (double)x[at.of[0]]; };
  const auto finish = [=] __device__(const offsets &at, int64_t, const double *total) {
    y[at.of[1]] = (float)(total[0] / divisor);
  };
  if (kind == SSTI_REDUCE_MAX) {
    reduce<1, largest_of>(backend, r, term, finish);
  } else {
    reduce<1, sum_of>(backend, r, term, finish);
  }
}

// The place of the first element that equals the maximum, as the smallest index among those reduced.
struct first_of {
  static __device__ double start() { return (double)INFINITY; }
  static __device__ double join(double a, double b) { return a < b ? a : b; }
};

void max_backward(ssti_backend *backend, sst_shape shape, int axes, const float *x, const float *y, const float *dy,
                  float *dx, bool accumulate) {
  const reduction r = reduction_of(shape, without(shape, axes), shape);
  const auto term = [=] __device__(const offsets &at, double *value) {
    value[0] = x[at.of[0]] == y[at.of[1]] ? (double)at.of[0] : (double)INFINITY;
  };
  // dx is 0 already but where a maximum is; a result's elements are in the order of their offsets.
  if (!accumulate) {
    ssti_map(backend, sst_shape_count(shape), dx, false, [] __device__(int64_t) { return 0.0f; });
  }
  const auto finish = [=] __device__(const offsets &at, int64_t, const double *total) {
    if (isinf(total[0])) { return; }
    const int64_t place = (int64_t)total[0];
    dx[place] += dy[at.of[1]];
  };
  reduce<1, first_of>(backend, r, term, finish);
}

void reduce_backward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes, const float *x,
                     const float *y, const float *dy, float *dx, bool accumulate) {
  if (kind == SSTI_REDUCE_MAX) {
    max_backward(backend, shape, axes, x, y, dy, dx, accumulate);
    return;
  }
  const sst_shape result = without(shape, axes);
  const double count = (double)sst_shape_count(shape) / (double)sst_shape_count(result);
  const float divisor = kind == SSTI_REDUCE_MEAN ? (float)count : 1.0f;
  const walk w = elementwise(shape, result, shape);
  ssti_for_each(backend, w.count,
                [=] __device__(int64_t i) { ssti_put(dx + i, dy[walk_at(w, i).of[1]] / divisor, accumulate); });
}

// ---- l2 norm: y = x * of_x, dx = dy * of_dy - x * of_x, with factors that belong to a result

// The factors of all results lie behind what `reduce` uses of the scratch. Where there are too many of them, the thread
// that has a result goes over its elements; otherwise every element has a thread. apply(offsets, factors).
constexpr int64_t most_factors = SSTI_CUDA_SCRATCH / 2 / (2 * (int64_t)sizeof(double));

template <int TERMS, typename Term, typename Factors, typename Apply>
void reduce_and_apply(ssti_backend *backend, sst_shape shape, int axes, const Term &term, const Factors &factors,
                      const Apply &apply) {
  const sst_shape result = without(shape, axes);
  const reduction r = reduction_of(shape, result, shape);
  const walk reduced = r.reduced;
  if (r.kept.count > most_factors) {
    const auto finish = [=] __device__(const offsets &base, int64_t, const double *total) {
      double factor[2];
      factors(total, factor);
      for (int64_t i = 0; i < reduced.count; i++) {
        offsets at = base;
        walk_add(reduced, i, at);
        apply(at, factor);
      }
    };
    reduce<TERMS, sum_of>(backend, r, term, finish);
    return;
  }
  double *kept = static_cast<double *>(ssti_cuda_scratch(backend, SSTI_CUDA_SCRATCH)) + 2 * most_factors;
  const auto finish = [=] __device__(const offsets &, int64_t i, const double *total) { factors(total, kept + 2 * i); };
  reduce<TERMS, sum_of>(backend, r, term, finish);
  const walk w = elementwise(shape, result, shape); // the result is dense: its offset is its number
  ssti_for_each(backend, w.count, [=] __device__(int64_t i) {
    const offsets at = walk_at(w, i);
    apply(at, kept + 2 * at.of[1]);
  });
}

void l2_normalize_forward(ssti_backend *backend, sst_shape shape, int axes, float epsilon, const float *x, float *y) {
  const auto term = [=] __device__(const offsets &at, double *value) {
    value[0] = (double)x[at.of[0]] * (double)x[at.of[0]];
  };
  const auto factors = [=] __device__(const double *total, double *factor) {
    const double norm = sqrt(total[0]);
    factor[0] = norm < (double)epsilon ? (double)epsilon : norm; // NaN stays
  };
  const auto apply = [=] __device__(const offsets &at, const double *factor) {
    y[at.of[0]] = (float)((double)x[at.of[0]] / factor[0]);
  };
  reduce_and_apply<1>(backend, shape, axes, term, factors, apply);
}

void l2_normalize_backward(ssti_backend *backend, sst_shape shape, int axes, float epsilon, const float *x,
                           const float *dy, float *dx, bool accumulate) {
  const auto term = [=] __device__(const offsets &at, double *value) {
    value[0] = (double)x[at.of[0]] * (double)x[at.of[0]];
    value[1] = (double)x[at.of[0]] * (double)dy[at.of[0]];
  };
  const auto factors = [=] __device__(const double *total, double *factor) {
    const double norm = sqrt(total[0]);
    const bool constant = norm <= (double)epsilon;
    factor[0] = 1.0 / (constant ? (double)epsilon : norm);
    factor[1] = constant ? 0.0 : total[1] / (norm * norm * norm);
  };
  const auto apply = [=] __device__(const offsets &at, const double *factor) {
    const int64_t here = at.of[0];
    ssti_put(dx + here, (float)(factor[0] * (double)dy[here] - factor[1] * (double)x[here]), accumulate);
  };
  reduce_and_apply<2>(backend, shape, axes, term, factors, apply);
}

} // namespace

void ssti_cuda_fill_axes(ssti_kernels *kernels) {
  kernels->binary_forward = binary_forward;
  kernels->binary_backward = binary_backward;
  kernels->reduce_forward = reduce_forward;
  kernels->reduce_backward = reduce_backward;
  kernels->l2_normalize_forward = l2_normalize_forward;
  kernels->l2_normalize_backward = l2_normalize_backward;
}
