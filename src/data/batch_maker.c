// SPDX-License-Identifier: Apache-2.0
#include "data/batch_maker.h"

#include <string.h>

#include "data/encode.h"
#include "data/event_augment.h"
#include "picture/picture_formulas.h"

void ssti_byte_values(const sst_loader_options *options, int64_t channels, float *out) {
  const bool frames = options->encoding == SST_ENCODING_FRAMES;
  for (int64_t c = 0; c < channels; c++) {
    for (int i = 0; i < 256; i++) {
      double value = frames ? i : i / 255.0;
      if (frames || options->encoding == SST_ENCODING_DIRECT) {
        value = (value - (double)options->mean[c]) / (double)options->deviation[c];
      }
      out[c * 256 + i] = (float)value;
    }
  }
}

void ssti_batch_maker_begin(const sst_dataset *dataset, const sst_loader_options *options, ssti_batch_maker *maker) {
  bool direct = options->encoding == SST_ENCODING_DIRECT;
  *maker = (ssti_batch_maker){.dataset = dataset, .options = *options, .info = dataset->info};
  bool frames = options->encoding == SST_ENCODING_FRAMES;
  maker->frames = frames ? maker->info.frames : 1;
  maker->timesteps = direct ? 1 : frames ? maker->frames : options->timesteps;
  maker->picture_size = maker->info.height * maker->info.width * maker->info.channels;
  maker->sample_size = maker->frames * maker->picture_size;
  maker->mixes = options->augment && options->augmentation.mixup > 0.f;
  maker->stages = maker->mixes || !direct;
  maker->augment_stream = ssti_random_stream("data augment");
  maker->mix_stream = ssti_random_stream("data mixup");
  maker->encode_stream = ssti_random_stream("data encode");
  ssti_byte_values(options, maker->info.channels, &maker->table[0][0]);
}

sst_status ssti_batch_room_allocate(sst_context *context, const ssti_batch_maker *maker, ssti_batch_room *room) {
  size_t batch = (size_t)maker->options.batch, picture = (size_t)maker->picture_size;
  size_t sample = (size_t)maker->sample_size;
  *room = (ssti_batch_room){0};
  sst_status status = ssti_allocate_raw(context, 1, sample + picture, &room->sample.bytes);
  if (status == SST_OK && maker->stages) {
    status = ssti_allocate_raw(context, maker->mixes ? batch : 1, sample * sizeof(float), &room->values);
  }
  if (status == SST_OK && maker->mixes) {
    status = ssti_allocate_raw(context, batch, sizeof *room->partners, &room->partners);
  }
  if (status != SST_OK) { ssti_batch_room_free(context, room); }
  return status;
}

void ssti_batch_room_free(sst_context *context, ssti_batch_room *room) {
  ssti_free(context, room->sample.bytes);
  ssti_picture_room_free(context, &room->sample.decoding);
  ssti_free(context, room->values);
  ssti_free(context, room->partners);
  *room = (ssti_batch_room){0};
}

static void to_values(const ssti_batch_maker *maker, const uint8_t *bytes, float *values) {
  int64_t channels = maker->info.channels;
  if (channels == 1) {
    for (int64_t i = 0; i < maker->sample_size; i++) { values[i] = maker->table[0][bytes[i]]; }
    return;
  }
  for (int64_t i = 0; i < maker->sample_size; i += channels) {
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

// Frames of events: the same crop for each, then what is done to recordings.
static void augment_frames(const ssti_batch_maker *maker, uint8_t *bytes, ssti_random *random) {
  const sst_augmentation *augmentation = &maker->options.augmentation;
  const sst_augmentation crop = {.crop_padding = augmentation->crop_padding};
  sst_event_augmentation events = augmentation->events;
  events.flip = augmentation->flip;
  events.cutout = augmentation->cutout;
  const int height = (int)maker->info.height, width = (int)maker->info.width, channels = (int)maker->info.channels;
  uint8_t *room = bytes + maker->sample_size;
  ssti_picture_plan plan = ssti_picture_plan_plain(0);
  ssti_picture_plan_draw(&crop, height, width, random, &plan);
  for (int64_t f = 0; f < maker->frames; f++) {
    ssti_byte_picture frame = {bytes + f * maker->picture_size, room, height, width, channels};
    ssti_picture_follow(&frame, &plan);
  }
  ssti_frames frames = {maker->frames, height, width, channels, bytes, room};
  ssti_event_augment(&frames, &events, random);
}

// The plan's sample as numbers. Frames of events draw what they need from `stream`.
static sst_status prepare(const ssti_batch_maker *maker, const ssti_picture_plan *plan, uint64_t stream,
                          ssti_sample_room *sample_room, float *values) {
  uint8_t *room = sample_room->bytes;
  const uint8_t *source = NULL;
  SST_TRY(ssti_dataset_sample(maker->dataset, plan->picture, sample_room, &source));
  if (!maker->options.augment) {
    to_values(maker, source, values);
    return SST_OK;
  }
  if (source != room) { memcpy(room, source, (size_t)maker->sample_size); }
  if (maker->options.encoding == SST_ENCODING_FRAMES) {
    ssti_random random = ssti_random_begin(maker->options.seed, stream);
    augment_frames(maker, room, &random);
    to_values(maker, room, values);
    return SST_OK;
  }
  ssti_byte_picture bytes = {room, room + maker->picture_size, (int)maker->info.height, (int)maker->info.width,
                             (int)maker->info.channels};
  ssti_picture_follow(&bytes, plan);
  to_values(maker, room, values);
  cut_out(maker, plan->cutout, values);
  return SST_OK;
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
  default: // direct and frames
    for (int64_t f = 0; f < maker->frames; f++) {
      memcpy(out + f * stride, values + f * maker->picture_size, (size_t)maker->picture_size * sizeof *out);
    }
    break;
  }
}

// The mixture, into the places of a sample's frames in the input.
static void mix(const ssti_batch_maker *maker, const float *a, const float *b, float share, float *out) {
  int64_t size = maker->picture_size, stride = maker->options.batch * size;
  for (int64_t f = 0; f < maker->frames; f++, a += size, b += size, out += stride) {
    for (int64_t i = 0; i < size; i++) { out[i] = ssti_picture_mix(share, a[i], b[i]); }
  }
}

static void make_mixed(const ssti_batch_maker *maker, int64_t count, ssti_batch_room *room, ssti_batch_slot *slot) {
  int64_t size = maker->sample_size;
  for (int64_t i = 0; i < count; i++) {
    const ssti_picture_plan *plan = &slot->plans[i];
    mix(maker, room->values + i * size, room->values + plan->partner * size, plan->share,
        slot->input + i * maker->picture_size);
  }
  const sst_encoding encoding = maker->options.encoding;
  if (encoding == SST_ENCODING_DIRECT || encoding == SST_ENCODING_FRAMES) { return; }
  for (int64_t i = 0; i < count; i++) {
    // No staged picture is anybody's partner any more, so its place serves for what the encoder reads.
    float *values = room->values + i * size;
    memcpy(values, slot->input + i * size, (size_t)size * sizeof *values);
    encode(maker, values, i, slot->plans[i].stream, slot);
  }
}

// Every sample is mixed with another of the batch, all in the same proportion (Zhang et al. 2018, section 2).
static void draw_mixture(const ssti_batch_maker *maker, int64_t count, uint64_t stream, ssti_batch_room *room,
                         ssti_picture_plan *plans) {
  ssti_random random = ssti_random_begin(maker->options.seed, stream);
  const float share = (float)ssti_beta_draw((double)maker->options.augmentation.mixup, &random);
  ssti_random_permutation(maker->options.seed, ssti_random_stream_with(stream, 1), count, room->partners);
  for (int64_t i = 0; i < count; i++) {
    plans[i].partner = room->partners[i];
    plans[i].share = share;
  }
}

// Where a batch's random numbers come from.
typedef struct batch_streams {
  uint64_t augment, mix, encode;
  int64_t first; // position of its first sample in the epoch
} batch_streams;

static batch_streams streams_of(const ssti_batch_maker *maker, int64_t epoch, int64_t index) {
  const uint64_t mix = ssti_random_stream_with(maker->mix_stream, (uint64_t)epoch);
  return (batch_streams){.augment = ssti_random_stream_with(maker->augment_stream, (uint64_t)epoch),
                         .mix = ssti_random_stream_with(mix, (uint64_t)index),
                         .encode = ssti_random_stream_with(maker->encode_stream, (uint64_t)epoch),
                         .first = index * maker->options.batch};
}

static void draw_plans(const ssti_batch_maker *maker, const int32_t *pictures, int64_t count,
                       const batch_streams *streams, ssti_batch_room *room, ssti_picture_plan *plans) {
  const bool augments = maker->options.augment && maker->options.encoding != SST_ENCODING_FRAMES;
  for (int64_t i = 0; i < maker->options.batch; i++) {
    plans[i] = ssti_picture_plan_plain(i < count ? pictures[i] : -1);
    if (i >= count) { continue; }
    const uint64_t position = (uint64_t)(streams->first + i);
    plans[i].stream = ssti_random_stream_with(streams->encode, position);
    if (!augments) { continue; }
    ssti_random random = ssti_random_begin(maker->options.seed, ssti_random_stream_with(streams->augment, position));
    ssti_picture_plan_draw(&maker->options.augmentation, (int)maker->info.height, (int)maker->info.width, &random,
                           &plans[i]);
  }
  if (maker->mixes) { draw_mixture(maker, count, streams->mix, room, plans); }
}

static void set_targets(const ssti_batch_maker *maker, int64_t count, ssti_batch_slot *slot) {
  const int64_t batch = maker->options.batch, classes = maker->info.classes;
  memset(slot->target, 0, (size_t)(batch * classes) * sizeof *slot->target);
  memset(slot->labels, 0, (size_t)batch * sizeof *slot->labels);
  for (int64_t i = 0; i < count; i++) { slot->labels[i] = sst_dataset_label(maker->dataset, slot->plans[i].picture); }
  for (int64_t i = 0; i < count; i++) {
    const ssti_picture_plan *plan = &slot->plans[i];
    float *target = slot->target + i * classes;
    if (plan->partner < 0) {
      target[slot->labels[i]] = 1.f;
    } else {
      target[slot->labels[i]] += plan->share;
      target[slot->labels[plan->partner]] += 1.f - plan->share;
    }
  }
}

static sst_status make_input(const ssti_batch_maker *maker, int64_t count, const batch_streams *streams,
                             ssti_batch_room *room, ssti_batch_slot *slot) {
  const int64_t batch = maker->options.batch, size = maker->picture_size;
  for (int64_t t = 0; t < maker->timesteps && count < batch; t++) {
    memset(slot->input + (t * batch + count) * size, 0, (size_t)((batch - count) * size) * sizeof *slot->input);
  }
  for (int64_t i = 0; i < count; i++) {
    const uint64_t stream = ssti_random_stream_with(streams->augment, (uint64_t)(streams->first + i));
    float *values = maker->mixes    ? room->values + i * maker->sample_size
                    : maker->stages ? room->values
                                    : slot->input + i * size;
    SST_TRY(prepare(maker, &slot->plans[i], stream, &room->sample, values));
    if (maker->stages && !maker->mixes) { encode(maker, values, i, slot->plans[i].stream, slot); }
  }
  if (maker->mixes) { make_mixed(maker, count, room, slot); }
  return SST_OK;
}

void ssti_batch_make(const ssti_batch_maker *maker, const int32_t *pictures, int64_t count, int64_t epoch,
                     int64_t index, bool plans_only, ssti_batch_room *room, ssti_batch_slot *slot) {
  const batch_streams streams = streams_of(maker, epoch, index);
  slot->count = count;
  draw_plans(maker, pictures, count, &streams, room, slot->plans);
  set_targets(maker, count, slot);
  slot->status = plans_only ? SST_OK : make_input(maker, count, &streams, room, slot);
  if (slot->status != SST_OK) { ssti_fail_copy(maker->dataset->context, slot->failure, sizeof slot->failure); }
}

bool ssti_batch_form(const ssti_batch_maker *maker, ssti_picture_form *out, const char **why) {
  *why = NULL;
  const sst_encoding encoding = maker->options.encoding;
  if (encoding == SST_ENCODING_FRAMES) {
    *why = "frames of events are made by the host";
  } else if (maker->dataset->pixels == NULL) {
    *why = "picture files are read by the host";
  } else if (maker->picture_size > SSTI_PICTURE_MOST_BYTES) {
    *why = "its pictures are too large for a block of threads";
  }
  *out = (ssti_picture_form){.height = (int32_t)maker->info.height,
                             .width = (int32_t)maker->info.width,
                             .channels = (int32_t)maker->info.channels,
                             .spikes = encoding == SST_ENCODING_POISSON   ? SSTI_PICTURE_POISSON
                                       : encoding == SST_ENCODING_LATENCY ? SSTI_PICTURE_LATENCY
                                                                          : SSTI_PICTURE_NUMBERS,
                             .batch = maker->options.batch,
                             .timesteps = maker->timesteps,
                             .seed = maker->options.seed};
  return *why == NULL;
}
