// SPDX-License-Identifier: Apache-2.0
// The name that a mistyped word is probably meant to be.
#include <string.h>

#include "command.h"

enum { LONGEST = 31 };

// Edits from one word to the other: letters added, dropped, changed, or two neighbours swapped.
static int edits(const char *a, const char *b) {
  int rows[3][LONGEST + 1];
  int length_a = (int)strlen(a), length_b = (int)strlen(b);
  if (length_a > LONGEST || length_b > LONGEST) { return LONGEST; }
  for (int j = 0; j <= length_b; j++) { rows[0][j] = j; }
  for (int i = 1; i <= length_a; i++) {
    int *now = rows[i % 3];
    const int *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= length_b; j++) {
      int least = above[j - 1] + (a[i - 1] != b[j - 1]);
      if (above[j] + 1 < least) { least = above[j] + 1; }
      if (now[j - 1] + 1 < least) { least = now[j - 1] + 1; }
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_above[j - 2] + 1 < least) {
        least = two_above[j - 2] + 1;
      }
      now[j] = least;
    }
  }
  return rows[length_a % 3][length_b];
}

int nearest_name(const char *word, const char *const *names, int count) {
  int best = -1, least = LONGEST;
  for (int i = 0; i < count; i++) {
    int distance = edits(word, names[i]);
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  int allowed = (int)strlen(word) / 3;
  return least <= (allowed > 1 ? allowed : 1) ? best : -1;
}
