// SPDX-License-Identifier: Apache-2.0
// From a recipe to a run directory, and back from a run directory or checkpoint to a network.
//
// A run directory holds:
//     recipe.yaml            the resolved recipe: every key with the value in effect
//     environment.json       version, compiler, processor, threads, device
//     history.jsonl          one object an epoch; the same bits for the same seed, device and thread count
//     timing.jsonl           seconds and samples of each epoch (kept apart because time never repeats); on a card also
//                            batches_made_by: card | host, and because: why the host
//     checkpoint.safetensors the last state: parameters, optimiser, position
//     best.safetensors       parameters of the epoch that was best on the validation part
//     costs.json             cost record of the last epoch's network on the test part (energy.h)
//     mistakes.json          what it takes for what there, and the pictures that it is most surely wrong about
//     activity.json          spikes and membranes of a picture classified correctly and of one that is not;
//                            histograms of membranes and weights, before and after quantisation
//     result.json            written when the run is complete
#ifndef SPIKESTILL_RUN_H
#define SPIKESTILL_RUN_H

#include "spikestill/convert.h"
#include "spikestill/energy.h"
#include "spikestill/engine.h"
#include "spikestill/integer.h"
#include "spikestill/nir.h"
#include "spikestill/recipe.h"
#include "spikestill/stages.h"
#include "spikestill/state_dict.h"
#include "spikestill/train.h"

#ifdef __cplusplus
extern "C" {
#endif

// An opened model: its recipe, its parameters with their trained values, and a graph builder.
typedef struct sst_network sst_network;

// Opens a run directory (its last checkpoint), a checkpoint file, a recipe (.yaml: initial values), or a file of
// another tool (.onnx, .nir; its recipe says only which data it is for, T and readout). `overrides` apply to the recipe
// inside ("device=cpu-ref"). Errors: NOT_FOUND, FORMAT, RECIPE, MISMATCH (checkpoint of another network: names the
// parameter, found and expected shape).
SST_MUST_CHECK SST_API sst_status sst_network_open(sst_context *context, const char *path, const char *const *overrides,
                                                   int override_count, sst_network **out);
// The same; a NIR file is read as `nir` says (nir.h; may be NULL).
SST_MUST_CHECK SST_API sst_status sst_network_open_nir(sst_context *context, const char *path,
                                                       const sst_nir_import_options *nir, const char *const *overrides,
                                                       int override_count, sst_network **out);
SST_API void sst_network_close(sst_network *network);
SST_API const sst_recipe *sst_network_recipe(const sst_network *network); // borrowed
SST_API sst_parameters *sst_network_parameters(sst_network *network);     // borrowed
// A graph of the network for inference on batches of `batch` pictures, compiled, logits kept; owned by the caller, to
// be destroyed before the network. `input` and `logits` receive the values.
SST_MUST_CHECK SST_API sst_status sst_network_graph(sst_network *network, int64_t batch, sst_value *input,
                                                    sst_value *logits, sst_graph **out);

// Writes the network as a NIR file (nir.h): a spiking network of convolutions, linear layers, average pooling, residual
// blocks and the neurons that the target knows. Errors: UNSUPPORTED (what cannot be expressed, by layer), those of
// sst_nir_from_graph and sst_nir_write.
SST_MUST_CHECK SST_API sst_status sst_network_export_nir(sst_network *network, const char *path,
                                                         const sst_nir_export_options *options);

// Writes the network's parameters as a plain state dictionary (state_dict.h).
SST_MUST_CHECK SST_API sst_status sst_network_export_state(sst_network *network, const char *path,
                                                           const sst_state_options *options);

// Reads the network's parameters from a state dictionary of PyTorch or of ours (state_dict.h). From then on the network
// counts as trained. It is unchanged on failure.
SST_MUST_CHECK SST_API sst_status sst_network_import_state(sst_network *network, const char *path,
                                                           const sst_state_options *options);

// The name map that this import would use, as YAML. *out is owned by the caller (sst_state_text_free).
SST_MUST_CHECK SST_API sst_status sst_network_print_map(sst_network *network, const char *path,
                                                        const sst_state_options *options, char **out);

// Writes an imported network as a run directory at `out`: recipe.yaml, checkpoint.safetensors, environment.json and
// result.json, which has a section "import" with `from` (the file) and `format` and no accuracy: nothing is measured.
// Where a run is already, that is an error unless `overwrite`. Errors: INVALID_ARGUMENT, IO.
SST_MUST_CHECK SST_API sst_status sst_run_import(sst_network *network, const char *from, const char *format,
                                                 const char *out, bool overwrite);

// What `eval` reports beside sst_evaluation. The layers' names are owned by the report: sst_report_free.
typedef struct sst_report {
  sst_evaluation evaluation;
  double seconds, samples_per_second;
  int64_t parameters;
  char data[64]; // "mnist test"
} sst_report;
typedef enum sst_part { SST_PART_TRAIN, SST_PART_VALIDATION, SST_PART_TEST } sst_part;
// Measures accuracy, loss and spikes on a part of the recipe's data. Errors: INVALID_ARGUMENT (the part is empty),
// those of opening the data, INTERRUPTED, NOT_FINITE.
SST_MUST_CHECK SST_API sst_status sst_network_evaluate(sst_network *network, sst_part part, sst_report *out);
SST_API void sst_report_free(sst_context *context, sst_report *report);

// ---- integer networks (integer.h)

// Lowers a network that was trained with all of it quantised; the integer network keeps the recipe. Errors:
// UNSUPPORTED with the layer and what would make it possible, those of sst_integer_from_graph.
SST_MUST_CHECK SST_API sst_status sst_network_lower(sst_network *network, sst_integer_network **out);

// Lowers any spiking network, rounding what lies on no grid (integer.h): also converted ones with a threshold for each
// layer, and networks of NIR files. Errors: as sst_network_lower, for what has no integer form. `made` is freed by the
// caller (sst_approximations_free), also on failure.
SST_MUST_CHECK SST_API sst_status sst_network_approximate(sst_network *network,
                                                          const sst_approximation_options *options,
                                                          sst_approximations *made, sst_integer_network **out);

// Whether it was trained so: weights of all layers, norms, membranes and input have bits.
SST_API bool sst_network_is_integer_trained(const sst_network *network);

// Bits for what is in full precision; what has bits keeps them.
typedef struct sst_post_training_options {
  int weight_bits;   // 2..8, with a step for each output channel
  int membrane_bits; // 2..16
  int norm_bits;     // 2..16
  int input_bits;    // 2..12
  int64_t samples;   // pictures of the training part that the membranes' range is chosen by; 0: all
} sst_post_training_options;
SST_API sst_post_training_options sst_post_training_default(void); // 8 bits each, 1000 samples

// What the membranes' range was chosen by.
typedef struct sst_calibration {
  char data[64];         // "mnist train"
  int64_t samples;       // pictures; 0 where membranes had bits already and nothing was chosen
  double accuracy;       // on them, with the range that was chosen
  double membrane_range; // of the quantised network, in thresholds
} sst_calibration;

// Quantisation after training: a quantised simulation of the same network, to be measured, lowered or trained further.
// Learned thresholds of layers (layer_thresholds) are folded into weights, so its spikes have size 1, and its logits
// may be those of the network times a positive number. `calibration` may be NULL. Owned by the caller
// (sst_network_close). Errors: UNSUPPORTED (an ann, a file of another tool, sides of a sum with thresholds of their
// own), RECIPE (neurons that cannot have bits), those of opening the data, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_network_quantize(sst_network *network, const sst_post_training_options *options,
                                                       sst_calibration *calibration, sst_network **out);

// Where an integer network comes from, and what was measured on the way.
typedef struct sst_integer_origin {
  const char *model, *file;           // what it was made of, and the container that it was saved as
  const sst_network *simulation;      // what was lowered: the opened network itself, or the quantised one
  const sst_calibration *calibration; // NULL where it was lowered as it was trained, and what follows is not there
  const sst_report *before, *after;   // of the test part: the network before and after it was quantised
  // Where it was approximated; NULL otherwise. `after` is then of the integer network.
  const sst_approximations *approximations;
  const struct sst_integer_comparison *comparison; // of training pictures
} sst_integer_origin;
// Writes the record of an integer network as JSON (docs/integer.md), replacing the file as a whole.
// Errors: IO, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_integer_write_record(const sst_integer_network *network,
                                                           const sst_integer_origin *origin, const char *path);

typedef struct sst_integer_evaluation_options {
  sst_part part;
  int64_t samples;              // first so many; 0: all
  const char *const *overrides; // of the recipe in the integer network, whose data it is evaluated on
  int override_count;
  const sst_engine_level *level; // the engine's instruction set at most; NULL: the best
} sst_integer_evaluation_options;
// Measures an integer network by the engine; `path` is for messages. Errors: INVALID_ARGUMENT (it has no recipe, or the
// part is empty), SHAPE (the data do not fit), those of opening the data, INTERRUPTED.
SST_MUST_CHECK SST_API sst_status sst_integer_evaluate(const sst_integer_network *network, const char *path,
                                                       const sst_integer_evaluation_options *options, sst_report *out);

// A spike that one of the two has. Membranes before firing, as real numbers.
typedef struct sst_integer_difference {
  int64_t picture, step;
  int node;       // of the integer network
  int64_t neuron; // (row * width + column) * channels + channel
  double simulation, integer;
} sst_integer_difference;
typedef struct sst_integer_layer_comparison {
  const char *name; // the node's
  int64_t neuron_steps, spikes, different_spikes;
} sst_integer_layer_comparison;
typedef struct sst_integer_comparison {
  int64_t count;        // samples
  int64_t neuron_steps; // all that were compared
  int64_t spikes;       // of the integer network
  int64_t different_spikes, different_membranes, different_classes;
  int64_t simulation_correct, integer_correct;
  sst_integer_difference first;         // by picture, step, node, neuron; if there is one
  char data[64];                        // "mnist test"
  sst_engine_level level;               // the instruction set that the engine used
  sst_integer_layer_comparison *layers; // of neurons, in order
  int layer_count;
} sst_integer_comparison;
// Frees what it owns and empties it.
SST_API void sst_integer_comparison_free(sst_context *context, sst_integer_comparison *compared);
// Runs an integer network by the engine, and the simulation that it was lowered from, side by side, and compares every
// neuron of every layer in every step. *out is freed by the caller, also on failure; its layers' names are the integer
// network's. Errors: as sst_integer_evaluate; MISMATCH (neurons that the simulation does not have).
SST_MUST_CHECK SST_API sst_status sst_integer_compare(const sst_integer_network *network, const char *path,
                                                      sst_network *simulation,
                                                      const sst_integer_evaluation_options *options,
                                                      sst_integer_comparison *out);

typedef struct sst_cost_options {
  sst_part part;
  int64_t samples;  // first so many of the part; 0: all
  int64_t crossbar; // rows of the crossbars whose patches and rows are counted (energy.h); 0: none
} sst_cost_options;
// Runs the network over a part of its data and counts what each layer with weights does: shapes, spikes in and out,
// operations with non-zero inputs and weights. Spikes are counted exactly. A membrane counts as updated at every step,
// since bias or batch norm adds to it. `accuracy`, if not NULL, receives the share that was classified correctly. The
// record is owned by the caller (sst_cost_record_destroy).
// Errors: as sst_network_evaluate; UNSUPPORTED (no layer with weights).
SST_MUST_CHECK SST_API sst_status sst_network_measure_costs(sst_network *network, const sst_cost_options *options,
                                                            double *accuracy, sst_cost_record **out);

typedef struct sst_run_options_train {
  const char *out;                 // run directory; NULL: runs/<recipe name>
  bool resume;                     // go on from out's checkpoint; a complete run is only reported
  bool overwrite;                  // begin anew where a run is; otherwise that is an error
  sst_progress_function *progress; // may be NULL
  // Called after each epoch with a line's worth of numbers; may be NULL.
  void (*epoch_done)(void *user, int64_t epoch, int64_t epochs, double loss, double train_accuracy,
                     double validation_accuracy, double spikes_per_inference, double seconds);
  void *user;
} sst_run_options_train;

// What a complete run's result.json holds, in part.
typedef struct sst_run_result {
  double test_accuracy;       // of the last epoch
  double test_accuracy_best;  // of the epoch best on validation
  double validation_accuracy; // of the last epoch; NAN without a validation part
  double best_validation_accuracy;
  int64_t best_epoch;          // counts from 1; 0 without validation
  double spikes_per_inference; // on the test part, last epoch
  double energy_pj;            // of one inference, model operations at its default constants, from costs.json
  int64_t parameters;
  double seconds; // of training, all sittings
  double samples_per_second;
  int64_t teacher_kept_bytes; // what the teacher makes of all training pictures, kept; 0: computed in every step
  uint64_t seed;
} sst_run_result;

// Trains as the recipe says. Errors: INTERRUPTED (saved; resume goes on), NOT_FINITE, and those of opening data,
// teacher and files. A run that was stopped or killed at any moment and resumed ends with the same bits.
SST_MUST_CHECK SST_API sst_status sst_run_train(sst_context *context, const sst_recipe *recipe,
                                                const sst_run_options_train *options, sst_run_result *out);

typedef struct sst_run_options_stages {
  const char *out;                   // folder; NULL: runs/<plan name>. Each stage has a run directory in it
  bool resume;                       // complete stages are skipped, one that was stopped goes on
  bool overwrite;                    // begin all stages anew
  sst_run_options_train train;       // progress, epoch_done and user, of stages that train
  sst_conversion_progress *progress; // of stages that convert; may be NULL
  // Called before each stage, with its number from 0; may be NULL.
  void (*stage_begins)(void *user, const char *name, int stage, int stages);
} sst_run_options_stages;

// Runs the stages in turn. At the end the folder is a run directory with the last stage's checkpoint and result, to
// which "stages" adds accuracy and spikes of each. *out is the last stage's. Errors: MISMATCH (resumed with another
// plan), those of sst_run_train and sst_run_convert, with the stage's name in front.
SST_MUST_CHECK SST_API sst_status sst_run_stages(sst_context *context, const sst_plan *plan,
                                                 const sst_run_options_stages *options, sst_run_result *out);

// Converts a trained ANN, of a recipe or an ONNX file, into a spiking network (convert.h) and measures it on the test
// part of its data. Writes a run directory at `out`: recipe.yaml, checkpoint.safetensors, environment.json,
// conversion.csv (accuracy and spikes at each T) and result.json, which has the numbers of the largest T and a section
// "conversion". The network keeps the largest T; its evaluation batch is cut so that evaluating it takes no more memory
// than T = 32 would. Where a run is already, that is an error unless `overwrite`. `progress` may be NULL. Errors:
// INVALID_ARGUMENT (options, untrained network), UNSUPPORTED (what cannot be converted, with the layer), INTERRUPTED,
// those of data and files.
SST_MUST_CHECK SST_API sst_status sst_run_convert(sst_network *ann, const sst_conversion_options *options,
                                                  const char *out, bool overwrite, sst_conversion_progress *progress,
                                                  void *user, sst_conversion_result *result);

// Reads the recipe of a run directory, for resuming. *out is owned by the caller (sst_recipe_close).
SST_MUST_CHECK SST_API sst_status sst_run_recipe(sst_context *context, const char *folder, const char *const *overrides,
                                                 int override_count, sst_recipe **out);

// Bytes that training takes: the graph's one block, values and gradients of parameters, the optimiser's state, batches
// made ahead, and code that training is the first to run; beside that the data set itself, where it is kept in memory,
// and for each of its pictures `teacher_sample`.
typedef struct sst_training_memory {
  size_t planned, parameters, gradients, optimizer, data, code, total;
  // What the teacher makes of a picture, if that is the same each time: kept up to teacher_memory.
  size_t teacher_sample;
  // And that: operations of a step's convolutions and linear layers, a multiplication and an addition two, forward and
  // backward, those of teacher and companions among them.
  double flops;
  // What every activation in f32 and its gradient would take, none of them in another's place.
  size_t all_kept;
} sst_training_memory;
// Of training as the network's recipe says, with its teacher. Errors: UNSUPPORTED (no recipe describes the network),
// those of opening the teacher.
SST_MUST_CHECK SST_API sst_status sst_network_training_memory(sst_network *network, sst_training_memory *out);

// One training step's worth of a recipe on random data: for benchmarks and memory reports.
enum { SST_BENCH_LAYERS = 64 };
typedef struct sst_layer_bench { // a convolution or linear layer in the last training step
  char name[64];
  double density; // of spikes in its input; negative: they are none
  bool forward_by_events, weights_by_events;
  bool forward_by_codes; // in 8-bit integers
} sst_layer_bench;
enum { SST_BENCH_OPS = 256 };
typedef struct sst_op_bench { // an operation of a training step; what was fused counts for the last of them
  char name[64];
  const char *op;                           // static storage
  double forward_seconds, backward_seconds; // of one step, mean
} sst_op_bench;
typedef struct sst_step_bench {
  double train_seconds, inference_seconds; // of one batch, median
  double start_seconds; // from the recipe to the end of the first training step, kernels made; without program and data
  double train_flops, inference_flops; // of one batch: direct convolutions and linear layers, stem once; backward
                                       // counts each gradient as much as the forward pass, the teacher forward alone
  size_t train_bytes, inference_bytes; // planned memory
  int64_t batch;
  sst_training_memory memory;  // of training, without data
  size_t train_measured_bytes; // the most by which the process grew meanwhile; 0: not known
  size_t train_device_bytes;   // the most that tensors took in a card's memory meanwhile; 0: no card
  int layer_count;             // the first SST_BENCH_LAYERS
  sst_layer_bench layers[SST_BENCH_LAYERS];
  int op_count; // the first SST_BENCH_OPS, from as many training steps again
  sst_op_bench ops[SST_BENCH_OPS];
  double optimizer_seconds; // of those
} sst_step_bench;
// Times that many steps of training, as a whole and then by operation, and of inference, after some that are not
// counted. On a card training steps are given to it as they are in an epoch (speed.record), each waited for.
SST_MUST_CHECK SST_API sst_status sst_run_bench(sst_context *context, const sst_recipe *recipe, int repetitions,
                                                sst_step_bench *out);

#ifdef __cplusplus
}
#endif
#endif
