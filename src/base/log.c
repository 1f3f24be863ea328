// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/context_state.h"

void ssti_log(sst_context *context, sst_log_level level, const char *format, ...) {
  if (context == NULL || context->log == NULL) { return; }
  char line[SSTI_MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (wanted < 0) { return; }
  // The receiver is promised one line.
  for (char *c = line; *c != '\0'; c++) {
    if (*c == '\n' || *c == '\r') { *c = ' '; }
  }
  pthread_mutex_lock(&context->log_mutex);
  context->log(context->log_user, level, line);
  pthread_mutex_unlock(&context->log_mutex);
}
