// SPDX-License-Identifier: Apache-2.0
// Data sets that are picture files in folders.
#ifndef SPIKESTILL_DATA_PICTURE_FOLDER_H
#define SPIKESTILL_DATA_PICTURE_FOLDER_H

#include "data/file_list.h"
#include "data/picture_codec.h"
#include "spikestill/data.h"

typedef struct ssti_picture_folder ssti_picture_folder;

// How many classes there are; reads no picture. Errors: NOT_FOUND, FORMAT, IO.
sst_status ssti_picture_folder_classes(sst_context *context, const sst_dataset_options *options, int *out);

// Lists the files; info->height and ->width are the size wanted; fills in count, classes and skipped. *labels [count]
// is owned by the caller.
sst_status ssti_picture_folder_open(sst_context *context, const sst_dataset_options *options, sst_dataset_info *info,
                                    int32_t **labels, ssti_picture_folder **out);
void ssti_picture_folder_close(ssti_picture_folder *folder);

// Picture i [H,W,3]: borrowed if it is kept, else made in `pixels`. Any thread may call it, each with its own room.
sst_status ssti_picture_folder_read(ssti_picture_folder *folder, int64_t index, ssti_picture_room *room,
                                    uint8_t *pixels, const uint8_t **out);
const char *ssti_picture_folder_class(const ssti_picture_folder *folder, int label);

// The lines of val_annotations.txt: a file's name, a tabulator, its class, and more that is not read. Adds the files to
// the list with `folder` in front. Errors: FORMAT, with the line.
sst_status ssti_val_annotations_read(sst_context *context, const char *name, const char *text, size_t size,
                                     const char *folder, const ssti_class_names *classes, ssti_file_list *list);

#endif
