// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "backend/backend.h"
#include "data/dataset.h"
#include "data/loader_plans.h"
#include "spikestill/data.h"

enum { COUNT = 103, BATCH = 16, BATCHES = 7, SIZE = 28 * 28 };

static sst_dataset *digits(sst_context *context, int64_t count) {
  sst_dataset *dataset = NULL;
  sst_dataset_options options = {.kind = SST_DATASET_DIGITS, .train = true, .digits_seed = 1, .digits_count = count};
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  return dataset;
}

// A data set of 32x32x3 noise.
static sst_dataset *photos(sst_context *context, int64_t count) {
  sst_dataset *dataset = NULL;
  assert_ok(context, ssti_allocate(context, 1, sizeof *dataset, &dataset));
  dataset->context = context;
  dataset->info = (sst_dataset_info){SST_DATASET_CIFAR10, count, 0, 0, 10, 32, 32, 3, 0};
  assert_ok(context, ssti_allocate(context, (size_t)count, 3072, &dataset->pixels));
  assert_ok(context, ssti_allocate(context, (size_t)count, sizeof(int32_t), &dataset->labels));
  for (int64_t i = 0; i < count * 3072; i++) {
    dataset->pixels[i] = (uint8_t)ssti_random_below(9, 9, (uint64_t)i, 256);
  }
  for (int64_t i = 0; i < count; i++) { dataset->labels[i] = (int32_t)(i % 10); }
  return dataset;
}

static sst_loader_options plain_options(void) {
  return (sst_loader_options){.batch = BATCH, .seed = 3, .mean = {0.5f, 0.4f, 0.3f}, .deviation = {0.25f, 0.2f, 0.3f}};
}

static sst_loader *open_loader(sst_context *context, const sst_dataset *dataset, const sst_loader_options *options) {
  sst_loader *loader = NULL;
  assert_ok(context, sst_loader_open(context, dataset, NULL, 0, options, &loader));
  return loader;
}

static void test_direct_batches(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = digits(context, COUNT);
  sst_loader_options options = plain_options();
  sst_loader *loader = open_loader(context, dataset, &options);
  sst_batch batch;
  assert_true(sst_shape_equal(sst_loader_shape(loader), sst_shape_make(1, BATCH, 28, 28, 1)));
  assert_int_equal(sst_loader_batches(loader), BATCHES);
  assert_false(sst_loader_next(loader, &batch)); // no epoch was started
  sst_loader_start(loader, 0, 0);
  for (int64_t b = 0; b < BATCHES; b++) {
    assert_true(sst_loader_next(loader, &batch));
    assert_int_equal(batch.index, b);
    assert_int_equal(batch.count, b == BATCHES - 1 ? COUNT - b * BATCH : BATCH);
    assert_int_equal((uintptr_t)batch.input % 64, 0);
    for (int64_t i = 0; i < BATCH; i++) {
      bool real = i < batch.count;
      const uint8_t *picture = real ? sst_dataset_picture(dataset, b * BATCH + i) : NULL;
      int label = real ? sst_dataset_label(dataset, b * BATCH + i) : 0;
      assert_int_equal(batch.labels[i], label);
      for (int c = 0; c < 10; c++) { assert_near(batch.target[i * 10 + c], real && c == label ? 1 : 0, 0, 0); }
      for (int p = 0; p < SIZE; p++) {
        float expected = real ? ((float)picture[p] / 255.f - 0.5f) / 0.25f : 0.f;
        if (fabsf(batch.input[i * SIZE + p] - expected) > 1e-6f) { fail_msg("picture %d, pixel %d", (int)i, p); }
      }
    }
  }
  assert_false(sst_loader_next(loader, &batch));
  assert_false(sst_loader_next(loader, &batch));
  sst_loader_close(loader);
  options.drop_last = true;
  loader = open_loader(context, dataset, &options);
  assert_int_equal(sst_loader_batches(loader), BATCHES - 1);
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// A number that tells batches apart: order and content.
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i++) { hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3); }
  return hash;
}

static uint64_t hash_batch(const sst_loader *loader, const sst_batch *batch) {
  sst_shape shape = sst_loader_shape(loader);
  uint64_t hash = hash_bytes(1, batch->input, (size_t)sst_shape_count(shape) * sizeof(float));
  hash = hash_bytes(hash, batch->target, (size_t)shape.dim[SST_AXIS_N] * 10 * sizeof(float));
  hash = hash_bytes(hash, batch->labels, (size_t)shape.dim[SST_AXIS_N] * sizeof(int32_t));
  return hash_bytes(hash, &batch->count, sizeof batch->count);
}

// All options on: the same bits for any number of workers, after a restart, and from the middle.
static void check_same_for_any_workers(sst_context *context, const sst_dataset *dataset, sst_loader_options options) {
  enum { EPOCHS = 2, MOST = 16 };
  uint64_t expected[EPOCHS][MOST];
  int64_t batches = 0;
  const int workers[] = {0, 1, 2, 5};
  for (size_t w = 0; w < sizeof workers / sizeof workers[0]; w++) {
    options.workers = workers[w];
    sst_loader *loader = open_loader(context, dataset, &options);
    sst_batch batch;
    batches = sst_loader_batches(loader);
    assert_in_range(batches, 2, MOST);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
      sst_loader_start(loader, epoch, 0);
      for (int64_t b = 0; b < batches; b++) {
        assert_true(sst_loader_next(loader, &batch));
        uint64_t hash = hash_batch(loader, &batch);
        if (w == 0) { expected[epoch][b] = hash; }
        assert_true(hash == expected[epoch][b]);
      }
      assert_false(sst_loader_next(loader, &batch));
    }
    assert_true(expected[0][0] != expected[1][0]);
    // An epoch left in the middle, then another one, entered in the middle.
    sst_loader_start(loader, 1, 0);
    assert_true(sst_loader_next(loader, &batch));
    sst_loader_start(loader, 0, batches - 2);
    for (int64_t b = batches - 2; b < batches; b++) {
      assert_true(sst_loader_next(loader, &batch));
      assert_int_equal(batch.index, b);
      assert_true(hash_batch(loader, &batch) == expected[0][b]);
    }
    sst_loader_start(loader, 0, batches);
    assert_false(sst_loader_next(loader, &batch));
    sst_loader_start(loader, 1, 0); // left open with work going on
    sst_loader_close(loader);
  }
}

static void test_same_batches_for_any_workers(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 60);
  sst_loader_options options = plain_options();
  options.shuffle = true;
  options.augment = true;
  options.augmentation =
      (sst_augmentation){.crop_padding = 4, .flip = true, .cutout = 8, .autoaugment = SST_AUTOAUGMENT_CIFAR};
  check_same_for_any_workers(context, dataset, options);
  options.augmentation.mixup = 0.4f;
  check_same_for_any_workers(context, dataset, options);
  options.timesteps = 3;
  options.encoding = SST_ENCODING_POISSON;
  check_same_for_any_workers(context, dataset, options);
  options.augmentation.mixup = 0.f;
  check_same_for_any_workers(context, dataset, options);
  sst_dataset_close(dataset);
}

// Epochs that are left again and again, while workers are in the middle of them.
static void test_restarts(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 60);
  sst_loader_options options = plain_options();
  options.shuffle = true;
  options.augment = true;
  options.augmentation.autoaugment = SST_AUTOAUGMENT_CIFAR;
  uint64_t expected[2] = {0};
  sst_batch batch;
  for (options.workers = 0; options.workers <= 3; options.workers += 3) {
    sst_loader *loader = open_loader(context, dataset, &options);
    for (int i = 0; i < 300; i++) {
      sst_loader_start(loader, i % 2, 0);
      // Now at once, now when the workers are well under way.
      for (volatile int wait = 0; wait < i % 7 * 3000; wait++) {}
      if (i % 3 == 0) { continue; }
      assert_true(sst_loader_next(loader, &batch));
      uint64_t hash = hash_batch(loader, &batch);
      if (options.workers == 0) { expected[i % 2] = hash; }
      assert_true(hash == expected[i % 2]);
    }
    sst_loader_close(loader);
  }
  sst_dataset_close(dataset);
}

// What is drawn for a picture depends on its position in the whole epoch, not on that in its batch.
static void test_every_position_draws_anew(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 40);
  for (int64_t i = 1; i < 40; i++) { memcpy(dataset->pixels + i * 3072, dataset->pixels, 3072); }
  sst_loader_options options = plain_options();
  options.batch = 4;
  options.augment = true;
  options.augmentation.crop_padding = 8;
  for (int kind = 0; kind < 2; kind++) {
    if (kind == 1) {
      options.augment = false;
      options.encoding = SST_ENCODING_POISSON;
      options.timesteps = 1;
    }
    sst_loader *loader = open_loader(context, dataset, &options);
    uint64_t hashes[40];
    int same = 0;
    sst_batch batch;
    sst_loader_start(loader, 0, 0);
    while (sst_loader_next(loader, &batch)) {
      for (int64_t i = 0; i < 4; i++) {
        int64_t position = batch.index * 4 + i;
        hashes[position] = hash_bytes(1, batch.input + i * 3072, 3072 * sizeof(float));
        for (int64_t k = 0; k < position; k++) { same += hashes[k] == hashes[position]; }
      }
    }
    assert_in_range(same, 0, 12); // 780 pairs, 289 shifts: 3 are expected
    sst_loader_close(loader);
  }
  sst_dataset_close(dataset);
}

// A batch is not overwritten before the next call, however far the workers are ahead.
static void test_batch_stays_until_next(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = digits(context, 200);
  sst_loader_options options = plain_options();
  options.batch = 2;
  options.workers = 3;
  sst_loader *loader = open_loader(context, dataset, &options);
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    uint64_t before = hash_batch(loader, &batch);
    for (volatile int wait = 0; wait < 20000; wait++) {}
    assert_true(hash_batch(loader, &batch) == before);
  }
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// Each chosen picture comes once an epoch, in another order each time.
static void test_shuffle_and_indices(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = digits(context, COUNT);
  int32_t indices[50];
  for (int i = 0; i < 50; i++) { indices[i] = 2 * i; }
  sst_loader_options options = plain_options();
  options.shuffle = true;
  options.batch = 1;
  options.workers = 1;
  sst_loader *loader = NULL;
  assert_ok(context, sst_loader_open(context, dataset, indices, 50, &options, &loader));
  for (int i = 0; i < 50; i++) { indices[i] = -1; } // they were copied
  int orders[2][50];
  for (int epoch = 0; epoch < 2; epoch++) {
    sst_batch batch;
    int seen[COUNT] = {0};
    sst_loader_start(loader, epoch, 0);
    for (int b = 0; sst_loader_next(loader, &batch); b++) {
      for (int i = 0; i < COUNT; i++) {
        const uint8_t *picture = sst_dataset_picture(dataset, i);
        bool same = true;
        for (int p = 0; p < SIZE && same; p++) {
          same = fabsf(batch.input[p] - ((float)picture[p] / 255.f - 0.5f) / 0.25f) < 1e-5f;
        }
        if (same) {
          seen[i]++;
          orders[epoch][b] = i;
        }
      }
    }
    for (int i = 0; i < COUNT; i++) { assert_int_equal(seen[i], i % 2 == 0 && i < 100); }
  }
  assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// What goes in as light comes out as spikes, in time-major order, and the places of missing pictures stay dark.
static void test_spikes(void **state) {
  sst_context *context = *state;
  enum { T = 4 };
  sst_dataset *dataset = digits(context, BATCH + 3);
  sst_loader_options options = plain_options();
  options.timesteps = T;
  options.encoding = SST_ENCODING_LATENCY;
  options.deviation[0] = 0.f; // not used, so not checked
  sst_loader *loader = open_loader(context, dataset, &options);
  assert_true(sst_shape_equal(sst_loader_shape(loader), sst_shape_make(T, BATCH, 28, 28, 1)));
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    for (int64_t i = 0; i < BATCH; i++) {
      for (int64_t p = 0; p < SIZE; p++) {
        int byte = i < batch.count ? sst_dataset_picture(dataset, batch.index * BATCH + i)[p] : 0;
        int expected = byte == 0 ? -1 : (255 - byte) * T / 255;
        for (int t = 0; t < T; t++) {
          float spike = batch.input[((int64_t)t * BATCH + i) * SIZE + p];
          if (spike != (t == expected ? 1.f : 0.f)) { fail_msg("byte %d at step %d: %g", byte, t, (double)spike); }
        }
      }
    }
  }
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// Mixed targets sum to 1, and the picture is the same mixture of two pictures.
static void test_mixup(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = digits(context, BATCH);
  sst_loader_options options = plain_options();
  options.mean[0] = 0.f;
  options.deviation[0] = 1.f;
  options.augment = true;
  options.augmentation.mixup = 1.f;
  sst_loader *loader = open_loader(context, dataset, &options);
  double total = 0, light = 0;
  int mixed = 0;
  sst_batch batch;
  for (int epoch = 0; epoch < 5; epoch++) {
    sst_loader_start(loader, epoch, 0);
    assert_true(sst_loader_next(loader, &batch));
    total = light = 0;
    for (int i = 0; i < BATCH; i++) {
      double sum = 0;
      for (int c = 0; c < 10; c++) {
        sum += (double)batch.target[i * 10 + c];
        mixed += batch.target[i * 10 + c] > 0.f && batch.target[i * 10 + c] < 1.f;
      }
      assert_near(sum, 1, 1e-6, 0);
      assert_true(batch.target[i * 10 + batch.labels[i]] > 0.f);
      for (int p = 0; p < SIZE; p++) {
        light += (double)batch.input[i * SIZE + p];
        total += sst_dataset_picture(dataset, i)[p] / 255.0;
      }
    }
    assert_near(light, total, 1e-5, 0); // every picture is a partner once, so the batch keeps its light
  }
  assert_true(mixed > 20);
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// Cutout leaves zeros, which are the mean, in a square.
static void test_cutout_is_the_mean(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 8);
  sst_loader_options options = plain_options();
  options.batch = 8;
  options.augment = true;
  options.augmentation.cutout = 16;
  sst_loader *loader = open_loader(context, dataset, &options);
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  assert_true(sst_loader_next(loader, &batch));
  for (int i = 0; i < 8; i++) {
    int zeros = 0;
    for (int p = 0; p < 3072; p++) { zeros += batch.input[i * 3072 + p] == 0.f; }
    assert_in_range(zeros, 3 * 8 * 8, 3 * 16 * 16 + 3);
  }
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

static void test_allocates_nothing_while_running(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 60);
  sst_loader_options options = plain_options();
  options.shuffle = true;
  options.augment = true;
  options.augmentation = (sst_augmentation){4, true, 8, SST_AUTOAUGMENT_CIFAR, 0.4f, {0}};
  for (options.workers = 0; options.workers <= 2; options.workers++) {
    sst_loader *loader = open_loader(context, dataset, &options);
    uint64_t before = sst_context_allocation_count(context);
    sst_batch batch;
    for (int epoch = 0; epoch < 3; epoch++) {
      sst_loader_start(loader, epoch, 0);
      while (sst_loader_next(loader, &batch)) {}
    }
    assert_true(sst_context_allocation_count(context) == before);
    sst_loader_close(loader);
  }
  sst_dataset_close(dataset);
}

static void test_bad_options(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = digits(context, 10);
  sst_loader *loader = NULL;
  const int32_t outside[2] = {3, 10};
  sst_loader_options good = plain_options();
  good.augment = true;
#define REFUSED(change, part)                                                                                          \
  do {                                                                                                                 \
    sst_loader_options bad = good;                                                                                     \
    change;                                                                                                            \
    assert_fails(context, SST_INVALID_ARGUMENT, sst_loader_open(context, dataset, NULL, 0, &bad, &loader), part);      \
    assert_null(loader);                                                                                               \
  } while (0)
  REFUSED(bad.batch = 0, "found a batch of 0, expected 1 to");
  REFUSED(bad.drop_last = true, "10 pictures do not fill one batch of 16");
  REFUSED(bad.workers = 65, "found 65 workers, expected 0 to 64");
  REFUSED(bad.encoding = SST_ENCODING_COUNT, "found encoding 4");
  REFUSED(bad.encoding = SST_ENCODING_POISSON, "found 0 time steps");
  REFUSED(bad.deviation[0] = 0.f, "deviation 0 for channel 0");
  REFUSED(bad.mean[0] = NAN, "found mean nan");
  REFUSED(bad.augmentation.crop_padding = -1, "crop padding of -1");
  REFUSED(bad.augmentation.cutout = 5000, "cutout of 5000");
  REFUSED(bad.augmentation.mixup = NAN, "mixup of nan");
  REFUSED(bad.augmentation.autoaugment = SST_AUTOAUGMENT_COUNT, "AutoAugment policy 2");
#undef REFUSED
  assert_fails(context, SST_INVALID_ARGUMENT, sst_loader_open(context, dataset, outside, 2, &good, &loader),
               "index 1 is picture 10, but the data set has 10");
  sst_loader_close(NULL);
  sst_dataset_close(dataset);
}

enum { FRAMES = 3, SIDE = 4, FRAME_BYTES = SIDE * SIDE * 2 };

// Recordings as frames whose counts tell where they are: 100 * sample + 30 * frame + place, cut to a byte.
static sst_dataset *recordings(sst_context *context, int64_t count) {
  sst_dataset *dataset = NULL;
  assert_ok(context, ssti_allocate(context, 1, sizeof *dataset, &dataset));
  dataset->context = context;
  dataset->info = (sst_dataset_info){SST_DATASET_DIGITS, count, 0, 0, 10, SIDE, SIDE, 2, FRAMES};
  assert_int_equal(sst_dataset_sample_bytes(&dataset->info), FRAMES * FRAME_BYTES);
  assert_ok(context, ssti_allocate(context, (size_t)count, FRAMES * FRAME_BYTES, &dataset->pixels));
  assert_ok(context, ssti_allocate(context, (size_t)count, sizeof(int32_t), &dataset->labels));
  for (int64_t i = 0; i < count * FRAMES * FRAME_BYTES; i++) {
    int64_t sample = i / (FRAMES * FRAME_BYTES), frame = i / FRAME_BYTES % FRAMES;
    dataset->pixels[i] = (uint8_t)(100 * sample + 30 * frame + i % FRAME_BYTES);
  }
  return dataset;
}

static sst_loader_options frame_options(void) {
  return (sst_loader_options){
      .batch = 3, .seed = 5, .mean = {1.f, 2.f}, .deviation = {2.f, 4.f}, .encoding = SST_ENCODING_FRAMES};
}

// What stands at a place of the input for the byte there: counts, not pixels in 0..1.
static float counted(const uint8_t *frame, int place) {
  return place % 2 ? ((float)frame[place] - 2.f) / 4.f : ((float)frame[place] - 1.f) / 2.f;
}

static void test_frames_become_steps(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = recordings(context, 2);
  sst_loader_options options = frame_options();
  sst_loader *loader = NULL;
  assert_ok(context, sst_loader_open(context, dataset, NULL, 0, &options, &loader));
  assert_true(sst_shape_equal(sst_loader_shape(loader), sst_shape_make(FRAMES, 3, SIDE, SIDE, 2)));
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  assert_true(sst_loader_next(loader, &batch));
  for (int t = 0; t < FRAMES; t++) {
    for (int n = 0; n < 3; n++) {
      for (int p = 0; p < FRAME_BYTES; p++) {
        float expected = n < 2 ? counted(sst_dataset_picture(dataset, n) + t * FRAME_BYTES, p) : 0.f;
        assert_float_equal(batch.input[(t * 3 + n) * FRAME_BYTES + p], expected, 0);
      }
    }
  }
  assert_false(sst_loader_next(loader, &batch));
  assert_ok(context, sst_loader_status(loader));
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

// Every frame of a sample is flipped, moved and cut in the same place.
static void test_frames_are_augmented_alike(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = recordings(context, 2);
  for (int64_t i = 0; i < 2 * FRAMES * FRAME_BYTES; i++) {
    dataset->pixels[i] = (uint8_t)(i % FRAME_BYTES + 10); // all frames alike, no zeros
  }
  sst_loader_options options = frame_options();
  options.augment = true;
  options.augmentation = (sst_augmentation){.crop_padding = 2, .flip = true, .cutout = 2};
  sst_loader *loader = NULL;
  assert_ok(context, sst_loader_open(context, dataset, NULL, 0, &options, &loader));
  int changed = 0;
  sst_batch batch;
  for (int64_t epoch = 0; epoch < 10; epoch++) {
    sst_loader_start(loader, epoch, 0);
    assert_true(sst_loader_next(loader, &batch));
    for (int n = 0; n < 2; n++) {
      const float *first = batch.input + n * FRAME_BYTES;
      for (int t = 1; t < FRAMES; t++) {
        assert_memory_equal(first, batch.input + (t * 3 + n) * FRAME_BYTES, FRAME_BYTES * sizeof(float));
      }
      changed += first[0] != counted(sst_dataset_picture(dataset, n), 0);
    }
  }
  assert_true(changed > 10);
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

static void test_frames_are_mixed(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = recordings(context, 2);
  dataset->labels[1] = 7;
  sst_loader_options options = frame_options();
  options.batch = 2;
  options.augment = true;
  options.augmentation.mixup = 1.f;
  sst_loader *loader = NULL;
  assert_ok(context, sst_loader_open(context, dataset, NULL, 0, &options, &loader));
  sst_batch batch;
  int64_t epoch = 0;
  do { // until the two are partners of each other
    sst_loader_start(loader, epoch++, 0);
    assert_true(sst_loader_next(loader, &batch));
  } while (batch.target[0] == 1.f);
  float share = batch.target[0];
  assert_float_equal(batch.target[7], 1.f - share, 1e-6);
  for (int t = 0; t < FRAMES; t++) {
    for (int p = 0; p < FRAME_BYTES; p++) {
      const uint8_t *a = sst_dataset_picture(dataset, 0) + t * FRAME_BYTES;
      const uint8_t *b = sst_dataset_picture(dataset, 1) + t * FRAME_BYTES;
      assert_float_equal(batch.input[t * 2 * FRAME_BYTES + p], share * counted(a, p) + (1.f - share) * counted(b, p),
                         1e-4);
    }
  }
  sst_loader_close(loader);
  sst_dataset_close(dataset);
}

static void test_frames_and_encodings_belong_together(void **state) {
  sst_context *context = *state;
  sst_dataset *events = recordings(context, 3), *pictures = photos(context, 3);
  sst_loader_options options = frame_options();
  sst_loader *loader = NULL;
  options.deviation[2] = 1.f;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_loader_open(context, pictures, NULL, 0, &options, &loader),
               "has pictures, so its encoding cannot be frames");
  options.augment = true;
  options.augmentation.autoaugment = SST_AUTOAUGMENT_CIFAR;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_loader_open(context, events, NULL, 0, &options, &loader),
               "AutoAugment is for pictures");
  options.encoding = SST_ENCODING_DIRECT;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_loader_open(context, events, NULL, 0, &options, &loader),
               "has frames of events, so its encoding cannot be one of pictures");
  sst_dataset_close(events);
  sst_dataset_close(pictures);
}

// What a device makes of a loader's plans is what the loader makes itself.
static void check_plans(sst_context *context, ssti_backend *backend, const sst_dataset *dataset,
                        const sst_loader_options *options) {
  sst_loader *whole = open_loader(context, dataset, options), *planned = open_loader(context, dataset, options);
  const int64_t count = sst_shape_count(sst_loader_shape(whole)), classes = dataset->info.classes;
  float *made = malloc((size_t)count * sizeof *made);
  ssti_picture_form form;
  const char *why = NULL;
  assert_true(ssti_loader_form(planned, &form, &why));
  ssti_loader_plan_only(planned, true, NULL);
  for (int64_t epoch = 0; epoch < 2; epoch++) {
    sst_batch a, b;
    sst_loader_start(whole, epoch, 1);
    sst_loader_start(planned, epoch, 1);
    while (sst_loader_next(whole, &a)) {
      assert_true(sst_loader_next(planned, &b));
      assert_null(b.input);
      memset(made, 0xff, (size_t)count * sizeof *made);
      backend->kernels.make_batch(backend, &form, dataset->pixels, ssti_loader_values(planned),
                                  ssti_loader_plans(planned), made);
      assert_memory_equal(made, a.input, (size_t)count * sizeof *made);
      assert_memory_equal(b.target, a.target, (size_t)(options->batch * classes) * sizeof *a.target);
      assert_memory_equal(b.labels, a.labels, (size_t)options->batch * sizeof *a.labels);
      assert_int_equal(b.count, a.count);
    }
    assert_false(sst_loader_next(planned, &b));
    assert_true(ssti_loader_planned(planned, &why));
  }
  ssti_loader_plan_only(planned, false, NULL);
  sst_batch batch;
  sst_loader_start(planned, 0, 0);
  assert_true(sst_loader_next(planned, &batch));
  assert_non_null(batch.input);
  free(made);
  sst_loader_close(whole);
  sst_loader_close(planned);
}

static void test_plans_make_the_same_batches(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = NULL;
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &backend));
  sst_dataset *sets[] = {photos(context, 70), digits(context, 70)};
  for (int i = 0; i < 2; i++) {
    for (int encoding = 0; encoding < SST_ENCODING_COUNT; encoding++) {
      if (encoding == SST_ENCODING_FRAMES) { continue; }
      sst_loader_options options = plain_options();
      options.encoding = (sst_encoding)encoding;
      options.timesteps = 3;
      options.shuffle = true;
      check_plans(context, backend, sets[i], &options);
      options.workers = 2;
      options.augment = true;
      options.augmentation = (sst_augmentation){
          .crop_padding = 4, .flip = true, .cutout = 8, .autoaugment = SST_AUTOAUGMENT_CIFAR, .mixup = i ? 0.4f : 0.f};
      check_plans(context, backend, sets[i], &options);
    }
    sst_dataset_close(sets[i]);
  }
  ssti_backend_destroy(backend);
}

static void test_what_the_host_must_make(void **state) {
  sst_context *context = *state;
  sst_dataset *dataset = photos(context, 20), *events = recordings(context, 20);
  sst_loader_options options = plain_options();
  ssti_picture_form form;
  const char *why = NULL;
  options.host_only = true;
  sst_loader *loader = open_loader(context, dataset, &options);
  assert_false(ssti_loader_form(loader, &form, &why));
  assert_string_equal(why, "it was asked for");
  sst_loader_close(loader);
  options.host_only = false;
  dataset->info.height = 65; // 65x64x3 bytes; nobody reads them
  dataset->info.width = 64;
  loader = open_loader(context, dataset, &options);
  assert_false(ssti_loader_form(loader, &form, &why));
  assert_string_equal(why, "its pictures are too large for a block of threads");
  sst_loader_close(loader);
  options = frame_options();
  loader = open_loader(context, events, &options);
  assert_false(ssti_loader_form(loader, &form, &why));
  assert_string_equal(why, "frames of events are made by the host");
  sst_loader_close(loader);
  sst_dataset_close(dataset);
  sst_dataset_close(events);
}

static void test_allocation_failures(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {0};
    sst_context *context = fault_context(&plan);
    sst_dataset *dataset = photos(context, 20);
    sst_loader_options options = plain_options();
    options.workers = 2;
    options.augment = true;
    options.augmentation.mixup = 1.f;
    sst_loader *loader = NULL;
    plan.allocation = plan.allocations + k;
    sst_status status = sst_loader_open(context, dataset, NULL, 0, &options, &loader);
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    assert_int_equal(loader == NULL, met);
    sst_loader_close(loader);
    sst_dataset_close(dataset);
    test_context_end(context);
    if (!met) { break; }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_direct_batches),
      TEST(test_same_batches_for_any_workers),
      TEST(test_restarts),
      TEST(test_every_position_draws_anew),
      TEST(test_batch_stays_until_next),
      TEST(test_shuffle_and_indices),
      TEST(test_spikes),
      TEST(test_mixup),
      TEST(test_cutout_is_the_mean),
      TEST(test_allocates_nothing_while_running),
      TEST(test_bad_options),
      TEST(test_frames_become_steps),
      TEST(test_frames_are_augmented_alike),
      TEST(test_frames_are_mixed),
      TEST(test_frames_and_encodings_belong_together),
      TEST(test_plans_make_the_same_batches),
      TEST(test_what_the_host_must_make),
      cmocka_unit_test(test_allocation_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
