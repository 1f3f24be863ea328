// SPDX-License-Identifier: Apache-2.0
// Data sets of pictures and of event recordings, and the loader that turns them into batches ahead of time. A sample is
// a picture [H,W,C] or, in an event set, T frames of counts [T,H,W,C].
#ifndef SPIKESTILL_DATA_H
#define SPIKESTILL_DATA_H

#include "spikestill/context.h"
#include "spikestill/events.h"
#include "spikestill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", FORM, classes, height, width, channels, "one line"); FORM is PICTURES or EVENTS; classes 0: as many
// as the files tell; height and width 0: as the options tell.
#define SST_DATASET_LIST(X)                                                                                            \
  X(DIGITS, "digits", PICTURES, 10, 28, 28, 1, "digits drawn by the program from a seed; needs no files")              \
  X(MNIST, "mnist", PICTURES, 10, 28, 28, 1, "handwritten digits, IDX files, plain or gzip")                           \
  X(FASHION_MNIST, "fashion-mnist", PICTURES, 10, 28, 28, 1, "articles of clothing, IDX files, plain or gzip")         \
  X(CIFAR10, "cifar10", PICTURES, 10, 32, 32, 3, "tiny photos, CIFAR-10 binary")                                       \
  X(CIFAR100, "cifar100", PICTURES, 100, 32, 32, 3, "tiny photos, CIFAR-100 binary, fine labels")                      \
  X(FOLDER, "folder", PICTURES, 0, 0, 0, 3, "JPEG and PNG files, one folder a class, in train/ and test/ or val/")     \
  X(TINY_IMAGENET, "tiny-imagenet", PICTURES, 0, 64, 64, 3,                                                            \
    "photos, the official archive's folders, or a part of them")                                                       \
  X(MOVING_DIGITS, "moving-digits", EVENTS, 10, 34, 34, 2,                                                             \
    "drawn digits moved before a simulated sensor; needs no files")                                                    \
  X(NMNIST, "nmnist", EVENTS, 10, 34, 34, 2, "MNIST digits filmed by a moving sensor, ATIS .bin")                      \
  X(NCALTECH101, "ncaltech101", EVENTS, 0, 180, 240, 2, "Caltech101 photos filmed by a moving sensor, ATIS .bin")      \
  X(CIFAR10_DVS, "cifar10-dvs", EVENTS, 10, 128, 128, 2, "CIFAR-10 photos moved before a sensor, AEDAT 2.0")           \
  X(DVS128_GESTURE, "dvs128-gesture", EVENTS, 11, 128, 128, 2, "gestures of hands and arms, AEDAT 3.1 with labels")    \
  X(SHD, "shd", EVENTS, 20, 1, 700, 1, "spoken digits through a model of the ear, HDF5")                               \
  X(SSC, "ssc", EVENTS, 35, 1, 700, 1, "spoken words through a model of the ear, HDF5")

typedef enum sst_dataset_kind {
#define SST_DATASET_ENUM(name, word, form, classes, height, width, channels, text) SST_DATASET_##name,
  SST_DATASET_LIST(SST_DATASET_ENUM)
#undef SST_DATASET_ENUM
      SST_DATASET_COUNT
} sst_dataset_kind;
// The word used in recipes and on the command line, and back; false for an unknown word.
SST_API const char *sst_dataset_word(sst_dataset_kind kind);
SST_API bool sst_dataset_parse(const char *word, sst_dataset_kind *out);
// Whether its samples are recordings of events, which become frames.
SST_API bool sst_dataset_is_events(sst_dataset_kind kind);

// Parts of event sets that come without: which files of each class are for training. X(NAME, "word", "one line")
#define SST_EVENT_SPLIT_LIST(X)                                                                                        \
  X(PER_CLASS, "0.9-per-class", "the first nine tenths of each class in the order of file names")                      \
  X(FIRST_100, "first-100-test", "all but those numbered 0 to 99")                                                     \
  X(LAST_100, "0-899/900-999", "those numbered 0 to 899")
typedef enum sst_event_split {
#define SST_EVENT_SPLIT_ENUM(name, word, text) SST_SPLIT_##name,
  SST_EVENT_SPLIT_LIST(SST_EVENT_SPLIT_ENUM)
#undef SST_EVENT_SPLIT_ENUM
      SST_EVENT_SPLIT_COUNT
} sst_event_split;
// The word used in recipes.
SST_API const char *sst_event_split_word(sst_event_split split);

typedef struct sst_dataset_options {
  sst_dataset_kind kind;
  // Folder that holds mnist/, fashion-mnist/, cifar10/, cifar100/ (or the folders of the official archives,
  // cifar-10-batches-bin/ and cifar-100-binary/); NULL: the environment's SPIKESTILL_DATA, else ./data. `folder`: the
  // folder with train/ and test/ or val/ itself.
  const char *root;
  bool train;           // the training part or the test part
  int64_t limit;        // first so many pictures only (and as many of the set's own validation part); 0: all
  uint64_t digits_seed; // digits, moving-digits: seed of the drawing
  int64_t digits_count; // digits, moving-digits: how many to draw
  int classes;          // 0: as the data tell; else what they must have
  // Of a sample; 0: the set's own, else 1 to 4096. Events: at most the
  // sensor's; pixels are put together where it is less. `folder` must be told (one of them: a square). Picture files
  // are cut to the largest centred window of these proportions and scaled by a triangle filter as wide as the
  // reduction, at least two pixels: bilinear where they grow, every pixel counted where they shrink.
  int64_t height, width;
  // Picture files: decoded pictures are kept if all together take at most so many bytes, and are decoded at each access
  // otherwise.
  int64_t memory;
  bool skip_broken;    // picture files: leave out those that cannot be decoded; all are decoded at opening to find out
  sst_framing framing; // event sets; its frames are T
  sst_event_split split; // ncaltech101 and cifar10-dvs
  bool cache; // event sets from files: keep frames in $XDG_CACHE_HOME/spikestill, else ~/.cache/spikestill; packed
              // files of MNIST: keep pictures there
} sst_dataset_options;

typedef struct sst_dataset sst_dataset;
// Errors: NOT_FOUND (file missing: path, and how to get it), FORMAT (path, byte offset, found, expected), IO.
SST_MUST_CHECK SST_API sst_status sst_dataset_open(sst_context *context, const sst_dataset_options *options,
                                                   sst_dataset **out);
SST_API void sst_dataset_close(sst_dataset *dataset);

typedef struct sst_dataset_info {
  sst_dataset_kind kind;
  int64_t count;      // samples
  int64_t validation; // the last ones of them, that the set itself keeps for validation (SSC's training part); 0: none
  int64_t skipped;    // broken files left out
  int classes;
  int64_t height, width, channels;
  int64_t frames; // T of the frames of a sample; 0: it is a picture
} sst_dataset_info;
// Number, classes and size of its samples.
SST_API sst_dataset_info sst_dataset_describe(const sst_dataset *dataset);
// Bytes of a sample: H * W * C, times T for frames.
SST_API int64_t sst_dataset_sample_bytes(const sst_dataset_info *info);
// Classes and sizes that a data set opened with these options would have, with a count of 0. Looks into folders only
// where classes are not known otherwise; reads no sample. Errors: as sst_dataset_open.
SST_MUST_CHECK SST_API sst_status sst_dataset_sizes(sst_context *context, const sst_dataset_options *options,
                                                    sst_dataset_info *out);
// Copies sample i, [H,W,C] or [T,H,W,C], to `out` [sst_dataset_sample_bytes]. Any thread may call it.
// Errors: where samples are read from files at each access, IO and FORMAT with path and byte offset.
SST_MUST_CHECK SST_API sst_status sst_dataset_read(const sst_dataset *dataset, int64_t index, uint8_t *out);
// The same without copying, borrowed from the data set; NULL where samples are not kept in memory.
SST_API const uint8_t *sst_dataset_picture(const sst_dataset *dataset, int64_t index);
// The label of sample i, 0..classes-1.
SST_API int sst_dataset_label(const sst_dataset *dataset, int64_t index);
// The name of a class where the files tell one, else NULL. Borrowed.
SST_API const char *sst_dataset_class_name(const sst_dataset *dataset, int label);

// A recording as it is in its file, before it becomes frames.
typedef struct sst_recording_info {
  int64_t events;
  int64_t brighter;    // events of polarity 1
  int64_t duration_us; // from the first event to the last
} sst_recording_info;
// Reads recording i once more. Errors: INVALID_ARGUMENT (no event set), IO, FORMAT.
SST_MUST_CHECK SST_API sst_status sst_dataset_recording(const sst_dataset *dataset, int64_t index,
                                                        sst_recording_info *out);

// Writes rgb [height,width,3] as a PNG file. Errors: IO, UNSUPPORTED (built without libpng), INVALID_ARGUMENT.
SST_MUST_CHECK SST_API sst_status sst_picture_write(sst_context *context, const char *path, int64_t width,
                                                    int64_t height, const uint8_t *rgb);

// A contact sheet of samples `indices` [count], as a PNG file: pictures in a square of rows, or a row for each
// recording with its frames from left to right, brighter events blue and darker ones red on white. Small samples are
// enlarged by a whole number. Errors: as sst_picture_write and sst_dataset_read; INVALID_ARGUMENT (an index outside,
// too large a sheet).
SST_MUST_CHECK SST_API sst_status sst_dataset_draw(sst_context *context, const sst_dataset *dataset,
                                                   const int64_t *indices, int64_t count, const char *path);

// X(NAME, "word", "one line")
#define SST_ENCODING_LIST(X)                                                                                           \
  X(DIRECT, "direct", "the picture as a constant current: T = 1, repeated by the first neuron")                        \
  X(POISSON, "poisson", "a spike at each step with the pixel's brightness as probability")                             \
  X(LATENCY, "latency", "one spike, the earlier the brighter: at step floor((1 - brightness) * T); none for black")    \
  X(FRAMES, "frames", "stored frames of event counts, one a step; what event sets have, and only they")
typedef enum sst_encoding {
#define SST_ENCODING_ENUM(name, word, text) SST_ENCODING_##name,
  SST_ENCODING_LIST(SST_ENCODING_ENUM)
#undef SST_ENCODING_ENUM
      SST_ENCODING_COUNT
} sst_encoding;
// The word used in recipes.
SST_API const char *sst_encoding_word(sst_encoding encoding);

// X(NAME, "word", "one line")
#define SST_AUTOAUGMENT_LIST(X)                                                                                        \
  X(NONE, "none", "no policy")                                                                                         \
  X(CIFAR, "cifar", "the 25 sub-policies found for CIFAR-10 (Cubuk et al. 2019)")
typedef enum sst_autoaugment {
#define SST_AUTOAUGMENT_ENUM(name, word, text) SST_AUTOAUGMENT_##name,
  SST_AUTOAUGMENT_LIST(SST_AUTOAUGMENT_ENUM)
#undef SST_AUTOAUGMENT_ENUM
      SST_AUTOAUGMENT_COUNT
} sst_autoaugment;

typedef struct sst_augmentation {
  int crop_padding;            // pixels of zeros around, then a random crop of the old size; 0: off
  bool flip;                   // left-right with probability 1/2
  int cutout;                  // side of the square that is set to the mean (to black for spike encodings); 0: off
  sst_autoaugment autoaugment; // before cutout
  float mixup;                 // alpha of the Beta distribution; 0: off
  // Event sets only, and beside crop, flip, cutout and mixup all that they take; its own flip and cutout are not read.
  sst_event_augmentation events;
} sst_augmentation;

// Whether it changes nothing: a sample is the same each time.
SST_API bool sst_augmentation_is_none(const sst_augmentation *augmentation);

enum { SST_MAX_CHANNELS = 4 };

typedef struct sst_loader_options {
  int64_t batch;  // pictures a batch
  bool shuffle;   // a new order each epoch
  bool drop_last; // leave out a last batch that is not full; otherwise it is filled up with zeros
  uint64_t seed;  // order, augmentation and encoding depend on (seed, epoch, position) alone
  bool augment;   // whether `augmentation` applies
  sst_augmentation augmentation;
  // Direct: of pixels scaled to 0..1, x = (pixel/255 - mean) / deviation; frames: of counts, x = (count - mean) /
  // deviation.
  float mean[SST_MAX_CHANNELS];
  float deviation[SST_MAX_CHANNELS]; // > 0
  sst_encoding encoding;             // Poisson and latency take the pixel in 0..1, mean and deviation unused
  int64_t timesteps;                 // T of Poisson and latency input; frames have their own
  int workers;                       // threads that make batches ahead; 0: made in the calling thread
  // Batches are made by the host, also where a device that trains or evaluates on them could keep the pictures and make
  // them itself. The same bits either way.
  bool host_only;
} sst_loader_options;

typedef struct sst_batch {
  const float *input;     // [T,N,H,W,C]; T = 1 for direct encoding
  const float *target;    // [N,classes]: one-hot, or mixed by mixup
  const int32_t *labels;  // [N]
  const int32_t *samples; // [count]: their numbers in the data set
  int64_t count;          // pictures that are real; the rest up to N are zeros
  int64_t index;          // of the batch in the epoch
} sst_batch;

typedef struct sst_loader sst_loader;

// `indices` [count] chooses pictures of the data set (NULL: all, `count` is not read); copied. The data set is borrowed
// until close. All memory is taken here; running allocates nothing.
// Errors: INVALID_ARGUMENT (an option or an index outside its range), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_loader_open(sst_context *context, const sst_dataset *dataset,
                                                  const int32_t *indices, int64_t count,
                                                  const sst_loader_options *options, sst_loader **out);
SST_API void sst_loader_close(sst_loader *loader);
// Shape of a batch's input, batches in an epoch, and the samples that it chooses from.
SST_API sst_shape sst_loader_shape(const sst_loader *loader);
SST_API int64_t sst_loader_batches(const sst_loader *loader);
SST_API int64_t sst_loader_samples(const sst_loader *loader);
// Begins an epoch at a batch (0, or where a run was cut off). The same (seed, epoch) gives the same batches.
SST_API void sst_loader_start(sst_loader *loader, int64_t epoch, int64_t first_batch);
// The next batch, borrowed until the next call of next or start; false at the epoch's end, before the first start, and
// where a sample could not be read: sst_loader_status then tells what was wrong, and OK otherwise.
SST_API bool sst_loader_next(sst_loader *loader, sst_batch *out);
SST_MUST_CHECK SST_API sst_status sst_loader_status(const sst_loader *loader);

// Splits 0..count-1 by a seeded permutation: the last round(share * count) to validation, in ascending order each.
// Both arrays hold `count` places; the numbers are written to *train_count and *validation_count.
SST_API void sst_split_validation(int64_t count, double share, uint64_t seed, int32_t *train, int64_t *train_count,
                                  int32_t *validation, int64_t *validation_count);
// The same for a training part that was opened. A validation part that the set brings along is taken as it is, whatever
// the share; with a share of 0 it is left aside.
SST_API void sst_dataset_split(const sst_dataset *dataset, double share, uint64_t seed, int32_t *train,
                               int64_t *train_count, int32_t *validation, int64_t *validation_count);

// Downloads a data set into root/<word>/, resuming what is half there, from the mirrors in turn, and verifies
// checksums. What is there and right is left alone. `root` as in sst_dataset_options. `base_url`, the address of a
// folder with the official files, replaces the mirrors (tests, in-house copies); NULL: the built-in ones. `progress`
// may be NULL; it gets the file's bytes so far and in all (0 while that is not known).
// Errors: UNSUPPORTED (built without the libraries, or nothing to download), IO (which address said what),
// FORMAT (checksum), INTERRUPTED.
typedef void sst_download_progress(void *user, const char *file, uint64_t done_bytes, uint64_t total_bytes);
SST_MUST_CHECK SST_API sst_status sst_dataset_download(sst_context *context, sst_dataset_kind kind, const char *root,
                                                       const char *base_url, sst_download_progress *progress,
                                                       void *user);

#ifdef __cplusplus
}
#endif
#endif
