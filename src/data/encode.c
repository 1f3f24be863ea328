// SPDX-License-Identifier: Apache-2.0
#include "data/encode.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
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
        step[i] = (float)(words[i - 4 * g] >> 8) * 0x1p-24f < values[i] ? 1.f : 0.f;
      }
    }
  }
}

void ssti_encode_latency(const float *values, int64_t count, int64_t timesteps, int64_t stride, float *out) {
  for (int64_t t = 0; t < timesteps; t++) { memset(out + t * stride, 0, (size_t)count * sizeof *out); }
  for (int64_t i = 0; i < count; i++) {
    if (values[i] <= 0.f) { continue; }
    // The allowance puts values such as 204/255 = 0.8, which are not exact in binary, on the step they belong to.
    double latency = (1.0 - (double)values[i] + 1e-6) * (double)timesteps;
    int64_t t = (int64_t)floor(latency);
    // A value that is nearly 0 comes to lie on the step after the last.
    if (t >= timesteps) { t = timesteps - 1; }
    out[t * stride + i] = 1.f;
  }
}
