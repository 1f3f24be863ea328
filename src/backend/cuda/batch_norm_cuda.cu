// SPDX-License-Identifier: Apache-2.0
// Batch norm, alone and with the neurons that alone read it. The reference has the formulas.
//
// Statistics: one pass in double of x - pivot and its square, the pivot being the channel's first value, so that a far
// mean cancels nothing; 4 bytes an element. Forward: 8 bytes. Backward: one pass for the sums (8 bytes), one for the
// gradient (12, or 16 where it is added). With neurons, backward recomputes the neurons in both passes and stores
// nothing between them: 20 bytes an element in all, where keeping the norm's gradient would take 28. Half of all that
// in bf16.
#include "backend/cuda/cuda_reduce.h"
#include "backend/cuda/neuron_steps_cuda.h"

namespace {

enum { MEAN_DY, SLOPE, NUMBERS }; // of each channel, for the second pass

// ---- statistics

template <int V, typename X>
__global__ void __launch_bounds__(256) statistics_kernel(ssti_tiling t, X x, double *partial) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  const bool has = p.channel < t.channels;
  double sum[V] = {}, squares[V] = {};
  const int64_t end = has ? p.end : 0;
  const ssti_lanes<V> pivot = has ? ssti_load<V>(x + p.channel) : ssti_splat<V>(0.0f);
#pragma unroll 4
  for (int64_t row = p.begin; row < end; row += p.step) {
    const ssti_lanes<V> in = ssti_load<V>(x + (row * t.channels + p.channel));
    for (int v = 0; v < V; v++) {
      const double difference = (double)in.at[v] - (double)pivot.at[v];
      sum[v] += difference;
      squares[v] += difference * difference;
    }
  }
  for (int v = 0; v < V; v++) {
    const double total = ssti_tile_sum(t, p, sum[v]), total_squares = ssti_tile_sum(t, p, squares[v]);
    if (p.row != 0 || !has) { continue; }
    ssti_partial(partial, t, 2, blockIdx.y, 0)[p.channel + v] = total;
    ssti_partial(partial, t, 2, blockIdx.y, 1)[p.channel + v] = total_squares;
  }
}

// saved: mean and 1/deviation.
template <typename X>
__global__ void __launch_bounds__(256)
    finish_statistics_kernel(ssti_tiling t, ssti_batch_norm s, X x, const double *partial, const float *gamma,
                             float *running_mean, float *running_variance, float *saved, float *factor) {
  const int64_t c = ssti_thread_index();
  if (c >= t.channels) { return; }
  const double rows = (double)s.rows, momentum = (double)s.momentum;
  const double shift = ssti_sum_of_chunks(partial, t, 2, 0, c) / rows;
  const double squares = ssti_sum_of_chunks(partial, t, 2, 1, c) / rows - shift * shift;
  const double mean = (double)ssti_load_one(x + c) + shift, variance = squares < 0.0 ? 0.0 : squares;
  // One row has no unbiased variance; the op refuses it, the kernel keeps to finite numbers.
  const double unbiased = s.rows > 1 ? rows / (rows - 1.0) : 1.0, inverse = 1.0 / sqrt(variance + (double)s.epsilon);
  running_mean[c] = (float)((1.0 - momentum) * (double)running_mean[c] + momentum * mean);
  running_variance[c] = (float)((1.0 - momentum) * (double)running_variance[c] + momentum * variance * unbiased);
  saved[c] = (float)mean;
  saved[t.channels + c] = (float)inverse;
  factor[c] = (float)((double)s.scale * (double)gamma[c] * inverse);
}

// Whether rows are whole accesses, of tensors of these types.
bool is_whole(int64_t channels, ssti_type a, ssti_type b, const float *x) {
  return channels % ssti_lane_count(a, b) == 0 && ssti_is_aligned16(x);
}

dim3 blocks_of_channels(int64_t channels) {
  return dim3((unsigned)((channels + ssti_block_threads - 1) / ssti_block_threads));
}

void statistics_and_factor(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                           float *running_mean, float *running_variance, float *saved, float *factor) {
  const ssti_type type = shape->in_type;
  ssti_with_access(is_whole(shape->channels, type, type, x), type, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const ssti_tiling t = ssti_tiling_of<V>(shape->rows, shape->channels);
    double *partial = static_cast<double *>(ssti_cuda_scratch(backend, ssti_partial_bytes(t, 2)));
    const auto in = types::a(x, type);
    ssti_launch(backend, statistics_kernel<V, typename types::A>, ssti_tiling_grid<V>(t), dim3(ssti_block_threads), t,
                in, partial);
    ssti_launch(backend, finish_statistics_kernel<typename types::A>, blocks_of_channels(t.channels),
                dim3(ssti_block_threads), t, *shape, in, partial, gamma, running_mean, running_variance, saved, factor);
  });
}

void statistics(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                float *running_mean, float *running_variance, float *saved) {
  statistics_and_factor(backend, shape, x, gamma, running_mean, running_variance, saved, saved + 2 * shape->channels);
}

__device__ double inverse_deviation(float variance, float epsilon) {
  return 1.0 / sqrt((double)variance + (double)epsilon);
}

void norm_constants(ssti_backend *backend, const ssti_batch_norm *shape, const float *gamma, const float *mean,
                    const float *variance, float *saved) {
  const ssti_batch_norm s = *shape;
  ssti_for_each(backend, s.channels, [=] __device__(int64_t c) {
    const double inverse = inverse_deviation(variance[c], s.epsilon);
    saved[c] = mean[c];
    saved[s.channels + c] = (float)inverse;
    if (gamma != nullptr) { saved[2 * s.channels + c] = (float)((double)s.scale * (double)gamma[c] * inverse); }
  });
}

// ---- forward alone: y = (x - mean) * factor + beta

__device__ float normed(float x, float mean, float factor, float offset) { return (x - mean) * factor + offset; }

struct norm_numbers { // [channels] each
  const float *mean, *factor, *beta;
};

template <int V, typename X, typename Y>
__global__ void __launch_bounds__(256) normalize_kernel(ssti_tiling t, norm_numbers n, X x, Y y) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  if (p.channel >= t.channels) { return; }
  const ssti_lanes<V> mean = ssti_load<V>(n.mean + p.channel), factor = ssti_load<V>(n.factor + p.channel);
  const ssti_lanes<V> beta = ssti_load<V>(n.beta + p.channel);
#pragma unroll 4
  for (int64_t row = p.begin; row < p.end; row += p.step) {
    ssti_lanes<V> lanes = ssti_load<V>(x + (row * t.channels + p.channel));
    for (int v = 0; v < V; v++) { lanes.at[v] = normed(lanes.at[v], mean.at[v], factor.at[v], beta.at[v]); }
    ssti_store<V>(y + (row * t.channels + p.channel), lanes);
  }
}

// The numbers of the channels, [channels] each, at the end of the scratch: partial sums are at its beginning.
float *numbers_in_scratch(const ssti_backend *backend, int64_t channels, int count) {
  const size_t whole = SSTI_CUDA_SCRATCH;
  assert((size_t)(channels * count) * sizeof(float) <= whole / 4);
  (void)channels, (void)count;
  char *scratch = static_cast<char *>(ssti_cuda_scratch(backend, whole));
  return reinterpret_cast<float *>(scratch + (whole - whole / 4));
}

void normalize(ssti_backend *backend, const ssti_batch_norm *shape, const norm_numbers &n, const float *x, float *y) {
  const ssti_type in = shape->in_type, out = shape->out_type;
  const bool whole = is_whole(shape->channels, in, out, x) && ssti_is_aligned16(y) && ssti_is_aligned16(n.mean) &&
                     ssti_is_aligned16(n.factor) && ssti_is_aligned16(n.beta);
  ssti_with_access(whole, in, out, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const ssti_tiling t = ssti_tiling_of<V>(shape->rows, shape->channels);
    ssti_launch(backend, normalize_kernel<V, typename types::A, typename types::B>, ssti_tiling_grid<V>(t),
                dim3(ssti_block_threads), t, n, types::a(x, in), types::b(y, out));
  });
}

void forward_training(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                      const float *beta, float *running_mean, float *running_variance, float *y, float *saved) {
  float *factor = numbers_in_scratch(backend, shape->channels, 1);
  statistics_and_factor(backend, shape, x, gamma, running_mean, running_variance, saved, factor);
  if (y != NULL) { normalize(backend, shape, {saved, factor, beta}, x, y); }
}

void forward_inference(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                       const float *beta, const float *running_mean, const float *running_variance, float *y) {
  const ssti_batch_norm s = *shape;
  float *factor = numbers_in_scratch(backend, s.channels, 1);
  ssti_for_each(backend, s.channels, [=] __device__(int64_t c) {
    factor[c] = (float)((double)s.scale * (double)gamma[c] * inverse_deviation(running_variance[c], s.epsilon));
  });
  normalize(backend, shape, {running_mean, factor, beta}, x, y);
}

// ---- backward, alone or through neurons

template <int V, typename X> struct normed_input {
  X x;
  ssti_lanes<V> mean, factor, beta;
  __device__ ssti_lanes<V> operator()(int64_t at) const {
    ssti_lanes<V> in = ssti_load<V>(x + at);
    for (int v = 0; v < V; v++) { in.at[v] = normed(in.at[v], mean.at[v], factor.at[v], beta.at[v]); }
    return in;
  }
};

// The norm alone, as if neurons followed that hand on what comes in. Both sources call emit(t, gradient of the norm's
// output) from the last step to the first, so that fusing changes no order of additions.
template <typename X, typename DY> struct norm_source {
  X x;
  DY dy;
  int steps;
  int64_t count;
};
template <typename X, typename DY> struct neuron_source {
  ssti_neuron_task task;
  norm_numbers norm;
  X x;
  DY dspikes;
  const float *dmembrane;
  double *dleaks; // sums of blocks, or NULL
};

template <int V, typename X, typename DY> struct norm_walker {
  __device__ norm_walker(const norm_source<X, DY> &, int64_t) {}
  template <typename Emit>
  __device__ void operator()(const norm_source<X, DY> &s, int64_t i, double *, const Emit &emit) const {
    for (int t = s.steps - 1; t >= 0; t--) { emit(t, ssti_load<V>(s.dy + (t * s.count + i))); }
  }
};
template <int V, typename X, typename DY> struct neuron_walker {
  ssti_dynamics dynamics;
  normed_input<V, X> input;
  __device__ neuron_walker(const neuron_source<X, DY> &s, int64_t channel)
      : dynamics(ssti_dynamics_of(s.task)), input{s.x, ssti_load<V>(s.norm.mean + channel),
                                                  ssti_load<V>(s.norm.factor + channel),
                                                  ssti_load<V>(s.norm.beta + channel)} {}
  template <typename Emit>
  __device__ void operator()(const neuron_source<X, DY> &s, int64_t i, double *dleak, const Emit &emit) const {
    ssti_neurons_back<V, true>(s.task, dynamics, input, i, s.dspikes, s.dmembrane, dleak, emit);
  }
};
template <int V, typename X, typename DY>
__device__ norm_walker<V, X, DY> walker_of(const norm_source<X, DY> &s, int64_t channel) {
  return {s, channel};
}
template <int V, typename X, typename DY>
__device__ neuron_walker<V, X, DY> walker_of(const neuron_source<X, DY> &s, int64_t channel) {
  return {s, channel};
}
template <typename X, typename DY> __device__ double *dleaks_of(const norm_source<X, DY> &) { return nullptr; }
template <typename X, typename DY> __device__ double *dleaks_of(const neuron_source<X, DY> &s) { return s.dleaks; }

// First pass: the sums of dy and of dy * (x - mean). `count` is a step's elements.
template <int V, typename Source>
__global__ void __launch_bounds__(256)
    sums_kernel(ssti_tiling t, Source source, int64_t count, const float *means, double *partial) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  double sum[V] = {}, centred[V] = {}, dleak = 0.0;
  double *dleaks = dleaks_of(source);
  if (p.channel < t.channels) {
    const auto walker = walker_of<V>(source, p.channel);
    const ssti_lanes<V> mean = ssti_load<V>(means + p.channel);
    for (int64_t row = p.begin; row < p.end; row += p.step) {
      const int64_t i = row * t.channels + p.channel;
      walker(source, i, dleaks != nullptr ? &dleak : nullptr, [&](int step, const ssti_lanes<V> &dy) {
        const ssti_lanes<V> in = ssti_load<V>(source.x + (step * count + i));
        for (int v = 0; v < V; v++) {
          sum[v] += (double)dy.at[v];
          centred[v] += (double)dy.at[v] * ((double)in.at[v] - (double)mean.at[v]);
        }
      });
    }
  }
  for (int v = 0; v < V; v++) {
    const double total = ssti_tile_sum(t, p, sum[v]), total_centred = ssti_tile_sum(t, p, centred[v]);
    if (p.row != 0 || p.channel >= t.channels) { continue; }
    ssti_partial(partial, t, 2, blockIdx.y, 0)[p.channel + v] = total;
    ssti_partial(partial, t, 2, blockIdx.y, 1)[p.channel + v] = total_centred;
  }
  if (dleaks == nullptr) { return; }
  dleak = ssti_block_sum(dleak);
  if (threadIdx.x == 0) { dleaks[blockIdx.y * gridDim.x + blockIdx.x] = dleak; }
}

__device__ void add_to(float *where, int64_t c, bool accumulate, double value) {
  if (where != nullptr) { where[c] = (float)((accumulate ? (double)where[c] : 0.0) + value); }
}

__global__ void __launch_bounds__(256)
    finish_sums_kernel(ssti_tiling t, ssti_batch_norm s, const double *partial, const float *saved,
                       bool batch_statistics, ssti_norm_neuron_gradients out, float *numbers) {
  const int64_t c = ssti_thread_index();
  if (c >= t.channels) { return; }
  const double rows = (double)s.rows, inverse = (double)saved[t.channels + c];
  const double sum = ssti_sum_of_chunks(partial, t, 2, 0, c), centred = ssti_sum_of_chunks(partial, t, 2, 1, c);
  add_to(out.dgamma, c, out.accumulate_dgamma, (double)s.scale * centred * inverse);
  add_to(out.dbeta, c, out.accumulate_dbeta, sum);
  numbers[MEAN_DY * t.channels + c] = batch_statistics ? (float)(sum / rows) : 0.0f;
  numbers[SLOPE * t.channels + c] = batch_statistics ? (float)(inverse * (centred * inverse / rows)) : 0.0f;
}

// Second pass: dx = factor * ((dy - mean_dy) - (x - mean) * slope).
template <int V, typename Source, typename DX>
__global__ void __launch_bounds__(256)
    gradient_kernel(ssti_tiling t, Source source, int64_t count, const float *means, const float *factors,
                    const float *numbers, DX dx, bool accumulate) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  if (p.channel >= t.channels) { return; }
  const auto walker = walker_of<V>(source, p.channel);
  const ssti_lanes<V> mean = ssti_load<V>(means + p.channel), factor = ssti_load<V>(factors + p.channel);
  const ssti_lanes<V> mean_dy = ssti_load<V>(numbers + MEAN_DY * t.channels + p.channel);
  const ssti_lanes<V> slope = ssti_load<V>(numbers + SLOPE * t.channels + p.channel);
  for (int64_t row = p.begin; row < p.end; row += p.step) {
    const int64_t i = row * t.channels + p.channel;
    walker(source, i, nullptr, [&](int step, const ssti_lanes<V> &dy) {
      const ssti_lanes<V> in = ssti_load<V>(source.x + (step * count + i));
      ssti_lanes<V> out;
      for (int v = 0; v < V; v++) {
        out.at[v] = factor.at[v] * ((dy.at[v] - mean_dy.at[v]) - (in.at[v] - mean.at[v]) * slope.at[v]);
      }
      ssti_store_or_add<V>(dx + (step * count + i), out, accumulate);
    });
  }
}

// Numbers for constant statistics: nothing is taken away from dy.
void clear_numbers(ssti_backend *backend, int64_t channels, float *numbers) {
  ssti_map(backend, NUMBERS * channels, numbers, false, [] __device__(int64_t) { return 0.0f; });
}

void make_factors(ssti_backend *backend, const ssti_batch_norm &s, const float *gamma, const float *saved,
                  float *factor) {
  const double scale = (double)s.scale;
  const int64_t channels = s.channels;
  ssti_for_each(backend, channels, [=] __device__(int64_t c) {
    factor[c] = (float)(scale * (double)gamma[c] * (double)saved[channels + c]);
  });
}

// What both ways back have in common.
struct back_call {
  const ssti_batch_norm *norm;
  int64_t count; // elements of a step
  const float *gamma, *saved;
  bool batch_statistics;
  ssti_norm_neuron_gradients out;
};

template <int V, typename Source, typename DX>
void go_back(ssti_backend *backend, const back_call &call, const Source &source, DX dx, bool learns) {
  const ssti_batch_norm s = *call.norm;
  const ssti_tiling t = ssti_tiling_of<V>(call.count / s.channels, s.channels);
  const dim3 grid = ssti_tiling_grid<V>(t), threads(ssti_block_threads);
  double *partial = static_cast<double *>(ssti_cuda_scratch(backend, ssti_partial_bytes(t, 2)));
  float *numbers = numbers_in_scratch(backend, s.channels, NUMBERS + 1), *factor = numbers + NUMBERS * s.channels;
  const float *saved = call.saved, *gamma = call.gamma;
  const ssti_norm_neuron_gradients &out = call.out;
  const bool sums =
      learns || out.dgamma != nullptr || out.dbeta != nullptr || (call.batch_statistics && out.dx != nullptr);
  if (sums) {
    ssti_launch(backend, sums_kernel<V, Source>, grid, threads, t, source, call.count, saved, partial);
    ssti_launch(backend, finish_sums_kernel, blocks_of_channels(s.channels), threads, t, s, partial, saved,
                call.batch_statistics, out, numbers);
  } else {
    clear_numbers(backend, s.channels, numbers);
  }
  if (out.dx == nullptr) { return; }
  make_factors(backend, s, gamma, saved, factor);
  ssti_launch(backend, gradient_kernel<V, Source, DX>, grid, threads, t, source, call.count, saved, factor, numbers, dx,
              out.accumulate_dx);
}

void backward(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *dy, const float *gamma,
              const float *saved, bool batch_statistics, float *dx, bool accumulate_dx, float *dgamma,
              bool accumulate_dgamma, float *dbeta, bool accumulate_dbeta, void *) {
  const int64_t steps = shape->steps > 0 ? shape->steps : 1;
  back_call call = {shape, shape->rows / steps * shape->channels, gamma, saved, batch_statistics, {}};
  call.out.dx = dx, call.out.dgamma = dgamma, call.out.dbeta = dbeta;
  call.out.accumulate_dx = accumulate_dx, call.out.accumulate_dgamma = accumulate_dgamma;
  call.out.accumulate_dbeta = accumulate_dbeta;
  const ssti_type in = shape->in_type, out = shape->out_type;
  const bool whole = is_whole(shape->channels, in, out, x) && ssti_is_aligned16(dy) && ssti_is_aligned16(dx) &&
                     ssti_is_aligned16(saved);
  ssti_with_access(whole, in, out, [&](auto access) {
    using types = decltype(access);
    const norm_source<typename types::A, typename types::B> source = {types::a(x, in), types::b(dy, out), (int)steps,
                                                                      call.count};
    go_back<types::V>(backend, call, source, types::a(dx, in), false);
  });
}

size_t no_workspace(ssti_backend *, const ssti_batch_norm *) { return 0; }

// ---- with neurons

// Kinds whose state is u alone; the others run apart.
bool fuses(const ssti_norm_neuron *shape) {
  return ssti_is_plain_neuron(shape->neuron.neuron.kind) && shape->neuron.neuron.kind != SST_NEURON_LI;
}

template <int V, typename X, typename Spikes>
__global__ void __launch_bounds__(256)
    fused_forward_kernel(ssti_tiling t, ssti_neuron_task task, norm_numbers n, X x, Spikes spikes, float *membrane,
                         float *state, bool resumes) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  if (p.channel >= t.channels) { return; }
  const ssti_dynamics d = ssti_dynamics_of(task);
  const normed_input<V, X> input = {x, ssti_load<V>(n.mean + p.channel), ssti_load<V>(n.factor + p.channel),
                                    ssti_load<V>(n.beta + p.channel)};
  for (int64_t row = p.begin; row < p.end; row += p.step) {
    ssti_neurons_forward<V, true>(task, d, input, row * t.channels + p.channel, spikes, membrane, state, resumes);
  }
}

norm_numbers numbers_of(const ssti_norm_neuron *shape, const float *saved, const float *beta) {
  return {saved, saved + 2 * shape->norm.channels, beta};
}

void fused_forward(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *beta,
                   const float *saved, const float *decay_parameter, float *spikes, float *membrane, void *) {
  const ssti_neuron_task task = ssti_neuron_task_of(&shape->neuron, decay_parameter);
  const norm_numbers n = numbers_of(shape, saved, beta);
  const int64_t channels = shape->norm.channels;
  const ssti_type in = shape->norm.in_type, out = shape->neuron.out_type;
  const bool whole = is_whole(channels, in, out, x) && ssti_is_aligned16(spikes) && ssti_is_aligned16(membrane) &&
                     ssti_is_aligned16(saved) && ssti_is_aligned16(beta);
  ssti_with_access(whole, in, out, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const ssti_tiling t = ssti_tiling_of<V>(task.count / channels, channels);
    ssti_launch(backend, fused_forward_kernel<V, typename types::A, typename types::B>, ssti_tiling_grid<V>(t),
                dim3(ssti_block_threads), t, task, n, types::a(x, in), types::b(spikes, out), membrane,
                shape->neuron.state, shape->neuron.resumes);
  });
}

template <int V, typename X, typename DY>
void fused_go_back(ssti_backend *backend, const back_call &call, neuron_source<X, DY> source, X dx) {
  const ssti_tiling t = ssti_tiling_of<V>(source.task.count / call.norm->channels, call.norm->channels);
  const dim3 grid = ssti_tiling_grid<V>(t);
  float *ddecay = call.out.ddecay;
  if (ddecay != nullptr) {
    // Behind the partial sums.
    char *scratch = static_cast<char *>(ssti_cuda_scratch(backend, SSTI_CUDA_SCRATCH));
    source.dleaks = reinterpret_cast<double *>(scratch + ssti_partial_bytes(t, 2));
    assert(ssti_partial_bytes(t, 2) + sizeof(double) * grid.x * grid.y <= SSTI_CUDA_SCRATCH - SSTI_CUDA_SCRATCH / 4);
  }
  go_back<V>(backend, call, source, dx, ddecay != nullptr);
  if (ddecay != nullptr) {
    ssti_finish_dleak(backend, source.task, source.dleaks, (int64_t)grid.x * grid.y, ddecay,
                      call.out.accumulate_ddecay);
  }
}

void fused_backward(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *gamma,
                    const float *beta, const float *saved, bool batch_statistics, const float *decay_parameter,
                    const float *dspikes, const float *dmembrane, const ssti_norm_neuron_gradients *out,
                    void *workspace) {
  ssti_neuron_task task = ssti_neuron_task_of(&shape->neuron, decay_parameter);
  task.checkpoints = static_cast<float *>(workspace);
  back_call call = {&shape->norm, shape->neuron.count, gamma, saved, batch_statistics, *out};
  if (decay_parameter == nullptr) { call.out.ddecay = nullptr; }
  const ssti_type in_type = shape->norm.in_type, out_type = shape->neuron.out_type;
  const bool whole = is_whole(shape->norm.channels, in_type, out_type, x) && ssti_is_aligned16(dspikes) &&
                     ssti_is_aligned16(dmembrane) && ssti_is_aligned16(out->dx) && ssti_is_aligned16(saved) &&
                     ssti_is_aligned16(beta);
  ssti_with_access(whole, in_type, out_type, [&](auto access) {
    using types = decltype(access);
    const neuron_source<typename types::A, typename types::B> source = {
        task, numbers_of(shape, saved, beta), types::a(x, in_type), types::b(dspikes, out_type), dmembrane, nullptr};
    fused_go_back<types::V>(backend, call, source, types::a(out->dx, in_type));
  });
}

size_t fused_workspace(ssti_backend *, const ssti_norm_neuron *shape, bool is_backward) {
  return is_backward ? ssti_checkpoint_bytes(&shape->neuron) : 0;
}

} // namespace

void ssti_cuda_fill_batch_norm(ssti_kernels *kernels) {
  kernels->batch_norm_forward_training = forward_training;
  kernels->batch_norm_forward_inference = forward_inference;
  kernels->batch_norm_backward = backward;
  kernels->batch_norm_workspace = no_workspace;
  kernels->norm_constants = norm_constants;
  kernels->norm_neuron_fuses = fuses;
  kernels->norm_neuron_statistics = statistics;
  kernels->norm_neuron_forward = fused_forward;
  kernels->norm_neuron_backward = fused_backward;
  kernels->norm_neuron_workspace = fused_workspace;
}
