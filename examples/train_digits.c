// SPDX-License-Identifier: Apache-2.0
// Trains a small spiking network on drawn digits, as `spikestill train` does. The recipe is text in the program; what
// the command line gives replaces single keys of it.
//
//     train_digits RUN_DIRECTORY [KEY=VALUE...]        train_digits runs/small train.epochs=3 student.timesteps=2
#include <spikestill/run.h>
#include <stdio.h>
#include <stdlib.h>

static const char recipe_text[] = "data: {name: digits, digits_train: 3000, digits_test: 500}\n"
                                  "student: {kind: snn, model: cnn, width: 0.25, timesteps: 4}\n"
                                  "optimizer: {kind: adamw, learning_rate: 0.003}\n"
                                  "train: {epochs: 4, batch: 50}\n";

static void print_epoch(void *user, int64_t epoch, int64_t epochs, double loss, double train_accuracy,
                        double validation_accuracy, double spikes_per_inference, double seconds) {
  (void)user;
  (void)seconds;
  printf("epoch %lld of %lld: loss %.3f, accuracy %.3f, on validation %.3f, %.0f spikes\n", (long long)epoch,
         (long long)epochs, loss, train_accuracy, validation_accuracy, spikes_per_inference);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: train_digits RUN_DIRECTORY [KEY=VALUE...]\n");
    return 2;
  }
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return EXIT_FAILURE; }

  sst_recipe *recipe = NULL;
  sst_run_result result;
  sst_run_options_train options = {.out = argv[1], .overwrite = true, .epoch_done = print_epoch};
  sst_status status =
      sst_recipe_from_text(context, "train_digits", recipe_text, (const char *const *)(argv + 2), argc - 2, &recipe);
  if (status == SST_OK) { status = sst_run_train(context, recipe, &options, &result); }
  if (status == SST_OK) {
    printf("test accuracy %.3f with %.0f spikes a picture; the run is in %s\n", result.test_accuracy,
           result.spikes_per_inference, argv[1]);
  } else {
    // The status says what kind of failure it was; the sentence is in the context.
    fprintf(stderr, "train_digits: %s\n", sst_context_message(context));
  }

  sst_recipe_close(context, recipe); // NULL is allowed
  sst_context_destroy(context);
  return status == SST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
