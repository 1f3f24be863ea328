// SPDX-License-Identifier: Apache-2.0
#include "child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

// Between fork and exec only what a signal handler might do as well is allowed.
// Descriptors less than zero stand for nothing.
static void redirect(int input, int output, int standard_error) {
  int nothing = open("/dev/null", O_RDWR);
  dup2(input >= 0 ? input : nothing, STDIN_FILENO);
  dup2(output >= 0 ? output : nothing, STDOUT_FILENO);
  dup2(standard_error >= 0 ? standard_error : nothing, STDERR_FILENO);
  if (nothing > STDERR_FILENO) { close(nothing); }
}

static void signals_as_usual(const sigset_t *before) {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  sigprocmask(SIG_SETMASK, before, NULL);
}

// exec takes the words without const, but changes nothing.
static void execute(const char *file, bool search, const char *const *words) {
  char *const *plain = NULL;
  memcpy(&plain, &words, sizeof plain);
  if (search) {
    execvp(file, plain);
  } else {
    execv(file, plain);
  }
  _exit(CHILD_NOT_THERE);
}

// Signals wait while we are two: one that the child got with our handlers in place would be lost.
static void hold_signals(sigset_t *before) {
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGINT);
  sigaddset(&held, SIGTERM);
  sigprocmask(SIG_BLOCK, &held, before);
}

bool child_start_self(const char *const *words, child_process *out) {
  *out = (child_process){.said = tmpfile()};
  if (!out->said) { return false; }
  sigset_t before;
  pid_t parent = getpid();
  hold_signals(&before);
  out->id = fork();
  if (out->id == 0) {
    setpgid(0, 0);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    if (getppid() != parent) { _exit(1); } // we were killed before the child could ask for that
    redirect(-1, -1, fileno(out->said));
    signals_as_usual(&before);
    execute("/proc/self/exe", false, words);
  }
  int reason = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (out->id > 0) { return true; }
  child_close(out);
  errno = reason;
  return false;
}

static int code_of(int status) { return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status); }

bool child_ended(const child_process *child, int *code) {
  int status = 0;
  if (waitpid(child->id, &status, WNOHANG) != child->id) { return false; }
  *code = code_of(status);
  return true;
}

void child_close(child_process *child) {
  if (child->said) { fclose(child->said); }
  *child = (child_process){0};
}

// In the folder, or where we are if that is NULL.
static int run(const char *folder, const char *const *words, int input, int output) {
  sigset_t before;
  hold_signals(&before);
  pid_t id = fork();
  if (id == 0) {
    redirect(input, output, -1);
    signals_as_usual(&before);
    if (folder != NULL && chdir(folder) != 0) { _exit(1); }
    execute(words[0], true, words);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  int status = 0;
  if (id < 0) { return 1; }
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {}
  return code_of(status);
}

int child_run_in(const char *folder, const char *const *words) { return run(folder, words, -1, -1); }

int child_filter(const char *const *words, FILE *input, FILE *output) {
  if (fflush(input) != 0 || lseek(fileno(input), 0, SEEK_SET) != 0) { return 1; }
  int code = run(NULL, words, fileno(input), fileno(output));
  rewind(output);
  return code;
}
