// SPDX-License-Identifier: Apache-2.0
// Batches made on the card, from the bytes of a set that lies there and the plans of its pictures. A block a place of
// the batch: the picture, and the one that it is mixed with, are changed in shared memory, byte by byte as by
// picture/picture_operate.c, and then written as numbers or spikes. Reads a byte and writes 4 for each value and step.
#include "backend/cuda/cuda_reduce.h"
#include "base/random.h"
#include "picture/picture_formulas.h"

namespace {

struct batch {
  ssti_picture_form form;
  const uint8_t *set;
  const float *values;
  const ssti_picture_plan *plans;
  float *out;
};

__device__ int size_of(const ssti_picture_form &form) { return form.height * form.width * form.channels; }

// The picture as the plan's crop and flip leave it.
__device__ void gather(const batch &b, const ssti_picture_plan &plan, uint8_t *to) {
  const int channels = b.form.channels, width = b.form.width, height = b.form.height, size = size_of(b.form);
  const uint8_t *from = b.set + (int64_t)plan.picture * size;
  for (int i = (int)threadIdx.x; i < size; i += ssti_block_threads) {
    const int c = i % channels, x = i / channels % width, y = i / channels / width;
    const int from_x = (plan.flip ? width - 1 - x : x) + plan.dx, from_y = y + plan.dy;
    const bool inside = from_x >= 0 && from_x < width && from_y >= 0 && from_y < height;
    to[i] = inside ? from[(from_y * width + from_x) * channels + c] : (uint8_t)0;
  }
}

__device__ void transform(const ssti_picture_form &form, const ssti_picture_operation &o, const uint8_t *from,
                          uint8_t *to) {
  const int64_t limit_x = (int64_t)form.width * SSTI_PICTURE_FIXED_ONE;
  const int64_t limit_y = (int64_t)form.height * SSTI_PICTURE_FIXED_ONE;
  for (int i = (int)threadIdx.x; i < size_of(form); i += ssti_block_threads) {
    const int c = i % form.channels, x = i / form.channels % form.width, y = i / form.channels / form.width;
    const int64_t from_x = o.x + x * o.x_by_x + y * o.x_by_y, from_y = o.y + x * o.y_by_x + y * o.y_by_y;
    if (from_x < 0 || from_x >= limit_x || from_y < 0 || from_y >= limit_y) {
      to[i] = SSTI_PICTURE_FILL;
    } else {
      const int64_t place = from_y / SSTI_PICTURE_FIXED_ONE * form.width + from_x / SSTI_PICTURE_FIXED_ONE;
      to[i] = from[place * form.channels + c];
    }
  }
}

// The mean of the grey values, for all threads.
__device__ uint8_t mean_of(const ssti_picture_form &form, const uint8_t *from) {
  const int pixels = form.height * form.width;
  int64_t sum = 0;
  for (int p = (int)threadIdx.x; p < pixels; p += ssti_block_threads) {
    sum += ssti_picture_grey(from + p * form.channels, form.channels);
  }
  return ssti_picture_mean((int64_t)ssti_block_sum((double)sum), pixels); // whole numbers: exact
}

// What byte i of the plainer picture is.
__device__ uint8_t plainer(const ssti_picture_form &form, ssti_picture_change change, const uint8_t *from, uint8_t mean,
                           int i) {
  const int channels = form.channels;
  if (change == SSTI_PICTURE_COLOR) { return ssti_picture_grey(from + i / channels * channels, channels); }
  if (change == SSTI_PICTURE_SHARPNESS) {
    const int x = i / channels % form.width, y = i / channels / form.width;
    const bool border = x == 0 || x == form.width - 1 || y == 0 || y == form.height - 1;
    return border ? from[i] : ssti_picture_smooth(from + i, form.width * channels, channels);
  }
  return change == SSTI_PICTURE_CONTRAST ? mean : (uint8_t)0;
}

__device__ void blend(const ssti_picture_form &form, const ssti_picture_operation &o, const uint8_t *from,
                      uint8_t *to) {
  const ssti_picture_change change = (ssti_picture_change)o.change;
  const uint8_t mean = change == SSTI_PICTURE_CONTRAST ? mean_of(form, from) : (uint8_t)0;
  for (int i = (int)threadIdx.x; i < size_of(form); i += ssti_block_threads) {
    to[i] = ssti_picture_blend(plainer(form, change, from, mean, i), from[i], o.factor);
  }
}

// Thread v's value after the change of a channel with these counts.
__device__ uint8_t changed_value(ssti_picture_change change, const int *counts, int pixels, int v) {
  int low = 0, high = 255;
  while (high > 0 && counts[high] == 0) { high--; }
  if (change == SSTI_PICTURE_AUTOCONTRAST) {
    while (low < 255 && counts[low] == 0) { low++; }
    return high > low ? ssti_picture_spread(low, high, v) : (uint8_t)v;
  }
  const int step = ssti_picture_level_step(pixels, counts[high]);
  if (step == 0) { return (uint8_t)v; }
  int below = 0;
  for (int i = 0; i < v; i++) { below += counts[i]; }
  return ssti_picture_level(below, step);
}

// Each thread counts its own value, so that no two add to the same place.
__device__ void change_channels(const ssti_picture_form &form, ssti_picture_change change, const uint8_t *from,
                                uint8_t *to) {
  static_assert(ssti_block_threads == 256, "a thread a value of a byte");
  __shared__ int counts[256];
  __shared__ uint8_t table[256];
  const int v = (int)threadIdx.x, pixels = form.height * form.width;
  for (int c = 0; c < form.channels; c++) {
    int count = 0;
    for (int p = 0; p < pixels; p++) { count += from[p * form.channels + c] == v; }
    counts[v] = count;
    __syncthreads();
    table[v] = changed_value(change, counts, pixels, v);
    __syncthreads();
    for (int p = v; p < pixels; p += ssti_block_threads) {
      to[p * form.channels + c] = table[from[p * form.channels + c]];
    }
    __syncthreads(); // before the next channel's counts
  }
}

__device__ void change_values(const ssti_picture_form &form, const ssti_picture_operation &o, const uint8_t *from,
                              uint8_t *to) {
  const bool solarize = o.change == SSTI_PICTURE_SOLARIZE;
  for (int i = (int)threadIdx.x; i < size_of(form); i += ssti_block_threads) {
    const int x = from[i];
    to[i] = (uint8_t)(!solarize ? x & o.number : x < o.number ? x : 255 - x);
  }
}

__device__ void operate(const ssti_picture_form &form, const ssti_picture_operation &o, const uint8_t *from,
                        uint8_t *to) {
  switch ((ssti_picture_change)o.change) {
  case SSTI_PICTURE_TRANSFORM: transform(form, o, from, to); break;
  case SSTI_PICTURE_COLOR:
  case SSTI_PICTURE_BRIGHTNESS:
  case SSTI_PICTURE_CONTRAST:
  case SSTI_PICTURE_SHARPNESS: blend(form, o, from, to); break;
  case SSTI_PICTURE_POSTERIZE:
  case SSTI_PICTURE_SOLARIZE: change_values(form, o, from, to); break;
  case SSTI_PICTURE_AUTOCONTRAST:
  case SSTI_PICTURE_EQUALIZE: change_channels(form, (ssti_picture_change)o.change, from, to); break;
  }
}

// The plan's picture, in one of the two; the other one is room. All threads of a block come here for the same plan.
__device__ uint8_t *follow(const batch &b, const ssti_picture_plan &plan, uint8_t **bytes, uint8_t **room) {
  gather(b, plan, *bytes);
  __syncthreads();
  for (int k = 0; k < plan.operation_count; k++) {
    operate(b.form, plan.operations[k], *bytes, *room);
    __syncthreads();
    uint8_t *const kept = *bytes;
    *bytes = *room;
    *room = kept;
  }
  return *bytes;
}

__device__ float value_at(const batch &b, const ssti_picture_plan &plan, const uint8_t *bytes, int i) {
  const int channels = b.form.channels, width = b.form.width;
  if (ssti_cutout_has(&plan.cutout, i / channels / width, i / channels % width)) { return 0.0f; }
  return b.values[i % channels * 256 + bytes[i]];
}

// Four values of a picture as spikes: one call of the generator serves them all.
__device__ void write_spikes(const batch &b, uint64_t stream, const float four[4], int group, int64_t n) {
  const ssti_picture_form &form = b.form;
  const int size = size_of(form), groups = (size + 3) / 4;
  for (int64_t t = 0; t < form.timesteps; t++) {
    float *const to = b.out + (t * form.batch + n) * size;
    uint32_t words[4] = {0, 0, 0, 0};
    if (form.spikes == SSTI_PICTURE_POISSON) {
      ssti_random_words(form.seed, stream, (uint64_t)(t * groups + group), words);
    }
    for (int k = 0; k < 4 && 4 * group + k < size; k++) {
      const bool latency = form.spikes == SSTI_PICTURE_LATENCY;
      to[4 * group + k] = latency ? (ssti_picture_latency(four[k], form.timesteps) == t ? 1.0f : 0.0f)
                                  : ssti_picture_poisson(words[k], four[k]);
    }
  }
}

__device__ void write_nothing(const batch &b, int64_t n) {
  const int size = size_of(b.form);
  for (int64_t t = 0; t < b.form.timesteps; t++) {
    float *const to = b.out + (t * b.form.batch + n) * size;
    for (int i = (int)threadIdx.x; i < size; i += ssti_block_threads) { to[i] = 0.0f; }
  }
}

__global__ void __launch_bounds__(256) make_batch_kernel(batch b) {
  __shared__ uint8_t places[3][SSTI_PICTURE_MOST_BYTES];
  const int64_t n = blockIdx.x;
  const ssti_picture_plan &plan = b.plans[n];
  if (plan.picture < 0) {
    write_nothing(b, n);
    return;
  }
  uint8_t *bytes = places[0], *room = places[1], *others = places[2];
  const uint8_t *const own = follow(b, plan, &bytes, &room);
  const bool is_mixed = plan.partner >= 0;
  const ssti_picture_plan &other = b.plans[is_mixed ? plan.partner : n];
  const uint8_t *const partner = is_mixed ? follow(b, other, &others, &room) : own;
  const int size = size_of(b.form);
  for (int group = (int)threadIdx.x; 4 * group < size; group += ssti_block_threads) {
    float four[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int k = 0; k < 4 && 4 * group + k < size; k++) {
      const int i = 4 * group + k;
      four[k] = value_at(b, plan, own, i);
      if (is_mixed) { four[k] = ssti_picture_mix(plan.share, four[k], value_at(b, other, partner, i)); }
      if (b.form.spikes == SSTI_PICTURE_NUMBERS) { b.out[n * size + i] = four[k]; }
    }
    if (b.form.spikes != SSTI_PICTURE_NUMBERS) { write_spikes(b, plan.stream, four, group, n); }
  }
}

void make_batch(ssti_backend *backend, const ssti_picture_form *form, const uint8_t *set, const float *values,
                const ssti_picture_plan *plans, float *out) {
  assert(form->height * form->width * form->channels <= SSTI_PICTURE_MOST_BYTES);
  const batch b = {*form, set, values, plans, out};
  ssti_launch(backend, make_batch_kernel, dim3((unsigned)form->batch), dim3(ssti_block_threads), b);
}

} // namespace

void ssti_cuda_fill_pictures(ssti_kernels *kernels) { kernels->make_batch = make_batch; }
