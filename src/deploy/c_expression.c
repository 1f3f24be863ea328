// SPDX-License-Identifier: Apache-2.0
// Values as C expressions.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "deploy/c_writer.h"

void ssti_c_line(ssti_c_writer *w, int level, const char *format, ...) {
  char line[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(line, sizeof line, format, list);
  va_end(list);
  ssti_text_append(w->text, "%*s%s\n", 2 * level, "", line);
}

bool ssti_c_constant(const int32_t *numbers, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    if (numbers[i] != numbers[0]) { return false; }
  }
  return true;
}

static const char *const arrays[SSTI_C_STORES] = {
    [SSTI_C_PLANES] = "memory", [SSTI_C_INT8] = "memory_8", [SSTI_C_INT16] = "memory_16", [SSTI_C_INT32] = "memory_32"};

// " + 12 + t * 20": what of it is not nothing.
static void put_place(ssti_c_writer *w, const ssti_c_value *home) {
  const int64_t step = home->length * home->planes;
  if (home->at > 0) { ssti_c_put(w, " + %" PRId64, home->at); }
  if (home->steps > 1) { ssti_c_put(w, " + t"); }
  if (home->steps > 1 && step > 1) { ssti_c_put(w, " * %" PRId64, step); }
}

void ssti_c_base(ssti_c_writer *w, int value) {
  const ssti_c_value *home = ssti_c_home(w->plan, value);
  ssti_c_put(w, "%s", arrays[home->store]);
  put_place(w, home);
}

void ssti_c_stored_number(ssti_c_writer *w, int value, const char *index) {
  const ssti_c_value *home = ssti_c_home(w->plan, value);
  if (home->store == SSTI_C_INPUT) {
    ssti_c_put(w, "input_at(input, %s)", index);
  } else if (home->store == SSTI_C_PLANES && home->planes == 1) {
    w->used[SSTI_C_GET_BIT] = true;
    ssti_c_put(w, "get_bit(");
    ssti_c_base(w, value);
    ssti_c_put(w, ", %s)", index);
  } else if (home->store == SSTI_C_PLANES) {
    w->used[SSTI_C_GET_BIT] = w->used[SSTI_C_GET_NUMBER] = true;
    ssti_c_put(w, "get_number(");
    ssti_c_base(w, value);
    ssti_c_put(w, ", %d, %" PRId64 ", %s)", home->planes, home->length, index);
  } else {
    ssti_c_put(w, "%s[%s", arrays[home->store], index);
    put_place(w, home);
    ssti_c_put(w, "]");
  }
}

// Sum of codes times inputs for output c.
static void put_sum(ssti_c_writer *w, int n) {
  const sst_integer_node *node = &w->plan->network->nodes[n];
  const ssti_c_node *about = &w->plan->nodes[n];
  const ssti_c_value *from = ssti_c_home(w->plan, node->input[0]);
  if (about->dense) {
    ssti_c_put(w, "sum_%d(", n);
    if (from->store == SSTI_C_INPUT) { ssti_c_put(w, "input, "); }
    if (from->steps > 1) { ssti_c_put(w, "t, "); }
    if (!about->whole) { ssti_c_put(w, "%s, %s, ", w->y, w->x); }
    ssti_c_put(w, "c)");
    return;
  }
  w->used[SSTI_C_DOT] = w->used[SSTI_C_ONES] = w->used[SSTI_C_SIGNED] = true;
  ssti_c_put(w, "dot(");
  if (about->whole) {
    ssti_c_base(w, node->input[0]);
  } else {
    ssti_c_value window = *from;
    window.at = about->window_at;
    window.length = about->window_words;
    ssti_c_put(w, "memory");
    put_place(w, &window);
  }
  const int bits = node->synapses.weight_bits;
  ssti_c_put(w, ", %d, weights_%d + c * %" PRId64 ", %d, %" PRId64 ")", from->planes, n, bits * about->window_words,
             bits, about->window_words);
}

static void put_synapses(ssti_c_writer *w, int n) {
  const sst_integer_node *node = &w->plan->network->nodes[n];
  const sst_integer_synapses *s = &node->synapses;
  const int64_t channels = w->plan->network->values[node->output].channels;
  if (!ssti_c_constant(s->factor, channels)) {
    ssti_c_put(w, "factor_%d[c] * ", n);
  } else if (s->factor[0] != 1) {
    ssti_c_put(w, "%" PRId32 " * ", s->factor[0]);
  }
  put_sum(w, n);
  if (!ssti_c_constant(s->offset, channels)) {
    ssti_c_put(w, " + offset_%d[c]", n);
  } else if (s->offset[0] != 0) {
    ssti_c_put(w, " %c %" PRId64, s->offset[0] < 0 ? '-' : '+',
               s->offset[0] < 0 ? -(int64_t)s->offset[0] : s->offset[0]);
  }
}

// A side of a sum, shifted: by a product, since C leaves shifts of negative numbers open.
static void put_side(ssti_c_writer *w, int value, int shift, bool hoisted) {
  if (shift == 0) {
    ssti_c_expression(w, value, hoisted);
  } else {
    ssti_c_put(w, "(");
    ssti_c_expression(w, value, hoisted);
    // A shift by 31 leaves 32 bits unless the number is always 0.
    ssti_c_put(w, ") * %" PRId64, shift == 31 ? 0 : INT64_C(1) << shift);
  }
}

void ssti_c_expression(ssti_c_writer *w, int value, bool hoisted) {
  const ssti_c_value *place = &w->plan->values[value];
  if (place->home != value || place->store != SSTI_C_NOWHERE) {
    ssti_c_stored_number(w, value, w->index);
    return;
  }
  if (hoisted && w->plan->network->values[value].once) {
    ssti_c_put(w, "once_%d", value);
    return;
  }
  const sst_integer_node *node = &w->plan->network->nodes[value - 1];
  if (node->kind == SST_INTEGER_NODE_SYNAPSES) {
    put_synapses(w, value - 1);
  } else { // an addition: nothing else is inlined
    put_side(w, node->input[0], node->shift[0], hoisted);
    ssti_c_put(w, " + ");
    put_side(w, node->input[1], node->shift[1], hoisted);
  }
}
