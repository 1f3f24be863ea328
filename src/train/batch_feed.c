// SPDX-License-Identifier: Apache-2.0
// See batch_feed.h.
#include "train/batch_feed.h"

#include <string.h>

#include "data/loader_plans.h"
#include "graph/graph_internal.h"
#include "train/resident_pictures.h"

enum { PLACES = 2 }; // the host fills one while the device may still read the other

static const size_t values_bytes = (size_t)SST_MAX_CHANNELS * 256 * sizeof(float);

static size_t plans_bytes(const ssti_batch_feed *feed) { return (size_t)feed->form.batch * sizeof *feed->plans; }

static void send(ssti_batch_feed *feed, const void *from, size_t bytes, void *to) {
  ssti_backend *backend = feed->graph->backend;
  feed->place = (feed->place + 1) % PLACES;
  memcpy(backend->beside->passage_place(backend, feed->passage, feed->place), from, bytes);
  backend->beside->passage_send(backend, feed->passage, feed->place, 0, bytes, to);
}

static sst_status prepare(ssti_batch_feed *feed) {
  ssti_backend *backend = feed->graph->backend;
  const size_t plans = plans_bytes(feed);
  SST_TRY(ssti_allocate_in(feed->context, backend->space, values_bytes, &feed->values));
  SST_TRY(ssti_allocate_in(feed->context, backend->space, plans, &feed->plans));
  SST_TRY(backend->beside->passage_open(backend, plans > values_bytes ? plans : values_bytes, PLACES, &feed->passage));
  send(feed, ssti_loader_values(feed->loader), values_bytes, feed->values);
  return SST_OK;
}

sst_status ssti_batch_feed_open(sst_context *context, sst_graph *graph, sst_value input, sst_value target,
                                sst_loader *loader, bool looked_at, ssti_batch_feed *out) {
  *out = (ssti_batch_feed){.context = context, .graph = graph, .input = input, .target = target, .loader = loader};
  ssti_backend *backend = graph->backend;
  const char *why = NULL;
  if (backend->beside == NULL) { return SST_OK; }
  if (looked_at) {
    why = "the host looks at them";
  } else if (ssti_loader_form(loader, &out->form, &why)) {
    SST_TRY(ssti_pictures_on_device(backend, ssti_loader_dataset(loader), &out->pictures, &why));
  }
  if (out->pictures != NULL) { SST_TRY(prepare(out)); }
  ssti_loader_plan_only(loader, out->pictures != NULL, why);
  return SST_OK;
}

void ssti_batch_feed_give(ssti_batch_feed *feed, const sst_batch *batch) {
  sst_graph *graph = feed->graph;
  sst_graph_bind(graph, feed->target, batch->target);
  if (feed->pictures == NULL) {
    sst_graph_bind(graph, feed->input, batch->input);
    return;
  }
  const ssti_tensor *input = &graph->values[feed->input].tensor;
  assert(input->type == SSTI_F32 && sst_shape_equal(input->shape, sst_loader_shape(feed->loader)));
  send(feed, ssti_loader_plans(feed->loader), plans_bytes(feed), feed->plans);
  graph->backend->kernels.make_batch(graph->backend, &feed->form, feed->pictures, feed->values, feed->plans,
                                     input->data);
}

void ssti_batch_feed_close(ssti_batch_feed *feed) {
  if (feed->graph == NULL || feed->graph->backend->beside == NULL) { return; }
  (void)ssti_backend_wait(feed->graph->backend); // a failure is kept
  ssti_loader_plan_only(feed->loader, false, NULL);
  feed->graph->backend->beside->passage_close(feed->graph->backend, feed->passage);
  ssti_free(feed->context, feed->values);
  ssti_free(feed->context, feed->plans);
}
