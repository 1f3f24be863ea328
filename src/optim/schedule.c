// SPDX-License-Identifier: Apache-2.0
// Learning-rate schedules: the factor on the learning rate as a function of the epochs done, p, of E in all, with
// warm-up W:
//
//     warm-up   p / W while p < W, times what the schedule says
//     constant  1
//     cosine    final + (1 - final) * (1 + cos(pi * (p - W) / (E - W))) / 2; 1 during the warm-up
//     step      factor ^ (number of milestones <= p)
#include <math.h>

#include "base/fail.h"
#include "base/text.h"
#include "spikestill/optim.h"

static const double pi = 3.14159265358979323846;

static const char *const schedule_words[] = {
#define WORD(name, word, text) word,
    SST_SCHEDULE_LIST(WORD)
#undef WORD
};

const char *sst_schedule_word(sst_schedule_kind kind) {
  assert(kind < SST_SCHEDULE_COUNT);
  return schedule_words[kind];
}

bool sst_schedule_parse(const char *word, sst_schedule_kind *out) {
  const int found = ssti_find_word(word, schedule_words, SST_SCHEDULE_COUNT);
  if (found >= 0) { *out = (sst_schedule_kind)found; }
  return found >= 0;
}

sst_schedule sst_schedule_default(void) { return (sst_schedule){.kind = SST_SCHEDULE_COSINE, .step_factor = 0.1}; }

static double cosine_factor(const sst_schedule *schedule, double progress, double epochs) {
  double length = epochs - schedule->warmup_epochs;
  double done = progress - schedule->warmup_epochs;
  if (done <= 0.0) { return 1.0; }
  if (done >= length) { return schedule->final_factor; }
  return schedule->final_factor + (1.0 - schedule->final_factor) * 0.5 * (1.0 + cos(pi * done / length));
}

static double step_factor(const sst_schedule *schedule, double progress) {
  double factor = 1.0;
  for (int i = 0; i < schedule->milestone_count && schedule->milestones[i] <= progress; i++) {
    factor *= schedule->step_factor;
  }
  return factor;
}

double sst_schedule_factor(const sst_schedule *schedule, double progress, double epochs) {
  double factor = 1.0;
  switch (schedule->kind) {
  case SST_SCHEDULE_COSINE: factor = cosine_factor(schedule, progress, epochs); break;
  case SST_SCHEDULE_STEP: factor = step_factor(schedule, progress); break;
  case SST_SCHEDULE_CONSTANT:
  case SST_SCHEDULE_COUNT: break;
  }
  if (progress < schedule->warmup_epochs) { factor *= progress / schedule->warmup_epochs; }
  return factor;
}
