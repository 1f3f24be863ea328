// SPDX-License-Identifier: Apache-2.0
#include "spikestill/status.h"

// A switch rather than a table: a value outside the list needs no bounds check, and the compiler sees a missing case.
const char *sst_status_name(sst_status status) {
  switch (status) {
#define SSTI_STATUS_NAME(name, text)                                                                                   \
  case SST_##name: return #name;
    SST_STATUS_LIST(SSTI_STATUS_NAME)
#undef SSTI_STATUS_NAME
  }
  return "UNKNOWN";
}

const char *sst_status_text(sst_status status) {
  switch (status) {
#define SSTI_STATUS_TEXT(name, text)                                                                                   \
  case SST_##name: return text;
    SST_STATUS_LIST(SSTI_STATUS_TEXT)
#undef SSTI_STATUS_TEXT
  }
  return "a status that this library does not know";
}
