// SPDX-License-Identifier: Apache-2.0
// Cost records, and models that turn them into energy, latency and area.
//
// A cost record says what each convolution and linear layer of a network did for one inference: shapes, bits, how often
// it ran, what went in and out. It is measured over a data set (sst_network_measure_costs, run.h), or read from a file
// of shapes. Every model is a function of a record and of constants that a user can replace, and of nothing else: a
// figure cannot disagree with what was executed, and records alone can be judged again later.
//
// Units are in the names: _pj picojoules, _ns nanoseconds, _um2 square micrometres.
#ifndef SPIKESTILL_ENERGY_H
#define SPIKESTILL_ENERGY_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- cost records

typedef enum sst_cost_kind { SST_COST_CONV, SST_COST_LINEAR } sst_cost_kind;

enum { SST_COST_NAME_SIZE = 128, SST_MAX_COST_LAYERS = 4096, SST_MAX_COST_STEPS = 65536 };

// A layer with weights. Sizes are those of one picture; a linear layer has height, width and kernel 1.
// What is measured is the mean over the samples, for one inference, all steps together.
typedef struct sst_cost_layer {
  char name[SST_COST_NAME_SIZE];
  sst_cost_kind kind;
  int64_t in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t pooled_height, pooled_width; // size that the next layer with weights sees: after pooling
  int64_t kernel_height, kernel_width, stride_height, stride_width, groups;
  int64_t timesteps;  // how often it is computed for one inference: T, or 1 ahead of the first neuron
  bool spiking_input; // inputs are spikes, sums or averages of them: the layer need only add; else it multiplies
  bool binary_input;  // every input is 0 or 1
  bool neurons;       // a neuron layer is what its output feeds
  bool leak;          // and that neuron's membrane decays
  bool bias;          // a number is added to every output at each step: a bias, or batch norm's offset
  int input_bits;     // 1 for spikes; 32 stands for float, 16 for half precision, anything else for integers
  int weight_bits;    // as above
  int membrane_bits;  // as above
  int64_t weights, zero_weights;
  double dense_operations; // multiply-accumulates at one step if no input were zero, without the padding's
  double nonzero_inputs;   // spikes entering (before they were averaged: each is added), or inputs that are not 0
  double nonzero_inputs_deviation; // of that over the samples
  double spikes_out;               // spikes of the neurons that follow
  double effective_operations;     // pairs of a non-zero input and a non-zero weight
  double membrane_updates;         // neurons of that layer times T: bias or batch norm changes every membrane
  // Crossbars of the record's size (SpikeSim's event mode); NAN where they were not counted.
  double crossbar_patches; // pairs of an output site and an input tile with a spike in the receptive field
  double crossbar_rows;    // spikes seen by the tiles, over all sites
  double crossbar_sites;   // output sites with a spike in the receptive field, once for each output tile
} sst_cost_layer;

typedef struct sst_cost_record {
  sst_context *context;
  char network[SST_COST_NAME_SIZE], data[SST_COST_NAME_SIZE]; // what was measured on what; may be empty
  bool spiking;
  int64_t timesteps;             // T
  int64_t samples;               // 0: not measured, shapes and assumed rates only
  int64_t crossbar;              // rows of the crossbars that were counted; 0: none
  double operation_quantiles[5]; // over the samples: additions of spikes and multiplications at 5, 25, 50, 75 and 95 %
  int layer_count;
  sst_cost_layer *layers; // [layer_count], owned
  double *step_inputs;    // [layer_count][timesteps] nonzero_inputs of each step, owned; 0 where a layer does not run
} sst_cost_record;

// A record of `layer_count` layers and T steps, all other fields 0. Owned by the caller.
// Errors: OUT_OF_MEMORY, INVALID_ARGUMENT.
SST_MUST_CHECK SST_API sst_status sst_cost_record_create(sst_context *context, int layer_count, int64_t timesteps,
                                                         sst_cost_record **out);
SST_API void sst_cost_record_destroy(sst_cost_record *record); // NULL is allowed

// A record from shapes alone, a YAML file:
//     timesteps: 5
//     rate: 0.1          # share of inputs that spike, assumed, 0..1; default 1
//     layers: [{in_channels: 3, out_channels: 64, in_size: 32, out_size: 32, kernel: 3}, ...]
// Sizes are sides in pixels; out_size is what the next layer sees. Keys that may be left out: kernel 3, stride 1,
// conv_size (side of the output before pooling, default in_size/stride), weight_bits 32, membrane_bits 32,
// input_bits (first layer 32, else 1), rate, name. The first layer is direct-coded unless its input_bits are 1.
// Errors: NOT_FOUND, IO, RECIPE with file, line and key.
SST_MUST_CHECK SST_API sst_status sst_cost_record_from_shapes(sst_context *context, const char *path,
                                                              sst_cost_record **out);

// The same network as an ANN computed once with integers of `bits` (32: float), every input counted as non-zero: the
// opponent that a spiking network has to beat. Owned by the caller.
SST_MUST_CHECK SST_API sst_status sst_cost_record_as_ann(const sst_cost_record *record, int bits,
                                                         sst_cost_record **out);
// Bits of the activations of an ANN that tells as many values apart as T steps of spikes: ceil(log2(T + 1)).
SST_API int sst_matched_bits(int64_t timesteps);

// The record as JSON and back; the text is owned by the caller (sst_energy_text_free). Errors: FORMAT, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_cost_record_text(const sst_cost_record *record, char **out);
SST_MUST_CHECK SST_API sst_status sst_cost_record_parse(sst_context *context, const char *name, const char *text,
                                                        size_t size, sst_cost_record **out);
SST_API void sst_energy_text_free(sst_context *context, char *text);

// ---- constants

typedef struct sst_technology sst_technology;
// All constants and settings at their defaults (technology/default.yaml). Owned by the caller.
SST_MUST_CHECK SST_API sst_status sst_technology_create(sst_context *context, sst_technology **out);
SST_API void sst_technology_destroy(sst_technology *technology);
// Replaces what a YAML file of "key: value" lines names. Errors: NOT_FOUND, IO, RECIPE (unknown key, bad value).
SST_MUST_CHECK SST_API sst_status sst_technology_read(sst_technology *technology, const char *path);
// Sets one ("crossbar=64"). Errors: RECIPE (unknown key: the nearest; bad value: what is allowed).
SST_MUST_CHECK SST_API sst_status sst_technology_set(sst_technology *technology, const char *assignment);
// Every key with value, unit and source, as YAML that sst_technology_read takes. Owned by the caller
// (sst_energy_text_free).
SST_MUST_CHECK SST_API sst_status sst_technology_text(const sst_technology *technology, char **out);

// Rows of the crossbars that a record has to be measured for: 0 unless event_mode is set.
SST_API int64_t sst_technology_counted_crossbar(const sst_technology *technology);

// ---- models

// X(NAME, "word", "one line")
#define SST_ENERGY_MODEL_LIST(X)                                                                                       \
  X(OPERATIONS, "operations", "multiply-accumulates and accumulates at 45 nm; no memory, no control")                  \
  X(SPIKESIM_COMPAT, "spikesim-compat", "SpikeSim's crossbars, the released tool's numbers")                           \
  X(SPIKESIM_AWARE, "spikesim-aware", "SpikeSim's crossbars with the network's bits, all layers, pooling")             \
  X(SATA, "sata", "a systolic array for spikes with its memories (Yin et al. 2022)")                                   \
  X(LEMAIRE, "lemaire", "operations, memory accesses and addressing (Lemaire et al. 2022)")
typedef enum sst_energy_model {
#define SST_ENERGY_MODEL_ENUM(name, word, text) SST_ENERGY_##name,
  SST_ENERGY_MODEL_LIST(SST_ENERGY_MODEL_ENUM)
#undef SST_ENERGY_MODEL_ENUM
      SST_ENERGY_MODEL_COUNT
} sst_energy_model;
// The word used on the command line, one line about it, and from the word back; false for an unknown one.
SST_API const char *sst_energy_model_word(sst_energy_model model);
SST_API const char *sst_energy_model_text(sst_energy_model model);
SST_API bool sst_energy_model_parse(const char *word, sst_energy_model *out);
// The formula in words, with its sources and what it leaves out: a few sentences.
SST_API const char *sst_energy_model_formula(sst_energy_model model);

// X(NAME, "word", "one line"): what energy goes into. A model fills the parts that it knows.
#define SST_ENERGY_PART_LIST(X)                                                                                        \
  X(COMPUTE, "compute", "multiplications and additions, crossbars and their converters")                               \
  X(NEURON, "neuron", "membrane updates, leak, threshold and reset")                                                   \
  X(MEMORY, "memory", "reads and writes of weights, spikes and membranes")                                             \
  X(CONTROL, "control", "addresses, buffers' control, interconnect")
typedef enum sst_energy_part {
#define SST_ENERGY_PART_ENUM(name, word, text) SST_ENERGY_PART_##name,
  SST_ENERGY_PART_LIST(SST_ENERGY_PART_ENUM)
#undef SST_ENERGY_PART_ENUM
      SST_ENERGY_PART_COUNT
} sst_energy_part;
// The part's word in tables and JSON.
SST_API const char *sst_energy_part_word(sst_energy_part part);

typedef struct sst_layer_energy {
  double part_pj[SST_ENERGY_PART_COUNT]; // for one inference
  double energy_pj;                      // their sum
  double latency_ns;                     // 0 where the model has none
} sst_layer_energy;

// An estimate for one inference. What a model does not give is NAN.
typedef struct sst_energy {
  sst_context *context;
  sst_energy_model model;
  int layer_count;
  sst_layer_energy *layers; // [layer_count] as in the record, owned
  double part_pj[SST_ENERGY_PART_COUNT];
  double energy_pj;
  double latency_ns;
  double area_um2;
  double tiles;         // of crossbars
  double operations;    // 2 * multiply-accumulates if nothing were zero, all steps: of TOPS/W and TOPS/mm2
  double edap_j_s_mm2;  // energy * latency * area
  double tops_per_watt; // operations / energy
  double tops_per_mm2;  // operations / latency / area
} sst_energy;
// Errors: UNSUPPORTED (what the model cannot judge, by layer), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_energy_estimate(sst_energy_model model, const sst_cost_record *record,
                                                      const sst_technology *technology, sst_energy **out);
SST_API void sst_energy_destroy(sst_energy *energy); // NULL is allowed

// ---- measures that need no constants

// NeuroBench's definitions (arXiv 2304.04640, its released harness): for one inference.
typedef struct sst_neurobench {
  double effective_macs, effective_acs; // pairs of non-zero input and weight; AC where all inputs are spikes
  double dense_operations;              // as if nothing were zero, without the padding's
  double activation_sparsity;           // 1 - non-zero / all outputs of the neurons
  double connection_sparsity;           // zero weights / weights
  double membrane_updates;
  double footprint_bytes; // weights as stored at their bits
} sst_neurobench;
// The measures of a record. A sparsity is NAN where there is nothing to be sparse.
SST_API sst_neurobench sst_neurobench_measure(const sst_cost_record *record);

// How busy the synapses behind spikes are, for one inference: what break-even rates are compared with.
typedef struct sst_spike_density {
  double spikes_per_synapse; // each spike counted for every weight it meets; NAN: no layer with spikes as inputs
  double rate;               // share of the neurons that fire at a step; NAN: there are none
} sst_spike_density;
// The synapses of the layers whose inputs are spikes, and the neurons of all layers. Where spikes are averaged before a
// layer, each of them meets its weights: a synapse may see several at a step.
SST_API sst_spike_density sst_spike_density_measure(const sst_cost_record *record);

// A break-even rate from the literature: spikes per synapse and inference above which an ANN would be cheaper.
typedef struct sst_break_even {
  double low, high;   // equal where the source gives one number
  bool per_step;      // a firing rate per step instead of spikes per inference
  const char *source; // and under which conditions
} sst_break_even;
// Number of them, and the i-th; NULL beyond.
SST_API int sst_break_even_count(void);
SST_API const sst_break_even *sst_break_even_get(int index);

#ifdef __cplusplus
}
#endif
#endif
