// SPDX-License-Identifier: Apache-2.0
// Neurons. In real numbers, with D the step of the stored state and input x (neuron.h):
//
//     H = v + gain * x;  s = [H >= theta];  u = H after the reset;  v = D * round(clip(decay * u / D, -Q, Q))
//
// The integers of H lie on the finest of the exponents of v, of gain * x and, where a soft reset subtracts it, of
// theta. A threshold between two integers is the upper one. Clipping before rounding and after it is the same, because
// Q is an integer.
#include <inttypes.h>
#include <math.h>
#include <stdint.h>

#include "deploy/dyadic.h"
#include "deploy/integer_rules.h"
#include "deploy/lower.h"
#include "neuron/dynamics.h"

enum { STATE_BITS = 16 };              // of states that are approximated
static const float state_range = 4.0f; // and their reach, in thresholds

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

// What cannot be said in integers.
static sst_status check_neurons(const ssti_lowering *l, sst_value value, const sst_neuron *neuron,
                                const ssti_dynamics *d) {
  if (d->adapts || d->current) {
    return ssti_lower_refuse(l, value, "neurons of kind %s have no integer form; take if, lif or plif",
                             sst_neuron_word(neuron->kind));
  }
  if (!d->stores && (d->decay != 1.0f || d->gain != 1.0f)) {
    SST_TRY(
        ssti_lower_may_round(l, value, "its leak makes ever finer numbers; train with student.quantize.membrane_bits"));
  }
  if (d->gain == 0.0f) {
    return ssti_lower_refuse(l, value, "its leak is less than 1/512 a step, too little for multiples of 1/256");
  }
  if (d->hard_reset && d->reset_to != 0.0f) {
    return ssti_lower_refuse(l, value, "it resets to %g, expected v_reset 0", (double)d->reset_to);
  }
  return SST_OK;
}

// The stored state and its leak; `fine` is the exponent of H.
static void fill_state(const ssti_dynamics *d, int bits, int fine, sst_integer_neurons *n) {
  if (!d->stores) {
    n->decay = 1;
    n->state_bits = 32;
    n->start = (int32_t)ssti_nearest(ldexp((double)d->start, fine));
    return;
  }
  const int state = ssti_fraction_bits((double)d->grid_step, 0);
  const int leak = larger(ssti_fraction_bits((double)d->stored_decay, 0), 0);
  n->decay = (int)ssti_scaled((double)d->stored_decay, leak);
  n->decay_shift = leak + fine - state;
  n->state_shift = fine - state;
  n->state_bits = bits;
  n->limit = ssti_integer_largest_code(bits);
  n->start = (int32_t)ssti_scaled((double)ssti_start(d), state);
}

// What a soft reset subtracts and, without a grid of states, the first state may ask for finer membranes than there is
// room for.
static sst_status round_to_room(ssti_lowering *l, sst_value value, const ssti_dynamics *d, int fine) {
  if (l->approximate == NULL) { return SST_OK; }
  const double threshold = (double)d->threshold, step = ldexp(1.0, -fine), start = (double)d->start;
  const double lost = d->hard_reset ? 0.0 : ssti_nearest(threshold / step) * step - threshold;
  const double lost_start = d->stores ? 0.0 : ssti_nearest(start / step) * step - start;
  SST_TRY(ssti_lower_note(l, SST_APPROXIMATION_THRESHOLD, value, lost * lost, threshold * threshold));
  return ssti_lower_note(l, SST_APPROXIMATION_STATE, value, lost_start * lost_start, threshold * threshold);
}

static sst_status fill_neurons(ssti_lowering *l, sst_value value, const ssti_dynamics *d, int bits,
                               const sst_integer_value *in, sst_integer_neurons *n) {
  const double gain = l->approximate != NULL ? 1.0 : (double)d->gain; // there the input has it
  const int of_gain = larger(ssti_fraction_bits(gain, 0), 0), of_input = in->exponent + of_gain;
  const int of_state =
      d->stores ? ssti_fraction_bits((double)d->grid_step, 0) : ssti_fraction_bits((double)d->start, 0);
  const int of_reset = d->hard_reset ? 0 : ssti_fraction_bits((double)d->threshold, 0);
  int fine = larger(larger(of_input, of_state), larger(of_reset, 0));
  if (l->approximate != NULL) {
    ssti_lower_room room;
    ssti_lower_room_of(l, d, &room);
    fine = larger(larger(of_input, d->stores ? of_state : 0), smaller(fine, room.finest));
  }
  const int of_leak = d->stores ? larger(ssti_fraction_bits((double)d->stored_decay, 0), 0) : 0;
  const double exact = ldexp((double)d->threshold, fine);
  const double threshold = d->hard_reset || l->approximate == NULL ? ceil(exact) : ssti_nearest(exact);
  if (fine - of_input > 31 || of_leak + fine - of_state > 31 || threshold > (double)INT32_MAX) {
    return ssti_lower_refuse(l, value,
                             "its threshold %g and its input with %d bits behind the point do not fit 32 bits",
                             (double)d->threshold, in->exponent);
  }
  SST_TRY(round_to_room(l, value, d, fine));
  n->gain = (int)ssti_scaled(gain, of_gain);
  n->input_shift = fine - of_input;
  n->exponent = fine;
  n->hard_reset = d->hard_reset;
  n->threshold = (int32_t)threshold;
  n->threshold_step = d->hard_reset ? 0 : n->threshold;
  fill_state(d, bits, fine, n);
  return SST_OK;
}

// Whether f32 rounds nothing: the membrane and, as far as the clip lets it through, its product with the decay.
static sst_status check_exact(const ssti_lowering *l, sst_value value) {
  if (l->approximate != NULL) { return SST_OK; }
  const int index = l->network->node_count - 1;
  const sst_integer_node *node = &l->network->nodes[index];
  const sst_integer_value *in = &l->network->values[node->input[0]];
  const int64_t most = INT64_C(1) << SSTI_EXACT_BITS;
  ssti_integer_neuron_ranges r;
  SST_TRY(ssti_integer_neurons_infer(l->network, index, &r));
  const int64_t gained = node->neurons.gain * (-in->low > in->high ? -in->low : in->high);
  const int64_t passing = (int64_t)(node->neurons.limit + 1) << node->neurons.decay_shift;
  const bool product =
      (r.product.low >= -most && r.product.high <= most) || (node->neurons.limit > 0 && passing <= most);
  if (r.h.low < -most || r.h.high > most || r.u.low < -most || r.u.high > most || gained > most || !product) {
    return ssti_lower_may_round(l, value,
                                "its membrane may reach %" PRId64 "..%" PRId64
                                " units, but f32 holds only 2^24 of them; take fewer norm_bits or membrane_bits",
                                r.h.low, r.h.high);
  }
  return SST_OK;
}

// Without bits, states that leak get those asked for; others only if any are.
sst_status ssti_lower_dynamics(const ssti_lowering *l, const ssti_node *node, ssti_dynamics *out, int *bits) {
  sst_neuron neuron = ((const ssti_neuron_attributes *)node->attributes)->neuron;
  const float *decay = NULL;
  if (neuron.kind == SST_NEURON_PLIF) { SST_TRY(ssti_lower_parameter(l, node->outputs[0], node->inputs[1], &decay)); }
  *out = ssti_dynamics_make(&neuron, decay);
  const bool leaks = out->decay != 1.0f || out->gain != 1.0f;
  if (l->approximate != NULL && out->fires && !out->adapts && !out->current && !out->stores &&
      (leaks || l->approximate->membrane_bits > 0)) {
    neuron.membrane_bits = l->approximate->membrane_bits > 0 ? l->approximate->membrane_bits : STATE_BITS;
    neuron.membrane_range = state_range;
    *out = ssti_dynamics_make(&neuron, decay);
  }
  *bits = neuron.membrane_bits;
  return SST_OK;
}

// What a grid of states takes from neurons that had none.
static sst_status note_states(ssti_lowering *l, const ssti_node *node, const ssti_dynamics *d) {
  const sst_value value = node->outputs[0];
  const double lost = (double)d->stored_decay - (double)d->w_decay, half = 0.5 * (double)d->grid_step;
  if (!d->stores || ((const ssti_neuron_attributes *)node->attributes)->neuron.membrane_bits > 0) { return SST_OK; }
  SST_TRY(ssti_lower_note(l, SST_APPROXIMATION_LEAK, value, lost * lost, (double)d->w_decay * (double)d->w_decay));
  return ssti_lower_note(l, SST_APPROXIMATION_STATE, value, half * half, (double)d->threshold * (double)d->threshold);
}

sst_status ssti_lower_neurons(ssti_lowering *l, const ssti_node *node) {
  const sst_value value = node->outputs[0];
  ssti_dynamics d;
  int bits = 0, place = -1;
  SST_TRY(ssti_lower_dynamics(l, node, &d, &bits));
  if (!d.fires) {
    l->integrator = node;
    l->places[value] = l->places[node->inputs[0]];
    return SST_OK;
  }
  SST_TRY(check_neurons(l, value, &((const ssti_neuron_attributes *)node->attributes)->neuron, &d));
  SST_TRY(note_states(l, node, &d));
  if (l->approximate != NULL) {
    SST_TRY(ssti_lower_in_unit(l, node, 0, ssti_lower_neuron_unit(&d), &place));
  } else {
    place = l->places[node->inputs[0]];
  }
  l->units[value] = 1.0;
  const sst_integer_value in = l->network->values[place];
  sst_integer_node made = {.kind = SST_INTEGER_NODE_NEURONS, .input = {place, -1}};
  SST_TRY(fill_neurons(l, value, &d, bits, &in, &made.neurons));
  SST_TRY(ssti_lower_add(l, &made, value, value, 0, 0));
  return check_exact(l, value);
}
