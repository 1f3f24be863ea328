// SPDX-License-Identifier: Apache-2.0
// The public functions of the C source.
#include <inttypes.h>

#include "deploy/c_writer.h"

static void call_layers(ssti_c_writer *w, const char *result) {
  const sst_integer_network *network = w->plan->network;
  if (w->plan->values[0].store == SSTI_C_PLANES) { ssti_c_line(w, 1, "take_input(input);"); }
  for (int n = 0; n < network->node_count; n++) {
    if (!w->plan->nodes[n].layer) { continue; }
    const bool last = network->nodes[n].kind == SST_INTEGER_NODE_READOUT, input = ssti_c_reads_input(w->plan, n);
    ssti_c_line(w, 1, "%slayer_%d(%s%s%s);", last ? result : "", n, input ? "input" : "", input && last ? ", " : "",
                last ? "logits" : "");
  }
}

static void write_reset(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  ssti_c_put(w, "\nvoid %s_reset(void) {\n", w->name);
  for (int n = 0; n < network->node_count; n++) {
    if (network->nodes[n].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    ssti_c_line(w, 1, "for (int32_t i = 0; i < %" PRId64 "; i++) { state_%d[i] = %" PRId32 "; }",
                w->plan->values[network->nodes[n].output].count, n, network->nodes[n].neurons.start);
  }
  ssti_c_line(w, 1, "for (int32_t c = 0; c < %" PRId64 "; c++) { sums[c] = 0; }", network->classes);
  if (network->nodes[network->node_count - 1].readout.kind == SST_INTEGER_READOUT_INTEGRATOR) {
    ssti_c_line(w, 1, "for (int32_t c = 0; c < %" PRId64 "; c++) { integrator[c] = 0; }", network->classes);
  }
  ssti_c_line(w, 1, "steps_made = 0;");
  ssti_c_line(w, 0, "}");
}

void ssti_c_write_calls(ssti_c_writer *w) {
  const sst_integer_network *network = w->plan->network;
  if (!w->plan->streaming) {
    ssti_c_put(w, "\nint32_t %s_run(const %s_input *input, %s_logit *logits) {\n", w->name, w->name, w->name);
    call_layers(w, "return ");
    ssti_c_line(w, 0, "}");
    return;
  }
  write_reset(w);
  ssti_c_put(w, "\nint32_t %s_step(const %s_input *input, %s_logit *logits) {\n", w->name, w->name, w->name);
  ssti_c_line(w, 1, "if (steps_made >= %" PRId64 ") { return -1; }", network->timesteps);
  call_layers(w, "const int32_t best = ");
  ssti_c_line(w, 1, "steps_made++;");
  ssti_c_line(w, 1, "return best;");
  ssti_c_line(w, 0, "}");
  ssti_c_put(w, "\nint32_t %s_run(const %s_input *input, %s_logit *logits) {\n", w->name, w->name, w->name);
  ssti_c_line(w, 1, "int32_t best = 0;");
  ssti_c_line(w, 1, "%s_reset();", w->name);
  ssti_c_line(w, 1, "for (int32_t t = 0; t < %" PRId64 "; t++) { best = %s_step(input + t * %" PRId64 ", logits); }",
              network->timesteps, w->name, w->plan->values[0].count);
  ssti_c_line(w, 1, "return best;");
  ssti_c_line(w, 0, "}");
}
