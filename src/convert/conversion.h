// SPDX-License-Identifier: Apache-2.0
// Conversion of a network that somebody else builds: folding batch norm, taking thresholds, simulating. Knows neither
// recipes nor files. Layers with thresholds are found by the names that sst_activation_build gives them, so that
// networks of any builder can be converted.
#ifndef SPIKESTILL_CONVERT_CONVERSION_H
#define SPIKESTILL_CONVERT_CONVERSION_H

#include "spikestill/convert.h"
#include "spikestill/data.h"
#include "spikestill/model.h"

// The converted network.
typedef struct ssti_converted {
  sst_context *context;
  sst_device device;
  sst_parameters *parameters; // sealed, with a "threshold" for each activation layer
  bool capped;                // the thresholds are, when calibration begins, the most that each may be
  sst_shape input, target;    // of a batch
  // Adds the network to a graph: as an SNN of so many steps with layer_thresholds, or as the ANN with the activation
  // clip. Returns the steps' logits.
  sst_value (*build)(const void *user, sst_graph *graph, bool spiking, int64_t steps, sst_value input);
  const void *user;
  sst_conversion_progress *progress; // may be NULL
  void *progress_user;
} ssti_converted;

// Ranges of options. Errors: INVALID_ARGUMENT.
sst_status ssti_conversion_check(sst_context *context, const sst_conversion_options *options);

// Whether the method is one for this ANN's activations. Errors: UNSUPPORTED.
sst_status ssti_conversion_check_method(sst_context *context, const sst_model_options *ann,
                                        sst_conversion_method method);

// The same, and whether its layers can be converted. Errors: UNSUPPORTED with the layer's name and why.
sst_status ssti_conversion_check_model(sst_context *context, const sst_model_options *ann,
                                       sst_conversion_method method);

// Fills the SNN's parameters from the ANN's: weights and biases with batch norm folded in, everything else (learned
// thresholds) by name. What the ANN does not have keeps its value. Errors: MISMATCH.
sst_status ssti_conversion_fold(sst_context *context, const sst_model_options *ann, const sst_parameters *from,
                                sst_parameters *to);

// Sets every layer's threshold from the loader's pictures. Errors: UNSUPPORTED (the network has no activation),
// INTERRUPTED, those of compiling.
sst_status ssti_conversion_calibrate(const ssti_converted *network, const sst_conversion_options *options,
                                     sst_loader *loader);

// Runs the loader's pictures through the SNN, a few steps at a time, and fills `points`: one simulation gives all T.
sst_status ssti_conversion_simulate(const ssti_converted *network, const sst_conversion_options *options,
                                    sst_loader *loader, sst_conversion_point *points, int64_t *pictures);

// Name of the threshold that belongs to the tap of an activation layer's input ("3.current1": "3.threshold1"); false
// for every other tap.
enum { SSTI_THRESHOLD_NAME_SIZE = 256 };
bool ssti_threshold_of_tap(const char *tap, char name[SSTI_THRESHOLD_NAME_SIZE]);

// Whether the parameter of this name is a layer's threshold; and whether all are finite and above 0 (NOT_FINITE if not,
// with the name).
bool ssti_is_threshold(const char *parameter);
sst_status ssti_conversion_check_thresholds(const ssti_converted *network);

// Reports progress, and whether a stop was asked for. Errors: INTERRUPTED.
sst_status ssti_conversion_report(const ssti_converted *network, const char *what, int64_t done, int64_t total);

#endif
