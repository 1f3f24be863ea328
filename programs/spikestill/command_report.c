// SPDX-License-Identifier: Apache-2.0
// A report's figures are drawn by one gnuplot for all of them: it reads the script, its output goes into the page.
#include "spikestill/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child_process.h"
#include "command.h"

// The whole file and a zero byte; NULL if there is no memory or it cannot be read.
static char *read_all(FILE *file, size_t *size) {
  if (fseek(file, 0, SEEK_END) != 0) { return NULL; }
  long length = ftell(file);
  if (length < 0) { return NULL; }
  char *text = malloc((size_t)length + 1);
  rewind(file);
  *size = text ? fread(text, 1, (size_t)length, file) : 0;
  if (text && *size != (size_t)length) {
    free(text);
    return NULL;
  }
  if (text) { text[length] = '\0'; }
  return text;
}

// What gnuplot makes of the script, or NULL and a sentence: the report then has tables.
static char *draw(const char *script, size_t *size, const char **sentence) {
  const char *words[] = {"gnuplot", "-", NULL};
  FILE *input = tmpfile(), *output = tmpfile();
  char *drawings = NULL;
  *sentence = "gnuplot failed, so the report has tables instead of figures";
  if (input && output && fputs(script, input) >= 0) {
    int code = child_filter(words, input, output);
    if (code == CHILD_NOT_THERE) {
      *sentence = "gnuplot is not installed, so the report has tables instead of figures";
    }
    if (code == 0) { drawings = read_all(output, size); }
  }
  if (input) { fclose(input); }
  if (output) { fclose(output); }
  return drawings;
}

static void show(const char *path) {
  const char *words[] = {"xdg-open", path, NULL};
  int code = child_run_in(".", words);
  if (code == 0) { return; }
  fprintf(stderr, "%s, so open %s yourself\n",
          code == CHILD_NOT_THERE ? "xdg-open is not installed" : "xdg-open found no browser", path);
}

int command_report(sst_context *context, const arguments *a) {
  const char *path = a->out ? a->out : "report.html", *sentence = NULL;
  sst_report *report = NULL;
  sst_status status = sst_report_open(context, a->words, a->word_count, &report);
  if (status != SST_OK) { return report_failure(context, status); }
  size_t size = 0;
  char *drawings = draw(sst_report_script(report), &size, &sentence);
  if (a->tensorboard && status == SST_OK) { status = sst_report_write_events(report, a->tensorboard); }
  if (!drawings && !a->quiet) { fprintf(stderr, "%s\n", sentence); }
  if (status == SST_OK) { status = sst_report_write(report, drawings, size, path); }
  free(drawings);
  int runs = sst_report_run_count(report);
  sst_report_close(report);
  if (status != SST_OK) { return report_failure(context, status); }
  if (!a->quiet) { printf("%s: report of %d run%s\n", path, runs, runs == 1 ? "" : "s"); }
  if (a->open) { show(path); }
  return EXIT_DONE;
}
