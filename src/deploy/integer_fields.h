// SPDX-License-Identifier: Apache-2.0
// The numbers of integer networks under the names that they have in files.
#ifndef SPIKESTILL_DEPLOY_INTEGER_FIELDS_H
#define SPIKESTILL_DEPLOY_INTEGER_FIELDS_H

#include "base/json.h"
#include "spikestill/integer.h"

typedef enum ssti_field_type { SSTI_FIELD_INT64, SSTI_FIELD_INT32, SSTI_FIELD_BOOL } ssti_field_type;

typedef struct ssti_field {
  const char *word;
  size_t offset; // in its struct
  ssti_field_type type;
} ssti_field;

typedef struct ssti_fields {
  const ssti_field *list;
  int count;
} ssti_fields;

// Of sst_integer_network, of sst_integer_value (of the input), and of a node of that kind (sst_integer_node).
ssti_fields ssti_network_fields(void);
ssti_fields ssti_value_fields(void);
ssti_fields ssti_node_fields(sst_integer_node_kind kind);

// Sets the fields of `object` from the JSON object; `what` stands in messages. Errors: FORMAT.
sst_status ssti_fields_read(sst_context *context, const char *what, ssti_fields fields, const json_t *from,
                            void *object);

// Puts the fields of `object` into the JSON object. Errors: OUT_OF_MEMORY.
sst_status ssti_fields_write(sst_context *context, ssti_fields fields, const void *object, json_t *to);

// Puts a value, which it takes over and which may be NULL if it could not be made. Errors: OUT_OF_MEMORY.
sst_status ssti_json_put(sst_context *context, json_t *object, const char *key, json_t *value);

#endif
