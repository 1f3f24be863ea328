// SPDX-License-Identifier: Apache-2.0
// The twin of download.c for builds without libcurl, libcrypto or libarchive.
#include "base/fail.h"
#include "spikestill/data.h"

sst_status sst_dataset_download(sst_context *context, sst_dataset_kind kind, const char *root, const char *base_url,
                                sst_download_progress *progress, void *user) {
  (void)root, (void)base_url, (void)progress, (void)user;
  SST_FAIL(context, SST_UNSUPPORTED,
           "%s: downloading is not built in: it needs libcurl, libcrypto and libarchive when Spikestill is compiled",
           sst_dataset_word(kind));
}
