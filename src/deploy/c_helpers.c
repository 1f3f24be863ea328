// SPDX-License-Identifier: Apache-2.0
// The small functions that layers of the C source call, as text.
#include "deploy/c_writer.h"

static const char *const helper_text[SSTI_C_HELPERS] = {
    [SSTI_C_CLEAR] = "static void clear(uint32_t *words, int32_t count) {\n"
                     "  for (int32_t i = 0; i < count; i++) { words[i] = 0; }\n"
                     "}\n",
    [SSTI_C_SIGNED] = "// The number of 32 bits that is congruent: sums wrap around on their way, never at their end.\n"
                      "static int32_t to_signed(uint32_t sum) {\n"
                      "  return sum <= INT32_MAX ? (int32_t)sum : -(int32_t)(UINT32_MAX - sum) - 1;\n"
                      "}\n",
    [SSTI_C_ONES] = "// Bits that are set.\n"
                    "static uint32_t ones(uint32_t word) {\n"
                    "#if defined(__GNUC__) && (defined(__POPCNT__) || defined(__aarch64__) || defined(__riscv_zbb))\n"
                    "  return (uint32_t)__builtin_popcount(word);\n"
                    "#else\n"
                    "  word -= (word >> 1) & 0x55555555u;\n"
                    "  word = (word & 0x33333333u) + ((word >> 2) & 0x33333333u);\n"
                    "  return (((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24;\n"
                    "#endif\n"
                    "}\n",
    [SSTI_C_DOT] =
        "// Sum of number times weight, both in planes of `words` words; the weight's last plane is its sign.\n"
        "static int32_t dot(const uint32_t *numbers, int32_t number_planes, const uint32_t *weights, int32_t planes,\n"
        "                   int32_t words) {\n"
        "  uint32_t sum = 0;\n"
        "  for (int32_t p = 0; p < planes; p++) {\n"
        "    const uint32_t *number = numbers;\n"
        "    uint32_t part = 0;\n"
        "    for (int32_t q = 0; q < number_planes; q++) {\n"
        "      uint32_t count = 0;\n"
        "      for (int32_t i = 0; i < words; i++) { count += ones(number[i] & weights[i]); }\n"
        "      part += count << q;\n"
        "      number += words;\n"
        "    }\n"
        "    sum += (p == planes - 1 ? 0u - part : part) << p;\n"
        "    weights += words;\n"
        "  }\n"
        "  return to_signed(sum);\n"
        "}\n",
    [SSTI_C_WINDOWS] =
        "static void copy_bits(const uint32_t *from, int32_t start, uint32_t *to, int32_t at, int32_t count) {\n"
        "  while (count > 0) {\n"
        "    const int32_t skip = start & 31, room = 32 - (at & 31), bits = count < room ? count : room;\n"
        "    uint32_t word = from[start >> 5] >> skip;\n"
        "    if (skip + bits > 32) { word |= from[(start >> 5) + 1] << (32 - skip); }\n"
        "    if (bits < 32) { word &= ((uint32_t)1 << bits) - 1; }\n"
        "    to[at >> 5] |= word << (at & 31);\n"
        "    start += bits;\n"
        "    at += bits;\n"
        "    count -= bits;\n"
        "  }\n"
        "}\n"
        "\n"
        "// What the synapses at output position (y, x) read, from channel `first` on, in the order of their weights: "
        "0\n"
        "// beyond the border. Of every plane of every step.\n"
        "static void take_windows(const window_shape *s, const uint32_t *plane, uint32_t *window, int32_t y, int32_t "
        "x,\n"
        "                         int32_t first) {\n"
        "  for (int32_t p = 0; p < s->planes; p++) {\n"
        "    clear(window, s->window_words);\n"
        "    for (int32_t i = 0; i < s->kernel_h; i++) {\n"
        "      const int32_t row = y * s->stride_h - s->pad_h + i * s->dilation_h;\n"
        "      if (row < 0 || row >= s->height) { continue; }\n"
        "      for (int32_t j = 0; j < s->kernel_w; j++) {\n"
        "        const int32_t column = x * s->stride_w - s->pad_w + j * s->dilation_w;\n"
        "        if (column < 0 || column >= s->width) { continue; }\n"
        "        copy_bits(plane, (row * s->width + column) * s->channels + first, window, (i * s->kernel_w + j) * "
        "s->taken,\n"
        "                  s->taken);\n"
        "      }\n"
        "    }\n"
        "    plane += s->plane_words;\n"
        "    window += s->window_words;\n"
        "  }\n"
        "}\n",
    [SSTI_C_CODE_2] = "// Code `index` of those that lie four in a byte.\n"
                      "static int32_t code_2(const int8_t *codes, int32_t index) {\n"
                      "  return ((((uint8_t)codes[index >> 2] >> (2 * (index & 3))) & 3) ^ 2) - 2;\n"
                      "}\n",
    [SSTI_C_CODE_4] = "// Code `index` of those that lie two in a byte.\n"
                      "static int32_t code_4(const int8_t *codes, int32_t index) {\n"
                      "  return ((((uint8_t)codes[index >> 1] >> (4 * (index & 1))) & 15) ^ 8) - 8;\n"
                      "}\n",
    [SSTI_C_SHIFT_DOWN] = "// floor(number / 2^bits)\n"
                          "static int32_t shift_down(int32_t number, int32_t bits) {\n"
                          "  return number >= 0 ? number >> bits : ~(~number >> bits);\n"
                          "}\n",
    [SSTI_C_CLIP] = "static int32_t clip(int32_t number, int32_t limit) {\n"
                    "  return number < -limit ? -limit : number > limit ? limit : number;\n"
                    "}\n",
    [SSTI_C_GET_BIT] = "static int32_t get_bit(const uint32_t *plane, int32_t index) {\n"
                       "  return (int32_t)((plane[index >> 5] >> (index & 31)) & 1u);\n"
                       "}\n",
    [SSTI_C_SET_BIT] = "static void set_bit(uint32_t *plane, int32_t index) {\n"
                       "  plane[index >> 5] |= (uint32_t)1 << (index & 31);\n"
                       "}\n",
    [SSTI_C_ADD_ONE] = "// Number `index` becomes greater by one: a carry through its planes.\n"
                       "static void add_one(uint32_t *plane, int32_t words, int32_t index) {\n"
                       "  const uint32_t bit = (uint32_t)1 << (index & 31);\n"
                       "  while (((plane[index >> 5] ^= bit) & bit) == 0) { plane += words; }\n"
                       "}\n",
    [SSTI_C_GET_NUMBER] =
        "static int32_t get_number(const uint32_t *plane, int32_t planes, int32_t words, int32_t index) {\n"
        "  int32_t number = 0;\n"
        "  for (int32_t p = 0; p < planes; p++) { number += get_bit(plane + p * words, index) << p; }\n"
        "  return number;\n"
        "}\n",
    [SSTI_C_PUT_NUMBER] = "static void put_number(uint32_t *plane, int32_t words, int32_t index, int32_t number) {\n"
                          "  for (; number > 0; number >>= 1, plane += words) {\n"
                          "    if (number & 1) { set_bit(plane, index); }\n"
                          "  }\n"
                          "}\n",
    [SSTI_C_FIRST_WINDOW] = "// The first window of a pool that holds a position of the padded input.\n"
                            "static int32_t first_window(int32_t position, int32_t kernel, int32_t stride) {\n"
                            "  return position < kernel ? 0 : (position - kernel) / stride + 1;\n"
                            "}\n",
};

void ssti_c_write_helpers(ssti_c_writer *w) {
  for (int h = 0; h < SSTI_C_HELPERS; h++) {
    if (w->used[h]) { ssti_c_put(w, "\n%s", helper_text[h]); }
  }
}
