// SPDX-License-Identifier: Apache-2.0
#include <spikestill/context.h>
#include <spikestill/version.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return EXIT_FAILURE; }
  printf("%s\n", sst_version());
  sst_context_destroy(context);
  return EXIT_SUCCESS;
}
