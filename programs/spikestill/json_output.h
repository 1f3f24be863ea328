// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_PROGRAM_JSON_OUTPUT_H
#define SPIKESTILL_PROGRAM_JSON_OUTPUT_H

#include <jansson.h>

// Prints the value on standard output, indented, and takes it. NULL (no memory) is a failure. Returns the exit code.
int print_json(json_t *value);

#endif
