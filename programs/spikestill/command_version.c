// SPDX-License-Identifier: Apache-2.0
#include "spikestill/version.h"

#include <stdio.h>

#include "command.h"
#include "json_output.h"
#include "spikestill/device.h"

int command_version(sst_context *context, const arguments *a) {
  if (a->json) {
    json_t *devices = json_array();
    for (int i = 0; i < SST_DEVICE_COUNT; i++) {
      json_array_append_new(devices, json_string(sst_device_word((sst_device)i)));
    }
    return print_json(json_pack("{s:s, s:o, s:i}", "version", sst_version(), "devices", devices, "threads",
                                sst_context_threads(context)));
  }
  printf("spikestill %s\ndevices:", sst_version());
  for (int i = 0; i < SST_DEVICE_COUNT; i++) { printf(" %s", sst_device_word((sst_device)i)); }
  printf("\nthreads: %d\n", sst_context_threads(context));
  return EXIT_DONE;
}
