// SPDX-License-Identifier: Apache-2.0
// gnuplot's SVG made a part of the page. The input is what gnuplot wrote for our own script: element by element it is
// copied, cut or changed, never interpreted further.
#include <stdio.h>
#include <stdlib.h>

#include "report/figure.h"
#include "report/page.h"

enum { LONGEST_SHOWN = 24 };

typedef struct span {
  const char *at, *end;
} span;

static const char *find(span in, const char *word) {
  size_t length = strlen(word);
  for (const char *at = in.at; (size_t)(in.end - at) >= length; at++) {
    if (memcmp(at, word, length) == 0) { return at; }
  }
  return NULL;
}

static bool begins(span in, const char *word) {
  size_t length = strlen(word);
  return (size_t)(in.end - in.at) >= length && memcmp(in.at, word, length) == 0;
}

// What stands between two words, in order; false if they are not there.
static bool between(span in, const char *first, const char *last, span *out) {
  const char *at = find(in, first);
  if (at == NULL) { return false; }
  out->at = at + strlen(first);
  out->end = find((span){out->at, in.end}, last);
  return out->end != NULL;
}

// A row's name on an axis has little room: its end is left out, at the border of a character.
static void put_short(ssti_text *html, const char *name) {
  char cut[LONGEST_SHOWN + 8];
  if (strlen(name) <= LONGEST_SHOWN) {
    ssti_put_escaped(html, name);
    return;
  }
  int length = LONGEST_SHOWN - 1;
  while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80) { length--; }
  snprintf(cut, sizeof cut, "%.*s\xe2\x80\xa6", length, name);
  ssti_put_escaped(html, cut);
}

// "@3@": returns what follows it, or NULL if it is none.
static const char *put_name(const ssti_figure *figure, span in, ssti_text *html) {
  char *end = NULL;
  long number = strtol(in.at + 1, &end, 10);
  if (end == in.at + 1 || end >= in.end || *end != '@' || number < 0 || number >= figure->plan.rows + 2) {
    return NULL;
  }
  // The lower axis, then the left one: the numbers of bars and dots lie along the lower, of lines along the left.
  const ssti_figure_plan *plan = &figure->plan;
  bool points = plan->kind == SSTI_FIGURE_POINTS, lines = plan->kind == SSTI_FIGURE_LINES;
  if (number >= 2) {
    put_short(html, figure->row_names[number - 2]);
  } else if (points) {
    ssti_put_escaped(html, figure->column_names[number]);
  } else {
    ssti_put_escaped(html, (number == 0) == lines ? plan->row_title : plan->value_title);
  }
  return end + 1;
}

// "rgb(  1, 250, 3)": returns what follows it, or NULL if it is none of our codes.
static const char *put_colour(span in, ssti_text *html) {
  char code[32]; // sscanf would look for the end of the whole drawing
  int red = 0, green = 0, blue = 0, length = 0;
  snprintf(code, sizeof code, "%.*s", (int)(in.end - in.at < 31 ? in.end - in.at : 31), in.at);
  if (sscanf(code, "rgb(%d,%d,%d)%n", &red, &green, &blue, &length) != 3 || length == 0) { return NULL; }
  if (red == 2) {
    ssti_text_append(html, "color-mix(in srgb,var(--c0) %d%%,var(--paper))", 100 * green / 255);
  } else if (blue >= 100) {
    static const char *const words[] = {"quiet", "axis", "line"};
    ssti_text_append(html, "var(--%s)", words[blue - 100 > 2 ? 2 : blue - 100]);
  } else {
    ssti_text_append(html, "var(--c%d)", blue % SSTI_COLOURS);
  }
  return in.at + length;
}

// An empty group, its end included, or NULL.
static const char *skip_empty_group(span in) {
  const char *end = find(in, ">");
  if (end == NULL) { return NULL; }
  span rest = {end + 1, in.end};
  while (rest.at < rest.end && (*rest.at == '\n' || *rest.at == '\t' || *rest.at == ' ')) { rest.at++; }
  return begins(rest, "</g>") ? rest.at + 4 : NULL;
}

// Where to go on if this place is left out: names of plots (they would be shown as hints), identifiers (they would
// be there twice), empty groups.
static const char *skip(span in) {
  if (begins(in, "<title>")) {
    const char *end = find(in, "</title>");
    return end ? end + 8 : NULL;
  }
  if (begins(in, " id=\"")) {
    const char *end = find((span){in.at + 5, in.end}, "\"");
    return end ? end + 1 : NULL;
  }
  return begins(in, "<g ") ? skip_empty_group(in) : NULL;
}

static void put_body(const ssti_figure *figure, span body, ssti_text *html) {
  while (body.at < body.end) {
    const char *next = skip(body);
    if (next == NULL && *body.at == '@') { next = put_name(figure, body, html); }
    if (next == NULL && begins(body, "rgb(")) { next = put_colour(body, html); }
    if (next == NULL) {
      ssti_text_append_bytes(html, body.at, 1);
      next = body.at + 1;
    }
    body.at = next;
  }
}

bool ssti_figure_inline(const ssti_figure *figure, int number, const char *svg, size_t size, ssti_text *html) {
  span all = {svg, svg + size}, box, body;
  if (!between(all, "viewBox=\"", "\"", &box) || !between(all, "</defs>", "</svg>", &body)) { return false; }
  ssti_text_append(html, "<svg class=drawing role=img viewBox=\"%.*s\" aria-labelledby=\"t%d d%d\"><title id=t%d>",
                   (int)(box.end - box.at), box.at, number, number, number);
  ssti_put_escaped(html, figure->plan.title);
  ssti_text_append(html, "</title><desc id=d%d>", number);
  ssti_put_escaped(html, figure->plan.description);
  ssti_text_append(html, "</desc><g>");
  put_body(figure, body, html);
  ssti_text_append(html, "</svg>\n");
  return true;
}

bool ssti_marks_inline(const char *svg, size_t size, ssti_text *html) {
  span marks;
  if (!between((span){svg, svg + size}, "<defs>", "<filter", &marks)) { return false; }
  ssti_text_append(html, "<svg width=0 height=0 style=\"position:absolute\" aria-hidden=true><defs>");
  ssti_text_append_bytes(html, marks.at, (size_t)(marks.end - marks.at));
  ssti_text_append(html, "</defs></svg>\n");
  return true;
}
