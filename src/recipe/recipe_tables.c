// SPDX-License-Identifier: Apache-2.0
// The tables of all keys of a recipe, except the distillation methods' (src/distill) and the layers' (recipe_layers.c).
#include "recipe/recipe_tables.h"

#define WORDS_2(name, word, a) word,
#define WORDS_MANY(name, word, ...) word,
static const char *const dataset_words[] = {SST_DATASET_LIST(WORDS_MANY)};
static const char *const framing_words[] = {SST_FRAMING_LIST(WORDS_2)};
static const char *const split_words[] = {SST_EVENT_SPLIT_LIST(WORDS_2)};
static const char *const encoding_words[] = {SST_ENCODING_LIST(WORDS_2)};
static const char *const autoaugment_words[] = {SST_AUTOAUGMENT_LIST(WORDS_2)};
static const char *const device_words[] = {SST_DEVICE_LIST(WORDS_2)};
static const char *const compute_words[] = {SST_PRECISION_LIST(WORDS_2)};
static const char *const teacher_compute_words[] = {SST_TEACHER_PRECISION_LIST(WORDS_2)};
static const char *const builder_words[] = {SST_BUILDER_LIST(WORDS_2)};
static const char *const form_words[] = {SST_BLOCK_FORM_LIST(WORDS_2)};
static const char *const norm_words[] = {SST_NORM_LIST(WORDS_2)};
static const char *const readout_words[] = {SST_READOUT_LIST(WORDS_2)};
static const char *const activation_words[] = {SST_ACTIVATION_LIST(WORDS_2)};
static const char *const neuron_words[] = {SST_NEURON_LIST(WORDS_2)};
static const char *const surrogate_words[] = {SST_SURROGATE_LIST(WORDS_MANY)};
static const char *const optimizer_words[] = {SST_OPTIMIZER_LIST(WORDS_2)};
static const char *const schedule_words[] = {SST_SCHEDULE_LIST(WORDS_2)};
static const char *const normalization_words[] = {SST_NORMALIZATION_LIST(WORDS_MANY)};
static const char *const kind_words[] = {"snn", "ann"};
static const char *const pool_words[] = {"average", "max"};
static const char *const broken_words[] = {"fail", "skip"};
static const char *const reset_words[] = {"hard", "soft"};
static const char *const quantizer_words[] = {SST_WEIGHT_QUANTIZER_LIST(WORDS_2)};
static const char *const first_last_words[] = {"full", "same"};
static const char *const precision_words[] = {"same", "full"}; // of a twin
static const char *const convolution_words[] = {SST_CONVOLUTION_LIST(WORDS_2)};
static const char *const codes_words[] = {SST_CODES_LIST(WORDS_2)};
static const char *const memory_words[] = {SST_MEMORY_LIST(WORDS_2)};
static const char *const twin_words[] = {"same", "ann"}; // sst_twin_kind

// Words are stored into enums as ints.
_Static_assert(sizeof(sst_dataset_kind) == sizeof(int) && sizeof(sst_neuron_kind) == sizeof(int) &&
                   sizeof(sst_device) == sizeof(int),
               "an enum is as large as an int");
_Static_assert((int)SST_RECIPE_TEXT_SIZE == (int)SSTI_OPTION_TEXT_SIZE, "texts of recipes are texts of option tables");

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define AT(field) offsetof(ssti_recipe_draft, field)
// One line a key: key, type, field of the draft, range, default, meaning.
#define NUMBER(key, type, field, low, high, value, text)                                                               \
  { key, SSTI_OPTION_##type, AT(field), low, high, value, NULL, 0, text }
#define TRUTH(key, field, value, text)                                                                                 \
  { key, SSTI_OPTION_BOOL, AT(field), 0, 1, value, NULL, 0, text }
#define TEXT(key, field, value, text)                                                                                  \
  { key, SSTI_OPTION_TEXT, AT(field), 0, 0, value, NULL, 0, text }
#define WORD(key, field, words, value, text)                                                                           \
  { key, SSTI_OPTION_WORD, AT(field), 0, 0, value, words, COUNT(words), text }

static const ssti_option root_options[] = {
    TEXT("name", recipe.name, "", "of the run; the file's name without its ending if it is not given"),
    NUMBER("seed", UINT64, recipe.seed, 0, 1.8446744073709551615e19, "1", "of every random number of the run"),
    WORD("device", recipe.device, device_words, "cpu", "where it runs"),
    WORD("precision", recipe.precision, compute_words, "f32",
         "of products; bf16: of numbers rounded to bfloat16, parameters stay f32; tf32: of numbers rounded to 11 bits; "
         "bf16 is "
         "for CPUs with AVX512_BF16 and for cards, tf32 for cards"),
    WORD("teacher_precision", recipe.teacher_precision, teacher_compute_words, "same", "of the teacher's products"),
    NUMBER("teacher_memory", INT64, recipe.teacher_memory, 0, 1e9, "1024",
           "MiB that what the teacher makes of pictures may take to be kept, on CPUs and where they are not augmented, "
           "so that it is "
           "computed once for each; the same bits; 0: never kept"),
    TEXT("teacher", recipe.teacher, "", "run directory, checkpoint or ONNX file of the teacher; empty: none"),
};

static const ssti_option data_options[] = {
    WORD("name", recipe.data.kind, dataset_words, NULL, "the data set"),
    TEXT("root", recipe.data.root, "",
         "folder that holds the data sets' folders; empty: the environment's SPIKESTILL_DATA, else ./data"),
    NUMBER("validation", DOUBLE, recipe.data.validation, 0, 0.9, "0.1",
           "share of the training part that is held out; above 0: SSC's own part where its file is there"),
    NUMBER("train_limit", INT64, recipe.data.train_limit, 0, 1e9, "0",
           "first so many pictures of the training part; 0: all"),
    NUMBER("test_limit", INT64, recipe.data.test_limit, 0, 1e9, "0", "first so many pictures of the test part; 0: all"),
    NUMBER("digits_train", INT64, recipe.data.digits_train, 1, 1e6, "10000",
           "digits, moving-digits: how many are drawn for training"),
    NUMBER("digits_test", INT64, recipe.data.digits_test, 1, 1e6, "2000",
           "digits, moving-digits: how many are drawn for the test"),
    NUMBER("digits_seed", UINT64, recipe.data.digits_seed, 0, 1.8446744073709551615e19, "1",
           "digits, moving-digits: seed of the drawing"),
    NUMBER("classes", INT, recipe.data.classes, 0, 1e6, "0", "0: as many as the data has; filled in when it is read"),
    NUMBER("height", INT64, recipe.data.height, 0, 4096, "0", "of a sample in pixels; 0: the data set's own"),
    NUMBER("width", INT64, recipe.data.width, 0, 4096, "0", "of a sample in pixels; 0: the data set's own"),
    NUMBER("memory", INT64, recipe.data.memory, 0, 1e9, "2048",
           "MiB that decoded picture files may take to be kept; beyond, they are decoded at each access"),
    WORD("broken", broken, broken_words, "fail", "picture files that cannot be decoded"),
    WORD("split", recipe.data.split, split_words, "0.9-per-class",
         "ncaltech101, cifar10-dvs: which files are for training and which for the test"),
    TRUTH("cache", recipe.data.cache, "true",
          "event sets: keep frames, packed MNIST: pictures, in $XDG_CACHE_HOME/spikestill, else ~/.cache/spikestill"),
    WORD("encoding", recipe.data.encoding, encoding_words, "direct",
         "how samples become input over time; event sets: frames if it is not given"),
    NUMBER("workers", INT, recipe.data.workers, 0, 256, "1",
           "threads that make batches ahead; 0: made when they are needed"),
};
#define NUMBERS(key, first, size, counter, most, low, high, type, value, text)                                         \
  { key, {key, SSTI_OPTION_##type, AT(first), low, high, "0", NULL, 0, text}, size, AT(counter), most, value, text }
static const ssti_recipe_list data_lists[] = {
    NUMBERS("mean", recipe.data.mean[0], sizeof(float), recipe.data.mean_count, SST_MAX_CHANNELS, -1e6, 1e6, FLOAT,
            "[0]",
            "subtracted from pixels scaled to 0..1, or from counts of events: one number for all channels or one each"),
    NUMBERS("deviation", recipe.data.deviation[0], sizeof(float), recipe.data.deviation_count, SST_MAX_CHANNELS, 1e-6,
            1e6, FLOAT, "[1]", "divides pixels after that: one number for all channels or one each"),
};
// The resolved recipe holds the numbers.
static const ssti_option data_sources[] = {
    WORD("normalize", normalize, normalization_words, "none", "mean and deviation by name, in place of the two"),
};
static const ssti_option teacher_input_sources[] = {
    WORD("normalize", teacher_normalize, normalization_words, "none",
         "mean and deviation by name, in place of the two"),
};
static const ssti_recipe_list teacher_input_lists[] = {
    NUMBERS("mean", recipe.teacher_input.mean[0], sizeof(float), recipe.teacher_input.mean_count, SST_MAX_CHANNELS,
            -1e6, 1e6, FLOAT, "[]", "as in data; nothing here: the student's"),
    NUMBERS("deviation", recipe.teacher_input.deviation[0], sizeof(float), recipe.teacher_input.deviation_count,
            SST_MAX_CHANNELS, 1e-6, 1e6, FLOAT, "[]", "as in data; nothing here: the student's"),
};
static const ssti_option augment_options[] = {
    NUMBER("crop_padding", INT, recipe.data.augmentation.crop_padding, 0, 64, "0",
           "pixels of zeros around the picture before a random crop of the old size"),
    TRUTH("flip", recipe.data.augmentation.flip, "false", "left-right with probability 1/2"),
    NUMBER("cutout", INT, recipe.data.augmentation.cutout, 0, 64, "0",
           "side in pixels of the square that is set to the mean; 0: none"),
    WORD("autoaugment", recipe.data.augmentation.autoaugment, autoaugment_words, "none", "policy of distortions"),
    NUMBER("mixup", FLOAT, recipe.data.augmentation.mixup, 0, 100, "0", "alpha of mixup's Beta distribution; 0: none"),
    NUMBER("roll", INT, recipe.data.augmentation.events.roll, 0, 4096, "0",
           "events: moved by up to so many pixels each way; what leaves enters on the other side"),
    NUMBER("shear", FLOAT, recipe.data.augmentation.events.shear, 0, 60, "0",
           "events: sheared by up to so many degrees"),
    NUMBER("drop_time", FLOAT, recipe.data.augmentation.events.drop_time, 0, 1, "0",
           "events: a stretch up to this share of the time is emptied"),
    NUMBER("drop_area", FLOAT, recipe.data.augmentation.events.drop_area, 0, 1, "0",
           "events: a box up to this share of height and width is emptied"),
    NUMBER("drop_point", FLOAT, recipe.data.augmentation.events.drop_point, 0, 1, "0",
           "events: each is lost with a probability up to this"),
};

static const ssti_option frames_options[] = {
    WORD("mode", recipe.data.framing.mode, framing_words, "sj-number", "how a recording is cut into frames"),
    NUMBER("window_us", INT64, recipe.data.framing.window_us, 1, 1e12, "10000",
           "sj-duration, tonic-time: microseconds of a frame"),
    NUMBER("count", INT64, recipe.data.framing.count, 1, 1e12, "1000", "tonic-count: events of a frame"),
};

static const ssti_option student_options[] = {
    WORD("kind", network_kind, kind_words, "snn", "spiking network or artificial network"),
    NUMBER("timesteps", INT64, recipe.student.options.timesteps, 1, 4096, "4", "T; an ann has 1"),
    WORD("norm", recipe.student.options.norm, norm_words, "batch", "what norm layers do"),
    NUMBER("norm_momentum", FLOAT, recipe.student.options.norm_momentum, 0, 1, "0.1",
           "share of the newest batch in the running statistics"),
    NUMBER("norm_epsilon", FLOAT, recipe.student.options.norm_epsilon, 1e-12, 1, "1e-5", "added to the variance"),
    WORD("readout", recipe.student.options.readout, readout_words, "current",
         "how an snn's output over T becomes logits"),
    NUMBER("readout_decay", FLOAT, recipe.student.options.readout_decay, 0, 1, "0.5",
           "readout membrane: decay of its integrator"),
    WORD("activation", recipe.student.options.activation, activation_words, "relu", "of an ann's activation layers"),
    NUMBER("qcfs_levels", INT64, recipe.student.options.qcfs_levels, 1, SST_MAX_QCFS_LEVELS, "8",
           "activation qcfs: steps from 0 to the threshold"),
    TRUTH("layer_thresholds", recipe.student.options.layer_thresholds, "false",
          "snn: each neuron layer learns a threshold of its own, and its spikes have that size"),
    TEXT("start", recipe.student.start, "", "run directory or checkpoint whose parameters it starts from; empty: none"),
};
// The keys that only count where `model` names a builder; the resolved recipe holds the layers it made instead.
static const ssti_option builder_options[] = {
    WORD("model", network_model, builder_words, NULL, "a builder that makes the layers; or give `layers`"),
    NUMBER("width", DOUBLE, recipe.student.builder_options.width, 1e-3, 64, "1", "multiplies every hidden width"),
    NUMBER("hidden", INT64, recipe.student.builder_options.hidden, 0, 1048576, "0", "mlp: hidden units; 0: 800"),
    WORD("form", recipe.student.builder_options.form, form_words, "basic", "resnets: form of the residual blocks"),
    WORD("pool", pool, pool_words, "average", "pooling"),
    NUMBER("dropout", FLOAT, recipe.student.builder_options.dropout, 0, 0.99, "0",
           "rate of dropout before the last linear layer; 0: none"),
};
static const ssti_option neuron_options[] = {
    WORD("model", recipe.student.options.neuron.kind, neuron_words, "lif", "the neuron"),
    NUMBER("decay", FLOAT, recipe.student.options.neuron.decay, 0, 1, "0.5",
           "share of the membrane potential kept from step to step; plif: where learning starts"),
    NUMBER("threshold", FLOAT, recipe.student.options.neuron.threshold, 1e-6, 1e6, "1",
           "fires at or above it; learned thresholds of layers start there"),
    WORD("reset", reset, reset_words, "hard", "after a spike: hard, to v_reset; soft, by subtracting the threshold"),
    NUMBER("v_reset", FLOAT, recipe.student.options.neuron.v_reset, -1e6, 1e6, "0", "hard reset: below the threshold"),
    NUMBER("initial_membrane", FLOAT, recipe.student.options.neuron.initial_membrane, 0, 1, "0",
           "before the first step: the share of the way from rest to the threshold"),
    TRUTH("decay_input", recipe.student.options.neuron.decay_input, "false", "multiply the input by 1 - decay"),
    TRUTH("detach_reset", recipe.student.options.neuron.detach_reset, "true", "no gradient through the reset"),
    NUMBER("current_decay", FLOAT, recipe.student.options.neuron.current_decay, 0, 1, "0.5", "cubalif: of the current"),
    NUMBER("adaptation", FLOAT, recipe.student.options.neuron.adaptation, 0, 1e6, "0.2",
           "alif: how far a spike raises the threshold"),
    NUMBER("adaptation_decay", FLOAT, recipe.student.options.neuron.adaptation_decay, 0, 1, "0.9",
           "alif: share of the raise kept from step to step"),
    WORD("surrogate", recipe.student.options.neuron.surrogate, surrogate_words, "arctan", "derivative of the spike"),
    NUMBER("alpha", FLOAT, recipe.student.options.neuron.alpha, 0, 1e6, "0",
           "the surrogate's sharpness; 0: its own default"),
};

#define AT_QUANTIZATION(field) recipe.student.options.quantization.field
static const ssti_option quantize_options[] = {
    WORD("weights", AT_QUANTIZATION(weights.kind), quantizer_words, "none", "how weights become integers"),
    NUMBER("weight_bits", INT, AT_QUANTIZATION(weights.bits), SST_MIN_BITS, SST_MAX_WEIGHT_BITS, "4",
           "learned_step: bits of a weight"),
    TRUTH("per_channel", AT_QUANTIZATION(weights.per_channel), "false",
          "a scale for each output channel instead of one for the layer"),
    NUMBER("gradient_limit", FLOAT, AT_QUANTIZATION(weights.gradient_limit), 0, 1e6, "0",
           "ternary: weights larger than this receive no gradient; 0: no limit"),
    WORD("first_last", first_last, first_last_words, "full",
         "first and last layer: full, left in full precision; same, quantised as the others"),
    NUMBER("membrane_bits", INT, recipe.student.options.neuron.membrane_bits, 0, SST_MAX_BITS, "0",
           "bits of the stored membrane, at least 2; 0: full precision"),
    NUMBER("membrane_range", FLOAT, recipe.student.options.neuron.membrane_range, 1e-3, 1e3, "1",
           "where the grid of stored membranes ends, in thresholds"),
    NUMBER("norm_bits", INT, AT_QUANTIZATION(norm_bits), 0, SST_MAX_BITS, "0",
           "bits of the norms' factors and offsets, at least 2; 0: full precision"),
    NUMBER("input_bits", INT, AT_QUANTIZATION(input_bits), 0, SST_MAX_INPUT_BITS, "0",
           "bits of the input, at least 2; 0: full precision"),
};

static const ssti_option loss_options[] = {
    NUMBER("weight", FLOAT, recipe.loss_weight, 0, 1e6, "1", "factor of the cross-entropy with the labels"),
    NUMBER("label_smoothing", FLOAT, recipe.label_smoothing, 0, 0.999, "0",
           "share of the target spread over all classes"),
    TRUTH("per_step", recipe.loss_per_step, "false", "mean over T of the cross-entropy of each step's logits"),
};

static const ssti_option twin_options[] = {
    TRUTH("enabled", recipe.twin.enabled, "false", "whether there is one"),
    WORD("kind", recipe.twin.kind, twin_words, "same", "same: of the student's kind; ann: the ann of the same layers"),
    WORD("precision", recipe.twin.precision, precision_words, "same",
         "same: quantised as the student; full: in full precision"),
    NUMBER("seed_offset", UINT64, recipe.twin.seed_offset, 1, 1.8446744073709551615e19, "1",
           "its initial values are those of `seed` plus this"),
    NUMBER("cross_entropy_weight", FLOAT, recipe.twin.cross_entropy_weight, 0, 1e6, "1",
           "factor of its own cross-entropy with the labels in the loss; `loss.weight` is the student's alone"),
};

static const ssti_option optimizer_options[] = {
    WORD("kind", recipe.optimizer.kind, optimizer_words, "sgd", "the optimiser"),
    NUMBER("learning_rate", FLOAT, recipe.optimizer.learning_rate, 1e-12, 1e3, "0.1",
           "at the schedule's top; adamw: 0.001 if it is not given"),
    NUMBER("momentum", FLOAT, recipe.optimizer.momentum, 0, 0.999999, "0.9", "sgd"),
    TRUTH("nesterov", recipe.optimizer.nesterov, "false", "sgd: Nesterov's form of momentum"),
    NUMBER("weight_decay", FLOAT, recipe.optimizer.weight_decay, 0, 1e3, "5e-4", "of weights"),
    TRUTH("decay_all", recipe.optimizer.decay_all, "false", "decay also norm, bias and neuron parameters"),
    NUMBER("beta1", FLOAT, recipe.optimizer.beta1, 0, 0.999999, "0.9", "adamw"),
    NUMBER("beta2", FLOAT, recipe.optimizer.beta2, 0, 0.999999, "0.999", "adamw"),
    NUMBER("epsilon", FLOAT, recipe.optimizer.epsilon, 1e-30, 1, "1e-8", "adamw"),
    NUMBER("clip_norm", FLOAT, recipe.optimizer.clip_norm, 0, 1e9, "0", "largest norm of the gradient; 0: no limit"),
};

static const ssti_option schedule_options[] = {
    WORD("kind", recipe.schedule.kind, schedule_words, "cosine", "how the learning rate changes"),
    NUMBER("warmup_epochs", DOUBLE, recipe.schedule.warmup_epochs, 0, 1e5, "0",
           "epochs of linear rise from 0 at first"),
    NUMBER("final", DOUBLE, recipe.schedule.final_factor, 0, 1, "0", "cosine: factor at the end"),
    NUMBER("factor", DOUBLE, recipe.schedule.step_factor, 0, 1, "0.1", "step: factor at each milestone"),
};
static const ssti_recipe_list schedule_lists[] = {
    NUMBERS("milestones", recipe.schedule.milestones[0], sizeof(double), recipe.schedule.milestone_count,
            SST_MAX_MILESTONES, 0, 1e5, DOUBLE, "[]", "step: epochs at which the rate falls, ascending"),
};

static const ssti_option train_options[] = {
    NUMBER("epochs", INT64, recipe.train.epochs, 1, 100000, "10", "passes over the training part"),
    NUMBER("batch", INT64, recipe.train.batch, 1, 65536, "64", "pictures a step"),
    NUMBER("evaluation_batch", INT64, recipe.train.evaluation_batch, 1, 65536, "100",
           "pictures at once when measuring"),
    NUMBER("evaluate_every", INT64, recipe.train.evaluate_every, 1, 100000, "1", "epochs between validations"),
    NUMBER("checkpoint_every", INT64, recipe.train.checkpoint_every, 1, 100000, "1", "epochs between checkpoints"),
    WORD("memory", recipe.train.memory, memory_words, "store",
         "recompute: what the backward pass reads is computed again by segments; the same bits in less memory"),
};

static const ssti_option speed_options[] = {
    TRUTH("record", recipe.speed.record, "true",
          "device cuda: training steps are given to the card as one recording, not kernel by kernel; the same bits"),
    TRUTH("resident", recipe.speed.resident, "true",
          "device cuda: pictures are kept on the card where they fit, and batches made there; the same bits"),
    WORD(
        "convolution", recipe.speed.convolution, convolution_words, "direct",
        "dense 3x3 convolutions of stride 1; winograd: two to three times as fast, errors below 1e-4 of the deviation"),
    WORD("codes", recipe.speed.codes, codes_words, "integer",
         "quantised layers whose inputs are spikes or their averages, forward: integer: in 8-bit integers, exactly; "
         "float: as other layers"),
#define CROSSOVER_OPTION(name, value, meaning)                                                                         \
  NUMBER(#name, DOUBLE, recipe.speed.crossover.name, -1, 1, #value,                                                    \
         "density of spikes up to which " meaning " are computed from spikes alone; below 0: never, 1: always"),
    SST_CROSSOVER_LIST(CROSSOVER_OPTION)
#undef CROSSOVER_OPTION
};

static const char *const root_others[] = {"distill"};
static const char *const student_others[] = {"layers"};

#define TABLE(array) array, COUNT(array)
#define NO_TABLE NULL, 0
const ssti_recipe_section ssti_recipe_sections[] = {
    {"", "the run", TABLE(root_options), NO_TABLE, NO_TABLE, TABLE(root_others)},
    {"data", "what it learns from", TABLE(data_options), TABLE(data_lists), TABLE(data_sources), NO_TABLE},
    {"data.augment", "random changes of training pictures", TABLE(augment_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"data.frames", "event sets: from recordings to student.timesteps frames", TABLE(frames_options), NO_TABLE,
     NO_TABLE, NO_TABLE},
    {"teacher_input", "how the pictures of an ONNX teacher are normalised; a run directory knows its own", NO_TABLE,
     TABLE(teacher_input_lists), TABLE(teacher_input_sources), NO_TABLE},
    {"student", "the network that is trained", TABLE(student_options), NO_TABLE, TABLE(builder_options),
     TABLE(student_others)},
    {"student.neuron", "its spiking neurons", TABLE(neuron_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"student.quantize", "what of it is trained as integers", TABLE(quantize_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"loss", "the loss of the labels", TABLE(loss_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"twin", "a network of the student's layers and other initial values, trained beside it and discarded",
     TABLE(twin_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"optimizer", "how parameters move", TABLE(optimizer_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"schedule", "the learning rate over time", TABLE(schedule_options), TABLE(schedule_lists), NO_TABLE, NO_TABLE},
    {"train", "how long and how much at once", TABLE(train_options), NO_TABLE, NO_TABLE, NO_TABLE},
    {"speed", "how layers are computed; another way, other last bits", TABLE(speed_options), NO_TABLE, NO_TABLE,
     NO_TABLE},
};
const int ssti_recipe_section_count = COUNT(ssti_recipe_sections);

const char *ssti_recipe_section_key(const ssti_recipe_section *section) {
  const char *dot = strrchr(section->path, '.');
  return dot ? dot + 1 : section->path;
}

// One by one, because a table may hold keys without a default.
static void set_defaults(const ssti_option *options, int count, ssti_recipe_draft *draft) {
  for (int i = 0; i < count; i++) {
    if (options[i].default_value != NULL) { ssti_options_set_defaults(&options[i], 1, draft); }
  }
}

void ssti_recipe_set_defaults(ssti_recipe_draft *draft) {
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    set_defaults(section->options, section->option_count, draft);
    set_defaults(section->sources, section->source_count, draft);
  }
}
