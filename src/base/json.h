// SPDX-License-Identifier: Apache-2.0
// The small layer over the JSON library (jansson) that records and headers share.
#ifndef SPIKESTILL_BASE_JSON_H
#define SPIKESTILL_BASE_JSON_H

#include <jansson.h>

#include "base/memory.h"

// Parses `size` bytes; `name` is for the message, which gives line and column. The root is owned by the caller
// (json_decref).
sst_status ssti_json_parse(sst_context *context, const char *name, const char *data, size_t size, json_t **out);

// Writes the value as text, keys in the order they were set, numbers so that they read back the same. `pretty` indents.
// The text is owned by the caller (ssti_free).
sst_status ssti_json_text(sst_context *context, const json_t *value, bool pretty, char **out);

#endif
