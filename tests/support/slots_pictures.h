// SPDX-License-Identifier: Apache-2.0
// Batches from plans, against the reference, to the last bit: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_PICTURES_H
#define SPIKESTILL_TESTS_SLOTS_PICTURES_H

#include "data/augment.h"
#include "slot_pair.h"

enum { PICTURES = 5, PICTURE_PLACES = 2 * SSTI_AUTOAUGMENT_OPERATION_COUNT + 3 };

// Every operation twice, alone and before another one, under all crops, flips and squares; the last place is empty.
static inline void make_plans(const ssti_picture_form *form, bool mixes, uint64_t stream, ssti_picture_plan *plans) {
  const sst_augmentation options = {.crop_padding = 3, .flip = true, .cutout = 5};
  ssti_random random = ssti_random_begin(5, stream);
  for (int n = 0; n < PICTURE_PLACES; n++) {
    plans[n] = ssti_picture_plan_plain(n == PICTURE_PLACES - 1 ? -1 : n % PICTURES);
    if (plans[n].picture < 0) { continue; }
    plans[n].stream = ssti_random_stream_with(stream, (uint64_t)n);
    if (n > 0) { ssti_picture_plan_draw(&options, form->height, form->width, &random, &plans[n]); }
    for (int k = 0; n > 1 && k < 1 + n % 2; k++) {
      const int operation = (n / 2 - 1 + 5 * k) % SSTI_AUTOAUGMENT_OPERATION_COUNT;
      plans[n].operations[plans[n].operation_count++] = ssti_autoaugment_operation_of(
          (ssti_autoaugment_operation)operation, n % 10, n % 3 == 0 ? -1 : 1, form->height, form->width);
    }
    if (!mixes) { continue; }
    plans[n].partner = (n * 7 + 3) % (PICTURE_PLACES - 1);
    plans[n].share = 0.3f;
  }
}

static inline void check_pictures(pair *p, const ssti_picture_form *form, bool mixes) {
  const int64_t size = (int64_t)form->height * form->width * form->channels,
                count = form->timesteps * form->batch * size;
  const size_t plan_bytes = PICTURE_PLACES * sizeof(ssti_picture_plan);
  uint8_t *set = memory_of((size_t)(PICTURES * size));
  float *values = floats(SST_MAX_CHANNELS * 256), *expected = floats(count);
  ssti_picture_plan *plans = memory_of(plan_bytes);
  make_plans(form, mixes, (uint64_t)size, plans);
  // Few values in the first picture: its channels are stretched and spread by much.
  for (int64_t i = 0; i < PICTURES * size; i++) {
    set[i] =
        (uint8_t)(i < size ? 90 + ssti_random_below(3, 4, (uint64_t)i, 20) : ssti_random_below(3, 4, (uint64_t)i, 256));
  }
  for (int i = 0; i < SST_MAX_CHANNELS * 256; i++) {
    values[i] = form->spikes == SSTI_PICTURE_NUMBERS ? ((float)(i % 256) - 100.3f) / 77.0f : (float)(i % 256) / 255.0f;
  }
  p->reference->kernels.make_batch(p->reference, form, set, values, plans, expected);
  EACH_LEVEL(p, level) {
    float *out = floats(count);
    p->tested->kernels.make_batch(p->tested, form, set, values, plans, out);
    pair_wait(p);
    for (int64_t i = 0; i < count; i++) {
      if (memcmp(&out[i], &expected[i], sizeof *out) == 0) { continue; }
      const int64_t n = i / size % form->batch;
      fail_msg("%dx%dx%d, spikes %d, place %d (%d operations, the first %d), value %d is %g, expected %g", form->height,
               form->width, form->channels, form->spikes, (int)n, plans[n].operation_count,
               plans[n].operations[0].change, (int)(i % size), (double)out[i], (double)expected[i]);
    }
    check_canary(out, (size_t)count * sizeof *out);
    release(out);
  }
  release(set), release(values), release(expected), release(plans);
}

static void test_make_batch(void **state) {
  pair p = pair_make(*state);
  const int sizes[][3] = {{32, 32, 3}, {64, 64, 3}, {28, 27, 1}, {5, 9, 4}, {17, 3, 2}, {1, 1, 1}};
  for (int i = 0; i < 6; i++) {
    for (int way = 0; way < 4; way++) {
      const int spikes = way == 3 ? SSTI_PICTURE_NUMBERS : way;
      if (i == 1 && spikes != SSTI_PICTURE_NUMBERS) { continue; } // enough of the large ones
      const ssti_picture_form form = {sizes[i][0],    sizes[i][1],    sizes[i][2], spikes,
                                      PICTURE_PLACES, spikes ? 3 : 1, 11};
      check_pictures(&p, &form, way == 2 || way == 3);
    }
  }
  pair_end(&p);
}

#endif
