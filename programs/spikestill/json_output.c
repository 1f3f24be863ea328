// SPDX-License-Identifier: Apache-2.0
#include "json_output.h"

#include <stdio.h>

#include "command.h"

int print_json(json_t *value) {
  if (!value) {
    fprintf(stderr, "spikestill: the answer could not be built for lack of memory\n");
    return EXIT_FAILED;
  }
  int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  putchar('\n');
  json_decref(value);
  return failed ? EXIT_FAILED : EXIT_DONE;
}
