// SPDX-License-Identifier: Apache-2.0
#include "spikestill/version.h"

#include <stdio.h>

#include "command.h"
#include "json_output.h"
#include "spikestill/device.h"

// Devices that can be used here and now; why the others cannot is asked for by name.
static bool is_usable(sst_context *context, int device) {
  return sst_device_check(context, (sst_device)device) == SST_OK;
}

// What `device: cuda` means here: the card, or why there is none.
static void describe_card(sst_context *context, char *text, size_t size) {
  sst_device_info card;
  if (sst_device_describe(context, SST_DEVICE_CUDA, &card) != SST_OK) {
    snprintf(text, size, "%s", sst_context_message(context));
    return;
  }
  snprintf(text, size, "%s, compute capability %d.%d, %.1f GiB, driver for CUDA %d.%d, runtime %d.%d", card.name,
           card.capability / 10, card.capability % 10, (double)card.memory_bytes / (1 << 30), card.driver / 1000,
           card.driver % 1000 / 10, card.runtime / 1000, card.runtime % 1000 / 10);
}

int command_version(sst_context *context, const arguments *a) {
  char card[512];
  describe_card(context, card, sizeof card);
  if (a->json) {
    json_t *devices = json_array();
    for (int i = 0; i < SST_DEVICE_COUNT; i++) {
      if (is_usable(context, i)) { json_array_append_new(devices, json_string(sst_device_word((sst_device)i))); }
    }
    return print_json(json_pack("{s:s, s:o, s:s, s:i}", "version", sst_version(), "devices", devices, "cuda", card,
                                "threads", sst_context_threads(context)));
  }
  printf("spikestill %s\ndevices:", sst_version());
  for (int i = 0; i < SST_DEVICE_COUNT; i++) {
    if (is_usable(context, i)) { printf(" %s", sst_device_word((sst_device)i)); }
  }
  printf("\ncuda: %s\nthreads: %d\n", card, sst_context_threads(context));
  return EXIT_DONE;
}
