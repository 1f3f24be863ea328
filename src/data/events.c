// SPDX-License-Identifier: Apache-2.0
#include "data/events.h"

#include <string.h>

ssti_events ssti_events_begin(sst_context *context, int width, int height, int channels) {
  assert(width >= 1 && width <= SSTI_MAX_SENSOR_SIDE && height >= 1 && height <= SSTI_MAX_SENSOR_SIDE);
  assert(channels == 1 || channels == 2);
  return (ssti_events){.context = context, .width = width, .height = height, .channels = channels};
}

void ssti_events_free(ssti_events *events) {
  ssti_free(events->context, events->items);
  events->items = NULL;
  events->count = events->capacity = 0;
}

sst_status ssti_events_reserve(ssti_events *events, size_t count) {
  if (count <= events->capacity) { return SST_OK; }
  return ssti_grow(events->context, &events->items, &events->capacity, count, sizeof *events->items);
}

sst_status ssti_events_append(ssti_events *events, ssti_event event) {
  assert(event.x >= 0 && event.x < events->width && event.y >= 0 && event.y < events->height);
  assert(event.p >= 0 && event.p < events->channels);
  SST_TRY(ssti_events_reserve(events, events->count + 1));
  events->items[events->count++] = event;
  return SST_OK;
}

bool ssti_events_are_sorted(const ssti_events *events) {
  for (size_t i = 1; i < events->count; i++) {
    if (events->items[i].t < events->items[i - 1].t) { return false; }
  }
  return true;
}

// Merges the sorted runs from[begin..middle) and from[middle..end) into the same places of `to`.
static void merge(const ssti_event *from, size_t begin, size_t middle, size_t end, ssti_event *to) {
  size_t left = begin, right = middle;
  for (size_t i = begin; i < end; i++) {
    bool take_left = left < middle && (right >= end || from[left].t <= from[right].t);
    to[i] = take_left ? from[left++] : from[right++];
  }
}

// Merge sort from the bottom up: the C library's qsort does not keep the order of equal ones.
sst_status ssti_events_sort(ssti_events *events) {
  size_t count = events->count;
  ssti_event *from = events->items, *to = NULL;
  if (ssti_events_are_sorted(events)) { return SST_OK; }
  SST_TRY(ssti_allocate_raw(events->context, events->capacity, sizeof *to, &to));
  for (size_t run = 1; run < count; run *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * run) {
      size_t middle = begin + run < count ? begin + run : count;
      merge(from, begin, middle, middle + run < count ? middle + run : count, to);
    }
    ssti_event *swapped = from;
    from = to;
    to = swapped;
  }
  events->items = from;
  ssti_free(events->context, to);
  return SST_OK;
}

// The first event that is not earlier than `t`.
static size_t first_from(const ssti_events *events, int64_t t) {
  size_t low = 0, high = events->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (events->items[middle].t < t) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

sst_status ssti_events_cut(const ssti_events *events, int64_t begin, int64_t end, ssti_events *out) {
  assert(out->width == events->width && out->height == events->height && out->channels == events->channels);
  size_t first = first_from(events, begin), last = first_from(events, end);
  if (last <= first) { return SST_OK; }
  SST_TRY(ssti_events_reserve(out, out->count + (last - first)));
  memcpy(out->items + out->count, events->items + first, (last - first) * sizeof *out->items);
  out->count += last - first;
  return SST_OK;
}
