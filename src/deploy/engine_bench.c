// SPDX-License-Identifier: Apache-2.0
// Times the engine on a network of random ternary weights, beside what its kernels could do at most (bench.h).

#include "base/clock.h"
#include "base/parallel.h"
#include "base/random.h"
#include "deploy/bench_network.h"
#include "deploy/engine_parts.h"
#include "deploy/integer_rules.h"

enum { SETTLE_PICTURES = 8, CEILING_ROUNDS = 15, CHAIN_ROUNDS = 2000000 };

// ---- ceilings

typedef struct chain_work {
  uint64_t (*chains)(int64_t rounds, uint64_t seed);
  uint64_t results[1024];
} chain_work;

static void run_chains(void *arg, int64_t begin, int64_t end) {
  chain_work *w = arg;
  for (int64_t i = begin; i < end; i++) { w->results[i] = w->chains(CHAIN_ROUNDS, (uint64_t)i * 2654435761u + 12345); }
}

// Operations a second of all threads, the best of several rounds: whatever else runs only makes a round slower.
static double best_rate(sst_context *context, uint64_t (*chains)(int64_t, uint64_t), int operations) {
  chain_work work = {.chains = chains};
  const int threads = sst_context_threads(context);
  double best = 0;
  for (int i = 0; i < CEILING_ROUNDS; i++) {
    const double start = ssti_clock_seconds();
    ssti_parallel_for(context, threads, 1, run_chains, &work);
    const double rate = (double)CHAIN_ROUNDS * operations * threads / (ssti_clock_seconds() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

sst_kernel_ceiling sst_measure_kernel_ceiling(sst_context *context) {
  ssti_kernels_of_level k;
  const sst_engine_level level = sst_engine_best_level();
  (void)ssti_engine_level_fill(level, &k);
  return (sst_kernel_ceiling){.adders = best_rate(context, k.adder_chains, k.adder_bits),
                              .popcounts = best_rate(context, k.popcount_chains, k.popcount_bits),
                              .products = best_rate(context, k.dot_chains, k.dot_operations),
                              .additions = best_rate(context, k.sum_chains, k.sum_operations),
                              .threads = sst_context_threads(context),
                              .level = sst_engine_level_word(level)};
}

// ---- work

// Additions of a picture by lists of events: what inputs counted in the last run, in all windows they are part of.
static double additions_of(const sst_engine *e, int node, int64_t pictures) {
  const sst_integer_synapses *w = &e->nodes[node].node->synapses;
  double events = 0;
  for (int i = 0; i < e->workers; i++) { events += (double)e->worker[i].events[node]; }
  const double windows = (double)(w->kernel_h * w->kernel_w) / (double)(w->stride_h * w->stride_w);
  return events / (double)pictures * windows * (double)ssti_engine_output(e, node)->channels;
}

// Seconds that the sums of a picture's synapses take at the ceilings of their kernels.
static double least_seconds(const sst_engine *e, const sst_kernel_ceiling *ceiling, int64_t pictures) {
  double seconds = 0;
  for (int i = 0; i < e->network->node_count; i++) {
    const ssti_engine_node *n = &e->nodes[i];
    if (n->node->kind != SST_INTEGER_NODE_SYNAPSES) { continue; }
    const ssti_engine_value *in = ssti_engine_input(e, i, 0), *out = ssti_engine_output(e, i);
    const int64_t count = ssti_integer_code_count(e->network, i);
    const double places = (double)in->steps * (double)out->positions, codes = (double)count;
    if (n->kernel == SST_ENGINE_KERNEL_BITSLICED) {
      double weights = 0;
      for (int64_t k = 0; k < count; k++) { weights += n->node->synapses.codes[k] != 0; }
      seconds += places * weights * in->planes / ceiling->adders;
    } else if (n->kernel == SST_ENGINE_KERNEL_POPCOUNT) {
      seconds += places * codes * in->planes * e->kernels.counts_a_code / ceiling->popcounts;
    } else if (n->kernel == SST_ENGINE_KERNEL_EVENT && n->listed) {
      seconds += additions_of(e, i, pictures) / ceiling->additions;
    } else {
      seconds += places * codes / ceiling->products;
    }
  }
  return seconds;
}

static void describe_network(const sst_integer_network *network, sst_deploy_bench *out) {
  int64_t zeros = 0;
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    if (node->kind != SST_INTEGER_NODE_SYNAPSES) { continue; }
    const sst_integer_value *value = &network->values[node->output];
    const int64_t inputs = node->synapses.kernel_h * node->synapses.kernel_w * network->values[node->input[0]].channels;
    const int64_t count = inputs * value->channels;
    for (int64_t k = 0; k < count; k++) { zeros += node->synapses.codes[k] == 0; }
    out->weights += count;
    out->products += (double)(count * value->height * value->width) * (double)(value->once ? 1 : network->timesteps);
  }
  out->zero_share = (double)zeros / (double)out->weights;
}

static void describe_spikes(const sst_engine *e, double pictures, sst_deploy_bench *out) {
  double neurons = 0, spikes = 0;
  out->least_rate = 1;
  for (int i = 0; i < e->network->node_count; i++) {
    if (e->network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const double count = (double)(ssti_engine_output(e, i)->count * e->network->timesteps) * pictures;
    const double fired = (double)sst_engine_spikes(e, i), rate = fired / count;
    out->least_rate = rate < out->least_rate ? rate : out->least_rate;
    out->most_rate = rate > out->most_rate ? rate : out->most_rate;
    neurons += count;
    spikes += fired;
  }
  out->rate = spikes / neurons;
}

static sst_status time_runs(sst_engine *e, const sst_deploy_options *options, const int16_t *input, int64_t *logits,
                            double *seconds, sst_deploy_bench *out) {
  for (int i = -2; i < options->repetitions; i++) { // two to warm up
    sst_engine_clear_counts(e);
    const double start = ssti_clock_seconds();
    SST_TRY(sst_engine_run(e, options->batch, input, logits));
    if (i >= 0) { seconds[i] = ssti_clock_seconds() - start; }
  }
  ssti_sort_seconds(options->repetitions, seconds);
  out->seconds = seconds[options->repetitions / 2];
  out->least_seconds = seconds[0];
  return SST_OK;
}

static sst_status check_options(sst_context *context, const sst_deploy_options *options) {
  if (options->repetitions < 1 || options->batch < 1 || (unsigned)options->model >= SST_DEPLOY_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "model %d, batch %lld, %d repetitions; expected 0 to %d, and both at least 1", (int)options->model,
             (long long)options->batch, options->repetitions, SST_DEPLOY_COUNT - 1);
  }
  return SST_OK;
}

sst_status sst_measure_deploy(sst_context *context, const sst_deploy_options *options,
                              const sst_kernel_ceiling *ceiling, sst_deploy_bench *out) {
  *out = (sst_deploy_bench){.batch = options->batch};
  SST_TRY(check_options(context, options));
  sst_integer_network *network = NULL;
  sst_engine *engine = NULL;
  int16_t *input = NULL;
  int64_t *logits = NULL;
  double *seconds = NULL;
  sst_engine_options opening = sst_engine_default();
  opening.batch = options->batch;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_bench_network(context, options->model, options->max_pool, &network));
  const sst_integer_value *v = &network->values[0];
  const int64_t pictures = options->batch > SETTLE_PICTURES ? options->batch : SETTLE_PICTURES;
  const int64_t count = pictures * v->height * v->width * v->channels;
  SST_TRY_GOTO(ssti_allocate(context, (size_t)count, sizeof *input, &input));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)(pictures * network->classes), sizeof *logits, &logits));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)options->repetitions, sizeof *seconds, &seconds));
  ssti_random draw = ssti_random_begin(2, ssti_random_stream("deploy bench"));
  for (int64_t i = 0; i < count; i++) { input[i] = (int16_t)((int64_t)ssti_draw_below(&draw, 256) - 128); }
  SST_TRY_GOTO(ssti_bench_settle(context, network, SETTLE_PICTURES, input));
  SST_TRY_GOTO(sst_engine_open(context, network, &opening, &engine));
  SST_TRY_GOTO(time_runs(engine, options, input, logits, seconds, out));
  describe_network(network, out);
  describe_spikes(engine, (double)options->batch, out);
  out->share = least_seconds(engine, ceiling, options->batch) * (double)options->batch / out->seconds;
  out->memory = sst_engine_memory_of(engine);
done:
  sst_engine_close(engine);
  sst_integer_network_free(network);
  ssti_free(context, input);
  ssti_free(context, logits);
  ssti_free(context, seconds);
  return status;
}
