// SPDX-License-Identifier: Apache-2.0
// Telling an integer network's file from others by its header alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/integer_file.h"

enum { LOOKED_AT = 512 };

// The header begins with the metadata, of which the format is the first: so it was written, and other tools keep the
// order of names.
bool sst_integer_network_recognize(const char *path) {
  static const char key[] = "\"format\":", value[] = "\"" SSTI_INTEGER_FORMAT "\"";
  char bytes[LOOKED_AT + 1] = {0};
  FILE *file = fopen(path, "rb");
  if (file == NULL) { return false; }
  const size_t size = fread(bytes, 1, LOOKED_AT, file);
  (void)fclose(file);
  for (size_t i = 0; i < size; i++) { bytes[i] = bytes[i] == '\0' ? ' ' : bytes[i]; }
  const char *found = strstr(bytes, key);
  if (found == NULL) { return false; }
  for (found += strlen(key); *found == ' ';) { found++; }
  return strncmp(found, value, strlen(value)) == 0;
}
