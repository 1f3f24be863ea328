// SPDX-License-Identifier: Apache-2.0
// Words, defaults and ranges of neurons and surrogates.
#include "spikestill/neuron.h"

#include <math.h>

#include "base/text.h"
#include "neuron/dynamics.h"
#include "neuron/surrogate.h"

static const char *const neuron_words[] = {
#define NEURON_WORD(name, word, text) word,
    SST_NEURON_LIST(NEURON_WORD)
#undef NEURON_WORD
};

static const char *const surrogate_words[] = {
#define SURROGATE_WORD(name, word, alpha, derivative, primitive) word,
    SST_SURROGATE_LIST(SURROGATE_WORD)
#undef SURROGATE_WORD
};

static const float default_alphas[] = {
#define SURROGATE_ALPHA(name, word, alpha, derivative, primitive) alpha,
    SST_SURROGATE_LIST(SURROGATE_ALPHA)
#undef SURROGATE_ALPHA
};

sst_neuron sst_neuron_default(void) {
  sst_neuron neuron = {
      .kind = SST_NEURON_LIF,
      .decay = 0.5f,
      .threshold = 1.0f,
      .hard_reset = true,
      .v_reset = 0.0f,
      .initial_membrane = 0.0f,
      .decay_input = false,
      .detach_reset = true,
      .current_decay = 0.5f,
      .adaptation = 0.2f,
      .adaptation_decay = 0.9f,
      .surrogate = SST_SURROGATE_ARCTAN,
      .membrane_range = 1.0f,
  };
  neuron.alpha = sst_surrogate_default_alpha(neuron.surrogate);
  return neuron;
}

static bool is_neuron(sst_neuron_kind kind) { return (unsigned)kind < (unsigned)SST_NEURON_COUNT; }
static bool is_surrogate(sst_surrogate_kind kind) { return (unsigned)kind < (unsigned)SST_SURROGATE_COUNT; }

const char *sst_neuron_word(sst_neuron_kind kind) { return is_neuron(kind) ? neuron_words[kind] : "unknown"; }

bool sst_neuron_parse(const char *word, sst_neuron_kind *out) {
  const int found = ssti_find_word(word, neuron_words, SST_NEURON_COUNT);
  if (found >= 0) { *out = (sst_neuron_kind)found; }
  return found >= 0;
}

const char *sst_surrogate_word(sst_surrogate_kind kind) {
  return is_surrogate(kind) ? surrogate_words[kind] : "unknown";
}

bool sst_surrogate_parse(const char *word, sst_surrogate_kind *out) {
  const int found = ssti_find_word(word, surrogate_words, SST_SURROGATE_COUNT);
  if (found >= 0) { *out = (sst_surrogate_kind)found; }
  return found >= 0;
}

float sst_surrogate_default_alpha(sst_surrogate_kind kind) { return is_surrogate(kind) ? default_alphas[kind] : 1.0f; }

float sst_surrogate_derivative(sst_surrogate_kind kind, float alpha, float v) {
  return ssti_derivative(kind, alpha, v);
}

float sst_surrogate_primitive(sst_surrogate_kind kind, float alpha, float v) { return ssti_primitive(kind, alpha, v); }

// The comparison is also false for NaN.
static sst_status check_between(sst_context *context, const char *field, float value, float low, float high) {
  if (value >= low && value <= high) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's %s is %g, expected %g to %g", field, (double)value, (double)low,
           (double)high);
}

static sst_status check_positive(sst_context *context, const char *field, float value) {
  if (value > 0.0f && isfinite(value)) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's %s is %g, expected a finite number above 0", field,
           (double)value);
}

// What the stored state's grid asks of the other fields.
static sst_status check_membrane(sst_context *context, const sst_neuron *neuron) {
  SST_TRY(ssti_bits_check(context, "the neuron's membrane", neuron->membrane_bits));
  SST_TRY(check_positive(context, "membrane_range", neuron->membrane_range));
  if (neuron->membrane_bits == 0) { return SST_OK; }
  if (neuron->kind != SST_NEURON_IF && neuron->kind != SST_NEURON_LIF && neuron->kind != SST_NEURON_PLIF) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "the neuron's kind is %s, expected if, lif or plif for a membrane of %d bits",
             sst_neuron_word(neuron->kind), neuron->membrane_bits);
  }
  if (neuron->hard_reset && neuron->v_reset != 0.0f) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's v_reset is %g, expected 0 for a membrane of %d bits",
             (double)neuron->v_reset, neuron->membrane_bits);
  }
  const float step = ssti_membrane_step(neuron->membrane_bits, neuron->membrane_range, neuron->threshold);
  if (!neuron->hard_reset && fmodf(neuron->threshold, step) != 0.0f) {
    SST_FAIL(
        context, SST_INVALID_ARGUMENT,
        "the neuron's threshold is %g, expected a multiple of %g, the step of its membrane of %d bits, because the "
        "soft reset subtracts it",
        (double)neuron->threshold, (double)step, neuron->membrane_bits);
  }
  return SST_OK;
}

sst_status ssti_neuron_check(sst_context *context, const sst_neuron *neuron) {
  if (!is_neuron(neuron->kind)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's kind is %d, expected 0 to %d", (int)neuron->kind,
             (int)SST_NEURON_COUNT - 1);
  }
  if (!is_surrogate(neuron->surrogate)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's surrogate is %d, expected 0 to %d", (int)neuron->surrogate,
             (int)SST_SURROGATE_COUNT - 1);
  }
  SST_TRY(check_between(context, "decay", neuron->decay, 0.0f, 1.0f));
  SST_TRY(check_positive(context, "threshold", neuron->threshold));
  SST_TRY(check_positive(context, "alpha", neuron->alpha));
  if (neuron->hard_reset && !(neuron->v_reset < neuron->threshold && isfinite(neuron->v_reset))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "the neuron's v_reset is %g, expected a finite number below the threshold %g", (double)neuron->v_reset,
             (double)neuron->threshold);
  }
  SST_TRY(check_between(context, "initial_membrane", neuron->initial_membrane, 0.0f, 1.0f));
  if (neuron->kind == SST_NEURON_CUBALIF) {
    SST_TRY(check_between(context, "current_decay", neuron->current_decay, 0.0f, 1.0f));
  }
  if (neuron->kind == SST_NEURON_ALIF) {
    if (!(neuron->adaptation >= 0.0f && isfinite(neuron->adaptation))) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "the neuron's adaptation is %g, expected a finite number of at least 0",
               (double)neuron->adaptation);
    }
    SST_TRY(check_between(context, "adaptation_decay", neuron->adaptation_decay, 0.0f, 1.0f));
  }
  return check_membrane(context, neuron);
}

int ssti_neuron_state_rows(sst_neuron_kind kind) {
  return kind == SST_NEURON_CUBALIF ? 2 : kind == SST_NEURON_ALIF ? 3 : 1;
}

float ssti_neuron_decay_parameter(float decay) {
  const float edge = 1e-6f;
  const float inside = decay < edge ? edge : (decay > 1.0f - edge ? 1.0f - edge : decay);
  return logf((1.0f - inside) / inside);
}

ssti_dynamics ssti_dynamics_without_leak(const sst_neuron *neuron) {
  const bool leaks = neuron->kind != SST_NEURON_IF;
  ssti_dynamics d = {
      .rest = neuron->hard_reset ? neuron->v_reset : 0.0f,
      .current_decay = neuron->current_decay,
      .current_gain = neuron->decay_input ? 1.0f - neuron->current_decay : 1.0f,
      .adaptation = neuron->adaptation,
      .adaptation_decay = neuron->adaptation_decay,
      .threshold = neuron->threshold,
      .reset_to = neuron->v_reset,
      .alpha = neuron->alpha,
      .surrogate = neuron->surrogate,
      .hard_reset = neuron->hard_reset,
      .detach_reset = neuron->detach_reset,
      .fires = neuron->kind != SST_NEURON_LI,
      .adapts = neuron->kind == SST_NEURON_ALIF,
      .current = neuron->kind == SST_NEURON_CUBALIF,
      .learns = neuron->kind == SST_NEURON_PLIF,
      .gain_is_leak = neuron->decay_input && leaks && neuron->kind != SST_NEURON_CUBALIF,
      .stores = neuron->membrane_bits > 0,
  };
  d.start = d.fires ? d.rest + neuron->initial_membrane * (d.threshold - d.rest) : d.rest;
  if (d.stores) {
    d.grid_step = ssti_membrane_step(neuron->membrane_bits, neuron->membrane_range, neuron->threshold);
    d.grid_inverse = 1.0f / d.grid_step;
    d.grid_largest = ssti_largest_code(neuron->membrane_bits);
  }
  return d;
}

ssti_dynamics ssti_dynamics_make(const sst_neuron *neuron, const float *decay_parameter) {
  assert((neuron->kind == SST_NEURON_PLIF) == (decay_parameter != NULL));
  ssti_dynamics d = ssti_dynamics_without_leak(neuron);
  if (d.learns) {
    ssti_dynamics_learned(&d, *decay_parameter);
  } else if (neuron->kind == SST_NEURON_IF) {
    ssti_dynamics_set_leak(&d, 1.0f, 0.0f);
  } else {
    ssti_dynamics_set_leak(&d, neuron->decay, 1.0f - neuron->decay);
  }
  return d;
}
