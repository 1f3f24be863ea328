// SPDX-License-Identifier: Apache-2.0
// Checksums, by libcrypto. MD5 is what the authors of the data sets published; it is here against damage, not malice.
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "data/download.h"

enum { BLOCK = 1 << 16 };

static sst_status digest_file(sst_context *context, const char *path, EVP_MD_CTX *digest, FILE *file) {
  uint8_t *block = NULL;
  SST_TRY(ssti_allocate_raw(context, BLOCK, 1, &block));
  sst_status status = SST_OK;
  size_t got = 0;
  while (status == SST_OK && (got = fread(block, 1, BLOCK, file)) > 0) {
    if (EVP_DigestUpdate(digest, block, got) != 1) {
      status = ssti_fail(context, SST_IO, "%s: the checksum library failed", path);
    }
  }
  if (status == SST_OK && ferror(file)) {
    status = ssti_fail(context, SST_IO, "%s: cannot be read back: %s", path, strerror(errno));
  }
  ssti_free(context, block);
  return status;
}

sst_status ssti_download_check(sst_context *context, const char *path, const char *checksum, bool *right,
                               char found[SSTI_CHECKSUM_TEXT_SIZE]) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  *right = false;
  found[0] = '\0';
  FILE *file = ssti_io_allowed(context, "open", path) ? fopen(path, "rbe") : NULL;
  if (file == NULL) { SST_FAIL(context, SST_IO, "%s: cannot be opened: %s", path, strerror(errno)); }
  EVP_MD_CTX *digest = EVP_MD_CTX_new();
  sst_status status = SST_OK;
  if (digest == NULL || EVP_DigestInit_ex(digest, strlen(checksum) == 64 ? EVP_sha256() : EVP_md5(), NULL) != 1) {
    status = ssti_fail(context, SST_UNSUPPORTED, "%s: the checksum library does not offer the checksum it needs", path);
  }
  if (status == SST_OK) { status = digest_file(context, path, digest, file); }
  if (status == SST_OK && EVP_DigestFinal_ex(digest, sum, &length) != 1) {
    status = ssti_fail(context, SST_IO, "%s: the checksum library failed", path);
  }
  for (unsigned i = 0; status == SST_OK && i < length && 2 * i + 2 < SSTI_CHECKSUM_TEXT_SIZE; i++) {
    snprintf(found + 2 * i, 3, "%02x", sum[i]);
  }
  *right = status == SST_OK && strcasecmp(found, checksum) == 0;
  EVP_MD_CTX_free(digest);
  fclose(file);
  return status;
}
