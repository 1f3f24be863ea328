// SPDX-License-Identifier: Apache-2.0
// Every slot of the CUDA backend that its own kernels fill, against the reference.
#include "cuda_pair.h"

#include "slots_unary.h"

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_unary),
      TEST(test_fill),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
