// SPDX-License-Identifier: Apache-2.0
// Neurons alone. A thread has 4 neighbouring neurons where their number allows that, 8 where x or the spikes are bf16,
// else 1; the grid strides. Forward moves an element of x and one of the spikes a neuron and step (and 4 bytes with the
// membrane), backward two of x's type (three where dx is added to) and one of the spikes'.
#include "backend/cuda/cuda_reduce.h"
#include "backend/cuda/neuron_steps_cuda.h"

namespace {

constexpr int64_t back_blocks = 1024; // partial sums of a learned decay

template <int V, typename X> struct plain_input {
  X x;
  __device__ ssti_lanes<V> operator()(int64_t at) const { return ssti_load<V>(x + at); }
};

template <int V, bool PLAIN, typename X, typename Spikes>
__global__ void __launch_bounds__(256)
    forward_kernel(ssti_neuron_task task, X x, Spikes spikes, float *membrane, float *state, bool resumes) {
  const ssti_dynamics d = ssti_dynamics_of(task);
  for (int64_t i = ssti_thread_index() * V; i < task.count; i += ssti_thread_count() * V) {
    ssti_neurons_forward<V, PLAIN>(task, d, plain_input<V, X>{x}, i, spikes, membrane, state, resumes);
  }
}

// `dleaks` gets the sum of each block, unless it is NULL.
template <int V, bool PLAIN, typename X, typename Spikes>
__global__ void __launch_bounds__(256) backward_kernel(ssti_neuron_task task, X x, Spikes dspikes,
                                                       const float *dmembrane, X dx, bool accumulate, double *dleaks) {
  const ssti_dynamics d = ssti_dynamics_of(task);
  double dleak = 0.0;
  for (int64_t i = ssti_thread_index() * V; i < task.count; i += ssti_thread_count() * V) {
    ssti_neurons_back<V, PLAIN>(task, d, plain_input<V, X>{x}, i, dspikes, dmembrane,
                                dleaks != nullptr ? &dleak : nullptr, [&](int t, const ssti_lanes<V> &gradient) {
                                  if (!ssti_is_there(dx)) { return; }
                                  ssti_store_or_add<V>(dx + (t * task.count + i), gradient, accumulate);
                                });
  }
  if (dleaks == nullptr) { return; }
  dleak = ssti_block_sum(dleak);
  if (threadIdx.x == 0) { dleaks[blockIdx.x] = dleak; }
}

// Whether every row of a step begins at a multiple of 16 bytes, and holds whole accesses.
bool is_whole(const ssti_neuron_shape *shape, const float *x) {
  return shape->count % ssti_lane_count(shape->in_type, shape->out_type) == 0 && ssti_is_aligned16(x);
}

void forward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x, const float *decay_parameter,
             float *spikes, float *membrane, void *) {
  assert(shape->state != nullptr || !shape->resumes);
  if (shape->count == 0) { return; }
  const ssti_neuron_task task = ssti_neuron_task_of(shape, decay_parameter);
  const bool whole = is_whole(shape, x) && ssti_is_aligned16(spikes) && ssti_is_aligned16(membrane);
  const ssti_type in = shape->in_type, out = shape->out_type;
  ssti_with_access(whole, in, out, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const auto kernel = ssti_is_plain_neuron(shape->neuron.kind)
                            ? forward_kernel<V, true, typename types::A, typename types::B>
                            : forward_kernel<V, false, typename types::A, typename types::B>;
    ssti_launch(backend, kernel, dim3((unsigned)ssti_blocks_for(task.count / V, ssti_block_threads)),
                dim3(ssti_block_threads), task, types::a(x, in), types::b(spikes, out), membrane, shape->state,
                shape->resumes);
  });
}

struct backward_call {
  const float *x, *dspikes, *dmembrane;
  float *dx;
  bool accumulate;
  double *dleaks;
};

// The number of blocks.
int64_t start_backward(ssti_backend *backend, const ssti_neuron_shape *shape, const ssti_neuron_task &task, bool whole,
                       const backward_call &call) {
  const ssti_type in = shape->in_type, out = shape->out_type;
  int64_t blocks = 0;
  ssti_with_access(whole, in, out, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const auto kernel = ssti_is_plain_neuron(shape->neuron.kind)
                            ? backward_kernel<V, true, typename types::A, typename types::B>
                            : backward_kernel<V, false, typename types::A, typename types::B>;
    blocks = ssti_blocks_for(task.count / V, ssti_block_threads);
    if (call.dleaks != nullptr && blocks > back_blocks) { blocks = back_blocks; }
    ssti_launch(backend, kernel, dim3((unsigned)blocks), dim3(ssti_block_threads), task, types::a(call.x, in),
                types::b(call.dspikes, out), call.dmembrane, types::a(call.dx, in), call.accumulate, call.dleaks);
  });
  return blocks;
}

size_t workspace_bytes(ssti_backend *, const ssti_neuron_shape *shape, bool is_backward) {
  return is_backward ? ssti_checkpoint_bytes(shape) : 0;
}

// What LI gives is no spikes but a membrane, which stays f32.
bool takes_bf16(sst_neuron_kind kind) { return kind != SST_NEURON_LI; }

void backward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x, const float *decay_parameter,
              const float *dspikes, const float *dmembrane, float *dx, bool accumulate_dx, float *ddecay,
              bool accumulate_ddecay, void *workspace) {
  if (shape->count == 0) { return; }
  ssti_neuron_task task = ssti_neuron_task_of(shape, decay_parameter);
  task.checkpoints = static_cast<float *>(workspace);
  backward_call call = {x, dspikes, dmembrane, dx, accumulate_dx, nullptr};
  if (decay_parameter != nullptr && ddecay != nullptr) {
    call.dleaks = static_cast<double *>(ssti_cuda_scratch(backend, (size_t)back_blocks * sizeof(double)));
  }
  const bool whole =
      is_whole(shape, x) && ssti_is_aligned16(dx) && ssti_is_aligned16(dspikes) && ssti_is_aligned16(dmembrane);
  const int64_t blocks = start_backward(backend, shape, task, whole, call);
  if (call.dleaks != nullptr) { ssti_finish_dleak(backend, task, call.dleaks, blocks, ddecay, accumulate_ddecay); }
}

// leak = sigmoid(w)
__global__ void __launch_bounds__(256)
    finish_dleak_kernel(ssti_neuron_task task, const double *dleaks, int64_t count, float *ddecay, bool accumulate) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += ssti_block_threads) { sum += dleaks[i]; }
  sum = ssti_block_sum(sum);
  if (threadIdx.x != 0) { return; }
  const ssti_dynamics d = ssti_dynamics_of(task);
  ssti_put(ddecay, (float)(sum * (double)d.w_leak * (double)d.w_decay), accumulate);
}

} // namespace

void ssti_finish_dleak(ssti_backend *backend, const ssti_neuron_task &task, const double *dleaks, int64_t count,
                       float *ddecay, bool accumulate) {
  ssti_launch(backend, finish_dleak_kernel, dim3(1), dim3(ssti_block_threads), task, dleaks, count, ddecay, accumulate);
}

void ssti_cuda_fill_neuron(ssti_kernels *kernels) {
  kernels->neuron_forward = forward;
  kernels->neuron_backward = backward;
  kernels->neuron_workspace = workspace_bytes;
  kernels->neuron_takes_bf16 = takes_bf16;
}
