// SPDX-License-Identifier: Apache-2.0
// Neurons over T steps, forward and back, for kernels in which a thread has V neighbouring neurons and their state in
// registers. The arithmetic is that of neuron/dynamics.h and neuron/surrogate.h in the order of the reference, so a
// device and the CPU fire on the same steps.
//
// Backward keeps no tensor of potentials: it runs SEGMENT steps forward again from a checkpoint, H in registers, and
// then back through them. Checkpoints are made by one more pass over the input where there are more steps than that; up
// to SEGMENT steps there are none, and x is read once. Spikes need not be kept at all, in bits or otherwise.
#ifndef SPIKESTILL_BACKEND_CUDA_NEURON_STEPS_CUDA_H
#define SPIKESTILL_BACKEND_CUDA_NEURON_STEPS_CUDA_H

#include "backend/cuda/channels_cuda.h"
extern "C" {
#include "neuron/dynamics.h"
}
#include "neuron/surrogate.h"

constexpr int ssti_segment = 8;

// What kernels are told of a layer. With PLIF, w is on the device and what follows from it is computed there.
struct ssti_neuron_task {
  ssti_dynamics dynamics;
  const float *decay_parameter;
  int64_t count;
  int steps, input_steps;
  bool smooth;
  float *checkpoints; // backward: [segments - 1, rows, count], or NULL
};

inline int ssti_checkpoint_rows(const ssti_neuron_shape *shape) {
  const sst_neuron_kind kind = shape->neuron.kind;
  return kind == SST_NEURON_CUBALIF || kind == SST_NEURON_ALIF ? 2 : 1;
}
inline size_t ssti_checkpoint_bytes(const ssti_neuron_shape *shape) {
  const int64_t segments = (shape->steps + ssti_segment - 1) / ssti_segment;
  return (size_t)((segments - 1) * ssti_checkpoint_rows(shape) * shape->count) * sizeof(float);
}

inline ssti_neuron_task ssti_neuron_task_of(const ssti_neuron_shape *shape, const float *decay_parameter) {
  assert(shape->steps >= 1 && (shape->input_steps == 1 || shape->input_steps == shape->steps));
  ssti_neuron_task task = {};
  task.dynamics = decay_parameter != nullptr ? ssti_dynamics_without_leak(&shape->neuron)
                                             : ssti_dynamics_make(&shape->neuron, nullptr);
  task.decay_parameter = decay_parameter;
  task.count = shape->count;
  task.steps = (int)shape->steps;
  task.input_steps = (int)shape->input_steps;
  task.smooth = shape->smooth;
  return task;
}

// Whether the layer's state is u alone; kernels for the other kinds are compiled apart, with the registers they take.
inline bool ssti_is_plain_neuron(sst_neuron_kind kind) { return kind != SST_NEURON_CUBALIF && kind != SST_NEURON_ALIF; }

__device__ inline ssti_dynamics ssti_dynamics_of(const ssti_neuron_task &task) {
  ssti_dynamics d = task.dynamics;
  if (d.learns) { ssti_dynamics_learned(&d, *task.decay_parameter); }
  return d;
}

// ---- one neuron

// Steps are unrolled, so what is inlined here is there dozens of times. The default surrogate is; the others, and the
// primitives of smoothed passes, are called.
#ifdef __CUDACC__
#define SSTI_CALLED static __device__ __noinline__
#else
#define SSTI_CALLED static inline
#endif
SSTI_CALLED float ssti_called_derivative(sst_surrogate_kind kind, float a, float v) {
  return ssti_derivative(kind, a, v);
}
SSTI_CALLED float ssti_called_primitive(sst_surrogate_kind kind, float a, float v) {
  return ssti_primitive(kind, a, v);
}

__device__ inline float ssti_lane_derivative(const ssti_dynamics &d, float v) {
  if (d.surrogate == SST_SURROGATE_ARCTAN) { return ssti_derivative_ARCTAN(d.alpha, v); }
  return ssti_called_derivative(d.surrogate, d.alpha, v);
}

struct ssti_neuron_lane {
  float u, current, adapted, spike, threshold;
};

__device__ inline float ssti_lane_fire(const ssti_dynamics &d, bool smooth, float h, float threshold) {
  return smooth ? ssti_called_primitive(d.surrogate, d.alpha, h - threshold) : ssti_fire(h, threshold);
}
__device__ inline float ssti_lane_reset(const ssti_dynamics &d, float h, float threshold, float spike) {
  return !d.fires ? h : d.hard_reset ? ssti_reset_hard(&d, h, spike) : ssti_reset_soft(h, threshold, spike);
}
// A smoothed forward pass leaves the rounding out.
__device__ inline float ssti_lane_store(const ssti_dynamics &d, bool smooth, float u) {
  if (!d.stores) { return u; }
  return smooth ? ssti_clip_symmetric(ssti_in_steps(&d, u), d.grid_largest) * d.grid_step : ssti_stored(&d, u);
}

__device__ inline ssti_neuron_lane ssti_lane_begin(const ssti_dynamics &d, bool smooth) {
  return {ssti_lane_store(d, smooth, d.start), 0.0f, 0.0f, 0.0f, d.threshold};
}

// H of this step.
template <bool PLAIN>
__device__ inline float ssti_lane_charge(const ssti_dynamics &d, float x, ssti_neuron_lane &lane) {
  if (PLAIN) { return ssti_charge(&d, lane.u, x); }
  if (d.adapts) {
    lane.adapted = ssti_adapt(&d, lane.adapted, lane.spike);
    lane.threshold = ssti_raised_threshold(&d, lane.adapted);
  }
  if (!d.current) { return ssti_charge(&d, lane.u, x); }
  lane.current = ssti_current(&d, lane.current, x);
  return ssti_charge_current(&d, lane.u, lane.current);
}

// From H to what is carried into the next step; with the spike in the lane.
__device__ inline void ssti_lane_finish(const ssti_dynamics &d, bool smooth, float h, ssti_neuron_lane &lane) {
  if (d.fires) { lane.spike = ssti_lane_fire(d, smooth, h, lane.threshold); }
  lane.u = ssti_lane_store(d, smooth, ssti_lane_reset(d, h, lane.threshold, lane.spike));
}

// Gradients that travel from a step to the one before.
struct ssti_back_lane {
  float du, dcurrent, dadapted;
};

// The gradients of H (returned) and of this step's input, from those of its outputs and of the step after.
template <bool PLAIN>
__device__ inline float ssti_lane_back(const ssti_dynamics &d, bool smooth, float h, float threshold, float dspike,
                                       float dmembrane, ssti_back_lane &back, float &dx) {
  float dh;
  if (!d.fires) {
    dh = dmembrane + dspike + back.du;
  } else {
    const float spike = ssti_lane_fire(d, smooth, h, threshold);
    if (d.stores) {
      const bool inside = ssti_is_inside(&d, ssti_lane_reset(d, h, threshold, spike));
      back.du = inside ? d.stored_decay * back.du : 0.0f;
    }
    const float g = ssti_lane_derivative(d, h - threshold);
    float ds = dspike;
    if (!d.detach_reset) {
      ds = d.hard_reset ? ds + back.du * (d.reset_to - h) : ds - back.du * threshold;
      if (!PLAIN && d.adapts) { ds += back.dadapted; }
    }
    dh = dmembrane + ds * g + (d.hard_reset ? back.du * (1.0f - spike) : back.du);
    if (!PLAIN && d.adapts && !d.detach_reset) {
      const float through_reset = d.hard_reset ? 0.0f : back.du * spike;
      const float dthreshold = -ds * g - through_reset;
      back.dadapted = d.adaptation * dthreshold + d.adaptation_decay * back.dadapted;
    }
  }
  if (!PLAIN && d.current) {
    back.dcurrent = dh + d.current_decay * back.dcurrent;
    dx = d.current_gain * back.dcurrent;
  } else {
    dx = d.gain * dh;
  }
  back.du = d.decay * dh;
  return dh;
}

// dH * dH/dleak, where H = rest + (1 - leak) * (u - rest) + gain * x; what was clipped when it was stored does not
// depend on the leak. `u` is what was there before it was stored.
__device__ inline double ssti_lane_dleak(const ssti_dynamics &d, float dh, float u, float x) {
  const float kept = d.stores && !ssti_is_inside(&d, u) ? 0.0f : u - d.rest;
  const float slope = (d.gain_is_leak ? x : 0.0f) - kept;
  return (double)dh * (double)slope;
}

// ---- V neurons through their steps. `Input` gives what goes in at an offset of x: input(at). Spikes and their
// gradients are of either type; membranes and checkpoints are f32.

template <int V, bool PLAIN, typename Input, typename Spikes>
__device__ inline void ssti_neurons_forward(const ssti_neuron_task &task, const ssti_dynamics &d, const Input &input,
                                            int64_t i, Spikes spikes, float *membrane, float *state, bool resumes) {
  ssti_neuron_lane lane[V];
  float *row = state;
  for (int v = 0; v < V; v++) { lane[v] = ssti_lane_begin(d, task.smooth); }
  if (resumes) {
    for (int v = 0; v < V; v++) {
      lane[v].u = row[i + v];
      if (!PLAIN && d.current) { lane[v].current = row[task.count + i + v]; }
      if (!PLAIN && d.adapts) {
        lane[v].adapted = row[task.count + i + v];
        lane[v].spike = row[2 * task.count + i + v];
      }
    }
  }
  const int64_t stride = task.input_steps == 1 ? 0 : task.count;
#pragma unroll 4
  for (int t = 0; t < task.steps; t++) {
    const ssti_lanes<V> x = input(i + t * stride);
    ssti_lanes<V> h, out;
    for (int v = 0; v < V; v++) {
      h.at[v] = ssti_lane_charge<PLAIN>(d, x.at[v], lane[v]);
      ssti_lane_finish(d, task.smooth, h.at[v], lane[v]);
      out.at[v] = d.fires ? lane[v].spike : h.at[v];
    }
    ssti_store<V>(spikes + (t * task.count + i), out);
    if (membrane != nullptr) { ssti_store<V>(membrane + t * task.count + i, h); }
  }
  if (state == nullptr) { return; }
  for (int v = 0; v < V; v++) {
    row[i + v] = lane[v].u;
    if (!PLAIN && d.current) { row[task.count + i + v] = lane[v].current; }
    if (!PLAIN && d.adapts) {
      row[task.count + i + v] = lane[v].adapted;
      row[2 * task.count + i + v] = lane[v].spike;
    }
  }
}

// A checkpoint is the H before the segment, and I or a with it.
template <int V, bool PLAIN>
__device__ inline void ssti_save_checkpoint(const ssti_neuron_task &task, const ssti_dynamics &d, int segment,
                                            int64_t i, const ssti_lanes<V> &h, const ssti_neuron_lane *lane) {
  float *row = task.checkpoints + (int64_t)(segment - 1) * (PLAIN ? 1 : 2) * task.count + i;
  ssti_store<V>(row, h);
  for (int v = 0; !PLAIN && v < V; v++) { row[task.count + v] = d.current ? lane[v].current : lane[v].adapted; }
}

template <int V, bool PLAIN>
__device__ inline ssti_lanes<V> ssti_take_checkpoint(const ssti_neuron_task &task, const ssti_dynamics &d, int segment,
                                                     int64_t i, ssti_neuron_lane *lane) {
  for (int v = 0; v < V; v++) { lane[v] = ssti_lane_begin(d, task.smooth); }
  if (segment == 0) { return ssti_splat<V>(0.0f); }
  const float *row = task.checkpoints + (int64_t)(segment - 1) * (PLAIN ? 1 : 2) * task.count + i;
  const ssti_lanes<V> h = ssti_load<V>(row);
  for (int v = 0; v < V; v++) {
    if (!PLAIN && d.current) { lane[v].current = row[task.count + v]; }
    if (!PLAIN && d.adapts) {
      lane[v].adapted = row[task.count + v];
      lane[v].threshold = ssti_raised_threshold(&d, lane[v].adapted);
    }
    ssti_lane_finish(d, task.smooth, h.at[v], lane[v]);
  }
  return h;
}

template <int V, bool PLAIN, typename Input>
__device__ inline void ssti_make_checkpoints(const ssti_neuron_task &task, const ssti_dynamics &d, const Input &input,
                                             int64_t i) {
  const int64_t stride = task.input_steps == 1 ? 0 : task.count;
  ssti_neuron_lane lane[V];
  for (int v = 0; v < V; v++) { lane[v] = ssti_lane_begin(d, task.smooth); }
  const int last = (task.steps - 1) / ssti_segment * ssti_segment;
  for (int t = 0; t < last; t++) {
    const ssti_lanes<V> x = input(i + t * stride);
    ssti_lanes<V> h;
    for (int v = 0; v < V; v++) {
      h.at[v] = ssti_lane_charge<PLAIN>(d, x.at[v], lane[v]);
      ssti_lane_finish(d, task.smooth, h.at[v], lane[v]);
    }
    if ((t + 1) % ssti_segment == 0) { ssti_save_checkpoint<V, PLAIN>(task, d, (t + 1) / ssti_segment, i, h, lane); }
  }
}

// Gives emit(t, gradient of the input of step t) from the last step to the first, or once, with t = 0, where the input
// was the same at every step. Adds to *dleak unless it is NULL.
template <int V, bool PLAIN, typename Input, typename Spikes, typename Emit>
__device__ inline void ssti_neurons_back(const ssti_neuron_task &task, const ssti_dynamics &d, const Input &input,
                                         int64_t i, Spikes dspikes, const float *dmembrane, double *dleak,
                                         const Emit &emit) {
  const int64_t stride = task.input_steps == 1 ? 0 : task.count;
  ssti_back_lane back[V] = {};
  ssti_lanes<V> sum = ssti_splat<V>(0.0f);
  if (task.steps > ssti_segment) { ssti_make_checkpoints<V, PLAIN>(task, d, input, i); }
  for (int segment = (task.steps - 1) / ssti_segment; segment >= 0; segment--) {
    const int first = segment * ssti_segment;
    ssti_neuron_lane lane[V];
    const ssti_lanes<V> h_before = ssti_take_checkpoint<V, PLAIN>(task, d, segment, i, lane);
    ssti_lanes<V> h[ssti_segment], threshold[PLAIN ? 1 : ssti_segment];
#pragma unroll
    for (int k = 0; k < ssti_segment; k++) {
      if (first + k >= task.steps) { continue; } // `continue` and not `break`, so that all H stay in registers
      const ssti_lanes<V> x = input(i + (first + k) * stride);
      for (int v = 0; v < V; v++) {
        h[k].at[v] = ssti_lane_charge<PLAIN>(d, x.at[v], lane[v]);
        if (!PLAIN) { threshold[PLAIN ? 0 : k].at[v] = lane[v].threshold; }
        ssti_lane_finish(d, task.smooth, h[k].at[v], lane[v]);
      }
    }
#pragma unroll
    for (int k = ssti_segment - 1; k >= 0; k--) {
      const int t = first + k;
      if (t >= task.steps) { continue; }
      const ssti_lanes<V> ds = ssti_load_or<V>(dspikes, t * task.count + i, 0.0f);
      const ssti_lanes<V> dm = ssti_load_or<V>(dmembrane, t * task.count + i, 0.0f);
      ssti_lanes<V> dx, dh;
      for (int v = 0; v < V; v++) {
        const float theta = PLAIN ? d.threshold : threshold[PLAIN ? 0 : k].at[v];
        dh.at[v] = ssti_lane_back<PLAIN>(d, task.smooth, h[k].at[v], theta, ds.at[v], dm.at[v], back[v], dx.at[v]);
        sum.at[v] += dx.at[v];
      }
      if (dleak != nullptr) {
        const ssti_lanes<V> x = input(i + t * stride);
        for (int v = 0; v < V; v++) {
          const float h_last = k > 0 ? h[k > 0 ? k - 1 : 0].at[v] : h_before.at[v];
          const float s_last = ssti_lane_fire(d, task.smooth, h_last, d.threshold);
          const float u = t > 0 ? ssti_lane_reset(d, h_last, d.threshold, s_last) : d.start;
          *dleak += ssti_lane_dleak(d, dh.at[v], u, x.at[v]);
        }
      }
      if (stride != 0) { emit(t, dx); }
    }
  }
  if (stride == 0) { emit(0, sum); }
}

// *ddecay (+)= the gradient of PLIF's w from `count` sums of that of the leak, added in order.
void ssti_finish_dleak(ssti_backend *backend, const ssti_neuron_task &task, const double *dleaks, int64_t count,
                       float *ddecay, bool accumulate);

#endif
