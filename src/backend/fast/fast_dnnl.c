// SPDX-License-Identifier: Apache-2.0
// The small layer over oneDNN's C interface: primitives with user-owned scratchpads and memory objects that are made
// once.
#ifdef _OPENMP
#include <omp.h>
#endif
#include <string.h>

#include "backend/fast/fast_codes.h"
#include "base/log.h"
#include "base/memory.h"

int ssti_fast_threads_enter(const ssti_backend *backend) {
#ifdef _OPENMP
  int before = omp_get_max_threads(), wanted = sst_context_threads(backend->context);
  if (before != wanted) { omp_set_num_threads(wanted); }
  return before;
#else
  (void)backend;
  return 0;
#endif
}

void ssti_fast_threads_leave(int before) {
#ifdef _OPENMP
  if (before != omp_get_max_threads()) { omp_set_num_threads(before); }
#else
  (void)before;
#endif
}

// Refusals are no errors: the caller has another way. Everything else but success is a lack of memory, or a mistake of
// ours, which oneDNN reports as invalid arguments.
static sst_status translate(ssti_backend *backend, dnnl_status_t status, bool *made) {
  *made = status == dnnl_success;
  if (status == dnnl_out_of_memory) {
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "oneDNN has no memory for a primitive");
  }
  assert(status == dnnl_success || status == dnnl_unimplemented || status == dnnl_invalid_arguments);
  return SST_OK;
}

// Scratchpads belong to the workspace; `add` becomes a sum with the output, a scale other than 0 a factor.
static dnnl_status_t make_attributes(bool add, float scale, dnnl_primitive_attr_t *out) {
  dnnl_status_t status = dnnl_primitive_attr_create(out);
  if (status != dnnl_success) { return status; }
  status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
  if (status == dnnl_success && scale != 0.0f) { status = dnnl_primitive_attr_set_output_scales(*out, 1, 0, &scale); }
  if (status != dnnl_success || !add) { return status; }
  dnnl_post_ops_t operations = NULL;
  status = dnnl_post_ops_create(&operations);
  if (status == dnnl_success) { status = dnnl_post_ops_append_sum(operations, 1.0f); }
  if (status == dnnl_success) { status = dnnl_primitive_attr_set_post_ops(*out, operations); }
  if (operations != NULL) { (void)dnnl_post_ops_destroy(operations); }
  return status;
}

static size_t scratchpad_bytes(dnnl_primitive_desc_t description) {
  const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
  return layout == NULL ? 0 : dnnl_memory_desc_get_size(layout);
}

sst_status ssti_dnnl_make(ssti_backend *backend, const ssti_dnnl_recipe *recipe, ssti_dnnl *out, bool *made,
                          dnnl_primitive_desc_t *description) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t chosen = NULL;
  memset(out, 0, sizeof *out);
  int before = ssti_fast_threads_enter(backend);
  dnnl_status_t status = make_attributes(recipe->add, recipe->scale, &attributes);
  if (status == dnnl_success) {
    status = dnnl_primitive_desc_create(&chosen, recipe->operation, attributes, state->engine, recipe->hint);
  }
  if (status == dnnl_success) { status = dnnl_primitive_create(&out->primitive, chosen); }
  if (status == dnnl_success) { out->scratchpad = scratchpad_bytes(chosen); }
  ssti_fast_threads_leave(before);
  if (attributes != NULL) { (void)dnnl_primitive_attr_destroy(attributes); }
  if (description != NULL && status == dnnl_success) {
    *description = chosen;
  } else if (chosen != NULL) {
    (void)dnnl_primitive_desc_destroy(chosen);
  }
  return translate(backend, status, made);
}

sst_status ssti_dnnl_make_reorder(ssti_backend *backend, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                  ssti_dnnl *out, bool *made) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  memset(out, 0, sizeof *out);
  int before = ssti_fast_threads_enter(backend);
  dnnl_status_t status = make_attributes(false, 0.0f, &attributes);
  if (status == dnnl_success) {
    status = dnnl_reorder_primitive_desc_create(&description, from, state->engine, to, state->engine, attributes);
  }
  if (status == dnnl_success) { status = dnnl_primitive_create(&out->primitive, description); }
  if (status == dnnl_success) { out->scratchpad = scratchpad_bytes(description); }
  ssti_fast_threads_leave(before);
  if (attributes != NULL) { (void)dnnl_primitive_attr_destroy(attributes); }
  if (description != NULL) { (void)dnnl_primitive_desc_destroy(description); }
  SST_TRY(translate(backend, status, made));
  if (!*made) { return SST_OK; }
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_TO, to));
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_FROM, from));
  return ssti_dnnl_add_scratchpad(backend, out);
}

sst_status ssti_dnnl_add_argument(ssti_backend *backend, ssti_dnnl *dnnl, int kind, const dnnl_memory_desc_t *layout) {
  assert(dnnl->count < SSTI_DNNL_ARGUMENTS);
  dnnl_memory_t memory = NULL;
  dnnl_status_t status = dnnl_memory_create(&memory, layout, ssti_fast_state_of(backend)->engine, DNNL_MEMORY_NONE);
  if (status != dnnl_success) {
    SST_FAIL(backend->context, SST_OUT_OF_MEMORY, "oneDNN has no memory for a memory object (its status %d)",
             (int)status);
  }
  dnnl->argument[dnnl->count++] = (dnnl_exec_arg_t){kind, memory};
  return SST_OK;
}

sst_status ssti_dnnl_add_scratchpad(ssti_backend *backend, ssti_dnnl *dnnl) {
  if (dnnl->scratchpad == 0) { return SST_OK; }
  const dnnl_dims_t bytes = {(dnnl_dim_t)dnnl->scratchpad};
  dnnl_memory_desc_t layout;
  (void)dnnl_memory_desc_init_by_tag(&layout, 1, bytes, dnnl_u8, dnnl_a);
  return ssti_dnnl_add_argument(backend, dnnl, DNNL_ARG_SCRATCHPAD, &layout);
}

// Where an object looks is only told again when it changes: telling costs a call through several layers.
void ssti_dnnl_bind(ssti_dnnl *dnnl, int index, const void *data) {
  assert(index < dnnl->count);
  void *handle = NULL;
  memcpy(&handle, &data, sizeof handle); // oneDNN has one type for what it reads and what it writes
  if (dnnl->bound[index] == handle) { return; }
  dnnl_status_t status = dnnl_memory_set_data_handle(dnnl->argument[index].memory, handle);
  assert(status == dnnl_success);
  (void)status;
  dnnl->bound[index] = handle;
}

void ssti_dnnl_run(ssti_backend *backend, ssti_dnnl *dnnl, void *scratchpad) {
  ssti_fast_state *state = ssti_fast_state_of(backend);
  if (dnnl->scratchpad > 0) { ssti_dnnl_bind(dnnl, dnnl->count - 1, scratchpad); }
  int before = ssti_fast_threads_enter(backend);
  dnnl_status_t status = dnnl_primitive_execute(dnnl->primitive, state->stream, dnnl->count, dnnl->argument);
  if (status == dnnl_success) { status = dnnl_stream_wait(state->stream); }
  ssti_fast_threads_leave(before);
  if (status == dnnl_success) { return; }
  // A kernel cannot fail, so it says so in the log, and in its output by numbers that are none.
  ssti_log(backend->context, SST_LOG_ERROR, "oneDNN could not run a primitive (its status %d)", (int)status);
  const dnnl_memory_desc_t *layout = NULL;
  if (dnnl_memory_get_memory_desc(dnnl->argument[0].memory, &layout) == dnnl_success) {
    memset(dnnl->bound[0], 0xff, dnnl_memory_desc_get_size(layout));
  }
}

void ssti_dnnl_end(ssti_dnnl *dnnl) {
  for (int i = 0; i < dnnl->count; i++) { (void)dnnl_memory_destroy(dnnl->argument[i].memory); }
  if (dnnl->primitive != NULL) { (void)dnnl_primitive_destroy(dnnl->primitive); }
  memset(dnnl, 0, sizeof *dnnl);
}

sst_status ssti_fast_plan_create(ssti_backend *backend, int64_t out_channels, ssti_fast_plan **out) {
  *out = NULL;
  ssti_fast_plan *plan = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *plan, &plan));
  sst_status status = ssti_allocate(backend->context, (size_t)out_channels, sizeof *plan->zero_bias, &plan->zero_bias);
  if (status != SST_OK) {
    ssti_free(backend->context, plan);
    return status;
  }
  plan->base.density = -1.0;
  *out = plan;
  return SST_OK;
}

void ssti_fast_plan_destroy(ssti_backend *backend, ssti_plan *base) {
  if (base == NULL) { return; }
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  for (int i = 0; i < SSTI_FAST_PARTS; i++) { ssti_dnnl_end(&plan->part[i]); }
  ssti_codes_destroy(backend, plan->codes);
  ssti_free(backend->context, plan->zero_bias);
  ssti_free(backend->context, plan);
}
