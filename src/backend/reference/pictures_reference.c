// SPDX-License-Identifier: Apache-2.0
// A batch from the bytes of a set and the plans of its pictures. For each place: the picture and the one it is mixed
// with are changed as their plans say; then value by value looked up, mixed and written as a number or as spikes.
#include <string.h>

#include "backend/reference/reference.h"
#include "base/random.h"
#include "picture/picture_formulas.h"

typedef struct batch {
  const ssti_picture_form *form;
  const uint8_t *set;
  const float *values;
  const ssti_picture_plan *plans;
} batch;

static void change(const batch *b, const ssti_picture_plan *plan, uint8_t *bytes, uint8_t *room) {
  const ssti_picture_form *form = b->form;
  const size_t size = (size_t)form->height * (size_t)form->width * (size_t)form->channels;
  ssti_byte_picture picture = {bytes, room, form->height, form->width, form->channels};
  memcpy(bytes, b->set + (size_t)plan->picture * size, size);
  ssti_picture_follow(&picture, plan);
}

static float value_at(const batch *b, const ssti_picture_plan *plan, const uint8_t *bytes, int i) {
  const int channels = b->form->channels, width = b->form->width;
  if (ssti_cutout_has(&plan->cutout, i / channels / width, i / channels % width)) { return 0.0f; }
  return b->values[i % channels * 256 + bytes[i]];
}

// Value i of a picture of `size`, at step t.
static float written(const batch *b, const ssti_picture_plan *plan, float value, int size, int i, int64_t t) {
  const ssti_picture_form *form = b->form;
  if (form->spikes == SSTI_PICTURE_NUMBERS) { return value; }
  if (form->spikes == SSTI_PICTURE_LATENCY) { return ssti_picture_latency(value, form->timesteps) == t ? 1.0f : 0.0f; }
  uint32_t words[4]; // one call serves four values
  ssti_random_words(form->seed, plan->stream, (uint64_t)(t * ((size + 3) / 4) + i / 4), words);
  return ssti_picture_poisson(words[i % 4], value);
}

void ssti_reference_make_batch(ssti_backend *backend, const ssti_picture_form *form, const uint8_t *set,
                               const float *values, const ssti_picture_plan *plans, float *out) {
  (void)backend;
  const batch b = {form, set, values, plans};
  const int size = form->height * form->width * form->channels;
  assert(size <= SSTI_PICTURE_MOST_BYTES);
  uint8_t own[SSTI_PICTURE_MOST_BYTES], partner[SSTI_PICTURE_MOST_BYTES], room[SSTI_PICTURE_MOST_BYTES];
  for (int64_t n = 0; n < form->batch; n++) {
    const ssti_picture_plan *plan = &plans[n], *other = plan->partner < 0 ? NULL : &plans[plan->partner];
    if (plan->picture >= 0) { change(&b, plan, own, room); }
    if (other != NULL) { change(&b, other, partner, room); }
    for (int i = 0; i < size; i++) {
      float value = plan->picture >= 0 ? value_at(&b, plan, own, i) : 0.0f;
      if (other != NULL) { value = ssti_picture_mix(plan->share, value, value_at(&b, other, partner, i)); }
      for (int64_t t = 0; t < form->timesteps; t++) {
        out[(t * form->batch + n) * size + i] = plan->picture >= 0 ? written(&b, plan, value, size, i, t) : 0.0f;
      }
    }
  }
}
