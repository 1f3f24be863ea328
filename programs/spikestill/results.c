// SPDX-License-Identifier: Apache-2.0
#include "results.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "command.h"

int print_result(const char *folder, const sst_run_result *r) {
  printf("test accuracy          %.2f %% (last epoch)\n", 100 * r->test_accuracy);
  if (r->best_epoch > 0) {
    printf("                       %.2f %% (epoch %" PRId64 ", best by validation: %.2f %%)\n",
           100 * r->test_accuracy_best, r->best_epoch, 100 * r->best_validation_accuracy);
  }
  printf("spikes per inference   %.1f\n", r->spikes_per_inference);
  if (isfinite(r->energy_pj)) { // a conversion measures neither this nor speed
    printf("energy per inference   %.3f nJ (model operations: 45 nm, without memory)\n", r->energy_pj / 1000);
  }
  printf("parameters             %" PRId64 "\n", r->parameters);
  if (isfinite(r->samples_per_second)) {
    printf("training               %.1f s, %.0f samples/s\n", r->seconds, r->samples_per_second);
  }
  if (r->teacher_kept_bytes > 0) {
    printf("teacher                computed once a picture, %.1f MiB\n", (double)r->teacher_kept_bytes / 1048576);
  }
  printf("run directory          %s\n", folder);
  return EXIT_DONE;
}

int print_result_json(const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/result.json", folder);
  return print_record(path);
}

int print_record(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "spikestill: %s: cannot be opened\n", path);
    return EXIT_FAILED;
  }
  char block[4096];
  size_t length;
  while ((length = fread(block, 1, sizeof block, file)) > 0) { fwrite(block, 1, length, stdout); }
  fclose(file);
  return EXIT_DONE;
}

void print_note(void *user, const char *line) {
  (void)user;
  fprintf(stderr, "note: %s\n", line);
}
