// SPDX-License-Identifier: Apache-2.0
// The histories as TensorBoard event files. A file is a row of records: length (8 bytes), its checksum, the bytes,
// their checksum; checksums are crc32c, turned and moved. A record's bytes are an `Event` in the wire format of
// protocol buffers, of which three messages are needed:
//     Event   {1: wall_time, double; 2: step, varint; 3: file_version, text; 5: summary, Summary}
//     Summary {1: repeated Value}          Value {1: tag, text; 2: simple_value, float}
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/page.h"
#include "report/tensorboard.h"

// ---- records

static uint32_t crc32c(const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) {
    crc ^= at[i];
    for (int bit = 0; bit < 8; bit++) { crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u))); }
  }
  return ~crc;
}

static void put_little_endian(ssti_text *out, uint64_t value, int bytes) {
  char text[8];
  for (int i = 0; i < bytes; i++) { text[i] = (char)(unsigned char)(value >> (8 * i)); }
  ssti_text_append_bytes(out, text, (size_t)bytes);
}

static void put_checksum(ssti_text *out, const void *bytes, size_t size) {
  uint32_t crc = crc32c(bytes, size);
  put_little_endian(out, (uint32_t)(((crc >> 15) | (crc << 17)) + 0xa282ead8u), 4);
}

static void put_record(ssti_text *out, const ssti_text *event) {
  size_t begin = out->length;
  put_little_endian(out, event->length, 8);
  if (out->status == SST_OK) { put_checksum(out, out->data + begin, 8); }
  ssti_text_append_bytes(out, event->data, event->length);
  put_checksum(out, event->data, event->length);
}

// ---- messages

enum { WIRE_VARINT = 0, WIRE_DOUBLE = 1, WIRE_BYTES = 2, WIRE_FLOAT = 5 };

static void put_varint(ssti_text *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) { put_little_endian(out, (value & 0x7f) | 0x80, 1); }
  put_little_endian(out, value, 1);
}

static void put_key(ssti_text *out, unsigned field, unsigned wire) { put_varint(out, field << 3 | wire); }

static void put_bytes(ssti_text *out, unsigned field, const char *bytes, size_t size) {
  put_key(out, field, WIRE_BYTES);
  put_varint(out, size);
  ssti_text_append_bytes(out, bytes, size);
}

static void put_double(ssti_text *out, unsigned field, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(out, field, WIRE_DOUBLE);
  put_little_endian(out, bits, 8);
}

static void put_float(ssti_text *out, unsigned field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(out, field, WIRE_FLOAT);
  put_little_endian(out, bits, 4);
}

static void put_value(ssti_text *summary, const char *tag, double number) {
  ssti_text value = ssti_text_begin(summary->context);
  put_bytes(&value, 1, tag, strlen(tag));
  put_float(&value, 2, (float)number);
  put_bytes(summary, 1, value.data, value.length);
  if (summary->status == SST_OK) { summary->status = value.status; }
  ssti_text_free(&value);
}

static void put_event(ssti_text *out, double time, int64_t step, const char *version, const ssti_text *summary) {
  ssti_text event = ssti_text_begin(out->context);
  put_double(&event, 1, time);
  if (version != NULL) { put_bytes(&event, 3, version, strlen(version)); }
  if (summary != NULL && summary->length > 0) {
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary->data, summary->length);
  }
  if (event.status == SST_OK) { put_record(out, &event); }
  if (out->status == SST_OK) { out->status = event.status; }
  ssti_text_free(&event);
}

// ---- a run

static const struct {
  const char *key, *tag;
} history_tags[] = {{"train_loss", "loss/train"},
                    {"validation_loss", "loss/validation"},
                    {"train_accuracy", "accuracy/train"},
                    {"validation_accuracy", "accuracy/validation"},
                    {"spikes_per_inference", "spikes_per_inference/validation"},
                    {"learning_rate", "learning_rate"}},
  result_tags[] = {{"test_loss", "loss/test"},
                   {"test_accuracy", "accuracy/test"},
                   {"spikes_per_inference", "spikes_per_inference/test"},
                   {"energy_pj", "energy_pj/test"}};

static void put_number(ssti_text *summary, const char *tag, double number) {
  if (isfinite(number)) { put_value(summary, tag, number); }
}

// "parts/kd" for each number of an object.
static void put_group(ssti_text *summary, const json_t *line, const char *key) {
  const char *name = NULL;
  json_t *value = NULL;
  json_object_foreach(json_object_get(line, key), name, value) {
    char tag[2 * SSTI_LABEL_SIZE];
    snprintf(tag, sizeof tag, "%s/%.*s", key, (int)SSTI_LABEL_SIZE, name);
    if (json_is_number(value)) { put_number(summary, tag, json_number_value(value)); }
  }
}

// "2026-01-31T12:00:00Z" in seconds since 1970; 0 if the record has none.
static double started(const ssti_run_records *run) {
  const char *text = json_string_value(json_object_get(run->environment, "started"));
  int year, month, day, hour, minute, second;
  if (text == NULL || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute, &second) != 6 ||
      year < 1970 || month < 1 || month > 12) {
    return 0;
  }
  // Days of the years that begin in March: the leap day is the last.
  int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
  int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
  return (double)(days * 86400 + hour * 3600 + minute * 60 + second);
}

// Seconds that the epochs up to this one took, in all sittings.
static double seconds_until(const ssti_run_records *run, int64_t epoch) {
  double sum = 0;
  for (size_t i = 0; i < json_array_size(run->timing); i++) {
    const json_t *line = json_array_get(run->timing, i);
    double seconds = ssti_number_of(line, "seconds");
    if (ssti_number_of(line, "epoch") <= (double)epoch && isfinite(seconds)) { sum += seconds; }
  }
  return sum;
}

static void put_epochs(ssti_text *out, const ssti_run_records *run, double begin) {
  int64_t epochs = (int64_t)json_array_size(run->history);
  for (int64_t e = 1; e <= epochs; e++) {
    const json_t *line = json_array_get(run->history, (size_t)(e - 1));
    ssti_text summary = ssti_text_begin(out->context);
    for (size_t i = 0; i < sizeof history_tags / sizeof *history_tags; i++) {
      put_number(&summary, history_tags[i].tag, ssti_number_of(line, history_tags[i].key));
    }
    put_group(&summary, line, "parts");
    put_group(&summary, line, "firing_rate");
    for (size_t i = 0; e == epochs && i < sizeof result_tags / sizeof *result_tags; i++) {
      put_number(&summary, result_tags[i].tag, ssti_number_of(run->result, result_tags[i].key));
    }
    put_event(out, begin + seconds_until(run, e), e, NULL, &summary);
    if (out->status == SST_OK) { out->status = summary.status; }
    ssti_text_free(&summary);
  }
}

// The label as a name that stays below the folder that it is put into.
static size_t plain_name(const char *label, char out[SSTI_LABEL_SIZE]) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=+,.";
  size_t length = 0;
  for (; label[length]; length++) {
    bool good = strchr(allowed, label[length]) != NULL && !(length == 0 && label[length] == '.');
    out[length] = good ? label[length] : '_';
  }
  out[length] = '\0';
  return length;
}

// A run's folder: where an earlier run's name is the same, its number is added.
static void folder_name(const ssti_run_list *list, int run, char out[SSTI_LABEL_SIZE + 16]) {
  size_t length = plain_name(list->runs[run].label, out);
  for (int i = 0; i < run; i++) {
    char other[SSTI_LABEL_SIZE];
    plain_name(list->runs[i].label, other);
    if (strncmp(other, out, SSTI_LABEL_SIZE) == 0) {
      snprintf(out + length, 16, "-%d", run + 1);
      return;
    }
  }
}

sst_status ssti_tensorboard_write(const ssti_run_list *list, int run, const char *folder) {
  const ssti_run_records *records = &list->runs[run];
  const double begin = started(records);
  char name[SSTI_LABEL_SIZE + 16], file_name[64];
  char *sub_folder = NULL, *path = NULL;
  ssti_text events = ssti_text_begin(list->context);
  sst_status status = SST_OK;
  folder_name(list, run, name);
  // The run's own moment, so that files made again replace those made before.
  snprintf(file_name, sizeof file_name, "events.out.tfevents.%010.0f.spikestill", begin);
  put_event(&events, begin, 0, "brain.Event:2", NULL);
  put_epochs(&events, records, begin);
  SST_TRY_GOTO(events.status);
  SST_TRY_GOTO(ssti_path_join(list->context, folder, name, &sub_folder));
  SST_TRY_GOTO(ssti_folder_make(list->context, sub_folder));
  SST_TRY_GOTO(ssti_path_join(list->context, sub_folder, file_name, &path));
  status = ssti_file_write(list->context, path, events.data, events.length);
done:
  ssti_text_free(&events);
  ssti_free(list->context, path);
  ssti_free(list->context, sub_folder);
  return status;
}
