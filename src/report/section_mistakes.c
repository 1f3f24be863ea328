// SPDX-License-Identifier: Apache-2.0
// What the networks get wrong, from mistakes.json, which has been checked (run_records_check.h): which classes they
// confuse, and the pictures that they are most sure of and wrong about.
#include <math.h>
#include <stdio.h>

#include "report/page.h"

enum { BMP_HEAD = 54 };

static void put_confusion(ssti_page *page, const ssti_run_records *run) {
  const json_t *confusion = json_object_get(run->mistakes, "confusion");
  int classes = (int)json_array_size(confusion);
  if (classes < 2) { return; }
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_MAP,
                                 .title = "Confusion matrix",
                                 .description = "How many pictures of each class were taken for which; the darker, the "
                                                "more (by the square root).",
                                 .row_title = "class",
                                 .value_title = "taken for",
                                 .rows = classes,
                                 .columns = classes};
  ssti_figure *figure = ssti_page_figure(page, &plan);
  for (int r = 0; r < classes && figure != NULL; r++) {
    const json_t *row = json_array_get(confusion, (size_t)r);
    char name[16];
    snprintf(name, sizeof name, "%d", r);
    ssti_figure_name_row(figure, r, name);
    ssti_figure_name_column(figure, r, name);
    for (int c = 0; c < classes; c++) {
      const json_t *count = json_array_get(row, (size_t)c);
      *ssti_figure_value(figure, r, c) = json_is_number(count) ? json_number_value(count) : (double)NAN;
    }
  }
  ssti_page_drop_empty(page, figure);
}

// ---- pictures, as BMP: every browser reads it, and it needs no compression

static void put_base64(ssti_text *html, const unsigned char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    unsigned group = (unsigned)bytes[i] << 16;
    if (i + 1 < size) { group |= (unsigned)bytes[i + 1] << 8; }
    if (i + 2 < size) { group |= bytes[i + 2]; }
    const char four[4] = {digits[group >> 18], digits[group >> 12 & 63], i + 1 < size ? digits[group >> 6 & 63] : '=',
                          i + 2 < size ? digits[group & 63] : '='};
    ssti_text_append_bytes(html, four, sizeof four);
  }
}

static int digit_value(char digit) {
  return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : 0;
}

static unsigned char value_at(const char *pixels, int64_t place) {
  return (unsigned char)(16 * digit_value(pixels[2 * place]) + digit_value(pixels[2 * place + 1]));
}

static void put_little_endian(unsigned char *to, uint32_t value) {
  for (int i = 0; i < 4; i++) { to[i] = (unsigned char)(value >> (8 * i)); }
}

typedef struct picture {
  int64_t height, width, channels;
  const char *pixels;
} picture;

static picture read_picture(const json_t *from) {
  return (picture){.height = json_integer_value(json_object_get(from, "height")),
                   .width = json_integer_value(json_object_get(from, "width")),
                   .channels = json_integer_value(json_object_get(from, "channels")),
                   .pixels = json_string_value(json_object_get(from, "pixels"))};
}

static sst_status put_bitmap(ssti_page *page, const picture *p) {
  size_t row = ((size_t)p->width * 3 + 3) / 4 * 4, size = BMP_HEAD + row * (size_t)p->height;
  unsigned char *bytes = NULL;
  SST_TRY(ssti_allocate(page->context, size, 1, &bytes));
  bytes[0] = 'B';
  bytes[1] = 'M';
  put_little_endian(bytes + 2, (uint32_t)size);
  put_little_endian(bytes + 10, BMP_HEAD);
  put_little_endian(bytes + 14, 40); // size of the second head
  put_little_endian(bytes + 18, (uint32_t)p->width);
  put_little_endian(bytes + 22, (uint32_t)p->height); // rows from the bottom
  bytes[26] = 1;                                      // plane
  bytes[28] = 24;                                     // bits a pixel: blue, green, red
  for (int64_t h = 0; h < p->height; h++) {
    unsigned char *to = bytes + BMP_HEAD + (size_t)(p->height - 1 - h) * row;
    for (int64_t w = 0; w < p->width; w++, to += 3) {
      int64_t at = (h * p->width + w) * p->channels;
      unsigned char first = value_at(p->pixels, at);
      // Two channels are events of both signs; of more than three the first is shown.
      to[2] = first;
      to[1] = p->channels == 3 ? value_at(p->pixels, at + 1) : p->channels == 2 ? 0 : first;
      to[0] = p->channels == 3 ? value_at(p->pixels, at + 2) : p->channels == 2 ? value_at(p->pixels, at + 1) : first;
    }
  }
  put_base64(&page->html, bytes, size);
  ssti_free(page->context, bytes);
  return SST_OK;
}

static void put_pictures(ssti_page *page, const ssti_run_records *run) {
  const json_t *pictures = json_object_get(run->mistakes, "pictures");
  ssti_text *html = &page->html;
  size_t count = json_array_size(pictures);
  if (count == 0) { return; }
  ssti_text_append(html, "<div><h3>Most mistaken pictures</h3><ul class=pictures>\n");
  for (size_t i = 0; i < count && page->status == SST_OK; i++) {
    const json_t *from = json_array_get(pictures, i);
    const picture p = read_picture(from);
    long long truth = json_integer_value(json_object_get(from, "class"));
    long long taken = json_integer_value(json_object_get(from, "taken_for"));
    ssti_text_append(html, "<li><img width=72 alt=\"picture %lld of the test part\" src=\"data:image/bmp;base64,",
                     (long long)json_integer_value(json_object_get(from, "index")));
    page->status = put_bitmap(page, &p);
    ssti_text_append(html, "\"><br>%lld, taken for %lld<br><small>", truth, taken);
    ssti_put_percent(html, ssti_number_of(from, "confidence"));
    ssti_text_append(html, "</small></li>\n");
  }
  ssti_text_append(html, "</ul></div>\n");
}

void ssti_section_mistakes(ssti_page *page) {
  int shown = 0;
  ssti_text *html = &page->html;
  for (int i = 0; i < page->list->count && shown < SSTI_MOST_DETAILED; i++) {
    const ssti_run_records *run = &page->list->runs[i];
    if (run->mistakes == NULL) { continue; }
    if (shown == 0) { ssti_text_append(html, "<section id=mistakes><h2>Mistakes</h2>\n"); }
    ssti_text_append(html, "<details class=run%s><summary>", shown == 0 ? " open" : "");
    ssti_put_run(page, i);
    ssti_text_append(html, "</summary>\n<div class=figures>\n");
    put_confusion(page, run);
    put_pictures(page, run);
    ssti_text_append(html, "</div></details>\n");
    shown++;
  }
  if (shown > 0) { ssti_text_append(html, "</section>\n"); }
}
