// SPDX-License-Identifier: Apache-2.0
#include "spikestill/c_source.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "deploy/c_parts.h"

// ---- names

bool ssti_c_name_is_taken(const char *name) {
  static const char *const taken[] = {
      // keywords of C and C++
      "alignas", "alignof", "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "compl", "const",
      "constexpr", "continue", "default", "delete", "do", "double", "else", "enum", "explicit", "export", "extern",
      "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
      "noexcept", "not", "nullptr", "operator", "or", "private", "protected", "public", "register", "restrict",
      "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "thread_local", "throw",
      "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile",
      "while", "xor",
      // files of the folder, and files that would hide the compiler's
      "main", "golden", "cortex_m", "stdint", "stdio"};
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (strcmp(taken[i], name) == 0) { return true; }
  }
  return false;
}

void sst_c_source_name(const char *path, char name[SST_C_SOURCE_NAME_SIZE]) {
  size_t end = strlen(path);
  while (end > 0 && path[end - 1] == '/') { end--; }
  size_t start = end;
  while (start > 0 && path[start - 1] != '/') { start--; }
  size_t length = 0, stop = end;
  for (size_t i = start + 1; i < end; i++) { // without the last ending
    if (path[i] == '.') { stop = i; }
  }
  if (start < stop && !isalpha((unsigned char)path[start])) {
    memcpy(name, "net_", 4);
    length = 4;
  }
  for (size_t i = start; i < stop && length < 40; i++) {
    const unsigned char c = (unsigned char)path[i];
    name[length++] = (char)(c < 128 && isalnum(c) ? tolower(c) : '_');
  }
  name[length] = '\0';
  if (length == 0) { memcpy(name, "network", sizeof "network"); }
}

static sst_status take_name(ssti_c_export *made) {
  const char *name = made->options.name ? made->options.name : "network";
  sst_context *context = made->network->context;
  size_t length = strlen(name);
  bool good = length >= 1 && length <= 40 && (isalpha((unsigned char)name[0]) != 0);
  for (size_t i = 0; i < length && good; i++) {
    const unsigned char c = (unsigned char)name[i];
    good = c < 128 && (isalnum(c) || c == '_');
  }
  if (!good) {
    SST_FAIL(
        context, SST_INVALID_ARGUMENT,
        "the name '%s' is no identifier of C, expected letters, digits and underscores, a letter first, 40 at most",
        name);
  }
  if (ssti_c_name_is_taken(name)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "the name '%s' is taken by C or by a file of the export, expected another one", name);
  }
  for (size_t i = 0; i <= length; i++) {
    made->name[i] = name[i];
    made->upper[i] = (char)toupper((unsigned char)name[i]);
  }
  return SST_OK;
}

const char *ssti_c_input_type(const sst_integer_network *network) {
  const sst_integer_value *in = &network->values[0];
  return network->pixel_codes != NULL || (in->low >= 0 && in->high <= UINT8_MAX) ? "uint8_t" : "int16_t";
}

ssti_text *ssti_c_file_begin(ssti_c_export *made, const char *format) {
  ssti_c_file *file = &made->files[made->file_count++];
  const char *hole = strstr(format, "%s");
  if (hole != NULL) {
    snprintf(file->name, sizeof file->name, "%.*s%s%s", (int)(hole - format), format, made->name, hole + 2);
  } else {
    snprintf(file->name, sizeof file->name, "%s", format);
  }
  file->text = ssti_text_begin(made->network->context);
  return &file->text;
}

// ---- NAME.h

static void write_sizes(const ssti_c_export *made, ssti_text *text) {
  const sst_integer_network *network = made->network;
  const sst_integer_value *in = &network->values[0];
  const struct {
    const char *name;
    int64_t value;
  } sizes[] = {{"TIMESTEPS", network->timesteps},
               {"CLASSES", network->classes},
               {"HEIGHT", in->height},
               {"WIDTH", in->width},
               {"CHANNELS", in->channels},
               {"INPUT_SIZE", in->height * in->width * in->channels}, // of a step
               {"SPIKING_LAYERS", made->plan->spiking_layers},
               {"TABLE_BYTES", made->plan->table_bytes},
               {"RAM_BYTES", made->plan->ram_bytes}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    ssti_text_append(text, "#define %s_%s %" PRId64 "\n", made->upper, sizes[i].name, sizes[i].value);
  }
}

static void write_input_words(const ssti_c_export *made, ssti_text *text) {
  const sst_integer_network *network = made->network;
  const sst_integer_value *in = &network->values[0];
  if (network->pixel_codes != NULL) {
    ssti_text_append(
        text, "// %s_INPUT_SIZE bytes, as they are in the files that it was trained on, [height][width][channels].\n",
        made->upper);
  } else {
    ssti_text_append(text,
                     "// %s_INPUT_SIZE numbers from %" PRId64 " to %" PRId64
                     ", [height][width][channels]; others are brought within.\n",
                     made->upper, in->low, in->high);
  }
  ssti_text_append(text, "typedef %s %s_input;\n", ssti_c_input_type(network), made->name);
  const double scale = network->nodes[network->node_count - 1].readout.scale;
  char number[SSTI_NUMBER_TEXT_SIZE];
  ssti_text_append(text, "\n// A logit times %s is the one of the network in real numbers.\n",
                   ssti_number_text(scale, number));
  ssti_text_append(text, "typedef %s %s_logit;\n", made->plan->wide_logits ? "int64_t" : "int32_t", made->name);
}

static void write_header(ssti_c_export *made) {
  const ssti_c_plan *plan = made->plan;
  const char *name = made->name, *upper = made->upper;
  ssti_text *text = ssti_c_file_begin(made, "%s.h");
  ssti_text_append(text,
                   "// " SSTI_C_MARK " %s: a spiking network of integers, %" PRId64 " steps, %" PRId64 " classes.\n",
                   sst_version(), made->network->timesteps, made->network->classes);
  ssti_text_append(text,
                   "// Flash: %" PRId64 " bytes of constants, and the code. RAM: %" PRId64
                   " bytes, and less than 400 of the stack.\n",
                   plan->table_bytes, plan->ram_bytes);
  ssti_text_append(text, "// Not for several threads at once: what is kept between layers is static.\n");
  ssti_text_append(text, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n", upper, upper);
  ssti_text_append(text, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  write_sizes(made, text);
  ssti_text_append(text, "\n");
  write_input_words(made, text);
  if (plan->streaming) {
    ssti_text_append(text, "\n// Begins a new input: before the first step.\nvoid %s_reset(void);\n", name);
    ssti_text_append(
        text,
        "\n// The next step. Returns the class so far, and into `logits` (which may be NULL) the numbers that decide "
        "it; -1\n"
        "// and nothing else after %s_TIMESTEPS steps, which are as many as the numbers are proven to hold.\n",
        upper);
    ssti_text_append(text, "int32_t %s_step(const %s_input *input, %s_logit *logits);\n", name, name, name);
    ssti_text_append(text,
                     "\n// All steps: reset, and a step for each of the inputs, which lie one after the other.\n");
    ssti_text_append(text, "int32_t %s_run(const %s_input *input, %s_logit *logits);\n", name, name, name);
  } else {
    ssti_text_append(
        text, "\n// Returns the class, and into `logits` (which may be NULL) the %s_CLASSES numbers that decide it.\n",
        upper);
    ssti_text_append(text, "int32_t %s_run(const %s_input *input, %s_logit *logits);\n", name, name, name);
  }
  ssti_text_append(text,
                   "\n#ifdef %s_TRACE\n// Yours, if the network is compiled with %s_TRACE: called at every spike.\n",
                   upper, upper);
  ssti_text_append(text, "void %s_spike(int32_t layer, int32_t step, int32_t neuron);\n#endif\n", name);
  ssti_text_append(text, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}

// ---- NAME.c

static void write_window_type(ssti_c_writer *w) {
  ssti_c_put(w, "\n// What the synapses of a layer read at a position. A window is copied plane by plane.\n"
                "typedef struct window_shape {\n"
                "  int32_t height, width, channels; // of what is read\n"
                "  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;\n"
                "  int32_t taken; // channels that one output reads\n"
                "  int32_t planes, plane_words, window_words;\n"
                "} window_shape;\n");
}

static void write_trace(ssti_c_writer *w) {
  ssti_c_put(w, "\n#ifdef %s_TRACE\n#define SPIKE(layer, step, neuron) %s_spike(layer, step, neuron)\n", w->upper,
             w->name);
  ssti_c_put(w, "#else\n#define SPIKE(layer, step, neuron) ((void)(step), (void)(neuron))\n#endif\n");
}

// Layers are written first, since they say which helpers they need.
static sst_status write_source(ssti_c_export *made) {
  sst_context *context = made->network->context;
  ssti_text *text = ssti_c_file_begin(made, "%s.c"), tables = ssti_text_begin(context),
            layers = ssti_text_begin(context);
  ssti_c_writer w = {.plan = made->plan, .name = made->name, .upper = made->upper, .text = &layers};
  ssti_c_write_sums(&w);
  ssti_c_write_neurons(&w);
  ssti_c_write_layers(&w);
  ssti_c_write_calls(&w);
  w.text = &tables;
  ssti_c_write_tables(&w);
  w.text = text;
  ssti_c_put(&w, "// " SSTI_C_MARK " %s.\n#include \"%s.h\"\n", sst_version(), made->name);
  if (w.used[SSTI_C_WINDOWS]) { write_window_type(&w); }
  ssti_text_append_bytes(text, tables.data, tables.length);
  ssti_c_write_memory(&w);
  if (made->plan->spiking_layers > 0) { write_trace(&w); }
  ssti_c_write_helpers(&w);
  ssti_text_append_bytes(text, layers.data, layers.length);
  const sst_status status = tables.status != SST_OK ? tables.status : layers.status;
  ssti_text_free(&tables);
  ssti_text_free(&layers);
  return status;
}

// ---- all of it

static sst_status complete(ssti_c_export *made, const sst_c_source_options *options) {
  if (options != NULL) { made->options = *options; }
  if (made->options.samples == 0) { made->options.samples = 4; }
  if (made->options.samples < 1 || made->options.samples > SST_C_SOURCE_MOST_SAMPLES) {
    SST_FAIL(made->network->context, SST_INVALID_ARGUMENT, "%" PRId64 " golden samples, expected 1 to %d",
             made->options.samples, SST_C_SOURCE_MOST_SAMPLES);
  }
  SST_TRY(take_name(made));
  return ssti_c_plan_make(made->network, &made->plan);
}

static sst_status make_all(ssti_c_export *made, const char *folder) {
  SST_TRY(write_source(made)); // before the header, which tells the bytes of the tables
  write_header(made);
  SST_TRY(ssti_c_write_golden(made));
  ssti_c_write_extras(made);
  for (int i = 0; i < made->file_count; i++) { SST_TRY(made->files[i].text.status); }
  return ssti_c_write_folder(made, folder);
}

sst_status sst_c_source_write(const sst_integer_network *network, const char *folder,
                              const sst_c_source_options *options, sst_c_source_sizes *sizes) {
  ssti_c_export *made = NULL;
  SST_TRY(ssti_allocate(network->context, 1, sizeof *made, &made));
  made->network = network;
  sst_status status = complete(made, options);
  if (status == SST_OK) { status = make_all(made, folder); }
  if (status == SST_OK && sizes != NULL) {
    *sizes = (sst_c_source_sizes){.table_bytes = made->plan->table_bytes,
                                  .ram_bytes = made->plan->ram_bytes,
                                  .spiking_layers = made->plan->spiking_layers};
    for (int n = 0; n < network->node_count; n++) { sizes->layers += made->plan->nodes[n].layer; }
  }
  for (int i = 0; i < made->file_count; i++) { ssti_text_free(&made->files[i].text); }
  ssti_c_plan_free(made->plan);
  ssti_free(network->context, made);
  return status;
}
