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

static int larger(int a, int b) { return a > b ? a : b; }

// What cannot be said in integers.
static sst_status check_neurons(const ssti_lowering *l, sst_value value, const sst_neuron *neuron,
                                const ssti_dynamics *d) {
  if (d->adapts || d->current) {
    return ssti_lower_refuse(l, value, "neurons of kind %s have no integer form; take if, lif or plif",
                             sst_neuron_word(neuron->kind));
  }
  if (!d->stores && (d->decay != 1.0f || d->gain != 1.0f)) {
    return ssti_lower_refuse(l, value, "its leak makes ever finer numbers; train with student.quantize.membrane_bits");
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
    n->start = (int32_t)ssti_scaled((double)d->start, fine);
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

static sst_status fill_neurons(const ssti_lowering *l, sst_value value, const ssti_dynamics *d, int bits,
                               const sst_integer_value *in, sst_integer_neurons *n) {
  const int of_gain = larger(ssti_fraction_bits((double)d->gain, 0), 0), of_input = in->exponent + of_gain;
  const int of_state =
      d->stores ? ssti_fraction_bits((double)d->grid_step, 0) : ssti_fraction_bits((double)d->start, 0);
  const int of_reset = d->hard_reset ? 0 : ssti_fraction_bits((double)d->threshold, 0);
  const int fine = larger(larger(of_input, of_state), larger(of_reset, 0));
  const int of_leak = d->stores ? larger(ssti_fraction_bits((double)d->stored_decay, 0), 0) : 0;
  const double threshold = ceil(ldexp((double)d->threshold, fine));
  if (fine - of_input > 31 || of_leak + fine - of_state > 31 || threshold > (double)INT32_MAX) {
    return ssti_lower_refuse(l, value,
                             "its threshold %g and its input with %d bits behind the point do not fit 32 bits",
                             (double)d->threshold, in->exponent);
  }
  n->gain = (int)ssti_scaled((double)d->gain, of_gain);
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
    return ssti_lower_refuse(l, value,
                             "its membrane may reach %" PRId64 "..%" PRId64
                             " units, but f32 holds only 2^24 of them; take fewer norm_bits or membrane_bits",
                             r.h.low, r.h.high);
  }
  return SST_OK;
}

sst_status ssti_lower_neurons(ssti_lowering *l, const ssti_node *node) {
  const sst_neuron *neuron = &((const ssti_neuron_attributes *)node->attributes)->neuron;
  const sst_value value = node->outputs[0];
  const float *decay = NULL;
  if (neuron->kind == SST_NEURON_PLIF) { SST_TRY(ssti_lower_parameter(l, value, node->inputs[1], &decay)); }
  const ssti_dynamics d = ssti_dynamics_make(neuron, decay);
  if (!d.fires) {
    l->integrator = node;
    l->places[value] = l->places[node->inputs[0]];
    return SST_OK;
  }
  SST_TRY(check_neurons(l, value, neuron, &d));
  const sst_integer_value in = *ssti_lower_input(l, node);
  sst_integer_node made = {.kind = SST_INTEGER_NODE_NEURONS, .input = {l->places[node->inputs[0]], -1}};
  SST_TRY(fill_neurons(l, value, &d, neuron->membrane_bits, &in, &made.neurons));
  SST_TRY(ssti_lower_add(l, &made, value, value, 0, 0));
  return check_exact(l, value);
}
