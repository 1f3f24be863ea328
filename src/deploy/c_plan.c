// SPDX-License-Identifier: Apache-2.0
#include "deploy/c_plan.h"

#include <inttypes.h>

#include "graph/memory_plan.h"

static const int64_t most_bytes = INT64_C(1) << 28;

const char *ssti_c_type(ssti_c_store store) {
  switch (store) {
  case SSTI_C_PLANES: return "uint32_t";
  case SSTI_C_INT8: return "int8_t";
  case SSTI_C_INT16: return "int16_t";
  case SSTI_C_INT32: return "int32_t";
  case SSTI_C_NOWHERE:
  case SSTI_C_INPUT:
  case SSTI_C_STORES:
  default: return NULL;
  }
}

int64_t ssti_c_size(ssti_c_store store) {
  return store == SSTI_C_INT8                               ? 1
         : store == SSTI_C_INT16                            ? 2
         : store == SSTI_C_NOWHERE || store == SSTI_C_INPUT ? 0
                                                            : 4;
}

ssti_c_store ssti_c_narrowest(int64_t low, int64_t high) {
  if (low >= INT8_MIN && high <= INT8_MAX) { return SSTI_C_INT8; }
  return low >= INT16_MIN && high <= INT16_MAX ? SSTI_C_INT16 : SSTI_C_INT32;
}

static int input_count(const sst_integer_node *node) { return node->kind == SST_INTEGER_NODE_ADD ? 2 : 1; }

// The node that makes a value; NULL for the input.
static const sst_integer_node *maker(const ssti_c_plan *plan, int value) {
  return value == 0 ? NULL : &plan->network->nodes[value - 1];
}

bool ssti_c_counted_by_neurons(const ssti_c_plan *plan, int node) {
  const sst_integer_node *pool = &plan->network->nodes[node];
  if (pool->kind != SST_INTEGER_NODE_SUM_POOL && pool->kind != SST_INTEGER_NODE_MAX_POOL) { return false; }
  const sst_integer_node *before = maker(plan, pool->input[0]);
  return before != NULL && before->kind == SST_INTEGER_NODE_NEURONS;
}

// ---- what is computed where

// How often the value is read, and by whom last.
static int count_readers(const ssti_c_plan *plan, int value, int *last) {
  int readers = 0;
  for (int n = 0; n < plan->network->node_count; n++) {
    const sst_integer_node *node = &plan->network->nodes[n];
    for (int i = 0; i < input_count(node); i++) {
      if (node->input[i] == value) {
        readers++;
        *last = n;
      }
    }
  }
  return readers;
}

// Sums that only one reader takes, at the very position where it is itself.
static bool is_inlined(const ssti_c_plan *plan, int node) {
  const sst_integer_node_kind kind = plan->network->nodes[node].kind;
  if (kind != SST_INTEGER_NODE_SYNAPSES && kind != SST_INTEGER_NODE_ADD) { return false; }
  int reader = -1;
  if (count_readers(plan, plan->network->nodes[node].output, &reader) != 1) { return false; }
  const sst_integer_node_kind next = plan->network->nodes[reader].kind;
  return next == SST_INTEGER_NODE_NEURONS || next == SST_INTEGER_NODE_ADD || next == SST_INTEGER_NODE_READOUT;
}

// Readers come after what they read, so owners are known from the end on.
static void find_owners(ssti_c_plan *plan) {
  for (int n = plan->network->node_count - 1; n >= 0; n--) {
    ssti_c_node *node = &plan->nodes[n];
    int reader = -1;
    if (is_inlined(plan, n)) {
      count_readers(plan, plan->network->nodes[n].output, &reader);
      node->owner = plan->nodes[reader].owner;
    } else if (plan->network->nodes[n].kind == SST_INTEGER_NODE_FLATTEN) {
      node->owner = -1;
    } else if (ssti_c_counted_by_neurons(plan, n)) {
      node->owner = plan->network->nodes[n].input[0] - 1;
    } else {
      node->layer = true;
      node->owner = n;
    }
  }
}

// ---- where values lie

static int bits_of(int64_t number) {
  int bits = 1;
  while (bits < 63 && number >> bits != 0) { bits++; }
  return bits;
}

static void choose_store(ssti_c_plan *plan, int value) {
  const sst_integer_value *v = &plan->network->values[value];
  const sst_integer_node *made_by = maker(plan, value);
  ssti_c_value *place = &plan->values[value];
  *place = (ssti_c_value){.home = value, .planes = 1, .count = v->height * v->width * v->channels};
  place->length = place->count;
  place->steps = v->once ? 1 : plan->steps;
  if (made_by != NULL && made_by->kind == SST_INTEGER_NODE_FLATTEN) {
    place->home = plan->values[made_by->input[0]].home;
    return;
  }
  if (made_by != NULL && is_inlined(plan, value - 1)) { return; }
  if (made_by != NULL && made_by->kind == SST_INTEGER_NODE_NEURONS) {
    bool read = false; // otherwise than by pools, which the neurons serve themselves
    for (int n = 0; n < plan->network->node_count; n++) {
      const sst_integer_node *node = &plan->network->nodes[n];
      for (int i = 0; i < input_count(node); i++) {
        read |= node->input[i] == value && !ssti_c_counted_by_neurons(plan, n);
      }
    }
    if (!read) { return; }
  }
  const int bits = bits_of(v->high);
  if (v->low >= 0 && bits <= SSTI_C_MOST_PLANES) {
    place->store = SSTI_C_PLANES;
    place->planes = bits;
    place->length = (place->count + 31) / 32;
  } else {
    place->store = made_by == NULL ? SSTI_C_INPUT : ssti_c_narrowest(v->low, v->high);
  }
}

static void plan_synapses(ssti_c_plan *plan, int n) {
  const sst_integer_node *node = &plan->network->nodes[n];
  const sst_integer_synapses *w = &node->synapses;
  const sst_integer_value *in = &plan->network->values[node->input[0]];
  ssti_c_node *made = &plan->nodes[n];
  const ssti_c_value *from = ssti_c_home(plan, node->input[0]);
  made->dense = from->store != SSTI_C_PLANES;
  made->window = w->kernel_h * w->kernel_w * (in->channels / w->groups);
  made->window_words = (made->window + 31) / 32;
  made->whole = w->groups == 1 && w->kernel_h == in->height && w->kernel_w == in->width && w->pad_h == 0 &&
                w->pad_w == 0 && w->dilation_h == 1 && w->dilation_w == 1;
}

static bool same_neurons(const sst_integer_neurons *a, const sst_integer_neurons *b) {
  return a->threshold == b->threshold && a->threshold_step == b->threshold_step && a->hard_reset == b->hard_reset &&
         a->gain == b->gain && a->state_shift == b->state_shift && a->input_shift == b->input_shift &&
         a->decay == b->decay && a->decay_shift == b->decay_shift && a->limit == b->limit;
}

static void plan_neurons(ssti_c_plan *plan, int n) {
  const sst_integer_network *network = plan->network;
  const sst_integer_neurons *neurons = &network->nodes[n].neurons;
  ssti_c_node *made = &plan->nodes[n];
  made->spikes = plan->spiking_layers++;
  const int64_t start = neurons->start, limit = neurons->limit > 0 ? neurons->limit : INT32_MAX;
  made->state = ssti_c_narrowest(start < -limit ? start : -limit, start > limit ? start : limit);
  if (plan->streaming) { plan->states[made->state] += plan->values[network->nodes[n].output].count; }
  made->same = n;
  for (int before = n - 1; before >= 0; before--) {
    // With membranes that are kept, their type is the function's too.
    if (network->nodes[before].kind == SST_INTEGER_NODE_NEURONS &&
        same_neurons(&network->nodes[before].neurons, neurons) &&
        (!plan->streaming || plan->nodes[before].state == made->state)) {
      made->same = before;
    }
  }
}

// ---- memory

// The last layer that reads the value or another that lies in the same place.
static int last_reader(const ssti_c_plan *plan, int home) {
  int last = -1;
  for (int n = 0; n < plan->network->node_count; n++) {
    const sst_integer_node *node = &plan->network->nodes[n];
    for (int i = 0; i < input_count(node); i++) {
      if (plan->values[node->input[i]].home == home && plan->nodes[n].owner > last) { last = plan->nodes[n].owner; }
    }
  }
  return last;
}

// Something that has to lie in one of the arrays.
typedef struct claim {
  ssti_c_store store;
  ssti_plan_buffer buffer; // in elements
  int64_t *at;
} claim;

static int collect(ssti_c_plan *plan, claim *claims) {
  int count = 0;
  for (int v = 0; v < plan->network->value_count; v++) {
    ssti_c_value *place = &plan->values[v];
    if (ssti_c_type(place->store) == NULL) { continue; }
    const int first = v == 0 ? 0 : plan->nodes[v - 1].owner, last = last_reader(plan, v);
    const size_t length = (size_t)(place->length * place->planes * place->steps);
    claims[count++] = (claim){place->store, {length, first, last < first ? first : last, 0}, &place->at};
  }
  for (int n = 0; n < plan->network->node_count; n++) {
    ssti_c_node *node = &plan->nodes[n];
    const sst_integer_node *about = &plan->network->nodes[n];
    if (about->kind != SST_INTEGER_NODE_SYNAPSES || node->dense || node->whole) { continue; }
    const ssti_c_value *from = ssti_c_home(plan, about->input[0]);
    const size_t length = (size_t)(node->window_words * from->planes * from->steps);
    claims[count++] = (claim){SSTI_C_PLANES, {length, node->owner, node->owner, 0}, &node->window_at};
  }
  return count;
}

static sst_status lay_out(ssti_c_plan *plan, claim *claims, int count, ssti_plan_buffer *buffers) {
  for (int store = SSTI_C_PLANES; store < SSTI_C_STORES; store++) {
    int chosen = 0;
    size_t total = 0;
    for (int i = 0; i < count; i++) {
      if ((int)claims[i].store == store) { buffers[chosen++] = claims[i].buffer; }
    }
    SST_TRY(ssti_memory_plan_aligned(plan->context, buffers, chosen, 1, &total));
    plan->arena[store] = (int64_t)total;
    for (int i = 0, j = 0; i < count; i++) {
      if ((int)claims[i].store == store) { *claims[i].at = (int64_t)buffers[j++].offset; }
    }
  }
  return SST_OK;
}

static sst_status plan_memory(ssti_c_plan *plan) {
  const sst_integer_network *network = plan->network;
  const size_t most = (size_t)network->value_count + (size_t)network->node_count;
  claim *claims = NULL;
  ssti_plan_buffer *buffers = NULL;
  sst_status status = ssti_allocate(plan->context, most, sizeof *claims, &claims);
  if (status == SST_OK) { status = ssti_allocate(plan->context, most, sizeof *buffers, &buffers); }
  if (status == SST_OK) { status = lay_out(plan, claims, collect(plan, claims), buffers); }
  ssti_free(plan->context, buffers);
  ssti_free(plan->context, claims);
  SST_TRY(status);
  if (plan->streaming) { // the readout's sums, and how many steps there were
    const bool integrates = network->nodes[network->node_count - 1].readout.kind == SST_INTEGER_READOUT_INTEGRATOR;
    plan->ram_bytes = network->classes * ((plan->wide_logits ? 8 : 4) + (integrates ? 8 : 0)) + 4;
  }
  for (int s = 0; s < SSTI_C_STORES; s++) {
    plan->ram_bytes += (plan->arena[s] + plan->states[s]) * ssti_c_size((ssti_c_store)s);
  }
  if (plan->ram_bytes > most_bytes) {
    SST_FAIL(plan->context, SST_UNSUPPORTED,
             "the network needs %" PRId64 " bytes of memory as C source, expected at most %" PRId64, plan->ram_bytes,
             most_bytes);
  }
  return SST_OK;
}

// ---- all of it

static bool needs_wide_logits(const sst_integer_network *network) {
  const sst_integer_node *last = &network->nodes[network->node_count - 1];
  const sst_integer_value *in = &network->values[last->input[0]];
  const int64_t most = -in->low > in->high ? -in->low : in->high;
  switch (last->readout.kind) {
  case SST_INTEGER_READOUT_SUM: return most * network->timesteps > INT32_MAX;
  case SST_INTEGER_READOUT_LAST: return most > INT32_MAX;
  case SST_INTEGER_READOUT_INTEGRATOR:
  case SST_INTEGER_READOUT_COUNT:
  default: return true;
  }
}

sst_status ssti_c_plan_make(const sst_integer_network *network, ssti_c_plan **out) {
  *out = NULL;
  sst_context *context = network->context;
  ssti_c_plan *plan = NULL;
  sst_status status = ssti_allocate(context, 1, sizeof *plan, &plan);
  if (status != SST_OK) { return status; }
  *plan = (ssti_c_plan){.network = network,
                        .context = context,
                        .streaming = network->input_each_step,
                        .steps = network->input_each_step ? 1 : network->timesteps,
                        .wide_logits = needs_wide_logits(network)};
  SST_TRY_GOTO(ssti_allocate(context, (size_t)network->value_count, sizeof *plan->values, &plan->values));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)network->node_count, sizeof *plan->nodes, &plan->nodes));
  find_owners(plan);
  for (int v = 0; v < network->value_count; v++) { choose_store(plan, v); }
  for (int n = 0; n < network->node_count; n++) {
    if (network->nodes[n].kind == SST_INTEGER_NODE_SYNAPSES) { plan_synapses(plan, n); }
    if (network->nodes[n].kind == SST_INTEGER_NODE_NEURONS) { plan_neurons(plan, n); }
  }
  SST_TRY_GOTO(plan_memory(plan));
  *out = plan;
  plan = NULL;
done:
  ssti_c_plan_free(plan);
  return status;
}

void ssti_c_plan_free(ssti_c_plan *plan) {
  if (plan == NULL) { return; }
  ssti_free(plan->context, plan->values);
  ssti_free(plan->context, plan->nodes);
  ssti_free(plan->context, plan);
}
