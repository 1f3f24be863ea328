// SPDX-License-Identifier: Apache-2.0
// Opens a trained run and classifies one picture of its test data.
//
//     classify RUN_DIRECTORY [PICTURE]        classify runs/small 7
#include <spikestill/run.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    status = (call);                                                                                                   \
    if (status != SST_OK) { goto done; }                                                                               \
  } while (0)

// The test part that the recipe names.
static sst_status open_pictures(sst_context *context, const sst_recipe *recipe, sst_dataset **out) {
  sst_dataset_options options = sst_recipe_dataset(recipe, false);
  return sst_dataset_open(context, &options, out);
}

// The network sees what it saw in training: pixels in 0..1, less the mean, divided by the deviation.
static void fill_input(const sst_recipe *recipe, sst_dataset_info info, const uint8_t *picture, float *input) {
  for (int64_t i = 0; i < info.height * info.width * info.channels; i++) {
    int64_t channel = i % info.channels;
    input[i] = ((float)picture[i] / 255.0f - recipe->data.mean[channel]) / recipe->data.deviation[channel];
  }
}

static int64_t largest(const float *values, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++) {
    if (values[i] > values[best]) { best = i; }
  }
  return best;
}

static sst_status classify(sst_context *context, const char *run, int64_t number) {
  sst_network *network = NULL;
  sst_dataset *pictures = NULL;
  sst_graph *graph = NULL;
  sst_value input, logits;
  sst_status status;
  TRY(sst_network_open(context, run, NULL, 0, &network));
  const sst_recipe *recipe = sst_network_recipe(network);
  if (recipe->data.encoding != SST_ENCODING_DIRECT) {
    fprintf(stderr, "classify: %s wants its pictures as spike trains, which this example does not make\n", run);
    TRY(SST_UNSUPPORTED);
  }
  TRY(open_pictures(context, recipe, &pictures));
  sst_dataset_info info = sst_dataset_describe(pictures);
  if (number < 0 || number >= info.count) {
    fprintf(stderr, "classify: there are pictures 0 to %lld\n", (long long)info.count - 1);
    TRY(SST_INVALID_ARGUMENT);
  }

  // A graph for one picture; a server would keep it and run it again and again: it allocates nothing.
  TRY(sst_network_graph(network, 1, &input, &logits, &graph));
  fill_input(recipe, info, sst_dataset_picture(pictures, number), sst_graph_data(graph, input));
  sst_graph_forward(graph, NULL);

  const float *answer = sst_graph_data(graph, logits); // [1,N,1,1,classes]
  int64_t classes = sst_graph_shape(graph, logits).dim[SST_AXIS_C];
  for (int64_t i = 0; i < classes; i++) { printf("class %lld: %8.4f\n", (long long)i, (double)answer[i]); }
  printf("picture %lld is taken for class %lld; its label is %d\n", (long long)number,
         (long long)largest(answer, classes), sst_dataset_label(pictures, number));
done:
  sst_graph_destroy(graph); // before the network, whose parameters it uses
  sst_dataset_close(pictures);
  sst_network_close(network);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: classify RUN_DIRECTORY [PICTURE]\n");
    return 2;
  }
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return EXIT_FAILURE; }
  sst_status status = classify(context, argv[1], argc > 2 ? strtoll(argv[2], NULL, 10) : 0);
  const char *sentence = sst_context_message(context); // empty where the library did not fail
  if (status != SST_OK && sentence[0]) { fprintf(stderr, "classify: %s\n", sentence); }
  sst_context_destroy(context);
  return status == SST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
