// SPDX-License-Identifier: Apache-2.0
#include "energy/technology.h"

#include <math.h>

#include "base/file.h"
#include "base/options.h"
#include "base/yaml_tree.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define AT(field) offsetof(sst_technology, field)
#define NUMBER(field, value, text)                                                                                     \
  { #field, SSTI_OPTION_DOUBLE, AT(field), 0, 1e12, value, NULL, 0, text }
// What is divided by, or what a logarithm is taken of.
#define POSITIVE(field, value, text)                                                                                   \
  { #field, SSTI_OPTION_DOUBLE, AT(field), 1e-12, 1e12, value, NULL, 0, text }
#define WHOLE(field, low, high, value, text)                                                                           \
  { #field, SSTI_OPTION_INT64, AT(field), low, high, value, NULL, 0, text }

static const char *const device_words[] = {"rram", "sram"};

// The order is that of the printed file; a section's title stands before its first key.
static const ssti_option options[] = {
    NUMBER(int8_add_pj, "0.03", "pJ; Horowitz, ISSCC 2014, 45 nm, 0.9 V"),
    NUMBER(int32_add_pj, "0.1", "pJ; Horowitz 2014"),
    NUMBER(fp16_add_pj, "0.4", "pJ; Horowitz 2014"),
    NUMBER(fp32_add_pj, "0.9", "pJ; Horowitz 2014"),
    POSITIVE(int8_multiply_pj, "0.2", "pJ; Horowitz 2014"),
    POSITIVE(int32_multiply_pj, "3.1", "pJ; Horowitz 2014"),
    NUMBER(fp16_multiply_pj, "1.1", "pJ; Horowitz 2014"),
    NUMBER(fp32_multiply_pj, "3.7", "pJ; Horowitz 2014"),
    WHOLE(crossbar, 8, 65536, "64",
          "rows and columns of a crossbar; a multiple of 8, since 8 columns share a converter"),
    WHOLE(pe_per_tile, 1, 65536, "8", "processing elements in a tile"),
    POSITIVE(clock_mhz, "250", "MHz"),
    {"device", SSTI_OPTION_WORD, AT(device), 0, 0, "rram", device_words, COUNT(device_words),
     "of the crossbars' cells"},
    {"cell_bits", SSTI_OPTION_INT, AT(cell_bits), 1, 32, "4", NULL, 0, "bits of a weight that a cell holds (aware)"},
    {"event_mode", SSTI_OPTION_BOOL, AT(event_mode), 0, 1, "false", NULL, 0,
     "aware: only patches and rows with spikes cost; needs a record measured at this crossbar size"},
    NUMBER(htree_pj, "157.12", "pJ per element, pixel and step: 19.64 * 8; SpikeSim, arXiv 2210.12899, 65 nm"),
    NUMBER(memory_fetch_pj, "4.64", "pJ; SpikeSim"),
    NUMBER(crossbar_neuron_pj, "5.096", "pJ: 1.274 * 4; SpikeSim"),
    NUMBER(adc_pj, "2.03084", "pJ per conversion; SpikeSim"),
    NUMBER(mux_pj, "0.094245", "pJ; SpikeSim"),
    NUMBER(subtract_pj, "1.15e-6", "pJ; SpikeSim"),
    NUMBER(temporary_buffer_pj, "0.2", "pJ; SpikeSim"),
    NUMBER(tile_buffer_pj, "397", "pJ; SpikeSim"),
    NUMBER(rram_crossbar_pj, "1.76423", "pJ per crossbar read and 8 rows; SpikeSim"),
    NUMBER(sram_crossbar_pj, "671.089", "pJ; SpikeSim, where it is a placeholder: the same number as the area"),
    NUMBER(rram_crossbar_um2, "26.2144", "um2; SpikeSim (compat)"),
    NUMBER(sram_crossbar_um2, "671.089", "um2; SpikeSim"),
    NUMBER(crossbar_cell_um2, "0.0064", "um2 per rram cell; SpikeSim (aware: times the square of the crossbar's rows)"),
    NUMBER(adc_um2, "693.633", "um2 per converter; SpikeSim"),
    NUMBER(mux_um2, "45.9", "um2; SpikeSim"),
    NUMBER(tile_column_um2, "13411.41498", "um2 per converter column of a tile; SpikeSim"),
    NUMBER(tile_accumulator_um2, "484.643999", "um2 per tile; SpikeSim"),
    NUMBER(tile_control_um2, "6054.7072", "um2 per tile; SpikeSim"),
    NUMBER(tile_buffer_um2, "433660", "um2 per tile; SpikeSim"),
    NUMBER(state_bit_um2, "0.7391", "um2 per bit of input buffers and membranes; SpikeSim"),
    WHOLE(compat_state_bits, 1, 64, "22", "bits of a buffered input and of a membrane; SpikeSim (compat)"),
    WHOLE(compat_neuron_layers, 0, 4096, "5", "first so many layers have membrane memory; SpikeSim (compat)"),
    NUMBER(pe_cycles, "26", "clock cycles of one crossbar read; SpikeSim"),
    NUMBER(pipelined_share, "0.75", "share of a layer's reads that the next layer waits for; SpikeSim"),
    WHOLE(sata_bits, 1, 32, "16", "bits that the constants below hold for; SATA, TCAD 2022"),
    NUMBER(sata_multiply, "0.239", "per multiplication; SATA"),
    NUMBER(sata_accumulate, "0.0389", "per accumulation; SATA"),
    NUMBER(sata_add, "0.00967", "per addition; SATA"),
    NUMBER(sata_and, "0.000794", "per AND; SATA"),
    NUMBER(sata_compare, "0.00309", "per comparison; SATA"),
    NUMBER(sata_mux, "0.00172", "per selection; SATA"),
    NUMBER(sata_register, "0.0301", "per register access; SATA"),
    NUMBER(sata_shift, "0.00605", "per shift; SATA"),
    NUMBER(sata_dram, "55.58", "per word; SATA"),
    NUMBER(sata_sram, "1.95", "per word of the global buffer; SATA"),
    NUMBER(sata_scratchpad, "0.2779", "per word of a scratchpad; SATA"),
    NUMBER(ram_bit_pj, "1.09e-5", "pJ per access and bit of the memory's size; Lemaire et al., arXiv 2210.13107"),
    NUMBER(ram_access_pj, "13.2", "pJ per access; Lemaire et al. 2022"),
    WHOLE(fifo_words, 1, 1000000000, "64",
          "words of the queue that spikes pass through; our choice, the source gives none"),
};

typedef struct section {
  const char *first_key, *title;
} section;
static const section sections[] = {
    {"int8_add_pj", "operations; lemaire uses the integers'"},
    {"crossbar", "spikesim: the chip"},
    {"htree_pj", "spikesim: what its parts take"},
    {"sata_bits", "sata: at that many bits, in the source's unit, which we read as pJ"},
    {"ram_bit_pj", "lemaire"},
};

sst_status sst_technology_create(sst_context *context, sst_technology **out) {
  *out = NULL;
  sst_technology *technology = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *technology, &technology));
  ssti_options_set_defaults(options, COUNT(options), technology);
  technology->context = context;
  *out = technology;
  return SST_OK;
}

void sst_technology_destroy(sst_technology *technology) {
  if (technology != NULL) { ssti_free(technology->context, technology); }
}

static sst_status set(sst_technology *technology, const char *key, const char *value) {
  const ssti_option *option = ssti_options_find(options, COUNT(options), key);
  if (option == NULL) {
    const char *names[COUNT(options)];
    for (int i = 0; i < COUNT(options); i++) { names[i] = options[i].key; }
    int nearest = ssti_nearest_name(key, names, COUNT(options));
    if (nearest >= 0) {
      SST_FAIL(technology->context, SST_RECIPE, "unknown constant '%s'; nearest is '%s'", key, names[nearest]);
    }
    SST_FAIL(technology->context, SST_RECIPE,
             "unknown constant '%s'; `spikestill energy --print-technology` lists all of them", key);
  }
  sst_technology before = *technology;
  sst_status status = ssti_option_set(technology->context, option, technology, value);
  if (status != SST_OK) { return ssti_fail_within(technology->context, status, "%s", key); }
  if (technology->crossbar % 8 != 0) {
    long long found = (long long)technology->crossbar;
    *technology = before;
    SST_FAIL(technology->context, SST_RECIPE, "crossbar: %lld is no multiple of 8, which share a converter", found);
  }
  return SST_OK;
}

sst_status sst_technology_set(sst_technology *technology, const char *assignment) {
  const char *equals = strchr(assignment, '=');
  char key[64];
  if (equals == NULL || equals == assignment || (size_t)(equals - assignment) >= sizeof key) {
    SST_FAIL(technology->context, SST_RECIPE, "'%s' is no key=value", assignment);
  }
  memcpy(key, assignment, (size_t)(equals - assignment));
  key[equals - assignment] = '\0';
  return set(technology, key, equals + 1);
}

static sst_status read_tree(sst_technology *technology, const ssti_yaml_tree *tree) {
  const ssti_yaml_node *root = ssti_yaml_root(tree);
  char place[SSTI_YAML_PLACE_SIZE];
  if (root->kind != SSTI_YAML_MAP) {
    SST_FAIL(technology->context, SST_RECIPE, "%s: found %s, expected lines of key: value", ssti_yaml_name(tree),
             ssti_yaml_kind_text(root));
  }
  for (const ssti_yaml_node *item = root->first; item != NULL; item = item->next) {
    sst_status status = SST_OK;
    if (item->kind != SSTI_YAML_SCALAR) {
      status = ssti_fail(technology->context, SST_RECIPE, "%s is %s, expected a single value", item->key,
                         ssti_yaml_kind_text(item));
    } else {
      status = set(technology, item->key, item->text);
    }
    if (status != SST_OK) {
      return ssti_fail_within(technology->context, status, "%s", ssti_yaml_place(tree, item, place));
    }
  }
  return SST_OK;
}

sst_status sst_technology_read(sst_technology *technology, const char *path) {
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_yaml_open(technology->context, path, &tree));
  sst_technology before = *technology;
  sst_status status = read_tree(technology, tree);
  if (status != SST_OK) { *technology = before; }
  ssti_yaml_destroy(tree);
  return status;
}

sst_status sst_technology_text(const sst_technology *technology, char **out) {
  *out = NULL;
  ssti_text text = ssti_text_begin(technology->context);
  ssti_text_append(&text, "# Constants and settings of the energy models: key: value # unit; source.\n"
                          "# `spikestill energy --technology FILE` replaces those that FILE names.\n");
  for (int i = 0; i < COUNT(options); i++) {
    for (int s = 0; s < COUNT(sections); s++) {
      if (strcmp(options[i].key, sections[s].first_key) == 0) {
        ssti_text_append(&text, "\n# %s\n", sections[s].title);
      }
    }
    ssti_text_append(&text, "%s: ", options[i].key);
    ssti_option_print(&options[i], technology, &text);
    ssti_text_append(&text, " # %s\n", options[i].text);
  }
  if (text.status != SST_OK) {
    sst_status status = text.status;
    ssti_text_free(&text);
    return status;
  }
  *out = text.data;
  return SST_OK;
}

int64_t sst_technology_counted_crossbar(const sst_technology *technology) {
  return technology->event_mode ? technology->crossbar : 0;
}

double ssti_add_pj(const sst_technology *t, int bits) {
  if (bits == 32) { return t->fp32_add_pj; }
  if (bits == 16) { return t->fp16_add_pj; }
  if (bits <= 8) { return t->int8_add_pj * bits / 8; }
  return t->int8_add_pj + (t->int32_add_pj - t->int8_add_pj) * (bits - 8) / 24;
}

// An array multiplier has as many cells as the product of the two widths; above 8 bits the two points of the table give
// the exponent instead of 2.
static double integer_multiply_pj(const sst_technology *t, double cells) {
  double at_8 = 8 * 8, at_32 = 32 * 32;
  if (cells <= at_8) { return t->int8_multiply_pj * cells / at_8; }
  double exponent = log(t->int32_multiply_pj / t->int8_multiply_pj) / log(at_32 / at_8);
  return t->int8_multiply_pj * pow(cells / at_8, exponent);
}

double ssti_multiply_pj(const sst_technology *t, int bits_a, int bits_b) {
  if (bits_a == 32 || bits_b == 32) { return t->fp32_multiply_pj; }
  if (bits_a == 16 || bits_b == 16) { return t->fp16_multiply_pj; }
  return integer_multiply_pj(t, (double)bits_a * bits_b);
}
