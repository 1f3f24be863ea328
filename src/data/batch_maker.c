// SPDX-License-Identifier: Apache-2.0
#include "data/batch_maker.h"

#include <string.h>

#include "data/encode.h"

void ssti_batch_maker_begin(const sst_dataset *dataset, const sst_loader_options *options, ssti_batch_maker *maker) {
  bool direct = options->encoding == SST_ENCODING_DIRECT;
  *maker = (ssti_batch_maker){.dataset = dataset, .options = *options, .info = dataset->info};
  maker->timesteps = direct ? 1 : options->timesteps;
  maker->picture_size = maker->info.height * maker->info.width * maker->info.channels;
  maker->mixes = options->augment && options->augmentation.mixup > 0.f;
  maker->stages = maker->mixes || !direct;
  maker->augment_stream = ssti_random_stream("data augment");
  maker->mix_stream = ssti_random_stream("data mixup");
  maker->encode_stream = ssti_random_stream("data encode");
  for (int c = 0; c < (int)maker->info.channels; c++) {
    for (int i = 0; i < 256; i++) {
      double value = i / 255.0;
      if (direct) { value = (value - (double)options->mean[c]) / (double)options->deviation[c]; }
      maker->table[c][i] = (float)value;
    }
  }
}

sst_status ssti_batch_room_allocate(sst_context *context, const ssti_batch_maker *maker, ssti_batch_room *room) {
  size_t batch = (size_t)maker->options.batch, picture = (size_t)maker->picture_size;
  *room = (ssti_batch_room){0};
  sst_status status = ssti_allocate_raw(context, 2, picture, &room->bytes);
  if (status == SST_OK && maker->stages) {
    status = ssti_allocate_raw(context, maker->mixes ? batch : 1, picture * sizeof(float), &room->values);
  }
  if (status == SST_OK && maker->mixes) {
    status = ssti_allocate_raw(context, batch, sizeof *room->partners, &room->partners);
  }
  if (status != SST_OK) { ssti_batch_room_free(context, room); }
  return status;
}

void ssti_batch_room_free(sst_context *context, ssti_batch_room *room) {
  ssti_free(context, room->bytes);
  ssti_free(context, room->values);
  ssti_free(context, room->partners);
  *room = (ssti_batch_room){0};
}

static void to_values(const ssti_batch_maker *maker, const uint8_t *bytes, float *values) {
  int64_t channels = maker->info.channels;
  if (channels == 1) {
    for (int64_t i = 0; i < maker->picture_size; i++) { values[i] = maker->table[0][bytes[i]]; }
    return;
  }
  for (int64_t i = 0; i < maker->picture_size; i += channels) {
    for (int64_t c = 0; c < channels; c++) { values[i + c] = maker->table[c][bytes[i + c]]; }
  }
}

// Zeros in the square: the mean of normalised pixels, and no spike where pixels are encoded as spikes.
static void cut_out(const ssti_batch_maker *maker, ssti_cutout square, float *values) {
  int64_t channels = maker->info.channels;
  for (int64_t y = square.top; y < square.bottom && square.left < square.right; y++) {
    memset(values + (y * maker->info.width + square.left) * channels, 0,
           (size_t)((square.right - square.left) * channels) * sizeof *values);
  }
}

// Picture number `picture` as numbers, augmented with the draws of its position in the epoch.
static void prepare(const ssti_batch_maker *maker, int32_t picture, uint64_t stream, uint8_t *room, float *values) {
  const uint8_t *source = sst_dataset_picture(maker->dataset, picture);
  if (!maker->options.augment) {
    to_values(maker, source, values);
    return;
  }
  const sst_augmentation *augmentation = &maker->options.augmentation;
  ssti_random random = ssti_random_begin(maker->options.seed, stream);
  ssti_byte_picture bytes = {room, room + maker->picture_size, (int)maker->info.height, (int)maker->info.width,
                             (int)maker->info.channels};
  memcpy(bytes.bytes, source, (size_t)maker->picture_size);
  ssti_augment_bytes(&bytes, augmentation, &random);
  to_values(maker, bytes.bytes, values);
  if (augmentation->cutout > 0) {
    cut_out(maker, ssti_cutout_draw(bytes.height, bytes.width, augmentation->cutout, &random), values);
  }
}

// a := share * a + (1 - share) * b
static void mix(float *a, const float *b, float share, int64_t count) {
  for (int64_t i = 0; i < count; i++) { a[i] = share * a[i] + (1.f - share) * b[i]; }
}

static void encode(const ssti_batch_maker *maker, const float *values, int64_t place, uint64_t stream,
                   ssti_batch_slot *slot) {
  float *out = slot->input + place * maker->picture_size;
  int64_t stride = maker->options.batch * maker->picture_size;
  switch (maker->options.encoding) {
  case SST_ENCODING_POISSON:
    ssti_encode_poisson(values, maker->picture_size, maker->timesteps, stride, maker->options.seed, stream, out);
    break;
  case SST_ENCODING_LATENCY: ssti_encode_latency(values, maker->picture_size, maker->timesteps, stride, out); break;
  default: memcpy(out, values, (size_t)maker->picture_size * sizeof *out); break;
  }
}

// Every picture is mixed with another of the batch, all in the same proportion (Zhang et al. 2018, section 2).
static void make_mixed(const ssti_batch_maker *maker, const int32_t *pictures, int64_t count, int64_t first,
                       const uint64_t streams[3], int64_t index, ssti_batch_room *room, ssti_batch_slot *slot) {
  int64_t size = maker->picture_size, classes = maker->info.classes;
  uint64_t stream = ssti_random_stream_with(streams[1], (uint64_t)index);
  ssti_random random = ssti_random_begin(maker->options.seed, stream);
  float share = (float)ssti_beta_draw((double)maker->options.augmentation.mixup, &random);
  ssti_random_permutation(maker->options.seed, ssti_random_stream_with(stream, 1), count, room->partners);
  for (int64_t i = 0; i < count; i++) {
    prepare(maker, pictures[i], ssti_random_stream_with(streams[0], (uint64_t)(first + i)), room->bytes,
            room->values + i * size);
  }
  float *mixed = slot->input; // step 0's place of the picture is where it is put together, then encoded in place
  for (int64_t i = 0; i < count; i++) {
    float *values = mixed + i * size;
    memcpy(values, room->values + i * size, (size_t)size * sizeof *values);
    mix(values, room->values + room->partners[i] * size, share, size);
    slot->target[i * classes + slot->labels[i]] += share;
    slot->target[i * classes + slot->labels[room->partners[i]]] += 1.f - share;
  }
  if (maker->options.encoding == SST_ENCODING_DIRECT) { return; }
  for (int64_t i = 0; i < count; i++) {
    // No staged picture is anybody's partner any more, so its place serves for what the encoder reads.
    float *values = room->values + i * size;
    memcpy(values, mixed + i * size, (size_t)size * sizeof *values);
    encode(maker, values, i, ssti_random_stream_with(streams[2], (uint64_t)(first + i)), slot);
  }
}

void ssti_batch_make(const ssti_batch_maker *maker, const int32_t *pictures, int64_t count, int64_t epoch,
                     int64_t index, ssti_batch_room *room, ssti_batch_slot *slot) {
  int64_t batch = maker->options.batch, size = maker->picture_size, classes = maker->info.classes;
  int64_t first = index * batch; // position in the epoch
  const uint64_t streams[3] = {ssti_random_stream_with(maker->augment_stream, (uint64_t)epoch),
                               ssti_random_stream_with(maker->mix_stream, (uint64_t)epoch),
                               ssti_random_stream_with(maker->encode_stream, (uint64_t)epoch)};
  slot->count = count;
  memset(slot->target, 0, (size_t)(batch * classes) * sizeof *slot->target);
  memset(slot->labels, 0, (size_t)batch * sizeof *slot->labels);
  for (int64_t t = 0; t < maker->timesteps && count < batch; t++) {
    memset(slot->input + (t * batch + count) * size, 0, (size_t)((batch - count) * size) * sizeof *slot->input);
  }
  for (int64_t i = 0; i < count; i++) { slot->labels[i] = sst_dataset_label(maker->dataset, pictures[i]); }
  if (maker->mixes) {
    make_mixed(maker, pictures, count, first, streams, index, room, slot);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    uint64_t position = (uint64_t)(first + i);
    float *values = maker->stages ? room->values : slot->input + i * size;
    prepare(maker, pictures[i], ssti_random_stream_with(streams[0], position), room->bytes, values);
    if (maker->stages) { encode(maker, values, i, ssti_random_stream_with(streams[2], position), slot); }
    slot->target[i * classes + slot->labels[i]] = 1.f;
  }
}
