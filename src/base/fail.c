// SPDX-License-Identifier: Apache-2.0
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context_state.h"

// Puts "..." at the end of a text that did not fit, so that nobody takes the half for the whole.
static void mark_cut(char *text, size_t size, int wanted) {
  if (wanted >= 0 && (size_t)wanted >= size) { memcpy(text + size - 4, "...", 4); }
}

static void keep(sst_context *context, const char *text) {
  pthread_mutex_lock(&context->message_mutex);
  size_t length = strlen(text);
  if (length >= SSTI_MESSAGE_SIZE) { length = SSTI_MESSAGE_SIZE - 1; }
  memcpy(context->message, text, length);
  context->message[length] = '\0';
  pthread_mutex_unlock(&context->message_mutex);
}

sst_status ssti_fail(sst_context *context, sst_status status, const char *format, ...) {
  if (context == NULL) { return status; }
  // Formatted aside: the arguments may point into the sentence that is being replaced.
  char text[SSTI_MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (wanted < 0) { text[0] = '\0'; }
  mark_cut(text, sizeof text, wanted);
  keep(context, text);
  return status;
}

sst_status ssti_fail_within(sst_context *context, sst_status status, const char *format, ...) {
  if (context == NULL) { return status; }
  char place[SSTI_MESSAGE_SIZE / 2];
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(place, sizeof place, format, arguments);
  va_end(arguments);
  if (wanted < 0) { return status; }
  mark_cut(place, sizeof place, wanted);

  char old[SSTI_MESSAGE_SIZE];
  pthread_mutex_lock(&context->message_mutex);
  memcpy(old, context->message, sizeof old);
  pthread_mutex_unlock(&context->message_mutex);
  char text[SSTI_MESSAGE_SIZE];
  wanted = snprintf(text, sizeof text, "%s: %.*s", place, SSTI_MESSAGE_SIZE, old);
  mark_cut(text, sizeof text, wanted);
  keep(context, text);
  return status;
}

void ssti_fail_copy(sst_context *context, char *out, size_t size) {
  pthread_mutex_lock(&context->message_mutex);
  snprintf(out, size, "%s", context->message);
  pthread_mutex_unlock(&context->message_mutex);
}
