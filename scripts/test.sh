#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds and runs the tests. Shows the output of what failed; the last line counts single test
# functions: "N passed, N failed, N skipped". Usage: scripts/test.sh [preset] [argument of ctest...]
# Set SPIKESTILL_DATA to a folder with real data sets to run the tests that need them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:-release}
report=build/$preset/test-report.xml
scripts/setup.sh
if ! scripts/build.sh "$preset"; then
  echo "the build failed, so no test was run"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
rm -f "$report"

# A program of one suite uses all cores where it can, so suites run one per core and no more.
ctest --test-dir "build/$preset" --label-exclude long --parallel "$(nproc)" --output-on-failure \
  --test-output-size-passed 10000000 --test-output-size-failed 10000000 --output-junit "$PWD/$report" \
  "${@:2}" </dev/null && result=0 || result=$?
python3 tests/support/summary.py "$report" || result=1
exit "$result"
