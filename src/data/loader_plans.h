// SPDX-License-Identifier: Apache-2.0
// A loader that says what its batches are made of, for a device that makes them itself: the loader's threads then draw
// random numbers only.
#ifndef SPIKESTILL_DATA_LOADER_PLANS_H
#define SPIKESTILL_DATA_LOADER_PLANS_H

#include "picture/picture_plan.h"
#include "spikestill/data.h"

// What the plans are for. False, with the reason as the end of a sentence, where only the host can make the batches.
bool ssti_loader_form(const sst_loader *loader, ssti_picture_form *out, const char **why);
// The set that plans count in, borrowed; what its bytes become, [SST_MAX_CHANNELS][256].
const sst_dataset *ssti_loader_dataset(const sst_loader *loader);
const float *ssti_loader_values(const sst_loader *loader);

// From the next start on batches have plans and targets, and NULL for an input; or an input again, and why, as the end
// of a sentence, though there is a device (kept; NULL: there is nothing to say).
void ssti_loader_plan_only(sst_loader *loader, bool plans_only, const char *why_not);
// The same for the epoch begun last.
bool ssti_loader_planned(const sst_loader *loader, const char **why_not);
// [N], of the batch that came out last; as long as that.
const ssti_picture_plan *ssti_loader_plans(const sst_loader *loader);

#endif
