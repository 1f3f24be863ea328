// SPDX-License-Identifier: Apache-2.0
// What lies beside the source: an example that checks it, build files, a page to read. In the texts below @n stands for
// the network's name, @N for the same in capitals.
#include <inttypes.h>

#include "deploy/c_parts.h"

static const char main_text[] =
    "// Runs the network on its golden samples and compares every logit and every spike with what it was exported "
    "with.\n"
    "#include <stdio.h>\n"
    "\n"
    "#include \"golden.h\"\n"
    "\n"
    "static uint32_t spikes[GOLDEN_LAYERS * @N_TIMESTEPS], hashes[GOLDEN_LAYERS * @N_TIMESTEPS];\n"
    "\n"
    "// Called by the network, which is compiled with @N_TRACE here: without it there is no such call.\n"
    "void @n_spike(int32_t layer, int32_t step, int32_t neuron) {\n"
    "  uint32_t hash = ((uint32_t)neuron + 1) * 2654435761u;\n"
    "  hash ^= hash >> 15;\n"
    "  hash *= 2246822519u;\n"
    "  spikes[layer * @N_TIMESTEPS + step]++;\n"
    "  hashes[layer * @N_TIMESTEPS + step] += hash ^ hash >> 13;\n"
    "}\n"
    "\n"
    "// The number of differences, told one by one.\n"
    "static int compare(int sample, const @n_logit *logits) {\n"
    "  int wrong = 0;\n"
    "  for (int c = 0; c < @N_CLASSES; c++) {\n"
    "    if (logits[c] == golden_logits[sample][c]) { continue; }\n"
    "    printf(\"sample %d, class %d: logit %ld, expected %ld\\n\", sample, c, (long)logits[c],\n"
    "           (long)golden_logits[sample][c]);\n"
    "    wrong++;\n"
    "  }\n"
    "  for (int i = 0; i < GOLDEN_LAYERS * @N_TIMESTEPS; i++) {\n"
    "    if (spikes[i] == golden_spikes[sample][i] && hashes[i] == golden_hashes[sample][i]) { continue; }\n"
    "    printf(\"sample %d, layer %s, step %d: %lu spikes, expected %lu, at the same neurons\\n\", sample,\n"
    "           golden_layers[i / @N_TIMESTEPS], i % @N_TIMESTEPS, (unsigned long)spikes[i],\n"
    "           (unsigned long)golden_spikes[sample][i]);\n"
    "    wrong++;\n"
    "  }\n"
    "  return wrong;\n"
    "}\n"
    "\n"
    "static void show(int sample, long class_found) {\n"
    "  unsigned long total = 0;\n"
    "  for (int i = 0; i < GOLDEN_LAYERS * @N_TIMESTEPS; i++) { total += spikes[i]; }\n"
    "  printf(\"sample %d: class %ld\", sample, class_found);\n"
    "  if (golden_classes[sample] >= 0) { printf(\" (right: %ld)\", (long)golden_classes[sample]); }\n"
    "  printf(\", %lu spikes\\n\", total);\n"
    "}\n"
    "\n"
    "int main(void) {\n"
    "  static @n_logit logits[@N_CLASSES];\n"
    "  int agreeing = 0;\n"
    "  for (int sample = 0; sample < GOLDEN_SAMPLES; sample++) {\n"
    "    for (int i = 0; i < GOLDEN_LAYERS * @N_TIMESTEPS; i++) { spikes[i] = hashes[i] = 0; }\n"
    "    show(sample, (long)@n_run(golden_inputs[sample], logits));\n"
    "    agreeing += compare(sample, logits) == 0;\n"
    "  }\n"
    "  printf(\"%d of %d samples agree in every logit and spike\\n\", agreeing, GOLDEN_SAMPLES);\n"
    "  return agreeing == GOLDEN_SAMPLES ? 0 : 1;\n"
    "}\n";

static const char make_text[] =
    "# make: the example; make check: runs it. Another machine: make CC=riscv64-linux-gnu-gcc LDFLAGS=-static\n"
    "# make cortex-m: the example for a Cortex-M3 with semihosting; make check-cortex-m: runs it under qemu.\n"
    "CC = cc\n"
    "CFLAGS = -O2\n"
    "ARM_CC = arm-none-eabi-gcc\n"
    "ARM_FLAGS = -mcpu=cortex-m3 -mthumb -Os\n"
    "QEMU = qemu-system-arm -machine mps2-an385 -nographic -monitor none -serial none -semihosting\n"
    "STRICT = -std=c99 -pedantic -Wall -Wextra -Werror\n"
    "\n"
    "example: main.c golden.c @n.c golden.h @n.h\n"
    "\t$(CC) $(STRICT) $(CFLAGS) -D@N_TRACE main.c golden.c @n.c -o example $(LDFLAGS)\n"
    "\n"
    "check: example\n"
    "\t./example\n"
    "\n"
    "cortex-m: example.elf\n"
    "\n"
    "example.elf: main.c golden.c @n.c cortex_m.c golden.h @n.h cortex_m.ld\n"
    "\t$(ARM_CC) $(STRICT) $(ARM_FLAGS) -D@N_TRACE main.c golden.c @n.c cortex_m.c -o example.elf \\\n"
    "\t  --specs=rdimon.specs -nostartfiles -Wl,-T,cortex_m.ld\n"
    "\n"
    "check-cortex-m: example.elf\n"
    "\t$(QEMU) -kernel example.elf\n"
    "\n"
    "clean:\n"
    "\trm -f example example.elf\n"
    "\n"
    ".PHONY: check cortex-m check-cortex-m clean\n";

static const char cmake_text[] = "cmake_minimum_required(VERSION 3.16)\n"
                                 "project(@n LANGUAGES C)\n"
                                 "set(CMAKE_C_STANDARD 99)\n"
                                 "set(CMAKE_C_EXTENSIONS OFF)\n"
                                 "if(NOT CMAKE_BUILD_TYPE)\n"
                                 "  set(CMAKE_BUILD_TYPE Release)\n"
                                 "endif()\n"
                                 "\n"
                                 "# What a program links to.\n"
                                 "add_library(@n STATIC @n.c)\n"
                                 "target_include_directories(@n PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})\n"
                                 "\n"
                                 "# The example has a copy that tells it of every spike.\n"
                                 "add_executable(example main.c golden.c @n.c)\n"
                                 "target_compile_definitions(example PRIVATE @N_TRACE)\n"
                                 "enable_testing()\n"
                                 "add_test(NAME golden COMMAND example)\n";

static const char startup_text[] =
    "// The least that the example needs on a Cortex-M whose debugger, or qemu, has semihosting: vectors and a start. "
    "All\n"
    "// sections are loaded where they are used, so nothing is copied. Your board has a start of its own.\n"
    "#include <stdint.h>\n"
    "#include <stdlib.h>\n"
    "\n"
    "extern uint32_t stack_top[], bss_begin[], bss_end[];\n"
    "void initialise_monitor_handles(void); // of newlib's librdimon\n"
    "int main(void);\n"
    "void reset(void);\n"
    "\n"
    "// Called by newlib at the end.\n"
    "void _fini(void);\n"
    "void _fini(void) {}\n"
    "\n"
    "void reset(void) {\n"
    "  for (uint32_t *word = bss_begin; word < bss_end; word++) { *word = 0; }\n"
    "  initialise_monitor_handles();\n"
    "  exit(main());\n"
    "}\n"
    "\n"
    "static void fault(void) {\n"
    "  for (;;) {}\n"
    "}\n"
    "\n"
    "typedef struct vector_table {\n"
    "  uint32_t *stack;\n"
    "  void (*handlers[15])(void);\n"
    "} vector_table;\n"
    "extern const vector_table vectors;\n"
    "__attribute__((section(\".vectors\"), used)) const vector_table vectors = {stack_top, {reset, fault, fault, "
    "fault}};\n";

static const char linker_text[] =
    "ENTRY(reset)\n"
    "MEMORY {\n"
    "  flash (rx) : ORIGIN = 0x00000000, LENGTH = 4M\n"
    "  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 4M\n"
    "}\n"
    "SECTIONS {\n"
    "  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash\n"
    "  .ARM.exidx : { *(.ARM.exidx*) } > flash\n"
    "  .data : { *(.data*) } > ram\n"
    "  .bss : { bss_begin = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; end = .; } > ram\n"
    "  stack_top = ORIGIN(ram) + LENGTH(ram);\n"
    "}\n";

// Text with the name in place of @n and @N.
static void put_text(ssti_text *out, const ssti_c_export *made, const char *text) {
  while (*text != '\0') {
    const char *hole = strchr(text, '@');
    const size_t length = hole != NULL ? (size_t)(hole - text) : strlen(text);
    ssti_text_append_bytes(out, text, length);
    if (hole == NULL) { return; }
    ssti_text_append(out, "%s", hole[1] == 'N' ? made->upper : made->name);
    text = hole + 2;
  }
}

// ---- README.md

static void write_layer_rows(const ssti_c_export *made, ssti_text *text) {
  const sst_integer_network *network = made->network;
  ssti_text_append(text, "\n| layer | what | output | weights |\n| --- | --- | --- | --- |\n");
  for (int n = 0; n < network->node_count; n++) {
    const sst_integer_node *node = &network->nodes[n];
    const sst_integer_value *out = &network->values[node->output >= 0 ? node->output : node->input[0]];
    ssti_text_append(text, "| %s | %s | %" PRId64 "x%" PRId64 "x%" PRId64 " | ", node->name,
                     sst_integer_node_word(node->kind), out->height, out->width, out->channels);
    if (node->kind == SST_INTEGER_NODE_SYNAPSES) {
      ssti_text_append(text, "%" PRId64 " of %d bits", out->channels * made->plan->nodes[n].window,
                       node->synapses.weight_bits);
    }
    ssti_text_append(text, " |\n");
  }
}

static void write_readme(ssti_c_export *made) {
  const ssti_c_plan *plan = made->plan;
  ssti_text *text = ssti_c_file_begin(made, "README.md");
  ssti_text_append(text, "<!-- " SSTI_C_MARK " %s. -->\n", sst_version());
  put_text(text, made,
           "# @n\n\nA spiking network of integers as C99: `@n.c` and `@n.h` are all that a program needs.\n\n");
  ssti_text_append(text,
                   "- Flash: %" PRId64 " bytes of constants, and the code. RAM: %" PRId64
                   " bytes, all static, and less than 400 bytes of the stack; input and logits are the caller's.\n",
                   plan->table_bytes, plan->ram_bytes);
  ssti_text_append(text, "- No floating point, no allocation, nothing of the C library.\n");
  if (made->network->pixel_codes != NULL) {
    ssti_text_append(text, "- Inputs are bytes as they were before any normalisation, row by row, channels last.\n");
  }
  put_text(text, made,
           "\n```c\n#include \"@n.h\"\n\n@n_logit logits[@N_CLASSES];\nint32_t found = @n_run(input, logits);\n```\n");
  if (plan->streaming) {
    put_text(text, made,
             "\nStep by step, as events come in:\n\n```c\n@n_reset();\nfor (int t = 0; t < @N_TIMESTEPS; t++) {\n"
             "  found = @n_step(frame(t), logits); // the class so far\n}\n```\n");
  }
  put_text(text, made,
           "\n`main.c` runs the samples of `golden.c` and compares every logit and every spike with those of the "
           "network that\n"
           "this was made from; it exits with 0 if all agree:\n\n"
           "    make check\n"
           "    cmake -B build && cmake --build build && ctest --test-dir build\n"
           "    make CC=riscv64-linux-gnu-gcc LDFLAGS=-static && qemu-riscv64 ./example\n"
           "    make check-cortex-m                                  # Cortex-M3 under qemu, with semihosting\n"
           "\nThe build files name these files and nothing else; `cortex_m.c` and `cortex_m.ld` are for the last line "
           "only.\n"
           "Compiled with `@N_TRACE`, the network calls `@n_spike` of yours at every spike.\n");
  write_layer_rows(made, text);
}

void ssti_c_write_extras(ssti_c_export *made) {
  static const struct {
    const char *name, *open, *close, *text;
  } parts[] = {{"main.c", "// ", "", main_text},
               {"Makefile", "# ", "", make_text},
               {"CMakeLists.txt", "# ", "", cmake_text},
               {"cortex_m.c", "// ", "", startup_text},
               {"cortex_m.ld", "/* ", " */", linker_text}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    ssti_text *text = ssti_c_file_begin(made, parts[i].name);
    ssti_text_append(text, "%s" SSTI_C_MARK " %s.%s\n", parts[i].open, sst_version(), parts[i].close);
    put_text(text, made, parts[i].text);
  }
  write_readme(made);
}
