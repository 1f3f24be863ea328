// SPDX-License-Identifier: Apache-2.0
// State dictionaries: a network's parameters as a plain safetensors file that other tools read and write.
//
// Layout "torch" has PyTorch's names and shapes:
//
//     ours                           there                         shape there
//     3.conv.weight [1,O,Kh,Kw,I]    3.weight                      [O,I,Kh,Kw]
//     8.linear.weight [1,O,1,1,I]    8.weight                      [O,I]; behind a flattened picture, and before the
//     next
//                                                                  linear layer, features are in PyTorch's order
//                                                                  (C,H,W)
//     3.conv.bias, 8.linear.bias     3.bias, 8.bias                [O]
//     4.norm.gamma, .beta            4.weight, 4.bias              [C]
//     4.norm.running_mean            4.running_mean                [C]
//     4.norm.running_variance        4.running_var                 [C]
//     5.conv2.weight, 5.norm2.beta   5.conv2.weight, 5.norm2.bias  as above: parts of a block keep their names
//     2.decay (PLIF)                 2.w                           []: the same w, decay = 1 - sigmoid(w)
//
// So the file of a network without blocks loads into a torch.nn.Sequential with the same layers in the same places.
// Layout "spikestill" has our names and shapes, as in checkpoints. Quantisers' steps are written as they are; a file
// need not have them: steps then start from the weights.
//
// Reading finds by itself which tensor is which (in this order): all names as written in one of the two layouts; else
// modules (tensors that share what stands before the last dot) of the same kind and shape in their order, which is that
// of the numbers in their names where the file is sorted by name (safetensors sorts), and else that of the file. Where
// names differ in letters, order means nothing, and a name map has to say it: a YAML map of lines "ours: theirs", each
// for a tensor ("4.norm.gamma: bn1.weight") or a module ("4.norm: bn1"). What it does not name is found as before.
//
// Not read: num_batches_tracked, and the constants and states of other tools' neurons (beta, threshold, v_mem, ...):
// neurons are the recipe's. A note says so, and where beta or threshold differ from the network's.
#ifndef SPIKESTILL_STATE_DICT_H
#define SPIKESTILL_STATE_DICT_H

#include "spikestill/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_STATE_LAYOUT_LIST(X)                                                                                       \
  X(TORCH, "torch", "names and shapes of PyTorch")                                                                     \
  X(SPIKESTILL, "spikestill", "our own names and shapes")
typedef enum sst_state_layout {
#define SST_STATE_LAYOUT_ENUM(name, word, text) SST_STATE_LAYOUT_##name,
  SST_STATE_LAYOUT_LIST(SST_STATE_LAYOUT_ENUM)
#undef SST_STATE_LAYOUT_ENUM
      SST_STATE_LAYOUT_COUNT
} sst_state_layout;
// Words and back. The parser returns false for an unknown word. The texts have static storage.
SST_API const char *sst_state_layout_word(sst_state_layout layout);
SST_API bool sst_state_layout_parse(const char *word, sst_state_layout *out);

typedef struct sst_state_options {
  sst_state_layout layout;                    // of a file that is written; one that is read says it
  const char *map;                            // file with a name map; NULL: none
  void (*note)(void *user, const char *line); // of reading; may be NULL
  void *user;
} sst_state_options;

// Writes the parameters of the compiled graph's store. Errors: RECIPE (the map: file, line), MISMATCH (the map names
// what the network does not have), INVALID_ARGUMENT (two tensors get one name), IO.
SST_MUST_CHECK SST_API sst_status sst_state_write(sst_graph *graph, const char *path, const sst_state_options *options);

// Reads all parameters of the compiled graph's store, from 16-, 32- or 64-bit floats. Nothing is changed on failure.
// Errors: those of sst_safetensors_open and of the map; MISMATCH with everything at once: what is missing, left over,
// of another shape or not to be told apart; FORMAT (a value is not finite).
SST_MUST_CHECK SST_API sst_status sst_state_read(sst_graph *graph, const char *path, const sst_state_options *options);

// The name map that reading that file would use, to be completed: YAML, a line a module, open ones without a name,
// guesses and tensors left over as comments. *out is owned by the caller (sst_state_text_free).
SST_MUST_CHECK SST_API sst_status sst_state_print_map(sst_graph *graph, const char *path,
                                                      const sst_state_options *options, char **out);
SST_API void sst_state_text_free(sst_context *context, char *text);

#ifdef __cplusplus
}
#endif
#endif
