// SPDX-License-Identifier: Apache-2.0
// SGD and AdamW as PyTorch defines them, over the flat blocks of a parameter store: one kernel call for the weights,
// which decay, and one for the other trainable parameters. With g the gradient times the clipping factor, r the rate:
//
//     SGD    g += wd * w;  v = momentum * v + g;  w -= r * (nesterov ? g + momentum * v : v)       v = 0 at the start
//     AdamW  w -= r * wd * w;  m = b1 * m + (1 - b1) * g;  s = b2 * s + (1 - b2) * g^2
//            w -= r * (m / (1 - b1^n)) / (sqrt(s / (1 - b2^n)) + epsilon)                          n = 1, 2, ...
//
// Clipping: factor = min(1, clip_norm / (norm + 1e-6)), norm that of the whole gradient.
#include "spikestill/optim.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/text.h"
#include "graph/parameters_internal.h"
#include "optim/optimizer_parts.h"

enum { MOST_STATES = 2 };

struct sst_optimizer {
  sst_context *context;
  sst_parameters *parameters;
  sst_optimizer_options options;
  ssti_backend *backend;
  float *states[MOST_STATES]; // as long as the trainable part of the store
  int64_t count;              // its length
  int64_t decay_count;        // of it, what decays
  int64_t steps;
  ssti_update update; // of the step under way
};

static const char *const optimizer_words[] = {
#define WORD(name, word, text) word,
    SST_OPTIMIZER_LIST(WORD)
#undef WORD
};

const char *sst_optimizer_word(sst_optimizer_kind kind) {
  assert(kind < SST_OPTIMIZER_COUNT);
  return optimizer_words[kind];
}

bool sst_optimizer_parse(const char *word, sst_optimizer_kind *out) {
  const int found = ssti_find_word(word, optimizer_words, SST_OPTIMIZER_COUNT);
  if (found >= 0) { *out = (sst_optimizer_kind)found; }
  return found >= 0;
}

sst_optimizer_options sst_optimizer_default(void) {
  return (sst_optimizer_options){.kind = SST_OPTIMIZER_SGD,
                                 .learning_rate = 0.1f,
                                 .momentum = 0.9f,
                                 .weight_decay = 5e-4f,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.999f,
                                 .epsilon = 1e-8f};
}

// A number against its range; NaN is outside every range.
static sst_status check_range(sst_context *context, const char *what, float found, bool inside, const char *allowed) {
  if (!inside || !isfinite(found)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "optimizer: %s is %g, but must be %s", what, (double)found, allowed);
  }
  return SST_OK;
}

static sst_status check_options(sst_context *context, const sst_optimizer_options *o) {
  if ((unsigned)o->kind >= SST_OPTIMIZER_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "optimizer: there is no kind %d; kinds are 0..%d", (int)o->kind,
             SST_OPTIMIZER_COUNT - 1);
  }
  SST_TRY(check_range(context, "learning_rate", o->learning_rate, o->learning_rate > 0, "above 0"));
  SST_TRY(check_range(context, "weight_decay", o->weight_decay, o->weight_decay >= 0, "0 or more"));
  SST_TRY(check_range(context, "clip_norm", o->clip_norm, o->clip_norm >= 0, "0 (no clipping) or more"));
  if (o->kind == SST_OPTIMIZER_SGD) {
    SST_TRY(check_range(context, "momentum", o->momentum, o->momentum >= 0 && o->momentum < 1, "in 0..1, 1 excluded"));
    if (o->nesterov && o->momentum == 0.0f) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "optimizer: nesterov looks ahead along the momentum, which is 0");
    }
    return SST_OK;
  }
  SST_TRY(check_range(context, "beta1", o->beta1, o->beta1 >= 0 && o->beta1 < 1, "in 0..1, 1 excluded"));
  SST_TRY(check_range(context, "beta2", o->beta2, o->beta2 >= 0 && o->beta2 < 1, "in 0..1, 1 excluded"));
  return check_range(context, "epsilon", o->epsilon, o->epsilon > 0, "above 0");
}

static sst_status allocate_states(sst_optimizer *optimizer) {
  for (int i = 0; i < sst_optimizer_state_count(optimizer); i++) {
    size_t bytes = (size_t)optimizer->count * sizeof(float);
    SST_TRY(ssti_allocate_in(optimizer->context, optimizer->backend->space, bytes, &optimizer->states[i]));
  }
  return SST_OK;
}

sst_status sst_optimizer_create(sst_parameters *parameters, sst_device device, const sst_optimizer_options *options,
                                sst_optimizer **out) {
  sst_context *context = ssti_parameters_context(parameters);
  *out = NULL;
  SST_TRY(check_options(context, options));
  if (!ssti_parameters_values(parameters)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "optimizer: the parameters have no memory yet; compile a graph over them or seal them first");
  }
  sst_optimizer *optimizer;
  SST_TRY(ssti_allocate(context, 1, sizeof *optimizer, &optimizer));
  optimizer->context = context;
  optimizer->parameters = parameters;
  optimizer->options = *options;
  optimizer->count = ssti_parameters_trainable_count(parameters);
  optimizer->decay_count = options->decay_all ? optimizer->count : ssti_parameters_decay_count(parameters);
  sst_status status = ssti_backend_create(context, device, &optimizer->backend);
  if (status == SST_OK) { status = allocate_states(optimizer); }
  if (status != SST_OK) {
    sst_optimizer_destroy(optimizer);
    return status;
  }
  *out = optimizer;
  return SST_OK;
}

void sst_optimizer_destroy(sst_optimizer *optimizer) {
  if (!optimizer) { return; }
  if (optimizer->backend) { (void)ssti_backend_wait(optimizer->backend); }
  for (int i = 0; i < MOST_STATES; i++) { ssti_free(optimizer->context, optimizer->states[i]); }
  ssti_backend_destroy(optimizer->backend);
  ssti_free(optimizer->context, optimizer);
}

// The update of parameters begin .. end-1 of the flat block.
static void step_range(sst_optimizer *optimizer, int64_t begin, int64_t end, float weight_decay) {
  if (begin == end) { return; }
  const sst_optimizer_options *o = &optimizer->options;
  const ssti_kernels *kernels = &optimizer->backend->kernels;
  const ssti_update *update = &optimizer->update;
  float *value = ssti_parameters_values(optimizer->parameters) + begin;
  const float *gradient = ssti_parameters_gradients(optimizer->parameters) + begin;
  float *first = optimizer->states[0] ? optimizer->states[0] + begin : NULL;
  float *second = optimizer->states[1] ? optimizer->states[1] + begin : NULL;
  if (o->kind == SST_OPTIMIZER_SGD) {
    kernels->sgd_step(optimizer->backend, end - begin, value, gradient, first, update, o->momentum, o->nesterov,
                      weight_decay);
  } else {
    kernels->adamw_step(optimizer->backend, end - begin, value, gradient, first, second, update, o->beta1, o->beta2,
                        o->epsilon, weight_decay);
  }
}

void ssti_optimizer_begin(sst_optimizer *optimizer, double rate_factor) {
  const sst_optimizer_options *o = &optimizer->options;
  const ssti_kernels *kernels = &optimizer->backend->kernels;
  const double step = (double)++optimizer->steps;
  // In double: for small steps 1 - beta^step loses most of its digits in f32.
  optimizer->update = (ssti_update){.learning_rate = (float)((double)o->learning_rate * rate_factor),
                                    .gradient_scale = 1.0f,
                                    .correction1 = 1.0 - pow((double)o->beta1, step),
                                    .correction2 = 1.0 - pow((double)o->beta2, step)};
  if (kernels->begin_update != NULL) { kernels->begin_update(optimizer->backend, &optimizer->update); }
}

double ssti_optimizer_run(sst_optimizer *optimizer) {
  const sst_optimizer_options *o = &optimizer->options;
  if (o->clip_norm > 0.0f) {
    const float *gradients = ssti_parameters_gradients(optimizer->parameters);
    optimizer->backend->kernels.clip_gradient(optimizer->backend, optimizer->count, gradients, o->clip_norm,
                                              &optimizer->update);
  }
  step_range(optimizer, 0, optimizer->decay_count, o->weight_decay);
  step_range(optimizer, optimizer->decay_count, optimizer->count, 0.0f);
  return optimizer->update.norm;
}

double sst_optimizer_step(sst_optimizer *optimizer, double rate_factor) {
  ssti_optimizer_begin(optimizer, rate_factor);
  return ssti_optimizer_run(optimizer);
}

int sst_optimizer_state_count(const sst_optimizer *optimizer) {
  if (optimizer->options.kind == SST_OPTIMIZER_ADAMW) { return 2; }
  return optimizer->options.momentum > 0.0f ? 1 : 0;
}

float *sst_optimizer_state(sst_optimizer *optimizer, int index, int64_t *count) {
  assert(index >= 0 && index < sst_optimizer_state_count(optimizer));
  *count = optimizer->count;
  (void)ssti_backend_wait(optimizer->backend);
  return optimizer->states[index];
}

const char *sst_optimizer_state_name(const sst_optimizer *optimizer, int index) {
  assert(index >= 0 && index < sst_optimizer_state_count(optimizer));
  if (optimizer->options.kind == SST_OPTIMIZER_SGD) { return "velocity"; }
  return index == 0 ? "first" : "second";
}

int64_t sst_optimizer_steps(const sst_optimizer *optimizer) { return optimizer->steps; }

void sst_optimizer_set_steps(sst_optimizer *optimizer, int64_t steps) { optimizer->steps = steps; }
