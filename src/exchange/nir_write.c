// SPDX-License-Identifier: Apache-2.0
// NIR graphs in memory into HDF5 files, as the Python package reads them: no attributes, texts of variable length in
// UTF-8, floats of 32 and integers of 64 bits. Groups remember the order of their entries: some readers follow it.
// Times are left out, so the same graph gives the same bytes.
#include <string.h>

#include "base/file.h"
#include "exchange/nir_internal.h"
#include "hdf5/hdf5_image.h"

static const char format_version[] = "1.0.7"; // of the Python package whose files these are like

// What goes wrong while a file is made in memory is memory.
static sst_status fail_write(sst_context *context) {
  char reason[SSTI_HDF5_REASON_SIZE];
  SST_FAIL(context, SST_OUT_OF_MEMORY, "libhdf5 could not make the file: %s", ssti_hdf5_reason(reason));
}

static hid_t make_group(hid_t parent, const char *name) {
  hid_t properties = H5Pcreate(H5P_GROUP_CREATE), group = H5I_INVALID_HID;
  if (properties < 0) { return properties; }
  if (H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0 &&
      H5Pset_obj_track_times(properties, false) >= 0) {
    group = H5Gcreate2(parent, name, H5P_DEFAULT, properties, H5P_DEFAULT);
  }
  H5Pclose(properties);
  return group;
}

// Makes a dataset and fills it; takes over `space`.
static sst_status put_set(sst_context *context, hid_t group, const char *name, hid_t space, hid_t stored, hid_t memory,
                          const void *data) {
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE), set = H5I_INVALID_HID;
  bool good = space >= 0 && properties >= 0 && H5Pset_obj_track_times(properties, false) >= 0;
  if (good) { set = H5Dcreate2(group, name, stored, space, H5P_DEFAULT, properties, H5P_DEFAULT); }
  good = good && set >= 0 && H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  sst_status status = good ? SST_OK : fail_write(context);
  if (set >= 0) { H5Dclose(set); }
  if (properties >= 0) { H5Pclose(properties); }
  if (space >= 0) { H5Sclose(space); }
  return status;
}

static hid_t text_type(void) {
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
    H5Tclose(type);
    return H5I_INVALID_HID;
  }
  return type;
}

static sst_status put_texts(sst_context *context, hid_t group, const char *name, hid_t space,
                            const char *const *texts) {
  hid_t type = text_type();
  if (type < 0) {
    H5Sclose(space);
    return fail_write(context);
  }
  const sst_status status = put_set(context, group, name, space, type, type, texts);
  H5Tclose(type);
  return status;
}

static sst_status put_text(sst_context *context, hid_t group, const char *name, const char *text) {
  return put_texts(context, group, name, H5Screate(H5S_SCALAR), &text);
}

static sst_status put_value(sst_context *context, hid_t group, const sst_nir_value *value) {
  if (value->name[0] == '\0' || strchr(value->name, '/') != NULL || strcmp(value->name, ".") == 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' cannot be the name of a value in a file", value->name);
  }
  if (value->kind == SST_NIR_TEXT) { return put_text(context, group, value->name, value->text); }
  hsize_t dims[SST_NIR_MAX_RANK];
  for (int i = 0; i < value->rank; i++) { dims[i] = (hsize_t)value->shape[i]; }
  hid_t space = value->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(value->rank, dims, NULL);
  if (value->kind == SST_NIR_INTEGERS) {
    return put_set(context, group, value->name, space, H5T_STD_I64LE, H5T_NATIVE_INT64, value->integers);
  }
  return put_set(context, group, value->name, space, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, value->numbers);
}

static sst_status put_values(sst_context *context, hid_t group, const sst_nir_values *values) {
  for (int i = 0; i < values->count; i++) { SST_TRY(put_value(context, group, &values->at[i])); }
  return SST_OK;
}

static sst_status put_metadata(sst_context *context, hid_t group, const sst_nir_values *values) {
  if (values->count == 0) { return SST_OK; }
  hid_t metadata = make_group(group, "metadata");
  if (metadata < 0) { return fail_write(context); }
  const sst_status status = put_values(context, metadata, values);
  H5Gclose(metadata);
  return status;
}

static sst_status put_graph(const sst_nir_graph *graph, hid_t group);

static sst_status put_node(const sst_nir_graph *graph, const sst_nir_node *node, hid_t nodes) {
  sst_context *context = graph->context;
  SST_TRY(ssti_nir_check_node(context, node, SST_INVALID_ARGUMENT));
  hid_t group = make_group(nodes, node->name);
  if (group < 0) { return fail_write(context); }
  sst_status status = SST_OK;
  if (node->graph != NULL) {
    status = put_graph(node->graph, group);
    goto done;
  }
  SST_TRY_GOTO(put_text(context, group, "type", sst_nir_type_word(node->type)));
  SST_TRY_GOTO(put_values(context, group, &node->fields));
  status = put_metadata(context, group, &node->metadata);
done:
  H5Gclose(group);
  return status;
}

static sst_status put_edges(const sst_nir_graph *graph, hid_t group) {
  const char **names = NULL;
  SST_TRY(ssti_allocate(graph->context, 2 * (size_t)graph->edge_count, sizeof *names, &names));
  for (int i = 0; i < graph->edge_count; i++) {
    names[2 * i] = graph->nodes[graph->edges[i].source].name;
    names[2 * i + 1] = graph->nodes[graph->edges[i].target].name;
  }
  const hsize_t dims[2] = {(hsize_t)graph->edge_count, 2};
  const sst_status status = put_texts(graph->context, group, "edges", H5Screate_simple(2, dims, NULL), names);
  ssti_free(graph->context, names);
  return status;
}

static sst_status put_graph(const sst_nir_graph *graph, hid_t group) {
  sst_context *context = graph->context;
  SST_TRY(put_text(context, group, "type", sst_nir_type_word(SST_NIR_TYPE_GRAPH)));
  SST_TRY(put_edges(graph, group));
  hid_t nodes = make_group(group, "nodes");
  if (nodes < 0) { return fail_write(context); }
  sst_status status = SST_OK;
  for (int i = 0; i < graph->node_count && status == SST_OK; i++) { status = put_node(graph, &graph->nodes[i], nodes); }
  H5Gclose(nodes);
  SST_TRY(status);
  return put_metadata(context, group, &graph->metadata);
}

static sst_status put_root(const sst_nir_graph *graph, hid_t file) {
  SST_TRY(put_text(graph->context, file, "version", graph->version[0] ? graph->version : format_version));
  hid_t node = make_group(file, "node");
  if (node < 0) { return fail_write(graph->context); }
  const sst_status status = put_graph(graph, node);
  H5Gclose(node);
  return status;
}

// The file as bytes, made in memory, so that it reaches the disk whole or not at all.
static sst_status make_image(const sst_nir_graph *graph, void **data, size_t *size) {
  hid_t file = ssti_hdf5_create_image();
  if (file < 0) { return fail_write(graph->context); }
  sst_status status = put_root(graph, file);
  if (status == SST_OK) { status = ssti_hdf5_image(graph->context, file, data, size); }
  H5Fclose(file);
  return status;
}

sst_status sst_nir_write(const sst_nir_graph *graph, const char *path) {
  void *data = NULL;
  size_t size = 0;
  const ssti_hdf5_guard guard = ssti_hdf5_enter();
  sst_status status = make_image(graph, &data, &size);
  ssti_hdf5_leave(guard);
  if (status != SST_OK) { return ssti_fail_within(graph->context, status, "%s", path); }
  status = ssti_file_write(graph->context, path, data, size);
  ssti_free(graph->context, data);
  return status;
}
