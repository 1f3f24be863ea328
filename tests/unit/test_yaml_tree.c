// SPDX-License-Identifier: Apache-2.0
// YAML trees: what is read, where it stood, overrides, printing, and every refusal.
#include "../support/support.h"

#include "base/yaml_tree.h"

static ssti_yaml_tree *parse(sst_context *context, const char *text) {
  ssti_yaml_tree *tree = NULL;
  assert_ok(context, ssti_yaml_parse(context, "x.yaml", text, strlen(text), &tree));
  return tree;
}

#define assert_refused(text, part)                                                                                     \
  do {                                                                                                                 \
    ssti_yaml_tree *refused = (ssti_yaml_tree *)state;                                                                 \
    assert_fails(context, SST_RECIPE, ssti_yaml_parse(context, "x.yaml", (text), strlen(text), &refused), (part));     \
    assert_null(refused);                                                                                              \
  } while (0)

static const char sample[] = "# a recipe\n"
                             "name: first\n"
                             "train: {epochs: 3, batch: '64'}\n"
                             "distill:\n"
                             "  - method: kd\n"
                             "    weight: 0.5\n"
                             "  - method: other\n"
                             "list: [1, [2, 3], {}]\n"
                             "empty:\n"
                             "text: \"a: b # \\\"c\\\"\\n\"\n";

static void test_reading(void **state) {
  sst_context *context = *state;
  ssti_yaml_tree *tree = parse(context, sample);
  const ssti_yaml_node *root = ssti_yaml_root(tree);
  assert_string_equal(ssti_yaml_name(tree), "x.yaml");
  assert_int_equal(root->kind, SSTI_YAML_MAP);
  assert_int_equal(root->count, 6);
  static const char *const keys[] = {"name", "train", "distill", "list", "empty", "text"};
  static const int lines[] = {2, 3, 4, 8, 9, 10};
  int i = 0;
  for (const ssti_yaml_node *item = root->first; item != NULL; item = item->next, i++) {
    assert_string_equal(item->key, keys[i]);
    assert_int_equal(item->line, lines[i]);
    assert_int_equal(item->column, 1);
    assert_null(item->origin);
  }
  const ssti_yaml_node *train = ssti_yaml_get(root, "train"), *batch = ssti_yaml_get(train, "batch");
  assert_string_equal(batch->text, "64");
  assert_true(batch->quoted);
  assert_int_equal(batch->column, 20);
  assert_false(ssti_yaml_get(train, "epochs")->quoted);
  const ssti_yaml_node *distill = ssti_yaml_get(root, "distill");
  assert_int_equal(distill->kind, SSTI_YAML_LIST);
  assert_string_equal(ssti_yaml_get(ssti_yaml_item(distill, 1), "method")->text, "other");
  assert_int_equal(ssti_yaml_get(ssti_yaml_item(distill, 0), "weight")->line, 6);
  assert_null(ssti_yaml_item(distill, 2));
  assert_null(ssti_yaml_item(distill, -1));
  assert_null(ssti_yaml_item(train, 0));
  assert_null(ssti_yaml_get(distill, "method"));
  assert_null(ssti_yaml_get(NULL, "method"));
  assert_string_equal(ssti_yaml_item(ssti_yaml_item(ssti_yaml_get(root, "list"), 1), 1)->text, "3");
  assert_true(ssti_yaml_is_null(ssti_yaml_get(root, "empty")));
  assert_string_equal(ssti_yaml_get(root, "text")->text, "a: b # \"c\"\n");
  char place[SSTI_YAML_PLACE_SIZE];
  assert_string_equal(ssti_yaml_place(tree, batch, place), "x.yaml:3");
  assert_string_equal(ssti_yaml_place(tree, NULL, place), "x.yaml");
  ssti_yaml_destroy(tree);
  ssti_yaml_destroy(NULL);
}

static void test_empty_documents(void **state) {
  sst_context *context = *state;
  static const char *const texts[] = {"", "# nothing\n", "---\n", "\n\n", "{}", "\xef\xbb\xbf"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    ssti_yaml_tree *tree = parse(context, texts[i]);
    const ssti_yaml_node *root = ssti_yaml_root(tree);
    assert_true((root->kind == SSTI_YAML_MAP && root->count == 0) || ssti_yaml_is_null(root));
    ssti_yaml_destroy(tree);
  }
  ssti_yaml_tree *tree = parse(context, "a: ~\nb: null\nc: 'null'\nd: \"\"\ne: nullx\n");
  const ssti_yaml_node *root = ssti_yaml_root(tree);
  assert_true(ssti_yaml_is_null(ssti_yaml_get(root, "a")));
  assert_true(ssti_yaml_is_null(ssti_yaml_get(root, "b")));
  assert_false(ssti_yaml_is_null(ssti_yaml_get(root, "c")));
  assert_false(ssti_yaml_is_null(ssti_yaml_get(root, "d")));
  assert_false(ssti_yaml_is_null(ssti_yaml_get(root, "e")));
  ssti_yaml_destroy(tree);
}

static void test_refusals(void **state) {
  sst_context *context = *state;
  assert_refused("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: key 'a' stands twice in the same map, first in line 1");
  assert_refused("a: {b: 1, b: 2}\n", "key 'b' stands twice");
  assert_refused("a: &x 1\nb: *x\n", "x.yaml:1:4: anchor '&x': recipes do not use anchors");
  assert_refused("a: *x\n", "x.yaml:1:4: alias '*x'");
  assert_refused("a: &x {b: 1}\n", "anchor '&x'");
  assert_refused("a: &x [1]\n", "anchor '&x'");
  assert_refused("&k a: 1\n", "anchor '&k'");
  assert_refused("a: !!str 1\n", "tag 'tag:yaml.org,2002:str'");
  assert_refused("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document");
  assert_refused("a: 1\n--- {}\n", "a second document");
  assert_refused("? [1, 2]\n: 3\n", "a key is a map or a list");
  assert_refused("? {a: 1}\n: 3\n", "a key is a map or a list");
  assert_refused("'': 3\n", "a key is empty");
  assert_refused("a: \"x\\0y\"\n", "zero byte after 'x'");
  assert_refused("\"x\\0y\": 1\n", "a key is cut by a zero byte");
  assert_refused("a: [1, 2\nb: 3\n", "x.yaml:2");
  assert_refused("a: [1, 2\nb: 3\n", "not valid YAML");
  assert_refused("a: {b: 1\n", "not valid YAML");
  assert_refused("a:\n\t- 1\n", "x.yaml:2:1: not valid YAML");
  assert_refused("a: b: c\n", "not valid YAML");
  assert_refused("a: 'open\n", "not valid YAML");
  assert_refused("a: \xff\xfe\n", "byte 3: not text");
  assert_refused("a: \x01\n", "not text");
}

static void test_limits(void **state) {
  sst_context *context = *state;
  char *deep = calloc(1, 200001);
  memset(deep, '[', 100000);
  memset(deep + 100000, ']', 100000);
  assert_refused(deep, "more than 32 deep");
  deep[SSTI_YAML_MAX_DEPTH] = '\0';
  memset(deep + SSTI_YAML_MAX_DEPTH, ']', SSTI_YAML_MAX_DEPTH);
  deep[2 * SSTI_YAML_MAX_DEPTH] = '\0';
  ssti_yaml_destroy(parse(context, deep));
  free(deep);

  const size_t size = (size_t)SSTI_YAML_MAX_BYTES;
  char *wide = malloc(size + 2);
  memset(wide, ',', size);
  for (size_t i = 0; i < size; i += 2) { wide[i] = '1'; }
  wide[0] = '[';
  wide[1] = '1';
  wide[size - 1] = ']';
  wide[size] = '\0';
  assert_refused(wide, "more than 100000 values");
  memset(wide, ' ', size + 1);
  wide[size + 1] = '\0';
  assert_refused(wide, "1048577 bytes, expected at most 1048576");
  free(wide);
}

static bool same_tree(const ssti_yaml_node *a, const ssti_yaml_node *b) {
  if (a->kind != b->kind || a->count != b->count || strcmp(a->text, b->text) != 0) { return false; }
  if ((a->key == NULL) != (b->key == NULL) || (a->key != NULL && strcmp(a->key, b->key) != 0)) { return false; }
  if (a->kind == SSTI_YAML_SCALAR && ssti_yaml_is_null(a) != ssti_yaml_is_null(b)) { return false; }
  const ssti_yaml_node *x = a->first, *y = b->first;
  for (; x != NULL && y != NULL; x = x->next, y = y->next) {
    if (!same_tree(x, y)) { return false; }
  }
  return x == y;
}

// Applies the override to a tree of `text` and compares the whole tree with that of `expected`.
static void check_override(sst_context *context, const char *text, const char *assignment, const char *expected) {
  ssti_yaml_tree *tree = parse(context, text), *wanted = parse(context, expected);
  assert_ok(context, ssti_yaml_override(tree, assignment));
  if (!same_tree(ssti_yaml_root(tree), ssti_yaml_root(wanted))) {
    ssti_text found = ssti_text_begin(context);
    ssti_yaml_print(tree, &found);
    fail_msg("%s gave\n%s", assignment, found.data);
  }
  ssti_yaml_destroy(tree);
  ssti_yaml_destroy(wanted);
}

static void test_overrides(void **state) {
  sst_context *context = *state;
  check_override(context, "a: 1\nb: 2\n", "a=3", "{a: 3, b: 2}");
  check_override(context, "a: {b: 1, c: 2}\n", "a.b=x=y", "a: {b: 'x=y', c: 2}");
  check_override(context, "a: 1\n", "b=2", "{a: 1, b: 2}");
  check_override(context, "a: 1\n", "b.c.d=2", "{a: 1, b: {c: {d: 2}}}");
  check_override(context, "", "train.epochs=3", "train: {epochs: 3}");
  check_override(context, "a: [{m: kd, w: 1}, {m: x}]\n", "a.0.w=0.5", "a: [{m: kd, w: 0.5}, {m: x}]");
  check_override(context, "a: [{m: kd, w: 1}, {m: x}]\n", "a.2.m=new", "a: [{m: kd, w: 1}, {m: x}, {m: new}]");
  check_override(context, "a: 1\n", "d.0.m=kd", "{a: 1, d: [{m: kd}]}");
  check_override(context, "d:\n", "d.0=kd", "d: [kd]");
  check_override(context, "d: ~\n", "d.k=1", "d: {k: 1}");
  check_override(context, "a: {b: 1}\n", "a=[1, {x: 2}]", "a: [1, {x: 2}]");
  check_override(context, "a: [1, 2]\n", "a={b: 1}", "a: {b: 1}");
  check_override(context, "a: [1, 2]\nb: 1\n", "a=", "a:\nb: 1\n");
  check_override(context, "a: 1\n", "a='5 apples'", "a: '5 apples'");
  check_override(context, "a: 1\n", "a=runs/x y", "a: 'runs/x y'");
}

static void test_override_origin(void **state) {
  sst_context *context = *state;
  ssti_yaml_tree *tree = parse(context, sample);
  assert_ok(context, ssti_yaml_override(tree, "distill.0.weight=0.25"));
  assert_ok(context, ssti_yaml_override(tree, "train={epochs: 9}"));
  char place[SSTI_YAML_PLACE_SIZE];
  const ssti_yaml_node *root = ssti_yaml_root(tree), *first = ssti_yaml_item(ssti_yaml_get(root, "distill"), 0);
  assert_string_equal(ssti_yaml_place(tree, ssti_yaml_get(first, "weight"), place), "--set distill.0.weight");
  assert_string_equal(ssti_yaml_place(tree, ssti_yaml_get(first, "method"), place), "x.yaml:5");
  assert_string_equal(ssti_yaml_place(tree, ssti_yaml_get(ssti_yaml_get(root, "train"), "epochs"), place),
                      "--set train");
  ssti_yaml_destroy(tree);
}

static void test_bad_overrides(void **state) {
  sst_context *context = *state;
  static const struct {
    const char *assignment, *part;
  } cases[] = {
      {"train", "--set train: no '='"},
      {"", "no '='"},
      {"=3", "a part of the key is empty"},
      {".a=3", "a part of the key is empty"},
      {"a.=3", "a part of the key is empty"},
      {"a..b=3", "a part of the key is empty"},
      {"name.x=3", "--set name.x: there is no 'x' inside 'first', which is a single value"},
      {"distill.x=3", "'x' is not a place in a list, expected a number 0..2"},
      {"distill.-1=3", "'-1' is not a place"},
      {"distill.3.weight=1", "place 3 is beyond the end of the list, expected 0..2 (2 appends)"},
      {"distill.99999999999999999999=1", "is not a place in a list"},
      {"distill.5000000000=1", "beyond the end"},
      {"name=[1, 2", "--set name: not valid YAML"},
      {"name=*x", "--set name: alias '*x'"},
      {"name={a: 1, a: 2}", "--set name: key 'a' stands twice"},
      {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1", "33 parts, expected at most 32"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ssti_yaml_tree *tree = parse(context, sample);
    assert_fails(context, SST_RECIPE, ssti_yaml_override(tree, cases[i].assignment), cases[i].part);
    ssti_yaml_destroy(tree);
  }
  ssti_yaml_tree *tree = parse(context, "just text");
  assert_fails(context, SST_RECIPE, ssti_yaml_override(tree, "a=1"), "single value");
  ssti_yaml_destroy(tree);
}

static void check_print(sst_context *context, const char *text) {
  ssti_yaml_tree *tree = parse(context, text);
  ssti_text printed = ssti_text_begin(context);
  ssti_yaml_print(tree, &printed);
  assert_int_equal(printed.status, SST_OK);
  ssti_yaml_tree *again = parse(context, printed.data);
  if (!same_tree(ssti_yaml_root(tree), ssti_yaml_root(again))) { fail_msg("changed:\n%s\n->\n%s", text, printed.data); }
  ssti_text_free(&printed);
  ssti_yaml_destroy(tree);
  ssti_yaml_destroy(again);
}

// Printing and reading again gives the same tree.
static void test_printing(void **state) {
  sst_context *context = *state;
  static const char *const texts[] = {
      sample,
      "",
      "word",
      "''",
      "[]",
      "[[[1, 2], [], {}], {a: [1]}, [{b: {c: [{d: 1}]}}]]",
      "a: [[1], [2, 3]]\n",
      "a: |\n  several\n  lines\n\n",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) { check_print(context, texts[i]); }
}

// Every scalar that could be mistaken for something else.
static void test_printing_scalars(void **state) {
  sst_context *context = *state;
  static const char *const texts[] = {
      "",
      "~",
      "null",
      "true",
      "-",
      "- a",
      "a: b",
      "a:",
      "a #b",
      "#a",
      "[a]",
      "{a",
      "&a",
      "*a",
      "!a",
      "|",
      ">",
      "%a",
      "@a",
      "`a",
      "'a'",
      "\"a\"",
      " a ",
      "a\nb",
      "\ta",
      "?",
      "? a",
      ":",
      "---",
      "...",
      "--- a",
      "1,2",
      "a,b",
      "a]",
      "\\",
      "\x7f",
      "\x1b[0m",
      "\xc2\x85",
      "\xc2\x9f",
      "\xc3\xa4",
      "\xe2\x80\xa8",
      "\xe2\x80\xa9",
      "\xef\xbb\xbf-",
      "\xf0\x9f\x98\x80",
      "a=b",
      "5e-4",
      "-0.5",
      "+1",
      ".5",
      "C:\\x",
      "runs/a b",
      "/a/b.c",
      "<<",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    ssti_text out = ssti_text_begin(context);
    ssti_text_append(&out, "a: ");
    ssti_yaml_print_scalar(&out, texts[i], texts[i][0] == '\0');
    ssti_text_append(&out, "\nb: [x, ");
    ssti_yaml_print_scalar(&out, texts[i], false);
    ssti_text_append(&out, "]\nc: {k: ");
    ssti_yaml_print_scalar(&out, texts[i], true);
    ssti_text_append(&out, "}\n");
    ssti_yaml_tree *tree = parse(context, out.data);
    const ssti_yaml_node *root = ssti_yaml_root(tree);
    assert_string_equal(ssti_yaml_get(root, "a")->text, texts[i]);
    assert_string_equal(ssti_yaml_item(ssti_yaml_get(root, "b"), 1)->text, texts[i]);
    assert_string_equal(ssti_yaml_get(ssti_yaml_get(root, "c"), "k")->text, texts[i]);
    assert_false(ssti_yaml_is_null(ssti_yaml_get(root, "a")));
    assert_int_equal(ssti_yaml_get(root, "b")->count, 2);
    ssti_yaml_destroy(tree);
    ssti_text_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_reading),       TEST(test_empty_documents), TEST(test_refusals),
      TEST(test_limits),        TEST(test_overrides),       TEST(test_override_origin),
      TEST(test_bad_overrides), TEST(test_printing),        TEST(test_printing_scalars),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
