// SPDX-License-Identifier: Apache-2.0
// Thresholds from data. Layers go in the order of the network: each one's currents are looked at in a graph that ends
// there (what comes after is not needed, so it is not compiled), with the thresholds in front set.
//
// Threshold balancing (Rathi et al. 2020, who follow Sengupta et al. 2019) looks at the currents of the spiking network
// at every step: a threshold that no current exceeds loses no spike, at the price of low rates. Data normalisation
// (Diehl et al. 2015; the percentile: Rueckauer et al. 2017) looks at what the ANN's layer puts out: a threshold as
// large as the largest activation maps that to a spike at every step. Currents at or below 0 are left out of the
// percentile [choice], as in Rueckauer's code: how often a layer is silent says nothing about its range.
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "convert/conversion.h"

// Positive floats are ordered as their bits are. The upper 20 bits make bins 1/4096 of a value wide, so that a pass
// over any amount of data needs 8 MiB and the same data gives the same threshold in any order.
enum { BIN_SHIFT = 11, BIN_COUNT = 1 << 20, STEPS_A_PASS = 8 };

typedef struct currents {
  int64_t *bins;
  int64_t count;
  float largest;
} currents;

static void count_currents(currents *c, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (!(x[i] > 0.0f)) { continue; }
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    c->bins[bits >> BIN_SHIFT]++;
    c->count++;
    if (x[i] > c->largest) { c->largest = x[i]; }
  }
}

// The upper end of the bin in which the percentile lies, or the largest current if that is less. A layer whose
// currents never exceed 0 is silent whatever its threshold.
static float find_threshold(const currents *c, double percentile) {
  if (c->count == 0) { return 1.0f; }
  int64_t wanted = (int64_t)ceil((double)c->count * percentile / 100.0), seen = 0;
  uint32_t bin = 0;
  for (; bin < BIN_COUNT; bin++) {
    seen += c->bins[bin];
    if (seen >= wanted) { break; }
  }
  uint32_t bits = (bin + 1) << BIN_SHIFT;
  float end;
  memcpy(&end, &bits, sizeof end);
  return end < c->largest ? end : c->largest;
}

// A graph up to the input of the layer with this number, which is kept; *current is SST_NONE if there is no such layer.
static sst_status build_to(const ssti_converted *network, const sst_conversion_options *options, int layer,
                           sst_value *input, sst_value *current, sst_parameter *threshold, sst_graph **out) {
  bool spiking = options->method == SST_CONVERSION_THRESHOLD_BALANCING;
  sst_graph *graph = NULL;
  SST_TRY(sst_graph_create(network->parameters, network->device, &graph));
  *out = graph;
  *input = sst_graph_input(graph, "input", network->input);
  *current = SST_NONE;
  network->build(network->user, graph, spiking, STEPS_A_PASS, *input);
  SST_TRY(sst_graph_status(graph));
  for (int i = 0; i < sst_graph_tap_count(graph) && *current < 0; i++) {
    char name[SSTI_THRESHOLD_NAME_SIZE];
    sst_value value;
    const char *tap = sst_graph_tap_at(graph, i, &value);
    const sst_parameter *found =
        ssti_threshold_of_tap(tap, name) ? sst_parameters_find(network->parameters, name) : NULL;
    if (!found || layer-- > 0) { continue; }
    *threshold = *found;
    *current = value;
  }
  if (*current < 0) { return SST_OK; }
  sst_graph_keep(graph, *current);
  if (spiking) { sst_graph_stream(graph); }
  return sst_graph_compile(graph, SST_NO_VALUE);
}

// Currents of all steps, of the pictures that the batch really holds. The current that no neuron came before is the
// same at every step: once is enough.
static void run_batch(const sst_conversion_options *options, sst_graph *graph, sst_value current, int64_t pictures,
                      currents *seen) {
  sst_shape shape = sst_graph_shape(graph, current);
  int64_t steps = shape.dim[SST_AXIS_T], batch = shape.dim[SST_AXIS_N];
  int64_t step = sst_shape_count(shape) / steps, used = step / batch * pictures;
  int64_t wanted = steps == 1 ? 1 : options->calibration_steps;
  sst_graph_restart(graph);
  for (int64_t done = 0; done < wanted; done += steps) {
    sst_graph_forward(graph, NULL);
    const float *x = sst_graph_data(graph, current);
    for (int64_t t = 0; t < steps && done + t < wanted; t++) { count_currents(seen, x + t * step, used); }
  }
}

static sst_status calibrate_layer(const ssti_converted *network, const sst_conversion_options *options,
                                  sst_loader *loader, int layer, currents *seen, bool *found) {
  sst_graph *graph = NULL;
  sst_value input, current = SST_NONE;
  sst_parameter threshold = {0};
  sst_status status = build_to(network, options, layer, &input, &current, &threshold, &graph);
  *found = current >= 0;
  if (status == SST_OK && *found) {
    memset(seen->bins, 0, BIN_COUNT * sizeof *seen->bins);
    seen->count = 0;
    seen->largest = 0.0f;
    sst_batch batch;
    sst_loader_start(loader, 0, 0);
    while (status == SST_OK && sst_loader_next(loader, &batch)) {
      sst_graph_bind(graph, input, batch.input);
      run_batch(options, graph, current, batch.count, seen);
      status = ssti_conversion_report(network, "calibrating layer", layer + 1, 0);
    }
    if (status == SST_OK) { status = sst_loader_status(loader); }
    const float most = network->capped ? *threshold.value : INFINITY;
    *threshold.value = fminf(find_threshold(seen, options->percentile), most);
  }
  sst_graph_destroy(graph);
  return status;
}

sst_status ssti_conversion_calibrate(const ssti_converted *network, const sst_conversion_options *options,
                                     sst_loader *loader) {
  currents seen = {0};
  SST_TRY(ssti_allocate(network->context, BIN_COUNT, sizeof *seen.bins, &seen.bins));
  sst_status status = SST_OK;
  int layer = 0;
  for (bool found = true; found && status == SST_OK; layer++) {
    status = calibrate_layer(network, options, loader, layer, &seen, &found);
  }
  ssti_free(network->context, seen.bins);
  return status;
}
