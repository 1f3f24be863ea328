# SPDX-License-Identifier: Apache-2.0
"""The bugs that test_mutations.py plants: small changes of the sources that the tests must notice.

planted(what, file, (old, new)..., suites=names): every `old` occurs exactly once in the file. The suites named are
those whose business the bug is; the suites over whole networks are always run as well. `needs` is what Linux calls the
instructions without which a processor never runs that code.
"""
from collections import namedtuple

Bug = namedtuple("Bug", "what file changes suites needs")
BUGS = []


def planted(what, file, *changes, suites=(), needs=None):
    BUGS.append(Bug(what, file, changes, tuple(suites), needs))


def text_with(bug, text):
    """The source with the bug; a sentence in ValueError where it cannot be planted."""
    for old, new in bug.changes:
        found = text.count(old)
        if found != 1:
            raise ValueError(f"{bug.file} holds {found} times, expected once:\n{old}")
        if old == new:
            raise ValueError(f"{bug.what}: nothing changes in\n{old}")
        text = text.replace(old, new)
    return text


REFERENCE = "src/backend/reference/"
FAST = "src/backend/fast/"
neuron_suites = ("golden/test_neuron_goldens", "grad/test_neuron_gradients", "unit/test_neuron", "unit/test_fast_backend")
fast_suites = ("unit/test_fast_backend",)
WIDE, HALF = "avx512f", "avx512_bf16"

# ---- neurons: one bug of each kind in both backends ----

planted("the leak is missing from backward, reference", REFERENCE + "neuron_reference.c",
        ("back->du[i] = d->decay * dh[i];", "back->du[i] = dh[i];"), suites=neuron_suites)
planted("the leak is missing from backward, fast", FAST + "simd_neuron.c",
        ("du[i] = d.decay * dh[i];", "du[i] = dh[i];"), suites=neuron_suites)
planted("the leak is missing from backward, columns", FAST + "simd_neuron_columns.c",
        ("du[k] = d->decay * dh;", "du[k] = dh;"), suites=neuron_suites, needs=WIDE)

planted("the reset is missing from backward, reference", REFERENCE + "neuron_reference.c",
        ("ds[i] * g[i] + back->du[i] * (1.0f - spike[i]);", "ds[i] * g[i] + back->du[i];"), suites=neuron_suites)
planted("the reset is missing from backward, fast", FAST + "simd_neuron.c",
        ("(hard ? du[i] * (1.0f - s) : du[i])", "du[i]"), suites=neuron_suites)
planted("the reset is missing from backward, columns", FAST + "simd_neuron_columns.c",
        ("keep_if(~fired, du[k]) : du[k]", "du[k] : du[k]"), suites=neuron_suites, needs=WIDE)

planted("detached and followed resets are mixed up, reference", REFERENCE + "neuron_reference.c",
        ("  if (!d->detach_reset) {", "  if (d->detach_reset) {"), suites=neuron_suites)
planted("detached and followed resets are mixed up, fast", FAST + "simd_neuron.c",
        ("if (!detach) {", "if (detach) {"), suites=neuron_suites)

planted("neurons fire above the threshold, not at it", "src/neuron/dynamics.h",
        ("return h >= threshold ? 1.0f : 0.0f;", "return h > threshold ? 1.0f : 0.0f;"), suites=neuron_suites)

planted("neurons fire above the threshold, not at it, fast", FAST + "simd_neuron.c",
        (": ssti_fire(h, d->threshold);", ": (float)(h > d->threshold);"), suites=neuron_suites)
planted("neurons fire above the threshold, not at it, columns", FAST + "simd_neuron_columns.c",
        ("fired = h >= d->threshold;", "fired = h > d->threshold;"), suites=neuron_suites, needs=WIDE)

planted("the last step is left out of forward, reference", REFERENCE + "neuron_reference.c",
        ("t++) {\n    const int64_t at = t * shape->count + chunk * CHUNK;",
         "t++) {\n    if (t > 0 && t == shape->steps - 1) { break; }\n"
         "    const int64_t at = t * shape->count + chunk * CHUNK;"), suites=neuron_suites)
planted("the last step is left out of forward, fast", FAST + "simd_neuron.c",
        ("    float *restrict spikes = b->spikes + t * b->count + b->begin;",
         "    if (t > 0 && t == b->steps - 1) { break; }\n"
         "    float *restrict spikes = b->spikes + t * b->count + b->begin;"), suites=neuron_suites)
planted("the last step is left out of forward, columns", FAST + "simd_neuron_columns.c",
        ("t++) {\n    const int64_t at = t * b->count + b->begin + i;",
         "t++) {\n    if (t > 0 && t == b->steps - 1) { break; }\n"
         "    const int64_t at = t * b->count + b->begin + i;"), suites=neuron_suites, needs=WIDE)
planted("the first step is left out of backward, reference", REFERENCE + "neuron_reference.c",
        ("t >= 0; t--", "t >= (shape->steps > 1); t--"), suites=neuron_suites)
planted("the first step is left out of backward, fast", FAST + "simd_neuron.c",
        ("t >= 0; t--) {\n    const int64_t at = t * b->count + b->begin;\n    const float *restrict h",
         "t >= (b->steps > 1); t--) {\n    const int64_t at = t * b->count + b->begin;\n    const float *restrict h"),
        suites=neuron_suites)
planted("the first step is left out of backward, columns", FAST + "simd_neuron_columns.c",
        ("t >= 0; t--", "t >= (b->steps > 1); t--"), suites=neuron_suites, needs=WIDE)

planted("the gradient of the membrane is dropped, reference", REFERENCE + "neuron_reference.c",
        ("dh[i] = dmembrane[i] + ds[i] * g[i] + back->du[i] * (1.0f", "dh[i] = ds[i] * g[i] + back->du[i] * (1.0f"),
        suites=neuron_suites)
planted("the gradient of the membrane is dropped, fast", FAST + "simd_neuron.c",
        ("dh[i] = dmembrane[i] + ds * g", "dh[i] = ds * g"), suites=neuron_suites)
planted("the gradient of the membrane is dropped, columns", FAST + "simd_neuron_columns.c",
        ("if (b->dmembrane != NULL) {", "if (b->dmembrane == b->dspikes && b->dmembrane != NULL) {"),
        suites=neuron_suites, needs=WIDE)

planted("PLIF learns its leak instead of its w, reference", REFERENCE + "neuron_reference.c",
        ("(float)(sum * (double)call.dynamics.w_leak * (double)call.dynamics.w_decay)", "(float)sum"), suites=neuron_suites)
planted("PLIF learns its leak instead of its w, fast", FAST + "fast_neuron.c",
        ("(float)(sum * (double)dynamics.w_leak * (double)dynamics.w_decay)", "(float)sum"), suites=neuron_suites)

planted("the arctan's derivative has lost its half", "src/neuron/surrogate.h",
        ("return 0.5f * a / (1.0f + z * z);", "return a / (1.0f + z * z);"),
        suites=neuron_suites + ("unit/test_surrogate",))

# ---- batch norm ----

norm_suites = ("unit/test_batch_norm", "golden/test_op_goldens", "unit/test_fast_backend")
planted("the running variance is the biased one, reference", REFERENCE + "batch_norm_reference.c",
        ("momentum * variance[c] * unbiased);", "momentum * variance[c]);\n      (void)unbiased;"), suites=norm_suites)
planted("the running variance is the biased one, fast", FAST + "fast_batch_norm.c",
        ("result->rows > 1.0 ? result->b / (result->rows - 1.0) : variance", "variance"), suites=norm_suites)
planted("batches are normalised by the unbiased variance, reference", REFERENCE + "batch_norm_reference.c",
        ("variance[c] = squares[c] / (double)s->rows;", "variance[c] = squares[c] / (double)(s->rows - 1);"),
        suites=norm_suites)
planted("batches are normalised by the unbiased variance, fast", FAST + "fast_batch_norm.c",
        ("variance = result->b / result->rows;", "variance = result->b / (result->rows - 1.0);"), suites=norm_suites)
planted("backward forgets that the variance is the batch's, reference", REFERENCE + "batch_norm_reference.c",
        ("(dy[c] - mean_dy[c] - xhat * mean_dy_xhat[c])", "(dy[c] - mean_dy[c] - 0.0f * xhat * mean_dy_xhat[c])"),
        suites=norm_suites)
planted("backward forgets that the variance is the batch's, fast", FAST + "fast_norm_neuron.c",
        ("(float)(inverse * (centred * inverse / rows))", "(float)(0.0 * inverse)"), suites=norm_suites)
planted("a norm goes back through all steps but the first, fast", FAST + "simd_neuron.c",
        ("t >= 0; t--) {\n    const int64_t at = t * b->count + b->begin;\n    fetch",
         "t >= (b->steps > 1); t--) {\n    const int64_t at = t * b->count + b->begin;\n    fetch"), suites=norm_suites)
planted("a frozen network updates its statistics", "src/op/batch_norm.c",
        ("return call->run->training && !call->frozen;", "return call->run->training;"),
        suites=("unit/test_batch_norm", "unit/test_graph"))
planted("threshold-dependent norm forgets that two branches meet", "src/model/layer.c",
        ("norm.scale = share * options->neuron.threshold;", "(void)share, norm.scale = options->neuron.threshold;"),
        suites=("unit/test_model",))

# ---- gradients that meet: missed accumulation ----

planted("every writer of a gradient overwrites", "src/graph/compile.c",
        ("node->accumulate[i] = written[node->inputs[i]];", "node->accumulate[i] = false;"), suites=("unit/test_graph",))
planted("the first writer of a gradient adds to what was there", "src/graph/compile.c",
        ("node->accumulate[i] = written[node->inputs[i]];", "node->accumulate[i] = true;"), suites=("unit/test_graph",))
planted("convolution overwrites its input's gradient, reference", REFERENCE + "conv2d_reference.c",
        ("(float)((w->accumulate ? (double)dx[j] : 0.0) + total[j])", "(float)total[j]"),
        suites=("unit/test_conv2d",))
planted("convolution overwrites its input's gradient, fast", FAST + "fast_conv2d.c",
        ("  const bool adds = accumulate && ", "  accumulate = false;\n  const bool adds = accumulate && "),
        suites=fast_suites)
planted("convolution overwrites its weights' gradient, fast", FAST + "fast_conv2d.c",
        ("  if (accumulate_weight) {\n    ours", "  if (accumulate_weight && dbias == dweight) {\n    ours"),
        suites=fast_suites)
planted("weights' gradients are overwritten, reference", REFERENCE + "products_reference.h",
        ("(float)((accumulate ? (double)*out : 0.0) + tile->total[r][c])",
         "(float)((accumulate ? 0.0 : 0.0) + tile->total[r][c])"), suites=("unit/test_conv2d", "unit/test_linear"))
planted("linear overwrites its input's gradient, fast", FAST + "fast_linear.c",
        ("part[accumulate ? SSTI_FAST_DATA_ADD : SSTI_FAST_DATA]", "part[SSTI_FAST_DATA + 0 * accumulate]"),
        suites=fast_suites)
planted("linear overwrites its weights' gradient, fast", FAST + "fast_linear.c",
        ("part[accumulate_weight ? SSTI_FAST_WEIGHTS_ADD : SSTI_FAST_WEIGHTS]",
         "part[SSTI_FAST_WEIGHTS + 0 * accumulate_weight]"), suites=fast_suites)
planted("neurons overwrite their input's gradient, reference", REFERENCE + "neuron_reference.c",
        ("back.dx_sum, call->dx + first, call->accumulate_dx);", "back.dx_sum, call->dx + first, false);"),
        suites=("unit/test_neuron",))
planted("neurons overwrite their input's gradient, fast", FAST + "simd_neuron.c",
        ("if (norm == NULL) {\n    if (b->accumulate_dx) {", "if (norm == NULL) {\n    if (b->accumulate_dx && n < 0) {"),
        suites=fast_suites)
planted("neurons overwrite their input's gradient, columns", FAST + "simd_neuron_columns.c",
        ("store(dx, g->b->accumulate_dx ? load(dx) + dy : dy);", "store(dx, dy);"), suites=fast_suites, needs=WIDE)
planted("batch norm overwrites its input's gradient, reference", REFERENCE + "batch_norm_reference.c",
        ("dx[c] = w->accumulate_dx ? dx[c] + gradient : gradient;", "dx[c] = gradient;"), suites=norm_suites)
planted("batch norm overwrites its input's gradient, fast", FAST + "fast_norm_neuron.c",
        ("w->block.accumulate_dx = out->accumulate_dx;", "w->block.accumulate_dx = false;"), suites=norm_suites)
planted("average pooling overwrites its input's gradient, fast", FAST + "simd_pool.c",
        ("const bool add = accumulate || !is_tiling(s);", "const bool add = !is_tiling(s);"),
        suites=("unit/test_pool", "unit/test_fast_backend"))
planted("pooling overwrites its input's gradient, reference", REFERENCE + "pool_reference.c",
        ("c < s->channels && !w->accumulate; c++", "c < s->channels; c++"), suites=("unit/test_pool",))

planted("nine taps: each word of channels begins with the bias", FAST + "fast_event_nine.c",
        (".bias = begins ? w->bias + p->first : NULL};", ".bias = w->bias + p->first};"),
        suites=("unit/test_event_driven",), needs=WIDE)
planted("nine taps: the last row is not written", FAST + "fast_event_nine.c",
        ("for (; put < s->out_h; put++)", "for (; put + 1 < s->out_h; put++)"), suites=("unit/test_event_driven",),
        needs=WIDE)
planted("threads' sums overwrite the weights' gradient, fast", FAST + "fast_event.c",
        (".accumulate = accumulate};", ".accumulate = false};"), suites=fast_suites + ("unit/test_event_driven",))

# ---- own convolutions and pools in bf16 ----

half_suites = ("unit/test_bf16", "unit/test_fast_backend")
planted("bf16: filters are not turned for the input's gradient", FAST + "fast_bf16_slim.c",
        ("(c * places + places - 1 - p) * s->out_c", "(c * places + p) * s->out_c"), suites=half_suites, needs=HALF)
planted("bf16: of strided rows only each window's first is laid out", FAST + "fast_bf16_slim.c",
        ("padded_row % s->stride_h < s->kernel_h", "padded_row % s->stride_h == 0"), suites=half_suites, needs=HALF)
planted("bf16: the input's gradient is overwritten", FAST + "fast_bf16_slim.c",
        ("if (w->add) {", "if (w->add && w->bias != NULL) {"), suites=half_suites, needs=HALF)
planted("bf16: a picture's second band of rows ends early", FAST + "fast_bf16_slim_weights.c",
        ("s->out_h - row), x, dy, sums);", "s->out_h - row) - (row > 0), x, dy, sums);"), suites=half_suites, needs=HALF)
planted("bf16: strided rows are taken for padding too long", FAST + "fast_bf16_slim_weights.c",
        ("begin * s->stride_h + ky < s->pad_h", "begin + ky < s->pad_h"), suites=half_suites, needs=HALF)
planted("bf16: odd kernel columns begin a pixel late", FAST + "fast_dense_weights.c",
        ("pair_row(&of_x, row, 1 - s->pad_w,", "pair_row(&of_x, row, 2 - s->pad_w,"), suites=half_suites, needs=HALF)
planted("dense weights: a second group of pictures lacks its last", FAST + "fast_dense_weights.c",
        ("add_pictures(w, count, x, dy, sums);",
         "add_pictures(w, count - (first > slot * w->s->images / w->slots), x, dy, sums);"), suites=half_suites,
        needs=WIDE)
planted("dense weights: a second band of rows ends early", FAST + "fast_dense_weights.c",
        ("s->out_h - row), x_at", "s->out_h - row) - (row > 0), x_at"), suites=half_suites, needs=WIDE)
planted("bf16: a window's last pixel is its third again", FAST + "simd_pool.c",
        ("ssti_bf16_value(bottom1[c])", "ssti_bf16_value(bottom[c])"), suites=half_suites)
planted("bf16: one pixel of four gets no gradient", FAST + "simd_pool.c",
        ("bottom1[c] = share;", "bottom1[c] = 0;"), suites=half_suites)

# ---- losses and methods ----

planted("softmax's temperature is missing from backward", REFERENCE + "softmax_reference.c",
        ("(float)(slope / (double)job->temperature)", "(float)slope"), suites=("unit/test_softmax",))
planted("label smoothing is missing", REFERENCE + "loss_reference.c",
        ("return (1.0 - job->smoothing) * (double)target + job->smoothing / (double)job->channels;",
         "return (double)target + 0.0 * job->smoothing;"), suites=("unit/test_losses",))
planted("label smoothing is missing from backward", REFERENCE + "loss_reference.c",
        ("(share * sum - smooth_target(job, target[i]))", "(share * sum - (double)target[i])"),
        suites=("unit/test_losses",))
planted("kd: the temperatures are swapped", "src/distill/kd.c",
        ("sst_softmax(g, teacher, o->teacher_temperature)", "sst_softmax(g, teacher, o->student_temperature)"),
        ("sst_log_softmax(g, student, o->student_temperature)", "sst_log_softmax(g, student, o->teacher_temperature)"),
        suites=("unit/test_method_kd",))
planted("kd: without its factor of both temperatures", "src/distill/kd.c",
        ("return o->teacher_temperature * o->student_temperature;", "return 1.0f;"), suites=("unit/test_method_kd",))
planted("hta_kl: steps are distilled after the readout", "src/distill/hta_kl.c",
        ('o->per_step ? "step_logits" : "logits"', 'o->per_step ? "logits" : "logits"'),
        suites=("unit/test_method_hta_kl",))
planted("self_distillation: steps are distilled after the readout", "src/distill/self_distillation.c",
        ('o->per_step ? "step_logits" : "logits"', 'o->per_step ? "logits" : "logits"'),
        suites=("unit/test_method_self_distillation",))
planted("step_kd: samples without a correct step count too", "src/distill/step_kd.c",
        ("sst_multiply(g, divergence, has_correct)", "((void)has_correct, divergence)"),
        suites=("unit/test_method_step_kd",))
planted("the loss of each step is that after the readout", "src/run/assemble.c",
        ("recipe->loss_per_step ? step_logits : logits", "recipe->loss_per_step && !loss ? step_logits : logits"),
        suites=("cli/test_resume.py",))
planted("a slim network's last stage has two blocks", "src/model/builders.c",
        ("{{16, 1}, {32, 1}, {64, 1}}", "{{16, 1}, {32, 1}, {64, 2}}"), suites=("unit/test_builders",))
planted("the logits are the sum over time", "src/model/readout.c",
        ("sst_mean(model->graph, steps, SST_AXES_T)", "sst_sum(model->graph, steps, SST_AXES_T)"),
        suites=("unit/test_model",))
planted("dropout does not make up for what it drops, reference", REFERENCE + "dropout_reference.c",
        (".factor = 1.0f / (1.0f - rate),", ".factor = 1.0f,"),
        suites=("unit/test_structural_ops", "unit/test_fast_backend"))
planted("dropout does not make up for what it drops, fast", FAST + "simd_flat.c",
        ("const float factor = 1.0f / (1.0f - rate);", "const float factor = 1.0f;"), suites=fast_suites)
planted("dropout counts from the start of its thread's share, reference", REFERENCE + "dropout_reference.c",
        ("ssti_random_uniform(w->seed, w->stream, (uint64_t)i)",
         "ssti_random_uniform(w->seed, w->stream, (uint64_t)(i - begin))"), suites=("unit/test_structural_ops",))
planted("dropout counts from the start of its thread's share, fast", FAST + "simd_flat.c",
        ("random_word(seed, stream, (uint64_t)(at + i))", "random_word(seed, stream, (uint64_t)(at - begin + i))"),
        suites=fast_suites)
planted("dropout draws another mask for backward", "src/op/dropout.c",
        ("call->run->step, from,", "call->run->step + (to != call->y[0]->data), from,"),
        suites=("unit/test_structural_ops",))

# ---- optimisers ----

optimizer_suites = ("unit/test_optimizer", "unit/test_optimizer_kernels", "unit/test_fast_backend")
planted("weight decay also shrinks norms", "src/graph/parameters.c",
        ("parameter->kind == SST_PARAMETER_WEIGHT ? 0 : 1",
         "parameter->kind == SST_PARAMETER_WEIGHT || parameter->kind == SST_PARAMETER_NORM ? 0 : 1"),
        suites=optimizer_suites)
planted("Nesterov does not look ahead, reference", REFERENCE + "optimizer_reference.c",
        ("w->nesterov ? step + w->momentum * velocity : velocity", "velocity"), suites=optimizer_suites)
planted("Nesterov does not look ahead, fast", FAST + "simd_flat.c",
        ("value[i] -= learning_rate * (step + momentum * velocity[i]);", "value[i] -= learning_rate * velocity[i];"),
        suites=optimizer_suites)
planted("AdamW: no bias correction of the first moment, reference", REFERENCE + "optimizer_reference.c",
        ("(float)((double)update->learning_rate / update->correction1)", "update->learning_rate"),
        suites=optimizer_suites)
planted("AdamW: no bias correction of the first moment, fast", FAST + "fast_flat.c",
        ("(float)((double)update->learning_rate / update->correction1)", "update->learning_rate"),
        suites=optimizer_suites)
planted("the gradient is not clipped", REFERENCE + "optimizer_reference.c",
        ("factor < 1.0 ? (float)factor : 1.0f", "factor < 0.0 ? (float)factor : 1.0f"), suites=optimizer_suites)
planted("the schedule's factor is ignored", "src/optim/optimizer.c",
        ("(float)((double)o->learning_rate * rate_factor)", "o->learning_rate + 0.0f * (float)rate_factor"),
        suites=optimizer_suites)

# ---- the graph ----

planted("memory that backward reads is used again before", "src/graph/layout.c",
        ("if (!ssti_backward_reads_input(step, i)) { continue; }\n    // The same",
         "if (at > 0 || !ssti_backward_reads_input(step, i)) { continue; }\n    // The same"), suites=("unit/test_graph",))
planted("gradients of an earlier graph stay", "src/graph/execute.c",
        ("    kernels->fill(graph->backend, graph->stale_counts[i], 0.0f, graph->stale_gradients[i]);\n", ""),
        suites=("unit/test_graph",))
planted("a sum's order depends on the threads", REFERENCE + "optimizer_reference.c",
        (".chunk = ssti_tiles(count, SUM_CHUNKS)",
         ".chunk = ssti_tiles(count, sst_context_threads(backend->context))"), suites=optimizer_suites)

planted("what a teacher makes of one picture is taken for all of a batch", "src/graph/settle.c",
        ("recall->row[graph->recall_samples[n]];\n  if", "recall->row[graph->recall_samples[0]];\n  if"),
        suites=("unit/test_settle",))
planted("what was kept for another graph is taken", "src/graph/settle.c",
        ("if (graph->settled_layout != recall->layout) {", "if (recall->layout == 0) {"), suites=("unit/test_settle",))
planted("a teacher's values are kept beyond teacher_memory", "src/run/run_train.c",
        ("if (wanted > (double)s->recipe->teacher_memory) {", "if (wanted < 0) {"), suites=("cli/test_resume.py",))

# ---- quantised networks ----

quantize_suites = ("unit/test_quantize_weights", "property/test_quantize_properties")
planted("stored membranes do not leak", "src/neuron/dynamics.h",
        ("{ return d->stored_decay * u * d->grid_inverse; }", "{ return u * d->grid_inverse; }"),
        suites=quantize_suites + ("unit/test_neuron",))
planted("the gradient passes membranes that were clipped", "src/neuron/dynamics.h",
        ("return (steps >= -d->grid_largest) & (steps <= d->grid_largest);", "return steps <= steps;"),
        suites=quantize_suites + ("unit/test_neuron", "grad/test_neuron_gradients"))
planted("a quantiser's step forgets how far weights were moved", "src/backend/quantize_row_loops.h",
        ("fabsf(steps) <= how->limit ? code - steps : code;", "code;"), suites=quantize_suites)
planted("weights beyond the grid keep their gradient", "src/backend/quantize_row_loops.h",
        ("dweight[i] = fabsf(weight[i] / scale) <= limit ? dcodes[i] / scale : 0.0f;",
         "dweight[i] = limit >= 0.0f ? dcodes[i] / scale : 0.0f;"), suites=quantize_suites)
planted("a norm of few bits centres by the factor before rounding", REFERENCE + "quantize_reference.c",
        ("  if (bits > 0) { round_to(channels, step, factor); }\n", ""),
        ("round_to(channels, fmaxf(", "round_to(channels, step, factor), round_to(channels, fmaxf("),
        suites=quantize_suites + ("unit/test_rescale",))
planted("a norm of few bits learns as if it had all", "src/op/batch_norm.c",
        ("if (bits_of(call) > 0 && dx[X] != NULL) { add", "if (bits_of(call) > 99 && dx[X] != NULL) { add"),
        suites=quantize_suites + ("unit/test_rescale",))
planted("a rescaling's offset learns from the mean of its gradients", "src/op/rescale.c",
        ("SSTI_REDUCE_SUM", "SSTI_REDUCE_MEAN"), suites=quantize_suites + ("unit/test_rescale",))

# ---- further ops and methods ----

planted("the head of a distribution ends one class early", REFERENCE + "head_mask_reference.c",
        ("mask[largest] = 1.0f;\n      sum += (double)p[largest];",
         "sum += (double)p[largest];\n      mask[largest] = sum < job->mass || taken == 0 ? 1.0f : 0.0f;"),
        suites=("unit/test_head_mask",))
planted("no gradient passes the floor", "src/backend/unary_formulas.h",
        ("X(FLOOR, floorf(x), 1.0f)", "X(FLOOR, floorf(x), 0.0f)"), suites=("unit/test_unary",))
planted("md_snn measures membranes in the threshold, not its square", "src/distill/md_snn.c",
        ("1.0f / (threshold * threshold)", "1.0f / threshold"), suites=("unit/test_method_md_snn",))

# ---- recordings ----

framing_suites = ("unit/test_framing", "golden/test_framing_goldens")
planted("frames of a duration drop the last part of one", "src/data/framing.c",
        ("duration / window + (duration % window > 0)", "duration / window"), suites=framing_suites)
planted("bins of time take what lies beyond the last", "src/data/framing.c",
        ("case SST_FRAMING_TONIC_NBINS: return (cut){false, duration / frames, frames, false};",
         "case SST_FRAMING_TONIC_NBINS: return (cut){false, duration / frames, frames, true};"), suites=framing_suites)

# ---- energy ----

energy_suites = ("unit/test_energy", "unit/test_cost_count", "unit/test_cost_measure")
planted("SpikeSim's converters have no multiplexers", "src/energy/spikesim.h",
        ("n * (t->adc_pj + t->mux_pj)", "n * t->adc_pj"), suites=energy_suites)
planted("weights that are zero are counted", "src/run/cost_count.c",
        ("w[c] != 0.0f ? 1.0f : 0.0f", "w[c] != 0.0f ? 1.0f : 1.0f"), suites=energy_suites)
planted("averages of spikes are counted as parts of spikes", "src/run/cost_layers.c",
        ("return before / (double)(pool->kernel_h * pool->kernel_w);", "return pool->kernel_h > 0 ? before : 0;"),
        suites=energy_suites)
planted("spikes are counted in the size of their threshold", "src/run/cost_layers.c",
        ("return before * positive_scalar(graph, node->inputs[1]);",
         "return positive_scalar(graph, node->inputs[1]) > 0 ? before : 0;"), suites=energy_suites)

# ---- exchange ----

planted("NIR: a reader that fires above the threshold gets it as it is", "src/exchange/nir_neurons.c",
        ("if (!profile->fires_at) {", "if (!profile->fires_at && k < 0) {"), suites=("unit/test_nir_export",))

# ---- C source ----

c_suites = ("property/test_c_source",)
planted("C source: a spike counts in one window of a pool too few", "src/deploy/c_helpers.c",
        ("(position - kernel) / stride + 1", "(position - kernel) / stride + 2"), suites=c_suites)
planted("C source: negative numbers are rounded towards zero", "src/deploy/c_helpers.c",
        ("~(~number >> bits)", "-(-number >> bits)"), suites=c_suites)
planted("C source: a layer's output takes the place of its input", "src/deploy/c_plan.c",
        ("last < first ? first : last", "last < first ? first : last - (last > first)"), suites=c_suites)
planted("C source: groups read the channels of the first", "src/deploy/c_layers.c",
        ("write_windows(w, layer, true, level);", "write_windows(w, layer, level < 0, level);"), suites=c_suites)

# ---- lowering ----

LOWER = "src/deploy/lower"
lower_suites = ("property/test_lower_properties", "unit/test_lower")
planted("a threshold between two integers becomes the lower one", LOWER + "_neurons.c",
        ("? ceil(exact) : ", "? floor(exact) : "), suites=lower_suites)
planted("a leak is shifted once too little", LOWER + "_neurons.c",
        ("n->decay_shift = leak + fine - state;",
         "n->decay_shift = leak + fine - state > 0 ? leak + fine - state - 1 : 0;"), suites=lower_suites)
planted("an offset does not pass the second factor", LOWER + "_layers.c",
        ("w->offset[o] = a * w->offset[o] + b;", "w->offset[o] = w->offset[o] + b;"), suites=lower_suites)
planted("a ternary byte begins at its other end", "src/deploy/integer_pack.c",
        ("{1, 3, 9, 27, 81}", "{81, 27, 9, 3, 1}"), suites=("unit/test_integer_file",))
planted("bounds of membranes are those of the first step", "src/deploy/integer_rules.c",
        ("if (same(grown, v)) { break; }", "if (same(grown, v) || t == 0) { break; }"),
        suites=("unit/test_integer_network",))

# ---- the engine ----

engine_suites = ("property/test_engine_properties", "unit/test_engine")
planted("events: rows of the input are held although others are due", "src/deploy/engine_events.c",
        ("held_of(v)[h % v->node->tiling.held] != h)", "held_of(v)[h % v->node->tiling.held] < 0)"),
        suites=engine_suites)
planted("events: dilated taps stand at the codes of others", "src/deploy/engine_events.c",
        ("x, x + 1, tap + kw);", "x, x + 1, tap + kw / w->dilation_w);"), suites=engine_suites)
planted("events: outputs beyond the first block have its codes", "src/deploy/engine_events.c",
        ("(first + o) / SSTI_EVENT_WIDTH) * tile_bytes", "o / SSTI_EVENT_WIDTH) * tile_bytes"), suites=engine_suites)
planted("events: kernel rows beyond the border are read", "src/deploy/engine_events.c",
        ("h < v->in->height && first + i < w->kernel_h;", "first + i < w->kernel_h;"), suites=engine_suites)
planted("slices: four spikes of a window count as six", "src/deploy/kernel_slice.c",
        ("(type)(above_two ^ below_two ^ across);", "(type)(above_two | below_two | across);"), suites=engine_suites)
planted("slices: the largest of a window misses its last", "src/deploy/kernel_slice.c",
        ("| below[2 * i] | below[2 * i + 1]);", "| below[2 * i]);"), suites=engine_suites)

# ---- residual networks in bf16 ----

planted("a sum of what is f32 becomes bf16", "src/op/binary.c", (".keeps_type = true", ".keeps_type = false"),
        suites=half_suites, needs=HALF)
planted("a sum that repeats a side takes bf16", "src/op/binary.c",
        (" && sst_shape_equal(call->x[0]->shape, call->x[1]->shape)", ""), suites=half_suites, needs=HALF)
planted("a norm that writes bf16 doubles its offset", FAST + "simd_batch_norm.c",
        ("const float out = (in - mean[c]) * factor[c] + offset[c];",
         "const float out = (in - mean[c]) * factor[c] + 2.0f * offset[c];"), suites=half_suites, needs=HALF)
planted("a sum's gradient in bf16 overwrites its side's", FAST + "simd_bf16.c",
        ("  } else if (y == b) {\n    add_bf16(count, a, y);", "  } else if (y == b) {\n    copy(count, a, a_type, y, out);"),
        suites=half_suites, needs=HALF)

# ---- Winograd's algorithm ----

winograd_suites = ("unit/test_winograd",)
planted("winograd: filters of the input's gradient are not turned", FAST + "fast_winograd.c",
        ("weight + (SSTI_WINOGRAD_FILTER - 1) * s->in_c,", "weight,"), (".step = -s->in_c}", ".step = s->in_c}"),
        suites=winograd_suites)
planted("winograd: windows begin inside the picture", FAST + "fast_winograd.c", ("p.top = -s->pad_h,", "p.top = 0,"),
        suites=winograd_suites)
planted("winograd: outputs beyond a panel meet the first one's weights", FAST + "fast_winograd.c",
        ("ssti_winograd_offset(&w->of_weights, p, first)", "ssti_winograd_offset(&w->of_weights, p, 0)"),
        suites=winograd_suites)
planted("winograd: its densities are those of direct products", FAST + "fast_conv2d.c",
        ("  if (winograd) {\n    return (crossing)", "  if (false && winograd) {\n    return (crossing)"),
        suites=winograd_suites)
planted("winograd: each group of tiles overwrites the one before", FAST + "fast_winograd_weights.c",
        (".add = w->first + tile > 0,", ".add = tile > 0,"), suites=winograd_suites)
planted("winograd: the weights' gradient is not added", FAST + "fast_winograd_weights.c",
        ("float *turned = accumulate ? work.filters + z.filters : dweight;", "float *turned = dweight;"),
        suites=winograd_suites)
planted("winograd: the input's gradient is not added", FAST + "simd_winograd.c",
        ("  if (add) { value += load_pixel(pixel, c, half); }\n", "  (void)add;\n"), suites=winograd_suites)
planted("winograd: bf16 is cut off, not rounded", FAST + "simd_winograd.c",
        ("(bits + 0x7fff + (bits >> 16 & 1)) >> 16", "bits >> 16"), suites=winograd_suites)
planted("winograd: a gradient beyond the picture's edge counts", FAST + "simd_winograd.c",
        ("const bool is_pixel = is_row && left + c >= 0 && left + c < p->width;",
         "const bool is_pixel = is_row && left + c >= 0 && left + c <= p->width;"), suites=winograd_suites)
planted("winograd: the last row of an uneven product is left out", FAST + "simd_winograd.c",
        ("#define ROW_AT(r) (row + (r) < m->rows ? row + (r) : m->rows - 1)",
         "#define ROW_AT(r) (row + (r) < m->rows - 1 ? row + (r) : m->rows - 2)"), suites=winograd_suites)
planted("winograd: the weights' gradient sums all tiles in one chain", FAST + "fast_winograd_weights.c",
        ("tile += SSTI_WINOGRAD_CHAIN) {", "tile += w->of.x.rows) {"),
        ("ssti_smaller(SSTI_WINOGRAD_CHAIN, w->of.x.rows - tile)", "w->of.x.rows"),
        ("  GROUP_STEP = SSTI_WINOGRAD_CHAIN,", "  GROUP_STEP = 64 * SSTI_WINOGRAD_CHAIN,"), suites=winograd_suites)
