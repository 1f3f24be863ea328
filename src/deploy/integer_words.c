// SPDX-License-Identifier: Apache-2.0
// Words of the kinds of nodes and readouts.

#include "base/text.h"
#include "spikestill/integer.h"

static const char *const node_words[] = {
#define NODE_WORD(name, word, text) word,
    SST_INTEGER_NODE_LIST(NODE_WORD)
#undef NODE_WORD
};
static const char *const readout_words[] = {
#define READOUT_WORD(name, word, text) word,
    SST_INTEGER_READOUT_LIST(READOUT_WORD)
#undef READOUT_WORD
};

const char *sst_integer_node_word(sst_integer_node_kind kind) {
  return (unsigned)kind < SST_INTEGER_NODE_COUNT ? node_words[kind] : "unknown";
}

bool sst_integer_node_parse(const char *word, sst_integer_node_kind *out) {
  const int found = ssti_find_word(word, node_words, SST_INTEGER_NODE_COUNT);
  if (found >= 0) { *out = (sst_integer_node_kind)found; }
  return found >= 0;
}

const char *sst_integer_readout_word(sst_integer_readout_kind kind) {
  return (unsigned)kind < SST_INTEGER_READOUT_COUNT ? readout_words[kind] : "unknown";
}

bool sst_integer_readout_parse(const char *word, sst_integer_readout_kind *out) {
  const int found = ssti_find_word(word, readout_words, SST_INTEGER_READOUT_COUNT);
  if (found >= 0) { *out = (sst_integer_readout_kind)found; }
  return found >= 0;
}
