// SPDX-License-Identifier: Apache-2.0
// The safetensors container, read and written (docs/spec/checkpoint.md). Reading trusts nothing: every number of the
// header is checked against the file before it is used, and every message says where in the file the trouble is.
#include "spikestill/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

static const char METADATA_KEY[] = "__metadata__";
static const uint64_t HEADER_LIMIT = 100u * 1000u * 1000u; // the format's own limit

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

static const char *const type_words[] = {
#define TYPE_WORD(name, word, bytes) word,
    SST_SAFETENSORS_TYPE_LIST(TYPE_WORD)
#undef TYPE_WORD
};
static const size_t type_sizes[] = {
#define TYPE_SIZE(name, word, bytes) bytes,
    SST_SAFETENSORS_TYPE_LIST(TYPE_SIZE)
#undef TYPE_SIZE
};

typedef struct tensor {
  sst_safetensors_entry entry;
  uint64_t begin, end; // in the data
  int place;           // in the header: orders tensors without elements
} tensor;

struct sst_safetensors {
  sst_context *context;
  ssti_file_bytes bytes; // the file; tensors point into it
  size_t header_size;
  json_t *header; // names and metadata point into it
  tensor *tensors;
  int count;
};

// While reading: what messages need.
typedef struct reader {
  sst_safetensors *file;
  const char *path;
} reader;

// Number of bytes of a tensor of that type and shape; false if that does not fit into 64 bits.
static bool tensor_bytes(const sst_safetensors_entry *entry, uint64_t *out) {
  uint64_t elements = 1;
  bool empty = false; // [2^40, 2^40, 0] is a tensor of no bytes
  for (int i = 0; i < entry->rank; i++) { empty = empty || entry->shape[i] == 0; }
  for (int i = 0; i < entry->rank && !empty; i++) {
    if (__builtin_mul_overflow(elements, (uint64_t)entry->shape[i], &elements)) { return false; }
  }
  *out = 0;
  return empty || !__builtin_mul_overflow(elements, (uint64_t)type_sizes[entry->type], out);
}

// Where in the file the header speaks of that tensor, for messages; the header's beginning if the name is not found as
// written (it may be written with escapes).
static size_t header_offset(const reader *r, const char *name) {
  const char *header = r->file->bytes.data + LENGTH_BYTES;
  const char *end = header + r->file->header_size;
  const size_t length = strlen(name);
  for (const char *p = header; (size_t)(end - p) > length + 2; p++) {
    if (p[0] != '"' || memcmp(p + 1, name, length) != 0 || p[length + 1] != '"') { continue; }
    const char *after = p + length + 2;
    while (after < end && (*after == ' ' || *after == '\t' || *after == '\n' || *after == '\r')) { after++; }
    if (after < end && *after == ':') { return (size_t)(p - r->file->bytes.data); }
  }
  return LENGTH_BYTES;
}

#define TENSOR_FAIL(r, name, format, ...)                                                                              \
  SST_FAIL((r)->file->context, SST_FORMAT, "%s: byte %zu: tensor '%s' " format, (r)->path, header_offset((r), (name)), \
           (name), __VA_ARGS__)

static sst_status read_type(const reader *r, const char *name, const json_t *value, sst_safetensors_entry *entry) {
  const char *word = json_string_value(value);
  if (word == NULL) {
    TENSOR_FAIL(r, name, "has %s dtype, expected a text such as \"F32\"", value ? "a strange" : "no");
  }
  const int found = ssti_find_word(word, type_words, SST_SAFETENSORS_TYPE_COUNT);
  if (found < 0) {
    TENSOR_FAIL(r, name, "has dtype \"%s\", expected one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL", word);
  }
  entry->type = (sst_safetensors_type)found;
  return SST_OK;
}

static sst_status read_shape(const reader *r, const char *name, const json_t *value, sst_safetensors_entry *entry) {
  if (!json_is_array(value)) {
    TENSOR_FAIL(r, name, "has %s shape, expected a list of sizes", value ? "a strange" : "no");
  }
  const size_t rank = json_array_size(value);
  if (rank > SST_SAFETENSORS_MAX_RANK) {
    TENSOR_FAIL(r, name, "has %zu dimensions, expected at most %d", rank, SST_SAFETENSORS_MAX_RANK);
  }
  entry->rank = (int)rank;
  for (size_t i = 0; i < rank; i++) {
    const json_t *size = json_array_get(value, i);
    if (!json_is_integer(size) || json_integer_value(size) < 0) {
      TENSOR_FAIL(r, name, "has a size in dimension %zu that is not an integer >= 0", i);
    }
    entry->shape[i] = (int64_t)json_integer_value(size);
  }
  return SST_OK;
}

static sst_status read_range(const reader *r, const char *name, const json_t *value, tensor *out) {
  const json_t *first = json_array_get(value, 0), *last = json_array_get(value, 1);
  if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
      json_integer_value(first) < 0 || json_integer_value(last) < json_integer_value(first)) {
    TENSOR_FAIL(r, name, "has %s, expected data_offsets [begin, end] with 0 <= begin <= end",
                value ? "other data_offsets" : "no data_offsets");
  }
  out->begin = (uint64_t)json_integer_value(first);
  out->end = (uint64_t)json_integer_value(last);
  const uint64_t data_size = r->file->bytes.size - LENGTH_BYTES - r->file->header_size;
  if (out->end > data_size) {
    TENSOR_FAIL(r, name,
                "ends at byte %" PRIu64 " of the data, which are only %" PRIu64 " bytes: the file is truncated"
                " or its header is damaged",
                out->end, data_size);
  }
  uint64_t expected = 0;
  if (!tensor_bytes(&out->entry, &expected)) { TENSOR_FAIL(r, name, "has a shape %s", "too large for any file"); }
  if (out->end - out->begin != expected) {
    TENSOR_FAIL(r, name, "takes %" PRIu64 " bytes, expected %" PRIu64 " from its dtype %s and its shape",
                out->end - out->begin, expected, type_words[out->entry.type]);
  }
  out->entry.bytes = (size_t)expected;
  out->entry.data = r->file->bytes.data + LENGTH_BYTES + r->file->header_size + out->begin;
  return SST_OK;
}

static sst_status read_tensor(const reader *r, const char *name, const json_t *value, int place, tensor *out) {
  if (name[0] == '\0') { SST_FAIL(r->file->context, SST_FORMAT, "%s: byte 8: a tensor has an empty name", r->path); }
  if (!json_is_object(value)) {
    TENSOR_FAIL(r, name, "%s", "is not described by an object {dtype, shape, data_offsets}");
  }
  out->entry.name = name;
  out->place = place;
  SST_TRY(read_type(r, name, json_object_get(value, "dtype"), &out->entry));
  SST_TRY(read_shape(r, name, json_object_get(value, "shape"), &out->entry));
  return read_range(r, name, json_object_get(value, "data_offsets"), out);
}

static sst_status check_metadata(const reader *r, json_t *metadata) {
  sst_context *context = r->file->context;
  if (!json_is_object(metadata)) {
    SST_FAIL(context, SST_FORMAT, "%s: byte %zu: %s is not an object of texts", r->path, header_offset(r, METADATA_KEY),
             METADATA_KEY);
  }
  for (void *i = json_object_iter(metadata); i != NULL; i = json_object_iter_next(metadata, i)) {
    if (!json_is_string(json_object_iter_value(i))) {
      const char *key = json_object_iter_key(i);
      SST_FAIL(context, SST_FORMAT, "%s: byte %zu: the value of '%s' in %s is not a text", r->path,
               header_offset(r, key), key, METADATA_KEY);
    }
  }
  return SST_OK;
}

static int by_position(const void *a, const void *b) {
  const tensor *x = a, *y = b;
  if (x->begin != y->begin) { return x->begin < y->begin ? -1 : 1; }
  if (x->end != y->end) { return x->end < y->end ? -1 : 1; }
  return x->place < y->place ? -1 : 1;
}

// The tensors, in the order of their data, must fill the data: no hole, no overlap, nothing behind.
static sst_status check_positions(const reader *r) {
  const sst_safetensors *file = r->file;
  const uint64_t data_at = LENGTH_BYTES + file->header_size;
  const uint64_t data_size = file->bytes.size - data_at;
  uint64_t position = 0;
  for (int i = 0; i < file->count; i++) {
    const tensor *now = &file->tensors[i];
    if (now->begin < position) {
      SST_FAIL(file->context, SST_FORMAT,
               "%s: byte %" PRIu64 ": tensor '%s' begins %" PRIu64 " bytes before tensor '%s' ends: the two overlap",
               r->path, data_at + now->begin, now->entry.name, position - now->begin, file->tensors[i - 1].entry.name);
    }
    if (now->begin > position) {
      SST_FAIL(file->context, SST_FORMAT,
               "%s: byte %" PRIu64 ": %" PRIu64 " bytes before tensor '%s' belong to no"
               " tensor",
               r->path, data_at + position, now->begin - position, now->entry.name);
    }
    position = now->end;
  }
  if (position != data_size) {
    SST_FAIL(file->context, SST_FORMAT, "%s: byte %" PRIu64 ": the last %" PRIu64 " bytes belong to no tensor", r->path,
             data_at + position, data_size - position);
  }
  return SST_OK;
}

static sst_status read_header(reader *r) {
  sst_safetensors *file = r->file;
  const uint64_t size = file->bytes.size;
  if (size < LENGTH_BYTES) {
    SST_FAIL(file->context, SST_FORMAT,
             "%s: byte %" PRIu64 ": the file ends inside the header's length, expected at"
             " least %d bytes",
             r->path, size, LENGTH_BYTES);
  }
  uint64_t length = 0;
  for (int i = LENGTH_BYTES - 1; i >= 0; i--) { length = length << 8 | (unsigned char)file->bytes.data[i]; }
  if (length > HEADER_LIMIT) {
    SST_FAIL(file->context, SST_FORMAT,
             "%s: byte 0: the header's length is %" PRIu64 " bytes, expected at most %" PRIu64
             ": not a safetensors file",
             r->path, length, HEADER_LIMIT);
  }
  if (length > size - LENGTH_BYTES) {
    SST_FAIL(file->context, SST_FORMAT,
             "%s: byte 0: the header's length is %" PRIu64 " bytes, but only %" PRIu64
             " follow: the file is truncated or not a safetensors file",
             r->path, length, size - LENGTH_BYTES);
  }
  file->header_size = (size_t)length;
  if (length == 0 || file->bytes.data[LENGTH_BYTES] != '{') {
    SST_FAIL(file->context, SST_FORMAT, "%s: byte 8: the header does not begin with '{': not a safetensors file",
             r->path);
  }
  const sst_status status =
      ssti_json_parse(file->context, "header", file->bytes.data + LENGTH_BYTES, file->header_size, &file->header);
  if (status != SST_OK) { return ssti_fail_within(file->context, status, "%s: byte 8", r->path); }
  if (!json_is_object(file->header)) {
    SST_FAIL(file->context, SST_FORMAT, "%s: byte 8: the header is not an object", r->path);
  }
  return SST_OK;
}

static sst_status read_whole(sst_context *context, const char *path, ssti_file_bytes *out) {
  char *data = NULL;
  const sst_status status = ssti_file_read(context, path, 0, &data, &out->size);
  out->data = data;
  return status;
}

static sst_status read_file(reader *r, bool map) {
  sst_safetensors *file = r->file;
  SST_TRY((map ? ssti_file_map : read_whole)(file->context, r->path, &file->bytes));
  SST_TRY(read_header(r));
  SST_TRY(ssti_allocate(file->context, json_object_size(file->header), sizeof(tensor), &file->tensors));
  for (void *i = json_object_iter(file->header); i != NULL; i = json_object_iter_next(file->header, i)) {
    const char *name = json_object_iter_key(i);
    json_t *value = json_object_iter_value(i);
    if (strcmp(name, METADATA_KEY) == 0) {
      SST_TRY(check_metadata(r, value));
    } else {
      SST_TRY(read_tensor(r, name, value, file->count, &file->tensors[file->count]));
      file->count++;
    }
  }
  qsort(file->tensors, (size_t)file->count, sizeof(tensor), by_position);
  return check_positions(r);
}

static sst_status open_file(sst_context *context, const char *path, bool map, sst_safetensors **out) {
  *out = NULL;
  reader r = {.path = path};
  SST_TRY(ssti_allocate(context, 1, sizeof(sst_safetensors), &r.file));
  r.file->context = context;
  const sst_status status = read_file(&r, map);
  if (status != SST_OK) {
    sst_safetensors_close(r.file);
    return status;
  }
  *out = r.file;
  return SST_OK;
}

sst_status sst_safetensors_open(sst_context *context, const char *path, sst_safetensors **out) {
  return open_file(context, path, false, out);
}

sst_status sst_safetensors_map(sst_context *context, const char *path, sst_safetensors **out) {
  return open_file(context, path, true, out);
}

void sst_safetensors_close(sst_safetensors *file) {
  if (file == NULL) { return; }
  sst_context *context = file->context;
  json_decref(file->header);
  ssti_free(context, file->tensors);
  ssti_file_unmap(context, &file->bytes);
  ssti_free(context, file);
}

int sst_safetensors_count(const sst_safetensors *file) { return file->count; }

sst_safetensors_entry sst_safetensors_at(const sst_safetensors *file, int index) {
  assert(index >= 0 && index < file->count);
  return file->tensors[index].entry;
}

bool sst_safetensors_find(const sst_safetensors *file, const char *name, sst_safetensors_entry *out) {
  for (int i = 0; i < file->count; i++) {
    if (strcmp(file->tensors[i].entry.name, name) == 0) {
      *out = file->tensors[i].entry;
      return true;
    }
  }
  return false;
}

const char *sst_safetensors_metadata(const sst_safetensors *file, const char *key) {
  return json_string_value(json_object_get(json_object_get(file->header, METADATA_KEY), key));
}

// ---- writing

// A JSON text; fails on what is not UTF-8, which JSON cannot hold. The library does not say why it made none: if it can
// make one unchecked, there was memory, and so there is when it is asked again.
static sst_status make_text(sst_context *context, const char *what, const char *text, json_t **out) {
  *out = json_string(text);
  if (*out != NULL) { return SST_OK; }
  json_t *unchecked = json_string_nocheck(text);
  if (unchecked == NULL) { SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the header of a safetensors file"); }
  json_decref(unchecked);
  *out = json_string(text);
  if (*out != NULL) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT, "%s '%s' is not UTF-8", what, text);
}

// Both take over `value`, which may be NULL if it could not be made.
static sst_status put(sst_context *context, json_t *object, const char *key, json_t *value) {
  if (value != NULL && json_object_set_new(object, key, value) == 0) { return SST_OK; }
  SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the header of a safetensors file");
}
static sst_status append(sst_context *context, json_t *array, json_t *value) {
  if (value != NULL && json_array_append_new(array, value) == 0) { return SST_OK; }
  SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the header of a safetensors file");
}

static sst_status describe_metadata(sst_context *context, json_t *header, const sst_safetensors_pair *metadata,
                                    int count) {
  if (count == 0) { return SST_OK; }
  SST_TRY(put(context, header, METADATA_KEY, json_object()));
  json_t *object = json_object_get(header, METADATA_KEY);
  for (int i = 0; i < count; i++) {
    json_t *text = NULL;
    SST_TRY(make_text(context, "metadata key", metadata[i].key, &text));
    json_decref(text);
    if (json_object_get(object, metadata[i].key) != NULL) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "metadata key '%s' is given twice", metadata[i].key);
    }
    SST_TRY(make_text(context, "metadata value", metadata[i].value, &text));
    SST_TRY(put(context, object, metadata[i].key, text));
  }
  return SST_OK;
}

static sst_status check_entry(sst_context *context, const json_t *header, const sst_safetensors_entry *entry) {
  if (entry->name == NULL || entry->name[0] == '\0' || strcmp(entry->name, METADATA_KEY) == 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' cannot be a tensor's name", entry->name ? entry->name : "");
  }
  if (json_object_get(header, entry->name) != NULL) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "tensor '%s' is given twice", entry->name);
  }
  if ((int)entry->type < 0 || entry->type >= SST_SAFETENSORS_TYPE_COUNT || entry->rank < 0 ||
      entry->rank > SST_SAFETENSORS_MAX_RANK) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "tensor '%s' has type %d and rank %d, expected below %d and at most %d",
             entry->name, (int)entry->type, entry->rank, SST_SAFETENSORS_TYPE_COUNT, SST_SAFETENSORS_MAX_RANK);
  }
  for (int i = 0; i < entry->rank; i++) {
    if (entry->shape[i] < 0) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "tensor '%s' has size %" PRId64 " in dimension %d, expected at least 0",
               entry->name, entry->shape[i], i);
    }
  }
  uint64_t expected = 0;
  if (!tensor_bytes(entry, &expected) || entry->bytes != expected) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "tensor '%s' has %zu bytes, but type %s and shape make %" PRIu64,
             entry->name, entry->bytes, type_words[entry->type], expected);
  }
  return SST_OK;
}

static sst_status describe_tensor(sst_context *context, json_t *header, const sst_safetensors_entry *entry,
                                  uint64_t *position) {
  SST_TRY(check_entry(context, header, entry));
  const uint64_t begin = *position;
  uint64_t end = 0;
  if (__builtin_add_overflow(begin, (uint64_t)entry->bytes, &end) || end > INT64_MAX) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "tensor '%s' would end beyond any file", entry->name);
  }
  json_t *name = NULL;
  SST_TRY(make_text(context, "tensor name", entry->name, &name));
  json_decref(name);
  SST_TRY(put(context, header, entry->name, json_object()));
  json_t *object = json_object_get(header, entry->name);
  SST_TRY(put(context, object, "dtype", json_string(type_words[entry->type])));
  SST_TRY(put(context, object, "shape", json_array()));
  json_t *shape = json_object_get(object, "shape");
  for (int i = 0; i < entry->rank; i++) { SST_TRY(append(context, shape, json_integer(entry->shape[i]))); }
  SST_TRY(put(context, object, "data_offsets", json_array()));
  json_t *range = json_object_get(object, "data_offsets");
  SST_TRY(append(context, range, json_integer((json_int_t)begin)));
  SST_TRY(append(context, range, json_integer((json_int_t)end)));
  *position = end;
  return SST_OK;
}

// The file's beginning: length, header, spaces that align the data.
static sst_status describe_all(sst_context *context, json_t *header, const sst_safetensors_entry *entries, int count,
                               const sst_safetensors_pair *metadata, int metadata_count, ssti_text *beginning) {
  SST_TRY(describe_metadata(context, header, metadata, metadata_count));
  uint64_t position = 0;
  for (int i = 0; i < count; i++) { SST_TRY(describe_tensor(context, header, &entries[i], &position)); }
  char *text = NULL;
  SST_TRY(ssti_json_text(context, header, false, &text));
  size_t length = strlen(text);
  while (length > 0 && text[length - 1] == '\n') { length--; }
  const size_t padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (padded > HEADER_LIMIT) {
    ssti_free(context, text);
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the header would take %zu bytes, at most %" PRIu64 " are allowed", padded,
             HEADER_LIMIT);
  }
  char bytes[LENGTH_BYTES];
  for (int i = 0; i < LENGTH_BYTES; i++) { bytes[i] = (char)(unsigned char)((uint64_t)padded >> (8 * i) & 0xff); }
  ssti_text_append_bytes(beginning, bytes, sizeof bytes);
  ssti_text_append_bytes(beginning, text, length);
  ssti_text_append_bytes(beginning, "        ", padded - length);
  ssti_free(context, text);
  return beginning->status;
}

static sst_status write_all(ssti_writer *writer, const ssti_text *beginning, const sst_safetensors_entry *entries,
                            int count) {
  SST_TRY(ssti_writer_write(writer, beginning->data, beginning->length));
  for (int i = 0; i < count; i++) {
    if (entries[i].bytes > 0) { SST_TRY(ssti_writer_write(writer, entries[i].data, entries[i].bytes)); }
  }
  return SST_OK;
}

sst_status sst_safetensors_write(sst_context *context, const char *path, const sst_safetensors_entry *entries,
                                 int count, const sst_safetensors_pair *metadata, int metadata_count) {
  json_t *header = json_object();
  if (header == NULL) { SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the header of a safetensors file"); }
  ssti_text beginning = ssti_text_begin(context);
  ssti_writer *writer = NULL;
  sst_status status = describe_all(context, header, entries, count, metadata, metadata_count, &beginning);
  if (status != SST_OK) {
    ssti_fail_within(context, status, "%s", path);
    goto done;
  }
  SST_TRY_GOTO(ssti_writer_open(context, path, &writer));
  SST_TRY_GOTO(write_all(writer, &beginning, entries, count));
  status = ssti_writer_commit(writer);
  writer = NULL; // ended in every case
done:
  ssti_writer_abandon(writer);
  ssti_text_free(&beginning);
  json_decref(header);
  return status;
}
