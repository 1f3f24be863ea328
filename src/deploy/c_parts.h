// SPDX-License-Identifier: Apache-2.0
// The files of an exported folder. Each function gives a file's text.
#ifndef SPIKESTILL_DEPLOY_C_PARTS_H
#define SPIKESTILL_DEPLOY_C_PARTS_H

#include "deploy/c_writer.h"
#include "spikestill/c_source.h"
#include "spikestill/version.h"

// The first line of every file begins (after its comment sign) with this: what an export may replace.
#define SSTI_C_MARK "Made by Spikestill"

enum { SSTI_C_MOST_FILES = 12 };

typedef struct ssti_c_file {
  char name[SST_C_SOURCE_NAME_SIZE + 16];
  ssti_text text;
} ssti_c_file;

// What all parts are made from.
typedef struct ssti_c_export {
  const sst_integer_network *network;
  ssti_c_plan *plan;
  char name[SST_C_SOURCE_NAME_SIZE], upper[SST_C_SOURCE_NAME_SIZE];
  sst_c_source_options options; // complete
  ssti_c_file files[SSTI_C_MOST_FILES];
  int file_count;
} ssti_c_export;

// A new file of the export, `format` with the export's name in place of its %s, if it has one.
ssti_text *ssti_c_file_begin(ssti_c_export *made, const char *format);

// Golden samples: runs the network. Errors: those of sst_integer_simulate, OUT_OF_MEMORY.
sst_status ssti_c_write_golden(ssti_c_export *made);

// Example, build files, README.
void ssti_c_write_extras(ssti_c_export *made);

// Writes all files, or none.
sst_status ssti_c_write_folder(ssti_c_export *made, const char *folder);

// Whether C, C++ or the folder's own files have taken the name.
bool ssti_c_name_is_taken(const char *name);

// Type of an element of the caller's input: bytes where all inputs fit.
const char *ssti_c_input_type(const sst_integer_network *network);

#endif
