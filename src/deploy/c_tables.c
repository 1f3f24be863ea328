// SPDX-License-Identifier: Apache-2.0
// Constants and variables of the C source, and what neurons and sums over single numbers do.
#include <inttypes.h>
#include <stdio.h>

#include "deploy/c_writer.h"

// A table in lines of at most 120 columns; `number` gives its numbers.
typedef int64_t number_at(const void *from, int64_t index);

static void write_table(ssti_c_writer *w, ssti_c_store type, const char *name, int64_t count, number_at *number,
                        const void *from) {
  const bool words = type == SSTI_C_PLANES;
  ssti_c_put(w, "static const %s %s[%" PRId64 "] = {", ssti_c_type(type), name, count);
  int column = 120;
  for (int64_t i = 0; i < count; i++) {
    char text[32];
    const int64_t value = number(from, i);
    const int length = words ? snprintf(text, sizeof text, "0x%08" PRIx64 ",", (uint64_t)value)
                             : snprintf(text, sizeof text, "%" PRId64 ",", value);
    if (column + length + 1 > 120) {
      ssti_c_put(w, "\n ");
      column = 1;
    }
    ssti_c_put(w, " %s", text);
    column += length + 1;
  }
  ssti_c_put(w, "\n};\n");
  w->plan->table_bytes += count * ssti_c_size(type);
}

static int64_t int32_at(const void *from, int64_t index) { return ((const int32_t *)from)[index]; }
static int64_t int16_at(const void *from, int64_t index) { return ((const int16_t *)from)[index]; }

// Per-channel numbers, in the narrowest type; none where all are the same, which are written where they are used.
static void write_channels(ssti_c_writer *w, const char *what, int n, const int32_t *numbers, int64_t count) {
  if (ssti_c_constant(numbers, count)) { return; }
  int32_t low = numbers[0], high = numbers[0];
  for (int64_t i = 1; i < count; i++) {
    low = numbers[i] < low ? numbers[i] : low;
    high = numbers[i] > high ? numbers[i] : high;
  }
  char name[32];
  snprintf(name, sizeof name, "%s_%d", what, n);
  write_table(w, ssti_c_narrowest(low, high), name, count, int32_at, numbers);
}

typedef struct packing {
  const int8_t *codes;
  int64_t window, words; // codes of an output; words of one of its planes
  int bits;              // planes, or width of a code
} packing;

// Word of plane b of output o: bit i is bit b of code i, as two's complement.
static int64_t plane_word(const void *from, int64_t index) {
  const packing *p = from;
  const int64_t output = index / (p->bits * p->words), first = index % p->words * 32;
  const int plane = (int)(index / p->words % p->bits);
  uint32_t word = 0;
  for (int64_t i = 0; i < 32 && first + i < p->window; i++) {
    const unsigned code = (unsigned)p->codes[output * p->window + first + i];
    word |= ((code >> plane) & 1U) << i;
  }
  return word;
}

// Bytes of 8 / bits codes each, the first in the lowest bits; `window` is the number of all codes.
static int64_t packed_byte(const void *from, int64_t index) {
  const packing *p = from;
  const int each = 8 / p->bits;
  unsigned byte = 0;
  for (int i = 0; i < each && index * each + i < p->window; i++) {
    byte |= ((unsigned)p->codes[index * each + i] & ((1U << p->bits) - 1)) << (i * p->bits);
  }
  return (int8_t)byte;
}

static void write_window_shape(ssti_c_writer *w, int n) {
  const sst_integer_network *network = w->plan->network;
  const sst_integer_node *node = &network->nodes[n];
  const sst_integer_synapses *s = &node->synapses;
  const sst_integer_value *in = &network->values[node->input[0]];
  const ssti_c_value *from = ssti_c_home(w->plan, node->input[0]);
  ssti_c_put(w,
             "static const window_shape window_%d = {%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
             ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
             ", %" PRId64 ", %" PRId64 "};\n",
             n, in->height, in->width, in->channels, s->kernel_h, s->kernel_w, s->stride_h, s->stride_w, s->pad_h,
             s->pad_w, s->dilation_h, s->dilation_w, in->channels / s->groups, from->planes * from->steps, from->length,
             w->plan->nodes[n].window_words);
  w->plan->table_bytes += 15 * 4;
}

static void write_weights(ssti_c_writer *w, int n) {
  const sst_integer_node *node = &w->plan->network->nodes[n];
  const sst_integer_synapses *s = &node->synapses;
  const ssti_c_node *about = &w->plan->nodes[n];
  const int64_t channels = w->plan->network->values[node->output].channels;
  char name[32];
  ssti_c_put(w, "\n// %s: ", node->name);
  if (about->dense) {
    const int width = ssti_c_code_width(s->weight_bits);
    const packing p = {s->codes, channels * about->window, 0, width};
    ssti_c_put(w, "codes of %d bits, %d in a byte.\n", width, 8 / width);
    snprintf(name, sizeof name, "codes_%d", n);
    write_table(w, SSTI_C_INT8, name, (p.window * width + 7) / 8, packed_byte, &p);
  } else {
    const packing p = {s->codes, about->window, about->window_words, s->weight_bits};
    ssti_c_put(w, "weights of %d bits, plane by plane, the last one the sign.\n", s->weight_bits);
    snprintf(name, sizeof name, "weights_%d", n);
    write_table(w, SSTI_C_PLANES, name, channels * p.bits * p.words, plane_word, &p);
    if (!about->whole) { write_window_shape(w, n); }
  }
  write_channels(w, "factor", n, s->factor, channels);
  write_channels(w, "offset", n, s->offset, channels);
}

void ssti_c_write_tables(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  if (network->pixel_codes != NULL) {
    ssti_c_put(w, "\n// What a byte of the input stands for, channel by channel.\n");
    write_table(w, SSTI_C_INT16, "pixel_codes", network->values[0].channels * 256, int16_at, network->pixel_codes);
  }
  for (int n = 0; n < network->node_count; n++) {
    if (network->nodes[n].kind == SST_INTEGER_NODE_SYNAPSES) { write_weights(w, n); }
  }
}

// ---- variables

void ssti_c_write_memory(ssti_c_writer *w) {
  const ssti_c_plan *plan = w->plan;
  const sst_integer_network *network = plan->network;
  static const char *const names[SSTI_C_STORES] = {[SSTI_C_PLANES] = "memory",
                                                   [SSTI_C_INT8] = "memory_8",
                                                   [SSTI_C_INT16] = "memory_16",
                                                   [SSTI_C_INT32] = "memory_32"};
  ssti_c_put(w, "\n// What layers leave for later ones, each value in a place that is free while it is needed.\n");
  for (int s = 0; s < SSTI_C_STORES; s++) {
    if (names[s] != NULL && plan->arena[s] > 0) {
      ssti_c_put(w, "static %s %s[%" PRId64 "];\n", ssti_c_type((ssti_c_store)s), names[s], plan->arena[s]);
    }
  }
  if (!plan->streaming) { return; }
  ssti_c_put(w, "\n// What is kept from step to step: membranes, sums of the readout.\n");
  for (int n = 0; n < network->node_count; n++) {
    if (network->nodes[n].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    ssti_c_put(w, "static %s state_%d[%" PRId64 "]; // %s\n", ssti_c_type(plan->nodes[n].state), n,
               plan->values[network->nodes[n].output].count, network->nodes[n].name);
  }
  ssti_c_put(w, "static %s_logit sums[%" PRId64 "];\n", w->name, network->classes);
  if (network->nodes[network->node_count - 1].readout.kind == SST_INTEGER_READOUT_INTEGRATOR) {
    ssti_c_put(w, "static int64_t integrator[%" PRId64 "];\n", network->classes);
  }
  ssti_c_put(w, "static int32_t steps_made;\n");
}

// ---- neurons

// " * 8", or nothing; a product beyond 32 bits has a factor that is always 0.
static void put_times(ssti_c_writer *w, int64_t factor) {
  if (factor != 1) { ssti_c_put(w, " * %" PRId64, factor > INT32_MAX ? 0 : factor); }
}

static void write_fire(ssti_c_writer *w, int n) {
  const sst_integer_node *node = &w->plan->network->nodes[n];
  const sst_integer_neurons *p = &node->neurons;
  const ssti_c_store type = w->plan->streaming ? w->plan->nodes[n].state : SSTI_C_INT32;
  ssti_c_put(w, "\n// Neurons of %s: %s reset, ", node->name, p->hard_reset ? "hard" : "soft");
  if (p->decay == 1 && p->decay_shift == 0) {
    ssti_c_put(w, "no leak, ");
  } else {
    ssti_c_put(w, "decay %d / 2^%d, ", p->decay, p->decay_shift);
  }
  if (p->limit > 0) {
    ssti_c_put(w, "membranes of %d bits.\n", p->state_bits);
  } else {
    ssti_c_put(w, "membranes without limit.\n");
  }
  ssti_c_put(w, "static int fire_%d(%s *state, int32_t current) {\n  const int32_t h = *state", n, ssti_c_type(type));
  put_times(w, INT64_C(1) << p->state_shift);
  ssti_c_put(w, " + current");
  put_times(w, p->gain * (INT64_C(1) << p->input_shift));
  ssti_c_put(w, ";\n  const int fires = h >= %" PRId32 ";\n", p->threshold);
  if (p->hard_reset) {
    ssti_c_put(w, "  const int32_t u = fires ? 0 : h;\n");
  } else {
    ssti_c_put(w, "  const int32_t u = fires ? h - %" PRId32 " : h;\n", p->threshold_step);
  }
  ssti_c_put(w, "  *state = ");
  if (type != SSTI_C_INT32) { ssti_c_put(w, "(%s)", ssti_c_type(type)); }
  if (p->limit > 0) {
    w->used[SSTI_C_CLIP] = true;
    ssti_c_put(w, "clip(");
  } else if (type != SSTI_C_INT32) {
    ssti_c_put(w, "(");
  }
  if (p->decay_shift > 0) {
    w->used[SSTI_C_SHIFT_DOWN] = true;
    ssti_c_put(w, "shift_down(u");
    put_times(w, p->decay);
    ssti_c_put(w, " + %" PRId64 ", %d)", INT64_C(1) << (p->decay_shift - 1), p->decay_shift);
  } else {
    ssti_c_put(w, "u");
    put_times(w, p->decay);
  }
  if (p->limit > 0) { ssti_c_put(w, ", %" PRId32 ")", p->limit); }
  if (p->limit <= 0 && type != SSTI_C_INT32) { ssti_c_put(w, ")"); }
  ssti_c_put(w, ";\n  return fires;\n}\n");
}

void ssti_c_write_neurons(ssti_c_writer *w) {
  for (int n = 0; n < w->plan->network->node_count; n++) {
    if (w->plan->network->nodes[n].kind == SST_INTEGER_NODE_NEURONS && w->plan->nodes[n].same == n) {
      write_fire(w, n);
    }
  }
}

// ---- sums over numbers one by one

// The input as numbers.
static void write_input_at(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  const sst_integer_value *in = &network->values[0];
  ssti_c_put(w, "\n// Number `index` of the input");
  if (network->pixel_codes != NULL) {
    ssti_c_put(w, ".\nstatic int32_t input_at(const %s_input *input, int32_t index) {\n", w->name);
    if (in->channels == 1) {
      ssti_c_put(w, "  return pixel_codes[input[index]];\n}\n");
    } else {
      ssti_c_put(w, "  return pixel_codes[index %% %" PRId64 " * 256 + input[index]];\n}\n", in->channels);
    }
    return;
  }
  ssti_c_put(w, ", brought within the bounds that the network was made for.\n");
  ssti_c_put(w, "static int32_t input_at(const %s_input *input, int32_t index) {\n", w->name);
  ssti_c_put(w, "  const int32_t number = input[index];\n");
  ssti_c_put(w, "  return number < %" PRId64 " ? %" PRId64 " : number > %" PRId64 " ? %" PRId64 " : number;\n}\n",
             in->low, in->low, in->high, in->high);
}

// A code's number `at` as an expression.
static void put_code(ssti_c_writer *w, int n, const char *at) {
  const int width = ssti_c_code_width(w->plan->network->nodes[n].synapses.weight_bits);
  if (width == 8) {
    ssti_c_put(w, "codes_%d[%s]", n, at);
  } else {
    w->used[width == 2 ? SSTI_C_CODE_2 : SSTI_C_CODE_4] = true;
    ssti_c_put(w, "code_%d(codes_%d, %s)", width, n, at);
  }
}

static void write_sum(ssti_c_writer *w, int n) {
  const sst_integer_network *network = w->plan->network;
  const sst_integer_node *node = &network->nodes[n];
  const sst_integer_synapses *s = &node->synapses;
  const sst_integer_value *in = &network->values[node->input[0]];
  const ssti_c_node *about = &w->plan->nodes[n];
  const ssti_c_value *from = ssti_c_home(w->plan, node->input[0]);
  const int64_t taken = in->channels / s->groups, outputs = network->values[node->output].channels / s->groups;
  w->used[SSTI_C_SIGNED] = true;
  ssti_c_put(w, "\n// %s: sum of code times number over the window of output channel c.\nstatic int32_t sum_%d(",
             node->name, n);
  if (from->store == SSTI_C_INPUT) { ssti_c_put(w, "const %s_input *input, ", w->name); }
  if (from->steps > 1) { ssti_c_put(w, "int32_t t, "); }
  if (!about->whole) { ssti_c_put(w, "int32_t y, int32_t x, "); }
  ssti_c_put(w, "int32_t c) {\n  uint32_t sum = 0;\n");
  if (about->whole) {
    ssti_c_put(w, "  for (int32_t i = 0; i < %" PRId64 "; i++) { sum += (uint32_t)(", about->window);
    char at[64];
    snprintf(at, sizeof at, "c * %" PRId64 " + i", about->window);
    put_code(w, n, at);
    ssti_c_put(w, " * ");
    ssti_c_stored_number(w, node->input[0], "i");
    ssti_c_put(w, "); }\n");
  } else {
    ssti_c_line(w, 1, "int32_t code = c * %" PRId64 ";", about->window);
    ssti_c_line(w, 1, "for (int32_t i = 0; i < %" PRId64 "; i++) {", s->kernel_h);
    ssti_c_line(w, 2, "const int32_t row = y * %" PRId64 " - %" PRId64 " + i * %" PRId64 ";", s->stride_h, s->pad_h,
                s->dilation_h);
    ssti_c_line(w, 2, "for (int32_t j = 0; j < %" PRId64 "; j++, code += %" PRId64 ") {", s->kernel_w, taken);
    ssti_c_line(w, 3, "const int32_t column = x * %" PRId64 " - %" PRId64 " + j * %" PRId64 ";", s->stride_w, s->pad_w,
                s->dilation_w);
    ssti_c_line(w, 3, "if (row < 0 || row >= %" PRId64 " || column < 0 || column >= %" PRId64 ") { continue; }",
                in->height, in->width);
    ssti_c_put(w, "      const int32_t first = (row * %" PRId64 " + column) * %" PRId64, in->width, in->channels);
    if (s->groups > 1) { ssti_c_put(w, " + c / %" PRId64 " * %" PRId64, outputs, taken); }
    ssti_c_put(w, ";\n      for (int32_t k = 0; k < %" PRId64 "; k++) { sum += (uint32_t)(", taken);
    put_code(w, n, "code + k");
    ssti_c_put(w, " * ");
    ssti_c_stored_number(w, node->input[0], "first + k");
    ssti_c_put(w, "); }\n    }\n  }\n");
  }
  ssti_c_put(w, "  return to_signed(sum);\n}\n");
}

void ssti_c_write_sums(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  bool reads_input = w->plan->values[0].store == SSTI_C_PLANES;
  for (int n = 0; n < network->node_count; n++) { reads_input |= ssti_c_reads_input(w->plan, n); }
  if (reads_input) { write_input_at(w); }
  for (int n = 0; n < network->node_count; n++) {
    if (network->nodes[n].kind == SST_INTEGER_NODE_SYNAPSES && w->plan->nodes[n].dense) { write_sum(w, n); }
  }
}
