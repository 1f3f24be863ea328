// SPDX-License-Identifier: Apache-2.0
// The list of models, and what follows from any model's energy, latency and area.
#include <math.h>

#include "base/text.h"
#include "energy/energy_model.h"

static const char *const WORDS[SST_ENERGY_MODEL_COUNT] = {
#define MODEL_WORD(name, word, text) word,
    SST_ENERGY_MODEL_LIST(MODEL_WORD)
#undef MODEL_WORD
};

static const struct {
  const char *text;
  const ssti_energy_model *model;
} MODELS[SST_ENERGY_MODEL_COUNT] = {
#define MODEL_ROW(name, word, text) {text, &ssti_energy_##name},
    SST_ENERGY_MODEL_LIST(MODEL_ROW)
#undef MODEL_ROW
};

static const char *const PARTS[SST_ENERGY_PART_COUNT] = {
#define PART_WORD(name, word, text) word,
    SST_ENERGY_PART_LIST(PART_WORD)
#undef PART_WORD
};

static bool known(sst_energy_model model) { return (int)model >= 0 && model < SST_ENERGY_MODEL_COUNT; }

const char *sst_energy_model_word(sst_energy_model model) { return known(model) ? WORDS[model] : "unknown"; }
const char *sst_energy_model_text(sst_energy_model model) { return known(model) ? MODELS[model].text : "unknown"; }
const char *sst_energy_model_formula(sst_energy_model model) {
  return known(model) ? MODELS[model].model->formula : "unknown";
}

bool sst_energy_model_parse(const char *word, sst_energy_model *out) {
  const int found = ssti_find_word(word, WORDS, SST_ENERGY_MODEL_COUNT);
  if (found >= 0) { *out = (sst_energy_model)found; }
  return found >= 0;
}

const char *sst_energy_part_word(sst_energy_part part) {
  return (int)part >= 0 && part < SST_ENERGY_PART_COUNT ? PARTS[part] : "unknown";
}

static void add_up(const sst_cost_record *record, sst_energy *out) {
  for (int i = 0; i < record->layer_count; i++) {
    sst_layer_energy *layer = &out->layers[i];
    for (int part = 0; part < SST_ENERGY_PART_COUNT; part++) {
      layer->energy_pj += layer->part_pj[part];
      out->part_pj[part] += layer->part_pj[part];
    }
    out->energy_pj += layer->energy_pj;
  }
  out->edap_j_s_mm2 = out->energy_pj * 1e-12 * (out->latency_ns * 1e-9) * (out->area_um2 * 1e-6);
  out->tops_per_watt = out->operations / out->energy_pj;
  out->tops_per_mm2 = out->operations / out->latency_ns / out->area_um2 * 1e3;
}

sst_status sst_energy_estimate(sst_energy_model model, const sst_cost_record *record, const sst_technology *technology,
                               sst_energy **out) {
  *out = NULL;
  sst_context *context = record->context;
  if (!known(model)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "energy model %d, expected 0 to %d", (int)model,
             SST_ENERGY_MODEL_COUNT - 1);
  }
  sst_energy *energy = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *energy, &energy));
  energy->context = context;
  energy->model = model;
  energy->layer_count = record->layer_count;
  energy->latency_ns = energy->area_um2 = energy->tiles = (double)NAN;
  sst_status status = ssti_allocate(context, (size_t)record->layer_count, sizeof *energy->layers, &energy->layers);
  if (status == SST_OK) {
    for (int i = 0; i < record->layer_count; i++) {
      energy->operations += 2 * ssti_cost_macs(&record->layers[i]) * (double)record->layers[i].timesteps;
    }
    status = MODELS[model].model->estimate(record, technology, energy);
  }
  if (status != SST_OK) {
    sst_energy_destroy(energy);
    return ssti_fail_within(context, status, "%s", WORDS[model]);
  }
  add_up(record, energy);
  *out = energy;
  return SST_OK;
}

void sst_energy_destroy(sst_energy *energy) {
  if (energy == NULL) { return; }
  ssti_free(energy->context, energy->layers);
  ssti_free(energy->context, energy);
}

void sst_energy_text_free(sst_context *context, char *text) { ssti_free(context, text); }
