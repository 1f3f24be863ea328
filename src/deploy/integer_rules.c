// SPDX-License-Identifier: Apache-2.0
// The shape and the bounds of what each kind of node makes. Bounds are intervals: by the sums of absolute codes for
// synapses, step by step until nothing changes for neurons.
#include "deploy/integer_rules.h"

#include <inttypes.h>
#include <stdint.h>

#include "base/sizes.h"

static const int64_t largest = INT32_MAX;               // of what 32 bits must hold
static const int64_t largest_sum = INT64_C(1) << 62;    // of the readout
static const int64_t largest_fan_in = INT64_C(1) << 24; // sums of products below stay within 64 bits
enum { CODES_AT_ONCE = 1 << 16 };                       // whose sums fit 32 bits

typedef struct site {
  const sst_integer_network *network;
  const sst_integer_node *node;
  sst_context *context;
} site;

static site site_of(const sst_integer_network *network, int index) {
  return (site){network, &network->nodes[index], network->context};
}

#define NODE_FAIL(s, status, format, ...)                                                                              \
  SST_FAIL((s)->context, status, "node %s: " format, (s)->node->name, __VA_ARGS__)

static ssti_integer_range hull(ssti_integer_range a, ssti_integer_range b) {
  return (ssti_integer_range){ssti_smaller(a.low, b.low), ssti_larger(a.high, b.high)};
}
static bool same(ssti_integer_range a, ssti_integer_range b) { return a.low == b.low && a.high == b.high; }

static ssti_integer_range range_of(const sst_integer_value *value) {
  return (ssti_integer_range){value->low, value->high};
}

static sst_status check_range(const site *s, const char *what, ssti_integer_range r) {
  if (r.low >= -largest && r.high <= largest) { return SST_OK; }
  NODE_FAIL(s, SST_INVALID_ARGUMENT, "%s may reach %" PRId64 "..%" PRId64 ", expected numbers of 32 bits", what, r.low,
            r.high);
}

static sst_status check_number(const site *s, const char *what, int64_t found, int64_t low, int64_t high) {
  if (found >= low && found <= high) { return SST_OK; }
  NODE_FAIL(s, SST_INVALID_ARGUMENT, "%s is %" PRId64 ", expected %" PRId64 " to %" PRId64, what, found, low, high);
}

// (r * factor) << shift, with both 32-bit; 64 bits hold the product, and the shift is only done if it fits.
static sst_status scale(const site *s, const char *what, ssti_integer_range *r, int64_t factor, int shift) {
  const int64_t low = r->low * factor, high = r->high * factor, most = largest >> shift;
  if (low < -most || high > most) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "%s may reach (%" PRId64 "..%" PRId64 ") << %d, expected numbers of 32 bits",
              what, low, high, shift);
  }
  const int64_t unit = INT64_C(1) << shift;
  *r = (ssti_integer_range){low * unit, high * unit};
  return SST_OK;
}

// Positions of a window along one axis.
static sst_status output_length(const site *s, char axis, int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                                int64_t dilation, int64_t *out) {
  char what[24] = "the kernel in ?";
  what[14] = axis;
  SST_TRY(check_number(s, what, kernel, 1, SSTI_INTEGER_LARGEST_KERNEL));
  SST_TRY(check_number(s, "a stride", stride, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(s, "a padding", pad, 0, SSTI_INTEGER_LARGEST_KERNEL));
  SST_TRY(check_number(s, "a dilation", dilation, 1, SSTI_INTEGER_LARGEST_KERNEL));
  const int64_t reach = dilation * (kernel - 1) + 1;
  if (reach > in + 2 * pad) {
    NODE_FAIL(s, SST_SHAPE, "the window covers %" PRId64 " positions in %c, the padded input has %" PRId64, reach, axis,
              in + 2 * pad);
  }
  *out = (in + 2 * pad - reach) / stride + 1;
  return SST_OK;
}

// ---- synapses

static const sst_integer_value *input_of(const site *s, int which) {
  return &s->network->values[s->node->input[which]];
}

static const sst_integer_value *output_of(const site *s) { return &s->network->values[s->node->output]; }

int64_t ssti_integer_code_count(const sst_integer_network *network, int index) {
  const sst_integer_node *node = &network->nodes[index];
  const sst_integer_synapses *w = &node->synapses;
  const int64_t in = network->values[node->input[0]].channels / w->groups;
  return network->values[node->output].channels * w->kernel_h * w->kernel_w * in;
}

static sst_status check_synapses(const site *s, int64_t channels) {
  const sst_integer_synapses *w = &s->node->synapses;
  const int64_t in = input_of(s, 0)->channels;
  SST_TRY(check_number(s, "the number of output channels", channels, 1, SSTI_INTEGER_LARGEST_SIZE));
  SST_TRY(check_number(s, "weight_bits", w->weight_bits, 2, 8));
  SST_TRY(check_number(s, "the number of groups", w->groups, 1, SSTI_INTEGER_LARGEST_SIZE));
  if (in % w->groups != 0 || channels % w->groups != 0) {
    NODE_FAIL(s, SST_SHAPE,
              "%" PRId64 " groups, expected a divisor of its %" PRId64 " input and %" PRId64 " output channels",
              w->groups, in, channels);
  }
  if (w->kernel_h * w->kernel_w * (in / w->groups) > largest_fan_in) {
    NODE_FAIL(s, SST_SHAPE, "an output reads %" PRId64 " inputs, expected at most %" PRId64,
              w->kernel_h * w->kernel_w * (in / w->groups), largest_fan_in);
  }
  if (w->codes == NULL || w->factor == NULL || w->offset == NULL) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "%s", "codes, factor or offset are missing");
  }
  return SST_OK;
}

// Sums of positive and of negative codes, and the largest code in size: without a branch, as signs follow no pattern.
static int sum_codes(const int8_t *codes, int64_t count, int64_t *up, int64_t *down) {
  int biggest = 0;
  *up = *down = 0;
  for (int64_t first = 0; first < count; first += CODES_AT_ONCE) {
    const int64_t end = first + CODES_AT_ONCE < count ? first + CODES_AT_ONCE : count;
    int32_t above = 0, below = 0;
    for (int64_t i = first; i < end; i++) {
      const int32_t code = codes[i], size = code < 0 ? -code : code;
      above += code > 0 ? code : 0;
      below += code < 0 ? code : 0;
      biggest = size > biggest ? size : biggest;
    }
    *up += above;
    *down += below;
  }
  return biggest;
}

// The sums z and outputs y of output channel o.
static sst_status channel_ranges(const site *s, int64_t o, int64_t fan_in, ssti_integer_range x,
                                 ssti_integer_synapse_ranges *out) {
  const sst_integer_synapses *w = &s->node->synapses;
  const int8_t *codes = w->codes + o * fan_in;
  const int most = ssti_integer_largest_code(w->weight_bits);
  int64_t up, down;
  if (sum_codes(codes, fan_in, &up, &down) > most) {
    int64_t i = 0;
    while (codes[i] <= most && codes[i] >= -most) { i++; }
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "code %" PRId64 " of channel %" PRId64 " is %d, expected %d to %d", i, o,
              codes[i], -most, most);
  }
  out->z = (ssti_integer_range){up * x.low + down * x.high, up * x.high + down * x.low};
  SST_TRY(check_range(s, "a sum of products", out->z));
  const int64_t factor = w->factor[o], offset = w->offset[o];
  const ssti_integer_range product = {factor * (factor < 0 ? out->z.high : out->z.low),
                                      factor * (factor < 0 ? out->z.low : out->z.high)};
  SST_TRY(check_range(s, "factor * sum", product));
  out->y = (ssti_integer_range){product.low + offset, product.high + offset};
  return check_range(s, "an output", out->y);
}

static sst_status synapse_ranges(const site *s, int64_t channels, ssti_integer_synapse_ranges *out) {
  const sst_integer_synapses *w = &s->node->synapses;
  const sst_integer_value *in = input_of(s, 0);
  const int64_t fan_in = w->kernel_h * w->kernel_w * (in->channels / w->groups);
  ssti_integer_range x = range_of(in);
  if (w->pad_h > 0 || w->pad_w > 0) { x = hull(x, (ssti_integer_range){0, 0}); }
  for (int64_t o = 0; o < channels; o++) {
    ssti_integer_synapse_ranges one;
    SST_TRY(channel_ranges(s, o, fan_in, x, &one));
    out->z = o == 0 ? one.z : hull(out->z, one.z);
    out->y = o == 0 ? one.y : hull(out->y, one.y);
  }
  return SST_OK;
}

sst_status ssti_integer_synapses_infer(const sst_integer_network *network, int index,
                                       ssti_integer_synapse_ranges *out) {
  const site s = site_of(network, index);
  return synapse_ranges(&s, output_of(&s)->channels, out);
}

static sst_status infer_synapses(const site *s, sst_integer_value *out) {
  const sst_integer_synapses *w = &s->node->synapses;
  const sst_integer_value *in = input_of(s, 0), *own = output_of(s);
  const int64_t channels = own->channels;
  *out = (sst_integer_value){.channels = channels, .exponent = own->exponent, .once = in->once};
  SST_TRY(output_length(s, 'H', in->height, w->kernel_h, w->stride_h, w->pad_h, w->dilation_h, &out->height));
  SST_TRY(output_length(s, 'W', in->width, w->kernel_w, w->stride_w, w->pad_w, w->dilation_w, &out->width));
  SST_TRY(check_synapses(s, channels));
  ssti_integer_synapse_ranges ranges = {{0, 0}, {0, 0}};
  SST_TRY(synapse_ranges(s, channels, &ranges));
  out->low = ranges.y.low;
  out->high = ranges.y.high;
  return SST_OK;
}

// ---- neurons

static sst_status check_neurons(const site *s) {
  const sst_integer_neurons *n = &s->node->neurons;
  SST_TRY(check_number(s, "the threshold", n->threshold, 1, INT32_MAX));
  SST_TRY(check_number(s, "threshold_step", n->threshold_step, 0, n->hard_reset ? 0 : INT32_MAX));
  SST_TRY(check_number(s, "the gain", n->gain, 1, 256));
  SST_TRY(check_number(s, "state_shift", n->state_shift, 0, 31));
  SST_TRY(check_number(s, "input_shift", n->input_shift, 0, 31));
  SST_TRY(check_number(s, "the decay", n->decay, 0, 256));
  SST_TRY(check_number(s, "decay_shift", n->decay_shift, 0, 31));
  if (n->state_bits != 32) { SST_TRY(check_number(s, "state_bits (32 or fewer)", n->state_bits, 2, 16)); }
  SST_TRY(check_number(s, "the membrane's exponent", n->exponent, 0, 62));
  const int64_t limit = n->state_bits == 32 ? 0 : (INT64_C(1) << (n->state_bits - 1)) - 1;
  SST_TRY(check_number(s, "the limit", n->limit, limit, limit));
  const int64_t most = limit > 0 ? limit : largest;
  return check_number(s, "the state before the first step", n->start, -most, most);
}

// What may be left of h after firing.
static ssti_integer_range reset_range(const sst_integer_neurons *n, ssti_integer_range h) {
  const int64_t silent_high = ssti_smaller(h.high, (int64_t)n->threshold - 1);
  if (h.high < n->threshold) { return h; }
  const int64_t fired_low = ssti_larger(h.low, n->threshold);
  const ssti_integer_range fired =
      n->hard_reset ? (ssti_integer_range){0, 0}
                    : (ssti_integer_range){fired_low - n->threshold_step, h.high - n->threshold_step};
  return h.low < n->threshold ? hull(fired, (ssti_integer_range){h.low, silent_high}) : fired;
}

// v of the next step from that of this one; widens what was seen so far.
static sst_status step_ranges(const site *s, ssti_integer_range v, ssti_integer_range current,
                              ssti_integer_neuron_ranges *seen, ssti_integer_range *next) {
  const sst_integer_neurons *n = &s->node->neurons;
  ssti_integer_range h = v;
  SST_TRY(scale(s, "the state", &h, 1, n->state_shift));
  h = (ssti_integer_range){h.low + current.low, h.high + current.high};
  SST_TRY(check_range(s, "the membrane", h));
  const ssti_integer_range u = reset_range(n, h);
  SST_TRY(check_range(s, "the membrane after the reset", u));
  const int64_t half = n->decay_shift > 0 ? INT64_C(1) << (n->decay_shift - 1) : 0;
  const ssti_integer_range product = {n->decay * u.low + half, n->decay * u.high + half};
  SST_TRY(check_range(s, "decay * membrane", product));
  *next = (ssti_integer_range){product.low >> n->decay_shift, product.high >> n->decay_shift};
  if (n->limit > 0) {
    next->low = ssti_larger(ssti_smaller(next->low, n->limit), -n->limit);
    next->high = ssti_larger(ssti_smaller(next->high, n->limit), -n->limit);
  }
  seen->h = hull(seen->h, h);
  seen->u = hull(seen->u, u);
  seen->product = hull(seen->product, product);
  return SST_OK;
}

static sst_status neuron_ranges(const site *s, ssti_integer_neuron_ranges *out) {
  const sst_integer_neurons *n = &s->node->neurons;
  ssti_integer_range current = range_of(input_of(s, 0)), v = {n->start, n->start};
  SST_TRY(scale(s, "gain * input", &current, n->gain, n->input_shift));
  const ssti_integer_range none = {INT64_MAX, INT64_MIN};
  *out = (ssti_integer_neuron_ranges){none, none, v, none};
  for (int64_t t = 0; t < s->network->timesteps; t++) {
    ssti_integer_range next;
    SST_TRY(step_ranges(s, v, current, out, &next));
    out->v = hull(out->v, next);
    // Intervals grow with the interval they come from: once it holds what follows, it always will.
    const ssti_integer_range grown = hull(v, next);
    if (same(grown, v)) { break; }
    v = grown;
  }
  return SST_OK;
}

sst_status ssti_integer_neurons_infer(const sst_integer_network *network, int index, ssti_integer_neuron_ranges *out) {
  const site s = site_of(network, index);
  return neuron_ranges(&s, out);
}

static sst_status infer_neurons(const site *s, sst_integer_value *out) {
  const sst_integer_value *in = input_of(s, 0);
  SST_TRY(check_neurons(s));
  ssti_integer_neuron_ranges ranges;
  SST_TRY(neuron_ranges(s, &ranges));
  *out = (sst_integer_value){.height = in->height, .width = in->width, .channels = in->channels, .low = 0, .high = 1};
  return SST_OK;
}

// ---- the others

static sst_status infer_pool(const site *s, sst_integer_value *out) {
  const sst_integer_pool *p = &s->node->pool;
  const sst_integer_value *in = input_of(s, 0);
  *out = *in;
  SST_TRY(output_length(s, 'H', in->height, p->kernel_h, p->stride_h, p->pad_h, 1, &out->height));
  SST_TRY(output_length(s, 'W', in->width, p->kernel_w, p->stride_w, p->pad_w, 1, &out->width));
  // More padding would make windows that hold nothing of the input.
  SST_TRY(check_number(s, "the padding in H", p->pad_h, 0, p->kernel_h / 2));
  SST_TRY(check_number(s, "the padding in W", p->pad_w, 0, p->kernel_w / 2));
  if (s->node->kind == SST_INTEGER_NODE_MAX_POOL) { return SST_OK; }
  const int64_t window = p->kernel_h * p->kernel_w;
  if ((window & (window - 1)) != 0) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "the window has %" PRId64 " positions, expected a power of two", window);
  }
  for (int64_t w = window; w > 1; w /= 2) { out->exponent++; }
  ssti_integer_range r = range_of(in);
  if (p->pad_h > 0 || p->pad_w > 0) { r = hull(r, (ssti_integer_range){0, 0}); }
  r = (ssti_integer_range){r.low * window, r.high * window};
  SST_TRY(check_range(s, "the sum of a window", r));
  out->low = r.low;
  out->high = r.high;
  return SST_OK;
}

static sst_status infer_add(const site *s, sst_integer_value *out) {
  const sst_integer_value *a = input_of(s, 0), *b = input_of(s, 1);
  if (a->height != b->height || a->width != b->width || a->channels != b->channels) {
    NODE_FAIL(s, SST_SHAPE,
              "adds %" PRId64 "x%" PRId64 "x%" PRId64 " and %" PRId64 "x%" PRId64 "x%" PRId64 ", expected equal shapes",
              a->height, a->width, a->channels, b->height, b->width, b->channels);
  }
  for (int i = 0; i < 2; i++) { SST_TRY(check_number(s, "a shift", s->node->shift[i], 0, 31)); }
  if (a->exponent + s->node->shift[0] != b->exponent + s->node->shift[1]) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "adds exponents %d + %d and %d + %d, expected equal ones", a->exponent,
              s->node->shift[0], b->exponent, s->node->shift[1]);
  }
  ssti_integer_range x = range_of(a), y = range_of(b);
  SST_TRY(scale(s, "the first side", &x, 1, s->node->shift[0]));
  SST_TRY(scale(s, "the second side", &y, 1, s->node->shift[1]));
  const ssti_integer_range sum = {x.low + y.low, x.high + y.high};
  SST_TRY(check_range(s, "the sum", sum));
  *out = *a;
  out->exponent = a->exponent + s->node->shift[0];
  out->once = a->once && b->once;
  out->low = sum.low;
  out->high = sum.high;
  return SST_OK;
}

static sst_status infer_flatten(const site *s, sst_integer_value *out) {
  const sst_integer_value *in = input_of(s, 0);
  *out = *in;
  out->height = out->width = 1;
  out->channels = in->height * in->width * in->channels;
  return SST_OK;
}

// a * factor + b * 2^shift of sizes, false beyond what the readout's sums may be.
static bool grow_sum(int64_t a, int64_t factor, int64_t b, int64_t shift, int64_t *out) {
  int64_t product = 0;
  if (b != 0 && shift > 61) { return false; }
  const int64_t unit = b == 0 ? 0 : INT64_C(1) << shift;
  return !__builtin_mul_overflow(a, factor, &product) && !__builtin_mul_overflow(b, unit, out) &&
         !__builtin_add_overflow(product, *out, out) && *out < largest_sum;
}

static bool readout_fits(const sst_integer_network *network, const sst_integer_readout *r, int64_t x) {
  int64_t m = 0, sum = 0;
  for (int64_t t = 0; t < network->timesteps; t++) {
    if (r->kind == SST_INTEGER_READOUT_INTEGRATOR) {
      // sum << shift with what has been summed so far, so that m[t] of every step has the last one's scale.
      if (!grow_sum(m, r->decay, x, r->shift * t, &m) || !grow_sum(sum, INT64_C(1) << r->shift, m, 0, &sum)) {
        return false;
      }
    } else if (!grow_sum(sum, 1, x, 0, &sum)) {
      return false;
    }
  }
  return true;
}

static sst_status infer_readout(const site *s, sst_integer_value *out) {
  const sst_integer_readout *r = &s->node->readout;
  const sst_integer_value *in = input_of(s, 0);
  *out = *in;
  SST_TRY(check_number(s, "the readout's kind", (int64_t)r->kind, 0, SST_INTEGER_READOUT_COUNT - 1));
  SST_TRY(check_number(s, "the decay", r->decay, 0, 256));
  SST_TRY(check_number(s, "the shift", r->shift, 0, 31));
  if (!(r->scale > 0.0 && r->scale <= 1e300)) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "the scale is %g, expected a number above 0", r->scale);
  }
  if (in->height != 1 || in->width != 1 || in->channels != s->network->classes) {
    NODE_FAIL(s, SST_SHAPE, "reads %" PRId64 "x%" PRId64 "x%" PRId64 ", expected 1x1x%" PRId64 ", one a class",
              in->height, in->width, in->channels, s->network->classes);
  }
  if (!readout_fits(s->network, r, ssti_larger(-in->low, in->high))) {
    NODE_FAIL(s, SST_INVALID_ARGUMENT, "its sums over %" PRId64 " steps may exceed 2^62", s->network->timesteps);
  }
  return SST_OK;
}

static sst_status check_value(const site *s, const sst_integer_value *v) {
  SST_TRY(check_number(s, "its output's exponent", v->exponent, 0, 62));
  const int64_t sizes[] = {v->height, v->width, v->channels};
  int64_t count = 1;
  for (int i = 0; i < 3; i++) {
    SST_TRY(check_number(s, "a size of its output", sizes[i], 1,
                         i == 2 && v->height * v->width == 1 ? SSTI_INTEGER_LARGEST_VALUE : SSTI_INTEGER_LARGEST_SIZE));
    count *= sizes[i];
    SST_TRY(check_number(s, "the size of its output", count, 1, SSTI_INTEGER_LARGEST_VALUE));
  }
  return SST_OK;
}

static sst_status check_inputs(const site *s, int index) {
  const int count = s->node->kind == SST_INTEGER_NODE_ADD ? 2 : 1;
  for (int i = 0; i < 2; i++) {
    const int value = s->node->input[i];
    if (i < count ? value < 0 || value > index : value != -1) {
      NODE_FAIL(s, SST_INVALID_ARGUMENT, "input %d is value %d, expected %s", i, value,
                i < count ? "one made before it" : "-1, none");
    }
  }
  return SST_OK;
}

sst_status ssti_integer_infer(const sst_integer_network *network, int index, sst_integer_value *out) {
  const site s = site_of(network, index);
  *out = (sst_integer_value){0};
  SST_TRY(check_inputs(&s, index));
  switch (s.node->kind) {
  case SST_INTEGER_NODE_SYNAPSES: SST_TRY(infer_synapses(&s, out)); break;
  case SST_INTEGER_NODE_NEURONS: SST_TRY(infer_neurons(&s, out)); break;
  case SST_INTEGER_NODE_SUM_POOL:
  case SST_INTEGER_NODE_MAX_POOL: SST_TRY(infer_pool(&s, out)); break;
  case SST_INTEGER_NODE_ADD: SST_TRY(infer_add(&s, out)); break;
  case SST_INTEGER_NODE_FLATTEN: SST_TRY(infer_flatten(&s, out)); break;
  case SST_INTEGER_NODE_READOUT: return infer_readout(&s, out);
  case SST_INTEGER_NODE_COUNT:
  default: NODE_FAIL(&s, SST_INVALID_ARGUMENT, "there is no kind of node %d", (int)s.node->kind);
  }
  return check_value(&s, out);
}
