// SPDX-License-Identifier: Apache-2.0
// AEDAT, the files of jAER (2.0) and cAER (3.1): text lines, then records or packets of records.
#include <inttypes.h>
#include <string.h>

#include "data/event_readers.h"

enum {
  SIDE = 128,
  RECORD = 8, // address or data, and time, in both versions
  PACKET_HEADER = 28,
  POLARITY_EVENTS = 1,
};

// The file, and how far it is read.
typedef struct cursor {
  sst_context *context;
  const char *name;
  const uint8_t *data;
  size_t size, at;
} cursor;

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t little_endian(const uint8_t *b) {
  return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

// Whether the line at the cursor begins with that text.
static bool line_is(const cursor *c, const char *text) {
  size_t length = strlen(text);
  return c->size - c->at >= length && memcmp(c->data + c->at, text, length) == 0;
}

static sst_status skip_line(cursor *c) {
  const uint8_t *end = memchr(c->data + c->at, '\n', c->size - c->at);
  if (end == NULL) {
    SST_FAIL(c->context, SST_FORMAT, "%s: ends at byte %zu, in the header line that begins at byte %zu", c->name,
             c->size, c->at);
  }
  c->at = (size_t)(end - c->data) + 1;
  return SST_OK;
}

static sst_status check_version(const cursor *c, const char *version) {
  if (!line_is(c, version)) { SST_FAIL(c->context, SST_FORMAT, "%s: at byte 0: expected %s", c->name, version); }
  return SST_OK;
}

// ---- 2.0 ----

// The header's lines begin with '#', which no record of this camera does: its addresses have 16 bits.
static sst_status skip_header(cursor *c) {
  SST_TRY(check_version(c, "#!AER-DAT2"));
  while (c->at < c->size && c->data[c->at] == '#') { SST_TRY(skip_line(c)); }
  if ((c->size - c->at) % RECORD != 0) {
    SST_FAIL(c->context, SST_FORMAT,
             "%s: ends at byte %zu, in the middle of a record; expected %d bytes each from byte %zu", c->name, c->size,
             RECORD, c->at);
  }
  return SST_OK;
}

static ssti_event decode_address(uint32_t address, ssti_aedat2_layout layout) {
  int16_t x = (int16_t)(address >> 1 & 0x7f), y = (int16_t)(address >> 8 & 0x7f);
  int8_t p = (int8_t)(address & 1);
  if (layout == SSTI_AEDAT2_DVS128) { return (ssti_event){0, x, y, p}; }
  return (ssti_event){0, (int16_t)(SIDE - 1 - y), (int16_t)(SIDE - 1 - x), (int8_t)(1 - p)};
}

static sst_status read_records(cursor *c, ssti_aedat2_layout layout, ssti_events *events) {
  int64_t t = 0;
  uint32_t before = 0;
  bool first = true;
  SST_TRY(ssti_events_reserve(events, (c->size - c->at) / RECORD));
  for (; c->at < c->size; c->at += RECORD) {
    uint32_t address = big_endian(c->data + c->at), time = big_endian(c->data + c->at + 4);
    if (address > 0xffff) {
      SST_FAIL(c->context, SST_FORMAT,
               "%s: at byte %zu: found address 0x%08" PRIx32 ", expected the 16 bits of a DVS128 camera", c->name,
               c->at, address);
    }
    // The clock has 32 bits. The shorter way round from the last time is the way it went.
    t = first ? (int64_t)time : t + (int32_t)(time - before);
    before = time;
    first = false;
    if ((address & 0x8000) != 0) { continue; }
    ssti_event event = decode_address(address, layout);
    event.t = t;
    SST_TRY(ssti_events_append(events, event));
  }
  return SST_OK;
}

sst_status ssti_aedat2_read(const char *name, const void *data, size_t size, ssti_aedat2_layout layout,
                            ssti_events *events) {
  assert(events->width == SIDE && events->height == SIDE && events->channels == 2);
  cursor c = {events->context, name, data, size, 0};
  ssti_events_clear(events);
  sst_status status = skip_header(&c);
  if (status == SST_OK) { status = read_records(&c, layout, events); }
  if (status == SST_OK) { status = ssti_events_sort(events); }
  if (status != SST_OK) { ssti_events_clear(events); }
  return status;
}

// ---- 3.1 ----

static sst_status skip_marked_header(cursor *c) {
  SST_TRY(check_version(c, "#!AER-DAT3.1"));
  while (!line_is(c, "#!END-HEADER")) {
    if (c->at >= c->size || c->data[c->at] != '#') {
      SST_FAIL(c->context, SST_FORMAT, "%s: at byte %zu: expected a header line or #!END-HEADER", c->name, c->at);
    }
    SST_TRY(skip_line(c));
  }
  return skip_line(c);
}

typedef struct packet {
  int type;
  int64_t record, time_at, overflow, capacity, number; // bytes of a record, place of the time in it, ...
} packet;

static sst_status read_packet_header(cursor *c, packet *p) {
  size_t start = c->at, left = c->size - c->at;
  if (left < PACKET_HEADER) {
    SST_FAIL(c->context, SST_FORMAT, "%s: ends at byte %zu, in the middle of the packet header at byte %zu", c->name,
             c->size, start);
  }
  const uint8_t *b = c->data + start;
  p->type = b[0] | b[1] << 8;
  int64_t *fields[] = {&p->record, &p->time_at, &p->overflow, &p->capacity, &p->number};
  for (int i = 0; i < 5; i++) { *fields[i] = (int32_t)little_endian(b + 4 + 4 * i); }
  c->at += PACKET_HEADER;
  left -= PACKET_HEADER;
  if (p->record < 1 || p->overflow < 0 || p->number < 0 || p->capacity < p->number ||
      p->capacity > (int64_t)left / p->record) {
    SST_FAIL(c->context, SST_FORMAT,
             "%s: the packet at byte %zu holds %" PRId64 " of %" PRId64 " records of %" PRId64
             " bytes, time overflow %" PRId64 "; %zu bytes follow",
             c->name, start, p->number, p->capacity, p->record, p->overflow, left);
  }
  if (p->type == POLARITY_EVENTS && (p->record != RECORD || p->time_at != 4)) {
    SST_FAIL(c->context, SST_FORMAT,
             "%s: the packet at byte %zu has events of %" PRId64 " bytes with the time at %" PRId64
             ", expected 8 and 4",
             c->name, start, p->record, p->time_at);
  }
  return SST_OK;
}

static sst_status read_packet(cursor *c, const packet *p, ssti_events *events) {
  SST_TRY(ssti_events_reserve(events, events->count + (size_t)p->number));
  for (size_t i = 0; i < (size_t)p->number; i++) {
    size_t at = c->at + i * RECORD;
    uint32_t word = little_endian(c->data + at), time = little_endian(c->data + at + 4);
    if ((word & 1) == 0) { continue; }
    int x = (int)(word >> 17), y = (int)(word >> 2 & 0x7fff);
    if (x >= events->width || y >= events->height || time > INT32_MAX) {
      SST_FAIL(c->context, SST_FORMAT,
               "%s: at byte %zu: found an event at x = %d, y = %d, time 0x%08" PRIx32
               ", expected it inside %dx%d and a time of 31 bits",
               c->name, at, x, y, time, events->width, events->height);
    }
    ssti_event event = {p->overflow << 31 | time, (int16_t)x, (int16_t)y, (int8_t)(word >> 1 & 1)};
    SST_TRY(ssti_events_append(events, event));
  }
  return SST_OK;
}

static sst_status read_packets(cursor *c, ssti_events *events) {
  SST_TRY(skip_marked_header(c));
  while (c->at < c->size) {
    packet p = {0};
    SST_TRY(read_packet_header(c, &p));
    if (p.type == POLARITY_EVENTS) { SST_TRY(read_packet(c, &p, events)); }
    c->at += (size_t)(p.capacity * p.record);
  }
  return ssti_events_sort(events);
}

sst_status ssti_aedat3_read(const char *name, const void *data, size_t size, ssti_events *events) {
  assert(events->channels == 2);
  cursor c = {events->context, name, data, size, 0};
  ssti_events_clear(events);
  sst_status status = read_packets(&c, events);
  if (status != SST_OK) { ssti_events_clear(events); }
  return status;
}
