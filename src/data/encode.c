// SPDX-License-Identifier: Apache-2.0
#include "data/encode.h"

#include <string.h>

#include "base/random.h"
#include "picture/picture_formulas.h"
#include "spikestill/data.h"

static const char *const WORDS[SST_ENCODING_COUNT] = {
#define ENCODING_WORD(name, word, text) word,
    SST_ENCODING_LIST(ENCODING_WORD)
#undef ENCODING_WORD
};

const char *sst_encoding_word(sst_encoding encoding) {
  return (int)encoding >= 0 && encoding < SST_ENCODING_COUNT ? WORDS[encoding] : "unknown";
}

void ssti_encode_poisson(const float *values, int64_t count, int64_t timesteps, int64_t stride, uint64_t seed,
                         uint64_t stream, float *out) {
  int64_t groups = (count + 3) / 4; // one call of the generator serves four values
  for (int64_t t = 0; t < timesteps; t++) {
    float *step = out + t * stride;
    for (int64_t g = 0; g < groups; g++) {
      uint32_t words[4];
      ssti_random_words(seed, stream, (uint64_t)(t * groups + g), words);
      for (int64_t i = 4 * g; i < count && i < 4 * g + 4; i++) {
        step[i] = ssti_picture_poisson(words[i - 4 * g], values[i]);
      }
    }
  }
}

void ssti_encode_latency(const float *values, int64_t count, int64_t timesteps, int64_t stride, float *out) {
  for (int64_t t = 0; t < timesteps; t++) { memset(out + t * stride, 0, (size_t)count * sizeof *out); }
  for (int64_t i = 0; i < count; i++) {
    const int64_t t = ssti_picture_latency(values[i], timesteps);
    if (t >= 0) { out[t * stride + i] = 1.f; }
  }
}
