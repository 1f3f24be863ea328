// SPDX-License-Identifier: Apache-2.0
// NIR files (HDF5) into graphs in memory. What a file says is checked before anything is done with it: only hard links
// are followed, only the layouts and filters known to be bounded are read, and no array may be larger than what the
// file holds for it, unpacked at deflate's limit of 1032 to 1. HDF5 has no byte offsets to name: messages name the
// place by its path inside the file.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5.h"
#include "base/hdf5_heap.h"
#include "exchange/nir_internal.h"

enum { MOST_DEPTH = 16, MOST_NODES = 1 << 14, MOST_EDGES = 1 << 20, MOST_LINKS = 1 << 14, MOST_FILTERS = 8 };
enum { NAME_SIZE = 512, PLACE_SIZE = 1024, MOST_TEXT = 1 << 16 };

static const int64_t largest_ratio = 1032;      // unpacked to packed bytes of deflate
static const int64_t largest_chunk = 1 << 26;   // bytes that one piece of an array may have beside the array itself
static const int64_t most_elements = 1LL << 28; // of all arrays together

typedef struct reader {
  sst_context *context;
  const char *name;          // of the file
  const unsigned char *data; // its bytes
  uint64_t size;
  int nodes;        // so far, in all graphs
  int64_t elements; // so far, of all arrays
} reader;

static sst_status fail_at(const reader *r, const char *place, const char *format, ...) SST_PRINTF(3, 4);
static sst_status fail_at(const reader *r, const char *place, const char *format, ...) {
  char text[PLACE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  SST_FAIL(r->context, SST_FORMAT, "%s: %s: %s", r->name, place, text);
}

// What the graph refuses (a name that is there twice) is a fault of the file.
static sst_status placed(const reader *r, const char *place, sst_status status) {
  if (status != SST_INVALID_ARGUMENT) { return status; }
  return ssti_fail_within(r->context, SST_FORMAT, "%s: %s", r->name, place);
}

static const char *join_place(char out[PLACE_SIZE], const char *place, const char *name) {
  const int length = snprintf(out, PLACE_SIZE, "%s/%s", place, name);
  if (length >= PLACE_SIZE) { memcpy(out + PLACE_SIZE - 4, "...", 4); }
  return out;
}

// Opens what a group holds under this name; a soft or external link could lead anywhere and is not followed. Sets *out
// to a negative number if there is nothing.
static sst_status open_child(const reader *r, hid_t group, const char *place, const char *name, hid_t *out) {
  *out = H5I_INVALID_HID;
  if (H5Lexists(group, name, H5P_DEFAULT) <= 0) { return SST_OK; }
  H5L_info_t link;
  if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) {
    return fail_at(r, place, "'%s' is a link to somewhere else, which is not followed", name);
  }
  *out = H5Oopen(group, name, H5P_DEFAULT);
  if (*out < 0) { return fail_at(r, place, "'%s' is damaged and cannot be opened", name); }
  return SST_OK;
}

static sst_status open_group(const reader *r, hid_t parent, const char *place, const char *name, hid_t *out) {
  SST_TRY(open_child(r, parent, place, name, out));
  if (*out < 0) { return fail_at(r, place, "there is no group '%s'", name); }
  if (H5Iget_type(*out) != H5I_GROUP) {
    H5Oclose(*out);
    *out = H5I_INVALID_HID;
    return fail_at(r, place, "'%s' is not a group", name);
  }
  return SST_OK;
}

// ---- arrays

typedef struct array {
  hid_t set, space, type; // closed by close_array
  H5T_class_t class;
  size_t type_size;
  int rank;
  int64_t shape[SST_NIR_MAX_RANK], count;
} array;

static void close_array(array *a) {
  if (a->type >= 0) { H5Tclose(a->type); }
  if (a->space >= 0) { H5Sclose(a->space); }
  if (a->set >= 0) { H5Oclose(a->set); }
}

static sst_status read_extent(const reader *r, const char *place, array *a) {
  hsize_t dims[H5S_MAX_RANK];
  if (H5Sget_simple_extent_type(a->space) == H5S_NULL) { return fail_at(r, place, "has no value"); }
  a->rank = H5Sget_simple_extent_ndims(a->space);
  if (a->rank < 0 || a->rank > SST_NIR_MAX_RANK || H5Sget_simple_extent_dims(a->space, dims, NULL) < 0) {
    return fail_at(r, place, "has %d dimensions, expected at most %d", a->rank, SST_NIR_MAX_RANK);
  }
  a->count = 1;
  for (int i = 0; i < a->rank; i++) {
    if (dims[i] > (hsize_t)most_elements || __builtin_mul_overflow(a->count, (int64_t)dims[i], &a->count) ||
        a->count > most_elements) {
      return fail_at(r, place, "has more than %" PRId64 " elements", most_elements);
    }
    a->shape[i] = (int64_t)dims[i];
  }
  return SST_OK;
}

static sst_status check_filters(const reader *r, const char *place, hid_t properties, bool *packed) {
  const int filters = H5Pget_nfilters(properties);
  *packed = false;
  if (filters < 0 || filters > MOST_FILTERS) { return fail_at(r, place, "has %d filters", filters); }
  for (int i = 0; i < filters; i++) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char name[64] = "";
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
    name[sizeof name - 1] = '\0';
    const bool known = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
    if (!known || H5Zfilter_avail(filter) <= 0) {
      return fail_at(r, place, "is packed by filter %d%s%s%s, expected gzip, shuffle, fletcher32 or none", (int)filter,
                     name[0] ? " (" : "", name, name[0] ? ")" : "");
    }
    *packed = *packed || filter == H5Z_FILTER_DEFLATE;
  }
  return SST_OK;
}

static sst_status check_chunks(const reader *r, const char *place, hid_t properties, const array *a) {
  hsize_t dims[H5S_MAX_RANK];
  const int rank = H5Pget_chunk(properties, H5S_MAX_RANK, dims);
  int64_t bytes = (int64_t)a->type_size;
  for (int i = 0; i < rank; i++) {
    if (dims[i] > (hsize_t)most_elements || __builtin_mul_overflow(bytes, (int64_t)dims[i], &bytes)) {
      bytes = INT64_MAX;
    }
    if (bytes > largest_chunk + a->count * (int64_t)a->type_size) {
      return fail_at(r, place, "is stored in pieces of more than %" PRId64 " bytes", largest_chunk);
    }
  }
  return SST_OK;
}

// Whether the array's bytes are in the file, at least packed.
static sst_status check_storage(const reader *r, const char *place, const array *a) {
  hid_t properties = H5Dget_create_plist(a->set);
  if (properties < 0) { return fail_at(r, place, "is damaged"); }
  sst_status status = SST_OK;
  bool packed = false;
  const H5D_layout_t layout = H5Pget_layout(properties);
  if ((layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) ||
      H5Pget_external_count(properties) != 0) {
    status = fail_at(r, place, "lies outside this file or is put together from others, which is not read");
    goto done;
  }
  SST_TRY_GOTO(check_filters(r, place, properties, &packed));
  if (layout == H5D_CHUNKED) { SST_TRY_GOTO(check_chunks(r, place, properties, a)); }
  const int64_t needed = a->count * (int64_t)a->type_size, stored = (int64_t)H5Dget_storage_size(a->set);
  // The library would ask for as much memory as the file says a piece has.
  if (stored > (int64_t)r->size) {
    status =
        fail_at(r, place, "says that %" PRId64 " bytes are stored for it, but the file has %" PRIu64, stored, r->size);
    goto done;
  }
  if (stored < 0 || (needed > stored && (!packed || needed / largest_ratio > stored)) || (stored == 0 && needed > 0)) {
    status = fail_at(r, place, "should have %" PRId64 " bytes, but the file holds %" PRId64 " for it", needed, stored);
  }
done:
  H5Pclose(properties);
  return status;
}

// Takes over `object`.
static sst_status open_array(reader *r, const char *place, hid_t object, array *a) {
  *a = (array){.set = object, .space = H5I_INVALID_HID, .type = H5I_INVALID_HID};
  sst_status status = SST_OK;
  if (H5Iget_type(object) != H5I_DATASET) {
    status = fail_at(r, place, "is a group, expected a value");
    goto done;
  }
  a->space = H5Dget_space(object);
  a->type = H5Dget_type(object);
  if (a->space < 0 || a->type < 0) {
    status = fail_at(r, place, "is damaged");
    goto done;
  }
  a->class = H5Tget_class(a->type);
  a->type_size = H5Tget_size(a->type);
  if (a->type_size == 0 || a->type_size > MOST_TEXT) {
    status = fail_at(r, place, "has elements of %zu bytes, expected at most %d", a->type_size, (int)MOST_TEXT);
    goto done;
  }
  SST_TRY_GOTO(read_extent(r, place, a));
  SST_TRY_GOTO(check_storage(r, place, a));
  r->elements += a->count;
  if (r->elements > most_elements) {
    status = fail_at(r, place, "the file has more than %" PRId64 " numbers", most_elements);
  }
done:
  if (status != SST_OK) { close_array(a); }
  return status;
}

static sst_status fail_data(const reader *r, const char *place) {
  char reason[SSTI_HDF5_REASON_SIZE];
  return fail_at(r, place, "its data is damaged (libhdf5: %s)", ssti_hdf5_reason(reason));
}

// The bytes of a sequence in the file's heap, and how many there are; NULL if it is not there.
static const unsigned char *heap_bytes(const reader *r, const ssti_hdf5_reference *reference, uint64_t *held) {
  const uint64_t address = reference->address;
  if (address > r->size || r->size - address < SSTI_HDF5_HEAP_HEAD) { return NULL; }
  const uint64_t size = ssti_hdf5_heap_size(r->data + address);
  if (size < SSTI_HDF5_HEAP_HEAD || size > r->size - address) { return NULL; }
  return ssti_hdf5_heap_find(r->data + address, size, reference->index, held);
}

static sst_status read_variable_text(const reader *r, const char *place, const array *a, int64_t element, char **out) {
  hid_t properties = H5Dget_create_plist(a->set);
  const bool plain = properties >= 0 && H5Pget_layout(properties) == H5D_CONTIGUOUS;
  if (properties >= 0) { H5Pclose(properties); }
  const haddr_t begin = H5Dget_offset(a->set);
  if (!plain || begin == HADDR_UNDEF) {
    return fail_at(r, place, "texts of variable length are not stored in one piece");
  }
  const uint64_t offset = (uint64_t)element * SSTI_HDF5_REFERENCE, end = offset + SSTI_HDF5_REFERENCE;
  if (H5Dget_storage_size(a->set) < end || begin > r->size || r->size - begin < end) {
    return fail_at(r, place, "its data is damaged");
  }
  const ssti_hdf5_reference reference = ssti_hdf5_reference_decode(r->data + begin + offset);
  uint64_t held = 0;
  const unsigned char *text = reference.length > 0 ? heap_bytes(r, &reference, &held) : r->data;
  if (text == NULL || reference.length > held || reference.length > MOST_TEXT) {
    return fail_at(r, place, "its text is damaged");
  }
  SST_TRY(ssti_allocate(r->context, (size_t)reference.length + 1, 1, out));
  memcpy(*out, text, reference.length);
  return SST_OK;
}

static sst_status read_fixed_text(const reader *r, const char *place, const array *a, int64_t element, char **out) {
  hid_t type = H5Tcopy(H5T_C_S1), memory = H5Screate(H5S_SCALAR);
  bool good = type >= 0 && memory >= 0 && H5Tset_size(type, a->type_size + 1) >= 0 &&
              H5Tset_cset(type, H5Tget_cset(a->type)) >= 0;
  hsize_t start[SST_NIR_MAX_RANK], one[SST_NIR_MAX_RANK];
  for (int i = a->rank - 1; i >= 0; i--) {
    start[i] = (hsize_t)(element % a->shape[i]);
    one[i] = 1;
    element /= a->shape[i];
  }
  if (good && a->rank > 0) { good = H5Sselect_hyperslab(a->space, H5S_SELECT_SET, start, NULL, one, NULL) >= 0; }
  sst_status status = ssti_allocate(r->context, a->type_size + 1, 1, out);
  if (status == SST_OK && (!good || H5Dread(a->set, type, memory, a->space, H5P_DEFAULT, *out) < 0)) {
    status = fail_data(r, place);
    ssti_free(r->context, *out);
    *out = NULL;
  }
  if (memory >= 0) { H5Sclose(memory); }
  if (type >= 0) { H5Tclose(type); }
  return status;
}

// One text of an array of them. Owned by the caller.
static sst_status read_text(const reader *r, const char *place, const array *a, int64_t element, char **out) {
  *out = NULL;
  return H5Tis_variable_str(a->type) > 0 ? read_variable_text(r, place, a, element, out)
                                         : read_fixed_text(r, place, a, element, out);
}

// The text under that name of a group.
static sst_status read_word(reader *r, hid_t group, const char *place, const char *name, char **out) {
  char here[PLACE_SIZE];
  hid_t object = H5I_INVALID_HID;
  *out = NULL;
  SST_TRY(open_child(r, group, place, name, &object));
  if (object < 0) { return fail_at(r, place, "there is no '%s'", name); }
  array a;
  SST_TRY(open_array(r, join_place(here, place, name), object, &a));
  sst_status status =
      a.class == H5T_STRING && a.count == 1 ? read_text(r, here, &a, 0, out) : fail_at(r, here, "is not a text");
  close_array(&a);
  return status;
}

static sst_status read_value(const reader *r, const char *place, const char *name, const array *a,
                             sst_nir_values *values) {
  sst_nir_value *value = NULL;
  if (sst_nir_find_value(values, name) != NULL) { return fail_at(r, place, "is there twice"); }
  if (a->class == H5T_STRING) {
    char *text = NULL;
    if (a->count != 1) { return fail_at(r, place, "holds several texts, expected one"); }
    SST_TRY(read_text(r, place, a, 0, &text));
    const sst_status status = ssti_nir_add_value(r->context, values, name, SST_NIR_TEXT, 0, NULL, &value);
    if (status == SST_OK) {
      value->text = text;
    } else {
      ssti_free(r->context, text);
    }
    return status;
  }
  const bool whole = a->class == H5T_INTEGER;
  SST_TRY(ssti_nir_add_value(r->context, values, name, whole ? SST_NIR_INTEGERS : SST_NIR_NUMBERS, a->rank, a->shape,
                             &value));
  if (value->count == 0) { return SST_OK; }
  void *to = whole ? (void *)value->integers : (void *)value->numbers;
  if (H5Dread(a->set, whole ? H5T_NATIVE_LLONG : H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0) {
    return fail_data(r, place);
  }
  return SST_OK;
}

// ---- groups

// Names of a group's links, one at a time, in the order they were made if the file knows it.
typedef struct links {
  hid_t group;
  H5_index_t index;
  hsize_t count;
} links;

static sst_status begin_links(const reader *r, hid_t group, const char *place, links *out) {
  H5G_info_t about;
  *out = (links){.group = group, .index = H5_INDEX_NAME};
  if (H5Gget_info(group, &about) < 0 || about.nlinks > MOST_LINKS) {
    return fail_at(r, place, "is damaged or has more than %d entries", (int)MOST_LINKS);
  }
  out->count = about.nlinks;
  hid_t properties = H5Gget_create_plist(group);
  unsigned order = 0;
  if (properties >= 0) {
    if (H5Pget_link_creation_order(properties, &order) >= 0 && (order & H5P_CRT_ORDER_TRACKED)) {
      out->index = H5_INDEX_CRT_ORDER;
    }
    H5Pclose(properties);
  }
  return SST_OK;
}

static sst_status link_name(const reader *r, const links *l, const char *place, hsize_t i, char name[NAME_SIZE]) {
  const ssize_t length = H5Lget_name_by_idx(l->group, ".", l->index, H5_ITER_INC, i, name, NAME_SIZE, H5P_DEFAULT);
  if (length <= 0 || length >= NAME_SIZE) {
    return fail_at(r, place, "entry %" PRIu64 " has a name of %lld bytes, expected 1 to %d", (uint64_t)i,
                   (long long)length, (int)NAME_SIZE - 1);
  }
  return SST_OK;
}

// Fields of a node (all but `type`, `metadata` and a graph's parts), or all of its metadata. Metadata is everybody's
// own: what cannot be kept of it is passed over.
static sst_status read_values(reader *r, hid_t group, const char *place, bool metadata, sst_nir_values *values) {
  links l;
  SST_TRY(begin_links(r, group, place, &l));
  for (hsize_t i = 0; i < l.count; i++) {
    char name[NAME_SIZE], here[PLACE_SIZE];
    SST_TRY(link_name(r, &l, place, i, name));
    if (!metadata && (strcmp(name, "type") == 0 || strcmp(name, "metadata") == 0 || strcmp(name, "nodes") == 0 ||
                      strcmp(name, "edges") == 0)) {
      continue;
    }
    hid_t object = H5I_INVALID_HID;
    SST_TRY(open_child(r, group, place, name, &object));
    if (object < 0) { continue; }
    if (metadata && H5Iget_type(object) != H5I_DATASET) {
      H5Oclose(object);
      continue;
    }
    array a;
    SST_TRY(open_array(r, join_place(here, place, name), object, &a));
    const bool known = a.class == H5T_INTEGER || a.class == H5T_FLOAT || a.class == H5T_STRING;
    sst_status status = SST_OK;
    if (known && !(metadata && a.class == H5T_STRING && a.count != 1)) {
      status = read_value(r, here, name, &a, values);
    } else if (!metadata) {
      status = fail_at(r, here, "is neither numbers nor a text");
    }
    close_array(&a);
    SST_TRY(status);
  }
  return SST_OK;
}

static sst_status read_metadata(reader *r, hid_t group, const char *place, sst_nir_values *values) {
  char here[PLACE_SIZE];
  hid_t metadata = H5I_INVALID_HID;
  SST_TRY(open_child(r, group, place, "metadata", &metadata));
  if (metadata < 0) { return SST_OK; }
  sst_status status = H5Iget_type(metadata) == H5I_GROUP
                          ? read_values(r, metadata, join_place(here, place, "metadata"), true, values)
                          : SST_OK;
  H5Oclose(metadata);
  return status;
}

static sst_status read_end(const reader *r, const char *place, const array *a, int64_t edge, int end,
                           const sst_nir_graph *graph, int *out) {
  char *name = NULL;
  SST_TRY(read_text(r, place, a, 2 * edge + end, &name));
  *out = sst_nir_find_node(graph, name);
  sst_status status = SST_OK;
  if (*out < 0) {
    status = fail_at(r, place, "edge %lld %s '%.80s', which is no node of this graph", (long long)edge,
                     end == 0 ? "comes from" : "goes to", name);
  }
  ssti_free(r->context, name);
  return status;
}

static sst_status read_edge_rows(const reader *r, const char *place, const array *a, sst_nir_graph *graph) {
  if (a->count == 0) { return SST_OK; }
  if (a->class != H5T_STRING || a->rank != 2 || a->shape[1] != 2 || a->shape[0] > MOST_EDGES) {
    return fail_at(r, place, "is not an array [edges,2] of at most %d pairs of names", (int)MOST_EDGES);
  }
  for (int64_t edge = 0; edge < a->shape[0]; edge++) {
    int source = 0, target = 0;
    SST_TRY(read_end(r, place, a, edge, 0, graph, &source));
    SST_TRY(read_end(r, place, a, edge, 1, graph, &target));
    SST_TRY(placed(r, place, sst_nir_add_edge(graph, source, target)));
  }
  return SST_OK;
}

static sst_status read_edges(reader *r, hid_t group, const char *place, sst_nir_graph *graph) {
  char here[PLACE_SIZE];
  hid_t object = H5I_INVALID_HID;
  SST_TRY(open_child(r, group, place, "edges", &object));
  if (object < 0) { return fail_at(r, place, "there is no 'edges'"); }
  array a;
  SST_TRY(open_array(r, join_place(here, place, "edges"), object, &a));
  const sst_status status = read_edge_rows(r, here, &a, graph);
  close_array(&a);
  return status;
}

static sst_status read_graph(reader *r, hid_t group, const char *place, int depth, sst_nir_graph *graph);

static sst_status read_node(reader *r, hid_t nodes, const char *place, const char *name, int depth,
                            sst_nir_graph *graph) {
  char *word = NULL;
  hid_t group = H5I_INVALID_HID;
  int index = 0;
  char here[PLACE_SIZE];
  if (++r->nodes > MOST_NODES) { return fail_at(r, place, "the file has more than %d nodes", (int)MOST_NODES); }
  SST_TRY(open_group(r, nodes, place, name, &group));
  join_place(here, place, name);
  sst_status status = SST_OK;
  sst_nir_type type = SST_NIR_TYPE_COUNT;
  SST_TRY_GOTO(read_word(r, group, here, "type", &word));
  if (!ssti_nir_type_parse(word, &type)) {
    status = fail_at(r, here, "is of type '%.80s', which is no type of NIR known here", word);
    goto done;
  }
  SST_TRY_GOTO(placed(r, place, sst_nir_add_node(graph, name, type, &index)));
  if (type == SST_NIR_TYPE_GRAPH) {
    SST_TRY_GOTO(read_graph(r, group, here, depth + 1, graph->nodes[index].graph));
  } else {
    SST_TRY_GOTO(read_values(r, group, here, false, &graph->nodes[index].fields));
    SST_TRY_GOTO(read_metadata(r, group, here, &graph->nodes[index].metadata));
  }
  status = ssti_nir_check_node(r->context, &graph->nodes[index], SST_FORMAT);
  if (status != SST_OK) { ssti_fail_within(r->context, status, "%s: %s", r->name, place); }
done:
  ssti_free(r->context, word);
  H5Oclose(group);
  return status;
}

static sst_status read_nodes(reader *r, hid_t nodes, const char *place, int depth, sst_nir_graph *graph) {
  links l;
  SST_TRY(begin_links(r, nodes, place, &l));
  for (hsize_t i = 0; i < l.count; i++) {
    char name[NAME_SIZE];
    SST_TRY(link_name(r, &l, place, i, name));
    SST_TRY(read_node(r, nodes, place, name, depth, graph));
  }
  return SST_OK;
}

static sst_status read_graph(reader *r, hid_t group, const char *place, int depth, sst_nir_graph *graph) {
  char here[PLACE_SIZE];
  hid_t nodes = H5I_INVALID_HID;
  if (depth > MOST_DEPTH) { return fail_at(r, place, "graphs lie more than %d deep in each other", (int)MOST_DEPTH); }
  SST_TRY(open_group(r, group, place, "nodes", &nodes));
  const sst_status status = read_nodes(r, nodes, join_place(here, place, "nodes"), depth, graph);
  H5Oclose(nodes);
  SST_TRY(status);
  SST_TRY(read_edges(r, group, place, graph));
  return read_metadata(r, group, place, &graph->metadata);
}

// Addresses of 8 bytes that count from the file's beginning, as everybody writes them and heap_object assumes.
static bool has_plain_addresses(hid_t file) {
  hid_t properties = H5Fget_create_plist(file);
  size_t address = 0, length = 0;
  hsize_t user_block = 1;
  const bool known = properties >= 0 && H5Pget_sizes(properties, &address, &length) >= 0 &&
                     H5Pget_userblock(properties, &user_block) >= 0;
  if (properties >= 0) { H5Pclose(properties); }
  return known && address == 8 && length == 8 && user_block == 0;
}

static sst_status read_root(reader *r, hid_t file, sst_nir_graph *graph) {
  char *word = NULL;
  if (!has_plain_addresses(file)) {
    SST_FAIL(r->context, SST_FORMAT, "%s: has a user block or addresses that are not of 8 bytes", r->name);
  }
  hid_t node = H5I_INVALID_HID, version = H5I_INVALID_HID;
  SST_TRY(open_child(r, file, "/", "version", &version));
  if (version >= 0) {
    H5Oclose(version);
    SST_TRY(read_word(r, file, "", "version", &word));
    snprintf(graph->version, sizeof graph->version, "%s", word);
    ssti_free(r->context, word);
  }
  SST_TRY(open_child(r, file, "/", "node", &node));
  if (node < 0 || H5Iget_type(node) != H5I_GROUP) {
    if (node >= 0) { H5Oclose(node); }
    SST_FAIL(r->context, SST_FORMAT, "%s: there is no group /node: an HDF5 file, but not of NIR", r->name);
  }
  sst_status status = SST_OK;
  SST_TRY_GOTO(read_word(r, node, "/node", "type", &word));
  if (word == NULL || strcmp(word, "NIRGraph") != 0) {
    status = fail_at(r, "/node", "is a single node of type '%.80s', expected a NIRGraph", word ? word : "");
    goto done;
  }
  status = read_graph(r, node, "/node", 0, graph);
done:
  ssti_free(r->context, word);
  H5Oclose(node);
  return status;
}

sst_status sst_nir_read_bytes(sst_context *context, const char *name, const void *data, size_t size,
                              sst_nir_graph **out) {
  *out = NULL;
  sst_nir_graph *graph = NULL;
  SST_TRY(sst_nir_create(context, &graph));
  reader r = {.context = context, .name = name, .data = data, .size = size};
  const ssti_hdf5_guard guard = ssti_hdf5_enter();
  hid_t file = size > 0 ? ssti_hdf5_open_image(data, size) : H5I_INVALID_HID;
  sst_status status = SST_OK;
  if (file < 0) {
    status = ssti_fail(context, SST_FORMAT, "%s: is not an HDF5 file, or a damaged one: expected a NIR file", name);
  } else {
    status = read_root(&r, file, graph);
    H5Fclose(file);
  }
  ssti_hdf5_leave(guard);
  if (status != SST_OK) {
    sst_nir_destroy(graph);
    return status;
  }
  *out = graph;
  return SST_OK;
}

sst_status sst_nir_read(sst_context *context, const char *path, sst_nir_graph **out) {
  char *data = NULL;
  size_t size = 0;
  *out = NULL;
  SST_TRY(ssti_file_read(context, path, 0, &data, &size));
  const sst_status status = sst_nir_read_bytes(context, path, data, size, out);
  ssti_free(context, data);
  return status;
}
