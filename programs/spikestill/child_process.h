// SPDX-License-Identifier: Apache-2.0
// Processes that the program starts: itself once more, or another program.
#ifndef SPIKESTILL_PROGRAM_CHILD_PROCESS_H
#define SPIKESTILL_PROGRAM_CHILD_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

enum { CHILD_NOT_THERE = 127 }; // the exit code for a program that could not be executed

typedef struct child_process {
  pid_t id;
  FILE *said; // a temporary file that takes its standard error
} child_process;

// Starts this program with those words (the first is its name, NULL ends them), without input and output. It does not
// hear the terminal's Ctrl-C, which is for us to pass on, and is asked to stop if we are killed. False: errno says why.
bool child_start_self(const char *const *words, child_process *out);

// Whether it has ended, and then its exit code, or less than zero: minus the signal that ended it.
bool child_ended(const child_process *child, int *code);
void child_close(child_process *child);

// Runs a program that reads `input` from its beginning and writes to `output` (rewound after it), and waits for it. Its
// exit code, or less than zero as above.
int child_filter(const char *const *words, FILE *input, FILE *output);

// Runs a program in a folder, without input and output, and waits for it. Its exit code, or less than zero as above.
int child_run_in(const char *folder, const char *const *words);

#endif
