// SPDX-License-Identifier: Apache-2.0
#include "run/companion.h"

#include <string.h>

#include "base/fail.h"

static const char twin_name[] = "twin", terms_name[] = "distill";

static sst_status add_twin(sst_context *context, const sst_recipe *recipe, ssti_companions *out) {
  ssti_companion *twin = &out->items[out->count++];
  out->network_count = out->count;
  twin->name = twin_name;
  twin->cross_entropy_weight = recipe->twin.cross_entropy_weight;
  twin->model = recipe->student.options;
  if (recipe->twin.precision == SST_TWIN_FULL_PRECISION) { sst_model_full_precision(&twin->model); }
  if (recipe->twin.kind == SST_TWIN_ANN) {
    twin->model.spiking = false;
    twin->model.timesteps = 1;
  }
  return sst_parameters_create(context, recipe->seed + recipe->twin.seed_offset, &twin->parameters);
}

sst_status ssti_companions_open(sst_context *context, const sst_recipe *recipe, ssti_companions *out) {
  *out = (ssti_companions){.count = 0};
  SST_TRY(sst_parameters_create(context, recipe->seed, &out->terms));
  if (recipe->twin.enabled) { SST_TRY(add_twin(context, recipe, out)); }
  return SST_OK;
}

void ssti_companions_close(ssti_companions *companions) {
  for (int i = 0; i < companions->count; i++) {
    sst_optimizer_destroy(companions->items[i].optimizer);
    if (i < companions->network_count) { sst_parameters_destroy(companions->items[i].parameters); }
  }
  sst_parameters_destroy(companions->terms);
  *companions = (ssti_companions){.count = 0};
}

sst_status ssti_companions_make_optimizers(const sst_recipe *recipe, ssti_companions *companions) {
  if (sst_parameters_count(companions->terms) > 0) {
    companions->items[companions->count++] = (ssti_companion){.name = terms_name, .parameters = companions->terms};
  }
  for (int i = 0; i < companions->count; i++) {
    ssti_companion *companion = &companions->items[i];
    SST_TRY(sst_optimizer_create(companion->parameters, recipe->device, &recipe->optimizer, &companion->optimizer));
  }
  return SST_OK;
}

const char *ssti_companions_twin(const ssti_companions *companions) {
  for (int i = 0; i < companions->count; i++) {
    if (strcmp(companions->items[i].name, twin_name) == 0) { return twin_name; }
  }
  return NULL;
}
