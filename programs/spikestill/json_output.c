// SPDX-License-Identifier: Apache-2.0
// JSON as the run directory's files have it: reals in the fewest digits that give the same number back (jansson writes
// all seventeen).
#include "json_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static void print_real(double value) {
  char text[40];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) { break; }
  }
  printf("%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_value(json_t *value, int depth);

static void new_line(int depth) { printf("\n%*s", 2 * depth, ""); }

static void print_object(json_t *value, int depth) {
  const char *key = NULL;
  json_t *member = NULL;
  bool first = true;
  putchar('{');
  json_object_foreach(value, key, member) {
    if (!first) { putchar(','); }
    first = false;
    new_line(depth + 1);
    printf("\"%s\": ", key); // our own keys and layer names: nothing in them needs escaping
    print_value(member, depth + 1);
  }
  if (!first) { new_line(depth); }
  putchar('}');
}

static void print_array(json_t *value, int depth) {
  size_t count = json_array_size(value);
  bool flat = count == 0 || json_is_number(json_array_get(value, 0)) || json_is_string(json_array_get(value, 0));
  putchar('[');
  for (size_t i = 0; i < count; i++) {
    if (i > 0) { printf(flat ? ", " : ","); }
    if (!flat) { new_line(depth + 1); }
    print_value(json_array_get(value, i), depth + 1);
  }
  if (!flat) { new_line(depth); }
  putchar(']');
}

static void print_value(json_t *value, int depth) {
  if (json_is_object(value)) {
    print_object(value, depth);
  } else if (json_is_array(value)) {
    print_array(value, depth);
  } else if (json_is_real(value)) {
    print_real(json_real_value(value));
  } else {
    json_dumpf(value, stdout, JSON_ENCODE_ANY);
  }
}

int print_json(json_t *value) {
  if (!value) {
    fprintf(stderr, "spikestill: the answer could not be built for lack of memory\n");
    return EXIT_FAILED;
  }
  print_value(value, 0);
  putchar('\n');
  json_decref(value);
  return EXIT_DONE; // whether it arrived is seen when the program ends
}
