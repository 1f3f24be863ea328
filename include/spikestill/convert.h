// SPDX-License-Identifier: Apache-2.0
// ANN-to-SNN conversion: what can be chosen, and what comes of it. sst_run_convert (run.h) does it.
//
// Batch norm is folded into weights and biases. Every activation layer gets neurons without leak and with soft reset
// whose threshold theta fits what the ANN's layer does; a spike has the size theta. By the soft reset the mean output
// over T steps is close to clip(x, 0, theta) for a constant input x, the closer the larger T.
#ifndef SPIKESTILL_CONVERT_H
#define SPIKESTILL_CONVERT_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line"): where thresholds come from.
#define SST_CONVERSION_LIST(X)                                                                                         \
  X(THRESHOLD_BALANCING, "threshold_balancing",                                                                        \
    "layer by layer from the currents of the spiking network so far (Rathi et al. 2020)")                              \
  X(DATA_NORMALIZATION, "data_normalization",                                                                          \
    "layer by layer from the ann's activations, cut off at the thresholds so far (Rueckauer et al. 2017)")             \
  X(QCFS, "qcfs", "learned by an ann with the activation qcfs or clip (Bu et al. 2022)")
typedef enum sst_conversion_method {
#define SST_CONVERSION_ENUM(name, word, text) SST_CONVERSION_##name,
  SST_CONVERSION_LIST(SST_CONVERSION_ENUM)
#undef SST_CONVERSION_ENUM
      SST_CONVERSION_COUNT
} sst_conversion_method;
// The word, and back; false for an unknown one.
SST_API const char *sst_conversion_word(sst_conversion_method method);
SST_API bool sst_conversion_parse(const char *word, sst_conversion_method *out);

enum { SST_MAX_CONVERSION_POINTS = 64, SST_MAX_CONVERSION_TIMESTEPS = 4096 };

typedef struct sst_conversion_options {
  sst_conversion_method method;
  double percentile;         // above 0 to 100: this share of the currents above 0 lies at or below the threshold
  int64_t samples;           // pictures of the training part, evenly spread, that thresholds are taken from; 1..1e9
  int64_t calibration_steps; // threshold balancing: T while thresholds are taken, 1..4096
  float initial_membrane;    // share of the threshold before the first step, 0..1; below 0: 0.5 for qcfs, else 0
  int point_count;           // of `timesteps`
  int64_t timesteps[SST_MAX_CONVERSION_POINTS]; // T at which accuracy is measured, ascending, 1..4096
} sst_conversion_options;
// Threshold balancing, percentile 99.9, 1000 samples, 64 calibration steps, T = 1, 2, 4, ..., 1024.
SST_API sst_conversion_options sst_conversion_default(void);

typedef struct sst_conversion_point {
  int64_t timesteps;
  double accuracy;             // on the test part, of the mean output over so many steps
  double spikes_per_inference; // within so many steps
} sst_conversion_point;

typedef struct sst_conversion_result {
  double ann_accuracy; // on the same pictures
  int64_t pictures;
  int point_count;
  sst_conversion_point points[SST_MAX_CONVERSION_POINTS];
  double seconds; // of all
} sst_conversion_result;

// Tells how far it is: calibrating (`done` of `total` layers), simulating (pictures).
typedef void sst_conversion_progress(void *user, const char *what, int64_t done, int64_t total);

#ifdef __cplusplus
}
#endif
#endif
