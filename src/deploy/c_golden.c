// SPDX-License-Identifier: Apache-2.0
// Golden samples: inputs, and what sst_integer_simulate makes of them.
#include <inttypes.h>

#include "base/random.h"
#include "deploy/c_parts.h"
#include "deploy/spike_hash.h"

typedef struct golden {
  ssti_c_export *made;
  int64_t frames, count;     // numbers of an input: frames * count
  int16_t *inputs, *numbers; // as the caller gives them; as the network takes them
  int64_t *logits;
  uint32_t *spikes, *hashes; // [samples][spiking layers][steps]
} golden;

static void watch(void *state, int64_t picture, int64_t step, int node, const int32_t *output,
                  const int32_t *membrane) {
  golden *g = state;
  const ssti_c_plan *plan = g->made->plan;
  const sst_integer_network *network = g->made->network;
  if (membrane == NULL) { return; }
  const int64_t count = plan->values[network->nodes[node].output].count;
  const int64_t at = (picture * plan->spiking_layers + plan->nodes[node].spikes) * network->timesteps + step;
  for (int64_t i = 0; i < count; i++) {
    if (output[i] == 0) { continue; }
    g->spikes[at]++;
    g->hashes[at] += ssti_spike_hash((uint32_t)i);
  }
}

static sst_status take_inputs(golden *g) {
  const sst_integer_network *network = g->made->network;
  const sst_c_source_options *options = &g->made->options;
  const sst_integer_value *in = &network->values[0];
  const bool bytes = network->pixel_codes != NULL;
  const int64_t total = options->samples * g->frames * g->count, low = bytes ? 0 : in->low,
                high = bytes ? 255 : in->high;
  const uint64_t stream = ssti_random_stream("golden samples");
  for (int64_t i = 0; i < total; i++) {
    const int64_t number =
        options->inputs != NULL
            ? options->inputs[i]
            : low + (int64_t)ssti_random_below(options->seed, stream, (uint64_t)i, (uint64_t)(high - low + 1));
    if (number < low || number > high) {
      SST_FAIL(network->context, SST_INVALID_ARGUMENT,
               "golden sample %" PRId64 ": number %" PRId64 " of the input is %" PRId64 ", expected %" PRId64
               " to %" PRId64,
               i / (g->frames * g->count), i % (g->frames * g->count), number, low, high);
    }
    g->inputs[i] = (int16_t)number;
    g->numbers[i] = bytes ? network->pixel_codes[i % in->channels * 256 + number] : (int16_t)number;
  }
  return SST_OK;
}

// ---- text

typedef int64_t number_at(const golden *g, int64_t index);
static int64_t input_of(const golden *g, int64_t index) { return g->inputs[index]; }
static int64_t logit_of(const golden *g, int64_t index) { return g->logits[index]; }
static int64_t spikes_of(const golden *g, int64_t index) { return g->spikes[index]; }
static int64_t hash_of(const golden *g, int64_t index) { return g->hashes[index]; }
static int64_t class_of(const golden *g, int64_t index) {
  return g->made->options.classes != NULL ? g->made->options.classes[index] : -1;
}

// `groups` braces with `each` numbers in them.
static void put_numbers(ssti_text *text, const golden *g, number_at *number, int64_t groups, int64_t each,
                        const char *suffix) {
  int64_t index = 0;
  ssti_text_append(text, " = {");
  for (int64_t i = 0; i < groups; i++) {
    ssti_text_append(text, "\n  {");
    for (int64_t j = 0; j < each; j++, index++) {
      ssti_text_append(text, "%s%" PRId64 "%s", j == 0 ? "" : j % 20 == 0 ? ",\n   " : ", ", number(g, index), suffix);
    }
    ssti_text_append(text, "},");
  }
  ssti_text_append(text, "\n};\n");
}

static void write_declarations(const golden *g) {
  ssti_c_export *made = g->made;
  const char *name = made->name, *upper = made->upper;
  ssti_text *text = ssti_c_file_begin(made, "golden.h");
  ssti_text_append(text, "// " SSTI_C_MARK " %s: samples, and what the network makes of them.\n", sst_version());
  ssti_text_append(text, "#ifndef GOLDEN_H\n#define GOLDEN_H\n\n#include \"%s.h\"\n\n", name);
  ssti_text_append(text, "#define GOLDEN_SAMPLES %" PRId64 "\n", made->options.samples);
  ssti_text_append(text, "#define GOLDEN_LAYERS %d // spiking ones; at least one place for each\n",
                   made->plan->spiking_layers > 0 ? made->plan->spiking_layers : 1);
  ssti_text_append(text, "#define GOLDEN_INPUT_SIZE %" PRId64 " // of all steps\n\n", g->frames * g->count);
  ssti_text_append(text, "extern const %s_input golden_inputs[GOLDEN_SAMPLES][GOLDEN_INPUT_SIZE];\n", name);
  ssti_text_append(text,
                   "extern const int32_t golden_classes[GOLDEN_SAMPLES]; // right ones; -1 where they are not known\n");
  ssti_text_append(text, "extern const %s_logit golden_logits[GOLDEN_SAMPLES][%s_CLASSES];\n", name, upper);
  ssti_text_append(text,
                   "\n// Of each sample, spiking layer and step: how many spikes, and the sum of their hashes.\n");
  ssti_text_append(text, "extern const uint32_t golden_spikes[GOLDEN_SAMPLES][GOLDEN_LAYERS * %s_TIMESTEPS];\n", upper);
  ssti_text_append(text, "extern const uint32_t golden_hashes[GOLDEN_SAMPLES][GOLDEN_LAYERS * %s_TIMESTEPS];\n", upper);
  ssti_text_append(text, "extern const char *const golden_layers[GOLDEN_LAYERS]; // names\n\n#endif\n");
}

static void write_definitions(const golden *g) {
  ssti_c_export *made = g->made;
  const sst_integer_network *network = made->network;
  const int64_t samples = made->options.samples;
  const int layers = made->plan->spiking_layers > 0 ? made->plan->spiking_layers : 1;
  ssti_text *text = ssti_c_file_begin(made, "golden.c");
  ssti_text_append(text, "// " SSTI_C_MARK " %s.\n#include \"golden.h\"\n\n", sst_version());
  ssti_text_append(text, "const %s_input golden_inputs[GOLDEN_SAMPLES][GOLDEN_INPUT_SIZE]", made->name);
  put_numbers(text, g, input_of, samples, g->frames * g->count, "");
  ssti_text_append(text, "\nconst int32_t golden_classes[GOLDEN_SAMPLES] = {");
  for (int64_t i = 0; i < samples; i++) { ssti_text_append(text, "%s%" PRId64, i == 0 ? "" : ", ", class_of(g, i)); }
  ssti_text_append(text, "};\n\nconst %s_logit golden_logits[GOLDEN_SAMPLES][%s_CLASSES]", made->name, made->upper);
  put_numbers(text, g, logit_of, samples, network->classes, "");
  ssti_text_append(text, "\nconst uint32_t golden_spikes[GOLDEN_SAMPLES][GOLDEN_LAYERS * %s_TIMESTEPS]", made->upper);
  put_numbers(text, g, spikes_of, samples, layers * network->timesteps, "u");
  ssti_text_append(text, "\nconst uint32_t golden_hashes[GOLDEN_SAMPLES][GOLDEN_LAYERS * %s_TIMESTEPS]", made->upper);
  put_numbers(text, g, hash_of, samples, layers * network->timesteps, "u");
  ssti_text_append(text, "\nconst char *const golden_layers[GOLDEN_LAYERS] = {");
  if (made->plan->spiking_layers == 0) { ssti_text_append(text, "\"\""); }
  for (int n = 0, first = 1; n < network->node_count; n++) {
    if (network->nodes[n].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    ssti_text_append(text, "%s\"%s\"", first ? "" : ", ", network->nodes[n].name);
    first = 0;
  }
  ssti_text_append(text, "};\n");
}

static sst_status run(golden *g) {
  ssti_c_export *made = g->made;
  const sst_integer_network *network = made->network;
  sst_context *context = network->context;
  const size_t samples = (size_t)made->options.samples, numbers = samples * (size_t)(g->frames * g->count);
  // One place where no layer spikes: C has no arrays of none.
  const size_t places = samples * (size_t)(made->plan->spiking_layers + 1) * (size_t)network->timesteps;
  SST_TRY(ssti_allocate(context, numbers, sizeof *g->inputs, &g->inputs));
  SST_TRY(ssti_allocate(context, numbers, sizeof *g->numbers, &g->numbers));
  SST_TRY(ssti_allocate(context, samples * (size_t)network->classes, sizeof *g->logits, &g->logits));
  SST_TRY(ssti_allocate(context, places, sizeof *g->spikes, &g->spikes));
  SST_TRY(ssti_allocate(context, places, sizeof *g->hashes, &g->hashes));
  SST_TRY(take_inputs(g));
  SST_TRY(sst_integer_simulate(network, made->options.samples, g->numbers, g->logits, watch, g));
  write_declarations(g);
  write_definitions(g);
  return SST_OK;
}

sst_status ssti_c_write_golden(ssti_c_export *made) {
  const sst_integer_network *network = made->network;
  golden g = {
      .made = made, .frames = network->input_each_step ? network->timesteps : 1, .count = made->plan->values[0].count};
  const sst_status status = run(&g);
  ssti_free(network->context, g.inputs);
  ssti_free(network->context, g.numbers);
  ssti_free(network->context, g.logits);
  ssti_free(network->context, g.spikes);
  ssti_free(network->context, g.hashes);
  return status;
}
