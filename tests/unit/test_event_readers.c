// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include <dirent.h>

#include "base/file.h"
#include "data/event_readers.h"

static void check_event(const ssti_events *events, size_t index, int64_t t, int x, int y, int p) {
  assert_true(index < events->count);
  ssti_event e = events->items[index];
  if (e.t != t || e.x != x || e.y != y || e.p != p) {
    fail_msg("event %zu is (%lld, %d, %d, %d), expected (%lld, %d, %d, %d)", index, (long long)e.t, e.x, e.y, e.p,
             (long long)t, x, y, p);
  }
}

// ---- ATIS ----

static void test_atis(void **state) {
  sst_context *context = *state;
  const uint8_t bytes[] = {31, 3,  0x80, 0x01, 0x02, 33,  0,   0x7f, 0xff, 0xff, 0, 240, 0,    0, 0,
                           7,  33, 0x01, 0x00, 0,    240, 240, 0x80, 1,    1,    7, 2,   0x81, 0, 0};
  ssti_events events = ssti_events_begin(context, 34, 34, 2);
  assert_ok(context, ssti_atis_read("a.bin", bytes, sizeof bytes, &events));
  assert_int_equal(events.count, 4);
  check_event(&events, 0, 0x102, 31, 3, 1);
  check_event(&events, 1, 0x10000 + 8192, 7, 33, 0);
  check_event(&events, 2, 0x10000 + 2 * 8192, 7, 2, 1);
  check_event(&events, 3, 0x7fffff, 33, 0, 0);                    // later than what follows it: sorted
  assert_ok(context, ssti_atis_read("a.bin", bytes, 5, &events)); // in place of what was there
  assert_int_equal(events.count, 1);
  ssti_events_free(&events);
}

// Two bytes that begin a gzip file are two coordinates here.
static void test_atis_is_never_taken_for_gzip(void **state) {
  sst_context *context = *state;
  const uint8_t bytes[] = {0x1f, 0x8b, 0x00, 0x00, 0x09};
  ssti_events events = ssti_events_begin(context, 240, 180, 2);
  assert_ok(context, ssti_atis_read("a.bin", bytes, sizeof bytes, &events));
  check_event(&events, 0, 9, 31, 139, 0);
  ssti_events_free(&events);
}

static void test_atis_failures(void **state) {
  sst_context *context = *state;
  const uint8_t bytes[] = {1, 1, 0, 0, 0, 1, 34, 0, 0, 0};
  ssti_events events = ssti_events_begin(context, 34, 34, 2);
  assert_fails(context, SST_FORMAT, ssti_atis_read("a.bin", bytes, 7, &events), "a.bin: ends at byte 7");
  assert_fails(context, SST_FORMAT, ssti_atis_read("a.bin", bytes, 0, &events), "at least one");
  assert_fails(context, SST_FORMAT, ssti_atis_read("a.bin", bytes, 10, &events),
               "a.bin: at byte 5: found an event at x = 1, y = 34, expected it inside 34x34");
  assert_int_equal(events.count, 0);
  ssti_events_free(&events);
}

// ---- AEDAT 2.0 ----

static size_t put_big(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) { out[i] = (uint8_t)(value >> (24 - 8 * i)); }
  return 4;
}

static size_t put_little(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) { out[i] = (uint8_t)(value >> (8 * i)); }
  return 4;
}

static size_t put_text(uint8_t *out, const char *text) {
  memcpy(out, text, strlen(text));
  return strlen(text);
}

static size_t put_record(uint8_t *out, uint32_t address, uint32_t time) {
  put_big(out, address);
  put_big(out + 4, time);
  return 8;
}

static uint32_t dvs128(uint32_t x, uint32_t y, uint32_t p) { return y << 8 | x << 1 | p; }

static void test_aedat2(void **state) {
  sst_context *context = *state;
  uint8_t bytes[256];
  size_t size = put_text(bytes, "#!AER-DAT2.0\r\n# a comment\r\n");
  size += put_record(bytes + size, dvs128(127, 5, 1), 0xfffffff0u);
  size += put_record(bytes + size, 0x8000u | dvs128(1, 1, 1), 0xfffffff4u); // special: no pixel
  size += put_record(bytes + size, dvs128(0, 126, 0), 4);                   // the clock wrapped
  size += put_record(bytes + size, dvs128(2, 3, 1), 2);                     // a little earlier
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  assert_ok(context, ssti_aedat2_read("a.aedat", bytes, size, SSTI_AEDAT2_DVS128, &events));
  assert_int_equal(events.count, 3);
  check_event(&events, 0, 0xfffffff0ll, 127, 5, 1);
  check_event(&events, 1, 0x100000002ll, 2, 3, 1);
  check_event(&events, 2, 0x100000004ll, 0, 126, 0);
  assert_ok(context, ssti_aedat2_read("a.aedat", bytes, size, SSTI_AEDAT2_CIFAR10_DVS, &events));
  check_event(&events, 0, 0xfffffff0ll, 122, 0, 0);
  check_event(&events, 1, 0x100000002ll, 124, 125, 0);
  check_event(&events, 2, 0x100000004ll, 1, 127, 1);
  ssti_events_free(&events);
}

static void test_aedat2_failures(void **state) {
  sst_context *context = *state;
  uint8_t bytes[256];
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  size_t size = put_text(bytes, "#!AER-DAT2.0\r\n#x");
  assert_fails(context, SST_FORMAT, ssti_aedat2_read("a", bytes, size, SSTI_AEDAT2_DVS128, &events),
               "a: ends at byte 16, in the header line that begins at byte 14");
  size += put_text(bytes + size, "\n");
  size += put_record(bytes + size, dvs128(1, 1, 1), 0);
  assert_fails(context, SST_FORMAT, ssti_aedat2_read("a", bytes, size - 1, SSTI_AEDAT2_DVS128, &events),
               "a: ends at byte 24, in the middle of a record; expected 8 bytes each from byte 17");
  size += put_record(bytes + size, 0x10000, 0);
  assert_fails(context, SST_FORMAT, ssti_aedat2_read("a", bytes, size, SSTI_AEDAT2_DVS128, &events),
               "a: at byte 25: found address 0x00010000");
  assert_int_equal(events.count, 0);
  bytes[9] = '3';
  assert_fails(context, SST_FORMAT, ssti_aedat2_read("a", bytes, size, SSTI_AEDAT2_DVS128, &events),
               "a: at byte 0: expected #!AER-DAT2");
  ssti_events_free(&events);
}

// ---- AEDAT 3.1 ----

static const char AEDAT3_HEADER[] = "#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"; // 42 bytes

static size_t put_packet(uint8_t *out, uint32_t type, uint32_t record, uint32_t overflow, uint32_t capacity,
                         uint32_t number) {
  const uint32_t words[] = {type | 1u << 16, record, 4, overflow, capacity, number, number};
  for (int i = 0; i < 7; i++) { put_little(out + 4 * (ptrdiff_t)i, words[i]); }
  return 28;
}

static size_t put_event(uint8_t *out, uint32_t x, uint32_t y, uint32_t p, uint32_t valid, uint32_t time) {
  put_little(out, x << 17 | y << 2 | p << 1 | valid);
  put_little(out + 4, time);
  return 8;
}

// A packet of two events and an invalid one, one of another kind, and one after the clock's overflow with a place
// unused.
static size_t make_aedat3(uint8_t *bytes) {
  size_t size = put_text(bytes, AEDAT3_HEADER);
  size += put_packet(bytes + size, 1, 8, 0, 3, 3);
  size += put_event(bytes + size, 127, 5, 1, 1, 0x7fffffff);
  size += put_event(bytes + size, 3, 3, 1, 0, 0x7fffffff);
  size += put_event(bytes + size, 0, 127, 0, 1, 7);
  size += put_packet(bytes + size, 0, 12, 0, 1, 1);
  memset(bytes + size, 0xff, 12);
  size += 12;
  size += put_packet(bytes + size, 1, 8, 1, 2, 1);
  size += put_event(bytes + size, 64, 65, 1, 1, 9);
  size += put_event(bytes + size, 1, 1, 1, 1, 1);
  return size;
}

static void test_aedat3(void **state) {
  sst_context *context = *state;
  uint8_t bytes[256];
  size_t size = make_aedat3(bytes);
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  assert_ok(context, ssti_aedat3_read("a.aedat", bytes, size, &events));
  assert_int_equal(events.count, 3);
  check_event(&events, 0, 7, 0, 127, 0);
  check_event(&events, 1, 0x7fffffff, 127, 5, 1);
  check_event(&events, 2, 0x80000009ll, 64, 65, 1);
  ssti_events_free(&events);
}

static void test_aedat3_failures(void **state) {
  sst_context *context = *state;
  uint8_t bytes[256];
  size_t size = make_aedat3(bytes);
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  for (size_t cut = 0; cut < size; cut++) { // an end is right only between packets
    if (cut == 42 || cut == 42 + 52 || cut == 42 + 52 + 40) { continue; }
    assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, cut, &events), "byte ");
    assert_int_equal(events.count, 0);
  }
  put_packet(bytes + 42, 1, 8, 0, 0x7fffffff, 0x7fffffff);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events),
               "the packet at byte 42 holds 2147483647 of 2147483647 records of 8 bytes");
  put_packet(bytes + 42, 1, 8, 0, 2, 3);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events), "holds 3 of 2 records");
  put_packet(bytes + 42, 1, 8, 0x80000000u, 3, 3);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events), "time overflow -2147483648");
  put_packet(bytes + 42, 1, 6, 0, 4, 4);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events), "has events of 6 bytes");
  put_packet(bytes + 42, 1, 8, 0, 3, 3);
  put_event(bytes + 70, 128, 5, 1, 1, 0);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events),
               "at byte 70: found an event at x = 128, y = 5");
  put_event(bytes + 70, 12, 5, 1, 1, 0x80000000u);
  assert_fails(context, SST_FORMAT, ssti_aedat3_read("a", bytes, size, &events), "time 0x80000000");
  assert_int_equal(events.count, 0);
  ssti_events_free(&events);
}

// ---- labels ----

static sst_status read_labels(sst_context *context, const char *text, ssti_event_label **out, int64_t *count) {
  return ssti_event_labels_read(context, "l.csv", text, strlen(text), 11, out, count);
}

static void test_labels(void **state) {
  sst_context *context = *state;
  ssti_event_label *labels = NULL;
  int64_t count = 0;
  assert_ok(context,
            read_labels(context, "class,startTime_usec,endTime_usec\r\n1,5,7\r\n\r\n 11, 9,30", &labels, &count));
  assert_int_equal(count, 2);
  assert_int_equal(labels[0].label, 0);
  assert_int_equal(labels[0].begin, 5);
  assert_int_equal(labels[0].end, 7);
  assert_int_equal(labels[1].label, 10);
  assert_int_equal(labels[1].end, 30);
  ssti_free(context, labels);
}

static void test_labels_failures(void **state) {
  sst_context *context = *state;
  ssti_event_label *labels = NULL;
  int64_t count = 0;
  assert_fails(context, SST_FORMAT, read_labels(context, "h\n1,2,3\n1,2\n", &labels, &count), "l.csv:3: at byte 8: ");
  assert_null(labels);
  assert_int_equal(count, 0);
  const char *const wrong[] = {"h\n1,2,3,4\n",
                               "h\n1,2,x\n",
                               "h\n1,,2\n",
                               "h\n1,2,3x\n",
                               "h\n,,\n",
                               "h\n1,2,99999999999999999999999\n",
                               "h\n1,2,000000000000000000000000000000000003\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_fails(context, SST_FORMAT, read_labels(context, wrong[i], &labels, &count), "expected three numbers");
  }
  const char *const outside[] = {"h\n0,2,3\n", "h\n12,2,3\n", "h\n1,3,3\n", "h\n1,-1,3\n"};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    assert_fails(context, SST_FORMAT, read_labels(context, outside[i], &labels, &count), "expected class 1 to 11");
  }
  assert_fails(context, SST_FORMAT, read_labels(context, "class,start,end\n", &labels, &count), "without a label");
  assert_fails(context, SST_FORMAT, read_labels(context, "", &labels, &count), "without a label");
}

// ---- real recordings ----

static void read_real(sst_context *context, const char *path, bool atis, ssti_events *events) {
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
  if (atis) {
    assert_ok(context, ssti_atis_read(path, data, size, events));
    assert_int_equal(events->count, size / 5); // no overflow records in these
  } else {
    assert_ok(context, ssti_aedat2_read(path, data, size, SSTI_AEDAT2_DVS128, events));
  }
  assert_true(ssti_events_are_sorted(events));
  for (size_t i = 0; i < events->count; i++) {
    ssti_event e = events->items[i];
    assert_true(e.x >= 0 && e.x < events->width && e.y >= 0 && e.y < events->height && (e.p == 0 || e.p == 1));
  }
  ssti_free(context, data);
}

// The recordings of a folder: how many there are, and their events in all.
static int read_folder(sst_context *context, const char *folder, ssti_events *events, int64_t *total) {
  DIR *entries = opendir(folder);
  int files = 0;
  assert_non_null(entries);
  for (struct dirent *entry = NULL; (entry = readdir(entries)) != NULL;) {
    char path[TEST_PATH_SIZE];
    if (entry->d_name[0] == '.') { continue; }
    read_real(context, test_path(path, folder, entry->d_name), true, events);
    *total += (int64_t)events->count;
    files++;
  }
  closedir(entries);
  return files;
}

static void test_real_nmnist(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE], name[16];
  test_data_path(root, "nmnist-1100");
  ssti_events events = ssti_events_begin(context, 34, 34, 2);
  const char *const parts[] = {"Train", "Test"};
  const int files[] = {1000, 100};
  const int64_t totals[] = {4133231, 385596};
  for (int part = 0; part < 2; part++) {
    int found = 0;
    int64_t total = 0;
    for (int digit = 0; digit < 10; digit++) {
      snprintf(name, sizeof name, "%s/%d", parts[part], digit);
      found += read_folder(context, test_path(folder, root, name), &events, &total);
    }
    assert_int_equal(found, files[part]);
    assert_int_equal(total, totals[part]);
  }
  ssti_events_free(&events);
}

static void test_real_aedat2(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  test_data_path(root, "events/aedat2");
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  read_real(context, test_path(path, root, "dvs128-pencil.aedat"), false, &events);
  assert_int_equal(events.count, 126164);
  assert_int_equal(events.items[0].t, 3799644735ll);
  assert_int_equal(events.items[126163].t, 3818152388ll);
  read_real(context, test_path(path, root, "dvs128-scissors.aedat"), false, &events);
  assert_int_equal(events.count, 143655);
  assert_int_equal(events.items[143654].t - events.items[0].t, 2909034948ll - 2890272251ll);
  ssti_events_free(&events);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_atis),
      TEST(test_atis_is_never_taken_for_gzip),
      TEST(test_atis_failures),
      TEST(test_aedat2),
      TEST(test_aedat2_failures),
      TEST(test_aedat3),
      TEST(test_aedat3_failures),
      TEST(test_labels),
      TEST(test_labels_failures),
      TEST(test_real_nmnist),
      TEST(test_real_aedat2),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
