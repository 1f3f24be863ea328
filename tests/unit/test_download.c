// SPDX-License-Identifier: Apache-2.0
// Downloads from a server of our own on 127.0.0.1 (tests/support/range_server.py); nothing else is contacted.
#include "support/support.h"

#include "spikestill/data.h"

#ifndef SPIKESTILL_HAS_DOWNLOAD

static void test_says_that_it_is_not_built_in(void **state) {
  sst_context *context = *state;
  assert_fails(context, SST_UNSUPPORTED, sst_dataset_download(context, SST_DATASET_MNIST, "x", NULL, NULL, NULL),
               "not built in");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_says_that_it_is_not_built_in)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <archive.h>
#include <archive_entry.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/download.h"

enum { FILE_BYTES = 150000, OTHER_BYTES = 1000, HALF = 60000, LONG_BYTES = 400000 };

// ---- the server, one for all tests ----

static struct {
  pid_t pid;
  int input; // its end stops the server
  int port;
  char folder[TEST_PATH_SIZE];
  char checksum[2][SSTI_CHECKSUM_TEXT_SIZE]; // of "one" and "two"
} server;

static void write_file(const char *folder, const char *name, const void *data, size_t size) {
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_path(path, folder, name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, size, file), size);
  fclose(file);
}

static long file_size(const char *folder, const char *name) {
  char path[TEST_PATH_SIZE];
  struct stat about;
  return stat(test_path(path, folder, name), &about) == 0 ? (long)about.st_size : -1;
}

static void fill_bytes(uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++) { data[i] = (uint8_t)ssti_random_below(1, 2, i, 256); }
}

static int start_server(void **state) {
  (void)state;
  int to[2], from[2];
  static uint8_t data[LONG_BYTES];
  char script[TEST_PATH_SIZE], path[TEST_PATH_SIZE], line[32] = "";
  bool right = false;
  temp_folder_make(server.folder);
  fill_bytes(data, sizeof data);
  write_file(server.folder, "one", data, FILE_BYTES);
  write_file(server.folder, "two", data, OTHER_BYTES);
  write_file(server.folder, "long", data, LONG_BYTES);
  sst_context *context = test_context();
  for (int i = 0; i < 2; i++) {
    test_path(path, server.folder, i == 0 ? "one" : "two");
    // The first by MD5, the second by SHA-256. What the right one is comes from the wrong one's report.
    const char *wrong = i == 0 ? "00000000000000000000000000000000"
                               : "0000000000000000000000000000000000000000000000000000000000000000";
    assert_ok(context, ssti_download_check(context, path, wrong, &right, server.checksum[i]));
    assert_false(right);
  }
  sst_context_destroy(context);
  // A proxy of the environment is not for this machine itself.
  setenv("no_proxy", "127.0.0.1", 1);
  signal(SIGPIPE, SIG_IGN);
  test_source_path(script, "tests/support/range_server.py");
  if (pipe(to) != 0 || pipe(from) != 0) { return -1; }
  server.pid = fork();
  if (server.pid == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    close(to[1]);
    close(from[0]);
    execlp("python3", "python3", script, server.folder, (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  server.input = to[1];
  FILE *answer = fdopen(from[0], "r");
  server.port = answer != NULL && fgets(line, sizeof line, answer) != NULL ? atoi(line) : 0;
  if (answer != NULL) { fclose(answer); }
  return 0;
}

static int stop_server(void **state) {
  (void)state;
  close(server.input);
  waitpid(server.pid, NULL, 0);
  temp_folder_remove(server.folder);
  return 0;
}

// ---- what each test needs ----

typedef struct scene {
  char folder[TEST_PATH_SIZE]; // where things are downloaded to
  char address[4][64];
  ssti_remote_set set;
} scene;

static const char *address_of(scene *s, int place, const char *mode) {
  snprintf(s->address[place], sizeof s->address[place], "http://127.0.0.1:%d/%s", server.port, mode);
  return s->address[place];
}

// A set of the files "one" and, if `both`, "two" from the server's two modes (the second may be NULL).
static void set_mirrors(scene *s, const char *mode, const char *next_mode) {
  s->set.mirrors[0] = address_of(s, 0, mode);
  s->set.mirrors[1] = next_mode != NULL ? address_of(s, 1, next_mode) : NULL;
}

static void begin_scene(scene *s, const char *mode, const char *next_mode, bool both) {
  char log[TEST_PATH_SIZE];
  if (server.port == 0) { skip_because("python3 does not run, so there is no server to download from"); }
  memset(s, 0, sizeof *s);
  unlink(test_path(log, server.folder, "requests.log"));
  temp_folder_make(s->folder);
  s->set.files[0] = (ssti_remote_file){"one", server.checksum[0]};
  s->set.files[1] = (ssti_remote_file){"two", server.checksum[1]};
  s->set.file_count = both ? 2 : 1;
  set_mirrors(s, mode, next_mode);
}

static void end_scene(scene *s) { temp_folder_remove(s->folder); }

static sst_status get(sst_context *context, const scene *s) {
  return ssti_download_set(context, &s->set, s->folder, NULL, NULL, NULL);
}

// What the server was asked for since the scene began, one request after another.
static const char *requests(void) {
  static char text[4096];
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_path(path, server.folder, "requests.log"), "r");
  size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
  text[size] = '\0';
  if (file != NULL) { fclose(file); }
  return text;
}

// The folder has "one" as it should be, and nothing else.
static void assert_arrived(sst_context *context, const scene *s) {
  char path[TEST_PATH_SIZE], found[SSTI_CHECKSUM_TEXT_SIZE];
  bool right = false;
  assert_ok(context,
            ssti_download_check(context, test_path(path, s->folder, "one"), server.checksum[0], &right, found));
  assert_true(right);
  assert_int_equal(temp_folder_entries(s->folder), 1);
}

// ---- the way it should go ----

static void count_progress(void *user, const char *file, uint64_t done, uint64_t total) {
  uint64_t *most = user;
  if (strcmp(file, "one") == 0) {
    assert_true(done <= FILE_BYTES && (total == FILE_BYTES || total == 0));
    most[0] = done > most[0] ? done : most[0];
  } else {
    most[1] = done > most[1] ? done : most[1];
  }
}

static void test_whole_set(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "good", NULL, true);
  uint64_t most[2] = {0};
  assert_ok(context, ssti_download_set(context, &s.set, s.folder, NULL, count_progress, most));
  assert_int_equal(file_size(s.folder, "one"), FILE_BYTES);
  assert_int_equal(file_size(s.folder, "two"), OTHER_BYTES);
  assert_int_equal(temp_folder_entries(s.folder), 2);
  assert_int_equal(most[0], FILE_BYTES);
  assert_string_equal(requests(), "good one 0\ngood two 0\n");
  // What is there and right is not asked for again; what is wrong is.
  assert_ok(context, get(context, &s));
  assert_string_equal(requests(), "good one 0\ngood two 0\n");
  write_file(s.folder, "two", "damaged", 7);
  assert_ok(context, get(context, &s));
  assert_string_equal(requests(), "good one 0\ngood two 0\ngood two 0\n");
  assert_int_equal(file_size(s.folder, "two"), OTHER_BYTES);
  end_scene(&s);
}

static void test_base_address_replaces_mirrors(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "absent", NULL, false);
  assert_ok(context, ssti_download_set(context, &s.set, s.folder, address_of(&s, 2, "good/"), NULL, NULL));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "good one 0\n");
  end_scene(&s);
}

// ---- going on ----

static void put_part(const scene *s, size_t size, uint8_t change) {
  static uint8_t data[LONG_BYTES];
  fill_bytes(data, sizeof data);
  data[0] ^= change;
  write_file(s->folder, "one.part", data, size);
}

static void test_goes_on_after_what_is_there(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "good", NULL, false);
  put_part(&s, HALF, 0);
  assert_ok(context, get(context, &s));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "good one 60000\n");
  end_scene(&s);
}

static void test_goes_on_after_cuts(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "cut", NULL, false);
  assert_ok(context, get(context, &s));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "cut one 0\ncut one 40000\ncut one 80000\ncut one 120000\n");
  end_scene(&s);
}

static void test_server_without_ranges(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "norange", NULL, false);
  put_part(&s, HALF, 0);
  assert_ok(context, get(context, &s));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "norange one 60000\n");
  end_scene(&s);
}

static void test_part_is_complete_wrong_or_too_long(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "good", NULL, false);
  put_part(&s, FILE_BYTES, 0); // killed just before the rename
  assert_ok(context, get(context, &s));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "");
  end_scene(&s);
  scene t;
  begin_scene(&t, "good", NULL, false);
  put_part(&t, HALF, 1); // not this file's beginning
  assert_ok(context, get(context, &t));
  assert_arrived(context, &t);
  assert_string_equal(requests(), "good one 60000\ngood one 0\n");
  end_scene(&t);
  scene u;
  begin_scene(&u, "good", NULL, false);
  put_part(&u, LONG_BYTES, 0);
  assert_ok(context, get(context, &u));
  assert_arrived(context, &u);
  assert_string_equal(requests(), "good one 400000\ngood one 0\n");
  end_scene(&u);
}

static void stop_in_the_middle(void *user, const char *file, uint64_t done, uint64_t total) {
  (void)file;
  (void)total;
  if (done > 10000) { sst_context_request_stop(user); }
}

static void test_stop(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "slow", NULL, false);
  assert_fails(context, SST_INTERRUPTED,
               ssti_download_set(context, &s.set, s.folder, NULL, stop_in_the_middle, context), "which are kept");
  long kept = file_size(s.folder, "one.part");
  assert_in_range(kept, 10000, FILE_BYTES - 1);
  assert_int_equal(file_size(s.folder, "one"), -1);
  sst_context *again = test_context();
  set_mirrors(&s, "good", NULL);
  assert_ok(again, get(again, &s));
  assert_arrived(again, &s);
  char expected[64];
  snprintf(expected, sizeof expected, "slow one 0\ngood one %ld\n", kept);
  assert_string_equal(requests(), expected);
  test_context_end(again);
  end_scene(&s);
}

// ---- what may go wrong ----

static void test_next_mirror(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "absent", "good", false);
  assert_ok(context, get(context, &s));
  assert_arrived(context, &s);
  assert_string_equal(requests(), "absent one 0\ngood one 0\n");
  end_scene(&s);
  scene t;
  begin_scene(&t, "wrong", "good", false);
  assert_ok(context, get(context, &t));
  assert_arrived(context, &t);
  end_scene(&t);
}

static void test_nobody_has_it(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "absent", "gone", false);
  assert_fails(context, SST_IO, get(context, &s), "one: could not be downloaded: http://127.0.0.1:");
  assert_non_null(strstr(sst_context_message(context), "/absent/one: "));
  assert_non_null(strstr(sst_context_message(context), "/gone/one: "));
  assert_non_null(strstr(sst_context_message(context), "404"));
  assert_int_equal(file_size(s.folder, "one"), -1);
  // Port 1 is nobody's.
  s.set.mirrors[0] = "http://127.0.0.1:1";
  s.set.mirrors[1] = NULL;
  assert_fails(context, SST_IO, get(context, &s), "http://127.0.0.1:1/one: ");
  s.set.mirrors[0] = "file:///etc";
  assert_fails(context, SST_IO, get(context, &s), "file:///etc/one: ");
  end_scene(&s);
}

static void test_wrong_checksum(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "wrong", NULL, false);
  assert_fails(context, SST_FORMAT, get(context, &s), "gave a file with checksum ");
  assert_non_null(strstr(sst_context_message(context), server.checksum[0])); // what was expected
  assert_int_equal(temp_folder_entries(s.folder), 0);
  end_scene(&s);
}

static void test_faults(void **state) {
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    for (uint64_t k = 1;; k++) {
      scene s;
      begin_scene(&s, "good", NULL, false);
      fault_plan plan = {.allocation = kind == 0 ? k : 0, .operation = kind == 1 ? k : 0};
      sst_context *context = fault_context(&plan);
      sst_status status = get(context, &s);
      bool met = fault_met(&plan);
      assert_int_equal(status == SST_OK, !met);
      assert_true(!met || sst_context_message(context)[0] != '\0');
      assert_int_equal(file_size(s.folder, "one"), met ? -1 : FILE_BYTES);
      test_context_end(context);
      end_scene(&s);
      if (!met) { break; }
    }
  }
}

// ---- archives ----

typedef struct tar_entry {
  const char *name;
  size_t bytes;
} tar_entry;

// Makes the server's "pack.tar.gz" and its checksum.
static void make_archive(sst_context *context, const tar_entry *entries, int count,
                         char checksum[SSTI_CHECKSUM_TEXT_SIZE]) {
  char path[TEST_PATH_SIZE];
  static uint8_t data[FILE_BYTES];
  bool right = false;
  fill_bytes(data, sizeof data);
  test_path(path, server.folder, "pack.tar.gz");
  struct archive *archive = archive_write_new();
  archive_write_add_filter_gzip(archive);
  archive_write_set_format_ustar(archive);
  assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
  for (int i = 0; i < count; i++) {
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, entries[i].name);
    archive_entry_set_size(entry, (la_int64_t)entries[i].bytes);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, data, entries[i].bytes), entries[i].bytes);
    archive_entry_free(entry);
  }
  assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
  archive_write_free(archive);
  assert_ok(context, ssti_download_check(context, path, "00000000000000000000000000000000", &right, checksum));
}

static void test_archive(void **state) {
  sst_context *context = *state;
  char checksum[SSTI_CHECKSUM_TEXT_SIZE];
  scene s;
  begin_scene(&s, "good", NULL, false);
  s.set.files[0] = (ssti_remote_file){"pack.tar.gz", checksum};
  s.set.members[0] = (ssti_archive_member){"a.bin", 70000};
  s.set.members[1] = (ssti_archive_member){"b.bin", 300};
  s.set.members[2] = (ssti_archive_member){"names.txt", 0};
  s.set.member_count = 3;
  // Members come out under their own names only, whatever path they claim.
  const tar_entry entries[] = {{"top/a.bin", 70000}, {"../../b.bin", 300}, {"top/else.bin", 10}, {"names.txt", 20}};
  make_archive(context, entries, 4, checksum);
  assert_ok(context, get(context, &s));
  assert_int_equal(file_size(s.folder, "a.bin"), 70000);
  assert_int_equal(file_size(s.folder, "b.bin"), 300);
  assert_int_equal(file_size(s.folder, "names.txt"), 20);
  assert_int_equal(temp_folder_entries(s.folder), 3);
  assert_ok(context, get(context, &s)); // all there
  assert_string_equal(requests(), "good pack.tar.gz 0\n");
  write_file(s.folder, "b.bin", "short", 5); // not in its full size: once more
  assert_ok(context, get(context, &s));
  assert_int_equal(file_size(s.folder, "b.bin"), 300);
  end_scene(&s);
}

static void test_bad_archives(void **state) {
  sst_context *context = *state;
  char checksum[SSTI_CHECKSUM_TEXT_SIZE];
  scene s;
  begin_scene(&s, "good", NULL, false);
  s.set.files[0] = (ssti_remote_file){"pack.tar.gz", checksum};
  s.set.members[0] = (ssti_archive_member){"a.bin", 70000};
  s.set.member_count = 1;
  make_archive(context, &(tar_entry){"a.bin", 69999}, 1, checksum);
  assert_fails(context, SST_FORMAT, get(context, &s), "found a.bin of 69999 bytes, expected a file of 70000");
  make_archive(context, &(tar_entry){"c.bin", 70000}, 1, checksum);
  assert_fails(context, SST_FORMAT, get(context, &s), "pack.tar.gz: has no a.bin");
  assert_int_equal(file_size(s.folder, "a.bin"), -1);
  // Its checksum is right but it is no archive.
  bool right = false;
  char path[TEST_PATH_SIZE];
  write_file(server.folder, "pack.tar.gz", "no archive at all", 17);
  test_path(path, server.folder, "pack.tar.gz");
  assert_ok(context, ssti_download_check(context, path, "00000000000000000000000000000000", &right, checksum));
  assert_fails(context, SST_FORMAT, get(context, &s), "pack.tar.gz: cannot be unpacked: ");
  end_scene(&s);
}

// ---- the public function ----

static void test_public_function(void **state) {
  sst_context *context = *state;
  scene s;
  begin_scene(&s, "good", NULL, false);
  assert_fails(context, SST_UNSUPPORTED, sst_dataset_download(context, SST_DATASET_DIGITS, s.folder, NULL, NULL, NULL),
               "nothing to download");
  write_file(server.folder, "train-images-idx3-ubyte.gz", "not it", 6);
  assert_fails(context, SST_FORMAT,
               sst_dataset_download(context, SST_DATASET_MNIST, s.folder, s.set.mirrors[0], NULL, NULL),
               "expected f68b3c2dcbeaaa9fbdd348bbdeb94873");
  assert_int_equal(temp_folder_entries(s.folder), 1); // the folder mnist/
  end_scene(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_whole_set),
      TEST(test_base_address_replaces_mirrors),
      TEST(test_goes_on_after_what_is_there),
      TEST(test_goes_on_after_cuts),
      TEST(test_server_without_ranges),
      TEST(test_part_is_complete_wrong_or_too_long),
      TEST(test_stop),
      TEST(test_next_mirror),
      TEST(test_nobody_has_it),
      TEST(test_wrong_checksum),
      cmocka_unit_test(test_faults),
      TEST(test_archive),
      TEST(test_bad_archives),
      TEST(test_public_function),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}

#endif
