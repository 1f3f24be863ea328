// SPDX-License-Identifier: Apache-2.0
// What the commands of all kinds of figures share.
#ifndef SPIKESTILL_REPORT_FIGURE_SCRIPT_H
#define SPIKESTILL_REPORT_FIGURE_SCRIPT_H

#include "report/figure.h"

enum { SSTI_FIGURE_FRAME = 70, SSTI_FIGURE_BAND = 46 }; // heights: of axis and margins together, of a band

// The terminal with its size, and everything that an earlier figure may have set.
void ssti_figure_put_start(ssti_text *script, int height);
// Steps of an axis of whole numbers: 1, 2, 5, 10, ... so that at most ten are there.
double ssti_figure_whole_step(double range);
// Where the left axis stands, as a share of the width, so that the rows' names have room.
double ssti_figure_name_margin(const ssti_figure *figure);

// The kinds that are drawn in bands.
void ssti_figure_put_bands(const ssti_figure *figure, ssti_text *script);

#endif
