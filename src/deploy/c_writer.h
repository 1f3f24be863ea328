// SPDX-License-Identifier: Apache-2.0
// The C source of a planned network, piece by piece (c_plan.h).
#ifndef SPIKESTILL_DEPLOY_C_WRITER_H
#define SPIKESTILL_DEPLOY_C_WRITER_H

#include "base/text.h"
#include "deploy/c_plan.h"

// Functions that layers may call. X(NAME, "text"): c_helpers.c has the text; only those that are called are written.
typedef enum ssti_c_helper {
  SSTI_C_CLEAR,
  SSTI_C_SIGNED,
  SSTI_C_ONES,
  SSTI_C_DOT,
  SSTI_C_WINDOWS,
  SSTI_C_CODE_2,
  SSTI_C_CODE_4,
  SSTI_C_SHIFT_DOWN,
  SSTI_C_CLIP,
  SSTI_C_GET_BIT,
  SSTI_C_SET_BIT,
  SSTI_C_ADD_ONE,
  SSTI_C_GET_NUMBER,
  SSTI_C_PUT_NUMBER,
  SSTI_C_FIRST_WINDOW,
  SSTI_C_HELPERS
} ssti_c_helper;

enum { SSTI_C_NAME_SIZE = 64 };

typedef struct ssti_c_writer {
  ssti_c_plan *plan;
  const char *name, *upper; // mnist, MNIST
  ssti_text *text;
  bool used[SSTI_C_HELPERS];
  const char *y, *x, *index; // how the position at hand is written; the channel is c, the step t
} ssti_c_writer;

// Puts text at the end, without a new line.
#define ssti_c_put(w, ...) ssti_text_append((w)->text, __VA_ARGS__)

// One line, indented by two spaces for each level.
void ssti_c_line(ssti_c_writer *w, int level, const char *format, ...) SST_PRINTF(3, 4);

// Everything below adds to `text` and marks the helpers that it calls.
void ssti_c_write_tables(ssti_c_writer *w); // weights, factors, offsets; counts their bytes in the plan
void ssti_c_write_memory(ssti_c_writer *w); // all variables
void ssti_c_write_sums(ssti_c_writer *w);   // sums of synapses that read numbers one by one
void ssti_c_write_neurons(ssti_c_writer *w);
void ssti_c_write_layers(ssti_c_writer *w);  // the functions of all layers, the readout's too
void ssti_c_write_calls(ssti_c_writer *w);   // the public functions
void ssti_c_write_helpers(ssti_c_writer *w); // those that are marked

// What value `value` is at the position at hand, as an expression. Inlined values are sums; those of them that are the
// same in every step have been put into once_<value> if `hoisted`.
void ssti_c_expression(ssti_c_writer *w, int value, bool hoisted);

// The numbers of a value that is kept, in step t: where they begin, as an expression, and number `index`.
void ssti_c_base(ssti_c_writer *w, int value);
void ssti_c_stored_number(ssti_c_writer *w, int value, const char *index);

// Whether a layer reads what the caller gave.
bool ssti_c_reads_input(const ssti_c_plan *plan, int layer);

// All numbers equal?
bool ssti_c_constant(const int32_t *numbers, int64_t count);

#endif
