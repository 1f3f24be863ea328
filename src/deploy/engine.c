// SPDX-License-Identifier: Apache-2.0
// Opening, running and closing an engine. A run is cut into groups of pictures, and each worker takes whole groups
// through the whole network: workers meet only at the end. A picture that is alone is shared among them layer by layer.
#include "spikestill/engine.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "deploy/engine_parts.h"

sst_engine_options sst_engine_default(void) {
  return (sst_engine_options){.batch = 1, .kernel = SST_ENGINE_KERNEL_AUTO, .level = SST_ENGINE_LEVEL_COUNT - 1};
}

static sst_status check_options(sst_context *context, const sst_engine_options *o) {
  if (o->threads < 0 || o->threads > 1024) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the engine's threads are %d, expected 0 to 1024", o->threads);
  }
  if (o->batch < 1 || o->batch > SSTI_ENGINE_LARGEST_BATCH) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the engine's batch is %" PRId64 ", expected 1 to %d", o->batch,
             SSTI_ENGINE_LARGEST_BATCH);
  }
  if ((unsigned)o->kernel >= SST_ENGINE_KERNEL_COUNT || (unsigned)o->level >= SST_ENGINE_LEVEL_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the engine's kernel is %d and its level %d, expected 0 to %d and 0 to %d",
             (int)o->kernel, (int)o->level, SST_ENGINE_KERNEL_COUNT - 1, SST_ENGINE_LEVEL_COUNT - 1);
  }
  if (o->stream && o->batch != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the engine of a stream has a batch of %" PRId64 ", expected 1", o->batch);
  }
  return SST_OK;
}

// Pictures of a word: so few that every worker gets a group, at least 8.
static int group_of(const sst_engine *e) {
  if (e->options.batch < SSTI_ENGINE_LEAST_GROUP) { return 1; }
  const int64_t share = (e->options.batch + e->workers - 1) / e->workers;
  int group = SSTI_ENGINE_LEAST_GROUP;
  // What an observer is told of takes much memory for each picture.
  while (e->options.observer == NULL && group < share && group < SSTI_ENGINE_MOST_GROUP) { group *= 2; }
  return group;
}

static void set_up(sst_engine *e) {
  const int most = sst_context_threads(e->context), asked = e->options.threads;
  e->workers = asked == 0 || asked > most ? most : asked;
  // Observers are told by one thread.
  if (e->options.observer != NULL) { e->workers = 1; }
  e->level = e->options.level;
  while (!ssti_engine_level_fill(e->level, &e->kernels)) { e->level--; }
  e->group = group_of(e);
  e->word = e->group / 8 > 0 ? e->group / 8 : 1;
}

static sst_status allocate(sst_engine *e) {
  sst_context *context = e->context;
  const size_t nodes = (size_t)e->network->node_count;
  SST_TRY(ssti_allocate(context, (size_t)e->network->value_count, sizeof *e->values, &e->values));
  SST_TRY(ssti_allocate(context, nodes, sizeof *e->nodes, &e->nodes));
  SST_TRY(ssti_allocate(context, nodes, sizeof *e->segments, &e->segments));
  SST_TRY(ssti_allocate(context, (size_t)e->workers, sizeof *e->worker, &e->worker));
  SST_TRY(ssti_engine_plan(e));
  for (int i = 0; i < e->workers; i++) {
    SST_TRY(ssti_allocate(context, nodes, sizeof *e->worker[i].spikes, &e->worker[i].spikes));
    SST_TRY(ssti_allocate(context, nodes, sizeof *e->worker[i].events, &e->worker[i].events));
    SST_TRY(ssti_allocate(context, nodes, sizeof *e->worker[i].seconds, &e->worker[i].seconds));
    SST_TRY(ssti_allocate_tensors(context, e->block_bytes, &e->worker[i].block));
    memset(e->worker[i].block, 0, e->block_bytes); // what kernels read beyond an end is not a number, but is there
  }
  return ssti_allocate(context, (size_t)e->state_count, sizeof *e->states, &e->states);
}

sst_status sst_engine_open(sst_context *context, const sst_integer_network *network, const sst_engine_options *options,
                           sst_engine **out) {
  *out = NULL;
  SST_TRY(check_options(context, options));
  sst_engine *e = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *e, &e));
  e->context = context;
  e->network = network;
  e->options = *options;
  set_up(e);
  const sst_status status = allocate(e);
  if (status != SST_OK) {
    sst_engine_close(e);
    return status;
  }
  sst_engine_reset(e);
  *out = e;
  return SST_OK;
}

void sst_engine_close(sst_engine *e) {
  if (e == NULL) { return; }
  sst_context *context = e->context;
  for (int i = 0; e->worker != NULL && i < e->workers; i++) {
    ssti_free(context, e->worker[i].block);
    ssti_free(context, e->worker[i].spikes);
    ssti_free(context, e->worker[i].events);
    ssti_free(context, e->worker[i].seconds);
  }
  for (int i = 0; e->nodes != NULL && i < e->network->node_count; i++) {
    ssti_engine_node *n = &e->nodes[i];
    ssti_free(context, n->weights);
    ssti_free(context, n->event_weights);
    ssti_free(context, n->factor);
    ssti_free(context, n->offset);
    ssti_free(context, n->slice_offset);
    ssti_free(context, n->slice_factor);
    ssti_free(context, n->digits);
  }
  ssti_free(context, e->values);
  ssti_free(context, e->nodes);
  ssti_free(context, e->segments);
  ssti_free(context, e->worker);
  ssti_free(context, e->states);
  ssti_free(context, e);
}

// ---- inputs

static int64_t input_count(const sst_engine *e) { return e->values[0].count; }
static int64_t picture_inputs(const sst_engine *e) {
  return input_count(e) * (e->network->input_each_step ? e->network->timesteps : 1);
}

static sst_status check_input(const sst_engine *e, int64_t pictures, const int16_t *input, int64_t each) {
  const sst_integer_value *v = &e->network->values[0];
  for (int64_t p = 0; p < pictures; p++, input += each) {
    int low = INT16_MAX, high = INT16_MIN;
    for (int64_t i = 0; i < each; i++) {
      low = input[i] < low ? input[i] : low;
      high = input[i] > high ? input[i] : high;
    }
    if (low >= v->low && high <= v->high) { continue; }
    int64_t i = 0;
    while (input[i] >= v->low && input[i] <= v->high) { i++; }
    const int64_t step = i / input_count(e), at = i % input_count(e);
    SST_FAIL(e->context, SST_INVALID_ARGUMENT,
             "picture %" PRId64 ", step %" PRId64 ": the input at row %" PRId64 ", column %" PRId64 ", channel %" PRId64
             " is %d, expected %" PRId64 " to %" PRId64,
             p, step, at / v->channels / v->width, at / v->channels % v->width, at % v->channels, input[i], v->low,
             v->high);
  }
  return SST_OK;
}

static void take_input(const sst_engine *e, const ssti_engine_worker *worker, int64_t in_group, const int16_t *input) {
  const ssti_engine_value *v = &e->values[0];
  uint8_t *rows = ssti_engine_rows(worker, v, in_group);
  const int64_t count = v->count * v->steps;
  if (v->narrow) {
    for (int64_t i = 0; i < count; i++) { rows[i] = (uint8_t)(input[i] + v->bias); }
  } else {
    for (int64_t i = 0; i < count; i++) { ((int32_t *)(void *)rows)[i] = input[i]; }
  }
}

// ---- the readout

// x [steps][classes] of one picture, from step `first` of the run on. `sums` are the logits, `m` the integrator's.
static void read_out(const sst_engine *e, const uint8_t *rows, int64_t first, int64_t *sums, int64_t *m) {
  const sst_integer_readout *r = &e->network->nodes[e->network->node_count - 1].readout;
  const ssti_engine_value *v = ssti_engine_input(e, e->network->node_count - 1, 0);
  const int64_t classes = e->network->classes, steps = e->options.stream ? 1 : e->network->timesteps;
  for (int64_t t = 0; t < steps; t++) {
    for (int64_t c = 0; c < classes; c++) {
      const int64_t at = (v->steps == 1 ? 0 : t) * classes + c;
      const int64_t x = v->narrow ? rows[at] - v->bias : ((const int32_t *)(const void *)rows)[at];
      switch (r->kind) {
      case SST_INTEGER_READOUT_SUM: sums[c] += x; break;
      case SST_INTEGER_READOUT_LAST: sums[c] = x; break;
      case SST_INTEGER_READOUT_INTEGRATOR:
        // A class whose input is always 0 may have a shift that no unit would fit.
        m[c] = r->decay * m[c] + (x == 0 ? 0 : x * (INT64_C(1) << (r->shift * (first + t))));
        sums[c] = sums[c] * (INT64_C(1) << r->shift) + m[c];
        break;
      case SST_INTEGER_READOUT_COUNT: break;
      }
    }
  }
}

static int64_t *readout_scratch(const sst_engine *e, const ssti_engine_worker *worker) {
  return (int64_t *)(void *)(worker->block + e->at.readout);
}

// ---- runs

typedef struct run_work {
  sst_engine *e;
  int64_t pictures;
  const int16_t *input;
  int64_t *logits;
} run_work;

// The time until now is the node's.
static void take_time(const sst_engine *e, const ssti_engine_worker *worker, int node, double *since) {
  if (!e->options.timed) { return; }
  const double now = ssti_clock_seconds();
  worker->seconds[node] += now - *since;
  *since = now;
}
static double time_now(const sst_engine *e) { return e->options.timed ? ssti_clock_seconds() : 0; }

// Values that a segment hands on in the other form.
static void convert_values(const sst_engine *e, const ssti_engine_worker *worker, const ssti_engine_segment *s,
                           int64_t pictures) {
  for (int node = s->first; node < s->end; node++) {
    const ssti_engine_value *v = e->nodes[node].node->output >= 0 ? &e->values[e->nodes[node].node->output] : NULL;
    if (v == NULL || !v->in_rows || !v->in_slices) { continue; }
    double since = time_now(e);
    if (v->packed || v->by_bytes) {
      ssti_engine_to_slices(e, worker, v, pictures);
    } else {
      ssti_engine_to_rows(e, worker, v, pictures);
    }
    take_time(e, worker, node, &since);
  }
}

// What a segment in rows made of one picture for slices.
static void pack_values(const ssti_engine_picture *picture, const ssti_engine_segment *s) {
  const sst_engine *e = picture->engine;
  for (int node = s->first; node < s->end; node++) {
    const ssti_engine_value *v = e->nodes[node].node->output >= 0 ? &e->values[e->nodes[node].node->output] : NULL;
    if (v == NULL || !v->packed) { continue; }
    double since = time_now(e);
    ssti_engine_pack_picture(e, picture->owner, v, picture->in_group);
    take_time(e, picture->owner, node, &since);
  }
}

static void run_rows(const ssti_engine_picture *picture, int first, int end) {
  double since = time_now(picture->engine);
  for (int i = first; i < end; i++) {
    ssti_engine_run_rows(picture, i);
    take_time(picture->engine, picture->owner, i, &since);
  }
}

static void take_readout(const run_work *w, const ssti_engine_picture *picture) {
  const sst_engine *e = w->e;
  const int64_t classes = e->network->classes;
  const ssti_engine_value *output = ssti_engine_input(e, e->network->node_count - 1, 0);
  int64_t *logits = w->logits + picture->number * classes, *m = readout_scratch(e, picture->owner);
  memset(logits, 0, (size_t)classes * sizeof *logits);
  memset(m, 0, (size_t)classes * sizeof *m);
  read_out(e, ssti_engine_rows(picture->owner, output, picture->in_group), 0, logits, m);
}

// One picture's input, and what slices need of it.
static void take_picture(const run_work *w, const ssti_engine_picture *picture) {
  const ssti_engine_value *v = &w->e->values[0];
  take_input(w->e, picture->owner, picture->in_group, w->input + picture->number * picture_inputs(w->e));
  if (v->packed) { ssti_engine_pack_picture(w->e, picture->owner, v, picture->in_group); }
}

static void run_group(const run_work *w, ssti_engine_worker *worker, int64_t first, int64_t pictures, bool alone) {
  sst_engine *e = w->e;
  const bool at_once = e->values[0].crossing || e->segments[0].sliced; // the input of all pictures
  for (int64_t p = 0; at_once && p < pictures; p++) {
    take_picture(w, &(ssti_engine_picture){e, worker, p, first + p, alone});
  }
  if (e->segments[0].sliced) { ssti_engine_to_slices(e, worker, &e->values[0], pictures); }
  for (int s = 0; s < e->segment_count; s++) {
    const ssti_engine_segment *segment = &e->segments[s];
    for (int64_t p = 0; !segment->sliced && p < pictures; p++) {
      const ssti_engine_picture picture = {e, worker, p, first + p, alone};
      if (s == 0 && !at_once) { take_picture(w, &picture); }
      run_rows(&picture, segment->first, segment->end);
      pack_values(&picture, segment);
      if (segment->end == e->network->node_count) { take_readout(w, &picture); }
    }
    if (s == 0 && !segment->sliced && e->values[0].in_slices) {
      ssti_engine_to_slices(e, worker, &e->values[0], pictures);
    }
    double since = time_now(e);
    for (int i = segment->first; segment->sliced && i < segment->end; i++) {
      ssti_engine_run_slices(e, worker, i, first, pictures);
      take_time(e, worker, i, &since);
    }
    convert_values(e, worker, segment, pictures);
  }
}

static void run_groups(void *arg, int64_t begin, int64_t end) {
  const run_work *w = arg;
  const sst_engine *e = w->e;
  const int64_t groups = (w->pictures + e->group - 1) / e->group;
  for (int64_t i = begin; i < end; i++) {
    for (int64_t g = i * groups / e->workers; g < (i + 1) * groups / e->workers; g++) {
      const int64_t first = g * e->group, left = w->pictures - first;
      run_group(w, &w->e->worker[i], first, left < e->group ? left : e->group, false);
    }
  }
}

sst_status sst_engine_run(sst_engine *e, int64_t pictures, const int16_t *input, int64_t *logits) {
  if (e->options.stream) {
    SST_FAIL(e->context, SST_INVALID_ARGUMENT, "this engine was opened for a stream, expected one for runs");
  }
  SST_TRY(check_input(e, pictures, input, picture_inputs(e)));
  run_work work = {e, pictures, input, logits};
  if (pictures == 1) {
    run_group(&work, &e->worker[0], 0, 1, e->options.observer == NULL);
  } else {
    ssti_parallel_for(e->context, e->workers, 1, run_groups, &work);
  }
  return SST_OK;
}

// ---- streams

void sst_engine_reset(sst_engine *e) {
  if (!e->options.stream) { return; }
  for (int i = 0; i < e->network->node_count; i++) {
    if (e->network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    int32_t *state = e->states + e->nodes[i].state_at;
    for (int64_t k = 0; k < ssti_engine_output(e, i)->count; k++) { state[k] = e->network->nodes[i].neurons.start; }
  }
  memset(readout_scratch(e, &e->worker[0]), 0, (size_t)(2 * e->network->classes) * sizeof(int64_t));
  e->step = 0;
}

sst_status sst_engine_step(sst_engine *e, const int16_t *input, int64_t *logits) {
  if (!e->options.stream) {
    SST_FAIL(e->context, SST_INVALID_ARGUMENT, "this engine was opened for runs, expected one for a stream");
  }
  if (!e->endless && e->step >= e->network->timesteps) {
    SST_FAIL(e->context, SST_INVALID_ARGUMENT,
             "step %" PRId64 " of a network of %" PRId64
             " steps: only where every membrane has a limit, and the readout is no integrator, a stream may go on",
             e->step + 1, e->network->timesteps);
  }
  SST_TRY(check_input(e, 1, input, input_count(e)));
  ssti_engine_worker *worker = &e->worker[0];
  const ssti_engine_picture picture = {e, worker, 0, 0, e->options.observer == NULL};
  take_input(e, worker, 0, input);
  run_rows(&picture, 0, e->network->node_count);
  const int64_t classes = e->network->classes;
  int64_t *sums = readout_scratch(e, worker);
  read_out(e, ssti_engine_rows(worker, ssti_engine_input(e, e->network->node_count - 1, 0), 0), e->step, sums,
           sums + classes);
  if (logits != NULL) { memcpy(logits, sums, (size_t)classes * sizeof *logits); }
  e->step++;
  return SST_OK;
}

// ---- what is told of it

uint64_t sst_engine_spikes(const sst_engine *e, int node) {
  uint64_t spikes = 0;
  for (int i = 0; node >= 0 && node < e->network->node_count && i < e->workers; i++) {
    spikes += e->worker[i].spikes[node];
  }
  return spikes;
}

void sst_engine_clear_counts(sst_engine *e) {
  for (int i = 0; i < e->workers; i++) {
    memset(e->worker[i].spikes, 0, (size_t)e->network->node_count * sizeof *e->worker[i].spikes);
    memset(e->worker[i].events, 0, (size_t)e->network->node_count * sizeof *e->worker[i].events);
    memset(e->worker[i].seconds, 0, (size_t)e->network->node_count * sizeof *e->worker[i].seconds);
  }
}

double sst_engine_seconds(const sst_engine *e, int node) {
  double seconds = 0;
  for (int i = 0; node >= 0 && node < e->network->node_count && i < e->workers; i++) {
    seconds += e->worker[i].seconds[node];
  }
  return seconds;
}

sst_engine_layer sst_engine_layer_of(const sst_engine *e, int node) {
  const ssti_engine_node *n = &e->nodes[node];
  return (sst_engine_layer){.kernel = n->kernel, .sliced = n->sliced, .weight_bytes = n->weight_bytes};
}

sst_engine_level sst_engine_level_of(const sst_engine *e) { return e->level; }

sst_engine_memory sst_engine_memory_of(const sst_engine *e) {
  const size_t workers = (size_t)e->workers;
  sst_engine_memory m = {.weights = e->weight_bytes,
                         .planes = (e->values_bytes + e->planes_bytes) * workers +
                                   (size_t)e->state_count * sizeof *e->states};
  m.total = m.weights + m.planes + e->table_bytes + (e->block_bytes - e->values_bytes - e->planes_bytes) * workers +
            (size_t)e->network->node_count *
                (sizeof *e->nodes + sizeof *e->segments + workers * (2 * sizeof(uint64_t) + sizeof(double))) +
            (size_t)e->network->value_count * sizeof *e->values + workers * sizeof *e->worker + sizeof *e;
  m.scratch = m.total - m.weights - m.planes;
  return m;
}
