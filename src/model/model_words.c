// SPDX-License-Identifier: Apache-2.0
// The words of layers, block forms, readouts, norms, activations and builders, and back.

#include "base/fail.h"
#include "base/text.h"
#include "spikestill/model.h"

#define WORD(name, word, text) word,
static const char *const layer_words[] = {SST_LAYER_LIST(WORD)};
static const char *const block_form_words[] = {SST_BLOCK_FORM_LIST(WORD)};
static const char *const readout_words[] = {SST_READOUT_LIST(WORD)};
static const char *const norm_words[] = {SST_NORM_LIST(WORD)};
static const char *const activation_words[] = {SST_ACTIVATION_LIST(WORD)};
static const char *const builder_words[] = {SST_BUILDER_LIST(WORD)};
#undef WORD

const char *sst_layer_word(sst_layer_kind kind) {
  assert(kind < SST_LAYER_COUNT);
  return layer_words[kind];
}

bool sst_layer_parse(const char *word, sst_layer_kind *out) {
  const int found = ssti_find_word(word, layer_words, SST_LAYER_COUNT);
  if (found >= 0) { *out = (sst_layer_kind)found; }
  return found >= 0;
}

const char *sst_block_form_word(sst_block_form form) {
  assert(form < SST_BLOCK_FORM_COUNT);
  return block_form_words[form];
}

bool sst_block_form_parse(const char *word, sst_block_form *out) {
  const int found = ssti_find_word(word, block_form_words, SST_BLOCK_FORM_COUNT);
  if (found >= 0) { *out = (sst_block_form)found; }
  return found >= 0;
}

const char *sst_readout_word(sst_readout readout) {
  assert(readout < SST_READOUT_COUNT);
  return readout_words[readout];
}

bool sst_readout_parse(const char *word, sst_readout *out) {
  const int found = ssti_find_word(word, readout_words, SST_READOUT_COUNT);
  if (found >= 0) { *out = (sst_readout)found; }
  return found >= 0;
}

const char *sst_norm_word(sst_norm_kind kind) {
  assert(kind < SST_NORM_COUNT);
  return norm_words[kind];
}

bool sst_norm_parse(const char *word, sst_norm_kind *out) {
  const int found = ssti_find_word(word, norm_words, SST_NORM_COUNT);
  if (found >= 0) { *out = (sst_norm_kind)found; }
  return found >= 0;
}

const char *sst_activation_word(sst_activation activation) {
  assert(activation < SST_ACTIVATION_COUNT);
  return activation_words[activation];
}

bool sst_activation_parse(const char *word, sst_activation *out) {
  const int found = ssti_find_word(word, activation_words, SST_ACTIVATION_COUNT);
  if (found >= 0) { *out = (sst_activation)found; }
  return found >= 0;
}

const char *sst_builder_word(sst_builder_kind kind) {
  assert(kind < SST_BUILDER_COUNT);
  return builder_words[kind];
}

bool sst_builder_parse(const char *word, sst_builder_kind *out) {
  const int found = ssti_find_word(word, builder_words, SST_BUILDER_COUNT);
  if (found >= 0) { *out = (sst_builder_kind)found; }
  return found >= 0;
}
